"""The Video Scene Layout: boxes, times, files and the words of its errors."""

import json
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spa2v_lib.errors import LayoutError, OutputError
from spa2v_lib.files import MAX_TEXT_BYTES
from spa2v_lib.layout.scene_layout import VERSION, Box, SceneObject, VideoSceneLayout

SMALL = Box(x0=0.1, y0=0.4, x1=0.3, y1=0.8)
LARGE = Box(x0=0.5, y0=0.2, x1=0.9, y1=0.8)


def a_layout(*tracks, times=(0.0, 1.0), **fields):
    """Return a layout of two seconds with one object a track."""
    given = {
        "caption": "a bus",
        "frame_captions": [f"key frame {k}" for k in range(len(times))],
        "key_times_s": list(times),
        "objects": [
            SceneObject(id=f"o{i}", label="bus", caption="a bus", boxes=list(track))
            for i, track in enumerate(tracks)
        ],
        "duration_s": 2.0,
    }
    return VideoSceneLayout(**given | fields)


@st.composite
def boxes(draw):
    x = sorted(draw(st.tuples(st.integers(0, 99), st.integers(0, 99))))
    y = sorted(draw(st.tuples(st.integers(0, 99), st.integers(0, 99))))
    return Box(x0=x[0] / 100, x1=(x[1] + 1) / 100, y0=y[0] / 100, y1=(y[1] + 1) / 100)


# --- boxes ---------------------------------------------------------------------------------------


def test_a_box_knows_its_centre_and_extent():
    assert LARGE.center == pytest.approx((0.7, 0.5))
    assert (LARGE.width, LARGE.height, LARGE.area) == pytest.approx((0.4, 0.6, 0.24))


def test_iou_of_two_halves_that_share_a_third_of_their_union():
    a, b = Box(x0=0.0, y0=0.0, x1=0.5, y1=1.0), Box(x0=0.25, y0=0.0, x1=0.75, y1=1.0)
    assert a.iou(b) == pytest.approx(1 / 3)


@given(boxes(), boxes())
def test_iou_is_symmetric_bounded_and_one_only_for_the_same_box(a, b):
    assert a.iou(b) == pytest.approx(b.iou(a))
    assert 0.0 <= a.iou(b) <= 1.0 + 1e-12
    assert (a.iou(b) > 1 - 1e-9) == (a == b)


@given(boxes())
def test_mirroring_twice_gives_the_box_back(box):
    assert box.mirrored().center[0] == pytest.approx(1 - box.center[0])
    assert box.mirrored().mirrored().as_tuple() == pytest.approx(box.as_tuple())


# --- time ----------------------------------------------------------------------------------------


def test_a_box_moves_linearly_between_key_frames_and_rests_outside_them():
    layout = a_layout([SMALL, LARGE], times=(0.5, 1.5))
    assert layout.boxes_at(0.0) == [SMALL]
    assert layout.boxes_at(1.0)[0].as_tuple() == pytest.approx((0.3, 0.3, 0.6, 0.8))
    assert layout.boxes_at(2.0) == [LARGE]


def test_a_thing_that_vanishes_stays_until_half_way():
    layout = a_layout([SMALL, None])
    assert layout.boxes_at(0.49) == [SMALL]
    assert layout.boxes_at(0.51) == [None]


def test_a_thing_that_appears_is_there_from_half_way():
    layout = a_layout([None, SMALL])
    assert layout.boxes_at(0.49) == [None]
    assert layout.boxes_at(0.51) == [SMALL]


def test_a_layout_has_the_frames_of_its_duration():
    layout = a_layout([SMALL, LARGE])
    assert layout.frame_count == 16
    assert layout.frame_times_s[:3] == [0.0, 0.125, 0.25]
    frames = layout.frame_boxes()
    assert len(frames) == 16 and frames[0] == [SMALL] and frames[-1] == [LARGE]


def test_the_shortest_layout_has_one_frame():
    assert a_layout([SMALL], times=(0.0,), duration_s=0.01).frame_count == 1


@given(st.floats(0.0, 2.0), boxes(), boxes())
def test_interpolated_boxes_are_always_valid(time, first, last):
    (box,) = a_layout([first, last]).boxes_at(time)
    assert min(first.x0, last.x0) - 1e-9 <= box.x0 < box.x1 <= max(first.x1, last.x1) + 1e-9


def test_the_caption_is_that_of_the_nearest_key_frame():
    layout = a_layout([SMALL, LARGE])
    assert layout.caption_at(0.4) == "key frame 0"
    assert layout.caption_at(0.6) == "key frame 1"


