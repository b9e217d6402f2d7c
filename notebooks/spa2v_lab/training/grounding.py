"""The tiny suite's grounding layers: GLIGEN with an instance mask, and MIGC; the base is frozen."""

from __future__ import annotations

from pathlib import Path

import torch
from diffusers import UNet2DConditionModel
from safetensors.torch import save_file
from torch import Tensor, nn
from transformers import CLIPTextModel

from spa2v_lab.training.autoencoder import EncodedSet
from spa2v_lab.training.base import Base, drop_captions, object_weights, tokenize, velocity_loss
from spa2v_lab.training.data import PHRASES
from spa2v_lab.training.loop import Plan, fit
from spa2v_lib.sampling.grounding import gligen_layers, migc_weights
from spa2v_lib.sampling.grounding.cross_attention import layers
from spa2v_lib.sampling.grounding.migc import Objects, grounded
from spa2v_lib.sampling.grounding.migc_layers import MOST_OBJECTS

__all__ = ["layer_parameters", "save_layers", "train_gligen", "train_migc"]

_EARLY = 0.7
"""Share of examples from the noisiest third of the times: there an object's outline is decided, and
which way it looks."""

_OBJECT_WEIGHT = 8.0
"""Added to the loss's weight where objects are – what is around them, the frozen base draws."""


@torch.no_grad()
def _open_gates(unet: UNet2DConditionModel) -> None:
    """Open the gates, and let nothing through them at first.

    GLIGEN starts with closed gates. In a training as short as this one they hardly open: after 800
    steps no attention gate was open by more than 0.015. Output projections of zero make
    the same start, the frozen base as it was, but learn at full speed.
    """
    for name, module in unet.named_modules():
        if name.endswith(".fuser"):
            module.alpha_attn.fill_(1.0)
            module.alpha_dense.fill_(1.0)
            for last in (module.attn.to_out[0], module.ff.net[2]):
                torch.nn.init.zeros_(last.weight)
                torch.nn.init.zeros_(last.bias)


def layer_parameters(unet: nn.Module) -> dict[str, nn.Parameter]:
    """Return the parameters of the grounding layers of a UNet, GLIGEN's or MIGC's, by name.

    Parameters
    ----------
    unet : nn.Module
        Of diffusers, with or without motion modules.

    See Also
    --------
    save_layers : Writes them.

    Examples
    --------
    >>> from spa2v_lib.sampling.loading import load
    >>> unet = load("tiny", "cpu", layers=["gligen"]).unet
    >>> any(name.startswith("position_net.") for name in layer_parameters(unet))
    True
    """
    return {
        name: value
        for name, value in unet.named_parameters()
        if ".fuser." in name or ".migc." in name or name.startswith("position_net.")
    }


def save_layers(unet: nn.Module, path: Path) -> None:
    """Write the grounding layers of a UNet as safetensors, in half precision.

    Parameters
    ----------
    unet : nn.Module
        With GLIGEN layers or MIGC layers.
    path : Path
        Ends in .safetensors.

    See Also
    --------
    spa2v_lib.sampling.grounding.gligen_layers.load : Reads GLIGEN layers.
    spa2v_lib.sampling.grounding.migc_weights.load : Reads MIGC layers.

    Examples
    --------
    >>> from spa2v_lib.sampling.loading import load
    >>> unet = load("tiny", "cpu", layers=["gligen"]).unet
    >>> save_layers(unet, Path("layers.safetensors"))
    >>> gligen_layers.load(unet, Path("layers.safetensors"))
    """
    kept = layer_parameters(unet).items()
    save_file({name: value.detach().half().contiguous() for name, value in kept}, path)


def _frozen(
    base: Base, drawn: EncodedSet, seed: int
) -> tuple[UNet2DConditionModel, CLIPTextModel, Tensor, Tensor, Tensor]:
    """Freeze a base; return its networks, and the ids of all captions, of none, and of `PHRASES`."""
    torch.manual_seed(seed)
    unet, text, tokenizer = base
    unet.requires_grad_(False)
    text.requires_grad_(False)
    sentences = list(drawn.captions), [""], list(PHRASES)
    return unet, text, *(tokenize(tokenizer, s).to(drawn.latents.device) for s in sentences)


