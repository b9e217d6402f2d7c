"""A browser without a network, for looking at the built book."""

from __future__ import annotations

import re
import shutil
from http.server import SimpleHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).resolve().parent
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
MISSING = (
    f"no Chromium was found ({', '.join(NAMES)}): no page of the book was looked at. Install it, "
    "or set SPA2V_NO_BROWSER=1 to go on without"
)
TIMEOUT_MS = 120_000
_SETTLED_MS = 500  # after a page has loaded: what is near the window has been asked for


def chromium() -> str | None:
    """Return the path of the system's Chromium."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


def without_browser(environment: dict[str, str]) -> bool:
    """Return whether to go on without a browser; refuse where that was not said.

    Raises
    ------
    pytest.fail.Exception
        In CI, if it was not said.
    """
    if environment.get("SPA2V_NO_BROWSER") == "1":
        return True
    if chromium():
        return False
    if environment.get("CI"):
        pytest.fail(MISSING, pytrace=False)
    return True


class QuietHandler(SimpleHTTPRequestHandler):
    """Serves files and keeps silent about it."""

    def log_message(self, *args: object) -> None:
        """Write nothing."""


class Visit:
    """A page as it was opened, with all that it said and asked for."""

    def __init__(
        self,
        browser: Any,
        address: str,
        name: str,
        scheme: str,
        width: int,
        *,
        ready: bool = True,
    ) -> None:
        self.said: list[str] = []
        self.asked_elsewhere: list[str] = []
        self._context = browser.new_context(
            color_scheme=scheme,
            viewport={"width": width, "height": 900},
            reduced_motion="reduce",  # what fades in has no colour of its own until it is there
        )
        self.page = self._context.new_page()
        self.page.set_default_timeout(TIMEOUT_MS)
        self.page.on("console", self._hear)
        self.page.on("pageerror", lambda error: self.said.append(f"error: {error}"))
        elsewhere = re.compile(rf"^(?!{re.escape(address)}|data:|blob:)")
        self.page.route(elsewhere, self._refuse)
        self.page.add_init_script(path=HERE / "probes.js")
        self.page.goto(address + name, wait_until="load")
        self.page.wait_for_timeout(_SETTLED_MS)
        self.first_scripts = self._scripts()
        if ready:
            self.probe("ready")

    def _scripts(self) -> dict[str, int]:
        """Return the size of every script that the page has loaded, by its name."""
        sizes = self.page.evaluate(
            "performance.getEntriesByType('resource')"
            ".filter(({ name }) => /\\.js(\\?|$)/.test(name))"
            ".map(({ name, decodedBodySize }) => [name, decodedBodySize])"
        )
        return {name.rsplit("/", 1)[-1].split("?")[0]: size for name, size in sizes}

    def probe(self, name: str) -> Any:
        """Ask the page a question of ``probes.js``."""
        return self.page.evaluate(f"probes.{name}()")

    def _hear(self, message: Any) -> None:
        if message.type in ("error", "warning"):
            place = message.location.get("url", "").rsplit("/", 1)[-1]
            self.said.append(f"{message.type}: {message.text} ({place})")

    def _refuse(self, route: Any) -> None:
        self.asked_elsewhere.append(route.request.url)
        route.abort()

    def close(self) -> None:
        """Forget the page."""
        self._context.close()
