"""Tests of memory that processes share, and of servers that keep weights in it."""

import multiprocessing
import os
import pickle
import shutil
import signal
import threading
import time
from multiprocessing import connection

import numpy as np
import pytest
import test_checkpoint
from hypothesis import given, settings
from hypothesis import strategies as st

from ps_helpers import table
from ps_helpers.optimizers import Adam, Momentum
from ps_helpers.rules import Asynchronous, StaleSynchronous, Synchronous
from ps_helpers.server import Server
from ps_helpers.shared_memory import Chain, MemoryGate, MemoryWire, SharedMemory
from ps_helpers.simulator import judge
from ps_helpers.table import Table, make_file

SHAPES = st.lists(
    st.lists(st.integers(1, 5), max_size=3).map(tuple), min_size=1, max_size=4
)


# Tables


@given(SHAPES, st.integers(1, 4))
def test_no_number_of_a_table_belongs_to_two_arrays(shapes, num_rows):
    table = Table(shapes, num_rows)
    arrays = [array for row in range(num_rows) for array in table.views[row]]
    for value, array in enumerate(arrays):
        assert array.shape == shapes[value % len(shapes)]
        assert array.ctypes.data % 64 == 0
        array[...] = value
    for value, array in enumerate(arrays):
        assert (array == value).all()


def test_where_shared_memory_is_full_a_file_without_a_name_serves(monkeypatch):
    def disk_usage(folder):
        free = 100 if folder == "/dev/shm" else 10_000
        return type("Usage", (), {"free": free})

    monkeypatch.setattr(shutil, "disk_usage", disk_usage)
    file = make_file(4, [(256,)])
    found = os.fstat(file.fileno())
    assert found.st_nlink == 0 and found.st_size == 4096
    with pytest.raises(MemoryError, match="start fewer workers"):
        make_file(20, [(256,)])


# Versions


class Weighed(Asynchronous):
    """What is late counts less: then an update is no row."""

    def factor(self, staleness):
        return 1 / (1 + staleness)


RULES = {
    "weighed": lambda n: Weighed(),
    "asynchronous": lambda n: Asynchronous(),
    "synchronous": Synchronous,
    "stale-synchronous": lambda n: StaleSynchronous(n, 1),
    "backup workers": lambda n: Synchronous(max(1, n - 1)),
}


class Worker:
    """What a worker of a `MemoryWire` does, one slice at a time."""

    def __init__(self, store):
        self.store, self.computing = store, False

    def send_bytes(self, message):
        row, self.version, self.step, share = pickle.loads(message)
        nothing = None, (), self.store.table.num_slices, 0
        self.row, self.sum, self.computing = row, share or nothing, True
        _, updates, first, _ = self.sum
        self.left = list(range(self.store.table.num_slices))[first :: len(updates) or 1]

    def may_add(self):
        missing = self.store.table.missing
        return self.left and not missing[self.sum[0], self.left[0]]

    def add(self):
        """Make a slice, and mark it."""
        i = self.left.pop(0)
        table, (source, updates, _, step) = self.store.table, self.sum
        (into, new), (before, old) = map(table.place_of, (self.row, source), (i, i))
        table.make(i, into, before, updates, step, old, new)
        table.missing[self.row, i] = 0

    def die(self):
        """Leave half a slice behind, where one is begun; be killed."""
        if self.left:
            numbers, state = self.store.table.place_of(self.row, self.left[0])
            numbers[:5], state[:, 5:] = np.nan, np.nan
        self.computing = False


def assert_same(arrays, expected):
    for array, right in zip(arrays, expected, strict=True):
        np.testing.assert_array_equal(array, right)


