"""How many sources there are.

In a room every narrow band shifts the apparent direction of a source by its own amount, as long as
the source lasts. A further source is therefore not accepted for explaining more bins, but for
explaining bands better than the known sources do when each band may shift them.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice, pairwise

import numpy as np

from spa2v_lib.cues.bins import Bins
from spa2v_lib.cues.mixture import Mixture, fit_mixtures
from spa2v_lib.cues.steering import Steering, densities

__all__ = ["SourceCount", "added_evidence", "count_sources"]

_BLOCK = 128  # frames
_FAR = 15  # grid steps that a band may shift a known source
_NEAR = (-4, -2, 0, 2, 4)  # and the sources of the larger mixture
_NATS_PER_DEG = 0.3  # what a shift costs
_BELIEVED = {2: 0.65, 3: 0.5}  # to split one source does more harm than to miss another
_UNLIKELY = 0.05  # what is less probable lies outside the count's interval
_OUTERMOST_DEG = 84.0
_LEAST_GAIN = 0.002

# Log odds of a further source: of ln(evidence), of ln(gain of one source), and a constant;
# logistic regression on simulated scenes.
_ODDS = {2: (1.78, -0.61, -5.83), 3: (1.26, -0.53, -4.34)}


@dataclass(frozen=True)
class SourceCount:
    """The most probable number of sources.

    Attributes
    ----------
    mixture : Mixture
    low, high : int
        90 % interval of the number.
    separable : bool
        Whether there is evidence for each of the sources; False where a requested number exceeds
        what the recording shows.

    Examples
    --------
    >>> import numpy as np
    >>> from spa2v_lib.audio import Recording
    >>> noise = 0.1 * np.random.default_rng(0).normal(size=16000)
    >>> from spa2v_lib.cues.features import extract_features
    >>> recording = Recording.from_samples(np.stack([0.3 * noise, noise]), 16000)
    >>> features = extract_features(recording, with_bins=True)
    >>> from spa2v_lib.cues.bins import weighted_bins
    >>> active = np.ones(10, bool)
    >>> bins = weighted_bins(features.bins, active)
    >>> from spa2v_lib.cues.steering import steering
    >>> table = steering("xy")
    >>> count = count_sources(bins, table)
    >>> count.low <= len(count.mixture.paths) <= count.high
    True
    """

    mixture: Mixture
    low: int
    high: int
    separable: bool = True


def count_sources(bins: Bins, table: Steering, num_sources: int | None = None) -> SourceCount:
    """Find the number of sources, from one to three, and where they are.

    Sources in one direction cannot be separated, and count as one.

    Parameters
    ----------
    bins : Bins
        From `weighted_bins`, with some weight above 0.
    table : Steering
        Of the capture format.
    num_sources : int, optional
        Their number where it is known, from 1 to 3.

    Returns
    -------
    SourceCount

    Examples
    --------
    >>> import numpy as np
    >>> from spa2v_lib.audio import Recording
    >>> noise = 0.1 * np.random.default_rng(0).normal(size=16000)
    >>> from spa2v_lib.cues.features import extract_features
    >>> recording = Recording.from_samples(np.stack([0.3 * noise, noise]), 16000)
    >>> features = extract_features(recording, with_bins=True)
    >>> from spa2v_lib.cues.bins import weighted_bins
    >>> active = np.ones(10, bool)
    >>> bins = weighted_bins(features.bins, active)
    >>> from spa2v_lib.cues.steering import steering
    >>> table = steering("xy")
    >>> len(count_sources(bins, table).mixture.paths)
    1
    """
    mixtures = fit_mixtures(bins, table)
    if num_sources is not None:
        return _of_number(bins, table, list(islice(mixtures, num_sources)))
    first = best = next(mixtures)
    low, certain = 1, 1.0
    for larger in mixtures:
        chance = _chance_of_another(bins, table, first, best, larger)
        if chance < _BELIEVED[len(larger.paths)]:
            return SourceCount(best, low, len(best.paths) + int(certain * chance > _UNLIKELY))
        certain *= chance
        best = larger
        if 1.0 - certain < _UNLIKELY:
            low = len(best.paths)
    return SourceCount(best, low, len(best.paths))


def _of_number(bins: Bins, table: Steering, mixtures: list[Mixture]) -> SourceCount:
    """Return the last of `mixtures`, whose number of sources is given."""
    separable = all(
        _chance_of_another(bins, table, mixtures[0], smaller, larger) > _UNLIKELY
        for smaller, larger in pairwise(mixtures)
    )
    return SourceCount(mixtures[-1], len(mixtures), len(mixtures), separable)


def _chance_of_another(
    bins: Bins, table: Steering, first: Mixture, smaller: Mixture, larger: Mixture
) -> float:
    if larger.gain - smaller.gain < _LEAST_GAIN or _is_wind(table, larger):
        return 0.0
    evidence = max(added_evidence(bins, table, smaller, larger), 0.3)
    of_evidence, of_gain, constant = _ODDS[len(larger.paths)]
    odds = of_evidence * np.log(evidence) + of_gain * np.log(max(first.gain, 0.03)) + constant
    return float(1.0 / (1.0 + np.exp(-np.clip(odds, -30.0, 30.0))))


def _is_wind(table: Steering, mixture: Mixture) -> bool:
    """Return whether a source keeps to the outermost direction of a spaced pair.

    Wind in one microphone, or its own noise, looks like that.
    """
    outermost = np.abs(table.azimuth_deg)[mixture.paths] >= _OUTERMOST_DEG
    return table.spaced and bool((outermost.mean(1) > 0.5).any())


def added_evidence(bins: Bins, table: Steering, smaller: Mixture, larger: Mixture) -> float:
    """Return how much better the larger mixture explains the bands that it explains better.

    In every band each mixture may shift one of its sources, at a price.

    Parameters
    ----------
    bins : Bins
    table : Steering
    smaller, larger : Mixture

    Returns
    -------
    float
        Log likelihood in nats, summed over those bands.

    Examples
    --------
    >>> import numpy as np
    >>> from spa2v_lib.audio import Recording
    >>> noise = 0.1 * np.random.default_rng(0).normal(size=16000)
    >>> from spa2v_lib.cues.features import extract_features
    >>> recording = Recording.from_samples(np.stack([0.3 * noise, noise]), 16000)
    >>> features = extract_features(recording, with_bins=True)
    >>> from spa2v_lib.cues.bins import weighted_bins
    >>> active = np.ones(10, bool)
    >>> bins = weighted_bins(features.bins, active)
    >>> from spa2v_lib.cues.steering import steering
    >>> table = steering("xy")
    >>> one, two, _ = fit_mixtures(bins, table)
    >>> added_evidence(bins, table, one, two) >= 0.0
    True
    """
    few = [(smaller.paths, smaller.shares), *_less_one(larger)]
    far = np.arange(-_FAR, _FAR + 1)
    explained = _explained(bins, table, [*few, (larger.paths, larger.shares)], far)
    best = max(explained[:-1], key=lambda bands: float(bands.sum()))
    return float(np.maximum(explained[-1] - best, 0.0).sum())


def _less_one(mixture: Mixture) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return the mixture without each of its sources, whose bins go to the others."""
    out = []
    for k in range(len(mixture.paths)):
        shares = np.delete(mixture.shares, k + 1, axis=0)
        shares[1:] *= 1.0 + mixture.shares[k + 1] / (shares[1:].sum(0) + 1e-9)
        out.append((np.delete(mixture.paths, k, axis=0), shares))
    return out


