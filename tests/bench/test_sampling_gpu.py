"""The full-size structure is built and sampled the same way at small width, without a GPU."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from spa2v_lab.bench import sampling_gpu
from spa2v_lab.bench.random_weights import Widths
from spa2v_lib.sampling.grounding import migc_weights
from spa2v_lib.sampling.grounding.cross_attention import spatial_blocks
from spa2v_lib.sampling.presets import get_preset
from spa2v_lib.sampling.selfcheck import known_layout


@pytest.fixture(scope="module")
def pipeline():
    small = Widths((32, 32, 64, 64), text=48, text_layers=2, vocabulary=54, picture=(32,) * 4)
    return sampling_gpu.random_pipeline(small)


def test_every_method_samples_and_only_its_own_layers_take_part(pipeline):
    size, layout = (64, 64), known_layout(1.0)
    frames = {"diffusers": sampling_gpu.stock_frames(pipeline, layout, size, steps=1)}
    for method, name in sampling_gpu.METHODS.items():
        preset = replace(get_preset(name), size=size)
        with sampling_gpu.only_layers(pipeline, method):
            frames[method] = sampling_gpu.grounded_frames(pipeline, layout, preset, method, steps=4)
    assert frames["diffusers"].shape == (1, 16, 64, 64, 3)
    assert frames["migc"].shape == frames["gligen"].shape == (16, 64, 64, 3)
    assert not np.array_equal(frames["migc"], frames["gligen"])


def test_the_structure_is_the_published_one():
    with torch.device("meta"):
        unet = sampling_gpu.random_pipeline().unet
    base = sum(v.numel() for n, v in unet.named_parameters() if not _added(n))
    assert round(base / 1e6) == 860  # Stable Diffusion 1.5's denoiser
    published = {"mid_block.attentions.0", *(f"up_blocks.1.attentions.{i}" for i in range(3))}
    found = {name.split(".transformer_blocks")[0] for name in migc_weights.attached(unet)}
    assert found == published
    assert len(spatial_blocks(unet)) == 16


def _added(name: str) -> bool:
    return any(part in name for part in ("motion_modules", "fuser", "position_net", "migc"))


@pytest.mark.skipif(torch.cuda.is_available(), reason="says what happens without a GPU")
def test_without_a_gpu_nothing_is_measured_and_the_goal_is_missed():
    assert sampling_gpu.rows() == []
    assert not any(goal.met for goal in sampling_gpu.goals([]))
