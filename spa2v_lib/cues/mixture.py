"""How many sources there are, where each goes, and which cells are whose.

Every time-frequency cell gives a density over directions. A mixture explains all of them: each
source is a path of directions and, in every band, a share of the cells; the rest come from
anywhere. Shares and paths are found in turn (EM); a band's shares hold a source's spectrum, which
keeps identity through silence and crossings. After Mandel, Weiss and Ellis, "Model-based
expectation-maximization source separation and localization", IEEE TASLP 18(2), 2010, whose
sources stand still.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from spa2v_lib.cues.cells import Cells
from spa2v_lib.cues.steering import Steering, densities
from spa2v_lib.cues.tracks import best_path, meetings, swapped

__all__ = ["MOST_SOURCES", "Mixture", "fit_mixtures", "ownership"]

MOST_SOURCES = 3
_BLOCK = 128  # frames
_KEPT = 40  # cells of a frame that count: its most trusted
_MOST_VALUES = 2.5e7  # of densities that are held; of long recordings, fewer cells of a frame
_PRICE = 0.4  # of one grid step of a path, in nats
_KNOT_FRAMES, _ALONE_KNOT_FRAMES = 8, 4  # a source alone is followed more closely
_STARTS = ((0.25, 1.0), (0.25, 10.0), (0.05, 10.0))  # share of a further source, times the price
_PRIOR_CELLS = 10.0  # cells' worth of trust in a band's shares being those of all bands
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
        Of cells from anywhere, then of each source's; they add up to 1 in every band.
    gain : float
        Mean log likelihood of a cell over that of directions being arbitrary, in nats, less what
        the paths' changes cost.
    """

    paths: np.ndarray
    shares: np.ndarray
    gain: float


class _Evidence:
    """The trusted cells of a recording: densities [frames, kept, directions] and their bands."""

    def __init__(self, cells: Cells, table: Steering) -> None:
        frames, bands = cells.trust.shape
        kept = int(np.clip(_MOST_VALUES / (frames * len(table.azimuth_deg)), 8, _KEPT))
        self.bands = bands
        order = np.argsort(-cells.trust, axis=1, kind="stable")
        self.band = order[:, :kept].astype(np.int16)
        self.trust = np.take_along_axis(cells.trust, self.band, 1)
        self.density = np.empty((frames, kept, len(table.azimuth_deg)), np.float16)
        for begin in range(0, frames, _BLOCK):
            stop = min(begin + _BLOCK, frames)
            index = self.band[begin:stop, :, None]
            self.density[begin:stop] = np.take_along_axis(
                densities(cells, table, begin, stop), index, 1
            )
        self.total = float(self.trust.sum())

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
            Share of its cells.
        """
        out = np.empty((len(rest), self.density.shape[2]), np.float32)
        rest, share = rest.astype(np.float32), share.astype(np.float32)
        for begin in range(0, len(rest), _BLOCK):
            part = slice(begin, begin + _BLOCK)
            likely = self.density[part] * share[part, :, None] + rest[part, :, None]
            out[part] = (self.trust[part, :, None] * np.log(likely)).sum(1)
        return out

    def shares(self, along: np.ndarray, start: np.ndarray | None) -> np.ndarray:
        """Return the shares [1 + sources, bands] that explain cells best, by EM.

        Parameters
        ----------
        along : ndarray [1 + sources, frames, kept]
            Densities along all paths; the first of cells from anywhere.
        start : ndarray [1 + sources, bands] or None
        """
        shares = start
        if shares is None:
            shares = np.full((len(along), self.bands), 1.0 / len(along))
        flat = self.band.ravel()
        trusted = np.bincount(flat, self.trust.ravel(), self.bands)
        for _ in range(_EM_STEPS):
            part = along * shares[:, self.band].astype(np.float32)
            part *= self.trust / part.sum(0)
            overall = part.sum((1, 2))[:, None] / self.total
            own = np.stack([np.bincount(flat, p.ravel(), self.bands) for p in part])
            shares = (own + _PRIOR_CELLS * overall) / (trusted + _PRIOR_CELLS)
        return shares


def fit_mixtures(cells: Cells, table: Steering) -> Iterator[Mixture]:
    """Yield the best mixtures of one source, of two, and so on up to `MOST_SOURCES`.

    Parameters
    ----------
    cells : Cells
        With some trust.
    table : Steering
    """
    evidence = _Evidence(cells, table)
    paths: list[np.ndarray] = []
    for _ in range(MOST_SOURCES):
        found = [_with_another(evidence, paths, *start) for start in _STARTS]
        best = max(found, key=lambda mixture: mixture.gain)
        best = _identified(evidence, best)
        paths = list(best.paths)
        yield best


def _with_another(
    evidence: _Evidence, known: list[np.ndarray], share: float, stiff: float
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


def _along(evidence: _Evidence, paths: list[np.ndarray]) -> np.ndarray:
    anywhere = np.ones(evidence.band.shape, np.float32)
    return np.stack([anywhere, *(evidence.along(path) for path in paths)])


def _explained(
    evidence: _Evidence, paths: list[np.ndarray], start: np.ndarray | None
) -> tuple[np.ndarray, float]:
    """Return the best shares for given paths, and the log likelihood."""
    along = _along(evidence, paths)
    shares = evidence.shares(along, start)
    likely = (along * shares[:, evidence.band]).sum(0)
    return shares, float((evidence.trust * np.log(likely)).sum())


def _identified(evidence: _Evidence, mixture: Mixture) -> Mixture:
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


def ownership(cells: Cells, table: Steering, mixture: Mixture) -> np.ndarray:
    """Return which cells are whose.

    Returns
    -------
    ndarray [1 + sources, frames, bands]
        Probability that the cell comes from anywhere, and from each source; they add up to 1.
    """
    frames, bands = cells.trust.shape
    owned = np.empty((len(mixture.shares), frames, bands), np.float32)
    for begin in range(0, frames, _BLOCK):
        stop = min(begin + _BLOCK, frames)
        density = densities(cells, table, begin, stop)
        owned[0, begin:stop] = 1.0
        for k, path in enumerate(mixture.paths):
            index = np.broadcast_to(path[begin:stop, None, None], (stop - begin, bands, 1))
            owned[k + 1, begin:stop] = np.take_along_axis(density, index, 2)[..., 0]
    owned *= mixture.shares[:, None, :].astype(np.float32)
    return owned / owned.sum(0)
