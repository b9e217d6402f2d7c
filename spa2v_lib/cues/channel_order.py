"""What more than two channels hold: ambisonics in the order of AmbiX or FuMa, or a pair."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from spa2v_lib.audio.recording import Recording

__all__ = ["CHANNELS", "ChannelOrder", "analyzed_pair", "channel_order", "is_quiet_pair"]

CHANNELS = 4
"""Channels of a first-order recording."""

_BLOCK_S = 10.0
# how far the power of W may be from that of X, Y and Z together, as a factor
_CLOSE_MATCH, _POWER_MATCH = 1.1, 1.4
_FUMA_GAIN = 2.0**0.5
_QUIET = 1e-5  # of the power of the other two: two channels this quiet are unused
_NO_HEIGHT = 0.02  # of the power of the channel before: too little for X, usual for Z
_ORDER_HZ = (100.0, 500.0, 2000.0, 8000.0)


def analyzed_pair(recording: Recording) -> Recording:
    """Return the two channels in which directions are measured.

    Of loudspeaker channels this is the front pair, where the directions of a mix are; what sounds
    in the centre as well would pull them there. Where the others are louder than the front pair,
    they are folded into it.

    Parameters
    ----------
    recording : Recording
        Of more than two channels, not ambisonics.

    Returns
    -------
    Recording
        Of two channels.

    See Also
    --------
    channel_order : Recognizes ambisonics, of which no pair is taken.

    Examples
    --------
    >>> from spa2v_lib.audio.recording import Recording
    >>> samples = np.array([[0.5] * 100, [0.25] * 100, [0.0] * 100])
    >>> analyzed_pair(Recording.from_samples(samples, 8000)).samples[:, 0].tolist()
    [0.5, 0.25]
    """
    power = sum((block**2).sum(axis=1) for block in recording.blocks(_BLOCK_S))
    return recording.stereo(fold=bool(power[2:].sum() > power[:2].sum()))


class ChannelOrder(NamedTuple):
    """How four channels hold first-order ambisonics.

    Attributes
    ----------
    name : str
        "AmbiX" (W Y Z X) or "FuMa" (W X Y Z).
    omni_gain : float
        Makes W that of AmbiX.

    Examples
    --------
    >>> ChannelOrder("FuMa", 2.0**0.5).channels
    (0, 2, 3, 1)
    """

    name: Literal["AmbiX", "FuMa"]
    omni_gain: float = 1.0

    @property
    def channels(self) -> tuple[int, int, int, int]:
        """Where W, Y, Z and X are."""
        return (0, 2, 3, 1) if self.name == "FuMa" else (0, 1, 2, 3)


def channel_order(recording: Recording) -> ChannelOrder | None:
    """Recognize first-order ambisonics, and the order and scale of its channels.

    The names of the channels and the ending ".amb" decide where they are there. Else the powers
    do: whatever the directions, near or diffuse, X² + Y² + Z² is W² in AmbiX (SN3D) and 2 W² in
    FuMa, in every band, and up and down (Z) carry more than nothing only where ahead and behind
    (X) do. A pair with two quiet channels is stereo.

    Parameters
    ----------
    recording : Recording
        At any sampling rate.

    Returns
    -------
    ChannelOrder or None
        None if the four channels are not recognized, or are not four.

    See Also
    --------
    spa2v_lib.cues.ambisonics.measure_intensity : Analyzes such channels.

    Examples
    --------
    >>> import numpy as np
    >>> from spa2v_lib.audio import Recording
    >>> noise = 0.1 * np.random.default_rng(0).normal(size=16000)
    >>> azimuth = np.radians(30.0)  # to the left, as both count
    >>> left, ahead = np.sin(azimuth) * noise, np.cos(azimuth) * noise
    >>> ambix = Recording.from_samples(np.stack([noise, left, 0 * noise, ahead]), 16000)
    >>> fuma = np.stack([noise / np.sqrt(2.0), ahead, left, 0 * noise])
    >>> channel_order(ambix).name, channel_order(Recording.from_samples(fuma, 16000)).name
    ('AmbiX', 'FuMa')
    """
    if recording.channels != CHANNELS:
        return None
    names = recording.channel_layout
    if names[:1] == ("AMBI0",):
        return ChannelOrder("AmbiX")
    named_fuma = recording.path is not None and recording.path.suffix.lower() == ".amb"
    if names[:4] == ("W", "X", "Y", "Z") or named_fuma:
        return ChannelOrder("FuMa", _FUMA_GAIN)
    if names:
        return None
    power = _channel_powers(recording)
    omni, first, second, third = power.sum(1)
    rest = first + second + third
    if second + third <= _QUIET * (omni + first):
        return None
    if omni > 0.0 and rest / _CLOSE_MATCH < omni < rest * _CLOSE_MATCH:
        return ChannelOrder("AmbiX")
    if third < _NO_HEIGHT * second and 0.5 * omni < rest < 3.0 * omni:
        return ChannelOrder("FuMa", _FUMA_GAIN if rest > _POWER_MATCH * omni else 1.0)
    if omni > 0.0 and rest / _POWER_MATCH < omni < rest * _POWER_MATCH:
        return ChannelOrder("AmbiX")
    ratio = power[1:].sum(0) / (2.0 * power[0] + 1e-20)
    sounding = power.sum(0) > 1e-3 * power.sum()
    if (np.abs(np.log(ratio[sounding] + 1e-20)) < np.log(_POWER_MATCH)).all():
        return ChannelOrder("FuMa", _FUMA_GAIN)
    return None


def is_quiet_pair(recording: Recording) -> bool:
    """Return whether only the first two of four channels are in use.

    Parameters
    ----------
    recording : Recording
        At any sampling rate.

    Examples
    --------
    >>> import numpy as np
    >>> from spa2v_lib.audio import Recording
    >>> noise = 0.1 * np.random.default_rng(0).normal(size=(4, 16000))
    >>> noise[2:] *= 1e-4
    >>> is_quiet_pair(Recording.from_samples(noise, 16000))
    True
    """
    power = _channel_powers(recording).sum(1)
    return bool(power[2:].sum() <= _QUIET * power[:2].sum())


def _channel_powers(recording: Recording) -> np.ndarray:
    """Return the power of every channel in a few wide bands [channels, bands]."""
    return sum(_band_powers(block, recording.rate) for block in recording.blocks(_BLOCK_S))


def _band_powers(block: np.ndarray, rate: int) -> np.ndarray:
    """Return the power of every channel in a few wide bands [channels, bands]."""
    power = np.abs(np.fft.rfft(block.astype(float))) ** 2 / block.shape[1]
    edges = np.searchsorted(np.fft.rfftfreq(block.shape[1], 1.0 / rate), _ORDER_HZ)
    return np.stack([part.sum(1) for part in np.split(power[:, 1:], edges, axis=1)], axis=1)
