"""`spa2v bench real`: what is known of real recordings is compared with what is heard."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from spa2v_lab.bench.frame import run_benchmark
from spa2v_lab.bench.real import judged, known_recordings, level_alone
from spa2v_lib.audio import Recording, read_audio
from spa2v_lib.cues import extract_cues
from spa2v_lib.errors import DataError, Spa2vError


def table(folder: Path, *lines: str, header: str = "file,label,count,motion,side") -> Path:
    path = folder / "table.csv"
    path.write_text("\n".join([header, *lines]) + "\n", encoding="utf-8")
    return path


def passing(folder: Path, *, to_the_right: bool) -> Path:
    """Write noise that is panned across, loudest in the middle."""
    rng = np.random.default_rng(0)
    share = np.linspace(0.1, np.pi / 2 - 0.1, 44_100 * 2)
    noise = rng.standard_normal(len(share)) * np.exp(-((share - np.pi / 4) ** 2) / 0.2) * 0.1
    channels = np.stack([noise * np.cos(share), noise * np.sin(share)])
    path = folder / f"{'right' if to_the_right else 'left'}.wav"
    Recording.from_samples(channels if to_the_right else channels[::-1], 44_100).save(path)
    return path


def test_a_pass_is_judged_by_its_direction_and_nothing_that_is_unknown(tmp_path: Path) -> None:
    for to_the_right in (True, False):
        audio = passing(tmp_path, to_the_right=to_the_right)
        (known,) = known_recordings(table(tmp_path, f"{audio.name},,,right_crossing,"))
        cues = extract_cues(read_audio(audio))
        measures = judged(known, cues)
        assert measures["motion right"] == float(to_the_right)
        assert level_alone(known, cues)["motion right"] == float(to_the_right)
        unknown = ("on the right side", "class right", "number right", "number in its interval")
        assert all(math.isnan(measures[name]) for name in unknown)


def test_own_recordings_are_measured_by_the_command(tmp_path: Path) -> None:
    names = [passing(tmp_path, to_the_right=way).name for way in (True, False)]
    own = table(tmp_path, f"{names[0]},,1,right_crossing,", f"{names[1]},,1,left_crossing,")
    results = run_benchmark("real", tmp_path / "out", clips=own)
    rows = {(row.method, row.condition): row for row in results.rows}
    assert rows["spa2v", "it passes"].count == 2
    assert rows["spa2v", "it passes"].measures["motion right"].mean == 1.0
    assert ("spa2v", "its side is known") not in rows
    assert str(tmp_path) not in (tmp_path / "out/results.json").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "line, said",
    [
        ("absent.wav,car,1,left_crossing,", "no file 'absent.wav'"),
        (",car,1,left_crossing,", "no file ''"),
        ("left.wav,car,1,leftwards,", "motion 'leftwards' is none of"),
        ("left.wav,car,1,stationary,up", "side 'up' is none of left, right"),
        ("left.wav,car,one,stationary,", "count 'one' is no number"),
    ],
)
def test_a_table_with_a_mistake_is_refused_by_its_line(tmp_path: Path, line, said) -> None:
    passing(tmp_path, to_the_right=False)
    with pytest.raises(DataError, match=f"line 2.*{said}"):
        known_recordings(table(tmp_path, line))


def test_a_table_without_recordings_or_their_column_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no recordings"):
        known_recordings(table(tmp_path))
    with pytest.raises(DataError, match="no column 'file'"):
        known_recordings(table(tmp_path, "a.wav", header="recording"))


def test_other_benchmarks_take_no_recordings_of_ones_own(tmp_path: Path) -> None:
    with pytest.raises(
        Spa2vError, match="'speed' takes no clips of one's own; real, tagging, run do"
    ):
        run_benchmark("speed", tmp_path / "out", clips=tmp_path / "table.csv")
