"""The score of sampled videos, by hand."""

import math

import pytest

from spa2v_lib.bench.sampling import score
from spa2v_lib.layout import Box, SceneObject, VideoSceneLayout
from spa2v_lib.tiny.detector import Detection

ASKED = Box(x0=0.0, y0=0.0, x1=0.4, y1=0.5)
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
    assert score(_layout(ASKED), found) == pytest.approx({"IoU": 1.5 / 4, "right class": 0.5})


def test_frames_without_an_asked_box_do_not_count():
    found = [[Detection("bus", 0.9, ASKED)]] * 4
    assert all(map(math.isnan, score(_layout(None), found).values()))
