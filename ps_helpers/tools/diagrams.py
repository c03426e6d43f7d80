"""Write the diagrams of the notebooks: one layout, with what is new highlighted.

python -m ps_helpers.tools.diagrams writes notebooks/figures/*.svg.
"""

import json
import sys
from functools import partial
from pathlib import Path

from ps_helpers.tools import command

SERIES = Path(__file__).parents[2] / "notebooks"
WIDTH, HEIGHT = 720, 310
TEXT, GREY, NEW = "#222222", "#6E6E6E", "#D55E00"
NEW_TEXT = "#B34700"  # the same hue, but dark enough for letters
WHITE, PALE = ("#FFFFFF", GREY), ("#F3F3F3", GREY)  # fill and outline
SERVER, WORKER = ("#F6E4EE", "#CC79A7"), ("#DCECF7", "#0072B2")
LEARNS, FAILS = ("#DDF1EA", "#009E73"), ("#F8DFCF", NEW)
COLUMNS = [150, 290, 430, 570]  # the middles of the four workers
TOP, BOTTOM = 98, 192  # of the arrows: between the server and the workers
HEAD = 10  # length of an arrow's head


def text(x, y, words, size=14, colour=TEXT, bold=False, anchor="middle", step=18):
    """Return words, each of their lines by itself."""
    weight = ' font-weight="bold"' if bold else ""
    return "\n".join(
        f'<text x="{x}" y="{y + step * i}" font-size="{size}" fill="{colour}"{weight} '
        f'text-anchor="{anchor}">{line}</text>'
        for i, line in enumerate(str(words).split("\n"))
    )


def box(x, y, width, height, colours, radius=8, stroke=1.5, dashed=False):
    fill, line = colours
    dash = ' stroke-dasharray="6 4"' if dashed else ""
    return (
        f'<rect x="{x}" y="{y}" width="{width}" height="{height}" rx="{radius}" '
        f'fill="{fill}" stroke="{line}" stroke-width="{stroke}"{dash}/>'
    )


def process(x, y, width, height, words=""):
    """Return the dashed outline that marks a process, and its name."""
    outline = box(x, y, width, height, ("none", TEXT), radius=12, dashed=True)
    name = text(x + 16, y + 24, words, bold=True, anchor="start")
    return f"{outline}\n{name}" if words else outline


def arrow(*points, new=False):
    """Return an arrow along points; its last stretch is horizontal or vertical."""
    (x1, y1), (x, y) = points[-2:]
    dx, dy = (x > x1) - (x < x1), (y > y1) - (y < y1)  # where it points to
    base_x, base_y = x - HEAD * dx, y - HEAD * dy
    path = "M" + " L".join(f"{a},{b}" for a, b in [*points[:-1], (base_x, base_y)])
    colour, width, wing = (NEW, 4, 7) if new else (GREY, 1.8, 5)
    return (
        f'<path d="{path}" fill="none" stroke="{colour}" stroke-width="{width}"/>'
        f'<path d="M{x},{y} L{base_x - wing * dy},{base_y - wing * dx} '
        f'L{base_x + wing * dy},{base_y + wing * dx} z" fill="{colour}"/>'
    )


def picture(title, description, *parts):
    """Return an SVG picture on a white card, readable on any background."""
    card = box(1, 1, WIDTH - 2, HEIGHT - 2, ("#FFFFFF", "#DDDDDD"), radius=12)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
        f'width="{WIDTH}" height="{HEIGHT}" role="img" font-family="sans-serif">\n'
        f"<title>{title}</title>\n<desc>{description}</desc>\n{card}\n"
        + "\n".join(parts)
        + "\n</svg>\n"
    )


def weights(x, width, title, row, colours):
    """Return a box of weights by key, such as the server is."""
    middle = x + width / 2
    parts = [
        box(x, 22, width, 68, colours),
        text(middle, 44, title, 16, bold=True),
        text(middle - 28, 73, row, 13, anchor="end"),
    ]
    for i, key in enumerate(("W1", "b1", "W2", "b2")):
        parts.append(box(middle - 16 + 34 * i, 57, 30, 23, ("#FFFFFF", colours[1]), 4))
        parts.append(text(middle - 1 + 34 * i, 73, key, 13))
    return parts


