"""Wrong and right answers to the exercises of notebooks 00 to 02."""

import copy
import functools
import itertools
import math
import operator
import random
import statistics

import numpy as np
from test_exercises import (
    Answers,
)

from ps_helpers.lab import numpy_engine

answers = Answers()
wrong, right = answers.wrong, answers.right


# Notebook 01, exercise 1: accuracy(logits, y)


@wrong("accuracy", "forgets return", words="returned nothing")
def _(logits, y):
    np.mean(logits.argmax(axis=1) == y)


@wrong("accuracy", "looks down the columns", words="down the columns")
def _(logits, y):
    return np.mean(np.argmax(logits, axis=0) == y)


@wrong("accuracy", "gives no axis", words="without axis=1")
def _(logits, y):
    return np.mean(np.argmax(logits) == y)


@wrong("accuracy", "compares the value", words="compare the position")
def _(logits, y):
    return np.mean(np.max(logits, axis=1) == y)


@wrong("accuracy", "takes the smallest", words="the smallest logit")
def _(logits, y):
    return np.mean(np.argmin(logits, axis=1) == y)


@wrong("accuracy", "counts the right rows", words="you counted the right rows")
def _(logits, y):
    return np.sum(logits.argmax(axis=1) == y)


@wrong("accuracy", "returns percent", words="percent")
def _(logits, y):
    return 100 * np.mean(logits.argmax(axis=1) == y)


@wrong("accuracy", "counts the wrong rows", words="the share of wrong rows")
def _(logits, y):
    return np.mean(logits.argmax(axis=1) != y)


@wrong("accuracy", "returns the rows", words="one number, not one a row")
def _(logits, y):
    return logits.argmax(axis=1) == y


@wrong("accuracy", "asks whether all are right", words="not whether all rows")
def _(logits, y):
    return np.array_equal(logits.argmax(axis=1), y)


@wrong("accuracy", "divides by the columns", words="not by that of columns")
def _(logits, y):
    return np.sum(logits.argmax(axis=1) == y) / len(logits[0])


@wrong("accuracy", "divides without fraction", words="// drops the fraction")
def _(logits, y):
    return np.sum(logits.argmax(axis=1) == y) // len(y)


@wrong("accuracy", "starts its search at 0", words="for the largest at 0")
def _(logits, y):
    hits = 0
    for row, label in zip(logits, y, strict=True):
        largest, guess = 0, 0
        for column, logit in enumerate(row):
            if logit > largest:
                largest, guess = logit, column
        hits += guess == label
    return hits / len(y)


@wrong("accuracy", "takes the largest in size", words="do not drop the sign")
def _(logits, y):
    return np.mean(np.abs(logits).argmax(axis=1) == y)


@wrong("accuracy", "sorts in place", words="changed its arguments")
def _(logits, y):
    guesses = logits.argmax(axis=1)
    logits.sort(axis=1)
    return np.mean(guesses == y)


@wrong("accuracy", "gives the example's result", words="0.5 is the example's result")
def _(logits, y):
    return 0.5


@wrong("accuracy", "divides by all logits", words="5 of 7 rows are right here")
def _(logits, y):
    return np.sum(logits.argmax(axis=1) == y) / logits.size


@wrong("accuracy", "expects ten columns", words="it raised IndexError")
def _(logits, y):
    guesses = [max(range(10), key=lambda digit: row[digit]) for row in logits]
    return np.mean(guesses == y)


@right("accuracy", "in a loop")
def _(logits, y):
    hits = 0
    for i in range(len(y)):
        if np.argmax(logits[i]) == y[i]:
            hits += 1
    return hits / len(y)


@right("accuracy", "in plain Python, as a float")
def _(logits, y):
    rows = logits.tolist()
    hits = [row.index(max(row)) == label for row, label in zip(rows, y, strict=True)]
    return float(sum(hits) / len(hits))


@right("accuracy", "by sorting")
def _(logits, y):
    return (np.argsort(logits, axis=-1)[:, -1] == y).mean()


@right("accuracy", "by the label's own logit")
def _(logits, y):
    return np.mean(logits[np.arange(len(y)), y] >= logits.max(axis=1))


@right("accuracy", "of the softmax, as an array without axes")
def _(logits, y):
    p = np.exp(numpy_engine.log_softmax(logits))
    return np.array(np.count_nonzero(p.argmax(1) == y) / y.size, np.float32)


# Notebook 01, exercise 2: gradient_by_hand(W, b, x, y)


def softmax(logits):
    return np.exp(numpy_engine.log_softmax(logits))


def one_hot(y):
    return np.eye(10)[y]


def gradient_wrong(mistake, words):
    return wrong("gradient_by_hand", mistake, words)


@gradient_wrong("forgets return", words="returned nothing")
def _(W, b, x, y):
    error = softmax(x @ W + b) - one_hot(y)
    _dW, _db = x.T @ error / len(x), error.mean(axis=0)


@gradient_wrong("returns the gradient of b first", words="W first, then that of b")
def _(W, b, x, y):
    error = softmax(x @ W + b) - one_hot(y)
    return [error.mean(axis=0), x.T @ error / len(x)]


@gradient_wrong("sums", words="you summed over the rows; divide")
def _(W, b, x, y):
    error = softmax(x @ W + b) - one_hot(y)
    return [x.T @ error, error.sum(axis=0)]


@gradient_wrong("sums for W only", words="you summed over the rows; divide")
def _(W, b, x, y):
    error = softmax(x @ W + b) - one_hot(y)
    return [x.T @ error, error.mean(axis=0)]


@gradient_wrong("sums for b only", words="you summed over the rows for b")
def _(W, b, x, y):
    error = softmax(x @ W + b) - one_hot(y)
    return [x.T @ error / len(x), error.sum(axis=0)]


@gradient_wrong("divides twice", words="divided by the number of rows twice")
def _(W, b, x, y):
    error = (softmax(x @ W + b) - one_hot(y)) / len(x)
    return [x.T @ error / len(x), error.mean(axis=0)]


