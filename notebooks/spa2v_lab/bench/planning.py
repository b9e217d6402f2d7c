"""How right the planned layouts are, on simulated scenes whose true layout is known.

Each scene is rendered as sound, analyzed, planned, and compared with its ground truth.

Methods
-------
acoustic
    The acoustic planner, given the label. It uses the exemplars that are nearest; none that holds
    the scene's recording is taken, here and below.
acoustic, without exemplars; random exemplars
    The same without them, or with any instead of the nearest.
acoustic, label from the tagger
    The same, but the tagger says what sounds. A sound that it does not recognize is shown as
    its best guess. The tagger has learnt from these very recordings, which flatters it.
true cues
    The acoustic planner given the scene's own azimuth, range over its smallest, and motion: what it
    could reach with perfect hearing. What is missing to 1 is size and distance in metres, height
    above the ground and the camera's tilt, which no recording tells.
mono fold-down
    The acoustic planner, given the label, on the mean of the channels.
class prior
    The acoustic planner given the label and nothing else: a baseline without spatial cues.
nearest exemplar
    The layout of the exemplar whose cues are nearest, copied under this scene's class.
mirrored
    The acoustic planner's layouts with left and right exchanged: a method without spatial cues cannot
    score less than it does without.
another scene
    The true boxes of another scene, drawn at random, under this scene's class: chance.
ground truth
    The true layout: the best of every measure.

Language models (`spa2v_lab.bench.planning_scores`) follow, as far as they were named or are here.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from spa2v_lab.bench.frame import Results
from spa2v_lab.bench.planning_scenes import (
    AnalyzedScene,
    analyzed_scene,
    ground_truth_cues,
    label_only_cues,
    renamed,
)
from spa2v_lab.bench.planning_scores import ModelTrials, check_planners, goals, rows, scored, worded
from spa2v_lib.cues import SpatialCues
from spa2v_lib.errors import PlanningError
from spa2v_lib.layout.scene_layout import VideoSceneLayout
from spa2v_lib.planning import plan_acoustic
from spa2v_lib.planning.exemplars import ranked_exemplars
from spa2v_lib.runs import StageProgress

__all__ = ["run"]

QUICK, FULL = 35, 210
"""Scenes; a multiple of 35 holds each motion with each receiver equally often."""

_IN_FULL = (
    "acoustic",
    "acoustic, label from the tagger",
    "true cues",
)  # shown by motion and receiver
_WORDED = ("acoustic, label from the tagger",)  # those that choose their words


def run(
    *, quick: bool, seed: int, progress: StageProgress, planners: Sequence[str] = ()
) -> Results:
    """Score every method on the same scenes.

    Parameters
    ----------
    quick : bool
        `QUICK` scenes instead of `FULL`.
    seed : int
        Decides the scenes.
    progress : callable
        Called with what is measured, the steps done and the steps in all.
    planners : sequence of str
        Language models to ask as well, as `spa2v_lib.planning.PLANNERS` names them.

    Raises
    ------
    PlanningError
        Before anything is measured, if a planner is not known or cannot be asked.

    See Also
    --------
    spa2v_lab.bench.run_benchmark : writes the results, too

    Examples
    --------
    >>> run(quick=True, seed=0, progress=print).goals  # doctest: +SKIP
    """
    check_planners(planners)
    count = QUICK if quick else FULL
    scenes = []
    for number in range(count):
        scenes.append(analyzed_scene(seed, number))
        progress("scenes", number + 1, count)
    measured = []
    for method, layouts in _layouts(scenes, seed).items():
        pairs = list(zip(scenes, layouts, strict=True))
        scores = [scored(analyzed.ground_truth, layout) for analyzed, layout in pairs]
        if method in _WORDED:
            scores = [
                s | worded(analyzed.ground_truth, layout)
                for s, (analyzed, layout) in zip(scores, pairs, strict=True)
            ]
        measured += rows(method, scores, scenes, seed, short=method not in _IN_FULL)
    models = ModelTrials(scenes, seed, quick, progress)
    asked, notes = models.measure(planners)
    return Results("planning", measured + asked, goals(measured, "acoustic"), notes)


def _layouts(scenes: list[AnalyzedScene], seed: int) -> dict[str, list[VideoSceneLayout]]:
    """Return the layouts of every method that asks no model, one a scene."""
    planned = [_planned(analyzed, analyzed.cues) for analyzed in scenes]
    return {
        "acoustic": planned,
        "acoustic, without exemplars": [
            _planned(analyzed, analyzed.cues, "none") for analyzed in scenes
        ],
        "acoustic, random exemplars": [
            _planned(analyzed, analyzed.cues, "random", seed + number)
            for number, analyzed in enumerate(scenes)
        ],
        "acoustic, label from the tagger": [
            _planned(analyzed, analyzed.unaided) for analyzed in scenes
        ],
        "true cues": [_planned(analyzed, ground_truth_cues(analyzed)) for analyzed in scenes],
        "mono fold-down": [_planned(analyzed, analyzed.folded_to_mono) for analyzed in scenes],
        "class prior": [_planned(analyzed, label_only_cues(analyzed)) for analyzed in scenes],
        "nearest exemplar": [_nearest(analyzed) for analyzed in scenes],
        "mirrored": [layout.mirrored() for layout in planned],
        "another scene": [
            _like(analyzed, scenes[other].ground_truth)
            for other, analyzed in zip(_others(len(scenes), seed), scenes, strict=True)
        ],
        "ground truth": [analyzed.ground_truth for analyzed in scenes],
    }


def _planned(
    analyzed: AnalyzedScene, cues: SpatialCues, how: str = "knn", seed: int = 0
) -> VideoSceneLayout:
    examples = ranked_exemplars(cues, how, seed=seed, recordings=analyzed.recordings)
    view = {"fps": analyzed.scene.fps, "aspect": analyzed.ground_truth.aspect}
    try:
        return plan_acoustic(cues, exemplars=examples, **view)
    except PlanningError:
        return analyzed.ground_truth.model_copy(update={"objects": []})


def _nearest(analyzed: AnalyzedScene) -> VideoSceneLayout:
    """Return the layout of the nearest exemplar, stretched to the scene's length."""
    nearest = ranked_exemplars(analyzed.cues, recordings=analyzed.recordings)[0]
    return _like(analyzed, nearest.layout)


def _others(count: int, seed: int) -> list[int]:
    """Return for each scene the number of another one, each of them equally likely."""
    steps = np.random.default_rng(seed).integers(1, max(count, 2), size=count)
    return ((np.arange(count) + steps) % count).tolist()


def _like(analyzed: AnalyzedScene, layout: VideoSceneLayout) -> VideoSceneLayout:
    return renamed(layout, analyzed.ground_truth, [analyzed.label] * len(layout.objects))
