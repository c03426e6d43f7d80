"""Kill workers and servers of real teams: nothing is lost, and nothing counts twice.

Most runs count steps in the weights themselves, see `kills`.
"""

import contextlib
import os
import re
import signal
import time
from collections import Counter

import kills
import numpy as np
import pytest
import ray
from kills import TRAPS, WAYS, WEIGHTS, WORKERS
from test_script import weekly

from ps_helpers import checkpoint
from ps_helpers.endpoint import connect
from ps_helpers.parameter_server import worker_task
from ps_helpers.rules import Asynchronous
from ps_helpers.settings import Settings
from ps_helpers.shared_memory import MemoryGate, SharedMemory
from ps_helpers.team import ServerLost, Team, TrainingError
from ps_helpers.worker import work

ray.cloudpickle.register_pickle_by_value(kills)

ALL = ["worker", "server", "ray.kill", *TRAPS]


@pytest.fixture
def end(running_ray):
    """End the teams of a test, whatever comes of it."""
    teams = []
    yield lambda team: teams.append(team) or team
    for team in teams:
        team.kill()


# Each once, whatever dies


@pytest.mark.parametrize(
    ("way", "rule", "every", "victims"),
    [
        ("messages", "async", 1, ["server", "with half a file", "after a push"]),
        ("shared memory", "sync", 1, ["worker", "server"]),
        ("three servers", "async", 5, ["worker", "after a push"]),
        weekly("messages", "async", 5, ALL),
        weekly("messages", "sync", 1, ALL),
        weekly("messages", "ssp", 1, ALL),
        weekly("shared memory", "async", 5, ALL),
        weekly("three servers", "sync", 1, ALL),
    ],
)
def test_nothing_is_lost_or_counts_twice_whoever_is_killed(
    way, rule, every, victims, end, tmp_path
):
    seed, more = list(WAYS).index(way) + 10 * every, {"checkpoint_every": every}
    team, report, recovered = kills.run(tmp_path, way, rule, victims, seed, **more)
    end(team)
    kills.assert_each_once(team, report)
    text = " ".join(sentence for _, sentence in team.events)
    assert text.count("is started again") >= victims.count("worker")
    assert text.count("the server failed") >= len(victims) - victims.count("worker")
    assert [what for what, _ in recovered] == victims
    left = {path.suffix for path in (tmp_path / "saved").iterdir()}
    assert left == {".npz"} and "damaged" not in text


def test_what_a_dead_worker_sent_to_one_server_alone_is_sent_to_the_others(
    end, tmp_path
):
    """The slowest dies between its sends, in a round and at the end of the run."""

    @ray.remote(max_retries=0)
    def dying_task(ps, worker, shard, settings):
        endpoint = connect(ps, worker, kills.SHAPES)

        def push(step, times):
            endpoint.endpoints[0].push(step, times)
            mark = os.path.join(folder, f"{step}")
            if worker == 0 and step in (5, 24) and not os.path.exists(mark):
                open(mark, "w").close()
                time.sleep(0.2)  # Ray sends it
                os.kill(os.getpid(), signal.SIGKILL)
            for other in endpoint.endpoints[1:]:
                other.push(step, times)

        endpoint.push = push
        return work(endpoint, kills.Counting(worker, 0.001 if worker else 0.02))

    folder = str(tmp_path)
    own = {"num_workers": WORKERS, "num_servers": 3, "num_updates": 100}
    settings = Settings(**own, consistency="ssp", lead=0)
    team = end(Team(settings, WEIGHTS, [None] * WORKERS, dying_task))
    *_, report = team.reports(0.1)
    assert len(os.listdir(folder)) == len(team.events) == 2
    kills.assert_each_once(team, report)
    reports = team.ask(*(ps.report.remote() for ps in team.servers))
    assert [r.version for r in reports] == [100] * 3


# Who is counted out, and who comes


