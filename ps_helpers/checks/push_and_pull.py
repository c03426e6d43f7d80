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
        "you replaced the weight; add the value to what is there": "+= value → = value",
        "the weights did not change: change the dictionary that you were "
        "given": "weights[key] += → weights[key] +",
        "only the first key was pushed: does a return stand inside the "
        "loop?": "+= value → += value; return",
        "only the last key was pushed: does the adding stand inside the loop?": [
            "zip(keys, values, strict=True) → list(zip(keys, values))[-1:]",
            "weights[key] += value → pass\n    weights[key] += value",
        ],
        "you subtracted; a push adds": "+= value → -= value",
        "you multiplied; a push adds": "+= value → *= value",
        "you averaged; a push adds": "+= value → += (value - weights[key]) / 2",
        "you added the value twice": "+= value → += 2 * value",
        "every value went to every key: pair each key with its own value": [
            "+= value → += sum(values)",
            "+= value → = weights[key] + sum(values)",
        ],
        "the values went to the first keys there are: pair each with its own "
        "key": "zip(keys, values, strict=True → zip(weights, values, strict=False",
        "sorted keys get other keys' values: leave them in "
        "order": "zip(keys → zip(sorted(keys)",
        "the values went to the keys in reverse "
        "order": "values, strict → values[::-1], strict",
        "the weight has another shape now: add the value, do not append "
        "it": "weights[key] += value → weights[key] = np.append(weights[key], value)",
        "a key that is pushed twice in one call must get both "
        "values": "zip(keys, values, strict=True) → dict(zip(keys, values)).items()",
        "each key gets its own value, not the list of all: go through both with zip": [
            "+= value → += values",
            "weights[key] += value → weights[key] = weights[key] + values",
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
        "follow the order of the keys asked, not that of the "
        "weights": "in keys → in weights if key in keys",
        "follow the order of the keys asked; do not sort them": [
            "in keys → in sorted(keys)",
            "in keys → in sorted(set(keys))",
        ],
        "a key that is asked for twice must come twice": "keys] → dict.fromkeys(keys)]",
        "only the first weight came: does return stand in the "
        "loop?": "in keys → in keys[:1]",
        "here one array came, not a list: does return stand in the "
        "loop?": lambda weights, keys: weights[keys[0]].copy() if keys else None,
        "only the last weight came: collect them": [
            "in keys → in keys[-1:]",
            f"return {COPIES} → for k in keys: last = [+weights[k]]\n    return last",
        ],
        "look a weight up by its key, not by its "
        "place": "in keys → in [*weights][: len(keys)]",
        "arrays of different shapes make no single array: return a list of "
        "them": lambda weights, keys: np.array([weights[key] for key in keys]),
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
        "you divided by the number of keys; divide by the number of "
        "workers": "len(parts) → len(updates[0])",
        "you divided by 3, which is not always the number of workers": "len(parts) → 3",
        "you divided by 4, which is not always the number of workers": "len(parts) → 4",
        "you divided by the number of workers twice": "len(parts) → len(parts) ** 2",
        "// drops the fraction: divide with /": "/ → //",
        "that is the median of the workers; take the "
        "mean": f"{MEAN} → np.median(parts, axis=0)",
        "halving after each worker gives the last one most weight: sum first, then "
        "divide once": f"{MEAN} → np.average(parts, 0, HALVES[: len(parts)])",
        "that is the first worker's update alone": f"{MEAN} → parts[0] / 1",
        "that is the last worker's update alone": f"{MEAN} → parts[-1] / 1",
        "one number came for each key: do not average within the "
        "arrays": f"{MEAN} → np.mean(parts)",
        "you averaged each worker's arrays; average over workers, key by key": [
            lambda updates: [np.mean([*map(np.mean, update)]) for update in updates],
            lambda updates: [sum(update) / len(update) for update in updates],
            lambda updates: [np.mean(update, axis=0) for update in updates],
        ],
        "the keys are in another order than in the updates": "strict=True)] → "
        "strict=True)][::-1]",
        "arrays of different shapes make no single array: average key by key, over "
        "zip(*updates)": [
            lambda updates: np.mean(updates, axis=0),
            lambda updates: np.mean([np.stack(u) for u in updates], axis=0),
        ],
    },
)
def mean_update(updates):
    return [sum(parts) / len(parts) for parts in zip(*updates, strict=True)]


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
        "you counted the push itself: only other updates make it "
        "stale": "version - pulled → version + 1 - pulled",
        "it is always 0: count the pushes, and compare that count at the push with "
        "that at the pull": "version += 1 → version += 0",
        "that is the version at the pull: subtract it from the version at the "
        "push": "version - →",
        "you counted from the start; count from that worker's latest "
        "pull": "- pulled[worker] →",
        "you counted pulls; staleness counts pushes": "version += 1 → pass → "
        "pulled[worker] = version → version += 1; pulled[worker] = version",
        "you counted pulls and pushes; staleness counts pushes only": looking_back(len),
        "a worker that pulls again holds newer weights: keep its latest "
        "pull": "pulled[worker] = version → pulled.setdefault(worker, version)",
        "another worker's pull does not make this one's weights newer: keep a version "
        "for each worker": "[worker] = → [0] = → pulled[worker] → pulled[0]",
        "you counted from the worker's last push; count from its last pull": "pulled"
        "[worker] = version → pulled.setdefault(worker, 0) → version += 1 → "
        "version += 1; pulled[worker] = version",
        "you counted the workers that pushed; count their pushes": looking_back(
            lambda between: len({w for v, w in between if v == "push"})
        ),
        "you counted who holds weights; count pushes": "stalenesses.append(version - "
        "pulled[worker]) → pulled.pop(worker); stalenesses.append(len(pulled))",
        "only N workers in turn have staleness N - 1: look at the "
        "events": "version - pulled[worker] → "
        "min(version, len({w for _, w in events}) - 1)",
        "give the stalenesses in the order of the pushes, not worker by "
        "worker": "append(version → append((worker, version → [worker]) → [worker])) → "
        "return stalenesses → stalenesses.sort(key=lambda row: row[0]); "
        "return [stale for _, stale in stalenesses]",
        "give the stalenesses in the order of the pushes, the first one "
        "first": "append( → insert(0, ",
        "give the stalenesses in the order of the pushes; do not sort "
        "them": "return stalenesses → return sorted(stalenesses)",
        "the difference is turned round: the version at the push is the larger "
        "one": "version - pulled[worker] → pulled[worker] - version",
        "give a number for each push, not for each "
        "pull": "= version → = version; stalenesses.append(0)",
        "workers may have any number: keep their versions in a dictionary": [
            "{} → [0] * 3",
            "{} → [0] * 10",
            "{} → [0] * len(events)",
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
