"""Wrong and right answers to the exercises of notebooks 00 to 02."""

import itertools
import operator

import numpy as np
from answers import all_tests_of

from ps_helpers.checks import one_process, push_and_pull, start_here
from ps_helpers.lab import numpy_engine

COUNT, FINAL = "count_calls", "final_weight"
ACCURACY, GRADIENT = "accuracy", "gradient_by_hand"
SCALE, SPLIT, MEAN, STALENESS = (
    "noise_scale",
    "split_batch",
    "mean_update",
    "count_staleness",
)
ONCE, NEWER = "push_once", "pull_changed"
CHANGED, KEPT, SHARED = "changed its argument", "keep nothing", "the very same array"
kept = {}


def cached(function):
    return lambda *arguments: kept.setdefault(repr(arguments), function(*arguments))


# Notebook 00.


def weight_by_list(events, w=1.0):
    held = [np.nan] * (1 + max((worker for _, worker in events), default=0))
    for verb, worker in events:
        if verb == "pull":
            held[worker] = w
        w -= held[worker] / 2 if verb == "push" else 0
    return np.float64(w)


def weight_by_recursion(events, w=1.0, held=None):
    if not events:
        return w
    (verb, worker), *rest = events
    held = held or {}
    if verb == "pull":
        return weight_by_recursion(rest, w, {**held, worker: w})
    return weight_by_recursion(rest, w - 0.5 * held[worker], held)


