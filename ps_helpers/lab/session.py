"""Start and stop a small, quiet and locked Ray for a notebook or a script."""

import atexit
import contextlib
import logging
import os
import re
import secrets
import shutil
import signal
import socket
import sys
import tempfile
import threading
from pathlib import Path

import psutil
import ray

from ps_helpers.lab import machine

OBJECT_STORE_BYTES = 78_643_200  # the least that Ray accepts
GB = 10**9
# Measured, JupyterLab and other notebooks not counted. Ray: its own processes, the
# servers, the growth of the notebook's kernel, and for TensorFlow the 200 MB of
# library pages that all workers share. A TensorFlow worker owns 220 MB, a NumPy one
# 60 MB.
RAY_BYTES = {"tensorflow": 0.75 * GB, "numpy": 0.5 * GB}
WORKER_BYTES = {"tensorflow": 0.25 * GB, "numpy": 0.065 * GB}
LEAN = Path(__file__).with_name("lean")  # its module says what it spares
MARK = "PS_HELPERS_DRIVER"  # names the driver in the environment of Ray's processes
QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_enable_worker_prestart": "0",  # no idle workers: they would cost 65 MB each
    "RAY_prestart_worker_first_driver": "0",
    "RAY_task_events_report_interval_ms": "0",  # a record of each call: 50 MB, 4 s
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",  # its warning is about accelerators
}
SILENT = {"log_to_driver": False, "logging_level": logging.ERROR}
_folders = []  # of this process's Ray: sockets and logs


class SessionError(RuntimeError):
    """Ray cannot be used; the message says what to do."""

    def _render_traceback_(self):  # what a notebook shows
        return [f"SessionError: {self}"]


def choose_engine(num_workers=4):
    """Return which engine the workers of a notebook should compute with.

    TensorFlow where there is room for it, NumPy where memory is short or where a
    single core would spend half a minute on importing TensorFlow in every worker.
    The environment variable PS_ENGINE overrides the choice.
    """
    chosen = os.environ.get("PS_ENGINE")
    if chosen and chosen not in WORKER_BYTES:
        raise SessionError(
            f"PS_ENGINE is {chosen!r}; set it to tensorflow or numpy, or unset it."
        )
    needed = bytes_needed(num_workers, "tensorflow") + 0.4 * GB  # room to breathe
    roomy = machine.cores() > 1 and machine.free_memory() >= needed
    return chosen or ("tensorflow" if roomy else "numpy")


def bytes_needed(num_workers, engine, num_bytes=0):
    """Return the memory that Ray, a server, these workers and so many bytes take."""
    return RAY_BYTES[engine] + num_workers * WORKER_BYTES[engine] + num_bytes


def start(num_workers=4, engine="numpy", address=None, num_bytes=0):
    """Start a Ray with room for some workers, or connect to one by its address.

    A Ray that this process had before is stopped first, and one whose driver has
    died is cleared away, so that running a cell twice is harmless. ``num_bytes``
    is the size of the data, weights and rows that will lie in shared memory: what
    does not fit there makes workers wait for one another.

    Raises SessionError, with a sentence that says what to do, where memory or
    CPUs are lacking, Ray is not up in time, or the address does not let us in.
    """
    if num_workers < 1:
        raise SessionError(f"{num_workers} workers cannot train: ask for 1 or more.")
    stop()
    if address:
        _join(address)
    else:
        _start(num_workers, engine, num_bytes)
    available = ray.cluster_resources().get("CPU", 0)
    if available < num_workers:
        stop()
        raise SessionError(
            f"{num_workers} workers need {num_workers} CPUs and the cluster has "
            f"{available:.0f}: start fewer workers, or add a node."
        )


def stop():
    """Stop this process's Ray, if it has one, or leave the cluster it joined.

    Ctrl-C cannot interrupt it, and has its effect again afterwards.
    """
    with _uninterrupted():
        if ray.is_initialized():
            ray.shutdown()
        _end_ray_processes(lambda mark: mark.startswith(f"{os.getpid()}:"))
        while _folders:
            shutil.rmtree(_folders.pop(), ignore_errors=True)


