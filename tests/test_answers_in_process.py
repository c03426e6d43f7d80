"""Wrong and right answers to the exercises of notebooks 00 to 02."""

import copy
import functools
import itertools
import operator

import numpy as np
from answers import all_tests_of

from ps_helpers.checks import one_process, push_and_pull, start_here
from ps_helpers.lab import numpy_engine

COUNT, ACCURACY, GRADIENT = "count_messages", "accuracy", "gradient_by_hand"
UPDATE, SPLIT, MEAN, STALENESS = (
    "sgd_update",
    "split_batch",
    "mean_update",
    "count_staleness",
)
CHANGED, KEPT, SHARED = "changed its argument", "keep nothing", "the very same array"
kept = {}


def cached(function):
    return lambda *arguments: kept.setdefault(repr(arguments), function(*arguments))


# Notebook 00.

TestStartHere = all_tests_of(
    start_here,
    mutations=[
        (
            COUNT,
            "2 * num_workers",
            "num_workers, num_workers",
            "the pulls and the push",
        ),
        (COUNT, "* num_steps", "* num_steps % 41", "(3, 7) is 42, not 1"),
        (COUNT, "2 *", "2.001 *", "is 42, not 42.02"),
    ],
    wrong=[
        (COUNT, lambda workers, steps: 7, "it gives 7 whatever the arguments"),
        (
            COUNT,
            lambda w, s, total=[0]: operator.iadd(total, [w * s])[-1] * len(total),
            KEPT,
        ),
    ],
    right=[
        (COUNT, lambda workers, steps: 2.0 * workers * steps),
        (COUNT, lambda workers, steps: np.prod([workers, steps, 2])),
        (COUNT, lambda w, s: sum(2 for _ in range(w) for _ in range(s))),
    ],
)


# Notebook 01.


def softmax(logits):
    return np.exp(numpy_engine.log_softmax(logits))


def with_position_of_largest(logits, y):
    found = [row.tolist().index(max(row)) for row in logits]
    return sum(map(operator.eq, found, y)) / len(y)


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


def gradient_with_the_tape(W, b, x, y):
    with tf.GradientTape():  # noqa: F821
        return None


def gradient_in_float32(W, b, x, y):
    W, b, x = (part.astype(np.float32) for part in (W, b, x))
    error = softmax(x @ W + b) - np.eye(10, dtype=np.float32)[y]
    return [x.T @ error / len(x), np.ones(len(y), np.float32) @ error / len(x)]


def update_in_place(gradient, lr):
    for part in gradient:
        part *= -lr
    return gradient


def update_on_copies(gradient, lr):
    update = copy.deepcopy(gradient)
    for part in update:
        part *= -1 * lr
    return update


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


