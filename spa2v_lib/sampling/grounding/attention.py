"""Initial noise that moves with the boxes, so that what grows from it tends to move along.

Paper: Qiu et al., "FreeTraj: Tuning-Free Trajectory Control in Video Diffusion Models", 2024; the
frequency mix is that of Wu et al., "FreeInit: Bridging Initialization Gap in Video Diffusion
Models", ECCV 2024.

In every frame, an object's box is filled with one and the same patch of noise, which thereby moves
along the path. Of that noise only the low frequencies in space and time are kept; the high ones
come from fresh noise, for a denoiser has never met noise that repeats itself in detail. The filter
is a Butterworth low-pass of order n = 4, L = 1 / (1 + (d/d_s)^(2n)), with the distance d in units
of half the sampling rate, time stretched by d_s/d_t; d_s = 0.25, d_t = 0.1.

Two things are ours. The halves are mixed as ``(L low + (1 - L) high) / sqrt(L² + (1 - L)²)``, so
that white noise stays white through the mix. And as repeated noise is not white, but strong in low
frequencies, every frame is brought back to unit variance at the end.

Attention guidance: boxes are followed by editing the model's own attention, forward only.

Paper: Ma, Lewis, Kleijn, "TrailBlazer: Trajectory Control for Diffusion-Based Video Generation",
SIGGRAPH Asia 2024. Of its two edits this is the one to spatial cross-attention; attention over time
is left alone.

In the first steps, in which a picture's composition is decided, every cross-attention map of the
conditional half is changed after the softmax, for the tokens that name an object::

    A <- A * (1 inside, w outside) + s * max(A) * G

G is a bell over the box, its deviation a third of the box's sides, nothing outside; max(A) is the
most that any cell of the frame attends to any edited token, for each head. The trailing tokens,
behind a sentence's words, carry the sentence as a whole; they are given all boxes together. In
frames without an object, its words are outside everywhere. No layer is added and no gradient taken:
it works on any base model.

================  =======================================================  =============  =======
knob              meaning                                                  typical range  default
================  =======================================================  =============  =======
strength          s, of the bell; 0 leaves the UNet untouched              0.05 to 0.3    0.15
outside           w, the share of an object's attention kept outside       0 to 0.1       0.001
stop              share of the steps after which guidance ends             0.1 to 0.4     0.2
padding_tokens    how many tokens at the end of each sentence are edited   0 to 20        10
                  (TrailBlazer's trailing attention maps)
following_tokens  see ``cross_attention.object_token_mask``                0 to 8         0
noise             start from noise that moves with the boxes (FreeTraj)    off or on      off
================  =======================================================  =============  =======

Too much strength makes flat, broken pictures. The defaults are the paper's. What suits a base
depends on its text encoder: the shipped suite, which attends to words behind a name, wants other
knobs (its preset has them), no trailing tokens and more strength.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from diffusers.models.attention_processor import Attention
from torch import Tensor

from spa2v_lib.errors import SamplingError
from spa2v_lib.sampling.grounding.base import Grounding, GroundingInputs, Hooks, steps_before
from spa2v_lib.sampling.grounding.box_maps import MapSize, box_cover
from spa2v_lib.sampling.grounding.cross_attention import (
    States,
    conditional_start,
    layers,
    object_token_mask,
    probabilities,
    processors_replaced,
    split_output,
    text_of,
)

if TYPE_CHECKING:
    from diffusers import AnimateDiffPipeline

__all__ = [
    "AttentionGuidance",
    "MapEditor",
    "trajectory_noise",
]


def trajectory_noise(
    noise: Tensor,
    boxes: Tensor,
    present: Tensor,
    seed: int,
    *,
    space: float = 0.25,
    time: float = 0.1,
    order: int = 4,
) -> Tensor:
    """Return noise whose low frequencies move with the boxes.

    Parameters
    ----------
    noise : Tensor [shape=(1, channels, frames, height, width)]
        White, of unit variance; its high frequencies are kept.
    boxes : Tensor [shape=(frames, objects, 4)]
        ``(x0, y0, x1, y1)`` in [0, 1]. Boxes without area inside the picture do not count; of
        boxes that overlap the later object's lies on top.
    present : Tensor [shape=(frames, objects)]
        1 where the object is in the frame, else 0.
    seed : int
        Of the patches.
    space, time : float
        Stop frequencies of the low-pass as shares of half the sampling rate; typical 0.1 to 0.5.
    order : int
        Steepness of the low-pass.

    Returns
    -------
    Tensor [shape=(1, channels, frames, height, width)]
        Of unit variance in every frame; `noise` itself where no box counts in any frame.

    See Also
    --------
    AttentionGuidance : Starts from it with ``noise=on``.

    Examples
    --------
    >>> noise = torch.randn(1, 4, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    >>> boxes = torch.tensor([[[0.0, 0.0, 0.5, 0.5]]]).repeat(3, 1, 1)
    >>> moved = trajectory_noise(noise, boxes, torch.ones(3, 1), seed=0)
    >>> moved.shape, round(moved.square().mean().item(), 3)
    (torch.Size([1, 4, 3, 8, 8]), 1.0)
    """
    generator = torch.Generator("cpu").manual_seed(seed)
    shape = (noise.shape[1], *noise.shape[3:])
    moved, pasted = noise.float().clone(), False
    for index in range(boxes.shape[1]):
        patch = torch.randn(shape, generator=generator).to(moved)
        for frame in range(boxes.shape[0]):
            if present[frame, index] > 0:
                pasted |= _paste(moved[0, :, frame], patch, boxes[frame, index])
    if not pasted:
        return noise
    low = _low_pass(noise.shape[2:], space, time, order).to(moved.device)
    mixed = low * torch.fft.fftn(moved, dim=(2, 3, 4))
    mixed = mixed + (1 - low) * torch.fft.fftn(noise.float(), dim=(2, 3, 4))
    mixed = mixed / (low.square() + (1 - low).square()).sqrt()
    found = torch.fft.ifftn(mixed, dim=(2, 3, 4)).real
    return (found / found.square().mean((1, 3, 4), keepdim=True).sqrt()).to(noise)


def _paste(frame: Tensor, patch: Tensor, box: Tensor) -> bool:
    """Fill a box of a frame [channels, h, w] with the middle of `patch`; say if there was room.

    The patch is shifted by whole cells, never resized, for resized noise is not white.
    """
    height, width = frame.shape[1:]
    top, bottom, up = _cells(box[1], box[3], height)
    left, right, aside = _cells(box[0], box[2], width)
    if top >= bottom or left >= right:
        return False
    moved = patch.roll((up, aside), dims=(1, 2))
    frame[:, top:bottom, left:right] = moved[:, top:bottom, left:right]
    return True


def _cells(low: Tensor, high: Tensor, count: int) -> tuple[int, int, int]:
    """Return the first and last cell of an interval, and how far its middle is from the middle."""
    low, high = float(low), float(high)
    start, end = max(low, 0.0), min(high, 1.0)
    if start >= end:
        return 0, 0, 0
    first = min(round(start * count), count - 1)
    return first, max(round(end * count), first + 1), round((low + high - 1) / 2 * count)


def _low_pass(size: tuple[int, int, int], space: float, time: float, order: int) -> Tensor:
    """Return the Butterworth filter for a transform over frames, height and width."""
    rates = (2 * torch.fft.fftfreq(count) for count in size)
    t, y, x = torch.meshgrid(*rates, indexing="ij")
    distance = (t * space / time).square() + y.square() + x.square()
    return 1 / (1 + (distance / space**2) ** order)


@dataclass(frozen=True)
class AttentionGuidance(Grounding):
    """Edit cross-attention towards the boxes; the module's text has formula and knobs.

    Raises
    ------
    SamplingError
        If a knob is out of its bounds.

    See Also
    --------
    spa2v_lib.sampling.grounding.lvd.LVDGuidance : By gradients instead of edits.

    Examples
    --------
    >>> AttentionGuidance(strength=0.3, stop=0.4).outside
    0.001
    """

    name: ClassVar[str] = "attention"
    editor: ClassVar[type[MapEditor]]  # what a subclass may compute in another way

    strength: float = 0.15
    outside: float = 0.001
    stop: float = 0.2
    padding_tokens: int = 10
    following_tokens: int = 0
    noise: bool = False

    def __post_init__(self) -> None:
        for knob, high in (("strength", float("inf")), ("outside", 1.0), ("stop", 1.0)):
            if not 0 <= getattr(self, knob) <= high:
                raise SamplingError(
                    f"attention guidance's {knob} is {getattr(self, knob):g}; "
                    f"it must be at least 0{f' and at most {high:g}' if high == 1 else ''}"
                )
        for knob in ("padding_tokens", "following_tokens"):
            if getattr(self, knob) < 0:
                raise SamplingError(
                    f"attention guidance's {knob} is {getattr(self, knob)}; it must be at least 0"
                )

    @contextmanager
    def applied(self, pipeline: AnimateDiffPipeline, inputs: GroundingInputs) -> Iterator[Hooks]:
        """Install the edits for the first steps; see `Grounding.applied`."""
        steps = steps_before(self.stop, inputs.steps) if self.strength > 0 else 0
        with ExitStack() as installed:
            places = _Places(self, inputs, pipeline.tokenizer.model_max_length)
            if steps and len(places.tokens):
                unet = pipeline.unet
                edited = processors_replaced(
                    unet,
                    layers(unet).values(),
                    lambda plain, sizes: self.editor(plain, places, sizes),
                )
                installed.enter_context(edited)

            def before_step(step: int, latents: Tensor) -> Tensor:
                if step >= steps:
                    installed.close()
                return latents

            yield Hooks(before_step=before_step, **self._noise_hook(inputs))

    def _noise_hook(self, inputs: GroundingInputs) -> dict[str, Any]:
        if not self.noise:
            return {}
        return {
            "initial_noise": partial(
                trajectory_noise, boxes=inputs.boxes, present=inputs.present, seed=inputs.seed
            )
        }


class _Places:
    """Where each token of each frame belongs, at any map size."""

    def __init__(self, knobs: AttentionGuidance, inputs: GroundingInputs, sentence: int) -> None:
        self.knobs = knobs
        self.frames = len(inputs.boxes)
        self.boxes, self.present = inputs.boxes.float(), inputs.present.float()
        spoken = object_token_mask(inputs.spans, knobs.following_tokens)
        self.spans = _with_padding(spoken, knobs.padding_tokens, sentence)
        self.tokens = self.spans.any(1).any(0).nonzero()[:, 0]  # those edited in any frame
        self._maps: dict[MapSize, tuple[Tensor, Tensor]] = {}

    def maps(self, size: MapSize) -> tuple[Tensor, Tensor]:
        """Return what edited tokens are multiplied with, and the bells to add to them.

        Both are [frames, 1, cells, edited tokens].
        """
        if size not in self._maps:
            cover = box_cover(self.boxes, self.present, size)
            bell = cover * _bells(self.boxes, size)
            owned = self.spans[:, :, self.tokens]  # [frames, objects, edited]
            inside, bell = _of_objects(cover, owned), _of_objects(bell, owned)
            weight = self.knobs.outside + (1 - self.knobs.outside) * inside
            weight = torch.where(owned.any(1)[:, None], weight, 1.0)
            self._maps[size] = weight[:, None], bell[:, None]
        return self._maps[size]


def _with_padding(spans: Tensor, count: int, sentence: int) -> Tensor:
    """Give the last `count` tokens of each sentence to all objects of the frame.

    An object that its frame's text does not name has no claim on them.
    """
    last = torch.zeros(spans.shape[-1], dtype=torch.bool, device=spans.device)
    for end in range(sentence, spans.shape[-1] + 1, sentence):
        last[end - min(count, sentence) : end] = True
    return spans | (spans.any(-1, keepdim=True) & last)


def _of_objects(maps: Tensor, owned: Tensor) -> Tensor:
    """Turn maps of objects [frames, objects, h, w] into those of tokens [frames, cells, tokens].

    A token of several objects has the largest of their values.
    """
    values = maps.flatten(2)[..., None] * owned[:, :, None]
    return values.amax(1)


def _bells(boxes: Tensor, size: MapSize) -> Tensor:
    """Return a bell for every box [..., 4] on a map, 1 at its height, as [..., h, w]."""
    x0, y0, x1, y1 = boxes.unbind(-1)
    across, down = _bell(x0, x1, size[1]), _bell(y0, y1, size[0])
    return down[..., :, None] * across[..., None, :]


def _bell(low: Tensor, high: Tensor, count: int) -> Tensor:
    """Sample a bell over an interval at the middles of `count` cells; its largest sample is 1."""
    at = (torch.arange(count, device=low.device, dtype=low.dtype) + 0.5) / count
    deviation = ((high - low) / 3).clamp(min=1e-3)[..., None]
    exponent = -0.5 * ((at - (low + high)[..., None] / 2) / deviation).square()
    return (exponent - exponent.amax(-1, keepdim=True)).exp()


class MapEditor(torch.nn.Module):
    """An attention processor that edits the conditional half and leaves the other to `plain`.

    It is a module so that a processor with weights, IP-Adapter's, moves to other devices in it.

    A subclass that computes the edited half in another way becomes the `editor` of a subclass of
    `AttentionGuidance`.

    Examples
    --------
    >>> AttentionGuidance.editor is MapEditor
    True
    """

    def __init__(self, plain: Any, places: _Places, sizes: dict[Attention, MapSize]) -> None:
        super().__init__()
        self.plain, self.places, self.sizes = plain, places, sizes

    def __call__(
        self,
        attn: Attention,
        hidden_states: Tensor,
        encoder_hidden_states: States,
        attention_mask: Tensor | None = None,
    ) -> Tensor:
        first = conditional_start(hidden_states, self.places.frames, "attention guidance")
        text = text_of(encoder_hidden_states)
        edited = self.edited(attn, hidden_states[first:], text[first:])
        if isinstance(encoder_hidden_states, tuple):
            whole = self.plain(attn, hidden_states, encoder_hidden_states, attention_mask)
            given = attn, hidden_states[first:], (text[first:], [])
            _, image = split_output(self.plain, *given, whole[first:])
            return torch.cat([whole[:first], edited + image])
        if not first:
            return edited
        plain = self.plain(attn, hidden_states[:first], text[:first], attention_mask)
        return torch.cat([plain, edited])

    def edited(self, attn: Attention, pictures: Tensor, text: Tensor) -> Tensor:
        """Return the layer's output for pictures [n, cells, dim] and text [n, tokens, width]."""
        attended = probabilities(attn, pictures, text)
        weight, bell = (m.to(attended) for m in self.places.maps(self.sizes[attn]))
        chosen = attended[..., self.places.tokens]
        most = chosen.amax((2, 3), keepdim=True)
        attended[..., self.places.tokens] = (
            chosen * weight + self.places.knobs.strength * most * bell
        )
        value = attn.head_to_batch_dim(attn.to_v(text))
        mixed = attn.batch_to_head_dim(attended.flatten(0, 1) @ value)
        return attn.to_out[1](attn.to_out[0](mixed)) / attn.rescale_output_factor


AttentionGuidance.editor = MapEditor
