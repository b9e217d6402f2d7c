"""MIGC: cross-attention that shades each object by itself inside its box.

Paper: Zhou et al., "MIGC: Multi-Instance Generation Controller for Text-to-Image Synthesis",
CVPR 2024; `spa2v_lib.sampling.grounding.migc_layers` holds the formulas. The layers sit in some of
a UNet's cross-attentions, as ``attn2.migc``, and act on the conditional half alone. For video every
frame has its own boxes and its own set of objects, which condition the layers beside the text, and
an object keeps one place among the scores in all frames and steps. (The authors' code shuffles the
places anew in each call; a video would flicker.) Published layers are given the soft masks that
they were published with (`spa2v_lib.sampling.grounding.box_maps.soft_masks`); the shipped ones the
share of each cell that a box covers.

========  ========================================================  =============  =======
knob      meaning                                                   typical range  default
========  ========================================================  =============  =======
stop      share of the steps after which the layers rest; the       0.3 to 1       0.5
          paper's is 25 of 50
strength  how far a layer's output goes from plain cross-attention  0.5 to 1       1
          (0) to MIGC's (1, the paper)
========  ========================================================  =============  =======
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from types import ModuleType
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from diffusers.models.attention_processor import Attention
from torch import Tensor, nn

from spa2v_lib.errors import SamplingError
from spa2v_lib.sampling.grounding import migc_weights
from spa2v_lib.sampling.grounding.base import (
    GroundingInputs,
    Hooks,
    LayerGrounding,
    steps_before,
)
from spa2v_lib.sampling.grounding.box_maps import MapSize, box_cover, soft_masks
from spa2v_lib.sampling.grounding.cross_attention import (
    States,
    conditional_start,
    processors_replaced,
    split_output,
)
from spa2v_lib.sampling.grounding.migc_layers import MOST_OBJECTS, Region, attend
from spa2v_lib.sampling.grounding.migc_weights import attached

if TYPE_CHECKING:
    from diffusers import AnimateDiffPipeline

__all__ = ["MIGC", "Objects", "grounded"]


@dataclass(frozen=True)
class Objects:
    """What each frame is to hold, padded to the same number of objects.

    Attributes
    ----------
    boxes : Tensor [shape=(frames, objects, 4)]
        ``(x0, y0, x1, y1)`` in [0, 1].
    present : Tensor [shape=(frames, objects)]
        1 where the object is in the frame, else 0.
    which : Tensor of int [shape=(frames, objects)]
        The object's phrase, a row of the two tables that follow.
    words : Tensor [shape=(phrases, tokens, text width)]
    pooled : Tensor [shape=(phrases, text width)]
    places : Tensor of int [shape=(objects,)]
        Where the objects stand among MIGC's 28; all different.
    picture : tuple of int
        Width and height in pixels, to which the published masks refer.

    Examples
    --------
    >>> objects = Objects(
    ...     boxes=torch.tensor([[[0.1, 0.2, 0.4, 0.6]]]),
    ...     present=torch.ones(1, 1),
    ...     which=torch.zeros(1, 1, dtype=torch.long),
    ...     words=torch.zeros(1, 4, 8),
    ...     pooled=torch.zeros(1, 8),
    ...     places=torch.arange(1),
    ... )
    >>> objects.picture
    (512, 512)
    """

    boxes: Tensor
    present: Tensor
    which: Tensor
    words: Tensor
    pooled: Tensor
    places: Tensor
    picture: tuple[int, int] = (512, 512)


class MIGC(LayerGrounding):
    """Grounding by MIGC layers that `spa2v_lib.sampling.grounding.migc_weights` gave the UNet.

    Parameters
    ----------
    stop : float
        Share of the steps during which the layers act, in [0, 1].
    strength : float
        How far they change a cross-attention's output, in [0, 1]; 0 leaves the UNet alone.

    Raises
    ------
    SamplingError
        If a knob is out of range.

    See Also
    --------
    spa2v_lib.sampling.grounding.gligen.GLIGEN : The other method with trained layers.

    Examples
    --------
    >>> MIGC(stop=0.5).strength
    1.0
    """

    name: ClassVar[str] = "migc"
    layers: ClassVar[ModuleType] = migc_weights

    def __init__(self, stop: float = 0.5, strength: float = 1.0) -> None:
        super().__init__(stop, strength)

    @contextmanager
    def applied(self, pipeline: AnimateDiffPipeline, inputs: GroundingInputs) -> Iterator[Hooks]:
        """Let the layers act in the first steps; see `Grounding.applied`.

        Raises
        ------
        SamplingError
            If the video holds more objects than MIGC has places for.
        """
        # As the authors count, the step that begins at `stop` is the last with layers.
        steps = steps_before(self.stop, inputs.steps) + 1 if self.stop else 0
        count = inputs.boxes.shape[1]
        if count > MOST_OBJECTS:
            raise SamplingError(f"{count} objects; MIGC holds at most {MOST_OBJECTS}")
        with ExitStack() as installed:
            if steps and self.strength and _visible(inputs.boxes, inputs.present).any():
                objects = _objects(pipeline, inputs)
                installed.enter_context(grounded(pipeline.unet, objects, strength=self.strength))

            def before_step(step: int, latents: Tensor) -> Tensor:
                if step >= steps:
                    installed.close()
                return latents

            yield Hooks(before_step=before_step)


def _objects(pipeline: AnimateDiffPipeline, inputs: GroundingInputs) -> Objects:
    frames, count = inputs.present.shape
    tokens = pipeline.tokenizer(
        list(inputs.phrases), padding="max_length", truncation=True, return_tensors="pt"
    )
    encoded = pipeline.text_encoder(tokens.input_ids.to(pipeline.text_encoder.device))
    places = torch.arange(count, device=inputs.boxes.device)
    return Objects(
        boxes=inputs.boxes,
        present=inputs.present,
        which=places.expand(frames, -1),
        words=encoded.last_hidden_state.to(inputs.boxes),
        pooled=encoded.pooler_output.to(inputs.boxes),
        places=places,
        picture=inputs.picture,
    )


@contextmanager
def grounded(unet: nn.Module, objects: Objects, *, strength: float = 1.0) -> Iterator[None]:
    """Let the MIGC layers of `unet` act; on leaving, it computes what it did before.

    Parameters
    ----------
    unet : nn.Module
        Called with batches of as many pictures as `objects` has frames, or twice as many: then the
        first half is the unconditional one of classifier-free guidance, and left alone.
    objects : Objects
        Boxes, texts and tokens of the video's objects.
    strength : float
        In [0, 1]; 0 leaves the UNet alone.

    See Also
    --------
    MIGC : For the first steps of a video.

    Examples
    --------
    >>> from spa2v_lib.sampling.loading import load
    >>> unet = load("tiny", "cpu", layers=["migc"]).unet
    >>> width = unet.config.cross_attention_dim
    >>> objects = Objects(
    ...     boxes=torch.tensor([[[0.1, 0.2, 0.4, 0.6]]]),
    ...     present=torch.ones(1, 1),
    ...     which=torch.zeros(1, 1, dtype=torch.long),
    ...     words=torch.zeros(1, 4, width),
    ...     pooled=torch.zeros(1, width),
    ...     places=torch.arange(1),
    ... )
    >>> latents = torch.zeros(1, unet.config.in_channels, 1, 16, 16)
    >>> with torch.no_grad(), grounded(unet, objects):
    ...     with_boxes = unet(latents, 0, torch.zeros(1, 4, width)).sample
    >>> with_boxes.shape == latents.shape
    True
    """
    regions = _Regions(objects)
    with processors_replaced(
        unet,
        attached(unet).values(),
        lambda plain, sizes: _Grounded(plain, regions, sizes, strength),
    ):
        yield


class _Regions:
    """What conditions the layers, at any map size."""

    def __init__(self, objects: Objects) -> None:
        self.objects = objects
        self.visible = _visible(objects.boxes, objects.present)
        self._known: dict[tuple[MapSize, bool], Region] = {}

    def at(self, size: MapSize, graded: bool) -> Region:
        if (size, graded) not in self._known:
            boxes, visible = self.objects.boxes.float().clamp(0, 1), self.visible.float()
            if graded:
                cover, rest = box_cover(boxes, visible, size), None
            else:
                cover, rest = soft_masks(boxes, visible, self.objects.picture, size)
            self._known[size, graded] = Region(
                cover=cover,
                rest=rest,
                boxes=boxes,
                present=self.visible,
                pooled=self.objects.pooled[self.objects.which],
                places=self.objects.places,
            )
        return self._known[size, graded]


def _visible(boxes: Tensor, present: Tensor) -> Tensor:
    """Tell which objects are in their frame with a box that has an area inside the picture."""
    sides = boxes.clamp(0, 1)[..., 2:] - boxes.clamp(0, 1)[..., :2]
    return (present > 0) & (sides > 0).all(-1)


class _Grounded(nn.Module):
    """An attention processor: `plain`, and then MIGC on the conditional half.

    It is a module so that a processor with weights, IP-Adapter's, moves to other devices in it.
    """

    def __init__(
        self,
        plain: Any,
        regions: _Regions,
        sizes: dict[Attention, MapSize],
        strength: float,
    ) -> None:
        super().__init__()
        self.plain, self.regions, self.sizes = plain, regions, sizes
        self.strength = strength

    def __call__(
        self,
        attn: Attention,
        hidden_states: Tensor,
        encoder_hidden_states: States,
        attention_mask: Tensor | None = None,
    ) -> Tensor:
        first = conditional_start(hidden_states, len(self.regions.visible), "MIGC")
        plain = self.plain(attn, hidden_states, encoder_hidden_states, attention_mask)
        x = hidden_states[first:]
        given = encoder_hidden_states
        if isinstance(given, tuple):
            given = given[0][first:], []
        whole, image = split_output(self.plain, attn, x, given, plain[first:])
        region = self.regions.at(self.sizes[attn], attn.migc.graded)
        changed = attn.migc(x, whole, self._phrases(attn, x), region)
        if self.strength != 1.0:
            changed = torch.lerp(whole, changed, self.strength)
        return torch.cat([plain[:first], changed + image])

    def _phrases(self, attn: Attention, x: Tensor) -> Tensor:
        """Return the cross-attention's output for each object's phrase."""
        objects = self.regions.objects
        words = objects.words.to(x)
        key, value = (part(words)[objects.which] for part in (attn.to_k, attn.to_v))
        attended = attend(attn.to_q(x), key, value, attn.heads)
        return attn.to_out[1](attn.to_out[0](attended)) / attn.rescale_output_factor
