"""How high things are seen: what exemplars tell that geometry and everyday sizes do not.

Neither two microphones nor a class's size say at which height a bird flies or a guitar is held.
Scenes whose truth is known show it: exemplars tell the angle above or below the horizon at which
things of the same class, or at least in the same kind of place, are seen. What stands on the ground
or floats needs no example.

SpA2V (Pham et al., ACM MM 2025, sec. 3.1) lets a language model pick this up from its examples;
here it is one number, and can be checked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from spa2v_lib.camera import Camera
from spa2v_lib.classes import CLASSES, SoundClass
from spa2v_lib.layout import SceneObject, VideoSceneLayout
from spa2v_lib.planning.exemplars import Exemplar

__all__ = ["OFF_GROUND", "as_seen", "rise"]

OFF_GROUND = ("air", "held")
"""Places whose height above the ground is anybody's guess."""


def as_seen(
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
