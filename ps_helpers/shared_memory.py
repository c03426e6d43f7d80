"""Train through memory that a server and its workers share, on one machine.

A push and a pull carry no arrays here. A worker writes its update into a row of a
table that all processes have in their memory, and tells the server that it is there;
the server judges it, and names a row that nobody reads. There the worker writes the
newest weights plus the update, slice by slice, and computes with them. So a version of
the weights never changes while somebody computes with it, and no thread has to add up
what all have pushed. Notebook 06 builds it with one that does, which still serves
small weights, optimizers that need whole arrays, and updates that a rule has scaled.
"""

import os
import pickle
import secrets
import select
import selectors
import sys
import threading
import time
from contextlib import suppress
from multiprocessing import connection as mp
from multiprocessing.reduction import recv_handle, send_handle
from typing import NamedTuple

import numpy as np

from ps_helpers.records import Pulled, Times, recorded
from ps_helpers.server import Server
from ps_helpers.store import require_shapes
from ps_helpers.table import Slices, make_file, with_marks

SPINS = 100  # how often a worker looks at once before it sleeps


class Versions:
    """A store that keeps each version of the weights in a row while somebody reads it.

    The table has rows for a version that each reader reads, the newest and the next,
    and for an update of each worker. Raises ValueError where a value is not float32.
    """

    def __init__(self, keys, values, num_workers):
        values = [np.asarray(value) for value in values]
        for key, value in zip(keys, values, strict=True):
            if value.dtype != np.float32:
                raise ValueError(f"{key} is {value.dtype}; shared memory has float32")
        shapes = [value.shape for value in values]
        self.num_versions = num_workers + 3  # the driver reads too
        num_rows = self.num_versions + num_workers
        file = make_file(num_rows, with_marks(shapes))
        self.table, self.keys = Slices(shapes, num_rows, file), list(keys)
        for place, value in zip(self.table.views[0], values, strict=True):
            place[...] = value
        views = self.table.views
        self.by_key = [dict(zip(self.keys, row, strict=True)) for row in views]
        self.row, self.version = 0, 0  # where the newest weights are
        self.reading = {}  # reader -> the row that it reads

    @property
    def weights(self):
        return self.by_key[self.row]

    @recorded
    def push(self, keys, values):
        """Write the newest weights plus these values into a free row."""
        taken = {self.row, *self.reading.values()}
        free = next(row for row in range(len(taken) + 1) if row not in taken)
        views = self.table.views
        for old, value, new in zip(views[self.row], values, views[free], strict=True):
            np.add(old, value, out=new)
        self.row, self.version = free, self.version + 1
        return self.version

    def free_row(self):
        """Return a row that nobody reads."""
        taken = {self.row, *self.reading.values()}
        return next(row for row in range(self.num_versions) if row not in taken)

    def pull(self, keys):
        """Return the newest weights, not copied: a row that is read never changes."""
        return self.table.views[self.row]

    def hold(self, reader):
        """Note that a reader has the newest row; return its number."""
        self.reading[reader] = self.row
        return self.row

    def release(self, reader):
        """Note that a reader is done with its row."""
        self.reading.pop(reader, None)

    def share(self, worker, update):
        """Return what a worker is to make of its row: nothing, it is all there."""

    def settle(self):
        """Make what no worker makes of the newest row: nothing is missing."""

    def begun(self):
        """Return a function that tells whether rows begun by now still lack slices."""
        return lambda: False

    def recorded_calls(self):  # for the timeline
        return list(self.calls)


class Sum(NamedTuple):
    """A version of the weights that workers make: which rows it is the sum of."""

    source: int  # the row of the version before
    updates: tuple  # rows; what is added is their mean, or made of it
    step: int  # how many steps the optimizer had made
    shares: dict  # worker -> which slices it makes: from this one on, every n-th


