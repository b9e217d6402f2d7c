"""Spatial AV-Align: hits and misses at the margin, by hand."""

import math

import numpy as np
import pytest

from spa2v_lab.metrics import spatial_av_align, spatial_hits
from spa2v_lab.metrics.spatial import MARGIN
from spa2v_lib.cues.types import CaptureGuess, SourceTrack, SpatialCues
from spa2v_lib.errors import MetricError
from spa2v_lib.layout.box import Box
from spa2v_lib.layout.camera import Camera
from spa2v_lib.sampling.detection import Detection


def source(azimuths, active=None):
    count = len(azimuths)
    return SourceTrack(
        id="s",
        label=None,
        label_source="none",
        label_confidence=0.0,
        label_alternatives=[],
        azimuth_deg=azimuths,
        azimuth_low_deg=azimuths,
        azimuth_high_deg=azimuths,
        level_db=[-20.0] * count,
        active=active or [True] * count,
        motion="stationary",
        motion_confidence=1.0,
        motion_scores={"stationary": 1.0},
        azimuth_start_deg=None,
        azimuth_end_deg=None,
        level_change_db=0.0,
        relative_range=[None] * count,
        relative_range_low=[None] * count,
        relative_range_high=[None] * count,
        closest_s=None,
        pitch_hz=[None] * count,
        pass_by=None,
    )


def heard(*sources):
    """Cues whose frames stand at 0.05, 0.15, ... seconds."""
    count = len(sources[0].azimuth_deg) if sources else 3
    return SpatialCues(
        recording="made up",
        duration_s=0.1 * count,
        rate=44_100,
        channels=2,
        times_s=[0.05 + 0.1 * k for k in range(count)],
        capture=CaptureGuess(format="xy", confidence=1.0, note=""),
        ild_db=[None] * count,
        itd_s=[None] * count,
        coherence=[None] * count,
        level_db=[-20.0] * count,
        sources=list(sources),
        count_low=len(sources),
        count_high=len(sources),
        notes=[],
    )


def seen(x0, x1):
    return Detection("thing", 0.9, Box(x0=x0, y0=0.0, x1=x1, y1=1.0))


def x_of(azimuth, fov=90.0):
    return 0.5 + 0.5 * math.tan(math.radians(azimuth)) / math.tan(math.radians(fov / 2))


def test_a_direction_may_lie_forty_pixels_of_256_beside_a_box():
    cues = heard(source([20.0]))
    x = x_of(20.0)
    assert spatial_av_align(cues, [[seen(x - 0.1, x + 0.1)]], 8) == 1.0
    for sign in (-1, 1):
        for gap, value in ((40 / 256, 1.0), (40.1 / 256, 0.0)):
            near, far = x + sign * gap, x + sign * (gap + 0.1)
            box = seen(min(near, far), max(near, far))
            assert spatial_av_align(cues, [[box]], 8) == value


def test_any_box_will_do_and_none_will_not():
    cues = heard(source([-30.0]))
    assert spatial_av_align(cues, [[seen(0.8, 1.0), seen(0.0, 0.3)]], 8) == 1.0
    assert spatial_av_align(cues, [[]], 8) == 0.0


def test_each_source_counts_at_each_frame_in_which_it_sounds():
    left = source([-30.0, -30.0, None], active=[True, False, True])
    right = source([30.0, 30.0, 30.0])
    assert spatial_hits(heard(left, right), [[seen(0.0, 0.3)]], 8) == (1, 4)


def test_what_is_out_of_view_does_not_count():
    beside = source([45.0, 46.0, 120.0])
    assert spatial_hits(heard(beside), [[seen(0.9, 1.0)]], 8) == (1, 1)
    assert math.isnan(spatial_av_align(heard(source([-50.0, 90.0, 180.0])), [[]], 8))
    assert math.isnan(spatial_av_align(heard(), [[seen(0.0, 1.0)]], 8))


def test_the_camera_says_where_a_direction_lies():
    cues, box = heard(source([50.0])), [[seen(0.8, 0.82)]]
    assert x_of(50.0, 120.0) == pytest.approx(0.844, abs=0.001)
    assert math.isnan(spatial_av_align(cues, box, 8))
    assert spatial_av_align(cues, box, 8, Camera(fov_deg=120.0)) == 1.0


def test_a_box_may_be_a_quarter_of_a_second_late_and_no_more():
    cues = heard(source([0.0]))  # at 0.05 s
    box, none = [seen(0.4, 0.6)], []
    assert spatial_av_align(cues, [none, box, none], 4) == 1.0
    assert spatial_av_align(cues, [none, none, box], 4) == 0.0
    assert spatial_av_align(cues, [none, none, box], 8) == 1.0
    assert spatial_av_align(cues, [none, none, none, box], 8) == 0.0
    assert spatial_av_align(cues, [none, box], 4, slack_s=0.0) == 0.0


def test_frames_are_those_nearest_in_time_and_the_last_one_holds():
    cues = heard(source([0.0] * 6))  # at 0.05 to 0.55 s: frames 0, 1, 1, 1, 2, 2 at 4 a second
    frames = [[], [seen(0.4, 0.6)], []]
    assert spatial_hits(cues, frames, 4, slack_s=0.0) == (3, 6)
    assert spatial_hits(cues, frames[:2], 4, slack_s=0.0) == (5, 6)


def test_it_hears_left_from_right():
    cues = heard(source(np.linspace(-40, -20, 5).tolist()))
    there = [[seen(0.05, 0.3)]]
    assert spatial_av_align(cues, there, 8) == 1.0
    assert spatial_av_align(cues, [[Detection("a", 1.0, there[0][0].box.mirrored())]], 8) == 0.0
    assert pytest.approx(40 / 256) == MARGIN


@pytest.mark.parametrize(
    ("detections", "fps", "options", "match"),
    [
        ([], 8, {}, "detections of 0 frames"),
        ([[]], 0, {}, "at 0 frames a second"),
        ([[]], 8, {"margin": -0.1}, "margin is -0.1"),
        ([[]], 8, {"slack_s": -1.0}, "slack -1.0 s"),
    ],
)
def test_what_cannot_be_counted_is_refused(detections, fps, options, match):
    with pytest.raises(MetricError, match=match):
        spatial_hits(heard(source([0.0])), detections, fps, **options)
