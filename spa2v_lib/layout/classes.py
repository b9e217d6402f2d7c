"""The objects that make sound: how large they usually are, and where they usually are.

These are rounded figures of common knowledge (how large a bus usually looks, that ships are on
water), not measurements and not statistics of any data set. Planning places objects with them;
simulated scenes must therefore draw their own sizes and ranges from elsewhere. They are in
``objects.csv`` beside this file, with synonyms; `CLASSES` holds those that the preset ``tiny`` can
draw, and a word that is not there takes the entry of its head noun. The sentences made of these
words are in `spa2v_lib.layout.captions`.
"""

from __future__ import annotations

import csv
import unicodedata
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from typing import Literal

from spa2v_lib.errors import PlanningError

__all__ = [
    "BACKGROUNDS",
    "CLASSES",
    "FAMILIES",
    "Background",
    "SOMETHING",
    "Place",
    "SoundClass",
    "check_word",
    "family_of",
    "get_class",
    "known_words",
]

Place = Literal["ground", "air", "water", "held"]

_SIZES_AWAY = 1.5  # 1 / (2 · 1/3 · tan 45°)


@dataclass(frozen=True)
class Background:
    """The surroundings of a scene.

    Attributes
    ----------
    name : str
        Key, as in `BACKGROUNDS`.
    phrase : str
        Noun phrase for captions ("a city street").
    preposition : str
        What precedes the phrase for objects that stand there ("on", "in").

    Examples
    --------
    >>> street = BACKGROUNDS["street"]
    >>> f"a bus {street.preposition} {street.phrase}"
    'a bus on a city street'
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
    """An object that makes sound and can be shown.

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
    family : str
        One of `FAMILIES`; empty where nothing is known.
    drawn_as : str
        The nearest key of `CLASSES`, for presets that can draw no other; its own name where it is
        one of them.

    See Also
    --------
    get_class : One by a label.

    Examples
    --------
    >>> get_class("tram").with_article, get_class("tram").drawn_as, get_class("tram").range_m
    ('a tram', 'train', 6.75)
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
    family: str = ""
    drawn_as: str = ""

    @property
    def with_article(self) -> str:
        """The noun with its indefinite article, unless it is plural or has a determiner."""
        first, last = self.noun.split()[0].lower(), self.noun.split()[-1].lower()
        determined = first in _DETERMINERS or first.isdigit() or first.endswith("'s")
        if determined or (last not in known_words() and _entry(last) is not _NEUTRAL):
            return self.noun
        return f"{'an' if self.noun[0].lower() in 'aeiou' else 'a'} {self.noun}"

    @property
    def range_m(self) -> float:
        """Usual distance at which somebody would film it, in metres.

        From there its larger side fills a third of a square picture that is 90° wide: the rule of
        thirds of photography, one and a half times its size away.
        """
        return round(_SIZES_AWAY * max(self.width_m, self.height_m), 2)


FAMILIES = {
    "vehicle": "vehicle",
    "aircraft": "aircraft",
    "animal": "animal",
    "bird": "bird",
    "instrument": "musical instrument",
    "person": "person",
    "bell or alarm": "bell or alarm",
    "machine": "machine",
}
"""What stands above classes, and the noun of each in captions."""

SOMETHING = "something that makes a sound"
"""The caption of what not even a family is known of."""

_DETERMINERS = frozenset(
    (
        "a", "an", "the", "my", "your", "his", "her", "its", "our", "their", "this", "that",
        "these", "those", "some", "any", "no", "each", "every", "another", "something", "one",
        "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "several",
        "many", "few", "both",
    )
)  # fmt: skip
_LONGEST_WORD = 80


@cache
def _table() -> tuple[tuple[SoundClass, tuple[str, ...]], ...]:
    """Return the rows of ``objects.csv``: each object, and its synonyms."""
    rows = []
    with files("spa2v_lib.layout").joinpath("objects.csv").open(encoding="utf-8") as table:
        for row in csv.DictReader(table):
            noun, synonyms = row.pop("name"), row.pop("synonyms")
            sizes = {name: float(row.pop(name)) for name in ("width_m", "height_m", "base_m")}
            own = row["drawn_as"].replace("_", " ") == noun
            name = row["drawn_as"] if own else noun
            entry = SoundClass(name=name, noun=noun, **sizes, **row)
            rows.append((entry, tuple(filter(None, synonyms.split(";")))))
    return tuple(rows)


_DRAWN = (
    "ambulance", "bus", "car", "fire_engine", "motorcycle", "truck", "train", "airplane",
    "helicopter", "bird", "ship", "cow", "dog", "horse", "lion", "monkey", "sheep", "bell", "drum",
    "guitar",
)  # fmt: skip

CLASSES: dict[str, SoundClass] = {
    name: entry for name in _DRAWN for entry, _ in _table() if entry.name == name
}
"""What the tiny suite was trained to draw, by label.

:meta hide-value:
"""

