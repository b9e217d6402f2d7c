"""The cue picture for saved pages."""

from __future__ import annotations

import re
import subprocess
import sys
from xml.etree import ElementTree

import numpy as np
import pytest

from spa2v_lib.cues.types import CaptureGuess, SourceTrack, SpatialCues
from spa2v_lib.viz import cue_svg
from spa2v_lib.viz.words import SOURCE_COLOURS

TAG = "{http://www.w3.org/2000/svg}"
TIMES = [0.05, 0.15, 0.25, 0.35, 0.45]


def cues(
    azimuth: list[float | None], label: str | None = "train", level: float = -20.0
) -> SpatialCues:
    frames = len(azimuth)
    track = SourceTrack(
        id="source-1",
        label=label,
        label_source="tagger",
        label_confidence=0.9,
        label_alternatives=[],
        azimuth_deg=azimuth,
        azimuth_low_deg=[None if a is None else a - 5 for a in azimuth],
        azimuth_high_deg=[None if a is None else a + 5 for a in azimuth],
        level_db=[level] * frames,
        active=[True] * frames,
        motion="right_crossing",
        motion_confidence=0.8,
        motion_scores={"right_crossing": 1.0},
        azimuth_start_deg=-40.0,
        azimuth_end_deg=40.0,
        level_change_db=0.0,
        relative_range=[1.0] * frames,
        relative_range_low=[None] * frames,
        relative_range_high=[None] * frames,
        closest_s=None,
        pitch_hz=[None] * frames,
        pass_by=None,
    )
    return SpatialCues(
        recording="train",
        duration_s=0.5,
        rate=44100,
        channels=2,
        times_s=TIMES[:frames],
        capture=CaptureGuess(format="xy", confidence=1.0, note="named"),
        ild_db=[0.0] * frames,
        itd_s=[0.0] * frames,
        coherence=[1.0] * frames,
        level_db=[level] * frames,
        sources=[track],
        count_low=1,
        count_high=1,
        notes=[],
    )


def lines(svg: str, style: str) -> list[str]:
    """Return the lines in the first source's colour whose style holds `style`, in order."""
    paths = ElementTree.fromstring(svg).iter(f"{TAG}path")
    wanted = [p for p in paths if f"stroke: {SOURCE_COLOURS[0]}" in p.get("style", "")]
    return [p.get("d") for p in wanted if style in p.get("style")]


def azimuth_path(svg: str) -> str:
    """Return the line of the azimuth where the source sounds."""
    return next(iter(lines(svg, "stroke-width: 2.4"))) or ""


def ends(path: str) -> tuple[tuple[float, float], tuple[float, float]]:
    numbers = [float(n) for n in re.findall(r"-?\d+(?:\.\d+)?", path)]
    return (numbers[0], numbers[1]), (numbers[-2], numbers[-1])


def test_a_source_moving_right_rises_on_the_page_and_goes_forward_in_time() -> None:
    (x0, y0), (x1, y1) = ends(azimuth_path(cue_svg(cues([-40.0, -20.0, 0.0, 20.0, 40.0]))))
    assert x1 > x0
    assert y1 < y0


def test_mirrored_azimuth_is_drawn_mirrored_about_straight_ahead() -> None:
    (_, y_right), _ = ends(azimuth_path(cue_svg(cues([30.0] * 5))))
    (_, y_left), _ = ends(azimuth_path(cue_svg(cues([-30.0] * 5))))
    (_, y_ahead), _ = ends(azimuth_path(cue_svg(cues([0.0] * 5))))
    assert y_ahead - y_right == pytest.approx(y_left - y_ahead, abs=0.11)


