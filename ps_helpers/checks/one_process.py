"""Checks of notebook 01."""

import numpy as np

from ps_helpers.checks.tables import arrays, table
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
        "look along each row, with axis=1, not down the columns": "axis=1 → axis=0",
        "without axis=1 there is one largest logit in all": ", axis=1 →",
        "compare the largest logit's position with y, not its value": "argmax → max",
        "you took the smallest logit of each row": "argmax → argmin",
        "a logit of -1 is larger than -3: keep the sign": "(logits → (abs(logits)",
        "all logits may be negative: do not start the search at "
        "0": "(logits → (np.maximum(logits, 0)",
        "you counted the right rows; divide by all rows": "mean → sum",
        "you returned percent: return a share up to 1": "np.mean → 100 * np.mean",
        "that is the share of wrong rows": "== → !=",
        "it is 1 if all rows are right, else 0: divide, and with /": "mean → all",
        "it is 1 if any row is right, else 0: take the mean": "mean → any",
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
    return answer(*arguments)


def two(result):
    """Return a result as two arrays."""
    found = arrays(result)
    require(len(found) == 2, "return a list of two: the gradient of W, then that of b")
    return found


ROW_MAX, ROW_SUM = "max(axis=1, keepdims=True)", "sum(axis=1, keepdims=True)"
NO_SHIFT, EXP, SIGN = f"- logits.{ROW_MAX} →", "p - t → scores - t", "(p - t) → (t - p)"
ALL, COLUMNS = f"{ROW_SUM} → sum()", f"{ROW_SUM} → sum(axis=0)"
FLAT_MAX, FLAT_SUM = f"{ROW_MAX} → max(axis=1)", f"{ROW_SUM} → sum(axis=1)"


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
        "return the gradient of W first, then that of b": "[dW, db] → [db, dW]",
        "you summed over the rows; divide by their number": "/ len(x) →",
        "you summed over the rows for W; divide there too": "[dW → [dW * len(x)",
        "you summed over the rows for b; divide there too": "db] → db * len(x)]",
        "you divided by the number of rows twice": "len(x) → len(x) ** 2",
        "divide by the number of rows, not by that of digits": "len(x) → 10",
        "the sign is turned round: it is p - t": [SIGN, f"{SIGN} → / len(x) →"],
        "you used the logits; take their softmax first": "p - t → logits - t",
        "exp is no softmax yet: divide by each row's sum": [EXP, f"{NO_SHIFT} → {EXP}"],
        "divide by the sum of each row, not of all": [ALL, f"{NO_SHIFT} → {ALL}"],
        "divide by the sum of each row, not of each column, with axis=1 and "
        "keepdims=True": [COLUMNS, f"{NO_SHIFT} → {COLUMNS}"],
        "keepdims=True makes a column of the max or the sum of each row": [
            FLAT_MAX,
            FLAT_SUM,
            f"{FLAT_MAX} → {FLAT_SUM}",
            f"{NO_SHIFT} → {FLAT_SUM}",
        ],
        "you forgot to add b to the logits": "+ b →",
        "you forgot to subtract t, zeros with a single one": "p - t → p",
        "t is not the label but its row np.eye(10)[y]": "np.eye(10)[y] → y[:, None]",
        "for b take the mean over the rows, one for each digit": [
            *("sum(axis=0) → sum(axis=1)", "sum(axis=0) → sum()"),
        ],
        "turn it round: it is x.T @ (p - t) for W": "x.T @ error → error.T @ x",
        "large logits overflow: subtract each row's largest": NO_SHIFT,
        "subtract each row's own largest logit, not that of all": f"{ROW_MAX} → max()",
        "return the gradients, not the new weights": "[dW, db] → [W - dW, b - db]",
    },
)
def gradient_by_hand(W, b, x, y):
    logits, t = x @ W + b, np.eye(10)[y]
    scores = np.exp(logits - logits.max(axis=1, keepdims=True))
    p = scores / scores.sum(axis=1, keepdims=True)
    error = (p - t) / len(x)
    dW, db = x.T @ error, error.sum(axis=0)
    return [dW, db]


