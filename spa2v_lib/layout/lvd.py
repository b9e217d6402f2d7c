"""Dynamic scene layouts of LVD, in and out.

LVD (Lian et al., ICLR 2024) lets a language model write six key frames, two a second, as text::

    Reasoning: The bear walks, so ...
    Frame 1: [{'id': 0, 'name': 'walking bear', 'box': [0, 270, 120, 200]}]
    ...
    Frame 6: [{'id': 0, 'name': 'walking bear', 'box': [390, 270, 120, 200]}]
    Background keyword: forest

Boxes are ``[x, y, width, height]`` in pixels of a 512 by 512 picture, origin top left. LVD shows
the first key frame in the first video frame and the last one in the last, the others evenly
between; so do these functions.
"""

from __future__ import annotations

import ast
import math
import re
from typing import Any

import numpy as np

from spa2v_lib.errors import LayoutError
from spa2v_lib.layout.scene_layout import Box, SceneObject, VideoSceneLayout

__all__ = ["KEY_FRAMES", "PICTURE", "from_lvd", "lvd_text", "parse_lvd", "to_lvd"]

KEY_FRAMES = 6
"""Key frames of an LVD layout."""

PICTURE = 512
"""Side of LVD's square picture in pixels."""

_KEY = re.compile(
    r"^[\s*-]*(Prompt|Reasoning|Frame \d+|Background keyword)\s*:[ \t]*", re.MULTILINE
)


def to_lvd(layout: VideoSceneLayout) -> dict[str, Any]:
    """Write a layout as LVD's parsed form: the caption, and one list of boxes a frame.

    Boxes are taken at six times from the first to the last video frame and rounded to pixels, so
    what happens between those times is lost.

    Returns
    -------
    dict
        Keys "Prompt", "Reasoning", "Frame 1" to "Frame 6" and "Background keyword". `lvd_text`
        makes LVD's text of it.
    """
    times = _times(layout.frame_count, layout.fps)
    frames = {
        f"Frame {number}": [
            {"id": index, "name": thing.caption, "box": _pixels(box)}
            for index, (thing, box) in enumerate(
                zip(layout.objects, layout.boxes_at(time), strict=True)
            )
            if box is not None
        ]
        for number, time in enumerate(times, start=1)
    }
    return {
        "Prompt": layout.caption,
        "Reasoning": layout.reasoning,
        **frames,
        "Background keyword": layout.background,
    }


def lvd_text(fields: dict[str, Any]) -> str:
    """Return LVD's text of what `to_lvd` gave; the prompt is not part of it."""
    lines = [f"{key}: {value}" for key, value in fields.items() if key != "Prompt"]
    return "\n".join(lines)


def from_lvd(
    source: str | dict[str, Any],
    *,
    caption: str | None = None,
    duration_s: float = 3.0,
    fps: float = 8.0,
) -> VideoSceneLayout:
    """Read an LVD dynamic scene layout.

    Parameters
    ----------
    source : str or dict
        LVD's text, or its parsed form.
    caption : str, optional
        Of the whole video, which LVD keeps outside the text; without it the "Prompt" of the
        parsed form, else the names of the objects.
    duration_s : float
        Length of the video in seconds; LVD's own is 3.
    fps : float
        Frames per second.

    Returns
    -------
    VideoSceneLayout
        Labels and captions are LVD's names. What lies outside the picture is cut off, since LVD's
        own layouts often reach outside. An object wholly outside, or without extent (LVD's way of
        saying that it has gone), has no box there.

    Raises
    ------
    LayoutError
        If a frame is missing or a box is not four numbers without negative extent; the
        message names frame, object and number.
    """
    fields = parse_lvd(source) if isinstance(source, str) else source
    names: dict[str, str] = {}
    tracks: dict[str, list[Box | None]] = {}
    for number in range(1, KEY_FRAMES + 1):
        seen: set[str] = set()
        for item in _frame(fields, number):
            key, name, box = _item(item, number)
            if key in seen:
                raise LayoutError(f"LVD frame {number}: two objects have the id {key}")
            seen.add(key)
            names.setdefault(key, name)
            tracks.setdefault(key, [None] * KEY_FRAMES)[number - 1] = box
    background = str(fields.get("Background keyword") or "").strip()
    things = ", ".join(names.values()) or background or "an empty scene"
    whole = caption or str(fields.get("Prompt") or "").strip() or things
    if not duration_s > 0 or not fps > 0:
        raise LayoutError(f"duration is {duration_s:g} s at {fps:g} fps; both must be above 0")
    times = _times(max(1, round(duration_s * fps)), fps)
    if len(set(times)) < KEY_FRAMES:
        raise LayoutError(
            f"{duration_s:g} s at {fps:g} fps is one frame; LVD's {KEY_FRAMES} key frames need two"
        )
    return VideoSceneLayout(
        reasoning=str(fields.get("Reasoning") or "").strip(),
        caption=whole,
        frame_captions=[whole] * KEY_FRAMES,
        key_times_s=times,
        objects=[
            SceneObject(id=key, label=names[key], caption=names[key], boxes=boxes)
            for key, boxes in tracks.items()
        ],
        duration_s=duration_s,
        fps=fps,
        background=background,
    )


