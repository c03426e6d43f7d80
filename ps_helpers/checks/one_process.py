"""Checks of notebook 01."""

import numpy as np

from ps_helpers.checks.verdict import (
    as_numbers,
    close,
    exercise,
    explained,
    factor,
    listed,
    number,
    require,
)
from ps_helpers.lab import numpy_engine


@exercise
def accuracy(answer):
    rows = "0222151 4720536 3656017 6674634 3110200 0402102 9484418".split()
    logits = np.array([[float(digit) for digit in row] for row in rows])
    labels = np.array([5, 1, 6, 2, 3, 4, 0])  # all but 3 and 4 are right
    given = logits.copy(), labels.copy()
    result = answer(*given)
    require(result is not None, "it returned nothing; end it with a return")
    require(
        all(map(np.array_equal, given, (logits, labels))),
        "it changed its arguments; compute new arrays instead",
    )
    require(
        np.ndim(as_numbers(result)) == 0,
        "return one number, not one a row: take the mean",
    )
    require(
        not isinstance(result, bool | np.bool_),
        "return a share between 0 and 1, not whether all rows are right",
    )
    share = number(result)
    require(
        share != 0 or isinstance(result, float | np.floating),
        "// drops the fraction: divide with /",
    )
    require(not close(share, 500 / 7), "you returned percent: return a share up to 1")
    require(share != 5, "you counted the right rows; divide by the number of rows")
    require(not close(share, 2 / 7), "that is the share of wrong rows")
    require(share != 0.5, "0.5 is the example's result: compute it from the arguments")
    for mistaken, reason in (
        (
            logits.argmax(axis=0),
            "you looked down the columns; look along each row with axis=1",
        ),
        (
            logits.argmax(),
            "without axis=1 there is one largest logit in all; look along each row",
        ),
        (
            logits.max(axis=1),
            "compare the position of the largest logit with the label, not its value",
        ),
        (
            logits.argmin(axis=1),
            "you took the smallest logit of each row; the largest is the guess",
        ),
    ):
        require(not close(share, np.mean(mistaken == labels)), reason)
    require(
        close(share, 5 / 7), f"5 of 7 rows are right here, so 0.71, not {share:.2f}"
    )
    logits = np.array([[1.0, 5, 0], [7, 2, 0], [0, 1, 9], [3, 2, 1]])
    share = number(answer(logits, np.array([1, 0, 2, 2])))
    require(share != 1, "divide by the number of rows, not by that of columns")
    require(close(share, 0.75), f"3 of 4 rows are right here, not {share:.2f} of them")
    logits = np.array([[-2.0, -1.0, -3.0]] * 6)  # the largest is at 1
    share = number(answer(logits, np.array([1, 1, 1, 0, 0, 2])))
    require(
        not close(share, 1 / 6),
        "logits may be negative: -1 is larger than -3, do not drop the sign",
    )
    require(
        close(share, 1 / 2),
        "all logits of a row may be negative: do not start the search for the largest "
        "at 0",
    )


@exercise
def gradient_by_hand(answer):
    rng = np.random.default_rng(1)
    W, b = rng.normal(size=(64, 10)), rng.normal(size=10)
    x, y = rng.random((5, 64)), np.array([3, 0, 9, 3, 1])
    given = W.copy(), b.copy(), x.copy(), y.copy()
    found = answer(*given)
    require(
        all(map(np.array_equal, given, (W, b, x, y))),
        "it changed its arguments; compute new arrays instead",
    )
    found = listed(found)
    require(len(found) == 2, "return a list of two: the gradient of W, then that of b")
    dW, db = map(as_numbers, found)
    require(dW is not None and db is not None, "return two arrays of numbers")
    require(
        dW.shape != (10,) or db.shape != (64, 10),
        "return the gradient of W first, then that of b",
    )
    require(dW.shape != (10, 64), "turn it round: it is x.T @ (p - t) for W")
    require(
        db.shape not in ((), (5,)),
        "for b take the mean over the rows, with axis=0: one number for each digit",
    )
    require(
        dW.shape == (64, 10) and db.shape == (10,),
        f"the shapes must be (64, 10) and (10,), not {dW.shape} and {db.shape}",
    )
    right_W, right_b = numpy_engine.gradient([W, b], x, y)
    times_W, times_b = factor(dW, right_W), factor(db, right_b)
    require(
        not times_W < 0 and not times_b < 0,
        "the sign is turned round: it is p - t, not t - p",
    )
    require(
        not close(times_W, 5),
        "you summed over the rows; divide by the number of rows",
    )
    require(
        not close(times_b, 5),
        "you summed over the rows for b; take the mean there too",
    )
    require(
        not close(times_W, 1 / 5) and not close(times_b, 1 / 5),
        "you divided by the number of rows twice",
    )
    require(
        not close(times_W, 5 / 10) and not close(times_b, 5 / 10),
        "you divided by the number of digits; divide by the number of rows, len(x)",
    )
    logits, t = x @ W + b, np.eye(10)[y]
    scores, p = np.exp(logits), np.exp(numpy_engine.log_softmax(logits))
    for mistaken, reason in (
        (logits - t, "you used the logits; take the softmax of them first"),
        (
            scores - t,
            "exp alone is not the softmax: divide by the sum of each row",
        ),
        (
            scores / scores.sum() - t,
            "the softmax must sum to 1 in each row, not over all rows: sum over "
            "axis=1, with keepdims=True",
        ),
        (
            scores / scores.sum(axis=0) - t,
            "the softmax must sum to 1 in each row, not in each column: sum over "
            "axis=1, with keepdims=True",
        ),
        (
            np.exp(numpy_engine.log_softmax(x @ W)) - t,
            "you forgot to add b to the logits",
        ),
        (p, "you forgot to subtract t, the rows of zeros with a single one"),
        (
            p - y[:, None],
            "t is not the label itself but its row of zeros and a one: np.eye(10)[y]",
        ),
    ):
        require(
            not close(dW, x.T @ mistaken / 5) and not close(db, mistaken.mean(axis=0)),
            reason,
        )
    right = close(dW, right_W), close(db, right_b)
    require(right != (True, False), "only that of b is wrong: it is the mean of p - t")
    require(
        right != (False, True),
        "only that of W is wrong: it is x.T @ (p - t) divided by the number of rows",
    )
    require(
        right == (True, True),
        "the numbers are not those of the tape; compare one weight with a nudge",
    )
    with np.errstate(all="ignore"):  # its warning would hide the reason
        large = answer(1000 * W, b, x, y)
    require(
        close(large[0], numpy_engine.gradient([1000 * W, b], x, y)[0]),
        "large logits overflow: subtract each row's largest logit before exp",
    )


