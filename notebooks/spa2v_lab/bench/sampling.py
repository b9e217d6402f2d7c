"""Whether sampled videos follow their layouts, on scenes that no training saw.

True layouts of simulated scenes are sampled with the tiny preset; a detector that was trained
apart finds the objects again. Two scenes in three hold one object, the third two.

Methods
-------
migc, gligen, attention, lvd
    Base and motion adapter with this grounding; layers were never trained together with either.
none
    The same without grounding: captions alone decide.
mirrored layout
    The videos of the default grounding against the layout with left and right exchanged: chance.
    The same videos are scored again, nothing is sampled anew.
drawn
    The frames that the scene itself draws: the detector's own ceiling.

Measures
--------
IoU
    Of the conditioning box and the best detection of the right class; 0 without one. Frames without
    a box do not count.
right class
    Share of those frames in which the class is detected with any overlap at all.
consistency
    `spa2v_lab.metrics.video.object_consistency` along the boxes.
seconds, times plain
    To sample a video, and over the time of "none" on the same scene.
memory, times plain
    Peak memory of a process that samples one video, over that of "none".

Steps and guidance
------------------
Rows such as "6 steps, guided to 0.5" show the default grounding with other numbers of steps, and
guidance in the first share of them alone: a step without guidance costs half. Beside the measures
above they have the pixel error, the mean absolute difference from the drawn scene inside the boxes
in 8-bit values, and each measure's difference from 25 steps guided throughout on the same scene.

With a folder of layouts, those are sampled instead, see `spa2v_lab.bench.given_layouts`. Where there
is a GPU, `spa2v_lab.bench.sampling_gpu` adds the cost of grounding at full size.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np

from spa2v_lab.bench import given_layouts, sampling_gpu
from spa2v_lab.bench.frame import Goal, Interval, Results, Row, interval
from spa2v_lab.bench.speed import measured_process
from spa2v_lab.metrics.video import object_consistency
from spa2v_lab.scenes.picture import draw_scene
from spa2v_lab.scenes.sampler import MOTIONS, sample_scene
from spa2v_lab.scenes.scene import Scene, ground_truth_layout
from spa2v_lib.layout.scene_layout import VideoSceneLayout
from spa2v_lib.runs import StageProgress
from spa2v_lib.sampling import generate
from spa2v_lib.sampling.presets import get_preset
from spa2v_lib.sampling.tiny_detector import Detection, detect
from spa2v_lib.video import Video

__all__ = ["CURVE", "pixel_error", "run", "score"]

QUICK, FULL = 6, 30
CURVE_QUICK = 2  # scenes of the curve in the quick variant
REFERENCE = (25, 1.0)
CURVE = (REFERENCE, (12, 1.0), (8, 1.0), (6, 1.0), (8, 0.5), (6, 0.5), (4, 0.5), (6, 0.0))
"""Numbers of steps, and the share of them after which guidance stops."""

_SECONDS = 2.0  # one window of the motion modules
_OFF_CENTRE = 0.12  # least mean distance from the middle, in picture widths
_FIRST_SEED = 9_000_000_000  # beyond the 31 bits that training scenes are drawn from
_SEED = 0
_MEASURES = ("IoU", "right class", "consistency", "seconds", "seconds, times plain")
_COMPARED = (*_MEASURES[:3], "pixel error")
_ONE_VIDEO = (
    "import sys; from spa2v_lib.sampling import generate; "
    "from spa2v_lib.sampling.selfcheck import known_layout; "
    "generate(known_layout(1.0), grounding=sys.argv[1], steps=3)"
)

Scores = dict[str, dict[str, float]]  # by method and measure


def run(*, quick: bool, seed: int, progress: StageProgress, layouts: Path | None = None) -> Results:
    """Sample and score every scene; parameters as in `spa2v_lab.bench.frame.run_benchmark`.

    Examples
    --------
    >>> from spa2v_lab.bench import run_benchmark
    >>> results = run_benchmark("sampling", "results", quick=True)  # doctest: +SKIP
    >>> results.rows[0].method, results.rows[0].condition  # doctest: +SKIP
    ('none', 'all')
    """
    if layouts is not None:
        return given_layouts.run(layouts, score, quick=quick, seed=seed, progress=progress)
    count = QUICK if quick else FULL
    methods = ("none", *get_preset("tiny").groundings)
    generate(
        ground_truth_layout(_scene(seed, 0)), seed=_SEED, steps=1
    )  # weights load on the first call
    scores: list[Scores] = []
    kinds: list[set[str]] = []
    for number in range(count):
        scene = _scene(seed, number)
        layout = ground_truth_layout(scene)
        scores.append(_scores(scene, layout, methods))
        kinds.append(_conditions(layout))
        progress("scenes", number + 1, count)
    curve_count = CURVE_QUICK if quick else count
    curve = []
    for number in range(curve_count):
        curve.append(_curve_scores(_scene(seed, number)))
        progress("steps", number + 1, curve_count)
    curve_rows = _curve_rows(curve, seed)
    rows = [
        _row(method, condition, scores, [condition in kind for kind in kinds], seed)
        for method in scores[0]
        for condition in ("all", "one object", "one object, off-centre", "two objects")
    ]
    rows += _memory(methods)
    at_full_size = sampling_gpu.rows()
    goals = _goals(rows) + _curve_goals(curve_rows) + sampling_gpu.goals(at_full_size)
    return Results("sampling", rows + curve_rows + at_full_size, goals)


def _scene(seed: int, number: int) -> Scene:
    preset = get_preset("tiny")
    return sample_scene(
        _FIRST_SEED + 100_000 * seed + number,
        motion=MOTIONS[number % len(MOTIONS)],
        labels=preset.labels,
        styles=("fluent3d",),
        object_count=2 if number % 3 == 2 else 1,
        duration_s=_SECONDS,
    )


def _conditions(layout: VideoSceneLayout) -> set[str]:
    if len(layout.objects) > 1:
        return {"all", "two objects"}
    away = [abs(b.center[0] - 0.5) for row in layout.frame_boxes() for b in row if b]
    off_centre = bool(away) and float(np.mean(away)) >= _OFF_CENTRE
    return {"all", "one object"} | ({"one object, off-centre"} if off_centre else set())


def _scores(scene: Scene, layout: VideoSceneLayout, methods: tuple[str, ...]) -> Scores:
    found: Scores = {}
    default = next(iter(get_preset("tiny").groundings))
    for method in methods:
        video, seconds = _sampled(layout, method)
        detections = detect(video.frames)
        found[method] = score(layout, video.frames, detections) | {"seconds": seconds}
        found[method]["seconds, times plain"] = seconds / found["none"]["seconds"]
        if method == default:
            found["mirrored layout"] = score(layout.mirrored(), video.frames, detections)
    frames = draw_scene(scene, width=get_preset("tiny").size[0])
    return found | {"drawn": score(layout, frames, detect(frames))}


def _sampled(layout: VideoSceneLayout, method: str) -> tuple[Video, float]:
    begin = time.perf_counter()
    video = generate(layout, seed=_SEED, grounding=method)
    return video, time.perf_counter() - begin


def score(
    layout: VideoSceneLayout, frames: np.ndarray, found: list[list[Detection]]
) -> dict[str, float]:
    """Compare frames and their detections [frame] with the layout; NaN where nothing was asked.

    Parameters
    ----------
    layout : VideoSceneLayout
        What the frames were sampled from.
    frames : ndarray [frames, height, width, 3]
        uint8.
    found : list of list of Detection
        For each frame what the detector has found in it.

    Returns
    -------
    dict of str to float
        "IoU" and "right class", in [0, 1], and "consistency", a cosine in [-1, 1].

    Examples
    --------
    >>> from spa2v_lib.sampling.selfcheck import known_layout
    >>> layout = known_layout(1.0)
    >>> frames = np.zeros((layout.frame_count, 32, 32, 3), np.uint8)
    >>> nothing = score(layout, frames, [[] for _ in frames])
    >>> nothing["IoU"], nothing["right class"]
    (0.0, 0.0)
    """
    boxes = layout.frame_boxes()
    overlaps = [
        max((box.iou(d.box) for d in seen if d.label == thing.label), default=0.0)
        for row, seen in zip(boxes, found, strict=True)
        for thing, box in zip(layout.objects, row, strict=True)
        if box is not None
    ]
    if not overlaps:
        return dict.fromkeys(_MEASURES[:3], float("nan"))
    alike = [
        object_consistency(frames, [row[index] for row in boxes])
        for index in range(len(layout.objects))
    ]
    return {
        "IoU": float(np.mean(overlaps)),
        "right class": float(np.mean(np.array(overlaps) > 0)),
        "consistency": float(np.nanmean(alike)) if not np.all(np.isnan(alike)) else float("nan"),
    }


def _curve_name(steps: int, stop: float) -> str:
    part = {0.0: "unguided", 1.0: "guided throughout"}.get(stop, f"guided to {stop:g}")
    return f"{steps} steps, {part}"


def _curve_scores(scene: Scene) -> Scores:
    """Sample a scene at every point of the curve and compare with the reference."""
    layout, truth = ground_truth_layout(scene), draw_scene(scene, width=get_preset("tiny").size[0])
    found: Scores = {}
    for steps, stop in CURVE:
        begin = time.perf_counter()
        video = generate(layout, seed=_SEED, steps=steps, guidance_start=0.0, guidance_stop=stop)
        seconds = time.perf_counter() - begin
        scores = score(layout, video.frames, detect(video.frames))
        scores["pixel error"] = pixel_error(layout, video.frames, truth)
        reference = found.get(_curve_name(*REFERENCE), scores)
        scores["seconds"] = seconds
        less = {f"{name}, less 25 steps": scores[name] - reference[name] for name in _COMPARED}
        less["seconds, times 25 steps"] = seconds / reference["seconds"]
        found[_curve_name(steps, stop)] = scores | less
    return found


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


def _curve_rows(scores: list[Scores], seed: int) -> list[Row]:
    return [
        Row(
            name,
            "steps and guidance",
            len(scores),
            {
                measure: interval([one[name][measure] for one in scores], seed)
                for measure in scores[0][name]
            },
        )
        for name in scores[0]
    ]


def _curve_goals(rows: list[Row]) -> list[Goal]:
    """Hold the preset's own steps and guidance to the reference, by the intervals' worse ends."""
    preset = get_preset("tiny")
    by_name = {row.method: row.measures for row in rows}
    own = by_name[_curve_name(preset.steps, preset.guidance_stop)]
    pixels, usual = (
        own["pixel error, less 25 steps"].high,
        by_name[_curve_name(*REFERENCE)]["pixel error"].mean,
    )
    share = None if pixels is None or not usual else pixels / usual
    time_ratio = own["seconds, times 25 steps"].mean
    return [
        *(
            Goal(f"{name} of the default, less 25 steps, low end", ">=", -0.01, low)
            for name in _COMPARED[:3]
            for low in (own[f"{name}, less 25 steps"].low,)
        ),
        Goal("pixel error of the default over 25 steps, high end", "<=", 0.03, share),
        Goal("time to sample by default, over 25 steps", "<=", 0.25, time_ratio),
    ]


def _row(method: str, condition: str, scores: list[Scores], chosen: list[bool], seed: int) -> Row:
    kept = [s[method] for s, wanted in zip(scores, chosen, strict=True) if wanted]
    names = [name for name in _MEASURES if any(name in one for one in kept)]
    measures = {name: interval([one[name] for one in kept], seed) for name in names}
    return Row(method, condition, len(kept), measures)


def _memory(methods: tuple[str, ...]) -> list[Row]:
    """Measure the peak memory of a process that samples one video with each method."""
    peaks = {
        method: measured_process([sys.executable, "-c", _ONE_VIDEO, method]).gigabytes
        for method in methods
    }
    return [
        Row(
            method,
            "one process",
            1,
            {
                "GB of memory": Interval(peak, peak, peak, 1),
                "memory, times plain": Interval(*(peak / peaks["none"],) * 3, 1),
            },
        )
        for method, peak in peaks.items()
    ]


def _goals(rows: list[Row]) -> list[Goal]:
    def mean(method: str, condition: str, measure: str) -> float | None:
        for row in rows:
            if (row.method, row.condition) == (method, condition) and measure in row.measures:
                return row.measures[measure].mean
        return None

    layers = ("migc", "gligen")
    best = max(layers, key=lambda method: mean(method, "one object", "IoU") or 0.0)
    grounded, plain = mean(best, "one object", "IoU"), mean("none", "one object", "IoU")
    gain = None if grounded is None or plain is None else grounded - plain
    ratio, memory = "seconds, times plain", "memory, times plain"
    return [
        Goal("mean IoU, one object, MIGC or GLIGEN kind", ">=", 0.55, grounded),
        Goal("the same, above plain sampling", ">=", 0.3, gain),
        Goal("right class", ">=", 0.9, mean(best, "one object", "right class")),
        Goal("mean IoU, two objects", ">=", 0.45, mean(best, "two objects", "IoU")),
        *(Goal(f"time over plain, {m}", "<=", 1.25, mean(m, "all", ratio)) for m in layers),
        *(
            Goal(f"memory over plain, {m}", "<=", 1.25, mean(m, "one process", memory))
            for m in layers
        ),
        Goal("time over plain, attention", "<=", 1.1, mean("attention", "all", ratio)),
        Goal("16 frames, default steps, seconds", "<=", 35, mean(best, "all", "seconds")),
    ]
