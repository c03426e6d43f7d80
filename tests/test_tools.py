"""Tests of what tools keep: diagrams, the count of notebooks, README's speeds."""

import functools
import html
import json
import re
import shutil
from pathlib import Path
from xml.etree import ElementTree

import pytest
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import TextPath
from test_plots import contrast_with_white

from ps_helpers.rules import Asynchronous, StaleSynchronous, Synchronous
from ps_helpers.simulator import schedule
from ps_helpers.tools import command, diagrams, glossary, paper_claims, slides, speed
from ps_helpers.tools.student_notebooks import find, read

ROOT = Path(__file__).parent.parent
NOTEBOOKS = ROOT / "notebooks"
SVG = "{http://www.w3.org/2000/svg}"

every_diagram = pytest.mark.parametrize("name", diagrams.PICTURES)


@pytest.mark.parametrize("tool", [diagrams, glossary, paper_claims, speed])
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


@functools.cache
def width_of(words, size, weight):
    font = FontProperties(family="DejaVu Sans", weight=weight)
    return TextPath((0, 0), words, size, prop=font).get_extents().width


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
    ground, placed = contrast_with_white(diagrams.WORKER[0]), []
    for text in svg.iter(f"{SVG}text"):
        x, y, size = (float(text.get(k)) for k in ("x", "y", "font-size"))
        assert size >= 13
        assert contrast_with_white(text.get("fill")) / ground >= 4.5
        weight, anchor = text.get("font-weight", "normal"), text.get("text-anchor")
        width = width_of(text.text, size, weight)
        left = x - width * {"start": 0, "middle": 0.5, "end": 1}[anchor]
        assert 8 < left and left + width < diagrams.WIDTH - 8, text.text
        for other, a, b, top in placed:
            assert left > b or left + width < a or abs(y - top) > 0.9 * size, other
        placed.append((text.text, left, left + width, y))


# How many notebooks are ready


def test_all_say_the_same_of_how_many_notebooks_are_ready():
    for file in ("00_start_here.ipynb", "figures/map.svg", "../site/index.md"):
        text = (NOTEBOOKS / file).read_text()
        said = re.findall(r"otebooks (0 to [\d and]+) are ready", text)
        assert said == [diagrams.ready()]


def test_the_teachers_table_counts_exercises_and_tells_readmes_seconds():
    teacher = (NOTEBOOKS / "teacher" / "README.md").read_text()
    rows = re.findall(
        r"(?m)^\| (notebook|exercises|seconds[^|]*) \| (\d.+) \|$", teacher
    )
    numbers, exercises, seconds = (row.split(" | ") for _, row in rows)
    paths = find(NOTEBOOKS / "teacher", [])
    assert numbers == [path.name.partition("_")[0] for path in paths]
    counts = [path.read_text().count('"grade": true') for path in paths]
    assert [*map(int, exercises)] == counts
    readme = (ROOT / "README.md").read_text()
    assert seconds == re.findall(r"(?m)^\| \[.*min \| (\d+) s \|", readme)


# README's speeds


def test_the_section_tells_medians_peaks_and_ratios():
    found = json.loads(speed.STORED.read_text())
    for row in found["rates"]:
        factor = {"limit": 4, speed.OURS: 2, speed.MANY: 3}.get(row["pattern"], 1)
        row["rates"] = [9e9, 1.25 * factor, 0]
    for row in found["learning"]:
        best = row["pattern"] == speed.FEW and row["lr"] == 0.1
        row["seconds"] = [None, 0.25 if best else 1.0, 0.0]
    found["memory"]["limit"]["23"] = 2.04e9
    slow = {"megabytes": 0.04, "workers": 4, "pattern": "one size", "rates": [7]}
    found["rates"].append(slow)
    text = speed.section(found)
    assert "\n| limit | 5.0 | 5.0 | 5.0 | 5.0 | | 2.0 GB |\n" in text
    assert "\n| shared memory, 3 local steps | 1.2 |" in text and "| 0.25 |" in text
    assert "\n| one size | 7.0 | | | | | |\n" in text
    assert "is 2 to 2 times as fast" in text
    assert "0.75 to 0.75 of the limit" in text
    assert text.endswith("the target accuracy 4 times as soon.")


def test_a_readme_without_the_section_is_refused(tmp_path, capsys):
    (tmp_path / "README.md").write_text("# A title\n")
    assert command.keep("", speed.make, [f"--folder={tmp_path / 'notebooks'}"]) == 2
    assert "README.md has nothing between" in capsys.readouterr().err


# Slides, figures to print, and the cards of a game


