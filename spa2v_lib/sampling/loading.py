"""Load a preset's pipeline where it can run, with the grounding layers that are used.

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
from typing import TYPE_CHECKING

import torch
from torch import nn

from spa2v_lib.errors import SamplingError
from spa2v_lib.sampling.families import assemble
from spa2v_lib.sampling.grounding import new_grounding
from spa2v_lib.sampling.presets import Preset, get_preset
from spa2v_lib.sampling.sources import source_files
from spa2v_lib.sampling.tensors import quiet_libraries
from spa2v_lib.sampling.weights import check_weights, layer_file

if TYPE_CHECKING:
    from diffusers import DiffusionPipeline

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

_LOADED: dict[tuple, DiffusionPipeline] = {}  # by preset, place and what a user named
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

    Memory that this process holds for published weights counts as free: a second video finds its
    pipeline loaded, or takes the place of another.

    Parameters
    ----------
    preset : Preset
        What is going to be sampled with.
    device : {"auto", "cuda", "mps", "cpu"}
        "auto" takes a GPU if there is one, and the processor only for weights that suit it. An
        Apple GPU is taken for published weights alone; its memory is the machine's.
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

    See Also
    --------
    spa2v_lib.sampling.checks.choose_device : The same for a layout.

    Examples
    --------
    >>> from spa2v_lib.sampling.presets import get_preset
    >>> check_device(get_preset("tiny"), "cpu")
    'cpu'
    """
    if device not in DEVICES:
        raise SamplingError(f"no device {device!r}; one of: {', '.join(DEVICES)}")
    if device == "mps" and not torch.backends.mps.is_available():
        raise SamplingError("torch finds no Apple GPU (mps) here; device cpu does without")
    apple = device == "auto" and not torch.cuda.is_available() and preset.memory is not None
    if device == "mps" or (apple and torch.backends.mps.is_available()):
        _check_apple(preset, frames or preset.window, gradients)
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
    if preset.bfloat16 and not torch.cuda.is_bf16_supported(including_emulation=False):
        raise SamplingError(
            f"preset {preset.name!r} needs a GPU that computes in bfloat16, such as those from "
            "2020 on (a T4 does not); take a preset of Stable Diffusion"
        )
    _check_main_memory(preset)
    count = frames or preset.window
    free_gb = _available_gb()
    for where in ("cuda", "offload"):
        how = {"gradients": gradients, "offload": where == "offload"}
        needed_gb = preset.memory.needed_gb(count, **how)
        if free_gb >= needed_gb:
            return where
    raise SamplingError(
        f"preset {preset.name!r} needs {needed_gb:.1f} GB of GPU memory for {count} frames of "
        f"{preset.size[0]}x{preset.size[1]} pixels; {free_gb:.1f} GB are free; make the video "
        "shorter or smaller" + (", or take a grounding without gradients" if gradients else "")
    )


def _check_apple(preset: Preset, frames: int, gradients: bool) -> None:
    """Refuse what an Apple GPU, which computes in main memory, has no room or no numbers for."""
    if preset.bfloat16 and not torch.backends.mps.is_macos_or_newer(14, 0):
        raise SamplingError(
            f"preset {preset.name!r} needs bfloat16, which Apple GPUs have from macOS 14 on; take "
            "a preset of Stable Diffusion"
        )
    if preset.memory is None:
        return
    import psutil

    needed_gb = max(preset.memory.main_gb, preset.memory.needed_gb(frames, gradients=gradients))
    held_gb = sum(_gpu_bytes(pipeline) for pipeline in _LOADED.values()) / 1e9
    available_gb = psutil.virtual_memory().available / 1e9 + held_gb
    if available_gb < needed_gb:
        raise SamplingError(
            f"preset {preset.name!r} needs {needed_gb:.1f} GB of memory for {frames} frames of "
            f"{preset.size[0]}x{preset.size[1]} pixels; {available_gb:.1f} GB are available; make "
            "the video shorter or smaller, or close other programs"
        )


def _check_main_memory(preset: Preset) -> None:
    """Refuse weights that do not fit into main memory, through which they go to the GPU."""
    import psutil

    loaded = any(key[0] == preset.name for key in _LOADED)
    available_gb = psutil.virtual_memory().available / 1e9
    if preset.memory and not loaded and available_gb < preset.memory.main_gb:
        raise SamplingError(
            f"preset {preset.name!r} loads {preset.memory.main_gb:.1f} GB through main memory, of "
            f"which {available_gb:.1f} GB are available; close other programs, or take a machine "
            "with more"
        )


