"""A plotly figure of cues: azimuth with its interval, and level, over time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from spa2v_lib.viz.style import TEXT, azimuth_ticks, interval_band, shown_name, styled
from spa2v_lib.viz.words import colour_of, cues_in_words

if TYPE_CHECKING:
    from spa2v_lib.cues.types import SourceTrack, SpatialCues

__all__ = ["cue_figure", "source_line"]


def cue_figure(cues: SpatialCues) -> go.Figure:
    """Draw azimuth with its interval, and level, over time.

    Parameters
    ----------
    cues : SpatialCues
        What was measured.

    Returns
    -------
    plotly.graph_objects.Figure
        Two panels over one time axis: azimuth in degrees (right is up), level in dB.

    See Also
    --------
    spa2v_lib.viz.svg.cue_svg : the same for a saved page
    spa2v_lab.viz.analysis.azimuth_map : how much sound arrives from where, with players

    Examples
    --------
    >>> from spa2v_lib import Recording, extract_cues
    >>> import numpy as np
    >>> noise = np.random.default_rng(0).normal(0, 0.1, 8000)
    >>> recording = Recording.from_samples(np.stack([0.5 * noise, noise]), 16_000)
    >>> figure = cue_figure(extract_cues(recording, label="car", capture="panned"))
    >>> figure.layout.xaxis2.title.text
    'time (s)'
    """
    figure = make_subplots(rows=2, cols=1, shared_xaxes=True, row_heights=[0.65, 0.35])
    for index, source in enumerate(cues.sources):
        colour = colour_of(index)
        figure.add_traces(interval_band(source, cues.times_s, colour), rows=1, cols=1)
        azimuth = source_line(
            source, cues.times_s, source.azimuth_deg, colour, "°", line={"width": 2.5}
        )
        level = source_line(source, cues.times_s, source.level_db, colour, "dB", showlegend=False)
        figure.add_trace(azimuth, row=1, col=1)
        figure.add_trace(level, row=2, col=1)
    figure.add_trace(
        go.Scatter(
            x=cues.times_s,
            y=cues.level_db,
            name="recording",
            mode="lines",
            line={"color": TEXT, "width": 1},
            hovertemplate="%{y:.1f} dB",
        ),
        row=2,
        col=1,
    )
    figure.update_yaxes(row=1, title="azimuth (°)", **azimuth_ticks())
    figure.update_yaxes(row=2, title="level (dB)")
    figure.update_xaxes(row=2, title="time (s)")
    return styled(figure, height=460, alt=cues_in_words(cues))


def source_line(
    source: SourceTrack,
    times: Sequence[float],
    values: Sequence[float | None],
    colour: str,
    unit: str,
    *,
    line: dict[str, Any] | None = None,
    **look: Any,
) -> go.Scatter:
    """Return a line of one source, which its entry in the legend hides and shows.

    Parameters
    ----------
    source : SourceTrack
        One source of the cues.
    times : sequence of float
        Of the cues, in seconds.
    values : sequence of (float or None)
        In `unit`, one a time.
    colour : str
        ``#rrggbb``.
    unit : str
        "°", or another such as "dB".
    line : dict, optional
        Plotly's settings of the line, beside colour and width.
    **look
        Plotly's other settings of the trace.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> source = SimpleNamespace(id="s", label="car")
    >>> source_line(source, [0.0, 0.1], [-20.0, -19.0], "#2f7fd8", "dB").name
    'car'
    """
    return go.Scatter(
        x=times,
        y=values,
        legendgroup=source.id,
        mode="lines",
        line={"color": colour, "width": 2} | (line or {}),
        hovertemplate="%{y:.0f}°" if unit == "°" else f"%{{y:.1f}} {unit}",
        **{"name": shown_name(source)} | look,
    )
