"""Figures: one style, one meaning a colour, a caption under each.

Matplotlib's settings stay as they are, and no display is needed: pyplot is not used.
"""

import base64
import io
import itertools
import os
import sys
import tempfile
import textwrap
from pathlib import Path

try:
    import matplotlib
except ValueError:  # MPLBACKEND names a backend that does not exist; none is needed
    del os.environ["MPLBACKEND"]
    for name in [name for name in sys.modules if name.startswith("matplotlib")]:
        del sys.modules[name]  # half of them is there
    import matplotlib
from IPython.display import display
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.patheffects import withStroke
from PIL import Image

# Okabe and Ito's palette, distinguishable to colour-blind readers; each colour
# means one thing in the whole series.
COLOURS = {
    "worker": "#0072B2",
    "server": "#CC79A7",
    "message": "#6E6E6E",
    "one process": "#000000",
    "synchronous": "#009E73",
    "asynchronous": "#D55E00",
    "stale-synchronous": "#E69F00",  # too pale on white: a line has a dark outline
    "backup workers": "#009E73",  # synchronous too, told apart by its line
}
OFFSET = {"textcoords": "offset points", "fontsize": 8}
OUTLINE = [withStroke(linewidth=3.5, foreground="#222222")]
LINES = {
    "one process": ":",
    "synchronous": "-",
    "asynchronous": "--",
    "stale-synchronous": "-",
    "backup workers": "-.",
    "measured": "",  # markers alone, to lie on or beside the line of
    "theory": ":",
}
MARKERS = "osD^vPX*"  # one a worker: workers never differ by hue alone
PHASES = {  # what a row of the timeline does; messages are grey, told apart by a hatch
    name: {"facecolor": face, "edgecolor": edge, "hatch": hatch, "linewidth": 0.5}
    for name, face, edge, hatch in (
        ("pull", "#E0E0E0", "#4D4D4D", "////"),
        ("compute", COLOURS["worker"], COLOURS["worker"], None),
        ("sleep", "#FFFFFF", COLOURS["worker"], ".."),
        ("push", COLOURS["message"], COLOURS["message"], None),
        ("wait", "#FFFFFF", "#B0B0B0", None),
        ("dropped", "#DCECF7", COLOURS["worker"], "xx"),
        ("serve", COLOURS["server"], COLOURS["server"], None),
    )
}
STYLE = Path(__file__).with_name("series.mplstyle")
in_style = matplotlib.rc_context(matplotlib.rc_params_from_file(STYLE, False, False))


class StyledAxes(Axes):
    """Axes in the style of the series, whoever draws on them."""

    set_title = in_style(Axes.set_title)
    legend = in_style(Axes.legend)
    bar = in_style(Axes.bar)


STYLED = {"axes_class": StyledAxes}


@in_style
def new_figure(columns=1, rows=1, figsize=None, **options):
    """Return a figure in the style of the series, and its axes, as subplots does."""
    fig = Figure(figsize)
    return fig, fig.subplots(rows, columns, subplot_kw=STYLED, **options)


def show(fig, caption):
    """Display a figure with its caption, which is also its alternative text."""
    replace(None, fig, caption)


@in_style
def replace(handle, fig, caption):
    """Display a figure in the place of that of a handle, if any; return a handle."""
    drawn, picture = io.BytesIO(), io.BytesIO()
    fig.savefig(drawn, format="png")
    few_colours = Image.open(drawn).convert("RGB").quantize(64)  # half the bytes
    few_colours.save(picture, format="png", optimize=True)
    encoded = base64.b64encode(picture.getvalue()).decode()
    contents = {"image/png": encoded, "text/plain": caption}
    how = {"metadata": {"image/png": {"alt": caption}}, "raw": True}
    if handle:
        handle.update(contents, **how)
        return handle
    handle = display(contents, display_id=True, **how)
    # JupyterLab breaks longer lines inside their words.
    print(textwrap.fill(caption, 90, break_on_hyphens=False))
    return handle


def learning_curves(runs, title=""):
    """Draw loss and accuracy side by side, a line a run; return the figure.

    ``runs`` maps a label to the points of a run: dictionaries that have the keys
    "updates", "loss" and "accuracy".
    """
    fig, axes = new_figure(2)
    draw_runs(axes[0], runs, "updates", "loss", title)
    draw_runs(axes[1], runs, "updates", "accuracy")
    axes[1].set_ylim(0, 1)
    axes[0].legend()
    return fig


