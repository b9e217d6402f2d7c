from __future__ import annotations

import json
import os

import pytest
from pydantic import ValidationError

from spa2v_lib.cues import CaptureGuess, SourceTrack, SpatialCues
from spa2v_lib.errors import CueError, OutputError


def track(**changes: object) -> dict[str, object]:
    return {
        "id": "source-1",
        "label": "bus",
        "label_source": "tagger",
        "label_confidence": 0.9,
        "label_alternatives": [("bus", 0.9), ("truck", 0.1)],
        "azimuth_deg": [-10.0, 0.0],
        "azimuth_low_deg": [-12.0, -2.0],
        "azimuth_high_deg": [-8.0, 2.0],
        "level_db": [-20.0, -21.0],
        "active": [True, True],
        "motion": "right_crossing",
        "motion_confidence": 0.8,
        "motion_scores": {"right_crossing": 0.8, "stationary": 0.2},
        "azimuth_start_deg": -10.0,
        "azimuth_end_deg": 0.0,
        "level_change_db": -1.0,
        "relative_range": [1.0, 1.1],
        "relative_range_low": [1.0, 1.0],
        "relative_range_high": [1.0, 1.3],
        "closest_s": 0.05,
        "pitch_hz": [None, 220.0],
        "pass_by": None,
        **changes,
    }


def cues(**changes: object) -> SpatialCues:
    fields = {
        "recording": "a <b>.wav",
        "duration_s": 0.2,
        "rate": 48000,
        "channels": 2,
        "times_s": [0.05, 0.15],
        "capture": CaptureGuess(format="xy", confidence=1.0, note="as named"),
        "ild_db": [1.0, None],
        "itd_s": [0.0, None],
        "coherence": [0.9, None],
        "level_db": [-20.0, -21.0],
        "sources": [SourceTrack(**track())],
        "count_low": 1,
        "count_high": 2,
        "notes": ["5 < 6"],
    }
    return SpatialCues(**(fields | changes))


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_cues_load_whatever_editor_saved_them(tmp_path, encoding: str) -> None:
    path = cues().save(tmp_path / "cues.json")
    path.write_text(path.read_text(encoding="utf-8").replace("\n", "\r\n"), encoding=encoding)
    assert SpatialCues.load(path) == cues()


def test_a_pipe_in_the_place_of_cues_is_refused_and_not_waited_for(tmp_path) -> None:
    os.mkfifo(tmp_path / "cues.json")
    with pytest.raises(CueError, match="cues.json"):
        SpatialCues.load(tmp_path / "cues.json")


def test_saved_cues_load_as_they_were(tmp_path) -> None:
    path = cues().save(tmp_path / "new" / "cues.json")
    assert SpatialCues.load(path) == cues()


def test_a_list_of_another_length_is_refused_by_name() -> None:
    with pytest.raises(ValidationError, match=r"source-1\.level_db has 1 entries for 2 frames"):
        cues(sources=[SourceTrack(**track(level_db=[-20.0]))])


def test_an_interval_that_does_not_hold_its_value_is_refused() -> None:
    with pytest.raises(ValidationError, match="frame 1: azimuth interval"):
        SourceTrack(**track(azimuth_low_deg=[-12.0, 1.0]))


def test_numbers_that_are_none_are_refused() -> None:
    with pytest.raises(ValidationError):
        cues(level_db=[float("nan"), 0.0])


@pytest.mark.parametrize(
    ("text", "why"),
    [("no json", "is not JSON"), ('{"version": "spa2v.cues/9"}', "version")],
)
def test_a_file_that_holds_no_cues_is_a_clear_error(tmp_path, text: str, why: str) -> None:
    path = tmp_path / "cues.json"
    path.write_text(text)
    with pytest.raises(CueError, match=why):
        SpatialCues.load(path)


def test_a_missing_file_is_named(tmp_path) -> None:
    with pytest.raises(CueError, match=r"nowhere\.json"):
        SpatialCues.load(tmp_path / "nowhere.json")


def test_the_notebook_view_escapes_names_and_notes() -> None:
    page = cues()._repr_html_()
    assert "a &lt;b&gt;.wav" in page and "5 &lt; 6" in page and "<svg" in page


def test_cues_that_cannot_be_written_leave_what_was_there(tmp_path, monkeypatch) -> None:
    path = cues().save(tmp_path / "cues.json")
    before = path.read_text()

    def full(*_given, **_named):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.write_text", full)
    with pytest.raises(OutputError, match="No space left"):
        cues().save(path)
    monkeypatch.undo()
    assert path.read_text() == before and list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("inverted", [True, False])
def test_cues_of_version_2_still_load(tmp_path, inverted: bool) -> None:
    old = json.loads(
        cues(
            sources=[
                SourceTrack(**track(label_confidence=1.0)),
                SourceTrack(**track(id="source-2")),
                SourceTrack(**track(id="source-3", label=None)),
            ]
        ).model_dump_json()
    )
    old["version"] = "spa2v.cues/2"
    del old["polarity_inverted"]
    for source in old["sources"]:
        del source["label_source"]
    old["sources"][1]["label_confidence"] = 1.0
    old["sources"][1]["tags"] = [{"start_s": 0.0, "end_s": 0.1, "label": "bus", "confidence": 1.0}]
    if inverted:
        old["notes"].append(
            "one channel's polarity is inverted: put right before directions were read"
        )
    path = tmp_path / "cues.json"
    path.write_text(json.dumps(old))
    loaded = SpatialCues.load(path)
    assert [s.label_source for s in loaded.sources] == ["user", "tagger", "none"]
    assert loaded.polarity_inverted is inverted and loaded.version == "spa2v.cues/3"
    assert SpatialCues.load(loaded.save(tmp_path / "again.json")) == loaded
