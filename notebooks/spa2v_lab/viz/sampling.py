"""Figures of sampling: videos compared, and previews and attention maps step by step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import plotly.graph_objects as go
from plotly.colors import hex_to_rgb, sequential

from spa2v_lib.viz.figures import frames_figure, shown_boxes, slider
from spa2v_lib.viz.frames import spread
from spa2v_lib.viz.style import TEXT, styled
from spa2v_lib.viz.words import colour_of, shown_label

if TYPE_CHECKING:
    from spa2v_lab.viz.attention_maps import StepRecord
    from spa2v_lib.layout.scene_layout import VideoSceneLayout
    from spa2v_lib.video import Video

__all__ = [
    "attention_in_boxes",
    "attention_share_figure",
    "beside",
    "box_area",
    "denoising_figure",
    "frames_beside",
]

_RAMP = np.array([hex_to_rgb(colour) for colour in sequential.Inferno], float)


def frames_beside(
    layout: VideoSceneLayout, videos: Mapping[str, Video], *, count: int = 6
) -> go.Figure:
    """Draw some frames of videos of one layout, a row each, with the layout's boxes.

    Parameters
    ----------
    layout : VideoSceneLayout
    videos : dict of str to Video
        By name; of the layout's length.
    count : int
        How many frames, spread over the video, at least 1.

    Examples
    --------
    >>> from spa2v_lib import Video, VideoSceneLayout
    >>> layout = VideoSceneLayout(caption="a street", frame_captions=["a street"],
    ...                           key_times_s=[0.0], objects=[], duration_s=1.0, fps=8.0)
    >>> grey = Video(np.full((8, 32, 32, 3), 128, np.uint8), 8.0)
    >>> frames_beside(layout, {"grey": grey}, count=2).layout.xaxis.ticktext
    ('0.00 s', '0.88 s')
    """
    chosen = spread(layout.frame_count, count)
    return frames_figure(
        [{name: video.frames[chosen] for name, video in videos.items()}],
        [[shown_boxes(layout, chosen)] * len(videos)],
        [f"{layout.frame_times_s[index]:.2f} s" for index in chosen],
        f"{layout.caption}: {len(chosen)} frames each of: {', '.join(videos)}",
        aspect=layout.aspect,
    )


def beside(videos: Sequence[Video]) -> Video:
    """Put videos of one size and length side by side, as one that plays them together.

    Raises
    ------
    ValueError
        If they differ in size, length or rate.

    Examples
    --------
    >>> from spa2v_lib import Video
    >>> grey = Video(np.full((8, 32, 32, 3), 128, np.uint8), 8.0)
    >>> beside([grey, grey]).frames.shape
    (8, 32, 68, 3)
    """
    from spa2v_lib.video import Video

    shapes = {(video.frames.shape, video.fps) for video in videos}
    if len(shapes) != 1:
        raise ValueError(f"videos of {len(shapes)} sizes, lengths or rates; all must agree")
    time, height = videos[0].frames.shape[:2]
    gap = np.full((time, height, 4, 3), 128, np.uint8)
    parts = [part for video in videos for part in (gap, video.frames)][1:]
    return Video(np.concatenate(parts, axis=2), videos[0].fps, videos[0].layout)


def denoising_figure(
    layout: VideoSceneLayout, records: Sequence[StepRecord], index: int = 0
) -> go.Figure:
    """Draw the predicted video and the attention to an object's words, with a slider over steps.

    Parameters
    ----------
    layout : VideoSceneLayout
        Which was sampled.
    records : sequence of StepRecord
        With previews and maps.
    index : int
        Number of the object whose maps are drawn.

    Returns
    -------
    plotly.graph_objects.Figure
        Above the video that the model predicts at this step, below the maps: the brighter, the more
        attention, on one scale for all steps.

    Examples
    --------
    >>> from spa2v_lib.layout.scene_layout import SceneObject, VideoSceneLayout
    >>> from spa2v_lab.viz.attention_maps import StepRecord
    >>> bus = SceneObject(id="a", label="bus", caption="a bus", boxes=[None])
    >>> layout = VideoSceneLayout(caption="a bus", frame_captions=["a bus"], key_times_s=[0.0],
    ...                           objects=[bus], duration_s=0.25, fps=8.0)
    >>> maps, preview = np.ones((2, 1, 4, 4)), np.zeros((2, 32, 32, 3), np.uint8)
    >>> figure = denoising_figure(layout, [StepRecord(0, 900, maps, preview)])
    >>> [note.text for note in figure.layout.annotations]
    ['<b>predicted video</b>', '<b>attention to “bus”</b>']
    """
    chosen = spread(layout.frame_count, len(records[0].preview))
    most = max(float(record.maps[chosen, index].max()) for record in records)
    name = shown_label(layout.objects[index].label)
    steps = [
        {
            "predicted video": record.preview,
            f"attention to “{name}”": _coloured(record.maps[chosen, index].astype(float) / most),
        }
        for record in records
    ]
    labels = [str(record.step + 1) for record in records]
    return frames_figure(
        steps,
        [[shown_boxes(layout, chosen)] * 2] * len(records),
        [f"{layout.frame_times_s[index]:.2f} s" for index in chosen],
        f"predicted video and attention to the {name} in {len(records)} denoising steps",
        aspect=layout.aspect,
        control=slider(labels, "denoising step ", len(records) - 1),
    )


def _coloured(values: np.ndarray) -> np.ndarray:
    """Turn values in [0, 1] of any shape into colours, as [..., 3] of uint8."""
    at = np.clip(values, 0, 1) * (len(_RAMP) - 1)
    low = np.minimum(at.astype(int), len(_RAMP) - 2)
    share = (at - low)[..., None]
    return ((1 - share) * _RAMP[low] + share * _RAMP[low + 1] + 0.5).astype(np.uint8)


def attention_in_boxes(
    layout: VideoSceneLayout, records: Sequence[StepRecord], index: int = 0
) -> np.ndarray:
    """Return, for each step, how much of the attention to an object lies in its boxes.

    Parameters
    ----------
    layout : VideoSceneLayout
    records : sequence of StepRecord
    index : int
        Number of the object.

    Returns
    -------
    np.ndarray [shape=(steps,)]
        In [0, 1], the mean over the frames with a box; NaN if there is none.

    Examples
    --------
    >>> from spa2v_lib.layout.scene_layout import Box, SceneObject, VideoSceneLayout
    >>> half = Box(x0=0.0, y0=0.0, x1=0.5, y1=1.0)
    >>> bus = SceneObject(id="a", label="bus", caption="a bus", boxes=[half])
    >>> layout = VideoSceneLayout(caption="a bus", frame_captions=["a bus"], key_times_s=[0.0],
    ...                           objects=[bus], duration_s=0.25, fps=8.0)
    >>> from spa2v_lab.viz.attention_maps import StepRecord
    >>> maps, preview = np.ones((2, 1, 4, 4)), np.zeros((2, 32, 32, 3), np.uint8)
    >>> attention_in_boxes(layout, [StepRecord(0, 900, maps, preview)])
    array([0.5])
    """
    rows = layout.frame_boxes()
    visible = [frame for frame, row in enumerate(rows) if row[index] is not None]
    means = []
    for record in records:
        shares = []
        for frame in visible:
            weights = record.maps[frame, index].astype(float)
            inside = _covered(rows[frame][index].as_tuple(), weights.shape)
            shares.append((weights * inside).sum() / max(weights.sum(), 1e-12))
        means.append(np.mean(shares) if shares else np.nan)
    return np.array(means)


def _covered(corners: tuple[float, float, float, float], size: tuple[int, int]) -> np.ndarray:
    """Return the share of each cell of a map that a box covers, as [height, width]."""
    x0, y0, x1, y1 = corners
    sides = []
    for low, high, count in ((y0, y1, size[0]), (x0, x1, size[1])):
        start = np.arange(count) / count
        shared = np.minimum(start + 1 / count, high) - np.maximum(start, low)
        sides.append(np.clip(shared, 0, None) * count)
    return np.outer(*sides)


def box_area(layout: VideoSceneLayout, index: int = 0) -> float:
    """Return the mean share of the picture that an object's box covers where it has one.

    Parameters
    ----------
    layout : VideoSceneLayout
    index : int
        Number of the object.

    Examples
    --------
    >>> from spa2v_lib.layout.scene_layout import Box, SceneObject, VideoSceneLayout
    >>> half = Box(x0=0.0, y0=0.0, x1=0.5, y1=1.0)
    >>> bus = SceneObject(id="a", label="bus", caption="a bus", boxes=[half])
    >>> layout = VideoSceneLayout(caption="a bus", frame_captions=["a bus"], key_times_s=[0.0],
    ...                           objects=[bus], duration_s=0.25, fps=8.0)
    >>> box_area(layout)
    0.5
    """
    areas = [row[index].area for row in layout.frame_boxes() if row[index] is not None]
    return float(np.mean(areas)) if areas else float("nan")


def attention_share_figure(
    layout: VideoSceneLayout, runs: Mapping[str, Sequence[StepRecord]], index: int = 0
) -> go.Figure:
    """Draw, over the steps, how much of the attention to an object lies in its boxes.

    Parameters
    ----------
    layout : VideoSceneLayout
    runs : dict of str to sequence of StepRecord
        A line each.
    index : int
        Number of the object.

    Examples
    --------
    >>> from spa2v_lib.layout.scene_layout import Box, SceneObject, VideoSceneLayout
    >>> half = Box(x0=0.0, y0=0.0, x1=0.5, y1=1.0)
    >>> bus = SceneObject(id="a", label="bus", caption="a bus", boxes=[half])
    >>> layout = VideoSceneLayout(caption="a bus", frame_captions=["a bus"], key_times_s=[0.0],
    ...                           objects=[bus], duration_s=0.25, fps=8.0)
    >>> from spa2v_lab.viz.attention_maps import StepRecord
    >>> maps, preview = np.ones((2, 1, 4, 4)), np.zeros((2, 32, 32, 3), np.uint8)
    >>> figure = attention_share_figure(layout, {"plain": [StepRecord(0, 900, maps, preview)]})
    >>> figure.layout.xaxis.title.text
    'denoising step'
    """
    figure = go.Figure()
    for number, (name, records) in enumerate(runs.items()):
        figure.add_scatter(
            x=[record.step + 1 for record in records],
            y=attention_in_boxes(layout, records, index),
            name=name,
            mode="lines+markers",
            line={"color": colour_of(number), "width": 2.5},
            hovertemplate="step %{x}: %{y:.0%}",
        )
    figure.add_hline(
        box_area(layout, index), line={"color": TEXT, "dash": "dot", "width": 1},
        annotation={"text": "share of the picture", "font": {"color": TEXT}},
        annotation_position="bottom right",
    )  # fmt: skip
    figure.update_xaxes(title="denoising step")
    figure.update_yaxes(range=[0, 1], tickformat=".0%", title="attention inside the box (%)")
    words = f"share of the attention inside the box, by step, for: {', '.join(runs)}"
    return styled(figure, height=340, alt=words)
