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

import numpy as np

from spa2v_lib.audio.pieces import skipping
from spa2v_lib.audio.recording import Recording
from spa2v_lib.cues.channel_order import CHANNELS, ChannelOrder, channel_order
from spa2v_lib.cues.features import BAND_EDGES_HZ, BAND_WIDTHS_HZ, Features
from spa2v_lib.cues.intervals import half_interval
from spa2v_lib.cues.localization import Track, frame_loudness
from spa2v_lib.cues.tracking import local_lines, mean_near
from spa2v_lib.cues.types import HOP_S
from spa2v_lib.cues.windows import frame_blocks

__all__ = [
    "Intensity",
    "measure_intensity",
    "middle_side",
    "track_direction",
]

_BLOCK_S = 10.0
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

    See Also
    --------
    measure_intensity : What the two channels do not hold.

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

    See Also
    --------
    track_direction : Follows a source by it.

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
        Frames in which something sounds.

    Returns
    -------
    Track
        `azimuth` lies in (-180, 180]; `low` and `high` lie around it and may pass ±180.

    See Also
    --------
    spa2v_lib.cues.localization.track_azimuth : The same from two channels.

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
    half = half_interval("foa", spread, near, smooth)
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