def rows(middle, width, words):
    """Return a stack of rows of data, with words beneath."""
    stack = [box(middle - width / 2, 252 + 7 * i, width, 7, PALE, 0) for i in range(3)]
    return [*stack, text(middle, 289, words, 13)]


def worker(number, middle):
    return [
        box(middle - 54, BOTTOM + 4, 108, 48, WORKER),
        text(middle, BOTTOM + 23, f"worker {number}", bold=True),
        text(middle, BOTTOM + 43, "gradient", 13),
        *rows(middle, 66, f"shard {number}"),
    ]


def system(pull, push, new=False):
    """Return the server, four workers on their shards, and the arrows between."""
    parts = weights(130, 460, "parameter server", "weights by key", SERVER)
    for number, middle in enumerate(COLUMNS):
        parts += [
            *worker(number, middle),
            arrow((middle - 10, TOP - 4), (middle - 10, BOTTOM), new=new),
            arrow((middle + 10, BOTTOM), (middle + 10, TOP - 4), new=new),
        ]
    colour = NEW_TEXT if new else TEXT
    parts.append(text(128, 130, pull, 14, colour, new, "end"))
    return [*parts, text(592, 130, push, 14, colour, new, "start")]


def idea():
    return picture(
        "A parameter server",
        "Four workers with a shard each pull weights from a server and push updates.",
        *system("pull: read\nthe weights", "push: add\nan update"),
    )


def one_process():
    left, right = 310, 410
    return picture(
        "Training in one process",
        "A loop: read the weights, compute the gradient of a batch, add the update.",
        process(12, 10, 696, 290, "one process"),
        *weights(210, 300, "weights", "by key", PALE),
        arrow((left, TOP - 4), (left, BOTTOM - 2)),
        arrow((right, BOTTOM - 2), (right, TOP - 4)),
        text(left - 14, 149, "read the weights", anchor="end"),
        text(right + 14, 149, "add the update", anchor="start"),
        box(250, BOTTOM + 2, 220, 48, ("#FFF3EA", NEW), stroke=4),
        text(360, BOTTOM + 32, "gradient of a batch", 16, NEW_TEXT, bold=True),
        *rows(360, 136, "the data"),
    )


def push_and_pull():
    return picture(
        "Push and pull in one process",
        "Inside one process four workers pull from and push to a server object.",
        process(12, 10, 696, 290, "one process"),
        *system("pull: read\nthe weights", "push: add\nan update", new=True),
    )


def ray_actors():
    """Return each part in a process of its own; the handle's way lies on top."""
    parts = [process(14, 14, 100, 84), process(122, 14, 476, 84)]
    parts += [process(middle - 62, BOTTOM - 4, 124, 112) for middle in COLUMNS]
    parts += system("pull", "push")
    parts += [
        box(22, 22, 84, 68, PALE),
        text(64, 52, "driver", 16, bold=True),
        text(64, 73, "notebook", 13),
        text(659, 40, "each dashed\nbox is\na process", 13),
    ]
    bus = 158
    for middle in COLUMNS[:-1]:  # what the handle's way crosses is interrupted
        parts.append(box(middle - 16, bus - 5, 32, 10, ("#FFFFFF", "none"), 0))
    for end in (middle - 36 for middle in COLUMNS):
        way = (64, 92), (64, bus), (end, bus), (end, BOTTOM + 3)
        parts.append(arrow(*way, new=True))
    parts.append(text(206, bus - 9, "handle", 14, NEW_TEXT, bold=True))
    return picture(
        "Server and workers as processes",
        "The driver hands the server's handle to four workers, each its own process.",
        *parts,
    )


def joined(title, description, words, held):
    """Return four servers, what each of them holds, and every worker joined to all."""
    parts, (pull, push) = [], words
    for number, middle in enumerate(COLUMNS):
        parts += [
            box(middle - 62, 22, 124, 68, SERVER),
            text(middle, 44, f"server {number}", 16, bold=True),
            *held(number, middle),
            *worker(number, middle),
            arrow((middle, TOP + 18), (middle, TOP - 6), new=True),
            arrow((middle, BOTTOM - 20), (middle, BOTTOM + 2), new=True),
        ]
        for other in COLUMNS:
            parts.append(
                f'<path d="M{middle},{BOTTOM - 18} L{other},{TOP + 16}" '
                f'stroke="{NEW}" stroke-width="1.8"/>'
            )
    parts.append(text(112, 137, pull, 14, NEW_TEXT, True, "end"))
    parts.append(text(608, 137, push, 14, NEW_TEXT, True, "start"))
    return picture(title, description, *parts)


