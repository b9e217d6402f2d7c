"""Decode a sound file in pieces, with whichever library reads it completely.

libsndfile (through soundfile) and FFmpeg (through PyAV) both read most files. libsndfile is
preferred where its result is whole, since it is exact to the sample and quick; FFmpeg reads what it
does not: AAC, the sound tracks of videos, joined streams, streams that change on the way. Lengths
are those of the decoded sound; what headers state only serves to tell what is missing.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import soundfile

from spa2v_lib.audio.arrays import full_scale_float
from spa2v_lib.audio.headers import (
    CHANNEL_NAMES,
    Header,
    OggChain,
    mp3_index_frames,
    ogg_chain,
    read_header,
)
from spa2v_lib.audio.inspection import Inspection
from spa2v_lib.audio.opening import check_media, open_container
from spa2v_lib.errors import AudioError
from spa2v_lib.files import displayed

__all__ = ["Decoder", "Scan", "open_audio", "skipping"]

_PIECE_FRAMES = 65536
# Lengths that headers state may differ by what codecs add at the ends (priming and padding).
_SLACK_S = 0.1
# Samples that an encoder puts before and after an MP3, which its index takes off again.
_MP3_PADDING = 4096
_MP3_SLACK_S = 0.005  # without an index
_MP3_FRAME = 1152  # samples; 576 below 32 kHz
# Containers whose timestamps are those of the recording; elsewhere FFmpeg counts samples itself.
_TIMED = {"matroska", "mov", "mpegts", "mpeg", "flv", "asf", "avi", "nut", "mxf", "wtv", "gxf"}
_LEAST_GAP_S = 0.05  # Matroska and FLV round times to milliseconds, ASF and AVI more coarsely
_LONGEST_GAP_S = 3600.0
_UNKNOWN_FRAMES = 2**48
_PLANES = 8  # PyAV miscounts the planes of frames that have as many or more
_MOST_NOTES = 20


class Format(NamedTuple):
    """What samples a stream holds: Hz, and the channels' names ("" where none is stated)."""

    rate: int
    channels: tuple[str, ...]


class Piece(NamedTuple):
    """Some decoded samples, float32 [channels, n], what happened there, and what they were."""

    samples: np.ndarray
    note: str = ""
    source: Format | None = None


@dataclass(frozen=True)
class Decoder:
    """One way to decode a file, which can begin again at any frame.

    Parameters
    ----------
    path : pathlib.Path
        The file.
    format : Format
        Of all samples it yields; the first two are left and right, where the file names them.
    pieces : callable
        ``pieces(frame)`` yields a `Piece` after the other, from that frame to the end.
    stated_s : float or None
        Length that the file states, in seconds; None if it states none that can be relied on.
    notes : tuple of str
        What is known without decoding.
    floating : bool
        Whether the file holds floating-point samples, which may exceed full scale unclipped.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> import numpy as np, soundfile
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "a.wav"
    >>> soundfile.write(path, np.full((4000, 2), 0.5), 8000, subtype="PCM_16")
    >>> decoder, _ = open_audio(path, None, None)
    >>> decoder.format.rate, decoder.stated_s, decoder.floating
    (8000, 0.5, False)
    >>> sum(piece.samples.shape[1] for piece in decoder.pieces(3000))
    1000
    """

    path: Path
    format: Format
    pieces: Callable[[int], Iterator[Piece]]
    stated_s: float | None = None
    notes: tuple[str, ...] = ()
    floating: bool = False


@dataclass(frozen=True)
class Scan:
    """What decoding a file once, from beginning to end, has shown.

    Parameters
    ----------
    frames : int
        Samples per channel, up to the limit if there was one.
    limited : bool
        Whether there is more than the limit.
    error : str
        Why decoding ended early; empty if it did not.
    inspection : Inspection
        Of the samples.
    notes : tuple of str
        What happened on the way.
    formats : frozenset of Format
        Those that the samples had before they were brought to the decoder's, where it changed.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> import numpy as np, soundfile
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "a.wav"
    >>> soundfile.write(path, np.full((4000, 2), 0.5), 8000, subtype="PCM_16")
    >>> _, scan = open_audio(path, None, limit_s=0.25)
    >>> scan.frames, scan.limited, scan.error
    (2000, True, '')
    """

    frames: int
    limited: bool
    error: str
    inspection: Inspection
    notes: tuple[str, ...]
    formats: frozenset[Format] = frozenset()


