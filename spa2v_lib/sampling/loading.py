"""Half precision on processors that compute with it: three times as fast, where there is the unit.

Weights stay in single precision and so does the sampler's arithmetic; only the denoiser's matrix
products run in bfloat16, as they did in the tiny suite's training. On a processor without such a
unit bfloat16 is emulated, and slower than single precision; there nothing is changed.

Put a preset's parts together: base, motion adapter and grounding layers, trained apart.

Weights are read from safetensors, or, where only a pickle was published, with ``weights_only``.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import nn

from spa2v_lib.errors import SamplingError
from spa2v_lib.resources import resource
from spa2v_lib.sampling.presets import Preset, get_preset
from spa2v_lib.sampling.weights import check_weights, locate

if TYPE_CHECKING:
    from diffusers import AnimateDiffPipeline, DiffusionPipeline

__all__ = [
    "bfloat16_is_native",
    "check_device",
    "compute_in_bfloat16",
    "load",
]

_UNITS = ("avx512_bf16", "amx_bf16", "bf16")


def bfloat16_is_native() -> bool:
    """Tell whether this processor multiplies in bfloat16, as far as torch knows."""
    capabilities = getattr(torch.cpu, "get_capabilities", dict)()  # older torch cannot tell
    return any(capabilities.get(unit, False) for unit in _UNITS)


def compute_in_bfloat16(unet: nn.Module) -> None:
    """Let a denoiser on the processor compute in bfloat16 and answer in single precision.

    Parameters
    ----------
    unet : nn.Module
        Of diffusers; its output has a ``sample``.
    """
    plain = unet.forward

    def forward(*arguments, **named):
        with torch.autocast("cpu", torch.bfloat16):
            found = plain(*arguments, **named)
        if isinstance(found, tuple):
            return (found[0].float(), *found[1:])
        found.sample = found.sample.float()
        return found

    unet.forward = forward


def check_device(preset: Preset, device: str = "auto") -> str:
    """Choose where to compute, and refuse a device that is too small.

    Parameters
    ----------
    preset : Preset
    device : {"auto", "cuda", "cpu"}
        "auto" takes a GPU if there is one, and the processor only for weights that suit it.

    Returns
    -------
    str
        "cuda", "offload" (a GPU, with parts waiting in main memory) or "cpu".

    Raises
    ------
    SamplingError
        If there is no such device, or its memory does not suffice.
    """
    if device not in ("auto", "cuda", "cpu"):
        raise SamplingError(f"no device {device!r}; one of: auto, cuda, cpu")
    if device == "cpu" or (device == "auto" and not torch.cuda.is_available()):
        if device == "auto" and preset.gpu_gb:
            raise SamplingError(
                f"preset {preset.name!r} is made for a GPU with {preset.gpu_gb:g} GB and there is "
                "none; device cpu runs it nevertheless, in hours"
            )
        return "cpu"
    if not torch.cuda.is_available():
        raise SamplingError("there is no GPU that torch can use; device cpu does without")
    free_gb = torch.cuda.mem_get_info()[0] / 1e9
    if free_gb >= preset.gpu_gb:
        return "cuda"
    if free_gb >= preset.offload_gb:
        return "offload"
    raise SamplingError(
        f"preset {preset.name!r} needs {preset.offload_gb:g} GB of GPU memory; "
        f"{free_gb:.1f} GB are free"
    )


def load(name: str, device: str = "auto") -> DiffusionPipeline:
    """Load a preset's pipeline, once a process.

    Parameters
    ----------
    name : str
        A key of `spa2v_lib.sampling.presets.PRESETS`.
    device : {"auto", "cuda", "cpu"}

    Returns
    -------
    DiffusionPipeline
        Diffusers' `AnimateDiffPipeline` whose UNet carries the preset's grounding layers, or
        `WanVACEPipeline`.

    Raises
    ------
    SamplingError, DataError
        If the device does not suffice, or weights are missing or do not fit.
    """
    preset = get_preset(name)
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else check_device(preset, device)
    return _loaded(name, device)


@cache
def _loaded(name: str, device: str) -> DiffusionPipeline:
    preset = get_preset(name)
    where = check_device(preset, device)
    check_weights(preset)
    dtype = torch.float32 if where == "cpu" else torch.float16
    with _quietly():
        if preset.folder:
            pipeline = _tiny(resource(*preset.folder))
        elif "base" in preset.sources:
            pipeline = _stable_diffusion(preset, dtype)
        else:
            pipeline = _wan(preset, torch.float32 if where == "cpu" else torch.bfloat16)
    for part in pipeline.components.values():
        if isinstance(part, torch.nn.Module):
            part.eval().requires_grad_(False)
    if preset.folder and where == "cpu" and bfloat16_is_native():
        compute_in_bfloat16(pipeline.unet)
    pipeline.set_progress_bar_config(disable=True)
    if where == "offload":
        pipeline.enable_model_cpu_offload()
        return pipeline
    return pipeline.to(where)


def _tiny(folder: Path) -> AnimateDiffPipeline:
    from diffusers import AnimateDiffPipeline, DDIMScheduler, MotionAdapter, UNet2DConditionModel
    from transformers import CLIPTextModel, CLIPTokenizer

    from spa2v_lib.sampling.grounding import gligen
    from spa2v_lib.sampling.grounding import migc_layers as migc_weights
    from spa2v_lib.sampling.patch_autoencoder import PatchAutoencoder

    # diffusers 0.39 knows the precision by this name alone; later ones by it too
    full = {"torch_dtype": torch.float32, "use_safetensors": True}
    pipeline = AnimateDiffPipeline(
        vae=PatchAutoencoder.from_pretrained(folder / "vae", **full),
        text_encoder=CLIPTextModel.from_pretrained(
            folder / "text_encoder", dtype=torch.float32, use_safetensors=True
        ),
        tokenizer=CLIPTokenizer.from_pretrained(folder / "tokenizer"),
        unet=UNet2DConditionModel.from_pretrained(folder / "unet", **full),
        motion_adapter=MotionAdapter.from_pretrained(folder / "motion_adapter", **full),
        scheduler=DDIMScheduler.from_pretrained(folder / "scheduler"),
    )
    gligen.load(pipeline.unet, folder / "grounding" / "gligen.safetensors")
    migc_weights.load(pipeline.unet, folder / "grounding" / "migc.safetensors")
    return pipeline


def _stable_diffusion(preset: Preset, dtype: torch.dtype) -> AnimateDiffPipeline:
    """Load Stable Diffusion 1.5 with AnimateDiff, as diffusers' guide to AnimateDiff sets it."""
    from diffusers import (
        AnimateDiffPipeline,
        AutoencoderKL,
        DDIMScheduler,
        MotionAdapter,
        UNet2DConditionModel,
    )
    from transformers import CLIPTextModel, CLIPTokenizer

    base = locate(preset.sources["base"])
    half = {"torch_dtype": dtype, "variant": "fp16", "use_safetensors": True}
    pipeline = AnimateDiffPipeline(
        vae=AutoencoderKL.from_pretrained(base / "vae", **half),
        text_encoder=CLIPTextModel.from_pretrained(
            base / "text_encoder", dtype=dtype, variant="fp16", use_safetensors=True
        ),
        tokenizer=CLIPTokenizer.from_pretrained(base / "tokenizer"),
        unet=UNet2DConditionModel.from_pretrained(base / "unet", **half),
        motion_adapter=MotionAdapter.from_pretrained(
            locate(preset.sources["motion adapter"]), **half
        ),
        scheduler=DDIMScheduler.from_pretrained(
            base / "scheduler",
            beta_schedule="linear",
            timestep_spacing="linspace",
            clip_sample=False,
            steps_offset=1,
        ),
    )
    pipeline.vae.enable_slicing()
    _add_layers(pipeline, preset)
    return pipeline


