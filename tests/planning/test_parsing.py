"""Answers as models write them: with noise around and inside, they are read or refused in words."""

from __future__ import annotations

import json
import os
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from spa2v_lib.errors import AnswerError, PlanningError
from spa2v_lib.planning.answer import read_layout
from spa2v_lib.planning.answer_cache import AnswerCache
from spa2v_lib.planning.parsing import LONGEST_ANSWER, one_line, parse, parse_all
from spa2v_lib.planning.schema import BoxAnswer, CueAnswer

BEFORE = (
    "Sure! Here is the plan:\n",
    "```json\n",
    '<think>Each source needs {id, label}. Maybe {"id": "source-1"}.</think>\n',
    'I will fill {"sources": [...]} now.\n</think>\n',
    "<think>Start from {} and fill it.</think>",
    "The answer has the form {...}, a set like {1, 2}:\n",
    "\ufeff",
    "\u200b\n\n",
    '{"reasoning": "a first draft", "sources": []}\nNo, again:\n',
    "[",
    "{{",
)
AFTER = (
    "",
    "\n```",
    "\nI hope that it helps {you}.",
    "</answer>",
    "]",
    '\n{"done": true}',
    "\n\n}",
)


def spoilt(text: str) -> dict[str, str]:
    """Return ways in which models write a good answer badly."""
    return {
        "as it is": text,
        "line breaks in texts": text.replace(" the ", "\nthe "),
        "tabs in texts": text.replace(" the ", "\tthe "),
        "trailing commas": text.replace("]", ",]").replace("}", ",}"),
        "Python": repr(json.loads(text)),
        "comments": text.replace('"background"', '// where\n"background"'),
        "curly quotes": text.replace('"', "\u201c"),
        "encoded twice": json.dumps(text),
        "in a list": f"[{text}]",
        "in a field": json.dumps({"answer": json.loads(text)}),
        "as text in a field": json.dumps({"answer": text}),
        "more fields": text.replace('"background"', '"confidence": [0.9, {}], "background"'),
    }


@pytest.mark.parametrize("noise", spoilt("{}"))
@pytest.mark.parametrize("placement", ["cues", "model"])
def test_an_answer_is_read_however_it_is_written(cue_answer, box_answer, canvas, placement, noise):
    good = json.dumps(cue_answer if placement == "cues" else box_answer, indent=1)
    plain = read_layout(good, placement, canvas)
    assert read_layout(spoilt(good)[noise], placement, canvas) == plain


@pytest.mark.parametrize("before", BEFORE)
@pytest.mark.parametrize("after", AFTER)
def test_an_answer_is_found_wherever_it_stands(cue_answer, before, after):
    assert parse(before + json.dumps(cue_answer) + after, CueAnswer) == CueAnswer(**cue_answer)


def test_of_several_that_fit_the_last_is_taken_that_gives_a_layout(cue_answer, canvas, altered):
    draft = altered(cue_answer, "a draft", "video_caption")
    lacking = altered(cue_answer, [], "sources")
    texts = [json.dumps(answer) for answer in (draft, cue_answer, lacking)]
    assert [a.video_caption for a in parse_all("\n".join(texts[:2]), CueAnswer)] == [
        cue_answer["video_caption"],
        "a draft",
    ]
    assert read_layout("\n".join(texts), "cues", canvas).caption == cue_answer["video_caption"]
    with pytest.raises(AnswerError, match="missing: source-1, source-2"):
        read_layout(texts[2], "cues", canvas)


@pytest.mark.parametrize("corners", [None, "absent", "some", -1])
@pytest.mark.parametrize("visible", [False, "false"])
def test_an_invisible_box_needs_no_corners(box_answer, canvas, corners, visible):
    box = box_answer["frames"][0]["boxes"][0]
    box["visible"] = visible
    for name in ("x0", "y0", "x1", "y1"):
        if corners == "absent":
            del box[name]
        elif corners != "some" or name in ("x0", "y1"):
            box[name] = None if corners == "some" else corners
    boxes = read_layout(json.dumps(box_answer), "model", canvas).objects[0].boxes
    assert boxes[0] is None and all(boxes[1:])


def test_a_visible_box_needs_its_corners(box_answer, canvas, altered):
    text = json.dumps(altered(box_answer, None, "frames", 0, "boxes", 0, "y1"))
    with pytest.raises(AnswerError, match=r"frames\.0\.boxes\.0\.y1"):
        read_layout(text, "model", canvas)


def test_whether_a_box_is_seen_is_clear_from_its_corners(box_answer, canvas):
    for box in box_answer["frames"][0]["boxes"]:
        del box["visible"]
    for name in ("x0", "y0", "x1", "y1"):
        box_answer["frames"][0]["boxes"][0][name] = None
    bus, dog = read_layout(json.dumps(box_answer), "model", canvas).objects
    assert bus.boxes[0] is None and dog.boxes[0] is not None


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ('"bus"', '"Bus"'),
        ('"bus"', '" BUS."'),
        ('"bus"', '"the bus"'),
        ('"dog"', '"a Dog"'),
        ('"source-1"', '"Source-1"'),
        ('"source-1"', '"source_1 "'),
        ('"right"', '"Right"'),
        ('"street"', '"A City Street."'),
        ('"street"', '"Street"'),
    ],
)
def test_spelling_does_not_matter(cue_answer, canvas, wrong, right):
    text = json.dumps(cue_answer)
    assert wrong in text
    plain = read_layout(text, "cues", canvas)
    assert read_layout(text.replace(wrong, right), "cues", canvas) == plain


