"""What a language model is asked to write: data models of its answer, and their narrow versions.

The models are flat, in the order of SpA2V's own answers (Pham et al., ACM MM 2025, sec. 3.1:
reasoning, video caption, then frames), and without numeric bounds, which some providers refuse in
a schema. Their JSON schema is part of the prompt, with the names, docstrings and descriptions
below: whoever changes a word of them changes what every model is asked.

A schema that is good to validate with is not good to decode with: text and lists without an end
let a weak model ramble for ever. `narrowed` gives a version for one recording in which every text
and list is bounded and what the recording decides is fixed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema, create_model, model_validator

from spa2v_lib.layout.classes import BACKGROUNDS, CLASSES

if TYPE_CHECKING:
    from spa2v_lib.cues.types import SourceTrack, SpatialCues

__all__ = [
    "SCHEMAS",
    "BoxAnswer",
    "CueAnswer",
    "Frame",
    "Limits",
    "NamedBox",
    "NamedSource",
    "Scenery",
    "narrowed",
]

CORNERS = ("x0", "y0", "x1", "y1")
_SIDES = {"center": "centre", "middle": "centre"}


def _without_examples(schema: dict[str, Any]) -> None:
    """Leave a docstring's examples out of what a model is given: they are for people."""
    if "description" in schema:
        schema["description"] = schema["description"].split("\n\nExamples\n", 1)[0]


class _Flat(BaseModel):
    model_config = ConfigDict(allow_inf_nan=False, json_schema_extra=_without_examples)


class _Plan(_Flat):
    reasoning: str = Field(description="what the numbers say about each source, and the scene")
    video_caption: str = Field(description="the whole video in one sentence")
    background: str = Field(description="one of the listed surroundings")


class NamedSource(_Flat):
    """What one measured source is.

    Examples
    --------
    >>> NamedSource(id="source-1", label="bus", caption="a red bus").label
    'bus'
    """

    id: str = Field(description="id of the source in the table")
    label: str = Field(description="its class, one of the listed classes")
    caption: str = Field(description="noun phrase for it, such as 'a red double-decker bus'")


class Scenery(_Flat):
    """A thing that is seen and not heard.

    Examples
    --------
    >>> Scenery(label="tree", caption="an old oak", side="Center").side
    'centre'
    """

    label: str = Field(description="its class, one of the listed classes")
    caption: str = Field(description="noun phrase for it")
    side: Literal["left", "centre", "right"]

    @model_validator(mode="before")
    @classmethod
    def _spelling(cls, fields: Any) -> Any:
        if isinstance(fields, dict) and isinstance(fields.get("side"), str):
            side = fields["side"].strip().lower()
            return {**fields, "side": _SIDES.get(side, side)}
        return fields


class CueAnswer(_Plan):
    """A plan whose boxes are computed from the measured cues.

    Examples
    --------
    >>> answer = CueAnswer(
    ...     reasoning="The azimuth rises from -40° to 40°, the level peaks between.",
    ...     video_caption="a bus drives from left to right on a city street",
    ...     background="street",
    ...     sources=[{"id": "source-1", "label": "bus", "caption": "a red bus"}],
    ...     scenery=None,
    ...     frame_captions=["a bus on the left", "a bus on the right"],
    ... )
    >>> answer.sources[0].caption, answer.scenery
    ('a red bus', [])
    """

    sources: list[NamedSource] = Field(description="every source of the table, once")
    scenery: list[Scenery] = Field(description="silent things, at most three; may be empty")
    frame_captions: list[str] = Field(description="one sentence for each listed time")

    @model_validator(mode="before")
    @classmethod
    def _no_scenery(cls, fields: Any) -> Any:
        """Read null, or nothing at all, as no scenery: nothing else can be meant."""
        if isinstance(fields, dict) and fields.get("scenery") is None:
            return {**fields, "scenery": []}
        return fields


class NamedBox(_Flat):
    """Where one thing is in one frame.

    Examples
    --------
    >>> words = {"id": "source-1", "label": "bus", "caption": "a red bus"}
    >>> box = NamedBox(**words, x0=0.0, y0=0.4, x1=0.3, y1=0.8)
    >>> box.visible, box.x1
    (True, 0.3)
    >>> NamedBox(**words).visible
    False
    """

    id: str = Field(description="id of the source, or a new id for a silent thing")
    label: str = Field(description="its class")
    caption: str = Field(description="noun phrase for it, the same in every frame")
    visible: bool = Field(description="false while it is out of the picture")
    x0: float = Field(description="left edge, 0 to 1")
    y0: float = Field(description="top edge, 0 to 1, 0 is the top")
    x1: float = Field(description="right edge, 0 to 1")
    y1: float = Field(description="bottom edge, 0 to 1")

    @model_validator(mode="before")
    @classmethod
    def _out_of_the_picture(cls, fields: Any) -> Any:
        """Read a box without any corner as invisible; an invisible one needs no corners."""
        if not isinstance(fields, dict):
            return fields
        missing = [name for name in CORNERS if fields.get(name) is None]
        if fields.get("visible") is None:
            fields = {**fields, "visible": len(missing) < len(CORNERS)}
        if str(fields["visible"]).lower() in ("false", "0", "no"):
            return {**fields, **dict.fromkeys(missing, 0.0)}
        return fields


