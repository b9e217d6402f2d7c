"""Plotly figures of layouts and videos: frames with boxes, in rows or behind a slider."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

import numpy as np
import plotly.graph_objects as go

from spa2v_lib.viz.frames import data_url, spread
from spa2v_lib.viz.style import GRID, TEXT, styled
from spa2v_lib.viz.words import colour_of, shown_label

if TYPE_CHECKING:
    from spa2v_lib.layout.box import Box
    from spa2v_lib.layout.scene_layout import VideoSceneLayout
    from spa2v_lib.video import Video

__all__ = ["Boxes", "film_strip", "frames_figure", "layout_figure", "shown_boxes", "slider"]

Boxes = Sequence[Sequence[Sequence["Box | None"]]]
"""Boxes by row and column; the n-th box of every picture has the n-th colour."""

_PAGE = 700  # pixels that a page of the book is wide, nearly
_SIDE, _LARGE_SIDE = 144, 256  # longest side of a stored picture, in pixels
_BETWEEN, _ABOVE = 6, 34  # pixels between columns, and above rows for their names
_COARSE = 40  # samples a side below which a picture is a map, whose samples are to be seen


@dataclass(frozen=True)
class _Sheet:
    """Pictures of one size in rows; coordinates are the sheet's pixels."""

    pixels: np.ndarray  # [height, width, 4], transparent between the pictures
    tile: tuple[int, int]  # width and height of a picture
    above: int
    columns: int

    @classmethod
    def of(cls, rows: Mapping[str, np.ndarray], aspect: float, side: int) -> _Sheet:
        from PIL import Image

        tile = (round(side * min(1.0, aspect)), round(side / max(1.0, aspect)))
        above = _ABOVE if any(rows) else 0
        columns = len(next(iter(rows.values())))
        width = columns * (tile[0] + _BETWEEN) - _BETWEEN
        sheet = Image.new("RGBA", (width, len(rows) * (tile[1] + above)))
        for r, row in enumerate(rows.values()):
            for c, frame in enumerate(row):
                coarse = max(frame.shape[:2]) < _COARSE
                how = Image.Resampling.NEAREST if coarse else Image.Resampling.LANCZOS
                place = (c * (tile[0] + _BETWEEN), r * (tile[1] + above) + above)
                sheet.paste(Image.fromarray(frame).resize(tile, how), place)
        return cls(np.asarray(sheet), tile, above, columns)

    def corner(self, row: int, column: int) -> tuple[int, int]:
        return column * (self.tile[0] + _BETWEEN), row * (self.tile[1] + self.above) + self.above

    def trace(self) -> go.Image:
        source = data_url(self.pixels, "WEBP", quality=90)
        return go.Image(source=source, zsmooth="fast", hoverinfo="skip")

    def outlines(self, boxes: Boxes, names: Sequence[str]) -> list[go.Scatter]:
        """Return one trace for each object, with its outlines in all pictures."""
        count = max([len(names), *(len(cell) for row in boxes for cell in row)])
        return [self._outline(boxes, index, names[index : index + 1]) for index in range(count)]

    def _outline(self, boxes: Boxes, index: int, name: Sequence[str]) -> go.Scatter:
        x: list[float | None] = []
        y: list[float | None] = []
        for r, row in enumerate(boxes):
            for c, cell in enumerate(row):
                if index < len(cell) and cell[index] is not None:
                    left, top = self.corner(r, c)
                    x0, y0, x1, y1 = np.array(cell[index].as_tuple()) * (*self.tile, *self.tile)
                    x += [left + x0, left + x1, left + x1, left + x0, left + x0, None]
                    y += [top + y0, top + y0, top + y1, top + y1, top + y0, None]
        return go.Scatter(
            x=x or [None], y=y or [None], mode="lines", hoverinfo="skip",
            line={"color": colour_of(index), "width": 3 if name else 2},
            name=name[0] if name else None, showlegend=bool(name),
        )  # fmt: skip


