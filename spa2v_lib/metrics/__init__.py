"""How right a result is, compared with a truth that is known."""

from spa2v_lib.metrics.layout import (
    coverage,
    evaluate,
    iou,
    motion_direction,
    motion_of,
    x_center_error,
)
from spa2v_lib.metrics.pairing import validate
from spa2v_lib.metrics.similarity import (
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
from spa2v_lib.metrics.words import caption_overlap, class_recall, rouge_l

__all__ = [
    "caption_overlap",
    "class_recall",
    "coverage",
    "docsim",
    "docsim_of_itself",
    "evaluate",
    "generalised_iou",
    "iou",
    "ltsim",
    "max_iou",
    "max_iou_coverage",
    "mirror_gap",
    "motion_direction",
    "motion_of",
    "rouge_l",
    "size_trend",
    "tube_iou",
    "validate",
    "x_center_error",
]
