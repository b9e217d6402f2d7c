"""What the tagger is taught with: random excerpts of recordings through random conditions.

Every recording is heard through random rooms, pitches, filters, noises and level courses, so that
the network learns the thing and not the file.
"""

from __future__ import annotations

import numpy as np

from spa2v_lib.cues.interaural import mel_windows

__all__ = ["RATE", "excerpt", "synthetic"]

RATE = 22050
_SECONDS = 3.0


def synthetic(kind: int, rng: np.random.Generator) -> np.ndarray:
    """Invent a sound that is no thing [time].

    Parameters
    ----------
    kind : int
        Modulo 5: coloured noise, tone (steady or sweeping), gusts, claps, babble.
    rng : numpy.random.Generator
    """
    count = int(RATE * 4)
    make = (_coloured, _tone, _gusts, _claps, _babble)[kind % 5]
    sound = make(count, rng)
    return sound / np.abs(sound).max()


def _coloured(count: int, rng: np.random.Generator) -> np.ndarray:
    spectrum = np.fft.rfft(rng.normal(size=count))
    tilt = np.maximum(np.arange(len(spectrum)), 20.0) ** rng.uniform(-1.2, 0.3)
    return np.fft.irfft(spectrum * tilt, count)


def _tone(count: int, rng: np.random.Generator) -> np.ndarray:
    t = np.arange(count) / RATE
    low = float(np.exp(rng.uniform(np.log(80.0), np.log(3000.0))))
    sweep = float(rng.choice([0.0, rng.uniform(-0.3, 0.3)]))
    phase = 2.0 * np.pi * low * np.cumsum(np.exp(sweep * t)) / RATE
    partials = rng.uniform(size=rng.integers(1, 4))
    return sum(a * np.sin((k + 1) * phase) for k, a in enumerate(partials))


def _slow(count: int, rng: np.random.Generator, rate_hz: float) -> np.ndarray:
    """Draw a smooth random course in about [-2, 2]."""
    knots = rng.normal(size=int(count / RATE * rate_hz) + 2)
    return np.interp(np.linspace(0.0, len(knots) - 1.0, count), np.arange(len(knots)), knots)


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


def _band(sound: np.ndarray, low_hz: float, high_hz: float) -> np.ndarray:
    hz = np.fft.rfftfreq(len(sound), 1.0 / RATE)
    return np.fft.irfft(np.fft.rfft(sound) * ((hz >= low_hz) & (hz < high_hz)), len(sound))


def excerpt(sound: np.ndarray, rng: np.random.Generator, strength: float = 1.0) -> np.ndarray:
    """Return the mel powers [windows, 40] of a random, augmented excerpt of `sound` [time].

    Parameters
    ----------
    sound : ndarray [time]
        At 22 050 Hz; it is repeated where it is too short.
    rng : numpy.random.Generator
    strength : float
        1 for training; 0 leaves only the choice of the excerpt.
    """
    pitch = 2.0 ** (strength * rng.uniform(-2.0, 2.0) / 12.0)
    need = int(RATE * _SECONDS * pitch) + 2
    begin = int(rng.integers(len(sound)))
    cut = np.take(sound, np.arange(begin, begin + need), mode="wrap")
    if rng.uniform() < 0.3:  # once, then quiet, as a file that is not looped
        cut[max(1, min(need, len(sound))) :] *= 10.0 ** rng.uniform(-3.0, -1.5)
    cut = np.interp(np.arange(int(RATE * _SECONDS)) * pitch, np.arange(need), cut)
    if strength > 0.0:
        cut = _noised(_moved(_roomed(_filtered(cut, rng), rng), rng), rng)
    length = rng.uniform(0.4, 1.0) if rng.uniform() < 0.3 else 1.0
    return mel_windows(cut[: int(len(cut) * length)], RATE)


def _filtered(sound: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Tilt by up to ±4 dB an octave band step, and cut the highs as distance and codecs do."""
    spectrum = np.fft.rfft(sound)
    hz = np.fft.rfftfreq(len(sound), 1.0 / RATE)
    octave = np.log2(np.maximum(hz, 30.0) / 1000.0)
    gain = rng.uniform(-1.5, 1.5) * octave + rng.uniform(-3.0, 3.0) * np.sin(
        octave * rng.uniform(0.5, 1.5) + rng.uniform(0.0, 6.3)
    )
    if rng.uniform() < 0.4:
        corner = np.exp(rng.uniform(np.log(1500.0), np.log(9000.0)))
        gain = gain - 10.0 * np.log10(1.0 + (hz / corner) ** 4)
    return np.fft.irfft(spectrum * 10.0 ** (gain / 20.0), len(sound))


def _roomed(sound: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Add an exponentially decaying diffuse tail, half of the time."""
    if rng.uniform() < 0.5:
        return sound
    decay = rng.uniform(0.2, 0.9)
    count = int(RATE * decay)
    tail = rng.normal(size=count) * np.exp(-6.9 * np.arange(count) / count)
    tail *= 10.0 ** (rng.uniform(-12.0, 3.0) / 20.0) / np.sqrt((tail**2).sum())
    size = 1 << (len(sound) + count - 1).bit_length()
    wet = np.fft.irfft(np.fft.rfft(sound, size) * np.fft.rfft(tail, size), size)
    return sound + wet[: len(sound)]


def _moved(sound: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Let the level rise or fall as in a pass-by, an approach or a recession."""
    where = rng.uniform(-0.5, 1.5)
    distance = np.hypot(np.linspace(0.0, 1.0, len(sound)) - where, rng.uniform(0.1, 2.0))
    return sound * distance.min() / distance


def _noised(sound: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Add coloured noise at 5 to 45 dB below."""
    spectrum = np.fft.rfft(rng.normal(size=len(sound)))
    noise = np.fft.irfft(
        spectrum * np.maximum(np.arange(len(spectrum)), 50.0) ** rng.uniform(-0.8, 0.0), len(sound)
    )
    ratio = np.sqrt((sound**2).mean() / ((noise**2).mean() + 1e-20))
    return sound + noise * ratio * 10.0 ** (-rng.uniform(5.0, 45.0) / 20.0)
