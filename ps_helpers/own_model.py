"""Train a model of your own: weights by key, and a function for their gradient."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import ray

from ps_helpers.endpoint import connect
from ps_helpers.lab import session
from ps_helpers.settings import Settings
from ps_helpers.team import Team
from ps_helpers.training import Run, follow, saved_states, start_ray, tell
from ps_helpers.worker import Learner, work


class Model(NamedTuple):
    """What there is to know of a model; any object with these attributes will do.

    ``weights`` are the first ones, {key: array}. ``gradient(weights, batch)`` takes
    weights by key, which it does not change, and returns an array of the same shape
    for each. ``loss(weights, test)`` and ``accuracy(weights, test)`` return a number
    that the driver follows.
    """

    weights: dict
    gradient: Callable
    loss: Callable | None = None
    accuracy: Callable | None = None


def draw_rows(shard, rng, size):
    """Draw rows at random, the same of each array where a shard is a tuple of them."""
    arrays = shard if isinstance(shard, tuple) else (shard,)
    rows = rng.integers(len(arrays[0]), size=size)
    batch = tuple(array[rows] for array in arrays)
    return batch if isinstance(shard, tuple) else batch[0]


class Adapted:
    """A model of somebody's own, as a `Learner` and a `Run` ask for it."""

    def __init__(self, model):
        # A function that makes the model: what it makes need not be sent to workers.
        is_maker = callable(model) and not hasattr(model, "gradient")
        self.model = model() if is_maker else model
        weights = getattr(self.model, "weights", None)
        gradient = getattr(self.model, "gradient", None)
        if not isinstance(weights, dict) or not weights or not callable(gradient):
            raise TypeError(
                "a model has weights, a dictionary of arrays by key, and a function "
                f"gradient(weights, batch); this is a {type(self.model).__name__}"
            )
        self.weights = {key: np.asarray(value) for key, value in weights.items()}
        self.keys = list(weights)
        self.shapes = [value.shape for value in self.weights.values()]
        for name in ("loss", "accuracy"):
            if getattr(self.model, name, None):
                setattr(self, name, self.measure(name))

    def by_key(self, weights):
        return dict(zip(self.keys, weights, strict=True))

    def measure(self, name):
        """Return a function of weights in key order and test data."""
        function = getattr(self.model, name)
        return lambda weights, *test: float(function(self.by_key(weights), *test))

    def borrow(self, array):
        """Return a view that cannot be written to: others read the same memory."""
        view = array.view()
        view.flags.writeable = False
        return view

    def raw_gradient(self, weights, batch):
        """Return the gradient in key order; refuse in a sentence what does not fit."""
        found = self.model.gradient(self.by_key(weights), batch)
        if not isinstance(found, dict) or set(found) != set(self.keys):
            keys = list(found) if isinstance(found, dict) else type(found).__name__
            raise TypeError(
                f"gradient(weights, batch) returns a dictionary with the keys "
                f"{self.keys}; this one returned {keys}"
            )
        parts = [np.asarray(found[key]) for key in self.keys]
        for key, part, shape in zip(self.keys, parts, self.shapes, strict=True):
            if part.shape != shape:
                raise ValueError(
                    f"the gradient of {key} has the shape {part.shape}; "
                    f"its weight has {shape}"
                )
        return parts


def worker_task_of(model, batch=None):
    """Return a Ray task that trains a model of your own, for a `Team` to start.

    ``model`` is a `Model`, an object like it, or a function without arguments that
    makes one in the worker. ``batch(shard, rng)`` draws a batch; without it one has
    settings.batch_size rows of the shard's array, or of each of a tuple of arrays. A
    shard that is a function is called in the worker, to read its part of the data.
    """

    @ray.remote(max_retries=0)  # a retried task would begin with other weights
    def own_worker_task(ps, worker, shard, settings):
        adapted, rows = Adapted(model), shard() if callable(shard) else shard

        def draw(seed):
            rng = np.random.default_rng(seed)
            if batch:
                return (batch(rows, rng),)
            return (draw_rows(rows, rng, settings.batch_size),)

        shapes = dict(zip(adapted.keys, adapted.shapes, strict=True))
        endpoint = connect(ps, worker, shapes, adapted.borrow)
        return work(endpoint, Learner(adapted, draw, settings, worker))

    return own_worker_task


def train_model(model, shards, settings=None, batch=None, test=None, rule=None):
    """Train a model of your own on a Ray that is started for it; return the `Run`.

    ``shards`` has the data of each worker: anything that ``batch`` can draw from. For
    ``model`` and ``batch`` see `worker_task_of`; with ``test`` data the driver follows
    the model's loss and accuracy. `Settings` choose rule, optimizer, servers, shared
    memory and when to stop; those on data and the project's own models do nothing.

    Raises ValueError or TypeError for what does not fit together, TrainingError when
    training cannot go on.
    """
    adapted, settings = Adapted(model), settings or Settings(num_workers=len(shards))
    if len(shards) != settings.team:
        raise ValueError(
            f"{settings.team} workers need as many shards, not {len(shards)}"
        )
    if settings.num_updates is None and (
        test is None or not hasattr(adapted, "accuracy")
    ):
        raise ValueError(
            "a target accuracy needs test data and a model's accuracy(weights, test): "
            "set num_updates"
        )
    saved = saved_states(settings)
    run = Run(settings)
    start_ray(settings, adapted.weights, shards)
    try:
        task = worker_task_of(model, batch)
        team = Team(
            settings, adapted.weights, shards, task, rule, saved=saved, tell=tell
        )
        follow(team, run, adapted, () if test is None else (test,))
    finally:
        session.stop()
        for sentence in run.keep():  # of a run that was interrupted too
            tell(sentence)
    return run
