"""Note when an object's methods were at work, for the timeline."""

import functools
import time
from collections import deque

CALLS_KEPT = 100_000  # a long run forgets its oldest calls


def recorded(method):
    """Append (name, start, end) of every call of a method to ``self.calls``."""

    @functools.wraps(method)
    def wrapper(self, *args, **kwargs):
        calls = self.__dict__.setdefault("calls", deque(maxlen=CALLS_KEPT))
        start = time.time()
        try:
            return method(self, *args, **kwargs)
        finally:
            calls.append((method.__name__, start, time.time()))

    return wrapper
