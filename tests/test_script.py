"""Tests of the script: what it prints, what it refuses, and how it stops."""

import contextlib
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
import ray
from heads import SECONDS
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.util.tensor_util import make_ndarray
from test_session import rays_token

from ps_helpers import checkpoint, parameter_server
from ps_helpers.lab import data, ending, model, processes, session
from ps_helpers.records import Push, Report, Times
from ps_helpers.settings import Settings
from ps_helpers.team import TrainingError
from ps_helpers.training import Run

SCRIPT = [sys.executable, "-m", "ps_helpers.parameter_server"]
LONG = "--engine=numpy", "--num-workers=2", "--num-updates=999999"
ROUNDS = *LONG[:2], "--num-updates=200", "--consistency=sync", "--optimizer=adam"
SIGNALS = signal.SIGINT, signal.SIGTERM
TEXT = {"capture_output": True, "text": True, "timeout": SECONDS}


def weekly(*values):
    """Return a case of a test that is left to `make weekly`."""
    return pytest.param(*values, marks=pytest.mark.weekly)


def environment(**more):
    """Return this process's environment without what steers Ray or the script."""
    steering = (processes.MARK, "PS_ENGINE", "RAY_ADDRESS")
    rest = {key: value for key, value in os.environ.items() if key not in steering}
    return {**rest, **more}


def messages(error_output):
    """Return the lines of standard error that are no progress bar's."""
    lines = re.split(r"[\r\n]+", error_output)
    return [line for line in lines if line and not re.match("(start|train)ing: ", line)]


def table(output):
    """Return the rows of the printed table: names in 15 columns, then values."""
    return {line[:15].strip(): line[15:] for line in output.splitlines()}


# Training


def test_two_workers_reach_the_target_and_keep_what_they_reached(
    main, running_ray, capsys, tmp_path, digits
):
    picture, file, kept = (tmp_path / f"run.{e}" for e in ("PNG", "NPZ", "json"))
    files = "--plot", picture, "--save", file, "--json", kept, "--log-dir", tmp_path
    command = ["--engine", "numpy", "--num-workers=2", *map(str, files)]
    assert main(command) == 0
    rows = table(capsys.readouterr().out)
    assert 0.95 <= float(rows["test accuracy"]) <= 1
    by_worker = [int(number) for number in rows["per worker"].split()]
    assert len(by_worker) == 2 and min(by_worker) > 0
    assert sum(by_worker) == int(rows["updates"]) == int(rows["pushes"])
    assert picture.read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
    record, weights = json.loads(kept.read_text()), dict(np.load(file))
    assert rows["gradients"].startswith(f"{record['gradients']}, ")
    assert record["options"]["num_workers"] == 2 and record["versions"]["ray"]
    assert record["chosen"] == "--num-workers 2 --engine numpy"
    last, mlp = record["points"][-1], model.load("mlp", "numpy")
    assert mlp.accuracy(list(weights.values()), *digits[2:]) == last["accuracy"]
    assert f"{last['seconds']:.1f}, " in rows["seconds"]
    events = EventAccumulator(str(tmp_path), {"tensors": 0}).Reload()
    shown = {name: events.Tensors(name) for name in events.Tags()["tensors"]}
    assert [e.step for e in shown["loss"]] == [p["updates"] for p in record["points"]]
    last_shown = {name: make_ndarray(e[-1].tensor_proto) for name, e in shown.items()}
    assert last_shown["accuracy"] == pytest.approx(last["accuracy"])
    assert 0 < last_shown["share of waiting"] < 1 <= last_shown["workers"] <= 2
    assert all(number > 0 for number in last_shown.values()), last_shown
    both = tmp_path / "both.svg"  # nothing is trained for it
    assert main([f"--compare={kept}", f"--plot={both}"]) == 0
    assert "<svg" in both.read_text()
    both.write_text("{}")  # that is no record
    assert main([f"--compare={both}", f"--plot={both}"]) == 2


def test_by_default_tensorflow_computes_the_gradients(main, running_ray, capsys):
    assert main(["--num-workers=1", "--num-updates=50"]) == 0
    rows = table(capsys.readouterr().out)
    assert rows["updates"] == rows["per worker"] == "50"
    assert float(rows["test accuracy"]) > 0.5


def report(version, weights, *workers):
    times = Times(0.0, 1.0, 2.0)
    log = [Push(w, 0, w, times, 4.0, dropped=w > 1) for w in workers]
    return Report(version, weights, log)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("factor", [1e30, np.nan])
