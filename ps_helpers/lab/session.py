"""Start and stop a small, quiet and locked Ray for a notebook or a script."""

import atexit
import contextlib
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from functools import partial
from pathlib import Path

import ray

from ps_helpers.lab import door, machine, processes
from ps_helpers.lab.door import SessionError

OBJECT_STORE_BYTES = 78_643_200  # the least that Ray accepts
GB = 10**9
# Measured: Ray, the servers, the growth of a kernel, and for TensorFlow 200 MB of pages
# that workers share; a worker owns 220 MB, with NumPy 60 MB.
RAY_BYTES = {"tensorflow": 0.75 * GB, "numpy": 0.5 * GB}
WORKER_BYTES = {"tensorflow": 0.25 * GB, "numpy": 0.065 * GB}
NODE_BYTES = 0.12 * GB  # a further node: its raylet, and two agents of it
LEAN = Path(__file__).with_name("lean")  # its module says what it spares
_folders = []  # of this process's Ray: sockets and logs


def choose_engine(num_workers=4):
    """Return which engine the workers of a notebook should compute with.

    TensorFlow where there is room for it, NumPy where memory is short or where a
    single core would spend half a minute on importing TensorFlow in every worker.
    The environment variable PS_ENGINE overrides the choice; raises SessionError where
    it names no engine.
    """
    needed = bytes_needed(num_workers, "tensorflow") + 0.4 * GB  # room to breathe
    roomy = machine.cores() > 1 and machine.free_memory() >= needed
    chosen = os.environ.get("PS_ENGINE") or ("tensorflow" if roomy else "numpy")
    if chosen not in WORKER_BYTES:
        reason = f"PS_ENGINE is {chosen!r}; set it to tensorflow or numpy, or unset it."
        raise SessionError(reason)
    return chosen


def bytes_needed(num_workers, engine, num_bytes=0, num_servers=1):
    """Return the memory that Ray, servers, these workers and so many bytes take."""
    more = (num_servers - 1) * WORKER_BYTES["numpy"]
    return RAY_BYTES[engine] + num_workers * WORKER_BYTES[engine] + more + num_bytes


def start(
    num_workers=4,
    engine="numpy",
    address=None,
    num_bytes=0,
    num_servers=1,
    num_nodes=1,
):
    """Start a Ray with room for some workers, or connect to one by its address.

    With ``num_nodes`` it has so many nodes, all of them processes of this machine and
    each with a store of its own and CPUs for ``num_workers``, the driver's first.

    A Ray that this process had before is stopped first, and one whose driver has
    died is cleared away. ``num_bytes`` is the size of the data, weights and rows that
    will lie in shared memory: workers wait for what does not fit there.

    Raises SessionError, with a sentence that says what to do, where memory or
    CPUs are lacking, Ray is not up in time, or the address does not let us in.
    """
    if num_workers < 1:
        raise SessionError(f"{num_workers} workers cannot train: ask for 1 or more.")
    stop()
    if address:
        door.join(address)
    else:
        _start(num_workers, engine, num_bytes, num_servers, num_nodes)
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
    main = threading.current_thread() is threading.main_thread()  # it gets all signals
    handler = signal.getsignal(signal.SIGINT) if main else None
    if handler is not None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        if ray.is_initialized():
            ray.shutdown()
            if main:  # Ray leaves the system's own answer to it: to end at once
                old = signal.getsignal(signal.SIGTERM) or signal.SIG_DFL
                signal.signal(signal.SIGTERM, old)
        door.close_handles()
        processes.end_ray_processes(lambda mark: mark.startswith(f"{os.getpid()}:"))
        while _folders:
            shutil.rmtree(_folders.pop(), ignore_errors=True)
    finally:
        if handler is not None:
            signal.signal(signal.SIGINT, handler)