_NEUTRAL = SoundClass(
    "object", "object", 1.0, 1.0, "ground", 0.0, "moves", "stands", "meadow", "", "bell"
)
"""What an unknown word is taken for – an object of one metre on the ground."""


def get_class(label: str) -> SoundClass:
    """Return what is usual for an object, by any word.

    Parameters
    ----------
    label : str
        A key of `CLASSES`, a noun or synonym of ``objects.csv``, or any other words: those take
        the entry of their head noun ("my neighbour's lawn mower" that of "lawn mower"), and where
        that is not known either, one metre by one metre on the ground. Capitals, plurals and
        articles do not matter.

    Returns
    -------
    SoundClass
        Named as the user did, unless the words are a key of `CLASSES`.

    Raises
    ------
    PlanningError
        If the label is empty, longer than 80 characters, or holds markup or line breaks.

    See Also
    --------
    known_words : every word that has an entry of its own.

    Examples
    --------
    >>> get_class("Fire Engine").name
    'fire_engine'
    >>> mower = get_class("my neighbour's lawn mower")
    >>> mower.with_article, mower.width_m, mower.family
    ("my neighbour's lawn mower", 1.0, 'machine')
    >>> get_class("flurble").width_m
    1.0
    """
    word = check_word(label)
    key = word.lower().replace(" ", "_").replace("-", "_")
    if key in CLASSES:
        return CLASSES[key]
    entry = _entry(word.lower())
    noun = word.replace("_", " ")
    if noun.split()[0].lower() in ("a", "an") and len(noun.split()) > 1:
        noun = noun.split(maxsplit=1)[1]
    return replace(entry, name=noun, noun=noun)


def family_of(label: str) -> str:
    """Return the family of a label, one of `FAMILIES`, or "" where it has none.

    Parameters
    ----------
    label : str
        Name of a class, in any spelling that `get_class` takes.

    See Also
    --------
    get_class : All that is usual for it.

    Examples
    --------
    >>> family_of("tram"), family_of("crow"), family_of("flurble")
    ('vehicle', 'bird', '')
    """
    return get_class(label).family


def check_word(label: str) -> str:
    """Return a label without outer spaces.

    Parameters
    ----------
    label : str
        Text that should name an object.

    Raises
    ------
    PlanningError
        If it is empty, longer than 80 characters, or holds markup or line breaks.

    Examples
    --------
    >>> check_word(" a tram ")
    'a tram'
    """
    word = label.strip()
    if not word or not any(character.isalpha() for character in word):
        raise PlanningError(f"the label {label[:20]!r} holds no word; name the object, as in 'car'")
    if len(word) > _LONGEST_WORD:
        raise PlanningError(
            f"the label {word[:20]!r}… has {len(word)} characters; give {_LONGEST_WORD} at most"
        )
    if any(c in "<>{}[]|\\`" or unicodedata.category(c).startswith("C") for c in word):
        raise PlanningError(
            f"the label {word[:40]!r} holds markup, line breaks or control characters; "
            "use words alone"
        )
    return word


@cache
def known_words() -> dict[str, SoundClass]:
    """Return every word with an entry of its own.

    See Also
    --------
    get_class : Takes any words.

    Examples
    --------
    >>> len(known_words()) > 500, known_words()["fiddle"].name
    (True, 'violin')
    """
    words: dict[str, SoundClass] = {}
    for entry, synonyms in _table():
        words |= dict.fromkeys((entry.noun, *synonyms), entry)
    words |= {entry.noun: entry for entry in CLASSES.values()}
    for family, noun in FAMILIES.items():
        words.setdefault(noun, replace(_NEUTRAL, family=family, drawn_as=_DRAWN_FAMILY[family]))
    return words


_DRAWN_FAMILY = {
    "vehicle": "car", "aircraft": "airplane", "animal": "dog", "bird": "bird",
    "instrument": "guitar", "person": "monkey", "bell or alarm": "bell", "machine": "truck",
}  # fmt: skip
_LINKS = frozenset(
    (
        "of", "with", "in", "on", "at", "from", "by", "for", "under", "over", "near", "behind",
        "and", "or",
    )
)  # fmt: skip


def _entry(words: str) -> SoundClass:
    """Return the entry of the longest ending of a phrase, before what its prepositions add."""
    parts = words.replace("_", " ").replace("-", " ").split()
    links = [k for k, part in enumerate(parts) if k and part in _LINKS]
    heads = [parts[: links[0]], parts[links[0] + 1 :]] if links else [parts]
    table = known_words()
    for head in heads:
        for start in range(len(head)):
            for word in _singulars(" ".join(head[start:])):
                if word in table:
                    return table[word]
    return _NEUTRAL


def _singulars(word: str) -> tuple[str, ...]:
    forms = [word]
    for plural, singular in (("ies", "y"), ("ves", "f"), ("es", ""), ("s", ""), ("men", "man")):
        if word.endswith(plural) and len(word) > len(plural) + 1:
            forms.append(word[: -len(plural)] + singular)
    return tuple(forms)
