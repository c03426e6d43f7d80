"""Tests of the simulator: small runs by hand, and what is known about large ones."""

import heapq
import itertools
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ps_helpers.lab import data, model
from ps_helpers.rules import (
    Asynchronous,
    Rule,
    StaleSynchronous,
    Synchronous,
)
from ps_helpers.simulator import CachedStaleSynchronous, replay, schedule

MS = 0.001
SOFTMAX = model.load("softmax", "numpy")


def constant(*seconds):
    """Return compute times that depend on the worker alone."""
    return lambda worker, step: seconds[worker]


def of_table(times):
    """Return the compute times of a table with a row a worker."""
    return lambda worker, step: times[worker][step % len(times[worker])]


def exponential(num_workers, steps, seed=0):
    """Return compute times that are 1 second in the mean."""
    times = np.random.default_rng(seed).exponential(1, (num_workers, steps))
    return of_table(times.tolist())


def order(log):
    return [record.worker for record in log]


def moments(record):
    """Return when a step began, when its update was there, and when it arrived."""
    return record.times.began, record.times.computed, record.arrived


def applied(log):
    return len(log) - sum(record.dropped for record in log)


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


def test_a_round_begins_for_all_when_the_last_push_of_one_was_taken():
    log = by_hand(Synchronous(needed=2), 10, 11, num_updates=2)
    expected = [
        (0, [0, 10, 13], 0, [], False),
        (1, [0, 11, 15], 0, [0, 1], False),
        (0, [18, 28, 31], 0, [], False),
        (1, [18, 29, 33], 0, [0, 1], False),
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


CACHED_ORDER = [0, 1, 0, 1, 0, 1, 1, 0]  # with bound 1, as the next test finds it


def test_who_keeps_its_copy_goes_on_while_its_push_is_under_way():
    log = by_hand(CachedStaleSynchronous(2, bound=1), 10, 11, num_pushes=8)
    found = [
        ([round(1000 * seconds, 6) for seconds in moments(record)], list(record.go))
        for record in log
    ]
    assert order(log) == CACHED_ORDER
    assert found == [
        ([0, 10, 13], []),
        ([0, 11, 15], []),
        ([10, 20, 23], [0]),
        ([11, 22, 25], [1]),
        ([26, 36, 39], [0]),  # its copy lacked worker 1's second step
        ([28, 39, 42], []),
        ([39, 50, 53], [1]),
        ([42, 52, 55], [0]),
    ]


def test_compute_times_are_asked_for_by_worker_and_step():
    asked = []

    def compute(worker, step):
        asked.append((worker, step))
        return 1 + worker

    schedule(Asynchronous(), 2, compute, num_pushes=3)  # at 1, 2 and 2 seconds
    assert sorted(asked) == [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1)]


# Repeating exactly


@each_rule
def test_a_run_repeats_to_the_last_bit_and_leaves_its_rule_alone(make):
    rule, messages = make(), {"push": 0.1, "serve": 0.2, "pull": 0.3}

    def run():
        log = schedule(rule, 4, exponential(4, 50), num_pushes=100, **messages)
        rng = np.random.default_rng(1)
        updates = rng.normal(size=(4, 100, 3)).astype(np.float32)

        def compute_update(weights, worker, step):
            return [0.9 * updates[worker, step] - weights[0]]

        initial = [np.zeros(3, np.float32)]
        return log, list(replay(order(log), rule, initial, compute_update))

    (log, weights), (other_log, other_weights) = run(), run()
    assert log == other_log
    np.testing.assert_array_equal(weights, other_weights)
    assert vars(rule) == vars(make())


def test_of_two_pushes_at_once_the_lower_workers_comes_first():
    log = schedule(Asynchronous(), 4, constant(2, 1, 2, 1), num_pushes=8)
    assert order(log) == [1, 3, 0, 1, 2, 3, 1, 3]


def test_what_is_less_than_a_microsecond_apart_is_at_once():
    log = schedule(Asynchronous(), 2, constant(1 + 4e-7, 1), num_pushes=4)
    assert order(log) == [0, 1, 0, 1]
    assert [record.arrived for record in log] == [1, 1, 2, 2]


@each_rule
def test_who_has_pushed_asks_at_once(make):
    """Without it the time that a worker waits would have no beginning."""
    asked = [0] * 4
    for record in schedule(make(), 4, exponential(4, 50), num_pushes=100, serve=0.1):
        assert record.times.asked == asked[record.worker] <= record.times.began
        asked[record.worker] = record.times.computed


@each_rule
def test_a_run_ends_with_exactly_so_many_updates(make):
    log = schedule(make(), 4, exponential(4, 50), num_updates=17)
    made = applied(log) / (make().needed)
    assert made == 17 and not log[-1].dropped


# Bounds of waiting


