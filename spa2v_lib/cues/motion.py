"""How a source moves: the sweep of its azimuth, and the course of its level.

Level alone mixes distance with what the source itself does. Where a sound repeats itself (a bell,
an engine, steps), equal moments of two repetitions are compared, which cancels its own course;
elsewhere the loud moments are followed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from spa2v_lib.cues.interaural import WINDOW_STEP_S
from spa2v_lib.cues.smoothing import percentile_envelope
from spa2v_lib.cues.types import Motion

__all__ = ["Movement", "judge_motion", "repetition"]

_LOG_RATIOS = np.linspace(-2.5, 2.5, 251)  # ln(last distance / first distance)
_MOST_WINDOWS = 2400  # a minute; the course of longer sounds is followed more coarsely
_TILTS_DEG = np.arange(-40.0, 41.0, 5.0)
_REPEAT_S = (0.25, 12.0)


@dataclass(frozen=True)
class Movement:
    """What `judge_motion` found; fields as in `spa2v_lib.cues.types.SourceTrack`."""

    motion: Motion
    confidence: float
    level_change_db: float
    relative_range: np.ndarray
    closest_s: float | None


def judge_motion(
    times_s: np.ndarray,
    azimuth_deg: np.ndarray | None,
    error_deg: np.ndarray | None,
    level_db: np.ndarray,
    active: np.ndarray,
    *,
    fine_level_db: np.ndarray,
    repeat: int | None,
    sweep_deg: float = 10.0,
    change_db: float = 3.5,
    dies_away: bool = False,
) -> Movement:
    """Name the motion of one source and its distance over its smallest distance.

    Parameters
    ----------
    times_s, level_db : ndarray [frames]
        Frame centres and levels.
    azimuth_deg, error_deg : ndarray [frames] or None
        Smoothed direction and its standard error; None where there are no directions.
    active : ndarray of bool [frames]
        Where it sounds.
    fine_level_db : ndarray [windows]
        Level of the direct sound in the short-time windows, a whole number of them a frame.
    repeat : int or None
        After how many windows the sound repeats itself, from `repetition`.
    sweep_deg : float
        Smaller sweeps of azimuth are not called a crossing.
    change_db : float
        Smaller changes of level are not called approach or recession. 3.5 dB is 1.5 times the
        distance; where a room answers, level changes less.
    dies_away : bool
        Whether such sounds fade by themselves, as struck and plucked ones do: then a falling
        envelope tells nothing.

    Returns
    -------
    Movement
        A crossing sweeps at least `sweep_deg` one way; approach and recession change the level by
        at least `change_db` while the azimuth stays.
    """
    if active.sum() < 2:
        return Movement("stationary", 0.0, 0.0, np.ones(len(times_s)), None)
    per_frame = len(fine_level_db) // len(active)
    trend = _level_trend(fine_level_db, np.repeat(active, per_frame), repeat, dies_away)
    sweep, crossing = (0.0, 0.0)
    if azimuth_deg is not None and error_deg is not None:
        sweep, crossing = _sweep(azimuth_deg, error_deg, active, sweep_deg)
    change = -20.0 * trend.log_ratio / np.log(10.0)
    radial = trend.trust * _rises(abs(change) - change_db, 0.25 * change_db)
    # an approach that aims beside the microphone also sweeps: the larger share of motion decides
    mostly_radial = abs(sweep) < 25.0 and abs(trend.log_ratio) > 2.0 * np.radians(abs(sweep))
    if crossing > 0.5 and not (radial > 0.5 and mostly_radial):
        way: Motion = "right_crossing" if sweep > 0 else "left_crossing"
        ranges, closest = _pass_by(times_s, azimuth_deg, error_deg, level_db, active)
        return Movement(way, crossing, change, ranges, closest)
    if radial > 0.5:
        ranges = _line(len(times_s), active, trend.log_ratio)
        nearest = float(times_s[int(ranges.argmin())])
        way = "approaching" if change > 0 else "receding"
        return Movement(way, radial, change, ranges, nearest)
    rest = 1.0 - max(crossing, radial)
    return Movement("stationary", rest, change, np.ones(len(times_s)), None)


def repetition(mel: np.ndarray) -> int | None:
    """Return after how many windows a sound repeats itself, or None if it does not.

    Parameters
    ----------
    mel : ndarray [windows, bands]
        Power in mel bands, `WINDOW_STEP_S` apart; what counts is how the spectrum's shape
        changes, not its level.
    """
    shape = _spectral_shape(mel[: round(120.0 / WINDOW_STEP_S)])
    count = len(shape)
    low = round(_REPEAT_S[0] / WINDOW_STEP_S)
    high = min(round(_REPEAT_S[1] / WINDOW_STEP_S), int(0.85 * count))
    if high <= low + 2:
        return None
    spectrum = np.abs(np.fft.rfft(shape, 2 * count, axis=0)) ** 2
    overlap = np.arange(count, count - high - 1, -1)
    alike = np.fft.irfft(spectrum.sum(1), 2 * count)[: high + 1] / overlap
    here = alike[low:high]
    top = (here >= alike[low - 1 : high - 1]) & (here >= alike[low + 1 : high + 1])
    peaks = low + np.flatnonzero(top)
    if len(peaks) == 0 or alike[peaks].max() < 0.4:
        return None
    # the first of nearly equal peaks is the period, later ones its multiples
    return int(peaks[alike[peaks] >= 0.9 * alike[peaks].max()][0])


def _spectral_shape(windows: np.ndarray) -> np.ndarray:
    """Return each window's log spectrum without its level and the usual spectrum, unit length."""
    shape = np.log(windows + 1e-6 * windows.max() + 1e-20)
    shape = shape - shape.mean(1, keepdims=True)
    shape = shape - shape.mean(0)
    return shape / (np.sqrt((shape**2).sum(1, keepdims=True)) + 1e-9)


