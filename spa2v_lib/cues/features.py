"""Features of two channels, in one pass over a recording: `extract_features`.

Per frame and wide band: power, cross-power and cross-correlation, from which level and time
differences (ILD, ITD) and coherence follow. Per time–frequency bin, which is a frame by a narrow
band: the covariance of the channels, from which sources are separated. Per short window: power in
mel bands, for tagging and motion.

The recording is read in blocks and only band sums are kept, so an hour needs some hundred
megabytes. Every size is set in seconds and hertz, so that all sample rates are treated alike.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from spa2v_lib.cues.bins import Bins, OnsetWeights, bin_covariance
from spa2v_lib.cues.types import HOP_S
from spa2v_lib.cues.windows import PER_FRAME, frame_blocks, window_size, window_start

if TYPE_CHECKING:
    from spa2v_lib.audio.recording import Recording

__all__ = [
    "BAND_CENTRES_HZ",
    "BAND_EDGES_HZ",
    "BAND_WIDTHS_HZ",
    "LAGS_S",
    "MEL_BANDS",
    "MEL_EDGES_HZ",
    "Features",
    "extract_features",
    "inverted",
    "mel_triangles",
]

_GCC_HZ = (150.0, 8000.0)

LAGS_S = np.arange(-175, 176) * 1e-5
"""Lags of the generalized cross-correlation – beyond the 1.46 ms of a pair 50 cm wide.

:meta hide-value:
"""

BAND_EDGES_HZ = np.array([100, 200, 350, 550, 850, 1300, 2000, 3000, 4500, 7000, 12000], float)
"""Edges of the bands in which levels are kept."""

BAND_CENTRES_HZ = np.sqrt(BAND_EDGES_HZ[:-1] * BAND_EDGES_HZ[1:])
"""Centres of those bands."""

BAND_WIDTHS_HZ = np.diff(BAND_EDGES_HZ)
"""Widths of those bands."""

MEL_BANDS = 40
"""Mel bands, in which approaches and scene changes are looked for."""

MEL_EDGES_HZ = 700.0 * (
    10.0 ** np.linspace(np.log10(1.0 + 60.0 / 700.0), np.log10(1.0 + 7800.0 / 700.0), MEL_BANDS + 2)
    - 1.0
)
"""Ends and peaks of the mel bands' triangles, evenly spaced in mel.

