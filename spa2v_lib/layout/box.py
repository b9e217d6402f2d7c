"""Boxes in the picture, how they move, and the strict models that layouts consist of."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from spa2v_lib.errors import LayoutError
from spa2v_lib.layout.captions import Motion

__all__ = ["LEAST_GROWTH", "LEAST_SHIFT", "Box", "StrictModel", "motion_of", "validated_items"]

# For readers of the schema; the box itself checks its corners, since its message names the corner.
_SHARE = Field(json_schema_extra={"minimum": 0, "maximum": 1})
# What float32 arithmetic and rounded decimals put outside the picture is meant to be on its edge.
_ROUNDING = 1e-4

LEAST_SHIFT = 0.1
"""Least horizontal shift of a crossing object, as a share of the picture's width."""

LEAST_GROWTH = 1.25
"""Least factor by which an approaching object's box grows in height."""


class StrictModel(BaseModel):
    """A pydantic model that reports the first invalid field as a `LayoutError` of one sentence.

    Parameters
    ----------
    **fields
        The fields of the subclass, and no others; numbers must be finite.

    Raises
    ------
    LayoutError
        If a field is missing, unknown or of another type.

    Examples
    --------
    >>> class Point(StrictModel):
    ...     x: float
    >>> Point(x="left")
    Traceback (most recent call last):
    spa2v_lib.errors.LayoutError: x: Input should be a valid number, ..., got 'left'
    """

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    def __init__(self, **fields: Any) -> None:
        try:
            super().__init__(**fields)
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(str(part) for part in first["loc"]) or "layout"
            raise LayoutError(
                f"{place}: {first['msg']}, got {_shortened(first['input'])}"
            ) from None


class Box(StrictModel):
    """An axis-aligned box in the picture.

    Parameters
    ----------
    x0, y0, x1, y1 : float
        Left, top, right and bottom as shares of the picture, in [0, 1] from its top left corner;
        ``x0 < x1`` and ``y0 < y1``. Rounding errors up to 1e-4 outside the picture are clamped.

    Raises
    ------
    LayoutError
        If a corner lies outside the picture or the box is empty.

    See Also
    --------
    spa2v_lib.layout.camera.Camera : from a direction, a range and a size to a box.

    Examples
    --------
    >>> box = Box(x0=0.25, y0=0.5, x1=0.75, y1=1.0)
    >>> box.center, box.area
    ((0.5, 0.75), 0.25)
    >>> box.iou(Box(x0=0.5, y0=0.5, x1=1.0, y1=1.0)) == 1 / 3
    True
    """

    model_config = ConfigDict(frozen=True)

    x0: float = _SHARE
    y0: float = _SHARE
    x1: float = _SHARE
    y1: float = _SHARE

    @field_validator("x0", "y0", "x1", "y1")
    @classmethod
    def _is_inside(cls, value: float, info: ValidationInfo) -> float:
        if not -_ROUNDING <= value <= 1.0 + _ROUNDING:
            raise LayoutError(f"box {info.field_name} is {value:.10g}; it must lie in [0, 1]")
        return min(max(value, 0.0), 1.0)

    @model_validator(mode="after")
    def _has_extent(self) -> Box:
        for low, high in (("x0", "x1"), ("y0", "y1")):
            first, second = getattr(self, low), getattr(self, high)
            if not first < second:
                raise LayoutError(
                    f"box {low} is {first:.10g} and {high} is {second:.10g}; {low} must be the "
                    "smaller"
                )
        return self

    def as_tuple(self) -> tuple[float, float, float, float]:
        """Return ``(x0, y0, x1, y1)``."""
        return (self.x0, self.y0, self.x1, self.y1)

    @property
    def center(self) -> tuple[float, float]:
        """The centre ``(x, y)``."""
        return ((self.x0 + self.x1) / 2, (self.y0 + self.y1) / 2)

    @property
    def width(self) -> float:
        """Width as a share of the picture's."""
        return self.x1 - self.x0

    @property
    def height(self) -> float:
        """Height as a share of the picture's."""
        return self.y1 - self.y0

    @property
    def area(self) -> float:
        """Area as a share of the picture's."""
        return self.width * self.height

    def iou(self, other: Box) -> float:
        """Return the intersection over union with another box.

        Parameters
        ----------
        other : Box

        Returns
        -------
        float
            From 0 (apart) to 1 (the same).
        """
        across = min(self.x1, other.x1) - max(self.x0, other.x0)
        down = min(self.y1, other.y1) - max(self.y0, other.y0)
        shared = max(0.0, across) * max(0.0, down)
        return shared / (self.area + other.area - shared)

    def mirrored(self) -> Box:
        """Return the box with left and right exchanged."""
        return Box(x0=1 - self.x1, y0=self.y0, x1=1 - self.x0, y1=self.y1)


def validated_items(items: Any, model: type[StrictModel], name: Callable[[int], str]) -> Any:
    """Make a model of every mapping in a list; errors name the item.

    Parameters
    ----------
    items : object
        The list; anything else is returned as it is, for pydantic to refuse.
    model : type of StrictModel
        What every mapping becomes.
    name : callable
        From an index to the words that name the item in messages.

    Returns
    -------
    object
        A list of models, and of the items that were no mappings.

    Raises
    ------
    LayoutError
        If a mapping is not valid.

    Examples
    --------
    >>> validated_items([{"x0": 0, "y0": 0, "x1": 2, "y1": 1}], Box, lambda i: f"box {i}")
    Traceback (most recent call last):
    spa2v_lib.errors.LayoutError: box 0: box x1 is 2; it must lie in [0, 1]
    """
    if not isinstance(items, list):
        return items
    models = []
    for index, item in enumerate(items):
        try:
            models.append(model(**item) if isinstance(item, dict) else item)
        except (LayoutError, TypeError) as error:
            raise LayoutError(f"{name(index)}: {error}") from None
    return models


def _shortened(value: Any) -> str:
    try:
        return f"{value!r:.80}"
    except (ValueError, RecursionError):  # thousands of digits; thousands of levels
        return f"a very large {type(value).__name__}"


def motion_of(track: list[Box | None]) -> Motion | None:
    """Name the motion of one object from its boxes over time.

    The first and the last box decide: the shift along x and the change of height are compared in
    units of the least that counts (`LEAST_SHIFT`, `LEAST_GROWTH`), and the larger names the motion.

    Parameters
    ----------
    track : list of (Box or None)
        One entry per frame or key frame; None where the object is out of the picture.

    Returns
    -------
    Motion or None
        None if it is never in the picture.

    See Also
    --------
    spa2v_lib.layout.captions.video_caption : The sentence that names motions.

    Examples
    --------
    >>> left, right = (Box(x0=x, y0=0.4, x1=x + 0.2, y1=0.6) for x in (0.1, 0.7))
    >>> motion_of([left, None, right]), motion_of([right, right])
    ('right_crossing', 'stationary')
    """
    visible = [box for box in track if box is not None]
    if not visible:
        return None
    shift = (visible[-1].center[0] - visible[0].center[0]) / LEAST_SHIFT
    growth = math.log(visible[-1].height / visible[0].height) / math.log(LEAST_GROWTH)
    if max(abs(shift), abs(growth)) < 1.0:
        return "stationary"
    if abs(shift) >= abs(growth):
        return "right_crossing" if shift > 0 else "left_crossing"
    return "approaching" if growth > 0 else "receding"
