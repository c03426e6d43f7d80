"""Tests of memory that processes share, and of servers that keep weights in it."""

import os
import tempfile
import time
from pathlib import Path

import numpy as np
import pytest
import ray
from hypothesis import given
from hypothesis import strategies as st

from ps_helpers import shared_memory
from ps_helpers.lab import data, model
from ps_helpers.rules import Asynchronous, RuleServer, StaleSynchronous, Synchronous
from ps_helpers.shared_memory import (
    SharedMemoryActor,
    Table,
    VersionedServer,
    make_file,
    shared_memory_task,
)

SHAPES = st.lists(
    st.lists(st.integers(1, 5), max_size=3).map(tuple), min_size=1, max_size=4
)


def get(reference):
    return ray.get(reference, timeout=60)  # Ray itself would wait for ever


# Tables


@given(SHAPES, st.integers(1, 4))
def test_no_number_of_a_table_belongs_to_two_arrays(shapes, num_rows):
    table = Table(shapes, num_rows)
    arrays = [array for row in range(num_rows) for array in table.arrays(row)]
    for value, array in enumerate(arrays):
        assert array.shape == shapes[value % len(shapes)]
        assert array.ctypes.data % 64 == 0
        array[...] = value
    for value, array in enumerate(arrays):
        assert (array == value).all()


def test_tables_of_one_file_are_the_same_memory_and_others_are_not():
    file = make_file(Table([(3,)], 2).rows.nbytes)
    first, second, other = (
        Table([(3,)], 2, file),
        Table([(3,)], 2, file),
        Table([(3,)], 2),
    )
    first.arrays(1)[0][...] = [1, 2, 3]
    np.testing.assert_array_equal(second.arrays(1)[0], [1, 2, 3])
    np.testing.assert_array_equal(other.arrays(1)[0], [0, 0, 0])


def test_a_file_for_tables_has_no_name():
    before = [set(os.listdir(d)) for d in ("/dev/shm", tempfile.gettempdir())]
    file = make_file(4096)
    after = [set(os.listdir(d)) for d in ("/dev/shm", tempfile.gettempdir())]
    assert after == before and os.fstat(file.fileno()).st_size == 4096


def test_where_shared_memory_is_full_another_folder_serves(monkeypatch):
    def disk_usage(folder):
        free = 100 if folder == "/dev/shm" else 10_000
        return type("Usage", (), {"free": free})

    monkeypatch.setattr(shared_memory.shutil, "disk_usage", disk_usage)
    assert os.fstat(make_file(4096).fileno()).st_size == 4096
    with pytest.raises(MemoryError, match="start fewer workers"):
        make_file(20_000)


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
    """A plain `RuleServer`, which makes new arrays, is told of the same pushes."""
    rng = np.random.default_rng(seed)
    table = Table([(3, 2), (4,)], num_workers + 2)
    server = VersionedServer(table, make(num_workers))
    plain = RuleServer([np.zeros(table.rows.shape[1], np.float32)], make(num_workers))
    computing = set(range(num_workers))
    held = {}  # worker -> its row, and what stood there
    server.reading = dict.fromkeys(computing, 0)
    for _ in range(40):
        worker = int(rng.choice(sorted(computing)))
        computing.remove(worker)
        server.reading.pop(worker)
        held.pop(worker, None)
        update = rng.normal(size=table.rows.shape[1]).astype(np.float32)
        go = plain.push(worker, [update])
        assert server.push(worker, [update.copy()]) == go
        for w in go:
            server.reading[w] = server.row
            held[w] = server.row, server.weights[0].copy()
        computing.update(go)
        np.testing.assert_allclose(server.weights[0], plain.weights[0], atol=1e-5)
        for row, weights in held.values():
            np.testing.assert_array_equal(table.rows[row], weights)
        if not computing:
            break  # everybody waits, as in a round that needs more
    assert server.version == plain.version


# On Ray


@pytest.fixture
def train(running_ray, digits):
    """Start training in shared memory; end what is left of it after the test."""
    started = []

    def train(num_workers, num_updates, rule, local_steps=1, lr=0.1):
        shards = data.shards(*digits[:2], num_workers)
        weights = model.load("mlp", "numpy").initial_weights()
        ps = SharedMemoryActor.remote(weights, rule, num_workers, num_updates)
        tasks = [
            shared_memory_task.remote(
                ps,
                w,
                shard,
                [0.0],
                16,
                -lr,
                "mlp",
                "numpy",
                3,
                local_steps,
            )
            for w, shard in enumerate(shards)
        ]
        started.append(ps)
        return ps, tasks, shards

    yield train
    for ps in started:
        ray.kill(ps)


def after_steps(weights, shard, worker, steps, lr=0.1):
    mlp = model.load("mlp", "numpy")
    for step in steps:
        gradient = mlp.gradient(weights, *data.draw_batch(shard, 16, [3, worker, step]))
        weights = [w - lr * part for w, part in zip(weights, gradient, strict=True)]
    return weights


def test_local_steps_of_one_worker_are_so_many_steps_of_sgd(train):
    ps, tasks, [shard] = train(1, 4, Asynchronous(), local_steps=5)
    get(tasks)
    version, weights, log = get(ps.report.remote())
    initial = model.load("mlp", "numpy").initial_weights()
    expected = after_steps(initial, shard, 0, range(20))
    assert (version, len(log)) == (4, 4)
    for weight, same in zip(weights, expected, strict=True):
        np.testing.assert_allclose(weight, same, rtol=0, atol=1e-5)


def test_rounds_of_local_steps_take_the_mean_of_what_workers_reach(train):
    """Stich, Local SGD converges fast and communicates little (2019)."""
    ps, tasks, shards = train(3, 2, Synchronous(3), local_steps=4)
    get(tasks)
    weights = model.load("mlp", "numpy").initial_weights()
    for round_ in range(2):
        steps = range(4 * round_, 4 * round_ + 4)
        reached = [after_steps(weights, s, w, steps) for w, s in enumerate(shards)]
        weights = [np.mean(parts, axis=0) for parts in zip(*reached, strict=True)]
    for weight, same in zip(get(ps.report.remote())[1], weights, strict=True):
        np.testing.assert_allclose(weight, same, rtol=0, atol=1e-5)


def test_when_a_worker_is_killed_the_others_go_on(train):
    ps, tasks, _ = train(3, 3000, Asynchronous())
    log = []
    while len({record["worker"] for record in log}) < 3:
        log = get(ps.report.remote())[2]
        time.sleep(0.01)
    ray.cancel(tasks[1], force=True)
    get([tasks[0], tasks[2]])
    assert get(ps.report.remote())[0] == 3000


def test_nothing_is_left_of_a_server_that_was_killed(train):
    before = set(Path("/dev/shm").iterdir())
    ps, tasks, _ = train(2, 10**6, Asynchronous())
    while get(ps.report.remote())[0] < 10:
        time.sleep(0.01)
    ray.kill(ps)
    with pytest.raises(RuntimeError, match="the server has gone"):
        get(tasks)
    assert set(Path("/dev/shm").iterdir()) == before


def test_an_error_in_the_server_reaches_workers_and_driver(train):
    class FailingRule:  # defined here, for Ray's processes cannot import a test
        pushes = 0

        def push(self, worker, fresh):
            self.pushes += 1
            if self.pushes == 3:
                raise ValueError("the third push")
            return [worker], [worker]

    ps, tasks, _ = train(2, 100, FailingRule())
    with pytest.raises(RuntimeError, match="the server has gone"):
        get(tasks)
    with pytest.raises(ValueError, match="the third push"):
        get(ps.report.remote())
