"""Sample a video that follows a layout, with diffusers' own AnimateDiff pipeline.

The pipeline is used as it is. What is added travels beside it: box tokens through
``cross_attention_kwargs``, the grounding's schedule through ``callback_on_step_end``, and videos
longer than the motion modules' window through FreeNoise (Qiu et al., ICLR 2024): windows that
overlap, over noise that later windows share with the first.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from spa2v_lib.sampling import gligen
from spa2v_lib.sampling.presets import Preset

if TYPE_CHECKING:
    import torch
    from diffusers import AnimateDiffPipeline

    from spa2v_lib.layout import VideoSceneLayout

__all__ = ["Progress", "box_tokens", "sample"]

Progress = Callable[[int, int], None]  # steps done, steps in all


def sample(
    pipeline: AnimateDiffPipeline,
    preset: Preset,
    layout: VideoSceneLayout,
    *,
    seed: int,
    steps: int,
    guidance: float,
    grounded: bool,
    progress: Progress | None = None,
) -> np.ndarray:
    """Sample the frames of `layout`.

    Parameters
    ----------
    pipeline : AnimateDiffPipeline
        As `spa2v_lib.sampling.presets.load` returns it.
    preset : Preset
    layout : VideoSceneLayout
    seed : int
        The only source of randomness.
    steps : int
    guidance : float
        Strength of classifier-free guidance.
    grounded : bool
        Whether the grounding layers act at all.
    progress : callable, optional
        Called after each step with the steps done and the steps in all.

    Returns
    -------
    np.ndarray [shape=(frames, height, width, 3), dtype=uint8]
    """
    import torch

    _set_windows(pipeline, preset, layout.frame_count)
    active = round(preset.grounding_active * steps) if grounded else 0
    gligen.switch(pipeline.unet, active > 0)

    def after_step(_pipeline, step: int, _time, tensors: dict) -> dict:
        if step + 1 == active:
            gligen.switch(pipeline.unet, False)
        if progress:
            progress(step + 1, steps)
        return tensors

    with torch.inference_mode():
        tokens = gligen.object_tokens(
            pipeline.unet, box_tokens(pipeline, layout), guided=guidance > 1
        )
        frames = pipeline(
            prompt=layout.caption,
            num_frames=layout.frame_count,
            width=preset.size[0],
            height=preset.size[1],
            num_inference_steps=steps,
            guidance_scale=guidance,
            generator=torch.Generator("cpu").manual_seed(seed),
            cross_attention_kwargs={"gligen": {"objs": tokens}},
            callback_on_step_end=after_step,
            output_type="np",
        ).frames[0]
    return (255 * np.clip(frames, 0, 1) + 0.5).astype(np.uint8)


def _set_windows(pipeline: AnimateDiffPipeline, preset: Preset, frame_count: int) -> None:
    """Cover the video with windows; a short one has a single window.

    FreeNoise stays on for short videos too: in diffusers 0.42 it cannot be switched off again
    without a motion module in the middle block, and frames must not depend on what was sampled
    before.
    """
    pipeline.enable_free_noise(
        context_length=min(preset.window, frame_count), context_stride=preset.stride
    )


def box_tokens(pipeline: AnimateDiffPipeline, layout: VideoSceneLayout) -> gligen.BoxTokens:
    """Turn a layout into boxes, masks and phrase embeddings for every frame.

    A frame without any object still has one masked token, as in the layers' training.
    """
    import torch

    count = max(1, len(layout.objects))
    boxes = torch.zeros(layout.frame_count, count, 4)
    masks = torch.zeros(layout.frame_count, count)
    for frame, row in enumerate(layout.frame_boxes()):
        for index, box in enumerate(row):
            if box is not None:
                boxes[frame, index] = torch.tensor(box.as_tuple())
                masks[frame, index] = 1.0
    phrases = _pooled(pipeline, [thing.caption for thing in layout.objects] or [""])
    tokens = (boxes, masks, phrases.expand(layout.frame_count, -1, -1))
    return gligen.BoxTokens(*(t.to(pipeline.unet.device, pipeline.unet.dtype) for t in tokens))


def _pooled(pipeline: AnimateDiffPipeline, phrases: list[str]) -> torch.Tensor:
    """Return the pooled text embeddings of `phrases` [n], as [n, text width]."""
    ids = pipeline.tokenizer(
        phrases, padding="max_length", truncation=True, return_tensors="pt"
    ).input_ids
    return pipeline.text_encoder(ids.to(pipeline.text_encoder.device)).pooler_output
