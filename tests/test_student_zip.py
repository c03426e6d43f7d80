"""Test of the archive for students: no solution in it, and it runs by itself."""

import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from ps_helpers.tools import student_zip
from ps_helpers.tools.command import SourceError

ROOT = Path(__file__).parent.parent
RUN = """
import sys
import nbformat
from nbclient import NotebookClient
from ps_helpers import checks
from ps_helpers.checks import check

assert checks.__file__.startswith(sys.argv[1]), checks.__file__

def count_calls(num_workers, num_steps):
    return 2 * num_workers * num_steps

check(count_calls)
notebook = nbformat.read("notebooks/00_start_here.ipynb", 4)
where = {"metadata": {"path": "notebooks"}}
NotebookClient(notebook, timeout=120, resources=where).execute()
"""


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory):
    assert student_zip.main(["--folder", str(ROOT / "notebooks")]) == 0
    folder = tmp_path_factory.mktemp("student")
    with zipfile.ZipFile(ROOT / "build" / "students.zip") as archive:
        archive.extractall(folder)
    return folder / "parameter-server"


def run(folder, *command):
    names = {"PATH": "/usr/bin:/bin", "HOME": str(folder), "PYTHONPATH": str(folder)}
    how = {"cwd": folder, "env": names, "capture_output": True, "text": True}
    done = subprocess.run(command, timeout=300, **how)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_no_solution_is_in_it_and_nothing_that_it_names_is_missing(unpacked):
    names = {str(p.relative_to(unpacked)) for p in unpacked.rglob("*") if p.is_file()}
    students = {f"notebooks/{p.name}" for p in (ROOT / "notebooks").glob("*.ipynb")}
    assert {n for n in names if n.endswith(".ipynb")} == students and len(students) > 9
    assert not [n for n in names if re.search("teacher|template|test|/tools/", n)]
    text = "".join(path.read_text() for path in unpacked.rglob("*.md"))
    readme = (unpacked / "README.md").read_text()
    assert "SOLUTION" not in text and "make test" not in readme
    for link in re.findall(r"\]\((?!https?:|#)([^)#\s]+)", readme):
        assert (unpacked / link).exists(), link
    told = re.findall(r"make ([\w-]+)\t", run(unpacked, "make", "help"))
    assert told == ["help", "lab", "train"]
    assert run(unpacked, "make", "--dry-run", "lab").count("-r requirements.txt") == 1


def test_it_installs_opens_runs_and_checks(unpacked):
    options = "--no-deps --no-build-isolation --no-index --quiet --target=installed"
    run(unpacked, sys.executable, "-m", "pip", "install", *options.split(), ".")
    assert (unpacked / "installed/ps_helpers/lab/benchmark.json").exists()
    said = run(unpacked, sys.executable, "-c", RUN, str(unpacked))
    assert "count_calls: passed" in said
    script = "-m ps_helpers.parameter_server --num-updates=5 --engine=numpy"
    assert "updates        5" in run(unpacked, sys.executable, *script.split())


def test_a_solution_stops_it(tmp_path):
    notebooks = tmp_path / "notebooks"
    notebooks.mkdir()
    (notebooks / "00.ipynb").write_text("### BEGIN SOLUTION")
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    subprocess.run(["git", "-C", tmp_path, "add", "."], check=True)
    with pytest.raises(SourceError, match="00.ipynb has a solution"):
        student_zip.write(notebooks)
