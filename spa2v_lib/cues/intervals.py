"""From the estimated error of a direction to its 90 % interval.

How often an estimated error is enough depends on capture format and room; factors that were fitted
to scenes with ground truth calibrate it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache

import numpy as np

from spa2v_lib.resources import resource

__all__ = ["DIRECTNESS_NODES", "half_interval", "interval_scales"]

DIRECTNESS_NODES = (0.4, 0.6, 0.8, 0.95)
"""Shares of direct sound at which factors are kept – from a live room to the free field."""

_HEADS_DIFFER = 0.12  # of the azimuth, for nine heads in ten: from one another and from a sphere


@cache
def interval_scales() -> dict[str, tuple[float, ...]]:
    """Return half the interval over the estimated error, by format, at `DIRECTNESS_NODES`.

    The 90th percentile of error over estimated error in tuning scenes of several renderers, as
    ``python -m spa2v_lab.bench.hearing_calibration`` fits it; the model card beside the file says
    how well it holds.

    See Also
    --------
    half_interval : Applies them.

    Examples
    --------
    >>> len(interval_scales()["xy"]) == len(DIRECTNESS_NODES)
    True
    """
    text = resource("models", "intervals", "scales.json").read_text(encoding="utf-8")
    return {name: tuple(row) for name, row in json.loads(text)["scales"].items()}


def half_interval(
    capture: str,
    spread_deg: np.ndarray,
    directness: np.ndarray,
    azimuth_deg: np.ndarray,
    scales: Sequence[float] | None = None,
) -> np.ndarray:
    """Return half the 90 % interval in degrees, between the nodes linearly.

    Parameters
    ----------
    capture : str
        A key of `interval_scales`.
    spread_deg, directness, azimuth_deg : ndarray, any one shape
        Estimated error, share of direct sound, in [0, 1], and direction.
    scales : sequence of float, optional
        Factors at `DIRECTNESS_NODES` instead of those of `interval_scales`.

    Returns
    -------
    ndarray
        Of the same shape.

    See Also
    --------
    spa2v_lib.cues.localization.track_azimuth : Estimates the errors.

    Examples
    --------
    >>> one = np.ones(2)
    >>> half_interval("xy", one, np.array([0.4, 0.5]), 0.0 * one, (1.0, 2.0, 2.0, 1.0))
    array([1. , 1.5])
    """
    factors = interval_scales()[capture] if scales is None else scales
    half = spread_deg * np.interp(directness, DIRECTNESS_NODES, factors)
    return np.hypot(half, _HEADS_DIFFER * azimuth_deg) if capture == "binaural" else half
