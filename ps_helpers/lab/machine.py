"""What this machine has: memory and cores, also inside a container's limits."""

import contextlib
import os
from pathlib import Path

import psutil

CGROUPS = Path("/sys/fs/cgroup")


def _control_groups():
    """Return the folders whose files limit this process.

    /proc/self/cgroup names the innermost; the limit may stand further out, and
    stands at the top inside a container.
    """
    folders = []
    for line in _text(Path("/proc/self/cgroup")).splitlines():  # none but on Linux
        _, controllers, path = line.split(":", 2)
        for controller in controllers.split(","):
            group = CGROUPS / controller / path.lstrip("/")
            folders += [group, *group.parents]
    return folders


def _text(path):
    try:
        return path.read_text(encoding="utf-8")
    except OSError:
        return ""


def _numbers(path):
    """Return the integers in a file; none where it is missing or says "max"."""
    return [int(word) for word in _text(path).split() if word.isdigit()]


def free_memory():
    """Return the bytes that this process and its children may still take."""
    free = [psutil.virtual_memory().available]
    for group in _control_groups():
        # What only caches files counts as used, and can be dropped.
        counts = dict(
            line.split() for line in _text(group / "memory.stat").splitlines()
        )
        cached = counts.get("total_inactive_file", counts.get("inactive_file", 0))
        for limit_name, usage_name in (
            ("memory.max", "memory.current"),  # control groups, version 2
            ("memory.limit_in_bytes", "memory.usage_in_bytes"),  # version 1
        ):
            limit, usage = _numbers(group / limit_name), _numbers(group / usage_name)
            if limit and usage:
                free.append(limit[0] - usage[0] + int(cached))
    return min(free)


def cores():
    """Return how many cores this process may use, a float: 0.5 is half of one."""
    found = [psutil.cpu_count()]
    if hasattr(os, "sched_getaffinity"):
        found = [len(os.sched_getaffinity(0))]
    for group in _control_groups():
        quota = _numbers(group / "cpu.max") or (
            _numbers(group / "cpu.cfs_quota_us") + _numbers(group / "cpu.cfs_period_us")
        )
        if len(quota) == 2:
            found.append(quota[0] / quota[1])
    return min(found)


@contextlib.contextmanager
def silent_stderr():
    """Send what native code writes to standard error to nowhere."""
    saved = os.dup(2)
    with open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)