@gradient_wrong("divides by the classes", words="the number of digits")
def _(W, b, x, y):
    error = (softmax(x @ W + b) - one_hot(y)) / len(b)
    return [x.T @ error, error.sum(axis=0)]


@gradient_wrong("turns the sign round", words="it is p - t, not t - p")
def _(W, b, x, y):
    error = (one_hot(y) - softmax(x @ W + b)) / len(x)
    return [x.T @ error, error.sum(axis=0)]


@gradient_wrong("turns the sign round and sums", words="it is p - t, not t - p")
def _(W, b, x, y):
    error = one_hot(y) - softmax(x @ W + b)
    return [x.T @ error, error.sum(axis=0)]


@gradient_wrong("takes no softmax", words="take the softmax of them first")
def _(W, b, x, y):
    error = (x @ W + b - one_hot(y)) / len(x)
    return [x.T @ error, error.sum(axis=0)]


@gradient_wrong("takes exp for the softmax", words="divide by the sum of each row")
def _(W, b, x, y):
    error = (np.exp(x @ W + b) - one_hot(y)) / len(x)
    return [x.T @ error, error.sum(axis=0)]


@gradient_wrong("takes the softmax over everything", words="not over all rows")
def _(W, b, x, y):
    p = np.exp(x @ W + b)
    error = (p / p.sum() - one_hot(y)) / len(x)
    return [x.T @ error, error.sum(axis=0)]


@gradient_wrong("takes the softmax of columns", words="not in each column")
def _(W, b, x, y):
    p = np.exp(x @ W + b)
    error = (p / p.sum(axis=0) - one_hot(y)) / len(x)
    return [x.T @ error, error.sum(axis=0)]


@gradient_wrong("forgets keepdims", words="it raised ValueError")
def _(W, b, x, y):
    p = np.exp(x @ W + b)
    error = (p / p.sum(axis=1) - one_hot(y)) / len(x)
    return [x.T @ error, error.sum(axis=0)]


@gradient_wrong("forgets b", words="forgot to add b")
def _(W, b, x, y):
    error = (softmax(x @ W) - one_hot(y)) / len(x)
    return [x.T @ error, error.sum(axis=0)]


@gradient_wrong("forgets the labels", words="forgot to subtract t")
def _(W, b, x, y):
    p = softmax(x @ W + b) / len(x)
    return [x.T @ p, p.sum(axis=0)]


@gradient_wrong("subtracts the labels themselves", words="t is not the label itself")
def _(W, b, x, y):
    error = (softmax(x @ W + b) - y[:, None]) / len(x)
    return [x.T @ error, error.sum(axis=0)]


@gradient_wrong("takes the wrong axis for b", words="for b take the mean over the rows")
def _(W, b, x, y):
    error = softmax(x @ W + b) - one_hot(y)
    return [x.T @ error / len(x), error.mean(axis=1)]


@gradient_wrong("takes one mean for b", words="for b take the mean over the rows")
def _(W, b, x, y):
    error = softmax(x @ W + b) - one_hot(y)
    return [x.T @ error / len(x), error.mean()]


@gradient_wrong("keeps a dimension of b", words="not (64, 10) and (1, 10)")
def _(W, b, x, y):
    error = softmax(x @ W + b) - one_hot(y)
    return [x.T @ error / len(x), error.mean(axis=0, keepdims=True)]


@gradient_wrong("transposes W", words="turn it round")
def _(W, b, x, y):
    error = softmax(x @ W + b) - one_hot(y)
    return [error.T @ x / len(x), error.mean(axis=0)]


@gradient_wrong("returns W only", words="return a list of two")
def _(W, b, x, y):
    return [x.T @ (softmax(x @ W + b) - one_hot(y)) / len(x)]


@gradient_wrong("returns a dictionary", words="a list, not a dictionary")
def _(W, b, x, y):
    error = softmax(x @ W + b) - one_hot(y)
    return {"W": x.T @ error / len(x), "b": error.mean(axis=0)}


@gradient_wrong("returns the new weights", words="not those of the tape")
def _(W, b, x, y):
    error = softmax(x @ W + b) - one_hot(y)
    return [W - x.T @ error / len(x), b - error.mean(axis=0)]


@gradient_wrong("shifts the labels", words="not those of the tape")
def _(W, b, x, y):
    error = softmax(x @ W + b) - one_hot(y - 1)
    return [x.T @ error / len(x), error.mean(axis=0)]


@gradient_wrong("gets only b wrong", words="only that of b is wrong")
def _(W, b, x, y):
    error = softmax(x @ W + b) - one_hot(y)
    return [x.T @ error / len(x), error[0]]


@gradient_wrong("gets only W wrong", words="only that of W is wrong")
def _(W, b, x, y):
    error = softmax(x @ W + b) - one_hot(y)
    return [np.outer(x[0], error[0]), error.mean(axis=0)]


@gradient_wrong("changes W", words="changed its arguments")
def _(W, b, x, y):
    error = softmax(x @ W + b) - one_hot(y)
    W -= x.T @ error / len(x)
    return [x.T @ error / len(x), error.mean(axis=0)]


@gradient_wrong("lets exp overflow", words="large logits overflow")
def _(W, b, x, y):
    p = np.exp(x @ W + b)
    error = (p / p.sum(axis=1, keepdims=True) - one_hot(y)) / len(x)
    return [x.T @ error, error.sum(axis=0)]


@gradient_wrong("subtracts the largest of all", words="each row's largest logit")
def _(W, b, x, y):
    logits = x @ W + b
    p = np.exp(logits - logits.max())
    error = (p / p.sum(axis=1, keepdims=True) - one_hot(y)) / len(x)
    return [x.T @ error, error.sum(axis=0)]


@right("gradient_by_hand", "row by row")
def _(W, b, x, y):
    dW, db = np.zeros_like(W), np.zeros_like(b)
    for row, label in zip(x, y, strict=True):
        logits = row @ W + b
        p = np.exp(logits - max(logits))
        p = p / sum(p)
        p[label] -= 1
        dW += np.outer(row, p) / len(x)
        db += p / len(x)
    return dW, db


