"""Wrong and right answers to the exercises of notebooks 04 and 04b."""

import bisect
import functools
import heapq
import itertools
import statistics

import numpy as np
import pytest
from test_exercises import (
    Answers,
    assert_refused,
    reason,
    renamed,
    shorten_time_limits,
)
from test_exercises_in_process import JUNK

from ps_helpers.checks.verdict import verdict

answers = Answers()
wrong, right = answers.wrong, answers.right


# may_proceed(clock, clocks, s)


@wrong("may_proceed", "prints instead of returning", words="returned nothing; end it")
def _(clock, clocks, s):
    print(clock - min(clocks) <= s)


@wrong("may_proceed", "returns True only", words="nothing where the worker must wait")
def _(clock, clocks, s):
    if clock - min(clocks) <= s:
        return True


@wrong("may_proceed", "returns False only", words="returned nothing; end it")
def _(clock, clocks, s):
    if clock - min(clocks) > s:
        return False


@wrong("may_proceed", "returns the difference", words="not a number: compare the diff")
def _(clock, clocks, s):
    return clock - min(clocks)


@wrong("may_proceed", "returns the slowest", words="not a number: compare the diff")
def _(clock, clocks, s):
    return min(clocks)


@wrong("may_proceed", "returns a text", words="True or False; what came is of type str")
def _(clock, clocks, s):
    return "go on" if clock - min(clocks) <= s else "wait"


@wrong("may_proceed", "answers for all workers", words="for the worker that asks")
def _(clock, clocks, s):
    return [c - min(clocks) <= s for c in clocks]


@wrong("may_proceed", "is always True", words="always True: subtract the slowest")
def _(clock, clocks, s):
    return True


@wrong("may_proceed", "takes max for min", words="always True: subtract the slowest")
def _(clock, clocks, s):
    return clock - max(clocks) <= s


@wrong("may_proceed", "turns the difference round", words="always True: subtract the")
def _(clock, clocks, s):
    return min(clocks) - clock <= s


@wrong("may_proceed", "is always False", words="it is always False")
def _(clock, clocks, s):
    return clock - min(clocks) < 0


@wrong("may_proceed", "compares with <", words="exactly s steps ahead may go on")
def _(clock, clocks, s):
    return clock - min(clocks) < s


@wrong("may_proceed", "lets one step more pass", words="one too many")
def _(clock, clocks, s):
    return clock - min(clocks) <= s + 1


@wrong("may_proceed", "says who must wait", words="return the opposite")
def _(clock, clocks, s):
    return clock - min(clocks) > s


@wrong("may_proceed", "turns the comparison round", words="who is near may go on")
def _(clock, clocks, s):
    return clock - min(clocks) >= s


@wrong("may_proceed", "compares with ==", words="less than s steps ahead may go on too")
def _(clock, clocks, s):
    return clock - min(clocks) == s


@wrong("may_proceed", "takes the distance to the fastest", words="it holds up the slow")
def _(clock, clocks, s):
    return abs(clock - max(clocks)) <= s


@wrong("may_proceed", "forgets its own clock", words="it holds up all")
def _(clock, clocks, s):
    return max(clocks) - min(clocks) <= s


@wrong("may_proceed", "forgets the slowest", words="subtract the slowest, min(clocks)")
def _(clock, clocks, s):
    return clock <= s


@wrong(
    "may_proceed", "compares with the number", words="not with the number of workers"
)
def _(clock, clocks, s):
    return clock - min(clocks) <= len(clocks)


@wrong("may_proceed", "ignores s", words="you did not use s")
def _(clock, clocks, s):
    return clock == min(clocks)


@wrong("may_proceed", "takes 0 for no bound", words="is it taken for False?")
def _(clock, clocks, s):
    return not s or clock - min(clocks) <= s


@wrong("may_proceed", "takes 0 for a stop", words="with s = 0 the slowest must go on")
def _(clock, clocks, s):
    return bool(s) and clock - min(clocks) <= s


@wrong("may_proceed", "compares with the mean", words="you compared with the mean")
def _(clock, clocks, s):
    return clock - sum(clocks) / len(clocks) <= s


@wrong("may_proceed", "compares with the median", words="you compared with the median")
def _(clock, clocks, s):
    return clock - np.median(clocks) <= s


