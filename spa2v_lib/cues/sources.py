"""Where the dominant source is in every frame, and how sure that is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spa2v_lib.cues.capture import FORMATS, GRID_DEG, Format, direct_sound
from spa2v_lib.cues.interaural import LAGS_S, Interaural
from spa2v_lib.cues.smoothing import hold, local_lines

__all__ = ["Track", "activity", "track_azimuth"]

_ACTIVE_DB = 35.0  # a frame this far below the loud frames is silence
_FLOOR_DB = -85.0
_Z90 = 1.645
_XY_OVER_PANNED = 2.5  # degrees of azimuth per decibel, of one over the other, at the centre


@dataclass(frozen=True)
class Track:
    """Azimuth of one source over the frames, in degrees.

    Attributes
    ----------
    azimuth, low, high : ndarray [frames]
        Smoothed direction and its 90 % interval; held through silence.
    error : ndarray [frames]
        Standard error of changes along the track: a room's bias hardly changes, and counts little.
    weight : ndarray [frames]
        Trust in each frame; 0 where the source does not sound.
    dryness : float
        0 where a room answers louder than the source, 1 in the open.
    direct_db : ndarray [frames]
        Power of the direct sound over all power: what a room or noise adds is left out.
    """

    azimuth: np.ndarray
    low: np.ndarray
    high: np.ndarray
    error: np.ndarray
    weight: np.ndarray
    dryness: float
    direct_db: np.ndarray


def activity(heard: Interaural) -> np.ndarray:
    """Return where the source sounds [frames].

    Not where it is silent, and not where only a background is left: frames at the foot of the
    level whose sound comes from nowhere in particular, unlike that of the loud frames.
    """
    loud = np.percentile(heard.level_db, 95)
    sounds = heard.level_db > max(loud - _ACTIVE_DB, _FLOOR_DB)
    foot = np.percentile(heard.level_db, 5)
    low, high = heard.level_db < foot + 3.0, heard.level_db > loud - 6.0
    if sounds.any() and foot < loud - 12.0 and low.any():
        point = heard.coherence
        if point[low].mean() < 0.85 * point[high].mean():
            return sounds & ~low
    return sounds


def track_azimuth(heard: Interaural, active: np.ndarray, capture: str, *, sure: bool) -> Track:
    """Follow the dominant source.

    Parameters
    ----------
    heard : Interaural
    active : ndarray of bool [frames]
    capture : str
        A key of `FORMATS`.
    sure : bool
        Whether the format is known. If it is not, a coincident recording's interval also covers
        the XY reading of the same levels.

    Returns
    -------
    Track
    """
    item = FORMATS[capture]
    pan, share = _pan(heard, item)
    if item.has_delay:
        raw, trust = _from_delays(heard, active, item, pan, share)
    else:
        raw, trust = item.azimuth_from_pan(pan), share**2
    weight = np.where(active, trust * _loudness(heard), 0.0)
    smooth, error = local_lines(raw, weight)
    room = _room_error_deg(item) * _mean_near(1.0 - share, weight) ** 2
    floor = _floor_deg(item, smooth)
    half = _Z90 * np.sqrt(error**2 + floor**2 + room**2)
    change_error = np.sqrt(error**2 + floor**2 + (0.2 * room) ** 2)
    smooth = np.clip(smooth, -90.0, 90.0)
    low, high = np.clip(smooth - half, -90.0, 90.0), np.clip(smooth + half, -90.0, 90.0)
    if capture == "panned" and not sure:
        other = FORMATS["xy"].azimuth_from_pan(np.interp(smooth, GRID_DEG, item.pan_deg))
        wide = _XY_OVER_PANNED * half
        low, high = np.minimum(low, other - wide), np.maximum(high, other + wide)
        low, high = np.clip(low, -90.0, 90.0), np.clip(high, -90.0, 90.0)
    dryness = float(np.clip((np.average(share, weights=weight + 1e-12) - 0.6) / 0.3, 0.0, 1.0))
    direct = 10.0 * np.log10(_mean_near(share, weight, 4) + 1e-3)
    return Track(smooth, low, high, change_error, weight, dryness, direct)


def _loudness(heard: Interaural) -> np.ndarray:
    """Return the square root of each frame's power, over that of the loudest [frames]."""
    return 10.0 ** ((heard.level_db - heard.level_db.max()) / 20.0)


def _mean_near(values: np.ndarray, weight: np.ndarray, half: int = 8) -> np.ndarray:
    taps = np.ones(2 * half + 1)
    total = np.convolve(weight, taps)[half:-half]
    mean = np.convolve(weight * values, taps)[half:-half] / np.maximum(total, 1e-12)
    return hold(np.where(total > 1e-9, mean, np.nan))


