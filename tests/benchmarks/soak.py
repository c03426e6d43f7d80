"""Train for half an hour while workers and servers are killed at random.

    make soak            # 1,800 seconds
    make soak ARGS=120   # two minutes

Each way in which updates travel has its turn, over and over again. Memory and open
files of the driver and of Ray's own processes, Ray's object store, the number of
processes, zombies, and files in the folders for temporary files are noted between
turns; the last quarter of the turns is compared with the second. Prints a table, writes
all to build/soak.json and draws build/soak.svg, like the one that is stored here;
returns 1 where something grows or is lost.
"""

import contextlib
import json
import os
import statistics
import sys
import tempfile
import time
from itertools import cycle
from pathlib import Path

import psutil

os.environ["RAY_DEDUP_LOGS_SKIP_REGEX"] = "."  # no page about each death; before ray
import ray  # noqa: E402

sys.path.insert(0, str(Path(__file__).parents[1]))
import kills  # noqa: E402

from ps_helpers.lab import plots, session  # noqa: E402

ray.cloudpickle.register_pickle_by_value(kills)
RESULTS = Path("build/soak.json")
SOME = ["worker", "server", "worker", "with half a file", "ray.kill", "after a push"]
LIMITS = {  # name -> by how much it may have grown
    "driver MB": 15,
    "Ray's own MB": 40,
    "driver files": 8,
    "object store MB": 5,
    "processes": 3,
    "zombies": 0,
    "files": 0,
}


def measure():
    """Return what must not grow, by name."""
    driver, zombies, own = psutil.Process(), 0, 0
    found = driver.children(recursive=True)
    for process in found:
        with contextlib.suppress(psutil.Error):  # it has just ended
            zombies += process.status() == psutil.STATUS_ZOMBIE
            if "ray::" not in "".join(process.cmdline()[:1]):  # or it is a worker
                own += process.memory_full_info().uss
    total = ray.cluster_resources().get("object_store_memory", 0)
    free = ray.available_resources().get("object_store_memory", 0)
    places = ["/dev/shm", tempfile.gettempdir()]
    mine = [name for place in places for name in os.listdir(place) if "soak" in name]
    return {
        "driver MB": driver.memory_full_info().uss / 1e6,
        "Ray's own MB": own / 1e6,
        "driver files": driver.num_fds(),
        "object store MB": (total - free) / 1e6,
        "processes": len(found),
        "zombies": zombies,
        "files": len(mine),
    }


def draw(turns, title):
    """Draw what was measured after each turn."""
    fig, axes = plots.new_figure(2, figsize=(8, 2.8), sharex=True)
    minutes = [turn["minutes"] for turn in turns]
    for ax, unit in zip(axes, (" MB", ""), strict=True):
        for name, marker in zip(LIMITS, plots.MARKERS, strict=False):
            if name.endswith(" MB") == bool(unit):
                values = [turn[name] for turn in turns]
                style = {"marker": marker, "markersize": 3, "linewidth": 1}
                ax.plot(minutes, values, label=name.removesuffix(unit), **style)
        ax.set(xlabel="minutes", ylabel=unit.strip() or "number", ylim=(0, None))
        ax.legend(fontsize=8)
    fig.suptitle(title, fontsize=10)
    fig.savefig(RESULTS.with_suffix(".svg"))


def main(seconds=1800):
    session.start(kills.WORKERS)
    end, turns, number, updates = time.time() + float(seconds), [], 0, 0
    for i, (way, rule) in enumerate(
        cycle([(way, rule) for way in kills.WAYS for rule in ("async", "sync")])
    ):
        if time.time() > end:
            break
        with tempfile.TemporaryDirectory(prefix="a run of soak") as folder:
            more = {"checkpoint_every": 1 + i % 7}
            some = SOME[: 6 if rule == "async" else 3]
            team, report, _ = kills.run(folder, way, rule, some, seed=i, **more)
            kills.assert_each_once(team, report)
            team.kill()
        number, updates = number + len(some), updates + report.version
        del team, report
        time.sleep(2)  # processes end
        minutes = {"minutes": (time.time() - end + float(seconds)) / 60}
        turns.append(measure() | minutes | {"way": way, "rule": rule})
        print(f"{way}, {rule}: {number} kills, {updates} updates", flush=True)
    session.stop()
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps({"kills": number, "turns": turns}, indent=1))
    draw(turns, f"{number} kills, 0 steps lost, 0 counted twice")
    quarter, grown = max(1, len(turns) // 4), []
    print(f"\n{number} kills, {updates} updates: 0 steps lost, 0 counted twice")
    for name, limit in LIMITS.items():
        values = [turn[name] for turn in turns]
        before = statistics.median(values[quarter : 2 * quarter] or values)
        after = statistics.median(values[-quarter:])
        grown += [name] if after - before > limit else []
        print(f"{name:16} {before:8.1f} then {after:8.1f}")
    print(f"These have grown: {', '.join(grown)}" if grown else "Nothing has grown.")
    return bool(grown)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
