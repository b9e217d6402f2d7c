"""What figures say: colours, names, captions, and descriptions for those who cannot see them.

Nothing here loads a plotting library or another stage.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from spa2v_lib.cues.types import PassBy, Range, SourceTrack, SpatialCues

__all__ = [
    "SOURCE_COLOURS",
    "colour_of",
    "cues_in_words",
    "map_caption",
    "naming_in_words",
    "pass_by_in_words",
    "shown_label",
    "source_name",
    "spectrogram_caption",
    "tracks_caption",
]

SOURCE_COLOURS = ("#2f7fd8", "#c8650a", "#12876a", "#b0509a")
"""One colour per source, repeated after the fourth; each keeps a contrast of at least 3:1 on white
and on near-black."""


def colour_of(index: int) -> str:
    """Return the colour of a source or object.

    Parameters
    ----------
    index : int
        Number of the source, from 0.

    Returns
    -------
    str
        ``#rrggbb``.

    Examples
    --------
    >>> colour_of(0) == colour_of(4)
    True
    """
    return SOURCE_COLOURS[index % len(SOURCE_COLOURS)]


def shown_label(label: str) -> str:
    """Return a label as people write it.

    Parameters
    ----------
    label : str
        Name of a class, such as "fire_engine".

    Examples
    --------
    >>> shown_label("fire_engine")
    'fire engine'
    """
    return label.replace("_", " ")


def source_name(source: SourceTrack) -> str:
    """Return the label of a source, or its identifier where it has no label.

    Parameters
    ----------
    source : SourceTrack
        One source of the cues.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> source_name(SimpleNamespace(id="source-1", label=None))
    'source-1'
    """
    return shown_label(source.label) if source.label else source.id


def naming_in_words(source: SourceTrack) -> str:
    """Say what a source is, who says so, and with which probability.

    Parameters
    ----------
    source : SourceTrack
        One source of the cues.

    See Also
    --------
    source_name : The label alone.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> piano = SimpleNamespace(
    ...     id="source-1", label="piano", label_source="guess", label_confidence=0.2,
    ...     families=[("instrument", 0.6)],
    ... )
    >>> naming_in_words(piano)
    'not recognized, perhaps piano (0.20; family instrument 0.60)'
    >>> piano.label_source = "tagger"
    >>> naming_in_words(piano)
    'piano (confidence 0.20)'
    >>> piano.label_source = "user"
    >>> naming_in_words(piano)
    'piano (as labelled)'
    """
    name = source_name(source)
    if source.label_source == "user":
        return f"{name} (as labelled)"
    if source.label_source == "tagger":
        return f"{name} (confidence {source.label_confidence:.2f})"
    if source.label is None:
        return "not recognized"
    family, probability = next(iter(source.families), ("unknown", 0.0))
    return (
        f"not recognized, perhaps {name} ({source.label_confidence:.2f}; "
        f"family {family} {probability:.2f})"
    )


def cues_in_words(cues: SpatialCues) -> str:
    """Describe the figure of azimuth and level for those who cannot see it.

    Parameters
    ----------
    cues : SpatialCues
        Of the recording.

    See Also
    --------
    map_caption, tracks_caption : what the larger figures are captioned with

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> cues_in_words(SimpleNamespace(sources=[], duration_s=2.0))
    'Azimuth and level over 2.0 seconds. No source was detected.'
    """
    parts = []
    for source in cues.sources:
        start, end = source.azimuth_start_deg, source.azimuth_end_deg
        path = (
            "azimuth unknown"
            if start is None or end is None
            else f"azimuth from {start:.0f} to {end:.0f} degrees"
        )
        parts.append(f"{source_name(source)}: {source.motion.replace('_', ' ')}, {path}")
    detected = "; ".join(parts) or "No source was detected"
    return f"Azimuth and level over {cues.duration_s:.1f} seconds. {detected}."


def map_caption(cues: SpatialCues) -> str:
    """Return the caption of the azimuth map: where each source is, and what is assumed.

    Parameters
    ----------
    cues : SpatialCues
        Of the recording.

    See Also
    --------
    cues_in_words : For those who cannot see the figure.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> map_caption(SimpleNamespace(sources=[], duration_s=2.0, capture=None))
    'Azimuth over 2.0 s: no source was detected.'
    """
    capture, begins = cues.capture, f"Azimuth over {cues.duration_s:.1f} s"
    known = [source for source in cues.sources if source.azimuth_start_deg is not None]
    if not cues.sources:
        return f"{begins}: no source was detected."
    if not known:
        return f"{begins}: not estimated, {capture.note}."
    ambiguity = (
        "First-order ambisonics resolves front and back."
        if capture.format == "foa"
        else "Two channels cannot tell front from back: the front is assumed, and each direction "
        "could equally be its mirror image behind."
    )
    return (
        f"{begins}, capture format {capture.format} (confidence {capture.confidence:.2f}): "
        f"{'; '.join(_path(source) for source in known)}. Grey: how much sound arrives from each "
        f"direction. Bands: 90 % intervals. Dotted: held through silence. {ambiguity}"
    )


def tracks_caption(cues: SpatialCues) -> str:
    """Return the caption of the levels: motion, level change and, where fitted, the pass-by.

    Parameters
    ----------
    cues : SpatialCues
        Of the recording.

    See Also
    --------
    cues_in_words : For those who cannot see the figure.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> tracks_caption(SimpleNamespace(sources=[], duration_s=2.0))
    'Level over 2.0 s: no source was detected.'
    """
    if not cues.sources:
        return f"Level over {cues.duration_s:.1f} s: no source was detected."
    parts = [
        f"{source_name(source)}: {source.motion.replace('_', ' ')} "
        f"(confidence {source.motion_confidence:.2f}), level change "
        f"{source.level_change_db:+.1f} dB".replace("-", "−")
        + ("" if source.pass_by is None else "; " + pass_by_in_words(source.pass_by))
        for source in cues.sources
    ]
    dashed = any(source.pass_by is not None for source in cues.sources)
    ending = " Dashed: prediction of the fitted pass-by." if dashed else ""
    return f"Over {cues.duration_s:.1f} s: {'. '.join(parts)}.{ending}"


def spectrogram_caption(
    names: Sequence[str], start_s: float, seconds: float, *, separated: bool
) -> str:
    """Return the caption of spectrograms.

    Parameters
    ----------
    names : sequence of str
        Of the sources.
    start_s, seconds : float
        The excerpt.
    separated : bool
        Whether the signals are separated sources; otherwise they are the whole recording.

    Examples
    --------
    >>> spectrogram_caption(["car"], 0.0, 2.0, separated=False)
    'Spectrogram from 0.0 to 2.0 s of car, the whole recording. Shades span 60 dB.'
    """
    signal = "separated from the recording" if separated else "the whole recording"
    return (
        f"Spectrogram from {start_s:.1f} to {start_s + seconds:.1f} s of {' and '.join(names)}, "
        f"{signal}. Shades span 60 dB."
    )


def pass_by_in_words(fit: PassBy) -> str:
    """Describe a fitted pass-by with its 90 % intervals.

    Parameters
    ----------
    fit : PassBy
        The path of a source that crosses.

    Examples
    --------
    >>> from spa2v_lib.cues.types import PassBy, Range
    >>> fit = PassBy(closest_s=Range(value=1.5, low=1.4, high=1.6),
    ...              speed_over_distance=Range(value=1.0, low=0.9, high=1.1), speed_m_s=None,
    ...              distance_m=None, heading_deg=90.0,
    ...              evidence="azimuth and level")
    >>> pass_by_in_words(fit)[:54]
    'closest at 1.50 s [1.40 to 1.60], speed over distance '
    """
    parts = [
        f"closest at {_range(fit.closest_s, 's', 2)}",
        f"speed over distance {_range(fit.speed_over_distance, 'per s', 2)}",
    ]
    if fit.speed_m_s is not None:
        parts.append(f"speed {_range(fit.speed_m_s, 'm/s', 1)}")
    if fit.distance_m is not None:
        parts.append(f"closest distance {_range(fit.distance_m, 'm', 1)}")
    return ", ".join(parts) + f" (from {fit.evidence})"


def _range(value: Range, unit: str, digits: int) -> str:
    return f"{value.value:.{digits}f} {unit} [{value.low:.{digits}f} to {value.high:.{digits}f}]"


def _path(source: SourceTrack) -> str:
    start, end = _direction(source.azimuth_start_deg), _direction(source.azimuth_end_deg)
    if start == end:
        return f"{source_name(source)} at {start}"
    return f"{source_name(source)} from {start} to {end}"


def _direction(degrees: float) -> str:
    if abs(degrees) < 0.5:
        return "0° (straight ahead)"
    return f"{abs(degrees):.0f}° {'right' if degrees > 0 else 'left'}"
