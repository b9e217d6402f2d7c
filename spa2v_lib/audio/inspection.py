"""Which recordings are accepted, and what a person should know about one before trusting it."""

from __future__ import annotations

from typing import Any

import numpy as np

from spa2v_lib.errors import AudioError

__all__ = [
    "MIN_SECONDS",
    "Inspection",
    "check_duration",
    "check_max_seconds",
    "check_rate",
    "check_samples",
]

MIN_SECONDS = 0.25
"""Shortest recording that is accepted, in seconds."""

# Below it no direction can be measured, and the cues' frequency bands are empty.
_LOWEST_HZ = 1000

_SILENT_PEAK = 10 ** (-70 / 20)
_DEAD_PEAK = 10 ** (-80 / 20)
_FULL_SCALE = 0.999
_OVER, _FAR_OVER = 1.001, 2.0
_OFFSET = 0.01
_CLIPPED_RUN = 3  # samples in a row at full scale: a single one is a peak, not clipping
# Full scale of 32-bit integers, which some keep as floats; of what is louder, powers overflow.
_LOUDEST = 2.0**31


def check_rate(rate: Any, name: str) -> int:
    """Refuse a sampling rate that no cue can be measured at.

    Parameters
    ----------
    rate : int
        In Hz; any object that may be one.
    name : str
        What the message calls the recording.

    Returns
    -------
    int

    Raises
    ------
    AudioError
        If it is not a whole number, or below 1000 Hz.

    Examples
    --------
    >>> check_rate(44100.0, "a.wav")
    44100
    """
    number = np.asarray(rate)
    if number.ndim or number.dtype.kind not in "iuf" or not float(number).is_integer():
        raise AudioError(f"{name}: the sampling rate is {rate!r:.40}; a whole number is needed")
    if rate < _LOWEST_HZ:
        raise AudioError(
            f"{name}: the sampling rate is {rate} Hz; at least {_LOWEST_HZ} Hz are needed"
        )
    return int(rate)


def check_duration(duration_s: float, name: str) -> None:
    """Refuse a recording that is too short to be measured.

    Parameters
    ----------
    duration_s : float
        Its length in seconds.
    name : str
        What the message calls it.

    Raises
    ------
    AudioError
        If it is shorter than `MIN_SECONDS`.

    Examples
    --------
    >>> check_duration(0.1, "a.wav")
    Traceback (most recent call last):
    spa2v_lib.errors.AudioError: a.wav lasts 0.100 s; at least 0.25 s are needed
    """
    if duration_s < MIN_SECONDS:
        raise AudioError(f"{name} lasts {duration_s:.3f} s; at least {MIN_SECONDS} s are needed")


def check_max_seconds(max_seconds: float) -> None:
    """Refuse a length that no recording can be cut to.

    Raises
    ------
    AudioError

    Parameters
    ----------
    max_seconds : float
        Length in seconds.

    Examples
    --------
    >>> check_max_seconds(30.0)
    >>> check_max_seconds(float("inf"))
    Traceback (most recent call last):
    spa2v_lib.errors.AudioError: max_seconds is inf; it must be at least 0.25 s and finite
    """
    if not MIN_SECONDS <= max_seconds < np.inf:
        raise AudioError(
            f"max_seconds is {max_seconds:g}; it must be at least {MIN_SECONDS} s and finite"
        )


def check_samples(samples: np.ndarray, name: str) -> None:
    """Refuse samples that cannot be measured.

    Parameters
    ----------
    samples : numpy.ndarray [channels, time]
        Full scale is ±1.
    name : str
        What the message calls the recording.

    Raises
    ------
    AudioError
        If a sample is not finite, or beyond 2**31 where 1 is full scale.

    See Also
    --------
    Inspection : Checks a recording block by block.

    Examples
    --------
    >>> check_samples(np.array([[0.0, np.nan]]), "a.wav")
    Traceback (most recent call last):
    spa2v_lib.errors.AudioError: a.wav holds samples that are NaN or infinite; ...
    """
    if not np.isfinite(samples).all():
        raise AudioError(
            f"{name} holds samples that are NaN or infinite; every sample must be a finite number"
        )
    if samples.size and (peak := float(np.abs(samples).max())) > _LOUDEST:
        raise AudioError(
            f"{name} holds samples of up to {peak:.3g}, where 1 is full scale; divide them by what "
            "full scale is in the file"
        )


