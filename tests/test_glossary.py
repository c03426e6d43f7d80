"""Tests of the glossary, and of the links to it in the notebooks' prose."""

import functools
import re
from collections import Counter
from pathlib import Path

import nbformat
import pytest
from nbformat import v4

from ps_helpers.tools import command, glossary

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
SECTION = r"^## {}\n.*?(?=^## |\Z)"
WORDS = re.compile(SECTION.format("Words"), re.DOTALL | re.MULTILINE)
READING = re.compile(SECTION.format("Further reading"), re.DOTALL | re.MULTILINE)
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
    text = READING.sub(lambda m: re.sub(r"\*[^*\n]+\*", blank, m.group()), text)
    return NO_PROSE.sub(blank, WORDS.sub(blank, text))


def text_of(path):
    """Return the Markdown of a teacher's notebook, as students get it."""
    cells = [c for c in nbformat.read(path, 4).cells if c.cell_type == "markdown"]
    shown = [c.source for c in cells if "teacher" not in c.metadata.get("tags", [])]
    return "\n\n".join(shown)


@functools.cache
def uses(text, terms):
    """Return (term, anchor of the link around it or None) of each use, in order.

    Of two terms that begin at the same place the longer one is meant.
    """
    links = [(*link.span(1), link[2]) for link in LINK.finditer(text)]
    terms = sorted(terms, key=len, reverse=True)
    forms = "|".join(f"({FORMS.get(t, re.escape(t) + '(?:e?s)?')})" for t in terms)
    found = []
    for match in re.finditer(rf"\b(?:{forms})\b", prose(text), re.IGNORECASE):
        around = [to for start, end, to in links if start <= match.start() < end]
        found.append((terms[match.lastindex - 1], around[0] if around else None))
    return found


def wrong_links(texts, terms):
    """Say which terms are not linked once in the texts, at their first use."""
    found, first = [], {}
    for name, text in texts.items():
        for term, target in uses(text, tuple(terms)):
            if term not in first and target != glossary.anchor(term):
                found.append(f"{name}: {term!r} is not linked at its first use")
            first.setdefault(term, name)
    links = Counter(to for text in texts.values() for _, to in LINK.findall(text))
    times = {term: links.pop(glossary.anchor(term), 0) for term in terms}
    found += [f"{term!r} is linked {n} times" for term, n in times.items() if n != 1]
    return found + [f"no term has the anchor {anchor}" for anchor in links]


def early_uses(texts, introduced):
    """Say which terms are used earlier than introduced, where nothing links them."""
    names, found = list(texts), []
    for name, text in texts.items():
        linked = {to for _, to in LINK.findall(text)}
        for term in sorted({term for term, _ in uses(text, tuple(introduced))}):
            early = names.index(name) < names.index(introduced[term])
            if early and glossary.anchor(term) not in linked:
                found.append(f"{name}: {term!r} comes in {introduced[term]}")
    return found


def test_terms_are_linked_once_where_first_used_and_introduced_before_use():
    entries = glossary.entries(NOTEBOOKS)
    texts = {path.name: text_of(path) for path in sorted(NOTEBOOKS.glob("t*/0*.ipynb"))}
    assert len(texts) >= 9 and wrong_links(texts, entries) == []
    introduced = {term: path.name for term, (_, path) in entries.items()}
    assert early_uses(texts, introduced) == []


# That the test above can fail

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


def test_the_longer_of_two_terms_is_meant_and_an_early_use_is_found():
    terms = "server", "round", "parameter server", "round trip"
    found = uses("Parameter servers and round trips, a server, rounding.", terms)
    assert [term for term, _ in found] == ["parameter server", "round trip", "server"]
    texts = {"0": "It pulls.", "1": PUSH, "2": "Who pushes, pulls.", "3": "Pull!"}
    early = early_uses(texts, {"push": "3", "pull": "0"})
    assert early == ["2: 'push' comes in 3"]


# The command


def make(folder, *notebooks):
    """Run the command on notebooks (name, Words section); return its exit status."""
    (folder / "teacher").mkdir()
    for name, words in notebooks:
        cell = v4.new_markdown_cell(f"# A\n\n## Words\n\n{words}\n\n## Questions\n\n1.")
        path = folder / "teacher" / f"{name}.ipynb"
        nbformat.write(v4.new_notebook(cells=[cell]), path)
    return command.keep("", glossary.make, [f"--folder={folder}"])


ALIAS = "- **alias**: a name."


def test_the_glossary_is_alphabetical_and_names_the_notebook(tmp_path):
    time = "- **virtual time**: time that is counted."
    assert make(tmp_path, ("00_a", time), ("04b_b", ALIAS)) == 0
    text = (tmp_path / "glossary.md").read_text()
    assert text == glossary.TOP + (
        "\n## alias\n\nA name.\nIntroduced in [notebook 4b](04b_b.ipynb).\n"
        "\n## virtual time\n\nTime that is counted.\n"
        "Introduced in [notebook 0](00_a.ipynb).\n"
    )


@pytest.mark.parametrize(
    "words, reason",
    [
        ([ALIAS, ALIAS], r"'alias' is defined twice: .*0_a\.ipynb and .*1_a\.ipynb"),
        (["- **Alias**: a name."], "0_a.ipynb: not .*: - .*Alias"),
        (["- alias: a name."], "0_a.ipynb: not .*: - alias"),
        (["Alias."], "0_a.ipynb: not .*: Alias"),
    ],
)
def test_a_mistake_in_the_words_is_refused(tmp_path, capsys, words, reason):
    assert make(tmp_path, *((f"{n}_a", text) for n, text in enumerate(words))) == 2
    assert re.search(reason, capsys.readouterr().err)
    assert not (tmp_path / "glossary.md").exists()
