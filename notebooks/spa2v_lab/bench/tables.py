"""Figures, tables and the page of a benchmark's rows: means with their 95 % intervals."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from spa2v_lab.bench.frame import Interval, Row
from spa2v_lib.viz.style import styled
from spa2v_lib.viz.words import colour_of

if TYPE_CHECKING:
    from jinja2 import Template

__all__ = ["chosen_rows", "results_figure", "results_page", "results_table"]


def chosen_rows(rows: Sequence[Row], stage: str, condition: str = "all") -> list[Row]:
    """Return the rows of one stage under one condition, without those that were not run.

    Parameters
    ----------
    rows : sequence of Row
    stage : str
        What their methods begin with, such as "layouts".
    condition : str

    See Also
    --------
    results_table, results_figure : what shows them

    Examples
    --------
    >>> rows = [Row("layouts: full", "all", 5, {}), Row("videos: full", "all", 2, {})]
    >>> [row.method for row in chosen_rows(rows, "layouts")]
    ['layouts: full']
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

    See Also
    --------
    results_table : the same in numbers

    Examples
    --------
    >>> row = Row("layouts: full", "all", 5, {"LTSim": Interval(0.8, 0.7, 0.85, 5)})
    >>> results_figure([row], ["LTSim"]).data[0].x
    (0.8,)
    """
    names = [_short(row.method) for row in rows]
    figure = make_subplots(1, len(measures), shared_yaxes=True, horizontal_spacing=0.05)
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
        figure.update_xaxes(title={"text": measure, "standoff": 5}, row=1, col=column)
    figure.update_xaxes(nticks=3, tickangle=0)  # more collide on a phone
    figure.update_yaxes(autorange="reversed", categoryorder="array", categoryarray=names)
    words = f"{', '.join(measures)}, with 95 % intervals, of: {', '.join(names)}"
    styled(figure, height=80 + 26 * len(rows), alt=words)
    return figure.update_layout(showlegend=False, margin={"l": 190, "t": 10}, font_size=12)


def results_table(rows: Sequence[Row], measures: Sequence[str]) -> str:
    """Return rows as an HTML table; an interval stands in brackets below its mean.

    Parameters
    ----------
    rows : sequence of Row
    measures : sequence of str
        The columns.

    See Also
    --------
    results_figure : the same as dots with intervals

    Examples
    --------
    >>> row = Row("layouts: full", "all", 5, {"LTSim": Interval(0.8, 0.7, 0.85, 5)})
    >>> "[0.70, 0.85]" in results_table([row], ["LTSim"])
    True
    """
    return _template("results_rows.html").render(rows=rows, measures=measures)


def results_page(title: str, rows: Sequence[Row], notes: Sequence[str]) -> str:
    """Return one page with all rows as tables and plots, which needs no network.

    Parameters
    ----------
    title : str
    rows : sequence of Row
    notes : sequence of str

    See Also
    --------
    results_table, results_figure : its parts

    Examples
    --------
    >>> "<h1>my clips</h1>" in results_page("my clips", [], ["3 clips"])
    True
    """
    sections: list[dict[str, str]] = []
    for stage in dict.fromkeys(row.method.split(": ")[0] for row in rows):
        for condition in dict.fromkeys(r.condition for r in rows if r.method.startswith(stage)):
            chosen = chosen_rows(rows, stage, condition)
            measures = list(dict.fromkeys(name for row in chosen for name in row.measures))
            if not chosen:
                continue
            figure = results_figure(chosen, measures[:4])
            plot = figure.to_html(full_html=False, include_plotlyjs=not sections)
            table = results_table(chosen, measures)
            sections.append({"title": f"{stage}: {condition}", "table": table, "plot": plot})
    return _template("results_page.html").render(title=title, notes=notes, sections=sections)


@cache
def _template(name: str) -> Template:
    """Return a template of this package; whatever it shows is escaped."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("spa2v_lab"), autoescape=True, undefined=StrictUndefined
    )
    environment.filters |= {"short": _short, "number": _number}
    return environment.get_template(name)


def _short(method: str) -> str:
    return method.split(": ", 1)[-1]


def _number(value: float) -> str:
    """Return a value with two digits and a minus sign; what rounds to zero has no sign."""
    return f"{value:z.2f}".replace("-", "\N{MINUS SIGN}")


def _reach(one: Interval | None, sign: int) -> float:
    bound = None if one is None else (one.high if sign > 0 else one.low)
    return 0.0 if bound is None or one.mean is None else sign * (bound - one.mean)
