"""Direction from first-order ambisonics: four channels in the order of AmbiX, or of FuMa.

The active intensity of each short-time bin points away from where sound comes from, and the part
of the energy that does not flow is diffuse (Pulkki, "Spatial sound reproduction with directional
audio coding", JAES 55(6), 2007). Front and back are distinguished. Ambisonics counts azimuth
to the left: the sign is turned in `measure_intensity`, and nowhere else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, NamedTuple

import numpy as np

from spa2v_lib.audio.decoding import skipping
from spa2v_lib.audio.recording import Recording
from spa2v_lib.cues.features import BAND_EDGES_HZ, BAND_WIDTHS_HZ, Features, frame_blocks
from spa2v_lib.cues.localization import Track, frame_loudness, interval_scale
from spa2v_lib.cues.tracking import local_lines, mean_near
from spa2v_lib.cues.types import HOP_S

__all__ = [
    "CHANNELS",
    "Intensity",
    "channel_order",
    "is_quiet_pair",
    "measure_intensity",
    "middle_side",
    "track_direction",
]

CHANNELS = 4
"""Channels of a first-order recording."""

_BLOCK_S = 10.0
_CLOSE_MATCH, _POWER_MATCH = (
    1.1,
    1.4,
)  # how far W's power may be from that of X, Y and Z together, as a factor
_FUMA_GAIN = 2.0**0.5
_QUIET = 1e-5  # of the power of the other two: two channels this quiet are unused
_NO_HEIGHT = 0.02  # of the power of the channel before: too little for X, usual for Z
_ORDER_HZ = (100.0, 500.0, 2000.0, 8000.0)
_FLOOR_DEG = 0.5  # left where nothing disturbs
_ROOM_DEG = 60.0  # error in degrees, were all sound diffuse
_WINDOW_S, _STEP_S = 0.02, 0.01
_PER_FRAME = round(HOP_S / _STEP_S)
_DECAY_DB_S = 100.0  # how fast what is past fades
_LEAST = 0.005  # weight of a window in which nothing begins
_LEVEL_POWER = 0.2  # of a band's power in its weight: weak bands count, too


@dataclass(frozen=True)
class Intensity:
    """Flow of energy, positive towards the source, in units of the energy itself.

    Attributes
    ----------
    right, ahead, up : ndarray [frames, bands]
        Active intensity's components, turned to point at the source.
    energy : ndarray [frames, bands]
        Energy density: the flow of a single plane wave has this length.
    fresh : ndarray [frames]
        Share of the frame's energy that was not there before, in [0, 1].

    Examples
    --------
    >>> import numpy as np
    >>> from spa2v_lib.audio import Recording
    >>> noise = 0.1 * np.random.default_rng(0).normal(size=16000)
    >>> azimuth = np.radians(30.0)  # to the left, as AmbiX counts
    >>> encoded = np.stack([noise, np.sin(azimuth) * noise, 0 * noise, np.cos(azimuth) * noise])
    >>> recording = Recording.from_samples(encoded, 16000)
    >>> bool(measure_intensity(recording).directness.mean() > 0.99)
    True
    """

    right: np.ndarray
    ahead: np.ndarray
    up: np.ndarray
    energy: np.ndarray
    fresh: np.ndarray

    @property
    def directness(self) -> np.ndarray:
        """1 - diffuseness, in [0, 1] [frames, bands]."""
        length = np.sqrt(self.right**2 + self.ahead**2 + self.up**2)
        return np.clip(length / (self.energy + 1e-20), 0.0, 1.0)


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

    Returns
    -------
    ChannelOrder or None
        None if the four channels are not recognized, or are not four.

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


def _ambix(recording: Recording) -> Callable[[np.ndarray], np.ndarray]:
    """Return what makes W, Y, Z, X of a block; channels that are not recognized are in order."""
    order = channel_order(recording) or ChannelOrder("AmbiX")
    gains = np.array([order.omni_gain, 1.0, 1.0, 1.0], np.float32)[:, None]
    picks = list(order.channels)
    if order.name == "AmbiX":
        return lambda block: block[:CHANNELS]
    return lambda block: gains * block[picks]


def middle_side(recording: Recording) -> Recording:
    """Return the pair ½(W + Y), ½(W - Y) as a stereo recording, read in blocks.

    An M/S recording with the same left and right, for all that analyzes two channels.

    Parameters
    ----------
    recording : Recording
        Of first-order ambisonics, in the order of AmbiX or FuMa.

    Returns
    -------
    Recording

    Examples
    --------
    >>> import numpy as np
    >>> from spa2v_lib.audio import Recording
    >>> noise = 0.1 * np.random.default_rng(0).normal(size=16000)
    >>> azimuth = np.radians(30.0)  # to the left, as AmbiX counts
    >>> encoded = np.stack([noise, np.sin(azimuth) * noise, 0 * noise, np.cos(azimuth) * noise])
    >>> recording = Recording.from_samples(encoded, 16000)
    >>> middle_side(recording).channels
    2
    """

    ambix = _ambix(recording)

    def pieces(frame: int) -> Iterator[np.ndarray]:
        blocks = (ambix(block) for block in recording.blocks(_BLOCK_S))
        mixed = (0.5 * np.stack([omni + left, omni - left]) for omni, left, *_ in blocks)
        return skipping(mixed, frame)

    return Recording(
        pieces,
        name=recording.name,
        rate=recording.rate,
        channels=2,
        frames=recording.frames,
        path=recording.path,
        notes=recording.notes,
    )


def measure_intensity(recording: Recording, block_s: float = _BLOCK_S) -> Intensity:
    """Measure a recording's flow of energy block by block.

    Windows in which a band swells count more than those in which it dies away, as what arrives
    first comes straight from the source.

    Parameters
    ----------
    recording : Recording
        Of first-order ambisonics, in the order of AmbiX or FuMa.
    block_s : float
        Seconds read at a time.

    Returns
    -------
    Intensity
        Frames as in `extract_features`.

    Examples
    --------
    >>> import numpy as np
    >>> from spa2v_lib.audio import Recording
    >>> noise = 0.1 * np.random.default_rng(0).normal(size=16000)
    >>> azimuth = np.radians(30.0)  # to the left, as AmbiX counts
    >>> encoded = np.stack([noise, np.sin(azimuth) * noise, 0 * noise, np.cos(azimuth) * noise])
    >>> recording = Recording.from_samples(encoded, 16000)
    >>> measure_intensity(recording).right.shape
    (10, 10)
    """
    past = _OnsetMemory()
    parts = [
        _flow(samples, first, start, stop, recording.rate, past)
        for samples, first, start, stop in frame_blocks(recording, _ambix(recording), block_s)
    ]
    return Intensity(*(np.concatenate(column) for column in zip(*parts, strict=True)))


class _OnsetMemory:
    """The room's response, carried from block to block."""

    def __init__(self) -> None:
        self._answer: np.ndarray | float = 0.0

    def freshness(self, energy: np.ndarray) -> np.ndarray:
        """Return weights of windows [windows, bands]: 1 where all energy is new."""
        fade = 10.0 ** (-0.1 * _DECAY_DB_S * _STEP_S)
        weight = np.empty_like(energy)
        for k, now in enumerate(energy):
            weight[k] = np.clip(1.0 - self._answer / (now + 1e-20), _LEAST, 1.0)
            self._answer = np.maximum(self._answer * fade, now)
        return weight


