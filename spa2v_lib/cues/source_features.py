"""Each source of a recording as if it had been heard alone."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from spa2v_lib.cues.ambisonics import Intensity, track_direction
from spa2v_lib.cues.capture import FORMATS, GRID_DEG, Format, Reading
from spa2v_lib.cues.features import (
    BAND_CENTRES_HZ,
    CELL_HZ,
    LAGS_S,
    MEL_EDGES_HZ,
    CellMeter,
    Cells,
    Interaural,
    mel_triangles,
)
from spa2v_lib.cues.localization import Track, track_azimuth
from spa2v_lib.cues.multisource import MOST_SOURCES, Mixture, count_sources, ownership
from spa2v_lib.cues.separation import separated
from spa2v_lib.cues.steering import Steering, steering

if TYPE_CHECKING:
    from spa2v_lib.audio.recording import Recording

__all__ = ["Found", "HeardSource", "SourcePart", "heard_sources", "source_parts"]

_LEAST_FRAMES = 5
_PITCH_RATE = 16_000  # what pitch and Doppler shift are heard at: their lines lie below 7 kHz

_NEAR_FRAMES = 4  # on either side, within which cells from anywhere follow the sources around them
_QUIET_DB = 30.0  # a frame this far below a source's loud ones is its silence
_SMOOTH_FRAMES = 7
_WIDER, _WIDER_DEG = 1.4, 2.5  # what other sources add to the error
_LEAST_SHARE = 0.03  # of what all sources sound; less is what masks leak


@dataclass(frozen=True)
class HeardSource:
    """One source as the rest of hearing takes it.

    Attributes
    ----------
    heard : Interaural
    active : ndarray of bool [frames]
    track : Track or None
        None where no direction is claimed.
    sound : Recording
        Its own signal.
    """

    heard: Interaural
    active: np.ndarray
    track: Track | None
    sound: Recording


@dataclass(frozen=True)
class Found:
    """All sources, loudest first, and the 90 % interval of their number."""

    sources: list[HeardSource]
    low: int
    high: int


def heard_sources(
    recording: Recording,
    reading: Reading,
    active: np.ndarray,
    meter: CellMeter,
    flow: Intensity | None,
) -> Found:
    """Find the sources of a recording.

    Parameters
    ----------
    recording : Recording
        Of two channels, where directions are read.
    reading : Reading
    active : ndarray of bool [frames]
        Where anything sounds; not nowhere.
    meter : CellMeter
        That has seen the recording.
    flow : Intensity or None
        Of ambisonics, whose `middle_side` the recording is.
    """
    heard = reading.heard
    if not reading.directed:
        return Found([HeardSource(heard, active, None, recording)], 1, MOST_SOURCES)
    low, high = 1, MOST_SOURCES
    if reading.spread and active.sum() >= _LEAST_FRAMES:
        capture = "ms" if flow is not None else reading.guess.format
        item, table = FORMATS[capture], steering(capture)
        cells = meter.cells(active, reading.sign)
        counted = count_sources(cells, table)
        low, high = counted.low, counted.high
        if len(counted.mixture.paths) > 1:
            parts = source_parts(heard, active, cells, table, item, counted.mixture)
            if len(parts) > 1:
                apart = _apart(recording, reading, capture, parts)
                if flow is not None:
                    apart = [_all_around(source, flow) for source in apart]
                return Found(apart, low, high)
    track = (
        track_direction(heard, flow, active)
        if flow is not None
        else track_azimuth(heard, active, reading.guess.format, sure=reading.sure)
    )
    return Found([HeardSource(heard, active, track, recording)], low, high)


def _apart(
    recording: Recording, reading: Reading, capture: str, parts: list[SourcePart]
) -> list[HeardSource]:
    tracks = [_track(part, capture, reading.sure) for part in parts]
    power = [np.where(part.active, 10.0 ** (part.heard.level_db / 10.0), 0.0) for part in parts]
    azimuth = np.stack([track.azimuth for track in tracks])
    narrow = recording.resampled(min(recording.rate, _PITCH_RATE))
    sounds = separated(narrow, capture, azimuth, np.stack(power), reading.sign)
    return [
        HeardSource(part.heard, part.active, track, sound)
        for part, track, sound in zip(parts, tracks, sounds, strict=True)
    ]


def _all_around(source: HeardSource, flow: Intensity) -> HeardSource:
    """Turn a source to the back if the energy in its bands flows from there."""
    power = source.heard.left + source.heard.right
    ahead = (power * flow.ahead / (flow.energy + 1e-20)).sum()
    if ahead >= 0.0 or source.track is None:
        return source
    track = source.track
    back = np.where(track.azimuth >= 0.0, 180.0, -180.0)
    turned = replace(
        track,
        azimuth=back - track.azimuth,
        low=back - track.high,
        high=back - track.low,
        raw=back - track.raw,
    )
    return replace(source, track=turned)


def _track(part: SourcePart, capture: str, sure: bool) -> Track:
    """Return the path through the mixture with the interval of the source's own cells.

    Where the two disagree, the interval is wider.
    """
    track = track_azimuth(part.heard, part.active, capture, sure=sure)
    taps = np.hanning(_SMOOTH_FRAMES + 2)[1:-1]
    padded = np.pad(part.azimuth_deg, _SMOOTH_FRAMES // 2, mode="edge")
    azimuth = np.convolve(padded, taps / taps.sum(), "valid")
    off = _WIDER_DEG + np.abs(track.azimuth - azimuth)
    low = azimuth - np.hypot(_WIDER * (track.azimuth - track.low), off)
    high = azimuth + np.hypot(_WIDER * (track.high - track.azimuth), off)
    return replace(
        track, azimuth=azimuth, low=np.clip(low, -90.0, 90.0), high=np.clip(high, -90.0, 90.0)
    )


@dataclass(frozen=True)
class SourcePart:
    """What one source makes of a recording.

    Attributes
    ----------
    heard : Interaural
        As measured from the source's own cells; level and mel bands hold its share of the rest.
    active : ndarray of bool [frames]
        Where it sounds.
    azimuth_deg : ndarray [frames]
        Its path through the mixture.
    """

    heard: Interaural
    active: np.ndarray
    azimuth_deg: np.ndarray


def source_parts(
    heard: Interaural,
    active: np.ndarray,
    cells: Cells,
    table: Steering,
    item: Format,
    mixture: Mixture,
) -> list[SourcePart]:
    """Divide a recording among its sources, loudest first.

    Parameters
    ----------
    heard : Interaural
        Of the whole recording.
    active : ndarray of bool [frames]
        Where anything sounds.
    cells : Cells
    table : Steering
    item : Format
    mixture : Mixture
    """
    owned = ownership(cells, table, mixture)
    masks = _masks(owned, cells)
    sounded = np.einsum("kfb,fb->kf", owned[1:], cells.power)
    parts = [
        SourcePart(
            _alone(heard, cells, item, own, mask, table.azimuth_deg[path]),
            active & _sounds(sounded[k], sounded.sum(0)),
            table.azimuth_deg[path],
        )
        for k, (own, mask, path) in enumerate(zip(owned[1:], masks, mixture.paths, strict=True))
    ]
    order = np.argsort(-sounded.sum(1), kind="stable")
    return [parts[k] for k in order if parts[k].active.any()]


def _masks(owned: np.ndarray, cells: Cells) -> np.ndarray:
    """Return each source's share of every cell, cells from anywhere included; they add up to 1."""
    strength = owned[1:] * (np.sqrt(cells.power) * cells.trust + 1e-12)
    padded = np.pad(strength, ((0, 0), (_NEAR_FRAMES + 1, _NEAR_FRAMES), (0, 0)))
    total = np.cumsum(padded, axis=1, dtype=np.float64)
    width = 2 * _NEAR_FRAMES + 1
    near = total[:, width:] - total[:, :-width] + 1e-12
    return owned[1:] + owned[:1] * (near / near.sum(0)).astype(np.float32)


