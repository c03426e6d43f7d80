"""Tests of the figures: what their marks say, and how they are shown."""

import base64
import itertools
import os
import re
import struct
import subprocess
import sys

import numpy as np
import pytest
from matplotlib.colors import to_rgb

from ps_helpers.lab import plots
from ps_helpers.records import Push, Times
from ps_helpers.tools import diagrams

POINTS = [
    {"updates": n, "gradients": 4 * n, "seconds": t, "loss": loss, "accuracy": share}
    for n, t, loss, share in (
        (0, 0.0, 2.3, 0.1),
        (10, 0.5, 1.1, 0.6),
        (20, 0.8, 0.4, 1),
    )
]


def push(worker, asked, began, computed, arrived, go=(), dropped=False):
    """Return a push as a log has it; its step and staleness are not drawn."""
    times = Times(asked, began, computed)
    return Push(worker, 0, 0, times, arrived, tuple(go), dropped)


def rows(ax):
    return [label.get_text() for label in ax.get_yticklabels()]


def bars(ax):
    """Return (row, left, width) of every bar, in milliseconds."""
    middle = [round(bar.get_y() + bar.get_height() / 2) for bar in ax.patches]
    return [
        (rows(ax)[row], bar.get_x(), bar.get_width())
        for row, bar in zip(middle, ax.patches, strict=True)
    ]


def points_of(line):
    return line.get_xydata().tolist()


# Colours


def test_a_colour_means_the_same_in_the_whole_series():
    """All figures take theirs from one table, and diagrams agree with it."""
    drawn = {"worker": diagrams.WORKER[1], "server": diagrams.SERVER[1]}
    assert drawn.items() <= plots.COLOURS.items()
    # Two share one: rounds with backup workers are synchronous, told apart by dashes.
    assert len(set(plots.COLOURS.values())) == len(plots.COLOURS) - 1


KINDS = [kind for kind in plots.LINES if kind in plots.COLOURS]


def contrast_with_white(colour):
    """Return the contrast ratio that WCAG 2.2 defines."""
    rgb = np.array(to_rgb(colour))
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    return 1.05 / (linear @ [0.2126, 0.7152, 0.0722] + 0.05)


def test_lines_stand_out_from_white_and_differ_without_their_colours():
    _, ax = plots.new_figure()
    plots.draw_runs(ax, dict.fromkeys(KINDS, POINTS), "updates", "loss")
    looks, outlined = set(), []
    for kind, line in zip(KINDS, ax.lines, strict=True):
        edge, width = line.get_color(), line.get_linewidth()
        for effect in line.get_path_effects() or ():
            if effect._gc["linewidth"] > width:
                edge = effect._gc["foreground"]
                outlined.append(kind)
        assert contrast_with_white(edge) >= 3, kind
        looks.add((line.get_linestyle(), kind in outlined))
    pale = [kind for kind in KINDS if contrast_with_white(plots.COLOURS[kind]) < 3]
    assert outlined == pale == ["stale-synchronous"]
    assert len(looks) == len(KINDS) == 5


# Showing


@pytest.fixture
def shown(monkeypatch):
    """Return the list of what is displayed: contents and options."""
    found = []
    monkeypatch.setattr(plots, "display", lambda data, **how: found.append([data, how]))
    return found


def test_matplotlibs_own_settings_stay_as_they_are():
    """In a new process, which needs no display, and whose backend does not exist.

    Matplotlib itself cannot be imported then, unless plots comes first.
    """
    code = """
from ps_helpers.lab import plots
fig, ax = plots.new_figure()
ax.set(title="left")
assert ax.get_title(loc="left") == "left"
assert not ax.legend(["line"]).get_frame_on()
plots.replace(None, fig, "é")
import sys, matplotlib
assert "matplotlib.pyplot" not in sys.modules
assert matplotlib.rcParams.copy() == matplotlib.rc_params()  # what files say
"""
    run = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "MPLBACKEND": "nonsense", "PYTHONIOENCODING": "utf-8"},
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr


def test_show_prints_the_caption_and_makes_it_the_alternative_text(shown, capsys):
    caption = "Stale-synchronous: who is more than two steps ahead waits. " * 3 + "So."
    plots.show(plots.new_figure()[0], caption)
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 90
    assert " ".join(lines) == caption  # no word was broken
    [[contents, how]] = shown
    assert how["metadata"]["image/png"]["alt"] == contents["text/plain"] == caption
    assert base64.b64decode(contents["image/png"]).startswith(b"\x89PNG")


def test_a_full_figure_stays_under_60_kb(shown):
    rng, events = np.random.default_rng(0), []
    for worker in range(8):
        times = np.cumsum(rng.random(400) * 0.002)
        log = [push(worker, *times[i : i + 4]) for i in range(0, 400, 4)]
        calls = [("push", one.times.computed, one.arrived) for one in log]
        events += plots.events(log, calls)
    plots.show(plots.timeline(events, milliseconds=40), "Everything at once.")
    picture = base64.b64decode(shown[0][0]["image/png"])
    assert len(picture) < 60_000
    assert struct.unpack(">I", picture[16:20])[0] <= 1000  # pixels wide


