"""Make a course folder, in which nbgrader hands out and grades the series.

Each notebook becomes an assignment of its own name, with all that it links to.
Made again, the folder gets the newest notebooks and keeps whatever else is in it.
With --check it says which of the submissions there nbgrader would give a silent zero.
"""

import json
import re
import shutil
import sys
from pathlib import Path

import nbformat
from nbformat import v4

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
FIRST = """\
**This is the notebook to hand in**: {name}.ipynb, with its exercises, predictions and \
answers to the questions filled in.
Leave the cells with a *check* as they are, and rename no function.
Before you hand it in, choose *Kernel > Restart Kernel and Run All Cells…*: \
what passes then passes when it is graded.\
"""
GRADED = "from ps_helpers.checks import grade\n\ngrade({name!r}, globals())"
POINTS = 2  # an exercise, whatever the length of its solution
ASKED = {  # what begins or holds a question -> where its answer is written
    "**Predict.**": "*Your prediction, and why:*",
    "## Questions": "*Your answers:*",
}
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
    notebook.cells = list(handed_out(notebook.cells, path.stem))
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            for name in PARENTS_FILE.findall(cell.source):
                copy_file(folder / name, path.parent / name)
            cell.source = with_links(PARENT_LINK.sub(r"\1", cell.source))
    nbformat.write(notebook, path)


def handed_out(cells, name):
    """Yield the cells to hand out: graded ones stand alone, answers have a place."""
    yield v4.new_markdown_cell(FIRST.format(name=name), id="hand-in")
    for cell in cells:
        marks = cell.metadata.get("nbgrader", {})
        if marks.get("grade"):  # whatever an answer calls check
            cell.source = GRADED.format(name=marks["grade_id"])
            marks["points"] = POINTS
        yield cell
        for words, answer in ASKED.items():
            if cell.cell_type == "markdown" and words in cell.source:
                marks = {"grade": True, "solution": True, "locked": False, "points": 0}
                marks |= {"grade_id": f"{cell.id}-text", "schema_version": 3}
                marks = {"nbgrader": marks | {"task": False}}
                yield v4.new_markdown_cell(answer, id=f"{cell.id}-text", metadata=marks)


def graded_in(path):
    """Return the names of the exercises that are graded in a notebook."""
    marks = [c.metadata.get("nbgrader", {}) for c in nbformat.read(path, 4).cells]
    return [m["grade_id"] for m in marks if m.get("grade") and m.get("points")]


def submissions(course, folder):
    """Yield a line for each submission that nbgrader would give a silent zero."""
    found = sorted(course.glob("submitted/*/*"))
    print(len(found), "submissions")
    for path in found:
        source = course / "source" / path.name / f"{path.name}.ipynb"
        if not source.exists() or not path.is_dir():
            there = ", ".join(sorted(p.name for p in course.glob("source/*")))
            yield f"{path}: this is no folder of an assignment; there are {there}"
            continue
        handed_in = path / source.name
        if not handed_in.exists():
            there = ", ".join(p.name for p in path.iterdir()) or "nothing"
            yield f"{path}: there is no {source.name}, but {there}: rename it"
            continue
        try:
            graded = graded_in(handed_in)
        except (ValueError, KeyError, AttributeError, nbformat.ValidationError):
            yield f"{handed_in}: it is empty, or no notebook: ask for it again"
            continue
        missing = [name for name in graded_in(source) if name not in graded]
        if not graded:
            yield f"{handed_in}: not the notebook that was handed out: ask for that"
        elif missing:
            yield f"{handed_in}: graded cells are missing: {', '.join(missing)}"


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
    return command.run(__doc__, make_course, submissions, arguments, course=course)


if __name__ == "__main__":
    sys.exit(main())
