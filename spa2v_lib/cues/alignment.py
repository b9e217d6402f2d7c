"""Whether the two channels of a recording belong together in time."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy.ndimage import uniform_filter1d

if TYPE_CHECKING:
    from spa2v_lib.audio.recording import Recording
    from spa2v_lib.cues.features import Features

__all__ = ["Alignment", "channel_alignment", "unlike_channels"]

_DEAD = 1e-6  # of the other channel's power
_UNLIKE = 0.3  # mean peak of the cross-correlation of channels that may not belong together
_COMPARED_S, _BLOCK_S = 60.0, 2.0
_BAND_HZ = (150.0, 4000.0)
_LONGEST_S = 0.5
_PAIR_S = 1.75e-3  # no pair of microphones delays its channels by more
_CLEAR = 4.0  # times the power of the lags that a pair can have
_SIGNIFICANT = 12.0  # times the median power of all lags
_RELATED = 3.0  # times that median has the power of a pair's lags; of two takes it is about 1


class Alignment(NamedTuple):
    """How two channels belong together in time.

    Attributes
    ----------
    lag_s : float
        By how much the left channel leads the right one, if no pair can explain it; else 0.0.
    related : bool
        Whether the channels share any sound.

    Examples
    --------
    >>> Alignment(0.012, True).lag_s
    0.012
    """

    lag_s: float
    related: bool


def unlike_channels(features: Features, active: np.ndarray) -> bool:
    """Return whether the channels have so little in common that they may not be aligned.

    Not where one of them is dead.

    Parameters
    ----------
    features : Features
        Of the whole recording, see `spa2v_lib.cues.features.extract_features`.
    active : ndarray of bool [frames]
        Where any source is active.

    See Also
    --------
    channel_alignment : Finds out why.

    Examples
    --------
    >>> import numpy as np
    >>> from spa2v_lib.audio import Recording
    >>> from spa2v_lib.cues.features import extract_features
    >>> noise = 0.1 * np.random.default_rng(0).normal(size=(2, 16000))
    >>> features = extract_features(Recording.from_samples(noise, 16000))
    >>> unlike_channels(features, np.ones(10, bool))
    True
    """
    left, right = features.left.sum(), features.right.sum()
    if not active.any() or min(left, right) < _DEAD * max(left, right):
        return False
    return bool(np.abs(features.gcc[active]).max(1).mean() < _UNLIKE)


def channel_alignment(recording: Recording) -> Alignment:
    """Find out whether one channel is late, and whether the two share any sound.

    The whitened cross-correlation (PHAT) over the first minute is compared between the lags that a
    pair of microphones can have and all others up to half a second.

    Parameters
    ----------
    recording : Recording
        Of at least two channels, of which the first two are compared.

    Returns
    -------
    Alignment

    See Also
    --------
    unlike_channels : Whether it is worth asking.

    Examples
    --------
    >>> import numpy as np
    >>> from spa2v_lib.audio import Recording
    >>> noise, other = 0.1 * np.random.default_rng(0).normal(size=(2, 32000))
    >>> late = np.stack([noise, np.roll(noise, 320)])
    >>> round(channel_alignment(Recording.from_samples(late, 16000)).lag_s, 3)
    0.02
    >>> channel_alignment(Recording.from_samples(np.stack([noise, 0.5 * noise]), 16000))
    Alignment(lag_s=0.0, related=True)
    >>> channel_alignment(Recording.from_samples(np.stack([noise, other]), 16000))
    Alignment(lag_s=0.0, related=False)
    """
    rate, size = recording.rate, round(2.0 * _BLOCK_S * recording.rate)
    hz = np.fft.rfftfreq(size, 1.0 / rate)
    stop = int(np.searchsorted(hz, min(_BAND_HZ[1], 0.5 * rate)))
    in_band = hz[:stop] >= _BAND_HZ[0]
    total = np.zeros(stop, complex)
    for block in recording.cut(0.0, min(_COMPARED_S, recording.duration_s)).blocks(_BLOCK_S):
        left, right = (np.fft.rfft(channel, size)[:stop] for channel in block[:2])
        cross = left.conj() * right * in_band
        total += np.sum(block[:2].astype(float) ** 2) * cross / (np.abs(cross) + 1e-20)
    correlation = np.fft.irfft(total, 2 * (stop - 1))
    step_s = 2.0 * _BLOCK_S / len(correlation)
    reach, near = round(_LONGEST_S / step_s), max(1, round(_PAIR_S / step_s))
    power = np.concatenate([correlation[-reach:], correlation[: reach + 1]]) ** 2
    power = uniform_filter1d(power, 2 * near + 1)
    lags = np.arange(-reach, reach + 1)
    pair, outside = power[reach], np.where(np.abs(lags) > 2 * near, power, 0.0)
    best = int(outside.argmax())
    usual = float(np.median(power))
    if outside[best] <= max(_CLEAR * pair, _SIGNIFICANT * usual):
        return Alignment(0.0, bool(pair > _RELATED * usual))
    around = correlation[np.arange(lags[best] - near, lags[best] + near + 1)]
    lag_s = float((lags[best] - near + np.abs(around).argmax()) * step_s)
    return Alignment(round(lag_s, 6), True)
