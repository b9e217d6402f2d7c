"""What a person should know about a recording before trusting it: found block by block."""

from __future__ import annotations

import numpy as np

__all__ = ["Inspection"]

_SILENT_PEAK = 10 ** (-70 / 20)
_DEAD_PEAK = 10 ** (-80 / 20)
_FULL_SCALE = 0.999
_OFFSET = 0.01
_CLIPPED_RUN = 3  # samples in a row at full scale: a single one is a peak, not clipping


class Inspection:
    """Looks at the blocks of a recording in turn, then tells what it noticed.

    Parameters
    ----------
    channels : int
    """

    def __init__(self, channels: int) -> None:
        self._peaks = np.zeros(channels)
        self._sums, self._seen = np.zeros(channels), 0
        self._clipped = 0
        self._twins = channels == 2

    def see(self, block: np.ndarray) -> None:
        """Take in one block of finite samples, [channels, n]."""
        self._peaks = np.maximum(self._peaks, np.abs(block).max(axis=1))
        self._sums += block.sum(axis=1, dtype=np.float64)
        self._seen += block.shape[1]
        self._clipped += sum(_clipped_samples(channel) for channel in block)
        self._twins = self._twins and bool(np.array_equal(block[0], block[1]))

    def notes(self) -> list[str]:
        """Return one sentence for each thing noticed: silence, clipping, dead channels, ..."""
        peaks = self._peaks
        if peaks.max() < _SILENT_PEAK:
            return ["silence: no sample above -70 dB of full scale"]
        found = []
        if self._clipped:
            found.append(
                f"clipping: {self._clipped} samples at full scale, levels there are too low"
            )
        offset = float(np.abs(self._sums).max()) / max(self._seen, 1)
        if offset > _OFFSET:
            found.append(f"DC offset of {offset:.2f} of full scale: left out of levels")
        if len(peaks) == 1:
            found.append("one channel: no direction can be heard")
        if len(peaks) > 2:
            unless = ", unless they are read as ambisonics" if len(peaks) == 4 else ""
            found.append(
                f"{len(peaks)} channels: the first two are taken as left and right{unless}"
            )
        dead = [str(number) for number, peak in enumerate(peaks, 1) if peak < _DEAD_PEAK]
        if dead:
            found.append(f"dead channel: nothing above -80 dB of full scale in {', '.join(dead)}")
        if self._twins:
            found.append("both channels are the same: what was recorded is mono")
        return found


def _clipped_samples(channel: np.ndarray) -> int:
    high = np.concatenate(([0], (np.abs(channel) >= _FULL_SCALE).astype(np.int8), [0]))
    edges = np.flatnonzero(np.diff(high))
    runs = edges[1::2] - edges[::2]
    return int(runs[runs >= _CLIPPED_RUN].sum())
