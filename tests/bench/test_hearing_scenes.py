"""The scenes for tuning and testing: disjoint, balanced, and with a ground truth that holds."""

from collections import Counter

import numpy as np
import pytest

from spa2v_lab.bench.hearing_scenes import (
    CAPTURE_ORDER,
    ROOMS,
    SCENE_TYPES,
    recordings_of,
    single_recording_classes,
    test_scenes,
    tuning_scenes,
)
from spa2v_lab.bench.hearing_truth import STEADY_PITCH, ground_truths, image_position_deg
from spa2v_lab.scenes.recordings import recordings_table
from spa2v_lab.scenes.scene import Scene, StraightPath, WorldObject
from spa2v_lib.layout.camera import Camera

TIMES = np.arange(30) * 0.1 + 0.05
ROUND = len(CAPTURE_ORDER) * len(SCENE_TYPES) * len(ROOMS)


def scene_of(path: StraightPath, motion: str, recording: str = "helicopter_01.flac") -> Scene:
    obj = WorldObject("helicopter", "noto", path, motion, 1.0, 1.0, 1.0, recording)
    return Scene((obj,), "meadow", Camera(90.0, 1.0, 1.5, 0.0), 3.0, 0)


def test_a_class_with_several_recordings_is_never_tuned_and_tested_on_the_same_one():
    tuning, test = ({i.file: i.label for i in recordings_of(s)} for s in ("tuning", "test"))
    shared = {tuning[file] for file in tuning.keys() & test.keys()}
    assert shared == set(single_recording_classes())
    usable = {i.file for i in recordings_table() if i.serves_motion_truth}
    assert tuning.keys() | test.keys() == usable
    assert set(tuning.values()) == set(test.values())


def test_scenes_play_only_their_own_sets_recordings():
    for scenes, split in ((tuning_scenes, "tuning"), (test_scenes, "test")):
        allowed = {info.file for info in recordings_of(split)}
        played = {obj.recording for s in scenes(ROUND) for obj in s.scene.objects}
        assert played <= allowed and len(played) > 0.8 * len(allowed)


def test_rooms_and_paths_of_the_two_sets_differ():
    tuning, test = tuning_scenes(40), test_scenes(40)
    assert {s.scene.rt60_s for s in test} == {0.0, 0.3, 0.6}
    assert not {s.scene.rt60_s for s in tuning} & {0.3, 0.6}
    starts = [{o.path.start for s in scenes for o in s.scene.objects} for scenes in (tuning, test)]
    assert not starts[0] & starts[1]


def test_a_full_turn_holds_every_capture_room_and_kind_equally_often():
    cells = Counter((s.capture, s.motions, s.number % len(ROOMS)) for s in test_scenes(ROUND))
    assert len(cells) == ROUND and set(cells.values()) == {1}
    pairs = Counter((s.capture, s.snr_db) for s in test_scenes(660))
    assert {snr for _, snr in pairs} == {30, 20, 10}
    assert len(pairs) == 3 * len(CAPTURE_ORDER) and min(pairs.values()) >= 20


def test_the_same_seed_gives_the_same_scenes_and_another_seed_others():
    assert test_scenes(5, seed=3) == test_scenes(5, seed=3)
    assert test_scenes(5, seed=3)[0].scene != test_scenes(5, seed=4)[0].scene
    assert test_scenes(9)[:5] == test_scenes(5)


def test_sources_of_a_scene_are_of_different_classes_and_standing_ones_stand_apart():
    for item in test_scenes(ROUND):
        labels = [obj.label for obj in item.scene.objects]
        assert len(set(labels)) == len(labels) == len(item.motions)
        still = [t.azimuth_deg[0] for t in item.ground_truths(TIMES) if t.motion == "stationary"]
        if len(still) > 1:
            assert min(np.diff(sorted(still))) >= 0.4 * 40.0


def test_the_motion_is_what_the_truth_shows():
    for item in test_scenes(ROUND):
        for ground_truth in item.ground_truths(TIMES):
            sweep = ground_truth.azimuth_deg[-1] - ground_truth.azimuth_deg[0]
            nearer = ground_truth.range_m[-1] < ground_truth.range_m[0]
            if ground_truth.motion == "stationary":
                assert sweep == 0 and np.ptp(ground_truth.range_m) == 0
            elif ground_truth.motion in ("approaching", "receding"):
                assert abs(sweep) < 1e-6 and nearer == (ground_truth.motion == "approaching")
            else:
                assert (sweep > 10) if ground_truth.motion == "right_crossing" else (sweep < -10)
                assert 0 < ground_truth.closest_s < item.scene.duration_s


def test_a_pass_by_is_outdoors_fast_and_of_steady_pitch():
    passing = [s for s in test_scenes(ROUND) if s.motions == ("pass_by",)]
    assert len(passing) == ROUND // len(SCENE_TYPES)
    for item in passing:
        (ground_truth,) = item.ground_truths(TIMES)
        assert (
            item.scene.rt60_s == 0
            and ground_truth.recording in STEADY_PITCH
            and ground_truth.has_doppler
        )


def test_the_truth_is_that_of_the_moment_when_the_sound_left():
    # 34.3 m away the sound takes 0.1 s: what is heard at 1.05 s left at 0.95 s.
    (ground_truth,) = ground_truths(
        scene_of(StraightPath((-34.3, 34.3), (34.3, 0.0)), "right_crossing"), TIMES
    )
    assert ground_truth.closest_s == pytest.approx(1.0 + 0.1)
    assert ground_truth.azimuth_deg[10] == pytest.approx(-np.degrees(np.arctan(0.05)), abs=0.02)
    assert ground_truth.speed_over_distance == pytest.approx(1.0)
    assert ground_truth.range_m[10] == pytest.approx(34.3 * np.hypot(1, 0.05), rel=1e-3)


def test_a_recordings_pauses_do_not_count_as_sounding():
    # The horn lasts 0.67 s and pauses for 0.5 s.
    near = StraightPath((0.0, 1.0))
    (horn,) = ground_truths(scene_of(near, "stationary", "car_horn_01.flac"), TIMES)
    assert horn.sounding[2:6].all() and not horn.sounding[8:11].any()
    (rotor,) = ground_truths(scene_of(near, "stationary"), TIMES)
    assert rotor.sounding.all()


def test_the_image_of_an_xy_recording_follows_from_its_cardioids():
    # At 45° the gains are 1 and ½: (1 − ½) / (1 + ½) = 1/3 of the path to a loudspeaker at 45°.
    found = image_position_deg("xy", np.array([0.0, 45.0, -45.0]))
    assert found == pytest.approx([0.0, np.degrees(np.arctan(1 / 3)), -18.435], abs=1e-3)
    assert image_position_deg("panned", np.array([20.0])) == pytest.approx([20.0])
