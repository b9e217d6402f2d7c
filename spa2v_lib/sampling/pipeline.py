"""Sample a video that follows a layout, with diffusers' own AnimateDiff pipeline.

The pipeline is used as it is. What is added travels beside it: a grounding method takes part
through `spa2v_lib.sampling.grounding.base.Hooks`, per-frame captions replace the text that the
denoiser is handed, and videos longer than the motion modules' window are sampled with FreeNoise
(Qiu et al., ICLR 2024): windows that overlap, over noise that later windows share with the first.
Without grounding, with the video's caption alone and with guidance throughout, nothing is added and
the frames are diffusers' own.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch.utils.hooks import RemovableHandle

from spa2v_lib.sampling.framewise import frames_in_parts
from spa2v_lib.sampling.grounding.base import (
    Grounding,
    GroundingInputs,
    Hooks,
    StepObserver,
    steps_before,
)
from spa2v_lib.sampling.image_prompt import embedded
from spa2v_lib.sampling.tensors import as_pixels, check_numbers
from spa2v_lib.sampling.texts import FrameTexts, encode_texts, object_phrases

if TYPE_CHECKING:
    from diffusers import AnimateDiffPipeline

    from spa2v_lib.layout.scene_layout import VideoSceneLayout
    from spa2v_lib.sampling import Captions
    from spa2v_lib.sampling.presets import Preset

__all__ = ["OnStage", "Progress", "expected_seconds", "grounding_inputs", "sample"]

Progress = Callable[[int, int], None]  # steps done, steps in all
OnStage = Callable[..., None]
"""Called with the stage (load, sample, decode), the steps done and in all, and once, before the
first step, with the seconds that sampling is expected to take."""

_PROBED = 2  # frames of the call that tells how fast a machine is
_DECODED = 16  # frames that are decoded at a time


@torch.no_grad()
def sample(
    pipeline: AnimateDiffPipeline,
    preset: Preset,
    layout: VideoSceneLayout,
    grounding: Grounding | None,
    *,
    seed: int,
    steps: int,
    guidance_scale: float,
    guidance_start: float = 0.0,
    guidance_stop: float = 1.0,
    negative_prompt: str = "",
    captions: Captions = "mixed",
    progress: Progress | None = None,
    on_stage: OnStage | None = None,
    recorder: StepObserver | None = None,
) -> np.ndarray:
    """Sample the frames of `layout`.

    Parameters
    ----------
    pipeline : AnimateDiffPipeline
        As `spa2v_lib.sampling.loading.load` returns it.
    preset : Preset
        The diffusion suite.
    layout : VideoSceneLayout
        What the video shows, and where.
    grounding : Grounding or None
        Prepared; None lets the captions alone decide.
    seed : int
        The only source of randomness.
    steps : int
        Sampling steps, at least 1.
    guidance_scale : float
        Strength of classifier-free guidance.
    guidance_start, guidance_stop : float
        Shares of the steps after which guidance begins and ends, in [0, 1].
    negative_prompt : str
        What guidance leads away from.
    captions : {"global", "frame", "mixed"}
        Which captions condition each frame.
    progress : callable, optional
        Called after each step with the steps done and the steps in all.
    on_stage : callable, optional
        Called before the first step with an estimate of the seconds, after each step, and while
        frames are decoded; see `OnStage`.
    recorder : StepObserver, optional
        Keeps attention maps and previews of every step; it changes no frame.

    Returns
    -------
    np.ndarray [shape=(frames, height, width, 3), dtype=uint8]

    Raises
    ------
    SamplingError
        If latents or frames hold NaN or infinity.

    See Also
    --------
    spa2v_lib.sampling.generate : Checks, loads and calls this.

    Examples
    --------
    >>> from spa2v_lib.sampling.loading import load
    >>> from spa2v_lib.sampling.presets import get_preset
    >>> from spa2v_lib.sampling.selfcheck import known_layout
    >>> layout = known_layout(1.0).model_copy(update={"duration_s": 0.25})
    >>> preset, pipeline = get_preset("tiny"), load("tiny", "cpu")
    >>> sample(pipeline, preset, layout, None, seed=0, steps=1, guidance_scale=1.0).shape
    (2, 128, 128, 3)
    """
    _set_windows(pipeline, preset, layout.frame_count)
    guided = guidance_scale > 1
    with_guidance = range(0)
    if guided:
        with_guidance = range(*(steps_before(x, steps) for x in (guidance_start, guidance_stop)))
    texts = encode_texts(pipeline, layout, captions, negative_prompt)
    images = embedded(pipeline, preset, guided=guided)
    seen = tuple(image[-1:] for image in images)  # by the conditional half
    inputs = None
    if layout.objects:
        how = {"steps": steps, "guided": guided, "seed": seed, "images": seen}
        inputs = grounding_inputs(preset, layout, texts, **how)
    if on_stage:
        calls = steps + len(with_guidance)
        seconds = expected_seconds(pipeline, preset, texts, seen)
        on_stage("sample", 0, steps, calls * seconds)
    with ExitStack() as added:
        if layout.frame_count > preset.window:
            added.enter_context(frames_in_parts(pipeline.unet, preset.window))
        handles = []
        if captions != "global":
            handles.append(_condition(pipeline.unet, texts, guided))
        if guided and with_guidance != range(steps):
            handles += _guide_within(pipeline.unet, with_guidance)
        for handle in handles:
            added.callback(handle.remove)
        hooks = Hooks()
        if grounding is not None and inputs is not None:
            hooks = added.enter_context(grounding.applied(pipeline, inputs))
        if recorder is not None:
            added.enter_context(recorder.recording(pipeline, inputs))

        def after_step(_pipeline, step: int, time, tensors: dict) -> dict:
            check_numbers(tensors["latents"], f"the latents after step {step + 1} of {steps}")
            if recorder is not None:
                recorder.after_step(pipeline, step, time, tensors)
            if step + 1 < steps:
                tensors["latents"] = hooks.before_step(step + 1, tensors["latents"])
            if progress:
                progress(step + 1, steps)
            if on_stage:
                on_stage("sample", step + 1, steps)
            return tensors

        # Schedulers of few steps add noise between them: what comes after the initial noise.
        generator = torch.Generator("cpu").manual_seed(seed)
        noise = hooks.initial_noise(_noise(pipeline, preset, layout.frame_count, generator))
        latents = pipeline(
            prompt=layout.caption,
            negative_prompt=negative_prompt,
            num_frames=layout.frame_count,
            width=preset.size[0],
            height=preset.size[1],
            num_inference_steps=steps,
            guidance_scale=guidance_scale,
            generator=generator,
            latents=hooks.before_step(0, noise.to(texts.conditional)),
            ip_adapter_image_embeds=images or None,
            cross_attention_kwargs=hooks.cross_attention_kwargs or None,
            callback_on_step_end=after_step,
            output_type="latent",
        ).frames
    return _decoded(pipeline, latents, on_stage or (lambda *_: None))


@torch.no_grad()
def expected_seconds(
    pipeline: AnimateDiffPipeline,
    preset: Preset,
    texts: FrameTexts,
    images: Sequence[torch.Tensor] = (),
) -> float:
    """Estimate how long the denoiser takes for one call on all frames, without guidance.

    The second of two calls on a few frames is timed; the time of a call grows with its frames.
    Grounding and decoding add to it, about as much as small calls take longer per frame.

    Parameters
    ----------
    pipeline : AnimateDiffPipeline
        Without anything added to its denoiser.
    preset : Preset
        Its window and size count.
    texts : FrameTexts
        Of the video's frames.
    images : sequence of Tensor
        Embeddings of an image prompt, see `GroundingInputs`.

    Returns
    -------
    float
        Seconds, on this machine and with what else it is doing.

    Examples
    --------
    >>> from spa2v_lib.sampling.loading import load
    >>> from spa2v_lib.sampling.presets import get_preset
    >>> from spa2v_lib.sampling.selfcheck import known_layout
    >>> pipeline = load("tiny", "cpu")
    >>> texts = encode_texts(pipeline, known_layout(1.0), "mixed")
    >>> 0 < expected_seconds(pipeline, get_preset("tiny"), texts) < 60
    True
    """
    unet, frame_count = pipeline.unet, len(texts.conditional)
    count = min(preset.window if pipeline.free_noise_enabled else _PROBED, frame_count)
    width, height = (side // pipeline.vae_scale_factor for side in preset.size)
    shape = 1, unet.config.in_channels, count, height, width
    latents = torch.zeros(shape).to(texts.conditional)
    now = torch.tensor(999, device=latents.device)
    given = {"added_cond_kwargs": {"image_embeds": list(images)}} if images else {}
    for _ in range(2):  # libraries choose their kernels in the first call
        began = time.perf_counter()
        found = unet(latents, now, encoder_hidden_states=texts.conditional[:count], **given).sample
        found.sum().item()  # waits for a GPU
        seconds = time.perf_counter() - began
    return seconds * frame_count / count


def _decoded(pipeline: AnimateDiffPipeline, latents: torch.Tensor, on_stage: OnStage) -> np.ndarray:
    """Decode latents [1, channels, frames, height, width] part by part.

    What is decoded takes four times the memory of the bytes that are kept, in several copies: of a
    whole video that would be more than the video.
    """
    count, parts = latents.shape[2], []
    for start in range(0, count, _DECODED):
        on_stage("decode", start, count)
        decoded = pipeline.decode_latents(latents[:, :, start : start + _DECODED], _DECODED)
        frames = pipeline.video_processor.postprocess_video(decoded, output_type="np")
        parts.append(as_pixels(frames[0]))
        on_stage("decode", min(start + _DECODED, count), count)
    pipeline.maybe_free_model_hooks()  # where parts wait in main memory, the decoder again does
    return np.concatenate(parts)


def grounding_inputs(
    preset: Preset,
    layout: VideoSceneLayout,
    texts: FrameTexts,
    *,
    steps: int,
    guided: bool,
    seed: int,
    images: tuple[torch.Tensor, ...] = (),
) -> GroundingInputs:
    """Turn a layout with at least one object into what grounding methods see.

    Parameters
    ----------
    preset : Preset
        Its size, and whether captions name directions, count.
    layout : VideoSceneLayout
        Boxes and captions of the objects.
    texts : FrameTexts
        Of the layout.
    steps, guided, seed, images
        See `GroundingInputs`.

    Returns
    -------
    GroundingInputs

    Examples
    --------
    >>> from spa2v_lib.sampling.loading import load
    >>> from spa2v_lib.sampling.presets import get_preset
    >>> from spa2v_lib.sampling.selfcheck import known_layout
    >>> layout = known_layout(1.0)
    >>> texts = encode_texts(load("tiny", "cpu"), layout, "mixed")
    >>> how = {"steps": 8, "guided": True, "seed": 0}
    >>> grounding_inputs(get_preset("tiny"), layout, texts, **how).boxes.shape
    torch.Size([16, 1, 4])
    """
    count = len(layout.objects)
    boxes = torch.zeros(layout.frame_count, count, 4)
    present = torch.zeros(layout.frame_count, count)
    for frame, row in enumerate(layout.frame_boxes()):
        for index, box in enumerate(row):
            if box is not None:
                boxes[frame, index] = torch.tensor(box.as_tuple())
                present[frame, index] = 1.0
    like = texts.conditional
    return GroundingInputs(
        boxes=boxes.to(like),
        present=present.to(like),
        phrases=object_phrases(layout, directional=preset.directional_captions),
        spans=texts.spans.to(like.device),
        text=texts.conditional,
        steps=steps,
        guided=guided,
        seed=seed,
        picture=preset.size,
        images=images,
    )


def _noise(
    pipeline: AnimateDiffPipeline, preset: Preset, frame_count: int, generator: torch.Generator
) -> torch.Tensor:
    """Draw the noise that the pipeline would draw [1, channels, frames, height, width]."""
    drawn = pipeline.prepare_latents(
        1,
        pipeline.unet.config.in_channels,
        frame_count,
        preset.size[1],
        preset.size[0],
        pipeline.unet.dtype,
        pipeline.device,
        generator,
    )
    return drawn / pipeline.scheduler.init_noise_sigma  # the pipeline multiplies once more


def _condition(unet: torch.nn.Module, texts: FrameTexts, guided: bool) -> RemovableHandle:
    """Hand the denoiser every frame's own text, which the pipeline has no argument for."""
    words = torch.cat([texts.unconditional] * guided + [texts.conditional])

    def replace(_unet, arguments: tuple, named: dict) -> tuple[tuple, dict]:
        return arguments, {**named, "encoder_hidden_states": words}

    return unet.register_forward_pre_hook(replace, with_kwargs=True)


