"""Exercises as tables: the calls, the right answer, and the usual mistakes.

    @table(
        calls=[([A(8, -21), A(3)], s) for s in (5, 0, 1, 2.5)],
        returns=arrays,
        mistakes={
            "you subtracted the staleness; divide by it": "/ max → - max",
            "a stale update is made smaller, not dropped":
                lambda update, staleness: [part * (staleness < 1) for part in update],
        },
    )
    def scale_update(update, staleness):
        return [part / max(1, staleness) for part in update]

The decorated function is the right answer; its name is the exercise's. It is called
with each row of `calls`, as is the student's answer, and `returns` turns a result into
numbers, lists or dictionaries of them, or refuses it. An answer is right where all its
outcomes are; it has made a mistake where all are what that mistake gives, which is why
calls should be many and wild. A mistake is a function, or a text "old → new": what to
replace in the right one, and by what; or a list of several that get the same reason.
Whatever else is wrong is told by an example.

What every exercise asks is asked here: arguments stay as they are (but those named in
`changes`), results are new in each call, and depend on nothing but the arguments.
Where an exercise is more than a call, `run(answer, *row)` does it and returns what
counts; `play` makes an object and calls its methods. `raises` explains errors, by their
type and words. For each table tests/answers.py makes a test that each mistake gets its
own reason, so that no two look alike and none looks right.
"""

import copy
import dataclasses
import functools
import inspect
import re
import sys
import warnings
from collections.abc import Callable, Sequence

import numpy as np

from ps_helpers.checks.verdict import (
    EXERCISES,
    NotYet,
    as_numbers,
    close,
    failure,
    listed,
    one_line,
    require,
    unwrapped,
    within,
)

TABLES = {}  # name of the exercise -> its table


@dataclasses.dataclass
class Failed:
    """The outcome of a call that raised an error."""

    error: Exception


def table(**columns):
    """Register a table under the name of the right answer, which is decorated.

    The columns are the fields of Table, without the right answer.
    """

    def register(right):
        made = TABLES[right.__name__] = Table(right, **columns)
        EXERCISES[right.__name__] = lambda answer: within(
            made.seconds, made.judge, answer
        )
        return made

    return register


def call(answer, *arguments):
    return answer(*arguments)


def play(answer, arguments, steps):
    """Make an object, call its methods (name, *arguments); return what they return."""
    thing, results, kept = answer(*arguments), [], []
    for name, *values in steps:
        method = getattr(thing, name, None)
        require(callable(method), f"keep it a class with the method {name}")
        results.append(method(*values))
        kept.append(repr(results[-1]))
    require(
        [*map(repr, results)] == kept,
        "what was returned changed later (do you empty that list?): return a new one",
    )
    return results


@dataclasses.dataclass
class Table:
    """An exercise: how to tell a right answer, and which mistake a wrong one makes."""

    right: Callable
    calls: Sequence[tuple]  # the arguments of each call, which get copies of them
    returns: Callable  # turns a result into what is compared, or refuses it
    mistakes: dict  # reason -> an answer with that mistake, or a list of several
    raises: Sequence[tuple] = ()  # (type of an error, words of its message, reason)
    run: Callable = call
    changes: Sequence[int] = ()  # the places of arguments that may change
    seconds: float = 10

    def outcome(self, answer, arguments):
        """Return what a call returned, and what it comes to: a value, or Failed."""
        given = copy.deepcopy(arguments)
        try:
            with warnings.catch_warnings(action="ignore"):
                result = self.run(answer, *given)
        except Exception as error:
            if isinstance(unwrapped(error), NotImplementedError):
                raise
            return None, Failed(unwrapped(error))
        for place, (now, before) in enumerate(zip(given, arguments, strict=True)):
            if place not in self.changes and not same(now, before):
                name = self.name_of(place)
                reason = f"it changed its argument {name}; leave it as it is"
                return None, Failed(NotYet(f"{reason}, and make something new"))
        return result, self.value(result)

    def value(self, result):
        try:
            return copy.deepcopy(self.returns(result))
        except NotYet as refused:
            return Failed(refused)
        except Exception:  # of an object that misbehaves
            return Failed(NotYet(f"do not return such a {type(result).__name__}"))

    def outcomes(self, answer):
        return [self.outcome(answer, arguments)[1] for arguments in self.calls]

    def judge(self, answer):
        """Refuse an answer that is not right, for the mistake that it makes."""
        first, *_ = made = [self.outcome(answer, row) for row in self.calls]
        found, right = [value for _, value in made], self.outcomes(self.right)
        if not isinstance(first[1], Failed):
            again = self.outcome(answer, self.calls[0])
            require(
                same(self.value(first[0]), first[1]),
                "a later call changed what an earlier one had returned: return "
                "something new each time",
            )
            require(
                same(again[1], first[1]),
                "two calls with the same arguments give different results: keep "
                "nothing from one call to the next",
            )
            require(
                not any(
                    np.shares_memory(a, b)
                    for a in arrays_in(first[0])
                    for b in arrays_in(again[0])
                ),
                "two calls return the very same array: make a new one each time",
            )
        wrong = [i for i, row in enumerate(right) if not same(found[i], row)]
        if not wrong:
            return
        for reason, given in self.known_outcomes:
            all_fail = all(isinstance(value, Failed) for value in given)
            require(all_fail or not same(found, given), reason)
        errors = [value.error for value in found if isinstance(value, Failed)]
        for error in errors:
            if isinstance(error, NotYet):
                raise error
        for kind, words, reason in self.raises:
            raised = any(isinstance(e, kind) and words in str(e) for e in errors)
            require(not raised, reason)
        shortest = min(wrong, key=lambda i: len(self.text(self.calls[i])))
        text, value = self.text(self.calls[shortest]), found[shortest]
        if isinstance(value, Failed):
            raise NotYet(failure(value.error, answer, text))
        require(
            not all(same(other, value) for other in found),
            f"it gives {one_line(shown(value), 60)} whatever the arguments are: "
            "compute it from them, in each call",
        )
        where, wanted, came = difference(value, right[shortest])
        raise NotYet(f"{where}{text} is {wanted}, not {came}")

    def wrong_answers(self):
        """Yield each reason with an answer that makes this mistake."""
        for reason, variants in self.mistakes.items():
            for one in variants if isinstance(variants, list) else [variants]:
                yield reason, one if callable(one) else mutated(self.right, one)

    @functools.cached_property
    def known_outcomes(self):
        return [(reason, self.outcomes(m)) for reason, m in self.wrong_answers()]

    def name_of(self, place):
        names = [*inspect.signature(self.right).parameters]
        return names[place] if self.run is not play else "an argument"

    def text(self, arguments):
        """Return a call as it would be written."""
        name = self.right.__name__
        if self.run is not play:
            return as_call(name, arguments)
        steps = ", ".join(as_call(*step[:1], step[1:]) for step in arguments[1])
        return f"{as_call(name, arguments[0])}, then {steps}"


