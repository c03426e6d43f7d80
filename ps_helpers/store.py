"""Weights by key: pushes add to them, pulls read them. Notebooks 02 and 03 build it.

A store has ``weights``, a dictionary, ``version``, the number of pushes, `push` and
`pull`. What a pull has returned is changed by no later push.
"""

import numpy as np

from ps_helpers.records import recorded


def require_known(weights, keys):
    """Raise TypeError for a text, KeyError unless there is a weight for every key."""
    if isinstance(keys, str):
        raise TypeError(f"keys are a list: write [{keys!r}] instead of {keys!r}")
    for key in keys:
        if key not in weights:
            raise KeyError(f"no weight is called {key!r}; the keys are {list(weights)}")


def require_new(keys):
    """Raise TypeError for a text, ValueError for a key that comes twice."""
    require_known(dict.fromkeys(keys), keys)
    if len(set(keys)) < len(keys):
        raise ValueError(f"a key comes twice in {list(keys)}")


def require_fit(weights, keys, values):
    """Raise KeyError or ValueError unless values fit weights, dtype included."""
    require_known(weights, keys)
    if len(keys) != len(values):
        raise ValueError(f"{len(keys)} keys came with {len(values)} values")
    for key, value in zip(keys, values, strict=True):
        weight = weights[key]
        same = value.dtype == weight.dtype  # faster than to ask NumPy
        same_kind = same or np.can_cast(value.dtype, weight.dtype, "same_kind")
        if value.shape != weight.shape or not same_kind:
            raise ValueError(
                f"{key} is {weight.dtype} of shape {weight.shape}; cannot add "
                f"{value.dtype} of shape {value.shape}"
            )
        if not same:
            with np.errstate(all="ignore"):
                kept = value.astype(weight.dtype)
            if not np.allclose(kept, value, 0.01, 1e-6, equal_nan=True):
                raise ValueError(f"{key} is {weight.dtype}: too small")


def require_shapes(values, shapes):
    """Raise ValueError unless there is one value of each of the shapes, in order."""
    found, expected = [np.shape(value) for value in values], list(map(tuple, shapes))
    if found != expected:
        raise ValueError(f"arrays of shapes {found} came instead of {expected}")


class ParameterServer:
    """Hold weights by key: pushes add to them, pulls read them.

    NaN and infinity are added like any number: to look for them would take as long as
    to add. Sums of whole numbers that are too large begin anew, as NumPy's do.
    """

    def __init__(self, keys, values):
        require_new(keys)
        self.weights = dict(zip(keys, map(np.array, values), strict=True))
        self.version = 0  # how many pushes have been applied

    @recorded
    def push(self, keys, values):
        """Add each value to its weight, all or none; return the version."""
        values = [np.asarray(value) for value in values]
        require_fit(self.weights, keys, values)
        for key, value in zip(keys, values, strict=True):
            self.weights[key] += value
        self.version += 1
        return self.version

    @recorded
    def pull(self, keys):
        """Return copies of the weights of these keys, in the order asked."""
        require_known(self.weights, keys)
        return [self.weights[key].copy() for key in keys]

    def pull_with_version(self, keys):
        """Return the version and the weights, read in one call."""
        return self.version, self.pull(keys)

    def recorded_calls(self):  # for the timeline
        return list(self.calls)


class NewArrays(ParameterServer):
    """A store whose pushes make new arrays: what was pulled needs no copy.

    It is for a `Server`, which pushes and pulls all keys in their order. Calls are
    not recorded.
    """

    def push(self, keys, values):
        """Add each value to its weight, which keeps its type; None adds nothing."""
        if values is not None:
            pairs = zip(self.weights.items(), values, strict=True)
            self.weights = {k: w + np.asarray(v, w.dtype) for (k, w), v in pairs}
        self.version += 1
        return self.version

    def pull(self, keys):
        """Return the newest weights, not copied: nobody changes them."""
        return list(self.weights.values())
