"""What a run of the script has reached, in points and a table."""

import os
import time
from collections import Counter, deque
from pathlib import Path

import numpy as np

from ps_helpers.checkpoint import newest
from ps_helpers.team import TrainingError

RECORDS_KEPT = 20_000  # of the pushes, for the figure


def saved_states(settings):
    """Return the servers' states that a run begins with, None for new ones.

    Also returns sentences on files that were passed over. Raises ValueError, which
    names the option, where there is no state to resume, or one of another training.
    """
    folder, states = settings.checkpoint, [None] * settings.num_servers
    if not folder:
        return states, []
    try:
        Path(folder).mkdir(exist_ok=True)
    except OSError as error:
        reason = f"{folder} is no folder, and cannot be made one: {error.strerror}"
        raise ValueError(f"--checkpoint: {reason}") from error
    if not os.access(folder, os.W_OK):
        raise ValueError(f"--checkpoint: {folder} cannot be written to")
    states, damage = newest(folder, settings.num_servers)
    if not settings.resume and (damage or any(states)):
        raise ValueError(f"--checkpoint: {folder} is in use: add --resume")
    if settings.resume and None in states:
        raise ValueError(f"--resume: there is no whole checkpoint in {folder}")
    for state in filter(None, states):
        for option, value in settings.identity().items():
            saved = dict(state.get("settings", ())).get(option)
            if saved != value:
                reason = f"{folder} was made with {option} {saved}, not {value}"
                raise ValueError(f"--resume: the checkpoint in {reason}")
    return states, damage


class Run:
    """What a training run has reached so far. It does not grow with its pushes."""

    def __init__(self):
        self.began = time.time()
        self.updates = 0
        self.log = deque(maxlen=RECORDS_KEPT)  # the last pushes
        self.points = []  # one an evaluation: updates, seconds, loss, accuracy
        self.calls = []  # the server's, for the timeline
        self.pushes = Counter()  # by worker
        self.dropped = self.total_staleness = self.stalest = 0
        self.training_began = float("inf")
        self.pause = 0.0  # seconds until the next evaluation

    def add(self, report, classifier, test):
        """Add what a team reports, and a point: loss and accuracy on the test data.

        Raises TrainingError where the loss is not a number.
        """
        start, self.updates = time.time(), report.version
        for push in report.log:
            self.pushes[push.worker] += 1
            self.dropped += push.dropped
            self.total_staleness += push.staleness
            self.stalest = max(self.stalest, push.staleness)
            self.training_began = min(self.training_began, push.times.began)
        self.log.extend(report.log)
        with np.errstate(all="ignore"):  # a run that diverges is told of below
            point = {
                "updates": self.updates,
                "seconds": self.log[-1].arrived - self.training_began,
                "loss": classifier.loss(report.weights, *test),
                "accuracy": classifier.accuracy(report.weights, *test),
            }
        self.points.append(point)
        if not np.isfinite(point["loss"]):
            raise TrainingError("the loss is not a number: lower --learning-rate.")
        # Evaluating takes at most a fifth of the driver's time.
        self.pause = max(0.02, 4 * (time.time() - start))

    @property
    def accuracy(self):
        return self.points[-1]["accuracy"]

    def show_progress(self, bar):
        """Bring a progress bar up to date."""
        if bar.n == 0:
            bar.set_description_str("training")
            bar.unpause()  # the rate leaves out the time that workers took to start
        point = self.points[-1]
        bar.set_postfix(
            loss=f"{point['loss']:.3f}",
            accuracy=f"{point['accuracy']:.3f}",
            staleness=f"{self.mean_staleness():.1f}",
            refresh=False,
        )
        bar.update(point["updates"] - bar.n)

    def mean_staleness(self):
        return self.total_staleness / self.pushes.total()

    def table(self):
        """Return the result as lines of text."""
        if not self.points:
            return "Stopped before the first update."
        last, dropped = self.points[-1], self.dropped
        pushes = f"{self.pushes.total()}" + (f", {dropped} dropped" if dropped else "")
        start_up = self.training_began - self.began
        rows = {
            "test accuracy": f"{last['accuracy']:.3f}",
            "test loss": f"{last['loss']:.3f}",
            "updates": f"{self.updates}",
            "pushes": pushes,
            "  per worker": " ".join(str(n) for _, n in sorted(self.pushes.items())),
            "staleness": f"mean {self.mean_staleness():.2f}, max {self.stalest}",
            "seconds": f"{last['seconds']:.1f}, after {start_up:.1f} to start",
        }
        return "\n".join(f"{name:15}{value}" for name, value in rows.items())
