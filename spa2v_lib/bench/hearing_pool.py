"""One number, with its interval, from the values of many scenes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from spa2v_lib.bench.frame import Interval

__all__ = ["STATISTICS", "Scores", "pooled"]

Scores = dict[str, np.ndarray]
"""Values of one scene by name, any number of each."""

STATISTICS: dict[str, tuple[str, str]] = {
    "azimuth median °": ("azimuth", "median"),
    "azimuth p95 °": ("azimuth", "p95"),
    "side right %": ("side", "percent"),
    "heard %": ("heard", "percent"),
    "count right %": ("count", "percent"),
    "crossing right %": ("crossing", "percent"),
    "false motion %": ("false motion", "percent"),
    "radial right %": ("radial", "percent"),
    "closest median ms": ("closest", "median"),
    "v/d median %": ("v/d", "median"),
    "speed median %": ("speed", "median"),
    "azimuth held %": ("azimuth held", "percent"),
    "range held %": ("range held", "percent"),
    "count held %": ("count held", "percent"),
    "image median °": ("image", "median"),
    "reading held %": ("reading held", "percent"),
}
"""Every measure of the table: which values it pools, and how. "held" is the share of truths within
the 90 % interval; "heard" the share of sounding frames for which a direction is claimed."""

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
