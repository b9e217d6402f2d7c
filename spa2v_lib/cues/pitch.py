"""Pitch: the fundamental of tonal sounds, and how far a spectrum is shifted against another.

Both work on a logarithmic frequency axis, where a change of pitch, Doppler's too, is a shift.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from spa2v_lib.cues.types import HOP_S
from spa2v_lib.cues.windows import windowed

if TYPE_CHECKING:
    from spa2v_lib.audio.recording import Recording

__all__ = ["LOG_STEP", "LineSpectra", "line_spectra", "shift_between", "track_pitch"]

LOG_STEP = 1e-3
"""Step of the logarithmic frequency axis – a factor of exp(0.001)."""

_LOWEST_HZ, _HIGHEST_HZ = 60.0, 7000.0
_WINDOW_S = 0.2
_BASELINE = 0.03  # peaks are what stands out of a moving mean this wide, in ln(frequency)
_PITCH_HZ = (60.0, 2000.0)
_HARMONICS = 8
_FADING = 0.84  # weight of each harmonic over the one before
_CLEAR = 0.25  # share of the line spectrum that a pitch's harmonics must hold


@dataclass(frozen=True)
class LineSpectra:
    """Spectral lines over time.

    Attributes
    ----------
    times_s : ndarray [frames]
        Centres of the windows, which are 0.2 s long.
    lines : ndarray [frames, steps]
        Fourth root of the power, without its local mean and of unit length, on a frequency axis
        with a factor of ``exp(LOG_STEP)`` from one to the next; 0 where it is silent.

    Examples
    --------
    >>> import numpy as np
    >>> from spa2v_lib.audio import Recording
    >>> noise = 0.1 * np.random.default_rng(0).normal(size=16000)
    >>> spectra = line_spectra(Recording.from_samples(noise[None], 16000), 0.2, 0.8)
    >>> len(spectra.times_s) == len(spectra.lines)
    True
    """

    times_s: np.ndarray
    lines: np.ndarray


def line_spectra(
    recording: Recording, start_s: float, stop_s: float, step_s: float = 0.05
) -> LineSpectra:
    """Measure the line spectra of a part of a recording.

    Parameters
    ----------
    recording : Recording
        At any sampling rate.
    start_s, stop_s : float
        Centres of the first and the last window; what lies outside the recording is silent.
    step_s : float
        Seconds from one window to the next.

    Returns
    -------
    LineSpectra

    See Also
    --------
    shift_between : Compares them.
    track_pitch : The fundamental of each.

    Examples
    --------
    >>> import numpy as np
    >>> from spa2v_lib.audio import Recording
    >>> noise = 0.1 * np.random.default_rng(0).normal(size=16000)
    >>> line_spectra(Recording.from_samples(noise[None], 16000), 0.2, 0.8, step_s=0.2).times_s
    array([0.2, 0.4, 0.6, 0.8])
    """
    count = max(1, int((stop_s - start_s) / step_s + 1e-6) + 1)
    times = start_s + step_s * np.arange(count)
    begin = max(0.0, start_s - _WINDOW_S)
    part = recording.cut(begin, stop_s + _WINDOW_S - begin)
    lines = [_lines(power, recording.rate) for power in _powers(part, times - begin)]
    return LineSpectra(times, np.concatenate(lines))


def shift_between(
    lines: np.ndarray, template: np.ndarray, expected: np.ndarray, reach: float = 0.01
) -> tuple[np.ndarray, np.ndarray]:
    """Find by how much each spectrum is higher than a template.

    Parameters
    ----------
    lines : ndarray [frames, steps]
        Spectra on an axis of equal musical steps.
    template : ndarray [steps]
        A spectrum on the same axis.
    expected : ndarray [frames]
        Shift in ln(frequency) around which is searched.
    reach : float
        How far from it.

    Returns
    -------
    shift : ndarray [frames]
        In ln(frequency), finer than `LOG_STEP`.
    likeness : ndarray [frames]
        Correlation with the shifted template, in [-1, 1].

    See Also
    --------
    line_spectra : The spectra.

    Examples
    --------
    >>> import numpy as np
    >>> template = np.exp(-0.5 * ((np.arange(200) - 100) / 3.0) ** 2)
    >>> shift, likeness = shift_between(np.roll(template, 5)[None], template, np.zeros(1))
    >>> shift.round(4), likeness.shape
    (array([0.005]), (1,))
    """
    half = round(reach / LOG_STEP) + 1
    middle = np.round(expected / LOG_STEP).astype(int)
    room = half + int(np.abs(middle).max())
    padded = np.pad(lines, ((0, 0), (room, room)))
    starts, length = room + middle - half, len(template) + 2 * half
    near = np.stack(
        [
            np.correlate(row[start : start + length], template, "valid")
            for row, start in zip(padded, starts, strict=True)
        ]
    )
    rows = np.arange(len(lines))
    peak = 1 + near[:, 1:-1].argmax(1)
    before, here, after = (near[rows, peak + k] for k in (-1, 0, 1))
    bend = before - 2.0 * here + after
    part = np.where(bend < -1e-12, 0.5 * (before - after) / np.minimum(bend, -1e-12), 0.0)
    shift = (middle + peak - half + np.clip(part, -0.5, 0.5)) * LOG_STEP
    return shift, here / (np.sqrt((template**2).sum()) + 1e-12)


def track_pitch(recording: Recording, frames: int, active: np.ndarray) -> np.ndarray:
    """Return the fundamental frequency at every cue frame, block by block.

    Parameters
    ----------
    recording : Recording
        Of one source.
    frames : int
        Number of cue frames, `HOP_S` apart.
    active : ndarray of bool [frames]
        Where the source sounds.

    Returns
    -------
    ndarray [frames]
        In Hz; NaN where the frame is silent, or holds no clear pitch between 60 and 2000 Hz.

    See Also
    --------
    spa2v_lib.cues.doppler.measured_shift : How the pitch of a passing source changes.

    Notes
    -----
    The pitch whose harmonics hold most of the line spectrum, each counted less than the one
    before: Hermes, "Measurement of pitch by subharmonic summation", JASA 83, 1988. It is then
    set to the weighted mean of the harmonics' own peaks.

    Examples
    --------
    >>> import numpy as np
    >>> from spa2v_lib.audio import Recording
    >>> t = np.arange(8000) / 16000
    >>> note = sum(np.sin(2 * np.pi * 220.0 * k * t) / k for k in range(1, 6))
    >>> pitch = track_pitch(Recording.from_samples(note[None], 16000), 5, np.ones(5, bool))
    >>> pitch.round().tolist()
    [220.0, 220.0, 220.0, 220.0, 220.0]
    """
    times = (np.arange(frames) + 0.5) * HOP_S
    found = [
        np.where(chunk, _fundamental(_lines(power, recording.rate)), np.nan)
        for power, chunk in zip(
            _powers(recording, times), _chunks(active, _BLOCK_FRAMES), strict=True
        )
    ]
    return np.concatenate(found)


_BLOCK_FRAMES = 100


def _chunks(values: np.ndarray, size: int) -> Iterator[np.ndarray]:
    for begin in range(0, len(values), size):
        yield values[begin : begin + size]


def _powers(recording: Recording, times_s: np.ndarray) -> Iterator[np.ndarray]:
    """Yield power spectra [frames, bins] around `times_s`, of the louder channel of each window."""
    size = 2 * round(_WINDOW_S * recording.rate / 2)
    hann = np.hanning(size + 1)[:-1].astype(np.float32)
    starts = np.round(times_s * recording.rate).astype(int) - size // 2
    for windows in windowed(recording, starts, size, _BLOCK_FRAMES):
        louder = (windows.astype(np.float64) ** 2).sum(2).argmax(0)
        spectra = np.fft.rfft(windows[louder, np.arange(len(louder))] * hann, 2 * size)
        yield spectra.real**2 + spectra.imag**2


def _axis_hz() -> np.ndarray:
    return np.exp(np.arange(np.log(_LOWEST_HZ), np.log(_HIGHEST_HZ), LOG_STEP))


def _lines(power: np.ndarray, rate: int) -> np.ndarray:
    """Return the lines [frames, steps] of power spectra [frames, bins]."""
    place = _axis_hz() * (2 * (power.shape[1] - 1)) / rate
    place = np.minimum(place, power.shape[1] - 1.001)
    index = place.astype(int)
    part = (place - index).astype(np.float32)
    root = power**0.25
    lines = root[:, index] * (1.0 - part) + root[:, index + 1] * part
    width = round(_BASELINE / LOG_STEP)
    total = np.cumsum(np.pad(lines, ((0, 0), (width + 1, width)), mode="edge"), axis=1)
    lines = lines - (total[:, 2 * width + 1 :] - total[:, : -2 * width - 1]) / (2 * width + 1)
    return lines / (np.sqrt((lines**2).sum(1, keepdims=True)) + 1e-9).astype(np.float32)


def _fundamental(lines: np.ndarray) -> np.ndarray:
    """Return the pitch of line spectra, NaN where none is clear [frames]."""
    axis = _axis_hz()
    candidates = int(np.searchsorted(axis, _PITCH_HZ[1]))
    positive = np.maximum(lines, 0.0)
    strength = np.zeros((len(lines), candidates))
    for harmonic in range(1, _HARMONICS + 1):
        up = round(np.log(harmonic) / LOG_STEP)
        part = positive[:, up : up + candidates]
        strength[:, : part.shape[1]] += _FADING ** (harmonic - 1) * part
    best = strength.argmax(1)
    rows = np.arange(len(lines))
    reach = np.arange(-4, 5)
    total, weight = np.zeros(len(lines)), np.zeros(len(lines))
    for harmonic in range(1, _HARMONICS + 1):
        index = best + round(np.log(harmonic) / LOG_STEP)
        near = np.clip(index[:, None] + reach, 0, positive.shape[1] - 1)
        height = positive[rows[:, None], near] ** 2
        total += (height * (near * LOG_STEP - np.log(harmonic))).sum(1)
        weight += height.sum(1)
    pitch = axis[0] * np.exp(total / (weight + 1e-12))
    return np.where(strength[rows, best] > _CLEAR, pitch, np.nan)
