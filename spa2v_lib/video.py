"""Videos: frames at a steady rate, saved as MP4 with their sound, read back, shown in notebooks."""

from __future__ import annotations

import base64
import hashlib
import html
import io
import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from spa2v_lib.audio.opening import check_media, open_container
from spa2v_lib.errors import VideoError
from spa2v_lib.files import displayed, replacing

if TYPE_CHECKING:
    from spa2v_lib.audio.recording import Recording
    from spa2v_lib.layout.scene_layout import VideoSceneLayout

__all__ = ["Video", "enlargement", "read_video"]

_MIN_SHORT_SIDE = 256
_AUDIO_BIT_RATE = 192_000
# BT.601 limited range, and said so in the stream: otherwise players guess by picture size.
_X264_OPTIONS = {
    "crf": "16",
    "preset": "medium",
    "x264-params": "colorprim=smpte170m:transfer=smpte170m:colormatrix=smpte170m:range=tv",
}


@dataclass(frozen=True, eq=False)
class Video:
    """Frames in order, shown at a steady rate.

    Parameters
    ----------
    frames : numpy.ndarray uint8 [time, height, width, 3]
        RGB, at least one frame.
    fps : float
        Frames per second, above 0.
    layout : VideoSceneLayout, optional
        The layout that it was made from.

    Raises
    ------
    VideoError
        If the frames have another type or shape, there are none, or `fps` is not above 0.

    See Also
    --------
    read_video : reads a video file.
    spa2v_lib.sampling.generate : generates a video from a layout.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> video = Video(np.zeros((16, 64, 64, 3), np.uint8), fps=8.0)
    >>> video.duration_s
    2.0
    >>> path = video.save(pathlib.Path(tempfile.mkdtemp()) / "black.mp4")
    >>> read_video(path).frames.shape
    (16, 256, 256, 3)
    """

    frames: np.ndarray = field(repr=False)
    fps: float
    layout: VideoSceneLayout | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        frames = self.frames
        if frames.ndim != 4 or frames.shape[3] != 3 or frames.dtype != np.uint8 or not frames.size:
            raise VideoError(
                f"frames are {frames.dtype} {frames.shape}; uint8 [time, height, width, 3] with at "
                "least one frame is needed"
            )
        if not 0 < self.fps < float("inf"):
            raise VideoError(f"the frame rate is {self.fps}; it must be above 0 and finite")

    @property
    def duration_s(self) -> float:
        """Length in seconds; every frame is shown for 1 / fps."""
        return len(self.frames) / self.fps

    def sha256(self) -> str:
        """Return a hash of the frames' shape and bytes, as 64 hexadecimal digits."""
        digest = hashlib.sha256(repr(self.frames.shape).encode())
        digest.update(np.ascontiguousarray(self.frames).data)
        return digest.hexdigest()

    def save(self, path: str | os.PathLike[str], audio: Recording | None = None) -> Path:
        """Write an MP4 that plays everywhere: H.264 yuv420p, AAC, index in front.

        Small frames are enlarged by a whole factor (Lanczos), so that the short side has at
        least 256 pixels and both sides are even.

        Parameters
        ----------
        path : str or os.PathLike
            Must end in ``.mp4``; missing folders are made.
        audio : Recording, optional
            Cut, or padded with silence, to the length of the frames.

        Returns
        -------
        pathlib.Path
            `path`.

        Raises
        ------
        OutputError
            If the place cannot be written to. Nothing is left behind then.
        VideoError
            If the name does not end in .mp4.
        """
        target = Path(path)
        if target.suffix.lower() != ".mp4":
            raise VideoError(f"cannot write {target}: the name must end in .mp4")
        with replacing(target) as temporary:
            _write_mp4(self, temporary, audio)
        return target

    def poster(self) -> str:
        """Return the frame that shows most, as an address that holds it.

        It is the layout's fullest frame, or the middle one of a video without a layout.
        """
        from PIL import Image

        count, height, width, _ = self.frames.shape
        index = count // 2 if self.layout is None else min(self.layout.fullest_frame(), count - 1)
        size = np.array([width, height]) * enlargement(height, width)  # as `save` does
        picture = Image.fromarray(self.frames[index]).resize(size, Image.Resampling.LANCZOS)
        stream = io.BytesIO()
        picture.save(stream, "WEBP", quality=85)
        return f"data:image/webp;base64,{base64.b64encode(stream.getvalue()).decode()}"

    def html(self, audio: Recording | None = None) -> str:
        """Return a ``<video>`` element that holds the whole video, and its poster.

        Parameters
        ----------
        audio : Recording, optional
            Its sound, as for `save`.
        """
        with tempfile.TemporaryDirectory() as folder:
            data = self.save(Path(folder) / "video.mp4", audio).read_bytes()
        encoded = base64.b64encode(data).decode()
        return (
            '<video controls loop playsinline style="max-width:100%" '
            f'poster="{self.poster()}" src="data:video/mp4;base64,{encoded}"></video>'
        )

    def _repr_html_(self) -> str:
        count, height, width, _ = self.frames.shape
        text = f"{count} frames of {width}×{height}, {self.fps:g} fps, {self.duration_s:.2f} s"
        caption = html.escape(self.layout.caption) if self.layout is not None else ""
        return f"{self.html()}<div>{text}</div><div>{caption}</div>"


