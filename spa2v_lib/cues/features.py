"""The mel bands that tagging hears through.

Level, ILD, ITD and coherence of the two channels, measured in one pass over a recording.

The recording is read in blocks and only band sums are kept, so an hour needs tens of megabytes.
Every size is set in seconds and hertz, so that all sample rates are treated alike.

Time-frequency cells of two channels.

A cell is a cue frame by a narrow band: the covariance of the channels over the frame's short-time
windows. Windows in which the band swells count more than those in which it dies away, because
what arrives first comes straight from the source and the room's answer later.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from spa2v_lib.cues.types import HOP_S

if TYPE_CHECKING:
    from spa2v_lib.audio.recording import Recording

__all__ = [
    "BAND_CENTRES_HZ",
    "BAND_EDGES_HZ",
    "BAND_WIDTHS_HZ",
    "CELL_HZ",
    "LAGS_S",
    "MEL_BANDS",
    "MEL_EDGES_HZ",
    "WINDOW_STEP_S",
    "CellMeter",
    "Cells",
    "Interaural",
    "joined",
    "measure",
    "mel_triangles",
    "mel_windows",
    "stretches",
    "window_spectra",
]

MEL_BANDS = 40
"""Mel bands that the tagger hears through."""

MEL_EDGES_HZ = 700.0 * (
    10.0 ** np.linspace(np.log10(1.0 + 60.0 / 700.0), np.log10(1.0 + 7800.0 / 700.0), MEL_BANDS + 2)
    - 1.0
)
"""Ends and peaks of the mel bands' triangles, evenly spaced in mel."""


def mel_triangles(hz: np.ndarray) -> np.ndarray:
    """Return the weight of frequencies [n] in each mel band, with peaks of 1 [n, MEL_BANDS].

    The same as librosa's filters on the HTK scale, without what importing librosa costs: for a
    short recording more time and memory than all of hearing.
    """
    below, centre, above = MEL_EDGES_HZ[:-2], MEL_EDGES_HZ[1:-1], MEL_EDGES_HZ[2:]
    rise = (hz[:, None] - below) / (centre - below)
    fall = (above - hz[:, None]) / (above - centre)
    return np.maximum(np.minimum(rise, fall), 0.0).astype(np.float32)


WINDOW_STEP_S = 0.025
"""Seconds from one short-time spectrum to the next."""

_WINDOW_S = 2.0 * WINDOW_STEP_S
_PER_FRAME = round(HOP_S / WINDOW_STEP_S)
_GCC_HZ = (150.0, 8000.0)

LAGS_S = np.arange(-175, 176) * 1e-5
"""Lags of the generalised cross-correlation: beyond the 1.46 ms of a pair 50 cm apart."""

BAND_EDGES_HZ = np.array([100, 200, 350, 550, 850, 1300, 2000, 3000, 4500, 7000, 12000], float)
"""Edges of the bands in which levels are kept."""

BAND_CENTRES_HZ = np.sqrt(BAND_EDGES_HZ[:-1] * BAND_EDGES_HZ[1:])
"""Centres of those bands."""

BAND_WIDTHS_HZ = np.diff(BAND_EDGES_HZ)
"""Widths of those bands."""


@dataclass(frozen=True)
class Interaural:
    """Band sums of one recording; `frames` are 0.1 s, `windows` 0.025 s apart.

    Attributes
    ----------
    times_s : ndarray [frames]
        Centres of the frames.
    level_db : ndarray [frames]
        Mean power of all channels, dB re full scale; -120 where digital silence is.
    left, right : ndarray [frames, bands]
        Power of each channel.
    cross : ndarray [frames, bands]
        Real part of the cross-power as recorded.
    aligned : ndarray [frames, bands]
        Real part of the cross-power after undoing the frame's ITD.
    gcc : ndarray [frames, lags]
        PHAT-weighted cross-correlation over `LAGS_S`, in [-1, 1].
    mel : ndarray [windows, 40]
        Power in mel bands, channels summed.
    """

    times_s: np.ndarray
    level_db: np.ndarray
    left: np.ndarray
    right: np.ndarray
    cross: np.ndarray
    aligned: np.ndarray
    gcc: np.ndarray
    mel: np.ndarray

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


