"""Rows of a table that is far larger than what a step needs. Notebook 05b builds it.

A key is a row's number; gradients are pushed, and the server makes updates of them.
"""

import numpy as np


def require_rows(keys):
    """Return row numbers as an array; raise TypeError or ValueError for others."""
    rows = np.asarray(keys)
    if rows.ndim != 1:
        raise ValueError(f"keys are a list of row numbers, not of shape {rows.shape}")
    if rows.size and rows.dtype.kind not in "iu":
        raise TypeError(f"keys are whole numbers, of rows, not {rows.dtype}")
    if (rows < 0).any():
        raise ValueError(f"there is no row {rows.min()}: rows count from 0")
    return rows


def require_gradients(values, shape):
    """Return gradients as float32; raise TypeError or ValueError unless they fit."""
    gradients = np.asarray(values)
    if gradients.shape != shape:
        raise ValueError(f"gradients must have the shape {shape}: {gradients.shape}")
    if gradients.dtype.kind not in "fiu":
        raise TypeError(f"gradients are numbers, not {gradients.dtype}")
    with np.errstate(over="ignore"):  # what gets too large is found by summed
        return gradients.astype(np.float32)


def summed(rows, gradients):
    """Return unique rows, rising, and finite sums by row, or raise ValueError."""
    order = np.argsort(rows, kind="stable")
    unique, first = np.unique(rows[order], return_index=True)
    with np.errstate(over="ignore", invalid="ignore"):
        sums = np.add.reduceat(gradients[order], first, axis=0)
    if not np.isfinite(sums).all():
        raise ValueError("a gradient is not finite, or their sum is not")
    return unique, sums


class Rows:
    """Hold rows by number, with a number of state each, made when first asked for.

    First values, within ``scale`` of 0, depend on ``seed`` and the row alone.
    """

    def __init__(self, width, seed=0, scale=0.01):
        self.width, self.seed, self.scale = width, seed, scale
        self.place = {}  # row -> its place in both arrays
        self.values = np.empty((0, width), np.float32)
        self.squares = np.empty(0)

    def places(self, rows):
        """Return where rows lie, and make those that are new."""
        rows = rows.tolist()
        for row in set(rows).difference(self.place):
            self.make(row)
        return np.array([*map(self.place.get, rows)], np.intp)

    def make(self, row):
        """Make a row, and room for as many again where there is none."""
        place = self.place[row] = len(self.place)
        if place == len(self.values):
            self.values = np.pad(self.values, [(0, place + 1), (0, 0)])
            self.squares = np.pad(self.squares, (0, place + 1))
        rng = np.random.default_rng([self.seed, row])
        self.values[place] = rng.uniform(-self.scale, self.scale, self.width)


class RowServer(Rows):
    """Train rows with Adagrad (Duchi et al., 2011), one number of state a row.

    As FBGEMM's ``rowwise_adagrad``. Lazy equals dense: no gradient, no change.
    """

    def __init__(self, width, lr=0.3, **options):
        super().__init__(width, **options)
        self.lr, self.version = lr, 0  # version: how many pushes were applied

    def pull(self, keys):
        """Return copies of rows, (len(keys), width), in the order asked."""
        places = self.places(require_rows(keys))  # first: it may move the values
        return self.values[places]

    def push(self, keys, values):
        """Add up gradients, (len(keys), width), by row; return the version.

        Raises TypeError or ValueError, and changes nothing, for what does not fit.
        """
        rows = require_rows(keys)
        gradients = require_gradients(values, (len(rows), self.width))
        rows, sums = summed(rows, gradients)
        places = self.places(rows)
        self.squares[places] += np.square(sums, dtype=float).mean(axis=1)
        rates = self.lr / (np.sqrt(self.squares[places]) + 1e-8)
        self.values[places] -= rates[:, np.newaxis].astype(np.float32) * sums
        self.version += 1
        return self.version
