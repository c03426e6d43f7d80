"""Tests of the check of memory, most of them on control groups made of plain files."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from unittest.mock import Mock

import memory
import psutil
import pytest

README = """# A title
| notebook | one idea | runs in | in 2 GB on one core | peak memory |
|---|---|---|---|---|
| [01 One](notebooks/01_one.ipynb) | step | 6 s | T1 | M1 |
| [02 Two](notebooks/02_two.ipynb) | pull | 4 s | 7 s | 0.6 GB |
| 05 Many | planned | | |

The [notebook](notebooks/02_two.ipynb) in a sentence.
"""
CHEAPEST = "02_push_and_pull"


def result(name="01_one", **changed):
    values = {"seconds": 11.6, "peak": 1_549_000_000, "hits": 0, "alive": True}
    return memory.Result(name, **(values | changed))


# The README's cells


def test_only_the_two_cells_of_the_notebook_are_replaced():
    expected = README.replace("T1", "12 s").replace("M1", "1.5 GB")
    written = memory.replace_cells(README, result())
    assert written == expected
    assert memory.replace_cells(written, result()) == expected


def test_a_missing_row_is_an_error_in_one_sentence():
    for text in (
        README.replace("01_one.ipynb", "01_uno.ipynb"),
        README.replace("| T1 | M1 |", "| T1 |"),  # a cell too few
        README.replace("peak memory", "peak"),
        README + README.splitlines()[3],  # two rows
        "",
    ):
        with pytest.raises(memory.Refused, match="^README.md has no row for 01_one in"):
            memory.replace_cells(text, result())


def test_the_readme_has_a_row_for_each_notebook():
    text = (memory.PROJECT / "README.md").read_text()
    for path in (memory.PROJECT / "notebooks").glob("*.ipynb"):
        memory.replace_cells(text, result(path.stem))


# The files of control groups


def limits(folder, version, files=()):
    """Return limits on a folder of plain files, of either version."""
    for name, content in dict(files).items():
        (folder / name).write_text(content)
    made = object.__new__(memory.Limits)
    made.version, made.memory, made.folders = version, folder, [folder]
    return made


KILLED = "oom_kill 2\n"
V1 = {
    "memory.max_usage_in_bytes": "1500000000\n",
    "memory.failcnt": "3\n",
    "memory.oom_control": f"oom_kill_disable 0\nunder_oom 0\n{KILLED}",
}
V2 = {
    "memory.peak": "1500000000\n",
    "memory.events": f"low 0\nhigh 9\nmax 3\noom 5\n{KILLED}oom_group_kill 0\n",
}


@pytest.mark.parametrize(("version", "files"), [(1, V1), (2, V2)], ids=["v1", "v2"])
def test_the_files_of_a_group_are_read_and_a_command_joins_it(version, files, tmp_path):
    assert limits(tmp_path, version).pids() == []  # as of a group that is gone
    group = limits(tmp_path, version, files | {"cgroup.procs": "17\n4\n"})
    assert (group.peak(), group.hits(), group.killed()) == (1_500_000_000, 3, 2)
    assert group.pids() == [17, 4]
    unshare, mount, *_, script, name, python, option = group.command(["python", "-V"])
    assert [unshare, mount, python, option] == ["unshare", "--mount", "python", "-V"]
    assert f"echo $$ > {group.memory}/cgroup.procs && " in script
    assert "size=64m tmpfs /dev/shm" in script


# Refusing


def test_groups_that_cannot_be_made_are_refused_and_leave_nothing(tmp_path):
    (tmp_path / "cgroup.controllers").touch()
    (tmp_path / "cgroup.subtree_control").mkdir()  # so that nobody can write it
    for root in (tmp_path / "missing", tmp_path):
        with pytest.raises(memory.Refused, match="^control groups cannot be made here"):
            memory.Limits(root)
    assert len([*tmp_path.iterdir()]) == 2


def test_without_groups_it_ends_with_status_2_and_a_sentence(monkeypatch, capsys):
    refused = memory.Refused("control groups cannot be made here (no)")
    monkeypatch.setattr(memory, "Limits", Mock(side_effect=refused))
    assert memory.main([CHEAPEST]) == 2
    assert capsys.readouterr().err == "control groups cannot be made here (no)\n"


def test_an_unknown_notebook_is_refused(capsys):
    with pytest.raises(SystemExit, match="2"):
        memory.main(["99"])
    assert "no notebook 99: there are 00_" in capsys.readouterr().err


# Real runs


@pytest.fixture
def groups():
    """Return the control groups of a process by its pid; skip where there are none."""
    try:
        memory.Limits().remove()
    except memory.Refused as error:
        pytest.skip(str(error))
    return lambda pid: [*memory.CGROUPS.glob(f"**/ps-memory-{pid}")]


def test_a_notebook_runs_under_the_limits_and_nothing_is_left(groups):
    measured = memory.measure(CHEAPEST)
    assert (measured.error, measured.alive) == ("", True)
    assert 100e6 < measured.peak <= memory.LIMIT
    assert not groups(os.getpid())


def test_the_cells_run_under_the_limits(groups):
    told = "machine.cores(), shutil.disk_usage('/dev/shm').total, free < 2**31"
    cells = [
        "import os, shutil\nfrom ps_helpers.lab import machine",
        "free = machine.free_memory()",
        f"assert 0, ({told})",
    ]
    with memory.measured_lab() as lab:
        kernel = lab.open(CHEAPEST)
        assert kernel.run_all(cells) == f"AssertionError: (1.0, {64 * 2**20}, True)"
        assert kernel.run("os.kill(os.getpid(), 9)") == "the kernel died"
        assert not kernel.alive()


@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)]
)
def test_an_interrupted_run_leaves_nothing(groups, number, status):
    command = subprocess.Popen(
        [sys.executable, Path(memory.__file__), "03_ray_actors"],
        start_new_session=True,
        stdout=subprocess.DEVNULL,
    )
    try:
        inside = []
        deadline = time.monotonic() + 240
        while len(inside) < 2 and time.monotonic() < deadline:  # server and kernel
            time.sleep(0.2)
            for path in groups(command.pid)[:1]:
                inside = (path / "cgroup.procs").read_text().split()
        assert len(inside) >= 2
        processes = [psutil.Process(int(pid)) for pid in inside]
        os.killpg(command.pid, number)  # as Ctrl-C does
        assert command.wait(60) == status
    finally:
        command.terminate()
        command.wait(60)
    assert not groups(command.pid)
    assert not psutil.wait_procs(processes, timeout=10)[1]
