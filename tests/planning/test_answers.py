"""Kept answers: found again by what was asked, and by nothing else."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from spa2v_lib.errors import OutputError, PlanningError
from spa2v_lib.planning.answer import BoxAnswer, CueAnswer
from spa2v_lib.planning.answer_cache import AnswerCache, content_key, default_folder
from spa2v_lib.planning.backends.base import AudioPart, Prompt, TextPart

PROMPT = Prompt("be good", (TextPart("a table"), AudioPart("left", b"RIFF", 1.0)))


def test_an_answer_comes_back_as_it_was(tmp_path, script):
    answers = AnswerCache(tmp_path / "new" / "folder")
    path = answers.put("k", script(), 'any "text"\nü')
    assert AnswerCache(tmp_path / "new" / "folder").get("k") == 'any "text"\nü'
    assert set(json.loads(path.read_text("utf-8"))) == {"version", "model", "parameters", "answer"}


def test_what_was_not_asked_has_no_answer(tmp_path):
    assert AnswerCache(tmp_path).get("k") is None


def test_the_key_depends_on_all_that_decides_the_answer(script):
    model = script()
    key = content_key(model, PROMPT, CueAnswer)
    assert key == content_key(script(), PROMPT, CueAnswer) and len(key) == 64
    named, hot = script(), script()
    named.name, hot.parameters = "another", {"temperature": 0.6}
    text, sound = PROMPT.parts
    others = [
        content_key(named, PROMPT, CueAnswer),
        content_key(hot, PROMPT, CueAnswer),
        content_key(model, PROMPT, BoxAnswer),
        content_key(model, dataclasses.replace(PROMPT, system="be bad"), CueAnswer),
        content_key(model, Prompt("be good", (TextPart("a chair"), sound)), CueAnswer),
        content_key(model, Prompt("be good", (sound, text)), CueAnswer),
        content_key(model, Prompt("be good", (text, AudioPart("left", b"RIFX", 1.0))), CueAnswer),
    ]
    assert len({key, *others}) == 8


@pytest.mark.parametrize("text", ["", "[]", '{"version": "spa2v.answer/1"}', '{"version": 2}'])
def test_a_broken_file_is_named(tmp_path, text):
    (tmp_path / "k.json").write_text(text)
    with pytest.raises(PlanningError, match=r"k\.json cannot be read .*delete it"):
        AnswerCache(tmp_path).get("k")


def test_a_folder_that_cannot_be_written_is_named(tmp_path, script):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot write"):
        AnswerCache(tmp_path / "file").put("k", script(), "x")


def test_the_folder_is_the_users_unless_the_environment_names_one(monkeypatch, tmp_path):
    monkeypatch.delenv("SPA2V_ANSWERS", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", "/somewhere")
    assert default_folder() == Path("/somewhere/spa2v/answers")
    monkeypatch.setenv("SPA2V_ANSWERS", str(tmp_path))
    assert default_folder() == tmp_path
