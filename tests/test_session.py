"""Tests of starting and stopping Ray, and of who may come in."""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
import ray
import ray._private.node
from heads import unused_port

from ps_helpers.lab import machine, processes, session

GB = 10**9
[RAY] = ray.__path__


def children():
    """Return the Ray processes that this process has."""
    return psutil.Process().children(recursive=True)


# With Ray, first: what follows stops it


def marked():
    """Return the environments of Ray's processes; a title may lie over one."""
    found = [process.environ() for process in children()]
    found = [environment for environment in found if processes.MARK in environment]
    assert len(found) >= 2  # the raylet and the server of its state
    return found


def rays_token():
    """Return the token that Ray's processes share."""
    [token] = {environment["RAY_AUTH_TOKEN"] for environment in marked()}
    return token


def test_ray_is_lean_and_its_token_is_known_to_its_processes_alone(running_ray):
    commands = ""
    for process in children():
        with contextlib.suppress(psutil.Error, ProcessLookupError):  # it has ended
            commands += " ".join(process.cmdline())
            assert os.getpgid(process.pid) != os.getpgrp()  # see `_own_groups`
    for helper in ("monitor.py", "dashboard.py", "log_monitor.py"):
        assert helper not in commands
    modules = ray.remote(lambda: set(sys.modules)).remote()
    assert "lark" not in ray.get(modules, timeout=60)  # see ps_helpers/lab/lean
    token = rays_token()
    assert len(token) == 64
    assert {environment["RAY_AUTH_MODE"] for environment in marked()} == {"token"}
    for name in (processes.MARK, "RAY_AUTH_MODE", "RAY_AUTH_TOKEN"):
        assert name not in os.environ
    [mark] = {environment[processes.MARK] for environment in marked()}
    assert mark.startswith(f"{os.getpid()}:") and not processes.is_over(mark)
    [folder] = session._folders
    assert os.stat(folder).st_mode & 0o777 == 0o700
    for path in Path(folder).rglob("*"):
        assert not path.is_file() or token.encode() not in path.read_bytes(), path


STRANGER = """
import json, sys
import ray
from ps_helpers.lab import machine, session
address, *attempts = sys.argv[1:]
for variables in map(json.loads, attempts):
    ray.__version__ = variables.pop("version", ray.__version__)
    with machine.environment(variables):
        try:
            session.start(1, address=address)
            print("joined", ray.get(ray.remote(lambda: 6 * 7).remote(), timeout=60))
            session.stop()
        except session.SessionError as error:
            print(error)
"""


def test_a_stranger_joins_with_the_right_token_alone(running_ray, tmp_path):
    address, token = ray.get_runtime_context().gcs_address, rays_token()
    file = tmp_path / ".ray" / "auth_token"
    file.parent.mkdir()
    file.write_text(token)
    attempts = [
        {},
        {"RAY_AUTH_MODE": "token"},
        {"RAY_AUTH_TOKEN": "0" * 64},
        {"RAY_AUTH_TOKEN_PATH": f"{file}-missing"},
        {"RAY_AUTH_TOKEN": token},
        {"RAY_AUTH_TOKEN_PATH": str(file)},
        {"HOME": str(tmp_path)},
        {"RAY_AUTH_TOKEN": token, "version": "1.2.3"},  # as of another Ray
    ]
    clean = {k: v for k, v in os.environ.items() if not k.startswith("RAY_AUTH")}
    run = subprocess.run(
        [sys.executable, "-c", STRANGER, address, *map(json.dumps, attempts)],
        env=clean | {"HOME": "/nowhere"},
        capture_output=True,
        text=True,
        timeout=180,
    )
    found = run.stdout.splitlines()
    refused = f"the cluster at {address} lets nobody in without its token: set "
    assert [line.startswith(refused) for line in found[:4]] == [True] * 4, run.stderr
    python = ".".join(map(str, sys.version_info[:3]))
    assert found[4:7] == ["joined 42"] * 3
    assert found[7].startswith(
        f"the cluster at {address} has Ray {ray.__version__} and Python {python}, "
        f"this process Ray 1.2.3 and Python {python}: "
    )
    assert run.returncode == 0
    assert ray.get(ray.put(1), timeout=60) == 1  # it left this Ray as it was


