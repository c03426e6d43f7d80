"""Checks of notebook 02."""

import numpy as np

from ps_helpers.checks.one_process import normal
from ps_helpers.checks.tables import arrays, arrays_in, numbers, same, table
from ps_helpers.checks.verdict import require

ONE_KEY = (
    TypeError,
    "unhashable",
    "weights[keys] takes a list for a key: go through the keys, one at a time",
)


def pushed(answer, weights, keys, values):
    """Push, and return the weights, which is where the values go."""
    before = {key: weight.copy() for key, weight in weights.items()}
    result = answer(weights, keys, values)
    require(
        result is None or result is weights or not keys or not same(weights, before),
        "you returned new weights; change the dictionary that you were given",
    )
    require({*weights} == {*before}, "the keys have changed; change weights only")
    for weight in weights.values():
        require(isinstance(weight, np.ndarray), "the weight is no longer an array")
    return weights


def of_one_shape(keys, *shape, dtype=np.float64):
    """Return weights of one shape: mix-ups give wrong numbers, but no errors."""
    return {key: normal(*shape, dtype=dtype) for key in keys}


ZIP = "zip(keys, values, strict=True)"


def values_of(count, *shape):
    return [normal(*shape) for _ in range(count)]


@table(
    calls=[
        (of_one_shape("Wbc", 2), ["b", "W"], values_of(2, 2)),
        (of_one_shape("Wbc", 2), ["c", "b", "W"], values_of(3, 2)),
        (of_one_shape("ab", 3, 2, dtype="f"), ["a", "a", "b"], values_of(3, 3, 2)),
        (of_one_shape(["b2", "b10", "b1"], 1), ["b10"], values_of(1, 1)),
        (of_one_shape(range(12), 2), [*range(11, 0, -1)], values_of(11, 2)),
        (of_one_shape("Wb", 2), ["b", "W"], [np.zeros(2), normal(2)]),
        ({"W": normal(2, 3), "b": normal(3)}, ["b", "W"], [normal(3), normal(2, 3)]),
        (of_one_shape("ab", 2), [], []),
    ],
    returns=dict,
    run=pushed,
    changes=[0],
    raises=[
        ONE_KEY,
        (ValueError, "to unpack", "zip(keys, values) makes pairs of the two lists"),
    ],
    mistakes={
        "you replaced the weight; add the value to it": "+= → =",
        "the weights did not change: change those you were "
        "given": "weights[key] += → weights[key] +",
        "only the first key came: return after the loop": "+= value → += value; return",
        "only the last key was pushed: add inside the loop": [
            *(f"{ZIP} → [*{ZIP}][-1:]", "weights → pass\n    weights"),
        ],
        "you subtracted; a push adds": "+= → -=",
        "you multiplied; a push adds": "+= → *=",
        "you averaged; a push adds": "+= value → += (value - weights[key]) / 2",
        "you added the value twice": "+= → += 2 *",
        "every value went to every key: pair each key with its own value": [
            *("+= value → += sum(values)", "+= value → = weights[key] + sum(values)"),
        ],
        "pair the values with the keys, not with the first "
        "weights": f"{ZIP} → zip(weights, values, strict=False)",
        "leave the keys in their order: do not sort them": "(keys → (sorted(keys)",
        "the values went to the keys in reverse order": "values, → values[::-1],",
        "add the value, do not append": "+= value → = np.append(weights[key], value)",
        "a key that comes twice must get both values": f"{ZIP} → dict({ZIP}).items()",
        "each key gets its own value, not the list: zip makes pairs": [
            *("+= value → += values", "+= value → = weights[key] + values"),
        ],
    },
)
def push(weights, keys, values):
    for key, value in zip(keys, values, strict=True):
        weights[key] += value


def pulled(answer, weights, keys):
    """Pull; refuse what shares its memory with the weights."""
    result = answer(weights, keys)
    for array in arrays_in(result):
        for weight in weights.values():
            require(
                array is not weight,
                "a later push would change what was pulled: to copy the list or the "
                "dictionary is not enough, copy each array",
            )
            require(
                not np.shares_memory(array, weight),
                "a slice or a view shares its memory with the weight: copy the array",
            )
    return result


