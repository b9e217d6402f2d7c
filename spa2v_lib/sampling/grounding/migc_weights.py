"""The weights of MIGC's layers: attached to a UNet, and loaded from two kinds of file.

A layer becomes the submodule ``migc`` of a cross-attention; its weights keep the published names
(see `spa2v_lib.sampling.grounding.migc_layers`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

import torch
from diffusers.models.attention_processor import Attention
from torch import Tensor, nn

from spa2v_lib.errors import DataError
from spa2v_lib.sampling.grounding.cross_attention import layers
from spa2v_lib.sampling.grounding.migc_layers import GradedMIGCLayer, MIGCLayer
from spa2v_lib.sampling.tensors import check_fit, read_tensors, some_of

__all__ = ["attach", "attached", "load"]


def attach(
    unet: nn.Module, names: Iterable[str], hidden: int = 128, *, graded: bool = True
) -> None:
    """Give cross-attentions of `unet` new MIGC layers.

    Parameters
    ----------
    unet : nn.Module
        With or without motion modules.
    names : iterable of str
        Of the cross-attentions, as `spa2v_lib.sampling.grounding.cross_attention.layers` has them.
    hidden : int
        Width inside PosNet; 512 as published.
    graded : bool
        Layers for short trainings (see `GradedMIGCLayer`) instead of MIGC's own.

    See Also
    --------
    load : With weights.

    Examples
    --------
    >>> from diffusers import UNet2DConditionModel
    >>> unet = UNet2DConditionModel(
    ...     block_out_channels=(32,),
    ...     down_block_types=("CrossAttnDownBlock2D",),
    ...     up_block_types=("CrossAttnUpBlock2D",),
    ...     cross_attention_dim=8,
    ...     norm_num_groups=8,
    ...     attention_head_dim=2,
    ... )
    >>> attach(unet, list(layers(unet))[:1])
    >>> len(attached(unet))
    1
    """
    known, place = layers(unet), (unet.device, unet.dtype)
    for name in names:
        attention = known[name]
        attention.migc = _new_layer(attention, hidden, graded).to(*place)


def attached(unet: nn.Module) -> dict[str, Attention]:
    """Return the cross-attentions that have a MIGC layer, by name.

    Parameters
    ----------
    unet : nn.Module
        Of diffusers, with or without motion modules.

    See Also
    --------
    attach : Gives them the layers.

    Examples
    --------
    >>> from spa2v_lib.sampling.loading import load as load_preset
    >>> unet = load_preset("tiny", "cpu", layers=["migc"]).unet
    >>> len(attached(unet)) > 0
    True
    """
    return {name: found for name, found in layers(unet).items() if hasattr(found, "migc")}


def load(unet: nn.Module, path: Path) -> None:
    """Attach MIGC layers that this project trained, or those of the authors' ``MIGC_SD14.ckpt``.

    Which cross-attentions have MIGC is decided by the keys of the file; the authors' number the
    blocks as the original Stable Diffusion does. Of a pickle only tensors are read.

    Parameters
    ----------
    unet : nn.Module
        Of diffusers, with or without motion modules.
    path : Path
        Safetensors, or a pickle, of which only tensors are read.

    Raises
    ------
    DataError
        If the file cannot be read or does not fit this UNet.

    See Also
    --------
    attach : New ones.

    Examples
    --------
    >>> load(nn.Identity(), Path("MIGC_SD14.ckpt"))
    Traceback (most recent call last):
    spa2v_lib.errors.DataError: MIGC_SD14.ckpt does not hold MIGC weights: ...
    """
    stored = read_tensors(path, "MIGC weights")
    stored = stored.get("state_dict", stored)
    if not isinstance(stored, dict):
        raise DataError(f"{path.name} holds no MIGC weights: its state_dict names no tensors")
    _install(unet, {_renamed(str(key)): value for key, value in stored.items()}, path.name)


_PUBLISHED = re.compile(
    r"(?:.*\.)?(input_blocks|middle_block|output_blocks)\.(\d+)\.(?:.*\.)?migc\.(.+)"
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
    return f"{block}.transformer_blocks.0.attn2.migc.{found[3]}"


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
        raise DataError(f"{file} has MIGC weights for what this UNet lacks: {some_of(strange)}")
    first = stored.get(f"{names[0]}.migc.pos_net.linears_position.0.weight")
    hidden = 512 if first is None else len(first)
    graded = any(key.endswith(".migc.out.weight") for key in stored)
    with torch.device("meta"):  # the weights are about to be replaced
        new = {name: _new_layer(known[name], hidden, graded) for name in names}
    own = {key: value for key, value in stored.items() if ".migc." in key}
    check_fit(own, _state(new), file, "MIGC")
    place = unet.device, unet.dtype  # to ask for them walks through the whole network
    for name, layer in new.items():
        weights = {key: stored[f"{name}.migc.{key}"].to(*place) for key in layer.state_dict()}
        layer.load_state_dict(weights, assign=True)
        known[name].migc = layer.train(unet.training)


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
