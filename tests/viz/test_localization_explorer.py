"""The explorer of localization shows what is measured, whatever is chosen."""

from __future__ import annotations

import numpy as np
import pytest

from spa2v_lab.explorers.localization import (
    TRAJECTORIES,
    LocalizationExplorer,
    localization_figure,
    localize,
)
from spa2v_lab.viz.captures import NAMES

RECORDING = "bus_02.flac"


@pytest.mark.parametrize("trajectory", TRAJECTORIES)
def test_with_ortf_every_trajectory_is_localized(trajectory) -> None:
    result = localize(RECORDING, trajectory, "ortf", format_known=True)
    off = np.abs(np.array(result.source.azimuth_deg) - result.truth_deg)[result.source.active]
    assert np.median(off) < 2.5
    assert "capture format ORTF" in result.summary


def test_an_unknown_format_has_an_interval_that_holds_the_truth() -> None:
    result = localize(RECORDING, "stays on the left", "xy")
    low, high = (
        np.array(v) for v in (result.source.azimuth_low_deg, result.source.azimuth_high_deg)
    )
    held = (low <= result.truth_deg) & (result.truth_deg <= high)
    assert held[result.source.active].mean() > 0.85


def test_the_slider_has_a_step_of_equal_parts_for_every_format() -> None:
    result = {NAMES[c]: localize(RECORDING, "approaches", c) for c in ("xy", "ortf")}
    figure = localization_figure(result)
    steps = figure.layout.sliders[0].steps
    assert len(figure.frames) == len(steps) == 2
    assert {len(frame.data) for frame in figure.frames} == {len(figure.data)}
    assert all(name in figure.layout.meta["alt"] for name in result)


def test_every_control_changes_what_is_shown() -> None:
    explorer = LocalizationExplorer(RECORDING)
    reverberant = max(rt60 for _, rt60 in explorer.room.options)
    choices = (
        (explorer.trajectory, "stays on the left"),
        (explorer.capture, "xy"),  # which is read as panned, unless it is given
        (explorer.format_known, True),
        (explorer.room, reverberant),
    )
    shown = [explorer.shown.value]
    for control, value in choices:
        control.value = value
        shown.append(explorer.shown.value)
    assert len(set(shown)) == len(shown)
    assert "<audio" in shown[-1] and "<svg" in shown[-1]
