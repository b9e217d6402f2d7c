"""Lab: GCC-PHAT and its peak. What is checked, and the excerpts on which it is tried."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from spa2v_lab.bench.hearing_baselines import gcc_phat as library_gcc_phat
from spa2v_lab.labs.check import check, expect

if TYPE_CHECKING:
    from spa2v_lib.audio.recording import Recording

__all__ = ["Correlate", "check_gcc_phat", "check_peak", "cross_correlation", "excerpts"]

Correlate = Callable[[np.ndarray, np.ndarray, int, float], tuple[np.ndarray, np.ndarray]]
"""Left and right channel, rate and largest lead in seconds; returns leads and values at them."""

_RATE = 16_000
_MOST_S = 0.001


def excerpts(
    recording: Recording, seconds: float = 0.1
) -> tuple[np.ndarray, list[tuple[np.ndarray, np.ndarray]]]:
    """Cut a recording into pieces that follow each other.

    Parameters
    ----------
    recording : Recording
    seconds : float
        Length of a piece.

    Returns
    -------
    times_s : ndarray [pieces]
        Their middles.
    pieces : list of (left, right)

    Examples
    --------
    >>> from spa2v_lib import Recording
    >>> times_s, pieces = excerpts(Recording.from_samples(np.ones((2, 8000)), 16_000))
    >>> times_s.round(2).tolist(), len(pieces), pieces[0][0].shape
    ([0.05, 0.15, 0.25, 0.35, 0.45], 5, (1600,))
    """
    size = round(seconds * recording.rate)
    count = recording.samples.shape[1] // size
    pieces = recording.samples[:2, : count * size].astype(float).reshape(2, count, size)
    times_s = (np.arange(count) + 0.5) * size / recording.rate
    return times_s, list(zip(*pieces, strict=True))


def cross_correlation(
    left: np.ndarray, right: np.ndarray, rate: int, most_s: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return the plain cross-correlation coefficient over leads of the right channel.

    Parameters
    ----------
    left, right : ndarray [samples]
    rate : int
    most_s : float
        Largest lead, in seconds.

    Examples
    --------
    >>> left = np.random.default_rng(0).standard_normal(1000)
    >>> lead_s, values = cross_correlation(left, np.roll(left, -3), 1000, 0.01)
    >>> float(lead_s[values.argmax()])
    0.003
    """
    reach = round(most_s * rate)
    leads = np.arange(-reach, reach + 1)
    middle = slice(reach, len(left) - reach)
    values = [np.dot(left[middle], np.roll(right, lead)[middle]) for lead in leads]
    scale = np.linalg.norm(left) * np.linalg.norm(right) + 1e-12
    return leads / rate, np.array(values) / scale


def _library(
    left: np.ndarray, right: np.ndarray, rate: int, most_s: float, finer: int = 8
) -> tuple[np.ndarray, np.ndarray]:
    pair = np.stack([left, right]) * np.hanning(len(left))
    return library_gcc_phat(pair, rate, most_s, finer)


