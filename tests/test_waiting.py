"""Tests of training on Ray by a rule of waiting, against replays and plain loops.

Once with weights and updates in Ray's messages, and once in shared memory.
"""

from collections import Counter, namedtuple

import numpy as np
import pytest
import ray

from ps_helpers.lab import data, model
from ps_helpers.rules import Asynchronous, StaleSynchronous, Synchronous
from ps_helpers.shared_memory import SharedMemoryActor, shared_memory_task
from ps_helpers.simulator import replay
from ps_helpers.waiting import WaitingActor, waiting_task

SEED, BATCH, WORKERS = 5, 16, 4
MLP = model.load("mlp", "numpy")
# Every worker is slow at other times, a step in five by 20 ms.
DELAYS = np.where(np.random.default_rng(0).random((WORKERS, 100)) < 0.2, 0.02, 0.001)

Live = namedtuple("Live", "make num_updates lr version weights log results")


def get(reference):
    return ray.get(reference, timeout=60)  # Ray itself would wait for ever


@pytest.fixture(scope="module")
def shards(digits):
    return data.shards(*digits[:2], WORKERS)


@pytest.fixture(params=["messages", "shared memory"])
def way(request):
    """How weights and updates travel."""
    return request.param


@pytest.fixture
def start(running_ray, shards, way):
    """Start training; end what is left of it after the test."""
    started = []

    def start(rule, num_updates, lr=0.2, shards=shards):
        server = WaitingActor if way == "messages" else SharedMemoryActor
        ps = server.remote(MLP.initial_weights(), rule, len(shards), num_updates)
        tasks = []
        for worker, shard in enumerate(shards):
            its, how = (worker, shard, DELAYS[worker], BATCH), ("mlp", "numpy", SEED)
            if way == "messages":
                task = waiting_task.remote(ps, *its, lr, *how)
            else:
                task = shared_memory_task.remote(ps, *its, -lr, *how)
            tasks.append(task)
        started.append((ps, tasks))
        return ps, tasks

    yield start
    for ps, tasks in started:
        ray.kill(ps)
        ray.wait(tasks, num_returns=len(tasks), timeout=60)


RULES = {  # name -> rule, updates, learning rate
    "async": (Asynchronous, 100, 0.2),
    "sync": (lambda: Synchronous(WORKERS), 25, 0.8),
    "ssp": (lambda: StaleSynchronous(WORKERS, 2), 100, 0.2),
    "ssp bound 0": (lambda: StaleSynchronous(WORKERS, 0), 100, 0.2),
    "backup": (lambda: Synchronous(WORKERS - 1), 30, 0.6),
}
each_rule = pytest.mark.parametrize("name", RULES)


@pytest.fixture
def live(start, runs, way):
    """Return a function that trains by the rule of a name, once for all tests."""

    def live(name):
        if (way, name) not in runs:
            make, num_updates, lr = RULES[name]
            ps, tasks = start(make(), num_updates, lr)
            results = get(tasks)
            reached = get(ps.report.remote())
            runs[way, name] = Live(make, num_updates, lr, *reached, results)
        return runs[way, name]

    return live


@pytest.fixture(scope="module")
def runs():
    return {}


def assert_close(weights, expected):
    for weight, expected_weight in zip(weights, expected, strict=True):
        assert weight.dtype == expected_weight.dtype == np.float32
        np.testing.assert_allclose(weight, expected_weight, rtol=0, atol=1e-6)


def replayed(run, shards):
    """Return the weights that the run's order of pushes leads to."""

    def compute_update(weights, worker, step):
        batch = data.draw_batch(shards[worker], BATCH, [SEED, worker, step])
        return [-run.lr * part for part in MLP.gradient(weights, *batch)]

    workers = [record["worker"] for record in run.log]
    *_, last = replay(workers, run.make(), MLP.initial_weights(), compute_update)
    return last


# Every rule


@each_rule
def test_a_run_ends_with_its_last_update_and_everybody_is_sent_home(live, name):
    run = live(name)
    assert run.version == run.num_updates
    assert run.results == [None] * WORKERS
    assert {record["worker"] for record in run.log} == set(range(WORKERS))


@each_rule
def test_a_replay_of_the_recorded_order_reaches_the_same_weights(live, shards, name):
    """In one environment to the last bit; elsewhere NumPy may add up otherwise."""
    run = live(name)
    assert_close(run.weights, replayed(run, shards))


@each_rule
def test_nobody_begins_a_step_before_it_is_let_go(live, name):
    let_go = {}
    for record in live(name).log:
        began, computed, arrived = record["times"]
        assert let_go.get(record["worker"], began) <= began <= computed <= arrived
        let_go |= dict.fromkeys(record["go"], arrived)


@each_rule
def test_nobody_pushes_twice_without_being_let_go_in_between(live, name):
    computing = set(range(WORKERS))
    for record in live(name).log:
        computing.remove(record["worker"])
        assert computing.isdisjoint(record["go"])
        computing |= set(record["go"])


@each_rule
def test_a_run_learns(live, digits, name):
    assert MLP.accuracy(live(name).weights, *digits[2:]) > 0.5  # by chance 0.1


# What each rule promises


def test_asynchronous_workers_never_wait(live):
    assert all(record["go"] == [record["worker"]] for record in live("async").log)


def test_synchronous_workers_all_push_once_a_round_and_nothing_is_stale(live):
    run = live("sync")
    assert len(run.log) == WORKERS * run.num_updates
    assert {record["staleness"] for record in run.log} == {0}
    everyone = list(range(WORKERS))
    for start in range(0, len(run.log), WORKERS):
        pushes = run.log[start : start + WORKERS]
        assert sorted(record["worker"] for record in pushes) == everyone
        assert [record["go"] for record in pushes] == [[], [], [], everyone]


