"""Batches: every recording in a folder of its own, failures kept, and nothing done twice."""

from __future__ import annotations

import csv
import json
import os
import threading
from pathlib import Path

import nbformat
import pytest
from pyarrow import parquet

from spa2v_lib.batch import Engine, run_batch
from spa2v_lib.batch.results import COLUMNS
from spa2v_lib.batch.store import Store
from spa2v_lib.errors import BatchError, OutputError, PlanningError


def results(root: Path) -> list[dict[str, str]]:
    with (root / "results.csv").open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def folders(root: Path) -> list[Path]:
    return sorted(path for path in (root / "items").iterdir())


@pytest.fixture
def three(sound, manifest):
    """Three recordings, the second of which fails."""
    for name in ("a.wav", "b.wav", "c.wav"):
        sound(name)
    return manifest(
        [
            {"recording": "sounds/a.wav", "label": "car", "seed": 1, "name": "first"},
            {"recording": "sounds/b.wav", "label": "", "seed": 990, "name": ""},
            {"recording": "sounds/c.wav", "label": "", "seed": "", "name": ""},
        ]
    )


def test_every_recording_gets_a_folder_a_row_and_a_place_in_the_index(three, notebook, tmp_path):
    out = tmp_path / "out"
    summary = run_batch([three], out, notebook=notebook, seed=5)
    assert (summary.total, summary.kept, summary.worked, summary.failed) == (3, 0, 3, 1)
    rows = results(out)
    assert [row["name"] for row in rows] == ["first", "b.wav", "c.wav"]
    assert [row["status"] for row in rows] == ["done", "failed", "done"]
    assert [json.loads(row["parameters"])["seed"] for row in rows] == [1, 990, 5]
    assert rows[0]["caption"] == "a car & seed 1"
    assert {out / row["folder"] for row in rows} == set(folders(out))
    page = (out / "index.html").read_text(encoding="utf-8")
    assert "2 videos" in page and "1 failed" in page and "a car &amp; seed 1" in page


def test_the_parquet_table_says_the_same_in_its_own_types(three, notebook, tmp_path):
    run_batch([three], tmp_path / "out", notebook=notebook)
    table = parquet.read_table(tmp_path / "out" / "results.parquet")
    assert table.column_names == list(COLUMNS)
    assert table["duration_s"].to_pylist() == [0.5, None, 0.5]
    written = [row["name"] for row in results(tmp_path / "out")]
    assert table["name"].to_pylist() == written


def test_a_failed_item_keeps_its_notebook_with_the_error_and_nothing_that_looks_finished(
    three, notebook, tmp_path
):
    run_batch([three], tmp_path / "out", notebook=notebook)
    (failed,) = [row for row in results(tmp_path / "out") if row["status"] == "failed"]
    folder = tmp_path / "out" / failed["folder"]
    assert failed["error"] == "ValueError: no such <b>luck</b>"
    assert {path.name for path in folder.iterdir()} == {"item.json", "notebook.ipynb"}
    cells = nbformat.read(folder / "notebook.ipynb", as_version=4).cells
    errors = [o.evalue for c in cells for o in c.get("outputs", []) if o.output_type == "error"]
    assert errors == ["no such <b>luck</b>"]
    page = (tmp_path / "out" / "index.html").read_text(encoding="utf-8")
    assert "no such &lt;b&gt;luck" in page and "<b>luck" not in page


def test_the_executed_notebook_holds_its_outputs_and_no_absolute_path(three, notebook, tmp_path):
    run_batch([three], tmp_path / "out", notebook=notebook)
    rows = results(tmp_path / "out")
    assert len(rows) == 3
    for row in rows:
        kept = tmp_path / "out" / row["folder"] / "notebook.ipynb"
        text = kept.read_text(encoding="utf-8")
        assert str(tmp_path) not in text
        assert row["recording"].removeprefix(f"{tmp_path}/") in text


@pytest.fixture
def done(sound, notebook, tmp_path):
    """Two items that are done, and how to go on with them."""
    sound("a.wav"), sound("b.wav")

    def go_on(**given):
        return run_batch([tmp_path / "sounds"], tmp_path / "out", notebook=notebook, **given)

    go_on()
    return go_on


def stamps(root: Path) -> dict[str, int]:
    return {path.name: (path / "item.json").stat().st_mtime_ns for path in folders(root)}


def redone(root: Path, before: dict[str, int]) -> list[str]:
    return [name.split("-")[0] for name, stamp in stamps(root).items() if before[name] != stamp]


def test_a_batch_is_not_begun_again_unless_it_is_to_go_on(done):
    with pytest.raises(BatchError, match="--resume"):
        done()


def test_a_folder_that_another_kind_of_file_marks_is_refused(done, tmp_path):
    (tmp_path / "out" / "batch.json").write_text('{"version": "of something else"}')
    with pytest.raises(BatchError, match="not of version"):
        done(resume=True)


