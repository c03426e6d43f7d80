"""Checks of notebook 06."""

import numpy as np

from ps_helpers.checks.verdict import (
    as_numbers,
    exercise,
    listed,
    number,
    require,
)


def near(found, expected):
    return np.allclose(found, expected, rtol=1e-3, atol=0)


def least_squares(sizes, seconds, weights):
    """Return a and 1 / b for which weighted errors are the smallest."""
    rows = np.stack([weights, weights * sizes], axis=1)
    return np.linalg.lstsq(rows, weights * seconds)[0]


@exercise
def fit_cost(answer):
    sizes = [1_000, 10_000, 100_000, 1_000_000, 10_000_000]
    exact = [0.002 + size / 4e8 for size in sizes]
    given = list(sizes), list(exact)
    pair = listed(answer(*given))
    require(given == (sizes, exact), "it changed its arguments; only read them")
    require(
        len(pair) == 2,
        f"return two numbers, a and b; what came are {len(pair)}",
    )
    a, b = map(number, pair)
    require(
        not near([a, b], [0.002, 1 / 4e8]),
        "b is in bytes a second: return 1 divided by the slope",
    )
    require(not near([b, a], [0.002, 4e8]), "return a first, and then b")
    require(
        not near([a, b], [500, 4e8]) and not near([a, b], [500, 1 / 4e8]),
        "a is in seconds, not in calls a second",
    )
    require(
        near([a, b], [0.002, 4e8]) or not near([a, b], [2, 4e8]),
        "a is in seconds, not in milliseconds",
    )
    require(
        near([a, b], [0.002, 4e8]) or not near(b, 400),
        "b is in bytes a second, not in megabytes",
    )
    noise = np.array([1.2, 0.85, 1.1, 0.9, 1.15])
    sizes, seconds = np.array(sizes, float), np.array(exact) * noise
    a, b = map(number, listed(answer(list(sizes), list(seconds))))
    best = least_squares(sizes, seconds, 1 / seconds)
    for weights, reason in (
        (
            np.ones(5),
            "it is plain least squares, which only cares for the large messages: "
            "divide each equation by its seconds",
        ),
        (1 / seconds**0.5, "divide by the seconds, not by their square root"),
        (1 / seconds**2, "divide by the seconds once, not twice"),
        (1 / sizes, "divide each equation by its seconds, not by its bytes"),
        (seconds, "divide by the seconds; you multiplied by them"),
    ):
        a_wrong, slope = least_squares(sizes, seconds, weights)
        require(not near([a, b], [a_wrong, 1 / slope]), reason)
    require(a != 0, "an empty message is not free: fit a as well")
    require(
        not near(a, seconds[0]),
        "a is not the time of the smallest message: fit it with all of them",
    )
    ends = (seconds[-1] - seconds[0]) / (sizes[-1] - sizes[0])
    require(
        not near(b, 1 / ends),
        "it uses the first and the last message only: fit all of them",
    )
    require(
        near([a, 1 / b], best),
        f"for five noisy messages a is {a:.3g} and b {b:.3g}, instead of "
        f"{best[0]:.3g} and {1 / best[1]:.3g}: solve rows (1, bytes) / seconds = 1",
    )
    a, b = map(number, listed(answer([0, 1e6], [0.001, 0.003])))
    require(near([a, b], [0.001, 5e8]), "the example of the spec comes out wrong")


@exercise
def free_row(answer):
    situations = [
        (0, {0: 0, 1: 2}, 1),
        (0, {}, 1),
        (1, {}, 0),
        (2, {0: 0, 1: 1}, 3),
        (3, {0: 3, 1: 3, 2: 0}, 1),
        (1, {0: 4, 1: 0, 2: 2}, 3),
        (0, {7: 1, 9: 2, 3: 3}, 4),
        (5, {1: 1, 2: 2}, 0),
    ]
    found = []
    for newest, reading, _ in situations:
        given = dict(reading)
        result = answer(newest, given)
        require(result is not None, "it returned nothing; end it with a return")
        value = as_numbers(result)
        require(
            value is not None and value.ndim == 0 and value.dtype.kind in "iu",
            "return one whole number, that of a row",
        )
        require(given == reading, "it changed the dictionary reading; only read it")
        found.append(int(value))
    for (newest, reading, _), row in zip(situations, found, strict=True):
        case = f"newest is {newest} and {reading} is read"
        require(row >= 0, f"rows are counted from 0; where {case} it returned {row}")
        require(
            row not in reading.values(),
            f"where {case} it returned {row}: somebody computes with that row",
        )
        require(
            row != newest,
            f"where {case} it returned {row}, the newest: the next worker gets it",
        )
    expected = [row for *_, row in situations]
    require(
        found != [max(n, *r.values(), n) + 1 for n, r, _ in situations],
        "a new row behind all others each time needs ever more memory: take the "
        "lowest that is free",
    )
    for (newest, reading, best), row in zip(situations, found, strict=True):
        require(
            row == best,
            f"where newest is {newest} and {reading} is read, row {best} is free too, "
            f"and lower than {row}",
        )
    require(found == expected, "take the lowest free row")
