"""Checks of notebook 05b."""

import numpy as np

from ps_helpers.checks.tables import table
from ps_helpers.checks.verdict import as_numbers, listed, require, whole_number


def sums(result):
    """Return unique rows and their sums; refuse what is no such pair."""
    pair = listed(result)
    require(len(pair) == 2, "return two things: the rows, and an array of their sums")
    rows, totals = map(as_numbers, pair)
    require(rows is not None and totals is not None, "return arrays of numbers")
    mask = rows.ndim == 1 and rows.dtype.kind in "iu" or not rows.size
    require(mask, "rows are a list of whole numbers, each that came once")
    require(len({*rows.tolist()}) == len(rows), "each row may stand there only once")
    require(totals.ndim == 2, "sums have two axes: a line of numbers for each row")
    return [rows, totals]


def drawn(seed, rows, width, dtype=np.float64):
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(len(rows), width)) * 10.0 ** rng.integers(-2, 3)
    return np.array(rows), values.astype(dtype)


RESULT = "return unique, totals → "


@table(
    calls=[
        (np.array([7, 5, 7]), np.array([[1.0, 0.5], [2.0, -1.0], [4.0, 0.25]])),
        drawn(0, [5, 5, 5, 5], 2, np.float32),
        drawn(1, [4 * 10**18, 3, 12, 3, 0, 12, 3], 3),
        drawn(2, [2, 1, 0], 4),
        drawn(3, [4], 1, np.float32),
        drawn(4, [*range(12, 0, -1), *range(0, 24, 2), 7, 7, 7], 5),
        (np.array([6, 6, 1]), np.array([[0.5, -1.0], [-0.5, 1.0], [0.0, 0.0]])),
    ],
    returns=sums,
    mistakes={
        "one gradient of a row that comes twice is lost: add all of them": [
            "np.add.at(totals, where, gradients) → totals[where] += gradients",
            "np.add.at(totals, where, gradients) → totals = gradients[first]",
        ],
        "those are the means of each row's gradients: return the sums": [
            f"{RESULT} return unique, totals / count[:, np.newaxis]"
        ],
        "the sums stand in another order than the rows": [
            f"{RESULT} return unique, totals[::-1]",
            f"{RESULT} return unique, totals[np.argsort(first)]",
        ],
        "rows must rise: the smallest comes first": [
            f"{RESULT} o = np.argsort(first); return unique[o], totals[o]",
            f"{RESULT} return unique[::-1], totals[::-1]",
        ],
        "each row's numbers are added up to one; keep the columns apart": [
            f"{RESULT} return unique, totals.sum(axis=1, keepdims=True)"
        ],
        "those are sums of squares": "where, gradients) → where, gradients**2)",
        "the signs are turned round": "where, gradients) → where, -gradients)",
        "a row is missing whose sum is 0; return it too": [
            f"{RESULT} o = totals.any(axis=1); return unique[o], totals[o]"
        ],
        "the sums are rounded to whole numbers": ", totals → , np.rint(totals)",
    },
    raises=[(ValueError, "too big", "rows may be huge: make no array of all of them")],
)
def add_up(rows, gradients):
    unique, first, where, count = np.unique(rows, True, True, True)
    totals = np.zeros((len(unique), gradients.shape[1]), gradients.dtype)
    np.add.at(totals, where, gradients)
    return unique, totals


def owners(result):
    """Return {place: server}; refuse what is no such dictionary."""
    require(result is not None, "it returned nothing; end it with a return")
    require(isinstance(result, dict), "return a dictionary {place: server}")
    found = {}
    for place, server in result.items():
        number = as_numbers(place)
        good = number is not None and number.ndim == 0 and number.dtype.kind in "iuf"
        require(good, "the keys of the dictionary are places, numbers")
        found[round(float(number), 9)] = whole_number(server)
    return found


NEXT = "sorted(((p - place) % 1, s) for p, s in circle)[1][1]"
AFTER = "after = [p for p in sorted(points) if p[0] >= place]"
CIRCLE = [(0.30, 1), (0.10, 0), (0.55, 2), (0.80, 0), (0.62, 2), (0.97, 1)]
PLACES = [0.05, 0.1, 0.2, 0.31, 0.55, 0.56, 0.62, 0.7, 0.8, 0.85, 0.97, 0.99]
SOME = [float(p) for p in np.random.default_rng(5).random(30).round(4)]


def circle(seed, num_servers, points):
    rng = np.random.default_rng(seed)
    places = rng.permutation(num_servers * points) / 1000 + 0.0125
    return [(float(p), int(i) % num_servers) for i, p in enumerate(places)]


@table(
    calls=[
        *[(CIRCLE, PLACES, server) for server in (0, 1, 2)],
        *[(circle(1, 12, 5), SOME, server) for server in (0, 7, 11)],
        *[([(0.5, 3), (0.25, 8)], [0.1, 0.3, 0.5, 0.75], s) for s in (3, 8)],
        (CIRCLE, [], 1),
        (sorted(CIRCLE), [0.2, 0.99, 0.2], 0),
    ],
    returns=owners,
    mistakes={
        "return only the rows that leave their server": "if o(place, circle) == → if",
        "those are the servers that the rows had: who has them now?": "rest) → circle)",
        "after the last point comes the first: it is a circle": "min → max",
        "a row on a point belongs to that point": "p[0] >= place → p[0] > place",
        "the next point is the nearest after a place, not the nearest before": [
            f"{AFTER} → after = [p for p in sorted(points)[::-1] if p[0] <= place] "
            "or [max(points)]"
        ],
        "points may come in any order: sort them": "sorted(points) if → points if",
        "rows of the server that leaves move, the others stay": "== → !=",
        "the nearest point may lie before a place: take the next one after it": [
            f"{AFTER} → after = sorted(points, key=lambda p: abs(p[0] - place))"
        ],
        "the next point may be of the server that leaves, too: go on from there": [
            f"place: o(place, rest) → place: {NEXT}"
        ],
    },
    raises=[
        (IndexError, "", "no point comes after the last: go on at the first"),
        (ValueError, "empty", "no point comes after the last: go on at the first"),
        (StopIteration, "", "no point comes after the last: go on at the first"),
    ],
)
def take_over(circle, places, leaving):
    def o(place, points):
        after = [p for p in sorted(points) if p[0] >= place]
        return (after or [min(points)])[0][1]

    rest = [p for p in circle if p[1] != leaving]
    return {place: o(place, rest) for place in places if o(place, circle) == leaving}
