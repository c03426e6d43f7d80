"""Measure how much memory and time each student notebook takes in what Binder gives.

A JupyterLab is started for each notebook under control groups (versions 1 and 2) with
2 GiB of memory and one core, and with 64 MB of /dev/shm. Its server starts the kernel
and watches it, as for a student; the cells are sent to the kernel's own sockets,
past the server's web socket, so that no browser is needed. They run in a copy of
.venv, so that the files that they read count as theirs and not as somebody else's.
What stands in the README is replaced. Control groups must be writable: run it as root.
"""

import argparse
import contextlib
import os
import queue
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import nbformat
import psutil
from in_jupyterlab import PROJECT, JupyterLab
from jupyter_client import BlockingKernelClient

ENVIRONMENT = PROJECT / ".venv"
CGROUPS = Path("/sys/fs/cgroup")
LIMIT = 2 * 2**30
CELL_SECONDS = 300  # one core is slow
COLUMNS = "in 2 GB on one core", "peak memory"
LINE = "{:18} {:>7} {:>7} {:>10} {:>5}  {}"
HEADER = LINE.format("notebook", "seconds", "peak GB", "limit hits", "alive", "error")
# Mounted for these processes alone, and gone when they are.
SHM = 'mount -t tmpfs -o size=64m tmpfs /dev/shm && exec "$@"'


class Refused(RuntimeError):
    """It cannot be measured so; the message says why."""


@dataclass
class Result:
    name: str
    seconds: float
    peak: int  # bytes
    hits: int  # how often the limit was reached
    alive: bool
    error: str = ""

    def line(self):
        alive, peak = "yes" if self.alive else "NO", f"{self.peak / 1e9:.2f}"
        seconds = f"{self.seconds:.0f}"
        return LINE.format(self.name, seconds, peak, self.hits, alive, self.error)


class Limits:
    """Control groups that limit memory and cores of a command and all it starts."""

    def __init__(self, root=CGROUPS):
        self.version = 2 if (root / "cgroup.controllers").exists() else 1
        parents = [root] if self.version == 2 else [root / "memory", root / "cpu"]
        self.folders = [parent / f"ps-memory-{os.getpid()}" for parent in parents]
        self.memory, cpu = self.folders[0], self.folders[-1]
        try:
            if self.version == 2:
                (root / "cgroup.subtree_control").write_text("+memory +cpu")
            for folder in self.folders:
                folder.mkdir()
            for path, value in self._settings(self.memory, cpu).items():
                path.write_text(str(value))
            self.peak()  # version 2 tells it since Linux 5.19
            subprocess.run(
                ["unshare", "--mount", "true"], check=True, capture_output=True
            )
        except (OSError, subprocess.CalledProcessError) as error:
            self.remove()
            raise Refused(f"control groups cannot be made here ({error})") from error

    def _settings(self, memory, cpu):
        if self.version == 2:
            settings = {memory / "memory.max": LIMIT, cpu / "cpu.max": "100000 100000"}
            swap = {memory / "memory.swap.max": 0}
        else:
            settings = {
                memory / "memory.limit_in_bytes": LIMIT,
                cpu / "cpu.cfs_period_us": 100000,
                cpu / "cpu.cfs_quota_us": 100000,
            }
            swap = {memory / "memory.memsw.limit_in_bytes": LIMIT}
        return settings | {path: v for path, v in swap.items() if path.exists()}

    def command(self, command):
        """Return the command that runs a command under the limits."""
        join = "".join(f"echo $$ > {f}/cgroup.procs && " for f in self.folders)
        return ["unshare", "--mount", "sh", "-c", join + SHM, "sh", *command]

    def peak(self):
        """Return the most bytes so far; files that are only cached count, too."""
        name = "memory.peak" if self.version == 2 else "memory.max_usage_in_bytes"
        return int((self.memory / name).read_text())

    def hits(self):
        """Return how often the limit was reached."""
        if self.version == 2:
            return read_count(self.memory / "memory.events", "max")
        return int((self.memory / "memory.failcnt").read_text())

    def killed(self):
        """Return how many processes the system has killed for want of memory."""
        name = "memory.events" if self.version == 2 else "memory.oom_control"
        return read_count(self.memory / name, "oom_kill")

    def pids(self):
        with contextlib.suppress(OSError):
            return [int(p) for p in (self.memory / "cgroup.procs").read_text().split()]
        return []

    def remove(self):
        """Remove the groups, and first what still runs in them."""
        deadline = time.monotonic() + 30
        while (pids := self.pids()) and time.monotonic() < deadline:
            for pid in pids:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(0.1)
        for folder in filter(Path.exists, self.folders):
            folder.rmdir()


