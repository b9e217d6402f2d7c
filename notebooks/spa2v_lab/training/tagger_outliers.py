"""Sounds that are no object, invented from noise, tones and pulses: they teach "unknown"."""

from __future__ import annotations

import numpy as np

__all__ = ["INVENTIONS", "invented"]

RATE = 44_100

_SECONDS = 4.0


def invented(kind: int, rng: np.random.Generator) -> np.ndarray:
    """Invent a sound that is no thing [time], with a peak of 1.

    Parameters
    ----------
    kind : int
        Index into `INVENTIONS`, taken modulo their number.
    rng : numpy.random.Generator
    """
    sound = INVENTIONS[kind % len(INVENTIONS)](int(RATE * _SECONDS), rng)
    return sound / np.abs(sound).max()


def _coloured(count: int, rng: np.random.Generator) -> np.ndarray:
    spectrum = np.fft.rfft(rng.normal(size=count))
    tilt = np.maximum(np.arange(len(spectrum)), 20.0) ** rng.uniform(-1.2, 0.3)
    return np.fft.irfft(spectrum * tilt, count)


def _shaped(count: int, rng: np.random.Generator) -> np.ndarray:
    """Noise with a random smooth spectrum, hills and valleys of up to 20 dB an octave apart."""
    spectrum = np.fft.rfft(rng.normal(size=count))
    octave = np.log2(np.maximum(np.arange(len(spectrum)) * RATE / count, 30.0))
    knots = np.arange(4.5, 15.0, 0.7)
    hills = np.interp(octave, knots, rng.normal(0.0, 10.0, len(knots)))
    return np.fft.irfft(spectrum * 10.0 ** (hills / 20.0), count)


def _tone(count: int, rng: np.random.Generator) -> np.ndarray:
    """A few partials, steady or sweeping slowly."""
    t = np.arange(count) / RATE
    sweep = float(rng.choice([0.0, rng.uniform(-0.3, 0.3)]))
    phase = 2.0 * np.pi * _pitch(rng) * np.cumsum(np.exp(sweep * t)) / RATE
    partials = rng.uniform(size=rng.integers(1, 4))
    return sum(a * np.sin((k + 1) * phase) for k, a in enumerate(partials))


def _chirps(count: int, rng: np.random.Generator) -> np.ndarray:
    """A harmonic sound whose pitch swings up and down, as a siren."""
    swing = rng.uniform(0.2, 1.2) * np.sin(
        2.0 * np.pi * rng.uniform(0.2, 6.0) * np.arange(count) / RATE
    )
    phase = 2.0 * np.pi * np.cumsum(_pitch(rng) * 2.0**swing) / RATE
    return sum(np.sin(k * phase) / k ** rng.uniform(0.5, 2.0) for k in range(1, 5))


def _beeps(count: int, rng: np.random.Generator) -> np.ndarray:
    """A tone that is switched on and off."""
    t = np.arange(count) / RATE
    on = (t * rng.uniform(1.0, 8.0)) % 1.0 < rng.uniform(0.2, 0.7)
    return _tone(count, rng) * np.convolve(on, np.full(100, 0.01), mode="same")


def _gusts(count: int, rng: np.random.Generator) -> np.ndarray:
    """Noise through a wide band that wanders, as wind."""
    bands = [
        _band(rng.normal(size=count), low, 2.0 * low) * 2.0 ** (2.0 * _slow(count, rng, 2.0))
        for low in (120.0, 240.0, 480.0, 960.0)
    ]
    return sum(band * 0.5**k for k, band in enumerate(bands)) + 0.02 * rng.normal(size=count)


def _claps(count: int, rng: np.random.Generator) -> np.ndarray:
    """Many short noises at random times, as applause or rain."""
    hits = (rng.uniform(size=count) < rng.uniform(20.0, 400.0) / RATE) * rng.normal(size=count)
    ring = rng.normal(size=400) * np.exp(-np.arange(400) / rng.uniform(15.0, 90.0))
    low = rng.uniform(300.0, 1500.0)
    return _band(np.convolve(hits, ring, mode="same"), low, rng.uniform(3.0, 8.0) * low)


def _babble(count: int, rng: np.random.Generator) -> np.ndarray:
    """Pulses of a wandering pitch through wandering resonances, as a voice."""
    pitch = rng.uniform(90.0, 260.0) * 2.0 ** (0.2 * _slow(count, rng, 3.0))
    phase = np.cumsum(pitch) / RATE
    source = np.diff(np.floor(phase), prepend=0.0) + 0.02 * rng.normal(size=count)
    parts = [
        _band(source, low, 1.3 * low) * 2.0 ** (1.5 * _slow(count, rng, 5.0))
        for low in (350.0, 600.0, 1000.0, 1700.0, 2600.0)
    ]
    return sum(parts) * np.clip(_slow(count, rng, 4.0) + 1.0, 0.0, 2.0)


def _pitch(rng: np.random.Generator) -> float:
    return float(np.exp(rng.uniform(np.log(80.0), np.log(3000.0))))


def _slow(count: int, rng: np.random.Generator, rate_hz: float) -> np.ndarray:
    """Draw a smooth random course in about [-2, 2]."""
    knots = rng.normal(size=int(count / RATE * rate_hz) + 2)
    return np.interp(np.linspace(0.0, len(knots) - 1.0, count), np.arange(len(knots)), knots)


def _band(sound: np.ndarray, low_hz: float, high_hz: float) -> np.ndarray:
    hz = np.fft.rfftfreq(len(sound), 1.0 / RATE)
    return np.fft.irfft(np.fft.rfft(sound) * ((hz >= low_hz) & (hz < high_hz)), len(sound))


INVENTIONS = (_coloured, _tone, _gusts, _claps, _babble, _shaped, _chirps, _beeps)
"""Noises, tones, wind, rain, voices, sirens – made, not recorded."""
