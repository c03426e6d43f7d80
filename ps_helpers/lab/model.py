"""Small classifiers: weights by key, and gradient, loss and accuracy of them.

A model's weights live outside it, as a list of NumPy arrays in the order of its
keys. That is what a parameter server stores and what messages carry.
"""

import functools
import importlib
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from threadpoolctl import threadpool_limits

NAMES = ("softmax", "mlp", "cnn")
ENGINES = ("tensorflow", "numpy")


@dataclass(frozen=True)
class Model:
    """A classifier whose weights are passed in.

    ``gradient(weights, x, y)`` returns one array a weight, ``loss`` the mean
    cross-entropy and ``accuracy`` a share; x has shape (rows, pixels), y (rows,).
    ``raw_gradient`` returns the engine's own arrays, which ``memoryview`` reads, and
    takes weights that ``borrow(array)`` made without a copy: they change with it.
    """

    keys: list[str]
    shapes: list[tuple[int, ...]]
    gradient: Callable
    loss: Callable
    accuracy: Callable
    raw_gradient: Callable
    borrow: Callable

    def initial_weights(self, seed=0):
        """Return float32 weights: He's normal for matrices, zero for biases.

        He et al., Delving Deep into Rectifiers (2015), equation 10.
        """
        rng = np.random.default_rng(seed)
        weights = [np.zeros(shape, np.float32) for shape in self.shapes]
        for weight in weights:
            if weight.ndim > 1:
                deviation = math.sqrt(2 / math.prod(weight.shape[:-1]))
                weight[:] = rng.normal(0, deviation, weight.shape)
        return weights


def shapes_by_key(name, pixels, hidden=32, filters=8, classes=10):
    """Return the keys of a model's weights with their shapes, in order."""
    if name == "softmax":
        return {"W": (pixels, classes), "b": (classes,)}
    if name == "mlp":
        shapes = (pixels, hidden), (hidden,), (hidden, classes), (classes,)
        return dict(zip(("W1", "b1", "W2", "b2"), shapes, strict=True))
    features = filters * (math.isqrt(pixels) // 2) ** 2  # after 2×2 pooling
    first = {"filters": (3, 3, 1, filters), "filter_bias": (filters,)}
    return first | {"W": (features, classes), "b": (classes,)}


@functools.cache  # a worker process loads and traces a model once
def load(name="mlp", engine="tensorflow", pixels=64, hidden=32):
    """Load a model by name, computed by TensorFlow or by NumPy.

    NumPy has one thread from then on, as it has in Ray's workers: with two, products of
    small matrices take twice as long.

    ``hidden`` is the width of the mlp's hidden layer. Raises ValueError for an
    unknown name or engine, and for ``cnn`` in NumPy, which has the dense models only.
    """
    for what, value, known in (("model", name, NAMES), ("engine", engine, ENGINES)):
        if value not in known:
            raise ValueError(
                f"no {what} is called {value!r}; choose {', '.join(known)}"
            )
    if name == "cnn" and engine == "numpy":
        raise ValueError("the cnn needs the engine tensorflow; NumPy cannot convolve")
    threadpool_limits(1)
    shapes = shapes_by_key(name, pixels, hidden)
    module = importlib.import_module(f"ps_helpers.lab.{engine}_engine")
    functions = module.functions(name, list(shapes.values()), pixels)
    return Model(list(shapes), list(shapes.values()), *functions)
