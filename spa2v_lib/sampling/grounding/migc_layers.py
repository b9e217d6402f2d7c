"""The layers of MIGC: each object is shaded by itself, then the shadings are put together.

Paper: Zhou et al., "MIGC: Multi-Instance Generation Controller for Text-to-Image Synthesis",
CVPR 2024. For one cross-attention layer with input x, let CA_0 be its output for the picture's
text, CA_i that for the phrase of object i, m_i the object's mask and m_0 what no object covers::

    R_i = m_i (CA_i + EA(LN x, [phrase_i; PosNet(box_i)]))         enhancement attention
    R_0 = m_0 CA_0
    R_L = LA(x), cells hear only those they share a mask with      layout attention
    out = sum of softmax(SAC(R, m)) R over 0, the objects and L    shading aggregation controller

SAC scores each shading with a convolution between two attention modules (CBAM: Woo et al., ECCV
2018); the second runs over the 30 scores of a place at once, so every object has a place among
them, and the rest are filled with the score of nothing. `MIGCLayer` has the published parameters'
names and shapes. `GradedMIGCLayer` is for trainings as short as the tiny suite's.

The weights of MIGC's layers: attached to a UNet, saved, and loaded from two kinds of file.

A layer becomes the submodule ``migc`` of a cross-attention; its weights keep the published names
(see `spa2v_lib.sampling.grounding.migc_layers`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import torch
from diffusers.models.attention_processor import Attention
from diffusers.models.embeddings import get_fourier_embeds_from_boundingbox
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional

from spa2v_lib.errors import DataError
from spa2v_lib.sampling.grounding.cross_attention import layers
from spa2v_lib.sampling.grounding.gligen import seen_from_cells
from spa2v_lib.sampling.tensors import check_finite, read_tensors

__all__ = [
    "MOST_OBJECTS",
    "GradedMIGCLayer",
    "MIGCLayer",
    "Region",
    "attach",
    "attached",
    "attend",
    "load",
    "parameters",
    "save",
]

MOST_OBJECTS = 28  # as published: 30 scores, less the background's and the layout's
_FREQUENCIES = 8
_FOURIER = 8 * _FREQUENCIES  # sine and cosine of four coordinates
_REDUCTION = 16  # of channels, inside a channel gate


@dataclass(frozen=True)
class Region:
    """The objects of each frame as one layer sees them, at its own resolution.

    Attributes
    ----------
    cover : Tensor [shape=(frames, objects, height, width)]
        Masks in [0, 1]; zero for an object that is not in the frame.
    boxes : Tensor [shape=(frames, objects, 4)]
        ``(x0, y0, x1, y1)`` in [0, 1].
    present : Tensor of bool [shape=(frames, objects)]
        What is not present adds nothing, not even a number to be multiplied with zero.
    pooled : Tensor [shape=(frames, objects, text width)]
        Pooled text embeddings of the objects' phrases.
    places : Tensor of int [shape=(objects,)]
        Where the objects' scores stand among the `MOST_OBJECTS`.
    rest : Tensor [shape=(frames, 1, height, width)], optional
        The mask of what no object covers; what `cover` leaves if not given.

    Examples
    --------
    >>> region = Region(
    ...     cover=torch.ones(1, 1, 2, 2),
    ...     boxes=torch.tensor([[[0.0, 0.0, 1.0, 1.0]]]),
    ...     present=torch.ones(1, 1, dtype=torch.bool),
    ...     pooled=torch.zeros(1, 1, 8),
    ...     places=torch.arange(1),
    ... )
    >>> region.rest is None
    True
    """

    cover: Tensor
    boxes: Tensor
    present: Tensor
    pooled: Tensor
    places: Tensor
    rest: Tensor | None = None


def attend(
    query: Tensor, key: Tensor, value: Tensor, heads: int, allowed: Tensor | None = None
) -> Tensor:
    """Attend with several heads.

    Parameters
    ----------
    query : Tensor [shape=(n, cells, dim)]
    key, value : Tensor [shape=(n, tokens, dim)]
        Or [n, objects, tokens, dim]: each object is then attended to by itself.
    heads : int
    allowed : Tensor of bool [shape=(n, cells, tokens)], optional

    Returns
    -------
    Tensor [shape=(n, cells, dim) or (n, objects, cells, dim)]

    Examples
    --------
    >>> query, key = torch.randn(1, 4, 16), torch.randn(1, 3, 5, 16)
    >>> attend(query, key, key, heads=2).shape
    torch.Size([1, 3, 4, 16])
    """
    shape = query.shape
    if key.ndim == 4:
        shape = (*key.shape[:2], *shape[1:])
        query = query.repeat_interleave(key.shape[1], dim=0)
        key, value = key.flatten(0, 1), value.flatten(0, 1)
    query, key, value = (t.unflatten(-1, (heads, -1)).transpose(1, 2) for t in (query, key, value))
    mask = None if allowed is None else allowed[:, None]
    heard = functional.scaled_dot_product_attention(query, key, value, attn_mask=mask)
    return heard.transpose(1, 2).reshape(shape)


class _Attention(nn.Module):
    def __init__(self, dim: int, context: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.to_q = nn.Linear(dim, dim, bias=False)
        self.to_k = nn.Linear(context, dim, bias=False)
        self.to_v = nn.Linear(context, dim, bias=False)
        self.to_out = nn.ModuleList([nn.Linear(dim, dim)])

    def forward(self, x: Tensor, context: Tensor, allowed: Tensor | None = None) -> Tensor:
        query, key, value = self.to_q(x), self.to_k(context), self.to_v(context)
        return self.to_out[0](attend(query, key, value, self.heads, allowed))


class _PositionNet(nn.Module):
    """Fourier features of a box, in the published order x0, x1, y0, y1, and an MLP."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.linears_position = nn.Sequential(
            nn.Linear(_FOURIER, hidden),
            nn.SiLU(),
            nn.Linear(hidden, hidden),
            nn.SiLU(),
            nn.Linear(hidden, width),
        )

    def forward(self, boxes: Tensor) -> Tensor:
        features = _fourier(boxes.float()[..., [0, 2, 1, 3]])
        return self.linears_position(features.to(self.linears_position[0].weight.dtype))


