"""Put a preset's parts together: base and motion adapter, and the grounding layers that are used.

Weights are read from safetensors, or, where only a pickle was published, with ``weights_only``.

On processors that multiply in bfloat16 the denoiser's matrix products run in it, three times as
fast, as they did in the tiny suite's training; weights stay in single precision and so does the
sampler's arithmetic. On a processor without such a unit bfloat16 is emulated, and slower than
single precision; there nothing is changed. The environment variable ``SPA2V_BFLOAT16=off`` lets
any processor compute as one without the unit.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import nn

from spa2v_lib.errors import SamplingError
from spa2v_lib.resources import resource
from spa2v_lib.sampling.grounding import new_grounding
from spa2v_lib.sampling.presets import Preset, Source, get_preset
from spa2v_lib.sampling.tensors import load_part
from spa2v_lib.sampling.weights import check_weights, layer_file, locate

if TYPE_CHECKING:
    from diffusers import AnimateDiffPipeline, DiffusionPipeline

__all__ = [
    "BFLOAT16_VARIABLE",
    "DEVICES",
    "bfloat16_is_native",
    "check_device",
    "clear_memory_errors",
    "compute_in_bfloat16",
    "import_libraries",
    "load",
    "unload",
]

DEVICES = ("auto", "cuda", "mps", "cpu")
BFLOAT16_VARIABLE = "SPA2V_BFLOAT16"

_LOADED: dict[tuple[str, str], DiffusionPipeline] = {}  # by preset and device
_UNITS = ("avx512_bf16", "amx_bf16", "bf16")


def bfloat16_is_native() -> bool:
    """Tell whether the processor shall compute in bfloat16.

    Returns
    -------
    bool
        Whether it has a unit for that, as far as torch knows, and ``SPA2V_BFLOAT16`` is not "off".

    Raises
    ------
    SamplingError
        If ``SPA2V_BFLOAT16`` is neither "auto" nor "off".

    Examples
    --------
    >>> bfloat16_is_native() in (True, False)
    True
    """
    wanted = os.environ.get(BFLOAT16_VARIABLE, "auto")
    if wanted not in ("auto", "off"):
        raise SamplingError(f'{BFLOAT16_VARIABLE} is {wanted!r}; it may be "auto" or "off"')
    if wanted == "off":
        return False
    capabilities = getattr(torch.cpu, "get_capabilities", dict)()  # older torch cannot tell
    return any(capabilities.get(unit, False) for unit in _UNITS)


def compute_in_bfloat16(unet: nn.Module) -> None:
    """Let a denoiser on the processor compute in bfloat16 and answer in single precision.

    Parameters
    ----------
    unet : nn.Module
        Of diffusers; its output has a ``sample``.

    Examples
    --------
    >>> unet = load("tiny", "cpu").unet
    >>> once = vars(unet).get("forward")
    >>> compute_in_bfloat16(unet)
    >>> vars(unet)["forward"] is not once
    True
    >>> unload()
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


def check_device(
    preset: Preset,
    device: str = "auto",
    *,
    frames: int | None = None,
    gradients: bool = False,
) -> str:
    """Choose where to compute, and refuse a device that is too small.

    Memory that this process holds for the same preset counts as free: a second video finds the
    pipeline loaded.

    Parameters
    ----------
    preset : Preset
        What is going to be sampled with.
    device : {"auto", "cuda", "mps", "cpu"}
        "auto" takes a GPU if there is one, and the processor only for weights that suit it.
    frames : int, optional
        Of the video; one window of the preset if not given.
    gradients : bool
        Whether the grounding method takes gradients, which keeps every activation.

    Returns
    -------
    str
        "cuda", "offload" (a GPU, with parts waiting in main memory), "mps" or "cpu".

    Raises
    ------
    SamplingError
        If there is no such device, or its memory does not suffice.

    Examples
    --------
    >>> from spa2v_lib.sampling.presets import get_preset
    >>> check_device(get_preset("tiny"), "cpu")
    'cpu'
    """
    if device not in DEVICES:
        raise SamplingError(f"no device {device!r}; one of: {', '.join(DEVICES)}")
    if device == "mps":
        if not torch.backends.mps.is_available():
            raise SamplingError("torch finds no Apple GPU (mps) here; device cpu does without")
        return "mps"
    if device == "cpu" or (device == "auto" and not torch.cuda.is_available()):
        if device == "auto" and preset.memory:
            raise SamplingError(
                f"preset {preset.name!r} is made for a GPU with {preset.gpu_gb:.1f} GB and there "
                "is none; device cpu runs it nevertheless, in hours"
            )
        return "cpu"
    if not torch.cuda.is_available():
        raise SamplingError("there is no GPU that torch can use; device cpu does without")
    if preset.memory is None:
        return "cuda"
    count = frames or preset.window
    free_gb = _available_gb(preset.name)
    for where in ("cuda", "offload"):
        how = {"gradients": gradients, "offload": where == "offload"}
        needed_gb = preset.memory.needed_gb(count, **how)
        if free_gb >= needed_gb:
            return where
    raise SamplingError(
        f"preset {preset.name!r} needs {needed_gb:.1f} GB of GPU memory for {count} frames; "
        f"{free_gb:.1f} GB are free; make the video shorter"
        + (", or take a grounding without gradients" if gradients else "")
    )


