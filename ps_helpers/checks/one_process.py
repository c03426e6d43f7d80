"""Checks of notebook 01."""

import numpy as np

from ps_helpers.checks.tables import arrays, call, table
from ps_helpers.checks.verdict import as_numbers, codes, listed, number, require

RNG = np.random.default_rng(1)


def normal(*shape, dtype=np.float64):
    """Return an array of fractions, positive and negative, none of them close to 0."""
    values = RNG.normal(0, 3, shape)
    return (values + np.sign(values) / 4).astype(dtype)


def share(result):
    """Return a result as a number; refuse one number a row."""
    one = np.ndim(as_numbers(result)) == 0
    require(one, "return one number, not one a row: take the mean")
    return number(result)


def rows(logits, hits):
    """Return logits and labels, of which so many are right."""
    labels = logits.argmax(axis=1)
    labels[hits:] = (labels[hits:] + 1) % logits.shape[1]
    return logits, labels


@table(
    calls=[
        rows(normal(7, 12), 5),
        rows(normal(5, 5), 3),
        rows(normal(5, 5), 2),
        rows(-np.abs(normal(13, 3, dtype="f")) - 1, 6),
        rows(normal(4, 3), 3),
        rows(normal(3, 11) / 20, 0),
        rows(normal(6, 4), 6),
        rows(normal(1, 2), 1),
    ],
    returns=share,
    mistakes={
        "you looked down the columns; look along each row with "
        "axis=1": "axis=1 → axis=0",
        "without axis=1 there is one largest logit in all; look along "
        "each row": ", axis=1 →",
        "compare the position of the largest logit with the label, "
        "not its value": "argmax → max",
        "you took the smallest logit of each row; the largest is "
        "the guess": "argmax → argmin",
        "logits may be negative: -1 is larger than -3, do not drop "
        "the sign": "(logits → (np.abs(logits)",
        "all logits of a row may be negative: do not start the search for the largest "
        "at 0": "(logits → (np.maximum(logits, 0)",
        "you counted the right rows; divide by the number of rows": "mean → sum",
        "you returned percent: return a share up to 1": "np.mean → 100 * np.mean",
        "that is the share of wrong rows": "== → !=",
        "it is 1 where all rows are right and else 0: divide, with / and not "
        "//": "mean → all",
        "return a share, not whether any row is right": "mean → any",
        "divide by the number of rows, not by that of "
        "columns": "== y) → == y) * len(y) / len(logits[0])",
    },
)
def accuracy(logits, y):
    return np.mean(np.argmax(logits, axis=1) == y)


def by_hand(answer, *arguments):
    """Call an answer that computes with NumPy alone."""
    used = {name for code in codes(answer) for name in code.co_names}
    require(
        not used & {"tf", "tensorflow", "numpy_engine", "model"},
        "compute it with NumPy alone, and then compare it with the tape",
    )
    return call(answer, *arguments)


def two(result):
    """Return a result as two arrays."""
    found = arrays(result)
    require(len(found) == 2, "return a list of two: the gradient of W, then that of b")
    return found


ROW_MAX, ROW_SUM = (f"{what}(axis=1, keepdims=True)" for what in ("max", "sum"))
NO_SHIFT = f"- logits.{ROW_MAX} →"
NO_DIVISION = "p - np → scores - np"
OVER_ALL, OVER_COLUMNS = (f"{ROW_SUM} → sum({axis})" for axis in ("", "axis=0"))
NO_COLUMNS = [f"{part} → {part[:3]}(axis=1)" for part in (ROW_MAX, ROW_SUM)]


