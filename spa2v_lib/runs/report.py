"""The page that shows a run: player, plan, cues and facts in one file that works offline."""

from __future__ import annotations

import base64
import io
import json
from html import escape
from importlib.resources import files
from itertools import groupby
from string import Template
from typing import TYPE_CHECKING, Any

import numpy as np

from spa2v_lib.viz.page import hearing_html
from spa2v_lib.viz.svg import SOURCE_COLOURS, source_name

if TYPE_CHECKING:
    from spa2v_lib.audio.recording import Recording
    from spa2v_lib.cues import SourceTrack, SpatialCues
    from spa2v_lib.layout.box import Box
    from spa2v_lib.layout.scene_layout import VideoSceneLayout
    from spa2v_lib.video import Video

__all__ = ["render_report"]

_MOVES = {
    "left_crossing": "moves to the left",
    "right_crossing": "moves to the right",
    "approaching": "comes nearer",
    "receding": "goes away",
    "stationary": "stays where it is",
}
_STRIP_FRAMES = 8
_SVG_WIDTH = 160


def render_report(
    record: dict[str, Any],
    video: Video,
    mp4: bytes,
    recording: Recording,
    cues: SpatialCues,
    layout: VideoSceneLayout,
) -> str:
    """Make the page.

    Parameters
    ----------
    record : dict
        What ``run.json`` holds; see `spa2v_lib.runs`.
    video : Video
        Its frames are shown with the layout's boxes.
    mp4 : bytes
        The same with sound, for the player.
    recording : Recording
        What was heard.
    cues : SpatialCues
    layout : VideoSceneLayout

    Returns
    -------
    str
        HTML that loads nothing. All text from outside is escaped.
    """
    template = Template((files("spa2v_lib") / "templates" / "report.html").read_text("utf-8"))
    name = escape(record["input"]["name"])
    caption = layout.caption[:1].upper() + layout.caption[1:]
    return template.substitute(
        title=f"{name} · SpA2V",
        source=f"From the recording <b>{name}</b>",
        heading=escape(caption),
        summary=_summary(record),
        video=f"data:video/mp4;base64,{base64.b64encode(mp4).decode()}",
        heard=_heard(cues),
        reasoning=escape(layout.reasoning) or "The layout came without a reasoning.",
        strip=_strip(video, layout),
        key=_key(layout),
        cues=hearing_html(recording, cues),
        captions=_captions(layout),
        notes=_notes(record["notes"]),
        facts=_facts(record),
        plan=_plan(layout),
    )


def _colour(index: int) -> str:
    return SOURCE_COLOURS[index % len(SOURCE_COLOURS)]


def _summary(record: dict[str, Any]) -> str:
    frames = record["frames"]
    seconds = frames["count"] / frames["fps"]
    return (
        f"{frames['count']} frames of {frames['width']}×{frames['height']}, {seconds:.2f} s at "
        f"{frames['fps']:g} a second · preset {escape(record['parameters']['preset'])} · "
        f"seed {record['seed']}"
    )


def _heard(cues: SpatialCues) -> str:
    if not cues.sources:
        return "<p>Nothing: the recording is silent.</p>"
    capture = f"read as {cues.capture.format} (confidence {cues.capture.confidence:.2f})"
    rows = "".join(
        f"<dt>{escape(title)}</dt><dd>{escape(text)}</dd>"
        for source in cues.sources
        for title, text in _source_rows(source)
    )
    return f'<dl class="heard">{rows}<dt>capture</dt><dd>{escape(capture)}</dd></dl>'


def _source_rows(source: SourceTrack) -> list[tuple[str, str]]:
    start, end = source.azimuth_start_deg, source.azimuth_end_deg
    known = start is not None and end is not None
    return [
        ("what", f"{source_name(source)} (confidence {source.label_confidence:.2f})"),
        ("motion", f"{_MOVES[source.motion]} (confidence {source.motion_confidence:.2f})"),
        ("direction", _directions(start, end) if known else "unknown"),
        ("level", f"{source.level_change_db:+.1f} dB from first to last".replace("-", "−")),
    ]


def _directions(start: float, end: float) -> str:
    return " to ".join(dict.fromkeys((_azimuth(start), _azimuth(end))))


def _azimuth(degrees: float) -> str:
    if abs(degrees) < 0.5:
        return "straight ahead"
    return f"{abs(degrees):.0f}° {'right' if degrees > 0 else 'left'}"


