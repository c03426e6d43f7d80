"""Settings of all tests; it stands here to cover notebooks/ as well."""

from hypothesis import settings

# Other inputs in each run, and ten times as many, for `make weekly`.
settings.register_profile("weekly", deadline=None, max_examples=1000, print_blob=True)


def pytest_collectstart(collector):
    # Progress bars and libraries' log lines go to standard error and never repeat.
    if hasattr(collector, "skip_compare"):
        collector.skip_compare += ("stderr",)
