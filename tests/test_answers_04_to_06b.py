"""Wrong and right answers to the exercises of notebooks 04 to 06b."""

import bisect
import heapq
import itertools
import zlib

import numpy as np
from answers import all_tests_of

from ps_helpers.checks import fewer_bytes, many_servers, messages, waiting

# Notebooks 04 and 04b: may_proceed, Barrier, scale_update, round_time.

LEAD, SCALED = "clock - min(clocks) <= s", "part / max(1, staleness)"
COUNT, LAST = "len(self.came) < self.num_workers", "sorted(compute_times)[last_needed]"
TIMES = "sorted(compute_times)"
IN_TIME = "sorted(compute_times)[: len(compute_times) - backup_workers]"
MUTATIONS = [
    ("may_proceed", f"return {LEAD}", f"print({LEAD})", "True or False in any case"),
    ("may_proceed", "return", f"if {LEAD}: return", "it returned nothing"),
    ("may_proceed", " <= s", "", "compare the lead with s"),
    ("may_proceed", LEAD, f"'yes' if {LEAD} else ''", "what came is of type str"),
    ("may_proceed", LEAD, "[c - min(clocks) <= s for c in clocks]", "one True or False"),
    ("may_proceed", LEAD, "True", "subtract the slowest"),
    ("may_proceed", "clock - min(clocks)", "min(clocks) - clock", "subtract the slow"),
    ("may_proceed", "<= s", "<= (s or 1)", "is False, not True"),
    ("may_proceed", "clock - min(clocks)", "sum(clocks) - clock", "not "),
    ("may_proceed", "return", "clocks.sort(); return", "leave it as it is"),
    ("may_proceed", "return", "clocks.remove(clock); return", "leave it as it is"),
    ("may_proceed", "clocks)", "c for c in clocks if c != clock)", "leave it in"),
    ("may_proceed", "<= s", "in range(int(s) + 1)", "s may be infinite"),
    ("Barrier", "return everyone", "return", "until all have arrived, not nothing"),
    ("Barrier", "return []", "return None", "until all have arrived, not nothing"),
    ("Barrier", "return []", "return False", "not True or False"),
    ("Barrier", "return everyone", "return len(everyone)", "a list, not one number"),
    ("Barrier", "return everyone", "return set(everyone)", "what came is of type set"),
    ("Barrier", "return everyone", "return iter(everyone)", "which can be read twice"),
    ("Barrier", COUNT, "False", "is '[]', not '[2]'"),
    ("Barrier", "return []", "return sorted(self.came)", "is '[]', not '[2]'"),
    ("Barrier", "self.came.append(worker)", "pass", "is '[0]', not '[]'"),
    ("Barrier", "self.num_workers", "4", "is '[0]', not '[]'"),
    ("Barrier", "self.num_workers", "3", "is '[0]', not '[]'"),
    ("Barrier", COUNT, f"{COUNT} // 2", "not '[2]'"),
    ("Barrier", COUNT, f"len(self.came) == 1 or {COUNT}", "is '[0]', not '[]'"),
    ("Barrier", "sorted(self.came), []", "sorted(self.came), [worker]", "entry 1"),
    ("Barrier", "self.came = sorted", "type(self).came = sorted", "entry "),
    ("Barrier", COUNT, "len(self.came) != self.num_workers", "not "),
    ("Barrier", "return []", "raise RuntimeError", "stops with RuntimeError"),
    ("Barrier", "sorted(self.came), []", "self.came, self.came; everyone.clear()", "do"),
    ("Barrier", "append(worker)", "insert(worker)", "stops with TypeError"),
    ("scale_update", SCALED, "part * np.exp(-staleness)", "not [0.8"),
    ("scale_update", SCALED, "1 / staleness * part", "you divided by 0"),
    ("scale_update", "for part in update]", "for part in update][:1]", "the length of"),
    ("scale_update", "in update]", "in update[::-1]]", "the shape of entry 0"),
    ("scale_update", SCALED, f"({SCALED}).ravel()", "the shape of entry 0"),
    ("scale_update", SCALED, f"({SCALED}).astype(int)", "entry 0"),
    ("scale_update", SCALED, f"({SCALED}).astype(np.float16)", "entry 0"),
    ("scale_update", f"[{SCALED} for part in update]", "update / staleness", "divide"),
    ("scale_update", f"[{SCALED} for part in update]", "np.array(update) / 2", "divide"),
    ("scale_update", SCALED, f"part.__itruediv__({SCALED[7:]})", "leave it as it is"),
    ("scale_update", SCALED, f"update.pop(0) / {SCALED[7:]}", "leave it as it is"),
    ("scale_update", SCALED, "part * (staleness and 1 / staleness)", "0) is [1.5, -2]"),
    ("scale_update", "max(1, staleness)", "{0: 1, 1: 2}.get(staleness, staleness)", "1)"),
    ("scale_update", "max(1, staleness)", "(staleness > 2 and staleness or 1)", "2) is"),
    ("scale_update", f"[{SCALED} for part in update]", "[update[0]] * 2", "the length"),
    ("scale_update", SCALED, f"str({SCALED})", "in yours is one str"),
    ("round_time", LAST, IN_TIME, "return one time"),
    ("round_time", LAST, "np.sort(compute_times)", "return one time"),
    ("round_time", LAST, f"max({TIMES}[:-backup_workers])", "is not there"),
    ("round_time", LAST, f"{TIMES}[:-backup_workers][-1]", "is not there"),
    ("round_time", LAST, "np.sort(compute_times)[:-backup_workers].max()", "is not th"),
    ("round_time", LAST, "np.sort(compute_times)[:-backup_workers][-1]", "is not there"),
    ("round_time", LAST, "max(compute_times[: last_needed + 1])", "not the last"),
    ("round_time", LAST, "max(compute_times) * last_needed / 4", "round_time("),
    ("round_time", "len(compute_times)", "5", "round_time("),
    ("round_time", "- backup_workers", "- (backup_workers and 1)", "round_time("),
    ("round_time", "last_needed =", "compute_times.sort(); last_needed =", "leave it as"),
    ("round_time", LAST, "sorted(compute_times.copy().remove(1))[0]", "may be an array"),
]


