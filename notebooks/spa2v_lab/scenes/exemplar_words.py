"""The reasoning of an exemplar: from what two channels tell to what the picture shows.

The sentences are written from the ground truth of a simulated scene. There are several for every
step, so that a model learns the steps and not the wording.
"""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from spa2v_lab.scenes.scene import Scene, WorldObject
from spa2v_lib.layout.captions import position_phrase
from spa2v_lib.layout.classes import get_class
from spa2v_lib.layout.scene_layout import Box, VideoSceneLayout

__all__ = ["reasoning"]

_COUNT = {1: "one", 2: "two", 3: "three"}
_AHEAD_DEG = 6.0


@cache
def _words() -> dict[str, Any]:
    """Return the wordings of every step; they are in the file of this name."""
    return tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))


@dataclass(frozen=True)
class _Course:
    """Where an object is over the key frames: azimuths, ranges, and its boxes."""

    azimuth: np.ndarray
    distance: np.ndarray
    boxes: list[Box | None]

    @property
    def seen(self) -> list[Box]:
        return [box for box in self.boxes if box is not None]


def reasoning(scene: Scene, layout: VideoSceneLayout, rng: np.random.Generator) -> str:
    """Reason about every sounding object of a scene, in the order of the layout.

    Parameters
    ----------
    scene : Scene
    layout : VideoSceneLayout
        The ground truth of that scene.
    rng : numpy.random.Generator
        Picks the wording.

    See Also
    --------
    spa2v_lab.scenes.exemplar_scenes.make_exemplar : uses it

    Examples
    --------
    >>> from spa2v_lab.scenes.sampler import sample_scene
    >>> from spa2v_lab.scenes.scene import ground_truth_layout
    >>> scene = sample_scene(3, motion="stationary", labels=("bus",))
    >>> reasoning(scene, ground_truth_layout(scene), np.random.default_rng(0)).split(".")[0]
    'I first ask what sounds'
    """
    times = np.array(layout.key_times_s)
    names = _listed([get_class(obj.label).with_article for obj in scene.objects])
    number = len(scene.objects)
    count = f"{_COUNT[number]} source{'s' if number > 1 else ''}"
    sentences = [
        _pick(rng, _words()["opening"]).format(seconds=scene.duration_s, count=count, names=names)
    ]
    if number > 1:
        sentences.append("I take them one after the other, the first named first.")
    for obj, drawn in zip(scene.objects, layout.objects, strict=True):
        x, z = obj.position(times).T
        course = _Course(np.degrees(np.arctan2(x, z)), np.hypot(x, z), drawn.boxes)
        sentences += _about(scene, obj, course, rng)
    return " ".join(sentences)


def _listed(names: list[str]) -> str:
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))


def _pick(rng: np.random.Generator, wordings: Sequence[str]) -> str:
    return wordings[int(rng.integers(len(wordings)))]


def _about(scene: Scene, obj: WorldObject, course: _Course, rng: np.random.Generator) -> list[str]:
    sound_class, boxes = get_class(obj.label), course.seen
    first, last = boxes[0], boxes[-1]
    start, end = float(course.azimuth[0]), float(course.azimuth[-1])
    ratio = float(course.distance.max() / course.distance.min())
    origin, goal = ("left", "right") if end > start else ("right", "left")
    why = _why(scene.receiver, start, rng)
    facts = {
        "noun": sound_class.noun,
        "azimuth": start + 0.0,
        "start": start + 0.0,
        "end": end + 0.0,
        "origin": origin,
        "goal": goal,
        "seconds": scene.duration_s,
        "closest": _closest_s(obj, scene.duration_s),
        "x0": first.center[0],
        "x1": last.center[0],
        "w0": first.width,
        "w1": last.width,
        "change": 20.0 * np.log10(ratio),
        "factor": ratio,
        "share": 1.0 / ratio,
        "place": position_phrase(last.center[0]),
        "why": why,
        "why_low": why[0].lower() + why[1:],
    }
    words = _words()
    said = [_pick(rng, words.get(obj.motion, words["crossing"])).format(**facts)]
    horizon = scene.camera.horizon_y()
    said.append(_pick(rng, words["height"][sound_class.place]).format(horizon=horizon))
    hidden = len(course.boxes) - len(boxes)
    if hidden:
        said.append(_pick(rng, words["unseen"]).format(hidden=hidden, frames=len(course.boxes)))
    return said


def _why(receiver: str, azimuth: float, rng: np.random.Generator) -> str:
    if abs(azimuth) < _AHEAD_DEG:
        return _pick(rng, _words()["centred"])
    cue = _words()["side"][receiver].format(side="right" if azimuth > 0 else "left")
    return cue[0].upper() + cue[1:]


def _closest_s(obj: WorldObject, duration_s: float) -> float:
    """Return when the object is closest within the recording."""
    times = np.linspace(0.0, duration_s, 101)
    return float(times[np.hypot(*obj.position(times).T).argmin()])
