"""Test of the archive for students: no solution in it, and it runs by itself.

Its notebooks are those of this project, which other tests run.
"""

import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

from ps_helpers.tools import student_zip
from ps_helpers.tools.command import SourceError

ROOT = Path(__file__).parent.parent
RUN = """
from ps_helpers import checks, parameter_server

def count_calls(num_workers, num_steps):
    return 2 * num_workers * num_steps

checks.check(count_calls)
print(checks.__file__)
parameter_server.main("--num-updates=5 --num-workers=1 --engine=numpy".split())
"""


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory):
    student_zip.write(ROOT / "notebooks")
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
    listed = ["git", "-C", ROOT, "ls-files", "ps_helpers"]
    known = subprocess.run(listed, capture_output=True, text=True, check=True).stdout
    assert names > {name for name in known.split() if "/tools/" not in name}
    assert not [n for n in students if "ps_helpers.tools" in (unpacked / n).read_text()]
    text = "".join(path.read_text() for path in unpacked.rglob("*.md"))
    readme = (unpacked / "README.md").read_text()
    assert "SOLUTION" not in text and "make test" not in readme
    for link in re.findall(r"\]\((?!https?:|#)([^)#\s]+)", readme):
        assert (unpacked / link).exists(), link
    told = re.findall(r"make ([\w-]+)\t", run(unpacked, "make", "help"))
    assert told == ["help", "lab", "train"]
    assert run(unpacked, "make", "--dry-run", "lab").count("-r requirements.txt") == 1


def test_it_is_installed_as_the_project_is(unpacked):
    paths = unpacked / "pyproject.toml", ROOT / "pyproject.toml"
    own, here = (tomllib.loads(path.read_text()) for path in paths)
    del here["tool"]["pytest"]["ini_options"]["testpaths"]
    assert own == here


def test_it_checks_and_trains(unpacked):
    said = run(unpacked, sys.executable, "-c", RUN)
    assert "count_calls: passed" in said and "updates        5" in said
    assert f"{unpacked}/ps_helpers/checks/" in said


def test_a_solution_stops_it(tmp_path):
    notebooks = tmp_path / "notebooks"
    notebooks.mkdir()
    (notebooks / "00.ipynb").write_text("### BEGIN SOLUTION")
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    subprocess.run(["git", "-C", tmp_path, "add", "."], check=True)
    with pytest.raises(SourceError, match="00.ipynb has a solution"):
        student_zip.write(notebooks)
