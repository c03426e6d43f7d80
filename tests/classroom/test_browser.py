"""Work through each student notebook in a real browser, as a student would.

Skipped where there is no Chromium. Pictures are kept in build/browser.
"""

import contextlib
import re

import nbformat
import pytest
from lab import PROJECT, Lab, Notebook, find_chromium
from playwright.sync_api import sync_playwright

NAMES = sorted(path.name for path in (PROJECT / "notebooks").glob("*.ipynb"))
PICTURES = PROJECT / "build" / "browser"
WINDOW = {"width": 1366, "height": 900}  # a laptop's
STUB = re.compile(r"^( *)# YOUR CODE HERE\n *raise NotImplementedError$", re.MULTILINE)

# For the first exercise of a notebook: a wrong answer, and words of the reason. More
# of them, for every exercise, stand in tests/test_exercises_*.py.
WRONG_ANSWERS = {
    "count_messages": ("return num_workers * num_steps", "one pull and one push"),
    "accuracy": ("return np.mean(np.argmax(logits) == y)", "without axis=1"),
    "push": ("weights.update(zip(keys, values))", "you replaced the weight"),
    "train_worker": (
        "return ps.push(keys, ps.pull(keys))",
        "is called with .remote(…)",
    ),
    "Barrier": ("return [worker]", "the first to arrive went on"),
    "round_time": ("return max(compute_times)", "leave out the backup workers"),
    "top_k": (
        "i = np.argsort(update + error)[-k:]; return i, update[i], error",
        "largest by value",
    ),
    "fit_cost": (
        "slope, a = np.polyfit(sizes, seconds, 1); return a, 1 / slope",
        "only cares for the large messages",
    ),
    "balance": ("return {key: 0 for key in sizes}", "do you add to its load?"),
}

pytestmark = pytest.mark.skipif(
    not find_chromium(), reason="no Chromium here; on Debian: apt install chromium"
)


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """A JupyterLab on a copy of the notebooks."""
    server = Lab(tmp_path_factory.mktemp("lab"))
    try:
        server.wait_until_ready()
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="module")
def browser():
    """A Chromium without a window."""
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=find_chromium())
        yield chromium
        chromium.close()


@contextlib.contextmanager
def opened(browser, lab, name):
    """Open a notebook in a page of its own; photograph what a failure leaves there."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    for path in PICTURES.glob(f"{name.removesuffix('.ipynb')}[._]*png"):
        path.unlink()
    page = browser.new_page(viewport=WINDOW)
    notebook = Notebook(page, lab, name)
    try:
        notebook.open()
        yield notebook
    except BaseException:
        page.screenshot(path=picture(name, "_failed"))
        raise
    finally:
        page.close()
        lab.end_kernels()


def picture(name, suffix=""):
    return PICTURES / name.replace(".ipynb", f"{suffix}.png")


def first_exercise(cells):
    """Return the index of the first cell that is to be filled in, or None."""
    return next((i for i, c in enumerate(cells) if STUB.search(c.source)), None)


def wrong_answer(source):
    """Return a stub's source with a wrong answer in it, and words of the reason."""
    name = re.search(r"^(?:def|class) (\w+)", source, re.MULTILINE)[1]
    assert name in WRONG_ANSWERS, f"{name}: give WRONG_ANSWERS an answer to it"
    answer, words = WRONG_ANSWERS[name]
    return STUB.sub(lambda stub: stub[1] + answer, source), words


def right_answer(name, cell_id):
    """Return the source of the same cell in the teacher's notebook."""
    teacher = nbformat.read(PROJECT / "notebooks" / "teacher" / name, 4)
    (source,) = [cell.source for cell in teacher.cells if cell.id == cell_id]
    lines = source.split("\n")
    return "\n".join(line for line in lines if not line.endswith(" SOLUTION"))


def verdict_on(notebook, index, source):
    """Type an answer, run it and its check, and return what the page shows."""
    notebook.replace(index, source)
    notebook.press_shift_enter(index)
    notebook.require_no_error(index)
    notebook.press_shift_enter(index + 1)
    notebook.require_no_error(index + 1)
    return notebook.look()[index + 1]["text"]


def solve(notebook, index):
    """Do an exercise wrong, then right, and read both verdicts in the page."""
    where, cell = notebook.where(index), notebook.cells[index]
    shown = notebook.look()[index + 1]["text"]
    assert "not attempted yet" in shown, f"{where}: the check shows {shown!r}"

    answer, words = wrong_answer(cell.source)
    shown = verdict_on(notebook, index, answer)
    assert "not yet: " in shown and words in shown, f"{where}: wrong, and {shown!r}"
    notebook.photograph(picture(notebook.name, "_exercise"))

    shown = verdict_on(notebook, index, right_answer(notebook.name, cell.id))
    assert shown.strip().endswith(": passed"), f"{where}: right, and {shown!r}"


def run_cell_by_cell(notebook):
    """Run all cells and solve an exercise; return whether Ray was seen at work."""
    exercise, ray_seen = first_exercise(notebook.cells), False
    for index in range(notebook.code[-1] + 1):
        notebook.press_shift_enter(index)
        notebook.require_outputs(index)
        ray_seen = ray_seen or bool(notebook.lab.ray_processes())
        if exercise is not None and index == exercise + 1:
            solve(notebook, exercise)
    return ray_seen


def require_as_stored(notebook):
    """Require outputs and figures as stored, in the page and in the saved file."""
    saved = notebook.save()
    for index in range(len(notebook.cells)):
        notebook.require_outputs(index)
    for index in notebook.code:
        notebook.require_captions(index, saved.cells[index])


@pytest.mark.parametrize("name", NAMES)
def test_a_student_works_through_a_notebook(browser, lab, name):
    with opened(browser, lab, name) as notebook:
        ray_seen = run_cell_by_cell(notebook)
        notebook.restart_and_run_all()
        require_as_stored(notebook)
        notebook.photograph(picture(name), whole=True)
        notebook.shut_down()
        notebook.wait(lab.ray_processes, [], f"{name}: Ray processes at the end", 20)
    starts_ray = any("session.start(" in cell.source for cell in notebook.cells)
    assert ray_seen == starts_ray, f"{name}: Ray processes were seen: {ray_seen}"
