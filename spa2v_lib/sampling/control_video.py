"""Sample with Wan VACE, which follows a layout that is drawn as its control video.

Paper: Jiang et al., "VACE: All-in-One Video Creation and Editing", ICCV 2025. Its layout task is
steered by the outlines of boxes, two pixels wide, on white: in its own colour for each label, which
a table of its authors' lists, or in black. The table (``layout/ram_tag_color_list.txt`` of the
hub's ``ali-vilab/VACE-Annotators``) is used where it is on this machine, in the folder of the
user's weights or in the hub's cache. Its numbers are taken as red, green and blue, as the authors'
tool for tracked layouts takes them; their tool for two boxes reverses them. Videos have 4k + 1
frames at 16 frames a second; those nearest to the layout's own frames are kept, all of them where
the layout has 16 frames a second, as a plan made for this preset has.

Knobs of `BoxOutlines`: `conditioning_scale`, how much the control video counts (0 to 1.5, default
1), and `light_on_dark`: users disagree about whether outlines should be dark on light or light on
dark (all labels alike then).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import torch
from PIL import Image, ImageDraw

from spa2v_lib.errors import SamplingError
from spa2v_lib.sampling.presets import Source
from spa2v_lib.sampling.sources import source_files
from spa2v_lib.sampling.tensors import as_pixels, check_numbers

if TYPE_CHECKING:
    from diffusers import WanVACEPipeline

    from spa2v_lib.layout.scene_layout import VideoSceneLayout
    from spa2v_lib.sampling.presets import Preset

__all__ = ["BoxOutlines", "draw_control", "frame_times", "label_colors", "sample_controlled"]

_OUTLINE = 2  # pixels
_COLORS = Source("ali-vilab/VACE-Annotators", "main", ("layout/ram_tag_color_list.txt",))
_COLOR_LINE = re.compile(r"[^#]*#;#(.+)#;#\(? *(\d+) *, *(\d+) *, *(\d+) *\)?")


@dataclass(frozen=True)
class BoxOutlines:
    """How the control video is drawn and how much it counts.

    Parameters
    ----------
    conditioning_scale : float
        Weight of the control video, from 0 to 2; typical 0.5 to 1.5.
    light_on_dark : bool
        Draw white outlines on black, instead of black ones on white.

    Raises
    ------
    SamplingError
        If the weight is out of range.

    See Also
    --------
    draw_control : Draws them.

    Examples
    --------
    >>> BoxOutlines(conditioning_scale=0.8)
    BoxOutlines(conditioning_scale=0.8, light_on_dark=False)
    """

    name: ClassVar[str] = "boxes"

    conditioning_scale: float = 1.0
    light_on_dark: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.conditioning_scale <= 2:
            raise SamplingError(
                f"boxes' conditioning_scale is {self.conditioning_scale:g}; it must lie between 0 "
                "and 2"
            )


def frame_times(layout: VideoSceneLayout, max_frames: int, fps: float = 16.0) -> np.ndarray:
    """Return the times in seconds of the frames that are sampled, 4k + 1 of them.

    Parameters
    ----------
    layout : VideoSceneLayout
        Its duration counts.
    max_frames : int
        As many as the preset can sample at once.
    fps : float
        Frames a second that the weights were trained on.

    Returns
    -------
    np.ndarray [shape=(frames,)]

    See Also
    --------
    draw_control : Draws them.

    Examples
    --------
    >>> from spa2v_lib.sampling.selfcheck import known_layout
    >>> frame_times(known_layout(1.0), 81).shape
    (33,)
    """
    wanted = max(5, 1 + round(layout.duration_s * fps))
    count = min(max_frames, 1 + 4 * int(np.ceil((wanted - 1) / 4)))
    return np.arange(count) / fps


def label_colors() -> dict[str, tuple[int, int, int]]:
    """Return the colour of each label that VACE was trained with; none where its table is missing.

    Returns
    -------
    dict of str to tuple of int
        Red, green and blue, from 0 to 255, by label.

    Examples
    --------
    >>> label_colors()  # the table is not shipped
    {}
    """
    lines = [line for path in source_files(_COLORS) for line in path.read_text().splitlines()]
    found = filter(None, map(_COLOR_LINE.fullmatch, map(str.strip, lines)))
    return {row[1].lower(): (int(row[2]), int(row[3]), int(row[4])) for row in found}


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
        Its boxes are drawn.
    times_s : ndarray [frames]
        Time of each frame, in seconds.
    size : tuple of int
        Width and height in pixels.
    light_on_dark : bool
        Draw white outlines on black, instead of black ones on white.

    Returns
    -------
    list of PIL.Image.Image

    See Also
    --------
    frame_times : When its frames are.

    Examples
    --------
    >>> from spa2v_lib.sampling.selfcheck import known_layout
    >>> draw_control(known_layout(1.0), np.zeros(2), (64, 48))[0].size
    (64, 48)
    """
    paper, ink = ("black", "white") if light_on_dark else ("white", "black")
    colors = {} if light_on_dark else label_colors()
    inks = [colors.get(item.label.lower(), ink) for item in layout.objects]
    pictures = []
    for time in times_s:
        picture = Image.new("RGB", size, paper)
        pen = ImageDraw.Draw(picture)
        boxes = layout.boxes_at(min(float(time), layout.duration_s))
        for box, color in zip(boxes, inks, strict=True):
            if box is not None:
                scale = (size[0] - 1, size[1] - 1) * 2
                corners = [round(c * s) for c, s in zip(box.as_tuple(), scale, strict=True)]
                pen.rectangle(corners, outline=color, width=_OUTLINE)
        pictures.append(picture)
    return pictures


