"""A real browser that calls nobody, and a look at a page that must be quiet."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
QUIET = [
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--no-sandbox",
]


@contextmanager
def opened_browser() -> Iterator[Any]:
    """Chromium; the test is skipped where it or playwright is not installed."""
    if CHROMIUM is None:
        pytest.skip("needs Chromium, which is not installed")
    playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright")
    with playwright.sync_playwright() as runner:
        opened = runner.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield opened
        opened.close()


@contextmanager
def quiet_page(browser: Any, file: Path, width: int) -> Iterator[Any]:
    """The page in a window of that width; at the end it must fit, and have said and asked nothing."""
    page = browser.new_page(viewport={"width": width, "height": 800})
    said: list[str] = []
    asked: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(file.as_uri())
    yield page
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert not said
    assert not [url for url in asked if not url.startswith(("file:", "data:"))]
    page.close()


def unfold(page: Any) -> None:
    """Open all that is folded up."""
    for details in page.locator("summary").all():
        details.click()
