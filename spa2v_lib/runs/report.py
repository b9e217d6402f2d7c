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
    from spa2v_lib.cues import Analysis
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

    See Also
    --------
    spa2v_lib.runs.generate_run : Writes it beside the video.

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
    chosen = spread(len(video.frames), _STRIP_FRAMES)
    times = [index / video.fps for index in chosen]
    boxes = [layout.boxes_at(time) for time in times]
    return render(
        "templates/report.html",
        record=record,
        layout=layout,
        cues=analysis.cues,
        video=f"data:video/mp4;base64,{base64.b64encode(mp4).decode()}",
        poster=replace(video, layout=layout).poster(),
        strip=frames_html(boxes, times, frames=video.frames[chosen], aspect=layout.aspect),
        figures=analysis_html(analysis),
        captions=_captions(layout),
        plan=_plan(layout),
        motions=_MOTIONS,
        naming_in_words=naming_in_words,
        colour_of=colour_of,
    )


def _captions(layout: VideoSceneLayout) -> list[tuple[str, str]]:
    """Return the span and the caption of every run of key frames with the same caption."""
    moments = zip(layout.key_times_s, layout.frame_captions, strict=True)
    rows = []
    for caption, run in groupby(moments, key=lambda moment: moment[1]):
        times = [time for time, _ in run]
        span = f"{times[0]:.2f} s" if len(times) == 1 else f"{times[0]:.2f} to {times[-1]:.2f} s"
        rows.append((span, caption))
    return rows


def _plan(layout: VideoSceneLayout) -> dict[str, Any]:
    """Return the boxes of every frame for the player."""
    frames = [
        [box and [round(value, 4) for value in box.as_tuple()] for box in boxes]
        for boxes in layout.frame_boxes()
    ]
    objects = [
        {"name": shown_label(item.label), "colour": colour_of(index)}
        for index, item in enumerate(layout.objects)
    ]
    poster = layout.fullest_frame()
    return {"fps": layout.fps, "frames": frames, "objects": objects, "poster": poster}
