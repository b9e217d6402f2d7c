"""What is printed of cues: every source, how sure it is, its path and what it is over time."""

from __future__ import annotations

import io
import threading
import time
from functools import partial

import numpy as np
import pytest
from rich.console import Console

from spa2v_lib.audio.recording import Recording
from spa2v_lib.cli import summaries, terminal
from spa2v_lib.cues import PassBy, Range, SourceTrack, SpatialCues, TagSpan, extract_cues
from spa2v_lib.errors import RunError


@pytest.fixture(scope="module")
def heard() -> SpatialCues:
    noise = 0.1 * np.random.default_rng(0).normal(size=16_000)
    recording = Recording.from_samples(np.stack([0.5 * noise, noise]), 16_000, name="[red]street")
    return extract_cues(recording, label="car", capture="xy")


@pytest.fixture
def printed(heard, monkeypatch, capsys):
    """Print cues with these sources, on a wide terminal."""
    monkeypatch.setenv("COLUMNS", "200")

    def show(*sources: SourceTrack, **changes: object) -> str:
        summaries.show_cues(heard.model_copy(update={"sources": list(sources), **changes}))
        return capsys.readouterr().out

    return show


@pytest.fixture
def car(heard) -> SourceTrack:
    return heard.sources[0]


def test_two_sources_stand_side_by_side_with_their_intervals(printed, car) -> None:
    silent = {
        "id": "source-2",
        "label": None,
        "label_source": "none",
        "active": [False] * len(car.active),
    }
    text = printed(car, car.model_copy(update=silent), count_low=1, count_high=3)
    assert "[red]street" in text and "2 sources (90 % interval 1 to 3)" in text
    assert "source-1: car" in text and "source-2: not recognized;" in text
    (row,) = [line for line in text.splitlines() if line.startswith("0.05 s")]
    low, high = car.azimuth_low_deg[0], car.azimuth_high_deg[0]
    assert row.count(f"{low:+.0f}° to {high:+.0f}°") == 2 and row.endswith("silent")


def test_one_is_not_many(printed, car) -> None:
    assert ", 1 channel, " in printed(car, channels=1) and ", 2 channels, " in printed(car)
    noise = 0.1 * np.random.default_rng(0).normal(size=(2, 8000))
    cues = extract_cues(Recording.from_samples(noise, 16_000), label="car, dog", capture="mono")
    assert "no source was detected for the label 'dog'" in cues.notes


def shown(monkeypatch, seconds: float, **options: float) -> str:
    """Return what a bar shows of work that takes so long, on a terminal."""
    screen = io.StringIO()
    terminal_of_its_own = partial(Console, file=screen, force_terminal=True, width=100)
    monkeypatch.setattr(terminal, "Console", lambda **_: terminal_of_its_own())
    with terminal.progress(**options) as tell:
        tell("analyze", 0, 3)
        time.sleep(seconds)
        tell("analyze", 3, 3)
    return screen.getvalue()


def test_a_bar_appears_only_if_the_work_takes_a_while(monkeypatch) -> None:
    assert "analyzing" in shown(monkeypatch, 0.0)
    assert "analyzing" not in shown(monkeypatch, 0.0, after_s=5.0)
    assert "analyzing" in shown(monkeypatch, 0.5, after_s=0.1)


def test_a_bar_that_waits_goes_when_the_work_fails(monkeypatch) -> None:
    with pytest.raises(KeyError), terminal.progress(after_s=60.0):
        raise KeyError
    assert [one for one in threading.enumerate() if isinstance(one, threading.Timer)] == []


def test_no_source_is_said_without_a_table(printed) -> None:
    text = printed(count_low=0, count_high=0)
    assert "no sources" in text and "azimuth" not in text.split("note:")[0]


def test_a_path_and_changing_tags_are_told(printed, car) -> None:
    path = PassBy(
        closest_s=Range(value=0.5, low=0.4, high=0.6),
        speed_over_distance=Range(value=1.0, low=0.9, high=1.2),
        speed_m_s=Range(value=20.0, low=18.0, high=22.5),
        distance_m=None,
        heading_deg=90.0,
        evidence="azimuth, level and Doppler",
    )
    tags = [
        TagSpan(start_s=0.0, end_s=0.5, label="car", confidence=0.8),
        TagSpan(start_s=0.5, end_s=1.0, label=None, confidence=0.6),
    ]
    text = printed(car.model_copy(update={"pass_by": path, "tags": tags}))
    assert "closest at 0.50 s [0.40 to 0.60]" in text
    assert "speed 20.0 m/s [18.0 to 22.5]" in text and "closest distance" not in text
    assert "0.0 to 0.5 s car 0.80; 0.5 to 1.0 s unknown 0.60" in text


HOSTILE = "a\x1b[2J\x1b]0;x\x07car\u202egpj\r\x9b1mx"


def test_what_names_and_captions_hold_reaches_the_terminal_as_text(printed, car, capsys) -> None:
    text = printed(car.model_copy(update={"label": HOSTILE}), recording=HOSTILE, notes=[HOSTILE])
    terminal.show_error(ValueError(f"no file {HOSTILE}"))
    said = text + capsys.readouterr().err
    assert not set("\x1b\x07\x9b\u202e\r") & set(said)
    assert said.count("a\\x1b[2J\\x1b]0;x\\x07car\\u202egpj") == 4


def test_a_failure_in_a_log_is_text_too(capsys) -> None:
    from spa2v_lib.batch import BatchProgress
    from spa2v_lib.batch.tasks import TaskResult

    with terminal.batch_progress() as tell:
        tell(BatchProgress(1, 1, 1, None, TaskResult("x", "failed", HOSTILE)))
    assert "\x1b" not in capsys.readouterr().err


def test_a_run_folder_is_read_as_every_text_file_is(tmp_path, capsys) -> None:
    (tmp_path / "run.json").write_text(
        '{"timings_s": {"sample": 4.2}, "notes": [], "frames": {"count": 16}}', encoding="utf-16"
    )
    (tmp_path / "layout.json").write_text('{"caption": "a bus waits"}', encoding="utf-8-sig")
    summaries.show_run(tmp_path)
    assert capsys.readouterr().out.splitlines()[:2] == ["a bus waits", "16 frames in 4 s"]
    (tmp_path / "layout.json").write_text("{")
    with pytest.raises(RunError, match=r"layout\.json is not JSON"):
        summaries.show_run(tmp_path)


def test_the_time_left_is_told_from_the_first_step_on(monkeypatch) -> None:
    screen = io.StringIO()
    wide = partial(Console, file=screen, force_terminal=True, width=120)
    monkeypatch.setattr(terminal, "Console", lambda **_: wide())
    with terminal.progress() as tell:
        tell("sample", 0, 11)
        time.sleep(0.5)
        tell("sample", 1, 11)
    said = screen.getvalue()
    assert "about 5 s left" in said or "about 6 s left" in said, said


def test_what_a_stage_takes_is_told_before_its_first_step_and_counted_down(monkeypatch) -> None:
    screen, now = io.StringIO(), [100.0]
    wide = partial(Console, file=screen, force_terminal=True, width=120)
    monkeypatch.setattr(terminal, "Console", lambda **_: wide())
    monkeypatch.setattr(terminal.time, "monotonic", lambda: now[0])
    with terminal.progress() as tell:
        tell("sample", 0, 8, 40.0)
        time.sleep(0.3)  # the bar draws itself a few times a second
        now[0] += 10.0
        time.sleep(0.3)
    said = screen.getvalue()
    assert "about 40 s on this machine" in said and "about 30 s on this machine" in said, said
