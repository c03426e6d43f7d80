"""A server's door on Ray: a push is answered when the rule lets its worker go on.

Notebook 04 builds it.
"""

import asyncio
import time

import ray

from ps_helpers.server import Server
from ps_helpers.store import ParameterServer


class Gate:
    """Answer workers on Ray when the server says who may go on.

    ``parts`` are what a `Server` has beside its store, by name.
    """

    def __init__(self, keys, values, parts):
        self.server = Server(ParameterServer(keys, values), **parts)
        self.answers = {}  # worker -> the answer that it waits for

    async def join(self, worker):
        """Return what the worker begins with, when all have joined."""
        return await self.answer(worker, self.server.join(worker))

    async def push_then_pull(self, worker, step, update, times):
        """Return what the worker goes on with, when it may; None at the end."""
        go = self.server.push(worker, step, update, times, time.time())
        return await self.answer(worker, go)

    def answer(self, worker, go):
        """Return the future of a worker's answer; answer all that may go on."""
        mine = self.answers.setdefault(worker, asyncio.Future())
        self.let_go(go)
        return mine

    def let_go(self, workers):
        for w in workers:
            if w in self.answers:
                self.answers.pop(w).set_result(self.server.pull(w))

    async def leave(self, worker):
        """Send a worker home; who waits for it waits no longer."""
        self.let_go([worker, *self.server.leave(worker)])

    async def stop(self):
        """Send every worker home with its next push."""
        self.let_go(self.server.stop())

    async def report(self, start=0):
        """Return a `Report` with the log from a number on."""
        return self.server.report(start)

    async def recorded_calls(self):  # for the timeline
        return self.server.store.recorded_calls()


GateActor = ray.remote(num_cpus=0)(Gate)