def _fourier(boxes: Tensor) -> Tensor:
    """Return the Fourier features of four coordinates [n, m, 4], as [n, m, 64]."""
    return get_fourier_embeds_from_boundingbox(_FREQUENCIES, boxes)


class _ChannelGate(nn.Module):
    def __init__(self, channels: int, hidden: int) -> None:
        super().__init__()
        self.mlp = nn.Sequential(
            nn.Flatten(), nn.Linear(channels, hidden), nn.ReLU(), nn.Linear(hidden, channels)
        )

    def forward(self, x: Tensor) -> Tensor:
        gate = self.mlp(x.mean((2, 3))) + self.mlp(x.amax((2, 3)))
        return x * gate.sigmoid()[..., None, None]


class _SpatialGate(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.spatial = nn.ModuleDict({"conv": nn.Conv2d(2, 1, 7, padding=3, bias=False)})

    def forward(self, x: Tensor) -> Tensor:
        pools = torch.stack([x.amax(1), x.mean(1)], dim=1)
        return x * self.spatial["conv"](pools).sigmoid()


class _CBAM(nn.Module):
    def __init__(self, channels: int, hidden: int) -> None:
        super().__init__()
        self.ChannelGate = _ChannelGate(channels, hidden)
        self.SpatialGate = _SpatialGate()

    def forward(self, x: Tensor) -> Tensor:
        return self.SpatialGate(self.ChannelGate(x))


class _ShadingAggregation(nn.Module):
    def __init__(self, dim: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(dim + 1, dim, 1)
        self.cbam1 = _CBAM(dim, dim // _REDUCTION)
        self.conv2 = nn.Conv2d(dim, 1, 1)
        self.cbam2 = _CBAM(MOST_OBJECTS + 2, MOST_OBJECTS + 2)

    def forward(self, shadings: Tensor, covers: Tensor, there: Tensor, places: Tensor) -> Tensor:
        """Mix shadings [n, phases, cells, dim], the background's first and the layout's last.

        Parameters
        ----------
        shadings : Tensor [shape=(n, phases, cells, dim)]
        covers : Tensor [shape=(n, phases, height, width)]
        there : Tensor of bool [shape=(n, phases)]
        places : Tensor of int [shape=(phases - 2,)]
        """
        count, _, height, width = covers.shape
        seen = torch.cat([shadings.transpose(2, 3), covers.flatten(2)[:, :, None]], dim=2)
        seen = seen.unflatten(3, (height, width))
        blank = self._score(torch.zeros_like(seen[:1, 0]))[None]
        scores = self._score(seen.flatten(0, 1)).unflatten(0, (count, -1))[:, :, 0]
        ends = places.new_tensor([0, MOST_OBJECTS + 1])
        places = torch.cat([ends[:1], places + 1, ends[1:]])
        scores = blank[:, :, 0].repeat(count, MOST_OBJECTS + 2, 1, 1).index_copy(1, places, scores)
        chosen = self.cbam2(scores)[:, places].flatten(2)
        share = chosen.masked_fill(~there[..., None], -torch.inf).softmax(1)
        return (shadings * share[..., None]).sum(1)

    def _score(self, x: Tensor) -> Tensor:
        return self.conv2(self.cbam1(self.conv1(x)))


class MIGCLayer(nn.Module):
    """MIGC's part of one cross-attention layer, with the published names and shapes.

    Parameters
    ----------
    dim : int
        Channels of the layer's input.
    context : int
        Width of the text embeddings.
    heads : int
    hidden : int
        Width inside PosNet.

    Examples
    --------
    >>> layer = MIGCLayer(dim=32, context=8, heads=2)
    >>> region = Region(
    ...     cover=torch.ones(1, 1, 2, 2),
    ...     boxes=torch.tensor([[[0.0, 0.0, 1.0, 1.0]]]),
    ...     present=torch.ones(1, 1, dtype=torch.bool),
    ...     pooled=torch.zeros(1, 1, 8),
    ...     places=torch.arange(1),
    ... )
    >>> x = torch.randn(1, 4, 32)
    >>> layer(x, x, x[:, None], region).shape
    torch.Size([1, 4, 32])
    """

    graded: ClassVar[bool] = False  # masks are those that MIGC was published with

    def __init__(self, dim: int, context: int, heads: int, hidden: int = 512) -> None:
        super().__init__()
        self.ea = _Attention(dim, context, heads)
        self.la = _Attention(dim, dim, heads)
        self.norm = nn.LayerNorm(dim)
        self.sac = _ShadingAggregation(dim)
        self.pos_net = _PositionNet(context, hidden)

    def forward(self, x: Tensor, whole: Tensor, heard: Tensor, region: Region) -> Tensor:
        """Replace a cross-attention's output.

        Parameters
        ----------
        x : Tensor [shape=(frames, cells, dim)]
            The cross-attention's input.
        whole : Tensor [shape=(frames, cells, dim)]
            Its output for the picture's text.
        heard : Tensor [shape=(frames, objects, cells, dim)]
            Its output for each object's phrase.
        region : Region

        Returns
        -------
        Tensor [shape=(frames, cells, dim)]
            `whole` in frames without objects.
        """
        cover = region.cover.to(x)
        if region.rest is None:
            rest = (1 - cover.sum(1, keepdim=True)).clamp(min=0)
        else:
            rest = region.rest.to(x)
        inside = cover.flatten(2)[..., None]
        shaded = inside * (heard + self.enhanced(x, region))
        background = (whole * rest.flatten(1)[..., None])[:, None]
        layout = self.la(x, x, _shared(torch.cat([rest, cover], dim=1)))[:, None]
        always = region.present.new_ones(len(x), 1)
        out = self.sac(
            torch.cat([background, shaded, layout], dim=1),
            torch.cat([rest, cover, torch.ones_like(rest)], dim=1),
            torch.cat([always, region.present, always], dim=1),
            region.places,
        )
        return torch.where(region.present.any(1)[:, None, None], out, whole)

    def enhanced(self, x: Tensor, region: Region) -> Tensor:
        """Return what each object adds, as [frames, objects, cells, dim]."""
        position = self.pos_net(region.boxes).to(x)
        return self.ea(self.norm(x), torch.stack([region.pooled.to(x), position], dim=2))


def _shared(covers: Tensor) -> Tensor:
    """Tell which cells lie in a common mask, as bool [n, cells, cells]."""
    covered = (covers > 0).flatten(2).float()
    return covered.transpose(1, 2) @ covered > 0


class GradedMIGCLayer(MIGCLayer):
    """MIGC for small maps and short trainings.

    Three things differ. Masks are graded, for with few cells a box rarely ends at a cell's edge.
    Objects also know where in its box a cell lies. And what MIGC changes passes through a linear
    layer that starts at zero, so that training sets out from the base as it is::

        out = CA_0 + W (MIGC - CA_0)

    Examples
    --------
    >>> layer = GradedMIGCLayer(dim=32, context=8, heads=2)
    >>> region = Region(
    ...     cover=torch.ones(1, 1, 2, 2),
    ...     boxes=torch.tensor([[[0.0, 0.0, 1.0, 1.0]]]),
    ...     present=torch.ones(1, 1, dtype=torch.bool),
    ...     pooled=torch.zeros(1, 1, 8),
    ...     places=torch.arange(1),
    ... )
    >>> x = torch.randn(1, 4, 32)
    >>> layer(x, x, x[:, None], region).shape
    torch.Size([1, 4, 32])
    """

    graded: ClassVar[bool] = True

    def __init__(self, dim: int, context: int, heads: int, hidden: int = 128) -> None:
        super().__init__(dim, context, heads, hidden)
        self.place = nn.Linear(_FOURIER, dim)
        self.out = nn.Linear(dim, dim)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    def forward(self, x: Tensor, whole: Tensor, heard: Tensor, region: Region) -> Tensor:
        changed = self.out(super().forward(x, whole, heard, region) - whole)
        return torch.where(region.present.any(1)[:, None, None], whole + changed, whole)

    def enhanced(self, x: Tensor, region: Region) -> Tensor:
        seen = seen_from_cells(region.boxes.float(), region.cover.shape[-2:])
        place = self.place(_fourier(seen.flatten(0, 1)).to(x)).unflatten(0, region.boxes.shape[:2])
        return super().enhanced(x, region) + place


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
    known = layers(unet)
    for name in names:
        attention = known[name][1]
        attention.migc = _new_layer(attention, hidden, graded).to(unet.device, unet.dtype)


def attached(unet: nn.Module) -> dict[str, Attention]:
    """Return the cross-attentions that have a MIGC layer, by name.

    Examples
    --------
    >>> from spa2v_lib.sampling.loading import load as load_preset
    >>> unet = load_preset("tiny", "cpu", layers=["migc"]).unet
    >>> len(attached(unet)) > 0
    True
    """
    return {name: found for name, (_, found) in layers(unet).items() if hasattr(found, "migc")}


def parameters(unet: nn.Module) -> list[nn.Parameter]:
    """Return the parameters of the layers that `attach` added.

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
    >>> parameters(unet)
    []
    """
    return [p for attention in attached(unet).values() for p in attention.migc.parameters()]


def save(unet: nn.Module, path: Path) -> None:
    """Write the MIGC layers as safetensors, in half precision.

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
    >>> save(unet, Path("migc.safetensors"))
    >>> load(unet, Path("migc.safetensors"))
    """
    state = _state({name: attention.migc for name, attention in attached(unet).items()})
    save_file({key: value.half().contiguous() for key, value in state.items()}, path)


def load(unet: nn.Module, path: Path) -> None:
    """Attach the MIGC layers that `save` wrote, or those of the authors' ``MIGC_SD14.ckpt``.

    Which cross-attentions have MIGC is decided by the keys of the file; the authors' number the
    blocks as the original Stable Diffusion does. Of a pickle only tensors are read.

    Raises
    ------
    DataError
        If the file cannot be read or does not fit this UNet.

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
    >>> load(unet, Path("MIGC_SD14.ckpt"))
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
    check_finite({key: stored[key] for key in wanted}, file)
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
