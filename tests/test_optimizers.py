"""Tests of the optimizers, against Keras's."""

import numpy as np
import pytest

from ps_helpers.optimizers import Adam, Momentum

SHAPES = [(3, 2), (4,), ()]
NUM_STEPS = 20


def gradients(step):
    """Return gradients of very different sizes, as they are for sparse features."""
    rng = np.random.default_rng(step)
    return [
        np.asarray(rng.normal(0, 10.0 ** rng.integers(-4, 2, shape)), np.float32)
        for shape in SHAPES
    ]


def train(optimizer):
    """Return the weights after 20 steps from 1."""
    weights = [np.ones(shape, np.float32) for shape in SHAPES]
    for step in range(NUM_STEPS):
        updates = optimizer.updates(gradients(step))
        for weight, update in zip(weights, updates, strict=True):
            weight += update
    return weights


def train_with_keras(name, **options):
    from ps_helpers.lab import tf  # noqa: F401, silently, before Keras imports it

    import keras  # isort: skip

    optimizer = getattr(keras.optimizers, name)(**options)
    weights = [keras.Variable(np.ones(shape, np.float32)) for shape in SHAPES]
    for step in range(NUM_STEPS):
        optimizer.apply(gradients(step), weights)
    return [np.asarray(weight) for weight in weights]


@pytest.mark.parametrize(
    "optimizer, name, options",
    [
        (Momentum(0.1), "SGD", {"learning_rate": 0.1, "momentum": 0.9}),
        (Momentum(0.02, 0.5), "SGD", {"learning_rate": 0.02, "momentum": 0.5}),
        (Adam(0.01), "Adam", {"learning_rate": 0.01}),
        (
            Adam(0.1, 0.8, 0.95, 1e-3),
            "Adam",
            {"learning_rate": 0.1, "beta_1": 0.8, "beta_2": 0.95, "epsilon": 1e-3},
        ),
    ],
    ids=["momentum", "less momentum", "adam", "adam, all options"],
)
def test_twenty_steps_are_those_of_keras(optimizer, name, options):
    found, expected = train(optimizer), train_with_keras(name, **options)
    for one, other in zip(found, expected, strict=True):
        assert one.dtype == np.float32
        np.testing.assert_allclose(one, other, rtol=2e-5, atol=2e-6)
        assert np.abs(other - 1).max() > 1e-3  # it did move


@pytest.mark.parametrize("make", [Momentum, Adam])
def test_gradients_and_earlier_updates_stay_as_they_were(make):
    optimizer, gradient = make(0.1), [np.ones(3, np.float32)]
    first = optimizer.updates(gradient)
    kept = first[0].copy()
    optimizer.updates(gradient)
    np.testing.assert_array_equal(gradient[0], np.ones(3))
    np.testing.assert_array_equal(first[0], kept)
    first[0] += 100  # what a server does with an update changes no state
    second, other = make(0.1), optimizer.updates(gradient)
    second.updates(gradient), second.updates(gradient)
    np.testing.assert_array_equal(other[0], second.updates(gradient)[0])


@pytest.mark.parametrize("make", [Momentum, Adam])
def test_gradients_of_other_arrays_are_refused(make):
    optimizer = make(0.1)
    assert optimizer.updates([]) == []  # of a server without weights
    optimizer.updates([np.ones(3), np.ones(2)])
    for other in ([np.ones(2), np.ones(3)], [np.ones(3)], []):
        with pytest.raises(ValueError, match="arrays of shapes"):
            optimizer.updates(other)
