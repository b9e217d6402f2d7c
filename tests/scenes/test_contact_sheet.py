"""Contact sheets show the right frames with boxes where the layout has them."""

import numpy as np

from spa2v_lab.scenes.export import contact_sheet
from spa2v_lib.layout.scene_layout import Box, SceneObject, VideoSceneLayout


def _layout(seconds: float) -> VideoSceneLayout:
    box = Box(x0=0.25, y0=0.25, x1=0.75, y1=0.75)
    return VideoSceneLayout(
        caption="a bus",
        frame_captions=["a bus"],
        key_times_s=[0.0],
        objects=[SceneObject(id="bus", label="bus", caption="a bus", boxes=[box])],
        duration_s=seconds,
    )


def test_eight_frames_from_first_to_last_with_their_box():
    frames = np.arange(32, dtype=np.uint8)[:, None, None, None] + np.zeros((1, 32, 32, 3), np.uint8)
    sheet = np.asarray(contact_sheet(frames, _layout(4.0), width=64))
    assert sheet.shape == (64, 8 * 64 + 7 * 4, 3)
    assert sheet[32, 32].tolist() == [0, 0, 0]
    assert sheet[32, -32].tolist() == [31, 31, 31]
    assert sheet[14, 32, 2] > 200 and sheet[32, 14, 2] > 200
    assert sheet[16, 32, 2] == sheet[32, 16, 2] == 0, "the line is around what the box holds"


def test_a_short_video_has_fewer_frames():
    frames = np.zeros((2, 20, 40, 3), np.uint8)
    assert contact_sheet(frames, _layout(0.25), width=40).size == (84, 20)
