"""Tests of the command that writes the student notebooks: it fails closed."""

import shutil
from pathlib import Path

import nbformat
import pytest
from nbformat import v4

from ps_helpers.tools import student_notebooks
from ps_helpers.tools.student_notebooks import SourceError, main, without_solutions

NOTEBOOKS = Path(__file__).parent.parent / "notebooks"
EXERCISE = """def double(x):
    ### BEGIN SOLUTION
    return 2 * x
    ### END SOLUTION


print("ready")"""
CHECK = """check = callable

check(double)"""


def notebook(*sources, tags=()):
    cells = [v4.new_code_cell(source) for source in sources]
    cells.append(v4.new_markdown_cell("A [picture](../figures/idea.svg)."))
    tagged = {"tags": list(tags)}
    cells.append(v4.new_code_cell("print('for teachers')", metadata=tagged))
    return v4.new_notebook(cells=cells)


@pytest.fixture(scope="module")
def executed(tmp_path_factory):
    """Return a folder with one executed notebook in both variants; starts kernels."""
    path = tmp_path_factory.mktemp("notebooks")
    (path / "teacher").mkdir()
    teacher = notebook(EXERCISE, CHECK, tags=["teacher"])
    nbformat.write(teacher, path / "teacher" / "00_small.ipynb")
    assert main(["--folder", str(path)]) == 0
    return path


@pytest.fixture
def folder(executed, tmp_path):
    """Return a copy of the executed notebooks, to be changed."""
    return Path(shutil.copytree(executed, tmp_path / "notebooks"))


def change(path, edit):
    stored = nbformat.read(path, 4)
    edit(stored)
    nbformat.write(stored, path)


def test_a_solution_becomes_a_stub_that_can_be_defined():
    source = without_solutions(EXERCISE)
    assert "return 2 * x" not in source and "SOLUTION" not in source
    namespace = {}
    exec(source, namespace)
    with pytest.raises(NotImplementedError):
        namespace["double"](1)


def test_source_without_a_marker_stays_as_it_is():
    source = "# a comment\n\nx = 1  # another\n"
    assert without_solutions(source) == source


@pytest.mark.parametrize(
    "source, words",
    [
        ("### BEGIN SOLUTION\nx = 1", "does not end"),
        ("x = 1\n### END SOLUTION", "has not begun"),
        ("### BEGIN SOLUTION\n### BEGIN SOLUTION\n### END SOLUTION", "inside another"),
        ("### BEGIN SOLUTION\n\n### END SOLUTION", "empty"),
        ("## BEGIN SOLUTION\nx = 1\n### END SOLUTION", "misspelt"),
        ("### Begin Solution\nx = 1\n### END SOLUTION", "misspelt"),
        ("###BEGIN SOLUTION\nx = 1\n### END SOLUTION", "misspelt"),
        ("### BEGN SOLUTOIN\nx = 1\n### END SOLUTION", "misspelt"),
        ("### BEGIN SOLUTION\nx = 1\n### END SOLUTIONS", "misspelt"),
        ("### BEGIN SOLUTION\nx = 1\n### END", "does not end"),
        ("### BEGIN SOLUTION\n# to do\n### END SOLUTION", "empty"),
        ("### BEGIN SOLUTION\nx = 1\n### EDN SOLUTOIN", "misspelt"),
        ("x = 1  ### BEGIN SOLUTION\ny = 2", "misspelt"),
        ("# my solution:\nx = 1", "misspelt"),
    ],
)
def test_a_marker_out_of_order_is_refused(source, words):
    with pytest.raises(SourceError, match=words):
        without_solutions(source)


def test_a_marker_in_a_text_cell_is_refused():
    teacher = v4.new_notebook(cells=[v4.new_markdown_cell("### BEGIN SOLUTION")])
    with pytest.raises(SourceError, match="cell 1: a marker stands in a text cell"):
        student_notebooks.student_variant(teacher)


def test_what_only_teachers_see_may_hold_anything():
    cell = v4.new_code_cell(EXERCISE, metadata={"tags": ["teacher"]})
    student = student_notebooks.student_variant(v4.new_notebook(cells=[cell]))
    assert student.cells == []


def test_links_into_the_parent_folder_lose_one_level():
    text = '[a](../../README.md) <img src="../figures/x.svg"> [b](01_b.ipynb)'
    teacher = v4.new_notebook(cells=[v4.new_markdown_cell(text)])
    [cell] = student_notebooks.student_variant(teacher).cells
    assert cell.source == '[a](../README.md) <img src="figures/x.svg"> [b](01_b.ipynb)'


def test_metadata_and_standard_error_are_not_stored():
    metadata = {"tags": ["a"], "jupyter": {"source_hidden": True}}
    cell = v4.new_code_cell("1", metadata=metadata | {"editable": True})
    cell.outputs = [v4.new_output("stream", name="stderr", text="a warning")]
    foreign = {"widgets": {}, "language_info": {"name": "python", "version": "3"}}
    stored = v4.new_notebook(cells=[cell], metadata=foreign)
    student_notebooks.normalise(stored)
    assert stored.metadata == student_notebooks.METADATA
    assert stored.cells[0].metadata == metadata and stored.cells[0].outputs == []


