"""Write README's table of speeds from what `make bench` has stored.

`make bench ARGS=--store` calls it; so does python -m ps_helpers.tools.speed.
"""

import json
import sys
from pathlib import Path
from statistics import median

from ps_helpers.tools import command
from ps_helpers.tools.command import SourceError

STORED = Path(__file__).parents[1] / "lab" / "benchmark.json"
TEAM, LEARNED, WEIGHED = 4, 1.6, 23  # workers; megabytes of what learns, is weighed
BEGIN, END = "is two processes without a server.\n\n", "\nEach time is for"
OURS = "ours, one gradient a push"
FEW, MANY = "ours, 3 local steps", "ours, 16 local steps"
PAGE = "documentation, synchronous", "documentation, asynchronous"
LABELS = {  # of the stored names, in README
    "ours": "shared memory",
    "page": "the loop of notebook 3",
    "documentation": "Ray's documentation",
}


def medians(found):
    """Return {name: {megabytes: gradients a second}} and {name: seconds}."""
    rates, learning = {}, {}
    for row in found["rates"]:
        if row["workers"] == TEAM:
            by_size = rates.setdefault(row["pattern"], {})
            by_size[row["megabytes"]] = median(row["rates"])
    for row in found["learning"]:  # at the best learning rate
        seconds = median(float("inf") if s is None else s for s in row["seconds"])
        learning[row["pattern"]] = min(seconds, learning.get(row["pattern"], seconds))
    return rates, learning


def section(found):
    """Return what README tells of what was found: a table and a sentence."""
    rates, learning = medians(found)
    sizes = list(rates["limit"])
    titles = [f"{size} MB" for size in sizes]
    titles += [f"seconds to 95 % at {LEARNED} MB", f"peak memory at {WEIGHED} MB"]
    lines = ["| | " + " | ".join(titles) + " |", "|---|" + "---:|" * len(titles)]
    for name in sorted(rates, key=lambda name: -rates[name][sizes[0]]):
        kind, comma, rest = name.partition(",")
        speeds = map(rates[name].get, sizes)  # None where it was not measured
        peak = found["memory"].get(name, {}).get(str(WEIGHED))
        cells = [LABELS.get(kind, kind) + comma + rest]
        cells += [v and f"{v:,.{0 if v >= 10 else 1}f}" for v in speeds]
        cells += [name in learning and f"{learning[name]:.2f}"]
        cells += [peak and f"{peak / 1e9:.1f} GB"]
        lines.append("|" + "|".join(f" {c} " if c else " " for c in cells) + "|")

    def ratios(name, *others):
        all_sizes = [rates[name][s] / max(rates[o][s] for o in others) for s in sizes]
        return f"{min(all_sizes):.2g} to {max(all_sizes):.2g}"

    sooner = min(learning[name] for name in PAGE) / learning[FEW]
    sentence = (
        f"With one gradient per push, shared memory is {ratios(OURS, *PAGE)} times as "
        f"fast as the better documentation pattern.\nWith 16 local steps it reaches "
        f"{ratios(MANY, 'limit')} of the limit; with 3 it reaches the target accuracy "
        f"{sooner:.2g} times as soon."
    )
    return "\n".join([*lines, "", sentence])


def make(folder):
    """Return {path: text of README}, its section on speed made of what is stored."""
    path = folder.parent / "README.md"
    before, begin, rest = path.read_text(encoding="utf-8").partition(BEGIN)
    _, end, after = rest.partition(END)
    if not end:
        raise SourceError(f"{path} has nothing between {BEGIN!r} and {END!r}")
    found = json.loads(STORED.read_text("utf-8"))
    return {path: before + begin + section(found) + end + after}


if __name__ == "__main__":
    sys.exit(command.keep(__doc__, make))
