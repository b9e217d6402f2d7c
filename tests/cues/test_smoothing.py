from __future__ import annotations

import numpy as np
import pytest

from spa2v_lib.cues.tracking import hold, local_lines, percentile_envelope, weighted_quantile


def test_a_straight_sweep_is_kept_to_its_ends() -> None:
    sweep = np.linspace(-50.0, 50.0, 40)
    noisy = sweep + np.random.default_rng(0).normal(0.0, 1.0, 40)
    smooth, _ = local_lines(noisy, np.ones(40))
    assert np.abs(smooth - sweep).max() < 2.0
    assert np.abs(smooth - sweep).mean() < np.abs(noisy - sweep).mean()


def test_outliers_do_not_move_a_resting_track() -> None:
    values = np.full(60, 10.0) + np.random.default_rng(1).normal(0.0, 0.5, 60)
    values[[7, 21, 40]] = 80.0
    smooth, _ = local_lines(values, np.ones(60))
    assert np.abs(smooth - 10.0).max() < 1.5


def test_frames_without_weight_are_filled_from_their_neighbours() -> None:
    values, weight = np.linspace(0.0, 39.0, 40), np.ones(40)
    values[10:20], weight[10:20] = 500.0, 0.0
    smooth, _ = local_lines(values, weight)
    assert np.abs(smooth - np.arange(40)).max() < 3.0


def test_the_error_grows_with_the_noise() -> None:
    rng = np.random.default_rng(2)
    small, large = (local_lines(rng.normal(0.0, s, 80), np.ones(80))[1].mean() for s in (1.0, 8.0))
    assert 4.0 < large / small < 16.0


@pytest.mark.parametrize("count", [1, 2, 3])
def test_few_frames_give_their_mean(count: int) -> None:
    smooth, _ = local_lines(np.arange(float(count)), np.ones(count))
    assert np.allclose(smooth, (count - 1) / 2)


def test_gaps_are_bridged_and_ends_held() -> None:
    nan = np.nan
    assert hold(np.array([nan, 1.0, nan, 3.0, nan])).tolist() == [1.0, 1.0, 2.0, 3.0, 3.0]


def test_the_envelope_follows_the_loud_moments() -> None:
    level = np.where(np.arange(60) % 4 == 0, 0.0, -30.0)
    assert np.allclose(percentile_envelope(level, 6, 95.0)[6:-6], 0.0)


def test_the_weighted_median_ignores_light_values() -> None:
    values, weight = np.array([1.0, 2.0, 100.0]), np.array([1.0, 1.0, 0.1])
    assert weighted_quantile(values, weight, 0.5) == 2.0