def _guide_within(unet: torch.nn.Module, guided: range) -> list[RemovableHandle]:
    """Compute the conditional half alone in the steps outside of `guided`.

    The pipeline doubles its batch in every step. Outside of `guided` the denoiser drops the
    unconditional half and returns its prediction for the other twice, which guidance leaves as it
    is.
    """
    step = -1

    def halve(_unet, arguments: tuple, named: dict) -> tuple[tuple, dict] | None:
        nonlocal step
        step += 1
        if step in guided:
            return None
        text, images = named["encoder_hidden_states"], named.get("added_cond_kwargs")
        named = {**named, "encoder_hidden_states": text[len(text) // 2 :]}
        if images:
            named["added_cond_kwargs"] = {k: [v[1:] for v in vs] for k, vs in images.items()}
        return (arguments[0][len(arguments[0]) // 2 :], *arguments[1:]), named

    def double(_unet, _arguments: tuple, found: Any) -> Any:
        if step not in guided:
            found.sample = torch.cat([found.sample] * 2)
        return found

    return [
        unet.register_forward_pre_hook(halve, with_kwargs=True),
        unet.register_forward_hook(double),
    ]


def _set_windows(pipeline: AnimateDiffPipeline, preset: Preset, frame_count: int) -> None:
    """Cover a video that is longer than one window with overlapping ones."""
    if frame_count > preset.window:
        pipeline.enable_free_noise(context_length=preset.window, context_stride=preset.stride)
    elif pipeline.free_noise_enabled:
        _leave_windows(pipeline)
    pipeline.unet.eval().requires_grad_(False)  # blocks that were exchanged are new


def _leave_windows(pipeline: AnimateDiffPipeline) -> None:
    """Switch FreeNoise off, as `disable_free_noise` fails without a motion module in the middle."""
    pipeline._free_noise_context_length = None
    unet = pipeline.unet
    for block in (*unet.down_blocks, unet.mid_block, *unet.up_blocks):
        if getattr(block, "motion_modules", None) is not None:
            pipeline._disable_free_noise_in_block(block)
