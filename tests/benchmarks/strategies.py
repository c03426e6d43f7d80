"""TensorFlow's own two strategies as patterns of the benchmark, in their own processes.

With `MultiWorkerMirroredStrategy` each of them has the weights, and they sum their
gradients in a ring. With `ParameterServerStrategy` one has the weights, and a
coordinator schedules functions, of one step or of many, on the others. While they run,
TensorFlow's servers answer whoever reaches their ports.
"""

import contextlib
import functools
import itertools
import json
import multiprocessing
import os
import signal
import socket
import time

import links

MANY = 16  # steps in a scheduled function
RING = "TensorFlow, MultiWorkerMirroredStrategy"
SCHEDULED = "TensorFlow, ParameterServerStrategy"
SCHEDULED_MANY = f"{SCHEDULED}, {MANY} steps a function"
NAMES = RING, SCHEDULED, SCHEDULED_MANY

WAIT = 300  # seconds until a process that does not answer is an error
WARM = 0.2  # seconds of a window that come before the clock starts
SPAWN = multiprocessing.get_context("spawn")  # no copy of the driver's threads


class Trainer:
    """Trains the mlp, in variables that a strategy places, by calls of functions."""

    def __init__(self, tf, strategy, call, wait):
        self.tf, self.strategy, self.call, self.wait = tf, strategy, call, wait

    def prepare(self, weights, images, labels, batch, lr):
        """Make the variables, and functions that take steps."""
        from ps_helpers.lab import model

        tf = self.tf
        # What our workers compute as well.
        gradient = model.load("mlp", "tensorflow", *weights[0].shape).raw_gradient
        optimizer = tf.compat.v1.train.GradientDescentOptimizer(lr)
        with self.strategy.scope():
            variables = [tf.Variable(weight) for weight in weights]

        def step(x, y):
            rows = tf.random.uniform([batch], 0, len(labels), tf.int32)
            values = [variable.read_value() for variable in variables]
            parts = gradient.compiled(values, tf.gather(x, rows), tf.gather(y, rows))
            optimizer.apply_gradients(zip(parts, variables, strict=True))

        @functools.cache
        def steps(count):
            def repeat():
                x, y = tf.constant(images), tf.constant(labels)
                for _ in range(count):
                    self.strategy.run(step, args=(x, y))

            return tf.function(repeat, autograph=False)

        self.steps = steps

    def run(self, count, calls):
        """Call a function of so many steps so often; wait until all are done."""
        for _ in range(calls):
            self.call(self.steps(count))
        self.wait()


def play(pipe, cluster, job, index, node):
    """Be one process of a cluster; answer calls until the driver has gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the driver ends it
    if node is not None:
        links.enter(node)
    task = {"type": job, "index": index}
    os.environ["TF_CONFIG"] = json.dumps({"cluster": cluster, "task": task})
    from ps_helpers.lab.tf import tf  # with one thread, as in our workers

    team = len(cluster["worker"])
    if job == "chief":
        resolver = tf.distribute.cluster_resolver.TFConfigClusterResolver()
        strategy = tf.distribute.ParameterServerStrategy(resolver)
        coordinator = tf.distribute.coordinator.ClusterCoordinator(strategy)
        player = Trainer(tf, strategy, coordinator.schedule, coordinator.join)
    elif "chief" in cluster:  # TensorFlow's guide asks for so many threads that wait
        config = tf.compat.v1.ConfigProto(
            intra_op_parallelism_threads=1, inter_op_parallelism_threads=team + 1
        )
        player = tf.distribute.Server(cluster, job, index, config=config)
    else:
        strategy = tf.distribute.MultiWorkerMirroredStrategy()
        player = Trainer(tf, strategy, lambda function: function(), lambda: None)
    with contextlib.suppress(EOFError):
        pipe.send("ready")
        while True:
            method, *arguments = pipe.recv()
            pipe.send(getattr(player, method)(*arguments))


def answers(pipes):
    """Wait for an answer from each process; raise EOFError for one that has ended."""
    for pipe in pipes:
        if not pipe.poll(WAIT):
            raise TimeoutError("one of TensorFlow's processes does not answer")
        pipe.recv()


def places(jobs, nodes):
    """Return an address and a node for each process of jobs.

    ``nodes`` are those of `links` on which workers are; the others are on node 0. With
    none all are on this machine.
    """
    on = {job: [0 if nodes else None] * number for job, number in jobs.items()}
    workers_on = itertools.cycle(nodes or [None])
    on["worker"] = list(itertools.islice(workers_on, jobs["worker"]))
    ports = itertools.count(20_000 + 100 * len(jobs))  # nobody else is on the nodes
    with contextlib.ExitStack() as stack:

        def place(node):
            if node is not None:
                return f"{links.address(node)}:{next(ports)}", node
            own = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
            return f"127.0.0.1:{own.getsockname()[1]}", None

        return {job: list(map(place, each)) for job, each in on.items()}


class Strategy:
    """The driver's end of one strategy's processes; those of the last job train."""

    def __init__(self, processes, nodes, **jobs):
        placed, self.pipes = places(jobs, nodes), []
        cluster = {job: [place for place, _ in each] for job, each in placed.items()}
        for job, number in jobs.items():
            for index in range(number):
                own, other = SPAWN.Pipe()
                told = other, cluster, job, index, placed[job][index][1]
                process = SPAWN.Process(target=play, args=told)
                process.start()
                processes.append(process)
                self.pipes.append(own)
                other.close()  # so that we see when the process has ended
            self.trainers = self.pipes[-number:]
            answers(self.trainers)

    def call(self, method, *arguments):
        """Call a method of all that train; return the seconds until all answer."""
        started = time.time()
        for pipe in self.trainers:
            pipe.send((method, *arguments))
        answers(self.trainers)
        return time.time() - started

    def window(self, count, team, seconds):
        """Train for about so long; return the gradients a second after a warm-up."""
        least = calls = team // len(self.trainers)  # one for each that computes
        for lasting in (WARM, seconds):
            share = calls * lasting / self.call("run", count, calls)
            calls = least * max(1, round(share / least))
        return len(self.trainers) * count * calls / self.call("run", count, calls)


@contextlib.contextmanager
def running(team, nodes=()):
    """Start the processes of both strategies; kill them at the end.

    They are on this machine, or spread over some nodes of `links`.

    Yields a function of weights, images, labels, rows a batch and learning rate that
    makes all of them ready for these, and returns {name: function of a window}.
    """
    processes = []
    try:
        ring = Strategy(processes, nodes, worker=team)
        server = Strategy(processes, nodes, worker=team, ps=1, chief=1)

        def prepare(*arguments):
            for strategy in (ring, server):
                strategy.call("prepare", *arguments)
            ways = (ring, 1), (server, 1), (server, MANY)
            windows = [functools.partial(way.window, count) for way, count in ways]
            return dict(zip(NAMES, windows, strict=True))

        yield prepare
    finally:
        for process in processes:
            process.kill()
        for process in processes:
            process.join()
