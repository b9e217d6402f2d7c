"""Run folders: complete, reproducible, refused early, and never half-written."""

import json
from dataclasses import replace

import numpy as np
import pytest

from spa2v_lib import runs, sampling
from spa2v_lib.audio.recording import Recording
from spa2v_lib.cues import SpatialCues
from spa2v_lib.errors import (
    AudioError,
    CueError,
    DataError,
    LayoutError,
    OutputError,
    PlanningError,
    SamplingError,
    SettingsError,
    Spa2vError,
)
from spa2v_lib.layout.scene_layout import VideoSceneLayout
from spa2v_lib.video import Video, read_video

RATE = 16_000


@pytest.fixture
def audio(tmp_path):
    """One second of noise, louder on the right."""
    noise = 0.1 * np.random.default_rng(0).standard_normal(RATE)
    return Recording.from_samples(np.stack([0.4 * noise, noise]), RATE).save(tmp_path / "right.wav")


@pytest.fixture
def out(tmp_path):
    return tmp_path / "runs" / "one"


@pytest.fixture
def weights_present(monkeypatch):
    """Every preset has its weights, whatever is on this disk."""
    hashes = {"unet/diffusion_pytorch_model.safetensors": "0" * 64}
    monkeypatch.setattr(sampling, "weight_hashes", lambda preset: hashes)


@pytest.fixture
def drawn(monkeypatch, weights_present):
    """Sampling gives random frames of the right number and size."""

    def generate(layout, preset, seed, *, on_stage, **options):
        sampling.get_preset(preset)
        on_stage("sample", 1, 1)
        shape = (layout.frame_count, 64, 64, 3)
        frames = np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)
        return Video(frames, layout.fps, layout)

    monkeypatch.setattr(sampling, "generate", generate)


def record_of(folder):
    return json.loads((folder / "run.json").read_text(encoding="utf-8"))


def test_a_run_folder_holds_everything_and_says_how_it_was_made(audio, out, drawn):
    folder = runs.generate_run(audio, out, label="car", seed=3)
    names = {"cues.json", "layout.json", "report.html", "run.json", "video.mp4"}
    assert {path.name for path in folder.iterdir()} == names
    assert SpatialCues.load(folder / "cues.json").recording == "right.wav"
    layout = VideoSceneLayout.load(folder / "layout.json")
    record = record_of(folder)
    video = read_video(folder / "video.mp4")
    assert len(video.frames) == layout.frame_count == record["frames"]["count"] == 8
    assert record["seed"] == 3 and record["parameters"]["label"] == "car"
    assert set(record["timings_s"]) == {"read", "analyze", "plan", "sample", "write"}
    assert record["weights"] and record["environment"]["packages"]["torch"]
    assert set(record["files"]) == names - {"run.json"}
    assert str(audio.parent) not in (folder / "run.json").read_text(encoding="utf-8")
    assert [path.name for path in out.parent.iterdir()] == ["one"]


def test_the_seed_decides_the_frames_hash(audio, tmp_path, drawn):
    made = [
        runs.generate_run(audio, tmp_path / name, label="car", seed=seed)
        for name, seed in (("a", 1), ("b", 1), ("c", 2))
    ]
    first, same, other = (record_of(folder)["frames"]["sha256"] for folder in made)
    assert first == same != other


def test_a_given_layout_is_drawn_as_it_is(audio, tmp_path, drawn):
    planned = runs.generate_run(audio, tmp_path / "a", label="car")
    edited = VideoSceneLayout.load(planned / "layout.json").mirrored()
    path = edited.save(tmp_path / "edited.json")
    folder = runs.generate_run(audio, tmp_path / "b", layout=path)
    assert VideoSceneLayout.load(folder / "layout.json") == edited
    assert record_of(folder)["parameters"]["layout_given"] is True


def test_a_layout_of_another_length_is_refused(audio, tmp_path, drawn):
    planned = runs.generate_run(audio, tmp_path / "a", label="car")
    fields = json.loads((planned / "layout.json").read_text(encoding="utf-8"))
    (tmp_path / "long.json").write_text(json.dumps(fields | {"duration_s": 3.0}))
    with pytest.raises(LayoutError, match=r"3.00 s and right.wav 1.00 s"):
        runs.generate_run(audio, tmp_path / "b", layout=tmp_path / "long.json")
    with pytest.raises(LayoutError, match="8 frames a second, but 12"):
        runs.generate_run(audio, tmp_path / "b", layout=planned / "layout.json", fps=12)
    assert not (tmp_path / "b").exists()


def test_a_long_recording_is_cut_and_the_notes_say_so(audio, out, drawn):
    folder = runs.generate_run(audio, out, label="car", max_seconds=0.5)
    record = record_of(folder)
    assert record["frames"]["count"] == 4
    assert any("cut to the first 0.50 s of 1.00 s" in note for note in record["notes"])


