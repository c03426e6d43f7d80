"""Kill workers and servers of a team at chosen moments, and count what was counted.

Every step of every worker has a place of its own in the weights, to which it adds 1.
So the weights of a run say which steps were counted, and how often.
"""

import os
import signal
import stat
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import ray

from ps_helpers.endpoint import connect
from ps_helpers.server import Server
from ps_helpers.settings import Settings
from ps_helpers.team import Team
from ps_helpers.worker import work

WORKERS, STEPS = 4, 8000
PARTS = "abc"  # on each of three servers one
SHAPES = dict.fromkeys(PARTS, (WORKERS, STEPS))
WEIGHTS = {key: np.zeros(shape, np.float32) for key, shape in SHAPES.items()}
WAYS = {
    "messages": {},
    "shared memory": {"fast": True},
    "three servers": {"num_servers": 3},
}
SHARES = {"async": 1, "ssp": 1, "sync": 1 / WORKERS}  # of an update, one push


class Counting:
    """Add 1 to a step's own place in each of the weights, after some time."""

    def __init__(self, worker, seconds):
        self.worker, self.seconds = worker, seconds

    def compute(self, pulled, into):
        time.sleep(self.seconds)
        for place in into:
            place[...] = 0
            place[self.worker, pulled.step % STEPS] = 1


def make_task(folder, seconds=0.01):
    """Return a task that counts, and leaves its process number in a folder."""

    @ray.remote(max_retries=0)
    def counting_task(ps, worker, shard, settings):
        Path(folder, f"worker{worker}").write_text(str(os.getpid()))
        return work(connect(ps, worker, SHAPES), Counting(worker, seconds))

    return counting_task


def start(folder, way, rule="async", seconds=0.01, **chosen):
    """Start a team that counts and saves its servers in a folder."""
    pids, saved = Path(folder, "pids"), Path(folder, "saved")
    pids.mkdir(exist_ok=True)
    own = {"num_workers": WORKERS, "consistency": rule, "checkpoint": saved}
    settings = Settings(**own | WAYS[way] | chosen)
    return Team(settings, WEIGHTS, [None] * WORKERS, make_task(pids, seconds))


def server_pid(ps):
    return ray.get(ps.__ray_call__.remote(lambda gate: os.getpid()), timeout=60)


def die(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)


def tear(file):
    if stat.S_ISREG(os.fstat(file).st_mode):
        os.ftruncate(file, 5000), die()


def then_die(call):
    return lambda *arguments: (call(*arguments), die())


TRAPS = {  # moment -> what in the process of a server becomes something else
    "before a push": (Server, "push", die),
    "after a push": (Server, "push", then_die(Server.push)),  # saved, not answered
    "with half a file": (os, "fsync", tear),
    "before the new name": (os, "replace", die),
    "after the new name": (os, "replace", then_die(os.replace)),
}


def set_trap(gate, moment):
    """Let the process of a server kill itself when it comes to a moment."""
    setattr(*TRAPS[moment])


DIRECT = "worker", "server", "ray.kill"


def kill(team, folder, what, rng):
    """Kill a worker or a server, or let a server kill itself in its next push."""
    # One that is dead already, or has not begun, is not there to be killed.
    with suppress(ray.exceptions.RayError, ProcessLookupError, FileNotFoundError):
        ps = team.servers[rng.integers(len(team.servers))]
        if what == "worker":
            worker = rng.choice(sorted(team.members))
            pid = Path(folder, "pids", f"worker{worker}").read_text()
            os.kill(int(pid), signal.SIGKILL)
        elif what == "server":
            os.kill(server_pid(ps), signal.SIGKILL)
        elif what == "ray.kill":
            ray.kill(ps)
        else:
            ray.get(ps.__ray_call__.remote(set_trap, what), timeout=60)


def assert_each_once(team, report):
    """Assert that of each worker's steps the first so many were counted, and once."""
    num_updates, share = report.version, SHARES[team.settings.consistency]
    assert max(report.steps.values()) < STEPS and num_updates > 0
    for counts in np.array(report.weights) / share:
        done = counts.sum(axis=1).astype(int)
        np.testing.assert_array_equal(counts, np.arange(STEPS) < done[:, None])
        assert counts.sum() == num_updates / share


def run(folder, way, rule, kills, seed=0, pause=0.05, **chosen):
    """Train with these kills, at random moments, and stop some pushes after the last.

    Returns the team, its last report, and (what was killed, seconds until a push came
    of what was started in its place).
    """
    rng, kills, recovered = np.random.default_rng(seed), list(kills), []
    team = start(folder, way, rule, num_updates=10**6, **chosen)
    what, killed, known = None, 0.0, 0
    pushes, next_kill = 0, rng.integers(20, 60)  # so many pushes after the last
    for report in team.reports(pause):
        pushes += len(report.log)
        if what and len(team.events) > known:
            worker = team.events[known][1].partition("worker ")[2][:1]
            if not worker or int(worker) in {push.worker for push in report.log}:
                begun = killed if what in DIRECT else team.events[known][0]
                recovered.append((what, time.time() - begun))
                what, pushes, next_kill = None, 0, rng.integers(20, 60)
        if what and len(team.events) == known and time.time() > killed + 15:
            killed = time.time()
            kill(team, folder, what, rng)  # it had hit a process without a task
        if what or pushes < next_kill or team.stopped:
            continue
        if not kills:
            team.stop()
            continue
        time.sleep(rng.random() * 0.02)
        known, what, killed = len(team.events), kills.pop(0), time.time()
        kill(team, folder, what, rng)
    assert len(recovered) > 0 and not kills
    return team, report, recovered
