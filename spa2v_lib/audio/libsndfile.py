"""Decode with libsndfile, exactly to the sample, what it reads completely."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import soundfile

from spa2v_lib.audio.headers import Header, mp3_index_frames, ogg_chain
from spa2v_lib.audio.opening import av_errors, open_container
from spa2v_lib.audio.pieces import PIECE_FRAMES, BrokenOffError, Decoder, Format, Piece

__all__ = ["soundfile_decoder"]

# Samples that an encoder puts before and after an MP3, which its index takes off again.
_MP3_PADDING = 4096
_MP3_SLACK_S = 0.005  # without an index
_UNKNOWN_FRAMES = 2**48


def soundfile_decoder(path: Path, header: Header) -> Decoder | None:
    """Return how libsndfile decodes a file; None where FFmpeg knows better or only FFmpeg can.

    Parameters
    ----------
    path : pathlib.Path
        From `spa2v_lib.audio.opening.check_media`.
    header : Header
        Of the file.

    See Also
    --------
    spa2v_lib.audio.ffmpeg.ffmpeg_decoder : The other library, which reads more.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> import numpy as np, soundfile
    >>> from spa2v_lib.audio.headers import read_header
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "a.wav"
    >>> soundfile.write(path, np.full((4000, 2), 0.5), 8000, subtype="PCM_16")
    >>> decoder = soundfile_decoder(path, read_header(path, path.stat().st_size))
    >>> decoder.format.rate, decoder.stated_s, sum(p.samples.shape[1] for p in decoder.pieces(0))
    (8000, 0.5, 4000)
    """
    notes = header.notes
    if header.container == "ogg":
        chain = ogg_chain(path)
        if len(chain.begins) != 1 or not chain.whole:
            return None
        notes += chain.notes
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
    ordered = header.container in ("wav", "w64", "flac") or header.may_be_b_format(info.channels)
    if info.channels > 2 and not ordered:
        return None  # libsndfile does not say which channel is which
    stated_s = info.frames / info.samplerate
    if info.frames >= _UNKNOWN_FRAMES or abs(stated_s - length[0]) > length[1]:
        return None

    def pieces(frame: int) -> Iterator[Piece]:
        try:
            with soundfile.SoundFile(name) as stream:
                stream.seek(frame)
                while len(part := stream.read(PIECE_FRAMES, dtype="float32", always_2d=True)):
                    yield Piece(part.T)
        except soundfile.SoundFileError as error:
            raise BrokenOffError(str(error)) from error

    names = header.channel_layout
    channels = names if len(names) == info.channels else ("",) * info.channels
    floating = info.subtype in ("FLOAT", "DOUBLE")
    return Decoder(path, Format(info.samplerate, channels), pieces, stated_s, notes, floating)


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
    except av_errors():
        return 0.0, float("inf")
