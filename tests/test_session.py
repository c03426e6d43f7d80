"""Tests of starting and stopping Ray, and of who may come in."""

import contextlib
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

from ps_helpers.lab import machine, processes, session

GB = 10**9


def children():
    """Return the Ray processes that this process has."""
    return psutil.Process().children(recursive=True)


# With Ray, first: what follows stops it


def test_ray_starts_no_process_that_a_notebook_never_uses(running_ray):
    commands = " ".join(" ".join(process.cmdline()) for process in children())
    assert "raylet" in commands  # or Ray's processes are not seen at all
    for helper in ("monitor.py", "dashboard.py", "log_monitor.py"):
        assert helper not in commands
    modules = ray.remote(lambda: set(sys.modules))
    assert "lark" not in ray.get(
        modules.remote(), timeout=60
    )  # see ps_helpers/lab/lean


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


def test_the_token_is_known_to_rays_processes_alone(running_ray):
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


# It tries one key after another; a version that differs is one of another Ray.
STRANGER = """
import os, sys
import ray
from ps_helpers.lab import session
address, token, home = sys.argv[1:]
def attempt(**variables):
    os.environ.update(variables)
    try:
        session.start(1, address=address)
        print("joined", ray.get(ray.remote(lambda: 6 * 7).remote(), timeout=60))
        session.stop()
    except session.SessionError as error:
        print(error)
    for name in variables:
        os.environ.pop(name)
attempt()
attempt(RAY_AUTH_MODE="token")
attempt(RAY_AUTH_TOKEN="0" * 64)
attempt(RAY_AUTH_TOKEN_PATH=home + "/missing")
attempt(RAY_AUTH_TOKEN=token)
ray.__version__, version = "1.2.3", ray.__version__
attempt(RAY_AUTH_TOKEN=token)
ray.__version__ = version
os.mkdir(home + "/.ray")
with open(home + "/.ray/auth_token", "w", encoding="utf-8") as file:
    file.write(token)
attempt()
attempt(RAY_AUTH_TOKEN_PATH=home + "/.ray/auth_token", HOME="/nowhere")
"""


