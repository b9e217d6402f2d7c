"""LVD's energy guidance: the latents are pushed until the attention lies in the boxes.

Paper: Lian et al., "LLM-grounded Video Diffusion Models", ICLR 2024 (sec. 4). Before each of the
first steps the conditional half of the UNet runs, and an energy of its cross-attention maps A says
how far they are from the boxes m. It is summed over frames and heads, averaged over an object's
tokens, over objects and over layers::

    E = w_f (1 - mean top-k_f(A m)) + w_b mean top-k_b(A (1 - m)) + w_c (position + velocity)
    z <- z - scale * sqrt(1 - alpha_bar) * dE/dz

k_f and k_b are shares of the cells inside and outside. Position is the squared distance of the
map's centre of mass from the box's centre, velocity that of their changes to the next frame. Where
an object is absent only the outside counts. The steps may be of noise or velocity prediction, for
only the latents are changed.

================  =======================================================  =============  =======
knob              meaning                                                  typical range  default
================  =======================================================  =============  =======
scale             of the gradient; too much ruins the picture              1 to 600       5
iterations        most gradient steps before one sampling step             1 to 10        5
stop              share of the steps after which guidance ends             0.1 to 0.4     0.25
threshold         energy per frame and head below which none is taken      0 to 1         0.3
inside            w_f                                                      0.5 to 2       1
outside           w_b                                                      0.5 to 4       1
share             of the cells inside, and outside, that are k_f and k_b   0.1 to 1       0.5
centre            w_c, of the centre of mass                               0 to 1         0.05
coarsest          cells along the longer side of the coarsest maps used    8 to 16        8
finest            the same of the finest                                   16 to 64       32
following_tokens  see ``cross_attention.object_token_mask``                0 to 8         0
================  =======================================================  =============  =======

Every iteration is a forward and a backward pass of the conditional half, about three quarters of
the time of a guided sampling step, so that the defaults nearly double the time. The backward pass
keeps every activation of all frames in memory, and this decides how large a video fits. The method
is here as the baseline that others are compared with.

Scale, iterations and the share of the steps are the paper's defaults; the other knobs are ours, as
the energy is normalised in another way. The gradient is as large as the attention
is sharp: the shipped suite, whose objects get attention through several words at once, wants
a scale in the hundreds and `following_tokens`; its preset has both.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor

from spa2v_lib.errors import SamplingError
from spa2v_lib.sampling.grounding.base import (
    Grounding,
    GroundingInputs,
    Hooks,
    check_shares,
    steps_before,
)
from spa2v_lib.sampling.grounding.box_maps import MapSize, box_cover
from spa2v_lib.sampling.grounding.cross_attention import object_token_mask, observed

if TYPE_CHECKING:
    from diffusers import AnimateDiffPipeline

__all__ = ["LVDGuidance", "centre_energy"]

_HALF_SCALE = 256.0  # keeps gradients in half precision above its smallest number


@dataclass(frozen=True)
class LVDGuidance(Grounding):
    """Descend the energy of attention maps; the module's text has formula and knobs.

    Raises
    ------
    SamplingError
        If a knob is out of its bounds.

    See Also
    --------
    spa2v_lib.sampling.grounding.attention.AttentionGuidance : By edits instead of gradients.

    Examples
    --------
    >>> LVDGuidance(scale=10.0, stop=0.4).iterations
    5
    """

    name: ClassVar[str] = "lvd"
    takes_gradients: ClassVar[bool] = True

    scale: float = 5.0
    iterations: int = 5
    stop: float = 0.25
    threshold: float = 0.3
    inside: float = 1.0
    outside: float = 1.0
    share: float = 0.5
    centre: float = 0.05
    coarsest: int = 8
    finest: int = 32
    following_tokens: int = 0

    def __post_init__(self) -> None:
        bounded = ("scale", "iterations", "threshold", "inside", "outside", "centre")
        for knob in (*bounded, "following_tokens"):
            if getattr(self, knob) < 0:
                raise SamplingError(
                    f"LVD guidance's {knob} is {getattr(self, knob):g}; it must be at least 0"
                )
        check_shares("LVD guidance", stop=self.stop, share=self.share)

    @contextmanager
    def applied(self, pipeline: AnimateDiffPipeline, inputs: GroundingInputs) -> Iterator[Hooks]:
        """Yield the gradient steps as a hook; nothing is installed. See `Grounding.applied`.

        Raises
        ------
        SamplingError
            If the scheduler scales latents, which the formula does not.
        """
        scheduler = copy.deepcopy(pipeline.scheduler)
        if scheduler.init_noise_sigma != 1 or not hasattr(scheduler, "alphas_cumprod"):
            raise SamplingError(
                f"LVD guidance works with schedulers such as DDIM that keep latents at unit "
                f"variance; {type(scheduler).__name__} does not"
            )
        scheduler.set_timesteps(inputs.steps)
        named = object_token_mask(inputs.spans, self.following_tokens).any()
        steps = steps_before(self.stop, inputs.steps) if self.scale > 0 and named else 0

        def before_step(step: int, latents: Tensor) -> Tensor:
            if step >= steps:
                return latents
            time = int(scheduler.timesteps[step])
            noise = (1 - float(scheduler.alphas_cumprod[time])) ** 0.5
            return self._descend(pipeline, inputs, latents, time, self.scale * noise)

        yield Hooks(before_step=before_step)

    def _descend(
        self,
        pipeline: AnimateDiffPipeline,
        inputs: GroundingInputs,
        latents: Tensor,
        time: int,
        rate: float,
    ) -> Tensor:
        for _ in range(self.iterations):
            with torch.enable_grad():
                start = latents.detach().requires_grad_(True)
                energy, per_head = self.energy(pipeline, inputs, start, time)
                if per_head < self.threshold:
                    break
                factor = _HALF_SCALE if start.dtype == torch.float16 else 1.0
                (slope,) = torch.autograd.grad(energy * factor, start)
            latents = latents.detach() - rate / factor * slope
        return latents

    def energy(
        self,
        pipeline: AnimateDiffPipeline,
        inputs: GroundingInputs,
        latents: Tensor,
        time: int,
    ) -> tuple[Tensor, float]:
        """Compute the energy of latents [1, channels, frames, height, width] at a timestep.

        Returns
        -------
        Tensor [shape=()]
            The energy, of which a gradient can be taken.
        float
            The same for each frame and head, which `threshold` is compared with.

        Raises
        ------
        SamplingError
            If no map is as fine as was asked for.
        """
        found: list[tuple[Tensor, int]] = []
        tokens = object_token_mask(inputs.spans, self.following_tokens)

        def see(_name: str, size: MapSize, maps: Callable[[], Tensor]) -> None:
            if self.coarsest <= max(size) <= self.finest:
                attended = maps().float()
                energy = self._layer_energy(attended, inputs, tokens, size)
                found.append((energy, attended.shape[0] * attended.shape[1]))

        with observed(pipeline.unet, see):
            # Not by calling the UNet itself: its own hooks belong to the sampling loop.
            pipeline.unet.forward(
                latents,
                time,
                encoder_hidden_states=inputs.text,
                added_cond_kwargs={"image_embeds": list(inputs.images)} if inputs.images else None,
            )
        if not found:
            raise SamplingError(
                f"LVD guidance found no attention map with {self.coarsest} to {self.finest} cells "
                "on its longer side; change coarsest or finest"
            )
        total = torch.stack([energy for energy, _ in found]).mean()
        return total, sum(energy.item() / count for energy, count in found) / len(found)

    def _layer_energy(
        self, attended: Tensor, inputs: GroundingInputs, tokens: Tensor, size: MapSize
    ) -> Tensor:
        boxes, present = inputs.boxes.float(), inputs.present.float()
        cover = box_cover(boxes, present, size).flatten(2)
        energies = []
        for index in range(tokens.shape[1]):
            owned = tokens[:, index]
            if owned.any():
                used = owned.any(0).nonzero()[:, 0]
                maps = attended[..., used].transpose(2, 3)  # [frames, heads, tokens, cells]
                each = self.map_energy(maps, cover[:, index, None, None])
                if self.centre:
                    there = cover[:, index].amax(-1)
                    each = each + self.centre * centre_energy(maps, boxes[:, index], there, size)
                weight = owned[:, used].float()
                weight = weight / weight.sum(-1, keepdim=True).clamp(min=1)
                energies.append((each * weight[:, None]).sum())
        return torch.stack(energies).mean()

    def map_energy(self, maps: Tensor, inside: Tensor) -> Tensor:
        """Return the energy of maps inside and outside a box.

        Parameters
        ----------
        maps : Tensor [shape=(frames, heads, tokens, cells)]
            Attention, in [0, 1].
        inside : Tensor [shape=(frames, 1, 1, cells)]
            How far the box covers a cell, in [0, 1].

        Returns
        -------
        Tensor [shape=(frames, heads, tokens)]
        """
        there = inside.amax(-1)
        within = 1 - _top_mean(maps * inside, self.share * inside.sum(-1, keepdim=True))
        without = _top_mean(maps * (1 - inside), self.share * (1 - inside).sum(-1, keepdim=True))
        return self.inside * within * there + self.outside * without


def _top_mean(values: Tensor, count: Tensor) -> Tensor:
    """Average the largest `count` values, rounded, at least one, along the last axis."""
    count = count.round().clamp(min=1)
    rank = torch.arange(values.shape[-1], device=values.device)
    ordered = values.sort(dim=-1, descending=True).values
    return (ordered * (rank < count)).sum(-1) / count[..., 0]


def centre_energy(maps: Tensor, boxes: Tensor, there: Tensor, size: MapSize) -> Tensor:
    """Return the energy of centres of mass, and their moves, that differ from a box's.

    Parameters
    ----------
    maps : Tensor [shape=(frames, heads, tokens, cells)]
        Attention, in [0, 1].
    boxes : Tensor [shape=(frames, 4)]
        ``(x0, y0, x1, y1)`` in [0, 1].
    there : Tensor [shape=(frames,)]
        1 where the object is in the frame, else 0.
    size : MapSize
        Height and width of the maps in cells.

    Returns
    -------
    Tensor [shape=(frames, heads, tokens)]
        Squared distances, in picture widths and heights.

    See Also
    --------
    LVDGuidance : Adds it, times its `centre`.

    Examples
    --------
    >>> maps = torch.ones(2, 1, 1, 4) / 4
    >>> box = torch.tensor([[0.0, 0.0, 1.0, 1.0], [0.5, 0.0, 1.0, 1.0]])
    >>> centre_energy(maps, box, torch.ones(2), (2, 2)).flatten().tolist()
    [0.0625, 0.0625]
    """
    height, width = size
    mass = maps.unflatten(-1, size) / maps.sum(-1)[..., None, None].clamp(min=1e-8)
    x = (torch.arange(width, device=maps.device) + 0.5) / width
    y = (torch.arange(height, device=maps.device) + 0.5) / height
    found = torch.stack([(mass.sum(-2) * x).sum(-1), (mass.sum(-1) * y).sum(-1)], -1)
    off = found - ((boxes[:, :2] + boxes[:, 2:]) / 2)[:, None, None]
    position = off.square().sum(-1) * there[:, None, None]
    both = (there[1:] * there[:-1])[:, None, None]
    velocity = (off[1:] - off[:-1]).square().sum(-1) * both
    return position + torch.nn.functional.pad(velocity, (0, 0, 0, 0, 0, 1))
