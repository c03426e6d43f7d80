"""Wrong and right answers to the exercises of notebook 07."""

import os
import shutil
import tempfile
from collections import Counter

import numpy as np
from answers import all_tests_of

from ps_helpers.checks import failures as checks

KNOWN = "step <= self.highest.get(worker, -1)"
BOTH = "return sorted(lost), sorted(p for p in weights if weights[p] > 1)"
HALF, WRITE = 'path.with_suffix(".half")', "np.savez(file, **arrays)"
REPLACE, CLOSE = "os.replace(half, path)", "os.close(parent)"
REFUSED = {
    "Once": [
        ("<=", "<", "is_new"),
        ("return True", "return step", "return True or False"),
    ],
    "lost_and_twice": [
        (BOTH, "return lost", "return two lists"),
        (BOTH, "return [worker for worker, _ in lost], []", "a push is a pair"),
        (BOTH, "return sorted(lost), []", "lost_and_twice("),
    ],
    "save": [
        (HALF, "path", "it writes over the old file"),
        (HALF, 'path.parent.with_suffix(".half")', "beside the old"),
        (WRITE, "pass", "np.load cannot read it"),
        (WRITE, 'np.savez(f"{path}.npz", **arrays)', "np.savez adds .npz"),
        ("**arrays", "W=arrays['W']", "are not those given"),
        (
            "**arrays",
            "**{k: np.rint(arrays[k]) for k in arrays}",
            "are not those given",
        ),
        ("os.fsync(file.fileno())", "pass", "before the rename"),
        (REPLACE, "pass", "the old file is still there"),
        (REPLACE, "path.unlink()", "there is no file at path"),
        (REPLACE, f"path.unlink(); {REPLACE}", "a rename replaces it at once"),
        (REPLACE, "path.unlink(); os.link(half, path)", "rename the new file to path"),
        (
            REPLACE,
            f"{REPLACE}; os.rename(path, half); os.link(half, path)",
            "gives the new file the name path",
        ),
        (
            REPLACE,
            f"half.write_bytes(b''); {REPLACE}; np.savez(path, **arrays)",
            "not complete when it was renamed",
        ),
        ("os.fsync(parent)", "pass", "on the folder at the end"),
        (CLOSE, f"{CLOSE}; arrays.clear()", "it changed its argument arrays"),
        (CLOSE, f"{CLOSE}; os.link(path, half)", "it leaves another file behind"),
    ],
}


class WithASet:
    def __init__(self):
        self.seen = set()

    def is_new(self, worker, step):
        new = (worker, step) not in self.seen
        self.seen.add((worker, step))
        return np.bool_(new)


def last_crash_counts(history):
    crashes = [i for i, event in enumerate(history) if event[0] == "crash"]
    kept, start = [], 0
    for crash in crashes:
        saves = [i for i in range(start, crash) if history[i][0] == "save"]
        kept += history[start : saves[-1] if saves else start]
        start = crash + 1
    applied = [event for event in [*kept, *history[start:]] if event[0] == "apply"]
    count = Counter(event[1:] for event in applied)
    answered = {event[1:] for event in history if event[0] == "answer"}
    return sorted(answered - {*count}), sorted(p for p in count if count[p] > 1)


def with_mkstemp(path, arrays):
    number, name = tempfile.mkstemp(dir=path.parent)
    with os.fdopen(number, "wb") as file:
        np.savez_compressed(file, **arrays)
        file.flush()
        os.fsync(number)
    shutil.move(name, path)
    folder = os.open(path.parent, os.O_RDONLY)
    os.fsync(folder)
    os.close(folder)


RIGHT = {
    "Once": [WithASet, (KNOWN, "step != self.highest.get(worker, -1) + 1")],
    "lost_and_twice": [last_crash_counts],
    "save": [
        with_mkstemp,
        (REPLACE, "half.rename(path)"),
        ("os.fsync(file.fileno())", "os.fsync(file)"),
    ],
}
TestAnswers = all_tests_of(REFUSED, RIGHT, checks)
