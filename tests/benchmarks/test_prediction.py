"""Predict how long runs on Ray take from a few numbers that are measured in one.

Real runs depend on what else the machine does, so this is no part of the tests:
`make bench` runs it, and shows the table; with ARGS=--store notebook 09 does, too.
"""

import json
from collections import namedtuple

import numpy as np
import pytest
import ray

from ps_helpers.gate import GateActor
from ps_helpers.lab import benchmark, data, model, session
from ps_helpers.parameter_server import worker_task
from ps_helpers.records import Times, seconds
from ps_helpers.rules import Asynchronous, StaleSynchronous, Synchronous
from ps_helpers.settings import Settings
from ps_helpers.simulator import schedule
from ps_helpers.team import Team

STEPS = 36  # of each worker, where all do the same number: 1 to 6 seconds
BASE, SLOW, CHANCE = 0.02, 0.1, 0.1  # seconds of a step, and how many are slow
SMALL = 4  # workers; larger teams have longer steps, or cores would be what they share
TEAMS = 1, 2, 3, SMALL, 8, 16
MLP = model.load("mlp", "numpy")
SLEEPS = np.where(
    np.random.default_rng(0).random((max(TEAMS), 200)) < CHANCE, SLOW, BASE
)

Case = namedtuple("Case", "rule workers make num_updates")
Costs = namedtuple("Costs", "gradient push serve pull")
Row = namedtuple("Row", "rule workers measured predicted error")

CASES = [
    case
    for n in TEAMS
    for case in (
        Case("sync", n, lambda n=n: Synchronous(n), STEPS),
        Case("async", n, Asynchronous, n * STEPS),
        Case("ssp(2)", n, lambda n=n: StaleSynchronous(n, 2), n * STEPS),
        Case(f"backup {n - 1} of {n}", n, lambda n=n: Synchronous(n - 1), STEPS),
    )
    if case.rule != "backup 0 of 1"
]


WEIGHTS = dict(zip(MLP.keys, MLP.initial_weights(), strict=True))


def delays_of(workers):
    """Return the seconds by which steps are delayed, by worker and step."""
    return SLEEPS * max(1, workers / SMALL)


def get(references):
    return ray.get(references, timeout=60)


def run(case, train):
    """Return the log of a run on Ray."""
    settings = Settings(
        engine="numpy",
        learning_rate=0.1,
        num_updates=case.num_updates,
        delays=delays_of(case.workers),
    )
    shards = data.shards(*train, case.workers)
    team = Team(settings, WEIGHTS, shards, worker_task, case.make())
    log = [push for report in team.reports() for push in report.log]
    team.kill()
    return log


def predict(case, costs):
    delays, messages = delays_of(case.workers), costs._asdict()
    gradient = messages.pop("gradient")

    def compute(worker, step):
        return gradient + delays[worker, step % delays.shape[1]]

    rule, end = case.make(), {"num_updates": case.num_updates}
    return seconds(schedule(rule, case.workers, compute, **end, **messages))


def serve_seconds():
    """Return what the server spends on a push while more of them queue up."""
    parts, team = {"rule": Asynchronous()}, range(400)
    gate = GateActor.remote(list(WEIGHTS), MLP.initial_weights(), parts)
    update = get([gate.join.remote(worker) for worker in team])[0].weights
    push, times = gate.push_then_pull.remote, Times(0, 0, 0)
    get([push(worker, 0, update, times) for worker in team])
    arrived = [push.arrived for push in get(gate.report.remote()).log]
    ray.kill(gate)
    return np.median(np.diff(arrived))


def calibrate(train):
    """Return the costs that one worker alone, and a queue of pushes, tell of."""
    log = run(Case("alone", 1, Asynchronous, 2 * STEPS), train)
    began, computed = np.transpose([push.times[1:] for push in log])
    arrived, serve = np.array([push.arrived for push in log]), serve_seconds()
    return Costs(
        gradient=np.median(computed - began - SLEEPS[0, : len(log)]),
        push=max(0, np.median(arrived - computed) - serve),
        serve=serve,
        pull=np.median(began[1:] - arrived[:-1]),
    )


def print_table(costs, rows):
    spent = zip(Costs._fields, costs, strict=True)
    print("\n" + ", ".join(f"{name} {1000 * cost:.2f} ms" for name, cost in spent))
    print("rule            workers  measured s  predicted s    error")
    for rule, workers, measured, predicted, error in rows:
        print(f"{rule:16}{workers:7}{measured:12.2f}{predicted:13.2f}{error:+9.1%}")
    print(f"median of the absolute errors: {median_error(rows):.1%}")


def median_error(rows):
    return np.median([abs(row.error) for row in rows])


@pytest.fixture(scope="module")
def rows(request, stop_ray_at_the_end, digits):
    session.start(max(TEAMS), "numpy")
    starting = Case("to start the workers' processes", max(TEAMS), Asynchronous, 160)
    run(starting, digits[:2])
    costs, rows = calibrate(digits[:2]), []
    for case in CASES:
        measured, predicted = seconds(run(case, digits[:2])), predict(case, costs)
        error = predicted / measured - 1
        rows.append(Row(case.rule, case.workers, measured, predicted, error))
    print_table(costs, rows)
    if request.config.getoption("--store"):
        text = json.dumps([row._asdict() for row in rows], indent=1)
        benchmark.FILE.with_name("predictions.json").write_text(text + "\n")
    return rows


def test_half_of_the_predictions_are_right_to_15_percent(rows):
    assert median_error(rows) <= 0.15


@pytest.mark.parametrize("workers", TEAMS)
def test_what_is_clearly_slower_is_predicted_to_be(rows, workers):
    sync, async_ = (
        next(row for row in rows if (row.rule, row.workers) == (rule, workers))
        for rule in ("sync", "async")
    )
    if sync.measured > 1.15 * async_.measured:
        assert sync.predicted > async_.predicted
    if async_.measured > 1.15 * sync.measured:
        assert async_.predicted > sync.predicted
