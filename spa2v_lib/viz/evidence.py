"""The numbers that figures of an analysis are drawn from, beside those in the cues."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from spa2v_lib.cues.doppler import Passage
from spa2v_lib.cues.extract import Analysis
from spa2v_lib.cues.formats import SOUND_M_S
from spa2v_lib.cues.steering import densities, steering

if TYPE_CHECKING:
    from spa2v_lib.audio.recording import Recording
    from spa2v_lib.cues.types import SourceTrack, SpatialCues

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
_SPAN_DB = 30.0
_WIDTH_DEG = 5.0  # how wide a bin's flow is drawn
_BLOCK = 256  # frames


def direction_evidence(recording: Recording, cues: SpatialCues) -> tuple[np.ndarray, np.ndarray]:
    """Return how much sound comes from where, as each moment says for itself.

    Every time-frequency bin gives a density over directions; the densities are added up, each
    counted by its weight and the square root of its power. Nothing is tracked or smoothed over
    time, so that a track can be held against it.

    Parameters
    ----------
    recording : Recording
    cues : SpatialCues
        Say how it was recorded; not as "mono".

    Returns
    -------
    evidence : ndarray [frames, directions]
        In [0, 1]; on a scale of decibels, 0 where it is 30 dB below the most.
    azimuth_deg : ndarray [directions]
    """
    if cues.capture.format == "foa":
        found, azimuth_deg = _from_flow(Analysis(recording, cues))
    else:
        found, azimuth_deg = _from_bins(Analysis(recording, cues))
    level = 20.0 * np.log10(found / (found.max() + 1e-12) + 1e-6)
    return np.clip(1.0 + level / _SPAN_DB, 0.0, 1.0), azimuth_deg


def _from_bins(analysis: Analysis) -> tuple[np.ndarray, np.ndarray]:
    table = steering(analysis.cues.capture.format)
    found = np.zeros((len(analysis.active), len(table.azimuth_deg)))
    if analysis.active.any():
        bins = analysis.bins
        for begin in range(0, len(found), _BLOCK):
            stop = begin + _BLOCK
            weight = bins.weight[begin:stop] * np.sqrt(bins.power[begin:stop])
            found[begin:stop] = (densities(bins, table, begin, stop) * weight[..., None]).sum(1)
    return found, table.azimuth_deg


def _from_flow(analysis: Analysis) -> tuple[np.ndarray, np.ndarray]:
    flow, around = analysis.intensity, np.arange(-180.0, 181.0, 3.0)
    azimuth = np.degrees(np.arctan2(flow.right, flow.ahead))
    weight = np.sqrt(flow.energy) * flow.directness**2
    found = np.zeros((len(azimuth), len(around)))
    for band in range(azimuth.shape[1]):
        off = (azimuth[:, band, None] - around + 180.0) % 360.0 - 180.0
        found += weight[:, band, None] * np.exp(-0.5 * (off / _WIDTH_DEG) ** 2)
    return found, around


def pass_by_curves(
    source: SourceTrack, times: np.ndarray
) -> tuple[np.ndarray | None, np.ndarray | None]:
    """Return the level in dB and the pitch in Hz that the fitted path foretells [frames].

    The path tells how both change; their height is that of the measured course's middle.
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
    """Return levels in dB [bands, windows] and the bands' centres in Hz."""
    from librosa import feature, mel_frequencies

    top = min(16_000.0, 0.5 * part.rate)
    size = 2 * round(0.02 * part.rate)
    power = feature.melspectrogram(
        y=part.mono(),
        sr=part.rate,
        n_fft=2 ** int(np.ceil(np.log2(size))),
        win_length=size,
        hop_length=max(size // 2, part.frames // MOST_COLUMNS),
        n_mels=_MEL_BANDS,
        fmin=50.0,
        fmax=top,
    )
    hz = mel_frequencies(_MEL_BANDS + 2, fmin=50.0, fmax=top)[1:-1]
    return 10.0 * np.log10(power + 1e-12), hz
