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

Knobs of `GLIGEN`: `active`, the share of the sampling steps during which the layers act, from the
first (the paper's τ, typical 0.3 to 1; default 1, which the tiny suite was measured with; published
weights are sampled with 0.3), and `strength`, which scales what the layers add (0 to 1, default 1).
"""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import torch
from diffusers.models.attention import BasicTransformerBlock, GatedSelfAttentionDense
from diffusers.models.embeddings import GLIGENTextBoundingboxProjection
from diffusers.models.transformers.transformer_2d import Transformer2DModel
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from spa2v_lib.errors import DataError, SamplingError
from spa2v_lib.sampling.grounding import Grounding, GroundingInputs, Hooks, check_shares
from spa2v_lib.sampling.instance_mask import MaskedBoxTokens, MaskedFuser
from spa2v_lib.sampling.texts import pooled

if TYPE_CHECKING:
    from diffusers import AnimateDiffPipeline

__all__ = [
    "GLIGEN",
    "BoxTokens",
    "attach",
    "grounding_parameters",
    "load",
    "object_tokens",
    "save",
    "switch",
]


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
    """

    boxes: Tensor
    masks: Tensor
    phrases: Tensor


def spatial_blocks(unet: nn.Module) -> dict[str, BasicTransformerBlock]:
    """Return the transformer blocks that see one frame at a time, by name.

    Motion modules hold transformer blocks of the same class, so they are told apart by the module
    that holds them, not by name.
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
        Layers with an instance mask (see `spa2v_lib.sampling.instance_mask`) instead of GLIGEN's
        own.
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
    """Return the parameters of the layers that `attach` added."""
    return [
        value
        for name, value in unet.named_parameters()
        if ".fuser." in name or name.startswith("position_net.")
    ]


def save(unet: nn.Module, path: Path) -> None:
    """Write the grounding layers as safetensors, in half precision."""
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
    """
    stored = _read(path)
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
    unet.load_state_dict({name: stored[name].to(unet.dtype) for name in wanted}, strict=False)


def _read(path: Path) -> dict[str, Tensor]:
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        return torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, SafetensorError, pickle.UnpicklingError) as error:
        raise DataError(f"{path.name} does not hold GLIGEN weights: {error}") from error


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
    Tensor [shape=(frames or 2 * frames, objects, width), or (frames, objects, width + 5)]
        To be passed as ``cross_attention_kwargs={"gligen": {"objs": tokens}}``; the second shape
        is that of layers with an instance mask.
    """
    boxes, masks, phrases = frames.boxes, frames.masks, frames.phrases
    if guided and not isinstance(unet.position_net, MaskedBoxTokens):
        boxes, phrases = torch.cat([boxes] * 2), torch.cat([phrases] * 2)
        masks = torch.cat([torch.zeros_like(masks), masks])
    weight = next(unet.position_net.parameters())  # elsewhere, while the UNet waits its turn
    tokens = unet.position_net(*(part.to(weight) for part in (boxes, masks, phrases)))
    return tokens.to(boxes)


def switch(unet: nn.Module, on: bool) -> None:
    """Let the grounding layers act, or pass the picture through unchanged."""
    for block in spatial_blocks(unet).values():
        block.fuser.enabled = on


class GLIGEN(Grounding):
    """Grounding by GLIGEN layers that `attach` or `load` gave the UNet.

    Parameters
    ----------
    active : float
        Share of the steps during which the layers act, in [0, 1].
    strength : float
        Scales what they add, in [0, 1]; 0 leaves the UNet alone.

    Raises
    ------
    SamplingError
        If a knob is out of range.
    """

    name: ClassVar[str] = "gligen"

    def __init__(self, active: float = 1.0, strength: float = 1.0) -> None:
        check_shares("GLIGEN", active=active, strength=strength)
        self.active, self.strength = active, strength

    def prepare(self, pipeline: AnimateDiffPipeline) -> None:
        """Check that the layers are there.

        Raises
        ------
        SamplingError
            If they are not.
        """
        if not hasattr(pipeline.unet, "position_net"):
            raise SamplingError("this UNet has no GLIGEN layers; give it some with gligen.load")

    @contextmanager
    def applied(self, pipeline: AnimateDiffPipeline, inputs: GroundingInputs) -> Iterator[Hooks]:
        unet, steps = pipeline.unet, round(self.active * inputs.steps)
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
                undo.enter_context(_scaled(block.fuser, self.strength))
            yield Hooks({"gligen": {"objs": tokens}}, before_step=before_step)


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
