"""The recipe runs from drawn data to a suite that samples, at a size that takes seconds."""

import numpy as np
import pytest
import torch
from transformers import CLIPTokenizer

from spa2v_lab.scenes.scene import Scene, StraightPath, WorldObject, ground_truth_layout
from spa2v_lab.training import data
from spa2v_lab.training.autoencoder import EncodedSet, encode_set, to_pixels, train_autoencoder
from spa2v_lab.training.base import (
    Base,
    new_base,
    new_unet,
    object_weights,
    train_base,
    velocity_loss,
)
from spa2v_lab.training.grounding import train_gligen, train_migc
from spa2v_lab.training.loop import Plan
from spa2v_lab.training.motion import new_adapter, train_motion
from spa2v_lab.training.words import new_text_encoder, new_tokenizer, tokenize
from spa2v_lib.layout.camera import Camera
from spa2v_lib.layout.captions import video_caption
from spa2v_lib.layout.classes import BACKGROUNDS, CLASSES
from spa2v_lib.sampling.grounding import migc_weights


@pytest.fixture(scope="module")
def drawn() -> data.DrawnSet:
    return data.frames(64, seed=5)


def _encoded(drawn: data.DrawnSet) -> EncodedSet:
    """Give a set latents that are small, and mean nothing."""
    latents = torch.randn(len(drawn.frames), 32, 8, 8, generator=torch.Generator().manual_seed(0))
    targets = (torch.from_numpy(part) for part in (drawn.boxes, drawn.phrases))
    return EncodedSet(latents, drawn.captions, *targets)


@pytest.fixture
def encoded(drawn) -> EncodedSet:
    return _encoded(drawn)


def test_drawn_boxes_belong_to_their_captions_and_frames(drawn):
    for caption, labels, boxes in zip(drawn.captions, drawn.labels, drawn.boxes, strict=True):
        for label, box in zip(labels, boxes, strict=True):
            if label >= 0:
                assert data.LABELS[label].replace("_", " ") in str(caption)
                assert 0 <= box[0] < box[2] <= 1 and 0 <= box[1] < box[3] <= 1
            else:
                assert not box.any()


@pytest.mark.parametrize(
    ("motion", "velocity", "prompt"),
    [
        ("right_crossing", (2.0, 0.0), "a bus from left to right"),
        ("left_crossing", (-2.0, 0.0), "a bus"),
        ("stationary", (0.0, 0.0), "a bus"),
        ("approaching", (-0.1, -2.0), "a bus"),
        ("approaching", (0.1, -2.0), "a bus from left to right"),
    ],
)
def test_a_phrase_says_if_an_object_is_drawn_facing_right(motion, velocity, prompt):
    path = StraightPath((0.0, 9.0), velocity)
    obj = WorldObject("bus", data.STYLE, path, motion, 4.0, 3.0, 0.0)
    scene = Scene((obj,), "street", Camera(), 1.0, seed=0)
    *_, phrases = next(data._draw(scene, np.zeros(1), 64))
    assert data.PHRASES[phrases[0]] == prompt
    assert (phrases[1:] == -1).all()


def test_a_drawn_set_is_decided_by_its_seed_however_many_draw_it(monkeypatch):
    monkeypatch.setattr(data, "_PART", 12)
    alone, shared = (data.frames(32, seed=5, workers=workers) for workers in (1, 2))
    assert len(alone.frames) == 32
    for name, values in vars(alone).items():
        assert np.array_equal(values, getattr(shared, name)), name
    assert not np.array_equal(alone.frames[:12], alone.frames[12:24])


def test_a_set_may_hold_certain_objects_only_and_many_of_them():
    few = data.frames(40, seed=5, labels=("cow", "dog"), counts={3: 1.0})
    assert {data.LABELS[i] for i in few.labels[few.labels >= 0]} == {"cow", "dog"}
    seen = (few.labels >= 0).sum(1)
    assert seen.max() == 3 and seen.mean() > 2, "some have left the picture"


def test_an_encoded_set_survives_saving(encoded, tmp_path):
    encoded.save(tmp_path / "set.npz")
    again = EncodedSet.load(tmp_path / "set.npz")
    assert torch.allclose(again.latents, encoded.latents, atol=2e-3)
    for name in ("boxes", "phrases"):
        assert torch.equal(getattr(again, name), getattr(encoded, name)), name
    assert list(again.captions) == list(encoded.captions)


def test_clips_have_one_caption_and_a_still_background():
    clips = data.clips(3, seed=1)
    assert clips.frames.shape[0] == 3 * data.CLIP_FRAMES
    for start in range(0, len(clips.frames), data.CLIP_FRAMES):
        part = slice(start, start + data.CLIP_FRAMES)
        assert len(set(clips.captions[part])) == 1
        still = (np.ptp(clips.frames[part], axis=0) == 0).all(-1)
        assert still.mean() > 0.2


