"""Write the diagrams of the notebooks: one layout, with what is new highlighted.

python -m ps_helpers.tools.diagrams writes notebooks/figures/*.svg.
"""

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
    "fewer_bytes": (
        (132, "compress: send 1 number in 100, keep the rest"),
        "Pushes with fewer bytes",
        "Each push is compressed: one number in a hundred is sent, the rest is kept.",
        ("pull", "push:\nfew bytes", "push"),
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


NOTEBOOKS = [  # title, what it is about
    ("Start here", "the idea, and is\nthis machine\nready?"),
    ("One process", "read, gradient,\nadd: a step\nof training"),
    ("Push and pull", "workers share\none server,\nin turns"),
    ("Ray actors", "four workers at\nthe same time,\nreally"),
    ("Waiting", "who waits for\nwhom, and\nhow long"),
    ("Many servers", "keys spread\nover several\nprocesses"),
    ("The price of\na message", "what bytes and\ncopies cost"),
    ("When things\ndie", "no update lost,\nnone twice"),
    ("A cluster", "several\ncomputers, and\none is lost"),
    ("A thousand\nworkers", "when all-reduce\nis better"),
]


def ready():
    """Return how many notebooks of the series are written; 04b belongs to 04."""
    return len({path.name[:2] for path in SERIES.glob("teacher/*.ipynb")})


def series_map():
    parts = []
    for number, (title, about) in enumerate(NOTEBOOKS):
        row, column = divmod(number, 5)
        x, y, done = 15 + 141 * column, 15 + 148 * row, number < ready()
        parts += [
            box(x, y, 126, 132, PALE if done else WHITE, dashed=not done),
            text(x + 63, y + 20, number, 15, bold=True),
            text(x + 63, y + 40, title, bold=True, step=17),
            text(x + 63, y + (78 if "\n" in title else 62), about, 13, step=17),
        ]
        if not done:
            parts.append(text(x + 63, y + 122, "planned", 13, "#595959"))
    return picture(
        "The map of the series",
        f"Ten notebooks in reading order; notebooks 0 to {ready() - 1} are ready.",
        *parts,
    )


DRAWN = idea, one_process, push_and_pull, ray_actors, many_servers, rows_of_a_table
PICTURES = {f"{draw.__name__}.svg": draw for draw in DRAWN} | {"map.svg": series_map}
PICTURES |= {f"{name}.svg": partial(barred, *parts) for name, parts in BARRED.items()}


def make(folder):
    """Return {path: picture}."""
    return {folder / "figures" / name: draw() for name, draw in PICTURES.items()}


if __name__ == "__main__":
    sys.exit(command.keep(__doc__, make))
