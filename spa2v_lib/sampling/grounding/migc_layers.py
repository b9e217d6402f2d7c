"""The layers of MIGC: each object is shaded by itself, then the shadings are put together.

Paper: Zhou et al., "MIGC: Multi-Instance Generation Controller for Text-to-Image Synthesis",
CVPR 2024. For one cross-attention layer with input x, let CA_0 be its output for the picture's
text, CA_i that for the phrase of object i, m_i the object's mask and m_0 what no object covers::

    R_i = m_i (CA_i + EA(LN x, [phrase_i; PosNet(box_i)]))         enhancement attention
    R_0 = m_0 CA_0
    R_L = LA(x), cells attend within the masks they share         layout attention
    out = sum of softmax(SAC(R, m)) R over 0, the objects and L    shading aggregation controller

SAC scores each shading with a convolution between two attention modules (CBAM: Woo et al., ECCV
2018); the second runs over the 30 scores of a place at once, so every object has a place among
them, and the rest are filled with the score of nothing. `MIGCLayer` has the published parameters'
names and shapes. `GradedMIGCLayer` is for trainings as short as the tiny suite's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from spa2v_lib.sampling.grounding.box_maps import FOURIER_WIDTH, box_fourier, seen_from_cells

__all__ = ["MOST_OBJECTS", "GradedMIGCLayer", "MIGCLayer", "Region", "attend"]

MOST_OBJECTS = 28  # as published: 30 scores, less the background's and the layout's
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
        Of the picture's cells; `dim` is that of all heads together.
    key, value : Tensor [shape=(n, tokens, dim)]
        Or [n, objects, tokens, dim]: each object is then attended to by itself.
    heads : int
        Of the attention, at least 1.
    allowed : Tensor of bool [shape=(n, cells, tokens)], optional
        Which tokens a cell may attend to; all if not given.

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
    attended = functional.scaled_dot_product_attention(query, key, value, attn_mask=mask)
    return attended.transpose(1, 2).reshape(shape)


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
            nn.Linear(FOURIER_WIDTH, hidden),
            nn.SiLU(),
            nn.Linear(hidden, hidden),
            nn.SiLU(),
            nn.Linear(hidden, width),
        )

    def forward(self, boxes: Tensor) -> Tensor:
        features = box_fourier(boxes.float()[..., [0, 2, 1, 3]])
        return self.linears_position(features.to(self.linears_position[0].weight.dtype))


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

    See Also
    --------
    GradedMIGCLayer : For short trainings.

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

    def forward(self, x: Tensor, whole: Tensor, attended: Tensor, region: Region) -> Tensor:
        """Replace a cross-attention's output.

        Parameters
        ----------
        x : Tensor [shape=(frames, cells, dim)]
            The cross-attention's input.
        whole : Tensor [shape=(frames, cells, dim)]
            Its output for the picture's text.
        attended : Tensor [shape=(frames, objects, cells, dim)]
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
        shaded = inside * (attended + self.enhanced(x, region))
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

    See Also
    --------
    MIGCLayer : As published.

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
        self.place = nn.Linear(FOURIER_WIDTH, dim)
        self.out = nn.Linear(dim, dim)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    def forward(self, x: Tensor, whole: Tensor, attended: Tensor, region: Region) -> Tensor:
        changed = self.out(super().forward(x, whole, attended, region) - whole)
        return torch.where(region.present.any(1)[:, None, None], whole + changed, whole)

    def enhanced(self, x: Tensor, region: Region) -> Tensor:
        seen = seen_from_cells(region.boxes.float(), region.cover.shape[-2:])
        place = self.place(box_fourier(seen.flatten(0, 1)).to(x)).unflatten(
            0, region.boxes.shape[:2]
        )
        return super().enhanced(x, region) + place
