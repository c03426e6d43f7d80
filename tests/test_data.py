"""Tests of the data sets and of how they are divided among workers."""

import gzip
import struct
import subprocess
import sys
from collections import Counter

import numpy as np
import pytest
from sklearn.datasets import load_digits

from ps_helpers.lab import data


def rows(x, y):
    """Return the rows with their labels as a multiset."""
    pairs = zip(x, y, strict=True)
    return Counter((row.tobytes(), int(label)) for row, label in pairs)


def numbered(count, classes=10):
    """Return rows that hold their own number, and labels in turn."""
    return np.arange(count, dtype=np.float32)[:, None], np.arange(count) % classes


# Digits


def test_digits_are_the_published_ones_each_once_in_balanced_parts(digits):
    assert [part.shape for part in digits] == [(1437, 64), (1437,), (360, 64), (360,)]
    assert [part.dtype for part in digits] == [np.float32, np.int32] * 2
    assert (digits.train_x.min(), digits.train_x.max()) == (0, 1)
    x, y = load_digits(return_X_y=True)
    published = rows((x / 16).astype(np.float32), y)
    assert rows(*digits[:2]) + rows(*digits[2:]) == published
    shares = [np.bincount(part) / len(part) for part in (digits.train_y, digits.test_y)]
    np.testing.assert_allclose(*shares, atol=0.005)
    again, other = data.load("digits", seed=0), data.load("digits", seed=1)
    for part, same in zip(digits, again, strict=True):
        np.testing.assert_array_equal(part, same)
    assert rows(*digits[2:]) != rows(*other[2:])
    assert rows(*other[:2]) + rows(*other[2:]) == published


def test_an_unknown_data_set_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match="cifar.*digits, mnist, fashion_mnist"):
        data.load("cifar")


# Shards and batches


