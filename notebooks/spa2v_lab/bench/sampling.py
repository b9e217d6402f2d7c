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
    `spa2v_lab.metrics.video.consistency` along the boxes.
seconds, times plain
    To sample a video, and over the time of "none" on the same scene.
memory, times plain
    Peak memory of a process that samples one video, over that of "none".

With a folder of layouts, those are sampled instead, see `spa2v_lab.bench.given_layouts`; with
`curve`, the default grounding with other numbers of steps and other guidance, see
`spa2v_lab.bench.sampling_curve`. Where there is a GPU, `spa2v_lab.bench.sampling_gpu` adds the cost
of grounding at full size.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np

from spa2v_lab.bench import given_layouts, sampling_curve, sampling_gpu
from spa2v_lab.bench.frame import Goal, Interval, Results, Row
from spa2v_lab.bench.planning_scores import off_centre
from spa2v_lab.bench.processes import measured_process
from spa2v_lab.metrics.video import consistency
from spa2v_lab.scenes.picture import draw_scene
from spa2v_lab.scenes.sampler import MOTIONS, sample_scene
from spa2v_lab.scenes.scene import Scene, ground_truth_layout
from spa2v_lib.layout.scene_layout import VideoSceneLayout
from spa2v_lib.runs import StageProgress
from spa2v_lib.sampling import generate
from spa2v_lib.sampling.presets import get_preset
from spa2v_lib.sampling.tiny_detector import Detection, detect
from spa2v_lib.video import Video

__all__ = ["run", "scene", "score"]

QUICK, FULL = 6, 30
_SECONDS = 2.0  # one window of the motion modules
_FIRST_SEED = 9_000_000_000  # beyond the 31 bits that training scenes are drawn from
_SEED = 0
_SCORES = ("IoU", "right class", "consistency")
_ONE_VIDEO = (
    "import sys; from spa2v_lib.sampling import generate; "
    "from spa2v_lib.sampling.selfcheck import known_layout; "
    "generate(known_layout(1.0), grounding=sys.argv[1], steps=3)"
)

Scores = dict[str, dict[str, float]]  # by method and measure


def run(
    *,
    quick: bool,
    seed: int,
    progress: StageProgress,
    layouts: Path | None = None,
    curve: bool = False,
    out: Path | None = None,
    overwrite: bool = False,
) -> Results:
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
    if curve and out is not None:
        how = {"seed": seed, "progress": progress, "out": out, "overwrite": overwrite}
        return sampling_curve.run(scene, score, quick=quick, **how)
    count = QUICK if quick else FULL
    methods = ("none", *get_preset("tiny").groundings)
    generate(
        ground_truth_layout(scene(seed, 0)), seed=_SEED, steps=1
    )  # weights load on the first call
    scores: list[Scores] = []
    kinds: list[set[str]] = []
    for number in range(count):
        drawn = scene(seed, number)
        layout = ground_truth_layout(drawn)
        scores.append(_scores(drawn, layout, methods))
        kinds.append(conditions_of(layout))
        progress("scenes", number + 1, count)
    rows = [
        _row(method, condition, scores, [condition in kind for kind in kinds], seed)
        for method in scores[0]
        for condition in ("all", "one object", "one object, off-centre", "two objects")
    ]
    rows += _memory(methods)
    at_full_size = sampling_gpu.rows()
    return Results(
        "sampling", rows + at_full_size, goals_of(rows) + sampling_gpu.goals(at_full_size)
    )


def scene(seed: int, number: int, seconds: float = _SECONDS) -> Scene:
    """Return a scene that no training saw; of three, the third has two objects.

    Parameters
    ----------
    seed : int
        Of the benchmark.
    number : int
        From 0 up.
    seconds : float
        How long it lasts.

    Examples
    --------
    >>> [len(scene(0, number).objects) for number in range(3)]
    [1, 1, 2]
    """
    preset = get_preset("tiny")
    return sample_scene(
        _FIRST_SEED + 100_000 * seed + number,
        motion=MOTIONS[number % len(MOTIONS)],
        labels=preset.labels,
        styles=("fluent3d",),
        object_count=2 if number % 3 == 2 else 1,
        duration_s=seconds,
    )


def conditions_of(layout: VideoSceneLayout) -> set[str]:
    """Return the conditions whose rows a scene of this layout counts for."""
    if len(layout.objects) > 1:
        return {"all", "two objects"}
    return {"all", "one object"} | ({"one object, off-centre"} if off_centre(layout) else set())


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
        return dict.fromkeys(_SCORES, float("nan"))
    return {
        "IoU": float(np.mean(overlaps)),
        "right class": float(np.mean(np.array(overlaps) > 0)),
        "consistency": consistency(frames, layout),
    }


def _row(method: str, condition: str, scores: list[Scores], chosen: list[bool], seed: int) -> Row:
    kept = [s[method] for s, wanted in zip(scores, chosen, strict=True) if wanted]
    return Row.of(method, condition, kept, seed)


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


def goals_of(rows: list[Row]) -> list[Goal]:
    """Return the goals of the small suite, measured by its rows."""

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
