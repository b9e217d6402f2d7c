"""A recording as windows, read in blocks: it is never held as a whole."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import numpy as np

from spa2v_lib.cues.types import HOP_S

if TYPE_CHECKING:
    from spa2v_lib.audio.recording import Recording

__all__ = [
    "PER_FRAME",
    "WINDOW_STEP_S",
    "frame_blocks",
    "window_size",
    "window_start",
    "windowed",
]

WINDOW_STEP_S = 0.025
"""Seconds from one short-time spectrum to the next; each spans twice as long."""

PER_FRAME = round(HOP_S / WINDOW_STEP_S)
"""Short-time spectra of a cue frame."""


def window_size(rate: int) -> int:
    """Return the samples of a short-time spectrum's window, an even number.

    Parameters
    ----------
    rate : int
        In Hz.

    Examples
    --------
    >>> window_size(16_000)
    800
    """
    return max(8, 2 * round(WINDOW_STEP_S * rate))


def window_start(window: int, rate: int) -> int:
    """Return the sample at which a window begins; the first ones begin before the recording.

    Parameters
    ----------
    window : int
        Its number, from 0.
    rate : int
        In Hz.

    Examples
    --------
    >>> [window_start(number, 16_000) for number in range(3)]
    [-200, 200, 600]
    """
    return round((window + 0.5) * WINDOW_STEP_S * rate) - window_size(rate) // 2


def frame_blocks(
    recording: Recording, pick: Callable[[np.ndarray], np.ndarray], block_s: float
) -> Iterator[tuple[np.ndarray, int, int, int]]:
    """Yield a recording in pieces that hold whole frames with all of their windows.

    Parameters
    ----------
    recording : Recording
        At any sampling rate.
    pick : callable
        Takes a block [channels, n] and returns the channels that are wanted.
    block_s : float
        Seconds read at a time; above 0.

    Yields
    ------
    samples : ndarray [channels, n]
    first : int
        Sample of the recording at which they begin.
    start, stop : int
        Frames that they hold.

    See Also
    --------
    windowed : Windows at any places.

    Examples
    --------
    >>> import numpy as np
    >>> from spa2v_lib.audio import Recording
    >>> second = Recording.from_samples(np.zeros((2, 8000)), 8000)
    >>> [(start, stop) for _, _, start, stop in frame_blocks(second, lambda block: block, 0.5)]
    [(0, 4), (4, 9), (9, 10)]
    """
    rate = recording.rate
    pending, first, done = None, 0, 0
    for block in recording.blocks(block_s):
        picked = pick(block)
        pending = picked if pending is None else np.concatenate([pending, picked], axis=1)
        ready = _frames_within(first + pending.shape[1], rate)
        if ready > done:
            yield pending, first, done, ready
            done = ready
            keep = max(0, window_start(done * PER_FRAME, rate) - first)
            pending, first = pending[:, keep:], first + keep
    total = max(1, round((first + pending.shape[1]) / (rate * HOP_S)))
    if total > done:
        tail = int(rate * (HOP_S + 2.0 * WINDOW_STEP_S))
        yield np.pad(pending, ((0, 0), (0, tail))), first, done, total


def _frames_within(samples: int, rate: int) -> int:
    """Return how many whole frames, from the start, need no sample beyond `samples`."""
    count = int(samples / (rate * HOP_S))
    while count > 0 and window_start(count * PER_FRAME - 1, rate) + window_size(rate) > samples:
        count -= 1
    return count


def windowed(
    recording: Recording, starts: np.ndarray, size: int, group: int
) -> Iterator[np.ndarray]:
    """Yield the windows of a recording, some at a time; outside it is silence.

    Parameters
    ----------
    recording : Recording
        At any sampling rate.
    starts : ndarray of int
        Samples at which the windows begin, rising; they may be negative, and lie past the end.
    size : int
        Samples of a window.
    group : int
        Windows at a time, at least 1.

    Yields
    ------
    ndarray [channels, up to `group`, size]

    See Also
    --------
    frame_blocks : Blocks of whole cue frames.

    Examples
    --------
    >>> from spa2v_lib.audio import Recording
    >>> ramp = Recording.from_samples(np.arange(4000.0) / 4000, 8000)
    >>> [part.shape for part in windowed(ramp, np.arange(-100, 4000, 1000), 400, group=3)]
    [(1, 3, 400), (1, 2, 400)]
    """
    blocks = recording.blocks(5.0)
    pending, first = np.zeros((recording.channels, 0), np.float32), 0
    for begin in range(0, len(starts), group):
        chunk = starts[begin : begin + group]
        while first + pending.shape[1] < chunk[-1] + size:
            block = next(blocks, None)
            if block is None:
                break
            pending = np.concatenate([pending, block], axis=1)
        drop = int(np.clip(chunk[0] - first, 0, pending.shape[1]))
        pending, first = pending[:, drop:], first + drop
        before = max(0, first - int(chunk[0]))
        after = max(0, int(chunk[-1]) + size - first - pending.shape[1])
        padded = np.pad(pending, ((0, 0), (before, after)))
        yield padded[:, (chunk - first + before)[:, None] + np.arange(size)]
