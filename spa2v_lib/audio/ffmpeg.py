"""Decode with FFmpeg what libsndfile does not read: AAC, sound tracks of videos, joined streams.

Streams may change on the way, and pause: all is brought to one rate and channel layout, and what
the timestamps leave out becomes silence.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from spa2v_lib.audio.arrays import full_scale_float
from spa2v_lib.audio.headers import CHANNEL_NAMES, Header, mp3_index_frames, ogg_chain
from spa2v_lib.audio.opening import av_errors, open_container
from spa2v_lib.audio.pieces import PIECE_FRAMES, BrokenOffError, Decoder, Format, Piece
from spa2v_lib.errors import AudioError
from spa2v_lib.files import displayed

__all__ = ["ffmpeg_decoder", "in_order"]

_MP3_FRAME = 1152  # samples; 576 below 32 kHz
# Containers whose timestamps are those of the recording; elsewhere FFmpeg counts samples itself.
_TIMED = {"matroska", "mov", "mpegts", "mpeg", "flv", "asf", "avi", "nut", "mxf", "wtv", "gxf"}
_LEAST_GAP_S = 0.05  # Matroska and FLV round times to milliseconds, ASF and AVI more coarsely
_LONGEST_GAP_S = 3600.0
_PLANES = 8  # PyAV miscounts the planes of frames that have as many or more


class _Decoded(NamedTuple):
    """One frame that FFmpeg decoded, float32 [channels, n], and the gap before it in seconds."""

    samples: np.ndarray
    format: Format
    gap_s: float = 0.0
    note: str = ""


def ffmpeg_decoder(
    path: Path, header: Header, track: int | None, channels: tuple[str, ...] | None = None
) -> Decoder:
    """Return how FFmpeg decodes a file, to the channels given or to those of its first frame.

    Parameters
    ----------
    path : pathlib.Path
        From `spa2v_lib.audio.opening.check_media`.
    header : Header
        Of the file.
    track : int or None
        Number of the sound track, from 1; None for the first.
    channels : tuple of str, optional
        Their names; what has others is brought to these.

    Raises
    ------
    AudioError
        If it is no audio, has no such track, or holds no samples.

    See Also
    --------
    spa2v_lib.audio.libsndfile.soundfile_decoder : The other library, which is exact to the sample.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> import numpy as np, soundfile
    >>> from spa2v_lib.audio.headers import read_header
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "a.wav"
    >>> soundfile.write(path, np.full((4000, 2), 0.5), 8000, subtype="PCM_16")
    >>> decoder = ffmpeg_decoder(path, read_header(path, path.stat().st_size), None)
    >>> decoder.format.rate, decoder.stated_s, sum(p.samples.shape[1] for p in decoder.pieces(0))
    (8000, None, 4000)
    """
    parts, notes = [(0, path.stat().st_size)], header.notes
    if header.container == "ogg":
        chain = ogg_chain(path)
        begins = chain.begins or [0]
        parts = list(zip(begins, [*begins[1:], path.stat().st_size], strict=True))
        notes += chain.notes
    options = {"ignore_length": "1"} if header.length_wrapped else {}
    index = 0 if track is None else track - 1
    try:
        with open_container(path, *parts[0], **options) as container:
            count = len(container.streams.audio)
            _check_track(path, count, track)
            sound = container.streams.audio[index]
            floating = sound.codec_context.name.startswith("pcm_f")
            stated_s = _stated_seconds(container, sound)
            if container.format.name == "mp3" and (indexed := mp3_index_frames(path)):
                stated_s = (
                    indexed * (_MP3_FRAME if sound.rate >= 32_000 else _MP3_FRAME // 2) / sound.rate
                )
        first = next(_decoded(path, parts[:1], index, options), None)
    except (*av_errors(), BrokenOffError) as error:
        raise _not_audio(path) from error
    if first is None:
        raise AudioError(f"{displayed(path)} holds no samples; give a file with sound in it")
    if count > 1:
        chosen = "the first" if track is None else f"number {track}"
        notes += (f"{count} sound tracks: {chosen} is used (--track chooses)",)
    names = first.format.channels
    if "" in names and len(header.channel_layout) == len(names):
        names = header.channel_layout
    if names[:2] == ("FL", "FR") and header.may_be_b_format(len(names)):
        names = ("",) * len(names)
    target = Format(first.format.rate, channels or in_order(names))

    # From the beginning: seeking in compressed sound is not exact to the frame.
    def pieces(frame: int) -> Iterator[Piece]:
        position = 0
        for samples, note, source in _joined(
            _to_format(_decoded(path, parts, index, options), target)
        ):
            begin = max(frame - position, 0)
            position += samples.shape[1]
            if begin < samples.shape[1] or note:
                yield Piece(samples[:, begin:], note, source)

    stated_s = stated_s if len(parts) == 1 else None
    return Decoder(path, target, pieces, stated_s, notes, floating)


def _decoded(
    path: Path, parts: list[tuple[int, int]], index: int, options: dict[str, str]
) -> Iterator[_Decoded]:
    """Decode all parts of a file, with the gaps that the timestamps show."""
    import av

    good = damaged = 0
    last = None
    for begin, end in parts:
        try:
            with open_container(path, begin, end, **options) as container:
                tracks = container.streams.audio
                track = tracks[min(index, len(tracks) - 1)]
                timed = not _TIMED.isdisjoint(container.format.name.split(","))
                due_s = (container.start_time or 0) / 1e6
                for packet in container.demux(track):
                    try:
                        frames = packet.decode()
                    except av.error.InvalidDataError:
                        damaged += 1
                        continue
                    for frame in frames:
                        stamped = timed and frame.pts is not None
                        at_s = float(frame.pts * frame.time_base) if stamped else due_s
                        last = _Decoded(*_samples_of(frame), at_s - due_s)
                        due_s = at_s + frame.samples / frame.sample_rate
                        good += 1
                        yield last
        except (*av_errors(), IndexError) as error:
            raise BrokenOffError(str(error)) from error
    if damaged > good:
        raise BrokenOffError(f"{damaged} of {good + damaged} packets are damaged")
    if damaged and last is not None:
        plural = "" if damaged == 1 else "s"
        note = f"{damaged} damaged packet{plural} of the file could not be decoded"
        yield _Decoded(last.samples[:, :0], last.format, 0.0, note)


def _samples_of(frame: Any) -> tuple[np.ndarray, Format]:
    import av

    names = tuple(channel.name for channel in frame.layout.channels)
    names = tuple("" if "NONE" in names else name for name in names)
    rate = frame.sample_rate
    if frame.format.is_planar and len(names) >= _PLANES:
        (frame,) = av.AudioResampler("flt", frame.layout, rate).resample(frame)
    array = full_scale_float(frame.to_ndarray())
    if not frame.format.is_planar:
        array = array.reshape(-1, len(names)).T
    return array, Format(rate, names)


def _to_format(decoded: Iterator[_Decoded], target: Format) -> Iterator[Piece]:
    """Bring every frame to one rate and channel layout; what changes and pauses becomes a note."""
    import soxr

    count = len(target.channels)
    previous, resampler, position = None, None, 0
    for item in decoded:
        note = item.note
        if item.format != previous:
            if resampler is not None:
                yield Piece(resampler.resample_chunk(np.zeros((0, count), np.float32), last=True).T)
            if previous is not None:
                note = _change(previous, item.format, target, position / target.rate)
            resampler = None
            if item.format.rate != target.rate:
                resampler = soxr.ResampleStream(
                    item.format.rate, target.rate, count, dtype="float32", quality="HQ"
                )
            previous = item.format
        if abs(item.gap_s) > _LEAST_GAP_S:
            silent = round(item.gap_s * target.rate) if 0 < item.gap_s < _LONGEST_GAP_S else 0
            note = _gap(item.gap_s, silent, position / target.rate)
            for begin in range(0, silent, PIECE_FRAMES):
                yield Piece(np.zeros((count, min(PIECE_FRAMES, silent - begin)), np.float32))
            position += silent
        samples = _mapped(item.samples, item.format.channels, target.channels)
        if resampler is not None:
            samples = resampler.resample_chunk(np.ascontiguousarray(samples.T)).T
        position += samples.shape[1]
        yield Piece(samples, note, item.format)
    if resampler is not None:
        yield Piece(resampler.resample_chunk(np.zeros((0, count), np.float32), last=True).T)


def _mapped(samples: np.ndarray, source: tuple[str, ...], target: tuple[str, ...]) -> np.ndarray:
    """Put channels where they belong; one channel alone goes to left and right alike."""
    if source == target:
        return samples
    if len(source) == 1:
        sides = [name in ("FL", "FR") for name in target]
        picks = [0 if side or not any(sides) else -1 for side in sides]
    elif "" in source or "" in target or not set(source) & set(target):
        picks = [index if index < len(source) else -1 for index in range(len(target))]
    else:
        picks = [source.index(name) if name in source else -1 for name in target]
    return np.concatenate((samples, np.zeros_like(samples[:1])))[picks]


def in_order(names: tuple[str, ...]) -> tuple[str, ...]:
    """Put loudspeaker channels in WAV's order, left and right first; leave all others.

    Parameters
    ----------
    names : tuple of str
        FFmpeg's.

    Examples
    --------
    >>> in_order(("FC", "FR", "FL")), in_order(("X", "W"))
    (('FL', 'FR', 'FC'), ('X', 'W'))
    """
    if not {"FL", "FR"} <= set(names) or len(set(names)) < len(names):
        return names
    places = {name: place for place, name in enumerate(CHANNEL_NAMES)}
    return tuple(sorted(names, key=lambda name: places.get(name, len(places))))


def _joined(pieces: Iterator[Piece]) -> Iterator[Piece]:
    """Join small pieces to large ones, up to where something is to be said."""
    parts: list[np.ndarray] = []
    frames = 0
    for piece in pieces:
        if piece.note and parts:
            yield Piece(np.concatenate(parts, axis=1))
            parts, frames = [], 0
        if piece.note:
            yield piece
            continue
        parts.append(piece.samples)
        frames += piece.samples.shape[1]
        if frames >= PIECE_FRAMES:
            yield Piece(np.concatenate(parts, axis=1))
            parts, frames = [], 0
    if parts:
        yield Piece(np.concatenate(parts, axis=1))


def _change(before: Format, after: Format, target: Format, at_s: float) -> str:
    notes = []
    if before.rate != after.rate:
        notes.append(
            f"the sampling rate changes from {before.rate} to {after.rate} Hz at {at_s:.2f} s: "
            f"all is read at {target.rate} Hz"
        )
    if before.channels != after.channels:
        notes.append(
            f"the channels change from {_layout_text(before.channels)} to "
            f"{_layout_text(after.channels)} at {at_s:.2f} s: all is read as "
            f"{_layout_text(target.channels)}"
        )
    return "; ".join(notes)


def _layout_text(channels: tuple[str, ...]) -> str:
    known = {1: "mono", 2: "stereo"}
    return known.get(len(channels), f"{len(channels)} channels")


def _gap(gap_s: float, silent: int, at_s: float) -> str:
    if silent and at_s == 0.0:
        return f"the sound begins {gap_s:.2f} s after the file does: silence stands before it"
    if silent:
        return f"the recording pauses for {gap_s:.2f} s at {at_s:.2f} s: silence stands there"
    return f"the timestamps jump by {gap_s:.2f} s at {at_s:.2f} s: the sound is read on"


def _stated_seconds(container: Any, track: Any) -> float | None:
    """Length of a track from the beginning of the file; estimates from bit rates do not count."""
    names = container.format.name.split(",")
    if names == ["flac"]:
        return float(track.duration * track.time_base) if track.duration else None
    if _TIMED.isdisjoint(names) or names == ["mpegts"]:
        return None
    origin_s = (container.start_time or 0) / 1e6
    clock = track.metadata.get("DURATION")  # Matroska: hours:minutes:seconds of its end
    if clock is not None:
        hours, minutes, seconds = (float(part) for part in clock.split(":"))
        return hours * 3600 + minutes * 60 + seconds - origin_s
    if track.duration:
        start = track.start_time or 0
        return float((start + track.duration) * track.time_base) - origin_s
    return None


def _check_track(path: Path, count: int, track: int | None) -> None:
    if count == 0:
        raise AudioError(
            f"{displayed(path)} has no sound track; give an audio file or a video with sound"
        )
    if track is not None and not 1 <= track <= count:
        raise AudioError(
            f"{displayed(path)} has no sound track {track}; it has {count}, numbered from 1"
        )


def _not_audio(path: Path) -> AudioError:
    return AudioError(
        f"{displayed(path)} is not audio, or so damaged that neither libsndfile nor FFmpeg reads "
        "it; give a wav, flac, ogg, mp3 or m4a file, or a video with sound"
    )