@pytest.mark.parametrize("size", [16, table.SLICE])
@pytest.mark.parametrize("make", RULES.values(), ids=RULES)
@settings(max_examples=30)
@given(
    num_workers=st.integers(1, 5),
    optimizer=st.sampled_from([lambda _: None, Momentum, Adam]),
    seed=st.integers(0, 1000),
)
def test_rows_hold_what_new_arrays_would_and_none_changes_that_is_read(
    size, make, num_workers, optimizer, seed
):
    """Each makes a slice at any time; some die while they do, and come back.

    The driver reads a row for some turns, while others go on. Where one slice has room
    for all, the server's thread makes the rows.
    """
    rng, shapes = np.random.default_rng(seed), [(3, 20), (41,)]
    values = [np.zeros(shape, np.float32) for shape in shapes]
    speed = rng.dirichlet(np.full(num_workers, 0.5))  # some are far slower
    deaths = rng.choice([0.03, 0.15])  # a turn
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(table, "SLICE", size)
        store = Chain(range(2), values, num_workers)
        server = Server(store, make(num_workers), optimizer(0.1))
        wire, plain = MemoryWire(store), judge(make(num_workers), values)
        plain.optimizer = optimizer(0.1)
        workers = [Worker(store) for _ in range(num_workers)]
        versions = {0: values}  # what a row must hold when it is whole

        def tell(go, same):
            assert go == same
            versions[plain.store.version] = plain.store.pull("ab")
            for w in go:
                wire.answer(workers[w], w, server.pull(w))
            wire.store.settle()
            assert store.row < store.num_versions

        for w in range(num_workers):
            wire.rows[w] = store.num_versions + w
            tell(server.join(w), plain.join(w))
        dead, held = {}, []
        for _ in range(45 * store.table.num_slices):  # a version takes a turn a slice
            w = int(rng.choice(num_workers, p=speed))
            worker = workers[w]
            if w in dead and not dead[w]():
                del dead[w]
                tell(server.join(w), plain.join(w))
            if not worker.computing:
                continue
            if rng.random() < deaths:
                worker.die()
                wire.store.release(w)
                dead[w] = store.begun()
            elif worker.may_add():
                worker.add()
            elif not store.table.missing[worker.row].any():
                assert_same(store.table.views[worker.row], versions[worker.version])
                worker.computing = False
                wire.store.release(w)
                update = wire.update_of(w)
                for part in update:
                    part[...] = rng.normal(size=part.shape)
                copies = [part.copy() for part in update]
                go = plain.push(w, worker.step, copies, times=None)
                tell(server.push(w, worker.step, update, times=None), go)
            if held and rng.random() < 0.1:
                assert_same(*held.pop())
                store.release("the driver")
            elif not held and rng.random() < 0.05:
                store.reading["the driver"] = row = store.whole_row()
                held.append((store.table.views[row], plain.store.pull("ab")))
                assert_same(*held[0])
        assert store.version == plain.store.version
        if not server.pending:
            test_checkpoint.assert_same(server.state(), plain.state())


def test_who_comes_back_waits_until_what_had_begun_is_made():
    """Else a dead worker could leave one row after another that only others need."""
    parts = {"rule": Asynchronous(), "quorum": 2}
    gate = MemoryGate(["w"], [np.zeros(2 * table.SLICE, np.float32)], parts, 2)
    slow, dies = (SharedMemory(gate.address(), w, np.asarray) for w in range(2))
    dies.pull()
    slow.update[0][...] = 1
    slow.push(slow.pull().step, None)
    assert slow.connection.poll(60)  # so its share has begun
    dies.connection.close()
    came = []

    def come_back():
        came.append(SharedMemory(gate.address(), 1, np.asarray))

    thread = threading.Thread(target=come_back, daemon=True)
    thread.start()
    thread.join(0.5)
    assert not came
    slow.pull()  # makes its share
    thread.join(60)
    pulled = came[0].pull()
    assert pulled.version == 1 and (pulled.weights[0] == 1).all()


class Whole(Adam):
    elementwise = False


