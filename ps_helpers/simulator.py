"""Run the rules of waiting in virtual time, and do a run's arithmetic afterwards.

Who waits for whom depends on times alone, what is learned on the order of the pushes
alone. So there are two functions: `schedule` finds the pushes and their times, and
`replay` the weights, of a schedule or of a run that was recorded on Ray.
"""

import copy
import heapq
import math
from collections import Counter

from ps_helpers.rules import RuleServer


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

    Each record is a push, as `RuleServer` logs it; its "times" are the seconds when
    its step began, when it was computed, and when the server had taken it. Times are
    counted in whole microseconds, and of two pushes that arrive in the same one the
    lower worker's comes first: a run repeats exactly, on any machine.

    Raises RuntimeError when everybody waits for somebody.
    """
    push, serve, pull = (round(1e6 * t) for t in (push, serve, pull))
    server = RuleServer([], copy.deepcopy(rule))
    steps, events, now = Counter(), [], 0  # all times in microseconds

    def begin(worker, start):
        computed = start + round(1e6 * compute(worker, steps[worker]))
        steps[worker] += 1
        heapq.heappush(events, (computed + push, worker, start, computed))

    for worker in range(num_workers):
        begin(worker, 0)
    while len(server.log) < num_pushes and server.version < num_updates:
        if not events:
            raise RuntimeError("all workers wait: nobody may go on")
        arrived, worker, start, computed = heapq.heappop(events)
        now = max(now, arrived) + serve
        times = [moment / 1e6 for moment in (start, computed, now)]
        for w in server.push(worker, [], times):
            begin(w, now + pull)
        for w in getattr(server.rule, "keeping", ()):
            begin(w, computed)
    return server.log


def replay(workers, rule, weights, compute_update, scale=None):
    """Yield the weights after every push of a run.

    ``workers`` says who pushed, in the order of arrival: with the rule, which stays
    as it is, that decides everything else. ``compute_update(weights, worker, step)``
    returns what a worker pushes, one array a weight; ``scale(staleness)`` a factor on
    it.
    """
    server = RuleServer(weights, copy.deepcopy(rule))
    initial, held, steps = server.weights, {}, Counter()
    for worker in workers:
        mine = held.get(worker, initial)  # what this worker pulled last
        update = compute_update(mine, worker, steps[worker])
        steps[worker] += 1
        if scale:
            factor = scale(server.version - server.pulled[worker])
            update = [factor * part for part in update]
        for w in server.push(worker, update):
            held[w] = server.weights
        for w in getattr(server.rule, "keeping", ()):
            held[w] = [weight + part for weight, part in zip(mine, update, strict=True)]
        yield server.weights
