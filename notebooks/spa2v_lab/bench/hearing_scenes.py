"""Scenes for tuning and for testing cue extraction: one drawing code, two disjoint sets.

The sets differ in recordings (where a class has several), in the seeds that all paths, rooms and
levels are drawn from, and in reverberation times. Capture format, room, scene type and
signal-to-noise ratio take turns; as their counts have no common divisor, any run of scenes is
balanced over all of them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING, Literal

import numpy as np

from spa2v_lab.bench.hearing_truth import STEADY_PITCH, GroundTruth, ground_truths
from spa2v_lab.scenes.recordings import RecordingInfo, movable_recordings
from spa2v_lab.scenes.scene import Scene, StraightPath, WorldObject
from spa2v_lab.scenes.sound import render_sound
from spa2v_lib.layout.camera import Camera

if TYPE_CHECKING:
    from spa2v_lib.audio.recording import Recording

__all__ = [
    "CAPTURE_ORDER",
    "SCENE_TYPES",
    "ROOMS",
    "SNR_ORDER_DB",
    "HearingScene",
    "Split",
    "recordings_of",
    "scenes_of",
    "single_recording_classes",
    "test_scenes",
    "tuning_scenes",
]

Split = Literal["tuning", "test"]
"""Tuning and test scenes share neither recordings, where a class has several, nor seeds."""

CAPTURE_ORDER = ("panned", "ortf", "xy", "binaural", "ms", "ab", "foa")
ROOMS = ("anechoic", "RT60 0.3 s", "RT60 0.6 s")
SNR_ORDER_DB = (20, 30, 20, 10, 20, 30, 20, 10, 20, 30, 20, 10, 20)
"""Taken in turn; the goals are set at 20 dB, so that it comes most often."""

SCENE_TYPES: tuple[tuple[str, ...], ...] = (
    ("stationary",),
    ("left_crossing",),
    ("stationary", "stationary"),
    ("approaching",),
    ("pass_by",),
    ("stationary", "stationary", "stationary"),
    ("receding",),
    ("right_crossing",),
    ("stationary", "crossing"),
    ("stationary", "crossing", "stationary"),
    ("left_crossing", "right_crossing"),
)
"""What the sources of a scene do. A pass-by is a fast crossing outdoors by a sound of steady pitch,
whatever the scene's room; a "crossing" goes either way."""

_RT60_S = {
    "tuning": ((0.0, 0.0), (0.22, 0.4), (0.45, 0.8)),
    "test": ((0.0, 0.0), (0.3, 0.3), (0.6, 0.6)),
}
_SPLIT_KEY = {"tuning": 1, "test": 2}
_WIDEST_DEG = {"panned": 40.0}  # an image cannot lie outside the loudspeakers
_SIDE_DEG = 60.0
_STEEPEST_DEG = 80.0  # from the foot to either end; at 90 degrees the line would have no end
_MICROPHONE_M = 1.5
_MARGIN_M = (1.5, 3.0)


@dataclass(frozen=True)
class HearingScene:
    """One scene of a set.

    Attributes
    ----------
    split : {"tuning", "test"}
    number : int
        Place in the set.
    capture : str
        A key of `spa2v_lab.scenes.receivers.RECEIVERS`.
    room : str
        One of `ROOMS`.
    snr_db : int
        Signal over diffuse noise.
    motions : tuple of str
        One of `SCENE_TYPES`.
    scene : Scene
        One object a source.

    See Also
    --------
    test_scenes, tuning_scenes : draw them

    Examples
    --------
    >>> scene = test_scenes(3)[2]
    >>> scene.capture, scene.motions
    ('xy', ('stationary', 'stationary'))
    """

    split: Split
    number: int
    capture: str
    room: str
    snr_db: int
    motions: tuple[str, ...]
    scene: Scene

    def rendered(self) -> Recording:
        """Render the sound; the same samples at every call."""
        return render_sound(self.scene)

    def ground_truths(self, times_s: np.ndarray) -> list[GroundTruth]:
        """Return the ground truth of every source at those times [frames]."""
        return ground_truths(self.scene, times_s)


def tuning_scenes(count: int, seed: int = 0) -> list[HearingScene]:
    """Return the first `count` scenes that a method may be tuned on.

    See Also
    --------
    test_scenes : those to measure on

    Examples
    --------
    >>> [scene.capture for scene in tuning_scenes(2)]
    ['panned', 'ortf']
    """
    return scenes_of("tuning", range(count), seed)


