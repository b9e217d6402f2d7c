"""The planning benchmark: the same scenes for all methods, baselines, chance, and models."""

from __future__ import annotations

import json
from functools import cache

import pytest

from spa2v_lab.bench import planning as bench
from spa2v_lab.bench import planning_scores as models
from spa2v_lab.bench.frame import run_benchmark
from spa2v_lab.bench.planning_scenes import analyzed_scene, ground_truth_cues
from spa2v_lab.bench.planning_scores import ModelTrials
from spa2v_lab.metrics import max_iou
from spa2v_lib.errors import PlanningError, Spa2vError
from spa2v_lib.planning import plan_acoustic
from spa2v_lib.planning.answer_cache import FOLDER_VARIABLE
from spa2v_lib.planning.backends.base import Prompt
from spa2v_lib.planning.exemplars import ranked_exemplars

analyzed_once = cache(analyzed_scene)

NOT_SPATIAL = ("class prior", "mono fold-down", "mirrored", "another scene")


@pytest.fixture(scope="module")
def results():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bench, "QUICK", 5)
        patch.setattr(bench, "analyzed_scene", analyzed_once)
        return bench.run(quick=True, seed=0, progress=lambda *_: None)


def measure(results, method, name, condition="all"):
    (row,) = [r for r in results.rows if (r.method, r.condition) == (method, condition)]
    return row.measures[name].mean


def test_every_method_is_scored_with_every_measure(results):
    for method in ("acoustic", "true cues", "nearest exemplar", "ground truth", *NOT_SPATIAL):
        for name in ("MaxIoU", "coverage", "tube IoU", "LTSim", "DocSim", "DocSim, of best"):
            assert -1e-9 <= measure(results, method, name) <= 1.0 + 1e-9
        for name in ("x-centre error", "motion direction", "size trend", "mirror gap"):
            assert measure(results, method, name) is not None
    conditions = {row.condition for row in results.rows if row.method == "acoustic"}
    assert {"all", "off-centre", "approaching", "left crossing", "receiver panned"} < conditions


def test_the_truth_is_the_best_of_every_measure(results):
    for name in ("MaxIoU", "coverage", "tube IoU", "LTSim", "DocSim, of best", "size trend"):
        assert measure(results, "ground truth", name) == pytest.approx(1.0)
    assert measure(results, "ground truth", "x-centre error") == 0.0


def test_cues_beat_methods_without_spatial_cues(results):
    for method in NOT_SPATIAL:
        assert measure(results, "acoustic", "MaxIoU") > measure(results, method, "MaxIoU")
        assert measure(results, "acoustic", "mirror gap") > measure(results, method, "mirror gap")
        error = measure(results, "acoustic", "x-centre error")
        assert error < measure(results, method, "x-centre error")


@pytest.mark.parametrize("method", ["class prior", "mono fold-down"])
def test_a_method_without_spatial_cues_has_no_mirror_gap(results, method):
    assert measure(results, method, "mirror gap") == pytest.approx(0.0, abs=1e-9)


def test_ground_truth_cues_are_no_worse_than_measured_ones(results):
    error = measure(results, "true cues", "x-centre error")
    assert error <= measure(results, "acoustic", "x-centre error")
    assert measure(results, "true cues", "motion direction") == 1.0


def test_goals_are_those_of_the_acoustic_planner_on_all_scenes(results):
    values = [goal.value for goal in results.goals]
    assert values[0] == measure(results, "acoustic", "MaxIoU")
    assert values[1] == 100 * measure(results, "acoustic", "motion direction")
    assert values[2] == measure(results, "acoustic", "x-centre error")


def test_what_was_not_asked_has_no_row_and_a_note_with_the_command_that_asks(results):
    assert [row.method for row in results.rows if not row.count] == []
    assert all("not run" in note and "spa2v bench planning" in note for note in results.notes)
    assert any(models.HOSTED in note for note in results.notes) and len(results.notes) == 2


def test_no_exemplar_holds_the_recording_that_is_planned():
    for number in range(0, 5):
        analyzed = analyzed_once(0, number)
        chosen = ranked_exemplars(analyzed.cues, recordings=analyzed.recordings)[:9]
        assert len(chosen) == 9
        assert not any(set(one.recordings) & set(analyzed.recordings) for one in chosen)


def test_the_same_seed_gives_the_same_scene_and_another_seed_another():
    first, again, other = analyzed_once(0, 1), analyzed_scene(0, 1), analyzed_scene(1, 1)
    assert first.ground_truth == again.ground_truth and first.cues == again.cues
    assert first.ground_truth != other.ground_truth


