"""Tests of the script: what it prints, what it refuses, and how it stops."""

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
import ray

from ps_helpers import command_line, parameter_server
from ps_helpers.lab import model, session
from ps_helpers.team import Team
from ps_helpers.training import Run

SCRIPT = [sys.executable, "-m", "ps_helpers.parameter_server"]
RAY = [sys.executable, "-m", "ray.scripts.scripts"]
SECONDS = 300  # after which a process is said to hang, on a busy machine too


def environment(**more):
    """Return this process's environment without what steers Ray or the script."""
    steering = (session.DRIVER_VARIABLE, "PS_ENGINE", "RAY_ADDRESS")
    rest = {key: value for key, value in os.environ.items() if key not in steering}
    return {**rest, **more}


def run(*arguments, **more):
    return subprocess.run(
        [*SCRIPT, *map(str, arguments)],
        env=environment(**more),
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )


def messages(error_output):
    """Return the lines of standard error that are no progress bar's."""
    lines = re.split(r"[\r\n]+", error_output)
    return [line for line in lines if line and not re.match("(start|train)ing: ", line)]


def table(output):
    """Return the rows of the printed table: names in 15 columns, then values."""
    return {line[:15].strip(): line[15:] for line in output.splitlines()}


def per_worker(rows):
    return [int(number) for number in rows["per worker"].split()]


def pushes(rows):
    """Return how many pushes there were, and how many of them were dropped."""
    made, dropped = re.fullmatch(r"(\d+)(?:, (\d+) dropped)?", rows["pushes"]).groups()
    assert dropped != "0"
    return int(made), int(dropped or 0)


def staleness(rows):
    mean, most = re.fullmatch(
        r"mean (\d+\.\d\d), max (\d+)", rows["staleness"]
    ).groups()
    assert float(mean) <= int(most)
    return float(mean), int(most)


def unused_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


# Training


def test_four_workers_reach_the_target_and_draw_a_picture(tmp_path):
    picture = tmp_path / "run.png"
    done = run("--engine", "numpy", "--num-workers=4", "--plot", picture)
    assert (done.returncode, messages(done.stderr)) == (0, [])
    rows = table(done.stdout)
    assert list(rows) == [
        "test accuracy",
        "test loss",
        "updates",
        "pushes",
        "per worker",
        "staleness",
        "seconds",
    ]
    assert 0.95 <= float(rows["test accuracy"]) <= 1
    assert len(per_worker(rows)) == 4 and min(per_worker(rows)) > 0
    assert sum(per_worker(rows)) == int(rows["updates"])
    assert pushes(rows) == (int(rows["updates"]), 0)
    assert staleness(rows)[1] > 0
    assert re.fullmatch(r"\d+\.\d, after \d+\.\d to start", rows["seconds"])
    assert picture.read_bytes().startswith(b"\x89PNG\r\n\x1a\n")


def test_tensorflow_workers_make_exactly_as_many_updates_as_asked():
    done = run("--num-workers=2", "--num-updates=50", "--engine=tensorflow")
    assert (done.returncode, messages(done.stderr)) == (0, [])
    rows = table(done.stdout)
    assert rows["updates"] == "50"
    assert sum(per_worker(rows)) == 50
    assert float(rows["test accuracy"]) > 0.5


def train_by(rule, *arguments, updates=30):
    """Train by a rule with workers that are slow now and then; return the table."""
    done = run(
        "--engine=numpy",
        "--straggler=20",
        f"--consistency={rule}",
        f"--num-updates={updates}",
        *arguments,
    )
    assert (done.returncode, messages(done.stderr)) == (0, [])
    rows = table(done.stdout)
    assert rows["updates"] == str(updates)
    assert sum(per_worker(rows)) == pushes(rows)[0]
    return rows


