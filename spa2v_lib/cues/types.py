"""The result of the analysis: ``SpatialCues``, with a ``SourceTrack`` of each source.

Times are in seconds, levels in dB re full scale, angles in degrees (0 ahead, positive to the
right); ILD and ITD are positive when the right channel is louder or earlier. A value that was
not measured is ``None``, never a number that looks like one.
"""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, ValidationError, model_validator

from spa2v_lib.cues.source_track import (
    LABEL_SOURCES,
    MOTIONS,
    Frozen,
    LabelSource,
    Motion,
    PassBy,
    Range,
    Share,
    SourceTrack,
    TagSpan,
)
from spa2v_lib.errors import CueError

__all__ = [
    "CAPTURES",
    "HOP_S",
    "LABEL_SOURCES",
    "MOTIONS",
    "CaptureGuess",
    "Frozen",
    "LabelSource",
    "Motion",
    "PassBy",
    "Range",
    "Share",
    "SourceTrack",
    "SpatialCues",
    "TagSpan",
]


HOP_S = 0.1
"""Seconds from one cue frame to the next."""

CAPTURES = ("panned", "xy", "ms", "ortf", "ab", "binaural", "foa", "mono")
"""Capture formats that can be named; ``auto`` lets the recording decide."""


class CaptureGuess(Frozen):
    """Which capture format the directions were read with.

    Attributes
    ----------
    format : str
        One of ``CAPTURES``.
    confidence : float
        In [0, 1]; 1 where the caller named the format.
    note : str
        The numbers the guess rests on.
    spacing_m : Range or None
        How far apart the microphones of a pair "ab" are: given by the user, or estimated from the
        delays; ``None`` for other formats, and where it is the usual 0.5 m.

    See Also
    --------
    spa2v_lib.cues.capture.guess_capture : Makes one from the recording.

    Examples
    --------
    >>> CaptureGuess(format="xy", confidence=1.0, note="named by the user").format
    'xy'
    """

    format: Literal["panned", "xy", "ms", "ortf", "ab", "binaural", "foa", "mono"]
    confidence: Share
    note: str
    spacing_m: Range | None = None

    @property
    def pair_spacing_m(self) -> float | None:
        """The spacing that directions were read with, where it is not the format's own."""
        return None if self.spacing_m is None else self.spacing_m.value

    @property
    def described(self) -> str:
        """The format in words, with the spacing of a pair and its interval where it has one."""
        spacing = self.spacing_m
        if spacing is None:
            return self.format
        value, low, high = (
            f"{100.0 * each:.0f}" for each in (spacing.value, spacing.low, spacing.high)
        )
        interval = "" if low == high else f" [{low} to {high}]"
        return f"{self.format}, {value}{interval} cm apart"


