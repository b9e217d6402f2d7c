"""What a batch says it is going to cost, before a hosted model is asked."""

from __future__ import annotations

import nbformat
import pytest

from spa2v_lib.batch import run_batch
from spa2v_lib.batch.estimate import COLUMNS, estimate_rows
from spa2v_lib.batch.manifest import read_rows
from spa2v_lib.batch.tasks import settings_of

SERVER = "openai-chat:any@http://127.0.0.1:9/v1"


@pytest.fixture
def planned(notebook, tmp_path, monkeypatch):
    """Run a batch of the notebook that can be told a planner; return what was announced."""
    monkeypatch.setenv("SPA2V_ANSWERS", str(tmp_path / "answers"))
    book = nbformat.read(notebook, as_version=4)
    book.cells[0].source += '\nPLANNER = "acoustic"'
    nbformat.write(book, notebook)
    said = []

    def run(**options):
        said.clear()
        folders = [tmp_path / "sounds"], tmp_path / "out"
        run_batch(*folders, notebook=notebook, announce=said.append, label="car", **options)
        return said

    return run


def test_a_hosted_planner_is_estimated_for_what_is_to_be_done(planned, sound, tmp_path):
    pytest.importorskip("pydantic_ai.models.openai")
    sound("a.wav"), sound("b.wav")
    (tmp_path / "sounds" / "c.wav").write_text("no sound")
    (told,) = planned(planner=SERVER)
    assert (told.requests, told.dollars) == (2, None) and told.input_tokens > 500
    (tmp_path / "sounds" / "c.wav").unlink()
    sound("d.wav")
    (told,) = planned(planner=SERVER, resume=True)
    assert told.requests == 1  # the others are there already
    assert planned(planner=SERVER, resume=True) == []


def test_a_planner_that_costs_nothing_is_not_estimated(planned, sound, monkeypatch):
    monkeypatch.setattr("spa2v_lib.batch.estimate.hear_recording", pytest.fail)
    sound("a.wav")
    assert planned() == []


def test_a_manifest_is_estimated_row_by_row(sound, manifest, tmp_path, monkeypatch):
    monkeypatch.setenv("SPA2V_ANSWERS", str(tmp_path / "answers"))
    sound("a.wav"), sound("b.wav")
    rows = [
        {"recording": "sounds/a.wav", "label": "car", "shots": "0"},
        {"recording": "sounds/b.wav", "label": "", "shots": ""},
    ]
    heard = []
    read = read_rows([manifest(rows)], COLUMNS)
    told = {"label": "dog", "planner": SERVER, "shots": 2}
    found = estimate_rows(read, told, lambda *now: heard.append(now))
    assert found.requests == 2
    assert heard == [("hear", 0, 2), ("hear", 1, 2), ("hear", 2, 2)]
    first = estimate_rows(read[:1], told)
    second = estimate_rows(read[1:], told)
    assert first.input_tokens < second.input_tokens  # which has examples


def test_zeros_leave_the_default_but_no_examples_are_none():
    wanted = settings_of({"steps": 0, "label": "", "fps": 0.0, "clip": 0, "shots": 0, "x": "red"})
    assert (wanted.steps, wanted.label, wanted.fps, wanted.clip) == (None,) * 4
    assert wanted.shots == 0


def test_a_length_of_zero_is_not_taken_for_the_default():
    assert settings_of({"max_seconds": 0.0}).max_seconds == 0.0
