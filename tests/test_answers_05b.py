"""Wrong and right answers to the exercises of notebook 05b."""

from bisect import bisect_left

import numpy as np
from answers import all_tests_of

from ps_helpers.checks import rows as checks

SUMS, FIRST = "return unique, sums", "min(after or points)"
REFUSED = {
    "add_up": [
        (SUMS, "return sums, unique", "rows are a list of"),
        (SUMS, "return unique[:, None], sums", "rows are a list of"),
        (SUMS, "return unique, sums, where", "two things"),
        (SUMS, "return unique, 'sums'", "return arrays of numbers"),
        (SUMS, "return rows, sums[where]", "each row may stand there only once"),
        (SUMS, "return unique, sums.sum(axis=1)", "sums have two axes"),
        (SUMS, "return unique, sums / 2", "add_up("),
        ("len(unique)", "max(rows) + 1", "rows may be huge"),
    ],
    "take_over": [
        (FIRST, "min(after)", "no point comes after the last"),
        (FIRST, "sorted(after)[0]", "no point comes after the last"),
        (FIRST, "next(iter(sorted(after)))", "no point comes after the last"),
        (FIRST, "max(after or points)", "take_over("),
        ("== leaving}", "== leaving}.items()", "return a dictionary"),
        ("{place: owner(place, rest)", "{owner(place, rest): place", "whole number"),
        ("{place: owner(place, rest)", "{f'{place}': 1", "are places, numbers"),
    ],
}


def with_a_dictionary(rows, gradients):
    sums = {}
    for row, gradient in zip(rows, gradients, strict=True):
        sums[row] = sums.get(row, 0) + gradient
    return sorted(sums), [sums[row] for row in sorted(sums)]


def by_a_product(rows, gradients):
    unique = np.unique(rows)
    return [unique, (unique[:, None] == rows).astype(float) @ gradients]


def with_bisect(circle, places, leaving):
    points = sorted(circle)
    rest = [point for point in points if point[1] != leaving]

    def owner(place, points):
        return points[bisect_left([p for p, _ in points], place) % len(points)][1]

    moved = [p for p in places if owner(p, points) == leaving]
    return {place: owner(place, rest) for place in moved}


def by_distance(circle, places, leaving):
    def owner(place, servers):
        return min(((at - place) % 1, s) for at, s in circle if s in servers)[1]

    servers, moved = {s for _, s in circle}, {}
    for place in places:
        if owner(place, servers) == leaving:
            moved[place] = owner(place, servers - {leaving})
    return moved


RIGHT = {
    "add_up": [with_a_dictionary, by_a_product],
    "take_over": [with_bisect, by_distance],
}
TestAnswers = all_tests_of(REFUSED, RIGHT, checks)
