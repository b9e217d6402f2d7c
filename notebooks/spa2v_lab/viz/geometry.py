"""Figures of how the camera makes boxes: from above, in the picture, and when a cue is wrong."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from spa2v_lib.layout.classes import CLASSES, SoundClass
from spa2v_lib.viz.figures import slider
from spa2v_lib.viz.style import TEXT, faded, styled
from spa2v_lib.viz.words import colour_of

if TYPE_CHECKING:
    from spa2v_lib.layout.box import Box
    from spa2v_lib.layout.camera import Camera

__all__ = ["class_figure", "overlap_figure", "overlap_when_wrong", "projection_figure"]

_SIDE = {"ground": 0, "water": 0, "air": 1, "held": 2}
_PLACES = ("on ground or water", "in the air", "held")


def projection_figure(
    sound_class: SoundClass,
    camera: Camera,
    azimuths_deg: Sequence[float],
    range_m: float | None = None,
) -> go.Figure:
    """Draw an object from above and in the picture, with a slider over its azimuth.

    Parameters
    ----------
    sound_class : SoundClass
    camera : Camera
    azimuths_deg : sequence of float
        One step of the slider each, within ±90°.
    range_m : float, optional
        Along the ground; the class's usual range if not given.

    Examples
    --------
    >>> from spa2v_lib.layout.camera import Camera
    >>> figure = projection_figure(CLASSES["car"], Camera(), [-30.0, 0.0, 30.0])
    >>> len(figure.frames)
    3
    """
    away = sound_class.range_m if range_m is None else range_m
    steps = [_both_views(sound_class, camera, azimuth, away) for azimuth in azimuths_deg]
    figure = make_subplots(1, 2, subplot_titles=("plan view", "picture"))
    first = 2 * len(steps) // 3
    figure.add_traces(steps[first])
    figure.frames = [go.Frame(data=step, name=str(index)) for index, step in enumerate(steps)]
    labels = [f"{azimuth:+g}°" if azimuth else "0°" for azimuth in azimuths_deg]
    reach = 1.25 * away
    figure.update_xaxes(range=[-reach, reach], title="to the right (m)", col=1)
    figure.update_yaxes(
        range=[-0.1 * reach, 1.15 * reach], scaleanchor="x", title="ahead (m)", col=1
    )
    figure.update_xaxes(range=[0, 1], constrain="domain", title="x (share of width)", col=2)
    figure.update_yaxes(
        range=[1, 0], scaleanchor="x2", scaleratio=1 / camera.aspect, constrain="domain",
        title="y (share of height)", col=2,
    )  # fmt: skip
    figure.update_layout(sliders=[slider(labels, "source at ", first)])
    words = f"{sound_class.with_article} {away:g} m away, seen from above and in the picture"
    styled(figure, height=490, alt=words).update_layout(legend_y=1.1)
    return figure.update_annotations(font={"color": TEXT, "size": 13})


def class_figure(camera: Camera) -> go.Figure:
    """Draw how tall every class is in the picture, and where, straight ahead at its usual range.

    Parameters
    ----------
    camera : Camera

    Examples
    --------
    >>> from spa2v_lib.layout.camera import Camera
    >>> class_figure(Camera()).layout.yaxis.title.text
    'y (share of height)'
    """
    figure = go.Figure()
    for place in range(len(_PLACES)):
        classes = [one for one in CLASSES.values() if _SIDE[one.place] == place]
        boxes = [_box(one, camera, 0.0, one.range_m) for one in classes]
        figure.add_trace(
            go.Bar(
                x=[one.noun for one in classes],
                base=[box.y0 for box in boxes],
                y=[box.height for box in boxes],
                width=[2.0 * box.width for box in boxes],
                name=_PLACES[place],
                marker={"color": faded(colour_of(place), 0.45)},
                marker_line={"color": colour_of(place), "width": 2},
                customdata=[[k.width_m, k.height_m, k.range_m] for k in classes],
                hovertemplate=(
                    "%{x}: %{customdata[0]:g} m by %{customdata[1]:g} m, "
                    "%{customdata[2]:g} m away<extra></extra>"
                ),
            )
        )
    figure.add_hline(camera.horizon_y(), line={"color": TEXT, "dash": "dot", "width": 1})
    figure.update_yaxes(range=[1, 0], title="y (share of height)")
    figure.update_xaxes(tickangle=-55)
    words = "height and place of every class in the picture, at its usual range"
    return styled(figure, height=450, alt=words).update_layout(margin={"t": 60, "b": 110})


def overlap_when_wrong(
    sound_class: SoundClass,
    camera: Camera,
    azimuth_deg: float,
    *,
    off_deg: float = 0.0,
    range_factor: float = 1.0,
) -> float:
    """Return the IoU of the true box of an object with the box that wrong cues give.

    Parameters
    ----------
    sound_class : SoundClass
    camera : Camera
    azimuth_deg : float
        Where it is, at its usual range.
    off_deg : float
        Added to its direction.
    range_factor : float
        Times its range.

    Returns
    -------
    float
        In [0, 1]; 0 where one of the two is out of the picture.

    Examples
    --------
    >>> from spa2v_lib.layout.camera import Camera
    >>> overlap_when_wrong(CLASSES["car"], Camera(), 0.0)
    1.0
    """
    truth = _box(sound_class, camera, azimuth_deg, sound_class.range_m)
    estimate = _box(sound_class, camera, azimuth_deg + off_deg, range_factor * sound_class.range_m)
    return 0.0 if truth is None or estimate is None else truth.iou(estimate)


def overlap_figure(
    sound_class: SoundClass, camera: Camera, azimuths_deg: Sequence[float] = (0.0, 20.0, 35.0)
) -> go.Figure:
    """Draw IoU against an error of direction and against one of range, for several directions.

    Parameters
    ----------
    sound_class : SoundClass
    camera : Camera
    azimuths_deg : sequence of float
        Where it is; a curve each, in either panel.

    Examples
    --------
    >>> from spa2v_lib.layout.camera import Camera
    >>> overlap_figure(CLASSES["car"], Camera()).layout.xaxis.title.text
    'azimuth error'
    """
    off, factors = np.linspace(-30.0, 30.0, 61), np.geomspace(0.4, 2.5, 61)
    figure = make_subplots(1, 2, shared_yaxes=True)
    for index, azimuth in enumerate(azimuths_deg):
        by_angle = [overlap_when_wrong(sound_class, camera, azimuth, off_deg=float(a)) for a in off]
        by_range = [
            overlap_when_wrong(sound_class, camera, azimuth, range_factor=float(f)) for f in factors
        ]
        name = (
            f"{sound_class.noun} at {azimuth:+g}°"
            if azimuth
            else f"{sound_class.noun} straight ahead"
        )
        line = {"color": colour_of(index), "width": 2.5}
        common = {"mode": "lines", "name": name, "line": line, "legendgroup": name}
        figure.add_trace(go.Scatter(x=off, y=by_angle, **common), row=1, col=1)
        figure.add_trace(
            go.Scatter(x=factors, y=by_range, showlegend=False, **common), row=1, col=2
        )
    angles = [-30, -15, 0, 15, 30]
    figure.update_xaxes(tickvals=angles, ticktext=[f"{angle}°" for angle in angles], col=1)
    figure.update_xaxes(title="azimuth error", col=1)
    figure.update_xaxes(title="range ratio", col=2)
    figure.update_xaxes(type="log", tickvals=[0.5, 0.7, 1, 1.4, 2], col=2)
    figure.update_yaxes(range=[0, 1.02], title="IoU", col=1)
    words = f"IoU of right and wrong boxes of {sound_class.with_article}, by error of direction and range"
    return styled(figure, height=360, alt=words).update_layout(legend_y=1.12)


def _box(sound_class: SoundClass, camera: Camera, azimuth_deg: float, range_m: float) -> Box | None:
    if not -90.0 < azimuth_deg < 90.0:
        return None
    raw = camera.project(
        azimuth_deg, range_m, sound_class.width_m, sound_class.height_m, sound_class.base_m
    )
    return camera.visible_box(raw)


def _both_views(
    sound_class: SoundClass, camera: Camera, azimuth_deg: float, range_m: float
) -> list[go.Scatter]:
    """Return the traces: field of view, ray and object from above; horizon and box in front."""
    angle, half = np.radians(azimuth_deg), np.radians(camera.fov_deg / 2)
    x, z, far = range_m * np.sin(angle), range_m * np.cos(angle), 1.1 * range_m
    edges = [-far * np.sin(half), 0.0, far * np.sin(half)]
    box = _box(sound_class, camera, azimuth_deg, range_m)
    x0, y0, x1, y1 = (None,) * 4 if box is None else box.as_tuple()
    horizon, half_m = camera.horizon_y(), sound_class.width_m / 2
    pale, front = {"color": TEXT, "width": 1.5}, {"xaxis": "x2", "yaxis": "y2"}
    bright = {"color": colour_of(0), "width": 4}
    return [
        _line(edges, [far * np.cos(half), 0.0, far * np.cos(half)], "field of view", pale),
        _line([0.0, x], [0.0, z], "direction", {"color": colour_of(1), "width": 2}),
        _line([x - half_m, x + half_m], [z, z], sound_class.noun, bright),
        _line([0.0, 1.0], [horizon, horizon], "horizon", {**pale, "dash": "dot"}, **front),
        _line([x0, x1, x1, x0, x0], [y0, y0, y1, y1, y0], sound_class.noun, bright, **front),
    ]


def _line(
    x: list[float | None], y: list[float | None], name: str, line: dict, **panel: str
) -> go.Scatter:
    both = {"legendgroup": name, "showlegend": name == "horizon" or not panel}
    return go.Scatter(
        x=x, y=y, mode="lines", name=name, line=line, hoverinfo="skip", **both, **panel
    )
