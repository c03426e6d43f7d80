"""A server on Ray that answers when a rule says so, and workers that wait for it.

Notebook 04 builds both.
"""

import asyncio
import time

import ray

from ps_helpers.lab import data, model
from ps_helpers.rules import RuleServer, require_same_shapes


class WaitingServer(RuleServer):
    """Answer a push with the weights when the rule lets its worker go on."""

    def __init__(self, weights, rule, num_workers, num_updates):
        super().__init__(weights, rule)
        self.num_workers, self.num_updates = num_workers, num_updates
        self.answers = {}  # worker -> the answer that it waits for

    async def join(self, worker):
        """Return the weights when all workers have joined."""
        answer = self.answers[worker] = asyncio.Future()
        if len(self.answers) == self.num_workers:
            self.let_go(list(self.answers))
        return await answer

    async def push_then_pull(self, worker, update, times):
        """Return the weights when the rule says so, None when it is over."""
        require_same_shapes(update, self.weights)
        answer, go = asyncio.Future(), []
        self.answers[worker] = answer
        if self.version < self.num_updates:
            go = self.push(worker, update, [*times, time.time()])
        self.let_go(go)
        return await answer

    def let_go(self, workers):
        over = self.version >= self.num_updates  # then all are sent home
        for worker in list(self.answers) if over else workers:
            self.answers.pop(worker).set_result(None if over else self.weights)


WaitingActor = ray.remote(num_cpus=0)(WaitingServer)


@ray.remote(max_retries=0)  # a retried task would push its updates twice
def waiting_task(ps, worker, shard, delays, batch_size, lr, model_name, engine, seed=0):
    """Pull, compute and push until the server sends this worker home."""
    classifier = model.load(model_name, engine, pixels=shard[0].shape[1])
    weights, step = ray.get(ps.join.remote(worker)), 0
    while weights:
        times = [time.time()]
        x, y = data.draw_batch(shard, batch_size, [seed, worker, step])
        update = [-lr * part for part in classifier.gradient(weights, x, y)]
        time.sleep(delays[step % len(delays)])
        times.append(time.time())
        weights = ray.get(ps.push_then_pull.remote(worker, update, times))
        step += 1
