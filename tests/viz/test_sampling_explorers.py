"""The explorers of strength and frames show what was sampled."""

from __future__ import annotations

import base64
import io
import re

import numpy as np
import pytest
from PIL import Image

from spa2v_lab.explorers.sampling import (
    STRENGTHS,
    FrameExplorer,
    StrengthExplorer,
    frame_caption,
    grounding_at,
    sample_at_strength,
)
from spa2v_lib.errors import SamplingError
from spa2v_lib.layout.scene_layout import Box, SceneObject, VideoSceneLayout
from spa2v_lib.sampling import generate, get_preset
from spa2v_lib.sampling.grounding.attention import AttentionGuidance
from spa2v_lib.video import Video

BOX = Box(x0=0.25, y0=0.25, x1=0.75, y1=0.75)


def layout() -> VideoSceneLayout:
    return VideoSceneLayout(
        caption="a bus stands on a city street",
        frame_captions=["a bus in the centre, a city street"],
        key_times_s=[0.0],
        objects=[SceneObject(id="bus", label="bus", caption="a bus", boxes=[BOX])],
        duration_s=0.25,
        background="street",
    )


def grey() -> Video:
    return Video(np.full((2, 32, 32, 3), 128, np.uint8), 8.0)


def shown(html: str) -> np.ndarray:
    data = re.search('base64,([^"]+)', html)[1]
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(data))).convert("RGB"), int)


def test_every_method_of_the_preset_has_a_strength_that_is_multiplied() -> None:
    for name in get_preset("tiny").groundings:
        usual, half = grounding_at(name, 1.0), grounding_at(name, 0.5)
        assert getattr(half, STRENGTHS[name]) == pytest.approx(
            0.5 * getattr(usual, STRENGTHS[name])
        )


def test_a_published_preset_without_knobs_of_its_own_takes_the_methods() -> None:
    doubled = grounding_at("attention", 2.0, "sd15-gligen")
    assert doubled.strength == pytest.approx(2 * AttentionGuidance().strength)


def test_layers_cannot_be_stronger_than_they_were_trained() -> None:
    with pytest.raises(SamplingError, match="between 0 and 1"):
        grounding_at("gligen", 1.5)


def test_strength_zero_is_plain_sampling_bit_for_bit() -> None:
    none = sample_at_strength(layout(), "gligen", 0.0, seed=3, steps=1)
    plain = generate(layout(), seed=3, steps=1, grounding="none")
    assert np.array_equal(none.video.frames, plain.frames)
    assert 0.0 <= none.iou <= 1.0


def test_a_trial_records_each_of_its_steps() -> None:
    trial = sample_at_strength(layout(), "gligen", 1.0, seed=3, steps=2)
    assert [step.step for step in trial.steps] == [0, 1]
    assert trial.steps[0].preview.shape == (2, 128, 128, 3)


def test_a_press_of_the_button_samples_with_the_chosen_method_and_strength() -> None:
    explorer = StrengthExplorer(layout(), seed=3, steps=1)
    explorer.method.value, explorer.strength.value = "gligen", 0.0
    explorer.sample_button.click()
    (done,) = explorer.trials
    assert (done.method, done.strength) == ("gligen", 0.0)
    assert done.summary in explorer.shown.value and "<img alt=" in explorer.shown.value
    assert not explorer.sample_button.disabled


def test_guidance_may_be_doubled_and_layers_may_not() -> None:
    explorer = StrengthExplorer(layout())
    for method, most in (("attention", 2.0), ("gligen", 1.0)):
        explorer.method.value = method
        assert explorer.strength.max == most


def test_what_cannot_be_sampled_is_said_in_the_explorer() -> None:
    explorer = StrengthExplorer(layout(), steps=0)
    explorer.sample_button.click()
    assert "steps" in explorer.shown.value and not explorer.trials


def test_a_frame_is_enlarged_and_its_box_drawn_where_it_is() -> None:
    explorer = FrameExplorer(layout(), grey())
    boxed = shown(explorer.shown.value)
    explorer.boxes.value = False
    plain = shown(explorer.shown.value)
    changed = np.argwhere(abs(plain - boxed).max(-1) > 60)
    assert plain.shape == (320, 320, 3)
    assert changed.min(0) == pytest.approx([78, 78], abs=3)
    assert changed.max(0) == pytest.approx([241, 241], abs=3)


def test_the_slider_and_the_box_choose_what_is_shown() -> None:
    frames = grey().frames.copy()
    frames[1] = 250
    explorer = FrameExplorer(layout(), Video(frames, 8.0))
    assert shown(explorer.shown.value)[5, 5] == pytest.approx([128] * 3, abs=3)
    explorer.frame.value, explorer.boxes.value = 1, False
    assert shown(explorer.shown.value).min() > 240
    assert frame_caption(layout(), 1) in explorer.shown.value


def test_a_frames_caption_says_when_it_is_shown_and_what_it_shows() -> None:
    assert frame_caption(layout(), 1) == "frame 2 of 2, 0.12 s: a bus in the centre, a city street"


def test_a_video_of_another_length_is_refused() -> None:
    with pytest.raises(ValueError, match="2 frames and the layout 8"):
        FrameExplorer(layout().model_copy(update={"duration_s": 1.0}), grey())
