"""Rows of a benchmark as figure, table and page."""

from __future__ import annotations

import re

import pytest

from spa2v_lab.bench.frame import Interval, Row
from spa2v_lab.bench.tables import (
    chosen_rows,
    results_figure,
    results_page,
    results_table,
)

ROWS = [
    Row("layouts: full", "all", 5, {"LTSim": Interval(0.8, 0.7, 0.85, 5)}),
    Row("layouts: <b>deaf", "all", 5, {"LTSim": Interval(0.6, 0.5, 0.7, 5)}),
    Row("layouts: full", "off-centre", 3, {"LTSim": Interval(0.7, 0.6, 0.9, 3)}),
    Row("layouts: hosted", "not run", 0, {"LTSim": Interval(None, None, None, 0)}),
    Row("videos: full", "all", 2, {"distance": Interval(3.5, None, None, 2)}),
]


def test_one_stage_and_condition_is_chosen_and_what_was_not_run_is_not():
    assert [row.method for row in chosen_rows(ROWS, "layouts")] == [r.method for r in ROWS[:2]]
    assert chosen_rows(ROWS, "layouts", "not run") == []


def test_dots_and_intervals_are_those_of_the_rows():
    figure = results_figure(ROWS[:2], ["LTSim", "distance"])
    first, second = figure.data
    assert first.x == (0.8, 0.6) and first.y == ("full", "<b>deaf")
    assert first.error_x.array == pytest.approx((0.05, 0.1))
    assert first.error_x.arrayminus == pytest.approx((0.1, 0.1))
    assert second.x == (None, None)
    assert "full" in figure.layout.meta["alt"]


def test_a_table_shows_intervals_and_escapes_names():
    table = results_table(ROWS, ["LTSim", "distance"])
    assert "0.80<br>" in table and "[0.70, 0.85]" in table and "3.50" in table and "–" in table
    assert "<b>deaf" not in table and "&lt;b&gt;deaf" in table


def test_what_rounds_to_zero_has_no_sign():
    row = Row("8 steps", "all", 23, {"IoU": Interval(-0.004, -0.021, 0.01, 23)})
    assert "0.00<br>" in (table := results_table([row], ["IoU"])) and "-0" not in table
    assert "[\N{MINUS SIGN}0.02, 0.01]" in table


def test_a_page_holds_every_condition_and_asks_for_nothing_elsewhere():
    page = results_page("bench & co", ROWS, ["<i>note</i>"])
    assert "layouts: off-centre" in page and "videos: all" in page
    assert "&lt;i&gt;note" in page and "bench &amp; co" in page
    assert "<script src" not in page and "<script async src" not in page
    assert "http" not in re.sub(r"<script.*?</script>", "", page, flags=re.DOTALL)
