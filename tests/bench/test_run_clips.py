"""One's own clips: refused before work starts, scored against annotation or a filmed reference."""

from __future__ import annotations

import numpy as np
import pytest

from spa2v_lab.bench import run_clips
from spa2v_lab.bench.frame import run_benchmark
from spa2v_lab.scenes.benchmark_card import write_benchmark
from spa2v_lib.errors import BatchError, DataError, OutputError
from spa2v_lib.sampling.detection import Detection


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    return write_benchmark(tmp_path_factory.mktemp("own") / "clips", count=2, seed=0)


def manifest(folder, *lines, header="recording,layout,video,label,capture"):
    path = folder / "own.csv"
    path.write_text("\n".join([header, *lines]) + "\n", encoding="utf-8")
    return path


def test_annotated_clips_are_scored_by_every_method(clips, tmp_path):
    results = run_benchmark("run", tmp_path / "out", clips=clips / "manifest.csv")
    scores = {row.method: row.measures["MaxIoU"].mean for row in results.rows}
    assert scores["layouts: ground truth"] == pytest.approx(1.0)
    assert scores["layouts: full"] > scores["layouts: full, mirrored"]
    assert all(row.condition == "own clips" and row.count == 2 for row in results.rows)


def test_a_reference_video_is_looked_at_by_a_detector(clips, tmp_path, monkeypatch):
    class Sees:
        def detect(self, frames, labels):
            box = run_clips.VideoSceneLayout.load(clips / "001.json").objects[0].boxes[-1]
            return [[Detection(labels[0], 0.9, box)] for _ in frames]

    monkeypatch.setattr(run_clips, "chosen_detector", Sees)
    path = manifest(clips, "001.wav,,001.mp4,bus,xy")
    results = run_benchmark("run", tmp_path / "out", clips=path)
    (row,) = [r for r in results.rows if r.method == "layouts: reference video"]
    assert 0.0 <= row.measures["Spatial AV-Align"].mean <= 1.0


@pytest.mark.parametrize(
    "line, said",
    [
        ("000.wav,,,,", "either a layout or a video"),
        ("000.wav,000.json,000.mp4,drum,", "either a layout or a video"),
        ("000.wav,,000.mp4,,", "a video needs a label"),
        ("000.wav,nowhere.json,,,", "no such file: layout 'nowhere.json'"),
    ],
)
def test_a_line_without_ground_truth_is_refused_before_anything_is_analyzed(
    clips, tmp_path, monkeypatch, line, said
):
    monkeypatch.setattr(run_clips, "measured_clip", lambda *a: pytest.fail("measured"))
    with pytest.raises(BatchError, match=said):
        run_benchmark("run", tmp_path / "out", clips=manifest(clips, line))
    assert not (tmp_path / "out").exists()


def test_a_layout_of_another_length_is_refused(clips, tmp_path):
    short = run_clips.read_audio(clips / "000.wav").samples[:, :44_100]
    run_clips.Recording.from_samples(np.array(short), 44_100).save(clips / "short.wav")
    with pytest.raises(BatchError, match="lasts 4.00 s and its sound 1.00 s"):
        run_benchmark("run", tmp_path / "out", clips=manifest(clips, "short.wav,000.json,,,"))


def test_other_clips_in_the_same_folder_are_refused(clips, tmp_path):
    run_benchmark("run", tmp_path / "out", clips=manifest(clips, "001.wav,001.json,,,"))
    with pytest.raises(OutputError, match="measured with another files, clips"):
        run_benchmark("run", tmp_path / "out", clips=manifest(clips, "000.wav,000.json,,,"))


def test_weights_are_looked_for_where_the_environment_says(tmp_path, monkeypatch):
    monkeypatch.setenv(run_clips.DETECTOR_VARIABLE, str(tmp_path / "none"))
    with pytest.raises(DataError, match="no detector's weights"):
        run_clips.chosen_detector()
