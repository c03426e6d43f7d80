"""Write the diagrams of the notebooks: one layout, with what is new highlighted.

python -m ps_helpers.diagrams writes notebooks/figures/*.svg.
"""

from pathlib import Path

FOLDER = Path("notebooks/figures")
WIDTH, HEIGHT = 720, 330
TEXT, GREY, NEW = "#222222", "#6E6E6E", "#B34700"
SERVER, WORKER, DRIVER = ("#F6E4EE", "#CC79A7"), ("#DCECF7", "#0072B2"), ("#EEE", GREY)
COLUMNS = [150, 300, 450, 600]  # the middles of the four workers
SERVER_BOX = (245, 22, 260, 84)
WORKER_TOP, WORKER_SIZE = 196, (116, 52)


def text(x, y, words, size=14, colour=TEXT, weight="normal", anchor="middle"):
    return (
        f'<text x="{x}" y="{y}" font-size="{size}" fill="{colour}" '
        f'font-weight="{weight}" text-anchor="{anchor}">{words}</text>'
    )


def box(x, y, width, height, colours, dash="", radius=8, stroke=1.5):
    fill, line = colours
    return (
        f'<rect x="{x}" y="{y}" width="{width}" height="{height}" rx="{radius}" '
        f'fill="{fill}" stroke="{line}" stroke-width="{stroke}" {dash}/>'
    )


def process(x, y, width, height):
    """Return the dashed outline that marks a process."""
    dash = 'stroke-dasharray="6 4"'
    return box(x, y, width, height, ("none", "#555555"), dash, radius=12, stroke=1.4)


def arrow(x1, y1, x2, y2, new=False):
    colour, width = (NEW, 3) if new else (GREY, 1.6)
    head = "new" if new else "old"
    return (
        f'<line x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}" stroke="{colour}" '
        f'stroke-width="{width}" marker-end="url(#{head})"/>'
    )


def head(name, colour, size):
    return (
        f'<marker id="{name}" viewBox="0 0 10 10" refX="8" refY="5" '
        f'markerWidth="{size}" markerHeight="{size}" orient="auto-start-reverse">'
        f'<path d="M0 0L10 5L0 10z" fill="{colour}"/></marker>'
    )


def picture(title, description, parts, height=HEIGHT):
    """Return an SVG picture on a white card, readable on any background."""
    body = "\n".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
        f'width="{WIDTH}" height="{height}" role="img" font-family="sans-serif">\n'
        f"<title>{title}</title>\n<desc>{description}</desc>\n"
        f"<defs>{head('old', GREY, 7)}{head('new', NEW, 5)}</defs>\n"
        f"{box(1, 1, WIDTH - 2, height - 2, ('#FFFFFF', '#DDDDDD'))}\n{body}\n</svg>\n"
    )


def server():
    """Return the server with its four weights."""
    x, y, width, height = SERVER_BOX
    parts = [
        box(*SERVER_BOX, SERVER),
        text(x + width / 2, y + 24, "parameter server", 16, weight="bold"),
    ]
    for i, key in enumerate(("W1", "b1", "W2", "b2")):
        left = x + 26 + 54 * i
        parts.append(box(left, y + 38, 46, 32, ("#FFFFFF", SERVER[1]), radius=4))
        parts.append(text(left + 23, y + 59, key))
    return parts


def workers():
    """Return four workers, each on its shard of the data."""
    width, height = WORKER_SIZE
    parts = []
    for number, middle in enumerate(COLUMNS):
        left = middle - width / 2
        parts.append(box(left, WORKER_TOP, width, height, WORKER))
        parts.append(text(middle, WORKER_TOP + 22, f"worker {number}", weight="bold"))
        parts.append(text(middle, WORKER_TOP + 42, "gradient", 13))
        for row in range(3):
            top = WORKER_TOP + height + 14 + 7 * row
            parts.append(box(middle - 34, top, 68, 7, ("#F4F4F4", GREY), radius=0))
        parts.append(text(middle, WORKER_TOP + height + 52, f"shard {number}", 13))
    return parts


def messages(new=False):
    """Return a pull and a push arrow between the server and every worker."""
    bottom = SERVER_BOX[1] + SERVER_BOX[3] + 4
    parts = []
    for i, middle in enumerate(COLUMNS):
        port = 275 + 62 * i  # where the arrows meet the server
        parts.append(arrow(port - 9, bottom, middle - 12, WORKER_TOP - 5, new))
        parts.append(arrow(middle + 12, WORKER_TOP - 5, port + 9, bottom, new))
    return parts


def labels(pull, push, new=False):
    colour, weight = (NEW, "bold") if new else (TEXT, "normal")
    return [
        text(200, 132, pull, 14, colour, weight, "end"),
        text(556, 132, push, 14, colour, weight, "start"),
    ]


