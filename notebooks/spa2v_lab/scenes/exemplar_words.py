"""The reasoning of an exemplar: from what two channels tell to what the picture shows.

The sentences are written from the ground truth of a simulated scene. There are several for every
step, so that a model learns the steps and not the wording.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spa2v_lab.scenes.scene import Scene, WorldObject
from spa2v_lib.layout.captions import position_phrase
from spa2v_lib.layout.classes import get_class
from spa2v_lib.layout.scene_layout import Box, VideoSceneLayout

__all__ = ["reasoning"]

_COUNT = {1: "one", 2: "two", 3: "three"}
_AHEAD_DEG = 6.0

_BY_LEVEL = "the {side} channel is the louder one"
_BY_TIME = "the {side} channel hears it first, at nearly the same level"
_BY_BOTH = "the {side} channel hears it first and louder"
_SIDE_CUE = {
    "panned": _BY_LEVEL,
    "xy": _BY_LEVEL,
    "ms": _BY_LEVEL,
    "ortf": _BY_BOTH,
    "binaural": _BY_BOTH,
    "ab": _BY_TIME,
    "foa": "the flow of sound points to the {side}",
}
_OPENING = (
    "In these {seconds:g} seconds I hear {count}: {names}.",
    "The recording lasts {seconds:g} seconds and holds {count}: {names}.",
    "I first ask what sounds. Over {seconds:g} seconds I make out {count}: {names}.",
)
_CENTRED = (
    "Both channels agree in level and arrival, so it is straight ahead",
    "Neither channel leads, which puts it in front of the camera",
)
_STAYS = (
    "The {noun} keeps its direction, {azimuth:+.0f}°, and no trend of the level says that its "
    "distance changes: it stays where it is. {why}, so its box is {place}.",
    "For the {noun}, {why_low}; the azimuth rests at {azimuth:+.0f}° from first to last. Nothing "
    "moves, so its box is the same in every frame, {place}.",
    "The {noun} is at {azimuth:+.0f}°: {why_low}. With neither direction nor distance changing it "
    "is stationary and belongs {place}.",
)
_CROSSES = (
    "The {noun} does not stay: its azimuth runs from {start:+.0f}° to {end:+.0f}°, so it crosses "
    "from {origin} to {goal}. It is closest at {closest:.1f} s, where it is also loudest, and its "
    "box moves from x = {x0:.2f} to x = {x1:.2f}.",
    "At first the {origin} channel leads for the {noun}, at the end the {goal} one: the azimuth "
    "goes from {start:+.0f}° to {end:+.0f}°. That is a crossing towards the {goal}, and the middle "
    "of its box goes from x = {x0:.2f} to x = {x1:.2f}.",
    "From {start:+.0f}° to {end:+.0f}° in {seconds:g} seconds: the {noun} passes in front of the "
    "camera towards the {goal}, nearest at {closest:.1f} s. I let its box travel from "
    "x = {x0:.2f} to x = {x1:.2f}.",
)
_COMES = (
    "The {noun} barely turns ({start:+.0f}° to {end:+.0f}°) but grows louder by {change:.0f} dB. "
    "Sound loses 6 dB each time the distance doubles, so it ends at {share:.2f} of its first "
    "distance: it approaches. Its box grows from {w0:.2f} to {w1:.2f} of the picture's width, "
    "{place}.",
    "Direction steady near {end:+.0f}°, level up by {change:.0f} dB: the {noun} comes nearer, to "
    "{share:.2f} of the distance it began with. What comes {factor:.1f} times as near looks "
    "{factor:.1f} times as large; the box widens from {w0:.2f} to {w1:.2f}, {place}.",
)
_GOES = (
    "The {noun} barely turns ({start:+.0f}° to {end:+.0f}°) but fades by {change:.0f} dB. Sound "
    "loses 6 dB each time the distance doubles, so it ends {factor:.1f} times as far away: it "
    "recedes. Its box shrinks from {w0:.2f} to {w1:.2f} of the picture's width, {place}.",
    "Direction steady near {start:+.0f}°, level down by {change:.0f} dB: the {noun} moves away, to "
    "{factor:.1f} times the distance it began with, and looks that much smaller. The box narrows "
    "from {w0:.2f} to {w1:.2f}, {place}.",
)
_HEIGHT = {
    "ground": (
        "It is on the ground, so its foot is below the horizon at y = {horizon:.2f}.",
        "With the horizon at y = {horizon:.2f}, what is on the ground ends below that line.",
    ),
    "water": (
        "It lies on the water, so its box ends below the horizon at y = {horizon:.2f}.",
        "The water begins at the horizon, y = {horizon:.2f}, and the box ends below it.",
    ),
    "air": (
        "It is in the air: the middle of its box is above the horizon at y = {horizon:.2f}.",
        "As it flies, its box keeps to the sky, above the horizon at y = {horizon:.2f}.",
    ),
    "held": (
        "It is at a player's height, a little below the horizon at y = {horizon:.2f}.",
        "Such an instrument is held at about a metre, so its box is near y = {horizon:.2f}.",
    ),
}
_UNSEEN = (
    "In {hidden} of the {frames} key frames it is outside the field of view and has no box.",
    "It is heard but not seen in {hidden} of {frames} key frames; there it gets no box.",
)


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
    sentences = [_pick(rng, _OPENING).format(seconds=scene.duration_s, count=count, names=names)]
    if number > 1:
        sentences.append("I take them one after the other, the first named first.")
    for obj, drawn in zip(scene.objects, layout.objects, strict=True):
        x, z = obj.position(times).T
        course = _Course(np.degrees(np.arctan2(x, z)), np.hypot(x, z), drawn.boxes)
        sentences += _about(scene, obj, course, rng)
    return " ".join(sentences)


def _listed(names: list[str]) -> str:
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))


def _pick(rng: np.random.Generator, wordings: tuple[str, ...]) -> str:
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
    wordings = {"stationary": _STAYS, "approaching": _COMES, "receding": _GOES}
    said = [_pick(rng, wordings.get(obj.motion, _CROSSES)).format(**facts)]
    horizon = scene.camera.horizon_y()
    said.append(_pick(rng, _HEIGHT[sound_class.place]).format(horizon=horizon))
    hidden = len(course.boxes) - len(boxes)
    if hidden:
        said.append(_pick(rng, _UNSEEN).format(hidden=hidden, frames=len(course.boxes)))
    return said


def _why(receiver: str, azimuth: float, rng: np.random.Generator) -> str:
    if abs(azimuth) < _AHEAD_DEG:
        return _pick(rng, _CENTRED)
    cue = _SIDE_CUE[receiver].format(side="right" if azimuth > 0 else "left")
    return cue[0].upper() + cue[1:]


def _closest_s(obj: WorldObject, duration_s: float) -> float:
    """Return when the object is closest within the recording."""
    times = np.linspace(0.0, duration_s, 101)
    return float(times[np.hypot(*obj.position(times).T).argmin()])
