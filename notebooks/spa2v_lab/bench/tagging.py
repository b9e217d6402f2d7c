"""What sounds are called: right classes and families, and how far the probabilities can be trusted.

Every shipped recording is named under several conditions (`spa2v_lab.training.tagger_views`), from
its samples to the answer. The embedded tagger has learnt from these very recordings; rows say so.
With ``--clips`` sounds of one's own are named as well, by a table with ``file`` and ``label``.
"""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import soundfile
import soxr

from spa2v_lab.bench.frame import Goal, Interval, Progress, Results, Row, interval
from spa2v_lib.cues.tagging.base import UNKNOWN, Tag
from spa2v_lib.errors import Spa2vError
from spa2v_lib.layout.classes import family_of
from spa2v_lib.resources import resource

if TYPE_CHECKING:
    from spa2v_lib.cues.tagging import Tagger

__all__ = ["GOALS", "LEARNT", "Answer", "Sound", "run", "scored"]

LEARNT = "embedded, recordings it learnt from"
OWN = "embedded, sounds of --clips"

GOALS = {
    "right family, first answer, never learnt": (">=", 0.8),
    "right class, first answer, never learnt": (">=", 0.7),
    "right class among three, never learnt": (">=", 0.9),
    "named with probability >= 0.8: right": (">=", 0.9),
    "named with probability >= 0.8: share of all": (">=", 0.4),
    "unknown called a class with probability >= 0.5": ("<=", 0.1),
}
"""What was asked for: relation and bound, by name."""

_MEASURES = ("family", "class", "class among three", "certain", "certain and right")
_CERTAIN, _LIKELY = 0.8, 0.5
_QUICK = 12


@dataclass(frozen=True)
class Sound:
    """One sound whose class is known.

    Attributes
    ----------
    path : Path
    label : str
        "unknown" for what is no object.
    group : str
        Sounds of one group count together as one.
    """

    path: Path
    label: str
    group: str


@dataclass(frozen=True)
class Answer:
    """What a tagger said of one sound.

    Attributes
    ----------
    label, group : str
        What it is.
    condition : str
    tag : Tag
    known : bool
        Whether its class is one that the tagger knows.
    """

    label: str
    group: str
    condition: str
    tag: Tag
    known: bool

    def measures(self) -> dict[str, float]:
        """Return what is scored of this answer; shares are 0 or 1.

        Examples
        --------
        >>> ranked = [("dog", 0.9), ("cow", 0.1)]
        >>> tag = Tag("dog", 0.9, ranked, [("animal", 1.0)], ranked)
        >>> Answer("cow", "farm", "dry", tag, True).measures()["class among three"]
        1.0
        """
        names = [name for name, _ in self.tag.ranked]
        best = self.tag.ranked[0][1] if self.tag.ranked else 0.0
        if not self.known:
            return {"called a class": float(best >= _LIKELY)}
        right = names[:1] == [self.label]
        family = self.tag.families[0][0] if self.tag.families else ""
        certain = best >= _CERTAIN
        found = (
            family == family_of(self.label),
            right,
            self.label in names[:3],
            certain,
            right if certain else np.nan,
        )
        return dict(zip(_MEASURES, map(float, found), strict=True))


def run(*, quick: bool, seed: int, progress: Progress, clips: Path | None = None) -> Results:
    """Name every sound under every condition.

    Parameters
    ----------
    quick : bool
        Twelve of the shipped recordings, and as many of one's own.
    seed : int
        Of the conditions and of the resampling.
    progress : callable
        Called with what is measured, the steps done and the steps in all.
    clips : Path, optional
        A CSV table of one's own sounds, with ``file`` and ``label``, and ``group`` where several
        files are one recording.

    See Also
    --------
    spa2v_lab.bench.run_benchmark : writes the results, too

    Examples
    --------
    >>> run(quick=True, seed=0, progress=print).goals  # doctest: +SKIP
    """
    from spa2v_lib.cues.tagging import get_tagger

    tagger = get_tagger("embedded")
    rows = _rows(LEARNT, _answers(tagger, _few(shipped_sounds(), quick), seed, progress), seed)
    own: list[Answer] = []
    if clips is not None:
        own = list(_answers(tagger, _few(read_sounds(clips), quick), seed, progress))
        rows += _rows(OWN, own, seed)
    return Results("tagging", rows, _goals(own), [])


def shipped_sounds() -> list[Sound]:
    """Return the shipped recordings."""
    return read_sounds(resource("recordings", "recordings.csv"))


