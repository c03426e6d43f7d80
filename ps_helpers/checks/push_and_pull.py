"""Checks of notebook 02."""

import copy

import numpy as np

from ps_helpers.checks.one_process import normal
from ps_helpers.checks.start_here import story
from ps_helpers.checks.tables import arrays, arrays_in, numbers, same, table
from ps_helpers.checks.verdict import require

ONE_KEY = (
    TypeError,
    "unhashable",
    "weights[keys] takes a list for a key: go through the keys, one at a time",
)


def pushed(answer, weights, done, *pushes):
    """Push one after the other; return the answers, and what became of the weights."""
    before, given = {*weights}, copy.deepcopy(pushes)
    answers = [answer(weights, done, *push) for push in given]
    require(same(given, pushes), "it changed what was pushed, the keys or values")
    told = all(isinstance(found, bool | np.bool_) for found in answers)
    require(told, "return True or False, for every push")
    require({*weights} == before, "the keys have changed; change weights only")
    for weight in weights.values():
        require(isinstance(weight, np.ndarray), "the weight is no longer an array")
    return [list(map(int, answers)), weights, dict(done)]


def of_one_shape(keys, *shape, dtype=np.float64):
    """Return weights of one shape: mix-ups give wrong numbers, but no errors."""
    return {key: normal(*shape, dtype=dtype) for key in keys}


ZIP = "zip(keys, values, strict=True)"


def a_push(worker, step, keys, *shape):
    return worker, step, keys, [normal(*shape) for _ in keys]


TWICE = a_push(0, 0, ["b", "W"], 2)
THRICE = a_push(11, 0, ["a"], 3)


@table(
    calls=[
        (of_one_shape("Wbc", 2), {}, TWICE),
        (of_one_shape("Wbc", 2), {}, TWICE, TWICE),
        (of_one_shape("Wbc", 2), {0: 3}, TWICE, a_push(0, 3, ["c"], 2)),
        (of_one_shape("Wb", 2), {1: 5}, TWICE, a_push(1, 5, ["W"], 2)),
        (
            of_one_shape("ab", 3, dtype="f"),
            {},
            THRICE,
            a_push(11, 1, ["b", "a"], 3),
            a_push(11, 2, ["b"], 3),
            THRICE,
            a_push(2, 0, ["a"], 3),
            a_push(11, 3, ["a"], 3),
        ),
        (of_one_shape(range(12), 1), {7: 1}, a_push(7, 1, [11, 10, 3], 1)),
        ({"W": normal(2, 3), "b": normal(3)}, {}, (4, 0, ["b"], [normal(3)])),
    ],
    returns=list,
    run=pushed,
    changes=[0, 1],
    raises=[
        ONE_KEY,
        (ValueError, "to unpack", "zip(keys, values) makes pairs of the two lists"),
        (KeyError, "", "a worker that is not in done has done none: done.get(…, 0)"),
    ],
    mistakes={
        "a repeated push changed the weights: compare its step with "
        "done": "if step < done.get(worker, 0): → if False:",
        "note in done that the step was applied": "done[worker] = step + 1 → pass",
        "after step 0 a worker has done 1 step: done counts steps": "step + 1 → step",
        "you refused a new step: it is a repetition only if it is less than "
        "done": "step < → step <=",
        "each worker counts its own steps": "done.get(worker, 0) → "
        "max(done.values(), default=0)",
        "an old push may come again much later: each step below done is a repetition": [
            "step < done.get(worker, 0) → step == done.get(worker, 0) - 1",
            "step < done.get(worker, 0) → step + 1 == done.get(worker, 0)",
        ],
        "return True for a push that was applied, False for a repetition, not the "
        "reverse": "return False → return 1 == 1 → return True → return False",
        "return False for a repetition": "return False → return True",
        "a push replaced the weight; add the value to it": "weights[key] + →",
        "the value was subtracted; a push adds": "+ value → - value",
        "only the first key was pushed: does return stand in the "
        "loop?": "zip(keys, values, strict=True) → zip(keys[:1], values)",
    },
)
def push_once(weights, done, worker, step, keys, values):
    if step < done.get(worker, 0):
        return False
    for key, value in zip(keys, values, strict=True):
        weights[key] = weights[key] + value
    done[worker] = step + 1
    return True


def pulled(answer, weights, *more):
    """Pull; refuse what shares its memory with the weights."""
    result = answer(weights, *more)
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


def changed_only(result):
    """Return a result as a dictionary of arrays."""
    require(isinstance(result, dict), "return a dictionary, {key: weight}")
    for part in result.values():
        require(isinstance(part, np.ndarray), "return arrays, as the weights are")
    return {key: [str(array.dtype), array] for key, array in result.items()}


