"""Tests of rows of a table, against a table that is there as a whole."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ps_helpers.rows import RowServer

WIDTH, NUM_ROWS = 3, 12


def batches(seed, num=30):
    """Yield rows, some of them twice and most not at all, and gradients, some 0."""
    rng = np.random.default_rng(seed)
    for _ in range(num):
        rows = rng.integers(NUM_ROWS, size=rng.integers(1, 9))
        size = rng.choice([0, 1e-3, 1e-2, 0.1, 1, 10, 100], (len(rows), 1))
        yield rows, np.float32(size * rng.normal(size=(len(rows), WIDTH)))


def dense(first, pushes, lr, epsilon=1e-8):
    """Return the table after row-wise Adagrad on all of its rows in each step."""
    table, squares = first.astype(float), np.zeros((len(first), 1))
    for rows, gradients in pushes:
        gradient = np.zeros_like(table)
        for row, part in zip(rows, gradients, strict=True):
            gradient[row] += part
        squares += (gradient**2).sum(axis=1, keepdims=True) / WIDTH
        table -= lr * gradient / (squares**0.5 + epsilon)
    return table


@pytest.mark.parametrize("seed", range(5))
def test_what_is_done_to_the_rows_that_came_is_done_to_the_whole_table(seed):
    """A row that comes twice is added up, and pulled twice."""
    ps, pulled = RowServer(WIDTH, lr=0.1, seed=seed), [*range(NUM_ROWS), 3]
    first = RowServer(WIDTH, seed=seed).pull(range(NUM_ROWS))
    for number, push in enumerate(batches(seed), 1):
        assert ps.push(*push) == number
    expected = dense(first, batches(seed), lr=0.1)
    found = ps.pull(pulled)
    np.testing.assert_allclose(found, expected[pulled], rtol=1e-4, atol=1e-5)
    assert len(ps.values) < 3 * NUM_ROWS  # and room is not wasted


@given(st.permutations(range(NUM_ROWS)), st.integers(1, NUM_ROWS))
def test_first_values_depend_on_the_seed_and_the_row_alone(order, cut):
    ps, other = RowServer(WIDTH, seed=3), RowServer(WIDTH, seed=3)
    expected = RowServer(WIDTH, seed=3, scale=0.5).pull(range(NUM_ROWS)) / 50
    for server, rows in ((ps, order[:cut]), (other, order[cut:])):
        found = server.pull(rows) if rows else np.zeros((0, WIDTH))
        np.testing.assert_allclose(found, expected[rows], rtol=1e-5, atol=1e-9)
    assert set(ps.place).isdisjoint(other.place)


def test_first_values_are_small_and_differ():
    values = RowServer(50, seed=1, scale=0.2).pull(range(40))
    assert np.abs(values).max() <= 0.2 < 2.2 * values.std() * 3**0.5
    assert len(np.unique(values)) > 1990
    assert (values != RowServer(50, seed=2, scale=0.2).pull(range(40))).any()


def test_what_was_pulled_changes_no_more_and_what_was_pushed_is_not_changed():
    ps = RowServer(WIDTH)
    pulled, rows, gradients = ps.pull([1, 2]), np.array([2, 2]), np.ones((2, WIDTH))
    before = pulled.copy()
    for array in (rows, gradients):
        array.flags.writeable = False  # as what Ray delivers
    ps.push(rows, gradients)
    np.testing.assert_array_equal(pulled, before)
    pulled += 100
    assert np.abs(ps.pull([1, 2])).max() < 1


def test_no_rows_may_be_asked_for_or_pushed():
    ps = RowServer(WIDTH)
    assert ps.pull([]).shape == (0, WIDTH)
    assert ps.push([], np.zeros((0, WIDTH))) == 1 and not ps.place


ONES = np.ones((2, WIDTH))


@pytest.mark.parametrize(
    "keys, values, error, words",
    [
        ([1, 2], np.ones((2, WIDTH + 1)), ValueError, r"must have the shape \(2, 3\)"),
        ([1, 2], np.ones(WIDTH), ValueError, "must have the shape"),
        ([1], ONES, ValueError, "must have the shape"),
        ([1, -2], ONES, ValueError, "no row -2: rows count from 0"),
        ([1.0, 2.0], ONES, TypeError, "whole numbers, of rows, not float64"),
        ([True, False], ONES, TypeError, "whole numbers"),
        ([1, None], ONES, TypeError, "whole numbers"),
        ("12", ONES, ValueError, "a list of row numbers"),
        (["1", "2"], ONES, TypeError, "whole numbers"),
        ([[1], [2]], ONES, ValueError, "a list of row numbers"),
        ([1, 2], ONES * np.nan, ValueError, "not finite"),
        ([1, 2], ONES * 1e39, ValueError, "not finite"),  # in float32
        ([2, 2], ONES * 3e38, ValueError, "or their sum is not"),
        ([1, 2], ONES.astype(str), TypeError, "gradients are numbers"),
        ([1, 2], ONES > 0, TypeError, "gradients are numbers"),
    ],
)
def test_what_does_not_fit_is_refused_and_changes_nothing(keys, values, error, words):
    ps = RowServer(WIDTH)
    ps.push([1, 5], ONES)
    place, before = dict(ps.place), ps.pull([1, 5])
    with pytest.raises(error, match=words) as raised:
        ps.push(keys, values)
    assert "\n" not in str(raised.value)
    if "gradient" not in str(raised.value):
        with pytest.raises(error, match=words):
            ps.pull(keys)
    assert ps.place == place and ps.version == 1
    np.testing.assert_array_equal(ps.pull([1, 5]), before)


def test_a_huge_gradient_does_not_freeze_a_row_for_ever():
    ps, row = RowServer(WIDTH, lr=0.5), 10**12  # its number may be as huge
    before = ps.pull([row])
    ps.push([row], np.full((1, WIDTH), 1e30))
    np.testing.assert_allclose(ps.pull([row]), before - 0.5, rtol=1e-5)
    assert np.isfinite(ps.squares[ps.place[row]])