@right("gradient_by_hand", "by subtracting at the labels")
def _(W, b, x, y):
    p = softmax(x @ W + b)
    p[range(len(y)), y] -= 1
    return [np.einsum("ri,rj->ij", x, p) / x.shape[0], np.average(p, axis=0)]


@right("gradient_by_hand", "with labels by comparison, and transposed rows")
def _(W, b, x, y):
    logits = (np.dot(x, W) + b).T
    p = np.exp(logits - np.max(logits, axis=0))
    p /= p.sum(axis=0)
    t = np.arange(10)[:, None] == y
    error = (p - t).T
    return [np.mean(x[:, :, None] * error[:, None], axis=0), error.mean(0)]


@right("gradient_by_hand", "in float32")
def _(W, b, x, y):
    W, b, x = (part.astype(np.float32) for part in (W, b, x))
    error = (softmax(x @ W + b) - np.eye(10, dtype=np.float32)[y]) / len(y)
    return [x.T @ error, np.ones(len(y), np.float32) @ error]


# Notebook 01, exercise 3: sgd_update(gradient, lr)


@wrong("sgd_update", "forgets return", words="returned nothing")
def _(gradient, lr):
    [-lr * part for part in gradient]


@wrong("sgd_update", "goes uphill", words="needs a minus")
def _(gradient, lr):
    return [lr * part for part in gradient]


@wrong("sgd_update", "forgets lr", words="multiply by the argument lr")
def _(gradient, lr):
    return [-part for part in gradient]


@wrong("sgd_update", "fixes lr", words="multiply by the argument lr")
def _(gradient, lr):
    return [-0.5 * part for part in gradient]


@wrong("sgd_update", "divides by lr", words="do not divide by it")
def _(gradient, lr):
    return [-part / lr for part in gradient]


@wrong("sgd_update", "subtracts from the gradient", words="subtracted it from the grad")
def _(gradient, lr):
    return [part - lr * part for part in gradient]


@wrong("sgd_update", "averages", words="divided by the number of arrays")
def _(gradient, lr):
    return [-lr * part / len(gradient) for part in gradient]


@wrong("sgd_update", "changes in place", words="changed the gradient")
def _(gradient, lr):
    for part in gradient:
        part *= -lr
    return gradient


@wrong("sgd_update", "replaces in the list", words="changed the gradient")
def _(gradient, lr):
    for i in range(len(gradient)):
        gradient[i] = -lr * gradient[i]
    return gradient


@wrong("sgd_update", "returns in the loop", words="does return stand in the loop")
def _(gradient, lr):
    for part in gradient:
        return -lr * part


@wrong("sgd_update", "keeps the last array", words="your update 1: make one for each")
def _(gradient, lr):
    for part in gradient:
        update = [-lr * part]
    return update


@wrong("sgd_update", "returns a generator", words="put list(…) around")
def _(gradient, lr):
    return (-lr * part for part in gradient)


@wrong("sgd_update", "multiplies the list", words="each array by -lr, not the list")
def _(gradient, lr):
    return -lr * gradient


@wrong("sgd_update", "misspells lr", words="it raised NameError")
def _(gradient, lr):
    return [-learning_rate * part for part in gradient]  # noqa: F821


@wrong("sgd_update", "sums each array", words="shaped like that of the gradient")
def _(gradient, lr):
    return [-lr * part.sum() for part in gradient]


@wrong("sgd_update", "reverses the arrays", words="keep the order that the gradient")
def _(gradient, lr):
    return [-lr * part for part in reversed(gradient)]


@wrong("sgd_update", "updates the first only", words="the second is not -lr times")
def _(gradient, lr):
    return [-lr * gradient[0], gradient[1]]


@wrong("sgd_update", "takes the size only", words="is [-0.5, 1], not")
def _(gradient, lr):
    return [-lr * np.abs(part) for part in gradient]


@wrong("sgd_update", "expects two arrays", words="it raised IndexError")
def _(gradient, lr):
    return [-lr * gradient[0], -lr * gradient[1]]


@right("sgd_update", "in a loop")
def _(gradient, lr):
    update = []
    for part in gradient:
        update.append(np.negative(lr * part))
    return update


@right("sgd_update", "as a tuple")
def _(gradient, lr):
    return tuple(part * -lr for part in gradient)


@right("sgd_update", "with map")
def _(gradient, lr):
    return list(map(functools.partial(np.multiply, -lr), gradient))


@right("sgd_update", "on copies")
def _(gradient, lr):
    update = copy.deepcopy(gradient)
    for part in update:
        part *= -1 * lr
    return update


@right("sgd_update", "by difference")
def _(gradient, lr):
    return [np.zeros_like(part) - lr * part for part in gradient]


# Notebook 01, exercise 4: split_batch(x, y, num_workers)


@wrong("split_batch", "forgets return", words="returned nothing")
def _(x, y, num_workers):
    size = len(x) // num_workers
    [(x[i : i + size], y[i : i + size]) for i in range(0, len(x), size)]


@wrong("split_batch", "keeps the rows left over", words="drop the rows left over")
def _(x, y, num_workers):
    pairs = np.array_split(x, num_workers), np.array_split(y, num_workers)
    return list(zip(*pairs, strict=True))


@wrong("split_batch", "gives the last more", words="drop the rows left over")
def _(x, y, num_workers):
    size = len(x) // num_workers
    cuts = [i * size for i in range(num_workers)] + [len(x)]
    return [(x[a:b], y[a:b]) for a, b in itertools.pairwise(cuts)]


@wrong("split_batch", "makes a part of the rest", words="a part of their own")
def _(x, y, num_workers):
    size = len(x) // num_workers
    return [(x[i : i + size], y[i : i + size]) for i in range(0, len(x), size)]


