"""Whether a source approaches or recedes, from the course of its level.

Level alone mixes distance with what the source itself does. Where a sound repeats itself (a bell,
an engine, steps), equal moments of its repetitions are compared, band by band, which cancels its
own course; elsewhere the loud moments are followed. In a room only the direct sound changes with
distance, so the sum changes less, and smaller significant changes count; but the ratio of direct
to reverberant sound has to change with the level, for a source's own swell moves both alike. In
the open nothing distinguishes the two, and the confidence says so.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from spa2v_lib.cues.tracking import percentile_envelope
from spa2v_lib.cues.windows import WINDOW_STEP_S

__all__ = ["RadialMotion", "radial_motion", "ratio_change", "repetition", "soft_step"]

_LOG_RATIOS = np.linspace(-2.5, 2.5, 251)  # ln(last distance / first distance)
_MOST_WINDOWS = 1200  # half a minute; the course of longer sounds is followed more coarsely
_REPEAT_S = (0.25, 12.0)
_LONGEST = 0.9  # a period must leave this much of the time to be compared
_COMPARED_S = 120.0  # repetitions are looked for, and compared, in the first two minutes
_PARTS = 8  # of the time, for the spread of the changes between repetitions
_SIGNIFICANT, _ROOM_SIGNIFICANT = 4.0, 2.5  # times its standard error is what counts as a change
_IN_ROOM = 0.2  # of the room's hiding: from here on the ratio of direct to reverberant sound counts
_RATIO_SHARE = 0.25  # of the level's change that this ratio has to change by, at least
_FEWEST_STROKES = 3  # of a sound that dies away, for their loudness to show its distance
_LEVEL_ALONE = 0.8  # the most confidence where level is the only evidence
_UNSEEN_ERROR = 0.7  # of ln(distance): changes up to threefold were missed in tuning scenes
_STILL_ERROR = 0.06  # of ln(distance), of what repeats itself evenly
_DB_PER_LOG = 20.0 / np.log(10.0)  # of level by ln(distance)

# Least changes in dB that count, in the open, and by how much less in a room that hides the most.
_REPEATED_DB, _ROOM_REPEATED_DB = 2.75, 2.5
_LEVEL_DB, _ROOM_LEVEL_DB = 3.5, 2.0
_UNDIRECTED_DB = 3.5  # where no direction is known, and so nothing of the room

# By how much more than the level ln(distance) changes there; tuned on simulated rooms.
_HIDDEN_OF_DIRECT, _HIDDEN_OF_ALL = 0.6, 2.5


class RadialMotion(NamedTuple):
    """How the level changes with distance.

    Attributes
    ----------
    log_ratio : float
        ln(last distance over first distance).
    error : float
        Its standard error.
    confidence : float
        That the source approaches or recedes at all, in [0, 1].
    still_error : float
        Standard error of ln(distance) if it does neither: only where a sound repeats itself does
        an even level show that the distance stays, for another may grow as it leaves.

    Examples
    --------
    >>> RadialMotion(log_ratio=-0.7, error=0.1, confidence=0.9).log_ratio
    -0.7
    """

    log_ratio: float
    error: float
    confidence: float
    still_error: float = _UNSEEN_ERROR


class _Change(NamedTuple):
    value: float
    confidence: float


def radial_motion(
    mel: np.ndarray,
    direct_db: np.ndarray,
    active: np.ndarray,
    *,
    dryness: float | None,
    ratio_change_db: float | None = None,
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
        Where the source is active.
    dryness : float or None
        0 where a room answers louder than the source, 1 in the open; None if not known.
    ratio_change_db : float, optional
        Change of the ratio of direct to reverberant sound, from `ratio_change`.
    dies_away : bool
        Whether such sounds fade by themselves, as struck and plucked ones do: then a falling
        envelope is no evidence.

    Returns
    -------
    RadialMotion

    See Also
    --------
    spa2v_lib.cues.motion.follow_motion : Weighs it against a crossing.

    Examples
    --------
    >>> import numpy as np
    >>> distance = np.linspace(10.0, 2.0, 200)[:, None]
    >>> mel = np.random.default_rng(0).uniform(0.9, 1.1, (200, 40)) / distance**2
    >>> moves = radial_motion(mel, np.zeros(200), np.ones(200, bool), dryness=1.0)
    >>> bool(moves.log_ratio < -1.0), bool(moves.confidence > 0.5)
    (True, True)
    """
    level = 10.0 * np.log10(mel.sum(1) + 1e-12) + direct_db
    period = repetition(mel)
    course = _level_course(level, active, period, dies_away)
    repeated, spread = _repeated_change(mel, active, period)
    hidden = 0.0 if dryness is None else 1.0 - dryness
    need = _UNDIRECTED_DB if dryness is None else _LEVEL_DB - _ROOM_LEVEL_DB * hidden
    change = -_DB_PER_LOG * course.value
    by_course = course.confidence * soft_step(abs(change) - need, 0.25 * need)
    by_course *= _LEVEL_ALONE
    if ratio_change_db is not None and hidden > _IN_ROOM:
        agreeing = ratio_change_db * np.sign(change) / max(abs(change), 1e-6)
        by_course *= soft_step(agreeing - _RATIO_SHARE, 0.03) / _LEVEL_ALONE
    need = _REPEATED_DB - _ROOM_REPEATED_DB * hidden
    by_repeats = soft_step(abs(repeated) - need, 0.15 * need)
    significant = _SIGNIFICANT - (_SIGNIFICANT - _ROOM_SIGNIFICANT) * hidden
    by_repeats *= soft_step(abs(repeated) / spread - significant, 0.3)
    if ratio_change_db is not None and hidden > _IN_ROOM:
        agreeing = ratio_change_db * np.sign(repeated) / max(abs(repeated), 1e-6)
        by_repeats *= soft_step(agreeing + _RATIO_SHARE, 0.03)
    strokes = _strokes(level[active]) if dies_away else _FEWEST_STROKES
    if strokes < _FEWEST_STROKES and repeated < 0.0:
        by_repeats = 0.0
    if strokes < 2 and change < 0.0:
        by_course = 0.0  # the beats of one stroke repeat themselves, too, and fall with it
    against = repeated * change < 0.0
    unsure = np.isfinite(spread) and abs(repeated) < significant * spread
    if unsure or (against and np.isfinite(spread)):
        by_course *= 0.5
    if against and by_repeats > by_course:
        log_ratio = -repeated / _DB_PER_LOG * (1.0 + _HIDDEN_OF_ALL * hidden)
        error = 0.05 + 0.5 * hidden * abs(log_ratio)
    else:
        log_ratio = course.value * (1.0 + _HIDDEN_OF_DIRECT * hidden)
        error = 0.04 + (0.05 + 0.4 * hidden) * abs(log_ratio)
    seen = np.hypot(_STILL_ERROR, spread / _DB_PER_LOG * (1.0 + _HIDDEN_OF_ALL * hidden))
    return RadialMotion(
        float(log_ratio),
        float(error),
        max(by_course, by_repeats),
        float(min(seen, _UNSEEN_ERROR)),
    )


