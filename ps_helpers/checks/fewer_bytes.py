"""Checks of notebook 06b."""

import numpy as np

from ps_helpers.checks.tables import arrays, table
from ps_helpers.checks.verdict import close, number, require


def message(result):
    """Return what was sent and what was kept; refuse what is no such message."""
    found, (update, error, k) = result
    found, size = arrays(found), len(update)
    three = len(found) == 3 and all(array.ndim == 1 for array in found)
    require(three, "return three rows of numbers: indices, values and new_error")
    indices, values, kept = found
    mask = "indices is a mask of True and False: return the places, np.flatnonzero"
    require(indices.dtype.kind != "b", mask)
    whole = indices.dtype.kind in "iu"
    require(whole, "indices are whole numbers: did you return the values there?")
    require(len(kept) == size, f"new_error needs one number for each of {size}")
    lengths = len(indices), len(values)
    require(lengths == (k, k), "you send {} indices and {} values".format(*lengths))
    places = {int(i) for i in indices if 0 <= i < size}
    require(len(places) == k, f"indices must be {k} different places, below {size}")
    sent, total = np.zeros(size), np.add(update, error, dtype=float)
    sent[indices] = values
    lost = np.abs(sent + kept - total).max() > (1e-6 if update.itemsize < 8 else 1e-12)
    require(not lost or not close(sent + kept, total), ROUNDED)
    by_size = np.sort(np.abs(total))[::-1]
    if by_size[k - 1] == by_size[k]:  # any of the equal ones may be sent
        sent, kept = np.sort(np.abs(sent)), np.sort(np.abs(kept))
    return {"sent": sent, "new_error": kept}


ROUNDED = "sent and new_error make update + error but for what a cast or // rounds off"
UPDATE = np.array([0.5, 2, 1, -7, 1.5, 3.5, 1 / 3, 0, 0, -0.125, 2.25, 0.1])
ERROR = np.array([0.5, 2.5, 0.25, 1, -4.5, -2.75, 0, 0, 1 / 7, 0.5, -2, 7.5])
TIED, ZERO = np.array([2, -2, 2, 2, 0.5]), np.zeros(5)


@table(
    calls=[
        *[(UPDATE, ERROR, k) for k in (2, 1, 5, 11)],
        *[(ERROR[:7].astype("f"), UPDATE[:7].astype("f"), k) for k in (3, 6)],
        *[(TIED, ZERO, 2), (-TIED / 3, TIED / 7, 3), (ZERO, ZERO, 1)],
    ],
    returns=message,
    run=lambda answer, *row: (answer(*row), row),
    mistakes={
        "those are the largest by value: compare magnitudes": "-np.abs(total) → -total",
        "those are the smallest: send the largest": "-np → np",
        "those are the smallest by value": "-np.abs(total) → total",
        "choose among update + error, not by the update alone": "abs(total) → abs(u)",
        "choose among update + error, not by the error alone": "abs(total) → abs(e)",
        "choose by update + error, and by magnitude": "-np.abs(total) → -u",
        "those are the first k": "argsort(-np.abs(total)) → arange(len(u))",
        "the old error is ignored": "u + e → u",
        "the values have lost their signs": ", total[i] → , abs(total[i])",
        "send the values of update + error, not of the update": ", total[i] → , u[i]",
        "send the values of update + error, not of the error": ", total[i] → , e[i]",
        "indices and values stand in different orders": "return i → return np.sort(i)",
        "what was sent is still in new_error: set it to 0 there": "rest[i] = 0 →",
        "the old error is lost: keep the rest of update + error": "total.c → u.c",
        "new_error is all 0: keep what was not sent": "rest[i] → rest[:]",
        "new_error is the old error: keep the rest of both": "], rest → ], 1 * e",
        "you kept what is left of the error alone": "total.copy → e.copy",
        "the sign of new_error is turned round": "], rest → ], -rest",
        "that is what was sent: keep the rest": "], rest → ], total - rest",
        "the old error is counted twice: the sum has it": "], rest → ], e + rest",
        "subtract what was sent from update + error": "], rest → ], u - total + rest",
    },
)
def top_k(update, error, k):
    u, e = update, error
    total = u + e
    i = np.argsort(-np.abs(total))[:k]
    rest = total.copy()
    rest[i] = 0
    return i, total[i], rest


BEST = "min(range(1, m + 1), key=seconds)"
DIVIDED = "it divided by 0: count servers from 1, and per_message may be 0"


def root(way):
    """Return an answer that rounds the root at which no more servers would help."""

    def best(n, most, message, copy):
        found = way(np.sqrt(n * copy / message)) if message else n
        return min(n, most, max(1, found))

    return best


@table(
    calls=[
        *[(4, 8, 0.1, 1.0), (16, 16, 1.0, 4.0), (16, 5, 1.0, 4.0), (10, 10, 1.0, 2.5)],
        *[(7, 7, 1.0, 3.0), (61, 20, 1.0, 0.2), (5, 3, 0.01, 1.0), (4, 10, 0.01, 1.0)],
        *[(3, 6, 10.0, 1.0), (5, 1, 0.5, 3.0), (9, 12, 0.25, 0.0), (100, 64, 0.03, 2)],
        *[(12, 12, 1.0, 1.0), (4, 8, 0.0, 1.0)],  # 3 or 4, and 4 to 8 are equally good
    ],
    returns=number,
    mistakes={
        "each server costs a message too: compare the seconds of all numbers": [
            "k * per_message + →",
            f"{BEST} → n",
            f"{BEST} → m",
            f"{BEST} → min(n, m)",
        ],
        "with k servers each copies num_workers / k": ["n / k → n", "n / k → k / n"],
        "those are the seconds": f"{BEST} → min(seconds(k) for k in range(1, m + 1))",
        "that is one too few: numbers begin with 1": "key=seconds) → key=seconds) - 1",
        "max_servers itself may be the best: go up to it": "m + 1 → m",
        "with so many a round is longest: take the least": "min(range → max(range",
        "more servers than workers copy no faster: max(1, …)": "max(1, n / k) → n / k",
        "// drops the fraction: divide with /": "/ → //",
        "no more than max_servers are to be had": "m + 1 → n + 1",
        "of equally good numbers return the least": "(1, m + 1) → (m, 0, -1)",
        "one server may be best: begin with 1": "range(1 → range(2",
        "the root is not always the best whole number: try all": [
            *map(root, (np.round, np.floor, np.ceil)),
        ],
    },
    raises=[(ZeroDivisionError, "", DIVIDED)],
)
def best_servers(num_workers, max_servers, per_message, per_copy):
    n, m = num_workers, max_servers

    def seconds(k):
        return k * per_message + max(1, n / k) * per_copy

    return min(range(1, m + 1), key=seconds)