def typed_arrays(result):
    """Return a result as a list of types and arrays."""
    numbers_of = arrays(result)
    for part in result:
        require(isinstance(part, np.ndarray), "return arrays, as the weights are")
    return [[str(array.dtype), array] for array in numbers_of]


COPIES = "[weights[key].copy() for key in keys]"
IN_ORDER = {"W": normal(1, 2), "b": normal(1), "c": normal(1, dtype="f")}


@table(
    calls=[
        (IN_ORDER, ["c", "W"]),
        (IN_ORDER, ["b", "W", "b"]),
        (IN_ORDER, ["c", "b", "W"]),
        (of_one_shape("Wbca", 3, 2), ["c", "a", "W", "b"]),
        (of_one_shape(["b2", "b10", "b1"], 2, dtype="f"), ["b10", "b2"]),
        (of_one_shape(range(12), 2), [11, 3, 10, 0]),
        (of_one_shape("ab", 2), []),
    ],
    returns=typed_arrays,
    run=pulled,
    raises=[ONE_KEY],
    mistakes={
        "return only the weights of the keys asked": "in keys → in weights",
        "keep the order of the keys asked": "in keys → in weights if key in keys",
        "keep the order of the keys asked: do not sort them": [
            *("in keys → in sorted(keys)", "in keys → in sorted(set(keys))"),
        ],
        "a key that is asked for twice must come twice": "keys] → dict.fromkeys(keys)]",
        "only the first weight came: return after the loop": [
            *("in keys → in keys[:1]", lambda w, keys: +w[keys[0]] if keys else None),
        ],
        "only the last weight came: collect them": [
            "in keys → in keys[-1:]",
            f"return {COPIES} → for k in keys: last = [+weights[k]]\n    return last",
        ],
        "look a weight up by its key, not by its "
        "place": "in keys → in [*weights][: len(keys)]",
        "arrays of different shapes make no single array": lambda weights, keys: (
            np.array([weights[key] for key in keys])
        ),
    },
)
def pull(weights, keys):
    return [weights[key].copy() for key in keys]


HALVES = np.maximum(1, 2.0 ** np.arange(-1, 12))
MEAN = "sum(parts) / len(parts)"


def updates_of(num_workers, *shapes, dtype=np.float64):
    return [
        [normal(*shape, dtype=dtype) for shape in shapes] for _ in range(num_workers)
    ]


@table(
    calls=[
        (updates_of(3, (1, 2), (1,)),),
        (updates_of(4, (2, 3), (3,), (3, 1)),),
        (updates_of(2, (1,)),),
        (updates_of(12, (3,), (2,), dtype="f"),),
        (updates_of(5, (2,), (2,), (2,)),),
        (updates_of(1, (2, 1), (1,)),),
        ([[np.zeros(2)], [np.array([0, 1.5])], [np.zeros(2)]],),
    ],
    returns=arrays,
    raises=[
        (
            TypeError,
            "unsupported operand",
            "a worker's update is a list: add and divide its arrays, not the list",
        )
    ],
    mistakes={
        "you summed; divide by the number of workers": "/ len(parts) →",
        "divide by the number of workers, not of keys": "len(parts) → len(updates[0])",
        "you divided by 3, but here are not always 3 workers": "len(parts) → 3",
        "you divided by 4, but here are not always 4 workers": "len(parts) → 4",
        "you divided by the number of workers twice": "len(parts) → len(parts) ** 2",
        "// drops the fraction: divide with /": "/ → //",
        "that is the median of the workers": f"{MEAN} → np.median(parts, axis=0)",
        "halving after each worker gives the last one most weight: divide once, at the "
        "end": f"{MEAN} → np.average(parts, 0, HALVES[: len(parts)])",
        "that is the first worker's update alone": f"{MEAN} → parts[0] / 1",
        "that is the last worker's update alone": f"{MEAN} → parts[-1] / 1",
        "do not average within the arrays": f"{MEAN} → np.mean(parts)",
        "you averaged each worker's arrays; average over workers, key by key": [
            lambda updates: [np.mean([*map(np.mean, update)]) for update in updates],
            lambda updates: [sum(update) / len(update) for update in updates],
            lambda updates: [np.mean(update, axis=0) for update in updates],
        ],
        "keep the order of the keys": "strict=True)] → strict=True)][::-1]",
        "arrays of different shapes make no single array: average key by key, over "
        "zip(*updates)": [
            lambda updates: np.mean(updates, axis=0),
            lambda updates: np.mean([np.stack(u) for u in updates], axis=0),
        ],
    },
)
def mean_update(updates):
    return [sum(parts) / len(parts) for parts in zip(*updates, strict=True)]


