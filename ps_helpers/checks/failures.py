"""Checks of notebook 07."""

import contextlib
import os
import tempfile
from collections import Counter
from pathlib import Path
from unittest import mock

import numpy as np

from ps_helpers.checks.tables import play, same, table
from ps_helpers.checks.verdict import as_numbers, exercise, listed, require


def yes_or_no(results):
    """Return the results of a play; refuse any that is neither True nor False."""
    for result in results:
        require(result is not None, "it returned nothing; end it with a return")
        require(isinstance(result, bool | np.bool_), "return True or False")
    return results


def asked(text):
    """Return a play of `Once`: calls of is_new, of pairs such as 2:0."""
    return (), [("is_new", *map(int, pair.split(":"))) for pair in text.split()]


KNOWN = "step <= self.highest.get(worker, -1)"


@table(
    calls=[
        asked("0:0 0:1 1:0 0:0"),
        asked("0:0 0:0 0:0"),
        asked("3:0 3:1 3:2 3:0 3:1 3:2 3:3 3:3"),
        asked("11:0 0:0 11:0 0:0 11:1 0:1 0:0 11:0 11:2 11:1"),
        asked("7:0 8:0 9:0 7:1 8:0 9:1 7:1 8:1 9:1 7:0 9:2"),
        asked("1:0 1:1 2:0 2:1 1:1 1:2 2:1 2:0 2:2 1:2 1:0"),
    ],
    returns=yes_or_no,
    run=play,
    mistakes={
        "a push that comes late may be older than the last one: compare with <=": (
            "<= → =="
        ),
        "steps of different workers have the same numbers: keep one for each worker": [
            "get(worker → get(0 → [worker] = → [0] =",
            f"{KNOWN} → step in self.highest → [worker] = step → [step] = 0",
        ],
        "step 0 is a step, too: it comes again, and is not new": (
            "self.highest.get(worker, -1) → (self.highest.get(worker) or -1)"
        ),
        "the first step of each worker, 0, is new": "-1 → 0",
        "note the step when it is new": "self.highest[worker] = step → pass",
        "that is the other way round: True is for a new step": (
            "return False → return True → return step >= 0 → return False"
        ),
        "another worker in between makes no step new: do not compare with the last "
        "push alone": (
            f"{KNOWN} → self.highest == {{worker: step}}"
            " → self.highest[worker] = step → self.highest = {worker: step}"
        ),
    },
)
class Once:
    def __init__(self):
        self.highest = {}

    def is_new(self, worker, step):
        if step <= self.highest.get(worker, -1):
            return False
        self.highest[worker] = step
        return step >= 0


def two_lists(result):
    """Return two lists of pushes; refuse what is no such pair."""
    pair = listed(result)
    require(len(pair) == 2, "return two lists: lost ones, and those there twice")
    for part in pair:
        for push in listed(part):
            numbers = as_numbers(push)
            good = numbers is not None and numbers.shape == (2,)
            require(good, "a push is a pair (worker, step), as in a history")
    return [[tuple(map(int, push)) for push in part] for part in pair]


def told(text):
    """Return a history of words: +w.s apply, !w.s answer, save, crash."""
    names, found = {"+": "apply", "!": "answer"}, []
    for word in text.split():
        pair = word[0] in names and map(int, word[1:].split("."))
        found.append((names[word[0]], *pair) if pair else (word,))
    return (found,)


LAST = "return sorted(lost), sorted(twice)"


