"""Train on Ray by a rule of waiting, and keep what a run has reached."""

import time
from collections import Counter

import numpy as np
import ray
from tqdm import tqdm

from ps_helpers.lab import data, model, session
from ps_helpers.team import MAX_UPDATES, Team

READY_SECONDS = 120  # how long the workers may take to get ready


class TrainingError(RuntimeError):
    """Training cannot go on; the message says what to do."""


class Run:
    """What a training run has reached so far."""

    def __init__(self):
        self.began = time.time()
        self.updates = 0
        self.log = []  # a record a push, as the server keeps them
        self.points = []  # one an evaluation: updates, seconds, loss, accuracy
        self.calls = []  # the server's, for the timeline
        # Kept up to date, since a long run would add up its records ever more slowly.
        self.training_began = float("inf")
        self.total_staleness = 0
        self.next_evaluation = 0

    def add(self, updates, records):
        """Add new records of the server; so many updates are applied by now."""
        self.updates = updates
        starts = [record["times"][0] for record in records]
        self.training_began = min([self.training_began, *starts])
        self.total_staleness += sum(record["staleness"] for record in records)
        self.log += records

    def evaluate(self, classifier, weights, test):
        """Add a point: loss and accuracy of the weights on the test data."""
        start = time.time()
        with np.errstate(all="ignore"):  # a run that diverges is told of elsewhere
            loss = classifier.loss(weights, *test)
            accuracy = classifier.accuracy(weights, *test)
        seconds = self.log[-1]["times"][2] - self.training_began
        self.points.append(
            {
                "updates": self.updates,
                "seconds": seconds,
                "loss": loss,
                "accuracy": accuracy,
            }
        )
        # Evaluating takes at most a fifth of the driver's time.
        now = time.time()
        self.next_evaluation = now + max(0.02, 4 * (now - start))

    def mean_staleness(self):
        return self.total_staleness / len(self.log)

    def table(self):
        """Return the result as lines of text."""
        if not self.points:
            return "Stopped before the first update."
        last = self.points[-1]
        by_worker = Counter(record["worker"] for record in self.log)
        stalest = max(record["staleness"] for record in self.log)
        dropped = sum(record["dropped"] for record in self.log)
        start_up = self.training_began - self.began
        rows = {
            "test accuracy": f"{last['accuracy']:.3f}",
            "test loss": f"{last['loss']:.3f}",
            "updates": f"{self.updates}",
            "pushes": f"{len(self.log)}" + (f", {dropped} dropped" if dropped else ""),
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
    team = options.num_workers + options.backup_workers
    shards = data.shards(*dataset[:2], team, options.seed)
    # The driver only evaluates: NumPy will do, unless there is a convolution.
    engine = "tensorflow" if options.model == "cnn" else "numpy"
    classifier = model.load(options.model, engine, pixels=dataset.train_x.shape[1])
    data_bytes = sum(x.nbytes + y.nbytes for x, y in shards)
    session.start(team, options.engine, options.address, data_bytes)
    members = Team(options, classifier, shards)
    running = members.running
    reached = False
    with tqdm(total=options.num_updates, unit=" updates", desc="starting") as bar:
        while running:
            take_off_finished(running, run.next_evaluation - time.time())
            if reached:
                continue
            updates, weights, records = ask(members.report, len(run.log))
            if updates > run.updates:
                run.add(updates, records)
                run.evaluate(classifier, weights, dataset[2:])
                show_progress(bar, run)
                reached = run.points[-1]["accuracy"] >= options.target_accuracy
                if reached:
                    ask(members.stop)
            elif not run.log and time.time() > run.began + READY_SECONDS:
                raise TrainingError(
                    f"the workers were not ready after {READY_SECONDS} s: free some "
                    "memory or CPUs, or start fewer workers."
                )
    run.calls = ask(members.recorded_calls)
    if not reached and options.num_updates is None:
        raise TrainingError(
            f"{MAX_UPDATES} updates did not reach {options.target_accuracy}: try "
            "another --learning-rate or a lower --target-accuracy."
        )


def ask(question, *arguments):
    """Return the servers' answer; raise TrainingError if one has died."""
    try:
        return question(*arguments)
    except ray.exceptions.RayError as error:
        raise TrainingError(f"the server failed: {first_line(error)}") from error


def take_off_finished(running, seconds):
    """Wait so long, or until a worker is done; take those that are done off."""
    ray.wait(list(running), timeout=max(0.02, seconds))
    for task in ray.wait(list(running), num_returns=len(running), timeout=0)[0]:
        worker = running.pop(task)
        try:
            ray.get(task)
        except ray.exceptions.RayError as error:
            reason = f"worker {worker} failed: {first_line(error)}"
            raise TrainingError(reason) from error


def first_line(error):
    reason = getattr(error, "cause", None) or error
    return str(reason).strip().split("\n")[0]


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