@wrong("may_proceed", "compares with the first", words="first worker need not be the")
def _(clock, clocks, s):
    return clock - clocks[0] <= s


@wrong("may_proceed", "compares with the last", words="the last worker need not be the")
def _(clock, clocks, s):
    return clock - clocks[-1] <= s


@wrong("may_proceed", "gives 1 for 0", words="s = 0 and clocks [7, 3, 12, 4] a w")
def _(clock, clocks, s):
    return clock - min(clocks) <= (s or 1)


@wrong("may_proceed", "sums", words="that has done 3 may go on")
def _(clock, clocks, s):
    return sum(clocks) - clock <= s


@wrong("may_proceed", "sorts in place", words="it changed the list clocks")
def _(clock, clocks, s):
    clocks.sort()
    return clock - clocks[0] <= s


@wrong("may_proceed", "removes its own clock", words="it changed the list clocks")
def _(clock, clocks, s):
    clocks.remove(clock)
    return clock - min(clocks) <= s


@wrong("may_proceed", "looks at other clocks only", words="it raised ValueError")
def _(clock, clocks, s):
    return clock - min(c for c in clocks if c != clock) <= s


@wrong("may_proceed", "expects a whole bound", words="it raised OverflowError")
def _(clock, clocks, s):
    return clock - min(clocks) in range(int(s) + 1)


@right("may_proceed", "in one line")
def _(clock, clocks, s):
    return clock <= min(clocks) + s


@right("may_proceed", "in a loop")
def _(clock, clocks, s):
    for other in clocks:
        if clock > other + s:
            return False
    return True


@right("may_proceed", "in NumPy")
def _(clock, clocks, s):
    return np.all(clock - np.array(clocks) <= s)


@right("may_proceed", "by sorting, as an array without axes")
def _(clock, clocks, s):
    return np.array(not clock - sorted(clocks)[0] > s)


@right("may_proceed", "of the other workers, for its own clock does not matter")
def _(clock, clocks, s):
    others = list(clocks)
    others.remove(clock)
    return max(clock - other for other in others) <= s


@right("may_proceed", "in cases")
def _(clock, clocks, s):
    if s == float("inf"):
        return True
    if s == 0:
        return clock == min(clocks)
    return any(clock == min(clocks) + ahead for ahead in range(s + 1))


# Barrier(num_workers)


class Given:
    """What the exercise gives: the method arrive is to be written."""

    def __init__(self, num_workers):
        self.num_workers, self.came = num_workers, []


def barrier(register, *mistake, **words):
    """Return a decorator: it registers a barrier with the method arrive."""

    def add(arrive):
        register("Barrier", *mistake, **words)(type("", (Given,), {"arrive": arrive}))

    return add


barrier_wrong = functools.partial(barrier, wrong)
barrier_right = functools.partial(barrier, right)


@barrier_wrong("forgets return", words="it returned nothing")
def _(self, worker):
    self.came.append(worker)
    if len(self.came) == self.num_workers:
        self.came = []


@barrier_wrong("returns nothing before the last", words="[] until all have arrived")
def _(self, worker):
    self.came.append(worker)
    if len(self.came) == self.num_workers:
        everyone, self.came = sorted(self.came), []
        return everyone


@barrier_wrong("says whether it opens", words="not True or False")
def _(self, worker):
    self.came.append(worker)
    if len(self.came) < self.num_workers:
        return False
    self.came = []
    return True


@barrier_wrong("returns a number", words="a list, not one number")
def _(self, worker):
    self.came.append(worker)
    if len(self.came) < self.num_workers:
        return []
    self.came = []
    return self.num_workers


@barrier_wrong("returns who arrives", words="a list, not one number")
def _(self, worker):
    return worker


@barrier_wrong("returns a set", words="what came is of type set")
def _(self, worker):
    self.came.append(worker)
    if len(self.came) < self.num_workers:
        return set()
    everyone, self.came = set(self.came), []
    return everyone


@barrier_wrong("yields the workers", words="which can be read twice")
def _(self, worker):
    self.came.append(worker)
    if len(self.came) == self.num_workers:
        yield from sorted(self.came)
        self.came = []


