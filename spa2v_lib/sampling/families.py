"""How the parts of each family of presets are put together, in diffusers' own pipelines.

Weights are read from safetensors, or, where only a pickle was published, with ``weights_only``.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from spa2v_lib.errors import DataError
from spa2v_lib.resources import resource
from spa2v_lib.sampling.fit import check_fit
from spa2v_lib.sampling.image_prompt import add_adapter
from spa2v_lib.sampling.presets import Preset
from spa2v_lib.sampling.sources import locate, source_files
from spa2v_lib.sampling.tensors import check_finite, load_part, quiet_libraries
from spa2v_lib.sampling.variants import CHECKPOINT

if TYPE_CHECKING:
    from diffusers import AnimateDiffPipeline, DiffusionPipeline, SchedulerMixin

__all__ = ["assemble"]


def assemble(preset: Preset, where: str) -> DiffusionPipeline:
    """Read a preset's weights and make its pipeline of them, without grounding layers.

    Parameters
    ----------
    preset : Preset
        Its weights are fetched if need be.
    where : {"cuda", "offload", "mps", "cpu"}
        Where it is going to compute, on which the precision depends; the pipeline is still on the
        processor.

    Returns
    -------
    DiffusionPipeline
        Diffusers' `AnimateDiffPipeline`, or `WanVACEPipeline`.

    Raises
    ------
    DataError
        If weights are missing or damaged, do not fit, or cannot be loaded.

    See Also
    --------
    spa2v_lib.sampling.loading.load : Checks first, and keeps what it loads.

    Examples
    --------
    >>> from spa2v_lib.sampling.presets import get_preset
    >>> type(assemble(get_preset("tiny"), "cpu")).__name__
    'AnimateDiffPipeline'
    """
    layers = preset.layers.values()
    parts = {part: source for part, source in preset.sources.items() if part not in layers}
    folders = {part: locate(source) for part, source in parts.items()}
    check_fit(preset)
    with quiet_libraries():
        pipeline = _FAMILIES[preset.family](preset, folders, where)
        _fuse_loras(pipeline, preset)
        if preset.image:
            add_adapter(pipeline, folders["IP-Adapter"])
    return pipeline


def _fuse_loras(pipeline: DiffusionPipeline, preset: Preset) -> None:
    """Add LoRA to the weights that they change; afterwards the parts are as without any."""
    if not preset.loras:
        return
    names = {what: what.replace(" ", "_") for what in preset.loras}
    for what, name in names.items():
        (path,) = source_files(preset.sources[what])
        try:
            pipeline.load_lora_weights(
                str(path.parent),
                weight_name=path.name,
                adapter_name=name,
                use_safetensors=True,
                local_files_only=True,
            )
        except Exception as error:  # what the library raises is not documented
            raise DataError(f"the LoRA {path.name} cannot be loaded: {error}") from error
    pipeline.set_adapters(list(names.values()), list(preset.loras.values()))
    pipeline.fuse_lora(components=sorted(pipeline.get_list_adapters()))
    pipeline.unload_lora_weights()


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
        LCMScheduler,
        MotionAdapter,
        UNet2DConditionModel,
    )
    from transformers import CLIPTextModel, CLIPTokenizer

    base, motion = folders["base"], folders["motion adapter"]
    dtype = torch.float32 if where == "cpu" else torch.float16
    kind = LCMScheduler if preset.speed == "fast" else DDIMScheduler
    scheduler = kind.from_pretrained(
        base / "scheduler",
        beta_schedule="linear",
        timestep_spacing="linspace",
        clip_sample=False,
        steps_offset=1,
    )
    if CHECKPOINT in preset.sources:
        (path,) = source_files(preset.sources[CHECKPOINT])
        parts = _single_file(path, base, dtype, scheduler)
    else:
        classes = (
            ("vae", AutoencoderKL),
            ("unet", UNet2DConditionModel),
            ("text_encoder", CLIPTextModel),
        )
        parts = {
            part: load_part(cls, base / part, **_stored(base / part, dtype))
            for part, cls in classes
        }
    pipeline = AnimateDiffPipeline(
        **parts,
        tokenizer=CLIPTokenizer.from_pretrained(base / "tokenizer"),
        motion_adapter=load_part(MotionAdapter, motion, **_stored(motion, dtype)),
        scheduler=scheduler,
    )
    pipeline.vae.enable_slicing()
    if where == "offload":
        pipeline.vae.enable_tiling()
    return pipeline


def _stored(folder: Path, dtype: torch.dtype) -> dict[str, Any]:
    """Say how a part is loaded: from half precision, where it is stored so."""
    variant = "fp16" if any(folder.glob("*.fp16.safetensors")) else None
    return {"torch_dtype": dtype, "variant": variant, "use_safetensors": True}


def _single_file(
    path: Path, base: Path, dtype: torch.dtype, scheduler: SchedulerMixin
) -> dict[str, nn.Module]:
    """Load the parts of a checkpoint in the form of Stable Diffusion's authors."""
    from diffusers import StableDiffusionPipeline

    try:
        pipeline = StableDiffusionPipeline.from_single_file(
            str(path),
            config=str(base),
            torch_dtype=dtype,
            scheduler=scheduler,
            safety_checker=None,
            feature_extractor=None,
            local_files_only=True,
        )
    except Exception as error:  # what the library raises for such a file is not documented
        raise DataError(f"the base {path.name} cannot be loaded: {error}") from error
    parts = {name: getattr(pipeline, name) for name in ("vae", "unet", "text_encoder")}
    for name, part in parts.items():
        check_finite(part.state_dict(), f"{name} of {path.name}")
    return parts


def _wan(preset: Preset, folders: dict[str, Path], where: str) -> DiffusionPipeline:
    """Load Wan VACE; sampler and the autoencoder's full precision are its authors'."""
    from diffusers import (
        AutoencoderKLWan,
        UniPCMultistepScheduler,
        WanVACEPipeline,
        WanVACETransformer3DModel,
    )
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
        "scheduler": UniPCMultistepScheduler.from_pretrained(
            folder / "scheduler",
            prediction_type="flow_prediction",
            use_flow_sigmas=True,
            flow_shift=preset.flow_shift,
        ),
    }
    return WanVACEPipeline.from_pretrained(folder, **parts, torch_dtype=dtype, **safe)


_FAMILIES = {"tiny": _tiny, "sd15": _stable_diffusion, "wan-vace": _wan}
