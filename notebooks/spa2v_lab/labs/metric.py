"""Lab: MaxIoU and its chance. What is checked, and the layouts that a deaf method would guess."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from spa2v_lab.labs.check import check, expect
from spa2v_lab.metrics.layout import frame_score
from spa2v_lib.layout.box import Box
from spa2v_lib.layout.scene_layout import VideoSceneLayout

__all__ = ["Corners", "Frame", "check_iou", "check_max_iou", "frames", "over_frames", "with_labels"]

Corners = tuple[float, float, float, float]
"""``(x0, y0, x1, y1)`` in [0, 1]."""

Frame = list[tuple[str, Corners]]
"""The labels and boxes of one frame."""

_FULL, _LEFT, _SMALL = (0.0, 0.0, 1.0, 1.0), (0.0, 0.0, 0.5, 1.0), (0.25, 0.25, 0.75, 0.75)
_RIGHT, _LOW = (0.5, 0.0, 1.0, 1.0), (0.0, 0.6, 0.3, 0.9)


def frames(layout: VideoSceneLayout) -> list[Frame]:
    """Return what each frame of a layout shows.

    Parameters
    ----------
    layout : VideoSceneLayout

    Examples
    --------
    >>> from spa2v_lib.sampling.selfcheck import known_layout
    >>> shown = frames(known_layout(1.0))
    >>> len(shown), shown[0][0][0]
    (16, 'car')
    """
    return [
        [
            (item.label, box.as_tuple())
            for item, box in zip(layout.objects, boxes, strict=True)
            if box is not None
        ]
        for boxes in layout.frame_boxes()
    ]


def over_frames(
    measure: Callable[[Frame, Frame], float], truth: VideoSceneLayout, estimate: VideoSceneLayout
) -> float:
    """Return the mean of a measure of frames over two layouts of one length.

    Parameters
    ----------
    measure : callable
        Of two frames, as `check_max_iou` returns one.
    truth, estimate : VideoSceneLayout
        With equally many frames.

    Examples
    --------
    >>> from spa2v_lib.sampling.selfcheck import known_layout
    >>> over_frames(lambda a, b: float(a == b), known_layout(1.0), known_layout(1.0))
    1.0
    """
    both = zip(frames(truth), frames(estimate), strict=True)
    return float(np.mean([measure(a, b) for a, b in both]))


def with_labels(layout: VideoSceneLayout, labels: Sequence[str]) -> VideoSceneLayout:
    """Return the boxes of one layout under the labels of another.

    Parameters
    ----------
    layout : VideoSceneLayout
    labels : sequence of str
        One for each object.

    Examples
    --------
    >>> from spa2v_lib.sampling.selfcheck import known_layout
    >>> with_labels(known_layout(1.0), ["dog"]).objects[0].label
    'dog'
    """
    objects = [
        item.model_copy(update={"label": label})
        for item, label in zip(layout.objects, labels, strict=True)
    ]
    return layout.model_copy(update={"objects": objects})


def _library_iou(a: Corners, b: Corners) -> float:
    return _box(a).iou(_box(b))


def _library_max_iou(truth: Frame, estimate: Frame) -> float:
    one, two = _by_class(truth), _by_class(estimate)
    counts = [{label: len(boxes) for label, boxes in side.items()} for side in (one, two)]
    return frame_score(one, two, Box.iou) if counts[0] == counts[1] else 0.0


def _by_class(frame: Frame) -> dict[str, list[Box]]:
    boxes: dict[str, list[Box]] = {}
    for label, corners in frame:
        boxes.setdefault(label, []).append(_box(corners))
    return boxes


def _box(corners: Corners) -> Box:
    return Box(**dict(zip(("x0", "y0", "x1", "y1"), corners, strict=True)))


def check_iou(iou: Callable[[Corners, Corners], float]) -> Callable[[Corners, Corners], float]:
    """Check an intersection over union of two boxes; return it, or the library's.

    Parameters
    ----------
    iou : callable
        Of two `Corners`.

    Examples
    --------
    >>> def iou(a, b):
    ...     return 1.0
    >>> check_iou(iou)(_FULL, _LEFT)
    ✗ iou is not right yet. Boxes that overlap (check 2 of 4): the left half within the whole ...
    0.5
    """
    tests = {
        "a box and itself": _same,
        "boxes that overlap": _halves,
        "boxes that do not touch": _disjoint,
        "as the library": _as_library_iou,
    }
    return check(iou, tests, _library_iou)


def _same(iou: Callable) -> None:
    found = iou(_SMALL, _SMALL)
    expect(np.isclose(found, 1), f"they give {found:.3g} instead of 1")


def _halves(iou: Callable) -> None:
    found = iou(_FULL, _LEFT)
    expect(
        np.isclose(found, 0.5),
        f"the left half within the whole picture gives {found:.3g} instead of 0.5; "
        "the union counts the shared area once",
    )


def _disjoint(iou: Callable) -> None:
    found = iou((0.0, 0.0, 0.2, 0.2), (0.6, 0.7, 0.8, 0.9))
    expect(
        np.isclose(found, 0),
        f"they give {found:.3g} instead of 0; where boxes are apart, a side of their intersection "
        "is negative, and two negative sides have a positive product",
    )


def _random_box(rng: np.random.Generator) -> Corners:
    x, y = np.sort(rng.uniform(size=(2, 2)), axis=1)
    return tuple(float(v) for v in (x[0], y[0], x[1], y[1]))


def _as_library_iou(iou: Callable) -> None:
    rng = np.random.default_rng(0)
    for _ in range(50):
        a, b = _random_box(rng), _random_box(rng)
        found, right = iou(a, b), _library_iou(a, b)
        expect(np.isclose(found, right), f"{a} and {b} give {found:.4g} instead of {right:.4g}")


def check_max_iou(
    max_iou: Callable[[Frame, Frame], float],
) -> Callable[[Frame, Frame], float]:
    """Check a MaxIoU of one frame; return it, or the library's.

    Parameters
    ----------
    max_iou : callable
        Of the true and the estimated `Frame`.

    Examples
    --------
    >>> def max_iou(truth, estimate):
    ...     raise NotImplementedError
    >>> check_max_iou(max_iou)([("dog", _FULL)], [("dog", _LEFT)])
    ○ max_iou is not written yet.
      The lab continues with the library's function.
    0.5
    """
    tests = {
        "one object": _one,
        "the best pairing": _pairing,
        "pairs of one class": _classes,
        "numbers that differ": _numbers,
        "nothing in either": _empty,
        "as the library": _as_library_max_iou,
    }
    return check(max_iou, tests, _library_max_iou)


def _one(max_iou: Callable) -> None:
    found = max_iou([("dog", _FULL)], [("dog", _LEFT)])
    expect(np.isclose(found, 0.5), f"two boxes with an IoU of 0.5 give {found:.3g}")


def _pairing(max_iou: Callable) -> None:
    two = [("dog", _LEFT), ("dog", _LOW)]
    found = max_iou(two, two[::-1])
    expect(
        np.isclose(found, 1),
        f"the same two dogs in another order give {found:.3g} instead of 1; "
        "try every pairing and keep the best",
    )


def _classes(max_iou: Callable) -> None:
    truth, estimate = [("dog", _LEFT), ("cow", _RIGHT)], [("cow", _LEFT), ("dog", _RIGHT)]
    found = max_iou(truth, estimate)
    expect(
        np.isclose(found, 0),
        f"a dog and a cow that changed places give {found:.3g} instead of 0; "
        "a box may only be paired with one of its own class",
    )


def _numbers(max_iou: Callable) -> None:
    for truth, estimate in (
        ([("dog", _LEFT)], [("dog", _LEFT), ("dog", _RIGHT)]),
        ([("dog", _LEFT)], [("cow", _LEFT)]),
        ([("dog", _LEFT)], []),
    ):
        found = max_iou(truth, estimate)
        names = [", ".join(label for label, _ in frame) or "nothing" for frame in (truth, estimate)]
        expect(
            np.isclose(found, 0),
            f"truth {names[0]}, estimate {names[1]} give {found:.3g} instead of 0; "
            "a frame whose classes or their numbers differ scores 0",
        )


def _empty(max_iou: Callable) -> None:
    found = max_iou([], [])
    expect(np.isclose(found, 1), f"two empty frames agree, but give {found:.3g} instead of 1")


def _as_library_max_iou(max_iou: Callable) -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        labels = rng.choice(["dog", "cow"], size=int(rng.integers(1, 5))).tolist()
        truth, estimate = ([(label, _random_box(rng)) for label in labels] for _ in range(2))
        estimate = [estimate[i] for i in rng.permutation(len(estimate))]
        found, right = max_iou(truth, estimate), _library_max_iou(truth, estimate)
        expect(
            np.isclose(found, right),
            f"a frame with {', '.join(labels)} gives {found:.4g} instead of {right:.4g}; "
            "is the sum divided by the number of pairs?",
        )
