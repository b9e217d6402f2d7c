"""The score of sampled videos, by hand."""

import math

import numpy as np
import pytest

from spa2v_lab.bench.frame import Row, interval
from spa2v_lab.bench.sampling import conditions_of, goals_of, score
from spa2v_lib.layout.scene_layout import Box, SceneObject, VideoSceneLayout
from spa2v_lib.sampling.tiny_detector import Detection

ASKED = Box(x0=0.0, y0=0.0, x1=0.4, y1=0.5)
FLAT = np.zeros((4, 32, 32, 3), np.uint8)
HALF = Box(x0=0.0, y0=0.0, x1=0.2, y1=0.5)


def _layout(box: Box | None) -> VideoSceneLayout:
    thing = SceneObject(id="bus", label="bus", caption="a bus", boxes=[box])
    return VideoSceneLayout(
        caption="a bus",
        frame_captions=["a bus"],
        key_times_s=[0.0],
        objects=[thing],
        duration_s=0.5,
    )


def test_the_best_detection_of_the_class_counts_and_missing_ones_are_zero():
    found = [
        [Detection("bus", 0.9, HALF), Detection("bus", 0.5, ASKED)],
        [Detection("bus", 0.9, HALF)],
        [Detection("cow", 0.9, ASKED)],
        [],
    ]
    scores = score(_layout(ASKED), FLAT, found)
    assert scores == pytest.approx({"IoU": 1.5 / 4, "right class": 0.5, "consistency": 0.0})


def test_frames_without_an_asked_box_do_not_count():
    found = [[Detection("bus", 0.9, ASKED)]] * 4
    assert all(map(math.isnan, score(_layout(None), FLAT, found).values()))


def test_conditions_tell_one_object_from_two_and_the_middle_from_the_sides():
    assert conditions_of(_layout(ASKED)) == {"all", "one object", "one object, off-centre"}
    assert conditions_of(_layout(Box(x0=0.4, y0=0.0, x1=0.6, y1=0.5))) == {"all", "one object"}
    two = _layout(ASKED).model_copy(update={"objects": _layout(ASKED).objects * 2})
    assert conditions_of(two) == {"all", "two objects"}


def test_a_goal_takes_the_better_type_of_layers_and_the_gain_over_plain():
    def row(method: str, iou: float, condition: str = "one object") -> Row:
        return Row(method, condition, 1, {"IoU": interval([iou])})

    rows = [row("none", 0.2), row("gligen", 0.7), row("migc", 0.6), row("lvd", 0.9)]
    goals = {goal.name: goal for goal in goals_of(rows)}
    assert goals["mean IoU, one object, MIGC or GLIGEN kind"].value == 0.7
    assert goals["the same, above plain sampling"].value == pytest.approx(0.5)
    assert goals["mean IoU, two objects"].value is None
    assert not goals["mean IoU, two objects"].met
