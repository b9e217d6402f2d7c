"""Look inside while a video is sampled: where objects get attention, and the picture to come.

A `Recorder` works beside any grounding method. It keeps, for each step, small maps of how much each
position of each frame attends to an object's words, and a preview of the video as the denoiser
expects it at that step. The maps are the model's own, before a method edits them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from spa2v_lib.errors import SamplingError
from spa2v_lib.sampling.grounding.base import GroundingInputs
from spa2v_lib.sampling.grounding.box_maps import MapSize
from spa2v_lib.sampling.grounding.cross_attention import object_token_mask, observed

if TYPE_CHECKING:
    from diffusers import AnimateDiffPipeline

__all__ = ["Recorder", "StepRecord"]


@dataclass(frozen=True)
class StepRecord:
    """What was seen at one step.

    Attributes
    ----------
    step, timestep : int
        Number of the step, from 0, and its time on the noise schedule, from 999 down to 0.
    maps : np.ndarray [shape=(frames, objects, height, width), dtype=float16]
        Attention to the object's tokens, added over them, averaged over heads and layers; in
        [0, 1]. Zeros where a frame's text does not name the object. No objects without grounding
        inputs.
    preview : np.ndarray [shape=(frames shown, height, width, 3), dtype=uint8]
        The video that the denoiser expects, small.

    See Also
    --------
    Recorder : Makes them.

    Examples
    --------
    >>> maps, preview = np.zeros((2, 1, 8, 8), np.float16), np.zeros((1, 16, 16, 3), np.uint8)
    >>> StepRecord(step=0, timestep=999, maps=maps, preview=preview).timestep
    999
    """

    step: int
    timestep: int
    maps: np.ndarray
    preview: np.ndarray


class Recorder:
    """Keep what happens inside while a video is sampled.

    Enter `recording` around the sampling and pass `after_step` as, or call it from,
    ``callback_on_step_end``, before latents are changed there; then read `steps`.

    Parameters
    ----------
    cells : int
        Longer side of the maps that are kept; of the resolutions that the UNet has, the nearest is
        taken. 16 is where objects show best in Stable Diffusion.
    frames : int
        How many frames a preview shows, spread over the video; 0 for no preview.
    side : int
        Longer side of the preview in latent cells, of 8 pixels each as a rule; larger latents are
        averaged before they are decoded.
    following_tokens : int
        Which tokens are looked at; see
        `spa2v_lib.sampling.grounding.cross_attention.object_token_mask`.
    on_step : callable, optional
        Called with each `StepRecord` as it is made, to show it while sampling goes on.

    Attributes
    ----------
    steps : list of StepRecord

    See Also
    --------
    spa2v_lib.sampling.generate : Takes one as ``recorder``.

    Examples
    --------
    >>> from spa2v_lib.sampling import generate
    >>> from spa2v_lib.sampling.selfcheck import known_layout
    >>> layout = known_layout(1.0).model_copy(update={"duration_s": 0.25})
    >>> recorder = Recorder(frames=1)
    >>> _ = generate(layout, steps=1, recorder=recorder)
    >>> recorder.steps[0].maps.shape[:2], recorder.steps[0].preview.shape
    ((2, 1), (1, 128, 128, 3))
    """

    def __init__(
        self,
        *,
        cells: int = 16,
        frames: int = 4,
        side: int = 32,
        following_tokens: int = 0,
        on_step: Callable[[StepRecord], None] | None = None,
    ) -> None:
        self.cells, self.frames, self.side, self.following_tokens = (
            cells,
            frames,
            side,
            following_tokens,
        )
        self.on_step = on_step
        self.steps: list[StepRecord] = []
        self._maps: dict[MapSize, list[Tensor]] = {}
        self._size: MapSize | None = None
        self._last: tuple[Tensor, Tensor] | None = None  # the UNet's input and prediction
        self._inside = False

    @contextmanager
    def recording(
        self, pipeline: AnimateDiffPipeline, inputs: GroundingInputs | None
    ) -> Iterator[Recorder]:
        """Record while entered; the pipeline is left as it was found.

        Parameters
        ----------
        pipeline : AnimateDiffPipeline
        inputs : GroundingInputs or None
            Which tokens name the objects; None keeps previews alone.
        """
        self.steps, self._size = [], None
        tokens = None if inputs is None else object_token_mask(inputs.spans, self.following_tokens)

        def see(_name: str, size: MapSize, maps: Callable[[], Tensor]) -> None:
            if tokens is not None and self._inside and self._size in (None, size):
                with torch.no_grad():
                    self._maps.setdefault(size, []).append(_summed(maps(), tokens))

        def begin(_unet: Any, _arguments: tuple) -> None:
            self._inside, self._maps = True, {}

        def end(_unet: Any, arguments: tuple, output: Any) -> None:
            self._inside = False
            predicted = output[0] if isinstance(output, tuple) else output.sample
            self._last = arguments[0], predicted

        # Only calls of the UNet as a whole are the sampling loop's; energy guidance goes past them.
        handles = [
            pipeline.unet.register_forward_pre_hook(begin),
            pipeline.unet.register_forward_hook(end),
        ]
        try:
            with observed(pipeline.unet, see):
                yield self
        finally:
            for handle in handles:
                handle.remove()
            self._maps, self._last, self._inside = {}, None, False

    def after_step(
        self, pipeline: AnimateDiffPipeline, step: int, timestep: Any, tensors: dict[str, Any]
    ) -> dict[str, Any]:
        """Keep a step; has the form of ``callback_on_step_end`` and changes nothing.

        Raises
        ------
        SamplingError
            If nothing was recorded, as outside of `recording`.
        """
        if self._last is None:
            raise SamplingError("the recorder saw no step; enter its recording() around sampling")
        given, predicted = self._last
        record = StepRecord(
            step=step,
            timestep=int(timestep),
            maps=self._taken(given),
            preview=self._preview(pipeline, int(timestep), given, predicted),
        )
        self.steps.append(record)
        if self.on_step:
            self.on_step(record)
        return tensors

    def _taken(self, given: Tensor) -> np.ndarray:
        if not self._maps:
            return np.zeros((given.shape[2], 0, 1, 1), np.float16)
        nearest = min(self._maps, key=lambda size: abs(np.log(max(size) / self.cells)))
        self._size = nearest  # the others need not be computed any more
        maps = torch.stack(self._maps[nearest]).mean(0).unflatten(-1, nearest)
        return maps.half().cpu().numpy()

    def _preview(
        self, pipeline: AnimateDiffPipeline, timestep: int, given: Tensor, predicted: Tensor
    ) -> np.ndarray:
        count = min(self.frames, given.shape[2])
        if not count:
            return np.zeros((0, 1, 1, 3), np.uint8)
        shown = np.linspace(0, given.shape[2] - 1, count).round().astype(int).tolist()
        clean = _expected(pipeline, timestep, given[:, :, shown], predicted[:, :, shown])
        ratio = self.side / max(clean.shape[-2:])
        if ratio < 1:
            size = [max(1, round(n * ratio)) for n in clean.shape[-2:]]
            clean = torch.nn.functional.adaptive_avg_pool3d(clean, (count, *size))
        with torch.no_grad():
            video = pipeline.decode_latents(clean)[0].permute(1, 2, 3, 0)
        pixels = (video.float().cpu().numpy() / 2 + 0.5).clip(0, 1)
        return (255 * pixels + 0.5).astype(np.uint8)


def _summed(maps: Tensor, tokens: Tensor) -> Tensor:
    """Add maps [n, heads, cells, tokens] over objects' tokens: [frames, objects, cells]."""
    conditional = maps[-len(tokens) :].mean(1)
    return torch.einsum("fct,fot->foc", conditional.float(), tokens.float())


def _expected(
    pipeline: AnimateDiffPipeline, timestep: int, given: Tensor, predicted: Tensor
) -> Tensor:
    """Return the clean latents that a prediction amounts to, guided as the sampling is."""
    latents = given[-1:]
    if len(predicted) == 2:
        plain, told = predicted.chunk(2)
        predicted = plain + pipeline.guidance_scale * (told - plain)
    clear = pipeline.scheduler.alphas_cumprod[timestep].to(latents)
    signal, noise = clear.sqrt(), (1 - clear).sqrt()
    kind = pipeline.scheduler.config.prediction_type
    if kind == "v_prediction":
        return signal * latents - noise * predicted
    if kind == "epsilon":
        return (latents - noise * predicted) / signal.clamp(min=1e-4)
    return predicted
