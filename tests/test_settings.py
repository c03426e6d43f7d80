"""Tests of the settings, and of the command line that is made of them."""

import dataclasses
import math
import re
from functools import partial

import numpy as np
import pytest

from ps_helpers import parameter_server
from ps_helpers.lab import data, model
from ps_helpers.optimizers import Adam, Momentum
from ps_helpers.records import Pulled
from ps_helpers.rules import Asynchronous, StaleSynchronous, Synchronous
from ps_helpers.settings import (
    DATA,
    OPTIMIZERS,
    RULES,
    Settings,
    flag,
    kind_of,
    options,
)
from ps_helpers.simulator import begin_at_once, judge, schedule
from ps_helpers.worker import Learner

BY_NAME = {f.name: f for f in options()}


def parse(*arguments):
    return Settings.parse("Train.", arguments)


def with_its_rule(f, value):
    """Return settings with an option, and with the one that it belongs to, if any."""
    only, local = f.metadata.get("only"), {"outer_rate": {"local_steps": 2}}
    rule = {"consistency": only[0]} if only else local.get(f.name, {})
    return rule | {f.name: value}


def arguments_of(chosen):
    return [f"{flag(BY_NAME[name])}={value}" for name, value in chosen.items()]


def out_of_range():
    """Yield options with values that each must refuse."""
    for f in options():
        low, high = f.metadata["low"], f.metadata["high"]
        if f.metadata.get("choices"):
            yield f, "unheard-of"
        elif low is not None:
            # 0 of what belongs to a rule asks for none of it.
            yield f, low - 1 if low != 1 or not f.metadata.get("only") else -1
            yield f, high + 1 if high < math.inf else math.inf
            yield f, math.nan
            yield f, "many"
            if kind_of(f) is int:
                yield f, low + 0.5


def refusal(capsys, *arguments):
    """Return the one line with which the script refuses these arguments."""
    with pytest.raises(SystemExit) as stop:
        parameter_server.main(list(arguments))
    output = capsys.readouterr()
    assert (stop.value.code, output.out) == (2, "")
    [line] = output.err.splitlines()
    assert line.startswith("parameter_server: ")
    return line


def test_every_option_refuses_what_is_out_of_its_range(capsys):
    tried = set()
    for f, value in out_of_range():
        chosen = with_its_rule(f, value)
        line = refusal(capsys, *arguments_of(chosen))
        assert flag(f) in line and str(value) in line, line
        if not isinstance(value, str) and value == value and value not in (0.5, 1.5):
            words = f"^{flag(f)}: must be .*, not {re.escape(str(value))}$"
            with pytest.raises(ValueError, match=words):
                Settings(**chosen)
        tried.add(f.name)
    # --fast, --resume, --address, files and folders have no range.
    assert len(tried) == len(BY_NAME) - 9


def test_every_option_takes_the_ends_of_its_range():
    for f in options():
        for value in (f.metadata["low"], f.metadata["high"]):
            if value not in (None, math.inf):
                chosen = with_its_rule(f, value)
                settings = Settings(**chosen)
                assert getattr(settings, f.name) == value
                assert parse(*arguments_of(chosen)) == settings


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ("--num-updates=5 --target-accuracy=0.9", "not allowed with"),
        ("--lead=2", "belongs to --consistency ssp"),
        ("--backup-workers=1 --consistency=ssp", "belongs to --consistency backup"),
        ("--num-servers=2 --consistency=backup", "might leave out another worker"),
        ("--fast --num-servers=2", "leave --num-servers out"),
        ("--compress=topk --fast", "goes between nodes: add --fast and --address"),
        ("--compress=float16 --address=auto", "add --fast and --address"),
        ("--local-steps=2 --optimizer=adam", "leave --optimizer out"),
        ("--outer-rate=0.5", "belongs to --local-steps"),
        ("--model=cnn --engine=numpy", "the cnn needs --engine tensorflow"),
        ("--plot=run.txt", "run.txt must end in .png, .svg or .pdf"),
        ("--plot=nowhere/run.png", "there is no folder nowhere"),
        ("--save=run.npy", "run.npy must end in .npz"),
        ("--json=run.txt", "run.txt must end in .json"),
        ("--compare=a.json", "it needs --plot"),
        ("--resume", "say where the checkpoints are"),
        ("--num-workers=x", "must be a whole number from 1 to 64, not x"),
        ("--max-updates=0", "must be a whole number of 1 or more, not 0"),
        ("--num-steps=3", "--num-steps"),
        ("4", "4"),
    ],
)
def test_what_does_not_fit_together_is_refused(arguments, reason, capsys):
    line = refusal(capsys, *arguments.split())
    option = re.match("[^= ]+", reason if "num-steps" in reason else arguments)[0]
    assert reason in line and option in line


def test_a_picture_cannot_take_the_place_of_a_folder(tmp_path, capsys):
    (tmp_path / "run.png").mkdir()
    assert "cannot be written" in refusal(capsys, f"--plot={tmp_path / 'run.png'}")


def test_the_options_that_a_run_is_named_by_are_those_that_were_chosen():
    settings = parse("--fast", "--learning-rate=0.50", "--plot=run.png")
    assert settings.chosen() == "--num-workers 4 --learning-rate 0.5 --fast"
    again = "--num-workers 2 --consistency ssp --lead 1 --straggler 30"
    assert parse(*again.split()).chosen() == again