def _add_layers(pipeline: AnimateDiffPipeline, preset: Preset) -> None:
    """Give the UNet the published grounding layers that the preset names."""
    if "GLIGEN" in preset.sources:
        from spa2v_lib.sampling.grounding import gligen

        source = preset.sources["GLIGEN"]
        gligen.load(pipeline.unet, locate(source) / source.files[0])
    if "MIGC" in preset.sources:
        from spa2v_lib.sampling.grounding import migc_layers as migc_weights

        source = preset.sources["MIGC"]
        migc_weights.load_published(pipeline.unet, locate(source) / source.files[0])


def _wan(preset: Preset, dtype: torch.dtype) -> DiffusionPipeline:
    """Load Wan VACE; its autoencoder stays in full precision, as its authors run it."""
    from diffusers import AutoencoderKLWan, WanVACEPipeline

    folder = locate(preset.sources["Wan VACE"])
    vae = AutoencoderKLWan.from_pretrained(
        folder / "vae", torch_dtype=torch.float32, use_safetensors=True
    )
    return WanVACEPipeline.from_pretrained(folder, vae=vae, torch_dtype=dtype, use_safetensors=True)


@contextmanager
def _quietly() -> Iterator[None]:
    """Keep the libraries' progress bars and remarks about loading out of sight."""
    from diffusers.utils import logging as diffusers_logging
    from transformers.utils import logging as transformers_logging

    libraries = (diffusers_logging, transformers_logging)
    levels = [library.get_verbosity() for library in libraries]
    for library in libraries:
        library.set_verbosity_error()
        library.disable_progress_bar()
    try:
        yield
    finally:
        for library, level in zip(libraries, levels, strict=True):
            library.set_verbosity(level)
            library.enable_progress_bar()
