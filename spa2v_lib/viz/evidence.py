"""The numbers that figures of an analysis are drawn from, beside those in the cues."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from spa2v_lib.cues.doppler import Passage
from spa2v_lib.cues.features import mel_triangles
from spa2v_lib.cues.formats import SOUND_M_S
from spa2v_lib.cues.steering import densities, steering

if TYPE_CHECKING:
    from spa2v_lib.audio.recording import Recording
    from spa2v_lib.cues.extract import Analysis
    from spa2v_lib.cues.types import SourceTrack

__all__ = [
    "MOST_COLUMNS",
    "SPECTRUM_DB",
    "direction_evidence",
    "mel_spectrum",
    "pass_by_curves",
]

MOST_COLUMNS = 900
"""A longer recording's moments are summed up, so that its page stays small."""

SPECTRUM_DB = 60.0
"""Levels that a spectrogram's colours span."""

_MEL_BANDS = 96
_MEL_HZ = 700.0  # where the mel scale turns from lines to logarithms
_SPAN_DB = 30.0
_WIDTH_DEG = 5.0  # how wide a bin's flow is drawn
_BLOCK = 256  # frames


def direction_evidence(analysis: Analysis) -> tuple[np.ndarray, np.ndarray]:
    """Return how much sound arrives from each direction, frame by frame.

    Every time–frequency bin gives a density over directions; the densities are added up, each
    weighted by its directness and the square root of its power. Nothing is tracked or smoothed
    over time, so that a track can be held against it.

    Parameters
    ----------
    analysis : Analysis
        Of a recording with a capture format other than "mono".

    Returns
    -------
    evidence : ndarray [frames, directions]
        In [0, 1]; on a scale of decibels, 0 where it is 30 dB below the most.
    azimuth_deg : ndarray [directions]

    See Also
    --------
    spa2v_lib.viz.analysis_page.map_svg : Draws it.

    Examples
    --------
    >>> from spa2v_lib import Recording
    >>> from spa2v_lib.cues import analyze
    >>> noise = np.random.default_rng(0).normal(0, 0.1, 8000)
    >>> recording = Recording.from_samples(np.stack([0.5 * noise, noise]), 16_000)
    >>> analysis = analyze(recording, label="car", capture="panned")
    >>> evidence, azimuth_deg = direction_evidence(analysis)
    >>> float(azimuth_deg[evidence[2].argmax()])
    18.0
    """
    foa = analysis.cues.capture.format == "foa"
    weight, azimuth_deg = _from_flow(analysis) if foa else _from_bins(analysis)
    level = 20.0 * np.log10(weight / (weight.max() + 1e-12) + 1e-6)
    return np.clip(1.0 + level / _SPAN_DB, 0.0, 1.0), azimuth_deg


def _from_bins(analysis: Analysis) -> tuple[np.ndarray, np.ndarray]:
    capture = analysis.cues.capture
    table = steering(capture.format, capture.pair_spacing_m)
    sums = np.zeros((len(analysis.active), len(table.azimuth_deg)))
    if analysis.active.any():
        bins = analysis.bins
        for begin in range(0, len(sums), _BLOCK):
            stop = begin + _BLOCK
            weight = bins.weight[begin:stop] * np.sqrt(bins.power[begin:stop])
            sums[begin:stop] = (densities(bins, table, begin, stop) * weight[..., None]).sum(1)
    return sums, table.azimuth_deg


def _from_flow(analysis: Analysis) -> tuple[np.ndarray, np.ndarray]:
    flow, around = analysis.intensity, np.arange(-180.0, 181.0, 3.0)
    azimuth = np.degrees(np.arctan2(flow.right, flow.ahead))
    weight = np.sqrt(flow.energy) * flow.directness**2
    sums = np.zeros((len(azimuth), len(around)))
    for band in range(azimuth.shape[1]):
        off = (azimuth[:, band, None] - around + 180.0) % 360.0 - 180.0
        sums += weight[:, band, None] * np.exp(-0.5 * (off / _WIDTH_DEG) ** 2)
    return sums, around


def pass_by_curves(
    source: SourceTrack, times: np.ndarray
) -> tuple[np.ndarray | None, np.ndarray | None]:
    """Return the level in dB and the pitch in Hz that the fitted pass-by predicts [frames].

    The fit predicts how both change; their offset is the median of what was measured.

    Parameters
    ----------
    source : SourceTrack
        One source of the cues.
    times : ndarray [frames]
        Of the cues, in seconds.

    Returns
    -------
    level_db, pitch_hz : ndarray [frames] or None
        None without a fitted pass-by; no pitch where none was measured or no speed was fitted.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> pass_by_curves(SimpleNamespace(pass_by=None), np.arange(3.0))
    (None, None)
    """
    if source.pass_by is None:
        return None, None
    fit = source.pass_by
    mach = 0.0 if fit.speed_m_s is None else fit.speed_m_s.value / SOUND_M_S
    passage = Passage(fit.closest_s.value, fit.speed_over_distance.value, mach)
    level = -10.0 * np.log10(1.0 + passage.position(times) ** 2)
    sounds = np.array(source.active)
    level += np.median((np.array(source.level_db) - level)[sounds])
    pitch = np.array([np.nan if value is None else value for value in source.pitch_hz])
    if fit.speed_m_s is None or not np.isfinite(pitch).any():
        return level, None
    shift = passage.shift(times)
    return level, np.exp(shift + np.nanmedian(np.log(pitch) - shift))


def mel_spectrum(part: Recording) -> tuple[np.ndarray, np.ndarray]:
    """Return a mel spectrogram with 96 bands from 50 Hz to 16 kHz, or to half the rate.

    Parameters
    ----------
    part : Recording
        A short part of a recording.

    Returns
    -------
    level_db : ndarray [bands, windows]
    hz : ndarray [bands]
        Centres of the bands.

    See Also
    --------
    spa2v_lib.viz.svg.spectrogram_svg : Draws one.

    Examples
    --------
    >>> from spa2v_lib import Recording
    >>> tone = np.sin(2 * np.pi * 1000 * np.arange(8000) / 16_000)
    >>> level_db, hz = mel_spectrum(Recording.from_samples(np.stack([tone, tone]), 16_000))
    >>> bool(abs(hz[level_db.mean(1).argmax()] - 1000) < 50)
    True
    """
    top = min(16_000.0, 0.5 * part.rate)
    size = 2 * round(0.02 * part.rate)
    bins = 2 ** int(np.ceil(np.log2(size)))
    edges = _MEL_HZ * np.expm1(
        np.linspace(np.log1p(50.0 / _MEL_HZ), np.log1p(top / _MEL_HZ), _MEL_BANDS + 2)
    )
    samples = np.pad(part.mono(), size // 2)
    starts = range(0, len(samples) - size + 1, max(size // 2, part.frames // MOST_COLUMNS))
    window = np.hanning(size + 1)[:-1]
    weights = mel_triangles(np.fft.rfftfreq(bins, 1.0 / part.rate), edges)
    power = np.stack(
        [
            np.abs(np.fft.rfft(window * samples[start : start + size], bins)) ** 2 @ weights
            for start in starts
        ],
        axis=1,
    )
    # Wider bands would look louder for the same sound.
    power *= (2.0 / (edges[2:] - edges[:-2]))[:, None]
    return 10.0 * np.log10(power + 1e-12), edges[1:-1]
