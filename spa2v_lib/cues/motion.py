"""Whether a source comes nearer or goes away, from the course of its level.

Level alone mixes distance with what the source itself does. Where a sound repeats itself (a bell,
an engine, steps), equal moments of its repetitions are compared, band by band, which cancels its
own course; elsewhere the loud moments are followed. In a room only the direct sound changes with
distance, so the sum changes less, and a smaller change that is sure counts.

How a source moves: across, nearer, away, or not at all.

The sweep of its azimuth tells a crossing, and `spa2v_lib.cues.passby` then fits its path; the
course of its level tells approach and recession, in `spa2v_lib.cues.motion`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from spa2v_lib.cues.features import WINDOW_STEP_S, Interaural
from spa2v_lib.cues.localization import Track, percentile_envelope
from spa2v_lib.cues.passby import Evidence, fit_pass_by
from spa2v_lib.cues.types import MOTIONS, Motion, PassBy

if TYPE_CHECKING:
    from spa2v_lib.audio.recording import Recording

__all__ = [
    "Movement",
    "RadialMotion",
    "follow_motion",
    "radial_motion",
    "repetition",
]

_LOG_RATIOS = np.linspace(-2.5, 2.5, 251)  # ln(last distance / first distance)
_MOST_WINDOWS = 1200  # half a minute; the course of longer sounds is followed more coarsely
_REPEAT_S = (0.25, 12.0)
_LONGEST = 0.9  # a period must leave this much of the time to be compared
_COMPARED_S = 120.0  # repetitions are looked for, and compared, in the first two minutes
_PARTS = 8  # of the time, for the spread of what their repetitions say
_SURE = 2.0  # times its standard error is what counts as a change
_DB_PER_LOG = 20.0 / np.log(10.0)  # of level by ln(distance)

# Least changes in dB that count, in the open, and by how much less in a room that hides the most.
_REPEATED_DB, _ROOM_REPEATED_DB = 2.75, 2.5
_LEVEL_DB, _ROOM_LEVEL_DB = 3.5, 2.0
_UNDIRECTED_DB = 3.5  # where no direction is known, and so nothing of the room

# By how much more than the level ln(distance) changes there; tuned on simulated rooms.
_HIDDEN_OF_DIRECT, _HIDDEN_OF_ALL = 0.6, 2.5


class RadialMotion(NamedTuple):
    """What the level says of distance.

    Attributes
    ----------
    log_ratio : float
        ln(last distance over first distance).
    error : float
        Its standard error.
    confidence : float
        That it comes nearer or goes away at all, in [0, 1].
    """

    log_ratio: float
    error: float
    confidence: float


class _Change(NamedTuple):
    value: float
    trust: float


def radial_motion(
    mel: np.ndarray,
    direct_db: np.ndarray,
    active: np.ndarray,
    *,
    dryness: float | None,
    dies_away: bool = False,
) -> RadialMotion:
    """Fit an even change of distance to the level.

    Parameters
    ----------
    mel : ndarray [windows, bands]
        Power in mel bands of one source, `WINDOW_STEP_S` apart.
    direct_db : ndarray [windows]
        Power of the direct sound over all power.
    active : ndarray of bool [windows]
        Where it sounds.
    dryness : float or None
        0 where a room answers louder than the source, 1 in the open; None if not known.
    dies_away : bool
        Whether such sounds fade by themselves, as struck and plucked ones do: then a falling
        envelope tells nothing.

    Returns
    -------
    RadialMotion
    """
    level = 10.0 * np.log10(mel.sum(1) + 1e-12) + direct_db
    period = repetition(mel)
    course = _level_course(level, active, period, dies_away)
    repeated, spread = _repeated_change(mel, active, period)
    hidden = 0.0 if dryness is None else 1.0 - dryness
    need = _UNDIRECTED_DB if dryness is None else _LEVEL_DB - _ROOM_LEVEL_DB * hidden
    change = -_DB_PER_LOG * course.value
    by_course = course.trust * _rises(abs(change) - need, 0.25 * need)
    need = _REPEATED_DB - _ROOM_REPEATED_DB * hidden
    by_repeats = _rises(abs(repeated) - need, 0.15 * need)
    by_repeats *= _rises(abs(repeated) / spread - _SURE, 0.3)
    against = repeated * change < 0.0
    unsure = np.isfinite(spread) and abs(repeated) < _SURE * spread
    if unsure or (against and np.isfinite(spread)):
        by_course *= 0.5
    if against and by_repeats > by_course:
        log_ratio = -repeated / _DB_PER_LOG * (1.0 + _HIDDEN_OF_ALL * hidden)
        error = 0.05 + 0.5 * hidden * abs(log_ratio)
    else:
        log_ratio = course.value * (1.0 + _HIDDEN_OF_DIRECT * hidden)
        error = 0.04 + (0.05 + 0.4 * hidden) * abs(log_ratio)
    return RadialMotion(float(log_ratio), float(error), max(by_course, by_repeats))


def repetition(mel: np.ndarray) -> float | None:
    """Return after how many windows a sound repeats itself, or None if it does not.

    Parameters
    ----------
    mel : ndarray [windows, bands]
        Power in mel bands, `WINDOW_STEP_S` apart; what counts is how the spectrum's shape
        changes, not its level.
    """
    shape = _spectral_shape(mel[: round(_COMPARED_S / WINDOW_STEP_S)])
    count = len(shape)
    low = round(_REPEAT_S[0] / WINDOW_STEP_S)
    high = min(round(_REPEAT_S[1] / WINDOW_STEP_S), int(_LONGEST * count))
    if high <= low + 2:
        return None
    spectrum = np.abs(np.fft.rfft(shape, 2 * count, axis=0)) ** 2
    overlap = np.arange(count, count - int(0.95 * count) - 1, -1)
    alike = np.fft.irfft(spectrum.sum(1), 2 * count)[: len(overlap)] / overlap
    here = alike[low:high]
    top = (here >= alike[low - 1 : high - 1]) & (here >= alike[low + 1 : high + 1])
    peaks = low + np.flatnonzero(top)
    if len(peaks) == 0 or alike[peaks].max() < 0.4:
        return None
    # the first of nearly equal peaks is the period, later ones its multiples
    return _refined(alike, float(peaks[alike[peaks] >= 0.9 * alike[peaks].max()][0]))


def _refined(alike: np.ndarray, period: float) -> float:
    """Sharpen a period at its multiples, which measure it ever more exactly."""
    multiple = 1
    while multiple * period < len(alike) - 3:
        near = round(multiple * period)
        around = alike[near - 2 : near + 3]
        peak = int(around.argmax())
        if 1 <= peak <= 3:
            before, here, after = around[peak - 1 : peak + 2]
            bend = before - 2.0 * here + after
            part = 0.5 * (before - after) / bend if bend < 0.0 else 0.0
            period = (near + peak - 2 + part) / multiple
        multiple += 1
    return period


def _spectral_shape(windows: np.ndarray) -> np.ndarray:
    """Return each window's log spectrum without its level and the usual spectrum, unit length."""
    shape = np.log(windows + 1e-6 * windows.max() + 1e-20)
    shape = shape - shape.mean(1, keepdims=True)
    shape = shape - shape.mean(0)
    return shape / (np.sqrt((shape**2).sum(1, keepdims=True)) + 1e-9)


