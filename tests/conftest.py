"""What several test modules share."""

import signal

import pytest
import ray
from hypothesis import settings

from ps_helpers import parameter_server
from ps_helpers.lab import data, session

# The same inputs in every run, and no time limit: the machine may be busy.
settings.register_profile("steady", deadline=None, derandomize=True)
settings.load_profile("steady")

# What a shell runs in the background ignores Ctrl-C, and so would all that tests start.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def digits():
    return data.load("digits")


@pytest.fixture(scope="session")
def server_class():
    """The class under the actor, as Ray Serve looks it up: plain Python, no Ray."""
    return parameter_server.ParameterServer.__ray_actor_class__


@pytest.fixture(scope="package")
def stop_ray_at_the_end():
    yield
    session.stop()


@pytest.fixture(scope="module")
def running_ray(stop_ray_at_the_end):
    """A Ray with four CPUs, started again only where a test has stopped it."""
    if not ray.is_initialized():
        session.start(4, engine="numpy")


@pytest.fixture
def main(monkeypatch):
    """The script's function, which trains on the Ray that runs and lets it run on."""
    monkeypatch.setattr(session, "start", lambda *_: None)
    monkeypatch.setattr(session, "stop", lambda: None)
    return parameter_server.main


@pytest.fixture
def short_time_limit(monkeypatch):
    """Return a function that lets answers be interrupted after half a second."""
    set_timer = signal.setitimer

    def shorten():
        monkeypatch.setattr(
            signal, "setitimer", lambda which, s, *_: set_timer(which, s / 20, 0.05)
        )

    return shorten
