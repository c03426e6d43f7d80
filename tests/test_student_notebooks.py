"""Tests of the command that writes the student notebooks: it fails closed."""

import shutil
from pathlib import Path

import nbformat
import pytest
from nbformat import v4

from ps_helpers.tools import student_notebooks
from ps_helpers.tools.command import SourceError
from ps_helpers.tools.student_notebooks import main, student_variant, without_solutions

NOTEBOOKS = Path(__file__).parent.parent / "notebooks"
EXERCISE = """def double(x):
    ### BEGIN SOLUTION
    return 2 * x
    ### END SOLUTION


print("ready")"""
CHECK = """check = callable

check(double)"""


@pytest.fixture(scope="module")
def executed(tmp_path_factory):
    """Return a folder with one executed notebook in both variants; starts kernels."""
    path = tmp_path_factory.mktemp("notebooks")
    (path / "teacher").mkdir()
    cells = [v4.new_code_cell(EXERCISE), v4.new_code_cell(CHECK)]
    text = '[a](../../README.md) <img src="../figures/x.svg"> [b](01_b.ipynb)'
    cells.append(v4.new_markdown_cell(text))
    cells.append(v4.new_code_cell(EXERCISE, metadata={"tags": ["teacher"]}))
    nbformat.write(v4.new_notebook(cells=cells), path / "teacher" / "00_small.ipynb")
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


OUT_OF_ORDER = {  # lines, with B and E for the markers
    "B|x = 1": "does not end",
    "x = 1|E": "has not begun",
    "B|B|E": "inside another",
    "B||E": "empty",
    "B|# to do|E": "empty",
    "## BEGIN SOLUTION|x = 1|E": "misspelt",
    "### BEGN SOLUTOIN|x = 1|E": "misspelt",
    "B|x = 1|### END": "does not end",
    "B|x = 1|### EDN SOLUTOIN": "misspelt",
    "x = 1  ### BEGIN SOLUTION|y = 2": "misspelt",
    "# my solution:|x = 1": "misspelt",
}


@pytest.mark.parametrize("lines", OUT_OF_ORDER)
def test_a_marker_out_of_order_is_refused(lines):
    markers = {"B": student_notebooks.BEGIN, "E": student_notebooks.END}
    source = "\n".join(markers.get(line, line) for line in lines.split("|"))
    with pytest.raises(SourceError, match=OUT_OF_ORDER[lines]):
        without_solutions(source)
    cell = v4.new_markdown_cell("### BEGIN SOLUTION")
    with pytest.raises(SourceError, match="cell 1: a marker stands in a text cell"):
        student_variant(v4.new_notebook(cells=[cell]))


def test_metadata_and_standard_error_are_not_stored():
    metadata = {"tags": ["a"], "jupyter": {"source_hidden": True}}
    cell = v4.new_code_cell("1", metadata=metadata | {"editable": True})
    cell.outputs = [v4.new_output("stream", name="stderr", text="a warning")]
    foreign = {"widgets": {}, "language_info": {"name": "python", "version": "3"}}
    stored = v4.new_notebook(cells=[cell], metadata=foreign)
    student_notebooks.normalise(stored)
    assert stored.metadata == student_notebooks.METADATA
    assert stored.cells[0].metadata == metadata and stored.cells[0].outputs == []


def test_both_variants_are_stored_executed_and_agree_but_for_links(folder, capsys):
    """And for the teacher's cells, which the student's has not."""
    assert main(["--check", "--folder", str(folder)]) == 0
    assert "agree" in capsys.readouterr().out
    student = nbformat.read(folder / "00_small.ipynb", 4)
    assert [cell.cell_type for cell in student.cells] == ["code", "code", "markdown"]
    assert student.cells[0].outputs[0].text == "ready\n"
    links = '[a](../README.md) <img src="figures/x.svg"> [b](01_b.ipynb)'
    assert student.cells[2].source == links


DRIFTS = {  # made in a stored notebook, the student's but for the last two
    "c.source += '\\nx = 1'": "differs",
    "c.metadata['tags'] = ['nbval-ignore-output']": "differs",
    "c.metadata['nbgrader'] = {'points': 1}": "differs",
    "c.execution_count = None": "not stored executed",
    "for c in stored.cells[:2]: c.outputs = []": "there are no outputs",
    "stored.metadata['kernelspec']['name'] = 'my-kernel'": "not what this command",
    "del stored.cells[1]": "differs",
    "stored.cells.append(v4.new_markdown_cell('More.'))": "differs from missing",
    "c.source = EXERCISE": "leaks",
    "c.source = c.source.replace('2', '3'); c.source += '\\nx = 1'": "differs",
    "del stored.cells[1].metadata['nbgrader']": "not what this command",
}


@pytest.mark.parametrize("drift", DRIFTS)
def test_a_notebook_that_drifted_is_found(folder, capsys, drift):
    def edit(stored):
        exec(drift, globals() | {"stored": stored, "c": stored.cells[0]})

    where = "teacher" if drift in list(DRIFTS)[-2:] else "."
    change(folder / where / "00_small.ipynb", edit)
    assert main(["--check", "--folder", str(folder)]) == 1
    assert DRIFTS[drift] in capsys.readouterr().err


def test_missing_and_additional_files_are_found(folder, capsys):
    (folder / "00_small.ipynb").rename(folder / "01_other.ipynb")
    assert main(["--check", "--folder", str(folder)]) == 1
    printed = capsys.readouterr().err
    assert "00_small.ipynb: no student notebook" in printed
    assert "01_other.ipynb: no teacher's notebook" in printed
    assert main(["--folder", str(folder)]) == 2
    assert "01_other.ipynb: no teacher's notebook" in capsys.readouterr().err
    assert not (folder / "00_small.ipynb").exists()


def test_a_name_limits_the_notebooks(folder):
    for name, status in {"00": 0, "00_small": 0, "0": 2}.items():
        assert main(["--check", name, "--folder", str(folder)]) == status


MISTAKES = {
    "cells[0].source = EXERCISE.replace('END', 'BEGIN')": "cell 1: a solution begins",
    "cells.append(v4.new_code_cell('1 / 0'))": "cell 5: ZeroDivisionError",
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_stops_the_command_and_leaves_what_is_stored(folder, capsys, mistake):
    def edit(stored):
        exec(mistake, globals() | {"cells": stored.cells})

    change(folder / "teacher" / "00_small.ipynb", edit)
    before = [path.read_bytes() for path in sorted(folder.rglob("*.ipynb"))]
    assert main(["--folder", str(folder)]) == 2
    assert MISTAKES[mistake] in capsys.readouterr().err
    assert [path.read_bytes() for path in sorted(folder.rglob("*.ipynb"))] == before


def test_a_folder_without_notebooks_gets_a_sentence(tmp_path, capsys):
    assert main(["--folder", str(tmp_path)]) == 2
    assert "run this at the top of the project" in capsys.readouterr().err


@pytest.mark.parametrize("folder", [NOTEBOOKS, NOTEBOOKS / "template"])
def test_the_notebooks_of_this_project_agree(folder):
    assert student_notebooks.differences(folder) == []