def test_synchronous_workers_make_one_update_of_their_pushes(tmp_path):
    picture = tmp_path / "run.svg"
    rows = train_by("sync", "--num-workers=3", "--plot", picture)
    assert per_worker(rows) == [30] * 3
    assert pushes(rows) == (90, 0)
    assert staleness(rows) == (0, 0)
    assert "<svg" in picture.read_text()


def test_stale_synchronous_workers_stay_together(tmp_path):
    picture = tmp_path / "run.pdf"
    arguments = "--staleness=1", "--num-workers=3", "--plot", picture
    rows = train_by("ssp", *arguments, updates=90)
    assert pushes(rows) == (90, 0)
    assert max(per_worker(rows)) - min(per_worker(rows)) <= 2
    assert staleness(rows)[1] <= (3 - 1) * (2 * 1 + 1)
    assert picture.read_bytes().startswith(b"%PDF")


def test_with_backup_workers_the_late_pushes_of_a_round_are_dropped(tmp_path):
    picture = tmp_path / "run.png"
    arguments = "--backup-workers=2", "--num-workers=2", "--plot", picture
    rows = train_by("backup", *arguments, updates=60)
    made, dropped = pushes(rows)
    assert made - dropped == 2 * 60
    assert dropped > 0
    assert len(per_worker(rows)) == 4
    assert staleness(rows)[1] > 0
    assert picture.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("rule", ["async", "sync", "ssp", "backup"])
def test_one_worker_trains_by_every_rule(rule):
    rows = train_by(rule, "--num-workers=1")
    made, dropped = pushes(rows)
    assert made - dropped == 30
    if rule == "backup":
        assert len(per_worker(rows)) == 2
    else:
        assert (dropped, per_worker(rows), staleness(rows)) == (0, [30], (0, 0))


@pytest.mark.parametrize("optimizer", command_line.LEARNING_RATES)
def test_rounds_learn_the_same_from_many_servers_and_in_shared_memory(optimizer):
    losses = {}
    for way in ("--num-servers=1", "--num-servers=5", "--fast"):
        rows = train_by("sync", "--num-workers=2", f"--optimizer={optimizer}", way)
        assert pushes(rows) == (60, 0)
        losses[way] = float(rows["test loss"])
    assert max(losses.values()) - min(losses.values()) <= 0.002
    assert max(losses.values()) < 2


def test_an_update_counts_when_all_servers_have_it(running_ray):
    arguments = ["--consistency=async", "--num-servers=2", "--num-updates=9"]
    options = command_line.parse("Train.", arguments)
    team = Team(options, model.load("mlp", "numpy"), shards=[])
    update = [np.ones_like(weight) for weight in team.report(0)[1]]
    halves = zip(team.servers, team.layout.split(update), strict=True)
    for ps, half in halves:
        assert team.report(0)[0] == 0
        ray.get(ps.push_then_pull.remote(0, half, [time.time()] * 2), timeout=60)
    assert team.report(0)[0] == 1


def test_local_steps_learn_more_from_as_many_pushes(tmp_path):
    for way in ("--num-servers=2", "--fast"):
        losses = []
        for steps in (1, 8):
            arguments = "--num-workers=2", f"--local-steps={steps}", way
            rows = train_by("sync", *arguments, updates=5)
            losses.append(float(rows["test loss"]))
        assert losses[1] < losses[0] / 1.5


def test_every_rule_trains_in_shared_memory_and_draws(tmp_path):
    for rule in ("async", "ssp", "backup"):
        picture = tmp_path / f"{rule}.png"
        rows = train_by(
            rule, "--num-workers=2", "--fast", "--plot", picture, updates=40
        )
        assert float(rows["test loss"]) < 2
        assert picture.read_bytes().startswith(b"\x89PNG")


def test_a_run_that_diverges_ends_in_one_sentence():
    done = run("--engine=numpy", "--num-workers=1", "--learning-rate=1e30")
    assert done.returncode == 1
    assert messages(done.stderr) == [
        "parameter_server: the loss is not a number: lower --learning-rate."
    ]
    assert table(done.stdout)["test loss"] == "nan"


