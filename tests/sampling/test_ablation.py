"""Without motion modules every frame is drawn alone, and the pipeline is left as it was."""

import torch
from diffusers.models.unets.unet_motion_model import AnimateDiffTransformer3D

from spa2v_lab.bench.ablation import without_motion


def _latents() -> torch.Tensor:
    return torch.randn(1, 4, 3, 8, 16, generator=torch.Generator().manual_seed(2))


def _other_last_frame() -> torch.Tensor:
    latents = _latents()
    latents[:, :, 2] += 1.0
    return latents


def test_frames_hear_of_each_other_with_motion_modules_only(bare, denoise):
    assert not torch.equal(denoise(_latents())[:, :, 0], denoise(_other_last_frame())[:, :, 0])
    with without_motion(bare):
        alone, changed = denoise(_latents()), denoise(_other_last_frame())
    assert torch.equal(alone[:, :, :2], changed[:, :, :2])
    assert not torch.equal(alone[:, :, 2], changed[:, :, 2])


def test_it_is_what_modules_that_add_nothing_would_give(bare, denoise):
    with without_motion(bare):
        alone = denoise(_latents())
    for module in bare.unet.modules():
        if isinstance(module, AnimateDiffTransformer3D):
            torch.nn.init.zeros_(module.proj_out.weight)
            torch.nn.init.zeros_(module.proj_out.bias)
    assert torch.allclose(alone, denoise(_latents()), atol=1e-5)


def test_on_leaving_the_pipeline_computes_what_it_did(bare, denoise):
    before = denoise(_latents())
    with without_motion(bare):
        denoise(_latents())
    assert torch.equal(denoise(_latents()), before)