Watch = Callable[[np.ndarray, np.ndarray], None]
"""Takes spectra [2, frames, windows a frame, bins] and the bins' frequencies in Hz."""


def measure(recording: Recording, block_s: float = 10.0, watch: Watch | None = None) -> Interaural:
    """Measure a recording block by block.

    Parameters
    ----------
    recording : Recording
        One channel is measured against itself; of more than two, the first two are used.
    block_s : float
        Seconds read at a time.
    watch : Watch, optional
        Is shown all short-time spectra, in order, for what else is measured in them.

    Returns
    -------
    Interaural
    """
    rate = recording.rate
    parts = [
        _frames(pair, first, start, stop, rate, watch)
        for pair, first, start, stop in stretches(recording, _pair, block_s)
    ]
    columns = joined(parts)
    columns[-1] = columns[-1].reshape(-1, MEL_BANDS)
    return Interaural((np.arange(len(columns[0])) + 0.5) * HOP_S, *columns)


def joined(parts: list[tuple[np.ndarray, ...]]) -> list[np.ndarray]:
    """Join the columns of `parts` along time, and empty it: an hour is not held twice."""
    rows = [list(part[::-1]) for part in parts]
    parts.clear()
    return [np.concatenate([row.pop() for row in rows]) for _ in range(len(rows[0]))]


def stretches(
    recording: Recording, pick: Callable[[np.ndarray], np.ndarray], block_s: float
) -> Iterator[tuple[np.ndarray, int, int, int]]:
    """Yield a recording in pieces that hold whole frames with all of their windows.

    Parameters
    ----------
    recording : Recording
    pick : callable
        Takes a block [channels, n] to the channels that are wanted.
    block_s : float
        Seconds read at a time.

    Yields
    ------
    samples : ndarray [channels, n]
    first : int
        Sample of the recording at which they begin.
    start, stop : int
        Frames that they hold.
    """
    rate = recording.rate
    held, first, done = None, 0, 0
    for block in recording.blocks(block_s):
        picked = pick(block)
        held = picked if held is None else np.concatenate([held, picked], axis=1)
        ready = _frames_within(first + held.shape[1], rate)
        if ready > done:
            yield held, first, done, ready
            done = ready
            keep = max(0, _start(done * _PER_FRAME, rate) - first)
            held, first = held[:, keep:], first + keep
    total = max(1, round((first + held.shape[1]) / (rate * HOP_S)))
    if total > done:
        tail = int(rate * (HOP_S + _WINDOW_S))
        yield np.pad(held, ((0, 0), (0, tail))), first, done, total


def mel_windows(samples: np.ndarray, rate: int) -> np.ndarray:
    """Return the mel powers [windows, 40] that `measure` finds in one channel [time]."""
    pair = np.stack([samples, samples]).astype(np.float32)
    total = max(1, round(pair.shape[1] / (rate * HOP_S)))
    pair = np.pad(pair, ((0, 0), (0, int(rate * (HOP_S + _WINDOW_S)))))
    spectra, bins = window_spectra(pair, 0, 0, total, rate)
    return _mel_power(spectra, bins).reshape(-1, MEL_BANDS)


def _pair(block: np.ndarray) -> np.ndarray:
    return np.repeat(block, 2, axis=0) if block.shape[0] == 1 else block[:2]


def _size(rate: int) -> int:
    return max(8, 2 * round(_WINDOW_S * rate / 2))


def _start(window: int, rate: int) -> int:
    return round((window + 0.5) * WINDOW_STEP_S * rate) - _size(rate) // 2


def _frames_within(samples: int, rate: int) -> int:
    """Return how many whole frames, from the start, need no sample beyond `samples`."""
    count = int(samples / (rate * HOP_S))
    while count > 0 and _start(count * _PER_FRAME - 1, rate) + _size(rate) > samples:
        count -= 1
    return count


