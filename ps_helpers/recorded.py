"""Note when an object's methods were at work, for the timeline."""

import functools
import time


def recorded(method):
    """Append (name, start, end) of every call of a method to ``self.calls``."""

    @functools.wraps(method)
    def wrapper(self, *args, **kwargs):
        start = time.time()
        try:
            return method(self, *args, **kwargs)
        finally:
            self.calls.append((method.__name__, start, time.time()))

    return wrapper
