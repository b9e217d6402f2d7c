"""Some frames of a video in a row, with their boxes: a picture to look at, or to keep."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw

if TYPE_CHECKING:
    from spa2v_lib.layout.scene_layout import VideoSceneLayout

__all__ = ["contact_sheet"]

_FRAMES = 8
_GAP, _LINE = 4, 2  # pixels
_BOX_COLOUR = (235, 60, 40)


def contact_sheet(frames: np.ndarray, layout: VideoSceneLayout, side: int = 128) -> Image.Image:
    """Return up to eight frames in a row, the layout's boxes drawn on them.

    Parameters
    ----------
    frames : np.ndarray [shape=(time, height, width, 3), dtype=uint8]
        One per frame of `layout`.
    layout : VideoSceneLayout
    side : int
        Width of a frame in the picture, in pixels.
    """
    chosen = np.unique(np.linspace(0, len(frames) - 1, _FRAMES).round().astype(int))
    height = round(side * frames.shape[1] / frames.shape[2])
    sheet = Image.new("RGB", (len(chosen) * (side + _GAP) - _GAP, height), "white")
    for column, index in enumerate(chosen.tolist()):
        picture = Image.fromarray(frames[index]).resize((side, height), Image.Resampling.BICUBIC)
        draw = ImageDraw.Draw(picture)
        for box in layout.boxes_at(index / layout.fps):
            if box is not None:
                corners = np.reshape(box.as_tuple(), (2, 2)) * (side - 1, height - 1)
                corners += [[-_LINE], [_LINE]]  # around the thing, not over it
                draw.rectangle(corners.ravel().tolist(), outline=_BOX_COLOUR, width=_LINE)
        sheet.paste(picture, (column * (side + _GAP), 0))
    return sheet
