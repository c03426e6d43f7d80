"""The three verdicts on an answer, and what a check is made of."""

import contextlib
import functools
import importlib
import inspect
import io
import linecache
import math
import multiprocessing
import os
import random
import signal
import sys
import threading
import traceback
import warnings

import numpy as np

EXERCISES = {}  # name of the answer -> its check
MODULES = (
    "start_here",
    "one_process",
    "push_and_pull",
    "waiting",
    "many_servers",
    "rows",
    "messages",
    "fewer_bytes",
    "failures",
    "cluster",
    "thousand_workers",
    "ray_actors",
)
APART = 30  # seconds: after 10 an interrupt comes each second, which may still help
LIBRARIES = {m: dict(vars(m)) for m in (np, np.linalg, np.random, random, math)}


class NotYet(Exception):
    """An answer is refused; the message is the reason, in one sentence."""


class Refused(AssertionError):
    """An answer loses its points; the feedback shows one line, no traceback."""

    def _render_traceback_(self):
        return [str(self)]


def exercise(check_answer, seconds=10):
    """Register a check under its own name, which is that of the answer too.

    An answer that takes longer than these seconds is interrupted and refused.
    """
    limited = functools.partial(within, seconds, check_answer)
    EXERCISES[check_answer.__name__] = limited
    return limited


def require(condition, reason):
    """Refuse the answer with this reason unless the condition holds."""
    if not condition:
        raise NotYet(reason)


def as_numbers(value):
    """Return a value as an array of numbers, or None if it is anything else."""
    try:
        array = np.asarray(value)
    except Exception:  # rows of different lengths, or an object that misbehaves
        return None
    return array if array.dtype.kind in "biuf" else None


def close(a, b):
    """Return whether two arrays have the same shape and nearly the same values."""
    a, b = as_numbers(a), as_numbers(b)
    return (
        a is not None
        and b is not None
        and a.shape == b.shape
        and np.allclose(a, b, rtol=1e-4, atol=1e-6, equal_nan=True)
    )


def number(result):
    """Return an answer's result as a float; refuse what is not one number."""
    require(result is not None, "it returned nothing; end it with a return")
    value = as_numbers(result)
    require(
        value is not None and value.ndim == 0,
        f"return one number; what came is of type {type(result).__name__}",
    )
    require(np.isfinite(value), f"return a number, not {value}")
    return float(value)


def whole_number(result):
    """Return a result as a whole number; refuse any other."""
    require(result is not None, "it returned nothing; end it with a return")
    value = as_numbers(result)
    whole = value is not None and value.ndim == 0 and value.dtype.kind in "iu"
    require(whole, f"where one whole number belongs is a {type(result).__name__}")
    return int(value)


def listed(result):
    """Return an answer's result as a list; refuse what is not a list or tuple."""
    require(result is not None, "it returned nothing; end it with a return")
    require(not isinstance(result, dict), "return a list, not a dictionary")
    require(
        not hasattr(result, "__next__"),
        "return a list, which can be read twice: put list(…) around what you return",
    )
    numbers = as_numbers(result)
    require(numbers is None or numbers.ndim > 0, "return a list, not one number")
    require(
        isinstance(result, list | tuple) or numbers is not None,
        f"return a list; what came is of type {type(result).__name__}",
    )
    return list(result)


