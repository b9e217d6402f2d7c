"""Open one local file for FFmpeg, and nothing else.

FFmpeg takes names for addresses ("http:…", "concat:…") and follows files that name others
(playlists). Here it gets the bytes of one ordinary file, never its name, and only the formats that
carry sound or pictures themselves.
"""

from __future__ import annotations

import io
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from spa2v_lib.errors import Spa2vError
from spa2v_lib.files import check_regular, displayed

__all__ = ["FORMATS", "FileSection", "av_errors", "check_media", "open_container"]

FORMATS = (
    "aac ac3 ac4 adx aiff alp amr amrnb amrwb apac ape apm aptx aptx_hd asf ast au avi avr avs2 "
    "bonk caf codec2 cdg dsf dss dts dtshd dv dvd eac3 f4v flac flv frm g722 g726 g726le g728 "
    "g729 gsm gxf iamf iff ilbc ircam iss kux lc3 live_flv loas lvf m4v matroska,webm mca mgsts "
    "mlp mmf mov,mp4,m4a,3gp,3g2,mj2 mp3 mpc mpc8 mpeg mpegts mpegtsraw mpegvideo msf mtv mxf nc "
    "nistsphere nut obu ogg oma osq paf pvf qcp qoa rm rsd rso rl2 sbc sds sdx shn smjpeg sol sox "
    "spdif svs swf tak tta truehd tta ty voc vag vqf w64 wav wavarc webm wsaud wtv wv wve xa xwma"
).replace(" ", ",")
"""FFmpeg's demuxers that may be used – those that carry sound or video in the file itself."""

_GIVE = "give the path of an audio or video file"
# What else is called .wav or .mp3: text that names other files, and what macOS leaves beside files.
_REFERRING = (
    (rb"ffconcat|file\s+['\"/\w]", "a list of files for FFmpeg"),
    (rb"#EXTM3U|#EXTINF", "a playlist (HLS or M3U)"),
    (rb"\[playlist\]", "a playlist (PLS)"),
    (rb"\[(Reference|InternetShortcut)\]", "a link to another file"),
    (rb"v=0\r?\n[a-z]=", "a session description (SDP)"),
    (rb"(<\?xml[^>]*>\s*)?(<!--.*?-->\s*)?<MPD\b", "a playlist (DASH)"),
    (rb"(<\?xml[^>]*>\s*)?<asx\b", "a playlist (ASX)"),
    (rb"(<\?xml[^>]*>\s*)?<(playlist|smil|SmoothStreamingMedia)\b", "a playlist (XML)"),
    (rb"(rtsp|rtmp|https?|mms)://", "an address"),
)
_APPLE_DOUBLE = b"\x00\x05\x16\x07"


