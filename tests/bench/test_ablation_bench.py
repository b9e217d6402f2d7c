"""Four ways to put the parts together differ in the parts alone."""

import math

import numpy as np
import pytest

from spa2v_lab.bench.ablation import COMBINATIONS, ablated, combination_scores, mean_scores
from spa2v_lab.scenes.picture import draw_scene
from spa2v_lab.scenes.sampler import sample_scene
from spa2v_lab.scenes.scene import ground_truth_layout
from spa2v_lib.sampling import generate
from spa2v_lib.sampling.presets import get_preset
from spa2v_lib.video import Video

SCENE = sample_scene(3, motion="stationary", labels=("bus",), styles=("fluent3d",), duration_s=0.25)


def test_every_combination_differs_and_both_is_what_generate_does() -> None:
    layout = ground_truth_layout(SCENE)
    videos = ablated(layout, grounding="gligen", seed=2, steps=1)
    assert list(videos) == list(COMBINATIONS)
    assert len({video.sha256() for video in videos.values()}) == 4
    usual = generate(layout, seed=2, steps=1, grounding="gligen")
    assert np.array_equal(videos["with both"].frames, usual.frames)


def test_drawn_frames_score_high_and_their_mirror_image_low() -> None:
    frames = draw_scene(SCENE, width=get_preset("tiny").size[0])
    scores = combination_scores(SCENE, {"drawn by hand": Video(frames, 8.0)})
    assert scores["drawn by hand"] == scores["drawn"]
    assert scores["drawn"]["IoU"] > 0.6
    assert scores["mirrored layout"]["IoU"] < scores["drawn"]["IoU"]


def test_a_mean_leaves_out_what_could_not_be_measured() -> None:
    scenes = [{"a": {"IoU": 0.2, "x": math.nan}}, {"a": {"IoU": 0.4, "x": math.nan}}]
    means = mean_scores([*scenes, {"a": {"IoU": math.nan, "x": math.nan}}])
    assert means["a"]["IoU"] == pytest.approx(0.3) and math.isnan(means["a"]["x"])