def read_video(path: str | os.PathLike[str]) -> Video:
    """Read all frames of a video file.

    Parameters
    ----------
    path : str or os.PathLike
        An ordinary local file of any kind that FFmpeg reads; never an address or a playlist.

    Returns
    -------
    Video

    Raises
    ------
    VideoError
        If the file is missing, not a video, or has no frames.

    See Also
    --------
    spa2v_lib.audio.read_audio : reads the sound track.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "grey.mp4"
    >>> _ = Video(np.full((4, 256, 256, 3), 128, np.uint8), fps=4.0).save(path)
    >>> read_video(path).fps
    4.0
    """
    import av

    file, _ = check_media(path, VideoError)
    name = displayed(path)
    try:
        with open_container(file) as container:
            if not container.streams.video:
                raise VideoError(f"{name} has no pictures; give a video file")
            stream = container.streams.video[0]
            fps = float(stream.average_rate or stream.guessed_rate or 0)
            frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(stream)]
    except (av.error.FFmpegError, OSError) as error:
        raise VideoError(f"{name} cannot be read as a video: {error.strerror}") from error
    if not frames:
        raise VideoError(f"{name} holds no frames; give a video file")
    return Video(np.stack(frames), fps)


def enlargement(height: int, width: int) -> int:
    """Return the smallest whole factor that makes a frame large enough and even on both sides.

    Parameters
    ----------
    height, width : int
        Of the frame, in pixels.

    Examples
    --------
    >>> enlargement(64, 64), enlargement(100, 100), enlargement(512, 512)
    (4, 3, 1)
    """
    factor = max(-(-_MIN_SHORT_SIDE // min(height, width)), 1)
    odd = (height * factor) % 2 or (width * factor) % 2
    return factor + 1 if odd else factor


def _write_mp4(video: Video, path: Path, audio: Recording | None) -> None:
    import av

    rate = Fraction(video.fps).limit_denominator(1001)
    flags = {"movflags": "+faststart", "fflags": "+bitexact"}
    with av.open(str(path), "w", format="mp4", options=flags) as container:
        pictures = _add_picture_stream(container, video, rate)
        sound = None if audio is None else _add_sound_stream(container, audio)
        for packet in _picture_packets(pictures, video):
            container.mux(packet)
        if sound is not None and audio is not None:
            for packet in _sound_packets(sound, audio, video.duration_s):
                container.mux(packet)


def _add_picture_stream(container: Any, video: Video, rate: Fraction) -> Any:
    _, height, width, _ = video.frames.shape
    factor = enlargement(height, width)
    stream = container.add_stream("libx264", rate=rate, options=_X264_OPTIONS)
    stream.width, stream.height = width * factor, height * factor
    stream.pix_fmt = "yuv420p"
    stream.codec_context.thread_count = 1  # the same bytes on every machine
    return stream


def _add_sound_stream(container: Any, audio: Recording) -> Any:
    rate = audio.rate if audio.rate in (44_100, 48_000) else 48_000
    stream = container.add_stream("aac", rate=rate)
    stream.layout = "stereo"
    stream.bit_rate = _AUDIO_BIT_RATE
    return stream


def _picture_packets(stream: Any, video: Video) -> Iterator[Any]:
    import av

    for number, pixels in enumerate(video.frames):
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24")
        frame = frame.reformat(
            stream.width,
            stream.height,
            format="yuv420p",
            interpolation="LANCZOS",
            dst_colorspace="ITU601",
            dst_color_range="MPEG",
        )
        frame.pts = number
        frame.time_base = 1 / stream.codec_context.framerate
        yield from stream.encode(frame)
    yield from stream.encode(None)


def _sound_packets(stream: Any, audio: Recording, seconds: float) -> Iterator[Any]:
    import av

    position = 0
    sound = audio.stereo().resampled(stream.rate)
    for block in _fitted_blocks(sound, round(seconds * stream.rate)):
        frame = av.AudioFrame.from_ndarray(block, format="fltp", layout="stereo")
        frame.sample_rate, frame.pts = stream.rate, position
        frame.time_base = Fraction(1, stream.rate)
        position += block.shape[1]
        yield from stream.encode(frame)
    yield from stream.encode(None)


def _fitted_blocks(audio: Recording, frames: int) -> Iterator[np.ndarray]:
    """Blocks of the sound, cut or padded with silence to `frames` in all, within full scale."""
    left = frames
    for block in audio.blocks(1.0):
        if left <= 0:
            return
        yield np.ascontiguousarray(np.clip(block[:, :left], -1.0, 1.0))
        left -= block.shape[1]
    if left > 0:
        yield np.zeros((2, left), np.float32)
