"""From a model's answer to a layout: what is certain is mended, anything else is refused.

A mistake whose repair is certain is repaired: corners in the wrong order, a box that overshoots
the picture a little, a label or an id in another spelling. Any other is an `AnswerError`, whose
message is fit to be shown to the model.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass

import numpy as np
from pydantic import ValidationError

from spa2v_lib.cues.types import SpatialCues
from spa2v_lib.errors import AnswerError, LayoutError, PlanningError
from spa2v_lib.layout.camera import Camera
from spa2v_lib.layout.classes import BACKGROUNDS, CLASSES, SoundClass, get_class
from spa2v_lib.layout.scene_layout import Box, SceneObject, VideoSceneLayout
from spa2v_lib.planning.acoustic import place_boxes
from spa2v_lib.planning.exemplars import Exemplar
from spa2v_lib.planning.parsing import parse, parse_all
from spa2v_lib.planning.placement import with_exemplar_height
from spa2v_lib.planning.schema import SCHEMAS, BoxAnswer, CueAnswer, NamedBox

__all__ = ["BoxAnswer", "Canvas", "CueAnswer", "from_boxes", "from_cues", "parse", "read_layout"]

_OVERSHOOT = 0.02
_MOST_SCENERY = 3
_SIDES_DEG = {"left": -30.0, "centre": 0.0, "right": 30.0}
_BEHIND = 2.0  # silent objects stand this many times as far as usual, behind what sounds


@dataclass(frozen=True)
class Canvas:
    """What an answer is made into a layout on.

    Parameters
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
        That show how high objects are seen, in the order of choice.
    shots : int
        How many of them count for each source.

    Examples
    --------
    >>> from spa2v_lib.planning.exemplars import load_exemplars
    >>> canvas = Canvas(load_exemplars()[0].cues, Camera(), 8.0, (0.0, 1.0), (0.0, 1.0))
    >>> canvas.camera.fov_deg
    90.0
    """

    cues: SpatialCues
    camera: Camera
    fps: float
    key_times_s: tuple[float, ...]
    asked_times_s: tuple[float, ...]
    exemplars: tuple[Exemplar, ...] = ()
    shots: int = 3

    def with_exemplar_height(self, sound_class: SoundClass) -> SoundClass:
        """Return the class as high above the ground as the exemplars show it."""
        return with_exemplar_height(sound_class, self.exemplars, self.camera, self.shots)


def read_layout(text: str, placement: str, canvas: Canvas) -> VideoSceneLayout:
    """Make what a model wrote into a layout.

    Parameters
    ----------
    text : str
        What a model wrote.
    placement : {"cues", "model"}
        Who places the boxes.
    canvas : Canvas
        What the layout is made on: cues, camera and times.

    Returns
    -------
    VideoSceneLayout
        Of the last object in the text that gives one.

    Raises
    ------
    AnswerError
        If none does; the message says what is wrong with the last that has the fields.

    See Also
    --------
    from_cues : Where code places the boxes.
    from_boxes : Where the model does.

    Examples
    --------
    >>> from spa2v_lib.planning.exemplars import load_exemplars
    >>> from spa2v_lib.planning.prompt import exemplar_answer
    >>> shown, times = load_exemplars()[0], (0.0, 1.0)
    >>> text = exemplar_answer(shown, times, "model").model_dump_json()
    >>> layout = read_layout(text, "model", Canvas(shown.cues, Camera(), 8.0, times, times))
    >>> layout.caption == shown.layout.caption
    True
    """
    faults = []
    for answer in parse_all(text, SCHEMAS[placement]):
        try:
            if placement == "cues":
                return from_cues(answer, canvas)
            return from_boxes(answer, canvas)
        except (AnswerError, LayoutError, ValidationError) as error:
            faults.append(str(error))
    raise AnswerError(faults[0])


def from_cues(answer: CueAnswer, canvas: Canvas) -> VideoSceneLayout:
    """Place what the model named where it was measured.

    Scenery stands at the side that the model named, on its usual ground, twice as far as usual.

    Parameters
    ----------
    answer : CueAnswer
        What a model wrote: captions and classes.
    canvas : Canvas
        What the layout is made on: cues, camera and times.

    Returns
    -------
    VideoSceneLayout

    Raises
    ------
    AnswerError
        If a source is missing, named twice or made up, a class or the surroundings are not among
        those that are known, a caption is missing, or there is more scenery than three.

    See Also
    --------
    spa2v_lib.planning.acoustic.place_boxes : Computes the boxes.

    Examples
    --------
    >>> from spa2v_lib.planning.exemplars import load_exemplars
    >>> from spa2v_lib.planning.prompt import exemplar_answer
    >>> shown, times = load_exemplars()[0], (0.0, 1.0)
    >>> canvas = Canvas(shown.cues, Camera(), 8.0, times, times)
    >>> layout = from_cues(exemplar_answer(shown, times, "cues"), canvas)
    >>> layout.objects[0].id
    'source-1'
    """
    cues, times = canvas.cues, np.array(canvas.key_times_s)
    ids = {_key(source.id): source.id for source in cues.sources}
    named = [(ids.get(_key(item.id), item.id), item) for item in answer.sources]
    _check_ids((name for name, _ in named), ids.values())
    if len(answer.scenery) > _MOST_SCENERY:
        raise AnswerError(f"{len(answer.scenery)} silent objects; at most {_MOST_SCENERY} fit")
    captions = _frame_captions(answer.frame_captions, canvas)
    items = dict(named)
    objects = []
    for source in cues.sources:
        item = items[source.id]
        # What the user called it outranks the model.
        label = source.label if source.label_source == "user" else item.label
        sound_class = _class(label, source.id)
        raised = canvas.with_exemplar_height(sound_class)
        row = place_boxes(cues, source, raised, canvas.camera, times)
        objects.append(_object(source.id, sound_class.name, item.caption, row))
    for number, item in enumerate(answer.scenery, 1):
        sound_class = canvas.with_exemplar_height(_class(item.label, f"scenery {number}"))
        row = [_standing(sound_class, _SIDES_DEG[item.side], canvas.camera)] * len(times)
        objects.append(_object(f"scenery-{number}", sound_class.name, item.caption, row))
    nearest = [int(np.argmin(np.abs(np.array(canvas.asked_times_s) - t))) for t in times]
    return _layout(answer, canvas, objects, canvas.key_times_s, [captions[i] for i in nearest])


def from_boxes(answer: BoxAnswer, canvas: Canvas) -> VideoSceneLayout:
    """Take the boxes that the model wrote.

    Parameters
    ----------
    answer : BoxAnswer
        What a model wrote: captions and boxes.
    canvas : Canvas
        What the layout is made on: cues, camera and times.

    Returns
    -------
    VideoSceneLayout

    Raises
    ------
    AnswerError
        If a frame is missing or at another time, an object is missing in a frame, changes its
        class or is there twice, a measured source is missing, or a box lies outside the picture.

    See Also
    --------
    from_cues : Where code places the boxes.

    Examples
    --------
    >>> from spa2v_lib.planning.exemplars import load_exemplars
    >>> from spa2v_lib.planning.prompt import exemplar_answer
    >>> shown, times = load_exemplars()[0], (0.0, 1.0)
    >>> canvas = Canvas(shown.cues, Camera(), 8.0, times, times)
    >>> layout = from_boxes(exemplar_answer(shown, times, "model"), canvas)
    >>> layout.key_times_s
    [0.0, 1.0]
    """
    asked = canvas.asked_times_s
    if len(answer.frames) != len(asked):
        raise AnswerError(f"{len(answer.frames)} frames; one for each of the {len(asked)} times")
    slack = 0.5 * (asked[1] - asked[0]) if len(asked) > 1 else np.inf
    for time, frame in zip(asked, answer.frames, strict=True):
        if abs(frame.time_s - time) > slack:
            raise AnswerError(f"a frame is at {frame.time_s:g} s where {time:.2f} s was asked for")
    sources = {source.id: source for source in canvas.cues.sources}
    ids = {_key(name): name for name in sources}
    first: dict[str, NamedBox] = {}  # of each object, the first box that is written
    for frame in answer.frames:
        for box in frame.boxes:
            first.setdefault(ids.setdefault(_key(box.id), box.id), box)
    if missing := sorted(sources.keys() - first.keys()):
        raise AnswerError(f"no boxes for {', '.join(missing)}; every measured source needs one")
    rows: dict[str, list[Box | None]] = {name: [] for name in (*sources, *first)}
    for frame in answer.frames:
        where = f"frame at {frame.time_s:g} s"
        named = [(ids[_key(box.id)], box) for box in frame.boxes]
        _check_ids((name for name, _ in named), first, where)
        for name, box in named:
            if _label(box.label) != _label(first[name].label):
                other = first[name].label
                raise AnswerError(f"{where}: {name} is {box.label!r}, elsewhere {other!r}")
            rows[name].append(_box(box, f"{where}, {name}"))
    objects = []
    for name, row in rows.items():
        source, label = sources.get(name), _label(first[name].label)
        if source is not None and source.label_source == "user":
            label = source.label
        objects.append(_object(name, label, first[name].caption, row))
    captions = _frame_captions([frame.caption for frame in answer.frames], canvas)
    return _layout(answer, canvas, objects, asked, captions)


def _object(name: str, label: str, caption: str, boxes: list[Box | None]) -> SceneObject:
    return SceneObject(
        id=_line(name, "id of a box"),
        label=_line(label, f"label of {name}"),
        caption=_line(caption, f"caption of {name}"),
        boxes=boxes,
    )


def _layout(
    answer: CueAnswer | BoxAnswer,
    canvas: Canvas,
    objects: list[SceneObject],
    times: tuple[float, ...],
    captions: list[str],
) -> VideoSceneLayout:
    return VideoSceneLayout(
        reasoning=_line(answer.reasoning, "reasoning"),
        caption=_line(answer.video_caption, "video_caption"),
        frame_captions=captions,
        key_times_s=list(times),
        objects=objects,
        duration_s=canvas.cues.duration_s,
        fps=canvas.fps,
        aspect=canvas.camera.aspect,
        background=_background(answer.background),
    )


def _key(name: str) -> str:
    """Return what of an id or a label does not depend on its spelling."""
    return "".join(c for c in name.casefold() if c.isalnum()) or name


def _check_ids(names: Iterable[str], wanted: Collection[str], where: str = "sources") -> None:
    """Every wanted id once, and no other."""
    count = Counter(names)
    for fault, wrong in (
        ("missing", set(wanted) - count.keys()),
        ("not in the table", count.keys() - set(wanted)),
        ("there more than once", {name for name, times in count.items() if times > 1}),
    ):
        if wrong:
            raise AnswerError(f"{where}: {fault}: {', '.join(sorted(wrong))}")


def _frame_captions(captions: list[str], canvas: Canvas) -> list[str]:
    count = len(canvas.asked_times_s)
    if len(captions) != count:
        raise AnswerError(f"{len(captions)} frame captions; one for each of the {count} times")
    return [_line(text, f"frame caption {number}") for number, text in enumerate(captions, 1)]


def _line(text: str, what: str) -> str:
    """Return the text on one line."""
    line = " ".join(text.split())
    if not line:
        raise AnswerError(f"{what} is empty")
    return line


def _class(label: str, what: str) -> SoundClass:
    """Return the class of a label; capitals, an article and quotes around it are forgiven."""
    try:
        return get_class(_without_article(label))
    except PlanningError:
        known = ", ".join(sorted(CLASSES))
        raise AnswerError(f"{what}: class {label!r} is not known; one of: {known}") from None


def _label(label: str) -> str:
    """Return a class where boxes need none: any word, in the spelling of a known class."""
    try:
        return get_class(_without_article(label)).name
    except PlanningError:
        return " ".join(label.split()).casefold()


def _without_article(label: str) -> str:
    words = label.strip(" \t\n.\"'“”").casefold().split()
    return " ".join(words[1:] if words[:1] in (["a"], ["an"], ["the"]) else words)


def _background(name: str) -> str:
    key = _without_article(name)
    for place in BACKGROUNDS.values():
        if key in (place.name, _without_article(place.phrase)):
            return place.name
    known = ", ".join(BACKGROUNDS)
    raise AnswerError(f"background: {name!r} is not known; one of: {known}")


def _standing(sound_class: SoundClass, azimuth_deg: float, camera: Camera) -> Box | None:
    size = (sound_class.width_m, sound_class.height_m, sound_class.base_m)
    raw = camera.project(azimuth_deg, _BEHIND * sound_class.range_m, *size)
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
