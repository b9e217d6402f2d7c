"""Sphinx extension: pages load nothing from elsewhere, and the large scripts only where needed."""

from __future__ import annotations

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


def setup(app: Any) -> dict[str, bool]:
    app.connect("html-page-context", choose_scripts, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
