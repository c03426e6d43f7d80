"""Tests of the figures: what their marks say, and how they are shown."""

import base64
import itertools
import os
import struct
import subprocess
import sys

import numpy as np
import pytest
from matplotlib.colors import to_rgb

from ps_helpers.lab import plots
from ps_helpers.records import Push, Times

POINTS = [
    {"updates": 0, "seconds": 0.0, "loss": 2.3, "accuracy": 0.1},
    {"updates": 10, "seconds": 0.5, "loss": 1.1, "accuracy": 0.6},
    {"updates": 20, "seconds": 0.8, "loss": 0.4, "accuracy": 0.9},
]
POINTS = [{**point, "gradients": 4 * point["updates"]} for point in POINTS]


def push(worker, asked, began, computed, arrived, go=(), dropped=False):
    """Return a push as a log has it; its step and staleness are not drawn."""
    times = Times(asked, began, computed)
    return Push(worker, 0, 0, times, arrived, tuple(go), dropped)


def bars(ax):
    """Return (row, left, width) of every bar, in milliseconds."""
    names = [label.get_text() for label in ax.get_yticklabels()]
    return [
        (names[round(bar.get_y() + bar.get_height() / 2)], bar.get_x(), bar.get_width())
        for bar in ax.patches
    ]


def contrast_with_white(colour):
    """Return the contrast ratio that WCAG 2.2 defines."""
    rgb = np.array(to_rgb(colour))
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    return 1.05 / (linear @ [0.2126, 0.7152, 0.0722] + 0.05)


# Colours


def test_a_colour_means_the_same_in_the_whole_series():
    assert plots.COLOURS == {
        "worker": "#0072B2",
        "server": "#CC79A7",
        "message": "#6E6E6E",
        "one process": "#000000",
        "synchronous": "#009E73",
        "asynchronous": "#D55E00",
        "stale-synchronous": "#E69F00",
        "backup workers": "#009E73",
    }


KINDS = [kind for kind in plots.LINES if kind in plots.COLOURS]


def drawn_lines():
    """Return kind of training -> the line that is drawn for it."""
    _, ax = plots.new_figure()
    plots.draw_runs(ax, dict.fromkeys(KINDS, POINTS), "updates", "loss")
    return dict(zip(KINDS, ax.lines, strict=True))


def colour_of_the_edge(line):
    """Return the colour where a line meets the white, that of its outline if any."""
    for effect in line.get_path_effects() or ():
        outline = getattr(effect, "_gc", {})
        if outline.get("linewidth", 0) > line.get_linewidth():
            return outline["foreground"]
    return line.get_color()


def test_lines_stand_out_from_white():
    for kind, line in drawn_lines().items():
        assert contrast_with_white(colour_of_the_edge(line)) >= 3, kind


def test_only_the_pale_line_has_an_outline():
    outlined = [kind for kind, line in drawn_lines().items() if line.get_path_effects()]
    pale = [kind for kind in KINDS if contrast_with_white(plots.COLOURS[kind]) < 3]
    assert outlined == pale == ["stale-synchronous"]


def test_kinds_of_training_differ_in_black_and_white_too():
    looks = {
        (line.get_linestyle(), bool(line.get_path_effects()))
        for line in drawn_lines().values()
    }
    assert len(looks) == len(KINDS) == 5


# Showing


def test_a_figure_has_as_many_axes_as_asked():
    fig, axes = plots.new_figure(columns=3, rows=2, figsize=(9, 4))
    assert np.shape(axes) == (2, 3) and len(fig.axes) == 6
    assert fig.get_size_inches().tolist() == [9, 4]
    assert np.shape(plots.new_figure(2)[1]) == (2,)


