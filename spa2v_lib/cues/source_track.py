"""One source of a recording: ``SourceTrack``, and what it is made of.

Times are in seconds, levels in dB re full scale, angles in degrees (0 ahead, positive to the
right). A value that was not measured is ``None``, never a number that looks like one.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

__all__ = [
    "LABEL_SOURCES",
    "MOTIONS",
    "Frozen",
    "LabelSource",
    "Motion",
    "PassBy",
    "Range",
    "Share",
    "SourceTrack",
    "TagSpan",
]

Motion = Literal["left_crossing", "right_crossing", "approaching", "receding", "stationary"]
"""``left_crossing`` moves towards the left, ``right_crossing`` towards the right."""

MOTIONS: tuple[str, ...] = Motion.__args__

LabelSource = Literal["user", "tagger", "guess", "none"]
"""Where a label comes from – the user, a tagger that is confident enough, a tagger's best candidate
below its threshold, or nowhere."""

LABEL_SOURCES: tuple[str, ...] = LabelSource.__args__

Azimuth = Annotated[float, Field(ge=-180.0, le=180.0)]
AzimuthBound = Annotated[float, Field(ge=-360.0, le=360.0)]
Share = Annotated[float, Field(ge=0.0, le=1.0)]


class Frozen(BaseModel):
    """A record that cannot be changed, and takes neither other fields nor NaN.

    Examples
    --------
    >>> class Point(Frozen):
    ...     x: float
    >>> Point(x=1.0).x
    1.0
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Range(Frozen):
    """A measured number with its 90 % interval.

    Attributes
    ----------
    value, low, high : float
        ``low <= value <= high``.

    Examples
    --------
    >>> Range(value=2.0, low=1.5, high=2.5).value
    2.0
    """

    value: float
    low: float
    high: float

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if not self.low <= self.value <= self.high:
            raise ValueError(f"{self.value} is not within its interval [{self.low}, {self.high}]")
        return self


class PassBy(Frozen):
    """A straight path at constant speed that explains azimuth, level and, where measured, pitch.

    Attributes
    ----------
    closest_s : Range
        Time of the closest approach, as received; may lie outside the recording.
    speed_over_distance : Range
        Speed over the closest distance, in 1/s.
    speed_m_s, distance_m : Range or None
        Speed and closest distance; ``None`` unless the Doppler shift supports them, as azimuth and
        level give only their quotient.
    heading_deg : float
        Direction of travel: 90 to the right, -90 to the left, 0 straight away from the microphone.
    evidence : str
        "azimuth and level", or "azimuth, level and Doppler".

    See Also
    --------
    spa2v_lib.planning.placement.pass_by_position : Where the source is on its path.

    Examples
    --------
    >>> time = Range(value=2.0, low=1.5, high=2.5)
    >>> crossing = PassBy(
    ...     closest_s=time,
    ...     speed_over_distance=time,
    ...     speed_m_s=None,
    ...     distance_m=None,
    ...     heading_deg=90.0,
    ...     evidence="azimuth and level",
    ... )
    >>> crossing.closest_s.high
    2.5
    """

    closest_s: Range
    speed_over_distance: Range
    speed_m_s: Range | None
    distance_m: Range | None
    heading_deg: float
    evidence: Literal["azimuth and level", "azimuth, level and Doppler"]


class TagSpan(Frozen):
    """What a source is between two times.

    Attributes
    ----------
    start_s, end_s : float
    label : str or None
        ``None`` where it is unknown.
    confidence : float
        In [0, 1].

    See Also
    --------
    SourceTrack : Holds them.

    Examples
    --------
    >>> TagSpan(start_s=0.0, end_s=2.0, label="train", confidence=0.9).label
    'train'
    """

    start_s: float
    end_s: float
    label: str | None
    confidence: Share


class SourceTrack(Frozen):
    """One source over the cue frames; every list has one entry a frame.

    Attributes
    ----------
    id : str
        Name of the track within the recording.
    label : str or None
        What it is; ``None`` where that is unknown.
    label_source : str
        One of ``LABEL_SOURCES``: who says so.
    label_confidence : float
        In [0, 1]; 1 where the user gave the label.
    label_alternatives : list of (str, float)
        Most probable labels first.
    families : list of (str, float)
        Most probable families first (`spa2v_lib.layout.classes.FAMILIES`), with calibrated
        probabilities of their own; empty where the user gave the label.
    tags : list of TagSpan
        What it is over time, in order and without overlap; empty where the user gave the label.
    azimuth_deg, azimuth_low_deg, azimuth_high_deg : list of float or None
        Direction and its 90 % interval, which may pass ±180 around a source behind; ``None`` where
        none is claimed.
    level_db : list of float
        Level of the frame, dB re full scale.
    active : list of bool
        Whether the source is active in the frame.
    motion : str
        One of ``MOTIONS``.
    motion_confidence : float
        In [0, 1].
    motion_scores : dict of str to float
        Confidence in each of ``MOTIONS``; they add up to 1.
    azimuth_start_deg, azimuth_end_deg : float or None
        Ends of the smoothed track, over the active frames.
    level_change_db : float
        Change of the source's level from the first to the last active frame, as far as a change
        of distance explains it: without its own rises and falls and without the room's answer.
    relative_range, relative_range_low, relative_range_high : list of float or None
        Distance over the track's smallest distance, at least 1, and its 90 % interval; ``None``
        where it is not known.
    closest_s : float or None
        Time of the smallest distance; ``None`` for a source that does not move.
    pitch_hz : list of float or None
        Fundamental frequency; ``None`` where the frame has none.
    pass_by : PassBy or None
        The path of a source that crosses; ``None`` for others.

    See Also
    --------
    spa2v_lib.cues.types.SpatialCues : Holds the tracks of a recording.

    Examples
    --------
    >>> import numpy as np
    >>> from spa2v_lib.audio import Recording
    >>> from spa2v_lib.cues import extract_cues
    >>> noise = 0.1 * np.random.default_rng(0).normal(size=(2, 16000))
    >>> (source,) = extract_cues(Recording.from_samples(noise, 16000), label="rain").sources
    >>> source.label_source, len(source.azimuth_deg)
    ('user', 10)
    """

    id: str
    label: str | None
    label_source: LabelSource
    label_confidence: Share
    label_alternatives: list[tuple[str, float]]
    families: list[tuple[str, Share]] = []
    tags: list[TagSpan] = []
    azimuth_deg: list[Azimuth | None]
    azimuth_low_deg: list[AzimuthBound | None]
    azimuth_high_deg: list[AzimuthBound | None]
    level_db: list[float]
    active: list[bool]
    motion: Motion
    motion_confidence: Share
    motion_scores: dict[Motion, Share]
    azimuth_start_deg: Azimuth | None
    azimuth_end_deg: Azimuth | None
    level_change_db: float
    relative_range: list[Annotated[float, Field(ge=1.0)] | None]
    relative_range_low: list[Annotated[float, Field(ge=1.0)] | None]
    relative_range_high: list[Annotated[float, Field(ge=1.0)] | None]
    closest_s: float | None
    pitch_hz: list[Annotated[float, Field(gt=0.0)] | None]
    pass_by: PassBy | None

    @model_validator(mode="after")
    def _intervals_hold_their_value(self) -> Self:
        rows = zip(self.azimuth_low_deg, self.azimuth_deg, self.azimuth_high_deg, strict=False)
        for frame, row in enumerate(rows):
            known = [value for value in row if value is not None]
            if len(known) not in (0, 3) or known != sorted(known):
                raise ValueError(f"source {self.id}, frame {frame}: azimuth interval {row}")
        return self
