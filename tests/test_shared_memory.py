"""Tests of memory that processes share, and of servers that keep weights in it."""

import os
import shutil

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ps_helpers.rules import Asynchronous, StaleSynchronous, Synchronous
from ps_helpers.server import Server
from ps_helpers.shared_memory import Versions
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
