"""Checks of notebook 08."""

from collections import Counter

import numpy as np

from ps_helpers.checks.tables import arrays, table
from ps_helpers.checks.verdict import listed, number, require


def two_lists(result):
    """Return two lists of names; refuse what is no such pair."""
    pair = listed(result)
    require(len(pair) == 2, "return two lists: nodes to start on, and to wait for")
    for part in pair:
        names = all(isinstance(name, str) for name in listed(part))
        require(names, "the lists have names of nodes, as they are in nodes")
    return [list(part) for part in pair]


def cpus(**nodes):
    """Return nodes that have all and free CPUs only."""
    return {n: ({"CPU": all}, {"CPU": free}) for n, (all, free) in nodes.items()}


GPUS = {
    "d": ({"CPU": 4, "GPU": 1}, {"CPU": 2.5, "GPU": 1}),
    "b": ({"CPU": 2, "GPU": 2}, {"CPU": 0, "GPU": 1}),
    "a": ({"CPU": 4}, {"CPU": 4}),
    "c": ({"CPU": 1, "GPU": 1, "disk": 3}, {"CPU": 1, "GPU": 0, "disk": 2}),
}


def in_all(nodes, place):
    """Return what all nodes together have, or have free."""
    return sum((Counter(node[place]) for node in nodes.values()), Counter())


@table(
    calls=[
        ({"CPU": 2}, cpus(a=(2, 1))),
        ({"CPU": 3}, cpus(a=(2, 2), b=(2, 2))),
        ({"CPU": 2}, cpus(b=(2, 0), a=(2, 2))),
        ({"CPU": 1.5}, cpus(a=(1, 1), b=(1.5, 0.5), c=(2, 1), d=(3, 1.5))),
        ({"CPU": 1}, cpus(a=(2, 2), b=(2, 0)), "b"),
        ({"CPU": 1}, cpus(a=(2, 2), b=(2, 0)), "lost"),
        ({"CPU": 3}, cpus(a=(4, 4), b=(2, 2)), "b"),
        ({"CPU": 2, "GPU": 1}, GPUS),
        ({"CPU": 3, "GPU": 1}, GPUS),
        ({"GPU": 1}, GPUS),
        ({"GPU": 3}, GPUS),
        ({"TPU": 1}, GPUS),
        ({"CPU": 1, "disk": 2}, GPUS),
        ({"CPU": 1, "disk": 3}, GPUS, "c"),
        ({}, cpus(a=(2, 0))),
        ({"CPU": 1}, {}),
    ],
    returns=two_lists,
    mistakes={
        "an actor runs on one node: do not add up what several have": (
            "(free) → (in_all(nodes, 1)) → (has) → (in_all(nodes, 0))"
        ),
        "all of its needs count, not any one of them": "all( → any(",
        "as much as there is is enough: compare with >=": ">= → >",
        "with `only` no other node will do": "only in (None, name) → True",
        "a node that is lost has no room, and no other will do": (
            "only in (None, name) → only in (None, name) or only not in nodes"
        ),
        "it can wait where a node has enough once others end: look at all it has": (
            "enough(has) → False"
        ),
        "it waits only where the node has all that it needs": "enough(has) → True",
        "to start it needs what is free, not all that the node has": (
            "enough(free) → enough(has) → elif enough(has) → elif False"
        ),
        "first the nodes where it starts, then those where it waits": (
            "return now, later → return later, now"
        ),
        "where it starts it need not wait: a name is in one list": "elif → if",
        "look at every resource it needs, not at CPUs alone": (
            "needs[r] for r in needs → needs.get(r, 0) for r in ['CPU']"
        ),
        "keep the order that the names have in nodes": (
            "return now, later → return sorted(now), sorted(later)"
        ),
    },
    raises=[
        (KeyError, "", "what a node does not name it does not have: use .get(…, 0)")
    ],
)
def nodes_for(needs, nodes, only=None):
    def enough(there):
        return all(there.get(r, 0) >= needs[r] for r in needs)

    now, later = [], []
    for name, (has, free) in nodes.items():
        if only in (None, name):
            if enough(free):
                now.append(name)
            elif enough(has):
                later.append(name)
    return now, later


def by_node(result):
    """Return {node: bytes}; refuse what is none."""
    require(result is not None, "it returned nothing; end it with a return")
    require(isinstance(result, dict), "return a dictionary {node: bytes}")
    return {node: number(value) for node, value in result.items()}


HALF = {"a": 0.5, "b": 0.5}
SENDS = "min(1, k) if aggregated else k"
PUSHED, SERVED = "mine * (1 - share)", "share * (total - mine)"


