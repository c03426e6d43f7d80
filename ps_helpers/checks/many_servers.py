"""Checks of notebook 05."""

import numpy as np

from ps_helpers.checks.verdict import as_numbers, close, exercise, listed, require


def lightest(loads, _=None):
    """Return the number of the least loaded server, the first of equals."""
    return loads.index(min(loads))


def by_turns(loads, turn):
    return turn % len(loads)


def dealt(sizes, num_servers, order, choose):
    """Give keys, in an order, to the servers that a function of the loads chooses."""
    loads, server_of = [0] * num_servers, {}
    for turn, key in enumerate(order):
        server_of[key] = choose(loads, turn)
        loads[server_of[key]] += sizes[key]
    return server_of


def servers_of(result, sizes, num_servers):
    """Return an answer's result as {key: server}; refuse what is anything else."""
    require(result is not None, "it returned nothing; end it with a return")
    require(
        isinstance(result, dict),
        f"return a dictionary {{key: server}}; what came is of type "
        f"{type(result).__name__}",
    )
    require(
        not set(result) & set(range(num_servers)),
        "that is which keys a server has: turn it round, {key: server}",
    )
    missing = [key for key in sizes if key not in result]
    require(not missing, f"the key {missing[:1]} has no server: place all of them")
    require(len(result) == len(sizes), "there are keys in it that were not given")
    found = {}
    for key in sizes:
        value = as_numbers(result[key])
        require(
            value is not None and value.ndim == 0 and value.dtype.kind in "iu",
            "the server of a key is one whole number",
        )
        found[key] = int(value)
    require(found != sizes, "the dictionary has the sizes; it shall have the servers")
    require(
        num_servers not in found.values(),
        "the first server is number 0, and the last num_servers - 1",
    )
    require(
        set(found.values()) <= set(range(num_servers)),
        f"there is no server {max(found.values(), key=abs)}",
    )
    return found


@exercise
def balance(answer):
    def placed(sizes, num_servers):
        given = dict(sizes)
        result = answer(given, num_servers)
        require(given == sizes, "it changed sizes: leave them as they are")
        return servers_of(result, sizes, num_servers)

    # Of these sizes each of the mistakes below makes something different.
    sizes = {"c": 1, "d": 12, "e": 9, "a": 11, "b": 7, "f": 6}
    found = placed(sizes, 3)
    small, names = sorted(sizes, key=sizes.get), sorted(sizes)
    large = small[::-1]
    for order, choose, reason in (
        (large, lambda loads, _: 0, "all are on server 0: do you add to its load?"),
        (large, lambda loads, _: 2, "all are on the last server: choose by the loads"),
        (large, by_turns, "you went by turns, or by numbers of keys: compare elements"),
        (sizes, by_turns, "you dealt the keys out by turns: look at their sizes"),
        (names, by_turns, "you dealt the keys out by turns: look at their sizes"),
        (small, lightest, "take the largest first, not the smallest: reverse=True"),
        (sizes, lightest, "sort the keys by size first"),
        (names, lightest, "you sorted by the keys' names: sort by size"),
        (names[::-1], lightest, "you sorted by the keys' names: sort by size"),
        (
            large,
            lambda loads, _: 2 - lightest(loads[::-1]),
            "of equally loaded servers take the first, not the last",
        ),
    ):
        require(found != dealt(sizes, 3, order, choose), reason)
    right = dealt(sizes, 3, large, lightest)
    for key in large:
        require(
            found[key] == right[key],
            f"of {sizes} on 3 servers, {key} belongs on server {right[key]}, not "
            f"{found[key]}",
        )
    found = placed({"a": 2, "b": 5, "c": 2}, 2)
    require(
        found == {"a": 1, "b": 0, "c": 1},
        f"for the example, on 2 servers, it returns {found}: use num_servers",
    )
    found = placed({"x": 3, "y": 8}, 4)
    require(
        found == {"y": 0, "x": 1},
        "with more servers than keys each key has a server of its own",
    )
    require(placed({"x": 3, "y": 8}, 1) == {"x": 0, "y": 0}, "one server takes all")


