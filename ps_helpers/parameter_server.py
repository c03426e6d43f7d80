"""Train a small classifier with a parameter server on Ray.

    python -m ps_helpers.parameter_server --num-workers=4

The server is an actor that holds the weights by key. Every worker task receives
the server's handle and repeats three steps: pull the weights, compute an update
from a batch of its own shard of the data, push the update. Nobody waits for
anybody else: training is asynchronous. Notebooks 01 to 03 build this program.
"""

import argparse
import os
import signal
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np
import ray
from tqdm import tqdm

from ps_helpers import data, model, session
from ps_helpers.recorded import recorded

STEPS_A_TASK = 20  # a worker task hands its records in after this many steps
MAX_UPDATES = 20_000  # a target that is not reached by then is given up
READY_SECONDS = 120  # how long the first worker may take to get ready


class TrainingError(RuntimeError):
    """Training cannot go on; the message says what to do."""


def require_known(weights, keys):
    """Raise KeyError unless there is a weight for every key."""
    for key in keys:
        if key not in weights:
            raise KeyError(f"no weight is called {key!r}; the keys are {list(weights)}")


def require_fit(weights, keys, values):
    """Raise KeyError or ValueError unless each value fits its weight."""
    require_known(weights, keys)
    if len(keys) != len(values):
        raise ValueError(f"{len(keys)} keys came with {len(values)} values")
    for key, value in zip(keys, values, strict=True):
        weight = weights[key]
        same_kind = np.can_cast(value.dtype, weight.dtype, "same_kind")
        if value.shape != weight.shape or not same_kind:
            raise ValueError(
                f"{key} is {weight.dtype} of shape {weight.shape}; cannot add "
                f"{value.dtype} of shape {value.shape}"
            )


@ray.remote(num_cpus=0)
class ParameterServer:
    """Hold weights by key: pushes add to them, pulls read them."""

    def __init__(self, keys, values):
        self.weights = dict(zip(keys, map(np.array, values), strict=True))
        self.version = 0  # how many pushes have been applied

    @recorded
    def push(self, keys, values):
        """Add each value to its weight, all or none; return the version."""
        values = [np.asarray(value) for value in values]
        require_fit(self.weights, keys, values)
        for key, value in zip(keys, values, strict=True):
            self.weights[key] += value
        self.version += 1
        return self.version

    @recorded
    def pull(self, keys):
        """Return copies of the weights of these keys, in the order asked."""
        require_known(self.weights, keys)
        return [self.weights[key].copy() for key in keys]

    def pull_with_version(self, keys):
        """Return the version and the weights, read in one call."""
        return self.version, self.pull(keys)

    def recorded_calls(self):  # for the timeline
        return list(self.calls)


@ray.remote(max_retries=0)  # a retried task would push its updates twice
def worker_task(ps, worker, shard, steps, batch_size, lr, model_name, engine, seed=0):
    """Pull, compute and push, once a step; return a record of each step."""
    classifier = model.load(model_name, engine, pixels=shard[0].shape[1])
    keys, records = classifier.keys, []
    for step in steps:
        times = [time.time()]
        version, weights = ray.get(ps.pull_with_version.remote(keys))
        times.append(time.time())
        x, y = data.draw_batch(shard, batch_size, [seed, worker, step])
        update = [-lr * part for part in classifier.gradient(weights, x, y)]
        times.append(time.time())
        new_version = ray.get(ps.push.remote(keys, update))
        times.append(time.time())
        staleness = new_version - 1 - version  # pushes by others in between
        records.append({"worker": worker, "staleness": staleness, "times": times})
    return records


