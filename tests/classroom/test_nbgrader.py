"""Tests of the way of a notebook through nbgrader, from the teacher and back.

nbgrader runs in the environment of these tests, the notebooks in .venv. The whole
series runs three times: this takes five to ten minutes.
"""

import contextlib
import html
import os
import subprocess
import sys
import time
import uuid
from pathlib import Path

import nbformat
import psutil
import pytest
from mistakes import MISTAKES, mistaken
from nbgrader.api import Gradebook

ROOT = Path(__file__).parent.parent.parent
PYTHON = ROOT / ".venv" / "bin" / "python"
MARK = f"mark-{uuid.uuid4().hex}"  # in the environment of all processes started here
ENVIRONMENT = os.environ | {
    "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
    "PS_HELPERS_TEST": MARK,
}

NAMES = sorted(path.stem for path in (ROOT / "notebooks" / "teacher").glob("*.ipynb"))
STUDENTS = "right", "wrong", "missing", "cheating"

every_notebook = pytest.mark.parametrize("name", NAMES)


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    """Return a course folder whose assignments have been generated."""
    path = tmp_path_factory.mktemp("classroom") / "course"
    run(PYTHON, "-m", "ps_helpers.tools.grading", path, folder=ROOT)
    for name in NAMES:
        run("nbgrader", "generate_assignment", name, folder=path)
    return path


@pytest.fixture(scope="module", params=NAMES)
def graded(request, course):
    """Return a notebook that is handed in, graded and commented on."""
    for student in STUDENTS:
        hand_in(course, request.param, student)
    run("nbgrader", "autograde", request.param, folder=course)
    run("nbgrader", "generate_feedback", request.param, folder=course)
    return request.param


def run(*command, folder):
    done = subprocess.run(
        command, cwd=folder, env=ENVIRONMENT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr


def marked(cell):
    return cell.metadata.get("nbgrader", {})


def solutions(course, name):
    """Return the sources of the teacher's solution cells, by their grade_id."""
    notebook = nbformat.read(course / "source" / name / f"{name}.ipynb", 4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    marks = [(marked(cell), cell.source) for cell in code]
    return {mark["grade_id"]: source for mark, source in marks if mark.get("solution")}


def hand_in(course, name, student):
    """Fill in a released notebook as a student would, and submit it."""
    notebook = nbformat.read(course / "release" / name / f"{name}.ipynb", 4)
    answers = solutions(course, name) if student in ("right", "wrong") else {}
    if student == "wrong":
        exercise = f"{MISTAKES[name][0]}-answer"
        answers[exercise] = mistaken(name, answers[exercise])
    for cell in notebook.cells:
        cell.source = answers.get(marked(cell).get("grade_id"), cell.source)
        if student == "cheating" and "nbgrader" in cell.metadata:
            cell.source = "check = grade = lambda *_: print('passed')"
    target = course / "submitted" / student / name / f"{name}.ipynb"
    target.parent.mkdir(parents=True)
    nbformat.write(notebook, target)


def points(course, name, student):
    """Return points by exercise as (given, possible)."""
    with Gradebook(f"sqlite:///{course}/gradebook.db") as gradebook:
        grades = gradebook.find_submission_notebook(name, name, student).grades
        found = {grade.name: (grade.score, grade.max_score) for grade in grades}
        return {name: both for name, both in found.items() if both[1]}  # no texts


def processes_left():
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):  # ended, or somebody else's
            if process.environ().get("PS_HELPERS_TEST") == MARK:
                found.append(" ".join(process.cmdline()))
    return found


def test_every_notebook_has_a_mistake_to_test():
    assert sorted(MISTAKES) == NAMES


@every_notebook
def test_students_get_neither_solutions_nor_remarks_nor_outputs(course, name):
    teacher = nbformat.read(course / "source" / name / f"{name}.ipynb", 4)
    student = nbformat.read(course / "release" / name / f"{name}.ipynb", 4)
    remarks = [c for c in teacher.cells if "teacher" in c.metadata.get("tags", [])]
    assert remarks and len(student.cells) == len(teacher.cells) - len(remarks)
    text = nbformat.writes(student)
    assert "SOLUTION" not in text and "Teacher's notebook" not in text
    assert not any(cell.get("outputs") for cell in student.cells)
    code = [cell for cell in student.cells if cell.cell_type == "code"]
    stubs = [cell for cell in code if marked(cell).get("solution")]
    assert len(stubs) == len(solutions(course, name)) > 0
    assert all("raise NotImplementedError" in cell.source for cell in stubs)
    assert list((course / "release" / name / "figures").glob("*.svg"))


@pytest.mark.parametrize("student", STUDENTS)
def test_points_are_as_deserved_and_the_feedback_says_why(course, graded, student):
    mistake, *_, reason = MISTAKES[graded]
    found = points(course, graded, student)
    for exercise, (given, possible) in found.items():
        lost = student in ("missing", "cheating") or (
            student == "wrong" and exercise == mistake
        )
        assert (exercise, given) == (exercise, 0 if lost else possible)
        assert possible == 2
    assert len(found) == len(solutions(course, graded))
    path = course / "feedback" / student / graded / f"{graded}.html"
    text = html.unescape(path.read_text())
    verdicts = {"right": "passed", "wrong": "not yet: ", "missing": "not attempted yet"}
    verdicts["cheating"] = "not yet: nothing is called"
    assert f"{mistake}: {verdicts[student]}" in text
    assert (reason in text) == (student == "wrong")
    assert "ps_helpers/checks/" not in text  # no folder of the grader's


def test_no_kernel_and_no_ray_is_left():
    deadline = time.monotonic() + 30
    while processes_left() and time.monotonic() < deadline:
        time.sleep(1)
    assert processes_left() == []
