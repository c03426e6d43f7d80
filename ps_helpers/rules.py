"""Rules of waiting: when an update counts, and when its worker may go on.

A rule is told of every push, in the order in which the pushes reach the server. It
answers with two lists of workers: those whose last updates are applied now, as one
update that is their mean, and those that get the newest weights and go on. The
server on Ray and the simulator follow the same rules.
"""

from collections import Counter

import numpy as np

NAMES = {  # the rules of the script
    "async": "asynchronous",
    "sync": "synchronous",
    "ssp": "stale-synchronous",
    "backup": "backup workers",
}


class Asynchronous:
    """Nobody waits: every update is applied when it comes."""

    def push(self, worker, fresh):
        """Return whose updates are applied now, and who goes on."""
        return [worker], [worker]


class Synchronous:
    """Everybody waits for a round to be full, and one update is made of it.

    A round is full when ``needed`` workers have pushed. With more workers than that
    the others are backup workers: an update that is not fresh, because its round was
    closed without it, is dropped (Chen et al., Revisiting distributed synchronous
    SGD, 2016).
    """

    def __init__(self, needed):
        self.needed = needed
        self.came = []  # who has pushed in this round

    def push(self, worker, fresh):
        """Return whose updates are applied now, and who goes on."""
        if not fresh:
            return [], [worker]  # too late: dropped
        self.came.append(worker)
        if len(self.came) < self.needed:
            return [], []
        everyone, self.came = sorted(self.came), []
        return everyone, everyone


class StaleSynchronous:
    """Who is more than ``bound`` steps ahead of the slowest waits for it.

    Updates are applied when they come. Ho et al., More effective distributed ML via
    a stale synchronous parallel parameter server (2013).
    """

    def __init__(self, num_workers, bound):
        self.bound = bound
        self.clocks = [0] * num_workers  # steps that each worker has done
        self.waiting = []

    def push(self, worker, fresh):
        """Return whose updates are applied now, and who goes on."""
        self.clocks[worker] += 1
        slowest = min(self.clocks)
        asking = [worker]
        if self.clocks[worker] == slowest:  # others may have waited for this worker
            asking, self.waiting = [worker, *self.waiting], []
        go = []
        for w in asking:
            may_go_on = self.clocks[w] - slowest <= self.bound
            (go if may_go_on else self.waiting).append(w)
        return [worker], go


class CachedStaleSynchronous(StaleSynchronous):
    """Stale-synchronous with a cache: pull only when the copy is too old.

    A worker adds its own updates to its copy of the weights, and keeps it for as long
    as it lacks nobody's updates from more than ``bound`` steps ago. This is the rule
    of Ho et al. (2013), and saves the time of most pulls. For the simulator only; the
    staleness in its log counts a worker's own pushes since its last pull too.
    """

    def __init__(self, num_workers, bound):
        super().__init__(num_workers, bound)
        self.copied = [0] * num_workers  # the slowest clock when the copy was pulled
        self.keeping = []  # who goes on with its copy

    def push(self, worker, fresh):
        """Return whose updates are applied now, and who pulls and goes on."""
        applied, go = super().push(worker, fresh)
        age = self.clocks[worker] - self.copied[worker]
        self.keeping = [worker] if age <= self.bound else []
        go = [w for w in go if w not in self.keeping]
        for w in go:
            self.copied[w] = min(self.clocks)
        return applied, go


def require_same_shapes(update, weights):
    """Raise ValueError unless an update has an array of each weight's shape."""
    shapes = [np.shape(part) for part in update]
    expected = [np.shape(weight) for weight in weights]
    if shapes != expected:
        raise ValueError(f"an update of shapes {shapes} does not fit {expected}")


class RuleServer:
    """Hold weights, and treat pushes by a rule of waiting."""

    def __init__(self, weights, rule):
        self.weights, self.rule = list(weights), rule
        self.version, self.log = 0, []  # updates applied; a record of each push
        self.pulled = Counter()  # worker -> the version that it holds
        self.updates = {}  # worker -> its last update

    def push(self, worker, update, times=()):
        """Take an update; return the workers that pull now and go on."""
        staleness = self.version - self.pulled[worker]
        self.updates[worker] = update
        apply, go = self.rule.push(worker, fresh=staleness == 0)
        if apply:
            self.add([self.updates[w] for w in apply])
        for w in go:
            self.pulled[w] = self.version
        self.log.append(
            dict(
                worker=worker,
                staleness=staleness,
                go=go,
                dropped=worker in go and not apply,
                times=times,
            )
        )
        return go

    def add(self, updates):
        """Add the mean of these updates to the weights."""
        means = [sum(part) / len(part) for part in zip(*updates, strict=True)]
        self.weights = list(map(np.add, self.weights, means))  # new arrays
        self.version += 1

    def report(self, start=0):
        return self.version, self.weights, self.log[start:]


def duration(log):
    """Return the seconds from the first step to the last push."""
    return log[-1]["times"][2] - min(record["times"][0] for record in log)
