"""Which form a plotly figure takes as a cell's output, by where the notebook runs.

Plotly's own notebook output carries the whole library in every page, or asks a server for it. In
a kernel the figures are shown in two forms at once instead: as plain HTML, for a page that has
loaded plotly.js once (the book), and as plotly's JSON, which JupyterLab and VS Code draw
by themselves. Colab needs plotly's renderer of that name.

The common look of the plotly figures.

Backgrounds are transparent and text is mid-grey, so that a figure can be read on a light and on a
dark page.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING

import plotly.graph_objects as go
import plotly.io as pio
from plotly.io.base_renderers import MimetypeRenderer

from spa2v_lib.viz.words import source_name

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

    from spa2v_lib.cues.types import SourceTrack

__all__ = [
    "CONFIG",
    "GRID",
    "TEXT",
    "BookRenderer",
    "activate",
    "azimuth_ticks",
    "faded",
    "figure_html",
    "interval_band",
    "renderer_name",
    "script_json",
    "shown_name",
    "styled",
]

CONFIG = {"displayModeBar": False, "responsive": True, "showSendToCloud": False}
"""Plotly's settings for every figure; nothing is ever sent to plotly's servers."""

_NAME = "spa2v"


def renderer_name() -> str | None:
    """Return the renderer that suits this process, or None to leave plotly's own choice.

    A renderer that the user asked for through ``PLOTLY_RENDERER`` is left alone, and so is a
    process that is not a notebook's kernel.

    Examples
    --------
    >>> renderer_name() in (None, "spa2v", "colab")
    True
    """
    if "PLOTLY_RENDERER" in os.environ:
        return None
    if "COLAB_NOTEBOOK_ID" in os.environ:
        return "colab"
    return _NAME if "ipykernel" in sys.modules else None


def activate() -> None:
    """Make the suitable renderer plotly's default, once; later changes by the user hold.

    Examples
    --------
    >>> activate()  # outside a notebook nothing changes
    """
    name = renderer_name()
    if name is None or _NAME in pio.renderers:
        return
    pio.renderers[_NAME] = BookRenderer()
    pio.renderers.default = name


class BookRenderer(MimetypeRenderer):
    """Shows a figure as HTML without the library, and as plotly's JSON.

    Examples
    --------
    >>> sorted(BookRenderer().to_mimebundle({"data": [], "layout": {}}))
    ['application/vnd.plotly.v1+json', 'text/html']
    """

    def __init__(self) -> None:
        self._shown = 0

    def to_mimebundle(self, fig_dict: dict) -> dict[str, object]:
        """Return both forms of the figure `fig_dict`, as plotly hands it over."""
        self._shown += 1
        figure = json.loads(pio.to_json(fig_dict, validate=False))
        return {
            "text/html": figure_html(figure, self._shown),
            "application/vnd.plotly.v1+json": {**figure, "config": CONFIG},
        }


def script_json(content: object) -> str:
    """Return JSON that can stand within a script of a page.

    A closing tag within a label would end the script early, and a comment's beginning with a
    script's would let it run on to the end of the page.

    Parameters
    ----------
    content
        What `json.dumps` takes.

    Examples
    --------
    >>> script_json({"label": "</script>"})
    '{"label":"<\\\\/script>"}'
    """
    text = json.dumps(content, separators=(",", ":"))
    return text.replace("</", "<\\/").replace("<!--", "\\u003c!--")


def figure_html(figure: dict | Figure, number: int = 1) -> str:
    """Return the HTML that draws a figure in a page that has loaded plotly.js.

    Parameters
    ----------
    figure : dict or Figure
        The figure, with its frames; ``layout.meta["alt"]`` is read to those who cannot see it.
    number : int
        Tells apart two equal figures in one page.

    Returns
    -------
    str
        A ``<div>`` and the script that fills it. Equal input gives equal output.

    Examples
    --------
    >>> figure_html(go.Figure())[:18]
    '<div id="figure-1-'
    """
    parts = json.loads(pio.to_json(figure, validate=False))
    text = script_json(parts)
    digest = hashlib.sha256(text.encode()).hexdigest()[:8]
    name = f"figure-{number}-{digest}"
    layout = parts.get("layout", {})
    height, words = layout.get("height", 450), (layout.get("meta") or {}).get("alt", "figure")
    draw = (
        f'const place=document.getElementById("{name}");'
        f"figure.config={json.dumps(CONFIG)};"
        'place.textContent="";window.Plotly.newPlot(place,figure)'
    )
    return (
        f'<div id="{name}" class="spa2v-figure" role="img" aria-label="{escape(words)}" '
        f'style="height:{height}px">'
        "Run this cell to draw its figure.</div>\n"
        f"<script>(function(figure){{if(window.Plotly){{{draw}}}}})({text})</script>"
    )


TEXT = "#7b8187"
"""Colour of text and of what belongs to no source."""

GRID = "rgba(128,128,128,0.25)"
"""Colour of lines in the background."""

_AXIS = {"gridcolor": GRID, "zerolinecolor": GRID, "linecolor": GRID}


def styled(figure: go.Figure, height: int, alt: str) -> go.Figure:
    """Give a figure the common look, and choose how this notebook shows it.

    Parameters
    ----------
    figure : plotly.graph_objects.Figure
        Changed in place.
    height : int
        In pixels.
    alt : str
        What it shows, for those who cannot see it.

    Examples
    --------
    >>> styled(go.Figure(), 300, "an empty figure").layout.meta["alt"]
    'an empty figure'
    """
    activate()
    figure.update_xaxes(_AXIS)
    figure.update_yaxes(_AXIS)
    return figure.update_layout(
        template="none",
        height=height,
        meta={"alt": alt},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        font={"color": TEXT, "family": "system-ui, sans-serif"},
        margin={"l": 90, "r": 20, "t": 40, "b": 50},
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0},
    )


def shown_name(source: SourceTrack) -> str:
    """Return the source's name for plotly, which takes tags in text for formatting.

    Parameters
    ----------
    source : SourceTrack
        One source of the cues.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> shown_name(SimpleNamespace(id="s", label="<b>"))
    '&lt;b&gt;'
    """
    return escape(source_name(source))


def faded(colour: str, opacity: float) -> str:
    """Return a colour with an opacity.

    Parameters
    ----------
    colour : str
        ``#rrggbb``.
    opacity : float
        In [0, 1].

    Examples
    --------
    >>> faded("#2f7fd8", 0.5)
    'rgba(47,127,216,0.5)'
    """
    red, green, blue = (int(colour[k : k + 2], 16) for k in (1, 3, 5))
    return f"rgba({red},{green},{blue},{opacity:g})"


def azimuth_ticks(*, behind: bool = False) -> dict[str, object]:
    """Return settings of an azimuth axis, right up.

    Parameters
    ----------
    behind : bool
        Whether the axis goes all around.

    Examples
    --------
    >>> azimuth_ticks()["ticktext"]
    ['left 90°', '45°', 'ahead', '45°', 'right 90°']
    """
    sides = {-90: "left 90°", -45: "45°", 0: "ahead", 45: "45°", 90: "right 90°"}
    if behind:
        sides = {-180: "behind", **sides, 180: "behind"}
    reach = 185 if behind else 95
    return {"range": [-reach, reach], "tickvals": [*sides], "ticktext": [*sides.values()]}


def interval_band(source: SourceTrack, times: Sequence[float], colour: str) -> list[go.Scatter]:
    """Return two invisible lines with the 90 % interval filled between them.

    Parameters
    ----------
    source : SourceTrack
        One source of the cues.
    times : sequence of float
        Of the cues, in seconds.
    colour : str
        ``#rrggbb``.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> source = SimpleNamespace(id="s", azimuth_low_deg=[-5.0], azimuth_high_deg=[5.0])
    >>> [line.fill for line in interval_band(source, [0.0], "#2f7fd8")]
    [None, 'tonexty']
    """
    edge = {
        "x": times,
        "legendgroup": source.id,
        "showlegend": False,
        "hoverinfo": "skip",
        "mode": "lines",
        "line": {"width": 0},
    }
    return [
        go.Scatter(y=source.azimuth_low_deg, **edge),
        go.Scatter(
            y=source.azimuth_high_deg,
            fill="tonexty",
            fillcolor=faded(colour, 0.22),
            **edge,
        ),
    ]
