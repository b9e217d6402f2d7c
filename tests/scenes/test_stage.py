"""Scenes put together by hand follow their trajectories."""

from __future__ import annotations

import numpy as np
import pytest

from spa2v_lab.scenes.stage import Trajectory, stage
from spa2v_lib.errors import SceneError


def azimuths(trajectory: Trajectory, seconds: float = 2.0) -> np.ndarray:
    x, z = trajectory.world_object(seconds).position(np.array([0.0, seconds])).T
    return np.degrees(np.arctan2(x, z))


@pytest.mark.parametrize(
    ("trajectory", "motion"),
    [
        (Trajectory("sheep_01.flac", 20.0), "stationary"),
        (Trajectory("sheep_01.flac", -30.0, 30.0), "right_crossing"),
        (Trajectory("sheep_01.flac", 30.0, -30.0), "left_crossing"),
        (Trajectory("sheep_01.flac", 20.0, from_m=8.0, to_m=2.0), "approaching"),
        (Trajectory("sheep_01.flac", 20.0, 25.0, from_m=2.0, to_m=8.0), "receding"),
    ],
)
def test_a_trajectory_leads_from_its_first_direction_to_its_last(
    trajectory: Trajectory, motion: str
) -> None:
    last = trajectory.from_deg if trajectory.to_deg is None else trajectory.to_deg
    assert azimuths(trajectory) == pytest.approx([trajectory.from_deg, last])
    assert trajectory.world_object(2.0).motion == motion


def test_the_source_sounds_at_the_height_of_the_microphone_and_from_its_distance() -> None:
    scene = stage(
        Trajectory("sheep_01.flac", 40.0, from_m=5.0), capture="ab", seconds=1.5, rt60_s=0.3
    )
    (obj,) = scene.objects
    assert obj.base_m + obj.height_m / 2 == pytest.approx(scene.camera.height_m)
    assert np.hypot(*obj.position(np.zeros(1))[0]) == pytest.approx(5.0)
    assert (obj.label, scene.receiver, scene.rt60_s) == ("sheep", "ab", 0.3)


def test_an_empty_stage_is_refused() -> None:
    with pytest.raises(SceneError, match="0 trajectories in 3 s"):
        stage()
    with pytest.raises(SceneError, match="1 trajectories in 0 s"):
        stage(Trajectory("sheep_01.flac", 0.0), seconds=0.0)


def test_an_unknown_recording_is_named() -> None:
    with pytest.raises(SceneError, match=r"nothing\.flac"):
        stage(Trajectory("nothing.flac", 0.0))
