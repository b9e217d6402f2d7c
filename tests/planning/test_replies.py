"""What servers send when they send no answer: each ends in one error, at once, in their words."""

from __future__ import annotations

import gzip
import json
import logging

import pytest

from spa2v_lib.errors import AnswerError, PlanningError
from spa2v_lib.planning.answer_cache import AnswerCache
from spa2v_lib.planning.backends.base import PlannerSpec
from spa2v_lib.planning.backends.hosted import MOST_BYTES, HostedModel
from spa2v_lib.planning.mllm import TRIES, plan_with_model

SECRET = "sk-very-secret-0123456789"
pytest.importorskip("pydantic_ai.models.openai")
pytest.importorskip("pydantic_ai.models.google")


@pytest.fixture(autouse=True)
def keys(monkeypatch):
    for name in ("OPENAI_API_KEY", "GEMINI_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SPA2V_SERVER_KEY", SECRET)
    monkeypatch.setenv("GOOGLE_API_KEY", SECRET)


@pytest.fixture
def model(server):
    return HostedModel(PlannerSpec("openai-chat", "m", server.url), first_wait_s=0.01, timeout_s=20)


@pytest.fixture
def gemini(server, monkeypatch):
    monkeypatch.setenv("GOOGLE_GEMINI_BASE_URL", server.url.removesuffix("/v1"))
    return HostedModel(PlannerSpec("google", "gemini-3.8-flash"), first_wait_s=0.01)


def refused(server, model, recording, cues, reply, **options) -> str:
    """Plan, and return the error's text; the server was asked once."""
    server.replies = [reply]
    with pytest.raises(PlanningError) as error:
        plan_with_model(recording, cues, model, exemplars="none", **options)
    assert not isinstance(error.value, AnswerError)
    assert len(server.requests) == 1
    return str(error.value)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"choices": []}, '"choices": []'),
        ({"choices": [], "error": {"message": "blocked by policy"}}, "blocked by policy"),
        ({"choices": None}, '"choices": null'),
        ({"choices": [{"index": 0}]}, '"choices": [{"index": 0}]'),
    ],
)
def test_a_reply_without_a_choice_is_quoted(
    server, model, recording, two_sources, completion, changes, words
):
    reply = changes | {k: v for k, v in completion("").items() if k not in changes}
    assert words in refused(server, model, recording, two_sources, reply)


@pytest.mark.parametrize(
    ("finish", "said", "words"),
    [
        ("stop", {"refusal": "I cannot help with that."}, "I cannot help with that."),
        ("content_filter", {}, "(content_filter): it gave no words"),
        ("content_filter", {"content": "The bus is"}, "The bus is"),
        ("content_filter", {"refusal": "Nothing\nviolent."}, "Nothing violent."),
    ],
)
def test_refusals_and_filters_are_said_at_once(
    server, model, recording, two_sources, completion, finish, said, words
):
    reply = completion(None, finish, **said)
    text = refused(server, model, recording, two_sources, reply)
    assert words in text and "refused to answer, or a content filter stopped it" in text


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        ({"promptFeedback": {"blockReason": "SAFETY"}}, "SAFETY"),
        (
            {"promptFeedback": {"blockReason": "OTHER", "blockReasonMessage": "no buses"}},
            "no buses",
        ),
        ({"candidates": [{"finishReason": "PROHIBITED_CONTENT", "index": 0}]}, "PROHIBITED"),
    ],
)
def test_geminis_filters_are_said_at_once(server, gemini, recording, two_sources, reply, words):
    text = refused(server, gemini, recording, two_sources, reply)
    assert words in text and "content filter" in text


@pytest.mark.parametrize("written", ['{"reasoning": "The bus goes to the', "", "I think that"])
def test_an_answer_cut_by_its_token_limit_is_quoted(
    server, model, recording, two_sources, completion, written
):
    text = refused(server, model, recording, two_sources, completion(written, "length"))
    assert "reached its token limit" in text and (written or "nothing") in text


def test_a_whole_answer_that_ends_at_the_token_limit_is_used(
    server, model, recording, two_sources, completion, cue_answer
):
    server.replies = [completion(json.dumps(cue_answer), "length")]
    assert plan_with_model(recording, two_sources, model, exemplars="none").objects


@pytest.mark.parametrize(
    "page",
    [
        b"<!doctype html><title>Sign in to continue</title>",
        b"<html>\x1b[31m Sign in to continue \x00</html>",
        b"Sign in to continue" * 1000,
    ],
)
def test_a_web_page_instead_of_a_reply_is_quoted(server, model, recording, two_sources, page):
    text = refused(server, model, recording, two_sources, page)
    assert "sent no proper answer" in text and "Sign in to continue" in text
    assert text.isprintable() and len(text) < 500


