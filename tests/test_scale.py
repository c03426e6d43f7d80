"""Tests of the simulator at scale: against the small one, by hand, by other means."""

import heapq
import math
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ps_helpers import scale
from ps_helpers.rules import Asynchronous, StaleSynchronous, Synchronous
from ps_helpers.scale import Network, all_reduce, draw, simulate
from ps_helpers.simulator import judge, schedule

MS = st.integers(0, 9)
# The seed of the times, how many are needed, the bound, and milliseconds of a message
# and of a push: few, so that much happens at once.
DRAWN = st.integers(0, 99), st.integers(1, 6), st.integers(0, 3), MS, MS


def ways(n, needed, bound):
    """Return each rule, and what `simulate` is told of it."""
    return {
        "asynchronous": (Asynchronous(), {}),
        "synchronous": (Synchronous(n), {"needed": n}),
        "backup workers": (Synchronous(needed), {"needed": needed}),
        "stale-synchronous": (StaleSynchronous(n, bound), {"bound": bound}),
    }


each_way = pytest.mark.parametrize("name", ways(2, 2, 0))


def columns(run):
    return [column.tolist() for column in run]


def columns_of(log):
    names = "worker", "arrived", "staleness", "dropped"
    return [[getattr(push, name) for push in log] for name in names]


@each_way
@given(st.integers(1, 7), *DRAWN)
def test_it_finds_the_schedule_of_the_small_simulator(
    name, n, seed, needed, bound, lag, serve
):
    times = np.random.default_rng(seed).integers(0, 20, (n, 4)) / 1e3
    lag, serve = lag / 1e3, serve / 1e3
    rule, told = ways(n, min(needed, n), bound)[name]
    found = simulate(times, 9, **told, costs=Network(lag, serve=serve).costs())

    def compute(worker, step):
        return times[worker, step % 4]

    messages = {"push": lag, "serve": serve, "pull": lag}
    log = schedule(rule, n, compute, num_pushes=len(found.workers), **messages)
    assert columns(found) == columns_of(log)


COSTS = st.integers(0, 30)


@given(
    st.integers(1, 6),
    st.integers(0, 99),
    *[COSTS] * 3,
    st.integers(1, 4),
    st.booleans(),
)
def test_rounds_at_once_are_rounds_push_by_push(n, seed, lag, serve, size, k, shared):
    times = np.random.default_rng(seed).integers(0, 50, (n, 3))
    costs = lag, serve, size * k, size, 2 * size * k, 2 * size, shared
    at_once = scale.in_rounds(times, 5, costs)
    one_by_one = scale.in_events(times, 5, costs, needed=n)
    assert columns(at_once) == columns(one_by_one)


def moments(run):
    return (1000 * run.arrived).round(9).tolist()


KB = {"pushed": 1000, "pulled": 1000}


def test_links_by_hand():
    """1 KB takes a link 1 ms, a push is under way for 2 ms; one server, two workers.

    Worker 0's update is there after 10 + 2 + 1 = 13 ms, worker 1's after 14 ms. Both
    answers leave at 14, one after the other, and are there at 17 and 18.
    """
    times, network = np.array([[0.010], [0.0105]]), Network(0.002, bandwidth=1e6)
    run = simulate(times, 2, needed=2, costs=network.costs(**KB))
    assert moments(run) == [13, 14, 30, 31.5]
    assert run.workers.tolist() == [0, 1, 0, 1]


def test_halves_on_two_servers_need_half_of_each_servers_link_by_hand():
    """The worker's own link still takes 1 ms for both halves, a server's 0.5 ms.

    The second update is there at 13.5, as if alone: the first was done at 13. A
    message costs the worker 0.1 ms, for each of two servers, on both ways.
    """
    times, network = np.array([[0.010], [0.0105]]), Network(0.002, bandwidth=1e6)
    run = simulate(times, 2, needed=2, costs=network.costs(2, **KB))
    assert moments(run) == [13, 13.5, 29.5, 30]
    network = network._replace(message=0.0001)
    run = simulate(times, 2, needed=2, costs=network.costs(2, **KB))
    assert moments(run) == [13.2, 13.7, 30.1, 30.6]


