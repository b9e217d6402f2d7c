"""The papers' layout measures, held to values worked out by hand, also where N differs from M."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from spa2v_lab.metrics.similarity import (
    _transport,
    docsim,
    docsim_of_itself,
    generalised_iou,
    ltsim,
    max_iou,
    max_iou_coverage,
    mirror_gap,
    size_trend,
    tube_iou,
)
from spa2v_lib.layout.scene_layout import Box, SceneObject, VideoSceneLayout


def box(x, width=0.2, y=0.4, height=0.4):
    """Return a box with its centre at x."""
    return Box(x0=x - width / 2, y0=y, x1=x + width / 2, y1=y + height)


def layout(*objects):
    """Return a layout of one second from (label, first box, last box) objects."""
    return VideoSceneLayout(
        caption="c",
        frame_captions=["c", "c"],
        key_times_s=[0.0, 0.875],
        objects=[
            SceneObject(id=str(i), label=label, caption=label, boxes=list(boxes))
            for i, (label, *boxes) in enumerate(objects)
        ],
        duration_s=1.0,
    )


def still(label, x, **shape):
    return (label, box(x, **shape), box(x, **shape))


CAR, EMPTY = layout(still("car", 0.3)), layout()


def test_generalised_iou_of_touching_and_distant_boxes():
    assert generalised_iou(box(0.3), box(0.3)) == pytest.approx(1.0)
    assert generalised_iou(box(0.3), box(0.5)) == pytest.approx(0.0)
    assert generalised_iou(box(0.2), box(0.6)) == pytest.approx(-1 / 3)


def test_ltsim_by_hand():
    assert ltsim(CAR, CAR) == pytest.approx(1.0)
    touching = layout(still("car", 0.5))
    assert ltsim(CAR, touching) == pytest.approx(math.exp(-0.25))
    assert ltsim(CAR, layout(still("dog", 0.3))) == pytest.approx(math.exp(-0.5))
    assert ltsim(CAR, EMPTY) == ltsim(EMPTY, CAR) == pytest.approx(math.exp(-1))
    assert ltsim(EMPTY, EMPTY) == 1.0


def test_ltsim_with_unequal_numbers_shares_the_weight():
    two = layout(still("car", 0.3), still("car", 0.5))
    assert ltsim(CAR, two) == pytest.approx(math.exp(-0.125))
    assert ltsim(two, CAR) == pytest.approx(math.exp(-0.125))


def test_transport_of_two_onto_three_by_hand():
    cost = np.array([[0.0, 1.0, 1.0], [1.0, 1.0, 0.0]])
    # each row gives a half and each column takes a third: a sixth of either row goes to column 1
    assert _transport(cost) == pytest.approx(2 / 6)
    assert _transport(cost.T) == pytest.approx(2 / 6)


def by_linear_programming(cost: np.ndarray) -> float:
    rows, columns = cost.shape
    leaves = np.kron(np.eye(rows), np.ones(columns))
    arrives = np.kron(np.ones(rows), np.eye(columns))
    weights = np.concatenate([np.full(rows, 1 / rows), np.full(columns, 1 / columns)])
    return linprog(cost.ravel(), A_eq=np.vstack([leaves, arrives]), b_eq=weights).fun


@pytest.mark.parametrize(("rows", "columns"), [(2, 3), (5, 4), (3, 7), (6, 6)])
def test_transport_is_that_of_another_implementation(rows, columns):
    for seed in range(5):
        cost = np.random.default_rng(seed).uniform(0.0, 1.0, (rows, columns))
        assert _transport(cost) == pytest.approx(by_linear_programming(cost))


def test_ltsim_with_unequal_numbers_is_that_of_another_implementation():
    truth = [("car", box(0.2)), ("car", box(0.6)), ("dog", box(0.8, width=0.1))]
    found = [("dog", box(0.75)), ("car", box(0.35, height=0.2))]
    # Written out from Otani et al.: half for place, half for class.
    cost = [
        [0.5 * (1 - (generalised_iou(p, q) + 1) / 2) + 0.5 * (m != n) for n, q in found]
        for m, p in truth
    ]
    expected = math.exp(-by_linear_programming(np.array(cost)))
    shown = [layout(*((label, b, b) for label, b in side)) for side in (truth, found)]
    assert ltsim(*shown) == pytest.approx(expected)
    assert ltsim(*shown[::-1]) == pytest.approx(expected)


def test_docsim_by_hand():
    root = math.sqrt(0.2 * 0.4)
    assert docsim(CAR, CAR) == docsim_of_itself(CAR) == pytest.approx(root)
    assert docsim(CAR, layout(still("car", 0.5))) == pytest.approx(root * 2**-0.2)
    wide = layout(still("car", 0.3, width=0.4))
    assert docsim(CAR, wide) == pytest.approx(root * 2 ** (-2 * 0.2))
    assert docsim(CAR, layout(still("dog", 0.3))) == 0.0
    two = layout(still("car", 0.3), still("car", 0.9))
    assert docsim(CAR, two) == pytest.approx(root / 2)
    assert math.isnan(docsim(EMPTY, EMPTY))


def test_max_iou_is_zero_where_classes_differ_and_says_how_often():
    shifted = layout(still("car", 0.4))
    assert max_iou(CAR, shifted) == pytest.approx(1 / 3)
    two = layout(still("car", 0.3), still("dog", 0.7))
    assert max_iou(CAR, two) == 0.0 and max_iou_coverage(CAR, two) == 0.0
    half = layout(still("car", 0.3), ("dog", box(0.7), None))
    assert max_iou_coverage(CAR, half) == pytest.approx(0.5)
    assert max_iou(CAR, half) == pytest.approx(0.5)


def test_three_boxes_against_two_are_paired_the_best_way_round():
    truth = layout(still("car", 0.2), still("car", 0.5), still("car", 0.8))
    found = layout(still("car", 0.8), still("car", 0.2))
    assert max_iou(truth, found) == 0.0
    assert tube_iou(truth, found) == pytest.approx(2 / 3)


def test_a_tube_counts_time_as_well_as_space():
    brief = layout(("car", box(0.3), None))
    assert tube_iou(CAR, brief) == pytest.approx(0.5)
    assert tube_iou(CAR, CAR) == 1.0 and tube_iou(EMPTY, EMPTY) == 1.0
    assert tube_iou(CAR, EMPTY) == 0.0


def test_one_assignment_holds_for_the_whole_clip():
    crossing = layout(("car", box(0.2), box(0.8)), ("car", box(0.8), box(0.2)))
    bouncing = layout(("car", box(0.2), box(0.2)), ("car", box(0.8), box(0.8)))
    assert tube_iou(crossing, bouncing) < 0.5


def test_growth_is_compared_by_rank():
    near, far = box(0.5, height=0.5), box(0.5, height=0.2)
    grows, shrinks = layout(("car", far, near)), layout(("car", near, far))
    assert size_trend(grows, grows) == pytest.approx(1.0)
    assert size_trend(grows, shrinks) == pytest.approx(-1.0)
    assert size_trend(grows, layout(("car", far, far))) == 0.0
    assert size_trend(grows, EMPTY) == 0.0
    assert math.isnan(size_trend(layout(("car", far, far)), grows))


def test_a_deaf_estimate_has_no_mirror_gap_and_a_right_one_a_large_one():
    for measure in (ltsim, docsim, max_iou, tube_iou):
        middle = layout(still("car", 0.5))
        assert mirror_gap(CAR, middle, measure) == pytest.approx(0.0)
        assert mirror_gap(CAR, CAR, measure) > 0.05
        assert mirror_gap(CAR, CAR.mirrored(), measure) < -0.05


centres = st.lists(st.floats(0.2, 0.8), max_size=4)


@settings(deadline=None)  # the first example imports SciPy
@given(a=centres, b=centres)
def test_measures_are_symmetric_and_within_their_ranges(a, b):
    one, other = (layout(*(still("car", x) for x in side)) for side in (a, b))
    for measure, least in ((ltsim, math.exp(-1)), (max_iou, 0.0), (tube_iou, 0.0)):
        value = measure(one, other)
        assert least - 1e-9 <= value <= 1 + 1e-9
        assert value == pytest.approx(measure(other, one))
