"""Test sounds rendered by code that is not ours, and our own through lossy codecs.

KEMAR
    The test recordings through measured head-related impulse responses (Gardner and Martin, MIT,
    1994, as the package slab brings them), standing and crossing. Between the measured directions,
    5° apart, levels and phases are interpolated; a moving source is filtered block by block.
pyroomacoustics
    The test recordings in its image-source rooms, recorded by its directional microphones: XY and
    ORTF from cardioids, AB from omnidirectional ones. Its sources stand still.
AAC, MP3, Opus
    Simulated test scenes, encoded by FFmpeg's encoders and decoded as the library reads files.
"""

from __future__ import annotations

import sys
import tempfile
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from itertools import cycle
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np

from spa2v_lab.bench.hearing_scenes import ROOMS, HearingScene, recordings_of, test_scenes
from spa2v_lab.bench.hearing_scores import GroundTruth, emission_sounding
from spa2v_lab.scenes.receivers import SPEED_OF_SOUND
from spa2v_lab.scenes.recordings import emitted
from spa2v_lib.audio.recording import Recording, read_audio

if TYPE_CHECKING:
    from pyroomacoustics import MicrophoneArray

__all__ = [
    "CODECS",
    "CodecScene",
    "ExternalScene",
    "codec_scenes",
    "has_kemar",
    "kemar_scenes",
    "room_scenes",
    "through_codec",
]

CODECS = {
    "AAC 128": ("aac", "m4a", 128_000, 44_100),
    "MP3 128": ("libmp3lame", "mp3", 128_000, 44_100),
    "MP3 64": ("libmp3lame", "mp3", 64_000, 44_100),
    "Opus 64": ("libopus", "ogg", 64_000, 48_000),
}
"""FFmpeg's encoder, ending of the file, bit/s and sampling rate, by name and kbit/s."""

_RATE = 44_100
_SECONDS = 3.0
_SNR_DB = 20
_PEAK = 0.7
_BLOCK = 882  # 20 ms from one filter to the next
_TAPS = 512
_RT60_S = dict(zip(ROOMS, (0.0, 0.3, 0.6), strict=True))
_MOST_REFLECTIONS = 17
_PAIRS = {"xy": (45.0, 0.0), "ortf": (55.0, 0.17), "ab": (None, 0.5)}


@dataclass(frozen=True)
class ExternalScene:
    """One source; attributes as in `hearing_scenes.HearingScene`.

    Attributes
    ----------
    renderer : str
        "KEMAR" or "pyroomacoustics".
    azimuths_deg : tuple of float
        At the beginning and at the end; a straight path between them, closest ahead.
    recording : str
    distance_m : float
        Closest.

    See Also
    --------
    spa2v_lab.bench.hearing_scenes.HearingScene : rendered by this project

    Examples
    --------
    >>> scene = room_scenes(1)[0]
    >>> scene.renderer, scene.capture
    ('pyroomacoustics', 'xy')
    """

    renderer: str
    number: int
    capture: str
    room: str
    motions: tuple[str, ...]
    azimuths_deg: tuple[float, float]
    recording: str
    distance_m: float
    snr_db: int = _SNR_DB

    def rendered(self) -> Recording:
        """Render the sound; the same samples at every call."""
        make = _kemar_sound if self.renderer == "KEMAR" else _room_sound
        sound = make(self)
        rng = np.random.default_rng([7, self.number])
        noise = rng.standard_normal(sound.shape)
        noise *= np.sqrt(np.mean(sound**2) / np.mean(noise**2)) * 10 ** (-self.snr_db / 20)
        sound = sound + noise
        return Recording.from_samples(sound * (_PEAK / np.abs(sound).max()), _RATE, "scene")

    def ground_truths(self, times_s: np.ndarray) -> list[GroundTruth]:
        """Return the ground truth at those times [frames], the path's own delay left out."""
        times = np.asarray(times_s, float)
        start, end = np.tan(np.radians(self.azimuths_deg))
        still = self.motions == ("stationary",)
        if still:
            azimuth = np.full(len(times), self.azimuths_deg[0])
        else:
            azimuth = np.degrees(np.arctan(self._along(times)))
        rate = float(abs(end - start)) / _SECONDS
        return [
            GroundTruth(
                label="",
                recording=self.recording,
                motion=self.motions[0],
                azimuth_deg=azimuth,
                range_m=self._range_m(azimuth),
                sounding=emission_sounding(self.recording, times),
                closest_s=None if still else float(-start / (end - start) * _SECONDS),
                speed_m_s=rate * self.distance_m,
                distance_m=self.distance_m,
            )
        ]

    def _along(self, times_s: np.ndarray) -> np.ndarray:
        """Return how far along its path the source is, in closest distances."""
        start, end = np.tan(np.radians(self.azimuths_deg))
        return start + (end - start) * times_s / _SECONDS

    def _range_m(self, azimuth_deg: np.ndarray) -> np.ndarray:
        if self.motions == ("stationary",):
            return np.full(len(azimuth_deg), self.distance_m)
        return self.distance_m / np.cos(np.radians(azimuth_deg))