def test_ambisonics_are_drawn_all_around() -> None:
    around = cues([170.0] * 5)
    around = around.model_copy(
        update={"capture": around.capture.model_copy(update={"format": "foa"})}
    )
    (_, y_behind), _ = ends(azimuth_path(cue_svg(around)))
    (_, y_right), _ = ends(azimuth_path(cue_svg(cues([85.0] * 5))))
    assert y_behind == pytest.approx(y_right, abs=0.11)
    assert "behind" in cue_svg(around) and "behind" not in cue_svg(cues([0.0] * 5))


def test_frames_without_a_direction_leave_a_gap() -> None:
    assert azimuth_path(cue_svg(cues([0.0] * 5))).count("M") == 1
    assert azimuth_path(cue_svg(cues([0.0, 1.0, None, 2.0, 3.0]))).count("M") == 2


def test_an_azimuth_held_through_silence_is_dotted() -> None:
    heard = cues([0.0, 1.0, 2.0, 3.0, 4.0])
    source = heard.sources[0].model_copy(update={"active": [True, True, False, True, True]})
    svg = cue_svg(heard.model_copy(update={"sources": [source]}))
    assert azimuth_path(svg).count("M") == 2
    (dotted,) = lines(svg, "stroke-width: 1.4")
    assert dotted.count("M") == 1


def test_a_fitted_path_and_the_evidence_are_drawn_where_they_are_given() -> None:
    plain = cue_svg(cues([0.0] * 5))
    drawn = cue_svg(cues([0.0] * 5), np.eye(5), [[-30.0, -20.0, -10.0, -20.0, -30.0]])
    assert "<image" not in plain and drawn.count("<image") == 1
    assert len(lines(drawn, "dasharray")) == len(lines(plain, "dasharray")) + 1


def test_a_recording_with_no_direction_at_all_is_still_drawn() -> None:
    assert azimuth_path(cue_svg(cues([None] * 5))) == ""


def test_a_hostile_label_cannot_leave_its_text() -> None:
    svg = cue_svg(cues([0.0] * 5, label='</svg><script>alert("x")</script>'))
    root = ElementTree.fromstring(svg)
    assert not list(root.iter(f"{TAG}script"))
    assert "<script" not in svg


def test_nothing_outside_the_page_is_needed() -> None:
    svg = cue_svg(cues([0.0] * 5)).replace("http://www.w3.org/2000/svg", "")
    assert "://" not in svg
    assert all(a.startswith(("#", "data:")) for a in re.findall(r'href="([^"]*)', svg))


def luminance(colour: str) -> float:
    parts = [int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("colour", SOURCE_COLOURS)
@pytest.mark.parametrize("page", ["#ffffff", "#14181e"])
def test_source_colours_stand_out_on_light_and_dark_pages(colour: str, page: str) -> None:
    darker, lighter = sorted((luminance(colour), luminance(page)))
    assert (lighter + 0.05) / (darker + 0.05) >= 3.0


def test_text_takes_the_colour_of_the_page() -> None:
    texts = list(ElementTree.fromstring(cue_svg(cues([0.0] * 5))).iter(f"{TAG}text"))
    assert texts
    assert all("fill: currentColor" in text.get("style") for text in texts)


def test_the_picture_is_told_in_words_too() -> None:
    root = ElementTree.fromstring(cue_svg(cues([0.0] * 5)))
    assert root.get("role") == "img"
    assert "train: right crossing, azimuth from -40 to 40 degrees" in root.get("aria-label")


def test_silence_at_the_floor_keeps_the_level_axis_finite() -> None:
    svg = cue_svg(cues([None] * 5, level=-120.0))
    assert "nan" not in svg.lower()
    assert "−120" in svg


def test_equal_cues_give_equal_pictures() -> None:
    assert cue_svg(cues([0.0] * 5)) == cue_svg(cues([0.0] * 5))


def test_importing_what_draws_saved_pages_loads_no_plotting_library() -> None:
    drawing = {"plotly", "matplotlib"}
    code = f"import sys, spa2v_lib.viz.analysis_page; sys.exit(bool({drawing} & {{*sys.modules}}))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
