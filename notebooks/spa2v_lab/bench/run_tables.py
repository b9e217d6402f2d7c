"""The tables of the whole-pipeline benchmark, made from its raw results and nothing else.

Chance of AV-Align is that of the same videos with the sound of the other clips. Distances between
the videos of a variant and the drawn ones are over all clips at once and have no interval; with so
few clips they are biased upward, alike for all variants.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import isfinite
from typing import Any

import numpy as np

from spa2v_lab.bench.frame import Goal, Interval, Results, Row, interval
from spa2v_lab.bench.run_videos import DRAWN, SAMPLING_VARIANTS
from spa2v_lab.scenes.benchmark import FPS, SCENE_TYPES
from spa2v_lib.resources import install_command

__all__ = ["STAGE1", "STAGE2", "results_of", "stage1_rows", "stage2_rows"]

STAGE1, STAGE2 = "layouts", "videos"
"""What the rows' methods begin with."""

LONGEST_S = 300.0

_DISTANCE = "Fréchet distance, drawn-world features"
_NOT_SCORES = ("features", "peaks")

Raw = Mapping[str, Any]


def results_of(raw: Raw, seed: int) -> Results:
    """Return rows, goals and notes.

    Parameters
    ----------
    raw : dict
        As kept by `spa2v_lab.bench.run`.
    seed : int
        Of the intervals.

    See Also
    --------
    spa2v_lab.bench.raw.read : reads raw results

    Examples
    --------
    >>> from spa2v_lab.bench.raw import read
    >>> from spa2v_lib.resources import resource
    >>> results = results_of(read(resource("results", "run.json")), seed=0)  # doctest: +SKIP
    """
    rows = stage1_rows(raw, seed) + stage2_rows(raw, seed)
    return Results("run", rows, _goals(rows, raw), _notes(raw))


def stage1_rows(raw: Raw, seed: int) -> list[Row]:
    """Return a row for every method: all clips, those off the centre, and each kind.

    See Also
    --------
    stage2_rows : of the videos

    Examples
    --------
    >>> scores = {"ground truth": {"mirror gap": None}, "full": {"MaxIoU": 0.5}}
    >>> raw = {"stage1": {"0": {"clip": {"scene_type": "stationary, single"}, "scores": scores}}}
    >>> stage1_rows(raw, seed=0)[-1].method
    'layouts: full'
    """
    clips = [raw["stage1"][key] for key in sorted(raw.get("stage1", {}), key=int)]
    if not clips:
        return []
    conditions: list[tuple[str, Callable[[dict], bool]]] = [
        ("all", lambda one: True),
        ("off-centre", lambda one: isfinite(_number(one["scores"]["ground truth"]["mirror gap"]))),
        *(
            (scene_type, lambda one, t=scene_type: one["clip"]["scene_type"] == t)
            for scene_type in SCENE_TYPES
        ),
    ]
    rows = [
        Row.of(f"{STAGE1}: {method}", name, [c["scores"][method] for c in clips if holds(c)], seed)
        for method in clips[0]["scores"]
        for name, holds in conditions
    ]
    return rows + _model_rows(raw, seed)


def _model_rows(raw: Raw, seed: int) -> list[Row]:
    """Return the rows of the language models that were asked."""
    return [
        Row.of(f"{STAGE1}: {method}", "all", [by_clip[k] for k in sorted(by_clip, key=int)], seed)
        for method, by_clip in raw.get("models", {}).items()
        if by_clip
    ]


def stage2_rows(raw: Raw, seed: int) -> list[Row]:
    """Return a row for every variant of a video, with chance and ceiling.

    See Also
    --------
    stage1_rows : of the layouts

    Examples
    --------
    >>> raw = {"stage2": {"0": {"sound": {"onsets": []}, "full": {"LTSim": 0.9}}}}
    >>> (row,) = stage2_rows(raw, seed=0)
    >>> row.method, row.measures["LTSim"].mean
    ('videos: full', 0.9)
    """
    clips = [raw["stage2"][key] for key in sorted(raw.get("stage2", {}), key=int)]
    if not clips:
        return []
    rows = []
    for variant in (name for name in clips[0] if name != "sound"):
        kept = [one[variant] for one in clips]
        scores = [{k: v for k, v in one.items() if k not in _NOT_SCORES} for one in kept]
        row = Row.of(f"{STAGE2}: {variant}", "all", scores, seed)
        row.measures.update(_alignment(clips, variant, seed))
        if variant != DRAWN and "features" in kept[0]:
            row.measures[_DISTANCE] = _distance(kept, [one[DRAWN] for one in clips])
        rows.append(row)
    return rows