def _sounds(own: np.ndarray, everyone: np.ndarray) -> np.ndarray:
    loud = np.percentile(own, 95)
    return (own > loud * 10.0 ** (-_QUIET_DB / 10.0)) & (own > _LEAST_SHARE * everyone)


def _alone(
    heard: Interaural,
    cells: Cells,
    item: Format,
    own: np.ndarray,
    mask: np.ndarray,
    azimuth_deg: np.ndarray,
) -> Interaural:
    bands = _nearest(BAND_CENTRES_HZ)
    delay = np.interp(azimuth_deg, GRID_DEG, item.delay_s)
    turn = np.exp(2j * np.pi * delay[:, None] * CELL_HZ)
    certain = own * np.maximum(cells.trust, 0.02)
    cross = certain * cells.cross
    share = (mask * cells.power).sum(1) / (cells.power.sum(1) + 1e-20)
    level = heard.level_db + 10.0 * np.log10(share + 1e-12)
    return Interaural(
        times_s=heard.times_s,
        level_db=np.maximum(level, -120.0),
        left=(certain * cells.left) @ bands,
        right=(certain * cells.right) @ bands,
        cross=cross.real @ bands,
        aligned=(cross * turn).real @ bands,
        gcc=_gcc(cells, certain),
        mel=_masked_mel(heard.mel, cells.power, mask),
    )


@cache
def _lags() -> np.ndarray:
    return np.exp(2j * np.pi * CELL_HZ[:, None] * LAGS_S).astype(np.complex64)


def _gcc(cells: Cells, certain: np.ndarray) -> np.ndarray:
    """Return the cross-correlation of a source's cells, whitened as in `interaural`."""
    geometric = np.sqrt(cells.left * cells.right) + 1e-20
    size = np.abs(cells.cross)
    weight = certain * geometric ** (1.0 / 3.0) * (size / geometric)
    white = cells.cross / (size + 1e-20) * weight
    white /= weight.sum(1, keepdims=True) + 1e-20
    return (white.astype(np.complex64) @ _lags()).real


def _nearest(centres_hz: np.ndarray) -> np.ndarray:
    """Return which of the wider bands each cell is in [bands, wider bands]."""
    borders = np.sqrt(centres_hz[1:] * centres_hz[:-1])
    inside = np.searchsorted(borders, CELL_HZ)
    return (inside[:, None] == np.arange(len(centres_hz))).astype(np.float32)


@cache
def _mel_weights() -> np.ndarray:
    """Return the cells' weight in each mel band [bands, 40]: triangles, or the nearest cell."""
    peaks = MEL_EDGES_HZ[1:-1]
    nearest = np.abs(CELL_HZ[:, None] - peaks).argmin(0) == np.arange(len(CELL_HZ))[:, None]
    return mel_triangles(CELL_HZ) + 1e-3 * nearest.astype(np.float32)


def _masked_mel(mel: np.ndarray, power: np.ndarray, mask: np.ndarray) -> np.ndarray:
    weights = _mel_weights()
    share = ((mask * power) @ weights + 1e-20) / (power @ weights + 1e-20)
    return mel * np.repeat(np.minimum(share, 1.0), len(mel) // len(share), axis=0)