@lru_cache(maxsize=4)
def _tables(rate: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the window, scaled for full-scale powers, and the bins' places in the bands."""
    size = max(8, 2 * round(0.5 * _WINDOW_S * rate))
    window = np.hanning(size + 1)[:-1]
    window /= np.sqrt(0.5 * np.sum(window**2) * size)
    hz = np.fft.rfftfreq(size, 1.0 / rate)
    bands = (hz[:, None] >= BAND_EDGES_HZ[:-1]) & (hz[:, None] < BAND_EDGES_HZ[1:])
    return window.astype(np.float32), bands.astype(np.float32)


def _flow(
    samples: np.ndarray, first: int, start: int, stop: int, rate: int, past: _OnsetMemory
) -> tuple[np.ndarray, ...]:
    window, bands = _tables(rate)
    size = len(window)
    middles = (np.arange(start * _PER_FRAME, stop * _PER_FRAME) + 0.5) * _STEP_S * rate
    starts = np.round(middles).astype(int) - size // 2 - first
    padded = np.pad(samples, ((0, 0), (size, size)))
    pieces = padded[:, (starts + size)[:, None] + np.arange(size)]
    middle, left, up, ahead = np.fft.rfft(pieces * window).astype(np.complex64)
    energy = 0.5 * sum(part.real**2 + part.imag**2 for part in (middle, left, up, ahead)) @ bands
    weight = past.freshness(energy)
    total = _by_frame(weight)
    # with SN3D a plane wave has |W| = |(X, Y, Z)|; azimuth counts to the right from here on
    towards = [(middle.conj() * part).real @ bands for part in (-left, ahead, up)]
    fresh = _by_frame(weight * energy)
    share = fresh.sum(1) / (_by_frame(energy).sum(1) + 1e-20)
    return *(_by_frame(weight * part) / total for part in towards), fresh / total, share


def _by_frame(values: np.ndarray) -> np.ndarray:
    return values.reshape(-1, _PER_FRAME, values.shape[1]).sum(1)


def track_direction(features: Features, intensity: Intensity, active: np.ndarray) -> Track:
    """Follow the dominant source all around.

    Parameters
    ----------
    features : Features
        Of `middle_side`.
    intensity : Intensity
        Of the same recording.
    active : ndarray of bool [frames]

    Returns
    -------
    Track
        `azimuth` lies in (-180, 180]; `low` and `high` lie around it and may pass ±180.

    Examples
    --------
    >>> import numpy as np
    >>> from spa2v_lib.audio import Recording
    >>> noise = 0.1 * np.random.default_rng(0).normal(size=16000)
    >>> azimuth = np.radians(30.0)  # to the left, as AmbiX counts
    >>> encoded = np.stack([noise, np.sin(azimuth) * noise, 0 * noise, np.cos(azimuth) * noise])
    >>> recording = Recording.from_samples(encoded, 16000)
    >>> from spa2v_lib.cues.features import extract_features
    >>> features = extract_features(middle_side(recording))
    >>> track = track_direction(features, measure_intensity(recording), np.ones(10, bool))
    >>> track.azimuth.round().tolist()[:3]
    [-30.0, -30.0, -30.0]
    """
    directness = intensity.directness
    band_weight = (
        BAND_WIDTHS_HZ**1.5 * directness**4 * (intensity.energy + 1e-20) ** (_LEVEL_POWER - 1.0)
    )
    right, ahead = (band_weight * intensity.right).sum(1), (band_weight * intensity.ahead).sum(1)
    raw = np.degrees(np.arctan2(right, ahead))
    share = (np.sqrt(intensity.energy) * directness).sum(1) / (
        np.sqrt(intensity.energy).sum(1) + 1e-12
    )
    weight = np.where(active, share**2 * intensity.fresh * frame_loudness(features), 0.0)
    # angles are unrolled around their local mean direction, so that no frame jumps by a turn
    around = _local_direction(right, ahead, weight)
    unrolled = around + _wrapped(raw - around)
    smooth, error = local_lines(unrolled, weight)
    near = mean_near(share, weight)
    room = _ROOM_DEG * (1.0 - near) ** 2
    spread = np.sqrt(error**2 + _FLOOR_DEG**2 + room**2)
    half = spread * interval_scale("foa", near)
    turns = smooth - _wrapped(smooth)
    return Track(
        azimuth=smooth - turns,
        low=smooth - half - turns,
        high=smooth + half - turns,
        error=np.sqrt(error**2 + _FLOOR_DEG**2 + (0.2 * room) ** 2),
        weight=weight,
        dryness=float(np.clip((np.average(share, weights=weight + 1e-12) - 0.6) / 0.3, 0.0, 1.0)),
        direct_db=10.0 * np.log10(mean_near(share, weight, 4) + 1e-3),
        raw=unrolled - turns,
        spread=spread,
        directness=near,
    )


def _local_direction(right: np.ndarray, ahead: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Return the direction of the flow over a second around every frame, without jumps."""
    length = np.hypot(right, ahead) + 1e-20
    mean = (mean_near(part / length, weight, 5) for part in (right, ahead))
    return np.degrees(np.unwrap(np.arctan2(*mean)))


def _wrapped(degrees: np.ndarray) -> np.ndarray:
    """Return angles in (-180, 180]."""
    return -((180.0 - degrees) % 360.0 - 180.0)
