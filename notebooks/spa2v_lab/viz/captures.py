"""Capture formats in numbers and figures: which differences a direction makes, and the reverse.

Everything comes from the receivers of `spa2v_lab.scenes.receivers`, so that what is drawn is what
simulated recordings contain.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from spa2v_lab.scenes.receivers import get_receiver, lobes
from spa2v_lib.viz.figures import slider
from spa2v_lib.viz.style import GRID, TEXT, faded, styled
from spa2v_lib.viz.words import colour_of

__all__ = [
    "HEAD_HZ",
    "MOST_DB",
    "NAMES",
    "PAIRS",
    "Differences",
    "differences",
    "differences_figure",
    "head_figure",
    "microphones_figure",
    "plane_figure",
    "matching_directions",
]

NAMES = {
    "panned": "panned",
    "xy": "XY",
    "ms": "M/S",
    "ortf": "ORTF",
    "ab": "AB",
    "binaural": "binaural",
}
"""The two-channel formats by their written names, in the order in which they are shown."""

PAIRS = tuple(NAMES)

MOST_DB = 30.0
"""Larger level differences are drawn as this one – a cardioid receives nothing from behind."""

HEAD_HZ = 2000.0
"""Frequency at which a head's level difference is given where there is room for one only."""

_ALIKE_DB, _ALIKE_S = 0.5, 10e-6


@dataclass(frozen=True)
class Differences:
    """What a plane wave makes of two channels.

    Attributes
    ----------
    ild_db : ndarray
        Right level over left, within ±`MOST_DB`.
    itd_s : ndarray
        Lead of the right channel.

    Examples
    --------
    >>> Differences(np.array([3.0]), np.array([1e-4])).itd_s
    array([0.0001])
    """

    ild_db: np.ndarray
    itd_s: np.ndarray


def differences(
    capture: str, azimuth_deg: float | Sequence[float], hz: float = HEAD_HZ
) -> Differences:
    """Return the level and time differences that directions make.

    Parameters
    ----------
    capture : str
        One of `PAIRS`.
    azimuth_deg : float or sequence of float [n]
        Any, also behind.
    hz : float
        Where a head's level difference is taken; that of microphones is the same everywhere.

    Returns
    -------
    Differences
        Arrays [n]. A head's delay is that of Woodworth's rays at every frequency.

    Examples
    --------
    >>> differences("xy", 30.0).ild_db.round(1)
    array([3.9])
    """
    azimuth = np.atleast_1d(np.asarray(azimuth_deg, float))
    receiver, level = get_receiver(capture), np.zeros_like(azimuth)
    left, right = np.abs(receiver.gains(azimuth, level))
    shadow = receiver.shadow(azimuth, level)
    if shadow is not None:
        corner = 1j * 2 * np.pi * hz / (2 * receiver.shadow_rad_s)
        left, right = np.abs((1 + shadow * corner) / (1 + corner))
    ild = 20.0 * np.log10(np.maximum(right, 1e-6) / np.maximum(left, 1e-6))
    late_left, late_right = receiver.delays_s(azimuth, level)
    return Differences(np.clip(ild, -MOST_DB, MOST_DB), late_left - late_right)


def matching_directions(
    capture: str, azimuth_deg: float, hz: float = HEAD_HZ
) -> dict[str, list[tuple[float, float]]]:
    """Return every direction, in every format, whose differences are those of this one.

    Parameters
    ----------
    capture : str
        One of `PAIRS`.
    azimuth_deg : float
        In (-180, 180].
    hz : float
        As in `differences`.

    Returns
    -------
    dict of str to list of (float, float)
        First and last azimuth of every range that agrees to half a decibel and to 10 µs, in steps
        of half a degree; by format, without those that have none.

    Examples
    --------
    >>> matching_directions("ab", 30.0)
    {'ab': [(30.0, 30.0), (150.0, 150.0)]}
    """
    wanted = differences(capture, azimuth_deg, hz)
    around = np.arange(-179.5, 180.5, 0.5)
    ranges = {}
    for name in PAIRS:
        there = differences(name, around, hz)
        same = np.flatnonzero(
            (np.abs(there.ild_db - wanted.ild_db) <= _ALIKE_DB)
            & (np.abs(there.itd_s - wanted.itd_s) <= _ALIKE_S)
        )
        if len(same):
            runs = np.split(same, np.flatnonzero(np.diff(same) > 1) + 1)
            ranges[name] = [(float(around[run[0]]), float(around[run[-1]])) for run in runs]
    return ranges


_FRONT = np.arange(-90.0, 91.0, 2.0)
_DASHES = ("solid", "dash", "dot", "solid", "solid", "solid")
_COLOURS = (0, 0, 0, 1, 2, 3)  # those that cannot be told apart share one
_OCTAVES_HZ = (250.0, 500.0, 1000.0, 2000.0, 4000.0, 8000.0)
_MARKS_DEG = np.arange(-90.0, 91.0, 15.0)


