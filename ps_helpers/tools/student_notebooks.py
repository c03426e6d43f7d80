"""Write the student notebooks from the teacher's, or check that they agree.

The teacher's notebook is the source; the student's differs in its solutions, in the
cells tagged "teacher", in links and in nbgrader's metadata, which exercises in the
teacher's get from here. Both are stored executed. Whatever might let a solution
through is an error.
"""

import copy
import difflib
import os
import re
import sys
import time
from itertools import zip_longest
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellControlSignal, CellExecutionError, DeadKernelError

from ps_helpers.tools import command
from ps_helpers.tools.command import SourceError

MARKERS = BEGIN, END = "### BEGIN SOLUTION", "### END SOLUTION"
STUB = "# YOUR CODE HERE", "raise NotImplementedError"
WIDGET = "application/vnd.jupyter.widget-view+json"
CHECK = re.compile(r"^check\((\w+)\)$", re.MULTILINE)
PARENT_LINK = re.compile(r"""(\]\(<?|\b(?:src|href)=["'])\.\./""")
OF_A_RUN = "outputs", "execution_count"  # of a cell's keys
TIMEOUT = 120  # seconds for a cell
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


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
                raise SourceError(f"a solution begins inside another, line {number}")
            kept += [line.rstrip().replace(BEGIN, stub) for stub in STUB]
            solution, begun = [], number
        elif text == END:
            if solution is None:
                raise SourceError(f"a solution ends that has not begun, line {number}")
            if all(row.startswith("#") for row in solution if row):
                raise SourceError(f"a solution is empty, line {number}")
            solution = None
        elif "solution" in comment.lower() or resembles_marker(comment):
            raise SourceError(f"a misspelt marker? line {number}: {text}")
        elif solution is not None:
            solution.append(text)
        else:
            kept.append(line)
    if solution is not None:
        raise SourceError(f"a solution begins and does not end, line {begun}")
    return "\n".join(kept)


def solution_lines(cell):
    """Return the lines of a cell's solution that are neither empty nor comments."""
    solution = cell.source.partition(BEGIN)[2].partition(END)[0]
    lines = map(str.strip, solution.splitlines() if cell.cell_type == "code" else ())
    return [line for line in lines if line and not line.startswith("#")]


