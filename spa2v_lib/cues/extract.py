"""The analysis stage as one function: `extract_cues`, or `analyze` to keep what it measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from spa2v_lib.cues.ambisonics import Intensity, measure_intensity, middle_side
from spa2v_lib.cues.bins import Bins, weighted_bins
from spa2v_lib.cues.capture import ChannelAnalysis
from spa2v_lib.cues.channel_order import analyzed_pair
from spa2v_lib.cues.detection import DetectedSource, DetectedSources, detect_sources
from spa2v_lib.cues.features import LAGS_S, Features, extract_features, inverted
from spa2v_lib.cues.labels import assign_labels, number_of_sources, parse_labels
from spa2v_lib.cues.localization import activity
from spa2v_lib.cues.motion import follow_motion, undecided
from spa2v_lib.cues.pitch import track_pitch
from spa2v_lib.cues.separation import separate
from spa2v_lib.cues.tagging import UNKNOWN, Tagger, get_tagger
from spa2v_lib.cues.tagging.base import Tag, identify
from spa2v_lib.cues.types import CAPTURES, LabelSource, PassBy, SourceTrack, SpatialCues, TagSpan
from spa2v_lib.errors import CueError
from spa2v_lib.layout.classes import check_word, family_of

if TYPE_CHECKING:
    from spa2v_lib.audio.recording import Recording

__all__ = ["Analysis", "analyze", "check_spacing", "extract_cues"]

_LEAST_SPACING_M, _MOST_SPACING_M = 0.02, 0.6


@dataclass(frozen=True)
class Analysis:
    """A recording with its cues, and what they were measured from: each computed once.

    `analyze` makes it; ``Analysis(recording, cues)`` does for cues from a file, whose features are
    then measured when they are first asked for.

    Attributes
    ----------
    recording : Recording
    cues : SpatialCues
        Measured in `recording`.
    detected : DetectedSources or None
        What they were made from; None for cues from a file.

    Examples
    --------
    >>> import numpy as np
    >>> from spa2v_lib.audio import Recording
    >>> noise = 0.1 * np.random.default_rng(0).normal(size=(2, 16000))
    >>> analysis = analyze(Recording.from_samples(noise, 16000), label="rain")
    >>> analysis.cues.sources[0].label, len(analysis.separated), len(analysis.features.times_s)
    ('rain', 1, 10)
    """

    recording: Recording
    cues: SpatialCues
    detected: DetectedSources | None = None

    @cached_property
    def pair(self) -> Recording:
        """The analyzed channels: of first-order ambisonics as M/S, else `analyzed_pair`."""
        if self.cues.capture.format == "foa":
            return middle_side(self.recording)
        return analyzed_pair(self.recording) if self.recording.channels > 2 else self.recording

    @cached_property
    def features(self) -> Features:
        """Features of `pair` with their time–frequency bins, an inverted channel corrected."""
        if self.detected is not None:
            return self.detected.channels.features
        features = extract_features(self.pair, with_bins=True)
        return inverted(features) if self.cues.polarity_inverted else features

    @cached_property
    def intensity(self) -> Intensity | None:
        """Active intensity of first-order ambisonics; None for other formats."""
        if self.detected is not None:
            return self.detected.intensity
        foa = self.cues.capture.format == "foa"
        return measure_intensity(self.recording) if foa else None

    @cached_property
    def active(self) -> np.ndarray:
        """Where any source is active [frames], bool."""
        return activity(self.features) if self.detected is None else self.detected.active

    @cached_property
    def bins(self) -> Bins:
        """Time–frequency bins, weighted by level and activity."""
        return weighted_bins(self.features.bins, self.active)

    @cached_property
    def separated(self) -> tuple[Recording, ...]:
        """Each source's own signal, in the order of ``cues.sources``, as `separate` returns it."""
        return tuple(separate(self.recording, self.cues))


