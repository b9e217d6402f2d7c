"""The page that shows a run: player, plan, cues and facts in one file that works offline."""

from __future__ import annotations

import base64
from dataclasses import replace
from itertools import groupby
from typing import TYPE_CHECKING, Any

from spa2v_lib.pages import render
from spa2v_lib.viz.analysis_page import analysis_html
from spa2v_lib.viz.frames import frames_html, spread
from spa2v_lib.viz.words import colour_of, naming_in_words, shown_label

if TYPE_CHECKING:
    from spa2v_lib.cues import Analysis, SourceTrack, SpatialCues
    from spa2v_lib.layout.scene_layout import VideoSceneLayout
    from spa2v_lib.video import Video

__all__ = ["render_report"]

_MOTIONS = {
    "left_crossing": "moves to the left",
    "right_crossing": "moves to the right",
    "approaching": "approaches",
    "receding": "recedes",
    "stationary": "stays where it is",
}
_STRIP_FRAMES = 8


def render_report(
    record: dict[str, Any],
    video: Video,
    mp4: bytes,
    analysis: Analysis,
    layout: VideoSceneLayout,
) -> str:
    """Make the page.

    Parameters
    ----------
    record : dict
        The content of ``run.json``; see `spa2v_lib.runs.record`.
    video : Video
        Its frames are shown with the layout's boxes.
    mp4 : bytes
        The same with sound, for the player.
    analysis : Analysis
        The recording with its cues.
    layout : VideoSceneLayout
        What the video was sampled from.

    Returns
    -------
    str
        HTML that loads nothing. All text from outside is escaped.

    Examples
    --------
    >>> import numpy as np
    >>> from spa2v_lib.audio import Recording
    >>> from spa2v_lib.cues import analyze
    >>> from spa2v_lib.layout.scene_layout import VideoSceneLayout
    >>> from spa2v_lib.video import Video
    >>> noise = 0.1 * np.random.default_rng(0).normal(size=(2, 16000))
    >>> recording = Recording.from_samples(noise, 16000, name="rain")
    >>> analysis = analyze(recording, label="rain")
    >>> layout = VideoSceneLayout(
    ...     caption="rain", frame_captions=["rain"], key_times_s=[0.0], objects=[], duration_s=1.0
    ... )
    >>> video = Video(np.zeros((8, 16, 16, 3), np.uint8), 8.0, layout)
    >>> from spa2v_lib.runs.record import describe
    >>> from spa2v_lib.runs.settings import Settings
    >>> record = describe(Settings(), recording, "0" * 64, analysis.cues, video, True)
    >>> page = render_report({**record, "timings_s": {}}, video, b"mp4", analysis, layout)
    >>> "<title>rain" in page
    True
    """
    return render(
        "templates/report.html",
        name=record["input"]["name"],
        heading=layout.caption[:1].upper() + layout.caption[1:],
        summary=_summary(record),
        video=f"data:video/mp4;base64,{base64.b64encode(mp4).decode()}",
        poster=replace(video, layout=layout).poster(),
        sources=_sources(analysis.cues),
        reasoning=layout.reasoning,
        strip=_strip(video, layout),
        objects=_objects(layout),
        cues=analysis_html(analysis),
        captions=_captions(layout),
        notes=record["notes"],
        facts=_facts(record),
        plan=_plan(layout),
    )


def _summary(record: dict[str, Any]) -> str:
    frames = record["frames"]
    seconds = frames["count"] / frames["fps"]
    return (
        f"{frames['count']} frames of {frames['width']}×{frames['height']}, {seconds:.2f} s at "
        f"{frames['fps']:g} a second · preset {record['parameters']['preset']} · "
        f"seed {record['seed']}"
    )


def _sources(cues: SpatialCues) -> list[tuple[str, str]]:
    """Return titles and texts about every source, and the capture format; none of silence."""
    if not cues.sources:
        return []
    capture = f"read as {cues.capture.described} (confidence {cues.capture.confidence:.2f})"
    return [*(row for one in cues.sources for row in _source_rows(one)), ("capture", capture)]


