"""Batches: what a second worker brings, what a notebook costs, how soon a finished batch is seen.

Times are wall time on this machine, with whatever else it is doing. Seconds from item to item
count after every worker's first, so that starting and loading, which happen once a worker, do not;
each worker keeps to one thread.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from spa2v_lab.bench.frame import Goal, Results, Row, interval
from spa2v_lab.bench.speed import passing_noise
from spa2v_lib.errors import Spa2vError
from spa2v_lib.runs import StageProgress

if TYPE_CHECKING:
    from spa2v_lib.batch import BatchSummary

__all__ = ["GOALS", "run"]

GOALS = {
    "throughput of two workers, times one worker's on one core": (">=", 1.8),
    "notebook's overhead per item, seconds": ("<=", 3),
    "resuming a finished batch of 1,000 items, seconds": ("<=", 10),
}
"""What was asked for – relation and bound, by name."""

_SECONDS = 2.0
_FINISHED = 1000


def run(*, quick: bool, seed: int, progress: StageProgress) -> Results:
    """Run batches with one and with two workers, and resume a large one.

    Parameters
    ----------
    quick : bool
        Fewer items; the batch that is resumed has 1,000 in any case.
    seed : int
        Of the sounds and of what is drawn.
    progress : callable
        Called with what is measured, the steps done and the steps in all.

    See Also
    --------
    spa2v_lab.bench.run_benchmark : writes the results, too

    Examples
    --------
    >>> run(quick=True, seed=0, progress=print).goals  # doctest: +SKIP
    """
    count = 5 if quick else 14
    with tempfile.TemporaryDirectory() as name, _one_thread():
        place = Path(name).resolve()
        for number in range(count):
            sound = passing_noise(_SECONDS, [seed, number])
            sound.save(place / "sounds" / f"{number:03d}.wav")
        gaps: dict[int, list[float]] = {}
        overheads: list[float] = []
        for workers in (1, 2):
            progress("workers", workers - 1, 2)
            gaps[workers], seconds = _gaps(place, workers, seed)
            overheads += seconds
        progress("workers", 2, 2)
        progress("resuming", 0, 1)
        resumed = _resumed(place, seed)
        progress("resuming", 1, 1)
    ratio = np.mean(gaps[1]) / np.mean(gaps[2])
    measured = (float(ratio), float(np.median(overheads)), resumed)
    values = dict(zip(GOALS, measured, strict=True))
    rows = [
        Row(
            f"{workers} worker{'s' if workers > 1 else ''}",
            f"{_SECONDS:g} s of sound",
            len(waits),
            {"seconds an item": interval(waits, seed)},
        )
        for workers, waits in gaps.items()
    ]
    rows.append(
        Row(
            "notebook",
            "beyond the pipeline",
            len(overheads),
            {"seconds": interval(overheads, seed)},
        )
    )
    rows.append(
        Row("resuming", "finished batch", _FINISHED, {"seconds": interval([resumed], seed)})
    )
    goals = [Goal(name, *GOALS[name], values[name]) for name in GOALS]
    return Results("batch", rows, goals)


@contextmanager
def _one_thread() -> Iterator[None]:
    """Let workers that start keep to one thread."""
    before = os.environ.get("OMP_NUM_THREADS")
    os.environ["OMP_NUM_THREADS"] = "1"
    try:
        yield
    finally:
        del os.environ["OMP_NUM_THREADS"]
        if before is not None:
            os.environ["OMP_NUM_THREADS"] = before


def _gaps(place: Path, workers: int, seed: int) -> tuple[list[float], list[float]]:
    """Return seconds from item to item, and every item's seconds beyond its run."""
    from spa2v_lib.batch import Engine

    moments: list[float] = []
    engine = Engine("processes", workers=workers)
    out = place / f"out{workers}"
    _batch(place, out, seed, engine=engine, progress=lambda _: moments.append(time.perf_counter()))
    later = moments[workers - 1 :]
    summaries = [
        json.loads(path.read_text(encoding="utf-8"))["summary"]
        for path in out.glob("items/*/item.json")
    ]
    beyond = sorted(one["seconds"] - one["pipeline_s"] for one in summaries)
    # The slowest of each worker is its first, whose libraries load inside the notebook.
    return np.diff(later).tolist(), beyond[:-workers]


def _batch(place: Path, out: Path, seed: int, **given: object) -> BatchSummary:
    from spa2v_lib.batch import run_batch

    summary = run_batch([place / "sounds"], out, label="car", seed=seed, **given)  # type: ignore
    if summary.failed:
        raise Spa2vError(f"{summary.failed} items of the benchmark's batch failed")
    return summary


def _resumed(place: Path, seed: int) -> float:
    """Return how long a batch takes that finds 1,000 real items done."""
    from spa2v_lib.batch.manifest import read_rows
    from spa2v_lib.batch.store import ITEM
    from spa2v_lib.batch.tasks import end_to_end, make_tasks, read_template

    done, sound = place / "out1", place / "sounds" / "000.wav"
    shutil.copytree(done, place / "many", ignore=shutil.ignore_patterns("items"))
    for path in (place / "sounds").glob("*.wav"):
        if path != sound:
            path.unlink()
    for number in range(1, _FINISHED):
        shutil.copy(sound, place / "sounds" / f"{number:03d}.wav")
    template = read_template(end_to_end())
    rows = read_rows([place / "sounds"], template.columns)
    tasks = make_tasks(place / "many", rows, template, {"label": "car", "seed": seed})
    (one,) = done.glob("items/000-*")
    record = json.loads((one / ITEM).read_text(encoding="utf-8"))
    for task in tasks:
        copy = shutil.copytree(one, place / "many" / "items" / task.name)
        fields = {**record, "title": task.title, "number": task.number, "recording": task.written}
        (copy / ITEM).write_text(json.dumps(fields), encoding="utf-8")
    begin = time.perf_counter()
    summary = _batch(place, place / "many", seed, resume=True)
    seconds = time.perf_counter() - begin
    if summary.kept != _FINISHED:
        raise Spa2vError(f"{summary.kept} of {_FINISHED} finished items were taken as such")
    return seconds
