"""Scores of planned layouts, the rows they make, and the goals they are held against."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from spa2v_lib.bench.frame import Goal, Row, interval
from spa2v_lib.bench.planning_scenes import HeardScene
from spa2v_lib.layout import VideoSceneLayout
from spa2v_lib.metrics import (
    caption_overlap,
    class_recall,
    docsim,
    docsim_of_itself,
    ltsim,
    max_iou,
    max_iou_coverage,
    mirror_gap,
    motion_direction,
    size_trend,
    tube_iou,
    x_center_error,
)
from spa2v_lib.scenes.receivers import RECEIVERS
from spa2v_lib.scenes.sampler import MOTIONS

__all__ = ["goals", "off_centre", "row", "rows", "scored", "worded"]

_OFF_CENTRE = 0.12  # least mean distance of the true centre from the middle, in picture widths

Scores = dict[str, float]


def scored(truth: VideoSceneLayout, layout: VideoSceneLayout) -> Scores:
    """Compare a layout with the true one.

    Returns
    -------
    dict of str to float
        By measure. The mirror gap is that of MaxIoU; it and the size trend are NaN where a scene
        cannot show them: near the middle, or where nothing changes its size.
    """
    gap = mirror_gap(truth, layout, max_iou) if off_centre(truth) else np.nan
    return {
        "MaxIoU": max_iou(truth, layout),
        "coverage": max_iou_coverage(truth, layout),
        "tube IoU": tube_iou(truth, layout),
        "LTSim": ltsim(truth, layout),
        "DocSim": docsim(truth, layout),
        "DocSim, of best": docsim(truth, layout) / docsim_of_itself(truth),
        "x-centre error": x_center_error(truth, layout),
        "motion direction": motion_direction(truth, layout),
        "size trend": size_trend(truth, layout),
        "mirror gap": gap,
    }


def worded(truth: VideoSceneLayout, layout: VideoSceneLayout) -> Scores:
    """Compare its words: whether what sounds is named rightly, and the caption (ROUGE-L)."""
    return {
        "class right": class_recall(truth, layout),
        "caption": caption_overlap(truth, layout),
    }


def off_centre(truth: VideoSceneLayout) -> bool:
    """Whether the true things are, on average, off the middle of the picture."""
    away = [abs(b.center[0] - 0.5) for boxes in truth.frame_boxes() for b in boxes if b]
    return bool(away) and float(np.mean(away)) >= _OFF_CENTRE


def rows(
    method: str,
    scores: Sequence[Scores],
    scenes: Sequence[HeardScene],
    seed: int,
    *,
    short: bool = False,
) -> list[Row]:
    """Return the rows of a method: all scenes, those off the centre, each motion, each receiver.

    Parameters
    ----------
    method : str
    scores : sequence of dict
        One a scene.
    scenes : sequence of HeardScene
    seed : int
        Of the intervals.
    short : bool
        Leave motions and receivers out.
    """
    conditions: list[tuple[str, Callable[[HeardScene], bool]]] = [
        ("all", lambda heard: True),
        ("off-centre", lambda heard: off_centre(heard.truth)),
    ]
    if not short:
        conditions += [
            (name.replace("_", " "), lambda heard, m=name: heard.scene.objects[0].motion == m)
            for name in MOTIONS
        ]
        conditions += [
            (f"receiver {name}", lambda heard, r=name: heard.scene.receiver == r)
            for name in RECEIVERS
        ]
    pairs = list(zip(scores, scenes, strict=True))
    return [
        row(method, name, [s for s, h in pairs if holds(h)], seed) for name, holds in conditions
    ]


def row(method: str, condition: str, scores: Sequence[Scores], seed: int) -> Row:
    """Return the mean of every measure, with its interval."""
    names = list(dict.fromkeys(name for score in scores for name in score))
    measures = {name: interval([s.get(name, np.nan) for s in scores], seed) for name in names}
    return Row(method, condition, len(scores), measures)


def goals(rows: Sequence[Row], method: str) -> list[Goal]:
    """Return what was asked of the acoustic planner."""
    (found,) = [r.measures for r in rows if (r.method, r.condition) == (method, "all")]
    motion = found["motion direction"].mean
    return [
        Goal("acoustic planner, MaxIoU", ">=", 0.45, found["MaxIoU"].mean),
        Goal(
            "acoustic planner, motion direction, %",
            ">=",
            99.0,
            None if motion is None else 100.0 * motion,
        ),
        Goal(
            "acoustic planner, x-centre error, picture widths",
            "<=",
            0.04,
            found["x-centre error"].mean,
        ),
    ]