def test_a_stranger_joins_with_the_right_token_alone(running_ray, tmp_path):
    address = ray.get_runtime_context().gcs_address
    clean = {k: v for k, v in os.environ.items() if not k.startswith("RAY_AUTH")}
    run = subprocess.run(
        [sys.executable, "-c", STRANGER, address, rays_token(), str(tmp_path)],
        env={**clean, "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=180,
    )
    found = run.stdout.splitlines()
    refused = f"the cluster at {address} lets nobody in without its token: set "
    assert [line.startswith(refused) for line in found[:4]] == [True] * 4, run.stderr
    python = ".".join(map(str, sys.version_info[:3]))
    assert found[4] == "joined 42"
    assert found[5].startswith(
        f"the cluster at {address} has Ray {ray.__version__} and Python {python}, "
        f"this process Ray 1.2.3 and Python {python}: "
    )
    assert found[6:] == ["joined 42"] * 2
    assert run.returncode == 0
    assert ray.get(ray.put(1), timeout=60) == 1  # it left this Ray as it was


def test_ray_starts_anew_and_stops_without_a_trace(running_ray, monkeypatch):
    first, token = {process.pid for process in children()}, rays_token()
    function = ray.remote(lambda: 1)
    # Ray would join a cluster that this names; nothing listens there.
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:1")
    session.start(2, engine="numpy")
    assert not first & {process.pid for process in children()}
    assert rays_token() != token
    assert ray.cluster_resources()["CPU"] == 2
    assert ray.get(function.remote(), timeout=60) == 1
    second, [folder] = children(), session._folders
    session.stop()
    assert not ray.is_initialized()
    assert not children()
    assert not [process for process in second if process.is_running()]
    assert not os.path.exists(folder)
    session.stop()  # once more does no harm
    for call in (function.remote, lambda: ray.put(1)):
        with pytest.raises(session.SessionError, match="run the cell with session.st"):
            call()  # by itself it would start a large Ray, open to everybody
    assert not ray.is_initialized()


# Without Ray


@pytest.fixture
def roomy(monkeypatch):
    """A machine of 16 GB and 4 cores on which nobody has chosen an engine."""
    monkeypatch.delenv("PS_ENGINE", raising=False)
    monkeypatch.setattr(machine, "free_memory", lambda: 16 * GB)
    monkeypatch.setattr(machine, "cores", lambda: 4)


@pytest.fixture
def no_ray(roomy, monkeypatch):
    """Note what Ray would be started with, and do not start it."""
    session.stop()
    started = []

    def init(address, **options):
        started.append({"address": address, **options})

    monkeypatch.setattr(ray, "init", init)
    monkeypatch.setattr(ray, "cluster_resources", lambda: {"CPU": 4.0})
    monkeypatch.setattr(os, "environ", os.environ.copy())
    return started


def test_tensorflow_is_chosen_where_there_is_room(roomy):
    assert session.choose_engine() == "tensorflow"


@pytest.mark.parametrize("cores", [1, 0.5])
def test_numpy_is_chosen_on_one_core(roomy, monkeypatch, cores):
    monkeypatch.setattr(machine, "cores", lambda: cores)
    assert session.choose_engine() == "numpy"


def test_numpy_is_chosen_where_memory_is_short(roomy, monkeypatch):
    """The four TensorFlow workers of the notebooks take 2 GB, as was measured."""
    monkeypatch.setattr(machine, "free_memory", lambda: 2 * GB)
    assert session.choose_engine(num_workers=4) == "numpy"
    assert session.choose_engine(num_workers=1) == "tensorflow"


def test_the_environment_overrides_the_choice(roomy, monkeypatch):
    monkeypatch.setenv("PS_ENGINE", "numpy")
    assert session.choose_engine() == "numpy"
    monkeypatch.setattr(machine, "cores", lambda: 1)
    monkeypatch.setenv("PS_ENGINE", "tensorflow")
    assert session.choose_engine() == "tensorflow"
    monkeypatch.setenv("PS_ENGINE", "jax")
    with pytest.raises(session.SessionError, match="'jax'.*tensorflow or numpy"):
        session.choose_engine()


def test_more_workers_and_tensorflow_need_more_memory():
    needs = [session.bytes_needed(n, "numpy") for n in (1, 2, 8)]
    assert needs == sorted(set(needs))
    assert session.bytes_needed(4, "tensorflow") > session.bytes_needed(4, "numpy")


@pytest.mark.parametrize("num_workers", [0, -1])
def test_no_worker_is_refused(no_ray, num_workers):
    with pytest.raises(session.SessionError, match="ask for 1 or more"):
        session.start(num_workers)
    assert not no_ray


@pytest.mark.parametrize("engine", ["tensorflow", "numpy"])
def test_too_little_memory_is_refused_and_a_byte_more_is_not(
    no_ray, monkeypatch, engine
):
    needed = session.bytes_needed(4, engine)
    monkeypatch.setattr(machine, "free_memory", lambda: needed - 1)
    reason = f"4 {engine} workers need about .* GB are free: shut down"
    with pytest.raises(session.SessionError, match=reason):
        session.start(4, engine)
    assert not no_ray
    monkeypatch.setattr(machine, "free_memory", lambda: needed)
    session.start(4, engine)
    assert len(no_ray) == 1
    with pytest.raises(session.SessionError, match=reason):
        session.start(4, engine, num_bytes=1)


def test_what_lies_in_shared_memory_has_room_there(no_ray):
    session.start(1, num_bytes=GB)
    assert no_ray[0]["object_store_memory"] >= 1.2 * GB


def test_too_few_cpus_are_refused(no_ray):
    with pytest.raises(session.SessionError, match="5 CPUs and the cluster has 4"):
        session.start(5)


@pytest.mark.parametrize("host", ["127.0.0.1", "nowhere.invalid"])
def test_an_address_where_nobody_listens_is_refused_at_once(no_ray, host):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))  # not listening
        port = free.getsockname()[1]
        with pytest.raises(session.SessionError, match=f"no Ray.*at {host}:{port}: "):
            session.start(1, address=f"{host}:{port}")
    assert not no_ray  # Ray was not even asked: it would wait for minutes


