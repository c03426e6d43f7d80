"""Rows of numbers in memory that processes can share, and TensorFlow can borrow."""

import copy
import math
import mmap
import os
import shutil
import tempfile

import numpy as np

from ps_helpers.optimizers import state_names

ALIGNED = 16  # float32 numbers: TensorFlow borrows arrays that begin at 64 bytes
SLICE = 65_536  # float32 numbers: a few slices fit into a core's own cache


def places(shapes):
    """Return where the arrays of a row begin, and the row's length, in numbers."""
    sizes = [-(-math.prod(shape) // ALIGNED) * ALIGNED for shape in shapes]
    return np.cumsum([0, *sizes])


class Table:
    """Rows of float32 numbers; each has room for one array of every shape.

    ``rows`` are flat, ``views`` the same as arrays in their shapes. The memory is
    that of a file, for all processes that open it, or without a file of this process
    alone.
    """

    def __init__(self, shapes, num_rows, file=None):
        self.shapes, self.file, starts = list(shapes), file, places(shapes)
        length = max(4 * num_rows * int(starts[-1]), mmap.PAGESIZE)
        # All of it is there from the start: the first steps would wait for pages.
        flags = mmap.MAP_SHARED | getattr(mmap, "MAP_POPULATE", 0)  # which Linux has
        memory = mmap.mmap(file.fileno() if file else -1, length, flags)
        numbers = np.frombuffer(memory, np.float32, num_rows * int(starts[-1]))
        self.rows = numbers.reshape(num_rows, -1)
        self.views = [
            [
                row[start : start + math.prod(shape)].reshape(shape)
                for start, shape in zip(starts[:-1], shapes, strict=True)
            ]
            for row in self.rows
        ]


def make_file(num_rows, shapes):
    """Return a new file without a name for so many rows of a `Table`.

    It is gone with the last process that has it, and lies in memory where /dev/shm
    has room. Raises MemoryError where no room is.
    """
    size = max(4 * num_rows * int(places(shapes)[-1]), mmap.PAGESIZE)
    for folder in ("/dev/shm", tempfile.gettempdir()):
        if os.path.isdir(folder) and shutil.disk_usage(folder).free > size:
            file = tempfile.TemporaryFile(dir=folder)
            file.truncate(size)
            return file
    raise MemoryError(
        f"{size / 1e6:.0f} MB for weights and updates, or a state, fit neither in "
        "/dev/shm nor in the folder for temporary files: start fewer workers."
    )


class Slices(Table):
    """A table of rows that several processes make at once, slice by slice.

    ``missing`` says of each slice of each row whether it is yet to be made: a mark is
    written after the numbers, and on x86, where this was tried, seen after them. An
    optimizer's state lies in rows of another table, beside those of versions.
    """

    def __init__(self, shapes, num_rows, file=None):
        length = int(places(shapes)[-1])
        super().__init__(with_marks(shapes), num_rows, file)
        self.num_slices = -(-length // SLICE)
        self.views = [arrays[:-1] for arrays in self.views]
        self.numbers = self.rows[:, :length]
        self.missing = self.rows[:, length : length + self.num_slices]
        self.scratch = np.empty(SLICE, np.float32)
        self.optimizer, self.states = None, np.empty((num_rows, 0, length), np.float32)

    def add_states(self, optimizer, num_rows, file=None):
        """Let an optimizer make what is added; its state gets so many rows.

        Returns {name: arrays} for each row, with the names of its lists.
        """
        self.names, size = state_names(optimizer), len(self.shapes) - 1
        shapes = self.shapes[:-1] * len(self.names)
        self.state_file = file or make_file(num_rows, shapes)
        table = Table(shapes, num_rows, self.state_file)
        self.states = table.rows.reshape(num_rows, -1, self.numbers.shape[1])
        self.optimizer = copy.copy(optimizer)  # without a state: workers get it
        vars(self.optimizer).update({name: [] for name in self.names})
        return [
            {name: row[k * size : (k + 1) * size] for k, name in enumerate(self.names)}
            for row in table.views
        ]

    def slice_of(self, row, i):
        """Return the numbers of slice i of a row."""
        return self.numbers[row, i * SLICE : (i + 1) * SLICE]

    def place_of(self, row, i):
        """Return slice i of a row, and of each kind of state that goes with it."""
        return self.slice_of(row, i), self.states[row, :, i * SLICE : (i + 1) * SLICE]

    def make(self, i, into, source, updates, step=0, old=(), new=()):
        """Write a source plus the mean of slice i of updates, which are rows.

        An optimizer makes of the mean what is added, and of the ``old`` state, that
        after so many steps, the ``new`` one.
        """
        change, *others = (self.slice_of(update, i) for update in updates)
        if others:
            change = np.add(change, others[0], out=self.scratch[: len(change)])
            for update in others[1:]:
                change += update
            change /= len(updates)
        if self.optimizer:
            new[...] = old  # which others may read
            optimizer = copy.copy(self.optimizer)
            state = zip(self.names, [[part] for part in new], strict=True)
            vars(optimizer).update(state, step=step)
            [change] = optimizer.updates([change])
        np.add(source, change, out=into)


def with_marks(shapes):
    """Return the shapes of a row of `Slices`, which ends with a mark a slice."""
    return [*shapes, (-(-int(places(shapes)[-1]) // SLICE),)]
