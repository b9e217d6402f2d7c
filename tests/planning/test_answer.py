"""What a model wrote: what is repaired, what is refused, and the words it is refused with."""

from __future__ import annotations

import json

import pytest

from spa2v_lib.errors import AnswerError, PlanningError
from spa2v_lib.planning import plan_acoustic
from spa2v_lib.planning.answer import BoxAnswer, CueAnswer, from_boxes, from_cues, parse


def cues_layout(answer, canvas):
    return from_cues(parse(json.dumps(answer), CueAnswer), canvas)


def boxes_layout(answer, canvas):
    return from_boxes(parse(json.dumps(answer), BoxAnswer), canvas)


@pytest.mark.parametrize("before", ["", "```json\n", "Here is the plan:\n"])
@pytest.mark.parametrize("after", ["", "\n```", "\nI hope that it helps."])
def test_words_and_fences_around_the_answer_are_forgiven(cue_answer, before, after):
    text = before + json.dumps(cue_answer) + after
    assert parse(text, CueAnswer).video_caption == cue_answer["video_caption"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "it is empty"),
        ("no", "it begins 'no'"),
        ("{", "not JSON"),
        ("{" * 100_000, "not JSON"),
        ("{}", "reasoning: Field required"),
        ('{"reasoning": 3}', "reasoning: Input should be a valid string"),
    ],
)
def test_what_is_no_answer_is_named(text, words):
    with pytest.raises(AnswerError, match=words):
        parse(text, CueAnswer)


def test_numbers_that_are_none_are_refused(box_answer, altered):
    text = json.dumps(altered(box_answer, float("nan"), "frames", 0, "boxes", 0, "x0"))
    with pytest.raises(AnswerError, match=r"frames\.0\.boxes\.0\.x0"):
        parse(text, BoxAnswer)


@pytest.mark.parametrize("schema", [CueAnswer, BoxAnswer])
def test_reasoning_comes_first_and_no_number_is_bounded(schema):
    text = json.dumps(schema.model_json_schema())
    assert next(iter(schema.model_json_schema()["properties"])) == "reasoning"
    words = ("minimum", "maximum", "minItems", "maxItems", "minLength", "anyOf")
    assert not [word for word in words if word in text]


def test_sources_stand_where_the_acoustic_planner_puts_them(cue_answer, canvas):
    layout = cues_layout(cue_answer, canvas)
    acoustic = plan_acoustic(canvas.cues)
    for ours, theirs in zip(layout.objects, acoustic.objects, strict=False):
        assert ours.boxes == theirs.boxes
    assert layout.key_times_s == acoustic.key_times_s
    assert [shown.caption for shown in layout.objects] == [
        "a red bus",
        "a small dog",
        "a parked car",
    ]
    assert layout.frame_captions == cue_answer["frame_captions"]


@pytest.mark.parametrize("side", ["left", "centre", "right"])
def test_scenery_stands_at_its_side_all_the_time(cue_answer, canvas, altered, side):
    layout = cues_layout(altered(cue_answer, side, "scenery", 0, "side"), canvas)
    (x, y), *others = {box.center for box in layout.objects[-1].boxes}
    assert not others
    assert {"left": x < 1 / 3, "centre": 1 / 3 < x < 2 / 3, "right": x > 2 / 3}[side]
    assert y > canvas.camera.horizon_y()


def test_the_word_of_the_user_outranks_the_model(cue_answer, canvas, altered):
    sources = [
        s.model_copy(update={"label_source": "user", "label_confidence": 1.0})
        for s in canvas.cues.sources
    ]
    named = canvas.cues.model_copy(update={"sources": sources})
    certain = type(canvas)(named, canvas.camera, 8.0, canvas.key_times_s, canvas.asked_times_s)
    wrong = altered(cue_answer, "train", "sources", 0, "label")
    assert cues_layout(wrong, certain).objects[0].label == "bus"
    assert cues_layout(wrong, canvas).objects[0].label == "train"