def test_one_scene_of_a_long_recording_can_be_taken(tmp_path, drawn):
    rng = np.random.default_rng(0)
    soft, loud = (
        0.003 * rng.standard_normal((2, 5 * RATE)),
        0.1 * rng.standard_normal((2, 4 * RATE)),
    )
    loud[0] = 0.2 * loud[1]
    samples = np.concatenate([soft, loud], axis=1)
    audio = Recording.from_samples(samples, RATE).save(tmp_path / "two.wav")
    record = record_of(runs.generate_run(audio, tmp_path / "out", label="car", clip=2))
    assert record["input"]["duration_s"] == pytest.approx(4.0, abs=0.2)
    assert record["parameters"]["clip"] == 2
    assert any(note.startswith("clip 2 of 2") for note in record["notes"])


def test_stages_are_reported_in_order(audio, out, drawn):
    seen = []
    runs.generate_run(audio, out, label="car", progress=lambda stage, *_: seen.append(stage))
    assert list(dict.fromkeys(seen)) == ["analyze", "sample", "write"]


@pytest.mark.parametrize(
    ("settings", "error", "words"),
    [
        ({"label": "unicorn@up"}, CueError, "unicorn.*'up'"),
        ({"label": "a, b, c, d"}, CueError, "4 labels"),
        ({"tagger": "oracle"}, CueError, "no tagger 'oracle'"),
        ({"num_sources": 4}, SettingsError, "num_sources is 4"),
        ({"track": 0}, SettingsError, "track is 0"),
        ({"steps": 10_000}, SettingsError, "equal to 1000"),
        ({"preset": "huge"}, SamplingError, "huge.*tiny"),
        ({"planner": "oracle"}, PlanningError, "oracle.*acoustic"),
        ({"capture": "wire"}, CueError, "wire.*binaural"),
        ({"seed": -1}, SettingsError, "seed is -1"),
        ({"steps": 0}, SettingsError, "steps is 0.*equal to 1"),
        ({"fps": 0}, SettingsError, "fps is 0"),
        ({"fps": float("nan")}, SettingsError, "fps is nan"),
        ({"fps": 61}, SettingsError, "equal to 60"),
        ({"seed": 2**63}, SettingsError, "less than"),
        ({"shots": -1}, SettingsError, "shots is -1"),
        ({"colour": "red"}, SettingsError, "no parameter 'colour'.*label"),
        ({"clip": 0}, SettingsError, "clip is 0.*equal to 1"),
        ({"max_seconds": 0}, AudioError, "max_seconds is 0.*at least 0.25"),
        ({"max_seconds": float("inf")}, AudioError, "max_seconds is inf.*finite"),
        ({"grounding": "some"}, SamplingError, "some.*none"),
        ({"layout": "nowhere.json"}, LayoutError, "nowhere.json"),
    ],
)
def test_a_request_that_cannot_work_is_refused_before_the_recording_is_opened(
    tmp_path, monkeypatch, weights_present, settings, error, words
):
    monkeypatch.setattr("spa2v_lib.audio.read_audio", pytest.fail)
    with pytest.raises(error, match=words):
        runs.generate_run(tmp_path / "any.wav", tmp_path / "out", **settings)
    assert list(tmp_path.iterdir()) == []


def test_what_the_preset_cannot_draw_is_refused_with_what_it_can(
    tmp_path, monkeypatch, weights_present
):
    only_trains = replace(sampling.get_preset("tiny"), labels=("train",))
    monkeypatch.setitem(sampling.PRESETS, "tiny", only_trains)
    with pytest.raises(SamplingError, match="cannot draw dog.*train"):
        runs.generate_run(tmp_path / "any.wav", tmp_path / "out", label="dog")
    assert list(tmp_path.iterdir()) == []


def test_missing_weights_are_reported_before_anything_is_read(tmp_path, monkeypatch):
    (tmp_path / "models" / "tiny").mkdir(parents=True)
    monkeypatch.setattr(sampling.weights, "resource", lambda *parts: tmp_path.joinpath(*parts))
    with pytest.raises(DataError, match="lacks weights"):
        runs.generate_run(tmp_path / "any.wav", tmp_path / "out", label="car")


def test_unreadable_sound_leaves_nothing_behind(tmp_path, out, weights_present):
    (tmp_path / "text.wav").write_text("not sound")
    with pytest.raises(AudioError, match="text.wav"):
        runs.generate_run(tmp_path / "text.wav", out)
    assert [path.name for path in tmp_path.iterdir()] == ["text.wav"]


def test_an_earlier_run_is_replaced_only_when_asked(audio, out, drawn):
    runs.generate_run(audio, out, label="car", seed=1)
    with pytest.raises(OutputError, match="--overwrite"):
        runs.generate_run(audio, out, label="car", seed=2)
    runs.generate_run(audio, out, label="car", seed=2, overwrite=True)
    assert record_of(out)["seed"] == 2


@pytest.mark.parametrize("failure", [KeyboardInterrupt, SamplingError("no memory")])
def test_a_run_that_breaks_off_leaves_nothing_behind(audio, out, drawn, monkeypatch, failure):
    def break_off(*_, **__):
        raise failure

    monkeypatch.setattr(sampling, "generate", break_off)
    with pytest.raises((KeyboardInterrupt, Spa2vError)):
        runs.generate_run(audio, out, label="car")
    assert not out.parent.exists()