def _start(num_workers, engine, num_bytes, num_servers, num_nodes, tries=2):
    processes.end_ray_processes(processes.is_over)
    needed = num_nodes * bytes_needed(num_workers, engine, num_bytes, num_servers)
    needed -= (num_nodes - 1) * (RAY_BYTES[engine] - NODE_BYTES)
    if (free := machine.free_memory()) < needed:
        raise SessionError(
            f"{num_nodes * num_workers} {engine} workers need about "
            f"{needed / GB:.1f} GB and {free / GB:.1f} GB are free: shut down other "
            "kernels (Kernel > Shut Down All Kernels…, then run this notebook again), "
            "or start fewer workers."
        )
    size, folder = OBJECT_STORE_BYTES + int(1.2 * num_bytes), _new_folder()
    options = {"_temp_dir": folder, "object_store_memory": size, **door.SILENT}
    room = num_nodes * size
    if os.path.isdir("/dev/shm") and shutil.disk_usage("/dev/shm").free < room:
        options["_plasma_directory"] = folder  # as Ray does, after a long warning
    paths = filter(None, [str(LEAN), os.environ.get("PYTHONPATH")])
    own = {processes.MARK: processes.mark(), "PYTHONPATH": os.pathsep.join(paths)}
    own |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
    try:
        with door.environment(own), _own_groups(), _small_node():
            # "local", also where RAY_ADDRESS or `ray start` offers a cluster
            ray.init("local", num_cpus=num_workers, include_dashboard=False, **options)
            _add_nodes(num_nodes - 1, num_workers, size, options)
    except Exception as error:
        stop()  # Ray does not end what it had started
        if "timed out" not in str(error):
            raise
        if tries > 1:  # Ray waits for half a minute only: too short on a busy machine
            how = num_workers, engine, num_bytes, num_servers, num_nodes
            return _start(*how, tries=tries - 1)
        raise SessionError(
            "Ray did not start in time: run the cell again once other programs leave "
            "this machine some time, or pause a firewall or VPN that holds it up."
        ) from error


def _add_nodes(count, num_cpus, size, options):
    """Add nodes to this process's Ray, as `ray.cluster_utils.Cluster` does.

    They end as the rest of it does: by the mark in their environment.
    """
    for _ in range(count):  # one by one: together they take the same names of sockets
        from ray._private.parameter import RayParams  # private: not for one node

        parameters = RayParams(
            gcs_address=ray.get_runtime_context().gcs_address,
            num_cpus=num_cpus,
            num_gpus=0,
            object_store_memory=size,
            plasma_directory=options.get("_plasma_directory"),
            temp_dir=options["_temp_dir"],
            min_worker_port=0,  # any: nodes of one machine would take the same ones
            max_worker_port=0,
            node_manager_port=0,
            dashboard_agent_listen_port=None,
            include_log_monitor=False,
        )
        ray._private.node.Node(parameters, head=False, shutdown_at_exit=False)


def _new_folder():
    """Return a new folder for Ray's sockets and logs that only this user can enter."""
    atexit.register(stop)
    for parent in (tempfile.gettempdir(), "/tmp"):
        # A socket's name has at most 103 bytes; 78 of them are Ray's and this folder's.
        if len(os.fsencode(parent)) < 25 and " " not in parent:
            with contextlib.suppress(OSError):
                _folders.append(tempfile.mkdtemp(prefix="ray", dir=parent))
                return os.path.join(_folders[-1], "r")  # which Ray opens to everybody
    reason = "Ray's sockets need a folder that can be written to, with a short name"
    raise SessionError(f"{reason}: set TMPDIR to one.")


@contextlib.contextmanager
def _own_groups():
    """Start Ray's processes in process groups of their own.

    A signal to the driver's group, as from `timeout`, is then the driver's to answer:
    without its raylet Ray would end it at once, in the middle of the clean-up.
    """
    services = ray._private.services
    popen = getattr(services, "ConsolePopen", subprocess.Popen)  # private: it may go
    services.ConsolePopen = partial(popen, process_group=0)
    try:
        yield
    finally:
        services.ConsolePopen = popen


@contextlib.contextmanager
def _small_node():
    """Keep Ray from starting what a notebook never uses, with or without a dashboard.

    Each takes 70 MB, and on one core a second or two of the start.
    """
    unused = ("start_monitor", "start_api_server", "start_log_monitor")
    module = getattr(ray._private, "node", None)
    node = getattr(module, "Node", None)
    if not all(hasattr(node, name) for name in unused):
        print("This Ray starts with about 210 MB more than it needs.", file=sys.stderr)
        yield
        return
    spared = dict.fromkeys(unused, lambda *_, **__: None)
    module.Node = type("SmallNode", (node,), spared)
    try:
        yield
    finally:
        module.Node = node
