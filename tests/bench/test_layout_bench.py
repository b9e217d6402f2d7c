"""The planning benchmark: the same scenes for all methods, baselines that cannot hear."""

import pytest

from spa2v_lib.bench import layout as bench
from spa2v_lib.bench.layout import heard_scene, true_cues
from spa2v_lib.metrics import iou
from spa2v_lib.planning import plan_acoustic


@pytest.fixture(scope="module")
def results():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bench, "QUICK", 5)
        return bench.run(quick=True, seed=3, progress=lambda *_: None)


def measure(results, method, name, condition="all"):
    (row,) = [r for r in results.rows if (r.method, r.condition) == (method, condition)]
    return row.measures[bench.MEASURES[name]].mean


def test_every_method_is_scored_on_every_condition(results):
    methods = {row.method for row in results.rows}
    assert {"planner", "true cues", "class prior", "mirrored", "another scene"} < methods
    conditions = {row.condition for row in results.rows}
    assert {"all", "approaching", "left crossing", "receiver ab"} < conditions
    assert len(results.rows) == len(methods) * len(conditions)
    assert {row.count for row in results.rows if row.condition == "stationary"} == {1}


def test_hearing_beats_what_cannot_hear(results):
    for deaf in ("class prior", "mirrored", "another scene"):
        assert measure(results, "planner", "iou") > measure(results, deaf, "iou")
        assert measure(results, "planner", "x_center_error") < measure(
            results, deaf, "x_center_error"
        )


def test_perfect_hearing_is_no_worse_than_hearing(results):
    assert measure(results, "true cues", "x_center_error") <= measure(
        results, "planner", "x_center_error"
    )
    assert measure(results, "true cues", "motion_direction") == 1.0


def test_the_same_seed_gives_the_same_scene_and_another_seed_another():
    first, again, other = (heard_scene(seed, 1) for seed in (0, 0, 1))
    assert first.truth == again.truth and first.cues == again.cues
    assert first.truth != other.truth


def test_true_cues_place_the_thing_where_the_scene_has_it():
    heard = heard_scene(0, 4)
    planned = plan_acoustic(true_cues(heard))
    (true,), (found,) = heard.truth.boxes_at(1.0), planned.boxes_at(1.0)
    assert found.center[0] == pytest.approx(true.center[0], abs=0.05)
    assert iou(heard.truth, planned) > 0.0
