"""What was measured before; `make bench` writes benchmark.json beside this file."""

import json
from pathlib import Path

import numpy as np

FILE = Path(__file__).with_name("benchmark.json")


def stored(name="benchmark"):
    """Return what `make bench` has stored: rates and more, links or predictions."""
    return json.loads(FILE.with_name(f"{name}.json").read_text(encoding="utf-8"))


def step_times():
    """Return the seconds of 1,200 equal gradients, an array.

    Two processes computed them on two cores that other programs used as well.
    """
    text = FILE.with_name("step_times.json").read_text(encoding="utf-8")
    return np.array(json.loads(text)) / 1e6
