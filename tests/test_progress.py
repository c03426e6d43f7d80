"""Tests of waiting for training with something to look at, and of interrupting it."""

import signal
import threading
import time

import numpy as np
import pytest
import ray

from ps_helpers import progress
from ps_helpers.lab import data, model, plots
from ps_helpers.rules import Asynchronous, Synchronous
from ps_helpers.waiting import WaitingActor, waiting_task

SOFTMAX = model.load("softmax", "numpy")
INITIAL = SOFTMAX.initial_weights()


def start(shards, rule, num_updates, delay):
    """Start two workers that take so many seconds a step; return server and tasks."""
    ps = WaitingActor.remote(INITIAL, rule, 2, num_updates)
    tasks = [
        waiting_task.remote(ps, worker, shard, [delay], 8, 0.1, "softmax", "numpy")
        for worker, shard in enumerate(shards)
    ]
    return ps, tasks


@pytest.fixture(scope="module")
def shards(digits):
    return data.shards(*digits[:2], 2)


def test_a_run_is_looked_at_while_it_grows(running_ray, shards):
    ps, tasks = start(shards, Asynchronous(), 40, delay=0.05)
    seen = []
    weights, log = progress.watch(
        ps, tasks, lambda weights, log: seen.append(len(log)), seconds=0.2
    )
    assert len(log) == 40
    assert seen == sorted(seen) and seen[-1] == 40 and len(seen) >= 3
    _, expected, _ = ray.get(ps.report.remote(), timeout=60)
    for weight, other in zip(weights, expected, strict=True):
        np.testing.assert_array_equal(weight, other)
    ray.kill(ps)


@pytest.mark.parametrize("rule", [Asynchronous(), Synchronous(3)])
def test_an_interrupted_run_gives_its_places_back(running_ray, shards, rule):
    """Synchronous(3) waits for a third worker that never comes."""
    ps, tasks = start(shards, rule, 10**6, delay=0.01)
    interrupt = threading.Timer(5, signal.raise_signal, [signal.SIGINT])
    interrupt.start()
    with pytest.raises(KeyboardInterrupt):
        progress.watch(ps, tasks)
    deadline = time.monotonic() + 60
    while ray.available_resources().get("CPU", 0) < 4:
        assert time.monotonic() < deadline, "workers still hold their places"
        time.sleep(0.1)
    ps, tasks = start(shards, Asynchronous(), 4, delay=0)  # the next cell runs
    assert len(progress.watch(ps, tasks)[1]) == 4
    ray.kill(ps)


def test_a_worker_that_fails_ends_the_run(running_ray, shards):
    ps, [task, _] = start(shards, Synchronous(2), 10**6, delay=0.01)

    @ray.remote(max_retries=0)
    def fail():
        raise RuntimeError("out of luck")

    with pytest.raises(RuntimeError, match="out of luck"):
        progress.watch(ps, [task, fail.remote()])
    with pytest.raises(ray.exceptions.RayActorError):
        ray.get(task, timeout=60)


def test_curves_grow_in_one_figure(digits, monkeypatch):
    shown, updated = [], []

    class Handle:
        def update(self, contents, **_):
            updated.append(contents)

    def display(contents, **_):
        shown.append(contents)
        return Handle()

    monkeypatch.setattr(plots, "display", display)
    curves = progress.GrowingCurves(SOFTMAX, INITIAL, digits[2:], "Loss falls.")
    log = [{"times": [10.0 + i, 10.5 + i, 11.0 + i]} for i in range(5)]
    for label in ("synchronous", "asynchronous"):
        look = curves.look(label)
        for length in (2, 5):
            look(INITIAL, log[:length])
    loss = SOFTMAX.loss(INITIAL, *digits[2:])
    assert curves.runs["asynchronous"] == [
        {"gradients": 0, "seconds": 0, "loss": loss},
        {"gradients": 2, "seconds": 2.0, "loss": loss},
        {"gradients": 5, "seconds": 5.0, "loss": loss},
    ]
    assert (len(shown), len(updated)) == (1, 3)
    assert {contents["text/plain"] for contents in shown + updated} == {"Loss falls."}
