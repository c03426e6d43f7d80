"""Render the site: gather its sources in build/, then run Sphinx on them."""

import shutil
import sys
from pathlib import Path

from sphinx.cmd.build import main

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "build" / "site-source"
OUTPUT = ROOT / "build" / "site"
# What the students have, and nothing else: the teachers' notebooks hold solutions.
PATTERNS = ("*.ipynb", "*.md", "figures/*.svg")


def gather():
    """Copy the landing page and the notebooks into one folder, as Sphinx wants."""
    shutil.rmtree(SOURCE, ignore_errors=True)
    (SOURCE / "notebooks" / "figures").mkdir(parents=True)
    shutil.copy(ROOT / "site" / "index.md", SOURCE)
    for pattern in PATTERNS:
        for path in (ROOT / "notebooks").glob(pattern):
            shutil.copy(path, SOURCE / path.relative_to(ROOT))


def render():
    """Run Sphinx with warnings as errors; return its exit status."""
    shutil.rmtree(OUTPUT, ignore_errors=True)  # a page that is gone would stay
    options = ["--fail-on-warning", "--keep-going", "--fresh-env", "--quiet"]
    folders = ["-c", ROOT / "site", "-d", ROOT / "build" / "site-doctrees"]
    return main([*options, *map(str, folders), str(SOURCE), str(OUTPUT)])


if __name__ == "__main__":
    gather()
    sys.exit(render())