def test_a_finished_batch_that_goes_on_does_nothing(done, tmp_path):
    before = stamps(tmp_path / "out")
    summary = done(resume=True)
    assert (summary.kept, summary.worked) == (2, 0)
    assert stamps(tmp_path / "out") == before


def test_what_is_missing_or_incomplete_is_done_again(done, tmp_path):
    first, second = folders(tmp_path / "out")
    before = stamps(tmp_path / "out")
    (first / "layout.json").write_text("{}")
    assert done(resume=True).worked == 1
    assert redone(tmp_path / "out", before) == ["a"]
    (second / "item.json").unlink()
    assert done(resume=True).worked == 1


def test_another_input_is_done_again_whatever_its_date_says(done, sound, tmp_path):
    import os

    before = stamps(tmp_path / "out")
    path = tmp_path / "sounds" / "b.wav"
    dates = path.stat().st_atime_ns, path.stat().st_mtime_ns
    sound("b.wav", seed=1)
    os.utime(path, ns=dates)
    assert done(resume=True).worked == 1
    assert redone(tmp_path / "out", before) == ["b"]


def test_a_clock_that_was_set_back_changes_nothing(done, tmp_path):
    import os

    for path in (tmp_path / "sounds").iterdir():
        os.utime(path, (4e9, 4e9))
    for path in (tmp_path / "out").rglob("*"):
        os.utime(path, (1.0, 1.0))
    assert done(resume=True).worked == 0


def test_a_clock_that_jumps_while_a_batch_runs_changes_nothing(done, tmp_path, monkeypatch):
    import itertools
    import time

    jumps = itertools.cycle([4e9, 1.0, 2e9])
    monkeypatch.setattr(time, "time", lambda: next(jumps))
    seen = []
    assert done(resume=True, seed=6, progress=seen.append).worked == 2
    assert all(0 <= one.left_s < 60 for one in seen)
    assert all(0 < float(row["seconds"]) < 60 for row in results(tmp_path / "out"))
    assert done(resume=True, seed=6).worked == 0


def test_other_parameters_are_done_again_in_the_same_folders(done, tmp_path):
    names = list(stamps(tmp_path / "out"))
    assert done(resume=True, seed=3).worked == 2
    assert list(stamps(tmp_path / "out")) == names
    assert {row["frames_sha256"][-1] for row in results(tmp_path / "out")} == {"3"}


def test_another_notebook_code_or_weights_are_done_again(done, notebook, monkeypatch):
    notebook.write_text(notebook.read_text().replace("import json", "import json  # newer"))
    assert done(resume=True).worked == 2
    monkeypatch.setattr("spa2v_lib.batch.tasks.code_hash", lambda: "other")
    assert done(resume=True).worked == 2
    monkeypatch.setattr("spa2v_lib.batch.tasks._weights", lambda preset: "other")
    assert done(resume=True).worked == 2
    assert done(resume=True).worked == 0


def test_what_failed_is_tried_again_and_what_is_left_of_a_killed_process_is_swept(
    three, notebook, tmp_path, manifest
):
    out = tmp_path / "out"
    run_batch([three], out, notebook=notebook)
    (failed,) = [row for row in results(out) if row["status"] == "failed"]
    left = out / "items" / f".{Path(failed['folder']).name}.dead.part"
    (left / "run").mkdir(parents=True)
    rows = [{"recording": f"sounds/{n}.wav"} for n in "abc"]
    rows[0]["name"] = "first"
    summary = run_batch([manifest(rows)], out, notebook=notebook, resume=True, label="car", seed=1)
    assert summary.failed == 0 and not left.exists()
    assert {row["status"] for row in results(out)} == {"done"}


def test_two_batches_in_one_folder_share_the_work(sound, notebook, tmp_path):
    for number in range(8):
        sound(f"{number}.wav", number)
    found = []

    def work():
        engine = Engine("processes", workers=1)
        options = {"notebook": notebook, "resume": True, "engine": engine, "seed": 993}
        found.append(run_batch([tmp_path / "sounds"], tmp_path / "out", **options))

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [(one.total, one.failed) for one in found] == [(8, 0)] * 2
    names = [row["name"] for row in results(tmp_path / "out")]
    assert names == [f"{number}.wav" for number in range(8)]
    assert [path.name for path in folders(tmp_path / "out") if path.name[0] == "."] == []


def test_of_one_item_only_one_process_can_be_the_worker(done, tmp_path):
    store = Store(tmp_path / "out")
    with store.claim("x") as first, store.claim("x") as second, store.claim("y") as other:
        assert (first, second, other) == (True, False, True)
    with store.claim("x") as again:
        assert again


def test_the_same_recording_twice_gives_two_folders(sound, notebook, tmp_path, manifest):
    sound("a.wav")
    rows = [{"recording": "sounds/a.wav", "seed": seed} for seed in (1, 2, 1)]
    summary = run_batch([manifest(rows)], tmp_path / "out", notebook=notebook)
    assert summary.worked == 3
    assert [r["frames_sha256"][-1] for r in results(tmp_path / "out")] == ["1", "2", "1"]