def test_every_notebook_has_its_drawing_its_figures_and_three_key_cells():
    notebooks = find(NOTEBOOKS, [])
    assert [path.stem for path in notebooks] == list(slides.KEY_CELLS)
    for path in notebooks:
        notebook, key_cells = read(path), slides.KEY_CELLS[path.stem].split()
        cells = list(slides.pick(notebook, key_cells))
        assert [cell.id for cell in cells if cell.source and cell.id in key_cells]
        assert sum(cell.id in key_cells for cell in cells) == 3
        assert all(cell.metadata["heading"] for cell in cells)
        figures = [cell for cell in cells if cell.metadata["caption"]]
        assert len(figures) == len(cells) - 3 == len(list(slides.pick(notebook)))
        text = path.read_text()
        shown = text.count('"alt": ') + text.count("](figures/")
        assert len(figures) == shown > 0
        # A solution's stub is nothing for a wall.
        assert not any("NotImplementedError" in cell.source for cell in cells)


@pytest.mark.parametrize("kind", ["slides", "sheet"])
def test_a_page_holds_all_that_it_shows(kind):
    notebook = read(NOTEBOOKS / "02_push_and_pull.ipynb")
    key_cells = slides.KEY_CELLS["02_push_and_pull"].split() * (kind == "slides")
    cells = list(slides.pick(notebook, key_cells))
    text = slides.page(cells, "2 · A title", kind, NOTEBOOKS)
    assert text.count("<section") == len(cells) and f'<body class="{kind}">' in text
    pictures = re.findall(r'<img\b[^>]*?src="data:image/(?:png|svg\+xml);base64', text)
    assert len(pictures) == len(cells) - len(key_cells) == text.count("alt=")
    assert re.findall(r'(?:src|href)=["\'](?!data:)[^"\']*|url\(|@import', text) == []
    seen = html.unescape(re.sub("<[^>]+>", "", text))
    for cell in cells:
        assert cell.metadata["heading"] in seen and cell.metadata["caption"] in seen
    assert ("self.weights[key] = self.weights[key] + value" in seen) == bool(key_cells)
    assert ("after another push: [1. 1. 1.]" in seen) == bool(key_cells)


def test_all_pages_and_the_cards_are_listed_and_a_lost_key_cell_is_refused(
    tmp_path, monkeypatch, capsys
):
    folder, name = tmp_path / "notebooks", "00_start_here"
    shutil.copytree(NOTEBOOKS / "figures", folder / "figures")
    (folder / "teacher").mkdir()
    shutil.copy(NOTEBOOKS / "teacher" / slides.GAME, folder / "teacher")
    shutil.copy(NOTEBOOKS / f"{name}.ipynb", folder)
    arguments = [f"--folder={folder}"]
    assert command.run("", slides.write, arguments=arguments) == 0
    written = {path.name for path in (tmp_path / "build" / "slides").iterdir()}
    index = (tmp_path / "build" / "slides" / "index.html").read_text()
    links = set(re.findall('href="([^"]+)"', index))
    assert links == written - {"index.html"}
    assert links == {f"{name}.html", f"{name}-figures.html", slides.GAME}
    monkeypatch.setitem(slides.KEY_CELLS, name, "00-03 lost")
    assert command.run("", slides.write, arguments=arguments) == 2
    assert f"{name}.ipynb: no key cell lost" in capsys.readouterr().err


def test_the_game_comes_out_as_its_page_says():
    text = (NOTEBOOKS / "teacher" / slides.GAME).read_text()
    cards = re.findall(r'class="steps">([\d ]+)<', text)
    steps = [[int(claps) for claps in card.split()] for card in cards]
    rows = re.findall(r"<tr><td>(.+?)</td>((?:<td>\d+</td>)+)</tr>", text)
    told = {rule: [*map(int, re.findall(r"\d+", row))] for rule, row in rows}
    rules = {
        "Synchronous": (Synchronous(4), 4),
        "Asynchronous": (Asynchronous(), 4),
        "Stale-synchronous": (StaleSynchronous(4, bound=1), 4),
        "Backup worker": (Synchronous(4), 5),
    }
    assert list(told) == list(rules)
    for name, (rule, team) in rules.items():
        log = schedule(rule, team, lambda w, step: steps[w][step], 24 + told[name][2])
        end = log[-1].arrived
        stood = sum((end - push.arrived) * (1 - len(push.go)) for push in log)
        dropped = sum(push.dropped for push in log)
        assert [end, stood, dropped] == told[name]
        counted = [push.staleness for push in log if not push.dropped]
        assert len(counted) == 24 and log[-1].go
        assert max(counted) == (0 if team == 5 or name == "Synchronous" else 7)
