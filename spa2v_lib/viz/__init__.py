"""Pictures of what was heard, planned and sampled.

``svg`` draws without any library, for saved pages; the plotly figures load when first asked for.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from spa2v_lib.viz.svg import cue_svg

if TYPE_CHECKING:
    from spa2v_lib.viz.cue_figures import (
        azimuth_map,
        hearing_exhibits,
        level_and_pitch,
        spectrograms,
    )
    from spa2v_lib.viz.figures import cue_figure, film_strip, layout_figure

_HOMES = {
    "azimuth_map": "cue_figures",
    "cue_figure": "figures",
    "film_strip": "figures",
    "hearing_exhibits": "cue_figures",
    "layout_figure": "figures",
    "level_and_pitch": "cue_figures",
    "spectrograms": "cue_figures",
}

__all__ = [
    "azimuth_map",
    "cue_figure",
    "cue_svg",
    "film_strip",
    "hearing_exhibits",
    "layout_figure",
    "level_and_pitch",
    "spectrograms",
]


def __getattr__(name: str) -> object:
    if name in _HOMES:
        return getattr(import_module(f"spa2v_lib.viz.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
