"""Tests of what nbgrader needs: its metadata, errors for its points, its folder.

That nbgrader understands all this is tested in tests/classroom.
"""

import json
import re
import sys
from pathlib import Path

import nbformat
import pytest
from nbformat import v4
from test_exercises import exercises_of_the_notebooks, renamed

from ps_helpers.checks import check
from ps_helpers.tools import grading
from ps_helpers.tools.student_notebooks import BEGIN, END, SourceError, mark_exercises

NOTEBOOKS = Path(__file__).parent.parent / "notebooks"
TEACHER = sorted((NOTEBOOKS / "teacher").glob("*.ipynb"))
PAGE = (NOTEBOOKS / "teacher" / "README.md").read_text()


@pytest.fixture
def nbgrader_runs(monkeypatch):
    monkeypatch.setenv("NBGRADER_EXECUTION", "autograde")


def right(num_workers, num_steps):
    return 2 * num_workers * num_steps


def wrong(num_workers, num_steps):
    return num_workers * num_steps


def stub(num_workers, num_steps):
    raise NotImplementedError


REFUSED = [(wrong, "count_calls: not yet: "), (stub, ": not attempted yet")]


@pytest.mark.parametrize("answer, words", REFUSED)
def test_a_check_raises_its_reason_while_nbgrader_runs(
    answer, words, nbgrader_runs, capsys
):
    with pytest.raises(AssertionError, match=words) as caught:
        check(renamed(answer, "count_calls"))
    assert capsys.readouterr().out == f"{caught.value}\n"


@pytest.mark.parametrize("answer, words", REFUSED)
def test_a_check_never_raises_at_home(answer, words, monkeypatch, capsys):
    monkeypatch.delenv("NBGRADER_EXECUTION", raising=False)
    check(renamed(answer, "count_calls"))
    assert words in capsys.readouterr().out


def test_a_right_answer_raises_nothing_while_nbgrader_runs(nbgrader_runs, capsys):
    assert check(renamed(right, "count_calls")) is None
    assert capsys.readouterr().out == "count_calls: passed\n"


def test_a_right_answer_that_warns_keeps_its_points(nbgrader_runs, capsys):
    def warns(num_workers, num_steps):
        print("a warning", file=sys.stderr)
        return 2 * num_workers * num_steps

    check(renamed(warns, "count_calls"))
    printed = capsys.readouterr()
    assert printed.err == "" and printed.out.endswith(": passed\n")


# The metadata.


def exercise(*lines, check="check(answer)", **metadata):
    body = "\n".join(f"    {line}" for line in (BEGIN, *lines, END))
    cell = v4.new_code_cell(f"def answer():\n{body}", metadata=metadata)
    return v4.new_notebook(cells=[cell, v4.new_code_cell(check)])


def test_both_cells_of_an_exercise_are_marked():
    notebook = exercise("return 1", check="import check\n\ncheck(answer)")
    mark_exercises(notebook)
    both = {"schema_version": 3, "task": False}
    answer, checked = (cell.metadata["nbgrader"] for cell in notebook.cells)
    assert answer == both | dict(
        grade=False, grade_id="answer-answer", locked=False, solution=True
    )
    assert checked == both | dict(
        grade=True, grade_id="answer", locked=True, solution=False, points=1
    )


@pytest.mark.parametrize(
    "lines, points", [(1, 1), (2, 1), (3, 2), (4, 2), (5, 3), (9, 3)]
)
def test_two_lines_of_a_solution_are_worth_a_point(lines, points):
    notebook = exercise("# a remark", "", *["x = 1"] * lines)
    mark_exercises(notebook)
    assert notebook.cells[1].metadata["nbgrader"]["points"] == points


@pytest.mark.parametrize(
    "check", ["print(answer())", "check(other)", "# check(answer)", ""]
)
def test_a_solution_that_no_cell_checks_is_refused(check):
    with pytest.raises(SourceError, match="cell 1: no cell check"):
        mark_exercises(exercise("return 1", check=check))


