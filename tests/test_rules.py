"""Tests of the rules of waiting, and of the server that follows them."""

import math
from collections import Counter
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ps_helpers.records import Times
from ps_helpers.rules import (
    Asynchronous,
    StaleSynchronous,
    Synchronous,
)
from ps_helpers.server import Server
from ps_helpers.simulator import CachedStaleSynchronous, begin_at_once, judge
from ps_helpers.store import ParameterServer

TEAMS = st.integers(1, 5)
BOUNDS = st.integers(0, 4)
CHOICES = st.lists(st.integers(0, 59), min_size=1, max_size=60)  # 60 is 3 · 4 · 5


class Team:
    """Workers that push only when they were let go, in any order otherwise."""

    def __init__(self, rule, num_workers):
        self.rule = rule
        self.computing = set(range(num_workers))
        self.version, self.pulled = 0, [0] * num_workers

    def next_worker(self, choice):
        assert self.computing, "everybody waits for ever"
        return sorted(self.computing)[choice % len(self.computing)]

    def push(self, worker):
        """Return how stale the push was, and what the rule answers."""
        staleness = self.version - self.pulled[worker]
        self.computing.remove(worker)
        apply, go = map(list, self.rule.push(worker, staleness))
        self.version += bool(apply)
        for other in go:
            self.pulled[other] = self.version
        for other in go + list(getattr(self.rule, "keeping", [])):
            assert other not in self.computing
            self.computing.add(other)
        return staleness, apply, go

    def run(self, choices):
        """Yield who pushed, its staleness, who is applied and who goes on."""
        for choice in choices:
            worker = self.next_worker(choice)
            yield worker, *self.push(worker)


@st.composite
def rules(draw):
    """Draw what makes a rule, and how many workers it is for."""
    num_workers, bound = draw(TEAMS), draw(BOUNDS)
    needed = draw(st.integers(1, num_workers))
    makers = (
        Asynchronous,
        lambda: Synchronous(needed),
        lambda: StaleSynchronous(num_workers, bound),
        lambda: CachedStaleSynchronous(num_workers, bound),
    )
    return draw(st.sampled_from(makers)), num_workers


# Every rule


@given(rules(), CHOICES)
def test_no_push_counts_twice_and_nobody_goes_on_twice(drawn, choices):
    make, num_workers = drawn
    pushed, applied, released = Counter(), Counter(), Counter()
    team = Team(make(), num_workers)
    for worker, _, apply, go in team.run(choices):
        pushed[worker] += 1
        applied.update(apply)
        released.update(go)
        assert len(apply) == len(set(apply)) and len(go) == len(set(go))
        assert applied <= pushed and released <= pushed
        assert team.computing  # somebody always does


@given(TEAMS, CHOICES)
def test_asynchronous_applies_every_push_and_lets_its_worker_go_on(n, choices):
    for worker, _, apply, go in Team(Asynchronous(), n).run(choices):
        assert apply == go == [worker]


# Synchronous


@given(TEAMS, CHOICES)
def test_a_round_applies_everybody_once_and_releases_them_at_its_end(n, choices):
    everyone = list(range(n))
    team = Team(Synchronous(needed=n), n)
    for i, (_, staleness, apply, go) in enumerate(team.run(choices)):
        assert staleness == 0
        ends = i % n == n - 1
        assert (apply, go) == ((everyone, everyone) if ends else ([], []))


@given(st.integers(1, 4), st.integers(1, 3), CHOICES)
def test_backup_workers_that_come_too_late_are_dropped_and_go_on(n, b, choices):
    team, came = Team(Synchronous(needed=n), n + b), []
    for worker, staleness, apply, go in team.run(choices):
        if staleness > 0:
            assert (apply, go) == ([], [worker])
            continue
        came.append(worker)
        if len(came) < n:
            assert (apply, go) == ([], [])
        else:
            assert apply == go == sorted(came)
            came = []
        waiting = set(range(n + b)) - team.computing
        assert waiting == set(came)  # for a round that b others can still fill
        assert len(team.computing) > b


def test_who_is_dropped_can_make_it_into_the_next_round():
    team = Team(Synchronous(needed=2), 3)
    for worker in (0, 1):
        team.push(worker)
    assert team.push(2) == (1, [], [2])
    assert team.push(2) == (0, [], [])
    assert team.push(1) == (0, [1, 2], [1, 2])


# Stale-synchronous