class Chain(Versions):
    """Versions that workers make themselves, each from the one before.

    A push only books a `Sum`. Its workers make it when they are let go, slice by slice,
    and begin with a slice as soon as the version before has it: so several versions
    are made at once, and none waits for a whole one.

    It needs no lock, and nothing is lost with a worker that dies while it adds. A slice
    is a function of rows that stay as they are until its whole row is made: the source
    is held, and those whose updates it takes wait for that row. So what a dead worker
    has not made, or had begun, is made by the server. Only who has a share in a row
    writes it, and sets one mark a slice when its numbers are there. An optimizer's
    state after a version lies in a row of the same number, and stays with it.

    A row that the server has made for a dead worker may be a source while nobody reads
    it. It counts as the worker's own until all that had `begun` before is made: who
    comes in its place waits for that, or rows would run out.
    """

    def __init__(self, keys, values, num_workers):
        super().__init__(keys, values, num_workers)
        self.sums = {}  # row -> its `Sum`, while slices of it are missing
        self.alone = self.table.num_slices == 1  # too small to share
        self.row_of = {id(views): row for row, views in enumerate(self.table.views)}
        self.optimizer = None  # whose steps workers make

    def adopt(self, optimizer):
        """Let workers make an optimizer's steps from now on, if slices will do."""
        self.alone |= not getattr(optimizer, "elementwise", False)
        if self.alone:
            return
        self.optimizer = optimizer
        self.states = self.table.add_states(optimizer, self.num_versions)
        for name, arrays in self.states[self.row].items():
            values = getattr(optimizer, name) or arrays  # none yet: zeros
            require_shapes(values, self.table.shapes[:-1])
            for place, value in zip(arrays, values, strict=True):
                place[...] = value

    @recorded
    def book(self, updates):
        """Note that the newest weights grow by the mean of updates, which are rows.

        Or by what the optimizer makes of it. Returns whether they are: other updates
        must be pushed.
        """
        if self.alone and not self.sums:
            return False
        rows = tuple(self.row_of.get(id(update)) for update in updates)
        for row in [row for row in self.sums if not self.table.missing[row].any()]:
            del self.sums[row]
            del self.reading["source of", row]
        self.alone |= None in rows
        if self.alone:
            self.make_whole()
            self.optimizer = None  # it goes on with this state, in place
            return False
        free, step = self.free_row(), getattr(self.optimizer, "step", 0)
        if hasattr(self.optimizer, "step"):
            self.optimizer.step += 1
        self.table.missing[free] = 1
        self.sums[free] = Sum(self.row, rows, step, {})
        self.reading["source of", free] = self.row
        self.row, self.version = free, self.version + 1
        return True

    def begun(self):
        """Return a function that tells whether rows begun by now still lack slices."""
        sums, missing = list(self.sums.items()), self.table.missing
        return lambda: any(
            self.sums.get(row) is found and missing[row].any() for row, found in sums
        )

    def share(self, worker, update):
        """Let a worker make its part of the newest version; return what that takes.

        None where nothing of it is missing.
        """
        found = self.sums.get(self.row)
        if found is None or update not in found.updates:
            return None
        first = found.updates.index(update)
        if not self.table.missing[self.row, first :: len(found.updates)].any():
            return None
        found.shares[worker] = first
        return found.source, found.updates, first, found.step

    def settle(self):
        """Make what nobody has been asked to: of who waits, has left or died."""
        if found := self.sums.get(self.row):
            for first in set(range(len(found.updates))) - {*found.shares.values()}:
                self.finish(self.row, first)

    def release(self, reader):
        """Note that a reader is done with its row; make what it has not, if it died."""
        for row, found in self.sums.items():
            if reader in found.shares:
                self.finish(row, found.shares[reader])
        super().release(reader)

    def finish(self, row, first):
        """Make what is missing of a share, which nobody else makes now."""
        for i in range(first, self.table.num_slices, len(self.sums[row].updates)):
            if self.table.missing[row, i]:
                self.make(row, i, *self.table.place_of(row, i))
                self.table.missing[row, i] = 0

    def make(self, row, i, into, new):
        """Make slice i of a row into an array, and that of its state into another."""
        source, updates, step, _ = self.sums[row]
        before, old = self.slice_of(source, i)
        self.table.make(i, into, before, updates, step, old, new)

    def slice_of(self, row, i):
        """Return slice i of a row, and of its state, or copies while they are made.

        It waits for nobody: their worker may have died, too. If the mark is still there
        after the copies were made, all was there that they were made of.
        """
        place = self.table.place_of(row, i)
        if self.table.missing[row, i]:
            copies = [np.empty_like(part) for part in place]
            self.make(row, i, *copies)
            if self.table.missing[row, i]:
                return copies
        return place

    def make_whole(self):
        """Let nothing be missing of the newest weights, and of the state after them."""
        self.row = self.whole_row()
        if self.optimizer:
            vars(self.optimizer).update(self.states[self.row])

    def whole_row(self):
        """Return a row that has all of the newest weights, also while they are made."""
        if not self.table.missing[self.row].any():
            return self.row
        if not self.sums[self.row].shares:
            self.settle()
            return self.row
        row = self.free_row()
        for i in range(self.table.num_slices):
            found = self.slice_of(self.row, i)
            for place, part in zip(self.table.place_of(row, i), found, strict=True):
                place[...] = part
        return row


