"""Plotly figures of an analysis, with players: direction, level, pitch and spectrum over time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from spa2v_lib.viz.cue_figures import source_line
from spa2v_lib.viz.evidence import (
    MOST_COLUMNS,
    SPECTRUM_DB,
    direction_evidence,
    mel_spectrum,
    pass_by_curves,
)
from spa2v_lib.viz.player import Player, loudest_excerpt, source_players
from spa2v_lib.viz.style import (
    TEXT,
    azimuth_ticks,
    faded,
    figure_html,
    interval_band,
    shown_name,
    styled,
)
from spa2v_lib.viz.words import (
    colour_of,
    map_caption,
    source_name,
    spectrogram_caption,
    tracks_caption,
)

if TYPE_CHECKING:
    from spa2v_lib.cues.extract import Analysis
    from spa2v_lib.cues.types import PassBy, SourceTrack

__all__ = ["Exhibit", "azimuth_map", "level_and_pitch", "spectrograms", "track_lines"]

_SILENT = {"dash": "dot", "width": 1.5}


@dataclass(frozen=True)
class Exhibit:
    """A figure with its caption and players; shows itself in a notebook.

    Attributes
    ----------
    figure : plotly.graph_objects.Figure
    caption : str
        What can be seen, also for those who cannot see it.
    players : tuple of Player

    Examples
    --------
    >>> shown = Exhibit(go.Figure(), "An empty figure.", (Player("train", None, b""),))
    >>> shown.below().count("<audio ")
    1
    """

    figure: go.Figure
    caption: str
    players: tuple[Player, ...] = ()

    def below(self) -> str:
        """Return caption and players as HTML, for under the figure; all text is escaped."""
        players = "".join(player.html() for player in self.players)
        return (
            '<div class="spa2v-below" style="max-width:60em">'
            f'<p style="opacity:.8;margin:.2rem 0 .6rem">{escape(self.caption)}</p>{players}</div>'
        )

    def html(self, number: int = 1) -> str:
        """Return the whole as HTML, for a page that has loaded plotly.js; see `figure_html`."""
        return f"<figure>{figure_html(self.figure, number)}{self.below()}</figure>"

    def _ipython_display_(self) -> None:
        # two outputs: JupyterLab draws figures from plotly's JSON and knows players as HTML only
        from IPython.display import HTML, display

        display(self.figure)
        display(HTML(self.below()))


def azimuth_map(analysis: Analysis) -> Exhibit:
    """Draw how much sound arrives from each direction over time, under tracks and intervals.

    Parameters
    ----------
    analysis : Analysis
        What `spa2v_lib.cues.analyze` returns: a recording, its cues and its features.

    Returns
    -------
    Exhibit
        With players of the recording and of every source.

    See Also
    --------
    level_and_pitch, spectrograms : the other figures of an analysis

    Examples
    --------
    >>> from spa2v_lib import Recording
    >>> from spa2v_lib.cues import analyze
    >>> noise = np.random.default_rng(0).normal(0, 0.1, 8000)
    >>> recording = Recording.from_samples(np.stack([0.5 * noise, noise]), 16_000)
    >>> exhibit = azimuth_map(analyze(recording, label="car", capture="panned"))
    >>> exhibit.figure.layout.yaxis.title.text
    'azimuth (°)'
    """
    cues = analysis.cues
    figure = go.Figure()
    if cues.capture.format != "mono":
        figure.add_trace(_evidence_map(analysis))
    for index, source in enumerate(cues.sources):
        figure.add_traces(interval_band(source, cues.times_s, colour_of(index)))
        figure.add_traces(track_lines(source, cues.times_s, colour_of(index)))
    behind = cues.capture.format == "foa"
    figure.update_yaxes(title="azimuth (°)", **azimuth_ticks(behind=behind))
    figure.update_xaxes(title="time (s)", range=[0.0, cues.duration_s])
    caption = map_caption(cues)
    players = source_players(analysis, with_recording=True)
    return Exhibit(styled(figure, height=400, alt=caption), caption, players)


def level_and_pitch(analysis: Analysis) -> Exhibit:
    """Draw level and pitch over time and, dashed, what the fitted pass-by predicts.

    Parameters
    ----------
    analysis : Analysis
        What `spa2v_lib.cues.analyze` returns: a recording, its cues and its features.

    Returns
    -------
    Exhibit
        With players of the sources.

    See Also
    --------
    azimuth_map, spectrograms : the other figures of an analysis

    Examples
    --------
    >>> from spa2v_lib import Recording
    >>> from spa2v_lib.cues import analyze
    >>> noise = np.random.default_rng(0).normal(0, 0.1, 8000)
    >>> recording = Recording.from_samples(np.stack([0.5 * noise, noise]), 16_000)
    >>> exhibit = level_and_pitch(analyze(recording, label="car", capture="panned"))
    >>> exhibit.figure.layout.yaxis.title.text
    'level (dB)'
    """
    cues = analysis.cues
    pitched = any(value is not None for source in cues.sources for value in source.pitch_hz)
    figure = make_subplots(rows=1 + pitched, cols=1, shared_xaxes=True, vertical_spacing=0.08)
    times = np.array(cues.times_s)
    for index, source in enumerate(cues.sources):
        colour = colour_of(index)
        level, pitch = pass_by_curves(source, times)
        measured = np.where(source.active, np.array(source.level_db, float), np.nan)
        figure.add_traces(source_line(source, times, measured, colour, "dB"), 1, 1)
        figure.add_traces(_fitted_line(source, times, level, colour, "dB"), 1, 1)
        if pitched:
            figure.add_traces(_pitch_dots(source, times, colour), 2, 1)
            figure.add_traces(_fitted_line(source, times, pitch, colour, "Hz"), 2, 1)
        if source.pass_by is not None:
            _mark_closest(figure, source.pass_by, colour, cues.duration_s)
    figure.update_yaxes(row=1, title="level (dB)")
    if pitched:
        figure.update_yaxes(row=2, title="pitch (Hz)")
    figure.update_xaxes(range=[0.0, cues.duration_s])
    figure.update_xaxes(row=1 + pitched, title="time (s)")
    caption = tracks_caption(cues)
    players = source_players(analysis, with_recording=False)
    return Exhibit(styled(figure, height=260 + 180 * pitched, alt=caption), caption, players)


def spectrograms(analysis: Analysis) -> Exhibit:
    """Draw the spectrogram of every separated source, over the excerpt that is played.

    Parameters
    ----------
    analysis : Analysis
        What `spa2v_lib.cues.analyze` returns: a recording, its cues and its features.

    Returns
    -------
    Exhibit
        With players of the sources.

    See Also
    --------
    azimuth_map, level_and_pitch : the other figures of an analysis

    Examples
    --------
    >>> from spa2v_lib import Recording
    >>> from spa2v_lib.cues import analyze
    >>> noise = np.random.default_rng(0).normal(0, 0.1, 8000)
    >>> recording = Recording.from_samples(np.stack([0.5 * noise, noise]), 16_000)
    >>> exhibit = spectrograms(analyze(recording, label="car", capture="panned"))
    >>> exhibit.figure.layout.yaxis.title.text
    'frequency (Hz)'
    """
    cues = analysis.cues
    signals = analysis.separated or (analysis.recording,)
    names = [source_name(source) for source in cues.sources] or ["recording"]
    start, seconds = loudest_excerpt(cues)
    figure = make_subplots(
        rows=len(signals),
        cols=1,
        shared_xaxes=True,
        vertical_spacing=0.06,
        subplot_titles=[escape(name) for name in names],
    )
    parts = [mel_spectrum(signal.cut(start, seconds)) for signal in signals]
    loudest = max(float(levels.max()) for levels, _ in parts)
    for index, (levels, hz) in enumerate(parts):
        colour = colour_of(index) if cues.sources else TEXT
        trace = _spectrogram(levels - loudest, hz, (start, seconds), colour)
        figure.add_trace(trace, index + 1, 1)
    marks = {100: "100", 300: "300", 1000: "1k", 3000: "3k", 10_000: "10k"}
    ticks = {"tickvals": [*marks], "ticktext": [*marks.values()]}
    figure.update_yaxes(title="frequency (Hz)", type="log", **ticks)
    figure.update_xaxes(row=len(signals), title="time (s)")
    figure.update_annotations(font={"color": TEXT, "size": 13})
    caption = spectrogram_caption(names, start, seconds, separated=len(cues.sources) > 1)
    players = source_players(analysis, with_recording=False)
    return Exhibit(styled(figure, height=110 + 170 * len(signals), alt=caption), caption, players)


def track_lines(source: SourceTrack, times: Sequence[float], colour: str) -> list[go.Scatter]:
    """Return the track where the source sounds and, dotted, where it is held through silence.

    Parameters
    ----------
    source : SourceTrack
        One source of the cues.
    times : sequence of float
        Of the cues, in seconds.
    colour : str
        ``#rrggbb``.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> source = SimpleNamespace(id="s", label="car", active=[True, False],
    ...                          azimuth_deg=[10.0, 10.0])
    >>> [line.name for line in track_lines(source, [0.0, 0.1], "#2f7fd8")]
    ['car', 'car, silent']
    """
    name = shown_name(source)
    sounds = np.array(source.active)
    known = np.array([value is not None for value in source.azimuth_deg])
    azimuth = np.array([np.nan if v is None else v for v in source.azimuth_deg])
    held = known & ~(sounds & np.roll(sounds, 1) & np.roll(sounds, -1))
    return [
        source_line(
            source, times, np.where(sounds, azimuth, np.nan), colour, "°", line={"width": 3}
        ),
        source_line(
            source,
            times,
            np.where(held, azimuth, np.nan),
            colour,
            "°",
            name=f"{name}, silent",
            showlegend=False,
            line=_SILENT,
        ),
    ]


def _evidence_map(analysis: Analysis) -> go.Heatmap:
    evidence, azimuth = direction_evidence(analysis)
    size = -(-len(evidence) // MOST_COLUMNS)
    starts = np.arange(0, len(evidence), size)
    columns = np.maximum.reduceat(evidence, starts)
    times = np.add.reduceat(np.array(analysis.cues.times_s), starts) / np.diff(
        [*starts, len(evidence)]
    )
    return go.Heatmap(
        x=times,
        y=azimuth,
        z=(100.0 * columns.T).round().astype(np.uint8),
        zmin=0,
        zmax=100,
        colorscale=_ramp(TEXT, 0.85),
        showscale=False,
        zsmooth="fast",
        hovertemplate="%{x:.1f} s, %{y:.0f}°: %{z} %<extra>sound from here</extra>",
    )


def _ramp(colour: str, most: float) -> list[tuple[float, str]]:
    """Return a scale from clear to `colour`: readable on any page."""
    return [(share, faded(colour, most * share)) for share in (0.0, 0.25, 0.5, 0.75, 1.0)]


def _pitch_dots(source: SourceTrack, times: np.ndarray, colour: str) -> go.Scatter:
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


def _fitted_line(
    source: SourceTrack, times: np.ndarray, values: np.ndarray | None, colour: str, unit: str
) -> list[go.Scatter]:
    if values is None:
        return []
    name = f"{shown_name(source)}, fitted pass-by"
    look = {"name": name, "showlegend": unit == "dB", "opacity": 0.85, "line": {"dash": "dash"}}
    return [source_line(source, times, values, colour, unit, **look)]


def _mark_closest(figure: go.Figure, fit: PassBy, colour: str, duration_s: float) -> None:
    """Mark the closest approach by a line, and its interval by a bar, if it was recorded."""
    when = fit.closest_s
    if 0.0 <= when.value <= duration_s:
        bar = {"fillcolor": colour, "opacity": 0.4, "line_width": 0, "y0": 0.0, "y1": 0.04}
        figure.add_vrect(max(when.low, 0.0), min(when.high, duration_s), **bar)
        figure.add_vline(when.value, line={"color": colour, "width": 1, "dash": "dot"})


def _spectrogram(
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
