"""What the headers of sound files state: how many bytes of sound, and which channel is which.

libsndfile reads an uncompressed file that was cut short without a word, and FFmpeg reads a length
of zero as "until the end"; so the chunks are walked here, to know what ought to be there.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO, NamedTuple

__all__ = [
    "CHANNEL_NAMES",
    "Header",
    "OggChain",
    "mp3_index_frames",
    "ogg_chain",
    "read_header",
]

CHANNEL_NAMES = (
    "FL", "FR", "FC", "LFE", "BL", "BR", "FLC", "FRC", "BC", "SL", "SR",
    "TC", "TFL", "TFC", "TFR", "TBL", "TBC", "TBR",
)  # fmt: skip
"""Names of loudspeaker channels in the order of WAV's channel mask, which is FFmpeg's too."""

_FUMA = {3: "WXY", 4: "WXYZ", 9: "WXYZRSTUV", 16: "WXYZRSTUVKLMNOPQ"}
# FLAC's own order (RFC 9639, sec. 9.1.3); four channels are as often B-format as quadraphonic.
_FLAC = {
    3: ("FL", "FR", "FC"),
    5: ("FL", "FR", "FC", "BL", "BR"),
    6: ("FL", "FR", "FC", "LFE", "BL", "BR"),
    7: ("FL", "FR", "FC", "LFE", "BC", "SL", "SR"),
    8: ("FL", "FR", "FC", "LFE", "BL", "BR", "SL", "SR"),
}
# The end of every subformat GUID of WAVE_FORMAT_EXTENSIBLE that is ambisonic (M. Leese, 2001).
_B_FORMAT_GUID = bytes.fromhex("2107d3118644c8c1ca000000")
_W64_TAIL = bytes.fromhex("f3acd3118cd100c04f8edb8a")
# Writers that cannot seek back leave 0, or a huge number: nothing is stated.
_UNKNOWN = 0x7FFF0000
_MP3_IN_WAV = 0x55
_LEAST_TRAILING = 4096  # tags and padding are smaller


@dataclass(frozen=True)
class Header:
    """What the header of a sound file states.

    Parameters
    ----------
    container : str
        "wav", "w64", "aiff", "au", "caf", "flac", "ogg" or "" (anything else).
    stated_bytes : int or None
        Bytes of sound that it announces; None if it announces none.
    present_bytes : int
        Bytes from the beginning of the sound to the end of the file.
    channel_layout : tuple of str
        Names of the channels in the file's order, as far as it states them.
    frame_bytes : int
        Bytes of one sample of all channels; 0 where there is no such number.
    mp3 : bool
        An MP3 stream inside a WAV file.
    trailing_bytes : int
        Bytes after the sound that are no chunk of the same file.

    Examples
    --------
    >>> cut_off = Header("wav", stated_bytes=4000, present_bytes=1000)
    >>> cut_off.share_present, cut_off.trustworthy
    (0.25, True)
    """

    container: str = ""
    stated_bytes: int | None = None
    present_bytes: int = 0
    channel_layout: tuple[str, ...] = ()
    frame_bytes: int = 0
    mp3: bool = False
    trailing_bytes: int = 0

    @property
    def length_wrapped(self) -> bool:
        """Whether more than 4 GiB follow than the header's 32 bits can state."""
        return self.stated_bytes is not None and self.present_bytes - self.stated_bytes >= 2**32

    @property
    def trustworthy(self) -> bool:
        """Whether libsndfile, which believes lengths that are stated, may read the file."""
        no_length = self.present_bytes > 0 and self.stated_bytes is None
        return not (self.mp3 or self.length_wrapped or no_length)

    @property
    def share_present(self) -> float:
        """Share of the announced sound that is there, in [0, 1]."""
        if not self.stated_bytes:
            return 1.0
        return min(1.0, self.present_bytes / self.stated_bytes)

    @property
    def notes(self) -> tuple[str, ...]:
        """What a person should know of it."""
        if not self.trailing_bytes:
            return ()
        return (
            f"{self.trailing_bytes:,} bytes follow the sound that the header states, and are not "
            "read: another file may be joined to it",
        )

    def may_be_b_format(self, channels: int) -> bool:
        """Whether as many channels may as well be B-format as the loudspeakers that are implied."""
        return channels == 4 and self.container in ("ogg", "flac")


