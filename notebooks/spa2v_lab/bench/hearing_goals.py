"""One number, with its interval, from the values of many scenes.

And the goals of cue extraction, looked up in the rows of its benchmark.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from spa2v_lab.bench.frame import Goal, Interval, Row
from spa2v_lab.bench.hearing_codecs import CODECS
from spa2v_lab.bench.hearing_cost import FACTOR, PEAK
from spa2v_lab.bench.hearing_scenes import ROOMS

__all__ = [
    "KNOWN",
    "STATISTICS",
    "UNKNOWN",
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
    "standing right %": ("standing", "percent"),
    "radial right %": ("radial", "percent"),
    "radial claimed right %": ("radial claimed", "percent"),
    "sure motion right %": ("sure motion", "percent"),
    "shift median °": ("shift", "median"),
    "closest median ms": ("closest", "median"),
    "v/d median %": ("v/d", "median"),
    "speed median %": ("speed", "median"),
    "azimuth coverage %": ("azimuth coverage", "percent"),
    "range coverage %": ("range coverage", "percent"),
    "count coverage %": ("count coverage", "percent"),
    "image median °": ("image", "median"),
    "direction coverage %": ("direction coverage", "percent"),
}
"""Every measure of the table – which values it pools, and how. "Coverage" is the share of true
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


KNOWN = "spa2v, format known"
UNKNOWN = "spa2v, format unknown"
"""The methods of rows that are not baselines."""


def _everywhere(condition: str) -> tuple[str, ...]:
    """Return the condition in every renderer; the first is this project's own."""
    return (condition, f"KEMAR, {condition}", f"pyroomacoustics, {condition}")


def _cells(captures: Sequence[str], rooms: Sequence[str]) -> tuple[str, ...]:
    """Return rows of one source by capture format and room, in every renderer that has them."""
    cells = [f"1 source, 20 dB, {capture}, {room}" for capture in captures for room in rooms]
    head = ["KEMAR, 1 source, 20 dB"] if "binaural" in captures and "anechoic" in rooms else []
    return (*cells, *head, *(f"pyroomacoustics, {cell}" for cell in cells))


def _by_number(suffix: str = "") -> dict[int, tuple[str, ...]]:
    rows = {
        1: _everywhere(f"1 source, 20 dB{suffix}"),
        2: _everywhere(f"2 sources, 20 dB{suffix}"),
        3: _everywhere(f"3 sources, 20 dB{suffix}"),
    }
    if suffix:  # KEMAR stands in the open, so that its rows name no room
        rows = {
            n: (own, kemar.removesuffix(suffix), room) for n, (own, kemar, room) in rows.items()
        }
    return rows


_DELAYS, _LEVELS = ("ortf", "ab", "binaural"), ("panned", "xy", "ms")
_INTERVALS = (
    *_everywhere("1 source, 20 dB"),
    *_everywhere("2 sources, 20 dB"),
    *(f"{codec}, 20 dB" for codec in CODECS),
)

_GOALS: tuple[tuple[str, str, float, str, tuple[str, ...], str], ...] = (
    # name, relation, bound, method, conditions of which the worst counts, measure
    *(
        (f"{what}, azimuth {name}, °", "<=", bound, UNKNOWN, rows, f"azimuth {name} °")
        for what, rows, median, p95 in (
            ("outdoors", _cells(_DELAYS, ROOMS[:1]), 2, 12),
            ("rooms", _cells(_DELAYS, ROOMS[1:]), 5, 25),
        )
        for name, bound in (("median", median), ("p95", p95))
    ),
    (
        "image position median of panned, XY, M/S, °",
        "<=",
        5,
        UNKNOWN,
        _cells(_LEVELS, ROOMS),
        "image median °",
    ),
    ("left, centre or right, %", ">=", 97, KNOWN, _everywhere("1 source, 20 dB"), "side right %"),
    *(
        (f"90 % interval of {what}, %", relation, bound, method, _INTERVALS, f"{what} coverage %")
        for what, method in (("azimuth", UNKNOWN), ("range", UNKNOWN), ("count", UNKNOWN))
        for relation, bound in ((">=", 85), ("<=", 95))
    ),
    *(
        (
            f"number right, {n}{where}, %",
            ">=",
            bound,
            UNKNOWN,
            _by_number(suffix)[n],
            "count right %",
        )
        for where, suffix, bounds in (
            ("", "", (95, 80, 65)),
            (", outdoors", ", anechoic", (99, 95, 80)),
        )
        for n, bound in enumerate(bounds, 1)
    ),
    ("two sources, azimuth median, °", "<=", 5, KNOWN, _by_number()[2], "azimuth median °"),
    ("crossing direction, %", ">=", 99, UNKNOWN, _by_number()[1], "crossing right %"),
    ("standing called standing, %", ">=", 97, UNKNOWN, _by_number()[1], "standing right %"),
    *(
        (name, ">=", bound, UNKNOWN, _by_number()[1], measure)
        for name, bound, measure in (
            ("approach or recession, right of those claimed, %", 95, "radial claimed right %"),
            ("approach or recession, claimed of those true, %", 85, "radial right %"),
            ("motion of confidence 0.9 and more, right, %", 97, "sure motion right %"),
        )
    ),
    (
        "codecs, median shift, °",
        "<=",
        1.5,
        KNOWN,
        tuple(f"{codec}, 20 dB" for codec in CODECS),
        "shift median °",
    ),
    ("1 source, times real time", ">=", 50, "spa2v", ("1 source, 48 kHz, one core",), FACTOR),
    ("3 sources, times real time", ">=", 15, "spa2v", ("3 sources, 48 kHz, one core",), FACTOR),
    ("one hour, peak memory, MB", "<=", 500, "spa2v", ("60 minutes",), PEAK),
)


def goals(rows: list[Row]) -> tuple[list[Goal], list[str]]:
    """Return every goal with its value in the worst row; None where no row has it.

    Parameters
    ----------
    rows : list of Row

    Returns
    -------
    found : list of Goal
    notes : list of str
        Which row is the worst, goal by goal.

    See Also
    --------
    STATISTICS : every measure

    Examples
    --------
    >>> row = Row("spa2v, format known", "1 source, 20 dB", 1, {})
    >>> found, notes = goals([row])
    >>> found[0].met, notes
    (False, [])
    """
    measured = {(row.method, row.condition): row.measures for row in rows}
    found, notes = [], []
    for name, relation, bound, method, conditions, measure in _GOALS:
        values = {
            condition: interval.mean
            for condition in conditions
            for interval in [measured.get((method, condition), {}).get(measure)]
            if interval is not None and interval.mean is not None
        }
        worst = None
        if values:
            pick = max if relation == "<=" else min
            worst = pick(values, key=values.__getitem__)
            if len(conditions) > 1:
                notes.append(f"{name} {relation} {bound}: worst in {worst}")
        found.append(Goal(name, relation, bound, values.get(worst)))
    return found, notes
