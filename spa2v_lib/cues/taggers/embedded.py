"""The embedded tagger: discriminant analysis and nearest neighbours over mel statistics."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from spa2v_lib.cues.interaural import WINDOW_STEP_S, mel_windows
from spa2v_lib.cues.taggers.answers import Answers
from spa2v_lib.cues.taggers.features import features
from spa2v_lib.errors import DataError
from spa2v_lib.resources import resource

if TYPE_CHECKING:
    from spa2v_lib.audio import Recording

__all__ = ["SCALARS", "EmbeddedTagger", "load_embedded", "loud_chunks"]

_CHUNK = 120  # windows, 3 s: what it was taught with
_SHORTEST = 10  # windows
_NEIGHBOURS = 5
_BLOCK_S = 60.0

SCALARS = ("sharpness", "border", "border_apart", "slope")
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
    border_apart : float
        The same for a sound that was taken apart from others.
    slope : float
        Log odds of being known per unit of familiarity.
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
    border_apart: float
    slope: float

    def answers(self, sound: Recording) -> Answers:
        """Listen to a sound, 3 s at a time, each excerpt overlapping the next by half."""
        blocks = sound.blocks(_BLOCK_S)
        mel = np.concatenate([mel_windows(block.mean(0), sound.rate) for block in blocks])
        return self.answers_of_mel(mel)

    def answers_of_mel(self, mel: np.ndarray, *, apart: bool = False) -> Answers:
        """Listen to a sound through its mel bands.

        Parameters
        ----------
        mel : ndarray [windows, 40]
        apart : bool
            Whether it was taken apart from others.
        """
        starts, chunks = loud_chunks(mel)
        begin = WINDOW_STEP_S * np.array(starts, float)
        end = WINDOW_STEP_S * np.minimum(np.array(starts, float) + _CHUNK, len(mel))
        if not chunks:
            return Answers(self.labels, begin, end, np.zeros((0, len(self.labels))))
        vectors = np.stack([features(chunk) for chunk in chunks])
        return Answers(self.labels, begin, end, self.chances(vectors, apart=apart))

    def chances(self, vectors: np.ndarray, *, apart: bool = False) -> np.ndarray:
        """Return class probabilities [n, classes], "unknown" last, of features [n, features]."""
        border = self.border_apart if apart else self.border
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
    """Load the shipped tagger, or one that `spa2v_lib.tiny.tagger` wrote.

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
        return EmbeddedTagger(labels, **arrays, **scalars)
    except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
        raise DataError(f"{source.name} does not hold a tagger's weights: {error}") from error


def loud_chunks(mel: np.ndarray) -> tuple[list[int], list[np.ndarray]]:
    """Cut into excerpts of 3 s, half overlapping, and keep those that sound."""
    last = max(1, len(mel) - _CHUNK // 2)
    starts = list(range(0, last, _CHUNK // 2))
    chunks = [mel[start : start + _CHUNK] for start in starts]
    peaks = [float(chunk.sum(1).max(initial=0.0)) for chunk in chunks]
    least = max(1e-3 * max(peaks, default=0.0), 1e-9)
    long = [k == 0 or len(chunk) >= _SHORTEST for k, chunk in enumerate(chunks)]
    kept = [k for k, peak in enumerate(peaks) if long[k] and peak > least]
    return [starts[k] for k in kept], [chunks[k] for k in kept]
