"""Write the diagrams of the notebooks: one layout, with what is new highlighted.

python -m ps_helpers.tools.diagrams writes notebooks/figures/*.svg.
"""

from pathlib import Path

FOLDER = Path("notebooks/figures")
WIDTH, HEIGHT = 720, 310
TEXT, GREY, NEW = "#222222", "#6E6E6E", "#D55E00"
NEW_TEXT = "#B34700"  # the same hue, but dark enough for letters
WHITE, PALE = ("#FFFFFF", GREY), ("#F3F3F3", GREY)  # fill and outline
SERVER, WORKER = ("#F6E4EE", "#CC79A7"), ("#DCECF7", "#0072B2")
COLUMNS = [150, 290, 430, 570]  # the middles of the four workers
TOP, BOTTOM = 98, 192  # of the arrows: between the server and the workers
HEAD = 10  # length of an arrow's head


def text(x, y, words, size=14, colour=TEXT, bold=False, anchor="middle"):
    weight = ' font-weight="bold"' if bold else ""
    return (
        f'<text x="{x}" y="{y}" font-size="{size}" fill="{colour}"{weight} '
        f'text-anchor="{anchor}">{words}</text>'
    )


def box(x, y, width, height, colours, radius=8, stroke=1.5, dashed=False):
    fill, line = colours
    dash = ' stroke-dasharray="6 4"' if dashed else ""
    return (
        f'<rect x="{x}" y="{y}" width="{width}" height="{height}" rx="{radius}" '
        f'fill="{fill}" stroke="{line}" stroke-width="{stroke}"{dash}/>'
    )


def process(x, y, width, height):
    """Return the dashed outline that marks a process."""
    return box(x, y, width, height, ("none", TEXT), radius=12, dashed=True)


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


def system(pull, push, new=False):
    """Return the server, four workers on their shards, and the arrows between."""
    parts = weights(130, 460, "parameter server", "weights by key", SERVER)
    for number, middle in enumerate(COLUMNS):
        parts += [
            box(middle - 54, BOTTOM + 4, 108, 48, WORKER),
            text(middle, BOTTOM + 23, f"worker {number}", bold=True),
            text(middle, BOTTOM + 43, "gradient", 13),
            arrow((middle - 10, TOP - 4), (middle - 10, BOTTOM), new=new),
            arrow((middle + 10, BOTTOM), (middle + 10, TOP - 4), new=new),
            *rows(middle, 66, f"shard {number}"),
        ]
    colour = NEW_TEXT if new else TEXT
    for side, anchor, words in ((-22, "end", pull), (442, "start", push)):
        for line, part in enumerate(words.split("\n")):
            parts.append(
                text(150 + side, 130 + 18 * line, part, 14, colour, new, anchor)
            )
    return parts


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
        process(12, 10, 696, 290),
        text(28, 34, "one process", bold=True, anchor="start"),
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
        process(12, 10, 696, 290),
        text(28, 34, "one process", bold=True, anchor="start"),
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
        text(659, 40, "each dashed", 13),
        text(659, 58, "box is", 13),
        text(659, 76, "a process", 13),
    ]
    bus = 158
    for middle in COLUMNS[:-1]:  # what the handle's way crosses is interrupted
        parts.append(box(middle - 16, bus - 5, 32, 10, ("#FFFFFF", "none"), 0))
    for middle in COLUMNS:
        end = middle - 36
        points = (64, 92), (64, bus), (end, bus), (end, BOTTOM + 3)
        parts.append(arrow(*points, new=True))
    parts.append(text(206, bus - 9, "handle", 14, NEW_TEXT, bold=True))
    return picture(
        "Server and workers as processes",
        "The driver hands the server's handle to four workers, each its own process.",
        *parts,
    )


def bar(y, words):
    """Return a highlighted bar across the workers' columns, with words in it."""
    return [
        box(136, y, 448, 26, ("#FFF3EA", NEW), 6, stroke=3),
        text(360, y + 18, words, 14, NEW_TEXT, bold=True),
    ]


def waiting():
    """Return the system with a gate in the way of the pulls."""
    gate = 132
    parts = system("pull: when\nthe rule\nlets you go", "push: add\nan update")
    for middle in COLUMNS:
        parts.append(arrow((middle - 10, gate + 26), (middle - 10, BOTTOM), new=True))
    return picture(
        "A rule between server and workers",
        "Pushes reach the server at once; pulls pass a gate, the rule of waiting.",
        *parts,
        *bar(gate, "the rule: whose updates count, and who goes on?"),
    )


def virtual_time():
    """Return the system with a queue of events in place of the messages."""
    parts = system("pull", "push")
    return picture(
        "Workers and server in virtual time",
        "Messages go through a queue of events that is sorted by virtual time.",
        *parts,
        *bar(128, "queue: 12.0 ms worker 2, 12.4 ms worker 0, …"),
    )


