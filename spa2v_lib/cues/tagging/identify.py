"""What a source is, and when: the answers of a tagger, summed up."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from spa2v_lib.cues.tagging import UNKNOWN, Answers, Tagger
from spa2v_lib.cues.tagging.embedded import EmbeddedTagger, load_embedded
from spa2v_lib.cues.types import TagSpan

if TYPE_CHECKING:
    from spa2v_lib.audio.recording import Recording

__all__ = ["UNKNOWN", "Tag", "identify", "over_time", "summary", "tag"]


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
        The three most probable answers, "unknown" among them if it is one.
    """

    label: str | None
    confidence: float
    alternatives: list[tuple[str, float]]


def tag(mel: np.ndarray, tagger: EmbeddedTagger | None = None) -> Tag:
    """Say what a sound is, by the embedded tagger.

    Parameters
    ----------
    mel : ndarray [windows, 40]
        Power in mel bands of a whole recording, or of one source's share of it.
    tagger : EmbeddedTagger, optional
        The shipped one if not given.
    """
    model = tagger or load_embedded()
    return summary(model.answers_of_mel(mel), model.threshold)


def identify(
    tagger: Tagger, mel: np.ndarray, sound: Callable[[], Recording], *, apart: bool = False
) -> tuple[Tag, list[TagSpan]]:
    """Say what one source is, as a whole and over time.

    Parameters
    ----------
    tagger : Tagger
        From `spa2v_lib.cues.tagging.get_tagger`.
    mel : ndarray [windows, 40]
        Of the source: all that the embedded tagger needs.
    sound : callable
        Returns the source's own signal; called for any other tagger.
    apart : bool
        Whether the source was taken apart from others.
    """
    if isinstance(tagger, EmbeddedTagger):
        answers = tagger.answers_of_mel(mel, apart=apart)
    else:
        answers = tagger.answers(sound())
    return summary(answers, tagger.threshold), over_time(answers, tagger.threshold)


def summary(answers: Answers, threshold: float) -> Tag:
    """Average the answers over all excerpts.

    Parameters
    ----------
    answers : Answers
    threshold : float
        ``label`` is None where the best answer is less likely, or is "unknown".
    """
    if not len(answers.chance):
        return Tag(None, 1.0, [(UNKNOWN, 1.0)])
    chance = answers.chance.mean(0)
    order = np.argsort(-chance, kind="stable")[:3]
    best = [(answers.labels[i], round(min(float(chance[i]), 1.0), 4)) for i in order]
    return Tag(*_claim(answers.labels, chance, threshold), best)


def over_time(answers: Answers, threshold: float) -> list[TagSpan]:
    """Merge neighbouring excerpts of one answer into spans.

    Parameters
    ----------
    answers : Answers
        In order. Where excerpts overlap, the border lies in the middle of the overlap.
    threshold : float
        As for `summary`.

    Returns
    -------
    list of TagSpan
        In order and without overlap, with the mean confidence; silence has none.
    """
    start, end = answers.start_s.astype(float), answers.end_s.astype(float)
    overlap = end[:-1] > start[1:]
    border = np.where(overlap, 0.5 * (end[:-1] + start[1:]), end[:-1])
    end = np.concatenate([border, end[-1:]])
    start = np.concatenate([start[:1], np.where(overlap, border, start[1:])])
    spans: list[TagSpan] = []
    runs: list[list[float]] = []
    for k, chance in enumerate(_smoothed(answers.chance, overlap)):
        label, sure = _claim(answers.labels, chance, threshold)
        if spans and spans[-1].label == label and start[k] - spans[-1].end_s < 1e-6:
            runs[-1].append(sure)
            begin = spans.pop().start_s
        else:
            runs.append([sure])
            begin = round(float(start[k]), 3)
        spans.append(
            TagSpan(
                start_s=begin,
                end_s=round(float(end[k]), 3),
                label=label,
                confidence=round(float(np.mean(runs[-1])), 4),
            )
        )
    return spans


def _claim(
    labels: tuple[str, ...], chance: np.ndarray, threshold: float
) -> tuple[str | None, float]:
    """Return the label, or None, with its confidence in [0, 1]."""
    best = int(np.argmax(chance))
    sure = round(float(np.clip(chance[best], 0.0, 1.0)), 4)
    if labels[best] == UNKNOWN:
        return None, sure
    if sure < threshold:
        return None, round(1.0 - sure, 4)
    return labels[best], sure


def _smoothed(chance: np.ndarray, overlap: np.ndarray) -> np.ndarray:
    """Average each excerpt's answer with those of neighbours that overlap it."""
    total, weight = 2.0 * chance, np.full((len(chance), 1), 2.0)
    both = overlap[:, None]
    total[1:] += both * chance[:-1]
    total[:-1] += both * chance[1:]
    weight[1:] += both
    weight[:-1] += both
    return total / weight
