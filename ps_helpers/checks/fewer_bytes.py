"""Checks of notebook 06b."""

import numpy as np

from ps_helpers.checks.verdict import (
    NotYet,
    as_numbers,
    close,
    exercise,
    listed,
    number,
    require,
)


def row_of_numbers(value, name):
    """Return one of the three parts of an answer's result as an array."""
    require(value is not None, f"{name} is None: make it an array")
    array = as_numbers(value)
    require(array is not None, f"{name} must be an array of numbers")
    require(array.ndim == 1, f"{name} must be an array with one row of numbers")
    return array


@exercise
def top_k(answer):
    def called(update, error, k):
        """Return indices, values and new error of a call, as arrays of that size."""
        given = update.copy(), error.copy()
        result = answer(*given, k)
        for name, now, before in (
            ("update", given[0], update),
            ("error", given[1], error),
        ):
            require(
                np.array_equal(now, before),
                f"it changed {name}, which was given: make a new array, without += "
                "and without writing into it",
            )
        require(
            not isinstance(result, np.ndarray) or result.dtype == object,
            "return three things: indices, values, new_error",
        )
        result = listed(result)
        require(
            len(result) == 3,
            f"return three things, indices, values and new_error, not {len(result)}",
        )
        indices, values, new_error = map(
            row_of_numbers, result, ("indices", "values", "new_error")
        )
        require(
            indices.dtype.kind != "b",
            "indices is a mask of True and False: return the places, np.flatnonzero",
        )
        require(
            indices.dtype.kind in "iu" or indices.size == 0,
            "indices must be whole numbers: is it the values?",
        )
        if k == 0:
            require(
                indices.size == values.size == 0,
                "with k = 0 nothing is sent, but here something is: [-0:] is all",
            )
        require(
            values.size != update.size or k == update.size,
            "you send as many values as there are numbers: only k of them travel",
        )
        require(
            values.size == indices.size,
            f"{indices.size} indices came with {values.size} values",
        )
        require(
            indices.size == k,
            f"you send {indices.size} numbers, and k is {k}"
            + ("; of equally large ones send only as many" * (indices.size > k)),
        )
        require(
            len(set(indices.tolist())) == k
            and all(0 <= i < update.size for i in indices.tolist()),
            f"indices must be {k} different places, 0 to {update.size - 1}",
        )
        require(
            new_error.size == update.size,
            f"new_error has {new_error.size} numbers; it needs one for each of the "
            f"{update.size} of the update",
        )
        return indices.astype(int), values, new_error

    update = np.array([0.5, 2.0, 1.0, -7.0, 1.5, 3.5])
    error = np.array([0.5, 2.5, 0.25, 1.0, -4.5, -2.75])
    total = update + error  # 1, 4.5, 1.25, -6, -3, 0.75
    indices, values, new_error = called(update, error, 2)
    for chosen_by, reason in (
        (-total, "those are the largest by value: compare magnitudes, np.abs"),
        (np.abs(total), "those are the smallest: send the largest in magnitude"),
        (total, "those are the smallest: send the largest in magnitude"),
        (-np.abs(update), "choose among update + error, not by the update alone"),
        (-np.abs(error), "choose among update + error, not by the error alone"),
        (-update, "choose among update + error, and by magnitude, np.abs"),
        (np.arange(6), "those are the first k; send the largest in magnitude"),
    ):
        require(set(indices) != set(np.argsort(chosen_by)[:2]), reason)
    require(
        set(indices) == {1, 3},
        f"of {total} with k = 2 the places 1 and 3 are sent, not {sorted(indices)}",
    )
    for mistaken, reason in (
        (np.abs(total)[indices], "the values have lost their signs"),
        (update[indices], "send the values of update + error, not of the update alone"),
        (error[indices], "send the values of update + error, not of the error alone"),
        (total[indices[::-1]], "indices and values stand in different orders"),
    ):
        require(not close(values, mistaken), reason)
    require(
        close(values, total[indices]),
        f"at {indices} the sum has {total[indices]}, and you send {values}",
    )

    def without_sent(numbers):
        return np.where(np.isin(np.arange(6), indices), 0, numbers)

    for mistaken, reason in (
        (total, "what was sent is still in new_error: set it to 0 there"),
        (
            without_sent(update),
            "the old error is lost: keep what is left of update + error",
        ),
        (total * 0, "new_error is all 0: keep what was not sent"),
        (error, "new_error is the old error: keep what is left of update + error"),
        (
            without_sent(error),
            "you kept what is left of the error alone: add the update first",
        ),
        (update, "new_error is the update: keep what is left of update + error"),
        (-without_sent(total), "the sign of new_error is turned round"),
        (total - without_sent(total), "that is what was sent: keep the rest"),
        (
            error + without_sent(total),
            "the old error is counted twice: the sum has it already",
        ),
        (
            update - (total - without_sent(total)),
            "subtract what was sent from update + error, not from the update alone",
        ),
    ):
        require(not close(new_error, mistaken), reason)
    require(
        close(new_error, without_sent(total)),
        f"of {total} you keep {new_error}, not {without_sent(total)}",
    )
    kept = new_error.copy()
    called(error, update[::-1].copy(), 3)
    require(
        np.array_equal(kept, new_error),
        "a new_error that was returned changed at a later call: return a new array",
    )
    again = called(update, error, 2)
    require(
        close(again[1], total[again[0]]) and close(again[2], kept),
        "the same call gave something else the second time: each worker's error is "
        "an argument, so remember nothing between calls",
    )
    for k in (0, 1, 5, 6):
        indices, values, new_error = called(update, error, k)
        require(
            set(indices) == set(np.argsort(-np.abs(total))[:k])
            and close(values, total[indices])
            and close(new_error, without_sent(total)),
            f"it is right for k = 2, and wrong for k = {k}",
        )
    tied = np.array([2.0, -2.0, 2.0, 2.0, 0.5])
    indices, values, new_error = called(tied, 0 * tied, 2)
    require(
        close(values, tied[indices]) and np.abs(new_error).sum() == 4.5,
        "of [2, -2, 2, 2, 0.5] with k = 2 two of the 2s are sent, and the rest kept",
    )
    rng = np.random.default_rng(0)
    given, sent, error = np.zeros((3, 50))
    for _ in range(20):
        update = rng.random(50) - 0.5
        indices, values, error = called(update, error, 5)
        given += update
        sent[indices] += values
    require(
        np.allclose(sent + error, given, rtol=0, atol=1e-9),
        "after 20 rounds what was sent and the error are not the sum of the updates",
    )


