"""How many sources there are, where each one goes, and which bins belong to it.

Every time–frequency bin gives a density over directions. A mixture explains all of them: each
source is a path of directions and, in every band, a share of the bins; the rest is diffuse. Shares
and paths are estimated in turn (EM); a band's shares represent a source's spectrum, which keeps
identity through silence and crossings. After Mandel, Weiss and Ellis, "Model-based
expectation-maximization source separation and localization", IEEE TASLP 18(2), 2010, whose sources
are stationary.

In a room every narrow band shifts the apparent direction of a source by its own amount, as long as
the source lasts. A further source is therefore not accepted for explaining more bins, but for
explaining bands better than the known sources do when each band may shift them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations, islice, pairwise

import numpy as np

from spa2v_lib.cues.bins import Bins
from spa2v_lib.cues.steering import Steering, densities
from spa2v_lib.cues.tracking import best_path, meetings, swapped

__all__ = [
    "MOST_SOURCES",
    "SourceCount",
    "Mixture",
    "added_evidence",
    "count_sources",
    "fit_mixtures",
    "ownership",
]

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

    Returns
    -------
    ndarray [1 + sources, frames, bands]
        Probability that the bin is diffuse, and from each source; they add up to 1.
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


_BLOCK_COUNT = 128  # frames
_FAR = 15  # grid steps that a band may shift a known source
_NEAR_COUNT = (-4, -2, 0, 2, 4)  # and the sources of the larger mixture
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

    Returns
    -------
    float
        Log likelihood in nats, summed over those bands.
    """
    few = [(smaller.paths, smaller.shares), *_less_one(larger)]
    far = np.arange(-_FAR, _FAR + 1)
    explained = _explained_count(bins, table, [*few, (larger.paths, larger.shares)], far)
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


def _explained_count(
    bins: Bins,
    table: Steering,
    models: list[tuple[np.ndarray, np.ndarray]],
    far: np.ndarray,
) -> list[np.ndarray]:
    """Return the log likelihood of every band under each model; the last one shifts little."""
    shifts = [far] * (len(models) - 1) + [np.array(_NEAR_COUNT)]
    step = float(table.azimuth_deg[1] - table.azimuth_deg[0])
    sums = [0.0] * len(models)
    frames = len(bins.weight)
    for begin in range(0, frames, _BLOCK_COUNT):
        stop = min(begin + _BLOCK_COUNT, frames)
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