@pytest.mark.parametrize("by_label", [False, True])
@pytest.mark.parametrize(("count", "num_shards"), [(12, 4), (14, 4), (7, 1), (5, 5)])
def test_shards_are_equal_disjoint_and_leave_only_the_remainder(
    count, num_shards, by_label
):
    x, y = numbered(count)
    shards = data.shards(x, y, num_shards, by_label=by_label)
    assert [len(part) for part, _ in shards] == [count // num_shards] * num_shards
    found = np.concatenate([part[:, 0] for part, _ in shards])
    assert len(set(found)) == len(found)
    assert set(found) <= set(range(count))
    for part, labels in shards:
        np.testing.assert_array_equal(labels, y[part[:, 0].astype(int)])


def test_each_shard_looks_like_the_whole_or_holds_few_classes(digits):
    shards = [data.shards(*digits[:2], 5, seed) for seed in (0, 0, 1)]
    first, same, other = ([x.tolist() for x, _ in parts] for parts in shards)
    assert first == same != other
    counts = [np.bincount(labels, minlength=10) for _, labels in shards[0]]
    assert np.min(counts) > 287 / 10 / 2
    for _, labels in data.shards(*digits[:2], 5, by_label=True):
        assert len(set(labels)) <= 4
        # The digits are nearly equally frequent, so two of ten fill a fifth.
        assert np.sort(np.bincount(labels))[-2:].sum() > 200


@pytest.mark.parametrize("num_shards", [0, -1, 6])
def test_an_impossible_number_of_shards_is_refused(num_shards):
    with pytest.raises(ValueError, match="5 rows.*choose 1 to 5"):
        data.shards(*numbered(5), num_shards)


def test_a_batch_depends_on_its_seed_alone_and_may_draw_any_row():
    shard = numbered(10)
    x, y = data.draw_batch(shard, 1000, [1, 2, 3])  # larger than its shard
    data.draw_batch(shard, 5, 0)  # another draw in between changes nothing
    np.testing.assert_array_equal(data.draw_batch(shard, 1000, [1, 2, 3])[0], x)
    np.testing.assert_array_equal(y, x[:, 0] % 10)
    for other in ([0, 2, 3], [1, 0, 3], [1, 2, 0]):
        assert (data.draw_batch(shard, 1000, other)[0] != x).any()
    counts = np.bincount(x[:, 0].astype(int), minlength=10)
    assert counts.sum() == 1000
    assert counts.min() > 60  # 100 are expected, and 60 is four deviations off


# The data sets that Keras stores

# In a process of its own: Keras reads KERAS_HOME while it is imported.
LOAD = """
import hashlib, shutil, sys
from pathlib import Path
import numpy as np
from ps_helpers.lab import data

home = Path(sys.argv[1])

def load(name):
    try:
        np.savez(home / name, *data.load(name))
    except data.MissingDataError as error:
        print(error)

load("fashion_mnist")
# The published file's checksum cannot be met by a small one.
from keras.src.datasets import mnist as module
content = (home / "datasets" / "mnist.npz").read_bytes()
data.MNIST_SHA256 = hashlib.sha256(content).hexdigest()
get_file = module.get_file
module.get_file = lambda file_hash, **options: get_file(**options)
load("mnist")
shutil.rmtree(home / "datasets")
load("fashion_mnist")
load("mnist")
"""


IMAGES, LABELS = [], []  # of a data set to train with, and of one to test with
for count in (30, 10):
    rng = np.random.default_rng(count)
    IMAGES.append(rng.integers(256, size=(count, 28, 28), dtype=np.uint8))
    LABELS.append(rng.integers(10, size=count, dtype=np.uint8))


def write_fashion_mnist(folder):
    """Write the four files as they were published, in the format IDX."""
    folder.mkdir()
    for prefix, x, y in zip(("train", "t10k"), IMAGES, LABELS, strict=True):
        for name, array in (("images-idx3", x), ("labels-idx1", y)):
            # Two zeros, the type (8: unsigned byte), the dimensions, their sizes.
            header = struct.pack(f">2x2B{array.ndim}I", 8, array.ndim, *array.shape)
            path = folder / f"{prefix}-{name}-ubyte.gz"
            path.write_bytes(gzip.compress(header + array.tobytes()))


@pytest.fixture(scope="module")
def loaded(tmp_path_factory):
    """Load data sets without a network, as stored and when they have gone.

    Returns the folder with what was loaded, and what was said.
    """
    home = tmp_path_factory.mktemp("keras")
    (home / "datasets").mkdir()
    write_fashion_mnist(home / "datasets" / "fashion-mnist")
    parts = {"x_train": IMAGES[0], "y_train": LABELS[0]}
    parts |= {"x_test": IMAGES[1], "y_test": LABELS[1]}
    np.savez(home / "datasets" / "mnist.npz", **parts)
    environment = {
        "PATH": "/usr/bin:/bin",
        "PYTHONPATH": ":".join(path for path in sys.path if path),
        "KERAS_HOME": str(home),
        "https_proxy": "http://127.0.0.1:1",  # nobody listens there
        "KERAS_BACKEND": "mxnet",  # of somebody else's project
        **{"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},  # ASCII
    }
    how = {"env": environment, "capture_output": True, "text": True, "timeout": 120}
    run = subprocess.run([sys.executable, "-c", LOAD, str(home)], **how)
    assert run.returncode == 0, run.stderr
    return home, [line for line in run.stdout.splitlines() if "Download" not in line]


@pytest.mark.parametrize("name", ["fashion_mnist", "mnist"])
def test_images_are_read_from_the_files_as_published(loaded, name):
    parts = list(np.load(loaded[0] / f"{name}.npz").values())
    assert [part.dtype for part in parts] == [np.float32, np.int32] * 2
    pairs = zip((parts[:2], parts[2:]), IMAGES, LABELS, strict=True)
    for (x, y), images, labels in pairs:
        stored = images.reshape(len(images), 784)
        assert rows(np.round(x * 255).astype(np.uint8), y) == rows(stored, labels)
        assert 0 <= x.min() and x.max() <= 1


def test_without_network_and_copy_one_sentence_names_the_folder(loaded):
    home, said = loaded
    for name, sentence in zip(("fashion_mnist", "mnist"), said, strict=True):
        missing = f"{name} is not stored in {home}/datasets and could not be"
        assert sentence.startswith(missing) and sentence.endswith("digits.")


@pytest.mark.parametrize(
    ("name", "file", "content"),
    [
        ("mnist", "mnist.npz", b"PK, and then no more"),
        ("fashion_mnist", "fashion-mnist/t10k-labels-idx1-ubyte.gz", b"no archive"),
        ("fashion_mnist", "fashion-mnist/a.gz", gzip.compress(bytes(1000))[:-9]),
    ],
    ids=["mnist", "not zipped", "cut off"],
)
def test_a_damaged_file_is_named_and_kept(tmp_path, monkeypatch, name, file, content):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    path = tmp_path / "datasets" / file
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    with pytest.raises(data.MissingDataError, match="is damaged") as caught:
        data.load(name)
    assert str(caught.value).startswith(f"{path} ")
    assert path.read_bytes() == content
