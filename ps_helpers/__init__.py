"""A parameter server on Ray, to learn from and to train small models with.

`ParameterServer` is the class and the actor of it is
`ps_helpers.parameter_server.ParameterServer`; `train_model` trains a model of your
own by all that the notebooks build. ``python -m ps_helpers.parameter_server --help``
tells of the command.
"""

import importlib

__version__ = "0.1.0"
PUBLIC = {  # name -> its module, which is imported when the name is asked for
    "ParameterServer": "store",
    "Model": "own_model",
    "train_model": "own_model",
    "worker_task_of": "own_model",
    "Settings": "settings",
    "Team": "team",
    "TrainingError": "team",
    "Run": "training",
    "Rule": "rules",
    "Asynchronous": "rules",
    "Synchronous": "rules",
    "StaleSynchronous": "rules",
    "Momentum": "optimizers",
    "Adam": "optimizers",
    "Layout": "layout",
    "by_ranges": "layout",
}
__all__ = ["__version__", *PUBLIC]


def __getattr__(name):
    if name not in PUBLIC:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"ps_helpers.{PUBLIC[name]}"), name)


def __dir__():
    return sorted({*globals(), *PUBLIC})
