"""Checks of notebooks 04 and 04b."""

import numpy as np

from ps_helpers.checks.tables import arrays, play, table
from ps_helpers.checks.verdict import listed, number, require


def rounds(results):
    """Return who may go on at each call, as texts; refuse anything else."""
    for found in results:
        require(found is not None, "return [] where nobody may go on, not nothing")
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


def pushes(num_workers, bound, seed, length=30):
    """Return pushes in an order that the bound allows, mostly by worker 0."""
    rng, clocks, steps = np.random.default_rng(seed), [0] * num_workers, []
    for place in rng.random(length) ** 2:
        free = [w for w in range(num_workers) if clocks[w] - min(clocks) <= bound]
        steps.append(("push", free[int(place * len(free))]))
        clocks[steps[-1][1]] += 1
    return (num_workers, bound), steps


KEPT = "who waits must be kept, and returned when the slowest has pushed"
AHEAD = "who is s + 1 steps ahead of the slowest, min(self.clocks), must wait"


@table(
    calls=[
        ((2, 1), [("push", worker) for worker in (0, 0, 1, 1, 1, 0)]),
        ((3, 0), [("push", worker) for worker in (2, 0, 1, 1, 2, 0)]),
        *(pushes(n, s, n) for n, s in ((1, 0), (2, 3), (3, 1), (3, 2), (5, 1), (4, 0))),
        *[pushes(4, float("inf"), 1), pushes(12, 1, 3, 60), pushes(12, 0, 5, 60)],
    ],
    returns=rounds,
    run=play,
    mistakes={
        AHEAD: [
            "+ self.s → + self.s + 1",
            *("min( → max(", "min(self.clocks) → self.clocks[worker]"),
        ],
        "everybody waits: who is up to s steps ahead may go on": "min( → -1 - max(",
        "who is exactly s steps ahead may go on": "> limit → >= limit → <= → <",
        "you did not use s": "+ self.s → + 0",
        "count this push first, then look who is slowest": "limit = min(self.clocks) → "
        "limit = min(c - (w == worker) for w, c in enumerate(self.clocks))",
        KEPT: [
            "self.waiting = [w for w in asking if self.clocks[w] > limit] → pass",
            "return [w for w in asking → return [w for w in [worker]",
        ],
        "who pushed goes on too, unless it must wait": "self.clocks[w] <= limit → "
        "w != worker and self.clocks[w] <= limit",
        "who goes on waits no longer: take it out of those that wait": "[w for w in "
        "asking if self.clocks[w] > limit] → asking",
        "all go on or nobody: decide for each worker": "return [ → return [] if "
        "self.waiting else [",
        "that is the order in which they came: sort them": "sorted( → list(",
        "the lowest number first": "worker]) → worker])[::-1]",
        "these are numbers: as texts 10 is before 2": "worker]) → worker], key=str)",
        "compare with the slowest, not the mean": "min( → np.mean(",
        "compare with the slowest, not the median": "min( → np.median(",
        "worker 0 need not be the slowest": "min(self.clocks) → self.clocks[0]",
        "who has not pushed yet is the slowest: its clock is 0": "min(self.clocks) → "
        "min(c for c in self.clocks if c)",
        "workers count from 0": "return [w → return [w + 1",
        "return who goes on, not who waits": "<= → >",
    },
    raises=[(OverflowError, "infinity", "s may be infinite: compare with it as it is")],
)
class Window:
    def __init__(self, num_workers, s):
        self.s, self.clocks, self.waiting = s, [0] * num_workers, []

    def push(self, worker):
        self.clocks[worker] += 1
        limit = min(self.clocks) + self.s
        asking = sorted([*self.waiting, worker])
        self.waiting = [w for w in asking if self.clocks[w] > limit]
        return [w for w in asking if self.clocks[w] <= limit]


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