@wrong("split_batch", "forgets the last part", words="3 workers need 3 parts, not 2")
def _(x, y, num_workers):
    size = len(x) // num_workers
    cuts = [slice(i * size, (i + 1) * size) for i in range(num_workers - 1)]
    return [(x[cut], y[cut]) for cut in cuts]


@wrong("split_batch", "takes num_workers rows", words="number of parts")
def _(x, y, num_workers):
    cuts = [slice(i, i + num_workers) for i in range(0, len(x) - 2, num_workers)]
    return [(x[cut], y[cut]) for cut in cuts]


@wrong("split_batch", "deals like cards", words="the rows are to stay in order")
def _(x, y, num_workers):
    last = len(x) - len(x) % num_workers
    cuts = [slice(i, last, num_workers) for i in range(num_workers)]
    return [(x[cut], y[cut]) for cut in cuts]


@wrong("split_batch", "shuffles", words="the rows are to stay in order")
def _(x, y, num_workers):
    rows = random.Random(0).sample(range(len(x)), len(x))
    rows = rows[: len(x) // num_workers * num_workers]
    return [(x[part], y[part]) for part in np.split(np.array(rows), num_workers)][::-1]


@wrong("split_batch", "drops the first rows", words="you dropped the first rows")
def _(x, y, num_workers):
    rest = len(x) % num_workers
    pairs = np.split(x[rest:], num_workers), np.split(y[rest:], num_workers)
    return list(zip(*pairs, strict=True))


@wrong("split_batch", "overlaps", words="a row is in two parts")
def _(x, y, num_workers):
    size = len(x) // num_workers
    cuts = [slice(i * size, (i + 1) * size + 1) for i in range(num_workers)]
    return [(x[cut], y[cut]) for cut in cuts]


@wrong("split_batch", "moves by one row", words="a row is in two parts")
def _(x, y, num_workers):
    size = len(x) // num_workers
    return [(x[i : i + size], y[i : i + size]) for i in range(num_workers)]


@wrong("split_batch", "gives everybody the same", words="a row is in two parts")
def _(x, y, num_workers):
    size = len(x) // num_workers
    return [(x[:size], y[:size])] * num_workers


@wrong("split_batch", "ends too early", words="each part lacks a row")
def _(x, y, num_workers):
    size = len(x) // num_workers
    cuts = [slice(i * size, (i + 1) * size - 1) for i in range(num_workers)]
    return [(x[cut], y[cut]) for cut in cuts]


@wrong("split_batch", "takes a fixed size", words="have 4 rows each, not [2, 2, 2]")
def _(x, y, num_workers):
    return [(x[2 * i : 2 * i + 2], y[2 * i : 2 * i + 2]) for i in range(num_workers)]


@wrong("split_batch", "forgets the labels", words="each part is a pair")
def _(x, y, num_workers):
    size = len(x) // num_workers
    return [x[i * size : (i + 1) * size] for i in range(num_workers)]


@wrong("split_batch", "gives all labels to all", words="more images than labels, or")
def _(x, y, num_workers):
    size = len(x) // num_workers
    return [(x[i * size : (i + 1) * size], y) for i in range(num_workers)]


@wrong("split_batch", "returns images, then labels", words="in pairs with zip")
def _(x, y, num_workers):
    size = len(x) // num_workers
    x, y = x[: size * num_workers], y[: size * num_workers]
    return np.split(x, num_workers), np.split(y, num_workers)


@wrong("split_batch", "stacks images, then labels", words="in pairs with zip")
def _(x, y, num_workers):
    size = len(x) // num_workers
    x, y = x[: size * num_workers], y[: size * num_workers]
    return x.reshape(num_workers, size, -1), y.reshape(num_workers, size)


@wrong("split_batch", "puts the labels first", words="the images first, then the labe")
def _(x, y, num_workers):
    size = len(x) // num_workers
    cuts = [slice(i * size, (i + 1) * size) for i in range(num_workers)]
    return [(y[cut], x[cut]) for cut in cuts]


@wrong("split_batch", "cuts the labels elsewhere", words="got another one's label")
def _(x, y, num_workers):
    size = len(x) // num_workers
    cuts = [slice(i * size, (i + 1) * size) for i in range(num_workers)]
    return [(x[::-1][cut], y[cut]) for cut in cuts]


@wrong("split_batch", "flattens the images", words="keep their rows and columns")
def _(x, y, num_workers):
    size = len(x) // num_workers
    cuts = [slice(i * size, (i + 1) * size) for i in range(num_workers)]
    return [(x[cut].ravel(), y[cut]) for cut in cuts]


@wrong("split_batch", "returns a dictionary", words="a list, not a dictionary")
def _(x, y, num_workers):
    size = len(x) // num_workers
    cuts = [slice(i * size, (i + 1) * size) for i in range(num_workers)]
    return {worker: (x[cut], y[cut]) for worker, cut in enumerate(cuts)}


@wrong("split_batch", "shuffles in place", words="changed x or y")
def _(x, y, num_workers):
    np.random.default_rng(0).shuffle(x)
    size = len(x) // num_workers
    cuts = [slice(i * size, (i + 1) * size) for i in range(num_workers)]
    return [(x[cut], y[cut]) for cut in cuts]


@wrong("split_batch", "asks for equal parts", words="it raised ValueError")
def _(x, y, num_workers):
    pairs = np.split(x, num_workers), np.split(y, num_workers)
    return list(zip(*pairs, strict=True))


@wrong("split_batch", "knows three workers", words="3 workers only")
def _(x, y, num_workers):
    size = len(x) // 3
    return [
        (x[i * size : (i + 1) * size], y[i * size : (i + 1) * size]) for i in range(3)
    ]


@wrong("split_batch", "yields without end", words="put list(…) around")
def _(x, y, num_workers):
    while True:
        yield x[:4], y[:4]


@right("split_batch", "in a loop that moves on")
def _(x, y, num_workers):
    parts, start = [], 0
    size = int(len(x) / num_workers)
    for _worker in range(num_workers):
        parts.append([x[start : start + size], y[start : start + size]])
        start += size
    return parts


@right("split_batch", "with np.split and zip")
def _(x, y, num_workers):
    end = len(x) - len(x) % num_workers
    pairs = np.split(x[:end], num_workers), np.split(y[:end], num_workers)
    return list(zip(*pairs, strict=True))


@right("split_batch", "with np.array_split, as a tuple")
def _(x, y, num_workers):
    rows = np.arange(len(x) // num_workers * num_workers)
    return tuple((x[part], y[part]) for part in np.array_split(rows, num_workers))


@right("split_batch", "with reshape")
def _(x, y, num_workers):
    size = len(x) // num_workers
    images = x[: num_workers * size].reshape(num_workers, size, -1)
    labels = y[: num_workers * size].reshape(num_workers, -1)
    return [(images[w], labels[w]) for w in range(num_workers)]


@right("split_batch", "row by row")
def _(x, y, num_workers):
    size = len(x) // num_workers
    rows = [list(range(w * size, w * size + size)) for w in range(num_workers)]
    return [
        (np.stack([x[i] for i in part]), [int(y[i]) for i in part]) for part in rows
    ]


# Notebook 02, exercise 1: push(weights, keys, values)


@wrong("push", "replaces", words="you replaced the weight")
def _(weights, keys, values):
    for key, value in zip(keys, values, strict=True):
        weights[key] = value


@wrong("push", "replaces with update", words="you replaced the weight")
def _(weights, keys, values):
    weights.update(zip(keys, values, strict=True))


@wrong("push", "adds to a name of its own", words="the weights did not change")
def _(weights, keys, values):
    for key, value in zip(keys, values, strict=True):
        weight = weights[key]
        weight = weight + value


@wrong("push", "stores nothing", words="the weights did not change")
def _(weights, keys, values):
    for key, value in zip(keys, values, strict=True):
        weights[key] + value


@wrong("push", "uses a global", words="the weights did not change")
def _(weights, keys, values):
    for key, value in zip(keys, values, strict=True):
        kept_elsewhere[key] = kept_elsewhere[key] + value


kept_elsewhere = {"W": np.zeros(2), "b": np.zeros(2), "c": np.zeros(2)}


@wrong("push", "returns new weights", words="you returned new weights")
def _(weights, keys, values):
    added = {k: weights[k] + v for k, v in zip(keys, values, strict=True)}
    return {**weights, **added}


@wrong("push", "subtracts", words="you subtracted")
def _(weights, keys, values):
    for key, value in zip(keys, values, strict=True):
        weights[key] -= value


@wrong("push", "returns in the loop", words="only the first key was pushed")
def _(weights, keys, values):
    for key, value in zip(keys, values, strict=True):
        weights[key] += value
        return weights


@wrong("push", "adds after the loop", words="only the last key was pushed")
def _(weights, keys, values):
    for key, value in zip(keys, values, strict=True):  # noqa: B007
        pass
    weights[key] += value


@wrong("push", "ignores the keys", words="a value went to another key's weight")
def _(weights, keys, values):
    for key, value in zip(weights, values, strict=False):
        weights[key] += value


@wrong("push", "sorts the keys", words="a value went to another key's weight")
def _(weights, keys, values):
    for key, value in zip(sorted(keys), values, strict=True):
        weights[key] += value


@wrong("push", "adds everything everywhere", words="every value went to every key")
def _(weights, keys, values):
    for key in keys:
        for value in values:
            weights[key] = weights[key] + value


@wrong("push", "changes other keys too", words="a key that was not pushed")
def _(weights, keys, values):
    for key, value in zip(keys, values, strict=True):
        weights[key] += value
    weights["c"] *= 0.9


@wrong("push", "adds a key", words="the keys have changed")
def _(weights, keys, values):
    for key, value in zip(keys, values, strict=True):
        weights[key] += value
    weights["version"] = 1


@wrong("push", "averages", words="you averaged")
def _(weights, keys, values):
    for key, value in zip(keys, values, strict=True):
        weights[key] = (weights[key] + value) / 2


@wrong("push", "adds twice", words="you added the value twice")
def _(weights, keys, values):
    for key, value in zip(keys, values, strict=True):
        weights[key] += value
        weights[key] += value


@wrong("push", "multiplies", words="makes [15, 26] of [5, 6]")
def _(weights, keys, values):
    for key, value in zip(keys, values, strict=True):
        weights[key] = weights[key] * value


@wrong("push", "appends", words="do not append it")
def _(weights, keys, values):
    for key, value in zip(keys, values, strict=True):
        weights[key] = np.append(weights[key], value)


@wrong("push", "makes lists", words="no longer an array")
def _(weights, keys, values):
    for key, value in zip(keys, values, strict=True):
        weights[key] = [float(w + v) for w, v in zip(weights[key], value, strict=True)]


@wrong("push", "changes the values", words="you changed the values")
def _(weights, keys, values):
    for key, value in zip(keys, values, strict=True):
        value += weights[key]
        weights[key] = value


@wrong("push", "adds to the start", words="a second push did not add")
def _(weights, keys, values, start={}):  # noqa: B006
    for key, value in zip(keys, values, strict=True):
        weights[key] = start.setdefault(key, weights[key]) + value


@wrong("push", "loses a double key", words="pushed twice in one call")
def _(weights, keys, values):
    for key, value in dict(zip(keys, values, strict=True)).items():
        weights[key] += value


@wrong("push", "takes the list for a key", words="the keys, one at a time")
def _(weights, keys, values):
    weights[keys] += values


@wrong("push", "forgets zip", words="it raised UFuncTypeError")
def _(weights, keys, values):
    for key, value in keys, values:
        weights[key] += value


@right("push", "in place")
def _(weights, keys, values):
    for key, value in zip(keys, values, strict=True):
        weights[key] += value


@right("push", "by place")
def _(weights, keys, values):
    for i in range(len(keys)):
        weights[keys[i]] = np.add(weights[keys[i]], values[i])


@right("push", "with out=, returning the weights")
def _(weights, keys, values):
    for i, key in enumerate(keys):
        np.add(weights[key], values[i], out=weights[key])
    return weights


@right("push", "with update, one by one")
def _(weights, keys, values):
    for key, value in zip(keys, values, strict=True):
        weights.update({key: weights.pop(key) + value})


@right("push", "with map")
def _(weights, keys, values):
    list(map(operator.iadd, (weights[key] for key in keys), values))


# Notebook 02, exercise 2: pull(weights, keys)


@wrong("pull", "forgets return", words="returned nothing")
def _(weights, keys):
    [weights[key].copy() for key in keys]


@wrong("pull", "returns live arrays", words="return copies, not the live arrays")
def _(weights, keys):
    return [weights[key] for key in keys]


@wrong("pull", "copies the list only", words="return copies, not the live arrays")
def _(weights, keys):
    return [weights[key] for key in keys].copy()


@wrong("pull", "copies the dictionary only", words="return copies, not the live")
def _(weights, keys):
    weights = weights.copy()
    return [weights[key] for key in keys]


@wrong("pull", "takes a slice for a copy", words="return copies, not the live arrays")
def _(weights, keys):
    return [weights[key][:] for key in keys]


@wrong("pull", "takes asarray for a copy", words="return copies, not the live arrays")
def _(weights, keys):
    return [np.asarray(weights[key]) for key in keys]


@wrong("pull", "returns a dictionary", words="a list, not a dictionary")
def _(weights, keys):
    return {key: weights[key].copy() for key in keys}


@wrong("pull", "returns everything", words="return only those asked")
def _(weights, keys):
    return [weight.copy() for weight in weights.values()]


@wrong("pull", "keeps the weights' order", words="follow the order of the keys asked")
def _(weights, keys):
    return [weight.copy() for key, weight in weights.items() if key in keys]


@wrong("pull", "sorts the keys", words="follow the order of the keys asked")
def _(weights, keys):
    return [weights[key].copy() for key in sorted(keys)]


@wrong("pull", "goes by place", words="not the weights of the keys asked")
def _(weights, keys):
    in_order = list(weights.values())
    return [in_order[i].copy() for i in range(len(keys))]


@wrong("pull", "returns the keys", words="the weights, not their keys")
def _(weights, keys):
    return list(keys)


@wrong("pull", "returns pairs", words="without their keys")
def _(weights, keys):
    return [(key, weights[key].copy()) for key in keys]


@wrong("pull", "returns in the loop", words="does return stand in the loop")
def _(weights, keys):
    for key in keys:
        return weights[key].copy()


@wrong("pull", "keeps the last", words="return one weight for each key")
def _(weights, keys):
    for key in keys:
        pulled = [weights[key].copy()]
    return pulled


@wrong("pull", "makes lists", words="return arrays")
def _(weights, keys):
    return [weights[key].tolist() for key in keys]


@wrong("pull", "takes the weights away", words="must not change the weights")
def _(weights, keys):
    return [weights.pop(key) for key in keys]


@wrong("pull", "empties the weights", words="must not change the weights")
def _(weights, keys):
    pulled = [weights[key].copy() for key in keys]
    for key in keys:
        weights[key][:] = 0
    return pulled


@wrong("pull", "drops a double key", words="must come twice")
def _(weights, keys):
    return [weights[key].copy() for key in dict.fromkeys(keys)]


@wrong("pull", "takes the list for a key", words="the keys, one at a time")
def _(weights, keys):
    return weights[keys].copy()


@wrong("pull", "makes one array", words="it raised ValueError")
def _(weights, keys):
    return np.array([weights[key] for key in keys])


@wrong("pull", "returns a generator", words="put list(…) around")
def _(weights, keys):
    return (weights[key].copy() for key in keys)


@wrong("pull", "returns a view of the values", words="of type dict_values")
def _(weights, keys):
    return {key: weights[key].copy() for key in keys}.values()


@right("pull", "in a loop")
def _(weights, keys):
    pulled = []
    for key in keys:
        pulled.append(np.array(weights[key]))
    return pulled


@right("pull", "with deepcopy, as a tuple")
def _(weights, keys):
    weights = copy.deepcopy(weights)
    return tuple(weights[key] for key in keys)


@right("pull", "by adding zero")
def _(weights, keys):
    return list(map(lambda key: weights[key] + 0.0, keys))


@right("pull", "with np.copy and a dictionary")
def _(weights, keys):
    copies = {key: np.copy(weight) for key, weight in weights.items()}
    return [copies[key] for key in keys]


@right("pull", "that swaps its own array")
def _(weights, keys):
    pulled = []
    for key in keys:
        pulled.append(weights[key])
        weights[key] = weights[key].copy()
    return pulled


# Notebook 02, exercise 3: mean_update(updates)


@wrong("mean_update", "forgets return", words="returned nothing")
def _(updates):
    [sum(parts) / len(parts) for parts in zip(*updates, strict=True)]


@wrong("mean_update", "sums", words="you summed")
def _(updates):
    return [sum(parts) for parts in zip(*updates, strict=True)]


@wrong("mean_update", "divides by the keys", words="divided by the number of keys")
def _(updates):
    return [sum(parts) / len(updates[0]) for parts in zip(*updates, strict=True)]


@wrong("mean_update", "divides by four", words="you divided by 4")
def _(updates):
    return [sum(parts) / 4 for parts in zip(*updates, strict=True)]


@wrong("mean_update", "divides twice", words="the number of workers twice")
def _(updates):
    means = [sum(parts) / len(parts) for parts in zip(*updates, strict=True)]
    return [mean / len(updates) for mean in means]


@wrong("mean_update", "divides without fraction", words="// drops the fraction")
def _(updates):
    return [sum(parts) // len(parts) for parts in zip(*updates, strict=True)]


@wrong("mean_update", "takes the median", words="that is the median")
def _(updates):
    return [np.median(parts, axis=0) for parts in zip(*updates, strict=True)]


@wrong("mean_update", "halves after each", words="gives the last one most weight")
def _(updates):
    mean = updates[0]
    for update in updates[1:]:
        mean = [(a + b) / 2 for a, b in zip(mean, update, strict=True)]
    return mean


@wrong("mean_update", "averages each worker", words="average over workers, key by key")
def _(updates):
    return [np.mean([np.mean(part) for part in update]) for update in updates]


@wrong("mean_update", "averages within arrays", words="do not average within them")
def _(updates):
    return [np.mean(parts) for parts in zip(*updates, strict=True)]


@wrong("mean_update", "averages everything", words="a list, not one number")
def _(updates):
    return np.mean([part.mean() for update in updates for part in update])


@wrong("mean_update", "takes the first worker", words="the first worker's update alone")
def _(updates):
    for update in updates:
        return [part / 1 for part in update]


@wrong("mean_update", "takes the last worker", words="the last worker's update alone")
def _(updates):
    for update in updates:
        mean = [part / 1 for part in update]
    return mean


@wrong("mean_update", "adds into the first", words="it changed the workers' updates")
def _(updates):
    total = updates[0]
    for update in updates[1:]:
        for i, part in enumerate(update):
            total[i] += part
    return [part / len(updates) for part in total]


@wrong("mean_update", "consumes the list", words="it changed the workers' updates")
def _(updates):
    count, total = len(updates), updates.pop()
    while updates:
        total = [a + b for a, b in zip(total, updates.pop(), strict=True)]
    return [part / count for part in total]


@wrong("mean_update", "reverses the keys", words="the keys are in another order")
def _(updates):
    return [sum(parts) / len(parts) for parts in zip(*updates, strict=True)][::-1]


@wrong("mean_update", "makes one array", words="average key by key")
def _(updates):
    return np.mean(updates, axis=0)


@wrong("mean_update", "stacks all arrays", words="average key by key")
def _(updates):
    return np.mean([np.stack(update) for update in updates], axis=0)


@wrong("mean_update", "adds up the lists", words="add and divide its arrays")
def _(updates):
    return sum(updates) / len(updates)


@wrong("mean_update", "divides a list", words="add and divide its arrays")
def _(updates):
    return [update / len(updates) for update in updates]


@wrong("mean_update", "returns a dictionary", words="a list, not a dictionary")
def _(updates):
    return {
        key: sum(parts) / len(parts)
        for key, parts in enumerate(zip(*updates, strict=True))
    }


@wrong("mean_update", "knows three workers", words="3 workers only")
def _(updates):
    return [sum(parts) / 3 for parts in zip(*updates, strict=True)]


@wrong("mean_update", "gets the second key wrong", words="3, 5 and 10 is 6, not 18")
def _(updates):
    first, second = (sum(parts) for parts in zip(*updates, strict=True))
    return [first / len(updates), second]


@wrong("mean_update", "expects two keys", words="it raised IndexError")
def _(updates):
    count = len(updates)
    return [sum(update[key] for update in updates) / count for key in (0, 1)]


@right("mean_update", "with np.mean")
def _(updates):
    return [np.mean(parts, axis=0) for parts in zip(*updates, strict=True)]


@right("mean_update", "in loops, on a copy")
def _(updates):
    mean = [np.zeros_like(part) for part in updates[0]]
    for update in updates:
        for total, part in zip(mean, update, strict=True):
            total += part / len(updates)
    return mean


@right("mean_update", "by key, as a tuple")
def _(updates):
    keys = range(len(updates[0]))
    return tuple(np.stack([u[key] for u in updates]).mean(0) for key in keys)


@right("mean_update", "with statistics")
def _(updates):
    total = functools.reduce(lambda a, b: list(map(np.add, a, b)), updates)
    return [np.divide(part, len(updates)) for part in total]


@right("mean_update", "as a running mean")
def _(updates):
    mean = [part.copy() for part in updates[0]]
    for n, update in enumerate(updates[1:], 2):
        mean = [m + (part - m) / n for m, part in zip(mean, update, strict=True)]
    return mean


# Notebook 02, exercise 4: count_staleness(events)


@wrong("count_staleness", "forgets return", words="returned nothing")
def _(events):
    version, pulled, stalenesses = 0, {}, []
    for verb, worker in events:
        if verb == "pull":
            pulled[worker] = version
        else:
            stalenesses.append(version - pulled[worker])
            version += 1


@wrong("count_staleness", "counts the push itself", words="you counted the push itself")
def _(events):
    version, pulled, stalenesses = 0, {}, []
    for verb, worker in events:
        if verb == "pull":
            pulled[worker] = version
        else:
            version += 1
            stalenesses.append(version - pulled[worker])
    return stalenesses


@wrong("count_staleness", "forgets to count", words="it is always 0")
def _(events):
    version, pulled, stalenesses = 0, {}, []
    for verb, worker in events:
        if verb == "pull":
            pulled[worker] = version
        else:
            stalenesses.append(version - pulled[worker])
    return stalenesses


@wrong("count_staleness", "gives the pulled version", words="the version at the pull")
def _(events):
    version, pulled, stalenesses = 0, {}, []
    for verb, worker in events:
        if verb == "pull":
            pulled[worker] = version
        else:
            stalenesses.append(pulled[worker])
            version += 1
    return stalenesses


@wrong("count_staleness", "gives the version", words="you counted from the start")
def _(events):
    return list(range(sum(verb == "push" for verb, _ in events)))


@wrong("count_staleness", "counts pulls", words="you counted pulls; staleness")
def _(events):
    pulls, pulled, stalenesses = 0, {}, []
    for verb, worker in events:
        if verb == "pull":
            pulls += 1
            pulled[worker] = pulls
        else:
            stalenesses.append(pulls - pulled[worker])
    return stalenesses


@wrong("count_staleness", "counts all events", words="you counted pulls and pushes")
def _(events):
    pulled, stalenesses = {}, []
    for time, (verb, worker) in enumerate(events):
        if verb == "pull":
            pulled[worker] = time
        else:
            stalenesses.append(time - pulled[worker] - 1)
    return stalenesses


@wrong("count_staleness", "keeps the first pull", words="keep its latest pull")
def _(events):
    version, pulled, stalenesses = 0, {}, []
    for verb, worker in events:
        if verb == "pull":
            pulled.setdefault(worker, version)
        else:
            stalenesses.append(version - pulled[worker])
            version += 1
    return stalenesses


@wrong("count_staleness", "keeps one pull for all", words="a version for each worker")
def _(events):
    version, pulled, stalenesses = 0, 0, []
    for verb, _worker in events:
        if verb == "pull":
            pulled = version
        else:
            stalenesses.append(version - pulled)
            version += 1
    return stalenesses


@wrong("count_staleness", "counts from its last push", words="the worker's last push")
def _(events):
    version, pushed, stalenesses = 0, {}, []
    for verb, worker in events:
        if verb == "push":
            stalenesses.append(version - pushed.get(worker, 0))
            version += 1
            pushed[worker] = version
    return stalenesses


@wrong("count_staleness", "counts workers", words="you counted the workers")
def _(events):
    others, stalenesses = {}, []
    for verb, worker in events:
        if verb == "pull":
            others[worker] = set()
        else:
            stalenesses.append(len(others[worker]))
            for seen in others.values():
                seen.add(worker)
    return stalenesses


@wrong("count_staleness", "counts who is at work", words="who holds weights")
def _(events):
    at_work, stalenesses = set(), []
    for verb, worker in events:
        if verb == "pull":
            at_work.add(worker)
        else:
            at_work.remove(worker)
            stalenesses.append(len(at_work))
    return stalenesses


def staleness(events):
    """Return the right stalenesses, and who pushed."""
    version, pulled, found = 0, {}, []
    for verb, worker in events:
        if verb == "pull":
            pulled[worker] = version
        else:
            found.append((version - pulled[worker], worker))
            version += 1
    return found


@wrong("count_staleness", "sorts by worker", words="not worker by worker")
def _(events):
    return [stale for stale, _ in sorted(staleness(events), key=lambda row: row[1])]


@wrong("count_staleness", "puts the last first", words="the first one first")
def _(events):
    found = []
    for stale, _worker in staleness(events):
        found.insert(0, stale)
    return found


@wrong(
    "count_staleness", "turns the sign round", words="the version at the push is the"
)
def _(events):
    return [-stale for stale, _ in staleness(events)]


@wrong("count_staleness", "returns a dictionary", words="a list, not a dictionary")
def _(events):
    return {worker: stale for stale, worker in staleness(events)}


@wrong("count_staleness", "returns the mean", words="a list, not one number")
def _(events):
    return np.mean([stale for stale, _ in staleness(events)])


@wrong("count_staleness", "gives one a pull, too", words="not for each pull")
def _(events):
    stalenesses = iter([stale for stale, _ in staleness(events)])
    return [next(stalenesses) if verb == "push" else 0 for verb, _ in events]


@wrong("count_staleness", "gives the example's result", words="[0, 1] is the example's")
def _(events):
    return [0, 1]


@wrong("count_staleness", "empties the list", words="it changed the list of events")
def _(events):
    found = [stale for stale, _ in staleness(events)]
    events.clear()
    return found


@wrong("count_staleness", "keeps its list", words="begin with an empty list")
def _(events, found=[]):  # noqa: B006
    found += [stale for stale, _ in staleness(events)]
    return found


@wrong("count_staleness", "expects three workers", words="it raised IndexError")
def _(events):
    version, pulled, stalenesses = 0, [0, 0, 0], []
    for verb, worker in events:
        if verb == "pull":
            pulled[worker] = version
        else:
            stalenesses.append(version - pulled[worker])
            version += 1
    return stalenesses


@wrong("count_staleness", "misses one push", words="there are 6 pushes, so 6 numbers")
def _(events):
    return [stale for stale, _ in staleness(events)][1:]


@wrong("count_staleness", "adds up", words="it is [0, 1, 1, 0, 2, 4], not")
def _(events):
    return list(itertools.accumulate(stale for stale, _ in staleness(events)))


@right("count_staleness", "by counting in the list so far")
def _(events):
    found, pulled = [], {}
    for verb, worker in events:
        if verb == "pull":
            pulled[worker] = len(found)
        if verb == "push":
            found.append(len(found) - pulled[worker])
    return found


@right("count_staleness", "by adding one for all others")
def _(events):
    stale, found = {}, []
    for verb, worker in events:
        if verb == "pull":
            stale[worker] = 0
            continue
        found.append(stale[worker])
        stale = {other: count + 1 for other, count in stale.items()}
    return np.array(found)


@right("count_staleness", "by looking back")
def _(events):
    found = []
    for now, (verb, worker) in enumerate(events):
        if verb == "push":
            then = max(i for i in range(now) if events[i] == ("pull", worker))
            found.append(sum(verb == "push" for verb, _ in events[then:now]))
    return tuple(found)


# The tests themselves.


endless = []
endless.append(endless)
JUNK = [None, 0, -1.5, math.nan, math.inf, True, 1j, 10**400, "text", b"", object()]
JUNK += [len, int, ..., iter([]), itertools.count(), range(3), statistics]
JUNK += [[], (), {}, set(), [None], [None] * 2, [None] * 3, ["W", "b"], "Wb", endless]
JUNK += [[[], []], [[1, 2], [3]], [{}, {}], [[[1], [2]]] * 3, [("W", 1)] * 2]
JUNK += [np.array(None), np.zeros(3), np.zeros((2, 2)), np.array(["a", "b"])]
JUNK += [[np.zeros(2), None], [np.full((64, 10), math.nan), np.zeros(10)]]
JUNK += [[(np.zeros((4, 2)), np.full(4, math.nan))] * 3, np.ma.masked, [math.nan] * 6]


TestAnswers = answers.tests(JUNK)