@pytest.mark.parametrize("side", ["center", "Middle", "CENTRE"])
def test_the_middle_has_several_names(cue_answer, canvas, altered, side):
    text = json.dumps(altered(cue_answer, side, "scenery", 0, "side"))
    x, _ = read_layout(text, "cues", canvas).objects[-1].boxes[0].center
    assert x == pytest.approx(0.5)


@pytest.mark.parametrize("spelling", ["Bus", "BUS", "a bus"])
def test_a_label_may_change_its_spelling_from_frame_to_frame(box_answer, canvas, altered, spelling):
    text = json.dumps(altered(box_answer, spelling, "frames", 1, "boxes", 0, "label"))
    assert read_layout(text, "model", canvas).objects[0].label == "bus"


@pytest.mark.parametrize("nothing", [None, "absent"])
def test_no_scenery_is_no_scenery(cue_answer, canvas, nothing):
    cue_answer.pop("scenery")
    if nothing is None:
        cue_answer["scenery"] = None
    assert len(read_layout(json.dumps(cue_answer), "cues", canvas).objects) == 2


@pytest.mark.parametrize("share", [0.3, 0.6, 0.9, 0.99])
@pytest.mark.parametrize("placement", ["cues", "model"])
def test_what_was_cut_off_is_not_made_up(cue_answer, box_answer, canvas, placement, share):
    text = json.dumps(cue_answer if placement == "cues" else box_answer)
    cut = text[: int(share * len(text))]
    with pytest.raises(
        AnswerError, match=f"not JSON: it breaks off after {len(cut.rstrip())} char"
    ):
        read_layout(cut, placement, canvas)


HARD = {
    "brackets": "[" * 100_000,
    "brackets in an object": '{"reasoning": ' + "[" * 90_000,
    "objects in objects": '{"a":' * 30_000,
    "answers in answers": '{"reasoning":' * 12_000,
    "answers in answers, closed": '{"reasoning":' * 900 + "1" + "}" * 900,
    "a number of many digits": '{"reasoning": ' + "9" * 5_000 + "}",
    "a lone surrogate": '{"reasoning": "\\ud800"}',
    "a lone surrogate as it is": '{"reasoning": "\ud800"}',
    "braces": "{}" * 50_000,
    "quotes": '{"' * 60_000,
    "nothing but escapes": '{"' + "\\" * 100_000,
    "too long": "{" + " " * LONGEST_ANSWER,
}


@pytest.mark.parametrize("name", HARD)
def test_hard_text_is_refused_soon_and_in_words_that_can_be_printed(name, canvas):
    begin = time.monotonic()
    with pytest.raises(AnswerError) as error:
        read_layout(HARD[name], "cues", canvas)
    assert time.monotonic() - begin < 10
    assert one_line(str(error.value), 500).isprintable()


@pytest.mark.parametrize("text", [HARD["brackets"], HARD["brackets in an object"]])
def test_hard_text_as_answer_and_as_cached_answer(
    recording, two_sources, script, tmp_path, cue_answer, text
):
    from spa2v_lib.planning.mllm import plan_with_model

    model, cache = script(text, cue_answer), AnswerCache(tmp_path)
    asked = {"exemplars": "none", "cache": cache}
    assert plan_with_model(recording, two_sources, model, **asked).objects
    (path,) = tmp_path.iterdir()
    path.write_text(json.dumps({**json.loads(path.read_text()), "answer": text}))
    assert plan_with_model(recording, two_sources, script(cue_answer), **asked).objects
    path.write_text(text)
    with pytest.raises(PlanningError, match="the cached answer .* delete it"):
        plan_with_model(recording, two_sources, script(cue_answer), **asked)


@pytest.mark.parametrize("sort", ["pipe", "folder", "huge"])
def test_a_cached_answer_that_is_no_plain_file_of_its_size_is_refused(tmp_path, sort):
    path = tmp_path / "k.json"
    if sort == "pipe":
        os.mkfifo(path)
    elif sort == "folder":
        path.mkdir()
    else:
        with path.open("wb") as file:
            file.truncate(10_000_000_000)
    with pytest.raises(PlanningError, match=r"k\.json cannot be read .*delete it"):
        AnswerCache(tmp_path).get("k")


@settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_noise_never_ends_in_a_traceback(cue_answer, box_answer, canvas, data):
    """Good answers with noise of these types, cut, doubled or with letters changed."""
    placement = data.draw(st.sampled_from(["cues", "model"]))
    good = json.dumps(cue_answer if placement == "cues" else box_answer, indent=1)
    text = data.draw(st.sampled_from(sorted(spoilt(good).values())))
    text = data.draw(st.sampled_from(BEFORE)) + text + data.draw(st.sampled_from(AFTER))
    for _ in range(data.draw(st.integers(0, 3))):
        place = data.draw(st.integers(0, len(text)))
        span = data.draw(st.integers(0, 30))
        letters = st.sampled_from(
            ["", "{", "}", "[", '"', "\\", ",", "null", "\ud800", "\0", "1e999"]
        )
        change = data.draw(letters | st.text(max_size=8))
        text = text[:place] + change + text[place + span :]
    text = text[: data.draw(st.integers(0, len(text)))] if data.draw(st.booleans()) else text
    try:
        layout = read_layout(text, placement, canvas)
    except AnswerError as error:
        assert str(error)
    else:
        assert {"source-1", "source-2"} <= {shown.id for shown in layout.objects}


@pytest.mark.parametrize("schema", [CueAnswer, BoxAnswer])
@given(text=st.text(alphabet='{}[]",:\\ntrue0reasoning ', max_size=80))
@settings(max_examples=100, deadline=None)
def test_any_text_is_no_traceback(schema, text):
    with pytest.raises(AnswerError):
        parse(text, schema)