def by_number(*numbers):
    """Return weights of one shape, and the number of each one's latest push."""
    keys = [f"k{place}" for place in range(len(numbers))]
    return of_one_shape(keys, 2), dict(zip(keys, numbers, strict=True))


@table(
    calls=[
        (*by_number(3, 1, 4, 1, 5), ["k0", "k1", "k2"], 2),
        (*by_number(3, 1, 4, 1, 5), ["k4", "k1", "k3", "k0"], 3),
        (*by_number(2, 2, 0), ["k2", "k1", "k0"], 0),
        (*by_number(2, 2, 0), ["k2", "k1", "k0"], 2),
        (*by_number(*range(12)), [f"k{n}" for n in range(11, 0, -1)], 9),
        ({"W": normal(1, 2, dtype="f"), "b": normal(1)}, {"W": 7, "b": 6}, ["W"], 6),
        (*by_number(1, 2), [], 0),
    ],
    returns=changed_only,
    run=pulled,
    raises=[ONE_KEY],
    mistakes={
        "return only the weights of the keys asked": "in keys → in weights",
        "leave out what has not changed since": "if changed[key] > version →",
        "the worker has seen push number version itself: only later ones "
        "count": "> version → >= version",
        "it is turned round: return what has changed since": "> version → <= version",
        "only later pushes count, whatever their number: compare with > instead of "
        "==": "> version → == version + 1",
        "return what is new for this worker, not all that ever changed": "version → 0",
    },
)
def pull_changed(weights, changed, keys, version):
    return {key: weights[key].copy() for key in keys if changed[key] > version}


MEAN = "sum(n * part for n, part in zip(rows, parts, strict=True)) / sum(rows)"


def updates_of(num_workers, *shapes, dtype=np.float64):
    return [
        [normal(*shape, dtype=dtype) for shape in shapes] for _ in range(num_workers)
    ]


@table(
    calls=[
        (updates_of(3, (1, 2), (1,)), [1, 2, 5]),
        (updates_of(4, (2, 3), (3,), (3, 1)), [10, 3, 4, 6]),
        (updates_of(2, (1,)), [3, 1]),
        (updates_of(12, (3,), (2,), dtype="f"), [*range(12)]),
        (updates_of(5, (2,), (2,), (2,)), [32, 32, 32, 32, 7]),
        (updates_of(1, (2, 1), (1,)), [9]),
    ],
    returns=arrays,
    raises=[
        (
            TypeError,
            "unsupported operand",
            "a worker's update is a list: multiply and add its arrays, not the list",
        ),
        (TypeError, "can't multiply", "an update is a list: multiply its arrays"),
    ],
    mistakes={
        "each row counts the same, not each worker: weigh an update with its "
        "rows": f"{MEAN} → sum(parts) / len(parts)",
        "you summed; divide by the number of all rows": "/ sum(rows) →",
        "divide by the number of all rows, not of the workers": "/ sum → / len",
        "divide by the number of all rows, not by its largest": "/ sum → / max",
        "multiply by the rows as well: you divided the plain sum": "n * part → part",
        "an update from more rows counts for more, not for less": f"{MEAN} → "
        "sum(part / max(n, 1) for n, part in zip(rows, parts)) / "
        "sum(1 / max(n, 1) for n in rows)",
        "you weighed with the rows twice": "n * part → n**2 * part",
        "// drops the fraction: divide with /": "/ sum → // sum",
        "that is the update from the most rows alone": f"{MEAN} → "
        "parts[rows.index(max(rows))] / 1",
        "one number came for each key: do not average within the "
        "arrays": f"{MEAN} → float(np.mean({MEAN}))",
        "average over workers, key by key; you averaged each worker's "
        "arrays": lambda updates, rows: [
            np.mean([np.mean(part) for part in update]) for update in updates
        ],
        "the keys are in another order than in the "
        "updates": "zip(*updates, strict=True) → [*zip(*updates)][::-1]",
        "arrays of different shapes make no single array: average key by key, over "
        "zip(*updates)": lambda updates, rows: np.average(
            updates, axis=0, weights=rows
        ),
    },
)
def mean_update(updates, rows):
    return [
        sum(n * part for n, part in zip(rows, parts, strict=True)) / sum(rows)
        for parts in zip(*updates, strict=True)
    ]


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


@table(
    calls=[
        (story("<0 <1 >0 <2 <0 >1 <1 >0 <0 >0 >1 >2"),),
        (story("<0 <1 >0 >1"),),
        (story("<9 >9 <7 >7"),),
        (story("<2 <11 <10 >10 >11 <10 >2 >10 <2 <2 >2"),),
        (story("<0 <1 <2 >2 <2 >2 >1 <2 <1 >2 >1 >0"),),
        (story("<1"),),
        (story(""),),
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
        "the version at the push is the larger one": "version - → -version +",
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