@pytest.mark.filterwarnings("error")
def test_a_run_that_diverges_warns_of_nothing_else(digits):
    """Whether the driver sees weights this large depends on when it looks."""
    mlp = model.load("mlp", "numpy")
    weights = [1e30 * weight for weight in mlp.initial_weights()]
    lost = Run()
    lost.add(1, [{"times": [0.0, 1.0, 2.0], "staleness": 0}])
    lost.evaluate(mlp, weights, digits[2:])
    assert not np.isfinite(lost.points[-1]["loss"])


# Refusals


def test_help_names_every_option_and_fits_a_terminal(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit) as stop:
        parameter_server.main(["--help"])
    assert stop.value.code == 0
    text = capsys.readouterr().out
    named = set(re.findall(r"^  (--[a-z-]+)", text, re.MULTILINE))
    assert named == {
        "--num-workers",
        "--target-accuracy",
        "--num-updates",
        "--batch-size",
        "--learning-rate",
        "--data",
        "--model",
        "--engine",
        "--seed",
        "--consistency",
        "--staleness",
        "--backup-workers",
        "--straggler",
        "--address",
        "--plot",
        "--num-servers",
        "--optimizer",
        "--fast",
        "--local-steps",
    }
    assert "digits,mnist,fashion_mnist" in text
    assert "async,sync,ssp,backup" in text
    assert "python -m ps_helpers.parameter_server --num-workers=4" in text
    assert all(len(line) <= 80 for line in text.splitlines())


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ("--num-workers=0", "0 is not a whole number, 1 to 64"),
        ("--num-workers=-1", "-1 is not a whole number"),
        ("--num-workers=x", "x is not a whole number"),
        ("--num-workers=1.5", "1.5 is not a whole number"),
        ("--num-workers=65", "65 is not a whole number, 1 to 64"),
        ("--batch-size=0", "0 is not a whole number, 1 or more"),
        ("--learning-rate=0", "0 is not a number"),
        ("--learning-rate=nan", "nan is not a number"),
        ("--learning-rate=inf", "inf is not a number"),
        ("--learning-rate=-1", "-1 is not a number"),
        ("--target-accuracy=2", "2 is not a number, 0 to 1"),
        ("--target-accuracy=nan", "nan is not a number"),
        ("--num-updates=0", "0 is not a whole number, 1 or more"),
        ("--seed=-1", "-1 is not a whole number, 0 or more"),
        ("--data=cifar", "cifar"),
        ("--model=resnet", "resnet"),
        ("--engine=jax", "jax"),
        ("--num-updates=5 --target-accuracy=0.9", "not allowed with"),
        ("--plot=run.txt", "run.txt must end in .png, .svg or .pdf"),
        ("--plot=nowhere/run.png", "there is no folder nowhere"),
        ("--consistency=bsp", "bsp"),
        ("--staleness=-1 --consistency=ssp", "-1 is not a whole number, 0 or more"),
        ("--staleness=inf --consistency=ssp", "inf is not a whole number"),
        ("--staleness=2", "belongs to --consistency ssp"),
        ("--staleness=2 --consistency=backup", "belongs to --consistency ssp"),
        ("--staleness=0 --consistency=sync", "belongs to --consistency ssp"),
        ("--backup-workers=0", "0 is not a whole number, 1 to 64"),
        ("--backup-workers=65", "65 is not a whole number, 1 to 64"),
        ("--backup-workers=1", "belongs to --consistency backup"),
        ("--backup-workers=1 --consistency=ssp", "belongs to --consistency backup"),
        ("--straggler=-1", "-1 is not a number, 0 to 60000"),
        ("--straggler=60001", "60001 is not a number, 0 to 60000"),
        ("--straggler=nan", "nan is not a number"),
        ("--num-servers=0", "0 is not a whole number, 1 to 64"),
        ("--num-servers=2 --consistency=backup", "might leave out another worker"),
        ("--optimizer=rmsprop", "rmsprop"),
        ("--fast --address=127.0.0.1:1", "leave --address out"),
        ("--fast --num-servers=2", "leave --num-servers out"),
        ("--local-steps=0", "0 is not a whole number, 1 to 1000"),
        ("--local-steps=2 --optimizer=adam", "leave --optimizer out"),
        ("--num-steps=3", "--num-steps"),
        ("4", "4"),
    ],
)
def test_a_bad_argument_is_refused_in_one_sentence(arguments, reason, capsys):
    with pytest.raises(SystemExit) as stop:
        parameter_server.main(arguments.split())
    output = capsys.readouterr()
    assert (stop.value.code, output.out) == (2, "")
    [line] = output.err.splitlines()
    assert line.startswith("parameter_server: ")
    assert reason in line
    option = re.match("[^= ]+", arguments)[0]
    assert option in line


