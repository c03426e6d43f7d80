"""Wrong and right answers to the exercises of notebook 09."""

import math
import statistics

import numpy as np
from answers import all_tests_of

from ps_helpers.checks import thousand_workers as checks


def of(exercise, *rows):
    return [(exercise, *row) for row in rows]


def in_a_loop(times):
    best, most = 0, 0.0
    n = len(times[0])
    for b in range(n):
        total = sum(sorted(row)[n - b - 1] for row in times.tolist())
        if (n - b) / total > most + 1e-12:
            best, most = b, (n - b) / total
    return best


def at_once(times):
    ends = np.sort(times, axis=1).sum(axis=0)[::-1]
    return int(np.argmax(np.arange(len(ends), 0, -1) / ends))


def by_partition(times):
    n = times.shape[1]

    def seconds(b):
        return np.partition(times, n - 1 - b, axis=1)[:, n - 1 - b].mean() / (n - b)

    return min(range(n), key=seconds)


def sorted_in_place(times):
    times.sort(axis=1)
    return at_once(times)


def mean_of_rates(times):
    n, ends = times.shape[1], np.sort(times, axis=1)
    return max(range(n), key=lambda b: ((n - b) / ends[:, n - 1 - b]).mean())


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


def by_arrays(predicted, measured, fitted):
    cases = [case for case in predicted if case not in fitted]
    found = np.array([predicted[case] for case in cases])
    runs = np.array([np.median(measured[case]) for case in cases])
    return np.median(np.abs(found - runs) / runs)


def popped(predicted, measured, fitted):
    for case in fitted:
        del measured[case]
    return by_arrays({case: predicted[case] for case in measured}, measured, fitted)


BACKUP, BORDER = "max(range(n), key=rate)", "hops * hop * bandwidth / copies"
MEDIAN, ERROR = "np.median(errors)", "abs(predicted[case] / np.median(runs) - 1)"
TestAnswers = all_tests_of(
    checks,
    mutations=[
        *of(
            "best_backup",
            (f"return {BACKUP}", f"print({BACKUP})", "returned nothing"),
            (BACKUP, f"[{BACKUP}]", "where one whole number belongs is a list"),
            (BACKUP, "float(max(range(n), key=rate))", "whole number belongs"),
            (BACKUP, "0", "it gives 0 whatever"),
            ("(n - b)", "1", "leaving out costs gradients"),
            ("axis=1", "axis=0", "sort each round by itself"),
            ("n - 1 - b]", "n - b]", "a row a round and a column a worker"),
            ("range(n)", "range(1, n + 1)", "best_backup("),
            ("np.sort(times, axis=1)", "times", "sort each round by itself"),
            ("range(n)", "range(n - 1, -1, -1)", "equally good"),
        ),
        *of(
            "border",
            (f"return {BORDER}", f"print({BORDER})", "returned nothing"),
            (BORDER, f"[{BORDER}]", "return one number"),
            ("2 * (n - 1) - 2", "2 * (n - 1)", "a push and a pull are messages too"),
            ("2 * n / servers - ", "2 * n - ", "all servers work at once"),
            ("2 * (n - 1) / n", "2", "border("),
            ("* bandwidth", "/ bandwidth", "bytes are seconds times it"),
            (BORDER, f"round({BORDER})", "border("),
            (BORDER, f"max(1, {BORDER})", "border("),
        ),
        *of(
            "median_error",
            (f"return {MEDIAN}", f"print({MEDIAN})", "returned nothing"),
            (MEDIAN, "errors", "return one number"),
            (" if case not in fitted", "", "leave out the runs"),
            (MEDIAN, "np.mean(errors)", "must not decide"),
            (MEDIAN, "sorted(errors)[len(errors) // 2]", "median_error("),
            (ERROR, "(predicted[case] / np.median(runs) - 1)", "cancel out"),
            ("np.median(runs)", "max(runs)", "median_error("),
            ("np.median(runs)", "runs[1]", "may have one run"),
        ),
    ],
    wrong=[
        ("best_backup", sorted_in_place, "it changed its argument times"),
        ("best_backup", mean_of_rates, "take the mean of the seconds"),
        ("median_error", popped, "it changed its argument measured"),
    ],
    right=[
        *of("best_backup", (in_a_loop,), (at_once,), (by_partition,)),
        *of("border", (simplified,), (by_bisection,)),
        *of("median_error", (by_statistics,), (by_arrays,)),
    ],
)
