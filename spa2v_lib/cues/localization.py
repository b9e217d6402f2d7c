"""Smoothing of noisy tracks: local straight lines whose width the data choose.

Widths of 90 % intervals of azimuth, fitted to errors on scenes whose truth is known.

Hearing reckons an error for every frame from the scatter around it, from how finely the capture
format tells directions there, and from the room's share of the sound. How often that is enough
depends on the format and on the room; the factors here put it right.

Where the dominant source is in every frame, and how sure that is.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spa2v_lib.cues.capture import FORMATS, GRID_DEG, Format, direct_sound, level_distance
from spa2v_lib.cues.features import BAND_WIDTHS_HZ, LAGS_S, Interaural

__all__ = [
    "DIRECTNESS_NODES",
    "INTERVAL_SCALES",
    "Track",
    "activity",
    "frame_loudness",
    "hold",
    "interval_scale",
    "local_lines",
    "mean_near",
    "percentile_envelope",
    "track_azimuth",
    "weighted_quantile",
]

_HALF_WIDTHS = (2, 4, 8, 16, 32)  # frames


def local_lines(values: np.ndarray, weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Smooth a track by local straight lines, robustly, with leave-one-out width.

    Lines rather than means keep a sweep unbiased; of the widths tried, the one that predicts left
    out frames best is used, so a resting source is averaged long and a passing one briefly.

    Parameters
    ----------
    values, weight : ndarray [frames]
        Frames of weight 0 are ignored and bridged.

    Returns
    -------
    smooth, error : ndarray [frames]
        The track and its standard error from the spread of the values around it.

    Notes
    -----
    Cleveland, "Robust locally weighted regression and smoothing scatterplots", JASA 74, 1979.
    """
    known = weight > 0.0
    if known.sum() < 4:
        middle = np.average(values[known], weights=weight[known]) if known.any() else np.nan
        spread = np.ptp(values[known]) if known.sum() > 1 else 0.0
        return np.full(len(values), middle), np.full(len(values), spread)
    data = np.where(known, values, 0.0)
    best = min(
        (_fit(data, weight, half) for half in _HALF_WIDTHS if half <= max(2, known.sum())),
        key=lambda found: found[0],
    )
    return best[1], best[2]


def _fit(data: np.ndarray, weight: np.ndarray, half: int) -> tuple[float, np.ndarray, np.ndarray]:
    """Return the left-out misfit, the smooth track and its standard error."""
    offset = np.arange(-half, half + 1) / (half + 1.0)
    kernel = (1.0 - np.abs(offset) ** 3) ** 3
    robust = weight.copy()
    for _ in range(3):
        smooth, leverage, variance = _lines(data, robust, weight, kernel, offset)
        residual = data - smooth
        scale = 1.4826 * weighted_quantile(np.abs(residual)[weight > 0], weight[weight > 0], 0.5)
        robust = weight / np.maximum(1.0, np.abs(residual) / (2.0 * scale + 1e-3)) ** 2
    left_out = np.abs(residual) / np.maximum(1.0 - leverage, 0.05)
    misfit = float((np.minimum(left_out, 30.0) * weight).sum() / weight.sum())
    return misfit, smooth, np.sqrt(variance)


