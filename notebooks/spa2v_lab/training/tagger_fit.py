"""How the embedded tagger learns: in closed form, so that folds of a test cost next to nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from spa2v_lib.cues.tagging.base import UNKNOWN
from spa2v_lib.cues.tagging.embedded import EmbeddedTagger

__all__ = ["Heard", "Training", "fit"]


@dataclass(frozen=True)
class Training:
    """Settings of a training.

    Attributes
    ----------
    excerpts, tests : int
        Augmented excerpts of each recording, for training and for tests.
    invented : int
        Invented sounds for training; the tests have half as many others.
    strange_excerpts : int
        Excerpts of each invented or twisted sound.
    rounds, test_rounds : int
        How often each recording is played together with others, to be taken apart from them.
    between : float
        Weight of the covariance between recordings of a class, over that within a recording.
    shrinkage : float
        Of the covariance towards a multiple of the unit matrix, in [0, 1].
    seed : int
    """

    excerpts: int = 40
    tests: int = 16
    invented: int = 32
    strange_excerpts: int = 4
    rounds: int = 10
    test_rounds: int = 5
    between: float = 2.0
    shrinkage: float = 0.3
    seed: int = 0


@dataclass(frozen=True)
class Heard:
    """One sound as features.

    Attributes
    ----------
    file : str
        Of the recording, also of what was made from it by twisting.
    label : str
        A class, or "unknown".
    train, test : ndarray [excerpts, features]
    separated : ndarray [excerpts, features]
        More of both, taken apart from other sounds: for tests. May be empty.
    """

    file: str
    label: str
    train: np.ndarray
    test: np.ndarray
    separated: np.ndarray


def fit(sounds: Sequence[Heard], how: Training) -> EmbeddedTagger:
    """Fit the discriminant space and place the examples in it.

    Regularised linear discriminant analysis (Friedman 1989), whose nuisance covariance is that of
    the excerpts of one recording plus that of the recordings of one class.

    Parameters
    ----------
    sounds : sequence of Heard
        Known ones and outliers.
    how : Training

    Returns
    -------
    EmbeddedTagger
        With an uncalibrated `sharpness`, `slope` and borders.
    """
    known = [sound for sound in sounds if sound.label != UNKNOWN]
    labels = (*sorted({sound.label for sound in known}), UNKNOWN)
    pooled = np.concatenate([sound.train for sound in known])
    mean, scale = pooled.mean(0), pooled.std(0) + 1e-3
    clipped = [np.clip((sound.train - mean) / scale, -4.0, 4.0) for sound in known]
    within = np.mean([np.cov(excerpts.T) for excerpts in clipped], axis=0)
    middles = np.stack([excerpts.mean(0) for excerpts in clipped])
    owners = np.array([labels.index(sound.label) for sound in known])
    nuisance = within + how.between * _between(middles, owners)
    ball = np.eye(len(nuisance)) * np.trace(nuisance) / len(nuisance)
    nuisance = (1.0 - how.shrinkage) * nuisance + how.shrinkage * ball
    projection = np.linalg.inv(np.linalg.cholesky(nuisance)).T
    model = EmbeddedTagger(
        labels=labels,
        mean=mean.astype(np.float32),
        scale=scale.astype(np.float32),
        projection=projection.astype(np.float32),
        centres=(middles @ projection).astype(np.float32),
        centre_owners=owners,
        examples=np.zeros((0, projection.shape[1]), np.float32),
        owners=np.zeros(0, np.int64),
        sharpness=0.1,
        border=0.0,
        border_separated=0.0,
        slope=10.0,
    )
    taught = [labels.index(sound.label) for sound in sounds]
    return replace(
        model,
        examples=model.placed(np.concatenate([sound.train for sound in sounds])),
        owners=np.repeat(taught, [len(sound.train) for sound in sounds]),
    )


def _between(middles: np.ndarray, owners: np.ndarray) -> np.ndarray:
    """Return the mean covariance of the recordings of a class, over classes that have several."""
    spreads = [np.cov(middles[owners == k].T) for k in np.unique(owners) if (owners == k).sum() > 1]
    return np.mean(spreads, axis=0) if spreads else np.zeros((middles.shape[1],) * 2)
