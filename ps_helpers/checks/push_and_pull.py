"""Checks of notebook 02."""

import numpy as np

from ps_helpers.checks.verdict import (
    as_numbers,
    close,
    exercise,
    explained,
    listed,
    require,
)


def one_key_at_a_time():
    return explained(
        TypeError,
        "unhashable",
        "weights[keys] takes a list for a key: go through the keys, one at a time",
    )


@exercise
def push(answer):
    weights = {  # of one shape, so that a mix-up gives wrong numbers and no error
        "W": np.array([1.0, 2.0]),
        "b": np.array([5.0, 6.0]),
        "c": np.array([8.0, 9.0]),
    }
    values = [np.array([10.0, 20.0]), np.array([100.0, 300.0])]
    with one_key_at_a_time():
        result = answer(weights, ["b", "W"], values)
    require(set(weights) == set("Wbc"), "the keys have changed; change weights only")
    W, b, c = (weights[key] for key in "Wbc")
    require(
        not close(b, [10, 20]),
        "you replaced the weight; add the value to what is there",
    )
    require(
        not close(b, [5, 6]) or not close(W, [1, 2]) or result is not None,
        "the weights did not change: change the dictionary that you were given",
    )
    require(
        not close(b, [5, 6]) or not close(W, [1, 2]),
        "you returned new weights; change the dictionary that you were given",
    )
    require(
        not close(b, [15, 26]) or not close(W, [1, 2]),
        "only the first key was pushed: does a return stand inside the loop?",
    )
    require(
        not close(W, [101, 302]) or not close(b, [5, 6]),
        "only the last key was pushed: does the adding stand inside the loop?",
    )
    require(not close(b, [-5, -14]), "you subtracted; a push adds")
    require(not close(b, [7.5, 13]), "you averaged; a push adds")
    require(not close(b, [25, 46]), "you added the value twice")
    require(
        not close(b, [115, 326]),
        "every value went to every key: pair each key with its own value",
    )
    require(
        not close(b, [105, 306]) and not close(W, [11, 22]),
        "a value went to another key's weight: pair each key with its own value",
    )
    require(
        np.shape(as_numbers(b)) == (2,),
        "the weight has another shape now: add the value, do not append it",
    )
    require(
        close(b, [15, 26]) and close(W, [101, 302]),
        f"a value of [10, 20] makes [15, 26] of [5, 6], not {b}",
    )
    require(isinstance(b, np.ndarray), "the weight is no longer an array")
    require(close(c, [8, 9]), "a key that was not pushed has changed")
    require(
        close(values, [[10, 20], [100, 300]]),
        "you changed the values that were pushed; change the weights only",
    )
    answer(weights, ["b"], [np.array([1.0, 1.0])])
    require(close(weights["b"], [16, 27]), "a second push did not add to the first")
    answer(weights, ["c", "c"], [np.array([1.0, 1.0]), np.array([2.0, 2.0])])
    require(
        close(weights["c"], [11, 12]),
        "a key that is pushed twice in one call must get both values",
    )


@exercise
def pull(answer):
    weights = {"W": np.array([[1.0, 2.0]]), "b": np.array([5.0]), "c": np.array([7.0])}
    kept = {key: weight.copy() for key, weight in weights.items()}
    with one_key_at_a_time():
        result = answer(weights, ["c", "W"])
    require(
        not isinstance(result, np.ndarray),
        "return a list of arrays: here one array came, so does return stand in the "
        "loop?",
    )
    require(
        set(weights) == set(kept) and all(close(weights[k], kept[k]) for k in kept),
        "a pull must not change the weights",
    )
    result = listed(result)
    require(
        not any(isinstance(part, str) for part in result),
        "return the weights, not their keys",
    )
    require(
        len(result) <= 2,
        f"2 keys were asked for and {len(result)} came: return only those asked",
    )
    require(
        len(result) == 2,
        f"2 keys were asked for and {len(result)} came: return one weight for each key",
    )
    require(
        not any(isinstance(part, list | tuple) and "c" in part[:1] for part in result),
        "return the weights alone, without their keys",
    )
    require(
        not close(result[0], [[1, 2]]) or not close(result[1], [7]),
        "the weights are in another order: follow the order of the keys asked",
    )
    require(
        close(result[0], [7]) and close(result[1], [[1, 2]]),
        "these are not the weights of the keys asked",
    )
    require(
        all(isinstance(weight, np.ndarray) for weight in result),
        "return arrays, as they are in the weights",
    )
    weights["c"] += 1
    require(
        close(result[0], [7]),
        "a later push changed what was pulled: return copies, not the live arrays",
    )
    again = listed(answer(weights, ["W", "W"]))
    require(
        len(again) == 2 and close(again[0], [[1, 2]]),
        "a key that is asked for twice must come twice",
    )


