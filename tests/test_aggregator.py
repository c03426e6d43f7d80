"""Tests of training on a cluster: two nodes of Ray on this machine."""

import subprocess
import sys
import tempfile
import time
from collections import Counter

import psutil
import pytest
import ray
from test_training import (
    BATCH,
    MLP,
    SEED,
    WEIGHTS,
    WORKERS,
    assert_close,
    large_batches,
)

from ps_helpers.lab import data, session
from ps_helpers.parameter_server import worker_task
from ps_helpers.settings import Settings
from ps_helpers.team import Team, cpus_of_nodes, spread_over

RAY = [sys.executable, "-m", "ray.scripts.scripts"]


@pytest.fixture(scope="module")
def address(running_ray):
    """Let a second node join this process's Ray; return the cluster's address."""
    address = ray.get_runtime_context().gcs_address
    environment = next(
        process.environ()
        for process in psutil.Process().children(recursive=True)
        if "RAY_AUTH_TOKEN" in process.environ()
    )
    command = [*RAY, "start", f"--address={address}", "--num-cpus=2", "--block"]
    command.append(f"--object-store-memory={session.OBJECT_STORE_BYTES}")
    with tempfile.TemporaryFile("w+") as output:
        streams = {"stdout": output, "stderr": output}
        process = subprocess.Popen(command, env=environment, **streams)
        deadline = time.monotonic() + 120
        while len(cpus_of_nodes()) < 2:
            output.seek(0)
            said = output.read()
            assert process.poll() is None and time.monotonic() < deadline, said
            time.sleep(0.1)
        yield address
        for one in [*psutil.Process(process.pid).children(True), process]:
            one.kill()
        process.wait(60)
        session.stop()


@pytest.fixture
def start(address, digits):
    """Return a function that starts a team; end what is left of it after the test."""
    teams, shards = [], data.shards(*digits[:2], WORKERS)

    def start(**chosen):
        own = {"engine": "numpy", "batch_size": BATCH, "seed": SEED}
        settings = Settings(fast=True, address=address, **own | chosen)
        teams.append(Team(settings, WEIGHTS, shards, worker_task))
        return teams[-1]

    yield start
    for team in teams:
        team.kill()


def follow(team):
    """Return a team's last report, and its whole log."""
    log = []
    for report in team.reports(0.1):
        log += report.log
    return report, log


def test_rounds_over_nodes_are_training_with_large_batches(start, digits):
    """Also where a worker is killed on the way, and starts again in its place."""
    rounds = {"consistency": "sync", "learning_rate": 0.8}
    for num_servers, num_updates in ((1, 12), (2, 60)):
        team = start(num_servers=num_servers, num_updates=num_updates, **rounds)
        reports, log = team.reports(0.05), []
        for report in reports:
            log += report.log
            if num_servers == 2 and not team.events:
                [task] = [t for t, w in team.running.items() if w == 1]
                ray.cancel(task, force=True)
        shards = data.shards(*digits[:2], WORKERS)
        expected = large_batches(shards, num_updates)
        assert_close(report.weights, expected, within=1e-5)
        assert len(team.aggregators) == len(set(team.node_of)) == 2
        assert [push.staleness for push in log] == [0] * num_updates * WORKERS
        steps = sorted(push[:2] for push in log)
        assert steps == [(w, s) for w in range(WORKERS) for s in range(num_updates)]
    assert "worker 1 has died and is started again." in [
        said for _, said in team.events
    ]


def test_who_need_not_wait_for_all_is_counted_and_held_as_on_one_machine(start):
    for chosen in (
        {"num_updates": 60, "num_servers": 2},
        {"num_updates": 60, "consistency": "ssp", "lead": 1},
        {"num_updates": 30, "optimizer": "adam", "num_servers": 2},
    ):
        team = start(**chosen)
        report, log = follow(team)
        assert report.version == len(log) == chosen["num_updates"]
        found = [sorted(p[:2] for p in r.log) for r in reports_of(team)]
        assert all(one == sorted(push[:2] for push in log) for one in found)
        assert any(push.staleness > 0 for push in log)
        if "lead" in chosen:
            steps = Counter(dict.fromkeys(range(WORKERS), 0))
            for push in log:
                steps[push.worker] += 1
                assert all(steps[w] <= min(steps.values()) + 1 for w in push.go)


def reports_of(team):
    return team.ask(*(server.report.remote() for server in team.servers))


def test_few_numbers_of_each_sum_learn_as_much(start, digits):
    chosen = {"consistency": "sync", "num_updates": 60, "learning_rate": 0.8}
    report, _ = follow(start(compress="topk", num_servers=2, **chosen))
    # Without what is owed it would be 1.0.
    assert MLP.loss(report.weights, *digits[2:]) < 0.6


def test_local_steps_over_nodes_learn_with_half_the_bytes(start, digits):
    chosen = {"consistency": "sync", "num_updates": 10, "local_steps": 8}
    report, _ = follow(start(compress="float16", **chosen))
    assert MLP.accuracy(report.weights, *digits[2:]) > 0.8


def test_what_cannot_be_is_refused_and_one_node_shares_memory(start, monkeypatch):
    with pytest.raises(ValueError, match="none can be left out: choose async, sync"):
        start(consistency="backup", num_workers=3)
    monkeypatch.setattr("ps_helpers.team.cpus_of_nodes", lambda: {"one": 4})
    with pytest.raises(ValueError, match="on one node --fast needs one server"):
        start(num_servers=2)
    with pytest.raises(ValueError, match="--compress: on one node nothing crosses"):
        start(compress="topk")
    team = start(num_updates=20)
    assert follow(team)[0].version == 20 and not team.aggregators


def test_workers_go_where_most_cpus_are_left():
    assert spread_over({"a": 1, "b": 4, "c": 2}, 6) == ["b", "b", "b", "c", "a", "b"]