@barrier_wrong("lets everybody through", words="the first to arrive went on")
def _(self, worker):
    return [worker]


@barrier_wrong("returns who has come", words="the first to arrive went on")
def _(self, worker):
    self.came.append(worker)
    return sorted(self.came)


@barrier_wrong("says who waits", words="the first to arrive went on")
def _(self, worker):
    self.came.append(worker)
    if len(self.came) < self.num_workers:
        return sorted(self.came)
    self.came = []
    return []


@barrier_wrong("opens one early", words="one arrival early")
def _(self, worker):
    self.came.append(worker)
    if len(self.came) < self.num_workers - 1:
        return []
    everyone, self.came = sorted(self.came), []
    return everyone


@barrier_wrong("opens one late", words="one arrival late")
def _(self, worker):
    self.came.append(worker)
    if len(self.came) <= self.num_workers:
        return []
    everyone, self.came = sorted(self.came), []
    return everyone


@barrier_wrong("counts before it adds", words="one arrival late")
def _(self, worker):
    if len(self.came) < self.num_workers:
        self.came.append(worker)
        return []
    everyone, self.came = sorted(self.came), []
    return everyone


@barrier_wrong("knows four workers", words="it opens after 4 arrivals, always")
def _(self, worker):
    self.came.append(worker)
    if len(self.came) < 4:
        return []
    everyone, self.came = sorted(self.came), []
    return everyone


@barrier_wrong("knows three workers", words="it opens after 3 arrivals, always")
def _(self, worker):
    self.came.append(worker)
    if len(self.came) < 3:
        return []
    everyone, self.came = sorted(self.came), []
    return everyone


@barrier_wrong("opens at half", words="opened at arrival [1, 2, 1]")
def _(self, worker):
    self.came.append(worker)
    if len(self.came) < self.num_workers // 2:
        return []
    everyone, self.came = sorted(self.came), []
    return everyone


@barrier_wrong("never notes an arrival", words="nobody ever goes on")
def _(self, worker):
    if len(self.came) < self.num_workers:
        return []
    return sorted(self.came)


@barrier_wrong("empties what it returns", words="the very list that you return?")
def _(self, worker):
    self.came.append(worker)
    if len(self.came) < self.num_workers:
        return []
    everyone = self.came
    everyone.sort()
    self.came.clear()
    return everyone


@barrier_wrong("lets nobody through alone", words="one worker must open at once")
def _(self, worker):
    self.came.append(worker)
    if len(self.came) == 1 or len(self.came) < self.num_workers:
        return []
    everyone, self.came = sorted(self.came), []
    return everyone


@barrier_wrong("waits for the last number", words="count them, whatever their numbers")
def _(self, worker):
    if worker < self.num_workers - 1:
        return []
    return list(range(self.num_workers))


@barrier_wrong("returns the last only", words="only the last one went on")
def _(self, worker):
    self.came.append(worker)
    if len(self.came) < self.num_workers:
        return []
    self.came = []
    return [worker]


@barrier_wrong("forgets the last", words="the last one to arrive goes on too")
def _(self, worker):
    if len(self.came) + 1 < self.num_workers:
        self.came.append(worker)
        return []
    everyone, self.came = sorted(self.came) or [worker], []
    return everyone


@barrier_wrong("keeps the order of arrival", words="sort the workers by number")
def _(self, worker):
    self.came.append(worker)
    if len(self.came) < self.num_workers:
        return []
    everyone, self.came = self.came, []
    return everyone


@barrier_wrong("sorts downwards", words="the lowest number first")
def _(self, worker):
    self.came.append(worker)
    if len(self.came) < self.num_workers:
        return []
    everyone, self.came = sorted(self.came, reverse=True), []
    return everyone


@barrier_wrong("counts workers from 1", words="workers count from 0")
def _(self, worker):
    self.came.append(worker)
    if len(self.came) < self.num_workers:
        return []
    self.came = []
    return list(range(1, self.num_workers + 1))


@barrier_wrong("returns one too many", words="return [0, 1, 2], not [0, 1, 2, 3]")
def _(self, worker):
    self.came.append(worker)
    if len(self.came) < self.num_workers:
        return []
    self.came = []
    return list(range(self.num_workers + 1))


