"""Figures of measured values: scores of methods over scenes, and losses of trainings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from spa2v_lib.viz.style import TEXT, faded, styled
from spa2v_lib.viz.words import colour_of

__all__ = ["loss_figure", "score_figure", "score_table"]


def score_figure(scores: Sequence[Mapping[str, Mapping[str, float]]]) -> go.Figure:
    """Draw every scene's score as a dot and their mean as a bar, a panel for each measure.

    Parameters
    ----------
    scores : sequence of dict
        A scene each: by method and measure, in [0, 1] or NaN.

    Examples
    --------
    >>> figure = score_figure([{"plain": {"IoU": 0.2}}, {"plain": {"IoU": 0.4}}])
    >>> [round(x, 2) for x in figure.data[0].x]
    [0.3]
    """
    methods, measures = list(scores[0]), list(next(iter(scores[0].values())))
    figure = make_subplots(1, len(measures), shared_yaxes=True, horizontal_spacing=0.04)
    for column, measure in enumerate(measures, start=1):
        colour = colour_of(column - 1)
        values = {name: [one[name][measure] for one in scores] for name in methods}
        means = [float(np.nanmean(v)) if not np.all(np.isnan(v)) else None for v in values.values()]
        figure.add_bar(
            x=means, y=methods, orientation="h", marker={"color": faded(colour, 0.35)},
            hovertemplate="%{y}: %{x:.2f}<extra>mean</extra>", row=1, col=column,
        )  # fmt: skip
        figure.add_scatter(
            x=[x for v in values.values() for x in v],
            y=[name for name in methods for _ in scores],
            mode="markers", marker={"color": colour, "size": 7},
            hovertemplate="%{y}: %{x:.2f}<extra>one scene</extra>", row=1, col=column,
        )  # fmt: skip
        figure.update_xaxes(title={"text": measure, "standoff": 5}, row=1, col=column)
    figure.update_xaxes(range=[-0.03, 1.05], tickvals=[0, 0.5, 1])
    figure.update_yaxes(autorange="reversed", showgrid=False)
    words = f"{', '.join(measures)} of {', '.join(methods)} in {len(scores)} scenes"
    styled(figure, height=90 + 42 * len(methods), alt=words)
    return figure.update_layout(showlegend=False, margin={"l": 130, "t": 10}, font_size=13)


def score_table(scores: Mapping[str, Mapping[str, float]]) -> str:
    """Return scores as an HTML table, a row for each method and a column for each measure.

    Parameters
    ----------
    scores : dict of str to dict
        By method and measure; NaN where there is no value.

    Examples
    --------
    >>> "<td>0.26</td>" in score_table({"plain": {"IoU": 0.256}})
    True
    """
    measures = list(next(iter(scores.values())))
    head = "".join(f"<th>{escape(name)}</th>" for name in ("", *measures))
    rows = "".join(
        f"<tr><th style='text-align:left'>{escape(method)}</th>"
        + "".join(f"<td>{'–' if np.isnan(v) else f'{v:.2f}'}</td>" for v in values.values())
        + "</tr>"
        for method, values in scores.items()
    )
    return f"<table class='dataframe'><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"


def loss_figure(logs: Mapping[str, Mapping]) -> go.Figure:
    """Draw the losses of trainings, a panel each.

    Parameters
    ----------
    logs : dict of str to dict
        As `spa2v_lab.training.loop.fit` returns them: "steps" done, and "losses", means over
        "every" steps but the last, which may be over fewer.

    Examples
    --------
    >>> figure = loss_figure({"base": {"steps": 400, "every": 200, "losses": [0.5, 0.4]}})
    >>> figure.layout.xaxis.title.text, figure.layout.yaxis.title.text
    ('step', 'loss')
    """
    across = 3
    down = -(-len(logs) // across)
    figure = make_subplots(
        down,
        across,
        subplot_titles=list(logs),
        vertical_spacing=0.5 / down,
        horizontal_spacing=0.09,
    )
    for index, (name, log) in enumerate(logs.items()):
        losses = log["losses"]
        steps = np.minimum(np.arange(1, len(losses) + 1) * log["every"], log["steps"])
        figure.add_scatter(
            x=steps, y=losses, mode="lines+markers", name=name,
            line={"color": colour_of(index), "width": 2}, marker={"size": 4},
            hovertemplate="step %{x:.0f}: %{y:.3f}<extra></extra>",
            row=index // across + 1, col=index % across + 1,
        )  # fmt: skip
    figure.update_annotations(font={"color": TEXT, "size": 13})
    figure.update_xaxes(
        title={"text": "step", "standoff": 3}, nticks=3, tickangle=0, rangemode="tozero"
    )
    figure.update_yaxes(title={"text": "loss", "standoff": 3}, col=1)
    words = f"training loss over steps of: {', '.join(logs)}"
    styled(figure, height=60 + 230 * down, alt=words)
    return figure.update_layout(showlegend=False, margin={"l": 60, "t": 40})