@pytest.mark.parametrize("rule", ["sync", *map(weekly, ("async", "ssp", "backup"))])
def test_without_a_replacement_the_others_go_on_and_one_may_come_later(
    rule, end, tmp_path
):
    rule_own = {"num_workers": WORKERS - 1} if rule == "backup" else {}
    own = {"replace": 0, "num_updates": 10**6, "checkpoint": None} | rule_own
    team = end(kills.start(tmp_path, "messages", rule, 0.02, **own))
    steps, came = Counter(), None
    for report in team.reports(0.05):
        steps.update(push.worker for push in report.log)
        if report.version > 20 and not team.events and 1 in team.members:
            os.kill(int((tmp_path / "pids" / "worker1").read_text()), signal.SIGKILL)
            while 1 in team.members:
                team.take_off_finished(0.1)
            at_death = report.version
        elif came is None and team.events and report.version > at_death + 40:
            came = steps[1]
            team.grow([1])
        elif came is not None and steps[1] > came + 3:
            team.stop()
    [(_, sentence)] = team.events
    assert sentence == "worker 1 has died and is counted out."
    assert steps[0] > steps[1] > came + 3


@pytest.mark.parametrize("way", [weekly("messages"), "shared memory"])
def test_who_hangs_is_let_go_after_the_deadline_and_replaced(way, end, tmp_path):
    @ray.remote(max_retries=0)
    def hanging_task(ps, worker, shard, settings):
        class Hanging(kills.Counting):
            def compute(self, pulled, into):
                mark = os.path.join(folder, "hung")
                if worker == 1 and pulled.step == 9 and not os.path.exists(mark):
                    open(mark, "w").close()
                    time.sleep(600)
                super().compute(pulled, into)

        return work(connect(ps, worker, kills.SHAPES), Hanging(worker, 0.03))

    folder = str(tmp_path)
    own = {"num_workers": WORKERS, "num_updates": 10**6, "deadline": 2.0}
    settings = Settings(**own, consistency="ssp", **WAYS[way])
    team = end(Team(settings, WEIGHTS, [None] * WORKERS, hanging_task))
    for report in team.reports(0.1):
        if report.steps[1] > 15:
            team.stop()
    kills.assert_each_once(team, report)
    let_go, replaced = [sentence for _, sentence in team.events]
    assert let_go == "worker 1 is let go: step 9 took 2.0 s."
    assert replaced == "worker 1 has died and is started again."


def test_who_comes_back_late_is_refused_by_its_old_number():
    gate = MemoryGate(["w"], [np.zeros(2, np.float32)], {"rule": Asynchronous()}, 2)
    late = SharedMemory(gate.address(), 0, np.asarray)
    assert late.pull().step == 0
    again = SharedMemory(gate.address(), 0, np.asarray)
    assert again.pull().step == 0
    late.push(0, None)
    assert late.pull() is None
    again.update[0][...] = 1
    again.push(0, None)
    assert again.pull().step == 1
    assert gate.report().weights[0].tolist() == [1, 1]
    assert len(gate.report().log) == 1
    gate.leave(0)
    assert again.pull() is None


def test_who_dies_again_and_again_ends_the_run_in_one_sentence(end, tmp_path):
    @ray.remote(max_retries=0)
    def short_lived(ps, worker, shard, settings):
        os.kill(os.getpid(), signal.SIGKILL)

    settings = Settings(num_workers=1, num_updates=9, replace=1)
    team = end(Team(settings, WEIGHTS, [None], short_lived))
    with pytest.raises(TrainingError, match=r"^worker 0 failed: [^\n]*$"):
        list(team.reports(0.1))
    again, out = [sentence for _, sentence in team.events]
    assert again == "worker 0 has died and is started again."
    assert out == "worker 0 has died and is counted out."


class GateOfAModule:
    """It is sent to a node by its name: there nobody can import a test."""

    def __init__(self, *parts):
        pass

    def report(self, start=0):
        pass


def task_of_a_module(*arguments):
    pass


