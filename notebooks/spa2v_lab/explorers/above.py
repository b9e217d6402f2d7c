"""Microphones and a source, seen from above: one inline drawing, for widgets."""

from __future__ import annotations

from html import escape

import numpy as np

from spa2v_lab.viz.captures import NAMES, lobes
from spa2v_lib.viz.svg import SOURCE_COLOURS

__all__ = ["from_above"]

_REACH = 1.7
_SOURCE = 1.45


def from_above(capture: str, azimuth_deg: float, others_deg: tuple[float, ...] = ()) -> str:
    """Return an ``<svg>`` of a format's microphones, and a source around them.

    Parameters
    ----------
    capture : str
        A key of `spa2v_lab.viz.captures.NAMES`.
    azimuth_deg : float
        Where the source is.
    others_deg : tuple of float
        Further directions, drawn as rings.
    """
    shapes = lobes(capture)
    colours = SOURCE_COLOURS[:2] if len(shapes) == 2 else ("#7b8187", *SOURCE_COLOURS[:2])
    drawn = "".join(
        f'<polygon points="{" ".join(f"{x:.3f},{-y:.3f}" for x, y in shape)}" fill="{colour}" '
        f'fill-opacity=".2" stroke="{colour}" stroke-width=".02"/>'
        for shape, colour in zip(shapes, colours, strict=True)
    )
    drawn += '<path d="M0-.95V-1.2M-.05-1.12L0-1.2L.05-1.12" fill="none" stroke="#7b8187" '
    drawn += 'stroke-width=".02"/>'
    for azimuth in others_deg:
        x, y = _place(azimuth)
        drawn += f'<circle cx="{x:.3f}" cy="{y:.3f}" r=".11" fill="none" stroke="#7b8187" '
        drawn += 'stroke-width=".03"/>'
    x, y = _place(azimuth_deg)
    drawn += f'<line x2="{x:.3f}" y2="{y:.3f}" stroke="#7b8187" stroke-width=".01"/>'
    drawn += f'<circle cx="{x:.3f}" cy="{y:.3f}" r=".09" fill="{SOURCE_COLOURS[2]}"/>'
    words = escape(f"{NAMES[capture]} from above, the source at {azimuth_deg:+g}°")
    return (
        f'<svg viewBox="{-_REACH} {-_REACH} {2 * _REACH} {2 * _REACH}" width="280" height="280" '
        f'role="img" aria-label="{words}">{drawn}</svg>'
    )


def _place(azimuth_deg: float) -> tuple[float, float]:
    angle = np.radians(azimuth_deg)
    return _SOURCE * float(np.sin(angle)), -_SOURCE * float(np.cos(angle))