class Given:
    """What the exercise gives: the method arrive is to be written."""

    def __init__(self, num_workers):
        self.num_workers, self.came = num_workers, []


def barrier(arrive):
    return type("Barrier", (Given,), {"arrive": arrive})


came_to_any = []


def share(self, worker):
    came_to_any.append(worker)
    if len(came_to_any) < self.num_workers:
        return []
    everyone = sorted(came_to_any)
    came_to_any.clear()
    return everyone


def empty_later(self, worker):
    if len(self.came) == self.num_workers:
        self.came.clear()
    bisect.insort(self.came, worker)
    return self.came if len(self.came) == self.num_workers else []


def return_the_same(self, worker):
    self.go = getattr(self, "go", [])
    self.go.clear()
    self.came.append(worker)
    if len(self.came) == self.num_workers:
        self.go += sorted(self.came)
        self.came = []
    return self.go


def go_through_the_open_barrier(self, worker):
    if len(self.came) == self.num_workers:
        return [worker]
    self.came.append(worker)
    return sorted(self.came) if len(self.came) == self.num_workers else []


def count_modulo(self, worker):
    self.came.append(worker)
    return range(0 if len(self.came) % self.num_workers else self.num_workers)


def who_is_missing(self, worker):
    self.came = self.came or list(range(self.num_workers))
    self.came.remove(worker)
    return () if self.came else tuple(range(self.num_workers))


class HereAsAnArray:
    __slots__ = ("here",)

    def __init__(self, num_workers):
        self.here = np.zeros(num_workers, bool)

    def arrive(self, worker):
        self.here[worker] = True
        if not self.here.all():
            return []
        everyone = np.flatnonzero(self.here)
        self.here[:] = False
        return everyone


def on_copies(update, staleness):
    copies = tuple(part.copy() for part in update)
    for part in copies:
        part /= staleness or 1
    return copies


def fewer_each_time(times, b=0):
    times = list(times)
    for _ in range(b):
        times.remove(max(times))
    return float(max(times))


def leave_out_all_slowest(times, b=0):
    for _ in range(b):
        times = [time for time in times if time != max(times)]
    return max(times)


def sort_a_slice(times, b=0):
    times = times[:]
    times.sort()
    return times[len(times) - b - 1]


WRONG = [
    ("may_proceed", lambda clock, clocks, s: clock - min(clocks) < 0, "always False"),
    ("Barrier", barrier(share), "two calls with the same arguments give different"),
    ("Barrier", barrier(empty_later), "what was returned changed later"),
    ("Barrier", barrier(return_the_same), "what was returned changed later"),
    ("Barrier", barrier(go_through_the_open_barrier), "entry 2 of Barrier(2)"),
    ("Barrier", barrier(lambda self, worker: [worker]), "is '[]', not '[2]'"),
    ("Barrier", type("Barrier", (Given,), {}), "a class with the method arrive"),
    ("Barrier", lambda num_workers: list(range(num_workers)), "a class with the method"),
    ("scale_update", lambda u, s: {i: p / max(1, s) for i, p in enumerate(u)}, "a list"),
    ("scale_update", lambda u, s: np.concatenate([p.ravel() for p in u]), "the length"),
    ("round_time", lambda t, b: sorted(t)[-b - 1], "be left out"),
    ("round_time", lambda t, b=1: sorted(t)[-max(1, b) - 1], "waits for all"),
    ("round_time", lambda t, b=0: sorted(t)[-b - 1 if b else 0], "round_time("),
    ("round_time", lambda t, b=0: max(t) - np.mean(t), "round_time("),
    ("round_time", leave_out_all_slowest, "equal times count each"),
    ("round_time", sort_a_slice, "leave it as it is"),
]
RIGHT = [
    ("may_proceed", lambda clock, clocks, s: not any(clock > c + s for c in clocks)),
    ("may_proceed", lambda clock, clocks, s: np.all(clock - np.array(clocks) <= s)),
    ("may_proceed", lambda clock, clocks, s: np.array(sorted(clocks)[0] + s >= clock)),
    ("Barrier", barrier(count_modulo)),
    ("Barrier", barrier(who_is_missing)),
    ("Barrier", HereAsAnArray),
    ("scale_update", lambda u, s: u if s < 2 else [np.divide(p, s) for p in u]),
    ("scale_update", on_copies),
    ("scale_update", lambda u, s: [np.float32(1 / max(s, 1)) * p for p in u]),
    ("round_time", lambda t, backup_workers=0: sorted(t)[::-1][backup_workers]),
    ("round_time", lambda t, b=0: np.partition(t, len(t) - b - 1)[len(t) - b - 1]),
    ("round_time", lambda t, b=0: heapq.nlargest(b + 1, t)[-1]),
    ("round_time", fewer_each_time),
]
TestWaiting = all_tests_of(waiting, MUTATIONS, WRONG, RIGHT)
