"""GLIGEN layers on a motion UNet: what they add, where they sit, and that diffusers agrees."""

from contextlib import ExitStack

import pytest
import torch
from diffusers import MotionAdapter, UNet2DConditionModel, UNetMotionModel

from spa2v_lab.training.grounding import layer_parameters, save_layers
from spa2v_lib.errors import DataError
from spa2v_lib.sampling.grounding import gligen, gligen_layers

WIDTH, FRAMES = 16, 3


def _image_unet(**kwargs) -> UNet2DConditionModel:
    torch.manual_seed(0)
    return UNet2DConditionModel(
        sample_size=8,
        block_out_channels=(16, 32),
        layers_per_block=1,
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
        cross_attention_dim=WIDTH,
        attention_head_dim=2,
        norm_num_groups=8,
        **kwargs,
    ).eval()


def _motion_unet() -> UNetMotionModel:
    adapter = MotionAdapter(
        block_out_channels=(16, 32),
        motion_layers_per_block=1,
        motion_num_attention_heads=2,
        motion_norm_num_groups=8,
        use_motion_mid_block=False,
    )
    return UNetMotionModel.from_unet2d(_image_unet(), adapter).eval()


def _open_gates(unet: torch.nn.Module) -> None:
    torch.manual_seed(1)
    with torch.no_grad():
        for name, value in unet.named_parameters():
            if ".alpha_" in name:
                value.fill_(0.7)
            elif ".fuser." in name or name.startswith("position_net."):
                value.normal_(0, 0.2)


def _tokens(frames: int = FRAMES) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    torch.manual_seed(2)
    boxes = torch.tensor([[0.1, 0.2, 0.5, 0.6], [0.6, 0.3, 0.9, 0.8]]).repeat(frames, 1, 1)
    return boxes, torch.ones(frames, 2), torch.randn(frames, 2, WIDTH)


def _run(unet: UNetMotionModel, tokens: torch.Tensor | None) -> torch.Tensor:
    torch.manual_seed(3)
    latents, words = torch.randn(1, 4, FRAMES, 8, 8), torch.randn(FRAMES, 5, WIDTH)
    kwargs = {} if tokens is None else {"cross_attention_kwargs": {"gligen": {"objs": tokens}}}
    with torch.no_grad():
        return unet(latents, 10, words, **kwargs).sample


def test_closed_gates_change_nothing():
    unet = _motion_unet()
    plain = _run(unet, None)
    gligen_layers.attach(unet)
    tokens = gligen.object_tokens(unet, *_tokens(), guided=False)
    assert torch.equal(_run(unet, tokens), plain)


def test_open_gates_change_the_picture_and_a_switch_closes_them():
    unet = _motion_unet()
    plain = _run(unet, None)
    gligen_layers.attach(unet)
    _open_gates(unet)
    tokens = gligen.object_tokens(unet, *_tokens(), guided=False)
    assert (_run(unet, tokens) - plain).abs().max() > 1e-2
    gligen_layers.switch(unet, False)
    assert torch.equal(_run(unet, tokens), plain)


def test_moving_one_frames_box_leaves_the_other_frames_tokens_alone():
    unet = _motion_unet()
    gligen_layers.attach(unet)
    frames = _tokens()
    before = gligen.object_tokens(unet, *frames, guided=False)
    frames[0][1, 0] += 0.2
    after = gligen.object_tokens(unet, *frames, guided=False)
    assert torch.equal(before[[0, 2]], after[[0, 2]]) and not torch.equal(before[1], after[1])


def test_motion_modules_get_no_grounding():
    unet = _motion_unet()
    gligen_layers.attach(unet)
    fused = [name for name, _ in unet.named_modules() if name.endswith(".fuser")]
    assert fused and not [name for name in fused if "motion_modules" in name]


def test_the_unconditional_half_has_no_objects():
    unet = _motion_unet()
    gligen_layers.attach(unet)
    tokens = gligen.object_tokens(unet, *_tokens(), guided=True)
    assert tokens.shape == (2 * FRAMES, 30, WIDTH), "as many places as in training"
    assert torch.equal(tokens[0, 0], tokens[2, 1])  # all the same null token
    assert not torch.equal(tokens[FRAMES, 0], tokens[FRAMES, 1])


