"""Tests of training on Ray by teams, against replays and plain loops."""

import dataclasses
import signal
import threading
import time
from collections import Counter, namedtuple

import numpy as np
import pytest
import ray

from ps_helpers.lab import data, model
from ps_helpers.parameter_server import worker_task
from ps_helpers.rules import Rule
from ps_helpers.settings import Settings
from ps_helpers.simulator import CachedStaleSynchronous, begin_at_once, judge, replay
from ps_helpers.team import Team, TrainingError

SEED, BATCH, WORKERS = 5, 16, 4
MLP = model.load("mlp", "numpy")
WEIGHTS = dict(zip(MLP.keys, MLP.initial_weights(), strict=True))
# Every worker is slow at other times, a step in five by 20 ms.
DELAYS = np.where(np.random.default_rng(0).random((WORKERS, 100)) < 0.2, 0.02, 0.001)
OWN = {"engine": "numpy", "batch_size": BATCH, "seed": SEED, "delays": DELAYS}

WAYS = {"messages": {}, "shared memory": {"fast": True}}
SEVERAL = WAYS | {"three servers": {"num_servers": 3}}
RULES = {  # name -> settings
    "async": {"num_updates": 200},  # enough also where a busy machine makes it stale
    "sync": {"num_updates": 25, "learning_rate": 0.8},
    "ssp": {"num_updates": 100, "lead": 2},
    "ssp, bound 0": {"num_updates": 100, "lead": 0},
    "backup": {"num_updates": 30, "learning_rate": 0.6, "num_workers": WORKERS - 1},
}
each_rule = pytest.mark.parametrize("name", RULES)
each_way = pytest.mark.parametrize("way", WAYS)

Live = namedtuple("Live", "settings rule version weights log team")


@pytest.fixture(scope="module")
def shards(digits):
    return data.shards(*digits[:2], WORKERS)


@pytest.fixture
def start(running_ray, shards):
    """Start a team; end what is left of it after the test."""
    teams = []

    def start(shards=shards, rule=None, task=worker_task, **chosen):
        settings = Settings(**OWN | {"num_workers": len(shards)} | chosen)
        teams.append(Team(settings, WEIGHTS, shards, task, rule))
        return teams[-1]

    yield start
    for team in teams:
        team.kill()
        if team.running:
            ray.wait(list(team.running), num_returns=len(team.running), timeout=60)


@pytest.fixture(scope="module")
def runs():
    return {}


@pytest.fixture
def live(start, runs):
    """Return a function that trains by a rule in a way, once for all tests."""

    def live(name, way="messages"):
        if (way, name) not in runs:
            own = {"consistency": name[:3]} if name[:3] == "ssp" else {}
            chosen = {"consistency": name} | RULES[name] | SEVERAL[way] | own
            team, log = start(**chosen), []
            for report in team.reports(0.2):
                log += report.log
            logs = team.ask(*(ps.report.remote() for ps in team.servers))
            run = team.settings, team.settings.rule(), *report[:2], log, logs
            runs[way, name] = Live(*run)
        return runs[way, name]

    return live


def large_batches(shards, num_rounds):
    """Return what rounds must lead to: weights after so many large batches."""
    weights = list(WEIGHTS.values())
    for step in range(num_rounds):
        batches = [
            data.draw_batch(shard, BATCH, [SEED, worker, step])
            for worker, shard in enumerate(shards)
        ]
        x, y = map(np.concatenate, zip(*batches, strict=True))
        gradient = MLP.gradient(weights, x, y)
        weights = [w - 0.8 * g for w, g in zip(weights, gradient, strict=True)]
    return weights


def assert_close(weights, expected, within=1e-6):
    for weight, expected_weight in zip(weights, expected, strict=True):
        assert weight.dtype == np.float32
        np.testing.assert_allclose(weight, expected_weight, rtol=0, atol=within)


# Every rule


@each_way
@each_rule
def test_a_run_is_what_its_record_says(live, shards, digits, name, way):
    """Judged again, push by push, it goes on alike and reaches the same weights.

    So its rule's promises, see test_rules, are kept by the run.
    """
    run = live(name, way)
    assert run.version == run.settings.num_updates
    assert set(order := [push.worker for push in run.log]) == set(range(WORKERS))

    def compute_update(weights, worker, step):
        batch = data.draw_batch(shards[worker], BATCH, [SEED, worker, step])
        return [-run.settings.rate * part for part in MLP.gradient(weights, *batch)]

    server = judge(run.rule)
    for worker in range(WORKERS):
        begin_at_once(server, worker)
    for worker, step, _, times, arrived, *_ in run.log:
        server.push(worker, step, [], times, arrived)
    assert list(server.ledger.log) == run.log
    assert any(push.dropped for push in run.log) == (name == "backup")
    *_, last = replay(order, run.rule, list(WEIGHTS.values()), compute_update)
    assert_close(run.weights, last)
    assert MLP.accuracy(run.weights, *digits[2:]) > 0.5  # by chance 0.1


