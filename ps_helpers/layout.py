"""Know which piece of which array lies on which server. Notebook 05 builds it."""

import math
from itertools import chain, pairwise
from typing import NamedTuple

import numpy as np

from ps_helpers.store import require_shapes


class Piece(NamedTuple):
    """The elements start to stop of the flattened array of a key, on a server."""

    key: str
    start: int
    stop: int
    server: int

    @property
    def name(self):
        """Return the key under which the server holds it."""
        return f"{self.key}[{self.start}:{self.stop}]"


def require_servers(num_servers):
    """Raise ValueError unless there is a server at all."""
    if num_servers < 1:
        raise ValueError(f"{num_servers} servers hold no weights: ask for 1 or more")


def require_cover(pieces, shapes, num_servers):
    """Raise ValueError unless pieces have each element once, on one of the servers."""
    require_servers(num_servers)
    stops = {}
    for piece in sorted(pieces):
        known = piece.key in shapes and 0 <= piece.server < num_servers
        if not known or piece.start != stops.get(piece.key, 0):
            raise ValueError(f"{piece} overlaps, leaves a gap or belongs nowhere")
        stops[piece.key] = piece.stop
    for key, shape in shapes.items():
        if stops.get(key) != math.prod(shape):
            raise ValueError(f"the pieces of {key} do not make up the shape {shape}")


def require_parts(parts, pieces):
    """Raise ValueError unless there is a 1-D part for each piece, server by server."""
    for of_server, mine in zip(parts, pieces, strict=True):
        require_shapes(of_server, [(p.stop - p.start,) for p in mine])


def together(parts, shape):
    """Return the array of this shape that was cut into these parts.

    A single part is not copied.
    """
    whole = parts[0] if len(parts) == 1 else np.concatenate(parts)
    return np.reshape(whole, shape)


def by_ranges(sizes, num_servers):
    """Return pieces such that servers' numbers of elements differ by at most one.

    All arrays lie end to end, and that line is cut into equal ranges: an array
    that lies across a cut has several pieces. ``sizes`` is {key: number of elements}.
    """
    require_servers(num_servers)
    total = sum(sizes.values())
    cuts = [total * server // num_servers for server in range(num_servers + 1)]
    pieces, begin = [], 0  # where this array begins on the line
    for key, size in sizes.items():
        for server, (low, high) in enumerate(pairwise(cuts)):
            start, stop = max(low - begin, 0), min(high - begin, size)
            if start < stop:
                pieces.append(Piece(key, start, stop, server))
        begin += size
    return pieces


class Layout:
    """Know which piece of which array lies on which server.

    ``pieces`` cover each array of ``shapes``, {key: shape}, exactly once;
    ``names`` has, for each server, the keys under which it holds its pieces.
    Raises ValueError where pieces or shapes do not fit.
    """

    def __init__(self, pieces, shapes, num_servers):
        require_cover(pieces, shapes, num_servers)
        self.shapes, self.of_server = dict(shapes), []
        for server in range(num_servers):
            self.of_server.append([p for p in pieces if p.server == server])
        self.names = [[p.name for p in mine] for mine in self.of_server]

    def split(self, values):
        """Return for each server a list of 1-D parts; ``values`` in key order.

        The parts are views of values that lie in one run of memory, else of copies.
        """
        require_shapes(values, self.shapes.values())
        flat = [np.reshape(value, -1) for value in values]
        of_key = dict(zip(self.shapes, flat, strict=True))
        return [
            [of_key[p.key][p.start : p.stop] for p in mine] for mine in self.of_server
        ]

    def join(self, parts):
        """Return the arrays that were split; an array in one piece is not copied."""
        require_parts(parts, self.of_server)
        pieces, parts = chain(*self.of_server), chain(*parts)
        found = dict(zip(pieces, parts, strict=True))
        of_key = {key: [] for key in self.shapes}
        for piece in sorted(found):
            of_key[piece.key].append(found[piece])
        return [together(of_key[key], shape) for key, shape in self.shapes.items()]

    def empty(self):
        """Return arrays of all shapes, to compute an update into."""
        return [np.empty(shape, np.float32) for shape in self.shapes.values()]

    def parts(self):
        """Return for each server the shapes of its pieces by name."""
        return [{p.name: (p.stop - p.start,) for p in mine} for mine in self.of_server]
