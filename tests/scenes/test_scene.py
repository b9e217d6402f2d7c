"""Where a scene's objects are."""

from __future__ import annotations

import numpy as np
import pytest

from spa2v_lab.scenes.scene import StraightPath, WorldObject


def test_a_direction_is_that_of_the_place_positive_to_the_right() -> None:
    path = StraightPath((-1.0, 1.0), (2.0, 0.0))
    obj = WorldObject("car", "noto", path, "right_crossing", 1.0, 1.0, 0.0)
    assert obj.azimuth_deg(np.array([0.0, 0.5, 1.0])) == pytest.approx([-45.0, 0.0, 45.0])
