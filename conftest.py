"""Settings of all tests; it stands here to cover notebooks/ as well."""

from hypothesis import settings

# Other inputs in each run, and ten times as many, for `make weekly`; also where CI is
# set, for which Hypothesis has a default of its own.
settings.register_profile(
    "weekly", deadline=None, max_examples=1000, print_blob=True, derandomize=False
)


def pytest_collectstart(collector):
    # Progress bars and libraries' log lines go to standard error and never repeat.
    if hasattr(collector, "skip_compare"):
        collector.skip_compare += ("stderr",)
