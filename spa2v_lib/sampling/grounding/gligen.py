"""GLIGEN: gated self-attention layers that tell a frozen denoiser what is where.

Paper: Li et al., "GLIGEN: Open-Set Grounded Text-to-Image Generation", CVPR 2023.

Each object becomes a token, an MLP of its phrase's pooled text embedding and the Fourier features
of its box (eq. 5); in every spatial transformer block the picture's tokens attend to themselves
and to these tokens through a gate that starts closed (eq. 8)::

    v = v + tanh(a) * SelfAttention([v, W h])[:len(v)]
    v = v + tanh(b) * FeedForward(v)

The layers are in `spa2v_lib.sampling.grounding.gligen_layers`.

Knobs of `GLIGEN`: `stop`, the share of the sampling steps during which the layers act, from the
first (the paper's τ, typical 0.3 to 1; default 1, which the tiny suite was measured with; published
weights are sampled with 0.3), and `strength`, which scales what the layers add (0 to 1, default 1).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from types import ModuleType
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from spa2v_lib.sampling.grounding import gligen_layers
from spa2v_lib.sampling.grounding.base import (
    GroundingInputs,
    Hooks,
    LayerGrounding,
    steps_before,
)
from spa2v_lib.sampling.grounding.cross_attention import spatial_blocks
from spa2v_lib.sampling.texts import pooled

if TYPE_CHECKING:
    from diffusers import AnimateDiffPipeline

__all__ = ["GLIGEN", "PLACES", "object_tokens"]

PLACES = 30
"""Objects that GLIGEN was trained with; unused places hold its token for nothing."""


def object_tokens(
    unet: nn.Module, boxes: Tensor, masks: Tensor, phrases: Tensor, guided: bool
) -> Tensor:
    """Compute the grounding tokens of every frame.

    Parameters
    ----------
    unet : nn.Module
        With grounding layers attached.
    boxes : Tensor [shape=(frames, objects, 4)]
        ``(x0, y0, x1, y1)`` in [0, 1].
    masks : Tensor [shape=(frames, objects)]
        1 where the object is in the frame, else 0.
    phrases : Tensor [shape=(frames, objects, text width)]
        Pooled text embeddings of the objects' phrases.
    guided : bool
        Put the unconditional half of classifier-free guidance in front; its objects are all
        masked, as in the paper's sampler. Layers with an instance mask leave that half alone and
        need no tokens for it.

    Returns
    -------
    Tensor [shape=(frames or 2 * frames, 30, width), or (frames, objects, width + 5)]
        To be passed as ``cross_attention_kwargs={"gligen": {"objs": tokens}}``; the second shape
        is that of layers with an instance mask.

    See Also
    --------
    spa2v_lib.sampling.grounding.gligen_layers.attach : Gives a UNet the layers.

    Examples
    --------
    >>> from diffusers import UNet2DConditionModel
    >>> from spa2v_lib.sampling.grounding import gligen_layers
    >>> unet = UNet2DConditionModel(
    ...     block_out_channels=(8,),
    ...     down_block_types=("CrossAttnDownBlock2D",),
    ...     up_block_types=("CrossAttnUpBlock2D",),
    ...     cross_attention_dim=8,
    ...     norm_num_groups=4,
    ...     attention_head_dim=2,
    ... )
    >>> gligen_layers.attach(unet)
    >>> frames = torch.zeros(2, 1, 4), torch.ones(2, 1), torch.zeros(2, 1, 8)
    >>> object_tokens(unet, *frames, guided=True).shape
    torch.Size([4, 30, 8])
    """
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


class GLIGEN(LayerGrounding):
    """Grounding by GLIGEN layers that `spa2v_lib.sampling.grounding.gligen_layers` gave the UNet.

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

    See Also
    --------
    spa2v_lib.sampling.grounding.migc.MIGC : The other method with trained layers.

    Examples
    --------
    >>> GLIGEN(stop=0.3).strength
    1.0
    """

    name: ClassVar[str] = "gligen"
    layers: ClassVar[ModuleType] = gligen_layers

    @contextmanager
    def applied(self, pipeline: AnimateDiffPipeline, inputs: GroundingInputs) -> Iterator[Hooks]:
        unet, steps = pipeline.unet, steps_before(self.stop, inputs.steps)
        if not steps or not self.strength:
            yield Hooks()
            return
        boxes, present = inputs.boxes, inputs.present
        phrases = pooled(pipeline, list(inputs.phrases)).expand(len(boxes), -1, -1).to(boxes)
        tokens = object_tokens(unet, boxes, present, phrases, inputs.guided)

        def before_step(step: int, latents: Tensor) -> Tensor:
            gligen_layers.switch(unet, step < steps)
            return latents

        with ExitStack() as undo:
            undo.callback(gligen_layers.switch, unet, True)
            for block in spatial_blocks(unet).values():
                for handle in _adapted(block.fuser, self.strength):
                    undo.callback(handle.remove)
            yield Hooks({"gligen": {"objs": tokens}}, before_step=before_step)


def _adapted(fuser: nn.Module, strength: float) -> list[RemovableHandle]:
    """Let `fuser` add `strength` times what it would.

    In steps that compute the conditional half alone it is given that half's tokens.
    """

    def conditional(_fuser: nn.Module, given: tuple) -> tuple:
        return given[0], given[1][-len(given[0]) :]

    def scaled(_fuser: nn.Module, given: tuple, found: Tensor) -> Tensor:
        return torch.lerp(given[0], found, strength)

    handles = [fuser.register_forward_pre_hook(conditional)]
    if strength != 1.0:
        handles.append(fuser.register_forward_hook(scaled))
    return handles
