from __future__ import annotations

import numpy as np
import pytest

from spa2v_lib.audio.recording import Recording
from spa2v_lib.cues.approach import radial_motion, ratio_change, repetition
from spa2v_lib.cues.features import extract_features

RATE = 44_100
WINDOWS = 160


def strokes(seconds: float = 4.0, period_s: float = 0.8) -> np.ndarray:
    """A decaying stroke of noise, again and again [time]."""
    t = np.arange(int(period_s * RATE)) / RATE
    one = np.random.default_rng(0).normal(size=len(t)) * np.exp(-6.0 * t)
    return np.resize(one, int(seconds * RATE))


def mel_of(sound: np.ndarray, noise: float = 0.0) -> np.ndarray:
    heard = sound + noise * np.random.default_rng(1).normal(size=len(sound))
    pair = np.stack([heard, heard]).astype(np.float32)
    return extract_features(Recording.from_samples(pair, RATE)).mel


def judged(mel: np.ndarray, dryness: float | None = 1.0, **how: bool):
    return radial_motion(mel, np.zeros(len(mel)), np.ones(len(mel), bool), dryness=dryness, **how)


def away(ratio: float, seconds: float = 4.0) -> np.ndarray:
    return np.linspace(1.0, ratio, int(seconds * RATE))


@pytest.mark.parametrize("ratio", [3.0, 1.0 / 3.0])
def test_the_change_of_distance_is_within_its_error(ratio: float) -> None:
    found = judged(mel_of(strokes() / away(ratio), 0.002))
    assert found.confidence > 0.9
    assert found.log_ratio == pytest.approx(np.log(ratio), abs=1.645 * found.error)
    assert found.error < 0.15


def test_a_repeating_sound_that_rests_is_resting_in_a_room_too() -> None:
    mel = mel_of(strokes(), 0.002)
    assert judged(mel, 1.0).confidence < 0.1
    assert judged(mel, 0.0).confidence < 0.1


@pytest.mark.parametrize("sign", [-1.0, 1.0])
def test_a_change_that_a_room_nearly_hides_counts_there_and_not_in_the_open(sign: float) -> None:
    decibels = sign * np.linspace(0.0, 1.2, 4 * RATE)
    mel = mel_of(strokes() * 10 ** (decibels / 20))
    hidden, open_ = judged(mel, 0.0), judged(mel, 1.0)
    assert hidden.confidence > 0.9
    assert np.sign(hidden.log_ratio) == -sign
    assert open_.confidence < 0.1


def test_strokes_that_differ_a_little_in_loudness_are_no_motion() -> None:
    rng = np.random.default_rng(3)
    one = strokes(0.8)
    moved = []
    for _ in range(20):
        loud = 10 ** (rng.normal(0.0, 1.0, 5) / 20)
        mel = mel_of(np.concatenate([gain * one for gain in loud]), 0.002)
        moved.append(judged(mel, 1.0).confidence > 0.5)
    assert np.mean(moved) <= 0.1


@pytest.mark.parametrize("dryness", [0.0, 1.0])
def test_time_run_backwards_swaps_coming_and_going(dryness: float) -> None:
    mel = mel_of(strokes() / away(2.5), 0.002)
    forth, back = judged(mel, dryness), judged(mel[::-1], dryness)
    assert forth.confidence == pytest.approx(back.confidence, abs=0.05)
    assert forth.log_ratio == pytest.approx(-back.log_ratio, rel=0.1)


def test_without_directions_a_clear_change_of_level_still_tells() -> None:
    found = judged(mel_of(strokes() / away(4.0)), None)
    assert found.confidence > 0.9 and found.log_ratio > 0.0


def test_the_period_of_a_repeating_sound_is_found_between_windows() -> None:
    found = repetition(mel_of(strokes(4.0, 0.81))) / (0.81 / 0.025)
    assert found == pytest.approx(round(found), abs=0.01)  # a multiple of a period is one too
    noise = np.random.default_rng(0).normal(size=4 * RATE)
    assert repetition(mel_of(noise)) is None


def test_a_swell_in_a_room_is_approach_only_where_the_direct_sound_gains_on_the_room() -> None:
    noise = np.random.default_rng(2).normal(size=4 * RATE)
    swell = mel_of(noise / away(0.4), 0.002)
    assert judged(swell, 0.4, ratio_change_db=0.1).confidence < 0.1
    assert judged(swell, 0.4, ratio_change_db=-4.0).confidence < 0.1
    comes = judged(swell, 0.4, ratio_change_db=4.0)
    assert comes.confidence > 0.9 and comes.log_ratio < 0.0


def test_level_alone_is_never_certain_in_the_open() -> None:
    noise = np.random.default_rng(2).normal(size=4 * RATE)
    swell = judged(mel_of(noise / away(0.4), 0.002), 1.0)
    assert 0.5 < swell.confidence < 0.9 and swell.log_ratio < 0.0


@pytest.mark.parametrize("gain_db", [-6.0, 6.0])
def test_the_ratio_of_direct_to_reverberant_sound_changes_with_the_share_alone(gain_db) -> None:
    share = np.linspace(0.4, 0.7, 40)
    level = np.linspace(0.0, gain_db, 40)
    active = np.arange(40) >= 5
    found = ratio_change(level, share, active)
    assert found == pytest.approx(5.0, abs=0.6)
    assert ratio_change(level, np.full(40, 0.5), active) == pytest.approx(0.0, abs=1e-9)


def test_notes_that_die_away_recede_only_if_enough_of_them_are_struck_again() -> None:
    far = away(3.0)
    for period_s, recedes in ((1.9, False), (0.8, True)):
        mel = mel_of(strokes(period_s=period_s) / far, 0.002)
        assert (judged(mel, 1.0, dies_away=True).confidence > 0.5) is recedes
    chord = np.random.default_rng(4).normal(size=4 * RATE) * 10 ** (-np.arange(4 * RATE) / RATE / 4)
    assert judged(mel_of(chord, 0.002), 1.0, dies_away=True).confidence < 0.1
