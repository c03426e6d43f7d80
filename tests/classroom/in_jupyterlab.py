"""Run JupyterLab on a copy of the notebooks, and drive it in a real browser."""

import contextlib
import json
import os
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
import uuid
from pathlib import Path

import nbformat
import psutil

PROJECT = Path(__file__).parents[2]
MARKER = "PS_BROWSER_TEST"  # every process of the server inherits it, Ray's too
DRIVER_VARIABLE = "PS_HELPERS_DRIVER"  # as in lab.processes: marks those of Ray
CELL_SECONDS = 120  # for one cell, as in pyproject.toml
START_SECONDS = 120  # for JupyterLab and for a kernel, on a busy machine
ABANDONED_SECONDS = 600  # without anything to do, longer than any test waits
SETTINGS = {
    # The default leaves out of the page what is not on the screen.
    "@jupyterlab/notebook-extension:tracker": {"windowingMode": "none"},
    # The default asks in a pop-up whether to fetch Jupyter's news.
    "@jupyterlab/apputils-extension:notification": {
        "fetchNews": "false",
        "checkForUpdates": False,
    },
}
# JupyterLab shows an exception with the type of standard error.
LOOK = """cells => cells.map(cell => ({
    prompt: cell.querySelector('.jp-InputPrompt').innerText,
    active: cell.classList.contains('jp-mod-active'),
    outputs: cell.querySelectorAll('.jp-OutputArea-output').length,
    text: cell.querySelector('.jp-OutputArea')?.innerText ?? '',
    red: [...cell.querySelectorAll(
        '[data-mime-type="application/vnd.jupyter.stderr"],' +
        '[data-mime-type="application/vnd.jupyter.error"]'
    )].map(output => output.innerText),
    figures: [...cell.querySelectorAll('img')].map(image => image.naturalWidth > 0),
    alts: [...cell.querySelectorAll('.jp-MarkdownOutput img')].map(image => image.alt),
}))"""


class JupyterLab:
    """A JupyterLab that serves a copy of the notebooks, in a folder of its own."""

    python = PROJECT / ".venv" / "bin" / "python"

    def __init__(self, folder):
        self.folder, self.token, self.log = folder, uuid.uuid4().hex, folder / "log"
        shutil.copytree(
            PROJECT / "notebooks",
            folder / "notebooks",
            ignore=shutil.ignore_patterns("teacher", ".*"),
        )
        config = folder / "home" / ".jupyter" / "labconfig"
        config.mkdir(parents=True)
        (config / "default_setting_overrides.json").write_text(json.dumps(SETTINGS))
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                self._command(), env=self._environment(), stdout=log, stderr=log
            )

    def _command(self):
        options = f"""--no-browser --ServerApp.port_retries=0
            --ServerApp.port={self.port} --IdentityProvider.token={self.token}
            --ServerApp.shutdown_no_activity_timeout={ABANDONED_SECONDS}
            --MappingKernelManager.cull_idle_timeout={ABANDONED_SECONDS}
            --MappingKernelManager.cull_connected=True""".split()
        options += ["--allow-root"] * (os.getuid() == 0)
        root = f"--ServerApp.root_dir={self.folder}"
        return [self.python, "-m", "jupyterlab", root, *options]

    def _environment(self):
        foreign = "JUPYTER", "IPYTHON", "XDG_", "PYTHONPATH", DRIVER_VARIABLE
        kept = {k: v for k, v in os.environ.items() if not k.startswith(foreign)}
        return {**kept, "HOME": str(self.folder / "home"), MARKER: self.token}

    def wait_until_ready(self):
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end and self.process.poll() is None:
            with contextlib.suppress(urllib.error.URLError, ConnectionError):
                return self.ask("api/status")
            time.sleep(0.5)
        raise AssertionError(f"JupyterLab did not start:\n{self.log.read_text()}")

    def ask(self, path, method="GET", body=None):
        """Ask the server over HTTP; return its answer."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/{path}",
            data=body and json.dumps(body).encode(),
            headers={"Authorization": f"token {self.token}"},
            method=method,
        )
        with urllib.request.urlopen(request, timeout=60) as response:
            return json.loads(response.read() or "null")

    def address(self, name):
        """Return the address at which a browser sees a notebook and nothing else."""
        path = f"lab/tree/notebooks/{name}?token={self.token}&reset"
        return f"http://127.0.0.1:{self.port}/{path}"

    def ray_processes(self):
        """Return the names of the Ray processes that notebooks of this server own."""
        return [process.name() for process in self._marked(DRIVER_VARIABLE)]

    def _marked(self, variable=MARKER):
        """Return the server's descendants, orphans too, that have a variable set."""
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                environment = process.environ()
                if environment.get(MARKER) == self.token and variable in environment:
                    found.append(process)
        return found

    def end_kernels(self):
        for kernel in self.ask("api/kernels"):
            self.ask(f"api/kernels/{kernel['id']}", method="DELETE")

    def stop(self):
        """End the server, and whatever a failed test has left of it."""
        self.process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(30)
        for process in self._marked():
            with contextlib.suppress(psutil.Error):
                process.kill()
        self.process.wait(30)


