"""Where a source that passes by is at any time, from the path that was fitted to it."""

from __future__ import annotations

import numpy as np

from spa2v_lib.classes import SoundClass
from spa2v_lib.cues.capture import SOUND_M_S
from spa2v_lib.cues.doppler import emitted_way
from spa2v_lib.cues.types import PassBy

__all__ = ["nearest_m", "seen_while_heard"]

_USUAL_ERROR = 0.5  # of ln(distance): how far from the usual range things are heard
_Z90 = 1.645
_FASTEST_MACH = 0.5


def nearest_m(passing: PassBy, kind: SoundClass, times: np.ndarray) -> float:
    """Return the closest distance of the path, in metres.

    The usual range of the class is that of the closest of `times`; a distance that the Doppler
    shift tells is averaged with it, each as sure as it is.

    Parameters
    ----------
    passing : PassBy
    kind : SoundClass
    times : ndarray
        When it is shown, in seconds.
    """
    since = times - passing.closest_s.value
    usual = kind.range_m / float(np.hypot(1.0, passing.speed_over_distance.value * since).min())
    measured = passing.distance_m
    if measured is None:
        return usual
    error = np.log(measured.high / measured.low) / (2.0 * _Z90)
    trust = 1.0 / (1.0 + (error / _USUAL_ERROR) ** 2)
    return float(np.exp(trust * np.log(measured.value) + (1.0 - trust) * np.log(usual)))


def seen_while_heard(
    passing: PassBy, kind: SoundClass, times: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return where it is seen at `times`: its sound is still on its way from there.

    Parameters
    ----------
    passing : PassBy
    kind : SoundClass
    times : ndarray

    Returns
    -------
    turned_deg : ndarray
        From the direction in which it is heard to that in which it is.
    range_m : ndarray
    """
    rate, nearest = passing.speed_over_distance.value, nearest_m(passing, kind, times)
    mach = min(rate * nearest / SOUND_M_S, _FASTEST_MACH)
    since = times - passing.closest_s.value
    heard, now = emitted_way(since, 0.0, rate, mach), rate * since + mach
    side = float(np.sign(passing.heading_deg))
    turned = side * np.degrees(np.arctan(now) - np.arctan(heard))
    return turned, nearest * np.hypot(1.0, now)