@ray.remote(num_cpus=0)
class Actor:
    def answer(self, handles=()):
        return 42


def test_ray_starts_anew_and_stops_without_a_trace(running_ray, monkeypatch):
    first, token = {process.pid for process in children()}, rays_token()
    function, old = ray.remote(lambda handle: 1), Actor.remote()
    assert ray.get(old.answer.remote([old]), timeout=60) == 42
    # Ray would join a cluster that this names; nothing listens there.
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:1")
    session.start(2, engine="numpy")
    assert not first & {process.pid for process in children()}
    assert rays_token() != token
    assert ray.cluster_resources()["CPU"] == 2
    new = Actor.remote()
    assert ray.get([function.remote(new), new.answer.remote()], timeout=60) == [1, 42]
    for call in (lambda: old.answer.remote(), lambda: new.answer.remote([old])):
        with pytest.raises(session.SessionError, match="this actor's Ray has been sto"):
            call()  # an old handle as an argument would end this process
    assert isinstance(old, ray.actor.ActorHandle)
    second, [folder] = children(), session._folders
    session.stop()
    assert not ray.is_initialized()
    assert not children()
    assert not psutil.wait_procs(second, timeout=10)[1]  # the dead may be buried late
    assert not os.path.exists(folder)
    session.stop()  # once more does no harm
    for call in (lambda: function.remote(1), lambda: ray.put(1)):
        with pytest.raises(session.SessionError, match="run the cell with session.st"):
            call()  # by itself it would start a large Ray, open to everybody
    assert not ray.is_initialized()


# Without Ray


@pytest.fixture
def no_ray(monkeypatch):
    """On a machine of 16 GB and 4 cores, note what Ray would be started with."""
    session.stop()
    started = []
    monkeypatch.setattr(ray, "init", lambda *_, **options: started.append(options))
    monkeypatch.setattr(ray, "cluster_resources", lambda: {"CPU": 4.0})
    monkeypatch.setattr(machine, "free_memory", lambda: 16 * GB)
    monkeypatch.setattr(machine, "cores", lambda: 4)
    monkeypatch.setattr(os, "environ", os.environ.copy())
    return started


@pytest.mark.parametrize(
    ("chosen", "cores", "gigabytes", "num_workers", "engine"),
    [
        ("", 4, 16, 4, "tensorflow"),
        ("", 1, 16, 4, "numpy"),
        ("", 4, 2, 4, "numpy"),  # four TensorFlow workers take 2 GB, as was measured
        ("", 4, 2, 1, "tensorflow"),
        ("numpy", 4, 16, 4, "numpy"),
        ("tensorflow", 1, 16, 4, "tensorflow"),
    ],
)
def test_the_engine_is_tensorflow_where_there_is_room_or_as_the_environment_says(
    no_ray, monkeypatch, chosen, cores, gigabytes, num_workers, engine
):
    monkeypatch.setenv("PS_ENGINE", chosen)
    monkeypatch.setattr(machine, "cores", lambda: cores)
    monkeypatch.setattr(machine, "free_memory", lambda: gigabytes * GB)
    assert session.choose_engine(num_workers) == engine


def closed(**_):
    raise PermissionError("read-only file system")


def test_what_cannot_work_is_refused_with_what_can(no_ray, monkeypatch):
    def refused(reason, function, *arguments):
        with pytest.raises(session.SessionError, match=reason) as caught:
            function(*arguments)
        [line] = caught.value._render_traceback_()  # what a notebook shows
        assert line == f"SessionError: {caught.value}"

    for num_workers in (0, -1):
        refused("ask for 1 or more", session.start, num_workers)
    monkeypatch.setenv("PS_ENGINE", "jax")
    refused("'jax'.*tensorflow or numpy", session.choose_engine)
    with monkeypatch.context() as patch:
        patch.setattr(tempfile, "mkdtemp", closed)
        refused("set TMPDIR to one", session.start, 1)
    assert not no_ray
    refused("5 CPUs and the cluster has 4", session.start, 5)