def test_show_prints_the_caption_and_makes_it_the_alternative_text(monkeypatch, capsys):
    shown = []
    monkeypatch.setattr(plots, "display", lambda data, **how: shown.append([data, how]))
    fig, ax = plots.new_figure()
    ax.plot([1, 2])
    plots.show(fig, "A line goes up.")
    [[contents, how]] = shown
    assert capsys.readouterr().out == "A line goes up.\n"
    assert how["metadata"]["image/png"]["alt"] == contents["text/plain"]
    assert contents["text/plain"] == "A line goes up."
    assert base64.b64decode(contents["image/png"]).startswith(b"\x89PNG")


def test_matplotlibs_own_settings_stay_as_they_are():
    """In a new process, which has no display and a backend that does not exist."""
    code = """
import matplotlib
before = dict(matplotlib.rcParams)
from ps_helpers.lab import plots
fig, ax = plots.new_figure()
ax.set(title="left")
assert ax.get_title(loc="left") == "left"
assert not ax.legend(["line"]).get_frame_on()
plots.replace(None, fig, "é")
assert dict(matplotlib.rcParams) == before
"""
    for backend in ("agg", "tkagg", "nonsense"):
        # Matplotlib itself cannot be imported then, unless plots comes first.
        first = "from ps_helpers.lab import plots\n" * (backend == "nonsense")
        run = subprocess.run(
            [sys.executable, "-c", first + code],
            env={**os.environ, "MPLBACKEND": backend, "PYTHONIOENCODING": "utf-8"},
            capture_output=True,
            text=True,
        )
        assert run.returncode == 0, run.stderr


def test_a_long_caption_is_printed_in_lines_that_break_between_words(
    monkeypatch, capsys
):
    shown = []
    monkeypatch.setattr(plots, "display", lambda data, **how: shown.append([data, how]))
    caption = "Stale-synchronous: who is more than two steps ahead waits. " * 4
    plots.show(plots.new_figure()[0], caption.strip())
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3 and max(map(len, lines)) <= 90
    assert " ".join(lines) == caption.strip()  # no word was broken
    [[contents, how]] = shown
    assert how["metadata"]["image/png"]["alt"] == contents["text/plain"]
    assert contents["text/plain"] == caption.strip()  # in one line


def noisy_curves():
    rng = np.random.default_rng(0)
    runs = {}
    for kind in ("one process", "synchronous", "asynchronous"):
        loss = 2.3 * np.exp(-np.arange(50) / 10) + rng.normal(0.2, 0.02, 50)
        runs[kind] = [
            {"updates": 10 * i, "loss": loss[i], "accuracy": 1 - loss[i] / 3}
            for i in range(50)
        ]
    return plots.learning_curves(runs)


def busy_timeline():
    rng = np.random.default_rng(0)
    events = []
    for worker in range(8):
        times = np.cumsum(rng.random(400) * 0.002)
        log = [push(worker, *times[i : i + 4]) for i in range(0, 400, 4)]
        calls = [("push", one.times.computed, one.arrived) for one in log]
        events += plots.events(log, calls)
    return plots.timeline(events, milliseconds=40)


@pytest.mark.parametrize("draw", [noisy_curves, busy_timeline])
def test_a_full_figure_stays_under_60_kb(draw, monkeypatch):
    shown = []
    monkeypatch.setattr(plots, "display", lambda data, **_: shown.append(data))
    plots.show(draw(), "Everything at once.")
    picture = base64.b64decode(shown[0]["image/png"])
    assert len(picture) < 60_000
    assert struct.unpack(">I", picture[16:20])[0] <= 1000  # pixels wide


# Learning curves


@pytest.mark.parametrize("across", ["updates", "seconds"])
def test_learning_curves_show_the_points_from_zero(across):
    runs = {"synchronous": POINTS, "asynchronous": POINTS[:2]}
    fig = plots.learning_curves(runs, across, "Both learn")
    for ax, quantity in zip(fig.axes, ("loss", "accuracy"), strict=True):
        assert ax.get_xlabel() == across
        assert ax.get_ylabel() == f"test {quantity}"
        assert ax.get_ylim()[0] == 0 and ax.get_xlim()[0] == 0
        for line, (label, points) in zip(ax.lines, runs.items(), strict=True):
            expected = [[point[across], point[quantity]] for point in points]
            np.testing.assert_array_equal(line.get_xydata(), expected)
            assert line.get_color() == plots.COLOURS[label]
    assert fig.axes[1].get_ylim() == (0, 1)
    assert fig.axes[0].get_title(loc="left") == "Both learn"


