"""Whether an image prompt has its objects where a layout's first frame has its boxes.

The picture conditions what every frame shows, the boxes where it is; a video of a dog on the left
from a picture of one on the right may follow either. So a detector looks for the layout's objects
in the picture, and a note of the run says what it found. Both are compared in shares of their width
and height, whatever their shapes.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from spa2v_lib.errors import DataError
from spa2v_lib.layout.box import Box
from spa2v_lib.sampling.detection import Detection, Detects, OwlVit
from spa2v_lib.sampling.image_prompt import read_picture

if TYPE_CHECKING:
    from spa2v_lib.layout.scene_layout import VideoSceneLayout
    from spa2v_lib.sampling.presets import Preset

__all__ = ["image_note"]

_INSIDE = 0.5  # share of what was detected that has to lie in the object's box


def image_note(
    preset: Preset, layout: VideoSceneLayout, detector: Detects | None = None
) -> str | None:
    """Say whether a preset's image prompt agrees with the first boxes of a layout.

    An object agrees if at least half of what was detected of it lies in its box.

    Parameters
    ----------
    preset : Preset
        Of `spa2v_lib.sampling.variant`.
    layout : VideoSceneLayout
        Its first frame counts.
    detector : Detects, optional
        If not given, the one that `spa2v_lib.sampling.selfcheck` judges published weights with, if
        it is on this machine.

    Returns
    -------
    str or None
        What does not agree and where it was found; that nothing was compared, without a detector;
        None without an image prompt.

    Examples
    --------
    >>> from spa2v_lib.sampling.presets import get_preset
    >>> from spa2v_lib.sampling.selfcheck import known_layout
    >>> image_note(get_preset("tiny"), known_layout(1.0)) is None
    True
    """
    if not preset.image:
        return None
    lead = f"the image {Path(preset.image).name} conditions every frame"
    boxes = layout.frame_boxes()[0]
    wanted = [(o.label, box) for o, box in zip(layout.objects, boxes, strict=True) if box]
    if not wanted:
        return f"{lead}; the first frame of the layout has no boxes to compare it with"
    try:
        detector = detector or OwlVit(local=True, device="cpu")
    except DataError as error:
        return (
            f"{lead}; where it has its objects was not compared with the layout's first boxes "
            f"({error}): where the two disagree, the video may follow either"
        )
    labels = sorted({label for label, _ in wanted})
    (found,) = detector.detect(np.array(read_picture(preset.image))[None], labels)
    differing = _differences(wanted, found)
    if not differing:
        return f"{lead}; its objects were detected where the layout has them at first"
    return (
        f"{lead}, but differs from the layout's first boxes, and the video may follow either: "
        + "; ".join(differing)
    )


def _differences(wanted: list[tuple[str, Box]], found: list[Detection]) -> list[str]:
    """Say where each object that was not detected in its box is instead.

    What lies deepest in a box is taken for the object of that box first.
    """
    pairs = sorted(
        (
            (-_share_inside(one.box, box), rank, index)
            for index, (label, box) in enumerate(wanted)
            for rank, one in enumerate(found)
            if one.label == label
        ),
    )
    matched: dict[int, int] = {}
    for share, rank, index in pairs:
        if -share >= _INSIDE and index not in matched and rank not in matched.values():
            matched[index] = rank
    free = [rank for rank in range(len(found)) if rank not in matched.values()]
    said = []
    for index, (label, box) in enumerate(wanted):
        if index in matched:
            continue
        other = next((rank for rank in free if found[rank].label == label), None)
        if other is None:
            said.append(f"no {label} was detected that could be the one at {_place(box)}")
            continue
        free.remove(other)
        said.append(f"{label} was detected at {_place(found[other].box)}, not at {_place(box)}")
    return said


def _share_inside(inner: Box, outer: Box) -> float:
    width = min(inner.x1, outer.x1) - max(inner.x0, outer.x0)
    height = min(inner.y1, outer.y1) - max(inner.y0, outer.y0)
    return max(width, 0.0) * max(height, 0.0) / inner.area


def _place(box: Box) -> str:
    return f"x {box.x0:.2f} to {box.x1:.2f}, y {box.y0:.2f} to {box.y1:.2f}"
