"""The judge finds what was drawn, and is not fooled by empty scenes."""

import numpy as np
import pytest
import torch

from spa2v_lab.scenes.picture import draw_scene
from spa2v_lab.scenes.sampler import sample_scene
from spa2v_lab.training import data
from spa2v_lab.training.detector import HELD_OUT_STYLE, evaluate, heat_targets
from spa2v_lib.sampling.tiny_detector import Detector, detect, shipped_detector


def test_the_shipped_detector_finds_drawn_objects():
    measured = evaluate(shipped_detector(), data.frames(300, seed=77))
    assert measured["found"] > 0.85
    assert measured["mean_iou"] > 0.75
    assert measured["false_per_frame"] < 0.1


def test_it_finds_some_of_a_style_it_never_saw():
    measured = evaluate(shipped_detector(), data.frames(300, seed=78, styles=(HELD_OUT_STYLE,)))
    assert measured["found"] > 0.2  # chance among sixteen classes is far below


def test_an_empty_scene_holds_nothing():
    frames = np.concatenate([draw_scene(sample_scene(s, object_count=0))[:1] for s in range(40)])
    assert sum(map(len, detect(frames))) <= 2


def test_targets_point_at_the_sides_of_the_box():
    boxes = torch.zeros(1, data.MAX_OBJECTS, 4)
    boxes[0, 0] = torch.tensor([0.25, 0.25, 0.75, 0.5])
    labels = torch.full((1, data.MAX_OBJECTS), -1)
    labels[0, 0] = 3
    heat, sides, counted = heat_targets(boxes, labels, 16, len(data.LABELS))
    row, column = divmod(int(heat[0, 3].argmax()), 16)
    assert (row, column) in {(5, 7), (5, 8), (6, 7), (6, 8)}
    left, top, right, bottom = sides[0, :, row, column]
    assert torch.isclose(left + right, torch.tensor(8.0))
    assert torch.isclose(top + bottom, torch.tensor(4.0))
    assert heat.sum() == pytest.approx(float(heat[0, 3].sum()))
    assert counted[0, row, column]


def test_the_network_keeps_a_quarter_of_the_resolution():
    heat, sides = Detector(labels=data.LABELS)(torch.zeros(2, 3, 64, 64))
    assert heat.shape == (2, len(data.LABELS), 16, 16)
    assert sides.shape == (2, 4, 16, 16) and sides.min() >= 0
