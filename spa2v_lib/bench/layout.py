"""How right the planned layouts are, on simulated scenes whose true layout is known.

Each scene is rendered as sound, heard, planned, and compared with its truth. The scenes' sizes,
paths and cameras are drawn from distributions that planning does not know.

Methods
-------
planner
    The acoustic planner, told what sounds.
planner, label heard
    The same, but the tagger says what sounds. A sound that it does not know leaves the layout
    empty. The tagger has learnt from these very recordings, which flatters it.
true cues
    The planner given the scene's own azimuth, range and motion: what planning could reach with
    perfect hearing.
class prior
    The planner told what sounds and nothing else: a baseline that does not hear.
mirrored
    The planner's layouts with left and right exchanged: a method deaf to space cannot score less
    than it does without.
another scene
    The true boxes of another scene, drawn at random, under this scene's class: chance.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from spa2v_lib.bench.frame import Progress, Results, Row, interval
from spa2v_lib.cues import SpatialCues, extract_cues
from spa2v_lib.errors import PlanningError
from spa2v_lib.layout import SceneObject, VideoSceneLayout
from spa2v_lib.metrics.layout import evaluate
from spa2v_lib.planning import plan_acoustic
from spa2v_lib.scenes.export import sounding_recordings
from spa2v_lib.scenes.receivers import RECEIVERS
from spa2v_lib.scenes.sampler import MOTIONS, sample_scene
from spa2v_lib.scenes.scene import Scene, truth_layout
from spa2v_lib.scenes.sound import render_sound

__all__ = ["MEASURES", "heard_scene", "run", "true_cues"]

MEASURES = {
    "iou": "IoU",
    "x_center_error": "x-centre error",
    "motion_direction": "motion direction",
    "coverage": "coverage",
}
"""Name of each measure of `spa2v_lib.metrics.layout` in the table; lengths in picture widths."""

QUICK, FULL = 70, 420
"""Scenes; a multiple of 35 holds each motion with each receiver equally often."""

_NOISE_DB = -25.0


@dataclass(frozen=True)
class HeardScene:
    """A scene, what was heard in it, and its true layout."""

    scene: Scene
    truth: VideoSceneLayout
    cues: SpatialCues  # with the true label
    unaided: SpatialCues  # with the tagger's label


def run(*, quick: bool, seed: int, progress: Progress) -> Results:
    """Score every method on the same scenes.

    Parameters
    ----------
    quick : bool
        `QUICK` scenes instead of `FULL`.
    seed : int
        Decides the scenes.
    progress : callable
        Called with "scenes", the scenes done and the scenes in all.
    """
    count = QUICK if quick else FULL
    scenes = []
    for number in range(count):
        scenes.append(heard_scene(seed, number))
        progress("scenes", number + 1, count)
    rows = []
    for method, layouts in _layouts(scenes, seed).items():
        scores = [evaluate(s.truth, layout) for s, layout in zip(scenes, layouts, strict=True)]
        rows += [_row(method, name, scores, scenes, holds, seed) for name, holds in _conditions()]
    return Results("planning", rows, [])


def heard_scene(seed: int, number: int) -> HeardScene:
    """Draw, render and hear one scene; motions and receivers take turns."""
    recordings = sounding_recordings()
    receivers = tuple(RECEIVERS)
    scene = sample_scene(
        int(np.random.SeedSequence([seed, number]).generate_state(1)[0]),
        motion=MOTIONS[number % len(MOTIONS)],
        labels=tuple(recordings),
        recordings=recordings,
        receiver=receivers[number // len(MOTIONS) % len(receivers)],
        noise_db=_NOISE_DB,
    )
    sound = render_sound(scene)
    label = scene.objects[0].label
    return HeardScene(
        scene, truth_layout(scene), extract_cues(sound, label=label), extract_cues(sound)
    )


def true_cues(heard: HeardScene) -> SpatialCues:
    """Return the cues of a scene with the truth in the place of what was measured."""
    thing = heard.scene.objects[0]
    x, z = thing.position(np.array(heard.cues.times_s)).T
    azimuth = np.degrees(np.arctan2(x, z))
    distance = np.hypot(x, z)
    return _with_source(
        heard.cues,
        azimuth_deg=azimuth.tolist(),
        azimuth_low_deg=azimuth.tolist(),
        azimuth_high_deg=azimuth.tolist(),
        azimuth_start_deg=float(azimuth[0]),
        azimuth_end_deg=float(azimuth[-1]),
        active=[True] * len(azimuth),
        motion=thing.motion,
        relative_range=(distance / distance.min()).tolist(),
        closest_s=float(heard.cues.times_s[int(distance.argmin())]),
        pass_by=None,
    )


def _deaf_cues(heard: HeardScene) -> SpatialCues:
    """Return the cues of a scene with nothing but the label."""
    frames = len(heard.cues.times_s)
    nothing = [None] * frames
    return _with_source(
        heard.cues,
        azimuth_deg=nothing,
        azimuth_low_deg=nothing,
        azimuth_high_deg=nothing,
        azimuth_start_deg=None,
        azimuth_end_deg=None,
        motion="stationary",
        relative_range=[1.0] * frames,
        closest_s=None,
        pass_by=None,
    )


def _with_source(cues: SpatialCues, **changes: object) -> SpatialCues:
    sources = [source.model_copy(update=changes) for source in cues.sources[:1]]
    return cues.model_copy(update={"sources": sources})


def _layouts(scenes: list[HeardScene], seed: int) -> dict[str, list[VideoSceneLayout]]:
    """Return the layouts of every method, one a scene."""
    planned = [_planned(heard, heard.cues) for heard in scenes]
    return {
        "planner": planned,
        "planner, label heard": [_planned(heard, heard.unaided) for heard in scenes],
        "true cues": [_planned(heard, true_cues(heard)) for heard in scenes],
        "class prior": [_planned(heard, _deaf_cues(heard)) for heard in scenes],
        "mirrored": [layout.mirrored() for layout in planned],
        "another scene": [
            _renamed(scenes[other].truth, heard)
            for other, heard in zip(_others(len(scenes), seed), scenes, strict=True)
        ],
    }


def _others(count: int, seed: int) -> list[int]:
    """Return for each scene the number of another one, each of them equally likely."""
    steps = np.random.default_rng(seed).integers(1, max(count, 2), size=count)
    return ((np.arange(count) + steps) % count).tolist()


def _planned(heard: HeardScene, cues: SpatialCues) -> VideoSceneLayout:
    try:
        return plan_acoustic(cues, fps=heard.scene.fps, aspect=heard.truth.aspect)
    except PlanningError:
        return heard.truth.model_copy(update={"objects": []})


def _renamed(truth: VideoSceneLayout, heard: HeardScene) -> VideoSceneLayout:
    label = heard.scene.objects[0].label
    objects = [
        SceneObject(id=thing.id, label=label, caption=label, boxes=thing.boxes)
        for thing in truth.objects
    ]
    return truth.model_copy(update={"objects": objects})


def _conditions() -> list[tuple[str, Callable[[Scene], bool]]]:
    """Return the names of the subsets of scenes, and what each holds."""
    by_motion = [
        (motion.replace("_", " "), lambda scene, m=motion: scene.objects[0].motion == m)
        for motion in MOTIONS
    ]
    by_receiver = [
        (f"receiver {name}", lambda scene, r=name: scene.receiver == r) for name in RECEIVERS
    ]
    return [("all", lambda scene: True), *by_motion, *by_receiver]


def _row(
    method: str,
    condition: str,
    scores: list[dict[str, float]],
    scenes: list[HeardScene],
    holds: Callable[[Scene], bool],
    seed: int,
) -> Row:
    chosen = [score for score, s in zip(scores, scenes, strict=True) if holds(s.scene)]
    measures = {
        title: interval([score[name] for score in chosen], seed) for name, title in MEASURES.items()
    }
    return Row(method, condition, len(chosen), measures)
