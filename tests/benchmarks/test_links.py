"""Compare ways to train over links between machines, which are made out of this one.

    make bench ARGS="-k links"   # three nodes, four workers on two of them, 23 MB

Two cores do all the work, so a link is slow or fast beside them, as `links` shapes it.
All numbers are written to build/links.json, with --store also to
ps_helpers/lab/links.json, where notebook 08 finds them.
"""

import json
import subprocess
import sys
from pathlib import Path

import links
import numpy as np
import over_links
import patterns
import pytest
import strategies

from ps_helpers.lab import benchmark

RESULTS = Path("build/links.json")
RATES = {"100mbit": 12.5e6, "1gbit": 125e6, "10gbit": 1.25e9}  # bytes a second
LIMIT_S = 1800  # seconds until a driver that does not end is an error
HEADERS = 1448 / 1514  # of an Ethernet frame's bytes those are TCP's payload


def ask(environment, *words):
    """Return what a driver on node 0 measures."""
    program = Path(over_links.__file__).relative_to(links.ROOT)
    command = [sys.executable, program, json.dumps(words)]
    driver = links.on_node(0, *command, env=environment, stdout=subprocess.PIPE)
    out, _ = driver.communicate(timeout=LIMIT_S)
    assert driver.returncode == 0
    return json.loads(out)


@pytest.fixture(scope="module")
def cluster():
    if reason := links.why_not():
        pytest.skip(reason)
    with links.nodes(), links.ray_on_nodes(num_cpus=2) as found:
        yield found


@pytest.fixture(scope="module")
def results(request, cluster):
    environment, _ = cluster
    found = {"rounds": {}, "megabytes": over_links.SIZE.megabytes}
    links.shape("1gbit")
    found["rates"] = ask(environment, "rates", 3, 4)
    for rate in RATES:
        links.shape(rate)
        found["rounds"][rate] = ask(environment, "rounds", 4, 16)
    RESULTS.parent.mkdir(exist_ok=True)
    text = json.dumps(found, indent=1) + "\n"
    RESULTS.write_text(text)
    if request.config.getoption("--store"):
        benchmark.FILE.with_name("links.json").write_text(text)
    print_tables(found)
    return found


def print_tables(found):
    print(f"\n\ngradients a second, {found['megabytes']} MB, 1 Gbit/s")
    for name, rates in found["rates"].items():
        low, middle, high = min(rates), np.median(rates), max(rates)
        print(f"{name:60} {middle:6.1f} ({low:.1f}–{high:.1f})")
    for rate, one in found["rounds"].items():
        print(f"{rate}: {np.median(one['seconds']):.3f} s a round, MB {one['bytes']}")


def fastest(results, *names):
    return max(np.median(results["rates"][name]) for name in names)


def weights_bytes():
    return sum(weight.nbytes for weight in patterns.initial_weights(over_links.SIZE))


def test_one_sum_a_node_beats_the_documentation(results):
    documented = fastest(results, *patterns.DOCUMENTED)
    assert fastest(results, over_links.ROUNDS) >= 1.7 * documented
    assert fastest(results, over_links.LOCAL) >= 4 * documented


def test_one_sum_a_node_beats_tensorflows_strategies(results):
    theirs = fastest(results, strategies.SCHEDULED, strategies.RING)
    assert fastest(results, over_links.ROUNDS) > theirs


@pytest.mark.parametrize("rate", RATES)
def test_a_round_sends_what_notebook_8_says(results, rate):
    """Half an update and half of the weights each way, between the nodes of workers."""
    for node in (1, 2):
        for num_bytes in results["rounds"][rate]["bytes"][node]:
            # Counted before segments are cut to frames, which have headers.
            assert num_bytes == pytest.approx(weights_bytes(), rel=0.05)


def test_the_cost_model_predicts_the_slow_link(results):
    """What a round takes at 1 Gbit/s, and more for its bytes at a tenth of that."""
    fast, slow = (
        np.median(results["rounds"][r]["seconds"]) for r in ("1gbit", "100mbit")
    )
    num_bytes = weights_bytes() / HEADERS
    predicted = fast + num_bytes * (1 / RATES["100mbit"] - 1 / RATES["1gbit"])
    assert predicted == pytest.approx(slow, rel=0.15)


def test_a_node_is_cut_off_and_comes_back(cluster):
    """It is silent, not dead: nobody hears so before Ray counts it as lost."""
    environment, start = cluster
    links.shape("1gbit")
    found = ask(environment, "cut", 200)
    print(found)
    version, steps = found["counted"]
    assert version == steps >= 400  # nothing lost, nothing counted twice
    assert any("training goes on from update" in note for note in found["notes"])
    links.cut(2, whole=True)
    start(2)
    ask(environment, "rounds", 1, 3)  # which needs its CPUs