def many_servers():
    pieces = "W1[0:602]", "W1[602:1205]", "W1[1205:1807]", "the rest"
    return joined(
        "Many servers",
        "Four servers hold a piece of the weights each; every worker asks all four.",
        ("pull\nfrom all", "push\nto all"),
        lambda number, middle: [
            box(middle - 54, 57, 108, 23, ("#FFFFFF", SERVER[1]), 4),
            text(middle, 73, pieces[number], 13),
        ],
    )


def rows_of_a_table():
    def held(number, middle):
        wanted = (2 * number + 1) % 5, (3 * number) % 5 + 1
        colours = [(NEW, NEW) if i in wanted else WHITE for i in range(6)]
        return [
            box(middle - 54, 52 + 6 * i, 108, 6, c, 0) for i, c in enumerate(colours)
        ]

    return joined(
        "Rows of a table",
        "Four servers hold many rows; workers pull and push the few that they need.",
        ("pull\na few rows", "push\nthese rows"),
        held,
    )


def cluster():
    parts = []
    for node, mirrored in ((1, False), (2, True)):

        def at(x, width=0, mirrored=mirrored):
            return WIDTH - x - width if mirrored else x

        parts.append(process(at(14, 302), 16, 302, 278))
        parts.append(text(at(165), 42, f"node {node}", bold=True))
        for y, name, colours in (
            (60, f"server {node - 1}\nhalf of the weights", SERVER),
            (170, "aggregator\none sum for both", PALE),
        ):
            parts += [
                box(at(164, 142), y, 142, 50, colours),
                text(at(235), y + 22, name, 13),
            ]
        for i, y in enumerate((118, 222)):
            number = 2 * (node - 1) + i
            parts += [
                box(at(24, 100), y, 100, 46, WORKER),
                text(at(74), y + 28, f"worker {number}", bold=True),
                arrow(
                    (at(124), y + 23), (at(142), 185 + 20 * i), (at(162), 185 + 20 * i)
                ),
            ]
        parts.append(arrow((at(235), 168), (at(235), 114)))
        across = (at(306), 188), (at(322), 188), (at(396), 85), (at(416), 85)
        parts.append(arrow(*across, new=True))
    parts.append(text(360, 240, "the link:", 14, NEW_TEXT, True))
    parts.append(text(360, 262, "half a sum\neach way", 13, NEW_TEXT, True))
    description = "Workers push to their node's aggregator; sums go over the link."
    return picture("A cluster", description, *parts)


BARRED = {  # top and words of a bar, title, description, pull, push, which is new
    "waiting": (
        (132, "the rule: whose updates count, and who goes on?"),
        "A rule between server and workers",
        "Pushes reach the server at once; pulls pass a gate, the rule of waiting.",
        ("pull: when\nthe rule\nlets you go", "push: add\nan update", "pull"),
    ),
    "virtual_time": (
        (128, "queue: 12.0 ms worker 2, 12.4 ms worker 0, …"),
        "Workers and server in virtual time",
        "Messages go through a queue of events that is sorted by virtual time.",
        ("pull", "push", None),
    ),
    "shared_memory": (
        (132, "one table in the memory of all processes"),
        "Shared memory",
        "Weights and updates lie in one table; messages carry the number of a row.",
        ("row 2", "it is\nthere", None),
    ),
    "when_things_die": (
        (132, "each push has a name: worker 2, step 17"),
        "Pushes with names",
        "Each push has a name, by which the server knows it when it comes again.",
        ("pull", "push: again\nif nobody\nanswers", "push"),
    ),
    "fewer_bytes": (
        (132, "compress: send 1 number in 100, keep the rest"),
        "Pushes with fewer bytes",
        "Each push is compressed: one number in a hundred is sent, the rest is kept.",
        ("pull", "push:\nfew bytes", "push"),
    ),
    "thousand_workers": (
        (132, "measured: compute, latency, serve, bandwidth"),
        "Workers and server with measured costs",
        "Four measured numbers say how long a step and its messages take.",
        ("pull", "push", None),
    ),
}