class SpatialCues(Frozen):
    """Everything that was measured in one recording.

    Attributes
    ----------
    version : str
        Format of the saved file.
    recording : str
        Name of the recording.
    duration_s, rate, channels
        Length in seconds, sample rate in Hz and number of channels.
    times_s : list of float
        Centres of the cue frames, ``HOP_S`` apart.
    capture : CaptureGuess
        The capture format that the directions rest on.
    polarity_inverted : bool
        Whether the channels have opposite polarity; directions are measured with the right one
        corrected, while the recording stays as it is.
    ild_db, itd_s, coherence : list of float or None
        Level difference, arrival difference and coherence [0, 1] of the two channels;
        ``None`` where the frame is silent or there is one channel.
    level_db : list of float
        Level of the frame over both channels.
    sources : list of SourceTrack
        Detected sources, loudest first.
    count_low, count_high : int
        90 % interval of the number of sources.
    notes : list of str
        What a reader has to know: assumptions, faults of the recording.

    See Also
    --------
    spa2v_lib.cues.extract.extract_cues : Measures them.
    spa2v_lib.planning.plan : Makes a layout of them.

    Examples
    --------
    >>> import numpy as np
    >>> from spa2v_lib.audio import Recording
    >>> from spa2v_lib.cues import extract_cues
    >>> noise = 0.1 * np.random.default_rng(0).normal(size=16000)
    >>> pair = np.stack([0.3 * noise, noise])
    >>> extract_cues(Recording.from_samples(pair, 16000, name="rain"), label="rain")
    <SpatialCues 'rain': 1 source, 1.00 s, panned>
    """

    version: Literal["spa2v.cues/3"] = "spa2v.cues/3"
    recording: str
    duration_s: Annotated[float, Field(gt=0.0)]
    rate: Annotated[int, Field(gt=0)]
    channels: Annotated[int, Field(gt=0)]
    times_s: list[float]
    capture: CaptureGuess
    polarity_inverted: bool = False
    ild_db: list[float | None]
    itd_s: list[float | None]
    coherence: list[Share | None]
    level_db: list[float]
    sources: list[SourceTrack]
    count_low: Annotated[int, Field(ge=0)]
    count_high: Annotated[int, Field(ge=0)]
    notes: list[str]

    @model_validator(mode="before")
    @classmethod
    def _upgraded(cls, data: Any) -> Any:
        if isinstance(data, dict) and data.get("version") == "spa2v.cues/2":
            return _from_version_2(data)
        return data

    @model_validator(mode="after")
    def _one_entry_a_frame(self) -> Self:
        frames = len(self.times_s)
        if frames == 0 or any(b <= a for a, b in zip(self.times_s, self.times_s[1:], strict=False)):
            raise ValueError("times_s must hold at least one frame and rise")
        lists = {name: getattr(self, name) for name in ("ild_db", "itd_s", "coherence", "level_db")}
        for source in self.sources:
            lists |= {f"{source.id}.{name}": getattr(source, name) for name in _PER_FRAME}
        for name, values in lists.items():
            if len(values) != frames:
                raise ValueError(f"{name} has {len(values)} entries for {frames} frames")
        return self

    def save(self, path: str | Path) -> Path:
        """Write the cues as JSON, under a temporary name first, and return the path.

        Raises
        ------
        OutputError
            If the file cannot be written.
        """
        from spa2v_lib.files import replacing

        with replacing(path) as partial:
            partial.write_text(self.model_dump_json(indent=1) + "\n", encoding="utf-8")
        return Path(path)

    @classmethod
    def load(cls, path: str | Path) -> SpatialCues:
        """Read cues that ``save`` wrote.

        Raises
        ------
        CueError
            If the file is missing, is not JSON, or does not hold cues of this version.
        """
        from spa2v_lib.files import displayed, read_json

        content = read_json(path, CueError)
        try:
            return cls.model_validate(content)
        except ValidationError as error:
            raise CueError(f"{displayed(path)} does not hold cues: {_first_line(error)}") from error

    def __repr__(self) -> str:
        plural = "" if len(self.sources) == 1 else "s"
        return (
            f"<SpatialCues {self.recording!r}: {len(self.sources)} source{plural}, "
            f"{self.duration_s:.2f} s, {self.capture.format}>"
        )

    def _repr_html_(self) -> str:
        from spa2v_lib.viz.svg import cue_svg

        rows = "".join(_source_row(source) for source in self.sources)
        notes = "".join(f"<li>{escape(note)}</li>" for note in self.notes)
        return (
            f"<div><b>{escape(self.recording)}</b>: {self.duration_s:.2f} s, {self.rate} Hz, "
            f"{self.channels} channel(s); {escape(self.capture.format)} "
            f"({escape(self.capture.note)})"
            f"{cue_svg(self)}<table><tr><th>source</th><th>label</th><th>motion</th>"
            f"<th>azimuth</th><th>level change</th></tr>{rows}</table><ul>{notes}</ul></div>"
        )


def _from_version_2(data: dict[str, Any]) -> dict[str, Any]:
    """Return cues of version 3: version 2 kept polarity and named labels in notes and confidences.

    Anything that does not look like version 2 is left for the validation to refuse.
    """
    notes, sources = data.get("notes"), data.get("sources")
    inverted = isinstance(notes, list) and _INVERTED_2 in notes
    if isinstance(sources, list):
        sources = [
            {**source, "label_source": _label_source_2(source)}
            if isinstance(source, dict)
            else source
            for source in sources
        ]
    return {**data, "version": "spa2v.cues/3", "polarity_inverted": inverted, "sources": sources}


_INVERTED_2 = "one channel's polarity is inverted: put right before directions were read"


def _label_source_2(source: dict[str, Any]) -> LabelSource:
    if source.get("label") is None:
        return "none"
    named = source.get("label_confidence") == 1.0 and not source.get("tags")
    return "user" if named else "tagger"


_PER_FRAME = (
    "azimuth_deg",
    "azimuth_low_deg",
    "azimuth_high_deg",
    "level_db",
    "active",
    "relative_range",
    "relative_range_low",
    "relative_range_high",
    "pitch_hz",
)


def _first_line(error: Exception) -> str:
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        return f"{place + ': ' if place else ''}{first['msg']}"
    return str(error)


def _source_row(source: SourceTrack) -> str:
    ends = (source.azimuth_start_deg, source.azimuth_end_deg)
    azimuth = "unknown" if None in ends else f"{ends[0]:+.0f}° to {ends[1]:+.0f}°"
    label = f"{source.label or 'unknown'} ({source.label_confidence:.2f})"
    motion = f"{source.motion} ({source.motion_confidence:.2f})"
    texts = (source.id, label, motion, azimuth, f"{source.level_change_db:+.1f} dB")
    return "<tr>" + "".join(f"<td>{escape(text)}</td>" for text in texts) + "</tr>"
