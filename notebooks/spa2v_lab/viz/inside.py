"""What a recorder saw while a video was sampled: attention maps and previews, step by step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import plotly.graph_objects as go
from plotly.colors import hex_to_rgb, sequential

from spa2v_lab.viz.sheets import Sheet, shown_boxes, shown_frames, slider
from spa2v_lib.viz.style import TEXT, colour_of, styled

if TYPE_CHECKING:
    from spa2v_lib.layout.scene_layout import VideoSceneLayout
    from spa2v_lib.sampling.attention_maps import StepRecord

__all__ = ["attention_in_boxes", "attention_share_figure", "box_area", "inside_figure"]

_RAMP = np.array([hex_to_rgb(colour) for colour in sequential.Inferno], float)


def inside_figure(
    layout: VideoSceneLayout, records: Sequence[StepRecord], thing: int = 0
) -> go.Figure:
    """Draw what the video will be and where a thing's words are heard, with a slider over steps.

    Parameters
    ----------
    layout : VideoSceneLayout
        Which was sampled.
    records : sequence of StepRecord
        With previews and maps.
    thing : int
        Number of the object whose maps are drawn.

    Returns
    -------
    plotly.graph_objects.Figure
        Above the expected video, below the maps: the brighter, the more is heard, on one scale for
        all steps.
    """
    chosen = shown_frames(layout, len(records[0].preview))
    most = max(float(record.maps[chosen, thing].max()) for record in records)
    sheets = [
        Sheet.of(
            [record.preview, _coloured(record.maps[chosen, thing].astype(float) / most)],
            layout.aspect,
        )
        for record in records
    ]
    boxes = [shown_boxes(layout, chosen)] * 2
    figure = go.Figure([sheets[-1].trace(), *sheets[-1].outlines(boxes)])
    figure.frames = [
        go.Frame(data=[sheet.trace()], traces=[0], name=str(index))
        for index, sheet in enumerate(sheets)
    ]
    name = layout.objects[thing].label.replace("_", " ")
    rows = ("the video that it expects", f"attention to “{name}”")
    titles = [f"{layout.frame_times_s[index]:.2f} s" for index in chosen]
    words = f"expected video and attention to the {name} in {len(records)} steps"
    sheets[-1].framed(figure, rows, titles, words)
    steps = [str(record.step + 1) for record in records]
    control = {**slider(steps, "step "), "active": len(steps) - 1}
    figure.update_layout(sliders=[control], height=figure.layout.height + 70)
    return figure


def _coloured(values: np.ndarray) -> np.ndarray:
    """Turn values in [0, 1] of any shape into colours, as [..., 3] of uint8."""
    at = np.clip(values, 0, 1) * (len(_RAMP) - 1)
    low = np.minimum(at.astype(int), len(_RAMP) - 2)
    share = (at - low)[..., None]
    return ((1 - share) * _RAMP[low] + share * _RAMP[low + 1] + 0.5).astype(np.uint8)


def attention_in_boxes(
    layout: VideoSceneLayout, records: Sequence[StepRecord], thing: int = 0
) -> np.ndarray:
    """Return, for each step, how much of the attention to a thing lies in its boxes.

    Parameters
    ----------
    layout : VideoSceneLayout
    records : sequence of StepRecord
    thing : int

    Returns
    -------
    np.ndarray [shape=(steps,)]
        In [0, 1], the mean over the frames with a box; NaN if there is none.
    """
    rows = layout.frame_boxes()
    there = [index for index, row in enumerate(rows) if row[thing] is not None]
    found = []
    for record in records:
        shares = []
        for index in there:
            heard = record.maps[index, thing].astype(float)
            inside = _covered(rows[index][thing].as_tuple(), heard.shape)
            shares.append((heard * inside).sum() / max(heard.sum(), 1e-12))
        found.append(np.mean(shares) if shares else np.nan)
    return np.array(found)


def _covered(corners: tuple[float, float, float, float], size: tuple[int, int]) -> np.ndarray:
    """Return the share of each cell of a map that a box covers, as [height, width]."""
    x0, y0, x1, y1 = corners
    sides = []
    for low, high, count in ((y0, y1, size[0]), (x0, x1, size[1])):
        start = np.arange(count) / count
        shared = np.minimum(start + 1 / count, high) - np.maximum(start, low)
        sides.append(np.clip(shared, 0, None) * count)
    return np.outer(*sides)


def box_area(layout: VideoSceneLayout, thing: int = 0) -> float:
    """Return the mean share of the picture that a thing's box covers where it has one."""
    areas = [row[thing].area for row in layout.frame_boxes() if row[thing] is not None]
    return float(np.mean(areas)) if areas else float("nan")


def attention_share_figure(
    layout: VideoSceneLayout, runs: Mapping[str, Sequence[StepRecord]], thing: int = 0
) -> go.Figure:
    """Draw, over the steps, how much of the attention to a thing lies in its boxes.

    Parameters
    ----------
    layout : VideoSceneLayout
    runs : dict of str to sequence of StepRecord
        A line each.
    thing : int
    """
    figure = go.Figure()
    for index, (name, records) in enumerate(runs.items()):
        figure.add_scatter(
            x=[record.step + 1 for record in records],
            y=attention_in_boxes(layout, records, thing),
            name=name,
            mode="lines+markers",
            line={"color": colour_of(index), "width": 2.5},
            hovertemplate="step %{x}: %{y:.0%}",
        )
    figure.add_hline(
        box_area(layout, thing), line={"color": TEXT, "dash": "dot", "width": 1},
        annotation={"text": "even attention", "font": {"color": TEXT}},
        annotation_position="bottom right",
    )  # fmt: skip
    figure.update_xaxes(title="step")
    figure.update_yaxes(range=[0, 1], tickformat=".0%", title="attention in the box")
    words = f"share of the attention inside the box, by step, for: {', '.join(runs)}"
    return styled(figure, height=340, words=words)
