"""What the tagger is taught with: random excerpts of recordings through random conditions.

Every recording is heard through random rooms, pitches, filters, noises and level courses, so that
the network learns the thing and not the file.
"""

from __future__ import annotations

import numpy as np

from spa2v_lib.cues.features import mel_windows

__all__ = ["RATE", "excerpt"]

RATE = 22050
_SECONDS = 3.0


def excerpt(
    sound: np.ndarray,
    rng: np.random.Generator,
    strength: float = 1.0,
    other: np.ndarray | None = None,
) -> np.ndarray:
    """Return the mel powers [windows, 40] of a random, augmented excerpt of `sound` [time].

    Parameters
    ----------
    sound : ndarray [time]
        At 22 050 Hz; it is repeated where it is too short.
    rng : numpy.random.Generator
    strength : float
        1 for training; 0 leaves only the choice of the excerpt.
    other : ndarray [time], optional
        Something that is mixed in, 12 to 25 dB below, a sixth of the time.
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
        if other is not None and rng.uniform() < 1.0 / 6.0:
            cut = _mixed(cut, other, rng)
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


def _mixed(sound: np.ndarray, other: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Add another sound, from a random moment on, 12 to 25 dB below."""
    begin = int(rng.integers(len(other)))
    cut = np.take(other, np.arange(begin, begin + len(sound)), mode="wrap")
    ratio = np.sqrt((sound**2).mean() / ((cut**2).mean() + 1e-20))
    return sound + cut * ratio * 10.0 ** (-rng.uniform(12.0, 25.0) / 20.0)
