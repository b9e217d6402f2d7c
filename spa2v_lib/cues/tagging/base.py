"""What a tagger is, what it returns, and what follows from it for one source."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np

from spa2v_lib.cues.types import TagSpan
from spa2v_lib.layout.classes import family_of

if TYPE_CHECKING:
    from spa2v_lib.audio.recording import Recording

__all__ = ["UNKNOWN", "Tag", "TagScores", "Tagger", "identify", "spans", "summarize"]

UNKNOWN = "unknown"
"""The label of what a tagger does not recognize."""

_CANDIDATES, _FAMILIES = 3, 4


@dataclass(frozen=True)
class TagScores:
    """Probability of each label in each excerpt of a sound.

    Attributes
    ----------
    labels : tuple of str
        `UNKNOWN` among them.
    start_s, end_s : ndarray [excerpts]
        Where the excerpts lie, in seconds; they may overlap and leave silence out.
    probabilities : ndarray [excerpts, labels]
        Each in [0, 1].
    families : dict of str to ndarray [excerpts], optional
        Calibrated probability of each family; the sum of its labels' where a tagger has none.

    Examples
    --------
    >>> TagScores(("dog", "unknown"), np.zeros(1), np.full(1, 3.0), np.array([[0.9, 0.1]])).labels
    ('dog', 'unknown')
    """

    labels: tuple[str, ...]
    start_s: np.ndarray
    end_s: np.ndarray
    probabilities: np.ndarray
    families: dict[str, np.ndarray] = field(default_factory=dict)


@runtime_checkable
class Tagger(Protocol):
    """Names what sounds. Anything with these members is a tagger.

    Attributes
    ----------
    name : str
        As messages call it.
    threshold : float
        A label below this probability is not claimed, in [0, 1].

    Examples
    --------
    >>> from spa2v_lib.audio import Recording
    >>> class AlwaysRain:
    ...     name, threshold = "rain", 0.5
    ...
    ...     def scores(self, sound: Recording) -> TagScores:
    ...         end = np.full(1, sound.duration_s)
    ...         return TagScores(("rain", "unknown"), np.zeros(1), end, np.array([[0.9, 0.1]]))
    >>> isinstance(AlwaysRain(), Tagger)
    True
    >>> sound = Recording.from_samples(np.zeros((2, 8000)), 8000)
    >>> summarize(AlwaysRain().scores(sound), AlwaysRain.threshold).label
    'rain'
    """

    name: str
    threshold: float

    def scores(self, sound: Recording) -> TagScores:
        """Return the scores of a sound, excerpt by excerpt; no excerpt if it is silent."""


@dataclass(frozen=True)
class Tag:
    """What a tagger says of a whole sound.

    Attributes
    ----------
    label : str or None
        None where no class is probable enough.
    confidence : float
        Probability of `label`; where it is None, the probability that no class fits.
    alternatives : list of (str, float)
        The three most probable labels, "unknown" among them if it is one.
    families : list of (str, float)
        The most probable families (`spa2v_lib.layout.classes.FAMILIES`).
    ranked : list of (str, float)
        All labels but "unknown", the most probable first.

    Examples
    --------
    >>> ranked = [("airplane", 0.2), ("car", 0.1)]
    >>> tag = Tag(None, 0.7, [("unknown", 0.7), *ranked], ranked=ranked)
    >>> tag.guess().label, tag.guess(without={"aircraft"}).label
    ('airplane', 'car')
    """

    label: str | None
    confidence: float
    alternatives: list[tuple[str, float]]
    families: list[tuple[str, float]] = field(default_factory=list)
    ranked: list[tuple[str, float]] = field(default_factory=list)

    def guess(self, without: Collection[str] = ()) -> Tag | None:
        """Return the tag with its best candidate as label; None where there is none.

        It is the most probable label of the most probable family: families are surer than classes.

        Parameters
        ----------
        without : collection of str
            Families and labels that other evidence rules out; other families share the
            probability of those.
        """
        gone = sum(p for name, p in self.families if name in without)
        left = max(1.0 - gone, 1e-6)
        families = [
            (name, round(min(p / left, 1.0), 4)) for name, p in self.families if name not in without
        ]
        named = [(name, p) for name, p in self.ranked if not {name, family_of(name)} & set(without)]
        if families:
            of_family = [(name, p) for name, p in named if family_of(name) == families[0][0]]
            named = of_family or named
        if not named:
            return None
        label, p = named[0]
        return replace(
            self, label=label, confidence=round(min(p / left, 1.0), 4), families=families
        )


def identify(tagger: Tagger, sound: Recording) -> tuple[Tag, list[TagSpan]]:
    """Return what one source is, as a whole and over time.

    Parameters
    ----------
    tagger : Tagger
        From `spa2v_lib.cues.tagging.get_tagger`.
    sound : Recording
        The source's own signal.

    Examples
    --------
    >>> from spa2v_lib.audio.recording import Recording
    >>> from spa2v_lib.cues.tagging import get_tagger
    >>> silence = Recording.from_samples(np.zeros((1, 8000)), 8000)
    >>> tag, over_time = identify(get_tagger("embedded"), silence)
    >>> tag.label, over_time
    (None, [])
    """
    scores = tagger.scores(sound)
    return summarize(scores, tagger.threshold), spans(scores, tagger.threshold)


def summarize(scores: TagScores, threshold: float) -> Tag:
    """Average the scores over all excerpts.

    Parameters
    ----------
    scores : TagScores
        Of a whole sound; may be without an excerpt, if it is silent.
    threshold : float
        In [0, 1]: ``label`` is None where the best label is less probable, or is "unknown".

    See Also
    --------
    spans : the same over time.

    Examples
    --------
    >>> scores = TagScores(
    ...     ("dog", "tram", "unknown"), np.zeros(2), np.ones(2),
    ...     np.array([[0.9, 0.1, 0.0], [0.5, 0.1, 0.4]]),
    ... )
    >>> tag = summarize(scores, 0.4)
    >>> tag.label, tag.confidence, tag.families
    ('dog', 0.7, [('animal', 0.7), ('vehicle', 0.1)])
    >>> tag.alternatives
    [('dog', 0.7), ('unknown', 0.2), ('tram', 0.1)]
    """
    if not len(scores.probabilities):
        return Tag(None, 1.0, [(UNKNOWN, 1.0)])
    mean = scores.probabilities.mean(0)
    order = np.argsort(-mean, kind="stable")[:_CANDIDATES]
    best = [(scores.labels[i], round(min(float(mean[i]), 1.0), 4)) for i in order]
    ranked = [
        (scores.labels[i], float(mean[i]))
        for i in np.argsort(-mean, kind="stable")
        if scores.labels[i] != UNKNOWN
    ]
    return Tag(*_claim(scores.labels, mean, threshold), best, _families(scores), ranked)


def _families(scores: TagScores) -> list[tuple[str, float]]:
    """Return the most probable families, averaged over the excerpts."""
    sums: dict[str, float] = {}
    if scores.families:
        sums = {name: float(p.mean()) for name, p in scores.families.items()}
    else:
        for label, p in zip(scores.labels, scores.probabilities.mean(0), strict=True):
            family = "" if label == UNKNOWN else family_of(label)
            sums[family] = sums.get(family, 0.0) + float(p)
    ranked = sorted(((p, name) for name, p in sums.items() if name), reverse=True)
    return [(name, round(min(p, 1.0), 4)) for p, name in ranked[:_FAMILIES]]


def spans(scores: TagScores, threshold: float) -> list[TagSpan]:
    """Merge neighbouring excerpts of one label into spans.

    Parameters
    ----------
    scores : TagScores
        In order. Where excerpts overlap, the border lies in the middle of the overlap.
    threshold : float
        As for `summarize`.

    Returns
    -------
    list of TagSpan
        In order and without overlap, with the mean confidence; silence has none.

    See Also
    --------
    summarize : one label for the whole sound.

    Examples
    --------
    >>> scores = TagScores(
    ...     ("dog", "unknown"), np.array([0.0, 3.0]), np.array([3.0, 6.0]),
    ...     np.array([[0.9, 0.1], [0.7, 0.3]]),
    ... )
    >>> [(span.label, span.end_s, span.confidence) for span in spans(scores, 0.4)]
    [('dog', 6.0, 0.8)]
    """
    start, end = scores.start_s.astype(float), scores.end_s.astype(float)
    overlap = end[:-1] > start[1:]
    border = np.where(overlap, 0.5 * (end[:-1] + start[1:]), end[:-1])
    end = np.concatenate([border, end[-1:]])
    start = np.concatenate([start[:1], np.where(overlap, border, start[1:])])
    merged: list[TagSpan] = []
    confidences: list[list[float]] = []
    for k, probabilities in enumerate(_smoothed(scores.probabilities, overlap)):
        label, confidence = _claim(scores.labels, probabilities, threshold)
        if merged and merged[-1].label == label and start[k] - merged[-1].end_s < 1e-6:
            confidences[-1].append(confidence)
            begin = merged.pop().start_s
        else:
            confidences.append([confidence])
            begin = round(float(start[k]), 3)
        merged.append(
            TagSpan(
                start_s=begin,
                end_s=round(float(end[k]), 3),
                label=label,
                confidence=round(float(np.mean(confidences[-1])), 4),
            )
        )
    return merged


def _claim(
    labels: tuple[str, ...], probabilities: np.ndarray, threshold: float
) -> tuple[str | None, float]:
    """Return the label, or None, with its confidence in [0, 1]."""
    best = int(np.argmax(probabilities))
    confidence = round(float(np.clip(probabilities[best], 0.0, 1.0)), 4)
    if labels[best] == UNKNOWN:
        return None, confidence
    if confidence < threshold:
        return None, round(1.0 - confidence, 4)
    return labels[best], confidence


def _smoothed(probabilities: np.ndarray, overlap: np.ndarray) -> np.ndarray:
    """Average each excerpt's scores with those of neighbours that overlap it."""
    total, weight = 2.0 * probabilities, np.full((len(probabilities), 1), 2.0)
    both = overlap[:, None]
    total[1:] += both * probabilities[:-1]
    total[:-1] += both * probabilities[1:]
    weight[1:] += both
    weight[:-1] += both
    return total / weight