def many_servers():
    """Return four servers with a piece each, and every worker joined to all."""
    parts = []
    pieces = "W1[0:602]", "W1[602:1205]", "W1[1205:1807]", "the rest"
    for number, (middle, piece) in enumerate(zip(COLUMNS, pieces, strict=True)):
        parts += [
            box(middle - 62, 22, 124, 68, SERVER),
            text(middle, 44, f"server {number}", 16, bold=True),
            box(middle - 54, 57, 108, 23, ("#FFFFFF", SERVER[1]), 4),
            text(middle, 73, piece, 13),
            box(middle - 54, BOTTOM + 4, 108, 48, WORKER),
            text(middle, BOTTOM + 23, f"worker {number}", bold=True),
            text(middle, BOTTOM + 43, "gradient", 13),
            *rows(middle, 66, f"shard {number}"),
            arrow((middle, TOP + 18), (middle, TOP - 6), new=True),
            arrow((middle, BOTTOM - 20), (middle, BOTTOM + 2), new=True),
        ]
        for other in COLUMNS:
            parts.append(
                f'<path d="M{middle},{BOTTOM - 18} L{other},{TOP + 16}" '
                f'stroke="{NEW}" stroke-width="1.8"/>'
            )
    for line, (left, right) in enumerate((("pull", "push"), ("from all", "to all"))):
        y = 137 + 18 * line
        parts.append(text(112, y, left, 14, NEW_TEXT, True, "end"))
        parts.append(text(608, y, right, 14, NEW_TEXT, True, "start"))
    return picture(
        "Many servers",
        "Four servers hold a piece of the weights each; every worker asks all four.",
        *parts,
    )


def shared_memory():
    """Return the system with a table that all processes have in their memory."""
    return picture(
        "Shared memory",
        "Weights and updates lie in one table; messages carry the number of a row.",
        *system("row 2", "it is\nthere"),
        *bar(132, "one table in the memory of all processes"),
    )


def fewer_bytes():
    """Return the system with a highlighted bar in the way of the pushes."""
    bar_top = 132
    parts = system("pull", "push:\nfew bytes")
    for middle in COLUMNS:
        parts.append(arrow((middle + 10, bar_top), (middle + 10, TOP - 4), new=True))
    return picture(
        "Pushes with fewer bytes",
        "Each push is compressed: one number in a hundred is sent, the rest is kept.",
        *parts,
        *bar(bar_top, "compress: send 1 number in 100, keep the rest"),
    )


READY = 7  # how many of these notebooks are written
NOTEBOOKS = [  # title | what it is about
    "Start here||the idea, and is|this machine|ready?",
    "One process||read, gradient,|add: a step|of training",
    "Push and pull||workers share|one server,|in turns",
    "Ray actors||four workers at|the same time,|really",
    "Waiting||who waits for|whom, and|how long",
    "Many servers||keys spread|over several|processes",
    "The price of|a message|what bytes and|copies cost",
    "When things|die|no update lost,|none twice",
    "A cluster||several|computers, and|one is lost",
    "A thousand|workers|when all-reduce|is better",
]


def series_map():
    parts = []
    for number, lines in enumerate(NOTEBOOKS):
        row, column = divmod(number, 5)
        x, y, ready = 15 + 141 * column, 15 + 148 * row, number < READY
        parts.append(box(x, y, 126, 132, PALE if ready else WHITE, dashed=not ready))
        parts.append(text(x + 63, y + 20, number, 15, bold=True))
        first, second, *about = lines.split("|")
        for line, part in enumerate(filter(None, [first, second])):
            parts.append(text(x + 63, y + 40 + 17 * line, part, 14, bold=True))
        for line, part in enumerate(about):
            top = y + (78 if second else 62)
            parts.append(text(x + 63, top + 17 * line, part, 13))
        if not ready:
            parts.append(text(x + 63, y + 122, "planned", 13, "#595959"))
    return picture(
        "The map of the series",
        "Ten notebooks in reading order; the first seven are ready, three are planned.",
        *parts,
    )


PICTURES = {
    "idea.svg": idea,
    "map.svg": series_map,
    "one_process.svg": one_process,
    "push_and_pull.svg": push_and_pull,
    "ray_actors.svg": ray_actors,
    "waiting.svg": waiting,
    "virtual_time.svg": virtual_time,
    "many_servers.svg": many_servers,
    "shared_memory.svg": shared_memory,
    "fewer_bytes.svg": fewer_bytes,
}


if __name__ == "__main__":
    for name, draw in PICTURES.items():
        (FOLDER / name).write_text(draw())
