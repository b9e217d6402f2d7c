"""What every grounding method is: an object that makes a pipeline follow boxes.

A method is one class in one file. `Grounding.prepare` gives a loaded pipeline what the method needs
(layers, if it has any), once; `Grounding.applied` is entered for one video and yields the `Hooks`
that `spa2v_lib.sampling.pipeline` calls. On leaving, however it is left, the UNet computes what it
did before.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from spa2v_lib.errors import SamplingError

if TYPE_CHECKING:
    from pathlib import Path
    from types import ModuleType

    from diffusers import AnimateDiffPipeline
    from torch import Tensor

__all__ = [
    "Grounding",
    "GroundingInputs",
    "Hooks",
    "LayerGrounding",
    "StepObserver",
    "check_shares",
    "steps_before",
]


@dataclass(frozen=True)
class GroundingInputs:
    """One video as grounding methods see it; every frame has the same number of objects.

    Attributes
    ----------
    boxes : Tensor [shape=(frames, objects, 4)]
        ``(x0, y0, x1, y1)`` in [0, 1]; zeros where the object is not in the frame.
    present : Tensor [shape=(frames, objects)]
        1 where the object is in the frame, else 0.
    phrases : tuple of str
        The objects' captions, with their direction where the layers were trained with such.
    spans : Tensor of bool [shape=(frames, objects, tokens)]
        Which tokens of a frame's text name an object; none where the text does not.
    text : Tensor [shape=(frames, tokens, width)]
        Text embeddings of the conditional half, as the UNet is given them.
    steps : int
        Sampling steps in all.
    guided : bool
        Whether the batch holds an unconditional half, in front.
    seed : int
        For methods that need randomness of their own; never the global generator.
    picture : tuple of int
        Width and height in pixels.
    images : tuple of Tensor [shape=(1, 1, width)]
        Embeddings of an image prompt for the conditional half; empty without one.

    See Also
    --------
    spa2v_lib.sampling.pipeline.grounding_inputs : Makes them of a layout.

    Examples
    --------
    >>> from spa2v_lib.sampling.loading import load
    >>> from spa2v_lib.sampling.pipeline import grounding_inputs
    >>> from spa2v_lib.sampling.presets import get_preset
    >>> from spa2v_lib.sampling.selfcheck import known_layout
    >>> from spa2v_lib.sampling.texts import encode_texts
    >>> layout = known_layout(1.0)
    >>> texts = encode_texts(load("tiny", "cpu"), layout, "mixed")
    >>> how = {"steps": 6, "guided": True, "seed": 0}
    >>> inputs = grounding_inputs(get_preset("tiny"), layout, texts, **how)
    >>> inputs.phrases, inputs.present.shape
    (('a car from left to right',), torch.Size([16, 1]))
    """

    boxes: Tensor
    present: Tensor
    phrases: tuple[str, ...]
    spans: Tensor
    text: Tensor
    steps: int
    guided: bool
    seed: int
    picture: tuple[int, int] = (512, 512)
    images: tuple[Tensor, ...] = ()


@dataclass(frozen=True)
class Hooks:
    """Where a method takes part in sampling; each default does nothing.

    Attributes
    ----------
    cross_attention_kwargs : dict
        Passed to the UNet at every step.
    initial_noise : callable
        Maps the initial noise [1, channels, frames, height, width] to that which is used.
    before_step : callable
        Maps a step's number and the latents it starts from to those that it shall start from.
        Called outside of inference mode, so that a method may take gradients.

    See Also
    --------
    Grounding : Gives them back.

    Examples
    --------
    >>> Hooks().before_step(0, "latents")
    'latents'
    """

    cross_attention_kwargs: dict[str, Any] = field(default_factory=dict)
    initial_noise: Callable[[Tensor], Tensor] = lambda noise: noise
    before_step: Callable[[int, Tensor], Tensor] = lambda _step, latents: latents


class StepObserver(Protocol):
    """What sees every step of a sampling beside the grounding method, and changes none.

    See Also
    --------
    spa2v_lib.sampling.generate : Takes one.

    Examples
    --------
    >>> from contextlib import nullcontext
    >>> from spa2v_lib.sampling import generate
    >>> from spa2v_lib.sampling.selfcheck import known_layout
    >>> class Counter:
    ...     steps = 0
    ...
    ...     def recording(self, pipeline, inputs):
    ...         return nullcontext()
    ...
    ...     def after_step(self, pipeline, step, timestep, tensors):
    ...         self.steps += 1
    ...         return tensors
    >>> counter = Counter()
    >>> layout = known_layout(1.0).model_copy(update={"duration_s": 0.25})
    >>> _ = generate(layout, steps=2, recorder=counter)
    >>> counter.steps
    2
    """

    def recording(
        self, pipeline: AnimateDiffPipeline, inputs: GroundingInputs | None
    ) -> AbstractContextManager[Any]:
        """Return what is entered around the sampling; without grounding there are no inputs."""

    def after_step(
        self, pipeline: AnimateDiffPipeline, step: int, timestep: Any, tensors: dict[str, Any]
    ) -> dict[str, Any]:
        """See a step; called as diffusers' ``callback_on_step_end``, before latents change."""


