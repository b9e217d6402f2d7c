"""A layout drawn as a strip of key frames: one inline SVG, readable in light and dark."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from spa2v_lib.viz.svg import SOURCE_COLOURS

if TYPE_CHECKING:
    from spa2v_lib.layout import Box, VideoSceneLayout

__all__ = ["layout_html"]

_HEIGHT, _GAP, _MOST = 96, 8, 12  # pixels, pixels, key frames


def layout_html(layout: VideoSceneLayout) -> str:
    """Draw up to twelve key frames with their boxes, under the caption.

    Returns
    -------
    str
        HTML that needs nothing else; all text is escaped.
    """
    count = len(layout.key_times_s)
    shown = sorted({round(i * (count - 1) / (_MOST - 1)) for i in range(_MOST)})
    width = round(_HEIGHT * layout.aspect)
    frames = [
        _key_frame(layout, index, place * (width + _GAP), width)
        for place, index in enumerate(shown)
    ]
    whole = len(shown) * (width + _GAP)
    return (
        f"<p><b>{escape(layout.caption)}</b></p>"
        f'<svg viewBox="0 0 {whole} {_HEIGHT + 18}" role="img" '
        f'aria-label="{escape(layout.caption)}: boxes in {len(shown)} key frames" '
        f'style="width:100%;max-width:{whole}px" font-family="system-ui" font-size="11">'
        f"{''.join(frames)}</svg>"
        f"<p><small>{escape(layout.reasoning)}</small></p>"
    )


def _key_frame(layout: VideoSceneLayout, index: int, left: int, width: int) -> str:
    boxes = "".join(
        _box(thing.boxes[index], left, width, SOURCE_COLOURS[i % len(SOURCE_COLOURS)])
        for i, thing in enumerate(layout.objects)
    )
    return (
        f'<rect x="{left}" y="0.5" width="{width}" height="{_HEIGHT - 1}" rx="3" fill="none" '
        f'stroke="currentColor" stroke-opacity=".4"/>{boxes}'
        f'<text x="{left}" y="{_HEIGHT + 13}" fill="currentColor">'
        f"{layout.key_times_s[index]:.1f} s</text>"
    )


def _box(box: Box | None, left: int, width: int, colour: str) -> str:
    if box is None:
        return ""
    return (
        f'<rect x="{left + box.x0 * width:.1f}" y="{box.y0 * _HEIGHT:.1f}" '
        f'width="{box.width * width:.1f}" height="{box.height * _HEIGHT:.1f}" '
        f'fill="{colour}" fill-opacity=".25" stroke="{colour}" stroke-width="2"/>'
    )
