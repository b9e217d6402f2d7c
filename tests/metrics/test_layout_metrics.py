"""Layout measures: held to values worked out by hand, also for unequal numbers of boxes."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spa2v_lab.metrics import (
    coverage,
    evaluate,
    iou,
    motion_direction,
    motion_of,
    validate,
    x_center_error,
)
from spa2v_lib.errors import LayoutError
from spa2v_lib.layout.scene_layout import Box, SceneObject, VideoSceneLayout


def box(x, width=0.2, y=0.4, height=0.4):
    """Return a box with its centre at x."""
    return Box(x0=x - width / 2, y0=y, x1=x + width / 2, y1=y + height)


def layout(*objects, duration_s=1.0, **fields):
    """Return a layout of (label, first box, last box) objects."""
    return VideoSceneLayout(
        caption="c",
        frame_captions=["c", "c"],
        key_times_s=[0.0, duration_s - 0.125],
        objects=[
            SceneObject(id=str(i), label=label, caption=label, boxes=list(boxes))
            for i, (label, *boxes) in enumerate(objects)
        ],
        duration_s=duration_s,
        **fields,
    )


def still(label, x, **shape):
    return (label, box(x, **shape), box(x, **shape))


CAR = layout(still("car", 0.3))
EMPTY = layout()


def test_a_layout_agrees_with_itself():
    moving = layout(("car", box(0.2), box(0.8)), still("dog", 0.5))
    assert evaluate(moving, moving) == pytest.approx(
        {"iou": 1.0, "x_center_error": 0.0, "motion_direction": 1.0, "coverage": 1.0}
    )


def test_half_shifted_boxes_share_a_third():
    shifted = layout(still("car", 0.4))
    assert iou(CAR, shifted) == pytest.approx(1 / 3)
    assert x_center_error(CAR, shifted) == pytest.approx(0.1)


def test_two_empty_layouts_agree_and_an_empty_one_agrees_with_nothing_else():
    assert iou(EMPTY, EMPTY) == motion_direction(EMPTY, EMPTY) == coverage(EMPTY, EMPTY) == 1.0
    assert iou(CAR, EMPTY) == iou(EMPTY, CAR) == coverage(CAR, EMPTY) == 0.0
    assert motion_direction(CAR, EMPTY) == motion_direction(EMPTY, CAR) == 0.0
    assert math.isnan(x_center_error(CAR, EMPTY))


def test_another_class_is_no_partner():
    assert iou(CAR, layout(still("bus", 0.3))) == 0.0
    assert math.isnan(x_center_error(CAR, layout(still("bus", 0.3))))


def test_order_of_objects_does_not_matter():
    truth = layout(still("car", 0.2), still("car", 0.5), still("car", 0.8))
    other = layout(still("car", 0.8), still("car", 0.2), still("car", 0.5))
    assert iou(truth, other) == pytest.approx(1.0)
    assert x_center_error(truth, other) == pytest.approx(0.0)


@pytest.mark.parametrize("swap", [False, True], ids=["two for three", "three for two"])
def test_unequal_numbers_are_paired_best_and_divided_by_the_larger(swap):
    three = layout(still("car", 0.15), still("car", 0.5), still("car", 0.85))
    two = layout(still("car", 0.85), still("car", 0.6))
    truth, estimate = (two, three) if swap else (three, two)
    # 0.85 with 0.85 gives 1, 0.6 with 0.5 gives 1/3, 0.15 stays alone.
    assert iou(truth, estimate) == pytest.approx((1 + 1 / 3) / 3)
    assert x_center_error(truth, estimate) == pytest.approx(0.05)
    assert coverage(truth, estimate) == pytest.approx(2 / 3)


def test_the_best_pairing_is_not_the_greedy_one():
    # Greedy would pair 0.5 with 0.45 (the nearest of all) and leave 0.3 with 0.7.
    truth = layout(still("car", 0.3), still("car", 0.5))
    estimate = layout(still("car", 0.45), still("car", 0.7))
    assert x_center_error(truth, estimate) == pytest.approx((0.15 + 0.2) / 2)


def test_a_thing_that_is_there_for_half_the_frames_scores_half():
    half = layout(("car", box(0.3), None))
    assert iou(layout(still("car", 0.3)), half) == pytest.approx(0.5)


def test_after_its_end_a_layout_shows_nothing():
    short, long = (
        layout(still("car", 0.3), duration_s=1.0),
        layout(still("car", 0.3), duration_s=2.0),
    )
    assert iou(long, short) == pytest.approx(iou(short, long)) == pytest.approx(0.5)


def test_the_mirrored_layout_of_something_at_one_side_scores_nothing():
    assert iou(CAR, CAR.mirrored()) == 0.0
    assert x_center_error(CAR, CAR.mirrored()) == pytest.approx(0.4)


@given(
    st.lists(st.tuples(st.sampled_from("ab"), st.floats(0.1, 0.9)), max_size=4),
    st.lists(st.tuples(st.sampled_from("ab"), st.floats(0.1, 0.9)), max_size=4),
)
def test_iou_is_symmetric_and_bounded_for_any_number_of_objects(first, second):
    a, b = (layout(*(still(*thing) for thing in things)) for things in (first, second))
    assert iou(a, b) == pytest.approx(iou(b, a))
    assert 0.0 <= iou(a, b) <= coverage(a, b) + 1e-9 <= 1.0 + 2e-9


# --- motion --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("first", "last", "motion"),
    [
        (box(0.2), box(0.8), "right_crossing"),
        (box(0.8), box(0.2), "left_crossing"),
        (box(0.5, height=0.2), box(0.5, height=0.4), "approaching"),
        (box(0.5, height=0.4), box(0.5, height=0.2), "receding"),
        (box(0.5), box(0.55, height=0.45), "stationary"),
        (box(0.4, height=0.1), box(0.6, height=0.5), "approaching"),
        (box(0.2, height=0.4), box(0.8, height=0.5), "right_crossing"),
    ],
)
def test_motion_is_named_after_what_changes_most(first, last, motion):
    assert motion_of([None, first, last, None]) == motion


def test_what_is_never_seen_has_no_motion():
    assert motion_of([None, None]) is None


def test_motion_direction_counts_right_ones_among_all_objects():
    truth = layout(("car", box(0.2), box(0.8)), still("dog", 0.5))
    wrong_way = layout(("car", box(0.8), box(0.2)), still("dog", 0.5))
    assert motion_direction(truth, wrong_way) == pytest.approx(0.5)
    assert motion_direction(truth, layout(still("dog", 0.1))) == pytest.approx(0.5)


def test_an_object_that_is_never_in_the_picture_does_not_count_for_motion():
    hidden = layout(still("car", 0.3), ("car", None, None))
    assert motion_direction(CAR, hidden) == 1.0


# --- what cannot be compared ---------------------------------------------------------------------


@pytest.mark.parametrize("measure", [iou, x_center_error, motion_direction, coverage, validate])
def test_pictures_of_different_shapes_are_refused(measure):
    with pytest.raises(LayoutError, match="aspect 1.*1.6"):
        measure(CAR, layout(still("car", 0.3), aspect=1.6))


def test_anything_but_a_layout_is_refused():
    with pytest.raises(LayoutError, match="estimate is of type dict"):
        validate(CAR, {})