@contextlib.contextmanager
def listening(answer):
    """Listen at a port, and let a function answer whoever comes; yield the port."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        accepted = []

        def serve():
            with contextlib.suppress(OSError):
                while True:
                    accepted.append(server.accept()[0])
                    answer(accepted[-1])

        threading.Thread(target=serve, daemon=True).start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)


@pytest.mark.parametrize(
    "answer",
    [
        lambda connection: None,  # it stays silent
        lambda connection: connection.close(),
        lambda connection: connection.sendall(b"HTTP/1.0 400 Bad Request\r\n\r\n"),
        lambda connection: connection.sendall(b"SSH-2.0-OpenSSH_9.6\r\n"),
    ],
)
def test_what_is_no_ray_is_given_up_within_10_seconds(no_ray, answer):
    with listening(answer) as port:
        began = time.monotonic()
        with pytest.raises(session.SessionError, match=f"at 127.0.0.1:{port} "):
            session.start(1, address=f"127.0.0.1:{port}")
        assert time.monotonic() < began + 10
    assert not no_ray


def test_what_an_error_shows_in_a_notebook_is_one_line():
    assert session.SessionError("no")._render_traceback_() == ["SessionError: no"]


def fail_to_start(monkeypatch, sleepers, message):
    """Let Ray's start leave a process behind and raise; return the process."""
    left = []

    def init(*_, **__):
        left.append(sleepers(mark_of(os.getpid())))
        raise Exception(message)

    monkeypatch.setattr(ray, "init", init)
    with pytest.raises(Exception, match="in time|no disk") as caught:
        session.start(1)
    return caught, left[0]


def test_a_start_that_times_out_is_explained_and_cleared_away(
    no_ray, monkeypatch, sleepers
):
    message = "The current node timed out during startup. This could happen because"
    caught, left = fail_to_start(monkeypatch, sleepers, message)
    assert caught.type is session.SessionError
    assert "run the cell again" in str(caught.value)
    assert ends(left, 30)


def test_a_start_that_fails_otherwise_is_not_called_late(no_ray, monkeypatch, sleepers):
    caught, _ = fail_to_start(monkeypatch, sleepers, "no disk")
    assert caught.type is Exception
    assert not session._folders


def test_ray_is_small_quiet_and_silent_about_its_users(no_ray):
    session.start(3)
    [options] = no_ray
    assert options["num_cpus"] == 3
    assert options["include_dashboard"] is False
    assert options["log_to_driver"] is False
    assert options["object_store_memory"] == 78_643_200  # the least Ray accepts
    assert os.environ["RAY_USAGE_STATS_ENABLED"] == "0"


@pytest.mark.parametrize("own", [None, "/somewhere"])
def test_what_makes_rays_processes_lean_is_undone(no_ray, monkeypatch, own):
    node, seen = ray._private.node.Node, []
    if own is None:
        os.environ.pop("PYTHONPATH", None)
    else:
        os.environ["PYTHONPATH"] = own

    def fail(*_, **__):
        seen.extend(os.environ["PYTHONPATH"].split(os.pathsep))
        seen.append(ray._private.node.Node is not node)
        raise RuntimeError("no")

    monkeypatch.setattr(ray, "init", fail)
    with pytest.raises(RuntimeError, match="no"):
        session.start(1)
    assert seen == [str(session.LEAN), *filter(None, [own]), True]
    assert os.environ.get("PYTHONPATH") == own
    assert ray._private.node.Node is node


