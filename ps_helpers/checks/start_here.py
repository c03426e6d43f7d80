"""Checks of notebook 00."""

from ps_helpers.checks.verdict import exercise, require


@exercise
def count_messages(answer):
    calls = answer(4, 10)
    require(calls is not None, "it returned nothing; end it with a return")
    require(calls != 40, "each step has two calls: one pull and one push")
    require(calls != 160, "answers are not counted, only the calls")
    require(calls != 20, "each worker pulls and pushes: multiply by the workers")
    require(calls != 8, "each step needs its own calls: multiply by the steps")
    require(calls != 50 and calls != 44, "the server does not call anybody")
    require(calls != 14 and calls != 28, "workers times steps, not workers plus steps")
    require(calls == 80, f"4 workers and 10 steps make 80 calls, not {calls}")
    require(
        answer(3, 7) == 42 and answer(5, 0) == 0,
        "it is right for 4 workers and 10 steps only: use the arguments",
    )
