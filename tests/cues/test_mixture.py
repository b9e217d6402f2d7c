from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from spa2v_lib.audio.recording import Recording
from spa2v_lib.cues import extract_cues
from spa2v_lib.cues.bins import Bins, weighted_bins
from spa2v_lib.cues.features import extract_features
from spa2v_lib.cues.localization import activity
from spa2v_lib.cues.mixture import ownership
from spa2v_lib.cues.multisource import count_sources
from spa2v_lib.cues.steering import densities, steering

RATE = 16_000
CAPTURES = ["panned", "xy", "ortf", "ab"]


def tones(pitch_hz: float, beat_s: float, seconds: float, seed: int) -> np.ndarray:
    """Notes with eight harmonics and a breath of noise, struck again every `beat_s` [time]."""
    rng = np.random.default_rng(seed)
    t = np.arange(int(seconds * RATE)) / RATE
    sound = sum(np.sin(2 * np.pi * k * pitch_hz * t + k) / k for k in range(1, 9))
    sound = sound + 0.3 * rng.normal(size=len(t))
    return sound * np.exp(-3.0 * (t % beat_s) / beat_s)


def mixed(
    rendered: Callable[..., Recording],
    azimuths: list[Callable[[np.ndarray], np.ndarray]],
    capture: str,
    seconds: float = 3.0,
) -> Recording:
    pitches, beats = (310.0, 470.0, 830.0), (0.31, 0.47, 0.23)
    parts = [
        rendered(
            azimuth,
            capture=capture,
            source=tones(pitches[k], beats[k], seconds, k),
            seconds=seconds,
            rate=RATE,
            noise_db=-30.0,
            seed=k,
        ).samples
        for k, azimuth in enumerate(azimuths)
    ]
    return Recording.from_samples(0.5 * sum(parts), RATE)


def still(azimuth: float) -> Callable[[np.ndarray], np.ndarray]:
    return lambda t: azimuth + 0.0 * t


@pytest.mark.parametrize("capture", CAPTURES)
def test_two_sources_are_counted_and_placed(rendered, capture: str) -> None:
    cues = extract_cues(mixed(rendered, [still(-28.0), still(22.0)], capture), capture=capture)
    places = sorted(float(np.median(source.azimuth_deg)) for source in cues.sources)
    assert np.allclose(places, [-28.0, 22.0], atol=4.0)
    assert cues.count_low <= 2 <= cues.count_high


@pytest.mark.parametrize("capture", ["xy", "ortf"])
def test_three_sources_are_counted_and_placed(rendered, capture: str) -> None:
    recording = mixed(rendered, [still(-38.0), still(0.0), still(36.0)], capture)
    cues = extract_cues(recording, capture=capture)
    places = sorted(float(np.median(source.azimuth_deg)) for source in cues.sources)
    assert np.allclose(places, [-38.0, 0.0, 36.0], atol=5.0)


@pytest.mark.parametrize("capture", CAPTURES)
def test_one_source_is_not_split(rendered, capture: str) -> None:
    for azimuth in (still(-20.0), lambda t: -35.0 + 25.0 * t):
        cues = extract_cues(mixed(rendered, [azimuth], capture), capture=capture)
        assert len(cues.sources) == 1 and cues.count_low == 1


def test_two_sounds_in_one_place_are_heard_as_one(rendered) -> None:
    cues = extract_cues(mixed(rendered, [still(15.0), still(15.0)], "xy"), capture="xy")
    assert len(cues.sources) == 1
    assert float(np.median(cues.sources[0].azimuth_deg)) == pytest.approx(15.0, abs=2.0)


def test_sources_that_cross_keep_who_they_are(rendered) -> None:
    recording = mixed(
        rendered, [lambda t: -35.0 + 23.0 * t, lambda t: 35.0 - 23.0 * t], "ortf", seconds=3.0
    )
    motions = {source.motion for source in extract_cues(recording, capture="ortf").sources}
    assert motions == {"left_crossing", "right_crossing"}