@given(st.integers(1, 5), BOUNDS, CHOICES)
def test_exactly_those_within_the_bound_go_on(n, bound, choices):
    """Count the steps anew after every push, and see who may go on by them."""
    team, pushed = Team(StaleSynchronous(n, bound), n), []
    for worker, _, apply, _ in team.run(choices):
        pushed.append(worker)
        steps = [pushed.count(w) for w in range(n)]
        assert apply == [worker]
        assert team.computing == {w for w in range(n) if steps[w] <= min(steps) + bound}


@given(st.integers(2, 5), BOUNDS)
def test_the_bound_is_reached(n, bound):
    team = Team(StaleSynchronous(n, bound), n)
    for _ in range(bound):
        assert team.push(n - 1)[2] == [n - 1]
    assert team.push(n - 1)[2] == []  # it is bound + 1 ahead of all others
    for worker in range(n - 1):
        assert n - 1 not in team.computing
        team.push(worker)
    assert n - 1 in team.computing  # now that everybody has done a step


@given(st.integers(1, 5), BOUNDS, CHOICES)
def test_staleness_has_a_bound_too(n, bound, choices):
    runs = Team(StaleSynchronous(n, bound), n).run(choices)
    assert max(staleness for _, staleness, *_ in runs) <= (n - 1) * (2 * bound + 1)


@given(st.integers(2, 5), BOUNDS)
def test_the_bound_of_staleness_is_reached(n, bound):
    """One worker is as far ahead as it may be, then all others pass it by as much."""
    team = Team(StaleSynchronous(n, bound), n)
    for worker in [0] * bound + list(range(1, n)) * (2 * bound + 1):
        team.push(worker)  # refuses a worker that waits
    assert team.push(0)[0] == (n - 1) * (2 * bound + 1)


@given(TEAMS, CHOICES)
def test_without_a_bound_it_is_asynchronous(n, choices):
    stale = Team(StaleSynchronous(n, math.inf), n)
    asynchronous = Team(Asynchronous(), n)
    assert list(stale.run(choices)) == list(asynchronous.run(choices))


@given(TEAMS, CHOICES)
def test_with_bound_0_the_same_workers_wait_as_in_rounds(n, choices):
    stale, rounds = Team(StaleSynchronous(n, 0), n), Team(Synchronous(n), n)
    runs = stale.run(choices), rounds.run(choices)
    for (*_, go), (*_, expected) in zip(*runs, strict=True):
        assert sorted(go) == expected
        assert stale.computing == rounds.computing


# Stale-synchronous with a cache


@given(TEAMS, BOUNDS, CHOICES)
def test_with_a_cache_the_same_workers_wait(n, bound, choices):
    cached = Team(CachedStaleSynchronous(n, bound), n)
    stale = Team(StaleSynchronous(n, bound), n)
    runs = cached.run(choices), stale.run(choices)
    for (worker, _, apply, _), (expected, *_) in zip(*runs, strict=True):
        assert worker == expected and apply == [worker]
        assert cached.computing == stale.computing


@given(TEAMS, BOUNDS, CHOICES)
def test_a_copy_is_kept_exactly_as_long_as_it_is_new_enough(n, bound, choices):
    """Note which steps of the others each copy has, and see how many it lacks."""
    team, steps = Team(CachedStaleSynchronous(n, bound), n), [0] * n
    copies = [[0] * n for _ in range(n)]  # of the slowest: they are all that is sure
    for worker, *_, go in team.run(choices):
        steps[worker] += 1
        new_enough = min(copies[worker]) >= steps[worker] - bound
        assert (team.rule.keeping == [worker]) == new_enough
        assert not (new_enough and worker in go)
        for w in go:
            copies[w] = list(steps)
            assert min(copies[w]) >= steps[w] - bound


@given(st.integers(2, 5), BOUNDS)
def test_the_first_of_equally_fast_workers_pulls_every_few_steps(n, bound):
    """When it pulls first, after bound + 1 steps, the others are a step behind."""
    team, pulls = Team(CachedStaleSynchronous(n, bound), n), []
    for step in range(1, 2 * bound + 2):
        released = [team.push(worker)[2] for worker in range(n)]
        pulls += [step] if 0 in released[0] else []
    assert pulls == ([] if bound == 0 else [bound + 1, 2 * bound + 1])


# The server that follows a rule: its arithmetic is exact with fractions


def server_of(rule, weights, num_workers):
    """Return a server to which so many workers have come."""
    server = judge(rule, weights)
    for worker in range(num_workers):
        begin_at_once(server, worker)
    return server


