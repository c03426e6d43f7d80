"""Tests of how weights are shared out among servers, and of reading them back."""

import itertools
import json
import math
import os
import subprocess
import sys
import time

import numpy as np
import pytest
import ray
from hypothesis import given
from hypothesis import strategies as st

from ps_helpers.lab import data, model
from ps_helpers.parameter_server import ParameterServer
from ps_helpers.sharding import Layout, Piece, balanced, by_hash, by_ranges, pull, push

WAYS = (by_hash, balanced, by_ranges)
every_way = pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
SERVERS = st.integers(1, 9)
KEYS = st.text(max_size=6)
SIZES = st.dictionaries(KEYS, st.integers(1, 60), max_size=7)
SHAPES = st.dictionaries(
    KEYS, st.lists(st.integers(1, 4), max_size=3).map(tuple), max_size=7
)


def loads(pieces, num_servers):
    """Return how many elements each server holds."""
    found = [0] * num_servers
    for piece in pieces:
        found[piece.server] += piece.stop - piece.start
    return found


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


@every_way
@given(sizes=SIZES, num_servers=SERVERS)
def test_every_element_is_in_exactly_one_piece(way, sizes, num_servers):
    found = []
    for key, start, stop, server in way(sizes, num_servers):
        assert server in range(num_servers)
        found += [(key, element) for element in range(start, stop)]
    everything = [(key, i) for key, size in sizes.items() for i in range(size)]
    assert sorted(found) == sorted(everything)


@given(sizes=SIZES, num_servers=SERVERS)
def test_hash_and_balance_cut_no_array(sizes, num_servers):
    for way in (by_hash, balanced):
        pieces = way(sizes, num_servers)
        assert [piece[:3] for piece in pieces] == [(k, 0, n) for k, n in sizes.items()]


@given(sizes=SIZES, num_servers=SERVERS)
def test_ranges_are_equal_to_within_one_element(sizes, num_servers):
    found = loads(by_ranges(sizes, num_servers), num_servers)
    assert max(found) - min(found) <= 1


@given(sizes=SIZES, num_servers=SERVERS)
def test_ranges_cut_no_more_than_there_are_cuts(sizes, num_servers):
    assert len(by_ranges(sizes, num_servers)) <= len(sizes) + num_servers - 1


@given(
    sizes=st.dictionaries(st.text(max_size=3), st.integers(1, 30), max_size=6),
    num_servers=st.integers(1, 3),
)
def test_balance_is_within_four_thirds_of_the_best(sizes, num_servers):
    best = min(
        max(loads(map(Piece, sizes, [0] * 9, sizes.values(), choice), num_servers))
        for choice in itertools.product(range(num_servers), repeat=len(sizes))
    )
    assert max(loads(balanced(sizes, num_servers), num_servers)) <= best * 4 / 3


def test_balance_gives_grahams_worst_case():
    """Of 5, 5, 4, 4, 3, 3, 3 on three servers LPT makes 11, where 9 is possible."""
    sizes = dict(zip("abcdefg", (3, 4, 5, 3, 5, 4, 3), strict=True))
    assert max(loads(balanced(sizes, 3), 3)) == 11


def test_the_hash_is_crc_32():
    """The check value of CRC-32, of the text 123456789, is CBF43926."""
    [piece] = by_hash({"123456789": 5}, 1000)
    assert piece.server == 0xCBF43926 % 1000


def test_shares_are_the_same_in_processes_that_hash_differently():
    program = (
        "import json\n"
        "from ps_helpers.sharding import by_hash, balanced, by_ranges\n"
        "sizes = {f'layer{i}': 7 + 13 * i % 50 for i in range(20)}\n"
        "print(hash('layer0'))\n"
        "print(json.dumps([way(sizes, 3) for way in (by_hash, balanced, by_ranges)]))\n"
    )
    outputs = [
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            timeout=120,
            check=True,
        ).stdout.split("\n", 1)
        for seed in ("1", "2")
    ]
    assert outputs[0][0] != outputs[1][0]
    assert json.loads(outputs[0][1]) == json.loads(outputs[1][1])


@every_way
def test_there_may_be_more_servers_than_elements(way):
    pieces = way({"W": 2, "b": 1}, 7)
    assert sum(loads(pieces, 7)) == 3
    assert len(Layout(pieces, {"W": (2,), "b": ()}, 7).names) == 7