def test_help_names_every_option_and_its_default_and_fits_a_terminal(
    capsys, monkeypatch
):
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit) as stop:
        parameter_server.main(["--help"])
    assert stop.value.code == 0
    text = capsys.readouterr().out
    assert all(len(line) <= 80 for line in text.splitlines())
    assert "python -m ps_helpers.parameter_server --num-workers=4" in text
    assert "Exit status: 0 when" in text and "130 after Ctrl-C" in text
    _, _, listed = text.partition("--help")
    parts = re.split(r"^  (--[a-z-]+)", listed, flags=re.MULTILINE)
    of_option = dict(zip(parts[1::2], parts[2::2], strict=True))
    assert set(of_option) == {flag(f) for f in options()} | {"--version"}
    for f in options():
        shown = " ".join(of_option[flag(f)].split())
        if f.name == "target_accuracy":
            assert (
                ", ".join(f"{name} {goal}" for name, (_, goal) in DATA.items()) in shown
            )
        default = (f.metadata.get("only") or (None, f.default))[1]
        if default not in (None, False):
            assert f"(default: {default})" in shown
        for choice in f.metadata.get("choices") or ():
            assert choice in shown


def test_settings_cannot_be_changed_and_are_copied_with_a_change():
    settings = Settings(seed=3)
    with pytest.raises(dataclasses.FrozenInstanceError):
        settings.seed = 4
    changed = dataclasses.replace(settings, consistency="ssp", lead=None)
    assert (changed.seed, changed.lead) == (3, 3)


def test_names_stand_for_rules_and_optimizers():
    made = {name: Settings(consistency=name).rule() for name in RULES}
    kinds = Asynchronous, Synchronous, StaleSynchronous, Synchronous
    assert tuple(type(rule) for rule in made.values()) == kinds
    assert made["sync"].needed == made["backup"].needed == 4 and made["ssp"].bound == 3
    teams = {name: Settings(consistency=name).team for name in RULES}
    assert teams == {"async": 4, "sync": 4, "ssp": 4, "backup": 5}
    assert Settings().lead == 0
    kinds = [type(Settings(optimizer=name).make_optimizer()) for name in OPTIMIZERS]
    assert kinds == [type(None), Momentum, Adam]
    settings = Settings(optimizer="adam"), Settings(learning_rate=0.5), Settings()
    assert [s.rate for s in settings] == [0.005, 0.5, 0.2]
    rounds = Settings(num_workers=16, consistency="sync")
    assert (Settings(num_workers=16).rate, rounds.rate) == (0.05, 0.2)
    fashion = Settings(data="fashion_mnist"), Settings(target_accuracy=0)
    assert [(round(s.rate, 9), s.target) for s in fashion] == [(0.04, 0.8), (0.2, 0)]
    assert [s.scale for s in settings] == [1, -0.5, -0.2]


def test_a_straggler_is_slow_in_one_step_of_ten_each_worker_in_its_own():
    settings = Settings(straggler=20)
    delays = np.array([settings.delays_of(worker) for worker in range(4)])
    assert set(delays.ravel()) == {0, 0.02}
    assert np.allclose((delays > 0).mean(axis=1), 0.1, atol=0.03)
    assert not (delays[0] == delays[1]).all()
    assert not any(Settings().delays_of(0))


# The rates that are chosen where nobody chooses


def simulated(settings, dataset, num_updates):
    """Return the accuracy that a run in virtual time reaches."""
    shards = data.shards(*dataset[:2], settings.team)
    classifier = model.load(settings.model, "numpy", dataset.train_x.shape[1])
    weights, draw = classifier.initial_weights(), np.random.default_rng(0)
    log = schedule(
        settings.rule(),
        settings.team,
        lambda *_: draw.gamma(8),
        num_updates=num_updates,
    )
    server, held, learners = judge(settings.rule(), weights, num_updates), {}, []
    server.optimizer, into = settings.make_optimizer(), list(map(np.copy, weights))
    for worker, shard in enumerate(shards):
        batch = partial(data.draw_batch, shard, settings.batch_size)
        learners.append(Learner(classifier, batch, settings, worker))
        begin_at_once(server, worker)
        held[worker] = weights
    for worker, step, *_ in log:
        learners[worker].compute(Pulled(held[worker], 0, step), into)
        for w in server.push(worker, step, list(map(np.copy, into)), None):
            held[w] = server.store.pull(server.keys)
    return classifier.accuracy(server.store.pull(server.keys), *dataset[2:])


@pytest.fixture(scope="module")
def images(digits):
    """The digits as they are, and with as many and as bright pixels as other data."""
    large = [
        np.pad(np.kron(x.reshape(-1, 8, 8), np.ones((3, 3))), ((0, 0), (2, 2), (2, 2)))
        for x in (digits.train_x, digits.test_x)
    ]
    train, test = (x.reshape(len(x), -1).astype(np.float32) for x in large)
    assert 130 < (train**2).sum(axis=1).mean() < 170  # Fashion-MNIST has 162
    large = digits._replace(train_x=train, test_x=test)
    return {"digits": digits, "fashion_mnist": large}


@pytest.mark.parametrize("name", ["digits", "fashion_mnist"])
@pytest.mark.parametrize("classifier", ["softmax", "mlp"])
@pytest.mark.parametrize("rule", RULES)
def test_every_usual_rate_learns(images, name, classifier, rule):
    own = {"data": name, "model": classifier, "consistency": rule, "batch_size": 16}
    several = [{"optimizer": name} for name in OPTIMIZERS] + [{"local_steps": 25}]
    several += [{"num_workers": 16}] if rule == "async" else []
    for chosen in several:
        settings = Settings(**own, **chosen)
        num_updates = (75 if settings.in_rounds else 200) // settings.local_steps
        reached = simulated(settings, images[name], num_updates)
        assert reached > 0.6, (chosen, reached)
