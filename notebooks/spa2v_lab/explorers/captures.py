"""Explorers of capture formats: choose format and direction, listen, and see what else matches."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

import numpy as np
from ipywidgets import HTML, Dropdown, HBox, IntSlider, VBox

from spa2v_lab.scenes.receivers import lobes
from spa2v_lab.scenes.sound import render_sound
from spa2v_lab.scenes.stage import Trajectory, stage
from spa2v_lab.viz.captures import NAMES, differences, matching_directions
from spa2v_lib.viz.player import sound_player
from spa2v_lib.viz.words import SOURCE_COLOURS

if TYPE_CHECKING:
    from spa2v_lib.audio.recording import Recording

__all__ = [
    "ROOMS",
    "CaptureExplorer",
    "SoundExplorer",
    "describe_differences",
    "describe_matches",
    "plan_view_svg",
    "sound_from",
]

ROOMS = {"outdoors": 0.0, "a living room": 0.3, "a hall": 0.6}
"""Reverberation times RT60 in seconds, by name."""

_SECONDS = 2.0
_REACH = 1.7
_SOURCE = 1.45
_NARROW_DEG = 15.0  # up to here a range of directions is written as its middle


def plan_view_svg(capture: str, azimuth_deg: float, others_deg: tuple[float, ...] = ()) -> str:
    """Draw a format's microphones from above, and a source around them.

    Parameters
    ----------
    capture : str
        A key of `spa2v_lab.viz.captures.NAMES`.
    azimuth_deg : float
        Where the source is.
    others_deg : tuple of float
        Further directions, drawn as rings.

    Returns
    -------
    str
        One ``<svg>`` element.

    Examples
    --------
    >>> plan_view_svg("xy", 30.0).count("<polygon")
    2
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
    alt = escape(f"{NAMES[capture]} from above, the source at {azimuth_deg:+g}°")
    return (
        f'<svg viewBox="{-_REACH} {-_REACH} {2 * _REACH} {2 * _REACH}" width="280" height="280" '
        f'role="img" aria-label="{alt}">{drawn}</svg>'
    )


def _place(azimuth_deg: float) -> tuple[float, float]:
    angle = np.radians(azimuth_deg)
    return _SOURCE * float(np.sin(angle)), -_SOURCE * float(np.cos(angle))


def describe_matches(capture: str, azimuth_deg: float) -> list[str]:
    """List the directions with the same ILD and ITD, a line for each format.

    Parameters
    ----------
    capture : str
        A key of `spa2v_lab.viz.captures.NAMES`.
    azimuth_deg : float
        In (-180, 180].

    Examples
    --------
    >>> describe_matches("binaural", 30.0)
    ['binaural: +30°, +150°']
    """
    return [
        f"{NAMES[name]}: {', '.join(_range_text(*ends) for ends in ranges)}"
        for name, ranges in matching_directions(capture, azimuth_deg).items()
    ]


def _range_text(low: float, high: float) -> str:
    if high - low > _NARROW_DEG:
        return f"{low:+.0f}° to {high:+.0f}°"
    return f"{(low + high) / 2:+.0f}°"


class CaptureExplorer(VBox):
    """Choose capture format and azimuth; read which other directions match.

    Parameters
    ----------
    capture : str
        A key of `spa2v_lab.viz.captures.NAMES`.
    azimuth_deg : int
        Of the source at the beginning.

    Examples
    --------
    >>> explorer = CaptureExplorer("ab", 30)
    >>> "ITD +729 µs" in explorer.children[1].value
    True
    """

    def __init__(self, capture: str = "xy", azimuth_deg: int = 30) -> None:
        formats = [(name, key) for key, name in NAMES.items()]
        self.capture = Dropdown(options=formats, value=capture, description="format")
        self.azimuth = IntSlider(
            value=azimuth_deg, min=-175, max=180, step=5, description="azimuth (°)"
        )
        self.shown = HTML()
        for control in (self.capture, self.azimuth):
            control.observe(self._show, "value")
        self._show()
        super().__init__([HBox([self.capture, self.azimuth]), self.shown])

    def _show(self, _change: object = None) -> None:
        capture, azimuth = self.capture.value, self.azimuth.value
        same = matching_directions(capture, azimuth).get(capture, [])
        middles = tuple((low + high) / 2 for low, high in same)
        both = differences(capture, azimuth)
        ild, itd_us = both.ild_db[0] + 0.0, 1e6 * both.itd_s[0] + 0.0
        lines = "".join(f"<li>{escape(line)}</li>" for line in describe_matches(capture, azimuth))
        self.shown.value = (
            f"{plan_view_svg(capture, azimuth, middles)}"
            f"<p>ILD {ild:+.1f} dB, ITD {itd_us:+.0f} µs. "
            f"Directions with the same differences:</p><ul>{lines}</ul>"
        )