class Notebook:
    """A notebook of a lab, open in a page of the browser.

    ``cells`` are the stored ones, from which the lab's copy differs in that its
    outputs are cleared: a stored prompt looks like that of a cell that ran.
    """

    def __init__(self, page, lab, name):
        self.page, self.lab, self.name = page, lab, name
        self.cells = nbformat.read(PROJECT / "notebooks" / name, 4).cells
        self.count = 0  # what the kernel has executed
        cleared = nbformat.read(PROJECT / "notebooks" / name, 4)
        for cell in (cleared.cells[index] for index in self.code):
            cell.outputs, cell.execution_count = [], None
        nbformat.write(cleared, lab.folder / "notebooks" / name)

    @property
    def code(self):
        """The indices of the code cells."""
        return [i for i, cell in enumerate(self.cells) if cell.cell_type == "code"]

    def where(self, index):
        return f"{self.name}, cell {index + 1} (id {self.cells[index].id})"

    def look(self):
        """Return what the page shows of each cell."""
        return self.page.locator(".jp-Notebook .jp-Cell").evaluate_all(LOOK)

    def wait(self, read, wanted, where, seconds=30):
        """Wait until read() is what is wanted; fail with what was seen instead."""
        end = time.monotonic() + seconds
        while (seen := read()) != wanted:
            if time.monotonic() > end:
                raise AssertionError(f"{where}: {seen!r}, not {wanted!r}")
            self.page.wait_for_timeout(100)

    def open(self):
        """Open the notebook, and wait until its cells are there and its kernel idle."""
        self.page.goto(self.lab.address(self.name))
        # The status bar, for the circle in the toolbar is idle without a kernel too.
        self.page.get_by_text("| Idle").wait_for(timeout=START_SECONDS * 1000)
        self.wait(lambda: len(self.look()), len(self.cells), f"{self.name}: cells")
        first = self.page.locator(".jp-Notebook .jp-Cell").first
        first.click(position={"x": 5, "y": 5})

    def press_shift_enter(self, index):
        """Run the cell, which must be the active one; wait until it is done."""
        self.wait(
            lambda: [i for i, cell in enumerate(self.look()) if cell["active"]],
            [index],
            f"{self.where(index)}: the active cells",
        )
        self.page.keyboard.press("Shift+Enter")
        if self.cells[index].cell_type == "code":
            self.count += 1
            self.wait_for_prompt(index, self.count)

    def wait_for_prompt(self, index, count, seconds=CELL_SECONDS):
        """Wait until a cell shows the number of its run, or * while it runs."""
        self.wait(
            lambda: self.look()[index]["prompt"],
            f"[{count}]:",
            f"{self.where(index)}: its prompt in {seconds} s",
            seconds,
        )

    def require_no_error(self, index):
        red = self.look()[index]["red"]
        assert not red, f"{self.where(index)} shows in red: {red}"

    def require_outputs(self, index):
        """Require as many outputs and figures as stored, all drawn, and no error."""
        self.require_no_error(index)
        cell, where = self.cells[index], self.where(index)
        if is_live(cell):
            return
        self.wait(
            lambda: self.look()[index]["figures"],
            [True] * number_of_figures(cell),
            f"{where}: which of its figures are drawn",
        )
        seen = self.look()[index]
        assert all(seen["alts"]), f"{where}: a figure has no alternative text"
        outputs = len(cell.get("outputs", []))
        assert seen["outputs"] == outputs, (
            f"{where} shows {seen['outputs']} outputs, not {outputs}: {seen['text']!r}"
        )

    def replace(self, index, source):
        """Replace the source of a cell, and leave the cursor in it."""
        cell = self.page.locator(".jp-Notebook .jp-Cell").nth(index)
        editor = cell.locator(".cm-content")
        editor.click()
        self.page.keyboard.press("Control+a")
        self.page.keyboard.insert_text(source)
        self.wait(
            lambda: editor.locator(".cm-line").all_inner_texts(),
            [line or "\n" for line in source.split("\n")],
            f"{self.where(index)}: what was typed",
        )

    def choose(self, menu, item):
        """Choose an item of a menu."""
        self.page.locator(".lm-MenuBar-itemLabel", has_text=menu).first.click()
        self.page.locator(".lm-Menu-itemLabel", has_text=item).first.click()

    def restart_and_run_all(self):
        """Restart the kernel, run all cells, and wait until the last one is done."""
        self.choose("Kernel", "Restart Kernel and Run All Cells…")
        self.page.locator(".jp-Dialog .jp-mod-accept").click()
        self.wait_for_prompt(self.code[-1], "*", START_SECONDS)
        for done, index in enumerate(self.code, 1):
            self.wait_for_prompt(index, done)
            self.require_no_error(index)

    def shut_down(self):
        """Shut the kernel down, and wait until the server has none."""
        self.choose("Kernel", "Shut Down Kernel")
        self.wait(lambda: self.lab.ask("api/kernels"), [], f"{self.name}: kernels")


def is_live(cell):
    """Return whether a cell shows sliders or progress, which are not stored."""
    ignored = "nbval-ignore-output" in cell.metadata.get("tags", [])
    return cell.cell_type == "code" and ignored and not cell.outputs


def number_of_figures(cell):
    """Return how many images a stored cell shows."""
    if cell.cell_type == "code":
        return sum("image/png" in out.get("data", {}) for out in cell.outputs)
    return cell.source.count("![")
