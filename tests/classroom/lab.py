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
DRIVER_VARIABLE = (
    "PS_HELPERS_DRIVER"  # as in lab.session: marks those of Ray
)
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


def find_chromium():
    """Return the path of an installed Chromium, or None."""
    return shutil.which("chromium") or shutil.which("chromium-browser")


class Lab:
    """A JupyterLab that serves a copy of the notebooks, in a folder of its own."""

    def __init__(self, folder):
        self.folder, self.token, self.log = folder, uuid.uuid4().hex, folder / "log"
        shutil.copytree(
            PROJECT / "notebooks",
            folder / "notebooks",
            ignore=shutil.ignore_patterns("teacher", ".*"),
        )
        config = folder / "home" / ".jupyter" / "labconfig"
        config.mkdir(parents=True)
        overrides = config / "default_setting_overrides.json"
        overrides.write_text(json.dumps(SETTINGS))
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                self._command(), env=self._environment(), stdout=log, stderr=log
            )

    def _command(self):
        command = [PROJECT / ".venv" / "bin" / "python", "-m", "jupyterlab"]
        command += ["--no-browser", "--ServerApp.port_retries=0"]
        command += [
            f"--ServerApp.port={self.port}",
            f"--ServerApp.root_dir={self.folder}",
        ]
        command += [f"--IdentityProvider.token={self.token}"]
        command += [  # a server that a killed test leaves behind ends by itself
            f"--ServerApp.shutdown_no_activity_timeout={ABANDONED_SECONDS}",
            f"--MappingKernelManager.cull_idle_timeout={ABANDONED_SECONDS}",
            "--MappingKernelManager.cull_connected=True",
        ]
        return command + ["--allow-root"] * (os.getuid() == 0)

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

    def ask(self, path, method="GET"):
        """Ask the server over HTTP; return its answer."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/{path}",
            headers={"Authorization": f"token {self.token}"},
            method=method,
        )
        with urllib.request.urlopen(request, timeout=30) as response:
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
        self.path = lab.folder / "notebooks" / name
        self.cells = nbformat.read(PROJECT / "notebooks" / name, 4).cells
        self.count = 0  # what the kernel has executed
        cleared = nbformat.read(PROJECT / "notebooks" / name, 4)
        for cell in cleared.cells:
            if cell.cell_type == "code":
                cell.outputs, cell.execution_count = [], None
        nbformat.write(cleared, self.path)

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
                raise AssertionError(
                    f"{where}: {seen!r}, not {wanted!r}, in {seconds} s"
                )
            self.page.wait_for_timeout(100)

    def open(self):
        """Open the notebook, and wait until its cells are there and its kernel idle."""
        self.page.goto(self.lab.address(self.name))
        # The status bar, for the circle in the toolbar is idle without a kernel too.
        idle = self.page.get_by_text("| Idle")
        idle.wait_for(timeout=START_SECONDS * 1000)
        self.wait(lambda: len(self.look()), len(self.cells), f"{self.name}: cells")
        self.page.locator(".jp-Notebook .jp-Cell").first.click(
            position={"x": 5, "y": 5}
        )

    def press_shift_enter(self, index):
        """Run the cell, which must be the active one; wait until it is done."""
        where = self.where(index)
        active = lambda: [i for i, c in enumerate(self.look()) if c["active"]]  # noqa: E731
        self.wait(active, [index], f"{where}: the active cells")
        self.page.keyboard.press("Shift+Enter")
        if self.cells[index].cell_type == "code":
            self.count += 1
            prompt = f"[{self.count}]:"
            self.wait(
                lambda: self.look()[index]["prompt"],
                prompt,
                f"{where}: its prompt",
                CELL_SECONDS,
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

    def require_captions(self, index, cell):
        """Require that a saved figure's alternative text can be read in the page.

        JupyterLab does not hand it on to the image, so that it must be printed too.
        """
        where, text = self.where(index), " ".join(self.look()[index]["text"].split())
        for output in cell.outputs:
            assert output.output_type != "error", f"{where}: an error is saved"
            if "image/png" in output.get("data", {}):
                caption = output.metadata.get("image/png", {}).get("alt")
                assert caption, f"{where}: a figure has no alternative text"
                assert caption in text, f"{where}: {caption!r} is not in {text!r}"

    def replace(self, index, source):
        """Replace the source of a cell, and leave the cursor in it."""
        editor = self.page.locator(".jp-Notebook .jp-Cell").nth(index)
        editor = editor.locator(".cm-content")
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
        last = self.code[-1]
        self.wait(
            lambda: self.look()[last]["prompt"],
            "[*]:",
            f"{self.where(last)}: its prompt after a restart",
            START_SECONDS,
        )
        for done, index in enumerate(self.code, 1):
            self.wait(
                lambda index=index: self.look()[index]["prompt"],
                f"[{done}]:",
                f"{self.where(index)}: its prompt when all cells run",
                CELL_SECONDS,
            )
            self.require_no_error(index)

    def save(self):
        """Save the notebook, and return it once the file is written."""
        self.page.keyboard.press("Control+s")
        self.wait(
            self.saved_prompts,
            list(range(1, len(self.code) + 1)),
            f"{self.name}: the saved prompts",
        )
        return nbformat.read(self.path, 4)

    def saved_prompts(self):
        """Return the prompts in the file, or None while it is being written."""
        try:
            cells = nbformat.read(self.path, 4).cells
        except nbformat.reader.NotJSONError:
            return None
        return [cells[i].execution_count for i in self.code]

    def shut_down(self):
        """Shut the kernel down, and wait until the server has none."""
        self.choose("Kernel", "Shut Down Kernel")
        self.wait(lambda: self.lab.ask("api/kernels"), [], f"{self.name}: kernels")

    def photograph(self, path, whole=False):
        """Store a picture of the window, or of the whole notebook in a tall window."""
        size = self.page.viewport_size
        if whole:
            panel = self.page.locator(".jp-WindowedPanel-outer")
            height = panel.evaluate("panel => panel.scrollHeight")
            self.page.set_viewport_size({**size, "height": height + 150})
            self.page.wait_for_timeout(1000)
            panel.evaluate("panel => { panel.scrollTop = 0 }")
            self.page.wait_for_timeout(1000)
        self.page.screenshot(path=path)
        self.page.set_viewport_size(size)


def is_live(cell):
    """Return whether a cell shows sliders or progress, which are not stored."""
    ignored = "nbval-ignore-output" in cell.metadata.get("tags", [])
    return cell.cell_type == "code" and ignored and not cell.outputs


def number_of_figures(cell):
    """Return how many images a stored cell shows."""
    if cell.cell_type == "code":
        return sum("image/png" in out.get("data", {}) for out in cell.outputs)
    return cell.source.count("![")
