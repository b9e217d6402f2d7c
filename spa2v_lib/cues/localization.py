"""The direction of the dominant source in every frame, and its 90 % interval.

The error of a frame is estimated from the scatter around it, from how finely the capture format
resolves directions there, and from the room's share of the sound; `spa2v_lib.cues.intervals`
calibrates it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from spa2v_lib.cues.features import BAND_WIDTHS_HZ, LAGS_S, Features
from spa2v_lib.cues.formats import GRID_DEG, CaptureFormat, direct_sound, get_format, level_distance
from spa2v_lib.cues.intervals import half_interval
from spa2v_lib.cues.tracking import local_lines, mean_near

__all__ = [
    "Reading",
    "Track",
    "activity",
    "frame_loudness",
    "track_azimuth",
]

_ACTIVE_DB = 35.0  # a frame this far below the loud frames is silence
_FLOOR_DB = -85.0
_COINCIDENT = ("panned", "xy", "ms")
_OUTWARDS = 0.3  # how much further to the side the direct sound is, were all sound diffuse
_PAN_SIGMA_DEG, _ILD_SIGMA_DB = 18.0, 4.0  # standard error of directions from levels, beside delays
_DELAY_ROOM_DEG, _LEVEL_ROOM_DEG = 36.0, 60.0  # usual error, were all sound diffuse
_LEVEL_POWER = 0.2  # of a band's power in its weight: weak bands count, too


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
        Weight of each frame; 0 where the source is inactive.
    dryness : float
        0 where a room answers louder than the source, 1 in the open.
    direct_db : ndarray [frames]
        Power of the direct sound over all power: what a room or noise adds is left out.
    raw : ndarray [frames]
        Direction of each frame before smoothing, for fits that weigh frames themselves.
    spread : ndarray [frames]
        Estimated error in degrees before calibration.
    directness : ndarray [frames]
        Share of direct sound around the frame, in [0, 1].

    Examples
    --------
    >>> import numpy as np
    >>> from spa2v_lib.audio import Recording
    >>> noise = 0.1 * np.random.default_rng(0).normal(size=16000)
    >>> from spa2v_lib.cues.features import extract_features
    >>> recording = Recording.from_samples(np.stack([0.3 * noise, noise]), 16000)
    >>> features = extract_features(recording, with_bins=True)
    >>> track = track_azimuth(features, np.ones(10, bool), "xy", format_known=True)
    >>> bool((track.low <= track.azimuth).all() and (track.azimuth <= track.high).all())
    True
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


def activity(features: Features) -> np.ndarray:
    """Return where any source is active [frames].

    Not where it is silent, and not where only a background is left: frames of the
    lowest levels whose sound is diffuse, unlike that of the loud frames.

    Parameters
    ----------
    features : Features

    Returns
    -------
    ndarray of bool [frames]

    Examples
    --------
    >>> import numpy as np
    >>> from spa2v_lib.audio import Recording
    >>> noise = 0.1 * np.random.default_rng(0).normal(size=16000)
    >>> from spa2v_lib.cues.features import extract_features
    >>> noise[8000:] = 0.0
    >>> recording = Recording.from_samples(np.stack([noise, noise]), 16000)
    >>> int(activity(extract_features(recording)).sum())
    5
    """
    loud = np.percentile(features.level_db, 95)
    sounding = features.level_db > max(loud - _ACTIVE_DB, _FLOOR_DB)
    foot = np.percentile(features.level_db, 5)
    low, high = features.level_db < foot + 3.0, features.level_db > loud - 6.0
    if sounding.any() and foot < loud - 12.0 and low.any():
        point = features.coherence
        if point[low].mean() < 0.85 * point[high].mean():
            return sounding & ~low
    return sounding


Reading = tuple[str, float | None]
"""A capture format and, of a pair "ab", the spacing in metres."""


def track_azimuth(
    features: Features,
    active: np.ndarray,
    capture: str,
    *,
    format_known: bool,
    spacing_m: float | None = None,
    readings: Sequence[Reading] = (),
) -> Track:
    """Follow the dominant source.

    Parameters
    ----------
    features : Features
    active : ndarray of bool [frames]
    capture : str
        A key of `FORMATS`.
    format_known : bool
        Whether the format is known. If it is not, a coincident recording's interval covers what
        panned, XY and M/S each make of the same levels.
    spacing_m : float, optional
        As in `spa2v_lib.cues.formats.get_format`.
    readings : sequence of (str, float or None)
        Other formats and spacings that the recording may have: the interval covers their own.

    Returns
    -------
    Track

    See Also
    --------
    spa2v_lib.cues.ambisonics.track_direction : All around, from ambisonics.
    spa2v_lib.cues.multisource.count_sources : Where there are several.

    Examples
    --------
    >>> import numpy as np
    >>> from spa2v_lib.audio import Recording
    >>> noise = 0.1 * np.random.default_rng(0).normal(size=16000)
    >>> from spa2v_lib.cues.features import extract_features
    >>> recording = Recording.from_samples(np.stack([0.3 * noise, noise]), 16000)
    >>> features = extract_features(recording, with_bins=True)
    >>> track = track_azimuth(features, np.ones(10, bool), "xy", format_known=True)
    >>> bool((track.azimuth > 20.0).all())
    True
    """
    item = get_format(capture, spacing_m)
    levels = _levels(features, item)
    share = levels.share
    if item.has_delay:
        raw, frame_weight = _from_delays(features, active, item, levels)
    else:
        raw, frame_weight = item.azimuth_from_pan(levels.pan_deg), share**2
    weight = np.where(active, frame_weight * frame_loudness(features), 0.0)
    smooth, error = local_lines(raw, weight)
    directness = mean_near(share, weight)
    room = (_DELAY_ROOM_DEG if item.has_delay else _LEVEL_ROOM_DEG) * (1.0 - directness) ** 2
    floor = _floor_deg(item, smooth)
    spread = np.sqrt(error**2 + floor**2 + room**2)
    if not item.has_delay:
        noise = mean_near(np.abs(raw - _without_field(features, item)), weight)
        bands = mean_near(_band_error_deg(levels, item), weight)
        spread = np.sqrt(spread**2 + noise**2 + bands**2)
    half = half_interval(capture, spread, directness, smooth)
    change_error = np.sqrt(error**2 + floor**2 + (0.2 * room) ** 2)
    smooth = np.clip(smooth, -90.0, 90.0)
    low, high = smooth - half, smooth + half
    if capture in _COINCIDENT and not format_known:
        readings = (*readings, *((name, None) for name in _COINCIDENT if name != capture))
    for name, spacing in readings:
        other = track_azimuth(features, active, name, format_known=True, spacing_m=spacing)
        low, high = np.minimum(low, other.low), np.maximum(high, other.high)
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


def frame_loudness(features: Features) -> np.ndarray:
    """Return the square root of each frame's power, over that of the loudest [frames].

    Parameters
    ----------
    features : Features

    Returns
    -------
    ndarray [frames]
        In (0, 1].

    Examples
    --------
    >>> import numpy as np
    >>> from spa2v_lib.audio import Recording
    >>> noise = 0.1 * np.random.default_rng(0).normal(size=16000)
    >>> from spa2v_lib.cues.features import extract_features
    >>> recording = Recording.from_samples(np.stack([0.3 * noise, noise]), 16000)
    >>> features = extract_features(recording, with_bins=True)
    >>> float(frame_loudness(features).max())
    1.0
    """
    return 10.0 ** ((features.level_db - features.level_db.max()) / 20.0)


def _near_frames(values: np.ndarray) -> np.ndarray:
    """Average every frame with its two neighbours [frames, ...]."""
    padded = np.concatenate([values[:1], values, values[-1:]])
    return 0.25 * padded[:-2] + 0.5 * padded[1:-1] + 0.25 * padded[2:]


@dataclass(frozen=True)
class _Levels:
    """The direct sound in each band, and over all bands.

    Attributes
    ----------
    ild_db, weight : ndarray [frames, bands]
        Direct sound's level difference, and its weight; weights of a frame add up to 1.
    pan_deg, share : ndarray [frames]
        Direct sound's pan angle, and its share of the power.
    """

    ild_db: np.ndarray
    weight: np.ndarray
    pan_deg: np.ndarray
    share: np.ndarray


def _levels(features: Features, item: CaptureFormat) -> _Levels:
    """Split every band into direct and diffuse sound; bands with much direct sound count most.

    Where only levels depend on direction, wide bands also count more than narrow ones, in which
    reflections and the direct sound add up less evenly, and loud ones hardly more than soft.
    """
    cross = features.aligned if item.has_delay else features.cross
    left, right, cross = (_near_frames(v) for v in (features.left, features.right, cross))
    direct = direct_sound(left, right, cross, item.diffuse_coherence)
    root = np.sqrt(left + right)
    spread = root if item.has_delay else root ** (2.0 * _LEVEL_POWER)
    weight = spread * BAND_WIDTHS_HZ * direct.share**2 + 1e-12
    weight /= weight.sum(1, keepdims=True)
    pan = (weight * direct.pan_deg).sum(1)
    share = (root * direct.share).sum(1) / (root.sum(1) + 1e-12)
    return _Levels(direct.ild_db, weight, pan if item.has_delay else _outwards(pan, share), share)


def _without_field(features: Features, item: CaptureFormat) -> np.ndarray:
    """Return directions in degrees if what is not direct were each channel's own noise [frames].

    Noise of microphones, tape and codecs is not that of a diffuse field, and no two channels show
    which of them it is: where the two readings differ, directions are uncertain.
    """
    levels = _levels(features, replace(item, diffuse_coherence=0.0))
    return item.azimuth_from_pan(levels.pan_deg)


def _band_error_deg(levels: _Levels, item: CaptureFormat) -> np.ndarray:
    """Return how much the bands' directions differ, in degrees [frames].

    One source has one level difference in all bands of a coincident pair; reflections change it
    from band to band, and codecs that save on the side channel lose it in some.
    """
    pan = np.degrees(np.arctan(10.0 ** (levels.ild_db / 20.0)))
    azimuth = item.azimuth_from_pan(pan)
    middle = (levels.weight * azimuth).sum(1, keepdims=True)
    return np.sqrt((levels.weight * (azimuth - middle) ** 2).sum(1))


def _outwards(pan_deg: np.ndarray, share: np.ndarray) -> np.ndarray:
    """Return pan angles without the pull of early reflections towards the centre.

    Floor, ceiling and the walls ahead and behind reflect from nearer to the middle than the source,
    and too soon to look diffuse; the pull grows with the room's share of the sound.
    """
    tangent = np.tan(np.radians(np.clip(pan_deg, 0.0, 89.9)))
    balance = (tangent - 1.0) / (tangent + 1.0) * (1.0 + _OUTWARDS * (1.0 - share))
    balance = np.clip(balance, -1.0, 1.0)
    return np.degrees(np.arctan2(1.0 + balance, 1.0 - balance))


def _from_delays(
    features: Features, active: np.ndarray, item: CaptureFormat, levels: _Levels
) -> tuple[np.ndarray, np.ndarray]:
    """Return azimuth and weight from the cross-correlation, with the help of levels."""
    gcc = _near_frames(features.gcc)
    steered = item.steered(gcc)
    score = steered.astype(float)
    score -= 0.1 * levels.share[:, None] * _level_misfit(item, levels)
    score *= np.where(active, frame_loudness(features) ** 0.5, 0.0)[:, None]
    path = _best_path(score)
    if item.kernel is None:
        place = np.round(np.interp(item.delay_s[path], LAGS_S, np.arange(len(LAGS_S))))
        index, height = _peak_near(gcc, place.astype(int))
        azimuth = item.azimuth_from_delay(np.interp(index, np.arange(len(LAGS_S)), LAGS_S))
    else:
        index, height = _peak_near(steered, path)
        azimuth = np.interp(index, np.arange(len(GRID_DEG)), GRID_DEG)
    return azimuth, np.maximum(height, 0.0) ** 2 + 1e-3


def _level_misfit(item: CaptureFormat, levels: _Levels) -> np.ndarray:
    """Return the misfit of levels with each direction, in [0, 4] [frames, directions]."""
    if item.has_level:
        off = (item.azimuth_from_pan(levels.pan_deg)[:, None] - GRID_DEG) / _PAN_SIGMA_DEG
        return np.minimum(off**2, 4.0)
    if not item.ild_db.any():
        return np.zeros((len(levels.share), len(GRID_DEG)))
    return np.minimum(level_distance(item, levels.ild_db, levels.weight) / _ILD_SIGMA_DB**2, 4.0)


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


def _floor_deg(item: CaptureFormat, azimuth: np.ndarray) -> np.ndarray:
    """Return the error in degrees that is left where nothing disturbs.

    Levels are exact to 0.15 dB, delays to 10 µs; the error grows towards the sides, where
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