def barred(bar, title, description, words):
    """Return the system with a highlighted bar in the way of its messages."""
    (y, inscription), (pull, push, new) = bar, words
    parts = system(pull, push)
    for way, x, start, end in ("pull", -10, y + 26, BOTTOM), ("push", 10, y, TOP - 4):
        for middle in COLUMNS if way == new else ():
            parts.append(arrow((middle + x, start), (middle + x, end), new=True))
    parts.append(box(136, y, 448, 26, ("#FFF3EA", NEW), 6, stroke=3))
    parts.append(text(360, y + 18, inscription, 14, NEW_TEXT, bold=True))
    return picture(title, description, *parts)


def order():
    """Return two number lines: where the same two pushes lead."""
    parts = [
        text(360, 34, "two workers, each adds −0.5 × what it pulled", 16, bold=True)
    ]
    for left, title, label, end in (
        (60, "in turn", "worker 1: −0.5 × 0.5", 0.25),
        (410, "both pull first", "worker 1: −0.5 × 1", 0),
    ):
        at = {weight: left + 250 * weight for weight in (0, 0.25, 0.5, 1)}
        parts += [
            text(left + 125, 80, title, 16, bold=True),
            text((at[1] + at[0.5]) / 2, 118, "worker 0: −0.5 × 1", 13),
            arrow((at[1], 132), (at[0.5], 132)),
            text((at[0.5] + at[end]) / 2, 172, label, 13),
            arrow((at[0.5], 186), (at[end], 186)),
            box(left, 232, 250, 2, (TEXT, TEXT), 0, 0),
            box(at[1] - 7, 226, 14, 14, PALE, 7),
            box(at[end] - 9, 224, 18, 18, ("#FFF3EA", NEW), 9, 4),
            *(text(x, 264, f"{weight:g}", 14) for weight, x in at.items()),
        ]
    return picture(
        "The order matters",
        "From 1 the weight goes to 0.25 in turn, and to 0 if both pull first.",
        *parts,
    )


def hub_and_ring():
    """Return four workers around a server, and four in a ring."""
    parts = [
        text(180, 36, "a hub: push and pull", 16, bold=True),
        box(40, 60, 280, 44, SERVER),
        text(180, 87, "server", bold=True),
        text(180, 276, "with M bytes of weights, the server"),
        text(180, 294, "sends 4 M and receives 4 M a step"),
        text(540, 36, "a ring: all-reduce", 16, bold=True),
        text(540, 276, "each worker sends 1.5 M"),
        text(540, 294, "and receives 1.5 M a step"),
    ]
    for number, x in enumerate((74, 145, 215, 286)):
        parts += [
            box(x - 30, 190, 60, 44, WORKER),
            text(x, 217, number, bold=True),
            arrow((x - 9, 108), (x - 9, 186)),
            arrow((x + 9, 186), (x + 9, 108)),
        ]
    corners = (450, 82), (630, 82), (630, 212), (450, 212)
    for number, (x, y) in enumerate(corners):
        parts += [
            box(x - 30, y - 22, 60, 44, WORKER),
            text(x, y + 5, number, bold=True),
        ]
    for start, end in (
        ((484, 82), (596, 82)),
        ((630, 108), (630, 186)),
        ((596, 212), (484, 212)),
        ((450, 186), (450, 108)),
    ):
        parts.append(arrow(start, end))
    return picture(
        "A hub and a ring",
        "Both average the same gradients; a ring needs no server.",
        *parts,
    )


def alias_and_copy():
    """Return what a worker holds: the server's own array, or one of its own."""
    parts = []
    for left, title, arrays, told in (
        (10, "alias: two names, one array", [(170, "1  1  1")], "the newest"),
        (
            370,
            "copy: an array each",
            [(90, "1  1  1"), (250, "0  0  0")],
            "what it pulled",
        ),
    ):
        parts += [
            text(left + 170, 40, title, 16, bold=True),
            text(left + 170, 262, "after a push by another worker"),
            text(left + 170, 284, f"the worker holds {told}", 14, NEW_TEXT, bold=True),
        ]
        for name, x, colours in (("server", 90, SERVER), ("worker", 250, WORKER)):
            parts += [
                box(left + x - 60, 62, 120, 44, colours),
                text(left + x, 89, f"{name}: b1", bold=True),
                arrow((left + x, 108), (left + x, 176)),
            ]
        for x, numbers in arrays:
            width = 280 if len(arrays) == 1 else 120
            parts += [
                box(left + x - width / 2, 178, width, 48, WHITE),
                text(left + x, 208, numbers, 16),
            ]
    return picture(
        "An alias and a copy",
        "An alias shows every later push; a copy stays what it was.",
        *parts,
    )