def two_axes(runs, titles=("", "")):
    """Draw the test loss against gradients and against seconds; return the figure.

    ``runs`` is as for `learning_curves`; the points have both keys.
    """
    fig, axes = new_figure(2, sharey=True, figsize=(7, 2.8))
    for ax, across, title in zip(axes, ("gradients", "seconds"), titles, strict=True):
        draw_runs(ax, runs, across, "loss", title)
    axes[1].set_ylabel("")
    axes[1].legend()
    return fig


def draw_runs(ax, runs, across, quantity, title=""):
    """Draw a line a run, in the colour and dashes of its label."""
    for label, points in runs.items():
        x, y = ([point[key] for point in points] for key in (across, quantity))
        colour = COLOURS.get(label, COLOURS["worker"])
        outline = OUTLINE if label == "stale-synchronous" else None
        look = {"color": colour, "label": label, "path_effects": outline}
        ax.plot(x, y, LINES.get(label, "-"), **look)
    ax.set(xlabel=across, ylabel=f"test {quantity}", xlim=0, ylim=0, title=title)


def curves(x, lines, meaning, title="", **axes_options):
    """Draw lines over common x values, told apart by markers; return the figure.

    ``lines`` maps a label to y values; ``meaning`` is one of COLOURS. Options go to the
    axes.
    """
    fig, ax = new_figure(figsize=(6, 3))
    for marker, (label, y) in zip(MARKERS, lines.items(), strict=False):
        look = {"linestyle": LINES.get(label, "-"), "color": COLOURS[meaning]}
        ax.plot(x, y, marker="" if label == "theory" else marker, label=label, **look)
    ax.set(title=title, **axes_options)
    if axes_options.get("xscale") == "log":
        ax.set_xticks(x, [f"{value:g}" for value in x], minor=False)
        ax.xaxis.minorticks_off()
    ax.legend()
    return fig


def events(log, calls=(), server="server", slept=None):
    """Return who did what when, for `timeline`: tuples (row, phase, start, end).

    The log has a `Push` a step. A worker waits from the arrival of its push until
    one arrives whose ``go`` names it, and pulls from then on; where no ``go`` names
    anybody, it waits until it asks. ``calls`` are a server's recorded calls;
    ``slept`` says of a push how many seconds its worker slept, after it had computed.
    """
    found, arrived, answered = [], {}, {}
    told = any(push.go for push in log)
    for push in sorted(log, key=lambda push: push.arrived):
        worker, row = push.worker, f"worker {push.worker}"
        asked, began, computed = push.times
        awake = max(began, computed - slept(push)) if slept else computed
        if told:
            asked = answered.pop(worker, began)
        found += [
            (row, "wait", arrived.get(worker, asked), asked),
            (row, "pull", asked, began),
            (row, "dropped" if push.dropped else "compute", began, awake),
            (row, "sleep", awake, computed),
            (row, "push", computed, push.arrived),
        ]
        arrived[worker] = push.arrived
        answered.update(dict.fromkeys(push.go, push.arrived))
    for worker, end in answered.items():  # at the end of the log
        found.append((f"worker {worker}", "wait", arrived.get(worker, end), end))
    found += [(server, "serve", start, end) for _, start, end in calls]
    return [event for event in found if event[3] > event[2]]


@in_style
def timelines(runs, milliseconds):
    """Draw timelines of the same length one below the other; return the figure.

    ``runs`` maps a title to events, as for `timeline`.
    """
    size = 7, 0.4 + 1.6 * len(runs)
    fig, axes = new_figure(rows=len(runs), figsize=size, sharex=True, squeeze=False)
    for [ax], (title, happened) in zip(axes, runs.items(), strict=True):
        timeline(happened, title, milliseconds, ax, legend=False)
        ax.label_outer()
        ax.tick_params(labelsize=9)
    fig.legend(loc="outside upper left", **_phases(sum(runs.values(), [])))
    return fig


def _phases(events):
    """Return the options of a legend, in one row, of what happens in a timeline."""
    found = {phase for _, phase, *_ in events}
    named = [phase for phase in PHASES if phase in found]
    handles = [Rectangle((0, 0), 1, 1, label=name, **PHASES[name]) for name in named]
    return {"handles": handles, "ncols": len(handles), "fontsize": 9}