def extract_cues(
    recording: Recording,
    *,
    label: str | None = None,
    num_sources: int | None = None,
    capture: str = "auto",
    spacing: float | None = None,
    tagger: str | Tagger = "auto",
    tagger_labels: Sequence[str] | None = None,
) -> SpatialCues:
    """Measure which sources are where in a recording, and when.

    Parameters
    ----------
    recording : Recording
        One or two channels; of more, `analyzed_pair`, or the first four are used as "foa".
    label : str, optional
        What the source is; of several, loudest first, with commas between. Any word is accepted,
        and a place may follow: "guitar@left, violin@right" (see `parse_labels`). The labels set
        the number of sources: exactly so many are looked for.
    num_sources : int, optional
        Number of sources where it is known, from 1 to 3; those without a label are left to the
        tagger.
    capture : str
        How it was recorded: one of `CAPTURES`, or "auto" to detect the format.
    spacing : float, optional
        How many metres the two omnidirectional microphones are apart, where that is known: "ab"
        is 0.5 m else, and "auto" estimates it.
    tagger : str or Tagger
        Names the sources; as in `spa2v_lib.cues.tagging.get_tagger`.
    tagger_labels : sequence of str, optional
        Candidate labels, for a tagger that takes them.

    Returns
    -------
    SpatialCues
        Up to three sources, loudest first; none if the recording is silent. Sources that stay in
        one direction cannot be separated, and count as one. A note says where fewer could be
        separated than were requested, or a place contradicts the measurement.

    Raises
    ------
    CueError
        If a label or `num_sources` cannot be used, `capture` is unknown or does not fit the
        number of channels or `spacing`, or the tagger is not available.

    See Also
    --------
    analyze : the same, with the features and separated signals.

    Examples
    --------
    >>> import numpy as np
    >>> from spa2v_lib.audio import Recording
    >>> noise = 0.1 * np.random.default_rng(0).normal(size=16000)
    >>> recording = Recording.from_samples(np.stack([0.3 * noise, noise]), 16000)
    >>> cues = extract_cues(recording, label="rain", capture="xy")
    >>> [(source.label, source.motion) for source in cues.sources]
    [('rain', 'stationary')]
    """
    return analyze(
        recording,
        label=label,
        num_sources=num_sources,
        capture=capture,
        spacing=spacing,
        tagger=tagger,
        tagger_labels=tagger_labels,
    ).cues


def analyze(
    recording: Recording,
    *,
    label: str | None = None,
    num_sources: int | None = None,
    capture: str = "auto",
    spacing: float | None = None,
    tagger: str | Tagger = "auto",
    tagger_labels: Sequence[str] | None = None,
) -> Analysis:
    """Measure the cues of a recording, and keep what they were measured from.

    Parameters
    ----------
    recording, label, num_sources, capture, spacing, tagger, tagger_labels
        As in `extract_cues`.

    Returns
    -------
    Analysis
        Pass it on where features or separated signals are shown, so that nothing is measured
        twice.

    Raises
    ------
    CueError
        As `extract_cues`.

    See Also
    --------
    extract_cues : The cues alone.
    spa2v_lib.cues.separation.separate : Each source's own signal.

    Examples
    --------
    >>> import numpy as np
    >>> from spa2v_lib.audio import Recording
    >>> noise = 0.1 * np.random.default_rng(0).normal(size=(2, 16000))
    >>> analyze(Recording.from_samples(noise, 16000), label="rain").features.gcc.shape
    (10, 351)
    """
    if capture not in ("auto", *CAPTURES):
        raise CueError(f"no capture format {capture!r}; one of: auto, {', '.join(CAPTURES)}")
    check_spacing(capture, spacing)
    labels = parse_labels(label)
    number = number_of_sources(labels, num_sources)
    if capture == "foa" and recording.channels != 4:
        raise CueError(
            f"first-order ambisonics has 4 channels; {recording.name} has {recording.channels}"
        )
    named_by = get_tagger(tagger, tagger_labels)
    detected = detect_sources(recording, capture, number, spacing)
    assigned, label_notes = assign_labels(labels, [_middle_deg(s) for s in detected.sources])
    notes = [*recording.notes, *detected.notes, *label_notes]
    alone = len(detected.sources) == 1
    sources: list[SourceTrack] = []
    for k, (source, label_of) in enumerate(zip(detected.sources, assigned, strict=True), 1):
        naming = _tagged(source, named_by) if label_of is None else _named(label_of.name)
        notes += [note if alone else f"source-{k}: {note}" for note in naming.notes]
        sources.append(_source(f"source-{k}", source, naming, detected.channels, alone))
    return Analysis(recording, _cues(recording, detected, sources, notes), detected)


def check_spacing(capture: str, spacing_m: float | None) -> None:
    """Refuse a spacing of microphones that is none, or that the capture format does not have.

    Raises
    ------
    CueError
        If `spacing_m` is not between 0.02 and 0.6 m, or `capture` is neither "ab" nor "auto".

    Examples
    --------
    >>> check_spacing("ab", 0.17)
    >>> check_spacing("xy", 0.17)
    Traceback (most recent call last):
        ...
    spa2v_lib.errors.CueError: a spacing is that of capture format ab, not of xy
    """
    if spacing_m is None:
        return
    if capture not in ("ab", "auto"):
        raise CueError(f"a spacing is that of capture format ab, not of {capture}")
    if not _LEAST_SPACING_M <= spacing_m <= _MOST_SPACING_M:
        raise CueError(
            f"microphones {spacing_m:g} m apart: two of a pair are {_LEAST_SPACING_M:g} to "
            f"{_MOST_SPACING_M:g} m apart"
        )


