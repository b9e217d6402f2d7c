"""Tokens and prices before anything is sent."""

from __future__ import annotations

import sys

import pytest

from spa2v_lib.planning.answer_cache import AnswerCache, content_key
from spa2v_lib.planning.backends import make_backend
from spa2v_lib.planning.backends.base import AudioPart, Prompt, TextPart, parse_planner
from spa2v_lib.planning.cost import Estimate, estimate, estimate_plan, total
from spa2v_lib.planning.mllm import question
from spa2v_lib.planning.schema import SCHEMAS

TEXT = Prompt("x" * 400, (TextPart("y" * 400),))
WITH_SOUND = Prompt(TEXT.system, (*TEXT.parts, AudioPart("left", b"", 10.0)))


def test_sound_costs_tokens_by_its_length():
    google = parse_planner("google:gemini-3.8-flash")
    silent, sounding = (estimate(prompt, google) for prompt in (TEXT, WITH_SOUND))
    assert silent.input_tokens == pytest.approx(200, abs=5)
    assert sounding.input_tokens - silent.input_tokens == pytest.approx(320, abs=10)


def test_a_known_model_has_a_price_that_grows_with_the_prompt():
    pytest.importorskip("genai_prices")
    google = parse_planner("google:gemini-3.8-flash")
    silent, sounding = (estimate(prompt, google) for prompt in (TEXT, WITH_SOUND))
    assert 0 < silent.dollars < sounding.dollars < 0.1


@pytest.mark.parametrize(
    "name", ["google:no-such-model", "openai-chat:gpt-audio@http://127.0.0.1:1/v1", "smollm"]
)
def test_what_has_no_known_price_says_so(name):
    found = estimate(TEXT, parse_planner(name))
    assert found.dollars is None and "price not known" in str(found)


def test_without_the_client_there_is_no_price(monkeypatch):
    monkeypatch.setitem(sys.modules, "genai_prices", None)
    assert estimate(TEXT, parse_planner("google:gemini-3.8-flash")).dollars is None


def test_what_is_answered_already_costs_nothing(recording, two_sources, cue_answer, tmp_path):
    planner, cache = "openai-chat:some-audio@http://127.0.0.1:9/v1", AnswerCache(tmp_path)
    other = two_sources.model_copy(update={"recording": "other.wav"})

    def each():
        cues = two_sources, other
        return [estimate_plan(recording, one, planner, cache=cache) for one in cues]

    first, second = each()
    both = total([first, second])
    assert (both.requests, both.cached, first.requests) == (2, 0, 1)
    assert first.input_tokens < both.input_tokens < 2.1 * first.input_tokens
    backend = make_backend(parse_planner(planner))
    prompt = question(recording, two_sources, backend).prompt
    cache.put(content_key(backend, prompt, SCHEMAS["cues"]), backend, "{}")
    left = total(each())
    assert (left.requests, left.cached) == (1, 1)
    assert left.input_tokens == both.input_tokens - first.input_tokens
    assert "1 request," in str(left) and "1 more answered already" in str(left)


def test_one_unknown_price_leaves_the_sum_unknown():
    known, unknown = Estimate(10, 5, 0.25), Estimate(10, 5, None)
    assert total([known, known]) == Estimate(20, 10, 0.5, requests=2)
    assert total([known, unknown]).dollars is None
    assert total([]).requests == 0