@torch.no_grad()
def sample_controlled(
    pipeline: WanVACEPipeline,
    preset: Preset,
    layout: VideoSceneLayout,
    outlines: BoxOutlines | None,
    *,
    seed: int,
    steps: int,
    guidance_scale: float,
    negative_prompt: str = "",
    progress: Callable[[int, int], None] | None = None,
) -> np.ndarray:
    """Sample the frames of `layout`.

    Parameters
    ----------
    pipeline : WanVACEPipeline
        With its weights loaded.
    preset : Preset
        Its size, frame rate and `max_frames` count.
    layout : VideoSceneLayout
        Not longer than the preset's `max_frames` at 16 frames a second.
    outlines : BoxOutlines or None
        None leaves the control video blank, and of no weight.
    seed, steps, guidance_scale, negative_prompt, progress
        As in `spa2v_lib.sampling.pipeline.sample`.

    Returns
    -------
    np.ndarray [shape=(frames, height, width, 3), dtype=uint8]

    See Also
    --------
    spa2v_lib.sampling.pipeline.sample : For presets whose grounding guides attention.

    Examples
    --------
    >>> from spa2v_lib.sampling import generate
    >>> generate(layout, "wan-vace", grounding="boxes:conditioning_scale=0.8")  # doctest: +SKIP
    """
    times = frame_times(layout, preset.max_frames or preset.window, preset.fps or layout.fps)
    shown = layout if outlines else layout.model_copy(update={"objects": []})
    outlines = outlines or BoxOutlines(conditioning_scale=0.0)
    control = draw_control(shown, times, preset.size, light_on_dark=outlines.light_on_dark)

    def after_step(_pipeline, step: int, _time, tensors: dict) -> dict:
        check_numbers(tensors["latents"], f"the latents after step {step + 1} of {steps}")
        if progress:
            progress(step + 1, steps)
        return tensors

    frames = pipeline(
        prompt=layout.caption,
        negative_prompt=negative_prompt,
        video=control,
        mask=[Image.new("RGB", preset.size, "white")] * len(times),  # everything is to be made
        conditioning_scale=outlines.conditioning_scale,
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
    return as_pixels(frames[nearest])