def test_progress_counts_up_and_tells_the_time_left(done):
    seen = []
    done(resume=True, seed=4, progress=seen.append)
    assert [(one.done, one.total) for one in seen] == [(1, 2), (2, 2)]
    assert seen[0].left_s > 0 and seen[1].left_s == 0


@pytest.mark.parametrize(
    ("given", "error", "words"),
    [
        ({"label": "unicorn@up"}, BatchError, r"a.wav \(line 1\): .*unicorn"),
        ({"seed": -1}, BatchError, "seed is -1"),
        ({"colour": "red"}, BatchError, "no parameter colour"),
        ({"engine": Engine("steam")}, BatchError, "no engine 'steam'"),
        ({"engine": Engine(workers=2)}, BatchError, "inline is one worker"),
        ({"engine": Engine(timeout_s=2)}, BatchError, "no time limit"),
    ],
)
def test_a_batch_that_cannot_work_is_refused_before_anything_is_made(
    sound, notebook, tmp_path, given, error, words
):
    sound("a.wav")
    with pytest.raises(error, match=words):
        run_batch([tmp_path / "sounds"], tmp_path / "out", notebook=notebook, **given)
    assert not (tmp_path / "out").exists()


def test_what_is_wrong_with_all_recordings_is_checked_and_said_once(
    sound, notebook, tmp_path, monkeypatch
):
    for number in range(4):
        sound(f"{number}.wav")
    checked = []

    def check_settings(settings):
        checked.append(settings.seed)
        raise PlanningError("no key")

    monkeypatch.setattr("spa2v_lib.batch.tasks.check_settings", check_settings)
    with pytest.raises(BatchError) as refused:
        run_batch([tmp_path / "sounds"], tmp_path / "out", notebook=notebook)
    assert str(refused.value) == "no key" and len(checked) == 1


def test_what_is_wrong_with_some_recordings_is_said_with_the_first(
    sound, notebook, tmp_path, manifest
):
    sound("a.wav")
    labels = ["car", "unicorn@up", "unicorn@up", "ogre@up"]
    rows = [{"recording": "sounds/a.wav", "label": label} for label in labels]
    with pytest.raises(BatchError) as refused:
        run_batch([manifest(rows)], tmp_path / "out", notebook=notebook)
    first, second = str(refused.value).split("; sounds/")[0], str(refused.value)
    assert "(line 3) and 1 more: " in first and second.count("unicorn") == 1
    assert "(line 5): " in second and "ogre" in second


def test_a_folder_of_other_files_is_refused(sound, notebook, tmp_path):
    sound("a.wav")
    with pytest.raises(OutputError, match="holds files but no batch.json"):
        run_batch([tmp_path / "sounds"], tmp_path / "sounds", notebook=notebook)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("not json", "not a notebook"),
        (
            '{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}',
            "no parameter RECORDING and no OUT",
        ),
    ],
)
def test_a_notebook_that_cannot_be_told_what_to_do_is_refused(sound, tmp_path, text, words):
    sound("a.wav")
    (tmp_path / "other.ipynb").write_text(text)
    with pytest.raises(BatchError, match=words):
        run_batch([tmp_path / "sounds"], tmp_path / "out", notebook=tmp_path / "other.ipynb")


def test_a_damaged_recording_among_many_costs_one_row(sound, notebook, tmp_path):
    for number in range(40):
        sound(f"{number:02d}.wav", number)
    (tmp_path / "sounds" / "20.wav").write_bytes(b"RIFF" + bytes(100))
    (tmp_path / "sounds" / "30.wav").write_bytes(b"")
    (tmp_path / "sounds" / "._31.wav").write_bytes(b"debris")
    summary = run_batch([tmp_path / "sounds"], tmp_path / "out", notebook=notebook)
    assert (summary.total, summary.failed) == (40, 2)
    failed = {row["name"]: row["error"] for row in results(tmp_path / "out") if row["error"]}
    assert set(failed) == {"20.wav", "30.wav"} and all(failed.values())


@pytest.mark.skipif(os.name != "posix", reason="needs names of bytes")
def test_a_name_that_is_not_text_costs_one_row(sound, notebook, tmp_path):
    os.rename(sound("b.wav"), os.fsencode(tmp_path / "sounds") + b"/caf\xe9.wav")
    sound("a.wav")
    for kept, resume in ((0, False), (1, True)):
        summary = run_batch(
            [tmp_path / "sounds"], tmp_path / "out", notebook=notebook, resume=resume
        )
        assert (summary.total, summary.failed, summary.kept) == (2, 1, kept)
    failed = {row["name"]: row["error"] for row in results(tmp_path / "out") if row["error"]}
    assert list(failed) == ["caf\\xe9.wav"] and "is not UTF-8" in failed["caf\\xe9.wav"]
