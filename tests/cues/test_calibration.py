from __future__ import annotations

import numpy as np
import pytest

from spa2v_lab.bench.hearing_calibration import fitted_scales
from spa2v_lab.bench.hearing_scenes import tuning_scenes
from spa2v_lib.cues.features import extract_features
from spa2v_lib.cues.formats import FORMATS
from spa2v_lib.cues.localization import (
    DIRECTNESS_NODES,
    INTERVAL_SCALES,
    activity,
    interval_scale,
    track_azimuth,
)


def test_every_format_that_tells_directions_has_its_factors() -> None:
    assert set(INTERVAL_SCALES) == {*FORMATS, "foa"}
    for row in INTERVAL_SCALES.values():
        assert len(row) == len(DIRECTNESS_NODES)
        assert min(row) > 0.0


def test_factors_are_met_at_the_nodes_and_lie_between_them() -> None:
    for name, row in INTERVAL_SCALES.items():
        assert interval_scale(name, np.array(DIRECTNESS_NODES)).tolist() == list(row)
        low, high = sorted(row[:2])
        assert low <= interval_scale(name, np.array([0.5]))[0] <= high
        assert interval_scale(name, np.array([0.0, 1.0])).tolist() == [row[0], row[-1]]


@pytest.mark.parametrize("azimuth", [-40.0, 5.0, 25.0])
@pytest.mark.parametrize("capture", ["panned", "xy", "ortf", "ab"])
def test_intervals_hold_the_direction_outdoors_and_are_narrow(rendered, capture, azimuth) -> None:
    heard = extract_features(rendered(lambda t: azimuth + 0 * t, capture=capture, seconds=2.0))
    track = track_azimuth(heard, activity(heard), capture, format_known=True)
    assert ((track.low <= azimuth) & (azimuth <= track.high)).mean() >= 0.85
    assert (track.high - track.low).max() < 15.0


def test_the_fit_makes_the_factor_of_errors_that_are_too_small_larger(monkeypatch) -> None:
    from spa2v_lab.bench import hearing_calibration

    rng = np.random.default_rng(0)

    def ratios(item, recording) -> np.ndarray:
        scale = 2.0 if item.capture == "ortf" else 0.5
        dry = np.full(400, DIRECTNESS_NODES[-1])
        return np.stack([scale * np.abs(rng.normal(size=400)), dry])

    monkeypatch.setattr(hearing_calibration, "ratios", ratios)
    scales = fitted_scales(tuning_scenes(80), lambda item: None)
    # the 90th percentile of a normal distribution's absolute value is 1.645 of its deviation
    assert scales["ortf"][-1] == pytest.approx(2.0 * 1.645, rel=0.1)
    assert scales["xy"][-1] == pytest.approx(0.5 * 1.645, rel=0.1)
    assert scales["xy"][0] == 1.65  # no scene was there
