"""The ways to train with a server whose speed the benchmark compares.

Every pattern offers the same: ``window`` trains for some seconds and returns the
gradients of a second, ``server`` is its actor, ``stop`` ends that. TensorFlow is
imported by workers and by the documentation's server, never by the driver.
"""

import functools
import os
import time
from collections import namedtuple

import numpy as np
import ray

from ps_helpers.lab import data, machine, model
from ps_helpers.lab.benchmark import (
    ASYNCHRONOUS,
    FEW,
    LIMIT,
    MANY,
    OURS,
    OURS_FEW,
    OURS_LOCAL,
    PAGE,
    SYNCHRONOUS,
)
from ps_helpers.parameter_server import ParameterServer
from ps_helpers.rules import Asynchronous, Synchronous
from ps_helpers.shared_memory import (
    Channel,
    SharedMemoryServer,
    Table,
    shared_memory_task,
)

BATCH = 128  # as in Ray's documentation
WAIT = 120  # seconds until a call that does not answer is an error
WARM = 0.2  # seconds of a window that come before the clock starts
NEVER = 10**12  # updates
CORES = max(1, int(machine.cores()))
SNAPSHOT_EVERY = 0.02  # seconds

Size = namedtuple("Size", "megabytes pixels hidden")
SIZES = [
    Size(0.04, 64, 135),  # the digits as they are, 8×8
    Size(1.6, 784, 503),  # enlarged to 28×28
    Size(23, 784, 7232),
    Size(100, 784, 31446),
]

# All workers that there are, as actor handles; a reference to the first weights.
Case = namedtuple("Case", "size workers weights lr", defaults=[0.001])


def load(size, engine="tensorflow"):
    return model.load("mlp", engine, size.pixels, size.hidden)


def initial_weights(size):
    return load(size, "numpy").initial_weights()


def enlarge(images):
    """Return images of 8×8 pixels as 28×28: three times as large, with a border."""
    large = np.kron(images.reshape(-1, 8, 8), np.ones((1, 3, 3), np.float32))
    return np.pad(large, ((0, 0), (2, 2), (2, 2))).reshape(len(images), 784)


def get(references):
    return ray.get(references, timeout=WAIT)


def end(actor):
    """Kill an actor and wait until its process is gone, and its memory with it."""
    process = process_number(actor)
    ray.kill(actor)
    deadline = time.time() + 10
    while os.path.exists(f"/proc/{process}") and time.time() < deadline:
        time.sleep(0.02)


def process_number(actor):
    """Return the number of an actor's process."""
    return get(actor.__ray_call__.remote(lambda self: os.getpid()))


def rate(step, begin, end):
    """Repeat a step until a time; return steps a second, from ``begin`` on."""
    step()
    while time.time() < begin:
        step()
    started, count = time.time(), 0
    while time.time() < end or count < 2:
        step()
        count += 1
    return count / (time.time() - started)


class Network:
    """A model that owns its weights, as the documentation's does: in variables."""

    def __init__(self, weights):
        from ps_helpers.lab.tensorflow_engine import mlp
        from ps_helpers.lab.tf import tf

        self.tf = tf
        self.variables = [tf.Variable(weight) for weight in weights]

        @tf.function(autograph=False, reduce_retracing=True)
        def gradients(x, y):
            with tf.GradientTape() as tape:
                logits = mlp(self.variables, x)
                loss = tf.nn.sparse_softmax_cross_entropy_with_logits(y, logits)
                mean = tf.reduce_mean(loss)
            return tape.gradient(mean, self.variables)

        self.compiled_gradients = gradients

    def get_weights(self):
        return [variable.numpy() for variable in self.variables]

    def set_weights(self, weights):
        for variable, weight in zip(self.variables, weights, strict=True):
            variable.assign(weight)

    def get_gradients(self, x, y):
        return [part.numpy() for part in self.compiled_gradients(x, y)]


