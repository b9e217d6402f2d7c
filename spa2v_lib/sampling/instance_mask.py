"""GLIGEN's layers with an instance mask: a place hears only of the objects it lies in.

Paper: Wang et al., "InstanceDiffusion: Instance-level Control for Image Generation", CVPR 2024
(instance-masked attention), on GLIGEN's gated self-attention (see `spa2v_lib.sampling.gligen`).

Plain gated self-attention must learn by itself which places of the picture a box means, which
takes long; the tiny suite had not begun to after 800 steps. Here every visual token also knows its
own cell, in the Fourier features that boxes have, and where it lies in each box that covers it:
what belongs into a cell depends on the object and on the part of it. Its attention to an object's
token is biased by the logarithm of the share of the cell that the object's box covers. The paper's
mask is hard and also parts the objects from one another; this one is graded, for with few cells a
box rarely ends at a cell's edge, and objects do hear each other. The feature map is taken to be
square.
"""

from __future__ import annotations

import math

import torch
from diffusers.models.attention import GatedSelfAttentionDense
from diffusers.models.embeddings import (
    GLIGENTextBoundingboxProjection,
    get_fourier_embeds_from_boundingbox,
)
from torch import Tensor, nn

__all__ = ["MaskedBoxTokens", "MaskedFuser", "cell_boxes", "coverage", "seen_from_cells"]

_FREQUENCIES = 8
_LEAST = 1e-4  # of a cell, for a token outside its box: nearly nothing is heard


def cell_boxes(side: int, like: Tensor) -> Tensor:
    """Return the boxes of a square feature map's cells, row by row, as [side * side, 4]."""
    low = torch.arange(side, device=like.device, dtype=like.dtype) / side
    y, x = torch.meshgrid(low, low, indexing="ij")
    return torch.stack([x, y, x + 1 / side, y + 1 / side], dim=-1).flatten(0, 1)


def coverage(cells: Tensor, boxes: Tensor) -> Tensor:
    """Return the share of each cell [cells, 4] that each box [n, objects, 4] covers.

    Returns
    -------
    Tensor [shape=(n, cells, objects)]
        In [0, 1].
    """
    cells, boxes = cells[None, :, None], boxes[:, None]
    low = torch.maximum(cells[..., :2], boxes[..., :2])
    high = torch.minimum(cells[..., 2:], boxes[..., 2:])
    shared = (high - low).clamp(min=0).prod(-1)
    return shared / (cells[..., 2:] - cells[..., :2]).prod(-1)


def seen_from_cells(boxes: Tensor, size: tuple[int, int]) -> Tensor:
    """Return where in its box each cell of a feature map lies, and the box's size.

    Parameters
    ----------
    boxes : Tensor [shape=(n, objects, 4)]
    size : tuple of int
        Height and width of the feature map.

    Returns
    -------
    Tensor [shape=(n, objects, cells, 4)]
        Across and down, 0 and 1 at the box's edges and beyond them; width and height.
    """
    down, across = ((torch.arange(s, device=boxes.device) + 0.5) / s for s in size)
    y, x = torch.meshgrid(down, across, indexing="ij")
    middles = torch.stack([x, y], dim=-1).flatten(0, 1)
    corner, sides = boxes[..., None, :2], (boxes[..., None, 2:] - boxes[..., None, :2])
    inside = ((middles - corner) / sides.clamp(min=1e-3)).clamp(0, 1)
    return torch.cat([inside, sides.expand_as(inside)], dim=-1)


class MaskedBoxTokens(GLIGENTextBoundingboxProjection):
    """GLIGEN's object tokens, followed by what the mask is made of: the box, and 1 if it is there.

    Returns [n, objects, width + 5].
    """

    def forward(self, boxes: Tensor, masks: Tensor, positive_embeddings: Tensor) -> Tensor:
        tokens = super().forward(boxes, masks, positive_embeddings)
        return torch.cat([tokens, boxes.to(tokens), masks[..., None].to(tokens)], dim=-1)


class MaskedFuser(GatedSelfAttentionDense):
    """Gated self-attention over places and objects, masked by the objects' boxes.

    With objects for the latter part of a batch only, the part in front is left alone: the
    unconditional half of classifier-free guidance, which so costs nothing.
    """

    def __init__(self, query_dim: int, context_dim: int, n_heads: int, d_head: int) -> None:
        super().__init__(query_dim, context_dim, n_heads, d_head)
        self.place = nn.Linear(_FREQUENCIES * 8, query_dim)
        self.part = nn.Linear(_FREQUENCIES * 8, query_dim)
        self._known: tuple[Tensor, tuple[Tensor, Tensor, Tensor]] | None = None

    def forward(self, x: Tensor, objs: Tensor) -> Tensor:
        """Add to places `x` [n, cells, dim] what the objects [n, objects, width + 5] tell them."""
        if not self.enabled:
            return x
        if unheard := len(x) - len(objs):
            return torch.cat([x[:unheard], self(x[unheard:], objs)])
        places, tokens, mask = self._tell(objs, x)
        both = torch.cat([x + places, tokens], dim=1)
        heard = self.attn(self.norm1(both), attention_mask=mask)[:, : x.shape[1]]
        x = x + self.alpha_attn.tanh() * heard
        return x + self.alpha_dense.tanh() * self.ff(self.norm2(x + places))

    def _tell(self, objs: Tensor, like: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return what of the objects is the same in every step: places, tokens and mask.

        It is kept from step to step, except in training, where the weights change between.
        """
        if torch.is_grad_enabled():
            return self._told(objs, like)
        if self._known is None or self._known[0] is not objs:
            self._known = objs, self._told(objs, like)
        return self._known[1]

    def _told(self, objs: Tensor, like: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        tokens, boxes, there = objs[..., :-5], objs[..., -5:-1].float(), objs[..., -1]
        side = math.isqrt(like.shape[1])
        covered = coverage(cell_boxes(side, boxes), boxes) * there[:, None]
        places = self._places(boxes, covered, side, like)
        return places, self.linear(tokens), _mask(covered, like)

    def _places(self, boxes: Tensor, covered: Tensor, side: int, like: Tensor) -> Tensor:
        """Embed where each cell lies, in the picture and in the boxes that cover it."""
        parts = self.part(_fourier(seen_from_cells(boxes, (side, side)).flatten(0, 1), like))
        parts = parts.unflatten(0, boxes.shape[:2])
        inside = torch.einsum("nco,nocd->ncd", covered.to(parts), parts)
        return self.place(_fourier(cell_boxes(side, boxes)[None], like)) + inside


def _fourier(coordinates: Tensor, like: Tensor) -> Tensor:
    """Return the Fourier features of four coordinates [n, m, 4], as [n, m, 64]."""
    return get_fourier_embeds_from_boundingbox(_FREQUENCIES, coordinates).to(like)


def _mask(covered: Tensor, like: Tensor) -> Tensor:
    """Return what is added to attention scores [n, cells + objects, cells + objects]."""
    count, cells, objects = covered.shape
    mask = like.new_zeros(count, cells + objects, cells + objects)
    mask[:, :cells, cells:] = (covered + _LEAST).log().to(like)
    return mask