def microphones_figure() -> go.Figure:
    """Draw every format from above, with a slider over them, beside the differences it makes.

    Examples
    --------
    >>> len(microphones_figure().frames)
    6
    """
    frames = [_from_above(name) for name in PAIRS]
    titles = ("plan view", "", "")
    figure = make_subplots(
        1, 3, subplot_titles=titles, horizontal_spacing=0.13, column_widths=[0.4, 0.3, 0.3]
    )
    places = [(1, 1)] * (len(frames[0]) - 2) + [(1, 2), (1, 3)]
    shown = PAIRS.index("ortf")
    for trace, (row, column) in zip(frames[shown], places, strict=True):
        figure.add_trace(trace, row, column)
    figure.update_traces(showlegend=False)
    figure.frames = [
        go.Frame(data=data, name=str(index), traces=list(range(len(data))))
        for index, data in enumerate(frames)
    ]
    figure.update_xaxes(range=[-1.45, 1.45], visible=False, constrain="domain", col=1)
    figure.update_yaxes(
        range=[-1.2, 1.45], visible=False, scaleanchor="x", constrain="domain", col=1
    )
    _azimuth_axes(figure, (2, 3))
    figure.update_yaxes(range=[-31, 31], title="ILD (dB)", title_standoff=2, col=2)
    figure.update_yaxes(range=[-1.6, 1.6], title="ITD (ms)", title_standoff=2, col=3)
    control = slider([NAMES[name] for name in PAIRS], "capture format: ", shown)
    words = "microphones, head or loudspeakers of six formats from above, with ILD and ITD of each"
    return _framed(figure, 460, words).update_layout(sliders=[control])


def differences_figure(azimuths_deg: Sequence[float]) -> go.Figure:
    """Draw level and time differences of all formats over direction; a slider moves the source.

    Parameters
    ----------
    azimuths_deg : sequence of float
        One step of the slider each, within ±90°.

    Examples
    --------
    >>> len(differences_figure([-30.0, 0.0, 30.0]).frames)
    3
    """
    figure = make_subplots(1, 2, horizontal_spacing=0.16)
    for index, name in enumerate(PAIRS):
        line = {"color": colour_of(_COLOURS[index]), "width": 2, "dash": _DASHES[index]}
        for column, values in enumerate(_both(name, _FRONT), 1):
            figure.add_trace(
                go.Scatter(
                    x=_FRONT, y=values, name=NAMES[name], legendgroup=name, line=line,
                    mode="lines", showlegend=column == 1, hoverinfo="skip",
                ), 1, column,
            )  # fmt: skip
    lines, first = len(figure.data), 2 * len(azimuths_deg) // 3
    steps = [_dots(float(azimuth)) for azimuth in azimuths_deg]
    for column, trace in enumerate(steps[first], 1):
        figure.add_trace(trace, 1, column)
    figure.frames = [
        go.Frame(data=step, name=str(index), traces=[lines, lines + 1])
        for index, step in enumerate(steps)
    ]
    _azimuth_axes(figure, (1, 2))
    figure.update_yaxes(range=[-31, 31], title="ILD (dB)", col=1)
    figure.update_yaxes(range=[-1.6, 1.6], title="ITD (ms)", col=2)
    labels = [f"{azimuth:+g}°" if azimuth else "0°" for azimuth in azimuths_deg]
    control = slider(labels, "source at ", first)
    words = "level and time differences of six capture formats over the azimuth of the source"
    figure = _framed(figure, 490, words).update_layout(sliders=[control])
    return figure.update_layout(legend_y=1.14, margin_t=80)


def plane_figure() -> go.Figure:
    """Draw a source moving from left to right in the plane of both differences.

    Examples
    --------
    >>> plane_figure().layout.yaxis.title.text
    'ILD (dB, positive: right channel louder)'
    """
    figure = go.Figure()
    for index, name in enumerate(PAIRS):
        ild, itd = _both(name, _FRONT)
        marks_ild, marks_itd = _both(name, _MARKS_DEG)
        colour = colour_of(_COLOURS[index])
        line = {"color": colour, "width": 2, "dash": _DASHES[index]}
        common = {"name": NAMES[name], "legendgroup": name}
        figure.add_scatter(x=itd, y=ild, mode="lines", line=line, hoverinfo="skip", **common)
        figure.add_scatter(
            x=marks_itd,
            y=marks_ild,
            mode="markers",
            marker={"color": colour, "size": 7},
            customdata=_MARKS_DEG,
            hovertemplate="%{customdata:+.0f}°: %{y:.1f} dB, %{x:.2f} ms",
            showlegend=False,
            **common,
        )
    figure.update_xaxes(title="ITD (ms, positive: right channel earlier)", range=[-1.6, 1.6])
    figure.update_yaxes(title="ILD (dB, positive: right channel louder)", range=[-31, 31])
    words = "each format's directions as a curve in the plane of time and level difference"
    return styled(figure, height=430, alt=words)


