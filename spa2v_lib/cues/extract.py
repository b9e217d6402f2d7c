"""The hearing stage as one function: `extract_cues`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from spa2v_lib.cues.ambisonics import is_ambisonic, measure_intensity, middle_side
from spa2v_lib.cues.capture import Reading, read_channels
from spa2v_lib.cues.features import LAGS_S, CellMeter, measure
from spa2v_lib.cues.localization import activity
from spa2v_lib.cues.motion import follow_motion
from spa2v_lib.cues.pitch import track_pitch
from spa2v_lib.cues.source_features import Found, HeardSource, heard_sources
from spa2v_lib.cues.tagging import UNKNOWN, Tagger, get_tagger
from spa2v_lib.cues.tagging.identify import Tag, identify
from spa2v_lib.cues.types import CAPTURES, LabelSource, SourceTrack, SpatialCues, TagSpan
from spa2v_lib.errors import CueError
from spa2v_lib.layout.classes import CLASSES

if TYPE_CHECKING:
    from spa2v_lib.audio.recording import Recording

__all__ = ["Heard", "extract_cues", "hear"]


def extract_cues(
    recording: Recording,
    *,
    label: str | None = None,
    capture: str = "auto",
    tagger: str | Tagger = "embedded",
    tagger_labels: Sequence[str] | None = None,
) -> SpatialCues:
    """Measure what sounds where in a recording.

    Parameters
    ----------
    recording : Recording
        One or two channels; of more, the first two are heard, or the first four as "foa".
    label : str, optional
        What the source is; of several, loudest first, with commas between. Any word is taken; a
        source without one is left to the tagger.
    capture : str
        How it was recorded: one of `CAPTURES`, or "auto" to let the recording decide.
    tagger : str or Tagger
        Who says what the sources are, as in `spa2v_lib.cues.tagging.get_tagger`.
    tagger_labels : sequence of str, optional
        What may sound, for a tagger that takes labels.

    Returns
    -------
    SpatialCues
        Up to three sources, loudest first; none if the recording is silent. Sources that are in
        one direction all the time cannot be told apart, and are heard as one.

    Raises
    ------
    CueError
        If `capture` is not known or does not fit the number of channels, or the tagger cannot be
        had.
    """
    if capture not in ("auto", *CAPTURES):
        raise CueError(f"no capture format {capture!r}; one of: auto, {', '.join(CAPTURES)}")
    labels = [] if label is None else [name.strip() for name in label.split(",")]
    if not all(labels):
        raise CueError("the label is empty; name the source or leave the label out")
    if capture == "foa" and recording.channels != 4:
        raise CueError(
            f"first-order ambisonics has 4 channels; {recording.name} has {recording.channels}"
        )
    tells = get_tagger(tagger, tagger_labels)
    notes = list(recording.notes)
    heard = hear(recording, capture, notes)
    sources: list[SourceTrack] = []
    for number, source in enumerate(heard.found.sources, 1):
        given = labels[number - 1] if number <= len(labels) else None
        alone = len(heard.found.sources) == 1
        tagged = _tagged(source, given, tells, notes, apart=not alone)
        named_by = "user" if given else "tagger" if tagged[0].label else "none"
        sources.append(
            _source(f"source-{number}", source, *tagged, named_by, heard.reading.sure, alone)
        )
    if sources and len(labels) > len(sources):
        told = "1 source is" if len(sources) == 1 else f"{len(sources)} sources are"
        notes.append(f"{len(labels)} labels were given and {told} heard")
    return _cues(recording, heard, sources, notes)


@dataclass(frozen=True)
class Heard:
    """A recording after everything but naming and motion.

    Attributes
    ----------
    reading : Reading
    active : ndarray of bool [frames]
        Where anything sounds.
    found : Found
        No source where nothing does.
    """

    reading: Reading
    active: np.ndarray
    found: Found


def hear(recording: Recording, capture: str, notes: list[str]) -> Heard:
    """Find the sources of a recording.

    Parameters
    ----------
    recording : Recording
    capture : str
        As in `extract_cues`.
    notes : list of str
        What is to be said of the recording is added.
    """
    meter, flow, pair = CellMeter(), None, recording
    fits = capture in ("auto", "foa") and is_ambisonic(recording)
    if capture == "auto" and fits:
        capture = "foa"
        notes.append("four channels whose powers fit AmbiX: read as first-order ambisonics")
    if capture == "foa":
        if not fits:
            notes.append("the channels' powers do not fit AmbiX: directions are doubtful")
        flow, pair = measure_intensity(recording), middle_side(recording)
    measured = measure(pair, watch=meter)
    active = activity(measured)
    reading = read_channels(measured, active, recording.channels, capture, notes)
    if not active.any():
        notes.append("silence: no source")
        return Heard(reading, active, Found([], 0, 0))
    return Heard(reading, active, heard_sources(pair, reading, active, meter, flow))


def _cues(
    recording: Recording, whole: Heard, sources: list[SourceTrack], notes: list[str]
) -> SpatialCues:
    reading, active = whole.reading, whole.active
    heard, two = reading.heard, recording.channels > 1
    return SpatialCues(
        recording=recording.name,
        duration_s=recording.duration_s,
        rate=recording.rate,
        channels=recording.channels,
        times_s=_rounded(heard.times_s, 4),
        capture=reading.guess,
        polarity_inverted=reading.sign < 0.0,
        ild_db=_where(np.clip(heard.ild_db, -120.0, 120.0), active & two, 2),
        itd_s=_where(LAGS_S[heard.gcc.argmax(1)], active & reading.directed, 6),
        coherence=_where(heard.coherence, active & two, 3),
        level_db=_rounded(heard.level_db, 2),
        sources=sources,
        count_low=whole.found.low,
        count_high=whole.found.high,
        notes=notes,
    )


def _tagged(
    source: HeardSource, label: str | None, tagger: Tagger, notes: list[str], *, apart: bool
) -> tuple[Tag, list[TagSpan]]:
    if label is not None:
        return Tag(label, 1.0, [(label, 1.0)]), []
    tagged, spans = identify(tagger, source.heard.mel, lambda: source.sound, apart=apart)
    if tagged.label is None:
        best = [f"{name} {p:.2f}" for name, p in tagged.alternatives if name != UNKNOWN]
        closest = ", ".join(best) or "none"
        notes.append(f"the {tagger.name} tagger does not know the sound (closest: {closest})")
    return tagged, spans


def _source(
    name: str,
    source: HeardSource,
    tagged: Tag,
    spans: list[TagSpan],
    label_source: LabelSource,
    sure: bool,
    alone: bool,
) -> SourceTrack:
    heard, active, track = source.heard, source.active, source.track
    held = tagged.label in CLASSES and CLASSES[tagged.label].place == "held"
    moved = follow_motion(
        heard, active, track, sound=source.sound, sure=sure, dies_away=held, alone=alone
    )
    pitch = track_pitch(source.sound, len(active), active)
    nothing = [None] * len(active)
    sounding = np.flatnonzero(active)
    ends = [None, None] if track is None else _rounded(track.azimuth[sounding[[0, -1]]], 2)
    return SourceTrack(
        id=name,
        label=tagged.label,
        label_source=label_source,
        label_confidence=tagged.confidence,
        label_alternatives=tagged.alternatives,
        tags=spans,
        azimuth_deg=nothing if track is None else _rounded(track.azimuth, 2),
        azimuth_low_deg=nothing if track is None else _rounded(track.low, 2),
        azimuth_high_deg=nothing if track is None else _rounded(track.high, 2),
        level_db=_rounded(heard.level_db, 2),
        active=active.tolist(),
        motion=moved.motion,
        motion_confidence=moved.confidence,
        motion_scores=moved.scores,
        azimuth_start_deg=ends[0],
        azimuth_end_deg=ends[1],
        level_change_db=round(moved.level_change_db, 2),
        relative_range=_where(moved.relative_range, np.isfinite(moved.relative_range), 4),
        relative_range_low=_where(
            moved.relative_range_low, np.isfinite(moved.relative_range_low), 4
        ),
        relative_range_high=_where(
            moved.relative_range_high, np.isfinite(moved.relative_range_high), 4
        ),
        closest_s=moved.closest_s,
        pitch_hz=_where(pitch, np.isfinite(pitch), 3),
        pass_by=moved.pass_by,
    )


def _rounded(values: np.ndarray, digits: int) -> list[float]:
    return [round(float(value), digits) + 0.0 for value in values]


def _where(values: np.ndarray, known: np.ndarray, digits: int) -> list[float | None]:
    return [
        round(float(v), digits) + 0.0 if k else None for v, k in zip(values, known, strict=True)
    ]
