"""Tracks over time: smoothing by local lines, and the best path through a map of directions."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

__all__ = [
    "best_path",
    "hold",
    "local_lines",
    "mean_near",
    "meetings",
    "percentile_envelope",
    "swapped",
    "weighted_quantile",
]

_HALF_WIDTHS = (2, 4, 8, 16, 32)  # frames


def local_lines(values: np.ndarray, weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Smooth a track by local straight lines, robustly, with leave-one-out width.

    Lines rather than means keep a sweep unbiased; of the widths tried, the one that predicts left
    out frames best is used, so a resting source is averaged long and a passing one briefly.

    Parameters
    ----------
    values, weight : ndarray [frames]
        Frames of weight 0 are ignored and bridged.

    Returns
    -------
    smooth, error : ndarray [frames]
        The track and its standard error from the spread of the values around it.

    See Also
    --------
    mean_near : A plain mean around each frame.

    Notes
    -----
    Cleveland, "Robust locally weighted regression and smoothing scatterplots", JASA 74, 1979.

    Examples
    --------
    >>> import numpy as np
    >>> smooth, error = local_lines(np.arange(20.0), np.ones(20))
    >>> smooth[:3].round(2), bool(error.max() < 0.01)
    (array([0.67, 1.47, 2.32]), False)
    """
    known = weight > 0.0
    if known.sum() < 4:
        middle = np.average(values[known], weights=weight[known]) if known.any() else np.nan
        spread = np.ptp(values[known]) if known.sum() > 1 else 0.0
        return np.full(len(values), middle), np.full(len(values), spread)
    data = np.where(known, values, 0.0)
    best = min(
        (_fit(data, weight, half) for half in _HALF_WIDTHS if half <= max(2, known.sum())),
        key=lambda fit: fit[0],
    )
    return best[1], best[2]


def _fit(data: np.ndarray, weight: np.ndarray, half: int) -> tuple[float, np.ndarray, np.ndarray]:
    """Return the left-out misfit, the smooth track and its standard error."""
    offset = np.arange(-half, half + 1) / (half + 1.0)
    kernel = (1.0 - np.abs(offset) ** 3) ** 3
    robust = weight.copy()
    for _ in range(3):
        smooth, leverage, variance = _lines(data, robust, weight, kernel, offset)
        residual = data - smooth
        scale = 1.4826 * weighted_quantile(np.abs(residual)[weight > 0], weight[weight > 0], 0.5)
        robust = weight / np.maximum(1.0, np.abs(residual) / (2.0 * scale + 1e-3)) ** 2
    left_out = np.abs(residual) / np.maximum(1.0 - leverage, 0.05)
    misfit = float((np.minimum(left_out, 30.0) * weight).sum() / weight.sum())
    return misfit, smooth, np.sqrt(variance)