def test_a_run_that_diverges_is_told_so_and_warns_of_nothing_else(factor, digits):
    """Whether the driver sees numbers so large depends on when it looks."""
    mlp = model.load("mlp", "numpy")
    weights, lost = [factor * weight for weight in mlp.initial_weights()], Run()
    with pytest.raises(TrainingError, match="not a number: lower --learning-rate"):
        lost.add(report(1, weights, 0), mlp, digits[2:])
    assert not np.isfinite(lost.points[-1]["loss"])


@pytest.mark.parametrize(
    ("loss", "accuracy", "chosen", "words"),
    [
        (2.31, 0.1, {"learning_rate": 1.0}, ["try --learning-rate 0.2.", "diverges"]),
        (2.31, 0.1, {}, ["try --learning-rate 0.05.", "diverges"]),
        (2.25, 0.16, {"learning_rate": 1e-5}, ["try --learning-rate 0.2."]),
        (650, 0.1, {"learning_rate": 1000.0}, ["diverges"]),
        (70, 0.9, {"learning_rate": 1000.0}, ["try --learning-rate 0.2."]),
        (2.1, 0.2, {}, []),
    ],
)
def test_a_run_that_learns_nothing_is_told_so_early(
    monkeypatch, loss, accuracy, chosen, words
):
    run, lines = Run(Settings(**chosen)), []

    def tell(sentence):
        lines.append(f"{run.updates} {sentence}")

    monkeypatch.setattr("ps_helpers.training.tell", tell)
    for run.updates in range(20, 2000, 20):
        run.points.append({"updates": run.updates, "loss": loss, "accuracy": accuracy})
        try:
            run.require_progress(np.log(10))
        except TrainingError as error:
            tell(error)
            break
    assert len(lines) == len(words)
    for line, word, latest in zip(lines, words, (200, 1020), strict=False):
        assert word in line and int(line.split()[0]) <= latest


def test_a_run_counts_all_pushes_and_keeps_the_last(digits, monkeypatch):
    monkeypatch.setattr("ps_helpers.training.RECORDS_KEPT", 10)
    softmax, run = model.load("softmax", "numpy"), Run()
    weights = softmax.initial_weights()
    for version in range(1, 9):
        run.add(report(version, weights, 0, 1, 1, 2), softmax, digits[2:])
    assert len(run.log) == 10
    rows = table(run.table())
    assert list(rows.items()) == [
        ("test accuracy", f"{run.accuracy:.3f}"),
        ("test loss", f"{run.points[-1]['loss']:.3f}"),
        ("updates", "8"),
        ("pushes", "32, 8 dropped"),
        ("per worker", "8 16 8"),
        ("gradients", "32, 11 a second"),
        ("staleness", "mean 1.00, max 2"),
        ("seconds", f"3.0, after {1 - run.began:.1f} to start"),
    ]


# What fails

BEYOND_UTF_8 = "a name has letters beyond UTF-8: set PYTHONUTF8=1"


@pytest.mark.parametrize(
    ("error", "status", "words"),
    [
        (session.SessionError("no Ray cluster answers"), 2, "no Ray cluster answers"),
        (data.MissingDataError("mnist is not stored"), 2, "mnist is not stored"),
        (TrainingError("the run diverges"), 1, "the run diverges"),
        # So arrives a folder's ü where LC_ALL=C and PYTHONUTF8=0.
        (UnicodeEncodeError("utf-8", "\udcc3", 0, 1, "no"), 2, BEYOND_UTF_8),
    ],
)
def test_what_ends_a_run_is_told_in_one_sentence(
    error, status, words, main, monkeypatch, capsys
):
    def fail(*_):
        raise error

    monkeypatch.setattr(parameter_server, "train", fail)
    answers = [signal.getsignal(number) for number in SIGNALS]
    assert main([]) == status
    assert [signal.getsignal(number) for number in SIGNALS] == answers
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith(f"parameter_server: {words}")


def trained(settings, run):
    """Fill a run as training does."""
    softmax, digits = model.load("softmax", "numpy"), data.load()
    run.add(report(40, softmax.initial_weights(), 0, 1), softmax, digits[2:])


