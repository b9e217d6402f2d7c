"""The benchmark's clips: the paper's proportions, recordings kept apart, a card that is true."""

from __future__ import annotations

import json
from collections import Counter
from itertools import islice

import numpy as np
import pytest

from spa2v_lab.scenes import benchmark
from spa2v_lab.scenes.benchmark import (
    MOVES,
    SCENE_TYPES,
    SIDES,
    draw,
    exemplar_pool,
    shared_classes,
    test_recordings,
    turns,
)
from spa2v_lab.scenes.benchmark_card import card, write_benchmark
from spa2v_lab.scenes.recordings import recording_info
from spa2v_lib.audio import read_audio
from spa2v_lib.layout.captions import position_phrase
from spa2v_lib.layout.classes import CLASSES
from spa2v_lib.layout.scene_layout import VideoSceneLayout
from spa2v_lib.planning.exemplars import load_exemplars
from spa2v_lib.video import read_video

test_recordings.__test__ = False  # a function of the library, whatever its name

CLIPS = [draw(0, number) for number in range(120)]


def test_turns_by_hand():
    assert list(islice(turns({"a": 2, "b": 1}), 6)) == ["a", "b", "a", "a", "b", "a"]


@pytest.mark.parametrize("weights", [SCENE_TYPES, SIDES, MOVES])
def test_every_beginning_has_the_right_proportions_to_within_one(weights):
    counts, total = Counter(), sum(weights.values())
    for number, name in enumerate(islice(turns(weights), 300), 1):
        counts[name] += 1
        assert all(abs(counts[n] - number * w / total) <= 1.0 for n, w in weights.items())


def test_types_and_motions_of_clips_are_as_in_the_paper():
    types = Counter(clip.scene_type for clip in CLIPS)
    assert all(
        abs(types[k] / len(CLIPS) - n / sum(SCENE_TYPES.values())) < 0.01
        for k, n in SCENE_TYPES.items()
    )
    for clip in CLIPS:
        moving = [motion != "stationary" for motion in clip.plan.motions]
        assert all(moving) if clip.scene_type.startswith("translational") else not any(moving)
        assert (len(moving) > 1) == clip.scene_type.endswith("multiple")


def test_objects_stand_where_the_plan_says_and_move_as_it_says():
    for clip in CLIPS:
        for obj, side, motion in zip(
            clip.scene.objects, clip.plan.sides, clip.plan.motions, strict=True
        ):
            assert obj.motion == motion
            if side is not None:
                box = obj.box(clip.scene.camera, 0.0)
                assert position_phrase(box.center[0]).endswith(side)


def test_a_clip_has_sixteen_frames_and_each_class_once():
    for clip in CLIPS:
        assert clip.ground_truth.frame_count == 16
        labels = [obj.label for obj in clip.scene.objects]
        assert len(set(labels)) == len(labels)


def test_instruments_stand_in_rooms_that_no_exemplar_has():
    for clip in CLIPS:
        held = {CLASSES[obj.label].place == "held" for obj in clip.scene.objects}
        assert held == {clip.scene.rt60_s > 0}
        assert not 0.26 < clip.scene.rt60_s < 0.34
    assert any(clip.scene.rt60_s > 0 for clip in CLIPS)


def test_no_recording_of_a_clip_is_in_an_exemplar_that_may_be_shown_for_it():
    pool, shared = exemplar_pool(), shared_classes()
    assert 40 <= len(pool) < len(load_exemplars())
    in_pool = {file for exemplar in pool for file in exemplar.recordings}
    for label, files in test_recordings().items():
        assert label in shared or not in_pool & set(files)
    used = {file for clip in CLIPS for file in clip.recordings}
    assert used <= {file for files in test_recordings().values() for file in files}


def test_recordings_that_change_their_level_by_themselves_are_left_out():
    used = {file for clip in CLIPS for file in clip.recordings}
    assert all(recording_info(file).serves_motion_truth for file in used)


def test_objects_arrive_about_equally_loud():
    for clip in CLIPS:
        arriving = [
            obj.gain_db - 20 * np.log10(np.hypot(*obj.position(np.linspace(0, 4, 9)).T).min())
            for obj in clip.scene.objects
        ]
        assert max(arriving) - min(arriving) <= 6.0


def test_the_seed_decides_the_clip():
    again, other = draw(0, 5), draw(1, 5)
    assert again == CLIPS[5] and other.scene != CLIPS[5].scene
    assert other.plan == CLIPS[5].plan  # proportions are those of the number


def test_the_card_counts_what_is_there():
    text = card(CLIPS, 0)
    singles = sum(clip.scene_type == "stationary, single" for clip in CLIPS)
    assert f"| stationary, single | {singles} | {singles / len(CLIPS):.1%} | 37.1% |" in text
    assert all(label in text for label in shared_classes())
    assert "What it cannot measure" in text


def test_written_clips_have_sound_truth_and_reference(tmp_path):
    folder = write_benchmark(tmp_path / "clips", count=2, seed=3)
    listed = json.loads((folder / "scenes.json").read_text(encoding="utf-8"))
    assert [row["scene_type"] for row in listed["scenes"]] == [
        draw(3, n).scene_type for n in range(2)
    ]
    for name in ("000", "001"):
        truth = VideoSceneLayout.load(folder / f"{name}.json")
        assert truth == draw(3, int(name)).ground_truth
        video, sound = read_video(folder / f"{name}.mp4"), read_audio(folder / f"{name}.wav")
        assert len(video.frames) == 16 and sound.duration_s == pytest.approx(benchmark.SECONDS)
        assert np.abs(sound.samples).max() > 0.1
    assert (folder / "manifest.csv").read_text().splitlines()[1] == "000.wav,000.json"
    assert set(listed["files"]) == {path.name for path in folder.iterdir()} - {"scenes.json"}
