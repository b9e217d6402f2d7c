"""The camera that stands at the microphone: from azimuth, range and size to a box, and back.

A pinhole looks along azimuth 0. Azimuth is positive to the right, as the picture's x; without
pitch::

    x = 1/2 + 1/2 * tan(azimuth) / tan(fov / 2)

Ranges are measured along the ground from below the camera; heights from the ground.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from spa2v_lib.errors import LayoutError
from spa2v_lib.layout.scene_layout import Box

__all__ = ["Camera"]

_NEAREST_M = 0.1  # nothing closer to the picture plane is drawn
_LEAST_VISIBLE = 0.25  # of an object's area, for it to have a box


@dataclass(frozen=True)
class Camera:
    """A pinhole camera.

    Attributes
    ----------
    fov_deg : float
        Horizontal field of view, between 0 and 180 degrees.
    aspect : float
        Width over height of the picture.
    height_m : float
        Of the camera above the ground.
    pitch_deg : float
        Positive looks up; between -60 and 60 degrees.

    Raises
    ------
    LayoutError
        If a value is outside its range.
    """

    fov_deg: float = 90.0
    aspect: float = 1.0
    height_m: float = 1.5
    pitch_deg: float = 0.0

    def __post_init__(self) -> None:
        if not 0 < self.fov_deg < 180:
            raise LayoutError(f"field of view is {self.fov_deg}°; it must lie between 0° and 180°")
        if not self.aspect > 0:
            raise LayoutError(f"aspect is {self.aspect}; width over height must be above 0")
        if not -60 <= self.pitch_deg <= 60:
            raise LayoutError(f"pitch is {self.pitch_deg}°; it must lie between -60° and 60°")

    @property
    def _focal(self) -> float:
        """Focal length in picture widths."""
        return 0.5 / math.tan(math.radians(self.fov_deg / 2))

    def horizon_y(self) -> float:
        """Return the horizon's height in the picture, 0 at the top; it may lie outside."""
        return 0.5 + self._focal * self.aspect * math.tan(math.radians(self.pitch_deg))

    def x_of_azimuth(self, azimuth_deg: float) -> float:
        """Return the picture's x of a direction on the horizon, without pitch.

        Raises
        ------
        LayoutError
            If the direction is not in front of the camera.
        """
        if not -90 < azimuth_deg < 90:
            raise LayoutError(f"azimuth {azimuth_deg}° is not in front of the camera (±90°)")
        return 0.5 + self._focal * math.tan(math.radians(azimuth_deg))

    def azimuth_of_x(self, x: float) -> float:
        """Return the azimuth in degrees of a picture's x, without pitch."""
        return math.degrees(math.atan((x - 0.5) / self._focal))

    def project(
        self,
        azimuth_deg: float,
        range_m: float,
        width_m: float,
        height_m: float,
        base_m: float = 0.0,
    ) -> tuple[float, float, float, float] | None:
        """Project an upright rectangle that faces the camera.

        Parameters
        ----------
        azimuth_deg, range_m : float
            Where its foot point is.
        width_m, height_m : float
            Its extent.
        base_m : float
            Height of its lower edge above the ground.

        Returns
        -------
        tuple of float or None
            ``(x0, y0, x1, y1)``, not clipped to the picture; None if any of it is level with the
            camera or behind it.
        """
        azimuth, pitch = math.radians(azimuth_deg), math.radians(self.pitch_deg)
        x, z = range_m * math.sin(azimuth), range_m * math.cos(azimuth)
        low, high = base_m - self.height_m, base_m + height_m - self.height_m
        depth = {y: z * math.cos(pitch) + y * math.sin(pitch) for y in (low, high)}
        if min(depth.values()) <= _NEAREST_M:
            return None
        up = {y: (y * math.cos(pitch) - z * math.sin(pitch)) / depth[y] for y in (low, high)}
        middle = (depth[low] + depth[high]) / 2
        tall = self._focal * self.aspect
        return (
            0.5 + self._focal * (x - width_m / 2) / middle,
            0.5 - tall * up[high],
            0.5 + self._focal * (x + width_m / 2) / middle,
            0.5 - tall * up[low],
        )

    def visible_box(self, raw: tuple[float, float, float, float] | None) -> Box | None:
        """Clip a projected box to the picture.

        Returns
        -------
        Box or None
            None for None, and where less than a quarter of the box would be seen.
        """
        if raw is None:
            return None
        x0, y0, x1, y1 = (min(1.0, max(0.0, value)) for value in raw)
        whole = (raw[2] - raw[0]) * (raw[3] - raw[1])
        seen = max(0.0, x1 - x0) * max(0.0, y1 - y0)
        if not whole > 0 or seen < _LEAST_VISIBLE * whole:
            return None
        return Box(x0=x0, y0=y0, x1=x1, y1=y1)
