"""The path of a source that passes by: straight, at constant speed, received at retarded time.

Azimuth and level show when it is closest, and its speed over its distance. Metres per second and
metres come from the Doppler shift alone, and are claimed only where it is measured. In the terms of
`spa2v_lib.cues.doppler` the azimuth is ``atan x`` from the closest point's, and the level
``-10 lg(1 + x²)``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from spa2v_lib.cues.doppler import Passage, focus, measured_shift, spectra_around
from spa2v_lib.cues.formats import SOUND_M_S
from spa2v_lib.cues.types import PassBy, Range

if TYPE_CHECKING:
    from spa2v_lib.audio.recording import Recording

__all__ = [
    "PassByEvidence",
    "PassByFit",
    "fit_pass_by",
]

_TILT_DEG = 20.0  # how far from parallel to the picture paths usually are
_USUAL_MACH = (0.03, 0.04)
_CLAIMED = 0.5  # a speed is claimed if its interval is at most this share of it to either side
_FASTEST_MACH = 0.2
_Z90 = 1.645
_WIDEST = 4.0  # nothing is known of a distance with this error in ln
_AZIMUTH_BLUR_S, _SHIFT_BLUR_S = 0.11, 0.05  # frames share their neighbours' sound
_FLOOR = np.array([0.002, 0.004, 0.0])  # what the model itself is good to: s, ln(rate), Mach
_WIDER = np.array([1.2, 1.5, 1.25])  # makes the intervals of the same hold nine truths in ten


@dataclass(frozen=True)
class PassByEvidence:
    """Measurements of a source that may pass by; all [frames], of those where it is active.

    Attributes
    ----------
    times_s : ndarray
    azimuth_deg, azimuth_error_deg : ndarray
        Direction of each frame before smoothing, and its standard error.
    level_db : ndarray
        Level of the direct sound.
    gain_error : float
        Standard error of a factor common to all azimuths: how well the capture format is known.
    shift : ndarray or None
        Pitch in ln(frequency), plus an arbitrary constant; NaN where there is none.

    Examples
    --------
    >>> import numpy as np
    >>> times, level = np.arange(3.0), np.array([-26.0, -20.0, -26.0])
    >>> PassByEvidence(times, np.array([-60.0, 0.0, 60.0]), np.ones(3), level).gain_error
    0.02
    """

    times_s: np.ndarray
    azimuth_deg: np.ndarray
    azimuth_error_deg: np.ndarray
    level_db: np.ndarray
    gain_error: float = 0.02
    shift: np.ndarray | None = None


@dataclass(frozen=True)
class PassByFit:
    """A fitted path, and the distances that follow from it.

    Attributes
    ----------
    pass_by : PassBy
    passage : Passage
        Best estimate.
    spread : ndarray [3, 3]
        Covariance of closest time, ln(rate) and Mach number.

    Examples
    --------
    >>> import numpy as np
    >>> time = Range(value=2.0, low=1.9, high=2.1)
    >>> described = PassBy(
    ...     closest_s=time,
    ...     speed_over_distance=Range(value=1.0, low=0.9, high=1.1),
    ...     speed_m_s=None,
    ...     distance_m=None,
    ...     heading_deg=90.0,
    ...     evidence="azimuth and level",
    ... )
    >>> fit = PassByFit(described, Passage(2.0, 1.0, 0.0), 1e-4 * np.eye(3))
    >>> fit.relative_range(np.array([1.0, 2.0]))[0].round(2)
    array([1.41, 1.  ])
    """

    pass_by: PassBy
    passage: Passage
    spread: np.ndarray

    def relative_range(self, times_s: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return distance over the smallest at `times_s`, and its 90 % interval, each [frames]."""
        best, step = _log_range(self.passage, times_s), 1e-4
        near, rate, mach = self.passage
        moved = (
            Passage(near + step, rate, mach),
            Passage(near, rate * np.exp(step), mach),
            Passage(near, rate, mach + step),
        )
        slope = np.stack([(_log_range(passage, times_s) - best) / step for passage in moved])
        half = _Z90 * np.sqrt(np.einsum("it,ij,jt->t", slope, self.spread, slope))
        half = np.minimum(half, _WIDEST)
        return np.exp(best), np.exp(np.maximum(best - half, 0.0)), np.exp(best + half)