def _pair(lead: int, size: int = 3200, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return noise whose right channel is so many samples earlier."""
    noise = np.random.default_rng(seed).standard_normal(size + 2 * abs(lead))
    start = abs(lead)
    return noise[start : start + size], noise[start + lead : start + lead + size]


def check_gcc_phat(gcc_phat: Correlate, recording: Recording) -> Correlate:
    """Check a GCC-PHAT; return it, or the library's.

    Parameters
    ----------
    gcc_phat : callable
        A `Correlate`.
    recording : Recording
        Of the lab; excerpts of it are compared with the library.

    Examples
    --------
    >>> from spa2v_lib import Recording
    >>> noise = Recording.from_samples(np.stack(_pair(3)), _RATE)
    >>> def gcc_phat(left, right, rate, most_s):
    ...     lead_s, values = _library(left, right, rate, most_s)
    ...     return -lead_s[::-1], values[::-1]
    >>> _ = check_gcc_phat(gcc_phat, noise)
    ✗ gcc_phat is not right yet. A right channel that is 7 samples earlier (check 2 of 6): ...
      The lab continues with the library's function.
    """
    tests = {
        "leads and values": _form,
        "a right channel that is 7 samples earlier": _sign,
        "the phase transform": _whitened,
        "no wrapping around": _linear,
        "a loud hum": _windowed,
        "as the library": partial(_as_library, recording=recording),
    }
    return check(gcc_phat, tests, _library)


def _form(gcc_phat: Correlate) -> None:
    found = gcc_phat(*_pair(0), _RATE, _MOST_S)
    expect(
        isinstance(found, tuple) and len(found) == 2,
        f"it returned {type(found).__name__} instead of the two arrays lead_s and values",
    )
    lead_s, values = map(np.asarray, found)
    expect(
        lead_s.shape == values.shape and lead_s.ndim == 1 and lead_s.size > 2,
        f"leads have shape {lead_s.shape} and values {values.shape}; one value for each lead",
    )
    expect(
        bool((np.diff(lead_s) > 0).all()) and abs(lead_s).max() < 2 * _MOST_S,
        f"leads go from {lead_s[0]:.2g} to {lead_s[-1]:.2g} s; they should rise from "
        f"-{_MOST_S} to {_MOST_S} s",
    )


def _top(gcc_phat: Correlate, pair: tuple[np.ndarray, np.ndarray]) -> float:
    """Return the lead of the highest value, in samples."""
    lead_s, values = gcc_phat(*pair, _RATE, _MOST_S)
    return float(np.asarray(lead_s)[np.argmax(values)] * _RATE)


def _sign(gcc_phat: Correlate) -> None:
    found = _top(gcc_phat, _pair(7))
    turned = "; the sign is turned: a delayed channel has a peak at a positive lag, a lead at a "
    why = turned + "negative one" if abs(found + 7) < 0.6 else ""
    expect(abs(found - 7) < 0.6, f"the peak lies at {found:+.1f} samples instead of +7{why}")


def _whitened(gcc_phat: Correlate) -> None:
    smooth = np.ones(24) / 24
    pair = [np.convolve(channel, smooth, "same") for channel in _pair(3)]
    lead_s, values = map(np.asarray, gcc_phat(*pair, _RATE, _MOST_S))
    aside = values[np.abs(lead_s * _RATE - 9).argmin()] / values.max()
    expect(
        aside < 0.5,
        f"for a muffled sound the value six samples beside the peak is {aside:.0%} of the peak; "
        "divide the cross-spectrum by its magnitude, so that every frequency counts alike",
    )


def _linear(gcc_phat: Correlate) -> None:
    size = 1600
    left, right = np.zeros(size), np.zeros(size)
    left[2], right[size - 3] = 1.0, 1.0  # far apart, but neighbours on a circle
    _, values = gcc_phat(left, right, _RATE, _MOST_S)
    expect(
        np.max(values) < 0.5,
        "a click at the beginning and one at the end are found to be 5 samples apart; pad both "
        "channels with zeros to twice their length before the transform",
    )


def _windowed(gcc_phat: Correlate) -> None:
    left, right = _pair(7)
    hum = 300 * np.sin(2 * np.pi * 52.3 * np.arange(len(left)) / _RATE)
    found = _top(gcc_phat, (left + hum, right + hum))
    expect(
        abs(found - 7) < 0.6,
        f"with a hum from ahead the peak of the noise moves from +7 to {found:+.1f} samples; an "
        "excerpt that begins and ends abruptly leaks its loudest frequency into all others: "
        "multiply both channels by a Hann window first",
    )


def _as_library(gcc_phat: Correlate, recording: Recording) -> None:
    times_s, pieces = excerpts(recording)
    compared = 0
    for time, (left, right) in zip(times_s, pieces, strict=True):
        fine, coarse = (_lead(_library, left, right, recording.rate, finer) for finer in (8, 1))
        if compared < 5 and abs(fine - coarse) < 0.6 / recording.rate:  # one clear peak
            compared += 1
            yours = _lead(gcc_phat, left, right, recording.rate)
            expect(
                abs(yours - fine) < 0.6 / recording.rate,
                f"at {time:.2f} s your lead is {1e6 * yours:.0f} µs, the library's "
                f"{1e6 * fine:.0f} µs",
            )


def _lead(method: Callable, *given: object) -> float:
    left, right, rate, *finer = given
    lead_s, values = method(left, right, rate, _MOST_S, *finer)
    return float(np.asarray(lead_s)[np.argmax(values)])


def _library_peak(lead_s: np.ndarray, values: np.ndarray) -> float:
    at = int(np.argmax(values))
    if 0 < at < len(values) - 1:
        before, top, after = values[at - 1 : at + 2]
        bend = before - 2 * top + after
        step = lead_s[at + 1] - lead_s[at]
        return float(lead_s[at] + (0.5 * step * (before - after) / bend if bend else 0.0))
    return float(lead_s[at])


def check_peak(
    peak: Callable[[np.ndarray, np.ndarray], float],
) -> Callable[[np.ndarray, np.ndarray], float]:
    """Check a search for the peak between samples; return it, or the lab's own.

    Parameters
    ----------
    peak : callable
        Of leads and values at them; returns the lead of the top.

    Examples
    --------
    >>> def peak(lead_s, values):
    ...     return lead_s[values.argmax()]
    >>> _ = check_peak(peak)
    ✗ peak is not right yet. Between two samples (check 2 of 3): the top of a parabola lies at ...
      The lab continues with the library's function.
    """
    tests = {"on a sample": _on_sample, "between two samples": _between, "at the edge": _edge}
    return check(peak, tests, _library_peak)


def _parabola(top: float) -> tuple[np.ndarray, np.ndarray]:
    lead_s = np.arange(-5, 6) * 1e-4
    return lead_s, 1.0 - ((lead_s - top) / 1e-3) ** 2


def _on_sample(peak: Callable) -> None:
    found = peak(*_parabola(2e-4))
    expect(abs(found - 2e-4) < 1e-9, f"the top lies at 200 µs, yours at {1e6 * found:.0f} µs")


def _between(peak: Callable) -> None:
    found = peak(*_parabola(2.3e-4))
    expect(
        abs(found - 2.3e-4) < 1e-7,
        f"the top of a parabola lies at 230 µs, yours at {1e6 * found:.0f} µs; lay a parabola "
        "through the highest value and its two neighbours",
    )


def _edge(peak: Callable) -> None:
    lead_s = np.arange(-5, 6) * 1e-4
    found = peak(lead_s, np.linspace(0, 1, 11))
    expect(
        abs(found - lead_s[-1]) < 1e-9,
        f"the largest value is the last, at 500 µs, and yours lies at {1e6 * found:.0f} µs; "
        "there is no neighbour to use",
    )
