"""Start the servers and workers that the script's options ask for."""

import sys
import time

import numpy as np
import ray

from ps_helpers import optimizers, rules, sharding, shared_memory
from ps_helpers.lab import data, model
from ps_helpers.recorded import recorded
from ps_helpers.waiting import WaitingServer

MAX_UPDATES = 20_000  # a target that is not reached by then is given up
SLOW_CHANCE = 0.1  # of a step, with a straggler
OPTIMIZERS = {"momentum": optimizers.Momentum, "adam": optimizers.Adam}


class ScriptServer:
    """What the script adds to a server with a rule: an optimizer, and an early end."""

    def __init__(self, *arguments, optimizer):
        self.optimizer = optimizer  # None: what is pushed is added as it comes
        super().__init__(*arguments)

    @recorded
    def push(self, *arguments):
        return super().push(*arguments)

    def add(self, updates):
        if self.optimizer:  # then what is pushed are gradients
            mean = [sum(part) / len(part) for part in zip(*updates, strict=True)]
            updates = [self.optimizer.updates(mean)]
        super().add(updates)

    def stop(self):
        """Send every worker home with its next push."""
        self.num_updates = self.version
        self.let_go([])

    def recorded_calls(self):  # for the timeline
        return list(self.calls)


@ray.remote(num_cpus=0)
class MessageServer(ScriptServer, WaitingServer):
    """Get updates and send weights in Ray's messages."""


@ray.remote(num_cpus=0)
class MemoryServer(ScriptServer, shared_memory.SharedMemoryServer):
    """Have weights and updates in memory that the workers share."""

    def stop(self):
        with self.lock:
            super().stop()


@ray.remote(max_retries=0)  # a retried task would push its updates twice
def message_task(
    servers,
    layout,
    worker,
    shard,
    delays,
    batch_size,
    scale,
    model_name,
    engine,
    seed=0,
    local_steps=1,
):
    """Pull, compute and push to all servers at once until they send this worker home.

    What is pushed is ``scale`` times the gradient: minus the learning rate, or 1
    where the servers have an optimizer.
    """
    classifier = model.load(model_name, engine, pixels=shard[0].shape[1])

    def together(references):  # None when one of the servers says that it is over
        parts = ray.get(references)
        return None if None in parts else layout.join(parts)

    weights, step = together([ps.join.remote(worker) for ps in servers]), 0
    while weights:
        times, update = [time.time()], None
        for _ in range(local_steps):
            x, y = data.draw_batch(shard, batch_size, [seed, worker, step])
            change = [scale * part for part in classifier.gradient(weights, x, y)]
            update = list(map(np.add, update, change)) if update else change
            if local_steps > 1:
                weights = list(map(np.add, weights, change))
            step += 1
        time.sleep(delays[step % len(delays)])
        times.append(time.time())
        parts = zip(servers, layout.split(update), strict=True)
        weights = together(
            [ps.push_then_pull.remote(worker, part, times) for ps, part in parts]
        )


def rule_of(options):
    """Return the rule of waiting that was chosen."""
    if options.consistency == "async":
        return rules.Asynchronous()
    if options.consistency == "ssp":
        return rules.StaleSynchronous(options.num_workers, options.staleness)
    return rules.Synchronous(needed=options.num_workers)


class Team:
    """The servers, and a running task for each worker."""

    def __init__(self, options, classifier, shards):
        shapes = dict(zip(classifier.keys, classifier.shapes, strict=True))
        sizes = {key: int(np.prod(shape)) for key, shape in shapes.items()}
        pieces = sharding.by_ranges(sizes, options.num_servers)
        self.layout = sharding.Layout(pieces, shapes, options.num_servers)
        weights = classifier.initial_weights(options.seed)
        parts = [weights] if options.fast else self.layout.split(weights)
        make = OPTIMIZERS.get(options.optimizer)
        server = MemoryServer if options.fast else MessageServer
        self.servers = [
            server.remote(
                part,
                rule_of(options),
                len(shards),
                options.num_updates or MAX_UPDATES,
                optimizer=make and make(options.learning_rate),
            )
            for part in parts
        ]
        rng = np.random.default_rng(options.seed)
        slow_steps = rng.random((len(shards), 1000)) < SLOW_CHANCE
        self.fast, self.running = options.fast, {}  # a task's reference -> its worker
        for worker, shard in enumerate(shards):
            arguments = (
                worker,
                shard,
                slow_steps[worker] * options.straggler / 1000,
                options.batch_size,
                1 if make else -options.learning_rate,
                options.model,
                options.engine,
                options.seed,
                options.local_steps,
            )
            if options.fast:
                start, to = shared_memory.shared_memory_task, [self.servers[0]]
            else:
                start, to = message_task, [self.servers, self.layout]
            task = start.remote(*to, *arguments)
            self.running[task] = worker

    def report(self, start):
        """Return updates, weights, and the first server's log from ``start`` on.

        The updates are those that all servers have: while workers push, one server
        may be ahead of another.
        """
        first, *others = self.servers
        calls = [first.report.remote(start)]
        calls += [ps.report.remote(sys.maxsize) for ps in others]  # without a log
        reports = ray.get(calls)
        parts = [weights for _, weights, _ in reports]
        weights = parts[0] if self.fast else self.layout.join(parts)
        return min(updates for updates, _, _ in reports), weights, reports[0][2]

    def stop(self):
        """Send every worker home with its next push."""
        ray.get([ps.stop.remote() for ps in self.servers])

    def recorded_calls(self):
        """Return when the first server was at work: (what, start, end)."""
        return ray.get(self.servers[0].recorded_calls.remote())