def test_both_variants_are_stored_executed_and_agree(folder, capsys):
    assert main(["--check", "--folder", str(folder)]) == 0
    assert "agree" in capsys.readouterr().out
    student = nbformat.read(folder / "00_small.ipynb", 4)
    assert [cell.cell_type for cell in student.cells] == ["code", "code", "markdown"]
    assert student.cells[0].outputs[0].text == "ready\n"
    assert student.cells[2].source == "A [picture](figures/idea.svg)."


def edit_source(stored):
    stored.cells[0].source += "\nx = 1"


def edit_tags(stored):
    stored.cells[0].metadata["tags"] = ["nbval-ignore-output"]


def edit_counts(stored):
    stored.cells[0].execution_count = None


def edit_outputs(stored):
    stored.cells[0].outputs = []
    stored.cells[0].execution_count = None


def edit_metadata(stored):
    stored.metadata["kernelspec"]["name"] = "my-kernel"


def mark(stored):
    stored.cells[0].metadata["nbgrader"] = {"points": 1}


def drop_cell(stored):
    del stored.cells[1]


def leak(stored):
    stored.cells[0].source = EXERCISE


@pytest.mark.parametrize(
    "edit, words",
    [
        (edit_source, "differs"),
        (edit_tags, "differs"),
        (mark, "differs"),
        (edit_counts, "not stored executed"),
        (edit_outputs, "not stored executed"),
        (edit_metadata, "not what this command stores"),
        (drop_cell, "number of cells"),
        (leak, "leaks"),
    ],
)
def test_a_student_notebook_that_drifted_is_found(folder, capsys, edit, words):
    change(folder / "00_small.ipynb", edit)
    assert main(["--check", "--folder", str(folder)]) == 1
    assert words in capsys.readouterr().err


def test_a_teachers_notebook_that_changed_is_found(folder, capsys):
    change(folder / "teacher" / "00_small.ipynb", edit_source)
    assert main(["--check", "--folder", str(folder)]) == 1
    assert "differs" in capsys.readouterr().err


def test_an_exercise_without_its_metadata_is_found(folder, capsys):
    def unmark(stored):
        assert stored.cells[1].metadata.pop("nbgrader")["grade_id"] == "double"

    change(folder / "teacher" / "00_small.ipynb", unmark)
    assert main(["--check", "--folder", str(folder)]) == 1
    assert "not what this command stores" in capsys.readouterr().err


def test_missing_and_additional_files_are_found(folder, capsys):
    (folder / "00_small.ipynb").rename(folder / "01_other.ipynb")
    assert main(["--check", "--folder", str(folder)]) == 1
    printed = capsys.readouterr().err
    assert "00_small.ipynb: no student notebook" in printed
    assert "01_other.ipynb: no teacher's notebook" in printed


def test_a_student_notebook_without_a_teachers_stops_the_command(folder, capsys):
    (folder / "00_small.ipynb").rename(folder / "01_other.ipynb")
    assert main(["--folder", str(folder)]) == 2
    assert "01_other.ipynb: no teacher's notebook" in capsys.readouterr().err
    assert not (folder / "00_small.ipynb").exists()


@pytest.mark.parametrize("name, status", [("00", 0), ("00_small", 0), ("0", 2)])
def test_a_name_limits_the_notebooks(folder, capsys, name, status):
    assert main(["--check", name, "--folder", str(folder)]) == status


def test_a_broken_marker_stops_the_command(folder, capsys):
    def unclose(stored):
        stored.cells[0].source = EXERCISE.replace("### END SOLUTION", "")

    before = (folder / "00_small.ipynb").read_bytes()
    change(folder / "teacher" / "00_small.ipynb", unclose)
    for arguments in (["--check"], []):
        assert main([*arguments, "--folder", str(folder)]) == 2
        assert "cell 1: a solution begins and does not end" in capsys.readouterr().err
    assert (folder / "00_small.ipynb").read_bytes() == before


def test_a_cell_that_raises_leaves_the_stored_notebooks_alone(folder, capsys):
    teacher = folder / "teacher" / "00_small.ipynb"
    change(teacher, lambda stored: stored.cells.append(v4.new_code_cell("1 / 0")))
    before = teacher.read_bytes(), (folder / "00_small.ipynb").read_bytes()
    assert main(["--folder", str(folder)]) == 2
    assert "ZeroDivisionError" in capsys.readouterr().err
    assert before == (teacher.read_bytes(), (folder / "00_small.ipynb").read_bytes())


def test_a_folder_without_notebooks_gets_a_sentence(tmp_path, capsys):
    assert main(["--folder", str(tmp_path)]) == 2
    assert "run this at the top of the project" in capsys.readouterr().err


def test_the_notebooks_of_this_project_agree():
    assert student_notebooks.differences(NOTEBOOKS) == []
