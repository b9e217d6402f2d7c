"""GLIGEN's layers, plain or with an instance mask: attached to a UNet, saved and loaded.

Papers: Li et al., "GLIGEN: Open-Set Grounded Text-to-Image Generation", CVPR 2023; Wang et al.,
"InstanceDiffusion: Instance-level Control for Image Generation", CVPR 2024 (instance-masked
attention).

diffusers ships GLIGEN's two layers (`GatedSelfAttentionDense`, `GLIGENTextBoundingboxProjection`)
and its transformer blocks know how to call the first, but `UNetMotionModel` has no place for
either. `attach` gives any UNet, with or without motion modules, both; the names of the weights stay
those of diffusers' GLIGEN checkpoints.

Plain gated self-attention must learn by itself which places of the picture a box means, which
takes long; the tiny suite had not begun to after 800 steps. With an instance mask every visual
token also knows its own cell, in the Fourier features that boxes have, and where it lies in each
box that covers it: what belongs into a cell depends on the object and on the part of it. Its
attention to an object's token is biased by the logarithm of the share of the cell that the object's
box covers. The paper's mask is hard and also parts the objects from one another; this one is
graded, for with few cells a box rarely ends at a cell's edge, and objects do attend to each other.
The feature map is taken to be square.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import ClassVar

import torch
from diffusers.models.attention import GatedSelfAttentionDense
from diffusers.models.embeddings import GLIGENTextBoundingboxProjection
from torch import Tensor, nn

from spa2v_lib.sampling.grounding.box_maps import (
    FOURIER_WIDTH,
    box_fourier,
    cell_boxes,
    coverage,
    seen_from_cells,
)
from spa2v_lib.sampling.grounding.cross_attention import spatial_blocks
from spa2v_lib.sampling.tensors import check_fit, read_tensors

__all__ = ["MaskedBoxTokens", "MaskedFuser", "attach", "attached", "load", "switch"]

_LEAST = 1e-4  # of a cell, for a token outside its box: nearly no attention


class MaskedBoxTokens(GLIGENTextBoundingboxProjection):
    """GLIGEN's object tokens, followed by what the mask is made of: the box, and 1 if it is there.

    Returns [n, objects, width + 5].

    Examples
    --------
    >>> tokens = MaskedBoxTokens(positive_len=8, out_dim=8)
    >>> tokens(torch.zeros(2, 1, 4), torch.ones(2, 1), torch.zeros(2, 1, 8)).shape
    torch.Size([2, 1, 13])
    """

    conditional_only: ClassVar[bool] = True  # the unconditional half needs no tokens

    def forward(self, boxes: Tensor, masks: Tensor, positive_embeddings: Tensor) -> Tensor:
        tokens = super().forward(boxes, masks, positive_embeddings)
        return torch.cat([tokens, boxes.to(tokens), masks[..., None].to(tokens)], dim=-1)


class MaskedFuser(GatedSelfAttentionDense):
    """Gated self-attention over places and objects, masked by the objects' boxes.

    With objects for the latter part of a batch only, the part in front is left alone: the
    unconditional half of classifier-free guidance, which so costs nothing.

    Examples
    --------
    >>> fuser = MaskedFuser(query_dim=16, context_dim=8, n_heads=2, d_head=8)
    >>> x = torch.randn(1, 4, 16)
    >>> bool(torch.equal(fuser(x, torch.zeros(1, 1, 13)), x))  # its gates start closed
    True
    """

    def __init__(self, query_dim: int, context_dim: int, n_heads: int, d_head: int) -> None:
        super().__init__(query_dim, context_dim, n_heads, d_head)
        self.place = nn.Linear(FOURIER_WIDTH, query_dim)
        self.part = nn.Linear(FOURIER_WIDTH, query_dim)
        self._known: tuple[Tensor, tuple[Tensor, Tensor, Tensor]] | None = None

    def forward(self, x: Tensor, objs: Tensor) -> Tensor:
        """Add to places `x` [n, cells, dim] what the objects [n, objects, width + 5] tell them."""
        if not self.enabled:
            return x
        if unconditional := len(x) - len(objs):
            return torch.cat([x[:unconditional], self(x[unconditional:], objs)])
        places, tokens, mask = self._tell(objs, x)
        both = torch.cat([x + places, tokens], dim=1)
        attended = self.attn(self.norm1(both), attention_mask=mask)[:, : x.shape[1]]
        x = x + self.alpha_attn.tanh() * attended
        return x + self.alpha_dense.tanh() * self.ff(self.norm2(x + places))

    def _tell(self, objs: Tensor, like: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return what of the objects is the same in every step: places, tokens and mask.

        It is kept from step to step, except in training, where the weights change between.
        """
        if torch.is_grad_enabled():
            return self._tokens_of(objs, like)
        if self._known is None or self._known[0] is not objs:
            self._known = objs, self._tokens_of(objs, like)
        return self._known[1]

    def _tokens_of(self, objs: Tensor, like: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        tokens, boxes, there = objs[..., :-5], objs[..., -5:-1].float(), objs[..., -1]
        side = math.isqrt(like.shape[1])
        covered = coverage(cell_boxes(side, boxes), boxes) * there[:, None]
        places = self._places(boxes, covered, side, like)
        return places, self.linear(tokens), _mask(covered, like)

    def _places(self, boxes: Tensor, covered: Tensor, side: int, like: Tensor) -> Tensor:
        """Embed where each cell lies, in the picture and in the boxes that cover it."""
        parts = self.part(box_fourier(seen_from_cells(boxes, (side, side)).flatten(0, 1)).to(like))
        parts = parts.unflatten(0, boxes.shape[:2])
        inside = torch.einsum("nco,nocd->ncd", covered.to(parts), parts)
        return self.place(box_fourier(cell_boxes(side, boxes)[None]).to(like)) + inside


def _mask(covered: Tensor, like: Tensor) -> Tensor:
    """Return what is added to attention scores [n, cells + objects, cells + objects]."""
    count, cells, objects = covered.shape
    mask = like.new_zeros(count, cells + objects, cells + objects)
    mask[:, :cells, cells:] = (covered + _LEAST).log().to(like)
    return mask


def attach(unet: nn.Module, *, masked: bool = False) -> None:
    """Give `unet` new grounding layers: a ``fuser`` in every spatial block, a ``position_net``.

    Parameters
    ----------
    unet : nn.Module
        With or without motion modules.
    masked : bool
        Layers with an instance mask (see `MaskedFuser`) instead of GLIGEN's own.

    See Also
    --------
    load : With weights.

    Examples
    --------
    >>> from diffusers import UNet2DConditionModel
    >>> unet = UNet2DConditionModel(
    ...     block_out_channels=(8,),
    ...     down_block_types=("CrossAttnDownBlock2D",),
    ...     up_block_types=("CrossAttnUpBlock2D",),
    ...     cross_attention_dim=8,
    ...     norm_num_groups=4,
    ...     attention_head_dim=2,
    ... )
    >>> attach(unet)
    >>> hasattr(unet, "position_net")
    True
    """
    width = unet.config.cross_attention_dim
    fuser_class = MaskedFuser if masked else GatedSelfAttentionDense
    tokens_class = MaskedBoxTokens if masked else GLIGENTextBoundingboxProjection
    place = unet.device, unet.dtype
    for block in spatial_blocks(unet).values():
        dim, heads = block.attn1.to_q.in_features, block.attn1.heads
        fuser = fuser_class(dim, width, heads, dim // heads)
        block.fuser = fuser.to(*place)
    tokens = tokens_class(positive_len=width, out_dim=width)
    unet.position_net = tokens.to(*place)


def attached(unet: nn.Module) -> bool:
    """Tell whether a UNet has GLIGEN layers.

    Parameters
    ----------
    unet : nn.Module
        Of diffusers, with or without motion modules.

    See Also
    --------
    attach : Gives it the layers.

    Examples
    --------
    >>> attached(nn.Identity())
    False
    """
    return hasattr(unet, "position_net")


def _is_own(name: str) -> bool:
    return ".fuser." in name or name.startswith("position_net.")


def _state(unet: nn.Module) -> dict[str, Tensor]:
    return {name: value for name, value in unet.state_dict().items() if _is_own(name)}


def load(unet: nn.Module, path: Path) -> None:
    """Attach grounding layers to `unet` and read their weights, of the kind that the file holds.

    Parameters
    ----------
    unet : nn.Module
        Of diffusers, with or without motion modules.
    path : Path
        Layers that this project trained, or the whole published UNet with layers in diffusers'
        names, as safetensors or as a pickle, of which only tensors are read.

    Raises
    ------
    DataError
        If the file cannot be read, or its layers are not those of this UNet.

    See Also
    --------
    attach : New ones.
    switch : Lets them act, or not.

    Examples
    --------
    >>> load(nn.Identity(), Path("nothing.safetensors"))
    Traceback (most recent call last):
    spa2v_lib.errors.DataError: nothing.safetensors does not hold GLIGEN weights: ...
    """
    stored = read_tensors(path, "GLIGEN weights")
    attach(unet, masked=any(name.endswith(".fuser.place.weight") for name in stored))
    wanted = _state(unet)
    dtype = unet.dtype  # to ask for it walks through the whole network
    weights = {name: value.to(dtype) for name, value in stored.items() if _is_own(name)}
    check_fit(weights, wanted, path.name, "GLIGEN")
    unet.load_state_dict(weights, strict=False)


def switch(unet: nn.Module, on: bool) -> None:
    """Let the grounding layers act, or pass the picture through unchanged.

    Parameters
    ----------
    unet : nn.Module
        With layers that `attach` added.
    on : bool
        Whether they act.

    Examples
    --------
    >>> from spa2v_lib.sampling.loading import load as load_preset
    >>> unet = load_preset("tiny", "cpu", layers=["gligen"]).unet
    >>> switch(unet, False)
    >>> {block.fuser.enabled for block in spatial_blocks(unet).values()}
    {False}
    >>> switch(unet, True)
    """
    for block in spatial_blocks(unet).values():
        block.fuser.enabled = on
