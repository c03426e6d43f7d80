"""The ways to train with a server whose speed the benchmark compares.

Every `Pattern` offers the same. TensorFlow is imported by workers and by the
documentation's server, never by the driver.
"""

import functools
import os
import time
from collections import namedtuple

import numpy as np
import ray

from ps_helpers.lab import data, machine, model
from ps_helpers.parameter_server import ParameterServer, worker_task
from ps_helpers.records import Times
from ps_helpers.rules import Rule
from ps_helpers.settings import Settings
from ps_helpers.shared_memory import MemoryGate, SharedMemory
from ps_helpers.table import Table
from ps_helpers.team import Team

FEW, MANY = 3, 16  # local steps
LIMIT, PAGE = "limit", "page"
SYNCHRONOUS, ASYNCHRONOUS = "documentation, synchronous", "documentation, asynchronous"
DOCUMENTED = SYNCHRONOUS, ASYNCHRONOUS
OURS = "ours, one gradient a push"
OURS_FEW, OURS_LOCAL = f"ours, {FEW} local steps", f"ours, {MANY} local steps"

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

# All workers that there are, as actor handles; a reference to the first weights; and
# the data of each worker.
Case = namedtuple("Case", "size workers weights shards lr", defaults=[0.001])


def load(size, engine="tensorflow"):
    return model.load("mlp", engine, size.pixels, size.hidden)


def initial_weights(size):
    return load(size, "numpy").initial_weights()


def enlarge(images):
    """Return images of 8×8 pixels as 28×28: three times as large, with a border."""
    large = np.kron(images.reshape(-1, 8, 8), np.ones((1, 3, 3), np.float32))
    return np.pad(large, ((0, 0), (2, 2), (2, 2))).reshape(len(images), 784)


def images(size):
    """Return the digits as training and test images with the pixels of a size."""
    train_x, train_y, test_x, test_y = data.load("digits")
    if size.pixels != train_x.shape[1]:
        train_x, test_x = enlarge(train_x), enlarge(test_x)
    return train_x, train_y, test_x, test_y


def get(references):
    return ray.get(references, timeout=WAIT)


def restart(actor, *arguments):
    """Make an actor anew of these arguments, in the process that it has."""
    get(actor.__ray_call__.remote(lambda self, *new: self.__init__(*new), *arguments))


def end(actor):
    """Kill an actor and wait until its process is gone, and its memory with it."""
    process = get(actor.__ray_call__.remote(lambda self: os.getpid()))
    ray.kill(actor)
    deadline = time.time() + 10
    while os.path.exists(f"/proc/{process}") and time.time() < deadline:
        time.sleep(0.02)


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
        own = Table(self.classifier.shapes, 1).views[0]
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

    def compute_gradients(self, weights):
        """Return gradients as the documentation's DataWorker does."""
        if self.model is None:  # the other patterns need no memory for it
            self.model = Network(weights)
        self.model.set_weights(weights)
        return self.model.get_gradients(*self.draw())


def prepare(workers, size, lr=0.001):
    """Trace a size's models in all workers; return its case."""
    get([worker.prepare.remote(size) for worker in workers])
    return Case(size, workers, ray.put(initial_weights(size)), [], lr)


def share(case, team):
    """Give a shard of the digits to each of a team; the others repeat them."""
    shards = data.shards(*images(case.size)[:2], team)
    case.shards[:] = map(ray.put, shards)
    calls = [w.take.remote(i, shards[i % team]) for i, w in enumerate(case.workers)]
    get(calls)


class Pattern:
    """A way to train from a case's first weights, perhaps with a server.

    ``window`` trains for some seconds and returns the gradients a second after a
    warm-up. It keeps pairs of seconds and weights in the list of snapshots, if there
    is one.
    """

    server = None

    def __init__(self, case):
        self.case = case

    def begin_again(self, lr):
        """Go back to the first weights; learn at another rate."""
        self.case = self.case._replace(lr=lr)

    def stop(self):
        """End what was started."""
        if self.server:
            end(self.server)


class Limit(Pattern):
    """As many processes as cores compute gradients; nobody pushes, nobody pulls."""

    def window(self, num_workers, seconds, warm=WARM, snapshots=None):
        begin = time.time() + warm
        weights, workers = self.case.weights, self.case.workers[:CORES]
        calls = [w.limit.remote(weights, begin, begin + seconds) for w in workers]
        return sum(get(calls))


def watch(calls, pull, snapshots):
    """Keep pulled weights and their time, until all calls have answered."""
    started, left = time.time(), calls
    while left:
        left = ray.wait(left, num_returns=len(left), timeout=SNAPSHOT_EVERY)[1]
        snapshots.append((time.time() - started, pull()))


