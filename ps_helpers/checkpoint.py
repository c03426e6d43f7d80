"""Keep a server's state in files: each whole or not there, and data alone.

A server writes its state after every n-th update and before it answers anybody, so
with n = 1 no step that was answered is ever done again. With a larger n the steps
since the last checkpoint are forgotten together, weights and ledger, and workers do
them again: a step depends on (seed, worker, step) alone. Notebook 07 builds it.
"""

import json
import math
import os
import re
import zipfile
from pathlib import Path

import numpy as np

FORMAT = 1
KINDS = {"list": list, "tuple": tuple, "set": set, "dict": dict}


class CheckpointError(ValueError):
    """A file is damaged or no checkpoint; the message names it and says why."""


def pack(value, arrays, path):
    """Return a value as JSON has it; its arrays are put into ``arrays``, by path."""
    if isinstance(value, np.ndarray):
        arrays[path] = value
        return {"array": path}
    kind = type(value).__name__
    if kind not in KINDS:
        return value
    if kind == "dict":
        return {kind: [[k, pack(v, arrays, f"{path}.{k}")] for k, v in value.items()]}
    return {kind: [pack(v, arrays, f"{path}.{i}") for i, v in enumerate(value)]}


def unpack(value, arrays):
    """Return what `pack` was given."""
    if not isinstance(value, dict):
        return value
    [(kind, items)] = value.items()
    if kind == "array":
        return arrays[items]
    if kind == "dict":
        return {key: unpack(v, arrays) for key, v in items}
    return KINDS[kind](unpack(v, arrays) for v in items)


def write(path, state):
    """Write a state to a file, at once: after a crash it is there whole or not."""
    arrays, temporary = {}, path.with_suffix(".tmp")
    content = {"format": FORMAT, "state": pack(state, arrays, "state")}
    header = np.frombuffer(json.dumps(content).encode(), np.uint8)
    try:
        with open(temporary, "wb") as file:
            np.savez(file, header=header, allow_pickle=False, **arrays)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    folder = os.open(path.parent, os.O_RDONLY)
    os.fsync(folder)  # or the new name may be lost with the power
    os.close(folder)


def require_honest(file, size):
    """Raise ValueError unless the arrays in a zip have the sizes that they claim."""
    if sum(info.file_size for info in file.infolist()) > size:
        raise ValueError("it is shorter than its arrays")
    for info in file.infolist():
        with file.open(info) as array:
            if np.lib.format.read_magic(array) != (1, 0):
                raise ValueError(f"{info.filename} is of another version")
            shape, _, dtype = np.lib.format.read_array_header_1_0(array)
            end = array.tell() + math.prod(map(abs, shape)) * dtype.itemsize
        if end != info.file_size or info.compress_type or dtype.kind not in "biufc":
            raise ValueError(f"{info.filename} is not what it says")


def read(path):
    """Return the state in a file; raise CheckpointError, before it takes memory."""
    try:
        with open(path, "rb") as file:
            with zipfile.ZipFile(file) as content:
                require_honest(content, os.fstat(file.fileno()).st_size)
            file.seek(0)
            with np.load(file, allow_pickle=False) as content:  # compares checksums
                arrays = dict(content)
        header = json.loads(arrays.pop("header").tobytes())
        if header["format"] != FORMAT:
            raise ValueError(f"its format is {header['format']}, not {FORMAT}")
        return unpack(header["state"], arrays)
    except Exception as error:
        raise CheckpointError(f"{path.name} is damaged: {error}") from error


def saved(folder, server=0):
    """Return {version: path} of a server's checkpoints, the oldest first."""
    names = os.listdir(folder) if os.path.isdir(folder) else []
    names = [re.fullmatch(rf"server{server}-(\d+)\.npz", name) for name in names]
    return dict(sorted((int(n[1]), Path(folder, n[0])) for n in names if n))


def newest(folder, num_servers=1):
    """Return the servers' states, and a sentence on each file that was passed over.

    They are of the newest version that all have intact, where there is one, or else
    the newest of each; None for all where a server has none.
    """
    states, damage = [{} for _ in range(num_servers)], []
    for server, own in enumerate(states):
        for version, path in saved(folder, server).items():
            try:
                own[version] = read(path)
            except CheckpointError as error:
                damage.append(f"{error}; the one before it is used.")
    if not all(states):
        return [None] * num_servers, damage
    common = set.intersection(*map(set, states))
    return [own[max(common or own)] for own in states], damage


class Keeper:
    """Write a server's state every so many updates, and keep the last two files.

    Where that fails, ``strict`` says whether the server fails too, or goes on with
    ``warning``, a sentence. ``more`` is saved with the state.
    """

    def __init__(self, folder, every=1, server=0, strict=True, more=()):
        self.folder, self.every, self.server = Path(folder), every, server
        self.strict, self.more, self.warning = strict, dict(more), ""

    def keep(self, server):
        """Write the state of a server if it is time, or at the end of its run."""
        version = server.store.version
        if version % self.every and not server.over:
            return
        try:
            self.folder.mkdir(exist_ok=True)
            path = self.folder / f"server{self.server}-{version}.npz"
            write(path, server.state() | self.more)
            others = saved(self.folder, self.server)
            before = max((v for v in others if v < version), default=version)
            for other in others.keys() - {version, before}:
                others[other].unlink()
            self.warning = ""
        except OSError as error:
            reason = f"update {version} could not be saved ({error.strerror})"
            self.warning = f"{reason}; what was saved before is intact"
            if self.strict:
                raise OSError(self.warning) from error
