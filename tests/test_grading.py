"""Tests of what nbgrader needs: its metadata, errors for its points, its folder.

That nbgrader understands all this is tested in tests/classroom.
"""

import contextlib
import json
import re
import sys
from pathlib import Path

import nbformat
import pytest
from answers import assert_refused, made
from classroom.mistakes import MISTAKES
from nbformat import v4

from ps_helpers.checks import check, grade
from ps_helpers.tools import grading
from ps_helpers.tools.command import SourceError
from ps_helpers.tools.student_notebooks import BEGIN, END, mark_exercises

NOTEBOOKS = Path(__file__).parent.parent / "notebooks"
TEACHER = sorted((NOTEBOOKS / "teacher").glob("*.ipynb"))
PAGE = (NOTEBOOKS / "teacher" / "README.md").read_text()


def answer(body):
    """Return an answer to count_calls."""
    names = {}
    exec(f"def count_calls(num_workers, num_steps):\n {body}", names)
    return names["count_calls"]


RIGHT = "return 2 * num_workers * num_steps"
JUDGED = {  # what a body of the answer is told
    "return num_workers * num_steps": "count_calls: not yet: ",
    "raise NotImplementedError": "count_calls: not attempted yet",
    RIGHT: "count_calls: passed",
}


@pytest.fixture(params=[True, False], ids=["under nbgrader", "alone"])
def grades(request, monkeypatch):
    """Return whether nbgrader seems to run the notebook."""
    monkeypatch.delenv("NBGRADER_EXECUTION", raising=False)
    if request.param:
        monkeypatch.setenv("NBGRADER_EXECUTION", "autograde")
    return request.param


@pytest.mark.parametrize("body", JUDGED)
def test_a_check_raises_its_reason_while_nbgrader_runs_alone(body, grades, capsys):
    raised = ""
    try:
        assert check(answer(body)) is None
    except AssertionError as error:
        raised = str(error)
    [line] = capsys.readouterr().out.splitlines()
    assert line.startswith(JUDGED[body])
    assert raised == (line if grades and body != RIGHT else "")


def test_a_graded_cell_says_that_a_name_is_missing(grades, capsys):
    """And no folder of the grader's computer stands under a reason."""
    grade("count_calls", {"count_calls": answer(RIGHT)})
    for names, reason in (({}, "keep its name"), ({"count_calls": max}, "not yet: ")):
        with contextlib.ExitStack() as stack:
            if grades:
                refused = stack.enter_context(pytest.raises(AssertionError))
            grade("count_calls", names)
        said = capsys.readouterr().out.splitlines()[-1]
        assert reason in said
        assert not grades or refused.value._render_traceback_() == [said]


# The metadata.


def exercise(*lines, check="check(answer)", **metadata):
    body = "\n".join(f"    {line}" for line in (BEGIN, *lines, END))
    cell = v4.new_code_cell(f"def answer():\n{body}", metadata=metadata)
    return v4.new_notebook(cells=[cell, v4.new_code_cell(check)])


def test_both_cells_of_an_exercise_are_marked_unless_only_teachers_see_them():
    notebook = exercise("return 1", check="import check\n\ncheck(answer)")
    mark_exercises(notebook)
    both = {"schema_version": 3, "task": False}
    own = {"grade": False, "grade_id": "answer-answer", "locked": False}
    judged = {"grade": True, "grade_id": "answer", "locked": True, "points": 1}
    answer, checked = (cell.metadata["nbgrader"] for cell in notebook.cells)
    assert answer == both | own | {"solution": True}
    assert checked == both | judged | {"solution": False}
    notebook = exercise("return 1", tags=["teacher"])
    mark_exercises(notebook)
    assert not any("nbgrader" in cell.metadata for cell in notebook.cells)


def test_two_lines_of_a_solution_are_worth_a_point():
    for lines, points in {1: 1, 2: 1, 3: 2, 4: 2, 5: 3, 9: 3}.items():
        notebook = exercise("# a remark", "", *["x = 1"] * lines)
        mark_exercises(notebook)
        assert notebook.cells[1].metadata["nbgrader"]["points"] == points


@pytest.mark.parametrize(
    "check", ["print(answer())", "check(other)", "# check(answer)", "", None]
)
def test_a_solution_that_no_cell_checks_is_refused(check):
    notebook = exercise("return 1", check=check or "")
    if check is None:
        del notebook.cells[1]
    with pytest.raises(SourceError, match="cell 1: no cell check"):
        mark_exercises(notebook)


