"""Tests of training on a cluster: two nodes of Ray on this machine."""

import subprocess
import sys
import tempfile
import time

import numpy as np
import psutil
import pytest
import ray

from ps_helpers.lab import data, model, session
from ps_helpers.parameter_server import worker_task
from ps_helpers.settings import Settings
from ps_helpers.team import Team, cpus_of_nodes, spread

RAY = [sys.executable, "-m", "ray.scripts.scripts"]
WORKERS, SEED, BATCH = 4, 5, 16
MLP = model.load("mlp", "numpy")
WEIGHTS = dict(zip(MLP.keys, MLP.initial_weights(), strict=True))


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
        session.stop()
        process.terminate()
        process.wait(60)


@pytest.fixture
def train(address, digits):
    """Return a function that trains; it returns the team, the last report, the log."""
    shards = data.shards(*digits[:2], WORKERS)

    def train(**chosen):
        own = {"engine": "numpy", "batch_size": BATCH, "seed": SEED}
        settings = Settings(fast=True, address=address, **own | chosen)
        team, log = Team(settings, WEIGHTS, shards, worker_task), []
        for report in team.reports(0.1):
            log += report.log
        team.kill()
        return team, report, log

    return train


def test_rounds_over_nodes_are_training_with_large_batches(train, digits):
    shards, weights = data.shards(*digits[:2], WORKERS), list(WEIGHTS.values())
    for step in range(12):
        batches = [
            data.draw_batch(shard, BATCH, [SEED, worker, step])
            for worker, shard in enumerate(shards)
        ]
        x, y = map(np.concatenate, zip(*batches, strict=True))
        gradient = MLP.gradient(weights, x, y)
        weights = [w - 0.8 * g for w, g in zip(weights, gradient, strict=True)]
    chosen = {"consistency": "sync", "num_updates": 12, "learning_rate": 0.8}
    for num_servers in (1, 2):
        team, report, log = train(num_servers=num_servers, **chosen)
        for weight, expected in zip(report.weights, weights, strict=True):
            np.testing.assert_allclose(weight, expected, rtol=0, atol=1e-5)
        assert len(team.aggregators) == len(set(team.node_of)) == 2
        assert [push.staleness for push in log] == [0] * 12 * WORKERS
        assert {push.worker for push in log} == set(range(WORKERS))