:meta hide-value:
"""


@dataclass(frozen=True)
class Features:
    """Features of two channels; `frames` are 0.1 s and `windows` 0.025 s apart.

    Attributes
    ----------
    times_s : ndarray [frames]
        Centres of the frames.
    level_db : ndarray [frames]
        Mean power of all channels, dB re full scale; -120 for digital silence.
    left, right : ndarray [frames, bands]
        Power of each channel, in the bands of `BAND_EDGES_HZ`.
    cross : ndarray [frames, bands]
        Real part of the cross-power as recorded.
    aligned : ndarray [frames, bands]
        Real part of the cross-power after compensation of the frame's ITD.
    gcc : ndarray [frames, lags]
        PHAT-weighted cross-correlation over `LAGS_S`, in [-1, 1].
    mel : ndarray [windows, 40]
        Power in mel bands, channels summed.
    bins : Bins or None
        Time–frequency bins, where they were asked for.

    Examples
    --------
    >>> import numpy as np
    >>> from spa2v_lib.audio import Recording
    >>> noise = 0.1 * np.random.default_rng(0).normal(size=16000)
    >>> features = extract_features(Recording.from_samples(np.stack([noise, noise]), 16000))
    >>> bool(features.coherence.round(2).min() == 1.0)
    True
    """

    times_s: np.ndarray
    level_db: np.ndarray
    left: np.ndarray
    right: np.ndarray
    cross: np.ndarray
    aligned: np.ndarray
    gcc: np.ndarray
    mel: np.ndarray
    bins: Bins | None = None

    @property
    def ild_db(self) -> np.ndarray:
        """Level of the right channel over the left, all bands together [frames]."""
        ratio = (self.right.sum(1) + 1e-15) / (self.left.sum(1) + 1e-15)
        return 10.0 * np.log10(ratio)

    @property
    def coherence(self) -> np.ndarray:
        """Coherence of the channels after alignment, all bands together, in [0, 1] [frames]."""
        power = np.sqrt(self.left.sum(1) * self.right.sum(1))
        return np.clip(np.abs(self.aligned.sum(1)) / (power + 1e-15), 0.0, 1.0)


def extract_features(
    recording: Recording, block_s: float = 10.0, *, with_bins: bool = False
) -> Features:
    """Measure levels, cross-correlation and coherence of two channels, block by block.

    Parameters
    ----------
    recording : Recording
        One channel is compared with itself; of more than two, the first two are used.
    block_s : float
        Seconds read at a time; above 0.
    with_bins : bool
        Whether to keep the time–frequency bins, too, for source separation.

    Returns
    -------
    Features

    See Also
    --------
    spa2v_lib.cues.analyze : the whole analysis, of which this is the first step.

    Examples
    --------
    A tone that is 6 dB louder on the right:

    >>> import numpy as np
    >>> from spa2v_lib.audio import Recording
    >>> tone = 0.1 * np.sin(2 * np.pi * 440.0 * np.arange(16000) / 16000)
    >>> features = extract_features(Recording.from_samples(np.stack([tone, 2 * tone]), 16000))
    >>> features.ild_db.round(1).tolist()
    [6.0, 6.0, 6.0, 6.0, 6.0, 6.0, 6.0, 6.0, 6.0, 6.0]
    """
    onsets = OnsetWeights()

    def parts() -> Iterator[tuple[np.ndarray, ...]]:
        for pair, first, start, stop in frame_blocks(recording, _pair, block_s):
            spectra, tables = _window_spectra(pair, first, start, stop, recording.rate)
            level = _level(pair, first, start, stop, recording.rate)
            binned = bin_covariance(spectra, tables.hz, onsets) if with_bins else ()
            yield level, *_band_sums(spectra, tables), *binned

    level, left, right, cross, aligned, gcc, mel, *binned = _concatenated(parts())
    return Features(
        times_s=(np.arange(len(level)) + 0.5) * HOP_S,
        level_db=level,
        left=left,
        right=right,
        cross=cross,
        aligned=aligned,
        gcc=gcc,
        mel=mel.reshape(-1, MEL_BANDS),
        bins=Bins(*binned) if binned else None,
    )


def inverted(features: Features) -> Features:
    """Return the features of the same recording with the right channel's polarity inverted.

    Parameters
    ----------
    features : Features
        Of the whole recording, see `spa2v_lib.cues.features.extract_features`.

    Returns
    -------
    Features

    Examples
    --------
    >>> import numpy as np
    >>> from spa2v_lib.audio import Recording
    >>> noise = 0.1 * np.random.default_rng(0).normal(size=16000)
    >>> features = extract_features(Recording.from_samples(np.stack([noise, -noise]), 16000))
    >>> bool(features.cross.sum() < 0.0 < inverted(features).cross.sum())
    True
    """
    bins = features.bins
    return replace(
        features,
        gcc=-features.gcc,
        cross=-features.cross,
        aligned=-features.aligned,
        bins=None if bins is None else replace(bins, cross=-bins.cross),
    )


def mel_triangles(hz: np.ndarray, edges_hz: np.ndarray | None = None) -> np.ndarray:
    """Return the weight of frequencies in each mel band, with peaks of 1.

    The same as librosa's filters on the HTK scale, without importing librosa, which for a short
    recording takes more time and memory than the whole analysis.

    Parameters
    ----------
    hz : ndarray [n]
        Frequencies, from 0 up.
    edges_hz : ndarray [bands + 2], optional
        Ends and peaks of the triangles; `MEL_EDGES_HZ` if not given.

    Returns
    -------
    ndarray [n, bands]

    Examples
    --------
    >>> mel_triangles(MEL_EDGES_HZ[1:3])[:, :3]
    array([[1., 0., 0.],
           [0., 1., 0.]], dtype=float32)
    """
    edges = MEL_EDGES_HZ if edges_hz is None else edges_hz
    below, centre, above = edges[:-2], edges[1:-1], edges[2:]
    rise = (hz[:, None] - below) / (centre - below)
    fall = (above - hz[:, None]) / (above - centre)
    return np.maximum(np.minimum(rise, fall), 0.0).astype(np.float32)


def _concatenated(parts: Iterable[tuple[np.ndarray, ...]]) -> list[np.ndarray]:
    """Concatenate the columns of `parts` along time, one by one: an hour is not held twice."""
    columns = [list(column) for column in zip(*parts, strict=True)]
    return [np.concatenate(columns.pop(0)) for _ in range(len(columns))]


def _pair(block: np.ndarray) -> np.ndarray:
    return np.repeat(block, 2, axis=0) if block.shape[0] == 1 else block[:2]


@dataclass(frozen=True)
class _Tables:
    """What one sample rate needs: window, frequencies in Hz, band sums and lag transform."""

    window: np.ndarray
    hz: np.ndarray
    bands: np.ndarray
    mel: np.ndarray
    in_gcc: np.ndarray
    lag: np.ndarray


@lru_cache(maxsize=4)
def _tables(rate: int) -> _Tables:
    size = window_size(rate)
    window = np.hanning(size + 1)[:-1].astype(np.float32)
    hz = np.fft.rfftfreq(size, 1.0 / rate)
    hz = hz[hz <= BAND_EDGES_HZ[-1]]
    bands = (hz[:, None] >= BAND_EDGES_HZ[:-1]) & (hz[:, None] < BAND_EDGES_HZ[1:])
    in_gcc = (hz >= _GCC_HZ[0]) & (hz <= _GCC_HZ[1])
    lag = np.exp(2j * np.pi * hz[in_gcc, None] * LAGS_S).astype(np.complex64)
    return _Tables(window, hz, bands.astype(np.float32), mel_triangles(hz), in_gcc, lag)


def _window_spectra(
    samples: np.ndarray, first: int, start: int, stop: int, rate: int
) -> tuple[np.ndarray, _Tables]:
    """Return full-scale-normalised spectra [channels, frames, windows a frame, frequencies].

    `samples` [channels, n] begin at sample `first` and hold the frames `start` to `stop`.
    """
    tables = _tables(rate)
    starts = [window_start(k, rate) - first for k in range(start * PER_FRAME, stop * PER_FRAME)]
    before = max(0, -starts[0])
    padded = np.pad(samples, ((0, 0), (before, 0)))
    index = (np.array(starts) + before)[:, None] + np.arange(window_size(rate))
    scaled = tables.window / np.sqrt(0.5 * np.sum(tables.window**2) * len(tables.window))
    spectra = np.fft.rfft(padded[:, index] * scaled)[..., : len(tables.hz)].astype(np.complex64)
    return spectra.reshape(len(samples), stop - start, PER_FRAME, -1), tables


def _band_sums(spectra: np.ndarray, tables: _Tables) -> tuple[np.ndarray, ...]:
    """Return left, right, cross, aligned, gcc and mel of `Features`."""
    of_windows = spectra.real**2 + spectra.imag**2
    power = of_windows.mean(2)
    cross = (spectra[0] * spectra[1].conj()).mean(1)
    gcc = _phat(cross[:, tables.in_gcc], power[:, :, tables.in_gcc]) @ tables.lag
    gcc = gcc.real.astype(np.float32)
    itd = LAGS_S[np.abs(gcc).argmax(1)]
    turn = np.exp(2j * np.pi * itd[:, None] * tables.hz).astype(np.complex64)
    return (
        power[0] @ tables.bands,
        power[1] @ tables.bands,
        cross.real @ tables.bands,
        (cross * turn).real @ tables.bands,
        gcc,
        of_windows.sum(0) @ tables.mel,
    )


def _phat(cross: np.ndarray, power: np.ndarray) -> np.ndarray:
    """Whiten the cross-power [frames, frequencies]; coherent frequencies above noise count most.

    Plain PHAT gives empty frequencies the weight of loud ones, which drowns tonal sounds; a cube
    root of the level keeps most of the whitening and mutes empty ones.
    """
    geometric = np.sqrt(power[0] * power[1]) + 1e-20
    weight = geometric ** (1.0 / 3.0) * (np.abs(cross) / geometric)
    return cross / (np.abs(cross) + 1e-20) * weight / (weight.sum(1, keepdims=True) + 1e-20)


def _level(pair: np.ndarray, first: int, start: int, stop: int, rate: int) -> np.ndarray:
    edges = [round(k * HOP_S * rate) - first for k in range(start, stop + 1)]
    edges = np.clip(edges, 0, pair.shape[1])
    samples = pair.astype(np.float64)
    mean, square = (
        np.diff(np.pad(np.cumsum(values, axis=1), ((0, 0), (1, 0)))[:, edges])
        / np.maximum(1, np.diff(edges))
        for values in (samples, samples**2)
    )
    # a constant offset is no sound
    return 10.0 * np.log10(np.maximum((square - mean**2).mean(0), 1e-12))
