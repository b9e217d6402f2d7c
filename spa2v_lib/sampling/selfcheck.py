"""Whether a preset draws a thing where it is told to: one known layout, sampled and judged.

This is how the first person with a GPU and the published weights can confirm a preset; the tiny
suite is checked in the same way.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from spa2v_lib.layout.scene_layout import Box, SceneObject, VideoSceneLayout
from spa2v_lib.sampling import check, generate, get_preset
from spa2v_lib.sampling.detection import Detection, OwlVit
from spa2v_lib.video import Video

__all__ = ["GOOD_IOU", "Verdict", "check_preset", "known_layout"]

GOOD_IOU = 0.4
"""A mean overlap that no video reaches by chance: the thing moves from one side to the other."""

_SECONDS = 2.0


@dataclass(frozen=True)
class Verdict:
    """What the check found.

    Attributes
    ----------
    iou, mirrored_iou : float
        Mean IoU of the best detection with the asked box, and with its mirror image.
    detected : float
        Share of frames in which the thing was detected at all.
    video : Video
    """

    iou: float
    mirrored_iou: float
    detected: float
    video: Video

    @property
    def good(self) -> bool:
        """Whether the thing is where it was asked for."""
        return self.iou >= GOOD_IOU and self.iou > 2 * self.mirrored_iou


def known_layout(aspect: float) -> VideoSceneLayout:
    """Return the layout that is asked for: a car that drives from left to right.

    Parameters
    ----------
    aspect : float
        Width over height of the picture.
    """
    width, height = 0.36, min(0.8, 0.36 * aspect * 0.65)
    boxes = [Box(x0=x, y0=0.5 - height / 2, x1=x + width, y1=0.5 + height / 2) for x in (0.04, 0.6)]
    return VideoSceneLayout(
        caption="a car drives from left to right on a city street",
        frame_captions=["a car on the left, a city street", "a car on the right, a city street"],
        key_times_s=[0.0, _SECONDS - 0.125],
        objects=[SceneObject(id="car-1", label="car", caption="a car", boxes=boxes)],
        duration_s=_SECONDS,
        aspect=aspect,
        background="street",
    )


def check_preset(
    name: str,
    *,
    device: str = "auto",
    detector: OwlVit | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Verdict:
    """Sample the known layout and look for the car.

    Parameters
    ----------
    name : str
        A preset.
    device : {"auto", "cuda", "cpu"}
    detector : OwlVit, optional
        For presets of published weights; loaded before sampling starts if not given.
    progress : callable, optional
        Called after each step with the steps done and the steps in all.

    Raises
    ------
    SamplingError, DataError
        If the preset cannot be sampled, or the detector's weights are missing.
    """
    preset = get_preset(name)
    layout = known_layout(preset.size[0] / preset.size[1])
    check(layout, name, device=device)  # what it lacks itself is told before what its judge lacks
    judge = detector
    if preset.labels is None and judge is None:
        judge = OwlVit()
    video = generate(layout, name, 0, device=device, progress=progress)
    return _verdict(video, layout, _detections(video, judge))


def _detections(video: Video, judge: OwlVit | None) -> list[list[Detection]]:
    if judge is not None:
        return judge.detect(video.frames, ["car"])
    from spa2v_lib.sampling.tiny_detector import detect

    return detect(video.frames)


def _verdict(video: Video, layout: VideoSceneLayout, found: list[list[Detection]]) -> Verdict:
    straight, mirrored, seen = [], [], []
    for row, (asked,) in zip(found, layout.frame_boxes(), strict=True):
        boxes = [one.box for one in row if one.label == "car"][:1]
        straight.append(max(map(asked.iou, boxes), default=0.0))
        mirrored.append(max(map(asked.mirrored().iou, boxes), default=0.0))
        seen.append(bool(boxes))
    return Verdict(*(float(np.mean(v)) for v in (straight, mirrored, seen)), video)