def _middle_deg(source: DetectedSource) -> float | None:
    """Return the median direction of a source while it is active; None if none is claimed."""
    track = source.track
    return None if track is None else float(np.median(track.azimuth[source.active]))


def _cues(
    recording: Recording, detected: DetectedSources, sources: list[SourceTrack], notes: list[str]
) -> SpatialCues:
    channels, active = detected.channels, detected.active
    features, two = channels.features, recording.channels > 1
    return SpatialCues(
        recording=recording.name,
        duration_s=recording.duration_s,
        rate=recording.rate,
        channels=recording.channels,
        times_s=_rounded(features.times_s, 4),
        capture=channels.capture,
        polarity_inverted=channels.polarity < 0.0,
        ild_db=_where(np.clip(features.ild_db, -120.0, 120.0), active & two, 2),
        itd_s=_where(LAGS_S[features.gcc.argmax(1)], active & channels.directional, 6),
        coherence=_where(features.coherence, active & two, 3),
        level_db=_rounded(features.level_db, 2),
        sources=sources,
        count_low=detected.count_low,
        count_high=detected.count_high,
        notes=notes,
    )


@dataclass(frozen=True)
class _Naming:
    """What a source is, who says so, and what is to be noted."""

    tag: Tag
    label_source: LabelSource
    spans: list[TagSpan]
    notes: tuple[str, ...] = ()


def _named(label: str) -> _Naming:
    return _Naming(Tag(check_word(label), 1.0, [(label, 1.0)]), "user", [])


def _tagged(source: DetectedSource, tagger: Tagger) -> _Naming:
    tag, spans = identify(tagger, source.signal)
    if tag.label is not None:
        return _Naming(tag, "tagger", spans)
    best = [f"{name} {p:.2f}" for name, p in tag.alternatives if name != UNKNOWN]
    closest = ", ".join(best) or "none"
    note = f"the {tagger.name} tagger does not recognize the sound (closest: {closest})"
    return _Naming(tag, "none", spans, (note,))


_FAST_PER_S = 0.5
_NEVER_FAST = frozenset({"aircraft", "instrument", "bell or alarm", "person", "machine", "ship"})


def _with_guess(naming: _Naming, pass_by: PassBy | None) -> _Naming:
    """Guess what was not recognized, where it moves as such an object can.

    Speed over closest distance rules families out: at 0.5 per second a person would pass within
    3 m, a ship within its own length, and an airplane at 60 m/s within 120 m.
    """
    if naming.label_source != "none":
        return naming
    fast = pass_by is not None and pass_by.speed_over_distance.low > _FAST_PER_S
    guess = naming.tag.guess(without=_NEVER_FAST if fast else ())
    return naming if guess is None else replace(naming, tag=guess, label_source="guess")


def _source(
    name: str, source: DetectedSource, naming: _Naming, channels: ChannelAnalysis, alone: bool
) -> SourceTrack:
    features, active, track = source.features, source.active, source.track
    likely = naming.tag if naming.tag.label is not None else naming.tag.guess()
    dies_away = likely is not None and family_of(likely.label) in ("instrument", "bell or alarm")
    moved = follow_motion(
        features,
        active,
        track,
        signal=source.signal,
        capture=channels.capture,
        format_known=channels.format_known,
        dies_away=dies_away,
        alone=alone,
    )
    if not channels.related:
        moved = undecided(len(active))
    naming = _with_guess(naming, moved.pass_by)
    tag = naming.tag
    pitch = track_pitch(source.signal, len(active), active)
    nothing = [None] * len(active)
    frames = np.flatnonzero(active)
    ends = [None, None] if track is None else _rounded(track.azimuth[frames[[0, -1]]], 2)
    ranges = (moved.relative_range, moved.relative_range_low, moved.relative_range_high)
    relative_range = [_where(values, np.isfinite(values), 4) for values in ranges]
    return SourceTrack(
        id=name,
        label=tag.label,
        label_source=naming.label_source,
        label_confidence=tag.confidence,
        label_alternatives=tag.alternatives,
        families=tag.families,
        tags=naming.spans,
        azimuth_deg=nothing if track is None else _rounded(track.azimuth, 2),
        azimuth_low_deg=nothing if track is None else _rounded(track.low, 2),
        azimuth_high_deg=nothing if track is None else _rounded(track.high, 2),
        level_db=_rounded(features.level_db, 2),
        active=active.tolist(),
        motion=moved.motion,
        motion_confidence=moved.confidence,
        motion_scores=moved.scores,
        azimuth_start_deg=ends[0],
        azimuth_end_deg=ends[1],
        level_change_db=round(moved.level_change_db, 2),
        relative_range=relative_range[0],
        relative_range_low=relative_range[1],
        relative_range_high=relative_range[2],
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
