"""Tests of models of one's own: the page's programs, and what is refused."""

import importlib.util
import re
from pathlib import Path
from unittest.mock import create_autospec

import numpy as np
import pytest

from ps_helpers import Model, Settings, Synchronous, Team, train_model
from ps_helpers.lab import session
from ps_helpers.own_model import Adapted, worker_task_of

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "site" / "own_model.md").read_text()
PROGRAMS = dict(re.findall(r"\n## (.+?)\n.*?```python\n(.*?)```", PAGE, re.S))
WEIGHTS = {"W": np.zeros((2, 3), np.float32), "b": np.zeros(3, np.float32)}


@pytest.fixture
def printed_by(running_ray, monkeypatch, capsys):
    """Return a function that runs a program, which would start Rays for so many."""
    asked, stop = [], create_autospec(session.stop)

    def note(num_workers, *_):
        asked.append(num_workers)

    start = create_autospec(session.start, side_effect=note)
    monkeypatch.setattr(session, "start", start)
    monkeypatch.setattr(session, "stop", stop)

    def printed_by(name, *rays):
        exec(PROGRAMS[name], {"__name__": "__main__"})
        assert asked == list(rays) and stop.call_count == len(rays)
        return capsys.readouterr().out

    return printed_by


def numbers(text):
    return [float(number) for number in re.findall(r"\d+\.\d*", text)]


def test_programs_are_short_and_readmes_is_the_first_ones_beginning():
    names = ["In NumPy", "From files", "In Keras", "In PyTorch", "Part by part"]
    assert list(PROGRAMS) == names
    assert max(program.count("\n") for program in PROGRAMS.values()) <= 40
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.S)
    [own] = [block for block in blocks if "train_model" in block]
    assert PROGRAMS["In NumPy"].startswith(own) and own.count("\n") == 10


def test_the_program_in_numpy_finds_the_centre_in_every_way(printed_by):
    """By messages, two servers with a rule and an optimizer, and shared memory."""
    printed = printed_by("In NumPy", 4, 4, 4)
    lines = [line for line in printed.splitlines() if line.startswith("[")]
    first, *others = map(numbers, lines)
    assert np.allclose(first, 1.5, atol=0.8)  # asynchronous, and batches differ
    assert len(others) == 2
    for *centre, loss in others:
        assert np.allclose(centre, 1.5, atol=0.6) and loss < 4  # 6.5 at first
    assert "gradients      3200, " in printed  # 200 rounds of 4, 4 steps each


@pytest.mark.parametrize(
    ("name", "library"), [("In Keras", "keras"), ("In PyTorch", "torch")]
)
def test_a_network_of_a_library_learns_digits(name, library, printed_by):
    if not importlib.util.find_spec(library):
        pytest.skip(f"{library} is not installed")
    assert numbers(printed_by(name, 2))[0] >= 0.8


def test_workers_read_files_of_their_own_by_path_or_opened_once(printed_by):
    found = [numbers(line) for line in printed_by("From files", 2, 2).splitlines()]
    assert len(found) == 2 and np.allclose(found, 0.5, atol=0.3)


def test_the_parts_train_with_a_rule_of_ones_own(printed_by):
    *_, last = printed_by("Part by part", 2).splitlines()
    assert last.startswith("200 ") and np.allclose(numbers(last), 0.5, atol=0.3)


# What is refused, in a sentence.


def gradient(weights, batch):
    return {key: np.ones_like(weight) for key, weight in weights.items()}


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (object(), "this is a object"),
        (Model(list(WEIGHTS), gradient), "weights, a dictionary of arrays by key"),
        (Model(WEIGHTS, None), "a function gradient"),
        (lambda: None, "this is a NoneType"),
    ],
)
def test_what_is_no_model_is_told_what_one_has(model, words):
    with pytest.raises(TypeError, match=words):
        Adapted(model)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ([np.zeros((2, 3)), np.zeros(3)], "this one returned list"),
        ({"W": np.zeros((2, 3))}, r"returned \['W'\]"),
        ({"W": np.zeros((2, 3)), "b": np.zeros(4)}, "gradient of b has the shape"),
    ],
)
def test_a_gradient_that_does_not_fit_is_told_so(answer, words):
    adapted = Adapted(Model(WEIGHTS, lambda weights, batch: answer))
    with pytest.raises((TypeError, ValueError), match=words):
        adapted.raw_gradient(list(WEIGHTS.values()), None)


def test_a_gradient_cannot_change_the_weights_that_it_is_given():
    adapted = Adapted(Model(WEIGHTS, gradient))
    with pytest.raises(ValueError, match="read-only"):
        adapted.borrow(np.zeros(3))[0] = 1


@pytest.mark.parametrize(
    ("chosen", "shards", "words"),
    [
        ({"num_updates": 5}, 3, "4 workers need as many shards, not 3"),
        ({}, 4, "set num_updates"),
    ],
)
def test_a_run_that_could_not_end_is_refused(chosen, shards, words):
    with pytest.raises(ValueError, match=words):
        train_model(Model(WEIGHTS, gradient), [None] * shards, Settings(**chosen))


@pytest.mark.parametrize(
    ("weights", "rule", "words"),
    [
        (list(WEIGHTS.values()), None, "weights are a dictionary"),
        (WEIGHTS, Synchronous, "make an object of it: Synchronous"),
    ],
)
def test_a_team_says_what_it_takes(weights, rule, words):
    task = worker_task_of(Model(WEIGHTS, gradient))
    with pytest.raises(TypeError, match=words):
        Team(Settings(), weights, [None] * 4, task, rule)
