"""ComfyUI's own page, in a real browser, on a real server with this pack installed.

Skipped, with the reason, where ComfyUI, Playwright or Chromium is missing.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from faceloom.tests.host.comfyui import PACK, Host
from faceloom.tests.host.pictures import save_pictures

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
READY = "() => window.app?.graph && window.app.extensionManager && window.LiteGraph"
# The page as a newcomer's window; screenshots are as large.
WINDOW = {"width": 1700, "height": 1000}
EMPTY = "{version: 0.4, last_node_id: 0, last_link_id: 0, nodes: [], links: [], groups: []}"
CLEAR = f"async () => {{ await app.loadGraphData({EMPTY}) }}"


def about_us(complaints: list[str]) -> list[str]:
    """Those of the page's complaints that name FaceLoom, but for what it asks others about us."""
    others = ("https://api.comfy.org",)
    return [
        text
        for text in complaints
        if "faceloom" in text.lower() and not any(other in text for other in others)
    ]


@pytest.fixture(scope="package")
def chromium() -> str:
    """The browser's path, or a skip."""
    pytest.importorskip("playwright.sync_api", reason="Playwright is not installed: make test-host")
    named = [os.environ["CHROMIUM"]] if "CHROMIUM" in os.environ else BROWSERS
    found = next(filter(None, map(shutil.which, named)), None)
    if found is None:
        pytest.skip(f"there is no browser called {' or '.join(named)}; name one with CHROMIUM")
    return found


@pytest.fixture(scope="package")
def host(chromium, tmp_path_factory) -> Iterator[Host]:
    """A running ComfyUI with pictures in its input folder."""
    base = tmp_path_factory.mktemp("browser") / "ComfyUI"
    save_pictures(base / "input")
    with Host(base) as host:
        yield host


@pytest.fixture(scope="package")
def server(host) -> str:
    """Its address."""
    return host.url


@pytest.fixture(scope="package")
def opened(chromium, server) -> Iterator[SimpleNamespace]:
    """The page, loaded once; `at_load` is what it complained about, `complaints` what since."""
    from playwright.sync_api import sync_playwright

    complaints: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport=WINDOW, locale="en-US")
        # Nothing outside the server: the page would ask for news and wait for them.
        page.route(lambda address: not address.startswith(server), lambda route: route.abort())
        page.on("pageerror", lambda error: complaints.append(f"{error}\n{error.stack}"))
        page.on(
            "console",
            lambda message: (
                message.type in ("error", "warning")
                and complaints.append(f"{message.type}: {message.text} {message.location['url']}")
            ),
        )
        page.goto(server, wait_until="load")
        page.wait_for_function(READY, timeout=120_000)
        page.wait_for_selector("canvas#graph-canvas", timeout=60_000)
        yield SimpleNamespace(page=page, complaints=complaints, at_load=list(complaints))
        browser.close()


@pytest.fixture
def page(opened):
    """The page with an empty graph."""
    opened.page.keyboard.press("Escape")
    opened.page.evaluate(CLEAR)
    opened.complaints.clear()
    return opened.page


@pytest.fixture
def complaints(page, opened) -> list[str]:
    """What the page has complained about since the test began."""
    return opened.complaints


@pytest.fixture(scope="session")
def screenshots() -> Path:
    """Where screenshots go: SCREENSHOTS, else output/screenshots."""
    folder = Path(os.environ.get("SCREENSHOTS", PACK / "output" / "screenshots"))
    folder.mkdir(parents=True, exist_ok=True)
    return folder
