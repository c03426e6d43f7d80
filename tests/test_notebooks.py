"""Tests of the stored notebooks: form, budgets, exercises and what they leak."""

import ast
import inspect
import re
import statistics
import struct
from base64 import b64decode
from pathlib import Path

import nbformat
import pytest

from ps_helpers import (
    optimizers,
    parameter_server,
    rules,
    sharding,
    shared_memory,
    simulator,
    waiting,
)

ROOT = Path(__file__).parent.parent
NOTEBOOKS = ROOT / "notebooks"
TEMPLATE = sorted((NOTEBOOKS / "template").glob("*.ipynb"))
TEMPLATE_TEACHER = sorted((NOTEBOOKS / "template" / "teacher").glob("*.ipynb"))
STUDENT = sorted(NOTEBOOKS.glob("*.ipynb")) + TEMPLATE
TEACHER = sorted((NOTEBOOKS / "teacher").glob("*.ipynb")) + TEMPLATE_TEACHER
PATHS = STUDENT + TEACHER
NAMES = [str(path.relative_to(NOTEBOOKS)) for path in PATHS]
IGNORED = {"nbval-ignore-output", "nbval-skip"}
LEAK = re.compile(
    r"/(?:root|home|tmp|work|Users|opt|usr)/"  # a machine's folders
    r"|\b\d{1,3}(?:\.\d{1,3}){3}\b"  # addresses
    r"|pid=\d+|0x[0-9a-f]{8,}"  # process numbers, objects
)

every_notebook = pytest.mark.parametrize("path", PATHS, ids=NAMES)


def cells(path, cell_type):
    notebook = nbformat.read(path, 4)
    return [cell for cell in notebook.cells if cell.cell_type == cell_type]


def tags(cell):
    return set(cell.metadata.get("tags", []))


def printing(path):
    """Return the code cells that print, draw or show something."""
    return [cell for cell in cells(path, "code") if cell.outputs]


def printed(cell):
    """Return the text of a cell's outputs, as a reader or nbval sees it."""
    parts = []
    for output in cell.outputs:
        parts.append(output.get("text", ""))
        parts += [
            value
            for kind, value in output.get("data", {}).items()
            if kind.startswith("text/") or kind.endswith("svg+xml")
        ]
    return "".join(parts)


def lines(cell):
    return [line for line in cell.source.splitlines() if line.strip()]


def words(path):
    return sum(len(cell.source.split()) for cell in cells(path, "markdown"))


def test_there_are_notebooks():
    assert len(TEMPLATE) == len(TEMPLATE_TEACHER) == 1
    assert len(STUDENT) == len(TEACHER) >= 5


@every_notebook
def test_is_stored_executed_from_top_to_bottom(path):
    counts = [cell.execution_count for cell in cells(path, "code")]
    assert counts == list(range(1, len(counts) + 1))


@every_notebook
def test_stores_no_error_and_no_standard_error(path):
    for cell in cells(path, "code"):
        for output in cell.outputs:
            assert output.output_type != "error"
            assert output.get("name") != "stderr"


@every_notebook
def test_nbval_compares_85_percent_of_the_printing_cells(path):
    shown = printing(path)
    compared = [cell for cell in shown if not tags(cell) & IGNORED]
    assert len(compared) >= 0.85 * len(shown)


@every_notebook
def test_cells_whose_output_is_not_compared_assert_something(path):
    for cell in cells(path, "code"):
        if tags(cell) & IGNORED:
            assert re.search(r"^assert ", cell.source, re.MULTILINE), cell.source


@every_notebook
def test_code_cells_are_short(path):
    sizes = [len(lines(cell)) for cell in cells(path, "code")]
    assert statistics.median(sizes) <= 6
    assert max(sizes) <= 25


@every_notebook
def test_prose_stands_between_code(path):
    stretch = longest = 0
    for cell in nbformat.read(path, 4).cells:
        stretch = stretch + 1 if cell.cell_type == "code" else 0
        longest = max(longest, stretch)
    assert longest <= 3
    fewest = 300 if path in TEMPLATE + TEMPLATE_TEACHER else 900
    assert fewest <= words(path) <= 2000


@every_notebook
def test_has_the_parts_of_the_template(path):
    text = "\n".join(cell.source for cell in cells(path, "markdown"))
    number = path.name.partition("_")[0].removeprefix("0")
    assert text.startswith(f"# {number} · ")
    for part in (
        "**You will**",
        "**You will learn**",
        "**You need**",
        "**Takes**",
        "## Before",
        "**Predict.**",
        "**What happened.**",
        "**What this laptop cannot show.**",
        "## Results so far",
        "## Summary",
        "## Words",
        "## Questions",
        "## In practice",
        "## Further reading",
        "Next: ",
    ):
        assert part in text, part


@every_notebook
def test_writes_one_sentence_a_line(path):
    for cell in cells(path, "markdown"):
        for line in cell.source.splitlines():
            if not line.startswith(("|", "- ", "#", "!", "1", "2", "3")):
                ends = re.findall(r"(?<!al)[a-z)`*][.?!] [A-Z]", line)
                assert not ends, line


