"""Tests of the glossary, and of the links to it in the notebooks' prose."""

import re
from collections import Counter
from pathlib import Path

import nbformat
import pytest
from nbformat import v4

from ps_helpers.tools import glossary

NOTEBOOKS = Path(__file__).parent.parent / "notebooks"
FORMS = {  # what counts as a use of a term, if not the term and its plural alone
    "weights": "weights?",
    "push": "push(?:e[ds]|ing)?",
    "pull": "pull(?:s|ed|ing)?",
    "replay": "replay(?:s|ed|ing)?",
    "calibrate": "calibrat(?:e[ds]?|ing)",
    "asynchronous": "asynchronous(?:ly)?|asynchrony",
    "synchronous": "synchronous(?:ly)?|synchrony",
    "stale-synchronous": "stale-synchronous(?:ly)?|SSP",
    "stochastic gradient descent": "stochastic gradient descent|SGD",
    "rule of waiting": "rules? of waiting",
    "event queue": "event queues?|queues? of events",
}
LINK = re.compile(r"\[([^\]]+)\]\((?:\.\./)?glossary\.md#([^)]+)\)")
WORDS = re.compile(r"^## Words\n.*?(?=^## |\Z)", re.DOTALL | re.MULTILINE)
READING = re.compile(r"^## Further reading\n.*?(?=^## |\Z)", re.DOTALL | re.MULTILINE)
TITLE = re.compile(r"\*[^*\n]+\*")
NO_PROSE = re.compile(
    r"```.*?```|`[^`\n]+`"  # code
    r"|^[#|][^\n]*"  # headings and tables
    r"|!?\[[^\]]*\]\((?!(?:\.\./)?glossary\.md)[^)]*\)"  # pictures, other links
    r"|(?<=\]\()[^)]*",  # where a link to the glossary leads
    re.DOTALL | re.MULTILINE,
)


def blank(match):
    return " " * len(match.group())


def prose(text):
    """Return the text with spaces in place of all that is not prose."""
    text = READING.sub(lambda section: TITLE.sub(blank, section.group()), text)
    return NO_PROSE.sub(blank, WORDS.sub(blank, text))


def text_of(path):
    """Return the Markdown of a notebook, as students get it."""
    cells = nbformat.read(path, 4).cells
    return "\n\n".join(
        cell.source
        for cell in cells
        if cell.cell_type == "markdown"
        and "teacher" not in cell.metadata.get("tags", [])
    )


def uses(text, terms):
    """Return (term, anchor of the link around it or None) of each use, in order.

    Of two terms that begin at the same place the longer one is meant.
    """
    links = [(*link.span(1), link[2]) for link in LINK.finditer(text)]
    longest_first = sorted(terms, key=len, reverse=True)
    forms = "|".join(
        f"({FORMS.get(term, re.escape(term) + '(?:e?s)?')})" for term in longest_first
    )
    found = []
    for match in re.finditer(rf"\b(?:{forms})\b", prose(text), re.IGNORECASE):
        around = [to for start, end, to in links if start <= match.start() < end]
        term = longest_first[match.lastindex - 1]
        found.append((term, around[0] if around else None))
    return found


def wrong_links(texts, terms):
    """Say which terms are not linked once in the texts, at their first use."""
    found, first = [], {}
    for name, text in texts.items():
        for term, target in uses(text, terms):
            if term not in first and target != glossary.anchor(term):
                found.append(f"{name}: {term!r} is not linked at its first use")
            first.setdefault(term, name)
    links = Counter(to for text in texts.values() for _, to in LINK.findall(text))
    for term in terms:
        times = links.pop(glossary.anchor(term), 0)
        if times != 1:
            found.append(f"{term!r} is linked {times} times")
    return found + [f"no term has the anchor {anchor}" for anchor in links]


def early_uses(texts, introduced):
    """Say which terms are used earlier than introduced, where nothing links them."""
    names, found = list(texts), []
    for name, text in texts.items():
        linked = {to for _, to in LINK.findall(text)}
        for term in sorted({term for term, _ in uses(text, introduced)}):
            early = names.index(name) < names.index(introduced[term])
            if early and glossary.anchor(term) not in linked:
                found.append(f"{name}: {term!r} comes in {introduced[term]}")
    return found


@pytest.fixture(scope="module")
def entries():
    return glossary.entries(NOTEBOOKS)


@pytest.fixture(scope="module")
def texts():
    """Return {name: text}, in the order of the series."""
    paths = sorted((NOTEBOOKS / "teacher").glob("*.ipynb"))
    return {path.name: text_of(path) for path in paths}


# The notebooks as they are


def test_the_stored_glossary_is_the_generated_one(entries):
    stored = (NOTEBOOKS / "glossary.md").read_text(encoding="utf-8")
    assert stored == glossary.glossary(entries)


