"""Small random weights: a motion UNet, a video to ask for, and all that a preset would fetch."""

import dataclasses
from types import SimpleNamespace

import pytest
import torch
from diffusers import DDIMScheduler, MotionAdapter, UNet2DConditionModel, UNetMotionModel

from spa2v_lab.bench.random_weights import Widths, write_random_weights
from spa2v_lib.sampling import loading, presets
from spa2v_lib.sampling.detection import OWLVIT
from spa2v_lib.sampling.grounding.base import GroundingInputs
from spa2v_lib.sampling.sources import FOLDER_VARIABLE

FRAMES, TOKENS, WIDTH = 3, 6, 16


@pytest.fixture
def bare() -> SimpleNamespace:
    """What guidance methods use of a pipeline."""
    torch.manual_seed(0)
    image = UNet2DConditionModel(
        sample_size=8,
        block_out_channels=(16, 32),
        layers_per_block=1,
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
        cross_attention_dim=WIDTH,
        attention_head_dim=2,
        norm_num_groups=8,
    )
    adapter = MotionAdapter(
        block_out_channels=(16, 32),
        motion_layers_per_block=1,
        motion_num_attention_heads=2,
        motion_norm_num_groups=8,
        use_motion_mid_block=False,
    )
    unet = UNetMotionModel.from_unet2d(image, adapter).eval().requires_grad_(False)
    return SimpleNamespace(
        unet=unet,
        scheduler=DDIMScheduler(),
        tokenizer=SimpleNamespace(model_max_length=TOKENS),
        guidance_scale=2.0,
        decode_latents=lambda latents: latents[:, :3],
    )


@pytest.fixture
def asked() -> GroundingInputs:
    """Two objects whose boxes overlap; the second is absent from the middle frame."""
    boxes = torch.tensor([[0.0, 0.0, 0.5, 0.5], [0.25, 0.0, 1.0, 1.0]]).repeat(FRAMES, 1, 1)
    present = torch.ones(FRAMES, 2)
    present[1, 1] = boxes[1, 1] = 0.0
    spans = torch.zeros(FRAMES, 2, TOKENS, dtype=torch.bool)
    spans[:, 0, 1] = spans[:, 1, 3] = True
    text = torch.randn(FRAMES, TOKENS, WIDTH, generator=torch.Generator().manual_seed(1))
    return GroundingInputs(boxes, present, ("a bus", "a cow"), spans, text, 10, True, 0)


@pytest.fixture
def denoise(bare, asked):
    """Run the UNet once on both halves of a wide video: [2, channels, frames, 8, 16]."""

    def run(latents: torch.Tensor | None = None) -> torch.Tensor:
        if latents is None:
            latents = torch.randn(1, 4, FRAMES, 8, 16, generator=torch.Generator().manual_seed(2))
        words = torch.cat([torch.zeros_like(asked.text), asked.text])
        with torch.no_grad():
            return bare.unet(torch.cat([latents] * 2), 500, words).sample

    return run


@pytest.fixture(scope="session")
def small_widths() -> Widths:
    return Widths((32, 32, 64, 64), text=32, text_layers=1, vocabulary=54, picture=(32,) * 4)


@pytest.fixture(scope="session")
def small_weights(tmp_path_factory, small_widths):
    """Build a folder with what the hub would give, small and random."""
    root = tmp_path_factory.mktemp("weights")
    for preset in ("sd15-gligen", "sd15-migc"):
        write_random_weights(root, preset, small_widths, image=True)
    return root


@pytest.fixture
def small_presets(small_weights, small_widths, monkeypatch):
    """Let the presets of published weights use the small ones."""
    monkeypatch.setenv(FOLDER_VARIABLE, str(small_weights))
    small = presets.Architecture(small_widths.channels, small_widths.text, grid=8)
    sizes = {"sd15-gligen": (64, 40), "sd15-migc": (64, 40), "wan-vace": (64, 48)}
    for name, size in sizes.items():
        preset = presets.PRESETS[name]
        fits = small if preset.architecture else None
        changed = dataclasses.replace(preset, size=size, architecture=fits)
        monkeypatch.setitem(presets.PRESETS, name, changed)
    loading.unload()
    yield
    loading.unload()


@pytest.fixture
def small_detector(tmp_path):
    """Build a random OWL-ViT in the folder that it has with `tmp_path` as ``SPA2V_WEIGHTS``."""
    from transformers import (
        CLIPTokenizer,
        OwlViTConfig,
        OwlViTForObjectDetection,
        OwlViTImageProcessor,
        OwlViTProcessor,
    )

    folder = tmp_path / OWLVIT[0]
    torch.manual_seed(0)
    letters = [chr(97 + i) for i in range(26)]
    words = ["<|startoftext|>", "<|endoftext|>", "!</w>", *letters, *(f"{c}</w>" for c in letters)]
    tokenizer = CLIPTokenizer(
        vocab={word: i for i, word in enumerate(words)}, merges=[], model_max_length=16
    )
    images = OwlViTImageProcessor(size={"height": 32, "width": 32})
    OwlViTProcessor(images, tokenizer).save_pretrained(folder)
    text = {
        "vocab_size": len(words), "hidden_size": 16, "intermediate_size": 32, "bos_token_id": 0,
        "num_hidden_layers": 1, "num_attention_heads": 2, "eos_token_id": 1, "pad_token_id": 2,
    }  # fmt: skip
    vision = {
        "hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1,
        "num_attention_heads": 2, "image_size": 32, "patch_size": 8,
    }  # fmt: skip
    config = OwlViTConfig(text_config=text, vision_config=vision, projection_dim=16)
    OwlViTForObjectDetection(config).save_pretrained(folder)
    return folder
