"""Write build/students.zip: the project without solutions, tests and templates.

It is complete: `make lab` and `make train` work in it. What it leaves out, its README
and its Makefile do not name. Raises SourceError where a solution would be in it.
"""

import re
import subprocess
import sys
import zipfile
from pathlib import Path

from ps_helpers.tools import command
from ps_helpers.tools.command import SourceError
from ps_helpers.tools.student_notebooks import MARKERS

KEPT = re.compile(
    r"(ps_helpers/(?!tools/)|notebooks/(?!teacher/|template/)|site/\w+\.md|LICENSE|"
    r"README.md|SECURITY.md|CITATION.cff|Makefile|pyproject.toml|requirements.txt|"
    r"environment.yml|postBuild)"
)
GONE = r"(?ms)^## (For teachers|For contributors)\n.*?(?=^## |^Licence)"


def for_students(name, text):
    """Return a file's text without what tells of files that are left out."""
    if name == "README.md":
        text = re.sub(GONE, "", text)
        text = re.sub(r"(?m)^make test .*\n|^\.venv/bin/python -m pytest.*\n", "", text)
        text = text.replace("## Two commands", "## To run them")
        return re.sub(r"\[([^]]+)\]\((notebooks/teacher|CONTRIB)[^)]*\)", r"\1", text)
    if name == "Makefile":
        head, *parts = re.split(r"(?m)^(?=[\w./%$-]+:(?!=))", text)
        kept = re.compile(r"(help|lab|train|\.venv/installed):")
        rules = [re.split("(?m)^#", p)[0] for p in parts if kept.match(p)]
        return head + ".PHONY: help lab train\n\n" + "".join(rules)
    if name == "pyproject.toml":
        return re.sub(r"(?m)^testpaths = .*\n", "", text)
    return text


def write(folder):
    """Write the archive, from the files that git knows."""
    root = folder.resolve().parent
    listed = ["git", "-C", str(root), "ls-files"]
    names = subprocess.run(listed, capture_output=True, text=True, check=True).stdout
    target = root / "build" / "students.zip"
    target.parent.mkdir(exist_ok=True)
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in filter(KEPT.match, names.splitlines()):
            content = (root / name).read_bytes()
            if Path(name).suffix in ("", ".md", ".toml"):
                content = for_students(name, content.decode()).encode()
            if name.endswith(".ipynb") and any(m.encode() in content for m in MARKERS):
                raise SourceError(
                    f"{name} has a solution: write it with make notebooks"
                )
            archive.writestr(f"parameter-server/{name}", content)
    print(f"{target.relative_to(root)}: {target.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    sys.exit(command.run(__doc__, write))
