"""Tests of how answers to exercises are judged, and that no exercise is forgotten.

The wrong and right answers are in the modules test_answers_*.py.
"""

import contextlib
import importlib
import itertools
import os
import sys
import threading
import time

import nbformat
import numpy as np
import pytest
from answers import assert_refused, exercises_of_the_notebooks, reason, renamed
from nbclient import NotebookClient

from ps_helpers import checks
from ps_helpers.checks import verdict as engine
from ps_helpers.checks.tables import TABLES, Table, play
from ps_helpers.checks.verdict import NotYet, number, put_back, verdict


def test_every_exercise_of_the_notebooks_has_a_check():
    exercises = exercises_of_the_notebooks()
    assert len(exercises) >= 13
    for module in engine.MODULES:
        importlib.import_module(f"ps_helpers.checks.{module}")
    assert set(exercises) == set(engine.EXERCISES)
    for exercise in TABLES.values():
        assert len(exercise.mistakes) >= 5 and len(exercise.calls) >= 5


# The verdicts, whatever the answer is.


def count_calls(num_workers, num_steps):
    return 2 * num_workers * num_steps


def that_raises(error):
    """Return an answer to the first exercise that raises an error."""

    def raises(num_workers, num_steps):
        raise error

    return renamed(raises, "count_calls")


def test_an_answer_above_the_line_of_the_stub_is_told_to_delete_it():
    def forgetful(num_workers, num_steps):
        calls = 2 * num_workers * num_steps
        print(calls)
        raise NotImplementedError

    assert_refused(renamed(forgetful, "count_calls"), "raise NotImplementedError")


class Mute(Exception):
    def __str__(self):
        raise RuntimeError("no text")