@in_style
def timeline(events, title="", milliseconds=None, ax=None, legend=True):
    """Draw `events`, a row a worker and a server; return the figure.

    With ``milliseconds`` only a stretch of that length is drawn, from the middle.
    """
    first = min(start for _, _, start, _ in events)
    last = max(end for *_, end in events)
    if milliseconds:
        first = (first + last) / 2
        last = first + milliseconds / 1000
    rows = sorted({row for row, *_ in events}, reverse=True)
    if ax is None:
        _, ax = new_figure(figsize=(7, 1.2 + 0.4 * len(rows)))
    inside = [event for event in events if event[2] <= last and event[3] >= first]
    for row, phase, start, end in inside:
        left, width = 1000 * (start - first), 1000 * (end - start)
        ax.barh(rows.index(row), width, 0.7, left, **PHASES[phase])
    ax.set_yticks(range(len(rows)), rows)
    ax.set(xlabel="milliseconds", xlim=(0, 1000 * (last - first)))
    ax.set_title(title, pad=24 if legend else None)
    ax.grid(axis="y", visible=False)
    if legend:
        place = {"loc": "lower left", "bbox_to_anchor": (0, 1), "borderaxespad": 0.2}
        ax.legend(**place, **_phases(inside))
    return ax.figure


def require_picture(path):
    """Raise ValueError unless a picture can be drawn, and its folder has room."""
    try:
        with tempfile.TemporaryFile(dir=path.parent) as file:
            Figure((8, 6)).savefig(file, format=path.suffix[1:].lower())
    except Exception as error:  # Matplotlib's own are of any kind
        raise ValueError(f"--plot: {path} cannot be drawn: {error}") from error


@in_style
def report(record, events, steps=4):
    """Draw a run's learning curves above a stretch of the middle of its timeline.

    ``record`` is what the run tells of itself; the stretch is about as long as a
    worker needs for some steps. Waits that are too short to be seen are left out.
    """
    fig = Figure((12, 6.75))  # of a slide
    axes = fig.subplot_mosaic("abc;ddd", subplot_kw=STYLED)
    draw_records([axes[name] for name in "abc"], {record["rule"]: record})
    fig.suptitle(f"{record['chosen']}\n{result(record)}", fontsize=10)
    own = [event for event in events if event[0].startswith("worker")]
    began, ended = min(e[2] for e in own), max(e[3] for e in own)
    pushes = sum(phase == "push" for _, phase, *_ in events)
    seconds = steps * len({row for row, *_ in own}) * (ended - began) / pushes
    milliseconds = max(10, round(1000 * seconds))
    inside = [e for e in events if began <= e[2] and e[3] <= ended]
    seen = [e for e in inside if e[1] != "wait" or e[3] - e[2] > milliseconds / 2e6]
    title = f"{milliseconds} ms from the middle of the run"
    timeline(seen, title, milliseconds, axes["d"])
    for text in axes["d"].get_legend().get_texts():
        if text.get_text() == "push":
            text.set_text("push (message)")  # with its queue
    return fig


@in_style
def comparison(records):
    """Draw the learning curves of several runs; ``records`` has each by its name."""
    fig = Figure((12, 4.5))
    draw_records(fig.subplots(1, 3, subplot_kw=STYLED), records)
    lines = [f"{name}: {r['chosen']}; {result(r)}" for name, r in records.items()]
    fig.suptitle("\n".join(lines), fontsize=9)
    return fig


def result(record):
    """Return in words what a run has reached."""
    last = record["points"][-1]
    found = [f"{n} {last[n]:.3f}" for n in ("accuracy", "loss") if n in last]
    found.append(f"{last['updates']} updates in {last['seconds']:.1f} s")
    found.append(f"{record['gradients_per_second']:.0f} gradients a second")
    return ", ".join(found)


def draw_records(axes, records):
    """Draw runs' loss, and accuracy, across updates and seconds, with their targets."""
    shown = ("updates", "loss"), ("updates", "accuracy"), ("seconds", "accuracy")
    for ax, (across, quantity) in zip(axes, shown, strict=True):
        for marker, (name, record) in zip(itertools.cycle(MARKERS), records.items()):
            points, rule = record["points"], record["rule"]
            if quantity not in points[0]:
                continue
            x, y = ([point[key] for point in points] for key in (across, quantity))
            look = {"color": COLOURS[rule], "label": name}
            look["path_effects"] = OUTLINE if rule == "stale-synchronous" else None
            look["markevery"] = max(1, len(points) // 8)
            ax.plot(
                x, y, LINES[rule], marker=marker if len(records) > 1 else "", **look
            )
            target = record["target"]
            if quantity == "accuracy" and target is not None:
                ax.axhline(target, color=COLOURS["message"], linewidth=0.8)
                ax.annotate("target", (0, target), xytext=(3, -11), **OFFSET)
        ax.set(xlabel=across, ylabel=f"test {quantity}", xlim=0, ylim=0)
    axes[1].set_ylim(0, 1)
    axes[2].set_ylim(0, 1)
    if axes[0].lines:
        axes[0].legend()