class Run:
    """What a training run has reached so far."""

    def __init__(self):
        self.began = time.time()
        self.records = []  # one a step, as worker_task returns them
        self.points = []  # one an evaluation: updates, seconds, loss, accuracy
        self.calls = []  # the server's, for the timeline
        # Kept up to date, since a long run would add up its records ever more slowly.
        self.training_began = float("inf")
        self.total_staleness = 0
        self.next_evaluation = 0

    def add(self, records):
        """Add the records of a worker task."""
        self.training_began = min(self.training_began, records[0]["times"][0])
        self.total_staleness += sum(record["staleness"] for record in records)
        self.records += records

    def evaluate(self, classifier, weights, test):
        """Add a point: loss and accuracy of the weights on the test data."""
        start = time.time()
        self.points.append(
            {
                "updates": len(self.records),
                "seconds": time.time() - self.training_began,
                "loss": classifier.loss(weights, *test),
                "accuracy": classifier.accuracy(weights, *test),
            }
        )
        now = time.time()
        self.next_evaluation = now + 4 * (now - start)

    def evaluation_is_due(self):
        """Return whether evaluating now takes at most a fifth of the driver's time."""
        return time.time() >= self.next_evaluation

    def mean_staleness(self):
        return self.total_staleness / len(self.records)

    def table(self):
        """Return the result as lines of text."""
        if not self.points:
            return "Stopped before the first update."
        last = self.points[-1]
        by_worker = Counter(record["worker"] for record in self.records)
        stalest = max(record["staleness"] for record in self.records)
        start_up = self.training_began - self.began
        rows = {
            "test accuracy": f"{last['accuracy']:.3f}",
            "test loss": f"{last['loss']:.3f}",
            "updates": f"{len(self.records)}",
            "  per worker": " ".join(str(by_worker[w]) for w in sorted(by_worker)),
            "staleness": f"mean {self.mean_staleness():.2f}, max {stalest}",
            "seconds": f"{last['seconds']:.1f}, after {start_up:.1f} to start",
        }
        return "\n".join(f"{name:15}{value}" for name, value in rows.items())


def train(options, run):
    """Train until the target accuracy or the number of updates is reached.

    Fills the run as it goes, so that an interrupted run keeps what it reached.
    Raises TrainingError when training cannot go on.
    """
    model.require_choice(options.model, options.engine)
    dataset = data.load(options.data, options.seed)
    shards = data.shards(*dataset[:2], options.num_workers, options.seed)
    # The driver only evaluates: NumPy will do, unless there is a convolution.
    engine = "tensorflow" if options.model == "cnn" else "numpy"
    classifier = model.load(options.model, engine, pixels=dataset.train_x.shape[1])

    data_bytes = sum(x.nbytes + y.nbytes for x, y in shards)
    session.start(options.num_workers, options.engine, options.address, data_bytes)
    weights = classifier.initial_weights(options.seed)
    ps = ParameterServer.remote(classifier.keys, weights)
    shards = [ray.put(shard) for shard in shards]
    limit = options.num_updates or MAX_UPDATES
    begun = Counter()  # steps given to each worker
    running = {}  # reference of a worker task -> its worker
    reached = False
    with tqdm(total=options.num_updates, unit=" updates", desc="starting") as bar:
        while True:
            idle = set(range(options.num_workers)) - set(running.values())
            for worker in () if reached else sorted(idle):
                first, left = begun[worker], limit - begun.total()
                steps = range(first, first + min(STEPS_A_TASK, left))
                if steps:
                    task = worker_task.remote(
                        ps,
                        worker,
                        shards[worker],
                        steps,
                        options.batch_size,
                        options.learning_rate,
                        options.model,
                        options.engine,
                        options.seed,
                    )
                    running[task] = worker
                    begun[worker] += len(steps)
            # The workers go on while the driver evaluates. When the target is
            # reached they finish what they have begun: it is in the result too.
            if run.records and (not running or run.evaluation_is_due()):
                weights = ray.get(ps.pull.remote(classifier.keys))
                run.evaluate(classifier, weights, dataset[2:])
                show_progress(bar, run)
                reached = run.points[-1]["accuracy"] >= options.target_accuracy
            if running:
                collect(running, run)
            elif reached or begun.total() == limit:
                break
    run.calls = ray.get(ps.recorded_calls.remote())
    if not reached and options.num_updates is None:
        raise TrainingError(
            f"{MAX_UPDATES} updates did not reach {options.target_accuracy}: try "
            "another --learning-rate or a lower --target-accuracy."
        )


def collect(running, run):
    """Wait for a worker task, take it off the running ones and keep its records."""
    ready, _ = ray.wait(list(running), timeout=None if run.records else READY_SECONDS)
    if not ready:
        raise TrainingError(
            f"no worker was ready after {READY_SECONDS} s: free some memory or "
            "CPUs, or start fewer workers."
        )
    for task in ray.wait(list(running), num_returns=len(running), timeout=0)[0]:
        worker = running.pop(task)
        try:
            run.add(ray.get(task))
        except ray.exceptions.RayError as error:
            reason = getattr(error, "cause", None) or error
            first_line = str(reason).strip().split("\n")[0]
            raise TrainingError(f"worker {worker} failed: {first_line}") from error


def show_progress(bar, run):
    """Bring the progress bar up to date; raise TrainingError on a lost run."""
    point = run.points[-1]
    if not np.isfinite(point["loss"]):
        raise TrainingError("the loss is not a number: lower --learning-rate.")
    if bar.n == 0:
        bar.set_description_str("training")
        bar.unpause()  # the rate leaves out the time that workers took to start
    bar.set_postfix(
        loss=f"{point['loss']:.3f}",
        accuracy=f"{point['accuracy']:.3f}",
        staleness=f"{run.mean_staleness():.1f}",
        refresh=False,
    )
    bar.update(point["updates"] - bar.n)


