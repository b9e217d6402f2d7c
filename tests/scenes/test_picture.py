"""The drawn world shows each object where its scene's geometry says."""

import numpy as np
import pytest
from PIL import ImageOps

from spa2v_lab.scenes.picture import (
    STYLES,
    background_canvas,
    draw_frame,
    draw_scene,
    paint_background,
    sprite,
)
from spa2v_lab.scenes.sampler import sample_scene
from spa2v_lab.scenes.scene import Scene, StraightPath, WorldObject
from spa2v_lib.errors import SceneError
from spa2v_lib.layout.camera import Camera


def _car(speed: float, depth: float = 4.0, x: float = 0.0) -> WorldObject:
    path = StraightPath((x, depth), (speed, 0.0))
    return WorldObject("car", "fluent3d", path, "right_crossing", 2.6, 1.7, 0.0)


def _scene(*objects: WorldObject) -> Scene:
    return Scene(objects, "meadow", Camera(), duration_s=1.0, seed=3)


def test_only_pixels_inside_the_projected_box_change():
    scene = _scene(_car(1.0, x=-1.0))
    empty = _scene()
    box = scene.objects[0].box(scene.camera, 0.5)
    drawn = draw_frame(scene, 0.5, background_canvas(scene, 64, 64)).astype(int)
    bare = draw_frame(empty, 0.5, background_canvas(empty, 64, 64)).astype(int)
    rows, columns = np.nonzero(np.abs(drawn - bare).sum(2) > 12)
    assert columns.min() >= 64 * box.x0 - 1 and columns.max() <= 64 * box.x1 + 1
    assert rows.min() >= 64 * box.y0 - 1 and rows.max() <= 64 * box.y1 + 1
    assert np.ptp(columns) > 0.8 * 64 * box.width


def test_objects_face_where_they_go():
    left = draw_frame(_scene(_car(-1e-9)), 0.0, background_canvas(_scene(), 64, 64))
    right = draw_frame(_scene(_car(1e-9)), 0.0, background_canvas(_scene(), 64, 64))
    box = _car(0.0).box(Camera(), 0.0)
    rows = slice(int(64 * box.y0) + 2, int(64 * box.y1) - 2)
    car_left, car_right = left[rows, 20:44].astype(int), right[rows, 20:44].astype(int)
    assert np.abs(car_left - car_right).mean() > 5
    assert np.abs(car_left - car_right[:, ::-1]).mean() < np.abs(car_left - car_right).mean()


def test_the_nearer_object_hides_the_farther():
    truck = WorldObject("bus", "noto", StraightPath((0, 9.0)), "stationary", 4, 3, 0.0)
    near = _car(0.0, depth=3.0)
    canvas = background_canvas(_scene(), 64, 64)
    assert np.array_equal(
        draw_frame(_scene(truck, near), 0.0, canvas), draw_frame(_scene(near, truck), 0.0, canvas)
    )


def test_the_same_seed_draws_the_same_frames():
    first, second = (draw_scene(sample_scene(7), width=48) for _ in range(2))
    assert np.array_equal(first, second)
    assert first.shape == (32, 48, 48, 3)


def test_height_follows_the_cameras_aspect():
    assert draw_scene(sample_scene(7, aspect=1.6), width=64).shape[1:3] == (40, 64)


def test_unknown_sprites_and_backgrounds_are_named_in_the_error():
    with pytest.raises(SceneError, match="unicorn"):
        sprite("unicorn", STYLES[0])
    with pytest.raises(SceneError, match="moon"):
        paint_background("moon", 0, 8, 8, 0.5)


def test_sprites_have_transparent_surroundings():
    alpha = np.asarray(ImageOps.exif_transpose(sprite("cow", "noto")))[..., 3]
    assert alpha.min() == 0 and alpha.max() == 255
