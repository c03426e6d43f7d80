"""Tests of starting and stopping Ray, most of them without a Ray."""

import contextlib
import os
import socket
import subprocess
import sys

import psutil
import pytest
import ray

from ps_helpers.lab import machine, session

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
    assert "lark" not in ray.get(modules.remote(), timeout=60)  # see ps_helpers/lab/lean


def test_ray_starts_anew_and_stops_without_a_trace(running_ray, monkeypatch):
    first = {process.pid for process in children()}
    assert first
    # Ray would join a cluster that this names; nothing listens there.
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:1")
    session.start(2, engine="numpy")
    assert not first & {process.pid for process in children()}
    assert ray.cluster_resources()["CPU"] == 2
    assert ray.get(ray.put(1), timeout=60) == 1
    second = children()
    session.stop()
    assert not ray.is_initialized()
    assert not children()
    assert not [process for process in second if process.is_running()]
    session.stop()  # once more does no harm


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
    monkeypatch.setattr(ray, "init", lambda **options: started.append(options))
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


def fail_to_start(monkeypatch, processes, message):
    """Let Ray's start leave a process behind and raise; return the process."""
    left = []

    def init(**options):
        left.append(processes(os.getpid()))
        raise Exception(message)

    monkeypatch.setattr(ray, "init", init)
    with pytest.raises(Exception, match="in time|no disk") as caught:
        session.start(1)
    return caught, left[0]


def test_a_start_that_times_out_is_explained_and_cleared_away(
    no_ray, monkeypatch, processes
):
    message = "The current node timed out during startup. This could happen because"
    caught, left = fail_to_start(monkeypatch, processes, message)
    assert caught.type is session.SessionError
    assert "run the cell again" in str(caught.value)
    assert ends(left, 30)


def test_a_start_that_fails_otherwise_is_not_called_late(
    no_ray, monkeypatch, processes
):
    caught, _ = fail_to_start(monkeypatch, processes, "no disk")
    assert caught.type is Exception


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

    def fail(**options):
        seen.extend(os.environ["PYTHONPATH"].split(os.pathsep))
        seen.append(ray._private.node.Node is not node)
        raise RuntimeError("no")

    monkeypatch.setattr(ray, "init", fail)
    with pytest.raises(RuntimeError, match="no"):
        session.start(1)
    assert seen == [str(session.LEAN), *filter(None, [own]), True]
    assert os.environ.get("PYTHONPATH") == own
    assert ray._private.node.Node is node


# Ray's processes of drivers that have died


@pytest.fixture
def processes():
    """Start processes that are marked as Ray's of a driver; end them afterwards."""
    started = []

    def start(driver, name="ray::IDLE"):
        environment = {**os.environ, session.DRIVER_VARIABLE: str(driver)}
        # The name is an argument that the sleeper ignores.
        code = "import time; print(flush=True); time.sleep(300)"
        process = subprocess.Popen(
            [sys.executable, "-c", code, name],
            env=environment,
            stdout=subprocess.PIPE,
        )
        process.stdout.readline()  # it runs
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()
        process.stdout.close()


def dead_pid():
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def ends(process, seconds):
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(seconds)
    return process.poll() is not None


def test_start_clears_away_the_ray_of_a_dead_driver_alone(no_ray, processes):
    orphan = processes(dead_pid())
    others = [processes(os.getppid()), processes("not a number")]
    session.start(1)
    assert ends(orphan, 30)
    assert not any(ends(process, 0.5) for process in others)


def test_stop_ends_what_this_driver_left_behind(processes):
    """An interrupted start leaves processes that ray.shutdown does not know."""
    own, other = processes(os.getpid()), processes(os.getppid())
    session.stop()
    assert ends(own, 30)
    assert not ends(other, 0.5)
