"""What the commands of this folder share: options, and what they end with.

Exit status: 0 for success, 1 for a difference that --check found, 2 for a mistake in
the sources, a cell that raised or a wrong call.
"""

import argparse
import sys
from pathlib import Path


class SourceError(ValueError):
    """A source from which nothing may be written; the message says where and why."""


def run(description, write, differences=None, arguments=None, **positional):
    """Run a command with these arguments, else the process's; return its exit status.

    ``write`` writes; ``differences`` returns what --check finds, a line each. Both get
    ``folder`` and the positional arguments, whose settings the other keywords are.
    """
    parser = argparse.ArgumentParser(description=description.split("\n")[0])
    for name, settings in positional.items():
        parser.add_argument(name, **settings)
    if differences:
        parser.add_argument(
            "--check", action="store_true", help="only say what differs"
        )
    parser.add_argument("--folder", type=Path, default=Path("notebooks"))
    options = vars(parser.parse_args(arguments))
    work = differences if options.pop("check", False) else write
    try:
        found = list(work(**options) or [])
    except SourceError as error:
        print(error, file=sys.stderr)
        return 2
    for line in found:
        print(line, file=sys.stderr)
    return int(bool(found))


def keep(description, make, arguments=None):
    """Run a command that keeps files: ``make(folder)`` returns {path: its text}."""

    def write(folder):
        for path, text in make(folder).items():
            path.write_text(text, encoding="utf-8")

    def stale(folder):
        for path, text in make(folder).items():
            if not path.exists() or path.read_text(encoding="utf-8") != text:
                yield f"{path} is stale"

    return run(description, write, stale, arguments)
