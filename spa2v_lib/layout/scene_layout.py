"""The Video Scene Layout (VSL): what a video is to show, and where, before it is drawn.

SpA2V (Pham et al., ACM MM 2025, sec. 3.1) puts a layout between hearing and drawing: a reasoning,
a caption of the whole video, and for every key frame a caption and the boxes of its objects. Here
it is a small file that a person can read, draw, edit and keep.

Boxes are ``(x0, y0, x1, y1)`` in [0, 1] with the origin at the top left. An object that is not in
the picture at a key frame has no box there (None). Between key frames boxes move linearly; an
object that appears or vanishes does so half way.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import ValidationInfo, field_validator, model_validator

from spa2v_lib.errors import LayoutError
from spa2v_lib.layout.box import Box, StrictModel, located

__all__ = ["VERSION", "Box", "SceneObject", "VideoSceneLayout"]

VERSION = "spa2v.vsl/1"


class SceneObject(StrictModel):
    """One thing in the video.

    Attributes
    ----------
    id : str
        Unique in the layout.
    label : str
        Its class.
    caption : str
        The phrase that grounding layers are given for it.
    boxes : list of (Box or None)
        One per key frame; None where it is not in the picture.
    """

    id: str
    label: str
    caption: str
    boxes: list[Box | None]

    @field_validator("boxes", mode="before")
    @classmethod
    def _name_the_frame(cls, boxes: Any, info: ValidationInfo) -> Any:
        owner = f"object {info.data.get('id')!r}"
        return located(boxes, Box, lambda index: f"{owner}, key frame {index}")


class VideoSceneLayout(StrictModel):
    """What is where in a video, key frame by key frame.

    Attributes
    ----------
    version : str
        Of this format.
    reasoning : str
        Why things are where they are.
    caption : str
        The whole video in one sentence.
    frame_captions : list of str
        One per key frame.
    key_times_s : list of float
        Increasing, from 0 within the duration.
    objects : list of SceneObject
    duration_s : float
    fps : float
        Frames per second of the video.
    aspect : float
        Width over height of the picture.
    background : str
        Name of the surroundings; may be empty.

    Raises
    ------
    LayoutError
        If anything does not fit; the message names the frame, the object and the number.
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
        return located(objects, SceneObject, lambda index: f"objects[{index}]")

    @model_validator(mode="after")
    def _fits_together(self) -> VideoSceneLayout:
        for name in ("duration_s", "fps", "aspect"):
            if not getattr(self, name) > 0:
                raise LayoutError(f"{name} is {getattr(self, name):g}; it must be above 0")
        self._check_times()
        count = len(self.key_times_s)
        if len(self.frame_captions) != count:
            raise LayoutError(
                f"{len(self.frame_captions)} frame captions for {count} key frames; one each"
            )
        seen: set[str] = set()
        for thing in self.objects:
            if thing.id in seen:
                raise LayoutError(f"two objects have the id {thing.id!r}; ids must differ")
            seen.add(thing.id)
            if len(thing.boxes) != count:
                raise LayoutError(
                    f"object {thing.id!r} has {len(thing.boxes)} boxes for {count} key frames; "
                    "one each, null where it is out of the picture"
                )
        return self

    def _check_times(self) -> None:
        times = self.key_times_s
        if not times:
            raise LayoutError("a layout needs at least one key frame; key_times_s is empty")
        for index, time in enumerate(times):
            if not 0 <= time <= self.duration_s:
                raise LayoutError(
                    f"key frame {index} is at {time:g} s; the video lasts from 0 to "
                    f"{self.duration_s:g} s"
                )
            if index and time <= times[index - 1]:
                raise LayoutError(
                    f"key frame {index} at {time:g} s does not come after key frame {index - 1} "
                    f"at {times[index - 1]:g} s"
                )

    @property
    def frame_count(self) -> int:
        """Number of video frames, at least 1."""
        return max(1, round(self.duration_s * self.fps))

    @property
    def frame_times_s(self) -> list[float]:
        """When each frame begins to be shown; boxes are taken at these times."""
        return [k / self.fps for k in range(self.frame_count)]

    def boxes_at(self, time_s: float) -> list[Box | None]:
        """Return the box of every object at a time, None where it is out of the picture."""
        times = self.key_times_s
        after = int(np.searchsorted(times, time_s, side="right"))
        if after == 0 or after == len(times):
            edge = 0 if after == 0 else -1
            return [thing.boxes[edge] for thing in self.objects]
        share = (time_s - times[after - 1]) / (times[after] - times[after - 1])
        return [_between(o.boxes[after - 1], o.boxes[after], share) for o in self.objects]

    def frame_boxes(self) -> list[list[Box | None]]:
        """Return the boxes of every object in every video frame, as ``[frame][object]``."""
        return [self.boxes_at(time) for time in self.frame_times_s]

    def caption_at(self, time_s: float) -> str:
        """Return the caption of the key frame nearest to a time."""
        nearest = int(np.argmin(np.abs(np.asarray(self.key_times_s) - time_s)))
        return self.frame_captions[nearest]

    def mirrored(self) -> VideoSceneLayout:
        """Return the layout with left and right exchanged; captions stay."""
        objects = [
            SceneObject(
                id=thing.id,
                label=thing.label,
                caption=thing.caption,
                boxes=[box and box.mirrored() for box in thing.boxes],
            )
            for thing in self.objects
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

    def save(self, path: str | Path) -> Path:
        """Write the layout as JSON, under a temporary name first.

        Raises
        ------
        OutputError
            If the file cannot be written.
        """
        from spa2v_lib.files import replacing

        with replacing(Path(path)) as partial:
            partial.write_text(self.to_json() + "\n", encoding="utf-8")
        return Path(path)

    @classmethod
    def load(cls, path: str | Path) -> VideoSceneLayout:
        """Read a layout that `save` wrote, or a person.

        Raises
        ------
        LayoutError
            If there is no such file, it is not JSON, or not a valid layout.
        """
        try:
            fields = json.loads(Path(path).read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError) as error:
            raise LayoutError(f"{path} cannot be read: {error}") from None
        except (json.JSONDecodeError, RecursionError) as error:
            raise LayoutError(f"{path} is not JSON: {error}") from None
        if not isinstance(fields, dict):
            raise LayoutError(f"{path} holds {type(fields).__name__}; a JSON object is needed")
        return cls(**fields)

    def __repr__(self) -> str:
        plural = "" if len(self.objects) == 1 else "s"
        return (
            f"<VideoSceneLayout {self.caption!r}: {len(self.objects)} object{plural}, "
            f"{len(self.key_times_s)} key frames, {self.duration_s:.2f} s>"
        )

    def _repr_html_(self) -> str:
        from spa2v_lib.viz.svg import layout_html

        return layout_html(self)


def _between(before: Box | None, after: Box | None, share: float) -> Box | None:
    """Interpolate; where only one of the two is there, it holds up to half way."""
    if before is None or after is None:
        return before if share < 0.5 else after
    if share <= 0.0:
        return before
    mixed = (1 - share) * np.array(before.as_tuple()) + share * np.array(after.as_tuple())
    return Box(**dict(zip(("x0", "y0", "x1", "y1"), np.clip(mixed, 0, 1).tolist(), strict=True)))
