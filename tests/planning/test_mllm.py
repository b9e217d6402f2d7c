"""Asking a model: again with the fault, at most three times; kept once it can be used."""

from __future__ import annotations

import json

import pytest

from spa2v_lib.errors import PlanningError
from spa2v_lib.planning import plan, prompt_for
from spa2v_lib.planning.answer_cache import AnswerCache
from spa2v_lib.planning.mllm import TRIES, plan_with_model


def planned(recording, cues, model, **options):
    return plan_with_model(recording, cues, model, **{"exemplars": "none", **options})


def test_the_first_answer_that_can_be_used_is_used(recording, two_sources, cue_answer, script):
    model = script("rubbish", cue_answer)
    layout = planned(recording, two_sources, model)
    assert layout.reasoning == cue_answer["reasoning"]
    assert len(model.asked) == 2
    assert "rubbish" in model.asked[1].text and "holds no JSON object" in model.asked[1].text


def test_only_the_last_answer_and_fault_are_sent_back(recording, two_sources, cue_answer, script):
    model = script("first rubbish", "second rubbish", cue_answer)
    planned(recording, two_sources, model)
    assert "second rubbish" in model.asked[2].text
    assert "first rubbish" not in model.asked[2].text


def test_after_the_last_try_the_answer_is_shown_on_one_line(recording, two_sources, script):
    model = script(*["some\nrubbish " + "x" * 1000] * (TRIES + 1))
    with pytest.raises(PlanningError, match="script gave no plan .* 3 tries") as error:
        planned(recording, two_sources, model)
    message = str(error.value)
    assert "it wrote: some rubbish" in message
    assert "\n" not in message and len(message) < 700
    assert len(model.asked) == TRIES


@pytest.mark.parametrize("placement", ["cues", "model"])
def test_both_placements_give_a_layout_of_the_recordings_length(
    recording, two_sources, cue_answer, box_answer, script, placement
):
    model = script(cue_answer if placement == "cues" else box_answer)
    layout = planned(recording, two_sources, model, placement=placement, fps=8.0)
    assert layout.duration_s == 2.0 and layout.fps == 8.0
    assert layout.key_times_s[0] == 0.0 and layout.key_times_s[-1] == 1.875


def test_of_a_long_recording_few_frames_are_asked_for(recording, two_sources, cue_answer, script):
    model = script({**cue_answer, "frame_captions": [f"frame {k}" for k in range(8)]})
    layout = planned(recording, two_sources, model, key_rate_hz=8.0)
    assert len(layout.key_times_s) == 16
    assert layout.frame_captions[0] == "frame 0" and layout.frame_captions[-1] == "frame 7"
    assert sorted(layout.frame_captions) == layout.frame_captions


def test_an_unknown_placement_or_choice_is_refused_before_asking(recording, two_sources, script):
    model = script()
    with pytest.raises(PlanningError, match="no placement 'mine'; one of: cues, model"):
        planned(recording, two_sources, model, placement="mine")
    with pytest.raises(PlanningError, match="no choice of exemplars 'mine'"):
        planned(recording, two_sources, model, exemplars="mine")
    assert model.asked == []


def test_a_run_again_asks_nothing(recording, two_sources, cue_answer, script, tmp_path):
    first = planned(
        recording, two_sources, script("rubbish", cue_answer), cache=AnswerCache(tmp_path)
    )
    silent = script()
    assert planned(recording, two_sources, silent, cache=AnswerCache(tmp_path)) == first
    assert silent.asked == []


def test_bad_answers_are_not_kept(recording, two_sources, script, tmp_path):
    with pytest.raises(PlanningError):
        planned(recording, two_sources, script(*["rubbish"] * TRIES), cache=AnswerCache(tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_a_changed_parameter_asks_again(recording, two_sources, cue_answer, script, tmp_path):
    planned(recording, two_sources, script(cue_answer), cache=AnswerCache(tmp_path))
    other = script(cue_answer)
    planned(recording, two_sources, other, cache=AnswerCache(tmp_path), placement="cues", shots=0)
    assert other.asked == []  # no exemplars either way: the prompt is the same
    planned(recording, two_sources, other, cache=AnswerCache(tmp_path), exemplars="fixed")
    assert len(other.asked) == 1


def test_a_kept_answer_that_cannot_be_used_any_more_is_asked_for_again(
    recording, two_sources, cue_answer, script, tmp_path
):
    planned(recording, two_sources, script(cue_answer), cache=AnswerCache(tmp_path))
    (path,) = tmp_path.iterdir()
    fields = json.loads(path.read_text())
    path.write_text(json.dumps({**fields, "answer": "rubbish"}))
    model = script(cue_answer)
    planned(recording, two_sources, model, cache=AnswerCache(tmp_path))
    assert len(model.asked) == 1 and json.loads(path.read_text())["answer"] != "rubbish"


def test_the_prompt_can_be_read_without_a_key(recording, two_sources, monkeypatch):
    monkeypatch.delenv("GOOGLE_API_KEY", raising=False)
    text = prompt_for(recording, two_sources, "google:gemini-3.8-flash", shots=1).text
    assert "Example 1" in text and "[sound: right channel of the recording, 2.0 s]" in text
    with pytest.raises(PlanningError, match="it has no prompt"):
        prompt_for(recording, two_sources, "acoustic")


def test_an_unknown_planner_is_refused(recording, two_sources):
    with pytest.raises(PlanningError, match="no planner 'gemini'"):
        plan(recording, two_sources, "gemini")
