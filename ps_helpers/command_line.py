"""The options of the script, each refused early and in one sentence."""

import argparse
import os
from pathlib import Path

from ps_helpers import rules
from ps_helpers.lab import data, model

# Option -> the rule that it belongs to, and its default there.
OF_ONE_RULE = {"staleness": ("ssp", 3), "backup_workers": ("backup", 1)}
LEARNING_RATES = {"sgd": 0.2, "momentum": 0.02, "adam": 0.005}


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


def parse(documentation, arguments=None):
    """Return the options of the command line; refuse those that do not fit together."""
    parser = make_parser(documentation)
    options = parser.parse_args(arguments)
    for option, (rule, default) in OF_ONE_RULE.items():
        chosen = options.consistency == rule
        if getattr(options, option) is None:
            setattr(options, option, default if chosen else 0)
        elif not chosen:
            name = "--" + option.replace("_", "-")
            parser.error(f"argument {name}: it belongs to --consistency {rule}")
    if options.learning_rate is None:
        options.learning_rate = LEARNING_RATES[options.optimizer]
    for conflict, reason in (
        (
            options.fast and options.address,
            "--fast: processes share memory on one machine only; leave --address out",
        ),
        (
            options.fast and options.num_servers > 1,
            "--fast: one server is enough on one machine; leave --num-servers out",
        ),
        (
            options.num_servers > 1 and options.consistency == "backup",
            "--num-servers: each server might leave out another worker; choose "
            "another --consistency than backup",
        ),
        (
            options.local_steps > 1 and options.optimizer != "sgd",
            "--local-steps: the sum of several steps is no gradient, which "
            f"{options.optimizer} needs; leave --optimizer out",
        ),
    ):
        if conflict:
            parser.error(f"argument {reason}")
    if options.num_updates is not None:
        options.target_accuracy = float("inf")  # only the number of updates stops it
    return options


def make_parser(documentation):
    """Return the parser of the command line."""
    description, _, detail = documentation.partition("\n")
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
        metavar="R",
        help="how far an update goes along its gradient (default: 0.2; momentum "
        "0.02, adam 0.005)",
    )
    add(
        "--optimizer",
        choices=LEARNING_RATES,
        default="sgd",
        help="how the servers make an update of a gradient; they keep the state "
        "(default: sgd, without state)",
    )
    add(
        "--num-servers",
        type=number(int, 1, 64),
        default=1,
        metavar="N",
        help="how many servers share the weights out among them (default: 1)",
    )
    add(
        "--fast",
        action="store_true",
        help="let weights and updates travel through memory that the processes of "
        "this machine share",
    )
    add(
        "--local-steps",
        type=number(int, 1, 1000),
        default=1,
        metavar="K",
        help="steps that a worker does on its own before it pushes (default: 1)",
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
        "--consistency",
        choices=rules.NAMES,
        default="async",
        help="who waits for whom: nobody; everybody, in rounds, whose update is the "
        "mean of all; those too far ahead of the slowest; everybody, but for the "
        "slowest of each round (default: async)",
    )
    add(
        "--staleness",
        type=number(int, 0),
        metavar="S",
        help="with ssp, how many steps a worker may lead the slowest by (default: 3)",
    )
    add(
        "--backup-workers",
        type=number(int, 1, 64),
        metavar="B",
        help="with backup, how many more workers there are than a round needs "
        "(default: 1)",
    )
    add(
        "--straggler",
        type=number(float, 0, 60_000),
        default=0,
        metavar="MS",
        help="make every worker slow now and then: one step in ten takes MS "
        "milliseconds longer (default: 0)",
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
