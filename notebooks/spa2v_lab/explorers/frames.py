"""Explorer: scrub through the frames of a video, with or without the boxes."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

import numpy as np
from ipywidgets import HTML, Checkbox, HBox, IntSlider, Play, VBox, jslink
from PIL import Image, ImageDraw

from spa2v_lab.explorers.pictures import image_html
from spa2v_lib.viz.svg import SOURCE_COLOURS

if TYPE_CHECKING:
    from spa2v_lib.layout.scene_layout import VideoSceneLayout
    from spa2v_lib.video import Video

__all__ = ["FrameExplorer", "frame_picture", "frame_words"]

_SIDE = 320  # longest side of the picture, in pixels
_LINE = 3


def frame_picture(
    layout: VideoSceneLayout, video: Video, index: int, *, boxes: bool = True
) -> Image.Image:
    """Return one frame, enlarged, with the boxes that it was asked to follow.

    Parameters
    ----------
    layout : VideoSceneLayout
    video : Video
        Of the layout's length.
    index : int
        Which frame.
    boxes : bool
        Whether to draw them.
    """
    height, width = video.frames.shape[1:3]
    scale = _SIDE / max(height, width)
    size = (round(width * scale), round(height * scale))
    image = Image.fromarray(video.frames[index]).resize(size, Image.Resampling.LANCZOS)
    if boxes:
        draw = ImageDraw.Draw(image)
        for number, box in enumerate(layout.frame_boxes()[index]):
            if box is not None:
                corners = np.reshape(box.as_tuple(), (2, 2)) * (size[0] - 1, size[1] - 1)
                colour = SOURCE_COLOURS[number % len(SOURCE_COLOURS)]
                draw.rectangle(corners.ravel().tolist(), outline=colour, width=_LINE)
    return image


def frame_words(layout: VideoSceneLayout, index: int) -> str:
    """Say which frame this is and what it was told."""
    time = layout.frame_times_s[index]
    return f"frame {index + 1} of {layout.frame_count}, {time:.2f} s: {layout.caption_at(time)}"


class FrameExplorer(VBox):
    """A slider, or the play button, goes through the frames.

    Parameters
    ----------
    layout : VideoSceneLayout
    video : Video
        Of the layout's length.

    Raises
    ------
    ValueError
        If it is not.
    """

    def __init__(self, layout: VideoSceneLayout, video: Video) -> None:
        if len(video.frames) != layout.frame_count:
            raise ValueError(
                f"the video has {len(video.frames)} frames and the layout {layout.frame_count}"
            )
        self._layout, self._video = layout, video
        last = layout.frame_count - 1
        play = Play(max=last, interval=round(1000 / video.fps))
        self.frame = IntSlider(max=last, description="frame")
        self.boxes = Checkbox(value=True, description="boxes")
        self._shown = HTML()
        jslink((play, "value"), (self.frame, "value"))
        for control in (self.frame, self.boxes):
            control.observe(self._show, "value")
        self._show()
        super().__init__([HBox([play, self.frame, self.boxes]), self._shown])

    def _show(self, _change: object = None) -> None:
        index, words = self.frame.value, frame_words(self._layout, self.frame.value)
        image = frame_picture(self._layout, self._video, index, boxes=self.boxes.value)
        self._shown.value = f"{image_html(image, words)}<p>{escape(words)}</p>"
