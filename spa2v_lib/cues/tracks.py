"""Paths of directions over time: the best one through a map, and who is who where two cross."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

__all__ = ["best_path", "meetings", "swapped"]

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
