"""The embedded tagger: logistic regression on embeddings of what sounds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from spa2v_lib.cues.tagging.base import UNKNOWN, TagScores
from spa2v_lib.cues.tagging.embedding import BLOCK_S, RATE, SIZE, load_embedding
from spa2v_lib.errors import DataError
from spa2v_lib.layout.classes import FAMILIES, family_of
from spa2v_lib.resources import resource

if TYPE_CHECKING:
    from spa2v_lib.audio.recording import Recording

__all__ = ["EmbeddedTagger", "excerpts", "family_matrix", "load_embedded", "probabilities_of"]

_QUIET_DB = -25.0  # below the loudest excerpt, not named
_SILENT = 1e-5  # RMS, of full scale
_SHORTEST_S = 0.25


@dataclass(frozen=True)
class EmbeddedTagger:
    """What was learnt: how an embedding's numbers speak for each class.

    Attributes
    ----------
    labels : tuple of str
        Classes, and "unknown" last.
    weights : ndarray [512, labels]
        Of the square roots of an embedding, temperature included.
    bias : ndarray [labels]
    family_exponent : float
        Calibrates a family's probability: the sum of its classes', to this power, over all
        families'.

    Examples
    --------
    >>> from spa2v_lib.audio.recording import Recording
    >>> from spa2v_lib.cues.tagging import get_tagger
    >>> tagger = get_tagger("embedded")
    >>> tagger.labels[-1], tagger.threshold
    ('unknown', 0.5)
    >>> noise = np.random.default_rng(0).normal(size=(1, 44_100))
    >>> scores = tagger.scores(Recording.from_samples(0.1 * noise, 44_100))
    >>> bool(np.isclose(scores.probabilities.sum(1), 1.0).all())
    True
    """

    name: ClassVar[str] = "embedded"
    threshold: ClassVar[float] = 0.5

    labels: tuple[str, ...]
    weights: np.ndarray = field(repr=False)
    bias: np.ndarray = field(repr=False)
    family_exponent: float

    def scores(self, sound: Recording) -> TagScores:
        """Return the scores of excerpts of 2.3 s, but for those that are much quieter."""
        network = load_embedding()
        found = [
            (network([part])[0], start, float(np.mean(part**2))) for part, start in excerpts(sound)
        ]
        loudest = max((power for *_, power in found), default=0.0)
        least = loudest * 10.0 ** (_QUIET_DB / 10.0)
        kept = [(embedding, start) for embedding, start, power in found if power >= least]
        begin = np.array([start for _, start in kept], float)
        end = np.minimum(begin + BLOCK_S, sound.duration_s)
        embeddings = np.array([embedding for embedding, _ in kept]).reshape(-1, SIZE)
        probabilities, families = probabilities_of(
            self.logits(embeddings), self.labels, self.family_exponent
        )
        return TagScores(
            self.labels, begin, end, probabilities, dict(zip(FAMILIES, families.T, strict=False))
        )

    def logits(self, embeddings: np.ndarray) -> np.ndarray:
        """Return the logits [n, labels] of embeddings [n, 512]."""
        return np.sqrt(embeddings) @ self.weights + self.bias


def probabilities_of(
    logits: np.ndarray, labels: Sequence[str], family_exponent: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return the probabilities of classes and of families.

    Parameters
    ----------
    logits : ndarray [n, labels]
    labels : sequence of str
    family_exponent : float
        As `EmbeddedTagger` has it.

    Returns
    -------
    classes : ndarray [n, labels]
    families : ndarray [n, families + 1]
        In the order of `FAMILIES`; the last is that of no family.

    Examples
    --------
    >>> classes, families = probabilities_of(np.zeros((1, 2)), ("dog", "unknown"), 1.0)
    >>> classes.tolist(), families[0, [2, -1]].tolist()
    ([[0.5, 0.5]], [0.5, 0.5])
    """
    odds = np.exp(logits - logits.max(1, keepdims=True))
    classes = odds / odds.sum(1, keepdims=True)
    families = (classes @ family_matrix(labels)) ** family_exponent
    return classes, families / np.maximum(families.sum(1, keepdims=True), 1e-12)


def family_matrix(labels: Sequence[str]) -> np.ndarray:
    """Return which family each label belongs to [labels, families + 1]; the last is none.

    Examples
    --------
    >>> family_matrix(("dog", "unknown"))[:, [2, -1]].tolist()
    [[1.0, 0.0], [0.0, 1.0]]
    """
    families = list(FAMILIES)
    columns = [
        len(families) if name == UNKNOWN else families.index(family_of(name)) for name in labels
    ]
    return np.eye(len(families) + 1)[columns]


def excerpts(sound: Recording) -> Iterator[tuple[np.ndarray, float]]:
    """Yield the excerpts of `BLOCK_S` that are not silent.

    Parameters
    ----------
    sound : Recording
        Of each excerpt the loudest channel is taken: averaged, channels could cancel out.

    Yields
    ------
    samples : ndarray [time]
        At 44.1 kHz.
    start_s : float
        Where they begin. The last excerpt ends with the sound.

    Examples
    --------
    >>> from spa2v_lib.audio.recording import Recording
    >>> sound = Recording.from_samples(0.1 * np.ones((1, 5 * 44_100), np.float32), 44_100)
    >>> [round(start, 2) for _, start in excerpts(sound)]
    [0.0, 2.32, 2.68]
    """
    length, begin = round(BLOCK_S * RATE), 0
    before = None
    for block in sound.resampled(RATE).blocks(BLOCK_S):
        end = begin + block.shape[1]
        if before is not None and block.shape[1] < length:
            if block.shape[1] < _SHORTEST_S * RATE:
                return
            block = np.concatenate([before, block], axis=1)[:, -length:]
        power = (block**2).mean(1)
        if power.max() > _SILENT**2:
            yield block[int(power.argmax())], (end - block.shape[1]) / RATE
        before, begin = block, end


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
        exponent = arrays.pop("family_exponent").item()
        tagger = EmbeddedTagger(labels, **arrays, family_exponent=exponent)
        _check(tagger)
    except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
        raise DataError(
            f"{source.name} does not hold a tagger's weights: {error}; reinstall spa2v, or train "
            "it again (python -m spa2v_lab.training.tagger)"
        ) from error
    return tagger


def _check(tagger: EmbeddedTagger) -> None:
    """Raise ValueError if the arrays do not fit one another, or hold NaN or infinity."""
    shapes = {"weights": (SIZE, len(tagger.labels)), "bias": (len(tagger.labels),)}
    for name, wanted in shapes.items():
        found = getattr(tagger, name)
        if found.shape != wanted:
            raise ValueError(f"{name} has shape {found.shape}; {wanted} would fit the rest")
        if not np.isfinite(found).all():
            raise ValueError(f"{name} holds NaN or infinity")
    if not np.isfinite(tagger.family_exponent):
        raise ValueError("family_exponent is NaN or infinite")
    if tagger.labels[-1] != UNKNOWN:
        raise ValueError("its last label is not unknown")
