"""Render the site: gather its sources in build/, then run Sphinx on them."""

import shutil
import sys
from pathlib import Path

from sphinx.cmd.build import main

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "build" / "site-source"
OUTPUT = ROOT / "build" / "site"
# What the students have, and nothing else: the teachers' notebooks hold solutions.
PATTERNS = ("*.ipynb", "*.md", "figures/*.svg", "cluster/*")


def gather():
    """Copy the landing page and the notebooks into one folder, as Sphinx wants."""
    shutil.rmtree(SOURCE, ignore_errors=True)
    for folder in ("figures", "cluster"):
        (SOURCE / "notebooks" / folder).mkdir(parents=True)
    for name in ("index.md", "own_model.md"):
        shutil.copy(ROOT / "site" / name, SOURCE)
    (SOURCE / "api.md").write_text(api())
    for pattern in PATTERNS:
        for path in (ROOT / "notebooks").glob(pattern):
            shutil.copy(path, SOURCE / path.relative_to(ROOT))


def api():
    """Return the page of the public parts: what the package lists, documented."""
    sys.path.insert(0, str(ROOT))
    import ps_helpers

    page = [
        "# The public parts",
        "",
        "`from ps_helpers import …`; nothing else is public.",
    ]
    for name, module in ps_helpers.PUBLIC.items():
        kind = "function" if name[0].islower() else "class"
        members = "" if kind == "function" else "\n:members:"
        directive = f".. auto{kind}:: ps_helpers.{module}.{name}"
        text = f"{directive}{members}".replace("\n", "\n   ")
        page += ["", f"## {name}", "", f"```{{eval-rst}}\n{text}\n```"]
    return "\n".join(page) + "\n"


def render():
    """Run Sphinx with warnings as errors; return its exit status."""
    shutil.rmtree(OUTPUT, ignore_errors=True)  # a page that is gone would stay
    options = ["--fail-on-warning", "--keep-going", "--fresh-env", "--quiet"]
    folders = ["-c", ROOT / "site", "-d", ROOT / "build" / "site-doctrees"]
    return main([*options, *map(str, folders), str(SOURCE), str(OUTPUT)])


if __name__ == "__main__":
    gather()
    sys.exit(render())