def parse_lvd(text: str) -> dict[str, Any]:
    """Take LVD's text apart; nothing in it is executed.

    Raises
    ------
    LayoutError
        If a frame is not a list in Python's notation.
    """
    marks = list(_KEY.finditer(text))
    ends = [mark.start() for mark in marks[1:]] + [len(text)]
    fields: dict[str, Any] = {}
    if marks and (lead := text[: marks[0].start()].strip()):
        fields["Reasoning"] = lead  # a completion of "Reasoning:" begins without that word
    for mark, end in zip(marks, ends, strict=True):
        key, value = mark.group(1), text[mark.end() : end].strip()
        fields[key] = _literal(key, value) if key.startswith("Frame") else value
    return fields


def _literal(key: str, value: str) -> Any:
    try:
        return ast.literal_eval(value)
    except (ValueError, SyntaxError, MemoryError, RecursionError, TypeError):
        raise LayoutError(
            f"LVD {key.lower()} is {value[:60]!r}; a list such as "
            "[{'id': 0, 'name': 'bear', 'box': [x, y, width, height]}] is needed"
        ) from None


def _times(frame_count: int, fps: float) -> list[float]:
    return np.linspace(0.0, (frame_count - 1) / fps, KEY_FRAMES).tolist()


def _pixels(box: Box) -> list[int]:
    x0, y0, x1, y1 = (round(value * PICTURE) for value in box.as_tuple())
    x0, y0 = min(x0, PICTURE - 1), min(y0, PICTURE - 1)
    return [x0, y0, max(x1 - x0, 1), max(y1 - y0, 1)]


def _frame(fields: dict[str, Any], number: int) -> list[Any]:
    items = fields.get(f"Frame {number}")
    if items is None:
        raise LayoutError(f"LVD frame {number} is missing; frames 1 to {KEY_FRAMES} are needed")
    if not isinstance(items, list):
        raise LayoutError(f"LVD frame {number} is {type(items).__name__}; a list is needed")
    return items


def _item(item: Any, number: int) -> tuple[str, str, Box | None]:
    """Return identifier, name and clipped box of one object in one frame."""
    if not isinstance(item, dict) or "id" not in item or not {"name", "keyword"} & item.keys():
        raise LayoutError(f"LVD frame {number}: {item!r:.60} lacks 'id' or 'name'")
    name = str(item.get("name", item.get("keyword")))
    where = f"LVD frame {number}, object {item['id']} ({name})"
    box = item.get("box")
    if not isinstance(box, list | tuple) or len(box) != 4:
        raise LayoutError(f"{where}: box is {box!r:.60}; four numbers x, y, width, height needed")
    for part, value in zip(("x", "y", "width", "height"), box, strict=True):
        if (
            isinstance(value, bool)
            or not isinstance(value, int | float)
            or not math.isfinite(value)
        ):
            raise LayoutError(f"{where}: {part} is {value!r:.20}; a number is needed")
    x, y, width, height = box
    for part, value in (("width", width), ("height", height)):
        if value < 0:
            raise LayoutError(f"{where}: {part} is {value:g}; it must not be below 0")
    return str(item["id"]), name, _clipped(x, y, width, height)


def _clipped(x: float, y: float, width: float, height: float) -> Box | None:
    corners = np.clip(np.array([x, y, x + width, y + height]) / PICTURE, 0.0, 1.0).tolist()
    if corners[0] >= corners[2] or corners[1] >= corners[3]:
        return None
    return Box(**dict(zip(("x0", "y0", "x1", "y1"), corners, strict=True)))
