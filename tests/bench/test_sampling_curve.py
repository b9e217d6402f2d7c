"""The curve of quality against steps: what is compared, kept and held to the reference."""

import dataclasses
import json

import pytest

from spa2v_lab.bench import run_benchmark, sampling_curve
from spa2v_lab.bench.raw import RAW
from spa2v_lab.bench.sampling_curve import CURVE, REFERENCE
from spa2v_lib.errors import Spa2vError
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


def test_differences_are_of_the_same_scene_and_the_worse_end_decides():
    def scene(gain: float, cost: float) -> dict[str, float]:
        return {n: v * (1 + gain) for n, v in SCORES.items()} | {"processor seconds": cost}

    preset = get_preset("tiny")
    own = (preset.steps, preset.guidance_start, preset.guidance_stop)
    usual = [scene(gain, 10.0) for gain in (0.0, -0.5, 0.2)]  # scenes differ, settings do not
    same = [one | {"processor seconds": 2.0} for one in usual]
    rows = sampling_curve._rows({REFERENCE: usual, own: same}, 0)
    assert all(goal.met for goal in sampling_curve._goals(rows))
    worse = [scene(gain - 0.02, 2.0) for gain in (0.0, -0.5, 0.2)]
    rows = sampling_curve._rows({REFERENCE: usual, own: worse}, 0)
    missed = {
        goal.name.split(" of the default")[0]
        for goal in sampling_curve._goals(rows)
        if not goal.met
    }
    assert missed == {"IoU", "right class", "consistency"}


def test_a_scene_without_a_measure_is_left_out():
    own = [dict.fromkeys([*SCORES, "processor seconds"], 1.0)] * 2
    own[1] = own[1] | {"IoU": None}
    (row,) = sampling_curve._rows({REFERENCE: own}, 0)
    assert row.measures["IoU"].count == 1 and row.measures["pixel error"].count == 2


@pytest.mark.parametrize("asked", [{"name": "speed"}, {"name": "sampling", "layouts": "x"}])
def test_only_sampling_has_a_curve(asked, tmp_path):
    with pytest.raises(Spa2vError, match="has a curve"):
        run_benchmark(**asked, out=tmp_path, curve=True)
