"""Explorer of strength and denoising steps, in the pages' JavaScript: it needs no kernel."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from spa2v_lab.explorers.page import module_html
from spa2v_lib.errors import Spa2vError
from spa2v_lib.viz.figures import shown_boxes
from spa2v_lib.viz.frames import data_url, spread

if TYPE_CHECKING:
    from spa2v_lab.explorers.sampling import Trial
    from spa2v_lib.layout.scene_layout import VideoSceneLayout

__all__ = ["DenoisingExplorer"]

_GAP = 4  # pixels between frames
_QUALITY = 75  # of WebP


class DenoisingExplorer:
    """Sliders over the strength of the grounding and over the denoising steps.

    Parameters
    ----------
    layout : VideoSceneLayout
        Of all the trials.
    trials : sequence of Trial
        With their steps, as `spa2v_lab.explorers.sampling.sample_at_strength` records them; as
        many of each.

    Raises
    ------
    Spa2vError
        If there is no trial, or they have different numbers of steps.

    See Also
    --------
    spa2v_lab.explorers.sampling.StrengthExplorer : samples anew, in a running notebook

    Examples
    --------
    >>> DenoisingExplorer(layout, trials)  # doctest: +SKIP
    """

    def __init__(self, layout: VideoSceneLayout, trials: Sequence[Trial]) -> None:
        counts = sorted({len(trial.steps) for trial in trials})
        if len(counts) != 1 or not counts[0]:
            raise Spa2vError(
                f"{len(trials)} trials with {counts} recorded steps; at least one trial is needed, "
                "and as many steps, one or more, of each"
            )
        self._layout, self._trials = layout, list(trials)

    def __repr__(self) -> str:
        strengths = ", ".join(f"{trial.strength:g}" for trial in self._trials)
        return f"DenoisingExplorer({self._layout.caption!r}, strengths {strengths})"

    def _repr_html_(self) -> str:
        return module_html("denoising", self.data())

    def data(self) -> dict[str, object]:
        """Return all that the page's module shows, ready for JSON."""
        first = self._trials[0].steps[0].preview
        chosen = spread(self._layout.frame_count, len(first))
        return {
            "caption": self._layout.caption,
            "strengths": [
                {"label": f"{trial.strength:g}", "iou": trial.iou} for trial in self._trials
            ],
            "times": [f"{self._layout.frame_times_s[index]:.2f} s" for index in chosen],
            "boxes": [
                [box and [round(corner, 3) for corner in box.as_tuple()] for box in row]
                for row in shown_boxes(self._layout, chosen)
            ],
            "tile": [first.shape[2], first.shape[1]],
            "gap": _GAP,
            "sheets": [[_sheet(step.preview) for step in trial.steps] for trial in self._trials],
        }


def _sheet(frames: np.ndarray) -> str:
    """Return frames in a row, as one picture's address that holds it."""
    gap = np.full((frames.shape[1], _GAP, 3), 255, np.uint8)
    row = [part for frame in frames for part in (gap, frame)][1:]
    return data_url(np.concatenate(row, axis=1), "WEBP", quality=_QUALITY)
