"""The picture of a scene: sprites on a background, seen by the scene's own camera.

Backgrounds are painted by short numpy functions from a random generator, so that every scene has
its own sky, skyline or dunes. Sprites are emoji with alpha from ``data/sprites`` (licences in its
table); most face left, and `facing` knows those that do not.
"""

from __future__ import annotations

import csv
from collections.abc import Callable
from functools import cache

import numpy as np
from PIL import Image, ImageOps

from spa2v_lab.scenes.scene import Scene, WorldObject
from spa2v_lib.errors import SceneError
from spa2v_lib.layout.classes import CLASSES
from spa2v_lib.resources import resource

__all__ = [
    "STYLES", "draw_frame", "draw_scene", "drawn_labels", "facing", "paint_background", "sprite",
]  # fmt: skip

STYLES = ("fluent3d", "noto", "twemoji")

_NO_SIDE = {  # drawn from the front, or with no front at all
    "accordion", "banjo", "bell", "drum", "flute", "guitar", "hand drum", "lion", "person", "piano",
    "saxophone", "tram", "trumpet", "violin",
}  # fmt: skip
_FRONT = {("dog", "noto"), ("ship", "twemoji")}
_RIGHT = {("airplane", style) for style in STYLES} | {("ship", "noto")}

Painter = Callable[[np.random.Generator, np.ndarray, np.ndarray, float], np.ndarray]


@cache
def drawn_labels() -> tuple[str, ...]:
    """Return every class that has sprites.

    The classes of `spa2v_lib.layout.classes.CLASSES` come first, by name, then the others by name,
    so that what was trained with the first alone keeps its numbers.

    See Also
    --------
    sprite : one image

    Examples
    --------
    >>> labels = drawn_labels()
    >>> labels[0], labels[-1], len(labels)
    ('airplane', 'violin', 35)
    """
    with (resource("sprites") / "sprites.csv").open(encoding="utf-8") as table:
        labels = {row["label"] for row in csv.DictReader(table)}
    return (*sorted(labels & set(CLASSES)), *sorted(labels - set(CLASSES)))


@cache
def sprite(label: str, style: str) -> Image.Image:
    """Return the sprite of a class as an RGBA image, premultiplied alpha left to the caller.

    Raises
    ------
    SceneError
        If there is no such sprite.

    See Also
    --------
    facing : which side it faces

    Examples
    --------
    >>> sprite("bus", "fluent3d").mode
    'RGBA'
    """
    path = resource("sprites") / f"{label.replace(' ', '_')}_{style}.png"
    if not path.is_file():
        raise SceneError(f"no sprite of {label!r} in style {style!r}; styles: {', '.join(STYLES)}")
    with Image.open(path) as image:
        return image.convert("RGBA")


def facing(label: str, style: str) -> str:
    """Say which way a sprite faces as drawn: "left", "right" or "front".

    See Also
    --------
    sprite : the image

    Examples
    --------
    >>> facing("airplane", "noto"), facing("drum", "noto")
    ('right', 'front')
    """
    if label in _NO_SIDE or (label, style) in _FRONT:
        return "front"
    return "right" if (label, style) in _RIGHT else "left"


def paint_background(name: str, seed: int, width: int, height: int, horizon_y: float) -> np.ndarray:
    """Paint a background.

    Parameters
    ----------
    name : str
        A key of `spa2v_lib.layout.classes.BACKGROUNDS`.
    seed : int
        Decides its details.
    width, height : int
        Size in pixels.
    horizon_y : float
        Height of the horizon in the picture, 0 at the top.

    Returns
    -------
    np.ndarray [shape=(height, width, 3), dtype=float32]
        Colours in [0, 1].

    See Also
    --------
    draw_scene : with objects

    Examples
    --------
    >>> paint_background("sea", seed=0, width=32, height=32, horizon_y=0.5).shape
    (32, 32, 3)
    """
    if name not in _PAINTERS:
        raise SceneError(f"no background {name!r}; there are: {', '.join(_PAINTERS)}")
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    y, x = (y + 0.5) / height, (x + 0.5) / width
    picture = _PAINTERS[name](rng, x, y, float(np.clip(horizon_y, 0.2, 0.8)))
    return np.clip(picture, 0.0, 1.0).astype(np.float32)


def _colour(rng: np.random.Generator, rgb: tuple[float, float, float], spread: float = 0.05):
    return np.asarray(rgb, np.float32) + rng.uniform(-spread, spread, 3).astype(np.float32)


def _blend(top: np.ndarray, bottom: np.ndarray, amount: np.ndarray) -> np.ndarray:
    amount = np.clip(amount, 0.0, 1.0)[..., None]
    return top * (1 - amount) + bottom * amount


def _over(picture: np.ndarray, colour: np.ndarray, mask: np.ndarray) -> np.ndarray:
    return np.where(mask[..., None], colour, picture)


def _ridge(rng: np.random.Generator, x: np.ndarray, level: float, height: float) -> np.ndarray:
    """Return the y of a rolling skyline for every pixel column."""
    phase, rate = rng.uniform(0, 2 * np.pi, 2), rng.uniform((3, 7), (6, 12))
    wave = np.sin(rate[0] * x + phase[0]) + 0.4 * np.sin(rate[1] * x + phase[1])
    return level - height * (0.5 + 0.35 * wave)


def _sky(rng: np.random.Generator, y: np.ndarray, horizon: float) -> np.ndarray:
    return _blend(_colour(rng, (0.42, 0.66, 0.92)), _colour(rng, (0.80, 0.90, 0.98)), y / horizon)