def test_two_axes_show_the_loss_against_gradients_and_against_seconds():
    runs = {"synchronous": POINTS, "stale-synchronous": POINTS[:2]}
    fig = plots.two_axes(runs, ("Alike", "Not alike"))
    for ax, across in zip(fig.axes, ("gradients", "seconds"), strict=True):
        assert ax.get_xlabel() == across
        assert ax.get_ylim()[0] == 0 and ax.get_xlim()[0] == 0
        for line, points in zip(ax.lines, runs.values(), strict=True):
            expected = [[point[across], point["loss"]] for point in points]
            np.testing.assert_array_equal(line.get_xydata(), expected)
    left, right = fig.axes
    assert (left.get_ylabel(), right.get_ylabel()) == ("test loss", "")
    assert left.get_ylim() == right.get_ylim()
    assert [ax.get_title(loc="left") for ax in fig.axes] == ["Alike", "Not alike"]
    [legend] = [ax.get_legend() for ax in fig.axes if ax.get_legend()]
    assert [text.get_text() for text in legend.get_texts()] == list(runs)


def test_a_run_of_another_name_is_drawn_as_a_workers():
    _, ax = plots.new_figure()
    plots.draw_runs(ax, {"mine": POINTS}, "updates", "accuracy")
    [line] = ax.lines
    assert (line.get_color(), line.get_label()) == (plots.COLOURS["worker"], "mine")
    assert ax.get_ylabel() == "test accuracy"


def test_curves_are_told_apart_by_their_markers():
    lines = {"one": [1, 2], "two": [2, 3], "three": [3, 4]}
    fig = plots.curves([1, 10], lines, "worker", xscale="log", xlabel="workers")
    [ax] = fig.axes
    assert {line.get_color() for line in ax.lines} == {plots.COLOURS["worker"]}
    assert len({line.get_marker() for line in ax.lines}) == 3
    assert ax.get_xlabel() == "workers"
    for line, y in zip(ax.lines, lines.values(), strict=True):
        np.testing.assert_array_equal(line.get_ydata(), y)


# Timelines


def test_a_timeline_has_a_row_a_worker_and_one_for_the_server():
    log = [push(worker, 1, 2, 3, 4) for worker in (2, 0, 1)]
    [ax] = plots.timeline(plots.events(log, [("push", 3.5, 3.6)])).axes
    names = [label.get_text() for label in ax.get_yticklabels()]
    assert sorted(names) == ["server", "worker 0", "worker 1", "worker 2"]
    assert names == sorted(names, reverse=True)  # the first worker's is the top one
    events = plots.events(log, [("pull", 1, 2)], server="server 7")
    assert events[-1] == ("server 7", "serve", 1, 2)


def test_bars_of_a_timeline_are_as_long_as_what_they_show():
    events = [
        ("worker 0", "pull", 100.0, 100.25),
        ("worker 0", "compute", 100.25, 101.0),
        ("server", "serve", 100.125, 100.1875),
    ]
    [ax] = plots.timeline(events).axes
    assert sorted(bars(ax)) == [
        ("server", 125, 62.5),
        ("worker 0", 0, 250),
        ("worker 0", 250, 750),
    ]
    assert ax.get_xlim() == (0, 1000)
    assert ax.get_xlabel() == "milliseconds"


