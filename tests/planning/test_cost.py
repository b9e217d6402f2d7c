"""Tokens and prices before anything is sent."""

from __future__ import annotations

import sys

import pytest

from spa2v_lib.planning.backend import AudioPart, Prompt, TextPart
from spa2v_lib.planning.cost import estimate
from spa2v_lib.planning.spec import parse_planner

TEXT = Prompt("x" * 400, (TextPart("y" * 400),))
HEARD = Prompt(TEXT.system, (*TEXT.parts, AudioPart("left", b"", 10.0)))


def test_sound_costs_tokens_by_its_length():
    google = parse_planner("google:gemini-2.5-flash")
    silent, heard = (estimate(prompt, google) for prompt in (TEXT, HEARD))
    assert silent.input_tokens == pytest.approx(200, abs=5)
    assert heard.input_tokens - silent.input_tokens == pytest.approx(320, abs=10)


def test_a_known_model_has_a_price_that_grows_with_the_prompt():
    pytest.importorskip("genai_prices")
    google = parse_planner("google:gemini-2.5-flash")
    silent, heard = (estimate(prompt, google) for prompt in (TEXT, HEARD))
    assert 0 < silent.dollars < heard.dollars < 0.1


@pytest.mark.parametrize(
    "name", ["google:no-such-model", "openai-chat:gpt-audio@http://127.0.0.1:1/v1", "smollm"]
)
def test_what_has_no_known_price_says_so(name):
    found = estimate(TEXT, parse_planner(name))
    assert found.dollars is None and "price not known" in str(found)


def test_without_the_client_there_is_no_price(monkeypatch):
    monkeypatch.setitem(sys.modules, "genai_prices", None)
    assert estimate(TEXT, parse_planner("google:gemini-2.5-flash")).dollars is None
