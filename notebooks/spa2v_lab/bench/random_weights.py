"""Random weights in the folders and files of the hub: what published weights look like from outside.

With `FULL` they have the published shapes and precision, so that memory and time are those of the
real ones; with other widths they are small enough for tests.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL, DDIMScheduler, MotionAdapter, UNet2DConditionModel
from safetensors.torch import save_file
from transformers import (
    CLIPTextConfig,
    CLIPTextModel,
    CLIPTokenizer,
    CLIPVisionConfig,
    CLIPVisionModelWithProjection,
)

from spa2v_lib.sampling.grounding.cross_attention import layers
from spa2v_lib.sampling.grounding.migc_layers import MIGCLayer
from spa2v_lib.sampling.presets import get_preset

__all__ = ["FULL", "Widths", "lora_weights", "random_parts", "write_random_weights"]

_BLOCKS = {
    "down_block_types": ("CrossAttnDownBlock2D",) * 3 + ("DownBlock2D",),
    "up_block_types": ("UpBlock2D",) + ("CrossAttnUpBlock2D",) * 3,
    "attention_head_dim": 8,
    "sample_size": 64,
}
_MIGC_BLOCKS = ("middle_block", "output_blocks.3", "output_blocks.4", "output_blocks.5")
_LCM_RANK = 64


@dataclass(frozen=True)
class Widths:
    """How wide the parts of Stable Diffusion are.

    Attributes
    ----------
    channels : tuple of int
        Of the UNet's blocks.
    text : int
        Of the text embeddings.
    text_layers : int
        Of the text encoder.
    vocabulary : int
        Rows of the text encoder's table; those beyond the tokenizer's words are never read.
    picture : tuple of int
        Channels of the autoencoder's blocks.
    vision : tuple of int
        Width, layers, heads and patch side of the image encoder, and width of its output.

    Examples
    --------
    >>> Widths((32, 32, 64, 64), 32, 1, 54, (32,) * 4).unet["cross_attention_dim"]
    32
    """

    channels: tuple[int, ...]
    text: int
    text_layers: int
    vocabulary: int
    picture: tuple[int, ...]
    vision: tuple[int, int, int, int, int] = (32, 1, 2, 56, 48)

    @property
    def unet(self) -> dict[str, object]:
        """The UNet's configuration."""
        return {
            **_BLOCKS,
            "block_out_channels": self.channels,
            "cross_attention_dim": self.text,
        }


FULL = Widths(
    (320, 640, 1280, 1280), 768, 12, 49408, (128, 256, 512, 512), (1280, 32, 16, 14, 1024)
)
"""As published."""


def write_random_weights(
    root: Path, preset: str, widths: Widths = FULL, *, seed: int = 0, image: bool = False
) -> None:
    """Write all that a preset would fetch, as ``<root>/<owner>/<repository>/...``.

    Parameters
    ----------
    root : pathlib.Path
        What ``SPA2V_WEIGHTS`` is to name.
    preset : {"sd15-migc", "sd15-gligen"}
        Weights for few steps are written, too.
    widths : Widths
        The published ones take 5 to 7 GB of disk.
    seed : int
    image : bool
        Write what image prompts need, too: 2.6 GB as published.

    Examples
    --------
    >>> import tempfile
    >>> root = Path(tempfile.mkdtemp())
    >>> write_random_weights(root, "sd15-migc", Widths((32, 32, 64, 64), 32, 1, 54, (32,) * 4))
    >>> sorted(folder.name for folder in root.iterdir())
    ['guoyww', 'latent-consistency', 'limuloo', 'stable-diffusion-v1-5']
    """
    torch.manual_seed(seed)
    chosen = get_preset(preset)
    folders = {what: root / source.repository for what, source in chosen.sources.items()}
    parts, half = random_parts(widths), {"variant": "fp16", "safe_serialization": True}
    for name in ("unet", "vae", "text_encoder"):
        parts[name].half().save_pretrained(folders["base"] / name, **half)
    for name in ("tokenizer", "scheduler"):
        parts[name].save_pretrained(folders["base"] / name)
    adapter = parts["motion_adapter"]  # in full precision, as published
    adapter.save_pretrained(folders["motion adapter"], variant="fp16")
    if "GLIGEN" in folders:
        _write_gligen(folders["GLIGEN"] / "unet/diffusion_pytorch_model.fp16.bin", widths)
    else:
        _write_migc(folders["MIGC"] / chosen.sources["MIGC"].files[0], widths)
    if chosen.fast:
        place = root / chosen.fast.source.repository / chosen.fast.source.files[0]
        place.parent.mkdir(parents=True, exist_ok=True)
        save_file(lora_weights(widths, rank=min(_LCM_RANK, widths.text)), place)
    if image and chosen.adapter:
        _write_adapter(root / chosen.adapter.repository / "models", widths)


