"""Tests of the rules of waiting, and of the server that follows them."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ps_helpers.rules import Asynchronous, StaleSynchronous, Synchronous
from ps_helpers.server import Server
from ps_helpers.simulator import CachedStaleSynchronous
from ps_helpers.store import ParameterServer

TEAMS = st.integers(1, 5)
BOUNDS = st.integers(0, 4)
# At least 15, or most would be too short to reach a bound; 60 is 3 · 4 · 5.
CHOICES = st.lists(st.integers(0, 59), min_size=15, max_size=60)


class Team:
    """Workers that push only when they were let go, in any order otherwise."""

    def __init__(self, rule, num_workers):
        self.rule = rule
        self.computing = set(range(num_workers))
        self.version, self.pulled = 0, [0] * num_workers

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
            assert self.computing, "everybody waits for ever"
            worker = sorted(self.computing)[choice % len(self.computing)]
            yield worker, *self.push(worker)


@given(TEAMS, CHOICES)
def test_asynchronous_applies_every_push_and_lets_its_worker_go_on(n, choices):
    for worker, _, apply, go in Team(Asynchronous(), n).run(choices):
        assert apply == go == [worker]


# Synchronous


@given(st.integers(1, 4), st.integers(0, 3), CHOICES)
def test_a_round_is_of_the_first_n_and_who_comes_too_late_is_dropped(n, b, choices):
    """There are ``b`` backup workers: where there are none, nobody is late."""
    team, came = Team(Synchronous(needed=n), n + b), []
    for worker, staleness, apply, go in team.run(choices):
        if staleness > 0:
            assert b > 0
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


# Stale-synchronous


@pytest.mark.parametrize("rule", [StaleSynchronous, CachedStaleSynchronous])
@given(TEAMS, BOUNDS | st.just(math.inf), CHOICES)
def test_exactly_those_within_the_bound_go_on(rule, n, bound, choices):
    """Count the steps anew after every push, and see who may go on by them."""
    team, pushed = Team(rule(n, bound), n), []
    for worker, _, apply, _ in team.run(choices):
        pushed.append(worker)
        steps = [pushed.count(w) for w in range(n)]
        assert apply == [worker]
        assert team.computing == {w for w in range(n) if steps[w] <= min(steps) + bound}


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


# The server that follows a rule: more of it in test_server.py


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
