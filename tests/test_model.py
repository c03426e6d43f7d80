"""Tests of the models in both engines against finite differences and one another."""

import itertools
import math

import numpy as np
import pytest
from threadpoolctl import threadpool_info

from ps_helpers.lab import model, numpy_engine

DENSE = ("softmax", "mlp")
MODELS = [*itertools.product(DENSE, model.ENGINES), ("cnn", "tensorflow")]


def some_weights(classifier, seed=0):
    """Return float64 weights without the zeros that biases begin with."""
    rng = np.random.default_rng(seed)
    return [rng.normal(0, 0.3, shape) for shape in classifier.shapes]


def float32(arrays):
    return [np.asarray(array, dtype=np.float32) for array in arrays]


def finite_differences(loss, weights, step=1e-5):
    """Return the gradient of a loss by central differences, an element at a time."""
    gradient = []
    for weight in weights:
        part = np.empty_like(weight)
        for place in np.ndindex(weight.shape):
            value = weight[place]
            weight[place] = value + step
            above = loss(weights)
            weight[place] = value - step
            part[place] = (above - loss(weights)) / (2 * step)
            weight[place] = value
        gradient.append(part)
    return gradient


def cnn_logits(weights, x):
    """Compute the cnn's logits in float64 as the sum of what each tap of a filter sees.

    An implementation of its own: shifted images instead of a convolution.
    """
    filters, bias, W, b = weights
    side = math.isqrt(x.shape[1])
    padded = np.pad(x.reshape(-1, side, side), ((0, 0), (1, 1), (1, 1)))
    seen = sum(
        padded[:, i : i + side, j : j + side, None] * filters[i, j, 0]
        for i in range(3)
        for j in range(3)
    )
    features = np.maximum(seen + bias, 0)
    half = side // 2
    blocks = features[:, : 2 * half, : 2 * half].reshape(len(x), half, 2, half, 2, -1)
    return blocks.max(axis=(2, 4)).reshape(len(x), -1) @ W + b


def dense_logits(weights, x):
    hidden = np.maximum(x @ weights[0] + weights[1], 0) if len(weights) > 2 else x
    return hidden @ weights[-2] + weights[-1]


def oracle(name, x, y):
    """Return functions of float64 weights: the loss and the accuracy, from logits."""
    x, logits = x.astype(np.float64), cnn_logits if name == "cnn" else dense_logits

    def loss(weights):
        found = logits(weights, x)
        return np.mean(np.logaddexp.reduce(found, axis=1) - found[np.arange(len(y)), y])

    return loss, lambda weights: np.mean(logits(weights, x).argmax(axis=1) == y)


@pytest.fixture(scope="module")
def batch(digits):
    return digits.train_x[:20], digits.train_y[:20]


# Against the oracle


@pytest.mark.parametrize("name", model.NAMES)
def test_the_gradient_equals_finite_differences(name, batch):
    weights = some_weights(model.load(name))
    loss, _ = oracle(name, *batch)
    expected = finite_differences(loss, weights)
    gradients = [model.load(name).gradient(float32(weights), *batch)]
    if name != "cnn":
        x = batch[0].astype(np.float64)
        gradients.append(numpy_engine.gradient(weights, x, batch[1]))
    for gradient, tolerance in zip(gradients, (1e-5, 1e-6), strict=False):
        for part, expected_part in zip(gradient, expected, strict=True):
            assert part.shape == expected_part.shape
            np.testing.assert_allclose(part, expected_part, rtol=0, atol=tolerance)
            assert np.abs(expected_part).max() > 1e-3  # not a comparison of zeros
    assert {part.dtype for part in gradients[0]} == {np.dtype(np.float32)}


@pytest.mark.parametrize(("name", "engine"), MODELS)
def test_loss_and_accuracy_equal_those_of_an_implementation_in_float64(
    name, engine, digits
):
    pixels = 49 if name == "cnn" else 64  # of an odd side pooling drops the last row
    classifier = model.load(name, engine, pixels)
    rows = digits.test_x[:, :pixels], digits.test_y
    weights, (loss, accuracy) = some_weights(classifier), oracle(name, *rows)
    found = classifier.loss(float32(weights), *rows)
    assert found == pytest.approx(loss(weights), rel=1e-5)
    found = classifier.accuracy(float32(weights), *rows)
    assert found == pytest.approx(accuracy(weights))


# More about gradients and logits


def test_tensorflow_traces_a_gradient_once_for_all_batch_sizes(batch):
    classifier = model.load("softmax", "tensorflow")
    weights, (x, y) = classifier.initial_weights(), batch
    for size in (1, 2, 7, 20):
        found = classifier.gradient(weights, x[:size], y[:size])
    assert classifier.raw_gradient.compiled.experimental_get_tracing_count() == 1
    raw, _ = classifier.raw_gradient(list(map(np.float64, weights)), *batch)
    np.testing.assert_array_equal(raw, found[0])


@pytest.mark.parametrize("engine", model.ENGINES)
def test_huge_logits_do_not_overflow(engine):
    classifier = model.load("softmax", engine, pixels=2)
    weights = [np.full((2, 10), 1e4, np.float32), np.zeros(10, np.float32)]
    weights[1][0] = 500  # class 0 is sure, and exp(500) has no place in a float32
    x = np.ones((1, 2), np.float32)
    assert classifier.loss(weights, x, np.array([0], np.int32)) == pytest.approx(0)
    assert classifier.loss(weights, x, np.array([1], np.int32)) == pytest.approx(500)
    gradient = classifier.gradient(weights, x, np.array([1], np.int32))
    np.testing.assert_allclose(gradient[1], [1, -1] + [0] * 8, atol=1e-6)


# Weights and choices


@pytest.mark.parametrize("pixels", [64, 784])
@pytest.mark.parametrize("name", model.NAMES)
def test_initial_weights_are_seeded_float32_of_their_shapes(name, pixels):
    shapes = model.shapes_by_key(name, pixels)
    classifier = model.Model(list(shapes), list(shapes.values()), *5 * [None])
    weights = classifier.initial_weights(seed=1)
    assert [weight.shape for weight in weights] == list(shapes.values())
    assert {weight.dtype for weight in weights} == {np.dtype(np.float32)}
    pairs = zip(weights, classifier.initial_weights(seed=1), strict=True)
    assert all((weight == same).all() for weight, same in pairs)
    assert (weights[0] != classifier.initial_weights(seed=2)[0]).any()
    for weight in weights[::2]:
        deviation = math.sqrt(2 / math.prod(weight.shape[:-1]))  # He's
        assert weight.std() == pytest.approx(deviation, rel=2 / math.sqrt(weight.size))
    assert not any(weight.any() for weight in weights[1::2])


@pytest.mark.parametrize(
    ("name", "engine", "reason"),
    [
        ("resnet", "numpy", "resnet.*softmax, mlp, cnn"),
        ("mlp", "jax", "jax.*tensorflow, numpy"),
        ("cnn", "numpy", "cnn needs the engine tensorflow"),
    ],
)
def test_what_does_not_exist_is_refused_with_what_does(name, engine, reason):
    with pytest.raises(ValueError, match=reason):
        model.load(name, engine)


def test_numpy_has_one_thread_as_in_workers():
    model.load("softmax", "numpy")
    blas = [each for each in threadpool_info() if each["user_api"] == "blas"]
    assert blas and {each["num_threads"] for each in blas} == {1}
