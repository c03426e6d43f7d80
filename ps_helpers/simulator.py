"""Run the rules of waiting in virtual time, and do a run's arithmetic afterwards.

Who waits for whom depends on times alone, what is learned on the order of the pushes
alone. So there are two functions: `schedule` finds the pushes and their times, and
`replay` the weights, of a schedule or of a run that was recorded on Ray.
"""

import copy
import heapq
import math
from collections import Counter

from ps_helpers.records import Times
from ps_helpers.rules import StaleSynchronous
from ps_helpers.server import Server
from ps_helpers.store import NewArrays


class CachedStaleSynchronous(StaleSynchronous):
    """Stale-synchronous with a cache: pull only when the copy is too old.

    A worker adds its own updates to its copy of the weights, and keeps it for as long
    as it lacks nobody's updates from more than ``bound`` steps ago. This is the rule
    of Ho et al. (2013), and saves the time of most pulls. The staleness in its log
    counts a worker's own pushes since its last pull too.
    """

    live = False

    def __init__(self, num_workers, bound):
        super().__init__(num_workers, bound)
        self.copied = [0] * num_workers  # the slowest clock when the copy was pulled
        self.keeping = []  # who goes on with its copy

    def push(self, worker, staleness):
        """Return whose updates are applied now, and who pulls and goes on."""
        applied, go = super().push(worker, staleness)
        age = self.clocks[worker] - self.copied[worker]
        self.keeping = [worker] if age <= self.bound else []
        go = [w for w in go if w not in self.keeping]
        for w in go:
            self.copied[w] = min(self.clocks.values())
        return applied, go


def judge(rule, weights=(), num_updates=math.inf):
    """Return a server without Ray, which leaves this rule as it is."""
    store = NewArrays(range(len(weights)), weights)
    return Server(store, copy.deepcopy(rule), num_updates=num_updates)


def begin_at_once(server, worker):
    """Count a worker in that holds the first weights."""
    server.ledger.join(worker)
    server.ledger.let_go(worker, version=0)


def schedule(
    rule,
    num_workers,
    compute,
    num_pushes=math.inf,
    num_updates=math.inf,
    push=0,
    serve=0,
    pull=0,
):
    """Return the log of a run in virtual time, in which everybody begins at 0.

    ``compute(worker, step)`` returns the seconds that a worker computes in a step,
    ``push`` and ``pull`` are the seconds that a message is under way, and ``serve``
    those that the server, which takes one push at a time, spends on it. The run ends
    with a number of pushes or of applied updates. The rule stays as it is.

    Each record is a `Push`. Times are counted in whole microseconds, and of two
    pushes that arrive in the same one the lower worker's comes first: a run repeats
    exactly, on any machine.

    Raises RuntimeError when everybody waits for somebody.
    """
    push, serve, pull = (round(1e6 * t) for t in (push, serve, pull))
    server, steps = judge(rule, num_updates=num_updates), Counter()
    log, events, sent, now = [], [], [0] * num_workers, 0  # in microseconds

    def begin(worker, asked, start):
        computed = start + round(1e6 * compute(worker, steps[worker]))
        times = Times(asked / 1e6, start / 1e6, computed / 1e6)
        heapq.heappush(events, (computed + push, worker, computed, times))

    for worker in range(num_workers):
        begin_at_once(server, worker)
        begin(worker, 0, 0)
    while len(log) < num_pushes and not server.over:
        if not events:
            raise RuntimeError("all workers wait: nobody may go on")
        arrived, worker, sent[worker], times = heapq.heappop(events)
        now = max(now, arrived) + serve
        go = server.push(worker, steps[worker], [], times, now / 1e6)
        log.append(server.ledger.log[-1])
        steps[worker] += 1
        for w in set(go) & server.ledger.held.keys():  # the others go home
            begin(w, sent[w], now + pull)
        for w in getattr(server.rule, "keeping", ()):
            begin(w, sent[w], sent[w])
    return log


def replay(workers, rule, weights, compute_update, scale=None):
    """Yield the weights after every push of a run.

    ``workers`` says who pushed, in the order of arrival: with the rule, which stays
    as it is, that decides everything else. ``compute_update(weights, worker, step)``
    returns what a worker pushes, one array a weight; ``scale(staleness)`` a factor on
    it.
    """
    server, held = judge(rule, weights), {}
    if scale:
        server.rule.factor = scale
    for worker in workers:
        if worker not in held:
            begin_at_once(server, worker)
            held[worker] = list(weights)
        mine, step = held[worker], server.ledger.steps[worker]
        update = compute_update(mine, worker, step)
        for w in server.push(worker, step, update, times=None):
            held[w] = server.store.pull(server.keys)
        for w in getattr(server.rule, "keeping", ()):
            held[w] = [weight + part for weight, part in zip(mine, update, strict=True)]
        yield server.store.pull(server.keys)
