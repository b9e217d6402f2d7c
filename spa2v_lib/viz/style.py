"""The common look of the plotly figures.

Backgrounds are transparent and text is mid-grey, so that a figure can be read on a light and on a
dark page.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING

import plotly.graph_objects as go

from spa2v_lib.viz.renderer import activate
from spa2v_lib.viz.svg import SOURCE_COLOURS, source_name

if TYPE_CHECKING:
    from spa2v_lib.cues.types import SourceTrack

__all__ = [
    "GRID",
    "TEXT",
    "azimuth_ticks",
    "colour_of",
    "faded",
    "interval_band",
    "shown_name",
    "styled",
]

TEXT = "#7b8187"
"""Colour of text and of what belongs to no source."""

GRID = "rgba(128,128,128,0.25)"
"""Colour of lines in the background."""

_AXIS = {"gridcolor": GRID, "zerolinecolor": GRID, "linecolor": GRID}


def styled(figure: go.Figure, height: int, words: str) -> go.Figure:
    """Give a figure the common look, and choose how this notebook shows it.

    Parameters
    ----------
    figure : plotly.graph_objects.Figure
        Changed in place.
    height : int
        In pixels.
    words : str
        What it shows, for those who cannot see it.
    """
    activate()
    figure.update_xaxes(_AXIS)
    figure.update_yaxes(_AXIS)
    return figure.update_layout(
        template="none",
        height=height,
        meta={"alt": words},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        font={"color": TEXT, "family": "system-ui, sans-serif"},
        margin={"l": 90, "r": 20, "t": 40, "b": 50},
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0},
    )


def colour_of(index: int) -> str:
    """Return the colour of the source of that number."""
    return SOURCE_COLOURS[index % len(SOURCE_COLOURS)]


def shown_name(source: SourceTrack) -> str:
    """Return the source's name for plotly, which takes tags in text for formatting."""
    return escape(source_name(source))


def faded(colour: str, opacity: float) -> str:
    """Return ``#rrggbb`` with an opacity in [0, 1]."""
    red, green, blue = (int(colour[k : k + 2], 16) for k in (1, 3, 5))
    return f"rgba({red},{green},{blue},{opacity:g})"


def azimuth_ticks(*, behind: bool = False) -> dict[str, object]:
    """Return an axis of directions, right up; with `behind`, all around."""
    sides = {-90: "left 90°", -45: "45°", 0: "ahead", 45: "45°", 90: "right 90°"}
    if behind:
        sides = {-180: "behind", **sides, 180: "behind"}
    reach = 185 if behind else 95
    return {"range": [-reach, reach], "tickvals": [*sides], "ticktext": [*sides.values()]}


def interval_band(source: SourceTrack, times: Sequence[float], colour: str) -> list[go.Scatter]:
    """Return the two invisible lines whose area between them is the interval."""
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
