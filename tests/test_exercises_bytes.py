"""Wrong and right answers to the exercises of notebook 06b."""

import heapq
import math

import numpy as np
from test_exercises import Answers
from test_exercises_in_process import JUNK

answers = Answers()
wrong, right = answers.wrong, answers.right


def chosen(scores, k):
    """Return the places of the k largest scores."""
    return np.argsort(-scores, kind="stable")[:k]


def without(numbers, indices):
    """Return a copy with 0 at some places."""
    rest = np.array(numbers)
    rest[indices] = 0
    return rest


# top_k(update, error, k)


@wrong("top_k", "forgets return", words="returned nothing")
def _(update, error, k):
    chosen(np.abs(update + error), k)


@wrong("top_k", "chooses by value", words="largest by value: compare magnitudes")
def _(update, error, k):
    total = update + error
    i = chosen(total, k)
    return i, total[i], without(total, i)


@wrong("top_k", "chooses the smallest", words="those are the smallest")
def _(update, error, k):
    total = update + error
    i = np.argsort(np.abs(total))[:k]
    return i, total[i], without(total, i)


@wrong("top_k", "chooses the most negative", words="choose among update + error, and")
def _(update, error, k):
    total = update + error
    i = chosen(update, k)
    return i, total[i], without(total, i)


@wrong("top_k", "chooses by the update", words="not by the update alone")
def _(update, error, k):
    total = update + error
    i = chosen(np.abs(update), k)
    return i, total[i], without(total, i)


@wrong("top_k", "chooses by the error", words="not by the error alone")
def _(update, error, k):
    total = update + error
    i = chosen(np.abs(error), k)
    return i, total[i], without(total, i)


@wrong("top_k", "sends the first", words="those are the first k")
def _(update, error, k):
    total = update + error
    return np.arange(k), total[:k], without(total, slice(k))


@wrong("top_k", "ignores the error", words="not by the update alone")
def _(update, error, k):
    i = chosen(np.abs(update), k)
    return i, update[i], without(update, i)


@wrong("top_k", "sends magnitudes", words="lost their signs")
def _(update, error, k):
    total = update + error
    i = chosen(np.abs(total), k)
    return i, np.abs(total)[i], without(total, i)


@wrong("top_k", "sends the update's values", words="not of the update alone")
def _(update, error, k):
    total = update + error
    i = chosen(np.abs(total), k)
    return i, update[i], without(total, i)


@wrong("top_k", "sorts the indices only", words="stand in different orders")
def _(update, error, k):
    total = update + error
    i = chosen(np.abs(total), k)
    return np.sort(i), total[i], without(total, i)


@wrong("top_k", "keeps what was sent", words="still in new_error: set it to 0 there")
def _(update, error, k):
    total = update + error
    i = chosen(np.abs(total), k)
    return i, total[i], total


@wrong("top_k", "keeps the update's rest only", words="the old error is lost")
def _(update, error, k):
    total = update + error
    i = chosen(np.abs(total), k)
    return i, total[i], without(update, i)


@wrong("top_k", "clears the old error only", words="of the error alone: add the upd")
def _(update, error, k):
    total = update + error
    i = chosen(np.abs(total), k)
    return i, total[i], without(error, i)


@wrong("top_k", "resets the error", words="new_error is all 0")
def _(update, error, k):
    total = update + error
    i = chosen(np.abs(total), k)
    return i, total[i], np.zeros(len(total))


@wrong("top_k", "leaves the error", words="new_error is the old error")
def _(update, error, k):
    total = update + error
    i = chosen(np.abs(total), k)
    return i, total[i], error.copy()


@wrong("top_k", "keeps what it sends", words="that is what was sent: keep the rest")
def _(update, error, k):
    total = update + error
    i = chosen(np.abs(total), k)
    return i, total[i], total - without(total, i)


@wrong("top_k", "subtracts the wrong way", words="sign of new_error is turned round")
def _(update, error, k):
    total = update + error
    i = chosen(np.abs(total), k)
    return i, total[i], -without(total, i)