@pytest.mark.parametrize(
    ("arguments", "staleness", "backup_workers"),
    [
        ("", 0, 0),
        ("--consistency=sync", 0, 0),
        ("--consistency=ssp", 3, 0),
        ("--consistency=ssp --staleness=0", 0, 0),
        ("--consistency=backup", 0, 1),
        ("--consistency=backup --backup-workers=2", 0, 2),
    ],
)
def test_a_rules_own_option_has_a_default(arguments, staleness, backup_workers):
    options = command_line.parse("Train.", arguments.split())
    assert options.staleness == staleness
    assert options.backup_workers == backup_workers


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--model=cnn", "--engine=numpy"], "the cnn needs the engine tensorflow"),
        (["--data=mnist"], "mnist is not stored in"),
        (["--address=127.0.0.1:{port}"], "no Ray cluster answers at 127.0.0.1:"),
    ],
    ids=["cnn in NumPy", "data not there", "nobody listens"],
)
def test_what_cannot_be_is_refused_in_one_sentence(arguments, reason, tmp_path):
    arguments = [argument.format(port=unused_port()) for argument in arguments]
    nowhere = "http://127.0.0.1:1"
    done = run(*arguments, KERAS_HOME=str(tmp_path), https_proxy=nowhere)
    assert done.returncode == 2
    [line] = done.stderr.splitlines()
    assert line.startswith(f"parameter_server: {reason}")


# Ctrl-C


