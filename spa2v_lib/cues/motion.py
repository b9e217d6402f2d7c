"""How a source moves: across, towards the microphone, away from it, or not at all.

A sweep of its azimuth shows a crossing (`spa2v_lib.cues.sweep`), whose path `spa2v_lib.cues.passby`
then fits; the course of its level shows approach and recession (`spa2v_lib.cues.approach`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from spa2v_lib.cues.approach import RadialMotion, radial_motion, ratio_change
from spa2v_lib.cues.features import Features
from spa2v_lib.cues.localization import Track
from spa2v_lib.cues.passby import PassByEvidence, fit_pass_by
from spa2v_lib.cues.sweep import loud_span, measured_sweep
from spa2v_lib.cues.types import MOTIONS, CaptureGuess, Motion, PassBy

if TYPE_CHECKING:
    from spa2v_lib.audio.recording import Recording

__all__ = [
    "Movement",
    "follow_motion",
    "undecided",
]

_SWEEP_DEG = 10.0
_IMAGE_SWEEP_DEG = 6.0  # an image between loudspeakers moves less than what was recorded
_GAIN_ERROR, _IMAGE_GAIN_ERROR = 0.03, 0.5
_LEAST_RADIAL_S = 1.0  # a shorter swell cannot be distinguished from approach
_POSSIBLE = 0.1  # a motion of this score widens the interval of the range
_Z90 = 1.645

_Ranges = tuple[np.ndarray, np.ndarray, np.ndarray]  # value, low and high


@dataclass(frozen=True)
class Movement:
    """How a source moves; fields as in `spa2v_lib.cues.source_track.SourceTrack`.

    Ranges are arrays [frames].

    Examples
    --------
    >>> import numpy as np
    >>> one = np.ones(3)
    >>> scores = {"stationary": 0.9, "receding": 0.1}
    >>> Movement("stationary", 0.9, scores, 0.0, one, one, one, None, None).motion
    'stationary'
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
    features: Features,
    active: np.ndarray,
    track: Track | None,
    *,
    signal: Recording | None = None,
    capture: CaptureGuess | None = None,
    format_known: bool = True,
    dies_away: bool = False,
    alone: bool = True,
) -> Movement:
    """Judge how one source moves, and its distance over its smallest distance.

    Parameters
    ----------
    features : Features
        Of this source: `times_s`, `level_db` and `mel` are used.
    active : ndarray of bool [frames]
        Where the source is active.
    track : Track or None
        Its directions; None where there are none.
    signal : Recording, optional
        Its signal, of the same length, to measure the Doppler shift in: the recording itself, or
        the separated source. Without it no speed is claimed.
    capture : CaptureGuess, optional
        To compare what the bands say of a sweep; without it they are not compared.
    format_known : bool
        Whether the capture format is known; images between loudspeakers sweep less.
    dies_away : bool
        Whether such sounds fade by themselves, as struck and plucked ones do.
    alone : bool
        Whether no other source is active. A separated source keeps a little of the others, so
        that only changes of level count that would count in the free field.

    Returns
    -------
    Movement
        A crossing sweeps at least 10° in one direction (6° where the format is not known);
        approach and recession change the level while the azimuth stays, and are claimed of sounds
        that last at least a second.

    See Also
    --------
    spa2v_lib.cues.sweep.measured_sweep : Whether the azimuth sweeps.
    spa2v_lib.cues.approach.radial_motion : What the level shows.
    spa2v_lib.cues.passby.fit_pass_by : The path of a crossing.

    Examples
    --------
    >>> import numpy as np
    >>> from spa2v_lib.audio import Recording
    >>> noise = 0.1 * np.random.default_rng(0).normal(size=16000)
    >>> from spa2v_lib.cues.features import extract_features
    >>> recording = Recording.from_samples(np.stack([0.3 * noise, noise]), 16000)
    >>> features = extract_features(recording, with_bins=True)
    >>> from spa2v_lib.cues.localization import track_azimuth
    >>> active = np.ones(10, bool)
    >>> track = track_azimuth(features, active, "xy", format_known=True)
    >>> follow_motion(features, active, track).motion
    'stationary'
    """
    if active.sum() < 2:
        scores = {name: float(name == "stationary") for name in MOTIONS}
        return _movement(
            scores, 0.0, _still_ranges(len(active), RadialMotion(0.0, 0.0, 0.0)), None, None
        )
    per_frame = len(features.mel) // len(active)
    radial = radial_motion(
        features.mel,
        np.zeros(len(features.mel)) if track is None else np.repeat(track.direct_db, per_frame),
        np.repeat(active, per_frame),
        dryness=None if track is None else track.dryness if alone else 1.0,
        ratio_change_db=None
        if track is None
        else ratio_change(features.level_db, track.directness, active),
        dies_away=dies_away,
    )
    first, last = (features.times_s[k] for k in np.flatnonzero(active)[[0, -1]])
    if last - first < _LEAST_RADIAL_S:
        radial = radial._replace(confidence=0.0)
    sweep, crossing, crossed = 0.0, 0.0, active
    if track is not None:
        least = _SWEEP_DEG if format_known else _IMAGE_SWEEP_DEG
        crossed = loud_span(features.level_db + track.direct_db, active)
        sweep, crossing = measured_sweep(features, track, crossed, least, capture)
    scores = _scores(sweep, crossing, radial)
    motion = _best(scores)
    change = -20.0 / np.log(10.0) * radial.log_ratio
    still, moved = _still_ranges(len(active), radial), _radial_ranges(active, radial)
    if track is not None and "crossing" in motion:
        found = _crossing(features, crossed, track, scores, change, signal, format_known)
    elif motion != "stationary":
        nearest = float(features.times_s[int(moved[0].argmin())])
        found = _movement(scores, change, moved, nearest, None)
    else:
        found = _movement(scores, change, still, None, None)
    return _widened(found, still, moved)