class _Trend(NamedTuple):
    log_ratio: float
    trust: float


def _level_trend(
    level_db: np.ndarray, active: np.ndarray, repeat: int | None, dies_away: bool
) -> _Trend:
    """Fit a straight radial path at constant speed to the level.

    Distance goes evenly from 1 to ``exp(log_ratio)`` over the active part; level is -20 log10 of
    it, plus a constant (the envelope) or plus what repeats after `repeat` windows; the better
    explained of the two counts.
    """
    first, last = _ends(active)
    level, known = level_db[first : last + 1], active[first : last + 1]
    step = -(-len(level) // _MOST_WINDOWS)
    level, known = _thinned(level, step), _thinned(known.astype(float), step) > 0.5
    repeat = None if repeat is None else round(repeat / step)
    paths = -20.0 * np.log10(_radial(len(level), _LOG_RATIOS))
    half = max(4, len(level) // 12)
    envelope = percentile_envelope(np.where(known, level, np.nan), half, 80.0)
    off = envelope - paths
    off = off - np.median(off, axis=1, keepdims=True)
    by_envelope = _explained(off, float(known.mean()) - 0.4)
    if dies_away and _strokes(level) < 3 and by_envelope.log_ratio > 0.0:
        by_envelope = by_envelope._replace(trust=0.0)
    found = [by_envelope]
    if repeat and repeat < len(level):
        pairs = known[repeat:] & known[:-repeat]
        if pairs.sum() >= 8:
            expected = (paths[:, repeat:] - paths[:, :-repeat])[:, pairs]
            off = (level[repeat:] - level[:-repeat])[pairs] - expected
            found.append(_explained(off, 0.2))
    return max(found, key=lambda trend: trend.trust)


def _thinned(values: np.ndarray, step: int) -> np.ndarray:
    """Return the means of `step` values at a time; what is left over at the end is dropped."""
    return values[: len(values) // step * step].reshape(-1, step).mean(1)


def _strokes(level_db: np.ndarray) -> int:
    """Count steep rises of the level: 8 dB within four windows."""
    steep = level_db[4:] - level_db[:-4] > 8.0
    return int(np.sum(steep[1:] & ~steep[:-1])) + int(steep[:1].sum())


def _explained(off_db: np.ndarray, lasting: float) -> _Trend:
    """Choose the path of least misfit [ratios, windows].

    It is trusted where it leaves little of what standing still leaves, and where the sound lasts.
    """
    misfit = np.minimum(np.abs(off_db), 10.0).mean(1)
    best = int(misfit.argmin())
    gain = 1.0 - float(misfit[best]) / max(float(misfit[len(_LOG_RATIOS) // 2]), 1e-9)
    return _Trend(float(_LOG_RATIOS[best]), _rises(gain - 0.3, 0.06) * _rises(lasting, 0.05))


def _radial(count: int, log_ratio: np.ndarray) -> np.ndarray:
    """Return distances that go evenly from 1 to ``exp(log_ratio)`` [ratios, count]."""
    ratio = np.exp(np.atleast_1d(log_ratio))[:, None]
    return 1.0 + (ratio - 1.0) * np.linspace(0.0, 1.0, count)


def _line(frames: int, active: np.ndarray, log_ratio: float) -> np.ndarray:
    first, last = _ends(active)
    inner = _radial(last - first + 1, np.array(log_ratio))[0]
    ranges = np.concatenate(
        [np.full(first, inner[0]), inner, np.full(frames - 1 - last, inner[-1])]
    )
    return ranges / ranges.min()


def _ends(active: np.ndarray) -> tuple[int, int]:
    where = np.flatnonzero(active)
    return int(where[0]), int(where[-1])


def _rises(value: float, width: float) -> float:
    return float(1.0 / (1.0 + np.exp(-np.clip(value / width, -30.0, 30.0))))


def _sweep(
    azimuth: np.ndarray, error: np.ndarray, active: np.ndarray, least_deg: float
) -> tuple[float, float]:
    """Return the total sweep in degrees (positive to the right) and trust in a crossing."""
    track, time = azimuth[active], np.flatnonzero(active)
    edge = max(1, len(track) // 10)
    sweep = float(track[-edge:].mean() - track[:edge].mean())
    track, time = track - track.mean(), time - time.mean()
    one_way = float(track @ time) / (float(np.sqrt((track @ track) * (time @ time))) + 1e-9)
    clear = abs(sweep) / (2.0 * float(np.median(error[active])) + 1e-6)
    trust = _rises(abs(sweep) - least_deg, 0.15 * least_deg) * _rises(abs(one_way) - 0.75, 0.05)
    return sweep, trust * _rises(clear - 1.5, 0.25)


def _pass_by(
    times_s: np.ndarray,
    azimuth: np.ndarray,
    error: np.ndarray,
    level_db: np.ndarray,
    active: np.ndarray,
) -> tuple[np.ndarray, float]:
    """Fit a straight line at constant speed to the azimuth track; level helps to tilt it.

    On such a line ``tan(azimuth - tilt)`` grows evenly in time. A tilt means a path that is not
    parallel to the picture; it is only believed as far as azimuth and level ask for it.

    Returns
    -------
    ranges : ndarray [frames]
        Distance over the smallest distance.
    closest_s : float
        When it is closest, within the recording.
    """
    time, seen = times_s[active], azimuth[active]
    sigma = np.maximum(error[active], 1.0)
    level = percentile_envelope(np.where(active, level_db, np.nan), 3, 70.0)[active]
    best = (np.inf, 0.0, 0.0)
    for tilt in _TILTS_DEG:
        turned = np.radians(np.clip(seen - tilt, -86.0, 86.0))
        weight = (np.cos(turned) ** 2 / sigma) ** 2
        rate, offset = _straight(time, np.tan(turned), weight)
        off = seen - tilt - np.degrees(np.arctan(rate * time + offset))
        loud = level + 10.0 * np.log10(1.0 + (rate * time + offset) ** 2)
        cost = float(
            np.mean(np.minimum((off / sigma) ** 2, 9.0))
            + np.mean(np.minimum(np.abs(loud - np.median(loud)), 12.0)) / 3.0
            + (tilt / 20.0) ** 2
        )
        if cost < best[0]:
            best = (cost, rate, offset)
    _, rate, offset = best
    ranges = np.sqrt(1.0 + (rate * times_s + offset) ** 2)
    nearest = -offset / rate if abs(rate) > 1e-9 else float(times_s[len(times_s) // 2])
    return ranges / ranges.min(), float(np.clip(nearest, times_s[0], times_s[-1]))


def _straight(x: np.ndarray, y: np.ndarray, weight: np.ndarray) -> tuple[float, float]:
    mean_x, mean_y = np.average(x, weights=weight), np.average(y, weights=weight)
    spread = np.average((x - mean_x) ** 2, weights=weight)
    rate = np.average((x - mean_x) * (y - mean_y), weights=weight) / max(spread, 1e-12)
    return float(rate), float(mean_y - rate * mean_x)
