"""The three verdicts on an answer, and what a check is made of."""

import importlib

EXERCISES = {}  # name of the answer -> its check
MODULES = ("start_here", "one_process", "push_and_pull", "ray_actors")


class NotYet(Exception):
    """An answer is refused; the message is the reason, in one sentence."""


def exercise(check_answer):
    """Register a check under its own name, which is that of the answer too."""
    EXERCISES[check_answer.__name__] = check_answer
    return check_answer


def require(condition, reason):
    """Refuse the answer with this reason unless the condition holds."""
    if not condition:
        raise NotYet(reason)


def verdict(answer):
    """Return "passed", "not attempted yet" or "not yet: REASON" for an answer.

    The answer is a function or class; its name says which exercise it answers.
    """
    name = getattr(answer, "__name__", repr(answer))
    for module in MODULES:  # in turn, so that Ray is imported only where it is needed
        if name not in EXERCISES:
            importlib.import_module(f"ps_helpers.checks.{module}")
    if name not in EXERCISES:
        return f"not yet: no exercise is called {name}; keep the name that it had"
    try:
        EXERCISES[name](answer)
    except NotImplementedError:
        return "not attempted yet"
    except NotYet as refusal:
        return f"not yet: {refusal}"
    except Exception as error:  # the student's own mistake, shown as a sentence
        first_line = str(error).strip().split("\n")[0]
        return f"not yet: it raised {type(error).__name__}: {first_line}"
    return "passed"


def check(answer):
    """Print the verdict on an answer."""
    name = getattr(answer, "__name__", repr(answer))
    print(f"{name}: {verdict(answer)}")