@table(
    calls=[
        told("+0.0 !0.0 save crash"),
        told("+0.0 !0.0 crash"),
        told("+0.0 save crash +0.0 !0.0"),
        told("+0.0 crash +0.0 save !0.0 crash"),
        told("save +0.0 crash"),
        told(""),
        told("+2.0 save +2.1 !2.0 crash crash +2.1 !2.1 save +11.0 !11.0 +2.1 crash"),
        told("+1.3 !1.3 !1.3 +0.7 save +1.4 !1.4 +3.0 crash +3.0 !3.0 +1.3 +0.7 +1.3"),
        told("+5.1 +4.2 save +4.2 !5.1 !4.2 crash +5.1 +4.2 +5.2 !5.2 save crash +6.0"),
        told("+9.1 +0.2 +7.5 !9.1 !0.2 !0.2 !7.5 crash +3.3 +3.3 +3.1 +3.1"),
        told("+9.1 !9.1 +0.2 !0.2 save +0.2 +12.0 !12.0 +3.3 !3.3 crash +3.3 crash"),
    ],
    returns=two_lists,
    mistakes={
        "a crash takes the weights back to those that were saved last": [
            "weights = saved.copy() → pass",
            "crash → none of them",
        ],
        "after a crash the weights that were saved are still there": (
            "weights = saved.copy() → weights = Counter()"
        ),
        "what was saved must not change with the weights: save a copy": [
            "saved = weights.copy() → saved = weights",
        ],
        "the weights after a crash are a copy of what was saved: it may crash again": (
            "weights = saved.copy() → weights = saved"
        ),
        "only a push that was answered is lost: others will come again": [
            "for p in answered if → for p in ever if",
        ],
        "count what is in the weights at the end, not all that was ever applied": (
            "for p in weights if weights[p] > 1 → for p in ever if ever[p] > 1"
        ),
        "lost ones come first, then those that are there twice": (
            f"{LAST} → return sorted(twice), sorted(lost)"
        ),
        "both lists are to be sorted": (f"{LAST} → return lost[::-1], twice[::-1]"),
        "a push that was answered twice and lost is lost once": (
            "if push not in answered else None →"
        ),
        "a push that is there once is as it should be: twice is more than once": (
            "weights[p] > 1 → weights[p] > 0"
        ),
        "a push is lost if it is missing at the end, answered or not applied again": (
            "for p in answered if not weights[p] → for p in answered if not saved[p]"
        ),
    },
)
def lost_and_twice(history):
    weights, saved, ever, answered = Counter(), Counter(), Counter(), []
    for what, *names in history:
        push = tuple(names)
        if what == "apply":
            weights[push] += 1
            ever[push] += 1
        elif what == "answer":
            answered.append(push) if push not in answered else None
        elif what == "save":
            saved = weights.copy()
        elif what == "crash":
            weights = saved.copy()
    lost = [p for p in answered if not weights[p]]
    twice = [p for p in weights if weights[p] > 1]
    return sorted(lost), sorted(twice)


class Disk:
    """Note what is made durable and renamed in a folder while an answer runs.

    A file that is open keeps what it is: `old` tells whether it was written over.
    """

    def __init__(self, folder):
        self.path, self.synced, self.moves = Path(folder, "weights.npz"), [], []
        np.savez(self.path, w=[0.0])
        self.contents = self.path.read_bytes()

    @contextlib.contextmanager
    def watched(self):
        names = "fsync", "replace", "rename"
        wrapped = {name: self.wrap(name, getattr(os, name)) for name in names}
        with open(self.path, "rb") as self.old, mock.patch.multiple(os, **wrapped):
            yield
            self.old_is_whole = self.old.read() == self.contents

    def wrap(self, name, function):
        def fsync(place):
            function(place)
            number = getattr(place, "fileno", lambda: place)()
            self.synced.append(os.fstat(number).st_ino)

        def move(source, target, **options):
            whole = self.path.exists() and self.path.read_bytes() == self.contents
            self.moves.append((Path(source), Path(target), whole, read(source)))
            self.before = list(self.synced)
            self.moved = os.stat(source).st_ino
            function(source, target, **options)

        return fsync if name == "fsync" else move


def read(path):
    """Return the arrays of a file, or None where it is no file of arrays."""
    try:
        with np.load(path) as file:
            return dict(file)
    except Exception:
        return None


ARRAYS = {"W": np.array([[0.5, -2.0], [0.0, 7.25]], np.float32), "version": np.array(7)}


@exercise
def save(answer):
    with tempfile.TemporaryDirectory() as folder:
        disk, arrays = Disk(folder), {k: a.copy() for k, a in ARRAYS.items()}
        with disk.watched():
            answer(disk.path, arrays)
        require(same(arrays, ARRAYS), "it changed its argument arrays; leave it alone")
        extra = sorted(p.name for p in Path(folder).iterdir() if p != disk.path)
        doubled = [name for name in extra if name.endswith(".npz.npz")]
        require(not doubled, "np.savez adds .npz to a name: give it an open file")
        found = read(disk.path)
        require(disk.path.exists(), "there is no file at path when it is done")
        require(disk.path.read_bytes() != disk.contents, "the old file is still there")
        require(found is not None, "np.load cannot read it: write it with np.savez")
        require(same(found, ARRAYS), "the arrays that are read are not those given")
        require(
            disk.old_is_whole, "it writes over the old file: write a new one beside"
        )
        require(disk.moves, "rename the new file to path, with os.replace")
        source, target, whole, moved = disk.moves[-1]
        require(target == disk.path, "the last rename gives the new file the name path")
        require(whole, "it takes the old file away first: a rename replaces it at once")
        require(source.parent == disk.path.parent, "write the new file beside the old")
        require(
            same(moved, ARRAYS), "the new file was not complete when it was renamed"
        )
        require(
            disk.moved in disk.before, "call os.fsync on the file before the rename"
        )
        later = disk.synced[len(disk.before) :]
        require(
            os.stat(folder).st_ino in later, "call os.fsync on the folder at the end"
        )
        require(not extra, "it leaves another file behind")