def undecided(frames: int) -> Movement:
    """Return what is known of motion where nothing can be measured.

    Parameters
    ----------
    frames : int

    Returns
    -------
    Movement
        Called stationary at a confidence of one half, at distances that are not known.

    Examples
    --------
    >>> found = undecided(3)
    >>> found.motion, found.confidence
    ('stationary', 0.5)
    """
    scores = {name: 0.5 if name == "stationary" else 0.125 for name in MOTIONS}
    unknown = np.full(frames, np.nan)
    return _movement(scores, 0.0, (unknown, unknown, unknown), None, None)


def _scores(sweep: float, crossing: float, radial: RadialMotion) -> dict[Motion, float]:
    """Share out confidence; it adds up to 1."""
    radial_share = radial.confidence
    # an approach that passes beside the microphone sweeps, too: the larger share of motion decides
    if abs(sweep) < 25.0 and abs(radial.log_ratio) > 2.0 * np.radians(abs(sweep)):
        crossing *= 1.0 - radial_share
    else:
        radial_share *= 1.0 - crossing
    return {
        "left_crossing": crossing if sweep < 0.0 else 0.0,
        "right_crossing": crossing if sweep >= 0.0 else 0.0,
        "approaching": radial_share if radial.log_ratio < 0.0 else 0.0,
        "receding": radial_share if radial.log_ratio >= 0.0 else 0.0,
        "stationary": max(0.0, 1.0 - crossing - radial_share),
    }


def _best(scores: dict[Motion, float]) -> Motion:
    return max(scores, key=scores.__getitem__)


def _crossing(
    features: Features,
    active: np.ndarray,
    track: Track,
    scores: dict[Motion, float],
    change_db: float,
    signal: Recording | None,
    format_known: bool,
) -> Movement:
    level = features.level_db + track.direct_db
    fitted = fit_pass_by(
        PassByEvidence(
            times_s=features.times_s[active],
            azimuth_deg=track.raw[active],
            azimuth_error_deg=np.hypot(track.error[active], 0.3),
            level_db=level[active],
            gain_error=_GAIN_ERROR if format_known else _IMAGE_GAIN_ERROR,
        ),
        signal,
    )
    if fitted is None:
        unknown = np.full(len(active), np.nan)
        return _movement(scores, change_db, (unknown, unknown, unknown), None, None)
    closest = fitted.pass_by.closest_s.value
    closest = float(np.clip(closest, features.times_s[0], features.times_s[-1]))
    ranges = fitted.relative_range(features.times_s)
    return _movement(scores, change_db, ranges, closest, fitted.pass_by)


def _radial_ranges(active: np.ndarray, radial: RadialMotion) -> _Ranges:
    first, last = (int(k) for k in np.flatnonzero(active)[[0, -1]])
    course = np.clip((np.arange(len(active)) - first) / max(last - first, 1), 0.0, 1.0)
    sign, size = np.sign(radial.log_ratio), abs(radial.log_ratio)
    half = _Z90 * radial.error
    logs = [
        np.log(1.0 + np.expm1(sign * changed) * course)
        for changed in (size, max(size - half, 0.0), size + half)
    ]
    value, low, high = (np.exp(log - log.min()) for log in logs)
    return value, low, high


def _still_ranges(frames: int, radial: RadialMotion) -> _Ranges:
    one = np.ones(frames)
    return one, one, float(np.exp(_Z90 * radial.still_error)) * one


def _widened(found: Movement, still: _Ranges, radial: _Ranges) -> Movement:
    """Let the interval of the range hold what other motions would mean, if they are possible."""
    others = [
        ranges
        for names, ranges in ((("stationary",), still), (("approaching", "receding"), radial))
        if found.motion not in names and max(found.scores[name] for name in names) >= _POSSIBLE
    ]
    low, high = found.relative_range_low, found.relative_range_high
    for _, other_low, other_high in others:
        low, high = np.minimum(low, other_low), np.maximum(high, other_high)
    return replace(found, relative_range_low=low, relative_range_high=high)


def _movement(
    scores: dict[Motion, float],
    change_db: float,
    ranges: _Ranges,
    closest_s: float | None,
    pass_by: PassBy | None,
) -> Movement:
    motion = _best(scores)
    return Movement(motion, scores[motion], scores, change_db, *ranges, closest_s, pass_by)
