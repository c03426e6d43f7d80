"""Send fewer bytes of an update than it has, and owe the rest. Notebook 06b tries it.

What was left out is added to the next update (error feedback: Seide et al., 1-bit
stochastic gradient descent, 2014). So nothing is lost but what is owed at the end, or
by a process that dies. Weights do not travel like this: an update is right for those
that the server has, and nobody would owe a worker what its own lack.
"""

import math
from itertools import pairwise

import numpy as np

ONE_IN = 100  # numbers is sent by topk
BLOCK = 65_536  # numbers that stay in a core's cache


class Whole:
    """A way to send updates: as they are.

    Each end of a line has one, made of an update's shapes. `pack` returns the arrays
    to send, the same until the next. They are received into those of `room`; of them
    `unpack` writes an update, or raises ValueError.
    """

    def __init__(self, shapes):
        self.shapes = list(shapes)

    def pack(self, update, counts=True):
        return update

    def room(self, update):
        return update

    def unpack(self, update):
        pass


class Owing(Whole):
    """Send a ``message`` of what is ``owed``; where it would not count, zeros."""

    def __init__(self, shapes):
        super().__init__(shapes)
        self.starts = np.cumsum([0, *map(math.prod, self.shapes)])
        self.owed = np.zeros(self.starts[-1], np.float32)

    def cut(self, flat):
        """Return the pieces of a flat array that have the shapes of an update."""
        pieces = zip(pairwise(self.starts), self.shapes, strict=True)
        return [flat[start:stop].reshape(shape) for (start, stop), shape in pieces]

    def pack(self, update, counts=True):
        if not counts:
            return [np.zeros_like(part) for part in self.message]
        with np.errstate(over="ignore", invalid="ignore"):
            for owed, part in zip(self.cut(self.owed), update, strict=True):
                owed += part
            self.settle()
        return self.message

    def room(self, update):
        return self.message


class Half(Owing):
    """Send float16, and a power of two that makes the largest of them about 2 ** 15.

    As they are, most updates would be too small for float16: it has 24 bits below 1,
    and what is less than 2 ** -14 takes processors ten times as long to convert.
    """

    def __init__(self, shapes):
        super().__init__(shapes)
        self.message = [np.empty(self.owed.shape, np.float16), np.ones(1, np.float32)]
        self.scratch = np.empty(min(BLOCK, self.owed.size), np.float32)

    def settle(self):
        half, told = self.message
        largest = max(self.owed.max(initial=0), -self.owed.min(initial=0))
        exponent = math.frexp(largest)[1] if np.isfinite(largest) else 15
        told[0] = scale = np.float32(math.ldexp(1, max(-125, exponent - 15)))
        for start in range(0, self.owed.size, BLOCK):
            owed, part = (all_[start : start + BLOCK] for all_ in (self.owed, half))
            scratch = self.scratch[: len(owed)]
            np.multiply(owed, 1 / scale, out=scratch)
            np.copyto(part, scratch, casting="same_kind")
            owed -= np.multiply(part, scale, out=scratch)

    def unpack(self, update):
        half, [scale] = self.message
        for array, part in zip(update, self.cut(half), strict=True):
            np.multiply(part, scale, out=array)


class Largest(Owing):
    """Send the largest numbers, of which NaN is one, and where they belong.

    An optimizer then gets gradients that are mostly 0: Adam, which divides by their
    size, learns slower.
    """

    def __init__(self, shapes):
        super().__init__(shapes)
        size = self.owed.size
        count = min(size, max(1, size // ONE_IN))
        kinds = np.min_scalar_type(size), np.float32  # two bytes for a small index
        self.message = [np.empty(count, kind) for kind in kinds]

    def settle(self):
        indices, values = self.message
        last = max(0, self.owed.size - len(values))
        order = np.argpartition(np.abs(self.owed), last) if last else indices * 0
        indices[:] = found = np.sort(order[last:])
        values[:] = self.owed[found]
        self.owed[found] = 0

    def unpack(self, update):
        indices, values = self.message[0].astype(np.intp), self.message[1]
        ends = np.searchsorted(indices, self.starts)
        if ends[-1] < len(indices) or (np.diff(indices) < 0).any():
            raise ValueError("this is no update: its indices are too large or unsorted")
        starts, pieces = self.starts[:-1], pairwise(ends)
        for array, start, (a, b) in zip(update, starts, pieces, strict=True):
            array.fill(0)
            array.reshape(-1)[indices[a:b] - start] = values[a:b]


WAYS = {"none": Whole, "float16": Half, "topk": Largest}