@ray.remote(num_cpus=0)
class DocumentationServer:
    """The server of Ray's documentation, with TensorFlow in place of PyTorch.

    https://docs.ray.io/en/latest/ray-core/examples/plot_parameter_server.html
    It owns a model and an optimizer, and sums the gradients that come together.
    """

    def __init__(self, lr, weights):
        self.model = Network(weights)
        self.optimizer = self.model.tf.compat.v1.train.GradientDescentOptimizer(lr)

    def apply_gradients(self, *gradients):
        convert = self.model.tf.convert_to_tensor
        summed = [np.stack(parts).sum(axis=0) for parts in zip(*gradients, strict=True)]
        self.optimizer.apply_gradients(
            zip(map(convert, summed), self.model.variables, strict=True)
        )
        return self.model.get_weights()

    def get_weights(self):
        return self.model.get_weights()


@ray.remote(num_cpus=0)
class Worker:
    """A process with TensorFlow that plays the worker of every pattern in turn.

    So all patterns are measured in the same processes, on the same shards, and
    TensorFlow is imported only once.
    """

    def prepare(self, size):
        """Trace the models of a size."""
        self.classifier, self.hidden = load(size), size.hidden
        self.keys, self.model = self.classifier.keys, None

    def take(self, index, shard):
        """Keep a shard; draw batches of its own from now on."""
        self.index, self.shard, self.step = index, shard, 0

    def draw(self):
        self.step += 1
        return data.draw_batch(self.shard, BATCH, [0, self.index, self.step])

    def limit(self, weights, begin, end):
        """Compute gradients of the same weights, copy nothing, speak to nobody."""
        own = Table(self.classifier.shapes, 1).arrays(0)
        for place, weight in zip(own, weights, strict=True):
            place[...] = weight
        held = list(map(self.classifier.borrow, own))
        gradient = self.classifier.raw_gradient
        return rate(lambda: gradient(held, *self.draw()), begin, end)

    def page(self, ps, lr, begin, end):
        """Pull, compute and push, as the worker task of Ray's old page does.

        The push is not waited for: the next pull queues up behind it.
        """
        pushes = []

        def step():
            weights = ray.get(ps.pull.remote(self.keys))
            update = [
                -lr * part for part in self.classifier.gradient(weights, *self.draw())
            ]
            pushes[:] = [ps.push.remote(self.keys, update)]

        found = rate(step, begin, end)
        ray.get(pushes)  # an error of the server's shows here
        return found

    def ours(self, ps, lr, local_steps):
        """Be a worker task of `ps_helpers.shared_memory`."""
        no_delays = [0]
        shared_memory_task._function(
            ps,
            self.index,
            self.shard,
            no_delays,
            BATCH,
            -lr,
            "mlp",
            "tensorflow",
            local_steps=local_steps,
            hidden=self.hidden,
        )

    def compute_gradients(self, weights):
        """Return gradients as the documentation's DataWorker does."""
        if self.model is None:  # the other patterns need no memory for it
            self.model = Network(weights)
        self.model.set_weights(weights)
        return self.model.get_gradients(*self.draw())


class Limit:
    """As many processes as cores compute gradients; nobody pushes, nobody pulls."""

    server = None

    def __init__(self, case):
        self.case, self.workers = case, case.workers[:CORES]

    def window(self, num_workers, seconds, warm=WARM, snapshots=None):
        """Return the gradients a second of as many processes as there are cores."""
        begin = time.time() + warm
        weights = self.case.weights
        calls = [w.limit.remote(weights, begin, begin + seconds) for w in self.workers]
        return sum(get(calls))

    def stop(self):
        pass


def watch(calls, pull, snapshots):
    """Keep pulled weights and their time, until all calls have answered."""
    started, left = time.time(), calls
    while left:
        left = ray.wait(left, num_returns=len(left), timeout=SNAPSHOT_EVERY)[1]
        snapshots.append((time.time() - started, pull()))


def ps_init(server, keys, weights):
    server.__init__(keys, weights)


class Page:
    """The worker tasks hold the server's handle, and pull and push by themselves."""

    def __init__(self, case):
        self.case, self.keys = case, load(case.size, "numpy").keys
        self.server = ParameterServer.remote(self.keys, get(case.weights))
        self.pull()

    def pull(self):
        return get(self.server.pull.remote(self.keys))

    def window(self, num_workers, seconds, warm=WARM, snapshots=None):
        """Train for some seconds; return the gradients a second after a warm-up.

        Keeps pairs of seconds and weights in the list of snapshots, if there is one.
        """
        begin = time.time() + warm
        calls = [
            worker.page.remote(self.server, self.case.lr, begin, begin + seconds)
            for worker in self.case.workers[:num_workers]
        ]
        if snapshots is not None:
            watch(calls, lambda: [np.array(part) for part in self.pull()], snapshots)
        return sum(get(calls))

    def begin_again(self, lr):
        """Go back to the first weights; learn at another rate."""
        self.case = self.case._replace(lr=lr)
        call = self.server.__ray_call__
        get(call.remote(ps_init, self.keys, self.case.weights))

    def stop(self):
        end(self.server)


