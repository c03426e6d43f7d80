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
    with contextlib.suppress(OSError):
        return path.read_text(encoding="utf-8")
    return ""


def _numbers(*paths):
    """Return the integers in files; none where one is missing or says "max"."""
    words = " ".join(map(_text, paths)).split()
    return [int(word) for word in words if word.isdigit()]


def free_memory():
    """Return the bytes that this process and its children may still take."""
    free = [psutil.virtual_memory().available]
    for group in _control_groups():
        # What only caches files counts as used, and can be dropped.
        counts = dict(map(str.split, _text(group / "memory.stat").splitlines()))
        cached = counts.get("total_inactive_file", counts.get("inactive_file", 0))
        for names in (  # in version 2 and in version 1
            ("memory.max", "memory.current"),
            ("memory.limit_in_bytes", "memory.usage_in_bytes"),
        ):
            found = _numbers(*map(group.joinpath, names))
            if len(found) == 2:
                free.append(found[0] - found[1] + int(cached))
    return min(free)


def cores():
    """Return how many cores this process may use, a float: 0.5 is half of one."""
    found = [psutil.cpu_count()]
    if hasattr(os, "sched_getaffinity"):
        found = [len(os.sched_getaffinity(0))]
    for group in _control_groups():
        for names in (["cpu.max"], ["cpu.cfs_quota_us", "cpu.cfs_period_us"]):
            quota = _numbers(*map(group.joinpath, names))
            if len(quota) == 2:
                found.append(quota[0] / quota[1])
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
    with open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)
