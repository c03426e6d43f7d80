"""The loop of every worker, and what a step of it computes."""

import time

import numpy as np
from scipy.linalg import blas

from ps_helpers.records import Times
from ps_helpers.table import Table


def work(endpoint, learner):
    """Pull, compute and push until there is nothing more to pull; return the log."""
    asked = time.time()
    while pulled := endpoint.pull():
        began = time.time()
        learner.compute(pulled, into=endpoint.update)
        endpoint.push(pulled.step, Times(asked, began, time.time()))
        asked = time.time()
    return endpoint.log


class Learner:
    """Compute by how much some steps of a worker's own change the weights.

    ``draw([seed, worker, step])`` returns a batch that depends on nothing else: who
    does a step again, does the same. Of the settings it uses ``seed``, ``scale``,
    ``local_steps``, ``outer`` and ``delays_of``.
    """

    def __init__(self, classifier, draw, settings, worker):
        self.classifier, self.draw, self.settings = classifier, draw, settings
        self.worker, self.delays = worker, settings.delays_of(worker)
        if settings.local_steps > 1:  # the weights between local steps
            self.own = Table(classifier.shapes, 1).views[0]
            self.borrowed = list(map(classifier.borrow, self.own))

    def compute(self, pulled, into):
        """Write what is to be pushed into arrays: ``scale`` times the gradient.

        Of several local steps each goes on from where the one before has led, and
        ``outer`` times the change that they make together is written.
        """
        scale, local_steps = self.settings.scale, self.settings.local_steps
        if local_steps == 1:
            gradient = self.gradient(pulled.weights, pulled.step)
            for part, place in zip(gradient, into, strict=True):
                if not isinstance(part, np.ndarray):
                    part = memoryview(part)  # a tensor's numbers, not copied
                np.multiply(part, scale, out=place)
            return
        for place, weight in zip(self.own, pulled.weights, strict=True):
            np.copyto(place, memoryview(weight))
        for step in range(pulled.step * local_steps, (pulled.step + 1) * local_steps):
            gradient = self.gradient(self.borrowed, step)
            for part, place in zip(gradient, self.own, strict=True):
                # place += scale * part, in one pass over memory
                blas.saxpy(np.ravel(memoryview(part)), place.reshape(-1), a=scale)
        for mine, weight, place in zip(self.own, pulled.weights, into, strict=True):
            np.subtract(mine, memoryview(weight), out=place)
            if self.settings.outer != 1:
                np.multiply(place, self.settings.outer, out=place)

    def gradient(self, weights, step):
        """Return the gradient of a step's batch, in arrays of the engine's own."""
        batch = self.draw([self.settings.seed, self.worker, step])
        gradient = self.classifier.raw_gradient(weights, *batch)
        if delay := self.delays[step % len(self.delays)]:
            time.sleep(delay)
        return gradient
