"""Frames computed in parts: the same answer, less memory."""

import sys

import pytest
import torch
from diffusers.models.attention import FeedForward

from spa2v_lab.bench.processes import measured_process
from spa2v_lib.sampling.framewise import frames_in_parts
from spa2v_lib.sampling.grounding.lvd import LVDGuidance


@pytest.mark.parametrize("count", [1, 2, 4])
def test_the_denoiser_answers_the_same(bare, denoise, count):
    whole = denoise()
    with frames_in_parts(bare.unet, count):
        parts = denoise()
    assert whole.abs().max() > 0 and (whole - parts).abs().max() <= 1e-5
    assert torch.equal(denoise(), whole)  # and is left as it was found


def test_gradients_pass_through_the_parts(bare, asked):
    latents = torch.randn(1, 4, len(asked.boxes), 8, 16, generator=torch.Generator().manual_seed(2))
    slopes = []
    for count in (100, 2):
        start = latents.clone().requires_grad_(True)
        with frames_in_parts(bare.unet, count):
            energy, _ = LVDGuidance().energy(bare, asked, start, 500)
        slopes += torch.autograd.grad(energy, start)
    assert slopes[0].abs().max() > 0 and (slopes[0] - slopes[1]).abs().max() <= 1e-5


def test_no_feed_forward_layer_is_given_more_than_the_frames_of_a_part_take(bare, denoise):
    """They are the widest of all; those of motion modules are given places of all frames."""
    rows: dict[torch.nn.Module, list[int]] = {}

    def note(layer, given) -> None:
        rows.setdefault(layer, []).append(given[0].shape[:-1].numel())

    wide = [m.net[0] for m in bare.unet.modules() if isinstance(m, FeedForward)]
    for layer in wide:
        layer.register_forward_pre_hook(note)
    frames = denoise().shape[2]
    whole = {layer: max(found) for layer, found in rows.items()}
    rows.clear()
    with frames_in_parts(bare.unet, 1):
        denoise()
    assert len(whole) == len(rows) == len(wide) and frames > 1
    assert all(max(rows[layer]) * frames <= count for layer, count in whole.items())


_SAMPLE = """
import sys
from spa2v_lib.sampling import generate
from spa2v_lib.sampling.selfcheck import known_layout
layout = known_layout(1.0).model_copy(update={"duration_s": int(sys.argv[1]) / 8})
generate(layout, "tiny", steps=1, grounding="none", device="cpu")
"""


@pytest.mark.slow
def test_a_longer_video_takes_little_more_memory():
    """Up to 128 frames each took 3.3 MB more where this was measured, and 10.4 MB without parts."""
    gb = [
        measured_process([sys.executable, "-c", _SAMPLE, str(frames)]).gigabytes
        for frames in (16, 64)
    ]
    assert (gb[1] - gb[0]) / 48 <= 0.006
