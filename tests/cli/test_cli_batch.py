"""`spa2v batch`, `verify` and `rerun`: what they print, and their exit codes."""

from __future__ import annotations

import json
from typing import Annotated, Any

import pytest
import typer

from spa2v_lib.batch import BatchProgress, BatchSummary
from spa2v_lib.batch.tasks import TaskResult
from spa2v_lib.cli.summaries import show_estimate
from spa2v_lib.cli.terminal import batch_progress
from spa2v_lib.errors import RunError, SettingsError
from spa2v_lib.planning.cost import Estimate
from spa2v_lib.runs import Difference, Settings, Verification


@pytest.mark.parametrize(("failed", "code"), [(0, 0), (2, 1)])
def test_the_exit_code_says_whether_items_failed(spa2v, monkeypatch, tmp_path, failed, code):
    asked = {}

    def run_batch(sources, out, **given):
        asked.update(given, sources=sources)
        return BatchSummary(tmp_path / "out", 9, 3, 6, failed)

    monkeypatch.setattr("spa2v_lib.batch.run_batch", run_batch)
    options = ["--resume", "--seed", 3, "--engine", "processes", "--workers", 2]
    found, out, _ = spa2v("batch", "a.wav", "b.csv", "--out", tmp_path / "out", *options)
    assert found == code
    assert f"{6 - failed} of 9 made, 3 kept" in out and ("failed" in out) == bool(failed)
    assert [path.name for path in asked["sources"]] == ["a.wav", "b.csv"]
    assert asked["announce"] is show_estimate
    assert asked["resume"] and asked["seed"] == 3 and "label" not in asked
    assert (asked["engine"].name, asked["engine"].workers) == ("processes", 2)


def other_than_default(name: str) -> object:
    """Return a value for a parameter that is not its default."""
    field = Settings.model_fields[name]
    value = field.default
    if isinstance(value, bool):
        return not value
    if isinstance(value, tuple):
        return ["one", "another"]  # an option that is repeated
    if isinstance(value, (int, float)):
        return type(value)(value + 1)
    return 2 if "int" in str(field.annotation) or "float" in str(field.annotation) else "another"


@pytest.mark.parametrize("command", ["generate", "batch", "rerun"])
def test_every_parameter_of_a_run_is_an_option_and_only_what_is_given_is_passed_on(
    spa2v, monkeypatch, tmp_path, command
):
    asked = []

    def stop(*_, **given):
        asked.append(given)
        raise RunError("not now")

    monkeypatch.setattr("spa2v_lib.batch.run_batch", stop)
    monkeypatch.setattr("spa2v_lib.runs.rerun", stop)
    monkeypatch.setattr("spa2v_lib.runs.generate_run", stop)
    options = {name: other_than_default(name) for name in Settings.model_fields}
    told = []
    for name, value in options.items():
        for each in value if isinstance(value, list) else [value]:
            told += [f"--{name.replace('_', '-')}"] + [each] * (not isinstance(each, bool))
    assert spa2v(command, "a.wav", "--out", tmp_path / "out", *told)[0] == 2
    assert spa2v(command, "a.wav", "--out", tmp_path / "out", "--seed", 3)[0] == 2
    first, second = ({k: v for k, v in one.items() if k in options} for one in asked)
    assert first == options and second == {"seed": 3}


def test_a_parameter_that_is_added_to_the_settings_is_everywhere(monkeypatch, tmp_path):
    """One field more, and nothing else changed."""
    from pydantic import Field, create_model
    from typer.testing import CliRunner

    from spa2v_lib import runs
    from spa2v_lib.batch import tasks
    from spa2v_lib.batch.manifest import read_rows
    from spa2v_lib.cli import options

    gain = (Annotated[float, "analyze"], Field(1.0, le=9, description="How much louder."))
    more = create_model("More", __base__=Settings, gain=gain)
    for module in (options, tasks, runs.settings):
        monkeypatch.setattr(module, "Settings", more)
    assert "| `gain` | `1.0` | How much louder. |" in runs.settings_table()
    app = typer.Typer()

    @app.command()
    @options.settings_options()
    def command(settings: dict[str, Any]) -> None:
        print(settings)

    assert CliRunner().invoke(app, ["--gain", "2"]).output == "{'gain': 2.0}\n"
    assert "How much louder." in CliRunner().invoke(app, ["--help"]).output
    (tmp_path / "a.wav").touch()
    (tmp_path / "list.csv").write_text("recording,gain\na.wav,3.5\n")
    template = tasks.read_template(tasks.end_to_end())
    rows = read_rows([tmp_path / "list.csv"], dict.fromkeys(more.model_fields))
    assert template.settings(rows[0].parameters).gain == 3.5
    with pytest.raises(SettingsError, match="gain is '10'; it should be less than"):
        template.settings({"gain": "10"})


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
            last = TaskResult("x", "failed", "no [sound]") if done == 7 else TaskResult("x", "done")
            tell(BatchProgress(done, int(done >= 7), 100, 4000.0 - 40 * done, last))
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "1 of 100 about 66 min left"
    assert lines[1] == "failed: x: no [sound]"
    assert lines[2:] == ["100 of 100 1 failed"]


@pytest.mark.parametrize(("category", "code"), [("version", 0), ("result", 1), ("file", 1)])
def test_verify_says_what_differs_and_whether_it_matters(spa2v, monkeypatch, category, code):
    found = Verification([Difference(category, "torch", "1.0", "[2.0]")], "f" * 64)
    monkeypatch.setattr("spa2v_lib.runs.verify", lambda *_, **__: found)
    ended, out, _ = spa2v("verify", "run")
    assert ended == code
    assert f"{category} torch" in out and "[2.0]" in out
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
