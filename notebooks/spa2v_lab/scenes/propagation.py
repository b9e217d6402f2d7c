"""From a source that moves to two channels: delay, Doppler, distance, air and the head.

Everything is computed at retarded time: what arrives at t left the source at the earlier time
τ that solves τ + d(τ) = t, d the travel time. Reading the source's sound at τ(t) is the whole
of the Doppler effect; no pitch is set anywhere.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from spa2v_lab.scenes.receivers import SPEED_OF_SOUND, Receiver
from spa2v_lib.errors import SceneError

__all__ = [
    "NEAREST_M",
    "OVERSAMPLING",
    "Emission",
    "absorbed_by_air",
    "air_absorption_db_per_m",
    "emission_times",
    "first_emission_s",
    "received",
]

NEAREST_M = 0.3
"""Sources are held at least this far from the microphone, where 1/r would grow without end."""

OVERSAMPLING = 2
_GRID_HZ = 500.0  # geometry changes slowly: it is computed on this grid and interpolated
_SPLINE_ORDER = 5


@dataclass(frozen=True)
class Emission:
    """What a source emits, ready to be read at any time.

    The samples are `OVERSAMPLING` times finer than the output and read through a quintic spline:
    at 44.1 kHz output the error is below -75 dB of the signal up to 15 kHz.

    Attributes
    ----------
    coefficients : numpy.ndarray [n]
        Spline coefficients of the samples.
    rate : float
        Samples per second.
    start_s : float
        Emission time of the first sample; silence before it and after the last.

    See Also
    --------
    received : what a receiver makes of it

    Examples
    --------
    >>> tone = np.sin(2 * np.pi * 100.0 * np.arange(2000) / 2000)
    >>> emission = Emission.from_samples(tone, rate=2000, start_s=0.0)
    >>> bool(abs(emission.at(np.array([0.5025]))[0] - 1.0) < 1e-3)
    True
    """

    coefficients: np.ndarray
    rate: float
    start_s: float

    @classmethod
    def from_samples(cls, samples: np.ndarray, rate: float, start_s: float) -> Emission:
        """Prepare samples [n] at `rate` (already `OVERSAMPLING` times the output's)."""
        from scipy.ndimage import spline_filter1d

        return cls(spline_filter1d(samples, _SPLINE_ORDER, mode="mirror"), rate, start_s)

    def at(self, times_s: np.ndarray) -> np.ndarray:
        """Return the emitted sound at `times_s` [n]."""
        from scipy.ndimage import map_coordinates

        places = (times_s - self.start_s) * self.rate
        return map_coordinates(
            self.coefficients, places[None], order=_SPLINE_ORDER, mode="constant", prefilter=False
        )


def emission_times(times_s: np.ndarray, delay_of: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """Solve τ + delay_of(τ) = t for every t by fixed-point iteration.

    Parameters
    ----------
    times_s : numpy.ndarray [n]
        Times of arrival.
    delay_of : callable
        Travel time, in seconds, of sound that leaves at the given times; same shape out as in.

    Returns
    -------
    numpy.ndarray [n]
        Times of emission, exact to a picosecond.

    Raises
    ------
    SceneError
        If it does not converge: the source is as fast as sound.

    See Also
    --------
    received : uses them for delay and Doppler shift

    Examples
    --------
    >>> emission_times(np.array([1.0]), lambda t: 0.1 + 0.0 * t).round(3).tolist()
    [0.9]
    """
    emitted = times_s - delay_of(times_s)
    for _ in range(200):
        better = times_s - delay_of(emitted)
        if np.max(np.abs(better - emitted)) < 1e-12:
            return better
        emitted = better
    raise SceneError("a source moves as fast as sound; it must stay slower than 300 m/s")


def first_emission_s(place_of: Callable[[np.ndarray], np.ndarray]) -> float:
    """Return when the direct sound that arrives at time 0 left the source, at most 0.

    See Also
    --------
    emission_times : for any time

    Examples
    --------
    >>> place = lambda t: np.column_stack([0 * t, 34.3 + 0 * t, 0 * t])
    >>> round(first_emission_s(place), 3)
    -0.1
    """
    left = emission_times(np.zeros(1), lambda t: _polar(place_of(t))[0] / SPEED_OF_SOUND)
    return float(left[0])


def received(
    emission: Emission,
    receiver: Receiver,
    place_of: Callable[[np.ndarray], np.ndarray],
    frames: int,
    rate: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Return what the receiver records of one source on its straight path, without air absorption.

    Parameters
    ----------
    emission : Emission
        Pressure at 1 m.
    receiver : Receiver
    place_of : callable
        Times [n] to places [n, 3] in metres (right, ahead, up) from the microphone; asked for
        times before 0, as what arrives at 0 left earlier.
    frames, rate : int
        Length and sampling rate (Hz) of the result.

    Returns
    -------
    sound : numpy.ndarray [channels, frames]
        Level falls as 1/r.
    distance_m : numpy.ndarray [frames]
        Travelled distance of what arrives at each sample, mean of all channels.

    See Also
    --------
    absorbed_by_air : the air's part
    spa2v_lab.scenes.sound.render_sound : whole scenes

    Examples
    --------
    >>> from spa2v_lab.scenes.receivers import get_receiver
    >>> click = np.zeros(4000)
    >>> click[2000] = 1.0  # at 0.25 s
    >>> emission = Emission.from_samples(click, rate=8000, start_s=0.0)
    >>> place = lambda t: np.column_stack([0 * t, 34.3 + 0 * t, 0 * t])
    >>> sound, _ = received(emission, get_receiver("xy"), place, frames=2000, rate=4000)
    >>> int(np.abs(sound[0]).argmax()) / 4000
    0.35
    """
    from scipy.interpolate import CubicSpline

    times = np.arange(frames) / rate
    grid = np.linspace(0.0, frames / rate, max(int(frames / rate * _GRID_HZ), 4))
    sound, travelled_m = np.zeros((receiver.channels, frames)), np.zeros(len(grid))
    for channel in range(receiver.channels):

        def delay_of(emitted: np.ndarray, channel: int = channel) -> np.ndarray:
            distance, azimuth, elevation = _polar(place_of(emitted))
            return distance / SPEED_OF_SOUND + receiver.delays_s(azimuth, elevation)[channel]

        emitted = emission_times(grid, delay_of)
        distance, azimuth, elevation = _polar(place_of(emitted))
        gain = receiver.gains(azimuth, elevation)[channel] / distance
        raw = emission.at(CubicSpline(grid, emitted)(times)) * np.interp(times, grid, gain)
        shadow = receiver.shadow(azimuth, elevation)
        if shadow is not None:
            # (1 + jαu)/(1 + ju) = α + (1 − α)/(1 + ju): the pole stands still, only a mix moves.
            share = np.interp(times, grid, shadow[channel])
            raw = share * raw + _one_pole((1.0 - share) * raw, 2 * receiver.shadow_rad_s, rate)
        sound[channel] = raw
        travelled_m += distance / receiver.channels
    return sound, np.interp(times, grid, travelled_m)


def air_absorption_db_per_m(
    frequency_hz: np.ndarray,
    temperature_c: float = 20.0,
    humidity_percent: float = 50.0,
    pressure_kpa: float = 101.325,
) -> np.ndarray:
    """Attenuation of a pure tone by air, ISO 9613-1:1993, equations 3 to 5 and B.3.

    Parameters
    ----------
    frequency_hz : numpy.ndarray
    temperature_c, humidity_percent, pressure_kpa : float
        State of the air; relative humidity.

    Returns
    -------
    numpy.ndarray
        dB per metre.

    See Also
    --------
    absorbed_by_air : as a filter

    Examples
    --------
    >>> (1000 * air_absorption_db_per_m(np.array([1000.0, 8000.0]))).round(1).tolist()
    [4.7, 105.3]
    """
    kelvin = temperature_c + 273.15
    warm, pressure = kelvin / 293.15, pressure_kpa / 101.325
    saturation = 10 ** (-6.8346 * (273.16 / kelvin) ** 1.261 + 4.6151)
    water = humidity_percent * saturation / pressure
    oxygen = pressure * (24 + 4.04e4 * water * (0.02 + water) / (0.391 + water))
    nitrogen = pressure * warm**-0.5 * (9 + 280 * water * np.exp(-4.170 * (warm ** (-1 / 3) - 1)))
    squared = np.asarray(frequency_hz, float) ** 2
    relaxation = 0.01275 * np.exp(-2239.1 / kelvin) / (oxygen + squared / oxygen)
    relaxation += 0.1068 * np.exp(-3352.0 / kelvin) / (nitrogen + squared / nitrogen)
    return 8.686 * squared * (1.84e-11 / pressure * warm**0.5 + warm**-2.5 * relaxation)


def absorbed_by_air(sound: np.ndarray, distance_m: np.ndarray, rate: int) -> np.ndarray:
    """Filter the sound as air does over a distance that changes with time.

    Each short-time spectrum (23 ms at 44.1 kHz) is damped by ISO 9613-1's attenuation over the
    distance at its middle; phase is left as it is.

    Parameters
    ----------
    sound : numpy.ndarray [channels, time]
    distance_m : numpy.ndarray [time]
    rate : int
        Hz.

    See Also
    --------
    air_absorption_db_per_m : by how much

    Examples
    --------
    >>> noise = np.random.default_rng(0).standard_normal((1, 8000))
    >>> dull = absorbed_by_air(noise, np.full(8000, 200.0), rate=44_100)
    >>> bool(np.mean(dull**2) < np.mean(noise**2))
    True
    """
    from scipy.signal import istft, stft

    size = 1024
    bins, centres, spectra = stft(sound, rate, nperseg=size, noverlap=size * 3 // 4)
    travelled_m = np.interp(centres, np.arange(len(distance_m)) / rate, distance_m)
    loss_db = air_absorption_db_per_m(bins)[:, None] * travelled_m[None]
    _, damped = istft(spectra * 10 ** (-loss_db / 20), rate, nperseg=size, noverlap=size * 3 // 4)
    return damped[:, : sound.shape[1]]


def _polar(places: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Distance (m, at least `NEAREST_M`), azimuth and elevation (degrees) of places [n, 3]."""
    right, ahead, up = places.T
    level = np.hypot(right, ahead)
    distance = np.maximum(np.hypot(level, up), NEAREST_M)
    return distance, np.degrees(np.arctan2(right, ahead)), np.degrees(np.arctan2(up, level))


def _one_pole(sound: np.ndarray, corner_rad_s: float, rate: int) -> np.ndarray:
    """Low pass 1 / (1 + jω/corner), by the bilinear transform."""
    from scipy.signal import lfilter

    warped = corner_rad_s / (2 * rate)
    gain = warped / (1 + warped)
    return lfilter([gain, gain], [1.0, (warped - 1) / (warped + 1)], sound)