@pytest.mark.parametrize("name", MISTAKES)
def test_the_classrooms_mistake_gets_its_reason(name):
    """Tests in nbgrader and in a browser make it; here it is judged."""
    exercise, right, wrong, reason = MISTAKES[name]
    cells = nbformat.read(NOTEBOOKS / "teacher" / f"{name}.ipynb", 4).cells
    assert not any(reason in cell.source for cell in cells)  # or feedback has it
    answer = made(exercise, right, wrong)
    if exercise != "pull_all":  # that one needs a Ray
        assert_refused(answer, reason)


# The teachers' page.


def numbered(text):
    return len(re.findall(r"^\d+\. ", text, re.MULTILINE))


def test_the_page_answers_every_question_and_tells_the_points():
    for path in TEACHER:
        cells, number = nbformat.read(path, 4).cells, path.name.partition("_")[0]
        text = "\n".join(cell.source for cell in cells)
        questions = text.partition("\n## Questions\n")[2].partition("\n## ")[0]
        questions = questions.partition("<details>")[0]  # short answers, folded
        answers = PAGE.partition("\n## Questions with answers\n")[2]
        answers = answers.partition(f"\n**{number}**\n")[2].partition("\n**")[0]
        assert numbered(answers) == numbered(questions) > 0, path
    assert grading.POINTS == 2 and "two points" in PAGE


# The course folder.


def test_every_notebook_is_an_assignment_with_all_that_it_links_to(tmp_path, capsys):
    command = [str(tmp_path), "--folder", str(NOTEBOOKS)]
    for _ in range(2):  # a second run keeps the teacher's settings, and nothing else
        assert grading.main(command) == 0
        (tmp_path / "nbgrader_config.py").write_text("# mine\n")
        paths = sorted(tmp_path.glob("source/*/*.ipynb"))
        assert [path.name for path in paths] == [path.name for path in TEACHER]
        for path in [*paths, *tmp_path.glob("source/*/*.md")]:
            assert path.suffix == ".md" or path.parent.name == path.stem
            targets = re.findall(r"\]\(([^)#]+)", path.read_text())
            assert targets and not any(target.startswith("../f") for target in targets)
            for target in targets:
                assert target.startswith("http") or (path.parent / target).exists()
            path.write_text("old")
    assert "00_start_here, 01_one_process" in capsys.readouterr().out
    assert (tmp_path / "nbgrader_config.py").read_text() == "# mine\n"
    kernel = json.loads((tmp_path / "kernels/python3/kernel.json").read_text())
    assert kernel["argv"][0] == sys.executable


def test_submissions_that_would_be_a_silent_zero_are_named(tmp_path, capsys):
    course = ["--folder", str(NOTEBOOKS), str(tmp_path)]
    assert grading.main(course) == 0
    name = "02_push_and_pull"
    source = nbformat.read(tmp_path / "source" / name / f"{name}.ipynb", 4)
    cells = [cell.source for cell in source.cells]
    assert "the notebook to hand in" in cells[0] and len(set(cells)) > 30
    places = cells.count("*Your prediction, and why:*"), cells.count("*Your answers:*")
    assert places == (sum("**Predict.**" in cell for cell in cells), 1)
    graded = [c for c in source.cells if c.metadata.get("nbgrader", {}).get("points")]
    assert {c.metadata.nbgrader.points for c in graded} == {2}
    assert all(c.source.startswith("from ps_helpers.checks import g") for c in graded)

    def hand_in(student, folder=name, file=f"{name}.ipynb", text=None):
        path = tmp_path / "submitted" / student / folder / file
        path.parent.mkdir(parents=True)
        path.write_text(nbformat.writes(source) if text is None else text)

    hand_in("right")
    source.cells.remove(graded[0])
    hand_in("cell missing")
    hand_in("wrong file", text=(NOTEBOOKS / f"{name}.ipynb").read_text())
    hand_in("empty", text="")
    hand_in("renamed", file=f"{name} (1).ipynb")
    hand_in("elsewhere", folder="my_02")
    capsys.readouterr()
    assert grading.main([*course, "--check"]) == 1
    said = capsys.readouterr()
    assert said.out == "6 submissions\n"
    for student, reason in {
        "cell missing": "graded cells are missing: push_once",
        "wrong file": "not the notebook that was handed out",
        "empty": "it is empty, or no notebook",
        "renamed": f"there is no {name}.ipynb, but {name} (1).ipynb: rename it",
        "elsewhere": "no folder of an assignment; there are 00_start_here, ",
    }.items():
        [line] = [line for line in said.err.splitlines() if f"/{student}/" in line]
        assert reason in line
    assert "/right/" not in said.err