def test_mirroring_exchanges_left_and_right_of_every_box():
    layout = a_layout([SMALL, None]).mirrored()
    assert layout.objects[0].boxes[0].as_tuple() == pytest.approx((0.7, 0.4, 0.9, 0.8))
    assert layout.objects[0].boxes[1] is None


# --- files ---------------------------------------------------------------------------------------


def test_a_saved_layout_comes_back_as_it_was(tmp_path):
    layout = a_layout([SMALL, None], [LARGE, LARGE], reasoning="louder: “nearer” <b>")
    assert VideoSceneLayout.load(layout.save(tmp_path / "a" / "layout.json")) == layout


def test_the_schema_is_named_after_the_version_and_bounds_the_boxes():
    schema = VideoSceneLayout.json_schema()
    assert schema["$id"] == VERSION == schema["properties"]["version"]["const"]
    corner = schema["$defs"]["Box"]["properties"]["x0"]
    assert (corner["minimum"], corner["maximum"]) == (0, 1)
    json.dumps(schema)


def test_saving_below_a_file_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="file"):
        a_layout([SMALL, LARGE]).save(tmp_path / "file" / "layout.json")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"{", "not JSON"),
        (b"[]", "list"),
        (b"\xff\xfe\x00", "cannot be read"),
        (b"[" * 99999, "JSON"),
    ],
    ids=["broken", "list", "bytes", "deep"],
)
def test_a_file_that_holds_no_layout_is_refused(tmp_path, content, words):
    path = tmp_path / "layout.json"
    path.write_bytes(content)
    with pytest.raises(LayoutError, match=words):
        VideoSceneLayout.load(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(LayoutError, match="nowhere.json"):
        VideoSceneLayout.load(tmp_path / "nowhere.json")


# --- mistakes ------------------------------------------------------------------------------------


def changed(**changes):
    """Return the JSON fields of a valid layout with some replaced."""
    return json.loads(a_layout([SMALL, LARGE], [LARGE, None]).to_json()) | changes


def with_box(box):
    fields = changed()
    fields["objects"][1]["boxes"][0] = box
    return fields


VALID = {"x0": 0.1, "y0": 0.1, "x1": 0.2, "y1": 0.2}


@pytest.mark.parametrize(
    ("box", "words"),
    [
        (VALID | {"x1": 1.25}, "x1 is 1.25"),
        (VALID | {"y0": -0.5}, "y0 is -0.5"),
        (VALID | {"x0": 0.7}, "x0 is 0.7 and x1 is 0.2"),
        (VALID | {"y1": "low"}, "y1.*'low'"),
        (VALID | {"y1": float("nan")}, "y1.*nan"),
        ({"x0": 0.1}, "y0.*required"),
        (VALID | {"z": 1}, "z.*not permitted"),
    ],
)
def test_a_wrong_box_is_reported_with_object_key_frame_and_number(box, words):
    with pytest.raises(LayoutError, match=rf"object 'o1', key frame 0: .*{words}"):
        VideoSceneLayout(**with_box(box))


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        (changed(version="spa2v.vsl/9"), "version.*spa2v.vsl/1.*spa2v.vsl/9"),
        (changed(key_times_s=[]), "at least one key frame"),
        (changed(key_times_s=[0.0, 2.5]), "key frame 1 is at 2.5 s.*2 s"),
        (changed(key_times_s=[-0.5, 1.0]), "key frame 0 is at -0.5 s"),
        (changed(key_times_s=[1.0, 1.0]), "key frame 1 at 1 s does not come after"),
        (changed(frame_captions=["one"]), "1 frame captions for 2 key frames"),
        (changed(duration_s=0), "duration_s is 0"),
        (changed(fps=-8), "fps is -8"),
        (changed(aspect=0), "aspect is 0"),
        (changed(objects=[{"id": "a", "label": "bus"}]), r"objects\[0\]: caption.*required"),
        (changed(objects="none"), "objects.*list"),
        (changed(colour="red"), "colour.*not permitted"),
    ],
)
def test_a_wrong_field_is_reported_with_what_was_found(fields, words):
    with pytest.raises(LayoutError, match=words):
        VideoSceneLayout(**fields)


def test_every_object_needs_a_box_entry_a_key_frame():
    with pytest.raises(LayoutError, match="'o0' has 1 boxes for 2 key frames"):
        a_layout([SMALL])


