"""Worker processes: replaced when they die, ended when they take too long, gone with the batch."""

from __future__ import annotations

import csv
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
import pytest

from spa2v_lib.batch import Engine, run_batch
from spa2v_lib.batch.store import SCRATCH
from spa2v_lib.batch.workers import default_workers, run_tasks
from spa2v_lib.errors import BatchError
from spa2v_lib.folders import sweep
from spa2v_lib.runs import code_hash


@pytest.fixture(autouse=True)
def temporary(tmp_path, monkeypatch):
    """Return the folder for temporary files, of this process and of those that it starts."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr(tempfile, "tempdir", None)
    return folder


def statuses(root: Path) -> dict[str, tuple[str, str]]:
    with (root / "results.csv").open(encoding="utf-8", newline="") as stream:
        return {row["name"]: (row["status"], row["error"]) for row in csv.DictReader(stream)}


@pytest.mark.slow
def test_a_worker_that_dies_or_takes_too_long_costs_its_item_alone(
    sound, notebook, manifest, tmp_path
):
    seeds = {"a.wav": 1, "dies.wav": 991, "b.wav": 2, "sleeps.wav": 992, "c.wav": 3}
    rows = [{"recording": str(sound(name)), "seed": seed} for name, seed in seeds.items()]
    engine = Engine("processes", workers=1, timeout_s=25.0, tries=2)
    summary = run_batch([manifest(rows)], tmp_path / "out", notebook=notebook, engine=engine)
    assert (summary.worked, summary.failed) == (5, 2)
    found = statuses(tmp_path / "out")
    assert [found[name][0] for name in ("a.wav", "b.wav", "c.wav")] == ["done"] * 3
    assert "SIGKILL" in found["dies.wav"][1] and "2 times" in found["dies.wav"][1]
    assert "gave up after 25 s" in found["sleeps.wav"][1]
    for item in (tmp_path / "out" / "items").iterdir():
        assert item.name[0] != "." and (item / "notebook.ipynb").is_file()
        assert (item / "run.json").is_file() == (item.name.split("-")[0] in ("a", "b", "c"))


def _children() -> set[int]:
    """Return this process's children that run; others may have ended and not been fetched yet."""
    found = psutil.Process().children()
    return {child.pid for child in found if child.status() != psutil.STATUS_ZOMBIE}


def test_workers_go_with_the_batch_and_leave_nothing(sound, notebook, tmp_path, temporary):
    before = _children()
    sound("a.wav"), sound("b.wav")
    engine = Engine("processes", workers=2)
    assert run_batch(
        [tmp_path / "sounds"], tmp_path / "out", engine=engine, notebook=notebook
    ).worked
    assert _children() - before == set()
    assert list(temporary.iterdir()) == []


_BATCH = """
import sys
from spa2v_lib import cli
sys.argv = ["spa2v", "batch", *sys.argv[1:]]
cli.main()
"""


@pytest.mark.skipif(os.name != "posix", reason="needs POSIX signals")
@pytest.mark.parametrize(
    ("engine", "number"),
    [
        ("inline", signal.SIGKILL),
        pytest.param("inline", signal.SIGTERM, marks=pytest.mark.slow),
        pytest.param("processes", signal.SIGKILL, marks=pytest.mark.slow),
        pytest.param("processes", signal.SIGTERM, marks=pytest.mark.slow),
    ],
)
def test_a_batch_that_is_killed_leaves_nothing_that_looks_finished_and_can_go_on(
    sound, notebook, manifest, tmp_path, temporary, engine, number
):
    rows = [{"recording": str(sound("a.wav"))}, {"recording": str(sound("b.wav")), "seed": 992}]
    out = tmp_path / "out"
    command = [sys.executable, "-c", _BATCH, str(manifest(rows)), "--notebook", str(notebook)]
    with subprocess.Popen(
        [*command, "--out", str(out), "--engine", engine], stderr=subprocess.PIPE, text=True
    ) as process:
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline and not (
            list(out.glob("items/a-*/run.json")) and list(out.glob("items/.b-*.part"))
        ):
            time.sleep(0.05)
        assert list(out.glob("items/.b-*.part")), "the batch did not come so far"
        workers = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(number)
        _, said = process.communicate(timeout=60)
    assert process.returncode != 0 and "Traceback" not in said
    assert psutil.wait_procs(workers, timeout=30)[1] == []
    left = [path.name for path in (out / "items").iterdir() if path.name[0] != "."]
    assert len(left) == 1 and left[0].startswith("a-")
    hidden = [path.name for path in (out / "items").iterdir() if path.name[0] == "."]
    if number != signal.SIGKILL:  # after which only the next batch can tidy up
        assert hidden == [] and list(temporary.iterdir()) == []
    rows[1]["seed"] = 2
    code_hash.cache_clear()  # the killed process has read the code later than this one
    again = run_batch([manifest(rows)], out, notebook=notebook, resume=True)
    assert (again.kept, again.worked, again.failed) == (1, 1, 0)
    assert not list((out / "items").glob(".*"))
    assert [path for path in temporary.iterdir() if not _in_use(path)] == []


def _in_use(folder: Path) -> bool:
    """Whether this process, which has executed a notebook of its own, holds a folder."""
    return folder in sweep(folder.parent, SCRATCH)


def test_tasks_are_taken_only_as_workers_become_free():
    taken = []

    def tasks():
        for number in range(100):
            taken.append(number)
            yield None

    found = run_tasks(Engine("inline"), tasks())
    with pytest.raises(AttributeError):  # None is no task; the point is how many were taken
        next(found)
    assert taken == [0]


@pytest.mark.parametrize(
    ("engine", "words"),
    [
        (Engine("processes", workers=0), "0 workers"),
        (Engine("processes", timeout_s=0.0), "above 0"),
        (Engine("processes", tries=0), "0 tries"),
        (Engine("ray", gpus_per_item=-1), "fewer than 0"),
    ],
)
def test_a_crew_that_cannot_work_is_refused(engine, words):
    with pytest.raises(BatchError, match=words):
        engine.check()


def test_there_is_at_least_one_worker():
    assert default_workers() >= 1
