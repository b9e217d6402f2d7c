from __future__ import annotations

import numpy as np
import pytest

from spa2v_lib.cues.interaural import mel_windows
from spa2v_lib.cues.tagging import UNKNOWN, features, load_tagger, tag
from spa2v_lib.errors import DataError
from spa2v_lib.tiny import tagger
from spa2v_lib.tiny.tagger_data import RATE, excerpt, synthetic
from spa2v_lib.tiny.tagger_net import Training, fit


def heard(recording) -> np.ndarray:
    return mel_windows(recording.mono(), recording.rate)


@pytest.mark.parametrize(
    ("file", "label"),
    [
        ("helicopter_01.flac", "helicopter"),
        ("bus_01.flac", "bus"),
        ("cow_01.flac", "cow"),
        ("ship_horn_01.flac", "ship"),
        ("bell_crossing_01.flac", "bell"),
        ("guitar_02.flac", "guitar"),
        ("train_whistle_01.flac", "train"),
    ],
)
def test_shipped_recordings_are_known(shipped, file: str, label: str) -> None:
    answer = tag(heard(shipped(file)))
    assert answer.label == label
    assert answer.alternatives[0] == (label, answer.confidence)
    assert len(answer.alternatives) == 3


@pytest.mark.parametrize("file", ["ambience_wind_01.flac", "ambience_applause_01.flac"])
def test_what_is_no_thing_is_unknown(shipped, file: str) -> None:
    answer = tag(heard(shipped(file)))
    assert answer.label is None
    assert UNKNOWN in dict(answer.alternatives)


def test_white_noise_and_a_tone_are_unknown() -> None:
    noise = np.random.default_rng(9).normal(size=3 * RATE)
    tone = np.sin(2 * np.pi * 997 * np.arange(3 * RATE) / RATE)
    assert tag(mel_windows(noise, RATE)).label is None
    assert tag(mel_windows(tone, RATE)).label is None


def test_gain_changes_no_answer(shipped) -> None:
    mel = heard(shipped("lion_01.flac"))
    assert tag(1e-4 * mel).label == tag(mel).label == "lion"


def test_a_lower_sampling_rate_keeps_the_answer(shipped) -> None:
    recording = shipped("cow_01.flac").resampled(16_000)
    assert tag(mel_windows(recording.mono(), 16_000)).label == "cow"


def test_silence_is_unknown() -> None:
    assert tag(np.zeros((100, 40))).label is None


def test_probabilities_sum_to_one() -> None:
    model = load_tagger()
    vectors = np.random.default_rng(0).normal(size=(5, len(model.mean)))
    assert np.allclose(model.probabilities(vectors).sum(1), 1.0)


def test_a_file_of_other_weights_is_a_clear_error(tmp_path) -> None:
    path = tmp_path / "tagger.safetensors"
    path.write_bytes(b"nothing")
    with pytest.raises(DataError, match=r"tagger\.safetensors"):
        load_tagger(path)


def test_training_separates_what_can_be_separated_and_repeats_itself() -> None:
    rng = np.random.default_rng(0)
    targets = rng.integers(3, size=300)
    vectors = rng.normal(size=(300, 10)).astype(np.float32)
    vectors[np.arange(300), targets] += 4.0
    how = Training(epochs=30, batch=32, units=16)
    one, two = (fit(vectors, targets, ("a", "b", "c"), how) for _ in range(2))
    assert (one.probabilities(vectors).argmax(1) == targets).mean() > 0.95
    assert np.array_equal(one.hidden, two.hidden)


@pytest.mark.parametrize("kind", range(5))
def test_excerpts_are_repeatable_and_of_one_size(kind: int) -> None:
    sound = synthetic(kind, np.random.default_rng(kind))
    assert np.isfinite(sound).all() and np.abs(sound).max() == pytest.approx(1.0)
    one, two = (features(excerpt(sound, np.random.default_rng(3))) for _ in range(2))
    assert np.array_equal(one, two)
    assert one.shape == load_tagger().mean.shape


@pytest.mark.slow
def test_the_training_command_writes_weights_and_a_card(tmp_path) -> None:
    tagger.main(["--out", str(tmp_path), "--excerpts", "10", "--epochs", "2"])
    assert "truck" in load_tagger(tmp_path / "tagger.safetensors").labels
    assert "left out one at a time" in (tmp_path / "README.md").read_text()