def test_a_reply_that_never_ends_is_cut_off_at_a_few_megabytes(
    server, model, recording, two_sources
):
    text = refused(server, model, recording, two_sources, "endless")
    assert f"sent more than {MOST_BYTES / 1e6:g} MB" in text
    assert server.sent < 4 * MOST_BYTES


def test_few_bytes_do_not_unfold_into_many(server, model, recording, two_sources):
    server.headers = {"content-encoding": "gzip"}
    text = refused(server, model, recording, two_sources, gzip.compress(b" " * 50_000_000))
    assert "compressed" in text


def test_a_huge_answer_is_not_sent_back(server, model, recording, two_sources):
    server.replies = ['{"reasoning": "' + "the bus " * 300_000]
    with pytest.raises(AnswerError, match="the answer has 2400015 characters") as error:
        plan_with_model(recording, two_sources, model, exemplars="none")
    assert len(server.requests) == TRIES and len(str(error.value)) < 1500
    sizes = [len(json.dumps(request)) for request in server.requests]
    assert sizes[-1] < sizes[0] + 15_000


@pytest.mark.parametrize("where", ["reasoning", "caption", "prose"])
def test_a_key_that_a_server_sends_back_is_nowhere(
    server, model, recording, two_sources, cue_answer, tmp_path, caplog, capfd, where
):
    if where == "reasoning":
        cue_answer["reasoning"] = f"You sent Authorization: Bearer {SECRET}."
    if where == "caption":
        cue_answer["sources"][0]["caption"] = f"a bus called {SECRET}"
    text = json.dumps(cue_answer)
    server.replies = [f"You sent {SECRET}. {text}" if where == "prose" else text]
    cache = AnswerCache(tmp_path)
    with caplog.at_level(logging.DEBUG):
        layout = plan_with_model(recording, two_sources, model, exemplars="none", cache=cache)
    assert server.keys == [f"Bearer {SECRET}"]
    kept = "".join(path.read_text() for path in tmp_path.iterdir())
    printed = "".join(capfd.readouterr()) + caplog.text
    assert SECRET not in layout.to_json() + kept + printed and "[key]" in kept


@pytest.mark.parametrize("reply", [f"You sent {SECRET}", f"<html>{SECRET}</html>".encode(), 500])
def test_a_key_that_a_server_sends_back_is_in_no_error(
    server, model, recording, two_sources, reply
):
    server.replies, server.complaint = [reply], f"Bearer {SECRET}"
    with pytest.raises(PlanningError, match=r"\[key\]") as error:
        plan_with_model(recording, two_sources, model, exemplars="none")
    assert SECRET not in str(error.value)
    assert all(SECRET not in json.dumps(request) for request in server.requests)


def test_a_placeholder_for_a_key_does_not_change_the_answer(
    server, model, recording, two_sources, cue_answer, monkeypatch
):
    monkeypatch.setenv("SPA2V_SERVER_KEY", "bus")
    server.replies = [json.dumps(cue_answer)]
    layout = plan_with_model(recording, two_sources, model, exemplars="none")
    assert layout.objects[0].caption == "a red bus"


@pytest.mark.parametrize("key", ["sk-\u00e9t\u00e9-0123456789", "sk-one\nX-Other: two"])
def test_what_cannot_be_a_key_is_not_sent_and_not_shown(model, server, monkeypatch, key):
    monkeypatch.setenv("SPA2V_SERVER_KEY", key)
    with pytest.raises(PlanningError, match="SPA2V_SERVER_KEY holds is no key") as error:
        model.check()
    assert key not in str(error.value) and server.requests == []


def test_an_answer_in_the_reasoning_of_a_model_is_read(
    server, model, recording, two_sources, completion, cue_answer
):
    server.replies = [completion("", reasoning_content=json.dumps(cue_answer))]
    assert plan_with_model(recording, two_sources, model, exemplars="none").objects


@pytest.mark.parametrize("seconds", ["-5", "1e300", "soon"])
def test_no_wait_is_longer_than_a_minute_or_shorter_than_nothing(
    server, model, recording, two_sources, cue_answer, monkeypatch, seconds
):
    waits = []
    monkeypatch.setattr("time.sleep", waits.append)
    server.replies, server.headers = [503, json.dumps(cue_answer)], {"retry-after": seconds}
    assert plan_with_model(recording, two_sources, model, exemplars="none").objects
    assert len(waits) == 1 and 0 < waits[0] <= 60


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_no_server_sends_the_prompt_or_the_key_elsewhere(
    server, model, recording, two_sources, completion, status
):
    server.headers = {"location": f"{server.url}/elsewhere"}
    text = refused(server, model, recording, two_sources, status)
    assert f"status {status}" in text
