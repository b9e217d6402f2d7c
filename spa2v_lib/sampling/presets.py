"""Which weights a video is sampled with, and the settings that suit them.

A preset names a base model, a motion adapter and grounding layers. They were trained apart; they
meet for the first time in `spa2v_lib.sampling.loading.load`. The ``tiny`` suite is shipped, trained
by this project. The others are published weights, downloaded only when such a preset is asked for.
The published weights could not be reached where this project is tested: their code runs there on
the real classes at small width, and nobody has confirmed a picture yet
(``spa2v doctor --preset NAME`` does, on a machine with a GPU).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal

from spa2v_lib.errors import SamplingError
from spa2v_lib.layout.classes import CLASSES

__all__ = [
    "PRESETS",
    "TINY_LABELS",
    "Architecture",
    "FewSteps",
    "GpuMemory",
    "Preset",
    "Source",
    "get_preset",
]


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
    architecture : Architecture or None
        What other bases and LoRA must fit; None where none are taken.
    fast : FewSteps or None
        How it samples in few steps, if it can.
    loras : dict of str to float
        Weights of the LoRA that are fused into the base, by their names in `sources`.
    speed : {"full", "fast"}
        "fast" samples as `fast` says.
    variant : str
        What was asked for beyond the name, see `spa2v_lib.sampling.variants`.

    Examples
    --------
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
    architecture: Architecture | None = None
    fast: FewSteps | None = None
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


TINY_LABELS = tuple(sorted(CLASSES))
"""What the shipped suite was trained to draw."""

_SD15 = Source(
    "stable-diffusion-v1-5/stable-diffusion-v1-5",
    "451f4fe16113bff5a5d2269ed5ad43b0592e9a14",
    ("*/config.json", "tokenizer/*", "scheduler/*")
    + tuple(f"{part}/*.fp16.safetensors" for part in ("unet", "vae", "text_encoder")),
)
_ANIMATEDIFF = Source(
    "guoyww/animatediff-motion-adapter-v1-5-3",
    "449d8993ead63a068e1030eb26925132814db1c8",
    ("config.json", "diffusion_pytorch_model.fp16.safetensors"),
)
_GLIGEN = Source(
    "masterful/gligen-1-4-generation-text-box",
    "0c6ed4f2be831b1a6d2bdd9c7bb4c796cf1d5c70",
    ("unet/diffusion_pytorch_model.fp16.*",),  # half the size of the full file
)
_LCM = Source(
    "latent-consistency/lcm-lora-sdv1-5",
    "cf2fced511dbe7e26c8d1d397e728fbab875db4b",
    ("pytorch_lora_weights.safetensors",),
)
_MIGC = Source(
    "limuloo/MIGC",
    None,
    ("MIGC_SD14.ckpt",),
    hint="its authors' page, github.com/limuloo/MIGC, links to MIGC_SD14.ckpt (219 MB)",
)
_WAN = Source(
    "Wan-AI/Wan2.1-VACE-1.3B-diffusers",
    "ec4d2cb062b548996b179d493fdd05340de702a1",
    ("model_index.json", "*/*.json", "*/*.safetensors", "tokenizer/*"),
)


def _sd15(name: str, summary: str, method: str, stop: float, source: Source, **more) -> Preset:
    layers = method.upper()
    return Preset(
        name=name,
        summary=summary,
        family="sd15",
        size=(512, 320),
        window=16,
        stride=8,
        guidance_scale=7.5,
        groundings={method: {"stop": stop}, "attention": {}, "lvd": {}},
        layers={method: layers},
        sources={"base": _SD15, "motion adapter": _ANIMATEDIFF, layers: source},
        # Estimates in half precision, which this project has not measured on a GPU: 6.5 GB for
        # 16 frames, 7.9 for 32, 15.7 for 16 with gradients. Weights are 1.7 billion numbers.
        memory=GpuMemory(
            fixed_gb=5.1, frame_gb=0.0875, gradient_gb=0.575, offload_gb=0.4, main_gb=4.0
        ),
        architecture=Architecture((320, 640, 1280, 1280), 768, grid=8),
        # As the LoRA's authors advise: 4 to 8 steps, guidance off or between 1 and 2.
        fast=FewSteps(_LCM, 6, 50, 1.5, 2.0),
        **more,
    )


PRESETS: dict[str, Preset] = {
    preset.name: preset
    for preset in (
        Preset(
            name="tiny",
            summary="the shipped suite: a drawn world of 128x128 pixels, for any computer",
            family="tiny",
            size=(128, 128),
            window=16,
            stride=8,
            # As good as 25 steps at a third of the cost: `spa2v bench sampling` has the curve, as
            # "steps and guidance". Guidance in the first half alone misses hard objects.
            steps=8,
            guidance_scale=3.0,
            groundings={
                "gligen": {"stop": 1.0},
                "migc": {"stop": 1.0},
                "attention": {
                    "strength": 1.0,
                    "stop": 0.6,
                    "padding_tokens": 0,
                    "following_tokens": 6,
                },
                "lvd": {"scale": 600.0, "iterations": 2, "stop": 0.4, "following_tokens": 6},
            },
            layers={
                "gligen": "grounding/gligen.safetensors",
                "migc": "grounding/migc.safetensors",
            },
            directional_captions=True,
            labels=TINY_LABELS,
            folder=("models", "tiny"),
        ),
        _sd15(
            "sd15-migc",
            "the paper's choice: Stable Diffusion 1.5, AnimateDiff's motion modules, MIGC",
            "migc",
            0.5,
            _MIGC,
            steps=50,
            negative_prompt="worst quality, low quality, bad anatomy, watermark, text, blurry",
        ),
        _sd15(
            "sd15-gligen",
            "Stable Diffusion 1.5, AnimateDiff's motion modules, GLIGEN",
            "gligen",
            0.3,
            _GLIGEN,
            steps=25,
        ),
        Preset(
            name="wan-vace",
            summary="Wan 2.1 VACE 1.3B: the layout drawn as a control video",
            family="wan-vace",
            size=(832, 480),
            window=81,
            stride=81,
            steps=30,
            guidance_scale=5.0,
            groundings={"boxes": {}},
            control_video=True,
            sources={"Wan VACE": _WAN},
            # Counted, not measured: the text encoder has 5.68 billion weights, the transformer
            # 2.15, of two bytes each, the autoencoder 0.13 of four: 16.2 GB. With offload the text
            # encoder is on the GPU alone. What frames add is an estimate.
            memory=GpuMemory(fixed_gb=16.2, frame_gb=0.047, offload_gb=4.3, main_gb=17.0),
            bfloat16=True,
            negative_prompt="overexposed, still picture, blurred details, subtitles, worst "
            "quality, low quality, JPEG artifacts, deformed, messy background, walking backwards",
            packages=("ftfy",),
            extra="wan",
            max_frames=81,
            fps=16.0,
        ),
    )
}


def get_preset(name: str | Preset) -> Preset:
    """Look a preset up.

    Parameters
    ----------
    name : str or Preset
        A key of `PRESETS`; a preset, or a variant of one, is returned as it is.

    Returns
    -------
    Preset

    Raises
    ------
    SamplingError
        If there is none of this name; the message lists those that exist.

    Examples
    --------
    >>> get_preset("sd15-migc").guidance_scale
    7.5
    """
    if isinstance(name, Preset):
        return name
    if name not in PRESETS:
        raise SamplingError(f"no preset {name!r}; there is: {', '.join(PRESETS)}")
    return PRESETS[name]