def _lines(
    data: np.ndarray,
    robust: np.ndarray,
    weight: np.ndarray,
    kernel: np.ndarray,
    offset: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Fit a line around every frame; return its value, the frame's leverage and the variance."""

    def near(signal: np.ndarray, taps: np.ndarray) -> np.ndarray:
        full = np.convolve(signal, taps[::-1])
        half = len(taps) // 2
        return full[half : half + len(signal)]

    w0, w1, w2 = (near(robust, kernel * offset**k) for k in range(3))
    y0, y1 = (near(robust * data, kernel * offset**k) for k in range(2))
    # a trace of ridge on the slope: where frames lie on one side only, or there is one, use means
    slope_room = w2 - w1**2 / (w0 + 1e-12) + 1e-2 * w0 + 1e-12
    slope = (y1 - y0 * w1 / (w0 + 1e-12)) / slope_room
    value = (y0 - slope * w1) / (w0 + 1e-12)
    silent = weight <= 0.0
    value = hold(np.where(silent, np.nan, value))
    leverage = kernel[len(kernel) // 2] * robust * (w2 + 1e-2 * w0) / (w0 * slope_room + 1e-12)
    # the line's own misfit inside the window, per effective frame (neighbours overlap by half)
    square = near(weight * (data - value) ** 2, kernel)
    total = near(weight, kernel)
    count = total**2 / (near(weight**2, kernel**2) + 1e-12) / 2.0
    variance = square / (total + 1e-12) / np.maximum(count, 0.5)
    return value, np.clip(leverage, 0.0, 1.0), hold(np.where(silent, np.nan, variance))


def hold(values: np.ndarray) -> np.ndarray:
    """Fill gaps (NaN) by a straight line between their ends, and the ends by holding [frames]."""
    known = np.flatnonzero(np.isfinite(values))
    if len(known) == 0:
        return np.zeros_like(values)
    return np.interp(np.arange(len(values)), known, values[known])


def weighted_quantile(values: np.ndarray, weight: np.ndarray, share: float) -> float:
    """Return the value below which `share` of the weight lies."""
    order = np.argsort(values)
    mass = np.cumsum(weight[order])
    return float(values[order][np.searchsorted(mass, share * mass[-1]).clip(0, len(order) - 1)])


def percentile_envelope(values: np.ndarray, half: int, percent: float) -> np.ndarray:
    """Return the running percentile over ``2 half + 1`` frames, NaN ignored [frames]."""
    padded = np.pad(values, half, constant_values=np.nan)
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * half + 1)
    known = np.isfinite(windows).any(1)
    out = np.full(len(values), np.nan)
    out[known] = np.nanpercentile(windows[known], percent, axis=1)
    return hold(out)


DIRECTNESS_NODES = (0.4, 0.6, 0.8, 0.95)
"""Shares of direct sound at which factors are kept: from a live room to the open."""

INTERVAL_SCALES: dict[str, tuple[float, ...]] = {
    "panned": (0.46, 1.08, 1.45, 1.19),
    "ortf": (0.52, 0.75, 1.49, 0.97),
    "xy": (0.70, 1.10, 1.46, 0.80),
    "binaural": (1.06, 4.00, 1.76, 1.04),
    "ms": (0.84, 1.79, 1.81, 1.49),
    "ab": (0.47, 0.42, 0.84, 0.58),
    "foa": (0.46, 0.80, 0.72, 1.12),
}
"""Half the interval over the reckoned error, by format and `DIRECTNESS_NODES`: the 90th percentile
of error over reckoned error in the first 700 tuning scenes, as printed by
``python -m spa2v_lab.bench.hearing_calibration``."""


def interval_scale(capture: str, directness: np.ndarray) -> np.ndarray:
    """Return half the 90 % interval over the reckoned error, between the nodes linearly.

    Parameters
    ----------
    capture : str
        A key of `INTERVAL_SCALES`.
    directness : ndarray
        Share of direct sound, in [0, 1].

    Returns
    -------
    ndarray
        Of the same shape.
    """
    return np.interp(directness, DIRECTNESS_NODES, INTERVAL_SCALES[capture])


_ACTIVE_DB = 35.0  # a frame this far below the loud frames is silence
_FLOOR_DB = -85.0
_COINCIDENT = ("panned", "xy", "ms")
_OUTWARDS = 0.3  # how much further to the side the direct sound is, were all sound diffuse
_PAN_SIGMA_DEG, _ILD_SIGMA_DB = 18.0, 4.0  # how well levels tell direction beside delays
_HEADS_DIFFER = 0.12  # of the azimuth, for nine heads in ten: from one another and from a sphere
_LEVEL_POWER = 0.2  # of a band's power in its trust: all bands that sound have a say


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
    raw : ndarray [frames]
        Direction of each frame before smoothing, for fits that weigh frames themselves.
    spread : ndarray [frames]
        Error in degrees as it is reckoned before calibration.
    directness : ndarray [frames]
        Share of direct sound around the frame, in [0, 1].
    """

    azimuth: np.ndarray
    low: np.ndarray
    high: np.ndarray
    error: np.ndarray
    weight: np.ndarray
    dryness: float
    direct_db: np.ndarray
    raw: np.ndarray
    spread: np.ndarray
    directness: np.ndarray


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
        Whether the format is known. If it is not, a coincident recording's interval covers what
        panned, XY and M/S each make of the same levels.

    Returns
    -------
    Track
    """
    item = FORMATS[capture]
    levels = _levels(heard, item)
    share = levels.share
    if item.has_delay:
        raw, trust = _from_delays(heard, active, item, levels)
    else:
        raw, trust = item.azimuth_from_pan(levels.pan_deg), share**2
    weight = np.where(active, trust * frame_loudness(heard), 0.0)
    smooth, error = local_lines(raw, weight)
    directness = mean_near(share, weight)
    room = _room_error_deg(item) * (1.0 - directness) ** 2
    floor = _floor_deg(item, smooth)
    spread = np.sqrt(error**2 + floor**2 + room**2)
    half = spread * interval_scale(capture, directness)
    if capture == "binaural":
        half = np.hypot(half, _HEADS_DIFFER * smooth)
    change_error = np.sqrt(error**2 + floor**2 + (0.2 * room) ** 2)
    smooth = np.clip(smooth, -90.0, 90.0)
    low, high = smooth - half, smooth + half
    if capture in _COINCIDENT and not sure:
        every = [track_azimuth(heard, active, name, sure=True) for name in _COINCIDENT]
        low = np.min([track.low for track in every], axis=0)
        high = np.max([track.high for track in every], axis=0)
    low, high = np.clip(low, -90.0, 90.0), np.clip(high, -90.0, 90.0)
    dryness = float(np.clip((np.average(share, weights=weight + 1e-12) - 0.6) / 0.3, 0.0, 1.0))
    direct = 10.0 * np.log10(mean_near(share, weight, 4) + 1e-3)
    return Track(
        azimuth=smooth,
        low=low,
        high=high,
        error=change_error,
        weight=weight,
        dryness=dryness,
        direct_db=direct,
        raw=raw,
        spread=spread,
        directness=directness,
    )


def frame_loudness(heard: Interaural) -> np.ndarray:
    """Return the square root of each frame's power, over that of the loudest [frames]."""
    return 10.0 ** ((heard.level_db - heard.level_db.max()) / 20.0)


def mean_near(values: np.ndarray, weight: np.ndarray, half: int = 8) -> np.ndarray:
    """Return the weighted mean over ``2 half + 1`` frames around every frame [frames]."""
    taps = np.ones(2 * half + 1)
    total = np.convolve(weight, taps)[half:-half]
    mean = np.convolve(weight * values, taps)[half:-half] / np.maximum(total, 1e-12)
    return hold(np.where(total > 1e-9, mean, np.nan))


def _near_frames(values: np.ndarray) -> np.ndarray:
    """Average every frame with its two neighbours [frames, ...]."""
    padded = np.concatenate([values[:1], values, values[-1:]])
    return 0.25 * padded[:-2] + 0.5 * padded[1:-1] + 0.25 * padded[2:]


@dataclass(frozen=True)
class _Levels:
    """What levels say: the direct sound in each band, and over all bands.

    Attributes
    ----------
    ild_db, trust : ndarray [frames, bands]
        Direct sound's level difference, and its weight; weights of a frame add up to 1.
    pan_deg, share : ndarray [frames]
        Direct sound's pan angle, and its share of the power.
    """

    ild_db: np.ndarray
    trust: np.ndarray
    pan_deg: np.ndarray
    share: np.ndarray


def _levels(heard: Interaural, item: Format) -> _Levels:
    """Split every band into direct and diffuse sound; bands with much direct sound count most.

    Where level alone tells direction, wide bands also count more than narrow ones, in which
    reflections and the direct sound add up less evenly, and loud ones hardly more than soft.
    """
    cross = heard.aligned if item.has_delay else heard.cross
    left, right, cross = (_near_frames(v) for v in (heard.left, heard.right, cross))
    direct = direct_sound(left, right, cross, item.diffuse_coherence)
    root = np.sqrt(left + right)
    spread = root if item.has_delay else root ** (2.0 * _LEVEL_POWER)
    trust = spread * BAND_WIDTHS_HZ * direct.share**2 + 1e-12
    trust /= trust.sum(1, keepdims=True)
    pan = (trust * direct.pan_deg).sum(1)
    share = (root * direct.share).sum(1) / (root.sum(1) + 1e-12)
    return _Levels(direct.ild_db, trust, pan if item.has_delay else _outwards(pan, share), share)


def _outwards(pan_deg: np.ndarray, share: np.ndarray) -> np.ndarray:
    """Return pan angles without the pull of early reflections towards the centre.

    Floor, ceiling and the walls ahead and behind answer from nearer to the middle than the source
    is, and too soon to look diffuse; the pull grows with the room's share of the sound.
    """
    tangent = np.tan(np.radians(np.clip(pan_deg, 0.0, 89.9)))
    balance = (tangent - 1.0) / (tangent + 1.0) * (1.0 + _OUTWARDS * (1.0 - share))
    balance = np.clip(balance, -1.0, 1.0)
    return np.degrees(np.arctan2(1.0 + balance, 1.0 - balance))


def _from_delays(
    heard: Interaural, active: np.ndarray, item: Format, levels: _Levels
) -> tuple[np.ndarray, np.ndarray]:
    """Return azimuth and trust from the cross-correlation, level helping where it can."""
    gcc = _near_frames(heard.gcc)
    steered = item.steered(gcc)
    score = steered.astype(float)
    score -= 0.1 * levels.share[:, None] * _level_misfit(item, levels)
    score *= np.where(active, frame_loudness(heard) ** 0.5, 0.0)[:, None]
    path = _best_path(score)
    if item.kernel is None:
        place = np.round(np.interp(item.delay_s[path], LAGS_S, np.arange(len(LAGS_S))))
        index, height = _peak_near(gcc, place.astype(int))
        azimuth = item.azimuth_from_delay(np.interp(index, np.arange(len(LAGS_S)), LAGS_S))
    else:
        index, height = _peak_near(steered, path)
        azimuth = np.interp(index, np.arange(len(GRID_DEG)), GRID_DEG)
    return azimuth, np.maximum(height, 0.0) ** 2 + 1e-3


def _level_misfit(item: Format, levels: _Levels) -> np.ndarray:
    """Return how badly levels fit each direction, in [0, 4] [frames, directions]."""
    if item.has_level:
        off = (item.azimuth_from_pan(levels.pan_deg)[:, None] - GRID_DEG) / _PAN_SIGMA_DEG
        return np.minimum(off**2, 4.0)
    if not item.ild_db.any():
        return np.zeros((len(levels.share), len(GRID_DEG)))
    return np.minimum(level_distance(item, levels.ild_db, levels.trust) / _ILD_SIGMA_DB**2, 4.0)


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


def _peak_near(
    score: np.ndarray, start: np.ndarray, reach: int = 4
) -> tuple[np.ndarray, np.ndarray]:
    """Return place, between columns, and height of the peak within `reach` of `start` [frames]."""
    rows = np.arange(len(score))
    index = np.clip(start[:, None] + np.arange(-reach, reach + 1), 1, score.shape[1] - 2)
    peak = index[rows, score[rows[:, None], index].argmax(1)]
    before, here, after = (score[rows, peak + k] for k in (-1, 0, 1))
    bend = before - 2.0 * here + after
    shift = np.where(bend < -1e-9, 0.5 * (before - after) / np.minimum(bend, -1e-9), 0.0)
    return peak + np.clip(shift, -1.0, 1.0), here


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