def synchronous(ps, workers):
    """Train as the documentation does; yield the weights after every round.

    The driver is one round ahead of the workers, so that they never wait for it.
    """
    current_weights = ps.get_weights.remote()
    while True:
        last_weights = current_weights
        gradients = [w.compute_gradients.remote(current_weights) for w in workers]
        current_weights = ps.apply_gradients.remote(*gradients)
        ray.wait([last_weights], timeout=WAIT)
        yield len(workers), last_weights, [current_weights]


def asynchronous(ps, workers):
    """Train as the documentation does; yield the weights after every gradient."""
    current_weights = ps.get_weights.remote()
    gradients = {}
    for worker in workers:
        gradients[worker.compute_gradients.remote(current_weights)] = worker
    while True:
        ready, _ = ray.wait(list(gradients), timeout=WAIT)
        worker = gradients.pop(ready[0])
        current_weights = ps.apply_gradients.remote(*ready)
        gradients[worker.compute_gradients.remote(current_weights)] = worker
        yield 1, current_weights, list(gradients)


def documentation_init(server, lr, weights):
    server.__init__(lr, weights)


class Documentation:
    """The driver hands weights to the workers and their gradients to the server."""

    def __init__(self, loop, case):
        self.case, self.loop = case, loop
        self.server = DocumentationServer.remote(case.lr, case.weights)
        get(self.server.get_weights.remote())

    def begin_again(self, lr):
        """Go back to the first weights; learn at another rate."""
        self.case = self.case._replace(lr=lr)
        get(self.server.__ray_call__.remote(documentation_init, lr, self.case.weights))

    def window(self, num_workers, seconds, warm=WARM, snapshots=None):
        """Train for some seconds; return the gradients a second after a warm-up.

        Keeps pairs of seconds and weights in the list of snapshots, if there is one.
        """
        created = noted = time.time()
        started, done, pending = None, 0, []
        workers = self.case.workers[:num_workers]
        for count, weights, left in self.loop(self.server, workers):
            now, pending = time.time(), left
            if snapshots is not None and now - noted >= SNAPSHOT_EVERY:
                parts = [np.array(part) for part in get(weights)]
                noted = time.time()
                snapshots.append((noted - created, parts))
            if started is not None:
                done += count
                if now >= started + seconds and done >= 2 * num_workers:
                    break
            elif now >= created + warm:
                started = now
        # Nobody computes any more when the next pattern begins; errors show here.
        get(pending)
        get(self.server.get_weights.remote())
        return done / (now - started)

    def stop(self):
        end(self.server)


class WatchedServer(SharedMemoryServer):
    """Keeps snapshots by itself: whoever asks for them holds up all workers."""

    def __init__(self, weights, rule, num_workers, watched):
        self.watched, self.snapshots = watched, []
        super().__init__(weights, rule, num_workers, NEVER)

    def add(self, updates):
        super().add(updates)
        now, last = time.time(), self.snapshots[-1:]
        if self.watched and (not last or now - last[0][0] >= SNAPSHOT_EVERY):
            copy = [array.copy() for array in self.table.arrays(self.row)]
            self.snapshots.append((now, copy))


def restart(server, weights, rule, num_workers, watched):
    """Give a server of shared memory, in its own process, new workers to wait for."""
    server.__init__(weights, rule, num_workers, watched)


def log_of(server):
    with server.lock:
        return list(server.log)


def snapshots_of(server):
    with server.lock:
        return server.snapshots


def send_home(server):
    server.num_updates = 0


