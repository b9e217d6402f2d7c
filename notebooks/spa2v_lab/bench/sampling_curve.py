"""How few steps suffice, and how little guidance: quality against cost, scene by scene.

``spa2v bench sampling --curve``. The default grounding samples true layouts of one second, two in
three with one object and the third with two, in other numbers of steps and with guidance in a part
of them; a step without guidance costs half. Beside the measures of `spa2v_lab.bench.sampling` there
are

pixel error
    Mean absolute difference from the drawn scene inside the boxes, in 8-bit values.
processor seconds
    On all cores together, which tells little of what else a machine does.
..., less 25 steps
    The difference from 25 steps guided throughout on the same scene.

The intervals are of 90 %: of a difference whose worse end is within a bound, 95 % of repetitions
would be. A default is as good as 25 steps where IoU, right class and consistency are at most 0.01
worse, and the pixel error at most 3 %, by those ends. What is measured is kept after every video,
so that an interrupted run goes on.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from spa2v_lab.bench.frame import Goal, Results, Row
from spa2v_lab.bench.raw import RAW, RawResults
from spa2v_lab.scenes.picture import draw_scene
from spa2v_lab.scenes.scene import Scene, ground_truth_layout
from spa2v_lib.layout.scene_layout import VideoSceneLayout
from spa2v_lib.runs import StageProgress
from spa2v_lib.runs.record import weights_of
from spa2v_lib.runs.settings import Settings
from spa2v_lib.sampling import generate
from spa2v_lib.sampling.presets import get_preset
from spa2v_lib.sampling.tiny_detector import detect

__all__ = ["CURVE", "FULL", "REFERENCE", "pixel_error", "point_name", "results_of", "run"]

QUICK, FULL = 2, 30
REFERENCE = (25, 0.0, 1.0)
CURVE = (REFERENCE, (8, 0.0, 1.0), (6, 0.0, 1.0), (8, 0.0, 0.5), (6, 0.0, 0.5))
"""Numbers of steps, and the shares of them after which guidance begins and ends."""

LEVEL = 0.9
_SECONDS = 1.0
_SEED = 0
_SHARES = ("IoU", "right class", "consistency")
_WORST, _WORST_PIXELS = -0.01, 0.03
_COST = "processor seconds"

Point = tuple[int, float, float]
Scores = dict[str, float]


def point_name(point: Point) -> str:
    """Say a number of steps and its guidance in words.

    Parameters
    ----------
    point : tuple
        Steps, and the shares of them after which guidance begins and ends.

    Examples
    --------
    >>> [point_name(point) for point in ((25, 0.0, 1.0), (6, 0.0, 0.5), (6, 0.2, 0.8), (6, 0, 0))]
    ['25 steps', '6 steps, guided to 0.5', '6 steps, guided 0.2 to 0.8', '6 steps, unguided']
    """
    steps, start, stop = point
    if start >= stop:
        return f"{steps} steps, unguided"
    if start > 0:
        return f"{steps} steps, guided {start:g} to {stop:g}"
    return f"{steps} steps" + (f", guided to {stop:g}" if stop < 1 else "")


def run(
    scene: Callable[..., Scene],
    score: Callable[..., Scores],
    *,
    quick: bool,
    seed: int,
    progress: StageProgress,
    out: Path,
    overwrite: bool = False,
) -> Results:
    """Measure what is not measured yet, and compare.

    Parameters
    ----------
    scene, score : callable
        `spa2v_lab.bench.sampling.scene` and `score`.
    quick, seed, progress
        As in `spa2v_lab.bench.frame.run_benchmark`.
    out : Path
        Folder that keeps what is measured.
    overwrite : bool
        Begin anew where it was measured with other weights or another seed.

    Examples
    --------
    >>> from spa2v_lab.bench import run_benchmark
    >>> run_benchmark("sampling", "out", curve=True).rows[0].method  # doctest: +SKIP
    '25 steps'
    """
    asked = {"seed": seed, "seconds": _SECONDS, "weights": weights_of(Settings())}
    kept = RawResults(out / RAW, asked, overwrite=overwrite)
    count, warm = QUICK if quick else FULL, False
    for number in range(count):
        drawn = scene(seed, number, _SECONDS)
        for point in CURVE:
            part = kept.part(point_name(point))
            if str(number) in part:
                continue
            if not warm:  # libraries and weights load on the first call
                generate(ground_truth_layout(drawn), seed=_SEED, steps=1)
                warm = True
            kept.put(part, str(number), _scores(drawn, score, point))
        progress("scenes", number + 1, count)
    return results_of(kept.raw, seed)


def results_of(raw: dict[str, Any], seed: int) -> Results:
    """Return the tables of what is measured; a point is compared on the scenes that it has.

    Parameters
    ----------
    raw : dict
        From `spa2v_lab.bench.raw`.
    seed : int
        Of the resampling.

    Examples
    --------
    >>> scores = {"IoU": 0.8, "right class": 1.0, "consistency": 0.9, "pixel error": 20.0}
    >>> scores["processor seconds"] = 5.0
    >>> raw = {point_name(point): {"0": scores} for point in CURVE}
    >>> results_of(raw, 0).rows[1].measures["IoU, less 25 steps"].mean
    0.0
    """
    usual = raw[point_name(REFERENCE)]
    points = {p: raw.get(point_name(p), {}) for p in CURVE}
    rows = [
        _row(
            point, [(one, usual[number]) for number, one in found.items() if number in usual], seed
        )
        for point, found in points.items()
        if found
    ]
    return Results("sampling", rows, _goals(rows))


def _scores(scene: Scene, score: Callable[..., Scores], point: Point) -> Scores:
    layout = ground_truth_layout(scene)
    truth = draw_scene(scene, width=get_preset("tiny").size[0])
    steps, start, stop = point
    begin = time.process_time()
    video = generate(layout, seed=_SEED, steps=steps, guidance_start=start, guidance_stop=stop)
    cost = time.process_time() - begin
    found = score(layout, video.frames, detect(video.frames))
    return found | {"pixel error": pixel_error(layout, video.frames, truth), _COST: cost}


def pixel_error(layout: VideoSceneLayout, frames: np.ndarray, truth: np.ndarray) -> float:
    """Return the mean absolute difference of two videos inside the layout's boxes.

    Parameters
    ----------
    layout : VideoSceneLayout
        What both were made from; its boxes say where to compare.
    frames, truth : np.ndarray [shape=(time, height, width, 3), dtype=uint8]

    Returns
    -------
    float
        In 8-bit values, from 0 to 255; NaN where no box holds a pixel.

    Examples
    --------
    >>> from spa2v_lib.sampling.selfcheck import known_layout
    >>> black = np.zeros((16, 32, 32, 3), np.uint8)
    >>> pixel_error(known_layout(1.0), black, black + 3)
    3.0
    """
    height, width = frames.shape[1:3]
    errors = []
    for shown, true, row in zip(frames, truth, layout.frame_boxes(), strict=True):
        for box in filter(None, row):
            x0, x1 = round(box.x0 * width), round(box.x1 * width)
            y0, y1 = round(box.y0 * height), round(box.y1 * height)
            inside = np.abs(shown[y0:y1, x0:x1].astype(float) - true[y0:y1, x0:x1])
            errors += [inside.mean()] if inside.size else []
    return float(np.mean(errors)) if errors else float("nan")


def _row(point: Point, scenes: list[tuple[dict, dict]], seed: int) -> Row:
    """Return means, and the differences from the reference on the same scenes."""
    pairs = [
        {name: _number(value) for name, value in one.items()}
        | {
            f"{name}, less 25 steps": _number(value) - _number(usual[name])
            for name, value in one.items()
            if name != _COST
        }
        | {f"{_COST}, times 25 steps": _number(one[_COST]) / _number(usual[_COST])}
        for one, usual in scenes
    ]
    return Row.of(point_name(point), "steps and guidance", pairs, seed, LEVEL)


def _number(value: float | None) -> float:
    """Return a kept value, which is None where there was nothing to measure."""
    return math.nan if value is None else value


def _goals(rows: list[Row]) -> list[Goal]:
    """Hold the preset's own steps and guidance to the reference, by the intervals' worse ends."""
    preset = get_preset("tiny")
    by_name = {row.method: row.measures for row in rows}
    own = by_name[point_name((preset.steps, preset.guidance_start, preset.guidance_stop))]
    pixels = own["pixel error, less 25 steps"].high
    usual = by_name[point_name(REFERENCE)]["pixel error"].mean
    share = None if pixels is None or not usual else pixels / usual
    return [
        *(
            Goal(
                f"{name} of the default, less 25 steps, low end",
                ">=",
                _WORST,
                own[f"{name}, less 25 steps"].low,
            )
            for name in _SHARES
        ),
        Goal("pixel error of the default over 25 steps, high end", "<=", _WORST_PIXELS, share),
        Goal(
            f"{_COST} by default, over 25 steps", "<=", 0.25, own[f"{_COST}, times 25 steps"].mean
        ),
    ]