def _explained(
    bins: Bins,
    table: Steering,
    models: list[tuple[np.ndarray, np.ndarray]],
    far: np.ndarray,
) -> list[np.ndarray]:
    """Return the log likelihood of every band under each model; the last one shifts little."""
    shifts = [far] * (len(models) - 1) + [np.array(_NEAR)]
    step = float(table.azimuth_deg[1] - table.azimuth_deg[0])
    sums = [0.0] * len(models)
    frames = len(bins.weight)
    for begin in range(0, frames, _BLOCK):
        stop = min(begin + _BLOCK, frames)
        density = densities(bins, table, begin, stop)
        weight = bins.weight[begin:stop, :, None]
        for m, (paths, shares) in enumerate(models):
            likely = _shifted(density, paths[:, begin:stop], shares, shifts[m])
            sums[m] = sums[m] + (weight * np.log(np.maximum(likely, 1e-6))).sum(1)
    return [
        (total - _NATS_PER_DEG * step * np.abs(shift)).max((0, 2))
        for total, shift in zip(sums, shifts, strict=True)
    ]


def _shifted(
    density: np.ndarray, paths: np.ndarray, shares: np.ndarray, shift: np.ndarray
) -> np.ndarray:
    """Return the likelihood [sources, frames, bands, shifts], one source shifted at a time."""
    frames, bands, states = density.shape
    along = []
    for path in paths:
        index = np.clip(path[:, None] + shift, 0, states - 1)[:, None, :]
        index = np.broadcast_to(index, (frames, bands, len(shift)))
        along.append(np.take_along_axis(density, index, 2))
    still = int(np.flatnonzero(shift == 0)[0])
    unshifted = shares[0][:, None] + sum(
        share[:, None] * part[..., still : still + 1]
        for share, part in zip(shares[1:], along, strict=True)
    )
    return np.stack(
        [
            unshifted + share[:, None] * (part - part[..., still : still + 1])
            for share, part in zip(shares[1:], along, strict=True)
        ]
    )
