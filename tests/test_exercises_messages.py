"""Wrong and right answers to the exercises of notebook 06."""

import itertools

import numpy as np
from test_exercises import Answers
from test_exercises_in_process import JUNK

answers = Answers()
wrong, right = answers.wrong, answers.right


# fit_cost(sizes, seconds)


def solve(sizes, seconds, weights):
    sizes, seconds = np.array(sizes, float), np.array(seconds, float)
    rows = np.stack([weights, weights * sizes], axis=1)
    return np.linalg.lstsq(rows, weights * seconds)[0]


@wrong("fit_cost", "prints instead of returning", words="returned nothing; end it")
def _(sizes, seconds):
    print(np.polyfit(sizes, seconds, 1))


@wrong("fit_cost", "plain least squares", words="only cares for the large messages")
def _(sizes, seconds):
    slope, a = np.polyfit(sizes, seconds, 1)
    return a, 1 / slope


@wrong("fit_cost", "returns the slope", words="1 divided by the slope")
def _(sizes, seconds):
    return tuple(solve(sizes, seconds, 1 / np.array(seconds)))


@wrong("fit_cost", "returns b first", words="a first, and then b")
def _(sizes, seconds):
    a, slope = solve(sizes, seconds, 1 / np.array(seconds))
    return 1 / slope, a


@wrong("fit_cost", "milliseconds", words="not in milliseconds")
def _(sizes, seconds):
    a, slope = solve(sizes, seconds, 1 / np.array(seconds))
    return 1000 * a, 1 / slope


@wrong("fit_cost", "megabytes a second", words="not in megabytes")
def _(sizes, seconds):
    a, slope = solve(sizes, seconds, 1 / np.array(seconds))
    return a, 1e-6 / slope


@wrong("fit_cost", "divides by the bytes", words="by its seconds, not by its bytes")
def _(sizes, seconds):
    a, slope = solve(sizes, seconds, 1 / np.maximum(sizes, 1e-9))
    return a, 1 / slope


@wrong("fit_cost", "divides by the seconds twice", words="once, not twice")
def _(sizes, seconds):
    a, slope = solve(sizes, seconds, 1 / np.square(seconds))
    return a, 1 / slope


@wrong("fit_cost", "multiplies by the seconds", words="you multiplied by them")
def _(sizes, seconds):
    a, slope = solve(sizes, seconds, np.array(seconds))
    return a, 1 / slope


@wrong("fit_cost", "square root", words="not by their square root")
def _(sizes, seconds):
    a, slope = solve(sizes, seconds, 1 / np.sqrt(seconds))
    return a, 1 / slope


@wrong("fit_cost", "first and last", words="the first and the last message only")
def _(sizes, seconds):
    slope = (seconds[-1] - seconds[0]) / (sizes[-1] - sizes[0])
    return seconds[0] - slope * sizes[0], 1 / slope


@wrong("fit_cost", "the smallest message is a", words="the smallest message: fit it")
def _(sizes, seconds):
    rest = np.array(seconds) - seconds[0]
    return seconds[0], np.sum(sizes) / np.sum(rest)


@wrong("fit_cost", "empty messages are free", words="an empty message is not free")
def _(sizes, seconds):
    return 0, np.mean(np.array(sizes) / np.array(seconds))


@wrong("fit_cost", "divides only the left side", words="solve rows")
def _(sizes, seconds):
    weights = 1 / np.array(seconds, float)
    rows = np.stack([weights, weights * np.array(sizes)], axis=1)
    a, slope = np.linalg.lstsq(rows, np.array(seconds))[0]
    return a, 1 / slope


@wrong("fit_cost", "sorts its argument", words="changed its arguments")
def _(sizes, seconds):
    seconds.reverse()
    sizes.reverse()
    a, slope = solve(sizes, seconds, 1 / np.array(seconds))
    return a, 1 / slope


@wrong("fit_cost", "returns the prediction", words="return two numbers")
def _(sizes, seconds):
    a, slope = solve(sizes, seconds, 1 / np.array(seconds))
    return a + slope * np.array(sizes)


@right("fit_cost", "polyfit with weights")
def _(sizes, seconds):
    slope, a = np.polyfit(sizes, seconds, 1, w=1 / np.array(seconds))
    return a, 1 / slope


@right("fit_cost", "normal equations by hand")
def _(sizes, seconds):
    u = [1 / s for s in seconds]
    v = [size / s for size, s in zip(sizes, seconds, strict=True)]
    uu, vv = sum(x * x for x in u), sum(x * x for x in v)
    uv, su, sv = sum(x * y for x, y in zip(u, v, strict=True)), sum(u), sum(v)
    d = uu * vv - uv * uv
    return (su * vv - sv * uv) / d, d / (sv * uu - su * uv)


@right("fit_cost", "an array of two")
def _(sizes, seconds):
    a, slope = solve(sizes, seconds, 1 / np.array(seconds))
    return np.array([a, 1 / slope])


# free_row(newest, reading)


@wrong("free_row", "prints instead of returning", words="returned nothing; end it")
def _(newest, reading):
    print(newest)


@wrong("free_row", "overwrites the newest", words="the next worker gets it")
def _(newest, reading):
    return next(r for r in itertools.count() if r not in reading.values())


@wrong("free_row", "overwrites what is read", words="somebody computes with that row")
def _(newest, reading):
    return 0 if newest else 1


@wrong("free_row", "looks at the workers", words="somebody computes with that row")
def _(newest, reading):
    return next(r for r in itertools.count() if r not in {newest, *reading})


@wrong("free_row", "behind all others", words="needs ever more memory")
def _(newest, reading):
    return max([newest, *reading.values()]) + 1


@wrong("free_row", "the number of readers", words="somebody computes with that row")
def _(newest, reading):
    return len(reading)


@wrong("free_row", "the highest hole", words="and lower than")
def _(newest, reading):
    taken = {newest, *reading.values()}
    return max(set(range(len(taken) + 1)) - taken)


@wrong("free_row", "starts at 1", words="row 0 is free too")
def _(newest, reading):
    taken = {newest, *reading.values()}
    return next(r for r in itertools.count(1) if r not in taken)


@wrong("free_row", "all free rows", words="return one whole number")
def _(newest, reading):
    taken = {newest, *reading.values()}
    return [r for r in range(len(taken) + 1) if r not in taken]


@wrong("free_row", "minus one", words="rows are counted from 0")
def _(newest, reading):
    return min([newest, *reading.values()]) - 1


@wrong("free_row", "changes reading", words="changed the dictionary")
def _(newest, reading):
    reading["newest"] = newest
    return next(r for r in itertools.count() if r not in reading.values())


@right("free_row", "counts up")
def _(newest, reading):
    row = 0
    while row == newest or row in reading.values():
        row += 1
    return row


@right("free_row", "a set difference")
def _(newest, reading):
    taken = {newest, *reading.values()}
    return min(set(range(len(reading) + 2)) - taken)


@right("free_row", "an array")
def _(newest, reading):
    taken = [newest, *reading.values()]
    return np.setdiff1d(np.arange(len(taken) + 1), taken)[0]


# The tests themselves.


TestAnswers = answers.tests(JUNK)