def test_true_cues_place_the_object_where_the_scene_has_it():
    analyzed = analyzed_once(0, 4)
    planned = plan_acoustic(ground_truth_cues(analyzed))
    (true,), (scores,) = analyzed.ground_truth.boxes_at(1.0), planned.boxes_at(1.0)
    assert scores.center[0] == pytest.approx(true.center[0], abs=0.05)
    assert max_iou(analyzed.ground_truth, planned) > 0.0


class Model:
    """A backend that names every source as its table does, in a handwritten answer."""

    name, takes_audio, brief, limits = "written by hand", False, False, None

    def __init__(self, spoilt: int = 0) -> None:
        self.parameters = {}
        self.prompts: list[Prompt] = []
        self.spoilt = spoilt

    def check(self):
        """It can always be asked."""

    def ask(self, prompt, schema):
        self.prompts.append(prompt)
        if self.spoilt > 0:
            self.spoilt -= 1
            return "I would rather not"
        table = prompt.text.rsplit("The recording to plan a video for", 1)[1]
        label = table.split('- label: "')[1].split('"')[0]
        times = table.split("in seconds: ")[1].split("\n")[0].split(", ")
        return json.dumps(
            {
                "reasoning": "as measured",
                "video_caption": f"a {label} and a tree",
                "background": "meadow",
                "sources": [{"id": "source-1", "label": label, "caption": f"a {label}"}],
                "scenery": [{"label": "cow", "caption": "a cow", "side": "left"}],
                "frame_captions": ["there it is"] * len(times),
            }
        )


@pytest.fixture
def kept_here(tmp_path, monkeypatch):
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path))


def trials(count: int) -> ModelTrials:
    scenes = [analyzed_once(0, number) for number in range(count)]
    return ModelTrials(scenes, 0, True, lambda *_: None)


@pytest.mark.usefixtures("kept_here")
def test_a_model_is_scored_without_its_silent_objects_and_asked_once():
    asking, model = trials(2), Model()
    rows = asking.trial(model, "cues", "knn")
    scores = {row.condition: row.measures for row in rows}["all"]
    assert scores["answered"].mean == scores["coverage"].mean == scores["class right"].mean == 1.0
    assert 0.0 < scores["caption"].mean < 1.0
    assert "Example 3" in model.prompts[0].text
    asking.trial(model, "cues", "knn")
    assert len(model.prompts) == 2
    asking.trial(model, "cues", "none")
    assert len(model.prompts) == 4 and "Example 1" not in model.prompts[-1].text


@pytest.mark.usefixtures("kept_here")
def test_answers_that_cannot_be_used_count_as_an_empty_layout():
    rows = trials(1).trial(Model(spoilt=99), "cues", "none")
    scores = rows[0].measures
    assert scores["answered"].mean == scores["MaxIoU"].mean == scores["class right"].mean == 0.0


@pytest.mark.usefixtures("kept_here")
def test_every_trial_of_a_named_model_is_a_row(monkeypatch):
    monkeypatch.setattr(models, "make_backend", lambda *_, **__: Model())
    rows, notes = trials(1).measure(["smollm"])
    asked = {row.method for row in rows if row.condition == "all"}
    assert len(asked) == 6
    assert len(notes) == 1 and models.HOSTED in notes[0]


def test_the_price_is_shown_before_a_hosted_model_is_asked(monkeypatch, capsys):
    def ask(*_):
        raise PlanningError("the server is away")

    from spa2v_lib.planning.backends.hosted import HostedModel

    monkeypatch.setattr(HostedModel, "ask", ask)
    with pytest.raises(PlanningError, match="away"):
        trials(1).measure(["openai-chat:some@http://127.0.0.1:9/v1"])
    with_true_labels = capsys.readouterr().err
    assert "6 requests" in with_true_labels and "tokens in" in with_true_labels


@pytest.mark.parametrize(
    ("planner", "said"),
    [("acoustic", "always measured"), ("gemini", "no planner"), ("google:some", "needs a key")],
)
def test_a_planner_that_cannot_be_asked_is_refused_before_anything(planner, said, monkeypatch):
    for name in ("GOOGLE_API_KEY", "GEMINI_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(PlanningError, match=said):
        bench.run(quick=True, seed=0, progress=lambda *_: pytest.fail(), planners=[planner])


def test_other_benchmarks_ask_no_planners(tmp_path):
    with pytest.raises(Spa2vError, match="asks no planners"):
        run_benchmark("hearing", tmp_path / "out", planners=["smollm"])
