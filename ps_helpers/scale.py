"""Simulate the times of thousands of workers, with servers or by all-reduce.

`simulate` finds the times of `simulator.schedule`, with links and several servers; a
push costs it no more where there are more workers. Notebook 09 builds it. An outer rate
changes no times: give it to the update of `simulator.replay`.
"""

import heapq
import math
from array import array
from collections import Counter, defaultdict
from typing import NamedTuple

import numpy as np


class Network(NamedTuple):
    """What a message costs, a push as much as a pull."""

    latency: float = 0  # seconds that a message is under way
    message: float = 0  # seconds of a worker's processor for each message
    serve: float = 0  # seconds of the receiver's processor to take a message in
    bandwidth: float = math.inf  # bytes a second of a machine's link, a direction
    shared: bool = False  # whether one direction of a link waits for the other

    def costs(self, servers=1, pushed=0, pulled=0):
        """Return the nanoseconds of a push and a pull of so many bytes."""
        # All servers have equal parts, and do the same at a time: one is simulated.
        sizes = np.array([pushed, pushed / servers, pulled, pulled / servers])
        ways = self.latency + servers * self.message, self.serve
        each = np.rint(1e9 * np.array([*ways, *sizes / self.bandwidth]))
        return *map(int, each), self.shared


class Run(NamedTuple):
    """The pushes of a run in their order, one entry each."""

    workers: np.ndarray
    arrived: np.ndarray  # seconds
    staleness: np.ndarray  # updates since the worker was let go
    dropped: np.ndarray


def draw(samples, num_workers, num_steps, seed=0, local_steps=1):
    """Return seconds by worker and push, each a sum of measured steps at random."""
    rng, shape = np.random.default_rng(seed), (num_workers, num_steps)
    return sum(rng.choice(samples, shape) for _ in range(local_steps))


def simulate(times, num_updates, needed=None, bound=None, costs=(0,) * 7, stays=None):
    """Return the `Run` of some updates by workers that begin at 0, unless they join.

    ``times`` are seconds by worker and step, used over and over. The rule: rounds of
    ``needed`` pushes, whoever is late dropped; or a lead of at most ``bound`` steps;
    else nobody waits. Workers that share an aggregator are one, with the times of their
    slowest. A link, and a processor, takes one part after the other; on a
    shared link answers go first. Raises RuntimeError where all wait for somebody.

    ``stays`` has two seconds a worker: when it joins, and pulls, and when it is counted
    out (np.inf: never). Who has died sends nothing more, and whoever waited goes on.
    """
    times = np.rint(1e9 * times).astype(np.int64)  # whole nanoseconds repeat exactly
    if stays is not None:
        stays = np.rint(1e9 * np.minimum(stays, 1e9)).astype(np.int64).T.tolist()
    elif needed == len(times):
        return in_rounds(times, num_updates, costs)
    return in_events(times, num_updates, costs, needed, bound, stays)


def queue(arrived, each):
    """Return when who takes so long for each is done with each of sorted arrivals."""
    places = each * np.arange(len(arrived))
    return np.maximum.accumulate(arrived - places) + places + each


def in_rounds(times, num_updates, costs):
    """Return the `Run` of rounds of everybody, computed a round at a time."""
    (lag, serve, out, receive, back, send, shared), free = costs, 0
    n, columns = times.shape
    begin, (workers, arrived) = 0, np.empty((2, num_updates, n), np.int64)
    for step in range(num_updates):
        there = begin + times[:, step % columns] + lag + out
        order = np.argsort(there, kind="stable")  # of two at once the lower worker
        begun = np.maximum(there[order] - receive, free)
        done = queue(queue(begun, receive), serve)
        free = done[-1] + send * n if shared else 0
        begin = done[-1] + lag + np.maximum(send * (1 + np.argsort(order)), back)
        workers[step], arrived[step] = order, done
    none = np.zeros(n * num_updates, np.int64)
    return Run(workers.ravel(), arrived.ravel() / 1e9, none, none > 0)


