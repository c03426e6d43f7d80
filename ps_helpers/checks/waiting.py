"""Checks of notebooks 04 and 04b."""

import numpy as np

from ps_helpers.checks.tables import arrays, play, table
from ps_helpers.checks.verdict import as_numbers, listed, number, require


def truth(result):
    """Return an answer's result as True or False; refuse what is neither."""
    require(result is not None, "it returned nothing: return True or False in any case")
    value, kind = as_numbers(result), type(result).__name__
    require(value is not None, f"return True or False; what came is of type {kind}")
    require(value.ndim == 0, "return one True or False, for the worker that asks")
    require(value.dtype.kind == "b", "return True or False: compare the lead with s")
    return bool(value)


FOUR, NEAR, MANY = [7, 3, 12, 4], [12, 9, 11, 10], [*range(95, 107), 96]
AT = [
    (3, FOUR),
    (7, FOUR),
    (12, FOUR),
    (5, [5, 5]),
    (2, [0, 2]),
    (12, NEAR),
    (11, NEAR),
]


@table(
    calls=[
        (clock, clocks, s)
        for clock, clocks in [*AT, (97, MANY), (96, MANY)]
        for s in (0, 1, 3, float("inf"))
    ],
    returns=truth,
    mistakes={
        "it is always True: subtract the slowest clock, min(clocks)": "min → max",
        "it is always False, so that everybody stops for ever": "<= s → < 0",
        "who is exactly s steps ahead may go on: compare with <=": "<= → <",
        "it lets a worker be s + 1 steps ahead, one too many": "<= s → <= s + 1",
        "that is whether it must wait: return the opposite": "<= → >",
        "the comparison is turned round: who is near may go on": "<= → >=",
        "who is less than s steps ahead may go on too: use <=": "<= → ==",
        "it holds up the slow: subtract min(clocks)": "clock - min → -clock + max",
        "if one is ahead it holds up all: use clock": "clock - → max(clocks) -",
        "subtract min(clocks): how far ahead is clock?": "- min(clocks) →",
        "compare with s, not the number of workers": "<= s → <= len(clocks)",
        "you did not use s: who is up to s steps ahead may go on": "<= s → <= 0",
        "s = 0 allows no lead: is it taken for False?": "clock - → not s or clock -",
        "with s = 0 the slowest must go on": "clock - → s > 0 and clock -",
        "compare with the slowest, not the mean": "min( → np.mean(",
        "compare with the slowest, not the median": "min( → np.median(",
        "the first worker need not be the slowest": "min(clocks) → clocks[0]",
        "the last worker need not be the slowest": "min(clocks) → clocks[-1]",
        "these are numbers: as texts 10 is before 9": "clocks) → clocks, key=str)",
    },
    raises=[
        (ValueError, "empty", "a worker's own clock may be the slowest: leave it in"),
        (OverflowError, "infinity", "s may be infinite: compare with it as it is"),
    ],
)
def may_proceed(clock, clocks, s):
    return clock - min(clocks) <= s


def rounds(results):
    """Return who may go on at each arrival, as texts; refuse anything else."""
    for found in results:
        require(found is not None, "return [] until all have arrived, not nothing")
        no_list = isinstance(found, bool | np.bool_)
        require(not no_list, "return the workers that may go on, not True or False")
    return [str(np.array(listed(found)).tolist()) for found in results]


ARRIVALS = [(2, 0, 1, 1, 2, 0, 2), (1, 0, 0, 1), (0, 0), (3, 1, 4, 0, 2, 4), (2, 0, 1)]
ARRIVALS += [(10, 2, 9, 11, 1, 0, 3, 8, 7, 4, 6, 5, *range(11, -1, -1))]


@table(
    calls=[
        ((num_workers,), [("arrive", worker) for worker in workers])
        for num_workers, workers in zip((3, 2, 1, 5, 3, 12), ARRIVALS, strict=True)
    ],
    returns=rounds,
    run=play,
    mistakes={
        "the first went on: wait until all have arrived": "if len( → if not len(",
        "it opens one arrival early: wait for num_workers": "workers: → workers - 1:",
        "it opens one arrival late: who arrives now counts too": "< → <=",
        "workers arrive in any order: count them": "if len(self.came) → if 1 + worker",
        "only the last went on: return all": "return everyone → return [worker]",
        "the last to arrive goes on too": "n everyone → n everyone[:-1]",
        "that is the order of arrival: sort them": "sorted(self.came) → self.came",
        "the lowest number first": "sorted(self.came) → sorted(self.came)[::-1]",
        "these are numbers: as texts 10 is before 2": "came), → came, key=str),",
        "workers count from 0": "n everyone → n [w + 1 for w in everyone]",
        "forget who came when it opens": "came), [] → came), self.came",
    },
)
class Barrier:
    def __init__(self, num_workers):
        self.num_workers, self.came = num_workers, []

    def arrive(self, worker):
        self.came.append(worker)
        if len(self.came) < self.num_workers:
            return []
        everyone, self.came = sorted(self.came), []
        return everyone