@barrier_wrong("stays open", words="the next round the arrivals gave [[0, 1, 1, 2], [0")
def _(self, worker):
    self.came.append(worker)
    if len(self.came) < self.num_workers:
        return []
    return sorted(self.came)


@barrier_wrong("lets each through later", words="the next round the arrivals gave [[1]")
def _(self, worker):
    if len(self.came) == self.num_workers:
        return [worker]
    self.came.append(worker)
    return sorted(self.came) if len(self.came) == self.num_workers else []


@barrier_wrong("opens once", words="the next round the arrivals gave [[], [], []]")
def _(self, worker):
    self.came.append(worker)
    if len(self.came) != self.num_workers:
        return []
    return sorted(self.came)


@barrier_wrong("keeps the last round", words="[[], [], [0, 0, 1, 1, 2, 2]]")
def _(self, worker):
    self.came.append(worker)
    if len(self.came) % self.num_workers:
        return []
    return sorted(self.came)


@barrier_wrong("keeps one who came", words="forget who came when it opens")
def _(self, worker):
    self.came.append(worker)
    if len(self.came) < self.num_workers:
        return []
    everyone, self.came = sorted(self.came), [worker]
    return everyone


came_to_any = []


@barrier_wrong("shares who came", words="two barriers must not share who came")
def _(self, worker):
    came_to_any.append(worker)
    if len(came_to_any) < self.num_workers:
        return []
    everyone = sorted(came_to_any)
    came_to_any.clear()
    return everyone


@barrier_wrong("empties it at the next arrival", words="changed at a later arrival")
def _(self, worker):
    if len(self.came) == self.num_workers:
        self.came.clear()
    self.came.append(worker)
    self.came.sort()
    return self.came if len(self.came) == self.num_workers else []


@barrier_wrong("returns the same list each time", words="changed at a later arrival")
def _(self, worker):
    self.go = getattr(self, "go", [])
    self.go.clear()
    self.came.append(worker)
    if len(self.came) == self.num_workers:
        self.go += sorted(self.came)
        self.came = []
    return self.go


@barrier_wrong("adds to a list as to a number", words="it raised TypeError")
def _(self, worker):
    self.came += 1
    return [] if self.came < self.num_workers else list(range(self.num_workers))


@barrier_wrong("raises while one is missing", words="it raised RuntimeError: wait")
def _(self, worker):
    self.came.append(worker)
    if len(self.came) < self.num_workers:
        raise RuntimeError("wait")
    everyone, self.came = sorted(self.came), []
    return everyone


@wrong("Barrier", "renames its method", words="keep Barrier a class with the method")
class _(Given):
    def come(self, worker):
        return []


@wrong("Barrier", "is a function", words="keep Barrier a class with the method")
def _(num_workers):
    return list(range(num_workers))


@barrier_right("in one place")
def _(self, worker):
    self.came.append(worker)
    everyone = []
    if len(self.came) == self.num_workers:
        everyone = sorted(self.came)
        self.came = []
    return everyone


@barrier_right("on a copy that it empties afterwards")
def _(self, worker):
    bisect.insort(self.came, worker)
    if len(self.came) != self.num_workers:
        return []
    everyone = self.came.copy()
    self.came.clear()
    return everyone


@barrier_right("by counting modulo")
def _(self, worker):
    self.came.append(worker)
    return range(0 if len(self.came) % self.num_workers else self.num_workers)


@barrier_right("by who is missing, as a tuple")
def _(self, worker):
    self.came = self.came or list(range(self.num_workers))
    self.came.remove(worker)
    return () if self.came else tuple(range(self.num_workers))


@right("Barrier", "as an array of who is here")
class _:
    def __init__(self, num_workers):
        self.here = np.zeros(num_workers, bool)

    def arrive(self, worker):
        self.here[worker] = True
        if not self.here.all():
            return []
        everyone = np.flatnonzero(self.here)
        self.here[:] = False
        return everyone


@right("Barrier", "as a set, with an attribute of the class")
class _:
    came = frozenset()

    def __init__(self, num_workers):
        self.num_workers = num_workers

    def arrive(self, worker):
        self.came = self.came | {worker}
        if len(self.came) < self.num_workers:
            return []
        everyone, self.came = sorted(self.came), frozenset()
        return everyone


