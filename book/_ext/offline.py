"""Sphinx extension: pages load nothing from elsewhere, and the large scripts only where needed."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

NEEDED_BY = {
    "figures.js": "spa2v-figure",
    "formulas.js": 'class="math',
    "window.MathJax": 'class="math',
}
UNUSED = ("thebe",)  # Live cells through a server: not used, yet the theme names its address.


def choose_scripts(
    app: Any, pagename: str, templatename: str, context: dict[str, Any], doctree: Any
) -> None:
    """Keep the scripts that this page needs."""
    saved = [str(script.attributes.get("body", "")) for script in context["script_files"]]
    text = "".join([context.get("body", ""), *saved])
    idle = [script for script, mark in NEEDED_BY.items() if mark not in text]
    context["script_files"] = [
        script
        for script in context["script_files"]
        if not any(name in f"{script.filename}{script.attributes}" for name in (*UNUSED, *idle))
    ]


_INDEX = r"(?:_static/(?:searchtools|language_data)|searchindex)"
SEARCHING = re.compile(rf'\s*<script src="[./]*{_INDEX}\.js[^"]*"></script>')


def search_on_its_own_page(app: Any, error: Exception | None) -> None:
    """Take the index of all words, which the theme loads everywhere, off all pages but one."""
    if error is None and app.builder.format == "html":
        for page in Path(app.outdir).rglob("*.html"):
            text = page.read_text(encoding="utf-8")
            if page.name != "search.html" and SEARCHING.search(text):
                page.write_text(SEARCHING.sub("", text), encoding="utf-8")


def setup(app: Any) -> dict[str, bool]:
    app.connect("html-page-context", choose_scripts, priority=900)
    app.connect("build-finished", search_on_its_own_page)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
