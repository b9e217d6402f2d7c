from __future__ import annotations

import numpy as np
import pytest

from spa2v_lib.audio.recording import Recording
from spa2v_lib.cues import extract_cues


def approach(t: np.ndarray) -> np.ndarray:
    return 20.0 - 4.0 * t


def recede(t: np.ndarray) -> np.ndarray:
    return 4.0 + 4.0 * t


def passing(t: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    x = -6.0 + 3.5 * t
    return np.degrees(np.arctan2(x, 4.0)), np.hypot(x, 4.0)


@pytest.mark.parametrize("capture", ["panned", "xy", "ortf", "ab"])
@pytest.mark.parametrize(
    ("path", "motion", "ratio"), [(approach, "approaching", 5.0), (recede, "receding", 5.0)]
)
def test_radial_motion_is_named_and_its_range_measured(rendered, capture, path, motion, ratio):
    cues = extract_cues(
        rendered(lambda t: 10 + 0 * t, range_m=path, capture=capture), label="bus", capture=capture
    )
    source = cues.sources[0]
    assert source.motion == motion
    assert max(source.relative_range) == pytest.approx(ratio, rel=0.15)
    assert abs(source.level_change_db) == pytest.approx(20 * np.log10(5.0), abs=1.5)
    assert np.median(source.azimuth_deg) == pytest.approx(10.0, abs=1.0)


@pytest.mark.parametrize("capture", ["panned", "xy", "ortf", "ab"])
@pytest.mark.parametrize(("sign", "motion"), [(1, "right_crossing"), (-1, "left_crossing")])
def test_a_pass_by_is_named_and_its_closest_moment_found(rendered, capture, sign, motion):
    cues = extract_cues(
        rendered(lambda t: sign * passing(t)[0], range_m=lambda t: passing(t)[1], capture=capture),
        label="bus",
        capture=capture,
    )
    source = cues.sources[0]
    assert source.motion == motion
    assert source.closest_s == pytest.approx(6.0 / 3.5, abs=0.15)
    truth = passing(np.array(cues.times_s))[1]
    assert np.allclose(source.relative_range, truth / truth.min(), rtol=0.12)


@pytest.mark.parametrize("azimuth", [-40.0, 0.0, 25.0])
def test_what_stands_still_is_stationary_and_keeps_its_range(rendered, azimuth) -> None:
    source = extract_cues(rendered(lambda t: azimuth + 0 * t), label="cow", capture="xy").sources[0]
    assert source.motion == "stationary"
    assert source.motion_confidence > 0.7
    assert set(source.relative_range) == {1.0}
    assert source.closest_s is None


def test_a_repeating_decay_is_not_taken_for_recession(rendered) -> None:
    rate = 44_100
    t = np.arange(int(1.3 * rate)) / rate
    bell = np.sin(2 * np.pi * 700 * t) * np.exp(-4 * t) + np.sin(2 * np.pi * 1930 * t) * np.exp(
        -7 * t
    )
    still = rendered(lambda t: 15 + 0 * t, source=np.resize(bell, 4 * rate))
    assert extract_cues(still, label="bell", capture="xy").sources[0].motion == "stationary"
    coming = rendered(lambda t: 15 + 0 * t, source=np.resize(bell, 4 * rate), range_m=approach)
    assert extract_cues(coming, label="bell", capture="xy").sources[0].motion == "approaching"


def test_one_stroke_that_dies_away_is_not_taken_for_recession(rendered) -> None:
    rate = 44_100
    t = np.arange(4 * rate) / rate
    chord = sum(np.sin(2 * np.pi * f * t) for f in (110.0, 277.0, 660.0)) * np.exp(-0.9 * t)
    recording = rendered(lambda t: 0 * t, source=chord, noise_db=-60)
    assert extract_cues(recording, label="guitar").sources[0].motion == "stationary"
    assert extract_cues(recording, label="truck").sources[0].motion == "receding"


def test_scores_add_up_and_the_motion_is_the_best_of_them(rendered) -> None:
    for path in (approach, recede, lambda t: 3.0 + 0.0 * t):
        recording = rendered(lambda t: 10 + 0 * t, range_m=path)
        source = extract_cues(recording, label="bus", capture="xy").sources[0]
        assert sum(source.motion_scores.values()) == pytest.approx(1.0)
        assert max(source.motion_scores, key=source.motion_scores.get) == source.motion
        assert source.motion_scores[source.motion] == source.motion_confidence


@pytest.mark.parametrize("path", [approach, recede, lambda t: passing(t)[1]])
def test_the_interval_of_the_range_holds_the_truth(rendered, path) -> None:
    crossing = path not in (approach, recede)
    recording = rendered(lambda t: passing(t)[0] if crossing else 10 + 0 * t, range_m=path)
    cues = extract_cues(recording, label="bus", capture="xy")
    source, truth = cues.sources[0], path(np.array(cues.times_s))
    low, high = np.array(source.relative_range_low), np.array(source.relative_range_high)
    assert np.mean((low <= truth / truth.min()) & (truth / truth.min() <= high)) > 0.7
    assert np.all((low <= source.relative_range) & (source.relative_range <= high))
    assert high.max() < 2.0 * max(source.relative_range)


def test_only_a_crossing_has_a_path(rendered) -> None:
    still = rendered(lambda t: 10 + 0 * t)
    coming = rendered(lambda t: 10 + 0 * t, range_m=approach)
    assert all(extract_cues(r, capture="xy").sources[0].pass_by is None for r in (still, coming))


def test_a_single_frame_of_sound_rests(rendered) -> None:
    samples = rendered(lambda t: 0 * t).samples.copy()
    samples[:, 4410:] = 0.0
    source = extract_cues(Recording.from_samples(samples, 44_100), capture="xy").sources[0]
    assert source.motion == "stationary"


@pytest.mark.parametrize(("sign", "motion"), [(1, "right_crossing"), (-1, "left_crossing")])
def test_a_crossing_followed_by_a_background_elsewhere_is_a_crossing(rendered, sign, motion):
    rate, seconds = 44_100, 6.0
    noise = np.random.default_rng(1).normal(size=int(seconds * rate))
    passes = rendered(
        lambda t: sign * np.degrees(np.arctan2(-8.0 + 6.0 * t, 4.0)),
        range_m=lambda t: np.hypot(-8.0 + 6.0 * t, 4.0),
        source=noise * (np.arange(len(noise)) < 2.7 * rate),
        seconds=seconds,
        noise_db=-80.0,
    ).samples
    background = rendered(lambda t: -sign * 30.0 + 0.0 * t, seconds=seconds, noise_db=-80.0).samples
    background *= 10 ** (-22 / 20) * np.sqrt(np.mean(passes**2) / np.mean(background**2))
    recording = Recording.from_samples(passes + background, rate)
    source = extract_cues(recording, label="car", capture="xy").sources[0]
    assert source.motion == motion and source.motion_confidence > 0.7
