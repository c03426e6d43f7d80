"""Tests of the stored notebooks: form, exercises, leaks, results, the package's code.

That they are stored executed, with clean metadata and in two variants that agree, is
what `make notebooks ARGS=--check` says; that no line is too long says ruff.
"""

import ast
import functools
import re
import statistics
import struct
from base64 import b64decode
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).parent.parent
NOTEBOOKS = ROOT / "notebooks"
README = (ROOT / "README.md").read_text()
TEACHER = sorted(NOTEBOOKS.glob("teacher/*.ipynb"))
TEMPLATE = sorted(NOTEBOOKS.glob("template/teacher/*.ipynb"))
PAIRS = {path: path.parents[1] / path.name for path in TEACHER + TEMPLATE}
IGNORED = "nbval-ignore-output"
PARTS = (
    "**You will**|**You will learn**|**You need**|**Takes**|## Before|**Predict.**"
    "|**What happened.**|**What this laptop cannot show.**|## Results so far|## Summary"
    "|## Words|## Questions|## In practice|## Further reading|Next: "
).split("|")
LEAK = re.compile(
    r"/(?:root|home|tmp|work|Users|opt|usr)/"  # a machine's folders
    r"|\b(?!127\.0\.0\.1\b)\d{1,3}(?:\.\d{1,3}){3}\b"  # addresses
    r"|pid=\d+|0x[0-9a-f]{8,}"  # process numbers, objects
)


def named(path):
    return str(path.relative_to(NOTEBOOKS))


every_notebook = pytest.mark.parametrize("path", [*PAIRS, *PAIRS.values()], ids=named)
every_student = pytest.mark.parametrize("path", PAIRS.values(), ids=named)
every_teacher = pytest.mark.parametrize("path", PAIRS, ids=named)


@functools.cache
def notebook(path):
    return nbformat.read(path, 4).cells


def code(path):
    return [cell for cell in notebook(path) if cell.cell_type == "code"]


def prose(path):
    return "\n".join(c.source for c in notebook(path) if c.cell_type == "markdown")


def tags(cell):
    return cell.metadata.get("tags", [])


def repeatable(cell):
    """Return a cell's outputs but for pictures, whose bytes vary."""
    outputs = [out | {"data": dict(out.get("data", {}))} for out in cell.outputs]
    for output in outputs:
        output["data"].pop("image/png", None)
    return outputs


def printed(cell):
    """Return the text of a cell's outputs, as a reader or nbval sees it."""
    parts = [[out.get("text", ""), *out["data"].values()] for out in repeatable(cell)]
    return "".join(str(part) for each in parts for part in each)


@every_notebook
def test_85_percent_of_the_printing_cells_are_compared_the_others_assert(path):
    shown = [cell for cell in code(path) if cell.outputs]
    compared = [c for c in shown if not {IGNORED, "nbval-skip"} & {*tags(c)}]
    assert len(compared) >= 0.85 * len(shown)
    for cell in code(path):
        assert not any(out.output_type == "error" for out in cell.outputs)
        if {IGNORED, "nbval-skip"} & {*tags(cell)}:
            assert re.search(r"^assert ", cell.source, re.MULTILINE), cell.source


@every_notebook
def test_cells_are_short_and_prose_stands_between_them(path):
    sizes = [len(list(filter(str.strip, c.source.split("\n")))) for c in code(path)]
    assert statistics.median(sizes) <= 6 and max(sizes) <= 25
    kinds = "".join(cell.cell_type[0] for cell in notebook(path))
    assert "cccc" not in kinds
    assert (900, 300)["template" in path.parts] <= len(prose(path).split()) <= 2000


@every_notebook
def test_has_the_parts_of_the_template_and_nothing_of_its_instructions(path):
    text, number = prose(path), path.name.partition("_")[0].removeprefix("0")
    assert text.startswith(f"# {number} · ")
    assert not [part for part in PARTS if part not in text]
    instructions = re.findall("^> ", text, re.MULTILINE)
    assert len(instructions) > 15 if "template" in path.parts else not instructions


@every_notebook
def test_writes_one_sentence_a_line(path):
    for line in prose(path).splitlines():
        if not line.startswith(("|", "- ", "#", "!", "1", "2", "3")):
            assert not re.search(r"(?<!al)[a-z)`*][.?!] [A-Z]", line), line


@every_notebook
def test_pictures_are_small_and_have_alternative_text(path):
    assert path.stat().st_size < 500_000 and "<img" not in prose(path)
    assert all(len(alt) > 20 for alt in re.findall(r"!\[(.*?)\]\(", prose(path)))
    outputs = [out for cell in code(path) for out in cell.outputs]
    for output in outputs:
        if picture := output.get("data", {}).get("image/png"):
            assert output.metadata["image/png"]["alt"] == output.data["text/plain"]
            png = b64decode(picture)
            assert len(png) < 60_000
            assert (
                struct.unpack(">I", png[16:20])[0] <= 1000
            )  # the width, in its header


@every_notebook
def test_outputs_do_not_name_this_machine(path):
    assert not [leak for cell in code(path) for leak in LEAK.findall(printed(cell))]


@pytest.mark.parametrize("leak", ["/tmp/x", "10.0.0.7", "pid=12", "0x7f00deadbeef"])
def test_a_leak_is_found(leak):
    assert LEAK.search(f"at {leak}, not 127.0.0.1")


