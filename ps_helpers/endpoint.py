"""A worker's side of a server: `pull` waits, `push` does not.

An endpoint has ``update``, arrays into which the next update is written, and ``log``,
the pushes that no server logs. ``pull()`` returns a `Pulled`, or None when there is
nothing left to do; ``push(step, times)`` sends the update, and is answered by the next
pull. Notebook 03 builds the first.
"""

import math
import time
from typing import NamedTuple

import numpy as np
import ray

from ps_helpers.layout import Layout
from ps_helpers.records import Pulled, Push
from ps_helpers.shared_memory import SharedMemory


class TwoCalls:
    """A plain `ParameterServer` on Ray, which counts no steps and lets nobody wait.

    Staleness is counted from this worker's own pull.
    """

    def __init__(self, ps, worker, shapes, steps):
        self.ps, self.worker, self.keys = ps, worker, list(shapes)
        self.update = [np.empty(shape, np.float32) for shape in shapes.values()]
        self.steps, self.pushed, self.log = iter(steps), None, []
        self.ask()

    def ask(self):
        """Ask for the weights of the next step, if there is one."""
        self.step = next(self.steps, None)
        if self.step is not None:
            self.answer = self.ps.pull_with_version.remote(self.keys)

    def push(self, step, times):
        """Send the update, and the next pull behind it."""
        call = self.ps.push.remote(self.keys, self.update)
        self.pushed = step, self.version, times, call
        self.ask()

    def pull(self):
        """Return what to compute with next; None after the last step."""
        if self.pushed:
            step, version, times, call = self.pushed
            staleness = ray.get(call) - 1 - version  # pushes by others in between
            self.log.append(Push(self.worker, step, staleness, times, time.time()))
        if self.step is not None:
            self.version, weights = ray.get(self.answer)
            return Pulled(weights, self.version, self.step)


class Exchange:
    """A `Gate`: push and pull are one of Ray's messages."""

    def __init__(self, ps, worker, shapes):
        self.ps, self.worker, self.log = ps, worker, []
        self.update = [np.empty(shape, np.float32) for shape in shapes.values()]
        self.answer = ps.join.remote(worker)

    def pull(self):
        """Return what the server lets this worker go on with; None at the end."""
        return ray.get(self.answer)

    def push(self, step, times):
        """Send the update."""
        call = self.ps.push_then_pull.remote
        self.answer = call(self.worker, step, self.update, times)


class Sharded:
    """Several endpoints as one: each has its pieces of every array."""

    def __init__(self, endpoints, layout):
        self.endpoints, self.layout, self.log = endpoints, layout, []
        self.update = layout.empty()
        for endpoint, parts in zip(endpoints, layout.split(self.update), strict=True):
            endpoint.update = parts  # views: nothing is copied to be sent

    def pull(self):
        """Return the weights of all; None when the first server says so."""
        pulled = []
        for endpoint in self.endpoints:  # all were asked at once, by `push`
            pulled.append(endpoint.pull())
            if pulled[-1] is None:  # the first server counts, and is asked first
                return None
        weights = self.layout.join([p.weights for p in pulled])
        # A server that has come back from a checkpoint may lack a step; then it is
        # done again, and the servers that have it let it pass.
        return Pulled(
            weights, min(p.version for p in pulled), min(p.step for p in pulled)
        )

    def push(self, step, times):
        """Send to all at once; the next pull waits once, for the slowest."""
        for endpoint in self.endpoints:
            endpoint.push(step, times)


class Level(Sharded):
    """Several endpoints, of which some may lack the last steps of a worker.

    It has died between two sends, or servers go on from checkpoints of different
    updates: steps that some lack are done again, before any server is asked what is
    next, and the servers that have them let them pass.
    """

    def __init__(self, endpoints, sharing, worker):
        super().__init__(endpoints, sharing.layout)
        self.servers = sharing.servers
        steps = [report.steps.get(worker, 0) for report in self.reports()]
        self.missing = iter(range(min(steps), max(steps)))

    def reports(self):
        """Return what all servers report, without their logs."""
        return ray.get([ps.report.remote(math.inf) for ps in self.servers])

    def pull(self):
        """Return the weights for a step that some lack, or what to go on with."""
        for step in self.missing:
            reports = self.reports()
            weights = self.layout.join([report.weights for report in reports])
            return Pulled(weights, min(report.version for report in reports), step)
        return super().pull()


class Sharing(NamedTuple):
    """Servers that share the weights out, and how."""

    servers: list
    layout: Layout


def connect(ps, worker, shapes, borrow=np.asarray, steps=()):
    """Return an endpoint to a server, or to several, in the way that it offers.

    ``shapes`` are those of the weights by key. ``borrow`` makes what the worker
    computes with of arrays in shared memory, and ``steps`` are those that it does
    where the server counts none.
    """
    if isinstance(ps, Sharing):
        parts = zip(ps.servers, ps.layout.parts(), strict=True)
        return Level([connect(s, worker, part) for s, part in parts], ps, worker)
    if hasattr(ps, "address"):  # a `MemoryGate`, or an `Aggregator`
        return SharedMemory(ray.get(ps.address.remote()), worker, borrow)
    if hasattr(ps, "push_then_pull"):
        return Exchange(ps, worker, shapes)
    return TwoCalls(ps, worker, shapes, steps)
