"""Boxes and tracks of two layouts, brought together: shared by the measures of this package.

`spa2v_lab.metrics.layout` states the conventions.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import TypeVar

import numpy as np

from spa2v_lib.errors import LayoutError
from spa2v_lib.layout.box import Box
from spa2v_lib.layout.scene_layout import VideoSceneLayout

__all__ = [
    "assigned",
    "frame_score",
    "frame_times",
    "frames_of",
    "pairs_of",
    "score_of",
    "track_likeness",
    "tracks_of",
    "validate",
]

Boxes = list[Box]
Item = TypeVar("Item")


def validate(truth: VideoSceneLayout, estimate: VideoSceneLayout) -> None:
    """Refuse what cannot be compared.

    Raises
    ------
    LayoutError
        If either is not a layout, or their pictures have different shapes.

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
    >>> validate(truth, truth)  # passes
    """
    for name, layout in (("truth", truth), ("estimate", estimate)):
        if not isinstance(layout, VideoSceneLayout):
            given = type(layout).__name__
            raise LayoutError(f"the {name} is of type {given}; a VideoSceneLayout is needed")
    if not math.isclose(truth.aspect, estimate.aspect, rel_tol=0.01):
        raise LayoutError(
            f"the truth's picture has aspect {truth.aspect:g}, the estimate's {estimate.aspect:g}; "
            "only layouts of the same picture can be compared"
        )


def frame_times(truth: VideoSceneLayout, estimate: VideoSceneLayout) -> list[float]:
    """Return the times at which two layouts are compared: those of the truth's frames.

    Parameters
    ----------
    truth, estimate : VideoSceneLayout
        Of pictures with the same aspect; their lengths may differ.

    Returns
    -------
    list of float
        In seconds, from 0 to the end of the longer one.

    Raises
    ------
    LayoutError
        If they cannot be compared, see `validate`.

    Examples
    --------
    >>> from spa2v_lib.layout.scene_layout import SceneObject
    >>> left = Box(x0=0.0, y0=0.0, x1=0.5, y1=1.0)
    >>> car = SceneObject(id="a", label="car", caption="a car", boxes=[left])
    >>> truth = VideoSceneLayout(caption="a car", frame_captions=["a car"], key_times_s=[0.0],
    ...                          objects=[car], duration_s=1.0)
    >>> frame_times(truth, truth)[:3], len(frame_times(truth, truth))
    ([0.0, 0.125, 0.25], 8)
    """
    validate(truth, estimate)
    longest = max(truth.duration_s, estimate.duration_s)
    return [k / truth.fps for k in range(max(1, round(longest * truth.fps)))]


def _shown(layout: VideoSceneLayout, time: float) -> list[Box | None]:
    # Whole frames count: durations are rarely whole numbers of frames.
    over = time >= layout.frame_count / layout.fps - 1e-9
    return [None] * len(layout.objects) if over else layout.boxes_at(time)


def frames_of(
    truth: VideoSceneLayout, estimate: VideoSceneLayout
) -> Iterator[tuple[dict[str, Boxes], dict[str, Boxes]]]:
    """Yield the boxes of every frame on both sides, by class.

    Parameters
    ----------
    truth, estimate : VideoSceneLayout
        Of pictures with the same aspect; their lengths may differ.

    Yields
    ------
    truth, estimate : dict of str to list of Box
        Classes of which no object is in view are left out.

    Examples
    --------
    >>> from spa2v_lib.layout.scene_layout import SceneObject
    >>> left = Box(x0=0.0, y0=0.0, x1=0.5, y1=1.0)
    >>> car = SceneObject(id="a", label="car", caption="a car", boxes=[left])
    >>> truth = VideoSceneLayout(caption="a car", frame_captions=["a car"], key_times_s=[0.0],
    ...                          objects=[car], duration_s=1.0)
    >>> frames = list(frames_of(truth, truth.mirrored()))
    >>> len(frames), frames[0][1]["car"][0].x0
    (8, 0.5)
    """
    for time in frame_times(truth, estimate):
        yield _by_class(truth, time), _by_class(estimate, time)


def _by_class(layout: VideoSceneLayout, time: float) -> dict[str, Boxes]:
    boxes: dict[str, Boxes] = {}
    for item, box in zip(layout.objects, _shown(layout, time), strict=True):
        if box is not None:
            boxes.setdefault(item.label, []).append(box)
    return boxes


def tracks_of(layout: VideoSceneLayout, times: list[float]) -> dict[str, list[list[Box | None]]]:
    """Return the boxes over time of every object that is ever seen, by class.

    Parameters
    ----------
    layout : VideoSceneLayout
        Of any length.
    times : list of float
        In seconds, as `frame_times` gives them.

    Returns
    -------
    dict of str to list of list
        For each object of a class a box for each time; None where it is out of view.

    Examples
    --------
    >>> from spa2v_lib.layout.scene_layout import SceneObject
    >>> left = Box(x0=0.0, y0=0.0, x1=0.5, y1=1.0)
    >>> car = SceneObject(id="a", label="car", caption="a car", boxes=[left])
    >>> truth = VideoSceneLayout(caption="a car", frame_captions=["a car"], key_times_s=[0.0],
    ...                          objects=[car], duration_s=1.0)
    >>> [box and box.x1 for box in tracks_of(truth, [0.0, 5.0])["car"][0]]
    [0.5, None]
    """
    shown = [_shown(layout, time) for time in times]
    tracks: dict[str, list[list[Box | None]]] = {}
    for index, item in enumerate(layout.objects):
        track = [boxes[index] for boxes in shown]
        if any(track):
            tracks.setdefault(item.label, []).append(track)
    return tracks


def track_likeness(a: list[Box | None], b: list[Box | None]) -> float:
    """Return minus the mean distance of centres along x; a frame without both costs a width.

    Parameters
    ----------
    a, b : list of Box or None
        Boxes of two objects at the same times; in at least one frame one of them is in view.

    Returns
    -------
    float
        At most 0, in picture widths.

    Examples
    --------
    >>> left = Box(x0=0.0, y0=0.0, x1=0.5, y1=1.0)
    >>> right = Box(x0=0.5, y0=0.0, x1=1.0, y1=1.0)
    >>> track_likeness([left], [right]), track_likeness([left, left], [right, None])
    (-0.5, -0.75)
    """
    return -float(
        np.mean(
            [
                abs(p.center[0] - q.center[0]) if p and q else 1.0
                for p, q in zip(a, b, strict=True)
                if p or q
            ]
        )
    )


def frame_score(
    truth: dict[str, Boxes], estimate: dict[str, Boxes], likeness: Callable[[Box, Box], float]
) -> float:
    """Return the mean likeness of a frame's pairs; what is alone counts 0, an empty frame 1.

    Parameters
    ----------
    truth, estimate : dict of str to list of Box
        Boxes of one frame by class, as `frames_of` yields them.
    likeness : callable
        Of two boxes; greater is more alike.

    Returns
    -------
    float
        In [0, 1] if `likeness` is.

    Examples
    --------
    >>> left = Box(x0=0.0, y0=0.0, x1=0.5, y1=1.0)
    >>> right = Box(x0=0.5, y0=0.0, x1=1.0, y1=1.0)
    >>> frame_score({"car": [left]}, {"car": [left, right]}, Box.iou), frame_score({}, {}, Box.iou)
    (0.5, 1.0)
    """
    score = score_of(truth, estimate, likeness, likeness)
    return 1.0 if score is None else score


def score_of(
    truth: dict[str, list[Item]],
    estimate: dict[str, list[Item]],
    likeness: Callable[[Item, Item], float],
    worth: Callable[[Item, Item], float],
) -> float | None:
    """Pair by `likeness`; return the pairs' mean `worth` where what is alone is worth 0.

    Parameters
    ----------
    truth, estimate : dict of str to list
        Boxes, or tracks of boxes, by class.
    likeness : callable
        Of two items; greater is more alike.
    worth : callable
        What a pair counts, in [0, 1].

    Returns
    -------
    float or None
        In [0, 1]; None where both sides are empty.

    Examples
    --------
    >>> left = Box(x0=0.0, y0=0.0, x1=0.5, y1=1.0)
    >>> right = Box(x0=0.5, y0=0.0, x1=1.0, y1=1.0)
    >>> score_of({"car": [left, right]}, {"car": [right]}, Box.iou, Box.iou)
    0.5
    >>> score_of({}, {}, Box.iou, Box.iou) is None
    True
    """
    total = count = 0.0
    for label in truth.keys() | estimate.keys():
        a, b = truth.get(label, []), estimate.get(label, [])
        count += max(len(a), len(b))
        total += sum(worth(a[i], b[j]) for i, j in assigned(a, b, likeness))
    return total / count if count else None


def pairs_of(
    truth: dict[str, Boxes], estimate: dict[str, Boxes], likeness: Callable[[Box, Box], float]
) -> list[float]:
    """Return the likeness of every pair of a frame.

    Parameters
    ----------
    truth, estimate : dict of str to list of Box
        Boxes of one frame by class, as `frames_of` yields them.
    likeness : callable
        Of two boxes; greater is more alike.

    Examples
    --------
    >>> left = Box(x0=0.0, y0=0.0, x1=0.5, y1=1.0)
    >>> right = Box(x0=0.5, y0=0.0, x1=1.0, y1=1.0)
    >>> pairs_of({"car": [left, right]}, {"car": [right], "dog": [left]}, Box.iou)
    [1.0]
    """
    return [
        likeness(truth[label][i], estimate[label][j])
        for label in truth.keys() & estimate.keys()
        for i, j in assigned(truth[label], estimate[label], likeness)
    ]


def assigned(
    a: list[Item], b: list[Item], likeness: Callable[[Item, Item], float]
) -> list[tuple[int, int]]:
    """Return the indices of the pairs with the greatest sum of likeness.

    Parameters
    ----------
    a, b : list
        Items of both sides; what is left over on the longer side stays without a partner.
    likeness : callable
        Of two items; greater is more alike.

    Returns
    -------
    list of tuple of int
        Index in `a` and index in `b`, in the order of `a`.

    Examples
    --------
    >>> assigned([1.0, 5.0], [4.0, 2.0, 9.0], lambda p, q: -abs(p - q))
    [(0, 1), (1, 0)]
    """
    if len(a) <= 1 and len(b) <= 1:
        return [(0, 0)] if a and b else []
    from scipy.optimize import linear_sum_assignment

    matrix = np.array([[likeness(p, q) for q in b] for p in a]).reshape(len(a), len(b))
    rows, columns = linear_sum_assignment(matrix, maximize=True)
    return list(zip(rows.tolist(), columns.tolist(), strict=True))