@exercise
def sgd_update(answer):
    gradient = [np.array([[2.0, -4.0]]), np.array([1.0])]
    given = [part.copy() for part in gradient]
    with explained(
        TypeError,
        "multiply sequence",
        "the gradient is a list of arrays: multiply each array by -lr, not the list",
    ):
        update = answer(given, 0.25)
    require(
        len(given) == 2 and all(map(np.array_equal, given, gradient)),
        "it changed the gradient; make new arrays",
    )
    require(
        not isinstance(update, np.ndarray),
        "return a list of arrays: here one array came, so does return stand in the "
        "loop?",
    )
    update = listed(update)
    require(
        len(update) == 2,
        f"the gradient has 2 arrays and your update {len(update)}: make one for each",
    )
    first, second = update
    shapes = np.shape(as_numbers(first)), np.shape(as_numbers(second))
    require(shapes != ((1,), (1, 2)), "keep the order that the gradient has")
    require(
        shapes == ((1, 2), (1,)),
        "each array of the update is shaped like that of the gradient",
    )
    require(
        not close(first, answer(gradient, 0.125)[0]),
        "with half the lr the update is the same: multiply by the argument lr",
    )
    times = factor(first, gradient[0])
    require(not close(times, -4), "multiply by the learning rate, do not divide by it")
    require(
        not close(times, 0.25),
        "that goes uphill: an update is added, so it needs a minus",
    )
    require(
        not close(times, 0.75),
        "you subtracted it from the gradient; the update is -lr times the gradient",
    )
    require(
        not close(times, -0.125),
        "you divided by the number of arrays; the update is -lr times the gradient",
    )
    require(
        close(times, -0.25),
        f"-0.25 times [2, -4] is [-0.5, 1], not {np.asarray(first)[0]}",
    )
    require(
        close(second, [-0.25]),
        "the first array is right, the second is not -lr times its gradient",
    )
    require(
        close(listed(answer([np.array([3.0])], 0.1)), [[-0.3]]),
        "it is right for a gradient of two arrays only: go through all there are",
    )


@exercise
def split_batch(answer):
    x, y = np.arange(28.0).reshape(14, 2), np.arange(14)
    given = x.copy(), y.copy()
    parts = listed(answer(*given, 3))  # 4 rows each, and rows 12 and 13 are left
    require(
        all(map(np.array_equal, given, (x, y))),
        "it changed x or y; cut them and leave them as they are",
    )
    lengths = [
        len(part) if isinstance(part, list | tuple | np.ndarray) else 0
        for part in parts
    ]
    require(
        lengths != [3, 3],
        "you returned all the images, then all the labels: put them in pairs with zip",
    )
    require(
        set(lengths) == {2},
        "each part is a pair (x, y): the images and their labels",
    )
    parts = [tuple(map(as_numbers, part)) for part in parts]
    require(
        all(np.ndim(part_y) != 2 or np.ndim(part_x) != 1 for part_x, part_y in parts),
        "each pair has the images first, then the labels",
    )
    require(
        all(np.ndim(part_x) == 2 and np.ndim(part_y) == 1 for part_x, part_y in parts),
        "the images of a part keep their rows and columns, the labels their rows",
    )
    require(
        all(len(part_x) == len(part_y) for part_x, part_y in parts),
        "a part has more images than labels, or fewer: cut x and y alike",
    )
    sizes = [len(part_y) for _, part_y in parts]
    require(
        sizes != [4, 4, 4, 2],
        "the rows left over became a part of their own: drop them",
    )
    require(
        sizes[:4] != [3, 3, 3, 3],
        "num_workers is the number of parts; you made parts of 3 rows",
    )
    require(len(parts) == 3, f"3 workers need 3 parts, not {len(parts)}")
    rows = [int(row) for _, part_y in parts for row in part_y.astype(int)]
    require(
        len(set(rows)) == len(rows),
        "a row is in two parts; each worker needs rows of its own",
    )
    require(
        sum(sizes) < 14,
        "the parts are not equal: drop the rows left over, here rows 12 and 13",
    )
    require(sizes != [3, 3, 3], "each part lacks a row: x[0:4] has rows 0 to 3")
    require(sizes == [4, 4, 4], f"3 parts of 14 rows have 4 rows each, not {sizes}")
    require(min(rows) == 0, "you dropped the first rows; drop those at the end")
    require(
        rows == list(range(12)),
        f"the rows are to stay in order, 0-3 first; your first part has {rows[:4]}",
    )
    require(
        all(np.array_equal(part_x, x[part_y]) for part_x, part_y in parts),
        "an image got another one's label: cut x and y at the same rows",
    )
    require(
        [len(part_y) for _, part_y in answer(x, y, 2)] == [7, 7],
        "it is right for 3 workers only: use num_workers",
    )
