"""Sphinx extension: show the video of a notebook's committed output on another page.

``{notebook-video} NAME`` with a sentence as its content, which is read to those who cannot see.
"""

from __future__ import annotations

import re
from html import escape
from pathlib import Path
from typing import Any

import nbformat
from docutils import nodes
from sphinx.util.docutils import SphinxDirective

FILM = re.compile(r'src="(data:video/mp4;base64,[A-Za-z0-9+/=]+)"')


def film(notebook: Path) -> str:
    """Return the address, with the data in it, of the first video in a notebook's outputs."""
    cells = nbformat.read(notebook, as_version=4).cells
    shown = (
        output.get("data", {}).get("text/html", "")
        for cell in cells
        for output in cell.get("outputs", [])
    )
    return next(match[1] for html in shown if (match := FILM.search(html)))


class NotebookVideo(SphinxDirective):
    """The video that a notebook made, with its controls."""

    required_arguments = 1
    has_content = True

    def run(self) -> list[nodes.Node]:
        notebook = Path(self.env.srcdir) / "notebooks" / f"{self.arguments[0]}.ipynb"
        self.env.note_dependency(str(notebook))
        words = escape(" ".join(self.content))
        html = (
            f'<video class="spa2v-film" controls loop muted autoplay playsinline '
            f'aria-label="{words}" src="{film(notebook)}"></video>'
        )
        return [nodes.raw("", html, format="html")]


def setup(app: Any) -> dict[str, bool]:
    app.add_directive("notebook-video", NotebookVideo)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
