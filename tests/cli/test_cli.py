"""The command line: what it prints, what it writes, and one line for what is wrong."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest

from spa2v_lib.audio.recording import Recording
from spa2v_lib.cues import SpatialCues
from spa2v_lib.errors import DataError
from spa2v_lib.layout.scene_layout import VideoSceneLayout
from spa2v_lib.sampling import PRESETS, weight_hashes

RATE = 22_050


def tiny_is_there():
    try:
        weight_hashes(PRESETS["tiny"])
    except DataError:
        return False
    return True


@pytest.fixture
def audio(tmp_path):
    """Two seconds of noise, panned from left to right."""
    noise = 0.1 * np.random.default_rng(0).standard_normal(2 * RATE)
    angle = np.linspace(0.2, np.pi / 2 - 0.2, len(noise))
    samples = np.stack([noise * np.cos(angle), noise * np.sin(angle)])
    return Recording.from_samples(samples, RATE).save(tmp_path / "sweep.wav")


def one_error_line(result, *words):
    code, out, err = result
    assert code == 2 and out == ""
    assert err.startswith("Error: ") and err.count("\n") == 1
    for word in words:
        assert word in err
    return True


# --- hearing and planning ------------------------------------------------------------------------


def test_cues_are_told_as_a_table(spa2v, audio):
    code, out, _ = spa2v("cues", audio, "--label", "car", "--capture", "panned")
    assert code == 0
    assert "sweep.wav" in out and "right crossing" in out and "azimuth" in out


def test_cues_are_printed_and_written_as_json(spa2v, audio, tmp_path):
    code, out, _ = spa2v("cues", audio, "--label", "car", "--json", "--out", tmp_path / "c.json")
    assert code == 0
    assert SpatialCues.model_validate_json(out) == SpatialCues.load(tmp_path / "c.json")


def test_a_tagger_or_labels_that_cannot_be_had_are_refused(spa2v, audio):
    assert one_error_line(spa2v("cues", audio, "--tagger", "oracle"), "oracle", "embedded")
    assert one_error_line(spa2v("cues", audio, "--labels", "tram, bell"), "only clap takes labels")


def test_the_taggers_words_reach_it(spa2v, audio, monkeypatch):
    asked = []

    def get_tagger(tagger, labels):
        asked.append((tagger, labels))
        raise DataError("no weights")

    monkeypatch.setattr("spa2v_lib.cues.tagging.get_tagger", get_tagger)
    spa2v("cues", audio, "--tagger", "clap:folder", "--labels", "steam train, bell")
    assert asked == [("clap:folder", ["steam train", "bell"])]


@pytest.fixture
def two_scenes(tmp_path):
    """Six seconds of soft noise on the left, then six of loud clicks on the right."""
    rng = np.random.default_rng(0)
    noise = 0.01 * rng.standard_normal(6 * RATE)
    clicks = np.where(np.arange(6 * RATE) % 1000 < 20, 0.5, 0.0) * rng.standard_normal(6 * RATE)
    samples = np.stack([np.append(noise, 0.3 * clicks), np.append(0.3 * noise, clicks)])
    return Recording.from_samples(samples, RATE).save(tmp_path / "two.wav")


def test_every_clip_of_a_long_recording_has_its_cues(spa2v, two_scenes, tmp_path):
    options = ["--clips", "--label", "car", "--capture", "xy", "--out", tmp_path / "c.json"]
    code, out, _ = spa2v("cues", two_scenes, *options)
    assert code == 0 and "clip 1 of 2" in out and "clip 2 of 2" in out
    first, second = (SpatialCues.load(tmp_path / f"c-{number}.json") for number in (1, 2))
    assert first.duration_s == pytest.approx(6.0, abs=0.5)
    assert first.sources[0].azimuth_start_deg < 0 < second.sources[0].azimuth_start_deg
    _, printed, _ = spa2v("cues", two_scenes, "--clips", "--label", "car", "--json")
    assert len(json.loads(printed)) == 2


def test_a_clip_that_is_not_there_is_refused(spa2v, two_scenes, tmp_path, monkeypatch):
    monkeypatch.setattr("spa2v_lib.sampling.weight_hashes", lambda preset: {})
    options = ["--out", tmp_path / "out", "--label", "car", "--clip", 3]
    assert one_error_line(spa2v("generate", two_scenes, *options), "clips 1 to 2", "clip 3")


def test_a_plan_follows_the_sound(spa2v, audio):
    code, out, _ = spa2v("plan", audio, "--label", "car", "--capture", "panned", "--json")
    boxes = VideoSceneLayout(**json.loads(out)).objects[0].boxes
    assert code == 0 and boxes[0].center[0] < 0.5 < boxes[-1].center[0]


def test_a_plan_says_what_the_cues_note(spa2v, audio, tmp_path):
    told = ("--label", "car, car", "--capture", "panned")
    code, out, _ = spa2v("plan", audio, *told)
    assert code == 0 and "note: 2 sources have the label 'car'" in out
    spa2v("cues", audio, *told, "--out", tmp_path / "c.json")
    assert "note: 2 sources have the label 'car'" in spa2v("plan", tmp_path / "c.json")[1]


@pytest.mark.parametrize("command", ["cues", "plan", "generate"])
@pytest.mark.parametrize(
    ("label", "why"),
    [
        ("x" * 500, "500 characters"),
        ("<b>car</b>", "markup"),
        ("[bold]car[/bold]", "markup"),
        ("car\ntram", "line breaks"),
        ("car, tram, bell, dog", "4 labels were given"),
        ("5", "no word"),
        ("car@behind", "left, center, right"),
    ],
)
def test_labels_that_are_no_words_are_refused(spa2v, audio, tmp_path, command, label, why):
    out = tmp_path / ("out" if command == "generate" else "out.json")
    assert one_error_line(spa2v(command, audio, "--out", out, "--label", label), why)
    assert not out.exists()


def test_a_prompt_is_shown_and_its_price_estimated_without_a_key(spa2v, audio, monkeypatch):
    monkeypatch.delenv("GOOGLE_API_KEY", raising=False)
    call = ("plan", audio, "--label", "car", "--planner", "google:gemini-3.8-flash")
    code, out, err = spa2v(*call, "--show-prompt", "--shots", 1, "--placement", "model")
    assert code == 0 and err.startswith("about ")
    assert "Example 1" in out and "Example 2" not in out
    assert "[sound: left channel of the recording, 2.0 s]" in out
    assert '"car" (named by the user)' in out and "the box of every thing" in out


def test_a_planner_without_a_prompt_or_a_wrong_name_is_told(spa2v, audio):
    one_error_line(spa2v("plan", audio, "--show-prompt"), "acoustic", "no prompt")
    one_error_line(spa2v("plan", audio, "--planner", "openai:x"), "openai-chat:")


def test_cues_can_be_planned_without_the_recording(spa2v, audio, tmp_path):
    spa2v("cues", audio, "--label", "car", "--out", tmp_path / "c.json")
    code, out, _ = spa2v("plan", tmp_path / "c.json", "--out", tmp_path / "l.json")
    _, from_audio, _ = spa2v("plan", audio, "--label", "car", "--json")
    assert code == 0 and "a car drives" in out
    planned = VideoSceneLayout.load(tmp_path / "l.json")
    assert planned.objects == VideoSceneLayout(**json.loads(from_audio)).objects


def test_a_label_comes_too_late_for_cues(spa2v, audio, tmp_path):
    spa2v("cues", audio, "--label", "car", "--out", tmp_path / "c.json")
    assert one_error_line(spa2v("plan", tmp_path / "c.json", "--label", "bus"), "c.json")


# --- mistakes ------------------------------------------------------------------------------------


@pytest.fixture
def wrong_input(tmp_path):
    """Files that are not recordings, by what is wrong with them."""
    (tmp_path / "text.wav").write_text("this is not sound\n")
    (tmp_path / "empty.wav").write_bytes(b"")
    short = Recording.from_samples(np.full((2, 100), 0.1), RATE)
    short.save(tmp_path / "short.wav")
    import soundfile

    samples = np.zeros((RATE, 2), np.float32)
    samples[5] = np.nan
    soundfile.write(tmp_path / "nan.wav", samples, RATE, subtype="FLOAT")
    return tmp_path


@pytest.mark.parametrize("command", ["cues", "plan", "generate"])
@pytest.mark.parametrize("name", ["text.wav", "empty.wav", "short.wav", "nan.wav", "missing.wav"])
def test_wrong_sound_gives_one_line_and_code_2(spa2v, wrong_input, monkeypatch, command, name):
    monkeypatch.setattr("spa2v_lib.sampling.weight_hashes", lambda preset: {})
    before = sorted(wrong_input.iterdir())
    options = ["--out", wrong_input / "out"] if command == "generate" else []
    assert one_error_line(spa2v(command, wrong_input / name, *options), name.split(".")[0])
    assert sorted(wrong_input.iterdir()) == before


def test_a_folder_of_other_files_is_refused(spa2v, audio):
    assert one_error_line(spa2v("generate", audio, "--out", audio.parent), "already holds files")


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="needs a place nobody can write to")
def test_a_place_that_cannot_be_written_to_is_refused(spa2v, audio, monkeypatch):
    monkeypatch.setattr("spa2v_lib.sampling.weight_hashes", lambda preset: {})
    assert one_error_line(spa2v("generate", audio, "--out", "/proc/self/spa2v"), "cannot write")


def test_a_class_that_cannot_be_drawn_is_refused_with_those_that_can(
    spa2v, audio, tmp_path, monkeypatch
):
    monkeypatch.setattr("spa2v_lib.sampling.weight_hashes", lambda preset: {})
    only_trains = replace(PRESETS["tiny"], labels=("train",))
    monkeypatch.setitem(PRESETS, "tiny", only_trains)
    result = spa2v("generate", audio, "--out", tmp_path / "out", "--label", "dog")
    assert one_error_line(result, "cannot draw dog", "train")


def test_markup_in_a_name_is_printed_as_it_is(spa2v, tmp_path):
    assert one_error_line(spa2v("cues", tmp_path / "[red]:smile:.wav"), "[red]:smile:.wav")


def test_benchmarks_say_what_they_do_not_take(spa2v, tmp_path):
    own = spa2v("bench", "speed", "--clips", "own.csv", "--out", tmp_path / "out")
    assert one_error_line(own, "takes no clips")


# --- the rest ------------------------------------------------------------------------------------


def test_scenes_are_rendered(spa2v, tmp_path):
    out = tmp_path / "scenes"
    code, said, _ = spa2v(
        "scenes", "--out", out, "--count", 1, "--motion", "approaching", "--duration", 1
    )
    assert code == 0 and str(out) in said
    assert said.startswith("1 scene in ")
    (row,) = json.loads((out / "scenes.json").read_text(encoding="utf-8"))["scenes"]
    assert row["motion"] == "approaching"


def test_the_doctor_ends_well_only_if_the_default_can_run(spa2v):
    code, out, _ = spa2v("doctor")
    assert "torch" in out and "libx264" in out
    assert code == (0 if tiny_is_there() else 2)
    assert ("everything is there" in out) == (code == 0)


def test_every_command_explains_itself(spa2v):
    for command in ("cues", "plan", "generate", "scenes", "bench", "doctor"):
        code, out, _ = spa2v(command, "--help")
        assert code == 0 and command in out


def test_the_version_is_printed(spa2v):
    assert spa2v("--version")[1].startswith("spa2v 0.")


# A sampler that never ends, behind the real command line.
_ENDLESS = """
import time
from spa2v_lib import cli, sampling
sampling.weight_hashes = lambda preset: {}
sampling.generate = lambda *_, **__: time.sleep(600)
cli.main()
"""


@pytest.mark.skipif(os.name != "posix", reason="needs POSIX signals")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_an_interrupted_run_leaves_nothing_that_looks_finished(audio, tmp_path, number):
    arguments = ["generate", str(audio), "--out", str(tmp_path / "out"), "--label", "car"]
    with subprocess.Popen(
        [sys.executable, "-c", _ENDLESS, *arguments],
        stderr=subprocess.PIPE,
        text=True,
        # Whoever started the tests may have chosen to ignore Ctrl-C.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    ) as process:
        deadline = time.monotonic() + 60
        while not list(tmp_path.glob(".out.*")) and process.poll() is None:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        time.sleep(0.5)
        assert process.poll() is None, process.stderr.read()
        process.send_signal(number)
        _, said = process.communicate(timeout=60)
    assert process.returncode != 0
    assert "Traceback" not in said
    left = {path.name for path in tmp_path.iterdir()} - {"sweep.wav"}
    if number == signal.SIGKILL:  # nobody can tidy up after it, but what it leaves is hidden
        assert all(name.startswith(".out.") for name in left)
    else:
        assert left == set()


@pytest.mark.slow
def test_the_same_seed_gives_the_same_video_twice(spa2v, audio, tmp_path):
    hashes = []
    for name in ("first", "second"):
        options = ["--label", "car", "--capture", "panned", "--max-seconds", 1, "--steps", 4]
        code, out, err = spa2v("generate", audio, "--out", tmp_path / name, *options)
        assert code == 0, err
        assert str(tmp_path / name / "report.html") in out
        assert "cut to the first 1.00 s" in out
        record = json.loads((tmp_path / name / "run.json").read_text(encoding="utf-8"))
        hashes.append(record["frames"]["sha256"])
    assert hashes[0] == hashes[1]
