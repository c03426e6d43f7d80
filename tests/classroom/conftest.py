"""The browser that the tests of the site and of the notebooks drive."""

import shutil

import pytest


@pytest.fixture(scope="session")
def browser():
    """A Chromium without a window; skip where there is none."""
    from playwright.sync_api import sync_playwright  # no other test needs it

    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if not chromium:
        pytest.skip("no Chromium here; on Debian: apt install chromium")
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(
            executable_path=chromium, args=["--no-sandbox"]
        )
        yield launched
        launched.close()
