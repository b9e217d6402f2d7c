"""The camera: held to formulas that are worked out by hand."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spa2v_lib.errors import LayoutError
from spa2v_lib.layout.camera import Camera

azimuths = st.floats(-80, 80)
fields_of_view = st.floats(30, 140)


def test_the_edges_of_a_90_degree_picture_are_45_degrees_left_and_right():
    camera = Camera()
    assert camera.x_of_azimuth(-45) == pytest.approx(0.0)
    assert camera.x_of_azimuth(0) == pytest.approx(0.5)
    assert camera.x_of_azimuth(45) == pytest.approx(1.0)


@given(azimuths, fields_of_view)
def test_x_is_that_of_a_pinhole_camera(azimuth, fov):
    x = Camera(fov_deg=fov).x_of_azimuth(azimuth)
    seen = math.atan((2 * x - 1) * math.tan(math.radians(fov / 2)))
    assert math.degrees(seen) == pytest.approx(azimuth, abs=1e-6)


@given(azimuths, fields_of_view)
def test_the_middle_of_a_projected_box_is_where_its_azimuth_is_whatever_the_range(azimuth, fov):
    camera = Camera(fov_deg=fov)
    for range_m in (3.0, 30.0):
        x0, _, x1, _ = camera.project(azimuth, range_m, 2.0, 1.5)
        assert (x0 + x1) / 2 == pytest.approx(camera.x_of_azimuth(azimuth))


def test_a_thing_ahead_has_the_size_that_similar_triangles_give():
    # fov 90°: the picture is 2 d wide at depth d, and as high in a square picture.
    x0, y0, x1, y1 = Camera(height_m=1.5).project(0.0, 10.0, 4.0, 3.0)
    assert (x0, x1) == pytest.approx((0.5 - 2 / 20, 0.5 + 2 / 20))
    assert (y0, y1) == pytest.approx((0.5 - 1.5 / 20, 0.5 + 1.5 / 20))


def test_size_counts_depth_not_range():
    ahead = Camera().project(0.0, 5.0, 1.0, 1.0)
    aside = Camera().project(60.0, 10.0, 1.0, 1.0)  # cos 60° = 1/2: the same depth
    assert aside[2] - aside[0] == pytest.approx(ahead[2] - ahead[0])
    assert aside[3] == pytest.approx(ahead[3])


def test_a_wider_picture_stretches_heights_so_that_shapes_are_kept():
    square, wide = Camera(aspect=1.0), Camera(aspect=2.0)
    _, y0, _, y1 = square.project(0.0, 10.0, 2.0, 2.0)
    _, wide_y0, _, wide_y1 = wide.project(0.0, 10.0, 2.0, 2.0)
    assert wide_y1 - wide_y0 == pytest.approx(2 * (y1 - y0))


@given(st.floats(-30, 30))
def test_far_ground_lies_on_the_horizon_whatever_the_pitch(pitch):
    camera = Camera(pitch_deg=pitch)
    _, _, _, foot = camera.project(0.0, 1e7, 1.0, 1.0)
    assert foot == pytest.approx(camera.horizon_y(), abs=1e-5)


def test_looking_up_moves_the_horizon_down_by_the_tangent():
    assert Camera(pitch_deg=0).horizon_y() == 0.5
    assert Camera(pitch_deg=20).horizon_y() == pytest.approx(0.5 + 0.5 * math.tan(math.radians(20)))
    assert Camera(pitch_deg=-20).horizon_y() < 0.5


def test_pitch_rotates_points_as_the_angle_says():
    # A point at the camera's height, 10° below the optical axis of a camera that looks 10° up.
    _, _, _, foot = Camera(pitch_deg=10).project(0.0, 10.0, 1.0, 1.0, base_m=1.5)
    assert foot == pytest.approx(0.5 + 0.5 * math.tan(math.radians(10)))


@pytest.mark.parametrize("azimuth", [90.0, 120.0, -135.0, 180.0])
def test_what_is_beside_or_behind_the_camera_has_no_box(azimuth):
    assert Camera().project(azimuth, 5.0, 1.0, 1.0) is None


def test_a_box_is_clipped_to_the_picture():
    box = Camera().visible_box((-0.2, 0.4, 0.3, 0.6))
    assert box.as_tuple() == (0.0, 0.4, 0.3, 0.6)


@pytest.mark.parametrize(
    ("x1", "seen"), [(0.26, True), (0.24, False), (-0.1, False)], ids=["26 %", "24 %", "none"]
)
def test_less_than_a_quarter_in_view_is_out_of_view(x1, seen):
    assert (Camera().visible_box((x1 - 1.0, 0.2, x1, 0.8)) is not None) == seen


def test_no_projection_no_box():
    assert Camera().visible_box(None) is None


@pytest.mark.parametrize(
    "wrong", [{"fov_deg": 180}, {"fov_deg": 0}, {"aspect": 0}, {"pitch_deg": 90}]
)
def test_an_impossible_camera_is_refused_with_its_number(wrong):
    with pytest.raises(LayoutError, match=str(*wrong.values())):
        Camera(**wrong)


def test_a_direction_behind_has_no_x():
    with pytest.raises(LayoutError, match="120"):
        Camera().x_of_azimuth(120)
