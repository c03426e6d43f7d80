"""Work through each student notebook in a real browser, as a student would.

Skipped where there is no Chromium. Pictures are kept in build/browser.
"""

import contextlib
import re

import nbformat
import pytest
from in_jupyterlab import PROJECT, JupyterLab, Notebook
from mistakes import MISTAKES, mistaken

NAMES = sorted(path.stem for path in (PROJECT / "notebooks").glob("*.ipynb"))
PICTURES = PROJECT / "build" / "browser"
WINDOW = {"width": 1366, "height": 900}  # a laptop's


@pytest.fixture(scope="module")
def lab(browser, tmp_path_factory):
    """A JupyterLab on a copy of the notebooks."""
    server = JupyterLab(tmp_path_factory.mktemp("lab"))
    try:
        server.wait_until_ready()
        yield server
    finally:
        server.stop()


@contextlib.contextmanager
def opened(browser, lab, name):
    """Open a notebook in a page of its own; photograph what is there at last."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    page = browser.new_page(viewport=WINDOW)
    notebook = Notebook(page, lab, f"{name}.ipynb")
    try:
        notebook.open()
        yield notebook
    finally:
        page.screenshot(path=PICTURES / f"{name}.png")
        page.close()
        lab.end_kernels()


def answer_of_the_teacher(name, cell_id):
    """Return the source of the same cell in the teacher's notebook."""
    teacher = nbformat.read(PROJECT / "notebooks" / "teacher" / f"{name}.ipynb", 4)
    [source] = [cell.source for cell in teacher.cells if cell.id == cell_id]
    lines = source.split("\n")
    return "\n".join(line for line in lines if not line.endswith(" SOLUTION"))


def exercise_of(notebook, name):
    """Return the index of the cell of the exercise that has a mistake in the list."""
    [index] = [
        i
        for i, cell in enumerate(notebook.cells)
        if re.search(rf"^(def|class) {MISTAKES[name][0]}\b", cell.source, re.MULTILINE)
        and "# YOUR CODE HERE" in cell.source
    ]
    return index


def verdict_on(notebook, index, source):
    """Type an answer, run it and its check, and return what the page shows."""
    notebook.replace(index, source)
    for cell in (index, index + 1):
        notebook.press_shift_enter(cell)
        notebook.require_no_error(cell)
    return notebook.look()[index + 1]["text"]


def solve(notebook, name, index):
    """Do an exercise wrong, then right, and read both verdicts in the page."""
    shown = notebook.look()[index + 1]["text"]
    assert "not attempted yet" in shown
    right = answer_of_the_teacher(name, notebook.cells[index].id)
    shown = verdict_on(notebook, index, mistaken(name, right))
    assert "not yet: " in shown and MISTAKES[name][-1] in shown
    notebook.page.screenshot(path=PICTURES / f"{name}_exercise.png")
    assert verdict_on(notebook, index, right).strip().endswith(": passed")


@pytest.mark.parametrize("name", NAMES)
def test_a_student_works_through_a_notebook(browser, lab, name):
    ray_seen = False
    with opened(browser, lab, name) as notebook:
        exercise = exercise_of(notebook, name)
        for index in range(notebook.code[-1] + 1):
            notebook.press_shift_enter(index)
            notebook.require_outputs(index)
            ray_seen = ray_seen or bool(lab.ray_processes())
            if index == exercise + 1:
                solve(notebook, name, exercise)
        notebook.restart_and_run_all()
        for index in range(len(notebook.cells)):
            notebook.require_outputs(index)
        notebook.shut_down()
        notebook.wait(lab.ray_processes, [], f"{name}: Ray processes at the end", 20)
    starts_ray = any("session.start(" in cell.source for cell in notebook.cells)
    assert ray_seen == starts_ray, f"{name}: Ray processes were seen: {ray_seen}"