def read_sounds(table: Path) -> list[Sound]:
    """Read a table of sounds.

    Raises
    ------
    Spa2vError
        If it cannot be read, has other columns, or a file is missing.
    """
    try:
        with table.open(encoding="utf-8", newline="") as rows:
            found = [
                Sound(table.parent / row["file"], row["label"], row.get("group") or row["file"])
                for row in csv.DictReader(rows)
            ]
    except (OSError, UnicodeDecodeError, KeyError, TypeError) as error:
        raise Spa2vError(
            f"{table.name} cannot be read as a table of sounds with the columns file and label: "
            f"{error}"
        ) from error
    missing = [sound.path.name for sound in found if not sound.path.is_file()]
    if missing or not found:
        raise Spa2vError(f"{table.name}: {missing[0] + ' is missing' if missing else 'no sounds'}")
    return found


def _few(sounds: Sequence[Sound], quick: bool) -> list[Sound]:
    step = max(len(sounds) // _QUICK, 1) if quick else 1
    return list(sounds)[::step]


def _answers(
    tagger: Tagger, sounds: Sequence[Sound], seed: int, progress: Progress
) -> Iterator[Answer]:
    """Name every sound alone under each condition, and beside the next one, taken apart again."""
    from spa2v_lab.training.tagger_views import CONDITIONS, RATE, separated_pair, view
    from spa2v_lib.audio.recording import Recording
    from spa2v_lib.cues.tagging.base import summarize

    def answer(sound: Sound, samples: np.ndarray, rate: int, condition: str) -> Answer:
        scores = tagger.scores(Recording.from_samples(samples, rate))
        known = sound.label in scores.labels and sound.label != UNKNOWN
        tag = summarize(scores, tagger.threshold)
        return Answer(sound.label, sound.group, condition, tag, known)

    for number, sound in enumerate(sounds):
        progress("naming", number, len(sounds))
        rng = np.random.default_rng([seed, number])
        samples = _read(sound.path)
        for condition in CONDITIONS[:-1]:
            yield answer(sound, view(samples, condition, rng), RATE, condition)
        other = _read(sounds[(number + 1) % len(sounds)].path)
        part = separated_pair(samples, other, rng)[0]
        if part is not None:
            yield answer(sound, part, RATE, CONDITIONS[-1])
    progress("naming", len(sounds), len(sounds))


def _read(path: Path) -> np.ndarray:
    from spa2v_lab.training.tagger_views import RATE

    samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    return soxr.resample(samples.mean(1), rate, RATE)


def _rows(method: str, answers: Iterable[Answer], seed: int) -> list[Row]:
    """Return rows of all, by condition, by family and by class."""
    everything = list(answers)
    known = [answer for answer in everything if answer.known]
    selections = {"all": known}
    for answer in known:
        selections.setdefault(answer.condition, []).append(answer)
    for answer in sorted(known, key=lambda answer: answer.label):
        selections.setdefault(f"class {answer.label}", []).append(answer)
    selections["unknown to it"] = [answer for answer in everything if not answer.known]
    return [
        Row(method, name, len({answer.group for answer in chosen}), scored(chosen, seed))
        for name, chosen in selections.items()
        if chosen
    ]


def scored(answers: Sequence[Answer], seed: int) -> dict[str, Interval]:
    """Return the mean of every measure; answers of one group count together as one.

    Examples
    --------
    >>> tag = Tag("dog", 0.9, [], [("animal", 1.0)], [("dog", 0.9)])
    >>> answers = [Answer("dog", "a", "dry", tag, True), Answer("cow", "b", "dry", tag, True)]
    >>> scored(answers, 0)["class"].mean
    0.5
    """
    groups: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for answer in answers:
        for name, value in answer.measures().items():
            groups[name][answer.group].append(value)
    return {
        name: interval([_mean(values) for values in each.values()], seed)
        for name, each in groups.items()
    }


def _mean(values: Sequence[float]) -> float:
    known = [value for value in values if not np.isnan(value)]
    return float(np.mean(known)) if known else float("nan")


def _goals(never_learnt: Sequence[Answer]) -> list[Goal]:
    """Return the goals over sounds that were never learnt; without any they are missed."""
    known = scored([answer for answer in never_learnt if answer.known], 0)
    other = scored([answer for answer in never_learnt if not answer.known], 0)
    names = (*_MEASURES[:3], "certain and right", "certain")
    values = [known[name].mean if name in known else None for name in names]
    values.append(other["called a class"].mean if other else None)
    return [
        Goal(name, relation, bound, value)
        for (name, (relation, bound)), value in zip(GOALS.items(), values, strict=True)
    ]
