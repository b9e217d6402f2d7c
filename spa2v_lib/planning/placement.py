"""How high things are seen: what exemplars tell that geometry and everyday sizes do not.

Neither two microphones nor a class's size say at which height a bird flies or a guitar is held.
Scenes whose truth is known show it: exemplars tell the angle above or below the horizon at which
things of the same class, or at least in the same kind of place, are seen. What stands on the ground
or floats needs no example.

SpA2V (Pham et al., ACM MM 2025, sec. 3.1) lets a language model pick this up from its examples;
here it is one number, and can be checked.

Where a source that passes by is at any time, from the path that was fitted to it.
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
    "with_exemplar_height",
    "closest_distance_m",
    "rise",
    "pass_by_position",
]

OFF_GROUND = ("air", "held")
"""Places whose height above the ground is anybody's guess."""


def with_exemplar_height(
    kind: SoundClass, exemplars: Sequence[Exemplar], camera: Camera, shots: int = 3
) -> SoundClass:
    """Return the class with its height above the ground taken from exemplars.

    Parameters
    ----------
    kind : SoundClass
    exemplars : sequence of Exemplar
        In the order of choice; may be empty.
    camera : Camera
        That the thing will be seen by.
    shots : int
        How many examples to heed: the first that show such a thing, if there are any, else the
        first that show something in the same kind of place.

    Returns
    -------
    SoundClass
        With another ``base_m``: the mean of what they show, see `rise`, at the class's usual range.
        The class as it was, if it stands on ground or water or no exemplar shows such a thing.
    """
    if kind.place not in OFF_GROUND:
        return kind
    rises = [rise(thing, layout) for thing, layout in _alike(kind, exemplars, shots)]
    if not rises:
        return kind
    base = camera.height_m + kind.range_m * sum(rises) / len(rises)
    return replace(kind, base_m=max(0.0, base))


def _alike(
    kind: SoundClass, exemplars: Sequence[Exemplar], shots: int
) -> list[tuple[SceneObject, VideoSceneLayout]]:
    """Return up to `shots` things that are seen as such a thing is, with their layouts."""
    shown = [
        (thing, exemplar.layout)
        for exemplar in exemplars
        for thing in exemplar.layout.objects
        if any(thing.boxes)
    ]
    same = [pair for pair in shown if pair[0].label == kind.name]
    near = [pair for pair in shown if CLASSES[pair[0].label].place == kind.place]
    return (same or near)[:shots]


def rise(thing: SceneObject, layout: VideoSceneLayout) -> float:
    """Return how steeply one looks up to a thing's lower edge where it is closest.

    Parameters
    ----------
    thing : SceneObject
        One of `layout` that is seen at some time.
    layout : VideoSceneLayout
        Its camera is taken to be level and 90° wide, as everywhere unless told otherwise.

    Returns
    -------
    float
        Tangent of the angle above the horizon, negative below it.
    """
    camera = Camera(aspect=layout.aspect)
    closest = max((box for box in thing.boxes if box is not None), key=lambda box: box.area)
    return (camera.horizon_y() - closest.y1) / (0.5 * camera.aspect)


_USUAL_ERROR = 0.5  # of ln(distance): how far from the usual range things are heard
_Z90 = 1.645
_FASTEST_MACH = 0.5


def closest_distance_m(passing: PassBy, kind: SoundClass, times: np.ndarray) -> float:
    """Return the closest distance of the path, in metres.

    The usual range of the class is that of the closest of `times`; a distance that the Doppler
    shift tells is averaged with it, each as sure as it is.

    Parameters
    ----------
    passing : PassBy
    kind : SoundClass
    times : ndarray
        When it is shown, in seconds.
    """
    since = times - passing.closest_s.value
    usual = kind.range_m / float(np.hypot(1.0, passing.speed_over_distance.value * since).min())
    measured = passing.distance_m
    if measured is None:
        return usual
    error = np.log(measured.high / measured.low) / (2.0 * _Z90)
    trust = 1.0 / (1.0 + (error / _USUAL_ERROR) ** 2)
    return float(np.exp(trust * np.log(measured.value) + (1.0 - trust) * np.log(usual)))


def pass_by_position(
    passing: PassBy, kind: SoundClass, times: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return where it is seen at `times`: its sound is still on its way from there.

    Parameters
    ----------
    passing : PassBy
    kind : SoundClass
    times : ndarray

    Returns
    -------
    turned_deg : ndarray
        From the direction in which it is heard to that in which it is.
    range_m : ndarray
    """
    rate, nearest = passing.speed_over_distance.value, closest_distance_m(passing, kind, times)
    mach = min(rate * nearest / SOUND_M_S, _FASTEST_MACH)
    since = times - passing.closest_s.value
    heard, now = path_position(since, 0.0, rate, mach), rate * since + mach
    side = float(np.sign(passing.heading_deg))
    turned = side * np.degrees(np.arctan(now) - np.arctan(heard))
    return turned, nearest * np.hypot(1.0, now)