class Page(Pattern):
    """The worker tasks hold the server's handle, and pull and push by themselves."""

    def __init__(self, case):
        super().__init__(case)
        self.keys = load(case.size, "numpy").keys
        self.server = ParameterServer.remote(self.keys, get(case.weights))
        self.pull()

    def pull(self):
        return get(self.server.pull.remote(self.keys))

    def window(self, num_workers, seconds, warm=WARM, snapshots=None):
        begin = time.time() + warm
        calls = [
            worker.page.remote(self.server, self.case.lr, begin, begin + seconds)
            for worker in self.case.workers[:num_workers]
        ]
        if snapshots is not None:
            watch(calls, lambda: [np.array(part) for part in self.pull()], snapshots)
        return sum(get(calls))

    def begin_again(self, lr):
        super().begin_again(lr)
        restart(self.server, self.keys, self.case.weights)


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


class Documentation(Pattern):
    """The driver hands weights to the workers and their gradients to the server."""

    def __init__(self, loop, case):
        super().__init__(case)
        self.loop = loop
        self.server = DocumentationServer.remote(case.lr, case.weights)
        get(self.server.get_weights.remote())

    def begin_again(self, lr):
        super().begin_again(lr)
        restart(self.server, lr, self.case.weights)

    def window(self, num_workers, seconds, warm=WARM, snapshots=None):
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


class Ours(Pattern):
    """What the script runs with --fast: a `Team` by `Settings`, watched by its reports.

    Updates of several steps are averaged, a round at a time: added as they come they
    are so large and so stale that no learning rate trains reliably.
    """

    def __init__(self, local_steps, case, every=0.25, **chosen):
        super().__init__(case)
        self.local_steps, self.every = local_steps, every
        self.chosen = chosen  # of the settings
        keys = load(case.size, "numpy").keys
        self.weights = dict(zip(keys, get(case.weights), strict=True))

    def window(self, num_workers, seconds, warm=WARM, snapshots=None):
        chosen = {
            "num_workers": num_workers,
            "num_updates": NEVER,
            "fast": True,
            "batch_size": BATCH,
            "learning_rate": self.case.lr,
            "local_steps": self.local_steps,
            "consistency": "sync" if self.local_steps > 1 else "async",
            "hidden": self.case.size.hidden,
        }
        settings = Settings(**chosen | self.chosen)
        shards = self.case.shards[:num_workers]
        team = Team(settings, self.weights, shards, worker_task)
        log, over = [], False
        every = self.every if snapshots is None else SNAPSHOT_EVERY
        for report in team.reports(every):
            log += report.log
            began = min(push.times.began for push in log)
            if snapshots is not None:  # to connect is no part of training
                snapshots.append((report.log[-1].arrived - began, report.weights))
            spans = self.spans(log, began + warm)
            # Who has pushed only once has no rate.
            complete = sum(len(pushes) > 1 for pushes in spans.values()) == num_workers
            if complete and time.time() > began + warm + seconds and not over:
                found, over = self.rate(spans), True
                team.stop()
        for actor in (*team.servers, *set(team.aggregators.values())):
            end(actor)
        return found

    def spans(self, log, begin):
        """Return each worker's pushes, from its first step after a time."""
        spans = {}
        for push in log:
            if push.times.began >= begin:
                spans.setdefault(push.worker, []).append(push)
        return spans

    def rate(self, spans):
        """Return the gradients a second of all workers."""
        return self.local_steps * sum(
            len(pushes) / (pushes[-1].arrived - pushes[0].times.began)
            for pushes in spans.values()
        )


# How to start each, from a case.
PATTERNS = {
    LIMIT: Limit,
    PAGE: Page,
    SYNCHRONOUS: functools.partial(Documentation, synchronous),
    ASYNCHRONOUS: functools.partial(Documentation, asynchronous),
    OURS: functools.partial(Ours, 1),
    OURS_FEW: functools.partial(Ours, FEW),
    OURS_LOCAL: functools.partial(Ours, MANY),
}


def take_turns(windows, num_rounds, team, seconds):
    """Return gradients a second by name: each window of {name: window} once a round."""
    found = {name: [] for name in windows}
    for _ in range(num_rounds):
        for name, window in windows.items():
            found[name].append(window(team, seconds))
    return found


class AddNothing(Rule):
    """Drops every update: what is left of a push is its messages."""

    def push(self, worker, staleness):
        return [], [worker]


class Alone:
    """The only worker of a `MemoryGate`, in this process, and its step."""

    def __init__(self, weight):
        gate = ray.remote(num_cpus=0)(MemoryGate)
        self.gate = gate.remote(["w"], [weight], {"rule": AddNothing()}, 1)
        self.endpoint = SharedMemory(get(self.gate.address.remote()), 0, np.asarray)
        self.step = self.endpoint.pull().step

    def push_then_pull(self):
        now = time.time()
        self.endpoint.push(self.step, Times(now, now, now))
        self.step = self.endpoint.pull().step

    def call(self):
        return get(self.gate.address.remote())


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
    target, alone = np.ones_like(source), Alone(source)
    copy = functools.partial(np.copyto, target, source)
    found = seconds_of(alone.push_then_pull, copy, repeats=repeats)
    end(alone.gate)
    return found


def push_and_call(repeats=1000):
    """Return the seconds of an empty push and of an empty call, as two arrays."""
    alone = Alone(np.zeros(1, np.float32))
    found = seconds_of(alone.push_then_pull, alone.call, repeats=repeats)
    end(alone.gate)
    return found
