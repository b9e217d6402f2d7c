"""Random scenes move as their motion says, and are well seen."""

import numpy as np
import pytest

from spa2v_lab.scenes.sampler import MOTIONS, sample_scene
from spa2v_lab.scenes.scene import ground_truth_layout
from spa2v_lib.errors import SceneError
from spa2v_lib.layout.classes import CLASSES

SEEDS = range(60)


def _polar(scene) -> tuple[np.ndarray, np.ndarray]:
    at = scene.objects[0].position(np.linspace(0, scene.duration_s, 20))
    return np.degrees(np.arctan2(at[:, 0], at[:, 1])), np.hypot(*at.T)


@pytest.mark.parametrize("seed", SEEDS)
def test_azimuth_and_range_agree_with_the_motion(seed):
    for motion in MOTIONS:
        azimuth, distance = _polar(sample_scene(seed, motion=motion))
        sweep, ratio = azimuth[-1] - azimuth[0], distance[-1] / distance[0]
        match motion:
            case "right_crossing":
                assert sweep > 20
            case "left_crossing":
                assert sweep < -20
            case "approaching":
                assert ratio < 0.6 and abs(sweep) < 1
            case "receding":
                assert ratio > 1.6 and abs(sweep) < 1
            case _:
                assert sweep == 0 and ratio == 1


def test_the_nearest_box_is_well_seen_and_in_the_picture():
    for seed in SEEDS:
        layout = ground_truth_layout(sample_scene(seed))
        areas = [box.area for row in layout.frame_boxes() for box in row if box]
        assert areas and 0.015 < max(areas) < 0.5


def test_sizes_scatter_around_everyday_sizes_instead_of_repeating_them():
    ratios = [
        scene.objects[0].height_m / CLASSES[scene.objects[0].label].height_m
        for scene in map(sample_scene, SEEDS)
    ]
    assert np.std(np.log(ratios)) > 0.08


def test_scenes_are_decided_by_their_seed():
    assert sample_scene(5) == sample_scene(5)
    assert sample_scene(5) != sample_scene(6)


def test_an_unknown_motion_is_refused():
    with pytest.raises(SceneError, match="hovering"):
        sample_scene(0, motion="hovering")


def test_the_true_layout_has_the_boxes_of_the_geometry():
    scene = sample_scene(11, motion="left_crossing")
    layout = ground_truth_layout(scene)
    for time, box in zip(layout.key_times_s, layout.objects[0].boxes, strict=True):
        assert box == scene.objects[0].box(scene.camera, time)
    assert "from right to left" in layout.caption
