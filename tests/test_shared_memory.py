"""Tests of memory that processes share, and of servers that keep weights in it."""

import multiprocessing
import os
import pickle
import shutil
import signal
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ps_helpers import table
from ps_helpers.rules import Asynchronous, StaleSynchronous, Synchronous
from ps_helpers.server import Server
from ps_helpers.shared_memory import (
    Chain,
    MemoryGate,
    MemoryWire,
    SharedMemory,
    Versions,
)
from ps_helpers.simulator import begin_at_once, judge
from ps_helpers.table import Table, make_file

SHAPES = st.lists(
    st.lists(st.integers(1, 5), max_size=3).map(tuple), min_size=1, max_size=4
)


SOME = [(3, 2), (4,)]


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


def test_tables_of_one_file_are_the_same_memory_and_others_are_not():
    file = make_file(2, [(3,)])
    first, second, other = (
        Table([(3,)], 2, file),
        Table([(3,)], 2, file),
        Table([(3,)], 2),
    )
    first.views[1][0][...] = [1, 2, 3]
    np.testing.assert_array_equal(second.views[1][0], [1, 2, 3])
    np.testing.assert_array_equal(other.views[1][0], [0, 0, 0])


def test_a_file_for_tables_has_no_name():
    file = make_file(4, [(256,)])
    found = os.fstat(file.fileno())
    assert found.st_nlink == 0 and found.st_size == 4096


def test_where_shared_memory_is_full_another_folder_serves(monkeypatch):
    def disk_usage(folder):
        free = 100 if folder == "/dev/shm" else 10_000
        return type("Usage", (), {"free": free})

    monkeypatch.setattr(shutil, "disk_usage", disk_usage)
    assert os.fstat(make_file(4, [(256,)]).fileno()).st_size == 4096
    with pytest.raises(MemoryError, match="start fewer workers"):
        make_file(20, [(256,)])


# Versions


RULES = {
    "asynchronous": lambda n: Asynchronous(),
    "synchronous": Synchronous,
    "stale-synchronous": lambda n: StaleSynchronous(n, 1),
    "backup workers": lambda n: Synchronous(max(1, n - 1)),
}


@pytest.mark.parametrize("make", RULES.values(), ids=RULES)
@given(num_workers=st.integers(1, 5), seed=st.integers(0, 1000))
def test_rows_hold_what_new_arrays_would_and_none_changes_that_is_read(
    make, num_workers, seed
):
    """A server whose store makes new arrays is told of the same pushes."""
    rng, values = np.random.default_rng(seed), [np.zeros(s, np.float32) for s in SOME]
    store = Versions("ab", values, num_workers)
    server, plain = Server(store, make(num_workers)), judge(make(num_workers), values)
    computing, held = set(range(num_workers)), {}  # worker -> its row, and a copy
    for worker in computing:
        begin_at_once(server, worker), begin_at_once(plain, worker)
        store.hold(worker)
    for _ in range(40):
        worker = int(rng.choice(sorted(computing)))
        computing.remove(worker)
        store.release(worker)
        held.pop(worker, None)
        update = [rng.normal(size=shape).astype(np.float32) for shape in SOME]
        push = worker, server.ledger.steps[worker]
        go = plain.push(*push, update, times=None)
        assert server.push(*push, [part.copy() for part in update], times=None) == go
        for w in go:
            row = store.hold(w)
            held[w] = row, [weight.copy() for weight in server.pull(w).weights]
        computing.update(go)
        for weight, same in zip(store.pull("ab"), plain.store.pull("ab"), strict=True):
            np.testing.assert_array_equal(weight, same)
        for row, weights in held.values():
            for place, weight in zip(store.table.views[row], weights, strict=True):
                np.testing.assert_array_equal(place, weight)
        if not computing:
            break  # everybody waits, as in a round that needs more
    assert store.version == plain.store.version


# Versions that workers make


class Worker:
    """What a worker of a `MemoryWire` does, one slice at a time."""

    def __init__(self, store):
        self.store, self.computing = store, False

    def send_bytes(self, message):
        row, self.version, self.step, share = pickle.loads(message)
        source, updates, first = share or (None, (), self.store.table.num_slices)
        self.row, self.sum, self.computing = row, (row, source, updates), True
        self.left = list(range(self.store.table.num_slices))[first :: len(updates) or 1]

    def may_add(self):
        missing = self.store.table.missing
        return self.left and not missing[self.sum[1], self.left[0]]

    def add(self):
        """Make a slice, and mark it."""
        i = self.left.pop(0)
        row, source, updates = self.sum
        into, old = (self.store.table.slice_of(place, i) for place in (row, source))
        self.store.table.make(i, into, old, updates)
        self.store.table.missing[self.row, i] = 0

    def die(self):
        """Leave half a slice behind, where one is begun; be killed."""
        if self.left:
            self.store.table.slice_of(self.row, self.left[0])[:5] = np.nan
        self.computing = False


