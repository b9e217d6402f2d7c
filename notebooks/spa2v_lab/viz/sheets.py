"""Pictures in named rows on one sheet, with boxes over them: videos side by side."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import plotly.graph_objects as go
from PIL import Image

from spa2v_lib.viz.style import GRID, TEXT, colour_of, styled

if TYPE_CHECKING:
    from spa2v_lib.layout.box import Box
    from spa2v_lib.layout.scene_layout import VideoSceneLayout
    from spa2v_lib.video import Video

__all__ = [
    "Boxes",
    "Sheet",
    "beside",
    "frames_beside",
    "grid_figure",
    "shown_boxes",
    "shown_frames",
    "slider",
]

Boxes = Sequence[Sequence[Sequence["Box | None"]]]
"""Boxes by row and column; the n-th box of every picture has the n-th colour."""

_PAGE = 700  # pixels that a page of the book is wide, nearly
_SIDE = 144  # longest side of a stored picture, in pixels
_BETWEEN, _ABOVE = 6, 34  # pixels between columns, and above rows for their names
_COARSE = 40  # cells a side below which a picture is a map, whose cells are to be seen


@dataclass(frozen=True)
class Sheet:
    """Pictures of one size, in rows; coordinates are the sheet's pixels.

    Attributes
    ----------
    pixels : np.ndarray [shape=(height, width, 4), dtype=uint8]
        Transparent between the pictures.
    tile : tuple of int
        Width and height of a picture.
    rows, columns : int
    """

    pixels: np.ndarray
    tile: tuple[int, int]
    rows: int
    columns: int

    @classmethod
    def of(cls, rows: Sequence[np.ndarray], aspect: float = 1.0) -> Sheet:
        """Lay out pictures [row][column, height, width, 3]; rows may differ in resolution.

        Parameters
        ----------
        rows : sequence of ndarray [dtype=uint8]
            Equally long.
        aspect : float
            Width over height of every picture as it is shown.
        """
        tile = (round(_SIDE * min(1.0, aspect)), round(_SIDE / max(1.0, aspect)))
        columns = len(rows[0])
        width = columns * (tile[0] + _BETWEEN) - _BETWEEN
        sheet = Image.new("RGBA", (width, len(rows) * (tile[1] + _ABOVE)))
        for r, row in enumerate(rows):
            for c, frame in enumerate(row):
                coarse = max(frame.shape[:2]) < _COARSE
                how = Image.Resampling.NEAREST if coarse else Image.Resampling.LANCZOS
                place = (c * (tile[0] + _BETWEEN), r * (tile[1] + _ABOVE) + _ABOVE)
                sheet.paste(Image.fromarray(frame).resize(tile, how), place)
        return cls(np.asarray(sheet), tile, len(rows), columns)

    def corner(self, row: int, column: int) -> tuple[int, int]:
        """Return where a picture's upper left corner lies."""
        return column * (self.tile[0] + _BETWEEN), row * (self.tile[1] + _ABOVE) + _ABOVE

    def trace(self) -> go.Image:
        """Return the sheet as a trace of a figure."""
        buffer = io.BytesIO()
        Image.fromarray(self.pixels).save(buffer, "WEBP", quality=88)
        source = "data:image/webp;base64," + base64.b64encode(buffer.getvalue()).decode()
        return go.Image(source=source, zsmooth="fast", hoverinfo="skip")

    def outlines(self, boxes: Boxes) -> list[go.Scatter]:
        """Return one trace for each object, with its outlines in all pictures."""
        count = max((len(cell) for row in boxes for cell in row), default=0)
        return [self._outline(boxes, index) for index in range(count)]

    def _outline(self, boxes: Boxes, index: int) -> go.Scatter:
        x: list[float | None] = []
        y: list[float | None] = []
        for r, row in enumerate(boxes):
            for c, cell in enumerate(row):
                if index < len(cell) and cell[index] is not None:
                    left, top = self.corner(r, c)
                    x0, y0, x1, y1 = np.array(cell[index].as_tuple()) * (*self.tile, *self.tile)
                    x += [left + x0, left + x1, left + x1, left + x0, left + x0, None]
                    y += [top + y0, top + y0, top + y1, top + y1, top + y0, None]
        line = {"color": colour_of(index), "width": 2}
        return go.Scatter(x=x, y=y, mode="lines", line=line, hoverinfo="skip", showlegend=False)

    def framed(
        self, figure: go.Figure, names: Sequence[str], titles: Sequence[str], words: str
    ) -> go.Figure:
        """Give a figure of this sheet its axes, the rows' names and the columns' titles."""
        height, width = self.pixels.shape[:2]
        middles = [self.corner(0, c)[0] + self.tile[0] / 2 for c in range(self.columns)]
        figure.update_xaxes(
            range=[-0.5, width - 0.5], showgrid=False, zeroline=False, showline=False,
            tickvals=middles, ticktext=list(titles), ticks="", constrain="domain",
        )  # fmt: skip
        figure.update_yaxes(
            range=[height - 0.5, -0.5], visible=False, scaleanchor="x", constrain="domain"
        )
        for row, name in enumerate(names):
            left, top = self.corner(row, 0)
            figure.add_annotation(
                x=left, y=top - 2, text=f"<b>{name}</b>", showarrow=False,
                xanchor="left", yanchor="bottom", font={"size": 14, "color": TEXT},
            )  # fmt: skip
        shown = round(_PAGE / width * height) if width > _PAGE / 2 else 2 * height
        styled(figure, height=shown + (45 if any(titles) else 10), words=words)
        return figure.update_layout(margin={"l": 5, "r": 5, "t": 5, "b": 40 if any(titles) else 5})


