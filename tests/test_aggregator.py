"""Tests of training on a cluster: two nodes of Ray on this machine."""

import os
import signal
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
from ps_helpers.nodes import cpus_of_nodes, spread_over
from ps_helpers.parameter_server import worker_task
from ps_helpers.settings import Settings
from ps_helpers.team import Team


@pytest.fixture(scope="module")
def address(stop_ray_at_the_end):
    """Start three nodes, which soon notice that one is lost; return their address."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_health_check_period_ms", "1000")
        session.start(2, num_nodes=3)
    yield ray.get_runtime_context().gcs_address
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
    """Also where a worker or an aggregator is killed on the way, and replaced."""
    rounds = {"consistency": "sync", "learning_rate": 0.8, "num_updates": 60}
    expected = large_batches(data.shards(*digits[:2], WORKERS), 60)
    for num_servers, sentence in (
        (1, "an aggregator has died; of its workers are 2 started again, 0 counted"),
        (2, "worker 0 has died and is started again."),
    ):
        team, log, killed = start(num_servers=num_servers, **rounds), [], False
        assert len(set(team.aggregators.values())) == 3
        for report in team.reports(0.05):
            log += report.log
            if not killed and num_servers == 1:
                os.kill(processes_of(team, 0)[0], signal.SIGKILL)
            elif not killed:
                [task] = [t for t, w in team.running.items() if w == 0]
                ray.cancel(task, force=True)
            killed = True
        assert_close(report.weights, expected, within=1e-5)
        assert [push.staleness for push in log] == [0] * 60 * WORKERS
        steps = sorted(push[:2] for push in log)
        assert steps == [(w, s) for w in range(WORKERS) for s in range(60)]
        [(_, said)] = team.events
        assert said.startswith(sentence)


def processes_of(team, worker):
    """Return the processes of a worker's aggregator and of its raylet."""
    call = team.aggregators[worker].__ray_call__
    return ray.get(call.remote(lambda it: (os.getpid(), os.getppid())))


def test_who_need_not_wait_for_all_is_counted_and_held_as_on_one_machine(start):
    for chosen in (
        {"num_updates": 60, "num_servers": 2},
        {"num_updates": 60, "consistency": "ssp", "lead": 1},
        {"num_updates": 30, "optimizer": "adam", "num_servers": 2},
    ):
        team = start(**chosen)
        report, log = follow(team)
        assert report.version == len(log) == chosen["num_updates"]
        for one in team.ask(*(server.report.remote() for server in team.servers)):
            assert sorted(p[:2] for p in one.log) == sorted(p[:2] for p in log)
        assert any(push.staleness > 0 for push in log)
        if "lead" in chosen:
            steps = Counter(dict.fromkeys(range(WORKERS), 0))
            for push in log:
                steps[push.worker] += 1
                assert all(steps[w] <= min(steps.values()) + 1 for w in push.go)


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
    monkeypatch.setattr("ps_helpers.nodes.cpus_of_nodes", lambda: {"one": 4})
    with pytest.raises(ValueError, match="on one node --fast needs one server"):
        start(num_servers=2)
    with pytest.raises(ValueError, match="--compress: on one node nothing crosses"):
        start(compress="topk")
    team = start(num_updates=20)
    assert follow(team)[0].version == 20 and not team.aggregators


def test_workers_go_where_most_cpus_are_left():
    assert spread_over({"a": 1, "b": 4, "c": 2}, 6) == ["b", "b", "b", "c", "a", "b"]


def test_a_lost_node_takes_its_workers_or_its_server_along_but_not_the_training(
    start, monkeypatch, tmp_path
):
    """Of three nodes the driver's remains: two CPUs for what were four workers."""
    mine = ray.get_runtime_context().get_node_id()
    ordered = dict(sorted(cpus_of_nodes().items(), key=lambda it: it[0] == mine))

    def in_order():
        alive = cpus_of_nodes()
        return {node: alive[node] for node in ordered if node in alive}

    monkeypatch.setattr("ps_helpers.nodes.cpus_of_nodes", in_order)
    saving = {"checkpoint": tmp_path / "saved", "checkpoint_every": 10}
    slow = {"num_updates": 10**6, "delays": [[0.02]] * WORKERS}
    team, victims, seen = start(**saving, **slow), [1, 0], 0
    assert [team.node_of[w] for w in range(3)] == [*ordered]  # the server is with 0
    for report in team.reports(0.05):
        if report.version < seen + 30:
            continue
        if victims and len(team.events) == 2 - len(victims):
            parent = psutil.Process(processes_of(team, victims.pop(0))[1])
            for process in (parent, *parent.children(recursive=True)):
                process.kill()
            seen = report.version + 10
        elif not victims and len(team.events) >= 4:
            team.stop()
    moved, failed, again, fewer = [sentence for _, sentence in team.events]
    assert moved == "a node is lost; of its workers are 1 started again, 0 counted out."
    assert failed.startswith("the server failed: ")
    assert fewer == "workers without a CPU are counted out: [2, 3]."
    assert again.startswith("training goes on from update ")
    assert team.members == {0, 1} and set(team.node_of[w] for w in (0, 1)) == {mine}
    assert report.version == sum(report.steps.values()) > seen
