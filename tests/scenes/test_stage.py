"""Scenes put together by hand go the way they are told."""

from __future__ import annotations

import numpy as np
import pytest

from spa2v_lab.scenes.stage import Way, stage
from spa2v_lib.errors import SceneError


def azimuths(way: Way, seconds: float = 2.0) -> np.ndarray:
    x, z = way.thing(seconds).position(np.array([0.0, seconds])).T
    return np.degrees(np.arctan2(x, z))


@pytest.mark.parametrize(
    ("way", "motion"),
    [
        (Way("sheep_01.flac", 20.0), "stationary"),
        (Way("sheep_01.flac", -30.0, 30.0), "right_crossing"),
        (Way("sheep_01.flac", 30.0, -30.0), "left_crossing"),
        (Way("sheep_01.flac", 20.0, from_m=8.0, to_m=2.0), "approaching"),
        (Way("sheep_01.flac", 20.0, 25.0, from_m=2.0, to_m=8.0), "receding"),
    ],
)
def test_a_way_leads_from_its_first_direction_to_its_last(way: Way, motion: str) -> None:
    last = way.from_deg if way.to_deg is None else way.to_deg
    assert azimuths(way) == pytest.approx([way.from_deg, last])
    assert way.thing(2.0).motion == motion


def test_the_source_sounds_at_the_height_of_the_microphone_and_from_its_distance() -> None:
    scene = stage(Way("sheep_01.flac", 40.0, from_m=5.0), capture="ab", seconds=1.5, rt60_s=0.3)
    (thing,) = scene.objects
    assert thing.base_m + thing.height_m / 2 == pytest.approx(scene.camera.height_m)
    assert np.hypot(*thing.position(np.zeros(1))[0]) == pytest.approx(5.0)
    assert (thing.label, scene.receiver, scene.rt60_s) == ("sheep", "ab", 0.3)


def test_an_empty_stage_is_refused() -> None:
    with pytest.raises(SceneError, match="0 ways in 3 s"):
        stage()
    with pytest.raises(SceneError, match="1 ways in 0 s"):
        stage(Way("sheep_01.flac", 0.0), seconds=0.0)


def test_an_unknown_recording_is_named() -> None:
    with pytest.raises(SceneError, match=r"nothing\.flac"):
        stage(Way("nothing.flac", 0.0))
