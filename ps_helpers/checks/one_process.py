"""Checks of notebook 01."""

import numpy as np

from ps_helpers import numpy_engine
from ps_helpers.checks.verdict import exercise, require


def close(a, b):
    """Return whether two arrays have the same shape and nearly the same values."""
    a, b = np.asarray(a), np.asarray(b)
    return a.shape == b.shape and np.allclose(a, b, rtol=1e-4, atol=1e-6)


@exercise
def accuracy(answer):
    logits = np.array([[1.0, 5, 0], [7, 2, 0], [0, 1, 9], [3, 2, 1]])
    labels = np.array([1, 0, 2, 2])
    share = answer(logits.copy(), labels.copy())
    require(share is not None, "it returned nothing; end it with a return")
    require(np.ndim(share) == 0, "return one number, not one a row: take the mean")
    require(share != 75, "you returned percent; return a share between 0 and 1")
    require(share != 3, "you counted the right rows; divide by the number of rows")
    require(not close(share, 0.25), "that is the share of wrong rows")
    columns = np.mean(logits.argmax(axis=0) == labels[:3])
    require(
        not close(share, columns),
        "you looked down the columns; look along each row with axis=1",
    )
    require(close(share, 0.75), f"3 of 4 rows are right here, not {share:.2f} of them")
    one_row = answer(np.array([[0.0, -1.0, -2.0]]), np.array([0]))
    require(
        close(one_row, 1),
        "logits may be negative: compare their positions, not their values",
    )
    require(
        close(answer(-logits, labels), np.mean((-logits).argmax(axis=1) == labels)),
        "it is right for positive logits only: use the largest, whatever its sign",
    )


@exercise
def gradient_by_hand(answer):
    rng = np.random.default_rng(1)
    W, b = rng.normal(size=(64, 10)), rng.normal(size=10)
    x, y = rng.random((5, 64)), np.array([3, 0, 9, 3, 1])
    expected = numpy_engine.gradient([W, b], x, y)
    before = W.copy(), b.copy(), x.copy()
    found = answer(W, b, x, y)
    require(found is not None, "it returned nothing; end it with a return")
    require(
        all(np.array_equal(a, c) for a, c in zip(before, (W, b, x), strict=True)),
        "it changed its arguments; compute new arrays instead",
    )
    require(len(found) == 2, "return a list of two: the gradient of W, then that of b")
    dW, db = (np.asarray(part) for part in found)
    require(
        dW.shape != (10,) or db.shape != (64, 10),
        "return the gradient of W first, then that of b",
    )
    require(dW.shape == (64, 10), f"the gradient of W must be (64, 10), not {dW.shape}")
    require(db.shape == (10,), f"the gradient of b must be (10,), not {db.shape}")
    require(
        not close(dW, -expected[0]) and not close(db, -expected[1]),
        "the sign is turned round: it is p - t, not t - p",
    )
    require(
        not close(dW, 5 * expected[0]),
        "you summed over the rows; divide by the number of rows",
    )
    require(
        not close(db, 5 * expected[1]),
        "you summed over the rows for b; take the mean there too",
    )
    require(not close(dW, expected[0] / 5), "you divided by the number of rows twice")
    logits = x @ W + b
    raw = [x.T @ (logits - np.eye(10)[y]) / 5, (logits - np.eye(10)[y]).mean(axis=0)]
    require(
        not close(dW, raw[0]), "you used the logits; take the softmax of them first"
    )
    whole = np.exp(logits) / np.exp(logits).sum()
    require(
        not close(db, (whole - np.eye(10)[y]).mean(axis=0)),
        "the softmax must sum to 1 in each row: sum over axis=1, with keepdims=True",
    )
    require(
        close(dW, expected[0]) and close(db, expected[1]),
        "the numbers are not those of the tape; compare one weight with a nudge",
    )
    large = answer(1000 * W, b, x, y)
    require(
        np.isfinite(large[0]).all(),
        "large logits overflow: subtract each row's largest logit before exp",
    )


@exercise
def sgd_update(answer):
    gradient = [np.array([[2.0, -4.0]]), np.array([1.0])]
    before = [part.copy() for part in gradient]
    update = answer(gradient, 0.5)
    require(update is not None, "it returned nothing; end it with a return")
    require(
        all(map(np.array_equal, before, gradient)),
        "it changed the gradient; make new arrays",
    )
    require(
        len(update) == 2 and np.shape(update[0]) == (1, 2),
        "return a list with one array a weight, shaped like the gradient",
    )
    first = np.asarray(update[0])
    require(
        not close(first, [[1, -2]]),
        "that goes uphill: an update is added, so it needs a minus",
    )
    require(not close(first, [[-2, 4]]), "the learning rate lr is not used")
    require(not close(first, [[-4, 8]]), "multiply by the learning rate, not divide")
    require(close(first, [[-1, 2]]), f"-0.5 times [2, -4] is [-1, 2], not {first[0]}")
    require(close(update[1], [-0.5]), "the second array is not -lr times its gradient")
    require(
        close(answer([np.array([3.0])], 0.1)[0], [-0.3]),
        "another lr gives a wrong update: use the argument lr",
    )


@exercise
def split_batch(answer):
    x, y = np.arange(14.0).reshape(7, 2), np.arange(7)
    parts = answer(x, y, 2)
    require(parts is not None, "it returned nothing; end it with a return")
    parts = list(parts)
    require(len(parts) == 2, f"2 workers need 2 parts, not {len(parts)}")
    require(
        all(len(part) == 2 for part in parts),
        "each part is a pair (x, y): the images and their labels",
    )
    sizes = [len(part_y) for _, part_y in parts]
    require(
        all(len(a) == len(b) for a, b in parts),
        "a part has more images than labels: cut x and y alike",
    )
    require(
        sizes != [4, 3] and sizes != [3, 4],
        "the parts are not equal: drop the rows left over, here row 6",
    )
    require(sizes == [3, 3], f"2 parts of 7 rows have 3 rows each, not {sizes}")
    rows = [list(map(int, part_y)) for _, part_y in parts]
    require(
        sorted(rows[0] + rows[1]) == sorted(set(rows[0] + rows[1])),
        "a row is in both parts; each worker needs rows of its own",
    )
    require(
        rows == [[0, 1, 2], [3, 4, 5]],
        f"the rows are to stay in order, 0-2 and 3-5, not {rows[0]} and {rows[1]}",
    )
    require(
        all(np.array_equal(part_x, x[part_y]) for part_x, part_y in parts),
        "an image got another one's label: cut x and y at the same rows",
    )
    require(
        [len(p[1]) for p in answer(x, y, 3)] == [2, 2, 2],
        "it is right for 2 workers only: use num_workers",
    )
