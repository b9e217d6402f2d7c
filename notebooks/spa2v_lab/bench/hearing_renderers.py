"""The benchmark's scenes, rendered by code that is not ours.

Sources, paths, rooms and levels are those of `hearing_scenes`; only the renderer differs, and the
noise, which is each microphone's own.

KEMAR
    Measured head-related impulse responses (Gardner and Martin, MIT, 1994, as the package slab
    brings them), in the open. Between the measured directions, 5° apart, levels and phases are
    interpolated; a moving source is filtered block by block.
pyroomacoustics
    Its image-source rooms and directional microphones: XY, M/S and ORTF from cardioids, AB from
    omnidirectional ones, 50 cm or 17 cm apart. What a moving source's reflections of low order do
    is followed sample by sample; those of higher order fade from one impulse response to the next.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np

from spa2v_lab.bench.hearing_scenes import HearingScene, Split, scenes_of
from spa2v_lab.scenes.propagation import OVERSAMPLING, Emission, emission_times
from spa2v_lab.scenes.receivers import SPEED_OF_SOUND
from spa2v_lab.scenes.recordings import emitted
from spa2v_lab.scenes.rooms import Room
from spa2v_lib.audio.recording import Recording

if TYPE_CHECKING:
    import pyroomacoustics

    from spa2v_lab.scenes.scene import WorldObject

__all__ = ["RENDERERS", "ExternalScene", "external_scenes", "has_kemar"]

RENDERERS = ("KEMAR", "pyroomacoustics")
"""Renderers that are not ours."""

_RATE = 44_100
_PEAK = 0.7
_BEFORE_S = 0.5  # the sound that is still on its way when a scene begins
_GRID_S = 0.002  # geometry changes slowly: it is computed on this grid and interpolated
_BLOCK = 882  # 20 ms from one filter to the next
_TAPS = 512
_MOST_REFLECTIONS = 17
_FOLLOWED_ORDER = 2
_RESPONSES = 5  # along the path of a moving source
_PAIRS = {"xy": (45.0, 0.0), "ms": (90.0, 0.0), "ortf": (55.0, 0.17), "ab": (None, 0.5)}
_NARROW_M = 0.17
_OPEN_M = 500.0  # from the microphones to the walls of a room without reflections


@dataclass(frozen=True)
class ExternalScene(HearingScene):
    """A scene with another renderer.

    Attributes
    ----------
    renderer : str
        One of `RENDERERS`.
    spacing_m : float or None
        Of a pair of omnidirectional microphones, where it is not the usual 0.5 m.

    See Also
    --------
    external_scenes : draws them

    Examples
    --------
    >>> scene = external_scenes("pyroomacoustics", 1)[0]
    >>> scene.renderer, scene.capture
    ('pyroomacoustics', 'xy')
    """

    renderer: str
    spacing_m: float | None = None

    def rendered(self) -> Recording:
        """Render the sound; the same samples at every call."""
        sound = _kemar_sound(self) if self.renderer == "KEMAR" else _room_sound(self)
        rng = np.random.default_rng([7, self.number])
        noise = rng.standard_normal(sound.shape)
        noise *= np.sqrt(np.mean(sound**2) / np.mean(noise**2)) * 10 ** (-self.snr_db / 20)
        sound = sound + noise
        return Recording.from_samples(sound * (_PEAK / np.abs(sound).max()), _RATE, "scene")


def has_kemar() -> bool:
    """Whether the package slab, which brings the measurements, is installed.

    See Also
    --------
    external_scenes : what needs it

    Examples
    --------
    >>> has_kemar() in (True, False)
    True
    """
    return find_spec("slab") is not None


def external_scenes(
    renderer: str, count: int, seed: int = 0, split: Split = "test"
) -> list[ExternalScene]:
    """Return scenes at 20 dB for another renderer.

    Parameters
    ----------
    renderer : str
        One of `RENDERERS`.
    count : int
    seed : int
    split : {"tuning", "test"}

    Returns
    -------
    list of ExternalScene
        In the order of `hearing_scenes`: those whose capture format the renderer has. KEMAR
        stands in the open; every other AB pair is 17 cm wide.

    See Also
    --------
    spa2v_lab.bench.hearing_codecs.codec_scenes : through lossy codecs

    Examples
    --------
    >>> {scene.capture for scene in external_scenes("KEMAR", 5)}
    {'binaural'}
    """
    captures = ("binaural",) if renderer == "KEMAR" else tuple(_PAIRS)
    chosen: list[ExternalScene] = []
    number = pairs = 0
    while len(chosen) < count:
        (scene,) = scenes_of(split, range(number, number + 1), seed)
        number += 1
        if scene.snr_db != 20 or scene.capture not in captures:
            continue
        spacing = None
        if renderer == "KEMAR":
            scene = replace(scene, room="anechoic", scene=replace(scene.scene, rt60_s=0.0))
        elif scene.capture == "ab":
            pairs += 1
            spacing = _NARROW_M if pairs % 2 else None
        chosen.append(ExternalScene(**vars(scene), renderer=renderer, spacing_m=spacing))
    return chosen


def _emission(obj: WorldObject, seconds: float) -> Emission:
    rate = OVERSAMPLING * _RATE
    dry = emitted(obj.recording, rate, -_BEFORE_S, seconds, obj.onset_s)
    return Emission.from_samples(dry * 10 ** (obj.gain_db / 20), rate, -_BEFORE_S)


def _kemar_sound(scene: HearingScene) -> np.ndarray:
    """Overlap-add of blocks, each through the response of its own direction [2, samples]."""
    seconds = scene.scene.duration_s
    return sum(
        _kemar_source(obj, seconds, scene.scene.camera.height_m) for obj in scene.scene.objects
    )


def _kemar_source(obj: WorldObject, seconds: float, height_m: float) -> np.ndarray:
    times = np.arange(round(seconds * _RATE)) / _RATE
    grid = np.arange(0.0, seconds + 0.1, _GRID_S)

    def travel_s(left_s: np.ndarray) -> np.ndarray:
        return np.linalg.norm(obj.places(height_m, left_s), axis=1) / SPEED_OF_SOUND

    left = emission_times(grid, travel_s)
    x, z, _ = obj.places(height_m, left).T
    azimuth = np.degrees(np.arctan2(x, z))
    dry = _emission(obj, seconds).at(np.interp(times, grid, left))
    dry = dry / np.interp(times, grid, SPEED_OF_SOUND * travel_s(left))
    size = 2 * _BLOCK
    window = np.hanning(size + 1)[:-1]
    padded = np.pad(dry, (_BLOCK, 2 * _BLOCK))
    spectrum_size = 1 << (size + _TAPS - 1).bit_length()
    sound = np.zeros((2, len(padded) + spectrum_size))
    for start in range(0, len(dry) + _BLOCK, _BLOCK):
        block = np.fft.rfft(padded[start : start + size] * window, spectrum_size)
        direction = float(np.interp(start / _RATE, grid, azimuth))
        wet = np.fft.irfft(block * _kemar_response(direction, spectrum_size), spectrum_size)
        sound[:, start : start + spectrum_size] += wet
    return sound[:, _BLOCK : _BLOCK + len(dry)]


def _kemar_response(azimuth_deg: float, size: int) -> np.ndarray:
    """Return the frequency responses [2, bins] of both ears, our sign of azimuth."""
    grid, responses = _kemar_ring(size)
    place = (-azimuth_deg % 360.0) / 360.0 * len(grid)  # its +30° is left
    first, share = int(place) % len(grid), place % 1.0
    here, there = responses[first], responses[(first + 1) % len(grid)]
    # between neighbours the phase turns by less than half a circle wherever there is power
    ratio = there / np.where(np.abs(here) < 1e-9, 1e-9, here)
    return here * np.abs(ratio) ** share * np.exp(1j * share * np.angle(ratio))


@cache
def _kemar_ring(size: int) -> tuple[np.ndarray, np.ndarray]:
    """Return directions around the head (its own sign) and responses [directions, 2, bins]."""
    measured = _slab().HRTF.kemar()
    directions = np.asarray(measured.sources.vertical_polar)
    level = np.flatnonzero(np.abs(directions[:, 1]) < 0.5)
    ring = level[np.argsort(directions[level, 0] % 360.0)]
    taps = np.stack([np.asarray(measured.data[k].data).T for k in ring])
    return directions[ring, 0] % 360.0, np.fft.rfft(taps[:, :, :_TAPS], size)


def _slab() -> ModuleType:
    """Import slab as if there were no sound card: without PortAudio it would fail."""
    had = "sounddevice" in sys.modules
    sys.modules.setdefault("sounddevice", None)
    try:
        return import_module("slab")
    finally:
        if not had:
            del sys.modules["sounddevice"]


def _room_sound(item: ExternalScene) -> np.ndarray:
    """pyroomacoustics' own simulation of a pair in a shoebox, or in the open [2, samples]."""
    scene = item.scene
    height, seconds = scene.camera.height_m, scene.duration_s
    ends = np.array([0.0, seconds])
    places = np.concatenate([obj.places(height, ends) for obj in scene.objects])
    room = None
    if scene.rt60_s > 0:
        room = Room.around(places, height, scene.rt60_s, scene.room_margin_m)
    sound = np.zeros((2, round(seconds * _RATE)))
    for obj in scene.objects:
        emission, still = _emission(obj, seconds), not np.any(obj.path.velocity)
        along = obj.places(height, np.linspace(0.0, seconds, 1 if still else _RESPONSES))
        boxes = [_shoebox(room, place, item) for place in along]
        if not still:
            sound += _followed(boxes[0], boxes[-1], emission, seconds)
        if not still and room is not None:
            boxes = [_without_followed(box) for box in boxes]
        if still or room is not None:
            sound += _through(boxes, emission, seconds)
    return sound


