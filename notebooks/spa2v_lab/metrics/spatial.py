"""Spatial AV-Align: whether something is seen where the sound comes from.

Paper: Shimada et al., "SAVGBench: Benchmarking Spatially Aligned Audio-Video Generation", 2024.
There a network localizes sound in the picture ten times a second, another draws boxes
around what it sees in four frames a second, and a direction is right if it lies within 40 of 256
pixels of a box, at most one frame early or late. Here the directions are `SpatialCues`, mapped to
the picture by the camera, and the boxes anybody's.

It is a recall: boxes where nothing sounds cost nothing, and a box as wide as the picture is always
right. Report it beside the same measure of the mirrored cues, or of other clips' boxes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from spa2v_lib.errors import MetricError
from spa2v_lib.layout.camera import Camera
from spa2v_lib.sampling.detection import Detection

if TYPE_CHECKING:
    from spa2v_lib.cues.types import SpatialCues

__all__ = ["spatial_av_align", "spatial_hits"]

MARGIN = 40 / 256
"""Picture widths that a direction may lie beside a box."""

SLACK_S = 0.25
"""Seconds that a box may be early or late – one frame of four a second."""

_ROUNDING = 1e-9


def spatial_av_align(
    cues: SpatialCues,
    detections: Sequence[Sequence[Detection]],
    fps: float,
    camera: Camera | None = None,
    margin: float = MARGIN,
    slack_s: float = SLACK_S,
) -> float:
    """Return the share of the sound's directions where something is seen.

    Parameters
    ----------
    cues, detections, fps, camera, margin, slack_s
        As in `spatial_hits`, which also says what is refused.

    Returns
    -------
    float
        In [0, 1]; NaN if no direction counts.

    See Also
    --------
    spatial_hits : both counts, to be summed over clips

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> from spa2v_lib.layout.box import Box
    >>> bird = SimpleNamespace(azimuth_deg=[0.0, 0.0], active=[True, True])
    >>> cues = SimpleNamespace(times_s=[0.05, 0.15], sources=[bird])
    >>> seen = [Detection("bird", 0.9, Box(x0=0.4, y0=0.4, x1=0.6, y1=0.6))]
    >>> spatial_av_align(cues, [seen] * 2, fps=8.0)
    1.0
    """
    hits, counted = spatial_hits(cues, detections, fps, camera, margin, slack_s)
    return hits / counted if counted else math.nan


def spatial_hits(
    cues: SpatialCues,
    detections: Sequence[Sequence[Detection]],
    fps: float,
    camera: Camera | None = None,
    margin: float = MARGIN,
    slack_s: float = SLACK_S,
) -> tuple[int, int]:
    """Count the sound's directions, and those where something is seen.

    SAVGBench divides the sums of both over all clips. Each source counts at each cue frame, ten a
    second, in which it sounds and has a direction within the field of view; what sounds beside or
    behind the picture cannot be seen and does not count. Labels and heights do not matter.

    Parameters
    ----------
    cues : SpatialCues
        The estimated directions; those of another method can be put into one.
    detections : sequence of sequence of Detection
        Of every video frame, as a detector's ``detect`` gives them.
    fps : float
        Frames per second of the video.
    camera : Camera, optional
        Which x a direction has; the usual one if not given.
    margin : float
        Picture widths that a direction may lie beside a box.
    slack_s : float
        The frame nearest in time counts, the last one after the end, and whole frames up to this
        far before and after it.

    Returns
    -------
    tuple of int
        Directions with a box, and all that count.

    Raises
    ------
    MetricError
        If there is no frame, `fps` is not above 0, or margin or slack are below 0.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> from spa2v_lib.layout.box import Box
    >>> bird = SimpleNamespace(azimuth_deg=[0.0, 0.0], active=[True, True])
    >>> cues = SimpleNamespace(times_s=[0.05, 0.15], sources=[bird])
    >>> seen = [Detection("bird", 0.9, Box(x0=0.4, y0=0.4, x1=0.6, y1=0.6))]
    >>> spatial_hits(cues, [seen] * 2, fps=8.0)
    (2, 2)
    """
    if len(detections) == 0 or not fps > 0:
        raise MetricError(
            f"detections of {len(detections)} frames at {fps} frames a second; at least one frame "
            "and a rate above 0 are needed"
        )
    if margin < 0 or slack_s < 0:
        raise MetricError(f"margin is {margin} and slack {slack_s} s; neither may be below 0")
    camera = camera or Camera()
    beside = math.floor(slack_s * fps + _ROUNDING)
    hits = counted = 0
    for number, time in enumerate(cues.times_s):
        middle = min(round(time * fps), len(detections) - 1)
        near = detections[max(middle - beside, 0) : middle + beside + 1]
        boxes = [detection.box for frame in near for detection in frame]
        for x in _visible_sounds(cues, number, camera):
            gaps = [max(box.x0 - x, x - box.x1) for box in boxes]
            hits += min(gaps, default=math.inf) <= margin + _ROUNDING
            counted += 1
    return hits, counted


def _visible_sounds(cues: SpatialCues, number: int, camera: Camera) -> list[float]:
    """Return the picture's x of every source that sounds in view in a cue frame."""
    azimuths = [s.azimuth_deg[number] for s in cues.sources if s.active[number]]
    return [
        camera.x_of_azimuth(azimuth)
        for azimuth in azimuths
        if azimuth is not None and abs(azimuth) <= camera.fov_deg / 2
    ]