@each_way
@each_rule
def test_nobody_begins_or_pushes_before_it_is_let_go(live, name, way):
    let_go, computing, steps = {}, set(range(WORKERS)), Counter()
    for push in live(name, way).log:
        worker, (asked, began, computed) = push.worker, push.times
        assert asked <= began <= computed <= push.arrived
        assert let_go.get(worker, began) <= began
        assert push.step == steps[worker]
        steps[worker] += 1
        computing.remove(worker)
        assert computing.isdisjoint(push.go)
        computing |= set(push.go)
        let_go |= dict.fromkeys(push.go, push.arrived)


# What rules are known to learn


@pytest.mark.parametrize("way", SEVERAL)
def test_synchronous_training_is_training_with_large_batches(live, shards, way):
    run = live("sync", way)
    expected = large_batches(shards, run.settings.num_updates)
    assert_close(run.weights, expected, within=1e-5)


def test_bound_0_with_quarters_of_the_updates_learns_what_rounds_learn(live):
    assert live("ssp, bound 0").settings.rate == live("sync").settings.rate / WORKERS
    assert_close(live("ssp, bound 0").weights, live("sync").weights)


def test_several_servers_end_with_the_same_pushes(live):
    """Each has its own order; none has half an update that another lacks."""
    run = live("async", "three servers")
    found = [sorted(push[:2] for push in report.log) for report in run.team]
    assert found[0] == found[1] == found[2]
    assert len(found[0]) == run.version == RULES["async"]["num_updates"]


# Local steps


def after_steps(weights, shard, worker, steps):
    for step in steps:
        batch = data.draw_batch(shard, BATCH, [SEED, worker, step])
        gradient = MLP.gradient(weights, *batch)
        weights = [w - 0.2 * part for w, part in zip(weights, gradient, strict=True)]
    return weights


def test_rounds_of_local_steps_take_the_mean_of_what_workers_reach(start, shards):
    """Stich, Local SGD converges fast and communicates little (2019)."""
    *_, last = start(consistency="sync", num_updates=2, local_steps=4).reports()
    weights = list(WEIGHTS.values())
    for begin in (0, 4):
        steps = range(begin, begin + 4)
        reached = [after_steps(weights, s, w, steps) for w, s in enumerate(shards)]
        weights = [np.mean(parts, axis=0) for parts in zip(*reached, strict=True)]
    assert_close(last.weights, weights, within=1e-5)


# Stopping


def test_an_interrupted_run_gives_its_places_back(start):
    """With shared memory: who waits for an answer of Ray's has lent its CPU already."""
    reports = start(num_updates=10**6, fast=True).reports()
    next(reports)
    threading.Timer(0.5, signal.raise_signal, [signal.SIGINT]).start()
    with pytest.raises(KeyboardInterrupt):
        list(reports)
    deadline = time.monotonic() + 60
    while ray.available_resources().get("CPU", 0) < 4:
        assert time.monotonic() < deadline, "workers still hold their places"
        time.sleep(0.1)


# Failures


def fails(reports, words):
    """Assert that training ends within a minute, in one sentence with these words."""
    began = time.monotonic()
    with pytest.raises(TrainingError, match=words) as failure:
        list(reports)
    assert "\n" not in str(failure.value)
    assert time.monotonic() < began + 60


def test_a_worker_that_fails_says_so_instead_of_hanging(start, shards):
    x, y = shards[1]
    shards = [shards[0], (x, y + 1000)]  # there are ten digits
    team = start(shards, consistency="sync", num_updates=20)
    fails(team.reports(), "^worker 1 failed: ")


@each_way
def test_a_server_that_dies_ends_training(start, way):
    team = start(num_updates=10**6, **WAYS[way])
    reports = team.reports(0.1)
    next(reports)
    ray.kill(team.servers[0])
    fails(reports, "^(the server|worker .) failed: ")


def never():
    """Return a rule that lets nobody begin."""

    class Never(Rule):  # defined here, for Ray's processes cannot import a test
        def join(self, worker, steps):
            return [], []

    return Never()


def test_who_waits_longer_than_patience_is_told_so(start):
    """Without a number of updates too, before and after the first of them."""

    def lose_patience(team, updates):
        while team.ask(team.servers[0].report.remote())[0].version < updates:
            time.sleep(0.1)
        team.settings = dataclasses.replace(team.settings, patience=1)
        return team

    fails(
        lose_patience(start(rule=never()), 0).reports(),
        "the workers were not ready after 1 s: free some memory",
    )
    slow = [np.where(np.arange(100) < 3, 0, 1000)] * WORKERS
    stuck = lose_patience(start(delays=slow), 12)
    fails(stuck.reports(), "nothing has moved for 1 s after 12 updates: try again")


def test_a_rule_for_the_simulator_and_an_optimizer_of_whole_arrays_are_refused(
    start, monkeypatch
):
    with pytest.raises(ValueError, match="CachedStaleSynchronous is for the simulator"):
        start(rule=CachedStaleSynchronous(WORKERS, 1))
    monkeypatch.setattr("ps_helpers.optimizers.Adam.elementwise", False)
    with pytest.raises(ValueError, match="Adam needs whole arrays: one server"):
        start(optimizer="adam", num_servers=2)
