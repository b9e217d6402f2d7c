"""Random scenes, from distributions that planning does not know.

Sizes, camera and paths are drawn here, independently of the usual sizes and ranges in
`spa2v_lib.layout.classes` that a planner works with; otherwise a planner would be scored against
its own assumptions. Paths are drawn so that the object is well seen: its closest approach fills
between a fifth and a half of the picture's width.
"""

from __future__ import annotations

from typing import get_args

import numpy as np

from spa2v_lab.scenes.picture import STYLES, sprite
from spa2v_lab.scenes.scene import Scene, StraightPath, WorldObject
from spa2v_lib.errors import SceneError
from spa2v_lib.layout.camera import Camera
from spa2v_lib.layout.captions import Motion
from spa2v_lib.layout.classes import BACKGROUNDS, CLASSES, SoundClass, get_class

__all__ = ["MOTIONS", "sample_free_scene", "sample_object", "sample_scene"]

MOTIONS: tuple[str, ...] = get_args(Motion)


def sample_scene(
    seed: int,
    *,
    motion: Motion | None = None,
    labels: tuple[str, ...] | None = None,
    styles: tuple[str, ...] = STYLES,
    object_count: int = 1,
    duration_s: float = 4.0,
    aspect: float = 1.0,
    recordings: dict[str, tuple[str, ...]] | None = None,
    **sound: object,
) -> Scene:
    """Draw one random scene.

    Parameters
    ----------
    seed : int
        The only source of randomness.
    motion : Motion, optional
        The motion of the first object; drawn if not given.
    labels : tuple of str, optional
        Classes to draw from; every class if not given.
    styles : tuple of str
        Sprite styles to draw from.
    object_count : int
        Number of objects, at least 0.
    duration_s : float
        Length in seconds.
    aspect : float
        Width over height of the picture.
    recordings : dict, optional
        File names to draw from for each label; objects without one are silent.
    **sound
        Further fields of `Scene` (``receiver``, ``rt60_s``, ``noise_db``).

    Returns
    -------
    Scene

    See Also
    --------
    spa2v_lab.scenes.stage.stage : put one together by hand

    Examples
    --------
    >>> scene = sample_scene(3, motion="approaching", labels=("bus",))
    >>> scene.objects[0].label, scene.objects[0].motion
    ('bus', 'approaching')
    """
    if motion is not None and motion not in MOTIONS:
        raise SceneError(f"no motion {motion!r}; one of: {', '.join(MOTIONS)}")
    rng = np.random.default_rng(seed)
    camera = Camera(
        fov_deg=float(np.clip(rng.normal(90, 3), 80, 100)),
        aspect=aspect,
        height_m=float(rng.uniform(1.3, 1.8)),
        pitch_deg=float(np.clip(rng.normal(0, 2), -5, 5)),
    )
    names = labels or tuple(CLASSES)
    objects = []
    for index in range(object_count):
        label = str(rng.choice(names))
        chosen = motion if motion and index == 0 else str(rng.choice(MOTIONS))
        obj = sample_object(rng, label, chosen, camera, duration_s, styles)
        files = (recordings or {}).get(label)
        if files:
            obj = WorldObject(**{**vars(obj), "recording": str(rng.choice(files))})
        objects.append(obj)
    return Scene(
        objects=tuple(objects),
        background=_background(rng, objects),
        camera=camera,
        duration_s=duration_s,
        seed=int(rng.integers(2**31)),
        **sound,
    )


def sample_free_scene(
    rng: np.random.Generator,
    *,
    labels: tuple[str, ...],
    styles: tuple[str, ...] = STYLES,
    object_count: int = 2,
    duration_s: float = 4.0,
) -> Scene:
    """Draw a scene whose boxes are as a person or a language model might draw them.

    Boxes have any size from a twentieth of the picture up, stand anywhere, need not have their
    object's shape, and move to either side or not at all. In half of the scenes all objects are of
    one class, so that several of them cross.

    Parameters
    ----------
    rng : np.random.Generator
    labels, styles : tuple of str
        Classes and sprite styles to draw from.
    object_count : int
        Number of objects, at least 0.
    duration_s : float
        Length in seconds.

    Returns
    -------
    Scene

    See Also
    --------
    sample_scene : sizes and places as they are in the world

    Examples
    --------
    >>> scene = sample_free_scene(np.random.default_rng(0), labels=("cow", "dog"), object_count=3)
    >>> [obj.label for obj in scene.objects]
    ['cow', 'cow', 'dog']
    """
    camera, one_class = Camera(), bool(rng.uniform() < 0.5)
    only = str(rng.choice(labels))
    objects = [
        _free_object(rng, only if one_class else str(rng.choice(labels)), styles, camera)
        for _ in range(object_count)
    ]
    return Scene(
        objects=tuple(objects),
        background=_background(rng, objects),
        camera=camera,
        duration_s=duration_s,
        seed=int(rng.integers(2**31)),
    )