def fit_pass_by(evidence: PassByEvidence, recording: Recording | None = None) -> PassByFit | None:
    """Fit a straight path at constant speed.

    Parameters
    ----------
    evidence : Evidence
        Of a source whose azimuth sweeps.
    recording : Recording, optional
        The source's own signal, to measure the Doppler shift in; without it no speed is claimed.

    Returns
    -------
    PassByFit or None
        None if fewer than five frames are known, or no path explains them.

    See Also
    --------
    spa2v_lib.cues.sweep.measured_sweep : Whether there is a crossing.
    spa2v_lib.cues.doppler.focus : Its speed, from the Doppler shift.

    Examples
    --------
    >>> import numpy as np
    >>> times = np.arange(0.0, 8.0, 0.1)
    >>> position = 0.5 * (times - 4.0)  # over the closest distance
    >>> evidence = PassByEvidence(
    ...     times, np.degrees(np.arctan(position)), np.ones(80), -10.0 * np.log10(1.0 + position**2)
    ... )
    >>> fit = fit_pass_by(evidence).pass_by
    >>> round(fit.closest_s.value, 1), round(fit.speed_over_distance.value, 1)
    (4.0, 0.5)
    """
    if len(evidence.times_s) < 5:
        return None
    solution = _solve(evidence, _first_guess(evidence))
    if solution is None:
        return None
    shifted = None if recording is None else _with_doppler(evidence, solution, recording)
    theta, spread = shifted or solution
    passage = theta.passage
    return PassByFit(_described(theta, spread, shifted is not None), passage, spread)


class _Theta(NamedTuple):
    """What is fitted: time, ln(rate), Mach number, azimuth of the closest point in radians,
    level and ln(pitch) there, and a factor of the azimuth in ln; `side` is 1 to the right.
    """

    closest_s: float
    log_rate: float
    mach: float
    tilt: float
    level: float
    log_pitch: float
    log_gain: float
    side: float

    @property
    def passage(self) -> Passage:
        return Passage(self.closest_s, float(np.exp(self.log_rate)), self.mach)


_STEPS = np.array([0.1, 0.1, 0.01, 0.1, 1.0, 0.01, 0.05])  # usual changes of each of them

_Solution = tuple[_Theta, np.ndarray]


def _first_guess(evidence: PassByEvidence) -> _Theta:
    """Fit ``tan azimuth = rate (t - closest)``."""
    time, azimuth = evidence.times_s, np.radians(np.clip(evidence.azimuth_deg, -80.0, 80.0))
    weight = (np.cos(azimuth) ** 2 / np.maximum(evidence.azimuth_error_deg, 0.5)) ** 2
    tangent = np.tan(azimuth)
    middle, height = np.average(time, weights=weight), np.average(tangent, weights=weight)
    spread = np.average((time - middle) ** 2, weights=weight)
    rate = np.average((time - middle) * (tangent - height), weights=weight) / max(spread, 1e-9)
    rate = rate if abs(rate) > 1e-3 else 1e-3
    level = float(np.median(evidence.level_db))
    closest, side = float(middle - height / rate), float(np.sign(rate))
    return _Theta(closest, float(np.log(abs(rate))), 0.03, 0.0, level, 0.0, 0.0, side)


def _with_doppler(
    evidence: PassByEvidence, first: _Solution, recording: Recording
) -> _Solution | None:
    """Fit again with the Doppler shift; None where it is not clear enough."""
    theta, _ = first
    time = evidence.times_s
    spectra = spectra_around(recording, theta.passage, float(time[0]), float(time[-1]))
    mach = focus(spectra, theta.passage)
    if mach is None:
        return None
    theta = theta._replace(mach=mach)
    for _ in range(2):
        shift = measured_shift(spectra, theta.passage)
        if np.isfinite(shift).sum() < 5:
            return None
        theta = theta._replace(log_pitch=0.0)
        again = _solve(replace(evidence, shift=shift), theta, spectra.times_s)
        if again is None:
            return None
        theta, spread = again
    precise = _Z90 * np.sqrt(spread[2, 2]) < _CLAIMED * theta.mach < _CLAIMED * _FASTEST_MACH
    return (theta, spread) if precise else None


