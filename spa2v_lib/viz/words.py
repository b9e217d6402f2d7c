"""What the figures of hearing show, in words: captions, and the text for those who cannot see."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from spa2v_lib.viz.evidence import SPECTRUM_DB
from spa2v_lib.viz.svg import source_name

if TYPE_CHECKING:
    from spa2v_lib.cues.types import PassBy, Range, SourceTrack, SpatialCues

__all__ = ["course_in_words", "map_in_words", "pass_by_in_words", "spectra_in_words"]


def map_in_words(cues: SpatialCues) -> str:
    """Describe the azimuth map: who is where, and what the directions rest on."""
    capture = cues.capture
    known = [source for source in cues.sources if source.azimuth_start_deg is not None]
    parts = [f"Direction over {cues.duration_s:.1f} s"]
    parts += [_path(source) for source in known]
    if not cues.sources:
        return f"Direction over {cues.duration_s:.1f} s: no source was found."
    if not known:
        return f"Direction over {cues.duration_s:.1f} s: none is claimed, {capture.note}."
    ambiguity = (
        "Four channels tell front from back."
        if capture.format == "foa"
        else "Two channels cannot tell front from back: the front is assumed, and every direction "
        "may as well be its mirror image behind."
    )
    return (
        f"{parts[0]}, read as {capture.format} (confidence {capture.confidence:.2f}): "
        f"{'; '.join(parts[1:])}. Grey: how much sound comes from where. Bands: 90 % intervals. "
        f"Dotted: held through silence. {ambiguity}"
    )


def course_in_words(cues: SpatialCues) -> str:
    """Describe levels and, where a path was fitted, what it says."""
    if not cues.sources:
        return f"Level over {cues.duration_s:.1f} s: no source was found."
    parts = [
        f"{source_name(source)}: {source.motion.replace('_', ' ')} "
        f"({source.motion_confidence:.2f}), level change {source.level_change_db:+.1f} dB"
        + ("" if source.pass_by is None else "; " + pass_by_in_words(source.pass_by))
        for source in cues.sources
    ]
    dashed = any(source.pass_by is not None for source in cues.sources)
    ending = " Dashed: what the fitted path foretells." if dashed else ""
    return f"Over {cues.duration_s:.1f} s: {'. '.join(parts)}.{ending}"


def spectra_in_words(names: Sequence[str], start_s: float, seconds: float, *, apart: bool) -> str:
    """Describe the spectrograms of sources that were separated, or of the whole recording."""
    how = "masked out of the recording" if apart else "the whole recording"
    whose = f"{' and '.join(names)}, {how}"
    return (
        f"Spectrum from {start_s:.1f} to {start_s + seconds:.1f} s of {whose}. "
        f"Shades span {SPECTRUM_DB:.0f} dB below the loudest."
    )


def pass_by_in_words(fit: PassBy) -> str:
    """Describe a fitted path with its 90 % intervals."""
    said = [
        f"closest at {_range(fit.closest_s, 's', 2)}",
        f"speed over distance {_range(fit.speed_over_distance, 'per s', 2)}",
    ]
    if fit.speed_m_s is not None:
        said.append(f"speed {_range(fit.speed_m_s, 'm/s', 1)}")
    if fit.distance_m is not None:
        said.append(f"closest distance {_range(fit.distance_m, 'm', 1)}")
    return ", ".join(said) + f" (from {fit.evidence})"


def _range(value: Range, unit: str, digits: int) -> str:
    return f"{value.value:.{digits}f} {unit} [{value.low:.{digits}f} to {value.high:.{digits}f}]"


def _path(source: SourceTrack) -> str:
    start, end = source.azimuth_start_deg, source.azimuth_end_deg
    if _side(start) == _side(end):
        return f"{source_name(source)} at {_side(start)}"
    return f"{source_name(source)} from {_side(start)} to {_side(end)}"


def _side(degrees: float) -> str:
    if abs(degrees) < 0.5:
        return "straight ahead"
    return f"{abs(degrees):.0f}° {'right' if degrees > 0 else 'left'}"
