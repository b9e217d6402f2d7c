"""Object consistency: high for a thing that is moved, low for one that changes."""

import numpy as np
import pytest

from spa2v_lab.metrics.video import object_consistency
from spa2v_lib.layout.box import Box


def _box(x: int, side: int = 16) -> Box:
    return Box(x0=x / 64, y0=24 / 64, x1=(x + side) / 64, y1=(24 + side) / 64)


def _moved(things: list[np.ndarray]) -> tuple[np.ndarray, list[Box]]:
    """Paste a thing [16, 16, 3] into each frame, eight pixels further to the right each time."""
    frames = np.full((len(things), 64, 64, 3), 100, np.uint8)
    for k, thing in enumerate(things):
        frames[k, 24:40, 8 * k : 8 * k + 16] = thing
    return frames, [_box(8 * k) for k in range(len(things))]


def _nearly(value: float):
    return pytest.approx(value, abs=0.01)  # a cut-out's edge hears a little of what is beside it


def _thing(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 255, (16, 16, 3), dtype=np.uint8)


def test_a_thing_that_only_moves_is_the_same_throughout():
    assert object_consistency(*_moved([_thing(1)] * 5)) == _nearly(1.0)


def test_a_thing_that_becomes_another_is_not():
    assert abs(object_consistency(*_moved([_thing(k) for k in range(5)]))) < 0.2
    assert object_consistency(*_moved([_thing(1), 255 - _thing(1)])) == _nearly(-1.0)


def test_half_a_change_counts_half():
    assert object_consistency(*_moved([_thing(1), _thing(1), _thing(2)])) == pytest.approx(
        0.5, abs=0.1
    )


def test_frames_without_the_thing_do_not_count():
    frames, boxes = _moved([_thing(1)] * 4)
    assert object_consistency(frames, [None, boxes[1], boxes[2], None]) == _nearly(1.0)
    assert np.isnan(object_consistency(frames, [boxes[0], None, boxes[2], None]))


def test_an_empty_place_is_no_consistent_thing():
    frames = np.full((3, 64, 64, 3), 100, np.uint8)
    assert object_consistency(frames, [_box(8)] * 3) == 0.0


def test_a_box_must_be_given_for_every_frame():
    with pytest.raises(ValueError, match="2 boxes for 3 frames"):
        object_consistency(np.zeros((3, 8, 8, 3), np.uint8), [None, None])
