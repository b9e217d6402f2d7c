"""Plotly figures of cues, layouts and videos."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from spa2v_lib.viz.style import (
    GRID,
    TEXT,
    azimuth_ticks,
    colour_of,
    interval_band,
    shown_name,
    styled,
)
from spa2v_lib.viz.svg import cues_in_words

if TYPE_CHECKING:
    from spa2v_lib.cues.types import SourceTrack, SpatialCues
    from spa2v_lib.layout.scene_layout import VideoSceneLayout
    from spa2v_lib.video import Video

__all__ = ["cue_figure", "film_strip", "layout_figure"]

_LONGEST_SIDE = 256


def cue_figure(cues: SpatialCues) -> go.Figure:
    """Draw azimuth with its interval, and level, over time.

    Parameters
    ----------
    cues : SpatialCues
        What was heard.

    Returns
    -------
    plotly.graph_objects.Figure
        Two panels over one time axis: azimuth in degrees (right is up), level in dB.
    """
    figure = make_subplots(rows=2, cols=1, shared_xaxes=True, row_heights=[0.65, 0.35])
    for index, source in enumerate(cues.sources):
        colour = colour_of(index)
        figure.add_traces(interval_band(source, cues.times_s, colour), rows=1, cols=1)
        figure.add_trace(_azimuth(source, cues.times_s, colour), row=1, col=1)
        figure.add_trace(_level(source, cues.times_s, colour), row=2, col=1)
    figure.add_trace(
        go.Scatter(
            x=cues.times_s,
            y=cues.level_db,
            name="recording",
            mode="lines",
            line={"color": TEXT, "width": 1},
            hovertemplate="%{y:.1f} dB",
        ),
        row=2,
        col=1,
    )
    figure.update_yaxes(row=1, title="azimuth", **azimuth_ticks())
    figure.update_yaxes(row=2, title="level (dB)")
    figure.update_xaxes(row=2, title="time (s)")
    return styled(figure, height=460, words=cues_in_words(cues))


def layout_figure(layout: VideoSceneLayout, video: Video | None = None) -> go.Figure:
    """Draw the boxes over the frames, with a slider over the frames.

    Parameters
    ----------
    layout : VideoSceneLayout
        Whose boxes to draw, interpolated to every frame.
    video : Video, optional
        Whose frames to draw under them; of the layout's length.

    Returns
    -------
    plotly.graph_objects.Figure
        One picture; the slider needs no kernel.

    Raises
    ------
    ValueError
        If the video's number of frames is not the layout's.
    """
    boxes = layout.frame_boxes()
    pictures = _pictures(layout, video, range(len(boxes)))
    names = [thing.label.replace("_", " ") for thing in layout.objects]
    frames = [
        go.Frame(data=[picture, *_box_traces(row, names)], name=str(index))
        for index, (picture, row) in enumerate(zip(pictures, boxes, strict=True))
    ]
    figure = go.Figure(data=frames[0].data, frames=frames)
    figure.update_layout(sliders=[_slider(layout.frame_times_s)])
    _picture_axes(figure, layout.aspect)
    return styled(figure, height=470, words=f"{layout.caption}: boxes in {len(boxes)} frames")


def film_strip(
    layout: VideoSceneLayout, video: Video | None = None, *, count: int = 6
) -> go.Figure:
    """Draw some frames side by side with their boxes, first and last among them.

    Parameters
    ----------
    layout : VideoSceneLayout
        Whose boxes to draw.
    video : Video, optional
        Whose frames to draw under them.
    count : int
        How many frames, at least 1.

    Raises
    ------
    ValueError
        If the video's number of frames is not the layout's.
    """
    boxes = layout.frame_boxes()
    chosen = np.unique(np.linspace(0, len(boxes) - 1, count).round().astype(int)).tolist()
    titles = [f"{layout.frame_times_s[index]:.2f} s" for index in chosen]
    figure = make_subplots(1, len(chosen), subplot_titles=titles, horizontal_spacing=0.01)
    names = [thing.label.replace("_", " ") for thing in layout.objects]
    for column, picture in enumerate(_pictures(layout, video, chosen), start=1):
        traces = [picture, *_box_traces(boxes[chosen[column - 1]], names)]
        figure.add_traces(traces, rows=1, cols=column)
    _picture_axes(figure, layout.aspect)
    figure.update_traces(selector={"type": "scatter"}, showlegend=False)
    figure.update_yaxes(constraintoward="top")
    height = 50 + round(110 / layout.aspect)
    styled(figure, height=height, words=f"{layout.caption}: {len(chosen)} frames")
    return figure.update_layout(margin={"l": 10, "r": 10, "t": 40, "b": 10})


def _azimuth(source: SourceTrack, times: Sequence[float], colour: str) -> go.Scatter:
    return go.Scatter(
        x=times,
        y=source.azimuth_deg,
        name=shown_name(source),
        legendgroup=source.id,
        mode="lines",
        line={"color": colour, "width": 2.5},
        hovertemplate="%{y:.0f}°",
    )


def _level(source: SourceTrack, times: Sequence[float], colour: str) -> go.Scatter:
    return go.Scatter(
        x=times,
        y=source.level_db,
        name=shown_name(source),
        legendgroup=source.id,
        showlegend=False,
        mode="lines",
        line={"color": colour, "width": 2},
        hovertemplate="%{y:.1f} dB",
    )


def _pictures(
    layout: VideoSceneLayout, video: Video | None, chosen: Sequence[int]
) -> list[go.Image]:
    """Return the chosen frames, stretched over the unit square; grey where there is no video."""
    if video is None:
        frames = np.full((layout.frame_count, 2, 2, 3), 160, np.uint8)
    elif len(video.frames) != layout.frame_count:
        raise ValueError(
            f"the video has {len(video.frames)} frames and the layout {layout.frame_count}"
        )
    else:
        frames = video.frames
    return [_picture(frames[index]) for index in chosen]


def _picture(frame: np.ndarray) -> go.Image:
    from PIL import Image

    image = Image.fromarray(frame)
    image.thumbnail((_LONGEST_SIDE, _LONGEST_SIDE))
    buffer = io.BytesIO()
    image.save(buffer, "WEBP", quality=95)
    width, height = image.size
    return go.Image(
        source="data:image/webp;base64," + base64.b64encode(buffer.getvalue()).decode(),
        # Pixel centres: the picture then covers [0, 1] on both axes.
        x0=0.5 / width,
        dx=1 / width,
        y0=0.5 / height,
        dy=1 / height,
        zsmooth="fast",
        hoverinfo="skip",
    )


def _box_traces(boxes: Sequence[object | None], names: Sequence[str]) -> list[go.Scatter]:
    """Return one outline per object; empty where it is out of view."""
    return [
        _outline(None if box is None else box.as_tuple(), name, colour_of(index))
        for index, (box, name) in enumerate(zip(boxes, names, strict=True))
    ]


def _outline(
    corners: tuple[float, float, float, float] | None, name: str, colour: str
) -> go.Scatter:
    x0, y0, x1, y1 = corners or (None,) * 4
    return go.Scatter(
        x=[x0, x1, x1, x0, x0],
        y=[y0, y0, y1, y1, y0],
        mode="lines",
        name=name,
        showlegend=True,
        line={"color": colour, "width": 3},
        hovertemplate=f"{name}: %{{x:.2f}}, %{{y:.2f}}<extra></extra>",
    )


def _picture_axes(figure: go.Figure, aspect: float) -> None:
    figure.update_xaxes(range=[0, 1], visible=False, constrain="domain")
    figure.update_yaxes(range=[1, 0], visible=False, constrain="domain")
    for axis in figure.select_yaxes():
        anchor = axis.plotly_name.replace("yaxis", "x")
        axis.update(scaleanchor=anchor, scaleratio=1 / aspect)


def _slider(times: Sequence[float]) -> dict:
    settings = {"mode": "immediate", "frame": {"duration": 0, "redraw": True}}
    return {
        "currentvalue": {"prefix": "time ", "suffix": " s"},
        "font": {"color": TEXT},
        "bgcolor": GRID,
        "bordercolor": GRID,
        "tickcolor": TEXT,
        "steps": [
            {
                "method": "animate",
                "label": f"{time:.2f}",
                "args": [[str(index)], {**settings, "transition": {"duration": 0}}],
            }
            for index, time in enumerate(times)
        ],
    }
