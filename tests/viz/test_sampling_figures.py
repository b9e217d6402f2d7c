"""Figures of sampling: frames in rows with their boxes, and attention maps."""

from __future__ import annotations

import base64
import io

import numpy as np
import pytest
from PIL import Image

from spa2v_lab.viz.attention_maps import StepRecord
from spa2v_lab.viz.sampling import (
    attention_in_boxes,
    attention_share_figure,
    beside,
    box_area,
    denoising_figure,
    frames_beside,
)
from spa2v_lib.layout.scene_layout import Box, SceneObject, VideoSceneLayout
from spa2v_lib.video import Video
from spa2v_lib.viz.figures import frames_figure, slider

HALF = Box(x0=0.0, y0=0.5, x1=0.5, y1=1.0)
RED, BLUE = (220, 30, 30), (30, 30, 220)


def flat(colour: tuple[int, int, int], count: int = 2, size: int = 64) -> np.ndarray:
    return np.full((count, size, size, 3), colour, np.uint8)


def layout(boxes: list[Box | None]) -> VideoSceneLayout:
    return VideoSceneLayout(
        caption="a bus drives",
        frame_captions=["a bus"] * 2,
        key_times_s=[0.0, 0.875],
        objects=[SceneObject(id="bus", label="bus", caption="a bus", boxes=boxes)],
        duration_s=1.0,
    )


def image_of(trace: object) -> np.ndarray:
    data = base64.b64decode(trace.source.split(",", 1)[1])
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGBA"))


def test_pictures_lie_in_rows_with_nothing_between() -> None:
    rows = {"one": flat(RED), "two": flat(BLUE)}
    picture = image_of(frames_figure([rows], [[[[], []], [[], []]]], ["", ""], "").data[0])
    for row, colour in enumerate((RED, BLUE)):
        left, top = 150, 34 + row * (144 + 34)
        assert abs(picture[top + 72, left + 72, :3].astype(int) - colour).max() < 12
        assert picture[top - 4, left + 72, 3] == picture[top + 72, left - 3, 3] == 0


def test_a_wide_picture_keeps_its_shape_whatever_its_resolution() -> None:
    row = {"": flat(RED, 1, 12)}
    picture = image_of(frames_figure([row], [[[[]]]], [""], "", aspect=1.6).data[0])
    assert picture.shape[1] / picture.shape[0] == pytest.approx(1.6, abs=0.02)


def test_outlines_of_a_box_lie_in_every_picture_that_has_it() -> None:
    rows = {"one": flat(RED), "two": flat(BLUE)}
    boxes = [[[HALF], [None]], [[None], [HALF]]]
    _, line = frames_figure([rows], [boxes], ["", ""], "").data
    assert line.x.count(None) == 2
    first, last = line.x[:5], line.x[6:11]
    assert (min(first), max(first)) == (0, 72)
    assert (min(last), max(last)) == (150, 150 + 72)
    top = 34 + 144 + 34
    assert (min(line.y[6:11]), max(line.y[6:11])) == (top + 72, top + 144)


def test_a_figure_shows_the_named_rows_and_says_so() -> None:
    boxes = [[[HALF], []], [[], []]]
    figure = frames_figure([{"one": flat(RED), "two": flat(BLUE)}], [boxes], ["a", "b"], "two rows")
    picture = image_of(figure.data[0])
    assert figure.layout.meta["alt"] == "two rows"
    assert [note.text for note in figure.layout.annotations] == ["<b>one</b>", "<b>two</b>"]
    assert list(figure.layout.xaxis.ticktext) == ["a", "b"]
    assert abs(picture[100, 10, :3].astype(int) - RED).max() < 12


def test_pictures_without_boxes_of_their_own_are_refused() -> None:
    with pytest.raises(ValueError, match="2 rows of pictures, 1 of boxes"):
        frames_figure([{"one": flat(RED), "two": flat(BLUE)}], [[[[], []]]], ["a", "b"], "")


def test_frames_of_several_videos_stand_under_each_other_with_the_layouts_boxes() -> None:
    asked = layout([HALF, HALF])
    videos = {name: Video(flat(c, 8), 8.0) for name, c in (("plain", RED), ("grounded", BLUE))}
    figure = frames_beside(asked, videos, count=4)
    assert list(figure.layout.xaxis.ticktext) == ["0.00 s", "0.25 s", "0.62 s", "0.88 s"]
    assert figure.data[1].x.count(None) == 8
    assert "plain, grounded" in figure.layout.meta["alt"]


def test_videos_side_by_side_play_together() -> None:
    both = beside([Video(flat(RED), 8.0), Video(flat(BLUE), 8.0)])
    assert both.frames.shape == (2, 64, 132, 3) and both.fps == 8.0
    assert tuple(both.frames[1, 5, 5]) == RED and tuple(both.frames[1, 5, -5]) == BLUE


def test_videos_of_two_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match="2 sizes, lengths or rates"):
        beside([Video(flat(RED, 2), 8.0), Video(flat(BLUE, 3), 8.0)])


def test_a_slider_has_a_step_for_every_frame_of_the_figure() -> None:
    steps = slider(["1", "2"], "step ")["steps"]
    assert [(s["label"], s["args"][0]) for s in steps] == [("1", ["0"]), ("2", ["1"])]


LEFT = Box(x0=0.0, y0=0.0, x1=0.5, y1=1.0)


def still(box: Box | None = LEFT) -> VideoSceneLayout:
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
    found = attention_in_boxes(still(), [record(0, EVEN), record(1, FOCUSED)])
    assert found == pytest.approx([0.5, 1.0])
    assert box_area(still()) == 0.5


def test_cells_that_a_box_covers_in_part_count_in_part() -> None:
    narrow = still(Box(x0=0.0, y0=0.0, x1=0.125, y1=1.0))
    assert attention_in_boxes(narrow, [record(0, FOCUSED)]) == pytest.approx([0.5])


def test_without_any_box_nothing_is_claimed() -> None:
    assert np.isnan(attention_in_boxes(still(None), [record(0, EVEN)])).all()
    assert np.isnan(box_area(still(None)))


def test_the_slider_goes_through_the_steps_and_opens_at_the_last() -> None:
    figure = denoising_figure(still(), [record(0, EVEN), record(1, FOCUSED)])
    (control,) = figure.layout.sliders
    assert [step.label for step in control.steps] == ["1", "2"] and control.active == 1
    assert len(figure.frames) == 2
    assert figure.data[0].source == figure.frames[1].data[0].source
    assert figure.frames[0].data[0].source != figure.frames[1].data[0].source
    assert "bus" in figure.layout.meta["alt"]


def test_each_run_is_a_line_beside_what_even_attention_would_give() -> None:
    runs = {"with": [record(0, FOCUSED)], "without": [record(0, EVEN)]}
    figure = attention_share_figure(still(), runs)
    assert [(line.name, line.y[0]) for line in figure.data] == [("with", 1.0), ("without", 0.5)]
    assert figure.layout.shapes[0].y0 == 0.5
