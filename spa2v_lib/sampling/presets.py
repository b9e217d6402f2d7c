"""Which weights a video is sampled with, and the settings that suit them.

A preset names a base model, a motion adapter and grounding layers. They were trained apart; they
meet for the first time in `spa2v_lib.sampling.loading.load`. The ``tiny`` suite is shipped, trained
by this project. The others are published weights, downloaded only when such a preset is asked for.
The published weights could not be reached where this project is tested: their code runs there on
the real classes at small width, and nobody has confirmed a picture yet
(``spa2v doctor --preset NAME`` does, on a machine with a GPU).
"""

from __future__ import annotations

from spa2v_lib.errors import SamplingError
from spa2v_lib.layout.classes import CLASSES
from spa2v_lib.sampling.preset import Architecture, FewSteps, GpuMemory, Preset, Source

__all__ = [
    "PRESETS",
    "TINY_LABELS",
    "Preset",
    "Source",
    "get_preset",
]


TINY_LABELS = tuple(sorted(CLASSES))
"""What the shipped suite was trained to draw."""

_SD15 = Source(
    "stable-diffusion-v1-5/stable-diffusion-v1-5",
    "451f4fe16113bff5a5d2269ed5ad43b0592e9a14",
    ("*/config.json", "tokenizer/*", "scheduler/*")
    + tuple(f"{part}/*.fp16.safetensors" for part in ("unet", "vae", "text_encoder")),
    size_gb=2.13,
)
_ANIMATEDIFF = Source(
    "guoyww/animatediff-motion-adapter-v1-5-3",
    "449d8993ead63a068e1030eb26925132814db1c8",
    ("config.json", "diffusion_pytorch_model.fp16.safetensors"),
    size_gb=1.67,  # in full precision, whatever its name says
)
_GLIGEN = Source(
    "masterful/gligen-1-4-generation-text-box",
    "0c6ed4f2be831b1a6d2bdd9c7bb4c796cf1d5c70",
    ("unet/diffusion_pytorch_model.fp16.*",),  # half the size of the full file
    size_gb=2.14,
)
_LCM = Source(
    "latent-consistency/lcm-lora-sdv1-5",
    "cf2fced511dbe7e26c8d1d397e728fbab875db4b",
    ("pytorch_lora_weights.safetensors",),
    size_gb=0.13,
)
_IP_ADAPTER = Source(
    "h94/IP-Adapter",
    "018e402774aeeddd60609b4ecdb7e298259dc729",
    (
        "models/ip-adapter_sd15.safetensors",
        "models/image_encoder/config.json",
        "models/image_encoder/model.safetensors",  # full precision is the only one published
    ),
    size_gb=2.57,
)
_MIGC = Source(
    "limuloo/MIGC",
    None,
    ("MIGC_SD14.ckpt",),
    hint="its authors' page, github.com/limuloo/MIGC, links to MIGC_SD14.ckpt (219 MB)",
    size_gb=0.22,
)
_WAN = Source(
    "Wan-AI/Wan2.1-VACE-1.3B-diffusers",
    "ec4d2cb062b548996b179d493fdd05340de702a1",
    ("model_index.json", "*/*.json", "*/*.safetensors", "tokenizer/*"),
    size_gb=19.0,
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
        adapter=_IP_ADAPTER,
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
            # A third of the cost of 25 steps. `spa2v bench sampling --curve` compares them scene by
            # scene: as good on nearly all; a hard scene is lost, and with fewer steps more of it.
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
            # As VACE's authors run it. Diffusers' example has 30 steps and a shift of 3.
            steps=50,
            guidance_scale=5.0,
            flow_shift=16.0,
            groundings={"boxes": {}},
            control_video=True,
            sources={"Wan VACE": _WAN},
            # Counted, not measured: the text encoder has 5.68 billion weights, the transformer
            # 2.15, of two bytes each, the autoencoder 0.13 of four: 16.2 GB. With offload the text
            # encoder is on the GPU alone. What frames add is an estimate.
            memory=GpuMemory(fixed_gb=16.2, frame_gb=0.047, offload_gb=4.3, main_gb=17.0),
            bfloat16=True,
            # What its authors' says in Chinese.
            negative_prompt="garish colors, overexposed, static, blurred details, subtitles, "
            "stylized, artwork, painting, frozen frame, greyish, worst quality, low quality, JPEG "
            "artifacts, ugly, incomplete, too many fingers, badly drawn hands, badly drawn faces, "
            "deformed, disfigured, malformed limbs, merged fingers, motionless picture, messy "
            "background, three legs, crowd in the background, walking backwards",
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

    See Also
    --------
    spa2v_lib.sampling.variants.variant : A preset with other weights, size or speed.

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