def listen():
    """Return a listener for processes of this machine.

    On Linux its name lies in no folder, so nothing is left of it.
    """
    name = f"\0ps_helpers-{secrets.token_hex(16)}" if sys.platform == "linux" else None
    return mp.Listener(name, "AF_UNIX", backlog=128)


def say(connection, *words):
    """Send numbers: `send` takes ten times as long, as it prepares for anything."""
    connection.send_bytes(pickle.dumps(words))


class Hub:
    """A server's threads: workers come, push and go by connections, at any time.

    ``wire`` knows how arrays travel: `MemoryWire`.
    """

    def __init__(self, server, wire):
        self.server, self.wire = server, wire
        self.connections, self.error = {}, None  # why the server has ended
        self.lock = threading.Lock()  # workers come, and the driver asks, meanwhile
        self.key = secrets.token_bytes(32)
        self.listener, self.selector = listen(), selectors.DefaultSelector()

    def start(self, *more):
        """Begin to serve: not in __init__, for who is not whole serves nobody."""
        for serve in (self.welcome_workers, self.take_pushes, *more):
            threading.Thread(target=self.run, args=[serve], daemon=True).start()

    def run(self, serve):
        """Serve for ever; where that fails, let all know."""
        try:
            while True:
                serve()
        except Exception as error:
            self.error = error  # for the driver
            for connection in self.connections.values():
                connection.close()  # or workers would wait for ever

    def welcome_workers(self):
        """Ask the next that comes for the key; meanwhile others may come."""
        call = {"target": self.welcome, "args": [self.listener.accept()]}
        threading.Thread(**call, daemon=True).start()

    def welcome(self, connection):
        """Let a worker in that knows the key."""
        with suppress(mp.AuthenticationError, EOFError, OSError):  # of somebody else
            mp.deliver_challenge(connection, self.key)
            mp.answer_challenge(connection, self.key)
            worker = connection.recv()
            with self.lock:
                lack_slices = self.wire.store.begun()
            while lack_slices():
                time.sleep(0.001)
            with self.lock:
                self.wire.welcome(connection, worker)
                self.connections[worker] = connection
                self.selector.register(connection, selectors.EVENT_READ, worker)
                self.let_go(self.server.join(worker))

    def take_pushes(self):
        """Take the pushes that have come, in a second at most."""
        for ready, _ in self.selector.select(timeout=1):
            with self.lock:
                self.take(ready.data, ready.fileobj)

    def take(self, worker, connection):
        """Take a worker's push, or note that its process has ended.

        Who has died stays a member until somebody counts it out or takes its place.
        """
        step, known = None, self.connections.get(worker) is connection
        with suppress(EOFError, OSError):
            step, times = connection.recv()
            times = times and Times(*times)
        if step is None or not known:
            with suppress(OSError):
                connection.send(None)  # somebody has taken its place
            self.selector.unregister(connection)
            connection.close()
            if known:
                del self.connections[worker]
                self.wire.store.release(worker)
            return
        self.wire.store.release(worker)
        update = self.wire.update_of(worker)
        try:
            go = self.server.push(worker, step, update, times, time.time())
        except ValueError as error:
            with suppress(OSError):
                connection.send(error)
        else:
            self.let_go(go)

    def let_go(self, workers):
        for w in self.connections.keys() & set(workers):
            with suppress(OSError):  # of a worker that has died
                self.wire.answer(self.connections[w], w, self.server.pull(w))
        self.wire.store.settle()  # make what nobody was asked to


