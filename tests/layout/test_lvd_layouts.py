"""LVD's dynamic scene layouts: their text, their pixels, their six frames."""

import re

import numpy as np
import pytest

from spa2v_lib.errors import LayoutError
from spa2v_lib.layout.lvd import from_lvd, lvd_text, parse_lvd, to_lvd
from spa2v_lib.layout.scene_layout import Box, SceneObject, VideoSceneLayout


def lvd(frame_of, lead="Reasoning: The kite rises.\n"):
    """Return LVD's text with six frames, each given by its number."""
    frames = "\n".join(f"Frame {n}: {frame_of(n)}" for n in range(1, 7))
    return f"{lead}{frames}\nBackground keyword: beach"


def kite(n, box=None):
    return [{"id": 0, "name": "red kite", "box": box or [64 * (n - 1), 256, 128, 64]}]


def test_pixels_become_shares_of_a_512_picture():
    layout = from_lvd(lvd(kite), caption="A kite flies")
    (thing,) = layout.objects
    assert (thing.id, thing.label, thing.caption) == ("0", "red kite", "red kite")
    assert thing.boxes[0].as_tuple() == (0.0, 0.5, 0.25, 0.625)
    assert thing.boxes[5].as_tuple() == (0.625, 0.5, 0.875, 0.625)
    assert layout.caption == "A kite flies"
    assert layout.reasoning == "The kite rises."
    assert layout.background == "beach"


def test_the_six_key_frames_span_the_first_to_the_last_video_frame():
    layout = from_lvd(lvd(kite), duration_s=3.0, fps=8.0)
    assert layout.frame_count == 24
    assert layout.key_times_s == pytest.approx([k * 23 / 8 / 5 for k in range(6)])
    assert layout.frame_boxes()[-1][0] == layout.objects[0].boxes[5]


def test_text_to_layout_to_text_gives_the_same_boxes():
    fields = parse_lvd(lvd(kite))
    again = to_lvd(from_lvd(lvd(kite)))
    assert {k: v for k, v in again.items() if k != "Prompt"} == fields
    assert parse_lvd(lvd_text(again)) == fields


def test_a_layout_of_other_key_frames_is_read_off_at_lvds_times():
    first, last = Box(x0=0, y0=0, x1=0.5, y1=0.5), Box(x0=0.5, y0=0, x1=1, y1=0.5)
    layout = VideoSceneLayout(
        caption="a bus",
        frame_captions=["a bus"] * 2,
        key_times_s=[0.0, 1.875],
        objects=[SceneObject(id="b", label="bus", caption="a bus", boxes=[first, last])],
        duration_s=2.0,
    )
    left_edges = [to_lvd(layout)[f"Frame {n}"][0]["box"][0] for n in range(1, 7)]
    assert left_edges == [0, 51, 102, 154, 205, 256]


def test_an_object_that_is_absent_in_a_frame_has_no_box_there():
    layout = from_lvd(lvd(lambda n: kite(n) if n > 3 else []))
    assert [box is None for box in layout.objects[0].boxes] == [True] * 12 + [False] * 12
    assert to_lvd(layout)["Frame 1"] == []
    assert to_lvd(layout)["Frame 4"][0]["box"] == pytest.approx([192, 256, 128, 64], abs=3)


def test_an_object_that_is_away_for_a_while_moves_on_meanwhile():
    """As in LVD's code: each key frame has a sixth of the video; boxes go from one to the next."""
    layout = from_lvd(lvd(lambda n: kite(n) if n in (1, 4, 5) else []))
    boxes = [row[0] for row in layout.frame_boxes()]
    assert [n for n, box in enumerate(boxes) if box] == [0, 1, 2, 3, *range(12, 20)]
    share = np.arange(24) / 23
    for n in (3, 12, 17):
        assert boxes[n].x0 == pytest.approx(np.interp(share[n], [0, 0.6, 0.8], [0, 0.375, 0.5]))
    assert boxes[19].x0 == 0.5