def frames_figure(
    steps: Sequence[Mapping[str, np.ndarray]],
    boxes: Sequence[Boxes],
    titles: Sequence[str],
    alt: str,
    *,
    aspect: float = 1.0,
    names: Sequence[str] = (),
    control: dict | None = None,
    side: int = _SIDE,
) -> go.Figure:
    """Draw frames in named rows with the outlines of their boxes, behind a slider if need be.

    Parameters
    ----------
    steps : sequence of dict of str to ndarray [shape=(columns, height, width, 3), dtype=uint8]
        What each position of the slider shows, by the names of the rows; one if there is no slider.
    boxes : sequence of Boxes
        For each step.
    titles : sequence of str
        Of the columns.
    alt : str
        What the figure shows, for those who cannot see it.
    aspect : float
        Width over height of a picture.
    names : sequence of str
        Of the objects, for a legend; none without.
    control : dict, optional
        `slider` over the steps.
    side : int
        Longest side of a stored picture, in pixels.

    Returns
    -------
    plotly.graph_objects.Figure

    Raises
    ------
    ValueError
        If there are not as many pictures and boxes as columns in every row.

    See Also
    --------
    spa2v_lib.viz.frames.frames_html : the same in a saved page

    Examples
    --------
    >>> frames = np.zeros((2, 8, 8, 3), np.uint8)
    >>> figure = frames_figure([{"before": frames}], [[[[], []]]], ["0 s", "1 s"], "two frames")
    >>> figure.layout.xaxis.ticktext
    ('0 s', '1 s')
    """
    for rows, outlined in zip(steps, boxes, strict=True):
        counts = {len(titles), *map(len, rows.values()), *map(len, outlined)}
        if len(counts) > 1 or len(outlined) != len(rows):
            raise ValueError(
                f"{len(rows)} rows of pictures, {len(outlined)} of boxes, columns: {counts}"
            )
    sheets = [_Sheet.of(rows, aspect, side) for rows in steps]
    drawn = [
        [sheet.trace(), *sheet.outlines(outlined, names)]
        for sheet, outlined in zip(sheets, boxes, strict=True)
    ]
    shown = 0 if control is None else control["active"]
    figure = go.Figure(drawn[shown])
    _frame_axes(figure, sheets[0], list(steps[0]), titles, alt, bool(names))
    if control is not None:
        figure.frames = [go.Frame(data=data, name=str(k)) for k, data in enumerate(drawn)]
        figure.update_layout(sliders=[control], height=figure.layout.height + 90)
    return figure


def _frame_axes(
    figure: go.Figure,
    sheet: _Sheet,
    rows: Sequence[str],
    titles: Sequence[str],
    alt: str,
    legend: bool,
) -> None:
    """Give a figure of a sheet its axes, the rows' names and the columns' titles."""
    height, width = sheet.pixels.shape[:2]
    middles = [sheet.corner(0, c)[0] + sheet.tile[0] / 2 for c in range(sheet.columns)]
    figure.update_xaxes(
        range=[-0.5, width - 0.5], showgrid=False, zeroline=False, showline=False,
        tickvals=middles, ticktext=list(titles), ticks="", constrain="domain",
    )  # fmt: skip
    figure.update_yaxes(
        range=[height - 0.5, -0.5], visible=False, scaleanchor="x", constrain="domain"
    )
    for row, name in enumerate(rows):
        left, top = sheet.corner(row, 0)
        figure.add_annotation(
            x=left, y=top - 2, text=f"<b>{escape(name)}</b>" if name else "", showarrow=False,
            xanchor="left", yanchor="bottom", font={"size": 14, "color": TEXT},
        )  # fmt: skip
    below = 40 if any(titles) else 5
    shown = round(_PAGE / width * height) if width > _PAGE / 2 else round(1.5 * height)
    styled(figure, height=shown + below + 5 + 25 * legend, alt=alt)
    figure.update_layout(margin={"l": 5, "r": 5, "t": 5 + 25 * legend, "b": below})