def test_scenes(count: int, seed: int = 0) -> list[HearingScene]:
    """Return the first `count` scenes that nothing may be tuned on.

    See Also
    --------
    tuning_scenes : those to tune on

    Examples
    --------
    >>> [scene.room for scene in test_scenes(3)]
    ['anechoic', 'RT60 0.3 s', 'RT60 0.6 s']
    """
    return scenes_of("test", range(count), seed)


def scenes_of(split: Split, numbers: Iterable[int], seed: int = 0) -> list[HearingScene]:
    """Return the scenes of a set with these numbers.

    See Also
    --------
    test_scenes, tuning_scenes : the first of each set

    Examples
    --------
    >>> [scene.number for scene in scenes_of("test", range(3, 5))]
    [3, 4]
    """
    return [_hearing_scene(split, number, seed) for number in numbers]


test_scenes.__test__ = False  # its name is no test's


def single_recording_classes() -> tuple[str, ...]:
    """Return the classes whose only recording serves both sets.

    See Also
    --------
    recordings_of : of one set

    Examples
    --------
    >>> len(single_recording_classes()) > 0
    True
    """
    return tuple(label for label, files in movable_recordings().items() if len(files) == 1)


@cache
def recordings_of(split: Split) -> tuple[RecordingInfo, ...]:
    """Return the recordings of a set, in the table's order.

    Of each class the first half (rounded up) is for tuning and the rest for testing; a single
    recording serves both. Recordings that move or die away by themselves serve neither.

    See Also
    --------
    single_recording_classes : those in both sets

    Examples
    --------
    >>> tuning, test = recordings_of("tuning"), recordings_of("test")
    >>> {info.label for info in set(tuning) & set(test)} == set(single_recording_classes())
    True
    """
    chosen: list[RecordingInfo] = []
    for files in movable_recordings().values():
        half = (len(files) + 1) // 2
        part = files[:half] if split == "tuning" else files[half:]
        chosen += part if len(files) > 1 else files
    return tuple(chosen)


def _hearing_scene(split: Split, number: int, seed: int) -> HearingScene:
    rng = np.random.default_rng([seed, _SPLIT_KEY[split], number])
    capture = CAPTURE_ORDER[number % len(CAPTURE_ORDER)]
    motions = SCENE_TYPES[number % len(SCENE_TYPES)]
    snr_db = SNR_ORDER_DB[number % len(SNR_ORDER_DB)]
    place = 0 if motions == ("pass_by",) else number % len(ROOMS)
    duration_s = round(float(rng.uniform(3.0, 4.0)), 1)
    objects = tuple(
        _world_object(rng, info, trajectory, duration_s, alone=len(motions) == 1)
        for info, trajectory in zip(
            _recordings(rng, split, motions),
            _trajectories(rng, motions, capture, place > 0),
            strict=True,
        )
    )
    scene = Scene(
        objects=objects,
        background="meadow",
        camera=Camera(fov_deg=90.0, aspect=1.0, height_m=_MICROPHONE_M, pitch_deg=0.0),
        duration_s=duration_s,
        seed=int(rng.integers(2**31)),
        receiver=capture,
        rt60_s=float(rng.uniform(*_RT60_S[split][place])),
        room_margin_m=float(rng.uniform(*_MARGIN_M)),
        noise_db=-float(snr_db),
    )
    return HearingScene(split, number, capture, ROOMS[place], snr_db, motions, scene)


@dataclass(frozen=True)
class _Trajectory:
    """A straight path: from `start` to `end` over the whole scene, and its motion's name."""

    start: np.ndarray
    end: np.ndarray
    motion: str


def _trajectories(
    rng: np.random.Generator, motions: tuple[str, ...], capture: str, indoors: bool
) -> list[_Trajectory]:
    """Draw the paths of all sources."""
    widest = _WIDEST_DEG.get(capture, _SIDE_DEG)
    places = _separated_directions(rng, motions.count("stationary"), widest)
    if capture == "foa" and motions == ("stationary",):
        places = [float(rng.uniform(-180.0, 180.0))]  # only there is behind not ahead
    trajectories = []
    for motion in motions:
        if motion == "stationary":
            trajectories.append(_standing(places.pop(), _near(rng, indoors)))
        elif motion in ("approaching", "receding"):
            trajectories.append(_radial(rng, motion, widest, indoors))
        else:
            trajectories.append(_crossing(rng, motion, widest, indoors))
    return trajectories