@pytest.mark.parametrize("make", RULES.values(), ids=RULES)
@settings(max_examples=30)
@given(num_workers=st.integers(1, 5), seed=st.integers(0, 1000))
def test_versions_made_by_slices_are_those_of_one_thread_whoever_dies(
    make, num_workers, seed
):
    """Each makes a slice at any time; some die while they do, and come back."""
    rng, shapes = np.random.default_rng(seed), [(3, 20), (41,)]
    values = [np.zeros(shape, np.float32) for shape in shapes]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(table, "SLICE", 16)
        store = Chain("ab", values, num_workers)
        server, wire = Server(store, make(num_workers)), MemoryWire(store)
        plain = judge(make(num_workers), values)
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
        for _ in range(300):
            w = int(rng.integers(num_workers))
            worker = workers[w]
            if not worker.computing:
                continue
            if rng.random() < 0.03:
                worker.die()
                wire.store.release(w)
                tell(server.join(w), plain.join(w))
            elif worker.may_add():
                worker.add()
            elif not store.table.missing[worker.row].any():
                for place, right in zip(
                    store.table.views[worker.row], versions[worker.version], strict=True
                ):
                    np.testing.assert_array_equal(place, right)
                worker.computing = False
                wire.store.release(w)
                update = wire.update_of(w)
                for part in update:
                    part[...] = rng.normal(size=part.shape)
                copies = [part.copy() for part in update]
                go = plain.push(w, worker.step, copies, times=None)
                tell(server.push(w, worker.step, update, times=None), go)
            if rng.random() < 0.02:  # the driver asks, or a checkpoint is made
                whole = store.table.views[store.whole_row()]
                for found, right in zip(whole, plain.store.pull("ab"), strict=True):
                    np.testing.assert_array_equal(found, right)
        assert store.version == plain.store.version


STEPS = 60_000  # that a worker may do: three slices of places for three workers


def count_until_killed(address, worker, num_slices):
    """Add 1 at each step's own place; be killed in the middle of some slice."""
    make, left = table.Slices.make, iter(range(num_slices, -1, -1))

    def make_or_die(self, i, into, *others):
        if next(left) == 0:
            into[:9] = np.nan
            os.kill(os.getpid(), signal.SIGKILL)
        make(self, i, into, *others)

    table.Slices.make = make_or_die
    it = SharedMemory(address, worker, np.asarray)
    while pulled := it.pull():
        it.update[0][...] = 0
        it.update[0][worker, pulled.step] = 1
        it.push(pulled.step, None)


@pytest.mark.parametrize("rule", [Asynchronous, lambda: Synchronous(3)])
def test_who_is_killed_in_the_middle_of_a_slice_leaves_no_half_update(rule):
    """Real processes die some dozen times; each step counts once."""
    parts = {"rule": rule(), "quorum": 3}
    gate = MemoryGate(["w"], [np.zeros((3, STEPS), np.float32)], parts, 3)
    rng, processes = np.random.default_rng(0), {}
    fork, deadline, deaths = multiprocessing.get_context("fork"), time.time() + 60, 0
    while deaths < 20 and time.time() < deadline:
        for worker in range(3):
            if worker in processes and processes[worker].is_alive():
                continue
            deaths += worker in processes
            arguments = gate.address(), worker, int(rng.integers(3, 60))
            processes[worker] = fork.Process(target=count_until_killed, args=arguments)
            processes[worker].start()
        gate.report()
        time.sleep(0.005)
    for process in processes.values():
        process.kill()
        process.join()
    time.sleep(0.1)  # the server hears of it
    report, share = gate.report(), 1 if rule is Asynchronous else 1 / 3
    waiting = [1 - (w in report.computing) for w in range(3)]  # in a round that is open
    done = np.array([report.steps[w] for w in range(3)])
    if rule is not Asynchronous:
        done -= waiting
    counted = report.weights[0] / np.float32(share)
    expected = np.arange(STEPS) < done[:, None]
    np.testing.assert_allclose(counted, expected, rtol=1e-6)
    assert deaths >= 20 and done.min() > 0
