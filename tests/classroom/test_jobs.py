"""Test of `ray job submit`, in the line of notebooks/cluster/README.md.

It runs in build/jobs: a head that takes jobs needs more than the notebooks do.
"""

import contextlib
import os
import re
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
RAY = [sys.executable, "-m", "ray.scripts.scripts"]
README = (ROOT / "notebooks" / "cluster" / "README.md").read_text()
SECONDS = 300  # more than any of these takes


@pytest.fixture(scope="module")
def head():
    """Start a Ray that takes jobs by a token; yield its address and environment."""
    folder = Path(tempfile.mkdtemp(dir="/tmp"))  # short: Ray's sockets are in it
    with contextlib.ExitStack() as sockets:
        ports = [bound(sockets) for _ in range(4)]
    names = ("port", "dashboard-port", "dashboard-agent-listen-port")
    options = [f"--{n}={p}" for n, p in zip(names, ports, strict=False)]
    environment = os.environ | {
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
        "HOME": str(folder),
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN": secrets.token_hex(32),
        "RAY_USAGE_STATS_ENABLED": "0",
    }
    start = [*RAY, "start", "--head", "--block", "--num-cpus=3", f"--temp-dir={folder}"]
    start += [*options, f"--ray-client-server-port={ports[3]}"]
    with (folder / "output").open("w") as output:
        process = subprocess.Popen(start, env=environment, stdout=output, stderr=output)
    try:
        wait_for("Ray runtime started", folder / "output", process)
        yield f"http://127.0.0.1:{ports[1]}", environment
    finally:
        process.terminate()
        process.wait(SECONDS)
        shutil.rmtree(folder, ignore_errors=True)


def bound(sockets):
    """Return a port that is free; it is held until all that are asked for are found."""
    held = sockets.enter_context(socket.socket())
    held.bind(("127.0.0.1", 0))
    return held.getsockname()[1]


def wait_for(words, path, process):
    deadline = time.monotonic() + SECONDS
    while words not in path.read_text():
        assert process.poll() is None and time.monotonic() < deadline, path.read_text()
        time.sleep(0.2)


def submit(address, environment, options=" 1 --num-workers 2 --num-updates 200"):
    """Submit README's job to this head; options replace its number of servers."""
    [line] = re.findall(r"(?m)^ray (job submit [^`]*?\n.*)\n```", README)
    line = re.sub(r"http://\S+", address, line.replace("\\\n", ""))
    line = re.sub("(?<=--num-servers) .*", options, line)
    return subprocess.run(
        [*RAY, *line.split()],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=SECONDS,
    )


def test_a_job_trains_and_says_how_well(head):
    done = submit(*head)
    assert done.returncode == 0, done.stdout
    assert "succeeded" in done.stdout
    [accuracy] = re.findall(r"test accuracy\D*(0\.\d+)", done.stdout)
    assert float(accuracy) > 0.8


def test_a_job_says_what_the_script_refuses(head):
    done = submit(*head, options=" 2")
    assert done.returncode != 0
    assert "8 workers need 8 CPUs and the cluster has 3: start fewer" in done.stdout
    assert "Traceback" not in done.stdout


def test_without_the_token_nobody_submits(head):
    address, environment = head
    others = {"RAY_AUTH_TOKEN": secrets.token_hex(32)}
    for changed in (environment | others, environment | {"RAY_AUTH_MODE": "disabled"}):
        done = submit(address, changed)
        assert done.returncode != 0
        assert re.search(r"(?i)authenticat|token", done.stdout), done.stdout
