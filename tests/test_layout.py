"""Tests of how weights are cut into pieces, and put together again."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ps_helpers.layout import Layout, Piece, by_ranges

SERVERS = st.integers(1, 9)
KEYS = st.text(max_size=6)
SIZES = st.dictionaries(KEYS, st.integers(1, 60), max_size=7)
SHAPES = st.dictionaries(
    KEYS, st.lists(st.integers(1, 4), max_size=3).map(tuple), max_size=7
)


def sizes_of(shapes):
    return {key: math.prod(shape) for key, shape in shapes.items()}


def numbered(shapes):
    """Return an array a shape, all of whose elements differ from one another."""
    counter = itertools.count()
    return [
        np.array([next(counter) for _ in range(math.prod(shape))], np.float32).reshape(
            shape
        )
        for shape in shapes.values()
    ]


# Which server holds what


@given(sizes=SIZES, num_servers=SERVERS)
def test_every_element_is_in_exactly_one_piece(sizes, num_servers):
    found = []
    for key, start, stop, server in by_ranges(sizes, num_servers):
        assert server in range(num_servers)
        found += [(key, element) for element in range(start, stop)]
    everything = [(key, i) for key, size in sizes.items() for i in range(size)]
    assert sorted(found) == sorted(everything)


@given(sizes=SIZES, num_servers=SERVERS)
def test_ranges_are_equal_to_within_one_element_and_few(sizes, num_servers):
    pieces, loads = by_ranges(sizes, num_servers), [0] * num_servers
    for piece in pieces:
        loads[piece.server] += piece.stop - piece.start
    assert max(loads) - min(loads) <= 1
    assert len(pieces) <= len(sizes) + num_servers - 1  # as many as there are cuts


@pytest.mark.parametrize("num_servers", [0, -2])
def test_no_server_at_all_is_refused(num_servers):
    with pytest.raises(ValueError, match=f"^{num_servers} servers hold no weights"):
        by_ranges({"W": 4}, num_servers)


# Taking arrays to pieces and putting them together


@given(shapes=SHAPES, num_servers=SERVERS, order=st.randoms())
def test_join_is_the_inverse_of_split_in_any_order(shapes, num_servers, order):
    pieces = by_ranges(sizes_of(shapes), num_servers)
    order.shuffle(pieces)
    servers = order.sample(range(num_servers), num_servers)
    pieces = [piece._replace(server=servers[piece.server]) for piece in pieces]
    layout, values = Layout(pieces, shapes, num_servers), numbered(shapes)
    parts = layout.split(values)
    assert list(map(len, parts)) == list(map(len, layout.names))
    for value, found in zip(values, layout.join(parts), strict=True):
        np.testing.assert_array_equal(found, value, strict=True)


@given(shapes=SHAPES, num_servers=SERVERS)
def test_a_name_says_which_elements_it_stands_for(shapes, num_servers):
    layout = Layout(by_ranges(sizes_of(shapes), num_servers), shapes, num_servers)
    values = numbered(shapes)
    by_key = dict(zip(shapes, values, strict=True))
    for names, parts in zip(layout.names, layout.split(values), strict=True):
        assert len(set(names)) == len(names)
        for name, part in zip(names, parts, strict=True):
            key, _, numbers = name.rpartition("[")
            start, stop = map(int, numbers.removesuffix("]").split(":"))
            np.testing.assert_array_equal(part, by_key[key].ravel()[start:stop])


def test_parts_are_views_and_an_array_in_one_piece_is_not_copied():
    shapes = {"W": (2, 3), "b": (2,)}
    layout, values = Layout(by_ranges(sizes_of(shapes), 2), shapes, 2), numbered(shapes)
    assert layout.names == [["W[0:4]"], ["W[4:6]", "b[0:2]"]]
    parts = layout.split(values)
    assert all(np.shares_memory(part, values[0]) for part in (parts[0][0], parts[1][0]))
    whole, bias = layout.join(parts)
    assert np.shares_memory(bias, values[1])
    assert not np.shares_memory(whole, values[0])


@pytest.mark.parametrize(
    "pieces",
    [
        [Piece("W", 0, 3, 0), Piece("W", 2, 6, 1)],  # overlap
        [Piece("W", 0, 2, 0), Piece("W", 3, 6, 1)],  # a gap
        [Piece("W", 0, 5, 0)],  # the end is missing
        [Piece("W", 0, 7, 0)],  # too long
        [Piece("W", 1, 6, 0)],  # the beginning is missing
        [Piece("W", 0, 6, 2)],  # no such server
        [Piece("W", 0, 6, -1)],
        [Piece("W", 0, 6, 0), Piece("b", 0, 6, 0)],  # no such key
        [],
    ],
)
def test_pieces_that_do_not_cover_the_arrays_are_refused(pieces):
    with pytest.raises(ValueError, match="overlaps|do not make up"):
        Layout(pieces, {"W": (2, 3)}, 2)


@pytest.mark.parametrize("values", [[np.zeros(6)], [np.zeros((3, 2))], [], [1, 2]])
def test_values_of_other_shapes_are_refused(values):
    layout = Layout(by_ranges({"W": 6}, 2), {"W": (2, 3)}, 2)
    with pytest.raises(ValueError, match="arrays of shapes .* came instead of"):
        layout.split(values)


@pytest.mark.parametrize(
    "parts",
    [
        [[np.zeros(3)], [np.zeros(2)]],
        [[np.zeros(2)], [np.zeros(4)]],
        [[np.zeros(3)], []],
        [[np.zeros(3)]],
    ],
)
def test_parts_of_other_shapes_are_refused(parts):
    layout = Layout(by_ranges({"W": 6}, 2), {"W": (2, 3)}, 2)
    with pytest.raises(ValueError):
        layout.join(parts)