def _lines(
    data: np.ndarray,
    robust: np.ndarray,
    weight: np.ndarray,
    kernel: np.ndarray,
    offset: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Fit a line around every frame; return its value, the frame's leverage and the variance."""

    def near(signal: np.ndarray, taps: np.ndarray) -> np.ndarray:
        full = np.convolve(signal, taps[::-1])
        half = len(taps) // 2
        return full[half : half + len(signal)]

    w0, w1, w2 = (near(robust, kernel * offset**k) for k in range(3))
    y0, y1 = (near(robust * data, kernel * offset**k) for k in range(2))
    # a trace of ridge on the slope: where frames lie on one side only, or there is one, use means
    slope_room = w2 - w1**2 / (w0 + 1e-12) + 1e-2 * w0 + 1e-12
    slope = (y1 - y0 * w1 / (w0 + 1e-12)) / slope_room
    value = (y0 - slope * w1) / (w0 + 1e-12)
    silent = weight <= 0.0
    value = hold(np.where(silent, np.nan, value))
    leverage = kernel[len(kernel) // 2] * robust * (w2 + 1e-2 * w0) / (w0 * slope_room + 1e-12)
    # the line's own misfit inside the window, per effective frame (neighbours overlap by half)
    square = near(weight * (data - value) ** 2, kernel)
    total = near(weight, kernel)
    count = total**2 / (near(weight**2, kernel**2) + 1e-12) / 2.0
    variance = square / (total + 1e-12) / np.maximum(count, 0.5)
    return value, np.clip(leverage, 0.0, 1.0), hold(np.where(silent, np.nan, variance))


def hold(values: np.ndarray) -> np.ndarray:
    """Fill gaps (NaN) by a straight line between their ends, and the ends by holding [frames].

    Parameters
    ----------
    values : ndarray [frames]
        NaN where nothing is known.

    Returns
    -------
    ndarray [frames]
        Zeros where nothing is known.

    Examples
    --------
    >>> import numpy as np
    >>> hold(np.array([np.nan, 1.0, np.nan, 3.0]))
    array([1., 1., 2., 3.])
    """
    known = np.flatnonzero(np.isfinite(values))
    if len(known) == 0:
        return np.zeros_like(values)
    return np.interp(np.arange(len(values)), known, values[known])


def weighted_quantile(values: np.ndarray, weight: np.ndarray, share: float) -> float:
    """Return the value below which `share` of the weight lies.

    Parameters
    ----------
    values, weight : ndarray [n]
        Real numbers, and how much each counts, at least 0.
    share : float
        In [0, 1].

    Returns
    -------
    float

    Examples
    --------
    >>> import numpy as np
    >>> weighted_quantile(np.array([1.0, 2.0, 3.0]), np.array([1.0, 1.0, 9.0]), 0.5)
    3.0
    """
    order = np.argsort(values)
    mass = np.cumsum(weight[order])
    return float(values[order][np.searchsorted(mass, share * mass[-1]).clip(0, len(order) - 1)])


def percentile_envelope(values: np.ndarray, half: int, percent: float) -> np.ndarray:
    """Return the running percentile over ``2 half + 1`` frames, NaN ignored [frames].

    Parameters
    ----------
    values : ndarray [frames]
        NaN where nothing is known.
    half : int
        At least 0.
    percent : float
        From 0 to 100.

    Returns
    -------
    ndarray [frames]

    Examples
    --------
    >>> import numpy as np
    >>> percentile_envelope(np.array([0.0, 9.0, 0.0, 0.0]), 1, 100.0)
    array([9., 9., 9., 0.])
    """
    padded = np.pad(values, half, constant_values=np.nan)
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * half + 1)
    known = np.isfinite(windows).any(1)
    out = np.full(len(values), np.nan)
    out[known] = np.nanpercentile(windows[known], percent, axis=1)
    return hold(out)


def mean_near(values: np.ndarray, weight: np.ndarray, half: int = 8) -> np.ndarray:
    """Return the weighted mean over ``2 half + 1`` frames around every frame [frames].

    Parameters
    ----------
    values, weight : ndarray [frames]
        Real numbers, and how much each counts, at least 0.
    half : int
        At least 1.

    Returns
    -------
    ndarray [frames]
        Held where no weight is near.

    See Also
    --------
    local_lines : Follows a change without lagging.

    Examples
    --------
    >>> import numpy as np
    >>> mean_near(np.array([0.0, 3.0, 6.0]), np.ones(3), half=1)
    array([1.5, 3. , 4.5])
    """
    taps = np.ones(2 * half + 1)
    total = np.convolve(weight, taps)[half:-half]
    mean = np.convolve(weight * values, taps)[half:-half] / np.maximum(total, 1e-12)
    return hold(np.where(total > 1e-9, mean, np.nan))


_REACH = 25  # grid steps from knot to knot
_NEAR = 3  # grid steps within which two sources meet


def best_path(score: np.ndarray, price: float, every: int) -> tuple[np.ndarray, float]:
    """Return the path of the largest sum of scores, straight between its knots.

    Dynamic programming over the knots; every grid step of change costs `price`. Few knots keep a
    path from wandering off to what is active elsewhere for a moment.

    Parameters
    ----------
    score : ndarray [frames, directions]
        Log likelihood of each direction.
    price : float
        Of one grid step of the path, at least 0, in the unit of the score.
    every : int
        Frames from knot to knot.

    Returns
    -------
    path : ndarray of int [frames]
        Grid directions.
    paid : float
        What its changes cost.

    Examples
    --------
    >>> import numpy as np
    >>> score = -np.abs(np.arange(30) - np.linspace(5, 20, 16)[:, None])
    >>> path, paid = best_path(score, price=0.1, every=4)
    >>> path[[0, -1]]
    array([ 5, 20])
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
    """Return the grid directions on the straight lines between all pairs [frames, from, to]."""
    part = np.arange(every)[:, None, None] / every
    grid = np.arange(states)
    return np.round(grid[:, None] * (1.0 - part) + grid * part).astype(int)


def meetings(one: np.ndarray, two: np.ndarray) -> list[int]:
    """Return the frames at which two paths are closest, one for each time they meet.

    Parameters
    ----------
    one, two : ndarray of int [frames]
        Grid directions.

    Returns
    -------
    list of int

    Examples
    --------
    >>> import numpy as np
    >>> meetings(np.arange(21), np.arange(20, -1, -1))
    [10]
    """
    near = np.abs(one - two) <= _NEAR
    edges = np.flatnonzero(np.diff(np.concatenate([[False], near, [False]]).astype(int)))
    frames = []
    for begin, stop in zip(edges[::2], edges[1::2], strict=True):
        if begin > 0 and stop < len(near):
            gap = np.abs(one[begin:stop] - two[begin:stop])
            frames.append(int(begin + np.median(np.flatnonzero(gap == gap.min()))))
    return frames


def swapped(one: np.ndarray, two: np.ndarray, frame: int) -> tuple[np.ndarray, np.ndarray]:
    """Return both paths, each going on as the other from `frame` on.

    Parameters
    ----------
    one, two : ndarray [frames]
        Directions of two sources.
    frame : int
        Of the meeting, from 0.

    Returns
    -------
    tuple of ndarray [frames]

    Examples
    --------
    >>> import numpy as np
    >>> swapped(np.array([1, 1, 1]), np.array([2, 2, 2]), 1)
    (array([1, 2, 2]), array([2, 1, 1]))
    """
    return (
        np.concatenate([one[:frame], two[frame:]]),
        np.concatenate([two[:frame], one[frame:]]),
    )