def in_events(times, num_updates, costs, needed=None, bound=None, stays=None):
    """Return the `Run` of any rule, computed a push at a time."""
    lag, serve, out, receive, back, send, shared = costs
    (n, columns), rows = times.shape, times.tolist()
    log, version, came, steps, held = array("q"), 0, [], [0] * n, [0] * n
    joins, leaves = stays or ([0] * n, [])
    clocks, waiting = Counter({0: joins.count(0)}), defaultdict(list)
    members, gone = joins.count(0) if stays else math.inf, set()
    full = min(needed or 0, members)
    incoming = outgoing = now = slowest = 0  # when links and processor are free
    events = [(r[0] + lag + out, w) for w, r in enumerate(rows) if not joins[w]]
    events += [(when, w + n) for w, when in enumerate(joins) if when]
    events += [(when, w - n) for w, when in enumerate(leaves)]
    heapq.heapify(events)
    while version < num_updates:
        if not events:
            raise RuntimeError("all workers wait: nobody may go on")
        there, worker = heapq.heappop(events)
        if worker in gone:
            continue
        if 0 <= worker < n:  # a push
            incoming = max(incoming, there - receive) + receive
            now = max(now, incoming) + serve
            age, go = version - held[worker], [worker]
            steps[worker] = clock = steps[worker] + 1
            if needed is None:
                version += 1
            elif not age:
                came.append(worker)
                go = []
            if bound is not None:
                clocks[clock] += 1  # workers that have done so many steps
                clocks[clock - 1] -= 1
            log.extend((worker, now, age, needed is not None and age > 0))
        else:
            now, clock, joining = max(now, there), slowest, worker > 0
            worker %= n
            if joining:  # beside the slowest
                steps[worker], go, members = slowest, [worker], members + 1
            else:  # what it has pushed counts with its round
                gone.add(worker)
                go, members = [], members - (worker not in came)
            clocks[steps[worker]] += 1 if joining else -1
            full = min(needed or 0, members)
        if came and len(came) >= full:
            version, go, came = version + 1, came, []
            if gone:
                members -= len(gone.intersection(go))
                full = min(needed, members)
        if bound is not None:
            if not clocks[slowest]:
                while members and not clocks[slowest]:
                    slowest += 1
                    go = waiting.pop(slowest + bound, []) + go
            elif clock - slowest > bound:
                waiting[clock].append(worker)
                go = []
        for w in [w for w in go if w not in gone] if gone else go:
            held[w] = version
            outgoing = max(outgoing, now) + send
            begin = max(outgoing, now + back) + lag
            heapq.heappush(events, (begin + rows[w][steps[w] % columns] + lag + out, w))
        if shared:
            incoming = outgoing = max(incoming, outgoing)
    workers, arrived, staleness, late = np.array(log).reshape(-1, 4).T
    return Run(workers, arrived / 1e9, staleness, late > 0)


def all_reduce(num_workers, num_bytes, network, kind="ring", group=None):
    """Return the seconds from when all are ready until all have the sum.

    ``kind``: "ring" (Patarasuk and Yuan, 2009); "tree", all bytes up and down;
    "halving" and back (Thakur et al., 2005); or "hierarchy", rings in groups and rings
    of those at one place in them. Raises ValueError for groups that are not equal.
    """
    n, hop = num_workers, network.message + network.latency + network.serve
    group = group or max(g for g in range(1, math.isqrt(n) + 1) if n % g == 0)
    if n % group:
        raise ValueError(f"{n} workers cannot be in groups of {group}")
    depth, whole = math.ceil(math.log2(n)), 2 * (n - 1) / n
    fold = depth - math.floor(math.log2(n))  # who is beyond a power of 2 gives all
    hops, copies = {  # in a row, and of all bytes through a link
        "ring": (2 * (n - 1), whole),
        "tree": (2 * depth, 2 * depth),
        "halving": (2 * depth, 2 * fold + 2 - 2 / 2 ** (depth - fold)),
        "hierarchy": (2 * (group + n // group - 2), whole),
    }[kind]
    copies *= 2 if network.shared and kind != "tree" else 1
    return hops * hop + copies * num_bytes / network.bandwidth
