"""The weights of MIGC's layers: attached to a UNet, saved, and loaded from two kinds of file.

A layer becomes the submodule ``migc`` of a cross-attention; its weights keep the published names
(see `spa2v_lib.sampling.migc_layers`).
"""

from __future__ import annotations

import pickle
import re
from collections.abc import Iterable
from pathlib import Path

import torch
from diffusers.models.attention_processor import Attention
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from spa2v_lib.errors import DataError
from spa2v_lib.sampling.cross_attention import layers
from spa2v_lib.sampling.migc_layers import GradedMIGCLayer, MIGCLayer

__all__ = ["attach", "attached", "load", "load_published", "parameters", "save"]


def attach(
    unet: nn.Module, names: Iterable[str], hidden: int = 128, *, graded: bool = True
) -> None:
    """Give cross-attentions of `unet` new MIGC layers.

    Parameters
    ----------
    unet : nn.Module
        With or without motion modules.
    names : iterable of str
        Of the cross-attentions, as `spa2v_lib.sampling.cross_attention.layers` has them.
    hidden : int
        Width inside PosNet; 512 as published.
    graded : bool
        Layers for short trainings (see `GradedMIGCLayer`) instead of MIGC's own.
    """
    known = layers(unet)
    for name in names:
        attention = known[name][1]
        attention.migc = _new_layer(attention, hidden, graded).to(unet.device, unet.dtype)


def attached(unet: nn.Module) -> dict[str, Attention]:
    """Return the cross-attentions that have a MIGC layer, by name."""
    return {name: found for name, (_, found) in layers(unet).items() if hasattr(found, "migc")}


def parameters(unet: nn.Module) -> list[nn.Parameter]:
    """Return the parameters of the layers that `attach` added."""
    return [p for attention in attached(unet).values() for p in attention.migc.parameters()]


def save(unet: nn.Module, path: Path) -> None:
    """Write the MIGC layers as safetensors, in half precision."""
    state = _state({name: attention.migc for name, attention in attached(unet).items()})
    save_file({key: value.half().contiguous() for key, value in state.items()}, path)


def load(unet: nn.Module, path: Path) -> None:
    """Attach the MIGC layers that `save` wrote.

    Raises
    ------
    DataError
        If the file cannot be read or does not fit this UNet.
    """
    try:
        stored = load_file(path)
    except (OSError, SafetensorError) as error:
        raise DataError(f"{path.name} does not hold MIGC weights: {error}") from error
    _install(unet, stored, path.name)


def load_published(unet: nn.Module, path: Path) -> None:
    """Attach the layers of the authors' checkpoint, ``MIGC_SD14.ckpt``.

    Which cross-attentions have MIGC is decided by the keys of the file, which number the blocks as
    the original Stable Diffusion does. Only tensors are read.

    Raises
    ------
    DataError
        If the file cannot be read or does not fit this UNet.
    """
    try:
        stored = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, pickle.UnpicklingError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise DataError(f"{path.name} does not hold MIGC weights: {reason}") from error
    stored = stored.get("state_dict", stored) if isinstance(stored, dict) else {}
    _install(unet, {_renamed(str(key)): value for key, value in stored.items()}, path.name)


_PUBLISHED = re.compile(
    r"(?:.*\.)?(input_blocks|middle_block|output_blocks)\.(\d+)\.(?:\d+\.)?"
    r"(transformer_blocks\.0\.attn2\.migc\..+)"
)


def _renamed(key: str) -> str:
    """Turn a key of the checkpoint into diffusers' name for the same weight."""
    found = _PUBLISHED.fullmatch(key)
    if not found:
        return key
    number = int(found[2])
    block = {
        "input_blocks": f"down_blocks.{number // 3}.attentions.{number % 3 - 1}",
        "middle_block": "mid_block.attentions.0",
        "output_blocks": f"up_blocks.{number // 3}.attentions.{number % 3}",
    }[found[1]]
    return f"{block}.{found[3]}"


def _install(unet: nn.Module, stored: dict[str, Tensor], file: str) -> None:
    """Attach layers where `stored` has weights for them, and give them these weights."""
    names = sorted({key.split(".migc.")[0] for key in stored if ".migc." in key})
    if not names:
        raise DataError(
            f"{file} holds no MIGC weights: of its {len(stored)} keys none is like "
            "middle_block.1.transformer_blocks.0.attn2.migc.ea.to_q.weight"
        )
    known = layers(unet)
    if strange := [name for name in names if name not in known]:
        raise DataError(f"{file} has MIGC weights for what this UNet lacks: {_some(strange)}")
    first = stored.get(f"{names[0]}.migc.pos_net.linears_position.0.weight")
    hidden = 512 if first is None else len(first)
    graded = any(key.endswith(".migc.out.weight") for key in stored)
    with torch.device("meta"):  # the weights are about to be replaced
        new = {name: _new_layer(known[name][1], hidden, graded) for name in names}
    wanted = _state(new)
    missing = sorted(wanted.keys() - stored.keys())
    unknown = sorted(key for key in stored if ".migc." in key and key not in wanted)
    wrong = sorted(k for k in wanted.keys() & stored.keys() if wanted[k].shape != stored[k].shape)
    if missing or unknown or wrong:
        found = {"missing": missing, "unknown": unknown, "of another shape": wrong}
        told = [f"{len(keys)} {kind} ({_some(keys)})" for kind, keys in found.items() if keys]
        raise DataError(f"{file} does not fit this UNet: of its MIGC weights {', '.join(told)}")
    for name, layer in new.items():
        weights = {key: stored[f"{name}.migc.{key}"] for key in layer.state_dict()}
        weights = {key: value.to(unet.device, unet.dtype) for key, value in weights.items()}
        layer.load_state_dict(weights, assign=True)
        known[name][1].migc = layer.train(unet.training)


def _new_layer(attention: Attention, hidden: int, graded: bool) -> MIGCLayer:
    kind = GradedMIGCLayer if graded else MIGCLayer
    dim, context = attention.to_q.in_features, attention.to_k.in_features
    return kind(dim, context, attention.heads, hidden)


def _state(migc_layers: dict[str, MIGCLayer]) -> dict[str, Tensor]:
    return {
        f"{name}.migc.{key}": value
        for name, layer in migc_layers.items()
        for key, value in layer.state_dict().items()
    }


def _some(keys: list[str]) -> str:
    return ", ".join(keys[:3]) + (", ..." if len(keys) > 3 else "")