def idea():
    parts = messages() + server() + workers()
    parts += labels("pull: read weights", "push: add an update")
    return picture(
        "A parameter server",
        "Four workers with a shard each pull weights from a server and push updates.",
        parts,
    )


def push_and_pull():
    parts = [process(14, 10, 692, 308), text(30, 34, "one process", anchor="start")]
    parts += messages(new=True) + server() + workers()
    parts += labels("pull", "push", new=True)
    return picture(
        "Push and pull in one process",
        "Inside one process four workers pull from and push to a server object.",
        parts,
    )


def one_process():
    """Return a single worker beside its own weights."""
    middle = WIDTH / 2
    parts = [process(14, 10, 692, 308), text(30, 34, "one process", anchor="start")]
    x, y, width, height = SERVER_BOX
    parts += [box(*SERVER_BOX, ("#F4F4F4", GREY))]
    parts += [text(x + width / 2, y + 24, "weights", 16, weight="bold")]
    for i, key in enumerate(("W1", "b1", "W2", "b2")):
        left = x + 26 + 54 * i
        parts.append(box(left, y + 38, 46, 32, ("#FFFFFF", GREY), radius=4))
        parts.append(text(left + 23, y + 59, key))
    parts += [
        arrow(middle - 40, 112, middle - 40, 186),
        arrow(middle + 70, 186, middle + 70, 112),
        text(middle - 54, 154, "read the weights", anchor="end"),
        text(middle + 84, 154, "add the update", anchor="start"),
        box(middle - 130, 192, 290, 58, ("#FFF3EA", NEW), stroke=3),
        text(middle + 15, 216, "gradient of a batch", 16, NEW, "bold"),
        text(middle + 15, 238, "nearly all the time is spent here", 13),
    ]
    for row in range(3):
        parts.append(box(middle - 65, 264 + 8 * row, 160, 8, ("#F4F4F4", GREY), "", 0))
    parts.append(text(middle + 15, 306, "the data", 13))
    return picture(
        "Training in one process",
        "A loop: read the weights, compute the gradient of a batch, add the update.",
        parts,
    )


def ray_actors():
    parts = messages()
    driver_x, driver_y = 24, 38
    parts += [
        box(driver_x, driver_y, 110, 52, DRIVER),
        text(driver_x + 55, driver_y + 22, "driver", weight="bold"),
        text(driver_x + 55, driver_y + 42, "this notebook", 13),
        process(driver_x - 8, driver_y - 8, 126, 68),
        process(SERVER_BOX[0] - 8, SERVER_BOX[1] - 8, 276, 100),
    ]
    for middle in COLUMNS:
        parts.append(process(middle - 66, WORKER_TOP - 8, 132, 126))
        parts.append(arrow(driver_x + 75, driver_y + 64, middle - 34, 182, new=True))
    parts += server() + workers()
    parts += [
        text(56, 158, "the handle", 14, NEW, "bold"),
        text(612, 62, "each dashed box", 13),
        text(612, 80, "is a process", 13),
    ]
    return picture(
        "Server and workers as processes",
        "The driver hands the server's handle to four workers, each its own process.",
        parts,
    )


NOTEBOOKS = [
    ("Start here", "the idea, the map"),
    ("One process", "SGD, keys, gradients"),
    ("Push and pull", "add, copy, staleness"),
    ("Ray actors", "four real workers"),
    ("Waiting", "who waits for whom"),
    ("Many servers", "shards of the weights"),
    ("Message prices", "what a push costs"),
    ("When things die", "nothing lost or twice"),
    ("A cluster", "several machines"),
    ("1,000 workers", "a simulator"),
]
READY = 4  # how many of them are written


def series_map():
    parts = []
    for number, (title, idea_in_words) in enumerate(NOTEBOOKS):
        row, column = divmod(number, 5)
        x, y, ready = 16 + 139 * column, 18 + 112 * row, number < READY
        colours = WORKER if ready else ("#FFFFFF", GREY)
        dash = "" if ready else 'stroke-dasharray="5 4"'
        parts += [
            box(x, y, 127, 92, colours, dash),
            text(x + 63, y + 25, number, 15, weight="bold"),
            text(x + 63, y + 46, title, 14, weight="bold"),
            text(x + 63, y + 65, idea_in_words, 12),
        ]
        if not ready:
            parts.append(text(x + 63, y + 83, "planned", 12, "#555555"))
        if column < 4:
            parts.append(arrow(x + 128, y + 46, x + 137, y + 46))
    return picture(
        "The map of the series",
        "Ten notebooks in reading order; the first four are ready.",
        parts,
        height=240,
    )


PICTURES = {
    "idea.svg": idea,
    "map.svg": series_map,
    "one_process.svg": one_process,
    "push_and_pull.svg": push_and_pull,
    "ray_actors.svg": ray_actors,
}


if __name__ == "__main__":
    for name, draw in PICTURES.items():
        (FOLDER / name).write_text(draw())