def test_on_a_shared_link_an_answer_goes_before_a_push_by_hand():
    """Worker 1's push waits at 11 ms until worker 0's answer has left, at 12.

    With a link for each way it is in at 11.5.
    """
    times = np.array([[0.010], [0.0105]])
    for shared, expected in (True, [11, 13]), (False, [11, 12]):
        network = Network(bandwidth=1e6, shared=shared)
        assert moments(simulate(times, 2, costs=network.costs(**KB))) == expected


def by_the_server(rule, stays, times, num_pushes, lag, serve):
    """Return the log of notebook 4's own server, which workers join and leave.

    All times are whole milliseconds, but in the log. Of what happens at once, who
    leaves is first, and who joins is last.
    """
    server, gone, now, events = judge(rule), set(), 0, []

    def compute(w):
        steps = getattr(server.rule, "clocks", server.ledger.steps)[w]
        return times[w][steps % 4]

    for w, (joins, leaves) in enumerate(stays):
        if not joins:
            server.join(w)
        start = (joins, 2, w) if joins else (compute(w) + lag, 1, w)
        events += [(leaves, 0, w), start]
    heapq.heapify(events)
    while server.ledger.num_pushes < num_pushes:
        when, order, w = heapq.heappop(events)
        if w in gone:
            continue
        now = max(now, when) + (serve if order == 1 else 0)
        if order == 0:
            gone.add(w)
            go = server.leave(w)
        elif order == 1:
            go = server.push(w, server.ledger.steps[w], [], None, now / 1e3)
        else:
            go = server.join(w)
        for w in set(go) & server.ledger.held.keys():
            heapq.heappush(events, (now + lag + compute(w) + lag, 1, w))
    return server.ledger.log


STAY = st.tuples(st.sampled_from([0, 0, 15, 40]), st.integers(1, 90))


@each_way
@given(st.lists(STAY, max_size=5), *DRAWN)
def test_who_joins_and_leaves_does_as_with_the_server_itself(
    name, some, seed, needed, bound, lag, serve
):
    stays = [(0, math.inf), *((joins, joins + leaves) for joins, leaves in some)]
    n = len(stays)
    times = np.random.default_rng(seed).integers(1, 41, (n, 4))
    rule, told = ways(n, needed, bound)[name]
    if "bound" in told:
        rule = StaleSynchronous(0, bound)  # that learns who is there
    costs = Network(lag / 1e3, serve=serve / 1e3).costs()
    stay = {"stays": np.array(stays) / 1e3}
    found = simulate(times / 1e3, 15, **told, costs=costs, **stay)
    log = by_the_server(rule, stays, times.tolist(), len(found.workers), lag, serve)
    assert columns(found) == columns_of(log)


def test_the_dead_get_no_answer_by_hand():
    """Worker 1's push is in at 6 ms, and it dies at 8; worker 0's is in at 11.

    The round counts both. Worker 0's answer has the link from 11 to 12.
    """
    times, stays = np.array([[0.010], [0.005]]), np.array([[0, 1], [0, 0.008]])
    costs = Network(bandwidth=1e6).costs(**KB)
    run = simulate(times, 2, needed=2, costs=costs, stays=stays)
    assert run.workers.tolist() == [1, 0, 0] and moments(run) == [6, 11, 23]


def test_everybody_waits_where_more_are_needed_than_there_are():
    with pytest.raises(RuntimeError, match="all workers wait"):
        simulate(np.ones((2, 1)), 1, needed=3)


def test_draws_are_sums_of_samples():
    samples = [1.0, 10.0]
    assert set(draw(samples, 30, 40).ravel()) == {1, 10}
    assert set(draw(samples, 30, 40, local_steps=3).ravel()) == {3, 12, 21, 30}
    assert (draw(samples, 30, 40) == draw(samples, 30, 40)).all()
    assert (draw(samples, 30, 40, seed=1) != draw(samples, 30, 40)).any()


