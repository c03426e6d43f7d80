"""Wrong and right answers to the exercises of notebooks 00 to 02."""

import operator

import numpy as np
from answers import all_tests_of

from ps_helpers.checks import one_process, push_and_pull, start_here
from ps_helpers.lab import numpy_engine

CHANGED, KEPT = "changed its argument", "keep nothing from one call"

# Notebook 00.

COUNT = "count_messages"
MUTATIONS = [
    (COUNT, "2 * num_workers", "num_workers, num_workers", "the pulls and the pushes"),
    (COUNT, "* num_steps", "* num_steps % 41", "(3, 7) is 42, not 1"),
    (COUNT, "2 *", "2.001 *", "is 42, not 42.02"),
]
WRONG = [
    (COUNT, "7", "it gives 7 whatever the arguments"),
    (COUNT, lambda w, s, n=[0]: n.append(2 * w * s) or sum(n), KEPT),
]
RIGHT = [
    (COUNT, "2.0 * num_workers * num_steps"),
    (COUNT, "sum(2 for _ in range(num_workers) for _ in range(num_steps))"),
    (COUNT, lambda workers, steps: np.prod([workers, steps, 2])),
]
TestStartHere = all_tests_of(start_here, MUTATIONS, WRONG, RIGHT)


# Notebook 01.


def softmax(logits):
    return np.exp(numpy_engine.log_softmax(logits))


def gradient_row_by_row(W, b, x, y):
    dW, db = np.zeros_like(W), np.zeros_like(b)
    for row, label in zip(x, y, strict=True):
        p = np.exp(row @ W + b - max(row @ W + b))
        p = p / sum(p)
        p[label] -= 1
        dW += np.outer(row, p) / len(x)
        db += p / len(x)
    return dW, db


def gradient_with_add_at(W, b, x, y):
    p = softmax(x @ W + b)
    np.add.at(p, (np.arange(len(y)), y), -1)
    return [np.einsum("ri,rj->ij", x, p) / x.shape[0], np.average(p, axis=0)]


def gradient_in_float32(W, b, x, y):
    W, b, x = (part.astype(np.float32) for part in (W, b, x))
    error = softmax(x @ W + b) - np.eye(10, dtype=np.float32)[y]
    return [x.T @ error / len(x), np.ones(len(y), np.float32) @ error / len(x)]


def update_in_place(gradient, lr):
    for part in gradient:
        part *= -lr
    return gradient


def update_from_a_cache(gradient, lr, kept={}):  # noqa: B006
    return kept.setdefault(repr((gradient, lr)), [-lr * part for part in gradient])


def split_in_a_loop(x, y, num_workers):
    parts, start = [], 0
    size = int(len(x) / num_workers)
    for _ in range(num_workers):
        parts.append([x[start : start + size], y[start : start + size]])
        start += size
    return parts


def split_recursively(x, y, num_workers):
    size, end = len(x) // num_workers, len(x) // num_workers * (num_workers - 1)
    rest = (x[size:][:end], y[size:][:end], num_workers - 1)
    return ((x[:size], [*y[:size]]), *(split_recursively(*rest) if end else ()))


def split_and_shuffle(x, y, num_workers):
    order = np.random.default_rng(0).permutation(len(x))
    return split_in_a_loop(x[order], y[order], num_workers)


ACCURACY, GRADIENT = "accuracy", "gradient_by_hand"
UPDATE, SPLIT = "sgd_update", "split_batch"
MUTATIONS = [
    (ACCURACY, "(logits", "(logits.astype(int)", "accuracy("),
    (ACCURACY, "np.mean", "np.round", "not one a row"),
    (ACCURACY, "y))", "y)) + logits.sort()", "stops with TypeError"),
    (GRADIENT, "(10)[y]", "(10)[y - 1]", "of entry 0 of gradient_by_hand"),
    (GRADIENT, "error.sum(axis=0)", "error[0]", "element [0] of entry 1"),
    (GRADIENT, "axis=0)]", "axis=0, keepdims=True)]", "(10,), not (1, 10)"),
    (GRADIENT, ", error.sum(axis=0)", "", "return a list of two"),
    (GRADIENT, "x @ W", "x @ W.astype('f2')", "element"),
    (GRADIENT, "p /=", "W -= 1; p /=", CHANGED + " W"),
    (UPDATE, "-lr", "-0.25", "entry 0 of sgd_update"),
    (UPDATE, "* part", "* part.astype(int)", "of sgd_update"),
    (UPDATE, "* part", "* part.astype('f2')", "of sgd_update"),
    (UPDATE, "-lr", "-learning_rate", "stops with NameError"),
    (SPLIT, "len(x) //", "len(x) /", "stops with TypeError"),
    (SPLIT, "x[i *", "x[::-1][i *", "entry 0 of entry 0 of split_batch"),
    (SPLIT, "[(x", "[(0, x", "each part is a pair"),
]
WRONG = [
    (ACCURACY, "0.5", "it gives 0.5 whatever"),
    (GRADIENT, "tf.GradientTape()", "with NumPy alone"),
    (UPDATE, update_in_place, CHANGED + " gradient"),
    (UPDATE, update_from_a_cache, "the very same array"),
    (SPLIT, split_and_shuffle, "of split_batch"),
    (SPLIT, "{0: (x, y)}", "a list, not a dictionary"),
    (SPLIT, lambda x, y, n: split_in_a_loop(x, y, 3), "is 2, not 3"),
]
RIGHT = [
    (
        ACCURACY,
        "sum(row.tolist().index(max(row)) == n for row, n in zip(logits, y)) / len(y)",
    ),
    (ACCURACY, "(np.argsort(logits, axis=-1)[:, -1] == y).mean()"),
    (ACCURACY, "np.mean(logits[np.arange(len(y)), y] >= logits.max(axis=1))"),
    (GRADIENT, gradient_row_by_row),
    (GRADIENT, gradient_with_add_at),
    (GRADIENT, gradient_in_float32),
    (UPDATE, "(*(part * -lr for part in gradient),)"),
    (UPDATE, "list(map(lambda part: np.multiply(part, -lr).tolist(), gradient))"),
    (UPDATE, "[np.zeros_like(part) - lr * part for part in gradient]"),
    (SPLIT, split_in_a_loop),
    (SPLIT, split_recursively),
    (
        SPLIT,
        "[*zip(*(np.split(z[: len(z) - len(z) % num_workers], num_workers)"
        " for z in (x, y)))]",
    ),
]
TestOneProcess = all_tests_of(one_process, MUTATIONS, WRONG, RIGHT)


