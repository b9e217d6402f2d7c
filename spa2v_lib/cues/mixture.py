"""A recording as a mixture of sources: the path of each, and which bins belong to it.

Every time–frequency bin gives a density over directions. A mixture explains all of them: each
source is a path of directions and, in every band, a share of the bins; the rest is diffuse. Shares
and paths are estimated in turn (EM); a band's shares represent a source's spectrum, which keeps
identity through silence and crossings. After Mandel, Weiss and Ellis, "Model-based
expectation-maximization source separation and localization", IEEE TASLP 18(2), 2010, whose sources
are stationary.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from spa2v_lib.cues.bins import Bins
from spa2v_lib.cues.steering import Steering, densities
from spa2v_lib.cues.tracking import best_path, meetings, swapped

__all__ = ["MOST_SOURCES", "Mixture", "fit_mixtures", "ownership"]

MOST_SOURCES = 3
_BLOCK = 128  # frames
_KEPT = 40  # bins of a frame that count: those of most weight
_MOST_VALUES = 2.5e7  # of densities that are held; of long recordings, fewer bins of a frame
_PRICE = 0.4  # of one grid step of a path, in nats
_KNOT_FRAMES, _ALONE_KNOT_FRAMES = 8, 4  # a source alone is followed more closely
_STARTS = ((0.25, 1.0), (0.25, 10.0), (0.05, 10.0))  # share of a further source, times the price
_PRIOR_BINS = 10.0  # bins' worth of evidence for a band's shares being those of all bands
_EM_STEPS, _ROUNDS = 6, 4
_ENOUGH = 0.3  # nats; smaller gains end the search


@dataclass(frozen=True)
class Mixture:
    """The best explanation by so many sources.

    Attributes
    ----------
    paths : ndarray of int [sources, frames]
        Directions of `Steering.azimuth_deg`.
    shares : ndarray [1 + sources, bands]
        Of diffuse bins, then of each source's; they add up to 1 in every band.
    gain : float
        Mean log likelihood of a bin over that of directions being arbitrary, in nats, less what
        the paths' changes cost.

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
    >>> mixture = next(fit_mixtures(bins, table))
    >>> mixture.paths.shape, bool(np.allclose(mixture.shares.sum(0), 1.0))
    ((1, 10), True)
    """

    paths: np.ndarray
    shares: np.ndarray
    gain: float


class _BinDensities:
    """The bins of most weight: densities [frames, kept, directions] and their bands."""

    def __init__(self, bins: Bins, table: Steering) -> None:
        frames, bands = bins.weight.shape
        kept = int(np.clip(_MOST_VALUES / (frames * len(table.azimuth_deg)), 8, _KEPT))
        self.bands = bands
        order = np.argsort(-bins.weight, axis=1, kind="stable")
        self.band = order[:, :kept].astype(np.int16)
        self.weight = np.take_along_axis(bins.weight, self.band, 1)
        self.density = np.empty((frames, kept, len(table.azimuth_deg)), np.float16)
        for begin in range(0, frames, _BLOCK):
            stop = min(begin + _BLOCK, frames)
            index = self.band[begin:stop, :, None]
            self.density[begin:stop] = np.take_along_axis(
                densities(bins, table, begin, stop), index, 1
            )
        self.total = float(self.weight.sum())

    def along(self, path: np.ndarray) -> np.ndarray:
        """Return the densities along a path [frames, kept]."""
        index = np.broadcast_to(path[:, None, None], (*self.band.shape, 1))
        return np.take_along_axis(self.density, index, 2)[..., 0].astype(np.float32)

    def score(self, rest: np.ndarray, share: np.ndarray) -> np.ndarray:
        """Return the log likelihood of a further path in every direction [frames, directions].

        Parameters
        ----------
        rest : ndarray [frames, kept]
            Likelihood without it.
        share : ndarray [frames, kept]
            Share of its bins.
        """
        out = np.empty((len(rest), self.density.shape[2]), np.float32)
        rest, share = rest.astype(np.float32), share.astype(np.float32)
        for begin in range(0, len(rest), _BLOCK):
            part = slice(begin, begin + _BLOCK)
            likely = self.density[part] * share[part, :, None] + rest[part, :, None]
            out[part] = (self.weight[part, :, None] * np.log(likely)).sum(1)
        return out

    def shares(self, along: np.ndarray, start: np.ndarray | None) -> np.ndarray:
        """Return the shares [1 + sources, bands] that explain bins best, by EM.

        Parameters
        ----------
        along : ndarray [1 + sources, frames, kept]
            Densities along all paths; the first of diffuse bins.
        start : ndarray [1 + sources, bands] or None
        """
        shares = start
        if shares is None:
            shares = np.full((len(along), self.bands), 1.0 / len(along))
        flat = self.band.ravel()
        weight = np.bincount(flat, self.weight.ravel(), self.bands)
        for _ in range(_EM_STEPS):
            part = along * shares[:, self.band].astype(np.float32)
            part *= self.weight / part.sum(0)
            overall = part.sum((1, 2))[:, None] / self.total
            own = np.stack([np.bincount(flat, p.ravel(), self.bands) for p in part])
            shares = (own + _PRIOR_BINS * overall) / (weight + _PRIOR_BINS)
        return shares


def fit_mixtures(bins: Bins, table: Steering) -> Iterator[Mixture]:
    """Yield the best mixtures of one source, of two, and so on up to `MOST_SOURCES`.

    Parameters
    ----------
    bins : Bins
        With some weight.
    table : Steering

    Yields
    ------
    Mixture

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
    >>> [len(mixture.paths) for mixture in fit_mixtures(bins, table)]
    [1, 2, 3]
    """
    evidence = _BinDensities(bins, table)
    paths: list[np.ndarray] = []
    for _ in range(MOST_SOURCES):
        candidates = [_with_another(evidence, paths, *start) for start in _STARTS]
        best = max(candidates, key=lambda mixture: mixture.gain)
        best = _identified(evidence, best)
        paths = list(best.paths)
        yield best


def _with_another(
    evidence: _BinDensities, known: list[np.ndarray], share: float, stiff: float
) -> Mixture:
    """Add one path where the known ones explain least, then improve all in turn."""
    rest = np.ones(evidence.band.shape, np.float32)
    if known:
        along = _along(evidence, known)
        rest = (along * evidence.shares(along, None)[:, evidence.band]).sum(0)
    score = evidence.score(np.full_like(rest, 1.0 - share), share / rest)
    every = _KNOT_FRAMES if known else _ALONE_KNOT_FRAMES
    paths = [*known, best_path(score, _PRICE * stiff, every)[0]]
    shares, gain = None, -np.inf
    paid = [0.0] * len(paths)
    for _ in range(_ROUNDS if known else 1):
        for j in range(len(paths)):
            along = _along(evidence, paths)
            shares = evidence.shares(along, shares)
            spread = shares[:, evidence.band]
            others = (along * spread).sum(0) - along[j + 1] * spread[j + 1]
            score = evidence.score(others + 1e-6, spread[j + 1])
            paths[j], paid[j] = best_path(score, _PRICE, every)
        before = gain
        shares, gain = _explained(evidence, paths, shares)
        gain -= sum(paid)
        if gain - before < _ENOUGH:
            break
    return Mixture(np.stack(paths), shares, gain / evidence.total)


def _along(evidence: _BinDensities, paths: list[np.ndarray]) -> np.ndarray:
    anywhere = np.ones(evidence.band.shape, np.float32)
    return np.stack([anywhere, *(evidence.along(path) for path in paths)])


def _explained(
    evidence: _BinDensities, paths: list[np.ndarray], start: np.ndarray | None
) -> tuple[np.ndarray, float]:
    """Return the best shares for given paths, and the log likelihood."""
    along = _along(evidence, paths)
    shares = evidence.shares(along, start)
    likely = (along * shares[:, evidence.band]).sum(0)
    return shares, float((evidence.weight * np.log(likely)).sum())


def _identified(evidence: _BinDensities, mixture: Mixture) -> Mixture:
    """Swap two sources after they meet wherever their spectra then fit better."""
    paths, shares = list(mixture.paths), mixture.shares
    _, best = _explained(evidence, paths, None)
    for one, two in combinations(range(len(paths)), 2):
        for frame in meetings(paths[one], paths[two]):
            other = list(paths)
            other[one], other[two] = swapped(paths[one], paths[two], frame)
            other_shares, gain = _explained(evidence, other, None)
            if gain > best:
                paths, shares, best = other, other_shares, gain
    return Mixture(np.stack(paths), shares, mixture.gain)


def ownership(bins: Bins, table: Steering, mixture: Mixture) -> np.ndarray:
    """Return to which source each bin belongs.

    Parameters
    ----------
    bins : Bins
    table : Steering
    mixture : Mixture

    Returns
    -------
    ndarray [1 + sources, frames, bands]
        Probability that the bin is diffuse, and from each source; they add up to 1.

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
    >>> owned = ownership(bins, table, next(fit_mixtures(bins, table)))
    >>> owned.shape[:2], bool(np.allclose(owned.sum(0), 1.0))
    ((2, 10), True)
    """
    frames, bands = bins.weight.shape
    owned = np.empty((len(mixture.shares), frames, bands), np.float32)
    for begin in range(0, frames, _BLOCK):
        stop = min(begin + _BLOCK, frames)
        density = densities(bins, table, begin, stop)
        owned[0, begin:stop] = 1.0
        for k, path in enumerate(mixture.paths):
            index = np.broadcast_to(path[begin:stop, None, None], (stop - begin, bands, 1))
            owned[k + 1, begin:stop] = np.take_along_axis(density, index, 2)[..., 0]
    owned *= mixture.shares[:, None, :].astype(np.float32)
    return owned / owned.sum(0)
