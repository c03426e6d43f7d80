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
def count_calls(num_workers, num_steps):
    return 2 * num_workers * num_steps


def story(text):
    """Return events, written as < for a pull and > for a push."""
    verbs = {"<": "pull", ">": "push"}
    return [(verbs[word[0]], int(word[1:])) for word in text.split()]


@table(
    calls=[
        (story("<0 <1 >0"),),
        (story("<0 >0 <1 >1"), 3.0),
        (story("<0 <1 >0 <1 >1 >0"), -1.5),
        (story("<0 <1 <2 >2 <2 >0 <11 >2 >1 >11"), 2.5),
        (story("<3 >3 <4 >3 >4 <10 >3 >10"), 0.75),
        (story("<1 <2 <1"), 0.7),
        ([], 1.25),
    ],
    returns=number,
    mistakes={
        "a push adds to the weight: subtract from w, do not replace it": "w - → -",
        "the update comes from what this worker has pulled, not from the newest "
        "weight": "* pulled[worker] → * w",
        "another worker's pull does not change what this one holds: keep a weight for "
        "each worker": "pulled[worker] = w → pulled[0] = w → * pulled[worker] → "
        "* pulled[0]",
        "a worker that pulls again holds newer weights: keep its latest "
        "pull": "pulled[worker] = w → pulled.setdefault(worker, w)",
        "the update is -0.5 times the weight pulled: the weight gets "
        "smaller": "w - 0.5 → w + 0.5",
        "the update is -0.5 times the weight pulled, not all of it": "0.5 * →",
        "a worker may push again without a new pull: it still holds what it pulled": [
            "* pulled[worker] → * pulled.pop(worker, 0)",
            "* pulled[worker] → * pulled.pop(worker)",
        ],
        "only a pull tells a worker the newest weight, not its own "
        "push": "w = w - → w = pulled[worker] = w -",
        "begin with the w that was given, not with 1": "pulled = {} → "
        "pulled, w = {}, 1.0",
    },
)
def final_weight(events, w=1.0):
    pulled = {}
    for verb, worker in events:
        if verb == "pull":
            pulled[worker] = w
        else:
            w = w - 0.5 * pulled[worker]
    return w
