"""How right a result is, compared with a truth that is known."""

from spa2v_lib.metrics.layout import (
    coverage,
    evaluate,
    iou,
    motion_direction,
    motion_of,
    validate,
    x_center_error,
)

__all__ = [
    "coverage",
    "evaluate",
    "iou",
    "motion_direction",
    "motion_of",
    "validate",
    "x_center_error",
]