def grid_figure(
    rows: Mapping[str, np.ndarray],
    boxes: Boxes,
    titles: Sequence[str],
    words: str,
    aspect: float = 1.0,
) -> go.Figure:
    """Draw pictures in named rows with outlines on them.

    Parameters
    ----------
    rows : dict of str to ndarray [shape=(columns, height, width, 3), dtype=uint8]
    boxes : Boxes
    titles : sequence of str
        Of the columns.
    words : str
        What it shows, for those who cannot see it.
    aspect : float
        Width over height of a picture.

    Raises
    ------
    ValueError
        If there are not as many pictures and boxes as columns in every row.
    """
    counts = {len(titles), *map(len, rows.values()), *map(len, boxes)}
    if len(counts) > 1 or len(boxes) != len(rows):
        raise ValueError(f"{len(rows)} rows of pictures, {len(boxes)} of boxes, columns: {counts}")
    sheet = Sheet.of(list(rows.values()), aspect)
    figure = go.Figure([sheet.trace(), *sheet.outlines(boxes)])
    return sheet.framed(figure, list(rows), titles, words)


def frames_beside(
    layout: VideoSceneLayout, videos: Mapping[str, Video], *, count: int = 6
) -> go.Figure:
    """Draw some frames of videos of one layout, a row each, with the layout's boxes.

    Parameters
    ----------
    layout : VideoSceneLayout
    videos : dict of str to Video
        Of the layout's length.
    count : int
        How many frames, spread over the video.
    """
    chosen = shown_frames(layout, count)
    rows = {name: video.frames[chosen] for name, video in videos.items()}
    boxes = [shown_boxes(layout, chosen)] * len(rows)
    titles = [f"{layout.frame_times_s[index]:.2f} s" for index in chosen]
    words = f"{layout.caption}: {len(chosen)} frames each of: {', '.join(videos)}"
    return grid_figure(rows, boxes, titles, words, layout.aspect)


def shown_frames(layout: VideoSceneLayout, count: int) -> list[int]:
    """Return the numbers of `count` frames that stand for all, first and last among them."""
    chosen = np.linspace(0, layout.frame_count - 1, min(count, layout.frame_count))
    return [int(index) for index in chosen.round()]


def shown_boxes(layout: VideoSceneLayout, chosen: Sequence[int]) -> list[list[Box | None]]:
    """Return the boxes of the chosen frames."""
    every = layout.frame_boxes()
    return [every[index] for index in chosen]


def beside(videos: Sequence[Video]) -> Video:
    """Put videos of one size and length side by side, as one that plays them together.

    Raises
    ------
    ValueError
        If they differ in size, length or rate.
    """
    from spa2v_lib.video import Video

    kinds = {(video.frames.shape, video.fps) for video in videos}
    if len(kinds) != 1:
        raise ValueError(f"videos of {len(kinds)} kinds; all must have one size, length and rate")
    time, height = videos[0].frames.shape[:2]
    gap = np.full((time, height, 4, 3), 128, np.uint8)
    parts = [part for video in videos for part in (gap, video.frames)][1:]
    return Video(np.concatenate(parts, axis=2), videos[0].fps)


def slider(labels: Sequence[str], prefix: str) -> dict:
    """Return a slider through a figure's frames, which are named by their numbers."""
    settings = {"mode": "immediate", "frame": {"duration": 0, "redraw": True}}
    return {
        "currentvalue": {"prefix": prefix},
        "font": {"color": TEXT},
        "bgcolor": GRID,
        "bordercolor": GRID,
        "tickcolor": TEXT,
        "pad": {"t": 30},
        "steps": [
            {
                "method": "animate",
                "label": label,
                "args": [[str(index)], {**settings, "transition": {"duration": 0}}],
            }
            for index, label in enumerate(labels)
        ],
    }
