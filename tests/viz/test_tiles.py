"""Pictures in rows: where they lie, and where their boxes are drawn."""

from __future__ import annotations

import base64
import io

import numpy as np
import pytest
from PIL import Image

from spa2v_lab.viz.sheets import Sheet, beside, frames_beside, grid_figure, shown_frames, slider
from spa2v_lib.layout.scene_layout import Box, SceneObject, VideoSceneLayout
from spa2v_lib.video import Video

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


def test_pictures_lie_where_their_corners_say_and_nothing_is_between() -> None:
    sheet = Sheet.of([flat(RED), flat(BLUE)])
    for row, colour in enumerate((RED, BLUE)):
        left, top = sheet.corner(row, 1)
        middle = sheet.pixels[top + sheet.tile[1] // 2, left + sheet.tile[0] // 2]
        assert tuple(middle) == (*colour, 255)
        assert sheet.pixels[top - 2, left, 3] == sheet.pixels[top, left - 2, 3] == 0


def test_a_wide_picture_keeps_its_shape_whatever_its_resolution() -> None:
    sheet = Sheet.of([flat(RED, size=12)], aspect=1.6)
    assert sheet.tile[0] / sheet.tile[1] == pytest.approx(1.6, abs=0.02)


def test_outlines_of_a_box_lie_in_every_picture_that_has_it() -> None:
    sheet = Sheet.of([flat(RED), flat(BLUE)])
    (line,) = sheet.outlines([[[HALF], [None]], [[None], [HALF]]])
    assert line.x.count(None) == 2
    first, last = line.x[:5], line.x[6:11]
    assert (min(first), max(first)) == (0, sheet.tile[0] / 2)
    left, top = sheet.corner(1, 1)
    assert (min(last), max(last)) == (left, left + sheet.tile[0] / 2)
    assert (min(line.y[6:11]), max(line.y[6:11])) == (top + sheet.tile[1] / 2, top + sheet.tile[1])


def test_a_figure_shows_the_named_rows_and_says_so() -> None:
    boxes = [[[HALF], []], [[], []]]
    figure = grid_figure({"one": flat(RED), "two": flat(BLUE)}, boxes, ["a", "b"], "two rows")
    picture = image_of(figure.data[0])
    assert figure.layout.meta["alt"] == "two rows"
    assert [note.text for note in figure.layout.annotations] == ["<b>one</b>", "<b>two</b>"]
    assert list(figure.layout.xaxis.ticktext) == ["a", "b"]
    assert abs(picture[100, 10, :3].astype(int) - RED).max() < 12


def test_pictures_without_boxes_of_their_own_are_refused() -> None:
    with pytest.raises(ValueError, match="2 rows of pictures, 1 of boxes"):
        grid_figure({"one": flat(RED), "two": flat(BLUE)}, [[[], []]], ["a", "b"], "two rows")


def test_frames_of_several_videos_stand_under_each_other_with_the_layouts_boxes() -> None:
    asked = layout([HALF, HALF])
    videos = {name: Video(flat(c, 8), 8.0) for name, c in (("plain", RED), ("grounded", BLUE))}
    figure = frames_beside(asked, videos, count=4)
    assert list(figure.layout.xaxis.ticktext) == ["0.00 s", "0.25 s", "0.62 s", "0.88 s"]
    assert figure.data[1].x.count(None) == 8
    assert "plain, grounded" in figure.layout.meta["alt"]


def test_first_and_last_frame_are_always_shown() -> None:
    asked = layout([HALF, None])
    assert shown_frames(asked, 3) == [0, 4, 7]
    assert shown_frames(asked, 99) == list(range(8))


def test_videos_side_by_side_play_together() -> None:
    both = beside([Video(flat(RED), 8.0), Video(flat(BLUE), 8.0)])
    assert both.frames.shape == (2, 64, 132, 3) and both.fps == 8.0
    assert tuple(both.frames[1, 5, 5]) == RED and tuple(both.frames[1, 5, -5]) == BLUE


def test_videos_of_two_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match="2 kinds"):
        beside([Video(flat(RED, 2), 8.0), Video(flat(BLUE, 3), 8.0)])


def test_a_slider_has_a_step_for_every_frame_of_the_figure() -> None:
    steps = slider(["1", "2"], "step ")["steps"]
    assert [(s["label"], s["args"][0]) for s in steps] == [("1", ["0"]), ("2", ["1"])]
