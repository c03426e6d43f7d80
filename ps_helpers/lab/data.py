"""Data sets, and how they are divided among workers."""

import gzip
import hashlib
import importlib
import os
import zlib
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ps_helpers.lab import machine

NAMES = ("digits", "mnist", "fashion_mnist")
FILES = {"mnist": "mnist.npz", "fashion_mnist": "fashion-mnist/*.gz"}  # Keras's
MNIST_SHA256 = "731c5ac602752760c8e48fbffcf8c3b850d9dc2a2aedcf2cc48468fc17b673d1"


class Data(NamedTuple):
    """A data set: images as rows of float32 in 0…1, labels as int32 in 0…9."""

    train_x: np.ndarray
    train_y: np.ndarray
    test_x: np.ndarray
    test_y: np.ndarray


class MissingDataError(RuntimeError):
    """A data set is neither on this machine, whole, nor comes from the network."""


def load(name="digits", seed=0):
    """Load a data set by name, its rows in a seeded order.

    ``digits`` has 1,437 training and 360 test images of 8×8 pixels and comes with
    scikit-learn. ``mnist`` and ``fashion_mnist`` have 60,000 and 10,000 of 28×28, split
    as they were published; Keras downloads them once and keeps them.

    Returns a `Data`: images of shape (rows, pixels), labels of shape (rows,).
    Raises ValueError for an unknown name, MissingDataError where there is neither
    a network nor a whole stored copy.
    """
    if name not in NAMES:
        raise ValueError(f"no data set is called {name!r}; choose {', '.join(NAMES)}")
    if name == "digits":
        from sklearn.datasets import load_digits
        from sklearn.model_selection import train_test_split

        x, y = load_digits(return_X_y=True)
        x, y = (x / 16).astype(np.float32), y.astype(np.int32)
        split = {"test_size": 360, "random_state": seed, "stratify": y}
        train_x, test_x, train_y, test_y = train_test_split(x, y, **split)
        return Data(train_x, train_y, test_x, test_y)
    rng, parts = np.random.default_rng(seed), []
    for x, y in _from_keras(name):
        order = rng.permutation(len(x))
        rows = x[order].reshape(len(x), -1).astype(np.float32) / 255
        parts += [rows, y[order].astype(np.int32)]
    return Data(*parts)


def _from_keras(name):
    folder = Path(os.environ.get("KERAS_HOME", "~/.keras")).expanduser() / "datasets"
    for path in folder.glob(FILES[name]):  # Keras would remove what it cannot replace
        try:
            content = path.read_bytes()
            if path.suffix == ".gz":
                gzip.decompress(content)
            elif hashlib.sha256(content).hexdigest() != MNIST_SHA256:
                raise ValueError("another file")
        except (OSError, EOFError, ValueError, zlib.error) as error:
            reason = f"{path} is damaged or cannot be read: copy it anew, or remove it"
            raise MissingDataError(f"{reason} to have it downloaded again.") from error
    importlib.import_module("ps_helpers.lab.tf")  # silently, before Keras imports it
    with machine.environment({"KERAS_BACKEND": "tensorflow"}):  # it loads data alone
        import keras

    try:
        return getattr(keras.datasets, name).load_data()
    except Exception as error:  # Keras raises a bare Exception when a download fails
        raise MissingDataError(
            f"{name} is not stored in {folder} and could not be downloaded: connect to "
            "the network once, copy the files there, or use digits."
        ) from error


def shards(x, y, num_shards, seed=0, by_label=False):
    """Divide rows into equal shards, one a worker.

    The rows are shuffled, so that every shard looks like the whole, or ``by_label``
    sorted, so that each holds only some of the classes. The ``len(x) % num_shards``
    rows that are left over belong to no shard.

    Returns a list of ``(x, y)`` pairs. Raises ValueError for fewer than one shard
    or more shards than rows.
    """
    rows = len(x)
    if not 1 <= num_shards <= rows:
        reason = f"{rows} rows cannot be divided into {num_shards} shards"
        raise ValueError(f"{reason}; choose 1 to {rows}")
    order = np.random.default_rng(seed).permutation(rows)
    if by_label:
        order = order[np.argsort(y[order], kind="stable")]
    size = rows // num_shards
    parts = order[: size * num_shards].reshape(num_shards, size)
    return [(x[part], y[part]) for part in parts]


def draw_batch(shard, size, seed):
    """Draw ``size`` rows of a shard at random, with replacement.

    With the seed ``[seed, worker, step]`` a batch depends on those three alone.
    """
    x, y = shard
    rows = np.random.default_rng(seed).integers(len(x), size=size)
    return x[rows], y[rows]