def ratio_change(level_db: np.ndarray, directness: np.ndarray, active: np.ndarray) -> float:
    """Return by how many dB the ratio of direct to reverberant sound changes over the active part.

    Parameters
    ----------
    level_db, directness : ndarray [frames]
        Level, and share of direct sound, in [0, 1].
    active : ndarray of bool [frames]
        Somewhere True.

    Returns
    -------
    float
        Slope of a straight line, loud frames counting most, times the active part's length.

    Examples
    --------
    >>> share = np.linspace(0.5, 0.8, 50)
    >>> round(ratio_change(np.zeros(50), share, np.ones(50, bool)))
    6
    """
    known = np.flatnonzero(active)
    weight = 10.0 ** ((level_db[known] - level_db[known].max()) / 20.0)
    share = np.clip(directness[known], 0.02, 0.98)
    ratio_db = 10.0 * np.log10(share / (1.0 - share))
    time = known - np.average(known, weights=weight)
    slope = (weight * time * ratio_db).sum() / max((weight * time**2).sum(), 1e-9)
    return float(slope * (known[-1] - known[0]))


def repetition(mel: np.ndarray) -> float | None:
    """Return the period of a sound in windows, or None if it does not repeat itself.

    Parameters
    ----------
    mel : ndarray [windows, bands]
        Power in mel bands, `WINDOW_STEP_S` apart; what counts is how the spectrum's shape
        changes, not its level.

    Returns
    -------
    float or None
        In windows, finer than one.

    Examples
    --------
    >>> import numpy as np
    >>> beat = np.random.default_rng(0).uniform(0.1, 1.0, (40, 8))
    >>> round(repetition(np.tile(beat, (5, 1))))
    40
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

    All repetitions are compared with all earlier ones in every band; loud bins count most, as
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
    if dies_away and by_envelope.value > 0.0:
        by_envelope = by_envelope._replace(confidence=0.0)
    candidates = [by_envelope]
    lag = 0 if period is None else round(period / step)
    if 0 < lag < len(level):
        pairs = known[lag:] & known[:-lag]
        if pairs.sum() >= 8:
            expected = (paths[:, lag:] - paths[:, :-lag])[:, pairs]
            off = (level[lag:] - level[:-lag])[pairs] - expected
            candidates.append(_explained(off, 0.2))
    return max(candidates, key=lambda change: change.confidence)


def _thinned(values: np.ndarray, step: int) -> np.ndarray:
    """Return the means of `step` values at a time; what is left over at the end is dropped."""
    return values[: len(values) // step * step].reshape(-1, step).mean(1)


def _strokes(level_db: np.ndarray) -> int:
    """Count steep rises of the level: 8 dB within four windows."""
    steep = level_db[4:] - level_db[:-4] > 8.0
    return int(np.sum(steep[1:] & ~steep[:-1])) + int(steep[:1].sum())


def _explained(off_db: np.ndarray, lasting: float) -> _Change:
    """Choose the path of least misfit [ratios, windows].

    The confidence is high where it explains most of what a stationary source leaves unexplained,
    and where the sound lasts.
    """
    misfit = np.minimum(np.abs(off_db), 10.0).mean(1)
    best = int(misfit.argmin())
    gain = 1.0 - float(misfit[best]) / max(float(misfit[len(_LOG_RATIOS) // 2]), 1e-9)
    return _Change(float(_LOG_RATIOS[best]), soft_step(gain - 0.3, 0.06) * soft_step(lasting, 0.05))


def _radial(count: int, log_ratio: np.ndarray) -> np.ndarray:
    """Return distances that go evenly from 1 to ``exp(log_ratio)`` [ratios, count]."""
    ratio = np.exp(np.atleast_1d(log_ratio))[:, None]
    return 1.0 + (ratio - 1.0) * np.linspace(0.0, 1.0, count)


def soft_step(value: float, width: float) -> float:
    """Return a logistic step from 0 to 1 at a value of 0.

    Parameters
    ----------
    value : float
        Any real number.
    width : float
        Above 0; the step is 0.73 there.

    Examples
    --------
    >>> soft_step(0.0, 1.0)
    0.5
    """
    return float(1.0 / (1.0 + np.exp(-np.clip(value / width, -30.0, 30.0))))
