"""Tell Ray's processes of this user's notebooks apart, and end those left behind."""

import contextlib
import os
from pathlib import Path

import psutil
import ray

MARK = "PS_HELPERS_DRIVER"  # names the driver in the environment of Ray's processes


def mark():
    """Return what names this process: its number, start, and space of numbers."""
    return f"{os.getpid()}:{psutil.Process().create_time()}:{number_space()}"


def number_space():
    with contextlib.suppress(OSError):
        return os.stat("/proc/self/ns/pid").st_ino  # another one in a container
    return 0


def is_over(mark):
    """Return whether the driver that a mark names runs no more."""
    pid, started, space = mark.split(":")
    if int(space) != number_space():
        return False
    try:  # the clock may have been set meanwhile
        return abs(psutil.Process(int(pid)).create_time() - float(started)) > 60
    except psutil.NoSuchProcess:
        return True


def end_ray_processes(is_ended):
    """Kill Ray's processes with such marks; a driver that is killed leaves its own.

    What they keep is in the memory and the folder of a Ray that is over, and a raylet
    that is asked to end takes seconds.
    """
    ended = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, ValueError, IndexError):
            driver = process.environ().get(MARK)
            if driver and is_ended(driver) and is_rays(process.cmdline()):
                process.kill()
                ended.append(process)
    psutil.wait_procs(ended, timeout=5)


def is_rays(command):
    """Return whether a command is of Ray: its title, its program or Python's script."""
    program, folder = command[0], Path(ray.__path__[0])
    script = next((word for word in command[1:] if not word.startswith("-")), "")
    if program.startswith("ray::") or Path(program).name in ("raylet", "gcs_server"):
        return True
    return any(folder in Path(word).parents for word in (program, script))
