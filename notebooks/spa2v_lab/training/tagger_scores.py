"""How good the embedded tagger is on what it was not taught: recordings, classes, outliers.

Every fold is a training of its own, of which the recordings in question, and all that was made of
them, are left out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from spa2v_lab.training.tagger_fit import Heard, Training, fit
from spa2v_lab.training.tagger_sounds import Sounds, listen
from spa2v_lib.cues.tagging.base import UNKNOWN
from spa2v_lib.cues.tagging.embedded import SCALARS, EmbeddedTagger

__all__ = ["QUICK", "auroc", "evaluate", "examine"]

QUICK = Training(excerpts=24, tests=6, invented=16, strange_excerpts=2, rounds=1, test_rounds=1)
"""Smaller numbers of excerpts, for a quick look."""

_FALSE_ACCEPTANCE = 0.1
_FALSE_ACCEPTANCE_SEPARATED = 0.2  # what is left of a sound is less sure of itself: a lower bar
_ACCEPTED = 0.9


@dataclass(frozen=True)
class _Fold:
    """A test sound as a model heard it: familiarity [n], squared distances [n, classes]."""

    sound: Heard
    model: EmbeddedTagger
    separated: bool
    familiarity: np.ndarray
    distances: np.ndarray

    @property
    def places(self) -> np.ndarray:
        """Rank of the true class in each excerpt [n]; its number of classes where it has none."""
        if self.sound.label not in self.model.labels[:-1]:
            return np.full(len(self.distances), self.distances.shape[1])
        true = self.distances[:, self.model.labels.index(self.sound.label)]
        return (self.distances < true[:, None]).sum(1)


@dataclass(frozen=True)
class _Trial:
    """Everything that was tested, by what the model knew of it."""

    heard: list[_Fold]  # recordings that were taught, other conditions
    unheard: list[_Fold]  # recordings left out, their class taught from others
    foreign: list[_Fold]  # classes left out
    ambience: list[_Fold]  # wind and applause, left out
    strange: list[_Fold]  # invented sounds that were not taught
    separated_excerpts: list[_Fold]  # recordings that were taught, taken apart from others
    foreign_separated: list[_Fold]  # classes left out, taken apart from others


def evaluate(*, quick: bool = False, seed: int = 0) -> dict[str, object]:
    """Test the embedded tagger's training by leaving out recordings and classes.

    Parameters
    ----------
    quick : bool
        Fewer excerpts.
    seed : int

    Returns
    -------
    dict
        ``leave_one_recording_out`` (classes with several: ``recordings``, ``excerpts``, ``top1``,
        ``top3``; ``each`` lists them), ``single_recording`` (the same after room, noise, filter and
        pitch), ``separated`` (of recordings that were taught, what is left beside others),
        ``leave_one_class_out`` (``auroc`` and ``false_acceptance`` at 90 % acceptance of
        known sounds, against heard and against unheard recordings), ``unknown`` (share called
        unknown with the shipped border, by kind of sound), ``confusion`` (true class → answer →
        excerpts, left-out recordings, unknown among the answers).
    """
    return examine(replace(QUICK if quick else Training(), seed=seed))[1]


def examine(how: Training) -> tuple[EmbeddedTagger, dict[str, object]]:
    """Return the tagger that is trained on everything, and the numbers of `evaluate`."""
    sounds = listen(how)
    trial = _tried(sounds, how)
    model = _calibrated(sounds, how, trial)
    single = [fold for fold in trial.heard if _fellows(sounds.known, fold.sound) == 1]
    familiar = {name: _familiarity(folds) for name, folds in vars(trial).items()}
    return model, {
        "leave_one_recording_out": _ranks(trial.unheard)
        | {"each": [_row(fold) for fold in trial.unheard]},
        "single_recording": _ranks(single),
        "heard_recordings": _ranks(trial.heard),
        "separated": _ranks(trial.separated_excerpts),
        "leave_one_class_out": {
            "classes": len({fold.sound.label for fold in trial.foreign}),
            "auroc": auroc(familiar["heard"], familiar["foreign"]),
            "false_acceptance": _false_acceptance(familiar["heard"], familiar["foreign"]),
            "auroc_unheard": auroc(familiar["unheard"], familiar["foreign"]),
            "false_acceptance_unheard": _false_acceptance(familiar["unheard"], familiar["foreign"]),
        },
        "unknown": {
            name: float(np.mean([label is None for f in folds for label in _answers(f, model)]))
            for name, folds in vars(trial).items()
        },
        "confusion": _confusion(trial.unheard, model),
    }


def _calibrated(sounds: Sounds, how: Training, tried: _Trial) -> EmbeddedTagger:
    """Train on everything and set what turns distances into probabilities.

    The border lies where a tenth of the excerpts of left-out classes would be accepted; the slope
    is that of the logistic curve between those and recordings that were taught; the sharpness makes
    the class probabilities likeliest, each excerpt counting as far as it is called known. Sounds
    that were taken apart from others have a border of their own, where a fifth would be accepted.
    """
    foreign, heard = _familiarity(tried.foreign), _familiarity(tried.heard)
    border = float(np.quantile(foreign, 1.0 - _FALSE_ACCEPTANCE))
    separated = _familiarity(tried.foreign_separated)
    slope = _slope(heard - border, foreign - border)
    return replace(
        fit(sounds.without(()), how),
        sharpness=_sharpness(tried.heard + tried.unheard, border, slope),
        border=border,
        border_separated=float(np.quantile(separated, 1.0 - _FALSE_ACCEPTANCE_SEPARATED)),
        slope=slope,
    )


def auroc(known: np.ndarray, unknown: np.ndarray) -> float:
    """Return the chance that a known sound seems more familiar than an unknown one."""
    order = np.argsort(np.argsort(np.concatenate([known, unknown])))
    wins = order[: len(known)].sum() - len(known) * (len(known) - 1) / 2
    return float(wins / (len(known) * len(unknown)))


def _tried(sounds: Sounds, how: Training) -> _Trial:
    whole = fit(sounds.without(()), how)
    several = [s for s in sounds.known if _fellows(sounds.known, s) > 1]
    foreign, foreign_separated = [], []
    for label in sorted({sound.label for sound in sounds.known}):
        out = [sound for sound in sounds.known if sound.label == label]
        model = fit(sounds.without(s.file for s in out), how)
        foreign += _judged(model, out)
        foreign_separated += _judged(model, out, separated=True)
    return _Trial(
        heard=_judged(whole, sounds.known),
        unheard=_each_left_out(sounds, several, how),
        foreign=foreign,
        ambience=_each_left_out(sounds, sounds.ambience, how),
        strange=_judged(whole, sounds.strange),
        separated_excerpts=_judged(whole, sounds.known, separated=True),
        foreign_separated=foreign_separated,
    )


def _each_left_out(sounds: Sounds, those: Iterable[Heard], how: Training) -> list[_Fold]:
    return [
        fold for sound in those for fold in _judged(fit(sounds.without([sound.file]), how), [sound])
    ]


def _judged(
    model: EmbeddedTagger, those: Iterable[Heard], *, separated: bool = False
) -> list[_Fold]:
    folds = []
    for sound in those:
        excerpts = sound.separated if separated else sound.test
        if len(excerpts):
            place = model.placed(excerpts)
            distances = model.distances(place)
            folds.append(_Fold(sound, model, separated, model.familiarity(place), distances))
    return folds


def _fellows(known: Iterable[Heard], sound: Heard) -> int:
    return sum(other.label == sound.label for other in known)


def _familiarity(folds: list[_Fold]) -> np.ndarray:
    return np.concatenate([fold.familiarity for fold in folds])


def _ranks(folds: list[_Fold]) -> dict[str, object]:
    """Mean over recordings, so that each counts alike."""
    return {
        "recordings": len(folds),
        "excerpts": sum(len(fold.places) for fold in folds),
        "top1": float(np.mean([(fold.places == 0).mean() for fold in folds])),
        "top3": float(np.mean([(fold.places < 3).mean() for fold in folds])),
    }


def _row(fold: _Fold) -> dict[str, object]:
    nearest = Counter(fold.model.labels[k] for k in fold.distances.argmin(1))
    return {
        "file": fold.sound.file,
        "label": fold.sound.label,
        "top1": float((fold.places == 0).mean()),
        "top3": float((fold.places < 3).mean()),
        "likely": nearest.most_common(1)[0][0],
    }


def _false_acceptance(known: np.ndarray, unknown: np.ndarray) -> float:
    return float((unknown >= np.quantile(known, 1.0 - _ACCEPTED)).mean())


def _answers(fold: _Fold, shipped: EmbeddedTagger) -> list[str | None]:
    """Return what would be answered, by the fold's model with the shipped calibration."""
    model = replace(fold.model, **{name: getattr(shipped, name) for name in SCALARS})
    excerpts = fold.sound.separated if fold.separated else fold.sound.test
    chance = model.probabilities(excerpts, separated=fold.separated)
    best = chance.argmax(1)
    sure = (best < len(model.labels) - 1) & (chance.max(1) >= model.threshold)
    return [model.labels[k] if ok else None for k, ok in zip(best, sure, strict=True)]


