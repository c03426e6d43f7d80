"""What this machine has: memory and cores, also inside a container's limits."""

import contextlib
import os
from pathlib import Path

import psutil

CGROUPS = Path("/sys/fs/cgroup")


def _control_groups():
    """Return the folders whose files limit this process, from the innermost out."""
    folders = []
    for line in _text(Path("/proc/self/cgroup")).splitlines():  # none but on Linux
        _, controllers, path = line.split(":", 2)
        for controller in controllers.split(","):
            group = CGROUPS / controller / path.lstrip("/")
            folders += [group, *group.parents]  # a container's limit is in the last
    return folders


def _text(path):
    with contextlib.suppress(OSError):
        return path.read_text(encoding="utf-8")
    return ""


def _pairs(group, *all_names):
    """Return the pairs of numbers that files of a group hold; "max" is no number."""
    for names in all_names:
        words = " ".join(_text(group / name) for name in names.split()).split()
        numbers = [int(word) for word in words if word.isdigit()]
        if len(numbers) == 2:
            yield numbers


def free_memory():
    """Return the bytes that this process and its children may still take."""
    free = [psutil.virtual_memory().available]
    version_2 = "memory.max memory.current"
    version_1 = "memory.limit_in_bytes memory.usage_in_bytes"
    for group in _control_groups():
        # What only caches files counts as used, and can be dropped.
        counts = dict(map(str.split, _text(group / "memory.stat").splitlines()))
        cached = int(counts.get("total_inactive_file", counts.get("inactive_file", 0)))
        pairs = _pairs(group, version_2, version_1)
        free += [limit - usage + cached for limit, usage in pairs]
    return min(free)


def cores():
    """Return how many cores this process may use, a float: 0.5 is half of one."""
    found = [psutil.cpu_count()]
    if hasattr(os, "sched_getaffinity"):
        found = [len(os.sched_getaffinity(0))]
    for group in _control_groups():
        pairs = _pairs(group, "cpu.max", "cpu.cfs_quota_us cpu.cfs_period_us")
        found += [quota / period for quota, period in pairs]
    return min(found)


@contextlib.contextmanager
def environment(variables):
    """Set environment variables for a while, and put back what was there."""
    before = {name: os.environ[name] for name in variables if name in os.environ}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name in variables:
            os.environ.pop(name, None)
        os.environ.update(before)


@contextlib.contextmanager
def silent_stderr():
    """Send what native code writes to standard error to nowhere."""
    saved = os.dup(2)
    with open(os.devnull, "wb") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)