def _number(value: float | None) -> float:
    return float("nan") if value is None else float(value)


def _alignment(clips: Sequence[Raw], variant: str, seed: int) -> dict[str, Interval]:
    """Return AV-Align with its chance; empty where the motion could not be measured."""
    from spa2v_lab.metrics.audiovisual import aligned

    peaks = [one[variant].get("peaks") for one in clips]
    if any(times is None for times in peaks):
        return {}
    onsets, window = [one["sound"]["onsets"] for one in clips], 1.0 / FPS
    own = [aligned(o, p, window) for o, p in zip(onsets, peaks, strict=True)]
    others = [
        float(np.nanmean(chance)) if np.isfinite(chance).any() else float("nan")
        for k, p in enumerate(peaks)
        if (chance := [aligned(o, p, window) for j, o in enumerate(onsets) if j != k])
    ]
    return {"AV-Align": interval(own, seed), "AV-Align by chance": interval(others, seed)}


def _distance(kept: Sequence[Raw], drawn: Sequence[Raw]) -> Interval:
    from spa2v_lab.metrics.frechet import frechet_distance

    if len(kept) < 2:
        return Interval(None, None, None, len(kept))
    a, b = (np.array([one["features"] for one in side]) for side in (kept, drawn))
    return Interval(frechet_distance(a, b), None, None, len(kept))


def _goals(rows: Sequence[Row], raw: Raw) -> list[Goal]:
    measures = {(row.method, row.condition): row.measures for row in rows}

    def mean(method: str, measure: str, condition: str = "all") -> float | None:
        of = measures.get((method, condition), {})
        return of[measure].mean if measure in of else None

    full, reached, ceiling = f"{STAGE1}: full", f"{STAGE2}: true layout", f"{STAGE2}: {DRAWN}"
    best, most = mean(reached, "LTSim"), mean(ceiling, "LTSim")
    enough = len(raw.get("stage1", {})) >= 200
    return [
        Goal("full pipeline, MaxIoU", ">=", 0.45, mean(full, "MaxIoU")),
        Goal("full pipeline, LTSim", ">=", 0.90, mean(full, "LTSim")),
        Goal("full pipeline, mirror gap, off-centre clips", ">=", 0.25, mean(full, "mirror gap")),
        Goal(
            "videos of true layouts, LTSim over its ceiling",
            ">=",
            0.85,
            best / most if best is not None and most else None,
        ),
        Goal(
            "stage 1 of 200 clips, seconds",
            "<=",
            LONGEST_S,
            raw.get("seconds", {}).get("stage1") if enough else None,
        ),
    ]


def _notes(raw: Raw) -> list[str]:
    from spa2v_lab.scenes.benchmark import shared_classes

    notes = [
        "simulated clips: see the card that `spa2v scenes --benchmark` writes for what they can "
        "and cannot measure",
        "classes whose one recording sounds in exemplars and clips alike (never in an exemplar "
        f"that is shown for the same recording): {', '.join(shared_classes())}",
        "the tagger has learnt from the very recordings that sound here, which flatters every row "
        "but `true labels` and `recordings left out`",
        f"videos: {len(raw.get('stage2', {}))} clips in {len(SAMPLING_VARIANTS)} variants; "
        "distances between so few are biased upward",
    ]
    videos = [
        clip.get(one.name, {})
        for clip in raw.get("stage2", {}).values()
        for one in SAMPLING_VARIANTS
    ]
    if any(video and video.get("peaks") is None for video in videos):
        notes.append(f"AV-Align: not run, as OpenCV is missing: {install_command('bench')}")
    return notes + raw.get("notes", [])
