"""Tests that README and the first notebooks say what files and outputs say."""

import re
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
TEACHER = sorted((ROOT / "notebooks" / "teacher").glob("*.ipynb"))


def text_of(path, cell_type="markdown"):
    cells = nbformat.read(path, 4).cells
    return "\n".join(cell.source for cell in cells if cell.cell_type == cell_type)


def printed_by(path):
    cells = nbformat.read(path, 4).cells
    outputs = [out for cell in cells for out in cell.get("outputs", ())]
    return "\n".join(output.get("text", "") for output in outputs)


@pytest.mark.parametrize("path", TEACHER, ids=lambda path: path.stem)
def test_the_readme_gives_the_times_that_the_notebook_gives(path):
    takes = re.search(r"\*\*Takes\*\* (\d+) minutes.*?; (\d+) seconds", text_of(path))
    [row] = [line for line in README.splitlines() if f"/{path.name}) |" in line]
    assert f"| {takes[1]} min | {takes[2]} s |" in row


@pytest.mark.parametrize("path", TEACHER[1:3], ids=lambda path: path.stem)
def test_the_results_are_those_that_a_cell_prints(path):
    own = rf"^\| {path.stem[:2]} .*\| ([\d.]+) \| ([\d.]+) \|$"
    rows = re.findall(own, text_of(path), re.MULTILINE)
    assert rows
    for loss, accuracy in rows:
        assert f"loss {loss}, accuracy {accuracy}" in printed_by(path)


def test_results_of_the_first_notebook_are_repeated_as_they_are():
    tables = [re.findall(r"^\| (01 .*) \|$", text_of(p), re.M) for p in TEACHER[1:3]]
    assert tables[0] == tables[1] and len(tables[0]) == 1
