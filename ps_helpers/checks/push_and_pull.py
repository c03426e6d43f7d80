"""Checks of notebook 02."""

import numpy as np

from ps_helpers.checks.one_process import close
from ps_helpers.checks.verdict import exercise, require


@exercise
def push(answer):
    weights = {"W": np.array([[1.0, 2.0]]), "b": np.array([5.0]), "c": np.array([7.0])}
    values = [np.array([10.0]), np.array([[1.0, 1.0]])]
    result = answer(weights, ["b", "W"], values)
    require(
        not close(weights["b"], [10]),
        "you replaced the weight; add the value to what is there",
    )
    require(
        close(weights["b"], [15]) or not close(weights["W"], [[1, 2]]),
        "the weights did not change: change the dictionary that you were given"
        if result is None
        else "you returned new weights; change the dictionary that you were given",
    )
    require(not close(weights["b"], [-5]), "you subtracted; a push adds")
    require(
        close(weights["W"], [[2, 3]]) and close(weights["b"], [15]),
        "a value went to another key's weight: pair each key with its own value",
    )
    require(close(weights["c"], [7]), "a key that was not pushed has changed")
    require(
        close(values[0], [10]) and close(values[1], [[1, 1]]),
        "you changed the values that were pushed; change the weights only",
    )
    answer(weights, ["b"], [np.array([1.0])])
    require(
        close(weights["b"], [16]),
        "a second push did not add to the first",
    )
    value = np.array([1.0])
    answer(weights, ["c"], [value])
    value += 100
    require(
        close(weights["c"], [8]),
        "the weight is an alias of the pushed value: keep an array of your own",
    )


@exercise
def pull(answer):
    weights = {"W": np.array([[1.0, 2.0]]), "b": np.array([5.0]), "c": np.array([7.0])}
    kept = {key: weight.copy() for key, weight in weights.items()}
    result = answer(weights, ["c", "W"])
    require(result is not None, "it returned nothing; end it with a return")
    require(
        not isinstance(result, dict),
        "return a list of weights, not a dictionary",
    )
    result = list(result)
    require(
        len(result) == 2,
        f"2 keys were asked for and {len(result)} weights came: only those asked",
    )
    require(
        not (close(result[0], [[1, 2]]) and close(result[1], [7])),
        "the weights are in another order: follow the order of the keys asked",
    )
    require(
        close(result[0], [7]) and close(result[1], [[1, 2]]),
        "these are not the weights of the keys asked",
    )
    require(
        isinstance(result[0], np.ndarray), "return arrays, as they are in the weights"
    )
    require(
        all(close(weights[key], kept[key]) for key in kept) and len(weights) == 3,
        "a pull must not change the weights",
    )
    weights["c"] += 1
    require(
        close(result[0], [7]),
        "a later push changed what was pulled: return copies, not the live arrays",
    )
    again = list(answer(weights, ["W", "W"]))
    require(
        len(again) == 2 and close(again[0], [[1, 2]]),
        "a key that is asked for twice must come twice",
    )


@exercise
def mean_update(answer):
    updates = [
        [np.array([[1.0, 2.0]]), np.array([3.0])],
        [np.array([[3.0, 4.0]]), np.array([5.0])],
        [np.array([[5.0, 9.0]]), np.array([10.0])],
    ]
    kept = [[part.copy() for part in update] for update in updates]
    result = answer(updates)
    require(result is not None, "it returned nothing; end it with a return")
    require(
        all(
            close(a, b)
            for u, k in zip(updates, kept, strict=True)
            for a, b in zip(u, k, strict=True)
        ),
        "it changed the workers' updates; add into a new array",
    )
    require(not np.isscalar(result), "return a list of arrays, not one number")
    result = list(result)
    require(
        len(result) != 3,
        "you averaged each worker's arrays; average over workers, key by key",
    )
    require(len(result) == 2, f"2 keys need 2 arrays, not {len(result)}")
    first, second = result
    require(
        not close(first, [[9, 15]]),
        "you summed; divide by the number of workers",
    )
    require(
        not close(first, [[4.5, 7.5]]),
        "you divided by the number of keys; divide by the number of workers",
    )
    require(
        not close(first, [[1, 5 / 3]]), "you divided by the number of workers twice"
    )
    require(
        np.shape(first) == (1, 2),
        "each mean must have the shape of its key's arrays: do not average within them",
    )
    require(
        close(first, [[3, 5]]) and close(second, [6]),
        f"the mean of 3, 5 and 10 is 6, not {second}",
    )
    require(
        close(answer(updates[:2])[1], [4]),
        "it is right for 3 workers only: use the number of updates",
    )


@exercise
def count_staleness(answer):
    def events(text):
        verbs = {"<": "pull", ">": "push"}
        return [(verbs[word[0]], int(word[1:])) for word in text.split()]

    result = answer(events("<0 <1 >0 >1"))
    require(result is not None, "it returned nothing; end it with a return")
    result = list(result)
    require(len(result) == 2, f"there are 2 pushes, so 2 numbers, not {len(result)}")
    require(
        result != [1, 2],
        "you counted the push itself: only other updates make it stale",
    )
    require(result != [1, 0], "give the stalenesses in the order of the pushes")
    require(
        result != [0, 0],
        "take the version at the pull, not at the push, and compare the two",
    )
    require(result == [0, 1], f"here it is [0, 1], not {result}")
    long = events("<0 <1 <2 >2 <2 >1 >2 <1 >0 >1")
    result = list(answer(long))
    require(
        result != [0, 1, 2, 3, 4],
        "you counted from the start; begin anew at each pull of that worker",
    )
    require(
        result != [0, 1, 2, 3, 3] and result != [0, 1, 2, 3, 2],
        "a worker that pulls again holds newer weights: keep its latest pull",
    )
    require(
        result != [2, 1, 1, 3, 1],
        "you counted pulls; staleness counts pushes",
    )
    require(
        result == [0, 1, 1, 3, 1],
        f"for pull 0, 1, 2, push 2, pull 2, push 1, 2, pull 1, push 0, 1 it is "
        f"[0, 1, 1, 3, 1], not {result}",
    )
