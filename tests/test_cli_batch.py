"""`spa2v batch`, `verify` and `rerun`: what they print, and their exit codes."""

from __future__ import annotations

import json

import pytest

from spa2v_lib.batch import Progress, Summary
from spa2v_lib.batch.tasks import Outcome
from spa2v_lib.cli.batch_terminal import batch_progress, show_estimate
from spa2v_lib.errors import RunError
from spa2v_lib.planning.cost import Estimate
from spa2v_lib.runs import Difference, Verification


@pytest.mark.parametrize(("failed", "code"), [(0, 0), (2, 1)])
def test_the_exit_code_says_whether_items_failed(spa2v, monkeypatch, tmp_path, failed, code):
    asked = {}

    def run_batch(sources, out, **given):
        asked.update(given, sources=sources)
        return Summary(tmp_path / "out", 9, 3, 6, failed)

    monkeypatch.setattr("spa2v_lib.batch.run_batch", run_batch)
    options = ["--resume", "--seed", 3, "--engine", "processes", "--workers", 2]
    found, out, _ = spa2v("batch", "a.wav", "b.csv", "--out", tmp_path / "out", *options)
    assert found == code
    assert f"{6 - failed} of 9 made, 3 kept" in out and ("failed" in out) == bool(failed)
    assert [path.name for path in asked["sources"]] == ["a.wav", "b.csv"]
    assert asked["announce"] is show_estimate
    assert asked["resume"] and asked["seed"] == 3 and "label" not in asked
    assert (asked["crew"].engine, asked["crew"].workers) == ("processes", 2)


PLANNING_AND_DRAWING = {
    "placement": "model",
    "exemplars": "none",
    "shots": 0,
    "captions": "frame",
    "device": "cpu",
    "fps": 4.0,
    "clip": 2,
    "max-seconds": 9.0,
}


def test_what_plans_and_draws_can_be_told_to_a_batch_and_a_rerun(spa2v, monkeypatch, tmp_path):
    asked = []

    def run_batch(sources, out, **given):
        asked.append(given)
        return Summary(tmp_path, 1, 0, 1, 0)

    def rerun(run, out, **given):
        asked.append(given)
        raise RunError("not now")

    monkeypatch.setattr("spa2v_lib.batch.run_batch", run_batch)
    monkeypatch.setattr("spa2v_lib.runs.rerun", rerun)
    options = [
        part for name, value in PLANNING_AND_DRAWING.items() for part in (f"--{name}", value)
    ]
    assert spa2v("batch", "a.wav", "--out", tmp_path / "out", *options)[0] == 0
    assert spa2v("rerun", "run", "--out", tmp_path / "out", *options)[0] == 2
    wanted = {name.replace("-", "_"): value for name, value in PLANNING_AND_DRAWING.items()}
    for given in asked:
        assert wanted.items() <= given.items()
    assert len(asked) == 2


def test_the_estimate_of_a_batch_goes_to_the_error_stream(capsys):
    show_estimate(Estimate(1000, 800, None, requests=3))
    out, err = capsys.readouterr()
    assert out == "" and err.startswith("planning: 3 requests, about 1000 tokens in")


def test_a_batch_that_cannot_work_gives_one_line_and_code_2(spa2v, tmp_path):
    code, out, err = spa2v("batch", tmp_path / "none.csv", "--out", tmp_path / "out")
    assert code == 2 and out == "" and err.startswith("Error: ") and err.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_a_log_gets_failures_and_now_and_then_a_line(capsys):
    with batch_progress() as tell:
        for done in range(1, 101):
            last = Outcome("x", "failed", "no [sound]") if done == 7 else Outcome("x", "done")
            tell(Progress(done, int(done >= 7), 100, 4000.0 - 40 * done, last))
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "1 of 100 about 66 min left"
    assert lines[1] == "failed: x: no [sound]"
    assert lines[2:] == ["100 of 100 1 failed"]


@pytest.mark.parametrize(("kind", "code"), [("version", 0), ("result", 1), ("file", 1)])
def test_verify_says_what_differs_and_whether_it_matters(spa2v, monkeypatch, kind, code):
    found = Verification([Difference(kind, "torch", "1.0", "[2.0]")], "f" * 64)
    monkeypatch.setattr("spa2v_lib.runs.verify", lambda *_, **__: found)
    ended, out, _ = spa2v("verify", "run")
    assert ended == code
    assert f"{kind} torch" in out and "[2.0]" in out
    assert ("came out the same" in out) == (code == 0)


def test_what_is_no_run_folder_is_refused(spa2v, tmp_path):
    for command in (["verify", tmp_path], ["rerun", tmp_path, "--out", tmp_path / "out"]):
        code, _, err = spa2v(*command)
        assert code == 2 and "not a run folder" in err


@pytest.mark.slow
def test_a_batch_is_made_verified_and_made_again_from_the_shell(spa2v, tmp_path):
    import numpy as np

    from spa2v_lib.audio.recording import Recording

    noise = 0.1 * np.random.default_rng(0).standard_normal((2, 11_025))
    noise[0] *= 0.3
    (tmp_path / "sounds").mkdir()
    Recording.from_samples(noise, 22_050).save(tmp_path / "sounds" / "a.wav")
    (tmp_path / "sounds" / "b.wav").write_text("no sound")
    told = ["--out", tmp_path / "out", "--label", "car", "--steps", 2]
    told += ["--fps", 10, "--max-seconds", 0.4]
    code, out, err = spa2v("batch", tmp_path / "sounds", *told)
    assert code == 1 and "1 of 2 made" in out and "failed: b-" in err
    (run,) = (path.parent for path in (tmp_path / "out" / "items").glob("*/run.json"))
    code, out, _ = spa2v("verify", run)
    assert code == 0, out
    code, out, _ = spa2v("rerun", run, "--out", tmp_path / "again", "--seed", 1)
    assert code == 0
    first, second = (
        json.loads((folder / "run.json").read_text(encoding="utf-8"))["frames"]["sha256"]
        for folder in (run, tmp_path / "again")
    )
    assert first != second
    frames = json.loads((run / "run.json").read_text(encoding="utf-8"))["frames"]
    assert (frames["fps"], frames["count"]) == (10.0, 4)