@exercise
def best_servers(answer):
    def called(*situation):
        try:
            return number(answer(*situation))
        except ZeroDivisionError:
            raise NotYet(
                "it divided by 0: count servers from 1, and per_message may be 0"
            ) from None

    situations = [
        (4, 8, 0.1, 1.0),
        (16, 16, 1.0, 4.0),
        (16, 5, 1.0, 4.0),
        (10, 10, 1.0, 2.5),
        (7, 7, 1.0, 3.0),
        (61, 20, 1.0, 0.2),  # the best is 4, and the root of 12.2 is 3.49
        (5, 3, 0.01, 1.0),
        (4, 10, 0.01, 1.0),
        (3, 6, 10.0, 1.0),
        (12, 12, 1.0, 1.0),  # 3 and 4 are equally good
        (4, 8, 0.0, 1.0),  # 4 to 8 are equally good
    ]
    results = [called(*situation) for situation in situations]

    def seconds(k, n, message, copy):
        return k * message + max(1, n / k) * copy

    def best(seconds, first=1, more=0, choose=min, reverse=False, limit=None):
        """Return what an answer with some mistake gives in each situation."""
        found = []
        for n, most, message, copy in situations:
            most = most if limit is None else limit(n, most)
            numbers = range(first, max(first, most + more) + 1)
            numbers = reversed(numbers) if reverse else numbers
            found.append(choose(numbers, key=lambda k: seconds(k, n, message, copy)))  # noqa: B023
        return np.array(found)

    right = best(seconds)
    n, most, message, copy = np.array(situations).T
    with np.errstate(all="ignore"):
        root = np.minimum(most, np.sqrt(n * copy / message))
    times = [
        seconds(k, n, m, c) for k, (n, _, m, c) in zip(right, situations, strict=True)
    ]
    for mistaken, reason in (
        (n, "it is always the number of workers: each server costs a message too"),
        (most, "it is always max_servers: each server costs a message too"),
        (
            np.minimum(n, most),
            "each server costs a message too: compare the seconds of all numbers",
        ),
        (
            right * 0 + 1,
            "it is always 1: with k servers each copies num_workers / k updates",
        ),
        (right * 0, "it is always 0; some server must hold the weights"),
        (times, "those are the seconds; return the number of servers"),
        (right - 1, "that is one too few: does your list of numbers begin with 1?"),
        (best(seconds, more=-1), "max_servers itself may be the best: go up to it"),
        (best(seconds, choose=max), "with so many a round is longest: take the least"),
        (
            best(lambda k, n, m, c: k * m + n / k * c),
            "more servers than workers do not copy faster: use max(1, …)",
        ),
        (
            best(lambda k, n, m, c: k * m + max(1, n // k) * c),
            "// drops the fraction: divide with /",
        ),
        (
            best(seconds, limit=lambda n, most: n),
            "no more than max_servers are to be had: go through 1 to max_servers",
        ),
        (
            best(seconds, reverse=True),
            "of equally good numbers return the least: compare with <, not <=",
        ),
        (
            best(seconds, first=2),
            "one server may be best: begin with 1",
        ),
    ):
        require(not close(results, mistaken), reason)
    for way in (np.round, np.floor, np.ceil):
        with np.errstate(all="ignore"):
            rounded = np.clip(way(root), 1, np.minimum(n, most))
        require(
            not close(results[:10], rounded[:10]),
            "a rounded root is not always the best whole number: try all numbers",
        )
    for situation, expected, result in zip(situations, right, results, strict=True):
        require(
            result == expected,
            f"best_servers{situation} is {expected}, and yours is {result:g}",
        )