def test_a_source_that_pauses_keeps_its_track_and_is_silent_there(rendered) -> None:
    steady = mixed(rendered, [still(-30.0)], "ortf")
    other = rendered(
        still(30.0), capture="ortf", source=tones(470.0, 0.23, 3.0, 1), seconds=3.0, rate=RATE
    ).samples.copy()
    other[:, RATE : 2 * RATE] = 0.0
    recording = Recording.from_samples(steady.samples + 0.5 * other, RATE)
    cues = extract_cues(recording, capture="ortf")
    right = max(cues.sources, key=lambda source: np.median(source.azimuth_deg))
    assert len(cues.sources) == 2
    assert not any(right.active[12:18]) and np.mean(right.active[:9] + right.active[21:]) > 0.8
    assert np.allclose(np.array(right.azimuth_deg)[12:18], 30.0, atol=6.0)


def test_swapping_channels_mirrors_all_sources(rendered) -> None:
    recording = mixed(rendered, [still(-28.0), lambda t: 5.0 + 10.0 * t], "ortf")
    swapped = Recording.from_samples(recording.samples[::-1].copy(), RATE)
    one, two = (extract_cues(r, capture="ortf") for r in (recording, swapped))
    assert len(one.sources) == len(two.sources) == 2
    for a, b in zip(one.sources, two.sources, strict=True):
        assert np.allclose(a.azimuth_deg, -np.array(b.azimuth_deg), atol=0.1)
        assert a.active == b.active and np.allclose(a.level_db, b.level_db, atol=0.1)


def test_scaling_changes_neither_number_nor_place(rendered) -> None:
    recording = mixed(rendered, [still(-28.0), still(22.0)], "ab")
    soft = Recording.from_samples((0.05 * recording.samples).astype(np.float32), RATE)
    one, two = (extract_cues(r, capture="ab") for r in (recording, soft))
    for a, b in zip(one.sources, two.sources, strict=True):
        assert np.allclose(a.azimuth_deg, b.azimuth_deg, atol=0.1)


def measured_bins(recording: Recording) -> Bins:
    features = extract_features(recording, with_bins=True)
    return weighted_bins(features.bins, activity(features))


def test_the_most_likely_direction_of_trusted_cells_is_the_source(rendered) -> None:
    for capture in CAPTURES:
        bins = measured_bins(mixed(rendered, [still(24.0)], capture))
        table = steering(capture)
        density = densities(bins, table, 0, len(bins.weight))
        assert np.allclose(density.mean(2), 1.0, rtol=0.2)
        place = table.azimuth_deg[(bins.weight[..., None] * np.log(density)).sum((0, 1)).argmax()]
        assert place == pytest.approx(24.0, abs=3.0)


def test_every_cell_is_shared_out_whole(rendered) -> None:
    bins = measured_bins(mixed(rendered, [still(-28.0), still(22.0)], "xy"))
    table = steering("xy")
    counted = count_sources(bins, table)
    owned = ownership(bins, table, counted.mixture)
    assert owned.shape == (3, *bins.weight.shape)
    assert np.allclose(owned.sum(0), 1.0, atol=1e-4) and (owned >= 0.0).all()
    assert np.allclose(counted.mixture.shares.sum(0), 1.0)
    assert (counted.low, counted.high) == (2, 2) or counted.low <= 2 <= counted.high


@pytest.mark.parametrize("capture", ["ortf", "ab"])
def test_wind_in_the_microphones_of_a_spaced_pair_is_no_source(rendered, capture: str) -> None:
    recording = mixed(rendered, [still(20.0)], capture)
    wind = np.random.default_rng(9).normal(size=recording.samples.shape)
    loud = 0.5 * np.sqrt((recording.samples**2).mean()) * wind
    windy = Recording.from_samples((recording.samples + loud).astype(np.float32), RATE)
    (source,) = extract_cues(windy, capture=capture).sources
    assert np.median(source.azimuth_deg) == pytest.approx(20.0, abs=4.0)


def test_sound_from_all_around_is_not_split(rendered) -> None:
    """Many weak sources everywhere, none of which stands out."""
    parts = [
        rendered(
            still(float(azimuth)),
            capture="ortf",
            source=np.random.default_rng(k).normal(size=2 * RATE),
            seconds=2.0,
            rate=RATE,
        ).samples
        for k, azimuth in enumerate(np.linspace(-80.0, 80.0, 17))
    ]
    cues = extract_cues(Recording.from_samples(0.1 * sum(parts), RATE), capture="ortf")
    assert len(cues.sources) == 1
