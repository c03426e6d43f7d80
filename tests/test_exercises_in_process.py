"""Helpers of the old lists of answers to the exercises of notebooks 03 to 06b."""

import re
import signal

import pytest
from answers import answer_of_the_teacher, assert_refused, junk, reason, renamed

from ps_helpers.checks.verdict import verdict
from ps_helpers.tools.student_notebooks import without_solutions

JUNK = junk()


def assert_junk_is_refused(exercise, value):
    """Assert that a check does not stumble over what an answer returns."""
    answer = renamed(lambda *_: value, exercise)
    assert "stops with" not in reason(answer)


def shorten_time_limits(monkeypatch):
    set_timer = signal.setitimer
    monkeypatch.setattr(
        signal, "setitimer", lambda which, s, *_: set_timer(which, s / 20, 0.05)
    )


class Answers:
    """A collection of wrong and right answers to exercises."""

    def __init__(self):
        self.wrong_answers, self.right_answers = [], []

    def wrong(self, exercise, mistake, words):
        """Register an answer with a mistake; the reason must contain the words."""

        def register(answer):
            words_now = re.sub(r"it raised (\w+).*", r"stops with \1", words)
            row = exercise, renamed(answer, exercise), words_now
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
