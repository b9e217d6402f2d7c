"""A small panner of its own, so that cues are not tested with the formulas they are read with."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from spa2v_lib.audio.recording import Recording
from spa2v_lib.resources import resource

SOUND_M_S = 343.0


def noise_bursts(seconds: float, rate: int, seed: int = 0, burst_s: float = 0.4) -> np.ndarray:
    """Noise that repeats its own swell every `burst_s` [time]."""
    rng = np.random.default_rng(seed)
    count = int(burst_s * rate)
    one = rng.normal(size=count) * (0.3 + np.hanning(count))
    return np.resize(one, int(seconds * rate))


def _read(source: np.ndarray, position: np.ndarray) -> np.ndarray:
    """Read a sound at fractional sample positions, by cubic interpolation."""
    index = np.clip(np.floor(position).astype(int), 1, len(source) - 3)
    part = position - index
    before, here, after, later = (source[index + k] for k in (-1, 0, 1, 2))
    slope, bend = 0.5 * (after - before), before - 2.5 * here + 2 * after - 0.5 * later
    return here + part * (
        slope + part * (bend + part * (1.5 * (here - after) + 0.5 * later - 0.5 * before))
    )


def _pair(capture: str, azimuth_deg: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return left gain, right gain and the right channel's lead in seconds."""
    theta, one = np.radians(azimuth_deg), np.ones_like(azimuth_deg)
    if capture == "panned":
        weight = np.clip(np.tan(theta), -1.0, 1.0)
        power = np.sqrt(2.0 + 2.0 * weight**2)
        return (1.0 - weight) / power, (1.0 + weight) / power, 0.0 * one
    if capture.endswith("ab"):
        spacing = 0.17 if capture == "narrow ab" else 0.5
        return one, one, spacing * np.sin(theta) / SOUND_M_S
    splay_deg, spacing = {"xy": (45.0, 0.0), "ms": (90.0, 0.0), "ortf": (55.0, 0.17)}[capture]
    splay = np.radians(splay_deg)
    left, right = (0.5 + 0.5 * np.cos(theta + s * splay) for s in (1.0, -1.0))
    return left, right, spacing * np.sin(theta) / SOUND_M_S


def render(
    azimuth_deg: Callable[[np.ndarray], np.ndarray],
    *,
    capture: str = "xy",
    range_m: Callable[[np.ndarray], np.ndarray] = lambda t: 3.0 + 0.0 * t,
    source: np.ndarray | None = None,
    seconds: float = 4.0,
    rate: int = 44_100,
    noise_db: float = -40.0,
    seed: int = 0,
) -> Recording:
    """Render a moving source with 1/r level, delays and a little noise."""
    sound = noise_bursts(seconds, rate, seed) if source is None else source
    t = np.arange(int(seconds * rate)) / rate
    left, right, lead = _pair(capture, np.broadcast_to(azimuth_deg(t), t.shape))
    pad = int(0.01 * rate)
    padded = np.pad(np.resize(sound, len(t)), pad)
    middle = np.arange(len(t)) + pad
    channels = [
        gain / range_m(t) * _read(padded, middle + sign * 0.5 * lead * rate)
        for gain, sign in ((left, -1.0), (right, 1.0))
    ]
    pair = np.stack(channels)
    rng = np.random.default_rng(seed + 1)
    pair += 10 ** (noise_db / 20) * np.sqrt((pair**2).mean()) * rng.normal(size=pair.shape)
    return Recording.from_samples((0.5 * pair / np.abs(pair).max()).astype(np.float32), rate)


@pytest.fixture(scope="session")
def rendered() -> Callable[..., Recording]:
    return render


@pytest.fixture(scope="session")
def bursts() -> Callable[..., np.ndarray]:
    return noise_bursts


@pytest.fixture(scope="session")
def shipped() -> Callable[[str], Recording]:
    from spa2v_lib.audio import read_audio

    return lambda file: read_audio(resource("recordings", file))
