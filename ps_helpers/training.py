"""What a run of the script has reached, in points and a table."""

import sys
import time
from collections import Counter, deque
from itertools import takewhile

import numpy as np

from ps_helpers.team import TrainingError

RECORDS_KEPT = 20_000  # of the pushes, for the figure
STEPS_TO_LEARN = 200  # a loss is better than a guess's by then


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
        self.warned = False

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

    def require_progress(self, settings, guess, bar):
        """Say once that the run learns nothing; raise TrainingError if it diverges.

        ``guess`` is the loss of who gives each class the same chance.
        """
        window = max(10, STEPS_TO_LEARN // settings.local_steps)
        since = self.updates - window
        recent = list(takewhile(lambda p: p["updates"] > since, self.points[::-1]))
        loss = min(point["loss"] for point in recent)
        if since < 0 or loss < 0.95 * guess:
            return
        usual, rate = settings.usual_rate, settings.rate
        said = (
            f"after {self.updates} updates the loss is {self.points[-1]['loss']:.3g}, "
            f"and a guess's is {guess:.3g}: try --learning-rate "
            f"{usual / 4 if rate == usual else usual:.2g}."
        )
        by_chance = max(point["accuracy"] for point in recent) < 2 * np.exp(-guess)
        lost = loss > 1.5 * guess or (rate >= usual and since > 4 * window)
        if by_chance and lost:
            raise TrainingError(f"the run diverges: {said}")
        if not self.warned:
            bar.write(f"parameter_server: {said}", file=sys.stderr)
            self.warned = True

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
