"""Frames with their boxes, drawn as a picture and as HTML for saved pages.

`frames_image` draws pixels, `frames_html` elements of a page; the third kind of output, plotly's
figures, is `spa2v_lib.viz.figures.frames_figure`.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING

import numpy as np

from spa2v_lib.viz.words import colour_of

if TYPE_CHECKING:
    from PIL.Image import Image

    from spa2v_lib.layout.box import Box
    from spa2v_lib.layout.scene_layout import VideoSceneLayout

__all__ = ["data_url", "frames_html", "frames_image", "layout_html", "spread"]

_GAP, _LINE = 4, 3  # pixels
_KEY_FRAMES = 12


def spread(count: int, most: int) -> list[int]:
    """Return the numbers of some frames that stand for all, first and last among them.

    Parameters
    ----------
    count : int
        How many frames there are, at least 1.
    most : int
        How many to choose at most.

    Examples
    --------
    >>> spread(32, 4)
    [0, 10, 21, 31]
    >>> spread(2, 8)
    [0, 1]
    """
    return [int(index) for index in np.linspace(0, count - 1, min(most, count)).round()]


def data_url(picture: Image | np.ndarray, form: str = "PNG", **options: object) -> str:
    """Return a picture as an address that holds it.

    Parameters
    ----------
    picture : PIL.Image.Image or ndarray [height, width, 3 or 4]
        Of an array, uint8.
    form : str
        "PNG" or "WEBP".
    **options
        Pillow's, such as ``quality``.

    Examples
    --------
    >>> data_url(np.zeros((2, 2, 3), np.uint8))[:30]
    'data:image/png;base64,iVBORw0K'
    """
    from PIL import Image

    image = Image.fromarray(picture) if isinstance(picture, np.ndarray) else picture
    stream = io.BytesIO()
    image.save(stream, form, **options)
    return f"data:image/{form.lower()};base64,{base64.b64encode(stream.getvalue()).decode()}"


def frames_image(
    frames: np.ndarray, boxes: Sequence[Sequence[Box | None]], *, width: int = 128
) -> Image:
    """Draw frames in a row, with outlines around what their boxes hold.

    Parameters
    ----------
    frames : ndarray [shape=(time, height, width, 3), dtype=uint8]
        Pictures, at least one.
    boxes : sequence of sequence of (Box or None)
        For each frame, a box for each object; None where it is out of view.
    width : int
        Of a frame as drawn, in pixels.

    Returns
    -------
    PIL.Image.Image

    See Also
    --------
    frames_html : the same in a saved page
    spa2v_lib.viz.figures.frames_figure : the same as a plotly figure

    Examples
    --------
    >>> from spa2v_lib.layout.box import Box
    >>> frames = np.zeros((2, 8, 16, 3), np.uint8)
    >>> frames_image(frames, [[Box(x0=0.2, y0=0.2, x1=0.6, y1=0.8)], [None]], width=64).size
    (132, 32)
    """
    from PIL import Image, ImageDraw

    height = round(width * frames.shape[1] / frames.shape[2])
    row = Image.new("RGB", (len(frames) * (width + _GAP) - _GAP, height), "white")
    for column, (frame, objects) in enumerate(zip(frames, boxes, strict=True)):
        picture = Image.fromarray(frame).resize((width, height), Image.Resampling.LANCZOS)
        pen = ImageDraw.Draw(picture)
        for index, box in enumerate(objects):
            if box is not None:
                corners = np.reshape(box.as_tuple(), (2, 2)) * (width - 1, height - 1)
                corners += [[1 - _LINE], [_LINE - 1]]  # around the object, not over it
                pen.rectangle(corners.ravel().tolist(), outline=colour_of(index), width=_LINE)
        row.paste(picture, (column * (width + _GAP), 0))
    return row


def frames_html(
    boxes: Sequence[Sequence[Box | None]],
    times_s: Sequence[float],
    *,
    frames: np.ndarray | None = None,
    aspect: float = 1.0,
    width: int = 160,
) -> str:
    """Draw frames with their boxes as elements of a page that needs no script.

    Parameters
    ----------
    boxes : sequence of sequence of (Box or None)
        For each frame, a box for each object.
    times_s : sequence of float
        When the frames are shown.
    frames : ndarray [shape=(time, height, width, 3), dtype=uint8], optional
        Pictures to draw under the boxes; else each frame is an empty outline.
    aspect : float
        Width over height.
    width : int
        Units that a frame is wide; it is scaled to the place it is given.

    Returns
    -------
    str
        A ``<figure>`` for each frame, with its time as caption.

    See Also
    --------
    frames_image : the same as a picture

    Examples
    --------
    >>> frames_html([[None]], [0.5]).count("<figure")
    1
    """
    height = round(width / aspect)
    figures = []
    for number, (objects, time) in enumerate(zip(boxes, times_s, strict=True)):
        ground = (
            f'<rect x=".5" y=".5" width="{width - 1}" height="{height - 1}" rx="4" '
            'fill="none" stroke="currentColor" stroke-opacity=".4"/>'
            if frames is None
            else f'<image width="{width}" height="{height}" '
            f'href="{data_url(frames[number], optimize=True)}"/>'
        )
        outlines = "".join(
            f'<rect x="{box.x0 * width:.1f}" y="{box.y0 * height:.1f}" '
            f'width="{box.width * width:.1f}" height="{box.height * height:.1f}" rx="2" '
            f'fill="{"none" if frames is not None else colour_of(index)}" fill-opacity=".25" '
            f'stroke="{colour_of(index)}" stroke-width="3"/>'
            for index, box in enumerate(objects)
            if box is not None
        )
        figures.append(
            f'<figure style="margin:0"><svg viewBox="0 0 {width} {height}" role="img" '
            f'aria-label="frame at {time:.2f} seconds" style="display:block;width:100%">'
            f"{ground}{outlines}</svg>"
            f'<figcaption style="font-size:.85em">{time:.2f} s</figcaption></figure>'
        )
    return "".join(figures)


def layout_html(layout: VideoSceneLayout) -> str:
    """Draw up to twelve key frames of a layout, under its caption and above its reasoning.

    Parameters
    ----------
    layout : VideoSceneLayout
        Captions, and boxes per key frame.

    Returns
    -------
    str
        HTML that needs nothing else; all text is escaped.

    Examples
    --------
    >>> from spa2v_lib import VideoSceneLayout
    >>> layout = VideoSceneLayout(caption="a street", frame_captions=["a street"],
    ...                           key_times_s=[0.0], objects=[], duration_s=1.0)
    >>> layout_html(layout).count("<figure")
    1
    """
    chosen = spread(len(layout.key_times_s), _KEY_FRAMES)
    tracks = [item.boxes for item in layout.objects]
    drawn = frames_html(
        [[track[index] for track in tracks] for index in chosen],
        [layout.key_times_s[index] for index in chosen],
        aspect=layout.aspect,
    )
    names = "".join(
        f'<span style="white-space:nowrap"><span aria-hidden="true" '
        f'style="color:{colour_of(index)}">■</span> {escape(item.caption)}</span> '
        for index, item in enumerate(layout.objects)
    )
    return (
        f"<p><b>{escape(layout.caption)}</b></p>"
        '<div style="display:grid;grid-template-columns:repeat(auto-fill,minmax(84px,1fr));'
        f'gap:8px;max-width:900px">{drawn}</div>'
        f"<p>{names}</p><p><small>{escape(layout.reasoning)}</small></p>"
    )
