"""What travels beside the arrays, by name: no list whose meaning is a place."""

import functools
import time
from collections import deque
from typing import NamedTuple

CALLS_KEPT = 100_000  # a long run forgets its oldest calls


class Times(NamedTuple):
    """When a worker asked for weights, began to compute, and had its update.

    In seconds, by the worker's clock.
    """

    asked: float
    began: float
    computed: float


class Pulled(NamedTuple):
    """Weights, which version they are, and which step they are for."""

    weights: list
    version: int
    step: int


class Push(NamedTuple):
    """What a log keeps of a push."""

    worker: int
    step: int
    staleness: int  # updates by others since its worker was let go
    times: Times
    arrived: float  # in seconds, by the clock of whoever keeps the log
    go: tuple = ()  # who went on then
    dropped: bool = False


class Report(NamedTuple):
    """What a server, or a team of them, has reached."""

    version: int
    weights: list
    log: list  # the pushes from the number on that was asked for
    num_pushes: int = 0  # so far; a log of more has forgotten the first
    steps: dict = {}  # worker -> its next step
    computing: frozenset = frozenset()  # workers that a push is awaited of
    warning: str = ""  # why the last checkpoint was not written


def seconds(log):
    """Return the seconds from the first step's begin to the last push's arrival."""
    return log[-1].arrived - min(push.times.began for push in log)


class recorded:
    """Append (name, start, end) of every call of a method to ``self.calls``."""

    def __init__(self, method):
        self.method = method

    def __set_name__(self, owner, name):
        method = self.method

        @functools.wraps(method)
        def timed(self, *args, **kwargs):
            calls = self.__dict__.setdefault("calls", deque(maxlen=CALLS_KEPT))
            start = time.time()
            try:
                return method(self, *args, **kwargs)
            finally:
                calls.append((name, start, time.time()))

        owner.calls = ()  # before the first call
        setattr(owner, name, timed)
