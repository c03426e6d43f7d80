"""Make several "machines" out of one: network namespaces behind links of a given speed.

Each has an address and a full-duplex link of its own to a bridge that joins them; they
share processors, memory and disk. Needs Linux, root, and `ip` and `tc` of iproute2.
"""

import contextlib
import ctypes
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from ps_helpers.lab import door, session

ROOT = Path(__file__).parents[2]
NUM_NODES, PORT = 3, 6379
BRIDGE, PORTS = "psbridge", [f"psport{node}" for node in range(NUM_NODES)]
# A burst takes the largest segments whole: to cut them to frames, as a network card
# does, took half of both cores. A longer queue delays answers where a link is slow.
SHAPE = "root tbf burst 256kb latency 50ms rate".split()
STORE_BYTES = 1_500_000_000  # of Ray's object store on each node
WAIT = 120  # seconds until a Ray that does not start is an error


def why_not():
    """Return why this machine can have no such nodes, in a sentence; "" if it can."""
    if not sys.platform.startswith("linux") or os.geteuid() != 0:
        return "nodes behind links need Linux and root"
    if lacking := [tool for tool in ("ip", "tc") if not shutil.which(tool)]:
        return f"nodes behind links need {' and '.join(lacking)}: install iproute2"
    try:
        run("ip", "netns", "add", "psprobe")
        run("ip", "netns", "del", "psprobe")
    except subprocess.CalledProcessError as error:
        return f"no network namespace can be made here: {error.stderr.strip()}"
    return ""


def run(*words):
    return subprocess.run(words, check=True, capture_output=True, text=True).stdout


def name(node):
    return f"psnode{node}"


def address(node):
    return f"10.77.0.{node + 1}"


def enter(node):
    """Move this thread, and what it starts from now on, to a node."""
    with open(f"/run/netns/{name(node)}", "rb") as file:
        if ctypes.CDLL(None, use_errno=True).setns(file.fileno(), 0):
            raise OSError(ctypes.get_errno(), f"cannot enter {name(node)}")


@contextlib.contextmanager
def nodes():
    """Have nodes behind links, which `shape` gives a speed; remove them at the end."""
    remove()
    try:
        run("ip", "link", "add", BRIDGE, "type", "bridge")
        run("ip", "link", "set", BRIDGE, "up")
        for node in range(NUM_NODES):
            own, other = name(node), PORTS[node]
            run("ip", "netns", "add", own)
            pair = ["type", "veth", "peer", "name", "eth0", "netns", own]
            run("ip", "link", "add", other, *pair)
            run("ip", "link", "set", other, "master", BRIDGE, "up")
            run("ip", "-n", own, "addr", "add", f"{address(node)}/24", "dev", "eth0")
            for device in ("lo", "eth0"):
                run("ip", "-n", own, "link", "set", device, "up")
        yield
    finally:
        remove()


def shape(rate):
    """Let every link carry so much each way: a rate as `tc` writes it, as 1gbit."""
    for node in range(NUM_NODES):
        out = ["ip", "netns", "exec", name(node), "tc", "qdisc", "replace", "dev"]
        run(*out, "eth0", *SHAPE, rate)
        run("tc", "qdisc", "replace", "dev", PORTS[node], *SHAPE, rate)


def cut(node, whole=False):
    """Let nothing in or out of a node, or again when its link is ``whole``."""
    run("ip", "-n", name(node), "link", "set", "eth0", "up" if whole else "down")


def crossed():
    """Return [bytes sent, bytes received] of each node since there are nodes."""
    ways = [f"/sys/class/net/eth0/statistics/{way}_bytes" for way in ("tx", "rx")]
    listed = [
        run("ip", "netns", "exec", name(node), "cat", *ways)
        for node in range(NUM_NODES)
    ]
    return [list(map(int, numbers.split())) for numbers in listed]


def remove():
    """End what runs on nodes, and remove them."""
    listed = run("ip", "netns", "list").split()
    for node in range(NUM_NODES):
        if name(node) in listed:
            for process in run("ip", "netns", "pids", name(node)).split():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(int(process), signal.SIGKILL)
            run("ip", "netns", "del", name(node))
    for device in (BRIDGE, *PORTS):
        with contextlib.suppress(subprocess.CalledProcessError):
            run("ip", "link", "del", device)  # the kernel would do it later


def on_node(node, *words, **options):
    """Start a command on a node; return its `Popen`."""
    return subprocess.Popen(
        ["ip", "netns", "exec", name(node), *words], cwd=ROOT, **options
    )


@contextlib.contextmanager
def ray_on_nodes(num_cpus):
    """Start a Ray over all nodes; those after the first have so many CPUs each.

    Yields the environment, with the token, of a driver on node 0, and a function that
    starts a node again. It ends with the nodes, whose processes are all killed.
    """
    own = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
    paths = [str(session.LEAN), str(ROOT), str(ROOT / "tests" / "benchmarks")]
    own |= door.QUIET | {"PYTHONPATH": os.pathsep.join(paths)}
    with tempfile.TemporaryDirectory(prefix="ray", dir="/tmp") as folder:

        def start(node):
            more = [f"--address={address(0)}:{PORT}", f"--num-cpus={num_cpus}"]
            if node == 0:
                more = ["--head", f"--port={PORT}", "--include-dashboard=false"]
                more += ["--num-cpus=0", f"--temp-dir={folder}/r"]
            start_ray(node, Path(folder, f"{node}.log"), os.environ | own, *more)

        for node in range(NUM_NODES):
            start(node)
        yield os.environ | own, start


def start_ray(node, log, environment, *more):
    """Start a node of Ray; return when it says that it runs, or raise RuntimeError."""
    ray = [sys.executable, "-m", "ray.scripts.scripts", "start", "--block"]
    ray += ["--disable-usage-stats", f"--object-store-memory={STORE_BYTES}"]
    ray += [f"--node-ip-address={address(node)}", *more]
    with log.open("w") as file:
        process = on_node(node, *ray, env=environment, stdout=file, stderr=file)
    deadline = time.time() + WAIT
    while "runtime started" not in log.read_text():
        if process.poll() is not None or time.time() > deadline:
            raise RuntimeError(f"Ray does not start on node {node}: {log.read_text()}")
        time.sleep(0.2)
