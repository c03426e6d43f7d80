"""Wrong and right answers to the exercises of notebook 08."""

import numpy as np
from answers import all_tests_of

from ps_helpers.checks import cluster as checks

REFUSED = {
    "nodes_for": [
        ("return now, later", "return now", "return two lists"),
        ("now.append(name)", "now.append(len(now))", "have names of nodes"),
        ("free.get(r, 0)", "free[r]", "use .get(…, 0)"),
    ],
    "each_way": [
        ("return found", "return list(found)", "return a dictionary"),
        ("shares.get(node, 0)", "shares[node]", "may be missing in either dictionary"),
    ],
    "mean_of_all": [("total = sum(", "total = 0 * sum(", "which is not 0")],
}


def with_functions(needs, nodes, only=None):
    def fits(has):
        return not [r for r, amount in needs.items() if has.get(r, 0) < amount]

    names = nodes if only is None else [only] if only in nodes else []
    now = [name for name in names if fits(nodes[name][1])]
    return now, [n for n in names if fits(nodes[n][0]) and n not in now]


def pair_by_pair(workers, shares, num_bytes, aggregated=False):
    found = dict.fromkeys([*shares, *workers], 0)
    for node, count in workers.items():
        for home, share in shares.items():
            if node != home:
                sent = (min(count, 1) if aggregated else count) * share * num_bytes
                found[node] += sent
                found[home] += sent
    return found


def with_average(messages):
    kept = [(arrays, count) for arrays, count in messages if count > 0]
    counts = [count for _, count in kept]
    return [
        np.average(parts, axis=0, weights=counts)
        for parts in zip(*[arrays for arrays, _ in kept], strict=True)
    ]


RIGHT = {
    "nodes_for": [with_functions],
    "each_way": [pair_by_pair],
    "mean_of_all": [with_average],
}
TestAnswers = all_tests_of(REFUSED, RIGHT, checks)
