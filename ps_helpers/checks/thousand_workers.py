"""Checks of notebook 09."""

import numpy as np

from ps_helpers.checks.tables import table
from ps_helpers.checks.verdict import number, whole_number


def rounds(seed, *shape):
    """Return seconds by round and worker, some of them far above the others."""
    rng = np.random.default_rng(seed)
    return rng.uniform(1, 2, shape) * np.where(rng.random(shape) < 0.12, 9.5, 1)


@table(
    calls=[
        (np.array([[1.0, 5.0, 1.5], [2.0, 1.0, 6.0]]),),
        *[(rounds(seed, 6, n),) for seed, n in ((0, 12), (1, 7), (2, 20), (3, 5))],
        (np.full((3, 4), 0.5),),
        (np.array([[3.0, 1.0], [1.0, 3.0], [1.0, 1.0]]),),
        (np.array([[2.0, 4.0, 1.0, 4.0]]),),  # 1/2, 2/2, 2/4 … and ties
        (np.array([[0.25]]),),
        (np.array([[1.0, 8.0, 9.0, 7.0, 8.0], [8.0, 9.0, 1.0, 7.0, 8.0]]),),
        (rounds(5, 40, 3),),
    ],
    returns=whole_number,
    mistakes={
        "leaving out costs gradients: divide n - b by the seconds": "(n - b) → 1",
        "that is the number which is waited for: return how many are left out": (
            "range(n), key=rate) → range(n), key=rate) * -1 + n"
        ),
        "sort each round by itself: axis=1": "axis=1 → axis=0",
        "in each round others are slow: sort its times first": (
            "np.sort(times, axis=1) → times[:, np.argsort(times.mean(axis=0))]"
        ),
        "the workers are the columns": "= times.shape[1] → = times.shape[0]",
        "take the mean of the seconds, and divide by it once": (
            "(n - b) / ends[:, n - 1 - b].mean() → (n - b) * (1 / ends[:, ~b]).mean()"
        ),
        "one round says little: use all": "ends[:, n → ends[:1, n",
        "the least rate is the worst": "max(range → min(range",
        "a round may leave out nobody: begin with 0": "range(n → range(n > 1, n",
        "count to n - 1: a round may wait for one worker alone": "n), → n - 1 or 1),",
        "of equally good numbers return the least": "range(n → range(n - 1, -1, -1",
        "more than half may be left out": "max(range(n) → max(range(n // 2 + 1)",
    },
    raises=[(IndexError, "", "the times have a row a round and a column a worker")],
)
def best_backup(times):
    n = times.shape[1]
    ends = np.sort(times, axis=1)

    def rate(b):
        return (n - b) / ends[:, n - 1 - b].mean()

    return max(range(n), key=rate)


@table(
    calls=[
        *[(8, 1, 1e-4, 1.25e9), (8, 8, 1e-4, 1.25e9), (3, 1, 0.5, 7.0)],
        *[(13, 4, 2e-3, 1e6), (1000, 125, 1e-5, 1e9), (2, 1, 1e-3, 1e8)],
        *[(5, 2, 0.25, 3e3), (64, 64, 3e-5, 2.5e9)],
    ],
    returns=number,
    mistakes={
        "a push and a pull are messages too: subtract 2": "(n - 1) - 2 → n - 2",
        "a ring passes 2 (n - 1) messages: there and back": "hops = 2 * → hops =",
        "a server's round has 2 messages in a row, not one": "- 1) - 2 → - 1) - 1",
        "all servers work at once: each carries n / k copies": "2 * n / k → 2 * n",
        "a pull brings bytes as well: 2 n / k copies": "2 * n / k → n / k",
        "a ring carries bytes too: 2 (n - 1) / n copies": "- 2 * (n - 1) / n →",
        "of the ring's bytes each message carries a part: 2 (n - 1) / n copies": (
            "2 * (n - 1) / n → 2 * (n - 1)"
        ),
        "a ring's copies are 2 (n - 1) / n, there and back": "- 2 * (n → - (n",
        "bandwidth is bytes a second: bytes are seconds times it": "* band → / band",
        "a message costs hop seconds: multiply by it": "hop * → 1 *",
        "that is the other way round: seconds through copies": (
            "hops * hop * bandwidth / copies → copies * hop * bandwidth / max(hops, 1)"
        ),
        "the sign is turned round": "return hops → return -hops",
        "return bytes, not megabytes": "return hops → return 1e-6 * hops",
    },
)
def border(num_workers, servers, hop, bandwidth):
    n, k = num_workers, servers
    hops = 2 * (n - 1) - 2
    copies = 2 * n / k - 2 * (n - 1) / n
    return hops * hop * bandwidth / copies


A = {"a": 1.0, "b": 2.5, "c": 0.75, "d": 6.0}
RUNS = {"d": [4.0, 9.0, 5.0], "a": [1.0, 1.25], "c": [1.0, 0.5, 0.625], "b": [2.0, 4.0]}


@table(
    calls=[
        (A, RUNS, ["a"]),
        (A, RUNS, ["d", "b"]),
        (A, RUNS, []),
        ({"x": 3.0, "y": 1.0}, {"y": [1.5, 0.25, 2.0], "x": [3.0]}, ["x"]),
        ({k: 2 * v for k, v in A.items()}, RUNS, ["c"]),
        ({"p": 1.0, "q": 1.0, "r": 1.0}, {"p": [4.0], "q": [0.8], "r": [1.1]}, []),
    ],
    returns=number,
    mistakes={
        "leave out the runs that it was fitted on": "if name not in fitted →",
        "those it was fitted on say nothing: judge by the others": "not in → in",
        "divide by what was measured, not by what was predicted": "/ np → ** -1 * np",
        "too early and too late cancel out: take the size of each error": "abs( → (",
        "take the median of the runs of a case, not their mean": "median(m → mean(m",
        "take the median of the runs of a case, not the first": (
            "np.median(measured[name]) → measured[name][0]"
        ),
        "one case that is far off must not decide: return the median": (
            "np.median(errors) → np.mean(errors)"
        ),
        "return the median, not the largest": "np.median(errors) → max(errors)",
        "an error is relative: divide by what was measured": "/ np → - np → - 1) → )",
        "return a share, 0.1 for ten percent": "return np → return 100 * np",
        "predicted / measured is 1 where it is right: subtract 1": "- 1) → )",
        "take the size of each error, and subtract nothing afterwards": (
            "return np.median(errors) → return abs(np.median(errors) - 1)"
        ),
        "square nothing: the error is a share": "- 1) → - 1) ** 2",
    },
    raises=[
        (IndexError, "", "a case may have one run: take the median of those there are")
    ],
)
def median_error(predicted, measured, fitted):
    errors = [
        abs(predicted[name] / np.median(measured[name]) - 1)
        for name in measured
        if name not in fitted
    ]
    return np.median(errors)
