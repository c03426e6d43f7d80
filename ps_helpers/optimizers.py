"""Optimizers that turn gradients into updates, for a server to add to its weights.

The arithmetic is that of Keras's optimizers of the same names. Each keeps its
state, arrays like the weights, from one call to the next: give one optimizer the
gradients of the same arrays, in the same order, each time.
"""

import numpy as np

from ps_helpers.store import require_shapes


class Elementwise:
    """An optimizer that treats each number by itself, so arrays may be cut.

    ``kept`` names its state: of each kind a list with an array per weight. Its class
    has ``update``, which makes the state after a step from the one before.
    """

    elementwise, step = True, 0

    def __init__(self):
        for name in self.kept:
            setattr(self, name, [])  # made at the first call

    def updates(self, gradients):
        """Return what to add to the weights, in the order of the gradients."""
        for name in self.kept:
            state = getattr(self, name) or [np.zeros_like(g) for g in gradients]
            require_shapes(gradients, map(np.shape, state))
            setattr(self, name, state)
        self.step += 1
        states = zip(*(getattr(self, name) for name in self.kept), strict=True)
        return [
            self.update(self.step, gradient, state, state)
            for gradient, state in zip(gradients, states, strict=True)
        ]


class Momentum(Elementwise):
    """Steps along a velocity, a fading sum of gradients (Polyak, 1964)."""

    kept = ("velocity",)

    def __init__(self, lr, momentum=0.9):
        super().__init__()
        self.lr, self.momentum = lr, momentum

    def update(self, step, gradient, old, new):
        """Return what to add to a weight; write into ``new`` the state from ``old``."""
        [before], [velocity] = old, new
        np.multiply(before, self.momentum, out=velocity)
        velocity -= self.lr * gradient
        return velocity.copy()


class Adam(Elementwise):
    """Steps of about lr in each direction (Kingma and Ba, 2015, algorithm 1)."""

    kept = "mean", "square"  # fading means of the gradient and its square

    def __init__(self, lr, beta_1=0.9, beta_2=0.999, epsilon=1e-7):
        super().__init__()
        self.lr, self.epsilon = lr, epsilon
        self.beta_1, self.beta_2 = beta_1, beta_2

    def update(self, step, gradient, old, new):
        """Return what to add to a weight; write into ``new`` the state from ``old``."""
        mean, square = new
        np.add(old[0], (gradient - old[0]) * (1 - self.beta_1), out=mean)
        np.add(old[1], (gradient**2 - old[1]) * (1 - self.beta_2), out=square)
        rate = self.lr * (1 - self.beta_2**step) ** 0.5
        rate /= 1 - self.beta_1**step
        return -rate * mean / (np.sqrt(square) + self.epsilon)