def open_audio(path: Path, track: int | None, limit_s: float | None) -> tuple[Decoder, Scan]:
    """Decode `path` once with the library that reads it completely.

    Parameters
    ----------
    path : pathlib.Path
        A sound file, or a video with a sound track.
    track : int or None
        Number of the sound track, from 1; None for the first.
    limit_s : float or None
        Stop after so many seconds.

    Returns
    -------
    decoder : Decoder
        To decode it again, in pieces.
    scan : Scan
        What decoding it once has shown.

    Raises
    ------
    AudioError
        If it is no ordinary file, no audio, has no such track, or cannot be used.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> import numpy as np, soundfile
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "a.wav"
    >>> soundfile.write(path, np.full((4000, 2), 0.5), 8000, subtype="PCM_16")
    >>> decoder, scan = open_audio(path, None, None)
    >>> decoder.format.rate, scan.frames
    (8000, 4000)
    >>> next(decoder.pieces(0)).samples[:, 0].tolist()
    [0.5, 0.5]
    """
    path, size = check_media(path, AudioError)
    header = read_header(path, size)
    decoder = None if track not in (None, 1) else _soundfile_decoder(path, header)
    if decoder is not None:
        scan = _scanned(decoder, limit_s)
        if not scan.error and (scan.limited or _reaches(decoder, scan)):
            return decoder, _with_missing_share(decoder, scan, header)
    try:
        other = _ffmpeg_decoder(path, header, track)
        found = _scanned(other, limit_s)
        while (wider := _wider(found, other.format)) is not None:
            other = _ffmpeg_decoder(path, header, track, wider)
            found = _scanned(other, limit_s)
    except AudioError:
        if decoder is None or scan.error or not scan.frames:
            raise
        return decoder, _with_missing_share(decoder, scan, header)
    if decoder is not None and not scan.error and scan.frames > found.frames:
        other, found = decoder, scan
    return other, _with_missing_share(other, found, header)


def skipping(pieces: Iterator[np.ndarray], frames: int) -> Iterator[np.ndarray]:
    """Yield the pieces [channels, n] without their first `frames` frames.

    Parameters
    ----------
    pieces : iterator of numpy.ndarray
        Samples [channels, n], one piece after the other.
    frames : int
        How many to leave out; 0 or more.

    Examples
    --------
    >>> [piece.tolist() for piece in skipping(iter([np.zeros((1, 3)), np.ones((1, 2))]), 4)]
    [[[1.0]]]
    """
    position = 0
    for piece in pieces:
        begin = max(frames - position, 0)
        position += piece.shape[1]
        if begin < piece.shape[1]:
            yield piece[:, begin:]


def _scanned(decoder: Decoder, limit_s: float | None) -> Scan:
    rate, channels = decoder.format
    limit = None if limit_s is None else round(limit_s * rate)
    inspection = Inspection(len(channels), displayed(decoder.path.name), decoder.floating)
    frames, error, limited = 0, "", False
    notes: list[str] = []
    formats: set[Format] = set()
    try:
        for samples, note, source in decoder.pieces(0):
            if limit is not None and frames + samples.shape[1] > limit:
                samples, limited = samples[:, : limit - frames], True
            inspection.update(samples)
            frames += samples.shape[1]
            if note and len(notes) < _MOST_NOTES:
                notes.append(note)
            if source is not None:
                formats.add(source)
            if limited:
                break
    except _BrokenOffError as reason:
        error = str(reason)
    return Scan(frames, limited, error, inspection, tuple(notes), frozenset(formats))


