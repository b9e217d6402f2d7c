"""The shipped mono recordings as sources: the table, and a sound of any length from each."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Literal

import numpy as np

from spa2v_lib.audio import read_audio
from spa2v_lib.errors import SceneError
from spa2v_lib.layout.classes import CLASSES
from spa2v_lib.resources import resource

__all__ = [
    "RecordingInfo",
    "emitted",
    "movable_recordings",
    "recording_info",
    "recordings_table",
    "sounding_recordings",
]

_CROSSFADE_S = 0.1
_ALIGN_S = 0.02  # the loop's end may move this far, to where the waveforms meet best
_FADE_IN_S, _FADE_OUT_S = 0.005, 0.03
_ACTIVE_DB = 30.0  # the level of a recording is that of the parts this close to its loudest


@dataclass(frozen=True)
class RecordingInfo:
    """One row of ``data/recordings/recordings.csv``.

    Attributes
    ----------
    file, label, title : str
    seconds : float
        Length of the file.
    loop : {"loop", "repeat", "once"}
        How it fills a longer scene: a steady part joined to itself by crossfades; played again
        after a pause; or played once.
    start_s, end_s : float
        The part that is used.
    pause_s : float
        Between repeats.
    own_motion : bool
        Whether an approach, pass-by or departure was recorded.
    note : str
        What that was judged by.

    See Also
    --------
    recordings_table : all of them

    Examples
    --------
    >>> recording_info("truck_01.flac").loop
    'loop'
    """

    file: str
    label: str
    title: str
    seconds: float
    loop: Literal["loop", "repeat", "once"]
    start_s: float
    end_s: float
    pause_s: float
    own_motion: bool
    note: str

    @property
    def serves_motion_truth(self) -> bool:
        """Whether a scene may move it towards, past or away from the receiver as ground truth.

        Not where it moves by itself, and not where it is played once and dies away: then the
        level tells of the recording, not of the range.
        """
        return not self.own_motion and self.loop != "once"


@cache
def recordings_table() -> tuple[RecordingInfo, ...]:
    """Return all shipped recordings, in the table's order.

    See Also
    --------
    recording_info : one of them

    Examples
    --------
    >>> len({info.label for info in recordings_table()}) > 10
    True
    """
    with resource("recordings", "recordings.csv").open(newline="", encoding="utf-8") as stream:
        return tuple(
            RecordingInfo(
                file=row["file"],
                label=row["label"],
                title=row["title"],
                seconds=float(row["seconds"]),
                loop=row["loop"],
                start_s=float(row["start_s"]),
                end_s=float(row["end_s"]),
                pause_s=float(row["pause_s"]),
                own_motion=row["own_motion"] == "yes",
                note=row["note"],
            )
            for row in csv.DictReader(stream)
        )


def movable_recordings() -> dict[str, list[RecordingInfo]]:
    """Return, by class, the recordings whose level over time is theirs only by the motion.

    See Also
    --------
    recordings_table : all recordings
    sounding_recordings : their files, of classes that can be drawn

    Examples
    --------
    >>> all(info.serves_motion_truth for info in movable_recordings()["truck"])
    True
    """
    found: dict[str, list[RecordingInfo]] = {}
    for info in recordings_table():
        if info.serves_motion_truth:
            found.setdefault(info.label, []).append(info)
    return found


def sounding_recordings() -> dict[str, tuple[str, ...]]:
    """Return the files of `movable_recordings`, of the classes that the tiny suite draws.

    See Also
    --------
    movable_recordings : of all classes

    Examples
    --------
    >>> "truck_01.flac" in sounding_recordings()["truck"]
    True
    """
    found = movable_recordings()
    return {label: tuple(i.file for i in found[label]) for label in found if label in CLASSES}


def recording_info(file: str) -> RecordingInfo:
    """Return the row of that file name.

    Raises
    ------
    SceneError
        If the table has none.

    See Also
    --------
    recordings_table : all of them

    Examples
    --------
    >>> recording_info("truck_01.flac").label
    'truck'
    """
    for info in recordings_table():
        if info.file == file:
            return info
    raise SceneError(
        f"recording {file!r} is not in data/recordings/recordings.csv; see recordings_table()"
    )


def emitted(file: str, rate: int, begin_s: float, end_s: float, onset_s: float) -> np.ndarray:
    """Return what the recording emits from `begin_s` to `end_s`, at an RMS of 1 where active.

    Parameters
    ----------
    file : str
        Name in the table.
    rate : int
        Hz.
    begin_s, end_s, onset_s : float
        On one clock. The recording starts at `onset_s`; a looped one whose onset is at or before
        0 has always been sounding.

    Returns
    -------
    numpy.ndarray [time]
        float64.

    See Also
    --------
    recording_info : how a recording fills a longer scene

    Examples
    --------
    >>> emitted("truck_01.flac", 8000, begin_s=-0.5, end_s=1.5, onset_s=0.0).shape
    (16000,)
    """
    info = recording_info(file)
    part = _used_part(file, rate)
    count = round((end_s - begin_s) * rate)
    place = np.arange(count) + round((begin_s - onset_s) * rate)
    if info.loop == "loop":
        sound = part[place % len(part)]
        if onset_s > 0:
            sound = sound * np.clip(place / (_FADE_IN_S * rate), 0.0, 1.0)
        return sound
    if info.loop == "repeat":
        place = np.where(place < 0, -1, place % (len(part) + round(info.pause_s * rate)))
    inside = (place >= 0) & (place < len(part))
    sound = np.zeros(count)
    sound[inside] = part[place[inside]]
    return sound


@lru_cache(maxsize=32)
def _used_part(file: str, rate: int) -> np.ndarray:
    info = recording_info(file)
    recording = read_audio(resource("recordings", file))
    whole = recording.resampled(rate).samples[0].astype(float)
    start, end = round(info.start_s * rate), min(round(info.end_s * rate), len(whole))
    if info.loop == "loop":
        part = _joined(whole, start, end, rate)
    else:
        part = whole[start:end].copy()
        fade_in, fade_out = round(_FADE_IN_S * rate), round(_FADE_OUT_S * rate)
        part[:fade_in] *= np.linspace(0.0, 1.0, fade_in)
        part[-fade_out:] *= np.linspace(1.0, 0.0, fade_out)
    part = part / _active_rms(part, rate)
    part.flags.writeable = False
    return part


def _joined(whole: np.ndarray, start: int, end: int, rate: int) -> np.ndarray:
    """One period of a loop: the part's end is faded into its beginning, at equal power."""
    fade, reach = round(_CROSSFADE_S * rate), round(_ALIGN_S * rate)
    head = whole[start : start + fade]
    region = whole[end - fade - 2 * reach : end]
    match = np.correlate(region, head, "valid")
    power = np.convolve(region**2, np.ones(fade), "valid")
    likeness = match / np.sqrt(np.maximum(power * (head @ head), 1e-12))
    shift = int(likeness.argmax())
    tail_at = end - fade - 2 * reach + shift
    rise = np.linspace(0.0, 1.0, fade)
    alike = max(float(likeness[shift]), 0.0)
    loudness = np.sqrt(rise**2 + (1 - rise) ** 2 + 2 * alike * rise * (1 - rise))
    seam = (rise * head + (1 - rise) * whole[tail_at : tail_at + fade]) / loudness
    return np.concatenate([seam, whole[start + fade : tail_at]])


def _active_rms(part: np.ndarray, rate: int) -> float:
    size = max(round(0.05 * rate), 1)
    powers = np.array([np.mean(part[k : k + size] ** 2) for k in range(0, len(part), size)])
    return float(np.sqrt(powers[powers > powers.max() * 10 ** (-_ACTIVE_DB / 10)].mean()))