# Learning curves

RUNS = {"synchronous": POINTS, "stale-synchronous": POINTS[:2], "mine": POINTS[1:]}


@pytest.mark.parametrize(
    ("draw", "panels"),
    [
        (
            lambda: plots.learning_curves(RUNS, title="Both learn"),
            [("updates", "loss", "Both learn"), ("updates", "accuracy", "")],
        ),
        (
            lambda: plots.two_axes(RUNS, ("Alike", "Not alike")),
            [("gradients", "loss", "Alike"), ("seconds", "loss", "Not alike")],
        ),
    ],
)
def test_curves_show_the_points_of_each_run_from_zero(draw, panels):
    fig = draw()
    for ax, (across, quantity, title) in zip(fig.axes, panels, strict=True):
        assert ax.get_title(loc="left") == title
        assert ax.get_xlabel() == across
        assert ax.get_xlim()[0] == ax.get_ylim()[0] == 0
        for line, (label, points) in zip(ax.lines, RUNS.items(), strict=True):
            expected = [[point[across], point[quantity]] for point in points]
            assert points_of(line) == expected
            colour = plots.COLOURS.get(label, plots.COLOURS["worker"])
            assert (line.get_color(), line.get_label()) == (colour, label)
    left, right = fig.axes
    assert left.get_ylabel() == "test loss"
    if panels[1][1] == "accuracy":
        assert (right.get_ylabel(), right.get_ylim()) == ("test accuracy", (0, 1))
    else:
        assert (right.get_ylabel(), right.get_ylim()) == ("", left.get_ylim())
    [legend] = [ax.get_legend() for ax in fig.axes if ax.get_legend()]
    assert [text.get_text() for text in legend.get_texts()] == list(RUNS)


def test_curves_are_told_apart_by_their_markers_and_theory_has_none():
    lines = {"one": [1, 2], "measured": [2, 3], "theory": [3, 4]}
    fig = plots.curves([1, 10], lines, "worker", xscale="log", xlabel="workers")
    [ax] = fig.axes
    assert ax.get_xlabel() == "workers"
    assert [label.get_text() for label in ax.get_xticklabels()] == ["1", "10"]
    looks = [("-", "o"), ("None", "s"), (":", "")]
    for line, y, look in zip(ax.lines, lines.values(), looks, strict=True):
        assert line.get_color() == plots.COLOURS["worker"]
        assert points_of(line) == [[1, y[0]], [10, y[1]]]
        assert (line.get_linestyle(), line.get_marker()) == look
    assert len(set(plots.MARKERS)) == 8


# Timelines


def test_a_stretch_of_the_middle_has_what_happened_in_it():
    events = [
        ("worker 0", "pull", 10, 10.5),  # ends before it
        ("worker 0", "compute", 10.5, 12),
        ("worker 0", "push", 14, 14.5),  # begins after it
        ("server", "serve", 8, 8.5),
    ]
    [ax] = plots.timeline(events, milliseconds=2000, legend=False).axes
    assert bars(ax) == [("worker 0", -750, 1500)]
    assert ax.get_xlim() == (0, 2000) and ax.get_legend() is None


# What a worker does from when on, until the end.
@pytest.mark.parametrize(
    ("log", "expected"),
    [
        (  # without answers a worker waits until it asks; in any order, two at once
            [
                push(0, 20, 21, 22, 23),
                push(1, 5, 6, 7, 8),
                push(0, 10, 11, 13, 16),
            ],
            {
                0: "pull 10 compute 11 push 13 wait 16 pull 20 compute 21 push 22 - 23",
                1: "pull 5 compute 6 push 7 - 8",
            },
        ),
        (  # who pushed waits until it is let go, and then pulls
            [
                push(0, -9, 0, 10, 13),  # when it asked, the others were not there yet
                push(1, -7, 0, 11, 15, go=[0, 1]),
                push(1, 11, 17, 20, 21),
                push(0, 10, 18, 28, 31, go=[0, 1]),
            ],
            {
                0: "compute 0 push 10 wait 13 pull 15 compute 18 push 28 - 31",
                1: "compute 0 push 11 pull 15 compute 17 push 20 wait 21 - 31",
            },
        ),
        (  # a log may begin later, and one who leaves may let others go
            [
                push(0, 0, 5, 6, 7, go=[0, 1]),  # worker 1's push is forgotten
                push(1, 1, 8, 9, 10),
                push(1, 9, 14, 15, 16, go=[1]),  # no push let it go at 12
            ],
            {1: "pull 7 compute 8 push 9 wait 10 compute 14 push 15 - 16"},
        ),
        (  # a step was dropped
            [
                push(0, 0, 0, 2, 3, go=[0]),
                push(1, 0, 0, 5, 6, go=[1], dropped=True),
                push(1, 5, 8, 9, 10, go=[1]),
            ],
            {1: "dropped 0 push 5 pull 6 compute 8 push 9 - 10"},
        ),
    ],
    ids=["no answers", "answers", "a part of a log", "dropped"],
)
def test_events_tell_what_a_worker_does_from_when_to_when(log, expected):
    events = plots.events(log)
    assert {row for row, *_ in events} <= {"worker 0", "worker 1"}
    for worker, text in expected.items():
        words = text.split()
        spans = itertools.pairwise(map(int, words[1::2]))
        phases = zip(words[:-2:2], spans, strict=True)
        found = [event[1:] for event in events if event[0] == f"worker {worker}"]
        assert found == [(phase, *span) for phase, span in phases]


