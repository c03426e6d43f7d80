"""Kill workers and servers 54 times, and measure recovery and the price of durability.

    make bench ARGS="tests/benchmarks/test_kills.py"

Recovery is from a kill to the first push of what was started in its place. The price
of a rule of durability is the seconds for a number of updates, divided by those
without checkpoints, one after the other in one run. All is printed, and written to
build/kills.json.
"""

import json
import statistics
from collections import defaultdict
from pathlib import Path

import kills
import numpy as np
import pytest
import ray

from ps_helpers.lab import data, model, session
from ps_helpers.parameter_server import worker_task
from ps_helpers.settings import Settings
from ps_helpers.team import Team

ray.cloudpickle.register_pickle_by_value(kills)
RESULTS = Path("build/kills.json")
ALL = ["worker", "server", "ray.kill", "worker", *kills.TRAPS]  # for each of six runs
DURABILITY = {"none": None, "every 100": 100, "every 10": 10, "every update": 1}
UPDATES, ROUNDS = 600, 3


@pytest.fixture(scope="module")
def results():
    session.start(kills.WORKERS)
    results = {}
    yield results
    session.stop()
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(results, indent=1))


def test_54_kills_lose_nothing_and_count_nothing_twice(results, tmp_path):
    seconds, number = defaultdict(list), 0
    for way in kills.WAYS:
        for rule in ("async", "sync"):
            folder = tmp_path / f"{way} {rule}"
            folder.mkdir()
            more = {"checkpoint_every": 5}
            order = list(np.random.default_rng(number).permutation(ALL))
            team, report, recovered = kills.run(folder, way, rule, order, 7, **more)
            kills.assert_each_once(team, report)
            team.kill()
            number += len(order)
            for what, took in recovered:
                who = "worker" if what == "worker" else "server"
                seconds[f"{way}, {who}"].append(took)
    assert number == 54
    results["kills"] = number
    results["recovery"] = {
        name: [len(took), statistics.median(took), max(took)]
        for name, took in seconds.items()
    }
    print(f"\n{number} kills: 0 steps lost, 0 counted twice")
    for name, (n, median, most) in results["recovery"].items():
        print(f"{name:24} {n:3} median {median:5.1f} s, at most {most:5.1f} s")


def seconds_of(settings, parts):
    """Return the seconds from the first step to the last push of a run."""
    team, log = Team(settings, *parts, worker_task), []
    for report in team.reports(0.2):
        log += report.log
    team.kill()
    return log[-1].arrived - min(push.times.began for push in log)


@pytest.mark.parametrize("way", ["messages", "shared memory"])
def test_the_price_of_durability(way, results, tmp_path):
    mlp = model.load("mlp", "numpy")
    weights = dict(zip(mlp.keys, mlp.initial_weights(), strict=True))
    parts = weights, data.shards(*data.load("digits")[:2], kills.WORKERS)
    found = defaultdict(list)
    for i in range(ROUNDS):
        for name, every in DURABILITY.items():
            own = {"engine": "numpy", "num_updates": UPDATES} | kills.WAYS[way]
            if every:
                folder = tmp_path / f"{name} {i}"
                own |= {"checkpoint": folder, "checkpoint_every": every}
            found[name].append(seconds_of(Settings(**own), parts))
    ratios = {
        name: statistics.median(map(np.divide, took, found["none"]))
        for name, took in found.items()
    }
    results[f"price, {way}"] = ratios
    print(f"\n{way}: seconds for {UPDATES} updates, as a ratio")
    for name, ratio in ratios.items():
        print(f"  {name:14} {ratio:5.2f}")
    assert ratios["every 100"] < ratios["every update"]
