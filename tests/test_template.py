"""Tests of the template from which new notebooks are made."""

from pathlib import Path

import nbformat
import pytest

from ps_helpers.tools import student_notebooks

NOTEBOOKS = Path(__file__).parent.parent / "notebooks"
SERIES = sorted(NOTEBOOKS.glob("*.ipynb")) + sorted(NOTEBOOKS.glob("teacher/*.ipynb"))


def instructions(path):
    """Return the lines by which the template says what belongs where they stand."""
    markdown = [
        cell.source
        for cell in nbformat.read(path, 4).cells
        if cell.cell_type == "markdown"
    ]
    return [line for line in "\n".join(markdown).splitlines() if line.startswith("> ")]


def test_the_templates_variants_agree(capsys):
    folder = NOTEBOOKS / "template"
    assert student_notebooks.main(["--check", "--folder", str(folder)]) == 0
    assert "1 notebooks agree" in capsys.readouterr().out


def test_the_template_says_what_belongs_where():
    [path] = NOTEBOOKS.glob("template/*.ipynb")
    assert len(instructions(path)) > 15


@pytest.mark.parametrize("path", SERIES, ids=[path.name for path in SERIES])
def test_no_instruction_of_the_template_is_left(path):
    assert not instructions(path)
