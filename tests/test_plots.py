"""Tests of the figures: what their marks say, and how they are shown."""

import base64
import struct

import numpy as np
import pytest
from matplotlib.colors import to_rgb

from ps_helpers import plots

POINTS = [
    {"updates": 0, "seconds": 0.0, "loss": 2.3, "accuracy": 0.1},
    {"updates": 10, "seconds": 0.5, "loss": 1.1, "accuracy": 0.6},
    {"updates": 20, "seconds": 0.8, "loss": 0.4, "accuracy": 0.9},
]


@pytest.fixture(autouse=True)
def closed_figures():
    yield
    plots.plt.close("all")


def record(worker, *times):
    return {"worker": worker, "staleness": 0, "times": list(times)}


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
    }


def test_lines_stand_out_from_white():
    for meaning in plots.COLOURS.keys() & plots.LINES.keys():
        assert contrast_with_white(plots.COLOURS[meaning]) >= 3, meaning


def test_kinds_of_training_differ_in_black_and_white_too():
    kinds = [kind for kind in plots.LINES if kind in plots.COLOURS]
    assert len(kinds) == len({plots.LINES[kind] for kind in kinds}) >= 3


# Showing


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
    assert not plots.plt.get_fignums()  # nothing is left for Jupyter to draw again


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
        records = [record(worker, *times[i : i + 4]) for i in range(0, 400, 4)]
        events += plots.worker_events(records)
        events += plots.server_events([("push", *r["times"][2:]) for r in records])
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
    records = [record(w, 1, 2, 3, 4) for w in (2, 0, 1)]
    events = plots.worker_events(records) + plots.server_events([("push", 3.5, 3.6)])
    [ax] = plots.timeline(events).axes
    names = [label.get_text() for label in ax.get_yticklabels()]
    assert sorted(names) == ["server", "worker 0", "worker 1", "worker 2"]
    assert names == sorted(names, reverse=True)  # the first worker's is the top one


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


def test_a_worker_waits_between_the_end_of_a_step_and_the_next_beginning():
    records = [  # in any order; two workers at once
        record(0, 20, 21, 22, 23),
        record(1, 5, 6, 7, 8),
        record(0, 10, 11, 13, 16),
    ]
    events = [event for event in plots.worker_events(records) if event[2] < event[3]]
    assert [event[1:] for event in events if event[0] == "worker 0"] == [
        ("pull", 10, 11),
        ("compute", 11, 13),
        ("push", 13, 16),
        ("wait", 16, 20),
        ("pull", 20, 21),
        ("compute", 21, 22),
        ("push", 22, 23),
    ]
    assert [event[1] for event in events if event[0] == "worker 1"] == [
        "pull",
        "compute",
        "push",
    ]


def test_a_report_shows_the_middle_of_the_run():
    records = [record(0, 0, 1, 2, 3), record(0, 3, 5.0, 5.02, 5.04)]
    fig = plots.report(POINTS, records, [("push", 5.03, 10)], milliseconds=40)
    timeline = fig.axes[2]
    # The run lasts 10 s; from 5.00 to 5.04 s it computes and pushes.
    widths = [round(width) for _, left, width in bars(timeline) if -1 < left < 40]
    assert sorted(widths) == [20, 20, 4970]
    assert timeline.get_xlim() == pytest.approx((0, 40))


def test_measured_points_leave_the_line_of_theory_in_sight():
    lines = {"measured": [1, 2], "theory": [1, 2]}
    fig = plots.curves([1, 2], lines, meaning="one process")
    measured, theory = fig.axes[0].lines
    assert (measured.get_linestyle(), measured.get_marker()) == ("None", "o")
    assert (theory.get_linestyle(), theory.get_marker()) == (":", "")