class Ours:
    """Workers and server share memory: a message says only that something is there."""

    def __init__(self, case, local_steps, average):
        self.case, self.local_steps, self.average = case, local_steps, average
        server = ray.remote(num_cpus=0)(WatchedServer)
        self.server = server.remote(get(case.weights), Asynchronous(), 1, False)
        self.ask(log_of)

    def begin_again(self, lr):
        """Learn at another rate; every window begins with the first weights."""
        self.case = self.case._replace(lr=lr)

    def ask(self, function, *arguments):
        return get(self.server.__ray_call__.remote(function, *arguments))

    def window(self, num_workers, seconds, warm=WARM, snapshots=None):
        """Train for some seconds; return the gradients a second after a warm-up.

        Keeps pairs of seconds and weights in the list of snapshots, if there is one.
        """
        rule = Synchronous(num_workers) if self.average else Asynchronous()
        watched = snapshots is not None
        self.ask(restart, self.case.weights, rule, num_workers, watched)
        calls = [
            worker.ours.remote(self.server, self.case.lr, self.local_steps)
            for worker in self.case.workers[:num_workers]
        ]
        begin, found = time.time() + warm, []
        while len(found) < num_workers:  # who has pushed only once has no rate
            left = begin + seconds - time.time()
            time.sleep(max(left, SNAPSHOT_EVERY))
            ray.get(ray.wait(calls, timeout=0)[0])  # an error ends the wait
            found = self.rates(begin)
        if watched:  # to connect is no part of training
            first = min(record["times"][0] for record in self.ask(log_of))
            snapshots += [(s - first, w) for s, w in self.ask(snapshots_of)]
        self.ask(send_home)
        get(calls)
        return sum(found)

    def rates(self, begin):
        """Return each worker's gradients a second, from its first step after a time."""
        spans = {}
        for record in self.ask(log_of):
            if record["times"][0] >= begin:
                spans.setdefault(record["worker"], []).append(record["times"])
        return [
            self.local_steps * len(times) / (times[-1][-1] - times[0][0])
            for times in spans.values()
            if len(times) > 1
        ]

    def stop(self):
        end(self.server)


def ours(case, local_steps):
    """Start the server of `ps_helpers.shared_memory`; its workers push so seldom.

    Updates of several steps are averaged, a round at a time: added as they come they
    are so large and so stale that no learning rate trains reliably.
    """
    return Ours(case, local_steps, average=local_steps > 1)


# How to start each, from a case.
PATTERNS = {
    LIMIT: Limit,
    PAGE: Page,
    SYNCHRONOUS: functools.partial(Documentation, synchronous),
    ASYNCHRONOUS: functools.partial(Documentation, asynchronous),
    OURS: functools.partial(ours, local_steps=1),
    OURS_FEW: functools.partial(ours, local_steps=FEW),
    OURS_LOCAL: functools.partial(ours, local_steps=MANY),
}


class NothingToAdd(SharedMemoryServer):
    """Answers a push at once: what is left is the pull."""

    def add(self, updates):
        self.version += 1

    def nothing(self):
        pass


def seconds_of(*functions, repeats):
    """Call functions in turn, so often; return the seconds of each, as arrays."""
    times = np.zeros((repeats, len(functions)))
    for row in times:
        for place, function in enumerate(functions):
            started = time.perf_counter()
            function()
            row[place] = time.perf_counter() - started
    return times[1:].T  # the first call touches memory


def pull_and_memcpy(repeats=60):
    """Return the seconds of a pull of 64 MB and of copying as much, as two arrays."""
    source = np.ones(16 * 10**6, np.float32)
    target = np.ones_like(source)
    server = ray.remote(num_cpus=0)(NothingToAdd)
    server = server.remote([source], Asynchronous(), 1, NEVER)
    channel = Channel(get(server.address.remote()), 0)
    channel.pull()
    found = seconds_of(
        lambda: channel.push_then_pull([time.time()] * 2),
        lambda: np.copyto(target, source),
        repeats=repeats,
    )
    end(server)
    return found


def push_and_call(repeats=1000):
    """Return the seconds of an empty push and of an empty call, as two arrays."""
    server = ray.remote(num_cpus=0)(NothingToAdd)
    server = server.remote([np.zeros(1, np.float32)], Asynchronous(), 1, NEVER)
    channel = Channel(get(server.address.remote()), 0)
    channel.pull()
    found = seconds_of(
        lambda: channel.push_then_pull([time.time()] * 2),
        lambda: ray.get(server.nothing.remote()),
        repeats=repeats,
    )
    end(server)
    return found
