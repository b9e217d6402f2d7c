"""Figures of cues, layouts and videos.

Plotly and matplotlib load when a figure that they draw is first asked for.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from spa2v_lib.viz.cue_figures import cue_figure
    from spa2v_lib.viz.figures import film_strip, layout_figure
    from spa2v_lib.viz.svg import cue_svg

_HOMES = {
    "cue_figure": "cue_figures",
    "cue_svg": "svg",
    "film_strip": "figures",
    "layout_figure": "figures",
}

__all__ = [
    "cue_figure",
    "cue_svg",
    "film_strip",
    "layout_figure",
]


def __getattr__(name: str) -> object:
    if name in _HOMES:
        return getattr(import_module(f"spa2v_lib.viz.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
