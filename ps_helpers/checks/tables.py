"""Exercises as tables: the calls, the right answer, and the usual mistakes.

    @table(
        calls=[([A(8, -21), A(3)], s) for s in (5, 0, 1, 2.5)],
        returns=arrays,
        mistakes={
            "you subtracted the staleness; divide by it": ("/ max", "- max"),
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
calls should be many and wild. A mistake is a function, or pairs of texts: what to
replace in the right one, by what. Whatever else is wrong is told by an example.

What every exercise asks is asked here: arguments stay as they are (but those named in
`changes`), results are new in each call, and depend on nothing but the arguments.
Where an exercise is more than a call, `run(answer, *row)` does it and returns what
counts; `play` makes an object and calls its methods. `raises` explains errors, by their
type and words. For each table tests/test_exercises.py tests that each mistake gets its
own reason, so that no two look alike and none looks right.
"""

import copy
import dataclasses
import inspect
import re
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
    thing, results = answer(*arguments), []
    for name, *values in steps:
        method = getattr(thing, name, None)
        require(callable(method), f"keep it a class with the method {name}")
        results.append(method(*values))
    return results


@dataclasses.dataclass
class Table:
    """An exercise: how to tell a right answer, and which mistake a wrong one makes."""

    right: Callable
    calls: Sequence[tuple]  # the arguments of each call, which get copies of them
    returns: Callable  # turns a result into what is compared, or refuses it
    mistakes: dict  # reason -> an answer with that mistake
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
            if isinstance(unwrapped(error), NotYet | NotImplementedError):
                raise
            return None, Failed(unwrapped(error))
        for place, (now, before) in enumerate(zip(given, arguments, strict=True)):
            require(
                place in self.changes or same(now, before),
                f"it changed what it was given, {self.name_of(place)}: make a new one",
            )
        return result, self.value(result)

    def value(self, result):
        try:
            return copy.deepcopy(self.returns(result))
        except NotYet:
            raise
        except Exception:  # of an object that misbehaves
            raise NotYet(f"do not return a {type(result).__name__} like this") from None

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
        for reason, mistake in self.mistakes.items():
            given = self.outcomes(self.mistaken(mistake))
            all_fail = all(isinstance(value, Failed) for value in given)
            require(all_fail or not same(found, given), reason)
        for error, words, reason in self.raises:
            for value in found:
                require(
                    not isinstance(value, Failed)
                    or not isinstance(value.error, error)
                    or words not in str(value.error),
                    reason,
                )
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

    def mistaken(self, mistake):
        return mistake if callable(mistake) else mutated(self.right, *mistake)

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
    return f"{name}({', '.join(one_line(shown(a), 50) for a in arguments)})"


def mutated(function, *texts):
    """Return a function or class whose source has some texts replaced, in pairs."""
    source = inspect.getsource(function)
    source = re.search(r"^(def|class) .*", source, re.MULTILINE | re.DOTALL).group()
    for old, new in zip(texts[::2], texts[1::2], strict=True):
        assert source.count(old) == 1, f"{old!r} is not once in {function.__name__}"
        source = source.replace(old, new)
    names = dict(function.__globals__ if hasattr(function, "__globals__") else {})
    exec(source, names)
    return names[function.__name__]


def arrays(result):
    """Return an answer's result as a list of arrays."""
    require(
        not isinstance(result, np.ndarray),
        "return a list of arrays: here one array came, so does return stand in the "
        "loop?",
    )
    found = [as_numbers(part) for part in listed(result)]
    for part, array in zip(result, found, strict=True):
        require(
            array is not None,
            f"return a list of arrays; in yours is one {type(part).__name__}",
        )
    return found


def arrays_in(value):
    """Return all arrays in a result."""
    if isinstance(value, np.ndarray):
        return [value]
    values = value.values() if isinstance(value, dict) else value
    if not isinstance(value, dict | list | tuple):
        return []
    return [array for part in values for array in arrays_in(part)]


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
    lists = all(isinstance(value, list | tuple) for value in (found, right))
    if lists and len(found) != len(right):
        return f"the length of {where}", len(right), len(found)
    if lists or isinstance(found, dict) and found.keys() == right.keys():
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
        return (
            f"{{{', '.join(f'{k!r}: {shown(v, digits)}' for k, v in value.items())}}}"
        )
    if isinstance(value, list | tuple):
        return f"[{', '.join(shown(part, digits) for part in value)}]"
    if isinstance(value, np.ndarray | np.generic):
        large = value.size > 12
        return f"array{value.shape}" if large else shown(value.tolist(), digits)
    return f"{value:.{digits}g}" if isinstance(value, float) else repr(value)
