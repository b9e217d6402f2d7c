"""Sample with Wan VACE, which follows a layout that is drawn as its control video.

Paper: Jiang et al., "VACE: All-in-One Video Creation and Editing", ICCV 2025. Its layout task is
steered by the outlines of boxes, two pixels wide, black on white; boxes carry no words, so the
captions say what is in them. Videos have 4k + 1 frames at 16 frames a second; those nearest to the
layout's own frames are kept.

Knob: `conditioning_scale`, how much the control video counts (0 to 1.5, default 1). Users disagree
about whether outlines should be dark on light or light on dark, so `light_on_dark` inverts them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import torch
from PIL import Image, ImageDraw

if TYPE_CHECKING:
    from diffusers import WanVACEPipeline

    from spa2v_lib.layout.scene_layout import VideoSceneLayout
    from spa2v_lib.sampling.presets import Preset

__all__ = ["draw_control", "frame_times", "sample_controlled"]

_FPS = 16.0  # what the weights were trained on
_OUTLINE = 2  # pixels


def frame_times(layout: VideoSceneLayout, max_frames: int) -> np.ndarray:
    """Return the times in seconds of the frames that are sampled, 4k + 1 of them."""
    wanted = max(5, 1 + round(layout.duration_s * _FPS))
    count = min(max_frames, 1 + 4 * int(np.ceil((wanted - 1) / 4)))
    return np.arange(count) / _FPS


def draw_control(
    layout: VideoSceneLayout,
    times_s: np.ndarray,
    size: tuple[int, int],
    *,
    light_on_dark: bool = False,
) -> list[Image.Image]:
    """Draw the outlines of the layout's boxes at each time.

    Parameters
    ----------
    layout : VideoSceneLayout
    times_s : ndarray [frames]
    size : tuple of int
        Width and height in pixels.
    light_on_dark : bool
    """
    paper, ink = ("black", "white") if light_on_dark else ("white", "black")
    pictures = []
    for time in times_s:
        picture = Image.new("RGB", size, paper)
        pen = ImageDraw.Draw(picture)
        for box in layout.boxes_at(min(float(time), layout.duration_s)):
            if box is not None:
                scale = (size[0] - 1, size[1] - 1) * 2
                corners = [round(c * s) for c, s in zip(box.as_tuple(), scale, strict=True)]
                pen.rectangle(corners, outline=ink, width=_OUTLINE)
        pictures.append(picture)
    return pictures


@torch.no_grad()
def sample_controlled(
    pipeline: WanVACEPipeline,
    preset: Preset,
    layout: VideoSceneLayout,
    *,
    seed: int,
    steps: int,
    guidance_scale: float,
    grounded: bool = True,
    conditioning_scale: float = 1.0,
    light_on_dark: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> np.ndarray:
    """Sample the frames of `layout`.

    Parameters
    ----------
    pipeline : WanVACEPipeline
    preset : Preset
    layout : VideoSceneLayout
        Not longer than the preset's `max_frames` at 16 frames a second.
    seed, steps, guidance_scale, progress
        As in `spa2v_lib.sampling.pipeline.sample`.
    grounded : bool
        Whether boxes are drawn; else the control video is blank.
    conditioning_scale : float
    light_on_dark : bool

    Returns
    -------
    np.ndarray [shape=(frames, height, width, 3), dtype=uint8]
    """
    times = frame_times(layout, preset.max_frames)
    shown = layout if grounded else layout.model_copy(update={"objects": []})
    control = draw_control(shown, times, preset.size, light_on_dark=light_on_dark)

    def after_step(_pipeline, step: int, _time, tensors: dict) -> dict:
        if progress:
            progress(step + 1, steps)
        return tensors

    frames = pipeline(
        prompt=layout.caption,
        video=control,
        mask=[Image.new("RGB", preset.size, "white")] * len(times),  # everything is to be made
        conditioning_scale=conditioning_scale if grounded else 0.0,
        width=preset.size[0],
        height=preset.size[1],
        num_frames=len(times),
        num_inference_steps=steps,
        guidance_scale=guidance_scale,
        generator=torch.Generator("cpu").manual_seed(seed),
        callback_on_step_end=after_step,
        output_type="np",
    ).frames[0]
    wanted = np.arange(layout.frame_count) / layout.fps
    nearest = np.abs(times[None, :] - wanted[:, None]).argmin(axis=1)
    return (255 * np.clip(frames[nearest], 0, 1) + 0.5).astype(np.uint8)
