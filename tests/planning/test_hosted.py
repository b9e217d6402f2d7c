"""The real client against a server on loopback: what is sent, and how every failure ends."""

from __future__ import annotations

import base64
import io
import json
import sys
import time

import numpy as np
import pytest
import soundfile

from spa2v_lib.errors import PlanningError
from spa2v_lib.planning import plan
from spa2v_lib.planning.answer_cache import AnswerCache
from spa2v_lib.planning.backends.base import PlannerSpec, Prompt, TextPart
from spa2v_lib.planning.backends.hosted import HostedModel
from spa2v_lib.planning.mllm import TRIES, plan_with_model
from spa2v_lib.planning.schema import SCHEMAS

SECRET = "sk-very-secret-0123456789"
pytest.importorskip("pydantic_ai.models.openai")
pytest.importorskip("pydantic_ai.models.google")


@pytest.fixture(autouse=True)
def no_keys(monkeypatch):
    for name in ("OPENAI_API_KEY", "GOOGLE_API_KEY", "GEMINI_API_KEY", "SPA2V_SERVER_KEY"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def model(server):
    """An audio model on the local server, which is tried again without a long wait."""

    def make(name="omni-test", **options):
        spec = PlannerSpec("openai-chat", name, server.url)
        return HostedModel(spec, **{"first_wait_s": 0.01, "tries": 3, **options})

    return make


def planned(recording, cues, model, placement="cues", **options):
    return plan_with_model(recording, cues, model, placement=placement, exemplars="none", **options)


def user_parts(request):
    (user,) = [m for m in request["messages"] if m["role"] == "user"]
    return user["content"]


def test_audio_arrives_as_two_playable_clips_left_first(
    server, model, recording, two_sources, cue_answer
):
    server.replies = [json.dumps(cue_answer)]
    planned(recording, two_sources, model())
    parts = user_parts(server.requests[0])
    sounds = [part["input_audio"] for part in parts if part["type"] == "input_audio"]
    assert [sound["format"] for sound in sounds] == ["wav", "wav"]
    received = []
    for sound in sounds:
        with soundfile.SoundFile(io.BytesIO(base64.b64decode(sound["data"]))) as clip:
            assert (clip.channels, clip.subtype) == (1, "PCM_16")
            assert clip.frames / clip.samplerate == pytest.approx(2.0, abs=0.01)
            samples = clip.read()
        peak = np.argmax(np.abs(np.fft.rfft(samples))) * 0.5
        received.append((peak, np.abs(samples).max()))
    assert [peak for peak, _ in received] == [440, 880]
    assert received[0][1] == pytest.approx(2 * received[1][1], rel=0.05)
    order = [p["text"] if p["type"] == "text" else "sound" for p in parts]
    assert order[-4:] == [
        "The left channel of the recording:",
        "sound",
        "The right channel of the recording:",
        "sound",
    ]


def test_a_model_that_takes_no_audio_is_sent_text_alone(
    server, model, recording, two_sources, cue_answer
):
    server.replies = [json.dumps(cue_answer)]
    planned(recording, two_sources, model("text-only"))
    content = user_parts(server.requests[0])
    assert "input_audio" not in json.dumps(content)


@pytest.mark.parametrize("placement", ["cues", "model"])
def test_a_good_answer_becomes_the_layout(
    server, model, recording, two_sources, cue_answer, box_answer, placement
):
    server.replies = [json.dumps(cue_answer if placement == "cues" else box_answer)]
    layout = planned(recording, two_sources, model(), placement)
    assert [shown.caption for shown in layout.objects][:2] == ["a red bus", "a small dog"]
    assert layout.caption == "a bus drives past a barking dog"
    assert len(server.requests) == 1


def test_the_prompt_is_sent_as_it_is_shown(server, model, recording, two_sources, cue_answer):
    from spa2v_lib.planning.mllm import question

    server.replies = [json.dumps(cue_answer)]
    planned(recording, two_sources, model("text-only"))
    shown = question(recording, two_sources, model("text-only"), exemplars="none").prompt
    system, user = server.requests[0]["messages"]
    assert (system["role"], system["content"]) == ("system", shown.system)
    texts = user["content"]
    texts = texts if isinstance(texts, str) else "\n\n".join(part["text"] for part in texts)
    assert texts == shown.user_text
    wanted = server.requests[0]["response_format"]["json_schema"]
    assert set(wanted["schema"]["properties"]) == set(cue_answer)


def test_a_server_that_takes_no_schema_is_asked_without(
    server, model, recording, two_sources, cue_answer
):
    server.replies = [400, json.dumps(cue_answer)]
    assert planned(recording, two_sources, model()).objects
    assert ["response_format" in request for request in server.requests] == [True, False]


BAD = {
    "not JSON": ("A bus drives past.", "holds no JSON object"),
    "broken JSON": ('{"reasoning": "a', "not JSON"),
    "wrong schema": ('{"plan": []}', "reasoning: Field required"),
    "empty": ("", "empty"),
}


@pytest.mark.parametrize("fault", BAD)
def test_a_bad_answer_is_asked_for_again_with_the_fault_and_then_shown(
    server, model, recording, two_sources, fault
):
    answer, words = BAD[fault]
    server.replies = [answer]
    with pytest.raises(PlanningError, match=words) as error:
        planned(recording, two_sources, model("text-only"))
    assert f"in {TRIES} tries" in str(error.value)
    assert len(server.requests) == TRIES
    if answer:
        assert answer in str(error.value)
    again = json.dumps(server.requests[1]["messages"])
    assert "It cannot be used" in again and json.dumps(answer)[1:-1][:20] in again


def test_a_fault_of_one_frame_is_mended_by_the_second_answer(
    server, model, recording, two_sources, box_answer, altered
):
    lacking = altered(box_answer, box_answer["frames"][1]["boxes"][:1], "frames", 1, "boxes")
    server.replies = [json.dumps(lacking), json.dumps(box_answer)]
    layout = planned(recording, two_sources, model("text-only"), "model")
    assert len(layout.objects) == 2
    assert "missing: source-2" in json.dumps(server.requests[1]["messages"])


def test_boxes_upside_down_are_put_right_without_asking_again(
    server, model, recording, two_sources, box_answer, altered
):
    turned = altered(box_answer, 0.6, "frames", 0, "boxes", 0, "y0")
    turned = altered(turned, 0.3, "frames", 0, "boxes", 0, "y1")
    server.replies = [json.dumps(turned)]
    layout = planned(recording, two_sources, model("text-only"), "model")
    box = layout.objects[0].boxes[0]
    assert (box.y0, box.y1) == (0.3, 0.6)
    assert len(server.requests) == 1


@pytest.mark.parametrize("trouble", [429, 500, 503, "drop"])
def test_passing_trouble_is_waited_out(server, model, recording, two_sources, cue_answer, trouble):
    server.replies = [trouble, json.dumps(cue_answer)]
    assert planned(recording, two_sources, model()).objects
    assert len(server.requests) == 2


@pytest.mark.parametrize(
    ("trouble", "words"),
    [
        (429, "failed 3 times, last with status 429: .*not today"),
        (500, "failed 3 times, last with status 500: .*not today"),
        ("drop", "could not be reached in 3 tries"),
    ],
)
def test_lasting_trouble_is_stated(server, model, recording, two_sources, trouble, words):
    server.replies = [trouble]
    with pytest.raises(PlanningError, match=words):
        planned(recording, two_sources, model())
    assert len(server.requests) == 3


def test_the_waits_grow(server, model, recording, two_sources, monkeypatch):
    waits = []
    monkeypatch.setattr(time, "sleep", waits.append)
    server.replies = [503]
    with pytest.raises(PlanningError):
        planned(recording, two_sources, model(first_wait_s=2.0, tries=4))
    assert waits == [2.0, 4.0, 8.0]


def test_a_refused_key_is_stated_at_once_and_never_shown(
    server, model, recording, two_sources, monkeypatch
):
    monkeypatch.setenv("SPA2V_SERVER_KEY", SECRET)
    server.replies, server.complaint = [401], f"Incorrect API key provided: {SECRET}"
    with pytest.raises(PlanningError, match="refused the key .*SPA2V_SERVER_KEY") as error:
        planned(recording, two_sources, model())
    assert server.keys == [f"Bearer {SECRET}"]
    assert SECRET not in str(error.value)
    assert error.value.__cause__ is None and error.value.__suppress_context__


def test_a_complaint_that_repeats_the_key_is_shown_without_it(
    server, model, recording, two_sources, monkeypatch
):
    monkeypatch.setenv("SPA2V_SERVER_KEY", SECRET)
    server.replies, server.complaint = [500], f"crashed at {SECRET}"
    with pytest.raises(PlanningError, match=r"crashed at \[key\]") as error:
        planned(recording, two_sources, model())
    assert SECRET not in str(error.value)


def test_a_hang_ends_after_the_timeout(server, model, recording, two_sources):
    server.replies = ["hang"]
    begin = time.monotonic()
    with pytest.raises(PlanningError, match=r"did not answer within 0\.5 s"):
        planned(recording, two_sources, model(timeout_s=0.5))
    assert time.monotonic() - begin < 5
    assert len(server.requests) == 1


def test_a_reply_outside_the_protocol_is_stated(server, model, recording, two_sources):
    server.replies = ["noise"]
    with pytest.raises(PlanningError, match="omni-test.* sent no proper answer"):
        planned(recording, two_sources, model())


def test_nobody_there_is_stated(recording, two_sources):
    spec = PlannerSpec("openai-chat", "x", "http://127.0.0.1:9/v1")
    with pytest.raises(PlanningError, match="could not be reached in 1 tries"):
        planned(recording, two_sources, HostedModel(spec, tries=1))


def test_the_key_of_openai_goes_to_no_other_server(
    server, model, recording, two_sources, cue_answer, monkeypatch
):
    monkeypatch.setenv("OPENAI_API_KEY", SECRET)
    server.replies = [json.dumps(cue_answer)]
    planned(recording, two_sources, model())
    assert SECRET not in "".join(server.keys)


@pytest.fixture
def gemini(server, monkeypatch):
    """The Gemini client, turned to the local server."""
    monkeypatch.setenv("GOOGLE_GEMINI_BASE_URL", server.url.removesuffix("/v1"))
    monkeypatch.setenv("GOOGLE_API_KEY", SECRET)
    return HostedModel(PlannerSpec("google", "gemini-3.8-flash"), first_wait_s=0.01, tries=3)


@pytest.mark.parametrize("placement", ["cues", "model"])
def test_gemini_is_sent_both_clips_and_the_schema(
    server, gemini, recording, two_sources, cue_answer, box_answer, placement
):
    answer = cue_answer if placement == "cues" else box_answer
    server.replies = [json.dumps(answer)]
    assert planned(recording, two_sources, gemini, placement).caption == answer["video_caption"]
    (request,) = server.requests
    parts = [part for content in request["contents"] for part in content["parts"]]
    sounds = [part["inlineData"] for part in parts if "inlineData" in part]
    types = [
        sound.get("mimeType") or sound["mime_type"] for sound in sounds
    ]  # either is JSON of it
    assert types == ["audio/wav"] * 2
    for sound in sounds:
        samples, _ = soundfile.read(io.BytesIO(base64.urlsafe_b64decode(sound["data"])))
        assert np.abs(samples).max() > 0.1
    config = request["generationConfig"]
    assert config["temperature"] == 0.5
    schema = config.get("responseJsonSchema") or config["responseSchema"]
    assert set(schema["properties"]) == set(answer)
    assert server.keys == [SECRET]


@pytest.mark.parametrize(
    ("trouble", "requests", "words"),
    [
        (429, 3, "failed 3 times, last with status 429"),
        (500, 3, "failed 3 times, last with status 500"),
        (403, 1, "refused the key .*GOOGLE_API_KEY"),
        (400, 2, "refused the request with status 400"),
        ("drop", 3, "could not be reached in 3 tries"),
    ],
)
def test_trouble_with_gemini_is_stated_without_the_key(
    server, gemini, recording, two_sources, trouble, requests, words
):
    server.replies, server.complaint = [trouble], f"key {SECRET}"
    with pytest.raises(PlanningError, match=words) as error:
        planned(recording, two_sources, gemini)
    assert len(server.requests) == requests and SECRET not in str(error.value)


def test_gemini_refuses_a_key_with_status_400(server, gemini, recording, two_sources):
    server.replies, server.complaint = [400], "API_KEY_INVALID"
    with pytest.raises(PlanningError, match="refused the key .*GOOGLE_API_KEY"):
        planned(recording, two_sources, gemini)
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("provider", "variable"), [("google", "GOOGLE_API_KEY"), ("openai-chat", "OPENAI_API_KEY")]
)
def test_without_a_key_the_variable_is_named(provider, variable):
    hosted = HostedModel(PlannerSpec(provider, "some-model"))
    with pytest.raises(PlanningError, match=f"needs a key .*{variable}"):
        hosted.ask(Prompt("", (TextPart("hello"),)), SCHEMAS["cues"])