def read_count(path, key):
    """Return the number beside a key in a file of a control group."""
    counts = dict(line.split() for line in path.read_text().splitlines())
    return int(counts.get(key, 0))


class MeasuredLab(JupyterLab):
    """A JupyterLab under limits, run by the Python of a copy of .venv."""

    def __init__(self, folder, limits, environment):
        self.limits, self.python = limits, environment / "bin" / "python"
        super().__init__(folder)

    def _command(self):
        return self.limits.command(super()._command())

    def _environment(self):
        home = str(self.folder)
        return super()._environment() | {"TMPDIR": home, "JUPYTER_RUNTIME_DIR": home}

    def open(self, name):
        """Open a notebook as the browser does; return its kernel."""
        path = f"notebooks/{name}.ipynb"
        body = {"path": path, "name": name, "type": "notebook"}
        body["kernel"] = {"name": "python3"}
        self.ask(f"api/contents/{path}")
        kernel = self.ask("api/sessions", "POST", body)["kernel"]["id"]
        return Kernel(self.folder / f"kernel-{kernel}.json")


class Kernel:
    """A kernel that the server has started."""

    def __init__(self, connection_file):
        self.client = BlockingKernelClient()
        self.client.load_connection_file(str(connection_file))
        self.client.start_channels()
        deadline = time.monotonic() + CELL_SECONDS
        while True:
            try:
                self.client.wait_for_ready(timeout=120)
                break
            except RuntimeError:  # on a busy core a beat of its heart may be late
                if time.monotonic() > deadline:
                    raise
        [self.process] = [
            process
            for process in psutil.process_iter(["cmdline"])
            if str(connection_file) in (process.info["cmdline"] or ())
        ]

    def alive(self):
        """Return whether the process is still there; the server starts another."""
        with contextlib.suppress(psutil.Error):
            return self.process.status() != psutil.STATUS_ZOMBIE
        return False

    def run(self, source):
        """Run a cell; return its error in one line, or nothing."""
        identity, error = self.client.execute(source, allow_stdin=False), ""
        deadline = time.monotonic() + CELL_SECONDS
        while time.monotonic() < deadline:
            if not self.alive():
                return "the kernel died"
            with contextlib.suppress(queue.Empty):
                message = self.client.get_iopub_msg(timeout=1)
                if message["parent_header"].get("msg_id") != identity:
                    continue
                content = message["content"]
                if message["msg_type"] == "error":
                    error = f"{content['ename']}: {content['evalue']}"
                if content.get("execution_state") == "idle":
                    return error
        return f"a cell did not end in {CELL_SECONDS} s"

    def run_all(self, sources):
        """Run cells up to the first error, as Run All does; return that error."""
        return next(filter(None, map(self.run, sources)), "")


def read_cells(name):
    """Return the code cells of a student notebook."""
    notebook = nbformat.read(PROJECT / "notebooks" / f"{name}.ipynb", as_version=4)
    return [cell.source for cell in notebook.cells if cell.cell_type == "code"]


