"""Dynamic scene layouts of LVD, in and out.

LVD (Lian et al., ICLR 2024) lets a language model write key frames, two a second, as text::

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
import contextlib
import json
import re
from typing import Any, NamedTuple

import numpy as np

from spa2v_lib.errors import LayoutError
from spa2v_lib.layout.box import Box
from spa2v_lib.layout.scene_layout import SceneObject, VideoSceneLayout

__all__ = ["KEY_FRAMES", "PICTURE", "from_lvd", "lvd_text", "parse_lvd", "to_lvd"]

KEY_FRAMES = 6
"""Key frames of LVD's own layouts, which last three seconds."""

PICTURE = 512
"""Side of LVD's square picture in pixels."""

_KEYS_A_SECOND = 2.0
_LAST = 1e-5  # of the video: the last frame belongs to the last key frame's part
_FARTHEST = 1e6  # pixels; beyond lie only mistakes, infinity and NaN
# A heading at the beginning of a line, also in Markdown: "**Frame 2:**", "### Frame 2:"
_HEADING = re.compile(
    r"^[ \t>#*_`-]*(?:\d+[.)][ \t]*)?(Prompt|Caption|Reasoning|Frame[ _]*\d+"
    r"|Background(?:[ ]+(?:keywords?|prompt|sentence|description))?)[ \t*_`]*(?::|(?=\[))[ \t*_`]*",
    re.MULTILINE | re.IGNORECASE,
)
# "ball 1", "ball #2", "ball3": numbers that tell objects of one name apart. "boeing 747" and "mp3"
# keep their own.
_NUMBERED = re.compile(r"^(.*\D)\s+(?:#|no\. ?)?[1-9]\d?$|^(.*[a-z]{3})[1-9]\d?$", re.IGNORECASE)


