"""Tell nbval what not to compare; it stands here to cover notebooks/ as well."""


def pytest_collectstart(collector):
    # Progress bars and libraries' log lines go to standard error and never repeat.
    if hasattr(collector, "skip_compare"):
        collector.skip_compare += ("stderr",)
