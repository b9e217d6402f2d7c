"""How well an estimated layout agrees with the true one.

Conventions
-----------
*Arguments* come as (truth, estimate).

*Time.* Both layouts are read at the frames of the truth's frame rate, from 0 to the end of the
longer one. After its own end a layout shows nothing. Scores are means over frames; a clip is one
score, and several clips are averaged by the caller.

*Pairing.* A box can only be paired with a box of the same class, each with one at most. Within a
frame and a class the pairing is the best one for the measure at hand (Hungarian method), for any
number of boxes on the two sides.

*What has no partner* counts: a frame's score is the sum over pairs divided by the number of pairs
and of boxes left alone on either side, so that a missing object and an invented one cost the same.
`x_center_error` is the exception, since there is no distance to nothing: it is taken over pairs,
and `coverage` says how many boxes had one.

*Nothing to see.* A frame in which neither layout has a box agrees: it scores 1. Where only one of
them has, it scores 0.

*Units.* IoU, coverage and motion direction lie in [0, 1], higher is better. The x-centre error is
in picture widths, lower is better; it is NaN where no two boxes could be paired.
"""

from __future__ import annotations

import math

import numpy as np

from spa2v_lab.metrics.pairing import (
    frame_score,
    frame_times,
    frames_of,
    pairs_of,
    score_of,
    track_likeness,
    tracks_of,
)
from spa2v_lib.layout.box import Box, motion_of
from spa2v_lib.layout.scene_layout import VideoSceneLayout

__all__ = ["coverage", "evaluate", "iou", "motion_direction", "x_center_error"]


def iou(truth: VideoSceneLayout, estimate: VideoSceneLayout) -> float:
    """Return the mean over frames of the paired intersection over union, in [0, 1].

    This is the paired form of MaxIoU (Kikuchi et al., ACM MM 2021) for layouts whose objects may
    differ in number: what is missing or invented counts as 0.

    Parameters
    ----------
    truth, estimate : VideoSceneLayout
        Of pictures with the same aspect.

    Examples
    --------
    >>> from spa2v_lib.layout.scene_layout import SceneObject
    >>> left = Box(x0=0.0, y0=0.0, x1=0.5, y1=1.0)
    >>> car = SceneObject(id="a", label="car", caption="a car", boxes=[left])
    >>> truth = VideoSceneLayout(caption="a car", frame_captions=["a car"], key_times_s=[0.0],
    ...                          objects=[car], duration_s=1.0)
    >>> iou(truth, truth), iou(truth, truth.mirrored())
    (1.0, 0.0)
    """
    return float(np.mean([frame_score(a, b, Box.iou) for a, b in frames_of(truth, estimate)]))


def coverage(truth: VideoSceneLayout, estimate: VideoSceneLayout) -> float:
    """Return the mean over frames of the share of boxes that have a partner, in [0, 1].

    Parameters
    ----------
    truth, estimate : VideoSceneLayout
        Of pictures with the same aspect.

    Examples
    --------
    >>> from spa2v_lib.layout.scene_layout import SceneObject
    >>> left = Box(x0=0.0, y0=0.0, x1=0.5, y1=1.0)
    >>> car = SceneObject(id="a", label="car", caption="a car", boxes=[left])
    >>> truth = VideoSceneLayout(caption="a car", frame_captions=["a car"], key_times_s=[0.0],
    ...                          objects=[car], duration_s=1.0)
    >>> coverage(truth, truth), coverage(truth, truth.mirrored())
    (1.0, 1.0)
    """
    return float(
        np.mean([frame_score(a, b, lambda p, q: 1.0) for a, b in frames_of(truth, estimate)])
    )


def x_center_error(truth: VideoSceneLayout, estimate: VideoSceneLayout) -> float:
    """Return the mean distance of paired centres along x, in picture widths; NaN without pairs.

    Parameters
    ----------
    truth, estimate : VideoSceneLayout
        Of pictures with the same aspect.

    Examples
    --------
    >>> from spa2v_lib.layout.scene_layout import SceneObject
    >>> left = Box(x0=0.0, y0=0.0, x1=0.5, y1=1.0)
    >>> car = SceneObject(id="a", label="car", caption="a car", boxes=[left])
    >>> truth = VideoSceneLayout(caption="a car", frame_captions=["a car"], key_times_s=[0.0],
    ...                          objects=[car], duration_s=1.0)
    >>> x_center_error(truth, truth), x_center_error(truth, truth.mirrored())
    (0.0, 0.5)
    """
    errors = [
        -likeness
        for a, b in frames_of(truth, estimate)
        for likeness in pairs_of(a, b, lambda p, q: -abs(p.center[0] - q.center[0]))
    ]
    return float(np.mean(errors)) if errors else math.nan


def motion_direction(truth: VideoSceneLayout, estimate: VideoSceneLayout) -> float:
    """Return the share of objects that move the way they should, in [0, 1].

    Each object of the truth is paired for the whole clip with the estimated object of its class
    that stays nearest along x; `spa2v_lib.layout.box.motion_of` names the motion of both. Objects
    that are never in the picture do not count; an object without a partner, on either side, is
    wrong.

    Parameters
    ----------
    truth, estimate : VideoSceneLayout
        Of pictures with the same aspect.

    Examples
    --------
    >>> from spa2v_lib.layout.scene_layout import SceneObject
    >>> left = Box(x0=0.0, y0=0.0, x1=0.5, y1=1.0)
    >>> car = SceneObject(id="a", label="car", caption="a car", boxes=[left])
    >>> truth = VideoSceneLayout(caption="a car", frame_captions=["a car"], key_times_s=[0.0],
    ...                          objects=[car], duration_s=1.0)
    >>> motion_direction(truth, truth), motion_direction(truth, truth.mirrored())
    (1.0, 1.0)
    """
    times = frame_times(truth, estimate)
    tracks = [tracks_of(layout, times) for layout in (truth, estimate)]
    score = score_of(*tracks, track_likeness, lambda a, b: float(motion_of(a) == motion_of(b)))
    return 1.0 if score is None else score


def evaluate(truth: VideoSceneLayout, estimate: VideoSceneLayout) -> dict[str, float]:
    """Return every measure of this module, by its name.

    Parameters
    ----------
    truth, estimate : VideoSceneLayout
        Of pictures with the same aspect.

    Examples
    --------
    >>> from spa2v_lib.layout.scene_layout import SceneObject
    >>> left = Box(x0=0.0, y0=0.0, x1=0.5, y1=1.0)
    >>> car = SceneObject(id="a", label="car", caption="a car", boxes=[left])
    >>> truth = VideoSceneLayout(caption="a car", frame_captions=["a car"], key_times_s=[0.0],
    ...                          objects=[car], duration_s=1.0)
    >>> evaluate(truth, truth)["iou"]
    1.0
    """
    return {
        measure.__name__: measure(truth, estimate)
        for measure in (iou, x_center_error, motion_direction, coverage)
    }
