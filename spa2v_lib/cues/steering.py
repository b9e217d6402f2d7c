"""The likelihood of directions in each time–frequency bin, for every capture format alike."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from spa2v_lib.cues.bins import BIN_HZ, Bins
from spa2v_lib.cues.features import BAND_CENTRES_HZ, LAGS_S
from spa2v_lib.cues.formats import GRID_DEG, CaptureFormat, get_format

__all__ = ["Steering", "densities", "diffuse_coherence", "plane_waves", "steering"]

_LOOKS = 6.0  # how many independent observations a bin is worth
_MISFIT = 0.002  # least share of a point source's power that its grid direction does not explain
_STEP_DEG = 3
_FINE_S = 4e-5  # larger steps of delay than this need finer directions
_NARROW_DEG, _WIDE_DEG, _WIDE_SHARE = 4.0, 12.0, 0.3  # how a room spreads the bins of one source


@dataclass(frozen=True)
class Steering:
    """What a plane wave from each direction makes of a bin.

    Attributes
    ----------
    azimuth_deg : ndarray [directions]
    left, right, real, imaginary : ndarray [bands, fine directions]
        Weights of the bin's powers and cross-power in the whitened power along a direction.
    most : ndarray [bands, 1]
        Largest share of a bin's power that a direction can explain: high bands of spaced pairs
        change their phase from one grid direction to the next.
    diffuse : ndarray [bands]
        Coherence of the channels in a diffuse field.
    spread : ndarray [fine directions, directions]
        How bins of a source in one direction lie around it; columns add up to 1. Widely spaced
        pairs need finer directions than paths do.
    spaced : bool
        Whether direction changes the channels' delay.

    Examples
    --------
    >>> steering("xy").azimuth_deg[[0, -1]]
    array([-90.,  90.])
    """

    azimuth_deg: np.ndarray
    left: np.ndarray
    right: np.ndarray
    real: np.ndarray
    imaginary: np.ndarray
    most: np.ndarray
    diffuse: np.ndarray
    spread: np.ndarray
    spaced: bool

    def share(self, bins: Bins, begin: int, stop: int) -> np.ndarray:
        """Return how much of each bin comes from each fine direction, in [0, 1]."""
        left, right, cross = (part[begin:stop] for part in (bins.left, bins.right, bins.cross))
        along = left[..., None] * self.left + right[..., None] * self.right
        along += cross.real[..., None] * self.real + cross.imag[..., None] * self.imaginary
        whole = (left + right - 2.0 * self.diffuse * cross.real) / (1.0 - self.diffuse**2)
        return along / (whole + 1e-20)[..., None]


@lru_cache(maxsize=8)
def steering(capture: str, spacing_m: float | None = None) -> Steering:
    """Return the tables of a capture format, a key of `FORMATS`.

    Parameters
    ----------
    capture : str
        A key of `spa2v_lib.cues.formats.FORMATS`.
    spacing_m : float, optional
        As in `spa2v_lib.cues.formats.get_format`.

    Returns
    -------
    Steering

    See Also
    --------
    densities : What it says of bins.

    Examples
    --------
    >>> steering("ab").spaced, steering("xy").spaced
    (True, False)
    """
    item = get_format(capture, spacing_m)
    change = np.gradient(item.pan_deg) + np.abs(np.gradient(item.delay_s)) * 1e6
    widest = np.abs(GRID_DEG[change > 1e-3]).max() + 0.5
    pick = np.arange(0, len(GRID_DEG), _STEP_DEG)
    pick = pick[np.abs(GRID_DEG[pick]) <= widest]
    fine = pick
    if np.abs(np.diff(item.delay_s[pick])).max() > _FINE_S:
        fine = np.arange(pick[0], pick[-1] + 1)
    wave_left, wave_right = plane_waves(item, BIN_HZ)[..., fine]
    rho = diffuse_coherence(item, BIN_HZ)
    scale = 1.0 / (1.0 - rho[:, None] ** 2)
    white_left = (wave_left - rho[:, None] * wave_right) * scale
    white_right = (wave_right - rho[:, None] * wave_left) * scale
    norm = (wave_left.conj() * white_left + wave_right.conj() * white_right).real
    both = 2.0 * white_left.conj() * white_right / norm
    late = np.abs(np.diff(item.delay_s[fine])).max()
    phase = 0.5 * np.pi * BIN_HZ[:, None] * late  # half of what half a step turns
    most = 1.0 - np.maximum(_MISFIT, np.sin(np.minimum(phase, 0.25 * np.pi)) ** 2)
    tables = (
        np.abs(white_left) ** 2 / norm,
        np.abs(white_right) ** 2 / norm,
        both.real,
        -both.imag,
        most,
        rho,
        _spread(GRID_DEG[fine], GRID_DEG[pick]),
    )
    return Steering(GRID_DEG[pick], *(t.astype(np.float32) for t in tables), item.has_delay)


def plane_waves(item: CaptureFormat, hz: np.ndarray) -> np.ndarray:
    """Return what a plane wave from each direction makes of the channels, of unit power together.

    Parameters
    ----------
    item : CaptureFormat
        One of `spa2v_lib.cues.formats.FORMATS`.
    hz : ndarray [bands]
        Above 0.

    Returns
    -------
    ndarray of complex [2, bands, directions]
        Over `GRID_DEG`; the left channel is real.

    Examples
    --------
    >>> import numpy as np
    >>> from spa2v_lib.cues.formats import FORMATS
    >>> waves = plane_waves(FORMATS["ortf"], np.array([500.0]))
    >>> bool(np.allclose((np.abs(waves) ** 2).sum(0), 1.0))
    True
    """
    if item.kernel is None:
        turn = np.exp(2j * np.pi * hz[:, None] * item.delay_s)
    else:
        turn = np.exp(2j * np.pi * hz[:, None] * LAGS_S) @ item.kernel
        turn /= np.abs(turn) + 1e-12
    if item.has_level:
        pan = np.radians(np.broadcast_to(item.pan_deg, turn.shape))
        return np.stack([np.cos(pan) + 0j, np.sin(pan) * turn])
    at, centres = np.log(hz), np.log(BAND_CENTRES_HZ)
    ild = np.stack([np.interp(at, centres, row) for row in item.ild_db], axis=1)
    ratio = 10.0 ** (ild / 20.0)
    left = 1.0 / np.sqrt(1.0 + ratio**2)
    return np.stack([left + 0j, ratio * left * turn])


def diffuse_coherence(item: CaptureFormat, hz: np.ndarray) -> np.ndarray:
    """Return the channels' coherence in a diffuse field, a little less than it is [bands].

    Microphones d apart have sin(kd) / kd; a little noise of their own keeps the whitening from
    resting on a small difference.

    Parameters
    ----------
    item : CaptureFormat
        One of `spa2v_lib.cues.formats.FORMATS`.
    hz : ndarray [bands]
        Above 0.

    Returns
    -------
    ndarray [bands]

    Examples
    --------
    >>> import numpy as np
    >>> from spa2v_lib.cues.formats import FORMATS
    >>> diffuse_coherence(FORMATS["ab"], np.array([50.0, 343.0])).round(2)
    array([0.92, 0.  ])
    """
    if item.has_delay:
        return 0.95 * np.sinc(hz * float(np.ptp(item.delay_s)))
    return np.full(len(hz), 0.97 * item.diffuse_coherence)


def _spread(fine: np.ndarray, coarse: np.ndarray) -> np.ndarray:
    off = fine[:, None] - coarse
    narrow, wide = (np.exp(-0.5 * (off / w) ** 2) for w in (_NARROW_DEG, _WIDE_DEG))
    narrow, wide = narrow / narrow.sum(0), wide / wide.sum(0)
    return (1.0 - _WIDE_SHARE) * narrow + _WIDE_SHARE * wide


def densities(bins: Bins, table: Steering, begin: int, stop: int) -> np.ndarray:
    """Return where each bin may come from: a density over directions, 1 on average.

    With direct power along one direction and a diffuse field, the likelihood of a bin's
    covariance, maximised over both powers, depends on one number only: the share a of its
    whitened power along that direction; n looks give ``(4 a (1 - a))^-n`` over that of a
    diffuse field (Gaussian model: Duong, Vincent, Gribonval, IEEE TASLP 18(7), 2010).

    Parameters
    ----------
    bins : Bins
        Time–frequency bins with their weights.
    table : Steering
        Of the capture format.
    begin, stop : int
        Frames.

    Returns
    -------
    ndarray [frames, bands, directions]

    See Also
    --------
    steering : The table of a format.
    spa2v_lib.cues.mixture.fit_mixtures : Explains them by sources.

    Examples
    --------
    >>> import numpy as np
    >>> from spa2v_lib.audio import Recording
    >>> noise = 0.1 * np.random.default_rng(0).normal(size=16000)
    >>> from spa2v_lib.cues.features import extract_features
    >>> recording = Recording.from_samples(np.stack([0.3 * noise, noise]), 16000)
    >>> features = extract_features(recording, with_bins=True)
    >>> from spa2v_lib.cues.bins import weighted_bins
    >>> active = np.ones(10, bool)
    >>> bins = weighted_bins(features.bins, active)
    >>> from spa2v_lib.cues.steering import steering
    >>> table = steering("xy")
    >>> densities(bins, table, 0, 2).shape == (2, len(BIN_HZ), len(table.azimuth_deg))
    True
    """
    share = np.clip(table.share(bins, begin, stop), 0.5, table.most)
    chance = (4.0 * share * (1.0 - share)) ** -_LOOKS
    chance /= chance.mean(2, keepdims=True)
    return chance @ table.spread