@wrong("top_k", "adds the error twice", words="the old error is counted twice")
def _(update, error, k):
    total = update + error
    i = chosen(np.abs(total), k)
    return i, total[i], error + without(total, i)


@wrong("top_k", "subtracts from the update", words="from update + error, not from the")
def _(update, error, k):
    total = update + error
    i = chosen(np.abs(total), k)
    return i, total[i], update - (total - without(total, i))


@wrong("top_k", "keeps a short error", words="new_error has 4 numbers; it needs one")
def _(update, error, k):
    total = update + error
    i = chosen(np.abs(total), k)
    return i, total[i], np.delete(total, i)


@wrong("top_k", "sends everything for k = 0", words="[-0:] is all")
def _(update, error, k):
    total = update + error
    i = np.argsort(np.abs(total))[-k:]
    return i, total[i], without(total, i)


@wrong("top_k", "sends at least one", words="with k = 0 nothing is sent")
def _(update, error, k):
    total = update + error
    i = chosen(np.abs(total), max(1, k))
    return i, total[i], without(total, i)


@wrong("top_k", "compares with a threshold", words="send only as many")
def _(update, error, k):
    total = update + error
    threshold = np.sort(np.abs(total))[::-1][k - 1] if k else np.inf
    i = np.flatnonzero(np.abs(total) >= threshold)
    return i, total[i], without(total, i)


@wrong("top_k", "sends one fewer", words="you send 1 numbers, and k is 2")
def _(update, error, k):
    total = update + error
    i = np.argsort(np.abs(total))[-k:-1]
    return i, total[i], without(total, i)


@wrong("top_k", "returns a mask", words="is a mask of True and False")
def _(update, error, k):
    total = update + error
    mask = np.isin(np.arange(len(total)), chosen(np.abs(total), k))
    return mask, total[mask], total * ~mask


@wrong("top_k", "sends all numbers", words="only k of them travel")
def _(update, error, k):
    total = update + error
    i = chosen(np.abs(total), k)
    return i, total - without(total, i), without(total, i)


@wrong("top_k", "swaps values and indices", words="whole numbers: is it the values?")
def _(update, error, k):
    total = update + error
    i = chosen(np.abs(total), k)
    return total[i], i, without(total, i)


@wrong("top_k", "returns two things", words="indices, values and new_error, not 2")
def _(update, error, k):
    total = update + error
    i = chosen(np.abs(total), k)
    return i, total[i]


@wrong("top_k", "adds to the error in place", words="it changed error")
def _(update, error, k):
    error += update
    i = chosen(np.abs(error), k)
    values = error[i]
    error[i] = 0
    return i, values, error


@wrong("top_k", "adds to the update in place", words="it changed update")
def _(update, error, k):
    update += error
    i = chosen(np.abs(update), k)
    return i, update[i], without(update, i)


memory = {"error": np.zeros(6), "array": np.zeros(50)}


@wrong("top_k", "shares one error", words="remember nothing between calls")
def _(update, error, k):
    total = update + error
    if len(total) == 6:  # a worker's error is added to what all workers kept
        total = total + memory["error"]
    i = chosen(np.abs(total), k)
    rest = without(total, i)
    memory["error"] = rest if len(rest) == 6 else memory["error"]
    return i, total[i], rest


@wrong("top_k", "returns one array for all", words="return a new array")
def _(update, error, k):
    total = update + error
    i = chosen(np.abs(total), k)
    kept = memory["array"][: len(total)]
    kept[:] = without(total, i)
    return i, total[i], kept


@wrong("top_k", "knows k = 2 only", words="it is right for k = 2, and wrong for k = 1")
def _(update, error, k):
    total = update + error
    i = chosen(np.abs(total), k)
    if k == 1:
        i = (i + 1) % len(total)
    return i, total[i], without(total, i)


@wrong("top_k", "cannot send all", words="it raised ValueError")
def _(update, error, k):
    total = update + error
    i = np.argpartition(-np.abs(total), k)[:k]
    return i, total[i], without(total, i)