def train_gligen(
    base: Base, drawn: EncodedSet, start: Path | None, plan: Plan, folder: Path
) -> dict:
    """Attach GLIGEN layers to a base and train them; the base keeps its weights.

    Parameters
    ----------
    base : Base
        It is frozen.
    drawn : EncodedSet
    start : Path or None
        Layers that were trained before, for example on smaller pictures; new ones if None.
    plan : Plan
    folder : Path
        Of checkpoints.

    See Also
    --------
    train_migc : the other type

    Examples
    --------
    >>> plan = Plan(5000, 256, 1e-3)
    >>> log = train_gligen(base, drawn, None, plan, Path("work"))  # doctest: +SKIP
    """
    unet, text, ids, empty, prompts = _frozen(base, drawn, plan.seed)
    if start:
        gligen_layers.load(unet, start)
    else:
        gligen_layers.attach(unet, masked=True)
        _open_gates(unet)
    latents, boxes, which, device = drawn.latents, drawn.boxes, drawn.phrases, drawn.latents.device
    pooled = text(prompts).pooler_output

    def loss(generator: torch.Generator) -> Tensor:
        rows = torch.randint(len(latents), (plan.batch,), generator=generator, device=device)
        words = text(drop_captions(ids[rows], empty, generator)).last_hidden_state
        objects = {
            "boxes": boxes[rows],
            "masks": (which[rows] >= 0).float(),
            "positive_embeddings": pooled[which[rows].clamp(min=0)],
        }

        def predict(noisy: Tensor, times: Tensor) -> Tensor:
            kwargs = {"gligen": objects}  # the image UNet makes the tokens itself
            return unet(noisy, times, words, cross_attention_kwargs=kwargs).sample

        weights = object_weights(boxes[rows], latents.shape[-1], _OBJECT_WEIGHT)
        return velocity_loss(predict, latents[rows], weights, generator, _EARLY)

    return fit("gligen", list(layer_parameters(unet).values()), loss, plan, folder)


def train_migc(
    base: Base,
    drawn: EncodedSet,
    start: Path | None,
    plan: Plan,
    folder: Path,
    parts: tuple[str, ...] = ("mid_block", "up_blocks"),
) -> dict:
    """Attach MIGC layers to a base and train them; the base keeps its weights.

    Objects take random places among MIGC's, so that a video may hold more of them than a drawn
    frame.

    Parameters
    ----------
    base, drawn, start, plan, folder
        As for `train_gligen`.
    parts : tuple of str
        Where the UNet's cross-attentions get new layers.

    See Also
    --------
    train_gligen : the other type

    Examples
    --------
    >>> plan = Plan(4000, 256, 1e-3)
    >>> log = train_migc(base, drawn, None, plan, Path("work"))  # doctest: +SKIP
    """
    unet, text, ids, empty, prompts = _frozen(base, drawn, plan.seed)
    if start:
        migc_weights.load(unet, start)
    else:
        migc_weights.attach(unet, [name for name in layers(unet) if name.startswith(parts)])
    latents, boxes, which, device = drawn.latents, drawn.boxes, drawn.phrases, drawn.latents.device
    phrases = text(prompts)

    def loss(generator: torch.Generator) -> Tensor:
        random = {"generator": generator, "device": device}
        rows = torch.randint(len(latents), (plan.batch,), **random)
        words = text(drop_captions(ids[rows], empty, generator)).last_hidden_state
        present = which[rows] >= 0
        used = present.any(0).nonzero()[:, 0]  # columns without an object would only cost time
        objects = Objects(
            boxes=boxes[rows][:, used],
            present=present[:, used].float(),
            which=which[rows][:, used].clamp(min=0),
            words=phrases.last_hidden_state,
            pooled=phrases.pooler_output,
            places=torch.randperm(MOST_OBJECTS, **random)[: len(used)],
        )

        def predict(noisy: Tensor, times: Tensor) -> Tensor:
            return unet(noisy, times, words).sample

        weights = object_weights(boxes[rows], latents.shape[-1], _OBJECT_WEIGHT)
        with grounded(unet, objects):
            return velocity_loss(predict, latents[rows], weights, generator, _EARLY)

    return fit("migc", list(layer_parameters(unet).values()), loss, plan, folder)
