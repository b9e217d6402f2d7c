"""What a language model writes, and how it is checked and made into a layout.

The models are flat, in the order of SpA2V's own answers (Pham et al., ACM MM 2025, sec. 3.1:
reasoning, video caption, then frames), and without numeric bounds, which some providers refuse in
a schema. A mistake whose repair is certain is repaired: corners in the wrong order, a box that
overshoots the picture a little, a label written in another way. Any other is an `AnswerError`,
whose message is fit to be shown to the model.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from spa2v_lib.cues.types import SourceTrack, SpatialCues
from spa2v_lib.errors import AnswerError, PlanningError
from spa2v_lib.layout.camera import Camera
from spa2v_lib.layout.classes import BACKGROUNDS, CLASSES, SoundClass, get_class
from spa2v_lib.layout.scene_layout import Box, SceneObject, VideoSceneLayout
from spa2v_lib.planning.acoustic import place_boxes, was_named
from spa2v_lib.planning.exemplars import Exemplar
from spa2v_lib.planning.placement import with_exemplar_height

__all__ = ["BoxAnswer", "Canvas", "CueAnswer", "from_boxes", "from_cues", "parse"]

_OVERSHOOT = 0.02
_MOST_SCENERY = 3
_SIDES_DEG = {"left": -30.0, "centre": 0.0, "right": 30.0}
_BEHIND = 2.0  # silent things stand this many times as far as usual, behind what sounds
_FENCE = re.compile(r"^```\w*\s*|\s*```$")

Answer = TypeVar("Answer", bound=BaseModel)


class _Flat(BaseModel):
    model_config = ConfigDict(allow_inf_nan=False)


class NamedSource(_Flat):
    """What one measured source is."""

    id: str = Field(description="id of the source in the table")
    label: str = Field(description="its class, one of the listed classes")
    caption: str = Field(description="noun phrase for it, such as 'a red double-decker bus'")


class Scenery(_Flat):
    """A thing that is seen and not heard."""

    label: str = Field(description="its class, one of the listed classes")
    caption: str = Field(description="noun phrase for it")
    side: Literal["left", "centre", "right"]


class CueAnswer(_Flat):
    """A plan whose boxes are computed from the measured cues."""

    reasoning: str = Field(description="what the numbers say about each source, and the scene")
    video_caption: str = Field(description="the whole video in one sentence")
    background: str = Field(description="one of the listed surroundings")
    sources: list[NamedSource] = Field(description="every source of the table, once")
    scenery: list[Scenery] = Field(description="silent things, at most three; may be empty")
    frame_captions: list[str] = Field(description="one sentence for each listed time")


class NamedBox(_Flat):
    """Where one thing is in one frame."""

    id: str = Field(description="id of the source, or a new id for a silent thing")
    label: str = Field(description="its class")
    caption: str = Field(description="noun phrase for it, the same in every frame")
    visible: bool = Field(description="false while it is out of the picture")
    x0: float = Field(description="left edge, 0 to 1")
    y0: float = Field(description="top edge, 0 to 1, 0 is the top")
    x1: float = Field(description="right edge, 0 to 1")
    y1: float = Field(description="bottom edge, 0 to 1")


class Frame(_Flat):
    """One key frame."""

    time_s: float = Field(description="the listed time")
    caption: str = Field(description="one sentence for this frame")
    boxes: list[NamedBox] = Field(description="every thing of the video, in every frame")


class BoxAnswer(_Flat):
    """A plan whose boxes the model writes itself, as in SpA2V."""

    reasoning: str = Field(description="what the numbers say about each source, and the scene")
    video_caption: str = Field(description="the whole video in one sentence")
    background: str = Field(description="one of the listed surroundings")
    frames: list[Frame] = Field(description="one for each listed time")


@dataclass(frozen=True)
class Canvas:
    """What an answer is made into a layout on.

    Attributes
    ----------
    cues : SpatialCues
    camera : Camera
    fps : float
        Frames per second of the video.
    key_times_s : tuple of float
        Of the boxes that are computed.
    asked_times_s : tuple of float
        Of the frames that the model writes; fewer, as each costs an answer's length.
    exemplars : tuple of Exemplar
        That show how high things are seen, in the order of choice.
    shots : int
        How many of them to heed for each source.
    """

    cues: SpatialCues
    camera: Camera
    fps: float
    key_times_s: tuple[float, ...]
    asked_times_s: tuple[float, ...]
    exemplars: tuple[Exemplar, ...] = ()
    shots: int = 3

    def with_exemplar_height(self, kind: SoundClass) -> SoundClass:
        """Return the class as high above the ground as the exemplars show it."""
        return with_exemplar_height(kind, self.exemplars, self.camera, self.shots)


def parse(text: str, schema: type[Answer]) -> Answer:
    """Read an answer; a fence around it and words before or after are forgiven.

    Raises
    ------
    AnswerError
        If it holds no JSON object, or one that does not fit; the message names the field.
    """
    bare = _FENCE.sub("", text.strip())
    start = bare.find("{")
    if start < 0:
        found = "it is empty" if not bare else f"it begins {bare[:60]!r}"
        raise AnswerError(f"the answer holds no JSON object: {found}")
    try:
        fields, _ = json.JSONDecoder().raw_decode(bare, start)
    except (json.JSONDecodeError, RecursionError) as error:
        raise AnswerError(f"the answer is not JSON: {error}") from None
    try:
        return schema.model_validate(fields)
    except ValidationError as error:
        faults = "; ".join(_fault(item) for item in error.errors()[:5])
        raise AnswerError(f"the answer does not fit the schema: {faults}") from None


def _fault(item: Any) -> str:
    place = ".".join(str(part) for part in item["loc"]) or "the answer"
    return f"{place}: {item['msg']}"


def from_cues(answer: CueAnswer, canvas: Canvas) -> VideoSceneLayout:
    """Place what the model named where it was measured.

    Scenery stands at the side that the model named, on its usual ground, twice as far as usual.

    Raises
    ------
    AnswerError
        If a source is missing, named twice or made up, a class or the surroundings are not among
        those that are known, a caption is missing, or there is more scenery than three.
    """
    cues, times = canvas.cues, np.array(canvas.key_times_s)
    _check_ids((item.id for item in answer.sources), {source.id for source in cues.sources})
    if len(answer.scenery) > _MOST_SCENERY:
        raise AnswerError(f"{len(answer.scenery)} silent things; at most {_MOST_SCENERY} fit")
    captions = _asked_captions(answer.frame_captions, canvas)
    named = {item.id: item for item in answer.sources}
    objects = []
    for source in cues.sources:
        kind = _source_kind(named[source.id].label, source)
        phrase = _text(named[source.id].caption, f"caption of {source.id}")
        row = place_boxes(cues, source, canvas.with_exemplar_height(kind), canvas.camera, times)
        objects.append(SceneObject(id=source.id, label=kind.name, caption=phrase, boxes=row))
    for number, item in enumerate(answer.scenery, 1):
        kind = _kind(item.label, f"scenery {number}")
        phrase = _text(item.caption, f"caption of scenery {number}")
        row = [
            _standing(canvas.with_exemplar_height(kind), _SIDES_DEG[item.side], canvas.camera)
        ] * len(times)
        name = f"scenery-{number}"
        objects.append(SceneObject(id=name, label=kind.name, caption=phrase, boxes=row))
    nearest = [int(np.argmin(np.abs(np.array(canvas.asked_times_s) - t))) for t in times]
    return _layout(answer, canvas, objects, canvas.key_times_s, [captions[i] for i in nearest])


def from_boxes(answer: BoxAnswer, canvas: Canvas) -> VideoSceneLayout:
    """Take the boxes that the model wrote.

    Raises
    ------
    AnswerError
        If a frame is missing or at another time, a thing is missing in a frame, changes its class
        or is there twice, a measured source is missing, or a box lies outside the picture.
    """
    asked = canvas.asked_times_s
    if len(answer.frames) != len(asked):
        raise AnswerError(f"{len(answer.frames)} frames; one for each of the {len(asked)} times")
    slack = 0.5 * (asked[1] - asked[0]) if len(asked) > 1 else np.inf
    for time, frame in zip(asked, answer.frames, strict=True):
        if abs(frame.time_s - time) > slack:
            raise AnswerError(f"a frame is at {frame.time_s:g} s where {time:.2f} s was asked for")
    things = {box.id: box for frame in reversed(answer.frames) for box in frame.boxes}
    sources = {source.id: source for source in canvas.cues.sources}
    if missing := sorted(sources.keys() - things.keys()):
        raise AnswerError(f"no boxes for {', '.join(missing)}; every measured source needs one")
    rows: dict[str, list[Box | None]] = {name: [] for name in (*sources, *things)}
    for frame in answer.frames:
        where = f"frame at {frame.time_s:g} s"
        _check_ids((box.id for box in frame.boxes), things.keys(), where)
        for box in frame.boxes:
            if box.label != things[box.id].label:
                other = things[box.id].label
                raise AnswerError(f"{where}: {box.id} is {box.label!r}, elsewhere {other!r}")
            rows[box.id].append(_box(box, f"{where}, {box.id}"))
    objects = [
        SceneObject(
            id=_text(name, "id of a box"),
            label=_label(things[name].label, sources.get(name), name),
            caption=_text(things[name].caption, f"caption of {name}"),
            boxes=row,
        )
        for name, row in rows.items()
    ]
    captions = _asked_captions([frame.caption for frame in answer.frames], canvas)
    return _layout(answer, canvas, objects, asked, captions)


def _layout(
    answer: CueAnswer | BoxAnswer,
    canvas: Canvas,
    objects: list[SceneObject],
    times: tuple[float, ...],
    captions: list[str],
) -> VideoSceneLayout:
    return VideoSceneLayout(
        reasoning=_text(answer.reasoning, "reasoning"),
        caption=_text(answer.video_caption, "video_caption"),
        frame_captions=captions,
        key_times_s=list(times),
        objects=objects,
        duration_s=canvas.cues.duration_s,
        fps=canvas.fps,
        aspect=canvas.camera.aspect,
        background=_background(answer.background),
    )


def _check_ids(found: Iterable[str], wanted: Iterable[str], where: str = "sources") -> None:
    """Every wanted id once, and no other."""
    count = Counter(found)
    for fault, names in (
        ("missing", set(wanted) - count.keys()),
        ("not in the table", count.keys() - set(wanted)),
        ("there more than once", {name for name, times in count.items() if times > 1}),
    ):
        if names:
            raise AnswerError(f"{where}: {fault}: {', '.join(sorted(names))}")


def _asked_captions(captions: list[str], canvas: Canvas) -> list[str]:
    count = len(canvas.asked_times_s)
    if len(captions) != count:
        raise AnswerError(f"{len(captions)} frame captions; one for each of the {count} times")
    return [_text(text, f"frame caption {number}") for number, text in enumerate(captions, 1)]


def _text(text: str, what: str) -> str:
    """Return the text on one line."""
    line = " ".join(text.split())
    if not line:
        raise AnswerError(f"{what} is empty")
    return line


def _kind(label: str, what: str) -> SoundClass:
    try:
        return get_class(label)
    except PlanningError:
        known = ", ".join(sorted(CLASSES))
        raise AnswerError(f"{what}: class {label!r} is not known; one of: {known}") from None


def _source_kind(label: str, source: SourceTrack) -> SoundClass:
    """Return the class of a source; what the user called it outranks the model."""
    return _kind(source.label if was_named(source) else label, source.id)


def _label(label: str, source: SourceTrack | None, name: str) -> str:
    """Return a class where boxes need none: any word, in the spelling of a known class."""
    if source is not None and was_named(source):
        return source.label
    try:
        return get_class(label).name
    except PlanningError:
        return _text(label, f"label of {name}")


def _background(name: str) -> str:
    key = name.strip().lower()
    for place in BACKGROUNDS.values():
        if key in (place.name, place.phrase):
            return place.name
    known = ", ".join(BACKGROUNDS)
    raise AnswerError(f"background: {name!r} is not known; one of: {known}")


def _standing(kind: SoundClass, azimuth_deg: float, camera: Camera) -> Box | None:
    away = _BEHIND * kind.range_m
    raw = camera.project(azimuth_deg, away, kind.width_m, kind.height_m, kind.base_m)
    return camera.visible_box(raw)


def _box(box: NamedBox, where: str) -> Box | None:
    """Put corners in order and cut a small overshoot off."""
    if not box.visible:
        return None
    corners = {"x0": box.x0, "y0": box.y0, "x1": box.x1, "y1": box.y1}
    for name, value in corners.items():
        if not -_OVERSHOOT <= value <= 1 + _OVERSHOOT:
            raise AnswerError(f"{where}: {name} is {value:g}; it must lie between 0 and 1")
    across = sorted(min(1.0, max(0.0, value)) for value in (box.x0, box.x1))
    down = sorted(min(1.0, max(0.0, value)) for value in (box.y0, box.y1))
    if across[0] == across[1] or down[0] == down[1]:
        raise AnswerError(f"{where}: the box has no extent")
    return Box(x0=across[0], y0=down[0], x1=across[1], y1=down[1])
