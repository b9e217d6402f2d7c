"""Whether sampled videos follow their layouts, on scenes that no training saw.

True layouts of simulated scenes are sampled with the tiny preset; a detector that was trained
apart finds the objects again.

Methods
-------
grounded
    Base, motion adapter and grounding layers together, never trained together.
not grounded
    The same without the grounding layers: only the caption is heard.
mirrored layout
    The grounded videos against the layout with left and right exchanged: chance.
drawn
    The frames that the scene itself draws: the detector's own ceiling.

Measures
--------
IoU
    Of the asked box and the best detection of the right class; 0 without one. Frames without an
    asked box do not count.
right class
    Share of those frames in which the asked class is found with any overlap at all.
"""

from __future__ import annotations

import numpy as np

from spa2v_lib.bench.frame import Goal, Progress, Results, Row, interval
from spa2v_lib.layout import VideoSceneLayout
from spa2v_lib.sampling import generate
from spa2v_lib.sampling.presets import get_preset
from spa2v_lib.scenes.picture import draw_scene
from spa2v_lib.scenes.sampler import MOTIONS, sample_scene
from spa2v_lib.scenes.scene import Scene, truth_layout
from spa2v_lib.tiny.detector import Detection, detect

__all__ = ["run"]

QUICK, FULL = 10, 40
_SECONDS = 2.0  # one window of the motion modules
_OFF_CENTRE = 0.12  # least mean distance from the middle, in picture widths
_FIRST_SEED = 9_000_000_000  # beyond the 31 bits that training scenes are drawn from
_SETTINGS = {"seed": 0}

Scores = dict[str, dict[str, float]]


def run(*, quick: bool, seed: int, progress: Progress) -> Results:
    """Sample and score every scene; parameters as in `spa2v_lib.bench.frame.run_benchmark`."""
    count = QUICK if quick else FULL
    scores: list[Scores] = []
    off_centre: list[bool] = []
    for number in range(count):
        scene = _scene(seed, number)
        layout = truth_layout(scene)
        scores.append(_scores(scene, layout))
        off_centre.append(_is_off_centre(layout))
        progress("scenes", number + 1, count)
    rows = [
        _row(method, condition, scores, chosen, seed)
        for method in scores[0]
        for condition, chosen in (("all", [True] * count), ("off-centre", off_centre))
    ]
    return Results("sampling", rows, _goals(rows))


def _scene(seed: int, number: int) -> Scene:
    preset = get_preset("tiny")
    return sample_scene(
        _FIRST_SEED + 100_000 * seed + number,
        motion=MOTIONS[number % len(MOTIONS)],
        labels=preset.labels,
        styles=("fluent3d",),
        duration_s=_SECONDS,
    )


def _scores(scene: Scene, layout: VideoSceneLayout) -> Scores:
    grounded = detect(generate(layout, **_SETTINGS).frames)
    plain = detect(generate(layout, grounding="none", **_SETTINGS).frames)
    drawn = detect(draw_scene(scene, width=get_preset("tiny").size[0]))
    return {
        "grounded": score(layout, grounded),
        "not grounded": score(layout, plain),
        "mirrored layout": score(layout.mirrored(), grounded),
        "drawn": score(layout, drawn),
    }


def score(layout: VideoSceneLayout, found: list[list[Detection]]) -> dict[str, float]:
    """Compare detections [frame] with the layout's boxes; NaN where nothing was asked for."""
    overlaps = [
        max((box.iou(d.box) for d in row if d.label == thing.label), default=0.0)
        for boxes, row in zip(layout.frame_boxes(), found, strict=True)
        for thing, box in zip(layout.objects, boxes, strict=True)
        if box is not None
    ]
    if not overlaps:
        return {"IoU": float("nan"), "right class": float("nan")}
    return {"IoU": float(np.mean(overlaps)), "right class": float(np.mean(np.array(overlaps) > 0))}


def _is_off_centre(layout: VideoSceneLayout) -> bool:
    away = [abs(b.center[0] - 0.5) for row in layout.frame_boxes() for b in row if b]
    return bool(away) and float(np.mean(away)) >= _OFF_CENTRE


def _row(method: str, condition: str, scores: list[Scores], chosen: list[bool], seed: int) -> Row:
    kept = [s[method] for s, wanted in zip(scores, chosen, strict=True) if wanted]
    measures = {name: interval([s[name] for s in kept], seed) for name in ("IoU", "right class")}
    return Row(method, condition, len(kept), measures)


def _goals(rows: list[Row]) -> list[Goal]:
    means = {(r.method, r.condition): r.measures["IoU"].mean for r in rows}
    grounded, plain = means["grounded", "all"], means["not grounded", "all"]
    gain = None if grounded is None or plain is None else grounded - plain
    right = next(r for r in rows if (r.method, r.condition) == ("grounded", "all"))
    return [
        Goal("mean IoU, grounded", ">=", 0.55, grounded),
        Goal("mean IoU, grounded less not grounded", ">=", 0.3, gain),
        Goal("right class, grounded", ">=", 0.9, right.measures["right class"].mean),
    ]
