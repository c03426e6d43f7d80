"""Tests of the site: its pages, links and captions, in a browser and on a phone."""

import contextlib
import functools
import json
import os
import re
import socket
import subprocess
import sys
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from bs4 import BeautifulSoup

ROOT = Path(__file__).parent.parent.parent
SITE = ROOT / "build" / "site"
SCREENSHOTS = ROOT / "build" / "site-screenshots"
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
OTHERS = [
    "notebooks/glossary.html",
    "notebooks/paper_claims.html",
    "notebooks/cluster/README.html",
    "own_model.html",
    "api.html",
]
READING_ORDER = [
    "index.html",
    *(f"notebooks/{path.stem}.html" for path in NOTEBOOKS),
    *OTHERS,
]
PAGES = [*READING_ORDER, "search.html"]
WIDTHS = {"phone": 375, "desk": 1280}
LEAK = re.compile(
    r"/(?:root|home|tmp|work|Users|opt|usr)/"  # a machine's folders
    r"|\b\d{1,3}(?:\.\d{1,3}){3}\b"  # addresses
    r"|\b(?:gh[opsu]|github_pat)_\w{20}|\btoken=\w"  # tokens
    rf"|{re.escape(str(ROOT))}"
)
HOST = re.compile(rf"\b{re.escape(socket.gethostname())}\b")

every_page = pytest.mark.parametrize("page", PAGES)
every_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)


@pytest.fixture(scope="module")
def built():
    """Render the site as `make site` does; return what that said."""
    return subprocess.run(
        [sys.executable, ROOT / "site" / "build.py"], capture_output=True, text=True
    )


@pytest.fixture(scope="module")
def soup(built):
    """Return a function that parses a page, each page once."""

    @functools.cache
    def parse(page):
        return BeautifulSoup((SITE / page).read_text(), "html.parser")

    return parse


def cells(path):
    return json.loads(path.read_text())["cells"]


def page_of(path):
    return f"notebooks/{path.stem}.html"


# The build


def test_sphinx_warns_of_nothing_and_makes_no_other_pages(built):
    assert built.returncode == 0 and built.stdout + built.stderr == ""
    found = {str(path.relative_to(SITE)) for path in SITE.rglob("*.html")}
    assert found == set(PAGES)
    pages = "".join((SITE / page).read_text() for page in PAGES)
    assert "BEGIN SOLUTION" not in pages and "teacher" not in pages


@every_notebook
def test_a_page_has_the_title_code_outputs_and_captions_of_its_notebook(soup, path):
    page = soup(page_of(path))
    heading = "".join(cells(path)[0]["source"]).splitlines()[0].removeprefix("# ")
    assert heading in page.title.text and page.h1.text.startswith(heading)
    sources = ["".join(c["source"]) for c in cells(path) if c["cell_type"] == "code"]
    shown = [block.text.rstrip("\n") for block in page.select(".cell_input pre")]
    assert shown == sources
    blocks = page.select(".cell_output pre, .cell_output figcaption")
    shown = "".join(block.text for block in blocks)
    outputs = [out for cell in cells(path) for out in cell.get("outputs", [])]
    for output in outputs:
        for line in "".join(output.get("text", "")).splitlines():
            assert line.strip() in shown
    pictures = [
        out["metadata"] for out in outputs if "image/png" in out.get("data", {})
    ]
    captions = [picture["image/png"]["alt"] for picture in pictures]
    figures = page.select(".cell_output figure")
    assert all(captions) and [figure.img["alt"] for figure in figures] == captions
    assert [figure.select_one(".caption-text").text for figure in figures] == captions


# Navigation


@pytest.mark.parametrize("page", READING_ORDER)
def test_previous_next_and_sidebar_follow_the_reading_order(soup, page):
    place = READING_ORDER.index(page)
    for selector, wanted in {
        ".related-pages .prev-page": READING_ORDER[:place][-1:],
        ".related-pages .next-page": READING_ORDER[place + 1 :][:1],
        ".sidebar-tree a": READING_ORDER[1:],
    }.items():
        links = [a["href"].removeprefix("#") for a in soup(page).select(selector)]
        assert [target(page, link)[0] for link in links] == wanted


def target(page, link):
    """Return the file and the anchor, in the site, that a page's link leads to."""
    parts = urlsplit(link)
    folder = os.path.dirname(page)
    path = os.path.normpath(os.path.join(folder, parts.path)) if parts.path else page
    return unquote(path), unquote(parts.fragment)


@every_page
def test_internal_links_lead_somewhere_and_nothing_comes_from_elsewhere(soup, page):
    """Links may lead to other sites; images, styles and scripts must be here."""
    tags = soup(page).find_all(lambda tag: tag.get("href") or tag.get("src"))
    found = [(tag, tag.get("href") or tag.get("src")) for tag in tags]
    assert len(found) > 10
    for tag, link in found:
        if urlsplit(link).scheme or urlsplit(link).netloc:
            assert tag.name == "a" or not urlsplit(link).netloc, tag
            continue
        path, anchor = target(page, link)
        assert (SITE / path).is_file(), link
        if anchor and path.endswith(".html"):
            assert soup(path).find(id=anchor) is not None, link