@contextlib.contextmanager
def _uninterrupted():
    handler = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or handler is None:
        yield  # Python gives interrupts to no other thread
        return
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)


def _start(num_workers, engine, num_bytes):
    _end_ray_processes(_is_over)
    needed = bytes_needed(num_workers, engine, num_bytes)
    if (free := machine.free_memory()) < needed:
        raise SessionError(
            f"{num_workers} {engine} workers need about {needed / GB:.1f} GB and "
            f"{free / GB:.1f} GB are free: shut down the other notebooks' kernels "
            "(Kernel > Shut Down All Kernels…, then run this notebook again), or "
            "start fewer workers."
        )
    size, folder = OBJECT_STORE_BYTES + int(1.2 * num_bytes), _new_folder()
    options = {"_temp_dir": folder, "object_store_memory": size, **SILENT}
    if os.path.isdir("/dev/shm") and shutil.disk_usage("/dev/shm").free < size:
        options["_plasma_directory"] = folder  # as Ray does, after a long warning
    own = {MARK: _mark(), "RAY_AUTH_MODE": "token"}
    own["RAY_AUTH_TOKEN"] = secrets.token_hex(32)  # its processes inherit it
    paths = filter(None, [str(LEAN), os.environ.get("PYTHONPATH")])
    own["PYTHONPATH"] = os.pathsep.join(paths)
    try:
        with _environment(own), _small_node():
            # "local", also where RAY_ADDRESS or `ray start` offers a cluster
            ray.init("local", num_cpus=num_workers, include_dashboard=False, **options)
    except Exception as error:
        stop()  # Ray does not end what it had started
        if "timed out" not in str(error):
            raise
        raise SessionError(
            "Ray did not start in time: run the cell again once other programs leave "
            "this machine some time, or pause a firewall or VPN that may keep its "
            "processes from talking to one another."
        ) from error


def _new_folder():
    """Return a new folder for Ray's sockets and logs that only this user can enter."""
    atexit.register(stop)
    for parent in (tempfile.gettempdir(), "/tmp"):
        # A socket's name has at most 103 bytes; 78 of them are Ray's and this folder's.
        if len(os.fsencode(parent)) < 25 and " " not in parent:
            with contextlib.suppress(OSError):
                _folders.append(tempfile.mkdtemp(prefix="ray", dir=parent))
                return os.path.join(_folders[-1], "r")  # which Ray opens to everybody
    raise SessionError(
        "Ray's sockets need a folder with a short name that can be written to, as "
        "/tmp is mostly: set TMPDIR to one."
    )


@contextlib.contextmanager
def _environment(own):
    """Set environment variables while Ray starts, and what it has read of them."""
    before = {name: os.environ.get(name) for name in own}
    os.environ.update(QUIET | own)
    with contextlib.suppress(ImportError, AttributeError):
        from ray._raylet import AuthenticationTokenLoader, Config

        Config.initialize("")  # an earlier start's mode and token are kept otherwise
        AuthenticationTokenLoader.instance().reset_cache()
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value


@contextlib.contextmanager
def _small_node():
    """Keep Ray from starting what a notebook never uses.

    These are its autoscaler, the server of its dashboard, which Ray starts even
    without the dashboard, and the reader of logs that are not shown. Each takes
    70 MB, and on one core a second or two of the start.
    """
    unused = ("start_monitor", "start_api_server", "start_log_monitor")
    try:
        import ray._private.node as module

        node = module.Node
        spared = {name: lambda *_, **__: None for name in unused if getattr(node, name)}
    except (ImportError, AttributeError):
        print("This Ray starts with about 210 MB more than it needs.", file=sys.stderr)
        yield
        return
    module.Node = type("SmallNode", (node,), spared)
    try:
        yield
    finally:
        module.Node = node


