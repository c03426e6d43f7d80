"""Measure ways to train over links: a driver on node 0, started by `test_links.py`.

Prints JSON. Its argument is JSON, too: which of MEASURES, and its arguments.
"""

import contextlib
import functools
import json
import math
import sys
import tempfile
import time

import links
import numpy as np
import patterns
import ray
import strategies

from ps_helpers.lab import data, session
from ps_helpers.nodes import cpus_of_nodes, pinned_to, spread_over
from ps_helpers.parameter_server import worker_task
from ps_helpers.settings import Settings
from ps_helpers.team import Team

ray.cloudpickle.register_pickle_by_value(patterns)

TEAM = 4
SIZE = patterns.SIZES[2]  # 23 MB
MESSAGES = "ours, Ray's messages"
ROUNDS, ASYNC = "ours, one sum a node, in rounds", "ours, one sum a node"
LOCAL, HALF, TOPK = (f"{ROUNDS}, {more}" for more in ("local", "float16", "topk"))
ADDRESS = f"{links.address(0)}:{links.PORT}"
OURS = functools.partial(patterns.Ours, every=1, address=ADDRESS)  # seconds, as usual
NODES = functools.partial(OURS, num_servers=2)
PATTERNS = {
    patterns.LIMIT: patterns.Limit,
    patterns.SYNCHRONOUS: patterns.PATTERNS[patterns.SYNCHRONOUS],
    patterns.ASYNCHRONOUS: patterns.PATTERNS[patterns.ASYNCHRONOUS],
    MESSAGES: functools.partial(OURS, 1, fast=False),
    ROUNDS: functools.partial(NODES, 1, consistency="sync"),
    ASYNC: functools.partial(NODES, 1),
    HALF: functools.partial(NODES, 1, consistency="sync", compress="float16"),
    TOPK: functools.partial(NODES, 1, consistency="sync", compress="topk"),
    LOCAL: functools.partial(NODES, patterns.MANY),
}


def measure_rates(num_rounds, window_seconds):
    """Return gradients a second by pattern, and of TensorFlow's strategies."""
    places = spread_over(cpus_of_nodes(), TEAM)
    workers = [patterns.Worker.options(**pinned_to(node)).remote() for node in places]
    case = patterns.prepare(workers, SIZE)
    patterns.share(case, TEAM)
    weights, digits = patterns.initial_weights(SIZE), patterns.images(SIZE)[:2]
    with strategies.running(TEAM, nodes=[1, 2]) as prepare:
        theirs = prepare(weights, *digits, patterns.BATCH, case.lr)
        started = {name: make(case) for name, make in PATTERNS.items()}
        windows = {name: pattern.window for name, pattern in started.items()} | theirs
        found = patterns.take_turns(windows, num_rounds, TEAM, window_seconds)
        for pattern in started.values():
            pattern.stop()
    return found


def start_team(hidden=SIZE.hidden, **chosen):
    """Return a team on two nodes, with a server on each."""
    own = {"num_workers": TEAM, "num_updates": patterns.NEVER, "learning_rate": 0.001}
    own |= {"fast": True, "num_servers": 2, "engine": "numpy", "hidden": hidden}
    own |= {"batch_size": patterns.BATCH, "address": ADDRESS, "patience": 600}
    classifier = patterns.load(SIZE._replace(hidden=hidden), "numpy")
    pairs = zip(classifier.keys, classifier.initial_weights(), strict=True)
    shards = data.shards(*patterns.images(SIZE)[:2], TEAM)
    return Team(Settings(**own | chosen), dict(pairs), shards, worker_task)


def play(num_rounds):
    """Return the log of a team on two nodes, and the bytes that crossed each link."""
    before = np.array(links.crossed())
    team = start_team(num_updates=num_rounds, consistency="sync")
    log = [push for report in team.reports(600) for push in report.log]
    team.kill()
    return log, np.array(links.crossed()) - before


def measure_rounds(few, many):
    """Return the seconds of rounds, and the bytes that one makes cross each link.

    Bytes are those of ``many`` rounds less those of ``few``: what starts, and what is
    reported, is the same.
    """
    _, begun = play(few)
    log, crossed = play(many)
    arrived = np.sort([push.arrived for push in log]).reshape(-1, TEAM).max(axis=1)
    return {
        "seconds": list(np.diff(arrived)[few:]),
        "bytes": ((crossed - begun) / (many - few)).tolist(),
    }


def measure_cut(updates):
    """Cut node 2 off after some updates; go on until as many more have come.

    Returns what the team has noted, the seconds in which nothing came, and in the end
    the updates, and the steps that all workers have done.
    """
    before, moved, gap, cut = 0, math.inf, 0, False
    with tempfile.TemporaryDirectory() as folder:
        team = start_team(consistency="async", checkpoint=f"{folder}/saved", hidden=503)
        for report in team.reports(0.1):
            if not cut and report.version >= updates:
                links.cut(2)
                before, cut = report.version, True
            gap, moved = max(gap, time.time() - moved), time.time()
            if team.events and report.version >= before + updates:
                team.stop()
    notes = [sentence for _, sentence in team.events]
    counted = report.version, sum(report.steps.values())
    return {"notes": notes, "seconds": gap, "counted": counted}


MEASURES = {"rates": measure_rates, "rounds": measure_rounds, "cut": measure_cut}

if __name__ == "__main__":
    name, *numbers = json.loads(sys.argv[1])
    session.start(TEAM, "tensorflow", ADDRESS)
    with contextlib.redirect_stdout(sys.stderr):
        found = MEASURES[name](*numbers)
    print(json.dumps(found))
    session.stop()
