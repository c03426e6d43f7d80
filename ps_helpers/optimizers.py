"""Optimizers that turn gradients into updates, for a server to add to its weights.

The arithmetic is that of Keras's optimizers of the same names. Each keeps its
state, arrays like the weights, from one call to the next: give one optimizer the
gradients of the same arrays, in the same order, each time. One that is ``elementwise``
changes its arrays in place, and keeps nothing else but ``step``, a count: so workers
that share memory can run it on slices.
"""

import numpy as np

from ps_helpers.store import require_shapes


def state_names(optimizer):
    """Return what an optimizer keeps lists of arrays in, each list like the weights."""
    return [name for name, value in vars(optimizer).items() if isinstance(value, list)]


class Momentum:
    """Steps along a velocity, a fading sum of gradients (Polyak, 1964)."""

    elementwise = True  # so arrays may be cut

    def __init__(self, lr, momentum=0.9):
        self.lr, self.momentum = lr, momentum
        self.velocity = []  # an array per weight, made at the first call

    def updates(self, gradients):
        """Return what to add to the weights, in the order of the gradients."""
        self.velocity = self.velocity or [np.zeros_like(g) for g in gradients]
        require_shapes(gradients, map(np.shape, self.velocity))
        for velocity, gradient in zip(self.velocity, gradients, strict=True):
            velocity *= self.momentum
            velocity -= self.lr * gradient
        return [velocity.copy() for velocity in self.velocity]


class Adam:
    """Steps of about lr in each direction (Kingma and Ba, 2015, algorithm 1)."""

    elementwise = True

    def __init__(self, lr, beta_1=0.9, beta_2=0.999, epsilon=1e-7):
        self.lr, self.epsilon = lr, epsilon
        self.beta_1, self.beta_2 = beta_1, beta_2
        self.mean, self.square = [], []  # fading means of gradient and its square
        self.step = 0

    def updates(self, gradients):
        """Return what to add to the weights, in the order of the gradients."""
        self.mean = self.mean or [np.zeros_like(g) for g in gradients]
        self.square = self.square or [np.zeros_like(g) for g in gradients]
        require_shapes(gradients, map(np.shape, self.mean))
        self.step += 1
        rate = self.lr * (1 - self.beta_2**self.step) ** 0.5
        rate /= 1 - self.beta_1**self.step
        updates = []
        states = zip(self.mean, self.square, gradients, strict=True)
        for mean, square, gradient in states:
            mean += (gradient - mean) * (1 - self.beta_1)
            square += (gradient**2 - square) * (1 - self.beta_2)
            updates.append(-rate * mean / (np.sqrt(square) + self.epsilon))
        return updates