@table(
    calls=[
        ({"a": 2}, {"b": 1}, 10),
        ({"a": 2, "b": 2}, HALF, 8),
        ({"a": 2, "b": 2}, HALF, 8, True),
        ({"a": 3, "b": 1}, {"a": 1}, 6),
        ({"a": 3, "b": 1}, {"a": 1}, 6, True),
        ({"a": 2}, {"a": 1.0}, 10),
        ({"a": 5, "b": 0, "c": 2}, {"b": 0.25, "c": 0.5, "d": 0.25}, 2.5),
        ({"a": 5, "b": 0, "c": 2}, {"b": 0.25, "c": 0.5, "d": 0.25}, 2.5, True),
        ({f"n{i}": 1 + i % 3 for i in range(12)}, {"n3": 0.7, "s": 0.3}, 1e6),
        ({f"n{i}": 1 + i % 3 for i in range(12)}, {"n3": 0.7, "s": 0.3}, 1e6, True),
    ],
    returns=by_node,
    mistakes={
        "what a node's workers send to the server of their node crosses no link": [
            f"{PUSHED} → mine",
            f"{SERVED} → share * total",
            f"{PUSHED} → mine → {SERVED} → share * total",
        ],
        "a server's link carries what others push to it, too": f"{SERVED} → 0",
        "and the workers' links? what they send to other nodes counts": f"{PUSHED} → 0",
        "a server is sent its share of each update, not the whole": (
            f"{SERVED} → (share > 0) * (total - mine)"
        ),
        "count each way for itself: in and out are not added": "= num → = 2 * num",
        "aggregated, a node pushes once for all of its workers": f"{SENDS} → k",
        "not aggregated, each worker pushes for itself": f"{SENDS} → min(1, k)",
        "a node without workers pushes nothing, also if it is aggregated": (
            f"{SENDS} → 1 if aggregated else k"
        ),
        "a node with workers alone has a link, too": "{**workers, **shares} → shares",
        "a node with a server alone has a link, too": "{**workers, **shares} → workers",
        "multiply by the bytes of an update": "num_bytes * ( → (",
    },
    raises=[
        (KeyError, "", "a node may be missing in either dictionary: use .get(…, 0)")
    ],
)
def each_way(workers, shares, num_bytes, aggregated=False):
    sends = {n: min(1, k) if aggregated else k for n, k in workers.items()}
    total, found = sum(sends.values()), {}
    for node in {**workers, **shares}:
        mine, share = sends.get(node, 0), shares.get(node, 0)
        found[node] = num_bytes * (mine * (1 - share) + share * (total - mine))
    return found


def told(*counts, sizes=((2, 3), (4,)), dtype=np.float32, lost=np.nan):
    """Return messages of nodes with so many workers; of lost ones nothing is left."""
    rng = np.random.default_rng([*counts])
    found = []
    for count in counts:
        gradient = [rng.normal(size=size).astype(dtype) for size in sizes]
        found.append(([g if count else g + lost for g in gradient], count))
    return (found,)


@table(
    calls=[
        ([([np.array([1.0])], 3), ([np.array([5.0])], 1)],),
        told(2, 2),
        told(3, 1),
        told(1),
        told(4, 0, 2, lost=3.5),
        told(0, 2, 0, 5),
        told(7, 1, 1, 2, 1, 1, 1, 3, 1, 1, 1, 4, dtype=float),
        told(5, 2, sizes=((), (3,), (2, 1, 2)), dtype=float),
    ],
    returns=arrays,
    mistakes={
        "a node with more workers counts more: weigh each mean by its count": (
            "count / total → 1 / len(messages)"
        ),
        "you added the means: divide by the number of all workers": "count / total → 1",
        "that is the sum over all workers: divide it by how many there are": (
            "count / total → count"
        ),
        "divide by the number of workers, not of nodes": "/ total → / len(messages)",
        "0 times nan is nan: leave out a node without workers": "if count] → ]",
        "return all arrays, not only the first": "by_key] → [*by_key][:1]]",
    },
    raises=[
        (ZeroDivisionError, "", "divide by the number of all workers, which is not 0"),
    ],
)
def mean_of_all(messages):
    messages = [(arrays, count) for arrays, count in messages if count]
    total = sum(count for _, count in messages)
    shares = [count / total for _, count in messages]
    by_key = zip(*[arrays for arrays, _ in messages], strict=True)
    return [sum(s * a for s, a in zip(shares, parts, strict=True)) for parts in by_key]
