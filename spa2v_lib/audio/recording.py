"""Recordings: opened lazily, read in blocks, checked before any work starts, written, played."""

from __future__ import annotations

import base64
import html
import io
import os
from collections.abc import Callable, Iterator
from functools import cached_property
from pathlib import Path

import numpy as np
import soundfile

from spa2v_lib.audio.decoding import decodable_frames, open_audio, skipping
from spa2v_lib.audio.inspection import Inspection
from spa2v_lib.errors import AudioError, OutputError
from spa2v_lib.files import replacing

__all__ = ["MIN_SECONDS", "Recording", "check_max_seconds", "read_audio"]

MIN_SECONDS = 0.25
"""Shortest recording that is accepted, in seconds."""

# Below it no direction can be measured, and the cues' frequency bands are empty.
_LOWEST_HZ = 1000
# Full scale of 32-bit integers, which some keep as floats; of what is louder, powers overflow.
_LOUDEST = 2.0**31
_PLAYER_SECONDS = 60.0
_SUBTYPES = {".wav": "FLOAT", ".flac": "PCM_24"}


class Recording:
    """Sound in one or more channels; samples are read when they are first needed.

    Made by `read_audio` or `Recording.from_samples`.

    Attributes
    ----------
    name : str
        File name, or the name given.
    path : pathlib.Path or None
        Where it was read from.
    rate : int
        Sampling rate in Hz.
    channels : int
        Two are left, right.
    frames : int
        Samples per channel.
    notes : tuple of str
        What a person should know about it: silence, clipping, a dead channel, a cut.
    """

    def __init__(
        self,
        pieces_from: Callable[[int], Iterator[np.ndarray]],
        *,
        name: str,
        rate: int,
        channels: int,
        frames: int,
        start: int = 0,
        path: Path | None = None,
        notes: tuple[str, ...] = (),
    ) -> None:
        self._pieces_from = pieces_from
        self._start = start
        self.name, self.path, self.notes = name, path, notes
        self.rate, self.channels, self.frames = rate, channels, frames

    @classmethod
    def from_samples(cls, samples: np.ndarray, rate: int, name: str = "recording") -> Recording:
        """Make a recording from an array.

        Parameters
        ----------
        samples : numpy.ndarray [channels, time] or [time]
            Full scale is ±1.
        rate : int
            Sampling rate in Hz.
        name : str

        Raises
        ------
        AudioError
            If the array has another shape, holds no samples, or samples that are not finite or
            beyond 2**31, or if the rate is below 1000 Hz.
        """
        array = np.atleast_2d(np.asarray(samples, dtype=np.float32))
        if array.ndim != 2 or array.size == 0:
            raise AudioError(
                f"{name}: samples have shape {np.shape(samples)}; [channels, time] is needed"
            )
        _check_rate(rate, name)
        _check_samples(array, name)
        channels, frames = array.shape
        return cls(
            lambda frame: iter((array[:, frame:],)),
            name=name,
            rate=int(rate),
            channels=channels,
            frames=frames,
        )

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return self.frames / self.rate

    @cached_property
    def samples(self) -> np.ndarray:
        """All samples, float32 [channels, time], full scale ±1; read on first use."""
        blocks = list(self.blocks(self.duration_s))
        return np.ascontiguousarray(blocks[0])

    def blocks(self, seconds: float = 10.0) -> Iterator[np.ndarray]:
        """Yield the samples in order, float32 [channels, n], never the whole at once.

        Parameters
        ----------
        seconds : float
            Length of a block; the last one may be shorter.

        Raises
        ------
        AudioError
            If the file ends, or cannot be decoded, before the end.
        """
        size = max(round(seconds * self.rate), 1)
        left = self.frames
        held: list[np.ndarray] = []
        held_frames = 0
        for piece in self._pieces_from(self._start):
            piece = piece[:, : left - held_frames]
            held.append(piece)
            held_frames += piece.shape[1]
            if held_frames < min(size, left):
                continue
            joined = np.concatenate(held, axis=1)
            for begin in range(0, held_frames - size + 1, size):
                yield joined[:, begin : begin + size]
            rest = held_frames % size
            left -= held_frames - rest
            if rest == left:
                if rest:
                    yield joined[:, -rest:]
                return
            held, held_frames = [joined[:, held_frames - rest :]], rest
        raise AudioError(
            f"{self.name} ends {(left - held_frames) / self.rate:.2f} s early: the file is "
            "truncated or was changed after it was opened"
        )

    def cut(self, start_s: float, seconds: float) -> Recording:
        """Return the part from `start_s` on, at most `seconds` long.

        Raises
        ------
        AudioError
            If nothing would be left.
        """
        begin = round(start_s * self.rate)
        frames = min(round(seconds * self.rate), self.frames - begin)
        if begin < 0 or frames <= 0:
            raise AudioError(
                f"{self.name}: no sound in the part from {start_s:g} s, {seconds:g} s long; the "
                f"recording lasts {self.duration_s:.2f} s"
            )
        return self._derived(start=self._start + begin, frames=frames)

    def resampled(self, rate: int) -> Recording:
        """Return the recording at another sampling rate (soxr, high quality, streamed).

        Parameters
        ----------
        rate : int
            Wanted rate in Hz.
        """
        if rate == self.rate:
            return self
        frames = max(round(self.frames * rate / self.rate), 1)

        return self._derived(
            pieces_from=lambda frame: skipping(_resampled_pieces(self, rate, frames), frame),
            rate=rate,
            frames=frames,
            start=0,
        )

    def stereo(self) -> Recording:
        """Return two channels: one is doubled; of more than two, the first two are taken."""
        if self.channels == 2:
            return self
        picks = [0, 0] if self.channels == 1 else [0, 1]
        return self._derived(
            pieces_from=lambda frame: (piece[picks] for piece in self._pieces_from(frame)),
            channels=2,
        )

    def mono(self) -> np.ndarray:
        """Return the mean of all channels, float32 [time]."""
        return self.samples.mean(axis=0)

    def check(self) -> Recording:
        """Read through the recording once, in blocks, and note what a person should know.

        Returns
        -------
        Recording
            Itself, with `notes` extended.

        Raises
        ------
        AudioError
            If it is shorter than `MIN_SECONDS`, has fewer than 1000 samples a second, holds
            samples that are NaN, infinite or beyond 2**31, or breaks off.
        """
        _check_rate(self.rate, self.name)
        if self.duration_s < MIN_SECONDS:
            raise AudioError(
                f"{self.name} lasts {self.duration_s:.3f} s; at least {MIN_SECONDS} s are needed"
            )
        inspection = Inspection(self.channels)
        for block in self.blocks():
            _check_samples(block, self.name)
            inspection.see(block)
        self.notes += tuple(note for note in inspection.notes() if note not in self.notes)
        return self

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write a .wav (32-bit float) or .flac (24-bit, clipped at full scale) file.

        Raises
        ------
        OutputError
            If the suffix is another, or the place cannot be written to or is full.
        """
        target = Path(path)
        subtype = _SUBTYPES.get(target.suffix.lower())
        if subtype is None:
            raise OutputError(f"cannot write {target}: the name must end in .wav or .flac")
        form = (self.rate, self.channels, subtype)
        try:
            with (
                replacing(target) as temporary,
                soundfile.SoundFile(str(temporary), "w", *form) as stream,
            ):
                for block in self.blocks():
                    stream.write(block.T)
        except soundfile.LibsndfileError as error:  # libsndfile does not say why
            raise OutputError(f"cannot write {target}: is there space left?") from error
        return target

    def __repr__(self) -> str:
        plural = "" if self.channels == 1 else "s"
        return (
            f"<Recording {self.name!r}: {self.duration_s:.2f} s, {self.channels} channel{plural}, "
            f"{self.rate} Hz>"
        )

    def _repr_html_(self) -> str:
        shown = self.cut(0.0, _PLAYER_SECONDS).stereo()
        flac = io.BytesIO()
        soundfile.write(flac, shown.samples.T, self.rate, format="FLAC", subtype="PCM_16")
        data = base64.b64encode(flac.getvalue()).decode()
        lines = [repr(self)[1:-1], *self.notes]
        if self.duration_s > _PLAYER_SECONDS:
            lines.append(f"the player holds the first {_PLAYER_SECONDS:g} s")
        text = "<br>".join(html.escape(line) for line in lines)
        return f'<audio controls src="data:audio/flac;base64,{data}"></audio><div>{text}</div>'

    def _derived(self, **changes: object) -> Recording:
        same = {
            "pieces_from": self._pieces_from,
            "name": self.name,
            "rate": self.rate,
            "channels": self.channels,
            "frames": self.frames,
            "start": self._start,
            "path": self.path,
            "notes": self.notes,
        }
        return Recording(**(same | changes))


def read_audio(path: str | os.PathLike[str], *, max_seconds: float | None = None) -> Recording:
    """Open and check a sound file, or the sound track of a video.

    The check reads the file once, in blocks; the samples are read again when they are used, so
    that a long recording never sits in memory as a whole.

    Parameters
    ----------
    path : str or os.PathLike
        Anything that libsndfile or FFmpeg reads, at any rate, with one or more channels.
    max_seconds : float, optional
        Keep only the first seconds; the recording's notes say so.

    Returns
    -------
    Recording
        With `notes` about silence, clipping, dead or equal channels, and cuts.

    Raises
    ------
    AudioError
        If the file is missing, a folder, not audio, truncated, empty, without a sound track,
        shorter than `MIN_SECONDS`, has fewer than 1000 samples a second, or holds samples that
        are NaN, infinite or beyond 2**31.
    """
    if max_seconds is not None:
        check_max_seconds(max_seconds)
    file = open_audio(Path(path))
    limit = None if max_seconds is None else round(max_seconds * file.rate)
    if limit is not None and file.promised_frames is not None and file.promised_frames > limit:
        frames, cut = limit, True
    else:
        frames, cut = decodable_frames(file, limit)
    if frames == 0:
        raise AudioError(f"{path} holds no samples; give a file with sound in it")
    notes = file.notes
    if cut:
        whole = f" of {file.promised_frames / file.rate:.2f} s" if file.promised_frames else ""
        notes += (f"cut to the first {frames / file.rate:.2f} s{whole}",)
    return Recording(
        file.pieces_from,
        name=file.path.name,
        rate=file.rate,
        channels=file.channels,
        frames=frames,
        path=file.path,
        notes=notes,
    ).check()


def check_max_seconds(max_seconds: float) -> None:
    """Refuse a length that no recording can be cut to.

    Raises
    ------
    AudioError
    """
    if not MIN_SECONDS <= max_seconds < np.inf:
        raise AudioError(
            f"max_seconds is {max_seconds:g}; it must be at least {MIN_SECONDS} s and finite"
        )


def _resampled_pieces(recording: Recording, rate: int, frames: int) -> Iterator[np.ndarray]:
    import soxr

    stream = soxr.ResampleStream(
        recording.rate, rate, recording.channels, dtype="float32", quality="HQ"
    )
    left = frames
    for block in recording.blocks():
        piece = stream.resample_chunk(np.ascontiguousarray(block.T)).T[:, :left]
        left -= piece.shape[1]
        yield piece
    tail = stream.resample_chunk(np.zeros((0, recording.channels), np.float32), last=True).T
    # The stream's length is rounded its own way: at most a frame is missing or too much.
    yield np.pad(tail[:, :left], ((0, 0), (0, max(left - tail.shape[1], 0))))


def _check_rate(rate: int, name: str) -> None:
    """Refuse a sampling rate that no cue can be measured at."""
    if rate < _LOWEST_HZ:
        raise AudioError(
            f"{name}: the sampling rate is {rate} Hz; at least {_LOWEST_HZ} Hz are needed"
        )


def _check_samples(samples: np.ndarray, name: str) -> None:
    """Refuse samples that cannot be measured."""
    if not np.isfinite(samples).all():
        raise AudioError(
            f"{name} holds samples that are NaN or infinite; every sample must be a finite number"
        )
    if samples.size and (peak := float(np.abs(samples).max())) > _LOUDEST:
        raise AudioError(
            f"{name} holds samples of up to {peak:.3g}, where 1 is full scale; divide them by what "
            "full scale is in the file"
        )
