"""The curve of quality against steps: what is compared, kept and held to the reference."""

import dataclasses
import json

import pytest

from spa2v_lab.bench import run_benchmark, sampling_curve
from spa2v_lab.bench.frame import Results
from spa2v_lab.bench.raw import RAW
from spa2v_lab.bench.sampling_curve import CURVE, REFERENCE, point_name, results_of
from spa2v_lib.errors import Spa2vError
from spa2v_lib.resources import resource
from spa2v_lib.sampling.presets import get_preset

SCORES = {"IoU": 0.8, "right class": 1.0, "consistency": 0.9, "pixel error": 20.0}


@pytest.fixture
def short(monkeypatch):
    """Two points of few steps on one scene of two frames."""
    few = dataclasses.replace(get_preset("tiny"), steps=1, guidance_stop=0.0)
    monkeypatch.setattr(sampling_curve, "get_preset", lambda name: few)
    monkeypatch.setattr(sampling_curve, "REFERENCE", (2, 0.0, 1.0))
    monkeypatch.setattr(sampling_curve, "CURVE", ((2, 0.0, 1.0), (1, 0.0, 0.0)))
    monkeypatch.setattr(sampling_curve, "QUICK", 1)
    monkeypatch.setattr(sampling_curve, "_SECONDS", 0.25)


def test_the_presets_own_settings_are_on_the_curve():
    preset = get_preset("tiny")
    assert (preset.steps, preset.guidance_start, preset.guidance_stop) in CURVE


def test_what_is_measured_is_kept_and_not_measured_again(short, tmp_path, monkeypatch):
    results = run_benchmark("sampling", tmp_path, quick=True, curve=True)
    assert [row.method for row in results.rows] == ["2 steps", "1 steps, unguided"]
    assert results.rows[0].measures["IoU, less 25 steps"].mean == 0.0
    held = {goal.name.split(" of the")[0] for goal in results.goals if goal.value is not None}
    assert len(results.goals) == 5 and {"IoU", "right class", "pixel error"} < held
    kept = json.loads((tmp_path / RAW).read_text(encoding="utf-8"))
    assert set(kept["2 steps"]) == {"0"}

    monkeypatch.setattr(sampling_curve, "generate", None)  # nothing is left to be sampled
    assert run_benchmark("sampling", tmp_path, quick=True, curve=True) == results
    with pytest.raises(Spa2vError, match="another seed"):
        run_benchmark("sampling", tmp_path, quick=True, curve=True, seed=1)


def scene(gain: float, cost: float) -> dict[str, float | None]:
    return {name: value * (1 + gain) for name, value in SCORES.items()} | {
        "processor seconds": cost
    }


def tables(usual: list[dict], own: list[dict]) -> Results:
    preset = get_preset("tiny")
    points = {
        REFERENCE: usual,
        (preset.steps, preset.guidance_start, preset.guidance_stop): own,
    }
    raw = {point_name(p): {str(k): one for k, one in enumerate(of)} for p, of in points.items()}
    return results_of(raw, 0)


def test_differences_are_of_the_same_scene_and_the_worse_end_decides():
    gains = (0.0, -0.5, 0.2)  # scenes differ, settings do not
    usual = [scene(gain, 10.0) for gain in gains]
    assert all(g.met for g in tables(usual, [scene(gain, 2.0) for gain in gains]).goals)
    worse = tables(usual, [scene(gain - 0.02, 2.0) for gain in gains])
    missed = [goal.name for goal in worse.goals if not goal.met]
    assert [name.split(" of the")[0] for name in missed] == ["IoU", "right class", "consistency"]


def test_a_scene_without_a_measure_and_one_not_yet_measured_are_left_out():
    usual = [scene(0.0, 10.0)] * 3
    own = [scene(0.0, 2.0), scene(0.0, 2.0) | {"IoU": None}]
    row = tables(usual, own).rows[1]
    assert row.count == 2
    assert row.measures["IoU"].count == 1 and row.measures["pixel error"].count == 2


@pytest.mark.parametrize("asked", [{"name": "speed"}, {"name": "sampling", "layouts": "x"}])
def test_only_sampling_has_a_curve(asked, tmp_path):
    with pytest.raises(Spa2vError, match="has a curve"):
        run_benchmark(**asked, out=tmp_path, curve=True)


def test_the_kept_results_are_of_the_default_and_its_goals_follow_from_their_rows():
    preset = get_preset("tiny")
    kept = Results.read(resource("results", "sampling_curve.json"))
    counts = {row.method: row.count for row in kept.rows}
    own = point_name((preset.steps, preset.guidance_start, preset.guidance_stop))
    assert set(counts) <= {point_name(point) for point in CURVE}
    assert counts[own] == counts[point_name(REFERENCE)] >= 23
    assert kept.goals == sampling_curve._goals(kept.rows)
