"""What `make bench` has measured, as a table and as a figure.

The numbers are stored in benchmark.json beside this file; `make bench` writes it.
"""

import json
from pathlib import Path

import numpy as np

from ps_helpers.lab import plots

FILE = Path(__file__).with_name("benchmark.json")

FEW, MANY = 3, 16  # local steps
LIMIT, PAGE = "limit", "page"
SYNCHRONOUS, ASYNCHRONOUS = "documentation, synchronous", "documentation, asynchronous"
OURS = "ours, one gradient a push"
OURS_FEW, OURS_LOCAL = f"ours, {FEW} local steps", f"ours, {MANY} local steps"

COLOURS = plots.COLOURS
LOOKS = {  # of the patterns in the figure
    LIMIT: {"color": COLOURS["one process"], "linestyle": ":"},
    OURS_LOCAL: {"color": COLOURS["worker"], "marker": "s"},
    OURS_FEW: {"color": COLOURS["worker"], "marker": "D"},
    OURS: {"color": COLOURS["worker"], "marker": "o"},
    PAGE: {"color": COLOURS["message"], "marker": "v"},
    SYNCHRONOUS: {"color": COLOURS["server"], "marker": "^"},
    ASYNCHRONOUS: {"color": COLOURS["server"], "marker": "v", "linestyle": "--"},
}


def stored():
    """Return the stored numbers of `make bench`."""
    return json.loads(FILE.read_text())


def rates(found, num_workers=4):
    """Return {pattern: {megabytes: median gradients a second}} at so many workers."""
    result = {}
    for row in found["rates"]:
        if row["workers"] == num_workers:
            median = float(np.median(row["rates"]))
            result.setdefault(row["pattern"], {})[row["megabytes"]] = median
    return result


def table(found):
    """Return lines of text: gradients a second of each pattern, by megabytes."""
    by_pattern = rates(found)
    sizes = list(by_pattern[LIMIT])
    lines = [f"{'gradients a second':28}" + "".join(f"{s:>7} MB" for s in sizes)]
    for pattern in LOOKS:
        values = (by_pattern[pattern][size] for size in sizes)
        lines.append(f"{pattern:28}" + "".join(f"{value:10,.0f}" for value in values))
    return "\n".join(lines)


def figure(found):
    """Draw gradients a second of each pattern against the size of the weights."""
    fig, ax = plots.new_figure(figsize=(6.5, 3.8))
    by_pattern = rates(found)
    for pattern, look in LOOKS.items():
        sizes, values = zip(*by_pattern[pattern].items(), strict=True)
        ax.loglog(sizes, values, label=pattern, **look)
    ax.set(
        xlabel="megabytes of weights",
        ylabel="gradients a second",
        title="Shared memory stays near the limit, messages do not",
    )
    ax.legend(fontsize=9)
    return fig
