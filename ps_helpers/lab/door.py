"""Let processes into Ray, or into a cluster, that hold its token; see SECURITY.md."""

import contextlib
import gc
import logging
import os
import re
import socket
from pathlib import Path

import ray

from ps_helpers.lab import machine

QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_enable_worker_prestart": "0",  # no idle workers: they would cost 65 MB each
    "RAY_prestart_worker_first_driver": "0",
    "RAY_task_events_report_interval_ms": "0",  # a record of each call: 50 MB, 4 s
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",  # its warning is about accelerators
}
SETTINGS = bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])  # an empty frame of them
AGAIN = "run the cell with session.start(…), and then the cells below it again."
SILENT = {"log_to_driver": False, "logging_level": logging.ERROR}


class SessionError(RuntimeError):
    """Ray cannot be used; the message says what to do."""

    def _render_traceback_(self):  # what a notebook shows
        return [f"SessionError: {self}"]


@contextlib.contextmanager
def environment(own):
    """Set environment variables while Ray starts, and what it has read of them."""
    os.environ.update(QUIET)
    with machine.environment(own):
        with contextlib.suppress(AttributeError):  # else an earlier start's are kept
            ray._raylet.Config.initialize("")
            ray._raylet.AuthenticationTokenLoader.instance().reset_cache()
        yield


def join(address):
    """Join a cluster, with the token that the user has for it, if any."""
    try:
        _require_cluster(address)
        held = any(map(os.environ.get, ("RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH")))
        held = held or Path("~/.ray/auth_token").expanduser().exists()
        mode = os.environ.get("RAY_AUTH_MODE") or ("token" if held else "disabled")
        with environment({"RAY_AUTH_MODE": mode}):
            with contextlib.suppress(AttributeError), machine.silent_stderr():
                # What ray.init would refuse after 20 s, or by ending this process.
                token = ray._raylet.AuthenticationTokenLoader.instance()
                if mode == "token" and not token.has_token():
                    raise ray.exceptions.AuthenticationError("there is none")
                if ":" in address and "://" not in address:
                    ray._raylet.GcsClient(address=address)
            ray.init(address, **SILENT)
    except (ray.exceptions.RayError, OSError, ValueError, RuntimeError) as error:
        ray.shutdown()
        raise SessionError(_why_not(address, error)) from error


def _require_cluster(address):
    """Raise OSError unless host:port answers within 10 s, with gRPC's first frame.

    That is of type 4, settings (RFC 9113, sections 3.4 and 6.5).
    """
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if host and port.isdigit() and not os.environ.get("RAY_USE_TLS"):
        with socket.create_connection((host, int(port)), 5) as connection:
            with contextlib.suppress(OSError):
                connection.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + SETTINGS)
                if connection.recv(9)[3:4] == SETTINGS[3:4]:
                    return
        raise BlockingIOError("something else listens there")


def _why_not(address, error):
    """Return the sentence that says why a cluster cannot be joined."""
    if isinstance(error, BlockingIOError):
        why = f"what listens at {address} does not answer as a Ray cluster does"
        what = "take the address that `ray start --head` has printed."
    elif isinstance(error, ray.exceptions.AuthenticationError):
        why = f"the cluster at {address} lets nobody in without its token"
        what = "set RAY_AUTH_TOKEN to it, or RAY_AUTH_TOKEN_PATH to a file with it."
    elif "Version mismatch" in str(error):
        found = re.findall(r"Ray: (\S+)\s+Python: (\S+)", str(error))
        theirs, ours = (f"Ray {pair[0]} and Python {pair[1]}" for pair in found)
        why = f"the cluster at {address} has {theirs}, this process {ours}"
        what = "install the same on both."
    else:
        why = f"no Ray cluster answers at {address}"
        what = (
            "start one with `ray start --head`, or give no address to use this machine."
        )
    return f"{why}: {what}"


def _require_ray():
    if not ray.is_initialized():
        raise SessionError(f"Ray is not running: {AGAIN}")


class ClosedHandle(ray.actor.ActorHandle):
    """A handle whose Ray has stopped; as an argument, Ray's would end this process."""

    def __getattribute__(self, name):
        if name == "__class__":  # isinstance asks for it
            return ClosedHandle
        raise SessionError(f"this actor's Ray has been stopped: {AGAIN}")

    def __del__(self):
        pass  # Ray's would look for the actor


def close_handles():
    """Let whatever uses a handle of the Ray that was stopped raise SessionError."""
    for handle in gc.get_objects():
        if type(handle) is ray.actor.ActorHandle:
            handle.__class__ = ClosedHandle


with contextlib.suppress(ImportError):  # else the first call would start a full Ray
    from ray._private import auto_init_hook

    auto_init_hook.auto_init_ray = _require_ray
