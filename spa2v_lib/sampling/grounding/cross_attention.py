"""The spatial blocks of a UNet, and their cross-attention, in which the picture attends to words.

Guidance edits these maps, energy guidance takes gradients of them, and a recorder keeps them. All
three find the layers and the maps here. The maps are the model's own, from its queries and keys;
`observed` sees them before any grounding method changes them.

With an image prompt (`spa2v_lib.sampling.image_prompt`) the layers are given a pair, the text and
the picture's tokens, and add what comes of each. Maps are of the text, and grounding methods change
the text's part alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from diffusers.models.attention import BasicTransformerBlock
from diffusers.models.attention_processor import Attention
from diffusers.models.transformers.transformer_2d import Transformer2DModel
from torch import Tensor, nn

from spa2v_lib.errors import SamplingError
from spa2v_lib.sampling.grounding.box_maps import MapSize

__all__ = [
    "Observer",
    "States",
    "conditional_start",
    "layers",
    "object_token_mask",
    "observed",
    "probabilities",
    "processors_replaced",
    "sizes_known",
    "spatial_blocks",
    "split_output",
    "text_of",
]

Observer = Callable[[str, MapSize, Callable[[], Tensor]], None]

States = Tensor | tuple[Tensor, list[Tensor]]
"""What a cross-attention layer attends to – a text, or a text and the tokens of pictures."""


def spatial_blocks(unet: nn.Module) -> dict[str, BasicTransformerBlock]:
    """Return the transformer blocks that see one frame at a time, by name.

    Motion modules hold transformer blocks of the same class, so they are distinguished by the
    module that holds them, not by name.

    Parameters
    ----------
    unet : nn.Module
        Of diffusers, with or without motion modules.

    Examples
    --------
    >>> from spa2v_lib.sampling.loading import load
    >>> next(iter(spatial_blocks(load("tiny", "cpu").unet)))
    'down_blocks.0.attentions.0.transformer_blocks.0'
    """
    return {
        f"{name}.transformer_blocks.{i}": block
        for name, module in unet.named_modules()
        if isinstance(module, Transformer2DModel)
        for i, block in enumerate(module.transformer_blocks)
    }


def layers(unet: nn.Module) -> dict[str, Attention]:
    """Return the cross-attention layers that see one frame at a time, by name.

    Motion modules hold an ``attn2`` too, which is no cross-attention.

    Parameters
    ----------
    unet : nn.Module
        Of diffusers, with or without motion modules.

    See Also
    --------
    spatial_blocks : The blocks that they are part of.

    Examples
    --------
    >>> from spa2v_lib.sampling.loading import load
    >>> unet = load("tiny", "cpu").unet
    >>> [name for name in layers(unet)][0]
    'down_blocks.0.attentions.0.transformer_blocks.0.attn2'
    """
    return {
        f"{name}.attn2": block.attn2
        for name, block in spatial_blocks(unet).items()
        if block.attn2 is not None
    }


def probabilities(attention: Attention, pictures: Tensor, text: Tensor) -> Tensor:
    """Compute how much each cell attends to each token.

    Parameters
    ----------
    attention : Attention
        A cross-attention of the UNet.
    pictures : Tensor [shape=(n, cells, dim)]
        The layer's input.
    text : Tensor [shape=(n, tokens, width)]
        Text embeddings.

    Returns
    -------
    Tensor [shape=(n, heads, cells, tokens)]
        After the softmax: sums over the tokens are 1.

    See Also
    --------
    observed : Of every layer, while the UNet computes.

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


def text_of(states: States) -> Tensor:
    """Return the text [n, tokens, width] of what a cross-attention layer is given.

    Examples
    --------
    >>> text_of((torch.zeros(2, 4, 8), [torch.zeros(2, 1, 4, 8)])).shape
    torch.Size([2, 4, 8])
    """
    return states[0] if isinstance(states, tuple) else states


def split_output(
    processor: Callable[..., Tensor],
    attention: Attention,
    pictures: Tensor,
    states: States,
    output: Tensor,
) -> tuple[Tensor, Tensor | float]:
    """Split a layer's output into what comes of the text, and of an image prompt.

    Parameters
    ----------
    processor : callable
        The layer's; diffusers' processor for IP-Adapter with an image prompt.
    attention : Attention
    pictures : Tensor [shape=(n, cells, dim)]
        The layer's input.
    states : Tensor [shape=(n, tokens, width)], or a pair
        What it attends to; see `States`.
    output : Tensor [shape=(n, cells, dim)]
        What `processor` returned for it.

    Returns
    -------
    Tensor [shape=(n, cells, dim)]
    Tensor [shape=(n, cells, dim)] or float
        0 without an image prompt. Together they are `output`.

    Examples
    --------
    >>> attention = Attention(16, cross_attention_dim=8, heads=2, dim_head=8)
    >>> given = attention, torch.randn(1, 4, 16), torch.randn(1, 3, 8)
    >>> output = attention.processor(*given)
    >>> text, image = split_output(attention.processor, *given, output)
    >>> text is output, image
    (True, 0.0)
    """
    if not isinstance(states, tuple):
        return output, 0.0
    text = processor(attention, pictures, (states[0], []))
    return text, output - text


