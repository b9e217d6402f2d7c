"""Boxes in the picture, how they move, and the strict models that a layout is made of."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from spa2v_lib.errors import LayoutError
from spa2v_lib.layout.captions import Motion

__all__ = ["LEAST_GROWTH", "LEAST_SHIFT", "Box", "StrictModel", "located", "motion_of"]

# Told to readers of the schema; the check itself is the box's own, which names the corner.
_SHARE = Field(json_schema_extra={"minimum": 0, "maximum": 1})

LEAST_SHIFT = 0.1
"""A centre that moves less than this share of the picture's width does not cross."""

LEAST_GROWTH = 1.25
"""A box that grows by a smaller factor does not approach, and the inverse for receding."""


class StrictModel(BaseModel):
    """A model whose mistakes are reported as `LayoutError`, one sentence for the first."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    def __init__(self, **fields: Any) -> None:
        try:
            super().__init__(**fields)
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(str(part) for part in first["loc"]) or "layout"
            raise LayoutError(f"{place}: {first['msg']}, got {first['input']!r:.80}") from None


class Box(StrictModel):
    """An axis-aligned box in the picture.

    Attributes
    ----------
    x0, y0, x1, y1 : float
        Left, top, right and bottom, in [0, 1]; ``x0 < x1`` and ``y0 < y1``.

    Raises
    ------
    LayoutError
        If a corner lies outside the picture or the box is empty.
    """

    model_config = ConfigDict(frozen=True)

    x0: float = _SHARE
    y0: float = _SHARE
    x1: float = _SHARE
    y1: float = _SHARE

    @model_validator(mode="after")
    def _is_inside(self) -> Box:
        for name, value in zip(("x0", "y0", "x1", "y1"), self.as_tuple(), strict=True):
            if not 0.0 <= value <= 1.0:
                raise LayoutError(f"box {name} is {value:g}; it must lie in [0, 1]")
        for low, high in (("x0", "x1"), ("y0", "y1")):
            if not getattr(self, low) < getattr(self, high):
                raise LayoutError(
                    f"box {low} is {getattr(self, low):g} and {high} is {getattr(self, high):g}; "
                    f"{low} must be the smaller"
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
        """Return intersection over union with `other`, in [0, 1]."""
        across = min(self.x1, other.x1) - max(self.x0, other.x0)
        down = min(self.y1, other.y1) - max(self.y0, other.y0)
        shared = max(0.0, across) * max(0.0, down)
        return shared / (self.area + other.area - shared)

    def mirrored(self) -> Box:
        """Return the box with left and right exchanged."""
        return Box(x0=1 - self.x1, y0=self.y0, x1=1 - self.x0, y1=self.y1)


def located(items: Any, kind: type[StrictModel], name: Callable[[int], str]) -> Any:
    """Make `kind` of every mapping in a list; a mistake is reported with the item's name.

    Parameters
    ----------
    items : object
        What was found where the list should be; anything else is given back as it is.
    kind : type of StrictModel
    name : callable
        From an index to the words that name the item.

    Raises
    ------
    LayoutError
        If an item is not valid.
    """
    if not isinstance(items, list):
        return items
    made = []
    for index, item in enumerate(items):
        try:
            made.append(kind(**item) if isinstance(item, dict) else item)
        except (LayoutError, TypeError) as error:
            raise LayoutError(f"{name(index)}: {error}") from None
    return made


def motion_of(track: list[Box | None]) -> Motion | None:
    """Name the motion of one object from its boxes over time.

    From its first to its last box: a shift along x against a change of height, each in units of
    the least that counts (`LEAST_SHIFT`, `LEAST_GROWTH`); the larger decides.

    Parameters
    ----------
    track : list of (Box or None)
        One entry a frame, or a key frame.

    Returns
    -------
    Motion or None
        None if it is never in the picture.
    """
    seen = [box for box in track if box is not None]
    if not seen:
        return None
    shift = (seen[-1].center[0] - seen[0].center[0]) / LEAST_SHIFT
    growth = math.log(seen[-1].height / seen[0].height) / math.log(LEAST_GROWTH)
    if max(abs(shift), abs(growth)) < 1.0:
        return "stationary"
    if abs(shift) >= abs(growth):
        return "right_crossing" if shift > 0 else "left_crossing"
    return "approaching" if growth > 0 else "receding"
