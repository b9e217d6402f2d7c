"""The whole pipeline on the benchmark's clips: the paper's two tables, asked again.

Stage 1 (`spa2v_lab.bench.run_layouts`) plans every clip by every method; stage 2
(`spa2v_lab.bench.run_videos`) samples the first of them in every way. Clips come from a seed
(`spa2v_lab.scenes.benchmark`). All that was measured is kept in ``raw.json`` after every clip, so
that an interrupted benchmark goes on when it is called again; tables
(`spa2v_lab.bench.run_tables`) are made from that file alone.

With ``--clips`` one's own recordings are analyzed and planned, see
`spa2v_lab.bench.run_clips`; language models that are named with ``--planner`` plan as well, see
`spa2v_lab.bench.run_layouts`.
"""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

from spa2v_lab.bench.frame import Results
from spa2v_lab.bench.planning_scores import scored, worded
from spa2v_lab.bench.raw import RAW, RawResults
from spa2v_lab.bench.run_layouts import analyzed_clip, layouts_of, simulated_layouts
from spa2v_lab.bench.run_tables import results_of
from spa2v_lab.bench.tables import results_page
from spa2v_lab.scenes.benchmark import draw
from spa2v_lib.files import write_text
from spa2v_lib.runs import StageProgress

__all__ = ["PAGE", "RAW", "run"]

PAGE = "report.html"
"""The rows as tables and plots, in a page that needs no network."""

QUICK, FULL = 24, 200
"""Clips of stage 1."""

QUICK_VIDEOS, VIDEOS = 1, 12
"""Clips of stage 2; each is sampled in nine ways."""

_WORKERS = 2
_FEW = 8  # not worth starting processes for


def run(
    *,
    quick: bool,
    seed: int,
    progress: StageProgress,
    out: Path,
    overwrite: bool = False,
    planners: Sequence[str] = (),
    clips: Path | None = None,
) -> Results:
    """Measure what is not measured yet, and make the tables.

    Parameters
    ----------
    quick : bool
        `QUICK` and `QUICK_VIDEOS` clips instead of `FULL` and `VIDEOS`.
    seed : int
        Decides the clips.
    progress : callable
        Called with what is measured, the steps done and the steps in all.
    out : Path
        The folder of `RAW`.
    overwrite : bool
        Begin anew if `RAW` was measured with something else.
    planners : sequence of str
        Language models to ask as well.
    clips : Path, optional
        A manifest of one's own clips, instead of the benchmark's.

    Raises
    ------
    OutputError, PlanningError, BatchError
        Before anything is measured, if that is known then.

    See Also
    --------
    spa2v_lab.bench.run_benchmark : writes the results, too

    Examples
    --------
    >>> run(quick=True, seed=0, progress=print, out=Path("out")).goals  # doctest: +SKIP
    """
    from spa2v_lab.bench.planning_scores import check_planners
    from spa2v_lab.bench.run_layouts import planned_by_models

    check_planners(planners)
    if clips is not None:
        from spa2v_lab.bench.run_clips import run_clips

        own = run_clips(clips, seed=seed, progress=progress, out=out, overwrite=overwrite)
        return _with_page(own, out)
    kept = RawResults(out / RAW, _asked(quick, seed), overwrite=overwrite)
    _plan(kept, QUICK if quick else FULL, seed, progress)
    planned_by_models(kept, planners, seed, quick, progress)
    _sample(kept, QUICK_VIDEOS if quick else VIDEOS, seed, progress)
    return _with_page(results_of(kept.raw, seed), out)


def _with_page(results: Results, out: Path) -> Results:
    page = results_page(f"spa2v bench {results.name}", results.rows, results.notes)
    write_text(out / PAGE, page)
    return results


def _asked(quick: bool, seed: int) -> dict[str, Any]:
    from spa2v_lib.runs.record import code_hash, weights_of
    from spa2v_lib.runs.settings import Settings

    return {"quick": quick, "seed": seed, "code": code_hash(), "weights": weights_of(Settings())}


def _plan(kept: RawResults, count: int, seed: int, progress: StageProgress) -> None:
    """Stage 1, in two processes; what takes long is rendering rooms."""
    clips = kept.part("stage1")
    todo = [number for number in range(count) if str(number) not in clips]
    begin = time.perf_counter()
    spent = kept.part("seconds").get("stage1", 0.0)
    for done, (number, measured) in enumerate(_measured(todo, seed, count), 1):
        kept.part("seconds")["stage1"] = round(spent + time.perf_counter() - begin, 2)
        kept.put(clips, str(number), measured)
        progress("layouts", count - len(todo) + done, count)


def _measured(todo: Sequence[int], seed: int, count: int) -> Iterator[tuple[int, dict]]:
    jobs = [(seed, number, count) for number in todo]
    if len(jobs) < _FEW or (os.cpu_count() or 1) < 2:
        yield from zip(todo, map(_scored, jobs), strict=True)
        return
    # Spawned, as a process that has loaded torch must not be forked.
    with ProcessPoolExecutor(_WORKERS, multiprocessing.get_context("spawn")) as pool:
        yield from zip(todo, pool.map(_scored, jobs), strict=True)


def _scored(job: tuple[int, int, int]) -> dict[str, Any]:
    """Return what a clip is, and the scores of every method on it."""
    seed, number, count = job
    clip = draw(seed, number)
    analyzed, scene = analyzed_clip(clip, seed), clip.scene
    layouts = layouts_of(analyzed) | simulated_layouts(analyzed, clip, seed, count)
    return {
        "clip": {
            "scene_type": clip.scene_type,
            "labels": [obj.label for obj in scene.objects],
            "motions": list(clip.plan.motions),
            "receiver": scene.receiver,
            "rt60_s": round(scene.rt60_s, 3),
            "noise_db": round(scene.noise_db or 0.0, 2),
            "detected": len(analyzed.cues.sources),
        },
        "scores": {
            method: scored(analyzed.ground_truth, layout) | worded(analyzed.ground_truth, layout)
            for method, layout in layouts.items()
        },
    }


def _sample(kept: RawResults, count: int, seed: int, progress: StageProgress) -> None:
    """Stage 2, in this process: sampling takes all cores by itself."""
    from spa2v_lab.bench.run_videos import sampled

    clips = kept.part("stage2")
    for number in range(count):
        if str(number) not in clips:
            clip = draw(seed, number)
            analyzed = analyzed_clip(clip, seed)
            kept.put(clips, str(number), sampled(analyzed, clip.scene, layouts_of(analyzed)))
        progress("videos", number + 1, count)
