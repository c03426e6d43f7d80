"""Tests of the site: its pages, links and captions, in a browser and on a phone."""

import functools
import json
import os
import re
import shutil
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
from playwright.sync_api import sync_playwright

ROOT = Path(__file__).parent.parent.parent
SITE = ROOT / "build" / "site"
SCREENSHOTS = ROOT / "build" / "site-screenshots"
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
GLOSSARY = sorted((ROOT / "notebooks").glob("glossary.md"))
READING_ORDER = ["index.html"] + [
    f"notebooks/{path.stem}.html" for path in [*NOTEBOOKS, *GLOSSARY]
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


def captions(path):
    """Return the alternative texts stored with a notebook's pictures, in order."""
    return [
        output["metadata"]["image/png"]["alt"]
        for cell in cells(path)
        for output in cell.get("outputs", [])
        if "image/png" in output.get("data", {})
    ]


def page_of(path):
    return f"notebooks/{path.stem}.html"


# The build


def test_sphinx_warns_of_nothing(built):
    assert built.returncode == 0, built.stderr
    assert built.stdout + built.stderr == ""


def test_there_are_no_other_pages(built):
    found = {str(path.relative_to(SITE)) for path in SITE.rglob("*.html")}
    assert found == set(PAGES)


@every_notebook
def test_a_notebook_has_a_page_with_its_title(soup, path):
    heading = "".join(cells(path)[0]["source"]).splitlines()[0].removeprefix("# ")
    page = soup(page_of(path))
    assert heading in page.title.text
    assert page.h1.text.startswith(heading)


@every_notebook
def test_a_page_shows_every_code_cell(soup, path):
    shown = soup(page_of(path)).select(".cell_input pre")
    sources = ["".join(c["source"]) for c in cells(path) if c["cell_type"] == "code"]
    assert [block.text.rstrip("\n") for block in shown] == sources


@every_notebook
def test_a_page_shows_what_the_cells_printed(soup, path):
    page = soup(page_of(path))
    shown = "".join(
        block.text for block in page.select(".cell_output pre, .cell_output figcaption")
    )
    for cell in cells(path):
        for output in cell.get("outputs", []):
            for line in "".join(output.get("text", "")).splitlines():
                assert line.strip() in shown


def test_no_solution_is_published(built):
    pages = "".join((SITE / page).read_text() for page in PAGES)
    assert "BEGIN SOLUTION" not in pages and "teacher" not in pages


# Navigation


@pytest.mark.parametrize("page", READING_ORDER)
def test_previous_and_next_follow_the_reading_order(soup, page):
    place = READING_ORDER.index(page)
    for selector, neighbours in (
        (".related-pages .prev-page", READING_ORDER[:place][-1:]),
        (".related-pages .next-page", READING_ORDER[place + 1 :][:1]),
    ):
        found = [target(page, a["href"])[0] for a in soup(page).select(selector)]
        assert found == neighbours


@pytest.mark.parametrize("page", READING_ORDER)
def test_the_sidebar_leads_to_every_page(soup, page):
    links = soup(page).select(".sidebar-tree a")
    found = [target(page, a["href"])[0] if a["href"] != "#" else page for a in links]
    assert found == READING_ORDER[1:]


def target(page, link):
    """Return the file and the anchor, in the site, that a page's link leads to."""
    parts = urlsplit(link)
    folder = os.path.dirname(page)
    path = os.path.normpath(os.path.join(folder, parts.path)) if parts.path else page
    return unquote(path), unquote(parts.fragment)


def links(page, tree):
    """Yield every link of a page that leads to another file or place of the site."""
    for tag in tree.find_all(True):
        for name in ("href", "src"):
            link = tag.get(name)
            if link is not None and not urlsplit(link).scheme:
                yield link


@every_page
def test_internal_links_lead_somewhere(soup, page):
    found = list(links(page, soup(page)))
    assert len(found) > 10
    for link in found:
        path, anchor = target(page, link)
        assert (SITE / path).is_file(), link
        if anchor and path.endswith(".html"):
            assert soup(path).find(id=anchor) is not None, link


@every_notebook
def test_links_between_notebooks_lead_to_pages(soup, path):
    text = "".join(
        "".join(cell["source"]) for cell in cells(path) if cell["cell_type"] != "code"
    )
    written = re.findall(r"\]\((\w+)\.ipynb", text)
    page = soup(page_of(path))
    found = [a["href"].split("#")[0] for a in page.select("article a[href]")]
    assert {f"{name}.html" for name in written} <= set(found)


@every_page
def test_nothing_comes_from_elsewhere(soup, page):
    """Links may lead to other sites; images, styles and scripts must be here."""
    for tag in soup(page).find_all(["img", "script", "link", "source", "iframe"]):
        address = urlsplit(tag.get("src") or tag.get("href") or "")
        assert not address.netloc, tag


@every_page
def test_a_page_names_no_machine(soup, page):
    assert not LEAK.search((SITE / page).read_text())
    assert not HOST.search(soup(page).text)  # in the text: vm is a class of Pygments


# The landing page


def test_the_landing_page_gives_each_notebook_the_idea_that_the_readme_gives():
    rows = re.findall(
        r"^\| \[\w+ ([^]]+)\]\((notebooks/\w+\.ipynb)\) \| ([^|]+) \|",
        (ROOT / "README.md").read_text(),
        re.MULTILINE,
    )
    landing = (ROOT / "site" / "index.md").read_text()
    items = re.findall(
        r"^- \w+ · \[([^]]+)\]\(([^)]+)\):\s+(.+)$", landing, re.MULTILINE
    )
    assert [path for _, path, _ in rows] == [f"notebooks/{p.name}" for p in NOTEBOOKS]
    assert items == rows


# Figures


@every_notebook
def test_each_output_figure_has_its_alternative_text_and_caption(soup, path):
    figures = soup(page_of(path)).select(".cell_output figure")
    texts = captions(path)
    assert all(texts)
    assert [figure.img["alt"] for figure in figures] == texts
    assert [figure.select_one(".caption-text").text for figure in figures] == texts


@every_page
def test_every_image_has_an_alternative_text_and_a_size(soup, page):
    for image in soup(page).select("article img"):
        assert len(image["alt"]) > 20
        assert int(image["width"]) > 300 and int(image["height"]) > 100


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


@pytest.fixture(scope="module")
def browser():
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if not chromium:
        pytest.skip("needs Chromium: apt install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium, args=["--no-sandbox"]
        )
        yield browser
        browser.close()


@pytest.fixture
def visit(browser, address):
    """Return a function that opens a page at a width; it notes what was asked."""
    contexts = []

    def open_page(page, width, scheme="light"):
        context = browser.new_context(
            viewport={"width": width, "height": 800}, color_scheme=scheme
        )
        contexts.append(context)
        tab = context.new_page()
        tab.asked = []
        tab.on("request", lambda request: tab.asked.append(request.url))
        tab.goto(f"{address}/{page}", wait_until="load")
        return tab

    yield open_page
    for context in contexts:
        context.close()


def describe(violation):
    places = [node["target"] for node in violation["nodes"]]
    return f"{violation['impact']} {violation['id']}: {len(places)}, {places[:3]}"


@every_page
@pytest.mark.parametrize("width", WIDTHS.values(), ids=WIDTHS)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(visit, page, width, scheme):
    tab = visit(page, width, scheme)
    violations = Axe().run(tab).response["violations"]
    found = [v for v in violations if v["impact"] in ("serious", "critical")]
    assert not found, "\n".join(map(describe, found))


@every_page
@pytest.mark.parametrize("width", WIDTHS.values(), ids=WIDTHS)
def test_a_page_is_no_wider_than_the_screen(visit, page, width):
    tab = visit(page, width)
    wide = tab.evaluate("document.documentElement.scrollWidth")
    SCREENSHOTS.mkdir(exist_ok=True)
    name = f"{page.removesuffix('.html').replace('/', '-')}-{width}.png"
    tab.screenshot(path=SCREENSHOTS / name, full_page=True)
    assert wide <= width


@every_page
def test_a_browser_asks_nobody_else(visit, address, page):
    tab = visit(page, 1280)
    tab.wait_for_load_state("networkidle")
    assert len(tab.asked) > 5
    assert [url for url in tab.asked if not url.startswith(address)] == []
