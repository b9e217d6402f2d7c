"""The explorer of hearing shows what is heard, whichever way, format and room is chosen."""

from __future__ import annotations

import numpy as np
import pytest

from spa2v_lab.explorers.listening import WAYS, HearingExplorer, hear_way, heard_figure
from spa2v_lab.viz.captures import NAMES

RECORDING = "bus_02.flac"


@pytest.mark.parametrize("way", WAYS)
def test_with_ortf_every_way_is_heard_where_it_is(way) -> None:
    heard = hear_way(RECORDING, way, "ortf", told=True)
    off = np.abs(np.array(heard.source.azimuth_deg) - heard.truth_deg)[heard.source.active]
    assert np.median(off) < 2.5
    assert "read as ORTF" in heard.words


def test_a_format_that_is_not_told_has_an_interval_that_holds_the_truth() -> None:
    heard = hear_way(RECORDING, "stays on the left", "xy")
    low, high = (np.array(v) for v in (heard.source.azimuth_low_deg, heard.source.azimuth_high_deg))
    held = (low <= heard.truth_deg) & (heard.truth_deg <= high)
    assert held[heard.source.active].mean() > 0.85


def test_the_slider_has_a_step_of_equal_parts_for_every_format() -> None:
    heard = {NAMES[c]: hear_way(RECORDING, "comes closer", c) for c in ("xy", "ortf")}
    figure = heard_figure(heard)
    steps = figure.layout.sliders[0].steps
    assert len(figure.frames) == len(steps) == 2
    assert {len(frame.data) for frame in figure.frames} == {len(figure.data)}
    assert all(name in figure.layout.meta["alt"] for name in heard)


def test_every_control_changes_what_is_shown() -> None:
    explorer = HearingExplorer(RECORDING)
    reverberant = max(rt60 for _, rt60 in explorer.room.options)
    choices = (
        (explorer.way, "stays on the left"),
        (explorer.capture, "xy"),  # which is read as panned, until it is told
        (explorer.told, True),
        (explorer.room, reverberant),
    )
    shown = [explorer._shown.value]
    for control, value in choices:
        control.value = value
        shown.append(explorer._shown.value)
    assert len(set(shown)) == len(shown)
    assert "<audio" in shown[-1] and "<svg" in shown[-1]
