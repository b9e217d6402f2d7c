"""Runs once more: the same from run.json, what differs, and other parameters."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest

from spa2v_lib import runs, sampling
from spa2v_lib.audio.recording import Recording
from spa2v_lib.errors import LayoutError, RunError, SamplingError, SettingsError
from spa2v_lib.layout.scene_layout import VideoSceneLayout
from spa2v_lib.video import Video

RATE = 16_000


@pytest.fixture
def drawn(monkeypatch):
    """Sampling gives random frames of the right number and size, by the seed alone."""

    def generate(layout, preset, seed, *, on_stage, **options):
        shape = (layout.frame_count, 64, 64, 3)
        frames = np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)
        return Video(frames, layout.fps, layout)

    monkeypatch.setattr(sampling, "generate", generate)
    monkeypatch.setattr(sampling, "weight_hashes", lambda preset: {"unet": "0" * 64})


@pytest.fixture
def run(tmp_path, drawn):
    """A run of one second of noise on the right, beside its recording."""
    noise = 0.1 * np.random.default_rng(0).standard_normal(RATE)
    samples = np.stack([0.4 * noise, noise])
    audio = Recording.from_samples(samples, RATE).save(tmp_path / "right.wav")
    return runs.generate_run(audio, tmp_path / "run", label="car", seed=3)


def change(run, **fields):
    path = run / "run.json"
    record = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**record, **fields}), encoding="utf-8")


def test_a_run_that_nothing_happened_to_comes_out_the_same(run):
    before = sorted((path.name, path.stat().st_mtime_ns) for path in run.iterdir())
    found = runs.verify(run)
    assert found.reproduced and found.differences == []
    assert sorted((path.name, path.stat().st_mtime_ns) for path in run.iterdir()) == before


def test_other_weights_versions_and_code_are_named_though_the_frames_are_the_same(run):
    record = runs.read_record(run)
    made = {**record["environment"], "python": "3.0.1"}
    change(run, weights={"unet": "1" * 64}, environment=made, code="older")
    found = runs.verify(run)
    named = {(one.category, one.name) for one in found.differences}
    assert {("weights", "unet"), ("version", "python"), ("version", "code")} <= named
    assert found.reproduced


def test_other_frames_and_changed_files_are_told(run, monkeypatch):
    monkeypatch.setattr(np.random, "default_rng", lambda seed: np.random.Generator(_bits(seed)))
    (run / "report.html").write_text("edited")
    (run / "video.mp4").unlink()
    found = runs.verify(run)
    named = {(one.category, one.name) for one in found.differences}
    assert {("file", "report.html"), ("file", "video.mp4"), ("result", "frames")} <= named
    assert not found.reproduced


def _bits(seed):
    return np.random.PCG64(seed + 1)


def test_another_recording_is_told_and_one_that_is_missing_is_asked_for(run, tmp_path):
    audio = tmp_path / "right.wav"
    noise = 0.1 * np.random.default_rng(1).standard_normal((2, RATE))
    other = Recording.from_samples(noise, RATE).save(tmp_path / "other.wav")
    found = runs.verify(run, recording=other)
    assert [one.category for one in found.differences if one.category == "input"] == ["input"]
    shutil.copy(other, audio)  # the name alone is not enough
    with pytest.raises(RunError, match="right.wav with SHA-256 .*--recording"):
        runs.verify(run)
    with pytest.raises(RunError, match="no recording .*gone.wav"):
        runs.verify(run, recording=tmp_path / "gone.wav")


def test_a_given_layout_is_drawn_again(run, tmp_path):
    edited = VideoSceneLayout.load(run / "layout.json").mirrored()
    path = edited.save(tmp_path / "edited.json")
    second = runs.generate_run(tmp_path / "right.wav", tmp_path / "b", layout=path)
    path.unlink()
    assert runs.verify(second).reproduced
    third = runs.rerun(second, tmp_path / "c", seed=8)
    assert VideoSceneLayout.load(third / "layout.json") == edited


@pytest.mark.parametrize(
    "change", [{"label": "car"}, {"placement": "model"}, {"exemplars": "none"}, {"shots": 0}]
)
def test_a_given_layout_is_left_when_what_decides_a_plan_changes(run, tmp_path, change):
    path = VideoSceneLayout.load(run / "layout.json").mirrored().save(tmp_path / "edited.json")
    drawn = runs.generate_run(tmp_path / "right.wav", tmp_path / "b", layout=path, label="car")
    again = runs.rerun(drawn, tmp_path / "c", **change)
    assert VideoSceneLayout.load(again / "layout.json") != VideoSceneLayout.load(path)
    assert not runs.read_record(again)["parameters"]["layout_given"]


def test_a_rerun_changes_what_is_asked_and_keeps_the_rest(run, tmp_path):
    folder = runs.rerun(run, tmp_path / "again", seed=9, steps=2)
    was, now = (runs.read_record(one)["parameters"] for one in (run, folder))
    assert now == {**was, "seed": 9, "steps": 2}


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"preset": "huge"}, SamplingError, "huge"),
        ({"colour": "red"}, SettingsError, "colour"),
        ({"fps": 0}, SettingsError, "fps is 0"),
    ],
)
def test_a_change_that_cannot_be_is_refused(run, tmp_path, changes, error, words, monkeypatch):
    with pytest.raises(error, match=words):
        runs.rerun(run, tmp_path / "again", **changes)
    assert not (tmp_path / "again").exists()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (None, "not a run folder"),
        ("{", "is not JSON"),
        ("[" * 100_000, "nested too deeply"),
        ("[]", "a JSON object is needed"),
        ('{"version": "spa2v.run/9"}', "not the record"),
        ('{"version": "spa2v.run/1"}', "lacks environment"),
    ],
)
def test_a_record_that_is_none_is_refused(tmp_path, text, words):
    if text is not None:
        (tmp_path / "run.json").write_text(text)
    with pytest.raises(RunError, match=words):
        runs.verify(tmp_path)


def test_a_damaged_record_is_refused(run):
    change(run, frames=[])
    with pytest.raises(RunError, match="frames should be tables"):
        runs.verify(run)
    change(run, frames={}, parameters={"seed": "three"})
    with pytest.raises(RunError, match="do not fit"):
        runs.verify(run)
    (run / "layout.json").unlink()
    change(run, parameters={"layout_given": True})
    with pytest.raises(LayoutError):
        runs.verify(run)


def test_a_record_cannot_name_a_recording_elsewhere(run, tmp_path):
    shutil.move(tmp_path / "right.wav", tmp_path.parent / "right.wav")
    record = runs.read_record(run)
    change(run, input={**record["input"], "name": "../../right.wav"})
    with pytest.raises(RunError, match="not beside the run"):
        runs.verify(run)


def test_a_record_of_the_first_version_is_read_verified_and_run_again(run, tmp_path):
    record = runs.read_record(run)
    timings = {("hear" if k == "analyze" else k): v for k, v in record["timings_s"].items()}
    parameters = {k: v for k, v in record["parameters"].items() if k in FIRST_PARAMETERS}
    parameters["grounding"] = "gligen:active=0.5"
    change(run, version="spa2v.run/1", timings_s=timings, parameters=parameters)
    read = runs.read_record(run)
    assert read["timings_s"] == record["timings_s"] and read["version"] == runs.VERSION
    assert read["parameters"]["grounding"] == "gligen:stop=0.5"
    assert runs.verify(run).reproduced
    again = runs.rerun(run, tmp_path / "again", seed=9)
    assert runs.read_record(again)["parameters"]["tagger"] == "embedded"


FIRST_PARAMETERS = (
    *("label", "capture", "planner", "placement", "exemplars", "shots", "preset", "seed", "fps"),
    *("steps", "clip", "max_seconds", "grounding", "captions", "device", "layout_given"),
)


def test_sentences_for_people_may_change_but_nothing_else(run):
    for name, field in (("cues.json", "notes"), ("layout.json", "reasoning")):
        path = run / name
        content = json.loads(path.read_text(encoding="utf-8"))
        path.write_text(json.dumps({**content, field: ["x"] if field == "notes" else "x"}))
    assert {one.category for one in runs.verify(run).differences} == {"file"}
    content = json.loads((run / "layout.json").read_text(encoding="utf-8"))
    (run / "layout.json").write_text(json.dumps({**content, "caption": "another"}))
    (changed,) = [one for one in runs.verify(run).differences if one.category == "result"]
    assert (changed.name, changed.recorded) == ("layout.json", "caption")


def test_the_code_hash_follows_from_the_code_of_the_stages_alone(tmp_path, monkeypatch):
    parts = ("audio", "layout", "cues/tagging", "planning", "sampling", "runs", "viz", "cli")
    for part in parts:
        (tmp_path / part).mkdir(parents=True)
        (tmp_path / part / "a.py").write_text("x = 1\n")
    for name in ("video.py", "runs/make.py", "runs/settings.py"):
        (tmp_path / name).write_text("y = 2\n")
    monkeypatch.setattr("spa2v_lib.runs.record._PACKAGE", tmp_path)

    def hashed(name: str, text: str) -> str:
        (tmp_path / name).write_text(text)
        return runs.code_hash.__wrapped__()

    before = runs.code_hash.__wrapped__()
    assert hashed("viz/a.py", "x = 2\n") == hashed("cli/a.py", "x = 2\n") == before
    assert hashed("runs/a.py", "x = 2\n") == before
    assert hashed("cues/tagging/a.py", '"""Words."""\n\n# more words\nx = (\n    1\n)\n') == before
    assert hashed("cues/tagging/a.py", "x = 2\n") != before
    assert hashed("layout/objects.csv", "name\n") != hashed("layout/objects.csv", "name\nbus\n")
    (tmp_path / "layout" / "objects.csv").unlink()
    assert hashed("cues/tagging/a.py", "x = 1\n") == before != hashed("runs/make.py", "y = 3\n")