def _solve(
    evidence: PassByEvidence, start: _Theta, shift_times_s: np.ndarray | None = None
) -> _Solution | None:
    """Robust least squares from `start`; None if it ends nowhere sensible.

    Azimuths, levels and pitches are weighed by their own misfit, which is known after one round.
    """
    from scipy.optimize import least_squares

    scale = {"azimuth": 1.0, "level": 3.0, "shift": 1e-3, "prior": 1.0}

    def misfits(theta: np.ndarray) -> dict[str, np.ndarray]:
        off = _misfits(evidence, _Theta(*theta, start.side), shift_times_s)
        return {name: values / scale[name] for name, values in off.items()}

    theta = np.array(start[:-1])
    for _ in range(3):
        solution = least_squares(
            lambda point: np.concatenate(list(misfits(point).values())),
            theta,
            loss="soft_l1",
            x_scale=_STEPS,
            ftol=1e-6,
            xtol=1e-6,
            max_nfev=30,
        )
        theta = solution.x
        for name, values in misfits(theta).items():
            if name != "prior":
                scale[name] *= max(_width(values), 0.1)
    done = _Theta(*map(float, theta), start.side)
    if not np.isfinite(theta).all() or abs(done.log_rate) > 5.0 or abs(done.mach) > 0.4:
        return None
    spread = np.linalg.pinv(solution.jac.T @ solution.jac)[:3, :3]
    return done, np.outer(_WIDER, _WIDER) * (spread + np.diag(_FLOOR**2))


def _misfits(
    evidence: PassByEvidence, theta: _Theta, shift_times_s: np.ndarray | None
) -> dict[str, np.ndarray]:
    """Return measured minus expected values by kind, and what is usual."""
    mach = float(np.clip(theta.mach, -0.5, 0.5))
    rate = float(np.exp(np.clip(theta.log_rate, -6.0, 6.0)))
    passage = Passage(theta.closest_s, rate, mach)
    position = passage.position(evidence.times_s)
    turned = _blurred(lambda t: np.arctan(passage.position(t)), evidence.times_s, _AZIMUTH_BLUR_S)
    azimuth = theta.tilt + theta.side * np.exp(theta.log_gain) * turned
    off = {
        "azimuth": (evidence.azimuth_deg - np.degrees(azimuth)) / evidence.azimuth_error_deg,
        "level": evidence.level_db - theta.level + 10.0 * np.log10(1.0 + position**2),
        "prior": np.array(
            [
                np.degrees(theta.tilt) / _TILT_DEG,
                (theta.mach - _USUAL_MACH[0]) / _USUAL_MACH[1],
                theta.log_gain / evidence.gain_error,
                theta.log_pitch,
            ]
        ),
    }
    if evidence.shift is not None:
        late = (
            evidence.shift - theta.log_pitch - _blurred(passage.shift, shift_times_s, _SHIFT_BLUR_S)
        )
        off["shift"] = late[np.isfinite(late)]
    return off


def _blurred(course: Callable[[np.ndarray], np.ndarray], times_s: np.ndarray, by_s: float):
    """Return the mean of a course over what a frame was measured in."""
    return 0.5 * course(times_s) + 0.25 * (course(times_s - by_s) + course(times_s + by_s))


def _width(values: np.ndarray) -> float:
    """Return a robust spread, larger where neighbours are correlated."""
    if len(values) < 5:
        return 1.0
    spread = 1.4826 * float(np.median(np.abs(values))) + 1e-9
    cut = np.clip(values, -3.0 * spread, 3.0 * spread)
    alike = float(np.clip((cut[1:] * cut[:-1]).sum() / ((cut**2).sum() + 1e-12), 0.0, 0.9))
    return spread * float(np.sqrt((1.0 + alike) / (1.0 - alike)))


def _log_range(passage: Passage, times_s: np.ndarray) -> np.ndarray:
    """Return ln(distance over the smallest of them)."""
    logs = 0.5 * np.log1p(passage.position(times_s) ** 2)
    return logs - logs.min()


def _described(theta: _Theta, spread: np.ndarray, with_doppler: bool) -> PassBy:
    half = _Z90 * np.sqrt(np.diag(spread))
    near = theta.closest_s
    speed = distance = None
    if with_doppler:
        slope = np.array([-1.0, 1.0 / theta.mach])  # of ln(distance) by ln(rate) and Mach number
        log_speed = float(np.log(SOUND_M_S * theta.mach))
        away = _Z90 * float(np.sqrt(slope @ spread[1:, 1:] @ slope))
        speed = _around(log_speed, half[2] / theta.mach)
        distance = _around(log_speed - theta.log_rate, away)
    return PassBy(
        closest_s=Range(value=near, low=near - half[0], high=near + half[0]),
        speed_over_distance=_around(theta.log_rate, half[1]),
        speed_m_s=speed,
        distance_m=distance,
        heading_deg=float(np.degrees(theta.tilt) + 90.0 * theta.side),
        evidence="azimuth, level and Doppler" if with_doppler else "azimuth and level",
    )


def _around(log_value: float, half: float) -> Range:
    half = min(float(half), _WIDEST)
    low, value, high = (float(np.exp(log_value + k * half)) for k in (-1.0, 0.0, 1.0))
    return Range(value=value, low=low, high=high)
