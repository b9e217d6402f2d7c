from __future__ import annotations

import numpy as np
import pytest

from spa2v_lib.audio.recording import Recording
from spa2v_lib.cues import extract_cues
from spa2v_lib.cues.ambisonics import measure_intensity, middle_side, track_direction
from spa2v_lib.cues.channel_order import channel_order
from spa2v_lib.cues.features import extract_features
from spa2v_lib.cues.localization import Track, activity

RATE = 32_000


def encoded(azimuth_deg: np.ndarray | float, elevation_deg: float = 0.0, noise: float = 0.003):
    """AmbiX by its own definition: azimuth counted to the left, SN3D."""
    rng = np.random.default_rng(3)
    sound = 0.2 * rng.normal(size=2 * RATE)
    left, up = np.radians(-np.broadcast_to(azimuth_deg, sound.shape)), np.radians(elevation_deg)
    gains = np.stack(
        [
            np.ones_like(left),
            np.sin(left) * np.cos(up),
            np.full_like(left, np.sin(up)),
            np.cos(left) * np.cos(up),
        ]
    )
    samples = gains * sound + noise * rng.normal(size=(4, len(sound)))
    return Recording.from_samples(samples.astype(np.float32), RATE)


def tracked(recording: Recording) -> Track:
    heard = extract_features(middle_side(recording))
    return track_direction(heard, measure_intensity(recording), activity(heard))


@pytest.mark.parametrize("azimuth", [-150.0, -90.0, -20.0, 0.0, 45.0, 90.0, 135.0, 180.0])
def test_all_directions_are_told_front_and_back(azimuth: float) -> None:
    track = tracked(encoded(azimuth))
    off = (track.azimuth - azimuth + 180.0) % 360.0 - 180.0
    assert np.abs(off).max() < 1.0
    assert (track.low < track.azimuth).all() and (track.azimuth < track.high).all()
    assert (np.abs(off) <= track.high - track.azimuth).mean() > 0.8


def test_a_source_that_passes_behind_does_not_jump() -> None:
    path = np.linspace(150.0, 210.0, 2 * RATE)
    track = tracked(encoded(path))
    assert np.abs(track.azimuth).max() <= 180.0
    steps = np.diff(np.degrees(np.unwrap(np.radians(track.azimuth))))
    assert steps.sum() == pytest.approx(57.0, abs=2.0)
    assert np.abs(steps).max() < 6.0


def test_elevation_shows_in_the_flow_and_leaves_azimuth() -> None:
    recording = encoded(60.0, elevation_deg=40.0)
    flow = measure_intensity(recording)
    level = np.hypot(flow.right, flow.ahead)
    assert np.degrees(np.arctan2(flow.up, level)).mean() == pytest.approx(40.0, abs=1.0)
    assert np.median(tracked(recording).azimuth) == pytest.approx(60.0, abs=1.0)


def test_a_plane_wave_is_direct_and_noise_from_everywhere_is_diffuse() -> None:
    assert np.median(measure_intensity(encoded(30.0)).directness) > 0.95
    rng = np.random.default_rng(0)
    scale = np.sqrt([1.0, 1 / 3, 1 / 3, 1 / 3])[:, None]
    field = Recording.from_samples(0.1 * scale * rng.normal(size=(4, 2 * RATE)), RATE)
    assert np.median(measure_intensity(field).directness[:, 5:]) < 0.35
    wide, narrow = tracked(field), tracked(encoded(30.0))
    assert (wide.high - wide.low).mean() > 5.0 * (narrow.high - narrow.low).mean()


def test_the_pair_is_half_the_sum_and_difference_of_omni_and_side() -> None:
    recording = encoded(35.0, noise=0.0)
    middle, side = recording.samples[:2]
    pair = middle_side(recording)
    assert np.allclose(pair.samples, 0.5 * np.stack([middle + side, middle - side]), atol=1e-7)
    assert np.allclose(pair.cut(0.5, 1.0).samples, pair.samples[:, RATE // 2 : 3 * RATE // 2])
    # a source on the right is louder on the right
    assert pair.samples[1].std() > pair.samples[0].std()


def test_frames_do_not_depend_on_the_block_size() -> None:
    recording = encoded(np.linspace(-40.0, 40.0, 2 * RATE))
    whole, parts = measure_intensity(recording), measure_intensity(recording, block_s=0.37)
    for name in ("right", "ahead", "up", "energy", "fresh"):
        assert np.allclose(getattr(whole, name), getattr(parts, name), rtol=1e-3, atol=1e-9), name
    assert len(whole.fresh) == len(extract_features(middle_side(recording)).times_s)


def test_ambix_is_told_from_four_unrelated_channels_and_then_heard_all_around() -> None:
    rng = np.random.default_rng(1)
    apart = Recording.from_samples(0.1 * rng.normal(size=(4, RATE)), RATE)
    assert channel_order(apart) is None
    assert channel_order(encoded(-120.0)).name == "AmbiX"
    cues = extract_cues(encoded(-120.0), label="bus")
    assert cues.capture.format == "foa"
    assert any("first-order ambisonics" in note for note in cues.notes)
    assert np.median(cues.sources[0].azimuth_deg) == pytest.approx(-120.0, abs=1.0)


def test_channels_that_cannot_be_ambix_are_doubted_even_where_they_were_named() -> None:
    rng = np.random.default_rng(3)
    four = Recording.from_samples(0.1 * rng.standard_normal((4, 16_000)).astype(np.float32), 16_000)
    noted = " ".join(extract_cues(four, label="bus", capture="foa").notes)
    assert "do not fit AmbiX" in noted
    right = " ".join(extract_cues(encoded(40.0), label="bus", capture="foa").notes)
    assert "do not fit AmbiX" not in right


def as_fuma(recording: Recording) -> np.ndarray:
    omni, left, up, ahead = recording.samples
    return np.stack([omni / np.sqrt(2.0), ahead, left, up])


@pytest.mark.parametrize("azimuth", [-150.0, -60.0, 0.0, 30.0, 90.0, 180.0])
def test_fuma_is_recognized_and_analyzed_like_ambix(azimuth: float) -> None:
    ambix = encoded(azimuth, elevation_deg=20.0)
    fuma = Recording.from_samples(as_fuma(ambix), RATE)
    assert channel_order(fuma).name == "FuMa"
    assert np.allclose(middle_side(fuma).samples, middle_side(ambix).samples, atol=1e-6)
    cues = extract_cues(fuma, label="bus")
    assert cues.capture.format == "foa" and any("FuMa" in note for note in cues.notes)
    off = np.median(cues.sources[0].azimuth_deg) - azimuth
    assert abs((off + 180.0) % 360.0 - 180.0) < 1.0


def test_two_quiet_channels_are_no_ambisonics() -> None:
    noise = 0.1 * np.random.default_rng(0).normal(size=(4, RATE))
    noise[2:] *= 1e-3
    assert channel_order(Recording.from_samples(noise, RATE)) is None