def _reaches(decoder: Decoder, scan: Scan) -> bool:
    """Whether all that the file states was decoded."""
    return (
        decoder.stated_s is None or scan.frames / decoder.format.rate > decoder.stated_s - _SLACK_S
    )


def _with_missing_share(decoder: Decoder, scan: Scan, header: Header) -> Scan:
    """Add a note that says how much is missing at the end, if anything is."""
    if scan.limited or not scan.frames:
        return scan
    seconds = scan.frames / decoder.format.rate
    stated = seconds / header.share_present if header.share_present else seconds
    if decoder.stated_s is not None and not _reaches(decoder, scan):
        stated = max(stated, decoder.stated_s)
    if stated - seconds > 1e-3:
        note = (
            f"truncated: cut short after {seconds:.2f} of {stated:.2f} s, the last "
            f"{stated - seconds:.2f} s are missing"
        )
    elif scan.error:
        note = f"truncated or damaged: decoding ends after {seconds:.2f} s ({scan.error})"
    else:
        return scan
    return replace(scan, notes=(*scan.notes, note))


class _BrokenOffError(Exception):
    """Decoding ended before the end of the file; the message is the library's."""


# --- libsndfile ----------------------------------------------------------------------------------


def _soundfile_decoder(path: Path, header: Header) -> Decoder | None:
    """Return how libsndfile decodes a file; None where FFmpeg knows better or only FFmpeg can."""
    notes = _trailing_notes(header)
    if header.container == "ogg":
        chain = ogg_chain(path)
        if len(chain.begins) != 1 or not chain.whole:
            return None
        notes += _ogg_notes(chain)
    elif not header.trustworthy:
        return None
    length = (0.0, float("inf")) if header.container else _mp3_length(path)
    if length is None:
        return None
    name = str(path) if os.name == "nt" else os.fsencode(path)
    try:
        info = soundfile.info(name)
    except (soundfile.SoundFileError, TypeError):  # TypeError: headerless "raw" suffixes
        return None
    ordered = header.container in ("wav", "w64", "flac") or _as_b_format(header, info.channels)
    if info.channels > 2 and not ordered:
        return None  # libsndfile does not say which channel is which
    stated_s = info.frames / info.samplerate
    if info.frames >= _UNKNOWN_FRAMES or abs(stated_s - length[0]) > length[1]:
        return None

    def pieces(frame: int) -> Iterator[Piece]:
        try:
            with soundfile.SoundFile(name) as stream:
                stream.seek(frame)
                while len(part := stream.read(_PIECE_FRAMES, dtype="float32", always_2d=True)):
                    yield Piece(part.T)
        except soundfile.SoundFileError as error:
            raise _BrokenOffError(str(error)) from error

    names = header.channel_layout
    channels = names if len(names) == info.channels else ("",) * info.channels
    floating = info.subtype in ("FLOAT", "DOUBLE")
    return Decoder(path, Format(info.samplerate, channels), pieces, stated_s, notes, floating)


def _as_b_format(header: Header, channels: int) -> bool:
    """Whether a file may as well hold B-format as the four loudspeakers that its format implies."""
    return channels == 4 and header.container in ("ogg", "flac")


def _mp3_length(path: Path) -> tuple[float, float] | None:
    """Return the seconds of an MP3 by its packets, and how far libsndfile's may lie from them.

    None for other files, and where the index of an MP3 states another length: libsndfile would
    believe it. (0, infinity) for what FFmpeg cannot open.
    """
    try:
        with open_container(path) as container:
            if container.format.name != "mp3" or not container.streams.audio:
                return None
            track = container.streams.audio[0]
            durations = [packet.duration or 0 for packet in container.demux(track)]
            seconds = float(sum(durations) * track.time_base)
            indexed = mp3_index_frames(path)
            if indexed is None:
                return seconds, _MP3_SLACK_S
            if not durations or indexed != sum(duration > 0 for duration in durations):
                return None
            return seconds, _MP3_PADDING / track.rate
    except _av_errors():
        return 0.0, float("inf")


