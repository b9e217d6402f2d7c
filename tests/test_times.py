"""What the book says of times is what was measured, or nothing."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import nbformat
import pytest

from spa2v_lab.bench.frame import Results, Row, interval
from spa2v_lab.bench.speed import CHAPTERS, OFF, ON, VIDEO
from spa2v_lab.bench.times import Times, duration, read_times

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "book"))


def test_the_books_times_are_those_of_the_results() -> None:
    from times import changes

    assert [path.name for path in changes(read_times())] == []


@pytest.mark.parametrize("name", CHAPTERS)
def test_text_and_notebook_say_the_same(name: str) -> None:
    from times import SENTENCE

    cells = nbformat.read(ROOT / f"notebooks/{name}.ipynb", as_version=4).cells
    text = (ROOT / f"notebooks/{name}.py").read_text(encoding="utf-8")
    (said,) = (m[0] for cell in cells for m in SENTENCE.finditer(cell.source))
    (source,) = (m[0] for m in SENTENCE.finditer(text))
    assert source.splitlines() == [f"# {line}" for line in said.splitlines()]


def test_no_other_sentence_of_a_chapter_promises_a_time_to_run() -> None:
    promise = re.compile(r"(?:minutes?|seconds?)\s(?:#\s)?to run")
    for path in (ROOT / "notebooks").glob("*.py"):
        assert promise.findall(path.read_text(encoding="utf-8")) == [], path.name


@pytest.mark.parametrize(
    "on, off, said",
    [
        (None, None, ""),
        (None, 98.0, "; to run, 1.5 minutes on two processor cores without bfloat16"),
        (31.0, None, "; to run, 30 s on two processor cores with bfloat16"),
        (31.0, 98.0, "; to run, 30 s on two processor cores with bfloat16, 1.5 minutes without"),
        (3.0, 4.0, "; to run, a few seconds on two processor cores"),
    ],
)
def test_a_chapter_says_what_is_measured(on: float | None, off: float | None, said: str) -> None:
    from times import corrected

    name = "chapter quickstart, seconds"
    known = {(ON, name): on, (OFF, name): off}
    times = Times({k: v for k, v in known.items() if v is not None}, {ON: 2, OFF: 2})
    text = "# **It takes** five minutes to read.\n"
    written = corrected(text, "quickstart", times)
    assert all(line.startswith("# ") and len(line) <= 100 for line in written.splitlines())
    assert written.replace("\n# ", " ") == f"# **It takes** five minutes to read{said}.\n"
    assert corrected(written, "quickstart", times) == written
    assert corrected(written, "quickstart", Times({}, {})) == text


@pytest.mark.parametrize("text", ["# It takes a minute.\n", "**It takes** an hour to read.\n" * 2])
def test_a_chapter_without_its_sentence_is_named(text: str) -> None:
    from times import corrected

    with pytest.raises(ValueError, match="hearing: [02] sentences"):
        corrected(text, "hearing", Times({}, {}))


def test_columns_of_several_results_are_joined(tmp_path: Path) -> None:
    for number, (method, seconds) in enumerate([(ON, 9.0), (OFF, 24.6)]):
        row = Row(method, VIDEO, 1, {"value": interval([seconds])})
        written = Results("speed", [row], []).as_dict()
        (tmp_path / f"speed_{number}.json").write_text(json.dumps(written))
    times = read_times(tmp_path)
    assert [times.cell(VIDEO, column) for column in (ON, OFF)] == ["9 s", "25 s"]
    assert "| `spa2v generate`, four seconds of sound | 9 s | 25 s |" in times.table()
    assert "not measured" in times.table()


def test_a_duration_is_said_no_finer_than_it_repeats() -> None:
    assert [duration(s) for s in (0, 9.6, 57, 58, 74, 76)] == [
        "a few seconds", "10 s", "55 s", "a minute", "a minute", "1.5 minutes",
    ]  # fmt: skip
