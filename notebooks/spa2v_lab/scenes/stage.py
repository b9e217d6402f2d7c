"""Scenes put together by hand: this recording, from that direction, through these microphones."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spa2v_lab.scenes.recordings import recording_info
from spa2v_lab.scenes.scene import Scene, StraightPath, WorldObject
from spa2v_lib.errors import SceneError
from spa2v_lib.layout.camera import Camera
from spa2v_lib.layout.captions import Motion

__all__ = ["Trajectory", "stage"]

_MICROPHONE_M = 1.5
_SIZE_M = 1.0
_CROSSING_DEG = 10.0  # less than this is no crossing


@dataclass(frozen=True)
class Trajectory:
    """A recording on a straight path past the microphone, at its height.

    Attributes
    ----------
    recording : str
        File name under ``data/recordings``.
    from_deg : float
        Azimuth at the beginning.
    to_deg : float or None
        Azimuth at the end; None for one that stays in its direction.
    from_m : float
        Distance at the beginning.
    to_m : float or None
        Distance at the end; None for the same.
    gain_db : float
        Level of the recording at 1 m.
    onset_s : float
        When the recording starts.

    See Also
    --------
    stage : put some into a scene

    Examples
    --------
    >>> crossing = Trajectory("truck_01.flac", from_deg=-60, to_deg=60, from_m=4.0)
    >>> crossing.motion
    'right_crossing'
    """

    recording: str
    from_deg: float
    to_deg: float | None = None
    from_m: float = 3.0
    to_m: float | None = None
    gain_db: float = 0.0
    onset_s: float = 0.0

    @property
    def motion(self) -> Motion:
        """The motion in the paper's words."""
        turn = 0.0 if self.to_deg is None else self.to_deg - self.from_deg
        if abs(turn) >= _CROSSING_DEG:
            return "right_crossing" if turn > 0 else "left_crossing"
        if self.to_m is None or self.to_m == self.from_m:
            return "stationary"
        return "approaching" if self.to_m < self.from_m else "receding"

    def world_object(self, seconds: float) -> WorldObject:
        """Return the object that moves along it in that time."""
        start = _place(self.from_deg, self.from_m)
        end = _place(
            self.from_deg if self.to_deg is None else self.to_deg,
            self.from_m if self.to_m is None else self.to_m,
        )
        velocity = (end - start) / seconds
        return WorldObject(
            label=recording_info(self.recording).label,
            style="fluent3d",
            path=StraightPath(tuple(map(float, start)), tuple(map(float, velocity))),
            motion=self.motion,
            width_m=_SIZE_M,
            height_m=_SIZE_M,
            base_m=_MICROPHONE_M - _SIZE_M / 2,
            recording=self.recording,
            gain_db=self.gain_db,
            onset_s=self.onset_s,
        )


def stage(
    *trajectories: Trajectory,
    capture: str = "xy",
    seconds: float = 3.0,
    rt60_s: float = 0.0,
    noise_db: float | None = None,
    seed: int = 0,
) -> Scene:
    """Put recordings on their trajectories into one scene.

    Parameters
    ----------
    *trajectories : Trajectory
        At least one.
    capture : str
        A key of `spa2v_lab.scenes.receivers.RECEIVERS`.
    seconds : float
        Length, above 0.
    rt60_s : float
        Reverberation time; 0 outdoors.
    noise_db : float, optional
        Level of diffuse noise relative to the signal.
    seed : int
        Decides the noise and the room's tail.

    Raises
    ------
    SceneError
        If there is no trajectory, or no time.

    See Also
    --------
    spa2v_lab.scenes.sampler.sample_scene : draw one at random

    Examples
    --------
    >>> scene = stage(Trajectory("truck_01.flac", -30.0), capture="ab", seconds=2.0)
    >>> [obj.label for obj in scene.objects], scene.receiver
    (['truck'], 'ab')
    """
    if not trajectories or seconds <= 0:
        raise SceneError(
            f"{len(trajectories)} trajectories in {seconds:g} s; at least one is needed, and time"
        )
    return Scene(
        objects=tuple(trajectory.world_object(seconds) for trajectory in trajectories),
        background="meadow",
        camera=Camera(height_m=_MICROPHONE_M),
        duration_s=seconds,
        seed=seed,
        receiver=capture,
        rt60_s=rt60_s,
        noise_db=noise_db,
    )


def _place(azimuth_deg: float, distance_m: float) -> np.ndarray:
    angle = np.radians(azimuth_deg)
    return distance_m * np.array([np.sin(angle), np.cos(angle)])
