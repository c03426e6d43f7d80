"""Wrong and right answers to the exercises of notebook 07."""

import os
import pickle
import shutil
import tempfile
from collections import Counter
from pathlib import Path

import numpy as np
from answers import all_tests_of

from ps_helpers.checks import failures as checks


class WithASet:
    def __init__(self):
        self.seen = set()

    def is_new(self, worker, step):
        new = (worker, step) not in self.seen
        self.seen.add((worker, step))
        return np.bool_(new)


class Expecting:
    def __init__(self):
        self.next = Counter()

    def is_new(self, worker, step):
        if step == self.next[worker]:
            self.next[worker] += 1
            return True
        return False


class OneSet(WithASet):
    def is_new(self, worker, step):
        return super().is_new(0, step)


class SaysNothing(Expecting):
    def is_new(self, worker, step):
        return super().is_new(worker, step) or None


class SaysTheStep(Expecting):
    def is_new(self, worker, step):
        return step if super().is_new(worker, step) else -1


class FirstOnly(Expecting):
    def is_new(self, worker, step):
        return super().is_new(worker, step) and step == 0


def with_lists(history):
    weights, saved, answered = [], [], []
    for event in history:
        if event[0] == "apply":
            weights.append(event[1:])
        if event[0] == "answer":
            answered.append(event[1:])
        if event[0] == "save":
            saved = weights[:]
        if event[0] == "crash":
            weights = saved[:]
    return (
        sorted({p for p in answered if p not in weights}),
        sorted({p for p in weights if weights.count(p) > 1}),
    )


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


def one_list(history):
    return with_lists(history)[0]


def only_workers(history):
    return [[worker for worker, _ in part] for part in with_lists(history)]


def empties_the_history(history):
    found = with_lists(history)
    history.clear()
    return found


def never_twice(history):
    return with_lists(history)[0], []


def folder_synced(folder):
    place = os.open(folder, os.O_RDONLY)
    os.fsync(place)
    os.close(place)


def written(path, arrays, sync=True):
    with open(path, "wb") as file:
        np.savez(file, **arrays)
        if sync:
            file.flush()
            os.fsync(file.fileno())
    return path


def with_rename(path, arrays):
    half = written(path.parent / "half of it", arrays)
    half.rename(path)
    folder_synced(path.parent)


def in_two_folders(path, arrays):
    with tempfile.TemporaryDirectory(dir=path.parent) as name:
        place = written(Path(name, "new"), arrays)
        shutil.copy(place, path.with_suffix(".new"))
    with open(path.with_suffix(".new"), "rb") as file:
        os.fsync(file)
    os.rename(path.with_suffix(".new"), path)
    folder_synced(path.parent)


def with_mkstemp(path, arrays):
    number, name = tempfile.mkstemp(dir=path.parent)
    with os.fdopen(number, "wb") as file:
        np.savez_compressed(file, **arrays)
        file.flush()
        os.fsync(number)
    shutil.move(name, path)
    folder_synced(path.parent)


def in_place(path, arrays):
    written(path, arrays)


def name_given(path, arrays):
    np.savez(f"{path}", **arrays)


def name_doubled(path, arrays):
    np.savez(f"{path}.npz", **arrays)
    os.replace(f"{path}.npz", path)
    np.savez(f"{path}.npz", **arrays)


def elsewhere(path, arrays):
    with_rename(path.with_name("other.npz"), arrays)


def removes_both(path, arrays):
    os.remove(path)


def pickled(path, arrays):
    half = path.with_suffix(".half")
    half.write_bytes(pickle.dumps(arrays))
    os.replace(half, path)


def of_one_array(path, arrays):
    with_rename(path, {"W": arrays["W"]})


def rounded(path, arrays):
    with_rename(path, {name: np.rint(array) for name, array in arrays.items()})


def removed_first(path, arrays):
    half = written(path.with_suffix(".half"), arrays)
    path.unlink()
    os.rename(half, path)
    folder_synced(path.parent)


def without_a_rename(path, arrays):
    half = written(path.with_suffix(".half"), arrays)
    path.unlink()
    os.link(half, path)
    half.unlink()


def old_one_back(path, arrays):
    half = written(path.with_suffix(".half"), arrays)
    os.replace(half, path)
    os.rename(path, half)
    shutil.copy(half, path)


def from_another_folder(path, arrays):
    with tempfile.TemporaryDirectory() as name:
        os.replace(written(Path(name, "new"), arrays), path)


def too_early(path, arrays):
    half = path.with_suffix(".half")
    with open(half, "wb") as file:
        file.write(b"")
        os.replace(half, path)
        np.savez(file, **arrays)


def adds_an_array(path, arrays):
    with_rename(path, arrays)
    arrays["saved"] = np.ones(1)


def leaves_a_copy(path, arrays):
    with_rename(path, arrays)
    shutil.copy(path, path.with_suffix(".old"))


RETURN = "return sorted(lost), sorted(p for p in weights if weights[p] > 1)"
TestAnswers = all_tests_of(
    checks,
    mutations=[
        ("Once", "<=", "<", "not"),
        ("Once", "<=", "==", "compare with <="),
        ("Once", "return True", "return step", "return True or False"),
        ("Once", "return True", "return None", "it returned nothing"),
        ("lost_and_twice", "weights = saved.copy()", "pass", "a crash takes"),
        ("lost_and_twice", "weights.copy()", "weights", "save a copy"),
        ("lost_and_twice", "saved.copy()", "saved", "it may crash again"),
        ("lost_and_twice", RETURN, "return lost", "return two lists"),
        ("save", "os.fsync(file.fileno())", "pass", "before the rename"),
        ("save", "os.fsync(parent)", "pass", "on the folder at the end"),
        ("save", "os.replace(half, path)", "pass", "the old file is still there"),
        ("save", "np.savez(file, **arrays)", "pass", "np.load cannot read it"),
    ],
    wrong=[
        ("Once", OneSet, "keep one for each worker"),
        ("Once", SaysNothing, "it returned nothing"),
        ("Once", SaysTheStep, "return True or False"),
        ("Once", FirstOnly, "is_new"),
        ("lost_and_twice", one_list, "return two lists"),
        ("lost_and_twice", only_workers, "a push is a pair"),
        ("lost_and_twice", empties_the_history, "it changed its argument history"),
        ("lost_and_twice", never_twice, "lost_and_twice("),
        ("save", in_place, "it writes over the old file"),
        ("save", name_given, "it writes over the old file"),
        ("save", name_doubled, "np.savez adds .npz"),
        ("save", elsewhere, "the old file is still there"),
        ("save", removes_both, "there is no file at path"),
        ("save", pickled, "write it with np.savez"),
        ("save", of_one_array, "are not those given"),
        ("save", rounded, "are not those given"),
        ("save", removed_first, "a rename replaces it at once"),
        ("save", without_a_rename, "rename the new file to path"),
        ("save", old_one_back, "gives the new file the name path"),
        ("save", from_another_folder, "beside the old"),
        ("save", too_early, "not complete when it was renamed"),
        ("save", adds_an_array, "it changed its argument arrays"),
        ("save", leaves_a_copy, "it leaves another file behind"),
    ],
    right=[
        ("Once", WithASet),
        ("Once", Expecting),
        ("lost_and_twice", with_lists),
        ("lost_and_twice", last_crash_counts),
        ("save", with_rename),
        ("save", in_two_folders),
        ("save", with_mkstemp),
    ],
)
