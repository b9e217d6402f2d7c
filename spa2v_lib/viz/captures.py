"""Capture formats in numbers: which differences a direction makes, and which directions they name.

Everything comes from the receivers of `spa2v_lib.scenes.receivers`, so that what is drawn is what
simulated recordings contain.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from spa2v_lib.scenes.receivers import CardioidPair, OmniPair, Panned, get_receiver

__all__ = [
    "HEAD_HZ",
    "MOST_DB",
    "NAMES",
    "PAIRS",
    "Differences",
    "differences",
    "lobes",
    "readings",
]

NAMES = {
    "panned": "panned",
    "xy": "XY",
    "ms": "M/S",
    "ortf": "ORTF",
    "ab": "AB",
    "binaural": "binaural",
}
"""The two-channel formats by their written names, in the order in which they are shown."""

PAIRS = tuple(NAMES)

MOST_DB = 30.0
"""Larger level differences are drawn as this one: a cardioid's rear hears nothing at all."""

HEAD_HZ = 2000.0
"""Frequency at which a head's level difference is given where there is room for one only."""

_ALIKE_DB, _ALIKE_S = 0.5, 10e-6


@dataclass(frozen=True)
class Differences:
    """What a plane wave makes of two channels.

    Attributes
    ----------
    ild_db : ndarray
        Right level over left, within ±`MOST_DB`.
    itd_s : ndarray
        Lead of the right channel.
    """

    ild_db: np.ndarray
    itd_s: np.ndarray


def differences(
    capture: str, azimuth_deg: float | Sequence[float], hz: float = HEAD_HZ
) -> Differences:
    """Return the level and time differences that directions make.

    Parameters
    ----------
    capture : str
        One of `PAIRS`.
    azimuth_deg : float or sequence of float [n]
        Any, also behind.
    hz : float
        Where a head's level difference is taken; that of microphones is the same everywhere.

    Returns
    -------
    Differences
        Arrays [n]. A head's delay is that of Woodworth's rays at every frequency.
    """
    azimuth = np.atleast_1d(np.asarray(azimuth_deg, float))
    receiver, level = get_receiver(capture), np.zeros_like(azimuth)
    left, right = np.abs(receiver.gains(azimuth, level))
    shadow = receiver.shadow(azimuth, level)
    if shadow is not None:
        corner = 1j * 2 * np.pi * hz / (2 * receiver.shadow_rad_s)
        left, right = np.abs((1 + shadow * corner) / (1 + corner))
    ild = 20.0 * np.log10(np.maximum(right, 1e-6) / np.maximum(left, 1e-6))
    late_left, late_right = receiver.delays_s(azimuth, level)
    return Differences(np.clip(ild, -MOST_DB, MOST_DB), late_left - late_right)


def readings(
    capture: str, azimuth_deg: float, hz: float = HEAD_HZ
) -> dict[str, list[tuple[float, float]]]:
    """Return every direction, in every format, whose differences are those of this one.

    Parameters
    ----------
    capture : str
        One of `PAIRS`.
    azimuth_deg : float
        In (-180, 180].
    hz : float
        As in `differences`.

    Returns
    -------
    dict of str to list of (float, float)
        First and last azimuth of every range that agrees to half a decibel and to 10 µs, in steps
        of half a degree; by format, without those that have none.
    """
    wanted = differences(capture, azimuth_deg, hz)
    around = np.arange(-179.5, 180.5, 0.5)
    found = {}
    for name in PAIRS:
        there = differences(name, around, hz)
        same = np.flatnonzero(
            (np.abs(there.ild_db - wanted.ild_db) <= _ALIKE_DB)
            & (np.abs(there.itd_s - wanted.itd_s) <= _ALIKE_S)
        )
        if len(same):
            runs = np.split(same, np.flatnonzero(np.diff(same) > 1) + 1)
            found[name] = [(float(around[run[0]]), float(around[run[-1]])) for run in runs]
    return found


def lobes(capture: str) -> list[np.ndarray]:
    """Return outlines of what picks the sound up, seen from above, left channel first.

    Parameters
    ----------
    capture : str
        One of `PAIRS`.

    Returns
    -------
    list of ndarray [n, 2]
        Right and ahead. Of microphones: how strongly each hears every direction, at most 1 from
        its place; spacings are drawn to scale among themselves, 1 for 0.5 m. Of panning: the
        loudspeakers; of a head: its outline (with a nose) and both ears.
    """
    receiver = get_receiver(capture)
    around = np.arange(-180.0, 181.0, 3.0)
    ring = np.column_stack([np.sin(np.radians(around)), np.cos(np.radians(around))])
    if isinstance(receiver, Panned):
        base = np.radians(receiver.base_deg)
        return [0.08 * ring + (side * np.sin(base), np.cos(base)) for side in (-1.0, 1.0)]
    if isinstance(receiver, CardioidPair | OmniPair):
        half = receiver.spacing_m  # 0.5 m is 1, half of it to either side
        gains = receiver.gains(around, np.zeros_like(around))
        return [
            0.8 * gain[:, None] * ring + (side * half, 0.0)
            for gain, side in zip(gains, (-1.0, 1.0), strict=True)
        ]
    head = 0.35 * ring
    head[np.abs(around) <= 6.0] *= 1.2
    return [head, *(0.06 * ring + (side * 0.38, 0.0) for side in (-1.0, 1.0))]
