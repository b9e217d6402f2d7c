"""The whole-pipeline benchmark: rows from raw results alone, resumed, with chance and ceiling."""

from __future__ import annotations

import json
import math
from functools import partial

import pytest

from spa2v_lab.bench import run as bench
from spa2v_lab.bench.frame import Results, run_benchmark
from spa2v_lab.bench.raw import RawResults, read
from spa2v_lab.bench.run_layouts import analyzed_clip, layouts_of, with_true_labels
from spa2v_lab.bench.run_tables import results_of
from spa2v_lab.bench.run_videos import DRAWN, MIRRORED, SAMPLING_VARIANTS, detected_layout
from spa2v_lab.metrics import max_iou
from spa2v_lab.scenes.benchmark import draw
from spa2v_lib.errors import OutputError, Spa2vError
from spa2v_lib.layout.box import Box
from spa2v_lib.sampling import generate
from spa2v_lib.sampling.detection import Detection

CLIPS, SEED = 4, 0


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Stage 1 of a few clips, without videos."""
    out = tmp_path_factory.mktemp("run") / "out"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bench, "QUICK", CLIPS)
        patch.setattr(bench, "QUICK_VIDEOS", 0)
        run_benchmark("run", out, quick=True, seed=SEED)
    return out


@pytest.fixture(scope="module")
def raw(folder):
    return read(folder / bench.RAW)


def measure(results, method, name, condition="all"):
    (row,) = [r for r in results.rows if (r.method, r.condition) == (method, condition)]
    return row.measures[name].mean


def made_up_videos(clips: int) -> dict:
    """Raw results of stage 2, with other numbers for every clip and variant."""
    variants = [variant.name for variant in SAMPLING_VARIANTS] + [DRAWN]
    scores = {
        str(n): {
            "sound": {"onsets": [1.0 + n]},
            **{
                name: {
                    "LTSim": 0.5 + 0.01 * place + 0.1 * n,
                    "IoU": 0.3,
                    "features": [0.1 * n, float(place)],
                    "peaks": [1.0],
                }
                for place, name in enumerate(variants)
            },
            MIRRORED: {"LTSim": 0.4, "IoU": 0.1},
        }
        for n in range(clips)
    }
    return scores


def test_every_method_has_a_row_for_every_scene_type_that_there_is(raw):
    results = results_of(raw, SEED)
    conditions = {row.condition for row in results.rows if row.method == "layouts: full"}
    assert {"all", "off-centre", "stationary, single", "translational, single"} <= conditions
    counted = [r.count for r in results.rows if (r.method, r.condition) == ("layouts: full", "all")]
    assert counted == [CLIPS]


def test_the_truth_is_best_and_the_mirror_shows_who_lacks_spatial_cues(raw):
    results = results_of(raw, SEED)
    assert measure(results, "layouts: ground truth", "MaxIoU") == pytest.approx(1.0)
    full = measure(results, "layouts: full", "mirror gap")
    assert measure(results, "layouts: full, mirrored", "mirror gap") == pytest.approx(-full)
    for method in ("without spatial reasoning", "neither", "captions + LVD"):
        assert measure(results, f"layouts: {method}", "mirror gap") == pytest.approx(0.0, abs=1e-9)


def test_tables_come_from_the_file_alone(folder, raw):
    written = json.loads((folder / "results.json").read_text(encoding="utf-8"))
    again = results_of(raw, SEED).as_dict()
    assert written["rows"] == again["rows"] and written["goals"] == again["goals"]


def test_hosted_models_that_nobody_named_have_no_row_and_a_note_with_the_command(raw):
    results = results_of(raw, SEED)
    assert [r.method for r in results.rows if "not run" in r.condition or ":" in r.method[9:]] == []
    assert any("spa2v bench run --planner google" in note for note in results.notes)


def test_what_was_measured_is_not_measured_again(folder, monkeypatch):
    monkeypatch.setattr(bench, "QUICK", CLIPS)
    monkeypatch.setattr(bench, "QUICK_VIDEOS", 0)
    monkeypatch.setattr(bench, "_scored", lambda job: pytest.fail("measured again"))
    before = (folder / bench.RAW).read_bytes()
    run_benchmark("run", folder, quick=True, seed=SEED)
    assert (folder / bench.RAW).read_bytes() == before


def test_an_interrupted_run_goes_on_where_it_stopped(tmp_path, monkeypatch):
    monkeypatch.setattr(bench, "QUICK", 3)
    monkeypatch.setattr(bench, "QUICK_VIDEOS", 0)
    measured = []

    def scored(job):
        if len(measured) == 1 and job[1] not in measured:
            measured.append("stopped")
            raise KeyboardInterrupt
        measured.append(job[1])
        return {"clip": {}, "scores": {"ground truth": {"mirror gap": 0.0}, "full": {}}}

    monkeypatch.setattr(bench, "_scored", scored)
    monkeypatch.setattr(bench, "results_of", lambda raw, seed: Results("run", [], []))
    with pytest.raises(KeyboardInterrupt):
        run_benchmark("run", tmp_path / "out", quick=True)
    assert list(read(tmp_path / "out" / bench.RAW)["stage1"]) == ["0"]
    assert not (tmp_path / "out" / "results.json").exists()
    run_benchmark("run", tmp_path / "out", quick=True)
    assert measured == [0, "stopped", 1, 2]


def test_another_question_is_refused_unless_overwritten(folder):
    with pytest.raises(OutputError, match="measured with another seed"):
        RawResults(folder / bench.RAW, {**read(folder / bench.RAW)["asked"], "seed": 9})
    fresh = RawResults(folder / bench.RAW, {"seed": 9}, overwrite=True)
    assert fresh.raw == {"asked": {"seed": 9}}


def test_a_folder_of_something_else_is_refused(tmp_path):
    (tmp_path / "letter.txt").write_text("dear")
    with pytest.raises(OutputError, match=r"no raw\.json"):
        RawResults(tmp_path / bench.RAW, {})


def test_clips_and_planners_belong_to_the_benchmarks_that_take_them(tmp_path):
    with pytest.raises(Spa2vError, match="takes no clips"):
        run_benchmark("speed", tmp_path / "a", clips="x.csv")
    with pytest.raises(Spa2vError, match="asks no planners"):
        run_benchmark("speed", tmp_path / "a", planners=["smollm"])


def test_videos_have_rows_with_chance_ceiling_and_distance(raw):
    results = results_of({**raw, "stage2": made_up_videos(3)}, SEED)
    assert measure(results, "videos: full", "LTSim") == pytest.approx(0.6)
    assert measure(results, f"videos: {MIRRORED}", "LTSim") == pytest.approx(0.4)
    assert measure(results, "videos: full", "AV-Align") == pytest.approx(1 / 3)  # one clip of three
    assert measure(results, "videos: full", "AV-Align by chance") == pytest.approx(1 / 3)
    distances = [
        measure(results, f"videos: {variant.name}", "Fréchet distance, drawn-world features")
        for variant in SAMPLING_VARIANTS
    ]
    assert distances == sorted(distances, reverse=True) and distances[-1] > 0
    (goal,) = [g for g in results.goals if g.name.startswith("videos of true layouts")]
    assert goal.value == pytest.approx((0.54 + 0.1) / (0.59 + 0.1))


def test_goals_that_were_not_computed_are_missed(raw):
    goals = {goal.name: goal for goal in results_of(raw, SEED).goals}
    assert goals["stage 1 of 200 clips, seconds"].value is None
    assert not goals["stage 1 of 200 clips, seconds"].met


def test_what_a_detector_finds_is_a_layout_frame_by_frame():
    ground_truth = draw(SEED, 1).ground_truth
    (label,) = {obj.label for obj in ground_truth.objects}
    seen = [
        [Detection(label, 0.9, row[0])] if row[0] is not None else []
        for row in ground_truth.frame_boxes()
    ]
    assert max_iou(ground_truth, detected_layout(seen, ground_truth)) == pytest.approx(1.0)
    doubled = [[*row, Detection(label, 0.4, Box(x0=0, y0=0, x1=0.1, y1=0.1))] for row in seen]
    assert len(detected_layout(doubled, ground_truth).objects) == 2
    assert max_iou(ground_truth, detected_layout(doubled, ground_truth)) == 0.0
    assert detected_layout([[]] * len(seen), ground_truth).objects == []


def test_sources_get_the_label_of_the_nearest_object():
    clip = next(
        draw(SEED, n) for n in range(50) if draw(SEED, n).scene_type == "translational, single"
    )
    analyzed = analyzed_clip(clip, SEED)
    named = with_true_labels(analyzed.cues, clip.scene)
    assert named.sources[0].label == clip.scene.objects[0].label
    assert len(named.sources) <= len(clip.scene.objects)
    assert with_true_labels(named.model_copy(update={"sources": []}), clip.scene).sources == []


def test_exemplars_decide_heights_but_not_directions():
    clip = next(
        c for n in range(60) if (c := draw(SEED, n)).scene.objects[0].label in ("bird", "guitar")
    )
    layouts = layouts_of(analyzed_clip(clip, SEED))
    boxes = [layouts[name].frame_boxes()[0] for name in ("full", "without exemplars")]
    for one, other in zip(*boxes, strict=True):
        if one and other:
            assert math.isclose(one.center[0], other.center[0], abs_tol=0.02)


@pytest.mark.slow
def test_one_clip_is_sampled_in_every_variant(tmp_path, monkeypatch):
    monkeypatch.setattr(bench, "QUICK", 1)
    monkeypatch.setattr(
        "spa2v_lab.bench.run_videos.SAMPLING_VARIANTS",
        SAMPLING_VARIANTS[:1] + SAMPLING_VARIANTS[4:5],
    )
    monkeypatch.setattr("spa2v_lib.sampling.generate", partial(generate, steps=6))
    results = run_benchmark("run", tmp_path / "out", quick=True, seed=SEED)
    variants = {row.method for row in results.rows if row.method.startswith("videos")}
    assert variants == {f"videos: {w}" for w in ("full", "true layout", MIRRORED, DRAWN)}
    grounded = measure(results, "videos: true layout", "IoU")
    assert grounded > measure(results, f"videos: {MIRRORED}", "IoU")
    assert 0.5 < measure(results, f"videos: {DRAWN}", "LTSim") <= 1.0
