"""What is added to diffusers' pipeline adds nothing when it is off, and is gone afterwards."""

import numpy as np
import pytest
import torch

from spa2v_lab.viz.attention_maps import Recorder
from spa2v_lib.errors import SamplingError
from spa2v_lib.layout.scene_layout import Box, SceneObject, VideoSceneLayout
from spa2v_lib.sampling import generate, loading, new_grounding, presets
from spa2v_lib.sampling.grounding.gligen import GLIGEN
from spa2v_lib.sampling.texts import encode_texts, object_phrases


def _layout(seconds: float = 0.5) -> VideoSceneLayout:
    box = Box(x0=0.1, y0=0.35, x1=0.45, y1=0.65)
    thing = SceneObject(id="one", label="bus", caption="a bus", boxes=[box, None])
    return VideoSceneLayout(
        caption="a bus drives from right to left on a city street",
        frame_captions=["a bus on the left, a city street", "a city street"],
        key_times_s=[0.0, seconds * 0.75],
        objects=[thing],
        duration_s=seconds,
    )


def _stock(layout: VideoSceneLayout, steps: int, seed: int) -> np.ndarray:
    """Sample with diffusers alone."""
    pipeline, preset = loading.load("tiny"), presets.get_preset("tiny")
    frames = pipeline(
        prompt=layout.caption,
        num_frames=layout.frame_count,
        width=preset.size[0],
        height=preset.size[1],
        num_inference_steps=steps,
        guidance_scale=preset.guidance_scale,
        generator=torch.Generator("cpu").manual_seed(seed),
        output_type="np",
    ).frames[0]
    return (255 * np.clip(frames, 0, 1) + 0.5).astype(np.uint8)


STOCK = {"seed": 5, "steps": 3, "guidance_stop": 1.0, "captions": "global"}
"""What diffusers' own pipeline does."""


@pytest.fixture(scope="module")
def plain() -> np.ndarray:
    return generate(_layout(), grounding="none", **STOCK).frames


def test_without_grounding_and_with_the_global_caption_the_frames_are_diffusers_own(plain):
    assert np.array_equal(plain, _stock(_layout(), 3, 5))


def test_grounding_layers_of_strength_0_change_no_bit(plain):
    video = generate(_layout(), grounding=GLIGEN(strength=0.0), **STOCK)
    assert np.array_equal(video.frames, plain)


def test_more_strength_moves_the_frames_further_from_the_plain_ones(plain):
    away = [
        np.abs(
            generate(_layout(), grounding=GLIGEN(strength=s), **STOCK)
            .frames.astype(float) - plain
        ).mean()
        for s in (0.3, 1.0)
    ]  # fmt: skip
    assert 0 < away[0] < away[1]


def test_watching_changes_no_frame_and_keeps_every_step():
    recorder = Recorder(cells=8, frames=2)
    kept = {"seed": 5, "steps": 3}
    watched = generate(_layout(), **kept, recorder=recorder)
    assert watched.sha256() == generate(_layout(), **kept).sha256()
    assert [record.step for record in recorder.steps] == [0, 1, 2]
    first = recorder.steps[0]
    assert first.maps.shape[:2] == (4, 1) and len(first.preview) == 2
    assert first.maps[0].max() > 0


def test_an_interrupted_sampling_leaves_the_pipeline_as_it_was(plain):
    def interrupt(done: int, _of: int) -> None:
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        generate(_layout(), seed=5, steps=3, grounding=GLIGEN(strength=0.5), progress=interrupt)
    again = generate(_layout(), grounding="none", **STOCK).frames
    assert np.array_equal(again, plain)


def test_frame_captions_reach_their_own_frames_alone():
    layout = _layout()
    other = layout.model_copy(update={"frame_captions": [layout.frame_captions[0], "the sea"]})
    texts = [encode_texts(loading.load("tiny"), each, "frame") for each in (layout, other)]
    same = [torch.equal(a, b) for a, b in zip(*(t.conditional for t in texts), strict=True)]
    assert same == [True, True, False, False]


def test_mixed_captions_hold_the_words_of_both_sentences_and_know_where_the_thing_is_named():
    pipeline, layout = loading.load("tiny"), _layout()
    mixed, whole, single = (
        encode_texts(pipeline, layout, kind) for kind in ("mixed", "global", "frame")
    )
    both = torch.cat([whole.conditional, single.conditional], dim=1)
    assert torch.equal(mixed.conditional, both)
    assert mixed.conditional.shape == mixed.unconditional.shape
    bus = pipeline.tokenizer("bus", add_special_tokens=False).input_ids
    named = mixed.spans.sum(-1)[:, 0].tolist()
    assert named == [2 * len(bus)] * 2 + [len(bus)] * 2


@pytest.mark.parametrize(
    ("last", "told"),
    [
        ((0.6, 0.35, 0.95, 0.65), "a red bus from left to right"),
        ((0.0, 0.35, 0.2, 0.65), "a red bus"),  # sprites face left
        ((0.1, 0.35, 0.5, 0.65), "a red bus"),
        ((0.1, 0.1, 0.7, 0.9), "a red bus"),  # comes closer
    ],
)
def test_the_boxes_say_if_a_thing_goes_to_the_right(last, told):
    corners = [(0.1, 0.35, 0.45, 0.65), last]
    boxes = [Box(**dict(zip(("x0", "y0", "x1", "y1"), at, strict=True))) for at in corners]
    thing = SceneObject(id="one", label="bus", caption="a red bus", boxes=[*boxes, None])
    change = {"objects": [thing], "key_times_s": [0.0, 0.2, 0.3], "frame_captions": [""] * 3}
    layout = _layout().model_copy(update=change)
    assert object_phrases(layout, directional=True) == (told,)
    assert object_phrases(layout, directional=False) == ("a red bus",)


@pytest.mark.parametrize("knob", [{"stop": 1.5}, {"strength": -0.1}])
def test_knobs_out_of_range_are_refused(knob):
    with pytest.raises(SamplingError, match="between 0 and 1"):
        new_grounding("gligen", **knob)