def as_call(name, arguments):
    length = 110 // max(1, len(arguments))
    return f"{name}({', '.join(one_line(shown(a), length) for a in arguments)})"


@functools.cache
def mutated(function, text):
    """Return a function or class, mutated as in "old → new → other old → new"."""
    source = inspect.getsource(function)
    head, source = re.search(
        r"^((?:def|class) .*?:\n)(.*)", source, re.M | re.S
    ).groups()
    parts = [part.strip() for part in text.split("→")]
    for old, new in zip(parts[::2], parts[1::2], strict=True):
        assert source.count(old) == 1, f"{old!r} is not once in {function.__name__}"
        source = source.replace(old, new)
    names = dict(vars(sys.modules[function.__module__]))
    exec(head + source, names)
    return names[function.__name__]


def arrays(result):
    """Return an answer's result as a list of arrays."""
    found = [(part, as_numbers(part)) for part in listed(result)]
    for part, array in found:
        kind = type(part).__name__
        require(array is not None, f"return a list of arrays; in yours is one {kind}")
    return [array for _, array in found]


def numbers(result):
    """Return an answer's result as a list of numbers."""
    found = as_numbers(listed(result))
    require(found is not None and found.ndim == 1, "return a list of numbers")
    return found.tolist()


def arrays_in(value, depth=4):
    """Return all arrays in a result, a list or dictionary of them or of more such."""
    if isinstance(value, np.ndarray):
        return [value]
    values = value.values() if isinstance(value, dict) else value
    if not isinstance(value, dict | list | tuple) or depth == 0:
        return []
    return [array for part in values for array in arrays_in(part, depth - 1)]


def same(a, b):
    """Return whether two values are nearly equal, numbers, arrays or lists of them."""
    if isinstance(a, Failed) or isinstance(b, Failed):
        return type(a) is type(b) and type(a.error) is type(b.error)
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list | tuple) and isinstance(b, list | tuple):
        return len(a) == len(b) and all(map(same, a, b))
    if as_numbers(a) is None or as_numbers(b) is None:
        return type(a) is type(b) and a == b
    return close(a, b)


def difference(found, right, where=""):
    """Return where two values differ, and what both are there, as three texts."""
    if isinstance(right, dict) and found.keys() != right.keys():
        return f"the keys of {where}", *texts([*found], [*right])
    lists = all(isinstance(value, list | tuple) for value in (found, right))
    if lists and len(found) != len(right):
        return f"the length of {where}", len(right), len(found)
    if lists or isinstance(right, dict):
        keys = range(len(right)) if lists else right
        key = next(key for key in keys if not same(found[key], right[key]))
        return difference(found[key], right[key], f"entry {key!r} of {where}")
    if np.shape(found) != np.shape(right):
        return f"the shape of {where}", np.shape(right), np.shape(found)
    if np.size(right) > 6:
        off = np.unravel_index(np.argmax(~np.isclose(found, right)), np.shape(right))
        place = [int(i) for i in off]
        return f"element {place} of {where}", *texts(found[off], right[off])
    return where, *texts(found, right)


def texts(found, right):
    for digits in (4, 8, 17):  # so many that they differ
        wanted, came = (one_line(shown(v, digits), 60) for v in (right, found))
        if wanted != came:
            break
    return wanted, came


def shown(value, digits=4):
    """Return a value as a text that is short, of a large array its shape."""
    if isinstance(value, dict):
        parts = ", ".join(f"{k!r}: {shown(v, digits)}" for k, v in value.items())
        return f"{{{parts}}}"
    if isinstance(value, list | tuple):
        parts = ", ".join(shown(part, digits) for part in value)
        return f"[{parts}]" if isinstance(value, list) else f"({parts})"
    if isinstance(value, np.ndarray | np.generic):
        large = value.size > 6
        return f"array{value.shape}" if large else shown(value.tolist(), digits)
    return f"{value + 0:.{digits}g}" if isinstance(value, float) else repr(value)
