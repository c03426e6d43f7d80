"""What the tests of answers to exercises share.

The test module of a part of the exercises lists answers and says

    TestAnswers = all_tests_of(one_process, MUTATIONS, WRONG, RIGHT)

with the module that has their checks. MUTATIONS are rows (exercise, old text, new text,
words): the teacher's solution with one text replaced is refused for a reason that has
these words. WRONG are rows (exercise, answer, words) for what is no mutation, RIGHT
rows (exercise, answer). An answer is a function, or a text, what the exercise is
to return. A mistake that is in a check's table need not be repeated. Mistakes that
any answer can make, and junk, are tried in loops; and every reason in the checks'
source must be given to some answer.
"""

import ast
import collections
import contextlib
import functools
import io
import itertools
import math
import re
import statistics
import traceback
from pathlib import Path

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


def reason(answer):
    """Return why an answer is refused: one sentence that fits under a cell."""
    text = verdict.verdict(answer)
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
                namespace, source = {"__name__": "__main__"}, change(source)
                for line in imports_used(sources, source):
                    exec(line, namespace)
                exec(source, namespace)
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


def mutated(exercise, old, new):
    """Return the teacher's answer with one text of its solution replaced."""

    def change(source):
        head, solution = source.split(STUB)
        assert solution.count(old) == 1, f"{old!r} is not once in {exercise}"
        return head.rstrip(" ") + solution.replace(old, new)

    return answer_of_the_teacher(exercise, change)


@functools.cache
def written(exercise, answer):
    """Return an answer; a text is what the exercise's function is to return."""
    if not isinstance(answer, str):
        return renamed(answer, exercise)
    return answer_of_the_teacher(
        exercise, lambda source: f"{source.split(STUB)[0]}    return {answer}"
    )


# Mistakes that any answer can make.


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


def generic_mistakes_of(exercise):
    """Return the variants of the teacher's answer; of a class, those of its methods."""
    right = answer_of_the_teacher(exercise)
    if not isinstance(right, type):
        found, guilty = generic_mistakes(right)
        return {name: renamed(f, exercise) for name, f in found.items()}, guilty
    methods = {k: f for k, f in vars(right).items() if k[0] != "_" and callable(f)}
    made = {k: generic_mistakes(method) for k, method in methods.items()}
    guilty = collections.ChainMap(*[some for _, some in made.values()])
    variants = {
        name: type(
            exercise, (right,), {k: found[name] for k, (found, _) in made.items()}
        )
        for name in next(iter(made.values()))[0]
    }
    return variants, guilty


def junk():
    """Return what no answer should return, made anew: some of it can be used once."""
    endless = []
    endless.append(endless)
    found = [
        None,
        0,
        -1.5,
        math.nan,
        math.inf,
        True,
        1j,
        10**400,
        "text",
        b"",
        object(),
    ]
    found += [len, int, ..., iter([]), itertools.count(), range(3), statistics]
    found += [[], (), {}, set(), [None], [None] * 2, [None] * 3, ["W", "b"], "Wb"]
    found += [endless, [[], []], [[1, 2], [3]], [{}, {}], [[[1], [2]]] * 3]
    found += [np.array(None), np.zeros(3), np.zeros((2, 2)), np.array(["a", "b"])]
    found += [[np.zeros(2), None], [np.full((64, 10), math.nan), np.zeros(10)]]
    found += [[(np.zeros((4, 2)), np.full(4, math.nan))] * 3, np.ma.masked, [math.nan]]
    return [*found, [("W", 1)] * 2, [math.nan] * 6]


def junk_of(exercise):
    """Return an answer, or a class with such methods, for each piece of junk."""
    right, found = answer_of_the_teacher(exercise), []
    for place in range(len(junk())):

        def answer(*_, place=place):
            return junk()[place]

        if isinstance(right, type):
            methods = {k: answer for k in vars(right) if k[0] != "_"}
            found.append(type(exercise, (right,), methods))
        else:
            found.append(renamed(answer, exercise))
    return found


# Which reason an answer gets, and whether every reason is given.


@functools.cache
def refused_at(answer):
    """Return the places in the checks' sources where an answer is refused, and why."""
    try:
        with contextlib.redirect_stdout(io.StringIO()), verdict.surroundings_kept():
            verdict.EXERCISES[answer.__name__](answer)
    except BaseException as error:
        frames = [
            (Path(frame.f_code.co_filename).name, line)
            for frame, line in traceback.walk_tb(error.__traceback__)
            if frame.f_code.co_name != "require"
        ]
        return frames[-1], str(error)
    return None, None


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


def all_tests_of(module, mutations, wrong, right):
    """Return the tests of all answers to the exercises of a module of checks."""
    decorated = {
        node.name
        for node in ast.parse(Path(module.__file__).read_text()).body
        if getattr(node, "decorator_list", None)
    }
    exercises = [n for n in exercises_of_the_notebooks() if n in decorated]
    every_exercise = pytest.mark.parametrize("exercise", exercises)

    class Tests:
        @pytest.mark.parametrize("exercise, old, new, words", mutations)
        def test_a_mutated_solution_is_refused_with_its_reason(
            self, exercise, old, new, words
        ):
            assert_refused(mutated(exercise, old, new), words)

        @pytest.mark.parametrize("exercise, answer, words", wrong)
        def test_a_wrong_answer_is_refused_with_its_reason(
            self, exercise, answer, words
        ):
            assert_refused(written(exercise, answer), words)

        @pytest.mark.parametrize("exercise, answer", right)
        def test_a_right_answer_passes(self, exercise, answer):
            assert verdict.verdict(written(exercise, answer)) == "passed"

        @every_exercise
        def test_the_teachers_solution_passes_and_the_stub_is_not_attempted(
            self, exercise
        ):
            assert verdict.verdict(answer_of_the_teacher(exercise)) == "passed"
            stub = answer_of_the_teacher(exercise, without_solutions)
            assert verdict.verdict(stub) == "not attempted yet"

        @every_exercise
        def test_each_mistake_is_refused_with_its_own_reason(self, exercise):
            table = tables.TABLES.get(exercise)
            for words, mistake in table.wrong_answers() if table else ():
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
                assert (found != "passed") == (name in guilty), (name, found)
                assert PYTHONS_WORDS not in found
                assert ("loops for ever" in found) == (name == "never_ends")

        @every_exercise
        def test_whatever_an_answer_returns_the_check_explains_it(self, exercise):
            for answer in junk_of(exercise):
                assert "stops with" not in reason(answer)

        def test_every_reason_is_given_to_an_answer(self):
            answers = [written(*row) for *row, _ in wrong]
            answers += [mutated(*row) for *row, _ in mutations]
            for exercise in exercises:
                answers += junk_of(exercise)
                if exercise in tables.TABLES:
                    table = tables.TABLES[exercise]
                    answers += [renamed(m, exercise) for _, m in table.wrong_answers()]
            given = [refused_at(answer) for answer in answers]
            assert not reasons_of(module) - {place for place, _ in given}
            for exercise in exercises:
                table = tables.TABLES.get(exercise)
                rows = {row[-1] for row in table.raises} if table else set()
                assert not rows - {words for _, words in given}

    return Tests
