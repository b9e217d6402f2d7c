"""What sounds are called: right classes and families, and how far the probabilities can be trusted.

The embedded tagger is trained again with a fifth of its examples left out, five times, and names
those: a recording, a speaker or a library of instruments is left out as a whole. Then a fifth of
the classes is left out in turn. The excerpts last 2.3 s, as they are, in rooms, in noise, after
codecs and separated from another sound (`spa2v_lab.training.tagger_views`).

The shipped tagger also names every shipped recording from its samples to the answer; it has learnt
from these very recordings, as the rows say. With ``--clips`` sounds of one's own are named as well,
by a table with ``file`` and ``label``.
"""

from __future__ import annotations

import csv
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import soundfile
import soxr

from spa2v_lab.bench.frame import Goal, Interval, Results, Row, interval
from spa2v_lib.cues.tagging.base import UNKNOWN, Tag
from spa2v_lib.errors import Spa2vError
from spa2v_lib.layout.classes import FAMILIES, family_of
from spa2v_lib.resources import resource
from spa2v_lib.runs import StageProgress

if TYPE_CHECKING:
    from spa2v_lab.training.tagger_examples import Examples
    from spa2v_lib.cues.tagging import Tagger

__all__ = ["GOALS", "LEARNT", "NEVER", "Answer", "Sound", "run", "scored"]

NEVER = "embedded, never learnt"
NEAREST = "nearest neighbour, never learnt"
FREQUENT = "most frequent class"
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
"""What was asked for – relation and bound, by name."""

_MEASURES = ("family", "class", "class among three", "certain", "certain and right")
_CERTAIN, _LIKELY = 0.8, 0.5
_ORIGINS = {"recordings": "shipped recordings", "esc10": "ESC-10"}
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


def run(*, quick: bool, seed: int, progress: StageProgress, clips: Path | None = None) -> Results:
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
    from spa2v_lab.training.tagger_examples import load_examples
    from spa2v_lib.cues.tagging import get_tagger

    own_sounds = [] if clips is None else _few(read_sounds(clips), quick)
    examples = load_examples()
    never, nearest, frequent = never_learnt(examples, progress)
    rows = _rows(NEVER, never, seed)
    rows += _rows(NEAREST, nearest, seed)[:1] + _rows(FREQUENT, frequent, seed)[:1]
    tagger = get_tagger("embedded")
    rows += _rows(LEARNT, _answers(tagger, _few(shipped_sounds(), quick), seed, progress), seed)
    if own_sounds:
        rows += _rows(OWN, _answers(tagger, own_sounds, seed, progress), seed)
    return Results("tagging", rows, _goals(never), _notes(never))


def never_learnt(
    examples: Examples, progress: StageProgress
) -> tuple[list[Answer], list[Answer], list[Answer]]:
    """Train with folds and with classes left out, and name what was left out.

    Returns
    -------
    answers, nearest, frequent : list of Answer
        Of the tagger; of the nearest example that is not left out, by the cosine of embeddings;
        of the class with the most groups, always.
    """
    from spa2v_lab.training.tagger import labels_of
    from spa2v_lab.training.tagger_fit import (
        FOLDS,
        Training,
        calibration,
        class_folds,
        fit,
        folds,
        held_out,
    )  # fmt: skip
    from spa2v_lib.cues.tagging.embedded import probabilities_of

    labels, names = labels_of(examples), np.array(examples.labels)[examples.sounds]
    groups = {label: set() for label in labels}
    for label, group in zip(examples.labels, examples.groups, strict=True):
        groups[label].add(group)
    taught = {label for label in labels[:-1] if len(groups[label]) > 1}
    progress("sounds left out", 0, 2)
    logits = held_out(examples, labels, Training())
    temperature, exponent = calibration(examples, labels, logits)
    chosen = np.array([name in taught or name == UNKNOWN for name in names])
    found = probabilities_of(logits / temperature, labels, exponent)
    answers = _of_examples(examples, labels, found, chosen, taught)
    progress("classes left out", 1, 2)
    for part in class_folds(labels):
        out = np.isin(names, list(part))
        shown = fit(examples, ~out, labels, Training()).logits(examples.vectors[out])
        found = probabilities_of(shown / temperature, labels, exponent)
        full = tuple(np.zeros((len(out), p.shape[1])) for p in found)
        for whole, p in zip(full, found, strict=True):
            whole[out] = p
        answers += _of_examples(examples, labels, full, out, set(), "class left out")
    progress("classes left out", 2, 2)
    nearest = _nearest(examples, labels, folds(examples)[examples.sounds], FOLDS)
    common = max(taught, key=lambda label: len(groups[label]))
    always = np.tile([float(label == common) for label in labels], (len(names), 1))
    found = always, probabilities_of(np.log(always + 1e-9), labels, 1.0)[1]
    return (
        answers,
        _of_examples(examples, labels, nearest, chosen, taught),
        _of_examples(examples, labels, found, chosen, taught),
    )


