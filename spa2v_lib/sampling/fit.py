"""Whether weights that a user named fit a preset: known from their configuration and shapes alone.

Nothing is loaded for it. Weights that are still to be fetched are checked once they are here.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spa2v_lib.errors import DataError
from spa2v_lib.sampling.image_prompt import read_picture
from spa2v_lib.sampling.preset import Architecture, Preset
from spa2v_lib.sampling.presets import get_preset
from spa2v_lib.sampling.sources import source_files
from spa2v_lib.sampling.variants import CHECKPOINT
from spa2v_lib.sampling.weights import check_weights

if TYPE_CHECKING:
    from torch import Tensor, nn

__all__ = ["check_fit"]

_LATENT_CHANNELS = 4
_FAMILIES = {1024: "Stable Diffusion 2", 2048: "Stable Diffusion XL"}
_UNET = "model.diffusion_model."


def check_fit(preset: Preset) -> None:
    """Refuse weights that are missing, and those a user named that do not fit.

    Parameters
    ----------
    preset : Preset
        A preset, or a variant of one.

    Raises
    ------
    DataError
        The message names the weights, what they were made for, and what would be right.

    See Also
    --------
    spa2v_lib.sampling.variants.variant : Replaces weights by a user's own.

    Examples
    --------
    >>> check_fit(get_preset("tiny"))
    """
    check_weights(preset)
    if preset.architecture is None or preset.sources == get_preset(preset.name).sources:
        return
    base, motion = (_configuration(preset, what) for what in ("base", "motion adapter"))
    if CHECKPOINT in preset.sources:
        for path in source_files(preset.sources[CHECKPOINT]):
            _check_checkpoint(path, preset.architecture)
    elif base:
        channels, width = base.get("block_out_channels") or (), base.get("cross_attention_dim")
        found = tuple(channels), width, base.get("in_channels", _LATENT_CHANNELS)
        _check_architecture(preset.sources["base"].repository, found, preset.architecture)
    if motion and tuple(motion.get("block_out_channels", ())) != preset.architecture.channels:
        raise DataError(
            f"the motion adapter {preset.sources['motion adapter'].repository} is for a UNet of "
            f"{motion.get('block_out_channels')} channels, and preset {preset.name!r} has "
            f"{list(preset.architecture.channels)}; one for Stable Diffusion 1.5 is needed"
        )
    # Weights for few steps come from the preset, and a user knows them by their repository alone.
    loras = {
        path: f"{preset.sources[what].repository}/{path.name}" if what == "LCM" else path.name
        for what in preset.loras
        for path in source_files(preset.sources[what])
    }
    adapter = source_files(preset.sources["IP-Adapter"]) if preset.image else []
    if preset.image:
        read_picture(preset.image)
    if not (loras or adapter):
        return
    unet = _shapes_of_unet(preset.architecture, bool((motion or {}).get("use_motion_mid_block")))
    for path, name in loras.items():
        _check_lora(path, name, unet, preset.architecture.text_width)
    if adapter:
        _check_adapter(adapter, unet, preset.architecture.text_width)


def _configuration(preset: Preset, what: str) -> dict[str, Any] | None:
    """Return the configuration of a UNet or motion adapter, if it is on this machine."""
    wanted = {"base": "unet/config.json", "motion adapter": "config.json"}[what]
    for path in source_files(preset.sources[what]):
        if path.as_posix().endswith(f"/{wanted}"):
            try:
                return json.loads(path.read_text(encoding="utf-8"))
            except ValueError as error:
                raise DataError(f"{path} is damaged: {error}") from error
    return None


def _check_checkpoint(path: Path, wanted: Architecture) -> None:
    shapes = _shapes(path)
    first = shapes.get(f"{_UNET}input_blocks.0.0.weight")
    words = [
        v for k, v in shapes.items() if k.startswith(_UNET) and k.endswith("attn2.to_k.weight")
    ]
    if first is None or not words:
        raise DataError(
            f"{path.name} does not hold a Stable Diffusion checkpoint: it has no {_UNET}…; a "
            "LoRA is given with --lora"
        )
    outermost = first[:1]  # the others follow from it
    channels = wanted.channels if outermost == wanted.channels[:1] else outermost
    _check_architecture(path.name, (channels, words[0][1], first[1]), wanted)


def _check_architecture(
    name: str, found: tuple[tuple[int, ...], int | None, int], wanted: Architecture
) -> None:
    if found == (wanted.channels, wanted.text_width, _LATENT_CHANNELS):
        return
    channels, width, latents = found
    family = f" ({_FAMILIES[width]})" if width in _FAMILIES else ""
    inpainting = " (inpainting)" if latents == 9 else ""
    raise DataError(
        f"the base {name} does not fit: its UNet has {list(channels)} channels, texts of width "
        f"{width}{family} and {latents} input channels{inpainting}; a Stable Diffusion 1.5 base "
        f"with {list(wanted.channels)}, {wanted.text_width} and {_LATENT_CHANNELS} is needed"
    )


def _shapes(path: Path) -> dict[str, tuple[int, ...]]:
    """Read the shapes of a safetensors file without its weights."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="np") as stored:
            names = stored.keys()
            return {name: tuple(stored.get_slice(name).get_shape()) for name in names}
    except (SafetensorError, OSError) as error:
        raise DataError(f"{path.name} is no safetensors file: {error}") from error