@every_notebook
def test_pictures_have_alternative_text(path):
    for cell in cells(path, "markdown"):
        for alternative in re.findall(r"!\[(.*?)\]\(", cell.source):
            assert len(alternative) > 20
        assert "<img" not in cell.source
    for cell in cells(path, "code"):
        for output in cell.outputs:
            if "image/png" in output.get("data", {}):
                alternative = output.metadata["image/png"]["alt"]
                assert alternative == output.data["text/plain"]
                assert alternative in printed(cell)


@every_notebook
def test_files_stay_small(path):
    assert path.stat().st_size < 500_000
    for cell in cells(path, "code"):
        for output in cell.outputs:
            picture = b64decode(output.get("data", {}).get("image/png", ""))
            assert len(picture) < 60_000
            if picture:  # width and height stand in the PNG's header
                assert struct.unpack(">I", picture[16:20])[0] <= 1000


@every_notebook
def test_links_lead_somewhere(path):
    for cell in cells(path, "markdown"):
        for target in re.findall(r"\]\(([^)]+)\)", cell.source):
            if not target.startswith(("http", "#")):
                file = target.partition("#")[0]
                assert (path.parent / file).resolve().exists(), target


@every_notebook
def test_outputs_do_not_name_this_machine(path):
    for cell in cells(path, "code"):
        leaks = set(LEAK.findall(printed(cell))) - {"127.0.0.1"}
        assert not leaks


@every_notebook
def test_metadata_names_no_interpreter(path):
    metadata = nbformat.read(path, 4).metadata
    assert metadata.kernelspec.name == "python3"
    assert set(metadata.language_info) == {"name"}


@every_notebook
def test_code_stays_within_79_columns(path):
    for cell in cells(path, "code"):
        assert all(len(line) <= 79 for line in cell.source.splitlines())


@every_notebook
def test_ends_without_ray(path):
    sources = [cell.source for cell in cells(path, "code")]
    starts = [i for i, source in enumerate(sources) if "session.start(" in source]
    stops = [i for i, source in enumerate(sources) if "session.stop()" in source]
    assert bool(starts) == bool(stops)
    assert not starts or max(starts) < max(stops)


def check_cells(path):
    return [
        cell
        for cell in cells(path, "code")
        if re.search(r"\ncheck\(|^check\(", cell.source)
    ]


@pytest.mark.parametrize("path", TEACHER, ids=[path.name for path in TEACHER])
def test_every_exercise_of_the_teacher_passes(path):
    assert check_cells(path)
    for cell in check_cells(path):
        assert printed(cell).endswith(": passed\n")


@pytest.mark.parametrize("path", STUDENT, ids=[path.name for path in STUDENT])
def test_no_exercise_of_the_student_is_solved(path):
    assert check_cells(path)
    for cell in check_cells(path):
        assert printed(cell).endswith(": not attempted yet\n")


@pytest.mark.parametrize("path", STUDENT, ids=[path.name for path in STUDENT])
def test_exercises_follow_one_another_in_number(path):
    text = "\n".join(cell.source for cell in cells(path, "markdown"))
    numbers = re.findall(r"### Exercise (\d+): ", text)
    assert numbers == [str(i + 1) for i in range(len(check_cells(path)))]


def definition(source, name):
    """Return the code of a definition, without docstrings, as comparable text."""
    for node in ast.parse(source).body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and node.name == name:
            for part in ast.walk(node):  # the module's may say more
                if isinstance(part, DOCUMENTED) and ast.get_docstring(part):
                    del part.body[0]
            return ast.dump(node)
    return None


DOCUMENTED = ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


@pytest.mark.parametrize(
    "notebook, module, name",
    [
        ("02_push_and_pull", parameter_server, "require_known"),
        ("02_push_and_pull", parameter_server, "require_fit"),
        ("03_ray_actors", parameter_server, "ParameterServer"),
        ("03_ray_actors", parameter_server, "worker_task"),
        ("04_waiting", rules, "Asynchronous"),
        ("04_waiting", rules, "Synchronous"),
        ("04_waiting", rules, "StaleSynchronous"),
        ("04_waiting", rules, "RuleServer"),
        ("04_waiting", rules, "duration"),
        ("04_waiting", waiting, "WaitingServer"),
        ("04_waiting", waiting, "waiting_task"),
        ("04b_virtual_time", simulator, "replay"),
        ("04b_virtual_time", simulator, "schedule"),
        ("05_many_servers", sharding, "Piece"),
        ("05_many_servers", sharding, "by_hash"),
        ("05_many_servers", sharding, "by_ranges"),
        ("05_many_servers", sharding, "Layout"),
        ("05_many_servers", sharding, "push"),
        ("05_many_servers", sharding, "pull"),
        ("05_many_servers", optimizers, "Adam"),
        ("06_the_price_of_a_message", shared_memory, "VersionedServer"),
    ],
)
def test_the_package_has_the_very_code_of_the_notebook(notebook, module, name):
    code = definition(inspect.getsource(module), name)
    assert code
    found = [
        definition(cell.source, name)
        for cell in cells(ROOT / "notebooks" / f"{notebook}.ipynb", "code")
    ]
    assert code in found
