"""One number, with its interval, from the values of many scenes.

And the goals of cue extraction, looked up in the rows of its benchmark.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from spa2v_lab.bench.frame import Goal, Interval, Row
from spa2v_lab.bench.hearing_cost import FACTOR, PEAK

__all__ = [
    "STATISTICS",
    "Scores",
    "goals",
    "pooled",
]

Scores = dict[str, np.ndarray]
"""Values of one scene by name, any number of each."""

STATISTICS: dict[str, tuple[str, str]] = {
    "azimuth median °": ("azimuth", "median"),
    "azimuth p95 °": ("azimuth", "p95"),
    "side right %": ("side", "percent"),
    "claimed %": ("claimed", "percent"),
    "count right %": ("count", "percent"),
    "crossing right %": ("crossing", "percent"),
    "false motion %": ("false motion", "percent"),
    "radial right %": ("radial", "percent"),
    "closest median ms": ("closest", "median"),
    "v/d median %": ("v/d", "median"),
    "speed median %": ("speed", "median"),
    "azimuth coverage %": ("azimuth coverage", "percent"),
    "range coverage %": ("range coverage", "percent"),
    "count coverage %": ("count coverage", "percent"),
    "image median °": ("image", "median"),
    "direction coverage %": ("direction coverage", "percent"),
}
"""Every measure of the table: which values it pools, and how. "Coverage" is the share of true
values within the 90 % interval; "claimed", of sounding frames for which a direction is claimed."""

_RESAMPLES = 400


def pooled(scores: Sequence[Scores], name: str, statistic: str, seed: int = 0) -> Interval:
    """Pool one measure over scenes.

    Parameters
    ----------
    scores : sequence of dict
        One a scene.
    name : str
        Of the values.
    statistic : {"median", "p95", "percent"}
    seed : int
        Of the resampling.

    Returns
    -------
    Interval
        The statistic of all values, with the 95 % interval of a bootstrap over scenes; `count` is
        the number of scenes with values.

    See Also
    --------
    spa2v_lab.bench.interval : a mean, one value a scene

    Examples
    --------
    >>> scores = [{"azimuth": np.array([1.0, 2.0])}, {"azimuth": np.array([3.0])}]
    >>> found = pooled(scores, "azimuth", "median")
    >>> found.mean, found.count
    (2.0, 2)
    """
    groups = [s[name] for s in scores if name in s and len(s[name])]
    if not groups:
        return Interval(None, None, None, 0)
    values = np.concatenate(groups)
    group = np.repeat(np.arange(len(groups)), [len(g) for g in groups])
    order = np.argsort(values, kind="stable")
    values, group = values[order], group[order]
    rng = np.random.default_rng(seed)
    even = np.full(len(groups), 1.0 / len(groups))
    counts = rng.multinomial(len(groups), even, size=_RESAMPLES)
    drawn = [_weighted(values, weight[group], statistic) for weight in counts]
    low, high = np.percentile(drawn, [2.5, 97.5])
    mean = _weighted(values, np.ones(len(values)), statistic)
    return Interval(mean, float(low), float(high), len(groups))


def _weighted(values: np.ndarray, weights: np.ndarray, statistic: str) -> float:
    """Return the statistic of rising `values`, each counted `weights` times."""
    if statistic == "percent":
        return float(100.0 * (weights @ values) / weights.sum())
    share = {"median": 0.5, "p95": 0.95}[statistic]
    reached = np.cumsum(weights)
    return float(values[min(np.searchsorted(reached, share * reached[-1]), len(values) - 1)])


_KNOWN = "spa2v, format known"
_UNKNOWN = "spa2v, format unknown"
_ONE = "1 source, 20 dB"
_TWO = "2 sources, 20 dB"
_ALL = "any number, 20 dB"

_GOALS: tuple[tuple[str, str, float, str, str, str], ...] = (
    # name, relation, bound, method, condition, measure
    ("azimuth median, anechoic, °", "<=", 1, _KNOWN, f"{_ONE}, anechoic", "azimuth median °"),
    ("azimuth median, RT60 0.3 s, °", "<=", 3, _KNOWN, f"{_ONE}, RT60 0.3 s", "azimuth median °"),
    ("azimuth median, RT60 0.6 s, °", "<=", 3, _KNOWN, f"{_ONE}, RT60 0.6 s", "azimuth median °"),
    ("azimuth 95th percentile, °", "<=", 10, _KNOWN, _ONE, "azimuth p95 °"),
    *(
        (
            f"azimuth median, format unknown, {capture}, °",
            "<=",
            5,
            _UNKNOWN,
            f"{_ONE}, {capture}",
            "azimuth median °",
        )
        for capture in ("ortf", "ab", "binaural")
    ),
    *(
        (
            f"image position median, format unknown, {capture}, °",
            "<=",
            5,
            _UNKNOWN,
            f"{_ONE}, {capture}",
            "image median °",
        )
        for capture in ("panned", "xy", "ms")
    ),
    *(
        (
            f"interval holds the direction, format unknown, {capture}, %",
            ">=",
            85,
            _UNKNOWN,
            f"{_ONE}, {capture}",
            "direction coverage %",
        )
        for capture in ("panned", "xy", "ms")
    ),
    ("left, centre or right, %", ">=", 98, _KNOWN, _ONE, "side right %"),
    ("two sources, azimuth median, °", "<=", 5, _KNOWN, _TWO, "azimuth median °"),
    ("two sources, count right, %", ">=", 95, _KNOWN, _TWO, "count right %"),
    ("motion direction, %", ">=", 99, _KNOWN, _ONE, "crossing right %"),
    ("false motion on stationary, %", "<=", 2, _KNOWN, _ONE, "false motion %"),
    ("approaching or receding, %", ">=", 98, _KNOWN, _ONE, "radial right %"),
    ("closest approach median, ms", "<=", 50, _KNOWN, _ONE, "closest median ms"),
    ("v/d median error, %", "<=", 5, _KNOWN, _ONE, "v/d median %"),
    ("speed median error, tonal Doppler, %", "<=", 5, _KNOWN, _ONE, "speed median %"),
    *(
        (f"90 % interval of {what} holds the truth, %", relation, bound, _KNOWN, _ALL, measure)
        for what, measure in (
            ("azimuth", "azimuth coverage %"),
            ("range", "range coverage %"),
            ("count", "count coverage %"),
        )
        for relation, bound in ((">=", 85), ("<=", 95))
    ),
    ("1 source, times real time", ">=", 50, "spa2v", "1 source, 48 kHz, one core", FACTOR),
    ("3 sources, times real time", ">=", 10, "spa2v", "3 sources, 48 kHz, one core", FACTOR),
    ("one hour, peak memory, MB", "<=", 600, "spa2v", "60 minutes", PEAK),
)


def goals(rows: list[Row]) -> list[Goal]:
    """Return every goal at 20 dB with its value; None where no row has it.

    See Also
    --------
    STATISTICS : every measure

    Examples
    --------
    >>> row = Row("spa2v, format known", "1 source, 20 dB", 1, {})
    >>> len(goals([row])), goals([row])[0].met
    (31, False)
    """
    found = {(row.method, row.condition): row.measures for row in rows}
    result = []
    for name, relation, bound, method, condition, measure in _GOALS:
        value = found.get((method, condition), {}).get(measure)
        result.append(Goal(name, relation, bound, None if value is None else value.mean))
    return result
