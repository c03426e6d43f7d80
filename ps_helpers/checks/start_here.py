"""Checks of notebook 00."""

from ps_helpers.checks.verdict import exercise, number, require


@exercise
def count_messages(answer):
    result = answer(4, 10)
    require(
        not isinstance(result, list | tuple | dict),
        "return one number: the pulls and the pushes together",
    )
    calls = number(result)
    require(calls != 6, "6 is the example's result: compute it from the arguments")
    require(calls != 40, "each step has two calls: one pull and one push")
    require(calls != 160, "answers are not counted, only the calls")
    require(calls != 20, "each worker pulls and pushes: multiply by the workers")
    require(calls != 8, "each step needs its own calls: multiply by the steps")
    require(
        calls not in (44, 50, 84, 90),
        "the server does not call anybody: leave it out of the count",
    )
    require(
        calls not in (14, 28),
        "multiply the workers by the steps, instead of adding them",
    )
    require(
        calls not in (18, 24),
        "you doubled one of the two and added the other: multiply all three",
    )
    require(calls not in (72, 60), "you left out the first or last step or worker")
    require(calls not in (88, 100), "you counted one step or worker too many")
    require(calls == 80, f"4 workers and 10 steps make 80 calls, not {calls:g}")
    require(
        number(answer(4, 10)) == 80,
        "a second call of it gives another number: begin to count inside it",
    )
    require(
        number(answer(3, 7)) == 42 and number(answer(5, 0)) == 0,
        "it is right for 4 workers and 10 steps only: use the arguments",
    )
