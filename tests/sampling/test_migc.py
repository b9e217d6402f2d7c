"""MIGC in a video: whom it reaches, what it may not touch, and its limits."""

from types import SimpleNamespace

import pytest
import torch
from diffusers import MotionAdapter, UNet2DConditionModel, UNetMotionModel

from spa2v_lab.training.grounding import layer_parameters, save_layers
from spa2v_lib.errors import DataError, SamplingError
from spa2v_lib.sampling import new_grounding
from spa2v_lib.sampling.grounding import migc_weights
from spa2v_lib.sampling.grounding.base import GroundingInputs
from spa2v_lib.sampling.grounding.box_maps import soft_masks
from spa2v_lib.sampling.grounding.cross_attention import layers
from spa2v_lib.sampling.grounding.migc import MIGC, Objects, grounded
from spa2v_lib.sampling.grounding.migc_layers import GradedMIGCLayer

WIDTH, FRAMES = 16, 3
LEFT, RIGHT = [0.1, 0.2, 0.5, 0.6], [0.6, 0.3, 0.9, 0.8]


def _motion_unet(*, graded: bool | None = None, drawn: bool = True) -> UNetMotionModel:
    """Build a small UNet without motion; `graded` chooses MIGC layers, `drawn` their weights."""
    torch.manual_seed(0)
    unet = UNet2DConditionModel(
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
    unet = UNetMotionModel.from_unet2d(unet, adapter).eval()
    for name, value in unet.named_parameters():
        if "motion_modules" in name and ".proj_out." in name:
            torch.nn.init.zeros_(value)
    if graded is not None:
        names = [n for n in layers(unet) if not n.startswith("down_blocks")]
        migc_weights.attach(unet, names, hidden=32, graded=graded)
        for value in layer_parameters(unet).values() if drawn else ():
            torch.nn.init.normal_(value, std=0.3)
    return unet.requires_grad_(False)


def _objects(boxes=(LEFT, RIGHT), present=((1, 1),) * FRAMES, seed: int = 2) -> Objects:
    generator = torch.Generator().manual_seed(seed)
    count = len(boxes)
    return Objects(
        boxes=torch.tensor([list(boxes)] * FRAMES).reshape(FRAMES, count, 4),
        present=torch.tensor(present, dtype=torch.float32),
        which=torch.arange(count).expand(FRAMES, -1),
        words=torch.randn(count, 5, WIDTH, generator=generator),
        pooled=torch.randn(count, WIDTH, generator=generator),
        places=torch.arange(count),
    )


@torch.no_grad()
def _run(unet: UNetMotionModel, objects: Objects | None, **kwargs) -> torch.Tensor:
    """Return the output [2, 4, frames, 8, 12] of an unconditional and a conditional half."""
    generator = torch.Generator().manual_seed(3)
    latents = torch.randn(1, 4, FRAMES, 8, 12, generator=generator).repeat(2, 1, 1, 1, 1)
    words = torch.randn(2 * FRAMES, 5, WIDTH, generator=generator).to(unet.dtype)
    latents = latents.to(unet.dtype)
    if objects is None:
        return unet(latents, 10, words).sample
    with grounded(unet, objects, **kwargs):
        return unet(latents, 10, words).sample


def test_new_layers_for_training_change_no_bit():
    unet = _motion_unet(graded=True, drawn=False)
    assert torch.equal(_run(unet, _objects()), _run(unet, None))


@pytest.mark.parametrize("graded", [False, True])
def test_layers_change_the_conditional_half_alone_and_are_gone_afterwards(graded):
    unet = _motion_unet(graded=graded)
    plain = _run(_motion_unet(), None)
    found = _run(unet, _objects())
    assert torch.equal(found[0], plain[0])
    assert (found[1] - plain[1]).abs().amax((0, 2, 3)).min() > 1e-2, "in every frame"
    assert torch.equal(_run(unet, None), plain)
    with pytest.raises(KeyboardInterrupt), grounded(unet, _objects()):
        raise KeyboardInterrupt
    assert torch.equal(_run(unet, None), plain)


def test_strength_goes_from_plain_cross_attention_to_migc():
    unet = _motion_unet(graded=False)
    plain, whole = _run(unet, None), _run(unet, _objects())
    half = _run(unet, _objects(), strength=0.5)
    assert torch.equal(_run(unet, _objects(), strength=0.0), plain)
    assert 0 < (half - plain).abs().mean() < (whole - plain).abs().mean()


@pytest.mark.parametrize("graded", [False, True])
def test_an_absent_object_adds_nothing_to_its_frame_whatever_it_is(graded):
    unet = _motion_unet(graded=graded)
    one = _objects(present=((1, 1), (1, 0), (0, 0)))
    other = _objects((LEFT, RIGHT), one.present.tolist())
    other.words[1], other.pooled[1], other.boxes[1:, 1] = 7.0, -3.0, torch.tensor([0, 0, 1, 1.0])
    other.boxes[2, 0] += 0.1
    found, changed = _run(unet, one)[1], _run(unet, other)[1]
    assert torch.equal(found[:, 1:], changed[:, 1:])
    assert not torch.equal(found[:, 0], changed[:, 0])
    alone = Objects(
        one.boxes[:, :1], one.present[:, :1], one.which[:, :1], one.words, one.pooled,
        one.places[:1],
    )  # fmt: skip
    assert (found[:, 1] - _run(unet, alone)[1][:, 1]).abs().max() < 1e-5
    assert torch.equal(found[:, 2], _run(unet, None)[1][:, 2]), "a frame without objects is plain"


@pytest.mark.parametrize("graded", [False, True])
def test_no_object_at_all_is_plain_cross_attention(graded):
    unet = _motion_unet(graded=graded)
    found = _run(unet, _objects((), present=((),) * FRAMES))
    assert torch.equal(found, _run(unet, None))


def test_moving_one_frames_box_leaves_the_other_frames_alone():
    unet = _motion_unet(graded=False)
    moved = _objects()
    moved.boxes[1, 0, [0, 2]] += 0.3
    one, other = _run(unet, _objects())[1], _run(unet, moved)[1]
    assert torch.equal(one[:, [0, 2]], other[:, [0, 2]]) and not torch.equal(one[:, 1], other[:, 1])


@pytest.mark.parametrize(
    "box", [[0.5, 0.5, 0.5, 0.8], [0.3, 0.3, 0.3, 0.3], [1.2, 0.1, 1.6, 0.5], [0.6, 0.2, 0.4, 0.4]]
)
@pytest.mark.parametrize("graded", [False, True])
def test_a_box_without_area_in_the_picture_is_an_absent_object(box, graded):
    unet = _motion_unet(graded=graded)
    found = _run(unet, _objects((LEFT, box)))
    assert torch.equal(found, _run(unet, _objects(present=((1, 0),) * FRAMES)))


def test_layers_compute_in_the_unets_own_precision():
    for graded in (False, True):
        unet = _motion_unet(graded=graded)
        whole = _run(unet, _objects())
        found = _run(unet.to(torch.bfloat16), _objects())
        assert found.dtype == torch.bfloat16
        assert 0 < (found - whole).abs().max() < 0.2


def test_no_random_number_is_drawn_and_twice_gives_the_same():
    unet = _motion_unet(graded=False)
    before = torch.get_rng_state()
    one, other = _run(unet, _objects()), _run(unet, _objects())
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(one, other)


def test_soft_masks_are_whole_inside_graded_at_edges_and_rest_is_what_no_box_covers():
    boxes = torch.tensor([[[0.5, 0.0, 1.0, 0.5], [0.0, 0.0, 0.535, 1.0], [0.0, 0.0, 1.0, 1.0]]])
    present = torch.tensor([[1.0, 1.0, 0.0]])
    cover, rest = soft_masks(boxes, present, (128, 64), (8, 16))
    assert cover.shape == (1, 3, 8, 16) and rest.shape == (1, 1, 8, 16)
    assert cover[0, 0].nonzero().tolist() == [[y, x] for y in range(4) for x in range(8, 16)]
    assert set(cover[0, 0].unique().tolist()) == {0.0, 1.0}
    assert 0 < cover[0, 1, 0, 8] < 1, "the box ends between the pixels that the cell averages"
    assert not cover[0, 2].any()
    assert torch.equal(rest[0, 0, 5], 1 - cover[0, 1, 5]) and not rest[0, 0, 0].any()


def test_layers_survive_saving_and_another_unet_refuses_them(tmp_path):
    unet = _motion_unet(graded=True)
    save_layers(unet, tmp_path / "migc.safetensors")
    again = _motion_unet()
    migc_weights.load(again, tmp_path / "migc.safetensors")
    kinds = {type(attention.migc) for attention in migc_weights.attached(again).values()}
    assert kinds == {GradedMIGCLayer}
    assert (_run(again, _objects()) - _run(unet, _objects())).abs().max() < 1e-2
    kept, read = layer_parameters(unet), layer_parameters(again)
    assert kept.keys() == read.keys()
    assert all((kept[name] - read[name]).abs().max() < 2e-3 for name in kept)
    other = UNet2DConditionModel(
        block_out_channels=(16, 32),
        layers_per_block=1,
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
        cross_attention_dim=8,
        norm_num_groups=8,
        attention_head_dim=2,
    )
    with pytest.raises(DataError, match=r"migc\.safetensors does not fit .* of another shape"):
        migc_weights.load(other, tmp_path / "migc.safetensors")


def _pipeline(unet: UNetMotionModel) -> SimpleNamespace:
    """Return the parts of a pipeline that MIGC asks for, with a text encoder of three letters."""

    def tokenizer(phrases, **_):
        ids = [[ord(letter) for letter in phrase[:5].ljust(5)] for phrase in phrases]
        return SimpleNamespace(input_ids=torch.tensor(ids))

    table = torch.randn(128, WIDTH, generator=torch.Generator().manual_seed(5))

    def text_encoder(ids):
        return SimpleNamespace(last_hidden_state=table[ids], pooler_output=table[ids].mean(1))

    text_encoder.device = torch.device("cpu")
    return SimpleNamespace(unet=unet, tokenizer=tokenizer, text_encoder=text_encoder)


def _inputs(boxes=(LEFT, RIGHT), steps: int = 4, **changes) -> GroundingInputs:
    count = len(boxes)
    given = {
        "boxes": torch.tensor([list(boxes)] * FRAMES).reshape(FRAMES, count, 4),
        "present": torch.ones(FRAMES, count),
        "phrases": tuple(f"thing {i}" for i in range(count)),
        "spans": torch.zeros(FRAMES, count, 5, dtype=torch.bool),
        "text": torch.zeros(FRAMES, 5, WIDTH),
        "steps": steps,
        "guided": True,
        "seed": 0,
    }
    return GroundingInputs(**(given | changes))


def test_it_acts_until_half_of_the_steps_and_no_longer():
    unet = _motion_unet(graded=False)
    plain, method = _run(unet, None), new_grounding("migc")
    method.prepare(_pipeline(unet))
    with method.applied(_pipeline(unet), _inputs()) as hooks:
        same = []
        for step in range(4):
            assert hooks.before_step(step, plain) is plain
            same.append(torch.equal(_run(unet, None), plain))
    assert same == [False, False, False, True], "as published, the step at the stop is the last"
    assert torch.equal(_run(unet, None), plain)


@pytest.mark.parametrize(
    ("method", "inputs"),
    [
        (MIGC(strength=0.0), _inputs()),
        (MIGC(stop=0.0), _inputs()),
        (MIGC(), _inputs(())),
        (MIGC(), _inputs(present=torch.zeros(FRAMES, 2))),
        (MIGC(), _inputs(([0.3, 0.3, 0.3, 0.3],))),
    ],
    ids=["strength 0", "active 0", "no objects", "none present", "no area"],
)
def test_nothing_to_do_is_the_plain_unet_bit_for_bit(method, inputs):
    unet = _motion_unet(graded=False)
    plain = _run(unet, None)
    with method.applied(_pipeline(unet), inputs) as hooks:
        hooks.before_step(0, plain)
        assert torch.equal(_run(unet, None), plain)


def test_forty_objects_are_refused_and_twenty_eight_are_not():
    pipeline, box = _pipeline(_motion_unet(graded=False)), [0.2, 0.2, 0.7, 0.7]
    with (
        pytest.raises(SamplingError, match="40 objects; MIGC holds at most 28"),
        MIGC().applied(pipeline, _inputs([box] * 40)),
    ):
        pass
    with MIGC().applied(pipeline, _inputs([box] * 28)):
        assert _run(pipeline.unet, None).isfinite().all()


def test_a_batch_of_another_length_is_refused():
    unet = _motion_unet(graded=False)
    with (
        pytest.raises(SamplingError, match="given 3 frames, and the UNet a batch of 4"),
        grounded(unet, _objects()),
        torch.no_grad(),
    ):
        unet(torch.zeros(1, 4, 4, 8, 12), 10, torch.zeros(4, 5, WIDTH))


def test_a_unet_without_layers_and_knobs_out_of_range_are_refused():
    with pytest.raises(SamplingError, match="has no MIGC layers"):
        MIGC().prepare(_pipeline(_motion_unet()))
    for knob in ({"stop": 1.5}, {"strength": -0.1}):
        with pytest.raises(SamplingError, match="between 0 and 1"):
            new_grounding("migc", **knob)