def _source_rows(source: SourceTrack) -> list[tuple[str, str]]:
    start, end = source.azimuth_start_deg, source.azimuth_end_deg
    known = start is not None and end is not None
    return [
        ("source", naming_in_words(source)),
        ("motion", f"{_MOTIONS[source.motion]} (confidence {source.motion_confidence:.2f})"),
        ("direction", _directions(start, end) if known else "unknown"),
        ("level", f"{source.level_change_db:+.1f} dB from start to end".replace("-", "−")),
    ]


def _directions(start: float, end: float) -> str:
    return " to ".join(dict.fromkeys((_azimuth(start), _azimuth(end))))


def _azimuth(degrees: float) -> str:
    if abs(degrees) < 0.5:
        return "straight ahead"
    return f"{abs(degrees):.0f}° {'right' if degrees > 0 else 'left'}"


def _strip(video: Video, layout: VideoSceneLayout) -> str:
    """Return some frames, the first and the last among them, with their boxes."""
    chosen = spread(len(video.frames), _STRIP_FRAMES)
    times = [index / video.fps for index in chosen]
    boxes = [layout.boxes_at(time) for time in times]
    return frames_html(boxes, times, frames=video.frames[chosen], aspect=layout.aspect)


def _objects(layout: VideoSceneLayout) -> list[dict[str, str]]:
    return [
        {
            "name": shown_label(item.label),
            "caption": item.caption,
            "colour": colour_of(index),
        }
        for index, item in enumerate(layout.objects)
    ]


def _captions(layout: VideoSceneLayout) -> list[tuple[str, str]]:
    """Return the span and the caption of every run of key frames with the same caption."""
    moments = zip(layout.key_times_s, layout.frame_captions, strict=True)
    rows = []
    for caption, run in groupby(moments, key=lambda moment: moment[1]):
        times = [time for time, _ in run]
        span = f"{times[0]:.2f} s" if len(times) == 1 else f"{times[0]:.2f} to {times[-1]:.2f} s"
        rows.append((span, caption))
    return rows


def _facts(record: dict[str, Any]) -> list[tuple[str, list[str]]]:
    """Return titles and lines: what the run was given, with what it was made, how long it took."""
    given, made = record["input"], record["environment"]
    parameters = {key: value for key, value in record["parameters"].items() if value is not None}
    packages = {name: made["packages"][name] for name in ("torch", "diffusers", "transformers")}
    versions = {"SpA2V": made["spa2v"], "Python": made["python"], **packages}
    timings = record["timings_s"].items()
    return [
        (
            "Recording",
            [f"{given['duration_s']:.2f} s, {given['channels']} channels, {given['rate']} Hz"],
        ),
        ("Its SHA-256", [given["sha256"]]),
        ("Parameters", [", ".join(f"{key} {value}" for key, value in parameters.items())]),
        ("Time taken", [", ".join(f"{stage} {seconds:.1f} s" for stage, seconds in timings)]),
        ("Frames' SHA-256", [record["frames"]["sha256"]]),
        ("Weights", [f"{digest[:16]}… {path}" for path, digest in record["weights"].items()]),
        ("Device", [f"{made['device']}, {made['system']}"]),
        ("Versions", [", ".join(f"{key} {version}" for key, version in versions.items())]),
        ("Commit", [made["commit"] or "not from a checkout"]),
    ]


def _plan(layout: VideoSceneLayout) -> dict[str, Any]:
    """Return the boxes of every frame for the player."""
    frames = [
        [box and [round(value, 4) for value in box.as_tuple()] for box in boxes]
        for boxes in layout.frame_boxes()
    ]
    objects = [{key: one[key] for key in ("name", "colour")} for one in _objects(layout)]
    poster = layout.fullest_frame()
    return {"fps": layout.fps, "frames": frames, "objects": objects, "poster": poster}
