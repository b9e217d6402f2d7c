"""GLIGEN: gated self-attention layers that tell a frozen denoiser what is where.

Paper: Li et al., "GLIGEN: Open-Set Grounded Text-to-Image Generation", CVPR 2023.

Each object becomes a token, an MLP of its phrase's pooled text embedding and the Fourier features
of its box (eq. 5); in every spatial transformer block the picture's tokens attend to themselves
and to these tokens through a gate that starts closed (eq. 8)::

    v = v + tanh(a) * SelfAttention([v, W h])[:len(v)]
    v = v + tanh(b) * FeedForward(v)

diffusers ships the two layers (`GatedSelfAttentionDense`, `GLIGENTextBoundingboxProjection`) and
its transformer blocks know how to call the first, but `UNetMotionModel` has no place for either.
`attach` gives any UNet, with or without motion modules, both; the names of the weights stay those
of diffusers' GLIGEN checkpoints.

Knobs of `GLIGEN`: `stop`, the share of the sampling steps during which the layers act, from the
first (the paper's τ, typical 0.3 to 1; default 1, which the tiny suite was measured with; published
weights are sampled with 0.3), and `strength`, which scales what the layers add (0 to 1, default 1).

GLIGEN's layers with an instance mask: a place hears only of the objects it lies in.

Paper: Wang et al., "InstanceDiffusion: Instance-level Control for Image Generation", CVPR 2024
(instance-masked attention), on GLIGEN's gated self-attention (see
`spa2v_lib.sampling.grounding.gligen`).

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
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import torch
from diffusers.models.attention import BasicTransformerBlock, GatedSelfAttentionDense
from diffusers.models.embeddings import (
    GLIGENTextBoundingboxProjection,
    get_fourier_embeds_from_boundingbox,
)
from diffusers.models.transformers.transformer_2d import Transformer2DModel
from safetensors.torch import save_file
from torch import Tensor, nn

from spa2v_lib.errors import DataError, SamplingError
from spa2v_lib.sampling.grounding.base import (
    Grounding,
    GroundingInputs,
    Hooks,
    check_shares,
    steps_before,
)
from spa2v_lib.sampling.tensors import check_finite, read_tensors
from spa2v_lib.sampling.texts import pooled

if TYPE_CHECKING:
    from diffusers import AnimateDiffPipeline

__all__ = [
    "GLIGEN",
    "BoxTokens",
    "MaskedBoxTokens",
    "MaskedFuser",
    "attach",
    "cell_boxes",
    "coverage",
    "grounding_parameters",
    "load",
    "object_tokens",
    "save",
    "seen_from_cells",
    "switch",
]


PLACES = 30
"""Objects that GLIGEN was trained with; unused places hold its token for nothing."""


@dataclass(frozen=True)
class BoxTokens:
    """What each frame is to hold, padded to the same number of objects.

    Attributes
    ----------
    boxes : Tensor [shape=(frames, objects, 4)]
        ``(x0, y0, x1, y1)`` in [0, 1].
    masks : Tensor [shape=(frames, objects)]
        1 where the object is in the frame, else 0.
    phrases : Tensor [shape=(frames, objects, text width)]
        Pooled text embeddings of the objects' phrases.

    Examples
    --------
    >>> BoxTokens(torch.zeros(2, 1, 4), torch.ones(2, 1), torch.zeros(2, 1, 8)).boxes.shape
    torch.Size([2, 1, 4])
    """

    boxes: Tensor
    masks: Tensor
    phrases: Tensor


def spatial_blocks(unet: nn.Module) -> dict[str, BasicTransformerBlock]:
    """Return the transformer blocks that see one frame at a time, by name.

    Motion modules hold transformer blocks of the same class, so they are told apart by the module
    that holds them, not by name.

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
    >>> len(spatial_blocks(unet))
    6
    """
    return {
        f"{name}.transformer_blocks.{i}": block
        for name, module in unet.named_modules()
        if isinstance(module, Transformer2DModel)
        for i, block in enumerate(module.transformer_blocks)
    }


def attach(unet: nn.Module, *, masked: bool = False) -> None:
    """Give `unet` new grounding layers: a ``fuser`` in every spatial block, a ``position_net``.

    Parameters
    ----------
    unet : nn.Module
        With or without motion modules.
    masked : bool
        Layers with an instance mask (see `spa2v_lib.sampling.grounding.gligen`) instead of GLIGEN's
        own.

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
    for block in spatial_blocks(unet).values():
        dim, heads = block.attn1.to_q.in_features, block.attn1.heads
        fuser = fuser_class(dim, width, heads, dim // heads)
        block.fuser = fuser.to(unet.device, unet.dtype)
    tokens = tokens_class(positive_len=width, out_dim=width)
    unet.position_net = tokens.to(unet.device, unet.dtype)


def _grounding_state(unet: nn.Module) -> dict[str, Tensor]:
    return {
        name: value
        for name, value in unet.state_dict().items()
        if ".fuser." in name or name.startswith("position_net.")
    }


def grounding_parameters(unet: nn.Module) -> list[nn.Parameter]:
    """Return the parameters of the layers that `attach` added.

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
    >>> len(grounding_parameters(unet)) < len(list(unet.parameters()))
    True
    """
    return [
        value
        for name, value in unet.named_parameters()
        if ".fuser." in name or name.startswith("position_net.")
    ]


def save(unet: nn.Module, path: Path) -> None:
    """Write the grounding layers as safetensors, in half precision.

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
    >>> save(unet, Path("layers.safetensors"))
    >>> load(unet, Path("layers.safetensors"))
    """
    state = {name: value.half().contiguous() for name, value in _grounding_state(unet).items()}
    save_file(state, path)


def load(unet: nn.Module, path: Path) -> None:
    """Attach grounding layers to `unet` and read their weights, of the kind that the file holds.

    Parameters
    ----------
    unet : nn.Module
    path : Path
        Layers that `save` wrote, or the whole published UNet with layers in diffusers' names, as
        safetensors or as a pickle, of which only tensors are read.

    Raises
    ------
    DataError
        If the file cannot be read, lacks weights that this UNet needs, or holds some of another
        shape.

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
    >>> load(unet, Path("nothing.safetensors"))
    Traceback (most recent call last):
    spa2v_lib.errors.DataError: nothing.safetensors does not hold GLIGEN weights: ...
    """
    stored = read_tensors(path, "GLIGEN weights")
    attach(unet, masked=any(name.endswith(".fuser.place.weight") for name in stored))
    wanted = _grounding_state(unet)
    missing = sorted(wanted.keys() - stored.keys())
    wrong = [n for n in wanted.keys() & stored.keys() if wanted[n].shape != stored[n].shape]
    if missing or wrong:
        raise DataError(
            f"{path.name} does not fit this UNet: of {len(wanted)} grounding weights "
            f"{len(missing)} are missing and {len(wrong)} have another shape, for example "
            f"{(missing + wrong)[0]}"
        )
    weights = {name: stored[name].to(unet.dtype) for name in wanted}
    check_finite(weights, path.name)
    unet.load_state_dict(weights, strict=False)


def object_tokens(unet: nn.Module, frames: BoxTokens, guided: bool) -> Tensor:
    """Compute the grounding tokens of every frame.

    Parameters
    ----------
    unet : nn.Module
        With grounding layers attached.
    frames : BoxTokens
    guided : bool
        Put the unconditional half of classifier-free guidance in front; its objects are all
        masked, as in the paper's sampler. Layers with an instance mask leave that half alone and
        need no tokens for it.

    Returns
    -------
    Tensor [shape=(frames or 2 * frames, 30, width), or (frames, objects, width + 5)]
        To be passed as ``cross_attention_kwargs={"gligen": {"objs": tokens}}``; the second shape
        is that of layers with an instance mask.

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
    >>> frames = BoxTokens(torch.zeros(2, 1, 4), torch.ones(2, 1), torch.zeros(2, 1, 8))
    >>> object_tokens(unet, frames, guided=True).shape
    torch.Size([4, 30, 8])
    """
    boxes, masks, phrases = frames.boxes, frames.masks, frames.phrases
    if not getattr(unet.position_net, "conditional_only", False):
        boxes, masks, phrases = (_padded(part) for part in (boxes, masks, phrases))
        if guided:
            boxes, phrases = torch.cat([boxes] * 2), torch.cat([phrases] * 2)
            masks = torch.cat([torch.zeros_like(masks), masks])
    weight = next(unet.position_net.parameters())  # elsewhere, while the UNet waits its turn
    tokens = unet.position_net(*(part.to(weight) for part in (boxes, masks, phrases)))
    return tokens.to(boxes)


def _padded(part: Tensor) -> Tensor:
    """Fill up objects [frames, objects, ...] with zeros to the number that GLIGEN was trained with.

    Tokens of objects that are not there are attended to as well, so their number matters.
    """
    blank = part.new_zeros(len(part), max(0, PLACES - part.shape[1]), *part.shape[2:])
    return torch.cat([part, blank], dim=1)


def switch(unet: nn.Module, on: bool) -> None:
    """Let the grounding layers act, or pass the picture through unchanged.

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
    >>> switch(unet, False)
    >>> {block.fuser.enabled for block in spatial_blocks(unet).values()}
    {False}
    """
    for block in spatial_blocks(unet).values():
        block.fuser.enabled = on


class GLIGEN(Grounding):
    """Grounding by GLIGEN layers that `attach` or `load` gave the UNet.

    Parameters
    ----------
    stop : float
        Share of the steps during which the layers act, in [0, 1].
    strength : float
        Scales what they add, in [0, 1]; 0 leaves the UNet alone.

    Raises
    ------
    SamplingError
        If a knob is out of range.

    Examples
    --------
    >>> GLIGEN(stop=0.3).strength
    1.0
    """

    name: ClassVar[str] = "gligen"

    def __init__(self, stop: float = 1.0, strength: float = 1.0) -> None:
        check_shares("GLIGEN", stop=stop, strength=strength)
        self.stop, self.strength = stop, strength

    def prepare(self, pipeline: AnimateDiffPipeline, layers: Path | None = None) -> None:
        """Load the layers, if they are not there already.

        Raises
        ------
        SamplingError
            If they are neither there nor in a file.
        DataError
            If the file does not fit the UNet.
        """
        if hasattr(pipeline.unet, "position_net"):
            return
        if layers is None:
            raise SamplingError("this UNet has no GLIGEN layers; give it some with gligen.load")
        load(pipeline.unet, layers)

    @contextmanager
    def applied(self, pipeline: AnimateDiffPipeline, inputs: GroundingInputs) -> Iterator[Hooks]:
        unet, steps = pipeline.unet, steps_before(self.stop, inputs.steps)
        if not steps or not self.strength:
            yield Hooks()
            return
        phrases = pooled(pipeline, list(inputs.phrases)).expand(len(inputs.boxes), -1, -1)
        frames = BoxTokens(inputs.boxes, inputs.present, phrases.to(inputs.boxes))
        tokens = object_tokens(unet, frames, inputs.guided)

        def before_step(step: int, latents: Tensor) -> Tensor:
            switch(unet, step < steps)
            return latents

        with ExitStack() as undo:
            undo.callback(switch, unet, True)
            for block in spatial_blocks(unet).values():
                undo.enter_context(_in_batch(block.fuser))
                undo.enter_context(_scaled(block.fuser, self.strength))
            yield Hooks({"gligen": {"objs": tokens}}, before_step=before_step)


@contextmanager
def _in_batch(fuser: nn.Module) -> Iterator[None]:
    """Leave out the unconditional half's tokens in steps that compute the other half alone."""
    handle = fuser.register_forward_pre_hook(
        lambda _fuser, given: (given[0], given[1][-len(given[0]) :])
    )
    try:
        yield
    finally:
        handle.remove()


@contextmanager
def _scaled(fuser: nn.Module, strength: float) -> Iterator[None]:
    """Let `fuser` add `strength` times what it would."""
    if strength == 1.0:
        yield
        return
    handle = fuser.register_forward_hook(
        lambda _fuser, given, found: torch.lerp(given[0], found, strength)
    )
    try:
        yield
    finally:
        handle.remove()


_FREQUENCIES = 8
_LEAST = 1e-4  # of a cell, for a token outside its box: nearly nothing is heard


def cell_boxes(side: int, like: Tensor) -> Tensor:
    """Return the boxes of a square feature map's cells, row by row, as [side * side, 4].

    Examples
    --------
    >>> cell_boxes(2, torch.zeros(()))[1].tolist()
    [0.5, 0.0, 1.0, 0.5]
    """
    low = torch.arange(side, device=like.device, dtype=like.dtype) / side
    y, x = torch.meshgrid(low, low, indexing="ij")
    return torch.stack([x, y, x + 1 / side, y + 1 / side], dim=-1).flatten(0, 1)


def coverage(cells: Tensor, boxes: Tensor) -> Tensor:
    """Return the share of each cell [cells, 4] that each box [n, objects, 4] covers.

    Returns
    -------
    Tensor [shape=(n, cells, objects)]
        In [0, 1].

    Examples
    --------
    >>> coverage(cell_boxes(2, torch.zeros(())), torch.tensor([[[0.0, 0.0, 0.75, 0.5]]])).tolist()
    [[[1.0], [0.5], [0.0], [0.0]]]
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

    Examples
    --------
    >>> seen_from_cells(torch.tensor([[[0.0, 0.0, 0.5, 1.0]]]), (1, 2))[0, 0].tolist()
    [[0.5, 0.5, 0.5, 1.0], [1.0, 0.5, 0.5, 1.0]]
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
