"""How right the planned layouts are, on simulated scenes whose true layout is known.

Each scene is rendered as sound, heard, planned, and compared with its truth.

Methods
-------
acoustic
    The acoustic planner, told what sounds. It heeds the exemplars that are nearest; none that holds
    the scene's recording is taken, here and below.
acoustic, without exemplars; random exemplars
    The same without them, or with any instead of the nearest.
acoustic, label heard
    The same, but the tagger says what sounds. A sound that it does not know leaves the layout
    empty. The tagger has learnt from these very recordings, which flatters it.
true cues
    The acoustic planner given the scene's own azimuth, range over its smallest, and motion: what it
    could reach with perfect hearing. What is missing to 1 is size and distance in metres, height
    above the ground and the camera's tilt, which no recording tells.
mono fold-down
    The acoustic planner, told what sounds, on the mean of the channels.
class prior
    The acoustic planner told what sounds and nothing else: a baseline that does not hear.
nearest exemplar
    The layout of the exemplar whose cues are nearest, copied under this scene's class.
mirrored
    The acoustic planner's layouts with left and right exchanged: a method deaf to space cannot
    score less than it does without.
another scene
    The true boxes of another scene, drawn at random, under this scene's class: chance.
truth
    The true layout: the best of every measure.

Language models (`spa2v_lab.bench.planning_scores`) follow, as far as they were named or are here.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from spa2v_lab.bench.frame import Progress, Results
from spa2v_lab.bench.planning_scenes import HeardScene, deaf_cues, heard_scene, true_cues
from spa2v_lab.bench.planning_scores import ModelTrials, check_planners, goals, rows, scored, worded
from spa2v_lib.cues import SpatialCues
from spa2v_lib.errors import PlanningError
from spa2v_lib.layout.scene_layout import SceneObject, VideoSceneLayout
from spa2v_lib.planning import plan_acoustic
from spa2v_lib.planning.exemplars import choose_exemplars, ranked_exemplars

__all__ = ["run"]

QUICK, FULL = 35, 210
"""Scenes; a multiple of 35 holds each motion with each receiver equally often."""

_IN_FULL = ("acoustic", "acoustic, label heard", "true cues")  # shown by motion and receiver
_WORDED = ("acoustic, label heard",)  # those that choose their words


def run(*, quick: bool, seed: int, progress: Progress, planners: Sequence[str] = ()) -> Results:
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
    """
    check_planners(planners)
    count = QUICK if quick else FULL
    scenes = []
    for number in range(count):
        scenes.append(heard_scene(seed, number))
        progress("scenes", number + 1, count)
    found = []
    for method, layouts in _layouts(scenes, seed).items():
        pairs = list(zip(scenes, layouts, strict=True))
        scores = [scored(heard.truth, layout) for heard, layout in pairs]
        if method in _WORDED:
            scores = [
                s | worded(heard.truth, layout)
                for s, (heard, layout) in zip(scores, pairs, strict=True)
            ]
        found += rows(method, scores, scenes, seed, short=method not in _IN_FULL)
    models = ModelTrials(scenes, seed, quick, progress)
    asked, notes = models.measure(planners)
    return Results("planning", found + asked, goals(found, "acoustic"), notes)


def _layouts(scenes: list[HeardScene], seed: int) -> dict[str, list[VideoSceneLayout]]:
    """Return the layouts of every method that asks no model, one a scene."""
    planned = [_planned(heard, heard.cues) for heard in scenes]
    return {
        "acoustic": planned,
        "acoustic, without exemplars": [_planned(heard, heard.cues, "none") for heard in scenes],
        "acoustic, random exemplars": [
            _planned(heard, heard.cues, "random", seed + number)
            for number, heard in enumerate(scenes)
        ],
        "acoustic, label heard": [_planned(heard, heard.unaided) for heard in scenes],
        "true cues": [_planned(heard, true_cues(heard)) for heard in scenes],
        "mono fold-down": [_planned(heard, heard.folded) for heard in scenes],
        "class prior": [_planned(heard, deaf_cues(heard)) for heard in scenes],
        "nearest exemplar": [_nearest(heard) for heard in scenes],
        "mirrored": [layout.mirrored() for layout in planned],
        "another scene": [
            _renamed(scenes[other].truth, heard)
            for other, heard in zip(_others(len(scenes), seed), scenes, strict=True)
        ],
        "truth": [heard.truth for heard in scenes],
    }


def _planned(
    heard: HeardScene, cues: SpatialCues, how: str = "knn", seed: int = 0
) -> VideoSceneLayout:
    examples = ranked_exemplars(cues, how, seed=seed, recordings=heard.recordings)
    view = {"fps": heard.scene.fps, "aspect": heard.truth.aspect}
    try:
        return plan_acoustic(cues, exemplars=examples, **view)
    except PlanningError:
        return heard.truth.model_copy(update={"objects": []})


def _nearest(heard: HeardScene) -> VideoSceneLayout:
    """Return the layout of the nearest exemplar, stretched to the scene's length."""
    (nearest,) = choose_exemplars(heard.cues, 1, recordings=heard.recordings)
    layout, truth = nearest.layout, heard.truth
    stretch = truth.key_times_s[-1] / layout.key_times_s[-1]
    shown = layout.model_copy(
        update={
            "key_times_s": [stretch * time for time in layout.key_times_s],
            "duration_s": truth.duration_s,
            "fps": truth.fps,
        }
    )
    return _renamed(shown, heard)


def _others(count: int, seed: int) -> list[int]:
    """Return for each scene the number of another one, each of them equally likely."""
    steps = np.random.default_rng(seed).integers(1, max(count, 2), size=count)
    return ((np.arange(count) + steps) % count).tolist()


def _renamed(layout: VideoSceneLayout, heard: HeardScene) -> VideoSceneLayout:
    label = heard.label
    objects = [
        SceneObject(id=thing.id, label=label, caption=label, boxes=thing.boxes)
        for thing in layout.objects
    ]
    return layout.model_copy(update={"objects": objects})
