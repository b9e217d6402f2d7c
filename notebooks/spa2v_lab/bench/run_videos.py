"""Stage 2 of the whole-pipeline benchmark: from layouts to videos, judged by a detector.

The tiny suite samples each clip in every variant; frames drawn from the clip's own scene are the
ceiling. A detector that shares nothing with the suite says what is where in each frame, and these
boxes are compared with the *true* layout: errors of hearing and planning count, as in the paper.
IoU is the paired one, in which an invented box costs as much as a missing one; MaxIoU would be 0
wherever the detector sees one object too many.
What is kept of a video is little (scores, times of onsets and peaks, one vector of features), so
that tables can be made again without sampling.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from spa2v_lab.bench.planning_scores import off_centre
from spa2v_lab.bench.run_layouts import AnalyzedClip
from spa2v_lab.metrics import iou, ltsim, mirror_gap
from spa2v_lab.metrics.spatial import spatial_av_align
from spa2v_lab.metrics.video import consistency
from spa2v_lab.scenes.scene import Scene
from spa2v_lib.layout.box import Box
from spa2v_lib.layout.scene_layout import SceneObject, VideoSceneLayout
from spa2v_lib.sampling.detection import Detection

__all__ = [
    "DRAWN",
    "MIRRORED",
    "SAMPLING_VARIANTS",
    "SamplingVariant",
    "detected_layout",
    "sampled",
]


@dataclass(frozen=True)
class SamplingVariant:
    """One variant of sampling a video.

    Attributes
    ----------
    name : str
    layout : str
        A method of stage 1.
    grounding, captions : str
        As in `spa2v_lib.generate`.

    See Also
    --------
    SAMPLING_VARIANTS : all of them

    Examples
    --------
    >>> SamplingVariant("true layout, LVD", "ground truth", grounding="lvd").captions
    'mixed'
    """

    name: str
    layout: str
    grounding: str = "default"
    captions: str = "mixed"


SAMPLING_VARIANTS = (
    SamplingVariant("full", "full"),
    SamplingVariant("full, global captions", "full", captions="global"),
    SamplingVariant("full, frame captions", "full", captions="frame"),
    SamplingVariant("captions + LVD", "captions + LVD", grounding="lvd"),
    SamplingVariant("true layout", "ground truth"),
    SamplingVariant("true layout, MIGC", "ground truth", grounding="migc"),
    SamplingVariant("true layout, attention guidance", "ground truth", grounding="attention"),
    SamplingVariant("true layout, LVD", "ground truth", grounding="lvd"),
    SamplingVariant("true layout, no grounding", "ground truth", grounding="none"),
)
"""The paper's rows of stage 2, as far as they can be sampled here."""

MIRRORED, DRAWN = "true layout, against its mirror", "drawn from the true layout"
"""Rows that no sampling is needed for – chance and ceiling."""

_SEED = 0

VideoScores = dict[str, Any]


def sampled(
    analyzed: AnalyzedClip, scene: Scene, layouts: dict[str, VideoSceneLayout]
) -> dict[str, VideoScores]:
    """Sample a clip in every variant.

    Parameters
    ----------
    analyzed : HeardClip
    scene : Scene
        What it was made from.
    layouts : dict of str to VideoSceneLayout
        Of stage 1.

    Returns
    -------
    dict of str to dict
        By variant: scores by name, "features", and "peaks", seconds of the greatest motion. Under
        "sound", "onsets".

    See Also
    --------
    spa2v_lab.bench.run_tables.stage2_rows : the table

    Examples
    --------
    >>> sampled(clip, scene, layouts)["true layout"]["LTSim"]  # doctest: +SKIP
    """
    from spa2v_lab.scenes.picture import draw_scene
    from spa2v_lib.sampling import generate, get_preset
    from spa2v_lib.sampling.tiny_detector import detect

    ground_truth = analyzed.ground_truth
    kept: dict[str, VideoScores] = {"sound": {"onsets": _onsets(analyzed)}}
    for variant in SAMPLING_VARIANTS:
        video = generate(
            layouts[variant.layout],
            seed=_SEED,
            grounding=variant.grounding,
            captions=variant.captions,
        )
        seen = detect(video.frames)
        kept[variant.name] = _judged(analyzed, ground_truth, video.frames, seen)
        if variant.name == "true layout":
            kept[MIRRORED] = _compared(ground_truth.mirrored(), seen)
    frames = draw_scene(scene, width=get_preset("tiny").size[0])
    kept[DRAWN] = _judged(analyzed, ground_truth, frames, detect(frames))
    return kept


