from __future__ import annotations

import numpy as np
import pytest

from spa2v_lib.audio.recording import Recording
from spa2v_lib.cues.pitch import LOG_STEP, line_spectra, shift_between, track_pitch

RATE = 44_100


def tone(pitch_hz: np.ndarray | float, seconds: float = 2.0, harmonics: int = 8) -> np.ndarray:
    """A sound with falling harmonics whose pitch may change with time [time]."""
    count = int(seconds * RATE)
    phase = 2 * np.pi * np.cumsum(np.broadcast_to(pitch_hz, count)) / RATE
    return sum(np.sin(k * phase + k) / k for k in range(1, harmonics + 1))


def recorded(sound: np.ndarray, noise_db: float = -30.0, rate: int = RATE) -> Recording:
    noise = np.random.default_rng(0).normal(size=(2, len(sound)))
    level = 10 ** (noise_db / 20) * np.sqrt(np.mean(sound**2))
    return Recording.from_samples(0.1 * (sound + level * noise), rate)


@pytest.mark.parametrize("pitch", [87.3, 220.0, 523.7, 1480.0])
def test_a_steady_pitch_is_found_to_a_fifth_of_a_percent(pitch: float) -> None:
    found = track_pitch(recorded(tone(pitch)), 20, np.ones(20, bool))
    assert np.allclose(found[1:-1], pitch, rtol=2e-3)


def test_a_fundamental_that_is_missing_is_still_the_pitch() -> None:
    t = np.arange(2 * RATE) / RATE
    sound = sum(np.sin(2 * np.pi * 150.0 * k * t) for k in (3, 4, 5, 6))
    found = track_pitch(recorded(sound), 20, np.ones(20, bool))
    assert np.nanmedian(found) == pytest.approx(150.0, rel=5e-3)


def test_a_glide_is_followed() -> None:
    course = np.linspace(300.0, 330.0, 2 * RATE)
    found = track_pitch(recorded(tone(course)), 20, np.ones(20, bool))
    truth = 300.0 + 15.0 * (np.arange(20) + 0.5) * 0.1
    assert np.allclose(found[2:-2], truth[2:-2], rtol=4e-3)


def test_noise_and_silence_have_no_pitch() -> None:
    noise = np.random.default_rng(1).normal(size=2 * RATE)
    assert np.isnan(track_pitch(recorded(noise), 20, np.ones(20, bool))).mean() > 0.9
    active = np.arange(20) >= 10
    found = track_pitch(recorded(tone(220.0)), 20, active)
    assert np.isnan(found[:10]).all() and np.isfinite(found[10:19]).all()


def test_long_recordings_are_tracked_in_blocks_as_short_ones_are() -> None:
    course = np.where(np.arange(25 * RATE) < 12 * RATE, 220.0, 330.0)
    whole = recorded(tone(course, 25.0))
    found = track_pitch(whole, 250, np.ones(250, bool))
    part = track_pitch(whole.cut(10.0, 4.0), 40, np.ones(40, bool))
    assert np.allclose(found[105:135], part[5:35], rtol=1e-3)


@pytest.mark.parametrize("shift", [-0.0303, 0.0007, 0.0412])
def test_the_shift_between_two_spectra_is_finer_than_their_axis(shift: float) -> None:
    sounds = (tone(220.0), tone(220.0 * np.exp(shift)))
    low, high = (line_spectra(recorded(sound), 0.5, 1.5) for sound in sounds)
    found, like = shift_between(high.lines, low.lines.mean(0), np.full(len(high.lines), shift))
    assert np.allclose(found, shift, atol=0.5 * LOG_STEP)
    assert like.min() > 0.5


def test_what_lies_outside_the_recording_is_silent() -> None:
    spectra = line_spectra(recorded(tone(220.0)), -1.0, 1.0, 0.5)
    assert np.allclose(spectra.times_s, [-1.0, -0.5, 0.0, 0.5, 1.0])
    assert not spectra.lines[:2].any() and spectra.lines[3].any()
