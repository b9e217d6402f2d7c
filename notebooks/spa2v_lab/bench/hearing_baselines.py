"""Baselines of localization, which know the capture format.

Every method looks at `SEGMENT_S` of sound around the middle of a cue frame and names as many
directions as there are sources, which it is told.

raw ILD
    Level of the whole right channel over the left, read through the format's own gains.
GCC-PHAT
    Highest peaks of the phase-transform cross-correlation (Knapp and Carter, 1976), read through
    the format's own delays.
SRP-PHAT, MUSIC
    pyroomacoustics' own, with two omnidirectional microphones in the open where the capsules or
    ears are. Two microphones leave MUSIC one source.
straight ahead
    0° always: what no hearing at all would score.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from spa2v_lab.scenes.receivers import SPEED_OF_SOUND, Receiver, get_receiver

if TYPE_CHECKING:
    from spa2v_lib.audio.recording import Recording

__all__ = ["METHODS", "SEGMENT_S", "estimate", "gcc_phat"]

METHODS = ("raw ILD", "GCC-PHAT", "SRP-PHAT", "MUSIC", "straight ahead")

SEGMENT_S = 0.2

_GRID_DEG = np.arange(-90.0, 90.5, 1.0)
_SPACING_M = {"ortf": 0.17, "ab": 0.5, "binaural": 0.175}
_RATE_HZ = 16_000
_FFT = 256
_BAND_HZ = (200.0, 4000.0)


def estimate(
    method: str, recording: Recording, capture: str, times_s: np.ndarray, sources: int
) -> np.ndarray | None:
    """Return directions per frame.

    Parameters
    ----------
    method : str
        One of `METHODS`.
    recording : Recording
        Left, right; for "foa" the four channels of AmbiX (W, Y, Z, X).
    capture : str
    times_s : ndarray [frames]
        Middles of the frames.
    sources : int
        How many directions are wanted.

    Returns
    -------
    ndarray [directions, frames] or None
        At most `sources` directions, in degrees; NaN where nothing is found. None where the
        method means nothing with this format.

    See Also
    --------
    spa2v_lib.extract_cues : what they are compared with

    Examples
    --------
    >>> from spa2v_lib.audio.recording import Recording
    >>> noise = np.random.default_rng(0).standard_normal(8000)
    >>> right = Recording.from_samples(np.stack([0.25 * noise, noise]), 16_000)
    >>> azimuth = estimate("raw ILD", right, "panned", np.array([0.1, 0.2]), sources=1)
    >>> bool((azimuth > 20).all())
    True
    """
    if method == "straight ahead":
        return np.zeros((1, len(times_s)))
    if method == "raw ILD":
        return _raw_ild(recording, capture, times_s)
    if capture not in _SPACING_M:
        return None
    if method == "GCC-PHAT":
        return _gcc_phat(recording, capture, times_s, sources)
    return _array_method(method, recording, capture, times_s, sources)


def _segments(samples: np.ndarray, rate: int, times_s: np.ndarray) -> np.ndarray:
    """Return the sound around each time [frames, channels, n]; beyond the ends there is silence."""
    half = round(SEGMENT_S * rate / 2)
    padded = np.pad(samples.astype(float), ((0, 0), (half, half)))
    starts = np.round(np.asarray(times_s) * rate).astype(int)
    starts = np.clip(starts, 0, padded.shape[1] - 2 * half)
    return np.stack([padded[:, s : s + 2 * half] for s in starts])


def _raw_ild(recording: Recording, capture: str, times_s: np.ndarray) -> np.ndarray | None:
    samples = recording.samples
    if capture == "foa":  # cardioids to the left and right
        samples = np.stack([samples[0] + samples[1], samples[0] - samples[1]])
        gains = 0.5 * (1.0 + np.stack([-1.0, 1.0])[:, None] * np.sin(np.radians(_GRID_DEG)))
    else:
        gains = _broadband_gains(get_receiver(capture))
    table = 20.0 * np.log10(np.maximum(gains[1], 1e-3) / np.maximum(gains[0], 1e-3))
    if np.ptp(table) < 1.0:
        return None
    power = (_segments(samples, recording.rate, times_s) ** 2).sum(2) + 1e-20
    ild_db = 10.0 * np.log10(power[:, 1] / power[:, 0])
    rising = np.maximum.accumulate(table) + 1e-9 * _GRID_DEG
    return np.interp(ild_db, rising, _GRID_DEG)[None]


def _broadband_gains(receiver: Receiver) -> np.ndarray:
    """Return the amplitude of white noise in both channels [2, directions]."""
    level = np.zeros_like(_GRID_DEG)
    gains = np.abs(receiver.gains(_GRID_DEG, level)[:2])
    shadow = receiver.shadow(_GRID_DEG, level)
    if shadow is None:
        return gains
    omega = 2 * np.pi * np.linspace(100.0, 8000.0, 80)[:, None, None]
    corner = 1j * omega / (2 * receiver.shadow_rad_s)
    response = np.abs((1 + corner * shadow) / (1 + corner))
    return gains * np.sqrt((response**2).mean(axis=0))


def gcc_phat(
    pairs: np.ndarray, rate: int, most_s: float, finer: int = 8
) -> tuple[np.ndarray, np.ndarray]:
    """Return the phase-transform cross-correlation (Knapp and Carter, 1976) of two channels.

    Parameters
    ----------
    pairs : ndarray [..., 2, samples]
        Left, right; windowed by the caller, if at all.
    rate : int
        Samples a second.
    most_s : float
        Largest lead that is of interest, in seconds.
    finer : int
        Values for each sample of delay.

    Returns
    -------
    lead_s : ndarray [leads]
        By how much the right channel is earlier, rising from about `-most_s` to `most_s`.
    values : ndarray [..., leads]
        At most about 1, where the channels are copies of each other.

    Examples
    --------
    >>> left = np.random.default_rng(0).standard_normal(1000)
    >>> lead_s, values = gcc_phat(np.stack([left, np.roll(left, -3)]), 1000, 0.01)
    >>> round(float(1000 * lead_s[values.argmax()]), 3)
    3.0
    """
    size = pairs.shape[-1]
    spectra = np.fft.rfft(pairs, 2 * size)  # twice the length, or late samples meet early ones
    cross = spectra[..., 0, :].conj() * spectra[..., 1, :]
    phase = cross / (np.abs(cross) + 1e-12)
    lags = finer * np.fft.irfft(phase, 2 * size * finer)
    reach = int(np.ceil(most_s * rate * finer))
    # right earlier: its phase leads, and the peak lies at a negative lag
    values = np.concatenate([lags[..., -reach:], lags[..., : reach + 1]], axis=-1)[..., ::-1]
    return np.arange(-reach, reach + 1) / (rate * finer), values


def _gcc_phat(recording: Recording, capture: str, times_s: np.ndarray, sources: int) -> np.ndarray:
    delays = get_receiver(capture).delays_s(_GRID_DEG, np.zeros_like(_GRID_DEG))
    lead = delays[0] - delays[1]  # the right channel's, rising with azimuth
    segments = _segments(recording.samples, recording.rate, times_s)
    windowed = segments * np.hanning(segments.shape[2])
    lead_s, values = gcc_phat(windowed, recording.rate, lead.max() + 0.125 / recording.rate)
    found = np.full((sources, len(times_s)), np.nan)
    for frame, row in enumerate(values):
        for rank, peak in enumerate(_peaks(row)[:sources]):
            found[rank, frame] = np.interp(lead_s[peak], lead, _GRID_DEG)
    return found


def _peaks(row: np.ndarray) -> np.ndarray:
    """Return where local maxima are, the highest first."""
    inner = np.flatnonzero((row[1:-1] >= row[:-2]) & (row[1:-1] > row[2:])) + 1
    if not len(inner):
        return np.array([int(row.argmax())])
    return inner[np.argsort(-row[inner])]


def _array_method(
    method: str, recording: Recording, capture: str, times_s: np.ndarray, sources: int
) -> np.ndarray:
    from pyroomacoustics.doa import MUSIC, SRP

    algorithm, count = (MUSIC, 1) if method == "MUSIC" else (SRP, sources)
    half = _SPACING_M[capture] / 2
    places = np.array([[-half, half], [0.0, 0.0]])
    # its angles go from the right-hand side over ahead to the left-hand side
    finder = algorithm(
        places,
        _RATE_HZ,
        _FFT,
        c=SPEED_OF_SOUND,
        num_src=count,
        azimuth=np.radians(90.0 - _GRID_DEG[::-1]),
    )
    sound = recording.resampled(_RATE_HZ).samples
    found = np.full((count, len(times_s)), np.nan)
    for frame, segment in enumerate(_segments(sound, _RATE_HZ, times_s)):
        if not segment.any():
            continue
        finder.locate_sources(_spectra(segment), num_src=count, freq_range=list(_BAND_HZ))
        named = 90.0 - np.degrees(np.atleast_1d(finder.azimuth_recon))
        found[: len(named), frame] = named[:count]
    return found


def _spectra(segment: np.ndarray) -> np.ndarray:
    """Return short-time spectra [channels, bins, windows]."""
    windows = np.lib.stride_tricks.sliding_window_view(segment, _FFT, axis=1)[:, :: _FFT // 2]
    return np.fft.rfft(windows * np.hanning(_FFT)).transpose(0, 2, 1)
