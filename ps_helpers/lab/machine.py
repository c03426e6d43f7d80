"""What this machine has: memory and cores, also inside a container's limits."""

import os
from pathlib import Path

import psutil

CGROUPS = Path("/sys/fs/cgroup")


def _control_groups():
    """Return the folders whose files limit this process.

    /proc/self/cgroup names the innermost; the limit may stand further out, and
    stands at the top inside a container.
    """
    try:
        lines = Path("/proc/self/cgroup").read_text().splitlines()
    except OSError:
        return []  # not Linux
    folders = []
    for line in lines:
        _, controllers, path = line.split(":", 2)
        for controller in controllers.split(","):
            group = CGROUPS / controller / path.lstrip("/")
            folders += [group, *group.parents]
    return folders


def _numbers(path):
    """Return the integers in a file; none where it is missing or says "max"."""
    try:
        return [int(word) for word in path.read_text().split() if word.isdigit()]
    except OSError:
        return []


def free_memory():
    """Return the bytes that this process and its children may still take."""
    free = [psutil.virtual_memory().available]
    for group in _control_groups():
        for limit_name, usage_name in (
            ("memory.max", "memory.current"),  # control groups, version 2
            ("memory.limit_in_bytes", "memory.usage_in_bytes"),  # version 1
        ):
            limit, usage = _numbers(group / limit_name), _numbers(group / usage_name)
            if limit and usage:
                free.append(limit[0] - usage[0] + _file_cache(group))
    return min(free)


def _file_cache(group):
    """Return the bytes of a group's usage that only cache files, and can be dropped."""
    try:
        lines = (group / "memory.stat").read_text().splitlines()
    except OSError:
        return 0
    counts = dict(line.split() for line in lines)
    return int(counts.get("total_inactive_file", counts.get("inactive_file", 0)))


def cores():
    """Return how many cores this process may use, a float: 0.5 is half of one."""
    if hasattr(os, "sched_getaffinity"):
        found = [len(os.sched_getaffinity(0))]
    else:
        found = [psutil.cpu_count()]
    for group in _control_groups():
        quota = _numbers(group / "cpu.max") or (
            _numbers(group / "cpu.cfs_quota_us") + _numbers(group / "cpu.cfs_period_us")
        )
        if len(quota) == 2:
            found.append(quota[0] / quota[1])
    return min(found)