def random_parts(widths: Widths, tokenizer: CLIPTokenizer | None = None) -> dict[str, Any]:
    """Return the parts of a Stable Diffusion with a motion adapter, with random weights.

    Parameters
    ----------
    widths : Widths
    tokenizer : CLIPTokenizer, optional
        One that spells, in texts of the published length, if not given.

    Returns
    -------
    dict of str to object
        By the names that ``AnimateDiffPipeline`` has for them; in single precision.

    Examples
    --------
    >>> sorted(random_parts(Widths((32, 32, 64, 64), 32, 1, 54, (32,) * 4)))
    ['motion_adapter', 'scheduler', 'text_encoder', 'tokenizer', 'unet', 'vae']
    """
    tokenizer = tokenizer or _tokenizer()
    unet = UNet2DConditionModel(**widths.unet)
    vae = AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        block_out_channels=widths.picture,
        layers_per_block=2,
    )
    ends = {f"{name}_token_id": getattr(tokenizer, f"{name}_token_id") for name in _ENDS}
    text = CLIPTextConfig(
        vocab_size=widths.vocabulary,
        hidden_size=widths.text,
        intermediate_size=4 * widths.text,
        num_hidden_layers=widths.text_layers,
        num_attention_heads=widths.text // min(64, widths.text),
        **ends,
    )
    return {
        "unet": unet,
        "vae": vae,
        "text_encoder": CLIPTextModel(text),
        "tokenizer": tokenizer,
        "motion_adapter": MotionAdapter(
            block_out_channels=widths.channels,
            motion_layers_per_block=2,
            use_motion_mid_block=False,
        ),
        "scheduler": DDIMScheduler(
            beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear"
        ),
    }


def lora_weights(widths: Widths, *, rank: int = 4, scale: float = 0.05) -> dict[str, torch.Tensor]:
    """Return a random LoRA of the UNet's attention, under the names that most are published with.

    Parameters
    ----------
    widths : Widths
    rank : int
    scale : float
        Standard deviation of its numbers.

    Returns
    -------
    dict of str to Tensor
        Half precision.

    Examples
    --------
    >>> weights = lora_weights(Widths((32, 32, 64, 64), 32, 1, 54, (32,) * 4))
    >>> sorted({name.split(".", 1)[1] for name in weights})
    ['alpha', 'lora_down.weight', 'lora_up.weight']
    """
    with torch.device("meta"):
        unet = UNet2DConditionModel(**widths.unet)
    weights = {}
    for name, layer in unet.named_modules():
        if name.endswith(("to_q", "to_k", "to_v", "to_out.0")):
            written = f"lora_unet_{name.replace('.', '_')}"
            outputs, inputs = layer.weight.shape
            weights[f"{written}.lora_down.weight"] = scale * torch.randn(rank, inputs)
            weights[f"{written}.lora_up.weight"] = scale * torch.randn(outputs, rank)
            weights[f"{written}.alpha"] = torch.tensor(float(rank))
    return {name: value.half() for name, value in weights.items()}


_ENDS = ("bos", "eos", "pad")


def _tokenizer() -> CLIPTokenizer:
    """Spell words letter by letter, in texts of the published length."""
    letters = [chr(97 + i) for i in range(26)]
    words = ["<|startoftext|>", "<|endoftext|>", *letters, *(f"{c}</w>" for c in letters)]
    numbers = {word: number for number, word in enumerate(words)}
    return CLIPTokenizer(vocab=numbers, merges=[], model_max_length=77)


def _write_adapter(folder: Path, widths: Widths) -> None:
    """Write an image encoder, and keys and values for its output in all cross-attentions."""
    width, depth, heads, patch, seen = widths.vision
    config = CLIPVisionConfig(
        hidden_size=width,
        intermediate_size=4 * width,
        num_hidden_layers=depth,
        num_attention_heads=heads,
        patch_size=patch,
        projection_dim=seen,
        hidden_act="gelu",
    )
    CLIPVisionModelWithProjection(config).save_pretrained(folder / "image_encoder")
    with torch.device("meta"):
        unet = UNet2DConditionModel(**widths.unet)
    shapes = {
        "image_proj.proj.weight": (4 * widths.text, seen),
        "image_proj.proj.bias": (4 * widths.text,),
        "image_proj.norm.weight": (widths.text,),
        "image_proj.norm.bias": (widths.text,),
    }
    attention = layers(unet)
    order = [name.removesuffix(".processor") for name in unet.attn_processors]
    for number, name in enumerate(name for name in order if name in attention):
        inner = attention[name].to_k.out_features
        for part in ("to_k_ip", "to_v_ip"):
            shapes[f"ip_adapter.{2 * number + 1}.{part}.weight"] = (inner, widths.text)
    weights = {
        name: (torch.randn(shape) * shape[-1] ** -0.5).half() for name, shape in shapes.items()
    }
    save_file(weights, folder / "ip-adapter_sd15.safetensors")


def _write_gligen(path: Path, widths: Widths) -> None:
    gated = UNet2DConditionModel(**widths.unet, attention_type="gated")
    for name, value in gated.named_parameters():
        if ".alpha_" in name:  # gates are closed at first, and grounding would do nothing
            torch.nn.init.constant_(value, 0.5)
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save(gated.half().state_dict(), path)


def _write_migc(path: Path, widths: Widths) -> None:
    state = {
        f"model.diffusion_model.{block}.1.transformer_blocks.0.attn2.migc.{name}": value
        for block in _MIGC_BLOCKS
        for name, value in MIGCLayer(widths.channels[-1], widths.text, 8).state_dict().items()
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save({"state_dict": state}, path)
