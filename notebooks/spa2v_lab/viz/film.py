"""A video with its sound and its boxes, and beside it the azimuth that they follow."""

from __future__ import annotations

import json
from html import escape
from itertools import count
from typing import TYPE_CHECKING

import numpy as np

from spa2v_lab.scenes.export import frames_image
from spa2v_lib.video import Video
from spa2v_lib.viz.words import colour_of, shown_label

if TYPE_CHECKING:
    from spa2v_lib.audio.recording import Recording
    from spa2v_lib.cues.types import SourceTrack, SpatialCues
    from spa2v_lib.layout.scene_layout import VideoSceneLayout

__all__ = ["Film", "with_boxes"]

_WIDTH = 640  # of the video, in pixels: as large as pages show it
_TRACE_WIDTH, _TRACE_HEIGHT = 232, 360
_LEFT, _TOP, _PLOT_WIDTH, _PLOT_HEIGHT = 34, 34, 176, 300  # of the axes inside it
_NUMBERS = count(1)
_SCRIPT = (
    '(function(root){const film=root.querySelector("video"),now=root.querySelector(".now"),'
    "track=JSON.parse(root.dataset.track),start=Number(root.dataset.start);"
    'film.addEventListener("loadedmetadata",()=>{film.currentTime=start},{once:true});'
    "(function follow(){const frame=track.times.findLastIndex((time)=>time<=film.currentTime),"
    "[x,y]=track.places[Math.max(frame,0)]??[];"
    'now.setAttribute("visibility",x===undefined||x===null?"hidden":"visible");'
    'if(x!==undefined&&x!==null){now.setAttribute("cx",x);now.setAttribute("cy",y)}'
    "if(root.isConnected)requestAnimationFrame(follow)})()})"
)


def with_boxes(video: Video, layout: VideoSceneLayout, width: int = _WIDTH) -> Video:
    """Return a video at a larger size, with outlines around what its boxes hold.

    Parameters
    ----------
    video : Video
    layout : VideoSceneLayout
        What it was generated from.
    width : int
        In pixels; even, as most players ask for.

    Examples
    --------
    >>> from spa2v_lib import VideoSceneLayout
    >>> layout = VideoSceneLayout(caption="a street", frame_captions=["a street"],
    ...                           key_times_s=[0.0], objects=[], duration_s=0.25, fps=8.0)
    >>> with_boxes(Video(np.zeros((2, 72, 128, 3), np.uint8), 8.0), layout, 64).frames.shape
    (2, 36, 64, 3)
    """
    pairs = zip(video.frames, layout.frame_boxes(), strict=True)
    drawn = [np.asarray(frames_image(frame[None], [boxes], width=width)) for frame, boxes in pairs]
    return Video(np.stack(drawn), video.fps, layout)


class Film:
    """A player that starts where most is to be seen, with the azimuth of the first source.

    Parameters
    ----------
    video : Video
    layout : VideoSceneLayout
    recording : Recording
        Its sound.
    cues : SpatialCues
        What the layout was planned from.

    See Also
    --------
    with_boxes : the video that it plays

    Examples
    --------
    >>> Film(video, layout, recording, cues)  # doctest: +SKIP
    """

    def __init__(
        self, video: Video, layout: VideoSceneLayout, recording: Recording, cues: SpatialCues
    ) -> None:
        self._shown = with_boxes(video, layout)
        self._start = layout.fullest_frame()
        self._recording, self._cues = recording, cues
        self._caption = layout.caption

    def __repr__(self) -> str:
        return f"Film({self._caption!r}, {self._shown.duration_s:.2f} s)"

    def _repr_html_(self) -> str:
        source, name = self._cues.sources[0], f"spa2v-film-{next(_NUMBERS)}"
        start = self._start
        words = escape(f"The video, with boxes: {self._caption}", quote=True)
        player = self._shown.html(self._recording).replace(
            "<video ", f'<video aria-label="{words}" ', 1
        )
        places = [
            _place(azimuth, time, self._cues) for time, azimuth in _points(source, self._cues)
        ]
        track = json.dumps({"times": self._cues.times_s, "places": places})
        return (
            f'<div id="{name}" class="spa2v-film-row" data-start="{start / self._shown.fps:.2f}" '
            f'data-track="{escape(track, quote=True)}" '
            'style="display:flex;flex-wrap:wrap;gap:12px;align-items:center">'
            f'<div style="flex:3 1 320px;min-width:0">{player}</div>'
            f'<div style="flex:1 1 200px;max-width:260px">{_trace(source, self._cues)}</div></div>'
            f'<script>{_SCRIPT}(document.getElementById("{name}"))</script>'
        )


def _points(source: SourceTrack, cues: SpatialCues) -> list[tuple[float, float | None]]:
    azimuths = zip(source.azimuth_deg, source.active, strict=True)
    shown = [azimuth if sounds else None for azimuth, sounds in azimuths]
    return list(zip(cues.times_s, shown, strict=True))


def _place(azimuth: float | None, time: float, cues: SpatialCues) -> tuple[float, float] | None:
    """Return where a direction lies in the drawing: right is right, and time runs down."""
    if azimuth is None:
        return None
    x = _LEFT + _PLOT_WIDTH * (max(-90.0, min(90.0, azimuth)) + 90.0) / 180.0
    return round(x, 1), round(_TOP + _PLOT_HEIGHT * time / cues.duration_s, 1)


def _trace(source: SourceTrack, cues: SpatialCues) -> str:
    """Draw azimuth against time, with its interval."""
    colour, points = colour_of(0), _points(source, cues)
    edges = []
    for bounds, step in ((source.azimuth_low_deg, 1), (source.azimuth_high_deg, -1)):
        side = [
            _place(bound, time, cues)
            for (time, azimuth), bound in zip(points, bounds, strict=True)
            if azimuth is not None
        ]
        edges += [place for place in side if place][::step]
    line = [place for time, azimuth in points if (place := _place(azimuth, time, cues))]
    ticks = "".join(
        f'<path d="M{x} {_TOP}V{_TOP + _PLOT_HEIGHT}" stroke="currentColor" stroke-opacity=".25"/>'
        f'<text x="{x}" y="{_TOP - 6}" text-anchor="middle">{degrees:+d}°</text>'
        for degrees in (-90, 0, 90)
        if (x := _LEFT + _PLOT_WIDTH * (degrees + 90) / 180)
    ).replace("+0°", "0°")
    seconds = "".join(
        f'<text x="{_LEFT - 6}" y="{_TOP + _PLOT_HEIGHT * second / cues.duration_s + 4:.1f}" '
        f'text-anchor="end">{second} s</text>'
        for second in range(int(cues.duration_s) + 1)
    )
    words = f"Azimuth of the {shown_label(source.label or 'source')} over time, with its interval"
    return (
        f'<svg viewBox="0 0 {_TRACE_WIDTH} {_TRACE_HEIGHT}" role="img" '
        f'aria-label="{escape(words, quote=True)}" style="width:100%;font:11px system-ui;'
        f'fill:currentColor">{ticks}{seconds}'
        f'<text x="{_LEFT + _PLOT_WIDTH / 2}" y="{_TOP - 21}" text-anchor="middle">azimuth</text>'
        f'<polygon points="{_pairs(edges)}" fill="{colour}" fill-opacity=".22"/>'
        f'<polyline points="{_pairs(line)}" fill="none" stroke="{colour}" stroke-width="2.5"/>'
        f'<circle class="now" r="6" fill="{colour}" stroke="currentColor"/></svg>'
    )


def _pairs(points: list[tuple[float, float]]) -> str:
    return " ".join(f"{x},{y}" for x, y in points)
