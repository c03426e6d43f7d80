"""Tests of updates that are sent with fewer bytes than they have."""

import itertools
import math
import threading
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from ps_helpers import sockets
from ps_helpers.aggregator import Aggregator
from ps_helpers.compression import Half, Largest
from ps_helpers.layout import Layout, by_ranges
from ps_helpers.records import Times
from ps_helpers.rules import Asynchronous
from ps_helpers.shared_memory import SharedMemory
from ps_helpers.sockets import SocketGate, call, words

SHAPES, TIMES = [(3, 2), (), (0, 4), (250,)], Times(1.0, 2.0, 3.0)
SIZE = sum(map(math.prod, SHAPES))
# Most are smaller than float16 can be, beside others that are larger: they are owed.
NUMBERS = st.floats(-1e6, 1e6, width=32) | st.floats(-(2**-20), 2**-20, width=32)


def cut(flat):
    """Return an update in SHAPES that has these numbers."""
    return [part.copy() for part in Half(SHAPES).cut(np.float32(flat))]


def flat(update):
    return np.concatenate([part.reshape(-1) for part in update])


def received(kind, message):
    """Return what the other end of a line makes of a message."""
    way, update = kind(SHAPES), [np.full(s, np.nan, np.float32) for s in SHAPES]
    for place, part in zip(way.room(update), message, strict=True):
        assert place.dtype == part.dtype
        place[...] = part
    way.unpack(update)
    return flat(update)


@settings(max_examples=30)
@given(st.lists(arrays(np.float32, SIZE, elements=NUMBERS), min_size=1, max_size=3))
def test_what_is_sent_and_what_is_owed_are_what_was_given(updates):
    ways = [Half(SHAPES), Largest(SHAPES)]
    for way, update in itertools.product(ways, updates):
        kind, given, before = type(way), cut(update), way.owed.copy()
        sent = received(kind, way.pack(given))
        np.testing.assert_array_equal(flat(given), update)
        # To the last bit: a float32 less its float16 is a float32 too.
        left = np.float64(before + update) - sent
        np.testing.assert_array_equal(way.owed, left)
        if kind is Largest:
            assert np.count_nonzero(sent) <= SIZE // 100
            assert np.abs(sent).max() >= np.abs(way.owed).max()


def test_what_fits_is_sent_as_it_is_and_nothing_is_owed():
    few = np.zeros(SIZE)
    few[[6, 200]] = -70_000.25, 1e-8
    small = (np.arange(SIZE) - 12) * 2.0**-30  # float16 has none of them
    for kind, update in ((Half, small), (Largest, few)):
        way = kind(SHAPES)
        assert list(received(kind, way.pack(cut(update)))) == list(np.float32(update))
        assert not way.owed.any()
    for size in (0, 1, 2):  # a server's part may be as small
        way, update = Largest([(size,)]), [np.arange(size) + 1]
        way.pack(update)
        way.unpack(update)
        assert list(update[0]) == [[], [1], [0, 2]][size]


def test_what_is_no_number_or_too_large_is_not_lost():
    update = np.zeros(SIZE)
    update[[0, 100]] = np.nan, -np.inf
    for kind in (Half, Largest):
        sent = received(kind, kind(SHAPES).pack(cut(update)))
        assert np.isnan(sent[0]) and sent[100] == -np.inf
    for exponent in (-149, -126, 0, 127):  # of the smallest float32 to the largest
        update[[0, 100]] = 2.0**exponent, -(2.0**exponent)
        way = Half(SHAPES)
        assert list(received(Half, way.pack(cut(update)))) == list(update)
        assert not way.owed.any()


def test_a_message_that_is_none_is_refused():
    way = Largest(SHAPES)
    for indices in ((0, SIZE), (5, 4)):
        way.message[0][:] = indices
        with pytest.raises(ValueError, match="its indices are too large or unsorted"):
            way.unpack(cut(np.zeros(SIZE)))
    gate = SocketGate([*"abcd"], cut(np.zeros(SIZE)), {"rule": Asynchronous()})
    line = call(gate.place(), SHAPES, "topk")
    line.say(words(pushes=[(0, 0, TIMES)]), way.message)
    with pytest.raises(ValueError, match="its indices are too large or unsorted"):
        line.answer(cut(np.zeros(SIZE)))


# By sockets


@pytest.mark.parametrize(
    ("compress", "size"), [("none", 1200), ("float16", 604), ("topk", 3 * (2 + 4))]
)
def test_an_update_of_300_numbers_is_sent_in_so_many_bytes(compress, size, monkeypatch):
    """Weights come whole. This thread is the worker's, others are the server's."""
    sent, carry = Counter(), sockets.carry

    def count(move, number, arrays):
        mine = threading.current_thread() is threading.main_thread()
        sent[mine, move.__name__] += sum(array.nbytes for array in arrays)
        carry(move, number, arrays)

    monkeypatch.setattr(sockets, "carry", count)
    zeros = [np.zeros(300, np.float32)]
    gate = SocketGate(["w"], zeros, {"rule": Asynchronous()})
    line = call(gate.place(), [(300,)], compress)
    line.say(words(joins=[0]))
    for step in range(3):
        line.answer(zeros)
        line.say(words(pushes=[(0, step, TIMES)]), line.way.pack(zeros))
    line.answer(zeros)
    assert sent[True, "writev"] == sent[False, "readv"] == 3 * size
    assert sent[False, "writev"] == sent[True, "readv"] == 4 * 1200


def test_a_server_is_owed_what_it_has_not_counted_and_nothing_else():
    """Also where it has steps that another lacks, where workers repeat, or leave."""
    shapes, rng = {"W": (600,)}, np.random.default_rng(0)
    layout = Layout(by_ranges({"W": 600}, 2), shapes, 2)
    zeros = layout.split([np.zeros(600, np.float32)])
    pieces = zip(layout.names, zeros, strict=True)
    gates = [SocketGate(*both, {"rule": Asynchronous()}) for both in pieces]
    gates[1].server.ledger.steps[0] = 2  # from a checkpoint of its own
    aggregator = Aggregator([g.place() for g in gates], layout, 2, False, True, "topk")
    at = [SharedMemory(aggregator.address(), w, np.asarray) for w in (0, 1)]
    counted = np.zeros((2, 600))

    def step(worker, step, servers=(0, 1)):
        update = rng.normal(size=600).astype(np.float32)
        at[worker].update[0][...] = update
        at[worker].push(step, TIMES)
        pulled = at[worker].pull()
        for server in servers:
            counted[server] += update
        if pulled:
            np.testing.assert_array_equal(pulled.weights[0], weights())
        return pulled and pulled.step

    def weights():
        return np.concatenate([gate.report().weights[0] for gate in gates])

    assert [it.pull().step for it in at] == [0, 0]
    for number in range(4):  # worker 0 does steps again that one server lacks
        assert step(0, number, [0] if number < 2 else (0, 1)) == number + 1
        assert step(1, number) == number + 1
    assert step(1, 2, ()) == 4  # its answer was lost
    aggregator.leave(0)
    assert step(0, 4, ()) is None
    assert step(1, 4) == 5
    owed = np.concatenate([line.way.owed for line in aggregator.lines])
    expected = np.concatenate([counted[0, :300], counted[1, 300:]])
    np.testing.assert_allclose(weights() + owed, expected, rtol=0, atol=1e-5)
    assert np.abs(owed).max() > 1