WILD = [np.float32([[8, -21.5, 0], [0.1, 7, 7]]), np.array([1 / 3]), np.array(-2.5)]
AT_0 = "you divided by 0: an update of staleness 0 stays as it is"
SPLIT = "the update is a list of arrays of any shapes: divide each"


@table(
    calls=[
        *((WILD, staleness) for staleness in (5, 1, 2, 3, 11)),
        ([np.array([1.5, -2])] * 2, 0),
        ([np.float32([6, 1])] * 3, 2),
        (WILD[:1], 7),
    ],
    returns=arrays,
    mistakes={
        "// drops the fraction: divide with /": "/ → //",
        "you subtracted the staleness; divide by it": "/ max(1, s) → - s",
        "you multiplied by the staleness; divide by it": "/ max → * max",
        "divide by the staleness itself, not staleness + 1": "max(1, s) → (s + 1)",
        "divide by the staleness itself, not staleness - 1": "(1, s) → (1, s - 1)",
        "divide by the staleness itself, not by its root": "(1, s) → (1, s) ** 0.5",
        "you divided by the staleness twice": "(1, s) → (1, s) ** 2",
        "the sign is turned round: only divide": "part / → -part /",
        "divide by the staleness, not the number of arrays": "1, s → 1, len(update)",
        "a stale update is made smaller, not dropped": "/ max(1, s) → * (s < 2)",
        "it gives the update as it is: divide it by its staleness": "/ max(1, s) →",
        "divide by the larger of 1 and the staleness, not min": "max → min",
        AT_0: "max(1, s) → s",
        "only the first array is divided": "update] → update[:1]] + update[1:]",
        "only two arrays are divided: take all": "update] → update[:2]] + update[2:]",
    },
    raises=[
        (ZeroDivisionError, "", AT_0),
        *[(TypeError, "/: 'list'", SPLIT), (ValueError, "inhomogeneous", SPLIT)],
    ],
)
def scale_update(update, staleness):
    s = staleness
    return [part / max(1, s) for part in update]


def one_time(result):
    several = isinstance(result, list | tuple) or np.ndim(result)
    require(not several, "return one time, that of the last worker that is waited for")
    return number(result)


FIVE, SEVEN = [0.5, 0.2, 0.3, 0.9, 0.6], [0.7, 0.1, 0.4, 1.1, 1.5, 0.2, 0.8]
TWELVE = [10.5, 9.25, 1e-3, 1 / 3, 12, 100.5, 9.25, 3, 2.5, 20, 8, 7.5]
EMPTY = "an index is not there: without backup workers [:-backup_workers] is empty"


@table(
    calls=[
        *((times, b) for times in (FIVE, SEVEN, TWELVE) for b in (2, 1, 3, 0)),
        *[(SEVEN,), ([1, 4, 3, 4, 2], 1), (np.array([3, 1, 2, 1, 3]), 2)],
    ],
    returns=one_time,
    mistakes={
        "that is the slowest: leave out the backup workers": "needed[-1] → max(t)",
        "that is the fastest; more than one must finish": "needed[-1] → min(t)",
        "that is the mean: take the time of one worker": "needed[-1] → np.mean(t)",
        "that is the median: count the backup workers": "needed[-1] → np.median(t)",
        "workers compute at the same time: do not add up": "needed[-1] → sum(t)",
        "take the last of these, not their sum": "needed[-1] → sum(needed)",
        "take the last of these, not their mean": "needed[-1] → np.mean(needed)",
        "it waits for one worker too many": "needed[-1] → sorted(t)[len(t) - b]",
        "-backup_workers is one place too late": "needed[-1] → sorted(t)[-b]",
        "it waits for one worker too few": "[-1] → [-2]",
        "leave out the slowest, not the fastest": "needed[-1] → sorted(t)[b]",
        "all but backup_workers must finish": "needed[-1] → sorted(t)[b - 1]",
        "leave out the slowest, not the last": "needed[-1] → max(t[: len(t) - b])",
        "sort the times first: they come in no order": "sorted(t) → t",
        "return a time, not the worker's number": "sorted(t) → np.argsort(t)",
        "return the time, not its index": "needed[-1] → len(t) - b - 1",
        "take a time, not a quantile": "needed[-1] → np.quantile(t, 1 - b / len(t))",
        "use len(compute_times), which is not always 4": "len(t) → 4",
        "without backup workers the round waits for all": "- b → - (b or 1)",
        "without backup_workers it is 0": lambda t, b=1: sorted(t)[len(t) - b - 1],
        "equal times count each": "needed[-1] → sorted(set(t))[-b - 1]",
        "these are numbers: as texts 10 is before 9": "sorted(t) → sorted(t, key=str)",
    },
    raises=[
        *[(ValueError, "empty", EMPTY), (ValueError, "zero-size", EMPTY)],
        (IndexError, "out of", EMPTY),
        (AttributeError, "ndarray", "compute_times may be an array: use sorted(…)"),
        (TypeError, "missing", "backup_workers may be left out: give it = 0"),
    ],
)
def round_time(compute_times, backup_workers=0):
    t, b = compute_times, backup_workers
    needed = sorted(t)[: len(t) - b]
    return needed[-1]
