"""Wrong and right answers to the exercises of notebook 05b."""

from bisect import bisect_left

import numpy as np
from answers import all_tests_of

from ps_helpers.checks import rows as checks


def with_a_dictionary(rows, gradients):
    sums = {}
    for row, gradient in zip(rows, gradients, strict=True):
        sums[row] = sums.get(row, 0) + gradient
    return sorted(sums), [sums[row] for row in sorted(sums)]


def by_sorting(rows, gradients):
    order = np.argsort(rows)
    unique, first = np.unique(rows[order], return_index=True)
    return unique, np.add.reduceat(gradients[order], first)


def column_by_column(rows, gradients):
    unique, where = np.unique(rows, return_inverse=True)
    return unique, np.stack([np.bincount(where, g) for g in gradients.T], axis=1)


def by_a_product(rows, gradients):
    unique = np.unique(rows)
    return [unique, (unique[:, None] == rows).astype(float) @ gradients]


def in_the_arguments(rows, gradients):
    for i, row in enumerate(rows):
        for j in range(i):
            if rows[j] == row:
                gradients[j] += gradients[i]
                break
    unique, first = np.unique(rows, return_index=True)
    return unique, gradients[first]


def of_one_number(rows, gradients):
    unique = np.unique(rows)
    return unique, [gradients[rows == row].sum() for row in unique]


def pairs(rows, gradients):
    unique, sums = by_sorting(rows, gradients)
    return list(zip(unique, sums, strict=True))


def all_rows(rows, gradients):
    unique, sums = by_sorting(rows, gradients)
    return rows, sums[np.searchsorted(unique, rows)]


def in_a_table(rows, gradients):
    table, unique = np.zeros((max(rows) + 1, gradients.shape[1])), np.unique(rows)
    np.add.at(table, rows, gradients)
    return unique, table[unique]


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


def step_by_step(circle, places, leaving):
    points = sorted(circle) * 2  # twice around
    found = {}
    for place in places:
        i = next((i for i, p in enumerate(points) if p[0] >= place), len(circle))
        if points[i][1] == leaving:
            while points[i][1] == leaving:
                i += 1
            found[place] = np.int64(points[i][1])
    return found


def without_wrapping(circle, places, leaving):
    rest = sorted(p for p in circle if p[1] != leaving)
    return {place: next(s for p, s in rest if p >= place) for place in places}


def without_modulo(circle, places, leaving):
    points = sorted(circle)
    at = [bisect_left([p for p, _ in points], place) for place in places]
    return {p: points[i][1] for p, i in zip(places, at, strict=True)}


def as_a_list(circle, places, leaving):
    return list(with_bisect(circle, places, leaving).items())


def by_server(circle, places, leaving):
    return {s: place for place, s in with_bisect(circle, places, leaving).items()}


def as_texts(circle, places, leaving):
    return {f"{p}": s for p, s in with_bisect(circle, places, leaving).items()}


TestAnswers = all_tests_of(
    checks,
    mutations=[
        ("add_up", "return unique, sums", "return sums, unique", "rows are a list of"),
        ("add_up", "return unique, sums", "return unique", "rows are a list of"),
        ("add_up", "return unique, sums", "return unique, sums, where", "two things"),
        ("add_up", "return unique, sums", "return unique, sums / 2", "add_up("),
        ("add_up", "return unique, sums", "return unique, sums.T", "the shape of"),
        ("take_over", "min(after or points)", "max(after or points)", "take_over("),
        ("take_over", "!= leaving", "== leaving", "who has them now"),
        ("take_over", "min(after or points)", "min(after)", "no point comes after"),
    ],
    wrong=[
        ("add_up", in_the_arguments, "it changed its argument gradients"),
        ("add_up", of_one_number, "sums have two axes"),
        ("add_up", pairs, "return"),
        ("add_up", all_rows, "each row may stand there only once"),
        ("add_up", lambda rows, g: (rows, "sums"), "return arrays of numbers"),
        ("add_up", in_a_table, "rows may be huge"),
        ("take_over", without_wrapping, "no point comes after the last"),
        ("take_over", without_modulo, "no point comes after the last"),
        ("take_over", as_a_list, "return a dictionary"),
        ("take_over", by_server, "where one whole number belongs"),
        ("take_over", as_texts, "are places, numbers"),
    ],
    right=[
        ("add_up", with_a_dictionary),
        ("add_up", by_sorting),
        ("add_up", column_by_column),
        ("add_up", by_a_product),
        ("take_over", with_bisect),
        ("take_over", by_distance),
        ("take_over", step_by_step),
    ],
)
