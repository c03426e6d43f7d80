"""Checks of notebook 06."""

import numpy as np

from ps_helpers.checks.tables import numbers, table
from ps_helpers.checks.verdict import require, whole_number


def two(result):
    """Return a result as a and b."""
    found = numbers(result)
    require(len(found) == 2, f"return two numbers, a and b; what came are {len(found)}")
    return dict(zip("ab", found, strict=True))


SIZES = np.array([1e6, 1e3, 1e5, 1e4, 1e7, 1e5])  # in no order, and one of them twice
NOISE = np.array([0.9, 1.2, 1.1, 0.85, 1.15, 0.95])


@table(
    calls=[
        (SIZES, (0.002 + SIZES / 4e8) * NOISE),
        (SIZES[::-1] * 1.5, (0.3 + SIZES / 7e6) * NOISE),
        (np.array([0, 1e6]), np.array([0.001, 0.003])),
        (SIZES[:3], (0.01 + SIZES[:3] / 2e7) * NOISE[:3]),
        (np.tile(SIZES, 2), np.tile((0.004 + SIZES / 5e8) * NOISE, 2) + SIZES[0] / 3e9),
    ],
    returns=two,
    mistakes={
        "it is plain least squares, which only cares for large messages: divide each "
        "equation by its seconds": "w = 1 / → w = 0 * seconds + 1 #",
        "b is in bytes a second: return 1 divided by the slope": "1 / slope → slope",
        "return a first, and then b": "a, 1 / slope → 1 / slope, a",
        "a is in seconds, not in calls a second": [
            *("return a, → return 1 / a,", "return a, 1 / → return 1 / a,")
        ],
        "a is in seconds, not in milliseconds": "return a → return 1000 * a",
        "b is in bytes a second, not in megabytes": "1 / slope → 1e-6 / slope",
        "divide by the seconds, not their square root": "1 / seconds → seconds**-0.5",
        "divide by the seconds once, not twice": "1 / seconds → seconds**-2",
        "divide by the seconds; you multiplied by them": "1 / seconds → seconds",
        "divide the right side too: it is 1": "w * seconds → seconds",
        "divide the whole equation: in its left side are a and b": "w, w * → w, ",
        "divide the left side too": "[w, w * sizes] → [w * seconds, sizes]",
    },
)
def fit_cost(sizes, seconds):
    w = 1 / seconds
    a, slope = np.linalg.lstsq(np.stack([w, w * sizes], axis=1), w * seconds)[0]
    return a, 1 / slope


MORE = "as many rows as are taken need not have a free one: look at one more"


@table(
    calls=[
        *[(0, {0: 0, 1: 2}), (0, {}), (1, {}), (2, {0: 0, 1: 1}), (5, {1: 1, 2: 2})],
        *[(3, {0: 3, 1: 3, 2: 0}), (1, {0: 4, 1: 0, 2: 2}), (0, {7: 1, 9: 2, 3: 3})],
        *[
            (7, {worker: worker % 11 for worker in range(20)}),
            (2, {4: 11, 10: 0, 3: 1}),
        ],
        (9, {worker: (worker * 5 + 2) % 13 for worker in range(9)}),
    ],
    returns=whole_number,
    mistakes={
        "the newest row is taken: the next worker gets it": "newest, * → *",
        "nobody may write into a row that is read": ", *reading.values() →",
        "the rows are reading's values, its keys are workers": ".values() →",
        "a new row behind all others each time needs ever more memory: take the "
        "lowest that is free": "min(free) → max(taken) + 1",
        "take the lowest free row, not the highest": "min(free) → max(free)",
        "rows are counted from 0": "range(len(taken) + 1) → range(1, len(taken) + 2)",
        "your rows end before one is free: look at one more": "min(free) → "
        "next(iter(free - {len(reading) + 1}), None)",
    },
    raises=[(ValueError, "empty", MORE), (StopIteration, "", MORE)],
)
def free_row(newest, reading):
    taken = {newest, *reading.values()}
    free = set(range(len(taken) + 1)) - taken
    return min(free)
