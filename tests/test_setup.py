"""Tests that the set-up files agree with one another, and do what they should."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from importlib import metadata
from pathlib import Path

import pytest
import yaml
from hypothesis import settings
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "pyproject.toml").read_text()
PYPROJECT = tomllib.loads(TEXT)
PROJECT, BUILD = PYPROJECT["project"], PYPROJECT["build-system"]["requires"]
DIRECT = PROJECT["dependencies"] + PROJECT["optional-dependencies"]["test"]
REQUIREMENTS = (ROOT / "requirements.txt").read_text()
PINS = [line for line in REQUIREMENTS.splitlines() if line[:1] not in ("", "#")]
SUPPORTED = SpecifierSet(PROJECT["requires-python"])


def run(*module, folder=ROOT):
    """Run a module; return what it printed."""
    command, how = [sys.executable, "-m", *module], {"cwd": folder, "timeout": 120}
    done = subprocess.run(command, capture_output=True, text=True, **how)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


# Pins


def test_requirements_are_exact_pins_without_addresses_or_paths():
    for line in PINS:
        assert re.fullmatch(r"[a-z0-9-]+==[a-z0-9.]+( ; [^/#]+)?", line), line
    assert "/" not in REQUIREMENTS


def test_what_the_dependencies_need_is_pinned_too():
    """Follow the installed packages' own requirements to the end."""
    pins = [(pin.name, pin.specifier) for pin in map(Requirement, PINS)]
    todo, seen = [Requirement(text) for text in DIRECT + BUILD], set()
    while todo:
        requirement = todo.pop()
        name = canonicalize_name(requirement.name)
        versions = [one.version for pin, exact in pins if pin == name for one in exact]
        assert versions, f"{name} is not pinned"
        taken = requirement.specifier.filter(versions, prereleases=True)
        assert [*taken] == versions, f"{requirement} excludes a pin"
        for extra in {"", *requirement.extras}:
            if (requirement.name, extra) not in seen:
                seen.add((requirement.name, extra))
                needs = map(Requirement, metadata.requires(requirement.name) or [])
                where = {"extra": extra}
                todo += [n for n in needs if not n.marker or n.marker.evaluate(where)]
    assert len({name for name, _ in seen}) > 100


def test_every_direct_dependency_says_why_it_is_there_and_ray_is_plain():
    """Ray's default extra starts a dashboard, and Binder's memory is short."""
    for requirement in DIRECT:
        reason = rf'^ +"{re.escape(requirement)}",  # \w.{{10,}}$'
        assert re.search(reason, TEXT, re.MULTILINE), requirement
    [ray] = [r for r in map(Requirement, DIRECT) if r.name == "ray"]
    assert not ray.extras


# What is installed, by pip, conda and Binder


def test_a_wheel_holds_all_that_lies_in_the_package(tmp_path):
    ignored = shutil.ignore_patterns("__pycache__", ".*")
    shutil.copytree(ROOT / "ps_helpers", tmp_path / "ps_helpers", ignore=ignored)
    for name in ("pyproject.toml", "LICENSE"):
        shutil.copy(ROOT / name, tmp_path)
    options = "--no-deps --no-build-isolation --no-index --quiet --wheel-dir=wheel"
    run("pip", "wheel", *options.split(), ".", folder=tmp_path)
    [wheel] = tmp_path.glob("wheel/*.whl")
    packed = {n for n in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in n}
    files = filter(Path.is_file, tmp_path.glob("ps_helpers/**/*"))
    assert packed == {str(path.relative_to(tmp_path)) for path in files}
    assert "ps_helpers/lab/benchmark.json" in packed


def test_environment_has_the_pins_of_requirements():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    assert environment["channels"] == ["conda-forge"]
    assert environment["dependencies"] == ["python=3.12", "pip", {"pip": PINS}]


def test_binder_makes_python_312_and_installs_pins_before_it_copies_the_project():
    """Its exit status is 0 and its Python 3.10 where it does not read a version."""
    output = run("repo2docker", "--no-build", "--debug", ".")
    assert "Building conda environment for python=3.12\n" in output
    steps = "env update", " src/ ${REPO_DIR}/", "RUN ./postBuild"
    places = [output.index(step) for step in steps]
    assert places == sorted(places)


# Make


