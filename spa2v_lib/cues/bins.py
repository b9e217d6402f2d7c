"""Time–frequency bins of two channels: the covariance of the channels in a frame and narrow band.

Windows in which a band's level rises count more than those in which it decays, because the direct
sound arrives before the room's response (the precedence effect).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

__all__ = ["BIN_HZ", "Bins", "OnsetWeights", "bin_covariance", "weighted_bins"]


def _bin_edges_hz() -> np.ndarray:
    edges = [100.0]
    while edges[-1] < 8000.0:
        edges.append(edges[-1] + min(max(40.0, 0.1 * edges[-1]), 160.0))
    return np.array(edges)


_BIN_EDGES_HZ = _bin_edges_hz()
BIN_HZ = 0.5 * (_BIN_EDGES_HZ[1:] + _BIN_EDGES_HZ[:-1])
"""Centre frequencies of the time–frequency bins – narrow enough for the phase of a 50 cm pair.

:meta hide-value:
"""

_DECAY = 0.75  # of a band's past power, from window to window
_DELAY_WINDOWS = 2  # until past power counts against the present
_INHIBITION, _LEAST = 0.8, 0.05
_DEEP_DB, _RISE_DB = 50.0, 30.0  # bins this far below the loud ones do not count, or half


@dataclass(frozen=True)
class Bins:
    """Time–frequency bins of one recording: cue frames by narrow bands, all [frames, bins].

    Attributes
    ----------
    left, right : ndarray
        Power of each channel, rising windows first.
    cross : ndarray of complex
        Cross-power, left times conjugate right, likewise.
    power : ndarray
        Power of both channels, all windows alike.
    weight : ndarray
        In [0, 1]: small for bins that only decay and, after `weighted_bins`, for weak ones.

    Examples
    --------
    >>> import numpy as np
    >>> from spa2v_lib.audio import Recording
    >>> noise = 0.1 * np.random.default_rng(0).normal(size=16000)
    >>> from spa2v_lib.cues.features import extract_features
    >>> recording = Recording.from_samples(np.stack([0.3 * noise, noise]), 16000)
    >>> features = extract_features(recording, with_bins=True)
    >>> features.bins.power.shape == (10, len(BIN_HZ))
    True
    """

    left: np.ndarray
    right: np.ndarray
    cross: np.ndarray
    power: np.ndarray
    weight: np.ndarray


def weighted_bins(bins: Bins, active: np.ndarray) -> Bins:
    """Return the bins with weak ones and inactive frames weighted down.

    Parameters
    ----------
    bins : Bins
        From `extract_features`.
    active : ndarray of bool [frames]
        Where any source is active; elsewhere weights are 0.

    Returns
    -------
    Bins

    See Also
    --------
    spa2v_lib.cues.features.extract_features : Measures the bins.
    spa2v_lib.cues.multisource.count_sources : Finds the sources in them.

    Examples
    --------
    >>> import numpy as np
    >>> power = np.array([[1.0, 1e-3, 1e-6]])
    >>> bins = Bins(power, power, power + 0j, 2 * power, np.ones((1, 3)))
    >>> weighted_bins(bins, np.array([True])).weight.round(2)
    array([[1.  , 0.69, 0.  ]], dtype=float32)
    """
    level = 10.0 * np.log10(bins.left + bins.right + 1e-14)
    loud = np.percentile(level[active], 99) if active.any() else 0.0
    above = level - (loud - _DEEP_DB)
    weight = np.clip(above / _RISE_DB, 0.0, 1.0) * bins.weight * active[:, None]
    return replace(bins, weight=weight.astype(np.float32))


class OnsetWeights:
    """Weights of windows after the precedence effect; the past is kept from block to block.

    Examples
    --------
    >>> import numpy as np
    >>> click = np.array([[1.0], [0.5], [0.1], [0.05]])
    >>> OnsetWeights().next(click).round(2).ravel()
    array([1.  , 1.  , 0.05, 0.05])
    """

    def __init__(self) -> None:
        self._recent: list[np.ndarray] = []
        self._past = 0.0

    def next(self, power: np.ndarray) -> np.ndarray:
        """Return weights [windows, bins]: lower where the power may be the room's response."""
        weight = np.ones_like(power)
        for k, now in enumerate(power):
            if len(self._recent) == _DELAY_WINDOWS:
                self._past = np.maximum(self._past * _DECAY, self._recent.pop(0))
                old = self._past / (now + 1e-20)
                weight[k] = np.clip(1.0 - _INHIBITION * old, _LEAST, 1.0)
            self._recent.append(now)
        return weight


def bin_covariance(
    spectra: np.ndarray, hz: np.ndarray, onsets: OnsetWeights
) -> tuple[np.ndarray, ...]:
    """Return the columns of `Bins` for the next spectra.

    Parameters
    ----------
    spectra : ndarray of complex [2, frames, windows a frame, frequencies]
        Short-time spectra of left and right.
    hz : ndarray [frequencies]
        Evenly spaced from 0.
    onsets : OnsetWeights
        Has seen the spectra before these.

    Returns
    -------
    tuple of ndarray [frames, bins]
        left, right, cross, power and weight.

    Examples
    --------
    >>> import numpy as np
    >>> hz = np.arange(0.0, 8000.0, 20.0)
    >>> flat = np.ones((2, 3, 4, len(hz)), complex)
    >>> left, right, cross, power, weight = bin_covariance(flat, hz, OnsetWeights())
    >>> left.shape == (3, len(BIN_HZ)) and bool((left == right).all())
    True
    """
    windows, used = spectra.shape[2], int(np.searchsorted(hz, _BIN_EDGES_HZ[-1]))
    members = _bin_members(used, float(hz[1] - hz[0]))
    one, two = spectra.reshape(2, -1, spectra.shape[-1])[..., :used]
    left, right = ((s.real**2 + s.imag**2) @ members for s in (one, two))
    cross = one * two.conj()
    cross = cross.real @ members + 1j * (cross.imag @ members)
    weight = onsets.next(left + right)
    total = _by_frame(weight, windows)
    mean = [_by_frame(weight * part, windows) / total for part in (left, right, cross)]
    return *mean, _by_frame(left + right, windows) / windows, total / windows


@lru_cache(maxsize=4)
def _bin_members(frequencies: int, step_hz: float) -> np.ndarray:
    hz = step_hz * np.arange(frequencies)[:, None]
    return ((hz >= _BIN_EDGES_HZ[:-1]) & (hz < _BIN_EDGES_HZ[1:])).astype(np.float32)


def _by_frame(values: np.ndarray, windows: int) -> np.ndarray:
    return values.reshape(-1, windows, values.shape[1]).sum(1)
