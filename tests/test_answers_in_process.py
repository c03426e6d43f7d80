"""Wrong and right answers to the exercises of notebooks 00 to 02."""

import numpy as np
from answers import all_tests_of

from ps_helpers.checks import one_process, push_and_pull, start_here

ADD, GIVEN = "weights[key] + value", "return stalenesses"
REFUSED = {
    "count_calls": [
        ("7", "it gives 7 whatever the arguments"),
        ("[num_workers * num_steps] * 2", "the pulls and the push"),
        ("2 *", "2.001 *", "is 42, not 42.02"),
        ("2 *", "np.random.random() *", "keep nothing"),
    ],
    "final_weight": [
        ("[w]", "return one number"),
    ],
    "accuracy": [
        ("(logits", "(logits.astype(int)", "accuracy("),
        ("np.mean", "np.round", "not one a row"),
    ],
    "gradient_by_hand": [
        ("numpy_engine.gradient(W, b, x, y)", "with NumPy alone"),
        (", error.sum(axis=0)", "", "return a list of two"),
        ("sum(axis=0)]", "sum(axis=0, keepdims=True)]", "(10,), not (1, 10)"),
        ("x @ W", "x @ W.astype('f2')", "element"),
    ],
    "noise_scale": [
        ("squares = 0", "squares = 0; gradients = gradients[:5]", "noise_scale("),
    ],
    "split_batch": [
        ("{0: (x, y)}", "a list, not a dictionary"),
        ("[(x", "[(0, x", "each part is a pair"),
        ("range(num_workers)", "range(3)", "is 2, not 3"),
        ("len(x) // num_workers", "len(x) / num_workers", "stops with TypeError"),
    ],
    "push_once": [
        (ADD, f"({ADD}).tolist()", "no longer an array"),
        (ADD, f"({ADD}).astype('f2')", "of push_once("),
        (ADD, f"{ADD}; value *= 2", "changed what was pushed"),
        ("weights[key] = ", "weights['v', key] = ", "the keys have changed"),
        ("weights[key] =", "weights[keys] =", "go through the keys, one at a time"),
        ("return True", "return 1", "return True or False"),
        ("done.get(worker, 0)", "done[worker]", "is not in done has done none"),
        ("zip(keys, values)", "(keys, values)", "makes pairs"),
    ],
    "pull_changed": [
        (".copy()", "", "copy each array"),
        (".copy()", "[:]", "a slice or a view"),
        (".copy()", ".tolist()", "return arrays"),
        (".copy()", ".astype('f4')", "is 'float64', not 'float32'"),
        ("changed[key]", "changed[keys]", "go through the keys, one at a time"),
        ("{key: weights[key].copy()", "{weights[key].sum()", "return a dictionary"),
    ],
    "mean_update": [
        ("sum(updates) / len(rows)", "multiply and add its arrays"),
        ("n * part for n, part in zip(rows, parts)", "rows * parts", "multiply its"),
    ],
    "count_staleness": [
        ("[]", "vars(count_staleness).setdefault('kept', [])", "a later call changed"),
        (GIVEN, "return [stalenesses] * 2", "list of numbers"),
    ],
}


def weight_by_recursion(events, w=1.0, held=None):
    if not events:
        return w
    (verb, worker), *rest = events
    held = held or {}
    if verb == "pull":
        return weight_by_recursion(rest, w, {**held, worker: w})
    return weight_by_recursion(rest, w - 0.5 * held[worker], held)


def gradient_in_float32(W, b, x, y):
    W, b, x = (part.astype(np.float32) for part in (W, b, x))
    p = np.exp(x @ W + b - (x @ W + b).max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    p -= np.eye(10, dtype=np.float32)[y]
    return x.T @ p / len(x), np.ones(len(y), np.float32) @ p / len(x)


def scale_by_variance(gradients):
    rows = np.array([np.concatenate([*map(np.ravel, g)]) for g in gradients], float)
    return rows.var(axis=0).sum() / (rows.mean(axis=0) ** 2).sum()


def split_by_numpy(x, y, num_workers):
    kept = [z[: len(z) // num_workers * num_workers] for z in (x, y)]
    parts = [np.split(z, num_workers) for z in kept]
    return [list(pair) for pair in zip(*parts, strict=True)]


def staleness_by_adding_one_for_all_others(events):
    stale, found = {}, []
    for verb, worker in events:
        if verb == "pull":
            stale[worker] = 0
            continue
        found.append(stale[worker])
        stale = {other: count + 1 for other, count in stale.items()}
    return np.array(found)


RIGHT = {
    "count_calls": [
        "2.0 * num_workers * num_steps",
        "np.prod([num_workers, num_steps, 2])",
    ],
    "final_weight": [weight_by_recursion],
    "accuracy": [
        "(np.argsort(logits, axis=-1)[:, -1] == y).mean()",
        "np.mean(logits[np.arange(len(y)), y] >= logits.max(axis=1))",
    ],
    "gradient_by_hand": [gradient_in_float32],
    "noise_scale": [scale_by_variance],
    "split_batch": [split_by_numpy],
    "push_once": [
        ("weights[key] = weights[key] + value", "weights[key] += value"),
        ("return True", "return np.bool_(True)"),
    ],
    "pull_changed": [
        "dict((k, +weights[k]) for k in keys if changed[k] >= version + 1)",
    ],
    "mean_update": [
        "[np.average(parts, axis=0, weights=rows) for parts in zip(*updates)]",
    ],
    "count_staleness": [staleness_by_adding_one_for_all_others],
}
TestAnswers = all_tests_of(REFUSED, RIGHT, start_here, one_process, push_and_pull)
