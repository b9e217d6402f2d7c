"""Lab: camera and layout. What is checked, and how boxes over time become a layout."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from spa2v_lab.labs.check import check, expect
from spa2v_lib.layout.box import Box
from spa2v_lib.layout.camera import Camera
from spa2v_lib.layout.scene_layout import SceneObject, VideoSceneLayout

__all__ = ["Corners", "check_project", "check_visible", "layout_of"]

Corners = tuple[float, float, float, float]
"""``(x0, y0, x1, y1)``; within the picture where all lie in [0, 1]."""

_BUS = (11.0, 3.0, 0.0)  # width, height and lower edge in metres


def layout_of(
    label: str, times_s: Sequence[float], boxes: Sequence[Corners | None], duration_s: float
) -> VideoSceneLayout:
    """Return the layout of one object.

    Parameters
    ----------
    label : str
        A noun.
    times_s : sequence of float
        Key times; the first is 0.
    boxes : sequence of Corners or None
        One for each key time.
    duration_s : float
        Length of the video.

    Examples
    --------
    >>> layout = layout_of("bus", [0.0, 0.5], [(0.1, 0.4, 0.3, 0.6), None], 1.0)
    >>> layout.caption, len(layout.frame_boxes())
    ('a bus', 8)
    """
    caption = f"a {label}"
    kept = [None if b is None else Box(x0=b[0], y0=b[1], x1=b[2], y1=b[3]) for b in boxes]
    return VideoSceneLayout(
        caption=caption,
        frame_captions=[caption] * len(kept),
        key_times_s=list(times_s),
        objects=[SceneObject(id=f"{label}-1", label=label, caption=caption, boxes=kept)],
        duration_s=duration_s,
    )


def _library_project(
    azimuth_deg: float,
    range_m: float,
    width_m: float,
    height_m: float,
    base_m: float,
    fov_deg: float = 90.0,
) -> Corners | None:
    camera = Camera(fov_deg=fov_deg)
    return camera.project(azimuth_deg, range_m, width_m, height_m, base_m)


def _library_visible(corners: Corners | None) -> Corners | None:
    box = Camera().visible_box(corners)
    return None if box is None else box.as_tuple()


def check_project(project: Callable[..., Corners | None]) -> Callable[..., Corners | None]:
    """Check a projection into the picture; return it, or the library's.

    Parameters
    ----------
    project : callable
        Of azimuth (degrees), range, width, height and lower edge (metres) and, last, the field of
        view (degrees, 90 if not given).

    Examples
    --------
    >>> def project(azimuth_deg, range_m, width_m, height_m, base_m, fov_deg=90.0):
    ...     x = 0.5 + azimuth_deg / fov_deg
    ...     return x - 0.1, 0.4, x + 0.1, 0.6
    >>> _ = check_project(project)
    ✗ project is not right yet. The direction (check 1 of 6): at 30° the middle of the box is at ...
      The lab continues with the library's function.
    """
    tests = {
        "the direction": _direction,
        "perspective": _perspective,
        "depth": _depth,
        "the ground": _ground,
        "what is behind": _behind,
        "as the library": _as_library_project,
    }
    return check(project, tests, _library_project)


def _middle(corners: Corners) -> float:
    return (corners[0] + corners[2]) / 2


def _direction(project: Callable) -> None:
    for azimuth, right in ((0.0, 0.5), (30.0, 0.5 + 0.5 * np.tan(np.pi / 6))):
        found = _middle(project(azimuth, 20.0, *_BUS))
        expect(
            np.isclose(found, right, atol=1e-6),
            f"at {azimuth:g}° the middle of the box is at x = {found:.3f} instead of {right:.3f}; "
            "x goes with the tangent of the azimuth, not with the azimuth",
        )


def _perspective(project: Callable) -> None:
    near, far = (project(0.0, away, *_BUS) for away in (15.0, 30.0))
    ratio = (near[2] - near[0]) / (far[2] - far[0])
    expect(
        np.isclose(ratio, 2),
        f"at half the distance the bus is {ratio:.2f} times as wide instead of twice",
    )


def _depth(project: Callable) -> None:
    aside, ahead = (project(azimuth, 20.0, *_BUS) for azimuth in (40.0, 0.0))
    ratio = (aside[2] - aside[0]) / (ahead[2] - ahead[0])
    right = 1 / np.cos(np.radians(40))
    expect(
        np.isclose(ratio, right),
        f"20 m away at 40° the bus is {ratio:.2f} times as wide as ahead instead of {right:.2f} "
        "times; divide by the depth r cos θ, not by the range r",
    )


def _ground(project: Callable) -> None:
    x0, y0, x1, y1 = project(0.0, 20.0, *_BUS)
    expect(
        y0 < y1 and x0 < x1,
        f"the corners are {(round(x0, 2), round(y0, 2), round(x1, 2), round(y1, 2))}; x0 < x1 and "
        "y0 < y1, and y grows downwards",
    )
    right = 0.5 + 0.5 * 1.5 / 20
    expect(
        np.isclose(y1, right),
        f"the wheels of the bus are at y = {y1:.3f} instead of {right:.3f}; the ground lies 1.5 m "
        "below the camera, and the horizon at y = 0.5",
    )


def _behind(project: Callable) -> None:
    found = project(150.0, 20.0, *_BUS)
    expect(
        found is None,
        f"a bus at 150° gives {found} instead of None; its depth is negative, and dividing by it "
        "turns the picture upside down",
    )


def _as_library_project(project: Callable) -> None:
    rng = np.random.default_rng(0)
    for _ in range(50):
        azimuth, away, fov = rng.uniform(-80, 80), rng.uniform(5, 50), rng.uniform(40, 110)
        given = (float(azimuth), float(away), *map(float, rng.uniform(0.5, 5, 3)), float(fov))
        found, right = project(*given), _library_project(*given)
        expect(
            found is not None and np.allclose(found, right),
            f"azimuth {azimuth:.0f}°, range {away:.0f} m, field of view {fov:.0f}° give "
            f"{_rounded(found)} instead of {_rounded(right)}",
        )


def _rounded(corners: Corners | None) -> tuple[float, ...] | None:
    return None if corners is None else tuple(round(float(value), 3) for value in corners)


def check_visible(
    visible: Callable[[Corners | None], Corners | None],
) -> Callable[[Corners | None], Corners | None]:
    """Check what of a box is in the picture; return it, or the library's.

    Parameters
    ----------
    visible : callable
        Of corners that may lie outside the picture, or None.

    Examples
    --------
    >>> def visible(corners):
    ...     return corners
    >>> _ = check_visible(visible)
    ✗ visible is not right yet. Across an edge (check 2 of 5): ...
      The lab continues with the library's function.
    """
    tests = {
        "inside": _inside,
        "across an edge": _across,
        "hardly to be seen": _sliver,
        "nothing there": _nothing,
        "as the library": _as_library_visible,
    }
    return check(visible, tests, _library_visible)


def _expect_visible(visible: Callable, corners: Corners | None, why: str = "") -> None:
    found, right = visible(corners), _library_visible(corners)
    alike = (found is None) == (right is None) and (right is None or np.allclose(found, right))
    given = _rounded(corners)
    expect(alike, f"{given} gives {_rounded(found)} instead of {_rounded(right)}{why}")


def _inside(visible: Callable) -> None:
    _expect_visible(visible, (0.2, 0.3, 0.5, 0.6), "; what is inside stays as it is")


def _across(visible: Callable) -> None:
    _expect_visible(visible, (-0.2, 0.3, 0.5, 0.6), "; cut it off at the picture's edge")


def _sliver(visible: Callable) -> None:
    why = "; with less than a quarter of its area in the picture there is no box"
    _expect_visible(visible, (-0.8, 0.3, 0.1, 0.6), why)
    _expect_visible(visible, (1.2, 0.3, 1.5, 0.6), why)


def _nothing(visible: Callable) -> None:
    _expect_visible(visible, None, "; what is behind the camera is not seen")


def _as_library_visible(visible: Callable) -> None:
    rng = np.random.default_rng(1)
    for _ in range(50):
        x, y = np.sort(rng.uniform(-0.7, 1.7, (2, 2)), axis=1)
        _expect_visible(visible, (float(x[0]), float(y[0]), float(x[1]), float(y[1])))