def head_figure() -> go.Figure:
    """Draw a head's level difference over azimuth, a curve for each octave.

    Examples
    --------
    >>> head_figure().layout.yaxis.title.text
    'ILD (dB)'
    """
    figure = go.Figure()
    for index, hz in enumerate(_OCTAVES_HZ):
        share = (index + 1) / len(_OCTAVES_HZ)
        figure.add_scatter(
            x=_FRONT,
            y=differences("binaural", _FRONT, hz).ild_db.round(2),
            mode="lines",
            name=f"{hz:g} Hz" if hz < 1000 else f"{hz / 1000:g} kHz",
            line={"color": faded(colour_of(3), 0.15 + 0.85 * share), "width": 1.5 + 1.5 * share},
            hovertemplate="%{y:+.1f} dB at %{x:+.0f}°",
        )
    _azimuth_axes(figure, (None,))
    figure.update_yaxes(title="ILD (dB)")
    words = "level difference of a spherical head by direction, growing with frequency"
    return styled(figure, height=360, alt=words)


def _both(name: str, azimuth_deg: Sequence[float]) -> tuple[np.ndarray, np.ndarray]:
    """Return level in dB and time in ms, with as many digits as can be seen."""
    both = differences(name, azimuth_deg, HEAD_HZ)
    return both.ild_db.round(2), (1000.0 * both.itd_s).round(4)


def _dots(azimuth_deg: float) -> list[go.Scatter]:
    """Return a dot for every format, in both panels."""
    both = np.array([_both(name, azimuth_deg) for name in PAIRS])[..., 0]
    marker = {"size": 11, "color": [colour_of(_COLOURS[i]) for i in range(len(PAIRS))]}
    marker["line"] = {"width": 2, "color": "rgba(255,255,255,0.8)"}
    common = {"mode": "markers", "marker": marker, "showlegend": False}
    common["customdata"] = [NAMES[name] for name in PAIRS]
    digits = ("%{customdata}: %{y:+.1f} dB", "%{customdata}: %{y:+.2f} ms")
    return [
        go.Scatter(
            x=[azimuth_deg] * len(PAIRS),
            y=both[:, column],
            hovertemplate=digits[column] + "<extra></extra>",
            xaxis=("x", "x2")[column],
            yaxis=("y", "y2")[column],
            **common,
        )
        for column in (0, 1)
    ]


def _from_above(name: str) -> list[go.Scatter]:
    """Return three outlines, the direction ahead, and the curves of both differences."""
    shapes = lobes(name)
    colours = [TEXT, colour_of(0), colour_of(1)][-len(shapes) :]
    shapes, colours = [*shapes, np.full((1, 2), np.nan)][:3], [*colours, TEXT][:3]
    traces = [
        go.Scatter(
            x=shape[:, 0].round(3),
            y=shape[:, 1].round(3),
            mode="lines",
            fill="toself",
            fillcolor=faded(colour, 0.2),
            line={"color": colour, "width": 2},
            hoverinfo="skip",
        )
        for shape, colour in zip(shapes, colours, strict=True)
    ]
    ahead = go.Scatter(
        x=[0.0, 0.0, None, -0.06, 0.0, 0.06],
        y=[0.95, 1.3, None, 1.2, 1.3, 1.2],
        mode="lines",
        line={"color": TEXT, "width": 1.5},
        hoverinfo="skip",
    )
    line = {"color": colour_of(2), "width": 2.5}
    curves = [
        go.Scatter(
            x=_FRONT, y=values, mode="lines", line=line, xaxis=f"x{axis}", yaxis=f"y{axis}",
            hovertemplate=f"%{{x:+.0f}}°: %{{y:+.2f}} {unit}<extra></extra>",
        )
        for values, unit, axis in zip(_both(name, _FRONT), ("dB", "ms"), (2, 3), strict=True)
    ]  # fmt: skip
    return [*traces, ahead, *curves]


def _azimuth_axes(figure: go.Figure, columns: Sequence[int | None]) -> None:
    ticks = {"tickvals": [-90, 0, 90], "ticktext": ["left", "0°", "right"], "tickangle": 0}
    for column in columns:
        figure.update_xaxes(range=[-95, 95], title="azimuth", **ticks, col=column)


def _framed(figure: go.Figure, height: int, words: str) -> go.Figure:
    styled(figure, height=height, alt=words)
    figure.update_annotations(font={"color": TEXT, "size": 13})
    figure.update_xaxes(zerolinecolor=GRID)
    return figure.update_layout(margin={"l": 60, "r": 20, "t": 50, "b": 50})
