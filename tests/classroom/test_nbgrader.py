"""Tests of the way of a notebook through nbgrader, from the teacher and back.

nbgrader runs in the environment of these tests, the notebooks in .venv. The whole
series runs three times: this takes five to ten minutes.
"""

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
from nbgrader.api import Gradebook

ROOT = Path(__file__).parent.parent.parent
PYTHON = ROOT / ".venv" / "bin" / "python"
MARK = f"mark-{uuid.uuid4().hex}"  # in the environment of all processes started here
ENVIRONMENT = os.environ | {
    "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
    "PS_HELPERS_TEST": MARK,
}

# One mistake a notebook: exercise, what to replace in its solution, part of the reason.
MISTAKES = {
    "00_start_here": ("count_messages", "2 * ", "", "one pull and one push"),
    "01_one_process": ("sgd_update", "-lr", "lr", "that goes uphill"),
    "02_push_and_pull": ("pull", ".copy()", "", "not the live arrays"),
    "03_ray_actors": (
        "run_workers",
        "ray.get([task.remote(ps, w) for w in range(num_workers)])",
        "[ray.get(task.remote(ps, w)) for w in range(num_workers)]",
        "start all of them first",
    ),
    "04_waiting": ("may_proceed", "<=", "<", "compare with <="),
    "04b_virtual_time": ("round_time", "- backup_workers", "", "that is the slowest"),
    "06b_fewer_bytes": ("top_k", "-np.abs(total)", "-total", "compare magnitudes"),
    "06_the_price_of_a_message": (
        "fit_cost",
        "a, 1 / slope",
        "a, slope",
        "1 divided by the slope",
    ),
    "05_many_servers": ("balance", ", reverse=True", "", "take the largest first"),
}
NAMES = sorted(path.stem for path in (ROOT / "notebooks" / "teacher").glob("*.ipynb"))
STUDENTS = "right", "wrong", "missing"

every_notebook = pytest.mark.parametrize("name", NAMES)
every_student = pytest.mark.parametrize("student", STUDENTS)


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    path = tmp_path_factory.mktemp("classroom") / "course"
    run(PYTHON, "-m", "ps_helpers.tools.grading", path, folder=ROOT)
    return path


@pytest.fixture(scope="module")
def released(course):
    """Return the course when all assignments have been generated."""
    for name in NAMES:
        run("nbgrader", "generate_assignment", name, folder=course)
    return course


@pytest.fixture(scope="module")
def graded(released):
    """Return a function that hands in, grades and comments on a notebook, once."""
    done = set()

    def grade(name):
        if name not in done:
            done.add(name)
            for student in STUDENTS:
                hand_in(released, name, student)
            run("nbgrader", "autograde", name, folder=released)
            run("nbgrader", "generate_feedback", name, folder=released)
        return released

    return grade


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
    marks = [(marked(cell), cell.source) for cell in notebook.cells]
    return {mark["grade_id"]: source for mark, source in marks if mark.get("solution")}


def hand_in(course, name, student):
    """Fill in a released notebook as a student would, and submit it."""
    notebook = nbformat.read(course / "release" / name / f"{name}.ipynb", 4)
    answers = solutions(course, name) if student != "missing" else {}
    if student == "wrong":
        exercise, right, wrong, _ = MISTAKES[name]
        answer = answers[f"{exercise}-answer"]
        assert right in answer
        answers[f"{exercise}-answer"] = answer.replace(right, wrong)
    for cell in notebook.cells:
        cell.source = answers.get(marked(cell).get("grade_id"), cell.source)
    target = course / "submitted" / student / name / f"{name}.ipynb"
    target.parent.mkdir(parents=True)
    nbformat.write(notebook, target)


def points(course, name, student):
    """Return points by exercise as (given, possible)."""
    with Gradebook(f"sqlite:///{course}/gradebook.db") as gradebook:
        grades = gradebook.find_submission_notebook(name, name, student).grades
        return {grade.name: (grade.score, grade.max_score) for grade in grades}


def feedback(course, name, student):
    path = course / "feedback" / student / name / f"{name}.html"
    return html.unescape(path.read_text())


def processes_left():
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("PS_HELPERS_TEST") == MARK:
                found.append(" ".join(process.cmdline()))
        except psutil.Error:  # it has ended, or belongs to somebody else
            continue
    return found


def test_every_notebook_has_a_mistake_to_test():
    assert sorted(MISTAKES) == NAMES


@every_notebook
def test_students_get_neither_solutions_nor_remarks_nor_outputs(released, name):
    teacher = nbformat.read(released / "source" / name / f"{name}.ipynb", 4)
    student = nbformat.read(released / "release" / name / f"{name}.ipynb", 4)
    remarks = [c for c in teacher.cells if "teacher" in c.metadata.get("tags", [])]
    assert remarks and len(student.cells) == len(teacher.cells) - len(remarks)
    text = nbformat.writes(student)
    assert "SOLUTION" not in text and "Teacher's notebook" not in text
    assert not any(cell.get("outputs") for cell in student.cells)
    stubs = [cell for cell in student.cells if marked(cell).get("solution")]
    assert len(stubs) == len(solutions(released, name)) > 0
    assert all("raise NotImplementedError" in cell.source for cell in stubs)
    assert list((released / "release" / name / "figures").glob("*.svg"))


@every_notebook
@every_student
def test_points_are_as_deserved(graded, name, student):
    found = points(graded(name), name, student)
    mistake = MISTAKES[name][0]
    for exercise, (given, possible) in found.items():
        lost = student == "missing" or (student == "wrong" and exercise == mistake)
        assert (exercise, given) == (exercise, 0 if lost else possible)
        assert possible in (1, 2, 3)
    assert len(found) == len(solutions(graded(name), name))


@every_notebook
@every_student
def test_the_feedback_says_why(graded, name, student):
    text = feedback(graded(name), name, student)
    exercise, *_, reason = MISTAKES[name]
    line = {
        "right": f"{exercise}: passed",
        "wrong": f"{exercise}: not yet: ",
        "missing": f"{exercise}: not attempted yet",
    }[student]
    assert line in text
    assert (reason in text) == (student == "wrong")


def test_no_kernel_and_no_ray_is_left(graded):
    for name in NAMES:
        graded(name)
    deadline = time.monotonic() + 30
    while processes_left() and time.monotonic() < deadline:
        time.sleep(1)
    assert processes_left() == []
