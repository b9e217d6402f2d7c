"""How the embedded tagger learns: multinomial logistic regressions on embeddings, and calibration.

A class's probability and its family's are likely together (the loss has a term for each). Two
regressions are averaged: on embeddings whose numbers are scaled to one variance, and on embeddings
that are whitened by the covariance within classes (Hatch, Kajarekar and Stolcke, "Within-class
covariance normalization", Interspeech 2006). They err differently, and the mean is linear, too.
Held-out folds then set the temperature of the classes (Guo, Pleiss, Sun and Weinberger, "On calibration of
modern neural networks", ICML 2017) and the exponent of the families.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from spa2v_lab.training.tagger_examples import Examples
from spa2v_lib.cues.tagging.base import UNKNOWN
from spa2v_lib.cues.tagging.embedded import EmbeddedTagger, family_matrix, probabilities_of

__all__ = [
    "FOLDS",
    "Training",
    "calibrated",
    "calibration",
    "class_folds",
    "fit",
    "folds",
    "held_out",
]

FOLDS = 5
_CANDIDATES = np.geomspace(0.3, 10.0, 100)  # temperatures and exponents
_LEAST_VARIANCE = 1e-5


@dataclass(frozen=True)
class Training:
    """Settings of a training.

    Attributes
    ----------
    penalty, whitened_penalty : float
        Of the squared weights: on scaled and on whitened embeddings.
    shrinkage : float
        How much the covariance within classes is drawn towards its diagonal, in [0, 1].
    family : float
        Weight of the families' likelihood beside the classes'.
    steps : int
        Of L-BFGS, at most.
    shipped : float
        How much more an example of a shipped recording weighs.
    """

    penalty: float = 3e-3
    whitened_penalty: float = 3e-2
    shrinkage: float = 0.3
    family: float = 0.5
    steps: int = 60
    shipped: float = 3.0


def folds(examples: Examples) -> np.ndarray:
    """Return the fold [sounds] of each sound: its data set's own, or so that classes spread evenly.

    Sounds of one group are in one fold.
    """
    counts: Counter[str] = Counter()
    chosen: dict[str, int] = {}
    for group, label, fold in zip(examples.groups, examples.labels, examples.folds, strict=True):
        if group not in chosen:
            chosen[group] = fold if fold >= 0 else counts[label] % FOLDS
            counts[label] += fold < 0
    return np.array([chosen[group] for group in examples.groups])


def class_folds(labels: Sequence[str]) -> list[set[str]]:
    """Return the classes in parts, to be left out one part after the other."""
    names = sorted(set(labels) - {UNKNOWN})
    return [set(names[k::FOLDS]) for k in range(FOLDS)]


def fit(
    examples: Examples, chosen: np.ndarray, labels: Sequence[str], how: Training
) -> EmbeddedTagger:
    """Fit the weights, without calibration.

    Parameters
    ----------
    examples : Examples
    chosen : ndarray of bool [examples]
        What to learn from.
    labels : sequence of str
        Classes, and "unknown" last; a class without examples is never answered.
    how : Training

    Returns
    -------
    EmbeddedTagger
    """
    target = np.array([labels.index(examples.labels[k]) for k in examples.sounds[chosen]])
    inputs = np.sqrt(examples.vectors[chosen]).astype(float)
    share = _weights(examples, chosen, how)
    scaling = np.diag(1.0 / (inputs.std(0) + 0.05))
    whitening = _whitening(inputs, target, share, how.shrinkage)
    center = inputs.mean(0)
    found, offset = np.zeros((inputs.shape[1], len(labels))), np.zeros(len(labels))
    for transform, penalty in ((scaling, how.penalty), (whitening, how.whitened_penalty)):
        weights, bias = _regression(
            (inputs - center) @ transform, target, share, labels, penalty, how
        )
        found += 0.5 * transform @ weights
        offset += 0.5 * bias
    offset -= center @ found
    return EmbeddedTagger(tuple(labels), found.astype(np.float32), offset.astype(np.float32), 1.0)


def _whitening(
    inputs: np.ndarray, target: np.ndarray, share: np.ndarray, shrinkage: float
) -> np.ndarray:
    """Return what makes the covariance within classes, drawn towards its diagonal, the identity."""
    means = np.zeros((target.max() + 1, inputs.shape[1]))
    for k in np.unique(target):
        means[k] = np.average(inputs[target == k], axis=0, weights=share[target == k])
    apart = (inputs - means[target]) * np.sqrt(share)[:, None]
    covariance = apart.T @ apart
    diagonal = np.diag(np.diag(covariance) + _LEAST_VARIANCE)
    values, axes = np.linalg.eigh(covariance + shrinkage * (diagonal - covariance))
    return axes / np.sqrt(values)


def _regression(
    inputs: np.ndarray,
    target: np.ndarray,
    share: np.ndarray,
    labels: Sequence[str],
    penalty: float,
    how: Training,
) -> tuple[np.ndarray, np.ndarray]:
    """Return weights [512, labels] and bias [labels] of a logistic regression."""
    import torch

    x = torch.tensor(inputs, dtype=torch.float32)
    wanted, part = torch.tensor(target), torch.tensor(share, dtype=torch.float32)
    family = torch.tensor(family_matrix(labels), dtype=torch.float32)
    of_target = family[wanted].argmax(1)
    there = set(target.tolist())
    absent = torch.tensor([0.0 if k in there else -30.0 for k in range(len(labels))])
    weights = torch.zeros(x.shape[1], len(labels), requires_grad=True)
    bias = torch.zeros(len(labels), requires_grad=True)
    optimizer = torch.optim.LBFGS(
        [weights, bias], max_iter=how.steps, line_search_fn="strong_wolfe"
    )
    rows = torch.arange(len(target))

    def loss() -> torch.Tensor:
        optimizer.zero_grad()
        odds = (x @ weights + bias + absent).log_softmax(1)
        families = torch.log(odds.exp() @ family + 1e-9)
        likely = odds[rows, wanted] + how.family * families[rows, of_target]
        total = penalty * (weights**2).sum() - (part * likely).sum()
        total.backward()
        return total

    optimizer.step(loss)
    return weights.detach().numpy().astype(float), (bias + absent).detach().numpy().astype(float)


def _weights(examples: Examples, chosen: np.ndarray, how: Training) -> np.ndarray:
    """Return the weight of each example: large groups and classes count less than their number."""
    groups = [examples.groups[k] for k in examples.sounds[chosen]]
    names = [examples.labels[k] for k in examples.sounds[chosen]]
    size = Counter(groups)
    weight = np.array([size[group] ** -0.5 for group in groups])
    total: dict[str, float] = defaultdict(float)
    for name, value in zip(names, weight, strict=True):
        total[name] += value
    weight *= np.array([total[name] ** -0.6 for name in names])
    weight *= [how.shipped if group.startswith("recordings:") else 1.0 for group in groups]
    return weight / weight.sum()


def held_out(examples: Examples, labels: Sequence[str], how: Training) -> np.ndarray:
    """Return the logits [examples, labels] of every example by a tagger that never met its fold."""
    fold = folds(examples)[examples.sounds]
    logits = np.zeros((len(fold), len(labels)))
    for number in range(FOLDS):
        out = fold == number
        logits[out] = fit(examples, ~out, labels, how).logits(examples.vectors[out])
    return logits


def calibration(
    examples: Examples, labels: Sequence[str], logits: np.ndarray
) -> tuple[float, float]:
    """Return the temperature and the families' exponent that fit held-out logits best.

    Both minimize the mean negative log likelihood; every group counts alike.
    """
    target = np.array([labels.index(name) for name in examples.labels])[examples.sounds]
    family = family_matrix(labels)[target].argmax(1)
    groups = np.array(examples.groups)[examples.sounds].tolist()
    size = Counter(groups)
    share = np.array([1.0 / size[group] for group in groups])

    def loss(probabilities: np.ndarray, wanted: np.ndarray) -> float:
        likely = probabilities[np.arange(len(wanted)), wanted]
        return -float(share @ np.log(likely + 1e-9))

    def likelihoods(scaled: np.ndarray, exponent: float) -> tuple[float, float]:
        classes, families = probabilities_of(scaled, labels, exponent)
        return loss(classes, target), loss(families, family)

    temperature = min(_CANDIDATES, key=lambda t: likelihoods(logits / t, 1.0)[0])
    exponent = min(_CANDIDATES, key=lambda a: likelihoods(logits / temperature, a)[1])
    return float(temperature), float(exponent)


def calibrated(tagger: EmbeddedTagger, examples: Examples, logits: np.ndarray) -> EmbeddedTagger:
    """Return the tagger with the calibration that held-out logits call for."""
    temperature, exponent = calibration(examples, tagger.labels, logits)
    return replace(
        tagger,
        weights=(tagger.weights / temperature).astype(np.float32),
        bias=(tagger.bias / temperature).astype(np.float32),
        family_exponent=exponent,
    )