def marked(pid):
    """Return the processes that carry the mark of a driver."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.environ().get(session.DRIVER_VARIABLE) == str(pid):
                found.append(process)
    return found


class Training:
    """A run of the script that would take very long."""

    def __init__(self, folder):
        self.output, self.error_output = folder / "output", folder / "errors"
        with self.output.open("w") as output, self.error_output.open("w") as errors:
            self.process = subprocess.Popen(
                [*SCRIPT, "--engine=numpy", "--num-workers=2", "--num-updates=999999"],
                env=environment(),
                stdout=output,
                stderr=errors,
                start_new_session=True,  # a process group of its own, as in a terminal
            )

    def starts_ray(self):
        with contextlib.suppress(psutil.Error):  # a child that has gone again
            children = psutil.Process(self.process.pid).children()
            return any("gcs_server" in child.name() for child in children)
        return False

    def starts_workers(self):
        return "starting:" in self.error_output.read_text()

    def trains(self):
        return "loss=" in self.error_output.read_text()

    def stops(self):
        return "Interrupted" in self.error_output.read_text()

    def wait_until(self, condition):
        deadline = time.monotonic() + SECONDS
        while not condition(self):
            assert self.process.poll() is None, "it ended by itself"
            assert time.monotonic() < deadline, "it hangs"
            time.sleep(0.05)


@pytest.fixture
def training(tmp_path):
    """Start a training; kill what is left of it afterwards."""
    training = Training(tmp_path)
    yield training
    training.process.kill()
    training.process.wait()
    for process in marked(training.process.pid):
        process.kill()


@pytest.mark.parametrize(
    ("moment", "send", "times"),
    [
        (Training.trains, os.kill, 1),
        (Training.trains, os.killpg, 2),  # impatiently
        (Training.starts_workers, os.killpg, 1),
        (Training.starts_ray, os.killpg, 1),
        (Training.starts_ray, os.kill, 1),
    ],
    ids=[
        "sent to the script alone",
        "twice to its process group",
        "while workers start",
        "while Ray starts",
        "while Ray starts to the script alone",
    ],
)
def test_ctrl_c_ends_everything_and_shows_what_was_reached(
    training, moment, send, times
):
    training.wait_until(moment)
    for _ in range(times):
        send(training.process.pid, signal.SIGINT)
        training.wait_until(Training.stops)
    status = training.process.wait(SECONDS)
    output, errors = training.output.read_text(), training.error_output.read_text()
    assert messages(errors) == ["Interrupted. What was reached:"]
    assert status == 130
    if moment is Training.trains:
        rows = table(output)
        assert sum(per_worker(rows)) == int(rows["updates"]) > 0
    else:
        assert output == "Stopped before the first update.\n"
    _, left = psutil.wait_procs(marked(training.process.pid), timeout=10)
    assert not left


# A cluster


@pytest.fixture
def cluster():
    """Start a second Ray of four CPUs; yield its address and its folder."""
    folder = Path(tempfile.mkdtemp(dir="/tmp"))  # short: Ray's sockets are in it
    ray_environment = environment(RAY_AUTH_MODE="disabled", RAY_USAGE_STATS_ENABLED="0")
    address = f"127.0.0.1:{unused_port()}"
    with (folder / "output").open("w") as output:
        process = subprocess.Popen(
            [
                *RAY,
                "start",
                "--head",
                "--block",  # so that ending this process ends this Ray alone
                "--num-cpus=4",
                f"--port={address.partition(':')[2]}",
                f"--ray-client-server-port={unused_port()}",
                f"--dashboard-agent-listen-port={unused_port()}",
                "--include-dashboard=false",
                f"--temp-dir={folder}",
                f"--object-store-memory={session.OBJECT_STORE_BYTES}",
            ],
            env=ray_environment,
            stdout=output,
            stderr=output,
        )

    def is_up():
        check = subprocess.run(
            [*RAY, "health-check", f"--address={address}"],
            env=ray_environment,
            capture_output=True,
            timeout=SECONDS,
        )
        return check.returncode == 0 and process.poll() is None

    try:
        deadline = time.monotonic() + SECONDS
        while not is_up() and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.2)
        assert process.poll() is None, (folder / "output").read_text()
        yield address, folder, is_up
    finally:
        process.terminate()
        process.wait(SECONDS)
        shutil.rmtree(folder, ignore_errors=True)


def test_an_address_trains_on_that_cluster_and_leaves_it_running(cluster):
    address, folder, is_up = cluster
    logs = folder / "session_latest" / "logs"
    assert not list(logs.glob("python-core-driver-*"))
    done = run(
        "--engine=numpy", "--num-workers=2", "--num-updates=40", f"--address={address}"
    )
    assert (done.returncode, messages(done.stderr)) == (0, [])
    assert table(done.stdout)["updates"] == "40"
    assert len(list(logs.glob("python-core-driver-*"))) == 1  # it was there
    assert is_up()


def test_a_picture_cannot_take_the_place_of_a_folder(tmp_path, capsys):
    (tmp_path / "run.png").mkdir()
    with pytest.raises(SystemExit) as stop:
        parameter_server.main([f"--plot={tmp_path / 'run.png'}"])
    assert stop.value.code == 2
    assert "cannot be written" in capsys.readouterr().err