def test_bars_are_as_long_as_what_they_show_and_the_legend_names_the_phases():
    phases = list(plots.PHASES)
    events = [("worker 0", phase, i, i + 1) for i, phase in enumerate(phases[::-1])]
    [ax] = plots.timeline(events).axes
    assert bars(ax) == [("worker 0", 1000 * i, 1000) for i in range(len(phases))]
    assert ax.get_xlim() == (0, 1000 * len(phases))
    assert ax.get_xlabel() == "milliseconds"
    legend = ax.get_legend()
    assert [text.get_text() for text in legend.get_texts()] == phases
    looks = [(p.get_facecolor()[:3], p.get_hatch()) for p in legend.get_patches()]
    meant = [plots.PHASES[phase] for phase in phases]
    assert looks == [(to_rgb(look["facecolor"]), look["hatch"]) for look in meant]
    assert len(set(looks)) == len(phases)


# Reports


def record(rule="asynchronous", points=POINTS, **chosen):
    target = None if "num_updates" in chosen else 0.9
    found = {"rule": rule, "points": points, "options": chosen, "target": target}
    return found | {"chosen": "--num-workers 2", "gradients_per_second": 12.0}


def test_a_report_shows_its_curves_and_some_steps_from_the_middle():
    log = [  # two workers that push every second and never wait
        push(worker, step, step, step + 0.5, step + 1, go=[worker])
        for step in range(20)
        for worker in (0, 1)
    ]
    outside = [("pull", -50, -49), ("pull", 90, 91)]  # before and after the run
    calls = [*outside, ("push", 10.25, 10.5)]
    events = plots.events(log, slept=lambda push: 0.2 * (push.worker == 1))
    for server in ("server 0", "server 1"):
        events += plots.events([], calls, server)
    fig = plots.report(record("stale-synchronous"), events, steps=3)
    *curves, ax = fig.axes
    assert ax.get_xlim() == pytest.approx((0, 3000))  # from 10 s on
    assert rows(ax) == ["worker 1", "worker 0", "server 1", "server 0"]
    inside = sorted(bar for bar in bars(ax) if 0 <= bar[1] < 1000 and bar[2] > 0)
    served = [(f"server {i}", 250, 250) for i in (0, 1)]
    first = [("worker 0", 0, 500), ("worker 0", 500, 500)]
    second = [("worker 1", 0, 300), ("worker 1", 300, 200), ("worker 1", 500, 500)]
    expected = [*served, *first, *second]
    assert [(row, round(at), round(width)) for row, at, width in inside] == expected
    assert ax.get_title(loc="left") == "3000 ms from the middle of the run"
    words = {text.get_text() for text in ax.get_legend().get_texts()}
    assert words == {"compute", "sleep", "push (message)", "serve"}
    last = POINTS[-1]
    reached = f"accuracy {last['accuracy']:.3f}, loss {last['loss']:.3f}"
    assert fig.get_suptitle().startswith(f"--num-workers 2\n{reached}")
    shown = ("updates", "loss"), ("updates", "accuracy"), ("seconds", "accuracy")
    for ax, (across, quantity) in zip(curves, shown, strict=True):
        line, *target = ax.lines
        assert points_of(line) == [[p[across], p[quantity]] for p in POINTS]
        assert line.get_color() == plots.COLOURS["stale-synchronous"]
        assert line.get_label() == "stale-synchronous"
        assert [set(t.get_ydata()) for t in target] == [{0.9}] * (quantity != "loss")


def test_runs_are_compared_each_by_its_name_and_with_its_options():
    one, two = record(num_updates=5), record("synchronous", points=POINTS[:1])
    fig = plots.comparison({"a": one, "b": two})
    assert [line.get_label() for line in fig.axes[0].lines] == ["a", "b"]
    assert [len(ax.lines) for ax in fig.axes] == [2, 3, 3]  # one has a target
    assert re.findall(r"^[ab]: --num-workers 2; ", fig.get_suptitle(), re.M)


def test_a_report_of_a_single_push_can_be_drawn():
    log = [push(0, 5, 5, 5.001, 5.002, go=[0])]
    [point] = [{"updates": 1, "seconds": 0.002}]  # of a model without a loss
    events = plots.events(log, [("push", 5.001, 5.002)])
    fig = plots.report(record(points=[point]), events)
    assert fig.axes[3].get_xlim() == pytest.approx((0, 10))
