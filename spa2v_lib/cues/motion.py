"""How a source moves: across, towards the microphone, away from it, or not at all.

A sweep of its azimuth shows a crossing, whose path `spa2v_lib.cues.passby` then fits; the course of
its level shows approach and recession (`spa2v_lib.cues.approach`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from spa2v_lib.cues.approach import RadialMotion, radial_motion, ratio_change, soft_step
from spa2v_lib.cues.features import Features
from spa2v_lib.cues.localization import Track
from spa2v_lib.cues.passby import PassByEvidence, fit_pass_by
from spa2v_lib.cues.types import MOTIONS, Motion, PassBy

if TYPE_CHECKING:
    from spa2v_lib.audio.recording import Recording

__all__ = [
    "Movement",
    "follow_motion",
    "undecided",
]

_SWEEP_DEG = 10.0
_IMAGE_SWEEP_DEG = 6.0  # an image between loudspeakers moves less than what was recorded
_LOUD_DB = 12.0  # a source this far below its loudest half second may be masked by others
_LEAST_LOUD_FRAMES = 10
_GAIN_ERROR, _IMAGE_GAIN_ERROR = 0.03, 0.5
_LEAST_RADIAL_S = 1.0  # a shorter swell cannot be distinguished from approach
_STILL_ERROR = 0.06  # of ln(distance), of a source that does not move
_Z90 = 1.645


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
        return _stationary(
            len(active), {name: float(name == "stationary") for name in MOTIONS}, 0.0
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
        # what is left when a source has gone comes from elsewhere: from the room, or from others
        crossed = _loud_span(features.level_db + track.direct_db, active)
        sweep, crossing = _sweep(track.azimuth, track.error, crossed, least)
    scores = _scores(sweep, crossing, radial)
    motion = _best(scores)
    change = -20.0 / np.log(10.0) * radial.log_ratio
    if track is not None and "crossing" in motion:
        return _crossing(features, crossed, track, scores, change, signal, format_known)
    if motion != "stationary":
        return _radial_motion(features.times_s, active, scores, radial)
    return _stationary(len(active), scores, change)


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


def _stationary(frames: int, scores: dict[Motion, float], change_db: float) -> Movement:
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


def _loud_span(level_db: np.ndarray, active: np.ndarray) -> np.ndarray:
    """Return the active frames from the first to the last loud one; all, if those are too few."""
    known = np.flatnonzero(active)
    near = np.convolve(np.pad(level_db[known], 2, mode="edge"), np.full(5, 0.2), "valid")
    loud = known[near > near.max() - _LOUD_DB]
    span = active.copy()
    span[: loud[0]] = span[loud[-1] + 1 :] = False
    return span if span.sum() >= _LEAST_LOUD_FRAMES else active


def _sweep(
    azimuth: np.ndarray, error: np.ndarray, active: np.ndarray, least_deg: float
) -> tuple[float, float]:
    """Return the total sweep in degrees (positive to the right) and the confidence in it."""
    track, time = azimuth[active], np.flatnonzero(active)
    edge = max(1, len(track) // 10)
    sweep = float(track[-edge:].mean() - track[:edge].mean())
    track, time = track - track.mean(), time - time.mean()
    steadiness = float(track @ time) / (float(np.sqrt((track @ track) * (time @ time))) + 1e-9)
    clear = abs(sweep) / (2.0 * float(np.median(error[active])) + 1e-6)
    confidence = soft_step(abs(sweep) - least_deg, 0.15 * least_deg) * soft_step(
        abs(steadiness) - 0.75, 0.05
    )
    return sweep, confidence * soft_step(clear - 1.5, 0.25)