def read_header(path: Path, size: int) -> Header:
    """Read what a file's header states, without decoding anything.

    Parameters
    ----------
    path : pathlib.Path
        An ordinary file.
    size : int
        Its length in bytes.

    Returns
    -------
    Header
        With an empty `container` if it is of another kind.

    See Also
    --------
    ogg_chain, mp3_index_frames : What only one container states.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> import numpy as np, soundfile
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "a.wav"
    >>> soundfile.write(path, np.full((4000, 2), 0.5), 8000, subtype="PCM_16")
    >>> header = read_header(path, path.stat().st_size)
    >>> header.container, header.stated_bytes, header.frame_bytes, header.share_present
    ('wav', 16000, 4, 1.0)
    """
    with path.open("rb") as stream:
        magic = stream.read(12)
        if magic[:4] in (b"RIFF", b"RIFX", b"RF64", b"BW64") and magic[8:12] == b"WAVE":
            return _wav(stream, size, ">" if magic[:4] == b"RIFX" else "<")
        if magic[:4] == b"riff":
            return _w64(stream, size)
        if magic[:4] == b"FORM" and magic[8:11] == b"AIF":
            return _aiff(stream, size)
        if magic[:4] == b"caff":
            return _caf(stream, size)
        if magic[:4] == b".snd" and len(magic) == 12:
            begin, stated = struct.unpack(">II", magic[4:12])
            return _header("au", stated, size - begin)
        if magic[:4] == b"fLaC":
            stream.seek(4 + 4 + 12)
            channels = (stream.read(1) or b"\0")[0] >> 1 & 7
            return Header("flac", channel_layout=_FLAC.get(channels + 1, ()))
        return Header("ogg" if magic[:4] == b"OggS" else "")


class OggChain(NamedTuple):
    """The joined streams of an Ogg file.

    Parameters
    ----------
    begins : list of int
        Where each stream of the chain begins, in bytes.
    whole : bool
        Whether the last page is complete.
    ended : bool
        Whether the last page is marked as the last.

    Examples
    --------
    >>> chain = OggChain(begins=[0, 5120], whole=True, ended=False)
    >>> len(chain.begins), chain.ended
    (2, False)
    """

    begins: list[int]
    whole: bool
    ended: bool

    @property
    def notes(self) -> tuple[str, ...]:
        """What a person should know of it."""
        notes = []
        if len(self.begins) > 1:
            notes.append(f"{len(self.begins)} joined Ogg streams are read one after the other")
        if not self.whole:
            notes.append("truncated: the last Ogg page is not whole, the file was cut short")
        elif not self.ended:
            notes.append("the Ogg stream has no end mark: it may have been cut short")
        return tuple(notes)


def ogg_chain(path: Path) -> OggChain:
    """Find the joined streams of an Ogg file by its pages (RFC 3533).

    Parameters
    ----------
    path : pathlib.Path
        An ordinary file.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> import numpy as np, soundfile
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "a.ogg"
    >>> soundfile.write(path, np.zeros((8000, 2)), 8000, subtype="VORBIS")
    >>> ogg_chain(path)
    OggChain(begins=[0], whole=True, ended=True)
    """
    begins: list[int] = []
    ended, beginning = False, False
    position, size = 0, path.stat().st_size
    with path.open("rb") as stream:
        while position < size:
            stream.seek(position)
            head = stream.read(27)
            if len(head) < 27:
                return OggChain(begins, False, ended)
            if head[:4] != b"OggS":
                following = _next_page(stream, position + 1)  # as FFmpeg does
                if following is None:
                    return OggChain(begins, True, ended)
                position = following
                continue
            if head[5] & 2 and not beginning:
                begins.append(position)
            beginning, ended = bool(head[5] & 2), bool(head[5] & 4)
            lacing = stream.read(head[26])
            position += 27 + head[26] + sum(lacing)
            if len(lacing) < head[26]:
                return OggChain(begins, False, ended)
    return OggChain(begins, position == size, ended)


def mp3_index_frames(path: Path) -> int | None:
    """Return the number of frames that the index (Xing or Info) of an MP3 states.

    Parameters
    ----------
    path : pathlib.Path
        An ordinary file.

    Returns
    -------
    int or None
        None if it has no index, or one without this number.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "a.mp3"
    >>> index = b"Xing" + (1).to_bytes(4, "big") + (250).to_bytes(4, "big")
    >>> _ = path.write_bytes(bytes(36) + index)
    >>> mp3_index_frames(path)
    250
    """
    with path.open("rb") as stream:
        tag = stream.read(10)
        if tag[:3] == b"ID3" and len(tag) == 10:
            seven_bits = tag[6] << 21 | tag[7] << 14 | tag[8] << 7 | tag[9]
            stream.seek(10 + seven_bits)
        else:
            stream.seek(0)
        beginning = stream.read(4096)
    places = [place for place in (beginning.find(b"Xing"), beginning.find(b"Info")) if place >= 0]
    if not places or len(index := beginning[min(places) :][:12]) < 12 or not index[7] & 1:
        return None
    return int.from_bytes(index[8:12], "big")