class Inspection:
    """Looks at the blocks of a recording in turn, and sums up what they have shown.

    Parameters
    ----------
    channels : int
        Number of channels of every block.
    name : str
        What messages call the recording.
    floating : bool
        Whether the samples are floating-point ones, which may exceed full scale unclipped.

    Examples
    --------
    >>> inspection = Inspection(2, "a.wav")
    >>> inspection.update(np.zeros((2, 100), np.float32))
    >>> inspection.notes()
    ['silence: no sample above -70 dB of full scale']
    """

    def __init__(self, channels: int, name: str, floating: bool = True) -> None:
        self._name, self._floating = name, floating
        self._peaks = np.zeros(channels)
        self._sums, self._count = np.zeros(channels), 0
        self._clipped = 0
        self._identical = channels == 2

    def update(self, block: np.ndarray) -> None:
        """Take in one block of samples.

        Parameters
        ----------
        block : numpy.ndarray [channels, n]

        Raises
        ------
        AudioError
            If a sample cannot be measured; see `check_samples`.
        """
        if not block.shape[1]:
            return
        check_samples(block, self._name)
        self._peaks = np.maximum(self._peaks, np.abs(block).max(axis=1))
        self._sums += block.sum(axis=1, dtype=np.float64)
        self._count += block.shape[1]
        self._clipped += sum(_clipped_samples(channel) for channel in block)
        self._identical = self._identical and bool(np.array_equal(block[0], block[1]))

    def silent_channels(self) -> tuple[int, ...]:
        """Return the indices, from 0, of channels without a sample above -80 dB of full scale."""
        return tuple(int(index) for index in np.flatnonzero(self._peaks < _DEAD_PEAK))

    def notes(self, channel_layout: tuple[str, ...] = ()) -> list[str]:
        """Return one sentence for each finding: silence, clipping, dead channels, ...

        Parameters
        ----------
        channel_layout : tuple of str
            Names of the channels, if known.
        """
        peak = float(self._peaks.max())
        if peak < _SILENT_PEAK:
            return ["silence: no sample above -70 dB of full scale"]
        notes = [*self._level_notes(peak), *_channel_notes(len(self._peaks), channel_layout)]
        if silent := self.silent_channels():
            numbers = ", ".join(str(index + 1) for index in silent)
            notes.append(f"dead channel: nothing above -80 dB of full scale in {numbers}")
        if self._identical:
            notes.append("both channels are the same: what was recorded is mono")
        return notes

    def _level_notes(self, peak: float) -> list[str]:
        notes = []
        # What lossy codecs decode exceeds full scale a little where the original was clipped.
        over = peak > (_OVER if self._floating else _FAR_OVER)
        if over:
            notes.append(
                f"peaks are {20 * np.log10(peak):.1f} dB over full scale: kept as they are"
            )
        elif self._clipped:
            notes.append(
                f"clipping: {self._clipped} samples at full scale, levels there are too low"
            )
        scale, unit = (peak, "the peak") if over else (1.0, "full scale")
        offset = float(np.abs(self._sums).max()) / max(self._count, 1) / scale
        if offset > _OFFSET:
            notes.append(f"DC offset of {offset:.2f} of {unit}: left out of levels")
        return notes


def _channel_notes(count: int, layout: tuple[str, ...]) -> list[str]:
    if count == 1:
        return ["one channel: it holds no direction"]
    if count == 2:
        return []
    if "".join(layout[:3]) == "WXY":
        return [f"{count} channels: B-format in the order and scale of FuMa, as the file states"]
    unless = ", unless they are read as ambisonics" if count == 4 else ""
    if layout[:2] == ("FL", "FR"):
        return [
            f"{count} channels ({' '.join(layout)}): left and right are measured, and the others "
            f"folded into them where they are louder{unless}"
        ]
    return [f"{count} channels: the first two are taken as left and right{unless}"]


def _clipped_samples(channel: np.ndarray) -> int:
    high = np.concatenate(([0], (np.abs(channel) >= _FULL_SCALE).astype(np.int8), [0]))
    edges = np.flatnonzero(np.diff(high))
    runs = edges[1::2] - edges[::2]
    return int(runs[runs >= _CLIPPED_RUN].sum())