def _repeated_change(
    mel: np.ndarray, active: np.ndarray, period: float | None
) -> tuple[float, float]:
    """Return by how many dB equal moments change over the whole time, and its standard error.

    All repetitions are compared with all earlier ones in every band; loud cells count most, as
    the fourth root of their power. Averaging over bands evens out what reflections do to single
    ones. The error is the spread without one part of the time at a time (the jackknife).
    """
    windows = min(len(mel), round(_COMPARED_S / WINDOW_STEP_S))
    if period is None:
        return 0.0, np.inf
    power = mel[:windows]
    level = 10.0 * np.log10(power + 1e-7 * power.max() + 1e-30)
    weight = (power / power.max()) ** 0.25 * active[:windows, None]
    rise, span = np.zeros(_PARTS), np.zeros(_PARTS)
    for lag in np.arange(period, 0.95 * windows, period):
        whole, part = int(lag), lag - int(lag)
        first, second = level[: -whole - 1], level[1:-whole]
        third, fourth = level[whole:-1], level[whole + 1 :]
        # between windows: once the later moment is interpolated, once the earlier
        change = 0.5 * ((1 - part) * (third - first) + part * (fourth - first))
        change += 0.5 * (part * (fourth - first) + (1 - part) * (fourth - second))
        loud = np.minimum(weight[: -whole - 1], weight[1:-whole])
        loud = np.minimum(loud, np.minimum(weight[whole:-1], weight[whole + 1 :]))
        when = np.arange(len(change)) * _PARTS // len(change)
        rise += lag * np.bincount(when, (loud * change).sum(1), _PARTS)
        span += lag**2 * np.bincount(when, loud.sum(1), _PARTS)
    if np.sum(span > 0.0) < 2:
        return 0.0, np.inf
    without = [
        (rise.sum() - r) / (span.sum() - s) * windows
        for r, s in zip(rise, span, strict=True)
        if 0.0 < s < span.sum()
    ]
    value = float(rise.sum() / span.sum() * windows)
    spread = np.sqrt((len(without) - 1) / len(without) * np.sum((without - np.mean(without)) ** 2))
    return value, float(np.hypot(spread, 0.05))