@pytest.mark.parametrize(
    "error",
    [
        KeyError("W1"),
        SystemExit(3),
        Mute(),
        ExceptionGroup("two", [ValueError(1)]),
        NotImplementedError("a NumPy function may raise this"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_an_answer_that_raises_is_told_what_and_where(error):
    def raises(num_workers, num_steps):
        return 1 + fails()

    def fails():
        raise error

    raises.__code__ = raises.__code__.replace(co_filename=__file__)
    fails.__code__ = fails.__code__.replace(co_filename="elsewhere")
    found = reason(renamed(raises, "count_calls"))
    assert f"stops with {type(error).__name__} in the line return 1 + fails()" in found
    assert "W1" not in found


def test_an_error_that_ray_has_wrapped_is_unwrapped():
    wrapper = RuntimeError("ray::push_ones() (pid=1)\n a page of traceback")
    wrapper.cause = KeyError("W1")
    assert reason(that_raises(wrapper)).endswith("stops with KeyError")
    wrapper.cause = NotYet("you forgot the keys")
    assert reason(that_raises(wrapper)) == "you forgot the keys"


def test_the_reader_can_interrupt_a_check():
    with pytest.raises(KeyboardInterrupt):
        checks.check(that_raises(KeyboardInterrupt()))


def test_an_unknown_name_is_explained():
    def count_mesages(num_workers, num_steps):
        return 2 * num_workers * num_steps

    assert_refused(count_mesages, "no exercise is called count_mesages")
    assert_refused(lambda workers, steps: 80, "no exercise is called <lambda>")


class Unspeakable:
    def __repr__(self):
        raise RuntimeError("no text")


@pytest.mark.parametrize("answer", [None, "count_calls", Unspeakable(), sys])
def test_what_is_no_function_is_explained(answer, capsys):
    assert_refused(answer, "the function itself")
    checks.check(answer)
    assert "not yet: give check the function itself" in capsys.readouterr().out


def test_a_class_is_judged_by_what_a_call_of_it_gives():
    class Answer:
        def __init__(self, num_workers, num_steps):
            pass

    assert_refused(renamed(Answer, "count_calls"), "return one number")
    plain = type("count_calls", (), {})
    assert_refused(plain, "stops with TypeError")


@pytest.mark.parametrize("sleeps", [True, False], ids=["waits", "computes"])
@pytest.mark.parametrize("swallows", [Exception, BaseException])
def test_an_answer_without_end_is_interrupted(sleeps, swallows, short_time_limit):
    short_time_limit()

    def endless(num_workers, num_steps):
        while True:
            try:
                time.sleep(60 if sleeps else 0)
            except swallows:
                pass

    assert_refused(renamed(endless, "count_calls"), "it loops for ever")
    assert verdict(count_calls) == "passed"


def test_an_answer_that_prints_without_end_is_refused_for_that(capsys):
    def endless(num_workers, num_steps):
        while True:
            print(num_workers)

    assert_refused(renamed(endless, "count_calls"), "it prints without end")
    assert len(capsys.readouterr().out) < 5_000


def test_what_an_answer_changes_elsewhere_is_put_back(monkeypatch):
    def spoils(num_workers, num_steps):
        np.random.seed(0)
        np.random.default_rng = np.mean = None
        os.chdir("/")
        return 2 * num_workers * num_steps

    before = np.random.get_state()[1].tolist(), os.getcwd(), np.random.default_rng
    monkeypatch.setattr(np, "sum", None)  # as a cell with an answer may
    assert verdict(renamed(spoils, "count_calls")) == "passed"
    after = np.random.get_state()[1].tolist(), os.getcwd(), np.random.default_rng
    assert before == after
    assert np.mean([1, 2]) == 1.5 and np.sum([1, 2]) == 3


def test_under_a_grader_no_text_reaches_standard_error(monkeypatch, capfd):
    def loud(num_workers, num_steps):
        os.write(2, b"native")
        print("python", file=sys.stderr)
        return 2 * num_workers * num_steps

    monkeypatch.setenv("NBGRADER_EXECUTION", "autograde")
    checks.check(renamed(loud, "count_calls"))
    assert capfd.readouterr().err == ""
    os.write(2, b"after")
    assert capfd.readouterr().err == "after"


def test_an_answer_is_judged_outside_the_main_thread_too():
    found = []
    thread = threading.Thread(target=lambda: found.append(verdict(count_calls)))
    thread.start()
    thread.join()
    assert found == ["passed"]


# Tables.


class Counter:
    def __init__(self, start):
        self.count = start

    def add(self, number):
        self.count += number
        return self.count


COUNTER = Table(
    Counter,
    calls=[((2,), [("add", 3), ("add", -0.5)]), ((-1,), [("add", 1)] * 12)],
    returns=list,
    run=play,
    mistakes={
        "begin with the start": "= start → = 0",
        "return the sum, not what was added": "return self.count → return number",
    },
)


def test_a_class_is_judged_by_what_its_methods_return():
    COUNTER.judge(Counter)
    for reason_of_it, mistake in COUNTER.wrong_answers():
        with pytest.raises(NotYet, match=reason_of_it):
            COUNTER.judge(mistake)
    with pytest.raises(NotYet, match="keep it a class with the method add"):
        COUNTER.judge(type("Counter", (), {"__init__": lambda self, start: None}))
    twice = type("Counter", (Counter,), {"add": lambda s, n: Counter.add(s, 2 * n)})
    with pytest.raises(NotYet) as error:
        COUNTER.judge(twice)
    assert str(error.value) == (
        "entry 0 of Counter(2), then add(3), add(-0.5) is 5, not 8"
    )


def halved(x):
    return x / 2


def test_errors_alone_prove_no_mistake():
    fails = {"you divided by 0": lambda x: x // 0}
    table = Table(halved, calls=[(1.5,), (2,)], returns=number, mistakes=fails)
    with pytest.raises(NotYet, match=r"halved\(2\) stops with ZeroDivisionError"):
        table.judge(lambda x: x % 0)


def joined(first, second):
    return [*first, *second]


@pytest.mark.parametrize("place, name", [(0, "first"), (1, "second")])
def test_an_argument_that_an_answer_changes_is_named(place, name):
    def changes(*arguments):
        result = [part.copy() for part in joined(*arguments)]
        arguments[place][0] *= 2
        return result

    row = [np.ones(2)], [np.ones(3)]
    table = Table(joined, calls=[row], returns=list, mistakes={})
    with pytest.raises(NotYet, match=f"it changed its argument {name};"):
        table.judge(changes)


# Under a grader


def graded(monkeypatch, capsys, answer):
    """Return the last line that a check prints while nbgrader runs it."""
    monkeypatch.setenv("NBGRADER_EXECUTION", "autograde")
    monkeypatch.setattr(engine, "APART", 5)
    monkeypatch.delitem(sys.modules, "tensorflow", raising=False)
    monkeypatch.delitem(sys.modules, "ray", raising=False)
    with contextlib.suppress(AssertionError):
        checks.check(renamed(answer, "count_calls"))
    return capsys.readouterr().out.splitlines()


def prints(workers, steps):
    print("at work")
    return count_calls(workers, steps)


def swallows(workers, steps):
    while True:
        try:
            while True:
                try:
                    sum(itertools.count())  # which sees no interrupt
                except BaseException:
                    continue
        except BaseException:
            continue


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (swallows, "not yet: it was killed"),
        (
            lambda workers, steps: os.kill(os.getpid(), 9),
            "not yet: it ends the whole process",
        ),
        (lambda workers, steps: os._exit(0), "not yet: it ends the whole process"),
        (lambda workers, steps: 0, "not yet: "),
        (prints, "passed"),
    ],
)
def test_an_answer_under_a_grader_costs_itself_alone(
    monkeypatch, capsys, answer, reason
):
    *printed, line = graded(monkeypatch, capsys, answer)
    assert line.startswith(f"count_calls: {reason}")
    assert ("at work" in printed) == (answer is prints)


def test_a_cell_that_defines_check_anew_changes_no_other():
    names = {"check": print, "push": 1}
    put_back(names)
    assert names == {"check": checks.check, "push": 1}
    put_back(empty := {})
    assert not empty
    cells = ["from ps_helpers.checks import check\ndef check(_): print('fine')"]
    cells.append("check(1)")
    book = nbformat.v4.new_notebook(cells=list(map(nbformat.v4.new_code_cell, cells)))
    NotebookClient(book, kernel_name="python3").execute()
    assert "give check the function itself" in book.cells[1].outputs[0].text