def _near_frames(values: np.ndarray) -> np.ndarray:
    """Average every frame with its two neighbours [frames, ...]."""
    padded = np.concatenate([values[:1], values, values[-1:]])
    return 0.25 * padded[:-2] + 0.5 * padded[1:-1] + 0.25 * padded[2:]


def _pan(heard: Interaural, item: Format) -> tuple[np.ndarray, np.ndarray]:
    """Return the direct sound's pan angle and its share of the power, both [frames].

    Every band is split into direct and diffuse sound; bands with much direct sound count most.
    """
    cross = heard.aligned if item.has_delay else heard.cross
    left, right, cross = (_near_frames(v) for v in (heard.left, heard.right, cross))
    direct = direct_sound(left, right, cross, item.diffuse_coherence)
    power = left + right
    trust = np.sqrt(power) * direct.share**2 + 1e-12
    pan = (trust * direct.pan_deg).sum(1) / trust.sum(1)
    share = (np.sqrt(power) * direct.share).sum(1) / (np.sqrt(power).sum(1) + 1e-12)
    return pan, share


def _from_delays(
    heard: Interaural, active: np.ndarray, item: Format, pan: np.ndarray, share: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return azimuth and trust from the cross-correlation, level helping where it can."""
    gcc = _near_frames(heard.gcc)
    position = np.interp(item.delay_s, LAGS_S, np.arange(len(LAGS_S)))
    score = gcc[:, np.round(position).astype(int)].astype(float)
    if item.has_level:
        off = (item.azimuth_from_pan(pan)[:, None] - GRID_DEG) / 25.0
        score -= 0.1 * share[:, None] * np.minimum(off**2, 4.0)
    score *= np.where(active, _loudness(heard) ** 0.5, 0.0)[:, None]
    path = _best_path(score)
    lag, height = _peak_near(gcc, np.round(position[path]).astype(int))
    return item.azimuth_from_delay(lag), np.maximum(height, 0.0) ** 2 + 1e-3


def _best_path(score: np.ndarray, reach: int = 15, cost: float = 0.004) -> np.ndarray:
    """Return the best sequence of grid directions [frames] (Viterbi over `GRID_DEG`).

    A step of n degrees costs ``cost * |n|``; steps beyond `reach` degrees a frame are not made.
    """
    frames, states = score.shape
    steps = np.arange(-reach, reach + 1)
    price = cost * np.abs(steps)
    total, came = score[0].copy(), np.zeros((frames, states), np.int16)
    for frame in range(1, frames):
        padded = np.pad(total, reach, constant_values=-np.inf)
        options = np.lib.stride_tricks.sliding_window_view(padded, 2 * reach + 1) - price
        came[frame] = options.argmax(1)
        total = options[np.arange(states), came[frame]] + score[frame]
    path = np.empty(frames, int)
    path[-1] = int(total.argmax())
    for frame in range(frames - 1, 0, -1):
        path[frame - 1] = path[frame] + steps[came[frame, path[frame]]]
    return path


def _peak_near(gcc: np.ndarray, start: np.ndarray, reach: int = 4) -> tuple[np.ndarray, np.ndarray]:
    """Return lag in seconds and height of the peak within `reach` lags of `start` [frames]."""
    rows = np.arange(len(gcc))
    index = np.clip(start[:, None] + np.arange(-reach, reach + 1), 1, gcc.shape[1] - 2)
    peak = index[rows, gcc[rows[:, None], index].argmax(1)]
    before, here, after = (gcc[rows, peak + k] for k in (-1, 0, 1))
    bend = before - 2.0 * here + after
    shift = np.where(bend < -1e-9, 0.5 * (before - after) / np.minimum(bend, -1e-9), 0.0)
    return LAGS_S[peak] + np.clip(shift, -1.0, 1.0) * 1e-5, here


def _room_error_deg(item: Format) -> float:
    """Return the usual error in degrees, were all sound diffuse; reflections bias levels most."""
    return 36.0 if item.has_delay else 60.0


def _floor_deg(item: Format, azimuth: np.ndarray) -> np.ndarray:
    """Return the error in degrees that is left where nothing disturbs.

    Levels are taken to be right to 0.15 dB, delays to 10 µs; it grows towards the sides, where
    direction changes them least. A source that is high up shortens delays: 5 % of the azimuth.
    """
    if item.has_delay:
        slope, rise = np.gradient(item.delay_s, GRID_DEG) / 1e-5, 0.05
    else:
        slope, rise = np.gradient(item.pan_deg, GRID_DEG) / 0.5, 0.0
    # a little further out, so that the last step before a table's end counts as its end
    outwards = azimuth + 2.0 * np.sign(azimuth)
    table = 1.0 / np.maximum(np.interp(outwards, GRID_DEG, slope), 0.05)
    return np.hypot(table, rise * azimuth)