@lru_cache(maxsize=4)
def _tables(rate: int) -> tuple[np.ndarray, ...]:
    """Return window, bins in Hz, band sums, mel sums and the lag transform for one rate."""
    size = _size(rate)
    window = np.hanning(size + 1)[:-1].astype(np.float32)
    bins = np.fft.rfftfreq(size, 1.0 / rate)
    bins = bins[bins <= BAND_EDGES_HZ[-1]]
    bands = ((bins[:, None] >= BAND_EDGES_HZ[:-1]) & (bins[:, None] < BAND_EDGES_HZ[1:])).astype(
        np.float32
    )
    mel = mel_triangles(bins)
    inside = (bins >= _GCC_HZ[0]) & (bins <= _GCC_HZ[1])
    lag = np.exp(2j * np.pi * bins[inside, None] * LAGS_S).astype(np.complex64)
    return window, bins, bands, mel, inside, lag


def window_spectra(
    samples: np.ndarray, first: int, start: int, stop: int, rate: int
) -> tuple[np.ndarray, tuple[np.ndarray, ...]]:
    """Return spectra of full-scale-normalised windows, and the tables that go with them.

    Parameters
    ----------
    samples : ndarray [channels, n]
        As from `stretches`, like the numbers that follow.
    first, start, stop, rate : int

    Returns
    -------
    spectra : ndarray of complex [channels, frames, windows a frame, bins]
    tables : tuple of ndarray
        The third holds the bins' places in the bands [bins, bands].
    """
    tables = _tables(rate)
    starts = [_start(k, rate) - first for k in range(start * _PER_FRAME, stop * _PER_FRAME)]
    before = max(0, -starts[0])
    padded = np.pad(samples, ((0, 0), (before, 0)))
    index = (np.array(starts) + before)[:, None] + np.arange(_size(rate))
    window = tables[0]
    scaled = window / np.sqrt(0.5 * np.sum(window**2) * len(window))
    spectra = np.fft.rfft(padded[:, index] * scaled)[..., : len(tables[1])].astype(np.complex64)
    return spectra.reshape(len(samples), stop - start, _PER_FRAME, -1), tables


def _mel_power(spectra: np.ndarray, tables: tuple[np.ndarray, ...]) -> np.ndarray:
    power = spectra.real**2 + spectra.imag**2
    return power.sum(0) @ tables[3]


def _frames(
    pair: np.ndarray, first: int, start: int, stop: int, rate: int, watch: Watch | None
) -> tuple[np.ndarray, ...]:
    """Measure frames `start` to `stop`; `pair` begins at sample `first`."""
    spectra, tables = window_spectra(pair, first, start, stop, rate)
    _, hz, bands, _, inside, lag = tables
    if watch is not None:
        watch(spectra, hz)
    power = (spectra.real**2 + spectra.imag**2).mean(2)
    cross = (spectra[0] * spectra[1].conj()).mean(1)
    gcc = _phat(cross[:, inside], power[:, :, inside]) @ lag
    gcc = gcc.real.astype(np.float32)
    itd = LAGS_S[np.abs(gcc).argmax(1)]
    turn = np.exp(2j * np.pi * itd[:, None] * tables[1]).astype(np.complex64)
    return (
        _level(pair, first, start, stop, rate),
        power[0] @ bands,
        power[1] @ bands,
        cross.real @ bands,
        (cross * turn).real @ bands,
        gcc,
        _mel_power(spectra, tables),
    )


def _phat(cross: np.ndarray, power: np.ndarray) -> np.ndarray:
    """Whiten the cross-power [frames, bins], trusting bins that are coherent and not noise.

    Plain PHAT gives empty bins the weight of loud ones, which drowns tonal sounds; a cube root of
    the bin's level keeps most of the whitening and mutes empty bins.
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


def _edges_hz() -> np.ndarray:
    edges = [100.0]
    while edges[-1] < 8000.0:
        edges.append(edges[-1] + min(max(40.0, 0.1 * edges[-1]), 160.0))
    return np.array(edges)


_EDGES_HZ = _edges_hz()
CELL_HZ = 0.5 * (_EDGES_HZ[1:] + _EDGES_HZ[:-1])
"""Centres of the cells' bands: narrow enough for the phase of a pair 50 cm apart."""

_PER_FRAME_CELLS = round(HOP_S / WINDOW_STEP_S)
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
        mean += [_by_frame(left + right) / _PER_FRAME_CELLS, total / _PER_FRAME_CELLS]
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
    return values.reshape(-1, _PER_FRAME_CELLS, values.shape[1]).sum(1)


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
