"""Figures: one style, one meaning a colour, a caption under each."""

import base64
import io
import textwrap

import matplotlib.pyplot as plt
from IPython.display import display
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
# What a row of the timeline does; messages are grey, told apart by a hatch.
PHASES = {
    "pull": {"facecolor": "#E0E0E0", "edgecolor": "#4D4D4D", "hatch": "////"},
    "compute": {"facecolor": COLOURS["worker"], "edgecolor": COLOURS["worker"]},
    "push": {"facecolor": COLOURS["message"], "edgecolor": COLOURS["message"]},
    "wait": {"facecolor": "#FFFFFF", "edgecolor": "#B0B0B0"},
    "dropped": {"facecolor": "#DCECF7", "edgecolor": COLOURS["worker"], "hatch": "xx"},
    "serve": {"facecolor": COLOURS["server"], "edgecolor": COLOURS["server"]},
}
STYLE = {
    "figure.dpi": 100,
    "figure.figsize": (7, 3),
    "figure.constrained_layout.use": True,
    "font.size": 10,
    "axes.titlesize": 11,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#E5E5E5",
    "axes.axisbelow": True,
    "legend.frameon": False,
    "hatch.linewidth": 0.5,
}


plt.rcParams.update(STYLE)


def new_figure(columns=1, rows=1, **options):
    """Return a figure in the style of the series, and its axes."""
    return plt.subplots(rows, columns, **options)


def show(fig, caption):
    """Display a figure with its caption, which is also its alternative text."""
    replace(None, fig, caption)


def replace(handle, fig, caption):
    """Display a figure in the place of that of a handle, if any; return a handle."""
    drawn, picture = io.BytesIO(), io.BytesIO()
    fig.savefig(drawn, format="png")
    plt.close(fig)
    few_colours = Image.open(drawn).convert("RGB").quantize(64)  # half the bytes
    few_colours.save(picture, format="png", optimize=True)
    contents = {
        "image/png": base64.b64encode(picture.getvalue()).decode(),
        "text/plain": caption,
    }
    how = {"metadata": {"image/png": {"alt": caption}}, "raw": True}
    if handle:
        handle.update(contents, **how)
        return handle
    handle = display(contents, display_id=True, **how)
    print(wrapped(caption))
    return handle


def wrapped(caption, width=90):
    """Return a caption in lines, as JupyterLab breaks a longer one inside its words."""
    return textwrap.fill(caption, width, break_on_hyphens=False)


def learning_curves(runs, across="updates", title=None, axes=None):
    """Draw loss and accuracy side by side, a line a run; return the figure.

    ``runs`` maps a label to the points of a run: dictionaries that have the keys
    "loss", "accuracy" and the one named by ``across``, "updates" or "seconds".
    """
    if axes is None:
        _, axes = new_figure(2)
    for quantity, ax in zip(("loss", "accuracy"), axes, strict=True):
        draw_runs(ax, runs, across, quantity)
    axes[1].set_ylim(0, 1)
    axes[0].legend()
    axes[0].set_title(title or "")
    return axes[0].figure


def two_axes(runs, titles=("", "")):
    """Draw the test loss against gradients and against seconds; return the figure.

    ``runs`` is as for `learning_curves`; the points have both keys.
    """
    fig, axes = new_figure(2, sharey=True, figsize=(7, 2.8))
    for ax, across, title in zip(axes, ("gradients", "seconds"), titles, strict=True):
        draw_runs(ax, runs, across, "loss")
        ax.set_title(title)
    axes[1].set_ylabel("")
    axes[1].legend()
    return fig


def draw_runs(ax, runs, across, quantity):
    """Draw a line a run, in the colour and dashes of its label."""
    for label, points in runs.items():
        x = [point[across] for point in points]
        draw_line(ax, label, x, [point[quantity] for point in points])
    ax.set(xlabel=across, ylabel=f"test {quantity}", xlim=0, ylim=0)


def draw_line(ax, label, x, y):
    """Draw a line in the colour and dashes of its label."""
    ax.plot(
        x,
        y,
        LINES.get(label, "-"),
        color=COLOURS.get(label, COLOURS["worker"]),
        path_effects=OUTLINE if label == "stale-synchronous" else None,
        label=label,
    )


def curves(x, lines, meaning, title=None, **axes_options):
    """Draw lines over common x values, told apart by markers; return the figure.

    ``lines`` maps a label to its y values; ``meaning`` says which of the COLOURS
    they all have. Further options go to the axes, such as xlabel or xscale.
    """
    fig, ax = new_figure(figsize=(6, 3))
    for marker, (label, y) in zip(MARKERS, lines.items(), strict=False):
        style = LINES.get(label, "-")
        marker = "" if label == "theory" else marker
        ax.plot(
            x, y, linestyle=style, marker=marker, color=COLOURS[meaning], label=label
        )
    ax.set(title=title or "", **axes_options)
    if axes_options.get("xscale") == "log":
        ax.set_xticks(x, [f"{value:g}" for value in x], minor=False)
        ax.xaxis.minorticks_off()
    ax.legend()
    return fig


