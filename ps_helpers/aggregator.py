"""One aggregator a node: a server to the workers there, and one worker to the servers.

Workers share its memory, as with a `MemoryGate`. It sends the sum of their updates
over the network, and receives the weights once for all of them. The servers judge
each worker's push, as if it had come alone. Notebook 08 shows what this buys.
"""

import math
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import NamedTuple

import numpy as np

from ps_helpers.records import Pulled
from ps_helpers.shared_memory import Hub, MemoryWire, Versions
from ps_helpers.sockets import call, words


class Sum(NamedTuple):
    """Updates that travel as one: in the row of the first, and whose they are."""

    row: int
    pushes: list  # (worker, step, times)
    known: set  # the servers that have counted them before


class Aggregator:
    """Send the pushes of a node's workers to servers, and let workers go as they say.

    ``places`` are those of a `SocketGate` for each server of the ``layout``. With
    ``in_rounds`` it sends when none of its workers computes any more, else whatever
    has gathered when the last sum is on its way. Where an optimizer needs each
    gradient by itself, ``summed`` is False. To ``compress`` is a way of `compression`:
    each server is owed its own part of what was left out, by this node and not by its
    workers, who may die. Raises RuntimeError where a server cannot be reached,
    MemoryError where memory is lacking.
    """

    def __init__(
        self, places, layout, num_workers, in_rounds, summed=True, compress="none"
    ):
        self.in_rounds, self.summed = in_rounds, summed
        empty = [np.zeros(shape, np.float32) for shape in layout.shapes.values()]
        self.store = Versions(layout.shapes, empty, num_workers)
        self.parts = [layout.split(views) for views in self.store.table.views]
        self.next, self.fresh = 1, set()  # the row of the next weights; whose parts
        self.hub = Hub(self, MemoryWire(self.store))
        self.news = threading.Condition(self.hub.lock)
        self.sums, self.joins, self.leaves = [], [], []
        self.least = {}  # who waits -> the step that it may go on with, or a later one
        self.go = {}  # worker -> for each server version and step, or None; home: None
        shapes = [list(part.values()) for part in layout.parts()]
        self.lines = list(map(partial(call, compress=compress), places, shapes))
        self.pool = ThreadPoolExecutor(len(places))
        self.own = [[np.empty_like(a) for a in part] for part in self.parts[0]]
        self.hub.start(self.send, *(partial(self.hear, i) for i in range(len(places))))

    def address(self):
        """Return where a worker of this node connects, and the key.

        Raises what has ended this aggregator, if it has ended.
        """
        if self.hub.error:
            raise self.hub.error
        return self.hub.listener.address, self.hub.key

    # What the hub tells, and asks, of workers; it has the lock

    def join(self, worker):
        """Pass on that a worker has come."""
        self.wait(worker, 0)
        self.joins.append(worker)
        return []

    def wait(self, worker, step):
        self.least[worker], self.go[worker] = step, [None] * len(self.lines)
        self.news.notify_all()

    def push(self, worker, step, update, times, arrived):
        """Add a worker's update to those that have gathered."""
        if self.go[worker] is None:
            return [worker]  # it has been sent home
        if self.least.get(worker) == step + 1:
            return []  # it has come before
        row, views = self.hub.wire.rows[worker], self.store.table.views
        told = enumerate(self.go[worker])
        known = {server for server, it in told if it and it[1] > step}
        alone = known or not self.summed
        if not alone and self.sums and not self.sums[-1].known:
            for total, part in zip(views[self.sums[-1].row], update, strict=True):
                total += part
        else:
            self.sums.append(Sum(row, [], known))
        self.sums[-1].pushes.append((worker, step, times))
        self.wait(worker, step + 1)
        return []

    def pull(self, worker):
        """Return what a worker goes on with, but for the weights; None to go home."""
        if self.go[worker] is None:
            return None
        versions, steps = zip(*self.go[worker], strict=True)
        return Pulled(None, min(versions), min(steps))

    def leave(self, worker):
        """Count a worker out, after what it has pushed."""
        with self.news:
            self.go[worker], self.least[worker] = None, math.inf  # no push comes after
            self.leaves.append(worker)
            self.news.notify_all()

    # What goes to the servers, and comes from them

    def is_due(self):
        """Return whether there is something to send that need not wait for more."""
        computing = self.hub.connections.keys() - self.least.keys()
        gathered = self.sums and not (self.in_rounds and computing)
        return gathered or self.joins or self.leaves

    def send(self):
        """Send what has gathered, when it is time."""
        with self.news:
            if not self.news.wait_for(self.is_due, 1):  # a worker may have died
                return
            parts, said, known = [()] * len(self.lines), words(), ()
            if self.sums:
                row, said["pushes"], known = self.sums.pop(0)
                parts = self.parts[row]
            if not self.sums:
                said |= {"joins": self.joins, "leaves": self.leaves}
                self.joins, self.leaves = [], []

        def tell(line, part, counts):
            line.say(said, line.way.pack(part, counts) if part else ())

        # At once: to a server beside this node it is sooner said than over a link.
        counts = [i not in known for i in range(len(parts))]
        list(self.pool.map(tell, self.lines, parts, counts))

    def hear(self, server):
        """Take a server's answer; let those workers go on that all servers let."""
        several = len(self.lines) > 1
        part = self.own[server] if several else self.parts[self.next][0]
        go = self.lines[server].answer(part)
        with self.news:
            ready = [worker for worker, known in go if self.note(server, worker, known)]
            if any(known for _, known in go):
                self.fresh.add(server)
                if several:  # into the next row at once, for others fill it too
                    self.copy(part, self.parts[self.next][server])
            if any(self.go[worker] for worker in ready):
                self.turn_over()
            self.hub.let_go(ready)

    def note(self, server, worker, known):
        """Note what a server says of a worker; return whether it is to be told now."""
        if known is None and server == 0:  # the first server counts
            self.go[worker], self.least[worker] = None, math.inf
        elif known and known[1] >= self.least.get(worker, math.inf):
            self.go[worker][server] = known
            if all(self.go[worker]):
                del self.least[worker]
                return True
        return known is None and server == 0

    def turn_over(self):
        """Make the next row the newest, and choose one that nobody reads after it."""
        for server, old in enumerate(self.parts[self.store.row]):
            if server not in self.fresh:
                self.copy(old, self.parts[self.next][server])
        self.store.row, self.fresh = self.next, set()
        self.next = self.store.free_row()

    def copy(self, part, into):
        for array, place in zip(part, into, strict=True):
            np.copyto(place, array)
