"""How a video holds together, frame by frame.

Conventions: frames are uint8 [time, height, width, 3]; boxes are ``(x0, y0, x1, y1)`` in [0, 1].
A value that nothing could be measured for is NaN.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image

from spa2v_lib.layout.box import Box
from spa2v_lib.layout.scene_layout import VideoSceneLayout

__all__ = ["consistency", "object_consistency"]

_SIDE = 24  # pixels to which crops are brought, so that size and place do not count
_LEAST_CONTRAST = 2.0  # grey levels; a crop flatter than this shows nothing


def consistency(frames: np.ndarray, layout: VideoSceneLayout) -> float:
    """Return `object_consistency` along a layout's boxes, on average over its objects.

    Parameters
    ----------
    frames : ndarray [shape=(time, height, width, 3), dtype=uint8]
    layout : VideoSceneLayout
        Of as many frames.

    Returns
    -------
    float
        In [-1, 1]; NaN if no object is shown in two neighbouring frames.

    Examples
    --------
    >>> from spa2v_lib.layout.scene_layout import SceneObject
    >>> box = Box(x0=0.0, y0=0.0, x1=0.5, y1=0.5)
    >>> item = SceneObject(id="bus", label="bus", caption="a bus", boxes=[box])
    >>> layout = VideoSceneLayout(caption="a bus", frame_captions=["a bus"], key_times_s=[0.0],
    ...                           objects=[item], duration_s=1.0)
    >>> frame = np.random.default_rng(0).integers(0, 255, (32, 32, 3), np.uint8)
    >>> round(consistency(np.stack([frame] * 8), layout), 6)
    1.0
    """
    boxes = layout.frame_boxes()
    alike = [
        object_consistency(frames, [row[index] for row in boxes])
        for index in range(len(layout.objects))
    ]
    return float(np.nanmean(alike)) if np.isfinite(alike).any() else float("nan")


def object_consistency(frames: np.ndarray, boxes: Sequence[Box | None]) -> float:
    """Return how much an object stays the same while it moves.

    The object is cut out of every frame along its box and brought to one size; the mean correlation
    of neighbouring cut-outs is returned. A video whose object is drawn once and moved along its
    boxes scores nearly 1, flicker and changes of identity lower it.

    Parameters
    ----------
    frames : ndarray [shape=(time, height, width, 3), dtype=uint8]
    boxes : sequence of Box or None
        One a frame; None where the object is not in the picture.

    Returns
    -------
    float
        In [-1, 1]; NaN if no two neighbouring frames show it.

    Raises
    ------
    ValueError
        If there are not as many boxes as frames.

    See Also
    --------
    consistency : of all objects of a layout

    Examples
    --------
    >>> frame = np.random.default_rng(0).integers(0, 255, (32, 32, 3), np.uint8)
    >>> box = Box(x0=0.0, y0=0.0, x1=0.5, y1=0.5)
    >>> round(object_consistency(np.stack([frame, frame]), [box, box]), 6)
    1.0
    """
    if len(frames) != len(boxes):
        raise ValueError(f"{len(boxes)} boxes for {len(frames)} frames")
    cuts = [
        None if box is None else _cut(frame, box) for frame, box in zip(frames, boxes, strict=True)
    ]
    pairs = [
        (a, b) for a, b in zip(cuts, cuts[1:], strict=False) if a is not None and b is not None
    ]
    return float(np.mean([np.vdot(a, b) for a, b in pairs])) if pairs else float("nan")


def _cut(frame: np.ndarray, box: Box) -> np.ndarray:
    """Return the box's content [_SIDE, _SIDE, 3] without its mean, of length 1."""
    height, width = frame.shape[:2]
    corners = np.array(box.as_tuple()) * (width, height, width, height)
    image = Image.fromarray(frame).resize(
        (_SIDE, _SIDE), Image.Resampling.BILINEAR, box=tuple(corners)
    )
    pixels = np.asarray(image, float)
    pixels -= pixels.mean(axis=(0, 1))
    length = np.linalg.norm(pixels)
    if length < _LEAST_CONTRAST * np.sqrt(pixels.size):
        return np.zeros_like(pixels)
    return pixels / length