@wrong("top_k", "rounds to whole numbers", words="the sum has")
def _(update, error, k):
    total = update + error
    i = chosen(np.abs(total), k)
    return i, np.round(total[i]), without(total, i)


@wrong("top_k", "lets the error fade", words="you keep [")
def _(update, error, k):
    total = update + error
    i = chosen(np.abs(total), k)
    return i, total[i], 0.5 * without(total, i)


@right("top_k", "with a partition")
def _(update, error, k):
    total = update + error
    indices = np.argpartition(np.abs(total), len(total) - k - 1)[len(total) - k :]
    return indices, total[indices], without(total, indices)


@right("top_k", "with lists")
def _(update, error, k):
    total = [u + e for u, e in zip(update, error, strict=True)]
    order = sorted(range(len(total)), key=lambda i: abs(total[i]))
    indices = sorted(order[len(total) - k :])
    values = [total[i] for i in indices]
    return indices, values, [0 if i in indices else t for i, t in enumerate(total)]


@right("top_k", "with a heap")
def _(update, error, k):
    total = update + error
    indices = heapq.nlargest(k, range(len(total)), key=lambda i: abs(total[i]))
    new_error = total.copy()
    for i in indices:
        new_error[i] = 0
    return tuple(indices), np.array([total[i] for i in indices]), new_error


@right("top_k", "by subtracting what the server reads")
def _(update, error, k):
    total = np.add(update, error)
    indices = np.argsort(total**2)[::-1][:k].astype(np.uint32)
    received = np.zeros_like(total)
    received[indices] = total[indices]
    return [indices, received[indices], total - received]


# best_servers(num_workers, max_servers, per_message, per_copy)


def seconds(k, num_workers, per_message, per_copy):
    return k * per_message + max(1, num_workers / k) * per_copy


def numbers_of(most):
    return range(1, most + 1)


@wrong("best_servers", "forgets return", words="returned nothing")
def _(num_workers, max_servers, per_message, per_copy):
    min(
        numbers_of(max_servers),
        key=lambda k: seconds(k, num_workers, per_message, per_copy),
    )


@wrong("best_servers", "takes a server each", words="always the number of workers")
def _(num_workers, max_servers, per_message, per_copy):
    return num_workers


@wrong("best_servers", "takes all", words="always max_servers")
def _(num_workers, max_servers, per_message, per_copy):
    return max_servers


@wrong("best_servers", "takes as many as help", words="compare the seconds of all")
def _(num_workers, max_servers, per_message, per_copy):
    return min(num_workers, max_servers)


@wrong("best_servers", "forgets the messages", words="compare the seconds of all")
def _(num_workers, max_servers, per_message, per_copy):
    return min(
        numbers_of(max_servers), key=lambda k: seconds(k, num_workers, 0, per_copy)
    )


@wrong("best_servers", "forgets the copies", words="always 1: with k servers each")
def _(num_workers, max_servers, per_message, per_copy):
    return min(numbers_of(max_servers), key=lambda k: k * per_message)


@wrong("best_servers", "takes none", words="some server must hold the weights")
def _(num_workers, max_servers, per_message, per_copy):
    return 0


@wrong("best_servers", "returns the seconds", words="return the number of servers")
def _(num_workers, max_servers, per_message, per_copy):
    return min(
        seconds(k, num_workers, per_message, per_copy) for k in numbers_of(max_servers)
    )


@wrong("best_servers", "returns the index", words="does your list of numbers begin")
def _(num_workers, max_servers, per_message, per_copy):
    return np.argmin(
        [
            seconds(k, num_workers, per_message, per_copy)
            for k in numbers_of(max_servers)
        ]
    )


@wrong("best_servers", "stops one early", words="max_servers itself may be the best")
def _(num_workers, max_servers, per_message, per_copy):
    return min(
        range(1, max_servers),
        key=lambda k: seconds(k, num_workers, per_message, per_copy),
    )


@wrong("best_servers", "takes the longest", words="a round is longest")
def _(num_workers, max_servers, per_message, per_copy):
    return max(
        numbers_of(max_servers),
        key=lambda k: seconds(k, num_workers, per_message, per_copy),
    )