@pytest.mark.parametrize(
    "lacking, who, reason",
    [
        ("server", "the server", "ModuleNotFoundError: No module named"),
        ("worker", "worker 0", "ModuleNotFoundError: No module named"),
        ("room", "the server", "MemoryError: start fewer workers"),
    ],
)
def test_what_a_node_lacks_is_told_in_one_sentence(
    lacking, who, reason, running_ray, monkeypatch
):
    class Full:  # is sent to the node, and fails there
        def __init__(self, *parts):
            raise MemoryError("start fewer workers")

        def report(self, start=0):
            pass

    task = ray.remote(task_of_a_module) if lacking == "worker" else worker_task
    if gate := {"server": GateOfAModule, "room": Full}.get(lacking):
        monkeypatch.setattr("ps_helpers.team.GateActor", ray.remote(num_cpus=0)(gate))
    settings = Settings(num_workers=1, num_updates=5, engine="numpy")
    team = Team(settings, WEIGHTS, [None], task)
    with pytest.raises(TrainingError) as raised:
        list(team.reports(0.1))
    found = str(raised.value)
    assert found.startswith(f"{who} failed: {reason}") and "\n" not in found
    assert found.endswith("install on each node what is here") == (lacking != "room")


def test_a_server_that_dies_again_before_any_push_is_given_up(end, tmp_path):
    team = end(kills.start(tmp_path, "messages", num_updates=10**6))
    reports = team.reports(0.05)
    next(reports)
    with pytest.raises(TrainingError, match=r"^the server failed: [^\n]*$"):
        while True:
            ray.kill(team.servers[0])
            with contextlib.suppress(ServerLost):
                team.report()
            team.recover(ServerLost("the server failed: it was killed"))
    deaths = [said for _, said in team.events if said.startswith("the server failed")]
    assert len(deaths) == 3


def test_a_checkpoint_that_cannot_be_written_stops_or_warns(end, tmp_path):
    (tmp_path / "saved").write_text("no folder")
    own = {"num_updates": 60, "checkpoint_every": 10}
    stops = end(kills.start(tmp_path, "messages", checkpoint_failure="stop", **own))
    with pytest.raises(TrainingError, match="could not be saved"):
        list(stops.reports())
    goes_on = end(kills.start(tmp_path, "messages", checkpoint_failure="warn", **own))
    *_, report = goes_on.reports()
    assert report.version == 60
    assert any("could not be saved" in sentence for _, sentence in goes_on.events)


# The script


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--model=softmax"], "was made with --model mlp, not softmax"),
        (["--data=mnist"], "was made with --data digits, not mnist"),
        (["--optimizer=adam"], "was made with --optimizer sgd, not adam"),
        (["--learning-rate=0.5"], "was made with --learning-rate 0.2, not 0.5"),
        (["--num-workers=3"], "was made with --num-workers 4, not 3"),
    ],
)
def test_resuming_another_training_is_refused_in_one_sentence(
    arguments, reason, main, tmp_path, capsys
):
    identity = Settings().identity()
    checkpoint.write(tmp_path / "server0-7.npz", {"settings": identity, "version": 7})
    assert main([*arguments, f"--checkpoint={tmp_path}", "--resume"]) == 2
    [line] = capsys.readouterr().err.splitlines()
    folder = f"parameter_server: --resume: the checkpoint in {tmp_path}"
    assert line == f"{folder} {reason}"


@pytest.mark.parametrize(
    ("folder", "more", "reason"),
    [
        ("empty", ["--resume"], "--resume: there is no whole checkpoint in .*/empty"),
        ("full", [], "--checkpoint: .*/full is in use: add --resume"),
        (
            "file",
            [],
            "--checkpoint: .*/file is no folder, and cannot be made one: File",
        ),
        ("/proc/saved", [], "--checkpoint: /proc/saved is no folder, and cannot be"),
    ],
)
def test_folders_that_will_not_do_are_refused(
    folder, more, reason, main, tmp_path, capsys
):
    (tmp_path / "full").mkdir()
    for file in ("file", "full/server0-3.npz"):
        (tmp_path / file).write_text("something")
    assert main([f"--checkpoint={tmp_path / folder}", *more]) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert re.match(f"parameter_server: {reason}", line)
