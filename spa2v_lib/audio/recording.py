"""A `Recording`: read lazily and in blocks, checked before any work starts, written, played."""

from __future__ import annotations

import copy
import os
from collections.abc import Callable, Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from spa2v_lib.audio.arrays import as_samples, split_pair
from spa2v_lib.audio.inspection import Inspection, check_duration, check_rate, check_samples
from spa2v_lib.audio.output import PLAYER_SECONDS, player_html, write_sound
from spa2v_lib.audio.pieces import fold_gains, regrouped, resampled, skipping
from spa2v_lib.errors import AudioError

__all__ = ["Recording"]


class Recording:
    """Sound in one or more channels; samples are read when they are first needed.

    Made by `spa2v_lib.audio.read_audio` or `Recording.from_samples`.

    Attributes
    ----------
    name : str
        File name, or the name given, fit to be printed.
    path : pathlib.Path or None
        The file that it was read from.
    rate : int
        Sampling rate in Hz, at least 1000.
    channels : int
        Number of channels; two are left and right.
    frames : int
        Samples per channel.
    notes : tuple of str
        What a person should know about it: silence, clipping, a dead channel, missing sound.
    channel_layout : tuple of str
        One name per channel where the file names them, else empty. Loudspeaker channels have
        FFmpeg's names and WAV's order, left and right first: "FL", "FR", "FC", "LFE", "BL", "BR",
        … Ambisonic ones are "AMBI0", "AMBI1", … (ACN order, SN3D) or, in a FuMa file, "W", "X",
        "Y", "Z", ….
    silent_channels : tuple of int
        Indices, from 0, of the channels that hold nothing above -80 dB of full scale; known once
        the recording was checked.

    See Also
    --------
    spa2v_lib.audio.decoding.read_audio : from a file.
    spa2v_lib.cues.extract_cues : what is where, and when.

    Examples
    --------
    >>> import numpy as np
    >>> recording = Recording.from_samples(np.zeros((2, 44100), np.int16), 44100)
    >>> recording
    <Recording 'recording': 1.00 s, 2 channels, 44100 Hz>
    >>> recording.cut(0.25, 0.5).samples.shape
    (2, 22050)
    """

    def __init__(
        self,
        pieces_from: Callable[[int], Iterator[np.ndarray]],
        *,
        name: str,
        rate: int,
        channels: int,
        frames: int,
        path: Path | None = None,
        notes: tuple[str, ...] = (),
        channel_layout: tuple[str, ...] = (),
        silent_channels: tuple[int, ...] = (),
    ) -> None:
        self._pieces_from = pieces_from
        self._start = 0
        self.silent_channels = silent_channels
        self.name, self.path, self.notes, self.channel_layout = name, path, notes, channel_layout
        self.rate, self.channels, self.frames = rate, channels, frames

    @classmethod
    def from_samples(
        cls, samples: Any, rate: int | None = None, name: str = "recording"
    ) -> Recording:
        """Make a recording from an array, or from a pair of an array and its rate.

        Parameters
        ----------
        samples : array_like or tuple
            NumPy array, torch tensor or nested sequence, [channels, time] or [time]; [time,
            channels] is recognised where it is certain (over 64 rows, at most 64 columns).
            Integers are scaled by the range of their type; the full scale of floats is ±1. Or a
            pair of such an array and the rate, in either order, as audio libraries return it.
        rate : int, optional
            Sampling rate in Hz, at least 1000; needed unless `samples` is a pair.
        name : str
            What messages and reports call it.

        Returns
        -------
        Recording

        Raises
        ------
        AudioError
            If the array has another shape, holds no samples, is not of real numbers, or has
            samples that are not finite or beyond 2**31, or if the rate is missing or below
            1000 Hz.

        See Also
        --------
        spa2v_lib.audio.decoding.read_audio : reads files, also those that other libraries do not.

        Examples
        --------
        From an array, here two seconds that are louder on the right:

        >>> import numpy as np
        >>> noise = np.random.default_rng(0).normal(0, 0.1, 88_200)
        >>> recording = Recording.from_samples(np.stack([0.5 * noise, noise]), 44_100)
        >>> recording.channels, recording.duration_s
        (2, 2.0)

        From what soundfile and SciPy read: [time, channels], as floats or integers:

        >>> import io, scipy.io.wavfile, soundfile
        >>> file = io.BytesIO()
        >>> soundfile.write(file, recording.samples.T, 44_100, format="WAV", subtype="PCM_16")
        >>> _ = file.seek(0)
        >>> Recording.from_samples(soundfile.read(file)).samples.shape
        (2, 88200)
        >>> _ = file.seek(0)
        >>> Recording.from_samples(scipy.io.wavfile.read(file)).samples.shape
        (2, 88200)

        From librosa and torchaudio, which give [channels, time]; let librosa keep both channels:

        >>> import librosa, torchaudio  # doctest: +SKIP
        >>> Recording.from_samples(librosa.load("a.wav", sr=None, mono=False))  # doctest: +SKIP
        >>> Recording.from_samples(torchaudio.load("a.wav"))  # doctest: +SKIP
        """
        samples, rate = split_pair(samples, rate, name)
        array = as_samples(samples, name)
        rate = check_rate(rate, name)
        check_samples(array, name)
        channels, frames = array.shape
        return cls(
            lambda frame: iter((array[:, frame:],)),
            name=name,
            rate=rate,
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
            Length of a block in seconds; the last one may be shorter.

        Yields
        ------
        numpy.ndarray

        Raises
        ------
        AudioError
            If the file ends, or cannot be decoded, before the end.
        """
        size = max(round(seconds * self.rate), 1)
        left = self.frames
        for block in regrouped(self._pieces_from(self._start), size, self.frames):
            left -= block.shape[1]
            yield block
        if left:
            raise AudioError(
                f"{self.name} ends {left / self.rate:.2f} s early: the file is truncated or was "
                "changed after it was opened"
            )

    def cut(self, start_s: float, seconds: float) -> Recording:
        """Return a part of the recording; nothing is read yet.

        Parameters
        ----------
        start_s : float
            Where it begins, in seconds; 0 or more.
        seconds : float
            Its length in seconds; what reaches beyond the end is left out.

        Returns
        -------
        Recording

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
        return self._derived(_start=self._start + begin, frames=frames)

    def resampled(self, rate: int) -> Recording:
        """Return the recording at another sampling rate (soxr, high quality, streamed).

        Parameters
        ----------
        rate : int
            In Hz.

        Returns
        -------
        Recording
            Of the same length; itself if it has that rate.
        """
        if rate == self.rate:
            return self
        frames = max(round(self.frames * rate / self.rate), 1)
        rates = (self.rate, rate)
        return self._derived(
            _pieces_from=lambda frame: skipping(
                resampled(self.blocks(), rates, self.channels, frames), frame
            ),
            rate=rate,
            frames=frames,
            _start=0,
        )

    def stereo(self, *, fold: bool = True) -> Recording:
        """Return two channels: one is doubled; more are folded by their names, or the first two.

        Parameters
        ----------
        fold : bool
            Whether loudspeaker channels are added as ITU-R BS.775-3 has it: centre and surround
            3 dB down on their sides, without the low-frequency channel.
        """
        if self.channels == 2:
            return self
        if fold and self.channels > 2 and self.channel_layout[:2] == ("FL", "FR"):
            gains = fold_gains(self.channel_layout)
            return self._derived(
                _pieces_from=lambda frame: (gains @ piece for piece in self._pieces_from(frame)),
                channels=2,
                channel_layout=("FL", "FR"),
                silent_channels=(),
            )
        picks = [0, 0] if self.channels == 1 else [0, 1]
        return self._derived(
            _pieces_from=lambda frame: (piece[picks] for piece in self._pieces_from(frame)),
            channels=2,
            channel_layout=tuple(self.channel_layout[pick] for pick in picks)
            if self.channels > 2 and self.channel_layout
            else (),
            silent_channels=tuple(
                side for side, pick in enumerate(picks) if pick in self.silent_channels
            ),
        )

    def mono(self) -> np.ndarray:
        """Return the mean of all channels, float32 [time]."""
        return self.samples.mean(axis=0)

    def check(self) -> Recording:
        """Read through the recording once, in blocks, and note what a person should know.

        Returns
        -------
        Recording
            Itself, with `notes` and `silent_channels` filled.

        Raises
        ------
        AudioError
            If it is shorter than `MIN_SECONDS`, has fewer than 1000 samples a second, holds
            samples that are NaN, infinite or beyond 2**31, or breaks off.
        """
        check_rate(self.rate, self.name)
        check_duration(self.duration_s, self.name)
        inspection = Inspection(self.channels, self.name)
        for block in self.blocks():
            inspection.update(block)
        self.silent_channels = inspection.silent_channels()
        found = inspection.notes(self.channel_layout)
        self.notes += tuple(note for note in found if note not in self.notes)
        return self

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write a .wav (32-bit float) or .flac (24-bit, clipped at full scale) file.

        Parameters
        ----------
        path : str or os.PathLike
            Missing folders are made.

        Returns
        -------
        pathlib.Path
            `path`.

        Raises
        ------
        OutputError
            If the suffix is another, or the place cannot be written to or is full.
        """
        return write_sound(Path(path), self.blocks(), self.rate, self.channels)

    def __repr__(self) -> str:
        plural = "" if self.channels == 1 else "s"
        return (
            f"<Recording {self.name!r}: {self.duration_s:.2f} s, {self.channels} channel{plural}, "
            f"{self.rate} Hz>"
        )

    def _repr_html_(self) -> str:
        part = self.cut(0.0, PLAYER_SECONDS).stereo()
        lines = [repr(self)[1:-1], *self.notes]
        if self.duration_s > PLAYER_SECONDS:
            lines.append(f"the player holds the first {PLAYER_SECONDS:g} s")
        return player_html(part.samples, self.rate, lines)

    def _derived(self, **changes: object) -> Recording:
        made = copy.copy(self)
        vars(made).pop("samples", None)  # those of the whole, if they were read
        vars(made).update(changes)
        return made