def handle_and_reference():
    """Return what the driver gets from a call of an actor; time runs to the right."""
    return picture(
        "Handle, reference and value",
        "A call through the handle gives a reference at once, and weights later.",
        process(12, 12, 696, 120, "driver"),
        process(12, 178, 696, 120),
        text(363, 206, "the server, an actor", bold=True),
        text(692, 36, "time →", 13, anchor="end"),
        *(box(30, 54, 136, 54, PALE), box(524, 54, 150, 54, WHITE)),
        *(text(98, 76, "handle", bold=True), text(98, 96, "about 400 bytes", 13)),
        *(arrow((168, 81), (206, 81)), box(208, 54, 124, 54, ("#FFF3EA", NEW), 8, 3)),
        text(270, 76, "reference", 14, NEW_TEXT, bold=True),
        text(270, 96, "at once", 13),
        text(428, 76, "free for\nother work", 13),
        *(text(599, 76, "weights", bold=True), text(599, 96, "9,640 bytes", 13)),
        arrow((98, 110), (98, 247), (206, 247)),
        text(108, 160, "ps.pull.remote(keys)", 13, anchor="start"),
        box(208, 220, 310, 54, SERVER),
        text(363, 242, "pull", bold=True),
        text(363, 262, "copies the weights when its turn comes", 13),
        arrow((520, 247), (599, 247), (599, 112)),
        text(589, 160, "ray.get(reference) waits for them", 13, anchor="end"),
    )