def within(seconds, function, *arguments):
    """Call a function; refuse the answer that is not done in these seconds.

    The interrupt comes again each second, since an answer may swallow it; then it
    strikes at the next line too, that is, within the except that swallowed it.
    """
    if not hasattr(signal, "SIGALRM") or (
        threading.current_thread() is not threading.main_thread()
    ):
        return function(*arguments)
    late, here, trace = [], sys._getframe(), sys.gettrace()

    def at_a_line(_frame, event, _):
        if event == "line":
            raise KeyboardInterrupt
        return at_a_line

    def interrupt(_, frame):
        late.append(frame)
        while len(late) > 1 and frame not in (here, None):
            frame.f_trace, frame = at_a_line, frame.f_back
            sys.settrace(at_a_line)
        if late[-1] is not here:  # or the answer is over
            raise KeyboardInterrupt  # the one exception that also ends a ray.get

    previous = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, seconds, 1)
    try:  # in a generator, from which no half-handled interrupt leaks
        return next(function(*arguments) for _ in range(1))
    except KeyboardInterrupt:
        if not late:  # the reader's own
            raise
        raise NotYet(
            f"it was stopped after {seconds:g} seconds: it loops for ever, or waits "
            "for something that never comes"
        ) from None
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        sys.settrace(trace)
        signal.signal(signal.SIGALRM, previous)


class Printed(io.TextIOBase):
    """Pass on the beginning of what an answer prints; refuse one that prints on."""

    def __init__(self, stream):
        self.stream, self.length = stream, 0

    def write(self, text):
        if self.length <= 2_000:
            self.stream.write(text[:2_000])
        self.length += len(text)
        require(self.length < 100_000, "it prints without end: print less, or nothing")
        return len(text)


@contextlib.contextmanager
def surroundings_kept():
    """Undo what answers do to the libraries, their random numbers and the folder."""

    def put_back():
        for module, names in LIBRARIES.items():
            for name, value in names.items():
                if vars(module).get(name) is not value:
                    setattr(module, name, value)

    put_back()  # what the cell with the answer has changed
    numbers, more, folder = np.random.get_state(), random.getstate(), os.getcwd()
    try:
        with np.errstate(all="ignore"):  # its warning would hide the reason
            yield
    finally:
        put_back()
        np.random.set_state(numbers), random.setstate(more), os.chdir(folder)


def one_line(text, length=200):
    """Return a text's first line, cut to a length that fits under a cell."""
    line = (text.strip().splitlines() or [""])[0]
    return line if len(line) <= length else line[: length - 2] + " …"


def codes(answer):
    """Return the code of a function, or of all methods of a class or object."""
    if inspect.ismethod(answer) or hasattr(answer, "__code__"):
        return [answer.__code__]
    parts = vars(answer).values() if isinstance(answer, type) else ()
    return [part.__code__ for part in parts if hasattr(part, "__code__")]


def is_untouched(answer):
    """Return whether an answer, or a method of it, is the line it was given with."""
    return any(
        code.co_names == ("NotImplementedError",)
        and code.co_nlocals == code.co_argcount
        for code in codes(answer)
    )


def failure(error, answer, call="it"):
    """Return which error an answer's call stops with, and at which of its lines."""
    files = {code.co_filename for code in codes(answer)}
    where = [
        linecache.getline(frame.f_code.co_filename, line).strip()
        for frame, line in traceback.walk_tb(error.__traceback__)
        if frame.f_code.co_filename in files
    ]
    place = f" in the line {one_line(where[-1], 70)}" if where and where[-1] else ""
    return one_line(f"{call} stops with {type(error).__name__}{place}")


def unwrapped(error):
    """Return the error that Ray has wrapped, with a page around it, or the error."""
    cause = getattr(error, "cause", None)
    return cause if isinstance(cause, BaseException) else error


def refusal(answer, error):
    """Return the verdict on an answer whose check raised this error."""
    error = unwrapped(error)
    if isinstance(error, NotYet):
        return f"not yet: {one_line(str(error))}"
    raised_by = [frame.f_code for frame, _ in traceback.walk_tb(error.__traceback__)]
    if isinstance(error, NotImplementedError) and (
        not raised_by or raised_by[-1] in codes(answer)
    ):
        if is_untouched(answer):
            return "not attempted yet"
        return "not yet: delete the line raise NotImplementedError, it is still there"
    return f"not yet: {failure(error, answer)}"


