"""Sphinx extension: the sidebar's button that unfolds a list of pages has a name to be read out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

BARE = '<summary><span class="toctree-toggle"'
NAMED = '<summary aria-label="Show or hide the pages below"><span class="toctree-toggle"'


def name_buttons(app: Any, error: Exception | None) -> None:
    """Give the theme's buttons, which hold an icon alone, a name."""
    if error is None and app.builder.format == "html":
        for page in Path(app.outdir).rglob("*.html"):
            text = page.read_text(encoding="utf-8")
            if BARE in text:
                page.write_text(text.replace(BARE, NAMED), encoding="utf-8")


def setup(app: Any) -> dict[str, bool]:
    app.connect("build-finished", name_buttons)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
