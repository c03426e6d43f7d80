"""Tests of what tools keep: diagrams, the count of notebooks, README's speeds."""

import copy
import json
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import TextPath

from ps_helpers.tools import command, diagrams, glossary, speed

ROOT = Path(__file__).parent.parent
NOTEBOOKS = ROOT / "notebooks"
SVG = "{http://www.w3.org/2000/svg}"

every_diagram = pytest.mark.parametrize("name", diagrams.PICTURES)


@pytest.mark.parametrize("tool", [diagrams, glossary, speed])
def test_what_is_stored_is_what_the_tool_makes(tool, capsys):
    assert command.keep("", tool.make, [f"--folder={NOTEBOOKS}", "--check"]) == 0
    assert not capsys.readouterr().err


def test_a_stale_and_a_missing_file_are_found_and_written(tmp_path, capsys):
    files = {tmp_path / "a": "Ä\n", tmp_path / "b": "b"}
    for damage, status in (Path.unlink, 1), (lambda path: path.write_text("b"), 1):
        assert command.keep("", lambda folder: files, []) == 0
        assert command.keep("", lambda folder: files, ["--check"]) == 0
        damage(tmp_path / "a")
        assert command.keep("", lambda folder: files, ["--check"]) == status
        assert capsys.readouterr().err == f"{tmp_path / 'a'} is stale\n"


# Diagrams


def luminance(colour):
    """Return the relative luminance of #RRGGBB, as WCAG 2 defines it."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [
        c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in parts
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_no_diagram_is_stored_that_is_not_made():
    stored = {path.name for path in (NOTEBOOKS / "figures").iterdir()}
    assert stored == set(diagrams.PICTURES)


@every_diagram
def test_a_diagram_names_itself_and_keeps_inside_its_frame(name):
    svg = ElementTree.fromstring(diagrams.PICTURES[name]())
    assert svg.get("role") == "img"
    assert svg.findtext(f"{SVG}title") and svg.findtext(f"{SVG}desc")
    for rect in svg.iter(f"{SVG}rect"):
        x, y, width, height = (float(rect.get(k)) for k in "x y width height".split())
        assert 0 <= x <= x + width <= diagrams.WIDTH
        assert 0 <= y <= y + height <= diagrams.HEIGHT


@every_diagram
def test_words_are_large_and_dark_enough_and_keep_apart(name):
    svg = ElementTree.fromstring(diagrams.PICTURES[name]())
    # The darkest ground that text stands on is the workers' light blue.
    ground, placed = luminance(diagrams.WORKER[0]), []
    for text in svg.iter(f"{SVG}text"):
        x, y, size = (float(text.get(k)) for k in ("x", "y", "font-size"))
        assert size >= 13
        assert (ground + 0.05) / (luminance(text.get("fill")) + 0.05) >= 4.5
        weight, anchor = text.get("font-weight", "normal"), text.get("text-anchor")
        font = FontProperties(family="DejaVu Sans", weight=weight)
        width = TextPath((0, 0), text.text, size, prop=font).get_extents().width
        left = x - width * {"start": 0, "middle": 0.5, "end": 1}[anchor]
        assert 8 < left and left + width < diagrams.WIDTH - 8, text.text
        for other, a, b, top in placed:
            assert left > b or left + width < a or abs(y - top) > 0.9 * size, other
        placed.append((text.text, left, left + width, y))


# How many notebooks are ready


def test_all_say_the_same_of_how_many_notebooks_are_ready():
    written = {path.name[:2] for path in NOTEBOOKS.glob("teacher/*.ipynb")}
    for file in ("00_start_here.ipynb", "figures/map.svg", "../site/index.md"):
        text = (NOTEBOOKS / file).read_text()
        said = re.findall(r"otebooks (0 to [\d and]+) are ready", text)
        assert said == [diagrams.ready()]
    readme = (ROOT / "README.md").read_text()
    planned = re.findall(r"^\| \d\d .* \| planned \|", readme, re.M)
    assert len(planned) == 10 - len(written)


# README's speeds


FOUND = json.loads(speed.STORED.read_text())


def changed(edit):
    found = copy.deepcopy(FOUND)
    edit(found)
    return speed.section(found)


def test_the_section_tells_medians_peaks_and_ratios():
    def edit(found):
        for row in found["rates"]:
            factor = {"limit": 4, speed.OURS: 2, speed.MANY: 3}.get(row["pattern"], 1)
            row["rates"] = [9e9, 1.25 * factor, 0]
        for row in found["learning"]:
            best = row["pattern"] == speed.FEW and row["lr"] == 0.1
            row["seconds"] = [None, 0.25 if best else 1.0, 0.0]
        found["memory"]["limit"]["23"] = 2.04e9

    text = changed(edit)
    assert "\n| limit | 5.0 | 5.0 | 5.0 | 5.0 | | 2.0 GB |\n" in text
    assert "\n| shared memory, 3 local steps | 1.2 |" in text and "| 0.25 |" in text
    assert "is 2 to 2 times as fast" in text and "0.75 to 0.75 of the limit" in text
    assert text.endswith("the target accuracy 4 times as soon.")


def test_a_readme_without_the_section_is_refused(tmp_path, capsys):
    (tmp_path / "README.md").write_text("# A title\n")
    assert command.keep("", speed.make, [f"--folder={tmp_path / 'notebooks'}"]) == 2
    assert "README.md has nothing between" in capsys.readouterr().err
