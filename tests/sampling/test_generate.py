"""Videos sampled with the shipped suite: repeatable, as long as asked, and where the boxes are."""

import numpy as np
import pytest

from spa2v_lib.errors import SamplingError
from spa2v_lib.layout.captions import video_caption
from spa2v_lib.layout.classes import CLASSES
from spa2v_lib.layout.scene_layout import Box, SceneObject, VideoSceneLayout
from spa2v_lib.sampling import check, generate, weight_hashes
from spa2v_lib.sampling.grounding import chosen_grounding
from spa2v_lib.sampling.loading import load
from spa2v_lib.sampling.presets import get_preset
from spa2v_lib.sampling.tiny_detector import detect


def _layout(seconds: float = 1.0, label: str = "bus", **box: float) -> VideoSceneLayout:
    corners = {"x0": 0.1, "y0": 0.35, "x1": 0.45, "y1": 0.65} | box
    return VideoSceneLayout(
        caption=f"a {label} stands on a city street",
        frame_captions=["a city street"],
        key_times_s=[0.0],
        objects=[SceneObject(id="one", label=label, caption=f"a {label}", boxes=[Box(**corners)])],
        duration_s=seconds,
    )


@pytest.fixture(scope="module")
def video():
    return generate(_layout(), seed=3, steps=4)


def test_the_same_seed_gives_the_same_frames_bit_for_bit(video):
    assert generate(_layout(), seed=3, steps=4).sha256() == video.sha256()


def test_another_seed_gives_other_frames(video):
    assert generate(_layout(), seed=4, steps=4).sha256() != video.sha256()


def test_boxes_are_followed_and_can_be_ignored(video):
    ignored = generate(_layout(), seed=3, steps=4, grounding="none")
    elsewhere = generate(_layout(x0=0.6, x1=0.95), seed=3, steps=4)
    ignored_elsewhere = generate(_layout(x0=0.6, x1=0.95), seed=3, steps=4, grounding="none")
    assert ignored.sha256() == ignored_elsewhere.sha256()
    assert len({video.sha256(), ignored.sha256(), elsewhere.sha256()}) == 3


@pytest.mark.parametrize(("seconds", "frames"), [(0.25, 2), (2.0, 16), (2.1, 17), (3.3, 26)])
def test_the_video_lasts_as_long_as_its_layout(seconds, frames):
    video = generate(_layout(seconds), steps=1)
    assert video.frames.shape == (frames, 128, 128, 3) and video.frames.dtype == np.uint8


def test_windows_are_switched_off_again_after_a_long_video(video):
    generate(_layout(3.0), steps=1)
    assert generate(_layout(), seed=3, steps=4).sha256() == video.sha256()


def test_guidance_may_act_in_part_of_the_steps_and_rest_at_half_the_cost():
    pipeline = load("tiny", "cpu")
    batches = []
    handle = pipeline.unet.conv_in.register_forward_pre_hook(
        lambda _layer, given: batches.append(len(given[0]))
    )
    try:
        how = {"steps": 4, "device": "cpu", "guidance_start": 0.25, "guidance_stop": 0.5}
        part = generate(_layout(0.5), **how)
        assert batches == [4, 8, 4, 4]
        never = generate(_layout(0.5), **{**how, "guidance_stop": 0.25})
        without = generate(_layout(0.5), steps=4, device="cpu", guidance_scale=1.0)
    finally:
        handle.remove()
    assert never.sha256() == without.sha256() != part.sha256()


@pytest.mark.parametrize("grounding", ["gligen", "migc", "attention", "lvd"])
def test_every_method_works_with_guidance_in_part_of_the_steps(grounding):
    how = {"steps": 2, "grounding": grounding}
    part = generate(_layout(0.25), **how, guidance_stop=0.5)
    assert part.sha256() != generate(_layout(0.25), **how, guidance_stop=1.0).sha256()


def test_progress_is_reported_after_each_step():
    reported = []
    generate(_layout(0.25), steps=3, progress=lambda done, of: reported.append((done, of)))
    assert reported == [(1, 3), (2, 3), (3, 3)]


def test_stages_are_reported_from_loading_to_decoding_and_change_no_frame():
    reported = []
    layout = _layout(3.0)
    video = generate(layout, steps=2, on_stage=lambda *told: reported.append(told))
    parts = [told[:3] for told in reported]
    assert parts == [
        *(("load", done, 4) for done in (0, 3, 4)),
        *(("sample", done, 2) for done in range(3)),
        *(("decode", done, 24) for done in (0, 16, 16, 24)),
    ]
    expected = [told[3] for told in reported if len(told) == 4]
    assert len(expected) == 1 and 0 < expected[0] < 600
    assert video.sha256() == generate(layout, steps=2).sha256()


