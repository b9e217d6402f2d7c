"""What a batch says it is going to cost, before a hosted model is asked."""

from __future__ import annotations

import nbformat
import pytest

from spa2v_lib.batch import run_batch
from spa2v_lib.batch.estimate import estimate_rows
from spa2v_lib.batch.manifest import read_rows
from spa2v_lib.batch.tasks import SETTINGS_COLUMNS, Template
from spa2v_lib.errors import SettingsError

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
    monkeypatch.setattr("spa2v_lib.batch.estimate.analyze_recording", pytest.fail)
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
    read = read_rows([manifest(rows)], SETTINGS_COLUMNS)
    told = {"label": "dog", "planner": SERVER, "shots": 2}
    found = estimate_rows(read, told, lambda *now: heard.append(now))
    assert found.requests == 2
    assert heard == [("analyze", 0, 2), ("analyze", 1, 2), ("analyze", 2, 2)]
    first = estimate_rows(read[:1], told)
    second = estimate_rows(read[1:], told)
    assert first.input_tokens < second.input_tokens  # which has examples


def test_a_notebook_of_ones_own_may_have_empty_defaults():
    own = Template("own", "", {"RECORDING": "", "OUT": "", "STEPS": 0, "LABEL": "", "SHOTS": 2})
    settings = own.settings({})
    assert (settings.steps, settings.label, settings.shots) == (None, None, 2)
    assert own.settings({"shots": 0, "gain": 3}).shots == 0
    assert own.arguments({"shots": 0}, settings) == {"STEPS": 0, "LABEL": "", "SHOTS": 0}


def test_a_value_that_cannot_be_is_not_taken_for_a_default():
    book = Template("book", "", {"RECORDING": "", "OUT": "", "SETTINGS": {"label": "dog"}})
    with pytest.raises(SettingsError, match="steps is 0"):
        book.settings({"steps": 0})
    settings = book.settings({"seed": "4"})
    assert book.arguments({"seed": "4"}, settings) == {"SETTINGS": {"label": "dog", "seed": 4}}
