"""The lines and maps that the figures of hearing are made of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import plotly.graph_objects as go

from spa2v_lib.viz.evidence import MOST_COLUMNS, SPECTRUM_DB, direction_evidence
from spa2v_lib.viz.style import TEXT, faded, shown_name

if TYPE_CHECKING:
    from spa2v_lib.audio import Recording
    from spa2v_lib.cues.types import PassBy, SourceTrack, SpatialCues

__all__ = [
    "evidence_map",
    "fitted_line",
    "mark_closest",
    "measured_line",
    "pitch_dots",
    "spectrogram",
    "track_lines",
]

_SILENT = {"dash": "dot", "width": 1.5}


def evidence_map(recording: Recording, cues: SpatialCues) -> go.Heatmap:
    evidence, azimuth = direction_evidence(recording, cues)
    size = -(-len(evidence) // MOST_COLUMNS)
    starts = np.arange(0, len(evidence), size)
    columns = np.maximum.reduceat(evidence, starts)
    times = np.add.reduceat(np.array(cues.times_s), starts) / np.diff([*starts, len(evidence)])
    return go.Heatmap(
        x=times,
        y=azimuth,
        z=(100.0 * columns.T).round().astype(np.uint8),
        zmin=0,
        zmax=100,
        colorscale=_ramp(TEXT, 0.85),
        showscale=False,
        zsmooth="fast",
        hovertemplate="%{x:.1f} s, %{y:.0f}°: %{z} %<extra>evidence</extra>",
    )


def _ramp(colour: str, most: float) -> list[tuple[float, str]]:
    """Return a scale from clear to `colour`: readable on any page."""
    return [(share, faded(colour, most * share)) for share in (0.0, 0.25, 0.5, 0.75, 1.0)]


def track_lines(source: SourceTrack, times: Sequence[float], colour: str) -> list[go.Scatter]:
    """Return the track where the source sounds, and, dotted, where it was held."""
    name = shown_name(source)
    sounds = np.array(source.active)
    known = np.array([value is not None for value in source.azimuth_deg])
    azimuth = np.array([np.nan if v is None else v for v in source.azimuth_deg])
    held = known & ~(sounds & np.roll(sounds, 1) & np.roll(sounds, -1))
    line = {"x": times, "mode": "lines", "legendgroup": source.id, "hovertemplate": "%{y:.0f}°"}
    return [
        go.Scatter(
            y=np.where(sounds, azimuth, np.nan),
            name=name,
            line={"color": colour, "width": 3},
            **line,
        ),
        go.Scatter(
            y=np.where(held, azimuth, np.nan),
            name=f"{name}, silent",
            showlegend=False,
            line={"color": colour, **_SILENT},
            **line,
        ),
    ]


def measured_line(
    source: SourceTrack, times: np.ndarray, values: Sequence[float], colour: str, unit: str
) -> go.Scatter:
    return go.Scatter(
        x=times,
        y=np.where(source.active, np.array(values, float), np.nan),
        name=shown_name(source),
        legendgroup=source.id,
        mode="lines",
        line={"color": colour, "width": 2},
        hovertemplate=f"%{{y:.1f}} {unit}",
    )


def pitch_dots(source: SourceTrack, times: np.ndarray, colour: str) -> go.Scatter:
    return go.Scatter(
        x=times,
        y=source.pitch_hz,
        name=shown_name(source),
        legendgroup=source.id,
        showlegend=False,
        mode="markers",
        marker={"color": colour, "size": 5},
        hovertemplate="%{y:.0f} Hz",
    )


def fitted_line(
    source: SourceTrack, times: np.ndarray, values: np.ndarray | None, colour: str, unit: str
) -> list[go.Scatter]:
    if values is None:
        return []
    return [
        go.Scatter(
            x=times,
            y=values,
            name=f"{shown_name(source)}, fitted pass-by",
            legendgroup=source.id,
            showlegend=unit == "dB",
            mode="lines",
            line={"color": colour, "width": 2, "dash": "dash"},
            opacity=0.85,
            hovertemplate=f"%{{y:.1f}} {unit}",
        )
    ]


def mark_closest(figure: go.Figure, fit: PassBy, colour: str, duration_s: float) -> None:
    """Mark the closest approach by a line, and its interval by a bar, if it was recorded."""
    when = fit.closest_s
    if 0.0 <= when.value <= duration_s:
        bar = {"fillcolor": colour, "opacity": 0.4, "line_width": 0, "y0": 0.0, "y1": 0.04}
        figure.add_vrect(max(when.low, 0.0), min(when.high, duration_s), **bar)
        figure.add_vline(when.value, line={"color": colour, "width": 1, "dash": "dot"})


def spectrogram(
    levels: np.ndarray, hz: np.ndarray, span: tuple[float, float], colour: str
) -> go.Heatmap:
    start, seconds = span
    return go.Heatmap(
        x=start + seconds * (np.arange(levels.shape[1]) + 0.5) / levels.shape[1],
        y=hz,
        z=np.maximum(levels, -SPECTRUM_DB).round().astype(np.int8),
        zmin=-SPECTRUM_DB,
        zmax=0.0,
        colorscale=_ramp(colour, 1.0),
        showscale=False,
        hovertemplate="%{x:.2f} s, %{y:.0f} Hz: %{z} dB<extra></extra>",
    )