def _nearest(
    examples: Examples, labels: Sequence[str], fold: np.ndarray, count: int
) -> tuple[np.ndarray, np.ndarray]:
    from spa2v_lib.cues.tagging.embedded import probabilities_of

    unit = examples.vectors / np.linalg.norm(examples.vectors, axis=1, keepdims=True)
    owner = np.array([labels.index(name) for name in examples.labels])[examples.sounds]
    likeness = np.zeros((len(unit), len(labels)))
    for number in range(count):
        out = fold == number
        similar = unit[out] @ unit[~out].T
        for k in range(len(labels)):
            of_class = owner[~out] == k
            if of_class.any():
                likeness[out, k] = similar[:, of_class].max(1)
    return probabilities_of(likeness * 50.0, labels, 1.0)


def _of_examples(
    examples: Examples,
    labels: Sequence[str],
    found: tuple[np.ndarray, np.ndarray],
    chosen: np.ndarray,
    taught: set[str],
    condition: str | None = None,
) -> list[Answer]:
    from spa2v_lab.training.tagger_views import CONDITIONS

    answers = []
    for k in np.flatnonzero(chosen):
        sound = int(examples.sounds[k])
        tag = _tag(labels, found[0][k], found[1][k])
        answers.append(
            Answer(
                examples.labels[sound],
                examples.groups[sound],
                condition or CONDITIONS[examples.conditions[k]],
                tag,
                examples.labels[sound] in taught,
            )
        )
    return answers


def _tag(labels: Sequence[str], classes: np.ndarray, families: np.ndarray) -> Tag:
    """Return the answer that follows from the probabilities of one excerpt."""
    order = np.argsort(-classes, kind="stable")
    ranked = [(labels[k], float(classes[k])) for k in order if labels[k] != UNKNOWN]
    by_family = sorted(zip(families[:-1].tolist(), FAMILIES, strict=True), reverse=True)
    best = [(name, p) for p, name in by_family]
    return Tag(labels[order[0]], float(classes[order[0]]), ranked[:3], best, ranked)


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
    tagger: Tagger, sounds: Sequence[Sound], seed: int, progress: StageProgress
) -> Iterator[Answer]:
    """Name every sound alone under each condition, and beside the next one, taken apart again."""
    from spa2v_lab.training.tagger_views import RATE, VIEWS, separated_pair, view
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
        for condition in VIEWS:
            yield answer(sound, view(samples, condition, rng), RATE, condition)
        other = _read(sounds[(number + 1) % len(sounds)].path)
        part = separated_pair(samples, other, rng)[0]
        if part is not None:
            yield answer(sound, part, RATE, "separated")
    progress("naming", len(sounds), len(sounds))


def _read(path: Path) -> np.ndarray:
    from spa2v_lab.training.tagger_views import RATE

    samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    return soxr.resample(samples.mean(1), rate, RATE)


def _rows(method: str, answers: Iterable[Answer], seed: int) -> list[Row]:
    """Return rows of all, by condition, by origin and by class; then of what it does not know."""
    everything = list(answers)
    known = [answer for answer in everything if answer.known]
    selections = {"all": known}
    for answer in known:
        selections.setdefault(answer.condition, []).append(answer)
    for origin, name in _ORIGINS.items():
        selections[name] = [a for a in known if a.group.startswith(f"{origin}:")]
    for answer in sorted(known, key=lambda answer: answer.label):
        selections.setdefault(f"class {answer.label}", []).append(answer)
    other = [answer for answer in everything if not answer.known]
    selections["no object"] = [answer for answer in other if answer.label == UNKNOWN]
    selections["classes it was not taught"] = [a for a in other if a.label != UNKNOWN]
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


def _goals(answers: Sequence[Answer]) -> list[Goal]:
    """Return the goals over sounds that were never learnt."""
    known = scored([answer for answer in answers if answer.known], 0)
    none = scored([a for a in answers if not a.known and a.label == UNKNOWN], 0)
    names = (*_MEASURES[:3], "certain and right", "certain")
    values = [known[name].mean if name in known else None for name in names]
    values.append(none["called a class"].mean if none else None)
    return [
        Goal(name, relation, bound, value)
        for (name, (relation, bound)), value in zip(GOALS.items(), values, strict=True)
    ]


def _notes(answers: Sequence[Answer]) -> list[str]:
    """Return what each class is taken for, a line a class."""
    taken: dict[str, Counter[str]] = defaultdict(Counter)
    for answer in answers:
        if answer.known:
            taken[answer.label][answer.tag.ranked[0][0]] += 1
    return [
        f"{label} is taken for "
        + ", ".join(f"{name} {count}" for name, count in counts.most_common(4))
        for label, counts in sorted(taken.items())
    ]
