"""The Doppler shift of a source on a straight path, heard at retarded time.

With the closest distance as the unit of length and x the way since the closest point, sound that
left at x is heard when ``rate (t - closest) = x + M (√(1 + x²) - 1)``: rate is the speed over the
closest distance, M the speed over that of sound, `closest` the time at which the closest point is
heard. Its pitch is the emitted one over ``1 + M x / √(1 + x²)``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from spa2v_lib.cues.pitch import LOG_STEP, LineSpectra, line_spectra, shift_between

if TYPE_CHECKING:
    from spa2v_lib.audio import Recording

__all__ = [
    "Passage",
    "emitted_way",
    "focus",
    "log_doppler",
    "measured_shift",
    "spectra_around",
]

_MACH = np.arange(-0.14, 0.1401, 0.004)
_LONGEST_S = 40.0
_SPECTRA = (30, 90)
_STEP_S = 0.07
_LIKE = 0.3
_FOCUSED = (
    0.02,
    4.0,
)  # by how much spectra must gain in likeness, and how much more by Mach number


class Passage(NamedTuple):
    """A path: when it is heard to be closest in s, speed over distance in 1/s, Mach number."""

    closest_s: float
    rate: float
    mach: float

    def way(self, times_s: np.ndarray) -> np.ndarray:
        """Return the way since the closest point of what is heard at `times_s`."""
        return emitted_way(times_s, *self)

    def shift(self, times_s: np.ndarray) -> np.ndarray:
        """Return ln(heard pitch over emitted pitch) at `times_s`."""
        return log_doppler(self.way(times_s), self.mach)


def emitted_way(times_s: np.ndarray, closest_s: float, rate: float, mach: float) -> np.ndarray:
    """Solve ``rate (t - closest) = x + M (√(1 + x²) - 1)`` for x, in closed form.

    Parameters
    ----------
    times_s : ndarray
    closest_s, rate : float
        In s and 1/s.
    mach : float
        Between -1 and 1; below 0 time runs backwards.

    Returns
    -------
    ndarray
        Way since the closest point over the closest distance.
    """
    k = rate * (times_s - closest_s) + mach
    return (k - mach * np.sqrt(k**2 + 1.0 - mach**2)) / (1.0 - mach**2)


def log_doppler(way: np.ndarray, mach: float) -> np.ndarray:
    """Return ln(heard pitch over emitted pitch) at `way` from the closest point."""
    return -np.log1p(mach * way / np.sqrt(1.0 + way**2))


def spectra_around(
    recording: Recording, passage: Passage, start_s: float, stop_s: float
) -> LineSpectra:
    """Measure the line spectra between two times, as far as the Doppler shift changes there."""
    reach = min(0.5 * _LONGEST_S, 12.0 / passage.rate + 2.0)
    first = min(max(start_s, passage.closest_s - reach), stop_s - _SPECTRA[0] * _STEP_S)
    last = max(min(stop_s, passage.closest_s + reach), first + _SPECTRA[0] * _STEP_S)
    return line_spectra(recording, first, last, max(_STEP_S, (last - first) / _SPECTRA[1]))


def focus(spectra: LineSpectra, passage: Passage) -> float | None:
    """Return the Mach number whose Doppler shift, taken back, makes all spectra most alike.

    Backward motion, which cannot be, shows what chance does.

    Returns
    -------
    float or None
        None if no shift, or hardly any, is heard.
    """
    some = LineSpectra(spectra.times_s[::2], spectra.lines[::2])
    padded = _padded(some)
    sums = (_sum_aligned(padded, some, passage._replace(mach=float(m))) for m in _MACH)
    score = np.array([float((one**2).sum()) for one in sums])
    best = int(score.argmax())
    still = score[np.abs(_MACH).argmin()]
    by_chance = max(score[_MACH < -0.002].max() - still, 0.0)
    gain = score[best] - still - 2.0 * by_chance
    mach = float(_MACH[best])
    return mach if mach > 0.0 and gain > (_FOCUSED[0] + _FOCUSED[1] * mach) * still else None


def measured_shift(spectra: LineSpectra, passage: Passage) -> np.ndarray:
    """Measure each spectrum's pitch against that of all, with `passage`'s shift taken back.

    Returns
    -------
    ndarray [frames]
        In ln(frequency), plus an arbitrary constant; NaN where spectra are not alike.
    """
    expected = passage.shift(spectra.times_s)
    template = _sum_aligned(_padded(spectra), spectra, passage) / len(expected)
    shift, like = shift_between(spectra.lines, template, expected)
    return np.where(like > _LIKE, shift, np.nan)


_ROOM = round(0.2 / LOG_STEP)  # beyond any shift


def _padded(spectra: LineSpectra) -> np.ndarray:
    return np.pad(spectra.lines, ((0, 0), (_ROOM, _ROOM)))


def _sum_aligned(padded: np.ndarray, spectra: LineSpectra, passage: Passage) -> np.ndarray:
    """Take the Doppler shift back from every spectrum and add them up [steps]."""
    steps = np.round(passage.shift(spectra.times_s) / LOG_STEP).astype(int)
    total = np.zeros(spectra.lines.shape[1], np.float32)
    for row, step in zip(padded, np.clip(steps, -_ROOM, _ROOM) + _ROOM, strict=True):
        total += row[step : step + len(total)]
    return total