@pytest.fixture
def make(tmp_path):
    """Run make in a folder where a stand-in for Python notes what it is asked."""
    if not shutil.which("make"):
        pytest.skip("make is not installed")
    for name in ("Makefile", "requirements.txt", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    python, log = tmp_path / "python", tmp_path / "log"
    python.write_text(
        f"""#!/bin/sh
        echo "$@" >> {log}
        case "$*" in
            -c*) exec {sys.executable} -c "import sys; sys.version_info = $AS; $2" ;;
            *"$BROKEN"*) exit 3 ;;
            *venv*) rm -rf .venv; mkdir -p .venv/bin; cp {python} .venv/bin ;;
        esac
        """
    )
    python.chmod(0o755)

    def run(*arguments, broken="nothing", version=(3, 12)):
        log.write_text("")
        # No MAKEFLAGS: they would bring the ARGS of the make that runs the tests.
        names = {"PATH": os.environ["PATH"], "BROKEN": broken, "AS": str(version)}
        command = ["make", f"PYTHON={python}", *arguments]
        done = subprocess.run(
            command, cwd=tmp_path, env=names, capture_output=True, text=True
        )
        return done.returncode, log.read_text().splitlines(), done.stderr

    return run


@pytest.mark.parametrize("broken", ["venv", "-r requirements.txt", "-e ."])
def test_make_installs_until_it_succeeds_and_then_when_the_pins_change(
    make, tmp_path, broken
):
    assert make("train", broken=broken)[0] != 0
    status, asked, _ = make("train")
    modules = [words.split()[1] for words in asked if words.startswith("-m")]
    assert modules == ["venv", "pip", "pip", "ps_helpers.parameter_server"]
    _, asked, _ = make("train", "ARGS=--num-steps=5")
    assert asked == ["-m ps_helpers.parameter_server --num-workers=4 --num-steps=5"]
    later = (tmp_path / ".venv/installed").stat().st_mtime + 10
    os.utime(tmp_path / "requirements.txt", (later, later))
    asked = "\n".join(make("train")[1])
    assert "-r requirements.txt" in asked and "venv" not in asked  # that is kept


def test_make_fails_where_its_command_fails(make):
    make("train")
    for target, module in {
        "lab": "jupyterlab",
        "train": "ps_helpers.parameter_server",
        "test": "pytest",
        "weekly": "pytest",
        "notebooks ARGS=00": "ps_helpers.tools.student_notebooks",
        "slides": "ps_helpers.tools.slides",
        "wheels": "pip wheel",
    }.items():
        status, asked, _ = make(*target.split(), broken=module)
        assert status != 0 and asked[-1].startswith(f"-m {module}")


def test_make_executes_a_notebook_again_only_if_something_changed(make, tmp_path):
    paths = [tmp_path / "notebooks/teacher" / f"{name}.ipynb" for name in ("00", "01")]
    paths += [tmp_path / "ps_helpers/lab/data.py", tmp_path / "requirements.txt"]
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    make("train")

    def executed(*arguments):
        asked = make("notebooks", *arguments)[1]
        return [line.split()[2:] for line in asked if "student" in line]

    assert executed() == [["00"], ["01"]]
    assert executed() == []
    for path, again in zip(paths, ([["00"]], [["01"]], [["00"], ["01"]]), strict=False):
        later = (tmp_path / "build/executed/00").stat().st_mtime + 10
        os.utime(path, (later, later))
        assert executed() == again
        os.utime(path, (0, 0))
    assert executed("ARGS=--check") == [["--check"]]


def test_make_refuses_the_pythons_that_the_package_refuses(make, tmp_path):
    for minor in range(10, 16):
        status, _, error = make("train", version=(3, minor))
        assert (
            (status == 0)
            == (tmp_path / ".venv").exists()
            == (f"3.{minor}" in SUPPORTED)
        )
        assert ("This needs Python 3.11, 3.12 or 3.13, and" in error) == (status != 0)
        shutil.rmtree(tmp_path / ".venv", ignore_errors=True)


# What runs when


def test_ci_runs_the_lowest_and_the_highest_python():
    minors = [f"3.{minor}" for minor in range(30) if f"3.{minor}" in SUPPORTED]
    for name, job in {"test": "test", "weekly": "all"}.items():
        workflow = (ROOT / ".github/workflows" / f"{name}.yml").read_text()
        matrix = yaml.safe_load(workflow)["jobs"][job]["strategy"]["matrix"]
        assert matrix["python"] == [minors[0], minors[-1]]


def test_the_weekly_run_tries_other_inputs_and_both_variants():
    steady, weekly = map(settings.get_profile, ("steady", "weekly"))
    assert weekly.max_examples == 10 * steady.max_examples
    assert steady.derandomize and not weekly.derandomize
    [line] = re.findall(r"^weekly:.*\n\t(.+)", (ROOT / "Makefile").read_text(), re.M)
    assert '--hypothesis-profile=weekly -m "" tests notebooks ' in line
    folders = PYPROJECT["tool"]["pytest"]["ini_options"]["testpaths"]
    assert folders == ["tests", "notebooks/teacher", "notebooks/template/teacher"]


@pytest.mark.parametrize(
    "options",
    [
        "check",
        "check --line-length 79 notebooks",
        "format --check --exclude *.ipynb,*.md",
    ],
)
def test_ruff_finds_nothing(options):
    run("ruff", *options.split())
