"""One mistake a notebook, for tests that work through the notebooks as students do.

Notebook: (exercise, what to replace in its solution, by what, part of the reason).
More of them, for every exercise, stand in tests/test_answers_*.py.
"""

MISTAKES = {
    "00_start_here": ("count_calls", "2 * ", "", "one pull and one push"),
    "01_one_process": ("accuracy", "axis=1", "axis=0", "down the columns"),
    "02_push_and_pull": ("pull_changed", ".copy()", "", "copy each array"),
    "03_ray_actors": (
        "pull_all",
        "ray.get([server.pull.remote(keys) for server in servers])",
        "[ray.get(server.pull.remote(keys)) for server in servers]",
        "call .remote for all, then ray.get",
    ),
    "04_waiting": ("Window", "+ self.s", "+ self.s + 1", "clocks), must wait"),
    "04b_virtual_time": ("round_time", "- backup_workers", "", "that is the slowest"),
    "05_many_servers": ("balance", ", reverse=True", "", "take the largest first"),
    "05b_rows_of_a_table": (
        "add_up",
        "np.add.at(sums, where, gradients)",
        "sums[where] += gradients",
        "is lost: add all of them",
    ),
    "06_the_price_of_a_message": (
        "fit_cost",
        "a, 1 / slope",
        "a, slope",
        "1 divided by the slope",
    ),
    "06b_fewer_bytes": ("top_k", "-np.abs(total)", "-total", "compare magnitudes"),
    "07_when_things_die": ("Once", "<=", "==", "compare with <="),
    "08_a_cluster": ("mean_of_all", " if count]", "]", "a node without workers"),
    "09_a_thousand_workers": (
        "border",
        "* bandwidth",
        "/ bandwidth",
        "bytes are seconds times it",
    ),
}


def mistaken(name, source):
    """Return a solution of a notebook with its mistake made."""
    _, right, wrong, _ = MISTAKES[name]
    assert source.count(right) == 1, f"{name}: {right!r} does not stand there once"
    return source.replace(right, wrong)