@pytest.mark.parametrize(
    ("value", "path", "words"),
    [
        ([], ("sources",), "missing: source-1, source-2"),
        ("source-9", ("sources", 1, "id"), "missing: source-2"),
        ("<b>ship</b>", ("sources", 0, "label"), "source-1: class '<b>ship</b>' is not known"),
        ("<b>ship</b>", ("scenery", 0, "label"), "scenery 1: class '<b>ship</b>'"),
        ("  ", ("sources", 0, "caption"), "caption of source-1 is empty"),
        ("", ("video_caption",), "video_caption is empty"),
        ("", ("reasoning",), "reasoning is empty"),
        ("Mars", ("background",), "background: 'Mars' is not known; one of: street"),
        (["one"], ("frame_captions",), "1 frame captions; one for each of the 5 times"),
        (["a"] * 4 + [" "], ("frame_captions",), "frame caption 5 is empty"),
    ],
)
def test_faults_of_a_cue_answer_are_named(cue_answer, canvas, altered, value, path, words):
    with pytest.raises(AnswerError, match=words):
        cues_layout(altered(cue_answer, value, *path), canvas)


def test_too_much_scenery_and_sources_named_twice_are_refused(cue_answer, canvas, altered):
    with pytest.raises(AnswerError, match="4 silent objects; at most 3"):
        cues_layout(altered(cue_answer, cue_answer["scenery"] * 4, "scenery"), canvas)
    with pytest.raises(AnswerError, match="there more than once: source-1"):
        twice = [*cue_answer["sources"], cue_answer["sources"][0]]
        cues_layout(altered(cue_answer, twice, "sources"), canvas)


def test_boxes_are_taken_as_they_are_written(box_answer, canvas):
    layout = boxes_layout(box_answer, canvas)
    assert [shown.id for shown in layout.objects] == ["source-1", "source-2"]
    assert [box.x0 for box in layout.objects[0].boxes] == pytest.approx(
        [0.05, 0.2, 0.35, 0.5, 0.65]
    )
    assert layout.background == "street"
    assert layout.key_times_s == list(canvas.asked_times_s)


def test_corners_are_put_in_order_and_a_little_overshoot_is_cut(box_answer, canvas, altered):
    turned = altered(box_answer, 0.7, "frames", 0, "boxes", 0, "x0")
    over = altered(turned, 1.015, "frames", 1, "boxes", 0, "x1")
    bus = boxes_layout(over, canvas).objects[0]
    assert (bus.boxes[0].x0, bus.boxes[0].x1) == (0.25, 0.7)
    assert bus.boxes[1].x1 == 1.0


def test_an_object_out_of_the_picture_has_no_box(box_answer, canvas, altered):
    hidden = altered(box_answer, False, "frames", 2, "boxes", 0, "visible")
    boxes = boxes_layout(hidden, canvas).objects[0].boxes
    assert [box is None for box in boxes] == [False, False, True, False, False]


def test_a_word_beyond_the_known_classes_is_kept_where_the_model_places(
    box_answer, canvas, altered
):
    text = json.dumps(box_answer).replace('"label": "dog"', '"label": "violin"')
    layout = from_boxes(parse(text, BoxAnswer), canvas)
    assert layout.objects[1].label == "violin"


@pytest.mark.parametrize(
    ("value", "path", "words"),
    [
        (1.2, ("frames", 0, "boxes", 0, "x1"), "frame at 0 s, source-1: x1 is 1.2"),
        (512, ("frames", 0, "boxes", 0, "y1"), "y1 is 512; it must lie between 0 and 1"),
        (0.05, ("frames", 0, "boxes", 0, "x1"), "the box has no extent"),
        ("car", ("frames", 1, "boxes", 0, "label"), "source-1 is 'car', elsewhere 'bus'"),
        ([], ("frames", 1, "boxes"), "missing: source-1, source-2"),
        ([], ("frames",), "0 frames; one for each of the 5 times"),
        (1.9, ("frames", 0, "time_s"), "a frame is at 1.9 s where 0.00 s was asked for"),
        ("", ("frames", 3, "caption"), "frame caption 4 is empty"),
    ],
)
def test_faults_of_a_box_answer_are_named(box_answer, canvas, altered, value, path, words):
    with pytest.raises(AnswerError, match=words):
        boxes_layout(altered(box_answer, value, *path), canvas)


def test_a_measured_source_without_any_box_is_missed(box_answer, canvas):
    text = json.dumps(box_answer).replace("source-2", "my-dog")
    with pytest.raises(AnswerError, match="no boxes for source-2"):
        from_boxes(parse(text, BoxAnswer), canvas)


def test_an_object_twice_in_a_frame_is_refused(box_answer, canvas, altered):
    twice = box_answer["frames"][0]["boxes"] * 2
    with pytest.raises(AnswerError, match="there more than once: source-1, source-2"):
        boxes_layout(altered(box_answer, twice, "frames", 0, "boxes"), canvas)


def test_a_bad_answer_is_a_planning_error():
    assert issubclass(AnswerError, PlanningError)