@every_notebook
def test_ends_without_ray(path):
    text = "\n".join(cell.source for cell in code(path))
    assert text.rfind("session.start(") <= text.rfind("session.stop()")
    assert ("session.start(" in text) == ("session.stop()" in text)


# The two variants


@every_teacher
def test_both_variants_print_the_same_but_for_exercises(path):
    """Only the teacher's are run at each push: this holds the students' to them."""
    student, compared = {cell.id: cell for cell in code(PAIRS[path])}, 0
    for cell in code(path):
        if not {"teacher", IGNORED} & {*tags(cell)} and "nbgrader" not in cell.metadata:
            assert repeatable(cell) == repeatable(student[cell.id]), cell.id
            compared += 1
    assert compared >= 8


@every_teacher
def test_every_exercise_is_solved_in_the_teachers_notebook_alone(path):
    for variant, verdict in (path, "passed"), (PAIRS[path], "not attempted yet"):
        checks = [c for c in code(variant) if re.search(r"^check\(", c.source, re.M)]
        assert checks
        assert all(printed(cell).endswith(f": {verdict}\n") for cell in checks)
        numbers = re.findall(r"### Exercise (\d+): ", prose(variant))
        assert numbers == [str(i + 1) for i in range(len(checks))]


# Times and results


@pytest.mark.parametrize("path", TEACHER, ids=named)
def test_the_readme_gives_the_times_that_the_notebook_gives(path):
    takes = re.search(r"\*\*Takes\*\* (\d+) minutes.*?; (\d+) seconds", prose(path))
    [row] = [line for line in README.splitlines() if f"/{path.name}) |" in line]
    assert f"| {takes[1]} min | {takes[2]} s |" in row


@pytest.mark.parametrize("path", TEACHER[1:3], ids=named)
def test_the_results_are_those_that_a_cell_prints(path):
    own = rf"^\| {path.stem[:2]} .*\| ([\d.]+) \| ([\d.]+) \|$"
    rows = re.findall(own, prose(path), re.MULTILINE)
    assert rows
    for loss, accuracy in rows:
        told = f"loss {loss}, accuracy {accuracy}"
        assert any(told in printed(cell) for cell in code(path))


def test_results_of_the_first_notebook_are_repeated_as_they_are():
    tables = [re.findall(r"^\| (01 .*) \|$", prose(p), re.M) for p in TEACHER[1:3]]
    assert tables[0] == tables[1] and len(tables[0]) == 1


# The package's code is that of the notebooks

OWN = {  # what a notebook defines otherwise than the package does, and why
    ("02_push_and_pull", "ParameterServer"): "without records of calls: 03 adds them",
    ("04b_virtual_time", "schedule"): "without what only section 4 needs",
    ("04b_virtual_time", "replay"): "without what only section 4 needs",
    ("06_the_price_of_a_message", "write"): "into shared memory, not into a file",
    ("06b_fewer_bytes", "train"): "in one process, with a compressed push",
    ("06b_fewer_bytes", "seconds"): "what a model of costs predicts",
    ("08_a_cluster", "Server"): "adds at once, and counts what crosses a link",
    ("08_a_cluster", "Aggregator"): "in rounds, by Ray's messages",
    ("06b_fewer_bytes", "all_reduce"): "on Ray; scale has the seconds that it takes",
}
OWN |= {
    (stem, "draw"): "draws a figure; scale draws times"
    for stem in ("05b_rows_of_a_table", "06_the_price_of_a_message", "06b_fewer_bytes")
}
SHOWN = 17  # so many definitions of the package are built in notebooks; may only rise


def parts(node):
    """Return {part: code} of a definition, without docstrings: a class's by method.

    The package may make an actor of a class elsewhere than where it is defined.
    """
    for inner in ast.walk(node):
        if isinstance(inner, DEFINITIONS) and ast.get_docstring(inner):
            del inner.body[0]
    methods = []
    if isinstance(node, ast.ClassDef):
        methods = [inner for inner in node.body if isinstance(inner, DEFINITIONS)]
        node.body = [inner for inner in node.body if inner not in methods]
        marks = node.decorator_list
        node.decorator_list = [m for m in marks if "ray.remote" not in ast.unparse(m)]
    return {"": ast.unparse(node)} | {m.name: ast.unparse(m) for m in methods}


DEFINITIONS = ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


def definitions(source):
    """Return {name: parts} of what a text defines at its top level."""
    nodes = [n for n in ast.parse(source).body if isinstance(n, DEFINITIONS)]
    return {node.name: parts(node) for node in nodes}


PACKAGE = [definitions(p.read_text()) for p in (ROOT / "ps_helpers").glob("*.py")]


def compare(path):
    """Return which names that the package has a notebook defines as it, and otherwise.

    Of several definitions in a notebook the last one counts: the others lead to it.
    """
    last = {name: d for c in code(path) for name, d in definitions(c.source).items()}
    same, other = set(), set()
    for name, shown in last.items():
        if found := [module[name] for module in PACKAGE if name in module]:
            alike = any(shown.items() <= whole.items() for whole in found)
            (same if alike else other).add(name)
    return same, other


@every_student
def test_what_the_package_defines_too_is_the_very_same_code(path):
    own = {name for stem, name in OWN if stem == path.stem}
    assert compare(path)[1] == own


def test_the_package_is_built_in_the_notebooks():
    assert sum(len(compare(path)[0]) for path in PAIRS.values()) >= SHOWN
