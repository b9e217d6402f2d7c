from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from spa2v_lib.audio.recording import Recording
from spa2v_lib.cues import extract_cues
from spa2v_lib.cues.passby import PassByEvidence, fit_pass_by

RATE = 44_100
SOUND_M_S = 343.0


def passed(
    speed: float,
    distance: float,
    closest_s: float,
    *,
    side: float = 1.0,
    seconds: float = 4.0,
    seed: int = 0,
) -> Recording:
    """A horn that passes a coincident pair: delayed by its way, as loud as 1/r, with noise."""
    t = np.arange(int(seconds * RATE)) / RATE
    left = t.copy()
    for _ in range(40):  # what is heard at t left the source at t - r/c
        left = t - np.hypot(distance, speed * (left - closest_s)) / SOUND_M_S
    along = speed * (left - closest_s)
    sound = sum(np.sin(2 * np.pi * f * left) for f in (311.0, 370.0, 622.0, 933.0, 1480.0))
    azimuth = side * np.arctan2(along, distance)
    gains = [0.5 * (1 + np.cos(azimuth + s * np.pi / 4)) for s in (1.0, -1.0)]
    pair = np.stack(gains) * sound / np.hypot(along, distance)
    noise = np.random.default_rng(seed).normal(size=pair.shape)
    pair += 0.05 * np.sqrt(np.mean(pair**2)) * noise
    return Recording.from_samples(0.5 * pair / np.abs(pair).max(), RATE)


@pytest.mark.parametrize(("speed", "distance", "side"), [(14.0, 9.0, 1.0), (25.0, 12.0, -1.0)])
def test_a_horn_that_passes_tells_time_speed_and_distance(
    speed: float, distance: float, side: float
) -> None:
    recording = passed(speed, distance, 1.8, side=side)
    found = extract_cues(recording, label="train", capture="xy").sources[0].pass_by
    assert found.evidence == "azimuth, level and Doppler"
    assert found.closest_s.value == pytest.approx(1.8 + distance / SOUND_M_S, abs=0.05)
    assert found.speed_over_distance.value == pytest.approx(speed / distance, rel=0.05)
    assert found.speed_m_s.value == pytest.approx(speed, rel=0.05)
    assert found.distance_m.value == pytest.approx(distance, rel=0.08)
    assert found.heading_deg == pytest.approx(90.0 * side, abs=10.0)
    assert found.speed_m_s.high / found.speed_m_s.low < 1.3


@pytest.mark.parametrize("kind", ["noise", "tone"])
def test_without_a_doppler_shift_no_speed_is_claimed(rendered, kind: str) -> None:
    def passing(t: np.ndarray) -> np.ndarray:
        return np.degrees(np.arctan((t - 2.0) * 1.1))

    t = np.arange(4 * RATE) / RATE
    steady = sum(np.sin(2 * np.pi * 131.0 * k * t + k * k) for k in range(1, 50))
    source = steady if kind == "tone" else np.random.default_rng(3).normal(size=4 * RATE)
    recording = rendered(
        passing, range_m=lambda t: 5.0 * np.hypot(1.0, 1.1 * (t - 2.0)), source=source
    )
    found = extract_cues(recording, label="bus", capture="xy").sources[0].pass_by
    assert found.evidence == "azimuth and level"
    assert found.speed_m_s is None and found.distance_m is None
    assert found.speed_over_distance.value == pytest.approx(1.1, rel=0.08)
    assert found.closest_s.value == pytest.approx(2.0, abs=0.05)


def evidence(rng: np.random.Generator, rate: float, closest: float) -> PassByEvidence:
    """Azimuth and level along a slow path, with errors of 1° and 1 dB."""
    times = (np.arange(60) + 0.5) * 0.1
    way = rate * (times - closest)
    return PassByEvidence(
        times,
        np.degrees(np.arctan(way)) + rng.normal(0.0, 1.0, 60),
        np.ones(60),
        -10.0 * np.log10(1.0 + way**2) + rng.normal(0.0, 1.0, 60),
    )


def test_the_intervals_hold_the_truth_about_nine_times_in_ten() -> None:
    rng = np.random.default_rng(5)
    held = []
    for _ in range(60):
        rate, closest = float(rng.uniform(0.4, 1.5)), float(rng.uniform(2.0, 4.0))
        found = fit_pass_by(evidence(rng, rate, closest)).pass_by
        held.append(
            [
                found.closest_s.low <= closest <= found.closest_s.high,
                found.speed_over_distance.low <= rate <= found.speed_over_distance.high,
            ]
        )
    assert np.all(np.mean(held, axis=0) >= 0.8)


def test_the_relative_range_is_least_at_the_closest_moment_and_within_its_interval() -> None:
    given = evidence(np.random.default_rng(2), 0.9, 3.0)
    value, low, high = fit_pass_by(given).relative_range(given.times_s)
    truth = np.hypot(1.0, 0.9 * (given.times_s - 3.0))
    assert value.min() == pytest.approx(1.0)
    assert np.all((low >= 1.0) & (low <= value) & (value <= high))
    assert np.allclose(value, truth / truth.min(), rtol=0.05)


def test_mirrored_azimuths_give_the_same_path_the_other_way() -> None:
    given = evidence(np.random.default_rng(4), 0.8, 2.5)
    one = fit_pass_by(given).pass_by
    two = fit_pass_by(replace(given, azimuth_deg=-given.azimuth_deg)).pass_by
    assert two.heading_deg == pytest.approx(-one.heading_deg, abs=0.5)
    assert two.closest_s.value == pytest.approx(one.closest_s.value, abs=1e-2)


def test_too_few_frames_are_no_path() -> None:
    few = PassByEvidence(*(np.arange(4.0) for _ in range(4)))
    assert fit_pass_by(few) is None
