"""Widths of 90 % intervals of azimuth, fitted to errors on scenes whose truth is known.

Hearing reckons an error for every frame from the scatter around it, from how finely the capture
format tells directions there, and from the room's share of the sound. How often that is enough
depends on the format and on the room; the factors here put it right.
"""

from __future__ import annotations

import numpy as np

__all__ = ["DIRECTNESS_NODES", "INTERVAL_SCALES", "interval_scale"]

DIRECTNESS_NODES = (0.4, 0.6, 0.8, 0.95)
"""Shares of direct sound at which factors are kept: from a live room to the open."""

INTERVAL_SCALES: dict[str, tuple[float, ...]] = {
    "panned": (0.46, 1.08, 1.45, 1.19),
    "ortf": (0.52, 0.75, 1.49, 0.97),
    "xy": (0.70, 1.10, 1.46, 0.80),
    "binaural": (1.06, 4.00, 1.76, 1.04),
    "ms": (0.84, 1.79, 1.81, 1.49),
    "ab": (0.47, 0.42, 0.84, 0.58),
    "foa": (0.46, 0.80, 0.72, 1.12),
}
"""Half the interval over the reckoned error, by format and `DIRECTNESS_NODES`: the 90th percentile
of error over reckoned error in the first 700 tuning scenes, as printed by
``python -m spa2v_lib.bench.hearing_calibration``."""


def interval_scale(capture: str, directness: np.ndarray) -> np.ndarray:
    """Return half the 90 % interval over the reckoned error, between the nodes linearly.

    Parameters
    ----------
    capture : str
        A key of `INTERVAL_SCALES`.
    directness : ndarray
        Share of direct sound, in [0, 1].

    Returns
    -------
    ndarray
        Of the same shape.
    """
    return np.interp(directness, DIRECTNESS_NODES, INTERVAL_SCALES[capture])
