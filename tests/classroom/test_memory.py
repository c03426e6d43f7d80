"""Tests of the check of memory, most of them on control groups made of plain files."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

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


@pytest.mark.parametrize(
    "text",
    [
        README.replace("01_one.ipynb", "01_uno.ipynb"),
        README.replace("| T1 | M1 |", "| T1 |"),
        README.replace("peak memory", "peak"),
        README + README.splitlines()[3],
        "",
    ],
    ids=["no row", "a cell too few", "no column", "two rows", "empty"],
)
def test_a_missing_row_is_an_error_in_one_sentence(text):
    with pytest.raises(memory.Refused, match=r"^README.md has no row for 01_one in .*"):
        memory.replace_cells(text, result())


def test_the_readme_has_a_row_for_each_notebook():
    text = (memory.PROJECT / "README.md").read_text()
    for path in (memory.PROJECT / "notebooks").glob("*.ipynb"):
        memory.replace_cells(text, result(path.stem))


def test_a_line_tells_the_result_and_that_there_was_no_limit():
    line = memory.LINE.format("01_one", "12", "1.55", "0", "yes", "")
    assert result().line() == line
    assert "NO" in result(alive=False, error="the kernel died").line()
    assert "no limit" in result(hits=None).line()


# What is read from a notebook


def test_the_cells_before_the_end_of_ray_are_those_of_a_kernel_left_running():
    cells = memory.read_cells("03_ray_actors")
    before = memory.read_cells_until_stop("03_ray_actors")
    assert before == cells[: len(before)]
    assert "session.start(" in " ".join(before)
    assert "session.stop(" in cells[len(before)]
    assert memory.read_cells_until_stop(CHEAPEST) == memory.read_cells(CHEAPEST)


# The files of control groups


@pytest.fixture
def limits(tmp_path):
    """Return limits on folders of plain files, of either version."""

    def make(version, files):
        for name, content in files.items():
            (tmp_path / name).write_text(content)
        made = object.__new__(memory.Limits)
        made.version, made.memory, made.folders = version, tmp_path, [tmp_path]
        return made

    return make


V1 = {
    "memory.max_usage_in_bytes": "1500000000\n",
    "memory.failcnt": "3\n",
    "memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n",
    "cgroup.procs": "17\n4\n",
}
V2 = {
    "memory.peak": "1500000000\n",
    "memory.events": "low 0\nhigh 9\nmax 3\noom 5\noom_kill 2\noom_group_kill 0\n",
    "cgroup.procs": "17\n4\n",
}


@pytest.mark.parametrize(("version", "files"), [(1, V1), (2, V2)], ids=["v1", "v2"])
def test_the_files_of_a_group_are_read(limits, version, files):
    group = limits(version, files)
    assert group.peak() == 1_500_000_000
    assert (group.hits(), group.killed()) == (3, 2)
    assert group.pids() == [17, 4]


def test_a_group_that_is_gone_has_no_processes(limits):
    assert limits(2, {}).pids() == []


@pytest.mark.parametrize("version", [1, 2])
def test_a_command_joins_its_groups_and_gets_64_mb_of_shared_memory(limits, version):
    group = limits(version, {})
    command = group.command(["python", "-V"])
    assert command[:2] == ["unshare", "--mount"]
    assert command[-2:] == ["python", "-V"]
    assert f"echo $$ > {group.memory}/cgroup.procs && " in command[4]
    assert "size=64m tmpfs /dev/shm" in command[4]


def test_memory_cores_and_swap_are_limited(limits, tmp_path):
    swap = tmp_path / "memory.swap.max"
    swap.write_text("max")
    settings = limits(2, {})._settings(tmp_path, tmp_path)
    assert settings == {
        tmp_path / "memory.max": 2**31,
        tmp_path / "cpu.max": "100000 100000",
        swap: 0,
    }


# Refusing


def test_groups_that_cannot_be_made_are_refused(tmp_path):
    with pytest.raises(memory.Refused, match="^control groups cannot be made here"):
        memory.Limits(tmp_path / "missing")
    (tmp_path / "cgroup.controllers").touch()
    (tmp_path / "cgroup.subtree_control").mkdir()  # so that nobody can write it
    with pytest.raises(memory.Refused, match="^control groups cannot be made here"):
        memory.Limits(tmp_path)
    assert {p.name for p in tmp_path.iterdir()} == {
        "cgroup.controllers",
        "cgroup.subtree_control",
    }


@pytest.fixture
def no_groups(monkeypatch):
    def refuse():
        raise memory.Refused("control groups cannot be made here (no)")

    monkeypatch.setattr(memory, "Limits", refuse)


def test_without_groups_it_says_so_in_a_sentence_and_samples(no_groups, capsys):
    assert memory.choose_limits()() is None
    [line] = capsys.readouterr().out.splitlines()
    assert line.startswith("No limit, sums of PSS, README.md stays as it is: control")


def test_without_groups_and_pss_it_ends_with_status_2(no_groups, monkeypatch, capsys):
    monkeypatch.setattr(psutil.Process, "memory_full_info", lambda self: object())
    assert memory.main([CHEAPEST]) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert line.endswith("nor does the system tell PSS.")


@pytest.mark.parametrize("arguments", [["99"], ["--left", "99", CHEAPEST]])
def test_an_unknown_notebook_is_refused(arguments, capsys):
    with pytest.raises(SystemExit, match="2"):
        memory.main(arguments)
    assert "there is no notebook 99: there are 00_" in capsys.readouterr().err


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
    measured = memory.measure(CHEAPEST, memory.Limits)
    assert (measured.error, measured.alive) == ("", True)
    assert 100e6 < measured.peak <= memory.LIMIT
    assert not groups(os.getpid())


def test_a_notebook_runs_without_limits_and_is_sampled():
    measured = memory.measure(CHEAPEST, lambda: None)
    assert (measured.error, measured.alive, measured.hits) == ("", True, None)
    assert 100e6 < measured.peak


def test_the_cells_run_under_the_limits(groups):
    with memory.measured_lab(memory.Limits) as lab:
        kernel = lab.open(CHEAPEST)
        told = kernel.run_all(
            [
                "import os, shutil",
                "from ps_helpers.lab import machine",
                "shared = shutil.disk_usage('/dev/shm').total",
                "assert 0, (machine.cores(), shared, machine.free_memory() < 2**31)",
            ]
        )
        assert told == f"AssertionError: (1.0, {64 * 2**20}, True)"
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
