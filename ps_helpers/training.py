"""What a run has reached: in points, a table and files."""

import json
import os
import platform
import sys
import time
from collections import Counter, deque
from importlib import metadata
from itertools import takewhile
from pathlib import Path

import numpy as np
from tqdm import tqdm

from ps_helpers import __version__
from ps_helpers.checkpoint import newest
from ps_helpers.lab import session
from ps_helpers.lab.events import rates
from ps_helpers.optimizers import state_names
from ps_helpers.settings import RULES, Settings, options
from ps_helpers.team import TrainingError

RECORDS_KEPT = 20_000  # of the pushes, for the figure
MEASURED = ("loss", "accuracy")  # on the test data
STEPS_TO_LEARN = 200  # a loss is better than a guess's by then


def saved_states(settings):
    """Return the servers' states that a run begins with, None for new ones.

    Tells of files that were passed over. Raises ValueError, which names the option,
    where there is no state to resume, or one of another training.
    """
    folder, states = settings.checkpoint, [None] * settings.num_servers
    if not folder:
        return states
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
    for sentence in damage:
        tell(sentence)
    return states


def start_ray(settings, weights, shards):
    """Start a Ray with room for the data, the weights and the updates of a team."""
    # An update of each worker, and what each and the driver read, with two to spare.
    copies, optimizer = 2 * settings.team + 3, settings.make_optimizer()
    if settings.fast and optimizer:  # whose state goes with each version
        copies += (settings.team + 3) * len(state_names(optimizer))
    num_bytes = copies * sum(weight.nbytes for weight in weights.values())
    for shard in shards:
        arrays = shard if isinstance(shard, tuple) else (shard,)
        num_bytes += sum(getattr(array, "nbytes", 0) for array in arrays)
    place = settings.engine, settings.address
    session.start(settings.team, *place, num_bytes, settings.num_servers)