class Grounding(ABC):
    """One way to make a UNet with motion modules follow boxes.

    Attributes
    ----------
    name : str
        As users write it, for example ``"migc"``.
    takes_gradients : bool
        Whether it differentiates through the UNet, which keeps every activation in memory.

    See Also
    --------
    spa2v_lib.sampling.grounding.new_grounding : Makes the methods that are here.

    Examples
    --------
    A method of your own that pushes latents up a little before the first step:

    >>> from contextlib import contextmanager
    >>> class Brighter(Grounding):
    ...     name = "brighter"
    ...
    ...     @contextmanager
    ...     def applied(self, pipeline, inputs):
    ...         yield Hooks(before_step=lambda step, latents: latents + 0.1 * (step == 0))
    >>> from spa2v_lib.sampling import generate
    >>> from spa2v_lib.sampling.selfcheck import known_layout
    >>> layout = known_layout(1.0).model_copy(update={"duration_s": 0.25})
    >>> generate(layout, steps=1, grounding=Brighter()).frames.shape
    (2, 128, 128, 3)
    """

    name: ClassVar[str]
    takes_gradients: ClassVar[bool] = False

    def prepare(  # noqa: B027 - most need nothing
        self, pipeline: AnimateDiffPipeline, layers: Path | None = None
    ) -> None:
        """Give `pipeline` what the method needs; doing so twice changes nothing more.

        Parameters
        ----------
        pipeline : AnimateDiffPipeline
        layers : Path, optional
            The file of the method's layers, if it has any and they are not there already.
        """

    @abstractmethod
    def applied(
        self, pipeline: AnimateDiffPipeline, inputs: GroundingInputs
    ) -> AbstractContextManager[Hooks]:
        """Take part in sampling one video; on leaving, the pipeline is as it was found."""


class LayerGrounding(Grounding):
    """A method whose layers were trained: a pipeline is given them when it is prepared.

    Parameters
    ----------
    stop : float
        Share of the steps during which the layers act, in [0, 1].
    strength : float
        Scales what they change, in [0, 1]; 0 leaves the UNet alone.

    Attributes
    ----------
    layers : module
        Its `attached` tells whether a UNet has the layers, its `load` gives it some.

    Raises
    ------
    SamplingError
        If a knob is out of range.

    Examples
    --------
    >>> from spa2v_lib.sampling.grounding import new_grounding
    >>> isinstance(new_grounding("migc"), LayerGrounding)
    True
    """

    layers: ClassVar[ModuleType]

    def __init__(self, stop: float = 1.0, strength: float = 1.0) -> None:
        check_shares(self.name.upper(), stop=stop, strength=strength)
        self.stop, self.strength = stop, strength

    def prepare(self, pipeline: AnimateDiffPipeline, layers: Path | None = None) -> None:
        """Load the layers, if they are not there already.

        Raises
        ------
        SamplingError
            If they are neither there nor in a file.
        DataError
            If the file does not fit the UNet.
        """
        if self.layers.attached(pipeline.unet):
            return
        if layers is None:
            module = self.layers.__name__.rpartition(".")[2]
            raise SamplingError(
                f"this UNet has no {self.name.upper()} layers; give it some with {module}.load"
            )
        self.layers.load(pipeline.unet, layers)


def check_shares(method: str, **knobs: float) -> None:
    """Refuse knobs of a method that do not lie in [0, 1].

    Raises
    ------
    SamplingError
        Naming the first of them.

    Examples
    --------
    >>> check_shares("MIGC", stop=1.5)
    Traceback (most recent call last):
    spa2v_lib.errors.SamplingError: MIGC's stop is 1.5; it lies between 0 and 1
    """
    for knob, value in knobs.items():
        if not 0.0 <= value <= 1.0:
            raise SamplingError(f"{method}'s {knob} is {value}; it lies between 0 and 1")


def steps_before(share: float, steps: int) -> int:
    """Return how many of `steps` lie before a share of them, rounded down as diffusers does.

    Parameters
    ----------
    share : float
        In [0, 1].
    steps : int
        Sampling steps in all, at least 1.

    Examples
    --------
    >>> steps_before(0.3, 25), steps_before(1.0, 25)
    (7, 25)
    """
    return int(share * steps)