def _confusion(folds: list[_Fold], shipped: EmbeddedTagger) -> dict[str, dict[str, int]]:
    table: dict[str, Counter[str]] = {}
    for fold in folds:
        answers = (label or UNKNOWN for label in _answers(fold, shipped))
        table.setdefault(fold.sound.label, Counter()).update(answers)
    return {label: dict(counts.most_common()) for label, counts in sorted(table.items())}


def _slope(known: np.ndarray, unknown: np.ndarray) -> float:
    """Return the likeliest slope of a logistic curve at 0; both kinds weigh alike."""

    def loss(slope: float) -> float:
        return float(
            np.logaddexp(0.0, -slope * known).mean() + np.logaddexp(0.0, slope * unknown).mean()
        )

    return float(min(np.geomspace(1.0, 200.0, 60), key=loss))


def _sharpness(folds: list[_Fold], border: float, slope: float) -> float:
    """Return the factor that makes the class probabilities likeliest where a sound is known."""
    known = [1.0 / (1.0 + np.exp(-slope * (fold.familiarity - border))) for fold in folds]

    def loss(factor: float) -> float:
        total = 0.0
        for fold, weight in zip(folds, known, strict=True):
            score = -factor * fold.distances
            score -= np.logaddexp.reduce(score, axis=1, keepdims=True)
            total -= float(weight @ score[:, fold.model.labels.index(fold.sound.label)])
        return total

    return float(min(np.geomspace(1e-3, 1.0, 60), key=loss))
