"""`spa2v cues`, `plan` and `estimate`: where they write, and how they show how far they are."""

from __future__ import annotations

from contextlib import contextmanager

import numpy as np
import pytest

from spa2v_lib.audio.recording import Recording

RATE = 16_000


@pytest.fixture
def audio(tmp_path):
    """Six seconds of soft noise on the left, then six of loud clicks on the right."""
    rng = np.random.default_rng(0)
    noise = 0.01 * rng.standard_normal(6 * RATE)
    clicks = np.where(np.arange(6 * RATE) % 1000 < 20, 0.5, 0.0) * rng.standard_normal(6 * RATE)
    samples = np.stack([np.append(noise, 0.3 * clicks), np.append(0.3 * noise, clicks)])
    return Recording.from_samples(samples, RATE).save(tmp_path / "two.wav")


def refused(result, *words):
    code, out, err = result
    return code == 2 and out == "" and all(word in err for word in words)


@pytest.mark.parametrize("command", [("cues",), ("cues", "--clips"), ("plan",)])
def test_a_recording_is_not_overwritten_by_what_is_heard_in_it(spa2v, audio, monkeypatch, command):
    before = audio.read_bytes()
    monkeypatch.setattr("spa2v_lib.audio.read_audio", pytest.fail)
    assert refused(spa2v(*command, audio, "--out", audio), "does not end in .json")
    assert audio.read_bytes() == before


def test_cues_are_not_overwritten_by_the_layout_nor_a_clip_by_its_cues(spa2v, audio, tmp_path):
    spa2v("cues", audio, "--label", "car", "--out", tmp_path / "c.json")
    (tmp_path / "link.json").symlink_to(tmp_path / "c.json")
    before = (tmp_path / "c.json").read_bytes()
    for name in ("c.json", "link.json"):
        result = spa2v("plan", tmp_path / "c.json", "--out", tmp_path / name)
        assert refused(result, "would overwrite", "name another file")
    sound = audio.rename(tmp_path / "part-2.json")
    result = spa2v("cues", sound, "--clips", "--out", tmp_path / "part.json")
    assert refused(result, "part-2.json, which is read")
    assert (tmp_path / "c.json").read_bytes() == before


def test_hearing_planning_and_estimating_show_how_far_they_are(spa2v, audio, monkeypatch):
    seen = []

    @contextmanager
    def progress(after_s=0.0):
        seen.append(after_s)
        yield lambda *now: seen.append(now)

    monkeypatch.setattr("spa2v_lib.cli.terminal.progress", progress)
    spa2v("cues", audio, "--clips", "--label", "car")
    assert seen == [2.0, ("analyze", 0, 1), ("analyze", 0, 2), ("analyze", 1, 2)]
    seen.clear()
    spa2v("plan", audio, "--label", "car")
    assert seen == [2.0, ("analyze", 0, 1), ("analyze", 1, 1), ("plan", 0, 1)]
    seen.clear()
    spa2v("estimate", audio, "--label", "car", "--planner", "openai-chat:a@http://127.0.0.1:9/v1")
    assert seen == [2.0, ("analyze", 0, 1), ("analyze", 1, 1)]


def test_every_receiver_is_named_in_the_help(spa2v):
    from spa2v_lab.scenes.receivers import RECEIVERS

    _, out, _ = spa2v("scenes", "--help")
    assert [name for name in RECEIVERS if name not in out] == []
