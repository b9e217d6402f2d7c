"""The hearing stage as one function: `extract_cues`."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from spa2v_lib.classes import CLASSES
from spa2v_lib.cues.capture import guess_capture
from spa2v_lib.cues.interaural import LAGS_S, Interaural, measure
from spa2v_lib.cues.motion import judge_motion, repetition
from spa2v_lib.cues.sources import Track, activity, track_azimuth
from spa2v_lib.cues.tagging import UNKNOWN, Tag, tag
from spa2v_lib.cues.types import CAPTURES, CaptureGuess, SourceTrack, SpatialCues
from spa2v_lib.errors import CueError

if TYPE_CHECKING:
    from spa2v_lib.audio import Recording

__all__ = ["extract_cues"]

_FRONT = (
    "front assumed: two channels cannot tell front from back, so every azimuth may as well be its "
    "mirror image behind the microphone"
)
_IMAGE_SWEEP_DEG = 6.0  # an image between loudspeakers moves less than what was recorded


def extract_cues(
    recording: Recording, *, label: str | None = None, capture: str = "auto"
) -> SpatialCues:
    """Measure what sounds where in a recording.

    Parameters
    ----------
    recording : Recording
        One or two channels; of more, the first two are heard.
    label : str, optional
        What the source is. Any word is taken; without it the embedded tagger answers.
    capture : str
        How it was recorded: one of `CAPTURES`, or "auto" to let the recording decide.

    Returns
    -------
    SpatialCues
        One dominant source; none if the recording is silent.

    Raises
    ------
    CueError
        If `capture` is not known, or the recording is too short to hold one frame.
    """
    if capture not in ("auto", *CAPTURES):
        raise CueError(f"no capture format {capture!r}; one of: auto, {', '.join(CAPTURES)}")
    if label is not None and not label.strip():
        raise CueError("the label is empty; name the source or leave the label out")
    heard = measure(recording)
    active = activity(heard)
    notes = list(recording.notes)
    heard, guess, sure, directed = _reading(heard, active, recording.channels, capture, notes)
    sources = []
    if active.any():
        tagged = Tag(label, 1.0, [(label, 1.0)]) if label else tag(heard.mel)
        if tagged.label is None:
            best = [f"{name} {p:.2f}" for name, p in tagged.alternatives if name != UNKNOWN]
            closest = ", ".join(best) or "none"
            notes.append(f"the embedded tagger does not know the sound (closest: {closest})")
        track = track_azimuth(heard, active, guess.format, sure=sure) if directed else None
        sources.append(_source(heard, active, track, tagged, sure))
    else:
        notes.append("silence: no source")
    two = recording.channels > 1
    return SpatialCues(
        recording=recording.name,
        duration_s=recording.duration_s,
        rate=recording.rate,
        channels=recording.channels,
        times_s=_rounded(heard.times_s, 4),
        capture=guess,
        ild_db=_where(np.clip(heard.ild_db, -120.0, 120.0), active & two, 2),
        itd_s=_where(LAGS_S[heard.gcc.argmax(1)], active & directed, 6),
        coherence=_where(heard.coherence, active & two, 3),
        level_db=_rounded(heard.level_db, 2),
        sources=sources,
        notes=notes,
    )


def _reading(
    heard: Interaural, active: np.ndarray, channels: int, capture: str, notes: list[str]
) -> tuple[Interaural, CaptureGuess, bool, bool]:
    """Decide how to read directions, and note what is wrong with the channels.

    Returns
    -------
    heard : Interaural
        With an inverted channel put right.
    guess : CaptureGuess
    sure : bool
        Whether the format was named by the caller.
    directed : bool
        Whether directions can be claimed.
    """
    if channels == 1 or capture == "mono":
        notes.append("no direction is claimed: mono")
        guess = CaptureGuess(format="mono", confidence=1.0, note="one channel is heard")
        return heard, guess, True, False
    if not active.any():
        name = "panned" if capture == "auto" else capture
        guess = CaptureGuess(format=name, confidence=0.0, note="silence: nothing to tell from")
        return heard, guess, False, False
    left, right = heard.left.sum(), heard.right.sum()
    if min(left, right) < 1e-6 * max(left, right):
        name = "left" if left < right else "right"
        notes.append(f"no direction is claimed: the {name} channel is dead")
        guess = CaptureGuess(format="mono", confidence=1.0, note=f"the {name} channel is dead")
        return heard, guess, True, False
    if _inverted(heard, active):
        notes.append("one channel's polarity is inverted: put right before directions were read")
        heard = replace(heard, gcc=-heard.gcc, cross=-heard.cross, aligned=-heard.aligned)
    side = (heard.left + heard.right - 2.0 * heard.cross).sum()
    if side < 1e-5 * (left + right):
        notes.append("both channels are the same: the source is placed in the centre")
    notes.append(_FRONT)
    if capture == "auto":
        return heard, guess_capture(heard, np.where(active, heard.coherence**2, 0.0)), False, True
    return heard, CaptureGuess(format=capture, confidence=1.0, note="as named"), True, True


def _inverted(heard: Interaural, active: np.ndarray) -> bool:
    gcc = heard.gcc[active]
    return bool(-gcc.min(1).mean() > max(0.35, 1.4 * gcc.max(1).mean()))


def _source(
    heard: Interaural, active: np.ndarray, track: Track | None, tagged: Tag, sure: bool
) -> SourceTrack:
    level = 10.0 * np.log10(heard.mel.sum(1) + 1e-12)
    if track is not None:
        level += np.repeat(track.direct_db, len(level) // len(active))
    moved = judge_motion(
        heard.times_s,
        None if track is None else track.azimuth,
        None if track is None else track.error,
        heard.level_db,
        active,
        fine_level_db=level,
        repeat=repetition(heard.mel),
        sweep_deg=10.0 if sure else _IMAGE_SWEEP_DEG,
        change_db=3.5 if track is None else 1.5 + 2.0 * track.dryness,
        dies_away=tagged.label in CLASSES and CLASSES[tagged.label].place == "held",
    )
    nothing = [None] * len(active)
    sounding = np.flatnonzero(active)
    ends = [None, None] if track is None else _rounded(track.azimuth[sounding[[0, -1]]], 2)
    return SourceTrack(
        id="source-1",
        label=tagged.label,
        label_confidence=tagged.confidence,
        label_alternatives=tagged.alternatives,
        azimuth_deg=nothing if track is None else _rounded(track.azimuth, 2),
        azimuth_low_deg=nothing if track is None else _rounded(track.low, 2),
        azimuth_high_deg=nothing if track is None else _rounded(track.high, 2),
        level_db=_rounded(heard.level_db, 2),
        active=active.tolist(),
        motion=moved.motion,
        motion_confidence=moved.confidence,
        azimuth_start_deg=ends[0],
        azimuth_end_deg=ends[1],
        level_change_db=round(moved.level_change_db, 2),
        relative_range=_rounded(np.maximum(moved.relative_range, 1.0), 4),
        closest_s=moved.closest_s,
    )


def _rounded(values: np.ndarray, digits: int) -> list[float]:
    return [round(float(value), digits) + 0.0 for value in values]


def _where(values: np.ndarray, known: np.ndarray, digits: int) -> list[float | None]:
    return [
        round(float(v), digits) + 0.0 if k else None for v, k in zip(values, known, strict=True)
    ]