def fractions(*numbers):
    return np.array([Fraction(number) for number in numbers], dtype=object)


def updates_of(worker, step):
    """Return an update of two arrays that no other push has."""
    return [
        fractions(10 * step + worker, Fraction(worker + 1, step + 3)),
        fractions(-(100**worker)),
    ]


@given(rules(), CHOICES)
def test_the_weights_are_the_sum_of_the_means_that_were_applied(drawn, choices):
    """And the log has the staleness of each, and whether it was dropped."""
    make, n = drawn
    team, sums = Team(make(), n), [fractions(1, 2), fractions(3)]
    server = server_of(make(), sums, n)
    steps, last, version = Counter(), {}, 0
    for worker, staleness, apply, go in team.run(choices):
        step, times = steps[worker], Times(1, 2, 3)
        last[worker] = updates_of(worker, step)
        steps[worker] += 1
        assert sorted(server.push(worker, step, last[worker], times, 4)) == sorted(go)
        for i in range(2):
            for w in apply:
                sums[i] = sums[i] + last[w][i] * Fraction(1, len(apply))
        version += bool(apply)
        assert server.store.version == version
        for weight, total in zip(server.store.pull(server.keys), sums, strict=True):
            assert weight.tolist() == total.tolist()
        record = server.ledger.log[-1]
        late = isinstance(server.rule, Synchronous) and staleness > 0
        assert record[:5] == (worker, step, staleness, times, 4)
        assert sorted(record.go) == sorted(go) and record.dropped == late


@given(rules(), CHOICES)
def test_nothing_that_was_handed_out_or_in_ever_changes(drawn, choices):
    make, n = drawn
    server = server_of(make(), [np.arange(3.0), np.ones((2, 2))], n)
    kept = []
    for worker, *_ in Team(make(), n).run(choices):
        update = [np.full(3, worker + 1.0), np.full((2, 2), -1.0)]
        step = server.ledger.steps[worker]
        server.push(worker, step, update, times=None)
        arrays = [*update, *server.store.pull(server.keys)]
        kept += [(array, array.copy()) for array in arrays]
    for array, copy in kept:
        np.testing.assert_array_equal(array, copy)


@pytest.mark.parametrize("kind", [np.float64, np.float16])
def test_weights_keep_their_type_in_rounds_and_alone(kind):
    for rule in (Asynchronous(), Synchronous(needed=2)):
        server = Server(ParameterServer(["w"], [np.ones(3, np.float32)]), rule)
        server.join(0), server.join(1)
        for worker in (0, 1):
            server.push(worker, 0, [np.full(3, 0.25, kind)], times=None)
        [weight] = server.pull(1).weights
        assert weight.dtype == np.float32
        assert weight.tolist() == [1.25 if rule.needed == 2 else 1.5] * 3


def test_a_report_has_the_version_the_weights_and_the_log_from_a_number_on():
    server = server_of(Asynchronous(), [fractions(0)], 1)
    for step in range(5):
        server.push(0, step, [fractions(5)], times=None)
    report = server.report(start=3)
    assert (report.version, report.weights[0].tolist()) == (5, [25])
    assert report.num_pushes == 5
    assert [(push.step, push.go) for push in report.log] == [(3, (0,)), (4, (0,))]
    assert server.report(start=5).log == server.report(start=math.inf).log == []


def learn(make, n, choices, factor, number):
    """Let everybody move the weight to a goal of its own; return the weight."""
    team, server = Team(make(), n), server_of(make(), [np.array([number(8)])], n)
    held = dict.fromkeys(range(n), server.store.pull(server.keys))
    for choice in choices:
        worker = team.next_worker(choice)
        team.push(worker)
        [weight] = held[worker]
        update = [(number(worker) - weight) * number(factor)]
        step = server.ledger.steps[worker]
        for w in server.push(worker, step, update, times=None):
            held[w] = server.store.pull(server.keys)
    return server.store.pull(server.keys)[0][0]


@given(TEAMS, CHOICES)
def test_bound_0_with_nth_parts_learns_what_rounds_of_n_learn(n, choices):
    choices = choices[: len(choices) // n * n]  # whole rounds
    rate, stale = Fraction(1, 4), lambda: StaleSynchronous(n, 0)
    exact = learn(stale, n, choices, rate / n, Fraction)
    assert exact == learn(lambda: Synchronous(n), n, choices, rate, Fraction)
    rounded = learn(stale, n, choices, rate / n, np.float32)
    assert rounded == pytest.approx(float(exact), rel=1e-5, abs=1e-5)