def sound_from(
    recording: str, azimuth_deg: float, capture: str, rt60_s: float = 0.0, seconds: float = _SECONDS
) -> Recording:
    """Render a recording from one direction through a capture format.

    Parameters
    ----------
    recording : str
        File name under ``data/recordings``.
    azimuth_deg : float
        In (-180, 180].
    capture : str
        A key of `spa2v_lab.scenes.receivers.RECEIVERS`.
    rt60_s : float
        Reverberation time; 0 outdoors.
    seconds : float

    Examples
    --------
    >>> sound_from("sheep_01.flac", 40.0, "ortf", seconds=0.5).channels
    2
    """
    trajectory = Trajectory(recording, azimuth_deg, from_m=2.0)
    return render_sound(stage(trajectory, capture=capture, seconds=seconds, rt60_s=rt60_s))


def describe_differences(azimuth_deg: float, capture: str) -> str:
    """Describe where the source is, and the ILD and ITD that this makes.

    Parameters
    ----------
    azimuth_deg : float
        In (-180, 180].
    capture : str
        A key of `spa2v_lab.viz.captures.NAMES`.

    Examples
    --------
    >>> describe_differences(-30.0, "ab")
    '30° to the left, AB: ILD +0.0 dB, ITD -729 µs'
    """
    both = differences(capture, azimuth_deg)
    ild, itd_us = float(both.ild_db[0]), 1e6 * float(both.itd_s[0])
    side = "ahead" if azimuth_deg == 0 else "right" if azimuth_deg > 0 else "left"
    place = side if azimuth_deg == 0 else f"{abs(azimuth_deg):g}° to the {side}"
    return f"{place}, {NAMES[capture]}: ILD {ild + 0.0:+.1f} dB, ITD {itd_us + 0.0:+.0f} µs"


class SoundExplorer(VBox):
    """Choose azimuth, capture format and room; listen with headphones.

    Parameters
    ----------
    recording : str
        File name under ``data/recordings``.
    azimuth_deg : int
        At the beginning.

    Examples
    --------
    >>> explorer = SoundExplorer("sheep_01.flac", 30)
    >>> "30° to the right, ORTF" in explorer.children[1].value
    True
    """

    def __init__(self, recording: str, azimuth_deg: int = 40) -> None:
        self._recording = recording
        formats = [(name, key) for key, name in NAMES.items()]
        self.azimuth = IntSlider(
            value=azimuth_deg, min=-180, max=180, step=10, description="azimuth (°)",
            continuous_update=False,
        )  # fmt: skip
        self.capture = Dropdown(options=formats, value="ortf", description="format")
        self.room = Dropdown(options=list(ROOMS.items()), description="room")
        self.shown = HTML()
        for control in (self.azimuth, self.capture, self.room):
            control.observe(self._show, "value")
        self._show()
        super().__init__([HBox([self.azimuth, self.capture, self.room]), self.shown])

    def _show(self, _change: object = None) -> None:
        azimuth, capture = self.azimuth.value, self.capture.value
        sound = sound_from(self._recording, azimuth, capture, self.room.value)
        summary = describe_differences(azimuth, capture)
        player = sound_player(sound, NAMES[capture], seconds=_SECONDS).html()
        self.shown.value = f"{plan_view_svg(capture, azimuth)}<p>{escape(summary)}</p>{player}"
