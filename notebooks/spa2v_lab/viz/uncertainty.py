"""Figures of uncertainty: clouds of samples, bias of azimuths, intervals, and clips."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from spa2v_lib.cues.features import extract_features
from spa2v_lib.viz.style import TEXT, faded, styled
from spa2v_lib.viz.words import colour_of

if TYPE_CHECKING:
    from spa2v_lib.audio.recording import Recording
    from spa2v_lib.cues.segments import Segment

__all__ = ["bias_figure", "clips_figure", "cloud_figure", "interval_figure", "located_figure"]

_DOTS = 700


def cloud_figure(
    recordings: Mapping[str, Recording], angles_deg: Mapping[str, Mapping[str, float]]
) -> go.Figure:
    """Draw the left channel against the right, sample by sample, a panel for each recording.

    Parameters
    ----------
    recordings : dict of str to Recording
        Two channels each.
    angles_deg : dict of str to dict of str to float
        By recording, pan angles by name: 0 is the left channel alone, 45 both alike, 90 the right
        one alone. Lines are drawn at these angles.

    Examples
    --------
    >>> from spa2v_lib import Recording
    >>> noise = np.random.default_rng(0).normal(0, 0.1, (2, 16_000))
    >>> recording = Recording.from_samples(noise, 16_000)
    >>> figure = cloud_figure({"outdoors": recording}, {"outdoors": {"truth": 60.0}})
    >>> figure.layout.xaxis.title.text
    'left channel'
    """
    figure = make_subplots(1, len(recordings), subplot_titles=list(recordings))
    for column, (title, recording) in enumerate(recordings.items(), 1):
        left, right = recording.samples[:2]
        reach = 1.2 * float(np.percentile(np.abs(recording.samples[:2]), 99.5))
        step = max(1, len(left) // _DOTS)
        figure.add_scatter(
            x=(left[::step] / reach).round(3), y=(right[::step] / reach).round(3), mode="markers",
            marker={"color": faded(TEXT, 0.45), "size": 3}, hoverinfo="skip", showlegend=False,
            row=1, col=column,
        )  # fmt: skip
        for index, (name, angle) in enumerate(angles_deg[title].items()):
            along = np.array([-1.3, 1.3])
            figure.add_scatter(
                x=along * np.cos(np.radians(angle)), y=along * np.sin(np.radians(angle)),
                mode="lines", name=name, legendgroup=name, showlegend=column == 1,
                line={"color": colour_of(index), "width": 2.5, "dash": _dash(index)},
                hoverinfo="skip", row=1, col=column,
            )  # fmt: skip
    figure.update_xaxes(range=[-1, 1], title="left channel", showticklabels=False)
    for column in range(1, len(recordings) + 1):
        anchor = "x" if column == 1 else f"x{column}"
        figure.update_yaxes(
            range=[-1, 1],
            showticklabels=False,
            scaleanchor=anchor,
            constrain="domain",
            constraintoward="top",
            col=column,
        )
    figure.update_xaxes(constrain="domain")
    figure.update_yaxes(title="right channel", col=1)
    words = f"left against right channel: {', '.join(recordings)}"
    styled(figure, height=360, alt=words)
    figure.update_annotations(font={"color": TEXT, "size": 13})
    return figure.update_layout(margin={"l": 50, "r": 10, "t": 80, "b": 40}, legend_y=1.16)


def bias_figure(
    truth_deg: Sequence[float], estimates_deg: Mapping[str, Mapping[str, Sequence[float]]]
) -> go.Figure:
    """Draw estimated against true azimuths, a panel for each room.

    Parameters
    ----------
    truth_deg : sequence of float [n]
    estimates_deg : dict of str to dict of str to sequence of float [n]
        By room and method.

    Examples
    --------
    >>> figure = bias_figure([-30, 30], {"outdoors": {"level": [-28, 29]}})
    >>> figure.layout.yaxis.title.text
    'estimated azimuth'
    """
    figure = make_subplots(
        1, len(estimates_deg), subplot_titles=list(estimates_deg), shared_yaxes=True
    )
    for column, methods in enumerate(estimates_deg.values(), 1):
        figure.add_scatter(
            x=[-70, 70], y=[-70, 70], mode="lines", name="truth", legendgroup="truth",
            line={"color": TEXT, "width": 1, "dash": "dot"}, hoverinfo="skip",
            showlegend=column == 1, row=1, col=column,
        )  # fmt: skip
        for index, (method, estimate) in enumerate(methods.items()):
            figure.add_scatter(
                x=list(truth_deg), y=np.round(estimate, 1), mode="lines+markers", name=method,
                legendgroup=method, showlegend=column == 1,
                line={"color": colour_of(index), "width": 2, "dash": _dash(index)},
                hovertemplate="%{x:+.0f}° estimated as %{y:+.0f}°", row=1, col=column,
            )  # fmt: skip
    figure.update_xaxes(title="true azimuth", ticksuffix="°", tickvals=[-60, 0, 60])
    figure.update_yaxes(range=[-72, 72], tickvals=[-60, -30, 0, 30, 60], ticksuffix="°")
    figure.update_yaxes(title="estimated azimuth", col=1)
    words = f"estimated against true azimuth, by method: {', '.join(estimates_deg)}"
    styled(figure, height=360, alt=words)
    figure.update_annotations(font={"color": TEXT, "size": 13})
    return figure.update_layout(margin={"l": 70, "r": 10, "t": 80, "b": 50}, legend_y=1.16)


def interval_figure(
    names: Sequence[str],
    truth: Sequence[float],
    intervals: Sequence[tuple[float, float, float]],
) -> go.Figure:
    """Draw intervals of azimuths, and where the truth lay.

    Parameters
    ----------
    names : sequence of str [n]
        What each one is.
    truth : sequence of float [n]
        In degrees.
    intervals : sequence of (low, value, high) [n]
        In degrees.

    Examples
    --------
    >>> figure = interval_figure(["a"], [12.0], [(5.0, 10.0, 15.0)])
    >>> figure.layout.yaxis.title.text
    'deviation from the estimate (°)'
    """
    order = np.argsort([high - low for low, _, high in intervals], kind="stable")
    low, value, high = np.array(intervals, float)[order].T
    meant = np.asarray(truth, float)[order]
    inside = (low <= meant) & (meant <= high)
    figure = go.Figure()
    for held, index, name in ((True, 2, "contains the truth"), (False, 1, "misses it")):
        chosen = np.flatnonzero(inside == held)
        figure.add_scatter(
            x=chosen, y=np.zeros(len(chosen)), mode="markers", name=f"interval {name}",
            marker={"color": colour_of(index), "size": 7},
            error_y={
                "type": "data", "symmetric": False, "color": colour_of(index), "thickness": 3,
                "width": 4, "array": (high - value)[chosen].round(2),
                "arrayminus": (value - low)[chosen].round(2),
            },
            text=[names[order[k]] for k in chosen], hovertemplate="%{text}<extra></extra>",
        )  # fmt: skip
    figure.add_scatter(
        x=np.arange(len(meant)), y=(meant - value).round(2), mode="markers", name="truth",
        marker={"color": TEXT, "symbol": "diamond", "size": 9}, hovertemplate="%{y:+.1f}° away",
    )  # fmt: skip
    figure.update_xaxes(
        title="scenes, from the narrowest to the widest interval", showticklabels=False
    )
    figure.update_yaxes(title="deviation from the estimate (°)")
    words = f"90 % intervals of {len(meant)} azimuths around the estimate, and the truth"
    return styled(figure, height=380, alt=words)


def located_figure(
    names: Sequence[str], intervals: Sequence[tuple[float, float, float]]
) -> go.Figure:
    """Draw one azimuth with its interval for each name, in the order given.

    Parameters
    ----------
    names : sequence of str [n]
    intervals : sequence of (low, value, high) [n]
        In degrees, right positive.

    Examples
    --------
    >>> figure = located_figure(["C1", "C4"], [(-40.0, -30.0, -20.0), (5.0, 10.0, 15.0)])
    >>> list(figure.data[0].x)
    ['C1', 'C4']
    """
    low, value, high = np.array(intervals, float).T
    figure = go.Figure()
    figure.add_scatter(
        x=list(names), y=value.round(1), mode="markers",
        marker={"color": colour_of(0), "size": 8},
        error_y={
            "type": "data", "symmetric": False, "color": colour_of(0), "thickness": 3, "width": 4,
            "array": (high - value).round(1), "arrayminus": (value - low).round(1),
        },
        hovertemplate="%{x}: %{y:+.0f}°<extra></extra>",
    )  # fmt: skip
    figure.update_yaxes(
        range=[-92, 92],
        tickvals=[-90, -45, 0, 45, 90],
        ticksuffix="°",
        title="azimuth (right is up)",
    )
    words = f"azimuth with its 90 % interval: {', '.join(names)}"
    return styled(figure, height=340, alt=words).update_layout(showlegend=False)


def clips_figure(recording: Recording, segments: Sequence[Segment]) -> go.Figure:
    """Draw the level of a long recording, with the clips that it is split into.

    Parameters
    ----------
    recording : Recording
    segments : sequence of Segment
        Of this recording.

    Examples
    --------
    >>> from spa2v_lib.cues.segments import Segment
    >>> from spa2v_lib import Recording
    >>> noise = np.random.default_rng(0).normal(0, 0.1, (2, 16_000))
    >>> recording = Recording.from_samples(noise, 16_000)
    >>> figure = clips_figure(recording, [Segment(0.0, 1.0)])
    >>> figure.layout.yaxis.title.text
    'level (dB)'
    """
    features = extract_features(recording)
    level = np.maximum(features.level_db, float(features.level_db.max()) - 60.0).round(1)
    figure = go.Figure(
        go.Scatter(
            x=features.times_s.round(2),
            y=level,
            mode="lines",
            showlegend=False,
            line={"color": TEXT, "width": 1.5},
            hovertemplate="%{x:.1f} s: %{y:.0f} dB",
        )  # fmt: skip
    )
    for index, segment in enumerate(segments):
        colour = colour_of(index)
        figure.add_vrect(
            segment.start_s, segment.end_s, fillcolor=faded(colour, 0.22), line_width=0,
            annotation={"text": f"clip {index + 1}", "font": {"color": TEXT}},
            annotation_position="top left",
        )  # fmt: skip
        figure.add_vline(segment.start_s, line={"color": colour, "width": 2})
    figure.update_xaxes(title="time (s)", range=[0.0, recording.duration_s])
    figure.update_yaxes(title="level (dB)")
    words = f"level over {recording.duration_s:.0f} s, split into {len(segments)} clips"
    return styled(figure, height=300, alt=words)


def _dash(index: int) -> str:
    return ("solid", "dash", "dot", "dashdot")[index % 4]