def test_a_stretch_begins_in_the_middle_at_zero_and_leaves_out_the_rest():
    events = [
        ("worker 0", "pull", 10, 10.5),  # ends before the stretch
        ("worker 0", "compute", 10.5, 12),
        ("worker 0", "push", 14, 14.5),  # begins after it
        ("server", "serve", 8, 8.5),
    ]
    [ax] = plots.timeline(events, milliseconds=2000).axes
    assert bars(ax) == [("worker 0", -750, 1500)]
    assert ax.get_xlim() == (0, 2000)


def test_the_legend_names_the_phases_that_are_drawn():
    events = [("worker 0", "push", 0, 1), ("worker 0", "pull", 1, 2)]
    [ax] = plots.timeline(events).axes
    named = {
        text.get_text(): patch.get_facecolor()
        for text, patch in zip(
            ax.get_legend().get_texts(), ax.get_legend().get_patches(), strict=True
        )
    }
    assert named == {
        phase: (*to_rgb(plots.PHASES[phase]["facecolor"]), 1)
        for phase in ("pull", "push")
    }


def of_row(events, row):
    """Return the events of a row that take time, without its name."""
    return [event[1:] for event in events if event[0] == row and event[2] < event[3]]


def test_without_answers_a_worker_waits_until_it_asks():
    log = [  # in any order; two workers at once
        push(0, 20, 21, 22, 23),
        push(1, 5, 6, 7, 8),
        push(0, 10, 11, 13, 16),
    ]
    events = plots.events(log)
    assert of_row(events, "worker 0") == [
        ("pull", 10, 11),
        ("compute", 11, 13),
        ("push", 13, 16),
        ("wait", 16, 20),
        ("pull", 20, 21),
        ("compute", 21, 22),
        ("push", 22, 23),
    ]
    assert [event[0] for event in of_row(events, "worker 1")] == [
        "pull",
        "compute",
        "push",
    ]


def test_who_pushed_waits_until_it_is_let_go_and_then_pulls():
    log = [
        push(0, -9, 0, 10, 13),  # when it asked, the others were not there yet
        push(1, -7, 0, 11, 15, go=[0, 1]),
        push(1, 11, 17, 20, 21),
        push(0, 10, 18, 28, 31, go=[0, 1]),
    ]
    events = plots.events(log)
    assert of_row(events, "worker 0") == [
        ("compute", 0, 10),
        ("push", 10, 13),
        ("wait", 13, 15),
        ("pull", 15, 18),
        ("compute", 18, 28),
        ("push", 28, 31),
    ]
    assert of_row(events, "worker 1") == [
        ("compute", 0, 11),
        ("push", 11, 15),
        ("pull", 15, 17),
        ("compute", 17, 20),
        ("push", 20, 21),
        ("wait", 21, 31),
    ]
    assert {row for row, *_ in events} == {"worker 0", "worker 1"}


def test_a_log_may_begin_later_and_workers_may_be_let_go_by_one_who_leaves():
    log = [
        push(0, 0, 5, 6, 7, go=[0, 1]),  # worker 1's push is forgotten
        push(1, 1, 8, 9, 10),
        push(1, 9, 14, 15, 16, go=[1]),  # no push let it go at 12
    ]
    assert of_row(plots.events(log), "worker 1") == [
        ("pull", 7, 8),
        ("compute", 8, 9),
        ("push", 9, 10),
        ("wait", 10, 14),
        ("compute", 14, 15),
        ("push", 15, 16),
    ]


def test_a_step_that_was_dropped_is_shown_as_such():
    log = [
        push(0, 0, 0, 2, 3, go=[0]),
        push(1, 0, 0, 5, 6, go=[1], dropped=True),
        push(1, 5, 8, 9, 10, go=[1]),
    ]
    assert of_row(plots.events(log), "worker 1") == [
        ("dropped", 0, 5),
        ("push", 5, 6),
        ("pull", 6, 8),
        ("compute", 8, 9),
        ("push", 9, 10),
    ]


