"""The form of every benchmark: intervals, goals, the file."""

import json
import math
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from spa2v_lab.bench import frame
from spa2v_lab.bench.frame import Goal, Interval, Results, Row, interval, run_benchmark
from spa2v_lab.cli import tables
from spa2v_lib.errors import OutputError, Spa2vError


def test_the_interval_is_as_wide_as_the_normal_theory_says():
    values = np.random.default_rng(1).normal(3.0, 2.0, 400)
    found = interval(values.tolist())
    half = 1.96 * values.std() / math.sqrt(400)
    assert found.mean == pytest.approx(values.mean())
    assert (found.high - found.low) / 2 == pytest.approx(half, rel=0.1)
    assert found.count == 400


def test_the_interval_is_reproducible_and_ignores_what_was_not_measured():
    values = [0.0, 1.0, math.nan, 1.0]
    assert interval(values, seed=4) == interval(values, seed=4)
    assert interval(values).mean == pytest.approx(2 / 3) and interval(values).count == 3
    assert interval([math.nan]) == interval([]) == Interval(None, None, None, 0)


@pytest.mark.parametrize(
    ("relation", "value", "met"),
    [
        ("<=", 1.0, True),
        ("<=", 1.1, False),
        (">=", 1.0, True),
        (">=", 0.9, False),
        ("<=", None, False),
        (">=", math.nan, False),
    ],
)
def test_a_goal_is_met_only_by_a_value_on_its_side(relation, value, met):
    goal = Goal("name", relation, 1.0, value)
    assert goal.met is met
    assert goal.as_dict()["goal"] == f"{relation} 1"


@pytest.fixture
def a_benchmark(monkeypatch):
    """A benchmark that takes no time; returns the calls it got."""
    calls = []

    def run(**options):
        calls.append(options)
        options["progress"]("thing", 1, 1)
        rows = [Row("ours", "all", 2, {"score": interval([0.0, 1.0])})]
        return Results("batch", rows, [Goal("score", ">=", 0.9, 0.5)], ["a note"])

    monkeypatch.setitem(sys.modules, "spa2v_lab.bench.batch", SimpleNamespace(run=run))
    monkeypatch.setattr(frame, "import_module", lambda name: sys.modules[name])
    return calls


def test_results_are_written_with_environment_rows_and_goals(tmp_path, a_benchmark):
    run_benchmark("batch", tmp_path / "out", quick=True, seed=5)
    written = json.loads((tmp_path / "out" / "results.json").read_text(encoding="utf-8"))
    assert a_benchmark[0]["quick"] is True and a_benchmark[0]["seed"] == 5
    assert written["environment"]["packages"]["torch"]
    assert written["rows"][0]["method"] == "ours" and written["rows"][0]["count"] == 2
    assert written["rows"][0]["measures"]["score"]["mean"] == 0.5
    assert written["goals"] == [{"name": "score", "goal": ">= 0.9", "value": 0.5, "met": False}]
    assert written["parameters"] == {"quick": True, "seed": 5}


def test_written_results_are_read_again_as_they_were(tmp_path, a_benchmark):
    results = run_benchmark("batch", tmp_path / "out")
    assert Results.read(tmp_path / "out" / "results.json") == results


def test_earlier_results_are_replaced_only_when_asked(tmp_path, a_benchmark):
    run_benchmark("batch", tmp_path / "out")
    with pytest.raises(OutputError, match="--overwrite"):
        run_benchmark("batch", tmp_path / "out")
    run_benchmark("batch", tmp_path / "out", overwrite=True)
    assert len(a_benchmark) == 2


@pytest.mark.parametrize(
    ("name", "words"), [("beauty", "no benchmark.*hearing"), ("", "no benchmark ''")]
)
def test_a_benchmark_that_does_not_exist_is_refused(tmp_path, name, words):
    with pytest.raises(Spa2vError, match=words):
        run_benchmark(name, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_the_table_has_a_line_a_row_and_leaves_unmeasured_cells_empty():
    rows = [
        Row("ours", "all", 1, {"a": Interval(1.0, 1.0, 1.0, 1)}),
        Row("ours", "half", 1, {"b": Interval(None, None, None, 0)}),
    ]
    (table,) = tables(Results("batch", rows, []))
    assert [column.header for column in table.columns] == ["method", "condition", "n", "a", "b"]
    assert table.row_count == 2
    assert list(table.columns[3].cells) == ["1 [1, 1]", ""]


def test_many_measures_are_split_over_tables_that_hold_only_rows_with_them():
    known = Interval(1.0, 0.5, 2.0, 3)
    rows = [
        Row("ours", "all", 3, {f"m{k}": known for k in range(7)}),
        Row("ours", "half", 3, {"m0": Interval(4.0, None, None, 3)}),
    ]
    first, second = tables(Results("batch", rows, []))
    assert (first.row_count, second.row_count) == (2, 1)
    assert [column.header for column in second.columns[3:]] == ["m6"]
    assert list(first.columns[3].cells) == ["1 [0.5, 2]", "4"]


def test_very_many_rows_leave_their_intervals_to_the_file():
    rows = [Row("ours", str(k), 1, {"a": Interval(1.0, 0.0, 2.0, 1)}) for k in range(100)]
    (table,) = tables(Results("batch", rows, []))
    assert set(table.columns[3].cells) == {"1"}


def test_an_interval_is_of_the_level_that_is_asked_for() -> None:
    values = list(np.random.default_rng(0).normal(size=200))
    wide, narrow = interval(values), interval(values, level=0.9)
    assert wide.low < narrow.low < narrow.mean < narrow.high < wide.high