def has_kemar() -> bool:
    """Whether the package slab, which brings the measurements, is installed.

    See Also
    --------
    kemar_scenes : what needs it

    Examples
    --------
    >>> has_kemar() in (True, False)
    True
    """
    return find_spec("slab") is not None


def kemar_scenes(count: int, seed: int = 0) -> list[ExternalScene]:
    """Return scenes whose sources stand, go right and go left in turn.

    See Also
    --------
    room_scenes : through pyroomacoustics

    Examples
    --------
    >>> [scene.motions[0] for scene in kemar_scenes(3)]
    ['stationary', 'right_crossing', 'left_crossing']
    """
    files = recordings_of("test")
    scenes = []
    for number in range(count):
        rng = np.random.default_rng([seed, 3, number])
        motion = ("stationary", "right_crossing", "left_crossing")[number % 3]
        side = float(rng.uniform(-75.0, 75.0))
        ends = (side, side)
        if motion != "stationary":
            sign = 1.0 if motion == "right_crossing" else -1.0
            ends = (-sign * float(rng.uniform(25, 65)), sign * float(rng.uniform(25, 65)))
        file = str(rng.choice([info.file for info in files]))
        scenes.append(
            ExternalScene("KEMAR", number, "binaural", ROOMS[0], (motion,), ends, file, 1.4)
        )
    return scenes


