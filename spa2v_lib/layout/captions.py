"""Captions: the sentences that describe a scene to a diffusion model.

The planner and the training scenes of the tiny suite share one grammar, so that the tiny text
encoder knows every word that a planner writes. The sentences suit Stable Diffusion as well.
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


def _movement(sound_class: SoundClass, motion: Motion) -> str:
    match motion:
        case "left_crossing":
            return f"{sound_class.verb} {_LEFT}"
        case "right_crossing":
            return f"{sound_class.verb} {_RIGHT}"
        case "approaching":
            return f"{sound_class.verb} towards the camera"
        case "receding":
            return f"{sound_class.verb} away from the camera"
        case _:
            return sound_class.still


def _where(sound_class: SoundClass, background: str) -> str:
    place = BACKGROUNDS[background]
    preposition = "over" if sound_class.place == "air" else place.preposition
    return f"{preposition} {place.phrase}"


def _class(word: str | SoundClass) -> SoundClass:
    return get_class(word) if isinstance(word, str) else word


def object_caption(label: str | SoundClass) -> str:
    """Return the caption of one object.

    Parameters
    ----------
    label : str or SoundClass
        Any word, see `spa2v_lib.layout.classes.get_class`.

    See Also
    --------
    directional_caption : With the direction in which it moves.

    Examples
    --------
    >>> object_caption("airplane")
    'an airplane'
    """
    return _class(label).with_article


def directional_caption(caption: str, rightward: bool) -> str:
    """Return the caption that conditions grounding layers on an object and its direction.

    A box does not determine which way its object faces; without the direction, layers blend views
    that face left and right. Objects face left unless they move to the right. Only that exception
    is written: "from left to right" and "from right to left" consist of the same words, which
    small text encoders hardly distinguish.

    Parameters
    ----------
    caption : str
        Caption of the object, for example "a bus".
    rightward : bool
        Whether it moves to the right in the picture.

    See Also
    --------
    object_caption : Without a direction.

    Examples
    --------
    >>> directional_caption("a bus", rightward=True), directional_caption("a bus", rightward=False)
    ('a bus from left to right', 'a bus')
    """
    return f"{caption} {_RIGHT}" if rightward else caption


def video_caption(objects: list[tuple[str | SoundClass, Motion]], background: str) -> str:
    """Return the caption of the whole video, in one sentence.

    Parameters
    ----------
    objects : list of (str or SoundClass, Motion)
        Label and motion of each object, the most prominent first; may be empty.
    background : str
        A key of `spa2v_lib.layout.classes.BACKGROUNDS`.

    See Also
    --------
    frame_caption : the caption of one frame.

    Examples
    --------
    >>> video_caption([("bus", "right_crossing")], "street")
    'a bus drives from left to right on a city street'
    """
    if not objects:
        return BACKGROUNDS[background].phrase
    classes = [_class(label) for label, _ in objects]
    parts = [
        f"{sound_class.with_article} {_movement(sound_class, motion)}"
        for sound_class, (_, motion) in zip(classes, objects, strict=True)
    ]
    return f"{' and '.join(parts)} {_where(classes[0], background)}"


def position_phrase(x: float) -> str:
    """Return the third of the picture that holds a horizontal position, in words.

    Parameters
    ----------
    x : float
        In [0, 1], from the left edge.

    Examples
    --------
    >>> [position_phrase(x) for x in (0.1, 0.5, 0.9)]
    ['on the left', 'in the centre', 'on the right']
    """
    if x < 0.5 - _SIDE:
        return "on the left"
    return "on the right" if x > 0.5 + _SIDE else "in the centre"


def frame_caption(objects: list[tuple[str | SoundClass, float]], background: str) -> str:
    """Return the caption of one frame: what is visible, and in which third of the picture.

    Parameters
    ----------
    objects : list of (str or SoundClass, float)
        Label and horizontal box centre in [0, 1] of each visible object.
    background : str
        A key of `spa2v_lib.layout.classes.BACKGROUNDS`.

    See Also
    --------
    video_caption : the caption of the whole video.

    Examples
    --------
    >>> frame_caption([("bus", 0.2)], "street")
    'a bus on the left, a city street'
    """
    place = BACKGROUNDS[background].phrase
    if not objects:
        return place
    parts = [f"{object_caption(label)} {position_phrase(x)}" for label, x in objects]
    return f"{' and '.join(parts)}, {place}"
