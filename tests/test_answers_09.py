"""Wrong and right answers to the exercises of notebook 09."""

import math
import statistics

import numpy as np
from answers import all_tests_of

from ps_helpers.checks import thousand_workers as checks

BORDER = "hops * hop * bandwidth / copies"
REFUSED = {
    "best_backup": [
        ("n - 1 - b]", "n - b]", "a row a round and a column a worker"),
        ("range(n)", "range(1, n + 1)", "best_backup("),
    ],
    "border": [
        ("2 * (n - 1) / n", "2", "border("),
        (BORDER, f"round({BORDER})", "border("),
        (BORDER, f"max(1, {BORDER})", "border("),
    ],
    "median_error": [
        ("np.median(errors)", "sorted(errors)[len(errors) // 2]", "median_error("),
        ("np.median(runs)", "max(runs)", "median_error("),
        ("np.median(runs)", "runs[1]", "may have one run"),
    ],
}


def at_once(times):
    ends = np.sort(times, axis=1).sum(axis=0)[::-1]
    return int(np.argmax(np.arange(len(ends), 0, -1) / ends))


def by_partition(times):
    n = times.shape[1]

    def seconds(b):
        return np.partition(times, n - 1 - b, axis=1)[:, n - 1 - b].mean() / (n - b)

    return min(range(n), key=seconds)


def simplified(num_workers, servers, hop, bandwidth):
    n = num_workers
    return (n - 2) * hop * bandwidth / (n / servers - 1 + 1 / n)


def by_bisection(num_workers, servers, hop, bandwidth):
    n, low, high = num_workers, 0.0, 1e18

    def lead(size):
        ring = 2 * (n - 1) * (hop + size / n / bandwidth)
        return ring - 2 * (hop + n / servers * size / bandwidth)

    for _ in range(300):
        middle = (low + high) / 2
        low, high = (middle, high) if lead(middle) > 0 else (low, middle)
    return low


def by_statistics(predicted, measured, fitted):
    errors = []
    for case in measured.keys() - set(fitted):
        middle = statistics.median(measured[case])
        errors.append(math.fabs(predicted[case] - middle) / middle)
    return statistics.median(errors)


RIGHT = {
    "best_backup": [at_once, by_partition],
    "border": [simplified, by_bisection],
    "median_error": [by_statistics],
}
TestAnswers = all_tests_of(REFUSED, RIGHT, checks)