class MemoryWire:
    """Arrays lie in a shared table, and a message says only in which row."""

    def __init__(self, store):
        self.store, self.rows = store, {}  # worker -> the row of its updates

    def welcome(self, connection, worker):
        """Hand a worker the table, a row for its updates, and an optimizer."""
        self.store.release(worker)  # of who was here before
        table = self.store.table
        row = self.store.num_versions + len(self.rows)
        if worker not in self.rows and row == len(table.rows):
            connection.close()
            raise EOFError(f"no row is left for the updates of worker {worker}")
        row = self.rows.setdefault(worker, row)
        send_handle(connection, table.file.fileno(), None)
        sizes = len(table.rows), self.store.num_versions, row
        connection.send((table.shapes[:-1], *sizes, table.optimizer))
        if table.optimizer:
            send_handle(connection, table.state_file.fileno(), None)

    def update_of(self, worker):
        """Return the arrays in the row of a worker."""
        return self.store.table.views[self.rows[worker]]

    def answer(self, connection, worker, pulled):
        """Send the number of the newest row, which the worker reads from now on."""
        if pulled is None:
            connection.send(None)
        else:
            row = self.store.hold(worker)
            share = self.store.share(worker, self.rows[worker])
            say(connection, row, pulled.version, pulled.step, share)


class MemoryGate:
    """A server's door on this machine: as `Gate`, for workers that share its memory."""

    def __init__(self, keys, values, parts, num_workers):
        self.store = Chain(keys, values, num_workers)
        self.hub = Hub(Server(self.store, **parts), MemoryWire(self.store))
        self.hub.start()

    def address(self):
        """Return where a worker connects, and the key that lets it in."""
        return self.hub.listener.address, self.hub.key

    def leave(self, worker):
        """Send a worker home; who waits for it waits no longer."""
        with self.hub.lock:
            self.hub.let_go([worker, *self.hub.server.leave(worker)])

    def stop(self):
        """Send every worker home with its next push."""
        with self.hub.lock:
            self.hub.let_go(self.hub.server.stop())

    def report(self, start=0):
        """Return a `Report`; the weights are copied while workers push on."""
        if self.hub.error:
            raise self.hub.error
        with self.hub.lock:
            report, row = self.hub.server.report(start), self.store.whole_row()
            self.store.reading["the driver"] = row
        weights = [array.copy() for array in self.store.table.views[row]]
        with self.hub.lock:
            self.store.release("the driver")
        return report._replace(weights=weights)

    def recorded_calls(self):  # for the timeline
        with self.hub.lock:
            return self.store.recorded_calls()


class SharedMemory:
    """A worker's connection to a `MemoryGate`: an endpoint, see `endpoint`."""

    def __init__(self, address, worker, borrow):
        place, key = address
        self.log = []
        self.connection = mp.Client(place, "AF_UNIX", authkey=key)
        self.connection.send(worker)
        file = os.fdopen(recv_handle(self.connection), "r+b")
        shapes, num_rows, num_versions, row, optimizer = self.connection.recv()
        self.table = Slices(shapes, num_rows, file)
        if optimizer:
            file = os.fdopen(recv_handle(self.connection), "r+b")
            self.table.add_states(optimizer, num_versions, file)
        self.update = self.table.views[row]
        versions = self.table.views[:num_versions]
        self.rows = [list(map(borrow, arrays)) for arrays in versions]
        self.hung_up = select.poll()
        self.hung_up.register(self.connection, 0)  # tells of the server's end alone

    def pull(self):
        """Return the row that the server names; None when training is over.

        A part of it, as the server says, is made here, the others by other workers.
        """
        try:
            answer = self.connection.recv()
        except (EOFError, OSError):
            raise RuntimeError("the server has gone") from None
        if isinstance(answer, Exception):
            raise answer
        if answer is None:
            return None
        row, version, step, share = answer
        missing = self.table.missing
        if share:
            source, updates, first, count = share
            for i in range(first, self.table.num_slices, len(updates)):
                self.wait_for(missing[source, i : i + 1])
                into, new = self.table.place_of(row, i)
                before, old = self.table.place_of(source, i)
                self.table.make(i, into, before, updates, count, old, new)
                missing[row, i] = 0
        self.wait_for(missing[row])
        return Pulled(self.rows[row], version, step)

    def wait_for(self, missing):
        """Wait until slices are there: others are at it, or the server for the dead."""
        tries = 0
        while missing.any():
            tries += 1
            os.sched_yield()
            if tries > SPINS and self.hung_up.poll(1):  # a millisecond
                raise RuntimeError("the server has gone")

    def push(self, step, times):
        """Say that the update is in its row."""
        say(self.connection, step, times and tuple(times))