def _shoebox(room: Room | None, place: np.ndarray, item: ExternalScene) -> pyroomacoustics.ShoeBox:
    """Return the room with one source and the pair; images are computed."""
    import pyroomacoustics as pra

    if room is None:
        box = pra.ShoeBox([2 * _OPEN_M] * 3, fs=_RATE, materials=pra.Material(0.99), max_order=0)
        corner = np.full(3, _OPEN_M)
    else:
        _, order = pra.inverse_sabine(room.rt60_s, room.size_m, c=SPEED_OF_SOUND)
        box = pra.ShoeBox(
            room.size_m,
            fs=_RATE,
            materials=pra.Material(room.absorption),
            max_order=min(order, _MOST_REFLECTIONS),
            air_absorption=False,
        )
        corner = np.array(room.microphone_m)
    box.add_source(corner + place)
    box.add_microphone_array(_pair(item.capture, item.spacing_m, corner))
    box.image_source_model()
    return box


def _pair(
    capture: str, spacing_m: float | None, middle: np.ndarray
) -> pyroomacoustics.MicrophoneArray:
    from pyroomacoustics import MicrophoneArray
    from pyroomacoustics.directivities import Cardioid, DirectionVector

    turn_deg, usual_m = _PAIRS[capture]
    half = np.array([(spacing_m or usual_m) / 2, 0.0, 0.0])
    places = np.stack([middle - half, middle + half], axis=1)
    directions = None
    if turn_deg is not None:
        directions = [
            Cardioid(DirectionVector(azimuth=90.0 + turn, colatitude=90.0, degrees=True))
            for turn in (turn_deg, -turn_deg)
        ]
    return MicrophoneArray(places, _RATE, directivity=directions)