def to_lvd(layout: VideoSceneLayout) -> dict[str, Any]:
    """Return a layout in LVD's parsed form: the caption, and one list of boxes per key frame.

    Boxes are evaluated at six times from the first to the last video frame and rounded to pixels;
    what happens between those times is lost.

    Parameters
    ----------
    layout : VideoSceneLayout
        Captions, and boxes per key frame.

    Returns
    -------
    dict
        Keys "Prompt", "Reasoning", "Frame 1" to "Frame 6" and "Background keyword".

    See Also
    --------
    lvd_text : LVD's text of the result.
    from_lvd : the inverse.

    Examples
    --------
    >>> layout = from_lvd("Frame 1: [{'id': 7, 'name': 'kite', 'box': [0, 256, 128, 64]}]")
    >>> to_lvd(layout)["Frame 6"]
    [{'id': 0, 'name': 'kite', 'box': [0, 256, 128, 64]}]
    """
    times = np.linspace(0.0, (layout.frame_count - 1) / layout.fps, KEY_FRAMES).tolist()
    frames = {
        f"Frame {number}": [
            {"id": index, "name": item.caption, "box": _pixels(box)}
            for index, (item, box) in enumerate(
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
    """Return LVD's text of what `to_lvd` returned; the prompt is not part of it.

    Parameters
    ----------
    fields : dict
        LVD's parsed form.

    See Also
    --------
    to_lvd : The layout that is written.

    Examples
    --------
    >>> print(lvd_text({"Reasoning": "It rests.", "Frame 1": [], "Background keyword": "sea"}))
    Reasoning: It rests.
    Frame 1: []
    Background keyword: sea
    """
    lines = [f"{key}: {value}" for key, value in fields.items() if key != "Prompt"]
    return "\n".join(lines)


def from_lvd(
    source: str | dict[str, Any],
    *,
    caption: str | None = None,
    duration_s: float | None = None,
    fps: float = 8.0,
) -> VideoSceneLayout:
    """Read an LVD dynamic scene layout, with any number of key frames.

    Parameters
    ----------
    source : str or dict
        LVD's text, with whatever a language model writes before, between and after it, or its
        parsed form.
    caption : str, optional
        Caption of the whole video, which LVD keeps outside the text; without it the "Prompt" of
        the parsed form, else the names of the objects.
    duration_s : float, optional
        Length of the video in seconds; half a second per key frame if not given, as in LVD.
    fps : float
        Frames per second, from 0.1 to 60.

    Returns
    -------
    VideoSceneLayout
        Labels and captions are LVD's names, without the numbers that tell objects of one name
        apart ("ball 1"). Boxes are interpolated as LVD does, over an object's own key frames and
        before they are cut at the picture's edges: where one reaches outside, or an object comes
        or goes, every video frame becomes a key frame. An object wholly outside, or without extent
        (a language model's way of saying that it has gone), has no box there.
        Frames' captions end in the background, as LVD's prompts do.

    Raises
    ------
    LayoutError
        If there is no key frame or one is missing, or a box is not four numbers without negative
        extent; the message names frame, object and number.

    See Also
    --------
    to_lvd : the inverse.
    parse_lvd : takes the text apart.

    Examples
    --------
    >>> layout = from_lvd(
    ...     "Reasoning: It flies to the right.\\n"
    ...     "Frame 1: [{'id': 0, 'name': 'kite', 'box': [0, 256, 128, 64]}]\\n"
    ...     "Frame 2: [{'id': 0, 'name': 'kite', 'box': [256, 256, 128, 64]}]\\n"
    ...     "Background keyword: beach"
    ... )
    >>> layout.objects[0].boxes[1].as_tuple(), layout.background, layout.duration_s
    ((0.5, 0.5, 0.75, 0.625), 'beach', 1.0)
    """
    fields = parse_lvd(source) if isinstance(source, str) else source
    count = _frame_count(fields)
    tracks = _tracks(fields, count)
    background = str(fields.get("Background keyword") or "").strip()
    names = ", ".join(track.name for track in tracks) or background or "an empty scene"
    whole = caption or str(fields.get("Prompt") or "").strip() or names
    duration_s = count / _KEYS_A_SECOND if duration_s is None else duration_s
    if not duration_s > 0 or not fps > 0:
        raise LayoutError(f"duration is {duration_s:g} s at {fps:g} fps; both must be above 0")
    frame_count = max(1, round(duration_s * fps))
    times = np.linspace(0.0, (frame_count - 1) / fps, count).tolist()
    if len(set(times)) < count:
        raise LayoutError(
            f"{duration_s:g} s at {fps:g} fps is one frame; LVD's {count} key frames need two"
        )
    if not all(track.stays_inside for track in tracks):
        tracks = [track.in_frames(frame_count) for track in tracks]
        times = [number / fps for number in range(frame_count)]
    return VideoSceneLayout(
        reasoning=str(fields.get("Reasoning") or "").strip(),
        caption=whole,
        frame_captions=[f"{whole}, {background} background" if background else whole] * len(times),
        key_times_s=times,
        objects=[
            SceneObject(
                id=track.id,
                label=track.name,
                caption=track.name,
                boxes=[_clipped(corners) for corners in track.corners],
            )
            for track in tracks
        ],
        duration_s=duration_s,
        fps=fps,
        background=background,
    )


def parse_lvd(text: str) -> dict[str, Any]:
    """Take LVD's text apart; nothing in it is executed.

    Parameters
    ----------
    text : str
        With or without Markdown and chatter; a line that begins with "Frame 2" but holds no list
        is chatter, and of several lists for one frame the last counts.

    Returns
    -------
    dict
        Keys "Reasoning", "Frame 1" …, "Background keyword" and "Prompt", as far as they are there.

    Raises
    ------
    LayoutError
        If a frame is not a list in Python's or JSON's notation.

    Examples
    --------
    >>> parse_lvd("Sure!\\n**Frame 1:** [{'id': 0}]\\n**Background keyword:** sea\\n\\nEnjoy!")
    {'Reasoning': 'Sure!', 'Frame 1': [{'id': 0}], 'Background keyword': 'sea'}
    """
    marks = list(_HEADING.finditer(text))
    ends = [mark.start() for mark in marks[1:]] + [len(text)]
    fields: dict[str, Any] = {}
    faults: dict[str, str] = {}
    if marks and (lead := text[: marks[0].start()].strip(" \t\r\n*_`#")):
        fields["Reasoning"] = lead  # a completion of "Reasoning:" begins without that word
    for mark, end in zip(marks, ends, strict=False):  # without marks, one end is left
        heading, value = mark.group(1).lower(), text[mark.end() : end].strip()
        if heading.startswith("frame"):
            key = f"Frame {int(re.sub(r'[^0-9]', '', heading)[:9])}"
            bracketed = _bracketed(value)
            if bracketed is None:
                faults.setdefault(key, value)
            else:
                fields[key] = _literal(key, bracketed)
        elif heading.startswith("background"):
            fields["Background keyword"] = _first_line(value)
        elif heading == "reasoning":
            fields["Reasoning"] = value.strip(" \t\r\n*_`#")
        else:
            fields["Prompt"] = _first_line(value)
    for key, value in faults.items():
        if key not in fields:
            fields[key] = _literal(key, value)
    return fields


class _Track(NamedTuple):
    """One object over time; corners in shares of the picture, None where it is absent."""

    id: str
    name: str
    corners: list[tuple[float, ...] | None]

    @property
    def stays_inside(self) -> bool:
        return all(c is not None and min(c) >= 0.0 and max(c) <= 1.0 for c in self.corners)

    def in_frames(self, count: int) -> _Track:
        """Return the track in each of `count` video frames, without regard to the edges.

        LVD gives each key frame an equal part of the video. An object is there in the parts of the
        key frames that have it; its box moves between these, however far they are from each other.
        """
        keys = [number for number, box in enumerate(self.corners) if box is not None]
        if not keys:
            return self._replace(corners=[None] * count)
        whole = len(self.corners)
        shares = np.linspace(0.0, 1.0, count)
        own = np.array([self.corners[key] for key in keys])
        times = np.array(keys) / max(whole - 1, 1)
        moved = np.stack([np.interp(shares, times, side) for side in own.T], axis=1).tolist()
        there = np.isin(np.floor(shares * (1.0 - _LAST) * whole), keys)
        return self._replace(
            corners=[tuple(box) if seen else None for box, seen in zip(moved, there, strict=True)]
        )


def _frame_count(fields: dict[str, Any]) -> int:
    numbers = [int(key[6:]) for key in fields if re.fullmatch(r"Frame \d{1,9}", str(key))]
    if not numbers:
        raise LayoutError(
            "no LVD frame was found; lines such as \"Frame 1: [{'id': 0, 'name': 'bear', "
            "'box': [x, y, width, height]}]\" are needed"
        )
    for expected, number in enumerate(sorted(numbers), start=1):
        if number != expected:
            raise LayoutError(
                f"LVD frame {expected} is missing; frames 1 to {max(numbers)} are needed"
            )
    return len(numbers)


def _tracks(fields: dict[str, Any], count: int) -> list[_Track]:
    tracks: dict[str, _Track] = {}
    for number in range(1, count + 1):
        items, ids = fields[f"Frame {number}"], set()
        if not isinstance(items, list):
            raise LayoutError(f"LVD frame {number} is {type(items).__name__}; a list is needed")
        for item in items:
            track_id, name, corners = _item(item, number)
            if track_id in ids:
                raise LayoutError(f"LVD frame {number}: two objects have the id {track_id}")
            ids.add(track_id)
            track = tracks.setdefault(track_id, _Track(track_id, name, [None] * count))
            track.corners[number - 1] = corners
    return list(tracks.values())


def _bracketed(value: str) -> str | None:
    """Return the list that a text begins with, up to its closing bracket."""
    value = value.lstrip("`* \t\r\n").removeprefix("json").removeprefix("python").lstrip()
    if not value.startswith("["):
        return None
    depth, quote, escaped = 0, "", False
    for index, character in enumerate(value):
        if quote:
            escaped, quote = (
                character == "\\" and not escaped,
                "" if character == quote and not escaped else quote,
            )
        elif character in "'\"":
            quote = character
        elif character in "[{(":
            depth += 1
        elif character in ")}]":
            depth -= 1
            if depth == 0:
                return value[: index + 1]
    return value


def _literal(key: str, value: str) -> Any:
    for parse in (ast.literal_eval, json.loads):  # JSON has null and true
        with contextlib.suppress(ValueError, SyntaxError, MemoryError, RecursionError, TypeError):
            return parse(value)
    raise LayoutError(
        f"LVD {key.lower()} is {value[:60]!r}; a list such as "
        "[{'id': 0, 'name': 'bear', 'box': [x, y, width, height]}] is needed"
    )


def _first_line(value: str) -> str:
    line = value.strip().splitlines()[0] if value.strip() else ""
    return line.strip(" \t*_`\"'").removesuffix(".")


def _pixels(box: Box) -> list[int]:
    x0, y0, x1, y1 = (round(value * PICTURE) for value in box.as_tuple())
    x0, y0 = min(x0, PICTURE - 1), min(y0, PICTURE - 1)
    return [x0, y0, max(x1 - x0, 1), max(y1 - y0, 1)]


def _item(item: Any, number: int) -> tuple[str, str, tuple[float, ...] | None]:
    """Return identifier, name and corners of one object in one frame."""
    if not isinstance(item, dict) or "id" not in item or not {"name", "keyword"} & item.keys():
        raise LayoutError(f"LVD frame {number}: {item!r:.60} lacks 'id' or 'name'")
    name = str(item.get("name", item.get("keyword"))).strip()
    where = f"LVD frame {number}, object {item['id']!s:.60} ({name:.60})"
    numbered = _NUMBERED.match(name)
    name = (numbered[1] or numbered[2]).strip() if numbered else name
    box = item.get("box")
    if not isinstance(box, list | tuple) or len(box) != 4:
        raise LayoutError(f"{where}: box is {box!r:.60}; four numbers x, y, width, height needed")
    for part, value in zip(("x", "y", "width", "height"), box, strict=True):
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if not number or not abs(value) <= _FARTHEST:
            raise LayoutError(f"{where}: {part} is {value!r:.20}; a number is needed")
    x, y, width, height = box
    for part, value in (("width", width), ("height", height)):
        if value < 0:
            raise LayoutError(f"{where}: {part} is {value:g}; it must not be below 0")
    if width == 0 or height == 0:
        return str(item["id"]), name, None
    corners = np.array([x, y, x + width, y + height], float) / PICTURE
    return str(item["id"]), name, tuple(corners.tolist())


def _clipped(corners: tuple[float, ...] | None) -> Box | None:
    if corners is None:
        return None
    x0, y0, x1, y1 = np.clip(corners, 0.0, 1.0).tolist()
    return Box(x0=x0, y0=y0, x1=x1, y1=y1) if x0 < x1 and y0 < y1 else None
