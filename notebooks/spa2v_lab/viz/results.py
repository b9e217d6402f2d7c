"""Figures and tables of a benchmark's rows: means with their 95 % intervals.

Figures of measured values: scores of methods over scenes, and losses of trainings.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from spa2v_lab.bench.frame import Goal, Interval, Row
from spa2v_lib.viz.style import TEXT, colour_of, faded, styled

__all__ = [
    "chosen_rows",
    "goals_table",
    "loss_figure",
    "results_figure",
    "results_page",
    "results_table",
    "score_figure",
    "score_table",
]


def chosen_rows(rows: Sequence[Row], stage: str, condition: str = "all") -> list[Row]:
    """Return the rows of one stage under one condition, without those that were not run.

    Parameters
    ----------
    rows : sequence of Row
    stage : str
        What their methods begin with, such as "layouts".
    condition : str
    """
    return [
        row
        for row in rows
        if row.method.startswith(f"{stage}: ") and row.condition == condition and row.count
    ]


def results_figure(rows: Sequence[Row], measures: Sequence[str]) -> go.Figure:
    """Draw each method's mean as a dot with its interval, a panel for each measure.

    Parameters
    ----------
    rows : sequence of Row
        The first on top.
    measures : sequence of str
        Where a row has none of a measure, its place stays empty.
    """
    names = [_short(row) for row in rows]
    figure = make_subplots(
        1, len(measures), shared_yaxes=True, subplot_titles=measures, horizontal_spacing=0.05
    )
    for column, measure in enumerate(measures, start=1):
        found = [row.measures.get(measure) for row in rows]
        means = [one.mean if one else None for one in found]
        figure.add_scatter(
            x=means, y=names, mode="markers",
            marker={"color": colour_of(column - 1), "size": 9},
            error_x={
                "type": "data", "symmetric": False, "thickness": 1.5, "width": 4,
                "array": [_reach(one, 1) for one in found],
                "arrayminus": [_reach(one, -1) for one in found],
            },
            hovertemplate="%{y}: %{x:.3f}<extra></extra>", row=1, col=column,
        )  # fmt: skip
    figure.update_yaxes(autorange="reversed", categoryorder="array", categoryarray=names)
    figure.update_annotations(font={"color": TEXT, "size": 13})
    words = f"{', '.join(measures)}, with 95 % intervals, of: {', '.join(names)}"
    styled(figure, height=80 + 26 * len(rows), words=words)
    return figure.update_layout(showlegend=False, margin={"l": 190, "t": 40}, font_size=12)


def results_table(rows: Sequence[Row], measures: Sequence[str]) -> str:
    """Return rows as an HTML table; an interval stands in brackets below its mean.

    Parameters
    ----------
    rows : sequence of Row
    measures : sequence of str
        The columns.
    """
    head = "".join(f"<th>{escape(name)}</th>" for name in ("", "n", *measures))
    body = "".join(
        f"<tr><th style='text-align:left'>{escape(_short(row))}</th><td>{row.count}</td>"
        + "".join(f"<td>{_cell(row.measures.get(name))}</td>" for name in measures)
        + "</tr>"
        for row in rows
    )
    return f"<table class='dataframe'><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def goals_table(goals: Sequence[Goal]) -> str:
    """Return goals as an HTML table: what was measured, what was asked for, and whether it is met.

    Parameters
    ----------
    goals : sequence of Goal
        Those that were not computed are left out.
    """
    relations = {"<=": "at most", ">=": "at least"}
    body = "".join(
        f"<tr><th style='text-align:left'>{escape(goal.name)}</th><td>{goal.value:.3g}</td>"
        f"<td style='white-space:nowrap'>{relations[goal.relation]} {goal.bound:g}</td>"
        f"<td>{'yes' if goal.met else '<strong>no</strong>'}</td></tr>"
        for goal in goals
        if goal.value is not None
    )
    head = "".join(f"<th>{name}</th>" for name in ("", "measured", "goal", "met"))
    return f"<table class='dataframe'><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def results_page(title: str, rows: Sequence[Row], notes: Sequence[str]) -> str:
    """Return one page with all rows as tables and plots, which needs no network.

    Parameters
    ----------
    title : str
    rows : sequence of Row
    notes : sequence of str
    """
    parts, script = [], True
    for stage in dict.fromkeys(row.method.split(": ")[0] for row in rows):
        for condition in dict.fromkeys(r.condition for r in rows if r.method.startswith(stage)):
            chosen = chosen_rows(rows, stage, condition)
            measures = list(dict.fromkeys(name for row in chosen for name in row.measures))
            if not chosen:
                continue
            parts.append(f"<h2>{escape(stage)}: {escape(condition)}</h2>")
            parts.append(f"<div class='wide'>{results_table(chosen, measures)}</div>")
            figure = results_figure(chosen, measures[:4])
            parts.append(figure.to_html(full_html=False, include_plotlyjs=script))
            script = False
    listed = "".join(f"<li>{escape(note)}</li>" for note in notes)
    return (
        f"<!doctype html><html lang='en'><meta charset='utf-8'><title>{escape(title)}</title>"
        "<meta name='color-scheme' content='light dark'>"
        "<style>body{font:15px/1.5 system-ui,sans-serif;max-width:70rem;margin:2rem auto;"
        "padding:0 1rem}td,th{padding:.15rem .6rem;text-align:right}.wide{overflow-x:auto}"
        "table{border-collapse:collapse}tr:nth-child(even){background:rgba(128,128,128,.1)}</style>"
        f"<h1>{escape(title)}</h1><ul>{listed}</ul>{''.join(parts)}</html>\n"
    )


def _short(row: Row) -> str:
    return row.method.split(": ", 1)[-1]


def _reach(one: Interval | None, sign: int) -> float:
    bound = None if one is None else (one.high if sign > 0 else one.low)
    return 0.0 if bound is None or one.mean is None else sign * (bound - one.mean)


def _cell(one: Interval | None) -> str:
    if one is None or one.mean is None:
        return "–"
    if one.low is None or one.high is None:
        return f"{one.mean:.2f}"
    interval = f"[{one.low:.2f}, {one.high:.2f}]"
    return f"{one.mean:.2f}<br><small style='white-space:nowrap'>{interval}</small>"


def score_figure(scores: Sequence[Mapping[str, Mapping[str, float]]]) -> go.Figure:
    """Draw every scene's score as a dot and their mean as a bar, a panel for each measure.

    Parameters
    ----------
    scores : sequence of dict
        A scene each: by method and measure, in [0, 1] or NaN.
    """
    methods, measures = list(scores[0]), list(next(iter(scores[0].values())))
    figure = make_subplots(
        1, len(measures), shared_yaxes=True, subplot_titles=measures, horizontal_spacing=0.04
    )
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
    figure.update_xaxes(range=[-0.03, 1.05], tickvals=[0, 0.5, 1])
    figure.update_yaxes(autorange="reversed", showgrid=False)
    words = f"{', '.join(measures)} of {', '.join(methods)} in {len(scores)} scenes"
    styled(figure, height=90 + 42 * len(methods), words=words)
    return figure.update_layout(showlegend=False, margin_l=130, font_size=13)


def score_table(scores: Mapping[str, Mapping[str, float]]) -> str:
    """Return scores as an HTML table, a row for each method and a column for each measure.

    Parameters
    ----------
    scores : dict of str to dict
        By method and measure; NaN where there is no value.
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
    """
    across = 3
    down = -(-len(logs) // across)
    figure = make_subplots(
        down,
        across,
        subplot_titles=list(logs),
        vertical_spacing=0.4 / down,
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
    figure.update_annotations(font={"color": TEXT})
    words = f"training loss over steps of: {', '.join(logs)}"
    styled(figure, height=60 + 210 * down, words=words)
    return figure.update_layout(showlegend=False, margin={"l": 50, "t": 40})
