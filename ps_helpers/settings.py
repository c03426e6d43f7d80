"""How to train: one object, from which the command line is made."""

import argparse
import math
import os
from dataclasses import dataclass, field, fields
from functools import cached_property
from pathlib import Path
from typing import get_args

import numpy as np

from ps_helpers import __version__
from ps_helpers.compression import WAYS
from ps_helpers.optimizers import Adam, Momentum
from ps_helpers.rules import Asynchronous, StaleSynchronous, Synchronous

OPTIMIZERS = {  # name -> how it is made, and its learning rate for 8×8 pixels
    "sgd": (lambda lr: None, 0.2),
    "momentum": (Momentum, 0.02),
    "adam": (Adam, 0.005),
}
DATA = {  # name -> what part of that rate suits it, and what every model can reach
    "digits": (1, 0.95),
    "mnist": (0.2, 0.9),
    "fashion_mnist": (0.2, 0.8),
}
RULES = {  # name -> what figures call it, and how it is made of settings
    "async": ("asynchronous", lambda s: Asynchronous()),
    "sync": ("synchronous", lambda s: Synchronous(s.num_workers)),
    "ssp": ("stale-synchronous", lambda s: StaleSynchronous(s.team, s.lead)),
    "backup": ("backup workers", lambda s: Synchronous(s.num_workers)),
}
ENDINGS = {"save": (".npz",), "json": (".json",), "plot": (".png", ".svg", ".pdf")}
FILES = """save json compare plot address checkpoint checkpoint_every
    checkpoint_failure resume log_dir""".split()  # options that change no result
SLOW_CHANCE = 0.1  # of a step, with a straggler
IDENTITY = """data model hidden seed optimizer batch_size local_steps num_servers
    num_workers backup_workers consistency lead""".split()
HELP = """
num_workers      how many workers train at the same time
target_accuracy  stop when this share of the test images is classified rightly (default: digits 0.95, mnist 0.9, fashion_mnist 0.8)
num_updates      stop after N updates instead
max_updates      give a target up that is not reached by then
batch_size       images that a gradient is computed from
learning_rate    how far an update goes along its gradient (default: sgd 0.2, momentum 0.02, adam 0.005; a fifth with 28×28 pixels, and with more than four workers that wait for nobody 4 / workers of it)
optimizer        how the servers make an update of a gradient; they keep the state
num_servers      how many servers share the weights out; on a cluster some may be on one node
fast             let arrays lie in memory that the processes of a machine share; on a cluster each node sends the sum of its workers' updates, by sockets
compress         with --fast on several nodes, what a node sends of the sum of its updates: all; half the bytes of each number; the largest number of a hundred (what is not sent is added to the next sum)
local_steps      steps that a worker does on its own before it pushes
outer_rate       what part of the change by local steps is pushed (default: 1 in rounds, whose update is a mean, else 1 / workers)
data             the images to learn; digits need no download
model            softmax regression, one hidden layer, or a small convolutional network
hidden           width of the hidden layer of the mlp
engine           what computes the gradients; numpy starts sooner and needs less memory
seed             start of the random numbers
consistency      who waits for whom: nobody; everybody, in rounds, whose update is the mean of all; those too far ahead of the slowest; everybody, but for the slowest of each round
lead             with ssp, how many pushes a worker may be ahead of the slowest (default: 3)
backup_workers   with backup, how many more workers there are than a round needs (default: 1)
save             write the weights by key to a .npz file, which numpy.load reads
json             write options, versions, learning curve, counts and rates to a .json file
compare          train nothing: draw the runs that --json has kept in FILEs into one --plot
straggler        make every worker slow now and then: one step in ten takes MS milliseconds longer
address          train on the Ray cluster at this address instead of on this machine
checkpoint       save the servers in this folder; when one is killed, all go on from there
checkpoint_every updates between two checkpoints; with 1 no step that was answered is done again
checkpoint_failure  what a server does that cannot save: stop the run, or warn and go on
resume           go on from the newest checkpoint, with the options of the run that was saved
plot             write learning curves and a timeline to a .png, .svg or .pdf file
log_dir          write loss, accuracy, rates, staleness, waiting and workers to this folder as they come, for TensorBoard
"""  # noqa: E501
HELP = dict(line.split(maxsplit=1) for line in HELP.strip().splitlines())


def option(default, low=None, high=math.inf, **more):
    """Return a field that is an option of the script.

    ``more``: its ``choices``, the ``metavar`` of its value, or ``only``: the rule of
    waiting that it belongs to, and its default there.
    """
    return field(default=default, metadata={"low": low, "high": high, **more})


