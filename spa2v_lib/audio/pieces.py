"""Sound as a stream of pieces, samples [channels, n] of any length: cut, folded, resampled.

A recording of hours never sits in memory as a whole.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

__all__ = [
    "PIECE_FRAMES",
    "BrokenOffError",
    "Decoder",
    "Format",
    "Piece",
    "fold_gains",
    "regrouped",
    "resampled",
    "skipping",
]

PIECE_FRAMES = 65536
"""About how many samples per channel a piece holds."""


_SIDE = 0.5**0.5
_FOLD = {
    "FL": (1.0, 0.0),
    "FR": (0.0, 1.0),
    "FC": (_SIDE, _SIDE),
    **dict.fromkeys(("BL", "SL", "FLC"), (_SIDE, 0.0)),
    **dict.fromkeys(("BR", "SR", "FRC"), (0.0, _SIDE)),
    "BC": (0.5, 0.5),
}
"""Gains in the left and right of two channels; other loudspeakers are left out."""


class BrokenOffError(Exception):
    """Decoding ended before the end of the file; the message is the library's.

    Examples
    --------
    >>> print(BrokenOffError("flac decoder lost sync"))
    flac decoder lost sync
    """


class Format(NamedTuple):
    """What samples a stream holds: Hz, and the channels' names ("" where none is stated).

    Examples
    --------
    >>> Format(48_000, ("FL", "FR")).rate
    48000
    """

    rate: int
    channels: tuple[str, ...]


class Piece(NamedTuple):
    """Some decoded samples, float32 [channels, n], what happened there, and what they were.

    Examples
    --------
    >>> Piece(np.zeros((2, 100), np.float32)).note
    ''
    """

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
    >>> from spa2v_lib.audio.decoding import open_audio
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


def fold_gains(channel_layout: tuple[str, ...]) -> np.ndarray:
    """Return the gains that fold loudspeaker channels into left and right, as in ITU-R BS.775-3.

    Centre and surround are added 3 dB down on their sides, the low-frequency channel is left out.

    Parameters
    ----------
    channel_layout : tuple of str
        FFmpeg's name of each channel, such as "FL"; those it does not know are left out.

    Returns
    -------
    numpy.ndarray
        float32 [2, channels], in [0, 1].

    Examples
    --------
    >>> fold_gains(("FL", "FR", "LFE")).tolist()
    [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]
    """
    gains = np.array([_FOLD.get(name, (0.0, 0.0)) for name in channel_layout])
    return gains.T.astype(np.float32)


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


def regrouped(pieces: Iterator[np.ndarray], size: int, frames: int) -> Iterator[np.ndarray]:
    """Yield the first `frames` frames in blocks of equal length; the last may be shorter.

    Parameters
    ----------
    pieces : iterator of numpy.ndarray
        Samples [channels, n], one piece after the other.
    size : int
        Frames of a block, at least 1.
    frames : int
        How many to yield in all, unless the pieces end before.

    Examples
    --------
    >>> [block.shape[1] for block in regrouped(iter([np.zeros((1, 4)), np.ones((1, 4))]), 3, 7)]
    [3, 3, 1]
    """
    held: list[np.ndarray] = []
    count, left = 0, frames
    for piece in pieces:
        held.append(piece[:, : left - count])
        count += held[-1].shape[1]
        if count < min(size, left):
            continue
        joined = np.concatenate(held, axis=1)
        whole = count if count == left else count - count % size
        for begin in range(0, whole, size):
            yield joined[:, begin : min(begin + size, whole)]
        left -= whole
        held, count = [joined[:, whole:]], count - whole
        if not left:
            return
    if count:
        yield np.concatenate(held, axis=1)


def resampled(
    blocks: Iterator[np.ndarray], rates: tuple[int, int], channels: int, frames: int
) -> Iterator[np.ndarray]:
    """Yield the blocks at another sampling rate (soxr, high quality).

    Parameters
    ----------
    blocks : iterator of numpy.ndarray
        Samples [channels, n].
    rates : tuple of int
        Theirs and the one wanted, in Hz.
    channels : int
        At least 1.
    frames : int
        How many to yield in all; the last are zero if the stream's own rounding lacks one.

    Examples
    --------
    >>> blocks = iter([np.zeros((2, 8000), np.float32)])
    >>> sum(piece.shape[1] for piece in resampled(blocks, (8000, 44100), 2, 44100))
    44100
    """
    import soxr

    stream = soxr.ResampleStream(*rates, channels, dtype="float32", quality="HQ")
    left = frames
    for block in blocks:
        piece = stream.resample_chunk(np.ascontiguousarray(block.T)).T[:, :left]
        left -= piece.shape[1]
        yield piece
    tail = stream.resample_chunk(np.zeros((0, channels), np.float32), last=True).T
    yield np.pad(tail[:, :left], ((0, 0), (0, max(left - tail.shape[1], 0))))