def test_a_solution_at_the_end_is_refused():
    notebook = exercise("return 1")
    del notebook.cells[1]
    with pytest.raises(SourceError, match="cell 1: no cell check"):
        mark_exercises(notebook)


def test_what_only_teachers_see_is_not_graded():
    notebook = exercise("return 1", tags=["teacher"])
    mark_exercises(notebook)
    assert not any("nbgrader" in cell.metadata for cell in notebook.cells)


def test_every_exercise_of_the_series_is_graded():
    graded = []
    for path in TEACHER:
        for cell in nbformat.read(path, 4).cells:
            marks = cell.metadata.get("nbgrader", {})
            assert (BEGIN in cell.source) == marks.get("solution", False)
            if marks.get("grade"):
                assert marks["points"] in (1, 2, 3)
                graded.append(marks["grade_id"])
    assert graded == exercises_of_the_notebooks()


# The teachers' page.


def numbered(text):
    return len(re.findall(r"^\d+\. ", text, re.MULTILINE))


@pytest.mark.parametrize("path", TEACHER, ids=[path.stem for path in TEACHER])
def test_the_page_answers_every_question(path):
    number = path.name.partition("_")[0]
    cells = nbformat.read(path, 4).cells
    text = "\n".join(cell.source for cell in cells)
    questions = text.partition("\n## Questions\n")[2].partition("\n## ")[0]
    answers = PAGE.partition("\n## Questions with answers\n")[2]
    answers = answers.partition(f"\n**{number}**\n")[2].partition("\n**")[0]
    assert numbered(answers) == numbered(questions) > 0


def test_the_page_tells_the_points_of_each_notebook():
    points = []
    for path in TEACHER:
        marks = [c.metadata.get("nbgrader", {}) for c in nbformat.read(path, 4).cells]
        points.append(sum(mark.get("points", 0) for mark in marks))
    *some, last = map(str, points)
    assert f" {', '.join(some)} and {last} points" in PAGE


# The course folder.


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    path = tmp_path_factory.mktemp("classroom") / "course"
    assert grading.main([str(path), "--folder", str(NOTEBOOKS)]) == 0
    return path


def test_every_notebook_is_an_assignment_with_all_that_it_links_to(course):
    paths = sorted(course.glob("source/*/*.ipynb"))
    names = [path.name for path in sorted(NOTEBOOKS.glob("*.ipynb"))]
    assert [path.name for path in paths] == names
    for path in [*paths, *course.glob("source/*/*.md")]:
        assert path.suffix == ".md" or path.parent.name == path.stem
        targets = re.findall(r"\]\(([^)#]+)", path.read_text())
        assert targets and not any(target.startswith("../f") for target in targets)
        for target in targets:
            assert target.startswith("http") or (path.parent / target).exists()


def test_answers_run_with_this_python(course):
    kernel = json.loads((course / "kernels/python3/kernel.json").read_text())
    assert kernel["argv"][0] == sys.executable


def test_a_second_run_keeps_the_teachers_settings(course, capsys):
    settings = course / "nbgrader_config.py"
    source = course / "source" / "00_start_here" / "00_start_here.ipynb"
    before = source.read_bytes()
    settings.write_text("# mine\n")
    source.write_text("old")
    assert grading.main([str(course), "--folder", str(NOTEBOOKS)]) == 0
    assert "00_start_here, 01_one_process" in capsys.readouterr().out
    assert settings.read_text() == "# mine\n"
    assert source.read_bytes() == before


def test_a_folder_without_notebooks_gets_a_sentence(tmp_path, capsys):
    assert grading.main([str(tmp_path / "c"), "--folder", str(tmp_path)]) == 2
    assert "run this at the top of the project" in capsys.readouterr().err
    assert not (tmp_path / "c").exists()
