"""Tests of the diagrams that stand in the notebooks."""

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import TextPath

from ps_helpers.tools import diagrams

FIGURES = Path(__file__).parent.parent / "notebooks" / "figures"


def luminance(colour):
    """Return the relative luminance of #RRGGBB, as WCAG 2 defines it."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [
        c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in parts
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_no_diagram_is_stored_that_is_not_made():
    assert {path.name for path in FIGURES.iterdir()} == set(diagrams.PICTURES)


@pytest.mark.parametrize("name", diagrams.PICTURES)
def test_the_stored_diagram_is_the_one_that_is_drawn(name):
    assert (FIGURES / name).read_text() == diagrams.PICTURES[name]()


@pytest.mark.parametrize("name", diagrams.PICTURES)
def test_a_diagram_names_itself_and_keeps_inside_its_frame(name):
    svg = ElementTree.parse(FIGURES / name).getroot()
    space = "{http://www.w3.org/2000/svg}"
    assert svg.get("role") == "img"
    assert svg.findtext(f"{space}title") and svg.findtext(f"{space}desc")
    for rect in svg.iter(f"{space}rect"):
        x, y, width, height = (
            float(rect.get(k)) for k in ("x", "y", "width", "height")
        )
        assert 0 <= x <= x + width <= float(svg.get("width"))
        assert 0 <= y <= y + height <= float(svg.get("height"))


@pytest.mark.parametrize("name", diagrams.PICTURES)
def test_text_is_large_and_dark_enough(name):
    svg = diagrams.PICTURES[name]()
    for size, colour in re.findall(r'<text[^>]*font-size="(\d+)" fill="(\S+)"', svg):
        assert int(size) >= 13
        # The darkest ground that text stands on is the workers' light blue.
        ground = luminance(diagrams.WORKER[0])
        assert (ground + 0.05) / (luminance(colour) + 0.05) >= 4.5


@pytest.mark.parametrize("name", diagrams.PICTURES)
def test_no_two_words_overlap_or_leave_the_frame(name):
    svg = ElementTree.fromstring(diagrams.PICTURES[name]())
    placed = []
    for text in svg.iter("{http://www.w3.org/2000/svg}text"):
        x, y, size = (float(text.get(k)) for k in ("x", "y", "font-size"))
        weight, anchor = text.get("font-weight", "normal"), text.get("text-anchor")
        font = FontProperties(family="DejaVu Sans", weight=weight)
        width = TextPath((0, 0), text.text, size, prop=font).get_extents().width
        left = x - width * {"start": 0, "middle": 0.5, "end": 1}[anchor]
        assert 8 < left and left + width < diagrams.WIDTH - 8, text.text
        for other, a, b, top in placed:
            assert left > b or left + width < a or abs(y - top) > 0.9 * size, other
        placed.append((text.text, left, left + width, y))
