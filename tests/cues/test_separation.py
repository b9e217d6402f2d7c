from __future__ import annotations

import numpy as np
import pytest

from spa2v_lib.audio.recording import Recording
from spa2v_lib.cues import extract_cues, separate
from spa2v_lib.cues.separation import in_front, separate_sources

RATE = 16_000
SECONDS = 2.5


def si_sdr(estimate: np.ndarray, truth: np.ndarray) -> float:
    """Scale-invariant signal-to-distortion ratio in dB of signals of one shape."""
    scaled = (estimate * truth).sum() / (truth**2).sum() * truth
    return float(10.0 * np.log10((scaled**2).sum() / ((estimate - scaled) ** 2).sum()))


@pytest.fixture(scope="module")
def voices(rendered, bursts):
    """Two sources alone, by capture format: bursts of noise, and notes."""

    def make(capture: str) -> list[np.ndarray]:
        t = np.arange(int(SECONDS * RATE)) / RATE
        notes = sum(np.sin(2 * np.pi * 330.0 * k * t) / k for k in range(1, 8))
        notes = notes * np.exp(-4.0 * (t % 0.5))
        sources = [(-25.0, bursts(SECONDS, RATE, 3)), (30.0, notes)]
        return [
            0.5
            * rendered(
                lambda t, a=azimuth: a + 0.0 * t,
                capture=capture,
                source=sound,
                seconds=SECONDS,
                rate=RATE,
            ).samples
            for azimuth, sound in sources
        ]

    return make


@pytest.mark.parametrize(
    ("capture", "gain_db"), [("panned", 10.0), ("xy", 10.0), ("ortf", 10.0), ("ab", 5.0)]
)
def test_each_source_comes_out_much_cleaner(voices, capture: str, gain_db: float) -> None:
    parts = voices(capture)
    recording = Recording.from_samples(sum(parts), RATE)
    cues = extract_cues(recording, capture=capture)
    heard = [signal.samples for signal in separate(recording, cues)]
    assert len(heard) == 2
    left = int(np.median(cues.sources[0].azimuth_deg) > 0.0)
    for truth, signal in zip(parts, (heard[left], heard[1 - left]), strict=True):
        assert si_sdr(signal, truth) > si_sdr(recording.samples, truth) + gain_db


def test_the_signals_add_up_to_the_recording(voices) -> None:
    recording = Recording.from_samples(sum(voices("ortf")), RATE)
    azimuth = np.repeat([[-25.0], [30.0]], 25, axis=1)
    signals = separate_sources(recording, "ortf", azimuth, np.ones((2, 25)))
    assert all(signal.samples.shape == recording.samples.shape for signal in signals)
    assert np.allclose(sum(signal.samples for signal in signals), recording.samples, atol=1e-5)


def test_a_signal_can_be_read_in_blocks_and_from_the_middle(voices) -> None:
    recording = Recording.from_samples(sum(voices("xy")), RATE)
    azimuth = np.repeat([[-25.0], [30.0]], 25, axis=1)
    signal = separate_sources(recording, "xy", azimuth, np.ones((2, 25)))[1]
    whole = signal.samples
    assert np.array_equal(np.concatenate(list(signal.blocks(0.4)), axis=1), whole)
    assert np.array_equal(signal.cut(1.0, 0.5).samples, whole[:, RATE : RATE + RATE // 2])


def test_an_inverted_channel_is_separated_alike(voices) -> None:
    samples = sum(voices("ortf"))
    azimuth, power = np.repeat([[-25.0], [30.0]], 25, axis=1), np.ones((2, 25))
    inverted = samples * np.array([[1.0], [-1.0]], np.float32)
    upright = separate_sources(Recording.from_samples(samples, RATE), "ortf", azimuth, power)
    turned = separate_sources(
        Recording.from_samples(inverted, RATE), "ortf", azimuth, power, polarity=-1.0
    )
    for one, two in zip(upright, turned, strict=True):
        assert np.allclose(one.samples[0], two.samples[0], atol=1e-6)
        assert np.allclose(one.samples[1], -two.samples[1], atol=1e-6)


def test_a_single_source_is_the_recording_itself(voices) -> None:
    recording = Recording.from_samples(voices("xy")[0], RATE)
    cues = extract_cues(recording, capture="xy")
    (signal,) = separate(recording, cues)
    assert signal is recording


def test_without_directions_nothing_is_separated(voices) -> None:
    recording = Recording.from_samples(voices("xy")[0][:1], RATE)
    assert separate(recording, extract_cues(recording)) == [recording]


def test_silence_has_no_signal() -> None:
    recording = Recording.from_samples(np.zeros((2, RATE), np.float32), RATE)
    assert separate(recording, extract_cues(recording)) == []


def test_directions_behind_are_heard_as_their_mirror_images_in_front() -> None:
    assert in_front(np.array([30.0, 120.0, -170.0, 180.0])).tolist() == [30.0, 60.0, -10.0, 0.0]
