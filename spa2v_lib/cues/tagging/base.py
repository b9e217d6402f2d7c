"""What every tagger returns, and what a tagger is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np

if TYPE_CHECKING:
    from spa2v_lib.audio.recording import Recording

__all__ = ["UNKNOWN", "Answers", "Tagger"]

UNKNOWN = "unknown"
"""The label of what a tagger does not know."""


@dataclass(frozen=True)
class Answers:
    """Chances of each label in each excerpt of a sound.

    Attributes
    ----------
    labels : tuple of str
        `UNKNOWN` among them.
    start_s, end_s : ndarray [excerpts]
        Where the excerpts lie, in seconds; they may overlap and leave silence out.
    chance : ndarray [excerpts, labels]
        Each in [0, 1].
    """

    labels: tuple[str, ...]
    start_s: np.ndarray
    end_s: np.ndarray
    chance: np.ndarray


@runtime_checkable
class Tagger(Protocol):
    """Something that can say what sounds.

    Attributes
    ----------
    name : str
        As messages call it.
    threshold : float
        A label less likely than this is not claimed.
    """

    name: str
    threshold: float

    def answers(self, sound: Recording) -> Answers:
        """Listen to a sound, excerpt by excerpt; no excerpts if it is silent."""