class Run:
    """What a training run has reached so far. It does not grow with its pushes.

    ``weights`` are those of the last of its ``points``, by key.
    """

    def __init__(self, settings=None):
        self.settings, self.weights = settings or Settings(), {}
        self.began = time.time()
        self.updates = 0
        self.log = deque(maxlen=RECORDS_KEPT)  # the last pushes
        self.points = []  # one an evaluation: updates, seconds, loss, accuracy
        self.calls = {}  # of each server, for the timeline
        self.pushes = Counter()  # by worker
        self.dropped = self.total_staleness = self.stalest = 0
        self.training_began = float("inf")
        self.pause = 0.0  # seconds until the next evaluation
        self.warned = False
        self.events = None  # what TensorBoard is to draw

    def add(self, report, classifier, test):
        """Add what a team reports, and a point: loss and accuracy on the test data.

        A point has what there is to measure with. Raises TrainingError where the loss
        is not a number.
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
                "gradients": self.gradients,
                "seconds": self.log[-1].arrived - self.training_began,
            }
            for name in MEASURED:
                if test and hasattr(classifier, name):
                    point[name] = getattr(classifier, name)(report.weights, *test)
        self.points.append(point)
        copies = map(np.array, report.weights)  # Ray's memory goes with Ray
        self.weights = dict(zip(classifier.keys, copies, strict=True))
        if self.events and report.log:
            size = sum(weight.nbytes for weight in self.weights.values())
            found = rates(report.log, self.settings.local_steps, size)
            measured = {name: point[name] for name in MEASURED if name in point}
            self.events.add(self.updates, measured | found)
        if not np.isfinite(point.get("loss", 0)):
            raise TrainingError("the loss is not a number: lower --learning-rate.")
        # Evaluating takes at most a fifth of the driver's time.
        self.pause = max(0.02, 4 * (time.time() - start))

    def require_progress(self, guess):
        """Say once that the run learns nothing; raise TrainingError if it diverges.

        ``guess`` is the loss of who gives each class the same chance.
        """
        settings = self.settings
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
            tell(said)
            self.warned = True

    @property
    def accuracy(self):
        return self.points[-1]["accuracy"]

    @property
    def gradients(self):
        """Return how many gradients the pushes were made of."""
        return self.pushes.total() * self.settings.local_steps

    @property
    def gradients_per_second(self):
        return self.gradients / max(self.points[-1]["seconds"], 1e-9)

    def show_progress(self, bar):
        """Bring a progress bar up to date."""
        if bar.n == 0:
            bar.set_description_str("training")
            bar.unpause()  # the rate leaves out the time that workers took to start
        point = self.points[-1]
        shown = {name: f"{point[name]:.3f}" for name in MEASURED if name in point}
        bar.set_postfix(shown, staleness=f"{self.mean_staleness():.1f}", refresh=False)
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
            f"test {name}": f"{last[name]:.3f}"
            for name in ("accuracy", "loss")
            if name in last
        }
        rows |= {
            "updates": f"{self.updates}",
            "pushes": pushes,
            "  per worker": " ".join(str(n) for _, n in sorted(self.pushes.items())),
            "gradients": f"{self.gradients}, {self.gradients_per_second:.0f} a second",
            "staleness": f"mean {self.mean_staleness():.2f}, max {self.stalest}",
            "seconds": f"{last['seconds']:.1f}, after {start_up:.1f} to start",
        }
        return "\n".join(f"{name:15}{value}" for name, value in rows.items())

    def record(self):
        """Return what --json keeps: options, versions, points, counts and rates."""
        settings = self.settings
        versions = {name: metadata.version(name) for name in ("ray", "numpy")}
        versions |= {"ps_helpers": __version__, "python": platform.python_version()}
        found = {
            "chosen": settings.chosen(),
            "rule": RULES[settings.consistency][0],
            "options": {f.name: getattr(settings, f.name) for f in options()},
            "target": settings.target if settings.num_updates is None else None,
            "versions": versions,
            "points": self.points,
            "updates": self.updates,
            "gradients": self.gradients,
            "pushes": {str(worker): n for worker, n in sorted(self.pushes.items())},
            "dropped": self.dropped,
        }
        if self.points:
            found["seconds_to_start"] = self.training_began - self.began
            found["seconds"] = self.points[-1]["seconds"]
            found["gradients_per_second"] = self.gradients_per_second
            found["staleness"] = {"mean": self.mean_staleness(), "max": self.stalest}
        return found

    def keep(self):
        """Write the files that the settings ask for; return why one could not be.

        A file is written whole, or not at all.
        """
        said = []
        ways = {
            "json": self.write_record,
            "save": self.write_weights,
            "plot": self.write_picture,
        }
        for option, write in ways.items():
            path = getattr(self.settings, option)
            if not path or not (self.points or option == "json"):
                continue
            part = Path(path).with_stem(f".{Path(path).stem}-part")
            try:
                write(part)
                part.replace(path)
            except Exception as error:  # whatever it is, the table is there
                part.unlink(missing_ok=True)
                said.append(f"--{option}: {error}")
        return said

    def write_record(self, path):
        text = json.dumps(self.record(), indent=1, default=str)
        path.write_text(text + "\n", encoding="utf-8")

    def write_weights(self, path):
        with open(path, "wb") as file:  # by its name it would get another ending
            np.savez(file, **{str(key): w for key, w in self.weights.items()})

    def write_picture(self, path):
        from ps_helpers.lab import plots  # not before: a second

        events = []
        for server, calls in self.calls.items():
            events += plots.events((), calls, server)
        events += plots.events(self.log, slept=self.slept)
        plots.report(self.record(), events).savefig(path, dpi=160)

    def slept(self, push):
        """Return how many seconds of a step its worker slept, as settings said."""
        delays, local = self.settings.delays_of(push.worker), self.settings.local_steps
        steps = range(push.step * local, (push.step + 1) * local)
        return sum(delays[step % len(delays)] for step in steps)


def tell(sentence):
    """Print a sentence beside the progress bar."""
    tqdm.write(f"parameter_server: {sentence}", file=sys.stderr)


def follow(team, run, classifier, test, guess=None):
    """Train until the target accuracy or the number of updates is reached.

    Fills the run as it goes, so that an interrupted run keeps what it reached.
    ``guess`` is the loss of who knows nothing. Raises TrainingError when training
    cannot go on, or after some time has not become better than a guess.
    """
    settings, reached = team.settings, False
    with tqdm(total=settings.num_updates, unit=" updates", desc="starting") as bar:
        for report in team.reports(lambda: run.pause):
            # What is under way at the end still counts, and is not evaluated.
            if reached or not (run.log or report.log):  # or none came since a resume
                continue
            run.add(report, classifier, test)
            run.show_progress(bar)
            if guess is not None:
                run.require_progress(guess)
            if settings.num_updates is None:
                reached = run.accuracy >= settings.target
            if reached:
                team.stop()
    run.calls = team.recorded_calls()
    if not reached and settings.num_updates is None:
        raise TrainingError(
            f"{settings.max_updates} updates did not reach {settings.target}: "
            "try another --learning-rate, a lower --target-accuracy or more "
            "--max-updates."
        )