def timelines(runs, milliseconds):
    """Draw timelines of the same length one below the other; return the figure.

    ``runs`` maps a title to events, as for `timeline`.
    """
    size = 7, 0.4 + 1.6 * len(runs)
    fig, axes = new_figure(rows=len(runs), sharex=True, figsize=size, squeeze=False)
    for [ax], (title, events) in zip(axes, runs.items(), strict=True):
        timeline(events, title, milliseconds, ax, legend=False)
        ax.label_outer()
        ax.tick_params(labelsize=9)
    phases = {phase for events in runs.values() for _, phase, *_ in events}
    fig.legend(loc="outside upper left", **legend_of(phases))
    return fig


def legend_of(phases):
    """Return the options of a legend, in one row, of these phases of timelines."""
    handles = [
        plt.Rectangle((0, 0), 1, 1, linewidth=0.5, label=phase, **look)
        for phase, look in PHASES.items()
        if phase in phases
    ]
    return {"handles": handles, "ncols": len(handles), "fontsize": 9}


def timeline(events, title=None, milliseconds=None, ax=None, legend=True):
    """Draw who did what when, a row a worker and a server; return the figure.

    ``events`` are tuples (row, phase, start, end), times in seconds, the row a
    name such as "worker 0" or "server"; see `worker_events`, `push_events` and
    `server_events`.
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
    drawn = set()
    for row, phase, start, end in events:
        if start > last or end < first:
            continue
        ax.barh(
            rows.index(row),
            1000 * (end - start),
            left=1000 * (start - first),
            height=0.7,
            linewidth=0.5,
            **PHASES[phase],
        )
        drawn.add(phase)
    ax.set_yticks(range(len(rows)), rows)
    ax.set(xlabel="milliseconds", xlim=(0, 1000 * (last - first)))
    ax.set_title(title or "", pad=24 if legend else None)
    ax.grid(axis="y", visible=False)
    if legend:
        place = {"loc": "lower left", "bbox_to_anchor": (0, 1), "borderaxespad": 0.2}
        ax.legend(**place, **legend_of(drawn))
    return ax.figure


def worker_events(records):
    """Return the timeline events of workers' records.

    A record is a dictionary with "worker" and "times": when the step began, when
    its weights had come, its update was computed, and its push was answered.
    Between two steps of a worker it waits.
    """
    events, idle_since = [], {}
    for record in sorted(records, key=lambda record: record["times"]):
        row, times = f"worker {record['worker']}", record["times"]
        events.append((row, "wait", idle_since.get(row, times[0]), times[0]))
        for phase, start, end in zip(
            ("pull", "compute", "push"), times[:-1], times[1:], strict=True
        ):
            events.append((row, phase, start, end))
        idle_since[row] = times[-1]
    return events


def push_events(log):
    """Return the timeline events of a log of pushes, as a `RuleServer` keeps it.

    A record's "times" are those when its step began, was computed, and reached the
    server; its "go" names the workers that were answered then.
    """
    events, arrivals, answered = [], {}, {}
    for record in log:
        worker, row = record["worker"], f"worker {record['worker']}"
        began, computed, arrived = record["times"]
        if worker in answered:
            events.append((row, "pull", answered[worker], began))
        phase = "dropped" if record["dropped"] else "compute"
        events += [(row, phase, began, computed), (row, "push", computed, arrived)]
        arrivals[worker] = arrived
        for other in record["go"]:
            events.append((f"worker {other}", "wait", arrivals[other], arrived))
            answered[other] = arrived
    return events


def server_events(calls, server="server"):
    """Return the timeline events of a server's recorded calls."""
    return [(server, "serve", start, end) for _, start, end in calls]


def report(points, log, calls, meaning="asynchronous", steps=4):
    """Draw a run's learning curves above a stretch of the middle of its timeline.

    The stretch is about as long as a worker needs for some steps.
    """
    events = push_events(log) + server_events(calls)
    began, ended = log[0]["times"][0], log[-1]["times"][2]
    num_workers = len({record["worker"] for record in log})
    milliseconds = max(
        10, round(1000 * steps * num_workers * (ended - began) / len(log))
    )
    fig, axes = plt.subplot_mosaic("ab;cc", figsize=(8, 6))
    learning_curves({meaning: points}, "updates", axes=[axes["a"], axes["b"]])
    title = f"{milliseconds} ms from the middle of the run"
    timeline(events, title, milliseconds, axes["c"])
    return fig