def room_scenes(count: int, seed: int = 0) -> list[ExternalScene]:
    """Return scenes over pairs of microphones and rooms in turn.

    See Also
    --------
    kemar_scenes : through a measured head

    Examples
    --------
    >>> [scene.capture for scene in room_scenes(3)]
    ['xy', 'ortf', 'ab']
    """
    files = recordings_of("test")
    scenes = []
    for number in range(count):
        rng = np.random.default_rng([seed, 4, number])
        side = float(rng.uniform(-70.0, 70.0))
        scenes.append(
            ExternalScene(
                "pyroomacoustics",
                number,
                tuple(_PAIRS)[number % 3],
                ROOMS[number // 3 % 3],
                ("stationary",),
                (side, side),
                str(rng.choice([info.file for info in files])),
                float(rng.uniform(0.8, 2.0)),
            )
        )
    return scenes


@dataclass(frozen=True)
class CodecScene:
    """A simulated scene whose sound went through a codec.

    Attributes
    ----------
    renderer : str
        A key of `CODECS`.
    scene : HearingScene

    See Also
    --------
    codec_scenes : draws them
    ExternalScene : rendered by other code

    Examples
    --------
    >>> codec_scenes(1)[0].renderer
    'AAC 128'
    """

    renderer: str
    scene: HearingScene

    @property
    def capture(self) -> str:
        """The capture format."""
        return self.scene.capture

    @property
    def room(self) -> str:
        """One of `ROOMS`."""
        return self.scene.room

    @property
    def snr_db(self) -> int:
        """Signal over diffuse noise."""
        return self.scene.snr_db

    @property
    def motions(self) -> tuple[str, ...]:
        """One a source."""
        return self.scene.motions

    def rendered(self) -> Recording:
        """Render, encode and decode the sound."""
        return through_codec(self.scene.rendered(), self.renderer)

    def ground_truths(self, times_s: np.ndarray) -> list[GroundTruth]:
        """Return the ground truth of every source at those times [frames]."""
        return self.scene.ground_truths(times_s)


def codec_scenes(count: int, seed: int = 0) -> list[CodecScene]:
    """Return two-channel test scenes of one source at 20 dB, codecs in turn.

    Parameters
    ----------
    count : int
    seed : int
        Of the test scenes.

    See Also
    --------
    through_codec : what happens to their sound

    Examples
    --------
    >>> [scene.renderer for scene in codec_scenes(5)][-2:]
    ['Opus 64', 'AAC 128']
    """
    chosen = (
        scene
        for scene in test_scenes(12 * count + 48, seed)
        if len(scene.motions) == 1 and scene.snr_db == _SNR_DB and scene.capture != "foa"
    )
    pairs = zip(range(count), cycle(CODECS), chosen, strict=False)
    return [CodecScene(codec, scene) for _, codec, scene in pairs]


def through_codec(recording: Recording, codec: str) -> Recording:
    """Encode two channels and decode them as the library reads files.

    Parameters
    ----------
    recording : Recording
        Two channels.
    codec : str
        A key of `CODECS`.

    Returns
    -------
    Recording
        At the codec's sampling rate; the coder's own delay, up to 25 ms, stays where the container
        does not say it.

    See Also
    --------
    codec_scenes : scenes that went through it

    Examples
    --------
    >>> noise = 0.1 * np.random.default_rng(0).standard_normal((2, 8000))
    >>> through_codec(Recording.from_samples(noise, 16_000), "Opus 64").rate
    48000
    """
    import av

    encoder, ending, bit_rate, rate = CODECS[codec]
    samples = np.ascontiguousarray(recording.resampled(rate).samples, np.float32)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"coded.{ending}"
        with av.open(str(path), "w") as container:
            stream = container.add_stream(encoder, rate=rate, layout="stereo")
            stream.bit_rate = bit_rate
            frame = av.AudioFrame.from_ndarray(samples, format="fltp", layout="stereo")
            frame.sample_rate = rate
            for part in (frame, None):
                container.mux(stream.encode(part))
        decoded = read_audio(path)
        return Recording.from_samples(decoded.samples, decoded.rate, name=codec)


def _dry(scene: ExternalScene) -> np.ndarray:
    return emitted(scene.recording, _RATE, 0.0, _SECONDS, 0.0)


def _kemar_sound(scene: ExternalScene) -> np.ndarray:
    """Overlap-add of blocks, each through the response of its own direction [2, frames]."""
    dry = _dry(scene)
    size = 2 * _BLOCK
    window = np.hanning(size + 1)[:-1]
    padded = np.pad(dry, (_BLOCK, 2 * _BLOCK))
    starts = range(0, len(dry) + _BLOCK, _BLOCK)
    spectrum_size = 1 << (size + _TAPS - 1).bit_length()
    sound = np.zeros((2, len(padded) + spectrum_size))
    times = np.array([s / _RATE for s in starts])  # middles of the blocks in the dry sound
    azimuth = scene.ground_truths(times)[0].azimuth_deg
    gain = scene.distance_m / scene._range_m(azimuth)
    for start, direction, level in zip(starts, azimuth, gain, strict=True):
        block = np.fft.rfft(padded[start : start + size] * window, spectrum_size)
        response = _kemar_response(direction, spectrum_size)
        wet = np.fft.irfft(block * response, spectrum_size)
        sound[:, start : start + spectrum_size] += level * wet
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


def _room_sound(scene: ExternalScene) -> np.ndarray:
    """pyroomacoustics' own simulation of a pair in a shoebox [2, frames]."""
    import pyroomacoustics as pra

    rng = np.random.default_rng([5, scene.number])
    size = np.array([rng.uniform(4.5, 7.0), rng.uniform(4.5, 7.0), rng.uniform(2.5, 3.2)])
    rt60_s = _RT60_S[scene.room]
    if rt60_s > 0:
        absorption, order = pra.inverse_sabine(rt60_s, size, c=SPEED_OF_SOUND)
        room = pra.ShoeBox(
            size,
            fs=_RATE,
            materials=pra.Material(absorption),
            max_order=min(order, _MOST_REFLECTIONS),
        )
    else:
        room = pra.ShoeBox(size, fs=_RATE, materials=pra.Material(0.99), max_order=0)
    middle = np.array([size[0] / 2 + rng.uniform(-0.3, 0.3), 1.6, 1.5])
    angle = np.radians(scene.azimuths_deg[0])
    away = scene.distance_m * np.array([np.sin(angle), np.cos(angle), 0.0])
    room.add_source(middle + away, signal=_dry(scene))
    room.add_microphone_array(_pair(scene.capture, middle))
    room.simulate()
    return room.mic_array.signals[:, : round(_SECONDS * _RATE)]


def _pair(capture: str, middle: np.ndarray) -> MicrophoneArray:
    from pyroomacoustics import MicrophoneArray
    from pyroomacoustics.directivities import Cardioid, DirectionVector

    turn_deg, spacing_m = _PAIRS[capture]
    half = np.array([spacing_m / 2, 0.0, 0.0])
    places = np.stack([middle - half, middle + half], axis=1)
    directions = None
    if turn_deg is not None:
        directions = [
            Cardioid(DirectionVector(azimuth=90.0 + turn, colatitude=90.0, degrees=True))
            for turn in (turn_deg, -turn_deg)
        ]
    return MicrophoneArray(places, _RATE, directivity=directions)