def test_two_objects_with_one_id_are_refused():
    twin = SceneObject(id="a", label="bus", caption="a bus", boxes=[SMALL, None])
    with pytest.raises(LayoutError, match="id 'a'"):
        a_layout(objects=[twin, twin])


def test_the_notebook_view_escapes_what_a_layout_says():
    shown = a_layout([SMALL, LARGE], caption="<script>", reasoning="a & b")._repr_html_()
    assert "<script>" not in shown and "&lt;script&gt;" in shown and "a &amp; b" in shown


# --- whatever editor, whatever numbers -----------------------------------------------------------


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_a_layout_is_read_however_an_editor_saved_it(tmp_path, encoding, line_end):
    layout = a_layout([SMALL, None], reasoning="“nearer”, naïve")
    path = tmp_path / "layout.json"
    path.write_bytes(layout.to_json().replace("\n", line_end).encode(encoding))
    assert VideoSceneLayout.load(path) == layout


@pytest.mark.parametrize("corner", [1.000000024214387, 1.00005, 1 + 2**-52])
def test_a_corner_a_hair_outside_is_clamped(corner):
    box = Box(x0=1 - corner, y0=1 - corner, x1=corner, y1=corner)
    assert box.as_tuple() == (0.0, 0.0, 1.0, 1.0)
    assert VideoSceneLayout(**with_box(VALID | {"y1": corner})).objects[1].boxes[0].y1 == 1.0


@pytest.mark.parametrize(
    ("corner", "shown"), [(1.0002, "1.0002"), (-0.00011, "-0.00011"), (2, "2")]
)
def test_a_corner_further_outside_is_shown_with_all_its_digits(corner, shown):
    with pytest.raises(LayoutError, match=rf"is {shown}; it must lie in \[0, 1\]"):
        VideoSceneLayout(**with_box(VALID | {"x0": corner, "x1": corner}))


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"fps": 1e-300}, r"fps is 1e-300; it must lie in \[0.1, 60\]"),
        ({"fps": 1e9}, "fps is 1000000000"),
        ({"fps": 60.5}, "fps is 60.5"),
        ({"duration_s": 1e12}, "duration_s is 1e"),
        ({"aspect": 1e30}, "aspect is 1e"),
        ({"caption": "a" * 10_001}, "caption has 10,001 characters; at most 10,000"),
        ({"background": "a" * 10_001}, "background has 10,001"),
        ({"frame_captions": ["a", "b" * 20_000]}, "frame caption 1 has 20,000"),
        ({"reasoning": "a" * 100_001}, "reasoning has 100,001"),
        ({"key_times_s": [0.0] * 200_001}, "at most 200,000"),
        ({"objects": [{}] * 101}, "101 objects; a layout has at most 100"),
        (
            {"objects": [{"id": "a", "label": "b" * 10_001, "caption": "c", "boxes": []}]},
            "label has",
        ),
        ({"fps": int("9" * 4000)}, "fps"),
        ({"caption": "half a \ud83d"}, "caption"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_what_a_layout_may_hold_is_bounded(fields, words):
    with pytest.raises(LayoutError, match=words):
        VideoSceneLayout(**changed(**fields))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ('{"fps": ' + "9" * 5000 + "}", "thousands of digits"),
        ('{"fps": -' + "1" * 9000 + ".5e3}", "."),
        ('{"caption": "\\ud800"}', "half a character"),
        ('{"\\udfff": 1}', "half a character"),
        ('{"a": ' * 50_000, "nested too deeply"),
        ("[" * 50_000 + "]" * 50_000, "nested too deeply"),
        ("null", "NoneType"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_json_that_no_layout_can_be_is_one_clear_error(tmp_path, content, words):
    path = tmp_path / "layout.json"
    path.write_text(content)
    with pytest.raises(LayoutError, match=words):
        VideoSceneLayout.load(path)


def test_a_file_too_large_for_a_layout_is_refused_unread(tmp_path):
    path = tmp_path / "layout.json"
    with path.open("wb") as stream:
        stream.truncate(MAX_TEXT_BYTES + 1)
    with pytest.raises(LayoutError, match="at most 67,108,864"):
        VideoSceneLayout.load(path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs FIFOs")
def test_a_layout_is_never_waited_for(tmp_path):
    os.mkfifo(tmp_path / "layout.json")
    for path in (tmp_path / "layout.json", "/dev/zero", tmp_path):
        with pytest.raises(LayoutError, match="is a (pipe|device|folder)"):
            VideoSceneLayout.load(path)
