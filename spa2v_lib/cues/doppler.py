"""The Doppler shift of a source on a straight path, received at retarded time.

With the closest distance as the unit of length and x the position along the path from the closest
point, sound emitted at x is received when ``rate (t - closest) = x + M (√(1 + x²) - 1)``: rate is
the speed over the closest distance, M the speed over that of sound, `closest` the time at which
the closest point is received. The pitch is the emitted one over ``1 + M x / √(1 + x²)``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from spa2v_lib.cues.pitch import LOG_STEP, LineSpectra, line_spectra, shift_between

if TYPE_CHECKING:
    from spa2v_lib.audio.recording import Recording

__all__ = [
    "Passage",
    "focus",
    "log_doppler",
    "measured_shift",
    "path_position",
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
    """A path: closest approach as received in s, speed over distance in 1/s, and Mach number.

    Examples
    --------
    >>> import numpy as np
    >>> Passage(closest_s=2.0, rate=1.0, mach=0.0).position(np.array([1.0, 2.0, 3.0]))
    array([-1.,  0.,  1.])
    """

    closest_s: float
    rate: float
    mach: float

    def position(self, times_s: np.ndarray) -> np.ndarray:
        """Return the position from the closest point at which sound received at `times_s` left."""
        return path_position(times_s, *self)

    def shift(self, times_s: np.ndarray) -> np.ndarray:
        """Return ln(received pitch over emitted pitch) at `times_s`."""
        return log_doppler(self.position(times_s), self.mach)


def path_position(times_s: np.ndarray, closest_s: float, rate: float, mach: float) -> np.ndarray:
    """Solve ``rate (t - closest) = x + M (√(1 + x²) - 1)`` for x, in closed form.

    Parameters
    ----------
    times_s : ndarray
        In seconds.
    closest_s, rate : float
        In s and 1/s.
    mach : float
        Between -1 and 1; below 0 time runs backwards.

    Returns
    -------
    ndarray
        Position along the path from the closest point, over the closest distance.

    Examples
    --------
    >>> import numpy as np
    >>> path_position(np.array([0.0, 2.0]), closest_s=1.0, rate=1.0, mach=0.0)
    array([-1.,  1.])
    """
    k = rate * (times_s - closest_s) + mach
    return (k - mach * np.sqrt(k**2 + 1.0 - mach**2)) / (1.0 - mach**2)


def log_doppler(position: np.ndarray, mach: float) -> np.ndarray:
    """Return ln(received pitch over emitted pitch) of a passing source.

    Parameters
    ----------
    position : ndarray
        Along the path from the closest point, over the closest distance.
    mach : float
        Speed over that of sound, between -1 and 1.

    Returns
    -------
    ndarray
        As `position`; above 0 while the source approaches.

    Examples
    --------
    >>> import numpy as np
    >>> log_doppler(np.array([-1e6, 1e6]), mach=0.1).round(3)
    array([ 0.105, -0.095])
    """
    return -np.log1p(mach * position / np.sqrt(1.0 + position**2))


def spectra_around(
    recording: Recording, passage: Passage, start_s: float, stop_s: float
) -> LineSpectra:
    """Measure the line spectra between two times, as far as the Doppler shift changes there.

    Parameters
    ----------
    recording : Recording
        At any sampling rate.
    passage : Passage
        A first estimate of the path.
    start_s, stop_s : float
        Where the source is active.

    Returns
    -------
    LineSpectra

    Examples
    --------
    >>> import numpy as np
    >>> from spa2v_lib.audio import Recording
    >>> noise = 0.1 * np.random.default_rng(0).normal(size=16000)
    >>> passage = Passage(closest_s=0.5, rate=2.0, mach=0.05)
    >>> spectra_around(Recording.from_samples(noise[None], 16000), passage, 0.0, 1.0).lines.shape[0]
    31
    """
    reach = min(0.5 * _LONGEST_S, 12.0 / passage.rate + 2.0)
    first = min(max(start_s, passage.closest_s - reach), stop_s - _SPECTRA[0] * _STEP_S)
    last = max(min(stop_s, passage.closest_s + reach), first + _SPECTRA[0] * _STEP_S)
    return line_spectra(recording, first, last, max(_STEP_S, (last - first) / _SPECTRA[1]))


def focus(spectra: LineSpectra, passage: Passage) -> float | None:
    """Return the Mach number whose Doppler shift, removed, makes all spectra most alike.

    Backward motion, which cannot be, shows what chance does.

    Parameters
    ----------
    spectra : LineSpectra
        Around the closest point.
    passage : Passage
        Its Mach number is not used.

    Returns
    -------
    float or None
        None if no shift, or hardly any, is measured.

    See Also
    --------
    measured_shift : The shift of each frame.

    Examples
    --------
    >>> import numpy as np
    >>> from spa2v_lib.audio import Recording
    >>> noise = 0.1 * np.random.default_rng(0).normal(size=16000)
    >>> passage = Passage(closest_s=0.5, rate=2.0, mach=0.0)
    >>> tone = np.sin(2 * np.pi * 440.0 * np.arange(16000) / 16000)
    >>> spectra = spectra_around(Recording.from_samples(tone[None], 16000), passage, 0.0, 1.0)
    >>> focus(spectra, passage) is None
    True
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
    """Measure each spectrum's pitch against that of all, with `passage`'s shift removed.

    Parameters
    ----------
    spectra : LineSpectra
        On an axis of equal musical steps, frame by frame.
    passage : Passage
        The expected path.

    Returns
    -------
    ndarray [frames]
        In ln(frequency), plus an arbitrary constant; NaN where spectra are not alike.

    See Also
    --------
    focus : One speed for all of them.

    Examples
    --------
    >>> import numpy as np
    >>> from spa2v_lib.audio import Recording
    >>> noise = 0.1 * np.random.default_rng(0).normal(size=16000)
    >>> passage = Passage(closest_s=0.5, rate=2.0, mach=0.0)
    >>> tone = np.sin(2 * np.pi * 440.0 * np.arange(16000) / 16000)
    >>> spectra = spectra_around(Recording.from_samples(tone[None], 16000), passage, 0.1, 0.9)
    >>> bool(np.nanmax(np.abs(measured_shift(spectra, passage))) < 0.001)
    True
    """
    expected = passage.shift(spectra.times_s)
    template = _sum_aligned(_padded(spectra), spectra, passage) / len(expected)
    shift, like = shift_between(spectra.lines, template, expected)
    return np.where(like > _LIKE, shift, np.nan)


_ROOM = round(0.2 / LOG_STEP)  # beyond any shift


def _padded(spectra: LineSpectra) -> np.ndarray:
    return np.pad(spectra.lines, ((0, 0), (_ROOM, _ROOM)))


def _sum_aligned(padded: np.ndarray, spectra: LineSpectra, passage: Passage) -> np.ndarray:
    """Remove the Doppler shift from every spectrum and add them up [steps]."""
    steps = np.round(passage.shift(spectra.times_s) / LOG_STEP).astype(int)
    total = np.zeros(spectra.lines.shape[1], np.float32)
    for row, step in zip(padded, np.clip(steps, -_ROOM, _ROOM) + _ROOM, strict=True):
        total += row[step : step + len(total)]
    return total
