"""Figures of the labs: curves, directions over time, and who owns a time–frequency bin."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from spa2v_lib.viz.style import TEXT, styled
from spa2v_lib.viz.words import colour_of

__all__ = ["curves_figure", "owners_figure", "tracks_figure"]


def curves_figure(
    curves: Mapping[str, tuple[Sequence[float], Sequence[float]]],
    x_title: str,
    y_title: str,
    *,
    marks: Mapping[str, float] | None = None,
) -> go.Figure:
    """Draw curves over one axis.

    Parameters
    ----------
    curves : dict of str to (x, y)
        By name.
    x_title, y_title : str
        What the axes show, with units.
    marks : dict of str to float, optional
        Vertical lines, by what they mark.

    Examples
    --------
    >>> curves_figure({"a": ([0, 1], [1, 2])}, "time (s)", "level (dB)").layout.xaxis.title.text
    'time (s)'
    """
    figure = go.Figure()
    for index, (name, (x, y)) in enumerate(curves.items()):
        figure.add_scatter(
            x=np.round(x, 4), y=np.round(y, 4), mode="lines", name=name,
            line={"color": colour_of(index), "width": 2}, hovertemplate="%{x}: %{y:.2f}",
        )  # fmt: skip
    for name, x in (marks or {}).items():
        figure.add_vline(
            x, line={"color": TEXT, "dash": "dot", "width": 1.5},
            annotation={"text": name, "font": {"color": TEXT}},
        )  # fmt: skip
    figure.update_xaxes(title=x_title)
    figure.update_yaxes(title=y_title)
    return styled(figure, height=340, alt=f"{y_title} over {x_title}: {', '.join(curves)}")


def tracks_figure(
    times_s: Sequence[float],
    dots_deg: Mapping[str, Sequence[float]],
    lines_deg: Mapping[str, tuple[Sequence[float], Sequence[float]]],
) -> go.Figure:
    """Draw azimuths over time: estimates as dots, tracks as lines.

    Parameters
    ----------
    times_s : sequence of float [n]
        Of the dots.
    dots_deg : dict of str to sequence of float [n]
        By method; NaN where there is none.
    lines_deg : dict of str to (times, azimuths)
        By name; the first is dashed.

    Examples
    --------
    >>> figure = tracks_figure([0.1], {"yours": [3.0]}, {"truth": ([0, 1], [0, 5])})
    >>> figure.layout.yaxis.title.text
    'azimuth (°)'
    """
    figure = go.Figure()
    for index, (name, values) in enumerate(dots_deg.items()):
        figure.add_scatter(
            x=np.round(times_s, 3), y=np.round(np.asarray(values, float), 1), mode="markers",
            name=name, marker={"color": colour_of(index), "size": 7, "symbol": index},
            hovertemplate="%{x} s: %{y:+.0f}°",
        )  # fmt: skip
    for index, (name, (x, y)) in enumerate(lines_deg.items()):
        colour = TEXT if index == 0 else colour_of(len(dots_deg) + index - 1)
        figure.add_scatter(
            x=np.round(x, 3), y=np.round(np.asarray(y, float), 1), mode="lines", name=name,
            line={"color": colour, "width": 2.5, "dash": "solid" if index else "dash"},
            hovertemplate="%{x} s: %{y:+.0f}°",
        )  # fmt: skip
    figure.update_xaxes(title="time (s)")
    figure.update_yaxes(title="azimuth (°)", range=[-95, 95], tickvals=[-90, -45, 0, 45, 90])
    words = f"azimuth over time: {', '.join([*dots_deg, *lines_deg])}"
    return styled(figure, height=360, alt=words)


def owners_figure(
    owner: np.ndarray, shape: tuple[int, int], band_hz: np.ndarray, names: Sequence[str]
) -> go.Figure:
    """Draw which time–frequency bin belongs to whom, a panel for each.

    Parameters
    ----------
    owner : ndarray [owners, bins]
        Probabilities.
    shape : tuple of int
        Frames and bands, of which the bins are the product.
    band_hz : ndarray [bands]
    names : sequence of str
        Of the owners.

    Examples
    --------
    >>> figure = owners_figure(np.ones((1, 6)), (3, 2), np.array([100.0, 200.0]), ["all"])
    >>> figure.data[0].z.shape
    (2, 3)
    """
    figure = make_subplots(
        1, len(names), shared_yaxes=True, subplot_titles=list(names), horizontal_spacing=0.04
    )
    for column, part in enumerate(owner, 1):
        figure.add_heatmap(
            x=0.1 * np.arange(shape[0]).round(1), y=band_hz, z=part.reshape(shape).T.round(2),
            zmin=0, zmax=1, colorscale="Inferno", showscale=column == len(names),
            hovertemplate="%{x:.1f} s, %{y:.0f} Hz: %{z:.2f}<extra></extra>",
            row=1, col=column,
        )  # fmt: skip
    figure.update_annotations(font={"color": TEXT, "size": 13})
    figure.update_xaxes(title="time (s)")
    ticks = [200, 500, 1000, 2000, 5000]
    figure.update_yaxes(type="log", tickvals=ticks, ticktext=[f"{hz:g}" for hz in ticks])
    figure.update_yaxes(title="frequency (Hz)", col=1)
    words = f"probability that a time–frequency bin belongs to: {', '.join(names)}"
    return styled(figure, height=340, alt=words)