def _available_gb() -> float:
    """Return the free GPU memory, with what torch keeps unused and loaded pipelines hold."""
    unused = torch.cuda.memory_reserved() - torch.cuda.memory_allocated()
    held = sum(_gpu_bytes(pipeline) for pipeline in _LOADED.values())
    return (torch.cuda.mem_get_info()[0] + unused + held) / 1e9


def _gpu_bytes(pipeline: DiffusionPipeline) -> int:
    return sum(
        value.numel() * value.element_size()
        for part in pipeline.components.values()
        if isinstance(part, nn.Module)
        for value in part.parameters()
        if value.device.type in ("cuda", "mps")
    )


@contextmanager
def clear_memory_errors(preset: Preset, frames: int) -> Iterator[None]:
    """Turn running out of memory into one sentence that says what to lower.

    Parameters
    ----------
    preset : Preset
        One of `spa2v_lib.sampling.presets.PRESETS`, or a variant of one.
    frames : int
        Of the video, which the message names.

    Raises
    ------
    SamplingError
        Instead of torch's own error.

    See Also
    --------
    check_device : Refuses beforehand what would not fit.

    Examples
    --------
    >>> from spa2v_lib.sampling.presets import get_preset
    >>> with clear_memory_errors(get_preset("tiny"), 16):
    ...     raise MemoryError
    Traceback (most recent call last):
    spa2v_lib.errors.SamplingError: memory ran out while sampling 16 frames of 128x128 pixels with \
preset 'tiny'; make the video shorter or smaller, take fewer frames a second, or close other \
programs
    """
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        lacking = isinstance(error, MemoryError | torch.OutOfMemoryError)
        said = str(error)
        if not (lacking or "allocate memory" in said or "out of memory" in said):
            raise
        width, height = preset.size
        raise SamplingError(
            f"memory ran out while sampling {frames} frames of {width}x{height} pixels with "
            f"preset {preset.name!r}; make the video shorter or smaller, take fewer frames a "
            "second, or close other programs"
        ) from error


def import_libraries(preset: Preset) -> None:
    """Import what a preset's pipeline is made of, which takes longer than reading small weights.

    Parameters
    ----------
    preset : Preset
        One of `spa2v_lib.sampling.presets.PRESETS`, or a variant of one.

    Examples
    --------
    >>> from spa2v_lib.sampling.presets import get_preset
    >>> import_libraries(get_preset("tiny"))
    """
    import diffusers  # imports a class and what it needs when it is first asked for

    with quiet_libraries():
        getattr(diffusers, "WanVACEPipeline" if preset.control_video else "AnimateDiffPipeline")


def load(
    preset: str | Preset, device: str = "auto", *, layers: Iterable[str] = ()
) -> DiffusionPipeline:
    """Load a preset's pipeline, once a process.

    Of published weights one pipeline is kept: the next takes its place.

    Parameters
    ----------
    preset : str or Preset
        A key of `spa2v_lib.sampling.presets.PRESETS`, or a variant of a preset.
    device : {"auto", "cuda", "offload", "mps", "cpu"}
        Where to sample; "auto" takes a GPU where there is one, "offload" one with parts waiting in
        main memory, see `check_device`.
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

    See Also
    --------
    unload : Gives the memory back.

    Examples
    --------
    >>> pipeline = load("tiny", "cpu", layers=["gligen"])
    >>> pipeline is load("tiny", "cpu"), hasattr(pipeline.unet, "position_net")
    (True, True)
    """
    preset = get_preset(preset)
    where = device if device == "offload" else check_device(preset, device)
    key = (preset.name, where, *_users_files(preset))
    if key not in _LOADED:
        if preset.memory:
            unload()
        _LOADED[key] = _new_pipeline(preset, where)
    pipeline = _LOADED[key]
    for method in layers:
        new_grounding(method).prepare(pipeline, layer_file(preset, method))
    return pipeline


def unload() -> None:
    """Forget all loaded pipelines and give their memory back.

    See Also
    --------
    load : Loads a pipeline.

    Examples
    --------
    >>> unload()
    """
    _LOADED.clear()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    if torch.backends.mps.is_available():
        torch.mps.empty_cache()


def _new_pipeline(preset: Preset, where: str) -> DiffusionPipeline:
    check_weights(preset)
    pipeline = assemble(preset, where)
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


def _users_files(preset: Preset) -> tuple:
    """Return what makes a variant the same as before: the request, and its files' times."""
    own = [source for source in preset.sources.values() if source.folder]
    times = [path.stat().st_mtime_ns for source in own for path in source_files(source)]
    return (preset.variant, *times) if preset.variant else ()
