"""Figures, tables and the page of a benchmark's rows: means with their 95 % intervals."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from spa2v_lab.bench.frame import Goal, Interval, Row
from spa2v_lib.viz.style import TEXT, styled
from spa2v_lib.viz.words import colour_of

__all__ = ["chosen_rows", "goals_table", "results_figure", "results_page", "results_table"]


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
    styled(figure, height=80 + 26 * len(rows), alt=words)
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
