"""Write the diagrams of the notebooks: one layout, with what is new highlighted.

python -m ps_helpers.tools.diagrams writes notebooks/figures/*.svg.
"""

import json
import sys
from pathlib import Path

from ps_helpers.tools import command

SERIES = Path(__file__).parents[2] / "notebooks"
WIDTH, HEIGHT = 720, 310
TEXT, GREY, NEW = "#222222", "#6E6E6E", "#D55E00"
NEW_TEXT = "#B34700"  # the same hue, but dark enough for letters
WHITE, PALE = ("#FFFFFF", GREY), ("#F3F3F3", GREY)  # fill and outline
SERVER, WORKER = ("#F6E4EE", "#CC79A7"), ("#DCECF7", "#0072B2")
LEARNS, FAILS, FRESH = ("#DDF1EA", "#009E73"), ("#F8DFCF", NEW), ("#FFF3EA", NEW)
COLUMNS = [150, 290, 430, 570]  # the middles of the four workers
TOP, BOTTOM = 98, 192  # of the arrows: between the server and the workers
HEAD = 10  # length of an arrow's head
PICTURES = {}  # a file's name -> a function that returns its picture


def drawn(title, description=None, name=None):
    """Let a function that yields a picture's parts draw one of PICTURES, by its name.

    Its docstring describes the picture to who cannot see it, unless another text does.
    The picture is on a white card, readable on any background.
    """

    def enter(draw):
        def picture():
            card = box(1, 1, WIDTH - 2, HEIGHT - 2, ("#FFFFFF", "#DDDDDD"), radius=12)
            return (
                f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} '
                f'{HEIGHT}" width="{WIDTH}" height="{HEIGHT}" role="img" '
                f'font-family="sans-serif">\n<title>{title}</title>\n'
                f"<desc>{description or draw.__doc__}</desc>\n{card}\n"
                + "\n".join(draw())
                + "\n</svg>\n"
            )

        PICTURES[f"{name or draw.__name__}.svg"] = picture
        return draw

    return enter


