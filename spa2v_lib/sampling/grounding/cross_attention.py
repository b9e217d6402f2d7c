"""Where words are heard in the picture: the cross-attention of a UNet's spatial blocks.

Guidance edits these maps, energy guidance takes gradients of them, and a recorder keeps them. All
three find the layers and the maps here. The maps are the model's own, from its queries and keys;
`observed` sees them before any grounding method changes them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import torch
from diffusers.models.attention_processor import Attention
from diffusers.models.transformers.transformer_2d import Transformer2DModel
from torch import Tensor, nn

__all__ = [
    "MapSize",
    "Observer",
    "box_cover",
    "layers",
    "observed",
    "probabilities",
    "sizes_known",
    "object_token_mask",
]

MapSize = tuple[int, int]  # height and width in cells
Observer = Callable[[str, MapSize, Callable[[], Tensor]], None]


def layers(unet: nn.Module) -> dict[str, tuple[Transformer2DModel, Attention]]:
    """Return the cross-attention layers that see one frame at a time, with what holds them.

    Motion modules hold an ``attn2`` too, which is no cross-attention; it is the holder's class that
    tells them apart.

    Examples
    --------
    >>> from spa2v_lib.sampling.loading import load
    >>> unet = load("tiny", "cpu").unet
    >>> [name for name in layers(unet)][0]
    'down_blocks.0.attentions.0.transformer_blocks.0.attn2'
    """
    return {
        f"{name}.transformer_blocks.{i}.attn2": (module, block.attn2)
        for name, module in unet.named_modules()
        if isinstance(module, Transformer2DModel)
        for i, block in enumerate(module.transformer_blocks)
        if block.attn2 is not None
    }


def probabilities(attention: Attention, pictures: Tensor, text: Tensor) -> Tensor:
    """Compute how much each cell hears of each token.

    Parameters
    ----------
    attention : Attention
    pictures : Tensor [shape=(n, cells, dim)]
        The layer's input.
    text : Tensor [shape=(n, tokens, width)]

    Returns
    -------
    Tensor [shape=(n, heads, cells, tokens)]
        After the softmax: sums over the tokens are 1.

    Examples
    --------
    >>> attention = Attention(16, cross_attention_dim=8, heads=2, dim_head=8)
    >>> maps = probabilities(attention, torch.randn(1, 4, 16), torch.randn(1, 3, 8))
    >>> maps.shape, bool(maps.sum(-1).allclose(torch.ones(())))
    (torch.Size([1, 2, 4, 3]), True)
    """
    if attention.norm_cross:
        text = attention.norm_encoder_hidden_states(text)
    query = attention.head_to_batch_dim(attention.to_q(pictures))
    key = attention.head_to_batch_dim(attention.to_k(text))
    return attention.get_attention_scores(query, key).unflatten(0, (len(pictures), attention.heads))


@contextmanager
def sizes_known(unet: nn.Module) -> Iterator[dict[Attention, MapSize]]:
    """Keep note of every cross-attention layer's map size while the UNet runs.

    A layer itself sees a row of cells and cannot tell a wide picture from a tall one.

    Examples
    --------
    >>> from spa2v_lib.sampling.loading import load
    >>> unet = load("tiny", "cpu").unet
    >>> with torch.no_grad(), sizes_known(unet) as sizes:
    ...     latents = torch.zeros(1, unet.config.in_channels, 1, 16, 16)
    ...     _ = unet(latents, 0, torch.zeros(1, 4, unet.config.cross_attention_dim))
    >>> (16, 16) in sizes.values()
    True
    """
    sizes: dict[Attention, MapSize] = {}
    with ExitStack() as stack:
        for holder, attention in layers(unet).values():

            def note(_holder, arguments, named, attention=attention) -> None:
                picture = arguments[0] if arguments else named["hidden_states"]
                sizes[attention] = (picture.shape[-2], picture.shape[-1])

            handle = holder.register_forward_pre_hook(note, with_kwargs=True)
            stack.callback(handle.remove)
        yield sizes


@contextmanager
def observed(unet: nn.Module, see: Observer) -> Iterator[None]:
    """Show every cross-attention map to `see` while the UNet runs.

    Parameters
    ----------
    unet : nn.Module
    see : callable
        Called with a layer's name, its map's size and a function that computes the map as
        `probabilities` does, so that a map nobody wants costs nothing.

    Examples
    --------
    >>> from spa2v_lib.sampling.loading import load
    >>> unet = load("tiny", "cpu").unet
    >>> seen = []
    >>> with torch.no_grad(), observed(unet, lambda name, size, maps: seen.append(size)):
    ...     latents = torch.zeros(1, unet.config.in_channels, 1, 16, 16)
    ...     _ = unet(latents, 0, torch.zeros(1, 4, unet.config.cross_attention_dim))
    >>> len(seen) == len(layers(unet))
    True
    """
    with ExitStack() as stack:
        sizes = stack.enter_context(sizes_known(unet))
        for name, (_, attention) in layers(unet).items():

            def show(attention, arguments, named, name=name) -> None:
                pictures, text = arguments[0], named["encoder_hidden_states"]
                see(name, sizes[attention], lambda: probabilities(attention, pictures, text))

            handle = attention.register_forward_pre_hook(show, with_kwargs=True)
            stack.callback(handle.remove)
        yield


def object_token_mask(spans: Tensor, following: int) -> Tensor:
    """Choose the tokens through which an object is heard.

    In CLIP's text encoder the tokens that name a thing also speak of it. A small encoder may not
    get that far: as every token sees those before it, the tokens behind a name come to carry what
    it means, while the name itself is ignored as the beginning of the sentence is. That is so in
    the shipped suite.

    Parameters
    ----------
    spans : Tensor of bool [shape=(frames, objects, tokens)]
        The tokens that name the objects.
    following : int
        How many tokens behind each name to take, up to the next name, instead of it; 0 takes the
        name.

    Returns
    -------
    Tensor of bool [shape=(frames, objects, tokens)]

    Examples
    --------
    >>> spans = torch.tensor([[[False, True, False, False, False]]])
    >>> object_token_mask(spans, 2).int().tolist()
    [[[0, 0, 1, 1, 0]]]
    """
    if not following:
        return spans
    free = ~spans.any(1, keepdim=True)
    reached, found = spans, torch.zeros_like(spans)
    for _ in range(following):
        reached = torch.nn.functional.pad(reached[..., :-1], (1, 0)) & free
        found = found | reached
    return found


def box_cover(boxes: Tensor, present: Tensor, size: MapSize) -> Tensor:
    """Rasterise boxes: how far each cell of a map lies inside.

    The share of the cell that the box covers, over the largest such share, so that a box smaller
    than a cell still holds one and a box's middle is wholly inside. An object that is not present,
    or whose box has no area inside the picture, covers nothing.

    Parameters
    ----------
    boxes : Tensor [shape=(..., 4)]
    present : Tensor [shape=(...)]
    size : (int, int)

    Returns
    -------
    Tensor [shape=(..., height, width)]
        In [0, 1].

    Examples
    --------
    >>> box_cover(torch.tensor([0.0, 0.0, 0.5, 1.0]), torch.tensor(1.0), (1, 4)).tolist()
    [[1.0, 1.0, 0.0, 0.0]]
    """
    x0, y0, x1, y1 = boxes.clamp(0, 1).unbind(-1)
    across = _shares(x0, x1, size[1])
    down = _shares(y0, y1, size[0])
    cover = down[..., :, None] * across[..., None, :] * present[..., None, None]
    most = cover.amax((-2, -1), keepdim=True)
    return torch.where(most > 0, cover / most.clamp(min=1e-12), torch.zeros_like(cover))


def _shares(low: Tensor, high: Tensor, count: int) -> Tensor:
    """Return the share of each of `count` equal cells of [0, 1] that an interval covers."""
    start = torch.arange(count, device=low.device, dtype=low.dtype) / count
    end = torch.minimum(start + 1 / count, high[..., None])
    return (end - torch.maximum(start, low[..., None])).clamp(min=0) * count