@pytest.mark.parametrize("optimizer", [Momentum, Adam, Whole])
def test_an_optimizer_goes_on_where_its_state_was_saved_in_slices_if_they_will_do(
    optimizer,
):
    weights, alone = [np.zeros(2 * table.SLICE, np.float32)], optimizer(0.1)
    rng, state = np.random.default_rng(0), None
    for num_updates in (2, 4):
        own = optimizer(0.5 if state else 0.1)  # the state says 0.1
        parts = {"rule": Asynchronous(), "optimizer": own, "state": state}
        gate = MemoryGate(["w"], [np.zeros_like(weights[0])], parts, 1)
        worker = SharedMemory(gate.address(), 0, np.asarray)
        while (pulled := worker.pull()).version < num_updates:
            assert_same(pulled.weights, weights)
            worker.update[0][...] = rng.normal(size=weights[0].shape)
            weights = [weights[0] + alone.updates(worker.update)[0]]
            worker.push(pulled.step, None)
        state = gate.hub.server.state()
    assert gate.store.alone == (optimizer is Whole)


STEPS = 60_000  # that a worker may do: three slices of places for three workers


def count_until_killed(address, worker, num_slices):
    """Add 1 at each step's own place; be killed in the middle of some slice."""
    make, left = table.Slices.make, iter(range(num_slices, -1, -1))

    def make_or_die(self, i, into, *others):
        if next(left) == 0:
            into[:9], others[-1][:, 5:] = np.nan, np.nan
            os.kill(os.getpid(), signal.SIGKILL)
        make(self, i, into, *others)

    table.Slices.make = make_or_die
    it = SharedMemory(address, worker, np.asarray)
    while pulled := it.pull():
        it.update[0][...] = 0
        it.update[0][worker, pulled.step] = 1
        it.push(pulled.step, None)


@pytest.mark.parametrize("sums", [False, True])
@pytest.mark.parametrize("rule", [Asynchronous, lambda: Synchronous(3)])
def test_who_is_killed_in_the_middle_of_a_slice_leaves_no_half_update(rule, sums):
    """Real processes die two dozen times; each step counts once."""
    # Its state is what the weights are without an optimizer.
    optimizer = Momentum(lr=-1, momentum=1) if sums else None
    parts = {"rule": rule(), "quorum": 3, "optimizer": optimizer}
    gate = MemoryGate(["w"], [np.zeros((3, STEPS), np.float32)], parts, 3)
    rng, fork = np.random.default_rng(0), multiprocessing.get_context("fork")

    def start(worker):
        arguments = gate.address(), worker, int(rng.integers(3, 60))
        process = fork.Process(target=count_until_killed, args=arguments)
        process.start()
        return process

    processes = [start(worker) for worker in range(3)]
    for _ in range(24):
        gate.report()
        [dead, *_] = connection.wait([each.sentinel for each in processes], timeout=60)
        [worker] = [w for w, each in enumerate(processes) if each.sentinel == dead]
        processes[worker].join()
        processes[worker] = start(worker)
    for process in processes:
        process.kill()
        process.join()
    time.sleep(0.1)  # the server hears of it
    report, share = gate.report(), 1 if rule is Asynchronous else 1 / 3
    waiting = [1 - (w in report.computing) for w in range(3)]  # in a round that is open
    done = np.array([report.steps[w] for w in range(3)])
    if rule is not Asynchronous:
        done -= waiting
    with gate.hub.lock:
        gate.store.make_whole()
    [counted] = optimizer.velocity if sums else report.weights
    counted = counted / np.float32(share)
    expected = np.arange(STEPS) < done[:, None]
    np.testing.assert_allclose(counted, expected, rtol=1e-6)
    if sums:  # since its step a place has grown with each version
        grown = np.arange(1, report.version + 1).repeat(round(1 / share))
        found = np.sort(report.weights[0][expected]) / np.float32(share)
        np.testing.assert_allclose(found, grown, rtol=1e-4)
    assert done.min() > 0