def slider(labels: Sequence[str], prefix: str, active: int = 0, suffix: str = "") -> dict:
    """Return a slider through a figure's frames, which are named by their numbers.

    Parameters
    ----------
    labels : sequence of str
        Of its positions.
    prefix, suffix : str
        Written before and after the label of the position.
    active : int
        Position at the beginning.

    Examples
    --------
    >>> slider(["1", "2"], "step ", active=1)["steps"][1]["label"]
    '2'
    """
    settings = {"mode": "immediate", "frame": {"duration": 0, "redraw": True}}
    return {
        "active": active,
        "currentvalue": {"prefix": prefix, "suffix": suffix},
        "font": {"color": TEXT},
        "bgcolor": GRID,
        "bordercolor": GRID,
        "tickcolor": TEXT,
        "pad": {"t": 50},
        "steps": [
            {
                "method": "animate",
                "label": label,
                "args": [[str(index)], {**settings, "transition": {"duration": 0}}],
            }
            for index, label in enumerate(labels)
        ],
    }


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

    See Also
    --------
    film_strip : some frames side by side

    Examples
    --------
    >>> from spa2v_lib import VideoSceneLayout
    >>> layout = VideoSceneLayout(caption="a street", frame_captions=["a street"],
    ...                           key_times_s=[0.0], objects=[], duration_s=1.0, fps=8.0)
    >>> len(layout_figure(layout).frames)
    8
    """
    boxes = layout.frame_boxes()
    frames = _frames(layout, video)
    labels = [f"{time:.2f}" for time in layout.frame_times_s]
    return frames_figure(
        [{"": frames[index : index + 1]} for index in range(len(boxes))],
        [[[row]] for row in boxes],
        [""],
        f"{layout.caption}: boxes in {len(boxes)} frames",
        aspect=layout.aspect,
        names=[escape(shown_label(item.label)) for item in layout.objects],
        control=slider(labels, "time ", layout.fullest_frame(), " s"),
        side=_LARGE_SIDE,
    )


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

    See Also
    --------
    layout_figure : every frame, behind a slider

    Examples
    --------
    >>> from spa2v_lib import VideoSceneLayout
    >>> layout = VideoSceneLayout(caption="a street", frame_captions=["a street"],
    ...                           key_times_s=[0.0], objects=[], duration_s=1.0, fps=8.0)
    >>> film_strip(layout, count=2).layout.xaxis.ticktext
    ('0.00 s', '0.88 s')
    """
    chosen = spread(layout.frame_count, count)
    return frames_figure(
        [{"": _frames(layout, video)[chosen]}],
        [[shown_boxes(layout, chosen)]],
        [f"{layout.frame_times_s[index]:.2f} s" for index in chosen],
        f"{layout.caption}: {len(chosen)} frames",
        aspect=layout.aspect,
    )


def shown_boxes(layout: VideoSceneLayout, chosen: Sequence[int]) -> list[list[Box | None]]:
    """Return the boxes of some frames.

    Parameters
    ----------
    layout : VideoSceneLayout
        Captions, and boxes per key frame.
    chosen : sequence of int
        Numbers of the frames.

    Examples
    --------
    >>> from spa2v_lib import VideoSceneLayout
    >>> layout = VideoSceneLayout(caption="a street", frame_captions=["a street"],
    ...                           key_times_s=[0.0], objects=[], duration_s=1.0, fps=8.0)
    >>> shown_boxes(layout, [0, 7])
    [[], []]
    """
    every = layout.frame_boxes()
    return [every[index] for index in chosen]


def _frames(layout: VideoSceneLayout, video: Video | None) -> np.ndarray:
    """Return the frames to draw under the boxes; grey where there is no video."""
    if video is None:
        return np.full((layout.frame_count, 2, 2, 3), 160, np.uint8)
    if len(video.frames) != layout.frame_count:
        raise ValueError(
            f"the video has {len(video.frames)} frames and the layout {layout.frame_count}"
        )
    return video.frames
