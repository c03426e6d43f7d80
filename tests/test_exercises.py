"""Tests of how answers to exercises are judged, and that no exercise is forgotten.

The wrong and right answers stand in the modules test_exercises_*.py. They use the
helpers that come first here.
"""

import ast
import importlib
import re
import sys
import threading
import time
from pathlib import Path

import nbformat
import pytest

from ps_helpers import checks
from ps_helpers.checks import verdict as engine
from ps_helpers.checks.verdict import NotYet, require, verdict
from ps_helpers.tools.student_notebooks import without_solutions

TEACHER = Path(__file__).parent.parent / "notebooks" / "teacher"


class Answers:
    """A collection of wrong and right answers to exercises."""

    def __init__(self):
        self.wrong_answers, self.right_answers = [], []

    def wrong(self, exercise, mistake, words):
        """Register an answer with a mistake; the reason must contain the words."""

        def register(answer):
            row = exercise, renamed(answer, exercise), words
            self.wrong_answers.append(pytest.param(*row, id=f"{exercise}: {mistake}"))

        return register

    def right(self, exercise, variant):
        """Register an answer that must pass."""

        def register(answer):
            row = exercise, renamed(answer, exercise)
            self.right_answers.append(pytest.param(*row, id=f"{exercise}: {variant}"))

        return register

    def exercises(self):
        return sorted({row.values[0] for row in self.wrong_answers})

    def every_wrong(self):
        return pytest.mark.parametrize("exercise, answer, words", self.wrong_answers)

    def every_right(self):
        return pytest.mark.parametrize("exercise, answer", self.right_answers)

    def every_exercise(self):
        return pytest.mark.parametrize("exercise", self.exercises())

    def tests(self, junk):
        """Return the tests of these answers, and of returning junk, as a class."""
        names = [type(value).__name__ for value in junk]

        class Tests:
            @self.every_wrong()
            def test_a_wrong_answer_is_refused_with_its_reason(
                self, exercise, answer, words
            ):
                assert_refused(answer, words)

            @self.every_right()
            def test_a_right_answer_passes(self, exercise, answer):
                assert verdict(answer) == "passed"

            @self.every_exercise()
            def test_the_teachers_solution_passes(self, exercise):
                assert verdict(answer_of_the_teacher(exercise)) == "passed"

            @self.every_exercise()
            def test_the_stub_is_not_attempted_yet(self, exercise):
                stub = answer_of_the_teacher(exercise, without_solutions)
                assert verdict(stub) == "not attempted yet"

            @pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")
            @pytest.mark.parametrize("value", junk, ids=names)
            @self.every_exercise()
            def test_whatever_an_answer_returns_the_check_explains_it(
                self, exercise, value
            ):
                assert_junk_is_refused(exercise, value)

        return Tests


def renamed(answer, name):
    answer.__name__ = answer.__qualname__ = name
    return answer


def reason(answer):
    """Return why an answer is refused: one sentence that fits under a cell."""
    text = verdict(answer)
    assert text.startswith("not yet: ")
    sentence = text.removeprefix("not yet: ")
    assert len(sentence) <= 200 and "\n" not in sentence
    if not sentence.startswith("it raised"):
        assert sentence[0] == sentence[0].lower() and sentence[-1] != "."
        assert not re.search(r"[.!?] [A-Z]", sentence)
    return sentence


def assert_refused(answer, words):
    """Assert that an answer is refused for a reason that has these words."""
    sentence = reason(answer)
    assert words in sentence
    assert sentence.startswith("it raised") == words.startswith("it raised")


def assert_junk_is_refused(exercise, value):
    """Assert that a check does not stumble over what an answer returns."""
    answer = renamed(lambda *_: value, exercise)
    assert "raised" not in reason(answer)


def notebooks():
    """Return the sources of the code cells of each teacher's notebook."""
    found = [nbformat.read(path, 4) for path in sorted(TEACHER.glob("*.ipynb"))]
    return [
        [cell.source for cell in notebook.cells if cell.cell_type == "code"]
        for notebook in found
    ]


def exercises_of_the_notebooks():
    sources = "\n".join(sum(notebooks(), []))
    return re.findall(r"^check\((\w+)\)", sources, re.MULTILINE)


def answer_of_the_teacher(exercise, change=lambda source: source):
    """Run the cell with an exercise's solution; return what it defines.

    The cell may be changed first. It sees those imports of its notebook that it uses.
    """
    for sources in notebooks():
        for source in sources:
            definition = re.search(rf"^(def|class) {exercise}\b", source, re.MULTILINE)
            if definition and "### BEGIN SOLUTION" in source:
                namespace = {"__name__": "__main__"}
                for line in imports_used(sources, source):
                    exec(line, namespace)
                exec(change(source), namespace)
                return namespace[exercise]
    raise LookupError(exercise)


def imports_used(sources, source):
    """Return the imports of some cells whose names occur in a source."""
    nodes = [node for cell in sources for node in ast.parse(cell).body]
    imports = [n for n in nodes if isinstance(n, ast.Import | ast.ImportFrom)]
    return [
        ast.unparse(node)
        for node in imports
        if any(re.search(rf"\b{a.asname or a.name}\b", source) for a in node.names)
    ]


# Every exercise has answers, wrong and right.


