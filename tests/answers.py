"""What the tests of answers to exercises share.

The test module of a part of the exercises lists answers and says

    TestAnswers = all_tests_of(REFUSED, RIGHT, one_process)

with the module, or the modules, that have their checks. Both lists are by exercise.
An answer is a function or a class; or a text, what the exercise is to return; or two
texts, old and new: the teacher's solution with one text replaced. One that is to be
refused is followed by words of its reason. A mistake that is in a check's table need
not be repeated. Mistakes that any answer can make, and junk, are tried in loops; and
every reason in the checks' source must be given to some answer.
"""

import ast
import contextlib
import functools
import itertools
import math
import re
import traceback
from pathlib import Path
from unittest import mock

import nbformat
import numpy as np
import pytest

from ps_helpers.checks import tables, verdict
from ps_helpers.tools.student_notebooks import without_solutions

TEACHER = Path(__file__).parent.parent / "notebooks" / "teacher"
PYTHONS_WORDS = "some text of Python"
STUB = "    ### BEGIN SOLUTION\n"


def renamed(answer, name):
    answer.__name__ = answer.__qualname__ = name
    return answer


@functools.cache
def judged(answer):
    """Return the verdict on an answer, and the line of the checks that refuses it.

    Each is judged once, and then asked for both: on Ray that takes seconds.
    """
    with mock.patch.object(verdict, "refusal", wraps=verdict.refusal) as refusal:
        found = verdict.verdict(answer)
    frames = [
        (Path(frame.f_code.co_filename).name, line)
        for call in refusal.call_args_list
        for frame, line in traceback.walk_tb(call.args[1].__traceback__)
        if frame.f_code.co_name != "require"
    ]
    return found, frames[-1] if frames else None


def reason(answer):
    """Return why an answer is refused: one sentence that fits under a cell."""
    text, _ = judged(answer)
    assert text.startswith("not yet: "), text
    sentence = text.removeprefix("not yet: ")
    assert len(sentence) <= 200 and "\n" not in sentence
    if "stops with" not in sentence:
        assert sentence[0] == sentence[0].lower() or "(" in sentence
        assert sentence[-1] != "." and not re.search(r"[!?] [A-Z]", sentence)
    assert not re.search(r"(\S+), not \1$", sentence), sentence
    return sentence


def assert_refused(answer, words):
    """Assert that an answer is refused for a reason that has these words."""
    sentence = reason(answer)
    assert words in sentence, sentence
    assert ("stops with" in sentence) == ("stops with" in words), sentence


# What the teacher's notebooks have.


@functools.cache
def exercises_of_the_notebooks():
    """Return, by exercise, the cell with its solution and its notebook's imports."""
    found = {}
    for path in sorted(TEACHER.glob("*.ipynb")):
        cells = nbformat.read(path, 4).cells
        sources = [cell.source for cell in cells if cell.cell_type == "code"]
        nodes = [node for source in sources for node in ast.parse(source).body]
        imports = [n for n in nodes if isinstance(n, ast.Import | ast.ImportFrom)]
        for source, check in itertools.pairwise(sources):
            for name in re.findall(r"^check\((\w+)\)", check, re.MULTILINE):
                assert name not in found
                found[name] = source, imports
    return found


def answer_of_the_teacher(exercise, change=lambda source: source):
    """Run the cell with an exercise's solution; return what it defines.

    The cell may be changed first. It sees those imports of its notebook that it uses.
    """
    source, imports = exercises_of_the_notebooks()[exercise]
    namespace, source = {"__name__": "__main__"}, change(source)
    for node in imports:
        if any(re.search(rf"\b{a.asname or a.name}\b", source) for a in node.names):
            exec(ast.unparse(node), namespace)
    exec(source, namespace)
    return namespace[exercise]


@functools.cache
def made(exercise, answer, new=None):
    """Return an answer: itself, or the teacher's with all or a part of it replaced."""
    if not isinstance(answer, str):
        return renamed(answer, exercise)

    def change(source):
        head, solution = source.split(STUB)
        if new is None:
            return f"{head}    return {answer}"
        assert solution.count(answer) == 1, f"{answer!r} is not once in {exercise}"
        return head.rstrip(" ") + solution.replace(answer, new)

    return answer_of_the_teacher(exercise, change)


# Mistakes that any answer can make.

WORDS = {  # of the reason that a mistake gets
    "prints": "returned nothing|not nothing|return True or False|return a dictionary",
    "changes_its_arguments": "changed",
    "never_ends": "loops for ever",
}


def generic_mistakes(right):
    """Return eight wrong variants of a right answer, by name, and who made a mistake.

    A variant can be right by accident: one that prints what it should return, where
    nothing is to be returned. Who did something wrong is noted in the set.
    """
    first, guilty = [], set()

    def prints(*arguments):
        if right(*arguments) is not None:
            guilty.add("prints")

    def returns_a_text(*arguments):
        if (result := right(*arguments)) is not None:
            guilty.add("returns_a_text")
            return str(result)

    def returns_a_generator(*arguments):
        if (result := right(*arguments)) is not None:
            guilty.add("returns_a_generator")
            return (part for part in [result])

    def changes_its_arguments(*arguments):
        result = right(*arguments)
        for part in arguments:
            if isinstance(part, list | dict) and part:
                guilty.add("changes_its_arguments")
                part.clear()
            if isinstance(part, np.ndarray):
                guilty.add("changes_its_arguments")
                part *= 0
        return result

    def returns_its_first_result(*arguments):
        first.append(right(*arguments))
        if not tables.same(first[0], first[-1]):
            guilty.add("returns_its_first_result")
        return first[0]

    def does_nothing(*arguments):
        guilty.add("does_nothing")

    def raises(*arguments):
        guilty.add("raises")
        raise ValueError(PYTHONS_WORDS)

    def never_ends(*arguments):
        guilty.add("never_ends")
        while True:
            with contextlib.suppress(BaseException):
                print(end="")

    made = [prints, returns_a_text, returns_a_generator, changes_its_arguments]
    made += [returns_its_first_result, does_nothing, raises, never_ends]
    return {variant.__name__: variant for variant in made}, guilty