def test_synchronous_training_is_training_with_large_batches(live, shards):
    run, weights = live("sync"), MLP.initial_weights()
    for step in range(run.num_updates):
        batches = [
            data.draw_batch(shard, BATCH, [SEED, worker, step])
            for worker, shard in enumerate(shards)
        ]
        x, y = map(np.concatenate, zip(*batches, strict=True))
        gradient = MLP.gradient(weights, x, y)
        weights = [w - run.lr * g for w, g in zip(weights, gradient, strict=True)]
    for weight, expected in zip(run.weights, weights, strict=True):
        np.testing.assert_allclose(weight, expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize(("name", "bound"), [("ssp", 2), ("ssp bound 0", 0)])
def test_nobody_goes_on_who_is_further_ahead_than_the_bound(live, name, bound):
    steps = Counter(dict.fromkeys(range(WORKERS), 0))
    for record in live(name).log:
        steps[record["worker"]] += 1
        for worker in record["go"]:
            assert steps[worker] <= min(steps.values()) + bound
    assert max(steps.values()) <= min(steps.values()) + bound + 1


def test_staleness_is_bounded_as_well(live):
    stalest = max(record["staleness"] for record in live("ssp").log)
    assert stalest <= (WORKERS - 1) * (2 * 2 + 1)


def test_bound_0_with_quarters_of_the_updates_learns_what_rounds_learn(live):
    assert RULES["ssp bound 0"][2] == RULES["sync"][2] / WORKERS
    assert_close(live("ssp bound 0").weights, live("sync").weights)


def test_with_a_backup_worker_three_pushes_make_an_update_and_late_ones_none(live):
    run = live("backup")
    dropped = [record for record in run.log if record["dropped"]]
    assert len(run.log) - len(dropped) == 3 * run.num_updates
    assert dropped and all(record["staleness"] > 0 for record in dropped)
    assert all(record["go"] == [record["worker"]] for record in dropped)


# Answers of the server


def is_answered(reference, ps):
    """Tell whether a call was answered when the server has turned to later ones."""
    get(ps.report.remote())
    return bool(ray.wait([reference], timeout=0.2)[0])


def waiting_server(rule, num_workers, num_updates):
    return WaitingActor.remote([np.zeros(2)], rule, num_workers, num_updates)


def push(ps, worker, *update):
    return ps.push_then_pull.remote(worker, [np.array(update)], [1.0, 2.0])


def test_nobody_begins_before_all_have_joined(running_ray):
    ps = waiting_server(Asynchronous(), 3, num_updates=1)
    first, second = ps.join.remote(2), ps.join.remote(0)
    assert not is_answered(first, ps) and not is_answered(second, ps)
    for [weight] in get([ps.join.remote(1), first, second]):
        np.testing.assert_array_equal(weight, np.zeros(2))


def test_a_push_is_answered_with_the_weights_when_the_rule_lets_go(running_ray):
    ps = waiting_server(Synchronous(needed=2), 2, num_updates=2)
    first = push(ps, 0, 2.0, 4.0)
    assert not is_answered(first, ps)
    for [weight] in get([push(ps, 1, 4.0, 0.0), first]):
        np.testing.assert_array_equal(weight, [3.0, 2.0])


def test_who_still_waits_at_the_end_is_sent_home_and_later_pushes_do_nothing(
    running_ray,
):
    ps = waiting_server(StaleSynchronous(2, bound=0), 2, num_updates=2)
    waits = push(ps, 0, 1.0, 1.0)
    assert not is_answered(waits, ps)
    assert get([push(ps, 1, 2.0, 2.0), waits]) == [None, None]
    assert get(push(ps, 0, 5.0, 5.0)) is None
    version, [weight], log = get(ps.report.remote())
    assert (version, len(log)) == (2, 2)
    np.testing.assert_array_equal(weight, [3.0, 3.0])


def test_the_server_adds_its_own_time_to_a_record(running_ray):
    ps = waiting_server(Asynchronous(), 1, num_updates=2)
    get([push(ps, 0, 1.0, 1.0), push(ps, 0, 1.0, 1.0)])
    times = [record["times"] for record in get(ps.report.remote())[2]]
    assert [record[:2] for record in times] == [[1.0, 2.0]] * 2
    assert 2.0 < times[0][2] <= times[1][2]


# Failures


@pytest.mark.parametrize("rule", [Asynchronous(), Synchronous(2)])
def test_a_worker_that_fails_says_so_instead_of_hanging(start, shards, rule):
    x, y = shards[1]
    too_few_pixels = x[:, :32], y
    _, tasks = start(rule, 20, shards=[shards[0], too_few_pixels])
    with pytest.raises(ValueError, match="matmul"):
        get(tasks)


def test_an_update_that_does_not_fit_is_refused(running_ray):
    ps = waiting_server(Asynchronous(), 2, num_updates=5)
    with pytest.raises(ValueError, match="does not fit"):
        get(push(ps, 0, 1.0, 2.0, 3.0))
    [weight] = get(push(ps, 1, 1.0, 2.0))
    np.testing.assert_array_equal(weight, [1.0, 2.0])


def test_a_server_that_dies_ends_its_workers(start):
    ps, tasks = start(Synchronous(WORKERS + 1), 1)  # they would wait for ever
    ray.kill(ps)
    gone = "The actor died|the server has gone"
    with pytest.raises((ray.exceptions.RayActorError, RuntimeError), match=gone):
        get(tasks)