def test_every_term_is_linked_once_where_it_is_first_used(texts, entries):
    assert wrong_links(texts, entries) == []


def test_no_term_is_used_before_it_is_introduced(texts, entries):
    introduced = {term: path.name for term, (_, path) in entries.items()}
    assert early_uses(texts, introduced) == []


# That the tests above can fail


PUSH = "A [push](../glossary.md#push) adds."


@pytest.mark.parametrize(
    "wrong, texts",
    [
        ("a: 'push' is not linked at its first use", ["Pushes add.", PUSH]),
        ("'push' is linked 0 times", ["Pushes add."]),
        ("'push' is linked 0 times", ["## Push\n\nOne `push`."]),
        ("'push' is linked 2 times", [PUSH, PUSH]),
        ("'push' is linked 2 times", [PUSH, "## [Push](../glossary.md#push)"]),
        ("no term has the anchor pull", [PUSH + " [Pull](../glossary.md#pull)."]),
        ("a: 'push' is not linked at", ["A [push](../glossary.md#pull) adds."]),
    ],
)
def test_a_wrong_link_is_found(wrong, texts):
    found = wrong_links(dict(zip("ab", texts, strict=False)), ["push"])
    assert any(line.startswith(wrong) for line in found), found


@pytest.mark.parametrize(
    "before",
    [
        "# Push",
        "| push |",
        "`push` and ```\npush\n```",
        "[push](02_push.ipynb) ![A push.](push.svg)",
        "## Words\n\n- **push**: to add.\n\n## Questions",
        "## Further reading\n\n- A. B., *To push* (2014).",
        "Those who pushup.",
    ],
)
def test_what_is_not_prose_is_no_use(before):
    assert wrong_links({"a": f"{before}\n\n{PUSH}\n\nThey pushed."}, ["push"]) == []


def test_the_longer_of_two_terms_is_meant():
    terms = ["server", "round", "parameter server", "round trip"]
    found = uses("Parameter servers and round trips, a server, rounding.", terms)
    assert [term for term, _ in found] == ["parameter server", "round trip", "server"]


def test_a_use_before_the_introduction_is_found():
    texts = {"0": "It pulls.", "1": PUSH, "2": "Who pushes, pulls.", "3": "Pull!"}
    introduced = {"push": "3", "pull": "0"}
    assert early_uses(texts, introduced) == ["2: 'push' comes in 3"]


# The command


def folder_of(path, **notebooks):
    """Write teacher's notebooks, one a Words section; return their folder."""
    (path / "teacher").mkdir()
    for name, words in notebooks.items():
        cell = v4.new_markdown_cell(f"# A\n\n## Words\n\n{words}\n\n## Questions\n\n1.")
        notebook = v4.new_notebook(cells=[cell])
        nbformat.write(notebook, path / "teacher" / f"{name}.ipynb")
    return path


def run(folder, *arguments):
    return glossary.main([f"--folder={folder}", *arguments])


def test_the_glossary_is_alphabetical_and_names_the_notebook(tmp_path):
    one = "- **virtual time**: time that is counted."
    folder = folder_of(tmp_path, **{"00_a": one, "04b_b": "- **alias**: a name."})
    assert run(folder) == run(folder, "--check") == 0
    assert (
        (folder / "glossary.md")
        .read_text()
        .endswith(
            "\n## alias\n\nA name.\nIntroduced in [notebook 4b](04b_b.ipynb).\n"
            "\n## virtual time\n\nTime that is counted.\n"
            "Introduced in [notebook 0](00_a.ipynb).\n"
        )
    )


def test_the_check_finds_a_difference_and_a_missing_file(tmp_path, capsys):
    folder = folder_of(tmp_path, **{"00_a": "- **alias**: a name."})
    assert run(folder, "--check") == 1
    run(folder)
    folder.joinpath("glossary.md").write_text("# Glossary\n")
    assert run(folder, "--check") == 1
    assert "glossary.md is stale" in capsys.readouterr().err
    assert folder.joinpath("glossary.md").read_text() == "# Glossary\n"


def test_a_term_defined_twice_names_both_places(tmp_path, capsys):
    word = "- **alias**: a name."
    assert run(folder_of(tmp_path, **{"00_a": word, "01_b": word})) == 2
    error = capsys.readouterr().err
    assert "'alias' is defined twice" in error
    assert "00_a.ipynb" in error and "01_b.ipynb" in error


@pytest.mark.parametrize("line", ["- **Alias**: a name.", "- alias: a name.", "Alias."])
def test_a_line_of_another_form_is_refused(tmp_path, capsys, line):
    assert run(folder_of(tmp_path, **{"00_a": line})) == 2
    assert line in capsys.readouterr().err
