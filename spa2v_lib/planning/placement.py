"""Where an object is, as far as cues and everyday sizes leave it open: its height and its path.

Neither two microphones nor the size of a class say at which height a bird flies or a guitar is
held. Scenes with known ground truth show it: exemplars tell the elevation at which objects of the
same class, or at least of the same kind of place, are seen. What stands on the ground or floats
needs no example. SpA2V (Pham et al., ACM MM 2025, sec. 3.1) lets a language model pick this up from
its examples; here it is one number, and can be checked.

Where a source that passes by is at any time follows from the path that was fitted to it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from spa2v_lib.cues.doppler import path_position
from spa2v_lib.cues.formats import SOUND_M_S
from spa2v_lib.cues.types import PassBy
from spa2v_lib.layout.camera import Camera
from spa2v_lib.layout.classes import CLASSES, SoundClass
from spa2v_lib.layout.scene_layout import SceneObject, VideoSceneLayout
from spa2v_lib.planning.exemplars import Exemplar

__all__ = [
    "OFF_GROUND",
    "closest_distance_m",
    "elevation_slope",
    "pass_by_position",
    "with_exemplar_height",
]

OFF_GROUND = ("air", "held")
"""Places whose height above the ground neither sound nor size tells."""

_USUAL_ERROR = 0.5  # of ln(distance): how far from the usual range objects sound
_Z90 = 1.645
_FASTEST_MACH = 0.5


def with_exemplar_height(
    sound_class: SoundClass, exemplars: Sequence[Exemplar], camera: Camera, shots: int = 3
) -> SoundClass:
    """Return the class with its height above the ground taken from exemplars.

    Parameters
    ----------
    sound_class : SoundClass
        Whose usual size and place decide the box.
    exemplars : sequence of Exemplar
        In the order of choice; may be empty.
    camera : Camera
        That will see the object.
    shots : int
        How many examples count: the first that show an object of this class, if any do, else the
        first that show one in the same kind of place.

    Returns
    -------
    SoundClass
        With another ``base_m``: the mean of what they show, see `elevation_slope`, at the class's
        usual range. The class as it was, if it stands on ground or water or no exemplar shows such
        an object.

    See Also
    --------
    spa2v_lib.planning.exemplars.ranked_exemplars : The exemplars, in the order of choice.

    Examples
    --------
    >>> from spa2v_lib.planning.exemplars import load_exemplars
    >>> camera = Camera()
    >>> with_exemplar_height(CLASSES["car"], load_exemplars(), camera) is CLASSES["car"]
    True
    >>> bird = with_exemplar_height(CLASSES["bird"], load_exemplars(), camera)
    >>> bird.base_m == CLASSES["bird"].base_m
    False
    """
    if sound_class.place not in OFF_GROUND:
        return sound_class
    alike = _alike(sound_class, exemplars, shots)
    slopes = [elevation_slope(shown, layout) for shown, layout in alike]
    if not slopes:
        return sound_class
    base = camera.height_m + sound_class.range_m * sum(slopes) / len(slopes)
    return replace(sound_class, base_m=max(0.0, base))


def _alike(
    sound_class: SoundClass, exemplars: Sequence[Exemplar], shots: int
) -> list[tuple[SceneObject, VideoSceneLayout]]:
    """Return up to `shots` objects that are seen as this class is, with their layouts."""
    shown = [
        (each, exemplar.layout)
        for exemplar in exemplars
        for each in exemplar.layout.objects
        if any(each.boxes)
    ]
    same = [pair for pair in shown if pair[0].label == sound_class.name]
    near = [pair for pair in shown if CLASSES[pair[0].label].place == sound_class.place]
    return (same or near)[:shots]


def elevation_slope(shown: SceneObject, layout: VideoSceneLayout) -> float:
    """Return the slope of the line from the camera to an object's lower edge where it is closest.

    Parameters
    ----------
    shown : SceneObject
        One of `layout` that has a box at some time.
    layout : VideoSceneLayout
        Its camera is taken to be level and 90° wide.

    Returns
    -------
    float
        Tangent of the elevation above the horizon, negative below it.

    Examples
    --------
    >>> from spa2v_lib.planning.exemplars import load_exemplars
    >>> shown = next(e.layout for e in load_exemplars() if e.layout.objects[0].label == "train")
    >>> elevation_slope(shown.objects[0], shown) < 0  # it stands on the ground
    True
    """
    camera = Camera(aspect=layout.aspect)
    closest = max((box for box in shown.boxes if box is not None), key=lambda box: box.area)
    return (camera.horizon_y() - closest.y1) / (0.5 * camera.aspect)


def closest_distance_m(passing: PassBy, sound_class: SoundClass, times: np.ndarray) -> float:
    """Return the closest distance of the path.

    The usual range of the class is that of the closest of `times`; a distance that the Doppler
    shift tells is averaged with it, each weighted by the inverse variance of its logarithm.

    Parameters
    ----------
    passing : PassBy
        The path that was fitted.
    sound_class : SoundClass
        Of the object, which has a usual range.
    times : ndarray
        When it is shown, in seconds.

    Returns
    -------
    float
        In metres.

    See Also
    --------
    pass_by_position : Where it is at other times.

    Examples
    --------
    >>> from spa2v_lib.cues.types import Range
    >>> exact = {name: Range(value=v, low=v, high=v)
    ...          for name, v in (("closest_s", 1.0), ("speed_over_distance", 1.0))}
    >>> passing = PassBy(**exact, heading_deg=90.0, speed_m_s=None, distance_m=None,
    ...                  evidence="azimuth and level")
    >>> closest_distance_m(passing, CLASSES["car"], np.array([1.0])) == CLASSES["car"].range_m
    True
    """
    since = times - passing.closest_s.value
    rate = passing.speed_over_distance.value
    usual = sound_class.range_m / float(np.hypot(1.0, rate * since).min())
    measured = passing.distance_m
    if measured is None:
        return usual
    error = np.log(measured.high / measured.low) / (2.0 * _Z90)
    weight = 1.0 / (1.0 + (error / _USUAL_ERROR) ** 2)
    return float(np.exp(weight * np.log(measured.value) + (1.0 - weight) * np.log(usual)))


def pass_by_position(
    passing: PassBy, sound_class: SoundClass, times: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return where a passing object is at `times`: what sounds then left it a little earlier.

    Parameters
    ----------
    passing : PassBy
        The path that was fitted to its sound.
    sound_class : SoundClass
        Whose usual size and place decide the box.
    times : ndarray [times]
        In seconds.

    Returns
    -------
    offset_deg : ndarray [times]
        To be added to the azimuth of the sound.
    range_m : ndarray [times]

    See Also
    --------
    spa2v_lib.planning.acoustic.place_boxes : Makes boxes of it.

    Examples
    --------
    >>> from spa2v_lib.cues.types import Range
    >>> exact = {name: Range(value=v, low=v, high=v)
    ...          for name, v in (("closest_s", 1.0), ("speed_over_distance", 1.0))}
    >>> passing = PassBy(**exact, heading_deg=90.0, speed_m_s=None, distance_m=None,
    ...                  evidence="azimuth and level")
    >>> offset_deg, range_m = pass_by_position(passing, CLASSES["car"], np.array([0.0, 1.0, 2.0]))
    >>> bool((offset_deg > 0).all())  # it travels to the right
    True
    """
    rate = passing.speed_over_distance.value
    nearest = closest_distance_m(passing, sound_class, times)
    mach = min(rate * nearest / SOUND_M_S, _FASTEST_MACH)
    since = times - passing.closest_s.value
    emitted, now = path_position(since, 0.0, rate, mach), rate * since + mach
    side = float(np.sign(passing.heading_deg))
    offset = side * np.degrees(np.arctan(now) - np.arctan(emitted))
    return offset, nearest * np.hypot(1.0, now)
