"""What a perfect listener would hear in a scene, frame by frame."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spa2v_lib.cues.types import HOP_S
from spa2v_lib.scenes.propagation import emission_times
from spa2v_lib.scenes.receivers import SPEED_OF_SOUND, get_receiver
from spa2v_lib.scenes.recordings import emitted
from spa2v_lib.scenes.scene import Scene, WorldObject

__all__ = ["STEADY_PITCH", "Truth", "emission_sounding", "image_position_deg", "truths"]

STEADY_PITCH = (
    "car_horn_01.flac",
    "train_diesel_01.flac",
    "ship_horn_01.flac",
    "ship_horn_02.flac",
)
"""Recordings whose own pitch stays, by their notes: what changes it is the Doppler effect."""

_DOPPLER_M_S = 3.0  # slower, and the pitch changes by less than a sixth of a semitone
_LEVEL_RATE_HZ = 8000
_SOUNDING_DB = 30.0  # below the recording's loud moments it is a pause
_IMAGE_BASE_DEG = 45.0


@dataclass(frozen=True)
class Truth:
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
        heard = self.azimuth_deg[self.sounding]
        return float(heard[-1] - heard[0]) if len(heard) else 0.0


def truths(scene: Scene, times_s: np.ndarray) -> list[Truth]:
    """Return the truth of every sounding object at the middle of each cue frame.

    Parameters
    ----------
    scene : Scene
    times_s : ndarray [frames]
        As in `SpatialCues.times_s`.
    """
    return [
        _truth(thing, scene, np.asarray(times_s, float))
        for thing in scene.objects
        if thing.recording is not None
    ]


def image_position_deg(capture: str, azimuth_deg: np.ndarray) -> np.ndarray:
    """Return where loudspeakers at ±45° would show a source that a level-only pair recorded.

    The tangent law read backwards from the receiver's own gains (Pulkki, JAES 45(6), 1997).
    """
    left, right = get_receiver(capture).gains(azimuth_deg, np.zeros_like(azimuth_deg))[:2]
    share = (right - left) / (right + left)
    tangent = np.clip(share, -1.0, 1.0) * np.tan(np.radians(_IMAGE_BASE_DEG))
    return np.degrees(np.arctan(tangent))


def emission_sounding(recording: str, left_s: np.ndarray, onset_s: float = 0.0) -> np.ndarray:
    """Return where a recording is within 30 dB of its loud moments, around those times [n]."""
    begin = float(left_s.min()) - HOP_S
    sound = emitted(recording, _LEVEL_RATE_HZ, begin, float(left_s.max()) + HOP_S, onset_s)
    energy = np.concatenate([[0.0], np.cumsum(sound**2)])
    first = np.round((left_s - HOP_S / 2 - begin) * _LEVEL_RATE_HZ).astype(int)
    power = energy[first + round(HOP_S * _LEVEL_RATE_HZ)] - energy[first]
    return power > np.percentile(power, 95) * 10 ** (-_SOUNDING_DB / 10)


def _truth(thing: WorldObject, scene: Scene, times_s: np.ndarray) -> Truth:
    up = thing.base_m + thing.height_m / 2 - scene.camera.height_m

    def way_s(emission_s: np.ndarray) -> np.ndarray:
        return _distance(thing, emission_s, up) / SPEED_OF_SOUND

    left_s = emission_times(times_s, way_s)
    x, z = thing.position(left_s).T
    velocity = np.array(thing.path.velocity)
    speed = float(np.hypot(*velocity))
    closest_s, nearest_s = None, 0.0
    if speed > 0:
        nearest_s = -float(np.array(thing.path.start) @ velocity) / speed**2
    distance = float(_distance(thing, np.array([nearest_s]), up)[0])
    if thing.motion in ("left_crossing", "right_crossing"):
        closest_s = nearest_s + distance / SPEED_OF_SOUND
    return Truth(
        label=thing.label,
        recording=thing.recording,
        motion=thing.motion,
        azimuth_deg=np.degrees(np.arctan2(x, z)),
        range_m=_distance(thing, left_s, up),
        sounding=emission_sounding(thing.recording, left_s, thing.onset_s),
        closest_s=closest_s,
        speed_m_s=speed,
        distance_m=distance,
    )


def _distance(thing: WorldObject, times_s: np.ndarray, up_m: float) -> np.ndarray:
    x, z = thing.position(times_s).T
    return np.sqrt(x**2 + z**2 + up_m**2)
