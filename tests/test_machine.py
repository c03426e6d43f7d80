"""Tests of what the machine is said to have, on control groups made of plain files."""

import os
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from ps_helpers.lab import machine

GB = 10**9
UNLIMITED = 9223372036854771712  # what version 1 writes where there is no limit


@pytest.fixture
def write(tmp_path, monkeypatch):
    """Write the files of control groups on a machine of 16 GB free and 8 cores."""
    groups = tmp_path / "cgroup"
    names = {"/proc/self/cgroup": tmp_path / "self"}
    monkeypatch.setattr(machine, "CGROUPS", groups)
    monkeypatch.setattr(machine, "Path", lambda path: names.get(path, Path(path)))
    available = SimpleNamespace(available=16 * GB)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: available)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)

    def write(own, files=()):
        names["/proc/self/cgroup"].write_text(own)
        for name, content in dict(files).items():
            path = groups / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"{content}\n")

    return write


INNER = "0::/user.slice/session.scope\n"
V1 = "4:memory:/docker/abc\n3:cpu,cpuacct:/docker/abc\n1:name=systemd:/docker/abc\n"


def v2(group, limit, usage, stat="anon 1"):
    files = {"max": limit, "current": usage, "stat": stat}
    return {f"{group}memory.{name}": content for name, content in files.items()}


def v1(group, limit, usage, stat="cache 1"):
    files = {"limit_in_bytes": limit, "usage_in_bytes": usage, "stat": stat}
    return {f"memory{group}/memory.{name}": text for name, text in files.items()}


def quota(folder, quota, period=100000):
    files = {"quota": quota, "period": period}
    return {f"cpu{folder}/cpu.cfs_{name}_us": value for name, value in files.items()}


@pytest.mark.parametrize(
    ("case", "own", "files", "free"),
    [
        ("v2 in a container", "0::/\n", v2("", 2 * GB, GB // 2), 1.5),
        ("v2 own", INNER, v2("user.slice/session.scope/", 2 * GB, GB // 2), 1.5),
        ("v2 outer group", INNER, v2("user.slice/", 3 * GB, GB), 2),
        ("v2 no limit", INNER, v2("user.slice/session.scope/", "max", GB), 16),
        ("v2 another group", INNER, v2("other.slice/", 2 * GB, GB), 16),
        ("v2 limit above the machine", "0::/\n", v2("", 64 * GB, GB), 16),
        ("v2 usage missing", "0::/\n", {"memory.max": 2 * GB}, 16),
        ("v2 cached", "0::/\n", v2("", 2 * GB, GB, f"file 9\ninactive_file {GB}"), 2),
        ("v2 no files", "0::/\n", {}, 16),
        ("v1 own group", V1, v1("/docker/abc", 2 * GB, GB // 2), 1.5),
        ("v1 in a container", V1, v1("", 2 * GB, GB // 2), 1.5),
        ("v1 no limit", V1, v1("/docker/abc", UNLIMITED, GB // 2), 16),
        (
            "v1 cached",
            V1,
            v1("", 2 * GB, GB, f"inactive_file 7\ntotal_inactive_file {GB // 2}"),
            1.5,
        ),
        ("v1 no files", V1, {}, 16),
    ],
)
def test_free_memory_is_what_the_tightest_limit_leaves(write, case, own, files, free):
    write(own, files)
    assert machine.free_memory() == free * GB


@pytest.mark.parametrize(
    ("case", "own", "files", "cores"),
    [
        ("v2 half a core", "0::/\n", {"cpu.max": "50000 100000"}, 0.5),
        ("v2 outer group", INNER, {"user.slice/cpu.max": "400000 100000"}, 4),
        ("v2 no limit", "0::/\n", {"cpu.max": "max 100000"}, 8),
        ("v2 limit above the machine", "0::/\n", {"cpu.max": "1600000 100000"}, 8),
        ("v2 no files", "0::/\n", {}, 8),
        ("v1 own group", V1, quota("/docker/abc", 150000), 1.5),
        ("v1 no limit", V1, quota("", -1), 8),
    ],
)
def test_cores_are_what_the_tightest_quota_leaves(write, case, own, files, cores):
    write(own, files)
    assert machine.cores() == cores


def test_without_control_groups_the_machine_itself_is_the_limit(write, monkeypatch):
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)  # as on macOS
    monkeypatch.setattr(psutil, "cpu_count", lambda: 6)
    assert machine.free_memory() == 16 * GB
    assert machine.cores() == 6
