"""Open a sound file of any kind and read it in pieces; tell what its header promises.

libsndfile (through soundfile) reads what it can; FFmpeg (through PyAV) reads the rest: AAC, the
sound tracks of videos, odd containers. Nothing here judges the samples: see
`spa2v_lib.audio.recording`.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np
import soundfile

from spa2v_lib.errors import AudioError

__all__ = ["AudioFile", "decodable_frames", "open_audio", "skipping"]

_PIECE_FRAMES = 65536
# Writers that cannot seek back leave 0 or a huge length in the header: no promise.
_UNKNOWN_LENGTH = 0x7FFF0000
_UNKNOWN_FRAMES = 2**48
# What a lossy codec may add or drop at the ends (priming and padding), in frames.
_CODEC_SLACK_FRAMES = 4096


@dataclass(frozen=True)
class AudioFile:
    """An audio file that was opened once and can be read again from any frame.

    Attributes
    ----------
    path : pathlib.Path
    rate : int
        Frames per second, Hz.
    channels : int
    promised_frames : int or None
        Length that the header states; None if it states none.
    slack_frames : int
        How far the decoded length may lie from the promise.
    pieces_from : callable
        ``pieces_from(frame)`` yields float32 arrays [channels, n] from that frame to the end.
    notes : tuple of str
    """

    path: Path
    rate: int
    channels: int
    promised_frames: int | None
    slack_frames: int
    pieces_from: Callable[[int], Iterator[np.ndarray]]
    notes: tuple[str, ...] = ()


def open_audio(path: Path) -> AudioFile:
    """Open `path` with the first library that reads it.

    Raises
    ------
    AudioError
        If it is missing, a folder, empty, shorter than its own header says, not audio, or
        without a sound track.
    """
    if not path.exists():
        raise AudioError(f"{path} does not exist; give the path of an audio or video file")
    if path.is_dir():
        raise AudioError(f"{path} is a folder; give the path of an audio or video file")
    try:
        size = path.stat().st_size
        with path.open("rb") as stream:
            magic = stream.read(12)
    except OSError as error:
        raise AudioError(f"{path} cannot be read: {error.strerror or error}") from error
    if size == 0:
        raise AudioError(f"{path} is empty (0 bytes); give a file with sound in it")
    notes: tuple[str, ...] = ()
    if magic[:4] in (b"RIFF", b"FORM"):
        _refuse_short_chunk(path, size, magic)
    elif magic[:4] == b"OggS":
        notes = _ogg_end_notes(path, size)
    return _open_soundfile(path, notes) or _open_pyav(path, notes)


def decodable_frames(file: AudioFile, limit: int | None) -> tuple[int, bool]:
    """Count what can be decoded, up to `limit`, and hold it to what the header promises.

    Returns
    -------
    frames : int
    cut : bool
        Whether there is more than `limit`.

    Raises
    ------
    AudioError
        If there is less than promised. Formats that are exact to the frame are not read here:
        whoever reads them finds out.
    """
    if file.slack_frames == 0 and file.promised_frames is not None:
        return file.promised_frames, False
    frames = 0
    for piece in file.pieces_from(0):
        frames += piece.shape[1]
        if limit is not None and frames > limit:
            return limit, True
    promised = file.promised_frames
    if promised is not None and frames < promised - file.slack_frames:
        raise AudioError(
            f"{file.path} is truncated: its header promises {promised / file.rate:.2f} s, "
            f"{frames / file.rate:.2f} s can be decoded; copy or record it again"
        )
    # What is decoded beyond the promise is the codec's padding.
    return frames if promised is None else min(frames, promised), False


def skipping(pieces: Iterator[np.ndarray], frames: int) -> Iterator[np.ndarray]:
    """Yield the pieces [channels, n] without their first `frames` frames."""
    position = 0
    for piece in pieces:
        begin = max(frames - position, 0)
        position += piece.shape[1]
        if begin < piece.shape[1]:
            yield piece[:, begin:]


def _open_soundfile(path: Path, notes: tuple[str, ...]) -> AudioFile | None:
    try:
        info = soundfile.info(str(path))
    except (soundfile.SoundFileError, TypeError):  # TypeError: headerless "raw" suffixes
        return None

    def pieces_from(frame: int) -> Iterator[np.ndarray]:
        position = frame
        try:
            with soundfile.SoundFile(str(path)) as stream:
                stream.seek(frame)
                while len(piece := stream.read(_PIECE_FRAMES, dtype="float32", always_2d=True)):
                    position += len(piece)
                    yield piece.T
        except soundfile.SoundFileError as error:
            raise _breaks_off(path, position / info.samplerate) from error

    slack = _CODEC_SLACK_FRAMES if info.format == "MP3" else 0
    promised = info.frames if info.frames < _UNKNOWN_FRAMES else None
    return AudioFile(path, info.samplerate, info.channels, promised, slack, pieces_from, notes)


def _open_pyav(path: Path, notes: tuple[str, ...]) -> AudioFile:
    import av

    try:
        with av.open(str(path)) as container:
            tracks = container.streams.audio
            if not tracks:
                raise AudioError(
                    f"{path} has no sound track; give an audio file or a video with sound"
                )
            track = tracks[0]
            rate, channels = track.rate, track.channels
            promised = _promised_frames(track, rate)
            if len(tracks) > 1:
                notes += (f"{len(tracks)} sound tracks: the first is used",)
    # PyAV's streams lack attributes where FFmpeg knows no decoder.
    except (av.error.FFmpegError, OSError, ValueError, AttributeError) as error:
        raise _not_audio(path) from error
    if not rate or not channels:
        raise _not_audio(path)

    # From the beginning: seeking in compressed sound is not exact to the frame.
    def pieces_from(frame: int) -> Iterator[np.ndarray]:
        return skipping(_decoded(path, channels, rate), frame)

    return AudioFile(path, rate, channels, promised, _CODEC_SLACK_FRAMES, pieces_from, notes)


def _decoded(path: Path, channels: int, rate: int) -> Iterator[np.ndarray]:
    import av

    position = 0
    try:
        with av.open(str(path)) as container:
            track = container.streams.audio[0]
            planar = av.AudioResampler(format="fltp", layout=track.layout, rate=rate)
            for frame in chain(container.decode(track), [None]):  # None flushes
                for out in planar.resample(frame):
                    position += out.samples
                    yield out.to_ndarray().reshape(channels, -1)
    except (av.error.FFmpegError, ValueError, AttributeError) as error:
        raise _breaks_off(path, position / rate) from error


def _promised_frames(track: object, rate: int) -> int | None:
    """Length of the track by its header; estimates from the bit rate (raw AAC) do not count."""
    if track.container.format.name == "aac":
        return None
    if track.duration:
        return round(track.duration * track.time_base * rate)
    clock = track.metadata.get("DURATION")  # Matroska: hours:minutes:seconds
    if clock is None:
        return None
    hours, minutes, seconds = (float(part) for part in clock.split(":"))
    return round((hours * 3600 + minutes * 60 + seconds) * rate)


def _refuse_short_chunk(path: Path, size: int, magic: bytes) -> None:
    """libsndfile reads a WAV or AIFF file cut short without a word, so walk its chunks."""
    order = "<" if magic[:4] == b"RIFF" else ">"
    with path.open("rb") as stream:
        position = 12
        while position + 8 <= size:
            stream.seek(position)
            name, length = struct.unpack(f"{order}4sI", stream.read(8))
            if name in (b"data", b"SSND"):
                found = size - position - 8
                if found < length < _UNKNOWN_LENGTH:
                    raise AudioError(
                        f"{path} is truncated: its header promises {length} bytes of sound, "
                        f"{found} are there; copy or record it again"
                    )
                return
            position += 8 + length + length % 2


def _ogg_end_notes(path: Path, size: int) -> tuple[str, ...]:
    """An Ogg file states no length: look whether its last page is whole and marked as the last."""
    with path.open("rb") as stream:
        stream.seek(max(size - 70_000, 0))  # a page has at most 65,307 bytes
        tail = stream.read()
    page = tail[tail.rfind(b"OggS") :]
    if not page.startswith(b"OggS"):
        return ()
    segments = page[27 : 27 + page[26]] if len(page) > 26 else b""
    if len(page) <= 26 or len(page) < 27 + page[26] + sum(segments):
        raise AudioError(
            f"{path} is truncated: its last Ogg page is not whole; copy or record it again"
        )
    return () if page[5] & 4 else ("the Ogg stream has no end mark: it may have been cut short",)


def _breaks_off(path: Path, seconds: float) -> AudioError:
    return AudioError(
        f"{path} is truncated or damaged: decoding breaks off after {seconds:.2f} s; copy or "
        "record it again"
    )


def _not_audio(path: Path) -> AudioError:
    return AudioError(
        f"{path} is not audio, or so damaged that neither libsndfile nor FFmpeg reads it; give a "
        "wav, flac, ogg, mp3 or m4a file, or a video with sound"
    )
