"""What a preset is made of: its weights and the settings that suit them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal

__all__ = ["Architecture", "FewSteps", "GpuMemory", "Preset", "Source"]


@dataclass(frozen=True)
class Source:
    """Where weights come from.

    Attributes
    ----------
    repository : str
        On the Hugging Face hub, or the name of a folder that the user fills.
    revision : str or None
        Commit; None where the hub does not hold it.
    files : tuple of str
        Patterns of the files that are needed, below the repository.
    hint : str
        Where a person gets them, if the hub does not hold them.
    folder : str
        Where they lie on this machine, if the user named a file or folder of their own.
    size_gb : float
        About as much is downloaded; 0 if that is not known. Only the hub knows exactly.

    See Also
    --------
    spa2v_lib.sampling.sources.locate : Finds or fetches its files.

    Examples
    --------
    >>> Source("owner/name", "0" * 40, ("unet/*.safetensors",)).repository
    'owner/name'
    """

    repository: str
    revision: str | None
    files: tuple[str, ...]
    hint: str = ""
    folder: str = ""
    size_gb: float = 0.0


@dataclass(frozen=True)
class Architecture:
    """What weights must be made for, to fit a preset.

    Attributes
    ----------
    channels : tuple of int
        Of the UNet's blocks, from the outermost to the innermost.
    text_width : int
        Of the text embeddings.
    grid : int
        What width and height of the picture must be multiples of, in pixels.

    Examples
    --------
    >>> from spa2v_lib.sampling.presets import get_preset
    >>> get_preset("sd15-migc").architecture.text_width
    768
    """

    channels: tuple[int, ...]
    text_width: int
    grid: int


@dataclass(frozen=True)
class FewSteps:
    """How a preset samples in few steps.

    Attributes
    ----------
    source : Source
        Of the LoRA that makes a consistency model of the base.
    steps, max_steps : int
        The default, and as many as its training divided the noise into.
    guidance_scale, max_guidance_scale : float
        The default and the most; the training is with guidance already.

    Examples
    --------
    >>> from spa2v_lib.sampling.presets import get_preset
    >>> get_preset("sd15-migc").fast.steps
    6
    """

    source: Source
    steps: int
    max_steps: int
    guidance_scale: float
    max_guidance_scale: float


@dataclass(frozen=True)
class GpuMemory:
    """How much GPU memory sampling takes, in GB, by frames and size.

    Attributes
    ----------
    fixed_gb : float
        Weights, and what does not grow with the video.
    frame_gb : float
        Each frame at the preset's size.
    gradient_gb : float
        What each frame takes more with a method that keeps activations for gradients.
    offload_gb : float
        What is saved when parts wait in main memory until they are needed.
    main_gb : float
        Main memory for loading: all weights are there before they go to the GPU.

    Examples
    --------
    >>> memory = GpuMemory(fixed_gb=5.0, frame_gb=0.1, gradient_gb=0.5, offload_gb=0.5)
    >>> memory.needed_gb(20), memory.needed_gb(20, offload=True), memory.of_size(2.0).needed_gb(20)
    (7.0, 6.5, 9.0)
    """

    fixed_gb: float
    frame_gb: float = 0.0
    gradient_gb: float = 0.0
    offload_gb: float = 0.0
    main_gb: float = 0.0

    def with_part(self, weights_gb: float) -> GpuMemory:
        """Return the memory with one part more, which waits in main memory where parts do."""
        return replace(
            self,
            fixed_gb=self.fixed_gb + weights_gb,
            offload_gb=self.offload_gb + weights_gb,
            main_gb=self.main_gb + weights_gb,
        )

    def of_size(self, pixels: float) -> GpuMemory:
        """Return the memory for frames of so many times the pixels."""
        return replace(self, frame_gb=self.frame_gb * pixels, gradient_gb=self.gradient_gb * pixels)

    def needed_gb(self, frames: int, *, gradients: bool = False, offload: bool = False) -> float:
        """Return the GB that `frames` take.

        Parameters
        ----------
        frames : int
            Frames of the video.
        gradients : bool
            Whether the grounding method takes gradients.
        offload : bool
            Whether parts wait in main memory.
        """
        each = self.frame_gb + self.gradient_gb * gradients
        return self.fixed_gb + each * frames - self.offload_gb * offload


@dataclass(frozen=True)
class Preset:
    """Weights and the settings that suit them.

    Attributes
    ----------
    name, summary : str
        What it is asked for by, and what it is, in a sentence.
    family : {"tiny", "sd15", "wan-vace"}
        How the parts are put together.
    size : tuple of int
        Width and height in pixels.
    window : int
        Frames that are sampled together; longer videos take windows that overlap.
    stride : int
        Frames between the starts of windows.
    steps : int
        Default number of sampling steps.
    guidance_scale : float
        Default strength of classifier-free guidance; 1 is without. Typical 2 to 9.
    guidance_start, guidance_stop : float
        Default shares of the steps after which guidance begins and ends, in [0, 1]; a step without
        guidance costs half.
    negative_prompt : str
        Default of what guidance leads away from.
    groundings : dict
        Grounding methods that it can use, the default first, each with the knobs that suit it.
    layers : dict
        Grounding methods that have layers of their own, and where these are: a file below `folder`,
        or a key of `sources`.
    directional_captions : bool
        Whether the grounding layers were trained with captions that say which way an object moves.
    control_video : bool
        Whether the layout is drawn as a control video, instead of guiding attention.
    labels : tuple of str or None
        What the weights can draw; None where that is open.
    folder : tuple of str or None
        Of shipped weights, below ``data/``; None for published ones.
    sources : dict of str to Source
        Of published weights, by what they are.
    memory : GpuMemory or None
        None for weights that run on any computer.
    packages : tuple of str
        What must be installed beside the library.
    extra : str
        The optional dependency of this library that installs them.
    bfloat16 : bool
        Whether it needs a GPU that computes in bfloat16.
    max_frames : int or None
        The longest video; None where windows make it unlimited.
    fps : float or None
        Frames a second that the weights were trained on; None where they follow the layout.
    flow_shift : float or None
        Of flow matching's noise schedule: above 1, more of the steps are at high noise.
    architecture : Architecture or None
        What other bases and LoRA must fit; None where none are taken.
    fast : FewSteps or None
        How it samples in few steps, if it can.
    adapter : Source or None
        Of the IP-Adapter and image encoder that let it take an image prompt, if it can.
    image : str
        Path of the image prompt that was asked for, if any.
    image_weight : float
        How strongly it conditions every frame, beside the text, in [0, 1].
    loras : dict of str to float
        Weights of the LoRA that are fused into the base, by their names in `sources`.
    speed : {"full", "fast"}
        "fast" samples as `fast` says.
    variant : str
        What was asked for beyond the name, see `spa2v_lib.sampling.variants`.

    See Also
    --------
    spa2v_lib.sampling.presets.get_preset : One by its name.

    Examples
    --------
    >>> from spa2v_lib.sampling.presets import get_preset
    >>> preset = get_preset("tiny")
    >>> preset.size, next(iter(preset.groundings)), "bus" in preset.labels
    ((128, 128), 'gligen', True)
    """

    name: str
    summary: str
    family: Literal["tiny", "sd15", "wan-vace"]
    size: tuple[int, int]
    window: int
    stride: int
    steps: int
    guidance_scale: float
    groundings: dict[str, dict[str, float]]
    guidance_start: float = 0.0
    guidance_stop: float = 1.0
    negative_prompt: str = ""
    layers: dict[str, str] = field(default_factory=dict)
    directional_captions: bool = False
    control_video: bool = False
    labels: tuple[str, ...] | None = None
    folder: tuple[str, ...] | None = None
    sources: dict[str, Source] = field(default_factory=dict)
    memory: GpuMemory | None = None
    packages: tuple[str, ...] = ()
    extra: str = ""
    bfloat16: bool = False
    max_frames: int | None = None
    fps: float | None = None
    flow_shift: float | None = None
    architecture: Architecture | None = None
    fast: FewSteps | None = None
    adapter: Source | None = None
    image: str = ""
    image_weight: float = 0.0
    loras: dict[str, float] = field(default_factory=dict)
    speed: str = "full"
    variant: str = ""

    @property
    def gpu_gb(self) -> float:
        """GPU memory for one window with everything on the GPU, in GB; 0 if none is needed."""
        return self.memory.needed_gb(self.window) if self.memory else 0.0

    @property
    def offload_gb(self) -> float:
        """The same with parts waiting in main memory."""
        return self.memory.needed_gb(self.window, offload=True) if self.memory else 0.0
