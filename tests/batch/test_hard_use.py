"""What goes wrong on real machines: full disks, closed folders, hostile names, no network."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest

from spa2v_lab.demo import example_recording
from spa2v_lib import cli
from spa2v_lib.audio.recording import Recording
from spa2v_lib.batch import run_batch
from spa2v_lib.errors import OutputError
from spa2v_lib.runs import generate_run
from spa2v_lib.video import Video

NAMES = (
    'it\'s "quoted".wav',
    "<script>alert(1)<!--.wav",
    "&amp; {braces} $dollar `tick` %41.wav",
    "two\nlines\t.wav",
    "emoji 🎺🏽‍🚀 \u202eback\u2028.wav",
    "-rf ~;|*?.wav",
    "'; DROP TABLE runs; --.wav",
    "=1+1.wav",
    "CON.wav",
    ".hidden..wav",
    "x" * 240 + ".wav",
)


@contextlib.contextmanager
def mounted(folder: Path, options: str):
    """Mount a small file system of its own, or skip and say so."""
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        reason = done.stderr.strip() if done.returncode else ""
    except OSError as error:
        reason = str(error)
    if reason:
        warnings.warn(f"NOT TESTED, because no tmpfs can be mounted here: {reason}", stacklevel=2)
        pytest.skip(f"no tmpfs can be mounted here: {reason}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=False)


@pytest.mark.skipif(os.name != "posix", reason="needs names that other systems refuse")
def test_hostile_names_stay_inside_and_are_escaped_on_every_page(
    sound, notebook, manifest, tmp_path
):
    rows = [{"recording": str(sound(name)), "name": f"../../{name}"} for name in NAMES]
    before = set(tmp_path.rglob("*"))
    summary = run_batch([manifest(rows)], tmp_path / "out", notebook=notebook)
    assert (summary.worked, summary.failed) == (len(NAMES), 0)
    outside = set(tmp_path.rglob("*")) - before - set((tmp_path / "out").rglob("*"))
    assert outside == {tmp_path / "out", tmp_path / "manifest.csv"}
    for item in (tmp_path / "out" / "items").iterdir():
        assert re.fullmatch(r"[a-z0-9-]{10,51}", item.name)
    page = (tmp_path / "out" / "index.html").read_text(encoding="utf-8")
    assert "<script>alert" not in page and "&lt;script&gt;alert(1)&lt;!--.wav" in page
    assert run_batch([manifest(rows)], tmp_path / "out", notebook=notebook, resume=True).kept


def test_a_recording_that_is_reached_by_going_up_leaves_its_results_inside(
    sound, notebook, manifest, tmp_path
):
    sound("a.wav")
    (tmp_path / "lists").mkdir()
    path = manifest([{"recording": "../sounds/a.wav"}], "lists/list.csv")
    run_batch([path], tmp_path / "out" / "deep", notebook=notebook)
    assert {p.name for p in (tmp_path / "sounds").iterdir()} == {"a.wav"}
    assert {p.name for p in (tmp_path / "lists").iterdir()} == {"list.csv"}


def test_a_link_in_an_items_place_is_replaced_not_followed(sound, notebook, tmp_path):
    sound("a.wav")
    run_batch([tmp_path / "sounds"], tmp_path / "out", notebook=notebook)
    (item,) = (tmp_path / "out" / "items").iterdir()
    elsewhere = tmp_path / "elsewhere"
    item.rename(elsewhere)
    (elsewhere / "layout.json").unlink()
    item.symlink_to(elsewhere)
    run_batch([tmp_path / "sounds"], tmp_path / "out", notebook=notebook, resume=True)
    assert not item.is_symlink() and (item / "layout.json").is_file()
    assert (elsewhere / "run.json").is_file()


def test_a_full_disk_ends_the_batch_with_one_line_and_leaves_nothing_half_done(
    sound, notebook, manifest, tmp_path, capsys, monkeypatch
):
    rows = [{"recording": str(sound(f"{k}.wav", k)), "label": ""} for k in range(60)]
    monkeypatch.setattr("signal.signal", lambda *_: None)
    with mounted(tmp_path / "disk", "size=200k") as disk:
        told = ["batch", str(manifest(rows)), "--out", str(disk / "out")]
        monkeypatch.setattr(sys, "argv", ["spa2v", *told, "--notebook", str(notebook)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        said = capsys.readouterr().err
        assert ended.value.code == 2
        assert "Traceback" not in said and "cannot write" in said.splitlines()[-1]
        items = list((disk / "out" / "items").iterdir())
        done = [item for item in items if (item / "run.json").is_file()]
        assert 0 < len(done) < 60
        assert all((item / "item.json").is_file() for item in done)
        assert [item for item in items if item.name[0] == "."] == []


@pytest.mark.parametrize("size", ["4k", "8k", "200k", "400k"])
def test_a_full_disk_ends_a_run_with_one_error_wherever_it_happens(
    sound, tmp_path, monkeypatch, size
):
    """From the first file to the last: cues, layout, video, report."""

    def generate(layout, *_, **__):
        shape = (layout.frame_count, 64, 64, 3)
        noise = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
        return Video(noise, layout.fps, layout)

    monkeypatch.setattr("spa2v_lib.sampling.generate", generate)
    with mounted(tmp_path / "disk", f"size={size}") as disk:
        with pytest.raises(OutputError, match="cannot write .*No space left"):
            generate_run(sound("a.wav"), disk / "out", label="car", fps=30)
        assert list(disk.iterdir()) == []


@pytest.mark.parametrize("ending", ["wav", "flac"])
def test_a_full_disk_leaves_no_half_recording(tmp_path, ending):
    noise = Recording.from_samples(
        0.1 * np.random.default_rng(0).standard_normal((2, 50_000)), 8000
    )
    with mounted(tmp_path / "disk", "size=64k") as disk:
        (disk / f"a.{ending}").write_bytes(b"earlier")
        with pytest.raises(OutputError, match="cannot write .*space left"):
            noise.save(disk / f"a.{ending}")
        assert [path.read_bytes() for path in disk.iterdir()] == [b"earlier"]


def test_a_folder_that_is_read_only_is_refused_before_any_work(sound, notebook, tmp_path):
    sound("a.wav")
    with mounted(tmp_path / "disk", "size=200k,ro") as disk:
        for place in (disk, disk / "new"):
            with pytest.raises(OutputError, match="cannot write"):
                run_batch([tmp_path / "sounds"], place, notebook=notebook)


def test_ten_thousand_rows_are_read_checked_and_named_in_seconds(sound, notebook, tmp_path):
    import time

    from spa2v_lib.batch.manifest import read_rows
    from spa2v_lib.batch.tasks import make_tasks, read_template

    path = sound("a.wav")
    text = "recording,label,seed\n" + "".join(f"{path},car,{k}\n" for k in range(10_000))
    (tmp_path / "list.csv").write_text(text)
    template = read_template(notebook)
    begin = time.process_time()
    rows = read_rows([tmp_path / "list.csv"], template.columns)
    tasks = make_tasks(tmp_path / "out", rows, template, {})
    assert len({task.name for task in tasks}) == 10_000
    assert time.process_time() - begin < 20


@pytest.mark.slow
def test_nothing_opens_a_connection_unless_asked_to(tmp_path):
    """The whole way with the embedded suite: tagger, planner, sampling, report, and index."""
    code = (
        "import sys\n"
        "from spa2v_lib.batch import run_batch\n"
        "summary = run_batch([sys.argv[1]], sys.argv[2], steps=1, max_seconds=1.0)\n"
        "assert (summary.worked, summary.failed) == (1, 0), summary\n"
    )
    offline = [sys.executable, str(Path(__file__).resolve().parents[1] / "offline")]
    told = [str(example_recording(tmp_path)), str(tmp_path / "out")]
    command = [*offline, sys.executable, "-c", code, *told]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    (item,) = (tmp_path / "out" / "items").iterdir()
    assert (item / "video.mp4").is_file() and (item / "thumbnail.webp").is_file()
