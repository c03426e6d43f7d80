"""Tests that the set-up files agree with one another, and do what they should."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from ps_helpers.tools import pins

ROOT = Path(__file__).parent.parent
PYPROJECT = (ROOT / "pyproject.toml").read_text()
PROJECT = tomllib.loads(PYPROJECT)["project"]
REQUIREMENTS = (ROOT / "requirements.txt").read_text()
ENVIRONMENT = (ROOT / "environment.yml").read_text()
PIN_LINES = [line for line in REQUIREMENTS.splitlines() if line[:1] not in ("", "#")]

DIRECT = PROJECT["dependencies"]
TEST = PROJECT["optional-dependencies"]["test"]
BUILD = tomllib.loads(PYPROJECT)["build-system"]["requires"]


def pinned_versions():
    """Return each pinned name's versions; markers may give it more than one."""
    versions = {}
    for pin in map(Requirement, PIN_LINES):
        [specifier] = pin.specifier
        versions.setdefault(canonicalize_name(pin.name), []).append(specifier.version)
    return versions


def unmet(requirement):
    """Say what the pins lack of a requirement; None if nothing."""
    versions = pinned_versions().get(canonicalize_name(requirement.name))
    if versions is None:
        return f"{requirement.name} is not pinned"
    for version in versions:
        if not requirement.specifier.contains(version, prereleases=True):
            return f"{requirement} excludes its pin {version}"
    return None


# Pins


def test_requirements_are_exact_pins_without_addresses_or_paths():
    for line in PIN_LINES:
        assert re.fullmatch(r"[a-z0-9-]+==[a-z0-9.]+( ; [^/#]+)?", line), line
    assert "/" not in REQUIREMENTS


@pytest.mark.parametrize("requirement", DIRECT + TEST + BUILD)
def test_declared_dependency_is_pinned_within_its_bound(requirement):
    assert unmet(Requirement(requirement)) is None


def test_what_the_dependencies_need_is_pinned_too():
    """Follow the installed packages' own requirements to the end."""
    todo = [Requirement(text) for text in DIRECT + TEST]
    seen, problems = set(), []
    while todo:
        requirement = todo.pop()
        for extra in ["", *requirement.extras]:
            if (requirement.name, extra) in seen:
                continue
            seen.add((requirement.name, extra))
            for text in metadata.requires(requirement.name) or []:
                needed = Requirement(text)
                if not needed.marker or needed.marker.evaluate({"extra": extra}):
                    todo.append(needed)
                    problems.append(unmet(needed))
    assert len({name for name, _ in seen}) > 100
    assert not [problem for problem in problems if problem]


def test_every_direct_dependency_says_why_it_is_there():
    for requirement in DIRECT + TEST:
        assert re.search(
            rf'^ +"{re.escape(requirement)}",  # \w.{{10,}}$', PYPROJECT, re.MULTILINE
        ), f"{requirement} has no reason on its line"


def test_ray_is_plain():
    """Ray's default extra starts a dashboard, and Binder's memory is short."""
    [ray] = [r for r in map(Requirement, DIRECT + TEST) if r.name == "ray"]
    assert not ray.extras


# Conda and Binder


def test_environment_has_the_pins_of_requirements():
    environment = yaml.safe_load(ENVIRONMENT)
    assert environment["channels"] == ["conda-forge"]
    assert environment["dependencies"] == ["python=3.12", "pip", {"pip": PIN_LINES}]


def test_pins_are_replaced_and_the_rest_is_kept():
    old = "# why\ndependencies:\n  - pip:\n      - gone==1\n"
    new = pins.replace_pins(old, pins.read_pins("# made\n\na==1\nb==2 ; os == 'nt'\n"))
    assert new == (
        "# why\ndependencies:\n  - pip:\n      - a==1\n      - b==2 ; os == 'nt'\n"
    )
    with pytest.raises(ValueError, match="pip"):
        pins.replace_pins("dependencies:\n  - python=3.12\n", [])


def test_binder_makes_python_312_and_installs_pins_before_it_copies_the_project():
    """Its exit status is 0 and its Python 3.10 where it does not read a version."""
    run = subprocess.run(
        [sys.executable, "-m", "repo2docker", "--no-build", "--debug", "."],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )
    output = run.stdout + run.stderr
    assert "Building conda environment for python=3.12\n" in output
    install, copy, package = (
        output.index(step)
        for step in ("env update", " src/ ${REPO_DIR}/", "RUN ./postBuild")
    )
    assert install < copy < package


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
        finished = subprocess.run(
            ["make", f"PYTHON={python}", *arguments],
            cwd=tmp_path,
            # No MAKEFLAGS: they would bring the ARGS of the make that runs the tests.
            env={"PATH": os.environ["PATH"], "BROKEN": broken, "AS": str(version)},
            capture_output=True,
            text=True,
        )
        return finished.returncode, log.read_text().splitlines(), finished.stderr

    return run


@pytest.mark.parametrize("broken", ["venv", "-r requirements.txt", "-e ."])
def test_make_starts_again_after_a_failed_install(make, broken):
    status, _, _ = make("train", broken=broken)
    assert status != 0
    status, asked, _ = make("train")
    assert status == 0
    assert [words.split()[1] for words in asked if words[:2] == "-m"] == [
        "venv",
        "pip",
        "pip",
        "ps_helpers.parameter_server",
    ]


def test_make_installs_once_until_the_pins_change(make, tmp_path):
    make("train")
    _, asked, _ = make("train", "ARGS=--num-steps=5")
    assert asked == ["-m ps_helpers.parameter_server --num-workers=4 --num-steps=5"]
    later = (tmp_path / ".venv/installed").stat().st_mtime + 10
    os.utime(tmp_path / "requirements.txt", (later, later))
    _, asked, _ = make("train")
    assert any("-r requirements.txt" in words for words in asked)
    assert not any("venv" in words for words in asked)  # what is there is kept


@pytest.mark.parametrize(
    ("target", "module"),
    [
        ("lab", "jupyterlab"),
        ("train", "ps_helpers.parameter_server"),
        ("test", "pytest"),
        ("notebooks", "ps_helpers.tools.student_notebooks"),
    ],
)
def test_make_fails_where_its_command_fails(make, target, module):
    make("train")
    status, asked, _ = make(target, broken=module)
    assert status != 0
    assert asked[-1].startswith(f"-m {module}")


@pytest.mark.parametrize("minor", range(10, 16))
def test_make_refuses_the_pythons_that_the_package_refuses(make, tmp_path, minor):
    supported = f"3.{minor}" in SpecifierSet(PROJECT["requires-python"])
    status, _, error = make("train", version=(3, minor))
    assert (status == 0) == supported
    assert (tmp_path / ".venv").exists() == supported
    assert ("This needs Python 3.11, 3.12 or 3.13, and" in error) != supported


def test_ci_runs_the_lowest_and_the_highest_python():
    workflow = yaml.safe_load((ROOT / ".github/workflows/test.yml").read_text())
    supported = SpecifierSet(PROJECT["requires-python"])
    minors = [minor for minor in range(30) if f"3.{minor}" in supported]
    matrix = workflow["jobs"]["test"]["strategy"]["matrix"]["python"]
    assert matrix == [f"3.{minors[0]}", f"3.{minors[-1]}"]


# Style


@pytest.mark.parametrize(("folder", "columns"), [(".", 88), ("notebooks", 79)])
def test_ruff_finds_nothing(folder, columns):
    run = subprocess.run(
        [sys.executable, "-m", "ruff", "check", "--line-length", str(columns), folder],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stdout + run.stderr
