"""Wrong and right answers to the exercises of notebook 08."""

import numpy as np
from answers import all_tests_of

from ps_helpers.checks import cluster as checks


def with_functions(needs, nodes, only=None):
    def fits(has):
        return not [r for r, amount in needs.items() if has.get(r, 0) < amount]

    names = nodes if only is None else [only] if only in nodes else []
    now = [name for name in names if fits(nodes[name][1])]
    return now, [n for n in names if fits(nodes[n][0]) and n not in now]


def knows_all_resources(needs, nodes, only=None):
    return [n for n in nodes if all(nodes[n][1][r] >= needs[r] for r in needs)], []


def now_alone(needs, nodes, only=None):
    return with_functions(needs, nodes, only)[0]


def numbered(needs, nodes, only=None):
    found = with_functions(needs, nodes, only)
    return [[list(nodes).index(name) for name in part] for part in found]


def pair_by_pair(workers, shares, num_bytes, aggregated=False):
    found = dict.fromkeys([*shares, *workers], 0)
    for node, count in workers.items():
        for home, share in shares.items():
            if node != home:
                sent = (min(count, 1) if aggregated else count) * share * num_bytes
                found[node] += sent
                found[home] += sent
    return found


def knows_all_nodes(workers, shares, num_bytes, aggregated=False):
    sends = {n: min(1, k) if aggregated else k for n, k in workers.items()}
    total = sum(sends.values())
    return {
        n: num_bytes * (sends[n] * (1 - shares[n]) + shares[n] * (total - sends[n]))
        for n in {**workers, **shares}
    }


def of_all_nodes(workers, shares, num_bytes, aggregated=False):
    return sum(pair_by_pair(workers, shares, num_bytes, aggregated).values())


def with_average(messages):
    kept = [(arrays, count) for arrays, count in messages if count > 0]
    counts = [count for _, count in kept]
    return [
        np.average(parts, axis=0, weights=counts)
        for parts in zip(*[arrays for arrays, _ in kept], strict=True)
    ]


def in_a_loop(messages):
    total, number = None, 0
    for arrays, count in messages:
        if count:
            scaled = [count * array for array in arrays]
            total = scaled if total is None else list(map(np.add, total, scaled))
            number += count
    return [array / number for array in total]


def with_rounded_counts(messages):
    total = sum(count for _, count in messages) // 100
    return [count / total * arrays[0] for arrays, count in messages]


def adds_in_place(messages):
    first, *others = [(arrays, count) for arrays, count in messages if count]
    for array in first[0]:
        array *= first[1]
    return with_average([first, *others])


TestAnswers = all_tests_of(
    checks,
    mutations=[
        ("nodes_for", "only in (None, name)", "True", "no other node will do"),
        ("nodes_for", "elif", "if", "a name is in one list"),
        ("nodes_for", "return now, later", "pass", "it returned nothing"),
        ("nodes_for", "return now, later", "return later, now", "first the nodes"),
        ("each_way", "(1 - share)", "1", "crosses no link"),
        ("each_way", "min(1, k)", "1", "a node without workers pushes nothing"),
        ("each_way", "share * (all_sends - mine)", "0", "a server's link carries"),
        ("each_way", "return found", "return list(found)", "return a dictionary"),
        ("each_way", "return found", "pass", "it returned nothing"),
        ("mean_of_all", "count / total", "1 / len(messages)", "weigh each mean"),
        ("mean_of_all", " if count]", "]", "leave out a node without workers"),
        ("mean_of_all", "count / total", "count", "the sum over all workers"),
    ],
    wrong=[
        ("nodes_for", knows_all_resources, "use .get(…, 0)"),
        ("nodes_for", now_alone, "return two lists"),
        ("nodes_for", numbered, "have names of nodes"),
        ("each_way", knows_all_nodes, "may be missing in either dictionary"),
        ("each_way", of_all_nodes, "return a dictionary"),
        ("mean_of_all", with_rounded_counts, "which is not 0"),
        ("mean_of_all", adds_in_place, "it changed its argument messages"),
    ],
    right=[
        ("nodes_for", with_functions),
        ("each_way", pair_by_pair),
        ("mean_of_all", with_average),
        ("mean_of_all", in_a_loop),
    ],
)