def _available_gb(name: str) -> float:
    """Return the free GPU memory, with what torch keeps unused and a loaded preset holds."""
    unused = torch.cuda.memory_reserved() - torch.cuda.memory_allocated()
    held = sum(_gpu_bytes(p) for (loaded, _), p in _LOADED.items() if loaded == name)
    return (torch.cuda.mem_get_info()[0] + unused + held) / 1e9


def _gpu_bytes(pipeline: DiffusionPipeline) -> int:
    return sum(
        value.numel() * value.element_size()
        for part in pipeline.components.values()
        if isinstance(part, nn.Module)
        for value in part.parameters()
        if value.is_cuda
    )


@contextmanager
def clear_memory_errors(preset: Preset, frames: int) -> Iterator[None]:
    """Turn running out of memory into one sentence that says what to lower.

    Raises
    ------
    SamplingError
        Instead of torch's own error.

    Examples
    --------
    >>> from spa2v_lib.sampling.presets import get_preset
    >>> with clear_memory_errors(get_preset("tiny"), 16):
    ...     raise MemoryError
    Traceback (most recent call last):
    spa2v_lib.errors.SamplingError: memory ran out while sampling 16 frames of 128x128 pixels with \
preset 'tiny'; make the video shorter, take fewer frames a second, or close other programs
    """
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        lacking = isinstance(error, MemoryError | torch.OutOfMemoryError)
        if not lacking and "allocate memory" not in str(error):
            raise
        width, height = preset.size
        raise SamplingError(
            f"memory ran out while sampling {frames} frames of {width}x{height} pixels with "
            f"preset {preset.name!r}; make the video shorter, take fewer frames a second, or close "
            "other programs"
        ) from error


def import_libraries(preset: Preset) -> None:
    """Import what a preset's pipeline is made of, which takes longer than reading small weights.

    Parameters
    ----------
    preset : Preset

    Examples
    --------
    >>> from spa2v_lib.sampling.presets import get_preset
    >>> import_libraries(get_preset("tiny"))
    """
    import diffusers  # imports a class and what it needs when it is first asked for

    getattr(diffusers, "WanVACEPipeline" if preset.control_video else "AnimateDiffPipeline")


def load(name: str, device: str = "auto", *, layers: Iterable[str] = ()) -> DiffusionPipeline:
    """Load a preset's pipeline, once a process.

    Parameters
    ----------
    name : str
        A key of `spa2v_lib.sampling.presets.PRESETS`.
    device : {"auto", "cuda", "mps", "cpu"}
        Where to sample; "auto" takes a GPU where there is one.
    layers : iterable of str
        Grounding methods whose layers the UNet shall carry; others may be there already.

    Returns
    -------
    DiffusionPipeline
        Diffusers' `AnimateDiffPipeline`, or `WanVACEPipeline`.

    Raises
    ------
    SamplingError, DataError
        If the device does not suffice, or weights are missing or do not fit.

    Examples
    --------
    >>> pipeline = load("tiny", "cpu", layers=["gligen"])
    >>> pipeline is load("tiny", "cpu"), hasattr(pipeline.unet, "position_net")
    (True, True)
    """
    preset = get_preset(name)
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else check_device(preset, device)
    if (name, device) not in _LOADED:
        _LOADED[name, device] = _new_pipeline(preset, device)
    pipeline = _LOADED[name, device]
    for method in layers:
        new_grounding(method).prepare(pipeline, layer_file(preset, method))
    return pipeline