COUNT_PULLS = "pulled[worker] = version → version += 1; pulled[worker] = version"
APPEND = "stalenesses.append(version - pulled[worker])"


def looking_back(count):
    """Return an answer that counts in the events between a push and its pull."""

    def answer(events):
        found = []
        for now, (verb, worker) in enumerate(events):
            if verb == "push":
                then = max(i for i in range(now) if events[i] == ("pull", worker))
                found.append(count(events[then + 1 : now]))
        return found

    return answer


def events(text):
    verbs = {"<": "pull", ">": "push"}
    return ([(verbs[word[0]], int(word[1:])) for word in text.split()],)


@table(
    calls=[
        events("<0 <1 >0 <2 <0 >1 <1 >0 <0 >0 >1 >2"),
        events("<0 <1 >0 >1"),
        events("<9 >9 <7 >7"),
        events("<2 <11 <10 >10 >11 <10 >2 >10 <2 <2 >2"),
        events("<0 <1 <2 >2 <2 >2 >1 <2 <1 >2 >1 >0"),
        events("<1"),
        events(""),
    ],
    returns=numbers,
    mistakes={
        "the push itself makes nothing stale": "version - → version + 1 -",
        "it is always 0: count the pushes": "version += 1 → version += 0",
        "that is the version at the pull: how many came since?": "version - →",
        "count from the latest pull, not from the start": "- pulled[worker] →",
        "you counted pulls, not pushes": f"version += 1 → pass → {COUNT_PULLS}",
        "you counted pulls as well as pushes": looking_back(len),
        "keep each worker's latest pull, not its "
        "first": "pulled[worker] = version → pulled.setdefault(worker, version)",
        "keep a version for each worker: another's pull does not make its weights "
        "newer": "[worker] = → [0] = → pulled[worker] → pulled[0]",
        "count from the worker's last pull, not its last "
        "push": "pulled[worker] = version → pulled.setdefault(worker, 0) → "
        "version += 1 → version += 1; pulled[worker] = version",
        "count the pushes, not the workers that pushed": looking_back(
            lambda between: len({w for v, w in between if v == "push"})
        ),
        "you counted who holds weights; count pushes": f"{APPEND} → "
        "pulled.pop(worker); stalenesses.append(len(pulled))",
        "only N workers in turn have staleness N - 1: count": f"{APPEND} → "
        "stalenesses.append(min(version, len({w for _, w in events}) - 1))",
        "keep the order of the pushes, not worker by worker": f"{APPEND} → "
        "stalenesses.append((worker, version - pulled[worker])) → return stalenesses → "
        "return [stale for _, stale in sorted(stalenesses, key=lambda row: row[0])]",
        "keep the order of the pushes, the first one first": "append( → insert(0, ",
        "keep the order of the pushes: do not "
        "sort": "return stalenesses → return sorted(stalenesses)",
        "the version at the push is the larger "
        "one": "version - pulled[worker] → pulled[worker] - version",
        "a pull has no staleness": "= version → = version; stalenesses.append(0)",
        "workers may have any number: keep their versions in a dictionary": [
            *("{} → [0] * 3", "{} → [0] * 10", "{} → [0] * len(events)"),
        ],
    },
)
def count_staleness(events):
    version, pulled, stalenesses = 0, {}, []
    for verb, worker in events:
        if verb == "pull":
            pulled[worker] = version
        else:
            stalenesses.append(version - pulled[worker])
            version += 1
    return stalenesses
