"""Make a course folder, in which nbgrader hands out and grades the series.

Each notebook becomes an assignment of its own name, with all that it links to.
Made again, the folder gets the newest notebooks and keeps whatever else is in it.
"""

import json
import re
import shutil
import sys
from pathlib import Path

import nbformat

from ps_helpers.tools import command
from ps_helpers.tools.student_notebooks import PARENT_LINK, sources

PARENTS_FILE = re.compile(r"\]\(\.\./([^)#]+)")
NOTEBOOK = re.compile(r"\]\((\w+)\.ipynb")
SETTINGS = '''"""Settings of nbgrader for this course: change them as you like."""

import os
from pathlib import Path

from nbconvert.preprocessors import TagRemovePreprocessor

c = get_config()  # noqa: F821

# Cells tagged "teacher" stay with the teacher.
c.GenerateAssignment.preprocessors.prepend([TagRemovePreprocessor])
c.TagRemovePreprocessor.enabled = True
c.TagRemovePreprocessor.remove_cell_tags = {"teacher"}

# Answers run with the Python of the notebooks, which has Ray, not with nbgrader's.
folders = [str(Path(__file__).resolve().parent), os.environ.get("JUPYTER_PATH")]
os.environ["JUPYTER_PATH"] = os.pathsep.join(filter(None, folders))

c.Execute.timeout = 300  # seconds for a cell: a busy machine needs patience
c.Execute.iopub_timeout = 60  # seconds for its output to arrive
c.Execute.extra_arguments = [
    "--log-level=ERROR",  # silences notes on the connection
    "--HistoryManager.hist_file=:memory:",  # answers are no history of yours
]
'''
KERNEL = {
    "argv": [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"],
    "display_name": "Python 3",
    "language": "python",
}


def write_assignment(notebook, path, folder):
    """Write a teacher's notebook as the source of an assignment, with its files.

    Figures and glossary come along; links to notebooks lead to their assignments.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            for name in PARENTS_FILE.findall(cell.source):
                copy_file(folder / name, path.parent / name)
            cell.source = with_links(PARENT_LINK.sub(r"\1", cell.source))
    nbformat.write(notebook, path)


def copy_file(source, target):
    target.parent.mkdir(exist_ok=True)
    shutil.copyfile(source, target)
    if target.suffix == ".md":
        target.write_text(with_links(target.read_text("utf-8")), "utf-8")


def with_links(text):
    """Return a text whose links to notebooks lead to the assignments' folders."""
    return NOTEBOOK.sub(r"](../\1/\1.ipynb", text)


def make_course(course, folder):
    """Write the assignments, nbgrader's settings and the kernel into a course folder.

    Settings that are there already stay as they are.
    """
    found = sources(folder)
    for path, teacher, _ in found:
        write_assignment(teacher, course / "source" / path.stem / path.name, folder)
    kernel = course / "kernels" / "python3" / "kernel.json"
    kernel.parent.mkdir(parents=True, exist_ok=True)
    kernel.write_text(json.dumps(KERNEL, indent=2) + "\n", "utf-8")
    settings = course / "nbgrader_config.py"
    if not settings.exists():
        settings.write_text(SETTINGS, "utf-8")
    print(f"{course}: {', '.join(path.stem for path, _, _ in found)}")


def main(arguments=None):
    """Run the command with these arguments; return its exit status."""
    course = {"type": Path, "metavar": "COURSE", "help": "e.g. ../course"}
    return command.run(__doc__, make_course, arguments=arguments, course=course)


if __name__ == "__main__":
    sys.exit(main())
