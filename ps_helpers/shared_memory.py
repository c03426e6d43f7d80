"""Train through memory that a server and its workers share, on one machine.

A push and a pull carry no arrays here. A worker writes its update into a row of a
table that all processes have in their memory, and tells the server that it is there;
the server adds it to the newest weights, writes the sum into a row that nobody reads,
and tells the worker which row that is. So a version of the weights never changes while
somebody computes with it. The rules of waiting are the same as in `waiting`.
Notebook 06 builds this.
"""

import math
import mmap
import os
import selectors
import shutil
import tempfile
import threading
import time
from contextlib import suppress
from multiprocessing.connection import Client, Listener
from multiprocessing.reduction import recv_handle, send_handle

import numpy as np
import ray
from scipy.linalg import blas

from ps_helpers.lab import data, model
from ps_helpers.rules import RuleServer

ALIGNED = 16  # float32 numbers: TensorFlow borrows arrays that begin at 64 bytes


def places(shapes):
    """Return where the arrays of a row begin, and the row's length, in numbers."""
    sizes = [-(-math.prod(shape) // ALIGNED) * ALIGNED for shape in shapes]
    return np.cumsum([0, *sizes])


class Table:
    """Rows of float32 numbers; each has room for one array of every shape.

    The memory is that of a file, for all processes that open it, or without a file
    of this process alone.
    """

    def __init__(self, shapes, num_rows, file=None):
        self.shapes, self.file, self.starts = shapes, file, places(shapes)
        length = 4 * num_rows * self.starts[-1]
        # All of it is there from the start: the first steps would wait for pages.
        flags = mmap.MAP_SHARED | getattr(mmap, "MAP_POPULATE", 0)  # which Linux has
        memory = mmap.mmap(file.fileno() if file else -1, length, flags)
        self.rows = np.frombuffer(memory, np.float32).reshape(num_rows, -1)

    def arrays(self, row):
        """Return the arrays of a row, in their shapes, without copying."""
        return [
            self.rows[row, start : start + math.prod(shape)].reshape(shape)
            for start, shape in zip(self.starts[:-1], self.shapes, strict=True)
        ]


def make_file(size):
    """Return a new file without a name: it is gone with the last process that has it.

    It lies in memory where /dev/shm has room. Raises MemoryError where no room is.
    """
    for folder in ("/dev/shm", tempfile.gettempdir()):
        if os.path.isdir(folder) and shutil.disk_usage(folder).free > size:
            file = tempfile.TemporaryFile(dir=folder)
            file.truncate(size)
            return file
    raise MemoryError(
        f"{size / 1e6:.0f} MB for weights and updates fit neither in /dev/shm nor in "
        "the folder for temporary files: start fewer workers."
    )


class VersionedServer(RuleServer):
    """Keep every version of the weights in a row of its own while it is read."""

    def __init__(self, table, rule):
        super().__init__([table.rows[0]], rule)
        self.table, self.row = table, 0  # where the newest weights are
        self.reading = {}  # worker -> the row that it reads

    def add(self, updates):
        """Add the mean of these updates to the weights, without a temporary array."""
        [update], *others = updates
        for [other] in others:
            update += other  # in its row: who waits does not use it
        if others:
            update /= len(updates)
        taken = {self.row, *self.reading.values()}
        free = next(row for row in range(len(taken) + 1) if row not in taken)
        np.add(self.table.rows[self.row], update, out=self.table.rows[free])
        self.row, self.weights = free, [self.table.rows[free]]
        self.version += 1


class SharedMemoryServer(VersionedServer):
    """Answer a push with the row of the weights when the rule lets its worker go on."""

    def __init__(self, weights, rule, num_workers, num_updates):
        shapes = [np.shape(weight) for weight in weights]
        # A version for each worker, the newest and the next; an update of each worker.
        num_versions = num_workers + 2
        num_rows = num_versions + num_workers
        self.update_rows = range(num_versions, num_rows)
        file = make_file(4 * num_rows * places(shapes)[-1])
        super().__init__(Table(shapes, num_rows, file), rule)
        for place, weight in zip(self.table.arrays(0), weights, strict=True):
            place[...] = weight
        self.num_workers, self.num_updates = num_workers, num_updates
        self.connections, self.waiting = {}, set()  # of workers
        self.error = None  # why the thread has ended, if it failed
        self.lock = threading.Lock()  # the driver asks while the thread serves
        self.listener = Listener(family="AF_UNIX")
        threading.Thread(target=self.serve, daemon=True).start()

    def address(self):
        """Return where a worker connects."""
        return self.listener.address

    def serve(self):
        """Serve all workers until they have gone; where that fails, let them know."""
        try:
            self.take_pushes()
        except Exception as error:
            self.error = error  # for the driver
        finally:
            for connection in self.connections.values():
                connection.close()  # or workers would wait for ever

    def take_pushes(self):
        """Let all workers join, then take their pushes until all have gone."""
        selector = selectors.DefaultSelector()
        with self.listener:
            while len(self.connections) < self.num_workers:
                connection = self.listener.accept()
                worker = connection.recv()
                send_handle(connection, self.table.file.fileno(), None)
                row = self.update_rows[worker]
                connection.send((self.table.shapes, len(self.table.rows), row))
                selector.register(connection, selectors.EVENT_READ, worker)
                self.connections[worker] = connection
        self.waiting.update(self.connections)
        self.let_go(list(self.connections))
        while selector.get_map():
            for key, _ in selector.select():
                try:
                    times = key.fileobj.recv()
                except (EOFError, OSError):
                    selector.unregister(key.fileobj)  # its worker has ended
                else:
                    with self.lock:
                        self.take(key.data, times)

    def take(self, worker, times):
        """Treat the update in a worker's row by the rule."""
        self.reading.pop(worker, None)
        self.waiting.add(worker)
        go = []
        if self.version < self.num_updates:
            update = self.table.rows[self.update_rows[worker]]
            go = self.push(worker, [update], [*times, time.time()])
        self.let_go(go)

    def let_go(self, workers):
        """Tell workers the row of the newest weights, or all that it is over."""
        over = self.version >= self.num_updates
        for worker in list(self.waiting) if over else workers:
            self.waiting.discard(worker)
            self.reading[worker] = self.row
            with suppress(OSError):  # of a worker that has died
                self.connections[worker].send(None if over else self.row)

    def report(self, start=0):
        """Return the version, a copy of the weights, and the log from there on."""
        if self.error:
            raise self.error
        with self.lock:
            weights = [array.copy() for array in self.table.arrays(self.row)]
            return self.version, weights, self.log[start:]


SharedMemoryActor = ray.remote(num_cpus=0)(SharedMemoryServer)


class Channel:
    """A worker's connection to a `SharedMemoryServer`, and its row for updates."""

    def __init__(self, address, worker):
        self.connection = Client(address, "AF_UNIX")
        self.connection.send(worker)
        file = os.fdopen(recv_handle(self.connection), "r+b")
        shapes, num_rows, self.row = self.connection.recv()
        self.table = Table(shapes, num_rows, file)

    def push_then_pull(self, times):
        """Say that the update is there; return the row of the weights to use next."""
        self.connection.send(times)
        return self.pull()

    def pull(self):
        """Return the row of the weights; None when training is over."""
        try:
            return self.connection.recv()
        except (EOFError, OSError):
            raise RuntimeError("the server has gone") from None


@ray.remote(max_retries=0)  # a retried task would push its updates twice
def shared_memory_task(
    ps,
    worker,
    shard,
    delays,
    batch_size,
    scale,
    model_name,
    engine,
    seed=0,
    local_steps=1,
    hidden=32,
):
    """Compute and push until the server sends this worker home.

    What is pushed is ``scale`` times the gradient: minus the learning rate, or 1
    where the server has an optimizer.
    With several local steps a worker goes on from its own weights that many times,
    and pushes by how much they have changed.
    """
    classifier = model.load(model_name, engine, shard[0].shape[1], hidden)
    channel = Channel(ray.get(ps.address.remote()), worker)
    rows, update = channel.table.rows, channel.table.arrays(channel.row)
    own = Table(channel.table.shapes, 1)  # the weights between local steps
    own_parts = own.arrays(0)
    held = [map(classifier.borrow, channel.table.arrays(r)) for r in range(len(rows))]
    held, mine = list(map(list, held)), list(map(classifier.borrow, own_parts))
    row, step = channel.pull(), 0
    while row is not None:
        times, weights = [time.time()], held[row]
        if local_steps > 1:
            own.rows[0] = rows[row]
            weights = mine
        for _ in range(local_steps):
            x, y = data.draw_batch(shard, batch_size, [seed, worker, step])
            gradient = classifier.raw_gradient(weights, x, y)
            if local_steps == 1:
                for part, place in zip(gradient, update, strict=True):
                    np.multiply(memoryview(part), scale, out=place)
            else:
                for part, place in zip(gradient, own_parts, strict=True):
                    # place += scale * part, in one pass over memory
                    blas.saxpy(np.ravel(memoryview(part)), place.reshape(-1), a=scale)
            step += 1
        if local_steps > 1:
            np.subtract(own.rows[0], rows[row], out=rows[channel.row])
        time.sleep(delays[step % len(delays)])
        times.append(time.time())
        row = channel.push_then_pull(times)