def test_more_steps_and_guidance_are_expected_to_take_longer(monkeypatch):
    monkeypatch.setattr("spa2v_lib.sampling.pipeline.expected_seconds", lambda *_: 1.0)

    def expected(**how) -> float:
        told = []
        generate(_layout(0.25), on_stage=lambda *one: told.append(one), **how)
        return next(one[3] for one in told if len(one) == 4)

    assert expected(steps=4) == 8.0
    assert expected(steps=4, guidance_stop=0.5) == 6.0
    assert expected(steps=4, guidance_scale=1.0) == 4.0


def test_a_layout_without_objects_is_a_background():
    empty = _layout().model_copy(update={"objects": []})
    assert generate(empty, steps=2).frames.shape == (8, 128, 128, 3)


def test_what_the_suite_cannot_draw_is_drawn_as_the_nearest_class():
    dragon = _layout(0.25, label="dragon")
    assert check(dragon).name == "tiny"
    drawn = generate(dragon, steps=2)
    assert drawn.layout.objects[0].label == "dragon"
    assert drawn.sha256() == generate(_layout(0.25, label="lion"), steps=2).sha256()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"preset": "huge"}, "no preset 'huge'"),
        ({"steps": 0}, "0 sampling steps; the number must lie between 1 and 1000"),
        ({"steps": 10_000}, "10000 sampling steps"),
        ({"guidance_start": 0.8, "guidance_stop": 0.2}, "guidance_start is 0.8"),
        ({"guidance_scale": -1.0}, "guidance_scale is -1"),
        ({"grounding": "magic"}, "no grounding 'magic'"),
        ({"grounding": "lvd:magic=1"}, "lvd has no knob 'magic'; it has: scale"),
        ({"grounding": "attention:noise"}, "'noise' sets no knob"),
        (
            {"grounding": "attention:padding_tokens=0.5"},
            "padding_tokens is 0.5; it must",
        ),
        ({"grounding": "gligen:strength=7"}, "strength is 7"),
        ({"grounding": "migc:stop=nan"}, "stop is nan"),
        ({"grounding": "none:strength=1"}, "has no knobs"),
    ],
)
def test_wrong_arguments_are_named(arguments, message):
    with pytest.raises(SamplingError, match=message):
        generate(_layout(), **arguments)


def test_knobs_are_given_with_the_name_and_the_rest_stays_the_presets():
    method = chosen_grounding("attention:noise=on,strength=0.5", get_preset("tiny"))
    usual = chosen_grounding("attention", get_preset("tiny"))
    assert (method.noise, method.strength) == (True, 0.5)
    assert (usual.noise, method.stop, method.following_tokens) == (
        False,
        usual.stop,
        usual.following_tokens,
    )
    assert chosen_grounding("none", get_preset("tiny")) is None
    moved, still = (
        generate(_layout(), steps=2, grounding=f"attention:noise={noise}")
        for noise in ("on", "off")
    )
    assert not np.array_equal(moved.frames, still.frames)


def test_knobs_by_the_names_of_earlier_run_folders_mean_the_same():
    preset = get_preset("tiny")
    before = chosen_grounding("attention:active=0.3,behind=4,trailing=2", preset)
    now = chosen_grounding("attention:stop=0.3,following_tokens=4,padding_tokens=2", preset)
    assert before == now


def test_a_preset_says_which_weights_it_samples_with():
    weights = weight_hashes(get_preset("tiny"))
    assert {name.split("/")[0] for name in weights} == {
        "grounding", "motion_adapter", "text_encoder", "unet", "vae",
    }  # fmt: skip
    assert all(len(digest) == 64 for digest in weights.values())


@pytest.mark.slow
def test_objects_are_drawn_in_their_boxes_and_not_in_the_mirrored_ones():
    inside, mirrored = [], []
    for label, left in {"bus": 0.08, "cow": 0.55, "guitar": 0.1, "helicopter": 0.6}.items():
        layout = _layout(2.0, label, x0=left, x1=left + 0.35)
        background = CLASSES[label].background
        caption = video_caption([(label, "stationary")], background)
        video = generate(layout.model_copy(update={"caption": caption}), seed=1)
        asked = layout.objects[0].boxes[0]
        for row in detect(video.frames):
            found = [d.box for d in row if d.label == label]
            inside.append(max(map(asked.iou, found), default=0.0))
            mirrored.append(max(map(asked.mirrored().iou, found), default=0.0))
    assert np.mean(inside) > 0.45
    assert np.mean(inside) > np.mean(mirrored) + 0.35