def _next_page(stream: BinaryIO, position: int) -> int | None:
    stream.seek(position)
    while block := stream.read(65536):
        found = block.find(b"OggS")
        if found >= 0:
            return position + found
        if len(block) < 65536:
            return None
        position += len(block) - 3
        stream.seek(position)
    return None


def _header(
    container: str, stated: int, present: int, layout: tuple[str, ...] = (), **more: int
) -> Header:
    """Make a header; sizes that writers leave when they do not know the length are none."""
    unknown = stated == 0 or (stated >= _UNKNOWN and present < stated)
    return Header(container, None if unknown else stated, max(present, 0), layout, **more)


def _chunks(stream: BinaryIO, begin: int, size: int, form: str) -> Iterator[tuple[bytes, int, int]]:
    """Yield name, stated length and position of the content of every chunk."""
    head = struct.calcsize(form)
    position = begin
    while position + head <= size:
        stream.seek(position)
        name, length = struct.unpack(form, stream.read(head))
        yield name, length, position + head
        position += head + length + length % 2


def _wav(stream: BinaryIO, size: int, order: str) -> Header:
    layout: tuple[str, ...] = ()
    long_length, frame_bytes, mp3 = 0, 0, False
    for name, length, begin in _chunks(stream, 12, size, f"{order}4sI"):
        if name == b"ds64":  # RF64: lengths of 64 bits
            long_length = int.from_bytes(stream.read(16)[8:], "little")
        elif name == b"fmt ":
            layout, frame_bytes, mp3 = _wav_format(stream.read(min(length, 64)), order)
        elif name == b"data":
            present = size - begin
            if length == 0xFFFFFFFF and long_length:
                return Header("wav", long_length, present, layout, frame_bytes, mp3)
            known = _header("wav", length, present, layout, frame_bytes=frame_bytes)
            if known.stated_bytes is not None:
                end = begin + length + length % 2
                known = replace(known, trailing_bytes=_trailing(stream, end, size))
            return replace(known, mp3=mp3)
    return Header("wav", None, 0, layout, frame_bytes, mp3)


def _trailing(stream: BinaryIO, position: int, size: int) -> int:
    """Count the bytes from a position on if another file begins there, or no chunk at all."""
    if size - position < _LEAST_TRAILING:
        return 0
    stream.seek(position)
    name = stream.read(4)
    another = name in (b"RIFF", b"RF64", b"FORM", b"fLaC", b"OggS")
    return size - position if another or not all(32 <= byte < 127 for byte in name) else 0


def _wav_format(content: bytes, order: str) -> tuple[tuple[str, ...], int, bool]:
    """Return the channels' names, the bytes of a frame, and whether it is MP3."""
    if len(content) < 16:
        return (), 0, False
    tag, channels, _, _, frame_bytes, _ = struct.unpack(f"{order}HHIIHH", content[:16])
    if tag != 0xFFFE or len(content) < 40:
        return (), frame_bytes, tag == _MP3_IN_WAV
    (mask,) = struct.unpack(f"{order}I", content[20:24])
    if content[28:40] == _B_FORMAT_GUID:
        return tuple(_FUMA.get(channels, "")), frame_bytes, False
    names = tuple(name for bit, name in enumerate(CHANNEL_NAMES) if mask >> bit & 1)
    return (names if len(names) == channels else ()), frame_bytes, False


def _w64(stream: BinaryIO, size: int) -> Header:
    """Sony Wave64: chunks named by 16 bytes, with lengths of 64 bits that count their own head."""
    layout: tuple[str, ...] = ()
    frame_bytes, position = 0, 40
    while position + 24 <= size:
        stream.seek(position)
        name, length = struct.unpack("<16sQ", stream.read(24))
        if name == b"fmt " + _W64_TAIL:
            layout, frame_bytes, _ = _wav_format(stream.read(min(length, 64)), "<")
        elif name == b"data" + _W64_TAIL:
            stated = max(length - 24, 0)
            return Header("w64", stated or None, size - position - 24, layout, frame_bytes)
        if length < 24:
            break
        position += length + -length % 8
    return Header("w64", None, 0, layout, frame_bytes)


def _aiff(stream: BinaryIO, size: int) -> Header:
    for name, length, begin in _chunks(stream, 12, size, ">4sI"):
        if name == b"SSND":
            return _header("aiff", max(length - 8, 0), size - begin - 8)
    return Header("aiff")


def _caf(stream: BinaryIO, size: int) -> Header:
    position = 8
    while position + 12 <= size:
        stream.seek(position)
        name, length = struct.unpack(">4sq", stream.read(12))
        if name == b"data":
            stated = length - 4 if length > 4 else None  # -1: until the end
            return Header("caf", stated, max(size - position - 16, 0))
        if length < 0:
            break
        position += 12 + length
    return Header("caf")