def gradients(count, *shapes, dtype=np.float64):
    """Return gradients of single rows, whose mean is clearly not zero."""
    return [[normal(*shape, dtype=dtype) + 2 for shape in shapes] for _ in range(count)]


@table(
    calls=[
        (gradients(2, (1,)),),
        (gradients(2, (2, 1), (3,)),),
        (gradients(5, (3, 2), (2,), (2,)),),
        (gradients(3, (2,), (2,), dtype="f"),),
        (gradients(12, (1, 2), (4,)),),
        ([[normal(2), normal(1)]] * 3,),
    ],
    returns=number,
    mistakes={
        "that is how many times longer noise is than signal: the noise falls with the "
        "root of the batch, so square it": "squares / len(gradients) / signal → "
        "(squares / len(gradients) / signal) ** 0.5",
        "take the mean of the squared distances, not their sum": "/ len(gradients) →",
        "it is turned round: noise over signal": "squares / len(gradients) / signal → "
        "signal * len(gradients) / (squares or 1)",
        "noise is the distance from the exact gradient, not the length of a "
        "gradient": "(g - e) → g",
        "the exact gradient is the mean of all, not their sum": "/ len(parts) →",
        "divide by the number of rows, not by one less": "/ len(gradients) → "
        "/ (len(gradients) - 1)",
        "all arrays count: you took the first of each "
        "gradient": "exact = → gradients = [g[:1] for g in gradients]; exact =",
        "an array with more elements counts for more: sum over its elements, do not "
        "take their mean": "**2).sum → **2).mean → 2).sum → 2).mean",
        "square before you add up, or distances cancel": "((g - e) ** 2) → (g - e)",
        "the mean of the squared distances is wanted, not the square of the mean "
        "distance": "in both) → in both) ** 0.5 → "
        "squares / len(gradients) → (squares / len(gradients)) ** 2",
    },
)
def noise_scale(gradients):
    exact = [sum(parts) / len(parts) for parts in zip(*gradients, strict=True)]
    signal = sum((part**2).sum() for part in exact)
    squares = 0
    for gradient in gradients:
        both = zip(gradient, exact, strict=True)
        squares += sum(((g - e) ** 2).sum() for g, e in both)
    return squares / len(gradients) / signal


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


def cut(start, stop):
    return f"slice(i * size, (i + 1) * size) → slice({start}, {stop})"


LIKE_WORKERS = cut("i * num_workers", "(i + 1) * num_workers")


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
        "them": "range(num_workers) → range(-(-len(x) // size))",
        "the last part got the rows left over too: drop them": cut(
            "i * size", "(i + 1) * size + (i == num_workers - 1) * len(x)"
        ),
        "the parts are not equal: drop the rows left over": lambda x, y, n: [
            (x[part], y[part]) for part in np.array_split(range(len(x)), n)
        ],
        "the last worker has no part": "range(num_workers) → range(num_workers - 1)",
        "make num_workers parts, not parts of so many rows": [
            *(LIKE_WORKERS, f"{LIKE_WORKERS} → range(num_workers) → range(size)"),
        ],
        "a part is rows that follow each other: do not deal them out": [
            cut("i", "None, num_workers"),
            cut("i", "size * num_workers, num_workers"),
        ],
        "drop the rows at the end, not the first": lambda x, y, n: split_batch.right(
            x[len(x) % n :], y[len(x) % n :], n
        ),
        "a row is in two parts: x[0:4] ends with row 3": cut(
            "i * size", "(i + 1) * size + 1"
        ),
        "each part lacks a row: x[0:4] has rows 0 to 3": cut(
            "i * size", "(i + 1) * size - 1"
        ),
        "begin where the last part ended: multiply by size": cut("i", "i + size"),
        "all workers got the same rows": cut(0, "size"),
        "every part has all the labels: cut y as well": "y[part]) → y)",
        "the images come first, then the labels": "x[part], y[part] → y[part], x[part]",
        "keep the rows and columns of the images": "x[part] → x[part].ravel()",
        "the parts are in reverse order": "for part in parts → for part in parts[::-1]",
    },
)
def split_batch(x, y, num_workers):
    size = len(x) // num_workers
    parts = [slice(i * size, (i + 1) * size) for i in range(num_workers)]
    return [(x[part], y[part]) for part in parts]
