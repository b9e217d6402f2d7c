"""Pictures of what was heard, planned and sampled.

``svg`` draws without any library, for saved pages; the plotly figures load when first asked for.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from spa2v_lib.viz.svg import cue_svg

if TYPE_CHECKING:
    from spa2v_lib.viz.figures import cue_figure, film_strip, layout_figure

__all__ = ["cue_figure", "cue_svg", "film_strip", "layout_figure"]


def __getattr__(name: str) -> object:
    if name in __all__:
        return getattr(import_module("spa2v_lib.viz.figures"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
