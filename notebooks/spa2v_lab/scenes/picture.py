"""The picture of a scene: sprites on a background, seen by the scene's own camera."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageOps

from spa2v_lab.scenes.scene import Scene, WorldObject
from spa2v_lab.scenes.world import facing, paint_background, sprite

__all__ = ["draw_frame", "draw_scene"]

_OVERSAMPLE = 3  # sprites are placed on this finer grid, so that they move smoothly


def draw_scene(scene: Scene, width: int = 64, height: int | None = None) -> np.ndarray:
    """Draw every frame of a scene.

    Parameters
    ----------
    scene : Scene
    width : int
        Picture width in pixels.
    height : int, optional
        Picture height; from the camera's aspect if not given.

    Returns
    -------
    np.ndarray [shape=(frames, height, width, 3), dtype=uint8]
    """
    height = height or round(width / scene.camera.aspect)
    canvas = background_canvas(scene, width, height)
    count = max(1, round(scene.duration_s * scene.fps))
    return np.stack([draw_frame(scene, k / scene.fps, canvas) for k in range(count)])


def background_canvas(scene: Scene, width: int, height: int) -> Image.Image:
    """Paint the scene's background once, on the oversampled grid."""
    pixels = paint_background(scene.background, scene.seed, width, height, scene.camera.horizon_y())
    image = Image.fromarray((255 * pixels + 0.5).astype(np.uint8))
    return image.resize((width * _OVERSAMPLE, height * _OVERSAMPLE), Image.Resampling.BICUBIC)


def draw_frame(scene: Scene, t: float, canvas: Image.Image) -> np.ndarray:
    """Draw the frame at time `t` on a copy of `canvas`; the far objects first.

    Returns
    -------
    np.ndarray [shape=(height, width, 3), dtype=uint8]
    """
    picture = canvas.copy()
    by_depth = sorted(scene.objects, key=lambda o: -float(o.position(np.array([t]))[0, 1]))
    for obj in by_depth:
        if obj.box(scene.camera, t) is not None:
            _paste(picture, obj, obj.raw_box(scene.camera, t))
    small = (picture.width // _OVERSAMPLE, picture.height // _OVERSAMPLE)
    return np.asarray(picture.resize(small, Image.Resampling.BOX))


def _paste(picture: Image.Image, obj: WorldObject, box: tuple[float, float, float, float]) -> None:
    x0, y0, x1, y1 = box
    left, top = round(x0 * picture.width), round(y0 * picture.height)
    size = (
        max(1, round(x1 * picture.width) - left),
        max(1, round(y1 * picture.height) - top),
    )
    image = _turned(obj).resize(size, Image.Resampling.LANCZOS, reducing_gap=2.0)
    picture.paste(image, (left, top), image)


def _turned(obj: WorldObject) -> Image.Image:
    """Return the sprite facing the way the object goes."""
    image, drawn = sprite(obj.label, obj.style), facing(obj.label, obj.style)
    goes = "right" if obj.path.velocity[0] > 0 else "left"
    return ImageOps.mirror(image) if drawn != "front" and drawn != goes else image
