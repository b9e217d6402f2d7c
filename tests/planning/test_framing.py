"""Exemplars tell how high objects are seen, and nothing else of where they are."""

from __future__ import annotations

import pytest

from spa2v_lib.layout.box import Box
from spa2v_lib.layout.camera import Camera
from spa2v_lib.layout.classes import CLASSES
from spa2v_lib.layout.scene_layout import SceneObject
from spa2v_lib.planning import plan_acoustic
from spa2v_lib.planning.exemplars import Exemplar, load_exemplars, ranked_exemplars
from spa2v_lib.planning.placement import elevation_slope, with_exemplar_height

ALL = load_exemplars()


def raised(label, examples, *shots):
    return with_exemplar_height(CLASSES[label], examples, Camera(), *shots)


def example_of(label: str, *bottoms: float) -> Exemplar:
    """An exemplar whose only object has these lower edges, larger from key frame to key frame."""
    model = ALL[0]
    boxes = [
        Box(x0=0.4, y0=y - 0.1 - 0.01 * index, x1=0.6, y1=y) for index, y in enumerate(bottoms)
    ]
    layout = model.layout.model_copy(
        update={
            "objects": [SceneObject(id="a", label=label, caption=label, boxes=boxes)],
            "key_times_s": [0.5 * index for index in range(len(boxes))],
            "frame_captions": [label] * len(boxes),
        }
    )
    return model.model_copy(update={"layout": layout, "objects": {"s1": "a"}})


def lower_edge(sound_class) -> float:
    """Where its lower edge is seen from its usual range, straight ahead."""
    camera = Camera()
    return camera.project(
        0.0, sound_class.range_m, sound_class.width_m, sound_class.height_m, sound_class.base_m
    )[3]


def test_the_slope_is_read_where_the_object_is_largest_by_hand():
    example = example_of("bird", 0.45, 0.4)  # 0.1 above the middle, half a picture is 45 degrees
    assert elevation_slope(example.layout.objects[0], example.layout) == pytest.approx(0.2)


@pytest.mark.parametrize("label", ["bird", "guitar", "airplane"])
def test_an_object_off_the_ground_is_seen_where_the_examples_show_such_an_object(label):
    sound_class = raised(label, [example_of(label, 0.35), example_of(label, 0.45)])
    assert lower_edge(sound_class) == pytest.approx(0.4)
    assert (sound_class.width_m, sound_class.range_m) == (
        CLASSES[label].width_m,
        CLASSES[label].range_m,
    )


def test_the_same_class_goes_before_the_same_sort_of_place():
    examples = [example_of("helicopter", 0.2), example_of("bird", 0.4)]
    assert lower_edge(raised("bird", examples)) == pytest.approx(0.4)
    assert lower_edge(raised("bird", examples[:1])) == pytest.approx(0.2)


def test_only_as_many_examples_are_heeded_as_were_asked_for():
    examples = [example_of("bird", y) for y in (0.3, 0.4, 0.5)]
    assert lower_edge(raised("bird", examples, 2)) == pytest.approx(0.35)


@pytest.mark.parametrize("label", ["car", "ship", "bird"])
def test_what_stands_on_the_ground_and_what_no_example_shows_stay_as_usual(label):
    assert raised(label, [example_of("car", 0.9)]) is CLASSES[label]


def test_nothing_is_put_under_the_ground():
    assert raised("guitar", [example_of("guitar", 0.999)] * 3).base_m >= 0.0


@pytest.mark.parametrize("number", [5, 20, 50])
def test_examples_move_a_plan_up_and_down_only(number):
    cues = ALL[number].cues
    usual = plan_acoustic(cues)
    taught = plan_acoustic(cues, exemplars=ranked_exemplars(cues))
    pairs = [
        (a, b)
        for one, other in zip(usual.objects, taught.objects, strict=True)
        for a, b in zip(one.boxes, other.boxes, strict=True)
        if a is not None and b is not None and min(a.y0, b.y0) > 0 and max(a.y1, b.y1) < 1
    ]
    assert pairs
    for a, b in pairs:
        assert (a.x0, a.x1, a.height) == pytest.approx((b.x0, b.x1, b.height), abs=0.03)
