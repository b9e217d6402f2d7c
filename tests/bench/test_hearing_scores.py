"""Scores of hearing: held to values worked out by hand."""

import numpy as np
import pytest

from spa2v_lab.bench.hearing_goals import pooled
from spa2v_lab.bench.hearing_scores import (
    MISSED_DEG,
    NO_CLOSEST_MS,
    GroundTruth,
    circular_error_deg,
    matched,
    score_azimuths,
    score_cues,
    score_unknown_format,
)
from spa2v_lib.cues import CaptureGuess, PassBy, Range, SourceTrack, SpatialCues

FRAMES = 4


def ground_truth(azimuth=0.0, motion="stationary", **changes) -> GroundTruth:
    values = {
        "label": "train",
        "recording": "train_diesel_01.flac",
        "motion": motion,
        "azimuth_deg": np.full(FRAMES, azimuth) if np.isscalar(azimuth) else np.array(azimuth),
        "range_m": np.full(FRAMES, 2.0),
        "sounding": np.ones(FRAMES, bool),
        "closest_s": None,
        "speed_m_s": 0.0,
        "distance_m": 2.0,
    }
    return GroundTruth(**(values | changes))


def track(azimuth=0.0, half=3.0, **changes) -> SourceTrack:
    rows = np.full(FRAMES, azimuth) if np.isscalar(azimuth) else np.array(azimuth)
    values = {
        "id": "source-1",
        "label": None,
        "label_source": "none",
        "label_confidence": 0.0,
        "label_alternatives": [],
        "azimuth_deg": rows.tolist(),
        "azimuth_low_deg": (rows - half).tolist(),
        "azimuth_high_deg": (rows + half).tolist(),
        "level_db": [-20.0] * FRAMES,
        "active": [True] * FRAMES,
        "motion": "stationary",
        "motion_confidence": 1.0,
        "motion_scores": {"stationary": 1.0},
        "azimuth_start_deg": float(rows[0]),
        "azimuth_end_deg": float(rows[-1]),
        "level_change_db": 0.0,
        "relative_range": [1.0] * FRAMES,
        "relative_range_low": [1.0] * FRAMES,
        "relative_range_high": [1.2] * FRAMES,
        "closest_s": None,
        "pitch_hz": [None] * FRAMES,
        "pass_by": None,
    }
    return SourceTrack(**(values | changes))


def cues(*tracks: SourceTrack, low=1, high=1) -> SpatialCues:
    return SpatialCues(
        recording="scene",
        duration_s=0.4,
        rate=44_100,
        channels=2,
        times_s=[0.05, 0.15, 0.25, 0.35],
        capture=CaptureGuess(format="xy", confidence=1.0, note=""),
        ild_db=[None] * FRAMES,
        itd_s=[None] * FRAMES,
        coherence=[None] * FRAMES,
        level_db=[-20.0] * FRAMES,
        sources=list(tracks),
        count_low=low,
        count_high=high,
        notes=[],
    )


def test_errors_go_the_short_way_round():
    assert circular_error_deg(np.array([170.0, -5.0]), np.array([-170.0, 5.0])).tolist() == [20, 10]


def test_only_sounding_frames_with_a_claim_count_as_errors_and_the_rest_as_not_heard():
    there = ground_truth(10.0, sounding=np.array([True, True, True, False]))
    said = track([12.0, 10.0, 50.0, 90.0], active=[True, True, False, True])
    scores = score_cues([there], cues(said))
    assert scores["azimuth"].tolist() == [2.0, 0.0]
    assert scores["claimed"].tolist() == [1, 1, 0]


def test_sources_are_matched_by_the_permutation_of_least_error():
    # Greedily the first source would take +8, its nearest, and leave 42° to the second.
    first, second = ground_truth(0.0), ground_truth(20.0)
    estimates = [np.full(FRAMES, 8.0), np.full(FRAMES, -22.0)]
    assert matched([first, second], estimates) == [1, 0]
    assert matched([first, second], estimates[:1]) == [0, None]
    assert matched([first], []) == [None]


def test_a_missed_source_is_wrong_by_ninety_degrees_in_all_its_frames():
    scores = score_cues([ground_truth(-30.0), ground_truth(30.0)], cues(track(29.0)))
    assert sorted(scores["azimuth"]) == [1.0] * FRAMES + [MISSED_DEG] * FRAMES
    assert scores["count"].tolist() == [0] and scores["count coverage"].tolist() == [0]
    assert scores["side"].mean() == 0.5 and scores["claimed"].mean() == 0.5


def test_of_several_tracks_for_one_source_the_loudest_is_judged():
    scores = score_cues([ground_truth(10.0)], cues(track(-40.0), track(10.0), low=1, high=2))
    assert scores["azimuth"].tolist() == [50.0] * FRAMES
    assert scores["count"].tolist() == [0] and scores["count coverage"].tolist() == [1]


def test_sides_have_borders_at_ten_degrees_and_truths_near_a_border_do_not_count():
    there = ground_truth([0.0, 8.0, 16.0, -16.0])
    scores = score_cues([there], cues(track([9.0, 40.0, 9.0, -12.0])))
    assert scores["side"].tolist() == [1, 0, 1]


def test_a_direction_behind_has_the_side_of_its_mirror_image_ahead():
    scores = score_cues([ground_truth(170.0 - 30.0)], cues(track(40.0)))
    assert scores["side"].all() and scores["azimuth"].tolist() == [100.0] * FRAMES