@table(
    calls=[
        (normal(64, 10), normal(10), np.abs(normal(5, 64)), np.array([3, 0, 9, 3, 1])),
        (normal(3, 10) / 9, normal(10) / 9, normal(10, 3), np.array([*range(8), 1, 1])),
        (normal(7, 10, dtype="f"), normal(10, dtype="f"), normal(1, 7), np.array([9])),
        (1000 * normal(4, 10), normal(10), normal(11, 4), np.arange(11) % 10),
        (300 + normal(1, 10), normal(10), np.array([[2.0], [-2]]), np.array([4, 7])),
    ],
    returns=two,
    run=by_hand,
    mistakes={
        "return the gradient of W first, then that of "
        "b": "[x.T @ error, error.sum(axis=0)] → [error.sum(axis=0), x.T @ error]",
        "you summed over the rows; divide by the number of rows": "/ len(x) →",
        "you summed over the rows for W; divide there "
        "too": "x.T @ error → x.T @ error * len(x)",
        "you summed over the rows for b; take the mean there "
        "too": "error.sum(axis=0) → error.sum(axis=0) * len(x)",
        "you divided by the number of rows twice": "len(x) → len(x) ** 2",
        "you divided by the number of digits; divide by that of rows": "len(x) → 10",
        "the sign is turned round: it is p - t, not t - p": [
            "(p - np.eye(10)[y]) → (np.eye(10)[y] - p)",
            "(p - np.eye(10)[y]) / len(x) → np.eye(10)[y] - p",
        ],
        "you used the logits; take the softmax of them first": "p - np → logits - np",
        "exp alone is not the softmax: divide by the sum of each row": [
            NO_DIVISION,
            f"{NO_SHIFT} → {NO_DIVISION}",
        ],
        "the softmax must sum to 1 in each row, not over all rows: sum over axis=1, "
        "with keepdims=True": [OVER_ALL, f"{NO_SHIFT} → {OVER_ALL}"],
        "the softmax must sum to 1 in each row, not in each column: sum over axis=1, "
        "with keepdims=True": [OVER_COLUMNS, f"{NO_SHIFT} → {OVER_COLUMNS}"],
        "over axis=1 max and sum give one number a row: keepdims=True makes a column "
        "of them": [
            *NO_COLUMNS,
            " → ".join(NO_COLUMNS),
            f"{NO_SHIFT} → {NO_COLUMNS[1]}",
        ],
        "you forgot to add b to the logits": "+ b →",
        "you forgot to subtract t, the rows of zeros with a single "
        "one": "p - np.eye(10)[y] → p",
        "t is not the label itself but its row of zeros and a one: "
        "np.eye(10)[y]": "np.eye(10)[y] → y[:, None]",
        "for b take the mean over the rows, with axis=0: one number for each digit": [
            "sum(axis=0) → sum(axis=1)",
            "sum(axis=0) → sum()",
        ],
        "turn it round: it is x.T @ (p - t) for W": "x.T @ error → error.T @ x",
        "large logits overflow: subtract each row's largest logit before exp": NO_SHIFT,
        "with one maximum for all logits the other rows vanish: subtract from each row "
        "its own": f"{ROW_MAX} → max()",
        "return the gradients, not the new weights": lambda W, b, x, y: [
            *map(np.subtract, (W, b), gradient_by_hand.right(W, b, x, y))
        ],
    },
)
def gradient_by_hand(W, b, x, y):
    logits = x @ W + b
    scores = np.exp(logits - logits.max(axis=1, keepdims=True))
    p = scores / scores.sum(axis=1, keepdims=True)
    error = (p - np.eye(10)[y]) / len(x)
    return [x.T @ error, error.sum(axis=0)]


@table(
    calls=[
        ([normal(1, 2), normal(1)], 0.25),
        ([normal(2, 3), normal(3), normal(3)], 0.1),
        ([normal(4, dtype="f")], 1.5),
        ([normal(3), normal(3)], 1),
        ([normal(3, 3), normal(3, 1)], 0.0),
        ([normal(n, 2) for n in range(1, 13)], 3e-3),
    ],
    returns=arrays,
    mistakes={
        "that goes uphill: an update is added, so it needs a minus": "-lr → lr",
        "multiply by the argument lr as well": "-lr * →  -",
        "multiply by the learning rate, do not divide by it": "-lr * part → -part / lr",
        "you subtracted it from the gradient; the update is -lr times the "
        "gradient": "-lr → (1 - lr)",
        "you divided by the number of arrays; the update is -lr times the "
        "gradient": "* part → * part / len(gradient)",
        "you summed each array: multiply it as it is": "* part → * part.sum()",
        "keep the order that the gradient has": "in gradient → in gradient[::-1]",
        "the sign of each gradient counts: do not drop it": "* part → * abs(part)",
        "the last array is missing: do you return the first in "
        "the loop?": "in gradient → in gradient[:1]",
        "here only the first array came: does return stand in the "
        "loop?": lambda gradient, lr: -lr * gradient[0],
        "here only the last array came: collect them": "gradient] → gradient[-1:]]",
        "only the first array is right: multiply each": lambda gradient, lr: [
            -lr * gradient[0],
            *gradient[1:],
        ],
        "arrays of different shapes make no single array: multiply each on its "
        "own": lambda gradient, lr: np.array(gradient) * -lr,
        "the gradient is a list of arrays: multiply each array by -lr, not the "
        "list": lambda gradient, lr: -lr * gradient,
    },
)
def sgd_update(gradient, lr):
    return [-lr * part for part in gradient]


