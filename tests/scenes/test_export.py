"""Scenes as files: complete, consistent with each other, reproducible."""

import json

import pytest
from PIL import Image

from spa2v_lab.scenes.export import write_scenes
from spa2v_lab.scenes.recordings import recording_info, sounding_recordings
from spa2v_lib.audio import read_audio
from spa2v_lib.errors import OutputError, SceneError
from spa2v_lib.layout.scene_layout import VideoSceneLayout
from spa2v_lib.video import read_video


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    out = tmp_path_factory.mktemp("scenes") / "out"
    return write_scenes(out, count=2, seed=7, duration_s=1.0)


def test_every_scene_has_sound_layout_picture_and_sheet_of_one_length(folder):
    listed = json.loads((folder / "scenes.json").read_text(encoding="utf-8"))
    assert [row["name"] for row in listed["scenes"]] == ["000", "001"]
    for row in listed["scenes"]:
        layout = VideoSceneLayout.load(folder / f"{row['name']}.json")
        video = read_video(folder / f"{row['name']}.mp4")
        sound = read_audio(folder / f"{row['name']}.wav")
        assert layout.duration_s == video.duration_s == sound.duration_s == 1.0
        assert sound.channels == 2 and sound.samples.any()
        assert layout.objects[0].label == row["label"]
        with Image.open(folder / f"{row['name']}.png") as sheet:
            assert sheet.width > 4 * sheet.height
    assert set(listed["files"]) == {path.name for path in folder.iterdir()} - {"scenes.json"}


def test_motions_take_turns_unless_one_is_asked_for(folder, tmp_path):
    listed = json.loads((folder / "scenes.json").read_text(encoding="utf-8"))
    assert len({row["motion"] for row in listed["scenes"]}) == 2
    one = write_scenes(tmp_path / "one", count=1, motion="receding", duration_s=1.0)
    (row,) = json.loads((one / "scenes.json").read_text(encoding="utf-8"))["scenes"]
    assert row["motion"] == "receding"


def test_the_seed_decides_the_scene(folder, tmp_path):
    again = write_scenes(tmp_path / "again", count=1, seed=7, duration_s=1.0)
    for name in ("000.json", "000.png"):
        assert (again / name).read_bytes() == (folder / name).read_bytes()
    sounds = [read_audio(place / "000.wav").samples for place in (again, folder)]
    assert (sounds[0] == sounds[1]).all()


def test_recordings_that_move_by_themselves_are_left_out():
    files = [file for row in sounding_recordings().values() for file in row]
    assert len(files) > 10
    assert not any(recording_info(file).own_motion for file in files)


@pytest.mark.parametrize("wrong", [{"receiver": "wire"}, {"motion": "dancing"}])
def test_unknown_words_are_refused_and_the_known_ones_listed(tmp_path, wrong):
    with pytest.raises(SceneError, match=f"{next(iter(wrong.values()))}.*; one of"):
        write_scenes(tmp_path / "out", **wrong)
    assert not (tmp_path / "out").exists()


def test_other_files_are_not_overwritten(folder):
    with pytest.raises(OutputError, match="already holds files"):
        write_scenes(folder, count=1)
