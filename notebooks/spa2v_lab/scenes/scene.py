"""The one description that a simulated scene's sound, picture and true layout are made from.

Positions are metres in the plane of the ground with the microphone and camera at the origin:
``x`` to the right, ``z`` straight ahead. Every object stands still or moves on a straight line at
constant speed, which covers the paper's five motions.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spa2v_lib.layout.camera import Camera
from spa2v_lib.layout.captions import Motion, frame_caption, object_caption, video_caption
from spa2v_lib.layout.scene_layout import Box, SceneObject, VideoSceneLayout

__all__ = ["Scene", "StraightPath", "WorldObject", "ground_truth_layout"]


@dataclass(frozen=True)
class StraightPath:
    """Uniform straight motion: ``position(t) = start + velocity * t``.

    Attributes
    ----------
    start : tuple of float
        ``(x, z)`` at time 0, in metres.
    velocity : tuple of float
        ``(vx, vz)`` in metres per second.

    See Also
    --------
    WorldObject : what moves along it

    Examples
    --------
    >>> StraightPath((-4.0, 8.0), (4.0, 0.0))(np.array([0.0, 1.0])).tolist()
    [[-4.0, 8.0], [0.0, 8.0]]
    """

    start: tuple[float, float]
    velocity: tuple[float, float] = (0.0, 0.0)

    def __call__(self, t: np.ndarray) -> np.ndarray:
        """Return positions at times `t` [n] in seconds, as [n, 2] metres."""
        t = np.asarray(t, dtype=float)
        return np.asarray(self.start) + t[:, None] * np.asarray(self.velocity)


@dataclass(frozen=True)
class WorldObject:
    """A object in the world: how it looks, what it plays and where it goes.

    Attributes
    ----------
    label : str
        A class of `spa2v_lib.layout.classes.CLASSES`.
    style : str
        Sprite style ("fluent3d", "noto", "twemoji").
    path : StraightPath
        Where it is over time.
    motion : Motion
        The motion in the paper's words.
    width_m, height_m, base_m : float
        Extent and height above ground of the upright picture plane it fills.
    recording : str or None
        File name under ``data/recordings``; None for a silent object.
    gain_db : float
        Level of its recording at 1 m.
    onset_s : float
        When its recording starts.

    See Also
    --------
    Scene : several of them, with a camera

    Examples
    --------
    >>> path = StraightPath((-4.0, 8.0), (4.0, 0.0))
    >>> bus = WorldObject("bus", "fluent3d", path, "right_crossing", 3.0, 2.5, 0.0)
    >>> bus.azimuth_deg(np.array([0.0, 1.0, 2.0])).round().tolist()
    [-27.0, 0.0, 27.0]
    """

    label: str
    style: str
    path: StraightPath
    motion: Motion
    width_m: float
    height_m: float
    base_m: float
    recording: str | None = None
    gain_db: float = 0.0
    onset_s: float = 0.0

    def position(self, t: np.ndarray) -> np.ndarray:
        """Return ``(x, z)`` in metres at times `t` [n], as [n, 2]."""
        return self.path(t)

    def places(self, height_m: float, t: np.ndarray) -> np.ndarray:
        """Return its middle at times `t` [n] in metres right, ahead and up from `height_m` [n, 3]."""
        up = self.base_m + self.height_m / 2 - height_m
        return np.column_stack([self.position(t), np.full(len(t), up)])

    def azimuth_deg(self, t: np.ndarray) -> np.ndarray:
        """Return its direction at times `t` [n] in degrees, positive to the right [n]."""
        x, z = self.position(t).T
        return np.degrees(np.arctan2(x, z))

    def raw_box(self, camera: Camera, t: float) -> tuple[float, float, float, float] | None:
        """Return its unclipped box in the picture at time `t`, or None behind the camera."""
        x, z = self.position(np.array([t]))[0]
        azimuth = float(np.degrees(np.arctan2(x, z)))
        return camera.project(
            azimuth, float(np.hypot(x, z)), self.width_m, self.height_m, self.base_m
        )

    def box(self, camera: Camera, t: float) -> Box | None:
        """Return its visible box at time `t`, or None where it is out of view."""
        return camera.visible_box(self.raw_box(camera, t))


@dataclass(frozen=True)
class Scene:
    """A scene whose ground truth is known.

    Attributes
    ----------
    objects : tuple of WorldObject
        Most prominent first.
    background : str
        A key of `spa2v_lib.layout.classes.BACKGROUNDS`.
    camera : Camera
        At the microphone.
    duration_s : float
        Length of sound and picture.
    seed : int
        Decides the background's details and the noise.
    receiver : str
        Capture format: a key of `spa2v_lab.scenes.receivers.RECEIVERS`.
    rt60_s : float
        Reverberation time; 0 outdoors.
    room_margin_m : float
        Least distance of the microphone and the objects from the room's walls.
    noise_db : float or None
        Level of diffuse noise relative to the signal; None without.
    fps : float
        Frames per second of the picture.

    See Also
    --------
    spa2v_lab.scenes.sound.render_sound : its sound
    spa2v_lab.scenes.picture.draw_scene : its picture
    ground_truth_layout : its layout

    Examples
    --------
    >>> path = StraightPath((0.0, 8.0))
    >>> bus = WorldObject("bus", "fluent3d", path, "stationary", 3.0, 2.5, 0.0)
    >>> Scene((bus,), "street", Camera(), duration_s=2.0, seed=0).receiver
    'xy'
    """

    objects: tuple[WorldObject, ...]
    background: str
    camera: Camera
    duration_s: float
    seed: int
    receiver: str = "xy"
    rt60_s: float = 0.0
    room_margin_m: float = 1.5
    noise_db: float | None = None
    fps: float = 8.0


def ground_truth_layout(scene: Scene, key_rate_hz: float = 2.0) -> VideoSceneLayout:
    """Return the layout that a perfect listener would plan for `scene`.

    Parameters
    ----------
    scene : Scene
    key_rate_hz : float
        Key frames per second; the first and the last frame are always key frames.

    See Also
    --------
    spa2v_lib.plan : what is planned from sound alone

    Examples
    --------
    >>> path = StraightPath((-4.0, 8.0), (4.0, 0.0))
    >>> bus = WorldObject("bus", "fluent3d", path, "right_crossing", 3.0, 2.5, 0.0)
    >>> layout = ground_truth_layout(Scene((bus,), "street", Camera(), duration_s=2.0, seed=0))
    >>> layout.caption
    'a bus drives from left to right on a city street'
    >>> [round(box.center[0], 2) for box in layout.objects[0].boxes]
    [0.25, 0.37, 0.48, 0.6, 0.72]
    """
    last = (max(1, round(scene.duration_s * scene.fps)) - 1) / scene.fps
    times = np.linspace(0.0, last, max(2, 1 + round(last * key_rate_hz))) if last else [0.0]
    boxes = [[obj.box(scene.camera, float(t)) for t in times] for obj in scene.objects]
    visible = [
        [
            (obj.label, row[k].center[0])
            for obj, row in zip(scene.objects, boxes, strict=True)
            if row[k] is not None
        ]
        for k in range(len(times))
    ]
    return VideoSceneLayout(
        reasoning="drawn from the scene's own geometry",
        caption=video_caption([(o.label, o.motion) for o in scene.objects], scene.background),
        frame_captions=[frame_caption(row, scene.background) for row in visible],
        key_times_s=[float(t) for t in times],
        objects=[
            SceneObject(
                id=f"{obj.label}-{i + 1}",
                label=obj.label,
                caption=object_caption(obj.label),
                boxes=row,
            )
            for i, (obj, row) in enumerate(zip(scene.objects, boxes, strict=True))
        ],
        duration_s=scene.duration_s,
        fps=scene.fps,
        aspect=scene.camera.aspect,
        background=scene.background,
    )