def pairs(result):
    """Return a result as a list of pairs of arrays."""
    found = listed(result)
    for part in found:
        require(
            isinstance(part, list | tuple) and len(part) == 2,
            "each part is a pair (x, y), the images and labels of one worker: zip "
            "makes pairs",
        )
    return [arrays(part) for part in found]


def images(count, *shape):
    """Return images and labels, with labels that come twice and in no order."""
    return normal(count, *shape), RNG.integers(0, 10, count)


WHOLE = "slice(i * size, (i + 1) * size)"
LIKE_WORKERS = f"{WHOLE} → slice(i * num_workers, (i + 1) * num_workers)"


@table(
    calls=[
        (*images(14, 3), 3),
        (*images(7, 2), 2),
        (*images(23, 2), 11),
        (*images(12, 5), 4),
        (*images(5, 4), 1),
        (*images(9, 3), 5),
    ],
    returns=pairs,
    mistakes={
        "the rows left over became a part of their own: drop "
        "them": "range(num_workers) → range(len(x) // size + (len(x) % size > 0))",
        "the last part got the rows left over too: drop them": lambda x, y, n: [
            *split_batch.right(x, y, n)[:-1],
            (x[len(x) // n * (n - 1) :], y[len(x) // n * (n - 1) :]),
        ],
        "the parts are not equal: drop the rows left over": lambda x, y, n: [
            *zip(np.array_split(x, n), np.array_split(y, n), strict=True)
        ],
        "the last worker has no part": "range(num_workers) → range(num_workers - 1)",
        "num_workers is the number of parts; you made parts of so many rows": [
            LIKE_WORKERS,
            f"{LIKE_WORKERS} → range(num_workers) → range(size)",
        ],
        "the parts are to be rows that follow each other: do not deal them like "
        "cards": [
            f"{WHOLE} → slice(i, size * num_workers, num_workers)",
            f"{WHOLE} → slice(i, None, num_workers)",
        ],
        "you dropped the first rows; drop those at the end": f"{WHOLE} → "
        "slice(i * size + len(x) % num_workers, (i + 1) * size + len(x) % num_workers)",
        "the last row of a part is in the next part, too: x[0:4] ends with row "
        "3": f"{WHOLE} → slice(i * size, (i + 1) * size + 1)",
        "each part lacks a row: x[0:4] has rows 0 to "
        "3": f"{WHOLE} → slice(i * size, (i + 1) * size - 1)",
        "begin the next part where the last one ended: multiply by the "
        "size": f"{WHOLE} → slice(i, i + size)",
        "all workers got the same rows": f"{WHOLE} → slice(size)",
        "every part has all the labels: cut y as well": "y[part]) → y)",
        "each pair has the images first, then the labels": "x[part], y[part] → "
        "y[part], x[part]",
        "the images of a part keep their rows and columns": "x[part] → x[part].ravel()",
        "the parts are in the reverse order": "range(num_workers) → "
        "reversed(range(num_workers))",
    },
)
def split_batch(x, y, num_workers):
    size = len(x) // num_workers
    parts = [slice(i * size, (i + 1) * size) for i in range(num_workers)]
    return [(x[part], y[part]) for part in parts]
