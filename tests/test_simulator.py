"""Tests of the simulator: small runs by hand, and what is known about others."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ps_helpers.rules import Asynchronous, StaleSynchronous, Synchronous
from ps_helpers.simulator import CachedStaleSynchronous, replay, schedule

MS = 0.001


def constant(*seconds):
    """Return compute times that depend on the worker alone."""
    return lambda worker, step: seconds[worker]


def of_table(times):
    """Return the compute times of a table with a row a worker."""
    return lambda worker, step: times[worker][step % len(times[worker])]


# Four workers' compute times, of 1 second in the mean.
EXPONENTIAL = of_table(np.random.default_rng(0).exponential(1, (4, 50)).tolist())


def order(log):
    return [record.worker for record in log]


def moments(record):
    """Return when a step began, when its update was there, and when it arrived."""
    return record.times.began, record.times.computed, record.arrived


RULES = {  # for four workers
    "asynchronous": Asynchronous,
    "synchronous": lambda: Synchronous(needed=4),
    "backup workers": lambda: Synchronous(needed=3),
    "stale-synchronous": lambda: StaleSynchronous(4, 2),
    "with a cache": lambda: CachedStaleSynchronous(4, 2),
}
each_rule = pytest.mark.parametrize("make", RULES.values(), ids=RULES)


# Times worked out by hand: a push takes 1 ms, the server 2 ms, a pull 3 ms


def assert_runs_like(log, expected):
    """Compare a log with rows (worker, times in ms, staleness, go, dropped)."""
    rows = [
        (
            record.worker,
            [round(1000 * seconds, 6) for seconds in moments(record)],
            record.staleness,
            sorted(record.go),
            record.dropped,
        )
        for record in log
    ]
    assert rows == expected


def by_hand(rule, *milliseconds, **end):
    compute = constant(*(MS * time for time in milliseconds))
    messages = {"push": 1 * MS, "serve": 2 * MS, "pull": 3 * MS}
    return schedule(rule, len(milliseconds), compute, **messages, **end)


def test_nobody_waits_but_in_the_servers_queue():
    log = by_hand(Asynchronous(), 10, 11, num_pushes=6)
    expected = [
        (0, [0, 10, 13], 0, [0], False),
        (1, [0, 11, 15], 1, [1], False),  # is there at 12, and taken from 13 on
        (0, [16, 26, 29], 1, [0], False),
        (1, [18, 29, 32], 1, [1], False),
        (0, [32, 42, 45], 1, [0], False),
        (1, [35, 46, 49], 1, [1], False),
    ]
    assert_runs_like(log, expected)


def test_the_slowest_of_three_is_dropped_where_two_are_needed():
    log = by_hand(Synchronous(needed=2), 10, 11, 25, num_pushes=8)
    expected = [
        (0, [0, 10, 13], 0, [], False),
        (1, [0, 11, 15], 0, [0, 1], False),
        (2, [0, 25, 28], 1, [2], True),
        (0, [18, 28, 31], 0, [], False),
        (1, [18, 29, 33], 0, [0, 1], False),
        (0, [36, 46, 49], 0, [], False),
        (1, [36, 47, 51], 0, [0, 1], False),
        (2, [31, 56, 59], 2, [2], True),
    ]
    assert_runs_like(log, expected)


def test_the_fast_one_waits_when_it_is_two_steps_ahead_and_one_is_allowed():
    log = by_hand(StaleSynchronous(2, bound=1), 10, 25, num_pushes=7)
    expected = [
        (0, [0, 10, 13], 0, [0], False),
        (1, [0, 25, 28], 1, [1], False),
        (0, [16, 26, 30], 1, [0], False),  # is there at 27, and taken from 28 on
        (0, [33, 43, 46], 0, [], False),
        (1, [31, 56, 59], 2, [0, 1], False),
        (0, [62, 72, 75], 0, [], False),
        (1, [62, 87, 90], 1, [0, 1], False),
    ]
    assert_runs_like(log, expected)


def test_who_keeps_its_copy_goes_on_while_its_push_is_under_way():
    log = by_hand(CachedStaleSynchronous(2, bound=1), 10, 11, num_pushes=8)
    expected = [
        (0, [0, 10, 13], 0, [], False),
        (1, [0, 11, 15], 1, [], False),
        (0, [10, 20, 23], 2, [0], False),
        (1, [11, 22, 25], 3, [1], False),
        (0, [26, 36, 39], 1, [0], False),  # its copy lacked worker 1's second step
        (1, [28, 39, 42], 1, [], False),
        (1, [39, 50, 53], 2, [1], False),
        (0, [42, 52, 55], 2, [0], False),
    ]
    assert_runs_like(log, expected)


# Repeating exactly


@each_rule
def test_a_run_leaves_its_rule_as_it_is_and_so_repeats_to_the_last_bit(make):
    rule, messages = make(), {"push": 0.1, "serve": 0.2, "pull": 0.3}

    def compute_update(weights, worker, step):
        return [0.9 * worker - weights[0]]

    def run():
        log = schedule(rule, 4, EXPONENTIAL, num_pushes=100, **messages)
        learned = replay(order(log), rule, [np.ones(1)], compute_update)
        return log, [weight.item() for [weight] in learned]

    assert run() == run()
    assert vars(rule) == vars(make())


def test_what_is_less_than_a_microsecond_apart_is_at_once_the_lower_worker_first():
    log = schedule(Asynchronous(), 2, constant(1 + 4e-7, 1), num_pushes=4)
    assert order(log) == [0, 1, 0, 1]
    assert [record.arrived for record in log] == [1, 1, 2, 2]


@each_rule
def test_who_has_pushed_asks_at_once(make):
    """Without it the time that a worker waits would have no beginning."""
    asked = [0] * 4
    for record in schedule(make(), 4, EXPONENTIAL, num_pushes=100, serve=0.1):
        assert record.times.asked == asked[record.worker] <= record.times.began
        asked[record.worker] = record.times.computed


@each_rule
def test_a_run_ends_with_exactly_so_many_updates(make):
    log = schedule(make(), 4, EXPONENTIAL, num_updates=17)
    applied = [record for record in log if not record.dropped]
    assert len(applied) == 17 * make().needed and not log[-1].dropped


@given(
    st.lists(st.lists(st.floats(0, 2), min_size=5, max_size=5), min_size=1, max_size=5),
    st.sampled_from([0, 0.125]),
    st.sampled_from([0, 0.25]),
)
def test_bound_0_takes_exactly_as_long_as_rounds(times, message, serve):
    n, messages = len(times), {"push": message, "serve": serve, "pull": message}

    def run(rule):
        return schedule(rule, n, of_table(times), num_pushes=5 * n, **messages)

    rounds = run(Synchronous(n))
    for stale in (run(StaleSynchronous(n, 0)), run(CachedStaleSynchronous(n, 0))):
        assert order(stale) == order(rounds)
        assert list(map(moments, stale)) == list(map(moments, rounds))


def test_more_than_there_are_workers_cannot_be_waited_for():
    rule = Synchronous(needed=3)
    assert len(schedule(rule, 2, constant(1, 1), num_pushes=2)) == 2
    with pytest.raises(RuntimeError, match="all workers wait: nobody may go on"):
        schedule(rule, 2, constant(1, 1), num_pushes=3)


# Arithmetic


def test_an_update_is_computed_from_the_weights_that_its_worker_pulled():
    """Two workers take turns: from the second push on, each missed one update."""
    seen = []

    def compute_update(weights, worker, step):
        seen.append((worker, step, weights[0].item()))
        return [np.array([10.0**step])]

    learned = replay([0, 1, 0, 1, 0], Asynchronous(), [np.zeros(1)], compute_update)
    assert [weights[0].item() for weights in learned] == [1, 2, 12, 22, 122]
    assert seen == [(0, 0, 0), (1, 0, 0), (0, 1, 1), (1, 1, 2), (0, 2, 12)]


def test_a_kept_copy_has_what_its_worker_did_itself_since_it_pulled():
    seen = []

    def compute_update(weights, worker, step):
        seen.append(weights[0].item())
        return [np.array([100.0 if worker else 1.0])]

    rule, order = CachedStaleSynchronous(2, bound=1), [0, 1, 0, 1, 0, 1, 1, 0]
    learned = replay(order, rule, [np.zeros(1)], compute_update)
    sums = [1, 101, 102, 202, 203, 303, 403, 404]
    assert [weights[0].item() for weights in learned] == sums
    assert seen == [0, 0, 1, 100, 102, 202, 302, 203]


def test_an_update_is_scaled_by_a_function_of_its_staleness():
    asked = []

    def scale(staleness):
        asked.append(staleness)
        return 1 / (1 + staleness)

    def sixes(weights, worker, step):
        return [np.full(2, 6.0), np.full(1, -6.0)]

    initial = [np.zeros(2), np.zeros(1)]
    learned = list(replay([0, 1, 2, 2, 0], Asynchronous(), initial, sixes, scale))
    assert asked == [0, 1, 2, 0, 3]
    for (first, second), total in zip(learned, [6, 9, 11, 17, 18.5], strict=True):
        assert (first.tolist(), second.tolist()) == ([total, total], [-total])


def test_weights_keep_their_type_whatever_is_pushed():
    initial, update = [np.zeros(2, np.float32)], [np.full(2, 0.1)]  # of float64
    for [weight] in replay([0, 0], Asynchronous(), initial, lambda *_: update):
        assert weight.dtype == np.float32