def _meadow(rng, x, y, horizon):
    picture = _sky(rng, y, horizon)
    hills = y > _ridge(rng, x, horizon, 0.08)
    picture = _over(picture, _colour(rng, (0.33, 0.58, 0.33)), hills)
    near = (y - horizon) / (1 - horizon)
    grass = _blend(_colour(rng, (0.52, 0.76, 0.36)), _colour(rng, (0.33, 0.62, 0.24)), near)
    return np.where((y > horizon)[..., None], grass, picture)


def _street(rng, x, y, horizon):
    picture = _sky(rng, y, horizon)
    count = int(rng.integers(6, 10))
    edges = np.sort(rng.uniform(0, 1, count - 1))
    block = np.searchsorted(edges, x[0])
    tops = horizon - rng.uniform(0.10, 0.32, count)
    shades = rng.uniform(0.50, 0.72, (count, 1)) * _colour(rng, (1.0, 0.95, 0.92))
    walls = np.broadcast_to(shades[block][None], picture.shape)
    picture = np.where((y > tops[block][None])[..., None], walls, picture)
    picture = _over(picture, _colour(rng, (0.74, 0.72, 0.68), 0.03), y > horizon)
    road = y > horizon + 0.25 * (1 - horizon)
    picture = _over(picture, _colour(rng, (0.36, 0.37, 0.40), 0.03), road)
    stripe = horizon + 0.65 * (1 - horizon)
    dashes = (np.abs(y - stripe) < 0.012) & (np.mod(x + rng.uniform(), 0.2) < 0.11)
    return _over(picture, np.float32([0.92, 0.90, 0.80]), dashes)


def _sea(rng, x, y, horizon):
    picture = _sky(rng, y, horizon)
    near = (y - horizon) / (1 - horizon)
    water = _blend(_colour(rng, (0.22, 0.52, 0.72)), _colour(rng, (0.07, 0.27, 0.50)), near)
    swell = np.sin(rng.uniform(0, 6) + 60 * np.sqrt(np.clip(near, 0, 1)) + 3 * np.sin(5 * x))
    water = water + 0.035 * swell[..., None]
    return np.where((y > horizon)[..., None], water, picture)


def _desert(rng, x, y, horizon):
    sky = _blend(_colour(rng, (0.55, 0.75, 0.90)), _colour(rng, (0.98, 0.90, 0.72)), y / horizon)
    dunes = y > _ridge(rng, x, horizon, 0.07)
    picture = _over(sky, _colour(rng, (0.80, 0.60, 0.36)), dunes)
    near = (y - horizon) / (1 - horizon)
    sand = _blend(_colour(rng, (0.93, 0.78, 0.50)), _colour(rng, (0.86, 0.66, 0.38)), near)
    return np.where((y > horizon)[..., None], sand, picture)


def _snow(rng, x, y, horizon):
    sky = _blend(_colour(rng, (0.62, 0.68, 0.76)), _colour(rng, (0.84, 0.87, 0.91)), y / horizon)
    woods = y > _ridge(rng, x, horizon, 0.10)
    picture = _over(sky, _colour(rng, (0.36, 0.46, 0.46)), woods)
    near = (y - horizon) / (1 - horizon)
    white = _blend(
        _colour(rng, (0.90, 0.93, 0.97), 0.02), _colour(rng, (0.97, 0.98, 1.0), 0.02), near
    )
    return np.where((y > horizon)[..., None], white, picture)


def _stage(rng, x, y, horizon):
    edge = horizon + 0.12
    folds = 0.5 + 0.5 * np.sin(rng.uniform(0, 6) + rng.uniform(35, 50) * x)
    curtain = _blend(
        _colour(rng, (0.30, 0.06, 0.12), 0.04), _colour(rng, (0.48, 0.10, 0.18), 0.04), folds
    )
    curtain = curtain * (0.65 + 0.5 * y[..., None])
    boards = 0.03 * np.sign(np.sin(60 * (y - edge)))[..., None]
    floor = _blend(
        _colour(rng, (0.55, 0.36, 0.20)), _colour(rng, (0.72, 0.50, 0.30)), (y - edge) * 2.5
    )
    return np.where((y > edge)[..., None], floor + boards, curtain)


_PAINTERS: dict[str, Painter] = {
    "street": _street,
    "meadow": _meadow,
    "sea": _sea,
    "desert": _desert,
    "snow": _snow,
    "stage": _stage,
}


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

    See Also
    --------
    spa2v_lab.scenes.sound.render_sound : the sound of the same scene
    draw_frame : one frame

    Examples
    --------
    >>> from spa2v_lab.scenes.scene import Scene, StraightPath, WorldObject
    >>> from spa2v_lib.layout.camera import Camera
    >>> path = StraightPath((-4.0, 8.0), (4.0, 0.0))
    >>> bus = WorldObject("bus", "fluent3d", path, "right_crossing", 3.0, 2.5, 0.0, "truck_01.flac")
    >>> scene = Scene((bus,), "street", Camera(), duration_s=1.0, seed=0)
    >>> frames = draw_scene(scene, width=32)
    >>> frames.shape, str(frames.dtype)
    ((8, 32, 32, 3), 'uint8')
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

    See Also
    --------
    draw_scene : all frames

    Examples
    --------
    >>> from spa2v_lab.scenes.scene import Scene, StraightPath, WorldObject
    >>> from spa2v_lib.layout.camera import Camera
    >>> path = StraightPath((-4.0, 8.0), (4.0, 0.0))
    >>> bus = WorldObject("bus", "fluent3d", path, "right_crossing", 3.0, 2.5, 0.0, "truck_01.flac")
    >>> scene = Scene((bus,), "street", Camera(), duration_s=1.0, seed=0)
    >>> draw_frame(scene, 0.5, background_canvas(scene, 32, 32)).shape
    (32, 32, 3)
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
