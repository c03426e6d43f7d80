"""Checks of notebook 00."""

from ps_helpers.checks.tables import table
from ps_helpers.checks.verdict import number, require


def calls(result):
    """Return a result as a number; refuse the two counts side by side."""
    require(
        not isinstance(result, list | tuple | dict),
        "return one number: the pulls and the pushes together",
    )
    return number(result)


@table(
    calls=[(4, 10), (3, 7), (1, 3), (12, 0), (1, 1), (11, 250)],
    returns=calls,
    mistakes={
        "each step has two calls: one pull and one push": "2 * →",
        "answers are not counted, only the calls": "2 → 4",
        "each worker pulls and pushes: multiply by the workers": "* num_workers →",
        "each step needs its own calls: multiply by the steps": "* num_steps →",
        "the server does not call anybody: count what the workers "
        "call": "2 * num_workers * num_steps → num_workers * num_steps + num_steps",
        "multiply the workers by the steps, instead of adding "
        "them": "num_workers * num_steps → (num_workers + num_steps)",
        "you doubled the workers and added the steps: multiply all "
        "three": "* num_steps → + num_steps",
        "you left out one step": "* num_steps → * max(0, num_steps - 1)",
        "you left out one worker": "* num_workers → * (num_workers - 1)",
        "you counted one step too many": "* num_steps → * (num_steps + 1)",
        "you counted one worker too many": "* num_workers → * (num_workers + 1)",
    },
)
def count_messages(num_workers, num_steps):
    return 2 * num_workers * num_steps
