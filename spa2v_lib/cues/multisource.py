"""Paths of directions over time: the best one through a map, and who is who where two cross.

How many sources there are, where each goes, and which cells are whose.

Every time-frequency cell gives a density over directions. A mixture explains all of them: each
source is a path of directions and, in every band, a share of the cells; the rest come from
anywhere. Shares and paths are found in turn (EM); a band's shares hold a source's spectrum, which
keeps identity through silence and crossings. After Mandel, Weiss and Ellis, "Model-based
expectation-maximization source separation and localization", IEEE TASLP 18(2), 2010, whose
sources stand still.

How many sources there are, and how sure that is.

In a room every narrow band shifts the apparent direction of a source by its own amount, as long
as the source sounds there. A further source is therefore not believed for explaining more cells,
but for explaining bands better than the known sources do when each band may shift them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations

import numpy as np

from spa2v_lib.cues.features import Cells
from spa2v_lib.cues.steering import Steering, densities

__all__ = [
    "MOST_SOURCES",
    "Counted",
    "Mixture",
    "added_evidence",
    "best_path",
    "count_sources",
    "fit_mixtures",
    "meetings",
    "ownership",
    "swapped",
]

_REACH = 25  # grid steps from knot to knot
_NEAR = 3  # grid steps within which two sources meet


def best_path(score: np.ndarray, price: float, every: int) -> tuple[np.ndarray, float]:
    """Return the path of the largest sum of scores, straight between its knots.

    Dynamic programming over the knots; every grid step of change costs `price`. Few knots keep a
    path from wandering off to whatever sounds elsewhere for a moment.

    Parameters
    ----------
    score : ndarray [frames, directions]
    price : float
    every : int
        Frames from knot to knot.

    Returns
    -------
    path : ndarray of int [frames]
        Grid directions.
    paid : float
        What its changes cost.
    """
    frames, states = score.shape
    count = -(-frames // every)
    padded = np.pad(score, ((0, count * every - frames), (0, 0)))
    between = _between(states, every)
    step = np.abs(np.arange(states)[:, None] - np.arange(states))
    cost = np.where(step > _REACH, np.inf, price * step)
    total, came = np.zeros(states), np.zeros((count, states), int)
    for k in range(count):
        rows = padded[k * every : (k + 1) * every]
        gained = sum(row[places] for row, places in zip(rows, between, strict=True))
        options = total[:, None] + gained - cost
        came[k] = options.argmax(0)
        total = options.max(0)
    knots = np.empty(count + 1, int)
    knots[-1] = int(total.argmax())
    for k in range(count - 1, -1, -1):
        knots[k] = came[k, knots[k + 1]]
    path = np.interp(np.arange(frames), np.arange(count + 1) * every, knots)
    return np.round(path).astype(int), price * float(np.abs(np.diff(knots)).sum())


@lru_cache(maxsize=4)
def _between(states: int, every: int) -> np.ndarray:
    """Return the grid directions on the straight ways between all pairs [frames, from, to]."""
    part = np.arange(every)[:, None, None] / every
    grid = np.arange(states)
    return np.round(grid[:, None] * (1.0 - part) + grid * part).astype(int)


def meetings(one: np.ndarray, two: np.ndarray) -> list[int]:
    """Return the frames at which two paths are closest, one for each time they meet."""
    near = np.abs(one - two) <= _NEAR
    edges = np.flatnonzero(np.diff(np.concatenate([[False], near, [False]]).astype(int)))
    found = []
    for begin, stop in zip(edges[::2], edges[1::2], strict=True):
        if begin > 0 and stop < len(near):
            gap = np.abs(one[begin:stop] - two[begin:stop])
            found.append(int(begin + np.median(np.flatnonzero(gap == gap.min()))))
    return found


def swapped(one: np.ndarray, two: np.ndarray, frame: int) -> tuple[np.ndarray, np.ndarray]:
    """Return both paths, each going on as the other from `frame` on."""
    return (
        np.concatenate([one[:frame], two[frame:]]),
        np.concatenate([two[:frame], one[frame:]]),
    )


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


_BLOCK_COUNT = 128  # frames
_FAR = 15  # grid steps that a band may shift a known source
_NEAR_COUNT = (-4, -2, 0, 2, 4)  # and the sources of the larger mixture
_NATS_PER_DEG = 0.3  # what a shift costs
_BELIEVED = {2: 0.65, 3: 0.5}  # to split one source does more harm than to miss another
_SURE = 0.05  # what is less probable lies outside the count's interval
_OUTERMOST_DEG = 84.0
_LEAST_GAIN = 0.002

# Log odds of a further source: of ln(evidence), of ln(gain of one source), and a constant;
# logistic regression on simulated scenes.
_ODDS = {2: (1.78, -0.61, -5.83), 3: (1.26, -0.53, -4.34)}


@dataclass(frozen=True)
class Counted:
    """The number of sources that is most probable.

    Attributes
    ----------
    mixture : Mixture
    low, high : int
        90 % interval of the number.
    """

    mixture: Mixture
    low: int
    high: int


def count_sources(cells: Cells, table: Steering) -> Counted:
    """Find the number of sources, from one to three.

    Sources in one direction cannot be told apart, and count as one.

    Parameters
    ----------
    cells : Cells
        With some trust.
    table : Steering
    """
    mixtures = fit_mixtures(cells, table)
    first = best = next(mixtures)
    low, certain = 1, 1.0
    for larger in mixtures:
        chance = _chance_of_another(cells, table, first, best, larger)
        if chance < _BELIEVED[len(larger.paths)]:
            return Counted(best, low, len(best.paths) + int(certain * chance > _SURE))
        certain *= chance
        best = larger
        if 1.0 - certain < _SURE:
            low = len(best.paths)
    return Counted(best, low, len(best.paths))


def _chance_of_another(
    cells: Cells, table: Steering, first: Mixture, smaller: Mixture, larger: Mixture
) -> float:
    if larger.gain - smaller.gain < _LEAST_GAIN or _is_wind(table, larger):
        return 0.0
    evidence = max(added_evidence(cells, table, smaller, larger), 0.3)
    of_evidence, of_gain, constant = _ODDS[len(larger.paths)]
    odds = of_evidence * np.log(evidence) + of_gain * np.log(max(first.gain, 0.03)) + constant
    return float(1.0 / (1.0 + np.exp(-np.clip(odds, -30.0, 30.0))))


def _is_wind(table: Steering, mixture: Mixture) -> bool:
    """Return whether a source keeps to the outermost direction of a spaced pair.

    Wind in one microphone, or its own noise, looks like that.
    """
    outermost = np.abs(table.azimuth_deg)[mixture.paths] >= _OUTERMOST_DEG
    return table.spaced and bool((outermost.mean(1) > 0.5).any())


def added_evidence(cells: Cells, table: Steering, smaller: Mixture, larger: Mixture) -> float:
    """Return how much better the larger mixture explains the bands that it explains better.

    In every band each mixture may shift one of its sources, at a price.

    Returns
    -------
    float
        Log likelihood in nats, summed over those bands.
    """
    few = [(smaller.paths, smaller.shares), *_less_one(larger)]
    far = np.arange(-_FAR, _FAR + 1)
    explained = _explained_count(cells, table, [*few, (larger.paths, larger.shares)], far)
    best = max(explained[:-1], key=lambda bands: float(bands.sum()))
    return float(np.maximum(explained[-1] - best, 0.0).sum())


def _less_one(mixture: Mixture) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return the mixture without each of its sources, whose cells go to the others."""
    out = []
    for k in range(len(mixture.paths)):
        shares = np.delete(mixture.shares, k + 1, axis=0)
        shares[1:] *= 1.0 + mixture.shares[k + 1] / (shares[1:].sum(0) + 1e-9)
        out.append((np.delete(mixture.paths, k, axis=0), shares))
    return out


def _explained_count(
    cells: Cells,
    table: Steering,
    models: list[tuple[np.ndarray, np.ndarray]],
    far: np.ndarray,
) -> list[np.ndarray]:
    """Return the log likelihood of every band under each model; the last one shifts little."""
    shifts = [far] * (len(models) - 1) + [np.array(_NEAR_COUNT)]
    step = float(table.azimuth_deg[1] - table.azimuth_deg[0])
    sums = [0.0] * len(models)
    frames = len(cells.trust)
    for begin in range(0, frames, _BLOCK_COUNT):
        stop = min(begin + _BLOCK_COUNT, frames)
        density = densities(cells, table, begin, stop)
        trust = cells.trust[begin:stop, :, None]
        for m, (paths, shares) in enumerate(models):
            likely = _shifted(density, paths[:, begin:stop], shares, shifts[m])
            sums[m] = sums[m] + (trust * np.log(np.maximum(likely, 1e-6))).sum(1)
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
