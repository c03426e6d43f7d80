"""Tests of the page of papers' claims: it stands, and notices what no longer does."""

import re
import tomllib
from pathlib import Path

import nbformat
import pytest
from nbformat import v4

from ps_helpers.tools import command, paper_claims

NOTEBOOKS = Path(__file__).parent.parent / "notebooks"
SOURCE = tomllib.loads((NOTEBOOKS / "teacher/paper_claims.toml").read_text("utf-8"))
CLAIMS = SOURCE["claims"]
CELLS = paper_claims.outline(NOTEBOOKS)
STUDENTS = {
    (path.name, cell.id)
    for path in NOTEBOOKS.glob("*.ipynb")
    for cell in nbformat.read(path, 4).cells
}

every_claim = pytest.mark.parametrize("claim", CLAIMS, ids=paper_claims.heading)


def test_fifteen_claims_of_twelve_papers_stand_there_and_no_paper_without_one():
    made_by = {claim["paper"] for claim in CLAIMS}
    assert len(CLAIMS) >= 15 and len(made_by) >= 12
    assert made_by == set(SOURCE["papers"])
    assert len({paper_claims.heading(claim) for claim in CLAIMS}) == len(CLAIMS)
    verdicts = {claim["verdict"] for claim in CLAIMS}
    assert verdicts == set(paper_claims.VERDICTS)  # none of them is forced


def test_students_read_nothing_of_teachers():
    page = (NOTEBOOKS / "paper_claims.md").read_text("utf-8")
    assert "teacher" not in page and len(page) > 10_000


@every_claim
def test_the_cells_exist_in_both_variants_and_every_text_is_a_sentence(claim):
    cells = {(CELLS[name][0].name, name.split()[1]) for name in claim["cells"]}
    assert cells and cells <= STUDENTS
    for key in "claim", "measured", "why":
        assert re.fullmatch(r"[^a-z].*[.)]", claim[key]), key


@every_claim
def test_a_number_of_the_page_is_a_number_of_an_output(claim):
    found = paper_claims.measured(claim, CELLS)
    told = claim["measured"] + claim["why"] + claim["runs"]
    assert found and set(re.findall(r"\{(\w+)\}", told)) <= set(found)
    assert claim["still"]


# Whether a changed output is noticed


def holds(claim, still):
    try:
        return bool(paper_claims.measured({**claim, "still": still}, CELLS))
    except ValueError:
        return False


@every_claim
def test_numbers_that_no_longer_show_the_verdict_are_refused(claim):
    """Each number that the verdict rests on, made far too small or far too large."""
    chains = [chain.split(" < ") for chain in claim["still"]]
    names = set(sum(chains, [])) & set(paper_claims.measured(claim, CELLS))
    assert names
    for name in names:
        assert not all(
            holds(claim, [" < ".join(extreme if n == name else n for n in chain)])
            for extreme in ("-1e9", "1e9")
            for chain in chains
            if name in chain
        )


@pytest.fixture
def folder(tmp_path):
    """Return a folder with one notebook, and a claim about what it printed."""
    (tmp_path / "teacher").mkdir()
    write(tmp_path, "s = 8: 1.5 to 2.2 s,\n  1,234 bytes")
    (tmp_path / "teacher/paper_claims.toml").write_text(
        'top = "{papers} papers, {claims} claims\\n"\n'
        '[papers]\n"A 2000" = "A. A"\n'
        '[[claims]]\npaper = "A 2000"\ntitle = "it is fast"\nclaim = "Fast."\n'
        'place = "table 1"\nchecked = "read"\nruns = "one run"\n'
        'measured = "{low} to {high} s, {size} bytes."\n'
        'still = ["low < high < 3", "1000 < size"]\n'
        'verdict = "holds"\nwhy = "Because."\n'
        'cells."4b x-1" = ["s = 8: {low} to {high} s, {size} bytes", "to {} s"]\n'
    )
    return tmp_path


def write(folder, printed):
    cells = [
        v4.new_markdown_cell("# 4b · Title\n\n## 3 · It's fast?"),
        v4.new_code_cell("", id="x-1", outputs=[v4.new_output("stream", text=printed)]),
    ]
    notebook = v4.new_notebook(cells=cells)
    nbformat.write(notebook, folder / "teacher" / "04b_title.ipynb")


def run(folder, *options):
    return command.keep("", paper_claims.make, [f"--folder={folder}", *options])


def test_the_page_tells_verdict_numbers_and_cell(folder):
    assert run(folder) == 0
    assert (folder / "paper_claims.md").read_text("utf-8") == (
        "1 papers, 1 claims\n"
        "| A 2000 | [it is fast](#a-2000-it-is-fast) | holds |\n"
        "\n## A 2000: it is fast\n\n**Holds.** Because.\n\n"
        "- *The claim* (table 1; read): Fast.\n"
        "- *Here* (one run): 1.5 to 2.2 s, 1,234 bytes.\n"
        "- *Cells*, by section: [notebook 4b, 3 · It's fast?]"
        "(04b_title.ipynb#3--its-fast): `x-1`.\n"
        "\n## The papers\n\n- A. A.\n"
    )


@pytest.mark.parametrize(
    "printed, status, reason",
    [
        ("s = 8: 1.5 to 2.2 s,\n  1,234 bytes", 0, ""),
        ("s = 8: 1.6 to 2.2 s, 1,234 bytes", 1, "paper_claims.md is stale"),
        ("s = 8: 1.5 to 3.1 s, 1,234 bytes", 2, "no longer: low < high < 3, which"),
        ("s = 8: 1.5 to inf s, 1,234 bytes", 2, "no longer: low < high < 3, which"),
        ("s = 8: 1.5 to 2.2 s, 999 bytes", 2, "no longer: 1000 < size"),
        ("s = 9: 1.5 to 2.2 s, 1,234 bytes", 2, "0 times in its output"),
        (2 * "s = 8: 1.5 to 2.2 s, 1,234 bytes\n", 2, "2 times in its output"),
        ("s = 18: 1.5 to 2.2 s, 1,234 bytes", 2, "0 times in its output"),
        ("s = 8: 1.5 to 2.2.1 s, 1,234 bytes", 2, "0 times in its output"),
    ],
)
def test_an_altered_output_is_noticed(folder, capsys, printed, status, reason):
    run(folder)
    write(folder, printed)
    assert run(folder, "--check") == status
    assert reason in capsys.readouterr().err


@pytest.mark.parametrize(
    "old, new, reason",
    [
        ('"holds"', '"proven"', "no verdict is called 'proven'"),
        ('"read"', '"yes"', "no checked is called 'yes'"),
        ('paper = "A 2000"', 'paper = "B 2000"', "no paper is called 'B 2000'"),
        ("4b x-1", "4b x-2", "no cell 4b x-2"),
        ("{size} bytes.", "{weight} bytes.", "'weight'"),
        ("1000 < size", "1000 < weight", "weight"),
        ('"to {} s"', '"to {low} s"', "low is 1.5, and 2.2 in 4b x-1"),
    ],
)
def test_a_mistake_in_the_source_is_refused(folder, capsys, old, new, reason):
    path = folder / "teacher/paper_claims.toml"
    assert old in path.read_text("utf-8")
    path.write_text(path.read_text("utf-8").replace(old, new), "utf-8")
    assert run(folder) == 2 and not (folder / "paper_claims.md").exists()
    error = capsys.readouterr().err
    assert "A 2000: it is fast" in error or "B 2000" in error
    assert reason in error
