"""Checks of notebooks 04 and 04b."""

import numpy as np

from ps_helpers.checks.verdict import (
    NotYet,
    as_numbers,
    close,
    exercise,
    explained,
    is_untouched,
    listed,
    number,
    require,
)


def truth(result):
    """Return an answer's result as True or False; refuse what is neither."""
    require(result is not None, "it returned nothing; end it with a return")
    value, kind = as_numbers(result), type(result).__name__
    require(value is not None, f"return True or False; what came is of type {kind}")
    require(value.ndim == 0, "return one True or False, for the worker that asks")
    require(
        value.dtype.kind == "b",
        "return True or False, not a number: compare the difference with s",
    )
    return bool(value)


@exercise
def may_proceed(answer):
    situations = [
        (clock, clocks, s)
        for clocks in ([7, 3, 12, 4], [3, 3, 3], [0, 2])
        for clock in clocks
        for s in (2, 0, 1, 3, float("inf"))
    ]
    results = []
    for clock, clocks, s in situations:
        given = list(clocks)
        results.append(answer(clock, given, s))
        require(given == clocks, "it changed the list clocks; only read it")
    clock, low, high, mean, median, first, last, count, s = np.transpose(
        [
            (c, min(k), max(k), np.mean(k), np.median(k), k[0], k[-1], len(k), s)
            for c, k, s in situations
        ]
    )
    right = clock - low <= s
    require(
        {r for r, result in zip(right, results, strict=True) if result is None}
        != {False},
        "it returns nothing where the worker must wait: return False there",
    )
    results = list(map(truth, results))
    for mistaken, reason in (
        (s >= 0, "it is always True: subtract the slowest clock, min(clocks)"),
        (s < 0, "it is always False, so that everybody stops for ever"),
        (clock - low < s, "who is exactly s steps ahead may go on: compare with <="),
        (clock - low <= s + 1, "it lets a worker be s + 1 steps ahead, one too many"),
        (clock - low > s, "that is whether it must wait: return the opposite"),
        (clock - low >= s, "the comparison is turned round: who is near may go on"),
        (clock - low == s, "who is less than s steps ahead may go on too: use <="),
        (high - clock <= s, "it holds up the slow: compare with min(clocks), not max"),
        (high - low <= s, "when one is ahead it holds up all: use clock, not the max"),
        (clock <= s, "subtract the slowest, min(clocks): how far ahead is clock?"),
        (clock - low <= count, "compare with s, not with the number of workers"),
        (clock == low, "you did not use s: who is up to s steps ahead may go on"),
        (right | (s == 0), "s = 0 allows no step ahead: is it taken for False?"),
        (right & (s > 0), "with s = 0 the slowest must go on, or all stop for ever"),
        (clock - mean <= s, "you compared with the mean; compare with the slowest"),
        (clock - median <= s, "you compared with the median; compare with the slowest"),
        (clock - first <= s, "the first worker need not be the slowest: use min"),
        (clock - last <= s, "the last worker need not be the slowest: use min"),
    ):
        require(not close(results, mistaken), reason)
    for (clock, clocks, s), may, result in zip(situations, right, results, strict=True):
        require(
            result == may,
            f"with s = {s} and clocks {clocks} a worker that has done {clock} "
            f"{'may go on' if may else 'must wait'}",
        )