def _judged(
    analyzed: AnalyzedClip,
    ground_truth: VideoSceneLayout,
    frames: np.ndarray,
    seen: Sequence[Sequence[Detection]],
) -> VideoScores:
    from spa2v_lab.metrics.frechet import DrawnWorldFeatures

    return _compared(ground_truth, seen) | {
        "consistency": consistency(frames, ground_truth),
        "Spatial AV-Align": spatial_av_align(analyzed.cues, seen, ground_truth.fps),
        "features": [round(float(v), 5) for v in DrawnWorldFeatures()(frames)],
        "peaks": _peaks(frames, ground_truth.fps),
    }


def _compared(ground_truth: VideoSceneLayout, seen: Sequence[Sequence[Detection]]) -> VideoScores:
    detected = detected_layout(seen, ground_truth)
    right = [
        any(d.label == obj.label and d.box.iou(box) > 0 for d in detections)
        for detections, row in zip(seen, ground_truth.frame_boxes(), strict=True)
        for obj, box in zip(ground_truth.objects, row, strict=True)
        if box is not None
    ]
    return {
        "LTSim": ltsim(ground_truth, detected),
        "IoU": iou(ground_truth, detected),
        "right class": float(np.mean(right)) if right else float("nan"),
        "mirror gap": mirror_gap(ground_truth, detected, iou)
        if off_centre(ground_truth)
        else float("nan"),
    }


def detected_layout(
    seen: Sequence[Sequence[Detection]], like: VideoSceneLayout
) -> VideoSceneLayout:
    """Return detections as a layout: a key frame for every frame.

    Parameters
    ----------
    seen : sequence of sequence of Detection
        For each frame, the best first.
    like : VideoSceneLayout
        Of the same video, which gives frame rate and length.

    See Also
    --------
    spa2v_lab.metrics.ltsim : compares it with the true one

    Examples
    --------
    >>> from spa2v_lab.scenes.sampler import sample_scene
    >>> from spa2v_lab.scenes.scene import ground_truth_layout
    >>> layout = ground_truth_layout(sample_scene(3, motion="left_crossing", labels=("bus",)))
    >>> box = Box(x0=0.1, y0=0.2, x1=0.3, y1=0.4)
    >>> seen = [[Detection("bus", 0.9, box)]] * layout.frame_count
    >>> detected_layout(seen, layout).objects[0].id
    'bus-1'
    """
    most: dict[str, int] = {}
    for detections in seen:
        for label in {d.label for d in detections}:
            most[label] = max(most.get(label, 0), sum(d.label == label for d in detections))
    rows = {
        (label, rank): [_ranked(detections, label, rank) for detections in seen]
        for label, count in most.items()
        for rank in range(count)
    }
    objects = [
        SceneObject(id=f"{label}-{rank + 1}", label=label, caption=label, boxes=row)
        for (label, rank), row in rows.items()
    ]
    return like.model_copy(
        update={
            "objects": objects,
            "key_times_s": [k / like.fps for k in range(len(seen))],
            "frame_captions": [""] * len(seen),
        }
    )


def _ranked(detections: Sequence[Detection], label: str, rank: int) -> Box | None:
    of_label = [d.box for d in detections if d.label == label]
    return of_label[rank] if rank < len(of_label) else None


def _onsets(analyzed: AnalyzedClip) -> list[float]:
    from spa2v_lab.metrics.audiovisual import audio_onsets

    return [round(float(t), 3) for t in audio_onsets(analyzed.sound)]


def _peaks(frames: np.ndarray, fps: float) -> list[float] | None:
    """Return when the motion is greatest; None where OpenCV is not installed."""
    from importlib.util import find_spec

    from spa2v_lab.metrics.audiovisual import motion_peaks

    if find_spec("cv2") is None:
        return None
    return [round(float(t), 3) for t in motion_peaks(frames, fps)]
