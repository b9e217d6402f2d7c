"""Whether a preset draws an object where the layout has it: one known layout, sampled and judged.

This is how the first person with a GPU and the published weights can confirm a preset; the tiny
suite is checked in the same way.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from spa2v_lib.errors import DataError, SamplingError
from spa2v_lib.layout.scene_layout import Box, SceneObject, VideoSceneLayout
from spa2v_lib.sampling import check, generate, get_preset
from spa2v_lib.sampling.detection import Detection, Detects, OwlVit
from spa2v_lib.video import Video

__all__ = ["GOOD_IOU", "Verdict", "check_preset", "known_layout"]

GOOD_IOU = 0.4
"""A mean overlap that no video reaches by chance – the car moves from one side to the other."""


@dataclass(frozen=True)
class Verdict:
    """What the check found.

    Attributes
    ----------
    iou, mirrored_iou : float or None
        Mean IoU of the best detection with the conditioning box, and with its mirror image; None if
        there was no detector to measure them with.
    detected : float or None
        Share of frames in which the car was detected at all.
    video : Video
    missing : str
        Why nothing was measured; empty if it was.

    See Also
    --------
    check_preset : Finds it.

    Examples
    --------
    >>> layout = known_layout(1.0)
    >>> video = Video(np.zeros((16, 8, 8, 3), np.uint8), 8.0, layout)
    >>> Verdict(iou=0.6, mirrored_iou=0.1, detected=1.0, video=video).good
    True
    """

    iou: float | None
    mirrored_iou: float | None
    detected: float | None
    video: Video
    missing: str = ""

    @property
    def good(self) -> bool:
        """Whether the car was measured to be where the layout has it."""
        if self.iou is None or self.mirrored_iou is None:
            return False
        return self.iou >= GOOD_IOU and self.iou > 2 * self.mirrored_iou


def known_layout(aspect: float, seconds: float = 2.0) -> VideoSceneLayout:
    """Return the layout that is sampled: a car that drives from left to right.

    Parameters
    ----------
    aspect : float
        Width over height of the picture.
    seconds : float
        Length of the video.

    Returns
    -------
    VideoSceneLayout

    See Also
    --------
    check_preset : Samples it, and looks for the object.

    Examples
    --------
    >>> known_layout(1.6).frame_count
    16
    """
    width, height = 0.36, min(0.8, 0.36 * aspect * 0.65)
    boxes = [Box(x0=x, y0=0.5 - height / 2, x1=x + width, y1=0.5 + height / 2) for x in (0.04, 0.6)]
    return VideoSceneLayout(
        caption="a car drives from left to right on a city street",
        frame_captions=["a car on the left, a city street", "a car on the right, a city street"],
        key_times_s=[0.0, seconds - 0.125],
        objects=[SceneObject(id="car-1", label="car", caption="a car", boxes=boxes)],
        duration_s=seconds,
        aspect=aspect,
        background="street",
    )


def check_preset(
    name: str,
    *,
    device: str = "auto",
    detector: Detects | None = None,
    steps: int | None = None,
    seconds: float = 2.0,
    progress: Callable[[int, int], None] | None = None,
) -> Verdict:
    """Sample the known layout and look for the car.

    Parameters
    ----------
    name : str
        A preset.
    device : {"auto", "cuda", "mps", "cpu"}
        Where to sample, see `spa2v_lib.sampling.loading.check_device`.
    detector : Detects, optional
        For presets of published weights; looked for before sampling starts if not given. Without
        one the video is made and kept, and nothing is measured.
    steps : int, optional
        The preset's own number if not given.
    seconds : float
        Length of the video, from 0.25 to 30.
    progress : callable, optional
        Called after each step with the steps done and the steps in all.

    Returns
    -------
    Verdict

    Raises
    ------
    SamplingError, DataError
        If the preset cannot be sampled.

    See Also
    --------
    known_layout : What it samples.

    Examples
    --------
    >>> check_preset("tiny", seconds=0.25, steps=1).video.frames.shape
    (2, 128, 128, 3)
    """
    if not 0.25 <= seconds <= 30:
        raise SamplingError(f"{seconds:g} seconds; the length must lie between 0.25 and 30")
    preset = get_preset(name)
    layout = known_layout(preset.size[0] / preset.size[1], seconds)
    check(layout, name, steps=steps, device=device)  # the preset's own lacks are named first
    missing = ""
    if preset.labels is None and detector is None:
        try:
            detector = OwlVit()
        except DataError as error:
            missing = str(error)
    video = generate(layout, name, 0, steps=steps, device=device, progress=progress)
    if missing:
        return Verdict(None, None, None, video, missing)
    return _verdict(video, layout, _detections(video, detector))


def _detections(video: Video, detector: Detects | None) -> list[list[Detection]]:
    if detector is not None:
        return detector.detect(video.frames, ["car"])
    from spa2v_lib.sampling.tiny_detector import detect

    return detect(video.frames)


def _verdict(video: Video, layout: VideoSceneLayout, detections: list[list[Detection]]) -> Verdict:
    straight, mirrored, seen = [], [], []
    for row, (wanted,) in zip(detections, layout.frame_boxes(), strict=True):
        boxes = [one.box for one in row if one.label == "car"][:1]
        straight.append(max(map(wanted.iou, boxes), default=0.0))
        mirrored.append(max(map(wanted.mirrored().iou, boxes), default=0.0))
        seen.append(bool(boxes))
    return Verdict(*(float(np.mean(v)) for v in (straight, mirrored, seen)), video)