TestOneProcess = all_tests_of(
    one_process,
    mutations=[
        (ACCURACY, "(logits", "(logits.astype(int)", "is"),
        (ACCURACY, "np.mean", "np.round", "not one a row"),
        (ACCURACY, "np.asarray(y))", "y) + 0 * logits.sort()", "stops with TypeError"),
        (
            GRADIENT,
            "np.eye(10)[y]",
            "np.eye(10)[y - 1]",
            "of entry 0 of gradient_by_hand",
        ),
        (GRADIENT, "error.sum(axis=0)", "error[0]", "element [0] of entry 1"),
        (GRADIENT, "sum(axis=0)]", "sum(axis=0, keepdims=True)]", "(10,), not (1, 10)"),
        (GRADIENT, ", error.sum(axis=0)", "", "return a list of two"),
        (GRADIENT, "x @ W", "x @ W.astype('f2')", "element"),
        (GRADIENT, "p /=", "W -= 1; p /=", CHANGED + " W"),
        (UPDATE, "-lr", "-0.25", "entry 0 of sgd_update"),
        (UPDATE, "* part", "* part.astype(int)", "entry 0 of sgd_update"),
        (UPDATE, "* part", "* part.astype('f2')", "of sgd_update"),
        (UPDATE, "-lr", "-learning_rate", "stops with NameError"),
        (
            SPLIT,
            "len(x) // num_workers",
            "len(x) / num_workers",
            "stops with TypeError",
        ),
        (SPLIT, "x[i *", "x[::-1][i *", "entry 0 of entry 0 of split_batch"),
        (SPLIT, "[(x", "[(0, x", "each part is a pair"),
    ],
    wrong=[
        (ACCURACY, lambda logits, y: 0.5, "it gives 0.5 whatever"),
        (GRADIENT, gradient_with_the_tape, "with NumPy alone"),
        (UPDATE, update_in_place, CHANGED + " gradient"),
        (
            UPDATE,
            cached(lambda gradient, lr: [-lr * part for part in gradient]),
            SHARED,
        ),
        (SPLIT, split_and_shuffle, "of split_batch"),
        (SPLIT, lambda x, y, n: {0: (x, y)}, "a list, not a dictionary"),
        (SPLIT, lambda x, y, n: split_in_a_loop(x, y, 3), "is 2, not 3"),
    ],
    right=[
        (ACCURACY, with_position_of_largest),
        (ACCURACY, lambda logits, y: (np.argsort(logits, axis=-1)[:, -1] == y).mean()),
        (ACCURACY, lambda z, y: np.mean(z[np.arange(len(y)), y] >= z.max(axis=1))),
        (GRADIENT, gradient_row_by_row),
        (GRADIENT, gradient_with_add_at),
        (GRADIENT, gradient_in_float32),
        (UPDATE, update_on_copies),
        (UPDATE, lambda gradient, lr: (*(part * -lr for part in gradient),)),
        (UPDATE, lambda g, lr: list(map(functools.partial(np.multiply, -lr), g))),
        (SPLIT, split_in_a_loop),
        (SPLIT, split_recursively),
        (
            SPLIT,
            lambda x, y, n: [
                *map(
                    list,
                    zip(
                        *(np.split(z[: len(x) // n * n], n) for z in (x, y)),
                        strict=True,
                    ),
                )
            ],
        ),
    ],
)


# Notebook 02.


def push_and_return(weights, keys, values):
    for i, key in enumerate(keys):
        np.add(weights[key], values[i], out=weights[key])
    return weights


def push_with_update(weights, keys, values):
    for key, value in zip(keys, values, strict=True):
        weights.update({key: weights.pop(key) + value})


def push_into_new_weights(weights, keys, values):
    added = {k: weights[k] + v for k, v in zip(keys, values, strict=True)}
    return {**weights, **added}


def pull_with_swapped_arrays(weights, keys):
    pulled = []
    for key in keys:
        pulled.append(weights[key])
        weights[key] = weights[key].copy()
    return pulled


def pull_from_copies(weights, keys):
    copies = {key: np.copy(weight) for key, weight in weights.items()}
    return [copies[key] for key in keys]


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
ADD = "weights[key] + value"

TestPushAndPull = all_tests_of(
    push_and_pull,
    mutations=[
        ("push", ADD, f"({ADD}).tolist()", "no longer an array"),
        ("push", ADD, f"({ADD}).astype(int)", "of push("),
        ("push", ADD, f"({ADD}).astype('f2')", "of push("),
        ("push", ADD, f"{ADD}; value *= 2", CHANGED + " values"),
        ("push", "weights[key] = ", "weights['v', key] = ", "the keys have changed"),
        ("push", "zip(keys, values)", "(keys, values)", "makes pairs"),
        ("push", "weights[key] =", "weights[keys] =", "go through the keys, one at"),
        ("pull", ".copy()", "", "copy each array"),
        ("pull", ".copy()", "[:]", "a slice or a view"),
        ("pull", ".copy()", ".tolist()", "return arrays"),
        ("pull", ".copy()", ".astype(int)", "of pull("),
        ("pull", ".copy()", ".astype('f4')", "is 'float64', not 'float32'"),
        ("pull", "weights[key].copy()", "weights.pop(key)", CHANGED + " weights"),
        ("pull", "weights[key].copy()", "key", "in yours is one str"),
        (
            "pull",
            "[weights[key].copy() for key in keys]",
            "weights[keys]",
            "one at a ti",
        ),
        (MEAN, "sum(parts) / len(parts)", "parts / 2", "add and divide its arrays"),
        (MEAN, "/ len(parts)", "/ len(parts) + 1e-3", "of mean_update("),
        (MEAN, "sum(parts)", "sum(parts).astype('f2')", "of mean_update("),
        (STALENESS, "return stalenesses", "return stalenesses[1:]", "the length of"),
        (
            STALENESS,
            "return stalenesses",
            "return dict(enumerate(stalenesses))",
            "a dict",
        ),
        (
            STALENESS,
            "return stalenesses",
            "return [stalenesses] * 2",
            "list of numbers",
        ),
        (
            STALENESS,
            "return stalenesses",
            "events.clear(); return stalenesses",
            CHANGED,
        ),
    ],
    wrong=[
        ("push", push_into_new_weights, "you returned new weights"),
        ("push", lambda *_: None, "the weights did not change"),
        (MEAN, mean_in_the_first, CHANGED + " updates"),
        (
            MEAN,
            lambda updates: sum(updates) / len(updates),
            "add and divide its arrays",
        ),
        (STALENESS, lambda events: [0, 1], "it gives [0, 1] whatever"),
        (STALENESS, staleness_in_one_list, "a later call changed"),
        (STALENESS, lambda events: [*itertools.accumulate([0, 1, 2])], "whatever"),
    ],
    right=[
        ("push", push_and_return),
        ("push", push_with_update),
        (
            "push",
            lambda w, keys, v: [*map(operator.iadd, map(w.get, keys), v)] and None,
        ),
        ("pull", pull_with_swapped_arrays),
        ("pull", pull_from_copies),
        ("pull", lambda weights, keys: (*(weights[key] + 0.0 for key in keys),)),
        (MEAN, running_mean),
        (
            MEAN,
            lambda updates: [np.mean(p, axis=0) for p in zip(*updates, strict=True)],
        ),
        (MEAN, lambda u: [np.stack(p).mean(0).tolist() for p in zip(*u, strict=True)]),
        (STALENESS, staleness_by_adding_one_for_all_others),
        (STALENESS, staleness_by_looking_back),
        (STALENESS, lambda events: (*staleness_by_looking_back(events),)),
    ],
)
