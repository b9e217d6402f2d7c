"""Sphinx extension: show the video of a notebook's committed output on another page.

``{notebook-video} NAME`` with a sentence as its content, which is read to those who cannot see.
With ``:autoplay:`` it plays at once, without its sound, which browsers ask for.
"""

from __future__ import annotations

import re
from html import escape
from pathlib import Path
from typing import Any

import nbformat
from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.util.docutils import SphinxDirective

FILM = re.compile(r'src="(data:video/mp4;base64,[A-Za-z0-9+/=]+)"')
POSTER = re.compile(r'poster="(data:image/webp;base64,[A-Za-z0-9+/=]+)"')
ROW = '<div id="spa2v-film-'  # a video with its azimuth beside it: `spa2v_lab.viz.film.Film`
PLAYING = "muted autoplay "
SOUND = (
    '<button type="button" class="spa2v-sound" onclick="const film='
    "this.parentElement.querySelector('video');film.muted=false;film.play();this.remove()"
    '">Play it with its sound</button>'
)


def shown(notebook: Path) -> str:
    """Return the first output of a notebook that holds a video, as HTML."""
    cells = nbformat.read(notebook, as_version=4).cells
    outputs = (
        output.get("data", {}).get("text/html", "")
        for cell in cells
        for output in cell.get("outputs", [])
    )
    return next(html for html in outputs if FILM.search(html))


def film(notebook: Path) -> str:
    """Return the address, with the data in it, of the first video in a notebook's outputs."""
    found = FILM.search(shown(notebook))
    assert found is not None
    return found[1]


class NotebookVideo(SphinxDirective):
    """The video that a notebook made, with its controls."""

    required_arguments = 1
    has_content = True
    option_spec = {"autoplay": directives.flag}  # noqa: RUF012, as docutils has it

    def run(self) -> list[nodes.Node]:
        name = self.arguments[0]
        notebook = Path(self.env.srcdir) / "notebooks" / f"{name}.ipynb"
        self.env.note_dependency(str(notebook))
        words, html = escape(" ".join(self.content)), shown(notebook)
        if ROW in html:
            # Several films may stand on one page, each under its own name.
            html = html.replace("spa2v-film-", f"spa2v-{name}-film-").replace(
                f"spa2v-{name}-film-row", "spa2v-film-row"
            )
            html = re.sub(r'<video aria-label="[^"]*"', f'<video aria-label="{words}"', html)
        else:
            source, poster = film(notebook), POSTER.search(html)
            assert poster is not None
            html = (
                f'<video class="spa2v-film" controls loop playsinline {poster[0]} '
                f'aria-label="{words}" src="{source}"></video>'
            )
        if "autoplay" in self.options:
            html = html.replace("<video ", f"<video {PLAYING}", 1)
            html = f'<div class="spa2v-played">{html}{SOUND}</div>'
        return [nodes.raw("", html, format="html")]


def setup(app: Any) -> dict[str, bool]:
    app.add_directive("notebook-video", NotebookVideo)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