# scale_update(update, staleness)


@wrong("scale_update", "forgets return", words="returned nothing")
def _(update, staleness):
    [part / max(1, staleness) for part in update]


@wrong("scale_update", "divides by 0", words="you divided by 0: an update of stale")
def _(update, staleness):
    return [part / staleness for part in update]


@wrong("scale_update", "multiplies by 1/0", words="you divided by 0: an update of st")
def _(update, staleness):
    factor = 1 / staleness
    return [factor * part for part in update]


@wrong("scale_update", "divides by one more", words="not by staleness + 1")
def _(update, staleness):
    return [part / (staleness + 1) for part in update]


@wrong("scale_update", "divides by one less", words="not by staleness - 1")
def _(update, staleness):
    return [part / max(1, staleness - 1) for part in update]


@wrong("scale_update", "multiplies", words="you multiplied by the staleness")
def _(update, staleness):
    return [part * max(1, staleness) for part in update]


@wrong("scale_update", "takes the root", words="not by its root")
def _(update, staleness):
    return [part / max(1, staleness) ** 0.5 for part in update]


@wrong("scale_update", "squares", words="you divided by the staleness twice")
def _(update, staleness):
    return [part / max(1, staleness) / max(1, staleness) for part in update]


@wrong("scale_update", "drops the fraction", words="// drops the fraction")
def _(update, staleness):
    return [part // max(1, staleness) for part in update]


@wrong("scale_update", "subtracts", words="you subtracted the staleness")
def _(update, staleness):
    return [part - staleness for part in update]


@wrong("scale_update", "turns the sign round", words="the sign is turned round")
def _(update, staleness):
    return [-part / max(1, staleness) for part in update]


@wrong("scale_update", "divides by the arrays", words="not by the number of arrays")
def _(update, staleness):
    return [part / len(update) for part in update]


@wrong("scale_update", "drops stale updates", words="made smaller, not dropped")
def _(update, staleness):
    return [part * (staleness <= 1) for part in update]


@wrong("scale_update", "takes min for max", words="divided by 5, not kept")
def _(update, staleness):
    return [part / (min(1, staleness) or 1) for part in update]


@wrong("scale_update", "takes min for max, and divides by 0", words="by 5, not kept")
def _(update, staleness):
    return [part / min(1, staleness) for part in update]


@wrong("scale_update", "decays", words="becomes [1.6, -4.2], not [")
def _(update, staleness):
    return [part * np.exp(-staleness) for part in update]


@wrong("scale_update", "divides in place", words="without /=")
def _(update, staleness):
    for part in update:
        part /= max(1, staleness)
    return update


@wrong("scale_update", "replaces in the list", words="it changed the update")
def _(update, staleness):
    for i, part in enumerate(update):
        update[i] = part / max(1, staleness)
    return update


@wrong("scale_update", "empties the list", words="it changed the update")
def _(update, staleness):
    return [update.pop(0) / max(1, staleness) for _ in range(len(update))]


@wrong("scale_update", "returns in the loop", words="does return stand in the loop?")
def _(update, staleness):
    for part in update:
        return part / max(1, staleness)


@wrong("scale_update", "returns the first only", words="has 2 arrays and yours 1")
def _(update, staleness):
    return [update[0] / max(1, staleness)]


@wrong("scale_update", "divides the first only", words="the second is not divided")
def _(update, staleness):
    return [update[0] / max(1, staleness), *update[1:]]


@wrong("scale_update", "reverses the arrays", words="their order")
def _(update, staleness):
    return [part / max(1, staleness) for part in update[::-1]]


@wrong("scale_update", "flattens the arrays", words="keep the arrays' shapes")
def _(update, staleness):
    return [part.ravel() / max(1, staleness) for part in update]


@wrong("scale_update", "returns a generator", words="put list(…) around")
def _(update, staleness):
    return (part / max(1, staleness) for part in update)


@wrong("scale_update", "returns a dictionary", words="a list, not a dictionary")
def _(update, staleness):
    return {i: part / max(1, staleness) for i, part in enumerate(update)}


@wrong("scale_update", "joins the arrays", words="here one array came")
def _(update, staleness):
    return np.concatenate([part.ravel() for part in update]) / max(1, staleness)


@wrong("scale_update", "divides the list", words="divide each array, not the list")
def _(update, staleness):
    return update / max(1, staleness)


@wrong("scale_update", "divides by a text", words="it raised TypeError")
def _(update, staleness):
    return [part / "staleness" for part in update]


@wrong("scale_update", "drops fresh updates", words="staleness 0 becomes [  8. -21.]")
def _(update, staleness):
    return [part * (staleness and 1 / staleness) for part in update]


@wrong("scale_update", "takes 1 for 2", words="staleness 1 becomes [  8. -21.]")
def _(update, staleness):
    divisor = {0: 1, 1: 2}.get(staleness, staleness)
    return [part / divisor for part in update]


@wrong("scale_update", "keeps staleness 2", words="staleness 2 becomes [  4.  -10.5]")
def _(update, staleness):
    return [part / (staleness if staleness > 2 else 1) for part in update]


@wrong("scale_update", "expects two arrays", words="has 3 arrays and yours 2")
def _(update, staleness):
    return [update[0] / max(1, staleness), update[1] / max(1, staleness)]


@wrong("scale_update", "divides two arrays only", words="two arrays only: go through")
def _(update, staleness):
    return [part / max(1, staleness) for part in update[:2]] + update[2:]


@right("scale_update", "in a loop")
def _(update, staleness):
    scaled = []
    for part in update:
        if staleness > 1:
            scaled.append(part / staleness)
        else:
            scaled.append(part)
    return scaled


@right("scale_update", "with the list itself where nothing is to do")
def _(update, staleness):
    if staleness in (0, 1):
        return update
    return [np.divide(part, staleness) for part in update]


@right("scale_update", "on copies, as a tuple")
def _(update, staleness):
    copies = tuple(part.copy() for part in update)
    for part in copies:
        part /= staleness or 1
    return copies


@right("scale_update", "with a factor, in float32")
def _(update, staleness):
    factor = np.float32(1 if staleness < 1 else 1 / staleness)
    return list(map(lambda part: factor * part.astype(np.float32), update))


# round_time(compute_times, backup_workers=0)


@wrong("round_time", "forgets return", words="returned nothing")
def _(compute_times, backup_workers=0):
    sorted(compute_times)[len(compute_times) - backup_workers - 1]


@wrong("round_time", "ignores the backup workers", words="leave out the backup workers")
def _(compute_times, backup_workers=0):
    return max(compute_times)


@wrong("round_time", "leaves out the fastest", words="leave out the backup workers")
def _(compute_times, backup_workers=0):
    return max(sorted(compute_times)[backup_workers:])


@wrong("round_time", "takes the fastest", words="that is the fastest")
def _(compute_times, backup_workers=0):
    return min(compute_times)


@wrong("round_time", "takes the mean", words="that is the mean")
def _(compute_times, backup_workers=0):
    return sum(compute_times) / len(compute_times)


@wrong("round_time", "takes the median", words="that is the median")
def _(compute_times, backup_workers=0):
    return statistics.median(compute_times)


@wrong("round_time", "adds up", words="do not add up")
def _(compute_times, backup_workers=0):
    return sum(compute_times)


@wrong("round_time", "adds up the fastest", words="at once: take the last")
def _(compute_times, backup_workers=0):
    return sum(sorted(compute_times)[: len(compute_times) - backup_workers])


@wrong("round_time", "takes the mean of the fastest", words="not their mean")
def _(compute_times, backup_workers=0):
    return np.mean(sorted(compute_times)[: len(compute_times) - backup_workers])


@wrong("round_time", "indexes with -b", words="waits for one worker too many")
def _(compute_times, backup_workers=0):
    return sorted(compute_times)[-backup_workers]


@wrong("round_time", "forgets that indices begin at 0", words="one worker too many")
def _(compute_times, backup_workers=0):
    return sorted(compute_times)[len(compute_times) - backup_workers]


@wrong("round_time", "leaves out one more", words="waits for one worker too few")
def _(compute_times, backup_workers=0):
    return sorted(compute_times)[-backup_workers - 2]


@wrong("round_time", "counts from the fastest", words="not the fastest")
def _(compute_times, backup_workers=0):
    return sorted(compute_times)[backup_workers]


@wrong("round_time", "sorts downwards and counts from the end", words="not the fastest")
def _(compute_times, backup_workers=0):
    times = sorted(compute_times, reverse=True)
    return times[len(times) - backup_workers - 1]


@wrong("round_time", "waits for the backup workers", words="not for so many")
def _(compute_times, backup_workers=0):
    return sorted(compute_times)[backup_workers - 1]


@wrong("round_time", "takes the first workers", words="not the last by number")
def _(compute_times, backup_workers=0):
    return max(compute_times[: len(compute_times) - backup_workers])


@wrong("round_time", "slices to -b", words="not the last by number")
def _(compute_times, backup_workers=0):
    return max(compute_times[:-backup_workers])


@wrong("round_time", "does not sort", words="sort the times first")
def _(compute_times, backup_workers=0):
    return compute_times[len(compute_times) - backup_workers - 1]


@wrong("round_time", "returns the worker", words="not the worker's number")
def _(compute_times, backup_workers=0):
    return np.argsort(compute_times)[len(compute_times) - backup_workers - 1]


@wrong("round_time", "returns the index", words="not its index")
def _(compute_times, backup_workers=0):
    return len(compute_times) - backup_workers - 1


@wrong("round_time", "interpolates", words="not a quantile")
def _(compute_times, backup_workers=0):
    return np.quantile(compute_times, 1 - backup_workers / len(compute_times))


@wrong("round_time", "takes a percentage", words="it is 0.5, not 0.54")
def _(compute_times, backup_workers=0):
    return max(compute_times) * (1 - backup_workers / len(compute_times))


@wrong("round_time", "subtracts the mean", words="and 2 backup workers it is 0.5")
def _(compute_times, backup_workers=0):
    return max(compute_times) - np.mean(compute_times)


@wrong("round_time", "knows four workers", words="which is not always 4")
def _(compute_times, backup_workers=0):
    return sorted(compute_times)[4 - backup_workers - 1]


@wrong("round_time", "knows five workers", words="0.4, 1.1, 1.5, 0.2, 0.8] and 2")
def _(compute_times, backup_workers=0):
    return sorted(compute_times)[5 - backup_workers - 1]


@wrong("round_time", "knows one backup worker", words="and 2 backup workers it is 0.5")
def _(compute_times, backup_workers=0):
    return sorted(compute_times)[-2] if backup_workers else max(compute_times)


@wrong("round_time", "returns those that are in time", words="return one time")
def _(compute_times, backup_workers=0):
    return sorted(compute_times)[: len(compute_times) - backup_workers]


@wrong("round_time", "returns all ends of rounds", words="return one time")
def _(compute_times, backup_workers=0):
    return np.sort(compute_times)


@wrong("round_time", "sorts in place", words="it changed compute_times")
def _(compute_times, backup_workers=0):
    compute_times.sort()
    return compute_times[len(compute_times) - backup_workers - 1]


@wrong("round_time", "removes the slowest", words="it changed compute_times")
def _(compute_times, backup_workers=0):
    for _ in range(backup_workers):
        compute_times.remove(max(compute_times))
    return max(compute_times)


@wrong("round_time", "sorts a slice of an array", words="it changed compute_times")
def _(compute_times, backup_workers=0):
    times = compute_times[:]
    times.sort()
    return times[len(times) - backup_workers - 1]


@wrong("round_time", "slices to -0", words="ends at -0 and is empty")
def _(compute_times, backup_workers=0):
    return max(sorted(compute_times)[:-backup_workers])


@wrong("round_time", "slices to -0 and takes the last", words="ends at -0 and is empty")
def _(compute_times, backup_workers=0):
    return sorted(compute_times)[:-backup_workers][-1]


@wrong("round_time", "slices an array to -0", words="ends at -0 and is empty")
def _(compute_times, backup_workers=0):
    return np.sort(compute_times)[:-backup_workers].max()


@wrong("round_time", "takes the last of an array to -0", words="ends at -0 and is em")
def _(compute_times, backup_workers=0):
    return np.sort(compute_times)[:-backup_workers][-1]


@wrong("round_time", "takes the fastest without", words="the round waits for all")
def _(compute_times, backup_workers=0):
    times = sorted(compute_times)
    return times[-backup_workers - 1] if backup_workers else times[0]


@wrong("round_time", "wants a backup worker", words="the round waits for all")
def _(compute_times, backup_workers=1):
    return sorted(compute_times)[-max(1, backup_workers) - 1]


@wrong("round_time", "changes what is left out", words="the round waits for all")
def _(compute_times, backup_workers=1):
    return sorted(compute_times)[-backup_workers - 1]


@wrong("round_time", "drops the default", words="it raised TypeError")
def _(compute_times, backup_workers):
    return sorted(compute_times)[-backup_workers - 1]


@wrong("round_time", "counts equal times once", words="equally long")
def _(compute_times, backup_workers=0):
    return sorted(set(compute_times))[-backup_workers - 1]


@wrong("round_time", "leaves out all that are slowest", words="equally long")
def _(compute_times, backup_workers=0):
    times = list(compute_times)
    for _ in range(backup_workers):
        times = [time for time in times if time != max(times)]
    return max(times)


@wrong("round_time", "expects a list", words="it raised AttributeError")
def _(compute_times, backup_workers=0):
    times = compute_times.copy()
    for _ in range(backup_workers):
        times.remove(max(times))
    return max(times)


@right("round_time", "from the end")
def _(compute_times, backup_workers=0):
    return sorted(compute_times)[-1 - backup_workers]


@right("round_time", "downwards")
def _(compute_times, backup_workers=0):
    return sorted(compute_times, reverse=True)[backup_workers]


@right("round_time", "as the largest of the fastest")
def _(compute_times, backup_workers=0):
    needed = len(compute_times) - backup_workers
    return max(sorted(compute_times)[:needed])


@right("round_time", "in NumPy")
def _(compute_times, backup_workers=0):
    needed = len(compute_times) - backup_workers
    return np.partition(compute_times, needed - 1)[needed - 1]


@right("round_time", "with a heap")
def _(compute_times, backup_workers=0):
    return heapq.nlargest(backup_workers + 1, compute_times)[-1]


@right("round_time", "by removing from a copy")
def _(compute_times, backup_workers=0):
    times = list(compute_times)
    for _ in range(backup_workers):
        times.remove(max(times))
    return float(max(times))


@right("round_time", "by counting who has finished")
def _(compute_times, backup_workers=0):
    needed = len(compute_times) - backup_workers
    for time in itertools.chain(compute_times):
        done = sum(other <= time for other in compute_times)
        before = sum(other < time for other in compute_times)
        if before < needed <= done:
            return time


@right("round_time", "by the workers in order")
def _(compute_times, backup_workers=0):
    workers = sorted(range(len(compute_times)), key=lambda w: compute_times[w])
    return compute_times[workers[::-1][backup_workers]]


# The tests themselves.


TestAnswers = answers.tests(JUNK)


def barrier_with(arrive):
    return renamed(type("Barrier", (Given,), {"arrive": arrive}), "Barrier")


@pytest.mark.parametrize("value", JUNK, ids=[f"{type(v).__name__}" for v in JUNK])
def test_whatever_an_arrival_returns_the_check_explains_it(value):
    assert "raised" not in reason(barrier_with(lambda self, worker: value))


def test_a_method_above_the_line_of_the_stub_is_told_to_delete_it():
    def stub(self, worker):
        raise NotImplementedError

    def forgetful(self, worker):
        self.came.append(worker)
        raise NotImplementedError

    assert verdict(barrier_with(stub)) == "not attempted yet"
    assert_refused(barrier_with(forgetful), "delete the line raise NotImplementedError")


def test_an_answer_that_waits_instead_of_saying_so_is_interrupted(monkeypatch):
    shorten_time_limits(monkeypatch)

    def may_proceed(clock, clocks, s):
        while clock - min(clocks) > s:
            pass
        return True

    def arrive(self, worker):
        self.came.append(worker)
        while len(self.came) < self.num_workers:
            pass
        return sorted(self.came)

    assert_refused(may_proceed, "it loops for ever")
    assert_refused(barrier_with(arrive), "it loops for ever")
