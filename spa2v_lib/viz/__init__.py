"""Pictures of what was heard, planned and sampled.

``svg`` draws without any library, for saved pages; the plotly figures load when first asked for.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from spa2v_lib.viz.svg import cue_svg

if TYPE_CHECKING:
    from spa2v_lib.viz.figures import cue_figure, film_strip, layout_figure
    from spa2v_lib.viz.hearing import (
        azimuth_map,
        hearing_exhibits,
        level_and_pitch,
        spectrograms,
    )

_HOMES = {
    "azimuth_map": "hearing",
    "cue_figure": "figures",
    "film_strip": "figures",
    "hearing_exhibits": "hearing",
    "layout_figure": "figures",
    "level_and_pitch": "hearing",
    "spectrograms": "hearing",
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
