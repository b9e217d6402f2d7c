"""A UNet with motion modules, computed a part at a time where a video is long, to save memory.

It is given all frames of a video at once. Only the attention of the motion modules needs them
together, window by window. Residual blocks, self-attention, grounding and feed-forward layers
within a frame would hold intermediate results for all frames; so would the motion modules' own
feed-forward layers, which are by far the largest, eight times as wide as what they are given. In
parts they hold what one window takes: a few frames each, or, within a motion module, a few places
of all frames. What still grows with a video's length are the maps between the layers, and what
cross-attention holds, which grounding methods change for all frames together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from diffusers.models.resnet import ResnetBlock2D
from diffusers.models.unets.unet_motion_model import AnimateDiffTransformer3D
from torch import Tensor, nn

from spa2v_lib.sampling.grounding.cross_attention import spatial_blocks

__all__ = ["frames_in_parts"]


@contextmanager
def frames_in_parts(unet: nn.Module, count: int) -> Iterator[None]:
    """Compute layers for as much at a time as `count` frames take, while entered.

    Parameters
    ----------
    unet : nn.Module
        With motion modules or without; on leaving it is as it was found.
    count : int
        Frames of either half of classifier-free guidance, at least 1.

    Examples
    --------
    >>> from spa2v_lib.sampling.loading import load
    >>> unet = load("tiny", "cpu").unet
    >>> latents = torch.zeros(1, unet.config.in_channels, 3, 16, 16)
    >>> given = latents, 0, torch.zeros(3, 4, unet.config.cross_attention_dim)
    >>> with torch.no_grad():
    ...     whole = unet(*given).sample
    ...     with frames_in_parts(unet, 2):
    ...         parts = unet(*given).sample
    >>> bool(torch.allclose(whole, parts, atol=1e-4))
    True
    """
    with ExitStack() as undo:
        for layer in _within_frames(unet):
            layer.forward = _in_parts(layer.forward, lambda _: count)
            undo.callback(delattr, layer, "forward")
        for layer in _within_places(unet):
            layer.forward = _in_parts(
                layer.forward, lambda given: max(1, len(given) * count // given.shape[1])
            )
            undo.callback(delattr, layer, "forward")
        yield


def _within_frames(unet: nn.Module) -> list[nn.Module]:
    """Return layers that are given [frames, ...]."""
    found: list[nn.Module] = [part for part in unet.modules() if isinstance(part, ResnetBlock2D)]
    for block in spatial_blocks(unet).values():
        found += [block.attn1, block.ff]
        if hasattr(block, "fuser"):
            found += [block.fuser.attn, block.fuser.ff]
    return found


def _within_places(unet: nn.Module) -> list[nn.Module]:
    """Return layers of motion modules that are given [places, frames, dim]."""
    return [
        block.ff
        for module in unet.modules()
        if isinstance(module, AnimateDiffTransformer3D)
        for block in module.transformer_blocks
    ]


def _in_parts(
    plain: Callable[..., Tensor], count_of: Callable[[Tensor], int]
) -> Callable[..., Tensor]:
    def forward(*given: Any, **named: Any) -> Tensor:
        first = next(value for value in (*given, *named.values()) if isinstance(value, Tensor))
        total, count = len(first), count_of(first)
        if total <= count:
            return plain(*given, **named)

        def part(start: int) -> Tensor:
            def cut(value: Any) -> Any:
                whole = isinstance(value, Tensor) and value.dim() > 0 and len(value) == total
                return value[start : start + count] if whole else value

            return plain(*map(cut, given), **{name: cut(value) for name, value in named.items()})

        starts = range(0, total, count)
        if torch.is_grad_enabled():
            return torch.cat([part(start) for start in starts])
        begin = part(0)
        found = begin.new_empty(total, *begin.shape[1:])
        found[:count] = begin
        for start in starts[1:]:
            found[start : start + count] = part(start)
        return found

    return forward