@exercise
def Barrier(answer):
    def arrive(barrier, worker):
        require(
            callable(getattr(barrier, "arrive", None)),
            "keep Barrier a class with the method arrive, as it was given",
        )
        try:
            result = barrier.arrive(worker)
        except NotImplementedError:
            require(
                is_untouched(barrier.arrive),
                "delete the line raise NotImplementedError, it is still there",
            )
            raise
        require(
            result is not None,
            "it returned nothing: return [] until all have arrived, then all workers",
        )
        require(
            not isinstance(result, bool | np.bool_),
            "return the workers that may go on, as a list, not True or False",
        )
        return listed(result)

    def opens_at(num_workers):
        """Return how many must arrive until somebody may go on, 0 for never."""
        barrier = answer(num_workers)
        for n in range(9):
            if len(arrive(barrier, n % num_workers)) > 0:
                return n + 1
        return 0

    opened = [opens_at(num_workers) for num_workers in (3, 5, 2)]
    for mistaken, reason in (
        ([0, 0, 0], "nobody ever goes on; do you empty the very list that you return?"),
        ([1, 1, 1], "the first to arrive went on: return [] until all have arrived"),
        ([2, 4, 1], "it opens one arrival early: wait until num_workers have arrived"),
        ([4, 6, 3], "it opens one arrival late: who arrives now counts too"),
        (
            [opened[0]] * 3,
            f"it opens after {opened[0]} arrivals, always: use self.num_workers",
        ),
    ):
        require(opened != mistaken, reason)
    require(
        opened == [3, 5, 2],
        f"barriers of 3, 5 and 2 workers opened at arrival {opened}",
    )
    require(opens_at(1) == 1, "a barrier of one worker must open at once")
    barrier = answer(3)
    *early, found = [arrive(barrier, worker) for worker in (2, 0, 1)]
    require(
        not any(map(len, early)),
        "workers arrive in any order: count them, whatever their numbers are",
    )
    for mistaken, reason in (
        ([1], "only the last one went on: return all who have arrived"),
        ([0, 2], "the last one to arrive goes on too"),
        ([2, 0], "the last one to arrive goes on too"),
        ([2, 0, 1], "that is the order of arrival: sort the workers by number"),
        ([2, 1, 0], "return the workers in order, the lowest number first"),
        ([1, 2, 3], "workers count from 0: return the numbers that have arrived"),
    ):
        require(not close(found, mistaken), reason)
    require(
        close(found, [0, 1, 2]),
        f"when 2, 0 and 1 have arrived return [0, 1, 2], not {found}",
    )
    for order in ((1, 2, 0), (2, 1, 0)):
        *early, found = [arrive(barrier, worker) for worker in order]
        require(
            not any(map(len, early)) and close(found, [0, 1, 2]),
            "each round begins with nobody, so forget who came when it opens; in the "
            f"next round the arrivals gave {[*early, found]}",
        )
    one, other = answer(2), answer(2)
    require(
        not arrive(one, 0) and not arrive(other, 1) and close(arrive(one, 1), [0, 1]),
        "two barriers must not share who came: keep that in self",
    )
    barrier = answer(2)
    none, both, _ = [barrier.arrive(worker) for worker in (0, 1, 1)]
    require(
        len(none) == 0 and close(both, [0, 1]),
        "a list that was returned changed at a later arrival: return a new one",
    )