@dataclass(frozen=True)
class Settings:
    """How to train: the options of the script, and what notebooks change of them.

    Raises ValueError, which names the option, for what is out of range or does not
    fit together.
    """

    num_workers: int = option(4, 1, 64)
    target_accuracy: float | None = option(None, 0, 1, metavar="A")
    num_updates: int | None = option(None, 1)
    max_updates: int = option(20_000, 1)
    batch_size: int = option(32, 1, 100_000)
    learning_rate: float | None = option(None, 1e-9, 1000, metavar="R")
    optimizer: str = option("sgd", choices=OPTIMIZERS)
    num_servers: int = option(1, 1, 64)
    fast: bool = option(False)
    compress: str = option("none", choices=WAYS)
    local_steps: int = option(1, 1, 1000, metavar="K")
    outer_rate: float | None = option(None, 1e-9, 1000, metavar="R")
    data: str = option("digits", choices=DATA)
    model: str = option("mlp", choices=("softmax", "mlp", "cnn"))
    hidden: int = option(32, 1, 1_000_000)
    engine: str = option("tensorflow", choices=("tensorflow", "numpy"))
    seed: int = option(0, 0, 2**32 - 1)
    consistency: str = option("async", choices=RULES)
    lead: int | None = option(None, 0, only=("ssp", 3), metavar="S")
    backup_workers: int | None = option(None, 1, 64, only=("backup", 1), metavar="B")
    save: Path | None = option(None, metavar="FILE")
    json: Path | None = option(None, metavar="FILE")
    compare: Path | None = option(None, metavar="FILE", nargs="+")
    straggler: float = option(0, 0, 60_000, metavar="MS")
    address: str | None = option(None, metavar="HOST:PORT")
    checkpoint: Path | None = option(None, metavar="FOLDER")
    checkpoint_every: int = option(100, 1)
    checkpoint_failure: str = option("stop", choices=("stop", "warn"))
    resume: bool = option(False)
    plot: Path | None = option(None, metavar="FILE")
    log_dir: Path | None = option(None, metavar="FOLDER")
    # From here on: no options, for notebooks.
    replace: int = 3  # deaths in a row after which a worker is counted out
    deadline: float = math.inf  # seconds for a step; who takes longer is let go
    delays: object = field(default=None, compare=False)  # seconds by worker and step
    patience: float = 120  # seconds in which something must move

    def __post_init__(self):
        for f in options():
            self.require_option(f)
        for name, endings in ENDINGS.items():
            if getattr(self, name) is not None:
                require_file(name, Path(getattr(self, name)), endings)
        several, local = self.num_servers > 1, self.local_steps > 1
        for reason, conflict in {
            "--fast: one server is enough on one machine; leave --num-servers out": (
                self.fast and several and not self.address
            ),
            "--num-servers: each server might leave out another worker; choose another "
            "--consistency than backup": several and self.consistency == "backup",
            "--compress: it is for what goes between nodes: add --fast and --address": (
                self.compress != "none" and not (self.fast and self.address)
            ),
            "--local-steps: the sum of several steps is no gradient, which "
            f"{self.optimizer} needs; leave --optimizer out": (
                local and self.optimizer != "sgd"
            ),
            "--outer-rate: it belongs to --local-steps; lower --learning-rate": (
                self.outer_rate is not None and not local
            ),
            "--compare: it needs --plot FILE, for the picture": (
                self.compare and not self.plot
            ),
            "--resume: say where the checkpoints are, with --checkpoint FOLDER": (
                self.resume and self.checkpoint is None
            ),
            "--model: the cnn needs --engine tensorflow; NumPy cannot convolve": (
                self.model == "cnn" and self.engine == "numpy"
            ),
        }.items():
            if conflict:
                raise ValueError(reason)

    def require_option(self, f):
        """Raise ValueError for a value out of range; set what belongs to a rule."""
        value, limits = getattr(self, f.name), f.metadata
        if rule := limits.get("only"):
            if value is None:
                value = rule[1] if self.consistency == rule[0] else 0
                object.__setattr__(self, f.name, value)
            elif value and self.consistency != rule[0]:
                raise ValueError(f"{flag(f)}: it belongs to --consistency {rule[0]}")
            if self.consistency != rule[0]:
                return
        if choices := limits.get("choices"):
            if value not in choices:
                raise ValueError(f"{flag(f)}: {value} is none of {', '.join(choices)}")
        elif limits["low"] is not None and value is not None:
            if not limits["low"] <= value <= limits["high"] or value == math.inf:
                raise ValueError(f"{flag(f)}: must be {range_of(f)}, not {value}")

    @property
    def team(self):
        """Return the number of workers, backup workers included."""
        return self.num_workers + self.backup_workers

    @property
    def target(self):
        """Return the accuracy to reach, what every model can where none was chosen."""
        chosen = self.target_accuracy
        return DATA[self.data][1] if chosen is None else chosen

    @property
    def rate(self):
        """Return the learning rate, `usual_rate` where none was chosen."""
        return self.learning_rate or self.usual_rate

    @property
    def usual_rate(self):
        """Return a rate with which the data are learned, as simulated runs were.

        Larger images have larger gradients, and the more workers push without a
        round, the older are the weights that their gradients are of (notebook 02).
        """
        rate = OPTIMIZERS[self.optimizer][1] * DATA[self.data][0]
        alone = self.in_rounds or self.local_steps > 1  # those have their outer rate
        return rate if alone else rate * min(1, 4 / self.num_workers)

    @property
    def in_rounds(self):
        """Return whether an update is the mean of all workers'."""
        return self.consistency in ("sync", "backup")

    @cached_property
    def scale(self):
        """Return by what a gradient is multiplied before it is pushed."""
        return -self.rate if self.optimizer == "sgd" else 1

    @cached_property
    def outer(self):
        """Return by what a worker's change by several local steps is multiplied.

        Rounds take the mean of all workers' changes; where each is added when it
        comes, they would be a sum, as many times as large (Stich, Local SGD converges
        fast and communicates little, 2019, averages them).
        """
        if self.outer_rate is not None:
            return self.outer_rate
        return 1 if self.in_rounds or self.local_steps == 1 else 1 / self.num_workers

    def identity(self):
        """Return, by option, what a run shares with the one that it resumes."""
        own = {flag(f): getattr(self, f.name) for f in options() if f.name in IDENTITY}
        return own | {"--learning-rate": self.rate, "--outer-rate": self.outer}

    def rule(self):
        """Return the rule of waiting that was chosen."""
        return RULES[self.consistency][1](self)

    def make_optimizer(self):
        """Return a new optimizer for a server; None where what is pushed is added."""
        return OPTIMIZERS[self.optimizer][0](self.rate)

    def delays_of(self, worker):
        """Return the seconds that a worker sleeps in its steps, over and over again."""
        if self.delays is not None:
            return self.delays[worker]
        rng = np.random.default_rng([self.seed, worker])
        return (rng.random(1000) < SLOW_CHANCE) * self.straggler / 1000

    def chosen(self):
        """Return the number of workers and all that is no default, as options."""
        found = {f: getattr(self, f.name) for f in options() if f.name not in FILES}
        return " ".join(
            flag(f)
            if value is True
            else f"{flag(f)} {value:g}"
            if isinstance(value, float)
            else f"{flag(f)} {value}"
            for f, value in found.items()
            if f.name == "num_workers" or value not in (f.default, 0)
        )

    @classmethod
    def parse(cls, documentation, arguments=None):
        """Return the settings of a command line; refuse others in one sentence."""
        description, _, detail = (documentation or "").partition("\n")  # python -OO
        parser = Parser(
            prog="parameter_server",
            description=description,
            epilog=detail,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        version = f"%(prog)s {__version__}"
        parser.add_argument("--version", action="version", version=version)
        for f in options():
            parser.add_argument(flag(f), **argument_of(f))
        chosen = vars(parser.parse_args(arguments))
        if {"target_accuracy", "num_updates"} <= chosen.keys():
            parser.error("argument --num-updates: not allowed with --target-accuracy")
        try:
            return cls(**chosen)
        except ValueError as error:
            parser.error(f"argument {error}")


class Parser(argparse.ArgumentParser):
    """An argument parser that refuses in one sentence."""

    def error(self, message):
        self.exit(2, f"{self.prog}: {message}\n")


def options():
    """Return the fields that are options of the script."""
    return [f for f in fields(Settings) if f.name in HELP]


def flag(f):
    """Return the option of the script that sets a field."""
    return "--" + f.name.replace("_", "-")


def kind_of(f):
    """Return the type of a field's values, None left out."""
    return (get_args(f.type) or [f.type])[0]


def range_of(f):
    """Return in words which numbers an option may be."""
    low, high = f.metadata["low"], f.metadata["high"]
    noun = "a whole number" if kind_of(f) is int else "a number"
    limits = f"of {low} or more" if high == math.inf else f"from {low} to {high}"
    return f"{noun} {limits}"


def argument_of(f):
    """Return what argparse is told of an option."""
    told = {"help": HELP[f.name], "default": argparse.SUPPRESS}
    if f.default is False:
        return told | {"action": "store_true"}
    if f.default is not None:
        told["help"] += f" (default: {f.default})"
    if choices := f.metadata.get("choices"):
        return told | {"choices": choices}

    def parse(text):
        try:
            return kind_of(f)(text)
        except ValueError:
            message = f"must be {range_of(f)}, not {text}"
            raise argparse.ArgumentTypeError(message) from None

    told |= {"type": parse, "nargs": f.metadata.get("nargs")}
    return told | {"metavar": f.metadata.get("metavar", "N")}


def require_file(name, path, endings):
    """Raise ValueError unless such a file can be written to this path."""
    if path.suffix.lower() not in endings:
        *others, last = endings
        listed = f"{', '.join(others)} or {last}" if others else last
        raise ValueError(f"--{name}: {path} must end in {listed}")
    if not path.parent.is_dir():
        raise ValueError(f"--{name}: there is no folder {path.parent}")
    if path.is_dir() or not os.access(path.parent, os.W_OK):
        raise ValueError(f"--{name}: {path} cannot be written")