@pytest.mark.parametrize("gone", [[600, 10, 50, 50], [-90, 10, 50, 50], [100, 100, 0, 0]])
def test_a_box_outside_the_picture_or_without_extent_means_gone(gone):
    layout = from_lvd(lvd(lambda n: kite(n, gone if n == 6 else None)))
    assert layout.objects[0].boxes[-1] is None


def test_a_box_that_reaches_outside_is_cut_at_the_edge():
    layout = from_lvd(lvd(lambda n: kite(n, [448, 384, 128, 256])))
    assert layout.objects[0].boxes[0].as_tuple() == (0.875, 0.75, 1.0, 1.0)


def test_a_completion_that_begins_in_the_middle_of_the_reasoning_is_understood():
    layout = from_lvd(lvd(kite, lead="The kite rises.\n\n"))
    assert layout.reasoning == "The kite rises."


def test_keyword_is_an_older_word_for_name():
    layout = from_lvd(lvd(lambda n: [{"id": 0, "keyword": "kite", "box": [0, 0, 9, 9]}]))
    assert layout.objects[0].label == "kite"


def test_without_a_caption_the_prompt_or_the_names_serve():
    assert from_lvd(lvd(kite)).caption == "red kite"
    assert from_lvd(parse_lvd(lvd(kite)) | {"Prompt": "A kite"}).caption == "A kite"


@pytest.mark.parametrize(
    ("frame_three", "words"),
    [
        ("[{'id': 0, 'name': 'kite'}]", "frame 3, object 0 .kite.: box is None"),
        ("[{'id': 0, 'name': 'kite', 'box': [1, 2, 3]}]", "frame 3, object 0"),
        ("[{'id': 0, 'name': 'kite', 'box': [1, 2, -3, 4]}]", "object 0 .*width is -3"),
        ("[{'id': 0, 'name': 'kite', 'box': [1, 'x', 3, 4]}]", "object 0 .*y is 'x'"),
        ("[{'id': 0, 'name': 'kite', 'box': [1e999, 0, 3, 4]}]", "object 0 .*x is inf"),
        ("[{'name': 'kite', 'box': [1, 2, 3, 4]}]", "frame 3: .*lacks 'id'"),
        ("{'id': 0}", "frame 3 is dict"),
        ("[{'id': 0,", "frame 3"),
        ("__import__('os').getcwd()", "frame 3"),
        (str(kite(3) * 2), "frame 3: two objects have the id 0"),
    ],
)
def test_a_mistake_is_reported_with_frame_object_and_number(frame_three, words):
    text = lvd(lambda n: frame_three if n == 3 else kite(n))
    with pytest.raises(LayoutError, match=words):
        from_lvd(text)


def test_a_missing_frame_is_named():
    with pytest.raises(LayoutError, match="frame 6 is missing"):
        from_lvd(lvd(kite).replace("Frame 6", "Frame 7"))


def test_a_single_video_frame_cannot_hold_six_key_frames():
    with pytest.raises(LayoutError, match="one frame"):
        from_lvd(lvd(kite), duration_s=0.1)


# --- what language models make of it -------------------------------------------------------------


def frames_text(count, frame_of=kite):
    lines = [f"Frame {n}: {frame_of(n)}" for n in range(1, count + 1)]
    return "\n".join(["Reasoning: r.", *lines, "Background keyword: beach"])


@pytest.mark.parametrize("count", [1, 2, 5, 7, 8, 16])
def test_a_text_has_any_number_of_frames_two_a_second(count):
    step = 384 // max(count - 1, 1)
    layout = from_lvd(frames_text(count, lambda n: kite(n, [step * (n - 1), 0, 128, 64])))
    assert len(layout.key_times_s) == count and layout.duration_s == count / 2
    assert layout.objects[0].boxes[-1].x0 == pytest.approx(step * (count - 1) / 512)