@pytest.mark.parametrize("engine", ["tensorflow", "numpy"])
def test_too_little_memory_is_refused_and_a_byte_more_is_not(
    no_ray, monkeypatch, engine
):
    needed = session.bytes_needed(4, engine)
    reason = f"4 {engine} workers need about .* GB are free: shut down"
    for missing, more in ((1, {}), (0, {"num_bytes": 1}), (0, {"num_servers": 2})):
        monkeypatch.setattr(machine, "free_memory", lambda m=missing: needed - m)
        with pytest.raises(session.SessionError, match=reason):
            session.start(4, engine, **more)
    assert not no_ray
    session.start(4, engine)
    assert len(no_ray) == 1


@contextlib.contextmanager
def listening(answer):
    """Let a function answer who comes to a port; yield the port."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        accepted = []

        def serve():
            accepted.append(server.accept()[0])
            answer(accepted[-1])

        threading.Thread(target=serve, daemon=True).start()
        yield server.getsockname()[1]


OTHER, NONE = "what listens at {} does not answer", "no Ray cluster answers at {}: "


@pytest.mark.parametrize(
    ("answer", "reason", "host"),
    [
        (None, NONE, "127.0.0.1"),
        (None, NONE, "nowhere.invalid"),
        (lambda peer: None, OTHER, "127.0.0.1"),  # it stays silent
        (socket.socket.close, OTHER, "127.0.0.1"),
        (lambda peer: peer.sendall(b"HTTP/1.0 400\r\n"), OTHER, "127.0.0.1"),
    ],
)
def test_what_is_no_ray_is_given_up_within_10_seconds(no_ray, answer, reason, host):
    nobody = contextlib.nullcontext(unused_port())
    with listening(answer) if answer else nobody as port:
        began, address = time.monotonic(), f"{host}:{port}"
        with pytest.raises(session.SessionError, match=reason.format(address)):
            session.start(1, address=address)
        assert time.monotonic() < began + 10
    assert not no_ray  # Ray was not even asked: it would wait for minutes


@pytest.mark.parametrize(
    ("said", "kind", "shown"),
    [
        ("The current node timed out during", session.SessionError, "run the cell aga"),
        ("no disk", Exception, "no disk"),
    ],
)
def test_a_start_that_fails_is_cleared_away_and_only_a_late_one_is_called_late(
    no_ray, monkeypatch, sleepers, said, kind, shown
):
    left = []

    def init(*_, **__):
        left.append(sleepers(mark_of(os.getpid())))
        raise Exception(said)

    monkeypatch.setattr(ray, "init", init)
    with pytest.raises(Exception, match=shown) as caught:
        session.start(1)
    assert caught.type is kind and not session._folders
    assert [ends(it, 30) for it in left] == [True] * (2 if "timed out" in said else 1)


def test_ray_is_small_quiet_and_silent_about_its_users(no_ray, monkeypatch):
    session.start(3)
    session.start(1, num_bytes=GB)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=2**26))
    session.start(1)
    options, much, small = no_ray
    assert options["num_cpus"] == 3
    assert options["include_dashboard"] is False
    assert options["log_to_driver"] is False
    assert options["object_store_memory"] == 78_643_200  # the least Ray accepts
    assert os.environ["RAY_USAGE_STATS_ENABLED"] == "0"
    assert much["object_store_memory"] >= 1.2 * GB
    # Where shared memory is small, the store lies in the folder.
    assert small["_plasma_directory"] == small["_temp_dir"]
    assert "_plasma_directory" not in options


@pytest.mark.parametrize("own", ["", "/somewhere"])
@pytest.mark.parametrize("moved", ["", "Node", "start_log_monitor"])
def test_what_makes_rays_processes_lean_is_undone_and_missed_in_one_line(
    no_ray, monkeypatch, capsys, own, moved
):
    module, seen, popen = ray._private.node, [], ray._private.services.ConsolePopen
    if moved:
        monkeypatch.delattr(module if moved == "Node" else module.Node, moved)
        monkeypatch.delattr(ray._private.services, "ConsolePopen")
        popen = subprocess.Popen
    node = getattr(module, "Node", None)
    os.environ["PYTHONPATH"] = own

    def fail(*_, **__):
        seen.extend(os.environ["PYTHONPATH"].split(os.pathsep))
        seen.append(getattr(module, "Node", None) is node)
        raise RuntimeError("no")

    monkeypatch.setattr(ray, "init", fail)
    with pytest.raises(RuntimeError, match="no"):
        session.start(1)
    assert seen == [str(session.LEAN), *filter(None, [own]), bool(moved)]
    assert os.environ["PYTHONPATH"] == own
    assert getattr(module, "Node", None) is node
    assert ray._private.services.ConsolePopen is popen
    line = "This Ray starts with about 210 MB more than it needs.\n"
    assert capsys.readouterr().err == (line if moved else "")


def test_rays_sockets_lie_in_a_short_folder(no_ray, monkeypatch, tmp_path):
    with tempfile.TemporaryDirectory(prefix="a b", dir="/tmp") as spaced:
        for parent in (str(tmp_path / ("long" * 30)), spaced):
            os.makedirs(parent, exist_ok=True)
            monkeypatch.setattr(tempfile, "tempdir", parent)
            session.start(1)
            folder = no_ray[-1]["_temp_dir"]
            assert len(folder) < 40 and " " not in folder
            session.stop()
            assert not os.path.exists(os.path.dirname(folder))


def test_stopping_cannot_be_interrupted_and_what_follows_can(monkeypatch):
    stopped = []
    monkeypatch.setattr(ray, "is_initialized", lambda: True)
    monkeypatch.setattr(ray, "shutdown", lambda: stopped.append(True))
    other = threading.Thread(target=session.stop)  # interrupts do not come here
    other.start()
    other.join()
    monkeypatch.setattr(ray, "shutdown", lambda: signal.raise_signal(signal.SIGINT))
    monkeypatch.setattr(processes, "end_ray_processes", stopped.append)
    session.stop()
    assert len(stopped) == 2
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)


# Ray's processes of drivers that have died


def mark_of(pid, later=0):
    """Return the mark of a process, or of one of its number that started later."""
    started = psutil.Process(pid).create_time() + later
    return f"{pid}:{started}:{processes.number_space()}"


@pytest.fixture
def sleepers():
    """Start processes that have a driver's mark; end them afterwards."""
    started = []

    def start(mark, command=("ray::IDLE", "300")):
        # The first word is what it calls itself, as Ray's workers do.
        process = subprocess.Popen(
            command, executable=shutil.which("sleep"), env={processes.MARK: str(mark)}
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()


def ends(process, seconds):
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(seconds)
    return process.poll() is not None


def test_start_and_stop_clear_away_what_is_theirs_alone(no_ray, sleepers):
    """An interrupted start leaves processes that ray.shutdown does not know."""
    parent, own = os.getppid(), mark_of(os.getpid())
    orphans = [sleepers(f"{2**22 + 1}:1.0:{processes.number_space()}")]
    orphans.append(sleepers(mark_of(parent, later=-3600)))  # the number is used again
    others = [
        sleepers(mark_of(parent)),
        sleepers("not a mark"),
        sleepers("4:1.0:7"),  # of a container
        sleepers(mark_of(parent, later=-3600), ["import array", "300"]),
        sleepers(own, ["/home/murray/array", "300"]),
    ]
    session.start(1)
    assert all(ends(orphan, 30) for orphan in orphans)
    mine = sleepers(own)
    session.stop()
    assert ends(mine, 30)
    assert not any(ends(process, 0.2) for process in others)


@pytest.mark.parametrize(
    ("command", "is_rays"),
    [
        (["ray::Server.push"], True),
        (["/opt/raylet", "--head"], True),
        (["python", "-u", f"{RAY}/_private/workers/default_worker.py"], True),
        ([f"{RAY}/core/src/ray/gcs/gcs_server"], True),
        (["python", "-c", "import ray; ray.init()"], False),
        (["python", "read.py", f"{RAY}/__init__.py"], False),
        (["/home/ray/bin/python", "array.py"], False),
    ],
)
def test_only_rays_own_programs_are_ended(command, is_rays):
    assert processes.is_rays(command) is is_rays
