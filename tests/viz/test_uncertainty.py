"""The figures of uncertainty show the numbers that they are given."""

from __future__ import annotations

import numpy as np
import pytest

from spa2v_lab.viz.uncertainty import bias_figure, clips_figure, cloud_figure, interval_figure
from spa2v_lib.audio.recording import Recording
from spa2v_lib.cues.segments import Segment


def noise(seconds: float = 1.0, right: float = 0.5) -> Recording:
    one = 0.1 * np.random.default_rng(0).standard_normal(round(8000 * seconds))
    return Recording.from_samples(np.stack([one, right * one]), 8000)


def test_a_single_wave_is_a_line_at_its_pan_angle() -> None:
    angle = float(np.degrees(np.arctan(0.5)))
    figure = cloud_figure({"open": noise()}, {"open": {"truth": angle}})
    dots, line = figure.data
    np.testing.assert_allclose(np.array(dots.y), 0.5 * np.array(dots.x), atol=2e-3)
    assert line.y[1] / line.x[1] == pytest.approx(0.5)
    assert line.name == "truth"


def test_each_room_has_a_panel_with_every_method() -> None:
    found = {"open": {"a": [-30.0, 30.0], "b": [0.0, 1.0]}, "hall": {"a": [0, 0], "b": [5, 6]}}
    figure = bias_figure([-30, 30], found)
    drawn = [(trace.xaxis, trace.name, list(trace.y)) for trace in figure.data if trace.x[0] == -30]
    assert drawn == [
        ("x", "a", [-30, 30]), ("x", "b", [0, 1]), ("x2", "a", [0, 0]), ("x2", "b", [5, 6]),
    ]  # fmt: skip


def test_intervals_are_sorted_by_width_and_parted_by_whether_they_hold_the_truth() -> None:
    wide, narrow, missed = (-10.0, 0.0, 20.0), (1.0, 2.0, 3.0), (5.0, 8.0, 11.0)
    figure = interval_figure(["w", "n", "m"], [15.0, 2.5, 12.0], [wide, narrow, missed])
    holds, misses, truth = figure.data
    assert (list(holds.text), list(misses.text)) == (["n", "w"], ["m"])
    assert (list(holds.x), list(misses.x)) == ([0, 2], [1])
    assert list(holds.error_y.array) == [1.0, 20.0]
    assert list(holds.error_y.arrayminus) == [1.0, 10.0]
    assert list(truth.y) == [0.5, 4.0, 15.0]


def test_clips_are_marked_where_they_lie() -> None:
    figure = clips_figure(noise(6.0), [Segment(0.0, 2.0), Segment(2.0, 5.5)])
    spans = [(shape.x0, shape.x1) for shape in figure.layout.shapes if shape.type == "rect"]
    assert spans == [(0.0, 2.0), (2.0, 5.5)]
    assert [note.text for note in figure.layout.annotations] == ["clip 1", "clip 2"]
    assert len(figure.data[0].x) == 60
