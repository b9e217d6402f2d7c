from __future__ import annotations

import numpy as np

from spa2v_lib.cues.tracking import best_path, meetings, swapped


def ridge(path: np.ndarray, states: int = 61, width: float = 2.0) -> np.ndarray:
    """A map [frames, states] that is highest along a path."""
    return np.exp(-0.5 * ((np.arange(states) - path[:, None]) / width) ** 2)


def test_a_straight_sweep_is_followed_to_a_grid_step() -> None:
    truth = np.linspace(5.0, 55.0, 40)
    path, paid = best_path(ridge(truth), 0.01, 8)
    assert np.abs(path - truth).max() <= 1.0
    assert paid > 0.0


def test_a_gap_in_the_map_is_bridged_by_a_straight_line() -> None:
    truth = np.linspace(10.0, 50.0, 48)
    score = ridge(truth)
    score[17:31] = 0.0
    path, _ = best_path(score, 0.01, 16)
    assert np.abs(path - truth).max() <= 1.0


def test_a_high_price_keeps_a_path_from_following_what_is_brief() -> None:
    score = ridge(np.full(40, 20.0))
    score[12:28] += 2.0 * ridge(np.full(16, 50.0))
    cheap, _ = best_path(score, 0.0, 4)
    dear, paid = best_path(score, 2.0, 4)
    assert cheap[16:24].max() > 40
    assert set(dear) == {20} and paid == 0.0


def test_a_mirrored_map_gives_the_mirrored_path() -> None:
    score = np.random.default_rng(0).normal(size=(50, 61))
    path, paid = best_path(score, 0.3, 8)
    mirrored, same = best_path(score[:, ::-1], 0.3, 8)
    assert np.array_equal(mirrored, 60 - path) and same == paid


def test_two_paths_meet_where_they_are_closest_and_can_go_on_as_each_other() -> None:
    one, two = np.arange(41), np.arange(41)[::-1]
    assert meetings(one, two) == [20]
    first, second = swapped(one, two, 20)
    assert first.tolist() == [*range(20), *range(20, -1, -1)]
    assert np.array_equal(first + second, one + two)


def test_paths_that_begin_together_or_stay_apart_do_not_meet() -> None:
    still = np.full(30, 20)
    assert meetings(still, still + 10) == []
    assert meetings(still, np.arange(20, 50)) == []