def weight_of_few_workers(events, w=1.0):
    held = [0.0] * 4
    for verb, worker in events:
        if verb == "pull":
            held[worker] = w
        else:
            w -= held[worker] / 2
    return w


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
        (FINAL, "0.5", "0.51", "is 0.5, not 0.49"),
        (FINAL, "pulled = {}", "events.pop(); pulled = {}", CHANGED + " events"),
        (FINAL, "    return w", "        return w", "it returned nothing"),
    ],
    wrong=[
        (COUNT, lambda workers, steps: 7, "it gives 7 whatever the arguments"),
        (
            COUNT,
            lambda w, s, total=[0]: operator.iadd(total, [w * s])[-1] * len(total),
            KEPT,
        ),
        (FINAL, lambda events, w=1.0: w, "final_weight("),
        (FINAL, lambda events, w=1.0: [w], "return one number"),
        (FINAL, weight_of_few_workers, "stops with IndexError"),
    ],
    right=[
        (FINAL, weight_by_list),
        (FINAL, weight_by_recursion),
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


def flat(gradients):
    rows = [np.concatenate([np.ravel(part) for part in g]) for g in gradients]
    return np.array(rows, float)


def scale_by_variance(gradients):
    rows = flat(gradients)
    return rows.var(axis=0).sum() / np.linalg.norm(rows.mean(axis=0)) ** 2


def scale_by_mean_square(gradients):
    rows = flat(gradients)  # the mean square is the mean's square and the variance
    return (rows**2).sum() / len(rows) / (rows.mean(axis=0) ** 2).sum() - 1


def scale_that_centres(gradients):
    rows = flat(gradients)
    for gradient in gradients:
        gradient[0] -= gradient[0].mean()
    return rows.var(axis=0).sum() / (rows.mean(axis=0) ** 2).sum()


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
        (SCALE, "(part**2)", "(part.astype(int) ** 2)", "noise_scale("),
        (SCALE, "/ signal", "/ signal + 1e-3", "noise_scale("),
        (
            SCALE,
            "squares = 0",
            "squares = 0; gradients = gradients[:5]",
            "noise_scale(",
        ),
        (SCALE, "/ signal", "/ noise", "stops with NameError"),
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
        (SCALE, lambda gradients: 1.0, "it gives 1 whatever"),
        (SCALE, scale_that_centres, CHANGED + " gradients"),
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
        (SCALE, scale_by_variance),
        (SCALE, scale_by_mean_square),
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


def once_with_a_count(weights, done, worker, step, keys, values):
    if step not in range(done.setdefault(worker, 0)):
        done[worker] += 1
        for i, key in enumerate(keys):
            np.add(weights[key], values[i], out=weights[key])
        return True
    return False


def once_by_comparison(weights, done, worker, step, keys, values):
    new = np.bool_(done.get(worker, 0) <= step)
    if new:
        done |= {worker: 1 + step}
        for key, value in zip(keys, values, strict=True):
            weights |= {key: value + weights[key]}
    return new


def once_by_a_set(weights, done, worker, step, keys, values, seen=set()):  # noqa: B006
    if (worker, step) in seen:
        return False
    seen.add((worker, step))
    return once_with_a_count(weights, done, worker, step, keys, values)


def newer_in_a_loop(weights, changed, keys, version):
    found = {}
    for key in keys:
        if version < changed[key]:
            found[key] = np.array(weights[key])
    return found


def newer_by_filter(weights, changed, keys, version):
    new = filter(lambda key: changed[key] >= version + 1, keys)
    return dict((key, +weights[key]) for key in new)


def running_mean(updates, rows):
    mean, seen = [0 * part for part in updates[0]], 0
    for n, update in zip(rows, updates, strict=True):
        seen += n
        mean = [
            m + (p - m) * n / max(seen, 1) for m, p in zip(mean, update, strict=True)
        ]
    return mean


def mean_in_the_first(updates, rows):
    for part in updates[0]:
        part *= rows[0]
    for n, update in zip(rows[1:], updates[1:], strict=True):
        for total, part in zip(updates[0], update, strict=True):
            total += n * part
    return [part / sum(rows) for part in updates[0]]


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
        (ONCE, ADD, f"({ADD}).tolist()", "no longer an array"),
        (ONCE, ADD, f"({ADD}).astype(int)", "of push_once("),
        (ONCE, ADD, f"({ADD}).astype('f2')", "of push_once("),
        (ONCE, ADD, f"{ADD}; value *= 2", "changed what was pushed"),
        (ONCE, "weights[key] = ", "weights['v', key] = ", "the keys have changed"),
        (ONCE, "weights[key] =", "weights[keys] =", "go through the keys, one at"),
        (ONCE, "return True", "return 1", "return True or False"),
        (ONCE, "done.get(worker, 0)", "done[worker]", "is not in done has done none"),
        (ONCE, "zip(keys, values)", "(keys, values)", "makes pairs"),
        (NEWER, ".copy()", "", "copy each array"),
        (NEWER, ".copy()", "[:]", "a slice or a view"),
        (NEWER, ".copy()", ".tolist()", "return arrays"),
        (NEWER, ".copy()", ".astype(int)", "of pull_changed("),
        (NEWER, ".copy()", ".astype('f4')", "is 'float64', not 'float32'"),
        (NEWER, "weights[key].copy()", "weights.pop(key)", CHANGED + " weights"),
        (NEWER, "changed[key]", "changed[keys]", "one at a ti"),
        (NEWER, "{key: weights[key].copy()", "{weights[key].sum()", "return a dict"),
        (MEAN, "/ sum(rows)", "/ sum(rows) + 1e-3", "of mean_update("),
        (MEAN, "n * part", "(n * part).astype('f2')", "of mean_update("),
        (
            MEAN,
            "sum(n * part for n, part in zip(rows, parts))",
            "rows * parts",
            "multiply",
        ),
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
        (ONCE, lambda *_: True, "of push_once("),
        (ONCE, once_by_a_set, KEPT),
        (NEWER, lambda *_: {}, "it gives {} whatever"),
        (MEAN, mean_in_the_first, CHANGED + " updates"),
        (MEAN, lambda updates, rows: sum(updates) / len(rows), "multiply and add"),
        (STALENESS, lambda events: [0, 1], "it gives [0, 1] whatever"),
        (STALENESS, staleness_in_one_list, "a later call changed"),
        (STALENESS, lambda events: [*itertools.accumulate([0, 1, 2])], "whatever"),
    ],
    right=[
        (ONCE, once_with_a_count),
        (ONCE, once_by_comparison),
        (NEWER, newer_in_a_loop),
        (NEWER, newer_by_filter),
        (MEAN, running_mean),
        (
            MEAN,
            lambda updates, rows: [
                np.average(parts, axis=0, weights=rows)
                for parts in zip(*updates, strict=True)
            ],
        ),
        (STALENESS, staleness_by_adding_one_for_all_others),
        (STALENESS, staleness_by_looking_back),
        (STALENESS, lambda events: (*staleness_by_looking_back(events),)),
    ],
)
