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
from spa2v_lib.layout.box import Box

__all__ = ["Camera"]

_NEAREST_M = 0.1  # nothing closer to the picture plane is drawn
_LEAST_VISIBLE = 0.25  # of an object's area, for it to have a box


@dataclass(frozen=True)
class Camera:
    """A pinhole camera.

    Parameters
    ----------
    fov_deg : float
        Horizontal field of view in degrees, between 0 and 180.
    aspect : float
        Width over height of the picture, above 0.
    height_m : float
        Height of the camera above the ground, in metres.
    pitch_deg : float
        Angle of the optical axis above the horizon in degrees, from -60 to 60.

    Raises
    ------
    LayoutError
        If a value is outside its range.

    See Also
    --------
    spa2v_lib.planning.acoustic.place_boxes : Where it sees the sources.

    Examples
    --------
    >>> camera = Camera(fov_deg=90.0)
    >>> round(camera.x_of_azimuth(-45.0), 3), round(camera.x_of_azimuth(0.0), 3)
    (0.0, 0.5)
    >>> raw = camera.project(azimuth_deg=0.0, range_m=10.0, width_m=4.0, height_m=3.0)
    >>> [round(value, 3) for value in raw]
    [0.4, 0.425, 0.6, 0.575]
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
        """Return the horizon's y in the picture (0 at the top); outside [0, 1] it is not seen."""
        return 0.5 + self._focal * self.aspect * math.tan(math.radians(self.pitch_deg))

    def x_of_azimuth(self, azimuth_deg: float) -> float:
        """Return the picture's x of a direction on the horizon, without pitch.

        Parameters
        ----------
        azimuth_deg : float
            In degrees, positive to the right, between -90 and 90.

        Returns
        -------
        float
            0 is the left edge and 1 the right edge; values outside are out of the picture.

        Raises
        ------
        LayoutError
            If the direction is not in front of the camera.
        """
        if not -90 < azimuth_deg < 90:
            raise LayoutError(f"azimuth {azimuth_deg}° is not in front of the camera (±90°)")
        return 0.5 + self._focal * math.tan(math.radians(azimuth_deg))

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
        azimuth_deg : float
            Direction of its foot point in degrees, positive to the right.
        range_m : float
            Distance of its foot point along the ground, in metres.
        width_m, height_m : float
            Its extent in metres.
        base_m : float
            Height of its lower edge above the ground, in metres.

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

        Parameters
        ----------
        raw : tuple of float or None
            From `project`.

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