class Frame(_Flat):
    """One key frame.

    Examples
    --------
    >>> bus = {"id": "source-1", "label": "bus", "caption": "a red bus", "visible": False}
    >>> frame = Frame(time_s=0.5, caption="the bus has left", boxes=[bus])
    >>> frame.time_s, frame.boxes[0].visible
    (0.5, False)
    """

    time_s: float = Field(description="the listed time")
    caption: str = Field(description="one sentence for this frame")
    boxes: list[NamedBox] = Field(description="every thing of the video, in every frame")


class BoxAnswer(_Plan):
    """A plan whose boxes the model writes itself, as in SpA2V.

    Examples
    --------
    >>> answer = BoxAnswer(
    ...     reasoning="The level falls steadily.",
    ...     video_caption="a bus drives away",
    ...     background="street",
    ...     frames=[{"time_s": 0.0, "caption": "a bus", "boxes": []}],
    ... )
    >>> len(answer.frames), answer.frames[0].caption
    (1, 'a bus')
    """

    frames: list[Frame] = Field(description="one for each listed time")


SCHEMAS: dict[str, type[BaseModel]] = {"cues": CueAnswer, "model": BoxAnswer}
"""What a model writes, by who places the boxes – code, from the cues, or the model."""


@dataclass(frozen=True)
class Limits:
    """How long the answer of a model may be that decodes under a schema.

    Parameters
    ----------
    text : int
        Characters of a text, at least 1.
    texts : mapping of str to int
        The same for "reasoning", "caption" and "id".
    items : int
        Silent objects that it may add.

    Examples
    --------
    >>> Limits().longest("video_caption"), Limits().longest("reasoning")
    (160, 600)
    """

    text: int = 160
    texts: Mapping[str, int] = field(
        default_factory=lambda: {"reasoning": 600, "caption": 100, "id": 20}
    )
    items: int = 3

    def longest(self, name: str) -> int:
        """Return the most characters that a field of this name may hold."""
        return self.texts.get(name, self.text)


# ASCII without the quote and the backslash: one byte a character, no escape; no blank text.
_PRINTABLE = r"^[!#-\[\]-~][ !#-\[\]-~]*$"
_Label = Literal[tuple(sorted(CLASSES))]
_Background = Literal[tuple(BACKGROUNDS)]


def _hundredths(odd: bool) -> Any:
    """Corners: even hundredths and odd ones never are equal, so that every box has an extent."""
    steps = [*range(1, 100, 2), 100] if odd else range(0, 100, 2)
    return Annotated[float, WithJsonSchema({"enum": [step / 100 for step in steps]})]


_CORNER_TYPES = {name: _hundredths(odd=name in ("x1", "y1")) for name in CORNERS}


def narrowed(
    placement: str, cues: SpatialCues, times_s: Sequence[float], limits: Limits | None = None
) -> type[BaseModel]:
    """Return the answer's model for one recording, fit to decode under.

    Every text is printable ASCII, not empty and bounded; every list has its length; ids, times and
    known labels are fixed; the corners of a box lie in the picture and differ. Whatever fits it
    fits the model in `SCHEMAS` as well.

    Parameters
    ----------
    placement : {"cues", "model"}
        Who places the boxes.
    cues : SpatialCues
        Of the recording.
    times_s : sequence of float
        Of the frames that are asked for, in seconds.
    limits : Limits, optional
        Longest texts; the default ones if not given.

    Returns
    -------
    type of BaseModel

    See Also
    --------
    spa2v_lib.planning.backends.constrained.longest_answer : How long its longest answer is.

    Examples
    --------
    >>> from spa2v_lib.planning.exemplars import load_exemplars
    >>> answer = narrowed("cues", load_exemplars()[0].cues, (0.0, 1.0))
    >>> answer.model_json_schema()["properties"]["frame_captions"]["maxItems"]
    2
    """
    most = limits or Limits()
    head = {
        "reasoning": _text(most.longest("reasoning")),
        "video_caption": _text(most.text),
        "background": _Background,
    }
    sentences = [_text(most.text)] * len(times_s)
    if placement == "cues":
        caption = _text(most.longest("caption"))
        sources = [_closed(id=Literal[s.id], label=_Label, caption=caption) for s in cues.sources]
        silent = _closed(label=_Label, caption=caption, side=Literal["left", "centre", "right"])
        return _closed(
            **head,
            sources=tuple[tuple(sources)],
            scenery=Annotated[list[silent], Field(max_length=most.items)],
            frame_captions=tuple[tuple(sentences)],
        )
    boxes = tuple[tuple(_box(source, most) for source in cues.sources)]
    frames = [
        _closed(
            time_s=Annotated[float, WithJsonSchema({"const": round(time, 2)})],
            caption=_text(most.longest("caption")),
            boxes=boxes,
        )
        for time in times_s
    ]
    return _closed(**head, frames=tuple[tuple(frames)])


def _box(source: SourceTrack, limits: Limits) -> type[BaseModel]:
    # An object keeps its class from frame to frame, which no schema can say otherwise.
    label = Literal[source.label] if source.label in CLASSES else _Label
    caption = _text(limits.longest("caption"))
    return _closed(
        id=Literal[source.id], label=label, caption=caption, visible=bool, **_CORNER_TYPES
    )


def _text(longest: int) -> Any:
    return Annotated[str, Field(pattern=_PRINTABLE, max_length=longest)]


def _closed(**types: Any) -> type[BaseModel]:
    fields = {name: (annotation, ...) for name, annotation in types.items()}
    return create_model("Narrowed", __config__=ConfigDict(extra="forbid"), **fields)
