"""Start and stop a small, quiet Ray for a notebook or a script."""

import contextlib
import logging
import os
import shutil
import socket
import tempfile
from pathlib import Path

import psutil
import ray
import ray._private.node

from ps_helpers.lab import machine

OBJECT_STORE_BYTES = 78_643_200  # the least that Ray accepts
GB = 10**9
# Measured, JupyterLab and other notebooks not counted. Ray: its own processes, the
# servers, the growth of the notebook's kernel, and for TensorFlow the 200 MB of
# library pages that all workers share. A TensorFlow worker owns 220 MB, a NumPy one
# 60 MB.
RAY_BYTES = {"tensorflow": 0.75 * GB, "numpy": 0.5 * GB}
WORKER_BYTES = {"tensorflow": 0.25 * GB, "numpy": 0.065 * GB}
DRIVER_VARIABLE = "PS_HELPERS_DRIVER"  # marks Ray's processes with their driver's pid
LEAN = Path(__file__).with_name("lean")  # its module says what it spares


class SessionError(RuntimeError):
    """Ray cannot be started here; the message says what to do."""


class _SmallNode(ray._private.node.Node):
    """A node that does not start what a notebook never uses.

    These are Ray's autoscaler, the server of its dashboard, which Ray starts even
    without the dashboard, and the reader of logs that are not shown. Each takes
    70 MB, and on one core a second or two of the start.
    """

    def start_monitor(self):
        pass

    def start_api_server(self, **_):
        pass

    def start_log_monitor(self):
        pass


def choose_engine(num_workers=4):
    """Return which engine the workers of a notebook should compute with.

    TensorFlow where there is room for it, NumPy where memory is short or where a
    single core would spend half a minute on importing TensorFlow in every worker.
    The environment variable PS_ENGINE overrides the choice.
    """
    chosen = os.environ.get("PS_ENGINE")
    if chosen:
        if chosen not in WORKER_BYTES:
            raise SessionError(
                f"PS_ENGINE is {chosen!r}; set it to tensorflow or numpy, or unset it."
            )
        return chosen
    needed = bytes_needed(num_workers, "tensorflow") + 0.4 * GB  # room to breathe
    if machine.cores() > 1 and machine.free_memory() >= needed:
        return "tensorflow"
    return "numpy"


def bytes_needed(num_workers, engine):
    """Return the memory that Ray, a server and these workers take."""
    return RAY_BYTES[engine] + num_workers * WORKER_BYTES[engine]


def start(num_workers=4, engine="numpy", address=None, num_bytes=0):
    """Start a Ray with room for some workers, or connect to one by its address.

    A Ray that this process had before is stopped first, and one whose driver has
    died is cleared away, so that running a cell twice is harmless. ``num_bytes``
    is the size of the data that will be put into Ray's object store: what does not
    fit there makes workers wait for one another.

    Raises SessionError, with a sentence that says what to do, where memory or
    CPUs are lacking, Ray is not up in time, or the address does not answer.
    """
    if num_workers < 1:
        raise SessionError(f"{num_workers} workers cannot train: ask for 1 or more.")
    stop()
    os.environ.update(
        RAY_AUTH_MODE="disabled",
        RAY_USAGE_STATS_ENABLED="0",
        RAY_enable_worker_prestart="0",  # no idle workers: they would cost 65 MB each
        RAY_prestart_worker_first_driver="0",
        RAY_task_events_report_interval_ms="0",  # a record of each call: 50 MB, 4 s
        RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO="0",  # its warning is about accelerators
    )
    quiet = {"log_to_driver": False, "logging_level": logging.ERROR}
    if address:
        _connect(address, quiet)
    else:
        _end_ray_processes(lambda driver: not psutil.pid_exists(driver))
        _require_memory(num_workers, engine)
        os.environ[DRIVER_VARIABLE] = str(os.getpid())
        with _lean_processes(), _startup_explained():
            ray.init(
                address="local",  # also where RAY_ADDRESS or `ray start` offers one
                num_cpus=num_workers,
                include_dashboard=False,
                **_object_store(OBJECT_STORE_BYTES + int(1.2 * num_bytes)),
                **quiet,
            )
    _require_cpus(num_workers)


def stop():
    """Stop this process's Ray, if it has one, or leave the cluster it joined."""
    if ray.is_initialized():
        ray.shutdown()
    _end_ray_processes(lambda driver: driver == os.getpid())


@contextlib.contextmanager
def _lean_processes():
    """Let Ray start fewer and smaller processes; they inherit the environment."""
    path, node = os.environ.get("PYTHONPATH"), ray._private.node.Node
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(LEAN), path]))
    ray._private.node.Node = _SmallNode
    try:
        yield
    finally:
        ray._private.node.Node = node
        os.environ.pop("PYTHONPATH")
        if path is not None:
            os.environ["PYTHONPATH"] = path


@contextlib.contextmanager
def _startup_explained():
    """Turn the bare Exception of a Ray that is not up after 30 s into a sentence."""
    try:
        yield
    except Exception as error:
        if "timed out" not in str(error):
            raise
        stop()  # Ray does not end what it had started
        raise SessionError(
            "Ray did not start in time: run the cell again once other programs leave "
            "this machine some time, or pause a firewall or VPN that may keep its "
            "processes from talking to one another."
        ) from error


def _connect(address, quiet):
    try:
        _require_listener(address)
        ray.init(address=address, **quiet)
    except (OSError, ValueError, RuntimeError) as error:
        raise SessionError(
            f"no Ray cluster answers at {address}: start one with "
            "`ray start --head`, or leave the address out to use this machine."
        ) from error


def _require_listener(address):
    """Raise OSError where nothing listens at host:port; Ray itself would wait on."""
    host, _, port = address.rpartition(":")
    if host and port.isdigit():
        socket.create_connection((host.removeprefix("ray://"), int(port)), 5).close()


def _object_store(size):
    """Return Ray's options for an object store of this many bytes.

    Where /dev/shm is too small for it, another folder is named; Ray would choose
    it by itself, after a long warning.
    """
    options = {"object_store_memory": size}
    if os.path.isdir("/dev/shm") and shutil.disk_usage("/dev/shm").free < size:
        options["_plasma_directory"] = tempfile.gettempdir()
    return options


def _require_memory(num_workers, engine):
    needed, free = bytes_needed(num_workers, engine), machine.free_memory()
    if free < needed:
        raise SessionError(
            f"{num_workers} {engine} workers need about {needed / GB:.1f} GB and "
            f"{free / GB:.1f} GB are free: shut down the other notebooks' kernels "
            "(Kernel > Shut Down All Kernels…, then run this notebook again), or "
            "start fewer workers."
        )


def _require_cpus(num_workers):
    available = ray.cluster_resources().get("CPU", 0)
    if available < num_workers:
        stop()
        raise SessionError(
            f"{num_workers} workers need {num_workers} CPUs and the cluster has "
            f"{available:.0f}: start fewer workers, or add a node."
        )


def _end_ray_processes(is_over):
    """End the Ray processes of each driver of ours, by its pid, that is over.

    Ray ends them itself, unless its driver was killed or interrupted while starting.
    """
    ended = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, ValueError):
            driver = process.environ().get(DRIVER_VARIABLE)
            if driver and is_over(int(driver)) and "ray" in "".join(process.cmdline()):
                process.terminate()
                ended.append(process)
    for process in psutil.wait_procs(ended, timeout=5)[1]:
        with contextlib.suppress(psutil.Error):
            process.kill()