def _free_object(
    rng: np.random.Generator, label: str, styles: tuple[str, ...], camera: Camera
) -> WorldObject:
    """Draw a box in the picture, and place the object that fills it two seconds after the start."""
    style, usual = str(rng.choice(styles)), get_class(label)
    image = sprite(label, style)
    shapes = np.log([image.height / image.width, usual.height_m / usual.width_m])
    shape = np.exp(rng.normal(shapes[0] + rng.uniform() * (shapes[1] - shapes[0]), 0.25))
    width = float(np.exp(rng.uniform(np.log(0.05), np.log(0.4))))
    height = float(np.clip(width * shape, 0.05, 0.7))
    x, bottom = float(rng.uniform(0.1, 0.9)), float(rng.uniform(0.15 + height / 2, 1.0))
    motion = str(rng.choice(("left_crossing", "right_crossing", "stationary")))
    way = {"left_crossing": -1.0, "right_crossing": 1.0}.get(motion, 0.0)
    depth = float(rng.uniform(4, 8))
    metres = 2 * depth * np.tan(np.radians(camera.fov_deg / 2))  # the picture's width, there
    speed = way * float(rng.uniform(0.05, 0.25)) * metres
    return WorldObject(
        label=label,
        style=style,
        path=StraightPath(((x - 0.5) * metres - 2 * speed, depth), (speed, 0.0)),
        motion=motion,
        width_m=width * metres,
        height_m=height * metres,
        base_m=camera.height_m + (0.5 - bottom) * metres,
    )


def _background(rng: np.random.Generator, objects: list[WorldObject]) -> str:
    """Draw the usual background of the first object, or, one time in three, any other land."""
    usual = (
        get_class(objects[0].label).background if objects else str(rng.choice(tuple(BACKGROUNDS)))
    )
    if usual in ("sea", "stage") or rng.uniform() < 2 / 3:
        return usual
    return str(rng.choice([name for name in BACKGROUNDS if name not in ("sea", "stage")]))


def sample_object(
    rng: np.random.Generator,
    label: str,
    motion: str,
    camera: Camera,
    duration_s: float,
    styles: tuple[str, ...] = STYLES,
) -> WorldObject:
    """Draw one object with its size and path.

    Returns
    -------
    WorldObject
        Silent; its recording is the caller's choice.

    See Also
    --------
    sample_scene : with camera and background

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> bus = sample_object(rng, "bus", "stationary", Camera(), duration_s=2.0)
    >>> bus.base_m, bus.recording is None
    (0.0, True)
    """
    sound_class, style = get_class(label), str(rng.choice(styles))
    height = sound_class.height_m * float(np.exp(rng.normal(0, 0.12)))
    image = sprite(label, style)
    width = height * image.width / image.height * float(np.exp(rng.normal(0, 0.08)))
    nearest = _depth(camera, max(width, 0.7 * height), float(rng.uniform(0.22, 0.5)))
    path = _path(rng, motion, camera, nearest, duration_s)
    return WorldObject(
        label=label,
        style=style,
        path=path,
        motion=motion,
        width_m=width,
        height_m=height,
        base_m=_base(rng, sound_class, camera, nearest),
    )


def _depth(camera: Camera, extent_m: float, share: float) -> float:
    """Return the depth at which `extent_m` fills `share` of the picture's width."""
    return extent_m / (2 * share * np.tan(np.radians(camera.fov_deg / 2)))


def _base(rng: np.random.Generator, sound_class: SoundClass, camera: Camera, depth: float) -> float:
    """Draw the height of the lower edge: on its ground, or at an elevation angle in the air."""
    if sound_class.place in ("ground", "water"):
        return 0.0
    low, high = (4, 16) if sound_class.place == "air" else (-14, -4)
    return camera.height_m + depth * float(np.tan(np.radians(rng.uniform(low, high))))


def _path(
    rng: np.random.Generator, motion: str, camera: Camera, nearest: float, duration_s: float
) -> StraightPath:
    half = nearest * np.tan(np.radians(camera.fov_deg / 2))  # half the picture, at `nearest`
    side = float(rng.uniform(-0.75, 0.75))
    if motion == "stationary":
        return StraightPath((side * half, nearest))
    if motion in ("left_crossing", "right_crossing"):
        sign = 1.0 if motion == "right_crossing" else -1.0
        start, end = -float(rng.uniform(0.5, 1.5)) * half, float(rng.uniform(0.5, 1.5)) * half
        return StraightPath((sign * start, nearest), (sign * (end - start) / duration_s, 0.0))
    far = nearest * float(rng.uniform(1.8, 3.2))
    aim = 0.6 * side * half / nearest  # stays near one azimuth: x / z is nearly constant
    close, away = np.array([aim * nearest, nearest]), np.array([aim * far, far])
    first, last = (away, close) if motion == "approaching" else (close, away)
    velocity = (last - first) / duration_s
    return StraightPath(tuple(map(float, first)), tuple(map(float, velocity)))
