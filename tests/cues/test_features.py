from __future__ import annotations

import numpy as np
import pytest

from spa2v_lib.audio.recording import Recording
from spa2v_lib.cues.features import LAGS_S, MEL_BANDS, extract_features, mel_triangles


@pytest.mark.parametrize("rate", [8000, 22050, 44100, 48000, 192000])
def test_delay_level_and_frames_are_the_same_at_every_rate(rendered, rate: int) -> None:
    recording = rendered(lambda t: 30.0 + 0 * t, capture="ortf", rate=rate, seconds=1.0)
    heard = extract_features(recording)
    assert len(heard.times_s) == 10
    assert np.allclose(heard.times_s, 0.1 * np.arange(10) + 0.05)
    # 17 cm · sin 30° / c, and 20 lg of the cardioids' gains at 25° and 85° from their axes
    delay = LAGS_S[heard.gcc.argmax(1)]
    assert np.median(delay) == pytest.approx(0.085 / 343.0, abs=1.5e-5)
    assert np.median(heard.ild_db) == pytest.approx(4.86, abs=0.3)


def test_frames_do_not_depend_on_the_block_size(rendered) -> None:
    recording = rendered(lambda t: 10.0 * t, capture="ortf", seconds=3.0)
    whole, parts = extract_features(recording), extract_features(recording, block_s=0.37)
    for name in ("level_db", "left", "right", "cross", "aligned", "gcc", "mel"):
        assert np.allclose(getattr(whole, name), getattr(parts, name), rtol=1e-4, atol=1e-6), name


def test_levels_are_in_decibels_of_full_scale() -> None:
    tone = np.sin(2 * np.pi * 1000 * np.arange(48000) / 48000)
    heard = extract_features(
        Recording.from_samples(np.stack([tone, 0.1 * tone]).astype(np.float32), 48000)
    )
    assert np.allclose(heard.level_db, 10 * np.log10(0.25 * 1.01), atol=0.05)
    assert np.allclose(heard.ild_db, -20.0, atol=0.01)


def test_unrelated_channels_are_not_coherent_and_equal_ones_are() -> None:
    noise = np.random.default_rng(0).normal(0, 0.1, (2, 48000)).astype(np.float32)
    apart = extract_features(Recording.from_samples(noise, 48000)).coherence
    same = extract_features(Recording.from_samples(noise[[0, 0]], 48000)).coherence
    assert np.median(apart) < 0.35
    assert same.min() > 0.999


@pytest.mark.parametrize("rate", [16_000, 44_100, 48_000])
def test_the_mel_bands_are_librosas(rate: int) -> None:
    from librosa.filters import mel

    theirs = mel(sr=rate, n_fft=2048, n_mels=MEL_BANDS, fmin=60, fmax=7800, htk=True, norm=None)
    ours = mel_triangles(np.fft.rfftfreq(2048, 1 / rate))
    assert np.allclose(ours.T, theirs, atol=1e-5)
