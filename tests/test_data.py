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


def test_digits_are_small_numbers_of_the_promised_shapes(digits):
    assert [part.shape for part in digits] == [(1437, 64), (1437,), (360, 64), (360,)]
    assert [part.dtype for part in digits] == [np.float32, np.int32] * 2
    assert (digits.train_x.min(), digits.train_x.max()) == (0, 1)
    assert set(digits.test_y) == set(range(10))


def test_digits_are_the_published_ones_each_once(digits):
    x, y = load_digits(return_X_y=True)
    published = rows((x / 16).astype(np.float32), y)
    train, test = rows(*digits[:2]), rows(*digits[2:])
    assert train + test == published


def test_the_seed_chooses_the_split(digits):
    again, other = data.load("digits", seed=0), data.load("digits", seed=1)
    for part, same in zip(digits, again, strict=True):
        np.testing.assert_array_equal(part, same)
    assert rows(*digits[2:]) != rows(*other[2:])
    assert rows(*digits[:2]) + rows(*digits[2:]) == rows(*other[:2]) + rows(*other[2:])


def test_every_class_is_in_the_test_rows_as_often_as_in_all(digits):
    shares = [np.bincount(part) / len(part) for part in (digits.train_y, digits.test_y)]
    np.testing.assert_allclose(*shares, atol=0.005)


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


def test_the_seed_chooses_the_shards():
    x, y = numbered(40)
    first, same, other = (
        [part.tolist() for part, _ in data.shards(x, y, 4, seed)] for seed in (0, 0, 1)
    )
    assert first == same
    assert first != other


def test_each_shard_looks_like_the_whole(digits):
    for _, labels in data.shards(*digits[:2], 4):
        assert min(np.bincount(labels, minlength=10)) > 359 / 10 / 2


def test_shards_by_label_hold_few_classes(digits):
    shards = data.shards(*digits[:2], 5, by_label=True)
    assert all(len(set(labels)) <= 4 for _, labels in shards)
    # The digits are nearly equally frequent, so two of ten fill a fifth.
    assert all(np.sort(np.bincount(labels))[-2:].sum() > 200 for _, labels in shards)


@pytest.mark.parametrize("num_shards", [0, -1, 6])
def test_an_impossible_number_of_shards_is_refused(num_shards):
    with pytest.raises(ValueError, match="5 rows.*choose 1 to 5"):
        data.shards(*numbered(5), num_shards)


def test_a_batch_depends_on_its_seed_alone_and_keeps_its_labels():
    shard = numbered(50)
    x, y = data.draw_batch(shard, 32, [1, 2, 3])
    data.draw_batch(shard, 5, 0)  # another draw in between changes nothing
    np.testing.assert_array_equal(data.draw_batch(shard, 32, [1, 2, 3])[0], x)
    np.testing.assert_array_equal(y, x[:, 0] % 10)
    for other in ([0, 2, 3], [1, 0, 3], [1, 2, 0]):
        assert (data.draw_batch(shard, 32, other)[0] != x).any()


def test_a_batch_may_draw_any_row_and_may_be_larger_than_its_shard():
    x, _ = data.draw_batch(numbered(10), 1000, 0)
    counts = np.bincount(x[:, 0].astype(int), minlength=10)
    assert counts.sum() == 1000
    assert counts.min() > 60  # 100 are expected, and 60 is four deviations off


# The data sets that Keras stores

# Keras reads KERAS_HOME while it is imported: a process of its own for each test.
LOAD = """
import sys
import numpy as np
from ps_helpers.lab import data
{before}
try:
    np.savez(sys.argv[2], *data.load(sys.argv[1], seed=0))
except data.MissingDataError as error:
    print(error)
    sys.exit(3)
"""
# The published file's checksum cannot be met by a small one.
WITHOUT_CHECKSUM = """
import hashlib, os
import keras.src.datasets.mnist as module
with open(os.environ["KERAS_HOME"] + "/datasets/mnist.npz", "rb") as file:
    data.MNIST_SHA256 = hashlib.sha256(file.read()).hexdigest()
get_file = module.get_file
module.get_file = lambda file_hash, **options: get_file(**options)
"""