@pytest.mark.parametrize(
    "fault", [OSError(28, "No space left"), RuntimeError("no font")]
)
def test_what_fails_after_training_costs_no_result(
    main, monkeypatch, capsys, tmp_path, fault
):
    """The table comes first, then a sentence, then the status."""
    picture = tmp_path / "run.png"

    def fail(*_, **__):
        picture.with_stem(".run-part").write_bytes(b"a part")
        raise fault

    monkeypatch.setattr(parameter_server, "train", trained)
    monkeypatch.setattr("matplotlib.figure.Figure.savefig", fail)
    assert main([f"--plot={picture}"]) == 1
    output = capsys.readouterr()
    assert table(output.out)["updates"] == "40" and not any(tmp_path.iterdir())
    [line] = output.err.splitlines()
    assert line == f"parameter_server: --plot: {fault}"


def test_what_can_be_known_is_refused_at_the_start(main, monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(session, "start", lambda *_: pytest.fail("it began"))

    def refused(reason, *arguments):
        assert main(list(arguments)) == 2
        output = capsys.readouterr()
        assert output.out == "" and output.err.startswith(f"parameter_server: {reason}")
        assert output.err.count("\n") == 1

    more = "360 is more than a worker has: 359 images"
    refused(f"--batch-size: {more}", "--batch-size=360")
    refused(f"--batch-size: {more[:23]}", "--batch-size=360", "--num-workers=5")
    picture = f"--plot={tmp_path / 'run.svg'}"
    with monkeypatch.context() as patch:
        patch.setattr("matplotlib.figure.Figure.savefig", lambda *_, **__: 1 / 0)
        refused("--plot: ", picture)
    monkeypatch.setattr("tempfile.TemporaryFile", lambda **_: open("/dev/full", "wb"))
    refused("--plot: ", picture)
    assert not list(tmp_path.iterdir())


# Ctrl-C


def marked(pid):
    """Return the processes that carry the mark of a driver."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.environ().get(processes.MARK, "").startswith(f"{pid}:"):
                found.append(process)
    return found


class Training:
    """A run of the script that takes long."""

    def __init__(self, folder, *arguments):
        self.output, self.error_output = folder / "output", folder / "errors"
        self.json = folder / "run.json"
        with self.output.open("w") as output, self.error_output.open("w") as errors:
            self.process = psutil.Popen(
                [*SCRIPT, *arguments, f"--json={self.json}"],
                env=environment(),
                stdout=output,
                stderr=errors,
                start_new_session=True,  # a process group of its own, as in a terminal
            )

    def imports(self):
        return "_raylet" in Path(f"/proc/{self.process.pid}/maps").read_text()

    def starts_ray(self):
        with contextlib.suppress(psutil.Error):  # a child that has gone again
            return any("gcs_server" in it.name() for it in self.process.children())

    def starts_workers(self):
        return "starting:" in self.error_output.read_text()

    def trains(self):
        return "loss=" in self.error_output.read_text()

    def stops(self):
        return "Interrupted" in self.error_output.read_text()

    def wait_until(self, condition):
        deadline = time.monotonic() + SECONDS
        while not condition(self):
            assert self.process.poll() is None, self.error_output.read_text()
            assert time.monotonic() < deadline, "it hangs"
            time.sleep(0.05)

    def ends_by(self, number):
        """Assert that a signal ends all of it, with a sentence and a status."""
        status = self.process.wait(SECONDS)
        lines = messages(self.error_output.read_text())
        assert (lines, status) == (["Interrupted. What was reached:"], 128 + number)
        _, left = psutil.wait_procs(marked(self.process.pid), timeout=10)
        assert not left


@pytest.fixture
def start(tmp_path):
    """Return a function that starts a training; kill afterwards what is left of it."""
    trainings = []

    def start(*arguments):
        trainings.append(Training(tmp_path, *arguments))
        return trainings[-1]

    yield start
    for process in [training.process for training in trainings]:
        for left in (process, *marked(process.pid)):
            with contextlib.suppress(psutil.Error):  # it has ended
                left.kill()
        process.wait()


MOMENTS = {
    "twice to its process group": (Training.trains, os.killpg, 2),  # impatiently
    "while workers start": (Training.starts_workers, os.killpg, 1),
    "while Ray starts, to the script alone": (Training.starts_ray, os.kill, 1),
    "during the imports": (Training.imports, os.killpg, 1),
}


@pytest.mark.parametrize(
    ("number", "when"),
    [
        ((number, when) if often else weekly(number, when))
        for i, when in enumerate(MOMENTS)
        for number in SIGNALS
        for often in [i % 2 == (number == signal.SIGINT)]
    ],
)
def test_a_signal_ends_everything_and_shows_what_was_reached(start, number, when):
    (moment, send, times), training = MOMENTS[when], start(*LONG)
    training.wait_until(moment)
    for _ in range(times):
        send(training.process.pid, number)
        training.wait_until(Training.stops)
    training.ends_by(number)
    output = training.output.read_text()
    if moment is not Training.imports:
        record = json.loads(training.json.read_text())
        assert (record["updates"] > 0) == (moment is Training.trains)
    if moment is Training.trains:
        rows = table(output)
        assert sum(map(int, rows["per worker"].split())) == int(rows["updates"]) > 0
    else:
        assert output == "Stopped before the first update.\n"


@pytest.mark.parametrize("way", [weekly(""), "--fast", weekly("--num-servers=2")])
def test_ctrl_c_and_resume_reach_the_weights_of_an_uninterrupted_run(
    way, start, main, running_ray, capsys, tmp_path
):
    """The signal comes to the script alone, as from a program that has started it."""
    folder, whole = tmp_path / "saved", tmp_path / "whole"
    servers = [way] if "servers" in way else []
    save = [*ROUNDS, *way.split(), "--straggler=50", "--checkpoint-every=10"]
    training = start(*save, f"--checkpoint={folder}")
    training.wait_until(lambda _: max(checkpoint.saved(folder), default=0) >= 40)
    os.kill(training.process.pid, signal.SIGINT)
    training.ends_by(signal.SIGINT)
    at = max(checkpoint.saved(folder))
    assert at < 200
    assert main([*save, f"--checkpoint={folder}", "--resume"]) == 0
    output = capsys.readouterr()
    assert table(output.out)["updates"] == "200"
    [line] = messages(output.err)
    words = f"parameter_server: training goes on from update {at // 10 * 10}."
    assert line == words or servers
    assert main([*ROUNDS, *servers, f"--checkpoint={whole}"]) == 0
    states = [checkpoint.newest(it, 2 if servers else 1)[0] for it in (folder, whole)]
    for state, other in zip(*states, strict=True):
        assert state["version"] == other["version"] == 200
        for key, weight in other["weights"].items():
            np.testing.assert_array_equal(state["weights"][key], weight)


@pytest.mark.parametrize(
    ("number", "error"),
    [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, SystemExit)],
)
def test_a_signal_in_a_finalizer_is_heard_after_it(number, error):
    """Python swallows what is raised in one."""

    class Told:
        def __del__(self):
            signal.raise_signal(number)

    with ending.answers_kept(), pytest.raises(error):
        Told()
        time.sleep(SECONDS)


def test_it_starts_without_what_ray_imports_in_vain():
    command = [sys.executable, "-X", "importtime", *SCRIPT[1:], "--version"]
    done = subprocess.run(command, **TEXT)
    assert " ray\n" in done.stderr and "lark" not in done.stderr  # see lab/lean


PRINTS = "from ps_helpers.lab import ending; ending.run(lambda: print(1) or 0)"


def test_what_reads_the_output_may_close_it_early():
    """Before what was printed is sent on, at the end, and without a buffer at once."""

    def write_to(command, reader):
        line = ["bash", "-c", f"{shlex.join(command)} {reader}"]
        done = subprocess.run(line, env=environment(PYTHONUNBUFFERED=""), **TEXT)
        return done.returncode, messages(done.stderr)

    at_the_end, at_once = ([sys.executable, *u, "-c", PRINTS] for u in ([], ["-u"]))
    for command in (at_the_end, at_once):
        closed = write_to(command, "| true; exit ${PIPESTATUS[0]}")
        assert closed in ((0, []), (141, []))
    for command in ([*SCRIPT, "--version"], at_once):
        full = "parameter_server: no result: No space left on device"
        assert write_to(command, "> /dev/full") == (1, [full])


# A cluster


def test_an_address_trains_on_that_cluster_and_leaves_it_running(running_ray):
    logs = Path(session._folders[0], "r", "session_latest", "logs")
    few = "--engine=numpy", "--num-workers=1", "--num-updates=40"
    command = [*SCRIPT, *few, f"--address={ray.get_runtime_context().gcs_address}"]
    before = len(list(logs.glob("python-core-driver-*")))
    known = environment(RAY_AUTH_TOKEN=rays_token())
    done = subprocess.run(command, env=known, **TEXT)
    assert done.returncode == 0, done.stderr
    assert table(done.stdout)["updates"] == "40"
    assert len(list(logs.glob("python-core-driver-*"))) == before + 1  # it was there
    assert ray.get(ray.put(1), timeout=60) == 1