def text(x, y, words, size=14, colour=TEXT, bold=False, anchor="middle"):
    """Return words, each of their lines by itself."""
    weight = ' font-weight="bold"' if bold else ""
    return "\n".join(
        f'<text x="{x}" y="{y + 18 * i}" font-size="{size}" fill="{colour}"{weight} '
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


def weights(x, width, title, row, colours):
    """Yield a box of weights by key, such as the server is."""
    middle = x + width / 2
    yield box(x, 22, width, 68, colours)
    yield text(middle, 44, title, 16, bold=True)
    yield text(middle - 28, 73, row, 13, anchor="end")
    for i, key in enumerate(("W1", "b1", "W2", "b2")):
        yield box(middle - 16 + 34 * i, 57, 30, 23, ("#FFFFFF", colours[1]), 4)
        yield text(middle - 1 + 34 * i, 73, key, 13)


def rows(middle, width, words):
    """Yield a stack of rows of data, with words beneath."""
    for i in range(3):
        yield box(middle - width / 2, 252 + 7 * i, width, 7, PALE, 0)
    yield text(middle, 289, words, 13)


def worker(number, middle):
    yield box(middle - 54, BOTTOM + 4, 108, 48, WORKER)
    yield text(middle, BOTTOM + 23, f"worker {number}", bold=True)
    yield text(middle, BOTTOM + 43, "gradient", 13)
    yield from rows(middle, 66, f"shard {number}")


def system(pull, push, new=False):
    """Yield the server, four workers on their shards, and the arrows between."""
    yield from weights(130, 460, "parameter server", "weights by key", SERVER)
    for number, middle in enumerate(COLUMNS):
        yield from worker(number, middle)
        yield arrow((middle - 10, TOP - 4), (middle - 10, BOTTOM), new=new)
        yield arrow((middle + 10, BOTTOM), (middle + 10, TOP - 4), new=new)
    colour = NEW_TEXT if new else TEXT
    yield text(128, 130, pull, 14, colour, new, "end")
    yield text(592, 130, push, 14, colour, new, "start")


@drawn("A parameter server")
def idea():
    """Four workers with a shard each pull weights from a server and push updates."""
    return system("pull: read\nthe weights", "push: add\nan update")


@drawn("Training in one process")
def one_process():
    """A loop: read the weights, compute the gradient of a batch, add the update."""
    left, right = 310, 410
    yield process(12, 10, 696, 290, "one process")
    yield from weights(210, 300, "weights", "by key", PALE)
    yield arrow((left, TOP - 4), (left, BOTTOM - 2))
    yield arrow((right, BOTTOM - 2), (right, TOP - 4))
    yield text(left - 14, 149, "read the weights", anchor="end")
    yield text(right + 14, 149, "add the update", anchor="start")
    yield box(250, BOTTOM + 2, 220, 48, FRESH, stroke=4)
    yield text(360, BOTTOM + 32, "gradient of a batch", 16, NEW_TEXT, bold=True)
    yield from rows(360, 136, "the data")


@drawn("Push and pull in one process")
def push_and_pull():
    """Inside one process four workers pull from and push to a server object."""
    yield process(12, 10, 696, 290, "one process")
    yield from system("pull: read\nthe weights", "push: add\nan update", new=True)


@drawn("Server and workers as processes")
def ray_actors():
    """The driver hands the server's handle to four workers, each its own process."""
    yield process(14, 14, 100, 84)
    yield process(122, 14, 476, 84)
    for middle in COLUMNS:
        yield process(middle - 62, BOTTOM - 4, 124, 112)
    yield from system("pull", "push")
    yield box(22, 22, 84, 68, PALE)
    yield text(64, 52, "driver", 16, bold=True)
    yield text(64, 73, "notebook", 13)
    yield text(659, 40, "each dashed\nbox is\na process", 13)
    bus = 158  # of the handle's way, which lies on top
    for middle in COLUMNS[:-1]:  # what it crosses is interrupted
        yield box(middle - 16, bus - 5, 32, 10, ("#FFFFFF", "none"), 0)
    for end in (middle - 36 for middle in COLUMNS):
        yield arrow((64, 92), (64, bus), (end, bus), (end, BOTTOM + 3), new=True)
    yield text(206, bus - 9, "handle", 14, NEW_TEXT, bold=True)


def joined(pull, push, held):
    """Yield four servers, what each of them holds, and every worker joined to all."""
    for number, middle in enumerate(COLUMNS):
        yield box(middle - 62, 22, 124, 68, SERVER)
        yield text(middle, 44, f"server {number}", 16, bold=True)
        yield from held(number, middle)
        yield from worker(number, middle)
        yield arrow((middle, TOP + 18), (middle, TOP - 6), new=True)
        yield arrow((middle, BOTTOM - 20), (middle, BOTTOM + 2), new=True)
        for other in COLUMNS:
            yield (
                f'<path d="M{middle},{BOTTOM - 18} L{other},{TOP + 16}" '
                f'stroke="{NEW}" stroke-width="1.8"/>'
            )
    yield text(112, 137, pull, 14, NEW_TEXT, True, "end")
    yield text(608, 137, push, 14, NEW_TEXT, True, "start")


@drawn("Many servers")
def many_servers():
    """Four servers hold a piece of the weights each; every worker asks all four."""
    pieces = "W1[0:602]", "W1[602:1205]", "W1[1205:1807]", "the rest"

    def held(number, middle):
        yield box(middle - 54, 57, 108, 23, ("#FFFFFF", SERVER[1]), 4)
        yield text(middle, 73, pieces[number], 13)

    return joined("pull\nfrom all", "push\nto all", held)


@drawn("Rows of a table")
def rows_of_a_table():
    """Four servers hold many rows; workers pull and push the few that they need."""

    def held(number, middle):
        wanted = (2 * number + 1) % 5, (3 * number) % 5 + 1
        for i in range(6):
            colours = (NEW, NEW) if i in wanted else WHITE
            yield box(middle - 54, 52 + 6 * i, 108, 6, colours, 0)

    return joined("pull\na few rows", "push\nthese rows", held)


@drawn("A cluster")
def cluster():
    """Workers push to their node's aggregator; sums go over the link."""
    for node, mirrored in ((1, False), (2, True)):

        def at(x, width=0, mirrored=mirrored):
            return WIDTH - x - width if mirrored else x

        yield process(at(14, 302), 16, 302, 278)
        yield text(at(165), 42, f"node {node}", bold=True)
        yield box(at(164, 142), 60, 142, 50, SERVER)
        yield text(at(235), 82, f"server {node - 1}\nhalf of the weights", 13)
        yield box(at(164, 142), 170, 142, 50, PALE)
        yield text(at(235), 192, "aggregator\none sum for both", 13)
        for i, y in enumerate((118, 222)):
            to = 185 + 20 * i
            yield box(at(24, 100), y, 100, 46, WORKER)
            yield text(at(74), y + 28, f"worker {2 * (node - 1) + i}", bold=True)
            yield arrow((at(124), y + 23), (at(142), to), (at(162), to))
        yield arrow((at(235), 168), (at(235), 114))
        across = (at(306), 188), (at(322), 188), (at(396), 85), (at(416), 85)
        yield arrow(*across, new=True)
    yield text(360, 240, "the link:", 14, NEW_TEXT, True)
    yield text(360, 262, "half a sum\neach way", 13, NEW_TEXT, True)


def barred(inscription, pull, push, new=None, y=132):
    """Yield the system with a highlighted bar at y in the way of its messages."""
    yield from system(pull, push)
    for way, x, start, end in ("pull", -10, y + 26, BOTTOM), ("push", 10, y, TOP - 4):
        for middle in COLUMNS if way == new else ():
            yield arrow((middle + x, start), (middle + x, end), new=True)
    yield box(136, y, 448, 26, FRESH, 6, stroke=3)
    yield text(360, y + 18, inscription, 14, NEW_TEXT, bold=True)


@drawn("A rule between server and workers")
def waiting():
    """Pushes reach the server at once; pulls pass a gate, the rule of waiting."""
    rule = "the rule: whose updates count, and who goes on?"
    pull, push = "pull: when\nthe rule\nlets you go", "push: add\nan update"
    return barred(rule, pull, push, new="pull")


@drawn("Workers and server in virtual time")
def virtual_time():
    """Messages go through a queue of events that is sorted by virtual time."""
    queue = "queue: 12.0 ms worker 2, 12.4 ms worker 0, …"
    return barred(queue, "pull", "push", y=128)


@drawn("Shared memory")
def shared_memory():
    """Weights and updates lie in one table; messages carry the number of a row."""
    return barred("one table in the memory of all processes", "row 2", "it is\nthere")


@drawn("Pushes with names")
def when_things_die():
    """Each push has a name, by which the server knows it when it comes again."""
    push = "push: again\nif nobody\nanswers"
    return barred("each push has a name: worker 2, step 17", "pull", push, new="push")


@drawn("Pushes with fewer bytes")
def fewer_bytes():
    """Each push is compressed: one number in a hundred is sent, the rest is kept."""
    compressed = "compress: send 1 number in 100, keep the rest"
    return barred(compressed, "pull", "push:\nfew bytes", new="push")


@drawn("Workers and server with measured costs")
def thousand_workers():
    """Four measured numbers say how long a step and its messages take."""
    return barred("measured: compute, latency, serve, bandwidth", "pull", "push")


@drawn("The order matters")
def order():
    """From 1 the weight goes to 0.25 in turn, and to 0 if both pull first."""
    yield text(360, 34, "two workers, each adds −0.5 × what it pulled", 16, bold=True)
    for left, title, label, end in (
        (60, "in turn", "worker 1: −0.5 × 0.5", 0.25),
        (410, "both pull first", "worker 1: −0.5 × 1", 0),
    ):
        at = {weight: left + 250 * weight for weight in (0, 0.25, 0.5, 1)}
        yield text(left + 125, 80, title, 16, bold=True)
        yield text((at[1] + at[0.5]) / 2, 118, "worker 0: −0.5 × 1", 13)
        yield arrow((at[1], 132), (at[0.5], 132))
        yield text((at[0.5] + at[end]) / 2, 172, label, 13)
        yield arrow((at[0.5], 186), (at[end], 186))
        yield box(left, 232, 250, 2, (TEXT, TEXT), 0, 0)
        yield box(at[1] - 7, 226, 14, 14, PALE, 7)
        yield box(at[end] - 9, 224, 18, 18, FRESH, 9, 4)
        for weight, x in at.items():
            yield text(x, 264, f"{weight:g}", 14)


@drawn("A hub and a ring")
def hub_and_ring():
    """Both average the same gradients; a ring needs no server."""
    yield text(180, 36, "a hub: push and pull", 16, bold=True)
    yield box(40, 60, 280, 44, SERVER)
    yield text(180, 87, "server", bold=True)
    yield text(180, 276, "with M bytes of weights, the server")
    yield text(180, 294, "sends 4 M and receives 4 M a step")
    yield text(540, 36, "a ring: all-reduce", 16, bold=True)
    yield text(540, 276, "each worker sends 1.5 M")
    yield text(540, 294, "and receives 1.5 M a step")
    for number, x in enumerate((74, 145, 215, 286)):
        yield box(x - 30, 190, 60, 44, WORKER)
        yield text(x, 217, number, bold=True)
        yield arrow((x - 9, 108), (x - 9, 186))
        yield arrow((x + 9, 186), (x + 9, 108))
    for number, (x, y) in enumerate(((450, 82), (630, 82), (630, 212), (450, 212))):
        yield box(x - 30, y - 22, 60, 44, WORKER)
        yield text(x, y + 5, number, bold=True)
    yield arrow((484, 82), (596, 82))
    yield arrow((630, 108), (630, 186))
    yield arrow((596, 212), (484, 212))
    yield arrow((450, 186), (450, 108))


@drawn("An alias and a copy")
def alias_and_copy():
    """An alias shows every later push; a copy stays what it was."""
    alone, own = [(170, "1  1  1")], [(90, "1  1  1"), (250, "0  0  0")]
    for left, title, width, arrays, told in (
        (10, "alias: two names, one array", 280, alone, "the newest"),
        (370, "copy: an array each", 120, own, "what it pulled"),
    ):
        yield text(left + 170, 40, title, 16, bold=True)
        yield text(left + 170, 262, "after a push by another worker")
        holds = f"the worker holds {told}"
        yield text(left + 170, 284, holds, 14, NEW_TEXT, bold=True)
        for name, x, colours in (("server", 90, SERVER), ("worker", 250, WORKER)):
            yield box(left + x - 60, 62, 120, 44, colours)
            yield text(left + x, 89, f"{name}: b1", bold=True)
            yield arrow((left + x, 108), (left + x, 176))
        for x, numbers in arrays:
            yield box(left + x - width / 2, 178, width, 48, WHITE)
            yield text(left + x, 208, numbers, 16)


@drawn("Handle, reference and value")
def handle_and_reference():
    """A call through the handle gives a reference at once, and weights later."""
    yield process(12, 12, 696, 120, "driver")
    yield process(12, 178, 696, 120)
    yield text(363, 206, "the server, an actor", bold=True)
    yield text(692, 36, "time →", 13, anchor="end")
    yield box(30, 54, 136, 54, PALE)
    yield box(524, 54, 150, 54, WHITE)
    yield text(98, 76, "handle", bold=True)
    yield text(98, 96, "about 400 bytes", 13)
    yield arrow((168, 81), (206, 81))
    yield box(208, 54, 124, 54, FRESH, 8, 3)
    yield text(270, 76, "reference", 14, NEW_TEXT, bold=True)
    yield text(270, 96, "at once", 13)
    yield text(428, 76, "free for\nother work", 13)
    yield text(599, 76, "weights", bold=True)
    yield text(599, 96, "9,640 bytes", 13)
    yield arrow((98, 110), (98, 247), (206, 247))
    yield text(108, 160, "ps.pull.remote(keys)", 13, anchor="start")
    yield box(208, 220, 310, 54, SERVER)
    yield text(363, 242, "pull", bold=True)
    yield text(363, 262, "copies the weights when its turn comes", 13)
    yield arrow((520, 247), (599, 247), (599, 112))
    yield text(589, 160, "ray.get(reference) waits for them", 13, anchor="end")


@drawn("A lost update")
def lost_update():
    """Two calls that read 4 at once both write 5; one by one they write 5 and 6."""
    for left in (10, 366):
        yield box(left + 70, 204, 262, 34, SERVER)
    for left, title, places, values, told in (
        (10, "two calls at once", (0, 120, 50, 190), "4545", "one addition is lost"),
        (366, "one call at a time", (0, 66, 134, 200), "4556", "both count"),
    ):
        yield text(left + 196, 38, title, 16, bold=True)
        for i, (place, value) in enumerate(zip(places, values, strict=True)):
            x, y, verb = left + 70 + place, 58 + 64 * (i // 2), ("read", "write")[i % 2]
            yield box(x, y, 60, 44, WORKER)
            yield text(x + 30, y + 19, verb, 13)
            yield text(x + 30, y + 37, value, 14)
            if verb == "write":
                yield text(left + 60, y + 27, f"call {i // 2 + 1}", anchor="end")
                yield arrow((x + 30, y + 46), (x + 30, 202))
                yield text(x + 30, 227, value, 16, bold=True)
        yield text(left + 60, 227, "total", anchor="end")
        yield text(left + 86, 227, 4, 16, bold=True)
        yield text(left + 196, 276, told, 14, NEW_TEXT, bold=True)


@drawn("Learning rate and workers")
def rate_and_workers():
    """Training losses: twice the workers need half the learning rate."""
    # The table is that which notebook 02 has printed.
    cells = json.loads((SERIES / "02_push_and_pull.ipynb").read_text("utf-8"))["cells"]
    outputs = [out for cell in cells for out in cell.get("outputs", ())]
    printed = ["".join(output.get("text", ())) for output in outputs]
    head, *lines = next(t for t in printed if "rate:" in t).splitlines()
    title = "How large a step may be, by workers that do not wait"
    yield text(360, 30, title, 16, bold=True)
    yield text(405, 298, "learning rate")
    for i, rate in enumerate(head.split()[2:]):
        yield text(225 + 90 * i, 278, rate)
    for row, line in enumerate(lines):
        staleness, *losses = line.split()
        workers = int(staleness) + 1
        y, name = 48 + 43 * row, "worker" if workers == 1 else "workers"
        yield text(168, y + 26, f"{workers} {name}", anchor="end")
        for column, loss in enumerate(losses):
            colours = FAILS if loss == "fails" else LEARNS
            edge = row + column == len(lines) - 1
            yield box(183 + 90 * column, y, 84, 37, colours, 4, 4 if edge else 1.5)
            yield text(225 + 90 * column, y + 24, loss)


def token(number, x, y, colours, waits=False):
    """Yield a worker as a round token on a number line at y."""
    yield box(x - 14, y - 36, 28, 28, colours, 14, dashed=waits)
    yield text(x, y - 17, number, bold=True)


@drawn("A window of clocks")
def window():
    """Workers inside the window go on; one to the right of it waits until it moves."""
    for y, words, ticks, (low, high), clocks in (
        (84, "s = 3: worker 0 is\n4 ahead, and waits", (5, 10), (5, 8), "9855"),
        (178, "workers 2 and 3 push:\nworker 0 goes on", (5, 10), (6, 9), "9866"),
        (282, "s = 1: 0 is busy at 10,\n1 pushes three times", (9, 13), (10, 11), ""),
    ):
        at = {clock: 280 + 90 * i for i, clock in enumerate(range(*ticks))}
        tall = 44 if clocks else 72
        yield text(16, y - 34, words, anchor="start")
        yield box(at[low] - 42, y - tall, 84 + 90 * (high - low), tall, FRESH, 6, 3)
        yield box(230, y, 470, 2, (TEXT, TEXT), 0, 0)
        for clock, x in at.items():
            yield text(x, y + 19, clock, 13)
        for number, clock in enumerate(map(int, clocks)):
            x = at[clock] + (number - 2.5) * 36 * (number > 1)
            waits = clock > high
            yield from token(number, x, y, WHITE if waits else WORKER, waits)
    yield from token(0, 370, y - 30, WORKER)
    yield from token(1, 280, y + 2, WORKER)
    for x in (280, 370, 460):
        yield arrow((x + 17, y - 20), (x + 75, y - 20), new=True)
    yield from token(1, 550, y + 2, WHITE, waits=True)


@drawn("Half an update")
def half_an_update():
    """Two pushes to two servers arrive crosswise: versions, and x + y, after each."""
    yield text(640, 44, "versions: x + y", bold=True)
    for x, name, colours in (
        (70, "worker 0", WORKER),
        (220, "server x", SERVER),
        (370, "server y", SERVER),
        (520, "worker 1", WORKER),
    ):
        yield box(x - 54, 20, 108, 36, colours)
        yield text(x, 44, name, bold=True)
        yield box(x - 1, 60, 2, 236, (GREY, GREY), 0, 0)
    for y, start, end, pushed, seen in (
        (106, 70, 220, "+1", "[1, 0]: 1"),
        (162, 520, 370, "−5", "[1, 1]: −4"),
        (218, 70, 370, "−1", "[1, 2]: −5"),
        (274, 520, 220, "+5", "[2, 2]: 0"),
    ):
        nearby = start + (40 if start < end else -40)
        yield arrow((start, y), (end, y), new=True)
        yield text(nearby, y - 10, pushed, 16, NEW_TEXT, bold=True)
        yield text(640, y + 5, seen, 16)


@drawn("The steps of a ring")
def ring_steps():
    """Three members: two steps that add make a sum each, two steps pass them on."""
    held = [[{w} for _ in range(3)] for w in range(3)]  # whose sum, member by part
    for w in range(3):
        yield text(74, 136 + 46 * w, f"member {w}", 13, anchor="end")
    way = ("start", 0, 0), ("add", 0, 0), ("add", 0, 1), ("keep", 1, 0), ("keep", 1, 1)
    for frame, (name, shift, step) in enumerate(way):
        x, changed = 86 + 126 * frame, set()
        if frame:  # as in notebook 6b's all_reduce
            sent = [(w, (w + shift - step) % 3) for w in range(3)]
            for (w, p), whole in [((w, p), held[w][p]) for w, p in sent]:
                held[(w + 1) % 3][p] = held[(w + 1) % 3][p] | whole
                changed.add(((w + 1) % 3, p))
        yield text(x + 57, 78, name, 16, bold=True)
        for p in range(3):
            yield text(x + 19 + 38 * p, 102, f"p{p}", 13)
        for w, row in enumerate(held):
            for p, who in enumerate(row):
                fill = (WHITE, WORKER, LEARNS)[len(who) - 1][0]
                line, stroke = (NEW, 3) if (w, p) in changed else (GREY, 1)
                words = "sum" if len(who) == 3 else "+".join(map(str, sorted(who)))
                left, y = x + 1 + 38 * p, 110 + 46 * w
                yield box(left, y, 36, 40, (fill, line), 4, stroke)
                yield text(left + 18, y + 25, words, 13)
        yield text(x + 57, 272, f"{frame} M / 3")
    yield text(360, 40, "What each member holds of each part", 16, bold=True)
    yield text(360, 296, "sent by each member so far, of M bytes", 13)


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


@drawn(
    "The map of the series",
    f"In reading order, a question each; notebooks {ready()} are ready.",
    "map",
)
def series_map():
    for row, notebooks in enumerate(NOTEBOOKS):
        for column, (number, title, *question) in enumerate(notebooks):
            x, y = 15 + 141 * column, 12 + 98 * row
            done = any((SERIES / "teacher").glob(f"{number}_*.ipynb"))
            name = number if done else f"{number}, planned"
            yield box(x, y, 122, 88, PALE if done else WHITE, dashed=not done)
            yield text(x + 61, y + 20, name, 13)
            yield text(x + 61, y + 40, title, 13, bold=True)
            for i, words in enumerate(question):
                yield text(x + 61, y + 60 + 17 * i, words, 13)
            if column:
                yield arrow((x - 19, y + 44), (x, y + 44))


def make(folder):
    """Return {path: picture}."""
    return {folder / "figures" / name: draw() for name, draw in PICTURES.items()}


if __name__ == "__main__":
    sys.exit(command.keep(__doc__, make))
