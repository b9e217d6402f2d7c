"""What is drawn of attention maps and previews is what the recorder kept."""

from __future__ import annotations

import numpy as np
import pytest

from spa2v_lab.viz.inside import attention_in_boxes, attention_share_figure, box_area, inside_figure
from spa2v_lib.layout.scene_layout import Box, SceneObject, VideoSceneLayout
from spa2v_lib.sampling.attention_maps import StepRecord

LEFT = Box(x0=0.0, y0=0.0, x1=0.5, y1=1.0)


def layout(box: Box | None = LEFT) -> VideoSceneLayout:
    return VideoSceneLayout(
        caption="a bus stands",
        frame_captions=["a bus"],
        key_times_s=[0.0],
        objects=[SceneObject(id="bus", label="bus", caption="a bus", boxes=[box])],
        duration_s=0.5,
    )


def record(step: int, maps: np.ndarray) -> StepRecord:
    return StepRecord(step, 900 - step, maps.astype(np.float16), np.zeros((2, 32, 32, 3), np.uint8))


EVEN = np.full((4, 1, 4, 4), 0.25)
FOCUSED = np.zeros((4, 1, 4, 4))
FOCUSED[..., 0] = 1.0


def test_even_attention_is_in_the_box_as_far_as_the_box_covers_the_picture() -> None:
    found = attention_in_boxes(layout(), [record(0, EVEN), record(1, FOCUSED)])
    assert found == pytest.approx([0.5, 1.0])
    assert box_area(layout()) == 0.5


def test_cells_that_a_box_covers_in_part_count_in_part() -> None:
    narrow = layout(Box(x0=0.0, y0=0.0, x1=0.125, y1=1.0))
    assert attention_in_boxes(narrow, [record(0, FOCUSED)]) == pytest.approx([0.5])


def test_without_any_box_nothing_is_claimed() -> None:
    assert np.isnan(attention_in_boxes(layout(None), [record(0, EVEN)])).all()
    assert np.isnan(box_area(layout(None)))


def test_the_slider_goes_through_the_steps_and_opens_at_the_last() -> None:
    figure = inside_figure(layout(), [record(0, EVEN), record(1, FOCUSED)])
    (control,) = figure.layout.sliders
    assert [step.label for step in control.steps] == ["1", "2"] and control.active == 1
    assert [frame.traces for frame in figure.frames] == [(0,), (0,)]
    assert figure.data[0].source == figure.frames[1].data[0].source
    assert figure.frames[0].data[0].source != figure.frames[1].data[0].source
    assert "bus" in figure.layout.meta["alt"]


def test_each_run_is_a_line_beside_what_even_attention_would_give() -> None:
    runs = {"with": [record(0, FOCUSED)], "without": [record(0, EVEN)]}
    figure = attention_share_figure(layout(), runs)
    assert [(line.name, line.y[0]) for line in figure.data] == [("with", 1.0), ("without", 0.5)]
    assert figure.layout.shapes[0].y0 == 0.5
