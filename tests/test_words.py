"""Tests of the words and links of README, notebooks and code.

The spelling is codespell's; what it is to ignore stands in pyproject.toml.
"""

import re
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path
from urllib.parse import unquote, urlsplit

import nbformat
import pytest
from markdown_it import MarkdownIt
from nbformat import v4

ROOT = Path(__file__).parent.parent
GONE = {404, 410}  # other errors, such as 403 or 429, say nothing about the page
PROBE = "https://github.com"
HEADERS = {"User-Agent": "Mozilla/5.0 (a test of links)"}


def files(*patterns):
    found = {path for pattern in patterns for path in ROOT.glob(pattern)}
    return sorted(p for p in found if ".ipynb_checkpoints" not in p.parts)


NOTEBOOKS = files("notebooks/**/*.ipynb")
PAGES = files("*.md", "notebooks/**/*.md", "site/*.md")
CODE = files("Makefile", "ps_helpers/**/*.py", "tests/**/*.py", "site/*.py")
LINKED = files("*.md", "notebooks/**/*.md") + NOTEBOOKS  # test_site: the others

every_linked = pytest.mark.parametrize(
    "path", LINKED, ids=lambda path: str(path.relative_to(ROOT))
)


def text_of(path, *cell_types):
    """Return what a file says: of a notebook its cells, without their outputs."""
    if path.suffix != ".ipynb":
        return path.read_text(encoding="utf-8")
    cells = nbformat.read(path, 4).cells
    return "\n\n".join(c.source for c in cells if c.cell_type in cell_types)


# Spelling


def misspelt(folder, notebooks=(), others=()):
    """Return codespell's lines; the notebooks' sources are written to the folder."""
    texts = list(others)
    for number, path in enumerate(notebooks):
        texts.append(folder / f"{number}_{path.name}.txt")
        texts[-1].write_text(text_of(path, "markdown", "code"), encoding="utf-8")
    command = [sys.executable, "-m", "codespell_lib", *texts]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert not done.stderr, done.stderr
    return done.stdout.splitlines()


def test_no_word_is_misspelt(tmp_path):
    assert misspelt(tmp_path, NOTEBOOKS, PAGES + CODE) == []


def test_a_misspelt_word_is_found_in_text_and_code_but_not_in_outputs(tmp_path):
    output = v4.new_output("stream", text="seperate")  # codespell:ignore
    cells = [
        v4.new_markdown_cell("The colour is teh same."),  # codespell:ignore
        v4.new_code_cell("x = 1  # recieve", outputs=[output]),  # codespell:ignore
    ]
    path = tmp_path / "a.ipynb"
    nbformat.write(v4.new_notebook(cells=cells), path)
    found = misspelt(tmp_path, [path])
    assert [line.partition(" ==> ")[2] for line in found] == ["the", "receive"]


# Links


def inline_tokens(text):
    """Return the tokens of the text's lines: words, links, pictures."""
    blocks = MarkdownIt("commonmark").enable("table").parse(text)
    return [token for block in blocks for token in block.children or []]


def targets(text):
    """Return where the links and pictures of a text lead."""
    found = [t.attrGet("href") or t.attrGet("src") for t in inline_tokens(text)]
    return [target for target in found if target]


def anchors(text):
    """Return the anchors of the headings, as GitHub and Sphinx make them."""
    blocks = MarkdownIt("commonmark").parse(text)
    pairs = zip(blocks, blocks[1:], strict=False)
    titles = [after.content for block, after in pairs if block.type == "heading_open"]
    return {re.sub(r"[^\w\- ]", "", t.lower()).replace(" ", "-") for t in titles}


def broken(text, path):
    """Say which links of a text at that path are written wrongly or lead nowhere."""
    words = [token.content for token in inline_tokens(text) if token.type == "text"]
    found = [f"not a link: {part}" for part in words if "](" in part]
    for target in targets(text):
        url = urlsplit(target)
        if url.scheme or url.netloc:
            if url.scheme != "https" or not re.fullmatch(r"[\w.-]+\.\w+", url.netloc):
                found.append(f"not a good address: {target}")
            continue
        other = path.parent / unquote(url.path) if url.path else path
        if not other.exists():
            found.append(f"no such file: {target}")
        elif url.fragment:
            there = text if other == path else text_of(other, "markdown")
            if url.fragment not in anchors(there):
                found.append(f"no such anchor: {target}")
    return found


@every_linked
def test_links_lead_somewhere_and_addresses_are_well_formed(path):
    assert broken(text_of(path, "markdown"), path) == []


def test_a_broken_link_is_found(tmp_path):
    (tmp_path / "c.md").write_text("## A title, here\n")
    good = "[c](c.md#a-title-here) [d](https://example.org/a#b) [e](#e)\n\n# E\n\n"
    path = tmp_path / "a.md"
    path.touch()
    assert broken(good, path) == []
    for text, reason in {
        "[a](b.md)": "no such file",
        "![A picture.](figures/none.svg)": "no such file",
        "[a](c.md#none)": "no such anchor",
        "# A\n\n[a](#none)": "no such anchor",
        "[a](http://example.org)": "not a good address",
        "[a](https://localhost)": "not a good address",
        "| a |\n|---|\n| [a](htps://example.org) |": "not a good address",
        "[a](https://example.org/a b)": "not a link",
    }.items():
        [line] = broken(good + text, path)
        assert line.startswith(reason), text


def status(url):
    """Return the status that an address answers, or None if nothing does."""
    try:
        request = urllib.request.Request(url, headers=HEADERS)
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:  # no such host, no connection, no answer in time
        return None


@pytest.mark.weekly
def test_addresses_elsewhere_answer():
    texts = [text_of(path, "markdown") for path in LINKED]
    addresses = {target for text in texts for target in targets(text)}
    if status(PROBE) is None:
        pytest.skip(f"no network here: {PROBE} does not answer")
    answers = {url: status(url) for url in addresses if url.startswith("https:")}
    assert not {url for url, code in answers.items() if code is None or code in GONE}