class FileSection(io.RawIOBase):
    """A part of a file, read as if it were a whole file of its own.

    Parameters
    ----------
    path : pathlib.Path
        An ordinary file.
    begin, end : int
        Its bounds in bytes.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder) / "a"
    ...     _ = path.write_bytes(b"0123456789")
    ...     with FileSection(path, 2, 6) as section:
    ...         section.read(), section.seek(1), section.read(2)
    (b'2345', 1, b'34')
    """

    def __init__(self, path: Path, begin: int, end: int) -> None:
        super().__init__()
        self._stream = path.open("rb", buffering=0)
        self._begin, self._length, self._position = begin, end - begin, 0
        # FFmpeg looks at the ending where the content leaves a doubt; it gets no more of the name.
        ending = path.suffix.lower()
        self.name = f"media{ending}" if re.fullmatch(r"\.[a-z0-9]{1,5}", ending) else "media"

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def read(self, size: int | None = -1) -> bytes:
        """Return the next bytes, at most `size` of them.

        A damaged header may ask for gigabytes, or for what lies exabytes away: no more is allocated
        than is left, and past the end the file is not asked at all.
        """
        left = max(self._length - self._position, 0)
        wanted = left if size is None or size < 0 else min(size, left)
        if not wanted:
            return b""
        self._stream.seek(self._begin + self._position)
        data = self._stream.read(wanted) or b""
        self._position += len(data)
        return data

    def readinto(self, buffer: Any) -> int:
        """Read into a buffer, and return how many bytes."""
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move within the section, and return the new position."""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._length}[whence]
        self._position = max(base + offset, 0)
        return self._position

    def tell(self) -> int:
        """Return the position within the section."""
        return self._position

    def close(self) -> None:
        """Close the file."""
        self._stream.close()
        super().close()


def check_media(path: str | os.PathLike[str], error: type[Spa2vError]) -> tuple[Path, int]:
    """Refuse what is no ordinary file, is empty, or only names other files.

    Parameters
    ----------
    path : str or os.PathLike
        Never an address: "http:x" is a file of that name in the current folder.
    error : type of Spa2vError
        What to raise.

    Returns
    -------
    path : pathlib.Path
        Absolute.
    size : int
        In bytes.

    Raises
    ------
    Spa2vError
        Of the type `error`.

    See Also
    --------
    open_container : Opens what passes.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> from spa2v_lib.errors import AudioError
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder) / "radio.mp3"
    ...     _ = path.write_text("#EXTM3U\\nother.mp3")
    ...     check_media(path, AudioError)  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    spa2v_lib.errors.AudioError: .../radio.mp3 is a playlist (HLS or M3U): it names other files, ...
    """
    name = displayed(path)
    size = check_regular(path, error, _GIVE)
    if size == 0:
        raise error(f"{name} is empty (0 bytes); give a file with sound in it")
    absolute = Path(path).absolute()
    try:
        with absolute.open("rb") as stream:
            beginning = stream.read(4096)
    except OSError as reason:
        raise error(f"{name} cannot be read: {reason.strerror or reason}") from reason
    if beginning.startswith(_APPLE_DOUBLE) and size < 1 << 20:
        raise error(f"{name} holds only what macOS keeps beside a file; {_GIVE}")
    text = beginning.removeprefix(b"\xef\xbb\xbf").lstrip()
    if b"\0" in text[:512] and not text.startswith(b"#"):
        return absolute, size
    for pattern, noun in _REFERRING:
        if re.match(pattern, text, re.IGNORECASE | re.DOTALL):
            raise error(f"{name} is {noun}: it names other files, which are not followed; {_GIVE}")
    return absolute, size


@contextmanager
def open_container(
    path: Path, begin: int = 0, end: int | None = None, **options: str
) -> Iterator[Any]:
    """Open an ordinary local file, or a part of it, with FFmpeg.

    Parameters
    ----------
    path : pathlib.Path
        From `check_media`.
    begin : int
        First byte.
    end : int, optional
        Byte after the last; the end of the file if not given.
    **options : str
        FFmpeg's, for the demuxer.

    Yields
    ------
    av.container.InputContainer

    Raises
    ------
    av.error.FFmpegError
        If no allowed format fits.

    See Also
    --------
    check_media : To be called first.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> import numpy as np, soundfile
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "a.wav"
    >>> soundfile.write(path, np.full((4000, 2), 0.5), 8000, subtype="PCM_16")
    >>> with open_container(path) as container:
    ...     container.streams.audio[0].rate, container.format.name
    (8000, 'wav')
    """
    import av

    end = path.stat().st_size if end is None else end
    options |= {"format_whitelist": FORMATS, "protocol_whitelist": "none"}
    # Tags that are not UTF-8 would be an error; PyAV 19 and newer replace them unasked.
    tags = {"metadata_errors": "replace"} if int(av.__version__.split(".")[0]) < 19 else {}
    with (
        FileSection(path, begin, end) as section,
        av.open(section, "r", options=options, **tags) as container,
    ):
        yield container


def av_errors() -> tuple[type[Exception], ...]:
    """Return what FFmpeg, and PyAV around it, raise for a file that they cannot read.

    Examples
    --------
    >>> OSError in av_errors()
    True
    """
    import av

    # PyAV's streams lack attributes where FFmpeg knows no decoder.
    return (av.error.FFmpegError, OSError, ValueError, AttributeError, NotImplementedError)