@exercise
def scale_update(answer):
    update = [np.array([[8.0, -21.0]]), np.array([3.0])]
    at_0 = "you divided by 0: an update of staleness 0 stays as it is"
    as_one = "the update is a list of arrays: divide each array, not the list"

    def scaled(update, staleness):
        given = [part.copy() for part in update]
        try:
            # A warning would hide the reason.
            with np.errstate(all="ignore"), explained(TypeError, "/: 'list'", as_one):
                result = answer(given, staleness)
        except ZeroDivisionError:
            raise NotYet(at_0) from None
        require(
            len(given) == len(update) and all(map(np.array_equal, given, update)),
            "it changed the update that was given: make new arrays, without /=",
        )
        require(
            not isinstance(result, np.ndarray),
            "return a list: here one array came, so does return stand in the loop?",
        )
        result = listed(result)
        require(
            len(result) == len(update),
            f"the update has {len(update)} arrays and yours {len(result)}: keep all",
        )
        shapes = [np.shape(as_numbers(part)) for part in result]
        require(
            shapes == [part.shape for part in update],
            "keep the arrays' shapes, and their order",
        )
        return result

    first, second = scaled(update, 5)
    for mistaken, reason in (
        (update[0] // 5, "// drops the fraction: divide with /"),
        (update[0] - 5, "you subtracted the staleness; divide by it"),
        (update[0] * 5, "you multiplied by the staleness; divide by it"),
        (update[0] / 6, "divide by the staleness itself, not by staleness + 1"),
        (update[0] / 4, "divide by the staleness itself, not by staleness - 1"),
        (update[0] / 5**0.5, "divide by the staleness itself, not by its root"),
        (update[0] / 25, "you divided by the staleness twice"),
        (update[0] / -5, "the sign is turned round: only divide"),
        (update[0] / 2, "divide by the staleness, not by the number of arrays"),
        (update[0] * 0, "a stale update is made smaller, not dropped"),
        (update[0], "an update of staleness 5 is to be divided by 5, not kept"),
    ):
        require(not close(first, mistaken), reason)
    require(
        close(first, update[0] / 5),
        f"[8, -21] of staleness 5 becomes [1.6, -4.2], not {np.ravel(first)}",
    )
    require(
        close(second, update[1] / 5),
        "the first array is right, the second is not divided by the staleness",
    )
    require(np.isfinite(scaled(update, 0)[0]).all(), at_0)
    for staleness in (0, 1, 2, 3):
        first, second = scaled(update, staleness)
        expected = [part / max(1, staleness) for part in update]
        require(
            close(first, expected[0]) and close(second, expected[1]),
            f"[8, -21] of staleness {staleness} becomes {expected[0][0]}, "
            f"not {np.ravel(first)}",
        )
    require(
        close(scaled([np.array([6.0])] * 3, 2), [[3]] * 3),
        "it is right for an update of two arrays only: go through all there are",
    )


@exercise
def round_time(answer):
    def called(times, *backup_workers):
        given = times.copy()
        result = answer(given, *backup_workers)
        require(
            np.array_equal(given, times),
            "it changed compute_times: sort a copy, as sorted(…) does",
        )
        require(
            not isinstance(result, list | tuple) and not getattr(result, "ndim", 0),
            "return one time, that of the last worker that is waited for",
        )
        return number(result)

    five, seven = [0.5, 0.2, 0.3, 0.9, 0.6], [0.7, 0.1, 0.4, 1.1, 1.5, 0.2, 0.8]
    situations = [(times, b) for times in (five, seven) for b in (2, 1, 3)]
    results = [called(times, b) for times, b in situations]
    for rule, reason in (  # t are the times, r the same in order, b backup workers
        (lambda t, r, b: r[-1], "that is the slowest: leave out the backup workers"),
        (lambda t, r, b: r[0], "that is the fastest; more than one must finish"),
        (lambda t, r, b: np.mean(t), "that is the mean: take the time of one worker"),
        (lambda t, r, b: np.median(t), "that is the median: count the backup workers"),
        (lambda t, r, b: sum(t), "workers compute at the same time: do not add up"),
        (lambda t, r, b: sum(r[:-b]), "workers compute at once: take the last"),
        (lambda t, r, b: np.mean(r[:-b]), "take the last of these, not their mean"),
        (lambda t, r, b: r[-b], "it waits for one worker too many"),
        (lambda t, r, b: r[-b - 2], "it waits for one worker too few"),
        (lambda t, r, b: r[b], "leave out the slowest, not the fastest"),
        (lambda t, r, b: r[b - 1], "wait for all but backup_workers, not for so many"),
        (lambda t, r, b: max(t[:-b]), "leave out the slowest, not the last by number"),
        (lambda t, r, b: t[-b - 1], "sort the times first: they come in no order"),
        (lambda t, r, b: t.index(r[-b - 1]), "return a time, not the worker's number"),
        (lambda t, r, b: len(t) - b - 1, "return the time, not its index"),
        (lambda t, r, b: np.quantile(t, 1 - b / len(t)), "take a time, not a quantile"),
        (lambda t, r, b: r[3 - b], "use len(compute_times), which is not always 4"),
    ):
        mistaken = [rule(t, sorted(t), b) for t, b in situations]
        require(not close(results, mistaken), reason)
    for (times, b), found in zip(situations, results, strict=True):
        right = sorted(times)[len(times) - b - 1]
        require(
            close(found, right),
            f"of {times} and {b} backup workers it is {right:g}, not {found:g}",
        )
    minus_0 = (
        "without backup workers a slice to -backup_workers ends at -0 and is empty: "
        "end it at len(compute_times) - backup_workers"
    )
    with (
        explained(ValueError, "empty", minus_0),
        explained(ValueError, "zero-size", minus_0),
        explained(IndexError, "out of range", minus_0),
        explained(IndexError, "out of bounds", minus_0),
    ):
        without = [called(five, 0), called(seven, 0), called(five)]
    require(
        close(without, [0.9, 1.5, 0.9]),
        "without backup workers the round waits for all, also for the slowest",
    )
    require(
        close(
            [called([1, 4, 3, 4, 2], 1), called(np.array([3, 1, 2, 1, 3]), 2)], [4, 2]
        ),
        "workers that need equally long are several workers: count each",
    )