def test_principal_components_code_drawn_pictures_well_before_any_training(drawn, tmp_path):
    model, log = train_autoencoder(drawn, Plan(1, 4, 0.0), tmp_path)
    assert log["psnr_db"]["all"] > 25
    halves = (
        data.DrawnSet(*(column[part] for column in vars(drawn).values()))
        for part in (slice(0, 40), slice(40, 64))
    )
    encoded = EncodedSet.of(model, halves)
    assert encoded.latents.shape == (64, 32, data.SIZE // 8, data.SIZE // 8)
    assert 0.9 < encoded.latents.std() < 1.1
    whole = encode_set(model, drawn.frames) * model.config.scaling_factor
    assert torch.allclose(encoded.latents, whole, atol=1e-5)
    assert list(encoded.captions) == list(drawn.captions)
    assert to_pixels(torch.from_numpy(drawn.frames)).abs().max() <= 1


def test_later_stages_leave_the_base_as_it_was(encoded, tmp_path):
    base = new_base(seed=0)
    train_base(base, encoded, Plan(2, 4, 1e-3), tmp_path)
    unet, text, _ = base
    before = {name: value.clone() for name, value in unet.state_dict().items()}
    words = {name: value.clone() for name, value in text.state_dict().items()}
    clips = _encoded(data.clips(3, seed=1))
    adapter, _ = train_motion(base, clips, None, Plan(3, 1, 1e-2), tmp_path)
    train_gligen(base, encoded, None, Plan(2, 4, 1e-2), tmp_path)
    after = unet.state_dict()
    assert all(torch.equal(after[name], value) for name, value in before.items())
    assert all(torch.equal(text.state_dict()[name], value) for name, value in words.items())
    moved = [v.abs().max() for n, v in adapter.named_parameters() if n.endswith("proj_out.weight")]
    assert min(moved) > 0, "motion output projections start at zero and must have learnt"
    assert adapter.config == new_adapter().config


def test_a_cell_weighs_more_the_more_of_it_an_object_covers():
    boxes = torch.tensor([[[0.0, 0.0, 0.5, 0.25], [0.0, 0.0, 0.0, 0.0]]])
    weights = object_weights(boxes, side=2)
    assert weights.shape == (1, 1, 2, 2)
    assert weights[0, 0].tolist() == [[2.0, 1.0], [1.0, 1.0]]


def test_the_first_label_of_a_scene_is_the_first_of_its_drawn_truth():
    obj = WorldObject("bus", data.STYLE, StraightPath((0, 9.0)), "stationary", 4.0, 3.0, 0.0)
    layout = ground_truth_layout(Scene((obj,), "street", Camera(), 1.0, seed=0))
    assert layout.caption == "a bus stands on a city street"


@pytest.mark.parametrize(("early", "low", "high"), [(0.0, 400, 600), (1.0, 800, 860)])
def test_early_examples_come_from_the_noisiest_third(early, low, high):
    seen = []

    def predict(noisy, times):
        seen.append(times)
        return noisy

    chance = torch.Generator().manual_seed(0)
    latents, weights = torch.zeros(2000, 1, 1, 1), torch.ones(1, 1, 1, 1)
    velocity_loss(predict, latents, weights, chance, early)
    (times,) = seen
    assert low < times.float().mean() < high
    assert times.max() <= 999 and times.min() >= (666 if early else 0)


def test_every_caption_word_is_one_token():
    tokenizer = new_tokenizer()
    for label in CLASSES:
        for background in BACKGROUNDS:
            caption = video_caption([(label, "right_crossing")], background)
            assert len(tokenizer.tokenize(caption)) == len(caption.split())


def test_unknown_words_become_letters_not_the_unknown_token():
    tokens = new_tokenizer().tokenize("zebra")
    assert "".join(tokens).replace("</w>", "") == "zebra"


def test_long_captions_are_cut_to_the_encoders_length():
    tokenizer = new_tokenizer()
    ids = tokenize(tokenizer, ["a bus " * 500, ""])
    encoder = new_text_encoder(tokenizer)
    assert encoder(ids).last_hidden_state.shape == (2, tokenizer.model_max_length, 128)


def test_the_tokenizer_survives_saving(tmp_path):
    tokenizer = new_tokenizer()
    tokenizer.save_pretrained(tmp_path)
    again = CLIPTokenizer.from_pretrained(tmp_path)
    captions = ["a ship sails from left to right on the blue sea"]
    assert tokenize(tokenizer, captions).tolist() == tokenize(again, captions).tolist()


def test_migc_layers_learn_and_the_base_stays_as_it_was(tmp_path):
    torch.manual_seed(0)
    drawn, unet, tokenizer = data.frames(8, seed=5), new_unet().eval(), new_tokenizer()
    text, side = new_text_encoder(tokenizer).eval(), unet.config.sample_size
    before = {name: value.clone() for name, value in unet.state_dict().items()}
    latents = torch.randn(8, unet.config.in_channels, side, side)
    targets = (torch.from_numpy(part) for part in (drawn.boxes, drawn.phrases))
    encoded, plan = EncodedSet(latents, drawn.captions, *targets), Plan(4, 4, 1e-2, warmup=1)
    base, parts = Base(unet, text, tokenizer), ("mid_block", "up_blocks.1")
    log = train_migc(base, encoded, None, plan, tmp_path, parts=parts)
    assert all(torch.equal(unet.state_dict()[name], value) for name, value in before.items())
    layers = migc_weights.attached(unet)
    assert {name.split(".attentions")[0] for name in layers} == {"mid_block", "up_blocks.1"}
    for attention in layers.values():
        moved = {n: p.abs().max().item() for n, p in attention.migc.out.named_parameters()}
        assert min(moved.values()) > 0, "starts at zero and must have learnt"
        assert attention.processor.__class__.__name__ == "AttnProcessor2_0"
    assert log["losses"][0] > 0
