from __future__ import annotations

import json

import numpy as np
import pytest

from spa2v_lab.bench.hearing_calibration import (
    Errors,
    between_renderers,
    coverage,
    fitted_scales,
    widened,
)
from spa2v_lib.cues.features import extract_features
from spa2v_lib.cues.formats import FORMATS
from spa2v_lib.cues.intervals import DIRECTNESS_NODES, half_interval, interval_scales
from spa2v_lib.cues.localization import activity, track_azimuth
from spa2v_lib.resources import resource


def test_every_format_that_tells_directions_has_its_factors() -> None:
    assert set(interval_scales()) == {*FORMATS, "foa"}
    for row in interval_scales().values():
        assert len(row) == len(DIRECTNESS_NODES)
        assert min(row) > 0.0


def test_factors_are_met_at_the_nodes_and_lie_between_them() -> None:
    def factor(name: str, *directness: float) -> list[float]:
        shares = np.array(directness)
        return half_interval(name, np.ones_like(shares), shares, np.zeros_like(shares)).tolist()

    for name, row in interval_scales().items():
        assert factor(name, *DIRECTNESS_NODES) == list(row)
        low, high = sorted(row[:2])
        assert low <= factor(name, 0.5)[0] <= high
        assert factor(name, 0.0, 1.0) == [row[0], row[-1]]


def test_the_file_says_how_its_factors_hold_in_every_renderer_and_room() -> None:
    found = json.loads(resource("models", "intervals", "scales.json").read_text(encoding="utf-8"))
    assert tuple(found["directness"]) == DIRECTNESS_NODES
    rows = found["coverage"]
    assert {row["renderer"] for row in rows} == {"own", "KEMAR", "pyroomacoustics"}
    assert all(0.0 <= row["coverage"] <= 1.0 and row["scenes"] > 0 for row in rows)
    of_one = {row["capture"] for row in rows if row["left_out"] is None}
    assert of_one == {"panned", "foa"}  # no other renderer has them


@pytest.mark.parametrize("azimuth", [-40.0, 5.0, 25.0])
@pytest.mark.parametrize("capture", ["panned", "xy", "ortf", "ab"])
def test_intervals_hold_the_direction_outdoors_and_are_narrow(rendered, capture, azimuth) -> None:
    heard = extract_features(rendered(lambda t: azimuth + 0 * t, capture=capture, seconds=2.0))
    track = track_azimuth(heard, activity(heard), capture, format_known=True)
    assert ((track.low <= azimuth) & (azimuth <= track.high)).mean() >= 0.85
    assert (track.high - track.low).max() < 15.0


def scene(renderer: str, capture: str, errors: np.ndarray) -> Errors:
    """Errors of one scene outdoors, whose estimated error is 1° everywhere."""
    one = np.ones_like(errors)
    return Errors(renderer, capture, "anechoic", errors, one, DIRECTNESS_NODES[-1] * one, 0.0 * one)


def test_the_fit_makes_the_factor_of_errors_that_are_too_small_larger() -> None:
    rng = np.random.default_rng(0)
    measured = [
        scene("own", capture, scale * np.abs(rng.normal(size=400)))
        for capture, scale in (("ortf", 2.0), ("xy", 0.5))
        for _ in range(20)
    ]
    scales = fitted_scales(measured)
    # the 90th percentile of a normal distribution's absolute value is 1.645 of its deviation
    assert scales["ortf"][-1] == pytest.approx(2.0 * 1.645, rel=0.1)
    assert scales["xy"][-1] == pytest.approx(0.5 * 1.645, rel=0.1)
    assert scales["xy"][0] == 1.65  # no scene was there
    assert coverage(measured, scales) == pytest.approx(0.9, abs=0.01)


def test_a_renderer_with_few_scenes_counts_as_much_as_one_with_many() -> None:
    many = [scene("own", "xy", np.full(10, 0.5))] * 90
    few = [scene("KEMAR", "xy", np.full(10, 3.0))] * 10
    assert fitted_scales([*many, *few])["xy"][-1] == 3.0


def test_factors_are_widened_until_they_hold_on_a_renderer_that_is_left_out() -> None:
    rng = np.random.default_rng(1)
    measured = [
        scene(renderer, "xy", size * np.abs(rng.normal(size=200)))
        for renderer, size in (("own", 1.0), ("pyroomacoustics", 2.0))
        for _ in range(20)
    ]
    alone = fitted_scales([one for one in measured if one.renderer == "own"])
    other = [one for one in measured if one.renderer != "own"]
    assert coverage(other, alone) < 0.7
    between = between_renderers(measured)
    assert between["xy"] == between["panned"] and 1.4 < between["xy"] < 2.2
    assert coverage(other, widened(alone, between)) >= 0.84


def test_where_renderers_agree_nothing_is_widened() -> None:
    rng = np.random.default_rng(2)
    measured = [
        scene(renderer, "ab", np.abs(rng.normal(size=200)))
        for renderer in ("own", "pyroomacoustics")
        for _ in range(20)
    ]
    assert between_renderers(measured)["ab"] < 1.1
