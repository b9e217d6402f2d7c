"""The figures of the camera's geometry agree with the camera."""

from __future__ import annotations

import plotly.graph_objects as go
import pytest

from spa2v_lab.viz.geometry import (
    class_figure,
    overlap_figure,
    overlap_when_wrong,
    projection_figure,
)
from spa2v_lib.layout.camera import Camera
from spa2v_lib.layout.classes import CLASSES, get_class

BUS = get_class("bus")


def trace(frame: go.Frame, panel: str, name: str) -> go.Scatter:
    (found,) = [t for t in frame.data if t.name == name and (t.xaxis or "x") == panel]
    return found


def test_each_step_of_the_slider_shows_the_box_that_the_camera_makes() -> None:
    camera, azimuths = Camera(), (-30.0, 0.0, 30.0)
    figure = projection_figure(BUS, camera, azimuths, 10.0)
    assert len(figure.frames) == len(figure.layout.sliders[0].steps) == 3
    shown = figure.frames[figure.layout.sliders[0].active]
    assert [t.x for t in figure.data] == [t.x for t in shown.data]
    for azimuth, frame in zip(azimuths, figure.frames, strict=True):
        raw = camera.project(azimuth, 10.0, BUS.width_m, BUS.height_m)
        box, above = trace(frame, "x2", "bus"), trace(frame, "x", "bus")
        assert (min(box.x), max(box.x)) == pytest.approx((raw[0], raw[2]))
        assert max(above.x) - min(above.x) == pytest.approx(BUS.width_m)


def test_a_thing_out_of_view_has_no_box() -> None:
    (frame,) = projection_figure(BUS, Camera(), [85.0]).frames
    assert set(trace(frame, "x2", "bus").x) == {None}


def test_every_class_is_drawn_where_it_usually_is() -> None:
    bars = {
        x: (base, y)
        for bar in class_figure(Camera()).data
        for x, base, y in zip(bar.x, bar.base, bar.y, strict=True)
    }
    assert set(bars) == {kind.noun for kind in CLASSES.values()}
    assert bars["airplane"][0] + bars["airplane"][1] < 0.5 < bars["bus"][0] + bars["bus"][1]


def test_overlap_is_one_for_right_cues_and_falls_with_either_error() -> None:
    camera = Camera()
    right = overlap_when_wrong(BUS, camera, 10.0)
    assert right == pytest.approx(1.0)
    angles = [overlap_when_wrong(BUS, camera, 0.0, off_deg=a) for a in (0, 5, 10, 20)]
    ranges = [overlap_when_wrong(BUS, camera, 0.0, range_factor=f) for f in (1, 1.3, 1.6, 2)]
    assert angles == sorted(angles, reverse=True) and angles[-1] < 0.5
    assert ranges == sorted(ranges, reverse=True) and ranges[-1] < 0.5
    assert overlap_when_wrong(BUS, camera, 0.0, off_deg=95.0) == 0.0


def test_the_overlap_figure_has_a_curve_a_direction_and_panel() -> None:
    figure = overlap_figure(BUS, Camera(), (0.0, -20.0))
    assert [t.name for t in figure.data] == ["bus straight ahead"] * 2 + ["bus at -20°"] * 2
    assert all(max(t.y) == pytest.approx(1.0) for t in figure.data)
