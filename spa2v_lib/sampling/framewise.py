"""Layers that see one frame at a time, computed a few frames at a time, for the sake of memory.

A UNet with motion modules is given all frames of a video at once. Only the motion modules need them
together, window by window; residual blocks, self-attention and feed-forward layers within a frame
would hold intermediate results for all of them. In parts they hold those of a few frames, however
long the video is. What still grows with its length are the maps between the layers, and what
cross-attention holds, which grounding methods change for all frames together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from diffusers.models.resnet import ResnetBlock2D
from torch import Tensor, nn

from spa2v_lib.sampling.grounding.cross_attention import spatial_blocks

__all__ = ["frames_in_parts"]


@contextmanager
def frames_in_parts(unet: nn.Module, count: int) -> Iterator[None]:
    """Compute layers within a frame for at most `count` frames at a time, while entered.

    Parameters
    ----------
    unet : nn.Module
        With motion modules or without; on leaving it is as it was found.
    count : int
        Frames of either half of classifier-free guidance.

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
            layer.forward = _in_parts(layer.forward, count)
            undo.callback(delattr, layer, "forward")
        yield


def _within_frames(unet: nn.Module) -> list[nn.Module]:
    found: list[nn.Module] = [part for part in unet.modules() if isinstance(part, ResnetBlock2D)]
    for block in spatial_blocks(unet).values():
        found += [block.attn1, block.ff]
    return found


def _in_parts(plain: Callable[..., Tensor], count: int) -> Callable[..., Tensor]:
    def forward(*given: Any, **named: Any) -> Tensor:
        total = next(len(v) for v in (*given, *named.values()) if isinstance(v, Tensor))
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
