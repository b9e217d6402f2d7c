"""Baselines and external renders: their signs and sizes, held to geometry and to each other."""

import numpy as np
import pytest

from spa2v_lab.bench import hearing_baselines as baselines
from spa2v_lab.bench.hearing_codecs import CODECS, codec_scenes, through_codec
from spa2v_lab.bench.hearing_renderers import external_scenes, has_kemar
from spa2v_lab.bench.hearing_scores import score_azimuths
from spa2v_lib.audio.recording import Recording

RATE = 44_100
TIMES = np.arange(5) * 0.1 + 0.15


def pair(lead_s: float = 0.0, right_over_left_db: float = 0.0) -> Recording:
    """Noise whose right channel is early by `lead_s` and louder."""
    rng = np.random.default_rng(0)
    spectrum = np.fft.rfft(rng.standard_normal(RATE))
    late = np.exp(-2j * np.pi * np.fft.rfftfreq(RATE, 1 / RATE) * lead_s)
    left, right = np.fft.irfft(spectrum * late), np.fft.irfft(spectrum)
    return Recording.from_samples(
        0.05 * np.stack([left, right * 10 ** (right_over_left_db / 20)]), RATE
    )


@pytest.mark.parametrize(("method", "within"), [("GCC-PHAT", 0.5), ("SRP-PHAT", 1.5), ("MUSIC", 3)])
@pytest.mark.parametrize("azimuth", [-40.0, 25.0])
def test_methods_of_delay_find_a_plane_wave_on_a_spaced_pair(method, within, azimuth):
    lead_s = 0.5 * np.sin(np.radians(azimuth)) / 343.0
    found = baselines.estimate(method, pair(lead_s), "ab", TIMES, 1)
    assert found.shape == (1, len(TIMES))
    assert np.abs(found - azimuth).max() <= within


def test_the_raw_level_difference_is_read_through_the_formats_own_gains():
    # At 45° an XY pair has gains 1 and ½: 6.02 dB.
    found = baselines.estimate("raw ILD", pair(right_over_left_db=6.02), "xy", TIMES, 1)
    assert found == pytest.approx(np.full((1, len(TIMES)), 45.0), abs=0.1)
    mirrored = baselines.estimate("raw ILD", pair(right_over_left_db=-6.02), "xy", TIMES, 1)
    assert mirrored == pytest.approx(-found, abs=0.1)


def test_the_raw_level_difference_of_ambisonics_is_that_of_cardioids_to_the_sides():
    # Y is positive left: from 30° right, Y = −½ W; cardioids hear ½ and 1½.
    w = 0.1 * np.random.default_rng(1).standard_normal(RATE)
    recording = Recording.from_samples(np.stack([w, -0.5 * w, 0 * w, 0.866 * w]), RATE)
    found = baselines.estimate("raw ILD", recording, "foa", TIMES, 1)
    assert found == pytest.approx(np.full((1, len(TIMES)), 30.0), abs=0.2)


def test_a_method_says_nothing_where_its_cue_does_not_exist():
    assert baselines.estimate("raw ILD", pair(), "ab", TIMES, 1) is None
    for method in ("GCC-PHAT", "SRP-PHAT", "MUSIC"):
        assert baselines.estimate(method, pair(), "xy", TIMES, 1) is None


def median_error(item, method: str) -> float:
    recording = item.rendered()
    times = np.arange(round(10 * recording.duration_s)) * 0.1 + 0.05
    ground_truths = item.ground_truths(times)
    found = baselines.estimate(method, recording, item.capture, times, 1)
    return float(np.median(score_azimuths(ground_truths, found)["azimuth"]))


def alone(renderer: str, **wanted: str) -> list:
    """Scenes of one source, by room, capture format or motion."""
    drawn = external_scenes(renderer, 120)
    return [
        scene
        for scene in drawn
        if len(scene.motions) == 1
        and all(getattr(scene, name) == value for name, value in wanted.items())
    ]


@pytest.mark.skipif(not has_kemar(), reason="slab is not installed")
def test_measured_heads_have_our_sign_and_move_as_their_truth_says():
    scenes = alone("KEMAR")[:6]
    assert {"left_crossing", "stationary"} < {scene.motions[0] for scene in scenes}
    assert max(median_error(item, "GCC-PHAT") for item in scenes) < 15.0  # a sphere is no head


@pytest.mark.parametrize(
    ("capture", "method", "within"),
    [("xy", "raw ILD", 6.0), ("ortf", "GCC-PHAT", 6.0), ("ab", "GCC-PHAT", 2.0)],
)
def test_pairs_of_pyroomacoustics_have_our_sign_and_move(capture, method, within):
    scenes = alone("pyroomacoustics", capture=capture, room="anechoic")
    usual = [scene for scene in scenes if scene.spacing_m is None]
    assert len(usual) >= 2
    assert max(median_error(item, method) for item in usual[:2]) < within


def test_a_moving_source_in_a_room_of_pyroomacoustics_arrives_as_one_that_stands_there():
    """Followed images and faded responses together are the room's own response."""
    from dataclasses import replace

    from spa2v_lab.scenes.scene import StraightPath

    (item, *_) = alone("pyroomacoustics", motions=("stationary",), room="RT60 0.3 s")
    (obj,) = item.scene.objects

    def with_speed(metres_per_second: float) -> np.ndarray:
        path = StraightPath(obj.path.start, (metres_per_second, 0.0))
        scene = replace(item.scene, objects=(replace(obj, path=path),))
        return replace(item, scene=scene).rendered().samples

    still, creeping = with_speed(0.0), with_speed(1e-6)
    off = np.sum((still - creeping) ** 2) / np.sum(still**2)
    assert off < 0.03


@pytest.mark.parametrize("renderer", ["KEMAR", "pyroomacoustics"])
def test_external_scenes_are_those_of_the_benchmark_with_the_formats_that_there_are(renderer):
    scenes = external_scenes(renderer, 44)
    assert {len(scene.motions) for scene in scenes} == {1, 2, 3}
    assert {scene.snr_db for scene in scenes} == {20}
    if renderer == "KEMAR":
        assert {(scene.capture, scene.room) for scene in scenes} == {("binaural", "anechoic")}
    else:
        assert {scene.capture for scene in scenes} == {"xy", "ms", "ortf", "ab"}
        assert {s.spacing_m for s in scenes if s.capture == "ab"} == {None, 0.17}


@pytest.mark.parametrize("codec", CODECS)
def test_a_codec_keeps_length_and_level_difference(codec):
    noise = np.random.default_rng(0).standard_normal((1, 44_100))
    panned = Recording.from_samples(np.concatenate([0.1 * noise, 0.2 * noise]), 44_100)
    decoded = through_codec(panned, codec)
    assert decoded.duration_s == pytest.approx(1.0, abs=0.06)
    left, right = np.sqrt(np.mean(decoded.samples**2, axis=1))
    # At 64 kbit/s, MP3 moves noise towards the middle by several dB: that is what is measured.
    least = 1.0 if codec == "MP3 64" else 5.0
    assert least < 20 * np.log10(right / left) < 7.0


def test_codecs_take_turns_on_test_scenes_of_one_source():
    scenes = codec_scenes(8)
    assert [scene.renderer for scene in scenes] == [*CODECS, *CODECS]
    assert {(len(scene.motions), scene.snr_db) for scene in scenes} == {(1, 20)}
    assert len({scene.number for scene in scenes}) == 8