def unload() -> None:
    """Forget all loaded pipelines and give their memory back.

    Examples
    --------
    >>> unload()
    """
    _LOADED.clear()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def _new_pipeline(preset: Preset, device: str) -> DiffusionPipeline:
    where = check_device(preset, device)
    check_weights(preset)
    folders = {part: locate(source) for part, source in _parts(preset).items()}
    with _quietly():
        pipeline = _FAMILIES[preset.family](preset, folders, where)
    for part in pipeline.components.values():
        if isinstance(part, torch.nn.Module):
            part.eval().requires_grad_(False)
    if preset.family == "tiny" and where == "cpu" and bfloat16_is_native():
        compute_in_bfloat16(pipeline.unet)
    pipeline.set_progress_bar_config(disable=True)
    if where == "offload":
        pipeline.enable_model_cpu_offload()
        return pipeline
    return pipeline.to(where)


def _parts(preset: Preset) -> dict[str, Source]:
    """Return the sources of a preset that are no grounding layers."""
    return {k: v for k, v in preset.sources.items() if k not in preset.layers.values()}


def _tiny(preset: Preset, _folders: dict[str, Path], _where: str) -> AnimateDiffPipeline:
    from diffusers import AnimateDiffPipeline, DDIMScheduler, MotionAdapter, UNet2DConditionModel
    from transformers import CLIPTextModel, CLIPTokenizer

    from spa2v_lib.sampling.patch_autoencoder import PatchAutoencoder

    folder = resource(*preset.folder or ())
    # diffusers 0.39 knows the precision by this name alone; later ones by it too
    full = {"torch_dtype": torch.float32, "use_safetensors": True}
    return AnimateDiffPipeline(
        vae=load_part(PatchAutoencoder, folder / "vae", **full),
        text_encoder=load_part(
            CLIPTextModel, folder / "text_encoder", dtype=torch.float32, use_safetensors=True
        ),
        tokenizer=CLIPTokenizer.from_pretrained(folder / "tokenizer"),
        unet=load_part(UNet2DConditionModel, folder / "unet", **full),
        motion_adapter=load_part(MotionAdapter, folder / "motion_adapter", **full),
        scheduler=DDIMScheduler.from_pretrained(folder / "scheduler"),
    )


def _stable_diffusion(preset: Preset, folders: dict[str, Path], where: str) -> AnimateDiffPipeline:
    """Load Stable Diffusion 1.5 with AnimateDiff, as diffusers' guide to AnimateDiff sets it."""
    from diffusers import (
        AnimateDiffPipeline,
        AutoencoderKL,
        DDIMScheduler,
        MotionAdapter,
        UNet2DConditionModel,
    )
    from transformers import CLIPTextModel, CLIPTokenizer

    base = folders["base"]
    dtype = torch.float32 if where == "cpu" else torch.float16
    half = {"torch_dtype": dtype, "variant": "fp16", "use_safetensors": True}
    pipeline = AnimateDiffPipeline(
        vae=load_part(AutoencoderKL, base / "vae", **half),
        text_encoder=load_part(
            CLIPTextModel,
            base / "text_encoder",
            dtype=dtype,
            variant="fp16",
            use_safetensors=True,
        ),
        tokenizer=CLIPTokenizer.from_pretrained(base / "tokenizer"),
        unet=load_part(UNet2DConditionModel, base / "unet", **half),
        motion_adapter=load_part(MotionAdapter, folders["motion adapter"], **half),
        scheduler=DDIMScheduler.from_pretrained(
            base / "scheduler",
            beta_schedule="linear",
            timestep_spacing="linspace",
            clip_sample=False,
            steps_offset=1,
        ),
    )
    pipeline.vae.enable_slicing()
    if where == "offload":
        pipeline.vae.enable_tiling()
    return pipeline


def _wan(preset: Preset, folders: dict[str, Path], where: str) -> DiffusionPipeline:
    """Load Wan VACE; its autoencoder stays in full precision, as its authors run it."""
    from diffusers import AutoencoderKLWan, WanVACEPipeline, WanVACETransformer3DModel
    from transformers import UMT5EncoderModel

    folder, safe = folders["Wan VACE"], {"use_safetensors": True}
    dtype = torch.float32 if where == "cpu" else torch.bfloat16
    transformer = load_part(
        WanVACETransformer3DModel, folder / "transformer", torch_dtype=dtype, **safe
    )
    parts = {
        "vae": load_part(AutoencoderKLWan, folder / "vae", torch_dtype=torch.float32, **safe),
        "transformer": transformer,
        "text_encoder": load_part(UMT5EncoderModel, folder / "text_encoder", dtype=dtype, **safe),
    }
    return WanVACEPipeline.from_pretrained(folder, **parts, torch_dtype=dtype, **safe)


_FAMILIES = {"tiny": _tiny, "sd15": _stable_diffusion, "wan-vace": _wan}


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