def lost_update():
    """Return two calls that read and write a total: together, and one by one."""
    parts = []
    for left, title, places, values, told in (
        (10, "two calls at once", (0, 120, 50, 190), "4545", "one addition is lost"),
        (366, "one call at a time", (0, 66, 134, 200), "4556", "both count"),
    ):
        parts.append(text(left + 196, 38, title, 16, bold=True))
        for i, (place, value) in enumerate(zip(places, values, strict=True)):
            x, y, verb = left + 70 + place, 58 + 64 * (i // 2), ("read", "write")[i % 2]
            parts += [
                box(x, y, 60, 44, WORKER),
                *(text(x + 30, y + 19, verb, 13), text(x + 30, y + 37, value, 14)),
            ]
            if verb == "write":
                parts += [
                    text(left + 60, y + 27, f"call {i // 2 + 1}", anchor="end"),
                    arrow((x + 30, y + 46), (x + 30, 202)),
                    text(x + 30, 227, value, 16, bold=True),
                ]
        parts += [
            text(left + 60, 227, "total", anchor="end"),
            text(left + 86, 227, 4, 16, bold=True),
            text(left + 196, 276, told, 14, NEW_TEXT, bold=True),
        ]
    totals = [box(left + 70, 204, 262, 34, SERVER) for left in (10, 366)]
    return picture(
        "A lost update",
        "Two calls that read 4 at once both write 5; one by one they write 5 and 6.",
        *(*totals, *parts),
    )


def rate_and_workers():
    """Return the table of losses that notebook 02 has printed."""
    cells = json.loads((SERIES / "02_push_and_pull.ipynb").read_text("utf-8"))["cells"]
    outputs = [out for cell in cells for out in cell.get("outputs", ())]
    printed = ["".join(output.get("text", ())) for output in outputs]
    head, *lines = next(t for t in printed if "rate:" in t).splitlines()
    parts = [
        text(
            360,
            30,
            "How large a step may be, by workers that do not wait",
            16,
            TEXT,
            True,
        ),
        text(405, 298, "learning rate"),
        *(text(225 + 90 * i, 278, rate) for i, rate in enumerate(head.split()[2:])),
    ]
    for row, line in enumerate(lines):
        staleness, *losses = line.split()
        workers = int(staleness) + 1
        y, name = 48 + 43 * row, "worker" if workers == 1 else "workers"
        parts.append(text(168, y + 26, f"{workers} {name}", anchor="end"))
        for column, loss in enumerate(losses):
            colours = FAILS if loss == "fails" else LEARNS
            edge = row + column == len(lines) - 1
            parts += [
                box(183 + 90 * column, y, 84, 37, colours, 4, 4 if edge else 1.5),
                text(225 + 90 * column, y + 24, loss),
            ]
    return picture(
        "Learning rate and workers",
        "Training losses: twice the workers need half the learning rate.",
        *parts,
    )


def window():
    """Return the bound of stale-synchronous training as a window that moves."""
    parts = []
    for y, words, ticks, (low, high), tokens in (
        (84, "s = 3: worker 0 is\n4 ahead, and waits", range(5, 10), (5, 8), "9855"),
        (178, "workers 2 and 3 push:\nworker 0 goes on", range(5, 10), (6, 9), "9866"),
        (
            282,
            "s = 1: 0 is busy at 10,\n1 pushes three times",
            range(9, 13),
            (10, 11),
            "",
        ),
    ):
        at = {clock: 280 + 90 * i for i, clock in enumerate(ticks)}
        tall = 44 if tokens else 72
        left, width = at[low] - 42, 84 + 90 * (high - low)
        parts += [
            text(16, y - 34, words, anchor="start"),
            box(left, y - tall, width, tall, ("#FFF3EA", NEW), 6, 3),
            box(230, y, 470, 2, (TEXT, TEXT), 0, 0),
            *(text(x, y + 19, clock, 13) for clock, x in at.items()),
        ]
        for number, clock in enumerate(map(int, tokens)):
            x = at[clock] + (number - 2.5) * 36 * (number > 1)
            waits = clock > high
            colours = WHITE if waits else WORKER
            parts.append(box(x - 14, y - 36, 28, 28, colours, 14, dashed=waits))
            parts.append(text(x, y - 17, number, bold=True))
    for number, x, up, colours in ((0, 370, 66, WORKER), (1, 280, 34, WORKER)):
        parts.append(box(x - 14, y - up, 28, 28, colours, 14))
        parts.append(text(x, y - up + 19, number, bold=True))
    parts += [
        *(arrow((x + 17, y - 20), (x + 75, y - 20), new=True) for x in (280, 370, 460)),
        box(536, y - 34, 28, 28, WHITE, 14, dashed=True),
        text(550, y - 15, 1, bold=True),
    ]
    return picture(
        "A window of clocks",
        "Workers inside the window go on; one to the right of it waits until it moves.",
        *parts,
    )


def half_an_update():
    """Return four messages in the order of their arrival, and what a pull sees."""
    names = (70, "worker 0"), (220, "server x"), (370, "server y"), (520, "worker 1")
    parts = [text(640, 44, "versions: x + y", bold=True)]
    for x, name in names:
        colours = WORKER if name.startswith("worker") else SERVER
        parts.append(box(x - 54, 20, 108, 36, colours))
        parts.append(text(x, 44, name, bold=True))
        parts.append(box(x - 1, 60, 2, 236, (GREY, GREY), 0, 0))
    for row, (start, end, pushed, seen) in enumerate(
        (
            (70, 220, "+1", "[1, 0]: 1"),
            (520, 370, "−5", "[1, 1]: −4"),
            (70, 370, "−1", "[1, 2]: −5"),
            (520, 220, "+5", "[2, 2]: 0"),
        )
    ):
        y = 106 + 56 * row
        nearby = start + (40 if start < end else -40)
        parts += [
            arrow((start, y), (end, y), new=True),
            text(nearby, y - 10, pushed, 16, NEW_TEXT, bold=True),
            text(640, y + 5, seen, 16),
        ]
    return picture(
        "Half an update",
        "Two pushes to two servers arrive crosswise: versions, and x + y, after each.",
        *parts,
    )


def ring_steps():
    """Return what three members hold at each step of a ring."""
    held = [[{w} for _ in range(3)] for w in range(3)]  # whose sum, member by part
    parts = [text(74, 136 + 46 * w, f"member {w}", 13, anchor="end") for w in range(3)]
    way = ("start", 0, 0), ("add", 0, 0), ("add", 0, 1), ("keep", 1, 0), ("keep", 1, 1)
    for frame, (name, shift, step) in enumerate(way):
        x, changed = 86 + 126 * frame, set()
        if frame:  # as in notebook 6b's all_reduce
            sent = [(w, (w + shift - step) % 3) for w in range(3)]
            for (w, p), whole in [((w, p), held[w][p]) for w, p in sent]:
                held[(w + 1) % 3][p] = held[(w + 1) % 3][p] | whole
                changed.add(((w + 1) % 3, p))
        parts.append(text(x + 57, 78, name, 16, bold=True))
        parts += [text(x + 19 + 38 * p, 102, f"p{p}", 13) for p in range(3)]
        for w, row in enumerate(held):
            for p, who in enumerate(row):
                colours = (WHITE, WORKER, LEARNS)[len(who) - 1]
                fill = colours[0], NEW if (w, p) in changed else GREY
                words = "sum" if len(who) == 3 else "+".join(map(str, sorted(who)))
                place = x + 1 + 38 * p, 110 + 46 * w
                parts.append(
                    box(*place, 36, 40, fill, 4, 3 if (w, p) in changed else 1)
                )
                parts.append(text(place[0] + 18, place[1] + 25, words, 13))
        parts.append(text(x + 57, 272, f"{frame} M / 3"))
    parts.append(text(360, 40, "What each member holds of each part", 16, bold=True))
    parts.append(text(360, 296, "sent by each member so far, of M bytes", 13))
    return picture(
        "The steps of a ring",
        "Three members: two steps that add make a sum each, two steps pass them on.",
        *parts,
    )


NOTEBOOKS = [  # a row each: number, title, question
    [
        ("00", "Start here", "Who has", "the weights?"),
        ("01", "One process", "What does a", "big batch buy?"),
        ("02", "Push and pull", "How old may", "weights be?"),
        ("03", "Ray actors", "What does a", "step wait for?"),
        ("04", "Waiting", "Who waits", "for whom?"),
    ],
    [
        ("04b", "Virtual time", "Can a model", "predict a run?"),
        ("05", "Many servers", "Who holds", "which weights?"),
        ("05b", "Rows of a table", "What if few", "rows are used?"),
        ("06", "Messages", "What does a", "message cost?"),
        ("06b", "Fewer bytes", "What need", "not be sent?"),
    ],
    [
        ("07", "When one dies", "What if a", "process dies?"),
        ("08", "A cluster", "Which machine", "runs what?"),
        ("09", "1,000 workers", "What does a", "round wait for?"),
    ],
]


def ready():
    """Return which notebooks of the series are written, such as 0 to 6 and 9."""
    written = {int(path.name[:2]) for path in SERIES.glob("teacher/*.ipynb")}
    last = next(n for n in range(11) if n + 1 not in written)  # 04b belongs to 04
    beyond = (f" and {n}" for n in sorted(written) if n > last)
    return f"0 to {last}{''.join(beyond)}"


def series_map():
    parts = []
    for row, notebooks in enumerate(NOTEBOOKS):
        for column, (number, title, *question) in enumerate(notebooks):
            x, y = 15 + 141 * column, 12 + 98 * row
            done = any((SERIES / "teacher").glob(f"{number}_*.ipynb"))
            name = number if done else f"{number}, planned"
            parts += [
                box(x, y, 122, 88, PALE if done else WHITE, dashed=not done),
                text(x + 61, y + 20, name, 13),
                text(x + 61, y + 40, title, 13, bold=True),
                *(text(x + 61, y + 60 + 17 * i, q, 13) for i, q in enumerate(question)),
            ]
            if column:
                parts.append(arrow((x - 19, y + 44), (x, y + 44)))
    return picture(
        "The map of the series",
        f"In reading order, a question each; notebooks {ready()} are ready.",
        *parts,
    )


DRAWN = (
    *(idea, order, hub_and_ring, one_process, push_and_pull, alias_and_copy),
    *(rate_and_workers, ray_actors, handle_and_reference, lost_update),
    *(many_servers, rows_of_a_table, window, half_an_update, ring_steps, cluster),
)
PICTURES = {f"{draw.__name__}.svg": draw for draw in DRAWN} | {"map.svg": series_map}
PICTURES |= {f"{name}.svg": partial(barred, *parts) for name, parts in BARRED.items()}


def make(folder):
    """Return {path: picture}."""
    return {folder / "figures" / name: draw() for name, draw in PICTURES.items()}


if __name__ == "__main__":
    sys.exit(command.keep(__doc__, make))