def test_every_phase_of_a_log_can_be_drawn():
    log = [push(0, 0, 0, 2, 3), push(1, 0, 0, 5, 6, go=[0, 1], dropped=True)]
    log.append(push(0, 2, 7, 8, 9, go=[0]))
    [ax] = plots.timeline(plots.events(log, [("push", 8.5, 9)])).axes
    named = [text.get_text() for text in ax.get_legend().get_texts()]
    assert named == list(plots.PHASES)
    looks = [
        (*patch.get_facecolor(), patch.get_hatch())
        for patch in ax.get_legend().get_patches()
    ]
    assert len(set(looks)) == len(plots.PHASES)


def test_each_moment_of_a_worker_belongs_to_one_phase():
    """Rounds of random length: who came waits for the last, and all pull."""
    rng, log, began = np.random.default_rng(0), [], np.zeros(3)
    for _ in range(10):
        computed = began + rng.uniform(1, 3, 3)
        order = np.argsort(computed)
        for worker in order:
            go = [0, 1, 2] if worker == order[-1] else []
            times = began[worker], began[worker], computed[worker]
            log.append(push(int(worker), *times, computed[worker] + 0.25, go))
        began = computed.max() + 0.25 + rng.uniform(0.1, 0.5, 3)
    for worker in range(3):
        phases = of_row(plots.events(log), f"worker {worker}")
        assert len(phases) > 30
        for (_, _, end), (_, start, _) in itertools.pairwise(phases):
            assert start == pytest.approx(end)


def test_a_timeline_may_do_without_a_legend():
    events = [("worker 0", "push", 0, 1)]
    [ax] = plots.timeline(events, legend=False).axes
    assert ax.get_legend() is None
    assert bars(ax) == [("worker 0", 0, 1000)]


# Reports


def steady_log(steps):
    """Return a log of two workers that push every second and never wait."""
    return [
        push(worker, step, step, step + 0.5, step + 1, go=[worker])
        for step in range(steps)
        for worker in (0, 1)
    ]


def test_a_report_shows_some_steps_from_the_middle_of_the_run():
    log = steady_log(20)
    fig = plots.report(POINTS, log, [("push", 10.25, 10.5)], steps=3)
    ax = fig.axes[2]
    assert ax.get_xlim() == pytest.approx((0, 3000))  # from 10 s on
    inside = [bar for bar in bars(ax) if 0 <= bar[1] < 1000 and bar[2] > 0]
    assert sorted(inside) == [
        ("server", 250, 250),
        ("worker 0", 0, 500),
        ("worker 0", 500, 500),
        ("worker 1", 0, 500),
        ("worker 1", 500, 500),
    ]
    assert ax.get_title(loc="left") == "3000 ms from the middle of the run"


def test_a_report_has_the_curves_of_its_kind_of_training():
    for meaning in KINDS[1:]:
        fig = plots.report(POINTS, steady_log(4), [], meaning)
        for ax, quantity in zip(fig.axes[:2], ("loss", "accuracy"), strict=True):
            [line] = ax.lines
            expected = [[point["updates"], point[quantity]] for point in POINTS]
            np.testing.assert_array_equal(line.get_xydata(), expected)
            assert line.get_color() == plots.COLOURS[meaning]
            assert line.get_label() == meaning


def test_a_report_of_a_single_push_can_be_drawn():
    log = [push(0, 5, 5, 5.001, 5.002, go=[0])]
    fig = plots.report(POINTS[:1], log, [("push", 5.001, 5.002)])
    assert fig.axes[2].get_xlim() == pytest.approx((0, 10))


def test_measured_points_leave_the_line_of_theory_in_sight():
    lines = {"measured": [1, 2], "theory": [1, 2]}
    fig = plots.curves([1, 2], lines, meaning="one process")
    measured, theory = fig.axes[0].lines
    assert (measured.get_linestyle(), measured.get_marker()) == ("None", "o")
    assert (theory.get_linestyle(), theory.get_marker()) == (":", "")