def _join(address):
    """Join a cluster, with the token that the user has for it, if any."""
    try:
        _require_cluster(address)
        held = os.environ.get("RAY_AUTH_TOKEN") or os.environ.get("RAY_AUTH_TOKEN_PATH")
        held = held or Path("~/.ray/auth_token").expanduser().exists()
        mode = os.environ.get("RAY_AUTH_MODE") or ("token" if held else "disabled")
        with _environment({"RAY_AUTH_MODE": mode}):
            with contextlib.suppress(ImportError):
                from ray._raylet import AuthenticationTokenLoader, GcsClient

                # What ray.init would refuse after 20 s, or by ending this process.
                if (
                    mode == "token"
                    and not AuthenticationTokenLoader.instance().has_token()
                ):
                    raise ray.exceptions.AuthenticationError("there is none")
                if ":" in address:
                    with machine.silent_stderr():
                        GcsClient(address=address)
            ray.init(address, **SILENT)
    except (ray.exceptions.RayError, OSError, ValueError, RuntimeError) as error:
        stop()
        raise SessionError(_why_not(address, error)) from error


def _require_cluster(address):
    """Raise OSError unless host:port answers within 10 s, and as gRPC does.

    Its first frame is of type 4, settings (RFC 9113, sections 3.4 and 6.5).
    """
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if host and port.isdigit():
        with socket.create_connection((host, int(port)), 5) as connection:
            settings = bytes(3) + b"\4" + bytes(5)
            with contextlib.suppress(OSError):
                connection.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + settings)
                if connection.recv(9)[3:4] == b"\4":
                    return
        raise BlockingIOError("something else listens there")


def _why_not(address, error):
    """Return the sentence that says why a cluster cannot be joined."""
    if isinstance(error, BlockingIOError):
        return (
            f"what listens at {address} does not answer as a Ray cluster does: take "
            "the address that `ray start --head` has printed."
        )
    if isinstance(error, ray.exceptions.AuthenticationError):
        return (
            f"the cluster at {address} lets nobody in without its token: set "
            "RAY_AUTH_TOKEN to it, or RAY_AUTH_TOKEN_PATH to a file that holds it."
        )
    if "Version mismatch" in str(error):
        theirs, our = re.findall(r"Ray: (\S+)\s+Python: (\S+)", str(error))
        return (
            f"the cluster at {address} has Ray {theirs[0]} and Python {theirs[1]}, "
            f"this process Ray {our[0]} and Python {our[1]}: install the same on both."
        )
    return (
        f"no Ray cluster answers at {address}: start one with "
        "`ray start --head`, or leave the address out to use this machine."
    )


def _mark():
    """Return what names this process: its number, start, and space of numbers."""
    return f"{os.getpid()}:{psutil.Process().create_time()}:{_number_space()}"


def _number_space():
    with contextlib.suppress(OSError):
        return os.stat("/proc/self/ns/pid").st_ino  # another one in a container
    return 0


def _is_over(mark):
    """Return whether the driver that a mark names runs no more."""
    pid, started, space = mark.split(":")
    if int(space) != _number_space():
        return False
    try:  # the clock may have been set meanwhile
        return abs(psutil.Process(int(pid)).create_time() - float(started)) > 60
    except psutil.NoSuchProcess:
        return True


def _end_ray_processes(is_ended):
    """End the Ray processes whose driver's mark is such.

    Ray ends them itself, unless its driver was killed or interrupted while starting.
    """
    ended = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, ValueError):
            mark = process.environ().get(MARK)
            if mark and is_ended(mark) and _is_rays(process.cmdline()):
                process.terminate()
                ended.append(process)
    for process in psutil.wait_procs(ended, timeout=5)[1]:
        with contextlib.suppress(psutil.Error):
            process.kill()


def _is_rays(command):
    """Return whether a command is of Ray: its title, its program or Python's script."""
    script = next((word for word in command[1:] if not word.startswith("-")), "")
    below = os.path.join(ray.__path__[0], "")
    programs = command[0].startswith(below), script.startswith(below)
    names = Path(command[0]).name in ("raylet", "gcs_server")
    return command[0].startswith("ray::") or names or any(programs)


def _require_ray():
    if not ray.is_initialized():
        raise SessionError(
            "Ray is not running: run the cell with session.start(…), and then the "
            "cells below it again."
        )


with contextlib.suppress(ImportError):  # else the first call would start a full Ray
    from ray._private import auto_init_hook

    auto_init_hook.auto_init_ray = _require_ray
