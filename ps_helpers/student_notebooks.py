"""Write the student notebooks from the teacher's, or check that they agree.

The teacher's notebook is the source; the student's differs in its solutions, in the
cells tagged "teacher" and in links. Both are stored executed. Whatever might let a
solution through is an error. Exit status: 0 for success, 1 for a cell that raised or
a difference, 2 for a mistake in the sources or in the call.
"""

import argparse
import copy
import difflib
import os
import re
import sys
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellControlSignal, CellExecutionError, DeadKernelError

FOLDER = Path("notebooks")
MARKERS = BEGIN, END = "### BEGIN SOLUTION", "### END SOLUTION"
STUB = "# YOUR CODE HERE", "raise NotImplementedError"
PARENT_LINK = re.compile(r"""(\]\(<?|\b(?:src|href)=["'])\.\./""")
TIMEOUT = 120  # seconds for a cell
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


class SourceError(ValueError):
    """A mistake in the sources: nothing is written."""


class RunError(RuntimeError):
    """A cell raised, took too long or killed its kernel."""


def resembles_marker(text):
    """Tell whether a line is a marker, perhaps misspelt."""
    return bool(difflib.get_close_matches(text.strip().upper(), MARKERS, cutoff=0.75))


def without_solutions(source):
    """Return a code cell's source with a stub in place of each solution.

    Raises SourceError for a marker that is misspelt, nested or without its partner,
    and for a solution without code.
    """
    kept, solution, begun = [], None, 0
    for number, line in enumerate(source.split("\n"), 1):
        text = line.strip()
        comment = "#" + text.partition("#")[2] if "#" in text else ""
        if text == BEGIN:
            if solution is not None:
                raise SourceError(f"line {number}: {BEGIN} again, see line {begun}")
            kept += [line.rstrip().replace(BEGIN, stub) for stub in STUB]
            solution, begun = [], number
        elif text == END:
            if solution is None:
                raise SourceError(f"line {number}: {END} without {BEGIN}")
            if all(row.startswith("#") for row in solution if row):
                raise SourceError(f"line {number}: the solution is empty")
            solution = None
        elif "solution" in comment.lower() or resembles_marker(comment):
            raise SourceError(f"line {number}: a misspelt marker? {text}")
        elif solution is not None:
            solution.append(text)
        else:
            kept.append(line)
    if solution is not None:
        raise SourceError(f"line {begun}: {BEGIN} without {END}")
    return "\n".join(kept)


def normalise(notebook):
    """Drop the metadata and outputs that never repeat; change and return a notebook."""
    notebook.metadata = nbformat.from_dict(METADATA)
    notebook.nbformat_minor = 5
    for cell in notebook.cells:
        if "source_hidden" not in cell.metadata.get("jupyter", {}):
            cell.metadata.pop("jupyter", None)
        for name in set(cell.metadata) - {"tags", "collapsed", "jupyter"}:
            del cell.metadata[name]
        if cell.cell_type == "code":
            cell.outputs = [out for out in cell.outputs if out.get("name") != "stderr"]
    return notebook


def student_variant(notebook):
    """Return the student's variant of a teacher's notebook, not yet executed.

    Raises SourceError, which names the cell, for what without_solutions refuses and
    for a marker in a Markdown or raw cell.
    """
    student = normalise(copy.deepcopy(notebook))
    cells, student.cells = student.cells, []
    for number, cell in enumerate(cells, 1):
        if "teacher" in cell.metadata.get("tags", []):
            continue
        try:
            if cell.cell_type == "code":
                cell.source = without_solutions(cell.source)
                cell.outputs, cell.execution_count = [], None
            elif any(map(resembles_marker, cell.source.splitlines())):
                raise SourceError("a marker outside code")
            else:
                cell.source = PARENT_LINK.sub(r"\1", cell.source)
        except SourceError as error:
            raise SourceError(f"cell {number} ({cell.id}), {error}") from None
        student.cells.append(cell)
    return student


def read(path):
    """Return the notebook of a path; raise SourceError if there is none in it."""
    try:
        return nbformat.v4.upgrade(nbformat.read(path, as_version=4))  # gives ids
    except (ValueError, AttributeError) as error:
        raise SourceError(f"{path}: not a notebook: {error}") from None


def find(folder, names):
    """Return the teacher's notebooks of these names, and students' without any."""
    stems = [Path(name).stem for name in names] or [""]

    def matching(place):
        found = sorted(place.glob("*.ipynb"))
        return [p for p in found if any(re.match(rf"{s}(_|$|(?<!.))", p.stem) for s in stems)]

    return matching(folder)
