"""The ground truth of a scene, frame by frame of the cues."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spa2v_lab.scenes.propagation import emission_times
from spa2v_lab.scenes.receivers import SPEED_OF_SOUND, get_receiver
from spa2v_lab.scenes.recordings import emitted
from spa2v_lab.scenes.scene import Scene, WorldObject
from spa2v_lib.cues.types import HOP_S

__all__ = [
    "STEADY_PITCH",
    "GroundTruth",
    "emission_sounding",
    "ground_truths",
    "image_position_deg",
]

STEADY_PITCH = (
    "car_horn_01.flac",
    "train_diesel_01.flac",
    "ship_horn_01.flac",
    "ship_horn_02.flac",
)
"""Recordings whose own pitch stays, by their notes – what changes it is the Doppler effect."""

_DOPPLER_M_S = 3.0  # slower, and the pitch changes by less than a sixth of a semitone
_LEVEL_RATE_HZ = 8000
_SOUNDING_DB = 30.0  # below the recording's loud moments it is a pause
_IMAGE_BASE_DEG = 45.0


@dataclass(frozen=True)
class GroundTruth:
    """One source over the cue frames.

    What is heard at a time left the source earlier, by the time the sound was on its way: every
    entry is that of the moment it left.

    Attributes
    ----------
    label, recording, motion : str
    azimuth_deg : ndarray [frames]
        In (-180, 180].
    range_m : ndarray [frames]
        Distance from the microphone.
    sounding : ndarray of bool [frames]
        Where the recording itself is not silent.
    closest_s : float or None
        When the sound of the closest moment arrives; ``None`` for a source that does not cross.
    speed_m_s, distance_m : float
        Speed, and distance at the closest point of the whole straight line.

    See Also
    --------
    ground_truths : of a scene

    Examples
    --------
    >>> times = np.array([0.1, 0.2])
    >>> from spa2v_lab.scenes.stage import Trajectory, stage
    >>> scene = stage(Trajectory("truck_01.flac", 30.0), seconds=1.0)
    >>> (source,) = ground_truths(scene, times)
    >>> source.motion, source.azimuth_deg.round().tolist()
    ('stationary', [30.0, 30.0])
    """

    label: str
    recording: str
    motion: str
    azimuth_deg: np.ndarray
    range_m: np.ndarray
    sounding: np.ndarray
    closest_s: float | None
    speed_m_s: float
    distance_m: float

    @property
    def speed_over_distance(self) -> float:
        """Speed over closest distance, 1/s."""
        return self.speed_m_s / self.distance_m

    @property
    def has_doppler(self) -> bool:
        """Whether the pitch tells the speed: it is steady at the source, and the source is fast."""
        return self.recording in STEADY_PITCH and self.speed_m_s >= _DOPPLER_M_S

    @property
    def sweep_deg(self) -> float:
        """Change of azimuth from the first to the last sounding frame, positive to the right."""
        azimuth = self.azimuth_deg[self.sounding]
        return float(azimuth[-1] - azimuth[0]) if len(azimuth) else 0.0


def ground_truths(scene: Scene, times_s: np.ndarray) -> list[GroundTruth]:
    """Return the ground truth of every sounding object at the middle of each cue frame.

    Parameters
    ----------
    scene : Scene
    times_s : ndarray [frames]
        As in `SpatialCues.times_s`.

    See Also
    --------
    spa2v_lab.bench.hearing_scores.score_cues : compares them with cues

    Examples
    --------
    >>> times = np.array([0.1, 0.2])
    >>> from spa2v_lab.scenes.stage import Trajectory, stage
    >>> scene = stage(Trajectory("truck_01.flac", 30.0), seconds=1.0)
    >>> (source,) = ground_truths(scene, times)
    >>> source.range_m.round(1).tolist()
    [3.0, 3.0]
    """
    return [
        _ground_truth(obj, scene, np.asarray(times_s, float))
        for obj in scene.objects
        if obj.recording is not None
    ]


def image_position_deg(capture: str, azimuth_deg: np.ndarray) -> np.ndarray:
    """Return where loudspeakers at ±45° would show a source that a level-only pair recorded.

    The tangent law read backwards from the receiver's own gains (Pulkki, JAES 45(6), 1997).

    See Also
    --------
    spa2v_lab.bench.hearing_scores.score_unknown_format : uses it

    Examples
    --------
    >>> image_position_deg("xy", np.array([0.0, 45.0])).round().tolist()
    [0.0, 18.0]
    """
    left, right = get_receiver(capture).gains(azimuth_deg, np.zeros_like(azimuth_deg))[:2]
    share = (right - left) / (right + left)
    tangent = np.clip(share, -1.0, 1.0) * np.tan(np.radians(_IMAGE_BASE_DEG))
    return np.degrees(np.arctan(tangent))


def emission_sounding(recording: str, left_s: np.ndarray, onset_s: float = 0.0) -> np.ndarray:
    """Return where a recording is within 30 dB of its loud moments, around those times [n].

    See Also
    --------
    ground_truths : uses it

    Examples
    --------
    >>> emission_sounding("truck_01.flac", np.array([0.5, 1.0])).shape
    (2,)
    """
    begin = float(left_s.min()) - HOP_S
    sound = emitted(recording, _LEVEL_RATE_HZ, begin, float(left_s.max()) + HOP_S, onset_s)
    energy = np.concatenate([[0.0], np.cumsum(sound**2)])
    first = np.round((left_s - HOP_S / 2 - begin) * _LEVEL_RATE_HZ).astype(int)
    power = energy[first + round(HOP_S * _LEVEL_RATE_HZ)] - energy[first]
    return power > np.percentile(power, 95) * 10 ** (-_SOUNDING_DB / 10)


def _ground_truth(obj: WorldObject, scene: Scene, times_s: np.ndarray) -> GroundTruth:
    height = scene.camera.height_m

    def travel_s(emission_s: np.ndarray) -> np.ndarray:
        return _distance(obj, emission_s, height) / SPEED_OF_SOUND

    left_s = emission_times(times_s, travel_s)
    x, z = obj.position(left_s).T
    velocity = np.array(obj.path.velocity)
    speed = float(np.hypot(*velocity))
    closest_s, nearest_s = None, 0.0
    if speed > 0:
        nearest_s = -float(np.array(obj.path.start) @ velocity) / speed**2
    distance = float(_distance(obj, np.array([nearest_s]), height)[0])
    if obj.motion in ("left_crossing", "right_crossing"):
        closest_s = nearest_s + distance / SPEED_OF_SOUND
    return GroundTruth(
        label=obj.label,
        recording=obj.recording,
        motion=obj.motion,
        azimuth_deg=np.degrees(np.arctan2(x, z)),
        range_m=_distance(obj, left_s, height),
        sounding=emission_sounding(obj.recording, left_s, obj.onset_s),
        closest_s=closest_s,
        speed_m_s=speed,
        distance_m=distance,
    )


def _distance(obj: WorldObject, times_s: np.ndarray, height_m: float) -> np.ndarray:
    x, z, up = obj.places(height_m, times_s).T
    return np.sqrt(x**2 + z**2 + up**2)
