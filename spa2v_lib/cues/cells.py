"""Time-frequency cells of two channels.

A cell is a cue frame by a narrow band: the covariance of the channels over the frame's short-time
windows. Windows in which the band swells count more than those in which it dies away, because
what arrives first comes straight from the source and the room's answer later.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from spa2v_lib.cues.interaural import WINDOW_STEP_S, joined
from spa2v_lib.cues.types import HOP_S

__all__ = ["CELL_HZ", "CellMeter", "Cells"]


def _edges_hz() -> np.ndarray:
    edges = [100.0]
    while edges[-1] < 8000.0:
        edges.append(edges[-1] + min(max(40.0, 0.1 * edges[-1]), 160.0))
    return np.array(edges)


_EDGES_HZ = _edges_hz()
CELL_HZ = 0.5 * (_EDGES_HZ[1:] + _EDGES_HZ[:-1])
"""Centres of the cells' bands: narrow enough for the phase of a pair 50 cm apart."""

_PER_FRAME = round(HOP_S / WINDOW_STEP_S)
_DECAY = 0.75  # of a band's power that is past, from window to window
_AFTER = 2  # windows until what is past counts against what is new
_INHIBITION, _LEAST = 0.8, 0.05
_DEEP_DB, _RISE_DB = 50.0, 30.0  # cells this far below the loud ones do not count, or half


@dataclass(frozen=True)
class Cells:
    """Cells of one recording, all [frames, bands].

    Attributes
    ----------
    left, right : ndarray
        Power of each channel, swelling windows first.
    cross : ndarray of complex
        Cross-power, left times conjugate right, likewise.
    power : ndarray
        Power of both channels over all windows alike.
    trust : ndarray
        In [0, 1]; small for weak cells and those that only die away.
    """

    left: np.ndarray
    right: np.ndarray
    cross: np.ndarray
    power: np.ndarray
    trust: np.ndarray


class CellMeter:
    """Gathers the cells of a recording from its short-time spectra, as `measure` shows them."""

    def __init__(self) -> None:
        self._past = _Past()
        self._parts: list[tuple[np.ndarray, ...]] = []

    def __call__(self, spectra: np.ndarray, hz: np.ndarray) -> None:
        """Add the next spectra [2, frames, windows a frame, bins]."""
        used = int(np.searchsorted(hz, _EDGES_HZ[-1]))
        bands = _bands(used, float(hz[1] - hz[0]))
        one, two = spectra.reshape(2, -1, spectra.shape[-1])[..., :used]
        left, right = ((s.real**2 + s.imag**2) @ bands for s in (one, two))
        cross = one * two.conj()
        cross = cross.real @ bands + 1j * (cross.imag @ bands)
        swell = self._past.inhibited(left + right)
        total = _by_frame(swell)
        mean = [_by_frame(swell * part) / total for part in (left, right, cross)]
        mean += [_by_frame(left + right) / _PER_FRAME, total / _PER_FRAME]
        self._parts.append(tuple(mean))

    def cells(self, active: np.ndarray, sign: float = 1.0) -> Cells:
        """Return the cells, and forget them.

        Parameters
        ----------
        active : ndarray of bool [frames]
            Where anything sounds; elsewhere no cell is trusted.
        sign : float
            -1 puts an inverted channel right.
        """
        left, right, cross, power, swelling = joined(self._parts)
        level = 10.0 * np.log10(left + right + 1e-14)
        loud = np.percentile(level[active], 99) if active.any() else 0.0
        above = level - (loud - _DEEP_DB)
        trust = np.clip(above / _RISE_DB, 0.0, 1.0) * swelling * active[:, None]
        cross *= sign
        return Cells(left, right, cross, power, trust.astype(np.float32))


@lru_cache(maxsize=4)
def _bands(bins: int, step_hz: float) -> np.ndarray:
    hz = step_hz * np.arange(bins)[:, None]
    return ((hz >= _EDGES_HZ[:-1]) & (hz < _EDGES_HZ[1:])).astype(np.float32)


def _by_frame(values: np.ndarray) -> np.ndarray:
    return values.reshape(-1, _PER_FRAME, values.shape[1]).sum(1)


class _Past:
    """What a room still answers, carried from block to block."""

    def __init__(self) -> None:
        self._before: list[np.ndarray] = []
        self._answer = 0.0

    def inhibited(self, power: np.ndarray) -> np.ndarray:
        """Return the weight of every window [windows, bands]: less where its power is old."""
        weight = np.ones_like(power)
        for k, now in enumerate(power):
            if len(self._before) == _AFTER:
                self._answer = np.maximum(self._answer * _DECAY, self._before.pop(0))
                old = self._answer / (now + 1e-20)
                weight[k] = np.clip(1.0 - _INHIBITION * old, _LEAST, 1.0)
            self._before.append(now)
        return weight