def test_without_the_client_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "pydantic_ai.models.openai", None)
    with pytest.raises(PlanningError, match=r"spa2v\[models\] @ git"):
        HostedModel(PlannerSpec("google", "x")).ask(Prompt("", ()), SCHEMAS["cues"])


def test_a_kept_answer_needs_neither_key_nor_server(
    server, model, recording, two_sources, cue_answer, tmp_path, monkeypatch
):
    monkeypatch.setenv("SPA2V_SERVER_KEY", SECRET)
    server.replies = [json.dumps(cue_answer)]
    first = planned(recording, two_sources, model(), cache=AnswerCache(tmp_path))
    server.replies = [500]
    monkeypatch.delenv("SPA2V_SERVER_KEY")
    second = planned(recording, two_sources, model(), cache=AnswerCache(tmp_path))
    assert first == second and len(server.requests) == 1
    assert SECRET not in "".join(path.read_text() for path in tmp_path.iterdir())


def test_the_whole_way_by_the_name_of_the_planner(
    server, recording, two_sources, cue_answer, tmp_path
):
    server.replies = [json.dumps(cue_answer)]
    name = f"openai-chat:some-omni@{server.url}"
    layout = plan(recording, two_sources, name, cache=AnswerCache(tmp_path))
    assert [shown.label for shown in layout.objects] == ["bus", "dog", "car"]
    parts = user_parts(server.requests[0])
    first_lines = [part["text"].split("\n")[0] for part in parts if part["type"] == "text"]
    examples = [line for line in first_lines if line.startswith("Example")]
    assert examples == ["Example 1", "Example 2", "Example 3"]
    assert sum(part["type"] == "input_audio" for part in parts) == 8  # left and right of each


def test_the_acoustic_planner_sends_nothing(server, recording, two_sources, monkeypatch):
    monkeypatch.setattr(
        "spa2v_lib.planning.backends.hosted.HostedModel.ask", lambda *_: pytest.fail()
    )
    assert plan(recording, two_sources).objects
    assert server.requests == []


def test_it_works_where_an_event_loop_already_runs(
    server, model, recording, two_sources, cue_answer
):
    import asyncio

    async def notebook_cell():
        return planned(recording, two_sources, model())

    server.replies = [json.dumps(cue_answer)]
    assert asyncio.run(notebook_cell()).objects