def all_answers():
    names = sorted(path.stem for path in Path(__file__).parent.glob("test_exercises_*"))
    return [importlib.import_module(name).answers for name in names]


def test_every_exercise_of_the_notebooks_has_a_check():
    exercises = exercises_of_the_notebooks()
    assert len(exercises) == len(set(exercises)) >= 13
    for module in engine.MODULES:
        importlib.import_module(f"ps_helpers.checks.{module}")
    assert set(exercises) == set(engine.EXERCISES)


@pytest.mark.parametrize("exercise", exercises_of_the_notebooks())
def test_every_exercise_of_the_notebooks_has_enough_answers(exercise):
    wrong = [row.id for a in all_answers() for row in a.wrong_answers]
    right = [row.id for a in all_answers() for row in a.right_answers]
    assert len([i for i in wrong if i.startswith(f"{exercise}: ")]) >= 5
    assert len([i for i in right if i.startswith(f"{exercise}: ")]) >= 3


# The verdicts, whatever the answer is.


def count_messages(num_workers, num_steps):
    return 2 * num_workers * num_steps


def that_raises(error):
    """Return an answer to the first exercise that raises an error."""

    def raises(num_workers, num_steps):
        raise error

    return renamed(raises, "count_messages")


def test_check_prints_the_name_and_the_verdict(capsys):
    assert checks.check(count_messages) is None
    assert capsys.readouterr().out == "count_messages: passed\n"


def test_a_stub_is_not_attempted_yet():
    def stub(num_workers, num_steps):
        """Return how many calls of pull and push reach the server."""
        # YOUR CODE HERE
        raise NotImplementedError

    assert verdict(renamed(stub, "count_messages")) == "not attempted yet"


def test_an_answer_above_the_line_of_the_stub_is_told_to_delete_it():
    def forgetful(num_workers, num_steps):
        calls = 2 * num_workers * num_steps
        print(calls)
        raise NotImplementedError

    assert_refused(renamed(forgetful, "count_messages"), "raise NotImplementedError")


class Mute(Exception):
    def __str__(self):
        raise RuntimeError("no text")


@pytest.mark.parametrize(
    "error, shown",
    [
        (TypeError("can't add"), "it raised TypeError: can't add"),
        (KeyError("W1"), "it raised KeyError: 'W1'"),
        (ValueError("one\ntwo"), "it raised ValueError: one"),
        (AssertionError(), "it raised AssertionError"),
        (ValueError("long " * 1000), "it raised ValueError: long long"),
        (SystemExit(3), "it raised SystemExit: 3"),
        (RecursionError("too deep"), "it raised RecursionError: too deep"),
        (Mute(), "it raised Mute"),
        (ExceptionGroup("two", [ValueError(1)]), "it raised ExceptionGroup: two"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_an_answer_that_raises_is_told_what(error, shown):
    assert reason(that_raises(error)).startswith(shown)


def test_an_error_that_ray_has_wrapped_is_unwrapped():
    wrapper = RuntimeError("ray::push_ones() (pid=1)\n a page of traceback")
    wrapper.cause = KeyError("W1")
    assert reason(that_raises(wrapper)) == "it raised KeyError: 'W1'"
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


@pytest.mark.parametrize(
    "answer", [None, 80, "count_messages", [count_messages], Unspeakable(), sys, ...]
)
def test_what_is_no_function_is_explained(answer, capsys):
    assert_refused(answer, "the function itself")
    checks.check(answer)
    assert "not yet: give check the function itself" in capsys.readouterr().out


def test_a_class_is_judged_by_what_a_call_of_it_gives():
    class Answer:
        def __init__(self, num_workers, num_steps):
            pass

    assert_refused(renamed(Answer, "count_messages"), "return one number")
    plain = type("count_messages", (), {})
    assert_refused(plain, "it raised TypeError")


def test_a_remote_function_is_explained():
    class Decorated:
        remote = None

    assert_refused(Decorated(), "leave @ray.remote out")


def shorten_time_limits(monkeypatch):
    limit = engine.time_limit
    monkeypatch.setattr(engine, "time_limit", lambda seconds: limit(0.2))


@pytest.mark.parametrize("sleeps", [True, False], ids=["waits", "computes"])
def test_an_answer_without_end_is_interrupted(sleeps, monkeypatch):
    shorten_time_limits(monkeypatch)

    def endless(num_workers, num_steps):
        while True:
            try:
                time.sleep(60 if sleeps else 0)
            except Exception:
                pass

    assert_refused(renamed(endless, "count_messages"), "it loops for ever")
    assert verdict(count_messages) == "passed"


def test_an_answer_that_prints_without_end_is_interrupted(monkeypatch, capsys):
    shorten_time_limits(monkeypatch)

    def endless(num_workers, num_steps):
        while True:
            print(num_workers)

    assert_refused(renamed(endless, "count_messages"), "it loops for ever")


def test_an_answer_is_judged_outside_the_main_thread_too():
    found = []
    thread = threading.Thread(target=lambda: found.append(verdict(count_messages)))
    thread.start()
    thread.join()
    assert found == ["passed"]


def test_a_check_may_refuse_only_with_a_reason():
    require(True, "never shown")
    with pytest.raises(NotYet, match="you forgot it"):
        require(False, "you forgot it")
