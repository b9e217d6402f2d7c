"""Make sound files of any container, codec and oddity for the tests of reading them."""

from __future__ import annotations

import struct
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import soundfile

RATE = 44_100


def noise(seconds: float = 1.0, rate: int = RATE, channels: int = 2, seed: int = 0) -> np.ndarray:
    """Independent noise without the highest octave, [channels, time]; every channel as loud."""
    rng = np.random.default_rng(seed)
    frames = round(seconds * rate)
    spectrum = np.fft.rfft(rng.standard_normal((channels, frames)))
    spectrum[:, spectrum.shape[1] // 4 :] = 0
    samples = np.fft.irfft(spectrum, frames)
    return (0.3 * samples / np.abs(samples).max()).astype(np.float32)


def encode(
    path: Path,
    samples: np.ndarray,
    codec: str,
    *,
    rate: int = RATE,
    layout: str = "stereo",
    container: str | None = None,
    begin_s: float = 0.0,
    pause: tuple[float, float] | None = None,
    pictures_s: float = 0.0,
    tracks: int = 1,
    bit_rate: int | None = None,
    container_options: dict[str, str] | None = None,
    codec_options: dict[str, str] | None = None,
) -> Path:
    """Encode with FFmpeg; `pause` is (at, for) in seconds, in the timestamps alone.

    With several tracks, track k holds the samples times 1 / (k + 1).
    """
    with av.open(str(path), "w", format=container, options=container_options or {}) as file:
        video = _add_video(file) if pictures_s else None
        sounds = []
        for _ in range(tracks):
            sound = file.add_stream(codec, rate=rate, options=codec_options or {})
            sound.layout = layout
            if bit_rate:
                sound.bit_rate = bit_rate
            sounds.append(sound)
        if video is not None:
            _write_pictures(file, video, pictures_s)
        for number, sound in enumerate(sounds):
            _write_sound(file, sound, samples / (number + 1), rate, layout, begin_s, pause)
    return path


def _add_video(file):
    video = file.add_stream("mpeg4", rate=8)
    video.width = video.height = 32
    video.pix_fmt = "yuv420p"
    return video


def _write_pictures(file, video, seconds):
    for number in range(round(8 * seconds)):
        pixels = np.full((32, 32, 3), number % 250, np.uint8)
        for packet in video.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")):
            file.mux(packet)
    for packet in video.encode(None):
        file.mux(packet)


def _write_sound(file, sound, samples, rate, layout, begin_s, pause):
    step = sound.codec_context.frame_size or 1024
    for begin in range(0, samples.shape[1], step):
        block = np.ascontiguousarray(samples[:, begin : begin + step], np.float32)
        packed = np.ascontiguousarray(block.T).reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(packed, format="flt", layout=layout)
        late = pause[1] if pause and begin >= pause[0] * rate else 0.0
        frame.sample_rate, frame.time_base = rate, Fraction(1, rate)
        frame.pts = begin + round((begin_s + late) * rate)
        for packet in sound.encode(frame):
            file.mux(packet)
    for packet in sound.encode(None):
        file.mux(packet)


def pcm_wav(
    path: Path,
    samples: np.ndarray,
    *,
    rate: int = RATE,
    data_bytes: int | None = None,
    mask: int | None = None,
    guid_tail: bytes = bytes.fromhex("000000001000800000aa00389b71"),
    after: bytes = b"",
) -> Path:
    """Write a 16-bit WAV file with any length in its header, and any channel mask or subtype."""
    channels = len(samples)
    data = np.round(samples.T * 32767).astype("<i2").tobytes()
    tag = 1 if mask is None else 0xFFFE
    form = struct.pack("<HHIIHH", tag, channels, rate, 2 * channels * rate, 2 * channels, 16)
    if mask is not None:
        form += struct.pack("<HHIH", 22, 16, mask, 1) + guid_tail
    size = len(data) if data_bytes is None else data_bytes
    body = b"WAVEfmt " + struct.pack("<I", len(form)) + form + b"data" + struct.pack("<I", size)
    body += data + after
    path.write_bytes(b"RIFF" + struct.pack("<I", len(body) & 0xFFFFFFFF) + body)
    return path


def cut(path: Path, share: float) -> Path:
    """Keep the first `share` of a file."""
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    return path


def joined(path: Path, *parts: Path) -> Path:
    """Join files as ``cat`` does."""
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    return path


def plain(path: Path, samples: np.ndarray, rate: int = RATE, **form: str) -> Path:
    """Write with libsndfile."""
    soundfile.write(path, samples.T, rate, **form)
    return path


def likeness(first: np.ndarray, second: np.ndarray) -> float:
    """Correlation of two signals over the length that both have."""
    frames = min(len(first), len(second))
    return float(np.corrcoef(first[:frames], second[:frames])[0, 1])