def number(kind, low, high=float("inf")):
    """Return a parser of command-line numbers from low to high."""

    def parse(text):
        try:
            value = kind(text)
        except ValueError:
            value = None
        if value is None or not low <= value <= high or value == float("inf"):
            limits = f"{low} or more" if high == float("inf") else f"{low} to {high}"
            noun = "a whole number" if kind is int else "a number"
            raise argparse.ArgumentTypeError(f"{text} is not {noun}, {limits}")
        return value

    return parse


def picture_file(text):
    """Return the path of a picture that can be written; refuse others early."""
    path = Path(text)
    if path.suffix not in (".png", ".svg", ".pdf"):
        raise argparse.ArgumentTypeError(f"{text} must end in .png, .svg or .pdf")
    if not path.parent.is_dir():
        raise argparse.ArgumentTypeError(f"there is no folder {path.parent}")
    if path.is_dir() or not os.access(path.parent, os.W_OK):
        raise argparse.ArgumentTypeError(f"{text} cannot be written")
    return path


class Parser(argparse.ArgumentParser):
    """An argument parser that refuses in one sentence."""

    def error(self, message):
        self.exit(2, f"{self.prog}: {message}\n")


def parser():
    """Return the parser of the command line."""
    description, _, detail = __doc__.partition("\n")
    result = Parser(
        prog="parameter_server",
        description=description,
        epilog=detail,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = result.add_argument
    add(
        "--num-workers",
        type=number(int, 1, 64),
        default=4,
        metavar="N",
        help="how many workers train at the same time (default: 4)",
    )
    stop = result.add_mutually_exclusive_group()
    stop.add_argument(
        "--target-accuracy",
        type=number(float, 0, 1),
        default=0.95,
        metavar="A",
        help="stop when this share of the test images is classified "
        "rightly (default: 0.95)",
    )
    stop.add_argument(
        "--num-updates",
        type=number(int, 1),
        metavar="N",
        help="stop after N updates instead",
    )
    add(
        "--batch-size",
        type=number(int, 1),
        default=32,
        metavar="N",
        help="images in the batch that one update is computed from (default: 32)",
    )
    add(
        "--learning-rate",
        type=number(float, 1e-9),
        default=0.2,
        metavar="R",
        help="how far an update goes along its gradient (default: 0.2)",
    )
    add(
        "--data",
        choices=data.NAMES,
        default="digits",
        help="the images to learn (default: digits, which need no download)",
    )
    add(
        "--model",
        choices=model.NAMES,
        default="mlp",
        help="softmax regression, one hidden layer, or a small convolutional network "
        "(default: mlp)",
    )
    add(
        "--engine",
        choices=model.ENGINES,
        default="tensorflow",
        help="what computes the gradients; numpy starts sooner and needs less memory "
        "(default: tensorflow)",
    )
    add(
        "--seed",
        type=number(int, 0),
        default=0,
        metavar="N",
        help="start of the random numbers (default: 0)",
    )
    add(
        "--address",
        metavar="HOST:PORT",
        help="train on the Ray cluster at this address instead of on this machine",
    )
    add(
        "--plot",
        type=picture_file,
        metavar="FILE",
        help="write learning curves and a timeline to a .png, .svg or .pdf file",
    )
    return result


def plot(run, path):
    """Write learning curves, and 50 ms from the middle of training, to a file."""
    from ps_helpers import plots

    plots.report(run.points, run.records, run.calls).savefig(path)


def main(arguments=None):
    """Run the command line; return its exit status."""
    options = parser().parse_args(arguments)
    if options.num_updates is not None:
        options.target_accuracy = float("inf")  # only the number of updates stops it
    run, status = Run(), 0
    try:
        train(options, run)
    except KeyboardInterrupt:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # the clean-up comes first
        print("\nInterrupted. What was reached:", file=sys.stderr)
        status = 130
    except TrainingError as error:
        print(f"parameter_server: {error}", file=sys.stderr)
        status = 1
    except (session.SessionError, data.MissingDataError, ValueError) as error:
        print(f"parameter_server: {error}", file=sys.stderr)
        return 2
    finally:
        session.stop()
    print(run.table())
    if options.plot and run.points:
        plot(run, options.plot)
    return status


if __name__ == "__main__":
    sys.exit(main())