def test_motion_is_judged_by_what_the_source_did():
    def judged(motion, said, **changes):
        return score_cues([ground_truth(motion=motion, **changes)], cues(track(motion=said)))

    assert judged("stationary", "approaching")["false motion"].tolist() == [1]
    assert judged("receding", "receding")["radial"].tolist() == [1]
    sweep = {"azimuth": [-20.0, -10.0, 10.0, 20.0], "closest_s": 0.2, "speed_m_s": 2.0}
    assert judged("right_crossing", "left_crossing", **sweep)["crossing"].tolist() == [0]
    assert judged("stationary", "stationary")["standing"].tolist() == [1]
    assert judged("receding", "approaching")["radial claimed"].tolist() == [0]
    assert "radial claimed" not in judged("receding", "stationary")
    short = sweep | {"azimuth": [-4.0, -2.0, 2.0, 4.0]}
    assert "crossing" not in judged("right_crossing", "stationary", **short)


def test_only_motion_of_high_confidence_counts_as_sure():
    def judged(said, confidence):
        one = track(motion=said, motion_confidence=confidence)
        return score_cues([ground_truth(motion="stationary")], cues(one))

    assert judged("approaching", 0.95)["sure motion"].tolist() == [0]
    assert "sure motion" not in judged("approaching", 0.8)
    assert "sure motion" not in judged("stationary", 0.95)


def passing(**changes) -> PassBy:
    values = {
        "closest_s": Range(value=0.23, low=0.1, high=0.3),
        "speed_over_distance": Range(value=2.2, low=2.0, high=2.5),
        "speed_m_s": Range(value=4.2, low=3.0, high=5.0),
        "distance_m": Range(value=2.0, low=1.0, high=3.0),
        "heading_deg": 90.0,
        "evidence": "azimuth, level and Doppler",
    }
    return PassBy(**(values | changes))


CROSSING = ground_truth([-40.0, -10.0, 10.0, 40.0], "right_crossing", closest_s=0.2, speed_m_s=4.0)


def test_a_pass_by_is_compared_with_closest_time_rate_and_speed():
    scores = score_cues([CROSSING], cues(track(pass_by=passing(), motion="right_crossing")))
    assert scores["closest"] == pytest.approx([30.0])
    assert scores["v/d"] == pytest.approx([10.0])
    assert scores["speed"] == pytest.approx([5.0])


def test_what_is_not_claimed_of_a_pass_by_counts_as_wrong():
    scores = score_cues([CROSSING], cues(track()))
    assert scores["closest"].tolist() == [NO_CLOSEST_MS]
    assert scores["v/d"].tolist() == scores["speed"].tolist() == [100.0]
    without = score_cues([CROSSING], cues(track(pass_by=passing(speed_m_s=None))))
    assert without["speed"].tolist() == [100.0] and without["v/d"] == pytest.approx([10.0])


def test_speed_is_asked_only_where_pitch_is_steady_and_the_source_fast():
    from dataclasses import replace

    unsteady = replace(CROSSING, recording="lion_01.flac")
    slow = replace(CROSSING, speed_m_s=1.0)
    for there in (unsteady, slow):
        assert "speed" not in score_cues([there], cues(track(pass_by=passing())))


def test_intervals_hold_the_truth_or_do_not():
    there = ground_truth([0.0, 5.0, -2.0, 3.0], range_m=np.array([2.0, 2.2, 2.6, 2.0]))
    scores = score_cues([there], cues(track(0.0, half=3.0)))
    assert scores["azimuth coverage"].tolist() == [1, 0, 1, 1]
    assert scores["range coverage"].tolist() == [1, 1, 0, 1]  # 1, 1.1, 1.3, 1 within [1, 1.2]


def test_an_interval_may_reach_over_the_half_circle():
    said = track(175.0, azimuth_low_deg=[165.0] * FRAMES, azimuth_high_deg=[180.0] * FRAMES)
    assert not score_cues([ground_truth(-175.0)], cues(said))["azimuth coverage"].any()
    assert score_cues([ground_truth(170.0)], cues(said))["azimuth coverage"].all()


def test_an_unknown_format_is_held_to_the_image_position_and_the_true_direction():
    # XY at 45° stands at 18.4° between loudspeakers: a reader of images is right to say so.
    said = track(18.435, half=30.0)
    scores = score_unknown_format([ground_truth(45.0)], cues(said), "xy")
    assert scores["image"] == pytest.approx([0.0] * FRAMES, abs=1e-3)
    assert scores["direction coverage"].all()
    assert "image" not in score_unknown_format([ground_truth(45.0)], cues(said), "ortf")


def test_directions_without_identity_are_matched_anew_in_every_frame():
    both = np.array([[20.0, -20.0, 20.0, 20.0], [-20.0, 20.0, np.nan, -20.0]])
    scores = score_azimuths([ground_truth(-20.0), ground_truth(20.0)], both)
    assert sorted(scores["azimuth"]) == [0.0] * 7 + [MISSED_DEG]


def test_pooled_numbers_are_those_of_all_values_and_the_interval_is_over_scenes():
    scenes = [{"x": np.array([1.0, 2.0, 3.0])}, {"x": np.array([10.0])}, {"y": np.array([5.0])}]
    assert pooled(scenes, "x", "median").mean == 2.0
    assert pooled(scenes, "x", "p95").mean == 10.0
    scores = pooled([{"x": np.ones(3)}, {"x": np.zeros(1)}], "x", "percent")
    assert (scores.mean, scores.low, scores.high, scores.count) == (75.0, 0.0, 100.0, 2)
    assert pooled(scenes, "z", "median").mean is None
