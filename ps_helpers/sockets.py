"""Carry arrays between machines by sockets, as they lie in memory.

What is said travels before the arrays, as JSON: data, never code. A connection is let
in when both ends have proven that they know a key. Notebook 08 shows what this buys.
"""

import json
import os
import secrets
import socket
import struct
import threading
import time
from contextlib import suppress
from multiprocessing import connection as mp

import numpy as np

from ps_helpers import __version__
from ps_helpers.compression import WAYS, Whole
from ps_helpers.records import Push, Times, recorded
from ps_helpers.server import Server
from ps_helpers.store import NewArrays, require_fit

PATIENCE = 10  # seconds in which a stranger must have shown that it knows the key
AT_ONCE = 1000  # pieces of memory that Linux takes in a call
# Seconds without a sign of the other end's machine: else the system waits for hours.
SILENCE = {"TCP_KEEPIDLE": 10, "TCP_KEEPINTVL": 10, "TCP_KEEPCNT": 3}
SILENCE["TCP_USER_TIMEOUT"] = 60_000  # milliseconds: also who saves takes nothing in


def carry(move, number, arrays):
    """Write arrays to a connection, or read into them: os.writev, os.readv.

    Nothing is copied on the way to the system. Raises EOFError at the end.
    """
    left = [memoryview(array).cast("B") for array in arrays if array.size]
    while left:
        done = move(number, left[:AT_ONCE])
        if not done:
            raise EOFError("the other end has gone")
        while left and done >= len(left[0]):
            done -= len(left.pop(0))
        if done:
            left[0] = left[0][done:]


class Line:
    """A connection between two ends, which let each other in by a key."""

    def __init__(self, peer):
        self.peer, self.due, self.error, self.over = peer, set(), None, False
        peer.settimeout(None)
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name, number in SILENCE.items():
            if hasattr(socket, name):  # as on Linux
                peer.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), number)
        self.connection = mp.Connection(os.dup(peer.fileno()))

    def prove(self, key, *ways):
        """Let both ends show that they know a key, within so many seconds."""
        for seconds in (PATIENCE, 0):  # 0 is for ever
            limit = struct.pack("ll", seconds, 0)
            self.peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, limit)
            for prove in ways if seconds else ():
                prove(self.connection, key)

    def say(self, words, arrays=()):
        """Send words, and arrays after them; return when the system has them."""
        self.connection.send_bytes(json.dumps(words).encode())
        carry(os.writev, self.connection.fileno(), arrays)

    def hear(self):
        """Wait for words."""
        return json.loads(self.connection.recv_bytes(2**20))

    def receive(self, arrays):
        """Fill arrays with those that follow the words."""
        carry(os.readv, self.connection.fileno(), arrays)

    def answer(self, weights):
        """Wait for a server's answer: receive weights, return who may go on.

        Raises ValueError where it refuses what was pushed.
        """
        answer = self.hear()
        if answer["arrays"]:
            self.receive(weights)
        if answer["error"]:
            raise ValueError(answer["error"])
        return answer["go"]

    def close(self):
        with suppress(OSError):
            self.peer.shutdown(socket.SHUT_RDWR)  # wakes who reads or writes


def call(address, shapes, compress="none"):
    """Return a line to a `SocketGate`; raise RuntimeError, in a sentence, if none is.

    ``shapes`` are those of the weights that it must have. Updates are packed in the
    way of this name, of `compression`; weights come as they are.
    """
    (host, port), key = address
    try:
        line = Line(socket.create_connection((host, port), PATIENCE))
        line.prove(key, mp.answer_challenge, mp.deliver_challenge)
    except OSError as error:
        raise RuntimeError(
            f"{socket.gethostname()} cannot reach the server at {host}:{port} "
            f"({error}): let the nodes talk to each other on all ports"
        ) from error
    line.say([__version__, shapes, compress])
    line.way = WAYS[compress](shapes)
    return line


def words(pushes=(), joins=(), leaves=()):
    """Return what a server is told: it takes them in this order."""
    return {"pushes": pushes, "joins": joins, "leaves": leaves}


class Fresh(NewArrays):
    """A store that makes new arrays, with its calls recorded for the timeline."""

    push, pull = recorded(NewArrays.push), recorded(NewArrays.pull)


class SumServer(Server):
    """A server that takes the updates of several workers as their sum.

    It judges each of their pushes. The first stands for the sum; the others have
    nothing to add.
    """

    more = False  # whether pushes of the same sum are still to be judged

    def push_sum(self, pushes, total, arrived):
        """Take a sum, once; return the workers that may pull now.

        ``pushes`` are (worker, step, times). Raises ValueError, and changes nothing,
        where only some of them are new: their part cannot be told from the others'.
        """
        if len(pushes) == 1:
            [(worker, step, times)] = pushes
            return self.push(worker, step, total, times, arrived)
        new = [self.ledger.is_new(worker, step) for worker, step, _ in pushes]
        if not any(new):  # their answers were lost: once more
            return [w for w, *_ in pushes if w not in self.ledger.waiting]
        if not all(new):
            raise ValueError(f"some of {pushes} have counted before, in a sum")
        require_fit(self.store.weights, self.keys, total)
        for worker, *_ in pushes:
            self.pending[worker], total = total, None
            self.ledger.take(worker)
        all_go = []
        for left, (worker, step, times) in enumerate(pushes, 1 - len(pushes)):
            self.more = left < 0
            staleness = self.store.version - self.ledger.held[worker]
            apply, go = self.rule.push(worker, staleness)
            record = Push(worker, step, staleness, times, arrived, tuple(go))
            self.ledger.note(record)
            all_go += self.settle(apply, go)
        return all_go

    def sent_home(self):
        return [] if self.more else super().sent_home()

    def mean(self, updates):
        """Return the mean of updates, of which some came as sums; None of no sum."""
        sums = [update for update in updates if update is not None]
        mean = super().mean(sums) if sums else None
        if len(updates) > max(1, len(sums)) and sums:
            for part in mean:
                part *= len(sums) / len(updates)
        return mean

    def pull(self, worker):
        """Return what a worker goes on with: the newest weights, when they are sent."""
        if worker in self.ledger.held:
            self.ledger.held[worker] = self.store.version
        return super().pull(worker)