@pytest.mark.parametrize(
    "chatter",
    [
        lambda text: f"Sure! Here is the layout:\n\n{text}\n\nLet me know if you need more.",
        lambda text: f"```\n{text}\n```\nI hope this helps.",
        lambda text: re.sub(r"(Frame \d:)", r"**\1**", text),
        lambda text: text.replace("Frame", "### Frame"),
        lambda text: text.replace("Frame", "- frame"),
        lambda text: text.replace(": [", ":\n["),
        lambda text: text.replace("]\n", "]  # it moves\n"),
        lambda text: text.replace("r.\n", "r.\nFrame 1: at the left.\nFrame 6: at the right.\n"),
        lambda text: frames_text(6, lambda n: kite(n, [0, 0, 9, 9])) + "\nCorrected:\n" + text,
        lambda text: text.replace("'", '"'),
        lambda text: text.replace("\n", "\r\n"),
    ],
)
def test_chatter_and_markup_around_the_frames_are_left_out(chatter):
    layout = from_lvd(chatter(frames_text(6)))
    assert [box.x0 for box in layout.objects[0].boxes] == [64 * n / 512 for n in range(6)]
    assert layout.background == "beach"


@pytest.mark.parametrize(
    ("line", "background"),
    [
        ("Background keyword: A quiet beach at dusk.", "A quiet beach at dusk"),
        ("Background keywords: beach", "beach"),
        ('Background: "beach"', "beach"),
        ("**Background prompt:** a wide beach\n\nEnjoy!", "a wide beach"),
        ("Background sentence: waves roll in", "waves roll in"),
    ],
)
def test_the_background_may_be_a_sentence(line, background):
    text = frames_text(6).replace("Background keyword: beach", line)
    assert from_lvd(text).background == background


def test_numbers_that_tell_objects_apart_are_no_part_of_their_names():
    names = ["ball 1", "ball 2", "ball #3", "Boeing 747", "car"]
    items = [{"id": n, "name": name, "box": [9, 9, 9, 9]} for n, name in enumerate(names)]
    layout = from_lvd(frames_text(2, lambda n: items))
    assert [item.label for item in layout.objects] == ["ball", "ball", "ball", "Boeing 747", "car"]
    assert len({item.id for item in layout.objects}) == 5


def test_boxes_are_interpolated_before_they_are_cut_at_the_edge():
    start, end = [256, 0, 256, 64], [640, 0, 256, 64]  # wholly outside at the end
    layout = from_lvd(frames_text(2, lambda n: kite(n, start if n == 1 else end)))
    assert layout.frame_count == 8
    for number, (box,) in enumerate(layout.frame_boxes()):
        left = (256 + 384 * number / 7) / 512
        if left >= 1:
            assert box is None
        else:
            assert (box.x0, box.x1) == pytest.approx((left, min(left + 0.5, 1)))


def test_a_text_without_frames_says_what_is_needed():
    with pytest.raises(LayoutError, match="no LVD frame was found"):
        from_lvd("I cannot do that.")


@pytest.mark.parametrize("number", ["1e300", "9" * 5000, "True", "None", "-1e7"])
def test_numbers_that_no_pixel_has_are_refused(number):
    text = frames_text(3).replace("[64, 256", f"[{number}, 256")
    with pytest.raises(LayoutError, match="frame 2"):
        from_lvd(text)


@pytest.mark.parametrize(
    ("written", "meant"),
    [("ball 1", "ball"), ("ball #2", "ball"), ("ball3", "ball"), ("boeing 747", "boeing 747"),
     ("mp3", "mp3"), ("f16", "f16")],
)  # fmt: skip
def test_numbers_that_tell_objects_apart_are_no_part_of_their_name(written, meant):
    text = lvd(lambda n: [{"id": 0, "name": written, "box": [0, 0, 64, 64]}])
    assert from_lvd(text).objects[0].label == meant


def test_frames_are_captioned_with_the_background_as_upstream_prompts_are():
    layout = from_lvd(lvd(kite), caption="A kite flies")
    assert set(layout.frame_captions) == {"A kite flies, beach background"}
    bare = from_lvd(lvd(kite).replace("Background keyword: beach", ""), caption="A kite flies")
    assert set(bare.frame_captions) == {"A kite flies"}