def _recordings(
    rng: np.random.Generator, split: Split, motions: tuple[str, ...]
) -> list[RecordingInfo]:
    """Draw one recording a source, of different classes."""
    choice = [
        info
        for info in recordings_of(split)
        if motions != ("pass_by",) or info.file in STEADY_PITCH
    ]
    labels = sorted({info.label for info in choice})
    drawn = rng.choice(labels, size=len(motions), replace=False)
    return [rng.choice([info for info in choice if info.label == label]) for label in drawn]


def _separated_directions(rng: np.random.Generator, count: int, widest_deg: float) -> list[float]:
    """Draw directions within ±`widest_deg`, in random order, at least a quarter of it apart."""
    while True:
        drawn = rng.uniform(-widest_deg, widest_deg, count)
        least = 0.5 * widest_deg if count < 3 else 0.4 * widest_deg
        if all(b - a >= least for a, b in pairwise(sorted(drawn))):
            return drawn.tolist()


def _near(rng: np.random.Generator, indoors: bool) -> float:
    return float(rng.uniform(0.8, 2.0) if indoors else rng.uniform(2.0, 12.0))


def _place(azimuth_deg: float, distance_m: float) -> np.ndarray:
    angle = np.radians(azimuth_deg)
    return distance_m * np.array([np.sin(angle), np.cos(angle)])


def _standing(azimuth_deg: float, distance_m: float) -> _Trajectory:
    place = _place(azimuth_deg, distance_m)
    return _Trajectory(place, place, "stationary")


def _radial(rng: np.random.Generator, motion: str, widest_deg: float, indoors: bool) -> _Trajectory:
    near = float(rng.uniform(0.8, 1.3)) if indoors else _near(rng, indoors)
    azimuth = float(rng.uniform(-0.8, 0.8)) * widest_deg
    close = _place(azimuth, near)
    away = _place(azimuth, near * float(rng.uniform(2.0, 3.2)))
    ends = (away, close) if motion == "approaching" else (close, away)
    return _Trajectory(*ends, motion)


def _crossing(
    rng: np.random.Generator, motion: str, widest_deg: float, indoors: bool
) -> _Trajectory:
    """Draw a path past the microphone whose closest point lies within 20 degrees of ahead."""
    least, most, near = 0.5 * widest_deg, widest_deg, _near(rng, indoors)
    if motion == "pass_by":
        least, most = most, min(1.2 * widest_deg, 44.0 if widest_deg < 45.0 else 75.0)
        near = float(rng.uniform(6.0, 20.0))
    begin, end = -rng.uniform(least, most), rng.uniform(least, most)
    foot = float(rng.uniform(-1.0, 1.0)) * min(20.0, 0.4 * widest_deg)
    foot = float(np.clip(foot, end - _STEEPEST_DEG, begin + _STEEPEST_DEG))
    along = np.array([np.cos(np.radians(foot)), -np.sin(np.radians(foot))])
    first, last = (
        _place(foot, near) + near * np.tan(np.radians(side - foot)) * along for side in (begin, end)
    )
    leftward = motion == "left_crossing" or (motion != "right_crossing" and rng.uniform() < 0.5)
    return (
        _Trajectory(last, first, "left_crossing")
        if leftward
        else _Trajectory(first, last, "right_crossing")
    )


def _world_object(
    rng: np.random.Generator,
    info: RecordingInfo,
    trajectory: _Trajectory,
    duration_s: float,
    *,
    alone: bool,
) -> WorldObject:
    """Make the object; beside others it is about as loud as they are at the microphone."""
    distance = float(np.hypot(*((trajectory.start + trajectory.end) / 2)))
    gain_db = 0.0 if alone else 20 * np.log10(distance) + float(rng.uniform(-3.0, 3.0))
    height = 0.4
    velocity = (trajectory.end - trajectory.start) / duration_s
    return WorldObject(
        label=info.label,
        style="noto",
        path=StraightPath(tuple(trajectory.start.tolist()), tuple(velocity.tolist())),
        motion=trajectory.motion,
        width_m=height,
        height_m=height,
        base_m=_MICROPHONE_M - height / 2 + float(rng.uniform(-0.1, 0.1)),
        recording=info.file,
        gain_db=gain_db,
    )