@every_notebook
def test_links_between_notebooks_lead_to_pages(soup, path):
    texts = ("".join(c["source"]) for c in cells(path) if c["cell_type"] != "code")
    written = re.findall(r"\]\((\w+)\.ipynb", "".join(texts))
    links = soup(page_of(path)).select("article a[href]")
    found = {link["href"].split("#")[0] for link in links}
    assert {f"{name}.html" for name in written} <= found


@every_page
def test_a_page_names_no_machine_and_its_images_have_text_and_size(soup, page):
    assert not LEAK.search((SITE / page).read_text())
    assert not HOST.search(soup(page).text)  # in the text: vm is a class of Pygments
    for image in soup(page).select("article img"):
        assert len(image["alt"]) > 20
        assert int(image["width"]) > 300 and int(image["height"]) > 100


# The landing page


def test_the_landing_page_gives_each_notebook_the_idea_that_the_readme_gives():
    row = r"^\| \[\w+ ([^]]+)\]\((notebooks/\w+\.ipynb)\) \| ([^|]+) \|"
    item = r"^- \w+ · \[([^]]+)\]\(([^)]+)\):\s+(.+)$"
    rows = re.findall(row, (ROOT / "README.md").read_text(), re.MULTILINE)
    landing = (ROOT / "site" / "index.md").read_text()
    assert [path for _, path, _ in rows] == [f"notebooks/{p.name}" for p in NOTEBOOKS]
    assert re.findall(item, landing, re.MULTILINE) == rows


# In a browser


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *arguments):
        pass


@pytest.fixture(scope="module")
def address(built):
    """Serve the site on a free port of this machine."""
    handler = functools.partial(Quiet, directory=SITE)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@contextlib.contextmanager
def visited(browser, address, **options):
    """Open an address; what was asked of whom is noted in the tab."""
    context = browser.new_context(**options)
    tab = context.new_page()
    tab.asked = []
    tab.on("request", lambda request: tab.asked.append(request.url))
    tab.goto(address, wait_until="networkidle")
    yield tab
    context.close()


@every_page
@pytest.mark.parametrize("width", WIDTHS.values(), ids=WIDTHS)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_page_fits_asks_nobody_else_and_axe_finds_nothing_serious(
    browser, address, page, width, scheme
):
    size = {"width": width, "height": 800}
    options = {"viewport": size, "color_scheme": scheme}
    with visited(browser, f"{address}/{page}", **options) as tab:
        violations = Axe().run(tab).response["violations"]
        assert tab.evaluate("document.documentElement.scrollWidth") <= width
        SCREENSHOTS.mkdir(exist_ok=True)
        name = f"{page.removesuffix('.html').replace('/', '-')}-{width}-{scheme}.png"
        tab.screenshot(path=SCREENSHOTS / name, full_page=True)
    found = [v for v in violations if v["impact"] in ("serious", "critical")]
    places = [[node["target"] for node in v["nodes"]][:3] for v in found]
    assert not found, [(v["id"], where) for v, where in zip(found, places, strict=True)]
    assert len(tab.asked) > 5
    assert [url for url in tab.asked if not url.startswith(address)] == []


# The slides


@pytest.fixture(scope="module")
def slides():
    """Write the slides as `make slides` does; return their folder."""
    python = ROOT / ".venv" / "bin" / "python"
    command = [python, "-m", "ps_helpers.tools.slides"]
    subprocess.run(command, cwd=ROOT, check=True)
    return ROOT / "build" / "slides"


@every_notebook
def test_slides_fit_turn_ask_nobody_and_axe_finds_nothing_serious(
    browser, slides, path
):
    size = {"width": 1280, "height": 720}  # of a projector
    for name in (f"{path.stem}.html", f"{path.stem}-figures.html"):
        page = (slides / name).as_uri()
        with visited(browser, page, viewport=size) as tab:
            violations = Axe().run(tab).response["violations"]
            assert [u for u in tab.asked if not u.startswith("data:")] == [page]
            assert tab.evaluate("document.documentElement.scrollWidth") <= 1280
            if "figures" not in name:
                high = "[...document.querySelectorAll('section')].map(s => s.%s)"
                heights = tab.evaluate(high % "scrollHeight")
                assert set(heights) == {720} and len(heights) > 5
                for at in (720, 1440):
                    tab.keyboard.press("ArrowRight")
                    assert tab.evaluate("scrollY") == at
        found = [v["id"] for v in violations if v["impact"] in ("serious", "critical")]
        assert found == []