@wrong("best_servers", "lets copies shrink for ever", words="use max(1, …)")
def _(num_workers, max_servers, per_message, per_copy):
    return min(
        numbers_of(max_servers),
        key=lambda k: k * per_message + num_workers / k * per_copy,
    )


@wrong("best_servers", "drops the fraction", words="// drops the fraction")
def _(num_workers, max_servers, per_message, per_copy):
    return min(
        numbers_of(max_servers),
        key=lambda k: k * per_message + max(1, num_workers // k) * per_copy,
    )


@wrong("best_servers", "turns the fraction round", words="each copies num_workers / k")
def _(num_workers, max_servers, per_message, per_copy):
    return min(
        numbers_of(max_servers),
        key=lambda k: k * per_message + max(1, k / num_workers) * per_copy,
    )


@wrong("best_servers", "tries up to the workers", words="no more than max_servers")
def _(num_workers, max_servers, per_message, per_copy):
    return min(
        numbers_of(num_workers),
        key=lambda k: seconds(k, num_workers, per_message, per_copy),
    )


@wrong("best_servers", "takes the most of equals", words="return the least")
def _(num_workers, max_servers, per_message, per_copy):
    best, shortest = 1, math.inf
    for k in numbers_of(max_servers):
        if seconds(k, num_workers, per_message, per_copy) <= shortest:
            best, shortest = k, seconds(k, num_workers, per_message, per_copy)
    return best


@wrong("best_servers", "begins with two", words="one server may be best")
def _(num_workers, max_servers, per_message, per_copy):
    return min(
        range(2, max_servers + 1),
        key=lambda k: seconds(k, num_workers, per_message, per_copy),
    )


@wrong("best_servers", "begins with none", words="it divided by 0")
def _(num_workers, max_servers, per_message, per_copy):
    return min(
        range(max_servers + 1),
        key=lambda k: seconds(k, num_workers, per_message, per_copy),
    )


def root(num_workers, max_servers, per_message, per_copy, way):
    limit = min(num_workers, max_servers)
    if per_message == 0:
        return limit
    return min(limit, max(1, way(math.sqrt(num_workers * per_copy / per_message))))


@wrong("best_servers", "rounds the root", words="a rounded root is not always")
def _(num_workers, max_servers, per_message, per_copy):
    return root(num_workers, max_servers, per_message, per_copy, round)


@wrong("best_servers", "cuts the root", words="a rounded root is not always")
def _(num_workers, max_servers, per_message, per_copy):
    return root(num_workers, max_servers, per_message, per_copy, int)


@wrong("best_servers", "divides by per_message", words="per_message may be 0")
def _(num_workers, max_servers, per_message, per_copy):
    return min(max_servers, round((num_workers * per_copy / per_message) ** 0.5))


@wrong("best_servers", "counts messages of all", words="best_servers(4, 8, 0.1, 1.0)")
def _(num_workers, max_servers, per_message, per_copy):
    return min(
        numbers_of(max_servers),
        key=lambda k: seconds(k, num_workers, num_workers * per_message, per_copy),
    )


@right("best_servers", "in a loop")
def _(num_workers, max_servers, per_message, per_copy):
    best = 1
    for k in range(2, max_servers + 1):
        now = seconds(best, num_workers, per_message, per_copy)
        if seconds(k, num_workers, per_message, per_copy) < now:
            best = k
    return best


@right("best_servers", "in NumPy")
def _(num_workers, max_servers, per_message, per_copy):
    k = np.arange(1, max_servers + 1)
    times = k * per_message + np.maximum(1, num_workers / k) * per_copy
    return k[times.argmin()]


@right("best_servers", "as pairs")
def _(num_workers, max_servers, per_message, per_copy):
    return min(
        (k * per_message + max(per_copy, num_workers * per_copy / k), k)
        for k in numbers_of(max_servers)
    )[1]


# The tests themselves.


TestAnswers = answers.tests(JUNK)
