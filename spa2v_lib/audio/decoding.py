"""Read a sound file in pieces, with whichever library decodes it completely.

libsndfile (through soundfile) and FFmpeg (through PyAV) both read most files. libsndfile is
preferred where its result is whole, since it is exact to the sample and quick; FFmpeg reads what it
does not: AAC, the sound tracks of videos, joined streams, streams that change on the way. Lengths
are those of the decoded sound; what headers state only serves to tell what is missing.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path

from spa2v_lib.audio.ffmpeg import ffmpeg_decoder, in_order
from spa2v_lib.audio.headers import Header, read_header
from spa2v_lib.audio.inspection import Inspection, check_duration, check_max_seconds, check_rate
from spa2v_lib.audio.libsndfile import soundfile_decoder
from spa2v_lib.audio.opening import check_media
from spa2v_lib.audio.pieces import BrokenOffError, Decoder, Format
from spa2v_lib.audio.recording import Recording
from spa2v_lib.errors import AudioError
from spa2v_lib.files import displayed

__all__ = ["Scan", "open_audio", "read_audio"]

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


def read_audio(
    path: str | os.PathLike[str], *, max_seconds: float | None = None, track: int | None = None
) -> Recording:
    """Open and check a sound file, or the sound track of a video.

    The file is decoded once, in blocks, to check it; its length is that of the decoded sound. The
    samples are decoded again when they are used, so that a long recording never sits in memory as
    a whole.

    Parameters
    ----------
    path : str or os.PathLike
        An ordinary local file that libsndfile or FFmpeg reads, at any rate, with one or more
        channels. Never an address or a playlist; a pipe must be written to a file first.
    max_seconds : float, optional
        Keep only the first seconds, at least `MIN_SECONDS`; the recording's notes say so.
    track : int, optional
        Number of the sound track, from 1, where a file has several; the first if not given.

    Returns
    -------
    Recording
        With `notes` about missing sound, pauses (which are filled with silence), changes of rate
        or channels on the way, silence, clipping, dead or equal channels, and cuts.

    Raises
    ------
    AudioError
        If the file is missing, no ordinary file, not audio, empty, without (such) a sound track,
        shorter than `MIN_SECONDS`, has fewer than 1000 samples a second, or holds samples that
        are NaN, infinite or beyond 2**31.

    See Also
    --------
    spa2v_lib.audio.recording.Recording.from_samples : from an array.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> import numpy as np
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> tone = 0.5 * np.sin(np.arange(22050) / 10)
    >>> path = Recording.from_samples([tone, 0.2 * tone], 44100).save(folder / "tone.wav")
    >>> recording = read_audio(path, max_seconds=0.25)
    >>> recording, recording.notes
    (<Recording 'tone.wav': 0.25 s, 2 channels, 44100 Hz>, ('cut to the first 0.25 s of 0.50 s',))
    """
    if max_seconds is not None:
        check_max_seconds(max_seconds)
    decoder, scan = open_audio(Path(path), track, max_seconds)
    if scan.frames == 0:
        raise AudioError(f"{displayed(path)} holds no samples; give a file with sound in it")
    rate, names = decoder.format
    name, layout = displayed(decoder.path.name), () if "" in names else names
    check_rate(rate, name)
    check_duration(scan.frames / rate, name)
    known = (*decoder.notes, *scan.notes, *_cut_note(decoder, scan))
    found = scan.inspection.notes(layout)
    return Recording(
        lambda frame: (piece.samples for piece in decoder.pieces(frame)),
        name=name,
        rate=rate,
        channels=len(names),
        frames=scan.frames,
        path=Path(path),
        notes=(*known, *(note for note in found if note not in known)),
        channel_layout=layout,
        silent_channels=scan.inspection.silent_channels(),
    )


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

    See Also
    --------
    read_audio : A recording of what this decodes.

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


def _cut_note(decoder: Decoder, scan: Scan) -> tuple[str, ...]:
    if not scan.limited:
        return ()
    whole = "" if decoder.stated_s is None else f" of {decoder.stated_s:.2f} s"
    return (f"cut to the first {scan.frames / decoder.format.rate:.2f} s{whole}",)
