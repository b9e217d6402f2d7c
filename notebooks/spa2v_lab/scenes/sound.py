"""The sound of a simulated scene: real mono recordings moved past a receiver."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from spa2v_lab.scenes.propagation import (
    OVERSAMPLING,
    Emission,
    absorbed_by_air,
    first_emission_s,
    received,
)
from spa2v_lab.scenes.receivers import SPEED_OF_SOUND, Receiver, get_receiver
from spa2v_lab.scenes.recordings import emitted
from spa2v_lab.scenes.rooms import IMAGE_ORDER, Room, diffuse_noise, reverberant_tail
from spa2v_lab.scenes.scene import Scene, WorldObject
from spa2v_lib.audio.recording import Recording
from spa2v_lib.errors import SceneError

__all__ = [
    "PEAK",
    "render_sound",
]

PEAK = 0.7
"""Largest sample of a rendered scene – the recordist sets the gain, so absolute level tells
nothing."""

_NOISE_TILT_DB = -3.0  # outdoor and room noise is nearer to pink than to white
_PATH_STEPS = 64
_SPARE_S = 0.1

# From times [n] to places [n, 3] in metres: to the right, ahead and up from the microphones.
_Places = Callable[[np.ndarray], np.ndarray]


def render_sound(scene: Scene, rate: int = 44_100) -> Recording:
    """Render what the scene's receiver records.

    Every recording is brought to the same RMS at 1 m, changed by the object's `gain_db`, and
    sounds from the middle of the object's height. On its way it is delayed (hence Doppler),
    weakened as 1/r, and damped by the air (ISO 9613-1). In a room (`rt60_s` above 0) image
    sources up to order 2 move with the object, and a diffuse tail follows. Pink noise from all
    directions is added `noise_db` below the sum's RMS. At last the whole is scaled to a peak of
    `PEAK`.

    Parameters
    ----------
    scene : Scene
    rate : int
        Sampling rate in Hz.

    Returns
    -------
    Recording
        The receiver's channels, `scene.duration_s` long. The same scene gives the same samples.

    Raises
    ------
    SceneError
        If no object sounds, the receiver or a recording is unknown, something is as fast as
        sound, or the room cannot be.

    See Also
    --------
    spa2v_lab.scenes.picture.draw_scene : the picture of the same scene

    Examples
    --------
    >>> from spa2v_lab.scenes.scene import Scene, StraightPath, WorldObject
    >>> from spa2v_lib.layout.camera import Camera
    >>> path = StraightPath((-4.0, 8.0), (4.0, 0.0))
    >>> bus = WorldObject("bus", "fluent3d", path, "right_crossing", 3.0, 2.5, 0.0, "truck_01.flac")
    >>> scene = Scene((bus,), "street", Camera(), duration_s=1.0, seed=0)
    >>> sound = render_sound(scene, rate=16_000)
    >>> sound.samples.shape
    (2, 16000)
    """
    objects = [obj for obj in scene.objects if obj.recording is not None]
    if not objects:
        raise SceneError("no object of the scene has a recording: it would be silent")
    receiver = get_receiver(scene.receiver)
    frames = round(scene.duration_s * rate)
    paths = [partial(obj.places, scene.camera.height_m) for obj in objects]
    room_rng, noise_rng = np.random.default_rng(scene.seed).spawn(2)
    room = None
    if scene.rt60_s > 0:
        steps = np.linspace(0.0, scene.duration_s, _PATH_STEPS)
        places = np.concatenate([path(steps) for path in paths])
        room = Room.around(places, scene.camera.height_m, scene.rt60_s, scene.room_margin_m)
        tail = reverberant_tail(room, receiver, rate, room_rng)
    sound = np.zeros((receiver.channels, frames))
    for obj, path in zip(objects, paths, strict=True):
        emission = _emission(obj, path, scene, room, rate)
        sound += absorbed_by_air(*received(emission, receiver, path, frames, rate), rate)
        if room is not None:
            sound += _early(emission, receiver, path, room, frames, rate)
            sound += _late(obj, tail, scene, frames, rate)
    if not sound.any():
        raise SceneError(
            f"nothing sounds within {scene.duration_s:g} s: every object starts too late or is "
            "too far away"
        )
    if scene.noise_db is not None:
        noise = diffuse_noise(receiver, frames, rate, noise_rng, _NOISE_TILT_DB)
        level = 10 ** (scene.noise_db / 20) * np.sqrt(np.mean(sound**2) / np.mean(noise**2))
        sound += level * noise
    return Recording.from_samples(sound * (PEAK / np.abs(sound).max()), rate, name="scene")


def _emission(
    obj: WorldObject,
    path: _Places,
    scene: Scene,
    room: Room | None,
    rate: int,
) -> Emission:
    """The emitted sound, from so early that even the longest path has it at time 0."""
    fine = OVERSAMPLING * rate
    begin_s = first_emission_s(path) - _SPARE_S
    if room is not None:
        begin_s -= (IMAGE_ORDER + 1) * float(np.linalg.norm(room.size_m)) / SPEED_OF_SOUND
    samples = emitted(obj.recording, fine, begin_s, scene.duration_s + _SPARE_S, obj.onset_s)
    return Emission.from_samples(10 ** (obj.gain_db / 20) * samples, fine, begin_s)


def _early(
    emission: Emission,
    receiver: Receiver,
    path: _Places,
    room: Room,
    frames: int,
    rate: int,
) -> np.ndarray:
    """Image sources; the air damps each order over its mean distance."""
    images = room.images()
    total = np.zeros((receiver.channels, frames))
    for order in np.unique(images.orders):
        members = np.flatnonzero(images.orders == order)
        sound, travelled_m = np.zeros_like(total), np.zeros(frames)
        for image in members:

            def place(times_s: np.ndarray, image: int = image) -> np.ndarray:
                return images.of(image, path(times_s))

            part, distance = received(emission, receiver, place, frames, rate)
            sound += images.gains[image] * part
            travelled_m += distance / len(members)
        total += absorbed_by_air(sound, travelled_m, rate)
    return total


def _late(obj: WorldObject, tail: np.ndarray, scene: Scene, frames: int, rate: int) -> np.ndarray:
    from scipy.signal import fftconvolve

    lead_s = tail.shape[1] / rate
    samples = emitted(obj.recording, rate, -lead_s, scene.duration_s, obj.onset_s)
    wet = fftconvolve(samples[None], tail, axes=1)[:, tail.shape[1] :][:, :frames]
    return 10 ** (obj.gain_db / 20) * wet