def mark_exercises(notebook):
    """Give the two cells of each exercise the metadata by which nbgrader grades.

    An exercise is a cell with a solution, and after it a cell that checks its answer.
    Every two lines of the solution, begun ones too, are worth a point: 1, 2 or 3.
    Raises SourceError for a solution that no cell checks.
    """
    following = [*notebook.cells[1:], nbformat.v4.new_raw_cell()]
    for number, (cell, after) in enumerate(zip(notebook.cells, following, strict=True)):
        lines = solution_lines(cell)
        if not lines or "teacher" in cell.metadata.get("tags", []):
            continue
        checked = CHECK.search(after.source)
        name = checked[1] if checked else "NAME"
        if not re.search(rf"^(def|class) {name}\b", cell.source, re.MULTILINE):
            reason = f"no cell check({name}) follows the solution of {name}"
            raise SourceError(f"cell {number + 1}: {reason} (id {cell.id})")
        points = min(3, (len(lines) + 1) // 2)
        answer = {"grade": False, "grade_id": f"{name}-answer", "locked": False}
        check = {"grade": True, "grade_id": name, "locked": True, "points": points}
        for marked, marks in ((cell, answer), (after, check)):
            marks |= {"schema_version": 3, "solution": marked is cell, "task": False}
            marked.metadata["nbgrader"] = nbformat.from_dict(marks)


def normalise(notebook):
    """Bring a notebook into the form in which it is stored; return it.

    What never repeats is dropped, and exercises with a solution are marked.
    """
    notebook.metadata = nbformat.from_dict(METADATA)
    notebook.nbformat_minor = 5
    for cell in notebook.cells:
        if "source_hidden" not in cell.metadata.get("jupyter", {}):
            cell.metadata.pop("jupyter", None)
        for name in set(cell.metadata) - {"tags", "collapsed", "jupyter"}:
            del cell.metadata[name]
        if cell.cell_type == "code":
            shown = (out for out in cell.outputs if out.get("name") != "stderr")
            cell.outputs = [out for out in shown if WIDGET not in out.get("data", ())]
    mark_exercises(notebook)
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
        cell.metadata.pop("nbgrader", None)
        try:
            if cell.cell_type == "code":
                cell.source = without_solutions(cell.source)
                cell.outputs, cell.execution_count = [], None
            elif any(map(resembles_marker, cell.source.splitlines())):
                raise SourceError("a marker stands in a text cell")
            else:
                cell.source = PARENT_LINK.sub(r"\1", cell.source)
        except SourceError as error:
            raise SourceError(f"cell {number}: {error} (id {cell.id})") from None
        student.cells.append(cell)
    return student


def read(path):
    """Return the notebook of a file; raise SourceError if there is none in it."""
    try:
        return nbformat.v4.upgrade(nbformat.read(path, as_version=4))  # gives ids
    except (ValueError, AttributeError) as error:
        raise SourceError(f"{path}: not a notebook: {error}") from None


def find(folder, names):
    """Return the paths in a folder that are meant by names such as 02, all by none."""
    stems = [Path(name).stem + "_" for name in names]
    paths = sorted(folder.glob("*.ipynb"))
    return [p for p in paths if not names or f"{p.stem}_".startswith(tuple(stems))]


def sources(folder, names=()):
    """Return (path, teacher's notebook, student's variant) of each notebook."""
    if not (folder / "teacher").is_dir():
        raise SourceError(f"no {folder}/teacher: run this at the top of the project")
    found = []
    for path in find(folder / "teacher", names):
        teacher = read(path)
        try:
            found.append((path, teacher, student_variant(teacher)))
        except SourceError as error:
            raise SourceError(f"{path}: {error}") from None
    if not found:
        raise SourceError(f"no such notebook in {folder}/teacher: {' '.join(names)}")
    return found


def without_teacher(folder, names=()):
    """Return a line for each student notebook that no teacher's notebook makes."""
    paths = find(folder, names)
    strays = [p for p in paths if not (folder / "teacher" / p.name).exists()]
    return [f"{path}: no teacher's notebook of this name" for path in strays]


def execute(notebook, path):
    """Execute a notebook in its folder; raise SourceError naming cell and error."""
    client = NotebookClient(
        notebook,
        timeout=TIMEOUT,
        kernel_name="python3",
        resources={"metadata": {"path": str(path.parent)}},
        extra_arguments=["--log-level=ERROR"],  # silences notes on the connection
        coalesce_streams=True,  # how often a stream was flushed never repeats
    )
    with client.setup_kernel():
        for index, cell in enumerate(notebook.cells):
            try:
                client.execute_cell(cell, index)
            except (CellControlSignal, DeadKernelError) as error:
                reason = str(error).strip().splitlines()[0]
                if isinstance(error, CellExecutionError):
                    reason = f"{error.ename}: {error.evalue}".strip().splitlines()[-1]
                where = f"{path}: cell {index + 1}"
                raise SourceError(f"{where}: {reason} (id {cell.id})") from None
    normalise(notebook)


def store(notebook, path):
    """Write a notebook, all of it or nothing."""
    nbformat.validate(notebook)
    temporary = path.with_name(f".{path.name}.part")
    nbformat.write(notebook, temporary)
    os.replace(temporary, path)


def write(folder, names=()):
    """Execute and store both variants of each notebook."""
    found = sources(folder, names)
    if strays := without_teacher(folder, names):
        raise SourceError("\n".join(strays))
    for path, teacher, student in found:
        pair = {path: teacher, folder / path.name: student}
        for target, notebook in pair.items():
            start = time.perf_counter()
            execute(notebook, target)
            print(f"{target}  {time.perf_counter() - start:.1f} s", flush=True)
        for target, notebook in pair.items():  # only now: a pair belongs together
            store(notebook, target)


def form_differences(notebook):
    """Yield what a stored notebook has that this command would not have written."""
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    counts = [cell.execution_count for cell in code]
    if counts != list(range(1, len(code) + 1)):
        yield "not stored executed from top to bottom"
    if code and not any(cell.outputs for cell in code):
        yield "there are no outputs"
    if notebook != normalise(copy.deepcopy(notebook)):
        yield "metadata or stderr outputs are not what this command stores"


def cell_differences(expected, stored):
    """Yield the first cell in which a stored notebook differs from the expected one."""
    for pair in zip_longest(expected.cells, stored.cells, fillvalue={"id": "missing"}):
        cell, other = ({k: c[k] for k in c if k not in OF_A_RUN} for c in pair)
        if cell != other:
            yield f"cell {other['id']} differs from {cell['id']}"
            break
    if "SOLUTION" in nbformat.writes(stored):
        yield "leaks a solution's marker"


def differences(folder, names=()):
    """Return how the stored notebooks differ from what write would make, as lines."""
    found = without_teacher(folder, names)
    for path, teacher, expected in sources(folder, names):
        found += [f"{path}: {line}" for line in form_differences(teacher)]
        path = folder / path.name
        if path.exists():
            stored = read(path)
            lines = [*form_differences(stored), *cell_differences(expected, stored)]
        else:
            lines = ["no student notebook"]
        found += [f"{path}: {line}" for line in lines]
    print(len(find(folder, names)), "notebooks", "differ" if found else "agree")
    return found


def main(arguments=None):
    """Run the command with these arguments; return its exit status."""
    names = {"nargs": "*", "metavar": "NAME", "help": "e.g. 02; else all"}
    return command.run(__doc__, write, differences, arguments, names=names)


if __name__ == "__main__":
    sys.exit(main())
