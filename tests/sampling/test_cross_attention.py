"""The layers where words are attended to, their maps, and what boxes are on them."""

import pytest
import torch

from spa2v_lib.sampling.grounding.box_maps import box_cover
from spa2v_lib.sampling.grounding.cross_attention import (
    layers,
    object_token_mask,
    observed,
    probabilities,
)


def test_motion_modules_are_no_cross_attention(bare):
    names = layers(bare.unet)
    assert len(names) == 4 and not [name for name in names if "motion_modules" in name]


def test_maps_are_seen_with_their_true_height_and_width_and_sum_to_1(bare, denoise):
    seen = {}
    with observed(bare.unet, lambda name, size, maps: seen.update({name: (size, maps())})):
        denoise()
    assert {size for size, _ in seen.values()} == {(8, 16), (4, 8)}
    for (height, width), maps in seen.values():
        assert maps.shape[0] == 6 and maps.shape[2:] == (height * width, 6)
        assert (maps.sum(-1) - 1).abs().max() < 1e-5


def test_watching_changes_no_bit_and_leaves_no_hook(bare, denoise):
    plain = denoise()
    with observed(bare.unet, lambda name, size, maps: maps()):
        watched = denoise()
    assert torch.equal(watched, plain)
    assert not [m for m in bare.unet.modules() if m._forward_pre_hooks]


def test_probabilities_are_those_that_the_layer_itself_uses(bare):
    layer = next(iter(layers(bare.unet).values()))
    pictures, text = torch.randn(2, 5, layer.to_q.in_features), torch.randn(2, 6, 16)
    attended = probabilities(layer, pictures, text)
    value = layer.head_to_batch_dim(layer.to_v(text))
    ours = layer.to_out[0](layer.batch_to_head_dim(attended.flatten(0, 1) @ value))
    assert (ours - layer(pictures, text)).abs().max() < 1e-5


@pytest.mark.parametrize(
    ("box", "expected"),
    [
        ((0.0, 0.0, 0.5, 0.5), [[1, 1, 0, 0], [0, 0, 0, 0]]),
        ((0.0, 0.0, 0.375, 1.0), [[1, 0.5, 0, 0], [1, 0.5, 0, 0]]),  # half of the second column
        ((0.6, 0.6, 0.61, 0.61), [[0, 0, 0, 0], [0, 0, 1, 0]]),  # smaller than a cell
        ((0.3, 0.3, 0.3, 0.9), [[0, 0, 0, 0], [0, 0, 0, 0]]),  # no area
        ((1.2, 0.1, 1.5, 0.9), [[0, 0, 0, 0], [0, 0, 0, 0]]),  # outside
        ((-0.5, -0.5, 0.25, 0.5), [[1, 0, 0, 0], [0, 0, 0, 0]]),  # half outside
    ],
)
def test_boxes_on_a_wide_map(box, expected):
    cover = box_cover(torch.tensor(box), torch.tensor(1.0), (2, 4))
    assert torch.allclose(cover, torch.tensor(expected, dtype=torch.float32), atol=1e-5)


def test_an_absent_object_covers_nothing():
    assert not box_cover(torch.tensor([0.1, 0.1, 0.9, 0.9]), torch.tensor(0.0), (4, 4)).any()


def test_tokens_behind_a_name_reach_up_to_the_next_name():
    spans = torch.zeros(1, 2, 8, dtype=torch.bool)
    spans[0, 0, 1] = spans[0, 1, 4] = True
    assert object_token_mask(spans, 0) is spans
    behind = object_token_mask(spans, 9)[0]
    assert behind[0].nonzero()[:, 0].tolist() == [2, 3]
    assert behind[1].nonzero()[:, 0].tolist() == [5, 6, 7]
