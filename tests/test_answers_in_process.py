"""Wrong and right answers to the exercises of notebooks 00 to 02."""

import numpy as np
from answers import all_tests_of

from ps_helpers.checks import start_here

# Notebook 00.

MUTATIONS = [
    (
        "count_messages",
        "2 * num_workers",
        "num_workers, num_workers",
        "the pulls and",
    ),
    ("count_messages", "* num_steps", "* num_steps % 41", "(3, 7) is 42, not 1"),
]
WRONG = [
    ("count_messages", lambda workers, steps: 7, "it gives 7 whatever the arguments"),
]
RIGHT = [
    ("count_messages", lambda workers, steps: 2.0 * workers * steps),
    ("count_messages", lambda workers, steps: np.prod([workers, steps, 2])),
    ("count_messages", lambda w, s: sum(2 for _ in range(w) for _ in range(s))),
]
TestStartHere = all_tests_of(start_here, MUTATIONS, WRONG, RIGHT)