def operations(num_workers, **how):
    """Return how many calls of functions, C's too, a push costs."""
    calls = 0

    def count(frame, event, argument):
        nonlocal calls
        calls += event in ("call", "c_call")

    times = np.random.default_rng(0).exponential(size=(num_workers, 10))
    sys.setprofile(count)
    try:
        run = simulate(times, how.pop("num_updates"), **how)
    finally:
        sys.setprofile(None)
    return calls / len(run.workers)


@each_way
def test_a_push_costs_as_little_among_a_thousand_as_among_a_few(name):
    def cost(n):
        how = ways(n, n - n // 10, 2)[name][1]
        return operations(n, num_updates=20 if "needed" in how else 20 * n, **how)

    assert cost(1000) < 1.3 * cost(100) < 30


def test_waiting_for_the_slowest_is_no_look_at_all_clocks(monkeypatch):
    """With `min` over all of them, a push would cost 1,000 comparisons."""
    looked = []

    class Counted(scale.Counter):
        def __getitem__(self, key):
            looked.append(key)
            return super().__getitem__(key)

        def values(self):
            raise AssertionError("it looks at all clocks")

    monkeypatch.setattr(scale, "Counter", Counted)
    run = simulate(draw([1.0, 2.0, 9.0], 1000, 5), 2000, bound=1)
    assert len(looked) <= 4 * len(run.workers)


def test_times_are_whole_numbers_far_out_too():
    run = simulate(np.full((3, 1), 0.1), 30_000, bound=0)
    assert run.arrived[-1] == pytest.approx(1000, abs=1e-9)


# All-reduce, against messages that are followed one by one


def ring_by_messages(ready, hop):
    """Return when the last has all parts: each message waits for those before it."""
    n = len(ready)
    has = list(ready)  # when a worker may send next
    for _ in range(2 * (n - 1)):
        sent = [t + hop for t in has]
        has = [max(sent[w], sent[w - 1]) for w in range(n)]
    return max(has)


NETWORK = Network(0.002, 0.0003, 0.0001, 1e6)


@pytest.mark.parametrize("n", [1, 2, 3, 8, 13])
def test_a_ring_takes_what_its_messages_take(n):
    hop = 0.0024 + 5000 / n / 1e6
    ready = np.random.default_rng(n).exponential(0.01, n)
    found = max(ready) + all_reduce(n, 5000, NETWORK)
    assert found == pytest.approx(ring_by_messages(ready, hop))


@pytest.mark.parametrize(("n", "group"), [(12, 3), (100, 10), (7, None), (7, 7)])
def test_rings_of_rings_take_what_their_rings_take(n, group):
    g = group or 1
    first = (g - 1) * (0.0024 + 5000 / g / 1e6)  # each keeps 1/g, for its ring
    between = all_reduce(n // g, 5000 / g, NETWORK)
    found = all_reduce(n, 5000, NETWORK, "hierarchy", group)
    assert found == pytest.approx(first + between + first)


@pytest.mark.parametrize(("n", "levels"), [(1, 0), (3, 2), (8, 3), (9, 4), (1000, 10)])
def test_a_tree_sends_the_whole_at_each_level_of_pairs(n, levels):
    expected = 2 * levels * (0.0024 + 0.005)
    assert all_reduce(n, 5000, NETWORK, "tree") == pytest.approx(expected)


def test_halving_sends_halves_at_each_level():
    expected = 2 * sum(0.0024 + 0.005 / 2**k for k in (1, 2, 3))
    assert all_reduce(8, 5000, NETWORK, "halving") == pytest.approx(expected)
    fold = all_reduce(11, 5000, NETWORK, "halving")  # three give theirs to others first
    assert fold == pytest.approx(expected + 2 * (0.0024 + 0.005))


def test_a_shared_link_carries_what_comes_and_what_goes():
    shared = Network(bandwidth=1e6, shared=True)
    assert all_reduce(4, 4000, shared) == pytest.approx(2 * 0.006)
    assert all_reduce(4, 4000, shared, "tree") == pytest.approx(0.016)


def test_groups_must_be_equal():
    with pytest.raises(ValueError, match="12 workers cannot be in groups of 5"):
        all_reduce(12, 1, NETWORK, "hierarchy", group=5)
