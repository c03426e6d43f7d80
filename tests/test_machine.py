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


V2_LEAF = "0::/user.slice/session.scope\n"
V1 = "4:memory:/docker/abc\n3:cpu,cpuacct:/docker/abc\n1:name=systemd:/docker/abc\n"


def v2(group, limit, usage, stat="anon 1"):
    return {
        f"{group}memory.max": limit,
        f"{group}memory.current": usage,
        f"{group}memory.stat": stat,
    }


def v1(group, limit, usage, stat="cache 1"):
    return {
        f"memory{group}/memory.limit_in_bytes": limit,
        f"memory{group}/memory.usage_in_bytes": usage,
        f"memory{group}/memory.stat": stat,
    }


@pytest.mark.parametrize(
    ("own", "files", "free"),
    [
        ("0::/\n", v2("", 2 * GB, GB // 2), 1.5),
        (V2_LEAF, v2("user.slice/session.scope/", 2 * GB, GB // 2), 1.5),
        (V2_LEAF, v2("user.slice/", 3 * GB, GB), 2),
        (V2_LEAF, v2("user.slice/session.scope/", "max", GB), 16),
        (V2_LEAF, v2("other.slice/", 2 * GB, GB), 16),
        ("0::/\n", v2("", 64 * GB, GB), 16),
        ("0::/\n", {"memory.max": 2 * GB}, 16),
        ("0::/\n", {}, 16),
        (V1, v1("/docker/abc", 2 * GB, GB // 2), 1.5),
        (V1, v1("", 2 * GB, GB // 2), 1.5),
        (V1, v1("/docker/abc", UNLIMITED, GB // 2), 16),
        (V1, {}, 16),
    ],
    ids=[
        "v2 in a container",
        "v2 own group",
        "v2 outer group",
        "v2 without a limit",
        "v2 another group",
        "v2 limit above the machine",
        "v2 usage missing",
        "v2 no files",
        "v1 own group",
        "v1 in a container",
        "v1 without a limit",
        "v1 no files",
    ],
)
def test_free_memory_is_what_the_tightest_limit_leaves(write, own, files, free):
    write(own, files)
    assert machine.free_memory() == free * GB


@pytest.mark.parametrize(
    ("own", "files"),
    [
        ("0::/\n", v2("", 2 * GB, GB, f"file {9 * GB}\ninactive_file {GB // 2}")),
        (V1, v1("", 2 * GB, GB, f"inactive_file 7\ntotal_inactive_file {GB // 2}")),
    ],
    ids=["v2", "v1"],
)
def test_a_groups_cached_files_count_as_free(write, own, files):
    write(own, files)
    assert machine.free_memory() == 1.5 * GB


@pytest.mark.parametrize(
    ("own", "files", "cores"),
    [
        ("0::/\n", {"cpu.max": "50000 100000"}, 0.5),
        (V2_LEAF, {"user.slice/cpu.max": "400000 100000"}, 4),
        ("0::/\n", {"cpu.max": "max 100000"}, 8),
        ("0::/\n", {"cpu.max": "1600000 100000"}, 8),
        ("0::/\n", {}, 8),
        (
            V1,
            {
                "cpu/docker/abc/cpu.cfs_quota_us": 150000,
                "cpu/docker/abc/cpu.cfs_period_us": 100000,
            },
            1.5,
        ),
        (V1, {"cpu/cpu.cfs_quota_us": -1, "cpu/cpu.cfs_period_us": 100000}, 8),
    ],
    ids=[
        "v2 half a core",
        "v2 outer group",
        "v2 without a limit",
        "v2 limit above the machine",
        "v2 no files",
        "v1 own group",
        "v1 without a limit",
    ],
)
def test_cores_are_what_the_tightest_quota_leaves(write, own, files, cores):
    write(own, files)
    assert machine.cores() == cores


def test_without_control_groups_the_machine_itself_is_the_limit(write, monkeypatch):
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)  # as on macOS
    monkeypatch.setattr(psutil, "cpu_count", lambda: 6)
    assert machine.free_memory() == 16 * GB
    assert machine.cores() == 6
