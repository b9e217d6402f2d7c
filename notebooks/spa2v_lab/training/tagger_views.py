"""Sounds as a tagger meets them: in rooms, in noise, after codecs, beside other sounds.

A tagger that has only met clean recordings fails on real ones. Every sound is therefore embedded
under several of `CONDITIONS`; a test under one of them says what that condition costs.
"""

from __future__ import annotations

import io
from functools import cache

import numpy as np
import soundfile
import soxr
from scipy.signal import fftconvolve

from spa2v_lib.audio.recording import Recording
from spa2v_lib.cues.detection import detect_sources

__all__ = ["CONDITIONS", "RATE", "VIEWS", "crop", "separated_pair", "view"]

RATE = 44_100
VIEWS = ("dry", "room", "noise", "codec")
"""Conditions that one sound is brought under by itself."""

CONDITIONS = (*VIEWS, "separated", "scene")
"""Separated – what our own separation leaves of a sound that was mixed with another. Scene: what a
receiver records of it in a simulated scene."""

_ROOMS = 12
_SECONDS = 2.4
_SPACING_M = 0.2
_SPEED_OF_SOUND = 343.0


def crop(sound: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return a random part [time] of 2.4 s in which something sounds; short sounds stay whole."""
    length = int(_SECONDS * RATE)
    if len(sound) <= length:
        return sound
    tries = [int(rng.integers(len(sound) - length)) for _ in range(4)]
    energy = [float((sound[k : k + length] ** 2).sum()) for k in tries]
    good = [k for k, e in zip(tries, energy, strict=True) if e > 0.25 * max(energy)]
    return sound[good[0] : good[0] + length]


def view(sound: np.ndarray, condition: str, rng: np.random.Generator) -> np.ndarray:
    """Return a part of a sound [time] at 44.1 kHz under one of `VIEWS`."""
    part = crop(sound, rng)
    if condition == "dry":
        return part
    if condition == "room":
        return _noised(_roomed(_filtered(part, rng), rng), rng, 20.0, 50.0)
    if condition == "noise":
        return _noised(_moved(_filtered(part, rng), rng), rng, 3.0, 30.0)
    return _coded(_noised(part, rng, 20.0, 60.0), rng)


def separated_pair(
    one: np.ndarray, other: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray | None, np.ndarray | None]:
    """Mix two sounds [time] in stereo and return what our separation finds of each, or None.

    The two lie at least 25° from each other before a spaced pair of directional microphones. What
    is separated has nothing above 8 kHz.
    """
    length = int(2 * _SECONDS * RATE)
    left, right = sorted(rng.uniform(-50.0, 50.0, 2))
    if right - left < 25.0:
        left, right = left - 15.0, right + 15.0
    azimuths = [left, right] if rng.uniform() < 0.5 else [right, left]
    images = []
    for sound, azimuth in zip((one, other), azimuths, strict=True):
        mono = np.resize(sound, length)
        mono = mono / np.sqrt((mono**2).mean() + 1e-12) * 10.0 ** (rng.uniform(-3.0, 3.0) / 20.0)
        images.append(_stereo(mono, azimuth))
    mixture = sum(images)
    mixture = mixture + 10.0 ** (-rng.uniform(25.0, 50.0) / 20.0) * rng.normal(size=mixture.shape)
    recording = Recording.from_samples(0.7 * mixture / np.abs(mixture).max(), RATE)
    found = detect_sources(recording)
    pair: list[np.ndarray | None] = [None, None]
    for source in found.sources:
        if source.track is None or len(found.sources) < 2:
            continue
        gaps = [abs(float(np.median(source.track.azimuth)) - azimuth) for azimuth in azimuths]
        best = int(np.argmin(gaps))
        if gaps[best] < 15.0 and pair[best] is None:
            pair[best] = crop(soxr.resample(source.signal.mono(), source.signal.rate, RATE), rng)
    return pair[0], pair[1]


def _stereo(mono: np.ndarray, azimuth_deg: float) -> np.ndarray:
    """Return a sound as two microphones 20 cm apart and turned outwards receive it (ORTF-like)."""
    side = np.sin(np.radians(azimuth_deg))
    delay = _SPACING_M * side / _SPEED_OF_SOUND
    spectrum = np.fft.rfft(mono)
    hz = np.fft.rfftfreq(len(mono), 1.0 / RATE)
    gains = [0.5 + 0.5 * np.cos(np.radians(azimuth_deg - axis)) for axis in (-55.0, 55.0)]
    shifts = [np.exp(-2j * np.pi * hz * sign * delay / 2.0) for sign in (1.0, -1.0)]
    return np.stack(
        [
            gain * np.fft.irfft(spectrum * shift, len(mono))
            for gain, shift in zip(gains, shifts, strict=True)
        ]
    )


def _filtered(sound: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Tilt by up to ±1.5 dB an octave, and cut the highs as distance does."""
    spectrum = np.fft.rfft(sound)
    hz = np.fft.rfftfreq(len(sound), 1.0 / RATE)
    octave = np.log2(np.maximum(hz, 30.0) / 1000.0)
    gain = rng.uniform(-1.5, 1.5) * octave
    if rng.uniform() < 0.4:
        corner = np.exp(rng.uniform(np.log(2500.0), np.log(12000.0)))
        gain = gain - 10.0 * np.log10(1.0 + (hz / corner) ** 4)
    return np.fft.irfft(spectrum * 10.0 ** (gain / 20.0), len(sound))


@cache
def _room_responses() -> tuple[np.ndarray, ...]:
    """Return the impulse responses of rooms of 2 to 10 m with 0.2 to 0.8 s of reverberation."""
    import pyroomacoustics

    rng = np.random.default_rng(7)
    found = []
    while len(found) < _ROOMS:
        size = rng.uniform([2.5, 2.5, 2.3], [10.0, 8.0, 4.0])
        try:
            absorption, order = pyroomacoustics.inverse_sabine(rng.uniform(0.2, 0.8), size)
        except ValueError:
            continue
        walls = pyroomacoustics.Material(absorption)
        room = pyroomacoustics.ShoeBox(size, fs=RATE, materials=walls, max_order=min(order, 12))
        room.add_source(rng.uniform(0.5, size - 0.5))
        room.add_microphone(rng.uniform(0.5, size - 0.5))
        room.compute_rir()
        response = room.rir[0][0]
        found.append(response / np.sqrt((response**2).sum()))
    return tuple(found)


def _roomed(sound: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    responses = _room_responses()
    wet = fftconvolve(sound, responses[int(rng.integers(len(responses)))])
    return wet[: max(len(sound), int(_SECONDS * RATE))]


def _moved(sound: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Let the level rise or fall as in a pass-by, an approach or a recession."""
    where = rng.uniform(-0.5, 1.5)
    distance = np.hypot(np.linspace(0.0, 1.0, len(sound)) - where, rng.uniform(0.1, 2.0))
    return sound * distance.min() / distance


def _noised(
    sound: np.ndarray, rng: np.random.Generator, least_db: float, most_db: float
) -> np.ndarray:
    """Add coloured noise, so many dB below."""
    spectrum = np.fft.rfft(rng.normal(size=len(sound)))
    tilt = np.maximum(np.arange(len(spectrum)), 50.0) ** rng.uniform(-1.0, 0.0)
    noise = np.fft.irfft(spectrum * tilt, len(sound))
    ratio = np.sqrt((sound**2).mean() / ((noise**2).mean() + 1e-20))
    return sound + noise * ratio * 10.0 ** (-rng.uniform(least_db, most_db) / 20.0)


def _coded(sound: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Encode and decode: MP3 or Vorbis at their lower rates."""
    form, subtype = (("MP3", "MPEG_LAYER_III"), ("OGG", "VORBIS"))[int(rng.integers(2))]
    stream = io.BytesIO()
    peak = float(np.abs(sound).max()) + 1e-9
    soundfile.write(
        stream, 0.7 * sound / peak, RATE, format=form, subtype=subtype,
        compression_level=float(rng.uniform(0.75, 0.98)),
    )  # fmt: skip
    stream.seek(0)
    decoded, _ = soundfile.read(stream)
    return decoded[: len(sound)] if len(decoded) else sound