def task_of(answer):
    """Return the function that is to be written: a class has one such method."""
    if not isinstance(answer, type):
        return answer
    [method] = [part for name, part in vars(answer).items() if name[0] != "_"]
    return method


def instead(right, function):
    """Return a right answer with a function in the place of its own."""
    if not isinstance(right, type):
        return renamed(function, right.__name__)
    return type(right.__name__, (right,), {task_of(right).__name__: function})


def generic_mistakes_of(exercise):
    """Return the variants of the teacher's answer; of a class, those of its method."""
    right = answer_of_the_teacher(exercise)
    found, guilty = generic_mistakes(task_of(right))
    return {name: instead(right, variant) for name, variant in found.items()}, guilty


def junk():
    """Return what no answer should return, made anew: some of it can be used once."""
    endless = []
    endless.append(endless)
    found = [None, 0, -1.5, math.nan, math.inf, True, 1j, 10**400, "text", b""]
    found += [object(), len, int, ..., iter([]), itertools.count(), range(3), math]
    found += [[], (), {}, set(), [None], [None] * 2, [None] * 3, ["W", "b"], "Wb"]
    found += [endless, [[], []], [[1, 2], [3]], [{}, {}], [[[1], [2]]] * 3]
    found += [np.array(None), np.zeros(3), np.zeros((2, 2)), np.array(["a", "b"])]
    found += [[np.zeros(2), None], [np.full((64, 10), math.nan), np.zeros(10)]]
    found += [[(np.zeros((4, 2)), np.full(4, math.nan))] * 3, np.ma.masked, [math.nan]]
    return [*found, [("W", 1)] * 2, [math.nan] * 6]


@functools.cache
def junk_of(exercise):
    """Return an answer, or a class with such a method, for each piece of junk."""
    right = answer_of_the_teacher(exercise)
    places = range(len(junk()))
    return [instead(right, lambda *_, place=p: junk()[place]) for p in places]


# Which reasons are given.


def reasons_of(module):
    """Return where a module refuses answers: (file, line) of each such place."""
    path = Path(module.__file__)
    return {
        (path.name, node.lineno)
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id in ("require", "NotYet")
    }


def all_tests_of(refused, right, *modules):
    """Return the tests of all answers to the exercises of some modules of checks."""
    decorated = {
        node.name
        for module in modules
        for node in ast.parse(Path(module.__file__).read_text()).body
        if getattr(node, "decorator_list", None)
    }
    exercises = [n for n in exercises_of_the_notebooks() if n in decorated]
    assert set(refused) == set(right) == set(exercises)
    every_exercise = pytest.mark.parametrize("exercise", exercises)
    own = {name: tables.TABLES[name] for name in exercises if name in tables.TABLES}
    wrong = [(name, how, words) for name in refused for *how, words in refused[name]]
    fine = [(n, a if isinstance(a, tuple) else (a,)) for n in right for a in right[n]]

    class Tests:
        @pytest.mark.parametrize("exercise, how, words", wrong)
        def test_a_wrong_answer_is_refused_with_its_reason(self, exercise, how, words):
            assert_refused(made(exercise, *how), words)

        @pytest.mark.parametrize("exercise, how", fine)
        def test_a_right_answer_passes(self, exercise, how):
            assert verdict.verdict(made(exercise, *how)) == "passed"

        @every_exercise
        def test_the_teachers_solution_passes_and_the_stub_is_not_attempted(
            self, exercise
        ):
            assert verdict.verdict(answer_of_the_teacher(exercise)) == "passed"
            stub = answer_of_the_teacher(exercise, without_solutions)
            assert verdict.verdict(stub) == "not attempted yet"

        @every_exercise
        def test_each_mistake_is_refused_with_its_own_reason(self, exercise):
            mistakes = own[exercise].wrong_answers() if exercise in own else ()
            for words, mistake in mistakes:
                assert reason(renamed(mistake, exercise)) == words

        @every_exercise
        def test_mistakes_that_any_answer_can_make_are_refused(
            self, exercise, short_time_limit
        ):
            answers, guilty = generic_mistakes_of(exercise)
            for name, answer in answers.items():
                if name == "never_ends":  # the last
                    short_time_limit()
                found = verdict.verdict(answer)
                words = WORDS.get(name, "not yet") if name in guilty else "^passed$"
                assert re.search(words, found), (name, found)
                assert PYTHONS_WORDS not in found
                assert ("loops for ever" in found) == (name == "never_ends")

        @every_exercise
        def test_whatever_an_answer_returns_the_check_explains_it(self, exercise):
            for answer in junk_of(exercise):
                assert "stops with" not in reason(answer)

        def test_every_reason_is_given_to_an_answer(self):
            answers = [made(exercise, *how) for exercise, how, _ in wrong]
            for exercise in exercises:
                answers += junk_of(exercise)
            for name, table in own.items():
                answers += [renamed(m, name) for _, m in table.wrong_answers()]
            found = [judged(answer) for answer in answers]
            reasons = set().union(*map(reasons_of, modules))
            assert not reasons - {place for _, place in found}
            raised = {f"not yet: {r[-1]}" for t in own.values() for r in t.raises}
            assert not raised - {text for text, _ in found}

    return Tests
