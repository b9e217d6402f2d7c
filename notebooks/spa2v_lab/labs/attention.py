"""Lab: masked cross-attention. What is checked, and how a function gets into the tiny UNet."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from diffusers.models.attention_processor import Attention
from torch import Tensor

from spa2v_lab.labs.check import check, expect
from spa2v_lib.layout.scene_layout import VideoSceneLayout
from spa2v_lib.sampling import generate
from spa2v_lib.sampling.grounding.attention import AttentionGuidance, MapEditor
from spa2v_lib.sampling.presets import get_preset

__all__ = ["Attend", "by_hand", "check_masked_attention"]

Attend = Callable[[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, float], Tensor]
"""Query, key, value, tokens, inside, bell and strength; returns what each position receives."""


def _library(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    tokens: Tensor,
    inside: Tensor,
    bell: Tensor,
    strength: float,
) -> Tensor:
    maps = torch.softmax(query @ key.transpose(-1, -2) / query.shape[-1] ** 0.5, dim=-1)
    chosen = maps[..., tokens]
    most = chosen.amax((2, 3), keepdim=True)
    maps[..., tokens] = chosen * inside + strength * most * bell
    return maps @ value


def by_hand(attend: Attend) -> AttentionGuidance:
    """Return the suite's attention guidance with another function at its heart.

    Parameters
    ----------
    attend : callable
        An `Attend`; called in every cross-attention layer of the first steps.

    Returns
    -------
    AttentionGuidance
        With the knobs that the preset ``tiny`` has.

    Examples
    --------
    >>> from spa2v_lib.sampling.selfcheck import known_layout
    >>> layout = known_layout(1.0).model_copy(update={"duration_s": 0.25})
    >>> generate(layout, grounding=by_hand(_library), steps=1).frames.shape
    (2, 128, 128, 3)
    """

    class Editor(MapEditor):
        def edited(self, attn: Attention, pictures: Tensor, text: Tensor) -> Tensor:
            query, key, value = (
                part.unflatten(-1, (attn.heads, -1)).transpose(1, 2)
                for part in (attn.to_q(pictures), attn.to_k(text), attn.to_v(text))
            )
            inside, bell = (part.to(query) for part in self.places.maps(self.sizes[attn]))
            tokens, strength = self.places.tokens, self.places.knobs.strength
            received = attend(query, key, value, tokens, inside, bell, strength)
            mixed = received.transpose(1, 2).flatten(2)
            return attn.to_out[1](attn.to_out[0](mixed)) / attn.rescale_output_factor

    class ByHand(AttentionGuidance):
        editor = Editor

    return ByHand(**get_preset("tiny").groundings["attention"])


def check_masked_attention(masked_attention: Attend, layout: VideoSceneLayout) -> Attend:
    """Check a masked cross-attention; return it, or one that agrees with the library's.

    Parameters
    ----------
    masked_attention : callable
        An `Attend`.
    layout : VideoSceneLayout
        Two steps of it are sampled by the library's method and with this function.

    Examples
    --------
    >>> from spa2v_lib.sampling.selfcheck import known_layout
    >>> def masked_attention(query, key, value, tokens, inside, bell, strength):
    ...     return torch.softmax(query @ key.transpose(-1, -2), dim=-1) @ value
    >>> _ = check_masked_attention(masked_attention, known_layout(1.0))
    ✗ masked_attention is not right yet. Scaled attention (check 2 of 5): ...
      The lab continues with the library's function.
    """
    tests = {
        "the shape": _shape,
        "scaled attention": _plain,
        "less outside": _outside,
        "more inside": _inside,
        "in the UNet, as the library": partial(_as_library, layout=layout),
    }
    return check(masked_attention, tests, _library)


_CELLS = 16


def _case(strength: float, outside: float = 0.001) -> tuple:
    """Return arguments for two frames, two heads, 16 positions and five tokens."""
    draw = torch.Generator().manual_seed(0)
    query = torch.randn(2, 2, _CELLS, 8, generator=draw)
    key, value = (torch.randn(2, 2, 5, 8, generator=draw) for _ in range(2))
    tokens = torch.tensor([1, 3])
    half = (torch.arange(_CELLS) < _CELLS // 2).float()[None, None, :, None]
    inside = half.clamp(min=outside).expand(2, 1, _CELLS, len(tokens))
    bell = (half * torch.linspace(0.2, 1, _CELLS)[:, None]).expand(2, 1, _CELLS, len(tokens))
    return query, key, value, tokens, inside, bell, strength


def _off(attend: Attend, case: tuple) -> float:
    """Return the largest difference from the library's function, over the largest value."""
    given = tuple(part.clone() if isinstance(part, Tensor) else part for part in case)
    right = _library(*case)
    return float((attend(*given) - right).abs().max() / right.abs().max())


def _shape(attend: Attend) -> None:
    case = _case(0.0)
    found, right = attend(*case), case[0].shape
    expect(
        isinstance(found, Tensor) and found.shape == right,
        f"it returned {_described(found)} instead of a tensor of shape {tuple(right)}: frames, "
        "heads, positions, width",
    )


def _described(found: object) -> str:
    return f"shape {tuple(found.shape)}" if isinstance(found, Tensor) else type(found).__name__


def _plain(attend: Attend) -> None:
    off = _off(attend, _case(0.0, outside=1.0))
    expect(
        off < 1e-4,
        f"with inside 1 everywhere and strength 0 it differs from plain attention by {off:.0%}; divide the "
        "scores by the root of the width, and take the softmax over the tokens",
    )


def _outside(attend: Attend) -> None:
    off = _off(attend, _case(0.0))
    expect(
        off < 1e-4,
        f"at strength 0 it differs by {off:.0%}; after the softmax, multiply the maps of the given "
        "tokens with inside, leave the others alone, and do not normalize again",
    )


def _inside(attend: Attend) -> None:
    off = _off(attend, _case(0.7))
    expect(
        off < 1e-4,
        f"at strength 0.7 it differs by {off:.0%}; add strength times bell times the largest "
        "attention to the given tokens, taken for each frame and head before the edit",
    )


def _as_library(attend: Attend, layout: VideoSceneLayout) -> None:
    short = layout.model_copy(update={"duration_s": 4 / layout.fps})
    theirs, yours = (
        generate(short, grounding=method, seed=0, steps=2).frames.astype(int)
        for method in ("attention", by_hand(attend))
    )
    off = np.abs(theirs - yours).mean()  # in half precision results are rounded in another order
    expect(off <= 1, f"frames differ from the library's by {off:.1f} of 255 grey levels")
