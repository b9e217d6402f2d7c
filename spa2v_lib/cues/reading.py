"""How to read directions from a recording, and what is wrong with its channels."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from spa2v_lib.cues.interaural import Interaural
from spa2v_lib.cues.recognition import guess_capture
from spa2v_lib.cues.types import CaptureGuess

__all__ = ["INVERTED", "Reading", "read_channels"]

INVERTED = "one channel's polarity is inverted: put right before directions were read"
"""The note of a recording whose channels have opposite polarity."""

_FRONT = (
    "front assumed: two channels cannot tell front from back, so every azimuth may as well be its "
    "mirror image behind the microphone"
)


@dataclass(frozen=True)
class Reading:
    """How a recording is read.

    Attributes
    ----------
    heard : Interaural
        With an inverted channel put right.
    guess : CaptureGuess
    sure : bool
        Whether the format was named by the caller.
    directed : bool
        Whether directions can be claimed.
    spread : bool
        Whether the channels differ, so that sources may be told apart.
    sign : float
        -1 where the right channel had to be put right.
    """

    heard: Interaural
    guess: CaptureGuess
    sure: bool
    directed: bool
    spread: bool
    sign: float = 1.0


def read_channels(
    heard: Interaural, active: np.ndarray, channels: int, capture: str, notes: list[str]
) -> Reading:
    """Decide how to read directions, and add to the notes what is wrong with the channels.

    Parameters
    ----------
    heard : Interaural
    active : ndarray of bool [frames]
    channels : int
    capture : str
        One of `spa2v_lib.cues.types.CAPTURES`, or "auto".
    notes : list of str

    Returns
    -------
    Reading
    """
    if channels == 1 or capture == "mono":
        notes.append("no direction is claimed: mono")
        return _mono(heard, "one channel is heard")
    if capture == "foa":
        guess = CaptureGuess(format="foa", confidence=1.0, note="four channels")
        return Reading(heard, guess, sure=True, directed=bool(active.any()), spread=True)
    if not active.any():
        name = "panned" if capture == "auto" else capture
        guess = CaptureGuess(format=name, confidence=0.0, note="silence: nothing to tell from")
        return Reading(heard, guess, sure=False, directed=False, spread=False)
    left, right = heard.left.sum(), heard.right.sum()
    if min(left, right) < 1e-6 * max(left, right):
        name = "left" if left < right else "right"
        notes.append(f"no direction is claimed: the {name} channel is dead")
        return _mono(heard, f"the {name} channel is dead")
    sign = 1.0
    if _inverted(heard, active):
        notes.append(INVERTED)
        heard = replace(heard, gcc=-heard.gcc, cross=-heard.cross, aligned=-heard.aligned)
        sign = -1.0
    side = (heard.left + heard.right - 2.0 * heard.cross).sum()
    spread = bool(side >= 1e-5 * (left + right))
    if not spread:
        notes.append("both channels are the same: the source is placed in the centre")
    notes.append(_FRONT)
    sure = capture != "auto"
    guess = (
        CaptureGuess(format=capture, confidence=1.0, note="as named")
        if sure
        else guess_capture(heard, np.where(active, heard.coherence**2, 0.0))
    )
    return Reading(heard, guess, sure=sure, directed=True, spread=spread, sign=sign)


def _mono(heard: Interaural, note: str) -> Reading:
    guess = CaptureGuess(format="mono", confidence=1.0, note=note)
    return Reading(heard, guess, sure=True, directed=False, spread=False)


def _inverted(heard: Interaural, active: np.ndarray) -> bool:
    gcc = heard.gcc[active]
    return bool(-gcc.min(1).mean() > max(0.35, 1.4 * gcc.max(1).mean()))
