"""``spa2v estimate``, run as its user would."""

from __future__ import annotations

import pytest
import soundfile
from typer.testing import CliRunner

from spa2v_lib.cli import app
from spa2v_lib.planning.answer_cache import FOLDER_VARIABLE


@pytest.fixture
def run(tmp_path, recording, monkeypatch):
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path / "answers"))
    files = []
    for name in ("one.wav", "two.wav"):
        soundfile.write(tmp_path / name, recording.samples.T, recording.rate)
        files.append(str(tmp_path / name))
    options = ["--label", "bus,dog", "--capture", "xy"]
    return lambda *more: CliRunner().invoke(app, ["estimate", *files, *options, *more])


def test_it_tells_tokens_and_price_of_several_recordings(run):
    pytest.importorskip("genai_prices")
    printed = run("--planner", "google:gemini-3.8-flash")
    assert printed.exit_code == 0, printed.output
    assert "2 requests" in printed.output and "about $0." in printed.output


def test_it_sends_nothing_and_needs_no_key(run, server, monkeypatch):
    for name in ("GOOGLE_API_KEY", "GEMINI_API_KEY", "OPENAI_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    assert "price not known" in run("--planner", f"openai-chat:some@{server.url}").output
    assert run("--planner", "openai-chat:gpt-audio").exit_code == 0
    assert server.requests == []


def test_more_exemplars_take_more_tokens(run):
    def tokens(*more: str) -> int:
        printed = run("--planner", "openai-chat:some-audio@http://127.0.0.1:9/v1", *more).output
        return int(printed.split("about ")[1].split()[0])

    assert tokens("--exemplars", "none") < tokens("--shots", "1") < tokens("--shots", "3")


def test_folders_patterns_and_manifests_are_taken_as_a_batch_takes_them(run, tmp_path):
    (tmp_path / "list.csv").write_text("recording,label\none.wav,car\n")
    sources = [str(tmp_path), str(tmp_path / "t*.wav"), str(tmp_path / "list.csv")]
    printed = run(*sources, "--planner", "openai-chat:some@http://127.0.0.1:9/v1")
    assert printed.exit_code == 0, printed.output
    assert "6 requests" in printed.output  # the two files, the folder's two, one and one more


def test_the_acoustic_planner_takes_nothing_and_says_so(run):
    printed = run("--planner", "acoustic")
    assert "asks no model" in str(printed.exception or printed.output)