class SocketGate:
    """A server's door to a network: as `Gate`, for who comes by `call`.

    By one line pushes of several workers may come, summed up, and the weights go
    once to all of them that may go on. Each line has a thread that takes what comes
    and one that sends: nobody waits for who is slow. Raises ValueError where a value
    is not float32.
    """

    def __init__(self, keys, values, parts, host="127.0.0.1"):
        for key, value in zip(keys, values, strict=True):
            if np.asarray(value).dtype != np.float32:
                raise ValueError(f"{key} is {value.dtype}; --fast has float32 alone")
        self.server = SumServer(Fresh(keys, values), **parts)
        self.shapes = [np.shape(value) for value in values]
        self.key, self.error = secrets.token_bytes(32), None
        self.lines = {}  # worker -> the line that it came by
        self.news = threading.Condition()
        self.listener = socket.create_server((host, 0), backlog=128)
        self.start(self.welcome)

    def start(self, function, *arguments):
        threading.Thread(target=function, args=arguments, daemon=True).start()

    def place(self):
        """Return where one connects, and the key that lets one in."""
        return self.listener.getsockname()[:2], self.key

    def welcome(self):
        """Let come who may: each shows the key in its own thread."""
        while True:
            self.start(self.serve, self.listener.accept()[0])

    def serve(self, peer):
        """Take what comes by a line, until it ends."""
        line, buffers = Line(peer), []
        with suppress(mp.AuthenticationError, EOFError, OSError):
            line.prove(self.key, mp.deliver_challenge, mp.answer_challenge)
            *who, way = (*line.hear(), "none")[:3]  # an older worker names no way
            refused = line.error = self.objection(*who, way)
            line.way = WAYS.get(way, Whole)(self.shapes)
            self.start(self.tell, line)
            while not line.over:
                words = line.hear()
                update = self.free_one_of(buffers)
                if words["pushes"]:
                    line.receive(line.way.room(update))
                    try:
                        line.way.unpack(update)
                    except ValueError as error:
                        refused = line.error = str(error)
                with self.news:
                    if not refused:
                        self.take(line, words, update)
                    self.news.notify_all()
        with self.news:
            line.over = True
            self.news.notify_all()
        line.close()

    def objection(self, version, shapes, way):
        """Return why nobody with these can train here; None if all is well."""
        if version != __version__:
            return f"a worker has ps_helpers {version}, and its server {__version__}"
        if list(map(tuple, shapes)) != self.shapes:
            return f"a worker has arrays of shapes {shapes}, the server {self.shapes}"
        if way not in WAYS:
            return f"a worker packs updates by {way}, and its server by {[*WAYS]}"

    def free_one_of(self, buffers):
        """Return arrays for an update, of which none waits for its round to be full."""
        with self.news:
            pending = {id(update) for update in self.server.pending.values()}
        if all(id(buffer) in pending for buffer in buffers):
            buffers.append([np.empty(shape, np.float32) for shape in self.shapes])
        return next(buffer for buffer in buffers if id(buffer) not in pending)

    def take(self, line, words, update):
        """Do what was said; where that fails, let the line know, or the driver."""
        pushes = [(w, step, Times(*times)) for w, step, times in words["pushes"]]
        try:
            if pushes and not all(self.lines.get(w) is line for w, *_ in pushes):
                line.over = True  # somebody has taken a place
            elif pushes:
                self.let_go(self.server.push_sum(pushes, update, time.time()))
            for worker in words["joins"]:
                self.lines[worker] = line
                self.let_go(self.server.join(worker))
            for worker in words["leaves"]:
                self.let_go([worker, *self.server.leave(worker)])
        except ValueError as error:
            line.error = str(error)
        except Exception as error:
            self.error = error
            for other in self.lines.values():
                other.over = True

    def tell(self, line):
        """Send who may go on by this line, and once the newest weights for all."""
        with suppress(OSError):
            while True:
                with self.news:
                    self.news.wait_for(lambda: line.due or line.error or line.over)
                    if line.over:
                        break
                    error, line.error = line.error, None
                    pulled = {w: self.server.pull(w) for w in line.due}
                    line.due.clear()
                weights = next((p.weights for p in pulled.values() if p), [])
                go = [[w, p and [p.version, p.step]] for w, p in pulled.items()]
                line.say({"go": go, "error": error, "arrays": bool(weights)}, weights)
        line.close()

    def let_go(self, workers):
        for w in self.lines.keys() & set(workers):
            self.lines[w].due.add(w)
        self.news.notify_all()

    def leave(self, worker):
        """Send a worker home; who waits for it waits no longer."""
        with self.news:
            self.let_go([worker, *self.server.leave(worker)])

    def stop(self):
        """Send every worker home with its next push."""
        with self.news:
            self.let_go(self.server.stop())

    def report(self, start=0):
        """Return a `Report`; its weights change no more."""
        if self.error:
            raise self.error
        with self.news:
            return self.server.report(start)

    def recorded_calls(self):  # for the timeline
        with self.news:
            return self.server.store.recorded_calls()
