"""Sphinx extension: pages load nothing from elsewhere, and plotly.js only where it draws."""

from __future__ import annotations

from typing import Any

FIGURES = "plotly.min.js"
UNUSED = ("thebe",)  # Live cells through a server: not used, yet the theme names its address.


def choose_scripts(
    app: Any, pagename: str, templatename: str, context: dict[str, Any], doctree: Any
) -> None:
    """Keep the scripts that this page needs."""
    unwanted = UNUSED if "spa2v-figure" in context.get("body", "") else (*UNUSED, FIGURES)
    context["script_files"] = [
        script
        for script in context["script_files"]
        if not any(name in f"{script.filename}{script.attributes}" for name in unwanted)
    ]


def setup(app: Any) -> dict[str, bool]:
    app.connect("html-page-context", choose_scripts, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
