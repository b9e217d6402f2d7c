"""Decode a sound file in pieces, with whichever library reads it completely.

libsndfile (through soundfile) and FFmpeg (through PyAV) both read most files. libsndfile is
preferred where its result is whole, since it is exact to the sample and quick; FFmpeg reads what it
does not: AAC, the sound tracks of videos, joined streams, streams that change on the way. Lengths
are those of the decoded sound; what headers state only serves to tell what is missing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from spa2v_lib.audio.ffmpeg import ffmpeg_decoder, in_order
from spa2v_lib.audio.headers import Header, read_header
from spa2v_lib.audio.inspection import Inspection
from spa2v_lib.audio.libsndfile import soundfile_decoder
from spa2v_lib.audio.opening import check_media
from spa2v_lib.audio.pieces import BrokenOffError, Decoder, Format
from spa2v_lib.errors import AudioError
from spa2v_lib.files import displayed

__all__ = ["Scan", "open_audio"]

# Lengths that headers state may differ by what codecs add at the ends (priming and padding).
_SLACK_S = 0.1
_MOST_NOTES = 20


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
    decoder = None if track not in (None, 1) else soundfile_decoder(path, header)
    if decoder is not None:
        scan = _scanned(decoder, limit_s)
        if not scan.error and (scan.limited or _reaches(decoder, scan)):
            return decoder, _with_missing_share(decoder, scan, header)
    try:
        other = ffmpeg_decoder(path, header, track)
        found = _scanned(other, limit_s)
        while (wider := _wider(found, other.format)) is not None:
            other = ffmpeg_decoder(path, header, track, wider)
            found = _scanned(other, limit_s)
    except AudioError:
        if decoder is None or scan.error or not scan.frames:
            raise
        return decoder, _with_missing_share(decoder, scan, header)
    if decoder is not None and not scan.error and scan.frames > found.frames:
        other, found = decoder, scan
    return other, _with_missing_share(other, found, header)


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
    except BrokenOffError as reason:
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


def _wider(scan: Scan, target: Format) -> tuple[str, ...] | None:
    """Return the channels of a part that has more than what the rest was read as."""
    widest = max(scan.formats, key=lambda found: len(found.channels), default=target)
    more = len(widest.channels) > len(target.channels)
    return in_order(widest.channels) if more else None