def longest_leads(log, num_workers):
    """Return by how much each worker that went on led the slowest of all."""
    steps, leads = Counter(), []
    for record in log:
        steps[record.worker] += 1
        slowest = min(steps[w] for w in range(num_workers))
        leads += [steps[w] - slowest for w in record.go]
    return leads


@pytest.mark.parametrize("bound", [0, 1, 2, 5])
def test_nobody_goes_on_who_is_further_ahead_than_the_bound(bound):
    rule = StaleSynchronous(6, bound)
    log = schedule(rule, 6, exponential(6, 500), num_pushes=3000, serve=0.05)
    assert max(longest_leads(log, 6)) == bound


def test_a_cache_saves_time_where_messages_are_slow():
    def seconds(rule):
        log = schedule(rule, 4, lambda *_: 1, num_pushes=400, push=1, pull=1)
        return log[-1].arrived

    without = seconds(StaleSynchronous(4, 3))
    assert seconds(CachedStaleSynchronous(4, 3)) < 0.75 * without


def test_without_a_rule_the_lead_grows():
    log = schedule(Asynchronous(), 6, exponential(6, 500), num_pushes=3000)
    assert max(longest_leads(log, 6)) > 20


@given(
    st.lists(st.lists(st.floats(0, 2), min_size=5, max_size=5), min_size=1, max_size=5),
    st.sampled_from([0, 0.125]),
    st.sampled_from([0, 0.25]),
)
def test_bound_0_takes_exactly_as_long_as_rounds(times, message, serve):
    def run(rule):
        return schedule(
            rule,
            n,
            of_table(times),
            num_pushes=5 * n,
            push=message,
            serve=serve,
            pull=message,
        )

    n = len(times)
    rounds = run(Synchronous(n))
    for stale in (run(StaleSynchronous(n, 0)), run(CachedStaleSynchronous(n, 0))):
        assert order(stale) == order(rounds)
        assert list(map(moments, stale)) == list(map(moments, rounds))


def test_a_rule_that_lets_nobody_go_on_ends_in_an_error():
    class Never(Rule):
        def push(self, worker, staleness):
            return [worker], []

    with pytest.raises(RuntimeError, match="all workers wait"):
        schedule(Never(), 3, constant(1, 1, 1), num_pushes=4)
    assert len(schedule(Never(), 3, constant(1, 1, 1), num_pushes=3)) == 3


def test_more_than_there_are_workers_cannot_be_waited_for():
    with pytest.raises(RuntimeError, match="all workers wait"):
        schedule(Synchronous(needed=3), 2, constant(1, 1), num_updates=1)


# What is known about large runs


@pytest.mark.parametrize("num_workers", [1, 2, 8])
def test_a_round_takes_as_long_as_the_slowest_of_all(num_workers):
    """The mean of the largest of n exponential times is 1 + 1/2 + … + 1/n."""
    rounds = 10_000
    compute = exponential(num_workers, rounds)
    log = schedule(Synchronous(num_workers), num_workers, compute, num_updates=rounds)
    harmonic = sum(1 / k for k in range(1, num_workers + 1))
    assert log[-1].arrived / rounds == pytest.approx(harmonic, rel=0.02)


@pytest.mark.parametrize("num_workers", [2, 4, 16])
def test_asynchronous_updates_are_as_stale_as_there_are_others(num_workers):
    compute = exponential(num_workers, 1000)
    log = schedule(Asynchronous(), num_workers, compute, num_pushes=1000 * num_workers)
    staleness = np.mean([record.staleness for record in log])
    assert staleness == pytest.approx(num_workers - 1, rel=0.02)


@pytest.mark.parametrize(
    ("num_workers", "rate"), [(1, 100), (2, 200), (5, 500), (6, 500), (50, 500)]
)
def test_a_server_takes_no_more_pushes_than_it_has_time_for(num_workers, rate):
    """Each push takes it 2 ms of the 10 ms of a step: five workers are enough."""
    steps = schedule(
        Asynchronous(), num_workers, lambda *_: 8 * MS, num_pushes=10_000, serve=2 * MS
    )
    assert 10_000 / steps[-1].arrived == pytest.approx(rate, rel=0.01)


@given(st.integers(1, 6), st.integers(1, 40), st.integers(0, 9))
def test_asynchronous_workers_on_a_fast_server_are_their_own_clocks(n, pushes, seed):
    """Then a worker's pushes come at the sums of its own compute times."""
    times = np.random.default_rng(seed).integers(1, 10, (n, pushes)) / 8
    moments = [[(t, w) for t in itertools.accumulate(times[w])] for w in range(n)]
    expected = list(heapq.merge(*moments))[:pushes]
    log = schedule(Asynchronous(), n, of_table(times.tolist()), num_pushes=pushes)
    assert [(r.arrived, r.worker) for r in log] == expected