def test_a_step_without_guidance_is_the_conditional_half_alone():
    unet = _motion_unet()
    gligen_layers.attach(unet)
    _open_gates(unet)
    tokens = gligen.object_tokens(unet, *_tokens(), guided=True)
    torch.manual_seed(3)
    latents, words = torch.randn(1, 4, FRAMES, 8, 8), torch.randn(FRAMES, 5, WIDTH)
    kwargs = {"cross_attention_kwargs": {"gligen": {"objs": tokens}}}
    with torch.no_grad():
        both = unet(latents.repeat(2, 1, 1, 1, 1), 10, words.repeat(2, 1, 1), **kwargs).sample
        with ExitStack() as undo:
            for block in gligen.spatial_blocks(unet).values():
                for handle in gligen._adapted(block.fuser, 1.0):
                    undo.callback(handle.remove)
            alone = unet(latents, 10, words, **kwargs).sample
    assert (alone[0] - both[1]).abs().max() < 1e-5
    assert (both[0] - both[1]).abs().max() > 1e-4


def test_masked_layers_leave_the_unconditional_half_as_it_was():
    """Classifier-free guidance doubles the batch; only its second half has objects."""
    unet = _motion_unet()
    gligen_layers.attach(unet, masked=True)
    _open_gates(unet)
    torch.manual_seed(3)
    latents = torch.randn(1, 4, FRAMES, 8, 8).repeat(2, 1, 1, 1, 1)
    words = torch.randn(FRAMES, 5, WIDTH).repeat(2, 1, 1)
    kwargs = {"gligen": {"objs": gligen.object_tokens(unet, *_tokens(), guided=True)}}
    with torch.no_grad():
        plain = unet(latents, 10, words).sample
        empty, full = unet(latents, 10, words, cross_attention_kwargs=kwargs).sample
    assert torch.equal(empty, plain[0])
    assert (full - plain[1]).abs().max() > 1e-2


def test_one_frame_equals_diffusers_gated_unet():
    """Our layers on a motion UNet without motion give what diffusers' own GLIGEN UNet gives."""
    theirs = _image_unet(attention_type="gated")
    _open_gates(theirs)
    ours = _motion_unet()
    for name, value in ours.named_parameters():
        if "motion_modules" in name and ".proj_out." in name:
            torch.nn.init.zeros_(value)
    gligen_layers.attach(ours)
    ours.load_state_dict(theirs.state_dict(), strict=False)
    frame = _tokens(1)
    unused = 28, 4  # diffusers pads to thirty places as well
    boxes = torch.cat([frame[0], torch.zeros(1, *unused)], 1)
    masks = torch.cat([frame[1], torch.zeros(1, 28)], 1)
    phrases = torch.cat([frame[2], torch.zeros(1, 28, WIDTH)], 1)
    torch.manual_seed(4)
    latent, words = torch.randn(1, 4, 8, 8), torch.randn(1, 5, WIDTH)
    objects = {"boxes": boxes, "masks": masks, "positive_embeddings": phrases}
    with torch.no_grad():
        wanted = theirs(latent, 10, words, cross_attention_kwargs={"gligen": objects}).sample
        ungrounded = theirs(latent, 10, words).sample
        tokens = gligen.object_tokens(ours, *frame, guided=False)
        kwargs = {"gligen": {"objs": tokens}}
        found = ours(latent[:, :, None], 10, words, cross_attention_kwargs=kwargs).sample[:, :, 0]
    assert (found - wanted).abs().max() < 1e-5
    assert (wanted - ungrounded).abs().max() > 1e-2


def test_layers_survive_saving_and_a_wrong_file_is_named(tmp_path):
    unet = _motion_unet()
    gligen_layers.attach(unet)
    _open_gates(unet)
    save_layers(unet, tmp_path / "layers.safetensors")
    again = _motion_unet()
    gligen_layers.load(again, tmp_path / "layers.safetensors")
    both = layer_parameters(unet), layer_parameters(again)
    assert both[0].keys() == both[1].keys()
    for mine, other in zip(*(each.values() for each in both), strict=True):
        assert (mine - other).abs().max() < 2e-3  # kept in half precision
    other = UNet2DConditionModel(
        block_out_channels=(8, 16),
        down_block_types=("CrossAttnDownBlock2D",) * 2,
        up_block_types=("CrossAttnUpBlock2D",) * 2,
        cross_attention_dim=8,
        norm_num_groups=4,
        attention_head_dim=2,
    )
    with pytest.raises(DataError, match=r"layers\.safetensors does not fit"):
        gligen_layers.load(other, tmp_path / "layers.safetensors")
