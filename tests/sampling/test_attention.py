"""Attention guidance: what is edited, where, when, and that nothing is left behind."""

import dataclasses

import numpy as np
import pytest
import torch
from diffusers.models.attention_processor import Attention, AttnProcessor2_0

from spa2v_lib.errors import SamplingError
from spa2v_lib.layout.scene_layout import Box, SceneObject, VideoSceneLayout
from spa2v_lib.sampling import generate
from spa2v_lib.sampling.grounding.attention import AttentionGuidance, MapEditor, _Places
from spa2v_lib.sampling.grounding.cross_attention import layers


def test_strength_0_changes_no_bit_and_installs_nothing(bare, asked, denoise):
    plain, before = denoise(), dict(bare.unet.attn_processors)
    with AttentionGuidance(strength=0.0).applied(bare, asked):
        assert bare.unet.attn_processors == before
        assert torch.equal(denoise(), plain)


def test_only_the_conditional_half_is_changed_and_only_in_the_first_steps(bare, asked, denoise):
    plain = denoise()
    with AttentionGuidance(stop=0.2).applied(bare, asked) as hooks:  # 2 of 10 steps
        for step in (0, 1):
            hooks.before_step(step, plain)
            unconditional, conditional = (denoise() - plain).abs().amax((1, 2, 3, 4))
            assert unconditional < 1e-5 and conditional > 1e-4
        hooks.before_step(2, plain)
        assert torch.equal(denoise(), plain)


def test_the_unet_is_left_as_it_was_even_after_an_error(bare, asked, denoise):
    plain, before = denoise(), dict(bare.unet.attn_processors)
    with pytest.raises(KeyboardInterrupt), AttentionGuidance().applied(bare, asked):
        denoise()
        raise KeyboardInterrupt
    assert bare.unet.attn_processors == before
    assert not [m for m in bare.unet.modules() if m._forward_pre_hooks]
    assert torch.equal(denoise(), plain)


def test_without_classifier_free_guidance_all_frames_are_edited(bare, asked):
    alone = dataclasses.replace(asked, guided=False)
    latents = torch.randn(1, 4, 3, 8, 16)
    with torch.no_grad():
        plain = bare.unet(latents, 500, asked.text).sample
        with AttentionGuidance().applied(bare, alone):
            edited = bare.unet(latents, 500, asked.text).sample
    assert (edited - plain).abs().max() > 1e-4


def test_words_are_multiplied_by_1_inside_and_little_outside(asked):
    places = _Places(AttentionGuidance(padding_tokens=0, outside=0.01), asked, 6)
    weight, bell = places.maps((4, 8))
    assert places.tokens.tolist() == [1, 3]
    first = weight[0, 0, :, 0].unflatten(0, (4, 8))
    assert torch.allclose(first[:2, :4], torch.ones(2, 4))
    assert torch.allclose(first[2:], torch.tensor(0.01))
    assert torch.allclose(first[:, 4:], torch.tensor(0.01))
    swell = bell[0, 0, :, 0].unflatten(0, (4, 8))
    assert swell[:2, 1:3].min() == 1 and not swell[2:].any() and not swell[:, 4:].any()


def test_a_word_of_an_absent_object_is_attended_to_nowhere(asked):
    weight, bell = _Places(AttentionGuidance(padding_tokens=0), asked, 6).maps((4, 8))
    assert torch.allclose(weight[1, 0, :, 1], torch.tensor(0.001)) and not bell[1, 0, :, 1].any()


def test_trailing_tokens_of_each_sentence_belong_to_all_boxes(asked):
    places = _Places(AttentionGuidance(padding_tokens=1), asked, 3)  # sentences of three tokens
    assert places.tokens.tolist() == [1, 2, 3, 5]
    weight, _ = places.maps((4, 8))
    assert torch.equal(weight[0, 0, :, 3], torch.maximum(weight[0, 0, :, 0], weight[0, 0, :, 2]))


def test_words_that_name_nothing_are_left_alone(bare, asked, denoise):
    plain = denoise()
    nameless = dataclasses.replace(asked, spans=torch.zeros_like(asked.spans))
    with AttentionGuidance().applied(bare, nameless):
        assert torch.equal(denoise(), plain)


def test_more_of_a_word_is_attended_to_in_its_box_and_less_outside(asked):
    """A value that only the object's word has tells how much each cell hears of it."""
    torch.manual_seed(0)
    layer = Attention(8, cross_attention_dim=16, heads=2, dim_head=4, out_bias=False)
    torch.nn.init.eye_(layer.to_out[0].weight)
    text = torch.zeros(6, 6, 16)
    text[3:, 1] = 1.0
    torch.nn.init.constant_(layer.to_v.weight, 1.0)
    pictures, size = torch.randn(6, 32, 8), (4, 8)
    before = layer(pictures, text)
    places = _Places(AttentionGuidance(strength=0.3, padding_tokens=0), asked, 6)
    layer.set_processor(MapEditor(AttnProcessor2_0(), places, {layer: size}))
    after = layer(pictures, text)
    assert torch.allclose(after[:3], before[:3], atol=1e-6)
    gain = (after - before)[3:].mean(-1).unflatten(1, size)
    assert gain[:, :2, :4].min() > 0 and gain[:, 2:].max() < 0 and gain[:, :, 4:].max() < 0


def test_a_batch_that_is_not_the_video_is_refused(bare, asked):
    with (
        AttentionGuidance().applied(bare, asked),
        pytest.raises(SamplingError, match="3 frames, and the UNet a batch of 4"),
        torch.no_grad(),
    ):
        bare.unet(torch.randn(1, 4, 4, 8, 8), 5, torch.randn(4, 6, 16))


@pytest.mark.parametrize(
    ("knobs", "message"),
    [
        ({"strength": -1.0}, "strength is -1; it must be at least 0$"),
        ({"outside": 2.0}, "outside is 2; it must be at least 0 and at most 1"),
        ({"stop": float("nan")}, "stop is nan"),
        ({"padding_tokens": -1}, "padding_tokens is -1"),
    ],
)
def test_knobs_out_of_bounds_are_named(knobs, message):
    with pytest.raises(SamplingError, match=message):
        AttentionGuidance(**knobs)


def test_processors_of_every_spatial_layer_are_exchanged_and_of_no_other(bare, asked):
    with AttentionGuidance().applied(bare, asked):
        edited = {k for k, p in bare.unet.attn_processors.items() if isinstance(p, MapEditor)}
    assert edited == {f"{name}.processor" for name in layers(bare.unet)}


def test_a_video_of_the_shipped_suite_is_changed_and_the_next_is_not():
    thing = SceneObject(
        id="one", label="bus", caption="a bus", boxes=[Box(x0=0.6, y0=0.3, x1=0.95, y1=0.7)]
    )
    layout = VideoSceneLayout(
        caption="a bus stands on a city street",
        frame_captions=["a bus on the right, a city street"],
        key_times_s=[0.0],
        objects=[thing],
        duration_s=0.25,
    )
    plain = generate(layout, steps=2, grounding="none").frames
    for method in (AttentionGuidance(stop=1.0), AttentionGuidance(strength=0.0, noise=True)):
        assert not np.array_equal(generate(layout, steps=2, grounding=method).frames, plain)
    assert np.array_equal(generate(layout, steps=2, grounding="none").frames, plain)
