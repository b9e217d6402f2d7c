"""The Video Scene Layout (VSL): what a video is to show, and where.

SpA2V (Pham et al., ACM MM 2025, sec. 3.1) puts a layout between planning and sampling: a
reasoning, a caption of the whole video, and for every key frame a caption and the boxes of its
objects. Here it is a small JSON file that a person can read, draw, edit and keep.

Boxes are ``(x0, y0, x1, y1)`` in [0, 1] with the origin at the top left. An object that is out of
the picture at a key frame has no box there (None). Between key frames boxes move linearly; an
object appears or vanishes half way.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import ValidationInfo, field_validator, model_validator

from spa2v_lib.errors import LayoutError
from spa2v_lib.files import read_json, write_text
from spa2v_lib.layout.box import Box, StrictModel, validated_items

__all__ = [
    "MAX_CAPTION_CHARS",
    "MAX_DURATION_S",
    "MAX_FPS",
    "MAX_KEY_FRAMES",
    "MAX_OBJECTS",
    "MIN_FPS",
    "VERSION",
    "Box",
    "SceneObject",
    "VideoSceneLayout",
]

VERSION = "spa2v.vsl/1"
"""Version of the JSON format."""

MIN_FPS, MAX_FPS = 0.1, 60.0
"""Least and largest frame rate of a video, in frames per second."""

MAX_DURATION_S = 24 * 3600.0
"""Longest video, in seconds."""

MAX_KEY_FRAMES = 200_000
"""Most key frames of a layout – two a second for the longest video, and some."""

MAX_OBJECTS = 100
"""Most objects of a layout."""

MAX_CAPTION_CHARS = 10_000
"""Longest caption, label, identifier or background, in characters."""

_MAX_REASONING_CHARS = 100_000
_RANGES = {
    "fps": (MIN_FPS, MAX_FPS),
    "duration_s": (1e-3, MAX_DURATION_S),
    "aspect": (0.01, 100.0),
}


class SceneObject(StrictModel):
    """One object in the video.

    Parameters
    ----------
    id : str
        Identifier, unique in the layout.
    label : str
        Its class, for example "bus".
    caption : str
        The phrase that conditions grounding layers, for example "a red bus".
    boxes : list of (Box or None)
        One per key frame; None where it is out of the picture.

    Raises
    ------
    LayoutError
        If a field is not valid or a text has more than `MAX_CAPTION_CHARS` characters.

    See Also
    --------
    VideoSceneLayout : Holds the objects of a scene.

    Examples
    --------
    >>> box = {"x0": 0.1, "y0": 0.4, "x1": 0.5, "y1": 0.8}
    >>> SceneObject(id="bus", label="bus", caption="a bus", boxes=[box, None]).boxes[0].width
    0.4
    """

    id: str
    label: str
    caption: str
    boxes: list[Box | None]

    @field_validator("boxes", mode="before")
    @classmethod
    def _name_the_frame(cls, boxes: Any, info: ValidationInfo) -> Any:
        owner = f"object {info.data.get('id')!r}"
        return validated_items(boxes, Box, lambda index: f"{owner}, key frame {index}")

    @model_validator(mode="after")
    def _texts_have_limits(self) -> SceneObject:
        for name in ("id", "label", "caption"):
            _check_text(getattr(self, name), f"object {self.id!r:.60}: {name}")
        return self


class VideoSceneLayout(StrictModel):
    """What is where in a video, key frame by key frame.

    Parameters
    ----------
    version : str
        Version of the format, `VERSION`.
    reasoning : str
        Why the objects are where they are.
    caption : str
        The whole video in one sentence.
    frame_captions : list of str
        One per key frame.
    key_times_s : list of float
        Times of the key frames in seconds: increasing, from 0 to `duration_s`, at most
        `MAX_KEY_FRAMES`.
    objects : list of SceneObject
        At most `MAX_OBJECTS`.
    duration_s : float
        Length of the video in seconds, from 0.001 to `MAX_DURATION_S`.
    fps : float
        Frames per second of the video, from `MIN_FPS` to `MAX_FPS`.
    aspect : float
        Width over height of the picture, from 0.01 to 100.
    background : str
        Name of the surroundings; may be empty.

    Raises
    ------
    LayoutError
        If a field is not valid or beyond its limit; the message names the key frame, the object
        and the number.

    See Also
    --------
    spa2v_lib.planning.plan : from spatial cues to a layout.
    spa2v_lib.sampling.generate : from a layout to a video.
    spa2v_lib.layout.lvd.from_lvd : from a layout in LVD's format.

    Examples
    --------
    A bus that crosses from left to right within two seconds:

    >>> left, right = (Box(x0=x, y0=0.4, x1=x + 0.25, y1=0.65) for x in (0.0, 0.75))
    >>> layout = VideoSceneLayout(
    ...     caption="a bus drives from left to right on a city street",
    ...     frame_captions=["a bus on the left", "a bus on the right"],
    ...     key_times_s=[0.0, 2.0],
    ...     objects=[SceneObject(id="bus", label="bus", caption="a bus", boxes=[left, right])],
    ...     duration_s=2.0,
    ... )
    >>> layout.boxes_at(1.0)[0].as_tuple()
    (0.375, 0.4, 0.625, 0.65)
    >>> layout.frame_count, layout.mirrored().boxes_at(0.0)[0].x0
    (16, 0.75)
    """

    version: Literal["spa2v.vsl/1"] = VERSION
    reasoning: str = ""
    caption: str
    frame_captions: list[str]
    key_times_s: list[float]
    objects: list[SceneObject]
    duration_s: float
    fps: float = 8.0
    aspect: float = 1.0
    background: str = ""

    @field_validator("objects", mode="before")
    @classmethod
    def _name_the_object(cls, objects: Any) -> Any:
        if isinstance(objects, list) and len(objects) > MAX_OBJECTS:
            raise LayoutError(f"{len(objects)} objects; a layout has at most {MAX_OBJECTS}")
        return validated_items(objects, SceneObject, lambda index: f"objects[{index}]")

    @model_validator(mode="after")
    def _fits_together(self) -> VideoSceneLayout:
        for name, (least, most) in _RANGES.items():
            if not least <= getattr(self, name) <= most:
                raise LayoutError(
                    f"{name} is {getattr(self, name):.10g}; it must lie in [{least:g}, {most:g}]"
                )
        self._check_times()
        self._check_texts()
        count = len(self.key_times_s)
        if len(self.frame_captions) != count:
            raise LayoutError(
                f"{len(self.frame_captions)} frame captions for {count} key frames; one each"
            )
        ids: set[str] = set()
        for item in self.objects:
            if item.id in ids:
                raise LayoutError(f"two objects have the id {item.id!r}; ids must differ")
            ids.add(item.id)
            if len(item.boxes) != count:
                raise LayoutError(
                    f"object {item.id!r} has {len(item.boxes)} boxes for {count} key frames; "
                    "one each, null where it is out of the picture"
                )
        return self

    def _check_times(self) -> None:
        times = self.key_times_s
        if not 1 <= len(times) <= MAX_KEY_FRAMES:
            raise LayoutError(
                f"key_times_s has {len(times)} entries; a layout needs at least one key frame and "
                f"at most {MAX_KEY_FRAMES:,}"
            )
        for index, time in enumerate(times):
            if not 0 <= time <= self.duration_s:
                raise LayoutError(
                    f"key frame {index} is at {time:.10g} s; the video lasts from 0 to "
                    f"{self.duration_s:.10g} s"
                )
            if index and time <= times[index - 1]:
                raise LayoutError(
                    f"key frame {index} at {time:.10g} s does not come after key frame {index - 1} "
                    f"at {times[index - 1]:.10g} s"
                )

    def _check_texts(self) -> None:
        _check_text(self.reasoning, "reasoning", _MAX_REASONING_CHARS)
        _check_text(self.caption, "caption")
        _check_text(self.background, "background")
        for index, caption in enumerate(self.frame_captions):
            _check_text(caption, f"frame caption {index}")

    @property
    def frame_count(self) -> int:
        """Number of video frames, at least 1."""
        return max(1, round(self.duration_s * self.fps))

    @property
    def frame_times_s(self) -> list[float]:
        """Times at which the frames begin, in seconds; boxes are evaluated at these."""
        return [k / self.fps for k in range(self.frame_count)]

    def boxes_at(self, time_s: float) -> list[Box | None]:
        """Return the box of every object at a time, None where it is out of the picture.

        Parameters
        ----------
        time_s : float
            In seconds; before the first key frame and after the last, boxes rest.

        Returns
        -------
        list of (Box or None)
            In the order of `objects`.
        """
        times = self.key_times_s
        after = int(np.searchsorted(times, time_s, side="right"))
        if after == 0 or after == len(times):
            edge = 0 if after == 0 else -1
            return [item.boxes[edge] for item in self.objects]
        share = (time_s - times[after - 1]) / (times[after] - times[after - 1])
        return [_between(o.boxes[after - 1], o.boxes[after], share) for o in self.objects]

    def frame_boxes(self) -> list[list[Box | None]]:
        """Return the boxes of every object in every video frame, as ``[frame][object]``."""
        return [self.boxes_at(time) for time in self.frame_times_s]

    def fullest_frame(self) -> int:
        """Return the number of the frame that shows most, as a poster should.

        Of the frames that show the most objects, and whose boxes cover nearly as much as any of
        them, it is the one nearest the middle.
        """
        rows = [[box for box in row if box is not None] for row in self.frame_boxes()]
        shown = [(len(row), sum(box.area for box in row)) for row in rows]
        count, area = max(shown)
        full = [k for k, (n, covered) in enumerate(shown) if n == count and covered >= 0.9 * area]
        return min(full, key=lambda index: abs(index - len(rows) / 2))

    def caption_at(self, time_s: float) -> str:
        """Return the caption of the key frame nearest to a time.

        Parameters
        ----------
        time_s : float
            In seconds.
        """
        nearest = int(np.argmin(np.abs(np.asarray(self.key_times_s) - time_s)))
        return self.frame_captions[nearest]

    def mirrored(self) -> VideoSceneLayout:
        """Return the layout with left and right exchanged; captions stay."""
        objects = [
            SceneObject(
                id=item.id,
                label=item.label,
                caption=item.caption,
                boxes=[box and box.mirrored() for box in item.boxes],
            )
            for item in self.objects
        ]
        return self.model_copy(update={"objects": objects})

    @classmethod
    def json_schema(cls) -> dict[str, Any]:
        """Return the JSON schema of the file that `save` writes, named after its version."""
        dialect = "https://json-schema.org/draft/2020-12/schema"
        return {"$schema": dialect, "$id": VERSION, **cls.model_json_schema()}

    def to_json(self) -> str:
        """Return the layout as indented JSON."""
        return self.model_dump_json(indent=1)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the layout as JSON, under a temporary name first.

        Parameters
        ----------
        path : str or os.PathLike
            Missing folders are made.

        Returns
        -------
        pathlib.Path
            `path`.

        Raises
        ------
        OutputError
            If the file cannot be written.
        """
        return write_text(path, self.to_json() + "\n")

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> VideoSceneLayout:
        """Read a layout from a JSON file that `save` or a person wrote.

        Parameters
        ----------
        path : str or os.PathLike
            An ordinary file of at most 64 MiB, in any encoding that `spa2v_lib.files.read_text`
            takes.

        Raises
        ------
        LayoutError
            If there is no such file, it is not JSON, or not a valid layout.
        """
        return cls(**read_json(path, LayoutError))

    def __repr__(self) -> str:
        plural = "" if len(self.objects) == 1 else "s"
        return (
            f"<VideoSceneLayout {self.caption!r}: {len(self.objects)} object{plural}, "
            f"{len(self.key_times_s)} key frames, {self.duration_s:.2f} s>"
        )

    def _repr_html_(self) -> str:
        from spa2v_lib.viz.frames import layout_html

        return layout_html(self)


def _check_text(text: str, name: str, most: int = MAX_CAPTION_CHARS) -> None:
    if len(text) > most:
        raise LayoutError(f"{name} has {len(text):,} characters; at most {most:,} are allowed")
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        raise LayoutError(f"{name} holds half a character (a lone surrogate)") from None


def _between(before: Box | None, after: Box | None, share: float) -> Box | None:
    """Interpolate; where only one of the two is there, it holds up to half way."""
    if before is None or after is None:
        return before if share < 0.5 else after
    if share <= 0.0:
        return before
    mixed = (1 - share) * np.array(before.as_tuple()) + share * np.array(after.as_tuple())
    return Box(**dict(zip(("x0", "y0", "x1", "y1"), np.clip(mixed, 0, 1).tolist(), strict=True)))