@cache
def _shapes_of_unet(architecture: Architecture, motion_in_the_middle: bool) -> nn.Module:
    """Return the motion UNet without weights."""
    import torch
    from diffusers import MotionAdapter, UNet2DConditionModel, UNetMotionModel

    from spa2v_lib.sampling.tensors import quiet_libraries

    crossed = "CrossAttnDownBlock2D", "CrossAttnUpBlock2D"
    with quiet_libraries(), torch.device("meta"):
        base = UNet2DConditionModel(
            block_out_channels=architecture.channels,
            cross_attention_dim=architecture.text_width,
            attention_head_dim=8,
            down_block_types=(*(crossed[0],) * 3, "DownBlock2D"),
            up_block_types=("UpBlock2D", *(crossed[1],) * 3),
        )
        adapter = MotionAdapter(
            block_out_channels=architecture.channels,
            use_motion_mid_block=motion_in_the_middle,
        )
        return UNetMotionModel.from_unet2d(base, adapter)


def _check_lora(path: Path, lora: str, unet: nn.Module, text_width: int) -> None:
    """Refuse a LoRA that changes a layer the UNet does not have, or one of another shape."""
    modules = dict(unet.named_modules())
    changed = _changed_layers(path)
    for name, (inputs, outputs) in changed.items():
        module = modules.get(name)
        weight = getattr(module, "weight", None)
        have = None if weight is None else (weight.shape[1], weight.shape[0])
        if have == (inputs, outputs):
            continue
        family = f"; it was made for {_FAMILIES[inputs]}" if inputs in _FAMILIES else ""
        motion = "motion_modules" in name
        raise DataError(
            f"the LoRA {lora} does not fit: it changes {name} of {inputs} inputs and "
            f"{outputs} outputs, and this UNet has "
            + ("no such layer" if have is None else f"{have[0]} and {have[1]}")
            + (
                "; take the motion adapter that it was made for (--motion)"
                if motion
                else family
                or f"; a LoRA for Stable Diffusion 1.5 (texts of {text_width}) is needed"
            )
        )


def _check_adapter(files: list[Path], unet: nn.Module, text_width: int) -> None:
    """Refuse an IP-Adapter of another UNet or image encoder."""
    from spa2v_lib.sampling.grounding.cross_attention import layers

    named = {path.name: path for path in files}
    path = named["ip-adapter_sd15.safetensors"]
    found = _shapes(path)
    encoder = json.loads(named["config.json"].read_text(encoding="utf-8"))
    width = encoder.get("projection_dim")
    order = [name.removesuffix(".processor") for name in unet.attn_processors]
    crossed = layers(unet)
    wanted = {"image_proj.proj.weight": (4 * text_width, width)}
    for number, name in enumerate(name for name in order if name in crossed):
        for part in ("to_k_ip", "to_v_ip"):
            inner = crossed[name].to_k.out_features
            wanted[f"ip_adapter.{2 * number + 1}.{part}.weight"] = (inner, text_width)
    wrong = [name for name, shape in wanted.items() if found.get(name) != shape]
    if wrong:
        raise DataError(
            f"{path.name} does not fit: {len(wrong)} of its weights are missing or of another "
            f"shape, for example {wrong[0]}, which should be {list(wanted[wrong[0]])}; the "
            "IP-Adapter for Stable Diffusion 1.5 is needed, with its own image encoder"
        )


def _changed_layers(path: Path) -> dict[str, tuple[int, int]]:
    """Return inputs and outputs of the UNet's layers that a LoRA changes, by their names."""
    from diffusers import AnimateDiffPipeline
    from diffusers.utils import convert_unet_state_dict_to_peft

    _shapes(path)
    try:
        stored, _ = AnimateDiffPipeline.lora_state_dict(str(path), use_safetensors=True)
        layers: dict[str, Tensor] = convert_unet_state_dict_to_peft(
            {key.removeprefix("unet."): v for key, v in stored.items() if key.startswith("unet.")}
        )
    except Exception as error:  # what the library raises for other formats is not documented
        raise DataError(f"{path.name} does not hold a LoRA that can be read: {error}") from error
    down = {k.split(".lora_A.")[0]: v for k, v in layers.items() if ".lora_A." in k}
    up = {k.split(".lora_B.")[0]: v for k, v in layers.items() if ".lora_B." in k}
    texts = [key for key in stored if key.startswith("text_encoder.")]
    if set(down) != set(up) or not (down or texts):
        raise DataError(
            f"{path.name} does not hold a LoRA: it has {len(down)} lora_A and {len(up)} lora_B "
            "layers of a UNet (LoHa, LoKr and other kinds are not taken)"
        )
    return {name: (value.shape[1], up[name].shape[0]) for name, value in down.items()}
