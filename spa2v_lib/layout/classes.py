"""What every stage may know about the things that make sound.

These are facts of everyday life (how large a bus usually looks, that ships are on water), not
statistics of any data set: planning places objects with them, and simulated scenes must therefore
draw their own sizes and ranges from elsewhere. The sentences made of these words are in
`spa2v_lib.layout.captions`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from spa2v_lib.errors import PlanningError

__all__ = ["BACKGROUNDS", "CLASSES", "Background", "Place", "SoundClass", "get_class"]

Place = Literal["ground", "air", "water", "held"]

_SIZES_AWAY = 1.5  # 1 / (2 · 1/3 · tan 45°)


@dataclass(frozen=True)
class Background:
    """A place that a scene can be set in.

    Attributes
    ----------
    name : str
        Key, as in `BACKGROUNDS`.
    phrase : str
        Noun phrase for captions ("a city street").
    preposition : str
        What precedes the phrase for things that stand there ("on", "in").
    """

    name: str
    phrase: str
    preposition: str


BACKGROUNDS: dict[str, Background] = {
    b.name: b
    for b in (
        Background("street", "a city street", "on"),
        Background("meadow", "a green meadow", "on"),
        Background("sea", "the blue sea", "on"),
        Background("desert", "a sandy desert", "in"),
        Background("snow", "a snowy field", "on"),
        Background("stage", "a concert stage", "on"),
    )
}


@dataclass(frozen=True)
class SoundClass:
    """One kind of thing that can be heard and shown.

    Attributes
    ----------
    name : str
        Label, as the tagger and the layouts use it.
    noun : str
        The word in captions ("fire engine").
    width_m, height_m : float
        Usual extent in a picture, in metres. Long vehicles are rarely seen square from the side,
        so their width is that of a three-quarter view.
    place : {"ground", "air", "water", "held"}
        Where it usually is; "held" is at a player's chest.
    base_m : float
        Usual height of its lower edge above the ground, in metres.
    verb : str
        How it moves, third person ("drives").
    still : str
        How it stays, third person ("stands").
    background : str
        Usual surroundings, a key of `BACKGROUNDS`.
    """

    name: str
    noun: str
    width_m: float
    height_m: float
    place: Place
    base_m: float
    verb: str
    still: str
    background: str

    @property
    def with_article(self) -> str:
        """The noun with its indefinite article."""
        return f"{'an' if self.noun[0] in 'aeiou' else 'a'} {self.noun}"

    @property
    def range_m(self) -> float:
        """Usual distance at which somebody would film it, in metres.

        From there its larger side fills a third of a square picture that is 90° wide: the rule of
        thirds of photography, one and a half times its size away.
        """
        return round(_SIZES_AWAY * max(self.width_m, self.height_m), 2)


def _vehicle(name: str, noun: str, width: float, height: float) -> SoundClass:
    return SoundClass(name, noun, width, height, "ground", 0.0, "drives", "stands", "street")


def _animal(name: str, width: float, height: float, verb: str, where: str) -> SoundClass:
    return SoundClass(name, name, width, height, "ground", 0.0, verb, "stands", where)


CLASSES: dict[str, SoundClass] = {
    c.name: c
    for c in (
        _vehicle("ambulance", "ambulance", 3.6, 2.8),
        _vehicle("bus", "bus", 4.4, 3.4),
        _vehicle("car", "car", 2.6, 1.7),
        _vehicle("fire_engine", "fire engine", 4.0, 3.2),
        _vehicle("motorcycle", "motorcycle", 2.0, 1.4),
        _vehicle("truck", "truck", 4.2, 3.4),
        SoundClass("train", "train", 5.0, 4.2, "ground", 0.0, "rolls", "stands", "meadow"),
        SoundClass("airplane", "airplane", 32.0, 30.0, "air", 18.0, "flies", "hangs", "meadow"),
        SoundClass("helicopter", "helicopter", 11.0, 9.0, "air", 6.0, "flies", "hovers", "meadow"),
        SoundClass("bird", "bird", 0.5, 0.5, "air", 1.4, "flies", "hovers", "meadow"),
        SoundClass("ship", "ship", 24.0, 22.0, "water", 0.0, "sails", "lies", "sea"),
        _animal("cow", 2.2, 2.0, "walks", "meadow"),
        _animal("dog", 0.9, 0.9, "runs", "meadow"),
        _animal("horse", 2.4, 2.3, "gallops", "meadow"),
        _animal("lion", 1.5, 1.5, "walks", "desert"),
        _animal("monkey", 0.9, 0.9, "walks", "desert"),
        _animal("sheep", 1.3, 1.2, "walks", "meadow"),
        SoundClass("bell", "bell", 0.7, 0.7, "held", 1.2, "swings", "hangs", "stage"),
        SoundClass("drum", "drum", 0.8, 0.8, "held", 0.6, "moves", "stands", "stage"),
        SoundClass("guitar", "guitar", 0.9, 0.9, "held", 0.8, "moves", "stands", "stage"),
    )
}


def get_class(label: str) -> SoundClass:
    """Look a class up by its label.

    Parameters
    ----------
    label : str
        A key of `CLASSES`; spaces and capitals are forgiven.

    Raises
    ------
    PlanningError
        If no class has this label; the message lists those that exist.
    """
    key = label.strip().lower().replace(" ", "_").replace("-", "_")
    if key not in CLASSES:
        known = ", ".join(sorted(CLASSES))
        raise PlanningError(f"nothing is known about {label!r}; name one of: {known}")
    return CLASSES[key]
