"""In-context examples: scenes with known ground truth, and which of them to show for a recording.

SpA2V (Pham et al., ACM MM 2025, sec. 3.1) shows its model the nearest annotated recordings, and
its ablations say that the choice carries the result. Nearness here is that of what was measured:
directions, level, motion and tags of every source. An example that was made from the recording
that is being planned, or from its mirror or reversal, would give the answer away; none is shown.

The scenes, with their sound, are in ``data/exemplars``;
``python -m spa2v_lab.scenes.exemplars`` makes them.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from functools import cache
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import ValidationError
from scipy.optimize import linear_sum_assignment

from spa2v_lib.cues.types import MOTIONS, SourceTrack, SpatialCues
from spa2v_lib.errors import DataError, LayoutError, PlanningError
from spa2v_lib.files import read_text
from spa2v_lib.layout.box import StrictModel
from spa2v_lib.layout.scene_layout import VideoSceneLayout
from spa2v_lib.resources import resource

__all__ = [
    "CHOICES",
    "SOUNDS",
    "Exemplar",
    "check_choice",
    "cue_distance",
    "exemplar_sound",
    "leaks",
    "load_exemplars",
    "ranked_exemplars",
    "source_vector",
]

CHOICES = ("knn", "fixed", "random", "none")
"""How to choose; ``fixed`` shows the same ones for every recording, as far as they do not leak."""

SOUNDS = "sounds"
"""Folder, beside the exemplars, of their sound – ``FAMILY.ogg``, left and then right."""

_AZIMUTH_UNIT_DEG = 20.0
_LEVEL_UNIT_DB = 6.0
_TAG_WEIGHT = 1.5
_UNMATCHED = 4.0  # distance of a source that the other recording does not have
_SAME_LEVEL_DB = 0.25  # level contours this close, in the median, are of one recording


class Exemplar(StrictModel):
    """One scene with known ground truth.

    Attributes
    ----------
    id : str
        Unique in the set.
    family : str
        The drawn scene it comes from; a scene and its mirror share it.
    variant : {"drawn", "mirrored"}
        "mirrored" is the drawn scene with left and right exchanged, sound and layout alike.
    recordings : list of str
        Files under ``data/recordings`` that sound in it.
    attributes : list of str
        The paper's spatial attributes: motions, "single" or "multiple", and where stationary
        objects are ("left", "centre", "right").
    cues : SpatialCues
        As measured in the rendered sound, rounded.
    objects : dict of str to str
        Which object of the layout each source of the cues is, by id.
    layout : VideoSceneLayout
        The ground truth, with reasoning.

    See Also
    --------
    load_exemplars : Those that are shipped.

    Examples
    --------
    >>> load_exemplars()[0].variant
    'drawn'
    """

    id: str
    family: str
    variant: Literal["drawn", "mirrored"]
    recordings: list[str]
    attributes: list[str]
    cues: SpatialCues
    objects: dict[str, str]
    layout: VideoSceneLayout


def load_exemplars(path: str | Path | None = None) -> tuple[Exemplar, ...]:
    """Read exemplars, by default those that are shipped.

    Parameters
    ----------
    path : str or Path, optional
        A file of one JSON object a line.

    Returns
    -------
    tuple of Exemplar

    Raises
    ------
    DataError
        If the file is missing, or a line is not an exemplar; the message names the line.

    See Also
    --------
    ranked_exemplars : Those that are like a recording come first.

    Examples
    --------
    >>> len(load_exemplars()) > 50
    True
    """
    return _load(Path(path) if path else resource("exemplars", "exemplars.jsonl"))


@cache
def _load(path: Path) -> tuple[Exemplar, ...]:
    found = []
    for number, line in enumerate(read_text(path, DataError).splitlines(), 1):
        try:
            found.append(Exemplar(**json.loads(line)))
        except (json.JSONDecodeError, ValidationError, LayoutError, TypeError) as error:
            first = str(error).splitlines()[0]
            raise DataError(f"{path}, line {number} is not an exemplar: {first}") from None
    return tuple(found)


def exemplar_sound(exemplar: Exemplar) -> tuple[np.ndarray, int]:
    """Read the sound of a shipped exemplar.

    Parameters
    ----------
    exemplar : Exemplar
        One of `load_exemplars`.

    Returns
    -------
    samples : ndarray [2, time]
        Left and right, float32. They are compressed: to be listened to, not measured in.
    rate : int
        In Hz.

    Raises
    ------
    DataError
        If its sound is missing or cannot be read.

    See Also
    --------
    load_exemplars : Reads the exemplars.

    Examples
    --------
    >>> samples, rate = exemplar_sound(load_exemplars()[0])
    >>> len(samples), rate
    (2, 16000)
    """
    import soundfile

    file = resource("exemplars", SOUNDS) / f"{exemplar.family}.ogg"
    try:
        both, rate = soundfile.read(file, dtype="float32")
    except (OSError, soundfile.LibsndfileError) as error:
        raise DataError(f"the sound of exemplar {exemplar.id} cannot be read: {error}") from None
    half = len(both) // 2
    sides = np.stack([both[:half], both[half : 2 * half]])
    return (sides if exemplar.variant == "drawn" else sides[::-1]), rate


def ranked_exemplars(
    cues: SpatialCues,
    how: str = "knn",
    *,
    seed: int = 0,
    recordings: Collection[str] = (),
    pool: Sequence[Exemplar] | None = None,
) -> list[Exemplar]:
    """Return all exemplars that may be shown for a recording; the first of them are shown.

    Parameters
    ----------
    cues : SpatialCues
        Of the recording that is planned.
    how : {"knn", "fixed", "random", "none"}
        The nearest by `cue_distance`, nearest first; those of the pool, which takes the spatial
        attributes in turn; any, drawn with `seed`; or none.
    seed : int
        Of the random choice.
    recordings : collection of str
        Names of the files that are known to sound in the recording: exemplars made from them are
        left out.
    pool : sequence of Exemplar, optional
        To choose from; the shipped ones if not given.

    Returns
    -------
    list of Exemplar
        None leaks (see `leaks`), and no two come from the same drawn scene.

    Raises
    ------
    PlanningError
        If `how` is not known.

    See Also
    --------
    cue_distance : What is near.

    Examples
    --------
    >>> ranked = ranked_exemplars(load_exemplars()[0].cues)
    >>> len(ranked) > 3, load_exemplars()[0] in ranked
    (True, False)
    """
    check_choice(how)
    if how == "none":
        return []
    among = load_exemplars() if pool is None else pool
    allowed = [e for e in among if not leaks(e, cues, recordings)]
    if how == "knn":
        allowed.sort(key=lambda e: cue_distance(cues, e.cues))
    elif how == "random":
        order = np.random.default_rng(seed).permutation(len(allowed))
        allowed = [allowed[i] for i in order]
    first_of: dict[str, Exemplar] = {}
    for exemplar in allowed:
        first_of.setdefault(exemplar.family, exemplar)
    return list(first_of.values())


def check_choice(how: str, count: int = 0) -> None:
    """Refuse a choice that is not known, or a negative number of exemplars.

    Parameters
    ----------
    how : str
        Should be one of `CHOICES`.
    count : int
        How many; should be at least 0.

    Raises
    ------
    PlanningError

    Examples
    --------
    >>> check_choice("knn", 3)
    """
    if how not in CHOICES:
        raise PlanningError(f"no choice of exemplars {how!r}; one of: {', '.join(CHOICES)}")
    if count < 0:
        raise PlanningError(f"{count} exemplars were asked for; the number must be 0 or more")


def leaks(exemplar: Exemplar, cues: SpatialCues, recordings: Collection[str] = ()) -> bool:
    """Say whether an exemplar is of the same recording, its mirror or its reversal.

    Names are compared without folder and suffix. As names can be changed, the course of the level
    is compared too: exchanging the channels leaves it as it is, and reversal turns it around.

    Parameters
    ----------
    exemplar : Exemplar
        One of `load_exemplars`.
    cues : SpatialCues
        Of the recording that is planned.
    recordings : collection of str
        Names of files that sound in it.

    Returns
    -------
    bool

    See Also
    --------
    ranked_exemplars : Leaves them out.

    Examples
    --------
    >>> first = load_exemplars()[0]
    >>> leaks(first, first.cues)
    True
    """
    sounding = {Path(name).stem for name in (*recordings, cues.recording)}
    if sounding & {Path(name).stem for name in exemplar.recordings}:
        return True
    own, other = _contour(cues), _contour(exemplar.cues)
    return _same_contour(own, other) or _same_contour(own[::-1], other)


def _contour(cues: SpatialCues) -> np.ndarray:
    level = np.array(cues.level_db)
    return level - np.median(level)


def _same_contour(a: np.ndarray, b: np.ndarray) -> bool:
    """Compare frame by frame; one frame more or less, and a shift of one frame, are allowed."""
    if abs(len(a) - len(b)) > 1:
        return False
    size = min(len(a), len(b)) - 1
    if size < 1:
        return False
    shifts = ((0, 0), (0, 1), (1, 0))
    gaps = [np.median(np.abs(a[i : i + size] - b[j : j + size])) for i, j in shifts]
    return bool(min(gaps) < _SAME_LEVEL_DB)


def cue_distance(a: SpatialCues, b: SpatialCues) -> float:
    """Return the distance between what was measured in two recordings.

    The sources are paired so that the mean distance of the pairs is smallest; one that finds no
    partner counts as a fixed, large distance.

    Parameters
    ----------
    a, b : SpatialCues
        Of two recordings.

    Returns
    -------
    float
        At least 0; symmetric, and 0 for equal sources.

    See Also
    --------
    source_vector : What of a source it is made of, beside the tags.

    Examples
    --------
    >>> cues = load_exemplars()[0].cues
    >>> cue_distance(cues, cues)
    0.0
    """
    few, many = sorted((a.sources, b.sources), key=len)
    if not many:
        return 0.0
    table = np.array([[_source_distance(x, y) for y in many] for x in few])
    table = table.reshape(len(few), len(many))
    best = table[linear_sum_assignment(table)].sum()
    return float(best + _UNMATCHED * (len(many) - len(few))) / len(many)


def source_vector(source: SourceTrack) -> np.ndarray:
    """Return where a source is and how it moves, as a vector to take distances of.

    Parameters
    ----------
    source : SourceTrack
        One source of the cues.

    Returns
    -------
    ndarray [9]
        Azimuth at the start, in the middle and at the end (unit 20°; 0 where unknown), change of
        level (unit 6 dB) and the confidence in each motion.

    See Also
    --------
    cue_distance : Compares them.

    Examples
    --------
    >>> source_vector(load_exemplars()[0].cues.sources[0]).shape
    (9,)
    """
    track = [a for a, on in zip(source.azimuth_deg, source.active, strict=True) if on]
    known = [a for a in track if a is not None] or [0.0]
    azimuth = np.array([known[0], known[len(known) // 2], known[-1]]) / _AZIMUTH_UNIT_DEG
    scores = [source.motion_scores.get(name, 0.0) for name in MOTIONS]
    return np.concatenate([azimuth, [source.level_change_db / _LEVEL_UNIT_DB], scores])


def _source_distance(a: SourceTrack, b: SourceTrack) -> float:
    distance = float(np.linalg.norm(source_vector(a) - source_vector(b)))
    return distance + _TAG_WEIGHT * (1.0 - _tag_overlap(a, b))


def _tag_overlap(a: SourceTrack, b: SourceTrack) -> float:
    """Return the probability that both tags have in common, in [0, 1]."""
    if a.label is not None and a.label == b.label:
        return 1.0
    one, two = dict(a.label_alternatives), dict(b.label_alternatives)
    return min(1.0, sum(min(p, two.get(name, 0.0)) for name, p in one.items()))