# Notebook 02.


def push_and_return(weights, keys, values):
    for i, key in enumerate(keys):
        np.add(weights[key], values[i], out=weights[key])
    return weights


def push_with_update(weights, keys, values):
    for key, value in zip(keys, values, strict=True):
        weights.update({key: weights.pop(key) + value})


def pull_with_swapped_arrays(weights, keys):
    pulled = []
    for key in keys:
        pulled.append(weights[key])
        weights[key] = weights[key].copy()
    return pulled


def running_mean(updates):
    mean = [part.copy() for part in updates[0]]
    for n, update in enumerate(updates[1:], 2):
        mean = [m + (part - m) / n for m, part in zip(mean, update, strict=True)]
    return mean


def mean_in_the_first(updates):
    for update in updates[1:]:
        for total, part in zip(updates[0], update, strict=True):
            total += part
    return [part / len(updates) for part in updates[0]]


def staleness_by_adding_one_for_all_others(events):
    stale, found = {}, []
    for verb, worker in events:
        if verb == "pull":
            stale[worker] = 0
            continue
        found.append(stale[worker])
        stale = {other: count + 1 for other, count in stale.items()}
    return np.array(found)


def staleness_in_one_list(events, found=[]):  # noqa: B006
    found += push_and_pull.count_staleness.right(events)
    return found


staleness_by_looking_back = push_and_pull.looking_back(
    lambda between: sum(verb == "push" for verb, _ in between)
)
MEAN, STALENESS = "mean_update", "count_staleness"
ADD, FOUND, COPY = "weights[key] + value", "return stalenesses", "weights[key].copy()"
MUTATIONS = [
    ("push", ADD, f"({ADD}).tolist()", "no longer an array"),
    ("push", ADD, f"({ADD}).astype(int)", "of push("),
    ("push", ADD, f"({ADD}).astype('f2')", "of push("),
    ("push", ADD, f"{ADD}; value *= 2", CHANGED + " values"),
    ("push", "weights[key] = ", "weights['v', key] = ", "the keys have changed"),
    ("push", "zip(keys, values)", "(keys, values)", "makes pairs"),
    ("push", "weights[key] =", "weights[keys] =", "go through the keys, one at a time"),
    ("pull", COPY, "weights[key]", "copy each array"),
    ("pull", ".copy()", "[:]", "a slice or a view"),
    ("pull", ".copy()", ".tolist()", "return arrays"),
    ("pull", ".copy()", ".astype(int)", "of pull("),
    ("pull", ".copy()", ".astype('f4')", "is 'float64', not 'float32'"),
    ("pull", COPY, "weights.pop(key)", CHANGED + " weights"),
    ("pull", COPY, "key", "in yours is one str"),
    ("pull", "[weights[key].copy() for key in keys]", "weights[keys]", "one at a time"),
    (MEAN, "sum(parts) / len(parts)", "parts / 2", "add and divide its arrays"),
    (MEAN, "/ len(parts)", "/ len(parts) + 1e-3", "of mean_update("),
    (MEAN, "sum(parts)", "sum(parts).astype('f2')", "of mean_update("),
    (STALENESS, FOUND, f"{FOUND}[1:]", "the length of"),
    (STALENESS, FOUND, "return dict(enumerate(stalenesses))", "not a dictionary"),
    (STALENESS, FOUND, "return [stalenesses] * 2", "a list of numbers"),
    (STALENESS, FOUND, f"events.clear(); {FOUND}", CHANGED + " events"),
]
WRONG = [
    (
        "push",
        "{k: weights[k] + v for k, v in zip(keys, values)}",
        "returned new weights",
    ),
    (MEAN, mean_in_the_first, CHANGED + " updates"),
    (MEAN, "sum(updates) / len(updates)", "add and divide its arrays"),
    (STALENESS, "[0, 1]", "it gives [0, 1] whatever"),
    (STALENESS, staleness_in_one_list, "a later call changed"),
]
RIGHT = [
    ("push", push_and_return),
    ("push", push_with_update),
    ("push", lambda w, keys, v: [*map(operator.iadd, map(w.get, keys), v)] and None),
    ("pull", pull_with_swapped_arrays),
    ("pull", "(*(weights[key] + 0.0 for key in keys),)"),
    ("pull", "list(map({key: +weight for key, weight in weights.items()}.get, keys))"),
    (MEAN, running_mean),
    (MEAN, lambda updates: [np.mean(p, axis=0) for p in zip(*updates, strict=True)]),
    (MEAN, lambda u: [np.stack(p).mean(0).tolist() for p in zip(*u, strict=True)]),
    (STALENESS, staleness_by_adding_one_for_all_others),
    (STALENESS, staleness_by_looking_back),
    (STALENESS, lambda events: (*staleness_by_looking_back(events),)),
]
TestPushAndPull = all_tests_of(push_and_pull, MUTATIONS, WRONG, RIGHT)
