"""What is promised first: each movement is recognized, and planned where it is."""

import pytest

from spa2v_lab.demo import SCENES
from spa2v_lab.metrics import motion_of
from spa2v_lab.scenes.scene import Scene, StraightPath, WorldObject
from spa2v_lab.scenes.sound import render_sound
from spa2v_lib.cues import extract_cues
from spa2v_lib.layout.camera import Camera
from spa2v_lib.layout.scene_layout import VideoSceneLayout
from spa2v_lib.planning import plan

MOVEMENTS = {  # (start, velocity), what the boxes must do, and on which side they are
    "left to right": (((-9.0, 8.0), (4.5, 0.0)), "right_crossing", None),
    "right to left": (((9.0, 8.0), (-4.5, 0.0)), "left_crossing", None),
    "approaching": (((3.0, 28.0), (-0.5, -5.0)), "approaching", None),
    "receding": (((-1.0, 8.0), (-0.5, 5.0)), "receding", None),
    "standing left": (((-5.0, 8.0), (0.0, 0.0)), "stationary", "left"),
    "standing right": (((5.0, 8.0), (0.0, 0.0)), "stationary", "right"),
}


def _planned(scene: Scene) -> VideoSceneLayout:
    recording = render_sound(scene)
    return plan(recording, extract_cues(recording, label=scene.objects[0].label))


def _track(layout: VideoSceneLayout) -> list:
    return [row[0] for row in layout.frame_boxes()]


@pytest.mark.parametrize("receiver", ["ortf", "ab", "binaural"])
@pytest.mark.parametrize("movement", MOVEMENTS)
def test_every_movement_is_planned_the_right_way_and_on_the_right_side(movement, receiver):
    (start, velocity), motion, side = MOVEMENTS[movement]
    truck = WorldObject(
        "truck", "noto", StraightPath(start, velocity), motion, 4.2, 3.4, 0.0, "truck_01.flac"
    )
    scene = Scene((truck,), "street", Camera(), 4.0, seed=2, receiver=receiver, noise_db=-40.0)
    track = _track(_planned(scene))
    assert motion_of(track) == motion
    if side:
        middles = [box.center[0] for box in track if box]
        assert all(x < 0.45 if side == "left" else x > 0.55 for x in middles)


@pytest.mark.parametrize("name", SCENES)
def test_the_demo_scenes_are_analyzed_as_they_were_made(name):
    obj = SCENES[name].objects[0]
    recording = render_sound(SCENES[name])
    source = extract_cues(recording).sources[0]
    assert (source.label, source.motion) == (obj.label, obj.motion)