@contextmanager
def sizes_known(unet: nn.Module) -> Iterator[dict[Attention, MapSize]]:
    """Keep note of every cross-attention layer's map size while the UNet runs.

    A layer itself sees a row of cells and cannot tell a wide picture from a tall one.

    Parameters
    ----------
    unet : nn.Module
        Of diffusers, with or without motion modules.

    See Also
    --------
    observed : Gives them beside the maps.

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
        for holder in unet.modules():
            if not isinstance(holder, Transformer2DModel):
                continue

            def note(holder, arguments, named) -> None:
                picture = arguments[0] if arguments else named["hidden_states"]
                size = (picture.shape[-2], picture.shape[-1])
                sizes.update((block.attn2, size) for block in holder.transformer_blocks)

            handle = holder.register_forward_pre_hook(note, with_kwargs=True)
            stack.callback(handle.remove)
        yield sizes


@contextmanager
def processors_replaced(
    unet: nn.Module,
    attentions: Iterable[Attention],
    make: Callable[[Any, dict[Attention, MapSize]], Any],
) -> Iterator[None]:
    """Give attentions other processors for a while.

    Parameters
    ----------
    unet : nn.Module
        That they are part of.
    attentions : iterable of Attention
        Some of `layers`.
    make : callable
        Returns the new processor, given the plain one and the sizes of all maps, see `sizes_known`.

    See Also
    --------
    observed : Sees the maps, and changes none.

    Examples
    --------
    >>> from spa2v_lib.sampling.loading import load
    >>> unet = load("tiny", "cpu").unet
    >>> first = next(iter(layers(unet).values()))
    >>> plain = first.processor
    >>> with processors_replaced(unet, [first], lambda plain, sizes: nn.Identity()):
    ...     first.processor
    Identity()
    >>> first.processor is plain
    True
    """
    with ExitStack() as stack:
        sizes = stack.enter_context(sizes_known(unet))
        for attention in attentions:
            plain = attention.processor
            stack.callback(attention.set_processor, plain)
            attention.set_processor(make(plain, sizes))
        yield


def conditional_start(hidden_states: Tensor, frames: int, method: str) -> int:
    """Return where the conditional half of a batch begins: at 0 where there is no other.

    Parameters
    ----------
    hidden_states : Tensor
        What an attention of the UNet is given, one picture after the other.
    frames : int
        Of the video.
    method : str
        Who asks.

    Raises
    ------
    SamplingError
        If the batch holds neither the frames nor twice as many.

    Examples
    --------
    >>> conditional_start(torch.zeros(4, 1), 2, "MIGC")
    2
    """
    first = len(hidden_states) - frames
    if first not in (0, frames):
        raise SamplingError(
            f"{method} was given {frames} frames, and the UNet a batch of {len(hidden_states)}; "
            "split inference has to be switched off"
        )
    return first


@contextmanager
def observed(unet: nn.Module, see: Observer) -> Iterator[None]:
    """Show every cross-attention map to `see` while the UNet runs.

    Parameters
    ----------
    unet : nn.Module
        Of diffusers, with or without motion modules.
    see : callable
        Called with a layer's name, its map's size and a function that computes the map as
        `probabilities` does, so that a map nobody wants costs nothing.

    See Also
    --------
    processors_replaced : Changes what is attended to.

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
        for name, attention in layers(unet).items():

            def show(attention, arguments, named, name=name) -> None:
                pictures, text = arguments[0], text_of(named["encoder_hidden_states"])
                see(name, sizes[attention], lambda: probabilities(attention, pictures, text))

            handle = attention.register_forward_pre_hook(show, with_kwargs=True)
            stack.callback(handle.remove)
        yield


def object_token_mask(spans: Tensor, following: int) -> Tensor:
    """Choose the tokens through which an object gets attention.

    In CLIP's text encoder the tokens that name an object also carry its meaning. In a small one
    they may not: as every token sees those before it, the tokens behind a name come to carry what
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
