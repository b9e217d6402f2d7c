"""The tagger's network and its training, in numpy: it is small enough to need no more."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spa2v_lib.cues.tagging import Tagger

__all__ = ["Training", "fit"]


@dataclass(frozen=True)
class Training:
    """Settings of a training run.

    Attributes
    ----------
    excerpts : int
        Augmented excerpts of each recording.
    epochs, batch, units : int
    rate, decay : float
        Learning rate of Adam at the start (it falls to 0) and weight decay.
    seed : int
    """

    excerpts: int = 160
    epochs: int = 40
    batch: int = 128
    units: int = 96
    rate: float = 2e-3
    decay: float = 2e-3
    seed: int = 0


def fit(vectors: np.ndarray, targets: np.ndarray, labels: tuple[str, ...], how: Training) -> Tagger:
    """Train the network by Adam on cross-entropy, classes weighted alike.

    Parameters
    ----------
    vectors : ndarray [n, features]
    targets : ndarray of int [n]
        Index into `labels`.
    """
    rng = np.random.default_rng(how.seed)
    mean, scale = vectors.mean(0), vectors.std(0) + 1e-3
    inputs = np.clip((vectors - mean) / scale, -5.0, 5.0).astype(np.float32)
    count = np.bincount(targets, minlength=len(labels))
    importance = (len(targets) / np.maximum(count, 1) / len(labels)).astype(np.float32)[targets]
    sizes = (inputs.shape[1], how.units, len(labels))
    weights = [
        rng.normal(0.0, np.sqrt(2.0 / sizes[0]), (sizes[0], sizes[1])),
        np.zeros(sizes[1]),
        rng.normal(0.0, np.sqrt(1.0 / sizes[1]), (sizes[1], sizes[2])),
        np.zeros(sizes[2]),
    ]
    weights = [w.astype(np.float32) for w in weights]
    first, second = [np.zeros_like(w) for w in weights], [np.zeros_like(w) for w in weights]
    total = how.epochs * (len(inputs) // how.batch)
    for step in range(total):
        pick = rng.integers(len(inputs), size=how.batch)
        grads = _gradients(weights, inputs[pick], targets[pick], importance[pick], rng)
        pace = how.rate * 0.5 * (1.0 + np.cos(np.pi * step / total))
        for k, grad in enumerate(grads):
            first[k] += 0.1 * (grad - first[k])
            second[k] += 0.001 * (grad**2 - second[k])
            unbiased = second[k] / (1.0 - 0.999 ** (step + 1))
            move = first[k] / (1.0 - 0.9 ** (step + 1)) / (np.sqrt(unbiased) + 1e-8)
            weights[k] -= pace * (move + how.decay * weights[k] * (weights[k].ndim == 2))
    return Tagger(labels, mean, scale, *weights)


def _gradients(
    weights: list[np.ndarray],
    inputs: np.ndarray,
    targets: np.ndarray,
    importance: np.ndarray,
    rng: np.random.Generator,
) -> list[np.ndarray]:
    """Return the gradients of smoothed cross-entropy, with a fifth of inputs and units dropped."""
    inputs = inputs * (rng.uniform(size=inputs.shape) > 0.1)
    kept = (rng.uniform(size=(len(inputs), weights[0].shape[1])) > 0.3) / 0.7
    inner = np.maximum(inputs @ weights[0] + weights[1], 0.0) * kept
    score = inner @ weights[2] + weights[3]
    chance = np.exp(score - score.max(1, keepdims=True))
    chance /= chance.sum(1, keepdims=True)
    classes = score.shape[1]
    wanted = np.full(score.shape, 0.05 / classes)
    wanted[np.arange(len(targets)), targets] += 0.95
    error = (chance - wanted) * (importance / len(targets))[:, None]
    back = (error @ weights[2].T) * kept * (inner > 0.0)
    return [
        (inputs.T @ back).astype(np.float32),
        back.sum(0).astype(np.float32),
        (inner.T @ error).astype(np.float32),
        error.sum(0).astype(np.float32),
    ]