def _ogg_notes(chain: OggChain) -> tuple[str, ...]:
    notes = []
    if len(chain.begins) > 1:
        notes.append(f"{len(chain.begins)} joined Ogg streams are read one after the other")
    if not chain.whole:
        notes.append("truncated: the last Ogg page is not whole, the file was cut short")
    elif not chain.ended:
        notes.append("the Ogg stream has no end mark: it may have been cut short")
    return tuple(notes)


def _trailing_notes(header: Header) -> tuple[str, ...]:
    if not header.trailing_bytes:
        return ()
    return (
        f"{header.trailing_bytes:,} bytes follow the sound that the header states, and are not "
        "read: another file may be joined to it",
    )


# --- FFmpeg --------------------------------------------------------------------------------------


class Decoded(NamedTuple):
    """One frame that FFmpeg decoded, float32 [channels, n], and the gap before it in seconds."""

    samples: np.ndarray
    format: Format
    gap_s: float = 0.0
    note: str = ""


def _ffmpeg_decoder(
    path: Path, header: Header, track: int | None, channels: tuple[str, ...] | None = None
) -> Decoder:
    """Return how FFmpeg decodes a file, to the channels given or to those of its first frame."""
    parts, notes = [(0, path.stat().st_size)], _trailing_notes(header)
    if header.container == "ogg":
        chain = ogg_chain(path)
        begins = chain.begins or [0]
        parts = list(zip(begins, [*begins[1:], path.stat().st_size], strict=True))
        notes += _ogg_notes(chain)
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
    except (*_av_errors(), _BrokenOffError) as error:
        raise _not_audio(path) from error
    if first is None:
        raise AudioError(f"{displayed(path)} holds no samples; give a file with sound in it")
    if count > 1:
        chosen = "the first" if track is None else f"number {track}"
        notes += (f"{count} sound tracks: {chosen} is used (--track chooses)",)
    names = first.format.channels
    if "" in names and len(header.channel_layout) == len(names):
        names = header.channel_layout
    if names[:2] == ("FL", "FR") and _as_b_format(header, len(names)):
        names = ("",) * len(names)
    target = Format(first.format.rate, channels or _in_order(names))

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
) -> Iterator[Decoded]:
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
                        last = Decoded(*_samples_of(frame), at_s - due_s)
                        due_s = at_s + frame.samples / frame.sample_rate
                        good += 1
                        yield last
        except (*_av_errors(), IndexError) as error:
            raise _BrokenOffError(str(error)) from error
    if damaged > good:
        raise _BrokenOffError(f"{damaged} of {good + damaged} packets are damaged")
    if damaged and last is not None:
        plural = "" if damaged == 1 else "s"
        note = f"{damaged} damaged packet{plural} of the file could not be decoded"
        yield Decoded(last.samples[:, :0], last.format, 0.0, note)


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


def _to_format(decoded: Iterator[Decoded], target: Format) -> Iterator[Piece]:
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
            for begin in range(0, silent, _PIECE_FRAMES):
                yield Piece(np.zeros((count, min(_PIECE_FRAMES, silent - begin)), np.float32))
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


def _in_order(names: tuple[str, ...]) -> tuple[str, ...]:
    """Put loudspeaker channels in WAV's order, left and right first; leave all others."""
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
        if frames >= _PIECE_FRAMES:
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


def _wider(scan: Scan, target: Format) -> tuple[str, ...] | None:
    """Return the channels of a part that has more than what the rest was read as."""
    widest = max(scan.formats, key=lambda found: len(found.channels), default=target)
    more = len(widest.channels) > len(target.channels)
    return _in_order(widest.channels) if more else None


def _av_errors() -> tuple[type[Exception], ...]:
    import av

    # PyAV's streams lack attributes where FFmpeg knows no decoder.
    return (av.error.FFmpegError, OSError, ValueError, AttributeError, NotImplementedError)


def _not_audio(path: Path) -> AudioError:
    return AudioError(
        f"{displayed(path)} is not audio, or so damaged that neither libsndfile nor FFmpeg reads "
        "it; give a wav, flac, ogg, mp3 or m4a file, or a video with sound"
    )
