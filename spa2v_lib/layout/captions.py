"""The sentences that describe a scene to a diffusion model.

One grammar serves planning and the drawn world that the tiny suite is trained on, so that the tiny
text encoder has met every word a planner writes. The sentences are plain enough for Stable
Diffusion as well.
"""

from __future__ import annotations

from typing import Literal

from spa2v_lib.layout.classes import BACKGROUNDS, SoundClass, get_class

__all__ = [
    "Motion",
    "directional_caption",
    "frame_caption",
    "object_caption",
    "position_phrase",
    "video_caption",
]

Motion = Literal["left_crossing", "right_crossing", "approaching", "receding", "stationary"]

_LEFT, _RIGHT = "from right to left", "from left to right"
_SIDE = 1.0 / 6.0  # the centre is the middle third of the picture


def _movement(kind: SoundClass, motion: Motion) -> str:
    match motion:
        case "left_crossing":
            return f"{kind.verb} {_LEFT}"
        case "right_crossing":
            return f"{kind.verb} {_RIGHT}"
        case "approaching":
            return f"{kind.verb} towards the camera"
        case "receding":
            return f"{kind.verb} away from the camera"
        case _:
            return kind.still


def _where(kind: SoundClass, background: str) -> str:
    place = BACKGROUNDS[background]
    preposition = "over" if kind.place == "air" else place.preposition
    return f"{preposition} {place.phrase}"


def object_caption(label: str) -> str:
    """Name one object ("a bus")."""
    return get_class(label).with_article


def directional_caption(caption: str, rightward: bool) -> str:
    """Say of one object what it is, and if it goes to the right, as grounding layers are told it.

    A box does not say which way its thing looks; without this, layers lay pictures that face left
    and right over one another. Drawn things face left unless they go to the right. Only the
    exception is said: "from left to right" and "from right to left" hold the same words, and small
    text encoders hardly tell them apart.

    Parameters
    ----------
    caption : str
        Of the object, for example "a bus".
    rightward : bool
        Whether it goes to the right in the picture.

    Returns
    -------
    str
        For example "a bus from left to right".
    """
    return f"{caption} {_RIGHT}" if rightward else caption


def video_caption(objects: list[tuple[str, Motion]], background: str) -> str:
    """Describe the whole video in one sentence.

    Parameters
    ----------
    objects : list of (str, Motion)
        Label and motion of each object, the most prominent first; may be empty.
    background : str
        A key of `BACKGROUNDS`.

    Returns
    -------
    str
        For example "a bus drives from left to right on a city street".
    """
    if not objects:
        return BACKGROUNDS[background].phrase
    kinds = [get_class(label) for label, _ in objects]
    parts = [
        f"{kind.with_article} {_movement(kind, motion)}"
        for kind, (_, motion) in zip(kinds, objects, strict=True)
    ]
    return f"{' and '.join(parts)} {_where(kinds[0], background)}"


def position_phrase(x: float) -> str:
    """Name the third of the picture that holds the horizontal position `x` in [0, 1]."""
    if x < 0.5 - _SIDE:
        return "on the left"
    return "on the right" if x > 0.5 + _SIDE else "in the centre"


def frame_caption(objects: list[tuple[str, float]], background: str) -> str:
    """Describe one frame: what is visible and in which third of the picture.

    Parameters
    ----------
    objects : list of (str, float)
        Label and horizontal box centre in [0, 1] of each visible object.
    background : str
        A key of `BACKGROUNDS`.
    """
    place = BACKGROUNDS[background].phrase
    if not objects:
        return place
    parts = [f"{object_caption(label)} {position_phrase(x)}" for label, x in objects]
    return f"{' and '.join(parts)}, {place}"