def load_from(keras_home, name, before=""):
    """Load a data set in a new process without a network; return what it did."""
    target = keras_home / "loaded.npz"
    run = subprocess.run(
        [sys.executable, "-c", LOAD.format(before=before), name, str(target)],
        env={
            "PATH": "/usr/bin:/bin",
            "PYTHONPATH": ":".join(path for path in sys.path if path),
            "KERAS_HOME": str(keras_home),
            "https_proxy": "http://127.0.0.1:1",  # nobody listens there
        },
        capture_output=True,
        text=True,
        timeout=60,
    )
    loaded = []
    if target.exists():
        with np.load(target) as arrays:
            loaded = [arrays[key] for key in arrays.files]
    return run, loaded


def small_images(seed):
    rng = np.random.default_rng(seed)
    images = [rng.integers(256, size=(n, 28, 28), dtype=np.uint8) for n in (30, 10)]
    labels = [rng.integers(10, size=n, dtype=np.uint8) for n in (30, 10)]
    return images, labels


def assert_same_rows(loaded, images, labels):
    """Compare what was loaded with what was stored, up to the order of the rows."""
    for i in range(2):
        x, y = loaded[2 * i : 2 * i + 2]
        assert (x.dtype, y.dtype) == (np.float32, np.int32)
        stored = images[i].reshape(len(images[i]), 784)
        assert rows(np.round(x * 255).astype(np.uint8), y) == rows(stored, labels[i])
        assert 0 <= x.min() and x.max() <= 1


def test_fashion_mnist_is_read_from_the_files_as_published(tmp_path):
    images, labels = small_images(seed=0)
    folder = tmp_path / "datasets" / "fashion-mnist"
    folder.mkdir(parents=True)
    for prefix, x, y in zip(("train", "t10k"), images, labels, strict=True):
        # IDX: two zeros, the type (8: unsigned byte), the dimensions, their sizes.
        header = struct.pack(">2x2B3I", 8, 3, *x.shape)
        (folder / f"{prefix}-images-idx3-ubyte.gz").write_bytes(
            gzip.compress(header + x.tobytes())
        )
        header = struct.pack(">2x2BI", 8, 1, len(y))
        (folder / f"{prefix}-labels-idx1-ubyte.gz").write_bytes(
            gzip.compress(header + y.tobytes())
        )
    run, loaded = load_from(tmp_path, "fashion_mnist")
    assert run.returncode == 0, run.stderr
    assert_same_rows(loaded, images, labels)


def test_mnist_is_read_from_the_file_as_published(tmp_path):
    images, labels = small_images(seed=1)
    (tmp_path / "datasets").mkdir()
    np.savez(
        tmp_path / "datasets" / "mnist.npz",
        x_train=images[0],
        y_train=labels[0],
        x_test=images[1],
        y_test=labels[1],
    )
    run, loaded = load_from(tmp_path, "mnist", WITHOUT_CHECKSUM)
    assert run.returncode == 0, run.stderr
    assert_same_rows(loaded, images, labels)


def test_without_network_and_copy_one_sentence_names_the_folder(tmp_path):
    run, _ = load_from(tmp_path, "fashion_mnist")  # test_script.py asks for mnist
    assert run.returncode == 3, run.stderr
    [sentence] = [line for line in run.stdout.splitlines() if "Download" not in line]
    missing = f"fashion_mnist is not stored in {tmp_path}/datasets and could not be"
    assert sentence.startswith(missing)
    assert sentence.endswith("digits.")


@pytest.mark.parametrize(
    ("name", "file", "content"),
    [
        ("mnist", "mnist.npz", b"PK, and then no more"),
        ("fashion_mnist", "fashion-mnist/t10k-labels-idx1-ubyte.gz", b"no archive"),
        (
            "fashion_mnist",
            "fashion-mnist/train-images-idx3-ubyte.gz",
            gzip.compress(bytes(1000))[:-9],
        ),
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
