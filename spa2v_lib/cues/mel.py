"""The mel bands that tagging hears through."""

from __future__ import annotations

import numpy as np

__all__ = ["MEL_BANDS", "MEL_EDGES_HZ", "mel_triangles"]

MEL_BANDS = 40
"""Mel bands that the tagger hears through."""

MEL_EDGES_HZ = 700.0 * (
    10.0 ** np.linspace(np.log10(1.0 + 60.0 / 700.0), np.log10(1.0 + 7800.0 / 700.0), MEL_BANDS + 2)
    - 1.0
)
"""Ends and peaks of the mel bands' triangles, evenly spaced in mel."""


def mel_triangles(hz: np.ndarray) -> np.ndarray:
    """Return the weight of frequencies [n] in each mel band, with peaks of 1 [n, MEL_BANDS].

    The same as librosa's filters on the HTK scale, without what importing librosa costs: for a
    short recording more time and memory than all of hearing.
    """
    below, centre, above = MEL_EDGES_HZ[:-2], MEL_EDGES_HZ[1:-1], MEL_EDGES_HZ[2:]
    rise = (hz[:, None] - below) / (centre - below)
    fall = (above - hz[:, None]) / (above - centre)
    return np.maximum(np.minimum(rise, fall), 0.0).astype(np.float32)
