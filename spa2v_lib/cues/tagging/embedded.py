"""The embedded tagger: discriminant analysis and nearest neighbours over mel statistics."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from spa2v_lib.cues.features import MEL_BANDS, WINDOW_STEP_S, mel_windows
from spa2v_lib.cues.tagging.base import TagScores
from spa2v_lib.errors import DataError
from spa2v_lib.resources import resource

if TYPE_CHECKING:
    from spa2v_lib.audio.recording import Recording

__all__ = [
    "SCALARS",
    "EmbeddedTagger",
    "features",
    "load_embedded",
    "loud_chunks",
]

_GROUPS = 10  # of four neighbouring bands each
_COEFFICIENTS = 20
_LAGS = 12
_FLOOR = 1e-6  # of the loudest window: 60 dB below it


def features(mel: np.ndarray) -> np.ndarray:
    """Describe an excerpt by the shape, spread and movement of its spectrum.

    Parameters
    ----------
    mel : ndarray [windows, 40]
        Power in mel bands, 0.025 s apart, from `spa2v_lib.cues.features`.

    Returns
    -------
    ndarray [features]
        Independent of gain.

    Examples
    --------
    >>> mel = np.random.default_rng(0).random((120, 40))
    >>> bool(np.allclose(features(mel), features(4.0 * mel), atol=1e-3))
    True
    """
    level = mel.sum(1)
    floor = _FLOOR * level.max() + 1e-14
    decibel = 10.0 * np.log10(mel + floor)
    course = 10.0 * np.log10(level + floor)
    sounding = level > level.max() * 10.0**-3.5
    loud = decibel[sounding] if sounding.sum() >= 2 else decibel
    shape = loud - loud.mean(1, keepdims=True)
    return np.concatenate(
        [
            shape.mean(0),
            _cepstrum(shape),
            np.percentile(shape, 90, axis=0) - np.percentile(shape, 10, axis=0),
            _movement(shape),
            _peaks(shape),
            _onsets(course, sounding),
            _decay(decibel),
        ]
    ).astype(np.float32)


def _cepstrum(shape: np.ndarray) -> np.ndarray:
    """Spread over time of the cosine coefficients of the shape [20]."""
    return (shape @ _cosines()).std(0)


@cache
def _cosines() -> np.ndarray:
    band = (np.arange(MEL_BANDS) + 0.5) / MEL_BANDS
    return np.cos(np.pi * np.outer(band, np.arange(1, _COEFFICIENTS + 1))) / np.sqrt(MEL_BANDS)


def _movement(shape: np.ndarray) -> np.ndarray:
    """Change from window to window in groups of bands: small for tones, large for noise [20]."""
    change = np.abs(np.diff(shape, axis=0)) if len(shape) > 1 else np.zeros((1, MEL_BANDS))
    pooled = change.reshape(len(change), _GROUPS, -1).mean(2)
    return np.concatenate([pooled.mean(0), np.percentile(pooled, 90, axis=0)])


def _peaks(shape: np.ndarray) -> np.ndarray:
    """How peaked the spectrum is, how steady its peaks are, how they are spaced [17]."""
    crest = np.sort(shape, axis=1)[:, ::-1]
    mean = shape.mean(0)
    bend = mean[1:-1] - 0.5 * (mean[:-2] + mean[2:])
    fine = mean - np.convolve(np.pad(mean, 3, mode="edge"), np.full(7, 1 / 7), mode="valid")
    power = (fine**2).sum() + 1e-3
    spacing = [(fine[lag:] * fine[:-lag]).sum() / power for lag in range(1, _LAGS + 1)]
    scalars = [
        crest[:, 0].mean(),
        crest[:, :4].mean(),
        crest[:, -8:].mean(),
        np.abs(bend).mean(),
        shape[:, int(mean.argmax())].std(),
    ]
    return np.array([*scalars, *(10.0 * s for s in spacing)])


def _onsets(course: np.ndarray, sounding: np.ndarray) -> np.ndarray:
    """How the level rises and falls [7]."""
    rise = np.diff(course) if len(course) > 1 else np.zeros(1)
    return np.array(
        [
            np.std(course),
            np.mean(np.maximum(rise, 0.0)),
            np.mean(np.maximum(-rise, 0.0)),
            np.percentile(rise, 98),
            np.percentile(rise, 2),
            (rise > 6.0).mean() / WINDOW_STEP_S,  # onsets a second
            100.0 * sounding.mean(),
        ]
    )


def _decay(decibel: np.ndarray) -> np.ndarray:
    """Typical fall in dB over 0.1, 0.2 and 0.4 s after the loudest moment, in three ranges [9]."""
    thirds = np.stack([part.mean(1) for part in np.array_split(decibel, 3, axis=1)], axis=1)
    peak = int(thirds.mean(1).argmax())
    falls = [thirds[peak] - thirds[min(peak + lag, len(thirds) - 1)] for lag in (4, 8, 16)]
    return np.concatenate(falls)


_CHUNK = 120  # windows, 3 s: what it was taught with
_SHORTEST = 10  # windows
_NEIGHBOURS = 5
_BLOCK_S = 60.0

SCALARS = ("sharpness", "border", "border_separated", "slope")
"""What turns distances into probabilities: the attributes that are single numbers."""


@dataclass(frozen=True)
class EmbeddedTagger:
    """What was learnt: a space in which classes lie apart, and examples in it.

    Attributes
    ----------
    labels : tuple of str
        Classes, and "unknown" last.
    mean, scale : ndarray [features]
        Standardisation.
    projection : ndarray [features, size]
        Into a space where what room, noise, pitch and other specimens change is white.
    centres : ndarray [recordings, size]
        Mean of each recording.
    centre_owners : ndarray of int [recordings]
        Its class, as an index in `labels`.
    examples : ndarray [examples, size]
        Excerpts that were taught.
    owners : ndarray of int [examples]
        Their index in `labels`.
    sharpness : float
        Turns differences of squared distance into odds between classes.
    border : float
        Familiarity at which known and unknown are equally likely.
    border_separated : float
        The same for a sound that was taken apart from others.
    slope : float
        Log odds of being known per unit of familiarity.

    Examples
    --------
    >>> from spa2v_lib.cues.tagging import get_tagger
    >>> tagger = get_tagger("embedded")
    >>> tagger.labels[-1], tagger.threshold
    ('unknown', 0.4)
    >>> scores = tagger.mel_scores(np.random.default_rng(0).random((120, 40)))
    >>> bool(np.isclose(scores.probabilities.sum(1), 1.0).all())
    True
    """

    name: ClassVar[str] = "embedded"
    threshold: ClassVar[float] = 0.4

    labels: tuple[str, ...]
    mean: np.ndarray
    scale: np.ndarray
    projection: np.ndarray
    centres: np.ndarray
    centre_owners: np.ndarray
    examples: np.ndarray
    owners: np.ndarray
    sharpness: float
    border: float
    border_separated: float
    slope: float

    def scores(self, sound: Recording) -> TagScores:
        """Return the scores of excerpts of 3 s, each overlapping the next by half."""
        blocks = sound.blocks(_BLOCK_S)
        mel = np.concatenate([mel_windows(block.mean(0), sound.rate) for block in blocks])
        return self.mel_scores(mel)

    def mel_scores(self, mel: np.ndarray, *, separated: bool = False) -> TagScores:
        """Return the scores of a sound from its mel bands.

        Parameters
        ----------
        mel : ndarray [windows, 40]
        separated : bool
            Whether it was separated from others.
        """
        starts, chunks = loud_chunks(mel)
        begin = WINDOW_STEP_S * np.array(starts, float)
        end = WINDOW_STEP_S * np.minimum(np.array(starts, float) + _CHUNK, len(mel))
        if not chunks:
            return TagScores(self.labels, begin, end, np.zeros((0, len(self.labels))))
        vectors = np.stack([features(chunk) for chunk in chunks])
        return TagScores(self.labels, begin, end, self.probabilities(vectors, separated=separated))

    def probabilities(self, vectors: np.ndarray, *, separated: bool = False) -> np.ndarray:
        """Return class probabilities [n, classes], "unknown" last, of features [n, features]."""
        border = self.border_separated if separated else self.border
        place = self.placed(vectors)
        score = -self.sharpness * self.distances(place)
        odds = np.exp(score - score.max(1, keepdims=True))
        known = 1.0 / (1.0 + np.exp(-self.slope * (self.familiarity(place) - border)))
        classes = odds / odds.sum(1, keepdims=True) * known[:, None]
        return np.concatenate([classes, 1.0 - known[:, None]], axis=1)

    def placed(self, vectors: np.ndarray) -> np.ndarray:
        """Return features [n, features] as points [n, size] of the space."""
        return np.clip((vectors - self.mean) / self.scale, -4.0, 4.0) @ self.projection

    def distances(self, place: np.ndarray) -> np.ndarray:
        """Return squared distances [n, classes] to the nearest recording of each class."""
        each = _squares(place, self.centres)
        classes = range(len(self.labels) - 1)
        return np.stack([each[:, self.centre_owners == k].min(1) for k in classes], axis=1)

    def familiarity(self, place: np.ndarray) -> np.ndarray:
        """Return how much nearer known examples are than outliers, in [-1, 1] [n].

        The contrast of two k-nearest-neighbour distances (Ramaswamy, Rastogi and Shim 2000), the
        second to examples of what is no class (outlier exposure: Hendrycks, Mazeika and Dietterich
        2019).
        """
        strange = self.owners == len(self.labels) - 1
        known = _nearest(place, self.examples[~strange])
        other = _nearest(place, self.examples[strange])
        return (other - known) / (other + known + 1e-9)


def _squares(one: np.ndarray, two: np.ndarray) -> np.ndarray:
    """Return squared distances [n, m] of points [n, size] and [m, size]."""
    total = (one**2).sum(1)[:, None] + (two**2).sum(1)
    return np.maximum(total - 2.0 * one @ two.T, 0.0)


def _nearest(place: np.ndarray, examples: np.ndarray) -> np.ndarray:
    """Return the mean squared distance [n] to the nearest examples."""
    squares = _squares(place, examples)
    count = min(_NEIGHBOURS, squares.shape[1])
    return np.partition(squares, count - 1, axis=1)[:, :count].mean(1)


@cache
def load_embedded(path: Path | None = None) -> EmbeddedTagger:
    """Load the shipped tagger, or one that `spa2v_lab.training.tagger` wrote.

    Raises
    ------
    DataError
        If the weights are missing or are not a tagger's.
    """
    from safetensors import SafetensorError, safe_open

    source = path or resource("models", "tagger", "tagger.safetensors")
    try:
        with safe_open(source, framework="np") as stored:
            arrays = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118
            labels = tuple((stored.metadata() or {})["labels"].split(","))
        arrays["examples"] = arrays["examples"].astype(np.float32)
        scalars = {name: arrays.pop(name).item() for name in SCALARS}
        tagger = EmbeddedTagger(labels, **arrays, **scalars)
        _check(tagger)
    except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
        raise DataError(
            f"{source.name} does not hold a tagger's weights: {error}; reinstall spa2v, or train "
            "it again (python -m spa2v_lab.training.tagger)"
        ) from error
    return tagger


def _check(tagger: EmbeddedTagger) -> None:
    """Raise ValueError if the arrays do not fit one another, or hold NaN or infinity."""
    count, size = tagger.projection.shape
    shapes = {
        "mean": (count,),
        "scale": (count,),
        "projection": (count, size),
        "centres": (len(tagger.centre_owners), size),
        "centre_owners": (len(tagger.centres),),
        "examples": (len(tagger.owners), size),
        "owners": (len(tagger.examples),),
    }
    for name, wanted in shapes.items():
        found = getattr(tagger, name)
        if found.shape != wanted:
            raise ValueError(f"{name} has shape {found.shape}; {wanted} would fit the rest")
    for name in (*shapes, *SCALARS):
        if not np.isfinite(getattr(tagger, name)).all():
            raise ValueError(f"{name} holds NaN or infinity")
    if set(tagger.centre_owners.tolist()) != set(range(len(tagger.labels) - 1)):
        raise ValueError(f"its centres are not those of its {len(tagger.labels) - 1} classes")


def loud_chunks(mel: np.ndarray) -> tuple[list[int], list[np.ndarray]]:
    """Cut into excerpts of 3 s, half overlapping, and keep those that sound.

    Parameters
    ----------
    mel : ndarray [windows, 40]
        Power in mel bands, 0.025 s apart.

    Returns
    -------
    starts : list of int
        First window of each excerpt.
    excerpts : list of ndarray [windows, 40]
        Parts of `mel`, at most 120 windows long.

    Examples
    --------
    >>> mel = np.ones((300, 40))
    >>> mel[180:] = 0.0
    >>> starts, excerpts = loud_chunks(mel)
    >>> starts, len(excerpts[0])
    ([0, 60, 120], 120)
    """
    last = max(1, len(mel) - _CHUNK // 2)
    starts = list(range(0, last, _CHUNK // 2))
    chunks = [mel[start : start + _CHUNK] for start in starts]
    peaks = [float(chunk.sum(1).max(initial=0.0)) for chunk in chunks]
    least = max(1e-3 * max(peaks, default=0.0), 1e-9)
    long = [k == 0 or len(chunk) >= _SHORTEST for k, chunk in enumerate(chunks)]
    kept = [k for k, peak in enumerate(peaks) if long[k] and peak > least]
    return [starts[k] for k in kept], [chunks[k] for k in kept]