def _strip(video: Video, layout: VideoSceneLayout) -> str:
    """Return some frames, the first and the last among them, with their boxes drawn."""
    last = len(video.frames) - 1
    chosen = sorted(set(np.linspace(0, last, _STRIP_FRAMES).round().astype(int).tolist()))
    return "".join(
        _frame(video.frames[index], layout.boxes_at(index / video.fps), index / video.fps)
        for index in chosen
    )


def _frame(pixels: np.ndarray, boxes: list[Box | None], time_s: float) -> str:
    width, height = _SVG_WIDTH, round(_SVG_WIDTH * pixels.shape[0] / pixels.shape[1])
    outlines = "".join(
        f'<rect x="{box.x0 * width:.1f}" y="{box.y0 * height:.1f}" '
        f'width="{box.width * width:.1f}" height="{box.height * height:.1f}" rx="2" fill="none" '
        f'stroke="{_colour(index)}" stroke-width="3"/>'
        for index, box in enumerate(boxes)
        if box is not None
    )
    return (
        f'<figure><svg viewBox="0 0 {width} {height}" role="img" '
        f'aria-label="frame at {time_s:.2f} seconds">'
        f'<image width="{width}" height="{height}" href="data:image/png;base64,{_png(pixels)}"/>'
        f"{outlines}</svg><figcaption>{time_s:.2f} s</figcaption></figure>"
    )


def _png(pixels: np.ndarray) -> str:
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG", optimize=True)
    return base64.b64encode(buffer.getvalue()).decode()


def _key(layout: VideoSceneLayout) -> str:
    names = "".join(
        f'<span><i style="background:{_colour(index)}"></i>{escape(thing.caption)}</span>'
        for index, thing in enumerate(layout.objects)
    )
    return f'<p class="key">{names}</p>' if names else ""


def _captions(layout: VideoSceneLayout) -> str:
    """Return one row for each run of key frames with the same caption."""
    moments = zip(layout.key_times_s, layout.frame_captions, strict=True)
    rows = []
    for caption, run in groupby(moments, key=lambda moment: moment[1]):
        times = [time for time, _ in run]
        span = f"{times[0]:.2f} s" if len(times) == 1 else f"{times[0]:.2f} to {times[-1]:.2f} s"
        rows.append(f"<tr><td>{span}</td><td>{escape(caption)}</td></tr>")
    return "".join(rows)


def _notes(notes: list[str]) -> str:
    if not notes:
        return ""
    items = "".join(f"<li>{escape(note)}</li>" for note in notes)
    return f"<section><h2>To keep in mind</h2><ul>{items}</ul></section>"


def _facts(record: dict[str, Any]) -> str:
    """Return the rows of the run's facts: what it was given, with what, and how long it took."""
    given, made = record["input"], record["environment"]
    timings = record["timings_s"]
    asked = {key: value for key, value in record["parameters"].items() if value is not None}
    packages = made["packages"]
    rows = {
        "Recording": f"{given['duration_s']:.2f} s, {given['channels']} channels, "
        f"{given['rate']} Hz",
        "Its SHA-256": given["sha256"],
        "Parameters": ", ".join(f"{key} {value}" for key, value in asked.items()),
        "Time taken": ", ".join(f"{stage} {seconds:.1f} s" for stage, seconds in timings.items()),
        "Frames' SHA-256": record["frames"]["sha256"],
        "Weights": "\n".join(
            f"{digest[:16]}… {path}" for path, digest in record["weights"].items()
        ),
        "Device": f"{made['device']}, {made['system']}",
        "Versions": ", ".join(
            f"{key} {version}"
            for key, version in {
                "SpA2V": made["spa2v"],
                "Python": made["python"],
                **{name: packages[name] for name in ("torch", "diffusers", "transformers")},
            }.items()
        ),
        "Commit": made["commit"] or "not from a checkout",
    }
    return "".join(
        f"<tr><th>{title}</th><td>{escape(str(text)).replace(chr(10), '<br>')}</td></tr>"
        for title, text in rows.items()
    )


def _plan(layout: VideoSceneLayout) -> str:
    """Return the boxes of every frame for the player, as JSON that may stand inside a page."""
    frames = [
        [box and [round(value, 4) for value in box.as_tuple()] for box in boxes]
        for boxes in layout.frame_boxes()
    ]
    objects = [
        {"name": thing.label.replace("_", " "), "colour": _colour(index)}
        for index, thing in enumerate(layout.objects)
    ]
    text = json.dumps({"fps": layout.fps, "frames": frames, "objects": objects})
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
