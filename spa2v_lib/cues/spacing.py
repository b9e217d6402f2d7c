"""How far apart the two microphones of a pair are, from the delays between them.

No delay is longer than sound takes from one microphone to the other, so the longest one gives the
least spacing. A source that passes shows more: its delay levels off towards that limit on both
sides, ``τ = d/c · sin(atan u + tilt)`` with ``u = rate (t - t₀)``, while its level falls as
``-10 lg(1 + u²)``; fitted together they give the spacing d itself.
"""

from __future__ import annotations

import numpy as np

from spa2v_lib.cues.features import LAGS_S, Features
from spa2v_lib.cues.formats import FORMATS, SOUND_M_S
from spa2v_lib.cues.types import Range

__all__ = ["NARROWEST_M", "pair_spacing"]

NARROWEST_M = 0.15
"""Pairs of omnidirectional microphones are hardly ever closer together."""

_USUAL_M, _WIDEST_M = float(np.ptp(FORMATS["ab"].delay_s)) / 2.0 * SOUND_M_S, 0.6
_COHERENT = 0.3  # least height of the cross-correlation's peak
_LONGEST = 0.95  # quantile of the delays: single frames err
_LEAST_FRAMES = 10
_DELAY_ERROR_S, _LEVEL_ERROR_DB = 2e-5, 3.0
_MISFIT = 2.5  # of delays, in standard errors, that is too much for a pass-by
_TILT_RAD = 0.35  # how far from parallel to the pair paths usually are
_Z90 = 1.645
_LEAST_HALF = 0.1  # paths are not quite straight
_CLEAR = 0.35  # the most half-width of the interval, in ln(spacing), that is a measurement


def pair_spacing(features: Features, active: np.ndarray) -> Range:
    """Estimate the spacing of two omnidirectional microphones, in metres.

    Parameters
    ----------
    features : Features
        Of the whole recording, see `spa2v_lib.cues.features.extract_features`.
    active : ndarray of bool [frames]
        Where any source is active.

    Returns
    -------
    Range
        Where no source passes by, the value is the usual 0.5 m, or what the longest delay asks
        for, and the interval is all that the delays allow.

    See Also
    --------
    spa2v_lib.cues.formats.get_format : A pair of that spacing.

    Examples
    --------
    >>> from spa2v_lib.audio import Recording
    >>> from spa2v_lib.cues.features import extract_features
    >>> noise = 0.1 * np.random.default_rng(0).normal(size=16000)
    >>> early = Recording.from_samples(np.stack([np.roll(noise, 12), noise]), 16000)
    >>> found = pair_spacing(extract_features(early), np.ones(10, bool))
    >>> round(found.low, 2), found.value  # 0.75 ms take at least 26 cm
    (0.26, 0.5)
    """
    height, delay_s = features.gcc.max(1), LAGS_S[features.gcc.argmax(1)]
    use = active & (height > _COHERENT)
    if not use.any():
        return Range(value=_USUAL_M, low=NARROWEST_M, high=_WIDEST_M)
    longest = float(np.quantile(np.abs(delay_s[use]), _LONGEST)) * SOUND_M_S
    low = max(longest, NARROWEST_M)
    passing = _passing(features.times_s[use], delay_s[use], features.level_db[use])
    if passing is not None:
        log_spacing, half = passing
        low, value, high = (float(np.exp(log_spacing + k * half)) for k in (-1.0, 0.0, 1.0))
        return Range(value=value, low=low, high=high)
    return Range(value=max(_USUAL_M, low), low=low, high=max(_WIDEST_M, low))


def _passing(
    times_s: np.ndarray, delay_s: np.ndarray, level_db: np.ndarray
) -> tuple[float, float] | None:
    """Return ln(spacing) and half its 90 % interval if a source passes by, else None."""
    from scipy.optimize import least_squares

    edge = max(1, len(delay_s) // 10)
    ends = float(np.median(delay_s[:edge])), float(np.median(delay_s[-edge:]))
    if len(delay_s) < _LEAST_FRAMES or ends[0] * ends[1] >= 0.0:
        return None
    side, middle = np.sign(ends[1]), times_s[np.abs(delay_s).argmin()]
    widest, span = max(map(abs, ends)) * SOUND_M_S, times_s[-1] - times_s[0]

    def misfit(theta: np.ndarray) -> np.ndarray:
        log_spacing, log_rate, closest_s, level, tilt = theta
        position = np.exp(np.clip(log_rate, -6.0, 6.0)) * (times_s - closest_s)
        sine = np.sin(side * np.arctan(position) + tilt)
        expected = np.exp(np.clip(log_spacing, -4.0, 2.0)) / SOUND_M_S * sine
        fall = level_db - level + 10.0 * np.log10(1.0 + position**2)
        late = (delay_s - expected) / _DELAY_ERROR_S
        return np.concatenate([late, fall / _LEVEL_ERROR_DB, [tilt / _TILT_RAD]])

    start = np.array([np.log(1.2 * widest + 1e-3), np.log(4.0 / span), middle, level_db.max(), 0.0])
    scales = [0.1, 0.1, 0.1, 1.0, 0.1]
    found = least_squares(misfit, start, loss="soft_l1", x_scale=scales, max_nfev=60)
    late = np.abs(misfit(found.x)[: len(delay_s)])
    scale = max(1.0, float(np.median(late)))
    variance = np.linalg.pinv(found.jac.T @ found.jac)[0, 0]
    # neighbouring frames share their sound
    half = _Z90 * scale * float(np.sqrt(2.0 * variance))
    inside = NARROWEST_M / 2.0 < np.exp(found.x[0]) < 2.0 * _WIDEST_M
    if scale > _MISFIT or half > _CLEAR or not inside:
        return None
    return float(found.x[0]), max(half, _LEAST_HALF)
