"""The option of `make bench` that stores what was measured."""


def pytest_addoption(parser):
    parser.addoption(
        "--store",
        action="store_true",
        help="write the figures of the whole benchmark into the package and README",
    )
