"""Which weights a video is sampled with, and the settings that suit them.

A preset names a base model, a motion adapter and grounding layers. They were trained apart; they
meet for the first time in `spa2v_lib.sampling.loading.load`. The ``tiny`` suite is shipped, trained
by this project. The others are published weights: they are found, or fetched, only when such a
preset is asked for. The published weights could not be reached where this project is tested: their
code runs there on the real classes at small width, and nobody has confirmed a picture yet
(``spa2v doctor --preset NAME`` does, on a machine with a GPU).
"""

from __future__ import annotations

from dataclasses import dataclass, field

from spa2v_lib.errors import SamplingError
from spa2v_lib.layout.classes import CLASSES

__all__ = ["PRESETS", "TINY_LABELS", "Preset", "Source", "get_preset"]


@dataclass(frozen=True)
class Source:
    """Where weights come from.

    Attributes
    ----------
    repository : str
        On the Hugging Face hub, or the name of a folder that the user fills.
    revision : str or None
        Commit, tag or branch; None where the hub does not hold it.
    files : tuple of str
        Patterns of the files that are needed, below the repository.
    hint : str
        Where a person gets them, if the hub does not hold them.
    """

    repository: str
    revision: str | None
    files: tuple[str, ...]
    hint: str = ""


@dataclass(frozen=True)
class Preset:
    """Weights and the settings that suit them.

    Attributes
    ----------
    name, summary : str
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
    groundings : dict
        Grounding methods that it can use, the default first, each with the knobs that suit it.
    directional_captions : bool
        Whether the grounding layers were trained with captions that say which way an object moves.
    labels : tuple of str or None
        What the weights can draw; None where that is open.
    folder : tuple of str or None
        Of shipped weights, below ``data/``; None for published ones.
    sources : dict of str to Source
        Of published weights, by what they are.
    gpu_gb, offload_gb : float
        Free GPU memory for everything at once, and with parts waiting in main memory. Estimates
        from the weights' sizes.
    max_frames : int or None
        The longest video; None where windows make it unlimited.
    """

    name: str
    summary: str
    size: tuple[int, int]
    window: int
    stride: int
    steps: int
    guidance_scale: float
    groundings: dict[str, dict[str, float]]
    directional_captions: bool = False
    labels: tuple[str, ...] | None = None
    folder: tuple[str, ...] | None = None
    sources: dict[str, Source] = field(default_factory=dict)
    gpu_gb: float = 0.0
    offload_gb: float = 0.0
    max_frames: int | None = None


TINY_LABELS = tuple(sorted(CLASSES))
"""What the shipped suite was taught to draw."""

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
    ("unet/diffusion_pytorch_model.bin",),
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


def _sd15(name: str, summary: str, layers: dict[str, Source], groundings: dict) -> Preset:
    return Preset(
        name=name,
        summary=summary,
        size=(512, 320),
        window=16,
        stride=8,
        steps=25,
        guidance_scale=7.5,
        groundings={**groundings, "attention": {}, "lvd": {}},
        sources={"base": _SD15, "motion adapter": _ANIMATEDIFF, **layers},
        gpu_gb=9.0,
        offload_gb=6.0,
    )


PRESETS: dict[str, Preset] = {
    preset.name: preset
    for preset in (
        Preset(
            name="tiny",
            summary="the shipped suite: a drawn world of 128x128 pixels, for any computer",
            size=(128, 128),
            window=16,
            stride=8,
            steps=25,
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
            directional_captions=True,
            labels=TINY_LABELS,
            folder=("models", "tiny"),
        ),
        _sd15(
            "sd15-migc",
            "the paper's choice: Stable Diffusion 1.5, AnimateDiff's motion modules, MIGC",
            {"MIGC": _MIGC},
            {"migc": {"stop": 0.5}},
        ),
        _sd15(
            "sd15-gligen",
            "Stable Diffusion 1.5, AnimateDiff's motion modules, GLIGEN",
            {"GLIGEN": _GLIGEN},
            {"gligen": {"stop": 0.3}},
        ),
        Preset(
            name="wan-vace",
            summary="Wan 2.1 VACE 1.3B: the layout drawn as a control video",
            size=(832, 480),
            window=81,
            stride=81,
            steps=30,
            guidance_scale=5.0,
            groundings={"boxes": {}},
            sources={"Wan VACE": _WAN},
            gpu_gb=20.0,
            offload_gb=13.0,
            max_frames=81,
        ),
    )
}


def get_preset(name: str) -> Preset:
    """Look a preset up.

    Raises
    ------
    SamplingError
        If there is none of this name.
    """
    if name not in PRESETS:
        raise SamplingError(f"no preset {name!r}; there is: {', '.join(PRESETS)}")
    return PRESETS[name]
