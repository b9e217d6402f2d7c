"""What a source is: the embedded tagger, a small network over statistics of mel bands."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from spa2v_lib.errors import DataError
from spa2v_lib.resources import resource

__all__ = ["UNKNOWN", "Tag", "Tagger", "features", "load_tagger", "tag"]

UNKNOWN = "unknown"
_THRESHOLD = 0.4
_CHUNK = 120  # windows, 3 s: what the network was trained on
_MOST_CHUNKS = 40


@dataclass(frozen=True)
class Tag:
    """The answer of the tagger.

    Attributes
    ----------
    label : str or None
        None where no class is probable enough.
    confidence : float
        Probability of `label`; where it is None, the probability that no class fits.
    alternatives : list of (str, float)
        The three most probable answers, "unknown" among them if it is one.
    """

    label: str | None
    confidence: float
    alternatives: list[tuple[str, float]]


@dataclass(frozen=True)
class Tagger:
    """Weights of the network: one hidden layer over standardised features.

    Attributes
    ----------
    labels : tuple of str
        Output classes, "unknown" among them.
    mean, scale : ndarray [features]
        Standardisation.
    hidden, hidden_bias : ndarray [features, units], [units]
    output, output_bias : ndarray [units, classes], [classes]
        With the temperature already divided out.
    """

    labels: tuple[str, ...]
    mean: np.ndarray
    scale: np.ndarray
    hidden: np.ndarray
    hidden_bias: np.ndarray
    output: np.ndarray
    output_bias: np.ndarray

    def probabilities(self, vectors: np.ndarray) -> np.ndarray:
        """Return class probabilities [n, classes] of feature vectors [n, features]."""
        inner = np.clip((vectors - self.mean) / self.scale, -5.0, 5.0)
        inner = np.maximum(inner @ self.hidden + self.hidden_bias, 0.0)
        score = inner @ self.output + self.output_bias
        odds = np.exp(score - score.max(1, keepdims=True))
        return odds / odds.sum(1, keepdims=True)


def features(mel: np.ndarray) -> np.ndarray:
    """Describe an excerpt by the shape, spread and movement of its spectrum.

    Parameters
    ----------
    mel : ndarray [windows, 40]
        Power in mel bands, 0.025 s apart, from `spa2v_lib.cues.interaural`.

    Returns
    -------
    ndarray [features]
        Independent of gain.
    """
    level = mel.sum(1)
    decibel = 10.0 * np.log10(mel + 1e-6 * level.max() + 1e-14)
    sounding = level > level.max() * 10.0**-3.5
    loud = decibel[sounding] if sounding.sum() >= 2 else decibel
    shape = loud - loud.mean(1, keepdims=True)
    change = np.abs(np.diff(shape, axis=0)) if len(shape) > 1 else np.zeros((1, shape.shape[1]))
    crest = np.sort(shape, axis=1)[:, ::-1]
    course = 10.0 * np.log10(level + 1e-6 * level.max() + 1e-14)
    rise = np.diff(course) if len(course) > 1 else np.zeros(1)
    scalars = [
        crest[:, 0].mean(),
        crest[:, :4].mean(),
        crest[:, -8:].mean(),
        np.std(course),
        np.mean(np.maximum(rise, 0.0)),
        np.mean(np.maximum(-rise, 0.0)),
        np.percentile(rise, 98),
        100.0 * sounding.mean(),
    ]
    pooled = change.reshape(len(change), -1, 4).mean(2)
    return np.concatenate(
        [
            shape.mean(0),
            np.percentile(shape, 90, axis=0) - np.percentile(shape, 10, axis=0),
            pooled.mean(0),
            np.percentile(pooled, 90, axis=0),
            scalars,
        ]
    ).astype(np.float32)


@cache
def load_tagger(path: Path | None = None) -> Tagger:
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
        return Tagger(labels, **arrays)
    except (OSError, SafetensorError, KeyError, TypeError) as error:
        raise DataError(f"{source.name} does not hold a tagger's weights: {error}") from error


def tag(mel: np.ndarray, tagger: Tagger | None = None) -> Tag:
    """Say what a recording is, from its loud excerpts.

    Parameters
    ----------
    mel : ndarray [windows, 40]
        Of the whole recording.
    tagger : Tagger, optional
        The shipped one if not given.

    Returns
    -------
    Tag
        ``label`` is None where the best answer is "unknown" or its probability is below 0.4.
    """
    model = tagger or load_tagger()
    chunks = _loud_chunks(mel)
    if not chunks:
        return Tag(None, 1.0, [(UNKNOWN, 1.0)])
    chance = model.probabilities(np.stack([features(chunk) for chunk in chunks])).mean(0)
    order = np.argsort(-chance, kind="stable")[:3]
    best = [(model.labels[i], round(float(chance[i]), 4)) for i in order]
    label, confidence = best[0]
    if label == UNKNOWN:
        return Tag(None, confidence, best)
    if confidence < _THRESHOLD:
        return Tag(None, 1.0 - confidence, best)
    return Tag(label, confidence, best)


def _loud_chunks(mel: np.ndarray) -> list[np.ndarray]:
    """Cut into excerpts of 3 s, half overlapping, and keep those that sound."""
    starts = range(0, max(1, len(mel) - _CHUNK // 2), _CHUNK // 2)
    starts = list(starts)[:: max(1, len(starts) // _MOST_CHUNKS)]
    chunks = [mel[start : start + _CHUNK] for start in starts]
    loudest = max(float(chunk.sum(1).max()) for chunk in chunks)
    return [c for c in chunks if c.sum(1).max() > loudest * 1e-3] if loudest > 1e-9 else []