@exercise
def cut(answer):
    def parts_of(weight, num_servers):
        kept = weight.copy()
        result = answer(weight, num_servers)
        require(np.array_equal(weight, kept), "it changed the array: only cut it")
        require(
            not isinstance(result, np.ndarray), "return a list of parts, not one array"
        )
        parts = listed(result)
        require(
            all(isinstance(part, np.ndarray) for part in parts),
            "each part is an array, a slice of the flattened weight",
        )
        require(
            all(part.ndim == 1 for part in parts),
            "each part is 1-D: flatten the weight first, with reshape(-1)",
        )
        require(
            len(parts) == num_servers,
            f"for {num_servers} servers {len(parts)} parts came: return one a server, "
            "also if it is empty",
        )
        return parts

    for rows, num_servers in ((2, 4), (3, 4), (3, 2), (1, 3), (1, 7), (4, 1), (4, 7)):
        weight = np.arange(5 * rows, dtype=np.float32).reshape(rows, 5) + 1
        parts = parts_of(weight, num_servers)
        lengths, flat = [len(part) for part in parts], weight.reshape(-1)
        together = np.concatenate(parts)
        case = f"{flat.size} elements and {num_servers} servers"
        require(
            len(together) >= flat.size
            or not np.array_equal(together, flat[: len(together)]),
            f"the last {flat.size - len(together)} of {case} are lost: the division "
            "leaves a remainder",
        )
        require(
            len(together) >= flat.size,
            f"of {case} only {len(together)} elements are in a part",
        )
        require(
            len(together) == flat.size,
            "some elements are in two parts: a slice a:b ends before b",
        )
        require(
            np.array_equal(np.sort(together), flat),
            "not every element is in exactly one part",
        )
        require(
            np.array_equal(together, flat),
            "the parts are not in order: each is one range of neighbours",
        )
        require(
            all(part.dtype == weight.dtype for part in parts),
            f"the weights are {weight.dtype}, the parts {parts[0].dtype}: only slice",
        )
        require(
            all(np.shares_memory(part, weight) for part in parts if part.size),
            "the parts are copies: slice weight.reshape(-1); flatten and array copy",
        )
        require(
            max(lengths) - min(lengths) <= 1,
            f"the lengths {lengths} for {case} differ by more than one: spread the "
            "remainder",
        )


@exercise
def put_back(answer):
    for shape, ends in (
        ((2, 5), (0, 2, 5, 7, 10)),
        ((3, 2, 2), (0, 4, 8, 12)),
        ((6,), (0, 6)),
        ((2, 2), (0, 1, 1, 2, 3, 4, 4)),
        ((), (0, 1)),
    ):
        weight = np.arange(ends[-1], dtype=np.float32).reshape(shape) + 1
        flat = weight.reshape(-1)
        parts = [flat[a:b].copy() for a, b in zip(ends, ends[1:], strict=False)]
        given = [part.copy() for part in parts]
        result = answer(given, shape)
        require(result is not None, "it returned nothing; end it with a return")
        require(
            len(given) == len(parts) and all(map(np.array_equal, given, parts)),
            "it changed the parts or their list: only read them",
        )
        require(
            isinstance(result, np.ndarray),
            f"return one array; what came is of type {type(result).__name__}",
        )
        require(
            result.size >= flat.size,
            f"{flat.size - result.size} of {flat.size} elements are missing: put all "
            "parts together",
        )
        require(result.size == flat.size, "there are more elements than in the parts")
        require(
            result.shape == shape,
            f"it has the shape {result.shape}, not {shape}: reshape it to shape",
        )
        found = result.reshape(-1)
        require(
            not close(found, np.concatenate(parts[::-1]))
            or len(flat) == 1
            or len(parts) == 1,
            "the parts came in the reverse order: keep theirs",
        )
        require(as_numbers(found) is not None, "return an array of numbers")
        require(close(np.sort(found), flat), "these are not the parts' elements")
        require(
            close(found, flat),
            "all elements are there, but not where they belong: fill row by row, in "
            "the order of the parts",
        )
        require(
            result.dtype == weight.dtype,
            f"the parts are {weight.dtype} and the array is {result.dtype}: keep that",
        )
