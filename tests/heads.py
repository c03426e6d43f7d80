"""A Ray of its own that a test starts as a user of a cluster does, and ends."""

import contextlib
import secrets
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from ps_helpers.lab import session

RAY = [sys.executable, "-m", "ray.scripts.scripts"]
SECONDS = 300  # after which a process is said to hang, on a busy machine too
PORTS = "port", "ray-client-server-port", "dashboard-port"
PORTS += ("dashboard-agent-listen-port",)


def unused_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@contextlib.contextmanager
def running_head(environment, *options):
    """Start a head; yield its ports, by their options, and the environment it has.

    Its home is that of a user who has used Ray before, which left a token there: then
    `ray start` lets in by it alone.
    """
    ports = {name: unused_port() for name in PORTS}
    short = {"dir": "/tmp", "ignore_cleanup_errors": True}  # Ray's sockets are in it
    with tempfile.TemporaryDirectory(**short) as home:
        Path(home, ".ray").mkdir()
        Path(home, ".ray", "auth_token").write_text(secrets.token_hex(32))
        own = environment | {"HOME": home, "RAY_USAGE_STATS_ENABLED": "0"}
        command = [*RAY, "start", "--head", f"--temp-dir={home}", *options]
        command += ["--block"]  # so that ending this process ends this Ray alone
        command += [f"--object-store-memory={session.OBJECT_STORE_BYTES}"]
        command += [f"--{name}={port}" for name, port in ports.items()]
        log = Path(home, "output")
        with log.open("w") as file:
            process = subprocess.Popen(command, env=own, stdout=file, stderr=file)
        try:
            # A node may join seconds after the cluster begins to answer.
            deadline = time.monotonic() + SECONDS
            while "Ray runtime started" not in (said := log.read_text()):
                assert process.poll() is None and time.monotonic() < deadline, said
                time.sleep(0.2)
            yield ports, own
        finally:
            process.terminate()
            process.wait(SECONDS)