def test_a_thousand_workers_train_by_every_rule():
    compute = exponential(1000, 200)
    messages = {"push": MS, "serve": 1e-6, "pull": MS}

    def run(rule, **end):
        log = schedule(rule, 1000, compute, **messages, **end)
        return log, Counter(order(log))

    log, steps = run(Asynchronous(), num_pushes=20_000)
    assert applied(log) == 20_000 and len(steps) == 1000
    log, steps = run(Synchronous(1000), num_updates=20)
    assert applied(log) == 20_000 and set(steps.values()) == {20}
    log, steps = run(StaleSynchronous(1000, 3), num_pushes=20_000)
    assert applied(log) == 20_000
    assert max(steps.values()) - min(steps.values()) == 4  # the fastest wait
    log, steps = run(Synchronous(950), num_updates=20)
    assert applied(log) == 19_000 < len(log)


# Arithmetic


@pytest.fixture(scope="module")
def shards(digits):
    return data.shards(*digits[:2], 4)


def learner(shards, lr):
    """Return what computes an update of the softmax model from a worker's shard."""

    def compute_update(weights, worker, step):
        batch = data.draw_batch(shards[worker], 16, [0, worker, step])
        return [-lr * part for part in SOFTMAX.gradient(weights, *batch)]

    return compute_update


@pytest.mark.parametrize(
    "rule",
    [
        Asynchronous(),
        Synchronous(needed=1),
        StaleSynchronous(1, bound=2),
        CachedStaleSynchronous(1, bound=2),
    ],
    ids=lambda rule: type(rule).__name__,
)
def test_one_worker_learns_bit_for_bit_what_a_plain_loop_learns(rule, shards):
    weights = SOFTMAX.initial_weights()
    learned = replay([0] * 30, rule, weights, learner(shards, 0.2))
    for step, found in zip(range(30), learned, strict=True):
        batch = data.draw_batch(shards[0], 16, [0, 0, step])
        gradient = SOFTMAX.gradient(weights, *batch)
        weights = [w + -0.2 * g for w, g in zip(weights, gradient, strict=True)]
        for weight, expected in zip(found, weights, strict=True):
            np.testing.assert_array_equal(weight, expected, strict=True)


def test_rounds_learn_what_batches_of_all_workers_together_teach(shards):
    log = schedule(Synchronous(4), 4, exponential(4, 20), num_updates=20)
    initial = SOFTMAX.initial_weights()
    learned = list(replay(order(log), Synchronous(4), initial, learner(shards, 0.8)))
    weights = initial
    for step in range(20):
        batches = [data.draw_batch(shards[w], 16, [0, w, step]) for w in range(4)]
        x, y = map(np.concatenate, zip(*batches, strict=True))
        gradient = SOFTMAX.gradient(weights, x, y)
        weights = [w - 0.8 * g for w, g in zip(weights, gradient, strict=True)]
        for weight, expected in zip(learned[4 * step + 3], weights, strict=True):
            np.testing.assert_allclose(weight, expected, rtol=0, atol=1e-5)


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

    rule = CachedStaleSynchronous(2, bound=1)
    learned = replay(CACHED_ORDER, rule, [np.zeros(1)], compute_update)
    sums = [1, 101, 102, 202, 203, 303, 403, 404]
    assert [weights[0].item() for weights in learned] == sums
    assert seen == [0, 0, 1, 100, 102, 202, 302, 203]


def test_a_round_leaves_the_weights_alone_until_it_ends():
    def compute_update(weights, worker, step):
        return [np.array([2.0 + 4 * worker])]

    learned = replay([1, 0, 0, 1], Synchronous(2), [np.zeros(1)], compute_update)
    assert [weights[0].item() for weights in learned] == [0, 4, 4, 8]


def test_what_is_dropped_changes_nothing():
    def compute_update(weights, worker, step):
        return [np.array([100.0 if worker == 2 else 1.0])]

    workers = [0, 1, 2, 0, 1]
    learned = replay(workers, Synchronous(needed=2), [np.zeros(1)], compute_update)
    assert [weights[0].item() for weights in learned] == [0, 1, 1, 1, 2]


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


def test_a_replay_sees_the_staleness_of_the_schedule():
    log = schedule(StaleSynchronous(4, 2), 4, exponential(4, 50), num_pushes=150)
    seen = []

    def scale(staleness):
        seen.append(staleness)
        return 1

    rule, initial = StaleSynchronous(4, 2), [np.zeros(1)]
    for _ in replay(order(log), rule, initial, lambda *_: [np.ones(1)], scale):
        pass
    assert seen == [record.staleness for record in log]


def test_weights_keep_their_type_whatever_is_pushed():
    initial, update = [np.zeros(2, np.float32)], [np.full(2, 0.1)]  # of float64
    for [weight] in replay([0, 0], Asynchronous(), initial, lambda *_: update):
        assert weight.dtype == np.float32
