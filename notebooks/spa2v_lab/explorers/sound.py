"""Explorer: move a source around the microphones, and hear it."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from ipywidgets import HTML, Dropdown, HBox, IntSlider, VBox

from spa2v_lab.explorers.above import from_above
from spa2v_lab.scenes.sound import render_sound
from spa2v_lab.scenes.stage import Trajectory, stage
from spa2v_lab.viz.captures import NAMES, differences
from spa2v_lib.viz.player import sound_player

if TYPE_CHECKING:
    from spa2v_lib.audio.recording import Recording

__all__ = ["ROOMS", "SoundExplorer", "sound_from", "words_from"]

ROOMS = {"in the open": 0.0, "a living room": 0.3, "a hall": 0.6}
"""Reverberation times in seconds, by name."""

_SECONDS = 2.0


def sound_from(
    recording: str, azimuth_deg: float, capture: str, rt60_s: float = 0.0, seconds: float = _SECONDS
) -> Recording:
    """Return what a pair of microphones makes of a recording from one direction.

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
    """
    way = Trajectory(recording, azimuth_deg, from_m=2.0)
    return render_sound(stage(way, capture=capture, seconds=seconds, rt60_s=rt60_s))


def words_from(azimuth_deg: float, capture: str) -> str:
    """Say where the source is, and which differences that makes."""
    found = differences(capture, azimuth_deg)
    ild, itd_us = float(found.ild_db[0]), 1e6 * float(found.itd_s[0])
    side = "ahead" if azimuth_deg == 0 else "right" if azimuth_deg > 0 else "left"
    place = side if azimuth_deg == 0 else f"{abs(azimuth_deg):g}° to the {side}"
    return f"{place}, {NAMES[capture]}: {ild + 0.0:+.1f} dB, {itd_us + 0.0:+.0f} µs"


class SoundExplorer(VBox):
    """Choose direction, format and room; listen with headphones.

    Parameters
    ----------
    recording : str
        File name under ``data/recordings``.
    azimuth_deg : int
        Where it begins.
    """

    def __init__(self, recording: str, azimuth_deg: int = 40) -> None:
        self._recording = recording
        formats = [(name, key) for key, name in NAMES.items()]
        self.azimuth = IntSlider(
            value=azimuth_deg, min=-180, max=180, step=10, description="azimuth",
            continuous_update=False,
        )  # fmt: skip
        self.capture = Dropdown(options=formats, value="ortf", description="format")
        self.room = Dropdown(options=list(ROOMS.items()), description="room")
        self._shown = HTML()
        for control in (self.azimuth, self.capture, self.room):
            control.observe(self._show, "value")
        self._show()
        super().__init__([HBox([self.azimuth, self.capture, self.room]), self._shown])

    def _show(self, _change: object = None) -> None:
        azimuth, capture = self.azimuth.value, self.capture.value
        sound = sound_from(self._recording, azimuth, capture, self.room.value)
        words = words_from(azimuth, capture)
        player = sound_player(sound, NAMES[capture], seconds=_SECONDS).html()
        self._shown.value = f"{from_above(capture, azimuth)}<p>{escape(words)}</p>{player}"