def _followed(
    begin: pyroomacoustics.ShoeBox, end: pyroomacoustics.ShoeBox, emission: Emission, seconds: float
) -> np.ndarray:
    """Return direct sound and reflections of low order of a source that moves [2, samples].

    In a shoebox the images of a source on a straight line move on straight lines.
    """
    times = np.arange(round(seconds * _RATE)) / _RATE
    grid = np.arange(0.0, seconds + 0.1, _GRID_S)
    first, last = begin.sources[0], end.sources[0]
    sound = np.zeros((2, len(times)))
    for image in np.flatnonzero(first.orders <= _FOLLOWED_ORDER):
        start = first.images[:, image].astype(float)
        velocity = (last.images[:, image] - start) / seconds
        for channel in range(2):
            microphone = begin.mic_array.R[:, channel]

            def away(left_s: np.ndarray, start=start, velocity=velocity, microphone=microphone):
                return start + velocity * left_s[:, None] - microphone

            left = emission_times(
                grid, lambda t, away=away: np.linalg.norm(away(t), axis=1) / SPEED_OF_SOUND
            )
            seen = away(left)
            distance = np.linalg.norm(seen, axis=1)
            gain = first.damping[0, image] / distance
            pattern = begin.mic_array.directivity[channel]
            if pattern is not None:
                gain = gain * pattern.get_response(
                    azimuth=np.arctan2(seen[:, 1], seen[:, 0]),
                    colatitude=np.arccos(seen[:, 2] / distance),
                    degrees=False,
                )
            dry = emission.at(np.interp(times, grid, left))
            sound[channel] += np.interp(times, grid, gain) * dry
    return sound


def _without_followed(box: pyroomacoustics.ShoeBox) -> pyroomacoustics.ShoeBox:
    """Leave only the reflections that `_followed` leaves out."""
    source = box.sources[0]
    late = source.orders > _FOLLOWED_ORDER
    source.images, source.damping = source.images[:, late], source.damping[:, late]
    source.orders, source.directions = source.orders[late], source.directions[:, :, late]
    box.visibility[0] = box.visibility[0][:, late]
    return box


def _through(
    boxes: list[pyroomacoustics.ShoeBox], emission: Emission, seconds: float
) -> np.ndarray:
    """Convolve with each room's response, and fade from one to the next [2, samples]."""
    from pyroomacoustics.parameters import constants
    from scipy.signal import oaconvolve

    count, before = round(seconds * _RATE), round(_BEFORE_S * _RATE)
    times = np.arange(-before, count) / _RATE
    dry = emission.at(times)
    late = constants.get("frac_delay_length") // 2
    sound = np.zeros((2, count))
    knots = np.linspace(0.0, seconds, len(boxes))
    for k, box in enumerate(boxes):
        box.compute_rir()
        share = np.interp(times, knots, np.eye(len(boxes))[k]) if len(boxes) > 1 else 1.0
        for channel in range(2):
            wet = oaconvolve(share * dry, box.rir[channel][0])
            sound[channel] += wet[before + late : before + late + count]
    return sound
