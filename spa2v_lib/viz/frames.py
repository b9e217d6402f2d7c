"""Frames with their boxes as HTML for saved pages; `spa2v_lib.viz.figures` has plotly's figures."""

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

__all__ = ["data_url", "frames_html", "layout_html", "spread"]

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
    spa2v_lib.viz.figures.frames_figure : the same as a plotly figure

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

    See Also
    --------
    spa2v_lib.viz.figures.layout_figure : All frames, behind a slider.

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