@exercise
def mean_update(answer):
    updates = [
        [np.array([[1.0, 2.0]]), np.array([3.0])],
        [np.array([[2.0, 4.0]]), np.array([5.0])],
        [np.array([[7.5, 7.5]]), np.array([10.0])],
    ]
    given = [[part.copy() for part in update] for update in updates]
    unequal = (
        "the arrays of different keys have different shapes and make no single array: "
        "average key by key, over zip(*updates)"
    )
    with (
        explained(ValueError, "inhomogeneous", unequal),
        explained(ValueError, "same shape", unequal),
        explained(
            TypeError,
            "unsupported operand",
            "a worker's update is a list: add and divide its arrays, not the list",
        ),
    ):
        result = answer(given)
    require(
        len(given) == 3
        and all(map(close, sum(given, []), sum(updates, [])))
        and [len(update) for update in given] == [2, 2, 2],
        "it changed the workers' updates; add into a new array",
    )
    result = listed(result)
    require(
        len(result) != 3,
        "you averaged each worker's arrays; average over workers, key by key",
    )
    require(len(result) == 2, f"2 keys need 2 arrays, not {len(result)}")
    first, second = result
    require(
        not close(first, [6]),
        "the keys are in another order than in the updates",
    )
    for mistaken, reason in (
        ([[10.5, 13.5]], "you summed; divide by the number of workers"),
        (
            [[5.25, 6.75]],
            "you divided by the number of keys; divide by the number of workers",
        ),
        (
            [[2.625, 3.375]],
            "you divided by 4, but here are 3 workers: divide by the number of updates",
        ),
        ([[3.5 / 3, 1.5]], "you divided by the number of workers twice"),
        ([[3, 4]], "// drops the fraction: divide with /"),
        ([[2, 4]], "that is the median of the workers; take the mean"),
        (
            [[4.5, 5.25]],
            "halving after each worker gives the last one most weight: sum first, then "
            "divide once",
        ),
        ([[1, 2]], "that is the first worker's update alone"),
        ([[7.5, 7.5]], "that is the last worker's update alone"),
    ):
        require(not close(first, mistaken), reason)
    require(
        np.shape(as_numbers(first)) == (1, 2) and np.shape(as_numbers(second)) == (1,),
        "each mean must have the shape of its key's arrays: do not average within them",
    )
    require(
        close(first, [[3.5, 4.5]]) and close(second, [6]),
        f"the mean of 3, 5 and 10 is 6, not {np.ravel(second)[0]:g}",
    )
    require(
        close(answer(updates[:2])[1], [4]),
        "it is right for 3 workers only: use the number of updates",
    )
    require(
        len(answer([update[:1] for update in updates])) == 1,
        "it is right for 2 keys only: go through all there are",
    )


@exercise
def count_staleness(answer):
    def events(text):
        verbs = {"<": "pull", ">": "push"}
        return [(verbs[word[0]], int(word[1:])) for word in text.split()]

    given = events("<0 <1 >0 <2 <0 >1 <1 >0 <0 >0 >1 >2")
    result = listed(answer(given))
    require(len(given) == 12, "it changed the list of events; only read it")
    require(
        not close(result, [0, 1]),
        "[0, 1] is the example's result: compute it from the events",
    )
    require(
        len(result) != 12,
        "give a number for each push, not for each pull",
    )
    require(len(result) == 6, f"there are 6 pushes, so 6 numbers, not {len(result)}")
    for mistaken, reason in (
        (
            [1, 2, 2, 1, 3, 5],
            "you counted the push itself: only other updates make it stale",
        ),
        (
            [0, 0, 0, 0, 0, 0],
            "it is always 0: count the pushes, and compare that count at the push with "
            "that at the pull",
        ),
        (
            [0, 0, 1, 3, 2, 1],
            "that is the version at the pull: subtract it from the version at the push",
        ),
        (
            [0, 1, 2, 3, 4, 5],
            "you counted from the start; count from that worker's latest pull",
        ),
        ([1, 2, 1, 0, 1, 3], "you counted pulls; staleness counts pushes"),
        (
            [1, 3, 2, 0, 3, 7],
            "you counted pulls and pushes; staleness counts pushes only",
        ),
        (
            [0, 1, 2, 3, 4, 4],
            "a worker that pulls again holds newer weights: keep its latest pull",
        ),
        (
            [0, 0, 0, 0, 1, 2],
            "another worker's pull does not make this one's weights newer: keep a "
            "version for each worker",
        ),
        (
            [0, 1, 1, 0, 2, 5],
            "you counted from the worker's last push; count from its last pull",
        ),
        (
            [0, 1, 1, 0, 1, 2],
            "you counted the workers that pushed; count their pushes",
        ),
        ([1, 2, 2, 2, 1, 0], "you counted who holds weights; count pushes"),
        (
            [0, 1, 0, 1, 2, 4],
            "give the stalenesses in the order of the pushes, not worker by worker",
        ),
        (
            [4, 2, 0, 1, 1, 0],
            "give the stalenesses in the order of the pushes, the first one first",
        ),
        (
            [0, -1, -1, 0, -2, -4],
            "the difference is turned round: the version at the push is the larger one",
        ),
    ):
        require(not close(result, mistaken), reason)
    short = listed(answer(events("<0 <1 >0 >1")))
    require(
        len(short) != 8,
        "a second call still has the numbers of the first: begin with an empty list",
    )
    require(
        close(short, [0, 1]),
        f"for pull 0, pull 1, push 0, push 1 it is [0, 1], not {short}",
    )
    require(
        close(result, [0, 1, 1, 0, 2, 4]),
        f"for pulls < and pushes > in the order <0 <1 >0 <2 <0 >1 <1 >0 <0 >0 >1 >2 "
        f"it is [0, 1, 1, 0, 2, 4], not {result}",
    )
    require(
        close(answer(events("<9 >9 <7 >7")), [0, 0]),
        "workers may have any number, here 7 and 9: use a dictionary",
    )
