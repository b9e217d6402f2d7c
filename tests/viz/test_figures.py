"""What the plotly figures draw."""

from __future__ import annotations

import base64
import io

import numpy as np
import pytest
from PIL import Image

from spa2v_lib.cues.types import CaptureGuess, SourceTrack, SpatialCues
from spa2v_lib.layout.scene_layout import Box, SceneObject, VideoSceneLayout
from spa2v_lib.video import Video
from spa2v_lib.viz import cue_figure, film_strip, layout_figure

AZIMUTH = [-40.0, None, 40.0]


def cues() -> SpatialCues:
    track = SourceTrack(
        id="source-1",
        label="fire_engine",
        label_source="user",
        label_confidence=1.0,
        label_alternatives=[],
        azimuth_deg=AZIMUTH,
        azimuth_low_deg=[-50.0, None, 30.0],
        azimuth_high_deg=[-30.0, None, 50.0],
        level_db=[-30.0, -20.0, -10.0],
        active=[True, True, True],
        motion="right_crossing",
        motion_confidence=1.0,
        motion_scores={"right_crossing": 1.0},
        azimuth_start_deg=-40.0,
        azimuth_end_deg=40.0,
        level_change_db=20.0,
        relative_range=[1.0, 1.0, 1.0],
        relative_range_low=[None] * 3,
        relative_range_high=[None] * 3,
        closest_s=None,
        pitch_hz=[None] * 3,
        pass_by=None,
    )
    return SpatialCues(
        recording="fire",
        duration_s=0.3,
        rate=8000,
        channels=2,
        times_s=[0.05, 0.15, 0.25],
        capture=CaptureGuess(format="xy", confidence=1.0, note="named"),
        ild_db=[0.0] * 3,
        itd_s=[0.0] * 3,
        coherence=[1.0] * 3,
        level_db=[-30.0, -20.0, -10.0],
        sources=[track],
        count_low=1,
        count_high=1,
        notes=[],
    )


def layout(boxes: list[Box | None] | None = None) -> VideoSceneLayout:
    boxes = boxes or [Box(x0=0.0, y0=0.5, x1=0.2, y1=0.7), Box(x0=0.8, y0=0.5, x1=1.0, y1=0.7)]
    return VideoSceneLayout(
        reasoning="level rises",
        caption="a fire engine on a street",
        frame_captions=["on the left", "on the right"],
        key_times_s=[0.0, 0.875],
        objects=[SceneObject(id="a", label="fire_engine", caption="a fire engine", boxes=boxes)],
        duration_s=1.0,
        fps=8.0,
    )


def video(frames: int = 8) -> Video:
    shades = np.linspace(0, 255, frames).astype(np.uint8)
    return Video(np.broadcast_to(shades[:, None, None, None], (frames, 32, 32, 3)).copy(), 8.0)


def shade(image: object) -> float:
    """Return the mean brightness of the picture that a plotly image trace holds."""
    return float(opened(image).mean())


def opened(image: object) -> np.ndarray:
    encoded = image.source.split(",", 1)[1]
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(encoded))).convert("RGB"))


def test_cues_are_drawn_as_they_are_with_their_gaps() -> None:
    figure = cue_figure(cues())
    (line,) = [t for t in figure.data if t.name == "fire engine" and t.showlegend is None]
    assert list(line.y) == AZIMUTH
    assert list(line.x) == cues().times_s


def test_the_interval_encloses_the_azimuth() -> None:
    low, high = (t for t in cue_figure(cues()).data if t.line.width == 0)
    assert low.y[0] < AZIMUTH[0] < high.y[0]
    assert high.fill == "tonexty"


def test_every_frame_has_its_own_picture_and_box() -> None:
    figure = layout_figure(layout(), video())
    assert len(figure.frames) == 8
    shades = [shade(frame.data[0]) for frame in figure.frames]
    assert shades == sorted(shades)
    assert shades[-1] - shades[0] > 200
    lefts = [frame.data[1].x[0] for frame in figure.frames]
    assert lefts == pytest.approx(256 * np.linspace(0.0, 0.8, 8))


def test_the_slider_shows_the_time_of_the_frame_it_selects() -> None:
    figure = layout_figure(layout(), video())
    steps = figure.layout.sliders[0].steps
    assert [step.args[0][0] for step in steps] == [frame.name for frame in figure.frames]
    assert [step.label for step in steps][:2] == ["0.00", "0.12"]


def test_an_object_out_of_view_has_no_outline_but_keeps_its_trace() -> None:
    hidden = layout([None, Box(x0=0.8, y0=0.5, x1=1.0, y1=0.7)])
    figure = layout_figure(hidden, video())
    assert list(figure.frames[0].data[1].x) == [None]
    assert {len(frame.data) for frame in figure.frames} == {2}


def test_a_layout_can_be_drawn_before_there_is_a_video() -> None:
    assert len(layout_figure(layout()).frames) == 8


def test_a_video_of_another_length_is_refused_with_both_numbers() -> None:
    with pytest.raises(ValueError, match="video has 5 frames and the layout 8"):
        layout_figure(layout(), video(5))


def test_the_strip_holds_the_first_and_the_last_frame() -> None:
    (picture,) = [t for t in film_strip(layout(), video(), count=3).data if t.type == "image"]
    pixels = opened(picture)
    assert pixels[72, 72].max() < 5
    assert pixels[72, -72].min() > 250


def test_a_strip_never_repeats_a_frame() -> None:
    assert len(film_strip(layout(), count=50).layout.xaxis.ticktext) == 8


def test_the_slider_begins_where_most_can_be_seen() -> None:
    late = layout([None, Box(x0=0.8, y0=0.5, x1=1.0, y1=0.7)])
    begin = layout_figure(late).layout.sliders[0].active
    assert late.frame_boxes()[begin] != [None]


def test_large_frames_are_stored_small() -> None:
    large = Video(np.zeros((8, 1024, 1024, 3), np.uint8), 8.0)
    encoded = layout_figure(layout(), large).frames[0].data[0].source.split(",", 1)[1]
    assert max(Image.open(io.BytesIO(base64.b64decode(encoded))).size) <= 256


def test_boxes_are_drawn_in_the_pictures_proportions() -> None:
    figure = layout_figure(layout().model_copy(update={"aspect": 2.0}))
    assert opened(figure.data[0]).shape[:2] == (128, 256)
    assert figure.layout.yaxis.scaleanchor == "x"
    box = layout().frame_boxes()[4][0]
    outline = figure.frames[4].data[1]
    assert (min(outline.x[:5]) / 256, max(outline.y[:5]) / 128) == pytest.approx((box.x0, box.y1))