def _level_course(
    level_db: np.ndarray, active: np.ndarray, period: float | None, dies_away: bool
) -> _Change:
    """Fit a straight radial path at constant speed to the level.

    Distance goes evenly from 1 to ``exp(value)`` over the active part; level is -20 log10 of
    it, plus a constant (the envelope) or plus what repeats after `period` windows; the better
    explained of the two counts.
    """
    where = np.flatnonzero(active)
    level, known = level_db[where[0] : where[-1] + 1], active[where[0] : where[-1] + 1]
    step = -(-len(level) // _MOST_WINDOWS)
    level, known = _thinned(level, step), _thinned(known.astype(float), step) > 0.5
    paths = -20.0 * np.log10(_radial(len(level), _LOG_RATIOS))
    half = max(4, len(level) // 12)
    envelope = percentile_envelope(np.where(known, level, np.nan), half, 80.0)
    off = envelope - paths
    off = off - np.median(off, axis=1, keepdims=True)
    by_envelope = _explained(off, float(known.mean()) - 0.4)
    if dies_away and _strokes(level) < 3 and by_envelope.value > 0.0:
        by_envelope = by_envelope._replace(trust=0.0)
    found = [by_envelope]
    lag = 0 if period is None else round(period / step)
    if 0 < lag < len(level):
        pairs = known[lag:] & known[:-lag]
        if pairs.sum() >= 8:
            expected = (paths[:, lag:] - paths[:, :-lag])[:, pairs]
            off = (level[lag:] - level[:-lag])[pairs] - expected
            found.append(_explained(off, 0.2))
    return max(found, key=lambda change: change.trust)


def _thinned(values: np.ndarray, step: int) -> np.ndarray:
    """Return the means of `step` values at a time; what is left over at the end is dropped."""
    return values[: len(values) // step * step].reshape(-1, step).mean(1)


def _strokes(level_db: np.ndarray) -> int:
    """Count steep rises of the level: 8 dB within four windows."""
    steep = level_db[4:] - level_db[:-4] > 8.0
    return int(np.sum(steep[1:] & ~steep[:-1])) + int(steep[:1].sum())


def _explained(off_db: np.ndarray, lasting: float) -> _Change:
    """Choose the path of least misfit [ratios, windows].

    It is trusted where it leaves little of what standing still leaves, and where the sound lasts.
    """
    misfit = np.minimum(np.abs(off_db), 10.0).mean(1)
    best = int(misfit.argmin())
    gain = 1.0 - float(misfit[best]) / max(float(misfit[len(_LOG_RATIOS) // 2]), 1e-9)
    return _Change(float(_LOG_RATIOS[best]), _rises(gain - 0.3, 0.06) * _rises(lasting, 0.05))


def _radial(count: int, log_ratio: np.ndarray) -> np.ndarray:
    """Return distances that go evenly from 1 to ``exp(log_ratio)`` [ratios, count]."""
    ratio = np.exp(np.atleast_1d(log_ratio))[:, None]
    return 1.0 + (ratio - 1.0) * np.linspace(0.0, 1.0, count)


def _rises(value: float, width: float) -> float:
    return float(1.0 / (1.0 + np.exp(-np.clip(value / width, -30.0, 30.0))))


_SWEEP_DEG = 10.0
_IMAGE_SWEEP_DEG = 6.0  # an image between loudspeakers moves less than what was recorded
_GAIN_ERROR, _IMAGE_GAIN_ERROR = 0.03, 0.5
_LEAST_RADIAL_S = 1.0  # a sound's own swell is not told from approach in less
_STILL_ERROR = 0.06  # of ln(distance), where nothing is heard to move
_Z90 = 1.645


@dataclass(frozen=True)
class Movement:
    """What `follow_motion` found; fields as in `spa2v_lib.cues.types.SourceTrack`.

    Ranges are arrays [frames].
    """

    motion: Motion
    confidence: float
    scores: dict[Motion, float]
    level_change_db: float
    relative_range: np.ndarray
    relative_range_low: np.ndarray
    relative_range_high: np.ndarray
    closest_s: float | None
    pass_by: PassBy | None


def follow_motion(
    heard: Interaural,
    active: np.ndarray,
    track: Track | None,
    *,
    sound: Recording | None = None,
    sure: bool = True,
    dies_away: bool = False,
    alone: bool = True,
) -> Movement:
    """Judge how one source moves, and its distance over its smallest distance.

    Parameters
    ----------
    heard : Interaural
        Of this source: `times_s`, `level_db` and `mel` are used.
    active : ndarray of bool [frames]
        Where it sounds.
    track : Track or None
        Its directions; None where there are none.
    sound : Recording, optional
        Its sound, of the same length, to hear the Doppler shift in: the recording itself, or the
        separated source. Without it no speed is claimed.
    sure : bool
        Whether the capture format is known; images between loudspeakers sweep less.
    dies_away : bool
        Whether such sounds fade by themselves, as struck and plucked ones do.
    alone : bool
        Whether nothing else sounds. A separated source keeps a little of the others, so that only
        changes of level count that would count in the open.

    Returns
    -------
    Movement
        A crossing sweeps at least 10° one way (6° where the format is not sure); approach and
        recession change the level while the azimuth stays, and are claimed of sounds that last a
        second at least.
    """
    if active.sum() < 2:
        return _resting(len(active), {name: float(name == "stationary") for name in MOTIONS}, 0.0)
    per_frame = len(heard.mel) // len(active)
    radial = radial_motion(
        heard.mel,
        np.zeros(len(heard.mel)) if track is None else np.repeat(track.direct_db, per_frame),
        np.repeat(active, per_frame),
        dryness=None if track is None else track.dryness if alone else 1.0,
        dies_away=dies_away,
    )
    first, last = (heard.times_s[k] for k in np.flatnonzero(active)[[0, -1]])
    if last - first < _LEAST_RADIAL_S:
        radial = radial._replace(confidence=0.0)
    sweep = crossing = 0.0
    if track is not None:
        least = _SWEEP_DEG if sure else _IMAGE_SWEEP_DEG
        sweep, crossing = _sweep(track.azimuth, track.error, active, least)
    scores = _scores(sweep, crossing, radial)
    motion = _best(scores)
    change = -20.0 / np.log(10.0) * radial.log_ratio
    if track is not None and "crossing" in motion:
        return _crossing(heard, active, track, scores, change, sound, sure)
    if motion != "stationary":
        return _radial_motion(heard.times_s, active, scores, radial)
    return _resting(len(active), scores, change)


def _scores(sweep: float, crossing: float, radial: RadialMotion) -> dict[Motion, float]:
    """Share out confidence; it adds up to 1."""
    nearer = radial.confidence
    # an approach that aims beside the microphone also sweeps: the larger share of motion decides
    if abs(sweep) < 25.0 and abs(radial.log_ratio) > 2.0 * np.radians(abs(sweep)):
        crossing *= 1.0 - nearer
    else:
        nearer *= 1.0 - crossing
    return {
        "left_crossing": crossing if sweep < 0.0 else 0.0,
        "right_crossing": crossing if sweep >= 0.0 else 0.0,
        "approaching": nearer if radial.log_ratio < 0.0 else 0.0,
        "receding": nearer if radial.log_ratio >= 0.0 else 0.0,
        "stationary": max(0.0, 1.0 - crossing - nearer),
    }


def _best(scores: dict[Motion, float]) -> Motion:
    return max(scores, key=scores.__getitem__)


def _crossing(
    heard: Interaural,
    active: np.ndarray,
    track: Track,
    scores: dict[Motion, float],
    change_db: float,
    sound: Recording | None,
    sure: bool,
) -> Movement:
    level = heard.level_db + track.direct_db
    fitted = fit_pass_by(
        Evidence(
            times_s=heard.times_s[active],
            azimuth_deg=track.raw[active],
            azimuth_error_deg=np.hypot(track.error[active], 0.3),
            level_db=level[active],
            gain_error=_GAIN_ERROR if sure else _IMAGE_GAIN_ERROR,
        ),
        sound,
    )
    if fitted is None:
        unknown = np.full(len(active), np.nan)
        return _movement(scores, change_db, (unknown, unknown, unknown), None, None)
    closest = fitted.pass_by.closest_s.value
    closest = float(np.clip(closest, heard.times_s[0], heard.times_s[-1]))
    ranges = fitted.relative_range(heard.times_s)
    return _movement(scores, change_db, ranges, closest, fitted.pass_by)


def _radial_motion(
    times_s: np.ndarray, active: np.ndarray, scores: dict[Motion, float], radial: RadialMotion
) -> Movement:
    first, last = (int(k) for k in np.flatnonzero(active)[[0, -1]])
    course = np.clip((np.arange(len(active)) - first) / max(last - first, 1), 0.0, 1.0)
    sign, size = np.sign(radial.log_ratio), abs(radial.log_ratio)
    half = _Z90 * radial.error
    logs = [
        np.log(1.0 + np.expm1(sign * changed) * course)
        for changed in (size, max(size - half, 0.0), size + half)
    ]
    ranges = tuple(np.exp(log - log.min()) for log in logs)
    nearest = float(times_s[int(ranges[0].argmin())])
    change = -20.0 / np.log(10.0) * radial.log_ratio
    return _movement(scores, change, ranges, nearest, None)


def _resting(frames: int, scores: dict[Motion, float], change_db: float) -> Movement:
    one = np.ones(frames)
    far = float(np.exp(_Z90 * _STILL_ERROR))
    return _movement(scores, change_db, (one, one, far * one), None, None)


def _movement(
    scores: dict[Motion, float],
    change_db: float,
    ranges: tuple[np.ndarray, np.ndarray, np.ndarray],
    closest_s: float | None,
    pass_by: PassBy | None,
) -> Movement:
    motion = _best(scores)
    return Movement(motion, scores[motion], scores, change_db, *ranges, closest_s, pass_by)


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
    trust = _rises_motion(abs(sweep) - least_deg, 0.15 * least_deg) * _rises_motion(
        abs(one_way) - 0.75, 0.05
    )
    return sweep, trust * _rises_motion(clear - 1.5, 0.25)


def _rises_motion(value: float, width: float) -> float:
    return float(1.0 / (1.0 + np.exp(-np.clip(value / width, -30.0, 30.0))))