def name_of(answer):
    """Return the name of a function or class, or None for anything else."""
    name = getattr(answer, "__name__", None)
    return name if callable(answer) and isinstance(name, str) else None


def find_exercise(name):
    """Return the check of an exercise, or None; Ray is imported only for its own."""
    for module in MODULES:
        if name not in EXERCISES:
            importlib.import_module(f"ps_helpers.checks.{module}")
    return EXERCISES.get(name)


def verdict(answer):
    """Return "passed", "not attempted yet" or "not yet: REASON" for an answer.

    The answer is a function or class; its name says which exercise it answers.
    """
    name = name_of(answer)
    if name is None and hasattr(answer, "remote"):
        return "not yet: leave @ray.remote out, check takes the plain function"
    if name is None:
        return (
            "not yet: give check the function itself, as in check(push), neither "
            "a call of it nor its name in quotes"
        )
    if not find_exercise(name):
        return f"not yet: no exercise is called {name}; keep the name that it had"
    try:
        with surroundings_kept(), contextlib.redirect_stdout(Printed(sys.stdout)):
            EXERCISES[name](answer)
    except KeyboardInterrupt:  # the reader's own
        raise
    except BaseException as error:  # the student's mistake, shown as a sentence
        return refusal(answer, error)
    return "passed"


@contextlib.contextmanager
def without_errors_stream():
    """Send standard error to standard output, that of native code and children too."""
    kept = os.dup(2)
    os.dup2(1, 2)
    try:
        with contextlib.redirect_stderr(sys.stdout):
            yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def verdict_apart(answer):
    """Return the verdict on an answer, found in a copy of this process that can end.

    There an answer is killed that no interrupt stops, such as a loop in native code.
    TensorFlow and Ray work in no copy: beside them an answer is judged here.
    """
    ray = sys.modules.get("ray")
    beside = "tensorflow" in sys.modules or (ray and ray.is_initialized())
    if beside or not find_exercise(name_of(answer)) or not hasattr(os, "fork"):
        return verdict(answer)
    receive, send = multiprocessing.Pipe(duplex=False)

    def judge():
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            found = verdict(answer)
        send.send((found, printed.getvalue()))

    process = multiprocessing.get_context("fork").Process(target=judge)
    with warnings.catch_warnings(action="ignore"):  # of threads, which a copy lacks
        process.start()
    send.close()
    found, printed = "not yet: it ends the whole process", ""
    with contextlib.suppress(EOFError):  # nothing came
        if receive.poll(APART):
            found, printed = receive.recv()
        else:
            found = (
                "not yet: it was killed, for it loops for ever and cannot be stopped"
            )
    process.kill()
    process.join()
    print(printed, end="")
    return found


def check(answer):
    """Print the verdict on an answer.

    While nbgrader runs the notebook, anything but "passed" is raised as well: an
    error is how a cell loses its points and how the reason reaches the feedback.
    Text on standard error costs the points too, so a mere warning is kept from it.
    """
    grading = "NBGRADER_EXECUTION" in os.environ  # nbgrader sets it for the kernel
    with without_errors_stream() if grading else contextlib.nullcontext():
        found = verdict_apart(answer) if grading else verdict(answer)
    line = f"{name_of(answer) or type(answer).__name__}: {found}"
    print(line)
    if grading and found != "passed":
        raise Refused(line)


def keep_check():
    """Let ``check`` be this one in each cell of a notebook, whatever another does."""
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    if shell:
        shell.events.register("pre_run_cell", lambda _: put_back(shell.user_ns))


def put_back(names):
    if "check" in names:
        names["check"] = check


def grade(name, names):
    """Check the answer of this name among a notebook's names, in a graded cell."""
    if name in names:
        return check(names[name])
    line = f"{name}: not yet: nothing is called {name}: keep its name, run its cell"
    print(line)
    if "NBGRADER_EXECUTION" in os.environ:
        raise Refused(line)
