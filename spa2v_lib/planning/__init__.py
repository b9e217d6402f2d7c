"""Planning: from spatial cues to a Video Scene Layout."""

from __future__ import annotations

from typing import TYPE_CHECKING

from spa2v_lib.errors import PlanningError
from spa2v_lib.planning.acoustic import plan_acoustic

if TYPE_CHECKING:
    from spa2v_lib.audio import Recording
    from spa2v_lib.camera import Camera
    from spa2v_lib.cues.types import SpatialCues
    from spa2v_lib.layout import VideoSceneLayout

__all__ = ["PLANNERS", "plan", "plan_acoustic"]

PLANNERS = ("acoustic",)
"""Planners that `plan` knows by name."""

_SAME_LENGTH_S = 0.2


def plan(
    recording: Recording,
    cues: SpatialCues,
    planner: str = "acoustic",
    *,
    fps: float = 8.0,
    aspect: float = 1.0,
    camera: Camera | None = None,
    key_rate_hz: float = 2.0,
) -> VideoSceneLayout:
    """Plan what the video shows, where and when.

    Parameters
    ----------
    recording : Recording
        What the cues were measured in.
    cues : SpatialCues
    planner : str
        One of `PLANNERS`.
    fps : float
        Frames per second of the video, above 0.
    aspect : float
        Width over height of the picture.
    camera : Camera, optional
        At the microphone; by default 90° wide, level, 1.5 m above the ground. Its own aspect
        counts if it is given.
    key_rate_hz : float
        Key frames per second, above 0; the first and the last frame are always key frames.

    Returns
    -------
    VideoSceneLayout

    Raises
    ------
    PlanningError
        If the planner is not known, a number is out of range, the cues belong to another
        recording, or what sounds is not known.
    """
    if planner not in PLANNERS:
        raise PlanningError(f"no planner {planner!r}; one of: {', '.join(PLANNERS)}")
    for name, value in (("fps", fps), ("aspect", aspect), ("key_rate_hz", key_rate_hz)):
        if not value > 0:
            raise PlanningError(f"{name} is {value:g}; it must be above 0")
    if abs(recording.duration_s - cues.duration_s) > _SAME_LENGTH_S:
        raise PlanningError(
            f"{recording.name} lasts {recording.duration_s:.2f} s, but the cues were measured in "
            f"{cues.recording}, {cues.duration_s:.2f} s; extract the cues of this recording"
        )
    return plan_acoustic(cues, fps=fps, aspect=aspect, camera=camera, key_rate_hz=key_rate_hz)
