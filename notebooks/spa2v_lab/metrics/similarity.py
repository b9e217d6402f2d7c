"""The layout measures that papers report, and what they leave out.

Conventions are those of `spa2v_lab.metrics.layout`: (truth, estimate), aligned in time over the
longer of the two, a frame's score first, then the mean over frames; a frame in which neither shows
anything scores 1, one in which only one of them does scores its measure's worst. Published
implementations differ, so each function says what it takes.

- LTSim: Otani et al., "LTSim: Layout Transportation-based Similarity Measure for Evaluating Layout
  Generation", 2024.
- DocSim: Patil et al., "READ: Recursive Autoencoders for Document Layout Generation", CVPR
  Workshops 2020, eq. 2.
- MaxIoU: Kikuchi et al., "Constrained Graphic Layout Generation via Latent Optimization", ACM MM
  2021.
- Generalised IoU: Rezatofighi et al., CVPR 2019.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from spa2v_lab.metrics.pairing import (
    assigned,
    frame_score,
    frame_times,
    frames_of,
    score_of,
    track_likeness,
    tracks_of,
)
from spa2v_lib.layout.box import Box
from spa2v_lib.layout.scene_layout import VideoSceneLayout

__all__ = [
    "docsim",
    "docsim_of_itself",
    "generalised_iou",
    "ltsim",
    "max_iou",
    "max_iou_coverage",
    "mirror_gap",
    "size_trend",
    "tube_iou",
]

_STILL = 1.02  # a track whose height varies by less has no trend


def generalised_iou(a: Box, b: Box) -> float:
    """Return IoU less the share of the common hull that neither box fills, in (-1, 1].

    Parameters
    ----------
    a, b : Box

    Examples
    --------
    >>> left, right = Box(x0=0, y0=0, x1=0.5, y1=1), Box(x0=0.5, y0=0, x1=1, y1=1)
    >>> generalised_iou(left, left), generalised_iou(left, right)
    (1.0, 0.0)
    """
    width = max(a.x1, b.x1) - min(a.x0, b.x0)
    height = max(a.y1, b.y1) - min(a.y0, b.y0)
    overlap = a.iou(b)
    union = (a.area + b.area) / (1.0 + overlap)
    return overlap - 1.0 + union / (width * height)


def ltsim(truth: VideoSceneLayout, estimate: VideoSceneLayout) -> float:
    """Return the mean over frames of LTSim.

    Every object of a frame has the same weight; moving one onto another costs
    ``(1 - (gIoU + 1) / 2) / 2``, and 1/2 more if their classes differ; the frame scores ``exp`` of
    minus the cost of the cheapest transport. One side empty costs 1.

    Parameters
    ----------
    truth, estimate : VideoSceneLayout
        Of pictures with the same aspect.

    Returns
    -------
    float
        From exp(-1) = 0.37 to 1. Disjoint boxes of one class already score 0.61 to 0.78.

    Examples
    --------
    >>> from spa2v_lib.layout.scene_layout import SceneObject
    >>> left = Box(x0=0.0, y0=0.0, x1=0.5, y1=1.0)
    >>> car = SceneObject(id="a", label="car", caption="a car", boxes=[left])
    >>> truth = VideoSceneLayout(caption="a car", frame_captions=["a car"], key_times_s=[0.0],
    ...                          objects=[car], duration_s=1.0)
    >>> round(ltsim(truth, truth.mirrored()), 2)
    0.78
    """
    return float(np.mean([_ltsim(a, b) for a, b in frames_of(truth, estimate)]))


def _ltsim(truth: dict[str, list[Box]], estimate: dict[str, list[Box]]) -> float:
    a = [(label, box) for label, boxes in truth.items() for box in boxes]
    b = [(label, box) for label, boxes in estimate.items() for box in boxes]
    if not a or not b:
        return 1.0 if not a and not b else math.exp(-1.0)
    cost = np.array(
        [
            [(1 - (generalised_iou(p, q) + 1) / 2) / 2 + (m != n) / 2 for n, q in b]
            for m, p in a
        ]
    )  # fmt: skip
    return math.exp(-_transport(cost))


def _transport(cost: np.ndarray) -> float:
    """Return the cost of the cheapest transport between uniform weights on rows and columns."""
    if 1 in cost.shape:  # then there is only one
        return float(cost.mean())
    import ot

    return float(ot.emd2([], [], cost))  # no weights: uniform ones


def docsim(truth: VideoSceneLayout, estimate: VideoSceneLayout) -> float:
    """Return the mean over frames of DocSim.

    Two boxes of a class are alike by ``sqrt(smaller area) * 2 ** (-distance of the centres - 2 *
    (difference of widths + difference of heights))``, in units of the picture; pairs are the best
    ones, and what has no partner counts 0. A layout scores the mean root of its areas against
    itself, not 1: see `docsim_of_itself`. A frame without any box on either side does not count.

    Parameters
    ----------
    truth, estimate : VideoSceneLayout
        Of pictures with the same aspect.

    Returns
    -------
    float
        From 0 to 1; NaN if nothing is ever shown.

    Examples
    --------
    >>> from spa2v_lib.layout.scene_layout import SceneObject
    >>> left = Box(x0=0.0, y0=0.0, x1=0.5, y1=1.0)
    >>> car = SceneObject(id="a", label="car", caption="a car", boxes=[left])
    >>> truth = VideoSceneLayout(caption="a car", frame_captions=["a car"], key_times_s=[0.0],
    ...                          objects=[car], duration_s=1.0)
    >>> round(docsim(truth, truth.mirrored()), 2)
    0.5
    """
    scores = [score_of(a, b, _likeness, _likeness) for a, b in frames_of(truth, estimate)]
    known = [score for score in scores if score is not None]
    return float(np.mean(known)) if known else math.nan


def docsim_of_itself(truth: VideoSceneLayout) -> float:
    """Return what a perfect estimate of `truth` would score, to divide `docsim` by.

    Examples
    --------
    >>> from spa2v_lib.layout.scene_layout import SceneObject
    >>> left = Box(x0=0.0, y0=0.0, x1=0.5, y1=1.0)
    >>> car = SceneObject(id="a", label="car", caption="a car", boxes=[left])
    >>> truth = VideoSceneLayout(caption="a car", frame_captions=["a car"], key_times_s=[0.0],
    ...                          objects=[car], duration_s=1.0)
    >>> round(docsim_of_itself(truth), 2)
    0.71
    """
    return docsim(truth, truth)


def _likeness(a: Box, b: Box) -> float:
    distance = math.dist(a.center, b.center)
    unlike = abs(a.width - b.width) + abs(a.height - b.height)
    return math.sqrt(min(a.area, b.area)) * 2.0 ** (-distance - 2.0 * unlike)


def max_iou(truth: VideoSceneLayout, estimate: VideoSceneLayout) -> float:
    """Return the mean over frames of MaxIoU in its paired form, in [0, 1].

    Within each class the best pairing's IoU; a frame whose classes and their numbers differ scores
    0, where the form for sets of layouts drops it: `max_iou_coverage` says how many frames agree.

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
    >>> max_iou(truth, truth), max_iou(truth, truth.mirrored())
    (1.0, 0.0)
    """
    return float(
        np.mean(
            [
                frame_score(a, b, Box.iou) if _same_objects(a, b) else 0.0
                for a, b in frames_of(truth, estimate)
            ]
        )
    )


def max_iou_coverage(truth: VideoSceneLayout, estimate: VideoSceneLayout) -> float:
    """Return the share of frames that show the same classes in the same numbers, in [0, 1].

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
    >>> max_iou_coverage(truth, truth), max_iou_coverage(truth, truth.mirrored())
    (1.0, 1.0)
    """
    return float(np.mean([_same_objects(a, b) for a, b in frames_of(truth, estimate)]))


def _same_objects(a: dict[str, list[Box]], b: dict[str, list[Box]]) -> bool:
    return {k: len(v) for k, v in a.items()} == {k: len(v) for k, v in b.items()}


def tube_iou(truth: VideoSceneLayout, estimate: VideoSceneLayout) -> float:
    """Return the overlap of the objects' tubes in space and time, in [0, 1].

    Objects are paired once for the whole clip, the best way within each class; a pair scores its
    common volume over the volume of both together, what has no partner scores 0.

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
    >>> tube_iou(truth, truth), tube_iou(truth, truth.mirrored())
    (1.0, 0.0)
    """
    times = frame_times(truth, estimate)
    score = score_of(tracks_of(truth, times), tracks_of(estimate, times), _volumes, _volumes)
    return 1.0 if score is None else score


def _volumes(a: list[Box | None], b: list[Box | None]) -> float:
    common = together = 0.0
    for p, q in zip(a, b, strict=True):
        areas = sum(box.area for box in (p, q) if box)
        shared = p.iou(q) * areas / (1.0 + p.iou(q)) if p and q else 0.0
        common, together = common + shared, together + areas - shared
    return common / together if together else 0.0


def size_trend(truth: VideoSceneLayout, estimate: VideoSceneLayout) -> float:
    """Return the rank correlation over time of the heights of paired objects, in [-1, 1].

    Spearman's; objects are paired as in `motion_direction`. Where the true height hardly changes
    there is no trend to find and the object does not count; an estimate that does not change where
    the truth does scores 0, as does an object without a partner.

    Parameters
    ----------
    truth, estimate : VideoSceneLayout
        Of pictures with the same aspect.

    Returns
    -------
    float
        NaN if no object of the truth changes its size.

    Examples
    --------
    >>> from spa2v_lib.layout.scene_layout import SceneObject
    >>> left = Box(x0=0.0, y0=0.0, x1=0.5, y1=1.0)
    >>> car = SceneObject(id="a", label="car", caption="a car", boxes=[left])
    >>> truth = VideoSceneLayout(caption="a car", frame_captions=["a car"], key_times_s=[0.0],
    ...                          objects=[car], duration_s=1.0)
    >>> size_trend(truth, truth)  # the height never changes
    nan
    """
    times = frame_times(truth, estimate)
    true, estimated = tracks_of(truth, times), tracks_of(estimate, times)
    scores = []
    for label, tracks in true.items():
        partners = dict(assigned(tracks, estimated.get(label, []), track_likeness))
        for index, track in enumerate(tracks):
            partner = estimated[label][partners[index]] if index in partners else None
            score = _trend(track, partner)
            scores += [] if score is None else [score]
    return float(np.mean(scores)) if scores else math.nan


def _trend(track: list[Box | None], partner: list[Box | None] | None) -> float | None:
    heights = [box.height for box in track if box]
    if max(heights) < _STILL * min(heights):
        return None
    both = [(p.height, q.height) for p, q in zip(track, partner or [], strict=False) if p and q]
    if len(both) < 2 or max(q for _, q in both) < _STILL * min(q for _, q in both):
        return 0.0
    from scipy.stats import rankdata

    ranks = np.array([rankdata(side) for side in zip(*both, strict=True)])
    return float(np.corrcoef(ranks)[0, 1]) if np.ptp(ranks, axis=1).all() else 0.0


def mirror_gap(
    truth: VideoSceneLayout,
    estimate: VideoSceneLayout,
    measure: Callable[[VideoSceneLayout, VideoSceneLayout], float],
) -> float:
    """Return how much better an estimate fits the truth than the truth's mirror image.

    A method without any cue to left and right has an expected gap of 0, however good its boxes are.

    Parameters
    ----------
    truth, estimate : VideoSceneLayout
    measure : callable
        One of this package's, higher is better.

    Examples
    --------
    >>> from spa2v_lib.layout.scene_layout import SceneObject
    >>> left = Box(x0=0.0, y0=0.0, x1=0.5, y1=1.0)
    >>> car = SceneObject(id="a", label="car", caption="a car", boxes=[left])
    >>> truth = VideoSceneLayout(caption="a car", frame_captions=["a car"], key_times_s=[0.0],
    ...                          objects=[car], duration_s=1.0)
    >>> mirror_gap(truth, truth, max_iou)
    1.0
    """
    return measure(truth, estimate) - measure(truth.mirrored(), estimate)
