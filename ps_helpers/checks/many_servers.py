"""Checks of notebook 05."""

from itertools import pairwise

import numpy as np

from ps_helpers.checks.tables import table
from ps_helpers.checks.verdict import as_numbers, listed, require, whole_number


def servers(result):
    """Return {key: server}, those of equally large keys sorted; refuse the rest."""
    found, sizes = result
    require(found is not None, "it returned nothing; end it with a return")
    require(isinstance(found, dict), "return a dictionary {key: server}")
    all_keys = set(found) == set(sizes)
    require(all_keys, "its keys are those of sizes, all of them: {key: server}")
    of = {key: whole_number(server) for key, server in found.items()}
    order = sorted(sizes, key=lambda key: (sizes[key], of[key]))
    keys = sorted(sizes, key=sizes.get)
    return {key: of[other] for key, other in zip(keys, order, strict=True)}


SIZES = {"c": 1, "d": 12, "e": 9, "a": 11, "b": 7, "f": 6}
MANY = {f"W{i}": size for i, size in enumerate((90, 100, 8, 31, 31, 0, 17, 8, 900, 64))}
BY_SIZE, NAMED = "sorted(sizes, key=sizes.get, reverse=True)", "sorted(sizes)"


@table(
    calls=[
        *[(SIZES, 3), ({"a": 2, "b": 5, "c": 2}, 2), ({"x": 3, "y": 8}, 4), (SIZES, 1)],
        *[(MANY, 2), (MANY, 4), (MANY | SIZES, 12), (SIZES | MANY, 11), ({}, 3)],
    ],
    returns=servers,
    run=lambda answer, sizes, num_servers: (answer(sizes, num_servers), sizes),
    mistakes={
        "all are on server 0: do you add to its load?": "+= sizes[key] → += 0",
        "all are on the last server": "least[0] → num_servers - 1",
        "you went by turns, or by numbers of keys: compare elements": "sizes[key] → 1",
        "go by sizes, not by turns": f"{BY_SIZE} → sizes → += sizes[key] → += 1",
        "go by sizes, not by names": f"{BY_SIZE} → {NAMED} → += sizes[key] → += 1",
        "take the largest first, not the smallest: reverse=True": ", reverse=True →",
        "sort the keys by size first": f"{BY_SIZE} → sizes",
        "sort by size, not by name": ["key=sizes.get, →", f"{BY_SIZE} → {NAMED}"],
        "as texts 9 is before 12: sort numbers": "sizes.get → lambda k: str(sizes[k])",
        "of equally loaded servers take the first": "least[0] → least[-1]",
        "the first server is number 0": (
            "return server_of → return {key: s + 1 for key, s in server_of.items()}"
        ),
    },
)
def balance(sizes, num_servers):
    loads, server_of = [0] * num_servers, {}
    for key in sorted(sizes, key=sizes.get, reverse=True):
        least = [s for s in range(num_servers) if loads[s] == min(loads)]
        server_of[key] = least[0]
        loads[server_of[key]] += sizes[key]
    return server_of


def pieces(result):
    """Return what the parts of an array have in common; refuse what are no parts."""
    parts, weight = listed(result[0]), result[1]
    flat = all(isinstance(part, np.ndarray) and part.ndim == 1 for part in parts)
    require(flat, "each part is a 1-D array, a slice of weight.reshape(-1)")
    views = all(np.shares_memory(part, weight) for part in parts if part.size)
    lengths, dtype = str(sorted(map(len, parts))), str(np.concatenate(parts).dtype)
    kinds = {"lengths": lengths, "dtype": dtype, "made without copies": views}
    return {"elements": np.concatenate(parts)} | kinds


def wild(*shape, dtype="f"):
    """Return an array with fractions, negative numbers, zeros, and some twice."""
    return (np.arange(np.prod(shape)) * 7 % 11 / 3 - 2).astype(dtype).reshape(shape)


@table(
    calls=[
        *[(wild(2, 5), 4), (wild(3, 5, dtype=float), 4), (wild(3, 5), 2), (wild(5), 3)],
        *[
            (wild(5, dtype=float), 7),
            (wild(4, 5), 1),
            (wild(3, 4, 2), 7),
            (wild(9, 2), 12),
        ],
    ],
    returns=pieces,
    run=lambda answer, weight, num_servers: (answer(weight, num_servers), weight),
    mistakes={
        "the remainder of the division is lost": "* s // n → // n * s",
        "spread the remainder": "* s // n → // n * s + len(flat) % n * (s == n)",
        "a part is one range": lambda w, n: [w.reshape(-1)[s::n] for s in range(n)],
        "the parts are in reverse order": "pairwise(ends)] → pairwise(ends)][::-1]",
        "some elements are in two parts: a:b ends before b": "a:b → a : b + 1",
        "go along the rows, not down the columns": "-1 → -1, order='F'",
        "the parts are copies: slice weight.reshape(-1)": "reshape(-1) → flatten()",
        "only slice: another dtype needs copies": "(-1) → (-1).astype(float)",
        "return one part a server, also if it is empty": "(ends)] → (ends) if a < b]",
    },
    raises=[
        (ValueError, "equal division", "the division has a remainder: array_split")
    ],
)
def cut(weight, num_servers):
    n, flat = num_servers, weight.reshape(-1)
    ends = [len(flat) * s // n for s in range(n + 1)]
    return [flat[a:b] for a, b in pairwise(ends)]


def whole(result):
    require(result is not None, "it returned nothing; end it with a return")
    right = isinstance(result, np.ndarray) and as_numbers(result) is not None
    require(right, f"return one array of numbers, not a {type(result).__name__}")
    return {"array": result, "dtype": str(result.dtype)}


def split(weight, *ends):
    return np.split(weight.reshape(-1), ends), weight.shape


LENGTHS = "the parts have different lengths and make no rows: concatenate them"


@table(
    calls=[
        *[split(wild(2, 5), 2, 5, 7), split(wild(3, 2, 2, dtype=float), 4, 8)],
        *[split(wild(6)), split(wild(2, 2), 1, 1, 2, 3, 4)],
        *[split(wild(5, 3, dtype=float), *range(1, 15)), split(wild(4, 3), 5, 6)],
    ],
    returns=whole,
    mistakes={
        "the parts came in the reverse order: keep theirs": "parts → parts[::-1]",
        "the parts are in order: do not sort them": "parts → sorted(parts, key=len)",
        "give it the shape: reshape(shape)": ".reshape(shape) →",
        "the shape is turned round": "(shape) → (shape[::-1])",
        "fill row by row, not column by column": "(shape → (shape, order='F'",
        "keep the parts' dtype": "parts) → parts).astype(float)",
    },
    raises=[(ValueError, words, LENGTHS) for words in ("inhomogeneous", "same shape")],
)
def put_back(parts, shape):
    return np.concatenate(parts).reshape(shape)