@pytest.mark.parametrize("moved", ["Node", "start_log_monitor"])
def test_where_ray_has_moved_its_node_one_line_says_so(
    no_ray, monkeypatch, capsys, moved
):
    module = ray._private.node
    monkeypatch.delattr(module if moved == "Node" else module.Node, moved)
    session.start(1)
    assert len(no_ray) == 1
    [line] = capsys.readouterr().err.splitlines()
    assert line == "This Ray starts with about 210 MB more than it needs."


@pytest.mark.parametrize("name", ["s p a c e", "long" * 30, "closed"])
def test_rays_sockets_lie_in_a_short_folder(no_ray, monkeypatch, tmp_path, name):
    parent = tmp_path / name
    parent.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(parent))
    session.start(1)
    folder = no_ray[0]["_temp_dir"]
    assert len(folder) < 40 and " " not in folder
    session.stop()
    assert not os.path.exists(os.path.dirname(folder))


def test_without_a_folder_for_sockets_a_sentence_says_so(no_ray, monkeypatch):
    def closed(**_):
        raise PermissionError("read-only file system")

    monkeypatch.setattr(tempfile, "mkdtemp", closed)
    with pytest.raises(session.SessionError, match="set TMPDIR to one"):
        session.start(1)


def test_where_shared_memory_is_small_the_store_lies_in_the_folder(no_ray, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=2**26))
    session.start(1)
    assert no_ray[0]["_plasma_directory"] == no_ray[0]["_temp_dir"]


def test_stopping_cannot_be_interrupted_and_what_follows_can(monkeypatch):
    stopped = []

    def shutdown():
        signal.raise_signal(signal.SIGINT)
        stopped.append(True)

    monkeypatch.setattr(ray, "is_initialized", lambda: True)
    monkeypatch.setattr(ray, "shutdown", shutdown)
    session.stop()
    assert stopped
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)
    other = threading.Thread(target=session.stop)  # interrupts do not come here
    monkeypatch.setattr(ray, "shutdown", lambda: stopped.append(True))
    other.start()
    other.join()
    assert len(stopped) == 2


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


def test_start_clears_away_the_ray_of_a_dead_driver_alone(no_ray, sleepers):
    parent = os.getppid()
    orphans = [sleepers(f"{2**22 + 1}:1.0:{processes.number_space()}")]
    orphans.append(sleepers(mark_of(parent, later=-3600)))  # the number is used again
    others = [
        sleepers(mark_of(parent)),
        sleepers("not a mark"),
        sleepers("4:1.0:7"),  # of a container
        sleepers(mark_of(parent, later=-3600), ["import array", "300"]),
    ]
    session.start(1)
    assert all(ends(orphan, 30) for orphan in orphans)
    assert not any(ends(process, 0.2) for process in others)


def test_stop_ends_what_this_driver_left_behind(sleepers):
    """An interrupted start leaves processes that ray.shutdown does not know."""
    own, other = sleepers(mark_of(os.getpid())), sleepers(mark_of(os.getppid()))
    array = sleepers(mark_of(os.getpid()), ["/home/murray/array", "300"])
    session.stop()
    assert ends(own, 30)
    assert not ends(other, 0.2) and not ends(array, 0.2)


@pytest.mark.parametrize(
    ("command", "is_rays"),
    [
        (["ray::Server.push"], True),
        (["/opt/raylet", "--head"], True),
        (
            ["python", "-u", f"{ray.__path__[0]}/_private/workers/default_worker.py"],
            True,
        ),
        ([f"{ray.__path__[0]}/core/src/ray/gcs/gcs_server"], True),
        (["python", "-c", "import ray; ray.init()"], False),
        (["python", "read.py", f"{ray.__path__[0]}/__init__.py"], False),
        (["/home/ray/bin/python", "array.py"], False),
    ],
)
def test_only_rays_own_programs_are_ended(command, is_rays):
    assert processes.is_rays(command) is is_rays