@contextlib.contextmanager
def measured_lab(environment=ENVIRONMENT):
    """Open a JupyterLab on a cold disk; leave neither process nor group behind."""
    drop_cached_files(environment)
    with contextlib.ExitStack() as stack:
        # Short, for Ray's sockets are in it and their path may have 107 characters.
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="lab-"))
        limits = Limits()
        stack.callback(limits.remove)
        lab = MeasuredLab(Path(folder), limits, environment)
        stack.callback(lab.stop)
        lab.wait_until_ready()
        if lab.process.pid not in limits.pids():
            raise Refused("JupyterLab does not run in its control group")
        yield lab


def measure(name, environment=ENVIRONMENT):
    """Run a notebook in a JupyterLab."""
    with measured_lab(environment) as lab:
        start, limits = time.monotonic(), lab.limits
        kernel = lab.open(name)
        error = kernel.run_all(read_cells(name))
        seconds = time.monotonic() - start
        if killed := limits.killed():
            error += f" ({killed} processes killed for want of memory)"
        peak, hits = limits.peak(), limits.hits()
        return Result(name, seconds, peak, hits, kernel.alive(), error)


@contextlib.contextmanager
def copied_environment():
    """Copy .venv: a group is charged with no file that somebody else has read."""
    with tempfile.TemporaryDirectory(prefix="venv-") as folder:
        copy = Path(folder) / ENVIRONMENT.name
        try:
            shutil.copytree(ENVIRONMENT, copy, symlinks=True)
        except OSError as error:
            raise Refused(f".venv cannot be copied to {folder}: {error}") from error
        os.sync()  # only what is written to the disk can be dropped
        yield copy


def drop_cached_files(environment):
    """Let the system forget what it has read: only the first to read is charged."""
    for folder, _, names in os.walk(environment):
        for name in names:
            with contextlib.suppress(OSError, AttributeError):
                file = os.open(os.path.join(folder, name), os.O_RDONLY)
                os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
                os.close(file)


def replace_cells(text, result):
    """Return the README's text with a result in its row of the table."""
    lines = text.splitlines(keepends=True)
    headers = [line for line in lines if all(f"| {c} |" in line for c in COLUMNS)]
    rows = [i for i, line in enumerate(lines) if f"/{result.name}.ipynb) |" in line]
    titles = [title.strip() for title in headers[0].split("|")] if headers else []
    if len(rows) != 1 or lines[rows[0]].count("|") != len(titles) - 1:
        raise Refused(f"README.md has no row for {result.name} in its table of times.")
    parts = lines[rows[0]].split("|")
    values = f"{result.seconds:.0f} s", f"{result.peak / 1e9:.1f} GB"
    for column, value in zip(COLUMNS, values, strict=True):
        parts[titles.index(column)] = f" {value} "
    lines[rows[0]] = "|".join(parts)
    return "".join(lines)


def report(names):
    """Measure notebooks, print a line for each, and write the README's table."""
    readme, failed = PROJECT / "README.md", False
    Limits().remove()  # what is refused is told before the runs,
    for name in names:  # and so is a missing row
        replace_cells(readme.read_text(), Result(name, 0, 0, 0, True))
    print(HEADER, flush=True)
    with copied_environment() as environment:
        for name in names:
            result = measure(name, environment)
            print(result.line(), flush=True)
            well = result.alive and not result.error
            failed = failed or not well
            if well:
                readme.write_text(replace_cells(readme.read_text(), result))
    return int(failed)


def main(arguments=None):
    """Measure the notebooks named, or all; return 1 where one does not end well."""
    known = sorted(path.stem for path in (PROJECT / "notebooks").glob("*.ipynb"))
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(known))
    options = parser.parse_args(arguments)
    if unknown := {*options.names} - {*known}:
        parser.error(f"no notebook {', '.join(unknown)}: there are {', '.join(known)}")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # tidy up then, too
    signal.signal(signal.SIGINT, signal.default_int_handler)  # and in the background
    try:
        return report(options.names or known)
    except Refused as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
