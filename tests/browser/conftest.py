"""The built book, and the browser to look at it with.

The browser is the system's Chromium. Where there is none these tests are skipped, loudly; in CI
that is an error, unless ``SPA2V_NO_BROWSER=1`` says that it is meant.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from functools import partial
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from looking import MISSING, QuietHandler, chromium, without_browser

ROOT = Path(__file__).resolve().parents[2]


def pytest_terminal_summary(terminalreporter: Any) -> None:
    if os.environ.get("SPA2V_NO_BROWSER") == "1" or not chromium():
        terminalreporter.section("THE BOOK WAS NOT LOOKED AT", red=True, bold=True)
        terminalreporter.line(MISSING)


@pytest.fixture(scope="session")
def address() -> Iterator[str]:
    """Serve the built book to this machine alone."""
    html = ROOT / os.environ.get("SPA2V_BOOK", "book/_build/html")
    if not (html / "search.html").is_file():
        pytest.fail(f"{html.relative_to(ROOT)} holds no book; `make book` builds it", pytrace=False)
    handler = partial(QuietHandler, directory=os.fspath(html))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    if without_browser(dict(os.environ)):
        pytest.skip(MISSING)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        # the sandbox needs rights that containers do not give; only our own pages are opened
        started = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        yield started
        started.close()