@every_way
@pytest.mark.parametrize("num_servers", [0, -2])
def test_no_server_at_all_is_refused(way, num_servers):
    with pytest.raises(ValueError, match=f"^{num_servers} servers hold no weights"):
        way({"W": 4}, num_servers)


# Taking arrays to pieces and putting them together


@every_way
@given(shapes=SHAPES, num_servers=SERVERS)
def test_join_is_the_inverse_of_split(way, shapes, num_servers):
    layout = Layout(way(sizes_of(shapes), num_servers), shapes, num_servers)
    values = numbered(shapes)
    parts = layout.split(values)
    assert [len(of_server) for of_server in parts] == list(map(len, layout.names))
    joined = layout.join(parts)
    for value, found in zip(values, joined, strict=True):
        assert found.dtype == value.dtype
        np.testing.assert_array_equal(found, value, strict=True)


@given(shapes=SHAPES, num_servers=SERVERS, order=st.randoms())
def test_the_order_of_the_pieces_does_not_matter(shapes, num_servers, order):
    pieces = by_ranges(sizes_of(shapes), num_servers)
    order.shuffle(pieces)
    layout, values = Layout(pieces, shapes, num_servers), numbered(shapes)
    for value, found in zip(values, layout.join(layout.split(values)), strict=True):
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


# On Ray


def train(twin, servers, layout, shard):
    """Train for 20 steps in turn with the servers; return the weights."""
    for step in range(20):
        weights = pull(servers, layout)
        x, y = data.draw_batch(shard, 16, [0, 0, step])
        push(servers, layout, [-0.2 * g for g in twin.gradient(weights, x, y)])
    return pull(servers, layout)


def start(layout, values):
    parts = layout.split(values)
    return list(map(ParameterServer.remote, layout.names, parts))


@pytest.mark.parametrize(
    "way, num_servers",
    [(by_ranges, n) for n in (1, 2, 3, 7)] + [(by_hash, 3), (balanced, 3)],
)
def test_several_servers_learn_what_one_process_does(
    running_ray, digits, way, num_servers
):
    twin = model.load("mlp", engine="numpy")
    shapes = dict(zip(twin.keys, twin.shapes, strict=True))
    initial = twin.initial_weights(seed=0)
    layout = Layout(way(sizes_of(shapes), num_servers), shapes, num_servers)
    servers = start(layout, initial)
    found = train(twin, servers, layout, digits[:2])
    expected = initial
    for step in range(20):
        x, y = data.draw_batch(digits[:2], 16, [0, 0, step])
        gradient = twin.gradient(expected, x, y)
        expected = [w - 0.2 * g for w, g in zip(expected, gradient, strict=True)]
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)
    assert np.abs(found[0] - initial[0]).max() > 0.01
    for ps in servers:
        ray.kill(ps)


@ray.remote(num_cpus=0)
class SlowServer:
    """Answer half a second after a call."""

    def push(self, names, parts):
        time.sleep(0.5)
        return names

    def pull(self, names):
        self.push(names, [])
        return [np.zeros(2, np.float32) for _ in names]


def test_all_servers_work_at_the_same_time(running_ray):
    shapes = {"W": (8,)}
    layout = Layout(by_ranges({"W": 8}, 4), shapes, 4)
    servers = [SlowServer.remote() for _ in range(4)]
    ray.get([ps.pull.remote([]) for ps in servers])
    began = time.perf_counter()
    assert push(servers, layout, [np.zeros(8)]) == layout.names
    assert pull(servers, layout)[0].shape == (8,)
    assert time.perf_counter() - began < 2  # one after the other it is 4 seconds
    for ps in servers:
        ray.kill(ps)


def test_values_that_do_not_fit_reach_no_server(running_ray):
    shapes = {"W": (4,), "b": (2,)}
    layout = Layout(by_ranges(sizes_of(shapes), 2), shapes, 2)
    servers = start(layout, [np.zeros(4), np.zeros(2)])
    with pytest.raises(ValueError, match="came instead of"):
        push(servers, layout, [np.ones(4), np.ones(3)])
    with pytest.raises(ValueError):
        push(servers[:1], layout, [np.ones(4), np.ones(2)])
    assert not any(weight.any() for weight in pull(servers, layout))
    for ps in servers:
        ray.kill(ps)
